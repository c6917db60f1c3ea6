#include "common/rpc/policy.h"

#include "common/rpc/conn.h"
#include "common/rpc/guests.h"

bool
fc_rpc_policy_may_be_called(fc_rpc_conn *conn, const fc_rpc_method *method, const char *path,
                            fc_rpc_status *ret_status)
{
    fc_rpc_counters *counters = &conn->endpoint->counters;
    char peer[FC_PRINCIPAL_TEXT_SIZE], text[96];
    (void)fc_principal_text(&conn->peer, peer);
    if (method == NULL) {
        counters->calls_unknown++;
        fc_rpc_frame_text(text, sizeof text, path);
        *ret_status = fc_rpc_status_make(FC_CODE_UNIMPLEMENTED, "there is no method %s", text);
    } else if ((method->roles & (unsigned)conn->peer.role) == 0) {
        counters->calls_denied++;
        *ret_status = fc_rpc_status_make(FC_CODE_PERMISSION_DENIED, "%s may not call %s", peer, method->path);
    } else if (conn->endpoint->served[method->id].handler == NULL) {
        counters->calls_unknown++;
        *ret_status = fc_rpc_status_make(FC_CODE_UNIMPLEMENTED, "%s is not served here", method->path);
    } else if (conn->peer_count >= (fc_rpc_guest_is(conn) ? FC_RPC_GUEST_STREAMS_MAX : FC_RPC_STREAMS_MAX)) {
        counters->calls_limited++;
        *ret_status = fc_rpc_status_make(FC_CODE_RESOURCE_EXHAUSTED, "%s has %u calls open already", peer,
                                         conn->peer_count);
    } else {
        return true;
    }
    return false;
}

bool
fc_rpc_policy_may_call(const fc_rpc_conn *conn, fc_rpc_status *ret_status)
{
    if (conn->state == FC_RPC_CONN_OPEN && !conn->peer_goes && conn->own_count < FC_RPC_STREAMS_MAX &&
        conn->next_stream_id < UINT32_MAX - 2)
        return true;
    if (conn->own_count >= FC_RPC_STREAMS_MAX)
        *ret_status = fc_rpc_status_make(FC_CODE_RESOURCE_EXHAUSTED, "%u calls are open to %s already",
                                         conn->own_count, conn->address);
    else if (conn->peer_goes)
        *ret_status = fc_rpc_status_make(FC_CODE_UNAVAILABLE, "%s is closing the connection: %s",
                                         conn->address, conn->peer_reason);
    else
        *ret_status =
            fc_rpc_status_make(FC_CODE_UNAVAILABLE, "the connection to %s is not open", conn->address);
    return false;
}
