/* issuer.h: the fleet's CA at work inside a coordinator: certificates for signing requests, revocation lists.
 *
 * The CA file may hold several CAs (while one takes over from another): the issuing one is that whose key it
 * is; all of them are what a machine is told to trust.
 */
#ifndef FC_TLS_ISSUER_H
#define FC_TLS_ISSUER_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/principal.h"
#include "common/tls/crl.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fc_issuer fc_issuer;

/* The key must not be readable by others. The sentence names the file. */
FC_MUST_USE fc_err
fc_issuer_open(const char *ca_path, const char *key_path, fc_issuer **ret_issuer, fc_fail *fail);
void
fc_issuer_close(fc_issuer *issuer);
/* All CAs of the file as PEM, NUL-terminated. Borrowed. */
const char *
fc_issuer_ca_pem(const fc_issuer *issuer);

/* What a node is certified to be. Borrowed; names by fc_name_check. */
typedef struct fc_issue {
    const char *fleet;
    const char *name;
    const char *scale_set, *region; /* bound by the certificate (subject OU and L); "" = not bound */
    int64_t not_before_unix_s, not_after_unix_s;
} fc_issue;

/* Looks at a hostile signing request without granting it: fc_csr_check. */
FC_MUST_USE fc_err
fc_issuer_look(const char *csr_pem, size_t size, const char *name, uint8_t ret_key_sha256[32], fc_fail *fail);
/* Checks the request and signs what `issue` says for its key; appends the PEM. */
FC_MUST_USE fc_err
fc_issuer_sign(fc_issuer *issuer, const fc_issue *issue, const char *csr_pem, size_t size, fc_buf *ret_pem,
               fc_principal *ret_principal, fc_fail *fail);
/* 32 bytes that only this CA's key makes of `label` and `text`, and always the same: HMAC-SHA-256 (RFC 2104)
 * with the key's DER. They tell nothing of the key. `label` keeps purposes apart. */
enum { FC_ISSUER_DERIVED_SIZE = 32 };
FC_MUST_USE fc_err
fc_issuer_derive(fc_issuer *issuer, const char *label, const char *text,
                 uint8_t ret_bytes[FC_ISSUER_DERIVED_SIZE], fc_fail *fail);
/* A revocation list of the issuing CA, appended as PEM. */
FC_MUST_USE fc_err
fc_issuer_crl(fc_issuer *issuer, const fc_crl_spec *spec, fc_buf *ret_pem, fc_fail *fail);

#endif
