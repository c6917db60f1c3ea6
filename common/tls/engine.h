/* engine.h: NNG's TLS operations, done by Mbed TLS with the credentials of an fc_tls.
 *
 * NNG calls everything here on its own threads, for one connection at a time under that connection's lock.
 */
#ifndef FC_TLS_ENGINE_H
#define FC_TLS_ENGINE_H

#include "common/base/principal.h"
#include "common/tls/tls.h"

#include <stdbool.h>

struct nng_stream;
struct nng_tls_config;

/* Makes our engine NNG's and allocates a configuration that holds `tls`. */
FC_MUST_USE fc_err fc_engine_config(fc_tls *tls, fc_tls_mode mode, struct nng_tls_config **ret_config,
                                    fc_fail *fail);
/* See fc_tls_identify. */
bool fc_engine_identify(struct nng_stream *stream, fc_principal *ret_peer);
/* See fc_tls_shutdown. */
bool fc_engine_shutdown(struct nng_stream *stream);

#endif
