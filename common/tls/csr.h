/* csr.h: certificate signing requests (RFC 2986): a node proves that it has a key, and asks for nothing else.
 *
 * What goes into the certificate is decided by whoever signs it: a request that carries wishes (attributes:
 * extensions, alternative names) is refused, not trimmed, so that nobody can believe to have got them.
 */
#ifndef FC_TLS_CSR_H
#define FC_TLS_CSR_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/tls/compat.h"

#include <stddef.h>
#include <stdint.h>

enum { FC_CSR_PEM_MAX = 2048 };

/* Appends the request as PEM: subject CN=<name>, signed with ECDSA and SHA-256. */
FC_MUST_USE fc_err
fc_csr_make(mbedtls_pk_context *key, const char *name, fc_buf *ret_pem, fc_fail *fail);
/* Takes a hostile request apart. Its key must be P-256, its own signature must be the key's, its subject
 * CN=<name> and nothing more, and it must have no attributes. *ret_csr is initialised by the caller, who
 * frees it (mbedtls_x509_csr_free); its pk is the key. FC_ERR_INVALID with the reason. */
FC_MUST_USE fc_err
fc_csr_check(const char *pem, size_t size, const char *name, mbedtls_x509_csr *ret_csr, fc_fail *fail);

#endif
