#include "node/renewal.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/tls/key.h"
#include "node/identity.h"
#include "node/renewal_plan.h"

#include <fleetcap/v1/enrol_service.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct nd_renewal {
    fc_loop *loop; /* borrowed, as the next */
    nd_link *link;
    char *state_dir, *node_pem; /* owned */
    void (*renewed)(void *user);
    void *user; /* borrowed */

    fc_timer timer;
    fc_key_certificate own;
    nd_renewal_plan plan;
    bool ended;   /* and we have said so */
    bool missed;  /* it became due without a connection */
    bool put_off; /* for that, in this plan already, or it is not to be: else who loses connections never asks
                   */
    bool told_old; /* that this coordinator renews nothing */
    uint64_t renewed_count, failed_count, spread_count;

    fc_key *key;         /* owned: of the request under way */
    fc_rpc_call *call;   /* weak: cleared by its on_closed */
    bool answered, good; /* the call brought a message; and it is on the disk */
};

static fc_wall
now(const nd_renewal *r)
{
    return fc_clock_wall(fc_loop_clock(r->loop));
}

static uint64_t
random_number(const nd_renewal *r)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)fc_loop_now(r->loop).ns;
    return number;
}

static void
tell(const nd_renewal *r)
{
    char until[FC_TIME_TEXT_SIZE], text[160];
    (void)fc_wall_text(r->own.principal.not_after, until);
    (void)snprintf(text, sizeof text,
                   "%s; certificate %s until %s, renewed %" PRIu64 " times, failed %" PRIu64 " times",
                   nd_link_ready(r->link) ? "connected" : "not connected",
                   r->ended ? "ended: it was good" : "good", until, r->renewed_count, r->failed_count);
    fc_notify_status(text);
}

static bool
can_ask(const nd_link *link)
{
    return nd_link_ready(link) && nd_link_can(link, FC_FEATURE_RENEWAL);
}

static void
wait_on(nd_renewal *r)
{
    bool due = r->call == NULL && nd_renewal_plan_state(&r->plan, now(r)) == ND_RENEWAL_DUE;
    int64_t max_ms = !due               ? ND_RENEWAL_LOOK_MS
                     : can_ask(r->link) ? 1 /* at once */
                                        : ND_RENEWAL_READY_MS;
    fc_loop_timer_after_ms(r->loop, &r->timer, nd_renewal_plan_wait_ms(&r->plan, now(r), max_ms));
}

/* ---- the end of an attempt ---- */

static void
failed(nd_renewal *r, const char *why)
{
    char until[FC_TIME_TEXT_SIZE];
    r->failed_count++;
    nd_renewal_plan_failed(&r->plan, now(r), random_number(r));
    if (nd_renewal_plan_state(&r->plan, now(r)) == ND_RENEWAL_ENDED)
        fc_log(FC_LOG_WARNING, "the certificate was not renewed: %s", why);
    else
        fc_log(FC_LOG_WARNING,
               "the certificate was not renewed: %s; trying again in %" PRId64 " ms, it is good until %s",
               why, (int64_t)((r->plan.due.ns - now(r).ns) / FC_NS_PER_MS), fc_wall_text(r->plan.end, until));
}

static void
set_ended(nd_renewal *r, bool ended)
{
    char at[FC_TIME_TEXT_SIZE];
    if (r->ended == ended)
        return;
    r->ended = ended;
    nd_link_rest(r->link, ended);
    if (ended)
        fc_log(FC_LOG_ERROR, "the certificate ended at %s: enrol again: fleetcap-node enroll",
               fc_wall_text(r->plan.end, at));
}

static void
plan_anew(nd_renewal *r)
{
    set_ended(r, false);
    r->missed = r->put_off = r->told_old = false;
    r->plan = nd_renewal_plan_make(r->own.not_before, r->own.principal.not_after, now(r), random_number(r));
}

static fc_err
check(nd_renewal *r, const Fcpb__IssuedCertificate *issued, fc_key_certificate *ret_certificate,
      fc_fail *fail)
{
    fc_err err = fc_key_check(r->key, r->own.principal.name, (const char *)issued->certificate_pem.data,
                              issued->certificate_pem.len, (const char *)issued->ca_pem.data,
                              issued->ca_pem.len, ret_certificate, fail);
    if (err == FC_OK && strcmp(ret_certificate->principal.fleet, r->own.principal.fleet) != 0)
        err = fc_fail_set(fail, FC_ERR_DENIED, "the new certificate is of fleet %s, not %s",
                          ret_certificate->principal.fleet, r->own.principal.fleet);
    return err;
}

/* Enrolled anew since we read it, perhaps as somebody else, it is not ours to replace: its key is nowhere
 * else. */
static fc_err
check_unchanged(const nd_renewal *r, fc_fail *fail)
{
    fc_key_certificate found;
    if (fc_key_file_read(r->node_pem, &found, NULL) != FC_OK ||
        strcmp(found.principal.serial, r->own.principal.serial) == 0)
        return FC_OK;
    return fc_fail_set(fail, FC_ERR_STATE, "this machine was enrolled anew meanwhile");
}

static fc_err
put(nd_renewal *r, const Fcpb__IssuedCertificate *issued, fc_fail *fail)
{
    fc_buf key_pem = {0};
    int dir_fd = -1;
    fc_err err = nd_identity_open(r->state_dir, &dir_fd, fail);
    if (err == FC_OK)
        err = nd_identity_lock(dir_fd, fail);
    if (err == FC_OK)
        err = check_unchanged(r, fail);
    if (err == FC_OK)
        err = fc_key_pem(r->key, &key_pem, fail);
    if (err == FC_OK)
        err = nd_identity_put_ca(dir_fd, issued->ca_pem.data, issued->ca_pem.len, fail);
    if (err == FC_OK)
        err = nd_identity_put_node(dir_fd, issued->certificate_pem.data, issued->certificate_pem.len,
                                   &key_pem, fail);
    fc_key_wipe(&key_pem);
    if (dir_fd >= 0)
        close(dir_fd);
    return err;
}

static void
on_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    nd_renewal *r = fc_rpc_call_user(call);
    const Fcpb__EnrolResponse *response = (const Fcpb__EnrolResponse *)message;
    fc_key_certificate fresh;
    fc_fail fail = {0};
    r->answered = true;
    if (response->result_case != FCPB__ENROL_RESPONSE__RESULT_ISSUED) {
        failed(r, "the coordinator answers without a certificate");
        return;
    }
    if (check(r, response->issued, &fresh, &fail) != FC_OK || put(r, response->issued, &fail) != FC_OK) {
        failed(r, fail.text);
        return;
    }
    r->good = true;
    r->own = fresh;
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    nd_renewal *r = fc_rpc_call_user(call);
    char until[FC_TIME_TEXT_SIZE];
    r->call = NULL;
    fc_key_free(r->key);
    r->key = NULL;
    if (r->good) {
        r->renewed_count++;
        plan_anew(r);
        fc_log(FC_LOG_NOTICE, "certificate renewed: good until %s", fc_wall_text(r->plan.end, until));
        r->renewed(r->user);
    } else if (!r->answered) {
        failed(r, status->code != FC_CODE_OK ? status->message : "the coordinator answers nothing");
    }
    tell(r);
    wait_on(r);
}

static const fc_rpc_call_ops call_ops = {.on_message = on_message, .on_closed = on_closed};

/* ---- an attempt ---- */

static void
ask(nd_renewal *r)
{
    Fcpb__RenewRequest request = FCPB__RENEW_REQUEST__INIT;
    fc_buf csr = {0};
    fc_fail fail = {0};
    r->answered = r->good = false;
    fc_err err = fc_key_new(&r->key, &fail);
    if (err == FC_OK)
        err = fc_key_csr(r->key, r->own.principal.name, &csr, &fail);
    if (err == FC_OK) {
        fc_log(FC_LOG_INFO, "renewing the certificate");
        request.csr_pem = (ProtobufCBinaryData){fc_buf_size(&csr), csr.data + csr.start};
        r->call = nd_link_call(r->link, FC_METHOD_RENEW, &request.base, ND_RENEWAL_CALL_MS, &call_ops, r);
    }
    if (r->call == NULL) {
        fc_key_free(r->key);
        r->key = NULL;
        failed(r, fail.text);
    }
    fc_buf_fini(&csr);
}

static void
tell_old(nd_renewal *r)
{
    char until[FC_TIME_TEXT_SIZE];
    if (!r->told_old)
        fc_log(FC_LOG_WARNING,
               "this coordinator is too old to renew certificates: ours is good until %s; upgrade the "
               "coordinator",
               fc_wall_text(r->plan.end, until));
    r->told_old = true;
}

/* It is due. What cannot be done now is looked at again soon. */
static void
attempt(nd_renewal *r)
{
    if (!nd_link_ready(r->link)) {
        r->missed = true;
    } else if (!can_ask(r->link)) {
        tell_old(r);
    } else if (r->missed && !r->put_off) {
        r->put_off = true;
        r->spread_count++;
        nd_renewal_plan_spread(&r->plan, now(r), random_number(r));
    } else {
        ask(r);
    }
}

static void
fire(fc_timer *timer)
{
    nd_renewal *r = FC_CONTAINER(timer, nd_renewal, timer);
    nd_renewal_state state = nd_renewal_plan_state(&r->plan, now(r));
    set_ended(r, state == ND_RENEWAL_ENDED); /* or no longer: clocks are set */
    if (state == ND_RENEWAL_DUE && r->call == NULL)
        attempt(r);
    tell(r);
    wait_on(r);
}

/* ---- life ---- */

fc_err
nd_renewal_new(const nd_renewal_options *options, nd_renewal **ret_renewal, fc_fail *fail)
{
    char until[FC_TIME_TEXT_SIZE], due[FC_TIME_TEXT_SIZE];
    nd_renewal *r = FC_NEW(nd_renewal);
    r->loop = options->loop;
    r->link = options->link;
    r->state_dir = fc_strdup(options->state_dir);
    r->node_pem = nd_identity_path(options->state_dir, ND_IDENTITY_NODE);
    r->renewed = options->renewed;
    r->user = options->user;
    r->timer.fire = fire;
    fc_err err = fc_key_file_read(r->node_pem, &r->own, fail);
    if (err != FC_OK) {
        nd_renewal_free(r);
        return err;
    }
    plan_anew(r);
    if (nd_renewal_plan_state(&r->plan, now(r)) == ND_RENEWAL_ENDED)
        set_ended(r, true);
    else
        fc_log(FC_LOG_NOTICE, "certificate good until %s, to be renewed at %s",
               fc_wall_text(r->plan.end, until), fc_wall_text(r->plan.due, due));
    wait_on(r);
    *ret_renewal = r;
    return FC_OK;
}

void
nd_renewal_free(nd_renewal *renewal)
{
    if (renewal == NULL)
        return;
    fc_loop_timer_clear(renewal->loop, &renewal->timer);
    fc_key_free(renewal->key);
    free(renewal->state_dir);
    free(renewal->node_pem);
    free(renewal);
}

void
nd_renewal_hasten(nd_renewal *renewal)
{
    if (renewal == NULL || nd_renewal_plan_state(&renewal->plan, now(renewal)) != ND_RENEWAL_WAITS)
        return;
    renewal->plan.due = now(renewal);
    renewal->put_off = true; /* somebody waits for it */
    wait_on(renewal);
}

void
nd_renewal_look(nd_renewal *renewal)
{
    fc_key_certificate found;
    fc_fail fail = {0};
    if (renewal == NULL || fc_key_file_read(renewal->node_pem, &found, &fail) != FC_OK ||
        strcmp(found.principal.serial, renewal->own.principal.serial) == 0)
        return;
    renewal->own = found;
    plan_anew(renewal);
    tell(renewal);
    wait_on(renewal);
}

nd_renewal_status
nd_renewal_get_status(const nd_renewal *renewal)
{
    return (nd_renewal_status){.end = renewal->plan.end,
                               .due = renewal->plan.due,
                               .renewed = renewal->renewed_count,
                               .failed = renewal->failed_count,
                               .spread = renewal->spread_count};
}
