#include "common/tls/csr.h"

#include "common/base/text.h"
#include "common/tls/x509.h"

#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>
#include <string.h>

fc_err
fc_csr_make(mbedtls_pk_context *key, const char *name, fc_buf *ret_pem, fc_fail *fail)
{
    char subject[FC_NAME_MAX + 4];
    mbedtls_x509write_csr writer;
    mbedtls_x509write_csr_init(&writer);
    mbedtls_x509write_csr_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&writer, key);
    (void)snprintf(subject, sizeof subject, "CN=%s", name); /* names need no quoting here */
    int status = mbedtls_x509write_csr_set_subject_name(&writer, subject);
    unsigned char *at = fc_buf_reserve(ret_pem, FC_CSR_PEM_MAX);
    if (status == 0)
        status = mbedtls_x509write_csr_pem(&writer, at, FC_CSR_PEM_MAX, fc_compat_random, NULL);
    mbedtls_x509write_csr_free(&writer);
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make a signing request (Mbed TLS -0x%04x)",
                           (unsigned int)-status);
    fc_buf_commit(ret_pem, strlen((const char *)at));
    return FC_OK;
}

/* Mbed TLS reads the signature, but does not look whether it is true. */
static bool
is_signed_by_its_key(mbedtls_x509_csr *csr)
{
    unsigned char hash[32];
    mbedtls_md_type_t md;
    mbedtls_pk_type_t pk;
    const mbedtls_x509_buf *signature = fc_compat_csr_signature(csr, &md, &pk);
    return md == MBEDTLS_MD_SHA256 && pk == MBEDTLS_PK_ECDSA &&
           mbedtls_md(mbedtls_md_info_from_type(md), csr->cri.p, csr->cri.len, hash) == 0 &&
           mbedtls_pk_verify(&csr->pk, md, hash, sizeof hash, signature->p, signature->len) == 0;
}

/* CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, attributes [0] } (RFC 2986, 4.1).
 */
static bool
asks_for_nothing(const mbedtls_x509_csr *csr)
{
    static const int before[] = {MBEDTLS_ASN1_INTEGER, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
                                 MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE};
    unsigned char *at = csr->cri.p, *end = csr->cri.p + csr->cri.len;
    size_t length;
    if (mbedtls_asn1_get_tag(&at, end, &length, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
        return false;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        if (mbedtls_asn1_get_tag(&at, end, &length, before[i]) != 0)
            return false;
        at += length;
    }
    return at == end ||
           (mbedtls_asn1_get_tag(&at, end, &length,
                                 MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED) == 0 &&
            length == 0 && at == end);
}

/* One relative name, the common one, and nothing beside it. */
static bool
has_name(const mbedtls_x509_csr *csr, const char *name)
{
    const mbedtls_x509_name *subject = &csr->subject;
    return subject->next == NULL && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &subject->oid) == 0 &&
           subject->val.len == strlen(name) && memcmp(subject->val.p, name, subject->val.len) == 0;
}

fc_err
fc_csr_check(const char *pem, size_t size, const char *name, mbedtls_x509_csr *ret_csr, fc_fail *fail)
{
    char text[FC_CSR_PEM_MAX + 1];
    if (size > FC_CSR_PEM_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "a signing request of %zu bytes; at most %d", size,
                           FC_CSR_PEM_MAX);
    if (size == 0) /* then pem may be NULL, which memcpy must not get */
        return fc_fail_set(fail, FC_ERR_INVALID, "there is no signing request");
    memcpy(text, pem, size);
    text[size] = '\0';
    int status = mbedtls_x509_csr_parse(ret_csr, (const unsigned char *)text, size + 1);
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "not a signing request (Mbed TLS -0x%04x)",
                           (unsigned int)-status);
    if (!fc_x509_key_is_p256(&ret_csr->pk))
        return fc_fail_set(fail, FC_ERR_INVALID, "the signing request's key is not of the curve P-256");
    if (!is_signed_by_its_key(ret_csr))
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "the signing request is not signed with its own key and SHA-256");
    if (!has_name(ret_csr, name))
        return fc_fail_set(fail, FC_ERR_INVALID, "the signing request's subject is not CN=%.63s", name);
    if (!asks_for_nothing(ret_csr))
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "the signing request asks for extensions; only a name is granted");
    return FC_OK;
}
