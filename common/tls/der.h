/* der.h: writing DER, from its end to its start as Mbed TLS does; the first error stays and makes the rest
 * nothing.
 *
 *     const unsigned char *end = out.at;       the value goes before `end`
 *     fc_der_bytes(&out, value, size);
 *     fc_der_wrap(&out, end, tag);             length and tag go before the value
 */
#ifndef FC_TLS_DER_H
#define FC_TLS_DER_H

#include "common/tls/compat.h"

#include <stddef.h>
#include <stdint.h>

#define FC_DER_SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
/* [number] of a value that is not itself constructed. */
#define FC_DER_CONTEXT(number) (MBEDTLS_ASN1_CONTEXT_SPECIFIC | (number))

typedef struct fc_der {
    unsigned char *start; /* borrowed: the buffer */
    unsigned char *end;
    unsigned char *at; /* first byte written */
    int status;        /* Mbed TLS's first error; 0 = none */
} fc_der;

void
fc_der_init(fc_der *der, unsigned char *buffer, size_t size);
size_t
fc_der_size(const fc_der *der);
void
fc_der_bytes(fc_der *der, const void *bytes, size_t size);
void
fc_der_wrap(fc_der *der, const unsigned char *end, unsigned char tag);
void
fc_der_oid(fc_der *der, const char *oid, size_t size);
/* A positive INTEGER from big-endian octets. */
void
fc_der_integer(fc_der *der, const uint8_t *bytes, size_t size);
/* UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5). */
void
fc_der_time(fc_der *der, int64_t unix_s);
/* AlgorithmIdentifier of ecdsa-with-SHA256, which has no parameters (RFC 5758, 3.2). */
void
fc_der_ecdsa_sha256(fc_der *der);
/* The value since `end` becomes an extension that is not critical. */
void
fc_der_extension(fc_der *der, const unsigned char *end, const char *oid, size_t oid_size);

#endif
