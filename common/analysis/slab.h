/* slab.h: places of one size, in chunks that are allocated when they are first needed and kept; at most `max`
 * places. */
#ifndef FC_ANALYSIS_SLAB_H
#define FC_ANALYSIS_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { FC_SLAB_CHUNK = 256 };

typedef struct fc_slab {
    size_t size; /* of a place, rounded up to 16 */
    uint32_t max, made, used;
    uint8_t **chunks; /* owned, each owned */
    uint32_t chunk_count;
    void *free; /* first place to be used again */
} fc_slab;

void
fc_slab_init(fc_slab *slab, size_t size, uint32_t max);
void
fc_slab_fini(fc_slab *slab);
/* A zeroed place; NULL when all are taken. */
void *
fc_slab_take(fc_slab *slab);
void
fc_slab_give(fc_slab *slab, void *place); /* NULL is legal */

#endif
