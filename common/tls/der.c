#include "common/tls/der.h"

#include "common/tls/x509.h"

#include <string.h>

void
fc_der_init(fc_der *der, unsigned char *buffer, size_t size)
{
    *der = (fc_der){.start = buffer, .end = buffer + size, .at = buffer + size};
}

size_t
fc_der_size(const fc_der *der)
{
    return (size_t)(der->end - der->at);
}

static void
keep(fc_der *der, int status)
{
    if (status < 0 && der->status == 0)
        der->status = status;
}

void
fc_der_bytes(fc_der *der, const void *bytes, size_t size)
{
    if (der->status == 0)
        keep(der, mbedtls_asn1_write_raw_buffer(&der->at, der->start, bytes, size));
}

void
fc_der_wrap(fc_der *der, const unsigned char *end, unsigned char tag)
{
    if (der->status == 0)
        keep(der, mbedtls_asn1_write_len(&der->at, der->start, (size_t)(end - der->at)));
    if (der->status == 0)
        keep(der, mbedtls_asn1_write_tag(&der->at, der->start, tag));
}

void
fc_der_oid(fc_der *der, const char *oid, size_t size)
{
    if (der->status == 0)
        keep(der, mbedtls_asn1_write_oid(&der->at, der->start, oid, size));
}

void
fc_der_integer(fc_der *der, const uint8_t *bytes, size_t size)
{
    static const uint8_t zero = 0;
    const unsigned char *end = der->at;
    while (size > 1 && bytes[0] == 0) {
        bytes++;
        size--;
    }
    fc_der_bytes(der, bytes, size);
    if (size == 0 || (bytes[0] & 0x80) != 0)
        fc_der_bytes(der, &zero, 1);
    fc_der_wrap(der, end, MBEDTLS_ASN1_INTEGER);
}

void
fc_der_time(fc_der *der, int64_t unix_s)
{
    char text[FC_X509_TIME_SIZE];
    if (fc_x509_time(unix_s, text, NULL) != FC_OK) {
        keep(der, MBEDTLS_ERR_ASN1_INVALID_DATA);
        return;
    }
    const unsigned char *end = der->at;
    bool utc = strncmp(text, "2050", 4) < 0;
    fc_der_bytes(der, "Z", 1);
    fc_der_bytes(der, utc ? text + 2 : text, utc ? 12 : 14);
    fc_der_wrap(der, end, utc ? MBEDTLS_ASN1_UTC_TIME : MBEDTLS_ASN1_GENERALIZED_TIME);
}

void
fc_der_ecdsa_sha256(fc_der *der)
{
    static const char oid[] = MBEDTLS_OID_ECDSA_SHA256;
    const unsigned char *end = der->at;
    fc_der_oid(der, oid, sizeof oid - 1);
    fc_der_wrap(der, end, FC_DER_SEQUENCE);
}

void
fc_der_extension(fc_der *der, const unsigned char *end, const char *oid, size_t oid_size)
{
    fc_der_wrap(der, end, MBEDTLS_ASN1_OCTET_STRING);
    fc_der_oid(der, oid, oid_size);
    fc_der_wrap(der, end, FC_DER_SEQUENCE);
}
