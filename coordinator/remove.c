/* An instance leaves the fleet, and does not come back by itself.
 *
 * What must hold (certificates revoked, the id noted, the waiting enrolments denied, the audit record) is one
 * transaction. What follows is done from memory, and again after a restart: captures end, the revocation list
 * is written, the connection closes.
 */
#include "common/base/log.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

static const char method[] = "RemoveInstance";

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

typedef struct removing {
    const co_removal *request;
    co_instance *instance; /* NULL: enrolled and never connected */
    co_removed *result;
} removing;

static fc_err
write_removed(struct co *co, void *user, fc_fail *fail)
{
    const removing *r = user;
    const char *id = r->result->id, *who = r->request->principal;
    int64_t now = co_wall(co).ns;
    char detail[128], object[CO_REQUEST_OBJECT_SIZE];
    (void)snprintf(object, sizeof object, "%s/%s", id, r->request->instance);
    fc_err err = co_store_revoke_certificates(co->store, id, now, &r->result->certificates_revoked, fail);
    if (err == FC_OK)
        err = co_store_end_enrolments(co->store, id, who, now, fail);
    if (err == FC_OK)
        err = co_store_add_removed(co->store, id, who, now, fail);
    if (err == FC_OK && r->instance != NULL)
        err = co_persist_write_instance(co, r->instance, fail);
    (void)snprintf(detail, sizeof detail, "%" PRIu32 " certificates revoked, %" PRIu32 " captures ended%s",
                   r->result->certificates_revoked, r->result->captures_ended,
                   r->result->was_connected ? ", its connection closed" : "");
    if (err == FC_OK)
        err = co_persist_write_request(co, who, r->request->request_id, method, object, fail);
    if (err == FC_OK)
        err = co_persist_write_audit(co, who, "instance-remove", id, "ok", detail, fail);
    return err;
}

/* Those that are not over fail when they had begun; all of them leave the instance. */
static void
end_captures(struct co *co, co_instance *instance, const char *why)
{
    co_part *part, *next;
    DL_FOREACH_SAFE (instance->parts, part, next) {
        bool began = part->status.start.ns != 0 || part->status.state >= FC_STATE_RUNNING;
        co_part_settle(co, part, began ? FC_STATE_FAILED : FC_STATE_STOPPED, FC_STOP_INSTANCE_REMOVED, why);
        co_part_gone(co, part);
    }
}

static void
forget(struct co *co, co_instance *instance, const char *why)
{
    void *link = instance->link;
    end_captures(co, instance, why);
    if (link != NULL) {
        /* A last word, as far as it gets there: nothing is wanted any more. Else the lease ends what runs. */
        instance->generation++;
        co->link_ops->push(link, instance);
        co_registry_leave(co, instance, link);
    }
    co_registry_remove(co, instance);
    co_enrolment_renew_crl(co);
    /* Also one whose certificate the list does not know. */
    if (link != NULL)
        co->link_ops->close(link, why);
}

/* Something is known of an id that never connected: a certificate, or an enrolment that waits. */
static fc_err
find_enrolled(struct co *co, const char *id, fc_fail *fail)
{
    static const uint8_t no_key[CO_KEY_SIZE] = {0};
    co_certificates there = {0};
    co_enrolment_row row;
    fc_err err = co_store_look_certificates(co->store, id, no_key, co_wall(co).ns, &there, fail);
    if (err == FC_OK && there.valid == 0 && !there.known)
        err = co_store_next_enrolment(co->store, 0, false, id, &row, fail);
    return err == FC_ERR_NOT_FOUND ? fc_fail_set(fail, err, "there is no instance '%.80s'", id) : err;
}

static fc_err
find(struct co *co, const co_removal *request, removing *r, fc_fail *fail)
{
    fc_err err = co_enrolment_check_on(co, fail);
    if (err != FC_OK)
        return err;
    if (!fc_name_check(request->instance))
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "instance", "there is no instance '%.80s'",
                             request->instance);
    /* An id before a name, even that of one that never connected. */
    bool is_id = co_registry_find(&co->registry, request->instance) != NULL;
    err = is_id ? FC_ERR_NOT_FOUND : find_enrolled(co, request->instance, fail);
    if (err == FC_ERR_NOT_FOUND)
        err = co_registry_find_named(&co->registry, request->instance, &r->instance, fail);
    if (err != FC_OK)
        return err;
    COPY(r->result->id, r->instance != NULL ? r->instance->id : request->instance);
    if (r->instance == NULL)
        return FC_OK;
    r->result->was_connected = r->instance->link != NULL;
    r->result->captures_ended = r->instance->unfinished;
    if (r->instance->unfinished > 0 && !request->force)
        return fc_fail_set(fail, FC_ERR_STATE,
                           "instance '%s' has captures that are not over (%" PRIu32
                           "): stop them, or end them with --force",
                           r->instance->name, r->instance->unfinished);
    return FC_OK;
}

/* Did an earlier request with this id do it? Then it is not done again, whoever has that id or name by now.
 */
static fc_err
find_earlier(struct co *co, const co_removal *request, co_removed *result, fc_fail *fail)
{
    char object[CO_REQUEST_OBJECT_SIZE];
    fc_err err = co_persist_find_request(co, request->principal, request->request_id, method, object, fail);
    if (err != FC_OK)
        return err;
    char *stroke = strchr(object, '/');
    if (stroke == NULL || strcmp(stroke + 1, request->instance) != 0)
        return fc_fail_set(fail, FC_ERR_EXISTS, "request id '%s' was used to remove instance '%s'",
                           request->request_id, stroke != NULL ? stroke + 1 : object);
    *stroke = '\0';
    (void)snprintf(result->id, sizeof result->id, "%.*s", FC_NAME_MAX, object);
    result->done_before = true;
    return FC_OK;
}

static fc_err
carry_out(struct co *co, removing *r, fc_fail *fail)
{
    char why[160];
    if (r->instance != NULL)
        r->instance->removed = true;
    fc_err err = co_persist_flush(co, write_removed, r, fail);
    if (err != FC_OK) {
        if (r->instance != NULL)
            r->instance->removed = false;
        return err;
    }
    co->counters.instances_removed++;
    fc_log(FC_LOG_NOTICE, "instance %s removed by %s: %" PRIu32 " certificates revoked", r->result->id,
           r->request->principal, r->result->certificates_revoked);
    (void)snprintf(why, sizeof why, "the instance was removed from the fleet by %s", r->request->principal);
    if (r->instance != NULL)
        forget(co, r->instance, why);
    else
        co_enrolment_renew_crl(co);
    /* Done is done; the counts are taken again within the hour. */
    fc_fail uncounted = {0};
    if (co_store_count_enrolment(co->store, &co->enrolment.counts, &uncounted) != FC_OK)
        fc_log(FC_LOG_ERROR, "enrolments are not counted: %s", uncounted.text);
    return FC_OK;
}

fc_err
co_instance_remove(struct co *co, const co_removal *request, co_removed *ret, fc_fail *fail)
{
    fc_fail why = {0};
    co_removed result = {0};
    removing r = {.request = request, .result = &result};
    fc_err err = find_earlier(co, request, &result, &why);
    if (err == FC_ERR_NOT_FOUND) {
        err = co_enrolment_flush_seen(co, &why);
        if (err == FC_OK)
            err = find(co, request, &r, &why);
        if (err == FC_OK)
            err = carry_out(co, &r, &why);
    }
    if (err != FC_OK) {
        co->counters.removals_refused++;
        co_persist_refusal(co, request->principal, "instance-remove",
                           fc_name_check(request->instance) ? request->instance : "-", err, why.text);
        return fc_fail_copy(fail, &why);
    }
    *ret = result;
    return FC_OK;
}

void
co_instance_remove_resume(struct co *co)
{
    for (co_instance *i = co->registry.removed; i != NULL; i = i->hh.next)
        end_captures(co, i, "the instance was removed from the fleet");
}
