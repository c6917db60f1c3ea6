#include "common/analysis/slots.h"

#include "common/base/mem.h"

#include <stdlib.h>

void
fc_slots_init(fc_slots *slots, uint16_t count)
{
    slots->older = fc_alloc_array(count, sizeof *slots->older);
    slots->newer = fc_alloc_array(count, sizeof *slots->newer);
    slots->oldest = slots->newest = FC_SLOT_NONE;
    slots->count = 0;
    slots->free = 0;
    for (uint16_t i = 0; i < count; i++)
        slots->newer[i] = i + 1 < count ? (uint16_t)(i + 1) : FC_SLOT_NONE;
}

void
fc_slots_fini(fc_slots *slots)
{
    free(slots->older);
    free(slots->newer);
}

static void
append(fc_slots *slots, uint16_t slot)
{
    slots->older[slot] = slots->newest;
    slots->newer[slot] = FC_SLOT_NONE;
    if (slots->newest != FC_SLOT_NONE)
        slots->newer[slots->newest] = slot;
    else
        slots->oldest = slot;
    slots->newest = slot;
}

static void
detach(fc_slots *slots, uint16_t slot)
{
    uint16_t older = slots->older[slot], newer = slots->newer[slot];
    if (older != FC_SLOT_NONE)
        slots->newer[older] = newer;
    else
        slots->oldest = newer;
    if (newer != FC_SLOT_NONE)
        slots->older[newer] = older;
    else
        slots->newest = older;
}

uint16_t
fc_slots_take(fc_slots *slots)
{
    uint16_t slot = slots->free;
    if (slot == FC_SLOT_NONE)
        return FC_SLOT_NONE;
    slots->free = slots->newer[slot];
    slots->count++;
    append(slots, slot);
    return slot;
}

void
fc_slots_release(fc_slots *slots, uint16_t slot)
{
    detach(slots, slot);
    slots->newer[slot] = slots->free;
    slots->free = slot;
    slots->count--;
}

void
fc_slots_renew(fc_slots *slots, uint16_t slot)
{
    detach(slots, slot);
    append(slots, slot);
}

void
fc_chains_init(fc_chains *chains, uint16_t slot_count)
{
    uint32_t heads = 1;
    while (heads < 2u * slot_count)
        heads *= 2;
    chains->heads = fc_alloc_array(heads, sizeof *chains->heads);
    chains->links = fc_alloc_array(slot_count, sizeof *chains->links);
    chains->mask = heads - 1;
    for (uint32_t i = 0; i < heads; i++)
        chains->heads[i] = FC_SLOT_NONE;
}

void
fc_chains_fini(fc_chains *chains)
{
    free(chains->heads);
    free(chains->links);
}

void
fc_chains_add(fc_chains *chains, uint16_t slot, uint32_t hash)
{
    uint16_t *head = &chains->heads[hash & chains->mask];
    chains->links[slot] = (fc_chain_link){.hash = hash, .next = *head, .previous = FC_SLOT_NONE};
    if (*head != FC_SLOT_NONE)
        chains->links[*head].previous = slot;
    *head = slot;
}

void
fc_chains_remove(fc_chains *chains, uint16_t slot)
{
    const fc_chain_link *link = &chains->links[slot];
    if (link->previous != FC_SLOT_NONE)
        chains->links[link->previous].next = link->next;
    else
        chains->heads[link->hash & chains->mask] = link->next;
    if (link->next != FC_SLOT_NONE)
        chains->links[link->next].previous = link->previous;
}

uint32_t
fc_hash_bytes(uint32_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

uint32_t
fc_hash_address(uint32_t hash, const fc_address *address)
{
    return fc_hash_bytes(hash, address->bytes, address->family == 4 ? 4 : sizeof address->bytes);
}

uint32_t
fc_hash_end(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x85ebca6bu;
    hash ^= hash >> 13;
    hash *= 0xc2b2ae35u;
    return hash ^ (hash >> 16);
}

int64_t
fc_elapsed_ns(int64_t from_ns, int64_t to_ns)
{
    int64_t elapsed;
    if (__builtin_sub_overflow(to_ns, from_ns, &elapsed))
        return to_ns > from_ns ? INT64_MAX : INT64_MIN;
    return elapsed;
}
