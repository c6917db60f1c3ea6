#include "common/rpc/put.h"

#include "common/rpc/conn.h"

/* protobuf-c's strings and bytes are not const; packing does not write to them. */
#define LENT(text) ((char *)(uintptr_t)(text))

void
fc_rpc_put_request(fc_rpc_conn *conn, uint32_t stream_id, const char *method, uint32_t timeout_ms,
                   uint32_t window_bytes)
{
    Fcpb__Request body = FCPB__REQUEST__INIT;
    body.method = LENT(method);
    body.timeout_ms = timeout_ms;
    body.window_bytes = window_bytes;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_REQUEST;
    frame.request = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_message(fc_rpc_conn *conn, uint32_t stream_id, const uint8_t *bytes, size_t size,
                   bool end_of_stream)
{
    Fcpb__Message body = FCPB__MESSAGE__INIT;
    body.payload.data = (uint8_t *)(uintptr_t)bytes;
    body.payload.len = size;
    body.end_of_stream = end_of_stream;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_MESSAGE;
    frame.message = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_status(fc_rpc_conn *conn, uint32_t stream_id, const fc_rpc_status *status)
{
    Fcpb__ErrorDetail detail = FCPB__ERROR_DETAIL__INIT;
    Fcpb__ErrorDetail *details[] = {&detail};
    Fcpb__Status body = FCPB__STATUS__INIT;
    body.code = (uint32_t)status->code;
    body.message = LENT(status->message);
    if (status->field[0] != '\0' || status->instance[0] != '\0') {
        detail.field = LENT(status->field);
        detail.instance = LENT(status->instance);
        body.details = details;
        body.n_details = 1;
    }
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_STATUS;
    frame.status = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_cancel(fc_rpc_conn *conn, uint32_t stream_id)
{
    Fcpb__Cancel body = FCPB__CANCEL__INIT;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_CANCEL;
    frame.cancel = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_window(fc_rpc_conn *conn, uint32_t stream_id, uint32_t bytes)
{
    Fcpb__WindowUpdate body = FCPB__WINDOW_UPDATE__INIT;
    body.bytes = bytes;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_WINDOW_UPDATE;
    frame.window_update = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_ping(fc_rpc_conn *conn, int64_t origin_unix_ns)
{
    Fcpb__Ping body = FCPB__PING__INIT;
    body.origin_unix_ns = origin_unix_ns;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.body_case = FCPB__FRAME__BODY_PING;
    frame.ping = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_pong(fc_rpc_conn *conn, int64_t origin_unix_ns, int64_t receive_unix_ns, int64_t transmit_unix_ns)
{
    Fcpb__Pong body = FCPB__PONG__INIT;
    body.origin_unix_ns = origin_unix_ns;
    body.receive_unix_ns = receive_unix_ns;
    body.transmit_unix_ns = transmit_unix_ns;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.body_case = FCPB__FRAME__BODY_PONG;
    frame.pong = &body;
    fc_rpc_conn_put(conn, &frame);
}

void
fc_rpc_put_go_away(fc_rpc_conn *conn, const char *reason)
{
    Fcpb__GoAway body = FCPB__GO_AWAY__INIT;
    body.reason = LENT(reason);
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.body_case = FCPB__FRAME__BODY_GO_AWAY;
    frame.go_away = &body;
    fc_rpc_conn_put(conn, &frame);
}
