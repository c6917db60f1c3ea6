/* The coordinator's decisions, one at a time: a capture is created, and starts. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- create ---- */

static void
create_answers_the_same_twice(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_created first = {0}, second = {0};
    fc_fail fail = {0};
    assert_int_equal(fixture_create(&f, "r1", fixture_all_of("job"), &first, &fail), FC_OK);
    assert_int_equal(fixture_create(&f, "r1", fixture_all_of("job"), &second, &fail), FC_OK);
    assert_ptr_equal(first.capture, second.capture);
    assert_true(second.repeated);
    assert_int_equal(f.co->captures.count, 1);
    co_created_fini(&first);
    co_created_fini(&second);
    assert_int_equal(fixture_create(&f, "r1", fixture_all_of("other"), &second, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "r1"));
    assert_int_equal(fixture_create(&f, "r2", fixture_all_of("job"), &second, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "'job'"));
    size_t records;
    assert_string_equal(fixture_last_audit(&f, &records), "operator/alice create job ALREADY_EXISTS");
    assert_int_equal(records, 3);
    fixture_close(&f);
}

static void
dry_run_writes_nothing(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    fc_definition definition = fixture_definition(fixture_all_of("job"));
    co_create request = {"operator/alice", "r1", &definition, true};
    co_created created = {0};
    assert_int_equal(co_create_capture(f.co, &request, &created, NULL), FC_OK);
    assert_null(created.capture);
    assert_int_equal(created.instance_count, 1);
    assert_int_equal(f.co->captures.count, 0);
    assert_string_equal(fixture_last_audit(&f, NULL), "");
    co_created_fini(&created);
    fc_definition_fini(&definition);
    fixture_close(&f);
}

static void
create_names_what_is_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *json, *named;
        fc_err err;
    } cases[] = {
        {"{name: x, target: {scaleSet: db}}", "'db'", FC_ERR_NOT_FOUND},
        {"{name: x, target: {include: [web-1, web-9]}}", "'web-9'", FC_ERR_NOT_FOUND},
        {"{name: x, target: {scaleSet: web, exclude: [web-8]}}", "'web-8'", FC_ERR_NOT_FOUND},
        {"{name: x, target: {regions: [mars]}}", "no instance matches the target (region 'mars', 3 known)",
         FC_ERR_NOT_FOUND},
        {"{name: x, target: {scaleSet: web, regions: [mars, venus, io], zones: [z], selector: a=b}}",
         "(scale set 'web', region 'mars' or 2 more, zone 'z', labels 'a=b', 3 known)", FC_ERR_NOT_FOUND},
        {"{name: x, target: {include: [twin]}}", "not unique", FC_ERR_INVALID},
    };
    fixture f;
    fake_link links[3] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    fc_labels none = {0};
    co_facts twin = {"a", "twin", "web", "eu", "", "", "", "", &none};
    co_instance *instance;
    assert_int_equal(co_registry_admit(f.co, &twin, &instance, NULL), FC_OK);
    twin.id = "b";
    assert_int_equal(co_registry_admit(f.co, &twin, &instance, NULL), FC_OK);
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        co_created created = {0};
        fc_fail fail = {0};
        assert_int_equal(fixture_create(&f, "", cases[i].json, &created, &fail), cases[i].err);
        if (strstr(fail.text, cases[i].named) == NULL)
            fail_msg("\"%s\" does not name %s", fail.text, cases[i].named);
    }
    assert_int_equal(f.co->captures.count, 0);
    fixture_close(&f);
}

static void
the_eleventh_capture_of_a_region_is_refused(void **state)
{
    (void)state;
    fixture f;
    fake_link links[4] = {0};
    fixture_open(&f, "max_running_per_region: 2\n", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "eu-1", "eu", &links[0]);
    (void)fixture_join(&f, "eu-2", "eu", &links[1]);
    (void)fixture_join(&f, "us-1", "us", &links[2]);
    co_created created = {0};
    fc_fail fail = {0};
    (void)fixture_capture(&f, "{name: a, target: {include: [eu-1]}, timeLimitInSeconds: 60}");
    co_capture *b = fixture_capture(&f, "{name: b, target: {include: [eu-2, us-1]}, timeLimitInSeconds: 60}");
    assert_int_equal(fixture_create(&f, "", "{name: c, target: {include: [eu-1]}}", &created, &fail),
                     FC_ERR_LIMIT);
    assert_non_null(strstr(fail.text, "region 'eu' runs 2"));
    (void)fixture_capture(&f, "{name: d, target: {include: [us-1]}, timeLimitInSeconds: 60}");
    (void)fixture_report(&f, co_part_of(b, links[1].instance), FC_STATE_STOPPED, 1);
    (void)fixture_capture(&f, "{name: e, target: {include: [eu-1]}, timeLimitInSeconds: 60}");
    assert_int_equal(f.co->counters.quota_region, 1);
    fixture_check_folds(&f);
    fixture_close(&f);
}

static void
captures_whose_window_is_long_over_do_not_count(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "max_running_per_region: 1\nmax_running_per_instance: 1\n", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *a = fixture_capture(&f, "{name: a, target: {include: [web-1]}, timeLimitInSeconds: 5}");
    (void)fixture_report(&f, &a->parts[0], FC_STATE_PROVISIONING, 1);
    (void)fixture_report(&f, &a->parts[0], FC_STATE_RUNNING, 2);
    fixture_leave(&f, &link);
    assert_int_equal(a->state, FC_STATE_UNKNOWN);
    co_created created = {0};
    assert_int_equal(fixture_create(&f, "", fixture_all_of("b"), &created, NULL), FC_ERR_LIMIT);
    fixture_run_ms(&f, 120000);
    assert_int_equal(fixture_create(&f, "", fixture_all_of("b"), &created, NULL), FC_OK);
    co_created_fini(&created);
    fixture_close(&f);
}

/* ---- start ---- */

static void
start_waits_for_the_armed_and_tells_each_its_own_clock(void **state)
{
    (void)state;
    fixture f;
    fake_link links[3] = {{.clock = {1000000000, 5000000, 10000000}}, {.clock = {-500, 1000, 2000}}, {0}};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    (void)fixture_join(&f, "web-3", "eu", &links[2]);
    fixture_leave(&f, &links[2]);
    for (int i = 0; i < 2; i++)
        fixture_ack(&f, &links[i]);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    fixture_run_ms(&f, 1);
    const told *t = fixture_told(&links[0], job);
    assert_int_equal(t->desired.action, CO_ACTION_RUN);
    assert_int_equal(t->desired.start_unix_ns, 0);
    assert_true(t->desired.with_spec);
    for (int i = 0; i < 2; i++)
        fixture_ack(&f, &links[i]);
    (void)fixture_report(&f, co_part_of(job, links[0].instance), FC_STATE_PROVISIONING, 1);
    assert_int_equal(job->start.ns, 0);
    (void)fixture_report(&f, co_part_of(job, links[1].instance), FC_STATE_PROVISIONING, 1);
    assert_int_equal(job->start.ns, co_wall(f.co).ns + CO_LEAD_MIN_MS * FC_NS_PER_MS);
    assert_int_equal(job->window_end.ns, job->start.ns + 60 * FC_NS_PER_S);
    assert_int_equal(fixture_told(&links[0], job)->desired.start_unix_ns, job->start.ns + 1000000000);
    assert_int_equal(fixture_told(&links[1], job)->desired.start_unix_ns, job->start.ns - 500);
    fixture_close(&f);
}

static void
start_does_not_wait_for_ever(void **state)
{
    (void)state;
    fixture f;
    fake_link links[2] = {{.clock = {0, 1, 400 * FC_NS_PER_MS}}, {0}};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    (void)fixture_report(&f, &job->parts[0], FC_STATE_PROVISIONING, 1);
    fixture_run_ms(&f, 1900);
    assert_int_equal(job->start.ns, 0);
    fixture_run_ms(&f, 200);
    assert_true(job->start.ns > 0);
    assert_int_equal(job->lead_ms, 400 + CO_LEAD_SLACK_MS);
    fixture_close(&f);
}

static void
start_leaves_time_for_the_fan_out_that_was_seen(void **state)
{
    (void)state;
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    fixture_ack(&f, &links[0]);
    fixture_ack(&f, &links[1]);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &links[0]);
    fixture_run_ms(&f, 399);
    fixture_ack(&f, &links[1]);
    fixture_run_ms(&f, 600); /* a slow helper is no slow network */
    (void)fixture_report(&f, &job->parts[0], FC_STATE_PROVISIONING, 1);
    (void)fixture_report(&f, &job->parts[1], FC_STATE_PROVISIONING, 1);
    assert_int_equal(job->lead_ms, 300);
    fixture_close(&f);
}

static void
an_instance_that_goes_or_fails_does_not_hold_up_the_start(void **state)
{
    (void)state;
    fixture f;
    fake_link links[3] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    (void)fixture_join(&f, "web-3", "eu", &links[2]);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    (void)fixture_report(&f, co_part_of(job, links[0].instance), FC_STATE_FAILED, 1);
    fixture_leave(&f, &links[1]);
    assert_int_equal(job->start.ns, 0);
    (void)fixture_report(&f, co_part_of(job, links[2].instance), FC_STATE_PROVISIONING, 1);
    assert_true(job->start.ns > 0);
    fixture_check_folds(&f);
    fixture_close(&f);
}

static void
the_window_closes_for_those_who_never_came(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    fixture_leave(&f, &link);
    co_capture *job = fixture_capture(&f, "{name: a, target: {scaleSet: web}, timeLimitInSeconds: 2}");
    assert_int_equal(job->state, FC_STATE_PENDING);
    fixture_run_ms(&f, 2500);
    assert_true(job->start.ns > 0);
    fixture_run_ms(&f, 8000);
    assert_int_equal(job->state, FC_STATE_STOPPED);
    assert_int_equal(job->parts[0].status.stop_reason, FC_STOP_WINDOW_CLOSED);
    link = (fake_link){0};
    (void)fixture_join(&f, "web-1", "eu", &link);
    assert_int_equal(link.told_count, 0);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_answers_the_same_twice),
        cmocka_unit_test(dry_run_writes_nothing),
        cmocka_unit_test(create_names_what_is_not_there),
        cmocka_unit_test(the_eleventh_capture_of_a_region_is_refused),
        cmocka_unit_test(captures_whose_window_is_long_over_do_not_count),
        cmocka_unit_test(start_waits_for_the_armed_and_tells_each_its_own_clock),
        cmocka_unit_test(start_does_not_wait_for_ever),
        cmocka_unit_test(start_leaves_time_for_the_fan_out_that_was_seen),
        cmocka_unit_test(an_instance_that_goes_or_fails_does_not_hold_up_the_start),
        cmocka_unit_test(the_window_closes_for_those_who_never_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
