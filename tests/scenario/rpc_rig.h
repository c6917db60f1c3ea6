/* rpc_rig.h: connections over a fake link and a fake clock: the test moves every byte and every millisecond.
 *
 * A rig has two ends. Either both have a connection, or the test itself is the other end ("raw") and speaks
 * frames.
 */
#ifndef FC_TESTS_RPC_RIG_H
#define FC_TESTS_RPC_RIG_H

#include "common/base/mem.h"
#include "common/rpc/call.h"
#include "common/rpc/conn.h"

typedef struct rig_end {
    fc_rpc_link link;
    struct rig_end *other; /* borrowed */
    fc_rpc_endpoint endpoint;
    fc_rpc_conn *conn; /* weak: NULL once it has been freed, and at a raw end */
    bool raw;
    fc_principal peer; /* what identify answers */
    bool stranger;     /* identify says no */
    uint8_t *space;    /* lent by a receive under way */
    size_t room;
    const uint8_t *lent; /* by a send under way */
    size_t lent_size;
    bool closed;
    bool abrupt; /* closing loses what was lent; a socket delivers it as a rule */
    bool settled;
    bool told; /* that the other end has closed */
    fc_buf inbox;
    unsigned opened;
    unsigned closings;
    fc_rpc_status why;
} rig_end;

typedef struct rig {
    fc_clock clock;
    int64_t mono_ns;
    fc_loop *loop;
    rig_end dialler;
    rig_end listener;
} rig;

extern const fc_rpc_method rig_upload; /* a client-streaming method that only the rig knows */

typedef struct rig_options {
    const fc_rpc_service *dialler_services; /* one, may be NULL */
    const fc_rpc_service *listener_services;
    fc_role dialler_role; /* who the listener takes the dialler for; 0 = operator */
    bool dialler_raw;
    bool listener_raw;
} rig_options;

void
rig_init(rig *r, const rig_options *options);
/* Cuts what still stands and frees; fails the test when a connection was told of twice or not at all. */
void
rig_fini(rig *r);

/* Moves at most `most` bytes of a send under way towards the other end. False when there was nothing to move.
 */
bool
rig_carry(rig_end *from, size_t most);
/* Hands at most `most` bytes that have arrived to the connection. False when nothing was done. */
bool
rig_hand(rig_end *to, size_t most);
/* Runs what the loop has to do now; true when there was something. */
bool
rig_run(rig *r);
/* All of the above until nothing moves. */
void
rig_settle(rig *r);
/* Lets time pass, and whatever happens meanwhile. */
void
rig_pass_ms(rig *r, int64_t ms);
/* The line breaks: both ends hear of it. */
void
rig_cut(rig *r);

/* ---- the raw end ---- */

void
rig_say(rig_end *raw, const Fcpb__Frame *frame);
void
rig_say_bytes(rig_end *raw, const void *bytes, size_t size);
void
rig_say_request(rig_end *raw, uint32_t stream_id, const char *method, uint32_t timeout_ms,
                uint32_t window_bytes);
void
rig_say_message(rig_end *raw, uint32_t stream_id, const ProtobufCMessage *message, bool end_of_stream);
void
rig_say_payload(rig_end *raw, uint32_t stream_id, const void *payload, size_t size, bool end_of_stream);
void
rig_say_status(rig_end *raw, uint32_t stream_id, fc_code code, const char *message);
void
rig_say_cancel(rig_end *raw, uint32_t stream_id);
void
rig_say_window(rig_end *raw, uint32_t stream_id, uint32_t bytes);
void
rig_say_ping(rig_end *raw);
/* The next frame that is not a Ping or Pong; NULL when there is none. Free with fcpb__frame__free_unpacked.
 */
Fcpb__Frame *
rig_hear(rig_end *raw);
/* Throws away what was heard; returns how many frames of that kind there were. */
unsigned
rig_skip(rig_end *raw, Fcpb__Frame__BodyCase kind);
/* Takes the next frame, which must be this one. */
void
rig_expect(rig_end *raw, uint32_t stream_id, Fcpb__Frame__BodyCase kind);

/* ---- what a call's user hears: give rig_heard_ops and a rig_heard ---- */

typedef struct rig_heard {
    unsigned messages;
    size_t bytes;
    unsigned half_closed;
    unsigned writable;
    unsigned closed;
    fc_rpc_status status;
} rig_heard;

extern const fc_rpc_call_ops rig_heard_ops;

#endif
