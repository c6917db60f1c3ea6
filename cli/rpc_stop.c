/* The calls of rpc_capture.h that stop, delete and read; and a capture's JSON. */
#include "cli/answers.h"
#include "cli/output.h"
#include "cli/rpc_capture.h"

#include "common/base/mem.h"
#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/types.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* ---- stop ---- */

/* How much longer than the coordinator's own waiting the whole call may take. */
enum { STOP_MARGIN_MS = 10000 };

typedef struct acknowledging {
    void (*acknowledge)(const cli_stop_ack *ack, void *user);
    void *user; /* borrowed */
} acknowledging;

static bool
take_ack(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    const acknowledging *to = answers->into;
    const Fcpb__StopAck *message = (const Fcpb__StopAck *)answer;
    fc_status status = {0};
    if (message->instance == NULL || !fc_name_check(message->capture_name))
        answers->err = fc_fail_set(&answers->fail, FC_ERR_PROTOCOL,
                                   "the coordinator sent an acknowledgement of nothing");
    else
        answers->err = fc_status_from_pb(message->instance, &status, &answers->fail);
    if (answers->err != FC_OK)
        return false;
    cli_stop_ack ack = {message->capture_name, &status, message->acknowledged};
    to->acknowledge(&ack, to->user);
    fc_status_fini(&status);
    return true;
}

fc_err
cli_rpc_stop(cli_session *session, const cli_stop_choice *choice, uint32_t wait_ms,
             void (*acknowledge)(const cli_stop_ack *ack, void *user), void *user, fc_fail *fail)
{
    Fcpb__StopCapturesRequest message = FCPB__STOP_CAPTURES_REQUEST__INIT;
    message.request_id = (char *)cli_session_request_id(session);
    message.names = choice->names.items;
    message.n_names = choice->names.count;
    message.regions = choice->regions.items;
    message.n_regions = choice->regions.count;
    message.instances = choice->instances.items;
    message.n_instances = choice->instances.count;
    message.all = choice->all;
    if (choice->scale_set != NULL)
        message.scale_set = (char *)choice->scale_set;
    if (choice->selector != NULL)
        message.selector = (char *)choice->selector;
    message.wait_ms = wait_ms;
    acknowledging to = {acknowledge, user};
    cli_answers answers = {.into = &to};
    cli_request request = {.method = FC_METHOD_STOP_CAPTURES,
                           .message = &message.base,
                           .timeout_ms = wait_ms + STOP_MARGIN_MS,
                           .each = take_ack,
                           .repeatable = true};
    return cli_answers_gather(session, request, &answers, fail);
}

/* ---- delete ---- */

static bool
take_deleted(const ProtobufCMessage *answer, void *user)
{
    cli_deleted *deleted = user;
    const Fcpb__DeleteCaptureResponse *message = (const Fcpb__DeleteCaptureResponse *)answer;
    deleted->instance_count = message->instance_count;
    deleted->files_kept = message->files_kept;
    deleted->files_deleted = message->files_deleted;
    deleted->done_before = message->done_before;
    for (size_t i = 0; i < message->n_unreachable; i++)
        fc_strings_add(&deleted->unreachable, message->unreachable[i]);
    return true;
}

fc_err
cli_rpc_delete(cli_session *session, const char *name, bool delete_files, bool stop_first,
               uint32_t timeout_ms, cli_deleted *ret, fc_fail *fail)
{
    Fcpb__DeleteCaptureRequest message = FCPB__DELETE_CAPTURE_REQUEST__INIT;
    message.request_id = (char *)cli_session_request_id(session);
    message.name = (char *)name;
    message.delete_files = delete_files;
    message.stop_first = stop_first;
    cli_request request = {.method = FC_METHOD_DELETE_CAPTURE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_deleted,
                           .user = ret};
    return cli_session_call(session, &request, fail);
}

/* ---- read ---- */

struct cli_read {
    const cli_read_ops *ops; /* borrowed */
    void *user;              /* borrowed */
    fc_rpc_call *call;       /* weak: gone after on_closed, when this goes too */
    bool given_up;
};

static void
on_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    cli_read *read = fc_rpc_call_user(call);
    const Fcpb__FileChunk *chunk = (const Fcpb__FileChunk *)message;
    if (!read->given_up && !read->ops->on_data(chunk->offset, chunk->data.data, chunk->data.len, read->user))
        cli_read_cancel(read);
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    cli_read *read = fc_rpc_call_user(call);
    fc_fail how = {0};
    if (read->given_up)
        (void)fc_fail_set(&how, FC_ERR_CANCELLED, "given up");
    else if (status->code != FC_CODE_OK)
        (void)fc_rpc_status_fail(status, &how);
    read->ops->on_end(&how, read->user);
    free(read);
}

static const fc_rpc_call_ops read_call_ops = {.on_message = on_message, .on_closed = on_closed};

cli_read *
cli_rpc_read(cli_session *session, const char *capture_name, const cli_file *file, uint64_t offset,
             const cli_read_ops *ops, void *user)
{
    Fcpb__ReadFileRequest message = FCPB__READ_FILE_REQUEST__INIT;
    message.capture_name = (char *)capture_name;
    message.instance_id = (char *)file->instance_id;
    message.sequence = file->segment.sequence;
    message.offset = offset;
    cli_read *read = FC_NEW(cli_read);
    read->ops = ops;
    read->user = user;
    read->call = fc_rpc_call_new(cli_session_conn(session), FC_METHOD_READ_FILE, &message.base, 0,
                                 &read_call_ops, read);
    return read;
}

void
cli_read_cancel(cli_read *read)
{
    if (!read->given_up)
        fc_rpc_call_cancel(read->call);
    read->given_up = true;
}

/* ---- JSON ---- */

json_t *
cli_capture_json(const cli_capture *capture)
{
    json_t *tree = json_object(), *states = json_object();
    for (int state = FC_STATE_NONE + 1; state < CLI_STATE_COUNT; state++)
        if (capture->states[state] > 0)
            json_object_set_new(states, fc_state_name((fc_state)state), json_integer(capture->states[state]));
    json_object_set_new(tree, "name", json_string(capture->name));
    fc_json_set(tree, "uid", fc_json_text(capture->uid));
    json_object_set_new(tree, "state", json_string(fc_state_name(capture->state)));
    json_object_set_new(tree, "packetCaptureStatus", json_string(fc_state_reference_name(capture->state)));
    json_object_set_new(tree, "states", states);
    json_object_set_new(tree, "instanceCount", json_integer(capture->instance_count));
    json_object_set_new(tree, "regionCount", json_integer(capture->region_count));
    fc_json_set(tree, "createdTime", fc_json_time(capture->created));
    fc_json_set(tree, "captureStartTime", fc_json_time(capture->start));
    fc_json_set(tree, "windowEndTime", fc_json_time(capture->window_end));
    json_object_set_new(tree, "leadTimeMs", json_integer(capture->lead_time_ms));
    fc_json_set(tree, "createdBy", fc_json_text(capture->created_by));
    json_object_set_new(tree, "stopRequested", json_boolean(capture->stop_requested));
    fc_json_set(tree, "compiledFilter", fc_json_text(capture->compiled_filter));
    json_object_set_new(tree, "totals", fc_counters_to_json(&capture->totals));
    fc_json_set(tree, "definition",
                capture->has_definition ? fc_definition_to_json(&capture->definition) : json_null());
    return tree;
}
