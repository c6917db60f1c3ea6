/* Streams to operators: a list is walked as fast as the reader takes it. */
#include "common/base/mem.h"
#include "coordinator/service.h"

#include <stdlib.h>

static void
pump(co_stream *stream)
{
    while (!stream->over && fc_rpc_call_writable(stream->call)) {
        if (stream->next(stream))
            continue;
        stream->over = true;
        fc_rpc_call_finish(stream->call, &fc_rpc_ok);
    }
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
    co_stream *stream = fc_rpc_call_user(call);
    struct co *co = stream->service->co;
    if (stream->capture != NULL)
        co_capture_release(co, stream->capture);
    for (size_t i = 0; stream->captures != NULL && i < stream->count; i++)
        co_capture_release(co, stream->captures[i]);
    if (stream->instances != NULL)
        co->registry.cursors--;
    free(stream->captures);
    free(stream->instances);
    free(stream);
}

static const fc_rpc_call_ops ops = {.on_writable = on_writable, .on_closed = on_closed};

co_stream *
co_stream_new(co_service *service, fc_rpc_call *call, bool (*next)(co_stream *stream))
{
    co_stream *stream = FC_NEW(co_stream);
    stream->service = service;
    stream->call = call;
    stream->next = next;
    fc_rpc_call_set(call, &ops, stream);
    return stream;
}

void
co_stream_start(co_stream *stream)
{
    pump(stream);
}

void
co_stream_capture(co_service *service, fc_rpc_call *call, const char *name, bool (*next)(co_stream *stream))
{
    co_capture *capture = co_want_capture(service, call, name);
    if (capture == NULL)
        return;
    co_stream *stream = co_stream_new(service, call, next);
    co_capture_hold(capture);
    stream->capture = capture;
    co_stream_start(stream);
}

const char *
co_caller(const fc_rpc_call *call, char text[FC_PRINCIPAL_TEXT_SIZE])
{
    return fc_principal_text(fc_rpc_conn_peer(fc_rpc_call_conn(call)), text);
}

co_capture *
co_want_capture(co_service *service, fc_rpc_call *call, const char *name)
{
    co_capture *capture = co_capture_find(&service->co->captures, name);
    if (capture == NULL) {
        fc_fail fail = {0};
        (void)fc_fail_set(&fail, FC_ERR_NOT_FOUND, "there is no capture '%.80s'", name);
        fc_rpc_call_fail(call, &fail);
    }
    return capture;
}
