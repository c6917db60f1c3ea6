#include "common/analysis/pending.h"

#include "common/analysis/slots.h"
#include "common/base/mem.h"

#include <stdlib.h>

struct fc_pending {
    void (*done)(void *user, const fc_pending_request *request);
    void *user;                  /* borrowed from the caller */
    fc_pending_request *entries; /* owned; FC_PENDING_MAX */
    fc_slots slots;              /* in the order they came */
    fc_chains requests;          /* by kind, target and token */
};

fc_pending *
fc_pending_new(void (*done)(void *user, const fc_pending_request *request), void *user)
{
    fc_pending *pending = FC_NEW(fc_pending);
    pending->done = done;
    pending->user = user;
    pending->entries = fc_alloc_array(FC_PENDING_MAX, sizeof *pending->entries);
    fc_slots_init(&pending->slots, FC_PENDING_MAX);
    fc_chains_init(&pending->requests, FC_PENDING_MAX);
    return pending;
}

void
fc_pending_free(fc_pending *pending)
{
    if (pending == NULL)
        return;
    fc_chains_fini(&pending->requests);
    fc_slots_fini(&pending->slots);
    free(pending->entries);
    free(pending);
}

static uint32_t
request_hash(fc_pending_kind kind, const fc_address *target, uint32_t token)
{
    const uint32_t parts[] = {(uint32_t)kind, token};
    return fc_hash_end(fc_hash_bytes(fc_hash_address(FC_HASH_START, target), parts, sizeof parts));
}

static bool
is_too_old(const fc_pending_request *request, int64_t unix_ns)
{
    return fc_elapsed_ns(request->asked_ns, unix_ns) >= FC_PENDING_TIMEOUT_NS;
}

static bool
is_for(const fc_pending_request *request, fc_pending_kind kind, const fc_address *target, uint32_t token)
{
    return request->kind == kind && request->token == token &&
           fc_address_compare(&request->target, target) == 0;
}

static void
finish(fc_pending *pending, uint16_t slot)
{
    fc_chains_remove(&pending->requests, slot);
    fc_slots_release(&pending->slots, slot);
    pending->done(pending->user, &pending->entries[slot]);
}

void
fc_pending_expire(fc_pending *pending, int64_t unix_ns)
{
    while (pending->slots.oldest != FC_SLOT_NONE &&
           is_too_old(&pending->entries[pending->slots.oldest], unix_ns))
        finish(pending, pending->slots.oldest);
}

static fc_pending_request *
find_open(fc_pending *pending, const fc_pending_request *request, uint32_t hash)
{
    int walked = 0;
    for (uint16_t slot = fc_chains_first(&pending->requests, hash);
         slot != FC_SLOT_NONE && walked < FC_CHAIN_WALK_MAX;
         slot = fc_chains_next(&pending->requests, slot), walked++) {
        fc_pending_request *open = &pending->entries[slot];
        if (is_for(open, request->kind, &request->target, request->token) &&
            fc_address_compare(&open->asker, &request->asker) == 0 && !is_too_old(open, request->asked_ns))
            return open;
    }
    return NULL;
}

void
fc_pending_asked(fc_pending *pending, const fc_pending_request *request)
{
    fc_pending_expire(pending, request->asked_ns);
    uint32_t hash = request_hash(request->kind, &request->target, request->token);
    fc_pending_request *open = find_open(pending, request, hash);
    if (open != NULL) {
        if (open->asked_count < UINT32_MAX)
            open->asked_count++;
        return;
    }
    uint16_t slot = fc_slots_take(&pending->slots);
    if (slot == FC_SLOT_NONE) {
        finish(pending, pending->slots.oldest);
        slot = fc_slots_take(&pending->slots);
    }
    pending->entries[slot] = *request;
    pending->entries[slot].answered_ns = 0;
    pending->entries[slot].asked_count = 1;
    pending->entries[slot].open = false;
    fc_chains_add(&pending->requests, slot, hash);
}

void
fc_pending_answered(fc_pending *pending, fc_pending_kind kind, const fc_address *target, uint32_t token,
                    int64_t unix_ns)
{
    fc_pending_expire(pending, unix_ns);
    uint16_t slot = fc_chains_first(&pending->requests, request_hash(kind, target, token));
    for (int walked = 0; slot != FC_SLOT_NONE && walked < FC_CHAIN_WALK_MAX; walked++) {
        uint16_t next = fc_chains_next(&pending->requests, slot);
        fc_pending_request *open = &pending->entries[slot];
        if (is_for(open, kind, target, token) && !is_too_old(open, unix_ns)) {
            /* Packets of two interfaces may be out of order by a little; 0 is taken. */
            open->answered_ns = unix_ns > open->asked_ns ? unix_ns : open->asked_ns;
            if (open->answered_ns == 0)
                open->answered_ns = 1;
            finish(pending, slot);
        }
        slot = next;
    }
}

void
fc_pending_each_open(const fc_pending *pending, int64_t unix_ns,
                     void (*each)(void *user, const fc_pending_request *request), void *user)
{
    for (uint16_t slot = pending->slots.oldest; slot != FC_SLOT_NONE; slot = pending->slots.newer[slot]) {
        fc_pending_request request = pending->entries[slot];
        request.open = !is_too_old(&request, unix_ns);
        each(user, &request);
    }
}
