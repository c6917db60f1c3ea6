/* A node's evidence: profiles and contexts, from the helper to what a coordinator is told, over restarts. */
#include "common/profile/profile.h"
#include "tests/scenario/test_node_world.h"

static unsigned contexts_read;

static fc_err
played_context(fc_context *ret_context, fc_fail *fail)
{
    (void)fail;
    fc_context_addf(ret_context, FC_SECTION_RESOLVER, "nameserver", "10.0.0.%u", ++contexts_read);
    fc_context_sort(ret_context);
    return FC_OK;
}

static void
begin_world(world *w)
{
    world_init(w, 1);
    nd_fake_backend_options(w->backend)->profiles = true;
    world_node_down(w);
    w->context = played_context;
    world_node_up(w);
    contexts_read = 0;
    w->wants[0] = (want){.present = true, .action = ND_ACTION_RUN, .limit_s = 600};
    w->wants[0].start = world_wall(w);
    w->wants[0].end.ns = w->wants[0].start.ns + 600 * FC_NS_PER_S;
    world_connect(w, true);
    world_push(w);
    world_advance(w, 100);
}

static nd_instance_capture *
the_capture(const world *w)
{
    char uid[FC_UID_LENGTH + 1];
    nd_instance_capture *capture = nd_node_find(w->node, world_uid(w, 0, uid));
    assert_non_null(capture);
    return capture;
}

/* What a coordinator takes, one item. */
typedef struct told {
    Fcpb__ReportEvidenceRequest__EvidenceCase kind; /* 0 = nothing */
    uint64_t revision, packets_in;
} told;

static told
tell(world *w, bool acked)
{
    told t = {0};
    char uid[FC_UID_LENGTH + 1];
    Fcpb__ReportEvidenceRequest *request = nd_report_evidence_next(w->node, fc_loop_now(w->loop));
    if (request == NULL)
        return t;
    assert_string_equal(request->capture_uid, world_uid(w, 0, uid));
    assert_in_range(fcpb__report_evidence_request__get_packed_size(request), 1, 65000);
    t.kind = request->evidence_case;
    t.revision = request->revision;
    if (t.kind == FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE) {
        fc_profile *profile = NULL;
        assert_int_equal(fc_profile_unpack(request->profile.data, request->profile.len, &profile, NULL),
                         FC_OK);
        t.packets_in = profile->counters[FC_COUNTER_PACKETS_IN];
        fc_profile_free(profile);
    }
    fcpb__report_evidence_request__free_unpacked(request, NULL);
    if (acked)
        nd_report_evidence_acked(w->node);
    else
        nd_report_evidence_lost(w->node);
    return t;
}

static void
expect_context(world *w, Fcpb__ReportEvidenceRequest__EvidenceCase kind)
{
    assert_int_equal(tell(w, true).kind, kind);
}

static void
a_profile_is_told_every_three_seconds_and_only_when_it_changed(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    expect_context(&w, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_START);
    assert_int_equal(tell(&w, true).kind, 0);
    unsigned count = 0;
    uint64_t revision = 0;
    for (int i = 0; i < 30; i++) { /* half a minute; the played helper speaks every second */
        world_advance(&w, 1000);
        told t = tell(&w, true);
        if (t.kind == 0)
            continue;
        assert_int_equal(t.kind, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE);
        assert_true(t.revision > revision);
        revision = t.revision;
        count++;
    }
    assert_in_range(count, 9, 10);
    nd_fake_backend_options(w.backend)->packets_per_progress = 0;
    world_advance(&w, 4000);
    (void)tell(&w, true);
    world_advance(&w, 10000);
    assert_int_equal(tell(&w, true).kind, 0);
    world_fini(&w);
}

static void
the_end_brings_the_last_profile_and_the_second_context_at_once(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    expect_context(&w, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_START);
    world_advance(&w, 5000);
    assert_int_equal(tell(&w, true).packets_in, 50);
    world_advance(&w, 1000);
    w.wants[0].action = ND_ACTION_STOP;
    world_push(&w);
    world_advance(&w, 100);
    assert_int_equal(the_capture(&w)->state, ND_STATE_STOPPED);
    told first = tell(&w, true), second = tell(&w, true);
    assert_int_equal(first.kind + second.kind, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE +
                                                   FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_STOP);
    assert_int_equal(first.packets_in + second.packets_in, the_capture(&w)->status.counters.written_packets);
    assert_int_equal(tell(&w, true).kind, 0);
    assert_int_equal(contexts_read, 2);
    world_fini(&w);
}

static void
what_was_not_acknowledged_is_told_again_and_what_is_stored_is_not(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 5000);
    w.wants[0].action = ND_ACTION_STOP;
    world_push(&w);
    world_advance(&w, 100);
    unsigned items = 0;
    for (told t; (t = tell(&w, false)).kind != 0 && items < 9;) /* every one is lost */
        items++;
    assert_int_equal(items, 9);
    world_connect(&w, false);
    world_connect(&w, true);
    for (items = 0; tell(&w, true).kind != 0; items++)
        continue;
    assert_int_equal(items, 3);
    world_connect(&w, false);
    world_connect(&w, true);
    assert_int_equal(tell(&w, true).kind, 0);
    world_fini(&w);
}

static void
a_capture_that_runs_tells_all_of_it_on_each_connection(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 2500);
    assert_int_not_equal(tell(&w, true).kind, 0);
    assert_int_not_equal(tell(&w, true).kind, 0);
    assert_int_equal(tell(&w, true).kind, 0);
    world_connect(&w, false);
    world_connect(&w, true);
    world_advance(&w, 3500);
    assert_int_not_equal(tell(&w, true).kind, 0);
    assert_int_not_equal(tell(&w, true).kind, 0);
    assert_int_equal(tell(&w, true).kind, 0);
    world_fini(&w);
}

static void
over_a_restart_the_profiles_of_all_helpers_add_up(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 12500);
    uint64_t revision = 0;
    for (told t; (t = tell(&w, true)).kind != 0;)
        if (t.kind == FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE)
            revision = t.revision;
    world_node_down(&w); /* the profile of 10 s is on the disk */
    world_advance(&w, 1000);
    world_node_up(&w);
    world_connect(&w, true);
    world_push(&w);
    world_advance(&w, 5500);
    assert_int_equal(the_capture(&w)->state, ND_STATE_RUNNING);
    assert_int_equal(contexts_read, 1); /* the first one stays */
    told t = tell(&w, true);
    assert_int_equal(t.kind, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE);
    expect_context(&w, FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_START);
    assert_in_range(t.packets_in, 100 + 40, 130 + 60);
    assert_true(t.revision > revision);
    world_fini(&w);
}

static void
leave_last(world *w, const char *directory, uint64_t packets)
{
    fc_buf packed = {0};
    fc_profile *profile = fc_profile_new();
    profile->counters[FC_COUNTER_PACKETS_IN] = packets;
    (void)snprintf(profile->subject.instance_name, sizeof profile->subject.instance_name, "web-1");
    fc_profile_pack(profile, &packed);
    assert_int_equal(w->storage->ops->save_evidence(w->storage, directory, ND_EVIDENCE_LAST, &packed, NULL),
                     FC_OK);
    fc_profile_free(profile);
    fc_buf_fini(&packed);
}

static uint64_t
counter_of(const nd_instance_capture *capture, fc_counter counter)
{
    const fc_buf *packed = &capture->evidence.items[ND_EVIDENCE_PROFILE].packed;
    fc_profile *profile = NULL;
    assert_int_equal(fc_profile_unpack(fc_buf_bytes(packed), fc_buf_size(packed), &profile, NULL), FC_OK);
    uint64_t value = profile->counters[counter];
    fc_profile_free(profile);
    return value;
}

static void
what_a_helper_left_behind_takes_the_place_of_its_last_word(void **state)
{
    (void)state;
    world w;
    char directory[ND_DIRECTORY_SIZE];
    begin_world(&w);
    world_advance(&w, 11500);
    memcpy(directory, the_capture(&w)->directory, sizeof directory);
    for (uint64_t life = 1; life <= 2; life++) {
        world_node_down(&w);
        leave_last(&w, directory, 1000 * life); /* more than its node ever heard of */
        world_advance(&w, 1000);
        world_node_up(&w);
        world_connect(&w, true);
        world_push(&w);
        world_advance(&w, 3500);
        assert_int_equal(the_capture(&w)->state, ND_STATE_RUNNING);
        uint64_t left = life == 1 ? 1000 : 1000 + 2000;
        assert_in_range(counter_of(the_capture(&w), FC_COUNTER_PACKETS_IN), left + 20, left + 40);
    }
    fc_buf last = {0};
    assert_int_equal(w.storage->ops->load_evidence(w.storage, directory, ND_EVIDENCE_LAST, &last, NULL),
                     FC_ERR_NOT_FOUND); /* it counts once */
    world_fini(&w);
}

/* A disk that takes so many writes, and then none. */
static struct {
    const nd_storage_ops *ops; /* of the disk in memory */
    unsigned writes_left;
} dying;

static fc_err
save_while_it_lives(nd_storage *storage, const char *directory, nd_evidence_kind kind, const fc_buf *packed,
                    fc_fail *fail)
{
    if (dying.writes_left == 0)
        return fc_fail_set(fail, FC_ERR_NO_SPACE, "no space left");
    dying.writes_left--;
    return dying.ops->save_evidence(storage, directory, kind, packed, fail);
}

/* Between a helper's last profile being read and its file being gone, another helper begins. */
static void
what_a_helper_left_behind_never_counts_twice_wherever_saving_ends(void **state)
{
    (void)state;
    enum { LEFT = 1000, MORE = 50, WRITES_MAX = 6 };
    for (unsigned writes = 0; writes <= WRITES_MAX; writes++) {
        world w;
        fc_fail fail = {0};
        nd_instance_capture before = {0}, after = {0};
        char directory[ND_DIRECTORY_SIZE];
        begin_world(&w);
        memcpy(directory, the_capture(&w)->directory, sizeof directory);
        world_node_down(&w);
        leave_last(&w, directory, MORE);
        fc_buf more = {0}, rest = {0};
        assert_int_equal(w.storage->ops->load_evidence(w.storage, directory, ND_EVIDENCE_LAST, &more, NULL),
                         FC_OK);
        leave_last(&w, directory, LEFT);
        nd_storage_ops ops = *w.storage->ops;
        dying.ops = w.storage->ops;
        dying.writes_left = 0;
        ops.save_evidence = save_while_it_lives;
        w.storage->ops = &ops;
        nd_evidence_load(&before.evidence, w.storage, directory, world_wall(&w));
        assert_int_equal(nd_evidence_save(&before.evidence, w.storage, directory, &fail), FC_ERR_NO_SPACE);
        nd_evidence_next_run(&before.evidence, LEFT, world_wall(&w));
        assert_int_equal(nd_evidence_put_profile(&before.evidence, fc_buf_bytes(&more), fc_buf_size(&more),
                                                 world_wall(&w), &fail),
                         FC_OK);
        dying.writes_left = writes;
        fc_err err = nd_evidence_save(&before.evidence, w.storage, directory, &fail);
        nd_evidence_load(&after.evidence, w.storage, directory, world_wall(&w));
        assert_in_range(counter_of(&after, FC_COUNTER_PACKETS_IN), LEFT, LEFT + MORE);
        w.storage->ops = dying.ops;
        if (writes == WRITES_MAX) {
            assert_int_equal(err, FC_OK);
            assert_int_equal(counter_of(&after, FC_COUNTER_PACKETS_IN), LEFT + MORE);
            assert_int_equal(
                w.storage->ops->load_evidence(w.storage, directory, ND_EVIDENCE_LAST, &rest, NULL),
                FC_ERR_NOT_FOUND);
        }
        nd_evidence_fini(&before.evidence);
        nd_evidence_fini(&after.evidence);
        fc_buf_fini(&more);
        fc_buf_fini(&rest);
        world_fini(&w);
    }
}

static void
packets_of_which_a_dead_helper_made_no_profile_are_counted(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 5500);
    nd_instance_capture *capture = the_capture(&w);
    uint64_t profiled = counter_of(capture, FC_COUNTER_PACKETS_IN);
    nd_fake_backend_options(w.backend)->profiles = false;
    world_advance(&w, 3000);
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_DIE));
    world_advance(&w, 1000);
    assert_true(nd_state_final(capture->state));
    assert_int_equal(counter_of(capture, FC_COUNTER_PACKETS_IN), profiled);
    assert_int_equal(counter_of(capture, FC_COUNTER_CAPTURE_UNPROFILED),
                     capture->status.counters.written_packets - profiled);
    assert_true(counter_of(capture, FC_COUNTER_CAPTURE_UNPROFILED) > 0);
    world_fini(&w);
}

static void
a_finished_capture_still_has_its_evidence_after_a_restart(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 5500);
    w.wants[0].action = ND_ACTION_STOP;
    world_push(&w);
    world_advance(&w, 100);
    world_node_down(&w);
    world_node_up(&w);
    world_connect(&w, true);
    unsigned items = 0;
    uint64_t packets_in = 0;
    for (told t; (t = tell(&w, true)).kind != 0; items++)
        packets_in += t.packets_in;
    assert_int_equal(items, 3);
    assert_int_equal(packets_in, the_capture(&w)->status.counters.written_packets);
    assert_int_equal(contexts_read, 2);
    world_fini(&w);
}

static void
a_profile_that_is_none_is_left_out(void **state)
{
    (void)state;
    world w;
    begin_world(&w);
    world_advance(&w, 1500);
    nd_instance_capture *capture = the_capture(&w);
    uint64_t revision = capture->evidence.items[ND_EVIDENCE_PROFILE].mark.revision;
    static uint8_t large[FC_PROFILE_PACKED_MAX + 1];
    nd_instance_capture_profile(capture, large, sizeof large);
    nd_instance_capture_profile(capture, large, 0);
    assert_int_equal(capture->evidence.items[ND_EVIDENCE_PROFILE].mark.revision, revision);
    nd_evidence_next_run(&capture->evidence, 0,
                         world_wall(&w)); /* on top of an earlier one its bytes are looked into */
    memset(large, 0xff, sizeof large);
    nd_instance_capture_profile(capture, large, 100);
    assert_int_equal(capture->evidence.items[ND_EVIDENCE_PROFILE].mark.revision, revision);
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    world_fini(&w);
}

int
main(void)
{
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_told_every_three_seconds_and_only_when_it_changed),
        cmocka_unit_test(the_end_brings_the_last_profile_and_the_second_context_at_once),
        cmocka_unit_test(what_was_not_acknowledged_is_told_again_and_what_is_stored_is_not),
        cmocka_unit_test(a_capture_that_runs_tells_all_of_it_on_each_connection),
        cmocka_unit_test(over_a_restart_the_profiles_of_all_helpers_add_up),
        cmocka_unit_test(what_a_helper_left_behind_takes_the_place_of_its_last_word),
        cmocka_unit_test(what_a_helper_left_behind_never_counts_twice_wherever_saving_ends),
        cmocka_unit_test(packets_of_which_a_dead_helper_made_no_profile_are_counted),
        cmocka_unit_test(a_finished_capture_still_has_its_evidence_after_a_restart),
        cmocka_unit_test(a_profile_that_is_none_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
