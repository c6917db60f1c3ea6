/* chain.h: which CA signed a certificate, and by which digest people know that CA. */
#ifndef FC_TLS_CHAIN_H
#define FC_TLS_CHAIN_H

#include "common/base/err.h"
#include "common/tls/compat.h"

#include <stddef.h>
#include <stdint.h>

/* What signatures and keys a chain may have: SHA-2 and P-256. */
extern const mbedtls_x509_crt_profile fc_chain_profile;

/* SHA-256 of the certificate's DER form. */
FC_MUST_USE fc_err
fc_chain_digest(const mbedtls_x509_crt *crt, uint8_t ret_digest[32]);
/* The first CA certificate of the list with this digest; NULL when there is none. Borrowed. */
const mbedtls_x509_crt *
fc_chain_find(const mbedtls_x509_crt *list, const uint8_t digest[32]);
/* Is `leaf` signed by `ca` itself, both inside their dates? Neither's list is looked at further than its
 * first certificate. Returns Mbed TLS's flags (MBEDTLS_X509_BADCERT_*): 0 = yes. */
uint32_t
fc_chain_verify(const mbedtls_x509_crt *leaf, const mbedtls_x509_crt *ca);
/* Appends a copy of one certificate. */
FC_MUST_USE fc_err
fc_chain_append(mbedtls_x509_crt *list, const mbedtls_x509_crt *crt);

#endif
