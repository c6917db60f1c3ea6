/* x509.h: making keys and certificates on P-256, signed with ECDSA and SHA-256. */
#ifndef FC_TLS_X509_H
#define FC_TLS_X509_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/principal.h"
#include "common/tls/compat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_X509_SERIAL_SIZE = 16, FC_X509_DNS_NAME_MAX = 253, FC_X509_TIME_SIZE = 15 };

typedef struct fc_x509_spec {
    const char *fleet;
    fc_role role; /* FC_ROLE_NONE = the fleet's CA */
    const char *name;
    const char *scale_set, *region; /* a node's: subject OU and L; NULL or "" = not bound */
    const char *const *dns_names;   /* and addresses, which become IP SANs */
    size_t dns_name_count;
    uint8_t serial[FC_X509_SERIAL_SIZE];
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
} fc_x509_spec;

FC_MUST_USE fc_err
fc_x509_key_make(mbedtls_pk_context *key, fc_fail *fail);
bool
fc_x509_key_is_p256(const mbedtls_pk_context *key);
/* SHA-256 of the public key: DER SubjectPublicKeyInfo. */
FC_MUST_USE fc_err
fc_x509_key_digest(mbedtls_pk_context *key, uint8_t ret_digest[32], fc_fail *fail);
/* Appends PEM (SEC 1) to a buffer that the caller wipes (fc_secret_fini). */
FC_MUST_USE fc_err
fc_x509_key_pem(mbedtls_pk_context *key, fc_buf *ret_pem, fc_fail *fail);
/* 16 random octets, positive and without a leading zero (RFC 5280, 4.1.2.2). */
void
fc_x509_serial_make(uint8_t ret_serial[FC_X509_SERIAL_SIZE]);
/* Appends the certificate as PEM. issuer is the CA's certificate, or NULL for the CA itself. */
FC_MUST_USE fc_err
fc_x509_issue(const fc_x509_spec *spec, mbedtls_pk_context *subject_key, const mbedtls_x509_crt *issuer,
              mbedtls_pk_context *issuer_key, fc_buf *ret_pem, fc_fail *fail);
/* "20261121024537", as x509write wants it. FC_ERR_RANGE outside the years 1970 to 9999. */
FC_MUST_USE fc_err
fc_x509_time(int64_t unix_s, char ret_text[FC_X509_TIME_SIZE], fc_fail *fail);

#endif
