/* policy.h: may this call be? Asked of every call, on both sides, before anything else is done for it.
 *
 * Internal to the room. Pure, but for the counters.
 */
#ifndef FC_RPC_POLICY_H
#define FC_RPC_POLICY_H

#include "common/rpc/rpc.h"

#include <stdbool.h>

/* Deny by default: a known method (NULL: it is not), a role that may call it, served here, not too many open.
 * `path` is what the peer called it. With the status why not. */
bool
fc_rpc_policy_may_be_called(fc_rpc_conn *conn, const fc_rpc_method *method, const char *path,
                            fc_rpc_status *ret_status);
/* May we start one? */
bool
fc_rpc_policy_may_call(const fc_rpc_conn *conn, fc_rpc_status *ret_status);

#endif
