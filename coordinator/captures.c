#include "coordinator/captures.h"

#include "common/base/mem.h"
#include "coordinator/coordinator.h"
#include "coordinator/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How long after its window a capture that did not end still counts against quotas. */
enum { QUOTA_GRACE_S = 60 };

static const uint8_t fold_order[CO_STATE_COUNT] = {[FC_STATE_NONE] = UINT8_MAX,
#define X(name, number, text, order) [FC_STATE_##name] = order,
                                                   FC_STATES(X)
#undef X
};

/* ---- life of a capture ---- */

co_capture *
co_capture_new(struct co *co, fc_definition *definition, const char *uid, size_t part_count)
{
    co_capture *capture = FC_NEW(co_capture);
    capture->co = co;
    (void)snprintf(capture->uid, sizeof capture->uid, "%s", uid);
    capture->definition = *definition;
    memset(definition, 0, sizeof *definition);
    capture->parts = fc_alloc_array(part_count > 0 ? part_count : 1, sizeof(co_part));
    capture->state = FC_STATE_PENDING;
    return capture;
}

static uint32_t
region_index(co_capture *capture, const char *name)
{
    for (size_t i = 0; i < capture->region_count; i++)
        if (strcmp(capture->regions[i].name, name) == 0)
            return (uint32_t)i;
    capture->regions = fc_grow_array(capture->regions, capture->region_count + 1, sizeof(co_region));
    co_region *region = &capture->regions[capture->region_count];
    *region = (co_region){0};
    (void)snprintf(region->name, sizeof region->name, "%s", name);
    return (uint32_t)capture->region_count++;
}

static void
link_newest(co_capture *capture, co_part *part)
{
    part->older = capture->newest;
    part->newer = NULL;
    if (capture->newest != NULL)
        capture->newest->newer = part;
    capture->newest = part;
    part->change = ++capture->change;
}

static void
unlink_change(co_capture *capture, co_part *part)
{
    if (part->newer != NULL)
        part->newer->older = part->older;
    else
        capture->newest = part->older;
    if (part->older != NULL)
        part->older->newer = part->newer;
}

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

co_part *
co_capture_add_part(co_capture *capture, co_instance *instance)
{
    co_part *part = &capture->parts[capture->part_count++];
    part->capture = capture;
    part->instance = instance;
    part->action = CO_ACTION_RUN;
    part->status.state = FC_STATE_PENDING;
    COPY(part->status.capture_uid, capture->uid);
    COPY(part->status.capture_name, capture->definition.name);
    COPY(part->status.instance_id, instance->id);
    COPY(part->status.instance_name, instance->name);
    COPY(part->status.region, instance->region);
    COPY(part->status.scale_set, instance->scale_set);
    part->shown = FC_STATE_PENDING;
    part->region = region_index(capture, instance->region);
    capture->regions[part->region].unfinished++;
    capture->counts[FC_STATE_PENDING]++;
    capture->unfinished++;
    capture->kept++;
    link_newest(capture, part);
    instance->references++;
    return part;
}

static void
enter_part(co_part *part)
{
    DL_PREPEND(part->instance->parts, part);
    part->instance->part_count++;
    if (!fc_state_final(part->shown))
        part->instance->unfinished++;
}

static void
leave_instance(co_part *part)
{
    DL_DELETE(part->instance->parts, part);
    part->instance->part_count--;
    if (!fc_state_final(part->shown))
        part->instance->unfinished--;
    part->gone = true;
    part->forgotten = true;
}

void
co_capture_enter(struct co *co, co_capture *capture)
{
    co_captures *captures = &co->captures;
    HASH_ADD_STR(captures->by_uid, uid, capture);
    if (!capture->deleted) {
        const char *name = capture->definition.name;
        HASH_ADD_KEYPTR(hh_name, captures->by_name, name, strlen(name), capture);
    }
    captures->count++;
    for (size_t i = 0; i < capture->part_count; i++)
        enter_part(&capture->parts[i]);
}

co_part *
co_capture_restore_part(struct co *co, co_capture *capture, co_instance *instance, fc_status *status,
                        bool gone)
{
    co_part *part = co_capture_add_part(capture, instance);
    enter_part(part);
    fc_status_fini(&part->status);
    part->status = *status;
    memset(status, 0, sizeof *status);
    part->told = true;
    part->generation = instance->generation + 1;
    co_part_fold(co, part);
    if (gone) {
        leave_instance(part);
        capture->kept--;
    }
    return part;
}

void
co_capture_free(co_capture *capture)
{
    if (capture == NULL)
        return;
    for (size_t i = 0; i < capture->part_count; i++) {
        co_part *part = &capture->parts[i];
        part->instance->references--;
        co_evidence_free(capture->co, part);
        fc_status_fini(&part->status);
        free(part->dirty_segments);
    }
    fc_loop_timer_clear(capture->co->loop, &capture->arm_timer);
    fc_definition_fini(&capture->definition);
    free(capture->compiled_filter);
    free(capture->regions);
    free(capture->parts);
    free(capture);
}

static void
leave_names(co_captures *captures, co_capture *capture)
{
    if (capture->hh_name.tbl != NULL)
        HASH_DELETE(hh_name, captures->by_name, capture);
    capture->hh_name.tbl = NULL;
}

static void
remove_capture(struct co *co, co_capture *capture)
{
    leave_names(&co->captures, capture);
    HASH_DEL(co->captures.by_uid, capture);
    co->captures.count--;
    co_capture_free(capture);
}

void
co_captures_fini(struct co *co)
{
    while (co->captures.by_uid != NULL) {
        co_capture *capture = co->captures.by_uid;
        for (size_t i = 0; i < capture->part_count; i++)
            if (!capture->parts[i].gone)
                DL_DELETE(capture->parts[i].instance->parts, &capture->parts[i]);
        remove_capture(co, capture);
    }
}

void
co_capture_hold(co_capture *capture)
{
    capture->references++;
}

void
co_capture_release(struct co *co, co_capture *capture)
{
    if (capture->references > 0)
        capture->references--;
    /* When the store refuses, the sweep comes back to it. */
    if (capture->deleted && capture->references == 0 && capture->kept == 0 &&
        co_persist_remove_capture(co, capture, NULL) == FC_OK)
        remove_capture(co, capture);
}

void
co_capture_delete(struct co *co, co_capture *capture)
{
    capture->deleted = true;
    leave_names(&co->captures, capture);
    co_capture_changed(co, capture);
}

bool
co_capture_active(const struct co *co, const co_capture *capture)
{
    if (capture->deleted || capture->unfinished == 0)
        return false;
    return capture->start.ns == 0 || co_wall(co).ns < capture->window_end.ns + QUOTA_GRACE_S * FC_NS_PER_S;
}

/* ---- looking up ---- */

co_capture *
co_capture_find(const co_captures *captures, const char *name)
{
    co_capture *capture = NULL;
    HASH_FIND(hh_name, captures->by_name, name, strlen(name), capture);
    return capture;
}

co_capture *
co_capture_find_uid(const co_captures *captures, const char *uid)
{
    co_capture *capture = NULL;
    HASH_FIND_STR(captures->by_uid, uid, capture);
    return capture;
}

co_part *
co_part_find(const co_instance *instance, const char *capture_uid)
{
    for (co_part *part = instance->parts; part != NULL; part = part->next)
        if (strcmp(part->capture->uid, capture_uid) == 0)
            return part;
    return NULL;
}

co_part *
co_part_of(const co_capture *capture, const co_instance *instance)
{
    for (co_part *part = instance->parts; part != NULL; part = part->next)
        if (part->capture == capture)
            return part;
    return NULL;
}

/* ---- folding ---- */

static fc_state
shown_state(const co_part *part)
{
    fc_state said = part->status.state;
    bool in_doubt = said == FC_STATE_PROVISIONING || said == FC_STATE_RUNNING || said == FC_STATE_STOPPING;
    return in_doubt && !co_instance_reachable(part->instance) ? FC_STATE_UNKNOWN : said;
}

static fc_state
folded_state(const co_capture *capture)
{
    fc_state least = FC_STATE_NONE;
    for (fc_state state = FC_STATE_PENDING; state <= FC_STATE_UNKNOWN; state++)
        if (capture->counts[state] > 0 && fold_order[state] < fold_order[least])
            least = state;
    return least;
}

static uint32_t
starting(const co_capture *capture)
{
    return capture->counts[FC_STATE_PENDING] + capture->counts[FC_STATE_PROVISIONING];
}

static void
fold_counters(co_part *part)
{
    fc_counters *totals = &part->capture->totals;
    /* Unsigned: what a lying instance overflows wraps, and comes out again with its next report. */
#define X(name, unit, in_sum, text) totals->name += part->status.counters.name - part->counted.name;
    FC_STATUS_COUNTERS(X)
#undef X
    part->counted = part->status.counters;
}

void
co_part_fold(struct co *co, co_part *part)
{
    (void)co;
    co_capture *capture = part->capture;
    uint32_t were_starting = starting(capture);
    fc_state shown = shown_state(part);
    bool was_final = fc_state_final(part->shown);
    bool is_final = fc_state_final(shown);
    capture->counts[part->shown]--;
    capture->counts[shown]++;
    part->shown = shown;
    if (was_final != is_final) {
        uint32_t step = is_final ? UINT32_MAX : 1; /* minus one, modulo 2^32 */
        capture->unfinished += step;
        capture->regions[part->region].unfinished += step;
        if (!part->gone)
            part->instance->unfinished += step;
    }
    fold_counters(part);
    unlink_change(capture, part);
    link_newest(capture, part);
    fc_state before = capture->state;
    capture->state = folded_state(capture);
    bool all_started = were_starting > 0 && starting(capture) == 0;
    bool all_over = is_final && !was_final && capture->unfinished == 0;
    co_watch_changed(capture, before != capture->state || all_started || all_over);
}

void
co_capture_changed(struct co *co, co_capture *capture)
{
    capture->change++;
    co_persist_capture(co, capture);
    co_watch_changed(capture, true);
}

/* ---- waiting ---- */

void
co_wait_add(co_part *part, co_wait *wait)
{
    wait->part = part;
    DL_APPEND(part->waits, wait);
}

void
co_wait_remove(co_wait *wait)
{
    if (wait->part != NULL)
        DL_DELETE(wait->part->waits, wait);
    wait->part = NULL;
}

static void
fire_waits(co_part *part, bool forgotten)
{
    co_wait *wait, *next;
    DL_FOREACH_SAFE (part->waits, wait, next) {
        if (wait->for_forgotten && !forgotten)
            continue;
        DL_DELETE(part->waits, wait);
        wait->part = NULL;
        wait->fire(wait);
    }
}

/* ---- what instances say ---- */

static size_t
segment_place(const fc_status *status, uint32_t sequence)
{
    size_t low = 0, high = status->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (status->segments[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const fc_segment *
co_part_segment_from(const co_part *part, uint32_t sequence)
{
    size_t at = segment_place(&part->status, sequence);
    return at < part->status.segment_count ? &part->status.segments[at] : NULL;
}

const fc_segment *
co_part_segment(const co_part *part, uint32_t sequence)
{
    const fc_segment *segment = co_part_segment_from(part, sequence);
    return segment != NULL && segment->sequence == sequence ? segment : NULL;
}

static bool
segment_equal(const fc_segment *a, const fc_segment *b)
{
    return strcmp(a->path, b->path) == 0 && a->size_bytes == b->size_bytes && a->hashed == b->hashed &&
           memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0 && a->packets == b->packets &&
           a->first_packet.ns == b->first_packet.ns && a->last_packet.ns == b->last_packet.ns &&
           a->sealed == b->sealed && a->repaired == b->repaired;
}

static void
merge_segment(struct co *co, co_part *part, const fc_segment *segment)
{
    fc_status *known = &part->status;
    size_t at = segment_place(known, segment->sequence);
    fc_segment *old = at < known->segment_count && known->segments[at].sequence == segment->sequence
                          ? &known->segments[at]
                          : NULL;
    if (segment->removed ? old == NULL : old != NULL && segment_equal(old, segment))
        return;
    if (segment->removed) {
        memmove(old, old + 1, (known->segment_count - at - 1) * sizeof *old);
        known->segment_count--;
    } else if (old == NULL &&
               known->segment_count >= part->capture->definition.spec.ring_files + CO_SEGMENTS_EXTRA_MAX) {
        co->counters.segments_refused++;
        return;
    } else {
        fc_status_put_segment(known, segment);
    }
    co_persist_segment(co, part, segment->sequence);
}

static void
move_text(char **to, char **from)
{
    if (*from == NULL)
        return;
    free(*to);
    *to = *from;
    *from = NULL;
}

static void
take_status(co_part *part, fc_status *status)
{
    fc_status *known = &part->status;
    known->state = status->state;
    known->stop_reason = status->stop_reason;
    known->armed = status->armed;
    known->counters = status->counters;
    known->start = status->start;
    known->stop = status->stop;
    known->first_packet = status->first_packet;
    known->last_packet = status->last_packet;
    known->generation = status->generation;
    known->revision = status->revision;
    known->ring_bytes = status->ring_bytes;
    free(known->gaps);
    known->gaps = status->gaps;
    known->gap_count = status->gap_count;
    status->gaps = NULL;
    status->gap_count = 0;
    free(known->error);
    known->error = status->error;
    status->error = NULL;
    move_text(&known->compiled_filter, &status->compiled_filter);
    move_text(&known->directory, &status->directory);
}

static void
after_state(struct co *co, co_part *part, bool was_final)
{
    bool is_final = fc_state_final(part->status.state);
    if (is_final && part->action == CO_ACTION_RUN) {
        /* Over is over: an instance that lost its memory must not begin again. */
        part->action = CO_ACTION_STOP;
        part->stop_reason = part->status.stop_reason;
    }
    co_part_fold(co, part);
    co_persist_part(co, part);
    if (part->status.armed || part->status.state > FC_STATE_PROVISIONING)
        co_reconcile_armed(co, part);
    if (is_final && !was_final)
        fire_waits(part, false);
}

/* Nothing new: what every instance says of its finished captures after it has connected again. */
static bool
known_already(const co_part *part, const fc_status *status)
{
    return status->revision > 0 && status->revision == part->status.revision &&
           status->state == part->status.state;
}

static void
take_report(struct co *co, co_part *part, fc_status *status, bool *ret_durable)
{
    bool was_final = fc_state_final(part->status.state);
    bool matters = fc_state_final(status->state);
    co->counters.reports++;
    part->floor = status->revision;
    part->told = true;
    for (size_t i = 0; i < status->segment_count; i++) {
        matters = matters || status->segments[i].sealed;
        merge_segment(co, part, &status->segments[i]);
    }
    if (!known_already(part, status)) {
        take_status(part, status);
        after_state(co, part, was_final);
    }
    /* Also when an earlier report brought it, whose answer was lost: this one is answered when it is stored.
     */
    *ret_durable = matters && part->dirty;
}

void
co_part_report(struct co *co, co_part *part, fc_status *status, bool *ret_durable)
{
    *ret_durable = false;
    /* The same revision may come again, with the segments that the last report had no room for. */
    if (status->revision < part->floor)
        co->counters.reports_stale++;
    else if (fc_state_final(part->status.state) && part->status.revision > 0 &&
             !fc_state_final(status->state))
        co->counters.reports_final++;
    else
        take_report(co, part, status, ret_durable);
    fc_status_fini(status);
    *status = (fc_status){0};
}

void
co_part_settle(struct co *co, co_part *part, fc_state state, fc_stop_reason reason, const char *error)
{
    bool was_final = fc_state_final(part->status.state);
    if (was_final)
        return;
    part->status.state = state;
    part->status.stop_reason = reason;
    part->status.revision = 0; /* what the instance says after all counts more */
    free(part->status.error);
    part->status.error = fc_strdup(error);
    after_state(co, part, false);
}

void
co_part_want(struct co *co, co_part *part, co_action action, fc_stop_reason reason)
{
    part->action = action;
    part->stop_reason = reason;
    part->generation = part->instance->generation + 1;
    co_persist_part(co, part);
}

void
co_part_forgotten(struct co *co, co_part *part)
{
    if (part->forgotten)
        return;
    part->forgotten = true;
    part->forgotten_at = fc_loop_now(co->loop);
    co_persist_part(co, part);
    fire_waits(part, true);
}

void
co_part_gone(struct co *co, co_part *part)
{
    if (part->gone)
        return;
    co_capture *capture = part->capture;
    co_part_settle(co, part, FC_STATE_STOPPED, FC_STOP_CAPTURE_DELETED, NULL);
    leave_instance(part);
    co_persist_part(co, part);
    fire_waits(part, true);
    if (--capture->kept == 0 && capture->references == 0)
        co_capture_release(co, capture);
}
