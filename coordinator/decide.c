/* An operator approves or denies an enrolment. */
#include "common/base/log.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <stdio.h>
#include <string.h>

typedef struct deciding {
    const char *principal, *action;
    const co_enrolment_row *row;
} deciding;

static fc_err
write_decided(struct co *co, void *user, fc_fail *fail)
{
    const deciding *d = user;
    char key[FC_HEX_SIZE(CO_KEY_SIZE)], detail[192];
    fc_hex_text(d->row->key_sha256, sizeof d->row->key_sha256, key);
    (void)snprintf(detail, sizeof detail, "enrolment %s, token %s, key %s", d->row->id, d->row->token, key);
    fc_err err = co_store_put_enrolment(co->store, d->row, (co_blob){0}, fail);
    return err == FC_OK
               ? co_persist_write_audit(co, d->principal, d->action, d->row->instance, "ok", detail, fail)
               : err;
}

static fc_err
find_waiting(struct co *co, const char *instance, co_enrolment_row *ret_row, fc_fail *fail)
{
    co_enrolment_row row, other;
    fc_err err = co_store_next_enrolment(co->store, 0, false, instance, &row, fail);
    if (err == FC_ERR_NOT_FOUND)
        return fc_fail_field(fail, err, "id",
                             "no enrolment '%.80s', and none waits of an instance with that id (fleetcap "
                             "enrolment list --all has those that are over)",
                             instance);
    if (err != FC_OK)
        return err;
    err = co_store_next_enrolment(co->store, row.seq, false, instance, &other, fail);
    if (err == FC_OK)
        return fc_fail_field(
            fail, FC_ERR_INVALID, "id",
            "several enrolments of '%s' wait, of different keys (%s, %s): compare the keys and give the "
            "enrolment's id",
            instance, row.id, other.id);
    if (err != FC_ERR_NOT_FOUND)
        return err;
    *ret_row = row;
    return FC_OK;
}

static fc_err
find(struct co *co, const char *id, co_enrolment_row *ret_row, fc_fail *fail)
{
    fc_err err = co_enrolment_check_on(co, fail);
    if (err != FC_OK)
        return err;
    if (!fc_name_check(id)) /* ids of enrolments are names too */
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "id", "there is no enrolment '%.80s'", id);
    err = fc_uid_check(id) ? co_store_get_enrolment(co->store, id, ret_row, fail) : FC_ERR_NOT_FOUND;
    return err == FC_ERR_NOT_FOUND ? find_waiting(co, id, ret_row, fail) : err;
}

static fc_err
record(struct co *co, const char *principal, bool approve, co_enrolment_state to, co_enrolment_row *row,
       fc_fail *fail)
{
    deciding d = {principal, approve ? "enrol-approved" : "enrol-denied", row};
    bool waited = row->state < CO_ENROLMENT_ISSUED;
    row->state = (int)to;
    row->decided_unix_ns = co_wall(co).ns;
    (void)snprintf(row->decided_by, sizeof row->decided_by, "%s", principal);
    fc_err err = co_persist_flush(co, write_decided, &d, fail);
    if (err != FC_OK)
        return err;
    if (waited && to >= CO_ENROLMENT_ISSUED && co->enrolment.counts.waiting > 0)
        co->enrolment.counts.waiting--;
    if (approve)
        co->counters.enrolments_approved++;
    else
        co->counters.enrolments_denied++;
    fc_log(FC_LOG_NOTICE, "enrolment %s of instance %s %s by %s", row->id, row->instance,
           approve ? "approved" : "denied", principal);
    return FC_OK;
}

fc_err
co_enrolment_decide(struct co *co, const char *principal, const char *id, bool approve, co_enrolment_row *ret,
                    fc_fail *fail)
{
    fc_fail why = {0};
    co_enrolment_row row;
    fc_err err = find(co, id, &row, &why);
    if (err == FC_OK) {
        co_enrolment_step step = co_enrolment_next((co_enrolment_state)row.state,
                                                   approve ? CO_ENROLMENT_APPROVE : CO_ENROLMENT_DENY);
        if (step.effect == CO_ENROLMENT_RECORD)
            err = record(co, principal, approve, step.to, &row, &why);
        else if (step.effect == CO_ENROLMENT_REFUSE)
            err = fc_fail_set(
                &why, FC_ERR_STATE,
                row.state == CO_ENROLMENT_ISSUED
                    ? "enrolment %s of '%s' is done: to undo it, remove the instance"
                    : "enrolment %s of '%s' has been denied: the machine has to ask again with a new key",
                row.id, row.instance);
    }
    if (err != FC_OK) {
        co_persist_refusal(co, principal, approve ? "enrol-approved" : "enrol-denied",
                           fc_name_check(id) ? id : "-", err, why.text);
        return fc_fail_copy(fail, &why);
    }
    *ret = row;
    return FC_OK;
}
