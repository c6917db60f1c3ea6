/* put.h: the frames that we send, one function per kind; each queues on the connection (fc_rpc_conn_put).
 *
 * Internal to the room.
 */
#ifndef FC_RPC_PUT_H
#define FC_RPC_PUT_H

#include "common/rpc/rpc.h"

#include <stddef.h>
#include <stdint.h>

void
fc_rpc_put_request(fc_rpc_conn *conn, uint32_t stream_id, const char *method, uint32_t timeout_ms,
                   uint32_t window_bytes);
void
fc_rpc_put_message(fc_rpc_conn *conn, uint32_t stream_id, const uint8_t *bytes, size_t size,
                   bool end_of_stream);
void
fc_rpc_put_status(fc_rpc_conn *conn, uint32_t stream_id, const fc_rpc_status *status);
void
fc_rpc_put_cancel(fc_rpc_conn *conn, uint32_t stream_id);
void
fc_rpc_put_window(fc_rpc_conn *conn, uint32_t stream_id, uint32_t bytes);
void
fc_rpc_put_ping(fc_rpc_conn *conn, int64_t origin_unix_ns);
void
fc_rpc_put_pong(fc_rpc_conn *conn, int64_t origin_unix_ns, int64_t receive_unix_ns, int64_t transmit_unix_ns);
void
fc_rpc_put_go_away(fc_rpc_conn *conn, const char *reason);

#endif
