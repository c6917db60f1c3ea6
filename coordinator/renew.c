/* A node's next certificate. */
#include "common/base/log.h"
#include "common/tls/csr.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct renewing {
    const fc_principal *peer;
    const char *address;
    const co_issued *issued;
} renewing;

static fc_err
write_renewed(struct co *co, void *user, fc_fail *fail)
{
    const renewing *r = user;
    char who[FC_PRINCIPAL_TEXT_SIZE], when[FC_TIME_TEXT_SIZE], detail[256];
    (void)snprintf(detail, sizeof detail, "from %s, certificate %s until %s, instead of %s", r->address,
                   r->issued->row.serial, fc_wall_text((fc_wall){r->issued->row.not_after_unix_ns}, when),
                   r->peer->serial);
    fc_err err = co_store_add_certificate(co->store, &r->issued->row, fail);
    return err == FC_OK ? co_persist_write_audit(co, fc_principal_text(r->peer, who), "renew", r->peer->name,
                                                 "ok", detail, fail)
                        : err;
}

/* What costs nothing comes first: taking a signing request apart takes some milliseconds of the loop. */
static fc_err
check_peer(struct co *co, const fc_principal *peer, size_t csr_size, fc_fail *fail)
{
    static const uint8_t any_key[CO_KEY_SIZE] = {0};
    co_certificates there;
    fc_err err = co_enrolment_check_on(co, fail);
    if (err == FC_OK && peer->not_after.ns != 0 && peer->not_after.ns <= co_wall(co).ns)
        err = fc_fail_set(fail, FC_ERR_DENIED, "the certificate of instance '%s' has ended: enrol it anew",
                          peer->name);
    if (err == FC_OK)
        err = co_enrolment_check_peer(co, peer, fail);
    if (err == FC_OK && csr_size > FC_CSR_PEM_MAX)
        err = fc_fail_field(fail, FC_ERR_INVALID, "csr_pem", "a signing request of %zu bytes is too long",
                            csr_size);
    if (err == FC_OK)
        err = co_store_look_certificates(co->store, peer->name, any_key, co_wall(co).ns, &there, fail);
    if (err == FC_OK && there.valid >= CO_CERTIFICATES_PER_INSTANCE_MAX)
        err = fc_fail_set(fail, FC_ERR_LIMIT,
                          "instance '%s' has %" PRIu32 " valid certificates, no more may be", peer->name,
                          there.valid);
    return err;
}

static fc_err
check_request(struct co *co, const char *name, const char *csr_pem, size_t csr_size,
              uint8_t key_sha256[CO_KEY_SIZE], fc_fail *fail)
{
    co_certificates there;
    fc_err err = fc_issuer_look(csr_pem, csr_size, name, key_sha256, fail);
    if (err == FC_OK)
        err = co_store_look_certificates(co->store, name, key_sha256, co_wall(co).ns, &there, fail);
    if (err == FC_OK && there.key_revoked)
        err = fc_fail_set(fail, FC_ERR_DENIED,
                          "the certificate of this very key was revoked: renew with a new key");
    return err;
}

fc_err
co_enrolment_renew(struct co *co, const fc_principal *peer, const char *address, const char *csr_pem,
                   size_t csr_size, fc_buf *ret_pem, fc_principal *ret_principal, fc_fail *fail)
{
    fc_fail why = {0};
    co_issued issued = {0};
    char who[FC_PRINCIPAL_TEXT_SIZE];
    uint8_t key_sha256[CO_KEY_SIZE];
    fc_err err = check_peer(co, peer, csr_size, &why);
    if (err == FC_OK)
        err = check_request(co, peer->name, csr_pem, csr_size, key_sha256, &why);
    if (err == FC_OK)
        err = co_enrolment_sign(co, peer->name, peer->scale_set, peer->region, csr_pem, csr_size, key_sha256,
                                &issued, &why);
    if (err == FC_OK) {
        renewing r = {peer, address, &issued};
        err = co_persist_flush(co, write_renewed, &r, &why);
    }
    if (err != FC_OK) {
        fc_buf_fini(&issued.pem);
        co->counters.renewals_refused++;
        co_refused_log(co, CO_REFUSED_RENEWAL, "renewal of %s (%s) refused: %s", peer->name, address,
                       why.text);
        co_persist_refusal(co, fc_principal_text(peer, who), "renew", peer->name, err, why.text);
        return fc_fail_copy(fail, &why);
    }
    co->enrolment.counts.certificates++;
    co->counters.renewals++;
    fc_log(FC_LOG_INFO, "instance %s has a new certificate, %s", peer->name, issued.row.serial);
    fc_buf_append(ret_pem, fc_buf_bytes(&issued.pem), fc_buf_size(&issued.pem));
    *ret_principal = issued.principal;
    fc_buf_fini(&issued.pem);
    return FC_OK;
}
