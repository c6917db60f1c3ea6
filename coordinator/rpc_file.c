/* CaptureService/ListFiles and ReadFile: where the evidence lies, and how it gets to the operator. */
#include "common/base/mem.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"

#include "fleetcap/v1/node_service.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ListFiles ---- */

static void
send_location(co_stream *stream, const co_part *part, const fc_segment *segment)
{
    char path[4096 + sizeof segment->path];
    const char *name = strrchr(segment->path, '/');
    Fcpb__Segment inner;
    fc_segment_to_pb(segment, &inner);
    Fcpb__FileLocation message = FCPB__FILE_LOCATION__INIT;
    (void)snprintf(path, sizeof path, "%s/%s", part->status.directory != NULL ? part->status.directory : "",
                   name != NULL ? name + 1 : segment->path);
    message.capture_name = (char *)part->status.capture_name;
    message.instance_id = part->instance->id;
    message.instance_name = part->instance->name;
    message.segment = &inner;
    message.path = path;
    message.online = co_instance_reachable(part->instance);
    (void)fc_rpc_call_send(stream->call, &message.base);
}

/* at: the part; inner: the sequence from which on its segments were not sent. */
static bool
next_file(co_stream *stream)
{
    for (; stream->at < stream->capture->part_count; stream->at++, stream->inner = 0) {
        const co_part *part = &stream->capture->parts[stream->at];
        const fc_segment *segment =
            stream->inner <= UINT32_MAX ? co_part_segment_from(part, (uint32_t)stream->inner) : NULL;
        if (segment == NULL)
            continue;
        send_location(stream, part, segment);
        stream->inner = (size_t)segment->sequence + 1;
        return true;
    }
    return false;
}

void
co_rpc_list_files(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__GetCaptureRequest *request = (const Fcpb__GetCaptureRequest *)message;
    co_stream_capture(user, call, request->name, next_file);
}

/* ---- ReadFile: the node's stream, passed on ---- */

/* Two calls; each ends the other. Freed when both are closed. */
typedef struct relay {
    fc_rpc_call *reader; /* the operator's; NULL when closed */
    fc_rpc_call *source; /* to the node; NULL when closed */
    char instance[FC_NAME_MAX + 1];
} relay;

static void
free_when_closed(relay *r)
{
    if (r->reader == NULL && r->source == NULL)
        free(r);
}

static void
on_source_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    relay *r = fc_rpc_call_user(call);
    if (r->reader != NULL && !fc_rpc_call_send(r->reader, message))
        fc_rpc_call_hold(call, true);
}

static void
on_source_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    relay *r = fc_rpc_call_user(call);
    r->source = NULL;
    if (r->reader != NULL) {
        fc_rpc_status passed = *status;
        (void)snprintf(passed.instance, sizeof passed.instance, "%s", r->instance);
        fc_rpc_call_finish(r->reader, &passed);
    }
    free_when_closed(r);
}

static void
on_reader_writable(fc_rpc_call *call)
{
    const relay *r = fc_rpc_call_user(call);
    if (r->source != NULL)
        fc_rpc_call_hold(r->source, false);
}

static void
on_reader_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    relay *r = fc_rpc_call_user(call);
    r->reader = NULL;
    if (r->source != NULL)
        fc_rpc_call_cancel(r->source);
    free_when_closed(r);
}

static const fc_rpc_call_ops source_ops = {.on_message = on_source_message, .on_closed = on_source_closed};
static const fc_rpc_call_ops reader_ops = {.on_writable = on_reader_writable, .on_closed = on_reader_closed};

static fc_err
find_file(struct co *co, const Fcpb__ReadFileRequest *request, co_part **ret_part, fc_fail *fail)
{
    co_capture *capture = co_capture_find(&co->captures, request->capture_name);
    if (capture == NULL)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no capture '%.80s'", request->capture_name);
    co_instance *instance = NULL;
    fc_err err = co_registry_find_named(&co->registry, request->instance_id, &instance, fail);
    if (err != FC_OK)
        return err;
    co_part *part = co_part_of(capture, instance);
    const fc_segment *segment = part != NULL ? co_part_segment(part, request->sequence) : NULL;
    if (segment == NULL || segment->removed)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "capture '%s' has no file %" PRIu32 " on instance '%s'",
                           capture->definition.name, request->sequence, instance->name);
    if (instance->link == NULL)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE,
                           "instance '%s' is offline: its files can be read when it returns", instance->name);
    *ret_part = part;
    return FC_OK;
}

static void
note_read(struct co *co, fc_rpc_call *call, const Fcpb__ReadFileRequest *request, const fc_fail *fail)
{
    char who[FC_PRINCIPAL_TEXT_SIZE], detail[256];
    const char *object = fc_name_check(request->capture_name) ? request->capture_name : "-";
    co_caller(call, who);
    if (fail->err != FC_OK) {
        co_persist_refusal(co, who, "download", object, fail->err, fail->text);
        return;
    }
    (void)snprintf(detail, sizeof detail, "file %" PRIu32 " of instance %s from byte %" PRIu64,
                   request->sequence, request->instance_id, request->offset);
    co_persist_audit(co, who, "download", object, "ok", detail);
}

void
co_rpc_read_file(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ReadFileRequest *request = (const Fcpb__ReadFileRequest *)message;
    struct co *co = ((co_service *)user)->co;
    co_part *part = NULL;
    fc_fail fail = {0};
    fc_err err = find_file(co, request, &part, &fail);
    note_read(co, call, request, &fail);
    if (err != FC_OK) {
        co->counters.downloads_refused++;
        fc_rpc_call_fail(call, &fail);
        return;
    }
    co->counters.downloads++;
    relay *r = FC_NEW(relay);
    r->reader = call;
    (void)snprintf(r->instance, sizeof r->instance, "%s", part->instance->id);
    fc_rpc_call_set(call, &reader_ops, r);
    Fcpb__ReadSegmentRequest ask = FCPB__READ_SEGMENT_REQUEST__INIT;
    ask.capture_uid = part->capture->uid;
    ask.sequence = request->sequence;
    ask.offset = request->offset;
    r->source = fc_rpc_call_new(co_link_conn(part->instance->link), FC_METHOD_READ_SEGMENT, &ask.base, 0,
                                &source_ops, r);
}
