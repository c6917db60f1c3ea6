/* How captures end: stopped, deleted, and what becomes of those who are away. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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
    assert_string_equal(fixture_last_audit(&f, NULL), "operator/alice stop job ok");
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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
    job = fixture_capture(&f, fixture_all_of("again"));
    co_stop elsewhere = {.principal = "operator/alice", .request_id = "", .names = {(char *[]){"again"}, 1}};
    fc_strings_add(&elsewhere.target.regions, "mars");
    assert_int_equal(co_stop_captures(f.co, &elsewhere, &stopped, &fail), FC_ERR_NOT_FOUND);
    assert_string_equal(fail.text, "no instance of these captures matches (region 'mars', 1 capture)");
    assert_false(job->stop_requested);
    fc_strings_fini(&elsewhere.target.regions);
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &link);
    bool durable;
    fc_status status = {.state = FC_STATE_RUNNING, .revision = 1};
    fixture_put_segment(&status, 1, true, false);
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_settles_those_who_never_heard_and_tells_the_rest),
        cmocka_unit_test(stop_of_one_instance_leaves_the_others),
        cmocka_unit_test(stop_of_nothing_is_refused_but_its_repetition_is_not),
        cmocka_unit_test(delete_refuses_what_runs_and_stops_it_when_told),
        cmocka_unit_test(delete_names_who_is_away_and_tells_them_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
