/* The whole coordinator over TLS on the loopback, with a CA of its own: enrolment, removal, a CA that changes
 * hands. */
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "common/rpc/rpc.h"
#include "common/tls/key.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "common/tls/token.h"
#include "coordinator/server.h"
#include "loop_rig.h"
#include "tests/temp_dir.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/enrol_service.pb-c.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* old/ and new/: two PKIs of one fleet; beside them what the configuration names. */
static char dir[TEMP_DIR_BYTES];
static co_config config;
static co_server *server;

/* ---- files ---- */

static char *
path_of(const char *name)
{
    return fc_sprintf("%s/%s", dir, name);
}

static void
append(const char *name, fc_buf *to)
{
    char *path = path_of(name);
    fc_fail fail = {0};
    must(fc_file_read(AT_FDCWD, path, 1 << 20, to, &fail), &fail);
    free(path);
}

static void
write_file(const char *name, const fc_buf *from)
{
    fc_fail fail = {0};
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    must(fc_file_write_atomic(fd, name, fc_buf_bytes(from), fc_buf_size(from), 0600, &fail), &fail);
    close(fd);
}

static void
copy(const char *from, const char *also, const char *to)
{
    fc_buf bytes = {0};
    append(from, &bytes);
    if (also != NULL)
        append(also, &bytes);
    write_file(to, &bytes);
    fc_buf_fini(&bytes);
}

static void
make_pki(const char *name)
{
    static const char *const localhost[] = {"localhost", "127.0.0.1"};
    const fc_pki_request coordinator = {
        .role = FC_ROLE_COORDINATOR, .name = "main", .dns_names = localhost, .dns_name_count = 2};
    const fc_pki_request alice = {.role = FC_ROLE_OPERATOR, .name = "alice"};
    char *path = path_of(name);
    fc_fail fail = {0};
    must(fc_pki_init(path, "acme", 0, &fail), &fail);
    must(fc_pki_issue(path, &coordinator, NULL, &fail), &fail);
    must(fc_pki_issue(path, &alice, NULL, &fail), &fail);
    free(path);
}

/* ---- set up ---- */

static int
set_up(void **state)
{
    (void)state;
    static const char format[] =
        "{listen: '127.0.0.1:0', state_dir: %s/state, ca: %s/ca.crt, certificate: %s/main.crt,"
        " key: %s/main.key, ca_key: %s/ca.key}";
    json_t *tree = NULL;
    fc_fail fail = {0};
    fc_log_open("test", (fc_log_level)0);
    temp_dir_make(dir);
    make_pki("old");
    make_pki("new");
    copy("old/ca.crt", NULL, "ca.crt");
    copy("old/ca.key", NULL, "ca.key");
    copy("old/coordinator-main.crt", NULL, "main.crt");
    copy("old/coordinator-main.key", NULL, "main.key");
    char *yaml = fc_sprintf(format, dir, dir, dir, dir, dir);
    memset(&config, 0, sizeof config);
    assert_int_equal(fc_yaml_parse(yaml, strlen(yaml), &tree, NULL), FC_OK);
    must(co_config_from_tree(tree, &config, &fail), &fail);
    json_decref(tree);
    free(yaml);
    assert_int_equal(loop_set_up(NULL), 0);
    must(co_server_open(loop, &config, &server, &fail), &fail);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    co_server_close(server);
    (void)loop_tear_down(NULL);
    co_config_fini(&config);
    return temp_dir_remove(dir);
}

/* ---- peers ---- */

typedef struct peer {
    fc_tls *tls;
    fc_rpc_client *client;
} peer;

static peer
dial(fc_tls *tls)
{
    peer p = {.tls = tls};
    char address[32];
    fc_fail fail = {0};
    fc_rpc_options options = {.loop = loop, .tls = fc_tls_config(tls), .identify = fc_tls_identify};
    fc_rpc_backoff backoff = {.once = true};
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", co_server_port(server));
    must(fc_rpc_client_new(&options, address, &backoff, &p.client, &fail), &fail);
    return p;
}

static peer
dial_with(const char *ca, const char *certificate, const char *key)
{
    char *paths[] = {path_of(ca), path_of(certificate), path_of(key)};
    const fc_tls_files files = {
        .ca = paths[0], .certificate = paths[1], .key = paths[2], .server_name = "localhost"};
    fc_tls *tls = NULL;
    fc_fail fail = {0};
    must(fc_tls_new(FC_TLS_CLIENT, &files, &tls, &fail), &fail);
    for (size_t i = 0; i < FC_COUNT(paths); i++)
        free(paths[i]);
    return dial(tls);
}

static void
hang_up(peer *p)
{
    fc_rpc_client_free(p->client);
    fc_tls_free(p->tls);
    *p = (peer){0};
}

static void
drop(void *reply)
{
    if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
}

static fc_err
call(const peer *p, fc_method_id method, const ProtobufCMessage *request, void *ret_reply, fc_fail *fail)
{
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(p->client, method, request, PATIENCE_MS, &reply, fail);
    *(ProtobufCMessage **)ret_reply = reply;
    return err;
}

static fc_token
create_token(const peer *alice)
{
    Fcpb__CreateTokenRequest request = FCPB__CREATE_TOKEN_REQUEST__INIT;
    Fcpb__CreatedToken *created;
    fc_token token;
    fc_fail fail = {0};
    request.scale_set = (char *)"web";
    request.region = (char *)"eu";
    request.uses = 5;
    request.ttl_ms = 600000;
    must(call(alice, FC_METHOD_CREATE_TOKEN, &request.base, &created, &fail), &fail);
    must(fc_token_parse(created->text, &token, &fail), &fail);
    drop(created);
    return token;
}

/* Checks what came back and keeps it as NAME.pem (certificate and key). `ca`: who must have signed it. */
static void
keep(const char *name, fc_key *key, const Fcpb__EnrolResponse *answer, const char *ca)
{
    fc_buf signer = {0}, pem = {0};
    fc_key_certificate certificate;
    fc_fail fail = {0};
    char *file = fc_sprintf("%s.pem", name);
    const ProtobufCBinaryData *issued = &answer->issued->certificate_pem;
    assert_int_equal(answer->result_case, FCPB__ENROL_RESPONSE__RESULT_ISSUED);
    append(ca, &signer);
    must(fc_key_check(key, name, (const char *)issued->data, issued->len, (const char *)fc_buf_bytes(&signer),
                      fc_buf_size(&signer), &certificate, &fail),
         &fail);
    fc_buf_append(&pem, issued->data, issued->len);
    must(fc_key_pem(key, &pem, &fail), &fail);
    write_file(file, &pem);
    fc_key_wipe(&pem);
    fc_buf_fini(&signer);
    free(file);
}

static ProtobufCBinaryData
request_of(fc_key *key, const char *name, fc_buf *csr)
{
    assert_int_equal(fc_key_csr(key, name, csr, NULL), FC_OK);
    return (ProtobufCBinaryData){fc_buf_size(csr), (uint8_t *)(uintptr_t)fc_buf_bytes(csr)};
}

/* Enrols over a connection of its own, which is without a certificate; returns how many CAs it was told to
 * trust. */
static size_t
enrol(const fc_token *token, const char *name, const char *ca)
{
    fc_tls *tls = NULL;
    fc_key *key = NULL;
    fc_buf csr = {0};
    fc_token secret = *token;
    fc_fail fail = {0};
    size_t count = 0;
    Fcpb__EnrolRequest request = FCPB__ENROL_REQUEST__INIT;
    Fcpb__EnrolResponse *answer;
    must(fc_tls_new_enrolment(token->pin, &tls, &fail), &fail);
    peer stranger = dial(tls);
    assert_int_equal(fc_key_new(&key, NULL), FC_OK);
    request.token_id = secret.id;
    request.token_secret = (ProtobufCBinaryData){sizeof secret.secret, secret.secret};
    request.instance_id = (char *)(uintptr_t)name;
    request.csr_pem = request_of(key, name, &csr);
    must(call(&stranger, FC_METHOD_ENROL, &request.base, &answer, &fail), &fail);
    keep(name, key, answer, ca);
    char *trusted = fc_strndup((const char *)answer->issued->ca_pem.data, answer->issued->ca_pem.len);
    for (const char *at = trusted; (at = strstr(at, "-----BEGIN CERTIFICATE-----")) != NULL; at++)
        count++;
    free(trusted);
    drop(answer);
    fc_buf_fini(&csr);
    fc_key_free(key);
    hang_up(&stranger);
    return count;
}

static void
renew(const peer *node, const char *name, const char *ca)
{
    fc_key *key = NULL;
    fc_buf csr = {0};
    fc_fail fail = {0};
    Fcpb__RenewRequest request = FCPB__RENEW_REQUEST__INIT;
    Fcpb__EnrolResponse *answer;
    assert_int_equal(fc_key_new(&key, NULL), FC_OK);
    request.csr_pem = request_of(key, name, &csr);
    must(call(node, FC_METHOD_RENEW, &request.base, &answer, &fail), &fail);
    keep(name, key, answer, ca);
    drop(answer);
    fc_buf_fini(&csr);
    fc_key_free(key);
}

static fc_err
hello(const peer *node, const char *name, fc_fail *fail)
{
    Fcpb__Instance instance = FCPB__INSTANCE__INIT;
    Fcpb__HelloRequest request = FCPB__HELLO_REQUEST__INIT;
    Fcpb__HelloResponse *answer;
    instance.id = (char *)(uintptr_t)name;
    request.protocol_version = 1;
    request.instance = &instance;
    fc_err err = call(node, FC_METHOD_HELLO, &request.base, &answer, fail);
    if (err == FC_OK)
        assert_string_equal(answer->scale_set, "web");
    drop(answer);
    return err;
}

static void
remove_instance(const peer *alice, const char *name)
{
    Fcpb__RemoveInstanceRequest request = FCPB__REMOVE_INSTANCE_REQUEST__INIT;
    Fcpb__RemovedInstance *removed;
    fc_fail fail = {0};
    request.instance = (char *)(uintptr_t)name;
    must(call(alice, FC_METHOD_REMOVE_INSTANCE, &request.base, &removed, &fail), &fail);
    assert_true(removed->certificates_revoked > 0);
    drop(removed);
}

/* ---- tests ---- */

static void
who_enrolled_is_in_and_who_is_removed_is_out(void **state)
{
    (void)state;
    fc_fail fail = {0};
    peer alice = dial_with("ca.crt", "old/operator-alice.crt", "old/operator-alice.key");
    fc_token token = create_token(&alice);
    assert_int_equal(enrol(&token, "web-1", "old/ca.crt"), 1);
    peer node = dial_with("ca.crt", "web-1.pem", "web-1.pem");
    must(hello(&node, "web-1", &fail), &fail);
    remove_instance(&alice, "web-1");
    RUN_UNTIL(fc_rpc_client_conn(node.client) == NULL);
    /* The ticket that it has from before is of no use either. */
    peer again = dial(node.tls);
    assert_int_not_equal(hello(&again, "web-1", &fail), FC_OK);
    fc_rpc_client_free(again.client);
    assert_int_not_equal(fc_tls_last_failure(node.tls, &fail), FC_OK);
    assert_non_null(strstr(fail.text, "revoked"));
    hang_up(&node);
    (void)enrol(&token, "web-1", "old/ca.crt");
    node = dial_with("ca.crt", "web-1.pem", "web-1.pem");
    must(hello(&node, "web-1", &fail), &fail);
    hang_up(&node);
    hang_up(&alice);
}

static void
a_removal_outlives_a_restart(void **state)
{
    (void)state;
    fc_fail fail = {0};
    peer alice = dial_with("ca.crt", "old/operator-alice.crt", "old/operator-alice.key");
    fc_token token = create_token(&alice);
    (void)enrol(&token, "web-1", "old/ca.crt");
    remove_instance(&alice, "web-1");
    hang_up(&alice);
    co_server_close(server);
    server = NULL;
    char *list = path_of("state/crl.pem");
    assert_int_equal(unlink(list), 0); /* it is made again of what is known */
    must(co_server_open(loop, &config, &server, &fail), &fail);
    assert_int_equal(access(list, R_OK), 0);
    free(list);
    peer node = dial_with("ca.crt", "web-1.pem", "web-1.pem");
    assert_int_not_equal(hello(&node, "web-1", &fail), FC_OK);
    assert_int_not_equal(fc_tls_last_failure(node.tls, &fail), FC_OK);
    assert_non_null(strstr(fail.text, "revoked"));
    hang_up(&node);
}

static void
a_ca_changes_hands_while_the_fleet_runs(void **state)
{
    (void)state;
    fc_fail fail = {0};
    peer alice = dial_with("ca.crt", "old/operator-alice.crt", "old/operator-alice.key");
    fc_token token = create_token(&alice);
    (void)enrol(&token, "web-1", "old/ca.crt");
    (void)enrol(&token, "web-2", "old/ca.crt");
    /* Both are trusted, the new one signs; nodes still meet the coordinator of the old one. */
    copy("old/ca.crt", "new/ca.crt", "ca.crt");
    copy("new/ca.key", NULL, "ca.key");
    co_server_reload(server);
    assert_int_equal(enrol(&token, "web-3", "new/ca.crt"), 2);
    peer node = dial_with("ca.crt", "web-1.pem", "web-1.pem");
    must(hello(&node, "web-1", &fail), &fail);
    renew(&node, "web-1", "new/ca.crt");
    hang_up(&node);
    /* A list of the new CA ends a certificate of the old one. */
    node = dial_with("ca.crt", "web-2.pem", "web-2.pem");
    must(hello(&node, "web-2", &fail), &fail);
    remove_instance(&alice, "web-2");
    RUN_UNTIL(fc_rpc_client_conn(node.client) == NULL);
    hang_up(&node);
    hang_up(&alice);
    /* The old one leaves. */
    copy("new/ca.crt", NULL, "ca.crt");
    copy("new/coordinator-main.crt", NULL, "main.crt");
    copy("new/coordinator-main.key", NULL, "main.key");
    co_server_reload(server);
    node = dial_with("ca.crt", "web-1.pem", "web-1.pem");
    must(hello(&node, "web-1", &fail), &fail);
    hang_up(&node);
    alice = dial_with("ca.crt", "new/operator-alice.crt", "new/operator-alice.key");
    token = create_token(&alice);
    assert_int_equal(enrol(&token, "web-4", "new/ca.crt"), 1);
    hang_up(&alice);
}

static void
a_key_that_is_not_the_ca_s_changes_nothing(void **state)
{
    (void)state;
    fc_fail fail = {0};
    peer alice = dial_with("ca.crt", "old/operator-alice.crt", "old/operator-alice.key");
    fc_token token = create_token(&alice);
    copy("new/ca.key", NULL, "ca.key");
    co_server_reload(server);
    assert_int_equal(enrol(&token, "web-1", "old/ca.crt"), 1);
    assert_int_not_equal(co_server_check(&config, &fail), FC_OK);
    assert_non_null(strstr(fail.text, "is not the key of a CA"));
    hang_up(&alice);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_enrolled_is_in_and_who_is_removed_is_out),
        TEST(a_removal_outlives_a_restart),
        TEST(a_ca_changes_hands_while_the_fleet_runs),
        TEST(a_key_that_is_not_the_ca_s_changes_nothing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
