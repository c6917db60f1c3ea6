/* blocks.h: walks pcapng blocks in memory, whole ones only: what a file's bytes and the capture's own buffers
 * have in common.
 *
 * Pure: no I/O. Both byte orders, every timestamp resolution, every interface of a section. Trusts no length.
 */
#ifndef FC_PCAPNG_BLOCKS_H
#define FC_PCAPNG_BLOCKS_H

#include "common/base/err.h"
#include "common/pcapng/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_block_kind {
    FC_BLOCK_MORE,       /* there is no whole block left in the memory */
    FC_BLOCK_SECTION,    /* interfaces begin anew */
    FC_BLOCK_INTERFACE,  /* interface describes it */
    FC_BLOCK_FRAME,      /* frame is set */
    FC_BLOCK_STATISTICS, /* statistics is set */
    FC_BLOCK_OTHER,
    FC_BLOCK_CORRUPT, /* nothing after this can be trusted */
} fc_block_kind;

typedef struct fc_block {
    fc_block_kind kind;
    size_t size; /* bytes of the block: the caller goes on behind it; of FC_BLOCK_MORE: how many must be there
                    to say more */
    fc_frame frame;
    /* of interface, frame and statistics; borrowed from the walker, until the next section */
    const fc_capture_interface *interface;
    fc_capture_statistics statistics;
    const char *comment; /* of a section; borrowed until the next section; NULL = none */
} fc_block;

typedef struct fc_blocks fc_blocks;
fc_blocks *
fc_blocks_new(void);
void
fc_blocks_free(fc_blocks *blocks);
/* Looks at the block at data; what does not belong to its kind is left as it was in *ret_block. `why` (may be
 * NULL) gets the sentence for FC_BLOCK_CORRUPT. */
void
fc_blocks_next(fc_blocks *blocks, const uint8_t *data, size_t size, fc_block *ret_block, fc_fail *why);
const fc_capture_interface *
fc_blocks_interface(const fc_blocks *blocks, uint32_t index); /* NULL when there is none */

#endif
