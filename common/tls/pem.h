/* pem.h: certificates and keys from PEM files and back, with sentences that name the file.
 *
 * A file may hold certificates and their key: what it is read into is wiped either way.
 */
#ifndef FC_TLS_PEM_H
#define FC_TLS_PEM_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/tls/compat.h"

#include <stddef.h>

enum { FC_PEM_CERTIFICATES_MAX = 1024 * 1024, FC_PEM_KEY_MAX = 16 * 1024 };

/* All certificates of a text of `size` bytes, appended to *crt. `what` names it in the sentence.
 * FC_ERR_CORRUPT when there is none, or one that cannot be read. */
FC_MUST_USE fc_err
fc_pem_certificates(const void *pem, size_t size, const char *what, mbedtls_x509_crt *crt, fc_fail *fail);
FC_MUST_USE fc_err
fc_pem_certificates_read(const char *path, mbedtls_x509_crt *crt, fc_fail *fail);
/* A private key on P-256, from a file that only its owner can read. FC_ERR_UNSUPPORTED when on another curve.
 */
FC_MUST_USE fc_err
fc_pem_key_read(const char *path, mbedtls_pk_context *key, fc_fail *fail);
/* Appends one certificate, as it was signed. */
FC_MUST_USE fc_err
fc_pem_certificate_write(const mbedtls_x509_crt *crt, fc_buf *ret_pem, fc_fail *fail);

#endif
