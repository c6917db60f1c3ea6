#include "coordinator/persist.h"

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"
#include "coordinator/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    MINUTE_S = 60,
    DETAIL_MAX = 512, /* characters of an audit record's free text */
};

struct co_audit_entry {
    fc_wall at;
    char principal[FC_PRINCIPAL_TEXT_SIZE];
    char action[32];
    char object[80];
    char outcome[32];
    char detail[DETAIL_MAX];
    struct co_audit_entry *next;
};

static void
on_timer(fc_timer *timer)
{
    struct co *c = FC_CONTAINER(timer, struct co, persist.timer);
    fc_fail fail = {0};
    if (co_persist_flush(c, NULL, NULL, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "%s; it is tried again", fail.text);
}

void
co_persist_init(struct co *co)
{
    co->persist.timer.fire = on_timer;
}

void
co_persist_fini(struct co *co)
{
    fc_fail fail = {0};
    if (co_persist_flush(co, NULL, NULL, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "what was not stored is lost: %s", fail.text);
    fc_loop_timer_clear(co->loop, &co->persist.timer);
    co_audit_entry *entry, *next;
    LL_FOREACH_SAFE (co->persist.audit, entry, next)
        free(entry);
    co->persist.audit = NULL;
}

static void
schedule(struct co *co, int64_t ms)
{
    fc_mono due = fc_mono_after_ms(fc_loop_now(co->loop), ms);
    if (co->persist.timer.slot == 0 || due.ns < co->persist.timer.due.ns)
        fc_loop_timer_set(co->loop, &co->persist.timer, due);
}

/* ---- what waits ---- */

void
co_persist_instance(struct co *co, co_instance *instance)
{
    if (instance->dirty)
        return;
    instance->dirty = true;
    instance->next_dirty = co->persist.instances;
    co->persist.instances = instance;
    schedule(co, CO_FLUSH_LAZY_MS);
}

void
co_persist_capture(struct co *co, co_capture *capture)
{
    if (capture->dirty)
        return;
    capture->dirty = true;
    capture->next_dirty = co->persist.captures;
    co->persist.captures = capture;
    schedule(co, CO_FLUSH_LAZY_MS);
}

void
co_persist_part(struct co *co, co_part *part)
{
    if (part->dirty)
        return;
    part->dirty = true;
    part->next_dirty = co->persist.parts;
    co->persist.parts = part;
    schedule(co, CO_FLUSH_LAZY_MS);
}

void
co_persist_segment(struct co *co, co_part *part, uint32_t sequence)
{
    co_persist_part(co, part);
    for (size_t i = 0; i < part->dirty_segment_count; i++)
        if (part->dirty_segments[i] == sequence)
            return;
    part->dirty_segments =
        fc_grow_array(part->dirty_segments, part->dirty_segment_count + 1, sizeof part->dirty_segments[0]);
    part->dirty_segments[part->dirty_segment_count++] = sequence;
}

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

/* A peer's words must not steer the terminal of whoever reads the log. */
static void
make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void
co_persist_audit(struct co *co, const char *principal, const char *action, const char *object,
                 const char *outcome, const char *detail)
{
    co_audit_entry *entry = FC_NEW(co_audit_entry);
    entry->at = co_wall(co);
    COPY(entry->principal, principal);
    COPY(entry->action, action);
    COPY(entry->object, object);
    COPY(entry->outcome, outcome);
    COPY(entry->detail, detail);
    make_plain(entry->object);
    make_plain(entry->detail);
    LL_APPEND(co->persist.audit, entry);
    schedule(co, CO_FLUSH_URGENT_MS);
}

void
co_persist_refusal(struct co *co, const char *principal, const char *action, const char *object, fc_err err,
                   const char *detail)
{
    fc_mono now = fc_loop_now(co->loop);
    if (now.ns - co->persist.refusals_since.ns >= MINUTE_S * FC_NS_PER_S) {
        co->persist.refusals_since = now;
        co->persist.refusals = co->persist.strangers = 0;
    }
    bool stranger = strncmp(principal, "anonymous/", strlen("anonymous/")) == 0;
    uint32_t *count = stranger ? &co->persist.strangers : &co->persist.refusals;
    if (*count >= (stranger ? CO_STRANGERS_PER_MINUTE : CO_REFUSALS_PER_MINUTE)) {
        co->counters.audit_dropped++;
        return;
    }
    ++*count;
    co_persist_audit(co, principal, action, object, fc_code_name(fc_err_code(err)), detail);
}

void
co_persist_wait(struct co *co, co_flush_wait *wait)
{
    wait->waiting = true;
    DL_APPEND(co->persist.waits, wait);
    schedule(co, CO_FLUSH_URGENT_MS);
}

void
co_persist_unwait(struct co *co, co_flush_wait *wait)
{
    if (wait->waiting)
        DL_DELETE(co->persist.waits, wait);
    wait->waiting = false;
}

/* ---- writing ---- */

static co_blob
blob_of(const fc_buf *buf)
{
    return (co_blob){fc_buf_bytes(buf), fc_buf_size(buf)};
}

static fc_err
write_instance(struct co *co, const co_instance *instance, fc_buf *scratch, fc_fail *fail)
{
    fc_buf_clear(scratch);
    co_record_pack_labels(&instance->labels, scratch);
    co_instance_row row = {
        .id = instance->id,
        .name = instance->name,
        .scale_set = instance->scale_set,
        .region = instance->region,
        .zone = instance->zone,
        .version = instance->version,
        .boot_id = instance->boot_id,
        .address = instance->address,
        .labels = blob_of(scratch),
        .last_seen_unix_ns = instance->last_seen.ns,
        .removed = instance->removed,
    };
    return co_store_put_instance(co->store, &row, fail);
}

static fc_err
write_capture(struct co *co, const co_capture *capture, fc_buf *scratch, fc_fail *fail)
{
    fc_buf_clear(scratch);
    co_record_pack_definition(&capture->definition, scratch);
    co_capture_row row = {
        .uid = capture->uid,
        .name = capture->definition.name,
        .definition = blob_of(scratch),
        .compiled_filter = capture->compiled_filter,
        .created_by = capture->created_by,
        .created_unix_ns = capture->created.ns,
        .start_unix_ns = capture->start.ns,
        .window_end_unix_ns = capture->window_end.ns,
        .lead_ms = capture->lead_ms,
        .stop_requested = capture->stop_requested,
        .deleted = capture->deleted,
    };
    return co_store_put_capture(co->store, &row, fail);
}

static fc_err
write_segments(struct co *co, const co_part *part, fc_buf *scratch, fc_fail *fail)
{
    const char *uid = part->capture->uid, *id = part->instance->id;
    fc_err err = FC_OK;
    for (size_t i = 0; i < part->dirty_segment_count && err == FC_OK; i++) {
        uint32_t sequence = part->dirty_segments[i];
        const fc_segment *segment = co_part_segment(part, sequence);
        if (segment == NULL) {
            err = co_store_remove_segment(co->store, uid, id, sequence, fail);
            continue;
        }
        fc_buf_clear(scratch);
        co_record_pack_segment(segment, scratch);
        co_segment_row row = {
            .capture_uid = uid, .instance_id = id, .sequence = sequence, .segment = blob_of(scratch)};
        err = co_store_put_segment(co->store, &row, fail);
    }
    return err;
}

static fc_err
write_part(struct co *co, const co_part *part, fc_buf *scratch, fc_fail *fail)
{
    fc_buf_clear(scratch);
    co_record_pack_status(&part->status, scratch);
    co_part_row row = {
        .capture_uid = part->capture->uid,
        .instance_id = part->instance->id,
        .action = (int)part->action,
        .stop_reason = (int)part->stop_reason,
        .state = (int)part->status.state,
        .revision = part->status.revision,
        .forgotten = part->gone ? 2 : part->forgotten,
        .status = blob_of(scratch),
    };
    fc_err err = co_store_put_part(co->store, &row, fail);
    return err == FC_OK ? write_segments(co, part, scratch, fail) : err;
}

static fc_err
write_audit_entry(struct co *co, const co_audit_entry *entry, fc_fail *fail)
{
    co_audit_row row = {entry->at.ns,  entry->principal, entry->action,
                        entry->object, entry->outcome,   entry->detail};
    return co_store_add_audit(co->store, &row, fail);
}

static fc_err
write_all(struct co *co, fc_fail *fail)
{
    fc_buf scratch = {0};
    fc_err err = FC_OK;
    for (co_instance *i = co->persist.instances; i != NULL && err == FC_OK; i = i->next_dirty)
        err = write_instance(co, i, &scratch, fail);
    for (co_capture *c = co->persist.captures; c != NULL && err == FC_OK; c = c->next_dirty)
        err = write_capture(co, c, &scratch, fail);
    for (co_part *p = co->persist.parts; p != NULL && err == FC_OK; p = p->next_dirty)
        err = write_part(co, p, &scratch, fail);
    for (co_audit_entry *e = co->persist.audit; e != NULL && err == FC_OK; e = e->next)
        err = write_audit_entry(co, e, fail);
    fc_buf_fini(&scratch);
    return err;
}

static void
mark_clean(struct co *co)
{
    for (co_instance *i = co->persist.instances; i != NULL; i = i->next_dirty)
        i->dirty = false;
    for (co_capture *c = co->persist.captures; c != NULL; c = c->next_dirty)
        c->dirty = false;
    for (co_part *p = co->persist.parts; p != NULL; p = p->next_dirty) {
        p->dirty = false;
        free(p->dirty_segments);
        p->dirty_segments = NULL;
        p->dirty_segment_count = 0;
    }
    co_audit_entry *entry, *next;
    LL_FOREACH_SAFE (co->persist.audit, entry, next)
        free(entry);
    co->persist.instances = NULL;
    co->persist.captures = NULL;
    co->persist.parts = NULL;
    co->persist.audit = NULL;
}

static void
answer_waits(struct co *co, fc_err err, const fc_fail *fail)
{
    co_flush_wait *wait, *next;
    DL_FOREACH_SAFE (co->persist.waits, wait, next) {
        co_persist_unwait(co, wait);
        wait->done(wait, err, fail);
    }
}

static bool
nothing_waits(const co_persist *persist)
{
    return persist->instances == NULL && persist->captures == NULL && persist->parts == NULL &&
           persist->audit == NULL;
}

fc_err
co_persist_end(struct co *co, fc_err so_far, fc_fail *fail)
{
    fc_err err = so_far;
    if (err == FC_OK)
        err = co_store_commit(co->store, fail);
    else
        co_store_rollback(co->store);
    if (err == FC_OK)
        co->counters.store_commits++;
    else
        co->counters.store_failures++;
    return err;
}

fc_err
co_persist_flush(struct co *co, fc_err (*more)(struct co *co, void *user, fc_fail *fail), void *user,
                 fc_fail *fail)
{
    fc_fail why = {0};
    fc_err err = FC_OK;
    fc_loop_timer_clear(co->loop, &co->persist.timer);
    if (more != NULL || !nothing_waits(&co->persist)) {
        err = co_store_begin(co->store, &why);
        if (err == FC_OK)
            err = write_all(co, &why);
        if (err == FC_OK && more != NULL)
            err = more(co, user, &why);
        err = co_persist_end(co, err, &why);
    }
    if (err == FC_OK)
        mark_clean(co);
    else
        schedule(co, CO_FLUSH_LAZY_MS);
    answer_waits(co, err, &why);
    return err == FC_OK ? FC_OK : fc_fail_copy(fail, &why);
}

fc_err
co_persist_write_audit(struct co *co, const char *principal, const char *action, const char *object,
                       const char *outcome, const char *detail, fc_fail *fail)
{
    co_audit_row row = {co_wall(co).ns, principal, action, object, outcome, detail};
    return co_store_add_audit(co->store, &row, fail);
}

fc_err
co_persist_write_request(struct co *co, const char *principal, const char *request_id, const char *method,
                         const char *object, fc_fail *fail)
{
    co_request_row row = {principal, request_id, method, object, co_wall(co).ns};
    return request_id[0] != '\0' ? co_store_add_request(co->store, &row, fail) : FC_OK;
}

fc_err
co_persist_find_request(struct co *co, const char *principal, const char *request_id, const char *method,
                        char ret_object[CO_REQUEST_OBJECT_SIZE], fc_fail *fail)
{
    char object[CO_REQUEST_OBJECT_SIZE], made_by[64];
    fc_err err = request_id[0] != '\0'
                     ? co_store_find_request(co->store, principal, request_id, object, made_by, fail)
                     : FC_ERR_NOT_FOUND;
    if (err == FC_OK && strcmp(made_by, method) != 0)
        err = fc_fail_set(fail, FC_ERR_EXISTS, "request id '%s' was used for %s", request_id, made_by);
    if (err == FC_OK)
        memcpy(ret_object, object, sizeof object);
    return err;
}

fc_err
co_persist_write_instance(struct co *co, const co_instance *instance, fc_fail *fail)
{
    fc_buf scratch = {0};
    fc_err err = write_instance(co, instance, &scratch, fail);
    fc_buf_fini(&scratch);
    return err;
}

fc_err
co_persist_write_capture(struct co *co, const co_capture *capture, fc_fail *fail)
{
    fc_buf scratch = {0};
    fc_err err = write_capture(co, capture, &scratch, fail);
    for (size_t i = 0; i < capture->part_count && err == FC_OK; i++)
        err = write_part(co, &capture->parts[i], &scratch, fail);
    fc_buf_fini(&scratch);
    return err;
}

static fc_err
drop_capture(struct co *co, void *user, fc_fail *fail)
{
    const co_capture *capture = user;
    return co_store_remove_capture(co->store, capture->uid, fail);
}

fc_err
co_persist_remove_capture(struct co *co, co_capture *capture, fc_fail *fail)
{
    return co_persist_flush(co, drop_capture, capture, fail);
}

static fc_err
drop_instance(struct co *co, void *user, fc_fail *fail)
{
    const co_instance *instance = user;
    return co_store_remove_instance(co->store, instance->id, fail);
}

fc_err
co_persist_remove_instance(struct co *co, co_instance *instance, fc_fail *fail)
{
    return co_persist_flush(co, drop_instance, instance, fail);
}

/* ---- loading ---- */

static fc_err
load_instance(const co_instance_row *row, void *user, fc_fail *fail)
{
    struct co *c = user;
    fc_labels labels = {0};
    co_instance *instance = NULL;
    fc_err err = co_record_unpack_labels(row->labels, &labels, fail);
    co_facts facts = {
        .id = row->id,
        .name = row->name,
        .scale_set = row->scale_set,
        .region = row->region,
        .zone = row->zone,
        .version = row->version,
        .boot_id = row->boot_id,
        .address = row->address,
        .labels = &labels,
    };
    if (err == FC_OK)
        err = co_registry_restore(c, &facts, &instance, fail);
    if (err == FC_OK)
        instance->last_seen.ns = row->last_seen_unix_ns;
    if (err == FC_OK && row->removed)
        co_registry_remove(c, instance);
    fc_labels_fini(&labels);
    return err;
}

static fc_err
load_capture(const co_capture_row *row, size_t part_count, void *user, fc_fail *fail)
{
    struct co *c = user;
    fc_definition definition;
    fc_err err = co_record_unpack_definition(row->definition, &definition, fail);
    if (err != FC_OK)
        return err;
    co_capture *capture = co_capture_new(c, &definition, row->uid, part_count);
    capture->compiled_filter = fc_strdup(row->compiled_filter);
    COPY(capture->created_by, row->created_by);
    capture->created.ns = row->created_unix_ns;
    capture->start.ns = row->start_unix_ns;
    capture->window_end.ns = row->window_end_unix_ns;
    capture->lead_ms = row->lead_ms;
    capture->stop_requested = row->stop_requested;
    capture->deleted = row->deleted;
    co_capture_enter(c, capture);
    return FC_OK;
}

static fc_err
load_part(const co_part_row *row, void *user, fc_fail *fail)
{
    struct co *c = user;
    co_capture *capture = co_capture_find_uid(&c->captures, row->capture_uid);
    co_instance *instance = co_registry_find_any(&c->registry, row->instance_id);
    if (capture == NULL || instance == NULL)
        return fc_fail_set(fail, FC_ERR_CORRUPT,
                           "the database holds an instance capture of nothing: %s on %s", row->capture_uid,
                           row->instance_id);
    fc_status status;
    fc_err err = co_record_unpack_status(row->status, &status, fail);
    if (err != FC_OK)
        return err;
    bool gone = row->forgotten >= 2 || (row->forgotten >= 1 && row->action == CO_ACTION_FORGET);
    co_part *part = co_capture_restore_part(c, capture, instance, &status, gone);
    part->action = (co_action)row->action;
    part->stop_reason = (fc_stop_reason)row->stop_reason;
    part->forgotten = row->forgotten > 0;
    return FC_OK;
}

static fc_err
load_segment(const co_segment_row *row, void *user, fc_fail *fail)
{
    struct co *c = user;
    co_capture *capture = co_capture_find_uid(&c->captures, row->capture_uid);
    co_instance *instance = co_registry_find_any(&c->registry, row->instance_id);
    co_part *part = capture != NULL && instance != NULL ? co_part_of(capture, instance) : NULL;
    if (part == NULL)
        return FC_OK; /* of a part that is gone */
    fc_segment segment;
    fc_err err = co_record_unpack_segment(row->segment, &segment, fail);
    if (err == FC_OK)
        fc_status_put_segment(&part->status, &segment);
    return err;
}

fc_err
co_persist_load(struct co *co, fc_fail *fail)
{
    co_store_visitor visitor = {load_instance, load_capture, load_part, load_segment, co};
    return co_store_load(co->store, &visitor, fail);
}
