#include "common/tls/session.h"

#include "common/base/mem.h"
#include "common/tls/credentials.h"

#include <mbedtls/platform_util.h>
#include <stdlib.h>

/* A saved session is about 150 bytes and the peer's certificate; a leaf of ours has about 700. */
enum { SESSION_MAX = 16 * 1024 };

int
fc_session_write(void *context, const mbedtls_ssl_session *session, unsigned char *start,
                 const unsigned char *end, size_t *ret_size, uint32_t *ret_lifetime_s)
{
    const fc_credentials *credentials = context;
    size_t size = 0;
    size_t ticket_size = 0;
    *ret_size = 0;
    *ret_lifetime_s = 0;
    /* A ticket stands for a certificate. Mbed TLS makes an empty one of the error (RFC 5077, 3.3: none). */
    if (fc_compat_session_peer(session) == NULL)
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    uint8_t *plain = fc_alloc(SESSION_MAX);
    int status = mbedtls_ssl_session_save(session, plain, SESSION_MAX, &size);
    if (status == 0 && fc_tickets_seal(credentials->tickets, credentials->ca_digest, plain, size, start,
                                       (size_t)(end - start), &ticket_size) != FC_OK)
        status = MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    mbedtls_platform_zeroize(plain, SESSION_MAX);
    free(plain);
    if (status != 0)
        return status;
    *ret_size = ticket_size;
    *ret_lifetime_s = fc_tickets_lifetime_s();
    return 0;
}

/* An error means a full handshake, in which a peer that is not welcome hears why. */
int
fc_session_parse(void *context, mbedtls_ssl_session *session, unsigned char *ticket, size_t size)
{
    const fc_credentials *credentials = context;
    if (size < FC_TICKETS_OVERHEAD || size > SESSION_MAX)
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    size_t plain_size = 0;
    uint8_t *plain = fc_alloc(size);
    int status = MBEDTLS_ERR_SSL_INVALID_MAC;
    fc_err err =
        fc_tickets_open(credentials->tickets, credentials->ca_digest, ticket, size, plain, &plain_size);
    if (err == FC_OK)
        status = mbedtls_ssl_session_load(session, plain, plain_size);
    mbedtls_platform_zeroize(plain, size);
    free(plain);
    if (status != 0)
        return status;
    fc_principal peer;
    const mbedtls_x509_crt *leaf = fc_compat_session_peer(session);
    if (leaf == NULL || fc_credentials_admit(credentials, leaf, &peer, NULL) != FC_OK)
        return MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
    return 0;
}
