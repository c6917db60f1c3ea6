/* CaptureService: create, get, list, delete. Watch, stop and files have files of their own. */
#include "common/base/mem.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"

#include <stdlib.h>
#include <string.h>

/* ---- CreateCapture ---- */

fc_err
co_request_id_check(const char *id, fc_fail *fail)
{
    if (strnlen(id, CO_REQUEST_ID_MAX + 1) > CO_REQUEST_ID_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "request_id",
                             "the request id is longer than %d characters", CO_REQUEST_ID_MAX);
    return FC_OK;
}

static fc_err
read_definition(const Fcpb__CreateCaptureRequest *request, fc_definition *ret, fc_fail *fail)
{
    fc_err err = co_request_id_check(request->request_id, fail);
    if (err == FC_OK && request->definition == NULL)
        err = fc_fail_field(fail, FC_ERR_INVALID, "definition", "the definition is missing");
    return err == FC_OK ? fc_definition_from_pb(request->definition, ret, fail) : err;
}

static void
on_create(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__CreateCaptureRequest *request = (const Fcpb__CreateCaptureRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_fail fail = {0};
    fc_definition definition = {0};
    if (read_definition(request, &definition, &fail) != FC_OK) {
        service->co->counters.captures_refused++;
        co_persist_refusal(service->co, co_caller(call, who), "create", "-", fail.err, fail.text);
        fc_rpc_call_fail(call, &fail);
        return;
    }
    co_create create = {
        .principal = co_caller(call, who),
        .request_id = request->request_id,
        .definition = &definition,
        .dry_run = request->dry_run,
    };
    co_created created = {0};
    if (co_create_capture(service->co, &create, &created, &fail) == FC_OK) {
        Fcpb__CreateCaptureResponse *answer = co_message_created(&created, &definition);
        fc_rpc_call_reply(call, &answer->base);
        co_message_free(&answer->base);
    } else {
        fc_rpc_call_fail(call, &fail);
    }
    co_created_fini(&created);
    fc_definition_fini(&definition);
}

/* ---- GetCapture, ListCaptures, ListInstanceCaptures ---- */

static void
on_get(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__GetCaptureRequest *request = (const Fcpb__GetCaptureRequest *)message;
    co_capture *capture = co_want_capture(user, call, request->name);
    if (capture == NULL)
        return;
    Fcpb__Capture *answer = co_message_capture(capture, true);
    fc_rpc_call_reply(call, &answer->base);
    co_message_free(&answer->base);
}

static bool
next_capture(co_stream *stream)
{
    while (stream->at < stream->count && stream->captures[stream->at]->deleted)
        stream->at++;
    if (stream->at >= stream->count)
        return false;
    Fcpb__Capture *message = co_message_capture(stream->captures[stream->at++], true);
    (void)fc_rpc_call_send(stream->call, &message->base);
    co_message_free(&message->base);
    return true;
}

static void
on_list(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ListCapturesRequest *request = (const Fcpb__ListCapturesRequest *)message;
    co_service *service = user;
    const co_captures *captures = &service->co->captures;
    co_stream *stream = co_stream_new(service, call, next_capture);
    stream->captures = fc_alloc_array(captures->count + 1, sizeof(co_capture *));
    for (co_capture *c = captures->by_uid; c != NULL; c = c->hh.next) {
        if (c->deleted || (request->active_only && c->unfinished == 0))
            continue;
        co_capture_hold(c);
        stream->captures[stream->count++] = c;
    }
    co_stream_start(stream);
}

static bool
next_part(co_stream *stream)
{
    if (stream->at >= stream->capture->part_count)
        return false;
    Fcpb__InstanceCapture *message =
        co_message_part(&stream->capture->parts[stream->at++], CO_PART_SEGMENTS_MAX);
    (void)fc_rpc_call_send(stream->call, &message->base);
    co_message_free(&message->base);
    return true;
}

static void
on_list_parts(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__GetCaptureRequest *request = (const Fcpb__GetCaptureRequest *)message;
    co_stream_capture(user, call, request->name, next_part);
}

/* ---- DeleteCapture ---- */

typedef struct deletion {
    co_delete operation;
    fc_rpc_call *call; /* borrowed; NULL once it is closed */
    char name[FC_NAME_MAX + 1];
    bool done;
} deletion;

static void
on_delete_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    deletion *d = fc_rpc_call_user(call);
    if (!d->done)
        co_delete_abandon(&d->operation);
    free(d);
}

static const fc_rpc_call_ops delete_ops = {.on_closed = on_delete_closed};

static void
on_deleted(co_delete *operation, fc_err err, const fc_fail *fail, const co_deleted *result)
{
    enum { LISTED_MAX = 500 };
    deletion *d = FC_CONTAINER(operation, deletion, operation);
    d->done = true;
    if (err != FC_OK) {
        fc_rpc_call_fail(d->call, fail);
        return;
    }
    Fcpb__DeleteCaptureResponse answer = FCPB__DELETE_CAPTURE_RESPONSE__INIT;
    answer.instance_count = result->instance_count;
    answer.files_kept = result->files_kept;
    answer.files_deleted = result->files_deleted;
    answer.unreachable = result->unreachable.items;
    answer.n_unreachable = result->unreachable.count < LISTED_MAX ? result->unreachable.count : LISTED_MAX;
    answer.done_before = result->done_before;
    fc_rpc_call_reply(d->call, &answer.base);
}

static void
on_delete(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__DeleteCaptureRequest *request = (const Fcpb__DeleteCaptureRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_fail fail = {0};
    fc_err err = co_request_id_check(request->request_id, &fail);
    if (err == FC_OK && !fc_name_check(request->name))
        err = fc_fail_field(&fail, FC_ERR_NOT_FOUND, "name", "there is no capture '%.80s'", request->name);
    if (err != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    deletion *d = FC_NEW(deletion);
    d->call = call;
    memcpy(d->name, request->name, strlen(request->name) + 1);
    d->operation = (co_delete){
        .principal = co_caller(call, who),
        .request_id = request->request_id,
        .name = d->name,
        .delete_files = request->delete_files,
        .stop_first = request->stop_first,
        .done = on_deleted,
    };
    if (co_delete_start(service->co, &d->operation, &fail) != FC_OK) {
        free(d);
        fc_rpc_call_fail(call, &fail);
        return;
    }
    fc_rpc_call_set(call, &delete_ops, d);
}

const fc_rpc_handler co_capture_handlers[] = {
    {.method = FC_METHOD_CREATE_CAPTURE, .request = on_create},
    {.method = FC_METHOD_GET_CAPTURE, .request = on_get},
    {.method = FC_METHOD_LIST_CAPTURES, .request = on_list},
    {.method = FC_METHOD_LIST_INSTANCE_CAPTURES, .request = on_list_parts},
    {.method = FC_METHOD_WATCH_CAPTURE, .request = co_rpc_watch_capture},
    {.method = FC_METHOD_STOP_CAPTURES, .request = co_rpc_stop_captures},
    {.method = FC_METHOD_DELETE_CAPTURE, .request = on_delete},
    {.method = FC_METHOD_LIST_FILES, .request = co_rpc_list_files},
    {.method = FC_METHOD_READ_FILE, .request = co_rpc_read_file},
    {.method = FC_METHOD_LIST_EVIDENCE, .request = co_rpc_list_evidence},
};
const size_t co_capture_handler_count = FC_COUNT(co_capture_handlers);
