/* link.h: the node's one connection to its coordinator.
 *
 * Life of a connection: dialled -> open -> (coordinator's addresses resolved) -> Hello answered -> ready ->
 * closed; then again, with jittered back-off, for ever: within seconds while the coordinator is not there,
 * within minutes once it refuses us. A reason that stays the same is logged once. While ready: Reports (one
 * at a time; a change of state at once, counters at most every report_interval_ms), Heartbeats, and
 * NodeService for the coordinator. Behind them evidence, one item at a time.
 */
#ifndef ND_LINK_H
#define ND_LINK_H

#include "common/model/protocol.h"
#include "common/rpc/rpc.h"
#include "node/node.h"

typedef struct nd_link nd_link;

enum {
    ND_HELLO_MS = 10000,     /* for the answer to Hello, to a Report, to a Heartbeat */
    ND_HEARTBEAT_MS = 15000, /* unless Hello says otherwise, as the next */
    ND_REPORT_INTERVAL_MS = 1000,
    ND_COALESCE_MS = 100, /* counters wait this long for company */
    ND_EVIDENCE_MS = 500, /* until evidence is looked at again that is not to be told yet, or was refused */
    ND_EVIDENCE_SPREAD_MS = 3000, /* after Hello, at random: before, none is told */
    /* After a coordinator's restart the whole fleet is to be back within 5 s. */
    ND_BACKOFF_FIRST_MS = 250,
    ND_BACKOFF_MAX_MS = 3000,
    ND_BACKOFF_REST_MS = 5 * 60 * 1000,
};

typedef struct nd_link_options {
    fc_loop *loop; /* borrowed, as all here */
    nd_node *node;
    struct nng_tls_config *tls;
    bool (*identify)(struct nng_stream *stream, fc_principal *ret_peer); /* NULL = fc_tls_identify */
    const struct fc_tls *explain_tls; /* says why a handshake failed, and whether we were refused; NULL =
                                       * nobody does */
    const char *coordinator;          /* "host:port" */
    fc_rpc_backoff backoff;           /* {0} = the above */
} nd_link_options;

FC_MUST_USE fc_err
nd_link_new(const nd_link_options *options, nd_link **ret_link, fc_fail *fail);
void
nd_link_free(nd_link *link);
/* Hello has been answered. */
bool
nd_link_ready(const nd_link *link);
/* Our certificate has ended: until that changes, an attempt is made within a random time of at most
 * ND_BACKOFF_REST_MS, so that a fleet that all ended at once does not keep its coordinator busy with refusing
 * it. */
void
nd_link_rest(nd_link *link, bool rest);
/* Other credentials, or somebody's word: whoever refused us is asked again at once. */
void
nd_link_retry(nd_link *link);
/* A call of somebody else's on the connection, as fc_rpc_call_new; NULL when it is not ready. */
fc_rpc_call *
nd_link_call(nd_link *link, fc_method_id method, const ProtobufCMessage *message, uint32_t timeout_ms,
             const fc_rpc_call_ops *ops, void *user);
/* Whether the coordinator does this; false without a connection that is ready. */
bool
nd_link_can(const nd_link *link, fc_feature feature);
/* Calls done, from the loop, when everything has been reported or after wait_ms, once. */
void
nd_link_flush(nd_link *link, uint32_t wait_ms, void (*done)(void *user), void *user);

#endif
