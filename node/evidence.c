#include "node/evidence.h"

#include "common/base/log.h"
#include "common/profile/context.h"
#include "node/storage.h"

#include <string.h>

_Static_assert((int)FC_PROFILE_PACKED_MAX <= (int)ND_EVIDENCE_BYTES_MAX &&
                   (int)FC_CONTEXT_PACKED_MAX <= (int)ND_EVIDENCE_BYTES_MAX,
               "evidence fits a frame");

const char *
nd_evidence_file(nd_evidence_kind kind)
{
    static const char *const files[] = {
#define X(name, file) [ND_EVIDENCE_##name] = file,
        ND_EVIDENCE(X)
#undef X
#define X(name, file) [ND_EVIDENCE_##name] = file,
            ND_EVIDENCE_BEHIND(X)
#undef X
    };
    return files[kind];
}

void
nd_evidence_fini(nd_evidence *evidence)
{
    for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++)
        fc_buf_fini(&evidence->items[kind].packed);
    fc_buf_fini(&evidence->earlier);
}

/* From the wall clock, as an instance capture's revisions: a restarted node goes on above what it last said.
 */
static uint64_t
next_revision(const nd_mark *mark, fc_wall now)
{
    uint64_t floor_ms = (uint64_t)(now.ns / FC_NS_PER_MS);
    return mark->revision + 1 > floor_ms ? mark->revision + 1 : floor_ms;
}

void
nd_evidence_put(nd_evidence *evidence, nd_evidence_kind kind, const void *bytes, size_t size, fc_wall now)
{
    nd_evidence_item *item = &evidence->items[kind];
    if (size == fc_buf_size(&item->packed) && memcmp(fc_buf_bytes(&item->packed), bytes, size) == 0)
        return;
    fc_buf_clear(&item->packed);
    fc_buf_append(&item->packed, bytes, size);
    item->mark.revision = next_revision(&item->mark, now);
    item->unsaved = true;
    item->kept = false;
}

static uint64_t
packets_of(const fc_profile *profile)
{
    const uint64_t *counters = profile->counters;
    return counters[FC_COUNTER_PACKETS_IN] + counters[FC_COUNTER_PACKETS_OUT] +
           counters[FC_COUNTER_PACKETS_UNORIENTED] + counters[FC_COUNTER_CAPTURE_UNPROFILED];
}

void
nd_evidence_account(nd_evidence *evidence, uint64_t written_packets, fc_wall now)
{
    const fc_buf *packed = &evidence->items[ND_EVIDENCE_PROFILE].packed;
    fc_profile *profile = NULL;
    if (fc_buf_size(packed) == 0 ||
        fc_profile_unpack(fc_buf_bytes(packed), fc_buf_size(packed), &profile, NULL) != FC_OK)
        return;
    uint64_t known = packets_of(profile);
    if (known < written_packets) {
        fc_buf all = {0};
        profile->counters[FC_COUNTER_CAPTURE_UNPROFILED] += written_packets - known;
        fc_profile_pack(profile, &all);
        nd_evidence_put(evidence, ND_EVIDENCE_PROFILE, fc_buf_bytes(&all), fc_buf_size(&all), now);
        fc_buf_fini(&all);
    }
    fc_profile_free(profile);
}

void
nd_evidence_next_run(nd_evidence *evidence, uint64_t written_packets, fc_wall now)
{
    const fc_buf *profile = &evidence->items[ND_EVIDENCE_PROFILE].packed;
    nd_evidence_account(evidence, written_packets, now);
    fc_buf_clear(&evidence->earlier);
    fc_buf_append(&evidence->earlier, fc_buf_bytes(profile), fc_buf_size(profile));
    evidence->earlier_unsaved = fc_buf_size(profile) > 0;
}

/* Appends the sum of both, packed. */
static fc_err
add_up(const fc_buf *earlier, const void *bytes, size_t size, fc_buf *out, fc_fail *fail)
{
    fc_profile *sum = NULL, *more = NULL;
    fc_err err = fc_profile_unpack(fc_buf_bytes(earlier), fc_buf_size(earlier), &sum, fail);
    if (err == FC_OK)
        err = fc_profile_unpack(bytes, size, &more, fail);
    if (err == FC_OK) {
        fc_profile_merge(sum, more);
        fc_profile_pack(sum, out);
    }
    fc_profile_free(sum);
    fc_profile_free(more);
    return err;
}

fc_err
nd_evidence_put_profile(nd_evidence *evidence, const void *bytes, size_t size, fc_wall now, fc_fail *fail)
{
    if (size == 0 || size > FC_PROFILE_PACKED_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "a profile of %zu bytes, the limit is %d", size,
                           FC_PROFILE_PACKED_MAX);
    if (fc_buf_size(&evidence->earlier) == 0) {
        nd_evidence_put(evidence, ND_EVIDENCE_PROFILE, bytes, size, now);
        return FC_OK;
    }
    fc_buf sum = {0};
    fc_err err = add_up(&evidence->earlier, bytes, size, &sum, fail);
    if (err == FC_OK)
        nd_evidence_put(evidence, ND_EVIDENCE_PROFILE, fc_buf_bytes(&sum), fc_buf_size(&sum), now);
    fc_buf_fini(&sum);
    return err;
}

static fc_err
save_item(nd_evidence *evidence, nd_evidence_kind kind, nd_storage *storage, const char *directory,
          fc_fail *fail)
{
    nd_evidence_item *item = &evidence->items[kind];
    if (!item->unsaved)
        return FC_OK;
    fc_err err = storage->ops->save_evidence(storage, directory, kind, &item->packed, fail);
    item->unsaved = err != FC_OK;
    return err;
}

/* What a helper left behind counts in the profile, and as soon as another helper has begun in the earlier
 * ones' sum too. So it goes before that sum is written: a node that dies in between, or whose disk is full,
 * would add it up twice. And not before the profile has it. */
static fc_err
remove_last(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_fail *fail)
{
    static const fc_buf nothing;
    if (!evidence->last_read)
        return FC_OK;
    fc_err err = save_item(evidence, ND_EVIDENCE_PROFILE, storage, directory, fail);
    if (err == FC_OK)
        err = storage->ops->save_evidence(storage, directory, ND_EVIDENCE_LAST, &nothing, fail);
    evidence->last_read = err != FC_OK;
    return err;
}

fc_err
nd_evidence_save(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_fail *fail)
{
    fc_err err = remove_last(evidence, storage, directory, fail);
    if (err == FC_OK && evidence->earlier_unsaved) {
        err = storage->ops->save_evidence(storage, directory, ND_EVIDENCE_EARLIER, &evidence->earlier, fail);
        evidence->earlier_unsaved = err != FC_OK;
    }
    for (int kind = 0; kind < ND_EVIDENCE_COUNT && err == FC_OK; kind++)
        err = save_item(evidence, (nd_evidence_kind)kind, storage, directory, fail);
    return err;
}

/* False when there is none. */
static bool
load_one(nd_storage *storage, const char *directory, nd_evidence_kind kind, fc_buf *ret_packed)
{
    fc_fail fail = {0};
    fc_buf_clear(ret_packed);
    fc_err err = storage->ops->load_evidence(storage, directory, kind, ret_packed, &fail);
    if (err != FC_OK && err != FC_ERR_NOT_FOUND)
        fc_log(FC_LOG_WARNING, "%s/%s cannot be used: %s", directory, nd_evidence_file(kind), fail.text);
    if (err != FC_OK)
        fc_buf_clear(ret_packed);
    return fc_buf_size(ret_packed) > 0;
}

void
nd_evidence_load(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_wall now)
{
    for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++) {
        nd_evidence_item *item = &evidence->items[kind];
        if (load_one(storage, directory, (nd_evidence_kind)kind, &item->packed))
            item->mark = (nd_mark){.revision = next_revision(&item->mark, now)};
    }
    (void)load_one(storage, directory, ND_EVIDENCE_EARLIER, &evidence->earlier);
    fc_buf last = {0};
    fc_fail fail = {0};
    if (load_one(storage, directory, ND_EVIDENCE_LAST, &last)) {
        evidence->last_read = true;
        if (nd_evidence_put_profile(evidence, fc_buf_bytes(&last), fc_buf_size(&last), now, &fail) != FC_OK)
            fc_log(FC_LOG_WARNING, "%s/%s cannot be used: %s", directory, nd_evidence_file(ND_EVIDENCE_LAST),
                   fail.text);
    }
    fc_buf_fini(&last);
}
