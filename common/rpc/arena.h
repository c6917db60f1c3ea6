/* arena.h: bounded memory for unpacking what a peer sent.
 *
 * A peer can make protobuf-c allocate many times what it sent (two bytes are an empty sub-message of
 * hundreds), so every unpack draws from an arena with a limit in proportion to the bytes received; past it,
 * unpacking fails as it would for malformed bytes. Freeing single pieces does nothing; fini releases all.
 */
#ifndef FC_RPC_ARENA_H
#define FC_RPC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* The longest honest messages (lists of digests of about 40 bytes) need about seven times their size. */
enum { FC_RPC_ARENA_FACTOR = 16, FC_RPC_ARENA_EXTRA = 65536, FC_RPC_ARENA_FIRST = 2048 };

typedef struct fc_rpc_arena {
    ProtobufCAllocator allocator;      /* hand this to protobuf-c; it points back here */
    struct fc_rpc_arena_block *blocks; /* owned */
    uint8_t *next;
    size_t room;                                    /* left in the block under way */
    size_t limit_bytes;                             /* left of the limit */
    _Alignas(16) uint8_t first[FC_RPC_ARENA_FIRST]; /* enough for most messages without any malloc */
} fc_rpc_arena;

/* Caller's storage; must not move until fini. received_bytes: what the peer sent. */
void
fc_rpc_arena_init(fc_rpc_arena *arena, size_t received_bytes);
void
fc_rpc_arena_fini(fc_rpc_arena *arena);

#endif
