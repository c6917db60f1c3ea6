/* compat.h: everything that differs between Mbed TLS 2.28 and 3.x, and between NNG's engine versions 1 and 2.
 *
 * Debian 12 has NNG 1.5.2 and Mbed TLS 2.28; Debian 13 has NNG 1.10.1 and Mbed TLS 3.6. The rest of this
 * folder is written against the names below. Built and tested with the former; type-checked with the latter's
 * headers.
 */
#ifndef FC_TLS_COMPAT_H
#define FC_TLS_COMPAT_H

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

/* Version 2 of the engine interface: peer_cn, peer_alt_names and psk. */
#define FC_NNG_ENGINE_V2 (NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION >= 10)

/* The kernel's generator: no state of ours to share between threads or to fork. */
static inline int
fc_compat_random(void *unused, unsigned char *bytes, size_t size)
{
    (void)unused;
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom(bytes + done, size - done, 0);
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

#if MBEDTLS_VERSION_MAJOR >= 3

#define FC_EC_GROUP(keypair) (&(keypair)->MBEDTLS_PRIVATE(grp))

static inline int
fc_compat_key_parse(mbedtls_pk_context *key, const unsigned char *pem, size_t size)
{
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0, fc_compat_random, NULL);
}

static inline int
fc_compat_key_pairs(mbedtls_pk_context *public_key, mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key, fc_compat_random, NULL);
}

static inline int
fc_compat_sign(mbedtls_pk_context *key, const unsigned char *hash, size_t hash_size, unsigned char *signature,
               size_t capacity, size_t *ret_size)
{
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, hash_size, signature, capacity, ret_size,
                           fc_compat_random, NULL);
}

static inline bool
fc_compat_is_ca(const mbedtls_x509_crt *crt)
{
    return mbedtls_x509_crt_get_ca_istrue(crt) == 1;
}

static inline const mbedtls_x509_buf *
fc_compat_crl_signature(const mbedtls_x509_crl *crl, mbedtls_md_type_t *ret_md)
{
    *ret_md = crl->MBEDTLS_PRIVATE(sig_md);
    return &crl->MBEDTLS_PRIVATE(sig);
}

static inline const mbedtls_x509_buf *
fc_compat_csr_signature(const mbedtls_x509_csr *csr, mbedtls_md_type_t *ret_md, mbedtls_pk_type_t *ret_pk)
{
    *ret_md = csr->MBEDTLS_PRIVATE(sig_md);
    *ret_pk = csr->MBEDTLS_PRIVATE(sig_pk);
    return &csr->MBEDTLS_PRIVATE(sig);
}

static inline void
fc_compat_restrict(mbedtls_ssl_config *config)
{
    static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
    static const uint16_t algorithms[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_NONE};
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_sig_algs(config, algorithms);
}

/* Which alert the peer sent; not told by this version. */
static inline int
fc_compat_alert(const mbedtls_ssl_context *ssl)
{
    (void)ssl;
    return -1;
}

/* Is it an error of ours about the peer's certificate? */
static inline bool
fc_compat_is_refusal(int status)
{
    return status == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || status == MBEDTLS_ERR_SSL_BAD_CERTIFICATE ||
           status == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE;
}

/* The certificate in a session; NULL when it has none. */
static inline const mbedtls_x509_crt *
fc_compat_session_peer(const mbedtls_ssl_session *session)
{
    return session->MBEDTLS_PRIVATE(peer_cert);
}

static inline int
fc_compat_set_serial(mbedtls_x509write_cert *writer, const unsigned char *bytes, size_t size)
{
    unsigned char copy[MBEDTLS_X509_RFC5280_MAX_SERIAL_LEN];
    if (size > sizeof copy)
        return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
    for (size_t i = 0; i < size; i++)
        copy[i] = bytes[i];
    return mbedtls_x509write_crt_set_serial_raw(writer, copy, size);
}

#else /* 2.28 */

#define FC_EC_GROUP(keypair) (&(keypair)->grp)

static inline int
fc_compat_key_parse(mbedtls_pk_context *key, const unsigned char *pem, size_t size)
{
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0);
}

static inline int
fc_compat_key_pairs(mbedtls_pk_context *public_key, mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key);
}

static inline int
fc_compat_sign(mbedtls_pk_context *key, const unsigned char *hash, size_t hash_size, unsigned char *signature,
               size_t capacity, size_t *ret_size)
{
    if (capacity < MBEDTLS_PK_SIGNATURE_MAX_SIZE)
        return MBEDTLS_ERR_PK_BAD_INPUT_DATA;
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, hash_size, signature, ret_size, fc_compat_random,
                           NULL);
}

static inline bool
fc_compat_is_ca(const mbedtls_x509_crt *crt)
{
    return crt->ca_istrue != 0;
}

static inline const mbedtls_x509_buf *
fc_compat_crl_signature(const mbedtls_x509_crl *crl, mbedtls_md_type_t *ret_md)
{
    *ret_md = crl->sig_md;
    return &crl->sig;
}

static inline const mbedtls_x509_buf *
fc_compat_csr_signature(const mbedtls_x509_csr *csr, mbedtls_md_type_t *ret_md, mbedtls_pk_type_t *ret_pk)
{
    *ret_md = csr->sig_md;
    *ret_pk = csr->sig_pk;
    return &csr->sig;
}

static inline void
fc_compat_restrict(mbedtls_ssl_config *config)
{
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_curves(config, curves);
    mbedtls_ssl_conf_sig_hashes(config, hashes);
}

/* Which alert the peer sent, after MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE; -1 when not known. */
static inline int
fc_compat_alert(const mbedtls_ssl_context *ssl)
{
    return ssl->in_msgtype == MBEDTLS_SSL_MSG_ALERT && ssl->in_msg != NULL ? ssl->in_msg[1] : -1;
}

/* Is it an error of ours about the peer's certificate? */
static inline bool
fc_compat_is_refusal(int status)
{
    return status == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || status == MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE ||
           status == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE;
}

/* The certificate in a session; NULL when it has none. */
static inline const mbedtls_x509_crt *
fc_compat_session_peer(const mbedtls_ssl_session *session)
{
    return session->peer_cert;
}

static inline int
fc_compat_set_serial(mbedtls_x509write_cert *writer, const unsigned char *bytes, size_t size)
{
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    int status = mbedtls_mpi_read_binary(&serial, bytes, size);
    if (status == 0)
        status = mbedtls_x509write_crt_set_serial(writer, &serial);
    mbedtls_mpi_free(&serial);
    return status;
}

#endif
#endif
