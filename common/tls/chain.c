#include "common/tls/chain.h"

#include <string.h>

const mbedtls_x509_crt_profile fc_chain_profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
    0,
};

fc_err
fc_chain_digest(const mbedtls_x509_crt *crt, uint8_t ret_digest[32])
{
    int status =
        mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt->raw.p, crt->raw.len, ret_digest);
    return status == 0 ? FC_OK : FC_ERR_INTERNAL;
}

const mbedtls_x509_crt *
fc_chain_find(const mbedtls_x509_crt *list, const uint8_t digest[32])
{
    uint8_t at_digest[32];
    for (const mbedtls_x509_crt *at = list; at != NULL; at = at->next)
        if (fc_compat_is_ca(at) && fc_chain_digest(at, at_digest) == FC_OK &&
            memcmp(at_digest, digest, sizeof at_digest) == 0)
            return at;
    return NULL;
}

fc_err
fc_chain_append(mbedtls_x509_crt *list, const mbedtls_x509_crt *crt)
{
    return mbedtls_x509_crt_parse_der(list, crt->raw.p, crt->raw.len) == 0 ? FC_OK : FC_ERR_INTERNAL;
}

uint32_t
fc_chain_verify(const mbedtls_x509_crt *leaf, const mbedtls_x509_crt *ca)
{
    /* Copies, so that nothing that came along with either is taken for a link between them. */
    mbedtls_x509_crt one, anchor;
    mbedtls_x509_crt_init(&one);
    mbedtls_x509_crt_init(&anchor);
    uint32_t flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    if (fc_chain_append(&one, leaf) == FC_OK && fc_chain_append(&anchor, ca) == FC_OK) {
        uint32_t found = 0;
        int status = mbedtls_x509_crt_verify_with_profile(&one, &anchor, NULL, &fc_chain_profile, NULL,
                                                          &found, NULL, NULL);
        /* An error without a flag is none of the certificate's, and no yes either. */
        flags = status == 0 || found != 0 ? found : MBEDTLS_X509_BADCERT_OTHER;
    }
    mbedtls_x509_crt_free(&anchor);
    mbedtls_x509_crt_free(&one);
    return flags;
}
