/* The fleet's PKI, judged by openssl(1) where it can judge. */
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[TEMP_DIR_BYTES];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(dir);
    return fc_pki_init(dir, "prod", 0, NULL) == FC_OK ? 0 : -1;
}

/* Runs a shell command in the PKI directory; its output is in `output`. */
static char output[65536];

static int
run(const char *command)
{
    return temp_dir_run(dir, command, output, sizeof output);
}

static int
tear_down(void **state)
{
    (void)state;
    return temp_dir_remove(dir);
}

static void
issue(fc_role role, const char *name)
{
    fc_fail fail = {0};
    fc_pki_request request = {.role = role, .name = name};
    if (fc_pki_issue(dir, &request, NULL, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

static void
assert_output(const char *part)
{
    if (strstr(output, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, output);
}

static void
assert_no_output(const char *part)
{
    if (strstr(output, part) != NULL)
        fail_msg("\"%s\" is in: %s", part, output);
}

static unsigned int
mode_of(const char *name)
{
    struct stat st;
    char *path = fc_sprintf("%s/%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_mode & 07777;
}

static void
init_makes_a_ca_that_openssl_takes(void **state)
{
    (void)state;
    assert_int_equal(run("openssl verify -x509_strict -CAfile ca.crt ca.crt"), 0);
    assert_int_equal(run("openssl x509 -in ca.crt -noout -text"), 0);
    assert_output("CA:TRUE, pathlen:0");
    assert_output("Certificate Sign, CRL Sign");
    assert_output("NIST CURVE: P-256");
    assert_output("O = prod");
    assert_int_equal(mode_of("ca.key"), 0600);
    assert_int_equal(mode_of("index.json"), 0600);
}

static void
init_refuses_a_directory_with_a_ca(void **state)
{
    (void)state;
    fc_fail fail = {0};
    assert_int_equal(run("sha256sum ca.key"), 0);
    char *before = fc_strdup(output);
    assert_int_equal(fc_pki_init(dir, "prod", 0, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, dir));
    assert_int_equal(run("sha256sum ca.key"), 0);
    assert_string_equal(before, output);
    free(before);
}

static void
init_refuses_what_is_no_fleet_name(void **state)
{
    (void)state;
    fc_fail fail = {0};
    assert_int_equal(fc_pki_init("/tmp/fc-pki-never", "a,CN=b", 0, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "fleet");
    assert_int_equal(access("/tmp/fc-pki-never", F_OK), -1);
}

static void
a_node_gets_client_auth_and_its_uri(void **state)
{
    (void)state;
    issue(FC_ROLE_NODE, "web-1");
    assert_int_equal(run("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt node-web-1.crt"), 0);
    assert_int_not_equal(run("openssl verify -purpose sslserver -CAfile ca.crt node-web-1.crt"), 0);
    assert_int_equal(run("openssl x509 -in node-web-1.crt -noout -text"), 0);
    assert_output("URI:spiffe://prod/node/web-1, DNS:web-1\n");
    assert_output("TLS Web Client Authentication\n");
    assert_output("CA:FALSE");
    assert_output("X509v3 Key Usage: critical\n                Digital Signature\n");
    assert_output("Authority Key Identifier");
    assert_output("NIST CURVE: P-256");
    assert_output("ecdsa-with-SHA256");
    assert_int_equal(mode_of("node-web-1.key"), 0600);
}

static void
a_coordinator_gets_server_auth_and_the_service_name(void **state)
{
    (void)state;
    fc_fail fail = {0};
    const char *names[] = {"fleet.example.com", "192.0.2.7", "2001:db8::7"};
    fc_pki_request request = {
        .role = FC_ROLE_COORDINATOR, .name = "c1", .dns_names = names, .dns_name_count = 3};
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_OK);
    assert_int_equal(run("openssl verify -x509_strict -purpose sslserver -CAfile ca.crt coordinator-c1.crt"),
                     0);
    assert_int_not_equal(run("openssl verify -purpose sslclient -CAfile ca.crt coordinator-c1.crt"), 0);
    assert_int_equal(
        run("openssl verify -CAfile ca.crt -verify_hostname coordinator.prod coordinator-c1.crt"), 0);
    assert_int_equal(run("openssl verify -CAfile ca.crt -verify_ip 2001:db8::7 coordinator-c1.crt"), 0);
    assert_int_equal(run("openssl x509 -in coordinator-c1.crt -noout -text"), 0);
    assert_output("URI:spiffe://prod/coordinator/c1, DNS:c1, DNS:coordinator.prod, DNS:fleet.example.com, "
                  "IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n");
    assert_output("TLS Web Server Authentication\n");
}

static void
issue_writes_elsewhere_when_asked(void **state)
{
    (void)state;
    assert_int_equal(run("mkdir out"), 0);
    char *out = fc_sprintf("%s/out", dir);
    fc_pki_request request = {.role = FC_ROLE_OPERATOR, .name = "ann"};
    assert_int_equal(fc_pki_issue(dir, &request, out, NULL), FC_OK);
    free(out);
    assert_int_equal(run("ls out"), 0);
    assert_string_equal(output, "operator-ann.crt\noperator-ann.key\n");
    assert_int_equal(run("openssl verify -x509_strict -CAfile ca.crt out/operator-ann.crt"), 0);
}

static void
issue_refuses_names_that_are_none(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "../web"};
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "../web"));
    request.name = "web";
    request.role = FC_ROLE_NODE | FC_ROLE_COORDINATOR;
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_INVALID);
    const char *bad = "a,b";
    fc_pki_request hosts = {.role = FC_ROLE_COORDINATOR, .name = "c", .dns_names = &bad, .dns_name_count = 1};
    assert_int_equal(fc_pki_issue(dir, &hosts, NULL, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "a,b"));
}

static void
issue_refuses_more_names_than_fit(void **state)
{
    (void)state;
    fc_fail fail = {0};
    const char *names[100];
    for (size_t i = 0; i < FC_COUNT(names); i++)
        names[i] = "a-name-of-middling-length.example.com";
    fc_pki_request request = {
        .role = FC_ROLE_COORDINATOR, .name = "c", .dns_names = names, .dns_name_count = FC_COUNT(names)};
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_LIMIT);
}

static void
issue_refuses_to_outlive_the_ca(void **state)
{
    (void)state;
    fc_fail fail = {0};
    int64_t now = time(NULL);
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "web", .not_after_unix_s = now + 4000LL * 86400};
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_RANGE);
    request.not_after_unix_s = now - 86400;
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_RANGE);
}

static void
issue_refuses_a_ca_key_that_others_can_read(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "web"};
    assert_int_equal(run("chmod 640 ca.key"), 0);
    assert_int_equal(fc_pki_issue(dir, &request, NULL, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "0640"));
}

static void
list_says_what_was_issued_oldest_first(void **state)
{
    (void)state;
    char fleet[FC_NAME_MAX + 1];
    fc_pki_entry *entries = NULL;
    size_t count = 0;
    issue(FC_ROLE_NODE, "web-1");
    issue(FC_ROLE_OPERATOR, "ann");
    assert_int_equal(fc_pki_list(dir, fleet, &entries, &count, NULL), FC_OK);
    assert_string_equal(fleet, "prod");
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].principal.role, FC_ROLE_NODE);
    assert_string_equal(entries[0].principal.name, "web-1");
    assert_string_equal(entries[0].principal.fleet, "prod");
    assert_string_equal(entries[1].principal.name, "ann");
    assert_false(entries[0].revoked);
    assert_int_equal(strlen(entries[0].principal.serial), 32);
    assert_string_not_equal(entries[0].principal.serial, entries[1].principal.serial);
    assert_int_equal(run("openssl x509 -in node-web-1.crt -noout -serial | tr A-F a-f"), 0);
    assert_output(entries[0].principal.serial);
    free(entries);
}

static void
list_refuses_an_index_that_is_damaged(void **state)
{
    (void)state;
    char fleet[FC_NAME_MAX + 1];
    fc_pki_entry *entries = NULL;
    size_t count = 0;
    static const char *const texts[] = {
        "{}",
        "[]",
        "not json",
        "{\"fleet\":\"a/b\",\"crlNumber\":1,\"issued\":[]}",
        "{\"fleet\":\"a\",\"crlNumber\":1,\"issued\":[{}]}",
        "{\"fleet\":\"a\",\"crlNumber\":1,\"issued\":[{\"serial\":\"0g\",\"role\":\"node\",\"name\":\"n\","
        "\"notBefore\":1,\"notAfter\":2}]}",
        "{\"fleet\":\"a\",\"crlNumber\":1,\"issued\":[{\"serial\":\"00\",\"role\":\"king\",\"name\":\"n\","
        "\"notBefore\":1,\"notAfter\":2}]}",
        "{\"fleet\":\"a\",\"crlNumber\":1,\"issued\":[{\"serial\":\"00\",\"role\":\"node\",\"name\":\"n\","
        "\"notBefore\":1,\"notAfter\":9223372036854775807}]}",
    };
    for (size_t i = 0; i < FC_COUNT(texts); i++) {
        char *path = fc_sprintf("%s/index.json", dir);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(texts[i], file);
        fclose(file);
        free(path);
        assert_int_equal(fc_pki_list(dir, fleet, &entries, &count, NULL), FC_ERR_CORRUPT);
    }
}

static void
a_list_that_revokes_nothing_is_taken_by_openssl(void **state)
{
    (void)state;
    assert_int_equal(run("openssl crl -in crl.pem -noout -verify -CAfile ca.crt"), 0);
    assert_output("verify OK");
    assert_int_equal(run("openssl crl -in crl.pem -noout -text"), 0);
    assert_output("Version 2 (0x1)");
    assert_output("No Revoked Certificates.");
    assert_output("X509v3 CRL Number: \n                1\n");
    assert_output("X509v3 Authority Key Identifier");
}

static void
revoke_by_name_takes_all_its_certificates(void **state)
{
    (void)state;
    uint32_t count = 0;
    issue(FC_ROLE_NODE, "web-1");
    assert_int_equal(run("cp node-web-1.crt first.crt"), 0);
    issue(FC_ROLE_NODE, "web-1");
    issue(FC_ROLE_NODE, "web-2");
    assert_int_equal(fc_pki_revoke(dir, "node/web-1", &count, NULL), FC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(run("openssl crl -in crl.pem -noout -verify -CAfile ca.crt"), 0);
    assert_output("verify OK");
    static const char verify[] = "openssl verify -x509_strict -crl_check -CAfile ca.crt -CRLfile crl.pem ";
    char *line = fc_sprintf("%s first.crt", verify);
    assert_int_not_equal(run(line), 0);
    assert_output("certificate revoked");
    free(line);
    line = fc_sprintf("%s node-web-1.crt", verify);
    assert_int_not_equal(run(line), 0);
    assert_output("certificate revoked");
    free(line);
    line = fc_sprintf("%s node-web-2.crt", verify);
    assert_int_equal(run(line), 0);
    free(line);
    assert_int_equal(fc_pki_revoke(dir, "node/web-1", &count, NULL), FC_OK);
    assert_int_equal(count, 0);
}

static void
revoke_by_serial_takes_that_one(void **state)
{
    (void)state;
    char fleet[FC_NAME_MAX + 1];
    fc_pki_entry *entries = NULL;
    size_t entry_count = 0;
    uint32_t count = 0;
    issue(FC_ROLE_NODE, "web-1");
    issue(FC_ROLE_NODE, "web-1");
    assert_int_equal(fc_pki_list(dir, fleet, &entries, &entry_count, NULL), FC_OK);
    assert_int_equal(fc_pki_revoke(dir, entries[1].principal.serial, &count, NULL), FC_OK);
    assert_int_equal(count, 1);
    free(entries);
    assert_int_equal(fc_pki_list(dir, fleet, &entries, &entry_count, NULL), FC_OK);
    assert_false(entries[0].revoked);
    assert_true(entries[1].revoked);
    assert_true(entries[1].revoked_at.ns > 0);
    assert_int_equal(run("openssl crl -in crl.pem -noout -text | tr A-F a-f"), 0);
    assert_output(entries[1].principal.serial);
    assert_no_output(entries[0].principal.serial);
    free(entries);
}

static void
revoke_refuses_who_was_never_issued(void **state)
{
    (void)state;
    fc_fail fail = {0};
    uint32_t count = 7;
    assert_int_equal(fc_pki_revoke(dir, "node/nobody", &count, &fail), FC_ERR_NOT_FOUND);
    assert_non_null(strstr(fail.text, "node/nobody"));
    assert_int_equal(count, 7);
}

static void
two_issuers_at_once_lose_nothing(void **state)
{
    (void)state;
    enum { CHILDREN = 4, EACH = 5 };
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            for (int k = 0; k < EACH; k++) {
                char name[32];
                (void)snprintf(name, sizeof name, "n-%d-%d", i, k);
                fc_pki_request request = {.role = FC_ROLE_NODE, .name = name};
                if (fc_pki_issue(dir, &request, NULL, NULL) != FC_OK)
                    _exit(1);
            }
            _exit(0);
        }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    char fleet[FC_NAME_MAX + 1];
    fc_pki_entry *entries = NULL;
    size_t count = 0;
    assert_int_equal(fc_pki_list(dir, fleet, &entries, &count, NULL), FC_OK);
    assert_int_equal(count, CHILDREN * EACH);
    free(entries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init_makes_a_ca_that_openssl_takes),
        TEST(init_refuses_a_directory_with_a_ca),
        TEST(init_refuses_what_is_no_fleet_name),
        TEST(a_node_gets_client_auth_and_its_uri),
        TEST(a_coordinator_gets_server_auth_and_the_service_name),
        TEST(issue_writes_elsewhere_when_asked),
        TEST(issue_refuses_names_that_are_none),
        TEST(issue_refuses_more_names_than_fit),
        TEST(issue_refuses_to_outlive_the_ca),
        TEST(issue_refuses_a_ca_key_that_others_can_read),
        TEST(list_says_what_was_issued_oldest_first),
        TEST(list_refuses_an_index_that_is_damaged),
        TEST(a_list_that_revokes_nothing_is_taken_by_openssl),
        TEST(revoke_by_name_takes_all_its_certificates),
        TEST(revoke_by_serial_takes_that_one),
        TEST(revoke_refuses_who_was_never_issued),
        TEST(two_issuers_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
