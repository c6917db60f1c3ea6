/* link_nng.h: a connection's transport over an nng_stream, and how NNG's errors read.
 *
 * Internal to the room. NNG's callbacks only post to the loop.
 */
#ifndef FC_RPC_LINK_NNG_H
#define FC_RPC_LINK_NNG_H

#include "common/base/loop.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/link.h"

#include <nng/nng.h>

/* Takes ownership of stream; one that NNG has dialled may still be connecting. Borrows the endpoint's loop
 * and identify. */
fc_rpc_link *
fc_rpc_link_nng_new(const fc_rpc_endpoint *endpoint, nng_stream *stream, bool dialled);
/* "10.77.0.2:41234", or "" when NNG does not know. */
void
fc_rpc_link_nng_address(nng_stream *stream, char *ret_text, size_t size);
/* "connection refused" and the like, for the end of a sentence. */
const char *
fc_rpc_link_nng_text(int nng_errno);
/* "HOST:PORT" or "[IPV6]:PORT" -> the URL for NNG, tls+tcp:// with TLS and tcp:// without. */
FC_MUST_USE fc_err
fc_rpc_link_nng_url(const char *address, bool tls, bool any_port, char **ret_url, fc_fail *fail);

#endif
