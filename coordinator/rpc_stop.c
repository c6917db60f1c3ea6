/* CaptureService/StopCaptures: stop, and one acknowledgement for each instance as it comes. */
#include "common/base/mem.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_MS = 10 * 60 * 1000 };

typedef enum ack_state { ACK_PENDING, ACK_READY, ACK_LATE, ACK_SENT } ack_state;

typedef struct ack {
    co_wait wait;
    co_part *part; /* borrowed: its capture is held */
    ack_state state;
    struct ack *next; /* in the queue of those to be sent */
} ack;

typedef struct stopping {
    co_service *service;
    fc_rpc_call *call;
    co_stopped stopped; /* owned */
    ack *acks;          /* owned: one for each part */
    size_t pending;     /* not yet acknowledged */
    ack *first, **last; /* to be sent */
    fc_timer timer;
    bool over;
} stopping;

static void
send_ack(stopping *s, const ack *a)
{
    Fcpb__StopAck message = FCPB__STOP_ACK__INIT;
    message.capture_name = a->part->capture->definition.name;
    message.instance = co_message_part(a->part, 0);
    message.acknowledged = a->state == ACK_READY;
    (void)fc_rpc_call_send(s->call, &message.base);
    co_message_free(&message.instance->base);
}

static void
pump(stopping *s)
{
    while (!s->over && s->first != NULL && fc_rpc_call_writable(s->call)) {
        ack *a = s->first;
        s->first = a->next;
        if (s->first == NULL)
            s->last = &s->first;
        send_ack(s, a);
        a->state = ACK_SENT;
    }
    if (s->over || s->first != NULL || s->pending > 0)
        return;
    s->over = true;
    fc_loop_timer_clear(s->service->co->loop, &s->timer);
    fc_rpc_call_finish(s->call, &fc_rpc_ok);
}

static void
queue(stopping *s, ack *a, ack_state state)
{
    a->state = state;
    a->next = NULL;
    *s->last = a;
    s->last = &a->next;
}

static void
on_stopped(co_wait *wait)
{
    ack *a = FC_CONTAINER(wait, ack, wait);
    stopping *s = wait->user;
    s->pending--;
    queue(s, a, ACK_READY);
    pump(s);
}

static void
on_timeout(fc_timer *timer)
{
    stopping *s = FC_CONTAINER(timer, stopping, timer);
    for (size_t i = 0; i < s->stopped.part_count; i++) {
        if (s->acks[i].state != ACK_PENDING)
            continue;
        co_wait_remove(&s->acks[i].wait);
        s->service->co->counters.stops_unanswered++;
        queue(s, &s->acks[i], ACK_LATE);
    }
    s->pending = 0;
    pump(s);
}

static void
on_writable(fc_rpc_call *call)
{
    pump(fc_rpc_call_user(call));
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    stopping *s = fc_rpc_call_user(call);
    fc_loop_timer_clear(s->service->co->loop, &s->timer);
    for (size_t i = 0; i < s->stopped.part_count; i++)
        co_wait_remove(&s->acks[i].wait);
    co_stopped_fini(s->service->co, &s->stopped);
    free(s->acks);
    free(s);
}

static const fc_rpc_call_ops ops = {.on_writable = on_writable, .on_closed = on_closed};

static void
start(stopping *s, uint32_t wait_ms)
{
    s->acks = fc_alloc_array(s->stopped.part_count + 1, sizeof s->acks[0]);
    s->last = &s->first;
    s->timer.fire = on_timeout;
    for (size_t i = 0; i < s->stopped.part_count; i++) {
        ack *a = &s->acks[i];
        a->part = s->stopped.parts[i];
        if (fc_state_final(a->part->status.state)) {
            queue(s, a, ACK_READY);
            continue;
        }
        a->wait.fire = on_stopped;
        a->wait.user = s;
        co_wait_add(a->part, &a->wait);
        s->pending++;
    }
    fc_rpc_call_set(s->call, &ops, s);
    /* Also with nothing to wait for: the end comes from the loop, after the handler. */
    fc_loop_timer_after_ms(s->service->co->loop, &s->timer, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
    pump(s);
}

static fc_err
read_request(const Fcpb__StopCapturesRequest *request, fc_target *ret, fc_fail *fail)
{
    fc_err err = co_request_id_check(request->request_id, fail);
    if (err != FC_OK)
        return err;
    /* Read as any target, so that the same things are refused. */
    Fcpb__Target target = FCPB__TARGET__INIT;
    target.scale_set = request->scale_set;
    target.regions = request->regions;
    target.n_regions = request->n_regions;
    target.selector = request->selector;
    target.include = request->instances;
    target.n_include = request->n_instances;
    return fc_target_from_pb(&target, ret, fail);
}

void
co_rpc_stop_captures(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__StopCapturesRequest *request = (const Fcpb__StopCapturesRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_fail fail = {0};
    fc_target target;
    if (read_request(request, &target, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    co_stop stop = {
        .principal = co_caller(call, who),
        .request_id = request->request_id,
        .names = {request->names, request->n_names},
        .all = request->all,
        .target = target,
    };
    stopping *s = FC_NEW(stopping);
    s->service = service;
    s->call = call;
    if (co_stop_captures(service->co, &stop, &s->stopped, &fail) == FC_OK) {
        start(s, request->wait_ms);
    } else {
        free(s);
        fc_rpc_call_fail(call, &fail);
    }
    fc_target_fini(&target);
}
