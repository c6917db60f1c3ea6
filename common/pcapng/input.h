/* input.h: reads captures of any kind: pcap (all magics), pcapng, and both compressed with zstd.
 *
 * Sequential, in bounded memory, a large read at a time. A file that was cut off ends where its last whole
 * packet ends, and says so. */
#ifndef FC_PCAPNG_INPUT_H
#define FC_PCAPNG_INPUT_H

#include "common/pcapng/blocks.h"

typedef enum fc_input_event {
    FC_INPUT_FRAME,
    FC_INPUT_INTERFACE,  /* a new interface: block->interface */
    FC_INPUT_STATISTICS, /* block->statistics */
    FC_INPUT_SECTION,    /* a new section begins: interfaces anew; block->comment */
    FC_INPUT_END,        /* of the file */
} fc_input_event;

typedef struct fc_input fc_input;
/* Takes fd over in any case. name is for sentences; copied. FC_ERR_INVALID when it is no capture. */
FC_MUST_USE fc_err
fc_input_open(int fd, const char *name, fc_input **ret_input, fc_fail *fail);
void
fc_input_free(fc_input *input);
/* The next event; the block is borrowed until the next call. FC_ERR_CORRUPT (with the offset in the sentence)
 * where the file lies; after that only FC_INPUT_END. */
FC_MUST_USE fc_err
fc_input_next(fc_input *input, fc_input_event *ret_event, const fc_block **ret_block, fc_fail *fail);
/* From now on everything is kept in memory, until fc_input_rewind goes back to the beginning (a pipe, too):
 * for a look at a file's first packets before all of them are read. Right after _open; not for more than some
 * MiB: watch fc_input_looked_bytes. */
void
fc_input_look(fc_input *input);
size_t
fc_input_looked_bytes(const fc_input *input);
void
fc_input_rewind(fc_input *input);
/* True when the file ends in the middle of a packet or block. */
bool
fc_input_was_cut(const fc_input *input);
uint64_t
fc_input_frames(const fc_input *input); /* so far: the number (from 1) of the frame that came last */

#endif
