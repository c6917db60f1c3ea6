/* rpc.h: gRPC-like calls over nng_stream. Either side of a connection may call the other.
 *
 * Life of a connection: connecting -> handshake -> admitted (open) -> closed. Everything here happens on the
 * thread of the loop that the endpoint was made with; NNG's callbacks only post.
 *
 * Life of a call: started by fc_rpc_call_new (client side) or by a peer's Request (server side: the handler's
 * `open`). It ends exactly once, with a status: the client's on_status, or the server's on_closed. After that
 * callback the call is gone; nobody frees it by hand.
 */
#ifndef FC_RPC_RPC_H
#define FC_RPC_RPC_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/principal.h"
#include "common/rpc/methods.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct fc_tls;
struct nng_stream;
struct nng_tls_config;

/* Limits, checked before anything is allocated. */
enum {
    FC_RPC_FRAME_BEFORE_ADMISSION = 4096,
    FC_RPC_FRAME_MAX = 65536,
    FC_RPC_FRAME_BULK_MAX = (1 << 20) + 4096,   /* while a bulk call is open on the connection */
    FC_RPC_MESSAGE_MAX = FC_RPC_FRAME_MAX - 64, /* one packed message; a longer one ends its call */
    FC_RPC_MESSAGE_BULK_MAX = FC_RPC_FRAME_BULK_MAX - 64,
    FC_RPC_STREAMS_MAX = 256,           /* open at once that the peer started */
    FC_RPC_WINDOW_BYTES = 256 * 1024,   /* per stream and direction */
    FC_RPC_WINDOW_BULK_BYTES = 1 << 20, /* for bulk methods */
    FC_RPC_ADMISSION_MS = 10000,
    FC_RPC_ANONYMOUS_MAX = 256,  /* connections at once whose peer has no certificate; their frames stay
                                  * within FC_RPC_FRAME_BEFORE_ADMISSION */
    FC_RPC_ANONYMOUS_MS = 30000, /* how long one of them lives */
    FC_RPC_KEEPALIVE_MS = 15000, /* a Ping after this much silence; closed after three */
    FC_RPC_REFUSED_MAX_MS = 5 * 60 * 1000, /* between two attempts of a client that is refused for good */
};

typedef struct fc_rpc_conn fc_rpc_conn;
typedef struct fc_rpc_call fc_rpc_call;

/* How a call ended. */
typedef struct fc_rpc_status {
    fc_code code;
    char message[384]; /* one sentence for people */
    char field[64];    /* which field, may be empty */
    char instance[64]; /* which instance, may be empty */
} fc_rpc_status;

extern const fc_rpc_status fc_rpc_ok;
fc_rpc_status
fc_rpc_status_from_fail(const fc_fail *fail);
fc_rpc_status
fc_rpc_status_make(fc_code code, const char *format, ...) FC_PRINTF(2, 3);
/* Fills *fail from a status that is not OK; returns fail->err. */
fc_err
fc_rpc_status_fail(const fc_rpc_status *status, fc_fail *fail);

/* What a side hears about a call. Every pointer may be NULL. `message` is lent for the call of the function.
 */
typedef struct fc_rpc_call_ops {
    void (*on_message)(fc_rpc_call *call, const ProtobufCMessage *message);
    void (*on_half_close)(fc_rpc_call *call); /* the peer sends no more messages */
    void (*on_writable)(fc_rpc_call *call);   /* the window opened again after it was full */
    void (*on_closed)(fc_rpc_call *call,
                      const fc_rpc_status *status); /* the end, on either side; free user data */
} fc_rpc_call_ops;

/* ---- both sides ---- */

void *
fc_rpc_call_user(const fc_rpc_call *call);
void
fc_rpc_call_set(fc_rpc_call *call, const fc_rpc_call_ops *ops, void *user); /* borrows ops for ever */
fc_rpc_conn *
fc_rpc_call_conn(const fc_rpc_call *call);
const fc_rpc_method *
fc_rpc_call_method(const fc_rpc_call *call);
/* Packs and sends. False when the stream's window was already used up before it: the message is queued all
 * the same (never dropped), but the caller should wait for on_writable before the next one. */
bool
fc_rpc_call_send(fc_rpc_call *call, const ProtobufCMessage *message);
/* False too when the call is over, or has sent its last message. */
bool
fc_rpc_call_writable(const fc_rpc_call *call);
/* While held, what comes is still delivered, but the peer's window is not opened again: it stops when it has
 * used it up. For passing a stream on to someone slower. */
void
fc_rpc_call_hold(fc_rpc_call *call, bool held);

/* ---- client ---- */

/* Starts a call; sends `first` when not NULL (and half-closes, for a method that is not client-streaming).
 * timeout_ms 0 = no deadline. on_closed always comes, from the loop, never from within this function; with
 * FC_CODE_UNAVAILABLE when the connection is not open or breaks. */
fc_rpc_call *
fc_rpc_call_new(fc_rpc_conn *conn, fc_method_id method, const ProtobufCMessage *first, uint32_t timeout_ms,
                const fc_rpc_call_ops *ops, void *user);
void
fc_rpc_call_half_close(fc_rpc_call *call);
/* The server is told; on_closed(CANCELLED) comes from the loop. */
void
fc_rpc_call_cancel(fc_rpc_call *call);

/* ---- server ---- */

/* Ends a call. OK needs a message sent before it in a unary method. on_closed comes from the loop. */
void
fc_rpc_call_finish(fc_rpc_call *call, const fc_rpc_status *status);
/* fc_rpc_call_send and finish with OK. */
void
fc_rpc_call_reply(fc_rpc_call *call, const ProtobufCMessage *message);
/* Finishes with the failure's code and sentence. */
void
fc_rpc_call_fail(fc_rpc_call *call, const fc_fail *fail);

/* One method served. `open` comes when the Request is accepted (known method, role allowed); it sets the
 * call's ops. For a method that is not client-streaming leave `open` NULL and use `request`, which comes with
 * the one message. A handler may answer at once or later. */
typedef struct fc_rpc_handler {
    fc_method_id method;
    void (*request)(fc_rpc_call *call, const ProtobufCMessage *request, void *service);
    void (*open)(fc_rpc_call *call, void *service);
} fc_rpc_handler;

typedef struct fc_rpc_service {
    const fc_rpc_handler *handlers; /* borrowed */
    size_t handler_count;
    void *service; /* borrowed; given to every handler */
} fc_rpc_service;

/* ---- connections ---- */

typedef struct fc_rpc_conn_ops {
    void (*on_open)(fc_rpc_conn *conn, void *endpoint_user); /* admitted: the peer's principal is known */
    void (*on_close)(fc_rpc_conn *conn, const fc_rpc_status *why,
                     void *endpoint_user); /* after its calls' on_closed */
    /* A client could not connect: why, and in how long it tries again (0 = it does not). */
    void (*on_connect_failed)(const fc_fail *why, uint64_t retry_ms, void *endpoint_user);
    /* The peer called what its role may not: for an audit log. The call is answered already. Not told of an
     * anonymous one, which could fill the log: those are only counted. */
    void (*on_denied)(fc_rpc_conn *conn, const fc_rpc_method *method, void *endpoint_user);
    /* An order of the peer was refused, because it has a field that is not known here: likewise. */
    void (*on_newer)(fc_rpc_conn *conn, const fc_rpc_method *method, const fc_fail *why, void *endpoint_user);
} fc_rpc_conn_ops;

typedef struct fc_rpc_options {
    fc_loop *loop;              /* borrowed */
    struct nng_tls_config *tls; /* borrowed. Programs always give it; without (tests) plain TCP
                                 * is spoken, and `identify` alone decides who the peer is */
    bool (*identify)(struct nng_stream *stream, fc_principal *ret_peer); /* fc_tls_identify */
    const fc_rpc_service *services; /* borrowed: what the peer may call here */
    size_t service_count;
    const fc_rpc_conn_ops *ops; /* borrowed */
    void *user;
    uint32_t keepalive_ms;    /* 0 = FC_RPC_KEEPALIVE_MS */
    uint32_t admission_ms;    /* 0 = FC_RPC_ADMISSION_MS */
    uint32_t pending_max;     /* server: connections not yet admitted at once; 0 = 512. The
                               * longest-waiting one is closed when one more comes. */
    uint32_t connections_max; /* server: 0 = 20,000 */
    uint32_t anonymous_max;   /* server: 0 = FC_RPC_ANONYMOUS_MAX */
    uint32_t anonymous_ms;    /* server: 0 = FC_RPC_ANONYMOUS_MS */
    /* Client, may be NULL: why the last handshake failed (fc_tls_last_failure); FC_OK when it does not know.
     */
    fc_err (*explain)(const struct fc_tls *tls, fc_fail *ret_fail);
    /* Client, may be NULL: whether that was the peer's refusal of our certificate (fc_tls_refused). */
    bool (*refused)(const struct fc_tls *tls);
    const struct fc_tls *explain_tls; /* borrowed: for `explain` and `refused` */
} fc_rpc_options;

const fc_principal *
fc_rpc_conn_peer(const fc_rpc_conn *conn); /* borrowed */
/* The peer has been given a new certificate over this very connection: same role, name and fleet, from now on
 * this serial and this end. */
void
fc_rpc_conn_set_peer(fc_rpc_conn *conn, const fc_principal *peer);
const char *
fc_rpc_conn_address(const fc_rpc_conn *conn); /* "10.77.0.2:41234"; "" when not known */
void *
fc_rpc_conn_user(const fc_rpc_conn *conn);
void
fc_rpc_conn_set_user(fc_rpc_conn *conn, void *user);
/* Closes; on_close comes from the loop, with this reason. */
void
fc_rpc_conn_close(fc_rpc_conn *conn, fc_code code, const char *reason);

/* The peer's clock against ours, from the Ping with the shortest round trip of the last eight (RFC 5905,
 * section 8). */
typedef struct fc_rpc_clock {
    int64_t offset_ns; /* peer minus us */
    int64_t bound_ns;  /* half the round trip; 0 = not measured yet */
    int64_t round_trip_ns;
} fc_rpc_clock;
fc_rpc_clock
fc_rpc_conn_clock(const fc_rpc_conn *conn);

/* ---- server endpoint ---- */

typedef struct fc_rpc_server fc_rpc_server;
/* address: "0.0.0.0:7443" or "[::]:7443"; port 0 = any, see fc_rpc_server_port. */
FC_MUST_USE fc_err
fc_rpc_server_new(const fc_rpc_options *options, const char *address, fc_rpc_server **ret_server,
                  fc_fail *fail);
uint16_t
fc_rpc_server_port(const fc_rpc_server *server);
/* Closes the listener and every connection; their on_close comes before it returns, from within it. Not to be
 * called from a callback of its own connections. */
void
fc_rpc_server_free(fc_rpc_server *server);
/* Of the connections whose peer has a certificate. */
void
fc_rpc_server_each(fc_rpc_server *server, void (*visit)(fc_rpc_conn *conn, void *user), void *user);

#define FC_RPC_COUNTERS(X)                                                                                   \
    X(connections_accepted, "connections accepted, before any handshake")                                    \
    X(connections_admitted, "connections whose peer was identified")                                         \
    X(refused_timeout, "connections closed: not admitted within the admission time")                         \
    X(refused_handshake, "connections closed: handshake failed or the peer has no role here")                \
    X(refused_pending, "connections closed: too many waiting for admission")                                 \
    X(refused_full, "connections closed: too many connections")                                              \
    X(frames_oversized, "connections closed: a frame longer than allowed")                                   \
    X(frames_malformed, "connections closed: bytes that are no frame, or a frame that breaks the protocol")  \
    X(calls_denied, "calls refused: the role may not call the method")                                       \
    X(calls_unknown, "calls refused: no such method")                                                        \
    X(calls_limited, "calls refused: too many open on the connection")                                       \
    X(calls_newer, "calls refused: an order with a field that is not known here")                            \
    X(window_violations, "connections closed: more data than the window allowed")                            \
    X(keepalive_lost, "connections closed: the peer fell silent")                                            \
    X(admitted_anonymous, "connections admitted whose peer has no certificate, to enrol")                    \
    X(refused_anonymous, "connections closed: too many without a certificate")                               \
    X(expired_anonymous, "connections closed: without a certificate for too long")
typedef struct fc_rpc_counters {
#define X(name, help) uint64_t name;
    FC_RPC_COUNTERS(X)
#undef X
} fc_rpc_counters;
const fc_rpc_counters *
fc_rpc_server_counters(const fc_rpc_server *server);

/* ---- client endpoint: keeps one connection to a server, with jittered exponential back-off ---- */

/* A server that is not there is looked for within max_ms. One that refuses our certificate will most likely
 * do so again: then the waits grow up to refused_max_ms, on a count of their own. So a server whose
 * revocation list or clock was wrong has its clients back after about as long as it was wrong, and at the
 * latest after refused_max_ms. */
typedef struct fc_rpc_client fc_rpc_client;
typedef struct fc_rpc_backoff {
    uint32_t first_ms;       /* 0 = 250 */
    uint32_t max_ms;         /* 0 = 15000 */
    uint32_t refused_max_ms; /* 0 = FC_RPC_REFUSED_MAX_MS */
    bool once;               /* do not try again (a command-line tool) */
} fc_rpc_backoff;
/* address: "coordinator.example:7443", "10.77.0.1:7443", "[fd00::1]:7443". Starts connecting at once. */
FC_MUST_USE fc_err
fc_rpc_client_new(const fc_rpc_options *options, const char *address, const fc_rpc_backoff *backoff,
                  fc_rpc_client **ret_client, fc_fail *fail);
/* From now on it waits like this between attempts (`once` stays as it is); a wait that has begun begins anew.
 */
void
fc_rpc_client_set_backoff(fc_rpc_client *client, const fc_rpc_backoff *backoff);
/* What was refused may be welcome now (other credentials): all counts begin anew, and a wait ends at once. */
void
fc_rpc_client_retry(fc_rpc_client *client);
/* NULL while there is none. */
fc_rpc_conn *
fc_rpc_client_conn(const fc_rpc_client *client);
/* Like fc_rpc_server_free. */
void
fc_rpc_client_free(fc_rpc_client *client);

/* ---- for a command-line tool: one unary call, the loop run until it is over ---- */

/* *ret_reply is unpacked for the caller, who frees it with protobuf_c_message_free_unpacked. Waits for the
 * connection too. FC_ERR_* by the status; *fail carries the server's sentence. */
FC_MUST_USE fc_err
fc_rpc_unary(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request, uint32_t timeout_ms,
             ProtobufCMessage **ret_reply, fc_fail *fail);
/* The same for a server-streaming method: `each` is called per message; return false to cancel (then FC_OK).
 */
FC_MUST_USE fc_err
fc_rpc_stream(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request,
              uint32_t timeout_ms, bool (*each)(const ProtobufCMessage *message, void *user), void *user,
              fc_fail *fail);

#endif
