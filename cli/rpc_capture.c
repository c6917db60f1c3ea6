#include "cli/rpc_capture.h"

#include "cli/answers.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/types.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more; the new item is zeroed. */
#define ADD(list) add_item((void **)&(list)->items, &(list)->count, &(list)->capacity, sizeof *(list)->items)

static void *
add_item(void **items, size_t *count, size_t *capacity, size_t size)
{
    *items = fc_grow_room(*items, *count, capacity, size);
    void *item = (char *)*items + *count * size;
    memset(item, 0, size);
    (*count)++;
    return item;
}

/* ---- life of the domain types ---- */

void
cli_capture_fini(cli_capture *capture)
{
    if (capture->has_definition)
        fc_definition_fini(&capture->definition);
    free(capture->created_by);
    free(capture->compiled_filter);
    memset(capture, 0, sizeof *capture);
}

void
cli_captures_fini(cli_captures *captures)
{
    for (size_t i = 0; i < captures->count; i++)
        cli_capture_fini(&captures->items[i]);
    free(captures->items);
    memset(captures, 0, sizeof *captures);
}

void
cli_statuses_put(cli_statuses *statuses, const fc_status *status)
{
    for (size_t i = 0; i < statuses->count; i++)
        if (strcmp(statuses->items[i].instance_id, status->instance_id) == 0 &&
            strcmp(statuses->items[i].capture_uid, status->capture_uid) == 0) {
            fc_status_copy(&statuses->items[i], status);
            return;
        }
    fc_status_copy(ADD(statuses), status);
}

static int
attention(fc_state state)
{
    static const int ranks[CLI_STATE_COUNT] = {
        [FC_STATE_FAILED] = 0,       [FC_STATE_UNKNOWN] = 1,  [FC_STATE_PENDING] = 2, [FC_STATE_NONE] = 2,
        [FC_STATE_PROVISIONING] = 3, [FC_STATE_STOPPING] = 4, [FC_STATE_RUNNING] = 5, [FC_STATE_STOPPED] = 5,
    };
    return (unsigned)state < CLI_STATE_COUNT ? ranks[state] : 0;
}

static int
compare_statuses(const void *left, const void *right)
{
    const fc_status *a = left, *b = right;
    int by_state = attention(a->state) - attention(b->state);
    if (by_state != 0)
        return by_state;
    uint64_t a_lost = a->counters.dropped_kernel + a->counters.dropped_writer;
    uint64_t b_lost = b->counters.dropped_kernel + b->counters.dropped_writer;
    if (a_lost != b_lost)
        return a_lost > b_lost ? -1 : 1;
    int by_name = strverscmp(a->instance_name, b->instance_name);
    return by_name != 0 ? by_name : strcmp(a->instance_id, b->instance_id);
}

void
cli_statuses_sort(cli_statuses *statuses)
{
    if (statuses->count > 1)
        qsort(statuses->items, statuses->count, sizeof *statuses->items, compare_statuses);
}

void
cli_statuses_fini(cli_statuses *statuses)
{
    for (size_t i = 0; i < statuses->count; i++)
        fc_status_fini(&statuses->items[i]);
    free(statuses->items);
    memset(statuses, 0, sizeof *statuses);
}

void
cli_created_fini(cli_created *created)
{
    cli_capture_fini(&created->capture);
    free(created->instances);
    fc_strings_fini(&created->warnings);
    memset(created, 0, sizeof *created);
}

void
cli_files_fini(cli_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    memset(files, 0, sizeof *files);
}

/* ---- from messages ---- */

static fc_err
capture_from_pb(const Fcpb__Capture *message, cli_capture *ret, fc_fail *fail)
{
    cli_capture capture = {0};
    fc_err err = cli_answers_name(message->name, "a capture", capture.name, fail);
    if (err == FC_OK && *message->uid != '\0') {
        if (!fc_uid_check(message->uid))
            err = fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator sent a capture with the id \"%.80s\"",
                              message->uid);
        else
            (void)strcpy(capture.uid, message->uid);
    }
    if (err == FC_OK && message->definition != NULL) {
        err = fc_definition_from_pb(message->definition, &capture.definition, fail);
        capture.has_definition = err == FC_OK;
    }
    if (err != FC_OK) {
        cli_capture_fini(&capture);
        return err;
    }
    capture.state = (unsigned)message->state < CLI_STATE_COUNT ? (fc_state)message->state : FC_STATE_UNKNOWN;
    for (size_t i = 0; i < message->n_states; i++)
        if ((unsigned)message->states[i]->state < CLI_STATE_COUNT)
            capture.states[message->states[i]->state] += message->states[i]->count;
    capture.instance_count = message->instance_count;
    capture.region_count = message->region_count;
    capture.created.ns = message->created_unix_ns;
    capture.start.ns = message->start_unix_ns;
    capture.window_end.ns = message->window_end_unix_ns;
    fc_counters_from_pb(message->totals, &capture.totals);
    capture.created_by = fc_strdup(message->created_by);
    capture.compiled_filter = fc_strdup(message->compiled_filter);
    capture.stop_requested = message->stop_requested;
    capture.lead_time_ms = message->lead_time_ms;
    *ret = capture;
    return FC_OK;
}

/* ---- create, get, list ---- */

static bool
take_created(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_created *created = answers->into;
    const Fcpb__CreateCaptureResponse *message = (const Fcpb__CreateCaptureResponse *)answer;
    cli_created_fini(created);
    if (message->capture == NULL)
        answers->err =
            fc_fail_set(&answers->fail, FC_ERR_PROTOCOL, "the coordinator answered without a capture");
    else
        answers->err = capture_from_pb(message->capture, &created->capture, &answers->fail);
    created->instances = fc_alloc_array(message->n_instances, sizeof *created->instances);
    for (size_t i = 0; i < message->n_instances && answers->err == FC_OK; i++) {
        const Fcpb__ResolvedInstance *from = message->instances[i];
        cli_resolved *to = &created->instances[created->instance_count++];
        answers->err = cli_answers_name(from->id, "an instance id", to->id, &answers->fail);
        if (answers->err == FC_OK)
            answers->err = cli_answers_name(from->name, "an instance", to->name, &answers->fail);
        if (answers->err == FC_OK && *from->region != '\0')
            answers->err = cli_answers_name(from->region, "a region", to->region, &answers->fail);
        to->online = from->online;
    }
    for (size_t i = 0; i < message->n_warnings; i++)
        fc_strings_add(&created->warnings, message->warnings[i]);
    return true;
}

fc_err
cli_rpc_create(cli_session *session, const fc_definition *definition, bool dry_run, uint32_t timeout_ms,
               cli_created *ret, fc_fail *fail)
{
    Fcpb__CreateCaptureRequest message = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    message.request_id = (char *)cli_session_request_id(session);
    message.definition = fc_definition_to_pb(definition);
    message.dry_run = dry_run;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_CREATE_CAPTURE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_created,
                           .repeatable = true};
    fc_err err = cli_answers_gather(session, request, &answers, fail);
    protobuf_c_message_free_unpacked(&message.definition->base, NULL);
    return err;
}

static bool
take_capture(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_capture capture = {0};
    answers->err = capture_from_pb((const Fcpb__Capture *)answer, &capture, &answers->fail);
    if (answers->err == FC_OK)
        *(cli_capture *)ADD((cli_captures *)answers->into) = capture;
    return answers->err == FC_OK;
}

fc_err
cli_rpc_get(cli_session *session, const char *name, uint32_t timeout_ms, cli_capture *ret, fc_fail *fail)
{
    Fcpb__GetCaptureRequest message = FCPB__GET_CAPTURE_REQUEST__INIT;
    message.name = (char *)name;
    cli_captures list = {0};
    cli_answers answers = {.into = &list};
    cli_request request = {.method = FC_METHOD_GET_CAPTURE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_capture};
    fc_err err = cli_answers_gather(session, request, &answers, fail);
    if (err == FC_OK && list.count != 1)
        err = fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator answered with %zu captures for one",
                          list.count);
    if (err == FC_OK) {
        *ret = list.items[0];
        list.count = 0;
    }
    cli_captures_fini(&list);
    return err;
}

fc_err
cli_rpc_list(cli_session *session, bool active_only, uint32_t timeout_ms, cli_captures *ret, fc_fail *fail)
{
    Fcpb__ListCapturesRequest message = FCPB__LIST_CAPTURES_REQUEST__INIT;
    message.active_only = active_only;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_CAPTURES,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_capture};
    return cli_answers_gather(session, request, &answers, fail);
}

static bool
take_status(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    fc_status status = {0};
    answers->err = fc_status_from_pb((const Fcpb__InstanceCapture *)answer, &status, &answers->fail);
    if (answers->err == FC_OK) {
        cli_statuses_put(answers->into, &status);
        fc_status_fini(&status);
    }
    return answers->err == FC_OK;
}

fc_err
cli_rpc_statuses(cli_session *session, const char *name, uint32_t timeout_ms, cli_statuses *ret,
                 fc_fail *fail)
{
    Fcpb__GetCaptureRequest message = FCPB__GET_CAPTURE_REQUEST__INIT;
    message.name = (char *)name;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_INSTANCE_CAPTURES,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_status,
                           .repeatable = true};
    return cli_answers_gather(session, request, &answers, fail);
}

static bool
take_file(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    const Fcpb__FileLocation *message = (const Fcpb__FileLocation *)answer;
    cli_file file = {.online = message->online};
    answers->err = cli_answers_name(message->instance_id, "an instance id", file.instance_id, &answers->fail);
    if (answers->err == FC_OK)
        answers->err =
            cli_answers_name(message->instance_name, "an instance", file.instance_name, &answers->fail);
    if (answers->err == FC_OK && message->segment == NULL)
        answers->err =
            fc_fail_set(&answers->fail, FC_ERR_PROTOCOL, "the coordinator sent a file without its segment");
    if (answers->err == FC_OK)
        answers->err = fc_segment_from_pb(message->segment, &file.segment, &answers->fail);
    if (answers->err != FC_OK)
        return false;
    file.path = fc_strdup(message->path);
    *(cli_file *)ADD((cli_files *)answers->into) = file;
    return true;
}

fc_err
cli_rpc_files(cli_session *session, const char *name, uint32_t timeout_ms, cli_files *ret, fc_fail *fail)
{
    Fcpb__GetCaptureRequest message = FCPB__GET_CAPTURE_REQUEST__INIT;
    message.name = (char *)name;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_FILES,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_file};
    return cli_answers_gather(session, request, &answers, fail);
}

/* ---- watch ---- */

static bool
take_event(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    const cli_watcher *watcher = answers->into;
    const Fcpb__CaptureEvent *message = (const Fcpb__CaptureEvent *)answer;
    cli_capture capture = {0};
    size_t count = 0;
    bool go_on = true;
    fc_status *changed = fc_alloc_array(message->n_changed, sizeof *changed);
    if (message->capture == NULL)
        answers->err =
            fc_fail_set(&answers->fail, FC_ERR_PROTOCOL, "the coordinator sent an event without its capture");
    else
        answers->err = capture_from_pb(message->capture, &capture, &answers->fail);
    for (; count < message->n_changed && answers->err == FC_OK; count++)
        answers->err = fc_status_from_pb(message->changed[count], &changed[count], &answers->fail);
    if (answers->err == FC_OK)
        go_on = watcher->event(&capture, changed, count, watcher->user);
    for (size_t i = 0; i < count; i++)
        fc_status_fini(&changed[i]);
    free(changed);
    cli_capture_fini(&capture);
    return go_on && answers->err == FC_OK;
}

fc_err
cli_rpc_watch(cli_session *session, const char *name, uint32_t interval_ms, uint32_t timeout_ms,
              const cli_watcher *watcher, fc_fail *fail)
{
    Fcpb__WatchCaptureRequest message = FCPB__WATCH_CAPTURE_REQUEST__INIT;
    message.name = (char *)name;
    message.min_interval_ms = interval_ms;
    cli_answers answers = {.into = (void *)watcher};
    cli_request request = {.method = FC_METHOD_WATCH_CAPTURE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_event,
                           .repeatable = true};
    return cli_answers_gather(session, request, &answers, fail);
}
