/* A machine that enrols with a coordinator that is played here, and does not always tell the truth: real TLS
 * over loopback, a real CA. */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/issuer.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "node/enrolment.h"
#include "tests/port_rig.h"
#include "tests/temp_dir.h"

#include <fleetcap/v1/enrol_service.pb-c.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* How the played coordinator answers to Enrol. */
typedef enum answer {
    ISSUE,
    PENDING,
    REFUSE,
    OTHER_NAME,
    OTHER_CA,        /* not signed by the CA that comes with it */
    OTHER_SCALE_SET, /* the answer says another one than the certificate */
    OTHER_FLEET,
    GARBAGE,
    NOTHING,
} answer;

/* The coordinator has a loop and a thread of its own: an enrolment waits in its own. */
typedef struct world {
    char root[TEMP_DIR_BYTES];
    fc_issuer *issuer, *stranger;
    uint8_t pin[FC_TOKEN_PIN_SIZE];
    fc_loop *loop;
    fc_tls *tls;
    fc_rpc_server *server;
    fc_rpc_service service;
    char address[32];
    pthread_t thread;
    fc_task stop;

    _Atomic answer answer;
    atomic_uint pending_left; /* so often PENDING comes before the answer */
    atomic_uint asked;
    char token_id[32], name[64], scale_set[64], region[64]; /* as it was asked last */

    fc_token token;
    fc_key *key;
    nd_enrolled enrolled;
    fc_fail fail;
} world;

static atomic_uint told; /* sentences of the enrolment under way */
static char told_last[320];

/* ---- the played coordinator ---- */

static void
sign(world *w, const Fcpb__EnrolRequest *request, fc_buf *ret_pem)
{
    int64_t now_s = fc_clock_wall(&fc_clock_system).ns / FC_NS_PER_S;
    fc_key *key = NULL;
    fc_buf csr = {0};
    bool other = w->answer == OTHER_NAME;
    fc_issue issue = {.fleet = "test",
                      .name = other ? "somebody" : request->instance_id,
                      .scale_set = "web",
                      .region = "eu",
                      .not_before_unix_s = now_s - 5,
                      .not_after_unix_s = now_s + 3600};
    fc_principal principal;
    fc_fail fail = {0};
    if (other) {
        assert_int_equal(fc_key_new(&key, NULL), FC_OK);
        assert_int_equal(fc_key_csr(key, "somebody", &csr, NULL), FC_OK);
    } else {
        fc_buf_append(&csr, request->csr_pem.data, request->csr_pem.len);
    }
    if (fc_issuer_sign(w->answer == OTHER_CA ? w->stranger : w->issuer, &issue, fc_buf_text(&csr),
                       fc_buf_size(&csr), ret_pem, &principal, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    fc_key_free(key);
    fc_buf_fini(&csr);
}

static void
issue_certificate(world *w, fc_rpc_call *call, const Fcpb__EnrolRequest *request)
{
    Fcpb__EnrolResponse response = FCPB__ENROL_RESPONSE__INIT;
    Fcpb__IssuedCertificate issued = FCPB__ISSUED_CERTIFICATE__INIT;
    const char *ca = fc_issuer_ca_pem(w->issuer);
    fc_buf pem = {0};
    if (w->answer == GARBAGE)
        fc_buf_printf(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    else
        sign(w, request, &pem);
    issued.certificate_pem = (ProtobufCBinaryData){fc_buf_size(&pem), pem.data + pem.start};
    issued.ca_pem = (ProtobufCBinaryData){strlen(ca), (uint8_t *)(uintptr_t)ca};
    issued.fleet_id = (char *)(uintptr_t)(w->answer == OTHER_FLEET ? "other" : "test");
    issued.scale_set = (char *)(uintptr_t)(w->answer == OTHER_SCALE_SET ? "db" : "web");
    issued.region = (char *)(uintptr_t) "eu";
    response.result_case = FCPB__ENROL_RESPONSE__RESULT_ISSUED;
    response.issued = &issued;
    fc_rpc_call_reply(call, &response.base);
    fc_buf_fini(&pem);
}

static void
enrol(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    const Fcpb__EnrolRequest *request = (const Fcpb__EnrolRequest *)message;
    Fcpb__EnrolResponse response = FCPB__ENROL_RESPONSE__INIT;
    Fcpb__PendingEnrolment pending = FCPB__PENDING_ENROLMENT__INIT;
    fc_fail fail = {0};
    w->asked++;
    (void)snprintf(w->token_id, sizeof w->token_id, "%s", request->token_id);
    (void)snprintf(w->name, sizeof w->name, "%s", request->name);
    (void)snprintf(w->scale_set, sizeof w->scale_set, "%s", request->scale_set);
    (void)snprintf(w->region, sizeof w->region, "%s", request->region);
    if (w->answer == PENDING || w->pending_left > 0) {
        if (w->pending_left > 0)
            w->pending_left--;
        pending.enrolment_id = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef";
        pending.retry_after_ms = 1; /* the machine has a floor of its own */
        response.result_case = FCPB__ENROL_RESPONSE__RESULT_PENDING;
        response.pending = &pending;
        fc_rpc_call_reply(call, &response.base);
    } else if (w->answer == REFUSE) {
        (void)fc_fail_set(&fail, FC_ERR_DENIED, "this token has been used up");
        fc_rpc_call_fail(call, &fail);
    } else if (w->answer == NOTHING) {
        fc_rpc_call_reply(call, &response.base);
    } else {
        issue_certificate(w, call, request);
    }
}

static const fc_rpc_handler handlers[] = {{.method = FC_METHOD_ENROL, .request = enrol}};

static void
stop_run(fc_task *task)
{
    world *w = FC_CONTAINER(task, world, stop);
    fc_rpc_server_free(w->server);
    w->server = NULL;
    fc_loop_stop(w->loop);
}

static void *
serve(void *user)
{
    fc_loop_run(((world *)user)->loop);
    return NULL;
}

static void
start_server(world *w, const char *address, bool enrolment)
{
    char ca[96], certificate[96], key[96];
    (void)snprintf(ca, sizeof ca, "%s/ca/ca.crt", w->root);
    (void)snprintf(certificate, sizeof certificate, "%s/ca/coordinator-main.crt", w->root);
    (void)snprintf(key, sizeof key, "%s/ca/coordinator-main.key", w->root);
    fc_tls_files files = {.ca = ca, .certificate = certificate, .key = key, .enrolment = enrolment};
    fc_fail fail = {0};
    if (fc_tls_new(FC_TLS_SERVER, &files, &w->tls, &fail) != FC_OK ||
        fc_tls_pin(w->tls, w->pin, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    assert_int_equal(fc_loop_new(&fc_clock_system, &w->loop), FC_OK);
    w->service = (fc_rpc_service){handlers, FC_COUNT(handlers), w};
    fc_rpc_options options = {.loop = w->loop,
                              .tls = fc_tls_config(w->tls),
                              .identify = fc_tls_identify,
                              .services = &w->service,
                              .service_count = 1};
    if (fc_rpc_server_new(&options, address, &w->server, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    if (w->address[0] == '\0')
        (void)snprintf(w->address, sizeof w->address, "127.0.0.1:%u", fc_rpc_server_port(w->server));
    w->stop.run = stop_run;
    assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
}

static void
stop_server(world *w)
{
    if (w->loop == NULL)
        return;
    fc_loop_post(w->loop, &w->stop);
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    fc_tls_free(w->tls);
    fc_loop_free(w->loop);
    w->tls = NULL;
    w->loop = NULL;
}

/* ---- the world ---- */

static fc_issuer *
make_ca(const world *w, const char *name)
{
    static const char *const addresses[] = {"127.0.0.1"};
    fc_pki_request request = {
        .role = FC_ROLE_COORDINATOR, .name = "main", .dns_names = addresses, .dns_name_count = 1};
    char directory[96], ca[128], key[128];
    fc_issuer *issuer = NULL;
    fc_fail fail = {0};
    (void)snprintf(directory, sizeof directory, "%s/%s", w->root, name);
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", directory);
    (void)snprintf(key, sizeof key, "%s/ca.key", directory);
    if (fc_pki_init(directory, "test", 10, &fail) != FC_OK ||
        fc_pki_issue(directory, &request, NULL, &fail) != FC_OK ||
        fc_issuer_open(ca, key, &issuer, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    return issuer;
}

static int
set_up(void **state)
{
    world *w = FC_NEW(world);
    temp_dir_make(w->root);
    w->issuer = make_ca(w, "ca");
    w->stranger = make_ca(w, "stranger");
    start_server(w, "127.0.0.1:0", true);
    fc_token_make(w->pin, &w->token);
    assert_int_equal(fc_key_new(&w->key, NULL), FC_OK);
    told = 0;
    *state = w;
    return 0;
}

static int
tear_down(void **state)
{
    world *w = *state;
    stop_server(w);
    fc_issuer_close(w->issuer);
    fc_issuer_close(w->stranger);
    fc_key_free(w->key);
    nd_enrolled_fini(&w->enrolled);
    (void)temp_dir_remove(w->root);
    free(w);
    return 0;
}

static void
tell(const char *sentence)
{
    told++;
    (void)snprintf(told_last, sizeof told_last, "%s", sentence);
}

static fc_err
run(world *w, uint64_t wait_ms)
{
    nd_enrolment enrolment = {.coordinator = w->address,
                              .token = &w->token,
                              .key = w->key,
                              .id = "web-1",
                              .name = "front",
                              .scale_set = "web",
                              .region = "",
                              .wait_ms = wait_ms,
                              .tell = tell};
    return nd_enrolment_run(&enrolment, &w->enrolled, &w->fail);
}

static void
said(const world *w, const char *words)
{
    if (strstr(w->fail.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", w->fail.text, words);
}

/* ---- tests ---- */

static void
a_machine_with_a_token_gets_a_certificate(void **state)
{
    world *w = *state;
    if (run(w, 0) != FC_OK)
        fail_msg("%s", w->fail.text);
    stop_server(w); /* its thread wrote what is looked at */
    assert_string_equal(w->enrolled.certificate.principal.name, "web-1");
    assert_string_equal(w->enrolled.certificate.principal.fleet, "test");
    assert_string_equal(w->enrolled.scale_set, "web");
    assert_string_equal(w->enrolled.region, "eu");
    assert_string_equal(fc_buf_text(&w->enrolled.ca_pem), fc_issuer_ca_pem(w->issuer));
    assert_string_equal(w->token_id, w->token.id);
    assert_string_equal(w->name, "front");
    assert_string_equal(w->scale_set, "web");
    assert_string_equal(w->region, "");
    assert_int_equal(told, 0);
}

static void
who_has_to_be_approved_asks_again(void **state)
{
    world *w = *state;
    w->pending_left = 3;
    if (run(w, 60000) != FC_OK)
        fail_msg("%s", w->fail.text);
    assert_int_equal(w->asked, 4);
    assert_int_equal(told, 1); /* once, with what the operator types */
    assert_non_null(strstr(told_last, "fleetcap enrolment approve 0123456789abcdef0123456789abcdef"));
}

static void
an_approval_that_does_not_come_is_waited_for_no_longer_than_said(void **state)
{
    world *w = *state;
    w->answer = PENDING;
    int64_t begin = fc_clock_mono(&fc_clock_system).ns;
    assert_int_equal(run(w, 5000), FC_ERR_TIMEOUT);
    assert_in_range((fc_clock_mono(&fc_clock_system).ns - begin) / FC_NS_PER_MS, 4900, 60000);
    said(w, "fleetcap enrolment approve");
}

static void
a_refusal_is_final(void **state)
{
    world *w = *state;
    w->answer = REFUSE;
    assert_int_equal(run(w, 60000), FC_ERR_DENIED);
    assert_int_equal(w->asked, 1);
    said(w, "used up");
}

static void
an_answer_that_is_not_for_us_is_refused(void **state)
{
    static const struct {
        answer answer;
        fc_err err;
    } cases[] = {{OTHER_NAME, FC_ERR_DENIED},   {OTHER_CA, FC_ERR_DENIED},  {OTHER_SCALE_SET, FC_ERR_CORRUPT},
                 {OTHER_FLEET, FC_ERR_CORRUPT}, {NOTHING, FC_ERR_PROTOCOL}, {GARBAGE, FC_ERR_CORRUPT}};
    world *w = *state;
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        w->answer = cases[i].answer;
        assert_int_equal(run(w, 60000), cases[i].err);
        assert_int_equal(w->asked, i + 1); /* final, all of them */
        assert_int_equal(fc_buf_size(&w->enrolled.certificate_pem), 0);
    }
}

static void
another_coordinator_than_the_tokens_is_told_nothing(void **state)
{
    world *w = *state;
    w->token.pin[0] ^= 1;
    assert_int_equal(run(w, 60000), FC_ERR_DENIED);
    said(w, "token");
    assert_int_equal(w->asked, 0);
}

static void
a_coordinator_without_enrolment_lets_nobody_in(void **state)
{
    world *w = *state;
    char address[32];
    memcpy(address, w->address, sizeof address);
    stop_server(w);
    start_server(w, address, false);
    assert_int_equal(run(w, 60000), FC_ERR_DENIED); /* final */
    assert_int_equal(w->asked, 0);
    said(w, "enrolment is switched off");
}

typedef struct late {
    world *w;
    char address[32];
    int held; /* its port, until it listens there */
} late;

static void *
start_late(void *user)
{
    late *l = user;
    while (told == 0) /* it has tried in vain */
        (void)usleep(1000);
    start_server(l->w, l->address, true);
    close(l->held);
    return NULL;
}

static void
a_coordinator_that_comes_later_is_waited_for(void **state)
{
    world *w = *state;
    late l = {.w = w};
    pthread_t thread;
    memcpy(l.address, w->address, sizeof l.address);
    uint16_t port = fc_rpc_server_port(w->server);
    stop_server(w);
    l.held = port_hold(port);
    assert_int_equal(run(w, 0), FC_ERR_UNAVAILABLE); /* one attempt */
    assert_int_equal(told, 0);
    assert_int_equal(pthread_create(&thread, NULL, start_late, &l), 0);
    if (run(w, 60000) != FC_OK)
        fail_msg("%s", w->fail.text);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(told, 1);
    assert_non_null(strstr(told_last, "trying again"));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_machine_with_a_token_gets_a_certificate),
        IN_WORLD(who_has_to_be_approved_asks_again),
        IN_WORLD(an_approval_that_does_not_come_is_waited_for_no_longer_than_said),
        IN_WORLD(a_refusal_is_final),
        IN_WORLD(an_answer_that_is_not_for_us_is_refused),
        IN_WORLD(another_coordinator_than_the_tokens_is_told_nothing),
        IN_WORLD(a_coordinator_without_enrolment_lets_nobody_in),
        IN_WORLD(a_coordinator_that_comes_later_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
