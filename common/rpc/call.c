#include "common/rpc/call.h"

#include "common/base/mem.h"
#include "common/rpc/conn.h"
#include "common/rpc/guests.h"
#include "common/rpc/known.h"
#include "common/rpc/policy.h"
#include "common/rpc/put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fc_rpc_call_ops no_ops;

static fc_loop *
loop_of(const fc_rpc_call *call)
{
    return call->conn->endpoint->options.loop;
}

static fc_rpc_counters *
counters_of(const fc_rpc_call *call)
{
    return &call->conn->endpoint->counters;
}

static bool
is_bulk(const fc_rpc_call *call)
{
    return (call->method->kind & FC_RPC_BULK) != 0;
}

/* May more than one message come to us / go from us? */
static bool
streams_in(const fc_rpc_call *call)
{
    return (call->method->kind & (call->server ? FC_RPC_CLIENT_STREAM : FC_RPC_SERVER_STREAM)) != 0;
}

static bool
streams_out(const fc_rpc_call *call)
{
    return (call->method->kind & (call->server ? FC_RPC_SERVER_STREAM : FC_RPC_CLIENT_STREAM)) != 0;
}

static uint32_t
window_of(const fc_rpc_call *call)
{
    return is_bulk(call) ? FC_RPC_WINDOW_BULK_BYTES : FC_RPC_WINDOW_BYTES;
}

/* ---- what users ask ---- */

void *
fc_rpc_call_user(const fc_rpc_call *call)
{
    return call->user;
}

void
fc_rpc_call_set(fc_rpc_call *call, const fc_rpc_call_ops *ops, void *user)
{
    call->ops = ops != NULL ? ops : &no_ops;
    call->user = user;
}

fc_rpc_conn *
fc_rpc_call_conn(const fc_rpc_call *call)
{
    return call->conn;
}

const fc_rpc_method *
fc_rpc_call_method(const fc_rpc_call *call)
{
    return call->method;
}

bool
fc_rpc_call_writable(const fc_rpc_call *call)
{
    /* Not when it is over either: who writes while it is writable must come to an end. */
    return call->state == FC_RPC_CALL_OPEN && !call->ended_here && !call->full;
}

static void
put_message(fc_rpc_call *call, const uint8_t *bytes, size_t size, bool end_of_stream)
{
    call->send_window_bytes -= (int64_t)size;
    fc_rpc_put_message(call->conn, call->stream_id, bytes, size, end_of_stream);
}

/* ---- the end ---- */

/* Over for the user: on_closed comes from the connection's task. */
static void
end_for_user(fc_rpc_call *call, const fc_rpc_status *status)
{
    fc_rpc_status *copy = NULL;
    if (status->code != FC_CODE_OK) {
        copy = FC_NEW(fc_rpc_status);
        *copy = *status;
    }
    free(call->status);
    call->status = copy;
    fc_rpc_queue_clear(&call->queue);
    fc_loop_timer_clear(loop_of(call), &call->deadline);
    if (call->waiting) {
        TAILQ_REMOVE(&call->conn->waiting, call, in_waiting);
        call->waiting = false;
    }
    TAILQ_INSERT_TAIL(&call->conn->ended, call, in_ended);
    fc_rpc_conn_wake(call->conn);
}

/* Gone from the connection's table. */
static void
unhash(fc_rpc_call *call)
{
    if (!call->hashed)
        return;
    fc_rpc_conn *conn = call->conn;
    HASH_DEL(conn->calls, call);
    call->hashed = false;
    if (call->server)
        conn->peer_count--;
    else
        conn->own_count--;
    if (is_bulk(call) && streams_in(call))
        conn->bulk_count--;
    if (conn->peer_goes)
        fc_rpc_conn_wake(conn);
}

static void
call_free(fc_rpc_call *call)
{
    free(call->status);
    free(call);
}

static void
end(fc_rpc_call *call, const fc_rpc_status *status)
{
    call->state = FC_RPC_CALL_OVER;
    unhash(call);
    end_for_user(call, status);
}

/* Client: over here, the server is told; the stream stays until its Status. */
static void
cancel(fc_rpc_call *call, const fc_rpc_status *status)
{
    if (call->state != FC_RPC_CALL_OPEN)
        return;
    fc_rpc_put_cancel(call->conn, call->stream_id);
    call->state = FC_RPC_CALL_CANCELLED;
    end_for_user(call, status);
}

/* Server: the status goes out now, whatever still waited is dropped. */
static void
finish_now(fc_rpc_call *call, const fc_rpc_status *status)
{
    fc_rpc_put_status(call->conn, call->stream_id, status);
    end(call, status);
}

/* Either side: this call cannot go on. */
static void
break_off(fc_rpc_call *call, const fc_rpc_status *status)
{
    if (call->server)
        finish_now(call, status);
    else
        cancel(call, status);
}

void
fc_rpc_call_finish(fc_rpc_call *call, const fc_rpc_status *status)
{
    if (call->state != FC_RPC_CALL_OPEN)
        return;
    if (!call->server) {
        fc_rpc_call_cancel(call);
        return;
    }
    if (status->code == FC_CODE_OK && !streams_out(call) && !call->message_sent) {
        fc_rpc_status none =
            fc_rpc_status_make(FC_CODE_INTERNAL, "%s was answered without a reply", call->method->path);
        finish_now(call, &none);
        return;
    }
    if (call->queue.first == NULL) {
        finish_now(call, status);
        return;
    }
    call->state = FC_RPC_CALL_FINISHING;
    call->status = FC_NEW(fc_rpc_status);
    *call->status = *status;
}

void
fc_rpc_call_reply(fc_rpc_call *call, const ProtobufCMessage *message)
{
    (void)fc_rpc_call_send(call, message);
    fc_rpc_call_finish(call, &fc_rpc_ok);
}

void
fc_rpc_call_fail(fc_rpc_call *call, const fc_fail *fail)
{
    fc_rpc_status status = fc_rpc_status_from_fail(fail);
    fc_rpc_call_finish(call, &status);
}

void
fc_rpc_call_cancel(fc_rpc_call *call)
{
    fc_rpc_status status = fc_rpc_status_make(FC_CODE_CANCELLED, "cancelled");
    if (call->state == FC_RPC_CALL_OPEN)
        break_off(call, &status);
}

static void
on_deadline(fc_timer *timer)
{
    fc_rpc_call *call = FC_CONTAINER(timer, fc_rpc_call, deadline);
    char peer[FC_PRINCIPAL_TEXT_SIZE];
    fc_rpc_status status =
        call->server
            ? fc_rpc_status_make(FC_CODE_DEADLINE_EXCEEDED, "%s was not done in time", call->method->path)
            : fc_rpc_status_make(FC_CODE_DEADLINE_EXCEEDED, "%s did not answer %s in time",
                                 fc_principal_text(&call->conn->peer, peer), call->method->path);
    break_off(call, &status);
}

void
fc_rpc_call_lose(fc_rpc_call *call, const fc_rpc_status *why)
{
    if (call->state == FC_RPC_CALL_CANCELLED) {
        unhash(call);
        if (call->delivered)
            call_free(call);
        return;
    }
    fc_rpc_status status = fc_rpc_status_make(FC_CODE_UNAVAILABLE, "the connection to %s was lost: %.300s",
                                              call->conn->address, why->message);
    end(call, &status);
}

void
fc_rpc_call_deliver(fc_rpc_call *call)
{
    if (call->ops->on_closed != NULL)
        call->ops->on_closed(call, call->status != NULL ? call->status : &fc_rpc_ok);
    call->delivered = true;
    if (!call->hashed)
        call_free(call);
}

/* ---- messages out ---- */

static bool
may_put(const fc_rpc_call *call)
{
    return call->queue.first == NULL && call->send_window_bytes > 0 && fc_rpc_conn_roomy(call->conn);
}

static void
await_room(fc_rpc_call *call)
{
    if (call->waiting)
        return;
    call->waiting = true;
    TAILQ_INSERT_TAIL(&call->conn->waiting, call, in_waiting);
}

static void
pack_and_put(fc_rpc_call *call, const ProtobufCMessage *message, size_t size, bool end_of_stream)
{
    fc_buf *scratch = &call->conn->endpoint->scratch;
    fc_buf_clear(scratch);
    (void)protobuf_c_message_pack(message, fc_buf_reserve(scratch, size));
    put_message(call, scratch->data, size, end_of_stream);
    if (size > FC_RPC_MESSAGE_MAX)
        fc_buf_fini(scratch);
}

bool
fc_rpc_call_send(fc_rpc_call *call, const ProtobufCMessage *message)
{
    if (call->state != FC_RPC_CALL_OPEN || call->ended_here)
        return true;
    size_t size = protobuf_c_message_get_packed_size(message);
    size_t most = is_bulk(call) && streams_out(call) ? FC_RPC_MESSAGE_BULK_MAX : FC_RPC_MESSAGE_MAX;
    if (size > most) {
        fc_rpc_status status = fc_rpc_status_make(FC_CODE_RESOURCE_EXHAUSTED,
                                                  "a message of %zu bytes is longer than %zu", size, most);
        break_off(call, &status);
        return true;
    }
    bool was_writable = !call->full;
    bool end_of_stream = !call->server && !streams_out(call);
    call->message_sent = true;
    call->ended_here = end_of_stream;
    if (may_put(call))
        pack_and_put(call, message, size, end_of_stream);
    else
        (void)protobuf_c_message_pack(message, fc_rpc_queue_add(&call->queue, size, end_of_stream));
    call->full = !may_put(call);
    if (call->full && call->send_window_bytes > 0)
        await_room(call);
    return was_writable;
}

void
fc_rpc_call_half_close(fc_rpc_call *call)
{
    if (call->state != FC_RPC_CALL_OPEN || call->ended_here || call->server)
        return;
    call->ended_here = true;
    if (call->queue.first == NULL)
        put_message(call, NULL, 0, true);
    else
        (void)fc_rpc_queue_add(&call->queue, 0, true);
}

bool
fc_rpc_call_serve(fc_rpc_call *call)
{
    if (call->queue.first != NULL && call->send_window_bytes > 0) {
        const fc_rpc_packed *first = call->queue.first;
        put_message(call, first->bytes, first->size, first->end_of_stream);
        fc_rpc_queue_drop_first(&call->queue);
    }
    if (call->queue.first != NULL)
        return call->send_window_bytes > 0;
    if (call->state == FC_RPC_CALL_FINISHING) {
        fc_rpc_status status = *call->status;
        finish_now(call, &status);
        return false;
    }
    if (!call->full || call->send_window_bytes <= 0)
        return false;
    if (!fc_rpc_conn_roomy(call->conn))
        return true;
    call->full = false;
    if (call->ops->on_writable != NULL)
        call->ops->on_writable(call);
    return false;
}

/* ---- client: starting ---- */

static fc_rpc_call *
call_make(fc_rpc_conn *conn, const fc_rpc_method *method, bool server, const fc_rpc_call_ops *ops, void *user)
{
    fc_rpc_call *call = FC_NEW(fc_rpc_call);
    call->conn = conn;
    call->method = method;
    call->server = server;
    fc_rpc_queue_init(&call->queue);
    call->deadline.fire = on_deadline;
    call->send_window_bytes = call->receive_window_bytes = window_of(call);
    fc_rpc_call_set(call, ops, user);
    return call;
}

static void
hash(fc_rpc_call *call, uint32_t stream_id)
{
    fc_rpc_conn *conn = call->conn;
    call->stream_id = stream_id;
    HASH_ADD(hh, conn->calls, stream_id, sizeof call->stream_id, call);
    call->hashed = true;
    if (call->server)
        conn->peer_count++;
    else
        conn->own_count++;
    if (is_bulk(call) && streams_in(call))
        conn->bulk_count++;
}

fc_rpc_call *
fc_rpc_call_start(fc_rpc_conn *conn, const fc_rpc_method *method, const ProtobufCMessage *first,
                  uint32_t timeout_ms, const fc_rpc_call_ops *ops, void *user)
{
    fc_rpc_call *call = call_make(conn, method, false, ops, user);
    fc_rpc_status status;
    if (!fc_rpc_policy_may_call(conn, &status)) {
        end(call, &status);
        return call;
    }
    hash(call, conn->next_stream_id);
    conn->next_stream_id += 2;
    fc_rpc_put_request(conn, call->stream_id, method->path, timeout_ms, window_of(call));
    if (timeout_ms > 0)
        fc_loop_timer_after_ms(loop_of(call), &call->deadline, timeout_ms);
    if (first != NULL)
        (void)fc_rpc_call_send(call, first);
    return call;
}

fc_rpc_call *
fc_rpc_call_new(fc_rpc_conn *conn, fc_method_id method, const ProtobufCMessage *first, uint32_t timeout_ms,
                const fc_rpc_call_ops *ops, void *user)
{
    return fc_rpc_call_start(conn, fc_rpc_method_get(method), first, timeout_ms, ops, user);
}

/* ---- frames in ---- */

fc_rpc_call *
fc_rpc_call_find(fc_rpc_conn *conn, uint32_t stream_id)
{
    fc_rpc_call *call;
    HASH_FIND(hh, conn->calls, &stream_id, sizeof stream_id, call);
    return call;
}

void
fc_rpc_call_take_request(fc_rpc_conn *conn, uint32_t stream_id, const Fcpb__Request *request)
{
    const fc_rpc_method *method = conn->endpoint->find(request->method);
    fc_rpc_status status;
    if (!fc_rpc_policy_may_be_called(conn, method, request->method, &status)) {
        const fc_rpc_options *options = &conn->endpoint->options;
        fc_rpc_put_status(conn, stream_id, &status);
        if (status.code == FC_CODE_PERMISSION_DENIED && !fc_rpc_guest_is(conn) && options->ops != NULL &&
            options->ops->on_denied != NULL)
            options->ops->on_denied(conn, method, options->user);
        return;
    }
    fc_rpc_call *call = call_make(conn, method, true, NULL, NULL);
    hash(call, stream_id);
    call->send_window_bytes = request->window_bytes;
    call->full = call->send_window_bytes == 0;
    if (request->timeout_ms > 0)
        fc_loop_timer_after_ms(loop_of(call), &call->deadline, request->timeout_ms);
    const fc_rpc_handler *handler = conn->endpoint->served[method->id].handler;
    if (handler->open != NULL)
        handler->open(call, conn->endpoint->served[method->id].service);
}

static void
replenish(fc_rpc_call *call)
{
    if (call->held || call->state != FC_RPC_CALL_OPEN || call->ended_there ||
        call->consumed_bytes < window_of(call) / 2)
        return;
    fc_rpc_put_window(call->conn, call->stream_id, (uint32_t)call->consumed_bytes);
    call->receive_window_bytes += call->consumed_bytes;
    call->consumed_bytes = 0;
}

void
fc_rpc_call_hold(fc_rpc_call *call, bool held)
{
    call->held = held;
    replenish(call);
}

/* An order of a newer peer that we would understand by half. */
static bool
is_too_new(fc_rpc_call *call, const ProtobufCMessage *message)
{
    fc_fail fail = {0};
    bool strict = call->server && (call->method->kind & FC_RPC_STRICT) != 0;
    if (!strict || fc_rpc_known_check(message, &fail) == FC_OK)
        return false;
    fc_rpc_status status = fc_rpc_status_from_fail(&fail);
    const fc_rpc_options *options = &call->conn->endpoint->options;
    counters_of(call)->calls_newer++;
    if (options->ops != NULL && options->ops->on_newer != NULL)
        options->ops->on_newer(call->conn, call->method, &fail, options->user);
    break_off(call, &status);
    return true;
}

/* Unpacks and hands over. */
static void
hand_over(fc_rpc_call *call, const Fcpb__Message *message)
{
    const ProtobufCMessageDescriptor *type = call->server ? call->method->input : call->method->output;
    fc_rpc_arena arena;
    fc_rpc_arena_init(&arena, message->payload.len);
    ProtobufCMessage *unpacked =
        protobuf_c_message_unpack(type, &arena.allocator, message->payload.len, message->payload.data);
    if (unpacked == NULL) {
        fc_rpc_status status = fc_rpc_status_make(call->server ? FC_CODE_INVALID_ARGUMENT : FC_CODE_INTERNAL,
                                                  "a message of %s is no %s", call->method->path, type->name);
        break_off(call, &status);
        goto out;
    }
    if (is_too_new(call, unpacked))
        goto out;
    call->message_taken = true;
    if (call->server) {
        fc_rpc_endpoint *endpoint = call->conn->endpoint;
        const fc_rpc_handler *handler = endpoint->served[call->method->id].handler;
        if (handler->request != NULL) {
            handler->request(call, unpacked, endpoint->served[call->method->id].service);
            goto out;
        }
    }
    if (call->ops->on_message != NULL)
        call->ops->on_message(call, unpacked);
out:
    fc_rpc_arena_fini(&arena);
}

/* What must hold of a message before anything is done with it; otherwise the peer breaks the protocol. */
static bool
message_check(fc_rpc_call *call, const Fcpb__Message *message)
{
    fc_rpc_counters *counters = counters_of(call);
    size_t size = message->payload.len;
    if (call->ended_there)
        fc_rpc_conn_violated(call->conn, &counters->frames_malformed, "a message came after the last one");
    else if (size > FC_RPC_MESSAGE_MAX && !(is_bulk(call) && streams_in(call)))
        fc_rpc_conn_violated(call->conn, &counters->frames_oversized, "a message was longer than is allowed");
    else if (call->receive_window_bytes <= 0 && !(size == 0 && message->end_of_stream))
        fc_rpc_conn_violated(call->conn, &counters->window_violations, "more came than the window allowed");
    else
        return true;
    return false;
}

void
fc_rpc_call_take_message(fc_rpc_call *call, const Fcpb__Message *message)
{
    if (call->state != FC_RPC_CALL_OPEN) /* decided already, the peer does not know it yet */
        return;
    if (!message_check(call, message))
        return;
    size_t size = message->payload.len;
    call->receive_window_bytes -= (int64_t)size;
    call->ended_there = message->end_of_stream;
    /* Where several messages may come, the last frame may be a half-close alone. */
    bool carries = !(size == 0 && message->end_of_stream && streams_in(call));
    if (carries && call->message_taken && !streams_in(call)) {
        fc_rpc_status status = fc_rpc_status_make(call->server ? FC_CODE_INVALID_ARGUMENT : FC_CODE_INTERNAL,
                                                  "%s takes one message each way", call->method->path);
        break_off(call, &status);
        return;
    }
    if (carries)
        hand_over(call, message);
    if (call->state != FC_RPC_CALL_OPEN)
        return;
    call->consumed_bytes += (int64_t)size;
    replenish(call);
    if (call->ended_there && call->ops->on_half_close != NULL)
        call->ops->on_half_close(call);
}

void
fc_rpc_call_take_status(fc_rpc_call *call, const Fcpb__Status *status)
{
    if (call->state == FC_RPC_CALL_CANCELLED) {
        unhash(call);
        if (call->delivered)
            call_free(call);
        return;
    }
    fc_rpc_status ended = {.code = status->code <= FC_CODE_UNAUTHENTICATED ? (fc_code)status->code
                                                                           : FC_CODE_UNKNOWN};
    fc_rpc_frame_text(ended.message, sizeof ended.message, status->message);
    if (status->n_details > 0) {
        fc_rpc_frame_text(ended.field, sizeof ended.field, status->details[0]->field);
        fc_rpc_frame_text(ended.instance, sizeof ended.instance, status->details[0]->instance);
    }
    if (ended.code == FC_CODE_OK && !streams_in(call) && !call->message_taken)
        ended = fc_rpc_status_make(FC_CODE_INTERNAL, "%s was answered without a reply", call->method->path);
    end(call, &ended);
}

void
fc_rpc_call_take_cancel(fc_rpc_call *call)
{
    fc_rpc_status status = fc_rpc_status_make(FC_CODE_CANCELLED, "cancelled by the caller");
    finish_now(call, &status);
}

void
fc_rpc_call_take_window(fc_rpc_call *call, uint32_t bytes)
{
    if (bytes == 0 || call->send_window_bytes + bytes > UINT32_MAX) {
        fc_rpc_conn_violated(call->conn, &counters_of(call)->frames_malformed,
                             "a window was opened by nothing or too far");
        return;
    }
    call->send_window_bytes += bytes;
    if (call->send_window_bytes > 0 && (call->full || call->queue.first != NULL) &&
        (call->state == FC_RPC_CALL_OPEN || call->state == FC_RPC_CALL_FINISHING))
        await_room(call);
}
