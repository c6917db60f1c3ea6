#include "coordinator/reconcile.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <inttypes.h>
#include <utlist.h>

enum {
    PUSHES_PER_TURN = 256, /* then the loop does something else first */
    SWEEP_MS = 1000,
    PRUNE_EVERY_SWEEPS = 3600, /* and with the first one */
    REQUESTS_KEPT_S = 7 * 24 * 3600,
};

/* ---- pushing ---- */

static void
queue(struct co *co, co_instance *instance)
{
    if (instance->link == NULL || instance->queued)
        return;
    instance->queued = true;
    instance->next_push = NULL;
    *co->reconcile.push_last = instance;
    co->reconcile.push_last = &instance->next_push;
    fc_loop_post(co->loop, &co->reconcile.push_task);
}

static void
push_some(fc_task *task)
{
    struct co *c = FC_CONTAINER(task, struct co, reconcile.push_task);
    co_reconcile *reconcile = &c->reconcile;
    for (int i = 0; i < PUSHES_PER_TURN && reconcile->push_first != NULL; i++) {
        co_instance *instance = reconcile->push_first;
        reconcile->push_first = instance->next_push;
        if (reconcile->push_first == NULL)
            reconcile->push_last = &reconcile->push_first;
        instance->queued = false;
        if (instance->link == NULL || instance->pushing)
            continue;
        instance->pushing = true;
        c->counters.pushes++;
        c->link_ops->push(instance->link, instance);
    }
    if (reconcile->push_first != NULL)
        fc_loop_post(c->loop, task);
}

void
co_reconcile_touch(struct co *co, co_instance *instance)
{
    instance->generation++;
    queue(co, instance);
}

void
co_reconcile_push_failed(struct co *co, co_instance *instance)
{
    co->counters.pushes_failed++;
    instance->pushing = false; /* the sweep tries again */
}

/* The order to arm reached it: the order to start will take about as long, under the same load. */
static void
note_taken(struct co *co, co_part *part)
{
    co_capture *capture = part->capture;
    if (part->acked || capture->start.ns != 0 || capture->begun.ns == 0)
        return;
    part->acked = true;
    capture->fan_out_ns = fc_loop_now(co->loop).ns - capture->begun.ns;
}

void
co_reconcile_acked(struct co *co, co_instance *instance, uint64_t generation)
{
    instance->pushing = false;
    if (generation > instance->acked && generation <= instance->generation)
        instance->acked = generation;
    co_part *part, *next;
    DL_FOREACH_SAFE (instance->parts, part, next) {
        if (instance->acked < part->generation)
            continue;
        note_taken(co, part);
        if (part->action < CO_ACTION_FORGET)
            continue;
        co_part_forgotten(co, part);
        if (part->action == CO_ACTION_FORGET)
            co_part_gone(co, part);
    }
    if (instance->acked < instance->generation)
        queue(co, instance);
}

/* Files are deleted after the acknowledgement, which a crash may prevent: the row stays until the instance
 * has had the time, so that one that comes back meanwhile is told again. */
static bool
purged(const struct co *co, const co_part *part)
{
    bool quiet = fc_state_final(part->status.state) || part->status.state == FC_STATE_PENDING;
    fc_mono due = fc_mono_after_ms(part->forgotten_at, (int64_t)co->config->heartbeat_ms);
    return part->action == CO_ACTION_PURGE && part->forgotten && quiet && fc_loop_now(co->loop).ns >= due.ns;
}

void
co_reconcile_applied(struct co *co, co_instance *instance, uint64_t generation)
{
    co_part *part, *next;
    DL_FOREACH_SAFE (instance->parts, part, next)
        if (generation <= instance->acked && generation >= part->generation && purged(co, part))
            co_part_gone(co, part);
}

static bool
window_over(const struct co *co, const co_capture *capture, int64_t grace_ms)
{
    return capture->start.ns != 0 && co_wall(co).ns > capture->window_end.ns + grace_ms * FC_NS_PER_MS;
}

bool
co_reconcile_tell(co_part *part, const co_link_clock *clock, co_desired *ret_desired)
{
    const co_capture *capture = part->capture;
    co_desired desired = {.action = part->action, .stop_reason = part->stop_reason};
    if (desired.action == CO_ACTION_RUN && window_over(capture->co, capture, CO_WINDOW_GRACE_MS)) {
        desired.action = CO_ACTION_STOP;
        desired.stop_reason = FC_STOP_WINDOW_CLOSED;
    }
    if (desired.action != CO_ACTION_RUN && !part->told)
        return false;
    part->told = true;
    desired.with_spec = desired.action == CO_ACTION_RUN;
    if (desired.with_spec && capture->start.ns != 0) {
        desired.start_unix_ns = capture->start.ns + clock->offset_ns;
        desired.window_end_unix_ns = capture->window_end.ns + clock->offset_ns;
    }
    *ret_desired = desired;
    return true;
}

/* ---- start ---- */

static bool
wants_start(const co_part *part)
{
    return part->action == CO_ACTION_RUN && !fc_state_final(part->status.state);
}

static int64_t
lead_ms(struct co *co, const co_capture *capture)
{
    int64_t worst_ns = 0;
    for (size_t i = 0; i < capture->part_count; i++) {
        const co_part *part = &capture->parts[i];
        if (part->instance->link == NULL || !wants_start(part))
            continue;
        int64_t round_trip_ns = co->link_ops->clock(part->instance->link).round_trip_ns;
        if (round_trip_ns > worst_ns)
            worst_ns = round_trip_ns;
    }
    /* The order travels one way, half a round trip: the whole one leaves as much again to spare. */
    int64_t lead = worst_ns / FC_NS_PER_MS + CO_LEAD_SLACK_MS;
    /* The acknowledgements' way back is in it: three quarters reach everyone with some to spare. */
    int64_t fan_out = capture->fan_out_ns / FC_NS_PER_MS * 3 / 4;
    if (lead < fan_out)
        lead = fan_out;
    return lead < CO_LEAD_MIN_MS ? CO_LEAD_MIN_MS : lead > CO_LEAD_MAX_MS ? CO_LEAD_MAX_MS : lead;
}

static void
decide_start(struct co *co, co_capture *capture)
{
    bool wanted = false;
    for (size_t i = 0; i < capture->part_count && !wanted; i++)
        wanted = wants_start(&capture->parts[i]);
    if (capture->start.ns != 0 || !wanted)
        return;
    int64_t lead = lead_ms(co, capture);
    capture->lead_ms = (uint32_t)lead;
    capture->start.ns = co_wall(co).ns + lead * FC_NS_PER_MS;
    capture->window_end.ns = capture->start.ns + capture->definition.spec.time_limit_s * FC_NS_PER_S;
    co_capture_changed(co, capture);
    /* Durable before anybody is told: a coordinator that comes back must not decide on another instant. */
    fc_fail fail = {0};
    if (co_persist_flush(co, NULL, NULL, &fail) != FC_OK) {
        fc_log(FC_LOG_ERROR, "capture %s cannot start yet: %s", capture->definition.name, fail.text);
        capture->start.ns = capture->window_end.ns = 0;
        fc_loop_timer_after_ms(co->loop, &capture->arm_timer, (int64_t)co->config->arm_timeout_ms);
        return;
    }
    fc_loop_timer_clear(co->loop, &capture->arm_timer);
    for (size_t i = 0; i < capture->part_count; i++) {
        capture->parts[i].arming = false;
        if (wants_start(&capture->parts[i]))
            co_reconcile_touch(co, capture->parts[i].instance);
    }
    fc_log(FC_LOG_INFO, "capture %s starts in %" PRId64 " ms", capture->definition.name, lead);
}

static void
on_arm_timer(fc_timer *timer)
{
    co_capture *capture = FC_CONTAINER(timer, co_capture, arm_timer);
    decide_start(capture->co, capture);
}

void
co_reconcile_armed(struct co *co, co_part *part)
{
    if (!part->arming)
        return;
    part->arming = false;
    if (--part->capture->arming == 0)
        decide_start(co, part->capture);
}

static void
wait_for(co_part *part)
{
    if (part->arming || part->capture->start.ns != 0 || !wants_start(part) ||
        part->capture->arm_timer.slot == 0)
        return;
    part->arming = true;
    part->capture->arming++;
}

void
co_reconcile_begin(struct co *co, co_capture *capture)
{
    capture->arm_timer.fire = on_arm_timer;
    capture->begun = fc_loop_now(co->loop);
    fc_loop_timer_after_ms(co->loop, &capture->arm_timer, (int64_t)co->config->arm_timeout_ms);
    for (size_t i = 0; i < capture->part_count; i++) {
        co_part *part = &capture->parts[i];
        if (co_instance_reachable(part->instance))
            wait_for(part);
        part->generation = part->instance->generation + 1;
        co_reconcile_touch(co, part->instance);
    }
    if (capture->arming == 0) /* nobody to wait for: the window opens all the same */
        decide_start(co, capture);
}

/* ---- instances come and go ---- */

void
co_reconcile_hello(struct co *co, co_instance *instance, uint64_t generation)
{
    (void)co;
    /* A store that was put back from a copy must not make us speak in generations that the node has passed.
     */
    if (generation > instance->generation)
        instance->generation = generation;
    instance->acked = 0;
    for (co_part *part = instance->parts; part != NULL; part = part->next) {
        part->heard = false;
        part->floor = 0;
    }
}

void
co_reconcile_digest(struct co *co, co_instance *instance, const char *capture_uid)
{
    co_part *part = co_part_find(instance, capture_uid);
    if (part == NULL) {
        co->counters.reports_unknown++; /* not in its desired state: it forgets it */
        return;
    }
    part->heard = true;
    part->told = true;
}

/* It should know the part and does not. */
static void
missing(struct co *co, co_part *part)
{
    bool began = part->status.start.ns != 0 || part->status.state >= FC_STATE_RUNNING;
    part->told = false;
    if (part->action >= CO_ACTION_FORGET) {
        co_part_gone(co, part);
    } else if (fc_state_final(part->status.state)) {
        return;
    } else if (part->action == CO_ACTION_STOP || window_over(co, part->capture, 0)) {
        fc_stop_reason reason = part->action == CO_ACTION_STOP ? part->stop_reason : FC_STOP_WINDOW_CLOSED;
        if (began)
            co_part_settle(co, part, FC_STATE_FAILED, FC_STOP_NODE_RESTARTED,
                           "the instance came back and did not know this capture any more");
        else
            co_part_settle(co, part, FC_STATE_STOPPED, reason, NULL);
    }
}

void
co_reconcile_joined(struct co *co, co_instance *instance)
{
    co_part *part, *next;
    DL_FOREACH_SAFE (instance->parts, part, next) {
        if (part->heard)
            continue;
        missing(co, part);
    }
    for (part = instance->parts; part != NULL; part = part->next)
        wait_for(part);
    co_reconcile_touch(co, instance);
}

void
co_reconcile_left(struct co *co, co_instance *instance)
{
    co_part *part, *next;
    DL_FOREACH_SAFE (instance->parts, part, next)
        co_reconcile_armed(co, part);
}

/* ---- once a second ---- */

/* The window is over and nobody ever began there. */
static void
close_window(struct co *co, co_capture *capture)
{
    for (size_t i = 0; i < capture->part_count; i++) {
        co_part *part = &capture->parts[i];
        if (part->action != CO_ACTION_RUN || part->status.state != FC_STATE_PENDING)
            continue;
        co_part_want(co, part, CO_ACTION_STOP, FC_STOP_WINDOW_CLOSED);
        co_part_settle(co, part, FC_STATE_STOPPED, FC_STOP_WINDOW_CLOSED, NULL);
        co_reconcile_touch(co, part->instance);
    }
}

static void
sweep_captures(struct co *co)
{
    co_capture *capture, *next;
    HASH_ITER (hh, co->captures.by_uid, capture, next) {
        if (capture->deleted && capture->kept == 0 && capture->references == 0)
            co_capture_release(co, capture);
        else if (capture->counts[FC_STATE_PENDING] > 0 && window_over(co, capture, CO_WINDOW_GRACE_MS))
            close_window(co, capture);
    }
}

static void
on_sweep(fc_timer *timer)
{
    struct co *c = FC_CONTAINER(timer, struct co, reconcile.sweep_timer);
    co_registry_sweep(c);
    co_refused_sweep(c);
    for (co_instance *i = c->registry.by_id; i != NULL; i = i->hh.next)
        if (i->link != NULL && !i->pushing && i->acked < i->generation)
            queue(c, i);
    sweep_captures(c);
    if (c->reconcile.sweeps++ % PRUNE_EVERY_SWEEPS == 0 &&
        co_store_prune_requests(c->store, co_wall(c).ns - REQUESTS_KEPT_S * FC_NS_PER_S, NULL) != FC_OK)
        c->counters.store_failures++;
    fc_loop_timer_after_ms(c->loop, timer, SWEEP_MS);
}

void
co_reconcile_init(struct co *co)
{
    co->reconcile.push_last = &co->reconcile.push_first;
    co->reconcile.push_task.run = push_some;
    co->reconcile.sweep_timer.fire = on_sweep;
    fc_loop_timer_after_ms(co->loop, &co->reconcile.sweep_timer, SWEEP_MS);
}

void
co_reconcile_fini(struct co *co)
{
    fc_loop_timer_clear(co->loop, &co->reconcile.sweep_timer);
    fc_loop_withdraw(co->loop, &co->reconcile.push_task);
}

void
co_reconcile_resume(struct co *co)
{
    for (co_capture *capture = co->captures.by_uid; capture != NULL; capture = capture->hh.next) {
        capture->arm_timer.fire = on_arm_timer;
        if (capture->start.ns != 0 || capture->deleted)
            continue;
        /* One more than there are parts to arm: those who connect first do not start without the others. */
        capture->arming = 1;
        fc_loop_timer_after_ms(co->loop, &capture->arm_timer, (int64_t)co->config->arm_timeout_ms);
    }
}
