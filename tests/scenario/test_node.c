/* The node on a fake clock, with played helpers and a disk in memory: thousands of seeds of desired changes,
 * mishaps, lost leases, deaths and restarts. SEED=n runs one seed and logs it; SEEDS=n how many. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/fake_backend.h"
#include "node/fake_storage.h"
#include "node/node.h"
#include "node/report.h"

#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UIDS = 6, LEASE_MS = 300000, STEPS = 60, SEEDS_DEFAULT = 3000 };

/* ---- clock ---- */

typedef struct fake_clock {
    fc_clock clock; /* first */
    int64_t ns;
} fake_clock;

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

/* ---- the world ---- */

typedef struct want {
    bool present; /* in the desired set */
    nd_action action;
    fc_wall start, end;
    uint32_t limit_s;
} want;

/* What a coordinator would know. */
typedef struct seen {
    fc_state state;
    fc_stop_reason reason;
    uint64_t revision; /* on this connection */
} seen;

typedef struct world {
    fake_clock clock;
    fc_loop *loop;
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node; /* NULL while dead */
    nd_identity identity;
    fc_labels labels;
    nd_policy policy;
    uint64_t random, generation;
    uint64_t seed;
    bool connected, down;
    want wants[UIDS];
    seen seen[UIDS];
    uint32_t epoch[UIDS]; /* uids are used again after they were forgotten, under another name */
} world;

static uint64_t
dice(world *w, uint64_t sides)
{
    w->random ^= w->random << 13; /* xorshift64 (Marsaglia, 2003) */
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

static const char *
uid_of(const world *w, size_t i, char text[FC_UID_LENGTH + 1])
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

static void
node_up(world *w)
{
    fc_fail fail = {0};
    nd_node_options options = {.loop = w->loop,
                               .backend = w->backend,
                               .storage = w->storage,
                               .identity = &w->identity,
                               .policy = &w->policy,
                               .captures_dir = "/var/captures",
                               .ring_bytes = 1 << 20,
                               .interfaces = one_interface};
    w->node = nd_node_new(&options);
    w->connected = false;
    assert_int_equal(nd_node_start(w->node, &fail), FC_OK);
}

static void
node_down(world *w)
{
    nd_node_free(w->node);
    w->node = NULL;
    w->connected = false;
}

static void
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
    node_up(w);
}

static void
world_fini(world *w)
{
    node_down(w);
    nd_fake_storage_free(w->storage);
    nd_fake_backend_free(w->backend);
    fc_loop_free(w->loop);
}

static void
settle(world *w)
{
    while (fc_loop_run_due(w->loop))
        continue;
}

static void
advance(world *w, int64_t ms)
{
    int64_t until = w->clock.ns + ms * FC_NS_PER_MS;
    fc_mono due;
    settle(w);
    while (fc_loop_next_due(w->loop, &due) && due.ns <= until) {
        if (due.ns > w->clock.ns)
            w->clock.ns = due.ns;
        settle(w);
    }
    w->clock.ns = until;
    settle(w);
}

/* ---- the coordinator's part ---- */

static void
push(world *w)
{
    nd_desired desired = {.generation = ++w->generation, .lease_ms = LEASE_MS};
    fc_fail fail = {0};
    desired.captures = fc_alloc_array(UIDS, sizeof desired.captures[0]);
    for (size_t i = 0; i < UIDS; i++) {
        const want *wanted = &w->wants[i];
        nd_desired_capture *capture = &desired.captures[desired.count];
        if (!wanted->present)
            continue;
        (void)uid_of(w, i, capture->uid);
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
    settle(w);
}

static void
take(world *w, const Fcpb__InstanceCapture *message)
{
    char uid[FC_UID_LENGTH + 1];
    fc_status status = {0};
    fc_fail fail = {0};
    assert_int_equal(fc_status_from_pb(message, &status, &fail), FC_OK);
    for (size_t i = 0; i < UIDS; i++) {
        seen *s = &w->seen[i];
        if (strcmp(uid_of(w, i, uid), status.capture_uid) != 0)
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

static void
reports(world *w, bool lose)
{
    for (int i = 0; w->node != NULL && w->connected && i < 10; i++) {
        Fcpb__ReportRequest *report = nd_report_next(w->node);
        if (report == NULL)
            return;
        assert_in_range(fcpb__report_request__get_packed_size(report), 1, 65000);
        for (size_t c = 0; !lose && c < report->n_captures; c++)
            take(w, report->captures[c]);
        fcpb__report_request__free_unpacked(report, NULL);
        if (lose)
            nd_report_lost(w->node);
        else
            nd_report_acked(w->node);
        settle(w);
    }
}

static void
connect_node(world *w, bool connected)
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
    settle(w);
}

/* ---- one random deed ---- */

static void
change_wants(world *w)
{
    want *wanted = &w->wants[dice(w, UIDS)];
    size_t i = (size_t)(wanted - w->wants);
    fc_wall now = wall_now(&w->clock.clock);
    switch (dice(w, 8)) {
    case 0:
    case 1:
    case 2:
        if (!wanted->present) {
            *wanted = (want){.present = true, .action = ND_ACTION_RUN, .limit_s = 1 + (uint32_t)dice(w, 600)};
            w->epoch[i]++;
            w->seen[i] = (seen){0};
        }
        break;
    case 3:
    case 4:
        if (wanted->present && wanted->start.ns == 0) {
            wanted->start.ns = now.ns + ((int64_t)dice(w, 1500) - 500) * FC_NS_PER_MS;
            wanted->end.ns = dice(w, 3) == 0 ? 0 : wanted->start.ns + wanted->limit_s * FC_NS_PER_S;
        }
        break;
    case 5:
        if (wanted->present && wanted->action == ND_ACTION_RUN)
            wanted->action = ND_ACTION_STOP;
        break;
    case 6:
        if (wanted->present)
            wanted->action = dice(w, 2) == 0 ? ND_ACTION_FORGET : ND_ACTION_PURGE;
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
        advance(w, 1000);
    assert_true(w->down);
    for (size_t i = 0; i < nd_node_capture_count(w->node); i++)
        assert_true(nd_state_final(nd_node_capture(w->node, i)->state));
    reports(w, false);
    node_down(w);
    node_up(w);
}

static void
deed(world *w)
{
    switch (dice(w, 20)) {
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
        connect_node(w, true);
        push(w);
        break;
    case 8:
        nd_node_renew_lease(w->node, LEASE_MS);
        break;
    case 9:
        connect_node(w, dice(w, 2) == 0);
        break;
    case 10:
        (void)nd_fake_backend_hit(w->backend, dice(w, 8), (nd_fake_mishap)dice(w, 4));
        break;
    case 11:
        nd_fake_backend_refuse(w->backend, dice(w, 4) == 0);
        nd_fake_storage_set_free_bytes(w->storage, dice(w, 4) == 0 ? 1000 : 1ull << 40);
        break;
    case 12:
        if (dice(w, 2) == 0) {
            node_down(w);
            nd_fake_backend_options(w->backend)->drain_ms = (uint32_t)dice(w, 3000);
            advance(w, (int64_t)dice(w, 2000));
            node_up(w);
        }
        break;
    case 13:
        if (dice(w, 4) == 0)
            orderly_restart(w);
        break;
    case 14:
        reports(w, true);
        break;
    case 15:
    case 16:
        reports(w, false);
        break;
    case 17:
        advance(w, (int64_t)dice(w, LEASE_MS + 60000));
        break;
    default:
        advance(w, (int64_t)dice(w, 2500));
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
            if (strcmp(uid_of(w, u, uid), status->capture_uid) == 0 && fc_state_final(w->seen[u].state) &&
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
    connect_node(w, true);
    push(w);
    for (int i = 0; i < 60; i++) {
        advance(w, 1000);
        reports(w, false);
    }
    push(w);
    reports(w, false);
    size_t on_disk = 0;
    for (size_t i = 0; i < UIDS; i++) {
        const want *wanted = &w->wants[i];
        const nd_instance_capture *capture = nd_node_find(w->node, uid_of(w, i, uid));
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
    connect_node(w, false);
    advance(w, LEASE_MS + 60000);
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

/* ---- told stories ---- */

static nd_instance_capture *
begin(world *w, uint32_t limit_s)
{
    char uid[FC_UID_LENGTH + 1];
    w->wants[0] = (want){.present = true, .action = ND_ACTION_RUN, .limit_s = limit_s};
    connect_node(w, true);
    push(w);
    advance(w, 50);
    nd_instance_capture *capture = nd_node_find(w->node, uid_of(w, 0, uid));
    assert_non_null(capture);
    assert_int_equal(capture->state, ND_STATE_ARMED);
    w->wants[0].start.ns = wall_now(&w->clock.clock).ns + 200 * FC_NS_PER_MS;
    w->wants[0].end.ns = w->wants[0].start.ns + limit_s * FC_NS_PER_S;
    push(w);
    assert_int_equal(capture->state, ND_STATE_ARMED);
    advance(w, 250);
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
    advance(&w, 10100);
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
    fc_wall now = wall_now(&w.clock.clock);
    w.wants[0] = (want){.present = true,
                        .action = ND_ACTION_RUN,
                        .limit_s = 60,
                        .start = {now.ns - 5 * FC_NS_PER_S},
                        .end = {now.ns + 55 * FC_NS_PER_S}};
    push(&w);
    advance(&w, 50);
    const nd_instance_capture *capture = nd_node_find(w.node, uid_of(&w, 0, uid));
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
    advance(&w, 12000);
    node_down(&w);
    advance(&w, 3000);
    node_up(&w);
    advance(&w, 2000);
    const nd_instance_capture *capture = nd_node_find(w.node, uid_of(&w, 0, uid));
    assert_non_null(capture);
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    assert_int_equal(capture->status.gap_count, 1);
    assert_true(capture->status.gaps[0].to.ns - capture->status.gaps[0].from.ns >= 3 * FC_NS_PER_S);
    assert_int_equal(capture->status.start.ns, w.wants[0].start.ns);
    assert_int_equal(nd_fake_most_at_once(w.backend), 1);
    for (size_t i = 1; i < capture->status.segment_count; i++)
        assert_true(capture->status.segments[i].sequence > capture->status.segments[i - 1].sequence);
    uint64_t before = capture->status.counters.written_packets;
    advance(&w, 3000);
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
    advance(&w, 5000);
    node_down(&w);
    advance(&w, 60000);
    node_up(&w);
    advance(&w, 100);
    const nd_instance_capture *capture = nd_node_find(w.node, uid_of(&w, 0, uid));
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
    advance(&w, 5000);
    node_down(&w);
    advance(&w, LEASE_MS - 10000);
    node_up(&w);
    advance(&w, 1000);
    const nd_instance_capture *capture = nd_node_find(w.node, uid_of(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_RUNNING);
    advance(&w, 10000);
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
    advance(&w, 3500);
    uint64_t packets = capture->status.counters.written_packets;
    assert_true(nd_fake_backend_hit(w.backend, 0, ND_FAKE_DIE));
    advance(&w, 100);
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
    push(&w);
    advance(&w, 1000);
    assert_int_equal(capture->state, ND_STATE_STOPPING);
    advance(&w, ND_STOP_MS);
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_HELPER_DIED);
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
    push(&w);
    const nd_instance_capture *capture = nd_node_find(w.node, uid_of(&w, 0, uid));
    assert_int_equal(capture->state, ND_STATE_FAILED);
    assert_int_equal(capture->status.stop_reason, FC_STOP_POLICY_REFUSED);
    node_down(&w);
    w.policy.time_limit_max_ms = 0;
    node_up(&w);
    push(&w);
    advance(&w, 1000);
    capture = nd_node_find(w.node, uid_of(&w, 0, uid));
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
            take(&w, report->captures[i]);
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

int
main(void)
{
    fc_log_open("scenario", (fc_log_level)0); /* thousands of seeds are silent */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_arms_starts_at_its_instant_and_ends_with_its_window),
        cmocka_unit_test(a_start_that_is_past_starts_at_once),
        cmocka_unit_test(a_killed_node_goes_on_with_the_next_segment_and_notes_the_gap),
        cmocka_unit_test(a_node_that_comes_back_after_the_window_seals),
        cmocka_unit_test(a_restart_does_not_renew_a_lease),
        cmocka_unit_test(a_killed_helper_leaves_its_packets_and_says_so),
        cmocka_unit_test(a_helper_that_hangs_is_killed),
        cmocka_unit_test(a_refusal_survives_a_restart),
        cmocka_unit_test(a_large_ring_is_reported_in_frames_that_fit),
        cmocka_unit_test(whatever_happens_the_node_keeps_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
