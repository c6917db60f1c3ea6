/* restore.c: an instance capture after its node's, or its helper's, death. Declared in instance_capture.h. */
#include "node/instance_capture.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

fc_stop_reason
nd_restore_reason(const nd_desired_capture *want, const fc_status *status, fc_wall now, fc_wall lease_end)
{
    if (status->stop_reason != FC_STOP_NONE)
        return status->stop_reason; /* it was stopping already */
    if (lease_end.ns != 0 && now.ns >= lease_end.ns)
        return FC_STOP_LEASE_EXPIRED;
    if (want->window_end.ns != 0 && now.ns >= want->window_end.ns)
        return status->start.ns != 0 ? FC_STOP_TIME_LIMIT : FC_STOP_WINDOW_CLOSED;
    if (want->spec.session_bytes > 0 && status->counters.written_bytes >= want->spec.session_bytes)
        return FC_STOP_SESSION_BYTES;
    if (want->spec.packet_limit > 0 && status->counters.written_packets >= want->spec.packet_limit)
        return FC_STOP_PACKET_COUNT;
    if (!want->has_spec)
        return FC_STOP_NODE_RESTARTED;
    return FC_STOP_NONE;
}

static const fc_segment *
find_segment(const fc_status *status, uint32_t sequence)
{
    for (size_t i = 0; i < status->segment_count; i++)
        if (status->segments[i].sequence == sequence)
            return &status->segments[i];
    return NULL;
}

static uint64_t
plus_difference(uint64_t sum, uint64_t is, uint64_t was)
{
    if (is >= was)
        return sum + (is - was);
    return sum > was - is ? sum - (was - is) : 0;
}

static void
fold_one(fc_status *status, const nd_found *found)
{
    const fc_segment *known = find_segment(status, found->segment.sequence);
    fc_segment segment = found->segment;
    uint64_t known_packets = known != NULL ? known->packets : 0;
    if (known != NULL && known->sealed && !found->segment.repaired)
        return; /* nothing new */
    fc_counters *counters = &status->counters;
    counters->written_packets = plus_difference(counters->written_packets, segment.packets, known_packets);
    /* Captured bytes are not kept per segment: the new packets' share of the file's, which is exact when all
     * are new. */
    if (segment.packets > known_packets)
        counters->written_bytes +=
            (uint64_t)((double)found->captured_bytes *
                       ((double)(segment.packets - known_packets) / (double)segment.packets));
    counters->file_bytes =
        plus_difference(counters->file_bytes, segment.size_bytes, known != NULL ? known->size_bytes : 0);
    if (segment.first_packet.ns != 0 &&
        (status->first_packet.ns == 0 || segment.first_packet.ns < status->first_packet.ns))
        status->first_packet = segment.first_packet;
    if (segment.last_packet.ns > status->last_packet.ns)
        status->last_packet = segment.last_packet;
    fc_status_put_segment(status, &segment);
}

void
nd_restore_fold(fc_status *status, const nd_recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++)
        fold_one(status, &recovery->found[i]);
    /* What was listed and is not there any more: a ring that turned, or an open file that never had a block.
     */
    for (size_t i = 0; i < status->segment_count && recovery->fail.err == FC_OK; i++) {
        bool there = false;
        for (size_t f = 0; f < recovery->count && !there; f++)
            there = recovery->found[f].segment.sequence == status->segments[i].sequence;
        if (!there)
            status->segments[i].removed = status->segments[i].sealed = true;
    }
    /* The files prove packets that the last counters did not have yet: they did match. */
    int64_t unaccounted = fc_counters_unaccounted(&status->counters);
    if (unaccounted < 0)
        status->counters.matched_packets += (uint64_t)-unaccounted;
}

static fc_wall
last_seen(const fc_status *status, const nd_recovery *recovery)
{
    fc_wall last = status->last_packet.ns > status->start.ns ? status->last_packet : status->start;
    for (size_t i = 0; i < recovery->count; i++)
        if (recovery->found[i].modified.ns > last.ns)
            last = recovery->found[i].modified;
    return last;
}

static void
adopt(nd_instance_capture *capture, fc_status *status, fc_wall lease_end)
{
    fc_status fresh = capture->status; /* identity as it is now */
    nd_storage_directory(capture->want.name, capture->want.uid, capture->want.created, capture->directory);
    if (status->capture_uid[0] != '\0') {
        capture->status = *status;
        memcpy(capture->status.instance_id, fresh.instance_id, sizeof fresh.instance_id);
        memcpy(capture->status.instance_name, fresh.instance_name, sizeof fresh.instance_name);
        memcpy(capture->status.region, fresh.region, sizeof fresh.region);
        memcpy(capture->status.scale_set, fresh.scale_set, sizeof fresh.scale_set);
    } else {
        fc_status_fini(status);
    }
    memset(status, 0, sizeof *status);
    if (capture->status.directory == NULL)
        capture->status.directory = fc_sprintf("%s/%s", capture->env->captures_dir, capture->directory);
    if (capture->status.state == FC_STATE_RUNNING) { /* that its helper was silent, at most */
        free(capture->status.error);
        capture->status.error = NULL;
    }
    capture->status.armed = false;
    nd_instance_capture_remark(capture);
    capture->restoring = true;
    capture->restore_until = fc_mono_after_ms(fc_loop_now(capture->env->loop), ND_RESTORE_MS);
    capture->restore_lease_end = lease_end;
}

static void
hash_missing(nd_instance_capture *capture)
{
    for (size_t i = 0; i < capture->status.segment_count; i++) {
        const fc_segment *segment = &capture->status.segments[i];
        if (segment->sealed && !segment->removed && !segment->hashed)
            capture->env->storage->ops->hash(capture->env->storage, capture->want.uid, segment);
    }
}

/* When its helper is gone: that may have left its last profile. */
static void
load_evidence(nd_instance_capture *capture)
{
    nd_evidence_load(&capture->evidence, capture->env->storage, capture->directory,
                     fc_clock_wall(fc_loop_clock(capture->env->loop)));
    nd_instance_capture_save_evidence(capture);
}

/* The files are in order and nobody else works on them. */
static void
decide(nd_instance_capture *capture, const nd_recovery *recovery)
{
    fc_status *status = &capture->status;
    fc_wall now = fc_clock_wall(fc_loop_clock(capture->env->loop));
    fc_wall seen = last_seen(status, recovery);
    load_evidence(capture);
    nd_restore_fold(status, recovery);
    nd_instance_capture_remark(capture);
    hash_missing(capture);
    capture->base = status->counters;
    fc_stop_reason reason = nd_restore_reason(&capture->want, status, now, capture->restore_lease_end);
    status->state = FC_STATE_PENDING;
    if (reason != FC_STOP_NONE) {
        if (status->stop.ns == 0 && status->start.ns != 0)
            status->stop = seen; /* it watched no longer than this */
        nd_instance_capture_stop(capture, reason);
        return;
    }
    if (status->start.ns != 0)
        capture->gap_from = seen;
    fc_log(FC_LOG_NOTICE, "capture %s (%.8s): goes on after a restart, with segment %u", capture->want.name,
           capture->want.uid, capture->next_sequence);
    nd_instance_capture_admit(capture);
}

void
nd_instance_capture_restore(nd_instance_capture *capture, fc_status *status, fc_wall lease_end)
{
    fc_loop *loop = capture->env->loop;
    nd_storage *storage = capture->env->storage;
    if (status != NULL)
        adopt(capture, status, lease_end);
    if (fc_state_final(capture->status.state)) {
        load_evidence(capture);
        capture->restoring = false;
        capture->state = capture->status.state == FC_STATE_STOPPED ? ND_STATE_STOPPED : ND_STATE_FAILED;
        nd_instance_capture_changed(capture, true);
        hash_missing(capture);
        return;
    }
    nd_recovery recovery = {0};
    fc_fail fail = {0};
    fc_err err = storage->ops->recover_now(storage, capture->directory, &capture->status, &recovery, &fail);
    if (err == FC_ERR_AGAIN && fc_loop_now(loop).ns < capture->restore_until.ns) {
        fc_loop_timer_after_ms(loop, &capture->timer, ND_RESTORE_RETRY_MS);
        return;
    }
    capture->restoring = false;
    if (err != FC_OK) {
        free(capture->status.error);
        capture->status.error = fc_strdup(fail.text);
        nd_instance_capture_stop(capture, FC_STOP_NODE_RESTARTED);
        return;
    }
    decide(capture, &recovery);
    nd_recovery_fini(&recovery);
}

void
nd_instance_capture_recovered(nd_instance_capture *capture, const nd_recovery *recovery)
{
    if (capture->state != ND_STATE_RECOVERING)
        return;
    nd_restore_fold(&capture->status, recovery);
    nd_instance_capture_remark(capture);
    hash_missing(capture);
    if (recovery->fail.err != FC_OK)
        fc_log(FC_LOG_WARNING, "capture %s: not all files could be repaired: %s", capture->want.name,
               recovery->fail.text);
    nd_instance_capture_event(capture, ND_EVENT_RECOVERED);
}
