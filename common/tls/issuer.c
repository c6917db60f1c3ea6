#include "common/tls/issuer.h"

#include "common/base/mem.h"
#include "common/tls/csr.h"
#include "common/tls/identity.h"
#include "common/tls/pem.h"
#include "common/tls/x509.h"

#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

struct fc_issuer {
    mbedtls_x509_crt ca;             /* all of the file */
    const mbedtls_x509_crt *issuing; /* borrowed from ca: the one whose key it is */
    mbedtls_pk_context key;
    fc_buf ca_pem;
};

static fc_err
take_ca(fc_issuer *issuer, const char *ca_path, const char *key_path, fc_fail *fail)
{
    for (mbedtls_x509_crt *at = &issuer->ca; at != NULL; at = at->next) {
        if (!fc_compat_is_ca(at))
            return fc_fail_set(fail, FC_ERR_INVALID, "%s holds a certificate that is no CA's", ca_path);
        if (issuer->issuing == NULL && fc_x509_key_is_p256(&at->pk) &&
            fc_compat_key_pairs(&at->pk, &issuer->key) == 0)
            issuer->issuing = at;
        fc_err err = fc_pem_certificate_write(at, &issuer->ca_pem, fail);
        if (err != FC_OK)
            return err;
    }
    if (issuer->issuing == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s is not the key of a CA in %s", key_path, ca_path);
    if (mbedtls_x509_crt_check_key_usage(issuer->issuing,
                                         MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN) != 0)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "the CA of %s may not sign certificates and revocation lists", key_path);
    return FC_OK;
}

fc_err
fc_issuer_open(const char *ca_path, const char *key_path, fc_issuer **ret_issuer, fc_fail *fail)
{
    fc_issuer *issuer = FC_NEW(fc_issuer);
    mbedtls_x509_crt_init(&issuer->ca);
    mbedtls_pk_init(&issuer->key);
    fc_err err = fc_pem_certificates_read(ca_path, &issuer->ca, fail);
    if (err == FC_OK)
        err = fc_pem_key_read(key_path, &issuer->key, fail);
    if (err == FC_OK)
        err = take_ca(issuer, ca_path, key_path, fail);
    if (err == FC_OK)
        *ret_issuer = issuer;
    else
        fc_issuer_close(issuer);
    return err;
}

void
fc_issuer_close(fc_issuer *issuer)
{
    if (issuer == NULL)
        return;
    mbedtls_x509_crt_free(&issuer->ca);
    mbedtls_pk_free(&issuer->key);
    fc_buf_fini(&issuer->ca_pem);
    free(issuer);
}

const char *
fc_issuer_ca_pem(const fc_issuer *issuer)
{
    /* Appends the NUL, which is there already from the first call on. */
    return fc_buf_text((fc_buf *)&issuer->ca_pem);
}

fc_err
fc_issuer_look(const char *csr_pem, size_t size, const char *name, uint8_t ret_key_sha256[32], fc_fail *fail)
{
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    fc_err err = fc_csr_check(csr_pem, size, name, &csr, fail);
    if (err == FC_OK)
        err = fc_x509_key_digest(&csr.pk, ret_key_sha256, fail);
    mbedtls_x509_csr_free(&csr);
    return err;
}

/* No certificate outlives its CA. */
static fc_err
make_spec(const fc_issuer *issuer, const fc_issue *issue, fc_x509_spec *ret_spec, fc_fail *fail)
{
    int64_t ca_end_unix_s = fc_identity_time(&issuer->issuing->valid_to).ns / FC_NS_PER_S;
    fc_x509_spec spec = {
        .fleet = issue->fleet,
        .role = FC_ROLE_NODE,
        .name = issue->name,
        .scale_set = issue->scale_set,
        .region = issue->region,
        .not_before_unix_s = issue->not_before_unix_s,
        .not_after_unix_s = issue->not_after_unix_s < ca_end_unix_s ? issue->not_after_unix_s : ca_end_unix_s,
    };
    if (!fc_name_check(issue->fleet))
        return fc_fail_field(fail, FC_ERR_INVALID, "fleet", "\"%.64s\" is not a name", issue->fleet);
    if (!fc_name_check(issue->name))
        return fc_fail_field(fail, FC_ERR_INVALID, "name", "\"%.64s\" is not a name", issue->name);
    if (mbedtls_x509_time_is_past(&issuer->issuing->valid_to))
        return fc_fail_set(fail, FC_ERR_STATE, "the CA's certificate has expired");
    if (spec.not_after_unix_s <= spec.not_before_unix_s)
        return fc_fail_set(fail, FC_ERR_RANGE, "the certificate would end before it begins");
    fc_x509_serial_make(spec.serial);
    *ret_spec = spec;
    return FC_OK;
}

/* Who the certificate says it is, by the eyes of those who will read it. */
static fc_err
read_back(const fc_buf *pem, fc_principal *ret_principal, fc_fail *fail)
{
    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    fc_err err =
        fc_pem_certificates(fc_buf_bytes(pem), fc_buf_size(pem), "the certificate just made", &crt, fail);
    if (err == FC_OK)
        err = fc_identity_check(&crt, FC_TLS_CLIENT, ret_principal, fail);
    mbedtls_x509_crt_free(&crt);
    return err;
}

fc_err
fc_issuer_sign(fc_issuer *issuer, const fc_issue *issue, const char *csr_pem, size_t size, fc_buf *ret_pem,
               fc_principal *ret_principal, fc_fail *fail)
{
    fc_x509_spec spec;
    fc_buf pem = {0};
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    fc_err err = make_spec(issuer, issue, &spec, fail);
    if (err == FC_OK)
        err = fc_csr_check(csr_pem, size, issue->name, &csr, fail);
    if (err == FC_OK)
        err = fc_x509_issue(&spec, &csr.pk, issuer->issuing, &issuer->key, &pem, fail);
    if (err == FC_OK)
        err = read_back(&pem, ret_principal, fail);
    if (err == FC_OK)
        fc_buf_append(ret_pem, fc_buf_bytes(&pem), fc_buf_size(&pem));
    fc_buf_fini(&pem);
    mbedtls_x509_csr_free(&csr);
    return err;
}

fc_err
fc_issuer_derive(fc_issuer *issuer, const char *label, const char *text,
                 uint8_t ret_bytes[FC_ISSUER_DERIVED_SIZE], fc_fail *fail)
{
    enum { KEY_DER_MAX = 512 }; /* of a P-256 key: 121 bytes */
    uint8_t der[KEY_DER_MAX];
    fc_buf message = {0};
    fc_buf_append(&message, label, strlen(label) + 1);
    fc_buf_append(&message, text, strlen(text));
    /* Written from the end of the buffer. */
    int size = mbedtls_pk_write_key_der(&issuer->key, der, sizeof der);
    int rc = size <= 0 ? -1
                       : mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                         der + sizeof der - (size_t)size, (size_t)size,
                                         fc_buf_bytes(&message), fc_buf_size(&message), ret_bytes);
    mbedtls_platform_zeroize(der, sizeof der);
    fc_buf_fini(&message);
    return rc == 0 ? FC_OK : fc_fail_set(fail, FC_ERR_INTERNAL, "nothing can be derived from the CA's key");
}

fc_err
fc_issuer_crl(fc_issuer *issuer, const fc_crl_spec *spec, fc_buf *ret_pem, fc_fail *fail)
{
    return fc_crl_write(spec, issuer->issuing, &issuer->key, ret_pem, fail);
}
