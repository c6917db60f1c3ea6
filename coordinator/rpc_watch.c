/* CaptureService/WatchCapture: a capture's changes, in messages of one frame each. */
#include "common/base/mem.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"
#include "coordinator/watch.h"

#include <stdlib.h>

enum {
    WATCH_SEGMENTS_MAX = 1, /* the current file; ListFiles has all */
    /* A definition longer than this is in the first event only. */
    DEFINITION_REPEATED_MAX = 4096,
    PARTS_PER_EVENT_MAX = 500,
};

typedef struct watching {
    co_watch watch;
    fc_rpc_call *call; /* borrowed */
    bool with_definition;
    bool over;
} watching;

static void
finish(watching *w, const fc_rpc_status *status)
{
    w->over = true;
    w->watch.blocked = true;
    fc_rpc_call_finish(w->call, status);
}

static void
append(Fcpb__CaptureEvent *event, Fcpb__InstanceCapture *part)
{
    event->changed = fc_grow_array(event->changed, event->n_changed + 1, sizeof event->changed[0]);
    event->changed[event->n_changed++] = part;
}

/* One message with as many changes as fit. True when there was something to say. */
static bool
send_event(watching *w)
{
    const co_capture *capture = w->watch.capture;
    if (w->watch.seen == capture->change)
        return false;
    Fcpb__CaptureEvent *event = FC_NEW(Fcpb__CaptureEvent);
    fcpb__capture_event__init(event);
    event->capture = co_message_capture(capture, w->with_definition);
    size_t used = fcpb__capture_event__get_packed_size(event);
    const co_part *part = co_watch_first(&w->watch);
    for (; part != NULL && event->n_changed < PARTS_PER_EVENT_MAX; part = part->newer) {
        Fcpb__InstanceCapture *changed = co_message_part(part, WATCH_SEGMENTS_MAX);
        if (changed->compiled_filter != protobuf_c_empty_string)
            free(changed->compiled_filter);
        changed->compiled_filter = (char *)protobuf_c_empty_string;
        size_t size = fcpb__instance_capture__get_packed_size(changed) + 8;
        if (used + size > CO_MESSAGE_BUDGET && (event->n_changed > 0 || w->with_definition)) {
            co_message_free(&changed->base);
            break;
        }
        used += size;
        append(event, changed);
        w->watch.seen = part->change;
    }
    if (part == NULL)
        w->watch.seen = capture->change;
    if (w->with_definition && event->capture->definition != NULL &&
        fcpb__definition__get_packed_size(event->capture->definition) > DEFINITION_REPEATED_MAX)
        w->with_definition = false;
    (void)fc_rpc_call_send(w->call, &event->base);
    co_message_free(&event->base);
    return true;
}

static void
deliver(co_watch *watch)
{
    watching *w = FC_CONTAINER(watch, watching, watch);
    if (w->over)
        return;
    while (fc_rpc_call_writable(w->call))
        if (!send_event(w))
            break;
    bool all_told = watch->seen == watch->capture->change;
    if (watch->capture->deleted) {
        fc_rpc_status status =
            fc_rpc_status_make(FC_CODE_ABORTED, "capture '%s' was deleted", watch->capture->definition.name);
        finish(w, &status);
    } else if (all_told && watch->capture->unfinished == 0) {
        finish(w, &fc_rpc_ok);
    } else {
        watch->blocked = !fc_rpc_call_writable(w->call);
    }
}

static void
on_writable(fc_rpc_call *call)
{
    watching *w = fc_rpc_call_user(call);
    if (!w->over)
        co_watch_unblock(&w->watch);
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    watching *w = fc_rpc_call_user(call);
    co_watch_stop(&w->watch);
    free(w);
}

static const fc_rpc_call_ops ops = {.on_writable = on_writable, .on_closed = on_closed};

void
co_rpc_watch_capture(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__WatchCaptureRequest *request = (const Fcpb__WatchCaptureRequest *)message;
    co_service *service = user;
    co_capture *capture = co_want_capture(service, call, request->name);
    if (capture == NULL)
        return;
    fc_fail fail = {0};
    watching *w = FC_NEW(watching);
    w->call = call;
    w->with_definition = true;
    w->watch.deliver = deliver;
    if (co_watch_start(service->co, &w->watch, capture, request->min_interval_ms, &fail) != FC_OK) {
        free(w);
        fc_rpc_call_fail(call, &fail);
        return;
    }
    fc_rpc_call_set(call, &ops, w);
}
