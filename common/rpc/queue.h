/* queue.h: packed messages that wait for the window.
 *
 * Internal to the room.
 */
#ifndef FC_RPC_QUEUE_H
#define FC_RPC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fc_rpc_packed {
    struct fc_rpc_packed *next; /* owned by the queue */
    bool end_of_stream;
    size_t size;
    uint8_t bytes[];
} fc_rpc_packed;

typedef struct fc_rpc_queue {
    fc_rpc_packed *first; /* owned; NULL = empty */
    fc_rpc_packed **tail;
} fc_rpc_queue;

void
fc_rpc_queue_init(fc_rpc_queue *queue);
/* Appends one; returns where its bytes go. */
uint8_t *
fc_rpc_queue_add(fc_rpc_queue *queue, size_t size, bool end_of_stream);
void
fc_rpc_queue_drop_first(fc_rpc_queue *queue);
void
fc_rpc_queue_clear(fc_rpc_queue *queue);

#endif
