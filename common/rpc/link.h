/* link.h: what a connection needs of its transport; the one seam between the protocol and NNG.
 *
 * The transport answers a receive with fc_rpc_conn_received, a send with fc_rpc_conn_sent, and either with
 * fc_rpc_conn_lost, always later and from the loop. A connection has at most one of each under way. After
 * `close` it answers nothing but fc_rpc_conn_settled, once, when no memory it was lent is in use any more.
 */
#ifndef FC_RPC_LINK_H
#define FC_RPC_LINK_H

#include "common/base/principal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fc_rpc_conn;

typedef struct fc_rpc_link fc_rpc_link;
typedef struct fc_rpc_link_ops {
    /* Fills space with one byte or more; lent until the answer. */
    void (*receive)(fc_rpc_link *link, uint8_t *space, size_t size);
    /* Sends all of them; lent until the answer. */
    void (*send)(fc_rpc_link *link, const uint8_t *bytes, size_t size);
    /* Who is at the other end; asked when the first bytes have come. */
    bool (*identify)(fc_rpc_link *link, fc_principal *ret_peer);
    void (*close)(fc_rpc_link *link);
    /* After close: waits until the transport is quiet; fc_rpc_conn_settled is not called any more. */
    void (*settle)(fc_rpc_link *link);
    /* After it has settled. */
    void (*free)(fc_rpc_link *link);
} fc_rpc_link_ops;

struct fc_rpc_link {
    const fc_rpc_link_ops *ops; /* borrowed for ever */
    struct fc_rpc_conn *conn;   /* borrowed: set by fc_rpc_conn_new */
};

#endif
