/* Calls over real NNG streams on the loopback: answering, streaming, reconnecting, teardown. */
#include "quiet_rig.h"
#include "rpc_loopback.h"
#include "tests/port_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_unary_call_is_answered(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    for (int i = 0; i < 100; i++)
        assert_int_equal(lo_ask(client, &fail), FC_OK);
    assert_int_equal(at_server.opened, 1);
    assert_int_equal(at_client.opened, 1);
    assert_int_equal(fc_rpc_conn_peer(at_server.conn)->role, FC_ROLE_OPERATOR);
    assert_true(strncmp(fc_rpc_conn_address(at_server.conn), "127.0.0.1:", 10) == 0);
    LO_RUN_UNTIL(fc_rpc_conn_clock(at_server.conn).bound_ns > 0 &&
                 fc_rpc_conn_clock(at_client.conn).bound_ns > 0);
    /* Nothing is on its way that could get between the goodbye and its reader. */
    LO_RUN_UNTIL(is_quiet(at_server.conn) && is_quiet(at_client.conn));
    /* The same clock at both ends: the offset is within its own bound. */
    fc_rpc_clock clock = fc_rpc_conn_clock(at_server.conn);
    assert_true(llabs(clock.offset_ns) <= clock.bound_ns);
    fc_rpc_client_free(client);
    assert_int_equal(at_client.closed, 1);
    LO_RUN_UNTIL(at_server.closed == 1);
    assert_non_null(strstr(at_server.why.message, "the client is done"));
    fc_rpc_server_free(server);
}

static bool
count_instances(const ProtobufCMessage *message, void *user)
{
    long *next = user;
    assert_int_equal(strtol(((const Fcpb__Instance *)(const void *)message)->id, NULL, 10), *next);
    ++*next;
    return true;
}

static void
a_stream_far_longer_than_its_window_arrives_in_order(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    Fcpb__Target target = FCPB__TARGET__INIT;
    target.selector = (char *)"5000";
    Fcpb__ListInstancesRequest request = FCPB__LIST_INSTANCES_REQUEST__INIT;
    request.target = &target;
    long next = 0;
    fc_fail fail;
    assert_int_equal(
        fc_rpc_stream(client, FC_METHOD_LIST_INSTANCES, &request.base, 0, count_instances, &next, &fail),
        FC_OK);
    assert_int_equal(next, 5000);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static bool
take_three(const ProtobufCMessage *message, void *user)
{
    (void)message;
    return ++*(int *)user < 3;
}

static void
a_stream_can_be_left_early_and_the_connection_lives_on(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    Fcpb__Target target = FCPB__TARGET__INIT;
    target.selector = (char *)"2000";
    Fcpb__ListInstancesRequest request = FCPB__LIST_INSTANCES_REQUEST__INIT;
    request.target = &target;
    fc_fail fail;
    for (int i = 0; i < 300; i++) { /* more than may be open at once */
        int taken = 0;
        assert_int_equal(
            fc_rpc_stream(client, FC_METHOD_LIST_INSTANCES, &request.base, 0, take_three, &taken, &fail),
            FC_OK);
        assert_int_equal(taken, 3);
    }
    assert_int_equal(lo_ask(client, &fail), FC_OK);
    assert_int_equal(at_client.closed, 0);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static fc_err
ask_capture(fc_rpc_client *client, const char *name, uint32_t timeout_ms, fc_fail *fail)
{
    Fcpb__GetCaptureRequest request = FCPB__GET_CAPTURE_REQUEST__INIT;
    request.name = (char *)(uintptr_t)name;
    ProtobufCMessage *reply = NULL;
    return fc_rpc_unary(client, FC_METHOD_GET_CAPTURE, &request.base, timeout_ms, &reply, fail);
}

static void
a_failure_arrives_with_its_sentence_and_field(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(ask_capture(client, "nine", PATIENCE_MS, &fail), FC_ERR_NOT_FOUND);
    assert_string_equal(fail.text, "no capture is named nine");
    assert_string_equal(fail.field, "name");
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
a_deadline_ends_a_call_that_is_never_answered(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(ask_capture(client, "never", 50, &fail), FC_ERR_TIMEOUT);
    assert_int_equal(lo_ask(client, &fail), FC_OK);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
nobody_listening_is_said_with_address_and_reason(void **state)
{
    (void)state;
    lo_heard at_client = {0};
    int held = port_hold(0);
    uint16_t port = port_held(held);
    fc_rpc_client *client = lo_connect(&at_client, port, true);
    fc_fail fail;
    char expected[128];
    (void)snprintf(expected, sizeof expected, "cannot reach 127.0.0.1:%u: connection refused", port);
    assert_int_equal(lo_ask(client, &fail), FC_ERR_UNAVAILABLE);
    assert_string_equal(fail.text, expected);
    assert_int_equal(at_client.failed, 1);
    assert_int_equal(at_client.retry_ms, 0);
    fc_rpc_client_free(client);
    close(held);
}

/* The kernel drops SYNs while nobody accepts, and TCP sends them again after a second. */
static void
a_connection_whose_syn_was_lost_is_waited_for(void **state)
{
    (void)state;
    enum { CLIENTS = 12, LONGER_THAN_ANY_WATCH_MS = 700 };
    int listener = port_hold(0);
    uint16_t port = port_held(listener);
    assert_int_equal(listen(listener, 0), 0);
    int filler = port_connect(port); /* a queue of 0 holds one */

    lo_heard at_client = {0};
    fc_rpc_client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = lo_connect(&at_client, port, true);
    lo_quiet_ms(LONGER_THAN_ANY_WATCH_MS);
    if (at_client.failed > 0)
        fail_msg("%u failed: %s", at_client.failed, at_client.failure.text);
    /* They arrive after all, and say the first word. */
    assert_int_equal(listen(listener, CLIENTS), 0);
    close(accept(listener, NULL, NULL));
    for (int i = 0; i < CLIENTS; i++) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        LO_RUN_UNTIL(poll(&ready, 1, 0) == 1);
        int taken = accept(listener, NULL, NULL);
        uint8_t byte;
        ready.fd = taken;
        LO_RUN_UNTIL(poll(&ready, 1, 0) == 1);
        assert_int_equal(recv(taken, &byte, 1, 0), 1);
        close(taken);
    }
    LO_RUN_UNTIL(at_client.failed == CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        fc_rpc_client_free(clients[i]);
    close(filler);
    close(listener);
}

static void
a_client_comes_back_when_its_server_does(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    uint16_t port = fc_rpc_server_port(server);
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = lo_connect(&at_client, port, false);
    for (unsigned round = 1; round <= 5; round++) {
        fc_fail fail;
        assert_int_equal(lo_ask(client, &fail), FC_OK);
        assert_int_equal(at_client.opened, round);
        LO_RUN_UNTIL(is_quiet(at_server.conn) && is_quiet(at_client.conn));
        fc_rpc_server_free(server);
        int held = port_hold(port);
        assert_int_equal(at_server.closed, round);
        LO_RUN_UNTIL(at_client.closed == round && at_client.failed > 0);
        assert_non_null(strstr(at_client.why.message, "the server is shutting down"));
        assert_true(at_client.retry_ms > 0 && at_client.retry_ms <= 100);
        assert_null(fc_rpc_client_conn(client));
        at_client.failed = 0;
        server = lo_serve(&at_server, address, (fc_rpc_options){0});
        close(held);
    }
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
a_peer_without_a_place_in_the_fleet_never_opens(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    lo_client_role = FC_ROLE_NONE;
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), true);
    LO_RUN_UNTIL(at_client.failed == 1);
    assert_non_null(strstr(at_client.failure.text, "our certificate refused"));
    assert_int_equal(at_server.opened, 0);
    assert_int_equal(at_client.opened, 0);
    assert_int_equal(fc_rpc_server_counters(server)->refused_handshake, 1);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
addresses_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           ":",      "host",  "host:",  ":7443",   "host:0x50",
                                      "host:65536", "host:0", "a/b:1", "[::1:5", "ho st:5", "fd00::1:5"};
    const fc_rpc_options options = {.loop = lo_loop, .identify = lo_identify_server};
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        fc_rpc_client *client = NULL;
        fc_fail fail = {0};
        assert_int_equal(fc_rpc_client_new(&options, bad[i], NULL, &client, &fail), FC_ERR_INVALID);
        assert_non_null(strstr(fail.text, "address"));
    }
}

/* 192.0.2.1 is for documentation (RFC 5737): no machine has it. */
static void
an_address_that_cannot_be_listened_on_is_said_with_its_reason(void **state)
{
    (void)state;
    lo_heard h = {0};
    fc_rpc_options options = {.loop = lo_loop, .identify = lo_identify_client, .ops = &lo_hear, .user = &h};
    fc_rpc_server *first = lo_serve(&h, "127.0.0.1:0", (fc_rpc_options){0}), *server = NULL;
    fc_fail fail;
    assert_int_equal(fc_rpc_server_new(&options, "192.0.2.1:0", &server, &fail), FC_ERR_UNAVAILABLE);
    assert_string_equal(fail.text, "cannot listen on 192.0.2.1:0: that is no address of this machine");
    char taken[32], said[96];
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", fc_rpc_server_port(first));
    (void)snprintf(said, sizeof said, "cannot listen on %s: the address is in use", taken);
    assert_int_equal(fc_rpc_server_new(&options, taken, &server, &fail), FC_ERR_UNAVAILABLE);
    assert_string_equal(fail.text, said);
    assert_null(server);
    fc_rpc_server_free(first);
}

static void
both_address_families_are_served(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "[::1]:0", (fc_rpc_options){0});
    const fc_rpc_options options = {
        .loop = lo_loop, .identify = lo_identify_server, .ops = &lo_hear, .user = &at_client};
    char address[32];
    (void)snprintf(address, sizeof address, "[::1]:%u", fc_rpc_server_port(server));
    fc_rpc_client *client = NULL;
    fc_fail fail;
    assert_int_equal(fc_rpc_client_new(&options, address, NULL, &client, &fail), FC_OK);
    assert_int_equal(lo_ask(client, &fail), FC_OK);
    assert_true(strncmp(fc_rpc_conn_address(at_server.conn), "[::1]:", 6) == 0);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
close_it(fc_rpc_conn *conn, void *user)
{
    ++*(unsigned *)user;
    fc_rpc_conn_close(conn, FC_CODE_PERMISSION_DENIED, "not welcome any more");
}

static bool
all_quiet(fc_rpc_client *const *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_quiet(fc_rpc_client_conn(clients[i])))
            return false;
    return true;
}

static void
a_server_can_visit_and_close_its_connections(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_clients = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *clients[5];
    for (size_t i = 0; i < FC_COUNT(clients); i++)
        clients[i] = lo_connect(&at_clients, fc_rpc_server_port(server), true);
    LO_RUN_UNTIL(at_clients.opened == FC_COUNT(clients) && all_quiet(clients, FC_COUNT(clients)) &&
                 server_is_quiet(server));
    unsigned visited = 0;
    fc_rpc_server_each(server, close_it, &visited);
    fc_rpc_server_each(server, close_it, &visited); /* those that are closing are not visited */
    assert_int_equal(visited, FC_COUNT(clients));
    LO_RUN_UNTIL(at_server.closed == FC_COUNT(clients) && at_clients.closed == FC_COUNT(clients));
    assert_int_equal(at_server.why.code, FC_CODE_PERMISSION_DENIED);
    assert_string_equal(at_clients.why.message, "closed by the peer: not welcome any more");
    for (size_t i = 0; i < FC_COUNT(clients); i++)
        fc_rpc_client_free(clients[i]);
    fc_rpc_server_free(server);
}

static void
close_at_once(fc_rpc_conn *conn, void *user)
{
    lo_heard *h = user;
    h->opened++;
    fc_rpc_conn_close(conn, FC_CODE_ABORTED, "no");
}

/* A coordinator that drops its nodes as soon as they are in must not be dialled without pause. */
static void
a_connection_that_did_not_last_does_not_reset_the_back_off(void **state)
{
    (void)state;
    static const fc_rpc_conn_ops closing = {.on_open = close_at_once};
    lo_heard at_server = {0};
    fc_rpc_options options = {
        .loop = lo_loop, .identify = lo_identify_client, .ops = &closing, .user = &at_server};
    fc_rpc_server *server = NULL;
    fc_rpc_client *client = NULL;
    fc_fail fail;
    assert_int_equal(fc_rpc_server_new(&options, "127.0.0.1:0", &server, &fail), FC_OK);
    options = (fc_rpc_options){.loop = lo_loop, .identify = lo_identify_server};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(server));
    const fc_rpc_backoff backoff = {.first_ms = 1, .max_ms = 100000};
    assert_int_equal(fc_rpc_client_new(&options, address, &backoff, &client, &fail), FC_OK);
    LO_RUN_UNTIL(at_server.opened >= 2);
    (void)lo_quiet_ms(1500);
    assert_true(at_server.opened < 60); /* hundreds, if every delay were a millisecond */
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

/* Freed at every stage of connecting: nothing leaks and nothing is used after (the sanitizers judge). */
static void
clients_can_be_freed_at_any_moment(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    for (int steps = 0; steps < 60; steps++) {
        fc_rpc_client *client = lo_connect(&at_client, fc_rpc_server_port(server), false);
        for (int i = 0; i < steps % 12; i++)
            fc_loop_step(lo_loop, 1);
        if (fc_rpc_client_conn(client) != NULL) {
            Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
            (void)fc_rpc_call_new(fc_rpc_client_conn(client), FC_METHOD_GET_FLEET, &request.base, 1000, NULL,
                                  NULL);
        }
        fc_rpc_client_free(client);
    }
    assert_int_equal(at_client.opened, at_client.closed);
    fc_rpc_server_free(server);
    assert_int_equal(at_server.opened, at_server.closed);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, lo_set_up, lo_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_unary_call_is_answered),
        T(a_stream_far_longer_than_its_window_arrives_in_order),
        T(a_stream_can_be_left_early_and_the_connection_lives_on),
        T(a_failure_arrives_with_its_sentence_and_field),
        T(a_deadline_ends_a_call_that_is_never_answered),
        T(nobody_listening_is_said_with_address_and_reason),
        T(a_connection_whose_syn_was_lost_is_waited_for),
        T(a_client_comes_back_when_its_server_does),
        T(a_peer_without_a_place_in_the_fleet_never_opens),
        T(addresses_that_mean_nothing_are_refused),
        T(an_address_that_cannot_be_listened_on_is_said_with_its_reason),
        T(both_address_families_are_served),
        T(a_server_can_visit_and_close_its_connections),
        T(a_connection_that_did_not_last_does_not_reset_the_back_off),
        T(clients_can_be_freed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
