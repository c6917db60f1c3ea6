/* Stories of one capture, told step by step. */
#include "tests/scenario/test_node_world.h"

static nd_instance_capture *
begin(world *w, uint32_t limit_s)
{
    char uid[FC_UID_LENGTH + 1];
    w->wants[0] = (want){.present = true, .action = ND_ACTION_RUN, .limit_s = limit_s};
    world_connect(w, true);
    world_push(w);
    world_advance(w, 50);
    nd_instance_capture *capture = nd_node_find(w->node, world_uid(w, 0, uid));
    assert_non_null(capture);
    assert_int_equal(capture->state, ND_STATE_ARMED);
    w->wants[0].start.ns = world_wall(w).ns + 200 * FC_NS_PER_MS;
    w->wants[0].end.ns = w->wants[0].start.ns + limit_s * FC_NS_PER_S;
    world_push(w);
    assert_int_equal(capture->state, ND_STATE_ARMED);
    world_advance(w, 250);
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_int_equal(capture->status.start.ns, w->wants[0].start.ns);
    return capture;
}

static void
a_capture_arms_starts_at_its_instant_and_ends_with_its_window(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_instance_capture *capture = begin(&w, 10);
    world_advance(&w, 10100);
    assert_int_equal(capture->state, ND_STATE_STOPPED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_TIME_LIMIT);
    assert_true(capture->status.counters.written_packets > 0);
    assert_string_equal(capture->status.directory, "/var/captures/2026/11/21/capture-0-00000000");
    world_fini(&w);
}

static void
a_start_that_is_past_starts_at_once(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    fc_wall now = world_wall(&w);
    w.wants[0] = (want){.present = true,
                        .action = ND_ACTION_RUN,
                        .limit_s = 60,
                        .start = {now.ns - 5 * FC_NS_PER_S},
                        .end = {now.ns + 55 * FC_NS_PER_S}};
    world_push(&w);
    world_advance(&w, 50);
    const nd_instance_capture *capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_true(capture->status.start.ns >= now.ns);
    world_fini(&w);
}

static void
a_killed_node_goes_on_with_the_next_segment_and_notes_the_gap(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    (void)begin(&w, 600);
    world_advance(&w, 12000);
    world_node_down(&w);
    world_advance(&w, 3000);
    world_node_up(&w);
    world_advance(&w, 2000);
    const nd_instance_capture *capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_non_null(capture);
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_int_equal(capture->status.gap_count, 1);
    assert_true(capture->status.gaps[0].to.ns - capture->status.gaps[0].from.ns >= 3 * FC_NS_PER_S);
    assert_int_equal(capture->status.start.ns, w.wants[0].start.ns);
    assert_int_equal(nd_fake_most_at_once(w.backend), 1);
    for (size_t i = 1; i < capture->status.segment_count; i++)
        assert_true(capture->status.segments[i].sequence > capture->status.segments[i - 1].sequence);
    uint64_t before = capture->status.counters.written_packets;
    world_advance(&w, 3000);
    assert_true(capture->status.counters.written_packets > before);
    world_fini(&w);
}

static void
a_node_that_comes_back_after_the_window_seals(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    (void)begin(&w, 30);
    world_advance(&w, 5000);
    world_node_down(&w);
    world_advance(&w, 60000);
    world_node_up(&w);
    world_advance(&w, 100);
    const nd_instance_capture *capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_STOPPED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_TIME_LIMIT);
    assert_true(capture->status.counters.written_packets > 0);
    world_fini(&w);
}

static void
a_restart_does_not_renew_a_lease(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    (void)begin(&w, 3600);
    world_advance(&w, 5000);
    world_node_down(&w);
    world_advance(&w, LEASE_MS - 10000);
    world_node_up(&w);
    world_advance(&w, 1000);
    const nd_instance_capture *capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    world_advance(&w, 10000);
    assert_int_equal(capture->state, ND_STATE_STOPPED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_LEASE_EXPIRED);
    world_fini(&w);
}

static void
a_killed_helper_leaves_its_packets_and_says_so(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_instance_capture *capture = begin(&w, 600);
    world_advance(&w, 3500);
    uint64_t packets = capture->status.counters.written_packets;
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_DIE));
    world_advance(&w, 100);
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_HELPER_DIED);
    assert_non_null(strstr(capture->status.error, "signal 9"));
    assert_int_equal(capture->status.counters.written_packets, packets);
    assert_int_equal(capture->status.segment_count, 1);
    assert_true(capture->status.segments[0].sealed && capture->status.segments[0].repaired);
    world_fini(&w);
}

static void
a_helper_that_hangs_is_killed(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_instance_capture *capture = begin(&w, 600);
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_HANG));
    w.wants[0].action = ND_ACTION_STOP;
    world_push(&w);
    world_advance(&w, 1000);
    assert_int_equal(capture->state, ND_STATE_STOPPING);
    world_advance(&w, ND_STOP_MS);
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_HELPER_DIED);
    world_fini(&w);
}

static bool
is_said_silent(const nd_instance_capture *capture)
{
    return capture->status.error != NULL &&
           strstr(capture->status.error, "has said nothing for 30 s") != NULL;
}

static void
a_helper_that_says_nothing_is_told_of_and_not_killed(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_instance_capture *capture = begin(&w, 600);
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_HANG));
    for (uint64_t times = 1; times <= 2; times++) {
        world_advance(&w, ND_SILENCE_MS - 1500); /* it spoke in the last second */
        assert_null(capture->status.error);
        world_advance(&w, 2000);
        assert_true(is_said_silent(capture));
        assert_int_equal(capture->silences, times);
        assert_true(nd_report_pending(w.node));
        world_advance(&w, 2 * ND_SILENCE_MS);
        assert_int_equal(capture->silences, times); /* once */
        assert_int_equal(capture->state, ND_STATE_RUNNING);
        assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_WAKE));
        world_advance(&w, 1500);
        assert_null(capture->status.error);
        assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_HANG));
    }
    world_advance(&w, ND_SILENCE_MS + 1500);
    assert_true(is_said_silent(capture));
    w.wants[0].action = ND_ACTION_STOP;
    world_push(&w);
    world_advance(&w, ND_STOP_MS + 1000);
    assert_int_equal(capture->state, ND_STATE_FAILED); /* the sentence is that of its end */
    assert_non_null(strstr(capture->status.error, "did not stop within 15 s, and was killed"));
    world_fini(&w);
}

static void
a_helper_without_packets_is_not_silent(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_fake_backend_options(w.backend)->progress_ms = 0;
    nd_instance_capture *capture = begin(&w, 600);
    world_advance(&w, 5 * ND_SILENCE_MS);
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_int_equal(capture->silences, 0);
    world_fini(&w);
}

static void
a_node_that_did_not_listen_takes_no_helper_for_silent(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    const nd_instance_capture *capture = begin(&w, 600);
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_HANG));
    w.clock.ns += 2 * ND_SILENCE_MS * FC_NS_PER_MS; /* its own disk has blocked it so long */
    world_settle(&w);
    assert_int_equal(capture->silences, 0);
    world_advance(&w, ND_SILENCE_MS + 1000);
    assert_int_equal(capture->silences, 1);
    world_fini(&w);
}

static void
a_silence_is_forgotten_by_a_restart(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    const nd_instance_capture *capture = begin(&w, 600);
    world_advance(&w, 1500);
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_HANG));
    world_advance(&w, ND_SILENCE_MS + ND_SAVE_PROGRESS_MS + 1000);
    assert_true(is_said_silent(capture));
    world_node_down(&w);
    world_advance(&w, 1000);
    world_node_up(&w);
    world_advance(&w, 1000);
    capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_null(capture->status.error);
    world_fini(&w);
}

static void
a_refusal_survives_a_restart(void **state)
{
    (void)state;
    char uid[FC_UID_LENGTH + 1];
    world w;
    world_init(&w, 1);
    w.policy.time_limit_max_ms = 10000;
    w.wants[0] = (want){.present = true, .action = ND_ACTION_RUN, .limit_s = 60};
    world_push(&w);
    const nd_instance_capture *capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_POLICY_REFUSED);
    world_node_down(&w);
    w.policy.time_limit_max_ms = 0;
    world_node_up(&w);
    world_push(&w);
    world_advance(&w, 1000);
    capture = nd_node_find(w.node, world_uid(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(nd_fake_started(w.backend), 0);
    world_fini(&w);
}

static void
a_large_ring_is_reported_in_frames_that_fit(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    nd_instance_capture *capture = begin(&w, 600);
    for (uint32_t i = 1; i <= 1000; i++) {
        fc_segment segment = {.sequence = i, .packets = i, .sealed = true, .hashed = true};
        (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/capture-0-00000000/%0120u.pcapng", i);
        nd_instance_capture_put_segment(capture, &segment);
    }
    nd_instance_capture_changed(capture, true);
    size_t rounds = 0, told = 0;
    for (Fcpb__ReportRequest *report; (report = nd_report_next(w.node)) != NULL; rounds++) {
        assert_true(fcpb__report_request__get_packed_size(report) < 65000);
        for (size_t i = 0; i < report->n_captures; i++)
            told += report->captures[i]->n_segments;
        for (size_t i = 0; i < report->n_captures; i++)
            world_take(&w, report->captures[i]);
        fcpb__report_request__free_unpacked(report, NULL);
        nd_report_acked(w.node);
        assert_true(rounds < 100);
    }
    assert_int_equal(told, 1000);
    /* One that changes is one that is told. */
    fc_segment removed = capture->status.segments[0];
    removed.removed = true;
    nd_instance_capture_put_segment(capture, &removed);
    nd_instance_capture_changed(capture, false);
    Fcpb__ReportRequest *report = nd_report_next(w.node);
    assert_int_equal(report->n_captures, 1);
    assert_int_equal(report->captures[0]->n_segments, 1);
    assert_true(report->captures[0]->segments[0]->removed);
    fcpb__report_request__free_unpacked(report, NULL);
    nd_report_acked(w.node);
    assert_int_equal(capture->status.segment_count, 999);
    /* A new connection hears everything again. */
    nd_report_all(w.node);
    assert_true(nd_report_pending(w.node));
    world_fini(&w);
}

const struct CMUnitTest test_node_stories[] = {
    cmocka_unit_test(a_capture_arms_starts_at_its_instant_and_ends_with_its_window),
    cmocka_unit_test(a_start_that_is_past_starts_at_once),
    cmocka_unit_test(a_killed_node_goes_on_with_the_next_segment_and_notes_the_gap),
    cmocka_unit_test(a_node_that_comes_back_after_the_window_seals),
    cmocka_unit_test(a_restart_does_not_renew_a_lease),
    cmocka_unit_test(a_killed_helper_leaves_its_packets_and_says_so),
    cmocka_unit_test(a_helper_that_hangs_is_killed),
    cmocka_unit_test(a_helper_that_says_nothing_is_told_of_and_not_killed),
    cmocka_unit_test(a_helper_without_packets_is_not_silent),
    cmocka_unit_test(a_node_that_did_not_listen_takes_no_helper_for_silent),
    cmocka_unit_test(a_silence_is_forgotten_by_a_restart),
    cmocka_unit_test(a_refusal_survives_a_restart),
    cmocka_unit_test(a_large_ring_is_reported_in_frames_that_fit),
};
const size_t test_node_story_count = FC_COUNT(test_node_stories);
