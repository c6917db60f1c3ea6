/* endpoint.h: what the connections of one server or client share: options, handlers by method, counters.
 *
 * Internal to the room.
 */
#ifndef FC_RPC_ENDPOINT_H
#define FC_RPC_ENDPOINT_H

#include "common/base/buf.h"
#include "common/rpc/rpc.h"

#include <sys/queue.h>

typedef struct fc_rpc_endpoint fc_rpc_endpoint;
TAILQ_HEAD(fc_rpc_conn_list, fc_rpc_conn);

/* What the owner (server, client, a scenario) hears of its connections. Each pointer may be NULL. */
typedef struct fc_rpc_owner_ops {
    /* Its peer is known: may it open? Else it is told *ret_reason (for ever valid) and closed. */
    bool (*may_open)(fc_rpc_endpoint *endpoint, const fc_rpc_conn *conn, const char **ret_reason);
    void (*opened)(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn);
    /* It goes from here on: only for the owner's books, nobody may be called from within. */
    void (*closing)(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn);
    /* From the loop, after its calls are over. */
    void (*closed)(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn, const fc_rpc_status *why);
} fc_rpc_owner_ops;

struct fc_rpc_endpoint {
    fc_rpc_options options;        /* as given, the defaults filled in */
    const fc_rpc_owner_ops *owner; /* borrowed */
    struct {
        const fc_rpc_handler *handler; /* borrowed; NULL = not served here */
        void *service;                 /* borrowed */
    } served[FC_METHOD_COUNT];
    const fc_rpc_method *(*find)(const char *path); /* fc_rpc_method_find; a test may know more methods */
    fc_rpc_counters counters;
    fc_buf scratch;                /* a message on its way into a frame */
    struct fc_rpc_conn_list conns; /* all that are not yet freed, in order of arrival; owned */
};

void
fc_rpc_endpoint_init(fc_rpc_endpoint *endpoint, const fc_rpc_options *options, const fc_rpc_owner_ops *owner);
/* Closes every connection, waits for its transport, tells the owner, frees. */
void
fc_rpc_endpoint_fini(fc_rpc_endpoint *endpoint, const char *reason);

#endif
