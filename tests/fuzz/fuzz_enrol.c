/* What a machine without a certificate, or one with a hostile server, sends us to read. The first byte says
 * what it is:
 *
 *     P  a signing request as PEM                 D  as DER, to be wrapped
 *     I  the parts of one that is signed right: a byte for the subject's length, the subject, the attributes
 *     C  certificates as a server shows them: two bytes for the length of each, DER
 *     T  a token's text
 */
#include "common/base/mem.h"
#include "common/tls/chain.h"
#include "common/tls/csr.h"
#include "common/tls/der.h"
#include "common/tls/enrol.h"
#include "common/tls/identity.h"
#include "common/tls/token.h"
#include "common/tls/x509.h"

#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WRAPPED_MAX = 16 * 1024 };
static const char name[] = "web-1";

static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* Who is let through has a key on P-256 and the name, whatever else was in the request. */
static fc_err
check(const char *pem, size_t size)
{
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    fc_fail why = {0};
    fc_err err = fc_csr_check(pem, size, name, &csr, &why);
    if (err == FC_OK)
        require(fc_x509_key_is_p256(&csr.pk) && csr.subject.val.len == strlen(name));
    else
        require(*why.text != '\0');
    mbedtls_x509_csr_free(&csr);
    return err;
}

static fc_err
check_der(const uint8_t *der, size_t size)
{
    static unsigned char pem[WRAPPED_MAX];
    size_t pem_size = 0;
    if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE REQUEST-----\n",
                                 "-----END CERTIFICATE REQUEST-----\n", der, size, pem, sizeof pem,
                                 &pem_size) != 0)
        return FC_ERR_LIMIT;
    return check((const char *)pem, pem_size - 1);
}

/* ---- I ---- */

static mbedtls_pk_context *
our_key(void)
{
    static mbedtls_pk_context key;
    static bool made;
    if (!made) {
        mbedtls_pk_init(&key);
        require(fc_x509_key_make(&key, NULL) == FC_OK);
        made = true;
    }
    return &key;
}

/* CertificationRequestInfo (RFC 2986, 4.1) around our key; from its end to its start. */
static void
write_info(fc_der *info, const uint8_t *subject, size_t subject_size, const uint8_t *attributes,
           size_t attributes_size)
{
    static const uint8_t zero = 0;
    unsigned char public_key[256];
    int public_size = mbedtls_pk_write_pubkey_der(our_key(), public_key, sizeof public_key);
    require(public_size > 0);
    fc_der_bytes(info, attributes, attributes_size);
    fc_der_bytes(info, public_key + sizeof public_key - public_size, (size_t)public_size);
    fc_der_bytes(info, subject, subject_size);
    fc_der_integer(info, &zero, 1);
    fc_der_wrap(info, info->end, FC_DER_SEQUENCE);
}

static void
check_signed(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[] = {0xa0, 0x00}, no_unused_bits = 0;
    unsigned char info_bytes[1024], bytes[2048], digest[32], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    if (size < 1 || size > 512)
        return;
    size_t subject_size = data[0] < size - 1 ? data[0] : size - 1, signature_size = 0;
    const uint8_t *attributes = data + 1 + subject_size;
    size_t attributes_size = size - 1 - subject_size;
    fc_der info, request;
    fc_der_init(&info, info_bytes, sizeof info_bytes);
    fc_der_init(&request, bytes, sizeof bytes);
    write_info(&info, data + 1, subject_size, attributes, attributes_size);
    require(info.status == 0);
    require(
        mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), info.at, fc_der_size(&info), digest) == 0 &&
        fc_compat_sign(our_key(), digest, sizeof digest, signature, sizeof signature, &signature_size) == 0);
    fc_der_bytes(&request, signature, signature_size);
    fc_der_bytes(&request, &no_unused_bits, 1);
    fc_der_wrap(&request, request.end, MBEDTLS_ASN1_BIT_STRING);
    fc_der_ecdsa_sha256(&request);
    fc_der_bytes(&request, info.at, fc_der_size(&info));
    fc_der_wrap(&request, request.end, FC_DER_SEQUENCE);
    require(request.status == 0);
    if (check_der(request.at, fc_der_size(&request)) == FC_OK)
        require(attributes_size == 0 ||
                (attributes_size == sizeof nothing && memcmp(attributes, nothing, 2) == 0));
}

/* ---- C ---- */

static void
check_certificates(const uint8_t *data, size_t size)
{
    mbedtls_x509_crt list;
    mbedtls_x509_crt_init(&list);
    bool any = false;
    while (size >= 2) {
        size_t length = (size_t)(data[0] << 8 | data[1]);
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        any = (length > 0 && mbedtls_x509_crt_parse_der(&list, data, length) == 0) || any;
        data += length;
        size -= length;
    }
    uint8_t pin[32] = {0};
    fc_principal peer = {0};
    fc_fail why = {0};
    if (any) {
        if (fc_identity_read(&list, &peer, NULL) == FC_OK)
            require(fc_name_check(peer.name) && (*peer.scale_set == '\0' || fc_name_check(peer.scale_set)) &&
                    (*peer.region == '\0' || fc_name_check(peer.region)));
        require(fc_enrol_admit(&list, pin, &peer, &why) == FC_ERR_UNAUTHENTICATED);
        /* As if the token named the last one shown. */
        const mbedtls_x509_crt *last = &list;
        while (last->next != NULL)
            last = last->next;
        require(fc_chain_digest(last, pin) == FC_OK);
        if (fc_enrol_admit(&list, pin, &peer, &why) == FC_OK)
            require(peer.role == FC_ROLE_COORDINATOR && fc_compat_is_ca(last));
    }
    mbedtls_x509_crt_free(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = fc_alloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    fc_token token;
    fc_err err = FC_OK;
    switch (data[0]) {
    case 'P':
        err = check(text, size - 1);
        break;
    case 'D':
        err = check_der(data + 1, size - 1);
        break;
    case 'I':
        check_signed(data + 1, size - 1);
        break;
    case 'C':
        check_certificates(data + 1, size - 1);
        break;
    case 'T':
        err = fc_token_parse(text, &token, NULL);
        break;
    default:
        break;
    }
    (void)err;
    free(text);
    return 0;
}
