#include "node/instance_capture.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const nd_run_ops run_ops;

static fc_wall
wall_now(const nd_instance_capture *capture)
{
    return fc_clock_wall(fc_loop_clock(capture->env->loop));
}

static void
set_error(nd_instance_capture *capture, const char *text)
{
    capture->silent = false;
    free(capture->status.error);
    capture->status.error = text != NULL && *text != '\0' ? fc_strndup(text, FC_ERROR_TEXT - 1) : NULL;
}

/* ---- the disk ---- */

static void
save(nd_instance_capture *capture)
{
    fc_fail fail = {0};
    fc_loop_timer_clear(capture->env->loop, &capture->save_timer);
    if (capture->directory[0] != '\0' &&
        capture->env->storage->ops->save(capture->env->storage, capture->directory, &capture->status,
                                         &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "capture %s: the journal was not written: %s", capture->want.name, fail.text);
    nd_instance_capture_save_evidence(capture);
}

static void
save_fire(fc_timer *timer)
{
    save(FC_CONTAINER(timer, nd_instance_capture, save_timer));
}

static void
save_within(nd_instance_capture *capture, int64_t ms)
{
    fc_timer *timer = &capture->save_timer;
    if (timer->slot == 0 || fc_mono_until_ms(fc_loop_now(capture->env->loop), timer->due) > ms)
        fc_loop_timer_after_ms(capture->env->loop, timer, ms);
}

static void
save_spec(nd_instance_capture *capture)
{
    fc_fail fail = {0};
    nd_storage *storage = capture->env->storage;
    if (capture->directory[0] != '\0' &&
        storage->ops->put_spec(storage, capture->directory, &capture->want, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "capture %s: spec.pb was not written: %s", capture->want.name, fail.text);
}

/* ---- effects ---- */

/* Gives the capture its directory with spec.pb. */
static fc_err
make_directory(nd_instance_capture *capture, fc_fail *fail)
{
    nd_env *env = capture->env;
    const nd_desired_capture *want = &capture->want;
    nd_storage_directory(want->name, want->uid, want->created, capture->directory);
    fc_err err = env->storage->ops->put_spec(env->storage, capture->directory, want, fail);
    if (err != FC_OK) {
        capture->directory[0] = '\0';
        return err;
    }
    free(capture->status.directory);
    capture->status.directory = fc_sprintf("%s/%s", env->captures_dir, capture->directory);
    return FC_OK;
}

static void
refuse(nd_instance_capture *capture, fc_stop_reason reason, const char *why)
{
    set_error(capture, why);
    /* What has run before has packets to show: it ends STOPPED. */
    if (capture->status.start.ns != 0 && capture->state == ND_STATE_PENDING) {
        nd_instance_capture_stop(capture, FC_STOP_NODE_RESTARTED);
        return;
    }
    /* Remembered over a restart: else the same capture would be tried again, and might run after it had
     * failed. */
    fc_fail fail = {0};
    if (capture->directory[0] == '\0' && make_directory(capture, &fail) != FC_OK)
        fc_log(FC_LOG_WARNING, "capture %s: that it was refused is not written down: %s", capture->want.name,
               fail.text);
    capture->status.stop_reason = reason;
    nd_instance_capture_event(capture, ND_EVENT_REFUSE);
}

static void
start_helper(nd_instance_capture *capture)
{
    nd_env *env = capture->env;
    const nd_identity *me = env->identity;
    fc_fail fail = {0};
    fc_strings interfaces = {0};
    fc_buf filter = {0};
    char prefix[ND_PREFIX_SIZE];
    fc_endpoint own[ND_OWN_ENDPOINTS_MAX];
    int dir_fd = -1;
    fc_stop_reason reason = FC_STOP_INTERFACE_GONE;
    fc_err err =
        env->interfaces(&capture->want.spec.interfaces, &env->policy->interfaces, &interfaces, &fail);
    if (err == FC_OK) {
        bool include = capture->want.spec.include_own_traffic || env->own == NULL;
        size_t own_count = include ? 0 : env->own(env->own_user, own, FC_COUNT(own));
        reason = FC_STOP_FILTER_REFUSED;
        err = fc_filter_expression(capture->want.spec.filters, capture->want.spec.filter_count,
                                   capture->want.spec.raw_filter, own, own_count, &filter, &fail);
    }
    if (err == FC_OK) {
        reason = FC_STOP_WRITE_ERROR;
        err = env->storage->ops->open_directory(env->storage, capture->directory, &dir_fd, &fail);
    }
    if (err == FC_OK) {
        free(capture->status.compiled_filter);
        capture->status.compiled_filter = fc_strndup(fc_buf_text(&filter), ND_FILTER_SHOWN_MAX);
        nd_storage_prefix(me->id, capture->want.created, prefix);
        nd_run_spec spec = {
            .capture_uid = capture->want.uid,
            .capture_name = capture->want.name,
            .instance_id = me->id,
            .instance_name = me->name,
            .scale_set = me->scale_set,
            .region = me->region,
            .zone = me->zone,
            .incident_id = capture->want.incident_id,
            .spec = &capture->want.spec,
            .filter = fc_buf_text(&filter),
            .ring_bytes = env->ring_bytes,
            .first_sequence = capture->next_sequence,
            .written_packets = capture->base.written_packets,
            .written_bytes = capture->base.written_bytes,
            .disk_floor_bytes = env->policy->disk_floor_bytes,
            .interfaces = &interfaces,
            .file_prefix = prefix,
            .window_end = capture->want.window_end,
            .dir_fd = dir_fd,
        };
        reason = FC_STOP_HELPER_DIED;
        nd_evidence_next_run(&capture->evidence, capture->base.written_packets, wall_now(capture));
        err = env->backend->ops->start(env->backend, &spec, &run_ops, capture, &capture->run, &fail);
    }
    fc_buf_fini(&filter);
    fc_strings_fini(&interfaces);
    if (err != FC_OK)
        refuse(capture, reason, fail.text);
}

static void
set_timer(nd_instance_capture *capture)
{
    fc_loop *loop = capture->env->loop;
    fc_wall end = capture->want.window_end;
    switch (capture->state) {
    case ND_STATE_PROVISIONING:
        fc_loop_timer_after_ms(loop, &capture->timer, ND_ARM_MS);
        break;
    case ND_STATE_ARMED:
    case ND_STATE_RUNNING: {
        if (!capture->go_known || end.ns == 0) {
            fc_loop_timer_clear(loop, &capture->timer);
            break;
        }
        int64_t left_ms = (end.ns - wall_now(capture).ns) / FC_NS_PER_MS + ND_WINDOW_GRACE_MS;
        int64_t start_ms = fc_mono_until_ms(fc_loop_now(loop), capture->start_by);
        if (capture->state == ND_STATE_ARMED && start_ms < left_ms)
            left_ms = start_ms;
        /* In hops, so that a stepped wall clock is noticed. */
        fc_loop_timer_after_ms(loop, &capture->timer, left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : left_ms);
        break;
    }
    case ND_STATE_STOPPING:
        fc_loop_timer_after_ms(loop, &capture->timer, ND_STOP_MS);
        break;
    default:
        fc_loop_timer_clear(loop, &capture->timer);
    }
}

static void
send_go(nd_instance_capture *capture)
{
    if (!capture->go_known || capture->run == NULL)
        return;
    int64_t wait_ns = capture->want.start.ns - wall_now(capture).ns;
    capture->start_by = fc_mono_after_ms(fc_loop_now(capture->env->loop),
                                         (wait_ns > 0 ? wait_ns / FC_NS_PER_MS : 0) + ND_START_MS);
    capture->run->backend->go(capture->run, capture->want.start, capture->want.window_end);
    set_timer(capture);
}

static void
release(nd_instance_capture *capture)
{
    if (capture->run != NULL)
        capture->run->backend->release(capture->run);
    capture->run = NULL;
}

static void
finish(nd_instance_capture *capture)
{
    fc_status *status = &capture->status;
    if (status->stop.ns == 0)
        status->stop = wall_now(capture);
    if (status->stop_reason == FC_STOP_NONE)
        status->stop_reason = FC_STOP_INTERNAL;
    fc_loop_timer_clear(capture->env->loop, &capture->timer);
    fc_loop_timer_clear(capture->env->loop, &capture->save_timer);
}

static void
do_effects(nd_instance_capture *capture, unsigned effects)
{
    if ((effects & ND_EFFECT_RELEASE) != 0)
        release(capture);
    if ((effects & ND_EFFECT_FINISH) != 0)
        finish(capture);
    if ((effects & ND_EFFECT_SEND_GO) != 0)
        send_go(capture);
    if ((effects & ND_EFFECT_SEND_STOP) != 0 && capture->run != NULL)
        capture->run->backend->stop(capture->run, capture->status.stop_reason);
    if ((effects & ND_EFFECT_KILL) != 0 && capture->run != NULL)
        capture->run->backend->kill(capture->run);
    if ((effects & (ND_EFFECT_REPORT | ND_EFFECT_REPORT_LATER)) != 0)
        nd_instance_capture_changed(capture, (effects & ND_EFFECT_REPORT) != 0);
    if ((effects & ND_EFFECT_SAVE_SPEC) != 0)
        save_spec(capture);
    if ((effects & ND_EFFECT_SAVE) != 0)
        save(capture);
    /* These may bring the next event at once: nothing of this transition comes after them. */
    if ((effects & ND_EFFECT_START) != 0)
        start_helper(capture);
    else if ((effects & ND_EFFECT_RECOVER) != 0)
        capture->env->storage->ops->recover(capture->env->storage, capture->directory, &capture->status);
}

void
nd_instance_capture_event(nd_instance_capture *capture, nd_event event)
{
    nd_transition next = nd_state_next(capture->state, event);
    bool read_context_later = false;
    if (!next.known) {
        capture->ignored_events++;
        fc_log(FC_LOG_DEBUG, "capture %s: %s means nothing while %s", capture->want.name,
               nd_event_name(event), nd_state_name(capture->state));
        return;
    }
    if (next.to != capture->state) {
        const char *reason = fc_stop_reason_name(capture->status.stop_reason);
        fc_log(FC_LOG_INFO, "capture %s (%.8s): %s -> %s on %s%s%s%s%s", capture->want.name,
               capture->want.uid, nd_state_name(capture->state), nd_state_name(next.to), nd_event_name(event),
               *reason ? ", " : "", reason, capture->status.error != NULL ? ": " : "",
               capture->status.error != NULL ? capture->status.error : "");
        capture->state = next.to;
        capture->status.state = nd_state_reported(next.to);
        capture->status.armed = next.to == ND_STATE_ARMED || next.to == ND_STATE_RUNNING;
        set_timer(capture);
        nd_instance_capture_listen(capture);
        if (next.to == ND_STATE_RUNNING || nd_state_final(next.to))
            read_context_later = true;
    }
    do_effects(capture, next.effects);
    if (read_context_later) /* behind what the effects posted: the change of state is told first */
        fc_loop_post(capture->env->loop, &capture->context_task);
}

/* ---- what a helper says ---- */

static void
run_armed(void *user, uint64_t ring_bytes)
{
    nd_instance_capture *capture = user;
    capture->status.ring_bytes = ring_bytes;
    nd_instance_capture_event(capture, ND_EVENT_HELPER_ARMED);
}

static void
run_started(void *user, fc_wall start)
{
    nd_instance_capture *capture = user;
    fc_status *status = &capture->status;
    if (status->start.ns == 0)
        status->start = start;
    if (capture->gap_from.ns != 0 && status->gap_count < FC_GAPS_MAX) {
        status->gaps = fc_grow_array(status->gaps, status->gap_count + 1, sizeof status->gaps[0]);
        status->gaps[status->gap_count++] = (fc_gap){capture->gap_from, start};
    } else if (capture->gap_from.ns != 0) {
        status->gaps[status->gap_count - 1].to = start; /* rather too long a gap than one that is not shown */
    }
    capture->gap_from.ns = 0;
    nd_instance_capture_event(capture, ND_EVENT_HELPER_STARTED);
}

static bool
same_segment(const fc_segment *a, const fc_segment *b)
{
    return a->size_bytes == b->size_bytes && a->packets == b->packets && a->sealed == b->sealed &&
           a->removed == b->removed && a->last_packet.ns == b->last_packet.ns;
}

/* False when the helper says what cannot be. *ret_new: something was not known yet. */
static bool
take_segment(nd_instance_capture *capture, const fc_segment *said, bool *ret_new)
{
    fc_segment segment = *said;
    if (said->sequence == 0 || strchr(said->path, '/') != NULL ||
        snprintf(segment.path, sizeof segment.path, "%s/%s", capture->directory, said->path) >=
            (int)sizeof segment.path ||
        !fc_segment_path_check(segment.path))
        return false;
    for (size_t i = capture->status.segment_count; i-- > 0;) {
        const fc_segment *known = &capture->status.segments[i];
        if (known->sequence != said->sequence)
            continue;
        if (known->sealed && !said->sealed)
            return true; /* the helper's writer said so before its other thread told what it had seen */
        segment.hashed = known->hashed; /* the helper knows no hashes */
        memcpy(segment.sha256, known->sha256, sizeof segment.sha256);
        segment.removed = segment.removed || known->removed;
        if (same_segment(&segment, known))
            return true;
        break;
    }
    nd_instance_capture_put_segment(capture, &segment);
    *ret_new = true;
    if (segment.sealed && !segment.removed && !segment.hashed)
        capture->env->storage->ops->hash(capture->env->storage, capture->want.uid, &segment);
    return true;
}

/* True when it says something new. */
static bool
fold_progress(nd_instance_capture *capture, const nd_progress *progress)
{
    fc_status *status = &capture->status;
    fc_counters before = status->counters;
    bool changed = false;
    status->counters = capture->base;
    fc_counters_add(&status->counters, &progress->counters);
    if (status->first_packet.ns == 0)
        status->first_packet = progress->first_packet;
    if (progress->last_packet.ns > status->last_packet.ns)
        status->last_packet = progress->last_packet;
    if (progress->has_current && !take_segment(capture, &progress->current, &changed))
        fc_log(FC_LOG_WARNING, "capture %s: the helper names a file '%.64s' that cannot be",
               capture->want.name, progress->current.path);
    return changed || memcmp(&before, &status->counters, sizeof before) != 0;
}

static void
run_progress(void *user, const nd_progress *progress)
{
    nd_instance_capture *capture = user;
    nd_instance_capture_heard(capture);
    if (!fold_progress(capture, progress))
        return;
    save_within(capture, ND_SAVE_PROGRESS_MS);
    nd_instance_capture_event(capture, ND_EVENT_HELPER_PROGRESS);
}

static void
run_segment(void *user, const fc_segment *segment)
{
    nd_instance_capture *capture = user;
    bool changed = false;
    nd_instance_capture_heard(capture);
    if (!take_segment(capture, segment, &changed)) {
        fc_log(FC_LOG_WARNING, "capture %s: the helper names a file '%.64s' that cannot be",
               capture->want.name, segment->path);
        return;
    }
    if (!changed)
        return;
    nd_instance_capture_prune(capture);
    save_within(capture, ND_SAVE_SEGMENT_MS);
    nd_instance_capture_event(capture, ND_EVENT_HELPER_SEGMENT);
}

static void
run_stopped(void *user, fc_stop_reason reason, const char *error, const nd_progress *final, fc_wall stop)
{
    nd_instance_capture *capture = user;
    nd_instance_capture_heard(capture);
    if (final != NULL)
        (void)fold_progress(capture, final);
    /* The helper knows best why it ended: a limit may have come before our word. */
    if (reason != FC_STOP_NONE)
        capture->status.stop_reason = reason;
    if (error != NULL && *error != '\0')
        set_error(capture, error);
    capture->status.stop = stop;
    nd_instance_capture_event(capture, ND_EVENT_HELPER_STOPPED);
}

static void
run_failed(void *user, fc_stop_reason reason, const char *error)
{
    nd_instance_capture *capture = user;
    nd_instance_capture_heard(capture);
    capture->status.stop_reason = reason != FC_STOP_NONE ? reason : FC_STOP_INTERNAL;
    set_error(capture,
              error != NULL && *error != '\0' ? error : "the capture helper failed and did not say why");
    nd_instance_capture_event(capture, ND_EVENT_HELPER_FAILED);
}

static void
run_died(void *user, const char *how)
{
    nd_instance_capture *capture = user;
    capture->status.stop_reason = FC_STOP_HELPER_DIED;
    capture->gap_from.ns = 0;
    if (capture->status.error == NULL || capture->silent) {
        char text[FC_ERROR_TEXT];
        (void)snprintf(text, sizeof text, "the capture helper %s", how);
        set_error(capture, text);
    }
    nd_instance_capture_event(capture, ND_EVENT_HELPER_DIED);
}

static const nd_run_ops run_ops = {run_armed,   run_started, run_progress, run_segment,
                                   run_stopped, run_failed,  run_died,     nd_instance_capture_profile};

/* ---- what the node says ---- */

/* Armed or running: the window's end, a start that did not come, or just a hop. */
static void
window_fire(nd_instance_capture *capture)
{
    bool running = capture->state == ND_STATE_RUNNING;
    if (wall_now(capture).ns >= capture->want.window_end.ns) {
        nd_instance_capture_stop(capture, running ? FC_STOP_TIME_LIMIT : FC_STOP_WINDOW_CLOSED);
    } else if (!running && fc_loop_now(capture->env->loop).ns >= capture->start_by.ns) {
        capture->status.stop_reason = FC_STOP_HELPER_DIED;
        set_error(capture, "the capture helper did not start within 10 s of its instant, and was killed");
        nd_instance_capture_event(capture, ND_EVENT_TIMEOUT);
    } else {
        set_timer(capture);
    }
}

static void
timer_fire(fc_timer *timer)
{
    nd_instance_capture *capture = FC_CONTAINER(timer, nd_instance_capture, timer);
    switch (capture->state) {
    case ND_STATE_PENDING:
        nd_instance_capture_restore(capture, NULL, (fc_wall){0});
        break;
    case ND_STATE_ARMED:
    case ND_STATE_RUNNING:
        window_fire(capture);
        break;
    case ND_STATE_PROVISIONING:
        capture->status.stop_reason = FC_STOP_HELPER_DIED;
        set_error(capture, "the capture helper did not open its ring within 10 s, and was killed");
        nd_instance_capture_event(capture, ND_EVENT_TIMEOUT);
        break;
    case ND_STATE_STOPPING:
        if (capture->status.error == NULL || capture->silent)
            set_error(capture, "the capture helper did not stop within 15 s, and was killed");
        nd_instance_capture_event(capture, ND_EVENT_TIMEOUT);
        set_timer(capture);
        break;
    default:
        break;
    }
}

nd_instance_capture *
nd_instance_capture_new(nd_env *env, nd_desired_capture *want)
{
    nd_instance_capture *capture = FC_NEW(nd_instance_capture);
    const nd_identity *me = env->identity;
    fc_status *status = &capture->status;
    capture->env = env;
    nd_desired_capture_take(&capture->want, want);
    capture->timer.fire = timer_fire;
    capture->save_timer.fire = save_fire;
    capture->silence_timer.fire = nd_instance_capture_silence_fire;
    capture->context_task.run = nd_instance_capture_context_run;
    capture->next_sequence = 1;
    capture->state = ND_STATE_PENDING;
    capture->go_known = capture->want.start.ns != 0;
    status->state = FC_STATE_PENDING;
    memcpy(status->capture_uid, capture->want.uid, sizeof status->capture_uid);
    memcpy(status->capture_name, capture->want.name, sizeof status->capture_name);
    (void)snprintf(status->instance_id, sizeof status->instance_id, "%s", me->id);
    (void)snprintf(status->instance_name, sizeof status->instance_name, "%s", me->name);
    (void)snprintf(status->region, sizeof status->region, "%s", me->region);
    (void)snprintf(status->scale_set, sizeof status->scale_set, "%s", me->scale_set);
    return capture;
}

void
nd_instance_capture_free(nd_instance_capture *capture)
{
    if (capture == NULL)
        return;
    fc_loop_timer_clear(capture->env->loop, &capture->timer);
    fc_loop_timer_clear(capture->env->loop, &capture->save_timer);
    fc_loop_timer_clear(capture->env->loop, &capture->silence_timer);
    fc_loop_withdraw(capture->env->loop, &capture->context_task);
    release(capture);
    nd_evidence_fini(&capture->evidence);
    nd_desired_capture_fini(&capture->want);
    fc_status_fini(&capture->status);
    free(capture->segment_marks);
    free(capture);
}

static fc_wall
window_from(const nd_desired_capture *want, fc_wall start, fc_wall window_end)
{
    if (window_end.ns != 0 || want->spec.time_limit_s == 0)
        return window_end;
    return (fc_wall){start.ns + (int64_t)want->spec.time_limit_s * FC_NS_PER_S};
}

void
nd_instance_capture_admit(nd_instance_capture *capture)
{
    nd_env *env = capture->env;
    nd_desired_capture *want = &capture->want;
    fc_fail fail = {0};
    fc_stop_reason reason = FC_STOP_POLICY_REFUSED;
    nd_policy_facts facts = {.free_bytes = env->storage->ops->free_bytes(env->storage),
                             .captures_active = env->active(env, capture)};
    fc_err err = want->has_spec ? fc_spec_check(&want->spec, &fail) : fc_fail_copy(&fail, &want->spec_fail);
    if (err != FC_OK)
        reason = strncmp(fail.field, "filters", 7) == 0 || strncmp(fail.field, "raw", 3) == 0
                     ? FC_STOP_FILTER_REFUSED
                     : FC_STOP_POLICY_REFUSED;
    else
        err = nd_policy_check(env->policy, &want->spec, &facts, &reason, &fail);
    if (err == FC_OK && capture->directory[0] == '\0') {
        if (capture->go_known)
            want->window_end = window_from(want, want->start, want->window_end);
        reason = FC_STOP_WRITE_ERROR;
        err = make_directory(capture, &fail);
    }
    if (err != FC_OK)
        refuse(capture, reason, fail.text);
    else
        nd_instance_capture_event(capture, ND_EVENT_ADMIT);
}

void
nd_instance_capture_go(nd_instance_capture *capture, fc_wall start, fc_wall window_end)
{
    if (capture->go_known)
        return;
    capture->go_known = true;
    capture->want.start = start;
    capture->want.window_end = window_from(&capture->want, start, window_end);
    nd_instance_capture_event(capture, ND_EVENT_GO);
}

void
nd_instance_capture_stop(nd_instance_capture *capture, fc_stop_reason reason)
{
    if (nd_state_final(capture->state))
        return;
    if (capture->status.stop_reason == FC_STOP_NONE)
        capture->status.stop_reason = reason;
    if (!capture->restoring) /* else the restore ends with it, once the files are in order */
        nd_instance_capture_event(capture, ND_EVENT_STOP);
}

void
nd_instance_capture_hashed(nd_instance_capture *capture, uint32_t sequence, uint64_t size_bytes,
                           const uint8_t sha256[32])
{
    for (size_t i = 0; i < capture->status.segment_count; i++) {
        if (capture->status.segments[i].sequence != sequence)
            continue;
        fc_segment segment = capture->status.segments[i];
        memcpy(segment.sha256, sha256, sizeof segment.sha256);
        segment.hashed = true;
        segment.size_bytes = size_bytes;
        nd_instance_capture_put_segment(capture, &segment);
        nd_instance_capture_changed(capture, nd_state_final(capture->state));
        save_within(capture, ND_SAVE_SEGMENT_MS);
        return;
    }
}
