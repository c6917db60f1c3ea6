/* Calls over mutual TLS on the loopback: who gets in, who is told what. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "loop_rig.h"
#include "pki_rig.h"
#include "tests/port_rig.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[TEMP_DIR_BYTES];
static char other[TEMP_DIR_BYTES];

/* ---- credentials ---- */

static int
make_fleets(void **state)
{
    (void)state;
    fc_fail fail;
    uint32_t count;
    pki_make(directory);
    pki_make(other);
    pki_issue(directory, FC_ROLE_COORDINATOR, "co");
    pki_issue(directory, FC_ROLE_OPERATOR, "olga");
    pki_issue(directory, FC_ROLE_OPERATOR, "gone");
    pki_issue(directory, FC_ROLE_NODE, "web-1");
    pki_issue(other, FC_ROLE_OPERATOR, "mallory");
    must(fc_pki_revoke(directory, "operator/gone", &count, &fail), &fail);
    return 0;
}

static int
remove_fleets(void **state)
{
    (void)state;
    return temp_dir_remove(directory) + temp_dir_remove(other);
}

/* ---- the server ---- */

static void
get_fleet(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fleet.fleet_id = (char *)fc_rpc_conn_peer(fc_rpc_call_conn(call))->name;
    fc_rpc_call_reply(call, &fleet.base);
}

/* 64 KiB chunks, as many as the window takes at a time. */
typedef struct download {
    int left;
    uint8_t bytes[60000];
} download;

static void
send_chunks(fc_rpc_call *call)
{
    download *d = fc_rpc_call_user(call);
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    chunk.data.data = d->bytes;
    chunk.data.len = sizeof d->bytes;
    while (d->left > 0 && fc_rpc_call_writable(call)) {
        d->left--;
        (void)fc_rpc_call_send(call, &chunk.base);
    }
    if (d->left == 0)
        fc_rpc_call_finish(call, &fc_rpc_ok);
}

static void
download_over(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    free(fc_rpc_call_user(call));
}

static void
read_file(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    static const fc_rpc_call_ops ops = {.on_writable = send_chunks, .on_closed = download_over};
    download *d = FC_NEW(download);
    d->left = 500;
    fc_rpc_call_set(call, &ops, d);
    send_chunks(call);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = get_fleet},
    {.method = FC_METHOD_READ_FILE, .request = read_file},
};
static const fc_rpc_service services[] = {{.handlers = handlers, .handler_count = FC_COUNT(handlers)}};

typedef struct heard {
    unsigned opened;
    unsigned closed;
} heard;

static void
hear_open(fc_rpc_conn *conn, void *user)
{
    (void)conn;
    ((heard *)user)->opened++;
}

static void
hear_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)conn;
    (void)why;
    ((heard *)user)->closed++;
}

static const fc_rpc_conn_ops hear = {.on_open = hear_open, .on_close = hear_close};

typedef struct site {
    fc_tls *tls;
    fc_rpc_server *server;
    heard heard;
} site;

static void
site_open(site *s, uint32_t admission_ms)
{
    *s = (site){.tls = pki_credentials(directory, FC_TLS_SERVER, "coordinator-co")};
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(s->tls),
                                    .identify = fc_tls_identify,
                                    .services = services,
                                    .service_count = 1,
                                    .admission_ms = admission_ms,
                                    .ops = &hear,
                                    .user = &s->heard};
    fc_fail fail;
    must(fc_rpc_server_new(&options, "127.0.0.1:0", &s->server, &fail), &fail);
}

static void
site_close(site *s)
{
    fc_rpc_server_free(s->server);
    fc_tls_free(s->tls);
}

static fc_rpc_client *
connect_as(const fc_tls *tls, uint16_t port, bool once)
{
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(tls),
                                    .identify = fc_tls_identify,
                                    .explain = fc_tls_last_failure,
                                    .explain_tls = tls};
    const fc_rpc_backoff backoff = {.first_ms = 10, .max_ms = 50, .once = once};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = NULL;
    fc_fail fail;
    must(fc_rpc_client_new(&options, address, &backoff, &client, &fail), &fail);
    return client;
}

static fc_err
ask_fleet(fc_rpc_client *client, char *ret_name, fc_fail *fail)
{
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, FC_METHOD_GET_FLEET, &request.base, PATIENCE_MS, &reply, fail);
    if (err == FC_OK) {
        (void)snprintf(ret_name, 64, "%s", ((Fcpb__Fleet *)(void *)reply)->fleet_id);
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    return err;
}

/* ---- tests ---- */

static void
the_certificate_says_who_is_calling(void **state)
{
    (void)state;
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-olga");
    fc_rpc_client *client = connect_as(tls, fc_rpc_server_port(s.server), true);
    char name[64];
    fc_fail fail;
    must(ask_fleet(client, name, &fail), &fail);
    assert_string_equal(name, "olga");
    assert_int_equal(fc_rpc_conn_peer(fc_rpc_client_conn(client))->role, FC_ROLE_COORDINATOR);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    site_close(&s);
}

static void
a_node_may_not_ask_what_operators_ask(void **state)
{
    (void)state;
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "node-web-1");
    fc_rpc_client *client = connect_as(tls, fc_rpc_server_port(s.server), true);
    char name[64];
    fc_fail fail;
    assert_int_equal(ask_fleet(client, name, &fail), FC_ERR_DENIED);
    assert_string_equal(fail.text, "node/web-1 may not call /fleetcap.v1.FleetService/GetFleet");
    assert_int_equal(fc_rpc_server_counters(s.server)->calls_denied, 1);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    site_close(&s);
}

static void
a_certificate_that_is_not_welcome_never_opens(void **state)
{
    (void)state;
    static const struct {
        const char *pki;
        const char *leaf;
        const char *said;
    } cases[] = {
        {directory, "operator-gone", "the peer refused us: certificate revoked"},
        {other, "operator-mallory", "CA"},
    };
    site s;
    site_open(&s, 0);
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_tls *tls = pki_credentials(cases[i].pki, FC_TLS_CLIENT, cases[i].leaf);
        fc_rpc_client *client = connect_as(tls, fc_rpc_server_port(s.server), true);
        char name[64];
        fc_fail fail;
        assert_int_equal(ask_fleet(client, name, &fail), FC_ERR_UNAVAILABLE);
        assert_non_null(strstr(fail.text, cases[i].said));
        fc_rpc_client_free(client);
        fc_tls_free(tls);
    }
    assert_int_equal(s.heard.opened, 0);
    RUN_UNTIL(fc_rpc_server_counters(s.server)->refused_handshake == FC_COUNT(cases));
    site_close(&s);
}

static bool
add_up(const ProtobufCMessage *message, void *user)
{
    *(size_t *)user += ((const Fcpb__FileChunk *)(const void *)message)->data.len;
    return true;
}

static void
a_long_file_comes_through(void **state)
{
    (void)state;
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-olga");
    fc_rpc_client *client = connect_as(tls, fc_rpc_server_port(s.server), true);
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    size_t total = 0;
    fc_fail fail;
    must(fc_rpc_stream(client, FC_METHOD_READ_FILE, &request.base, 0, add_up, &total, &fail), &fail);
    assert_int_equal(total, 500 * 60000);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    site_close(&s);
}

enum { SILENT = 200, RESETS = 300, GOOD = 20 };

/* What makes an SP listener of NNG 1.5.2 stop admitting for ever: a hello, then a reset. */
static void
silent_and_resetting_strangers_do_not_keep_good_clients_out(void **state)
{
    (void)state;
    static const char hello[] = "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    site s;
    site_open(&s, 3000);
    const fc_rpc_counters *counters = fc_rpc_server_counters(s.server);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-olga");
    static int silent[SILENT];
    static fc_rpc_client *good[GOOD];
    uint64_t made = 0;
    for (int i = 0; i < RESETS; i++) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        int fd = port_connect(fc_rpc_server_port(s.server));
        assert_int_equal(send(fd, hello, sizeof hello - 1, 0), sizeof hello - 1);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        close(fd);
        made++;
        if (i < SILENT) {
            silent[i] = port_connect(fc_rpc_server_port(s.server));
            made++;
        }
        if (i % (RESETS / GOOD) == 0)
            good[i / (RESETS / GOOD)] = connect_as(tls, fc_rpc_server_port(s.server), false);
        RUN_UNTIL(counters->connections_accepted + 64 > made);
    }
    RUN_UNTIL(counters->connections_admitted >= GOOD);
    char name[64];
    fc_fail fail;
    for (int i = 0; i < GOOD; i++)
        must(ask_fleet(good[i], name, &fail), &fail);
    RUN_UNTIL(counters->refused_timeout >= SILENT);
    assert_int_equal(s.heard.closed, 0);
    must(ask_fleet(good[0], name, &fail), &fail);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    for (int i = 0; i < GOOD; i++)
        fc_rpc_client_free(good[i]);
    fc_tls_free(tls);
    site_close(&s);
}

static void
clients_can_be_freed_at_any_moment(void **state)
{
    (void)state;
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-olga");
    for (int steps = 0; steps < 40; steps++) {
        fc_rpc_client *client = connect_as(tls, fc_rpc_server_port(s.server), false);
        for (int i = 0; i < steps; i++)
            fc_loop_step(loop, 1);
        fc_rpc_client_free(client);
    }
    site_close(&s);
    assert_int_equal(s.heard.opened, s.heard.closed);
    fc_tls_free(tls);
}

/* ---- who is refused ---- */

/* What a client that keeps trying hears. */
typedef struct tries {
    unsigned opened, failed;
    uint64_t longest_ms, last_ms;
} tries;

static void
try_opened(fc_rpc_conn *conn, void *user)
{
    (void)conn;
    ((tries *)user)->opened++;
}

static void
try_failed(const fc_fail *why, uint64_t retry_ms, void *user)
{
    tries *t = user;
    (void)why;
    t->failed++;
    t->last_ms = retry_ms;
    t->longest_ms = retry_ms > t->longest_ms ? retry_ms : t->longest_ms;
}

static fc_rpc_client *
keep_trying(const fc_tls *tls, uint16_t port, fc_rpc_backoff backoff, tries *t)
{
    static const fc_rpc_conn_ops ops = {.on_open = try_opened, .on_connect_failed = try_failed};
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(tls),
                                    .identify = fc_tls_identify,
                                    .ops = &ops,
                                    .user = t,
                                    .explain = fc_tls_last_failure,
                                    .refused = fc_tls_refused,
                                    .explain_tls = tls};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = NULL;
    fc_fail fail;
    must(fc_rpc_client_new(&options, address, &backoff, &client, &fail), &fail);
    return client;
}

#define NEVER_MS UINT32_C(4000000000) /* the random wait is never so short that a test sees its end */
enum { SHORT_MS = 50, ENOUGH = 12 };

static void
who_is_refused_for_good_comes_less_and_less_and_who_finds_nobody_soon(void **state)
{
    (void)state;
    const fc_rpc_backoff backoff = {.first_ms = 10, .max_ms = SHORT_MS, .refused_max_ms = 60000};
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-gone");
    tries t = {0};
    fc_rpc_client *client = keep_trying(tls, fc_rpc_server_port(s.server), backoff, &t);
    RUN_UNTIL(t.longest_ms > SHORT_MS);
    uint16_t port = fc_rpc_server_port(s.server);
    site_close(&s);
    int held = port_hold(port);
    fc_rpc_client_retry(client);
    unsigned so_far = t.failed;
    RUN_UNTIL(t.failed > so_far);
    for (unsigned i = 0; i < ENOUGH; i++) { /* nobody is there now */
        assert_in_range(t.last_ms, 1, SHORT_MS);
        so_far = t.failed;
        RUN_UNTIL(t.failed > so_far);
    }
    assert_int_equal(t.opened, 0);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    close(held);
}

/* The coordinator will be another one soon, perhaps: it is we who refuse. */
static void
who_refuses_the_server_looks_for_another_one_soon(void **state)
{
    (void)state;
    const fc_rpc_backoff backoff = {.first_ms = 10, .max_ms = SHORT_MS, .refused_max_ms = 60000};
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(other, FC_TLS_CLIENT, "operator-mallory");
    tries t = {0};
    fc_rpc_client *client = keep_trying(tls, fc_rpc_server_port(s.server), backoff, &t);
    RUN_UNTIL(t.failed == ENOUGH);
    assert_in_range(t.longest_ms, 1, SHORT_MS);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    site_close(&s);
}

static void
who_is_refused_and_gets_another_certificate_is_back_at_once(void **state)
{
    (void)state;
    const fc_rpc_backoff backoff = {.first_ms = NEVER_MS, .refused_max_ms = NEVER_MS};
    uint32_t count;
    fc_fail fail;
    pki_issue(directory, FC_ROLE_OPERATOR, "back");
    must(fc_pki_revoke(directory, "operator/back", &count, &fail), &fail);
    site s;
    site_open(&s, 0);
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-back");
    tries t = {0};
    fc_rpc_client *client = keep_trying(tls, fc_rpc_server_port(s.server), backoff, &t);
    RUN_UNTIL(t.failed == 1);
    fc_rpc_client_retry(client);
    RUN_UNTIL(t.failed == 2);
    pki_issue(directory, FC_ROLE_OPERATOR, "back");
    must(fc_tls_reload(tls, &fail), &fail);
    fc_rpc_client_retry(client);
    RUN_UNTIL(t.opened == 1);
    assert_int_equal(t.failed, 2);
    fc_rpc_client_free(client);
    fc_tls_free(tls);
    site_close(&s);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, loop_set_up, loop_tear_down)
    const struct CMUnitTest tests[] = {
        T(the_certificate_says_who_is_calling),
        T(a_node_may_not_ask_what_operators_ask),
        T(a_certificate_that_is_not_welcome_never_opens),
        T(a_long_file_comes_through),
        T(silent_and_resetting_strangers_do_not_keep_good_clients_out),
        T(clients_can_be_freed_at_any_moment),
        T(who_is_refused_for_good_comes_less_and_less_and_who_finds_nobody_soon),
        T(who_refuses_the_server_looks_for_another_one_soon),
        T(who_is_refused_and_gets_another_certificate_is_back_at_once),
    };
    return cmocka_run_group_tests(tests, make_fleets, remove_fleets);
}
