/* Calls for a command-line tool: the loop runs until the call is over. */
#include "common/rpc/client.h"
#include "common/rpc/rpc.h"

#include "common/base/mem.h"
#include "common/rpc/call.h"

#include <stdlib.h>

typedef struct wait {
    fc_loop *loop;
    bool (*each)(const ProtobufCMessage *message, void *user);
    void *user;
    ProtobufCMessage *reply; /* owned */
    bool stopped;            /* `each` wanted no more */
    bool done;
    bool late;
    fc_rpc_status status;
    fc_timer deadline; /* of the wait for a connection */
} wait;

/* The message lives in an arena; the caller's copy is made the way protobuf_c_message_free_unpacked expects.
 */
static ProtobufCMessage *
copy_message(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = fc_alloc(size);
    (void)protobuf_c_message_pack(message, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    free(bytes);
    return copy;
}

static void
on_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    wait *w = fc_rpc_call_user(call);
    if (w->each == NULL) {
        w->reply = copy_message(message);
    } else if (!w->stopped && !w->each(message, w->user)) {
        w->stopped = true;
        fc_rpc_call_cancel(call);
    }
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    wait *w = fc_rpc_call_user(call);
    w->done = true;
    w->status = *status;
}

static const fc_rpc_call_ops call_ops = {.on_message = on_message, .on_closed = on_closed};

static void
on_late(fc_timer *timer)
{
    FC_CONTAINER(timer, wait, deadline)->late = true;
}

static fc_err
await_connection(fc_rpc_client *client, wait *w, fc_fail *fail)
{
    while (fc_rpc_client_conn(client) == NULL) {
        fc_fail why;
        if (fc_rpc_client_over(client, &why))
            return fc_fail_copy(fail, &why);
        if (w->late)
            return fc_fail_set(fail, FC_ERR_TIMEOUT, "no connection to %.128s in time",
                               fc_rpc_client_address(client));
        fc_loop_step(w->loop, -1);
    }
    return FC_OK;
}

static fc_err
call_and_wait(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request,
              uint32_t timeout_ms, wait *w, fc_fail *fail)
{
    w->loop = fc_rpc_client_loop(client);
    w->deadline.fire = on_late;
    fc_mono due = fc_mono_after_ms(fc_loop_now(w->loop), timeout_ms);
    if (timeout_ms > 0)
        fc_loop_timer_set(w->loop, &w->deadline, due);
    fc_err err = await_connection(client, w, fail);
    fc_loop_timer_clear(w->loop, &w->deadline);
    if (err != FC_OK)
        return err;
    if (timeout_ms > 0) {
        int64_t left_ms = fc_mono_until_ms(fc_loop_now(w->loop), due);
        timeout_ms = left_ms > 0 ? (uint32_t)left_ms : 1;
    }
    (void)fc_rpc_call_new(fc_rpc_client_conn(client), method, request, timeout_ms, &call_ops, w);
    while (!w->done)
        fc_loop_step(w->loop, -1);
    if (w->status.code == FC_CODE_OK || (w->stopped && w->status.code == FC_CODE_CANCELLED))
        return FC_OK;
    return fc_rpc_status_fail(&w->status, fail);
}

fc_err
fc_rpc_unary(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request, uint32_t timeout_ms,
             ProtobufCMessage **ret_reply, fc_fail *fail)
{
    wait w = {0};
    fc_err err = call_and_wait(client, method, request, timeout_ms, &w, fail);
    if (err == FC_OK)
        *ret_reply = w.reply;
    else if (w.reply != NULL)
        protobuf_c_message_free_unpacked(w.reply, NULL);
    return err;
}

fc_err
fc_rpc_stream(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request,
              uint32_t timeout_ms, bool (*each)(const ProtobufCMessage *message, void *user), void *user,
              fc_fail *fail)
{
    wait w = {.each = each, .user = user};
    return call_and_wait(client, method, request, timeout_ms, &w, fail);
}
