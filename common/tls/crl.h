/* crl.h: writing X.509 certificate revocation lists (RFC 5280, section 5), which Mbed TLS can only read. */
#ifndef FC_TLS_CRL_H
#define FC_TLS_CRL_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/tls/compat.h"

#include <stddef.h>
#include <stdint.h>

enum { FC_CRL_SERIAL_MAX = 20, FC_CRL_ENTRIES_MAX = 1000000 };

typedef struct fc_crl_entry {
    uint8_t serial[FC_CRL_SERIAL_MAX];
    size_t serial_size;
    int64_t revoked_unix_s;
} fc_crl_entry;

typedef struct fc_crl_spec {
    int64_t this_update_unix_s;
    int64_t next_update_unix_s;
    uint64_t number;             /* grows with every list (RFC 5280, 5.2.3) */
    const fc_crl_entry *entries; /* borrowed */
    size_t count;
} fc_crl_spec;

/* Appends the signed list as PEM. */
FC_MUST_USE fc_err
fc_crl_write(const fc_crl_spec *spec, const mbedtls_x509_crt *ca, mbedtls_pk_context *ca_key, fc_buf *ret_pem,
             fc_fail *fail);

#endif
