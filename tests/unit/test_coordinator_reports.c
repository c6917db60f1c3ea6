/* What instances report: how states fold, segments, silence, connections; and who watches. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "coordinator/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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
sealed_segments_are_stored_before_the_answer_and_outlive_us(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    bool durable;
    fc_status status = {
        .state = FC_STATE_RUNNING, .revision = 1, .directory = fc_strdup("/var/captures/job")};
    fixture_put_segment(&status, 1, false, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    assert_false(durable);
    status = (fc_status){.state = FC_STATE_RUNNING, .revision = 2};
    fixture_put_segment(&status, 1, true, false);
    fixture_put_segment(&status, 2, false, false);
    co_part_report(f.co, &job->parts[0], &status, &durable);
    assert_true(durable);
    fixture_run_ms(&f, CO_FLUSH_LAZY_MS);
    status = (fc_status){.state = FC_STATE_RUNNING, .revision = 3};
    fixture_put_segment(&status, 1, true, true);
    fixture_put_segment(&status, 2, true, false);
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    for (uint32_t sequence = 1; sequence <= 1000; sequence++) {
        bool durable;
        fc_status status = {.state = FC_STATE_RUNNING, .revision = sequence};
        fixture_put_segment(&status, sequence, true, false);
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_totals_fold),
        cmocka_unit_test(sealed_segments_are_stored_before_the_answer_and_outlive_us),
        cmocka_unit_test(an_instance_cannot_list_files_without_end),
        cmocka_unit_test(an_instance_that_is_silent_is_unknown_until_it_speaks),
        cmocka_unit_test(the_newest_connection_wins),
        cmocka_unit_test(generations_go_on_above_what_a_node_has_seen),
        cmocka_unit_test(watchers_see_all_first_then_changes_together_and_the_end_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
