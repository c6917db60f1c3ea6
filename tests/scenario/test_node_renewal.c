/* A node that renews its certificate from a coordinator that is played here: real calls over loopback without
 * TLS, a real CA, certificates that live for seconds, a real disk. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/issuer.h"
#include "common/tls/key.h"
#include "common/tls/pki.h"
#include "loop_rig.h"
#include "node/fake_backend.h"
#include "node/fake_storage.h"
#include "node/identity.h"
#include "node/link.h"
#include "node/renewal.h"
#include "node_rig.h"
#include "tests/port_rig.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <fleetcap/v1/enrol_service.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* So old that it is to be renewed as soon as it is there; and long enough for some attempts that fail. Or so
 * long that nobody renews by itself while a test runs. */
enum { AGE_S = 60, LEFT_S = 12, CALM_S = 300 };

static int64_t left_s; /* of the certificates that are made */

/* How the played coordinator answers to Renew. */
typedef enum answer {
    ISSUE,
    REFUSE,
    OTHER_NAME,  /* a certificate of somebody else */
    OTHER_KEY,   /* of us, for a key that we do not have */
    OTHER_CA,    /* signed by a CA that is not in what comes with it */
    OTHER_FLEET, /* all well, but of another fleet */
    NOTHING,     /* an answer without a certificate */
    SILENCE,
} answer;

typedef struct world {
    fc_loop *loop;
    char root[TEMP_DIR_BYTES], state_dir[80];
    int dir_fd;
    fc_issuer *issuer, *stranger;

    fc_rpc_server *server;
    int held; /* the server's port while there is none; else -1 */
    fc_rpc_service service;
    answer answer;
    bool more_ca; /* the answer's bundle holds the stranger's CA too */
    bool old;     /* announces no renewal */
    bool refuse_hello;
    size_t asked, hellos;

    nd_identity identity;
    fc_labels labels;
    nd_policy policy;
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node;
    nd_link *link;
    nd_renewal *renewal;
    size_t renewed;
} world;

#define UNTIL(w, condition) RUN_LOOP_UNTIL((w)->loop, condition)

/* ---- the played coordinator ---- */

static void
hello(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    Fcpb__HelloResponse response = FCPB__HELLO_RESPONSE__INIT;
    world *w = service;
    char *features[] = {(char *)"evidence", (char *)"renewal"};
    (void)message;
    w->hellos++;
    if (w->refuse_hello) {
        fc_fail fail = {0};
        (void)fc_fail_set(&fail, FC_ERR_DENIED, "instance 'web-1' was removed");
        fc_rpc_call_fail(call, &fail);
        return;
    }
    response.features = features;
    response.n_features = w->old ? 1 : 2;
    response.protocol_version = 1;
    response.fleet_id = (char *)"test";
    response.lease_ms = 60000;
    response.heartbeat_ms = 10000;
    response.report_interval_ms = 1000;
    fc_rpc_call_reply(call, &response.base);
}

static void
report(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    Fcpb__ReportResponse response = FCPB__REPORT_RESPONSE__INIT;
    (void)message, (void)service;
    fc_rpc_call_reply(call, &response.base);
}

static void
heartbeat(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    Fcpb__HeartbeatResponse response = FCPB__HEARTBEAT_RESPONSE__INIT;
    (void)message, (void)service;
    fc_rpc_call_reply(call, &response.base);
}

static void
sign(fc_issuer *issuer, const char *fleet, const char *name, const void *csr, size_t size, fc_buf *ret_pem)
{
    int64_t now_s = fc_clock_wall(&fc_clock_system).ns / FC_NS_PER_S;
    fc_issue issue = {.fleet = fleet,
                      .name = name,
                      .scale_set = "web",
                      .region = "eu",
                      .not_before_unix_s = now_s - AGE_S,
                      .not_after_unix_s = now_s + left_s};
    fc_principal principal;
    fc_fail fail = {0};
    if (fc_issuer_sign(issuer, &issue, csr, size, ret_pem, &principal, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

static void
own_csr(fc_key *key, const char *name, fc_buf *ret_csr)
{
    assert_int_equal(fc_key_csr(key, name, ret_csr, NULL), FC_OK);
}

static void
answer_with(world *w, const Fcpb__RenewRequest *request, fc_buf *ret_pem)
{
    fc_key *key = NULL;
    fc_buf csr = {0};
    fc_issuer *issuer = w->answer == OTHER_CA ? w->stranger : w->issuer;
    if (w->answer == OTHER_NAME || w->answer == OTHER_KEY) {
        assert_int_equal(fc_key_new(&key, NULL), FC_OK);
        own_csr(key, w->answer == OTHER_NAME ? "web-2" : "web-1", &csr);
        sign(issuer, "test", w->answer == OTHER_NAME ? "web-2" : "web-1", fc_buf_bytes(&csr),
             fc_buf_size(&csr), ret_pem);
    } else {
        sign(issuer, w->answer == OTHER_FLEET ? "other" : "test", "web-1", request->csr_pem.data,
             request->csr_pem.len, ret_pem);
    }
    fc_key_free(key);
    fc_buf_fini(&csr);
}

static void
renew(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    Fcpb__EnrolResponse response = FCPB__ENROL_RESPONSE__INIT;
    Fcpb__IssuedCertificate issued = FCPB__ISSUED_CERTIFICATE__INIT;
    fc_buf pem = {0}, ca = {0};
    fc_fail fail = {0};
    w->asked++;
    if (w->answer == SILENCE)
        return;
    if (w->answer == REFUSE) {
        (void)fc_fail_set(&fail, FC_ERR_STATE, "this coordinator has no ca_key: enrolment is off");
        fc_rpc_call_fail(call, &fail);
        return;
    }
    if (w->answer != NOTHING) {
        answer_with(w, (const Fcpb__RenewRequest *)message, &pem);
        fc_buf_printf(&ca, "%s%s", fc_issuer_ca_pem(w->issuer),
                      w->more_ca ? fc_issuer_ca_pem(w->stranger) : "");
        issued.certificate_pem = (ProtobufCBinaryData){fc_buf_size(&pem), pem.data + pem.start};
        issued.ca_pem = (ProtobufCBinaryData){fc_buf_size(&ca), ca.data + ca.start};
        issued.fleet_id = (char *)"test";
        issued.scale_set = (char *)"web";
        issued.region = (char *)"eu";
        response.result_case = FCPB__ENROL_RESPONSE__RESULT_ISSUED;
        response.issued = &issued;
    }
    fc_rpc_call_reply(call, &response.base);
    fc_buf_fini(&pem);
    fc_buf_fini(&ca);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_HELLO, .request = hello},
    {.method = FC_METHOD_REPORT, .request = report},
    {.method = FC_METHOD_HEARTBEAT, .request = heartbeat},
    {.method = FC_METHOD_RENEW, .request = renew},
};

static void
start_server(world *w, const char *address)
{
    fc_fail fail = {0};
    w->service = (fc_rpc_service){handlers, FC_COUNT(handlers), w};
    fc_rpc_options options = {
        .loop = w->loop, .identify = is_node, .services = &w->service, .service_count = 1, .user = w};
    if (fc_rpc_server_new(&options, address, &w->server, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    if (w->held >= 0)
        close(w->held);
    w->held = -1;
}

/* ---- the world ---- */

static fc_issuer *
make_ca(const world *w, const char *name)
{
    char *directory = fc_sprintf("%s/%s", w->root, name);
    char *ca = fc_sprintf("%s/ca.crt", directory), *key = fc_sprintf("%s/ca.key", directory);
    fc_issuer *issuer = NULL;
    fc_fail fail = {0};
    if (fc_pki_init(directory, "test", 10, &fail) != FC_OK ||
        fc_issuer_open(ca, key, &issuer, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    free(directory);
    free(ca);
    free(key);
    return issuer;
}

/* What an enrolment leaves. */
static void
enrol(world *w)
{
    fc_key *key = NULL;
    fc_buf csr = {0}, pem = {0}, key_pem = {0};
    const char *ca = fc_issuer_ca_pem(w->issuer);
    assert_int_equal(fc_key_new(&key, NULL), FC_OK);
    own_csr(key, "web-1", &csr);
    sign(w->issuer, "test", "web-1", fc_buf_bytes(&csr), fc_buf_size(&csr), &pem);
    assert_int_equal(fc_key_pem(key, &key_pem, NULL), FC_OK);
    assert_int_equal(nd_identity_put_ca(w->dir_fd, ca, strlen(ca), NULL), FC_OK);
    assert_int_equal(nd_identity_put_node(w->dir_fd, fc_buf_bytes(&pem), fc_buf_size(&pem), &key_pem, NULL),
                     FC_OK);
    fc_key_free(key);
    fc_key_wipe(&key_pem);
    fc_buf_fini(&csr);
    fc_buf_fini(&pem);
}

static void
renewed(void *user)
{
    ((world *)user)->renewed++;
}

static void
start_node(world *w)
{
    static const nd_fake_options helpers = {.arm_ms = 5, .stop_ms = 5};
    fc_fail fail = {0};
    char address[32];
    fc_labels_set(&w->labels, "role", "web");
    w->identity = (nd_identity){
        .id = "web-1", .name = "web-1", .scale_set = "web", .region = "eu", .zone = "", .labels = &w->labels};
    w->backend = nd_fake_backend_new(w->loop, &helpers);
    w->storage = nd_fake_storage_new(w->loop);
    nd_node_options node = {.loop = w->loop,
                            .backend = w->backend,
                            .storage = w->storage,
                            .identity = &w->identity,
                            .policy = &w->policy,
                            .captures_dir = w->root,
                            .ring_bytes = 1 << 20};
    w->node = nd_node_new(&node);
    assert_int_equal(nd_node_start(w->node, &fail), FC_OK);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(w->server));
    nd_link_options link = {.loop = w->loop,
                            .node = w->node,
                            .identify = is_coordinator,
                            .coordinator = address,
                            .backoff = {.first_ms = 10, .max_ms = 50}};
    if (nd_link_new(&link, &w->link, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    nd_renewal_options renewal = {
        .loop = w->loop, .link = w->link, .state_dir = w->state_dir, .renewed = renewed, .user = w};
    if (nd_renewal_new(&renewal, &w->renewal, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

static int
begin(void **state, int64_t certificates_left_s)
{
    world *w = FC_NEW(world);
    left_s = certificates_left_s;
    w->held = -1;
    temp_dir_make(w->root);
    (void)snprintf(w->state_dir, sizeof w->state_dir, "%s/state", w->root);
    assert_int_equal(nd_identity_make(w->state_dir, NULL, &w->dir_fd, NULL), FC_OK);
    assert_int_equal(fc_loop_new(&fc_clock_system, &w->loop), FC_OK);
    w->issuer = make_ca(w, "ca");
    w->stranger = make_ca(w, "stranger");
    enrol(w);
    start_server(w, "127.0.0.1:0");
    start_node(w);
    *state = w;
    return 0;
}

static int
set_up(void **state)
{
    return begin(state, LEFT_S);
}

static int
set_up_calm(void **state)
{
    return begin(state, CALM_S);
}

static int
tear_down(void **state)
{
    world *w = *state;
    nd_link_free(w->link);
    nd_renewal_free(w->renewal);
    nd_node_free(w->node);
    nd_fake_storage_free(w->storage);
    nd_fake_backend_free(w->backend);
    fc_rpc_server_free(w->server);
    fc_loop_free(w->loop);
    fc_labels_fini(&w->labels);
    fc_issuer_close(w->issuer);
    fc_issuer_close(w->stranger);
    close(w->dir_fd);
    (void)temp_dir_remove(w->root);
    free(w);
    return 0;
}

/* ---- what node.pem is ---- */

static void
serial_now(const world *w, char ret_serial[FC_SERIAL_TEXT_SIZE])
{
    char *path = nd_identity_path(w->state_dir, ND_IDENTITY_NODE);
    fc_key_certificate found;
    fc_fail fail = {0};
    if (fc_key_file_read(path, &found, &fail) != FC_OK) /* key and certificate belong together */
        fail_msg("%s", fail.text);
    assert_string_equal(found.principal.scale_set, "web");
    (void)snprintf(ret_serial, FC_SERIAL_TEXT_SIZE, "%s", found.principal.serial);
    free(path);
}

static nd_renewal_status
status(const world *w)
{
    return nd_renewal_get_status(w->renewal);
}

/* ---- tests ---- */

static void
a_certificate_is_renewed_before_its_end_again_and_again(void **state)
{
    world *w = *state;
    char before[FC_SERIAL_TEXT_SIZE], after[FC_SERIAL_TEXT_SIZE];
    struct stat st;
    for (size_t i = 1; i <= 3; i++) {
        fc_wall end = status(w).end;
        serial_now(w, before);
        UNTIL(w, w->renewed == i);
        assert_true(fc_clock_wall(&fc_clock_system).ns < end.ns);
        serial_now(w, after);
        assert_string_not_equal(before, after);
        assert_true(status(w).end.ns > end.ns);
    }
    assert_int_equal(w->asked, 3);
    assert_int_equal(status(w).failed, 0);
    assert_int_equal(fstatat(w->dir_fd, ND_IDENTITY_NODE, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* Whatever comes instead of a certificate for us: the old one stays, and the next attempt is a new one. */
static void
check_refused(world *w, answer with)
{
    char before[FC_SERIAL_TEXT_SIZE], after[FC_SERIAL_TEXT_SIZE];
    serial_now(w, before);
    uint64_t failed = status(w).failed;
    w->answer = with;
    UNTIL(w, status(w).failed > failed);
    serial_now(w, after);
    assert_string_equal(before, after);
    w->answer = ISSUE;
    size_t so_far = w->renewed;
    UNTIL(w, w->renewed > so_far);
}

static void
a_refused_renewal_is_tried_again(void **state)
{
    check_refused(*state, REFUSE);
}

static void
a_certificate_of_another_name_is_not_taken(void **state)
{
    check_refused(*state, OTHER_NAME);
}

static void
a_certificate_of_another_key_is_not_taken(void **state)
{
    check_refused(*state, OTHER_KEY);
}

static void
a_certificate_of_another_ca_is_not_taken(void **state)
{
    check_refused(*state, OTHER_CA);
}

static void
a_certificate_of_another_fleet_is_not_taken(void **state)
{
    check_refused(*state, OTHER_FLEET);
}

static void
an_answer_without_certificate_is_a_failure(void **state)
{
    check_refused(*state, NOTHING);
}

static void
a_changed_ca_is_kept_with_the_certificate(void **state)
{
    world *w = *state;
    fc_buf ca = {0};
    w->more_ca = true;
    UNTIL(w, w->renewed == 1);
    assert_int_equal(nd_identity_get(w->dir_fd, ND_IDENTITY_CA, &ca, NULL), FC_OK);
    assert_non_null(strstr(fc_buf_text(&ca), fc_issuer_ca_pem(w->stranger)));
    assert_non_null(strstr(fc_buf_text(&ca), fc_issuer_ca_pem(w->issuer)));
    fc_buf_fini(&ca);
}

static void
a_renewal_can_be_hastened(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    assert_true(status(w).due.ns > fc_clock_wall(&fc_clock_system).ns + FC_NS_PER_S);
    nd_renewal_hasten(w->renewal);
    nd_renewal_hasten(w->renewal);
    assert_true(status(w).due.ns <= fc_clock_wall(&fc_clock_system).ns);
    UNTIL(w, w->renewed == 1);
    assert_int_equal(w->asked, 1);
}

static void
a_renewal_does_not_replace_what_an_enrolment_wrote_meanwhile(void **state)
{
    world *w = *state;
    char enrolled[FC_SERIAL_TEXT_SIZE], after[FC_SERIAL_TEXT_SIZE];
    UNTIL(w, nd_link_ready(w->link));
    enrol(w); /* the daemon has not looked yet */
    serial_now(w, enrolled);
    nd_renewal_hasten(w->renewal);
    UNTIL(w, status(w).failed == 1);
    serial_now(w, after);
    assert_string_equal(enrolled, after);
    nd_renewal_look(w->renewal);
    UNTIL(w, w->renewed == 1);
}

static void
stop_server(world *w, char ret_address[32])
{
    uint16_t port = fc_rpc_server_port(w->server);
    (void)snprintf(ret_address, 32, "127.0.0.1:%u", port);
    fc_rpc_server_free(w->server);
    w->server = NULL;
    w->held = port_hold(port);
    UNTIL(w, !nd_link_ready(w->link));
}

/* Until the node has seen that it is due. */
static void
outlast_due(world *w)
{
    UNTIL(w, fc_clock_wall(&fc_clock_system).ns > status(w).due.ns + FC_NS_PER_MS * ND_RENEWAL_READY_MS);
}

static void
a_coordinator_that_comes_back_renews_not_all_at_once(void **state)
{
    world *w = *state;
    char address[32];
    UNTIL(w, nd_link_ready(w->link));
    stop_server(w, address);
    outlast_due(w);
    start_server(w, address);
    UNTIL(w, status(w).spread == 1);
    assert_int_equal(w->asked, 0);
    stop_server(w, address); /* lost again: but then nothing is put off any more */
    outlast_due(w);
    start_server(w, address);
    UNTIL(w, w->renewed == 1);
    assert_int_equal(status(w).spread, 1);
}

static void
a_coordinator_that_is_too_old_is_not_asked_but_its_successor(void **state)
{
    world *w = *state;
    char address[32];
    w->old = true;
    outlast_due(w);
    assert_int_equal(w->asked, 0);
    assert_int_equal(status(w).failed, 0);
    stop_server(w, address);
    w->old = false; /* upgraded */
    start_server(w, address);
    UNTIL(w, w->renewed == 1);
    assert_int_equal(w->asked, 1);
}

/* The waits are those of node/refusal.h, the sixth more than two minutes; other credentials end them. */
static void
who_was_refused_says_hello_at_once_when_told(void **state)
{
    world *w = *state;
    w->refuse_hello = true;
    for (size_t i = 1; i <= 6; i++) {
        UNTIL(w, w->hellos == i);
        for (int turns = 0; turns < 20; turns++) /* the answer is there */
            fc_loop_step(w->loop, 5);
        nd_link_retry(w->link);
    }
    w->refuse_hello = false;
    UNTIL(w, nd_link_ready(w->link));
    size_t so_far = w->hellos;
    nd_link_retry(w->link); /* means nothing to a connection that is well */
    for (int turns = 0; turns < 20; turns++)
        fc_loop_step(w->loop, 5);
    assert_true(nd_link_ready(w->link));
    assert_int_equal(w->hellos, so_far);
}

static void
a_certificate_that_has_ended_is_not_renewed_but_a_new_one_is(void **state)
{
    world *w = *state;
    char address[32];
    UNTIL(w, nd_link_ready(w->link));
    w->answer = SILENCE;
    UNTIL(w, fc_clock_wall(&fc_clock_system).ns > status(w).end.ns + FC_NS_PER_S / 2);
    assert_int_equal(w->asked, 1); /* one call was under way; no other begins */
    /* It rests: a coordinator that comes back is not asked until there is a new certificate, and then at
     * once. */
    stop_server(w, address);
    start_server(w, address);
    enrol(w); /* as by hand */
    nd_renewal_look(w->renewal);
    assert_true(status(w).end.ns > fc_clock_wall(&fc_clock_system).ns);
    UNTIL(w, nd_link_ready(w->link));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_certificate_is_renewed_before_its_end_again_and_again),
        IN_WORLD(a_refused_renewal_is_tried_again),
        IN_WORLD(a_certificate_of_another_name_is_not_taken),
        IN_WORLD(a_certificate_of_another_key_is_not_taken),
        IN_WORLD(a_certificate_of_another_ca_is_not_taken),
        IN_WORLD(a_certificate_of_another_fleet_is_not_taken),
        IN_WORLD(an_answer_without_certificate_is_a_failure),
        IN_WORLD(a_changed_ca_is_kept_with_the_certificate),
        cmocka_unit_test_setup_teardown(a_renewal_can_be_hastened, set_up_calm, tear_down),
        IN_WORLD(a_renewal_does_not_replace_what_an_enrolment_wrote_meanwhile),
        IN_WORLD(a_coordinator_that_comes_back_renews_not_all_at_once),
        IN_WORLD(a_coordinator_that_is_too_old_is_not_asked_but_its_successor),
        IN_WORLD(who_was_refused_says_hello_at_once_when_told),
        IN_WORLD(a_certificate_that_has_ended_is_not_renewed_but_a_new_one_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
