#include "coordinator/evidence.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <stdlib.h>
#include <utlist.h>

static void
on_timer(fc_timer *timer);

void
co_evidence_init(struct co *co)
{
    co->evidence.timer.fire = on_timer;
}

/* ---- the queue ---- */

static int
by_due(const co_evidence *a, const co_evidence *b)
{
    return (a->due.ns > b->due.ns) - (a->due.ns < b->due.ns);
}

static void
schedule(struct co *co, int64_t least_ms)
{
    const co_evidence *first = co->evidence.first;
    fc_mono soonest = fc_mono_after_ms(fc_loop_now(co->loop), least_ms);
    if (first == NULL)
        fc_loop_timer_clear(co->loop, &co->evidence.timer);
    else
        fc_loop_timer_set(co->loop, &co->evidence.timer, first->due.ns > soonest.ns ? first->due : soonest);
}

static void
leave_queue(struct co *co, co_evidence *evidence)
{
    if (evidence->queued)
        DL_DELETE(co->evidence.first, evidence);
    evidence->queued = false;
}

/* An item's time never moves away from now. Two times are possible, so that a place is found near an end. */
static void
enter_queue(struct co *co, co_evidence *evidence, bool urgent)
{
    if (evidence->queued && (evidence->urgent || !urgent))
        return;
    leave_queue(co, evidence);
    evidence->urgent = urgent;
    evidence->due =
        fc_mono_after_ms(fc_loop_now(co->loop), urgent ? CO_EVIDENCE_URGENT_MS : CO_EVIDENCE_LAZY_MS);
    evidence->queued = true;
    if (co->evidence.first == NULL || by_due(co->evidence.first->prev, evidence) <= 0)
        DL_APPEND(co->evidence.first, evidence);
    else
        DL_INSERT_INORDER(co->evidence.first, evidence, by_due);
}

static void
answer(co_evidence *evidence, fc_err err, const fc_fail *fail)
{
    co_evidence_wait *wait, *next;
    DL_FOREACH_SAFE (evidence->waits, wait, next) {
        co_evidence_unwait(wait);
        wait->done(wait, err, fail);
    }
}

void
co_evidence_unwait(co_evidence_wait *wait)
{
    if (wait->evidence != NULL)
        DL_DELETE(wait->evidence->waits, wait);
    wait->evidence = NULL;
}

/* ---- storing ---- */

static fc_err
write_one(struct co *co, const co_evidence *evidence, size_t *bytes, fc_fail *fail)
{
    fc_err err = FC_OK;
    for (int kind = 0; kind < CO_EVIDENCE_KINDS && err == FC_OK; kind++) {
        const fc_buf *unstored = &evidence->unstored[kind];
        if (fc_buf_size(unstored) == 0)
            continue;
        co_evidence_row row = {
            .capture_uid = evidence->part->capture->uid,
            .instance_id = evidence->part->instance->id,
            .kind = kind,
            .revision = evidence->revisions[kind],
            .data = {fc_buf_bytes(unstored), fc_buf_size(unstored)},
        };
        err = co_store_put_evidence(co->store, &row, fail);
        *bytes += fc_buf_size(unstored);
    }
    return err;
}

static void
forget_bytes(struct co *co, co_evidence *evidence)
{
    for (int kind = 0; kind < CO_EVIDENCE_KINDS; kind++) {
        co->counters.evidence_unstored_bytes -= fc_buf_size(&evidence->unstored[kind]);
        fc_buf_fini(&evidence->unstored[kind]);
    }
}

/* The most urgent ones, up to a batch; all of it in one transaction. On failure all wait on, and who waits is
 * told. */
static fc_err
store_batch(struct co *co, fc_fail *fail)
{
    size_t bytes = 0;
    fc_err err = co_store_begin(co->store, fail);
    co_evidence *end = co->evidence.first;
    while (err == FC_OK && end != NULL && bytes < CO_EVIDENCE_BATCH_BYTES) {
        err = write_one(co, end, &bytes, fail);
        end = end->next;
    }
    err = co_persist_end(co, err, fail);
    while (err == FC_OK && co->evidence.first != end) {
        co_evidence *stored = co->evidence.first;
        leave_queue(co, stored);
        forget_bytes(co, stored);
        answer(stored, FC_OK, NULL);
    }
    return err;
}

static void
on_timer(fc_timer *timer)
{
    struct co *co = FC_CONTAINER(timer, struct co, evidence.timer);
    fc_fail fail = {0};
    fc_err err = store_batch(co, &fail);
    if (err != FC_OK) {
        fc_log(FC_LOG_ERROR, "evidence: %s; it is tried again", fail.text);
        for (co_evidence *e = co->evidence.first; e != NULL; e = e->next)
            answer(e, err, &fail);
    }
    schedule(co, err == FC_OK ? CO_EVIDENCE_PAUSE_MS : CO_EVIDENCE_LAZY_MS);
}

void
co_evidence_fini(struct co *co)
{
    fc_fail fail = {0};
    fc_err err = FC_OK;
    while (err == FC_OK && co->evidence.first != NULL)
        err = store_batch(co, &fail);
    if (err != FC_OK)
        fc_log(FC_LOG_ERROR, "evidence that was not stored is lost: %s", fail.text);
    fc_loop_timer_clear(co->loop, &co->evidence.timer);
}

/* ---- taking and giving ---- */

/* Reads a varint (protobuf.dev/programming-guides/encoding); false when it is not whole. */
static bool
take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* The version of a Profile or a Context, 0 for bytes that are no such message: only its own fields are
 * walked, not those inside them. To unpack all of it took a millisecond of the loop for a large one. */
static uint64_t
read_version(const uint8_t *at, size_t size)
{
    enum { VERSION_FIELD = 1, VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
    const uint8_t *end = at + size;
    uint64_t version = 0, tag = 0, value = 0;
    while (at < end) {
        if (!take_varint(&at, end, &tag))
            return 0;
        unsigned wire = (unsigned)(tag & 7);
        if (wire == VARINT || wire == LENGTH) {
            if (!take_varint(&at, end, &value))
                return 0;
            if (wire == VARINT && tag >> 3 == VERSION_FIELD)
                version = value;
        }
        size_t skip = wire == FIXED64 ? 8 : wire == FIXED32 ? 4 : wire == LENGTH ? value : 0;
        if ((wire != VARINT && wire != LENGTH && wire != FIXED64 && wire != FIXED32) ||
            skip > (size_t)(end - at))
            return 0;
        at += skip;
    }
    return version;
}

static fc_err
check(const void *bytes, size_t size, fc_fail *fail)
{
    if (size == 0 || size > CO_EVIDENCE_BYTES_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "%zu bytes of evidence, from 1 to %d are possible", size,
                           CO_EVIDENCE_BYTES_MAX);
    if (read_version(bytes, size) == 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "evidence that is no such message");
    return FC_OK;
}

/* What is known of the part; from the store when this coordinator has not heard of it yet. */
static fc_err
know(struct co *co, co_part *part, fc_fail *fail)
{
    if (part->evidence != NULL)
        return FC_OK;
    co_evidence *evidence = FC_NEW(co_evidence);
    evidence->part = part;
    fc_err err = FC_OK;
    for (int kind = 0; kind < CO_EVIDENCE_KINDS && err == FC_OK; kind++) {
        err = co_store_get_evidence(co->store, part->capture->uid, part->instance->id, kind, NULL,
                                    &evidence->revisions[kind], fail);
        if (err == FC_ERR_NOT_FOUND)
            err = FC_OK;
    }
    if (err != FC_OK)
        free(evidence);
    else
        part->evidence = evidence;
    return err;
}

fc_err
co_evidence_put(struct co *co, co_part *part, co_evidence_kind kind, uint64_t revision, const void *bytes,
                size_t size, co_evidence_wait *wait, bool *ret_stored, fc_fail *fail)
{
    fc_err err = check(bytes, size, fail);
    if (err == FC_OK)
        err = know(co, part, fail);
    if (err != FC_OK) {
        co->counters.evidence_invalid++;
        return err;
    }
    co_evidence *evidence = part->evidence;
    fc_buf *unstored = &evidence->unstored[kind];
    if (revision <= evidence->revisions[kind]) {
        co->counters.evidence_stale++;
    } else {
        co->counters.evidence_taken++;
        co->counters.evidence_unstored_bytes += size - fc_buf_size(unstored);
        evidence->revisions[kind] = revision;
        fc_buf_clear(unstored);
        fc_buf_append(unstored, bytes, size);
    }
    *ret_stored = true;
    bool over = fc_state_final(part->status.state);
    if (fc_buf_size(unstored) == 0)
        return FC_OK;
    enter_queue(co, evidence, over || co->counters.evidence_unstored_bytes > CO_EVIDENCE_UNSTORED_MAX);
    if (co->evidence.timer.slot == 0 || co->evidence.first->due.ns < co->evidence.timer.due.ns)
        schedule(co, 0);
    if (wait == NULL || !over)
        return FC_OK;
    /* Several may wait for one part: a node that came back tells again before its old connection has ended.
     * As many as it may have calls open. */
    *ret_stored = false;
    wait->evidence = evidence;
    DL_APPEND(evidence->waits, wait);
    return FC_OK;
}

fc_err
co_evidence_get(struct co *co, const co_part *part, co_evidence_kind kind, fc_buf *out,
                uint64_t *ret_revision, fc_fail *fail)
{
    const co_evidence *evidence = part->evidence;
    *ret_revision = 0;
    if (evidence != NULL && fc_buf_size(&evidence->unstored[kind]) > 0) {
        fc_buf_append(out, fc_buf_bytes(&evidence->unstored[kind]), fc_buf_size(&evidence->unstored[kind]));
        *ret_revision = evidence->revisions[kind];
        return FC_OK;
    }
    fc_err err = co_store_get_evidence(co->store, part->capture->uid, part->instance->id, (int)kind, out,
                                       ret_revision, fail);
    return err == FC_ERR_NOT_FOUND ? FC_OK : err;
}

void
co_evidence_free(struct co *co, co_part *part)
{
    co_evidence *evidence = part->evidence;
    if (evidence == NULL)
        return;
    while (evidence->waits != NULL)
        co_evidence_unwait(evidence->waits);
    leave_queue(co, evidence);
    forget_bytes(co, evidence);
    free(evidence);
    part->evidence = NULL;
}
