/* conn.h: one connection: frames to calls and back, admission, keep-alive, back-pressure. Pure over a link.
 *
 * Internal to the room. Life: OPENING (the peer is not known yet) -> OPEN -> CLOSING -> freed when the
 * transport has settled and every callback is delivered. Only fc_rpc_conn_received, _sent, _lost, the timer
 * and the task act; whatever the owner or a handler calls from within a callback takes effect at once but is
 * told later, from the task.
 */
#ifndef FC_RPC_CONN_H
#define FC_RPC_CONN_H

#include "common/base/buf.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/exchange.h"
#include "common/rpc/frame.h"
#include "common/rpc/link.h"
#include "common/rpc/rpc.h"

#include <sys/queue.h>

enum {
    FC_RPC_OUT_SOFT = 128 * 1024, /* queued bytes past which calls keep their messages to themselves */
    FC_RPC_OUT_HARD = 1 << 20, /* past which we stop reading: the peer makes us answer but does not listen */
    FC_RPC_QUICK_PINGS = 4,    /* right after opening, for the clock */
    FC_RPC_PINGS_MAX = 3,      /* unanswered */
    FC_RPC_ADDRESS_SIZE = 56,  /* "[IPv6]:port" */
};

/*    state */
#define FC_RPC_CONN_STATES(X) X(OPENING) X(OPEN) X(CLOSING)
typedef enum fc_rpc_conn_state {
#define X(name) FC_RPC_CONN_##name,
    FC_RPC_CONN_STATES(X)
#undef X
} fc_rpc_conn_state;

TAILQ_HEAD(fc_rpc_call_list, fc_rpc_call);

struct fc_rpc_conn {
    fc_rpc_endpoint *endpoint; /* borrowed: outlives it */
    fc_rpc_link *link;         /* owned */
    void *user;
    TAILQ_ENTRY(fc_rpc_conn) in_endpoint;
    TAILQ_ENTRY(fc_rpc_conn) in_owner; /* the owner's, to sort connections */
    fc_rpc_conn_state state;
    bool dialled;    /* by us: our streams are odd */
    bool identified; /* peer is filled in */
    bool was_open;
    bool announced; /* `closed` was called */
    bool settled;   /* the transport is quiet */
    bool receiving; /* a receive is under way */
    bool in_batch;  /* within fc_rpc_conn_received, which flushes at its end */
    bool peer_goes; /* GoAway came: no new streams */
    uint8_t quick_pings;
    uint8_t clock_pings; /* sent of those between the quick ones and the keep-alive */
    uint8_t pings_unanswered;

    uint32_t next_stream_id;       /* of our next call */
    uint32_t last_peer_stream_id;  /* the highest the peer opened */
    unsigned own_count;            /* streams open that we started */
    unsigned peer_count;           /* and that the peer did */
    unsigned bulk_count;           /* streams on which long messages may come to us */
    struct fc_rpc_call *calls;     /* owned: hash by stream id */
    struct fc_rpc_call_list ended; /* owned: over, on_closed not yet called */
    struct fc_rpc_call_list
        waiting; /* borrowed from calls: have something to send when `out` has room again */

    fc_rpc_decoder in;
    fc_buf out;     /* frames not yet handed to the link */
    fc_buf sending; /* lent to the link while not empty */
    fc_task task;
    fc_timer timer; /* OPENING: admission; OPEN: keep-alive */
    fc_rpc_exchange exchange;
    fc_principal peer;
    fc_mono opened; /* a guest: when */
    char address[FC_RPC_ADDRESS_SIZE];
    fc_rpc_status *why; /* owned: why it closed */
    char *peer_reason;  /* owned: of the peer's GoAway */
};

/* Takes ownership of link. address may be "". Starts receiving; the side that dialled sends a Ping at once.
 */
fc_rpc_conn *
fc_rpc_conn_new(fc_rpc_endpoint *endpoint, fc_rpc_link *link, bool dialled, const char *address);

/* ---- from the link, on the loop ---- */

void
fc_rpc_conn_received(fc_rpc_conn *conn, size_t size);
void
fc_rpc_conn_sent(fc_rpc_conn *conn);
/* Code: UNAUTHENTICATED when a certificate was refused, else UNAVAILABLE. Sentence: why, without the address.
 */
void
fc_rpc_conn_lost(fc_rpc_conn *conn, fc_code code, const char *sentence);
void
fc_rpc_conn_settled(fc_rpc_conn *conn);

/* ---- from calls and owners ---- */

/* Queues a frame; it goes out with others at the end of the round. */
void
fc_rpc_conn_put(fc_rpc_conn *conn, const Fcpb__Frame *frame);
/* Has the task run. */
void
fc_rpc_conn_wake(fc_rpc_conn *conn);
/* The peer broke the protocol: counts, tells it, closes. */
void
fc_rpc_conn_violated(fc_rpc_conn *conn, uint64_t *counter, const char *sentence);
/* Has `out` room for one more message? */
bool
fc_rpc_conn_roomy(const fc_rpc_conn *conn);
/* Closes when it is not yet closing, waits for the transport, tells everyone, frees. */
void
fc_rpc_conn_finish(fc_rpc_conn *conn);

#endif
