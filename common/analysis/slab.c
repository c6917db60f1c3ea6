#include "common/analysis/slab.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

void
fc_slab_init(fc_slab *slab, size_t size, uint32_t max)
{
    *slab = (fc_slab){.size = (size + 15) / 16 * 16, .max = max};
}

void
fc_slab_fini(fc_slab *slab)
{
    for (uint32_t i = 0; i < slab->chunk_count; i++)
        free(slab->chunks[i]);
    free(slab->chunks);
    *slab = (fc_slab){0};
}

void *
fc_slab_take(fc_slab *slab)
{
    void *place = slab->free;
    if (place != NULL) {
        memcpy(&slab->free, place, sizeof slab->free);
        memset(place, 0, slab->size);
    } else {
        if (slab->made == slab->max)
            return NULL;
        if (slab->made / FC_SLAB_CHUNK == slab->chunk_count) {
            slab->chunks = fc_grow_array(slab->chunks, slab->chunk_count + 1, sizeof *slab->chunks);
            slab->chunks[slab->chunk_count++] = fc_alloc_array(FC_SLAB_CHUNK, slab->size);
        }
        place = slab->chunks[slab->made / FC_SLAB_CHUNK] + slab->made % FC_SLAB_CHUNK * slab->size;
        slab->made++;
    }
    slab->used++;
    return place;
}

void
fc_slab_give(fc_slab *slab, void *place)
{
    if (place == NULL)
        return;
    memcpy(place, &slab->free, sizeof slab->free);
    slab->free = place;
    slab->used--;
}
