/* Those who have no business on the port, and too many of those who have: good clients still get in. */
#include "rpc_loopback.h"
#include "tests/port_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

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

static void
raw_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

/* The good ones have no longer than the silent ones: so long is enough on a slow machine too. */
enum { SILENT = 200, RESETS = 300, GOOD = 20, ADMISSION_MS = 6000 };

static void
silent_and_resetting_strangers_do_not_keep_good_clients_out(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_clients = {0};
    fc_rpc_server *server =
        lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.admission_ms = ADMISSION_MS});
    uint16_t port = fc_rpc_server_port(server);
    static int silent[SILENT];
    static fc_rpc_client *good[GOOD];
    uint64_t made = 0;
    for (int i = 0; i < RESETS; i++) {
        int fd = port_connect(port);
        made++;
        if (i % 3 == 0)
            assert_int_equal(send(fd, "\x16\x03\x01", 3, 0), 3);
        raw_reset(fd);
        if (i < SILENT) {
            silent[i] = port_connect(port);
            made++;
        }
        if (i % (RESETS / GOOD) == 0)
            good[i / (RESETS / GOOD)] = lo_connect(&at_clients, port, true);
        /* This thread is the server too: the kernel's queue must not fill while it connects. */
        LO_RUN_UNTIL(fc_rpc_server_counters(server)->connections_accepted + 64 > made);
    }
    LO_RUN_UNTIL(at_clients.opened == GOOD);
    fc_fail fail;
    for (int i = 0; i < GOOD; i++)
        assert_int_equal(lo_ask(good[i], &fail), FC_OK);
    /* The silent ones go when their time is up, the good ones stay. */
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    LO_RUN_UNTIL(counters->refused_timeout == SILENT);
    assert_int_equal(counters->connections_admitted, GOOD);
    assert_int_equal(at_server.closed, 0);
    assert_int_equal(lo_ask(good[0], &fail), FC_OK);
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
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.pending_max = 4});
    uint16_t port = fc_rpc_server_port(server);
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    int silent[10];
    for (size_t i = 0; i < FC_COUNT(silent); i++)
        silent[i] = port_connect(port);
    LO_RUN_UNTIL(counters->connections_accepted == FC_COUNT(silent));
    assert_int_equal(counters->refused_pending, FC_COUNT(silent) - 4);
    fc_rpc_client *client = lo_connect(&at_client, port, true);
    fc_fail fail;
    assert_int_equal(lo_ask(client, &fail), FC_OK);
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
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){.connections_max = 1});
    fc_rpc_client *first = lo_connect(&at_client, fc_rpc_server_port(server), true);
    fc_fail fail;
    assert_int_equal(lo_ask(first, &fail), FC_OK);
    fc_rpc_client *second = lo_connect(&at_client, fc_rpc_server_port(server), true);
    assert_int_equal(lo_ask(second, &fail), FC_ERR_UNAVAILABLE);
    assert_non_null(strstr(fail.text, "too many connections"));
    assert_int_equal(fc_rpc_server_counters(server)->refused_full, 1);
    assert_int_equal(lo_ask(first, &fail), FC_OK);
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
    lo_heard at_server = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
    const fc_rpc_counters *counters = fc_rpc_server_counters(server);
    uint64_t oversized = 0, malformed = 0;
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        int fd = port_connect(fc_rpc_server_port(server));
        assert_int_equal(send(fd, cases[i].bytes, cases[i].size, 0), (ssize_t)cases[i].size);
        if (cases[i].oversized)
            oversized++;
        else
            malformed++;
        LO_RUN_UNTIL(counters->frames_oversized == oversized && counters->frames_malformed == malformed);
        close(fd);
    }
    assert_int_equal(at_server.opened, 0);
    fc_rpc_server_free(server);
}

/* No descriptor is left for a while; accepting goes on when there is one again. The first of all tests: of
 * others NNG closes something still, whenever it comes to it. */
static void
running_out_of_descriptors_does_not_end_accepting(void **state)
{
    (void)state;
    lo_heard at_server = {0}, at_client = {0};
    fc_rpc_server *server = lo_serve(&at_server, "127.0.0.1:0", (fc_rpc_options){0});
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
    for (int fd; hoarded < FC_COUNT(hoard) && (fd = dup(waiting[0])) >= 0; hoarded++)
        hoard[hoarded] = fd;
    assert_int_equal(dup(waiting[0]), -1);
    assert_int_equal(errno, EMFILE);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < FC_COUNT(waiting); i++)
        assert_int_equal(connect(waiting[i], (struct sockaddr *)&to, sizeof to), 0);
    for (int i = 0; i < 30; i++)
        fc_loop_step(lo_loop, 10);
    assert_int_equal(fc_rpc_server_counters(server)->connections_accepted, 0);
    while (hoarded > 0)
        close(hoard[--hoarded]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    LO_RUN_UNTIL(fc_rpc_server_counters(server)->connections_accepted == FC_COUNT(waiting));
    fc_rpc_client *client = lo_connect(&at_client, port, true);
    fc_fail fail;
    assert_int_equal(lo_ask(client, &fail), FC_OK);
    for (size_t i = 0; i < FC_COUNT(waiting); i++)
        close(waiting[i]);
    fc_rpc_client_free(client);
    fc_rpc_server_free(server);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, lo_set_up, lo_tear_down)
    const struct CMUnitTest tests[] = {
        T(running_out_of_descriptors_does_not_end_accepting),
        T(silent_and_resetting_strangers_do_not_keep_good_clients_out),
        T(the_longest_waiting_stranger_makes_room),
        T(connections_past_the_limit_are_closed_at_once),
        T(bytes_that_are_no_frame_close_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
