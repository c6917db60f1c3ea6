/* The coordinator's decisions, one at a time. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "coordinator/record.h"
#include "coordinator/target.h"
#include "coordinator/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL "{name: %s, target: {scaleSet: web}, timeLimitInSeconds: 60}"

static const char *
all_of(const char *name)
{
    static char text[256];
    (void)snprintf(text, sizeof text, ALL, name);
    return text;
}

static size_t audit_count;
static char audit_last[512];

static void
note_audit(const co_audit_row *row, void *user)
{
    (void)user;
    if (audit_count++ == 0)
        (void)snprintf(audit_last, sizeof audit_last, "%s %s %s %s", row->principal, row->action, row->object,
                       row->outcome);
}

static const char *
last_audit(fixture *f)
{
    audit_count = 0;
    audit_last[0] = '\0';
    fixture_run_ms(f, 100);
    assert_int_equal(co_store_each_audit(f->store, 100, note_audit, NULL, NULL), FC_OK);
    return audit_last;
}

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
    assert_int_equal(fixture_create(&f, "r1", all_of("job"), &first, &fail), FC_OK);
    assert_int_equal(fixture_create(&f, "r1", all_of("job"), &second, &fail), FC_OK);
    assert_ptr_equal(first.capture, second.capture);
    assert_true(second.repeated);
    assert_int_equal(f.co->captures.count, 1);
    co_created_fini(&first);
    co_created_fini(&second);
    assert_int_equal(fixture_create(&f, "r1", all_of("other"), &second, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "r1"));
    assert_int_equal(fixture_create(&f, "r2", all_of("job"), &second, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "'job'"));
    assert_string_equal(last_audit(&f), "operator/alice create job ALREADY_EXISTS");
    assert_int_equal(audit_count, 3);
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
    fc_definition definition = fixture_definition(all_of("job"));
    co_create request = {"operator/alice", "r1", &definition, true};
    co_created created = {0};
    assert_int_equal(co_create_capture(f.co, &request, &created, NULL), FC_OK);
    assert_null(created.capture);
    assert_int_equal(created.instance_count, 1);
    assert_int_equal(f.co->captures.count, 0);
    assert_string_equal(last_audit(&f), "");
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
        {"{name: x, target: {regions: [mars]}}", "no instance matches", FC_ERR_NOT_FOUND},
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
    assert_int_equal(fixture_create(&f, "", all_of("b"), &created, NULL), FC_ERR_LIMIT);
    fixture_run_ms(&f, 120000);
    assert_int_equal(fixture_create(&f, "", all_of("b"), &created, NULL), FC_OK);
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
    co_capture *job = fixture_capture(&f, all_of("job"));
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
    co_capture *job = fixture_capture(&f, all_of("job"));
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
    co_capture *job = fixture_capture(&f, all_of("job"));
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
    co_capture *job = fixture_capture(&f, all_of("job"));
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

/* ---- reports ---- */

static void
states_and_totals_fold(void **state)
{
    (void)state;
    fixture f;
    fake_link links[3] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    (void)fixture_join(&f, "web-3", "us", &links[2]);
    co_capture *job = fixture_capture(&f, all_of("job"));
    assert_int_equal(job->state, FC_STATE_PENDING);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_PROVISIONING, 1);
    assert_int_equal(job->state, FC_STATE_PROVISIONING);
    for (size_t i = 0; i < 3; i++) {
        fc_status status = {
            .state = FC_STATE_RUNNING, .revision = 5, .counters = {.written_packets = 10 * (i + 1)}};
        bool durable;
        co_part_report(f.co, &job->parts[i], &status, &durable);
        assert_false(durable);
    }
    assert_int_equal(job->state, FC_STATE_RUNNING);
    assert_int_equal(job->totals.written_packets, 60);
    fc_status less = {.state = FC_STATE_RUNNING, .revision = 4, .counters = {.written_packets = 1}};
    bool durable;
    co_part_report(f.co, &job->parts[2], &less, &durable);
    assert_int_equal(job->totals.written_packets, 60);
    assert_int_equal(f.co->counters.reports_stale, 1);
    assert_true(fixture_report(&f, &job->parts[0], FC_STATE_STOPPED, 6));
    (void)fixture_report(&f, &job->parts[1], FC_STATE_FAILED, 6);
    assert_int_equal(job->state, FC_STATE_RUNNING);
    (void)fixture_report(&f, &job->parts[2], FC_STATE_STOPPED, 6);
    assert_int_equal(job->state, FC_STATE_FAILED);
    assert_int_equal(job->unfinished, 0);
    (void)fixture_report(&f, &job->parts[2], FC_STATE_RUNNING, 7);
    assert_int_equal(job->parts[2].status.state, FC_STATE_STOPPED);
    assert_int_equal(f.co->counters.reports_final, 1);
    fixture_check_folds(&f);
    fixture_close(&f);
}

static void
put_segment(fc_status *status, uint32_t sequence, bool sealed, bool removed)
{
    fc_segment segment = {.sequence = sequence, .size_bytes = 100, .sealed = sealed, .removed = removed};
    (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/job-1/web-1_%u.pcapng", sequence);
    fc_status_put_segment(status, &segment);
}

static void
sealed_segments_are_stored_before_the_answer_and_outlive_us(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, all_of("job"));
    bool durable;
    fc_status status = {
        .state = FC_STATE_RUNNING, .revision = 1, .directory = fc_strdup("/var/captures/job")};
    put_segment(&status, 1, false, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    assert_false(durable);
    status = (fc_status){.state = FC_STATE_RUNNING, .revision = 2};
    put_segment(&status, 1, true, false);
    put_segment(&status, 2, false, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    assert_true(durable);
    fixture_run_ms(&f, CO_FLUSH_LAZY_MS);
    status = (fc_status){.state = FC_STATE_RUNNING, .revision = 3};
    put_segment(&status, 1, true, true);
    put_segment(&status, 2, true, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    fixture_run_ms(&f, CO_FLUSH_LAZY_MS);
    fixture_kill(&f, &fake_link_ops);
    job = co_capture_find(&f.co->captures, "job");
    const fc_status *known = &job->parts[0].status;
    assert_int_equal(known->segment_count, 1);
    assert_int_equal(known->segments[0].sequence, 2);
    assert_true(known->segments[0].sealed);
    assert_string_equal(known->directory, "/var/captures/job");
    assert_int_equal(known->state, FC_STATE_RUNNING);
    assert_int_equal(job->state, FC_STATE_UNKNOWN);
    fixture_check_folds(&f);
    fixture_close(&f);
}

static void
an_instance_cannot_list_files_without_end(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, all_of("job"));
    for (uint32_t sequence = 1; sequence <= 1000; sequence++) {
        bool durable;
        fc_status status = {.state = FC_STATE_RUNNING, .revision = sequence};
        put_segment(&status, sequence, true, false);
        co_part_report(f.co, &job->parts[0], &status, &durable);
    }
    assert_int_equal(job->parts[0].status.segment_count, CO_SEGMENTS_EXTRA_MAX);
    assert_int_equal(f.co->counters.segments_refused, 1000 - CO_SEGMENTS_EXTRA_MAX);
    fixture_close(&f);
}

static void
an_instance_that_is_silent_is_unknown_until_it_speaks(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "silent_after: 45s\n", ":memory:", &fake_link_ops);
    co_instance *web = fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, all_of("job"));
    (void)fixture_report(&f, &job->parts[0], FC_STATE_RUNNING, 1);
    fixture_run_ms(&f, 44000);
    assert_int_equal(job->state, FC_STATE_RUNNING);
    fixture_run_ms(&f, 3000);
    assert_int_equal(job->state, FC_STATE_UNKNOWN);
    assert_false(co_instance_reachable(web));
    co_registry_heard(f.co, web);
    assert_int_equal(job->state, FC_STATE_RUNNING);
    fixture_check_folds(&f);
    fixture_close(&f);
}

static void
the_newest_connection_wins(void **state)
{
    (void)state;
    fixture f;
    fake_link old = {0}, new = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &old);
    co_instance *web = fixture_join(&f, "web-1", "eu", &new);
    assert_true(old.closed);
    assert_false(new.closed);
    fixture_leave(&f, &old);
    assert_ptr_equal(web->link, &new);
    assert_int_equal(f.co->registry.online, 1);
    assert_int_equal(f.co->counters.connections_replaced, 1);
    fixture_close(&f);
}

static void
generations_go_on_above_what_a_node_has_seen(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    co_instance *web = fixture_join(&f, "web-1", "eu", &link);
    uint64_t before = link.generation;
    co_reconcile_hello(f.co, web, UINT64_C(1) << 50); /* the store was put back from a copy */
    co_reconcile_joined(f.co, web);
    fixture_ack(&f, &link);
    assert_true(before < link.generation);
    assert_int_equal(link.generation, (UINT64_C(1) << 50) + 1);
    fixture_close(&f);
}

/* ---- stop ---- */

static co_stopped
stop(fixture *f, co_stop request)
{
    co_stopped stopped = {0};
    fc_fail fail = {0};
    request.principal = "operator/alice";
    if (request.request_id == NULL)
        request.request_id = "";
    if (co_stop_captures(f->co, &request, &stopped, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    return stopped;
}

static void
stop_settles_those_who_never_heard_and_tells_the_rest(void **state)
{
    (void)state;
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    fixture_leave(&f, &links[1]);
    fixture_ack(&f, &links[0]);
    co_capture *job = fixture_capture(&f, all_of("job"));
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &links[0]);
    co_stopped stopped = stop(&f, (co_stop){.all = true});
    assert_int_equal(stopped.part_count, 2);
    co_stopped_fini(f.co, &stopped);
    fixture_run_ms(&f, 1);
    assert_int_equal(fixture_told(&links[0], job)->desired.action, CO_ACTION_STOP);
    assert_int_equal(fixture_told(&links[0], job)->desired.stop_reason, FC_STOP_STOP_REQUESTED);
    assert_int_equal(co_part_of(job, links[1].instance)->status.state, FC_STATE_STOPPED);
    assert_true(job->stop_requested);
    assert_string_equal(last_audit(&f), "operator/alice stop job ok");
    fixture_close(&f);
}

static void
stop_of_one_instance_leaves_the_others(void **state)
{
    (void)state;
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "us", &links[1]);
    co_capture *job = fixture_capture(&f, all_of("job"));
    fc_target target = {0};
    fc_strings_add(&target.regions, "us");
    co_stopped stopped = stop(&f, (co_stop){.target = target});
    assert_int_equal(stopped.part_count, 1);
    assert_ptr_equal(stopped.parts[0]->instance, links[1].instance);
    assert_false(job->stop_requested);
    assert_int_equal(co_part_of(job, links[0].instance)->action, CO_ACTION_RUN);
    co_stopped_fini(f.co, &stopped);
    fc_strings_fini(&target.regions);
    fixture_close(&f);
}

static void
stop_of_nothing_is_refused_but_its_repetition_is_not(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_stopped stopped = {0};
    fc_fail fail = {0};
    co_stop all = {.principal = "operator/alice", .request_id = "s1", .all = true};
    assert_int_equal(co_stop_captures(f.co, &all, &stopped, &fail), FC_ERR_NOT_FOUND);
    co_stop none = {.principal = "operator/alice", .request_id = ""};
    assert_int_equal(co_stop_captures(f.co, &none, &stopped, &fail), FC_ERR_INVALID);
    co_capture *job = fixture_capture(&f, all_of("job"));
    stopped = stop(&f, all);
    co_stopped_fini(f.co, &stopped);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_STOPPED, 1);
    stopped = stop(&f, all);
    assert_int_equal(stopped.part_count, 0);
    co_stopped_fini(f.co, &stopped);
    char *unknown[] = {"job", "nothing"};
    co_stop named = {.principal = "operator/alice", .request_id = "", .names = {unknown, 2}};
    assert_int_equal(co_stop_captures(f.co, &named, &stopped, &fail), FC_ERR_NOT_FOUND);
    assert_non_null(strstr(fail.text, "'nothing'"));
    fixture_close(&f);
}

/* ---- delete ---- */

typedef struct outcome {
    co_delete operation;
    bool done;
    fc_err err;
    uint32_t instances, kept, deleted, unreachable;
} outcome;

static void
note_deleted(co_delete *operation, fc_err err, const fc_fail *fail, const co_deleted *result)
{
    (void)fail;
    outcome *o = FC_CONTAINER(operation, outcome, operation);
    o->done = true;
    o->err = err;
    if (err != FC_OK)
        return;
    o->instances = result->instance_count;
    o->kept = result->files_kept;
    o->deleted = result->files_deleted;
    o->unreachable = (uint32_t)result->unreachable.count;
}

static fc_err
delete_capture(fixture *f, outcome *o, bool files, bool stop_first, fc_fail *fail)
{
    *o = (outcome){.operation = {.principal = "operator/alice",
                                 .request_id = "d1",
                                 .name = "job",
                                 .delete_files = files,
                                 .stop_first = stop_first,
                                 .done = note_deleted}};
    return co_delete_start(f->co, &o->operation, fail);
}

static void
delete_refuses_what_runs_and_stops_it_when_told(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    fixture_ack(&f, &link);
    co_capture *job = fixture_capture(&f, all_of("job"));
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &link);
    bool durable;
    fc_status status = {.state = FC_STATE_RUNNING, .revision = 1};
    put_segment(&status, 1, true, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    outcome o;
    fc_fail fail = {0};
    assert_int_equal(delete_capture(&f, &o, true, false, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "stop it first"));
    assert_int_equal(delete_capture(&f, &o, true, true, &fail), FC_OK);
    fixture_run_ms(&f, 1);
    assert_int_equal(fixture_told(&link, job)->desired.action, CO_ACTION_STOP);
    fixture_ack(&f, &link);
    assert_false(o.done);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_STOPPED, 2);
    fixture_run_ms(&f, 1);
    assert_int_equal(fixture_told(&link, job)->desired.action, CO_ACTION_PURGE);
    assert_null(co_capture_find(&f.co->captures, "job"));
    fixture_ack(&f, &link);
    fixture_run_ms(&f, 1);
    assert_true(o.done);
    assert_int_equal(o.err, FC_OK);
    assert_int_equal(o.deleted, 1);
    assert_int_equal(o.unreachable, 0);
    /* The row goes once the node had the time to delete. */
    assert_int_equal(f.co->captures.count, 1);
    fixture_run_ms(&f, 16000);
    co_reconcile_applied(f.co, link.instance, link.generation);
    assert_int_equal(f.co->captures.count, 0);
    assert_int_equal(delete_capture(&f, &o, true, false, &fail), FC_OK);
    fixture_run_ms(&f, 1);
    assert_true(o.done);
    fixture_close(&f);
}

static void
delete_names_who_is_away_and_tells_them_later(void **state)
{
    (void)state;
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    co_capture *job = fixture_capture(&f, all_of("job"));
    char uid[FC_UID_LENGTH + 1];
    memcpy(uid, job->uid, sizeof uid);
    fixture_run_ms(&f, 1);
    for (size_t i = 0; i < 2; i++) {
        fixture_ack(&f, &links[i]);
        (void)fixture_report(&f, &job->parts[i], FC_STATE_STOPPED, 1);
        fixture_ack(&f, &links[i]);
    }
    fixture_leave(&f, &links[1]);
    outcome o;
    assert_int_equal(delete_capture(&f, &o, false, false, NULL), FC_OK);
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &links[0]);
    fixture_run_ms(&f, 1);
    assert_true(o.done);
    assert_int_equal(o.unreachable, 1);
    fixture_run_ms(&f, 2000);
    fixture_kill(&f, &fake_link_ops);
    assert_int_equal(f.co->captures.count, 1);
    assert_null(co_capture_find(&f.co->captures, "job"));
    links[1] = (fake_link){0};
    fc_labels none = {0};
    co_facts facts = {"web-2", "web-2", "web", "eu", "", "", "", "", &none};
    assert_int_equal(co_registry_admit(f.co, &facts, &links[1].instance, NULL), FC_OK);
    co_registry_join(f.co, links[1].instance, &links[1]);
    co_reconcile_hello(f.co, links[1].instance, 3);
    co_reconcile_digest(f.co, links[1].instance, uid);
    co_reconcile_joined(f.co, links[1].instance);
    fixture_run_ms(&f, 1);
    assert_int_equal(links[1].told_count, 1);
    assert_int_equal(links[1].told[0].desired.action, CO_ACTION_FORGET);
    fixture_ack(&f, &links[1]);
    assert_int_equal(f.co->captures.count, 0);
    fixture_close(&f);
}

/* ---- watching ---- */

typedef struct watcher {
    co_watch watch;
    unsigned deliveries;
    size_t parts;
} watcher;

static void
note_delivery(co_watch *watch)
{
    watcher *w = FC_CONTAINER(watch, watcher, watch);
    w->deliveries++;
    for (const co_part *part = co_watch_first(watch); part != NULL; part = part->newer)
        w->parts++;
    watch->seen = watch->capture->change;
}

static void
watchers_see_all_first_then_changes_together_and_the_end_at_once(void **state)
{
    (void)state;
    fixture f;
    fake_link links[20] = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i);
        (void)fixture_join(&f, id, "eu", &links[i]);
    }
    co_capture *job = fixture_capture(&f, all_of("job"));
    watcher w = {.watch.deliver = note_delivery};
    assert_int_equal(co_watch_start(f.co, &w.watch, job, 0, NULL), FC_OK);
    fixture_run_ms(&f, 1);
    assert_int_equal(w.deliveries, 1);
    assert_int_equal(w.parts, 20);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_RUNNING, 1);
    fixture_run_ms(&f, 1);
    unsigned before = w.deliveries;
    w.parts = 0;
    for (int round = 0; round < 10; round++)
        for (size_t i = 1; i < 10; i++) {
            (void)fixture_report(&f, &job->parts[i], FC_STATE_RUNNING, (uint64_t)round + 2);
            fixture_run_ms(&f, 1);
        }
    fixture_run_ms(&f, 200);
    assert_int_equal(w.deliveries, before + 1);
    assert_int_equal(w.parts, 9);
    for (size_t i = 0; i < 20; i++)
        (void)fixture_report(&f, &job->parts[i], FC_STATE_STOPPED, 100);
    fixture_run_ms(&f, 0);
    assert_int_equal(w.watch.seen, job->change);
    co_watch_stop(&w.watch);
    fixture_close(&f);
}

/* ---- admission, store ---- */

static void
admit_retires_the_longest_away_when_full(void **state)
{
    (void)state;
    fixture f;
    fake_link links[3] = {0};
    fixture_open(&f, "max_instances: 2\n", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    fc_labels none = {0};
    co_facts facts = {"web-3", "web-3", "web", "eu", "", "", "", "", &none};
    co_instance *instance = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_registry_admit(f.co, &facts, &instance, &fail), FC_ERR_LIMIT);
    assert_int_equal(f.co->counters.hellos_full, 1);
    fixture_leave(&f, &links[0]);
    fixture_run_ms(&f, 2000);
    assert_int_equal(co_registry_admit(f.co, &facts, &instance, &fail), FC_OK);
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(f.co->counters.instances_retired, 1);
    fixture_close(&f);
}

static void
facts_that_are_no_names_are_refused(void **state)
{
    (void)state;
    fc_labels none = {0};
    const co_facts good = {"web-1", "web-1", "web", "eu", "eu-1a", "1.0", "", "", &none};
    assert_int_equal(co_facts_check(&good, NULL), FC_OK);
    co_facts bad[] = {good, good, good, good, good};
    bad[0].id = "";
    bad[1].name = "../etc";
    bad[2].scale_set = "a b";
    bad[3].region = "\xc3\xa4";
    bad[4].version = "a version that is a good deal longer than thirty-one";
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(co_facts_check(&bad[i], NULL), FC_ERR_INVALID);
}

static void
everything_comes_back_from_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-store-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", path, &fake_link_ops);
    co_instance *web = fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "us", &links[1]);
    fc_labels_set(&web->labels, "role", "web");
    co_persist_instance(f.co, web);
    co_capture *job = fixture_capture(&f, all_of("job"));
    int64_t created = job->created.ns;
    uint64_t generation = web->generation;
    (void)fixture_report(&f, &job->parts[0], FC_STATE_PROVISIONING, 1);
    (void)fixture_report(&f, &job->parts[1], FC_STATE_PROVISIONING, 1);
    int64_t start = job->start.ns;
    assert_true(start > 0);
    (void)fixture_report(&f, &job->parts[1], FC_STATE_STOPPED, 9);
    fixture_run_ms(&f, 2000);
    fixture_close(&f);
    fixture_open(&f, "", path, &fake_link_ops);
    assert_int_equal(f.co->registry.count, 2);
    web = co_registry_find(&f.co->registry, "web-1");
    assert_string_equal(fc_labels_find(&web->labels, "role"), "web");
    assert_true(web->generation > generation);
    job = co_capture_find(&f.co->captures, "job");
    assert_int_equal(job->start.ns, start);
    assert_int_equal(job->created.ns, created);
    assert_string_equal(job->created_by, "operator/alice");
    assert_int_equal(job->region_count, 2);
    assert_int_equal(job->unfinished, 1);
    assert_int_equal(job->counts[FC_STATE_STOPPED], 1);
    fixture_check_folds(&f);
    fixture_close(&f);
    unlink(path);
    char *side = fc_sprintf("%s-wal", path);
    unlink(side);
    free(side);
    side = fc_sprintf("%s-shm", path);
    unlink(side);
    free(side);
}

static void
refusals_are_recorded_but_do_not_flood_the_audit_log(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    (void)fixture_capture(&f, all_of("job"));
    for (int i = 0; i < 2000; i++)
        co_persist_refusal(f.co, "node/x", "hello", "-", FC_ERR_DENIED, "not you");
    assert_int_equal(f.co->counters.audit_dropped, 2000 - CO_REFUSALS_PER_MINUTE);
    assert_string_equal(last_audit(&f), "node/x hello - PERMISSION_DENIED");
    fixture_run_ms(&f, 60000);
    co_persist_refusal(f.co, "node/y", "hello", "-", FC_ERR_DENIED, "nor you");
    assert_string_equal(last_audit(&f), "node/y hello - PERMISSION_DENIED");
    fixture_close(&f);
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-store-XXXXXX";
    int fd = mkstemp(path);
    char noise[4096];
    memset(noise, 'x', sizeof noise);
    assert_int_equal(write(fd, noise, sizeof noise), (ssize_t)sizeof noise);
    close(fd);
    co_store *store = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_store_open(path, &store, &fail), FC_ERR_CORRUPT);
    assert_int_equal(co_store_open("/nowhere/at/all.db", &store, &fail), FC_ERR_IO);
    assert_non_null(strstr(fail.text, "/nowhere/at/all.db"));
    unlink(path);
}

static void
a_full_store_loses_nothing_that_waits(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, all_of("job"));
    fixture_run_ms(&f, 2000);
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_STOPPED, 5);
    co_created created = {0};
    assert_int_not_equal(fixture_create(&f, "", all_of("other"), &created, NULL), FC_OK);
    assert_int_equal(f.co->captures.count, 1);
    fixture_run_ms(&f, 100);
    assert_true(f.co->counters.store_failures > 0);
    co_store_rollback(f.store);
    fixture_run_ms(&f, 2000);
    fixture_kill(&f, &fake_link_ops);
    assert_int_equal(co_capture_find(&f.co->captures, "job")->state, FC_STATE_STOPPED);
    fixture_close(&f);
}

static void
configuration_is_checked_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{}", "ca"},
        {"{ca: a, certificate: b, key: c, lease: 1s, heartbeat: 2s}", "heartbeat"},
        {"{ca: a, certificate: b, key: c, log_level: loud}", "log_level"},
        {"{ca: a, certificate: b, key: c, max_running_per_instance: 9}", "max_running_per_instance"},
        {"{ca: a, certificate: b, key: c, listne: d}", "listne"},
        {"{ca: a, certificate: b, key: c, listen: everywhere}", "listen"},
        {"{ca: a, certificate: b, key: c, listen: \"0.0.0.0:70000\"}", "listen"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        json_t *tree = NULL;
        co_config config = {0};
        fc_fail fail = {0};
        assert_int_equal(fc_yaml_parse(cases[i].text, strlen(cases[i].text), &tree, NULL), FC_OK);
        assert_int_not_equal(co_config_from_tree(tree, &config, &fail), FC_OK);
        assert_string_equal(fail.field, cases[i].field);
        co_config_fini(&config);
        json_decref(tree);
    }
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
        cmocka_unit_test(states_and_totals_fold),
        cmocka_unit_test(sealed_segments_are_stored_before_the_answer_and_outlive_us),
        cmocka_unit_test(an_instance_cannot_list_files_without_end),
        cmocka_unit_test(an_instance_that_is_silent_is_unknown_until_it_speaks),
        cmocka_unit_test(the_newest_connection_wins),
        cmocka_unit_test(generations_go_on_above_what_a_node_has_seen),
        cmocka_unit_test(stop_settles_those_who_never_heard_and_tells_the_rest),
        cmocka_unit_test(stop_of_one_instance_leaves_the_others),
        cmocka_unit_test(stop_of_nothing_is_refused_but_its_repetition_is_not),
        cmocka_unit_test(delete_refuses_what_runs_and_stops_it_when_told),
        cmocka_unit_test(delete_names_who_is_away_and_tells_them_later),
        cmocka_unit_test(watchers_see_all_first_then_changes_together_and_the_end_at_once),
        cmocka_unit_test(admit_retires_the_longest_away_when_full),
        cmocka_unit_test(facts_that_are_no_names_are_refused),
        cmocka_unit_test(everything_comes_back_from_the_file),
        cmocka_unit_test(refusals_are_recorded_but_do_not_flood_the_audit_log),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
        cmocka_unit_test(a_full_store_loses_nothing_that_waits),
        cmocka_unit_test(configuration_is_checked_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
