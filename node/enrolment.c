#include "node/enrolment.h"

#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"

#include <fleetcap/v1/enrol_service.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

typedef struct asking {
    const nd_enrolment *what; /* borrowed */
    fc_loop *loop;            /* owned, as the next */
    fc_tls *tls;
    fc_mono until;
    unsigned failures; /* in a row */
    char pending[64];  /* the enrolment that waits for an operator; "" = none yet */
    bool told_away;
} asking;

/* ---- one attempt ---- */

static uint32_t
attempt_ms(const asking *a)
{
    int64_t left_ms = fc_mono_until_ms(fc_loop_now(a->loop), a->until);
    if (a->what->wait_ms == 0 || left_ms > ND_ENROLMENT_ATTEMPT_MS)
        return ND_ENROLMENT_ATTEMPT_MS;
    return left_ms > ND_ENROLMENT_LAST_MS ? (uint32_t)left_ms : ND_ENROLMENT_LAST_MS;
}

static fc_err
call(asking *a, fc_rpc_client *client, Fcpb__EnrolResponse **ret_response, fc_fail *fail)
{
    const nd_enrolment *what = a->what;
    Fcpb__EnrolRequest request = FCPB__ENROL_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_buf csr = {0};
    fc_err err = fc_key_csr(what->key, what->id, &csr, fail);
    if (err != FC_OK)
        return err;
    request.token_id = (char *)what->token->id;
    request.token_secret = (ProtobufCBinaryData){sizeof what->token->secret, (uint8_t *)what->token->secret};
    request.instance_id = (char *)what->id;
    request.name = (char *)what->name;
    request.scale_set = (char *)what->scale_set;
    request.region = (char *)what->region;
    request.version = (char *)FC_VERSION;
    request.csr_pem = (ProtobufCBinaryData){fc_buf_size(&csr), csr.data + csr.start};
    err = fc_rpc_unary(client, FC_METHOD_ENROL, &request.base, attempt_ms(a), &reply, fail);
    if (err == FC_OK)
        *ret_response = (Fcpb__EnrolResponse *)reply;
    fc_buf_fini(&csr);
    return err;
}

/* A coordinator that is somebody else, or lets nobody in like this, is not one that is away. */
static fc_err
refused_handshake(const asking *a, fc_fail *fail)
{
    fc_fail why = {0};
    fc_err err = fc_tls_last_failure(a->tls, &why);
    if (err != FC_ERR_DENIED && err != FC_ERR_UNAUTHENTICATED)
        return FC_OK;
    return fc_fail_set(fail, FC_ERR_DENIED, "%.60s: %.180s", a->what->coordinator, why.text);
}

static fc_err
attempt(asking *a, Fcpb__EnrolResponse **ret_response, fc_fail *fail)
{
    fc_rpc_client *client = NULL;
    fc_rpc_options options = {.loop = a->loop,
                              .tls = fc_tls_config(a->tls),
                              .identify = fc_tls_identify,
                              .explain = fc_tls_last_failure,
                              .explain_tls = a->tls};
    fc_rpc_backoff once = {.once = true};
    fc_err err = fc_rpc_client_new(&options, a->what->coordinator, &once, &client, fail);
    if (err != FC_OK)
        return err;
    err = call(a, client, ret_response, fail);
    fc_rpc_client_free(client);
    if (err == FC_ERR_UNAVAILABLE || err == FC_ERR_TIMEOUT) {
        fc_err final = refused_handshake(a, fail);
        if (final != FC_OK)
            err = final;
    }
    return err;
}

/* ---- between attempts ---- */

static void
woken(fc_timer *timer)
{
    (void)timer;
}

/* False when the time is over. */
static bool
pause_for(asking *a, int64_t ms)
{
    fc_timer timer = {.fire = woken};
    fc_mono due = fc_mono_after_ms(fc_loop_now(a->loop), ms);
    if (fc_loop_now(a->loop).ns >= a->until.ns)
        return false;
    if (due.ns > a->until.ns)
        due = a->until; /* a last attempt at the end */
    fc_loop_timer_set(a->loop, &timer, due);
    while (timer.slot != 0)
        fc_loop_step(a->loop, -1);
    return true;
}

static int64_t
jittered(int64_t ms)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = 0;
    return ms / 2 + (int64_t)(number % (uint64_t)(ms / 2 + 1));
}

static bool
wait_for_coordinator(asking *a, const fc_fail *why)
{
    int64_t ms = ND_ENROLMENT_BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < a->failures && ms < ND_ENROLMENT_BACKOFF_MAX_MS; i++)
        ms *= 2;
    a->failures++;
    if (!a->told_away && a->what->wait_ms > 0) {
        char text[320];
        (void)snprintf(text, sizeof text, "%s; trying again", why->text);
        a->what->tell(text);
        a->told_away = true;
    }
    return pause_for(a, jittered(ms < ND_ENROLMENT_BACKOFF_MAX_MS ? ms : ND_ENROLMENT_BACKOFF_MAX_MS));
}

static bool
wait_for_operator(asking *a, const Fcpb__PendingEnrolment *pending)
{
    int64_t ms = pending->retry_after_ms;
    bool news = strncmp(a->pending, pending->enrolment_id, sizeof a->pending - 1) != 0;
    a->failures = 0;
    a->told_away = false;
    (void)snprintf(a->pending, sizeof a->pending, "%s",
                   fc_name_check(pending->enrolment_id) ? pending->enrolment_id : a->what->id);
    if (news && a->what->wait_ms > 0) {
        char digest[65] = "", text[320];
        if (fc_key_digest_text(a->what->key, digest, NULL) != FC_OK)
            digest[0] = '\0';
        (void)snprintf(text, sizeof text,
                       "waiting for an operator: fleetcap enrolment approve %s (key SHA-256 %s)", a->pending,
                       digest);
        a->what->tell(text);
    }
    ms = ms < ND_ENROLMENT_PENDING_MIN_MS   ? ND_ENROLMENT_PENDING_MIN_MS
         : ms > ND_ENROLMENT_PENDING_MAX_MS ? ND_ENROLMENT_PENDING_MAX_MS
                                            : ms;
    return pause_for(a, jittered(ms));
}

/* ---- the answer ---- */

static fc_err
take(const nd_enrolment *what, const Fcpb__IssuedCertificate *issued, nd_enrolled *ret, fc_fail *fail)
{
    const ProtobufCBinaryData *certificate = &issued->certificate_pem, *ca = &issued->ca_pem;
    fc_fail why = {0};
    fc_err err = fc_key_check(what->key, what->id, (const char *)certificate->data, certificate->len,
                              (const char *)ca->data, ca->len, &ret->certificate, &why);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "the coordinator's answer is no certificate for us: %.120s", why.text);
    const fc_principal *who = &ret->certificate.principal;
    if (!fc_name_check(issued->scale_set) || !fc_name_check(issued->region) ||
        strcmp(issued->fleet_id, who->fleet) != 0 || strcmp(issued->scale_set, who->scale_set) != 0 ||
        strcmp(issued->region, who->region) != 0)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "the coordinator's answer is not what its certificate says");
    (void)snprintf(ret->scale_set, sizeof ret->scale_set, "%s", issued->scale_set);
    (void)snprintf(ret->region, sizeof ret->region, "%s", issued->region);
    fc_buf_append(&ret->certificate_pem, certificate->data, certificate->len);
    fc_buf_append(&ret->ca_pem, ca->data, ca->len);
    return FC_OK;
}

static fc_err
still_pending(const asking *a, fc_fail *fail)
{
    return fc_fail_set(
        fail, FC_ERR_TIMEOUT,
        "not approved yet: fleetcap enrolment approve %s, then run this again (the token is used once)",
        a->pending);
}

static bool
passing(fc_err err)
{
    return err == FC_ERR_UNAVAILABLE || err == FC_ERR_TIMEOUT || err == FC_ERR_AGAIN;
}

static fc_err
ask(asking *a, nd_enrolled *ret, fc_fail *fail)
{
    for (;;) {
        Fcpb__EnrolResponse *response = NULL;
        fc_fail why = {0};
        bool again;
        fc_err err = attempt(a, &response, &why);
        if (err != FC_OK) {
            again = passing(err) && wait_for_coordinator(a, &why);
            if (!again)
                return fc_fail_copy(fail, &why);
            continue;
        }
        if (response->result_case == FCPB__ENROL_RESPONSE__RESULT_ISSUED) {
            err = take(a->what, response->issued, ret, fail);
            again = false;
        } else if (response->result_case == FCPB__ENROL_RESPONSE__RESULT_PENDING) {
            again = wait_for_operator(a, response->pending);
            err = again ? FC_OK : still_pending(a, fail);
        } else {
            err = fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator's answer is empty");
            again = false;
        }
        protobuf_c_message_free_unpacked(&response->base, NULL);
        if (!again)
            return err;
    }
}

fc_err
nd_enrolment_run(const nd_enrolment *enrolment, nd_enrolled *ret, fc_fail *fail)
{
    asking a = {.what = enrolment};
    if (fc_loop_new(&fc_clock_system, &a.loop) != FC_OK)
        return fc_fail_set(fail, FC_ERR_IO, "cannot make the loop");
    a.until = fc_mono_after_ms(fc_loop_now(a.loop), (int64_t)enrolment->wait_ms);
    fc_err err = fc_tls_new_enrolment(enrolment->token->pin, &a.tls, fail);
    if (err == FC_OK)
        err = ask(&a, ret, fail);
    fc_tls_free(a.tls);
    fc_loop_free(a.loop);
    return err;
}

void
nd_enrolled_fini(nd_enrolled *enrolled)
{
    fc_buf_fini(&enrolled->certificate_pem);
    fc_buf_fini(&enrolled->ca_pem);
}
