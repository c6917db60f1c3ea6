/* client.h: what fc_rpc_unary and fc_rpc_stream need of a client beyond rpc.h.
 *
 * Internal to the room.
 */
#ifndef FC_RPC_CLIENT_H
#define FC_RPC_CLIENT_H

#include "common/rpc/rpc.h"

/* A `once` client that will not connect any more; with the reason. */
bool
fc_rpc_client_over(const fc_rpc_client *client, fc_fail *ret_why);
const char *
fc_rpc_client_address(const fc_rpc_client *client); /* as it was given */
fc_loop *
fc_rpc_client_loop(const fc_rpc_client *client);

#endif
