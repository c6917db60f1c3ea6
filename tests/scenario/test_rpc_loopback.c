/* Calls over real NNG streams on the loopback: connecting, reconnecting, strangers, teardown. */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static fc_loop *loop;

/* Plain streams have no certificates: the tests say who is who. */
static fc_role role_of_clients = FC_ROLE_OPERATOR;

static bool
identify_client(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = role_of_clients, .fleet = "test", .name = "peer"};
    return role_of_clients != FC_ROLE_NONE;
}

static bool
identify_server(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "test", .name = "co"};
    return true;
}

/* ---- what the server serves ---- */

static void
get_fleet(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fleet.fleet_id = (char *)"test";
    fc_rpc_call_reply(call, &fleet.base);
}

/* As many instances as the selector says, all at once: more than a window, so they queue. */
static void
list_instances(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    const Fcpb__ListInstancesRequest *wanted = (const void *)request;
    static char padding[1000];
    memset(padding, 'x', sizeof padding - 1);
    for (long i = 0, count = strtol(wanted->target->selector, NULL, 10); i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "%ld", i);
        Fcpb__Instance instance = FCPB__INSTANCE__INIT;
        instance.id = id;
        instance.version = padding;
        (void)fc_rpc_call_send(call, &instance.base);
    }
    fc_rpc_call_finish(call, &fc_rpc_ok);
}

static void
get_capture(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    const Fcpb__GetCaptureRequest *wanted = (const void *)request;
    if (strcmp(wanted->name, "never") == 0)
        return; /* until the deadline */
    fc_fail fail;
    (void)fc_fail_field(&fail, FC_ERR_NOT_FOUND, "name", "no capture is named %s", wanted->name);
    fc_rpc_call_fail(call, &fail);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = get_fleet},
    {.method = FC_METHOD_LIST_INSTANCES, .request = list_instances},
    {.method = FC_METHOD_GET_CAPTURE, .request = get_capture},
};
static const fc_rpc_service services[] = {{.handlers = handlers, .handler_count = FC_COUNT(handlers)}};

/* ---- what is told ---- */

typedef struct heard {
    unsigned opened;
    unsigned closed;
    unsigned failed;
    uint64_t retry_ms;
    fc_fail failure;
    fc_rpc_status why;
    fc_rpc_conn *conn;
} heard;

static void
hear_open(fc_rpc_conn *conn, void *user)
{
    heard *h = user;
    h->opened++;
    h->conn = conn;
}

static void
hear_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)conn;
    heard *h = user;
    h->closed++;
    h->why = *why;
    h->conn = NULL;
}

static void
hear_failure(const fc_fail *why, uint64_t retry_ms, void *user)
{
    heard *h = user;
    h->failed++;
    h->failure = *why;
    h->retry_ms = retry_ms;
}

static const fc_rpc_conn_ops hear = {
    .on_open = hear_open, .on_close = hear_close, .on_connect_failed = hear_failure};

/* ---- the two sides ---- */

static fc_rpc_server *
serve(heard *h, const char *address, fc_rpc_options options)
{
    options.loop = loop;
    options.identify = identify_client;
    options.services = services;
    options.service_count = 1;
    options.ops = &hear;
    options.user = h;
    fc_rpc_server *server = NULL;
    fc_fail fail;
    fc_err err = fc_rpc_server_new(&options, address, &server, &fail);
    if (err != FC_OK)
        fail_msg("%s", fail.text);
    return server;
}

static fc_rpc_client *
connect_to(heard *h, uint16_t port, bool once)
{
    const fc_rpc_options options = {.loop = loop, .identify = identify_server, .ops = &hear, .user = h};
    const fc_rpc_backoff backoff = {.first_ms = 20, .max_ms = 100, .once = once};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = NULL;
    fc_fail fail;
    fc_err err = fc_rpc_client_new(&options, address, &backoff, &client, &fail);
    if (err != FC_OK)
        fail_msg("%s", fail.text);
    return client;
}

static void
on_give_up(fc_timer *timer)
{
    (void)timer;
    fail_msg("waited 20 s in vain");
}

#define RUN_UNTIL(condition)                                                                                 \
    do {                                                                                                     \
        fc_timer give_up = {.fire = on_give_up};                                                             \
        fc_loop_timer_after_ms(loop, &give_up, 20000);                                                       \
        while (!(condition))                                                                                 \
            fc_loop_step(loop, -1);                                                                          \
        fc_loop_timer_clear(loop, &give_up);                                                                 \
    } while (0)

static void
on_quiet(fc_timer *timer)
{
    timer->fire = NULL;
}

static bool
quiet_for_ms(int64_t ms)
{
    fc_timer timer = {.fire = on_quiet};
    fc_loop_timer_after_ms(loop, &timer, ms);
    while (timer.fire != NULL)
        fc_loop_step(loop, -1);
    return true;
}

static int
set_up(void **state)
{
    (void)state;
    role_of_clients = FC_ROLE_OPERATOR;
    return fc_loop_new(&fc_clock_system, &loop) == FC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    fc_loop_free(loop);
    return 0;
}

/* ---- tests ---- */

static fc_err
ask_fleet(fc_rpc_client *client, fc_fail *fail)
{
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, FC_METHOD_GET_FLEET, &request.base, 5000, &reply, fail);
    if (err == FC_OK) {
        assert_string_equal(((Fcpb__Fleet *)(void *)reply)->fleet_id, "test");
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    return err;
}

static void
a_unary_call_is_answered(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    for (int i = 0; i < 100; i++)
        assert_int_equal(ask_fleet(client, &fail), FC_OK);
    assert_int_equal(at_server.opened, 1);
    assert_int_equal(at_client.opened, 1);
    assert_int_equal(fc_rpc_conn_peer(at_server.conn)->role, FC_ROLE_OPERATOR);
    assert_true(strncmp(fc_rpc_conn_address(at_server.conn), "127.0.0.1:", 10) == 0);
    RUN_UNTIL(fc_rpc_conn_clock(at_server.conn).bound_ns > 0 &&
              fc_rpc_conn_clock(at_client.conn).bound_ns > 0);
    /* The same clock at both ends: the offset is within its own bound. */
    fc_rpc_clock clock = fc_rpc_conn_clock(at_server.conn);
    assert_true(llabs(clock.offset_ns) <= clock.bound_ns);
    fc_rpc_client_free(client);
    assert_int_equal(at_client.closed, 1);
    RUN_UNTIL(at_server.closed == 1);
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
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
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
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
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
    assert_int_equal(ask_fleet(client, &fail), FC_OK);
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
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(ask_capture(client, "nine", 5000, &fail), FC_ERR_NOT_FOUND);
    assert_string_equal(fail.text, "no capture is named nine");
    assert_string_equal(fail.field, "name");
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
a_deadline_ends_a_call_that_is_never_answered(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(ask_capture(client, "never", 50, &fail), FC_ERR_TIMEOUT);
    assert_int_equal(ask_fleet(client, &fail), FC_OK);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
nobody_listening_is_said_with_address_and_reason(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    uint16_t port = fc_rpc_server_port(server);
    fc_rpc_server_free(server);
    fc_rpc_client *client = connect_to(&at_client, port, true);
    fc_fail fail;
    char expected[128];
    (void)snprintf(expected, sizeof expected, "cannot reach 127.0.0.1:%u: connection refused", port);
    assert_int_equal(ask_fleet(client, &fail), FC_ERR_UNAVAILABLE);
    assert_string_equal(fail.text, expected);
    assert_int_equal(at_client.failed, 1);
    assert_int_equal(at_client.retry_ms, 0);
    fc_rpc_client_free(client);
}

static void
a_client_comes_back_when_its_server_does(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    uint16_t port = fc_rpc_server_port(server);
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = connect_to(&at_client, port, false);
    for (unsigned round = 1; round <= 5; round++) {
        fc_fail fail;
        assert_int_equal(ask_fleet(client, &fail), FC_OK);
        assert_int_equal(at_client.opened, round);
        /* The first pings are over: nothing is on its way that could get between the goodbye and its reader.
         */
        RUN_UNTIL(quiet_for_ms(50));
        fc_rpc_server_free(server);
        assert_int_equal(at_server.closed, round);
        RUN_UNTIL(at_client.closed == round && at_client.failed > 0);
        assert_non_null(strstr(at_client.why.message, "the server is shutting down"));
        assert_true(at_client.retry_ms > 0 && at_client.retry_ms <= 100);
        assert_null(fc_rpc_client_conn(client));
        at_client.failed = 0;
        server = serve(&at_server, address, (fc_rpc_options){0});
    }
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
a_peer_without_a_place_in_the_fleet_never_opens(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    role_of_clients = FC_ROLE_NONE;
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), true);
    RUN_UNTIL(at_client.failed == 1);
    assert_non_null(strstr(at_client.failure.text, "our certificate refused"));
    assert_int_equal(at_server.opened, 0);
    assert_int_equal(at_client.opened, 0);
    assert_int_equal(fc_rpc_server_counters(server)->refused_handshake, 1);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static int
raw_connect(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void
raw_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

enum { SILENT = 200, RESETS = 300, GOOD = 20 };

static void
silent_and_resetting_strangers_do_not_keep_good_clients_out(void **state)
{
    (void)state;
    heard at_server = {0}, at_clients = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.admission_ms = 1500});
    uint16_t port = fc_rpc_server_port(server);
    static int silent[SILENT];
    static fc_rpc_client *good[GOOD];
    uint64_t made = 0;
    for (int i = 0; i < RESETS; i++) {
        int fd = raw_connect(port);
        made++;
        if (i % 3 == 0)
            assert_int_equal(send(fd, "\x16\x03\x01", 3, 0), 3);
        raw_reset(fd);
        if (i < SILENT) {
            silent[i] = raw_connect(port);
            made++;
        }
        if (i % (RESETS / GOOD) == 0)
            good[i / (RESETS / GOOD)] = connect_to(&at_clients, port, true);
        /* This thread is the server too: the kernel's queue must not fill while it connects. */
        RUN_UNTIL(fc_rpc_server_counters(server)->connections_accepted + 64 > made);
    }
    RUN_UNTIL(at_clients.opened == GOOD);
    fc_fail fail;
    for (int i = 0; i < GOOD; i++)
        assert_int_equal(ask_fleet(good[i], &fail), FC_OK);
    /* The silent ones go when their time is up, the good ones stay. */
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    RUN_UNTIL(counters->refused_timeout == SILENT);
    assert_int_equal(counters->connections_admitted, GOOD);
    assert_int_equal(at_server.closed, 0);
    assert_int_equal(ask_fleet(good[0], &fail), FC_OK);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    for (int i = 0; i < GOOD; i++)
        fc_rpc_client_free(good[i]);
    fc_rpc_server_free(server);
}

static void
the_longest_waiting_stranger_makes_room(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.pending_max = 4});
    uint16_t port = fc_rpc_server_port(server);
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    int silent[10];
    for (size_t i = 0; i < FC_COUNT(silent); i++)
        silent[i] = raw_connect(port);
    RUN_UNTIL(counters->connections_accepted == FC_COUNT(silent));
    assert_int_equal(counters->refused_pending, FC_COUNT(silent) - 4);
    fc_rpc_client *client = connect_to(&at_client, port, true);
    fc_fail fail;
    assert_int_equal(ask_fleet(client, &fail), FC_OK);
    char byte;
    assert_int_equal(recv(silent[0], &byte, 1, 0), 0); /* the first one was closed */
    for (size_t i = 0; i < FC_COUNT(silent); i++)
        close(silent[i]);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
connections_past_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.connections_max = 1});
    fc_rpc_client *first = connect_to(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(ask_fleet(first, &fail), FC_OK);
    fc_rpc_client *second = connect_to(&at_client, fc_rpc_server_port(server), true);
    assert_int_equal(ask_fleet(second, &fail), FC_ERR_UNAVAILABLE);
    assert_non_null(strstr(fail.text, "too many connections"));
    assert_int_equal(fc_rpc_server_counters(server)->refused_full, 1);
    assert_int_equal(ask_fleet(first, &fail), FC_OK);
    fc_rpc_client_free(first);
    fc_rpc_client_free(second);
    fc_rpc_server_free(server);
}

static void
bytes_that_are_no_frame_close_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool oversized;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, true},
        {"\xff\xff\xff\xff", 4, true},
        {"\0\0\x10\x01", 4, true}, /* 4097: past what is allowed before admission */
        {"\0\0\0\0", 4, false},
        {"\0\0\0\2\xff\xff", 6, false},
    };
    heard at_server = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    uint64_t oversized = 0, malformed = 0;
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        int fd = raw_connect(fc_rpc_server_port(server));
        assert_int_equal(send(fd, cases[i].bytes, cases[i].size, 0), (ssize_t)cases[i].size);
        if (cases[i].oversized)
            oversized++;
        else
            malformed++;
        RUN_UNTIL(counters->frames_oversized == oversized && counters->frames_malformed == malformed);
        close(fd);
    }
    assert_int_equal(at_server.opened, 0);
    fc_rpc_server_free(server);
}

/* No descriptor is left for a while; accepting goes on when there is one again. */
static void
running_out_of_descriptors_does_not_end_accepting(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    uint16_t port = fc_rpc_server_port(server);
    int waiting[4];
    static int hoard[4096];
    for (size_t i = 0; i < FC_COUNT(waiting); i++)
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    size_t hoarded = 0;
    /* Again and again: NNG still closes what the tests before left behind. */
    for (int round = 0; round < 5; round++) {
        for (int fd; hoarded < FC_COUNT(hoard) && (fd = dup(waiting[0])) >= 0; hoarded++)
            hoard[hoarded] = fd;
        (void)quiet_for_ms(50);
    }
    assert_int_equal(dup(waiting[0]), -1);
    assert_int_equal(errno, EMFILE);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < FC_COUNT(waiting); i++)
        assert_int_equal(connect(waiting[i], (struct sockaddr *)&to, sizeof to), 0);
    for (int i = 0; i < 30; i++)
        fc_loop_step(loop, 10);
    assert_int_equal(fc_rpc_server_counters(server)->connections_accepted, 0);
    while (hoarded > 0)
        close(hoard[--hoarded]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    RUN_UNTIL(fc_rpc_server_counters(server)->connections_accepted == FC_COUNT(waiting));
    fc_rpc_client *client = connect_to(&at_client, port, true);
    fc_fail fail;
    assert_int_equal(ask_fleet(client, &fail), FC_OK);
    for (size_t i = 0; i < FC_COUNT(waiting); i++)
        close(waiting[i]);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

static void
addresses_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           ":",      "host",  "host:",  ":7443",   "host:0x50",
                                      "host:65536", "host:0", "a/b:1", "[::1:5", "ho st:5", "fd00::1:5"};
    const fc_rpc_options options = {.loop = loop, .identify = identify_server};
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        fc_rpc_client *client = NULL;
        fc_fail fail = {0};
        assert_int_equal(fc_rpc_client_new(&options, bad[i], NULL, &client, &fail), FC_ERR_INVALID);
        assert_non_null(strstr(fail.text, "address"));
    }
}

static void
both_address_families_are_served(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "[::1]:0", (fc_rpc_options){0});
    const fc_rpc_options options = {
        .loop = loop, .identify = identify_server, .ops = &hear, .user = &at_client};
    char address[32];
    (void)snprintf(address, sizeof address, "[::1]:%u", fc_rpc_server_port(server));
    fc_rpc_client *client = NULL;
    fc_fail fail;
    assert_int_equal(fc_rpc_client_new(&options, address, NULL, &client, &fail), FC_OK);
    assert_int_equal(ask_fleet(client, &fail), FC_OK);
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

static void
a_server_can_visit_and_close_its_connections(void **state)
{
    (void)state;
    heard at_server = {0}, at_clients = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    fc_rpc_client *clients[5];
    for (size_t i = 0; i < FC_COUNT(clients); i++)
        clients[i] = connect_to(&at_clients, fc_rpc_server_port(server), true);
    RUN_UNTIL(at_clients.opened == FC_COUNT(clients) && quiet_for_ms(50));
    unsigned visited = 0;
    fc_rpc_server_each(server, close_it, &visited);
    fc_rpc_server_each(server, close_it, &visited); /* those that are closing are not visited */
    assert_int_equal(visited, FC_COUNT(clients));
    RUN_UNTIL(at_server.closed == FC_COUNT(clients) && at_clients.closed == FC_COUNT(clients));
    assert_int_equal(at_server.why.code, FC_CODE_PERMISSION_DENIED);
    assert_string_equal(at_clients.why.message, "closed by the peer: not welcome any more");
    for (size_t i = 0; i < FC_COUNT(clients); i++)
        fc_rpc_client_free(clients[i]);
    fc_rpc_server_free(server);
}

static void
close_at_once(fc_rpc_conn *conn, void *user)
{
    heard *h = user;
    h->opened++;
    fc_rpc_conn_close(conn, FC_CODE_ABORTED, "no");
}

/* A coordinator that drops its nodes as soon as they are in must not be dialled without pause. */
static void
a_connection_that_did_not_last_does_not_reset_the_back_off(void **state)
{
    (void)state;
    static const fc_rpc_conn_ops closing = {.on_open = close_at_once};
    heard at_server = {0};
    fc_rpc_options options = {.loop = loop, .identify = identify_client, .ops = &closing, .user = &at_server};
    fc_rpc_server *server = NULL;
    fc_rpc_client *client = NULL;
    fc_fail fail;
    assert_int_equal(fc_rpc_server_new(&options, "127.0.0.1:0", &server, &fail), FC_OK);
    options = (fc_rpc_options){.loop = loop, .identify = identify_server};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(server));
    const fc_rpc_backoff backoff = {.first_ms = 1, .max_ms = 100000};
    assert_int_equal(fc_rpc_client_new(&options, address, &backoff, &client, &fail), FC_OK);
    (void)quiet_for_ms(1500);
    assert_true(at_server.opened >= 2);
    assert_true(at_server.opened < 60); /* hundreds, if every delay were a millisecond */
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

/* Freed at every stage of connecting: nothing leaks and nothing is used after (the sanitizers judge). */
static void
clients_can_be_freed_at_any_moment(void **state)
{
    (void)state;
    heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    for (int steps = 0; steps < 60; steps++) {
        fc_rpc_client *client = connect_to(&at_client, fc_rpc_server_port(server), false);
        for (int i = 0; i < steps % 12; i++)
            fc_loop_step(loop, 1);
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
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_unary_call_is_answered),
        T(a_stream_far_longer_than_its_window_arrives_in_order),
        T(a_stream_can_be_left_early_and_the_connection_lives_on),
        T(a_failure_arrives_with_its_sentence_and_field),
        T(a_deadline_ends_a_call_that_is_never_answered),
        T(nobody_listening_is_said_with_address_and_reason),
        T(a_client_comes_back_when_its_server_does),
        T(a_peer_without_a_place_in_the_fleet_never_opens),
        T(silent_and_resetting_strangers_do_not_keep_good_clients_out),
        T(the_longest_waiting_stranger_makes_room),
        T(connections_past_the_limit_are_closed_at_once),
        T(bytes_that_are_no_frame_close_the_connection),
        T(running_out_of_descriptors_does_not_end_accepting),
        T(addresses_that_mean_nothing_are_refused),
        T(both_address_families_are_served),
        T(a_server_can_visit_and_close_its_connections),
        T(a_connection_that_did_not_last_does_not_reset_the_back_off),
        T(clients_can_be_freed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
