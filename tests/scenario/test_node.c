/* The node on a fake clock: thousands of seeds of desired changes, mishaps, lost leases, deaths and restarts,
 * and what must hold in all of them. SEED=n runs one seed and logs it; SEEDS=n how many. */
#include "tests/scenario/test_node_world.h"

enum { STEPS = 60, SEEDS_DEFAULT = 3000 };

/* ---- one random deed ---- */

static void
change_wants(world *w)
{
    want *wanted = &w->wants[world_dice(w, UIDS)];
    size_t i = (size_t)(wanted - w->wants);
    fc_wall now = world_wall(w);
    switch (world_dice(w, 8)) {
    case 0:
    case 1:
    case 2:
        if (!wanted->present) {
            *wanted =
                (want){.present = true, .action = ND_ACTION_RUN, .limit_s = 1 + (uint32_t)world_dice(w, 600)};
            w->epoch[i]++;
            w->seen[i] = (seen){0};
        }
        break;
    case 3:
    case 4:
        if (wanted->present && wanted->start.ns == 0) {
            wanted->start.ns = now.ns + ((int64_t)world_dice(w, 1500) - 500) * FC_NS_PER_MS;
            wanted->end.ns = world_dice(w, 3) == 0 ? 0 : wanted->start.ns + wanted->limit_s * FC_NS_PER_S;
        }
        break;
    case 5:
        if (wanted->present && wanted->action == ND_ACTION_RUN)
            wanted->action = ND_ACTION_STOP;
        break;
    case 6:
        if (wanted->present)
            wanted->action = world_dice(w, 2) == 0 ? ND_ACTION_FORGET : ND_ACTION_PURGE;
        break;
    default:
        wanted->present = false;
    }
}

static void
shutdown_done(void *user)
{
    ((world *)user)->down = true;
}

static void
orderly_restart(world *w)
{
    w->down = false;
    nd_node_shutdown(w->node, shutdown_done, w);
    for (int i = 0; i < 100 && !w->down; i++)
        world_advance(w, 1000);
    assert_true(w->down);
    for (size_t i = 0; i < nd_node_capture_count(w->node); i++)
        assert_true(nd_state_final(nd_node_capture(w->node, i)->state));
    world_reports(w, false);
    world_node_down(w);
    world_node_up(w);
}

static void
deed(world *w)
{
    switch (world_dice(w, 20)) {
    case 0:
    case 1:
    case 2:
    case 3:
        change_wants(w);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        world_connect(w, true);
        world_push(w);
        break;
    case 8:
        nd_node_renew_lease(w->node, LEASE_MS);
        break;
    case 9:
        world_connect(w, world_dice(w, 2) == 0);
        break;
    case 10:
        (void)nd_fake_backend_hit(w->backend, world_dice(w, 8), (nd_fake_mishap)world_dice(w, 4));
        break;
    case 11:
        nd_fake_backend_refuse(w->backend, world_dice(w, 4) == 0);
        nd_fake_storage_set_free_bytes(w->storage, world_dice(w, 4) == 0 ? 1000 : 1ull << 40);
        break;
    case 12:
        if (world_dice(w, 2) == 0) {
            world_node_down(w);
            nd_fake_backend_options(w->backend)->drain_ms = (uint32_t)world_dice(w, 3000);
            world_advance(w, (int64_t)world_dice(w, 2000));
            world_node_up(w);
        }
        break;
    case 13:
        if (world_dice(w, 4) == 0)
            orderly_restart(w);
        break;
    case 14:
        world_reports(w, true);
        break;
    case 15:
    case 16:
        world_reports(w, false);
        break;
    case 17:
        world_advance(w, (int64_t)world_dice(w, LEASE_MS + 60000));
        break;
    default:
        world_advance(w, (int64_t)world_dice(w, 2500));
    }
}

/* ---- what must always hold ---- */

static void
check(world *w)
{
    char uid[FC_UID_LENGTH + 1];
    if (nd_fake_most_at_once(w->backend) > 1)
        fail_msg("seed %" PRIu64 ": two helpers for one capture", w->seed);
    for (size_t i = 0; i < nd_node_capture_count(w->node); i++) {
        const nd_instance_capture *capture = nd_node_capture(w->node, i);
        const fc_status *status = &capture->status;
        if (nd_state_final(capture->state) && status->stop_reason == FC_STOP_NONE)
            fail_msg("seed %" PRIu64 ": %s without a reason", w->seed, nd_state_name(capture->state));
        if (capture->state == ND_STATE_FAILED && status->error == NULL)
            fail_msg("seed %" PRIu64 ": FAILED without a sentence", w->seed);
        if (nd_state_final(capture->state) && capture->run != NULL)
            fail_msg("seed %" PRIu64 ": a helper for what is over", w->seed);
        for (size_t s = 0; s < status->segment_count && nd_state_final(capture->state); s++)
            if (!status->segments[s].sealed)
                fail_msg("seed %" PRIu64 ": an open segment in what is over", w->seed);
        for (size_t u = 0; u < UIDS; u++)
            if (strcmp(world_uid(w, u, uid), status->capture_uid) == 0 && fc_state_final(w->seen[u].state) &&
                status->state != w->seen[u].state)
                fail_msg("seed %" PRIu64 ": back from %s to %s", w->seed, fc_state_name(w->seen[u].state),
                         fc_state_name(status->state));
    }
}

/* Everything calms down: then the node is as it is wanted. */
static void
check_converged(world *w)
{
    char uid[FC_UID_LENGTH + 1];
    nd_fake_backend_refuse(w->backend, false);
    world_connect(w, true);
    world_push(w);
    for (int i = 0; i < 60; i++) {
        world_advance(w, 1000);
        world_reports(w, false);
    }
    world_push(w);
    world_reports(w, false);
    size_t on_disk = 0;
    for (size_t i = 0; i < UIDS; i++) {
        const want *wanted = &w->wants[i];
        const nd_instance_capture *capture = nd_node_find(w->node, world_uid(w, i, uid));
        bool gone =
            !wanted->present || wanted->action == ND_ACTION_FORGET || wanted->action == ND_ACTION_PURGE;
        if (gone != (capture == NULL))
            fail_msg("seed %" PRIu64 ": capture %zu is %s", w->seed, i, gone ? "not forgotten" : "not known");
        if (capture == NULL)
            continue;
        on_disk += capture->directory[0] != '\0';
        if (wanted->action == ND_ACTION_STOP && !nd_state_final(capture->state))
            fail_msg("seed %" PRIu64 ": capture %zu is %s, not stopped", w->seed, i,
                     nd_state_name(capture->state));
        /* Its window may be ending at this very moment. */
        if (wanted->start.ns != 0 && capture->state != ND_STATE_RUNNING &&
            capture->state != ND_STATE_STOPPING && !nd_state_final(capture->state))
            fail_msg("seed %" PRIu64 ": capture %zu is %s, not running", w->seed, i,
                     nd_state_name(capture->state));
        if ((nd_fake_working(w->backend, uid) > 0) == nd_state_final(capture->state))
            fail_msg("seed %" PRIu64 ": capture %zu is %s, and its helper %s", w->seed, i,
                     nd_state_name(capture->state), nd_state_final(capture->state) ? "works" : "does not");
        assert_int_equal(w->seen[i].state, capture->status.state);
    }
    assert_int_equal(nd_fake_storage_count(w->storage), on_disk);
    /* Nobody renews: everything ends by itself. */
    world_connect(w, false);
    world_advance(w, LEASE_MS + 60000);
    assert_int_equal(nd_fake_working(w->backend, NULL), 0);
    check(w);
}

static void
run_seed(uint64_t seed)
{
    world w;
    world_init(&w, seed);
    for (int i = 0; i < STEPS; i++) {
        deed(&w);
        check(&w);
    }
    check_converged(&w);
    world_fini(&w);
}

static void
whatever_happens_the_node_keeps_its_word(void **state)
{
    (void)state;
    const char *one = getenv("SEED"), *many = getenv("SEEDS");
    if (one != NULL) {
        fc_log_open("scenario", FC_LOG_DEBUG);
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    uint64_t count = many != NULL ? strtoull(many, NULL, 10) : SEEDS_DEFAULT;
    for (uint64_t seed = 1; seed <= count; seed++)
        run_seed(seed);
}

int
main(void)
{
    fc_log_open("scenario", (fc_log_level)0); /* thousands of seeds are silent */
    static const struct CMUnitTest seeds[] = {cmocka_unit_test(whatever_happens_the_node_keeps_its_word)};
    int failed = _cmocka_run_group_tests("stories", test_node_stories, test_node_story_count, NULL, NULL);
    return failed + cmocka_run_group_tests(seeds, NULL, NULL);
}
