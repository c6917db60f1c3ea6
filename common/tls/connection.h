/* connection.h: one TLS connection, as NNG's engine operations.
 *
 * Life: init -> handshake (driven by the first send or receive) -> done -> closing -> fini; or refused, or
 * failed, after which every call gives the same error. NNG calls everything here on its own threads, for one
 * connection at a time under that connection's lock.
 */
#ifndef FC_TLS_CONNECTION_H
#define FC_TLS_CONNECTION_H

#include "common/tls/state.h"

#include <nng/supplemental/tls/engine.h>

struct nng_tls_engine_config {
    fc_tls *tls; /* held; NULL in the configurations that NNG makes for itself and that nobody uses */
};

extern nng_tls_engine_conn_ops fc_connection_ops;

/* For mbedtls_ssl_conf_sni of a server with enrolment. ssl is that of an engine connection. */
int
fc_connection_name_server(void *unused, mbedtls_ssl_context *ssl, const unsigned char *name, size_t size);

/* See fc_tls_identify and fc_tls_shutdown. */
bool
fc_connection_identify(struct nng_stream *stream, fc_principal *ret_peer);
bool
fc_connection_shutdown(struct nng_stream *stream);

#endif
