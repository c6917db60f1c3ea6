#include "common/rpc/conn.h"

#include "common/base/mem.h"
#include "common/rpc/call.h"
#include "common/rpc/guests.h"
#include "common/rpc/put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BYTES = 512 }; /* of a send buffer, when there is nothing to send */

static void
run(fc_task *task);
static void
on_timer(fc_timer *timer);

static fc_loop *
loop_of(const fc_rpc_conn *conn)
{
    return conn->endpoint->options.loop;
}

/* ---- what users ask ---- */

const fc_principal *
fc_rpc_conn_peer(const fc_rpc_conn *conn)
{
    return &conn->peer;
}

void
fc_rpc_conn_set_peer(fc_rpc_conn *conn, const fc_principal *peer)
{
    conn->peer = *peer;
}

const char *
fc_rpc_conn_address(const fc_rpc_conn *conn)
{
    return conn->address;
}

void *
fc_rpc_conn_user(const fc_rpc_conn *conn)
{
    return conn->user;
}

void
fc_rpc_conn_set_user(fc_rpc_conn *conn, void *user)
{
    conn->user = user;
}

fc_rpc_clock
fc_rpc_conn_clock(const fc_rpc_conn *conn)
{
    return fc_rpc_exchange_best(&conn->exchange);
}

/* ---- sending ---- */

void
fc_rpc_conn_wake(fc_rpc_conn *conn)
{
    fc_loop_post(loop_of(conn), &conn->task);
}

bool
fc_rpc_conn_roomy(const fc_rpc_conn *conn)
{
    return fc_buf_size(&conn->out) < FC_RPC_OUT_SOFT;
}

void
fc_rpc_conn_put(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    fc_rpc_frame_put(&conn->out, frame);
    if (!conn->in_batch)
        fc_rpc_conn_wake(conn);
}

static void
shrink(fc_buf *buf)
{
    if (buf->capacity > KEPT_BYTES)
        fc_buf_fini(buf);
    else
        fc_buf_clear(buf);
}

static void
flush(fc_rpc_conn *conn)
{
    if (fc_buf_size(&conn->sending) > 0 || fc_buf_size(&conn->out) == 0)
        return;
    fc_buf swap = conn->sending;
    conn->sending = conn->out;
    conn->out = swap;
    conn->link->ops->send(conn->link, fc_buf_bytes(&conn->sending), fc_buf_size(&conn->sending));
}

/* Round-robin, one message a turn, so that a long stream does not starve the others. */
static void
serve_waiting(fc_rpc_conn *conn)
{
    fc_rpc_call *call;
    while (conn->state != FC_RPC_CONN_CLOSING && fc_rpc_conn_roomy(conn) &&
           (call = TAILQ_FIRST(&conn->waiting)) != NULL) {
        TAILQ_REMOVE(&conn->waiting, call, in_waiting);
        call->waiting = false;
        if (fc_rpc_call_serve(call) && !call->waiting) {
            call->waiting = true;
            TAILQ_INSERT_TAIL(&conn->waiting, call, in_waiting);
        }
    }
}

static void
send_ping(fc_rpc_conn *conn)
{
    fc_rpc_put_ping(conn, fc_rpc_exchange_start(&conn->exchange, fc_loop_clock(loop_of(conn))));
}

/* When a whole fleet connects at once, the quick Pings measure the rush. These, so long after opening, come
 * when it is over, well before the keep-alive's first. They are for the clock only: unanswered, they count
 * for nothing. */
static const uint32_t clock_pings_ms[] = {1000, 3000, 7000};

static bool
clock_ping_next(const fc_rpc_conn *conn)
{
    return conn->clock_pings < FC_COUNT(clock_pings_ms) &&
           clock_pings_ms[conn->clock_pings] < conn->endpoint->options.keepalive_ms;
}

/* From opening or a clock ping to the next ping. The keep-alive's first is where it would be without. */
static void
arm_first_pings(fc_rpc_conn *conn)
{
    uint32_t now_ms = conn->clock_pings > 0 ? clock_pings_ms[conn->clock_pings - 1] : 0;
    uint32_t next_ms =
        clock_ping_next(conn) ? clock_pings_ms[conn->clock_pings] : conn->endpoint->options.keepalive_ms;
    fc_loop_timer_after_ms(loop_of(conn), &conn->timer, next_ms - now_ms);
}

/* ---- closing ---- */

static void
shut(fc_rpc_conn *conn, fc_code code, const char *reason)
{
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    conn->state = FC_RPC_CONN_CLOSING;
    conn->why = FC_NEW(fc_rpc_status);
    *conn->why = fc_rpc_status_make(code, "%s", reason);
    fc_loop_timer_clear(loop_of(conn), &conn->timer);
    if (conn->endpoint->owner->closing != NULL)
        conn->endpoint->owner->closing(conn->endpoint, conn);
    fc_rpc_call *call, *next;
    HASH_ITER (hh, conn->calls, call, next)
        fc_rpc_call_lose(call, conn->why);
    fc_buf_fini(&conn->out);
    conn->link->ops->close(conn->link);
    fc_rpc_conn_wake(conn);
}

/* Tells the peer why, as far as the transport takes it at once. */
static void
say_goodbye(fc_rpc_conn *conn, const char *reason)
{
    if (conn->state != FC_RPC_CONN_OPEN)
        return;
    fc_rpc_put_go_away(conn, reason);
    flush(conn);
}

void
fc_rpc_conn_close(fc_rpc_conn *conn, fc_code code, const char *reason)
{
    say_goodbye(conn, reason);
    shut(conn, code, reason);
}

void
fc_rpc_conn_violated(fc_rpc_conn *conn, uint64_t *counter, const char *sentence)
{
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    (*counter)++;
    fc_rpc_conn_close(conn, FC_CODE_INTERNAL, sentence);
}

void
fc_rpc_conn_lost(fc_rpc_conn *conn, fc_code code, const char *sentence)
{
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    if (conn->state == FC_RPC_CONN_OPENING)
        conn->endpoint->counters.refused_handshake++;
    char reason[sizeof conn->why->message];
    if (conn->peer_reason != NULL)
        (void)snprintf(reason, sizeof reason, "closed by the peer: %s", conn->peer_reason);
    else
        (void)snprintf(reason, sizeof reason, "%s", sentence);
    shut(conn, code, reason);
}

/* ---- frames by kind ---- */

static void
take_ping(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    const fc_clock *clock = fc_loop_clock(loop_of(conn));
    int64_t received = fc_clock_wall(clock).ns;
    fc_rpc_put_pong(conn, frame->ping->origin_unix_ns, received, fc_clock_wall(clock).ns);
}

static void
take_pong(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    const Fcpb__Pong *pong = frame->pong;
    if (!fc_rpc_exchange_finish(&conn->exchange, fc_loop_clock(loop_of(conn)), pong->origin_unix_ns,
                                pong->receive_unix_ns, pong->transmit_unix_ns))
        return;
    if (conn->quick_pings > 0) {
        conn->quick_pings--;
        send_ping(conn);
    }
}

static void
take_go_away(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    if (conn->peer_goes)
        return;
    char reason[256];
    fc_rpc_frame_text(reason, sizeof reason, frame->go_away->reason);
    conn->peer_goes = true;
    conn->peer_reason = fc_strdup(reason);
    fc_rpc_conn_wake(conn);
}

static void
take_request(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    if (frame->stream_id <= conn->last_peer_stream_id) {
        fc_rpc_conn_violated(conn, &conn->endpoint->counters.frames_malformed,
                             "a request used a stream number again");
        return;
    }
    conn->last_peer_stream_id = frame->stream_id;
    fc_rpc_call_take_request(conn, frame->stream_id, frame->request);
}

static void
take_message(fc_rpc_call *call, const Fcpb__Frame *frame)
{
    fc_rpc_call_take_message(call, frame->message);
}

static void
take_status(fc_rpc_call *call, const Fcpb__Frame *frame)
{
    fc_rpc_call_take_status(call, frame->status);
}

static void
take_cancel(fc_rpc_call *call, const Fcpb__Frame *frame)
{
    (void)frame;
    fc_rpc_call_take_cancel(call);
}

static void
take_window(fc_rpc_call *call, const Fcpb__Frame *frame)
{
    fc_rpc_call_take_window(call, frame->window_update->bytes);
}

/* Who may send what on which stream. `from`: the caller (who started the stream), the callee, or both. */
enum { FROM_CALLER = 1, FROM_CALLEE = 2 };
static const struct {
    void (*to_conn)(fc_rpc_conn *conn, const Fcpb__Frame *frame);
    void (*to_call)(fc_rpc_call *call, const Fcpb__Frame *frame);
    unsigned from; /* 0: on stream 0 */
} kinds[] = {
    [FCPB__FRAME__BODY_REQUEST] = {take_request, NULL, FROM_CALLER},
    [FCPB__FRAME__BODY_MESSAGE] = {NULL, take_message, FROM_CALLER | FROM_CALLEE},
    [FCPB__FRAME__BODY_STATUS] = {NULL, take_status, FROM_CALLEE},
    [FCPB__FRAME__BODY_CANCEL] = {NULL, take_cancel, FROM_CALLER},
    [FCPB__FRAME__BODY_WINDOW_UPDATE] = {NULL, take_window, FROM_CALLER | FROM_CALLEE},
    [FCPB__FRAME__BODY_PING] = {take_ping, NULL, 0},
    [FCPB__FRAME__BODY_PONG] = {take_pong, NULL, 0},
    [FCPB__FRAME__BODY_GO_AWAY] = {take_go_away, NULL, 0},
};

static void
take_frame(fc_rpc_conn *conn, const Fcpb__Frame *frame)
{
    uint64_t *malformed = &conn->endpoint->counters.frames_malformed;
    size_t kind = (size_t)frame->body_case;
    uint32_t id = frame->stream_id;
    assert(kind < FC_COUNT(kinds));
    if ((kinds[kind].from == 0) != (id == 0)) {
        fc_rpc_conn_violated(conn, malformed, "a frame came on a stream it does not belong on");
        return;
    }
    bool ours = (id % 2 == 1) == conn->dialled;
    if (id != 0 && (kinds[kind].from & (ours ? FROM_CALLEE : FROM_CALLER)) == 0) {
        fc_rpc_conn_violated(conn, malformed, "a frame came from the wrong side of a call");
        return;
    }
    if (kinds[kind].to_conn != NULL) {
        kinds[kind].to_conn(conn, frame);
        return;
    }
    fc_rpc_call *call = fc_rpc_call_find(conn, id);
    if (call != NULL)
        kinds[kind].to_call(call, frame);
    else if (ours ? id >= conn->next_stream_id : id > conn->last_peer_stream_id)
        fc_rpc_conn_violated(conn, malformed, "a frame came on a stream that was never opened");
    /* Else it crossed the end of its call. */
}

/* ---- receiving ---- */

static uint32_t
limit_of(const fc_rpc_conn *conn)
{
    if (conn->state == FC_RPC_CONN_OPENING || fc_rpc_guest_is(conn))
        return FC_RPC_FRAME_BEFORE_ADMISSION;
    return conn->bulk_count > 0 ? FC_RPC_FRAME_BULK_MAX : FC_RPC_FRAME_MAX;
}

static void
receive_more(fc_rpc_conn *conn)
{
    size_t out_max = fc_rpc_guest_is(conn) ? FC_RPC_GUEST_OUT_HARD : FC_RPC_OUT_HARD;
    if (conn->state == FC_RPC_CONN_CLOSING || conn->receiving || fc_buf_size(&conn->out) > out_max)
        return;
    size_t size;
    uint8_t *space = fc_rpc_decoder_space(&conn->in, limit_of(conn), &size);
    conn->receiving = true;
    conn->link->ops->receive(conn->link, space, size);
}

/* Has the owner room for it? Else it is told why not, as far as the transport takes it at once. */
static bool
may_open(fc_rpc_conn *conn)
{
    const fc_rpc_owner_ops *owner = conn->endpoint->owner;
    const char *reason;
    if (owner->may_open == NULL || owner->may_open(conn->endpoint, conn, &reason))
        return true;
    fc_rpc_put_go_away(conn, reason);
    flush(conn);
    shut(conn, FC_CODE_RESOURCE_EXHAUSTED, reason);
    return false;
}

static void
open_conn(fc_rpc_conn *conn)
{
    if (!may_open(conn))
        return;
    conn->state = FC_RPC_CONN_OPEN;
    conn->was_open = true;
    arm_first_pings(conn);
    if (!conn->dialled)
        send_ping(conn);
    const fc_rpc_options *options = &conn->endpoint->options;
    if (conn->endpoint->owner->opened != NULL)
        conn->endpoint->owner->opened(conn->endpoint, conn);
    if (options->ops != NULL && options->ops->on_open != NULL)
        options->ops->on_open(conn, options->user);
}

/* True when there may be another. */
static bool
take_next(fc_rpc_conn *conn)
{
    fc_rpc_counters *counters = &conn->endpoint->counters;
    fc_rpc_arena arena;
    Fcpb__Frame *frame;
    switch (fc_rpc_decoder_next(&conn->in, limit_of(conn), &arena, &frame)) {
    case FC_RPC_DECODE_MORE:
        return false;
    case FC_RPC_DECODE_OVERSIZED:
        fc_rpc_conn_violated(conn, &counters->frames_oversized, "a frame was longer than is allowed");
        return false;
    case FC_RPC_DECODE_MALFORMED:
        fc_rpc_conn_violated(conn, &counters->frames_malformed, "bytes came that are no frame");
        return false;
    case FC_RPC_DECODE_FRAME:
        break;
    }
    if (conn->state == FC_RPC_CONN_OPENING)
        open_conn(conn);
    if (conn->state == FC_RPC_CONN_OPEN)
        take_frame(conn, frame);
    fc_rpc_arena_fini(&arena);
    return conn->state == FC_RPC_CONN_OPEN;
}

static bool
identified(fc_rpc_conn *conn)
{
    if (conn->identified)
        return true;
    conn->identified = conn->link->ops->identify(conn->link, &conn->peer) && conn->peer.role != FC_ROLE_NONE;
    if (!conn->identified) {
        conn->endpoint->counters.refused_handshake++;
        shut(conn, FC_CODE_UNAUTHENTICATED, "the peer's certificate gives it no place in this fleet");
    }
    return conn->identified;
}

void
fc_rpc_conn_received(fc_rpc_conn *conn, size_t size)
{
    conn->receiving = false;
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    fc_rpc_decoder_commit(&conn->in, size);
    conn->pings_unanswered = 0;
    if (!identified(conn))
        return;
    conn->in_batch = true;
    while (take_next(conn))
        continue;
    serve_waiting(conn);
    conn->in_batch = false;
    if (conn->state != FC_RPC_CONN_CLOSING)
        flush(conn);
    receive_more(conn);
}

void
fc_rpc_conn_sent(fc_rpc_conn *conn)
{
    shrink(&conn->sending);
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    conn->in_batch = true;
    serve_waiting(conn);
    conn->in_batch = false;
    if (conn->state == FC_RPC_CONN_CLOSING)
        return;
    flush(conn);
    if (fc_buf_size(&conn->out) == 0)
        shrink(&conn->out);
    receive_more(conn);
}

/* ---- life ---- */

static void
on_timer(fc_timer *timer)
{
    fc_rpc_conn *conn = FC_CONTAINER(timer, fc_rpc_conn, timer);
    const fc_rpc_options *options = &conn->endpoint->options;
    fc_rpc_counters *counters = &conn->endpoint->counters;
    char reason[96];
    if (conn->state == FC_RPC_CONN_OPENING) {
        counters->refused_timeout++;
        (void)snprintf(reason, sizeof reason, "no answer within %u ms", options->admission_ms);
        shut(conn, FC_CODE_UNAVAILABLE, reason);
        return;
    }
    if (clock_ping_next(conn)) {
        conn->clock_pings++;
        send_ping(conn);
        arm_first_pings(conn);
        return;
    }
    if (conn->pings_unanswered >= FC_RPC_PINGS_MAX) {
        counters->keepalive_lost++;
        (void)snprintf(reason, sizeof reason, "the peer fell silent: %u pings in a row went unanswered",
                       conn->pings_unanswered);
        shut(conn, FC_CODE_UNAVAILABLE, reason);
        return;
    }
    conn->pings_unanswered++;
    send_ping(conn);
    fc_loop_timer_after_ms(loop_of(conn), timer, options->keepalive_ms);
}

fc_rpc_conn *
fc_rpc_conn_new(fc_rpc_endpoint *endpoint, fc_rpc_link *link, bool dialled, const char *address)
{
    fc_rpc_conn *conn = FC_NEW(fc_rpc_conn);
    conn->endpoint = endpoint;
    conn->link = link;
    link->conn = conn;
    conn->dialled = dialled;
    conn->next_stream_id = dialled ? 1 : 2;
    conn->quick_pings = FC_RPC_QUICK_PINGS;
    conn->task.run = run;
    conn->timer.fire = on_timer;
    TAILQ_INIT(&conn->ended);
    TAILQ_INIT(&conn->waiting);
    (void)snprintf(conn->address, sizeof conn->address, "%s", address);
    TAILQ_INSERT_TAIL(&endpoint->conns, conn, in_endpoint);
    fc_loop_timer_after_ms(loop_of(conn), &conn->timer, endpoint->options.admission_ms);
    receive_more(conn);
    /* The first bytes come from the side that dialled: only they tell the other side that the handshake is
     * done. */
    if (dialled) {
        send_ping(conn);
        flush(conn);
    }
    return conn;
}

static void
conn_free(fc_rpc_conn *conn)
{
    assert(conn->calls == NULL && TAILQ_EMPTY(&conn->ended));
    TAILQ_REMOVE(&conn->endpoint->conns, conn, in_endpoint);
    fc_loop_withdraw(loop_of(conn), &conn->task);
    conn->link->ops->free(conn->link);
    fc_rpc_decoder_fini(&conn->in);
    fc_buf_fini(&conn->out);
    fc_buf_fini(&conn->sending);
    free(conn->why);
    free(conn->peer_reason);
    free(conn);
}

/* The calls that are over now; what ends meanwhile has its turn next time. */
static void
deliver_ended(fc_rpc_conn *conn)
{
    struct fc_rpc_call_list batch = TAILQ_HEAD_INITIALIZER(batch);
    TAILQ_CONCAT(&batch, &conn->ended, in_ended);
    fc_rpc_call *call;
    while ((call = TAILQ_FIRST(&batch)) != NULL) {
        TAILQ_REMOVE(&batch, call, in_ended);
        fc_rpc_call_deliver(call);
    }
}

static void
announce(fc_rpc_conn *conn)
{
    if (conn->announced)
        return;
    conn->announced = true;
    const fc_rpc_options *options = &conn->endpoint->options;
    if (conn->endpoint->owner->closed != NULL)
        conn->endpoint->owner->closed(conn->endpoint, conn, conn->why);
    if (conn->was_open && options->ops != NULL && options->ops->on_close != NULL)
        options->ops->on_close(conn, conn->why, options->user);
}

static void
run(fc_task *task)
{
    fc_rpc_conn *conn = FC_CONTAINER(task, fc_rpc_conn, task);
    deliver_ended(conn);
    if (conn->peer_goes && conn->own_count == 0 && conn->peer_count == 0)
        fc_rpc_conn_lost(conn, FC_CODE_UNAVAILABLE, "closed by the peer");
    if (conn->state != FC_RPC_CONN_CLOSING) {
        flush(conn);
        return;
    }
    announce(conn);
    if (!TAILQ_EMPTY(&conn->ended))
        fc_rpc_conn_wake(conn);
    else if (conn->settled)
        conn_free(conn);
}

void
fc_rpc_conn_settled(fc_rpc_conn *conn)
{
    conn->settled = true;
    fc_rpc_conn_wake(conn);
}

void
fc_rpc_conn_finish(fc_rpc_conn *conn)
{
    shut(conn, FC_CODE_UNAVAILABLE, "closed");
    if (!conn->settled)
        conn->link->ops->settle(conn->link);
    conn->settled = true;
    deliver_ended(conn);
    announce(conn);
    while (!TAILQ_EMPTY(&conn->ended))
        deliver_ended(conn);
    conn_free(conn);
}
