#include "coordinator/operations.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char method[] = "DeleteCapture";

/* Life: start -> (stopping ->) forgetting -> done. Each part has one wait, first for its end, then for the
 * instance's word that it forgot. */

static void
clear_waits(co_delete *operation)
{
    for (size_t i = 0; i < operation->capture->part_count; i++)
        co_wait_remove(&operation->waits[i]);
    operation->pending = 0;
}

static void
release(co_delete *operation)
{
    if (operation->capture == NULL)
        return;
    clear_waits(operation);
    fc_loop_timer_clear(operation->co->loop, &operation->timer);
    free(operation->waits);
    free(operation->files);
    co_capture *capture = operation->capture;
    operation->capture = NULL;
    co_capture_release(operation->co, capture);
}

static uint32_t
count_files(const co_part *part)
{
    uint32_t count = 0;
    for (size_t i = 0; i < part->status.segment_count; i++)
        count += !part->status.segments[i].removed;
    return count;
}

static void
add_unreachable(const co_capture *capture, co_deleted *result)
{
    result->instance_count = (uint32_t)capture->part_count;
    for (size_t i = 0; i < capture->part_count; i++)
        if (!capture->parts[i].forgotten)
            fc_strings_add(&result->unreachable, capture->parts[i].instance->name);
}

static void
conclude(co_delete *operation)
{
    const co_capture *capture = operation->capture;
    co_deleted result = {0};
    add_unreachable(capture, &result);
    for (size_t i = 0; i < capture->part_count; i++) {
        const co_part *part = &capture->parts[i];
        if (!operation->delete_files)
            result.files_kept += operation->files[i];
        else if (part->forgotten)
            result.files_deleted += operation->files[i];
    }
    release(operation);
    operation->done(operation, FC_OK, NULL, &result);
    fc_strings_fini(&result.unreachable);
}

/* How many files there were was told once. What can still be said is who has not acknowledged. */
static void
conclude_again(co_delete *operation)
{
    co_deleted result = {.done_before = true};
    const co_capture *capture = co_capture_find_uid(&operation->co->captures, operation->uid);
    if (capture != NULL)
        add_unreachable(capture, &result);
    operation->done(operation, FC_OK, NULL, &result);
    fc_strings_fini(&result.unreachable);
}

static void
await(co_delete *operation, bool forgotten, int64_t limit_ms)
{
    operation->pending = 0;
    for (size_t i = 0; i < operation->capture->part_count; i++) {
        co_part *part = &operation->capture->parts[i];
        co_wait *wait = &operation->waits[i];
        if (forgotten ? part->forgotten : fc_state_final(part->status.state))
            continue;
        /* Nothing will come of one that is away: it is listed as such. */
        if (!co_instance_reachable(part->instance))
            continue;
        wait->for_forgotten = forgotten;
        co_wait_add(part, wait);
        operation->pending++;
    }
    fc_loop_timer_after_ms(operation->co->loop, &operation->timer, operation->pending > 0 ? limit_ms : 0);
}

/* The name as well: another capture of that name is not meant by a request that is repeated. */
static void
object_text(const char *uid, const char *name, char ret_object[CO_REQUEST_OBJECT_SIZE])
{
    (void)snprintf(ret_object, CO_REQUEST_OBJECT_SIZE, "%s/%s", uid, name);
}

static fc_err
write_deleted(struct co *co, void *user, fc_fail *fail)
{
    const co_delete *operation = user;
    const co_capture *capture = operation->capture;
    char object[CO_REQUEST_OBJECT_SIZE];
    object_text(capture->uid, capture->definition.name, object);
    fc_err err = co_persist_write_audit(co, operation->who, "delete", capture->definition.name, "ok",
                                        operation->delete_files ? "with its files" : "files are kept", fail);
    if (err == FC_OK)
        err = co_persist_write_request(co, operation->who, operation->request, method, object, fail);
    return err;
}

static fc_err
forget_now(co_delete *operation, fc_fail *fail)
{
    struct co *c = operation->co;
    co_capture *capture = operation->capture;
    co_action action = operation->delete_files ? CO_ACTION_PURGE : CO_ACTION_FORGET;
    clear_waits(operation);
    operation->forgetting = true;
    for (size_t i = 0; i < capture->part_count; i++) {
        co_part *part = &capture->parts[i];
        operation->files[i] = count_files(part);
        if (part->gone)
            continue;
        co_part_want(c, part, action, FC_STOP_CAPTURE_DELETED);
        if (part->told)
            co_reconcile_touch(c, part->instance);
        else
            co_part_gone(c, part);
    }
    co_capture_delete(c, capture);
    c->counters.deletes++;
    fc_log(FC_LOG_NOTICE, "capture %s deleted by %s%s", capture->definition.name, operation->who,
           operation->delete_files ? " with its files" : "");
    return co_persist_flush(c, write_deleted, operation, fail);
}

static void
forget(co_delete *operation)
{
    fc_fail fail = {0};
    if (forget_now(operation, &fail) == FC_OK) {
        await(operation, true, CO_DELETE_ACK_MS);
        return;
    }
    release(operation);
    operation->done(operation, fail.err, &fail, NULL);
}

static void
on_timer(fc_timer *timer)
{
    co_delete *operation = FC_CONTAINER(timer, co_delete, timer);
    if (operation->repeated) {
        conclude_again(operation);
    } else if (operation->forgetting) {
        conclude(operation);
    } else {
        forget(operation);
    }
}

static void
on_wait(co_wait *wait)
{
    co_delete *operation = wait->user;
    if (--operation->pending == 0)
        fc_loop_timer_after_ms(operation->co->loop, &operation->timer, 0);
}

static void
stop_all(co_delete *operation)
{
    struct co *c = operation->co;
    for (size_t i = 0; i < operation->capture->part_count; i++) {
        co_part *part = &operation->capture->parts[i];
        if (part->action != CO_ACTION_RUN || !part->told)
            continue;
        co_part_want(c, part, CO_ACTION_STOP, FC_STOP_STOP_REQUESTED);
        co_reconcile_touch(c, part->instance);
    }
    operation->capture->stop_requested = true;
    co_capture_changed(c, operation->capture);
}

/* Did an earlier request with this id do it? FC_ERR_NOT_FOUND when not; FC_ERR_EXISTS when it did something
 * else. */
static fc_err
find_earlier(struct co *co, co_delete *operation, fc_fail *fail)
{
    char object[CO_REQUEST_OBJECT_SIZE];
    fc_err err = co_persist_find_request(co, operation->who, operation->request, method, object, fail);
    if (err != FC_OK)
        return err;
    char *stroke = strchr(object, '/');
    if (stroke != NULL && strcmp(stroke + 1, operation->name) != 0)
        return fc_fail_set(fail, FC_ERR_EXISTS, "request id '%s' was used to delete capture '%s'",
                           operation->request, stroke + 1);
    if (stroke != NULL)
        *stroke = '\0';
    (void)snprintf(operation->uid, sizeof operation->uid, "%.*s", FC_UID_LENGTH, object);
    return FC_OK;
}

static fc_err
check(struct co *co, const co_delete *operation, fc_fail *fail)
{
    const co_capture *capture = co_capture_find(&co->captures, operation->name);
    if (capture == NULL)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no capture '%.80s'", operation->name);
    if (capture->unfinished > 0 && !operation->stop_first)
        return fc_fail_set(fail, FC_ERR_STATE, "capture '%s' still runs on %u instances: stop it first",
                           operation->name, capture->unfinished);
    return FC_OK;
}

fc_err
co_delete_start(struct co *co, co_delete *operation, fc_fail *fail)
{
    fc_fail why = {0};
    operation->co = co;
    operation->capture = NULL;
    operation->timer.fire = on_timer;
    (void)snprintf(operation->who, sizeof operation->who, "%s", operation->principal);
    (void)snprintf(operation->request, sizeof operation->request, "%s", operation->request_id);
    fc_err err = find_earlier(co, operation, &why);
    if (err == FC_OK) {
        operation->repeated = true;
        fc_loop_timer_after_ms(co->loop, &operation->timer, 0);
        return FC_OK;
    }
    if (err == FC_ERR_NOT_FOUND)
        err = check(co, operation, &why);
    if (err != FC_OK) {
        co_persist_refusal(co, operation->who, "delete",
                           fc_name_check(operation->name) ? operation->name : "-", err, why.text);
        return fc_fail_copy(fail, &why);
    }
    co_capture *capture = co_capture_find(&co->captures, operation->name);
    co_capture_hold(capture);
    operation->capture = capture;
    operation->waits = fc_alloc_array(capture->part_count + 1, sizeof operation->waits[0]);
    operation->files = fc_alloc_array(capture->part_count + 1, sizeof operation->files[0]);
    for (size_t i = 0; i < capture->part_count; i++) {
        operation->waits[i].fire = on_wait;
        operation->waits[i].user = operation;
    }
    if (capture->unfinished > 0)
        stop_all(operation);
    await(operation, false, CO_DELETE_STOP_MS);
    return FC_OK;
}

void
co_delete_abandon(co_delete *operation)
{
    fc_loop_timer_clear(operation->co->loop, &operation->timer);
    if (operation->capture == NULL)
        return;
    fc_fail fail = {0};
    if (!operation->forgetting && forget_now(operation, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "the deletion of %s is not stored yet: %s", operation->capture->definition.name,
               fail.text);
    release(operation);
}
