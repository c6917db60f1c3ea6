/* One call at a time over a fake line, the other side played by hand: windows, deadlines, cancelling, ending.
 */
#include "../scenario/rpc_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fc_rpc_call *served;
static rig_heard at_server;

static void
take_request(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    served = call;
    fc_rpc_call_set(call, &rig_heard_ops, &at_server);
}

static void
take_open(fc_rpc_call *call, void *service)
{
    take_request(call, NULL, service);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = take_request},
    {.method = FC_METHOD_LIST_INSTANCES, .request = take_request},
    {.method = FC_METHOD_READ_FILE, .request = take_request},
    {.method = FC_METHOD_REPORT, .open = take_open}, /* rig_upload */
};
static const fc_rpc_service service = {.handlers = handlers, .handler_count = FC_COUNT(handlers)};

static void
server_init(rig *r)
{
    served = NULL;
    at_server = (rig_heard){0};
    rig_init(r, &(rig_options){.listener_services = &service, .dialler_raw = true});
    rig_say_ping(&r->dialler);
    rig_settle(r);
    assert_int_equal(r->listener.opened, 1);
    (void)rig_skip(&r->dialler, 0);
}

static void
expect_status(rig_end *raw, uint32_t stream_id, fc_code code)
{
    Fcpb__Frame *frame = rig_hear(raw);
    assert_non_null(frame);
    assert_int_equal(frame->body_case, FCPB__FRAME__BODY_STATUS);
    assert_int_equal(frame->stream_id, stream_id);
    assert_int_equal(frame->status->code, code);
    fcpb__frame__free_unpacked(frame, NULL);
}

static void
ask(rig *r, uint32_t stream_id, const char *method, uint32_t timeout_ms, uint32_t window_bytes)
{
    rig_say_request(&r->dialler, stream_id, method, timeout_ms, window_bytes);
    rig_say_payload(&r->dialler, stream_id, "", 0, true);
    rig_settle(r);
}

static const char get_fleet[] = "/fleetcap.v1.FleetService/GetFleet";
static const char list_instances[] = "/fleetcap.v1.FleetService/ListInstances";

static void
a_handler_may_answer_later(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, get_fleet, 0, 1000);
    assert_non_null(served);
    assert_null(rig_hear(&r.dialler));
    rig_pass_ms(&r, 60);
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fc_rpc_call_reply(served, &fleet.base);
    assert_int_equal(at_server.closed, 0);
    rig_settle(&r);
    assert_int_equal(at_server.closed, 1);
    assert_int_equal(at_server.status.code, FC_CODE_OK);
    rig_expect(&r.dialler, 1, FCPB__FRAME__BODY_MESSAGE);
    expect_status(&r.dialler, 1, FC_CODE_OK);
    rig_fini(&r);
}

static void
the_server_enforces_the_deadline_too(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, get_fleet, 300, 1000);
    rig_pass_ms(&r, 299);
    assert_int_equal(at_server.closed, 0);
    rig_pass_ms(&r, 1);
    assert_int_equal(at_server.closed, 1);
    assert_int_equal(at_server.status.code, FC_CODE_DEADLINE_EXCEEDED);
    expect_status(&r.dialler, 1, FC_CODE_DEADLINE_EXCEEDED);
    assert_null(rig_hear(&r.dialler));
    rig_fini(&r);
}

static void
a_cancel_reaches_the_handler_and_is_confirmed(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, list_instances, 0, 1000);
    rig_say_cancel(&r.dialler, 1);
    rig_say_cancel(&r.dialler, 1); /* the second one is late, not wrong */
    rig_settle(&r);
    assert_int_equal(at_server.closed, 1);
    assert_int_equal(at_server.status.code, FC_CODE_CANCELLED);
    expect_status(&r.dialler, 1, FC_CODE_CANCELLED);
    assert_null(rig_hear(&r.dialler));
    assert_int_equal(r.listener.closings, 0);
    rig_fini(&r);
}

static void
ok_without_a_reply_becomes_an_internal_error(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, get_fleet, 0, 1000);
    fc_rpc_call_finish(served, &fc_rpc_ok);
    fc_rpc_call_finish(served, &fc_rpc_ok); /* over already: nothing happens */
    Fcpb__Fleet late = FCPB__FLEET__INIT;
    assert_true(fc_rpc_call_send(served, &late.base));
    rig_settle(&r);
    expect_status(&r.dialler, 1, FC_CODE_INTERNAL);
    assert_null(rig_hear(&r.dialler));
    assert_int_equal(at_server.closed, 1);
    rig_fini(&r);
}

static void
a_request_that_is_no_message_of_its_type_is_invalid(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    rig_say_request(&r.dialler, 1, list_instances, 0, 1000);
    rig_say_payload(&r.dialler, 1, "\x0a\x05", 2, true);
    rig_say_request(&r.dialler, 3, get_fleet, 0, 1000);
    rig_say_payload(&r.dialler, 3, "", 0, false);
    rig_say_payload(&r.dialler, 3, "", 0, true); /* the second message of a unary call */
    rig_settle(&r);
    expect_status(&r.dialler, 1, FC_CODE_INVALID_ARGUMENT);
    expect_status(&r.dialler, 3, FC_CODE_INVALID_ARGUMENT);
    assert_int_equal(r.listener.closings, 0);
    rig_fini(&r);
}

/* 21,000 empty region names in 42,000 bytes: refused before they fill memory. */
static void
a_request_that_unpacks_to_far_more_than_its_bytes_is_invalid(void **state)
{
    (void)state;
    enum { COUNT = 21000 };
    rig r;
    server_init(&r);
    static uint8_t wrapped[4 + 2 * COUNT] = {0x0a};
    wrapped[1] = (uint8_t)(2 * COUNT) | 0x80;
    wrapped[2] = (uint8_t)((2 * COUNT) >> 7) | 0x80;
    wrapped[3] = (2 * COUNT) >> 14;
    for (size_t i = 4; i < sizeof wrapped; i += 2)
        wrapped[i] = 0x12; /* Target.regions: "" */
    rig_say_request(&r.dialler, 1, list_instances, 0, 1000);
    rig_say_payload(&r.dialler, 1, wrapped, sizeof wrapped, true);
    rig_settle(&r);
    expect_status(&r.dialler, 1, FC_CODE_INVALID_ARGUMENT);
    assert_null(served);
    rig_fini(&r);
}

static bool
send_instance(fc_rpc_call *call, size_t size)
{
    static char text[FC_RPC_FRAME_BULK_MAX];
    memset(text, 'v', size);
    text[size] = '\0';
    Fcpb__Instance instance = FCPB__INSTANCE__INIT;
    instance.version = text;
    return fc_rpc_call_send(call, &instance.base);
}

static size_t
hear_payload(rig_end *raw, unsigned *ret_messages)
{
    size_t bytes = 0;
    Fcpb__Frame *frame;
    *ret_messages = 0;
    while ((frame = rig_hear(raw)) != NULL) {
        assert_int_equal(frame->body_case, FCPB__FRAME__BODY_MESSAGE);
        bytes += frame->message->payload.len;
        ++*ret_messages;
        fcpb__frame__free_unpacked(frame, NULL);
    }
    return bytes;
}

static void
the_sender_stops_when_the_window_is_used_up_and_goes_on_when_it_opens(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, list_instances, 0, 2500);
    unsigned messages;
    assert_true(send_instance(served, 997)); /* 1000 bytes each */
    assert_true(send_instance(served, 997));
    assert_true(fc_rpc_call_writable(served));
    assert_true(send_instance(served, 997)); /* overdraws */
    assert_false(fc_rpc_call_writable(served));
    assert_false(send_instance(served, 997)); /* waits */
    assert_false(send_instance(served, 997));
    rig_settle(&r);
    assert_int_equal(hear_payload(&r.dialler, &messages), 3000);
    rig_say_window(&r.dialler, 1, 500); /* level again, not open */
    rig_settle(&r);
    assert_int_equal(hear_payload(&r.dialler, &messages), 0);
    assert_int_equal(at_server.writable, 0);
    rig_say_window(&r.dialler, 1, 1);
    rig_settle(&r);
    assert_int_equal(hear_payload(&r.dialler, &messages), 1000);
    assert_int_equal(at_server.writable, 0);
    rig_say_window(&r.dialler, 1, 5000);
    rig_settle(&r);
    assert_int_equal(hear_payload(&r.dialler, &messages), 1000);
    assert_int_equal(at_server.writable, 1);
    assert_true(fc_rpc_call_writable(served));
    rig_fini(&r);
}

static void
the_status_waits_for_the_messages_before_it(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, list_instances, 0, 1);
    for (int i = 0; i < 3; i++)
        (void)send_instance(served, 100);
    fc_rpc_call_finish(served, &fc_rpc_ok);
    rig_settle(&r);
    assert_int_equal(at_server.closed, 0);
    unsigned messages;
    (void)hear_payload(&r.dialler, &messages);
    assert_int_equal(messages, 1);
    rig_say_window(&r.dialler, 1, 1000);
    rig_settle(&r);
    assert_int_equal(at_server.closed, 1);
    rig_expect(&r.dialler, 1, FCPB__FRAME__BODY_MESSAGE);
    rig_expect(&r.dialler, 1, FCPB__FRAME__BODY_MESSAGE);
    expect_status(&r.dialler, 1, FC_CODE_OK);
    rig_fini(&r);
}

static void
a_window_opened_by_nothing_or_too_far_ends_the_connection(void **state)
{
    (void)state;
    static const uint32_t cases[] = {0, UINT32_MAX};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        rig r;
        server_init(&r);
        ask(&r, 1, list_instances, 0, 1000);
        rig_say_window(&r.dialler, 1, cases[i]);
        rig_settle(&r);
        assert_int_equal(r.listener.closings, 1);
        assert_int_equal(r.listener.endpoint.counters.frames_malformed, 1);
        rig_fini(&r);
    }
}

static void
a_message_too_long_for_its_frame_ends_the_call(void **state)
{
    (void)state;
    rig r;
    server_init(&r);
    ask(&r, 1, list_instances, 0, 1 << 20);
    (void)send_instance(served, FC_RPC_MESSAGE_MAX - 4);
    assert_true(fc_rpc_call_writable(served));
    (void)send_instance(served, FC_RPC_MESSAGE_MAX - 3);
    assert_false(fc_rpc_call_writable(served));
    rig_settle(&r);
    rig_expect(&r.dialler, 1, FCPB__FRAME__BODY_MESSAGE);
    expect_status(&r.dialler, 1, FC_CODE_RESOURCE_EXHAUSTED);
    rig_fini(&r);
}

/* ---- client streaming, with a method that only the rig knows ---- */

static void
many_messages_up_then_a_half_close_then_the_reply(void **state)
{
    (void)state;
    rig r;
    served = NULL;
    at_server = (rig_heard){0};
    rig_heard h = {0};
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    fc_rpc_call *call = fc_rpc_call_start(r.dialler.conn, &rig_upload, NULL, 0, &rig_heard_ops, &h);
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    static uint8_t bytes[50000];
    chunk.data.data = bytes;
    chunk.data.len = sizeof bytes;
    unsigned sent = 0;
    while (fc_rpc_call_writable(call) && sent < 1000) {
        (void)fc_rpc_call_send(call, &chunk.base);
        sent++;
    }
    assert_true(sent < 10); /* the window, or what may queue */
    assert_false(fc_rpc_call_send(call, &chunk.base));
    fc_rpc_call_half_close(call);
    fc_rpc_call_half_close(call);
    assert_int_equal(at_server.messages, 0);
    rig_settle(&r);
    assert_int_equal(at_server.messages, sent + 1);
    assert_int_equal(at_server.half_closed, 1);
    assert_int_equal(h.closed, 0);
    chunk.data.len = 0;
    fc_rpc_call_reply(served, &chunk.base);
    rig_settle(&r);
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_OK);
    assert_int_equal(at_server.closed, 1);
    rig_fini(&r);
}

static void
an_empty_upload_is_a_half_close_alone(void **state)
{
    (void)state;
    rig r;
    served = NULL;
    at_server = (rig_heard){0};
    rig_heard h = {0};
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    fc_rpc_call *call = fc_rpc_call_start(r.dialler.conn, &rig_upload, NULL, 0, &rig_heard_ops, &h);
    fc_rpc_call_half_close(call);
    rig_settle(&r);
    assert_int_equal(at_server.messages, 0);
    assert_int_equal(at_server.half_closed, 1);
    rig_fini(&r);
}

static void
a_server_that_ends_early_stops_the_upload(void **state)
{
    (void)state;
    rig r;
    served = NULL;
    at_server = (rig_heard){0};
    rig_heard h = {0};
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    fc_rpc_call *call = fc_rpc_call_start(r.dialler.conn, &rig_upload, NULL, 0, &rig_heard_ops, &h);
    rig_settle(&r);
    fc_fail no = {.err = FC_ERR_NO_SPACE, .text = "the disk is full"};
    fc_rpc_call_fail(served, &no);
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    (void)fc_rpc_call_send(call, &chunk.base); /* crosses the status */
    rig_settle(&r);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(h.status.message, "the disk is full");
    assert_int_equal(r.listener.closings + r.dialler.closings, 0);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_may_answer_later),
        cmocka_unit_test(the_server_enforces_the_deadline_too),
        cmocka_unit_test(a_cancel_reaches_the_handler_and_is_confirmed),
        cmocka_unit_test(ok_without_a_reply_becomes_an_internal_error),
        cmocka_unit_test(a_request_that_is_no_message_of_its_type_is_invalid),
        cmocka_unit_test(a_request_that_unpacks_to_far_more_than_its_bytes_is_invalid),
        cmocka_unit_test(the_sender_stops_when_the_window_is_used_up_and_goes_on_when_it_opens),
        cmocka_unit_test(the_status_waits_for_the_messages_before_it),
        cmocka_unit_test(a_window_opened_by_nothing_or_too_far_ends_the_connection),
        cmocka_unit_test(a_message_too_long_for_its_frame_ends_the_call),
        cmocka_unit_test(many_messages_up_then_a_half_close_then_the_reply),
        cmocka_unit_test(an_empty_upload_is_a_half_close_alone),
        cmocka_unit_test(a_server_that_ends_early_stops_the_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
