#include "common/rpc/arena.h"

#include "common/base/mem.h"

#include <stdlib.h>

enum { ALIGNMENT = 16, BLOCK_MIN = 8192 };

typedef struct fc_rpc_arena_block {
    struct fc_rpc_arena_block *next; /* owned */
    _Alignas(ALIGNMENT) uint8_t bytes[];
} block;

static void *
arena_alloc(void *data, size_t size)
{
    fc_rpc_arena *arena = data;
    if (size > arena->limit_bytes)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > arena->limit_bytes)
        return NULL;
    arena->limit_bytes -= size;
    if (size > arena->room) {
        size_t wanted = size > BLOCK_MIN ? size : BLOCK_MIN;
        block *fresh = fc_grow_array(NULL, sizeof(block) + wanted, 1);
        fresh->next = arena->blocks;
        arena->blocks = fresh;
        arena->next = fresh->bytes;
        arena->room = wanted;
    }
    void *piece = arena->next;
    arena->next += size;
    arena->room -= size;
    return piece;
}

static void
arena_free(void *data, void *piece)
{
    (void)data;
    (void)piece;
}

void
fc_rpc_arena_init(fc_rpc_arena *arena, size_t received_bytes)
{
    arena->allocator =
        (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
    arena->blocks = NULL;
    arena->next = arena->first;
    arena->room = sizeof arena->first;
    arena->limit_bytes = FC_RPC_ARENA_EXTRA + FC_RPC_ARENA_FACTOR * received_bytes;
}

void
fc_rpc_arena_fini(fc_rpc_arena *arena)
{
    while (arena->blocks != NULL) {
        block *gone = arena->blocks;
        arena->blocks = gone->next;
        free(gone);
    }
}
