/* A machine asks, an operator decides, a node renews. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/tls/csr.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

/* One request on its way through the checks. */
typedef struct asking {
    const co_enrol *request; /* borrowed */
    co_token_row token;
    uint8_t key_sha256[CO_KEY_SIZE];
    bool has_row;         /* row is an earlier asking's */
    co_enrolment_row row; /* what is there, then what is to be */
    co_issued issued;     /* to be stored with it */
    const char *action;   /* for the audit log */
    char detail[256];     /* likewise */
} asking;

/* ---- signing ---- */

fc_err
co_enrolment_sign(struct co *co, const char *instance, const char *scale_set, const char *region,
                  const char *csr_pem, size_t csr_size, const uint8_t key_sha256[CO_KEY_SIZE], co_issued *ret,
                  fc_fail *fail)
{
    int64_t now_s = co_wall(co).ns / FC_NS_PER_S, life_s = (int64_t)co->config->certificate_life_ms / 1000;
    int64_t backdate_s = life_s / 20 < CO_ENROL_BACKDATE_MAX_S ? life_s / 20 : CO_ENROL_BACKDATE_MAX_S;
    fc_issue issue = {
        .fleet = co->fleet,
        .name = instance,
        .scale_set = scale_set,
        .region = region,
        .not_before_unix_s = now_s - backdate_s,
        .not_after_unix_s = now_s + life_s,
    };
    co_issued issued = {0};
    if (co->enrolment.counts.certificates >= CO_CERTIFICATES_MAX) {
        co->counters.enrol_refused_full++;
        return fc_fail_set(fail, FC_ERR_LIMIT, "%d certificates are known, no more may be",
                           CO_CERTIFICATES_MAX);
    }
    fc_err err =
        fc_issuer_sign(co->enrolment.issuer, &issue, csr_pem, csr_size, &issued.pem, &issued.principal, fail);
    if (err != FC_OK) {
        fc_buf_fini(&issued.pem);
        return err;
    }
    COPY(issued.row.serial, issued.principal.serial);
    COPY(issued.row.instance, instance);
    COPY(issued.row.scale_set, scale_set);
    COPY(issued.row.region, region);
    memcpy(issued.row.key_sha256, key_sha256, sizeof issued.row.key_sha256);
    issued.row.issued_unix_ns = co_wall(co).ns;
    issued.row.not_after_unix_ns = issued.principal.not_after.ns;
    *ret = issued;
    return FC_OK;
}

/* ---- the checks, in their order ---- */

static fc_err
check_form(struct co *co, const co_enrol *request, fc_fail *fail)
{
    const char *wrong = NULL, *text = "";
    if (!fc_name_check(request->instance_id))
        wrong = "instance id", text = request->instance_id;
    else if (request->name[0] != '\0' && !fc_name_check(request->name))
        wrong = "instance name", text = request->name;
    else if (request->scale_set[0] != '\0' && !fc_name_check(request->scale_set))
        wrong = "scale set", text = request->scale_set;
    else if (request->region[0] != '\0' && !fc_name_check(request->region))
        wrong = "region", text = request->region;
    fc_err err = wrong != NULL
                     ? fc_fail_field(fail, FC_ERR_INVALID, wrong, "%s '%.80s' is not a name", wrong, text)
                     : FC_OK;
    if (err == FC_OK && request->csr_size > FC_CSR_PEM_MAX)
        err = fc_fail_field(fail, FC_ERR_INVALID, "csr_pem", "a signing request of %zu bytes is too long",
                            request->csr_size);
    if (err != FC_OK)
        co->counters.enrol_refused_form++;
    return err;
}

/* Who guesses learns nothing: an unknown id takes the same way as a wrong secret. */
static fc_err
check_token(struct co *co, asking *a, fc_fail *fail)
{
    const co_enrol *request = a->request;
    uint8_t digest[32];
    fc_token said = {0};
    bool shaped =
        request->secret_size == sizeof said.secret && strlen(request->token_id) == FC_TOKEN_ID_LENGTH;
    fc_err err =
        shaped ? co_store_get_token(co->store, request->token_id, &a->token, fail) : FC_ERR_NOT_FOUND;
    if (err != FC_OK && err != FC_ERR_NOT_FOUND)
        return err;
    if (request->secret_size == sizeof said.secret)
        memcpy(said.secret, request->secret, sizeof said.secret);
    fc_token_digest(&said, digest);
    fc_token_wipe(&said);
    if (fc_token_digest_compare(digest, a->token.secret_sha256) != 0 || err != FC_OK) {
        co->counters.enrol_refused_token++;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "this token is not known here; make another (fleetcap token create)");
    }
    if (a->token.revoked) {
        co->counters.enrol_refused_revoked++;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "token %s has been revoked; make another (fleetcap token create)", a->token.id);
    }
    return FC_OK;
}

/* What an earlier asking left counts while it is of use: an ended certificate is like none. */
static fc_err
find_earlier(struct co *co, asking *a, fc_fail *fail)
{
    fc_err err = co_store_find_enrolment(co->store, a->token.id, a->request->instance_id, a->key_sha256,
                                         &a->row, fail);
    a->has_row =
        err == FC_OK && (a->row.state != CO_ENROLMENT_ISSUED || a->row.expires_unix_ns > co_wall(co).ns);
    if (!a->has_row)
        a->row = (co_enrolment_row){0};
    return err == FC_ERR_NOT_FOUND ? FC_OK : err;
}

static fc_err
check_place(struct co *co, const asking *a, fc_fail *fail)
{
    const co_enrol *request = a->request;
    const char *what = NULL, *theirs = "", *ours = "";
    if (request->scale_set[0] != '\0' && strcmp(request->scale_set, a->token.scale_set) != 0)
        what = "scale set", theirs = request->scale_set, ours = a->token.scale_set;
    else if (request->region[0] != '\0' && strcmp(request->region, a->token.region) != 0)
        what = "region", theirs = request->region, ours = a->token.region;
    if (what == NULL)
        return FC_OK;
    co->counters.enrol_refused_place++;
    return fc_fail_field(fail, FC_ERR_DENIED, what, "token %s is for %s '%s', not for '%s'", a->token.id,
                         what, ours, theirs);
}

/* The token lets nobody in after its end; whoever asked before goes on with what was begun. */
static fc_err
check_earlier(struct co *co, asking *a, fc_fail *fail)
{
    fc_fail csr = {0};
    char when[FC_TIME_TEXT_SIZE];
    fc_err looked = fc_issuer_look(a->request->csr_pem, a->request->csr_size, a->request->instance_id,
                                   a->key_sha256, &csr);
    fc_err err = looked == FC_OK ? find_earlier(co, a, fail) : FC_OK;
    if (err == FC_OK && !a->has_row && a->token.expires_unix_ns <= co_wall(co).ns) {
        co->counters.enrol_refused_expired++;
        err = fc_fail_set(fail, FC_ERR_DENIED, "token %s expired at %s; make another (fleetcap token create)",
                          a->token.id, fc_wall_text((fc_wall){a->token.expires_unix_ns}, when));
    }
    if (err == FC_OK)
        err = check_place(co, a, fail);
    if (err == FC_OK && looked != FC_OK) {
        co->counters.enrol_refused_csr++;
        err = fc_fail_copy(fail, &csr);
    }
    return err;
}

static fc_err
check_room(struct co *co, const asking *a, fc_fail *fail)
{
    const co_enrolment_counts *counts = &co->enrolment.counts;
    if (a->token.used >= a->token.uses) {
        co->counters.enrol_refused_used++;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "token %s has been used up: %" PRIu32 " of %" PRIu32
                           " times; make another (fleetcap token create)",
                           a->token.id, a->token.used, a->token.uses);
    }
    if (counts->enrolments < CO_ENROLMENTS_MAX &&
        (!a->token.approval || counts->waiting < CO_ENROLMENTS_WAITING_MAX))
        return FC_OK;
    co->counters.enrol_refused_full++;
    return fc_fail_set(fail, FC_ERR_LIMIT,
                       "%" PRIu64 " enrolments are kept (%" PRIu64 " wait for approval), no more may be",
                       counts->enrolments, counts->waiting);
}

static bool
elsewhere(const char *scale_set, const char *region, const co_token_row *token)
{
    return (scale_set[0] != '\0' && strcmp(scale_set, token->scale_set) != 0) ||
           (region[0] != '\0' && strcmp(region, token->region) != 0);
}

static fc_err
taken(struct co *co, const char *id, const char *scale_set, const char *region, fc_fail *fail)
{
    co->counters.enrol_refused_taken++;
    return fc_fail_set(fail, FC_ERR_EXISTS,
                       "instance '%s' belongs to scale set '%s' in region '%s': remove it first (fleetcap "
                       "instance remove %s)",
                       id, scale_set, region, id);
}

/* A living instance cannot be taken over, and one that has ended only from its own scale set and region. */
static fc_err
check_id(struct co *co, const asking *a, fc_fail *fail)
{
    co_certificates there;
    const char *id = a->request->instance_id;
    const co_instance *instance = co_registry_find(&co->registry, id);
    fc_err err = co_enrolment_flush_seen(co, fail);
    if (err == FC_OK)
        err = co_store_look_certificates(co->store, id, a->key_sha256, co_wall(co).ns, &there, fail);
    if (err != FC_OK)
        return err;
    if (there.key_revoked) {
        co->counters.enrol_refused_taken++;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "the certificate of this very key was revoked: enrol with a new key");
    }
    if (there.other_not_after_ns != 0) {
        char when[FC_TIME_TEXT_SIZE];
        co->counters.enrol_refused_taken++;
        return fc_fail_set(fail, FC_ERR_EXISTS,
                           "instance '%s' has a valid certificate of another key (until %s): remove it first "
                           "(fleetcap instance remove %s)",
                           id, fc_wall_text((fc_wall){there.other_not_after_ns}, when), id);
    }
    /* With a certificate that is not written down, or that has just ended. */
    if (there.valid == 0 && instance != NULL && instance->link != NULL) {
        co->counters.enrol_refused_taken++;
        return fc_fail_set(
            fail, FC_ERR_EXISTS,
            "instance '%s' is connected: remove it first (fleetcap instance remove %s), or wait "
            "until its connection has ended",
            id, id);
    }
    if (there.known && elsewhere(there.scale_set, there.region, &a->token))
        return taken(co, id, there.scale_set, there.region, fail);
    if (instance != NULL && elsewhere(instance->scale_set, instance->region, &a->token))
        return taken(co, id, instance->scale_set, instance->region, fail);
    if (there.valid < CO_CERTIFICATES_PER_INSTANCE_MAX)
        return FC_OK;
    co->counters.enrol_refused_full++;
    return fc_fail_set(fail, FC_ERR_LIMIT, "instance '%s' has %" PRIu32 " valid certificates, no more may be",
                       id, there.valid);
}

/* ---- carrying out ---- */

static fc_err
write_asked(struct co *co, void *user, fc_fail *fail)
{
    const asking *a = user;
    co_blob pem = {fc_buf_bytes(&a->issued.pem), fc_buf_size(&a->issued.pem)};
    fc_err err = a->has_row ? FC_OK : co_store_use_token(co->store, a->token.id, fail);
    if (err == FC_OK)
        err = co_store_put_enrolment(co->store, &a->row, pem.size > 0 ? pem : (co_blob){0}, fail);
    if (err == FC_OK && pem.size > 0)
        err = co_store_add_certificate(co->store, &a->issued.row, fail);
    if (err == FC_OK)
        err = co_persist_write_audit(co, a->request->principal, a->action, a->row.instance, "ok", a->detail,
                                     fail);
    return err;
}

static void
begin_row(const struct co *co, asking *a)
{
    const co_enrol *request = a->request;
    fc_uid_make(a->row.id);
    COPY(a->row.token, a->token.id);
    COPY(a->row.instance, request->instance_id);
    COPY(a->row.name, request->name[0] != '\0' ? request->name : request->instance_id);
    COPY(a->row.scale_set, a->token.scale_set);
    COPY(a->row.region, a->token.region);
    COPY(a->row.address, request->address);
    memcpy(a->row.key_sha256, a->key_sha256, sizeof a->key_sha256);
    a->row.requested_unix_ns = co_wall(co).ns;
}

static void
describe(asking *a)
{
    char key[FC_HEX_SIZE(CO_KEY_SIZE)], when[FC_TIME_TEXT_SIZE];
    fc_hex_text(a->key_sha256, sizeof a->key_sha256, key);
    (void)snprintf(a->detail, sizeof a->detail, "token %s, key %s, from %s", a->token.id, key,
                   a->request->address);
    size_t length = strlen(a->detail);
    if (a->row.serial[0] != '\0')
        (void)snprintf(a->detail + length, sizeof a->detail - length, ", certificate %s until %s",
                       a->row.serial, fc_wall_text((fc_wall){a->row.expires_unix_ns}, when));
}

static void
count_asked(struct co *co, const asking *a, bool was_waiting)
{
    co_enrolment_counts *counts = &co->enrolment.counts;
    bool issued = a->row.state == CO_ENROLMENT_ISSUED;
    counts->enrolments += !a->has_row;
    counts->certificates += issued;
    counts->waiting += !a->has_row && !issued;
    counts->waiting -= was_waiting && issued && counts->waiting > 0;
    co->counters.enrolments_issued += issued;
    co->counters.enrolments_asked += !a->has_row;
    fc_log(FC_LOG_NOTICE, "instance %s %s: %s", a->row.instance, issued ? "enrolled" : "asks to be enrolled",
           a->detail);
}

/* PENDING, or signed and stored before it is told to anybody. */
static fc_err
carry_out(struct co *co, asking *a, co_enrolment_step step, fc_fail *fail)
{
    bool was_waiting = a->has_row;
    fc_err err = FC_OK;
    if (!a->has_row)
        begin_row(co, a);
    a->row.state = (int)step.to;
    a->action = "enrol-asked";
    if (step.effect == CO_ENROLMENT_ISSUE) {
        a->action = "enrol-issued";
        err = co_enrolment_sign(co, a->row.instance, a->row.scale_set, a->row.region, a->request->csr_pem,
                                a->request->csr_size, a->key_sha256, &a->issued, fail);
        COPY(a->row.serial, a->issued.row.serial);
        COPY(a->issued.row.enrolment, a->row.id);
        a->row.expires_unix_ns = a->issued.row.not_after_unix_ns;
    }
    describe(a);
    if (err == FC_OK)
        err = co_persist_flush(co, write_asked, a, fail);
    if (err == FC_OK)
        count_asked(co, a, was_waiting);
    return err;
}

static uint32_t
retry_after_ms(const struct co *co)
{
    enum { EACH_MS = 20 };
    uint64_t ms = CO_ENROL_RETRY_MIN_MS + co->enrolment.counts.waiting * EACH_MS;
    return ms < CO_ENROL_RETRY_MAX_MS ? (uint32_t)ms : CO_ENROL_RETRY_MAX_MS;
}

static fc_err
proceed(struct co *co, asking *a, fc_fail *fail)
{
    co_enrolment_state from = a->has_row ? (co_enrolment_state)a->row.state : CO_ENROLMENT_NONE;
    co_enrolment_step step =
        co_enrolment_next(from, a->token.approval ? CO_ENROLMENT_ASK_GATED : CO_ENROLMENT_ASK);
    fc_err err = FC_OK;
    switch (step.effect) {
    case CO_ENROLMENT_REPEAT:
        co->counters.enrolments_repeated++;
        return co_store_get_enrolment_pem(co->store, a->row.id, &a->issued.pem, fail);
    case CO_ENROLMENT_REFUSE:
        co->counters.enrol_refused_denied++;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "an operator has denied this enrolment; another token, or --force, begins anew");
    case CO_ENROLMENT_WAIT:
    case CO_ENROLMENT_ISSUE:
        if (a->has_row && step.effect == CO_ENROLMENT_WAIT)
            return FC_OK; /* it waits already */
        if (!a->has_row)
            err = check_room(co, a, fail);
        if (err == FC_OK)
            err = check_id(co, a, fail);
        return err == FC_OK ? carry_out(co, a, step, fail) : err;
    case CO_ENROLMENT_RECORD:
    case CO_ENROLMENT_KEEP:
        break;
    }
    return fc_fail_set(fail, FC_ERR_INTERNAL, "an enrolment in state %d cannot be asked for", (int)from);
}

static void
refuse(struct co *co, const asking *a, const fc_fail *why)
{
    const co_enrol *request = a->request;
    const char *id = fc_name_check(request->instance_id) ? request->instance_id : "-";
    char detail[400];
    (void)snprintf(detail, sizeof detail, "from %s: %s", request->address, why->text);
    co_persist_refusal(co, request->principal, "enrol", id, why->err, detail);
    co_refused_log(co, CO_REFUSED_ENROLMENT, "enrolment of %s refused: %s", id, detail);
}

fc_err
co_enrol_instance(struct co *co, const co_enrol *request, co_enrolled *ret, fc_fail *fail)
{
    asking a = {.request = request};
    fc_fail why = {0};
    fc_err err = co_enrolment_check_on(co, &why);
    if (err == FC_OK)
        err = check_form(co, request, &why);
    if (err == FC_OK)
        err = check_token(co, &a, &why);
    if (err == FC_OK)
        err = check_earlier(co, &a, &why);
    if (err == FC_OK)
        err = proceed(co, &a, &why);
    if (err != FC_OK) {
        refuse(co, &a, &why);
        fc_buf_fini(&a.issued.pem);
        return fc_fail_copy(fail, &why);
    }
    *ret = (co_enrolled){.pending = a.row.state != CO_ENROLMENT_ISSUED, .certificate_pem = a.issued.pem};
    if (ret->pending)
        ret->retry_after_ms = retry_after_ms(co);
    COPY(ret->enrolment_id, a.row.id);
    COPY(ret->scale_set, a.row.scale_set);
    COPY(ret->region, a.row.region);
    return FC_OK;
}

void
co_enrolled_fini(co_enrolled *enrolled)
{
    fc_buf_fini(&enrolled->certificate_pem);
}
