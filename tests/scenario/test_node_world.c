#include "tests/scenario/test_node_world.h"

static fc_mono
mono_now(const fc_clock *clock)
{
    return (fc_mono){FC_CONTAINER(clock, const fake_clock, clock)->ns};
}

static fc_wall
wall_now(const fc_clock *clock)
{
    return (fc_wall){1795229137LL * FC_NS_PER_S + FC_CONTAINER(clock, const fake_clock, clock)->ns};
}

fc_wall
world_wall(const world *w)
{
    return wall_now(&w->clock.clock);
}

uint64_t
world_dice(world *w, uint64_t sides)
{
    w->random ^= w->random << 13; /* xorshift64 (Marsaglia, 2003) */
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

const char *
world_uid(const world *w, size_t i, char text[FC_UID_LENGTH + 1])
{
    (void)snprintf(text, FC_UID_LENGTH + 1, "%08x%024zx", w->epoch[i], i + 1);
    return text;
}

static fc_err
one_interface(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail)
{
    (void)asked;
    (void)allowed;
    (void)fail;
    fc_strings_add(ret_names, "eth0");
    return FC_OK;
}

static bool
helper_works(void *user, const char *uid)
{
    return nd_fake_working(((world *)user)->backend, uid) > 0;
}

void
world_node_up(world *w)
{
    fc_fail fail = {0};
    nd_node_options options = {.loop = w->loop,
                               .backend = w->backend,
                               .storage = w->storage,
                               .identity = &w->identity,
                               .policy = &w->policy,
                               .captures_dir = "/var/captures",
                               .ring_bytes = 1 << 20,
                               .interfaces = one_interface,
                               .context = w->context};
    w->node = nd_node_new(&options);
    w->connected = false;
    assert_int_equal(nd_node_start(w->node, &fail), FC_OK);
}

void
world_node_down(world *w)
{
    nd_node_free(w->node);
    w->node = NULL;
    w->connected = false;
}

void
world_init(world *w, uint64_t seed)
{
    static const nd_fake_options helpers = {.arm_ms = 20,
                                            .stop_ms = 30,
                                            .drain_ms = 500,
                                            .progress_ms = 1000,
                                            .packets_per_progress = 10,
                                            .rotate_packets = 50};
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->random = seed * 0x9E3779B97F4A7C15ull + 1;
    w->clock.clock = (fc_clock){mono_now, wall_now};
    assert_int_equal(fc_loop_new(&w->clock.clock, &w->loop), FC_OK);
    w->backend = nd_fake_backend_new(w->loop, &helpers);
    w->storage = nd_fake_storage_new(w->loop);
    nd_fake_storage_set_busy(w->storage, helper_works, w);
    w->identity = (nd_identity){
        .id = "web-1", .name = "web-1", .scale_set = "web", .region = "eu", .zone = "", .labels = &w->labels};
    w->policy.captures_max = 4;
    w->policy.disk_floor_bytes = 1 << 20;
    world_node_up(w);
}

void
world_fini(world *w)
{
    world_node_down(w);
    nd_fake_storage_free(w->storage);
    nd_fake_backend_free(w->backend);
    fc_loop_free(w->loop);
}

void
world_settle(world *w)
{
    while (fc_loop_run_due(w->loop))
        continue;
}

void
world_advance(world *w, int64_t ms)
{
    int64_t until = w->clock.ns + ms * FC_NS_PER_MS;
    fc_mono due;
    world_settle(w);
    while (fc_loop_next_due(w->loop, &due) && due.ns <= until) {
        if (due.ns > w->clock.ns)
            w->clock.ns = due.ns;
        world_settle(w);
    }
    w->clock.ns = until;
    world_settle(w);
}

/* ---- the coordinator's part ---- */

void
world_push(world *w)
{
    nd_desired desired = {.generation = ++w->generation, .lease_ms = LEASE_MS};
    fc_fail fail = {0};
    desired.captures = fc_alloc_array(UIDS, sizeof desired.captures[0]);
    for (size_t i = 0; i < UIDS; i++) {
        const want *wanted = &w->wants[i];
        nd_desired_capture *capture = &desired.captures[desired.count];
        if (!wanted->present)
            continue;
        (void)world_uid(w, i, capture->uid);
        (void)snprintf(capture->name, sizeof capture->name, "capture-%zu", i);
        capture->action = wanted->action;
        capture->created.ns = 1795229137LL * FC_NS_PER_S;
        capture->start = wanted->start;
        capture->window_end = wanted->end;
        capture->stop_reason = wanted->action == ND_ACTION_STOP ? FC_STOP_STOP_REQUESTED : FC_STOP_NONE;
        capture->has_spec = true;
        capture->spec.time_limit_s = wanted->limit_s;
        desired.count++;
    }
    if (w->node != NULL && nd_node_apply(w->node, &desired, &fail) == FC_OK)
        assert_int_equal(nd_node_generation(w->node), w->generation);
    nd_desired_fini(&desired);
    world_settle(w);
}

void
world_take(world *w, const Fcpb__InstanceCapture *message)
{
    char uid[FC_UID_LENGTH + 1];
    fc_status status = {0};
    fc_fail fail = {0};
    assert_int_equal(fc_status_from_pb(message, &status, &fail), FC_OK);
    for (size_t i = 0; i < UIDS; i++) {
        seen *s = &w->seen[i];
        if (strcmp(world_uid(w, i, uid), status.capture_uid) != 0)
            continue;
        if (status.revision <= s->revision)
            fail_msg("seed %" PRIu64 ": revision %" PRIu64 " after %" PRIu64, w->seed, status.revision,
                     s->revision);
        if (fc_state_final(s->state) && status.state != s->state)
            fail_msg("seed %" PRIu64 ": %s was reported after %s", w->seed, fc_state_name(status.state),
                     fc_state_name(s->state));
        if (fc_state_final(status.state))
            assert_int_not_equal(status.stop_reason, FC_STOP_NONE);
        *s = (seen){status.state, status.stop_reason, status.revision};
    }
    fc_status_fini(&status);
}

void
world_reports(world *w, bool lose)
{
    for (int i = 0; w->node != NULL && w->connected && i < 10; i++) {
        Fcpb__ReportRequest *report = nd_report_next(w->node);
        if (report == NULL)
            return;
        assert_in_range(fcpb__report_request__get_packed_size(report), 1, 65000);
        for (size_t c = 0; !lose && c < report->n_captures; c++)
            world_take(w, report->captures[c]);
        fcpb__report_request__free_unpacked(report, NULL);
        if (lose)
            nd_report_lost(w->node);
        else
            nd_report_acked(w->node);
        world_settle(w);
    }
}

void
world_connect(world *w, bool connected)
{
    if (w->node == NULL || w->connected == connected)
        return;
    w->connected = connected;
    if (connected) {
        for (size_t i = 0; i < UIDS; i++)
            w->seen[i].revision = 0;
        nd_report_all(w->node);
    } else {
        nd_report_lost(w->node);
    }
    nd_node_set_connected(w->node, connected);
    world_settle(w);
}
