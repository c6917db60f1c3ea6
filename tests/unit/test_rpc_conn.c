/* One connection over a fake line, the other side played by hand: admission, keep-alive, clocks,
 * rule-breakers. */
#include "../scenario/rpc_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
answer(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fc_rpc_call_reply(call, &fleet.base);
}

static void
never(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)call;
    (void)request;
    (void)service;
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = answer},
    {.method = FC_METHOD_GET_INSTANCE, .request = never},
};
static const fc_rpc_service service = {.handlers = handlers, .handler_count = FC_COUNT(handlers)};

static void
listener_init(rig *r)
{
    rig_init(r, &(rig_options){.listener_services = &service, .dialler_raw = true});
}

static void
listener_open(rig *r)
{
    listener_init(r);
    rig_say_ping(&r->dialler);
    rig_settle(r);
    assert_int_equal(r->listener.opened, 1);
    (void)rig_skip(&r->dialler, 0);
}

static const char get_fleet[] = "/fleetcap.v1.FleetService/GetFleet";
static const char get_instance[] = "/fleetcap.v1.FleetService/GetInstance";

static void
ask(rig *r, uint32_t stream_id, const char *method)
{
    rig_say_request(&r->dialler, stream_id, method, 0, 1000);
    rig_say_payload(&r->dialler, stream_id, "", 0, true);
}

/* ---- admission ---- */

static void
the_dialling_side_speaks_first_and_opens_when_it_is_answered(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){.listener_raw = true});
    rig_settle(&r);
    assert_int_equal(rig_skip(&r.listener, FCPB__FRAME__BODY_PING), 1);
    assert_int_equal(r.dialler.opened, 0);
    rig_say_ping(&r.listener);
    rig_settle(&r);
    assert_int_equal(r.dialler.opened, 1);
    rig_fini(&r);
}

static void
half_a_frame_does_not_admit(void **state)
{
    (void)state;
    rig r;
    listener_init(&r);
    rig_say_bytes(&r.dialler, "\0\0\0\4\x3a", 5);
    rig_settle(&r);
    assert_int_equal(r.listener.opened, 0);
    rig_say_bytes(&r.dialler, "\2\x08\1", 3);
    rig_settle(&r);
    assert_int_equal(r.listener.opened, 1);
    rig_fini(&r);
}

static void
a_stranger_is_closed_at_its_first_byte(void **state)
{
    (void)state;
    rig r;
    listener_init(&r);
    r.listener.stranger = true;
    rig_say_bytes(&r.dialler, "x", 1);
    rig_settle(&r);
    assert_null(r.listener.conn);
    assert_int_equal(r.listener.opened, 0);
    assert_int_equal(r.listener.endpoint.counters.refused_handshake, 1);
    assert_int_equal(fc_buf_size(&r.dialler.inbox), 0);
    rig_fini(&r);
}

static void
a_certificate_without_a_role_is_a_stranger(void **state)
{
    (void)state;
    rig r;
    listener_init(&r);
    r.listener.peer.role = FC_ROLE_NONE;
    rig_say_ping(&r.dialler);
    rig_settle(&r);
    assert_null(r.listener.conn);
    assert_int_equal(r.listener.endpoint.counters.refused_handshake, 1);
    rig_fini(&r);
}

static void
silence_and_dribbling_end_with_the_admission_time(void **state)
{
    (void)state;
    for (int dribble = 0; dribble < 2; dribble++) {
        rig r;
        listener_init(&r);
        for (int s = 0; s < 10; s++) {
            assert_non_null(r.listener.conn);
            if (dribble)
                rig_say_bytes(&r.dialler, "\0", s < 3 ? 1 : 0);
            rig_pass_ms(&r, FC_RPC_ADMISSION_MS / 10);
        }
        rig_settle(&r);
        assert_null(r.listener.conn);
        assert_int_equal(r.listener.endpoint.counters.refused_timeout, 1);
        rig_fini(&r);
    }
}

static void
long_frames_are_for_admitted_peers(void **state)
{
    (void)state;
    rig r;
    listener_init(&r);
    static uint8_t bytes[FC_RPC_FRAME_MAX];
    rig_say_payload(&r.dialler, 1, bytes, FC_RPC_FRAME_BEFORE_ADMISSION, false);
    rig_settle(&r);
    assert_null(r.listener.conn);
    assert_int_equal(r.listener.endpoint.counters.frames_oversized, 1);
    rig_fini(&r);
    listener_open(&r);
    rig_say_request(&r.dialler, 1, get_fleet, 0, 1000);
    rig_say_payload(&r.dialler, 1, bytes, FC_RPC_MESSAGE_MAX, true);
    rig_settle(&r);
    assert_non_null(r.listener.conn);
    rig_say_request(&r.dialler, 3, get_fleet, 0, 1000);
    rig_say_payload(&r.dialler, 3, bytes, FC_RPC_FRAME_MAX, true);
    rig_settle(&r);
    assert_null(r.listener.conn);
    assert_int_equal(r.listener.endpoint.counters.frames_oversized, 1);
    rig_fini(&r);
}

/* ---- keep-alive and clocks ---- */

static void
three_unanswered_pings_end_a_connection(void **state)
{
    (void)state;
    rig r;
    listener_open(&r);
    for (int i = 1; i <= FC_RPC_PINGS_MAX; i++) {
        rig_pass_ms(&r, FC_RPC_KEEPALIVE_MS);
        /* Before the keep-alive's first come three for the clock, which do not count. */
        assert_int_equal(rig_skip(&r.dialler, FCPB__FRAME__BODY_PING), i == 1 ? 4 : 1);
        assert_int_equal(r.listener.closings, 0);
    }
    rig_pass_ms(&r, FC_RPC_KEEPALIVE_MS);
    assert_int_equal(r.listener.closings, 1);
    assert_int_equal(r.listener.endpoint.counters.keepalive_lost, 1);
    assert_non_null(strstr(r.listener.why.message, "fell silent"));
    rig_fini(&r);
}

static void
the_clock_is_measured_again_soon_after_opening(void **state)
{
    (void)state;
    static const struct {
        int64_t pass_ms;
        uint64_t more;
    } steps[] = {{999, 0}, {1, 1},    {1999, 1}, {1, 2},     {3999, 2},
                 {1, 3},   {7999, 3}, {1, 4},    {14999, 4}, {1, 5}};
    rig r;
    rig_init(&r, &(rig_options){0});
    rig_settle(&r);
    for (size_t i = 0; i < FC_COUNT(steps); i++) {
        rig_pass_ms(&r, steps[i].pass_ms);
        assert_int_equal(r.dialler.conn->exchange.taken, 1 + FC_RPC_QUICK_PINGS + steps[i].more);
        assert_int_equal(r.listener.conn->exchange.taken, 1 + FC_RPC_QUICK_PINGS + steps[i].more);
    }
    rig_fini(&r);
}

static void
any_byte_keeps_a_connection_alive(void **state)
{
    (void)state;
    rig r;
    listener_open(&r);
    for (int i = 0; i < 20; i++) {
        rig_say_ping(&r.dialler);
        rig_pass_ms(&r, FC_RPC_KEEPALIVE_MS * 2);
    }
    assert_int_equal(r.listener.closings, 0);
    rig_fini(&r);
}

static void
two_connections_keep_each_other_alive_and_know_their_clocks(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){0});
    rig_settle(&r);
    assert_int_equal(r.dialler.conn->exchange.taken, 1 + FC_RPC_QUICK_PINGS);
    assert_int_equal(r.listener.conn->exchange.taken, 1 + FC_RPC_QUICK_PINGS);
    rig_pass_ms(&r, 3600 * 1000);
    assert_int_equal(r.dialler.closings + r.listener.closings, 0);
    assert_true(r.dialler.conn->exchange.taken > 200);
    fc_rpc_clock clock = fc_rpc_conn_clock(r.dialler.conn);
    assert_int_equal(clock.offset_ns, 0);
    assert_int_equal(clock.round_trip_ns, 0);
    assert_int_equal(clock.bound_ns, 1);
    rig_fini(&r);
}

/* ---- rule-breakers ---- */

static void
frames_that_break_the_protocol_end_the_connection_and_are_counted(void **state)
{
    (void)state;
    static const struct {
        uint32_t stream_id;
        Fcpb__Frame__BodyCase kind;
    } cases[] = {
        {0, FCPB__FRAME__BODY_REQUEST},       {0, FCPB__FRAME__BODY_MESSAGE},
        {0, FCPB__FRAME__BODY_STATUS},        {0, FCPB__FRAME__BODY_CANCEL},
        {0, FCPB__FRAME__BODY_WINDOW_UPDATE}, {1, FCPB__FRAME__BODY_PING},
        {1, FCPB__FRAME__BODY_PONG},          {1, FCPB__FRAME__BODY_GO_AWAY},
        {2, FCPB__FRAME__BODY_REQUEST},                                       /* our parity */
        {1, FCPB__FRAME__BODY_REQUEST},                                       /* used already */
        {1, FCPB__FRAME__BODY_STATUS},                                        /* from the caller */
        {2, FCPB__FRAME__BODY_CANCEL},                                        /* from the callee */
        {2, FCPB__FRAME__BODY_STATUS},        {2, FCPB__FRAME__BODY_MESSAGE}, /* never opened */
        {3, FCPB__FRAME__BODY_MESSAGE},       {3, FCPB__FRAME__BODY_CANCEL},
        {3, FCPB__FRAME__BODY_WINDOW_UPDATE}, {UINT32_MAX, FCPB__FRAME__BODY_MESSAGE},
        {1, FCPB__FRAME__BODY_MESSAGE}, /* after its last */
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        rig r;
        listener_open(&r);
        ask(&r, 1, get_instance);
        rig_settle(&r);
        assert_int_equal(r.listener.closings, 0);
        Fcpb__Request request = FCPB__REQUEST__INIT;
        Fcpb__Frame frame = FCPB__FRAME__INIT;
        frame.stream_id = cases[i].stream_id;
        frame.body_case = cases[i].kind;
        Fcpb__Message message = FCPB__MESSAGE__INIT;
        Fcpb__Status status = FCPB__STATUS__INIT;
        Fcpb__Cancel cancel = FCPB__CANCEL__INIT;
        Fcpb__WindowUpdate window = FCPB__WINDOW_UPDATE__INIT;
        Fcpb__Ping ping = FCPB__PING__INIT;
        Fcpb__Pong pong = FCPB__PONG__INIT;
        Fcpb__GoAway go_away = FCPB__GO_AWAY__INIT;
        void *bodies[] = {
            [FCPB__FRAME__BODY_REQUEST] = &request,
            [FCPB__FRAME__BODY_MESSAGE] = &message,
            [FCPB__FRAME__BODY_STATUS] = &status,
            [FCPB__FRAME__BODY_CANCEL] = &cancel,
            [FCPB__FRAME__BODY_WINDOW_UPDATE] = &window,
            [FCPB__FRAME__BODY_PING] = &ping,
            [FCPB__FRAME__BODY_PONG] = &pong,
            [FCPB__FRAME__BODY_GO_AWAY] = &go_away,
        };
        frame.request = bodies[cases[i].kind];
        rig_say(&r.dialler, &frame);
        rig_settle(&r);
        assert_int_equal(r.listener.closings, 1);
        assert_int_equal(r.listener.endpoint.counters.frames_malformed, 1);
        assert_int_equal(rig_skip(&r.dialler, FCPB__FRAME__BODY_GO_AWAY), 1);
        rig_fini(&r);
    }
}

static void
frames_that_crossed_the_end_of_their_call_are_forgiven(void **state)
{
    (void)state;
    rig r;
    listener_open(&r);
    ask(&r, 5, get_fleet);
    rig_settle(&r);
    rig_say_window(&r.dialler, 5, 100);
    rig_say_cancel(&r.dialler, 5);
    rig_say_payload(&r.dialler, 5, "", 0, true);
    rig_say_cancel(&r.dialler, 3); /* skipped, so below the highest */
    rig_settle(&r);
    assert_int_equal(r.listener.closings, 0);
    rig_fini(&r);
}

static void
a_peer_that_opens_too_many_calls_is_told_so(void **state)
{
    (void)state;
    rig r;
    listener_open(&r);
    for (uint32_t i = 0; i < FC_RPC_STREAMS_MAX + 10; i++)
        ask(&r, 2 * i + 1, get_instance);
    rig_settle(&r);
    assert_int_equal(r.listener.endpoint.counters.calls_limited, 10);
    assert_int_equal(rig_skip(&r.dialler, FCPB__FRAME__BODY_STATUS), 10);
    assert_int_equal(r.listener.closings, 0);
    rig_say_cancel(&r.dialler, 1);
    ask(&r, 2 * (FC_RPC_STREAMS_MAX + 10) + 1, get_fleet);
    rig_settle(&r);
    assert_int_equal(rig_skip(&r.dialler, FCPB__FRAME__BODY_STATUS), 2);
    rig_fini(&r);
}

/* Pings and refused requests cost the peer less than us: when it does not read the answers, we stop reading.
 */
static void
a_peer_that_does_not_listen_is_not_read_from_for_ever(void **state)
{
    (void)state;
    rig r;
    listener_open(&r);
    uint32_t stream_id = 1;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 100; i++, stream_id += 2)
            rig_say_request(&r.dialler, stream_id, "/x", 0, 0);
        while (rig_hand(&r.listener, SIZE_MAX) || rig_run(&r)) /* nothing is carried back */
            continue;
        assert_true(fc_buf_size(&r.listener.conn->out) < 4 * FC_RPC_OUT_HARD);
    }
    assert_true(fc_buf_size(&r.listener.inbox) > 1 << 20);
    rig_settle(&r); /* it reads at last, and all are answered */
    assert_int_equal(fc_buf_size(&r.listener.inbox), 0);
    assert_int_equal(rig_skip(&r.dialler, FCPB__FRAME__BODY_STATUS), 200000);
    rig_fini(&r);
}

/* ---- going away ---- */

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    *(fc_rpc_status *)fc_rpc_call_user(call) = *status;
}

static const fc_rpc_call_ops ops = {.on_closed = on_closed};

static void
after_go_away_no_call_starts_and_open_ones_finish(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){.listener_raw = true});
    rig_say_ping(&r.listener);
    rig_settle(&r);
    (void)rig_skip(&r.listener, 0);
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    fc_rpc_status first = {.code = (fc_code)99}, second = {.code = (fc_code)99};
    (void)fc_rpc_call_new(r.dialler.conn, FC_METHOD_GET_FLEET, &request.base, 0, &ops, &first);
    Fcpb__GoAway go_away = FCPB__GO_AWAY__INIT;
    go_away.reason = (char *)"upgrade\n";
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.body_case = FCPB__FRAME__BODY_GO_AWAY;
    frame.go_away = &go_away;
    rig_say(&r.listener, &frame);
    rig_settle(&r);
    (void)fc_rpc_call_new(r.dialler.conn, FC_METHOD_GET_FLEET, &request.base, 0, &ops, &second);
    rig_settle(&r);
    assert_int_equal(second.code, FC_CODE_UNAVAILABLE);
    assert_string_equal(second.message, "10.0.0.1:7443 is closing the connection: upgrade?");
    assert_int_equal(r.dialler.closings, 0);
    rig_say_payload(&r.listener, 1, "", 0, false);
    rig_say_status(&r.listener, 1, FC_CODE_OK, "");
    rig_settle(&r);
    assert_int_equal(first.code, FC_CODE_OK);
    assert_int_equal(r.dialler.closings, 1);
    assert_string_equal(r.dialler.why.message, "closed by the peer: upgrade?");
    rig_fini(&r);
}

static void
closing_tells_the_peer_why_and_ends_the_calls_first(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    Fcpb__GetInstanceRequest request = FCPB__GET_INSTANCE_REQUEST__INIT;
    fc_rpc_status status = {.code = (fc_code)99};
    (void)fc_rpc_call_new(r.dialler.conn, FC_METHOD_GET_INSTANCE, &request.base, 0, &ops, &status);
    rig_settle(&r);
    fc_rpc_conn_close(r.listener.conn, FC_CODE_PERMISSION_DENIED, "certificate revoked");
    fc_rpc_conn_close(r.listener.conn, FC_CODE_INTERNAL, "twice");
    assert_int_equal(r.listener.closings, 0);
    rig_settle(&r);
    assert_int_equal(r.listener.closings, 1);
    assert_int_equal(r.listener.why.code, FC_CODE_PERMISSION_DENIED);
    assert_int_equal(r.dialler.closings, 1);
    assert_string_equal(r.dialler.why.message, "closed by the peer: certificate revoked");
    assert_int_equal(status.code, FC_CODE_UNAVAILABLE);
    rig_fini(&r);
}

static void
again(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    static const fc_rpc_call_ops again_ops = {.on_closed = again};
    unsigned *left = fc_rpc_call_user(call);
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    if (*left > 0) {
        --*left;
        (void)fc_rpc_call_new(fc_rpc_call_conn(call), FC_METHOD_GET_FLEET, &request.base, 0, &again_ops,
                              left);
    }
}

static void
a_user_that_calls_again_from_on_closed_does_not_hold_up_the_end(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    static const fc_rpc_call_ops again_ops = {.on_closed = again};
    Fcpb__GetInstanceRequest request = FCPB__GET_INSTANCE_REQUEST__INIT;
    unsigned left = 10;
    (void)fc_rpc_call_new(r.dialler.conn, FC_METHOD_GET_INSTANCE, &request.base, 0, &again_ops, &left);
    rig_settle(&r);
    rig_cut(&r);
    rig_settle(&r);
    assert_int_equal(r.dialler.closings, 1);
    assert_int_equal(left, 0);
    assert_null(r.dialler.conn);
    rig_fini(&r);
}

/* ---- closing from within ---- */

static fc_rpc_conn *victim;

static void
close_victim(void)
{
    fc_rpc_conn_close(victim, FC_CODE_ABORTED, "closed from within");
}

static void
close_in_request(fc_rpc_call *call, const ProtobufCMessage *request, void *user)
{
    victim = fc_rpc_call_conn(call);
    assert_int_equal(request->descriptor->n_fields, 0);
    close_victim();
    assert_ptr_equal(fc_rpc_conn_user(victim), user);
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fc_rpc_call_reply(call, &fleet.base); /* too late, and harmless */
}

static void
close_in_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    victim = fc_rpc_call_conn(call);
    close_victim();
    fc_rpc_call_cancel(call);
}

static void
closing_from_within_a_handler_is_safe(void **state)
{
    (void)state;
    rig r;
    int service_itself;
    const fc_rpc_handler closing[] = {{.method = FC_METHOD_GET_FLEET, .request = close_in_request}};
    const fc_rpc_service closing_service = {
        .handlers = closing, .handler_count = 1, .service = &service_itself};
    rig_init(&r, &(rig_options){.listener_services = &closing_service, .dialler_raw = true});
    rig_say_ping(&r.dialler);
    rig_settle(&r);
    fc_rpc_conn_set_user(r.listener.conn, &service_itself);
    ask(&r, 1, get_fleet);
    ask(&r, 3, get_fleet); /* in the same bytes: not served any more */
    rig_settle(&r);
    assert_int_equal(r.listener.closings, 1);
    assert_string_equal(r.listener.why.message, "closed from within");
    rig_fini(&r);
}

static void
closing_from_within_on_message_is_safe(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, &(rig_options){.listener_services = &service});
    rig_settle(&r);
    static const fc_rpc_call_ops closing = {.on_message = close_in_message, .on_closed = on_closed};
    fc_rpc_status status = {0};
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    (void)fc_rpc_call_new(r.dialler.conn, FC_METHOD_GET_FLEET, &request.base, 0, &closing, &status);
    rig_settle(&r);
    assert_int_equal(status.code, FC_CODE_UNAVAILABLE);
    assert_int_equal(r.dialler.closings + r.listener.closings, 2);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dialling_side_speaks_first_and_opens_when_it_is_answered),
        cmocka_unit_test(half_a_frame_does_not_admit),
        cmocka_unit_test(a_stranger_is_closed_at_its_first_byte),
        cmocka_unit_test(a_certificate_without_a_role_is_a_stranger),
        cmocka_unit_test(silence_and_dribbling_end_with_the_admission_time),
        cmocka_unit_test(long_frames_are_for_admitted_peers),
        cmocka_unit_test(three_unanswered_pings_end_a_connection),
        cmocka_unit_test(the_clock_is_measured_again_soon_after_opening),
        cmocka_unit_test(any_byte_keeps_a_connection_alive),
        cmocka_unit_test(two_connections_keep_each_other_alive_and_know_their_clocks),
        cmocka_unit_test(frames_that_break_the_protocol_end_the_connection_and_are_counted),
        cmocka_unit_test(frames_that_crossed_the_end_of_their_call_are_forgiven),
        cmocka_unit_test(a_peer_that_opens_too_many_calls_is_told_so),
        cmocka_unit_test(a_peer_that_does_not_listen_is_not_read_from_for_ever),
        cmocka_unit_test(after_go_away_no_call_starts_and_open_ones_finish),
        cmocka_unit_test(closing_tells_the_peer_why_and_ends_the_calls_first),
        cmocka_unit_test(closing_from_within_a_handler_is_safe),
        cmocka_unit_test(closing_from_within_on_message_is_safe),
        cmocka_unit_test(a_user_that_calls_again_from_on_closed_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
