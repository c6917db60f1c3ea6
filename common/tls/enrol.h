/* enrol.h: a connection on which the client has no certificate yet.
 *
 * The client says so by the server name FC_TLS_ENROL_NAME, and knows its coordinator by the CA's digest (the
 * pin in its token) alone. The server asks such a client for no certificate, shows it the CA certificates
 * beside its own, and takes it for nobody: role anonymous, whatever it may have shown. No session outlives
 * such a connection, and none from elsewhere is resumed on it.
 */
#ifndef FC_TLS_ENROL_H
#define FC_TLS_ENROL_H

#include "common/base/principal.h"
#include "common/tls/compat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The handshake message that carries it has to fit one record; a CA certificate of ours has 500 bytes. */
enum { FC_ENROL_CHAIN_MAX = 12 * 1024 };

/* Is it the name (RFC 6066, 3: host names do not care about case)? */
bool
fc_enrol_is_name(const unsigned char *name, size_t size);
/* Server: its own chain, then every CA that is not in it. FC_ERR_LIMIT past FC_ENROL_CHAIN_MAX. */
FC_MUST_USE fc_err
fc_enrol_chain(const mbedtls_x509_crt *own, const mbedtls_x509_crt *ca, mbedtls_x509_crt *ret_chain,
               fc_fail *fail);
/* Server: who the client is. */
void
fc_enrol_anonymous(const char *fleet, fc_principal *ret_peer);
/* Client: is this (what the server showed, its own certificate first) a coordinator's, signed by the CA with
 * this pin itself? FC_ERR_UNAUTHENTICATED with the sentence why not. */
FC_MUST_USE fc_err
fc_enrol_admit(const mbedtls_x509_crt *chain, const uint8_t pin[32], fc_principal *ret_peer, fc_fail *fail);

#endif
