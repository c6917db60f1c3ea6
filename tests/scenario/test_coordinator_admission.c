/* Enrolment, renewal and removal over real streams on the loopback: strangers, a node and an operator in this
 * process. */
#include "quiet_rig.h"
#include "service_rig.h"

#include "common/base/mem.h"
#include "common/tls/key.h"
#include "common/tls/pki.h"
#include "tests/temp_dir.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/enrol_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[TEMP_DIR_BYTES];
static fc_issuer *issuer;
static fc_rpc_client *alice;    /* an operator */
static unsigned lists_in_force; /* revocation lists that the server was told of */

/* ---- peers ---- */

static size_t last_told; /* how many captures a node was told of last */

static void
on_set_desired(fc_rpc_call *answered, const ProtobufCMessage *message, void *user)
{
    (void)user;
    Fcpb__DesiredAck ack = FCPB__DESIRED_ACK__INIT;
    last_told = ((const Fcpb__DesiredState *)message)->n_captures;
    ack.generation = ((const Fcpb__DesiredState *)message)->generation;
    fc_rpc_call_reply(answered, &ack.base);
}

static const fc_rpc_handler node_handlers[] = {{.method = FC_METHOD_SET_DESIRED, .request = on_set_desired}};
static const fc_rpc_service node_service = {node_handlers, FC_COUNT(node_handlers), NULL};

static fc_rpc_client *
dial(const fc_principal *peer)
{
    return service_dial(peer, &node_service, 1);
}

static fc_rpc_client *
dial_as(fc_role role, const char *name)
{
    return service_dial_as(role, name, &node_service, 1);
}

static fc_err
call(fc_rpc_client *client, fc_method_id method, const ProtobufCMessage *request, void *ret_reply,
     fc_fail *fail)
{
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, method, request, PATIENCE_MS, &reply, fail);
    *(ProtobufCMessage **)ret_reply = reply;
    return err;
}

static void
drop(void *reply)
{
    if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
}

/* What the server has of a connection: who it is. */
static void
find_node(fc_rpc_conn *conn, void *user)
{
    if (fc_rpc_conn_peer(conn)->role == FC_ROLE_NODE)
        *(fc_principal *)user = *fc_rpc_conn_peer(conn);
}

static fc_err
hello(fc_rpc_client *node, const char *id, const char *scale_set, Fcpb__HelloResponse **ret_hello,
      fc_fail *fail)
{
    Fcpb__Instance instance = FCPB__INSTANCE__INIT;
    Fcpb__HelloRequest request = FCPB__HELLO_REQUEST__INIT;
    instance.id = (char *)(uintptr_t)id;
    instance.scale_set = (char *)(uintptr_t)scale_set;
    instance.region = (char *)"mars";
    request.protocol_version = 1;
    request.instance = &instance;
    return call(node, FC_METHOD_HELLO, &request.base, ret_hello, fail);
}

static fc_token
create_token(bool approval)
{
    Fcpb__CreateTokenRequest request = FCPB__CREATE_TOKEN_REQUEST__INIT;
    Fcpb__CreatedToken *created;
    fc_token token;
    fc_fail fail = {0};
    request.scale_set = (char *)"web";
    request.region = (char *)"eu";
    request.uses = 5;
    request.ttl_ms = 60000;
    request.approval = approval;
    must(call(alice, FC_METHOD_CREATE_TOKEN, &request.base, &created, &fail), &fail);
    assert_int_equal(fc_token_parse(created->text, &token, NULL), FC_OK);
    assert_string_equal(created->token->id, token.id);
    assert_string_equal(created->token->created_by, "operator/alice");
    drop(created);
    return token;
}

/* One machine asks: with a new key when *key is NULL. */
static fc_err
enrol(fc_rpc_client *stranger, const fc_token *token, const char *id, fc_key **key,
      Fcpb__EnrolResponse **ret_answer, fc_fail *fail)
{
    fc_buf csr = {0};
    fc_token secret = *token;
    Fcpb__EnrolRequest request = FCPB__ENROL_REQUEST__INIT;
    if (*key == NULL)
        assert_int_equal(fc_key_new(key, NULL), FC_OK);
    assert_int_equal(fc_key_csr(*key, id, &csr, NULL), FC_OK);
    request.token_id = secret.id;
    request.token_secret = (ProtobufCBinaryData){sizeof secret.secret, secret.secret};
    request.instance_id = (char *)(uintptr_t)id;
    request.csr_pem = (ProtobufCBinaryData){fc_buf_size(&csr), (uint8_t *)(uintptr_t)fc_buf_bytes(&csr)};
    fc_err err = call(stranger, FC_METHOD_ENROL, &request.base, ret_answer, fail);
    fc_buf_fini(&csr);
    return err;
}

/* Enrols and returns who the certificate says the machine is. */
static fc_principal
member(const fc_token *token, const char *id)
{
    fc_rpc_client *stranger = dial_as(FC_ROLE_ANONYMOUS, "anonymous");
    fc_key *key = NULL;
    fc_key_certificate certificate;
    Fcpb__EnrolResponse *answer;
    fc_fail fail = {0};
    must(enrol(stranger, token, id, &key, &answer, &fail), &fail);
    const Fcpb__IssuedCertificate *issued = answer->issued;
    assert_string_equal(issued->fleet_id, "acme");
    must(fc_key_check(key, id, (const char *)issued->certificate_pem.data, issued->certificate_pem.len,
                      (const char *)issued->ca_pem.data, issued->ca_pem.len, &certificate, &fail),
         &fail);
    drop(answer);
    fc_key_free(key);
    fc_rpc_client_free(stranger);
    return certificate.principal;
}

/* ---- set up ---- */

static void
on_crl_changed(void *user)
{
    (void)user;
    lists_in_force++;
}

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(dir);
    assert_int_equal(fc_pki_init(dir, "acme", 0, NULL), FC_OK);
    char *yaml = fc_sprintf("{ca: %s/ca.crt, certificate: b, key: c, ca_key: %s/ca.key, state_dir: %s,"
                            " arm_timeout: 1m}",
                            dir, dir, dir);
    service_open(yaml);
    free(yaml);
    assert_int_equal(fc_issuer_open(config.ca, config.ca_key, &issuer, NULL), FC_OK);
    co->enrolment.issuer = issuer;
    co->enrolment.crl_changed = on_crl_changed;
    lists_in_force = 0;
    alice = dial_as(FC_ROLE_OPERATOR, "alice");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fc_rpc_client_free(alice);
    service_close();
    fc_issuer_close(issuer);
    return temp_dir_remove(dir);
}

/* ---- tests ---- */

static void
a_stranger_becomes_a_member_of_the_place_its_token_is_for(void **state)
{
    (void)state;
    fc_token token = create_token(false);
    fc_principal peer = member(&token, "web-1");
    assert_string_equal(peer.scale_set, "web");
    assert_string_equal(peer.region, "eu");
    fc_rpc_client *node = dial(&peer);
    Fcpb__HelloResponse *answer;
    fc_fail fail = {0};
    must(hello(node, "web-1", "database", &answer, &fail), &fail);
    assert_string_equal(answer->scale_set, "web");
    assert_string_equal(answer->region, "eu");
    const co_instance *instance = co_registry_find(&co->registry, "web-1");
    assert_string_equal(instance->scale_set, "web");
    assert_string_equal(instance->region, "eu");
    drop(answer);
    fc_rpc_client_free(node);
    /* One whose certificate binds nothing is where it says. */
    fc_rpc_client *unbound = dial_as(FC_ROLE_NODE, "old-1");
    assert_int_equal(hello(unbound, "old-1", "database", &answer, &fail), FC_OK);
    assert_string_equal(answer->scale_set, "database");
    assert_string_equal(answer->region, "mars");
    drop(answer);
    fc_rpc_client_free(unbound);
    RUN_UNTIL(co->registry.online == 0);
}

static void
a_stranger_can_do_nothing_else(void **state)
{
    (void)state;
    fc_rpc_client *stranger = dial_as(FC_ROLE_ANONYMOUS, "anonymous");
    fc_fail fail = {0};
    ProtobufCMessage *reply;
    fc_token guessed = {.id = "0123456789abcdef"};
    fc_key *key = NULL;
    Fcpb__EnrolResponse *answer;
    for (int id = 0; id < FC_METHOD_COUNT; id++) {
        const fc_rpc_method *method = fc_rpc_method_get((fc_method_id)id);
        if ((method->kind & FC_RPC_SERVER_STREAM) != 0 || (method->roles & FC_ROLE_ANONYMOUS) != 0)
            continue;
        ProtobufCMessage *empty = fc_alloc(method->input->sizeof_message);
        protobuf_c_message_init(method->input, empty);
        fc_err err = call(stranger, (fc_method_id)id, empty, &reply, &fail);
        if (err != FC_ERR_DENIED)
            fail_msg("%s: %d %s", method->path, (int)err, fail.text);
        drop(reply);
        free(empty);
    }
    assert_int_equal(enrol(stranger, &guessed, "web-1", &key, &answer, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "this token is not known here"));
    assert_int_equal(co->registry.count, 0);
    assert_null(co->registry.by_id);
    fc_key_free(key);
    fc_rpc_client_free(stranger);
}

typedef struct listed {
    unsigned count;
    char id[FC_UID_LENGTH + 1];
    int state;
} listed;

static bool
on_enrolment(const ProtobufCMessage *message, void *user)
{
    const Fcpb__Enrolment *enrolment = (const Fcpb__Enrolment *)message;
    listed *l = user;
    l->count++;
    l->state = (int)enrolment->state;
    (void)snprintf(l->id, sizeof l->id, "%s", enrolment->id);
    assert_int_equal(strlen(enrolment->key_sha256), 64);
    return true;
}

static listed
list_enrolments(bool all)
{
    listed l = {0};
    fc_fail fail = {0};
    Fcpb__ListEnrolmentsRequest request = FCPB__LIST_ENROLMENTS_REQUEST__INIT;
    request.all = all;
    must(fc_rpc_stream(alice, FC_METHOD_LIST_ENROLMENTS, &request.base, PATIENCE_MS, on_enrolment, &l, &fail),
         &fail);
    return l;
}

static void
an_operator_sees_who_waits_and_lets_it_in(void **state)
{
    (void)state;
    fc_rpc_client *stranger = dial_as(FC_ROLE_ANONYMOUS, "anonymous");
    fc_token token = create_token(true);
    fc_key *key = NULL;
    Fcpb__EnrolResponse *answer;
    Fcpb__Enrolment *decided;
    fc_fail fail = {0};
    assert_int_equal(enrol(stranger, &token, "web-1", &key, &answer, &fail), FC_OK);
    assert_int_equal(answer->result_case, FCPB__ENROL_RESPONSE__RESULT_PENDING);
    assert_true(answer->pending->retry_after_ms >= CO_ENROL_RETRY_MIN_MS);
    listed l = list_enrolments(false);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.id, answer->pending->enrolment_id);
    drop(answer);
    Fcpb__DecideEnrolmentRequest decide = FCPB__DECIDE_ENROLMENT_REQUEST__INIT;
    decide.id = l.id;
    decide.approve = true;
    assert_int_equal(call(alice, FC_METHOD_DECIDE_ENROLMENT, &decide.base, &decided, &fail), FC_OK);
    assert_int_equal(decided->state, FCPB__ENROLMENT_STATE__ENROLMENT_STATE_APPROVED);
    assert_string_equal(decided->decided_by, "operator/alice");
    drop(decided);
    assert_int_equal(enrol(stranger, &token, "web-1", &key, &answer, &fail), FC_OK);
    assert_int_equal(answer->result_case, FCPB__ENROL_RESPONSE__RESULT_ISSUED);
    drop(answer);
    assert_int_equal(list_enrolments(false).count, 0);
    assert_int_equal(list_enrolments(true).state, FCPB__ENROLMENT_STATE__ENROLMENT_STATE_ISSUED);
    fc_key_free(key);
    fc_rpc_client_free(stranger);
}

static fc_err
renew(fc_rpc_client *node, const char *id, fc_fail *fail)
{
    fc_key *key = NULL;
    fc_buf csr = {0};
    Fcpb__EnrolResponse *answer;
    assert_int_equal(fc_key_new(&key, NULL), FC_OK);
    assert_int_equal(fc_key_csr(key, id, &csr, NULL), FC_OK);
    Fcpb__RenewRequest request = FCPB__RENEW_REQUEST__INIT;
    request.csr_pem = (ProtobufCBinaryData){fc_buf_size(&csr), (uint8_t *)(uintptr_t)fc_buf_bytes(&csr)};
    fc_err err = call(node, FC_METHOD_RENEW, &request.base, &answer, fail);
    if (err == FC_OK) {
        assert_int_equal(answer->result_case, FCPB__ENROL_RESPONSE__RESULT_ISSUED);
        assert_string_equal(answer->issued->scale_set, "web");
    }
    drop(answer);
    fc_buf_fini(&csr);
    fc_key_free(key);
    return err;
}

static void
a_renewed_connection_is_its_new_certificate_s(void **state)
{
    (void)state;
    fc_token token = create_token(false);
    fc_principal before = member(&token, "web-1"), after = {0};
    fc_rpc_client *node = dial(&before);
    fc_fail fail = {0};
    assert_int_equal(renew(node, "web-2", &fail), FC_ERR_INVALID);
    must(renew(node, "web-1", &fail), &fail);
    fc_rpc_server_each(server, find_node, &after);
    assert_string_not_equal(after.serial, before.serial);
    assert_true(after.not_after.ns >= before.not_after.ns);
    assert_string_equal(after.name, "web-1");
    assert_string_equal(after.scale_set, "web");
    fc_rpc_client_free(node);
}

static fc_err
remove_instance(fc_rpc_client *who, bool force, Fcpb__RemovedInstance **ret_removed, fc_fail *fail)
{
    Fcpb__RemoveInstanceRequest request = FCPB__REMOVE_INSTANCE_REQUEST__INIT;
    request.instance = (char *)"web-1";
    request.force = force;
    return call(who, FC_METHOD_REMOVE_INSTANCE, &request.base, ret_removed, fail);
}

static void
who_is_removed_is_cut_off_and_stays_out(void **state)
{
    (void)state;
    fc_token token = create_token(false);
    fc_principal peer = member(&token, "web-1");
    fc_rpc_client *node = dial(&peer);
    Fcpb__HelloResponse *answer;
    Fcpb__RemovedInstance *removed;
    fc_fail fail = {0};
    assert_int_equal(hello(node, "web-1", "web", &answer, &fail), FC_OK);
    drop(answer);
    assert_int_equal(remove_instance(node, false, &removed, &fail), FC_ERR_DENIED);
    must(remove_instance(alice, false, &removed, &fail), &fail);
    assert_string_equal(removed->id, "web-1");
    assert_int_equal(removed->certificates_revoked, 1);
    assert_true(removed->was_connected);
    assert_int_equal(lists_in_force, 1);
    drop(removed);
    RUN_UNTIL(fc_rpc_client_conn(node) == NULL);
    fc_rpc_client_free(node);
    /* Here nothing but the coordinator's own memory stands between it and a Hello: the streams are plain. */
    node = dial(&peer);
    assert_int_equal(hello(node, "web-1", "web", &answer, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "enrol it anew"));
    assert_int_equal(renew(node, "web-1", &fail), FC_ERR_DENIED);
    fc_rpc_client_free(node);
    assert_int_equal(co->counters.hellos_removed, 2);
    assert_int_equal(remove_instance(alice, false, &removed, &fail), FC_ERR_NOT_FOUND);
    fc_principal anew = member(&token, "web-1");
    node = dial(&anew);
    assert_int_equal(hello(node, "web-1", "web", &answer, &fail), FC_OK);
    drop(answer);
    assert_int_equal(co->registry.online, 1);
    fc_rpc_client_free(node);
    RUN_UNTIL(co->registry.online == 0);
}

static bool
count_message(const ProtobufCMessage *message, void *user)
{
    (void)message;
    ++*(unsigned *)user;
    return true;
}

static void
a_removed_node_hears_that_nothing_is_wanted_any_more(void **state)
{
    (void)state;
    fc_token token = create_token(false);
    fc_principal peer = member(&token, "web-1");
    fc_rpc_client *node = dial(&peer);
    Fcpb__HelloResponse *answer;
    Fcpb__RemovedInstance *removed;
    fc_fail fail = {0};
    fc_definition definition =
        fixture_definition("{name: job, target: {scaleSet: web}, timeLimitInSeconds: 60}");
    co_create create = {"operator/alice", "", &definition, false};
    co_created created = {0};
    assert_int_equal(hello(node, "web-1", "web", &answer, &fail), FC_OK);
    drop(answer);
    assert_int_equal(co_create_capture(co, &create, &created, &fail), FC_OK);
    co_created_fini(&created);
    fc_definition_fini(&definition);
    /* Nothing else is on its way to the node: a connection that closes takes no more than the frame under
     * way. */
    const co_instance *instance = co_registry_find(&co->registry, "web-1");
    RUN_UNTIL(last_told == 1 && instance->acked == instance->generation && server_is_quiet(server) &&
              is_quiet(fc_rpc_client_conn(node)));
    assert_int_equal(remove_instance(alice, false, &removed, &fail), FC_ERR_STATE);
    assert_int_equal(remove_instance(alice, true, &removed, &fail), FC_OK);
    assert_int_equal(removed->captures_ended, 1);
    drop(removed);
    RUN_UNTIL(fc_rpc_client_conn(node) == NULL);
    assert_int_equal(last_told, 0);
    fc_rpc_client_free(node);
}

static void
a_thousand_tokens_are_listed_and_one_is_revoked(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {0};
    co_token_request create = {"operator/alice", "", "web", "eu", 1, 60000, false, pin};
    co_token_row row;
    char text[FC_TOKEN_TEXT_SIZE];
    fc_fail fail = {0};
    unsigned count = 0;
    Fcpb__Token *revoked;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(co_token_create(co, &create, &row, text, NULL), FC_OK);
    Fcpb__RevokeTokenRequest revoke = FCPB__REVOKE_TOKEN_REQUEST__INIT;
    revoke.id = row.id;
    assert_int_equal(call(alice, FC_METHOD_REVOKE_TOKEN, &revoke.base, &revoked, &fail), FC_OK);
    assert_true(revoked->revoked);
    drop(revoked);
    Fcpb__ListTokensRequest list = FCPB__LIST_TOKENS_REQUEST__INIT;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_LIST_TOKENS, &list.base, PATIENCE_MS, count_message, &count, &fail),
        FC_OK);
    assert_int_equal(count, COUNT - 1);
    list.all = true;
    count = 0;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_LIST_TOKENS, &list.base, PATIENCE_MS, count_message, &count, &fail),
        FC_OK);
    assert_int_equal(count, COUNT);
}

static void
without_the_key_of_the_ca_every_call_says_so(void **state)
{
    (void)state;
    static const fc_method_id unary[] = {FC_METHOD_CREATE_TOKEN, FC_METHOD_REVOKE_TOKEN,
                                         FC_METHOD_DECIDE_ENROLMENT, FC_METHOD_REMOVE_INSTANCE};
    static const fc_method_id lists[] = {FC_METHOD_LIST_TOKENS, FC_METHOD_LIST_ENROLMENTS};
    fc_rpc_client *stranger = dial_as(FC_ROLE_ANONYMOUS, "anonymous");
    fc_token token = {.id = "0123456789abcdef"};
    fc_key *key = NULL;
    fc_fail fail = {0};
    unsigned count = 0;
    Fcpb__EnrolResponse *answer;
    co->enrolment.issuer = NULL;
    for (size_t i = 0; i < FC_COUNT(unary) + FC_COUNT(lists); i++) {
        bool is_list = i >= FC_COUNT(unary);
        fc_method_id id = is_list ? lists[i - FC_COUNT(unary)] : unary[i];
        const fc_rpc_method *method = fc_rpc_method_get(id);
        ProtobufCMessage *empty = fc_alloc(method->input->sizeof_message), *reply = NULL;
        protobuf_c_message_init(method->input, empty);
        fc_err err = is_list ? fc_rpc_stream(alice, id, empty, PATIENCE_MS, count_message, &count, &fail)
                             : call(alice, id, empty, &reply, &fail);
        if (err != FC_ERR_STATE || strstr(fail.text, "has no ca_key") == NULL)
            fail_msg("%s: %d %s", method->path, (int)err, fail.text);
        free(empty);
    }
    assert_int_equal(enrol(stranger, &token, "web-1", &key, &answer, &fail), FC_ERR_STATE);
    fc_key_free(key);
    fc_rpc_client_free(stranger);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_becomes_a_member_of_the_place_its_token_is_for),
        TEST(a_stranger_can_do_nothing_else),
        TEST(an_operator_sees_who_waits_and_lets_it_in),
        TEST(a_renewed_connection_is_its_new_certificate_s),
        TEST(who_is_removed_is_cut_off_and_stays_out),
        TEST(a_removed_node_hears_that_nothing_is_wanted_any_more),
        TEST(a_thousand_tokens_are_listed_and_one_is_revoked),
        TEST(without_the_key_of_the_ca_every_call_says_so),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
