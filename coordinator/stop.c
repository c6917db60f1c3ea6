#include "coordinator/operations.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "coordinator/coordinator.h"
#include "coordinator/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char method[] = "StopCaptures";

void
co_stopped_fini(struct co *co, co_stopped *stopped)
{
    for (size_t i = 0; i < stopped->capture_count; i++)
        co_capture_release(co, stopped->captures[i]);
    free(stopped->captures);
    free(stopped->parts);
    memset(stopped, 0, sizeof *stopped);
}

static void
add_capture(co_stopped *to, co_capture *capture)
{
    for (size_t i = 0; i < to->capture_count; i++)
        if (to->captures[i] == capture)
            return;
    to->captures = fc_grow_array(to->captures, to->capture_count + 1, sizeof to->captures[0]);
    to->captures[to->capture_count++] = capture;
    co_capture_hold(capture);
}

static fc_err
choose_captures(struct co *co, const co_stop *request, co_stopped *ret, fc_fail *fail)
{
    for (size_t i = 0; i < request->names.count; i++) {
        co_capture *capture = co_capture_find(&co->captures, request->names.items[i]);
        if (capture == NULL)
            return fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no capture '%.80s'",
                               request->names.items[i]);
        add_capture(ret, capture);
    }
    if (request->names.count > 0)
        return FC_OK;
    for (co_capture *c = co->captures.by_uid; c != NULL; c = c->hh.next)
        if (!c->deleted && c->unfinished > 0)
            add_capture(ret, c);
    return FC_OK;
}

static bool
targets_all(const fc_target *target)
{
    return target->scale_set == NULL && target->regions.count == 0 && target->include.count == 0 &&
           (target->selector == NULL || target->selector[0] == '\0');
}

static fc_err
choose_parts(struct co *co, const co_stop *request, co_stopped *ret, fc_fail *fail)
{
    fc_matcher *matcher = NULL;
    fc_err err = co_target_check_names(co, &request->target.include, fail);
    if (err == FC_OK)
        err = fc_matcher_new(&request->target, &matcher, fail);
    if (err != FC_OK)
        return err;
    size_t most = 0;
    for (size_t i = 0; i < ret->capture_count; i++)
        most += ret->captures[i]->part_count;
    ret->parts = fc_alloc_array(most + 1, sizeof ret->parts[0]);
    for (size_t i = 0; i < ret->capture_count; i++) {
        for (size_t k = 0; k < ret->captures[i]->part_count; k++) {
            co_part *part = &ret->captures[i]->parts[k];
            fc_instance_facts facts = co_instance_facts(part->instance);
            if (!part->gone && fc_matcher_match(matcher, &facts))
                ret->parts[ret->part_count++] = part;
        }
    }
    fc_matcher_free(matcher);
    return FC_OK;
}

static void
stop_part(struct co *co, co_part *part)
{
    if (fc_state_final(part->status.state) || part->action != CO_ACTION_RUN)
        return;
    co_part_want(co, part, CO_ACTION_STOP, FC_STOP_STOP_REQUESTED);
    if (part->told)
        co_reconcile_touch(co, part->instance);
    else /* it never heard of it: there is nothing to stop */
        co_part_settle(co, part, FC_STATE_STOPPED, FC_STOP_STOP_REQUESTED, NULL);
}

typedef struct writing {
    const co_stop *request;
    const co_stopped *stopped;
} writing;

static fc_err
write_stopped(struct co *co, void *user, fc_fail *fail)
{
    const writing *w = user;
    fc_err err = FC_OK;
    for (size_t i = 0; i < w->stopped->capture_count && err == FC_OK; i++) {
        char detail[64];
        (void)snprintf(detail, sizeof detail, "%zu instance captures in this request",
                       w->stopped->part_count);
        err = co_persist_write_audit(co, w->request->principal, "stop",
                                     w->stopped->captures[i]->definition.name, "ok", detail, fail);
    }
    if (err == FC_OK)
        err =
            co_persist_write_request(co, w->request->principal, w->request->request_id, method,
                                     w->stopped->capture_count > 0 ? w->stopped->captures[0]->uid : "", fail);
    return err;
}

static bool
repeated(struct co *co, const co_stop *request)
{
    char uid[CO_REQUEST_OBJECT_SIZE];
    return co_persist_find_request(co, request->principal, request->request_id, method, uid, NULL) == FC_OK;
}

static fc_err
carry_out(struct co *co, const co_stop *request, co_stopped *stopped, fc_fail *fail)
{
    bool whole = targets_all(&request->target);
    for (size_t i = 0; i < stopped->part_count; i++)
        stop_part(co, stopped->parts[i]);
    for (size_t i = 0; i < stopped->capture_count && whole; i++) {
        if (stopped->captures[i]->stop_requested)
            continue;
        stopped->captures[i]->stop_requested = true;
        co_capture_changed(co, stopped->captures[i]);
    }
    co->counters.stops++;
    writing w = {request, stopped};
    fc_err err = co_persist_flush(co, write_stopped, &w, fail);
    fc_log(FC_LOG_NOTICE, "stop of %zu captures on %zu instances, asked by %s", stopped->capture_count,
           stopped->part_count, request->principal);
    /* Even when it could not be stored: stopping is what a full disk needs. */
    return err;
}

static fc_err
nothing_to_stop(const co_stop *request, const co_stopped *stopped, fc_fail *fail)
{
    if (stopped->capture_count == 0)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "no capture is running");
    fc_buf words = {0};
    co_target_words(&request->target, &words);
    fc_err err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "no instance of these captures matches (%s%zu %s)",
                             fc_buf_text(&words), stopped->capture_count,
                             stopped->capture_count == 1 ? "capture" : "captures");
    fc_buf_fini(&words);
    return err;
}

fc_err
co_stop_captures(struct co *co, const co_stop *request, co_stopped *ret, fc_fail *fail)
{
    fc_fail why = {0};
    co_stopped stopped = {0};
    fc_err err = FC_OK;
    if (request->names.count == 0 && !request->all && targets_all(&request->target))
        err = fc_fail_set(&why, FC_ERR_INVALID,
                          "nothing is named to be stopped: a capture, an instance, or all");
    if (err == FC_OK)
        err = choose_captures(co, request, &stopped, &why);
    if (err == FC_OK)
        err = choose_parts(co, request, &stopped, &why);
    if (err == FC_OK && stopped.part_count == 0 && !repeated(co, request))
        err = nothing_to_stop(request, &stopped, &why);
    if (err == FC_OK)
        err = carry_out(co, request, &stopped, &why);
    if (err != FC_OK) {
        co_persist_refusal(co, request->principal, "stop",
                           request->names.count > 0 ? request->names.items[0] : "*", err, why.text);
        co_stopped_fini(co, &stopped);
        return fc_fail_copy(fail, &why);
    }
    *ret = stopped;
    return FC_OK;
}
