/* call.h: one call: messages, windows, half-close, deadline, cancellation, status. Pure.
 *
 * Internal to the room. Every Request that is sent gets exactly one Status, also one that was cancelled; the
 * caller keeps the stream until it comes, so that both sides agree about what is open.
 */
#ifndef FC_RPC_CALL_H
#define FC_RPC_CALL_H

#include "common/base/loop.h"
#include "common/rpc/queue.h"
#include "common/rpc/rpc.h"

#include "fleetcap/v1/frame.pb-c.h"

#include <sys/queue.h>
#include <uthash.h>

/*   OPEN       messages flow
 *   FINISHING  server: the status is decided, messages before it still wait for the window
 *   CANCELLED  client: over for its user, the server's Status has not come yet
 *   OVER       gone from the connection */
#define FC_RPC_CALL_STATES(X) X(OPEN) X(FINISHING) X(CANCELLED) X(OVER)
typedef enum fc_rpc_call_state {
#define X(name) FC_RPC_CALL_##name,
    FC_RPC_CALL_STATES(X)
#undef X
} fc_rpc_call_state;

struct fc_rpc_call {
    fc_rpc_conn *conn; /* borrowed: outlives it */
    const fc_rpc_method *method;
    const fc_rpc_call_ops *ops; /* borrowed */
    void *user;
    UT_hash_handle hh; /* in conn->calls, by stream_id */
    TAILQ_ENTRY(fc_rpc_call) in_ended;
    TAILQ_ENTRY(fc_rpc_call) in_waiting;
    uint32_t stream_id;
    fc_rpc_call_state state;
    bool server;      /* the peer started it */
    bool hashed;      /* in conn->calls */
    bool delivered;   /* on_closed was called */
    bool waiting;     /* in conn->waiting */
    bool full;        /* the user should wait for on_writable */
    bool held;        /* the user wants no more messages for now */
    bool ended_here;  /* we send no more messages */
    bool ended_there; /* the peer sends no more messages */
    bool message_sent;
    bool message_taken;
    int64_t send_window_bytes;    /* may be overdrawn by one message */
    int64_t receive_window_bytes; /* what the peer may still send; likewise */
    int64_t consumed_bytes;       /* taken by the user, not yet given back to the peer */
    fc_rpc_queue queue;           /* messages that wait for the window */
    fc_timer deadline;
    fc_rpc_status *status; /* owned: how it ended; NULL = OK */
};

/* fc_rpc_call_new by method, so that a test may bring its own. */
fc_rpc_call *
fc_rpc_call_start(fc_rpc_conn *conn, const fc_rpc_method *method, const ProtobufCMessage *first,
                  uint32_t timeout_ms, const fc_rpc_call_ops *ops, void *user);

/* ---- from the connection ---- */

/* A Request on a new stream: makes a call or refuses it. */
void
fc_rpc_call_take_request(fc_rpc_conn *conn, uint32_t stream_id, const Fcpb__Request *request);
fc_rpc_call *
fc_rpc_call_find(fc_rpc_conn *conn, uint32_t stream_id);
void
fc_rpc_call_take_message(fc_rpc_call *call, const Fcpb__Message *message);
void
fc_rpc_call_take_status(fc_rpc_call *call, const Fcpb__Status *status);
void
fc_rpc_call_take_cancel(fc_rpc_call *call);
void
fc_rpc_call_take_window(fc_rpc_call *call, uint32_t bytes);
/* The connection has room again: sends one queued message or tells the user. True when it wants another turn.
 */
bool
fc_rpc_call_serve(fc_rpc_call *call);
/* The connection is closing. */
void
fc_rpc_call_lose(fc_rpc_call *call, const fc_rpc_status *why);
/* on_closed; frees the call when nothing else needs it. The connection took it off its list. */
void
fc_rpc_call_deliver(fc_rpc_call *call);

#endif
