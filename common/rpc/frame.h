/* frame.h: bytes <-> frames: a 4-byte big-endian length, then one packed fcpb Frame of that many bytes.
 *
 * Pure. The length is checked against the limit before anything is allocated for it; what a frame may hold
 * beyond its bytes is bounded by the arena it is unpacked into.
 */
#ifndef FC_RPC_FRAME_H
#define FC_RPC_FRAME_H

#include "common/base/buf.h"
#include "common/rpc/arena.h"

#include "fleetcap/v1/frame.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_RPC_FRAME_HEADER = 4,
    FC_RPC_FRAME_OVERHEAD = 64,  /* of a Message frame over its payload, at most (measured: 24) */
    FC_RPC_METADATA_MAX = 16,    /* entries of one Request */
    FC_RPC_DECODER_IDLE = 2048,  /* receive buffer of a quiet connection */
    FC_RPC_DECODER_BUSY = 32768, /* and of a busy one, when no single frame needs more */
};

typedef enum fc_rpc_decode {
    FC_RPC_DECODE_FRAME,     /* *ret_frame is one */
    FC_RPC_DECODE_MORE,      /* no whole frame is there */
    FC_RPC_DECODE_OVERSIZED, /* its length is past the limit */
    FC_RPC_DECODE_MALFORMED, /* no Frame, or none that means something */
} fc_rpc_decode;

/* {0} is a new one. */
typedef struct fc_rpc_decoder {
    fc_buf in;
    bool filled; /* the last receive filled all the space it was given */
} fc_rpc_decoder;

void
fc_rpc_decoder_fini(fc_rpc_decoder *decoder);
/* Where the next bytes go, and how many at most (at least one). Valid until the next call on the decoder. The
 * limit bounds what is allocated. */
uint8_t *
fc_rpc_decoder_space(fc_rpc_decoder *decoder, uint32_t limit_bytes, size_t *ret_size);
void
fc_rpc_decoder_commit(fc_rpc_decoder *decoder, size_t size);
/* Takes the next whole frame out. Only with FC_RPC_DECODE_FRAME the arena is init'ed, and holds *ret_frame.
 */
fc_rpc_decode
fc_rpc_decoder_next(fc_rpc_decoder *decoder, uint32_t limit_bytes, fc_rpc_arena *arena,
                    Fcpb__Frame **ret_frame);

/* Appends header and frame. */
void
fc_rpc_frame_put(fc_buf *out, const Fcpb__Frame *frame);

/* Copies a peer's text for people to see: cut to size, control characters become '?'. */
void
fc_rpc_frame_text(char *ret_text, size_t size, const char *from);

#endif
