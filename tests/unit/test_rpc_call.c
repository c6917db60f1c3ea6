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

static void
client_init(rig *r)
{
    rig_init(r, &(rig_options){.listener_raw = true});
    rig_say_ping(&r->listener);
    rig_settle(r);
    assert_int_equal(r->dialler.opened, 1);
    (void)rig_skip(&r->listener, 0);
}

static fc_rpc_call *
start(rig *r, fc_method_id method, uint32_t timeout_ms, rig_heard *h)
{
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    fc_rpc_call *call =
        fc_rpc_call_new(r->dialler.conn, method, &request.base, timeout_ms, &rig_heard_ops, h);
    rig_settle(r);
    return call;
}

static void
a_unary_call_is_a_request_a_message_and_a_status(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    (void)start(&r, FC_METHOD_GET_FLEET, 1234, &h);
    Fcpb__Frame *frame = rig_hear(&r.listener);
    assert_int_equal(frame->body_case, FCPB__FRAME__BODY_REQUEST);
    assert_int_equal(frame->stream_id, 1);
    assert_string_equal(frame->request->method, "/fleetcap.v1.FleetService/GetFleet");
    assert_int_equal(frame->request->timeout_ms, 1234);
    assert_int_equal(frame->request->window_bytes, FC_RPC_WINDOW_BYTES);
    fcpb__frame__free_unpacked(frame, NULL);
    frame = rig_hear(&r.listener);
    assert_int_equal(frame->body_case, FCPB__FRAME__BODY_MESSAGE);
    assert_true(frame->message->end_of_stream);
    fcpb__frame__free_unpacked(frame, NULL);
    assert_null(rig_hear(&r.listener));
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fleet.fleet_id = (char *)"f";
    rig_say_message(&r.listener, 1, &fleet.base, false);
    rig_say_status(&r.listener, 1, FC_CODE_OK, "");
    rig_settle(&r);
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_OK);
    rig_fini(&r);
}

static void
the_second_call_has_the_next_odd_stream(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    for (uint32_t i = 0; i < 5; i++) {
        (void)start(&r, FC_METHOD_GET_FLEET, 0, &h);
        rig_expect(&r.listener, 2 * i + 1, FCPB__FRAME__BODY_REQUEST);
        (void)rig_skip(&r.listener, 0);
    }
    rig_fini(&r);
    assert_int_equal(h.closed, 5);
    assert_int_equal(h.status.code, FC_CODE_UNAVAILABLE);
}

static void
the_clients_deadline_cancels_at_the_server(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    (void)start(&r, FC_METHOD_GET_FLEET, 500, &h);
    (void)rig_skip(&r.listener, 0);
    rig_pass_ms(&r, 499);
    assert_int_equal(h.closed, 0);
    rig_pass_ms(&r, 1);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_DEADLINE_EXCEEDED);
    assert_string_equal(h.status.message,
                        "coordinator/listener did not answer /fleetcap.v1.FleetService/GetFleet in time");
    rig_expect(&r.listener, 1, FCPB__FRAME__BODY_CANCEL);
    /* The answer that crossed the cancel is nobody's any more. */
    rig_say_payload(&r.listener, 1, "", 0, false);
    rig_say_status(&r.listener, 1, FC_CODE_OK, "");
    rig_settle(&r);
    assert_int_equal(h.messages, 0);
    assert_int_equal(h.closed, 1);
    assert_int_equal(r.dialler.conn->own_count, 0);
    rig_fini(&r);
}

static void
a_cancelled_call_keeps_its_stream_until_the_status(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    fc_rpc_call *call = start(&r, FC_METHOD_READ_FILE, 0, &h);
    fc_rpc_call_cancel(call);
    assert_int_equal(h.closed, 0); /* from the loop, not from within */
    rig_settle(&r);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_CANCELLED);
    assert_int_equal(r.dialler.conn->own_count, 1);
    /* A long chunk was on its way: still allowed, and dropped. */
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    static uint8_t bytes[256 * 1024];
    chunk.data.data = bytes;
    chunk.data.len = sizeof bytes;
    rig_say_message(&r.listener, 1, &chunk.base, false);
    rig_say_status(&r.listener, 1, FC_CODE_CANCELLED, "cancelled");
    rig_settle(&r);
    assert_int_equal(h.messages, 0);
    assert_int_equal(r.dialler.closings, 0);
    assert_int_equal(r.dialler.conn->own_count, 0);
    /* Now it is not allowed any more. */
    rig_say_message(&r.listener, 1, &chunk.base, false);
    rig_settle(&r);
    assert_int_equal(r.dialler.endpoint.counters.frames_oversized, 1);
    rig_fini(&r);
}

static void
a_status_arrives_with_sentence_field_and_instance(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    (void)start(&r, FC_METHOD_GET_FLEET, 0, &h);
    Fcpb__ErrorDetail detail = FCPB__ERROR_DETAIL__INIT, *details[] = {&detail};
    detail.field = (char *)"filters[2].remotePort";
    detail.instance = (char *)"web-1";
    Fcpb__Status body = FCPB__STATUS__INIT;
    body.code = FC_CODE_INVALID_ARGUMENT;
    body.message = (char *)"70000 is no port\x1b[2J";
    body.details = details;
    body.n_details = 1;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = 1;
    frame.body_case = FCPB__FRAME__BODY_STATUS;
    frame.status = &body;
    rig_say(&r.listener, &frame);
    rig_settle(&r);
    assert_int_equal(h.status.code, FC_CODE_INVALID_ARGUMENT);
    assert_string_equal(h.status.message, "70000 is no port?[2J");
    assert_string_equal(h.status.field, "filters[2].remotePort");
    assert_string_equal(h.status.instance, "web-1");
    rig_fini(&r);
}

static void
answers_that_break_the_rules_fail_the_call_alone(void **state)
{
    (void)state;
    static const struct {
        unsigned messages;
        const char *payload;
        size_t size;
        fc_code status;
        fc_code expected;
        unsigned heard;
    } cases[] = {
        {0, "", 0, FC_CODE_OK, FC_CODE_INTERNAL, 0},     /* OK without a reply */
        {2, "", 0, FC_CODE_OK, FC_CODE_INTERNAL, 1},     /* two replies */
        {1, "\xff", 1, FC_CODE_OK, FC_CODE_INTERNAL, 0}, /* no Fleet */
        {0, "", 0, (fc_code)17, FC_CODE_UNKNOWN, 0},     /* a code that there is not */
        {0, "", 0, (fc_code)0x7fffffff, FC_CODE_UNKNOWN, 0},
        {1, "", 0, FC_CODE_NOT_FOUND, FC_CODE_NOT_FOUND, 1},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        rig r;
        client_init(&r);
        rig_heard h = {0};
        (void)start(&r, FC_METHOD_GET_FLEET, 0, &h);
        for (unsigned j = 0; j < cases[i].messages; j++)
            rig_say_payload(&r.listener, 1, cases[i].payload, cases[i].size, false);
        rig_say_status(&r.listener, 1, cases[i].status, "");
        rig_settle(&r);
        assert_int_equal(h.closed, 1);
        assert_int_equal(h.status.code, cases[i].expected);
        assert_int_equal(h.messages, cases[i].heard);
        assert_int_equal(r.dialler.closings, 0);
        assert_int_equal(r.dialler.conn->own_count, 0);
        rig_fini(&r);
    }
}

static void
more_calls_than_allowed_fail_at_once_and_others_go_on(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard open = {0}, refused = {0};
    for (unsigned i = 0; i < FC_RPC_STREAMS_MAX; i++)
        (void)start(&r, FC_METHOD_GET_FLEET, 0, &open);
    (void)start(&r, FC_METHOD_GET_FLEET, 0, &refused);
    assert_int_equal(refused.closed, 1);
    assert_int_equal(refused.status.code, FC_CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(open.closed, 0);
    rig_say_status(&r.listener, 1, FC_CODE_ABORTED, "");
    rig_settle(&r);
    assert_int_equal(open.closed, 1);
    (void)start(&r, FC_METHOD_GET_FLEET, 0, &open);
    assert_int_equal(r.dialler.conn->own_count, FC_RPC_STREAMS_MAX);
    rig_fini(&r);
    assert_int_equal(open.closed, FC_RPC_STREAMS_MAX + 1);
}

/* The server's messages are taken as they come, and the window opened again after each half of it. */
static void
the_receiver_opens_the_window_as_it_takes(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    (void)start(&r, FC_METHOD_LIST_INSTANCES, 0, &h);
    (void)rig_skip(&r.listener, 0);
    static uint8_t payload[32768 + 4] = {0x4a, 0x80, 0x80, 0x02}; /* Instance.version: 32 KiB of NUL */
    memset(payload + 4, 'v', sizeof payload - 4);
    uint64_t opened = 0, said = 0;
    for (int i = 0; i < 100; i++) {
        rig_say_payload(&r.listener, 1, payload, sizeof payload, false);
        said += sizeof payload;
        rig_settle(&r);
        Fcpb__Frame *frame;
        while ((frame = rig_hear(&r.listener)) != NULL) {
            assert_int_equal(frame->body_case, FCPB__FRAME__BODY_WINDOW_UPDATE);
            assert_true(frame->window_update->bytes >= FC_RPC_WINDOW_BYTES / 2);
            opened += frame->window_update->bytes;
            fcpb__frame__free_unpacked(frame, NULL);
        }
        assert_true(said - opened < FC_RPC_WINDOW_BYTES);
    }
    assert_int_equal(h.messages, 100);
    assert_int_equal(r.dialler.closings, 0);
    rig_fini(&r);
}

static void
a_held_call_opens_no_window_and_what_comes_past_it_ends_the_connection(void **state)
{
    (void)state;
    rig r;
    client_init(&r);
    rig_heard h = {0};
    fc_rpc_call *call = start(&r, FC_METHOD_LIST_INSTANCES, 0, &h);
    (void)rig_skip(&r.listener, 0);
    fc_rpc_call_hold(call, true);
    static uint8_t payload[32768 + 4] = {0x4a, 0x80, 0x80, 0x02};
    memset(payload + 4, 'v', sizeof payload - 4);
    for (size_t said = 0; said < FC_RPC_WINDOW_BYTES; said += sizeof payload)
        rig_say_payload(&r.listener, 1, payload, sizeof payload, false);
    rig_settle(&r);
    assert_int_equal(rig_skip(&r.listener, FCPB__FRAME__BODY_WINDOW_UPDATE), 0);
    assert_int_equal(r.dialler.closings, 0);
    fc_rpc_call_hold(call, false);
    rig_settle(&r);
    assert_int_equal(rig_skip(&r.listener, FCPB__FRAME__BODY_WINDOW_UPDATE), 1);
    fc_rpc_call_hold(call, true);
    for (size_t said = 0; said < FC_RPC_WINDOW_BYTES + 3 * sizeof payload; said += sizeof payload)
        rig_say_payload(&r.listener, 1, payload, sizeof payload, false);
    rig_settle(&r);
    assert_int_equal(r.dialler.closings, 1);
    assert_int_equal(r.dialler.endpoint.counters.window_violations, 1);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.status.code, FC_CODE_UNAVAILABLE);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_is_a_request_a_message_and_a_status),
        cmocka_unit_test(the_second_call_has_the_next_odd_stream),
        cmocka_unit_test(the_clients_deadline_cancels_at_the_server),
        cmocka_unit_test(a_cancelled_call_keeps_its_stream_until_the_status),
        cmocka_unit_test(a_status_arrives_with_sentence_field_and_instance),
        cmocka_unit_test(answers_that_break_the_rules_fail_the_call_alone),
        cmocka_unit_test(more_calls_than_allowed_fail_at_once_and_others_go_on),
        cmocka_unit_test(the_receiver_opens_the_window_as_it_takes),
        cmocka_unit_test(a_held_call_opens_no_window_and_what_comes_past_it_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
