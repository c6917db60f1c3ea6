#include "common/tls/crl.h"

#include "common/base/mem.h"
#include "common/tls/der.h"

#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_MAX = 48,   /* SEQUENCE { INTEGER of 21 octets, GeneralizedTime } */
    FIXED_MAX = 4096, /* names, dates, extensions, signature */
    KEY_ID_SIZE = 20,
};

/* SHA-1 of the public key's bits (RFC 5280, 4.2.1.2, method 1), as the certificates have it. */
static int
key_id(const mbedtls_pk_context *key, uint8_t ret_id[KEY_ID_SIZE])
{
    unsigned char bytes[256];
    unsigned char *at = bytes + sizeof bytes;
    int size = mbedtls_pk_write_pubkey(&at, bytes, key);
    return size < 0 ? size : mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), at, (size_t)size, ret_id);
}

/* crlExtensions [0] EXPLICIT Extensions: cRLNumber and authorityKeyIdentifier, both required by RFC
 * 5280, 5.2. */
static void
write_extensions(fc_der *der, const fc_crl_spec *spec, const uint8_t id[KEY_ID_SIZE])
{
    static const char number_oid[] = "\x55\x1d\x14";    /* id-ce-cRLNumber, 2.5.29.20 */
    static const char authority_oid[] = "\x55\x1d\x23"; /* id-ce-authorityKeyIdentifier, 2.5.29.35 */
    uint8_t number[8];
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(spec->number >> (56 - 8 * i));
    const unsigned char *all = der->at;
    const unsigned char *one = der->at;
    fc_der_integer(der, number, sizeof number);
    fc_der_extension(der, one, number_oid, sizeof number_oid - 1);
    one = der->at;
    fc_der_bytes(der, id, KEY_ID_SIZE);
    fc_der_wrap(der, one, FC_DER_CONTEXT(0));
    fc_der_wrap(der, one, FC_DER_SEQUENCE);
    fc_der_extension(der, one, authority_oid, sizeof authority_oid - 1);
    fc_der_wrap(der, all, FC_DER_SEQUENCE);
    fc_der_wrap(der, all, FC_DER_CONTEXT(0) | MBEDTLS_ASN1_CONSTRUCTED);
}

/* TBSCertList (RFC 5280, 5.1). */
static void
write_list(fc_der *der, const fc_crl_spec *spec, const mbedtls_x509_crt *ca, const uint8_t id[KEY_ID_SIZE])
{
    static const uint8_t version_2 = 1;
    const unsigned char *list = der->at;
    write_extensions(der, spec, id);
    const unsigned char *entries = der->at;
    for (size_t i = spec->count; i > 0; i--) {
        const unsigned char *entry = der->at;
        fc_der_time(der, spec->entries[i - 1].revoked_unix_s);
        fc_der_integer(der, spec->entries[i - 1].serial, spec->entries[i - 1].serial_size);
        fc_der_wrap(der, entry, FC_DER_SEQUENCE);
    }
    /* A list that revokes nothing has no such field at all. */
    if (spec->count > 0)
        fc_der_wrap(der, entries, FC_DER_SEQUENCE);
    fc_der_time(der, spec->next_update_unix_s);
    fc_der_time(der, spec->this_update_unix_s);
    fc_der_bytes(der, ca->subject_raw.p, ca->subject_raw.len);
    fc_der_ecdsa_sha256(der);
    fc_der_integer(der, &version_2, 1);
    fc_der_wrap(der, list, FC_DER_SEQUENCE);
}

/* CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }; what comes last is
 * written first, so the signed part is made in a buffer of its own. */
static void
write_signed(fc_der *der, const fc_der *list, const unsigned char *signature, size_t signature_size)
{
    static const uint8_t no_unused_bits = 0;
    fc_der_bytes(der, signature, signature_size);
    fc_der_bytes(der, &no_unused_bits, 1);
    fc_der_wrap(der, der->end, MBEDTLS_ASN1_BIT_STRING);
    fc_der_ecdsa_sha256(der);
    fc_der_bytes(der, list->at, fc_der_size(list));
    fc_der_wrap(der, der->end, FC_DER_SEQUENCE);
}

fc_err
fc_crl_write(const fc_crl_spec *spec, const mbedtls_x509_crt *ca, mbedtls_pk_context *ca_key, fc_buf *ret_pem,
             fc_fail *fail)
{
    if (spec->count > FC_CRL_ENTRIES_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "more than %d revoked certificates", FC_CRL_ENTRIES_MAX);
    size_t capacity = spec->count * ENTRY_MAX + FIXED_MAX;
    unsigned char *list_bytes = fc_alloc(capacity);
    unsigned char *bytes = fc_alloc(capacity + FIXED_MAX);
    uint8_t id[KEY_ID_SIZE];
    uint8_t digest[32];
    unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t signature_size = 0;
    size_t pem_size = 0;
    fc_der list;
    fc_der der;
    fc_der_init(&list, list_bytes, capacity);
    fc_der_init(&der, bytes, capacity + FIXED_MAX);

    int status = key_id(ca_key, id);
    if (status == 0) {
        write_list(&list, spec, ca, id);
        status = list.status;
    }
    if (status == 0)
        status =
            mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), list.at, fc_der_size(&list), digest);
    if (status == 0)
        status = fc_compat_sign(ca_key, digest, sizeof digest, signature, sizeof signature, &signature_size);
    if (status == 0) {
        write_signed(&der, &list, signature, signature_size);
        status = der.status;
    }
    if (status == 0) {
        /* Base64, a line end per 64 characters, and the two markers. */
        size_t pem_max = fc_der_size(&der) / 48 * 65 + 256;
        status =
            mbedtls_pem_write_buffer("-----BEGIN X509 CRL-----\n", "-----END X509 CRL-----\n", der.at,
                                     fc_der_size(&der), fc_buf_reserve(ret_pem, pem_max), pem_max, &pem_size);
    }
    free(bytes);
    free(list_bytes);
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make a revocation list (Mbed TLS -0x%04x)",
                           (unsigned int)-status);
    /* Mbed TLS counts the terminating NUL. */
    fc_buf_commit(ret_pem, pem_size - 1);
    return FC_OK;
}
