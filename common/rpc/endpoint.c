#include "common/rpc/endpoint.h"

#include "common/rpc/conn.h"

#include <assert.h>

enum { PENDING_MAX_DEFAULT = 512, CONNECTIONS_MAX_DEFAULT = 20000 };

static void
or_default(uint32_t *value, uint32_t standard)
{
    if (*value == 0)
        *value = standard;
}

void
fc_rpc_endpoint_init(fc_rpc_endpoint *endpoint, const fc_rpc_options *options, const fc_rpc_owner_ops *owner)
{
    *endpoint = (fc_rpc_endpoint){.options = *options, .owner = owner, .find = fc_rpc_method_find};
    or_default(&endpoint->options.keepalive_ms, FC_RPC_KEEPALIVE_MS);
    or_default(&endpoint->options.admission_ms, FC_RPC_ADMISSION_MS);
    or_default(&endpoint->options.pending_max, PENDING_MAX_DEFAULT);
    or_default(&endpoint->options.connections_max, CONNECTIONS_MAX_DEFAULT);
    or_default(&endpoint->options.anonymous_max, FC_RPC_ANONYMOUS_MAX);
    or_default(&endpoint->options.anonymous_ms, FC_RPC_ANONYMOUS_MS);
    TAILQ_INIT(&endpoint->conns);
    for (size_t i = 0; i < options->service_count; i++) {
        const fc_rpc_service *service = &options->services[i];
        for (size_t j = 0; j < service->handler_count; j++) {
            fc_method_id method = service->handlers[j].method;
            assert((size_t)method < FC_METHOD_COUNT);
            endpoint->served[method].handler = &service->handlers[j];
            endpoint->served[method].service = service->service;
        }
    }
}

void
fc_rpc_endpoint_fini(fc_rpc_endpoint *endpoint, const char *reason)
{
    fc_rpc_conn *conn;
    /* All are closed first, so that their transports wind up side by side. */
    TAILQ_FOREACH (conn, &endpoint->conns, in_endpoint)
        fc_rpc_conn_close(conn, FC_CODE_UNAVAILABLE, reason);
    while ((conn = TAILQ_FIRST(&endpoint->conns)) != NULL)
        fc_rpc_conn_finish(conn);
    fc_buf_fini(&endpoint->scratch);
}
