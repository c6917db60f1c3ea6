/* key.h: a machine's own key on its way to a certificate: made, kept, asked for with, and what came back
 * checked.
 *
 * So that programs need no Mbed TLS of their own.
 */
#ifndef FC_TLS_KEY_H
#define FC_TLS_KEY_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/principal.h"

#include <stddef.h>

typedef struct fc_key fc_key;

/* A new one, P-256. */
FC_MUST_USE fc_err
fc_key_new(fc_key **ret_key, fc_fail *fail);
/* From a PEM file that others cannot read (it may hold certificates too). */
FC_MUST_USE fc_err
fc_key_load(const char *path, fc_key **ret_key, fc_fail *fail);
/* Wipes it. */
void
fc_key_free(fc_key *key);
/* Appends it as PEM (SEC 1); the caller wipes the buffer (fc_key_wipe). */
FC_MUST_USE fc_err
fc_key_pem(fc_key *key, fc_buf *ret_pem, fc_fail *fail);
/* Overwrites and frees a buffer that held a key. */
void
fc_key_wipe(fc_buf *pem);
/* Appends a signing request (csr.h) as PEM: subject CN=<name>. */
FC_MUST_USE fc_err
fc_key_csr(fc_key *key, const char *name, fc_buf *ret_pem, fc_fail *fail);
/* SHA-256 of the public key (DER SubjectPublicKeyInfo), hexadecimal: what people compare. */
FC_MUST_USE fc_err
fc_key_digest_text(fc_key *key, char ret_text[65], fc_fail *fail);

/* What a certificate says, once it has been found good. */
typedef struct fc_key_certificate {
    fc_principal principal;
    fc_wall not_before; /* its not_after is the principal's */
} fc_key_certificate;

/* What came back: `certificate_pem` is of this key, of node/<name>, for a client, within its dates, and
 * signed by a CA of `ca_pem`. Sizes in bytes without a NUL. FC_ERR_CORRUPT or FC_ERR_DENIED with the reason.
 */
FC_MUST_USE fc_err
fc_key_check(fc_key *key, const char *name, const char *certificate_pem, size_t certificate_size,
             const char *ca_pem, size_t ca_size, fc_key_certificate *ret_certificate, fc_fail *fail);
/* The same of a file of ours (certificate and key in one), without a look at the CA or the dates: whose it is
 * and when it ends. */
FC_MUST_USE fc_err
fc_key_file_read(const char *path, fc_key_certificate *ret_certificate, fc_fail *fail);

#endif
