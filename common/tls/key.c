#include "common/tls/key.h"

#include "common/base/mem.h"
#include "common/tls/chain.h"
#include "common/tls/csr.h"
#include "common/tls/identity.h"
#include "common/tls/pem.h"
#include "common/tls/secret.h"
#include "common/tls/x509.h"

#include <stdlib.h>
#include <string.h>

struct fc_key {
    mbedtls_pk_context pk;
};

static fc_key *
key_alloc(void)
{
    fc_key *key = FC_NEW(fc_key);
    mbedtls_pk_init(&key->pk);
    return key;
}

/* Gives the key away when all went well, else frees it. */
static fc_err
hand_out(fc_key *key, fc_err err, fc_key **ret_key)
{
    if (err == FC_OK)
        *ret_key = key;
    else
        fc_key_free(key);
    return err;
}

fc_err
fc_key_new(fc_key **ret_key, fc_fail *fail)
{
    fc_key *key = key_alloc();
    return hand_out(key, fc_x509_key_make(&key->pk, fail), ret_key);
}

fc_err
fc_key_load(const char *path, fc_key **ret_key, fc_fail *fail)
{
    fc_key *key = key_alloc();
    return hand_out(key, fc_pem_key_read(path, &key->pk, fail), ret_key);
}

void
fc_key_free(fc_key *key)
{
    if (key == NULL)
        return;
    mbedtls_pk_free(&key->pk);
    free(key);
}

fc_err
fc_key_pem(fc_key *key, fc_buf *ret_pem, fc_fail *fail)
{
    return fc_x509_key_pem(&key->pk, ret_pem, fail);
}

void
fc_key_wipe(fc_buf *pem)
{
    fc_secret_fini(pem);
}

fc_err
fc_key_csr(fc_key *key, const char *name, fc_buf *ret_pem, fc_fail *fail)
{
    if (!fc_name_check(name))
        return fc_fail_field(fail, FC_ERR_INVALID, "name", "\"%.64s\" is not a name", name);
    return fc_csr_make(&key->pk, name, ret_pem, fail);
}

fc_err
fc_key_digest_text(fc_key *key, char ret_text[65], fc_fail *fail)
{
    uint8_t digest[32];
    fc_err err = fc_x509_key_digest(&key->pk, digest, fail);
    if (err == FC_OK)
        fc_hex_text(digest, sizeof digest, ret_text);
    return err;
}

/* ---- certificates ---- */

/* The leaf is a client's and belongs to the key. */
static fc_err
read_leaf(fc_key *key, const mbedtls_x509_crt *leaf, fc_key_certificate *ret_certificate, fc_fail *fail)
{
    fc_key_certificate found = {.not_before = fc_identity_time(&leaf->valid_from)};
    mbedtls_pk_context *public_key = (mbedtls_pk_context *)&leaf->pk;
    if (!fc_x509_key_is_p256(&leaf->pk) || fc_compat_key_pairs(public_key, &key->pk) != 0)
        return fc_fail_set(fail, FC_ERR_DENIED, "the certificate is of another key");
    fc_fail why = {0};
    if (fc_identity_check(leaf, FC_TLS_CLIENT, &found.principal, &why) != FC_OK)
        return fc_fail_set(fail, FC_ERR_DENIED, "%s", why.text);
    *ret_certificate = found;
    return FC_OK;
}

static fc_err
check_signature(mbedtls_x509_crt *chain, mbedtls_x509_crt *ca, fc_fail *fail)
{
    uint32_t flags = 0;
    int status =
        mbedtls_x509_crt_verify_with_profile(chain, ca, NULL, &fc_chain_profile, NULL, &flags, NULL, NULL);
    if (status == 0)
        return FC_OK;
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        return fc_fail_set(fail, FC_ERR_DENIED, "the certificate is not from the CA that came with it");
    if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "the certificate, or its CA's, has expired: is the clock right?");
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        return fc_fail_set(fail, FC_ERR_DENIED, "the certificate is not valid yet: is the clock right?");
    return fc_fail_set(fail, FC_ERR_DENIED, "the certificate is not acceptable (Mbed TLS flags 0x%x)",
                       (unsigned int)flags);
}

fc_err
fc_key_check(fc_key *key, const char *name, const char *certificate_pem, size_t certificate_size,
             const char *ca_pem, size_t ca_size, fc_key_certificate *ret_certificate, fc_fail *fail)
{
    fc_key_certificate found;
    mbedtls_x509_crt chain, ca;
    mbedtls_x509_crt_init(&chain);
    mbedtls_x509_crt_init(&ca);
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_err err = FC_OK;
    if (certificate_size > FC_PEM_CERTIFICATES_MAX || ca_size > FC_PEM_CERTIFICATES_MAX)
        err =
            fc_fail_set(fail, FC_ERR_CORRUPT, "a certificate of more than %d bytes", FC_PEM_CERTIFICATES_MAX);
    if (err == FC_OK)
        err = fc_pem_certificates(certificate_pem, certificate_size, "what came", &chain, fail);
    if (err == FC_OK)
        err = fc_pem_certificates(ca_pem, ca_size, "the CA that came", &ca, fail);
    if (err == FC_OK)
        err = read_leaf(key, &chain, &found, fail);
    if (err == FC_OK && (found.principal.role != FC_ROLE_NODE || strcmp(found.principal.name, name) != 0))
        err = fc_fail_set(fail, FC_ERR_DENIED, "the certificate is of %s, not of node/%.63s",
                          fc_principal_text(&found.principal, who), name);
    if (err == FC_OK)
        err = check_signature(&chain, &ca, fail);
    if (err == FC_OK)
        *ret_certificate = found;
    mbedtls_x509_crt_free(&ca);
    mbedtls_x509_crt_free(&chain);
    return err;
}

fc_err
fc_key_file_read(const char *path, fc_key_certificate *ret_certificate, fc_fail *fail)
{
    fc_key *key = NULL;
    fc_fail why = {0};
    mbedtls_x509_crt chain;
    mbedtls_x509_crt_init(&chain);
    fc_err err = fc_key_load(path, &key, fail);
    if (err == FC_OK)
        err = fc_pem_certificates_read(path, &chain, fail);
    if (err == FC_OK && read_leaf(key, &chain, ret_certificate, &why) != FC_OK)
        err = fc_fail_set(fail, why.err, "%s: %s", path, why.text);
    mbedtls_x509_crt_free(&chain);
    fc_key_free(key);
    return err;
}
