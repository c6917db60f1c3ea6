#include "common/rpc/queue.h"

#include "common/base/mem.h"

#include <stdlib.h>

void
fc_rpc_queue_init(fc_rpc_queue *queue)
{
    queue->first = NULL;
    queue->tail = &queue->first;
}

uint8_t *
fc_rpc_queue_add(fc_rpc_queue *queue, size_t size, bool end_of_stream)
{
    fc_rpc_packed *fresh = fc_grow_array(NULL, sizeof(fc_rpc_packed) + size, 1);
    fresh->next = NULL;
    fresh->end_of_stream = end_of_stream;
    fresh->size = size;
    *queue->tail = fresh;
    queue->tail = &fresh->next;
    return fresh->bytes;
}

void
fc_rpc_queue_drop_first(fc_rpc_queue *queue)
{
    fc_rpc_packed *gone = queue->first;
    queue->first = gone->next;
    if (queue->first == NULL)
        queue->tail = &queue->first;
    free(gone);
}

void
fc_rpc_queue_clear(fc_rpc_queue *queue)
{
    while (queue->first != NULL)
        fc_rpc_queue_drop_first(queue);
}
