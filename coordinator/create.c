#include "coordinator/operations.h"

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"
#include "coordinator/record.h"
#include "coordinator/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char method[] = "CreateCapture";

void
co_created_fini(co_created *created)
{
    free(created->instances);
    free(created->compiled_filter);
    fc_strings_fini(&created->warnings);
    memset(created, 0, sizeof *created);
}

static bool
same_definition(const fc_definition *a, const fc_definition *b)
{
    fc_buf left = {0}, right = {0};
    co_record_pack_definition(a, &left);
    co_record_pack_definition(b, &right);
    bool same = fc_buf_size(&left) == fc_buf_size(&right) &&
                memcmp(fc_buf_bytes(&left), fc_buf_bytes(&right), fc_buf_size(&left)) == 0;
    fc_buf_fini(&left);
    fc_buf_fini(&right);
    return same;
}

static size_t
count_regions(co_instance *const *instances, size_t count)
{
    fc_strings regions = {0};
    for (size_t i = 0; i < count; i++)
        fc_strings_add_new(&regions, instances[i]->region);
    size_t regions_count = regions.count;
    fc_strings_fini(&regions);
    return regions_count;
}

static void
warn(co_created *created, const char *format, size_t count)
{
    char text[160];
    (void)snprintf(text, sizeof text, format, count, created->instance_count);
    fc_strings_add(&created->warnings, text);
}

static void
add_warnings(co_created *created, const fc_spec *spec)
{
    size_t away = 0;
    for (size_t i = 0; i < created->instance_count; i++)
        away += !co_instance_reachable(created->instances[i]);
    if (away > 0)
        warn(created,
             "%zu of %zu instances are offline: they start when they return, if the window is still open",
             away);
    if (created->compiled_filter[0] == '\0' && spec->session_bytes == 0 && spec->packet_limit == 0 &&
        spec->ring_files == 0)
        fc_strings_add(&created->warnings,
                       "no filter and no limit of bytes or packets: every packet of every "
                       "instance is written until the time is over");
}

/* The answer to a request that was carried out before. */
static fc_err
repeat(struct co *co, const co_create *request, const char *uid, co_created *ret, fc_fail *fail)
{
    co_capture *capture = co_capture_find_uid(&co->captures, uid);
    if (capture == NULL || capture->deleted)
        return fc_fail_set(fail, FC_ERR_EXISTS, "request '%s' made a capture that has been deleted since",
                           request->request_id);
    if (!same_definition(&capture->definition, request->definition))
        return fc_fail_set(fail, FC_ERR_EXISTS,
                           "request id '%s' was used for capture '%s' with another definition",
                           request->request_id, capture->definition.name);
    ret->capture = capture;
    ret->repeated = true;
    ret->instances = fc_alloc_array(capture->part_count + 1, sizeof ret->instances[0]);
    for (size_t i = 0; i < capture->part_count; i++)
        ret->instances[i] = capture->parts[i].instance;
    ret->instance_count = capture->part_count;
    ret->region_count = capture->region_count;
    ret->compiled_filter = fc_strdup(capture->compiled_filter);
    add_warnings(ret, &capture->definition.spec);
    return FC_OK;
}

static fc_err
resolve(struct co *co, const co_create *request, co_created *ret, fc_fail *fail)
{
    const fc_definition *definition = request->definition;
    fc_buf filter = {0};
    fc_err err = fc_definition_check(definition, fail);
    if (err == FC_OK)
        err = fc_filter_expression(definition->spec.filters, definition->spec.filter_count,
                                   definition->spec.raw_filter, NULL, 0, &filter, fail);
    if (err == FC_OK && co_capture_find(&co->captures, definition->name) != NULL)
        err = fc_fail_field(fail, FC_ERR_EXISTS, "name", "there is a capture '%s' already", definition->name);
    if (err == FC_OK)
        err = co_target_resolve(co, &definition->target, &ret->instances, &ret->instance_count, fail);
    if (err == FC_OK)
        err = co_quota_check(co, ret->instances, ret->instance_count, fail);
    if (err == FC_OK) {
        ret->compiled_filter = fc_buf_take_text(&filter);
        ret->region_count = count_regions(ret->instances, ret->instance_count);
        add_warnings(ret, &definition->spec);
    }
    fc_buf_fini(&filter);
    return err;
}

static co_capture *
make(struct co *co, const co_create *request, const co_created *created)
{
    char uid[FC_UID_LENGTH + 1];
    fc_uid_make(uid);
    co_capture *capture = co_capture_new(co, request->definition, uid, created->instance_count);
    capture->created = co_wall(co);
    capture->compiled_filter = fc_strdup(created->compiled_filter);
    (void)snprintf(capture->created_by, sizeof capture->created_by, "%s", request->principal);
    for (size_t i = 0; i < created->instance_count; i++)
        (void)co_capture_add_part(capture, created->instances[i]);
    return capture;
}

typedef struct writing {
    const co_create *request;
    const co_capture *capture;
} writing;

static fc_err
write_created(struct co *co, void *user, fc_fail *fail)
{
    const writing *w = user;
    char detail[160];
    (void)snprintf(detail, sizeof detail, "%zu instances in %zu regions; uid %s", w->capture->part_count,
                   w->capture->region_count, w->capture->uid);
    fc_err err = co_persist_write_capture(co, w->capture, fail);
    if (err == FC_OK)
        err = co_persist_write_request(co, w->request->principal, w->request->request_id, method,
                                       w->capture->uid, fail);
    if (err == FC_OK)
        err = co_persist_write_audit(co, w->request->principal, "create", w->capture->definition.name, "ok",
                                     detail, fail);
    return err;
}

/* Makes it, durably. The definition goes back to the request when that fails. */
static fc_err
carry_out(struct co *co, const co_create *request, co_created *ret, fc_fail *fail)
{
    co_capture *capture = make(co, request, ret);
    writing w = {request, capture};
    fc_err err = co_persist_flush(co, write_created, &w, fail);
    if (err != FC_OK) {
        *request->definition = capture->definition;
        memset(&capture->definition, 0, sizeof capture->definition);
        co_capture_free(capture);
        return err;
    }
    co_capture_enter(co, capture);
    ret->capture = capture;
    co->counters.captures_created++;
    fc_log(FC_LOG_NOTICE, "capture %s created by %s on %zu instances", capture->definition.name,
           request->principal, capture->part_count);
    co_reconcile_begin(co, capture);
    return FC_OK;
}

static const char *
object_of(const co_create *request)
{
    const char *name = request->definition->name;
    return name != NULL && fc_name_check(name) ? name : "-";
}

fc_err
co_create_capture(struct co *co, const co_create *request, co_created *ret, fc_fail *fail)
{
    fc_fail why = {0};
    co_created created = {0};
    char uid[CO_REQUEST_OBJECT_SIZE];
    fc_err err = FC_ERR_NOT_FOUND;
    if (!request->dry_run)
        err = co_persist_find_request(co, request->principal, request->request_id, method, uid, &why);
    if (err == FC_OK)
        err = repeat(co, request, uid, &created, &why);
    else if (err == FC_ERR_NOT_FOUND) {
        err = resolve(co, request, &created, &why);
        if (err == FC_OK && !request->dry_run)
            err = carry_out(co, request, &created, &why);
    }
    if (err != FC_OK) {
        co->counters.captures_refused++;
        if (!request->dry_run)
            co_persist_refusal(co, request->principal, "create", object_of(request), err, why.text);
        co_created_fini(&created);
        return fc_fail_copy(fail, &why);
    }
    *ret = created;
    return FC_OK;
}
