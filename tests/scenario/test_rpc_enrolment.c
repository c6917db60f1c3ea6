/* Calls over TLS from machines that have no certificate yet: what they may, how much, how long, how many. */
#include "common/base/mem.h"
#include "common/rpc/guests.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"
#include "loop_rig.h"
#include "pki_rig.h"

#include "fleetcap/v1/enrol_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char directory[TEMP_DIR_BYTES];

static int
make_fleet(void **state)
{
    (void)state;
    pki_make(directory);
    pki_issue(directory, FC_ROLE_COORDINATOR, "co");
    pki_issue(directory, FC_ROLE_NODE, "web-1");
    return 0;
}

static int
remove_fleet(void **state)
{
    (void)state;
    return temp_dir_remove(directory);
}

/* ---- the server ---- */

/* Answers with the role that it sees, as a fleet's name; with nothing ever, when the token is "never". */
static void
enrol(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    const Fcpb__EnrolRequest *wanted = (const void *)request;
    if (strcmp(wanted->token_id, "never") == 0)
        return;
    Fcpb__IssuedCertificate issued = FCPB__ISSUED_CERTIFICATE__INIT;
    Fcpb__EnrolResponse response = FCPB__ENROL_RESPONSE__INIT;
    issued.fleet_id = (char *)(uintptr_t)fc_rpc_conn_peer(fc_rpc_call_conn(call))->name;
    response.result_case = FCPB__ENROL_RESPONSE__RESULT_ISSUED;
    response.issued = &issued;
    fc_rpc_call_reply(call, &response.base);
}

/* Everything is served, so that only the role stands between a caller and a method. */
static void
answer_nobody(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)call;
    (void)request;
    *(unsigned *)service += 1;
}

typedef struct site {
    fc_tls *tls;
    fc_rpc_server *server;
    fc_rpc_handler handlers[FC_METHOD_COUNT];
    fc_rpc_service service;
    unsigned strayed; /* calls that got past the role */
    unsigned opened, closed, denied;
} site;

static void
hear_open(fc_rpc_conn *conn, void *user)
{
    (void)conn;
    ((site *)user)->opened++;
}

static void
hear_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)conn;
    (void)why;
    ((site *)user)->closed++;
}

static void
hear_denied(fc_rpc_conn *conn, const fc_rpc_method *method, void *user)
{
    (void)conn;
    (void)method;
    ((site *)user)->denied++;
}

static void
site_open(site *s, uint32_t anonymous_max, uint32_t anonymous_ms)
{
    static const fc_rpc_conn_ops hear = {
        .on_open = hear_open, .on_close = hear_close, .on_denied = hear_denied};
    *s = (site){.tls = pki_credentials_enrolling(directory, "coordinator-co")};
    for (size_t i = 0; i < FC_METHOD_COUNT; i++)
        s->handlers[i] = (fc_rpc_handler){.method = (fc_method_id)i,
                                          .request = i == FC_METHOD_ENROL ? enrol : answer_nobody};
    s->service =
        (fc_rpc_service){.handlers = s->handlers, .handler_count = FC_METHOD_COUNT, .service = &s->strayed};
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(s->tls),
                                    .identify = fc_tls_identify,
                                    .services = &s->service,
                                    .service_count = 1,
                                    .anonymous_max = anonymous_max,
                                    .anonymous_ms = anonymous_ms,
                                    .ops = &hear,
                                    .user = s};
    fc_fail fail;
    must(fc_rpc_server_new(&options, "127.0.0.1:0", &s->server, &fail), &fail);
}

static void
site_close(site *s)
{
    fc_rpc_server_free(s->server);
    fc_tls_free(s->tls);
}

static const fc_rpc_counters *
counters(const site *s)
{
    return fc_rpc_server_counters(s->server);
}

/* ---- the clients ---- */

typedef struct machine {
    fc_tls *tls;
    fc_rpc_client *client;
    unsigned closed;
    fc_rpc_status why;
} machine;

static void
machine_closed(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)conn;
    machine *m = user;
    m->closed++;
    m->why = *why;
}

static void
machine_connect(machine *m, const site *s, fc_tls *tls)
{
    static const fc_rpc_conn_ops ops = {.on_close = machine_closed};
    *m = (machine){.tls = tls};
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(tls),
                                    .identify = fc_tls_identify,
                                    .explain = fc_tls_last_failure,
                                    .explain_tls = tls,
                                    .ops = &ops,
                                    .user = m};
    const fc_rpc_backoff backoff = {.once = true};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(s->server));
    fc_fail fail;
    must(fc_rpc_client_new(&options, address, &backoff, &m->client, &fail), &fail);
}

static void
machine_open(machine *m, const site *s)
{
    uint8_t pin[32];
    fc_tls *tls = NULL;
    fc_fail fail;
    must(fc_tls_pin(s->tls, pin, &fail), &fail);
    must(fc_tls_new_enrolment(pin, &tls, &fail), &fail);
    machine_connect(m, s, tls);
}

static void
machine_close(machine *m)
{
    fc_rpc_client_free(m->client);
    fc_tls_free(m->tls);
}

/* Enrol with a request of this size for a key; ret_name is what the server saw. */
static fc_err
ask(machine *m, size_t csr_size, char ret_name[64], fc_fail *fail)
{
    Fcpb__EnrolRequest request = FCPB__ENROL_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    request.csr_pem.data = fc_alloc(csr_size + 1);
    request.csr_pem.len = csr_size;
    fc_err err = fc_rpc_unary(m->client, FC_METHOD_ENROL, &request.base, PATIENCE_MS, &reply, fail);
    free(request.csr_pem.data);
    if (err == FC_OK) {
        (void)snprintf(ret_name, 64, "%s", ((Fcpb__EnrolResponse *)(void *)reply)->issued->fleet_id);
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    return err;
}

/* ---- tests ---- */

static void
a_machine_without_a_certificate_may_enrol(void **state)
{
    (void)state;
    site s;
    machine m;
    char name[64];
    fc_fail fail;
    site_open(&s, 0, 0);
    machine_open(&m, &s);
    must(ask(&m, 2048, name, &fail), &fail);
    assert_string_equal(name, "anonymous");
    must(ask(&m, 100, name, &fail), &fail);
    const fc_principal *peer = fc_rpc_conn_peer(fc_rpc_client_conn(m.client));
    assert_int_equal(peer->role, FC_ROLE_COORDINATOR);
    assert_string_equal(peer->name, "co");
    assert_int_equal(counters(&s)->admitted_anonymous, 1);
    assert_int_equal(counters(&s)->connections_admitted, 1);
    machine_close(&m);
    site_close(&s);
    assert_int_equal(s.opened, s.closed);
}

static void
it_may_call_nothing_else(void **state)
{
    (void)state;
    site s;
    machine m;
    fc_fail fail;
    site_open(&s, 0, 0);
    machine_open(&m, &s);
    for (size_t i = 0; i < FC_METHOD_COUNT; i++) {
        const fc_rpc_method *method = fc_rpc_method_get((fc_method_id)i);
        if (i == FC_METHOD_ENROL)
            continue;
        ProtobufCMessage *request = fc_alloc(method->input->sizeof_message);
        protobuf_c_message_init(method->input, request);
        ProtobufCMessage *reply = NULL;
        assert_int_equal(fc_rpc_unary(m.client, method->id, request, PATIENCE_MS, &reply, &fail),
                         FC_ERR_DENIED);
        assert_non_null(strstr(fail.text, "anonymous/anonymous may not call"));
        free(request);
    }
    assert_int_equal(s.strayed, 0);
    assert_int_equal(counters(&s)->calls_denied, FC_METHOD_COUNT - 1);
    /* Anybody could fill an audit log so. */
    assert_int_equal(s.denied, 0);
    machine_close(&m);
    site_close(&s);
}

static void
who_has_a_certificate_does_not_enrol(void **state)
{
    (void)state;
    site s;
    machine m;
    char name[64];
    fc_fail fail;
    site_open(&s, 0, 0);
    machine_connect(&m, &s, pki_credentials(directory, FC_TLS_CLIENT, "node-web-1"));
    assert_int_equal(ask(&m, 100, name, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "node/web-1 may not call"));
    assert_int_equal(s.denied, 1);
    assert_int_equal(counters(&s)->admitted_anonymous, 0);
    machine_close(&m);
    site_close(&s);
}

static void
the_wrong_coordinator_never_hears_the_token(void **state)
{
    (void)state;
    static const uint8_t pin[32] = {1, 2, 3};
    site s;
    machine m;
    char name[64];
    fc_tls *tls = NULL;
    fc_fail fail;
    site_open(&s, 0, 0);
    must(fc_tls_new_enrolment(pin, &tls, &fail), &fail);
    machine_connect(&m, &s, tls);
    assert_int_equal(ask(&m, 100, name, &fail), FC_ERR_UNAVAILABLE);
    assert_non_null(strstr(fail.text, "the coordinator's CA is not the one in the token"));
    RUN_UNTIL(counters(&s)->refused_handshake == 1);
    assert_int_equal(s.opened, 0);
    machine_close(&m);
    site_close(&s);
}

static void
its_frames_stay_short(void **state)
{
    (void)state;
    site s;
    machine m;
    char name[64];
    fc_fail fail;
    site_open(&s, 0, 0);
    machine_open(&m, &s);
    must(ask(&m, FC_RPC_FRAME_BEFORE_ADMISSION - 100, name, &fail), &fail);
    assert_int_equal(ask(&m, FC_RPC_FRAME_BEFORE_ADMISSION + 1, name, &fail), FC_ERR_UNAVAILABLE);
    assert_int_equal(counters(&s)->frames_oversized, 1);
    machine_close(&m);
    site_close(&s);
}

static void
it_has_few_calls_open_at_once(void **state)
{
    (void)state;
    site s;
    machine m;
    char name[64];
    fc_fail fail;
    site_open(&s, 0, 0);
    machine_open(&m, &s);
    must(ask(&m, 100, name, &fail), &fail);
    Fcpb__EnrolRequest request = FCPB__ENROL_REQUEST__INIT;
    request.token_id = (char *)(uintptr_t) "never";
    for (int i = 0; i < FC_RPC_GUEST_STREAMS_MAX; i++)
        (void)fc_rpc_call_new(fc_rpc_client_conn(m.client), FC_METHOD_ENROL, &request.base, 0, NULL, NULL);
    assert_int_equal(ask(&m, 100, name, &fail), FC_ERR_LIMIT);
    assert_int_equal(counters(&s)->calls_limited, 1);
    machine_close(&m);
    site_close(&s);
}

static void
its_time_ends_and_nobody_elses_does(void **state)
{
    (void)state;
    site s;
    machine early, late, node;
    char name[64];
    fc_fail fail;
    /* Ends far from the Pings that come 3 s and 7 s after the opening: its goodbye is not to wait behind one.
     */
    site_open(&s, 0, 5000);
    machine_connect(&node, &s, pki_credentials(directory, FC_TLS_CLIENT, "node-web-1"));
    assert_int_equal(ask(&node, 100, name, &fail), FC_ERR_DENIED);
    machine_open(&early, &s);
    must(ask(&early, 100, name, &fail), &fail);
    machine_open(&late, &s);
    must(ask(&late, 100, name, &fail), &fail);
    RUN_UNTIL(late.closed == 1);
    assert_int_equal(early.closed, 1);
    assert_non_null(strstr(early.why.message, "without a certificate is over"));
    assert_int_equal(counters(&s)->expired_anonymous, 2);
    assert_int_equal(node.closed, 0);
    assert_int_equal(ask(&node, 100, name, &fail), FC_ERR_DENIED);
    machine_close(&node);
    machine_close(&late);
    machine_close(&early);
    /* The next one starts from nothing. */
    machine_open(&late, &s);
    must(ask(&late, 100, name, &fail), &fail);
    RUN_UNTIL(late.closed == 1);
    machine_close(&late);
    site_close(&s);
    assert_int_equal(s.opened, s.closed);
}

enum { FEW = 3 };

/* FEW machines are there, and one more asks before the oldest has had its time: where that took too long, all
 * begin again. */
static void
crowd(site *s, machine m[FEW + 1], fc_fail *fail)
{
    char name[64];
    for (int attempt = 0; attempt < 10; attempt++) {
        int64_t begin_ns = fc_loop_now(loop).ns;
        site_open(s, FEW, 0);
        for (size_t i = 0; i < FEW; i++) {
            machine_open(&m[i], s);
            must(ask(&m[i], 100, name, fail), fail);
        }
        machine_open(&m[FEW], s);
        fc_err err = ask(&m[FEW], 100, name, fail);
        if (err != FC_OK) {
            assert_int_equal(err, FC_ERR_UNAVAILABLE);
            return;
        }
        assert_true(fc_loop_now(loop).ns - begin_ns >= FC_RPC_GUEST_GRACE_MS * FC_NS_PER_MS);
        for (size_t i = 0; i <= FEW; i++)
            machine_close(&m[i]);
        site_close(s);
    }
    fail_msg("%d machines cannot ask within %d ms", FEW + 1, FC_RPC_GUEST_GRACE_MS);
}

static void
of_too_many_the_newest_waits_until_the_oldest_had_its_time(void **state)
{
    (void)state;
    site s;
    machine m[FEW + 2], node;
    char name[64];
    fc_fail fail;
    crowd(&s, m, &fail);
    assert_non_null(strstr(fail.text, "too many machines want a certificate"));
    assert_int_equal(counters(&s)->refused_anonymous, 1);
    assert_int_equal(m[0].closed, 0);
    /* Who has a certificate does not notice. */
    machine_connect(&node, &s, pki_credentials(directory, FC_TLS_CLIENT, "node-web-1"));
    assert_int_equal(ask(&node, 100, name, &fail), FC_ERR_DENIED);

    int64_t until = fc_loop_now(loop).ns + (FC_RPC_GUEST_GRACE_MS + 100) * FC_NS_PER_MS;
    while (fc_loop_now(loop).ns < until)
        fc_loop_step(loop, 50);
    machine_open(&m[FEW + 1], &s);
    must(ask(&m[FEW + 1], 100, name, &fail), &fail);
    RUN_UNTIL(m[0].closed == 1);
    assert_int_equal(m[1].closed, 0);
    assert_int_equal(counters(&s)->refused_anonymous, 2);
    must(ask(&m[1], 100, name, &fail), &fail);
    for (size_t i = 0; i < FC_COUNT(m); i++)
        machine_close(&m[i]);
    machine_close(&node);
    site_close(&s);
    assert_int_equal(s.opened, s.closed);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, loop_set_up, loop_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_machine_without_a_certificate_may_enrol),
        T(it_may_call_nothing_else),
        T(who_has_a_certificate_does_not_enrol),
        T(the_wrong_coordinator_never_hears_the_token),
        T(its_frames_stay_short),
        T(it_has_few_calls_open_at_once),
        T(its_time_ends_and_nobody_elses_does),
        T(of_too_many_the_newest_waits_until_the_oldest_had_its_time),
    };
    return cmocka_run_group_tests(tests, make_fleet, remove_fleet);
}
