#include "rpc_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- clock ---- */

static fc_mono
mono_now(const fc_clock *clock)
{
    const rig *r = (const rig *)(const void *)((const char *)clock - offsetof(rig, clock));
    return (fc_mono){r->mono_ns};
}

static fc_wall
wall_now(const fc_clock *clock)
{
    return (fc_wall){1700000000 * FC_NS_PER_S + mono_now(clock).ns};
}

/* ---- link ---- */

static rig_end *
of(fc_rpc_link *link)
{
    return FC_CONTAINER(link, rig_end, link);
}

static void
link_receive(fc_rpc_link *link, uint8_t *space, size_t size)
{
    assert_null(of(link)->space);
    assert_true(size > 0);
    of(link)->space = space;
    of(link)->room = size;
}

static void
link_send(fc_rpc_link *link, const uint8_t *bytes, size_t size)
{
    assert_null(of(link)->lent);
    assert_true(size > 0);
    of(link)->lent = bytes;
    of(link)->lent_size = size;
}

static bool
link_identify(fc_rpc_link *link, fc_principal *ret_peer)
{
    *ret_peer = of(link)->peer;
    return !of(link)->stranger;
}

static void
link_close(fc_rpc_link *link)
{
    rig_end *end = of(link);
    assert_false(end->closed);
    end->closed = true;
    if (end->lent != NULL && !end->abrupt && !end->other->closed)
        fc_buf_append(&end->other->inbox, end->lent, end->lent_size);
}

static void
link_settle(fc_rpc_link *link)
{
    of(link)->settled = true;
}

static void
link_free(fc_rpc_link *link)
{
    assert_true(of(link)->settled);
    of(link)->conn = NULL;
}

static const fc_rpc_link_ops link_ops = {link_receive, link_send,   link_identify,
                                         link_close,   link_settle, link_free};

/* ---- ends ---- */

static void
hear_open(fc_rpc_conn *conn, void *user)
{
    (void)conn;
    ((rig_end *)user)->opened++;
}

static void
hear_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    rig_end *end = user;
    (void)conn;
    end->closings++;
    end->why = *why;
}

static const fc_rpc_conn_ops hear = {.on_open = hear_open, .on_close = hear_close};
static const fc_rpc_owner_ops no_owner = {0};

const fc_rpc_method rig_upload = {
    .id = FC_METHOD_REPORT,
    .path = "/rig.Service/Upload",
    .input = &fcpb__file_chunk__descriptor,
    .output = &fcpb__file_chunk__descriptor,
    .kind = FC_RPC_CLIENT_STREAM,
    .roles = FC_ROLE_OPERATOR | FC_ROLE_NODE | FC_ROLE_COORDINATOR,
};

static const fc_rpc_method *
find(const char *path)
{
    return strcmp(path, rig_upload.path) == 0 ? &rig_upload : fc_rpc_method_find(path);
}

static void
end_init(rig *r, rig_end *end, rig_end *other, const fc_rpc_service *services, bool raw)
{
    const fc_rpc_options options = {.loop = r->loop,
                                    .services = services,
                                    .service_count = services != NULL ? 1 : 0,
                                    .ops = &hear,
                                    .user = end};
    end->other = other;
    end->raw = raw;
    end->link.ops = &link_ops;
    fc_rpc_endpoint_init(&end->endpoint, &options, &no_owner);
    end->endpoint.find = find;
}

void
rig_init(rig *r, const rig_options *options)
{
    *r = (rig){.clock = {mono_now, wall_now}, .mono_ns = FC_NS_PER_S};
    assert_int_equal(fc_loop_new(&r->clock, &r->loop), FC_OK);
    end_init(r, &r->listener, &r->dialler, options->listener_services, options->listener_raw);
    end_init(r, &r->dialler, &r->listener, options->dialler_services, options->dialler_raw);
    r->listener.peer =
        (fc_principal){.role = options->dialler_role != 0 ? options->dialler_role : FC_ROLE_OPERATOR,
                       .fleet = "rig",
                       .name = "dialler"};
    r->dialler.peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "rig", .name = "listener"};
    if (!options->listener_raw)
        r->listener.conn = fc_rpc_conn_new(&r->listener.endpoint, &r->listener.link, false, "10.0.0.2:1");
    if (!options->dialler_raw)
        r->dialler.conn = fc_rpc_conn_new(&r->dialler.endpoint, &r->dialler.link, true, "10.0.0.1:7443");
}

static void
end_fini(rig_end *end)
{
    fc_rpc_endpoint_fini(&end->endpoint, "the rig is taken down");
    assert_null(end->conn);
    assert_int_equal(end->opened, end->closings);
}

void
rig_fini(rig *r)
{
    end_fini(&r->dialler);
    end_fini(&r->listener);
    fc_buf_fini(&r->dialler.inbox);
    fc_buf_fini(&r->listener.inbox);
    fc_loop_free(r->loop);
}

/* ---- moving ---- */

bool
rig_carry(rig_end *from, size_t most)
{
    if (from->lent == NULL || from->closed)
        return false;
    size_t size = from->lent_size < most ? from->lent_size : most;
    if (!from->other->closed)
        fc_buf_append(&from->other->inbox, from->lent, size);
    from->lent += size;
    from->lent_size -= size;
    if (from->lent_size == 0) {
        from->lent = NULL;
        fc_rpc_conn_sent(from->conn);
    }
    return true;
}

/* What NNG does after a close: says when it is done with the memory it was lent. */
static bool
wind_up(rig_end *end)
{
    if (!end->closed || end->settled)
        return false;
    end->settled = true;
    end->space = NULL;
    end->lent = NULL;
    fc_rpc_conn_settled(end->conn);
    return true;
}

bool
rig_hand(rig_end *to, size_t most)
{
    if (wind_up(to))
        return true;
    if (to->closed || to->space == NULL)
        return false;
    size_t size = fc_buf_size(&to->inbox) < most ? fc_buf_size(&to->inbox) : most;
    size = size < to->room ? size : to->room;
    if (size == 0) {
        if (!to->other->closed || to->told)
            return false;
        to->told = true;
        to->space = NULL;
        fc_rpc_conn_lost(to->conn, FC_CODE_UNAVAILABLE, "end of file");
        return true;
    }
    memcpy(to->space, fc_buf_bytes(&to->inbox), size);
    fc_buf_consume(&to->inbox, size);
    to->space = NULL;
    fc_rpc_conn_received(to->conn, size);
    return true;
}

bool
rig_run(rig *r)
{
    return fc_loop_run_due(r->loop);
}

void
rig_settle(rig *r)
{
    bool moved = true;
    while (moved) {
        moved = rig_run(r);
        moved = rig_carry(&r->dialler, SIZE_MAX) || moved;
        moved = rig_carry(&r->listener, SIZE_MAX) || moved;
        moved = rig_hand(&r->dialler, SIZE_MAX) || moved;
        moved = rig_hand(&r->listener, SIZE_MAX) || moved;
    }
}

void
rig_pass_ms(rig *r, int64_t ms)
{
    int64_t end_ns = r->mono_ns + ms * FC_NS_PER_MS;
    fc_mono due;
    rig_settle(r);
    while (fc_loop_next_due(r->loop, &due) && due.ns <= end_ns) {
        if (due.ns > r->mono_ns)
            r->mono_ns = due.ns;
        rig_settle(r);
    }
    r->mono_ns = end_ns;
}

static void
cut(rig_end *end)
{
    if (end->raw || end->closed || end->told || end->conn == NULL)
        return;
    end->told = true;
    end->space = NULL;
    fc_rpc_conn_lost(end->conn, FC_CODE_UNAVAILABLE, "cut");
}

void
rig_cut(rig *r)
{
    cut(&r->dialler);
    cut(&r->listener);
}

/* ---- the raw end ---- */

void
rig_say_bytes(rig_end *raw, const void *bytes, size_t size)
{
    fc_buf_append(&raw->other->inbox, bytes, size);
}

void
rig_say(rig_end *raw, const Fcpb__Frame *frame)
{
    fc_rpc_frame_put(&raw->other->inbox, frame);
}

void
rig_say_request(rig_end *raw, uint32_t stream_id, const char *method, uint32_t timeout_ms,
                uint32_t window_bytes)
{
    Fcpb__Request body = FCPB__REQUEST__INIT;
    body.method = (char *)(uintptr_t)method;
    body.timeout_ms = timeout_ms;
    body.window_bytes = window_bytes;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_REQUEST;
    frame.request = &body;
    rig_say(raw, &frame);
}

void
rig_say_payload(rig_end *raw, uint32_t stream_id, const void *payload, size_t size, bool end_of_stream)
{
    Fcpb__Message body = FCPB__MESSAGE__INIT;
    body.payload.data = (uint8_t *)(uintptr_t)payload;
    body.payload.len = size;
    body.end_of_stream = end_of_stream;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_MESSAGE;
    frame.message = &body;
    rig_say(raw, &frame);
}

void
rig_say_message(rig_end *raw, uint32_t stream_id, const ProtobufCMessage *message, bool end_of_stream)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = fc_alloc(size);
    (void)protobuf_c_message_pack(message, packed);
    rig_say_payload(raw, stream_id, packed, size, end_of_stream);
    free(packed);
}

void
rig_say_status(rig_end *raw, uint32_t stream_id, fc_code code, const char *message)
{
    Fcpb__Status body = FCPB__STATUS__INIT;
    body.code = (uint32_t)code;
    body.message = (char *)(uintptr_t)message;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_STATUS;
    frame.status = &body;
    rig_say(raw, &frame);
}

void
rig_say_cancel(rig_end *raw, uint32_t stream_id)
{
    Fcpb__Cancel body = FCPB__CANCEL__INIT;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_CANCEL;
    frame.cancel = &body;
    rig_say(raw, &frame);
}

void
rig_say_window(rig_end *raw, uint32_t stream_id, uint32_t bytes)
{
    Fcpb__WindowUpdate body = FCPB__WINDOW_UPDATE__INIT;
    body.bytes = bytes;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = stream_id;
    frame.body_case = FCPB__FRAME__BODY_WINDOW_UPDATE;
    frame.window_update = &body;
    rig_say(raw, &frame);
}

void
rig_say_ping(rig_end *raw)
{
    Fcpb__Ping body = FCPB__PING__INIT;
    body.origin_unix_ns = 1;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.body_case = FCPB__FRAME__BODY_PING;
    frame.ping = &body;
    rig_say(raw, &frame);
}

static Fcpb__Frame *
hear_any(rig_end *raw)
{
    if (fc_buf_size(&raw->inbox) < FC_RPC_FRAME_HEADER)
        return NULL;
    const uint8_t *at = fc_buf_bytes(&raw->inbox);
    size_t size = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    assert_true(fc_buf_size(&raw->inbox) >= FC_RPC_FRAME_HEADER + size);
    Fcpb__Frame *frame = fcpb__frame__unpack(NULL, size, at + FC_RPC_FRAME_HEADER);
    assert_non_null(frame);
    fc_buf_consume(&raw->inbox, FC_RPC_FRAME_HEADER + size);
    return frame;
}

Fcpb__Frame *
rig_hear(rig_end *raw)
{
    Fcpb__Frame *frame;
    while ((frame = hear_any(raw)) != NULL &&
           (frame->body_case == FCPB__FRAME__BODY_PING || frame->body_case == FCPB__FRAME__BODY_PONG))
        fcpb__frame__free_unpacked(frame, NULL);
    return frame;
}

unsigned
rig_skip(rig_end *raw, Fcpb__Frame__BodyCase kind)
{
    unsigned count = 0;
    Fcpb__Frame *frame;
    while ((frame = hear_any(raw)) != NULL) {
        count += frame->body_case == kind ? 1 : 0;
        fcpb__frame__free_unpacked(frame, NULL);
    }
    return count;
}

void
rig_expect(rig_end *raw, uint32_t stream_id, Fcpb__Frame__BodyCase kind)
{
    Fcpb__Frame *frame = rig_hear(raw);
    assert_non_null(frame);
    assert_int_equal(frame->stream_id, stream_id);
    assert_int_equal(frame->body_case, kind);
    fcpb__frame__free_unpacked(frame, NULL);
}

/* ---- what a call's user hears ---- */

static void
heard_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    rig_heard *h = fc_rpc_call_user(call);
    h->messages++;
    h->bytes += protobuf_c_message_get_packed_size(message);
}

static void
heard_half_close(fc_rpc_call *call)
{
    ((rig_heard *)fc_rpc_call_user(call))->half_closed++;
}

static void
heard_writable(fc_rpc_call *call)
{
    ((rig_heard *)fc_rpc_call_user(call))->writable++;
}

static void
heard_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    rig_heard *h = fc_rpc_call_user(call);
    h->closed++;
    h->status = *status;
}

const fc_rpc_call_ops rig_heard_ops = {heard_message, heard_half_close, heard_writable, heard_closed};
