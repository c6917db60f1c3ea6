/* session.h: what lets a client come back without a full handshake.
 *
 * Server: the session (with the peer's certificate) travels in a sealed ticket; a ticket is taken only while
 * its certificate would be admitted. Client: the last session of each fc_tls is kept in memory.
 */
#ifndef FC_TLS_SESSION_H
#define FC_TLS_SESSION_H

#include "common/tls/compat.h"

/* For mbedtls_ssl_conf_session_tickets_cb; the context is the server's fc_credentials. */
int
fc_session_write(void *credentials, const mbedtls_ssl_session *session, unsigned char *start,
                 const unsigned char *end, size_t *ret_size, uint32_t *ret_lifetime_s);
int
fc_session_parse(void *credentials, mbedtls_ssl_session *session, unsigned char *ticket, size_t size);

#endif
