#include "common/tls/credentials.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/chain.h"
#include "common/tls/connection.h"
#include "common/tls/enrol.h"
#include "common/tls/identity.h"
#include "common/tls/pem.h"
#include "common/tls/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

enum {
    CRL_FILE_MAX = 16 * 1024 * 1024, /* about 300,000 revoked serial numbers */
};

/* Mbed TLS 2.28 compares DNS names only (x509_crt_check_cn), and SNI carries no addresses (RFC 6066, section
 * 3): who dials an address expects the name that every coordinator of the fleet carries. */
static bool
is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* ---- reading files ---- */

static const char *
file_path(const fc_tls_files *files, size_t i)
{
    const char *const paths[FC_CREDENTIALS_FILES] = {files->ca, files->certificate, files->key, files->crl,
                                                     files->own_crl};
    return paths[i];
}

static bool
stamp(const char *path, fc_credentials_stamp *ret_stamp)
{
    struct stat st;
    *ret_stamp = (fc_credentials_stamp){0};
    if (path == NULL)
        return true;
    if (stat(path, &st) != 0)
        return false;
    ret_stamp->device = st.st_dev;
    ret_stamp->inode = st.st_ino;
    ret_stamp->size = st.st_size;
    ret_stamp->modified = st.st_mtim;
    return true;
}

bool
fc_credentials_changed(const fc_credentials *credentials, const fc_tls_files *files)
{
    for (size_t i = 0; i < FC_CREDENTIALS_FILES; i++) {
        const fc_credentials_stamp *then = &credentials->stamps[i];
        fc_credentials_stamp now;
        if (!stamp(file_path(files, i), &now) || now.device != then->device || now.inode != then->inode ||
            now.size != then->size || now.modified.tv_sec != then->modified.tv_sec ||
            now.modified.tv_nsec != then->modified.tv_nsec)
            return true;
    }
    return false;
}

static fc_err
read_key(fc_credentials *credentials, const fc_tls_files *files, fc_fail *fail)
{
    fc_err err = fc_pem_key_read(files->key, &credentials->key, fail);
    if (err == FC_OK && fc_compat_key_pairs(&credentials->chain.pk, &credentials->key) != 0)
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s is not the key of the certificate in %s", files->key,
                          files->certificate);
    return err;
}

/* ---- revocation ---- */

static int
compare_serials(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool
fc_credentials_revoked(const fc_credentials *credentials, const char *serial)
{
    return credentials->revoked_count > 0 && bsearch(serial, credentials->revoked, credentials->revoked_count,
                                                     sizeof(fc_serial), compare_serials) != NULL;
}

/* Is the list signed by one of our CAs? Checked here, once, and not by every handshake (2 ms each). */
static bool
crl_is_signed(const mbedtls_x509_crl *crl, mbedtls_x509_crt *ca)
{
    uint8_t digest[MBEDTLS_MD_MAX_SIZE];
    mbedtls_md_type_t md;
    const mbedtls_x509_buf *signature = fc_compat_crl_signature(crl, &md);
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
    if (info == NULL || mbedtls_md(info, crl->tbs.p, crl->tbs.len, digest) != 0)
        return false;
    for (; ca != NULL; ca = ca->next) {
        if (crl->issuer_raw.len == ca->subject_raw.len &&
            memcmp(crl->issuer_raw.p, ca->subject_raw.p, ca->subject_raw.len) == 0 &&
            mbedtls_x509_crt_check_key_usage(ca, MBEDTLS_X509_KU_CRL_SIGN) == 0 &&
            mbedtls_pk_verify(&ca->pk, md, digest, mbedtls_md_get_size(info), signature->p, signature->len) ==
                0)
            return true;
    }
    return false;
}

static fc_err
take_serials(fc_credentials *credentials, const mbedtls_x509_crl *crl, const char *path, fc_fail *fail)
{
    size_t count = 0;
    for (const mbedtls_x509_crl_entry *at = &crl->entry; at != NULL; at = at->next)
        count++;
    credentials->revoked =
        fc_grow_array(credentials->revoked, credentials->revoked_count + count, sizeof(fc_serial));
    for (const mbedtls_x509_crl_entry *at = &crl->entry; at != NULL; at = at->next) {
        /* The parser leaves an empty entry in a list that revokes nothing. */
        if (at->serial.len == 0)
            continue;
        if (fc_identity_serial(at->serial.p, at->serial.len,
                               credentials->revoked[credentials->revoked_count]) != FC_OK)
            return fc_fail_set(fail, FC_ERR_CORRUPT, "%s has a serial number that is too long", path);
        credentials->revoked_count++;
    }
    return FC_OK;
}

static fc_err
read_crl(fc_credentials *credentials, const char *path, fc_fail *fail)
{
    mbedtls_x509_crl crl;
    mbedtls_x509_crl_init(&crl);
    fc_buf pem = {0};
    fc_err err = fc_file_read(AT_FDCWD, path, CRL_FILE_MAX, &pem, fail);
    if (err != FC_OK)
        goto out;
    (void)fc_buf_text(&pem);
    int status = mbedtls_x509_crl_parse(&crl, fc_buf_bytes(&pem), fc_buf_size(&pem) + 1);
    if (status != 0) {
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not a PEM revocation list (Mbed TLS -0x%04x)", path,
                          (unsigned int)-status);
        goto out;
    }
    for (const mbedtls_x509_crl *at = &crl; at != NULL && err == FC_OK; at = at->next) {
        char when[FC_TIME_TEXT_SIZE];
        if (!crl_is_signed(at, &credentials->ca))
            err = fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "%s is not signed by the CA", path);
        else if (mbedtls_x509_time_is_past(&at->next_update))
            err = fc_fail_set(fail, FC_ERR_STATE, "%s was to be replaced by %s", path,
                              fc_wall_text(fc_identity_time(&at->next_update), when));
        else
            err = take_serials(credentials, at, path, fail);
    }
    if (credentials->revoked_count > 0)
        qsort(credentials->revoked, credentials->revoked_count, sizeof(fc_serial), compare_serials);
out:
    mbedtls_x509_crl_free(&crl);
    fc_buf_fini(&pem);
    return err;
}

/* ---- the checks ---- */

fc_err
fc_credentials_check(const fc_credentials *credentials, const fc_principal *peer, fc_fail *fail)
{
    char who[FC_PRINCIPAL_TEXT_SIZE];
    char when[FC_TIME_TEXT_SIZE];
    if (fc_credentials_revoked(credentials, peer->serial))
        return fc_fail_set(fail, FC_ERR_DENIED, "certificate %s of %s is revoked", peer->serial,
                           fc_principal_text(peer, who));
    if (fc_clock_wall(&fc_clock_system).ns > peer->not_after.ns)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "certificate %s of %s expired at %s", peer->serial,
                           fc_principal_text(peer, who), fc_wall_text(peer->not_after, when));
    return FC_OK;
}

fc_err
fc_credentials_admit(const fc_credentials *credentials, const mbedtls_x509_crt *leaf, fc_principal *ret_peer,
                     fc_fail *fail)
{
    fc_principal peer;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_tls_mode other = credentials->mode == FC_TLS_CLIENT ? FC_TLS_SERVER : FC_TLS_CLIENT;
    fc_err err = fc_identity_check(leaf, other, &peer, fail);
    if (err != FC_OK)
        return err;
    if (strcmp(peer.fleet, credentials->own.fleet) != 0)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "%s is of fleet %s, not of ours, %s",
                           fc_principal_text(&peer, who), peer.fleet, credentials->own.fleet);
    if (mbedtls_x509_time_is_future(&leaf->valid_from))
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "certificate %s of %s is not valid yet: is the clock right?", peer.serial,
                           fc_principal_text(&peer, who));
    err = fc_credentials_check(credentials, &peer, fail);
    if (err == FC_OK)
        *ret_peer = peer;
    return err;
}

/* ---- life ---- */

static const int ciphersuites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    0,
};

static fc_err
configure(fc_credentials *credentials, fc_fail *fail)
{
    mbedtls_ssl_config *config = &credentials->config;
    int endpoint = credentials->mode == FC_TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    int status = mbedtls_ssl_config_defaults(config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                             MBEDTLS_SSL_PRESET_DEFAULT);
    if (status == 0 && !credentials->pinned)
        status = mbedtls_ssl_conf_own_cert(config, &credentials->chain, &credentials->key);
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "Mbed TLS refuses its configuration (-0x%04x)",
                           (unsigned int)-status);
    fc_compat_restrict(config);
    mbedtls_ssl_conf_rng(config, fc_compat_random, NULL);
    mbedtls_ssl_conf_ciphersuites(config, ciphersuites);
    mbedtls_ssl_conf_cert_profile(config, &fc_chain_profile);
    /* Who knows only a digest has no CA that Mbed TLS could verify by: fc_enrol_admit does it, before
     * anything else is sent. */
    mbedtls_ssl_conf_authmode(config,
                              credentials->pinned ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (credentials->enrolment)
        mbedtls_ssl_conf_sni(config, fc_connection_name_server, NULL);
    /* Revocation is checked in fc_credentials_admit, for resumed sessions too. */
    mbedtls_ssl_conf_ca_chain(config, &credentials->ca, NULL);
    if (credentials->mode == FC_TLS_SERVER)
        mbedtls_ssl_conf_session_tickets_cb(config, fc_session_write, fc_session_parse, credentials);
    else
        mbedtls_ssl_conf_session_tickets(config, credentials->pinned ? MBEDTLS_SSL_SESSION_TICKETS_DISABLED
                                                                     : MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    return FC_OK;
}

fc_err
fc_credentials_pin(const fc_credentials *credentials, uint8_t ret_pin[32], fc_fail *fail)
{
    for (const mbedtls_x509_crt *ca = &credentials->ca; ca != NULL; ca = ca->next) {
        uint32_t flags = fc_chain_verify(&credentials->chain, ca);
        if (fc_compat_is_ca(ca) && (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0)
            return fc_chain_digest(ca, ret_pin);
    }
    return fc_fail_set(fail, FC_ERR_STATE,
                       "no CA of the CA file has signed our certificate itself: nothing to know us by");
}

static void
digest_ca(fc_credentials *credentials)
{
    uint8_t block[64] = {0};
    for (const mbedtls_x509_crt *ca = &credentials->ca; ca != NULL; ca = ca->next) {
        memcpy(block, credentials->ca_digest, 32);
        (void)mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), ca->raw.p, ca->raw.len, block + 32);
        (void)mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), block, sizeof block,
                         credentials->ca_digest);
    }
}

static fc_err
load(fc_credentials *credentials, const fc_tls_files *files, fc_fail *fail)
{
    /* Stamped before they are read: a file that changes meanwhile shows as changed at the next look. */
    for (size_t i = 0; i < FC_CREDENTIALS_FILES; i++)
        (void)stamp(file_path(files, i), &credentials->stamps[i]);
    fc_err err = fc_pem_certificates_read(files->ca, &credentials->ca, fail);
    if (err == FC_OK)
        err = fc_pem_certificates_read(files->certificate, &credentials->chain, fail);
    if (err == FC_OK)
        err = read_key(credentials, files, fail);
    if (err == FC_OK && files->crl != NULL)
        err = read_crl(credentials, files->crl, fail);
    if (err == FC_OK && files->own_crl != NULL)
        err = read_crl(credentials, files->own_crl, fail);
    if (err != FC_OK)
        return err;
    fc_fail why = {0};
    err = fc_identity_check(&credentials->chain, credentials->mode, &credentials->own, &why);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s: %s", files->certificate, why.text);
    credentials->server_name = files->server_name != NULL && !is_address(files->server_name)
                                   ? fc_strdup(files->server_name)
                                   : fc_sprintf("coordinator.%s", credentials->own.fleet);
    digest_ca(credentials);
    credentials->enrolment = credentials->mode == FC_TLS_SERVER && files->enrolment;
    if (credentials->enrolment)
        err = fc_enrol_chain(&credentials->chain, &credentials->ca, &credentials->enrol_chain, fail);
    if (err != FC_OK)
        return err;
    return configure(credentials, fail);
}

static fc_credentials *
credentials_alloc(fc_tls_mode mode, fc_tickets *tickets)
{
    fc_credentials *credentials = FC_NEW(fc_credentials);
    atomic_init(&credentials->references, 1);
    credentials->mode = mode;
    credentials->tickets = tickets;
    mbedtls_x509_crt_init(&credentials->ca);
    mbedtls_x509_crt_init(&credentials->chain);
    mbedtls_x509_crt_init(&credentials->enrol_chain);
    mbedtls_pk_init(&credentials->key);
    mbedtls_ssl_config_init(&credentials->config);
    return credentials;
}

/* Gives them away when all went well, else drops them. */
static fc_err
hand_out(fc_credentials *credentials, fc_err err, fc_credentials **ret_credentials)
{
    if (err == FC_OK)
        *ret_credentials = credentials;
    else
        fc_credentials_drop(credentials);
    return err;
}

fc_err
fc_credentials_load(fc_tls_mode mode, const fc_tls_files *files, fc_tickets *tickets,
                    fc_credentials **ret_credentials, fc_fail *fail)
{
    fc_credentials *credentials = credentials_alloc(mode, tickets);
    return hand_out(credentials, load(credentials, files, fail), ret_credentials);
}

fc_err
fc_credentials_pinned(const uint8_t pin[32], fc_credentials **ret_credentials, fc_fail *fail)
{
    fc_credentials *credentials = credentials_alloc(FC_TLS_CLIENT, NULL);
    credentials->pinned = true;
    memcpy(credentials->pin, pin, sizeof credentials->pin);
    credentials->server_name = fc_strdup(FC_TLS_ENROL_NAME);
    return hand_out(credentials, configure(credentials, fail), ret_credentials);
}

fc_credentials *
fc_credentials_hold(fc_credentials *credentials)
{
    atomic_fetch_add(&credentials->references, 1);
    return credentials;
}

void
fc_credentials_drop(fc_credentials *credentials)
{
    if (credentials == NULL || atomic_fetch_sub(&credentials->references, 1) != 1)
        return;
    mbedtls_ssl_config_free(&credentials->config);
    mbedtls_pk_free(&credentials->key);
    mbedtls_x509_crt_free(&credentials->enrol_chain);
    mbedtls_x509_crt_free(&credentials->chain);
    mbedtls_x509_crt_free(&credentials->ca);
    free(credentials->revoked);
    free(credentials->server_name);
    free(credentials);
}
