/* slots.h: a fixed number of numbered slots in order of age, and hash chains over them: what the tables of
 * open questions are made of.
 *
 * Slots are indices into an array of the caller. Nothing is allocated after _init, every operation takes
 * constant time but the walk along a chain, which callers end after FC_CHAIN_WALK_MAX steps: only an enemy
 * makes chains that long.
 */
#ifndef FC_ANALYSIS_SLOTS_H
#define FC_ANALYSIS_SLOTS_H

#include "common/profile/address.h"

#include <stddef.h>
#include <stdint.h>

#define FC_SLOT_NONE UINT16_MAX
enum { FC_CHAIN_WALK_MAX = 64 };

typedef struct fc_slots {
    uint16_t *older, *newer; /* owned; a free slot's `newer` is the next free one */
    uint16_t oldest, newest, free, count;
} fc_slots;

void
fc_slots_init(fc_slots *slots, uint16_t count);
void
fc_slots_fini(fc_slots *slots);
/* A free slot, which becomes the newest; FC_SLOT_NONE when all are taken. */
uint16_t
fc_slots_take(fc_slots *slots);
void
fc_slots_release(fc_slots *slots, uint16_t slot);
/* Makes a taken slot the newest. */
void
fc_slots_renew(fc_slots *slots, uint16_t slot);

typedef struct fc_chain_link {
    uint32_t hash;
    uint16_t next, previous;
} fc_chain_link;

typedef struct fc_chains {
    uint16_t *heads;      /* owned */
    fc_chain_link *links; /* owned; one for each slot */
    uint32_t mask;
} fc_chains;

void
fc_chains_init(fc_chains *chains, uint16_t slot_count);
void
fc_chains_fini(fc_chains *chains);
/* At the beginning of its chain: a walk meets the newest first. */
void
fc_chains_add(fc_chains *chains, uint16_t slot, uint32_t hash);
void
fc_chains_remove(fc_chains *chains, uint16_t slot);

static inline uint16_t
fc_chains_first(const fc_chains *chains, uint32_t hash)
{
    return chains->heads[hash & chains->mask];
}

static inline uint16_t
fc_chains_next(const fc_chains *chains, uint16_t slot)
{
    return chains->links[slot].next;
}

/* FNV-1a (Fowler, Noll, Vo), to be continued with the former result; begin with FC_HASH_START and end with
 * fc_hash_end. */
#define FC_HASH_START 2166136261u
uint32_t
fc_hash_bytes(uint32_t hash, const void *bytes, size_t size);
uint32_t
fc_hash_address(uint32_t hash, const fc_address *address);
uint32_t
fc_hash_end(uint32_t hash); /* mixes the high bits into the low ones (MurmurHash3's finalizer) */

/* to - from without overflow; negative when time went backwards. */
int64_t
fc_elapsed_ns(int64_t from_ns, int64_t to_ns);

#endif
