/* service.h: NodeService: what the coordinator calls on the connection that the node dialled. */
#ifndef ND_SERVICE_H
#define ND_SERVICE_H

#include "common/rpc/rpc.h"
#include "node/node.h"

enum { ND_CHUNK_BYTES = 256 * 1024 };

/* The handlers; `service` is the nd_node. */
extern const fc_rpc_handler nd_service_handlers[];
extern const size_t nd_service_handler_count;

#endif
