/* A machine's key on its way to a certificate, the coordinator that signs it, and what the certificate binds.
 * openssl(1) judges what comes out, and makes what a hostile or careless CA would. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/identity.h"
#include "common/tls/issuer.h"
#include "common/tls/key.h"
#include "common/tls/pki.h"
#include "tls_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

enum { HOUR_S = 3600 };

static int
set_up_cas(void **state)
{
    (void)state;
    temp_dir_make(dir);
    if (fc_pki_init(path("pki"), "prod", 0, NULL) != FC_OK ||
        fc_pki_init(path("other"), "prod", 0, NULL) != FC_OK)
        return -1;
    return run("cp pki/ca.crt pki/ca.key .");
}

static fc_issuer *
open_issuer(void)
{
    fc_fail fail = {0};
    fc_issuer *issuer = NULL;
    if (fc_issuer_open(path("ca.crt"), path("ca.key"), &issuer, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    return issuer;
}

static fc_key *
make_key(void)
{
    fc_key *key = NULL;
    assert_int_equal(fc_key_new(&key, NULL), FC_OK);
    return key;
}

static void
write_file(const char *name, const fc_buf *bytes, mode_t mode)
{
    assert_int_equal(
        fc_file_write_atomic(AT_FDCWD, path(name), fc_buf_bytes(bytes), fc_buf_size(bytes), mode, NULL),
        FC_OK);
}

static fc_issue
web_1(void)
{
    int64_t now_unix_s = time(NULL);
    return (fc_issue){.fleet = "prod",
                      .name = "web-1",
                      .scale_set = "web",
                      .region = "eu-west",
                      .not_before_unix_s = now_unix_s - HOUR_S,
                      .not_after_unix_s = now_unix_s + 72 * HOUR_S};
}

/* Signs for a fresh key; the certificate is appended to ret_pem. */
static fc_err
sign(fc_issuer *issuer, const fc_issue *issue, fc_key *key, fc_buf *ret_pem, fc_principal *ret_principal,
     fc_fail *fail)
{
    fc_buf csr = {0};
    assert_int_equal(fc_key_csr(key, "web-1", &csr, NULL), FC_OK);
    fc_err err =
        fc_issuer_sign(issuer, issue, fc_buf_text(&csr), fc_buf_size(&csr), ret_pem, ret_principal, fail);
    fc_buf_fini(&csr);
    return err;
}

/* ---- the way to a certificate ---- */

static void
a_machine_gets_a_certificate_that_openssl_accepts(void **state)
{
    (void)state;
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0};
    fc_principal principal = {0};
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    assert_int_equal(principal.role, FC_ROLE_NODE);
    assert_string_equal(principal.name, "web-1");
    assert_string_equal(principal.fleet, "prod");
    assert_string_equal(principal.scale_set, "web");
    assert_string_equal(principal.region, "eu-west");
    assert_true(principal.not_after.ns == issue.not_after_unix_s * FC_NS_PER_S);

    write_file("web-1.crt", &pem, 0644);
    assert_int_equal(run("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt web-1.crt"), 0);
    assert_int_equal(run("openssl x509 -in web-1.crt -noout -subject -nameopt RFC2253"), 0);
    assert_string_equal(output, "subject=L=eu-west,OU=web,CN=web-1\n");
    assert_int_equal(run("openssl x509 -in web-1.crt -noout -ext subjectAltName,extendedKeyUsage"), 0);
    assert_text(output, "URI:spiffe://prod/node/web-1");
    assert_text(output, "TLS Web Client Authentication");
    assert_null(strstr(output, "Server"));

    fc_key_certificate found = {0};
    const char *ca = fc_issuer_ca_pem(issuer);
    assert_int_equal(
        fc_key_check(key, "web-1", fc_buf_text(&pem), fc_buf_size(&pem), ca, strlen(ca), &found, NULL),
        FC_OK);
    assert_string_equal(found.principal.serial, principal.serial);
    assert_true(found.not_before.ns == issue.not_before_unix_s * FC_NS_PER_S);
    fc_buf_fini(&pem);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
a_key_and_its_certificate_live_in_one_file(void **state)
{
    (void)state;
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0};
    fc_principal principal;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    assert_int_equal(fc_key_pem(key, &pem, NULL), FC_OK);
    write_file("node.pem", &pem, 0600);
    fc_key_wipe(&pem);
    assert_int_equal(run("openssl pkey -in node.pem -noout -check"), 0);

    fc_key_certificate found = {0};
    assert_int_equal(fc_key_file_read(path("node.pem"), &found, NULL), FC_OK);
    assert_string_equal(found.principal.name, "web-1");
    assert_string_equal(found.principal.scale_set, "web");
    fc_key *again = NULL;
    char digest[65], same[65];
    assert_int_equal(fc_key_load(path("node.pem"), &again, NULL), FC_OK);
    assert_int_equal(fc_key_digest_text(key, digest, NULL), FC_OK);
    assert_int_equal(fc_key_digest_text(again, same, NULL), FC_OK);
    assert_string_equal(digest, same);
    assert_int_equal(run("openssl pkey -in node.pem -pubout -outform DER | sha256sum | cut -c1-64"), 0);
    output[64] = '\0';
    assert_string_equal(output, digest);

    fc_fail why = {0};
    assert_int_equal(run("chmod 0640 node.pem"), 0);
    assert_int_equal(fc_key_file_read(path("node.pem"), &found, &why), FC_ERR_DENIED);
    assert_text(why.text, "node.pem");
    fc_key_free(again);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
a_certificate_of_another_key_name_or_ca_is_not_taken(void **state)
{
    (void)state;
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key(), *other = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0}, foreign = {0};
    fc_principal principal;
    fc_key_certificate found = {0};
    fc_fail why = {0};
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    const char *text = fc_buf_text(&pem), *ca = fc_issuer_ca_pem(issuer);
    size_t size = fc_buf_size(&pem);
    assert_int_equal(fc_key_check(other, "web-1", text, size, ca, strlen(ca), &found, &why), FC_ERR_DENIED);
    assert_text(why.text, "another key");
    assert_int_equal(fc_key_check(key, "web-2", text, size, ca, strlen(ca), &found, &why), FC_ERR_DENIED);
    assert_text(why.text, "node/web-1, not of node/web-2");
    assert_int_equal(fc_file_read(AT_FDCWD, path("other/ca.crt"), 65536, &foreign, NULL), FC_OK);
    assert_int_equal(
        fc_key_check(key, "web-1", text, size, fc_buf_text(&foreign), fc_buf_size(&foreign), &found, &why),
        FC_ERR_DENIED);
    assert_text(why.text, "not from the CA");
    assert_int_equal(fc_key_check(key, "web-1", "nothing", 7, ca, strlen(ca), &found, &why), FC_ERR_CORRUPT);
    assert_int_equal(fc_key_check(key, "web-1", text, size, "", 0, &found, &why), FC_ERR_CORRUPT);
    assert_int_equal(fc_key_check(key, "web-1", text, size / 2, ca, strlen(ca), &found, &why),
                     FC_ERR_CORRUPT);
    assert_int_equal(found.principal.role, FC_ROLE_NONE);
    fc_buf_fini(&foreign);
    fc_buf_fini(&pem);
    fc_key_free(other);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
a_certificate_past_or_before_its_time_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        int64_t from_h, to_h;
        const char *sentence;
    } cases[] = {{-72, -1, "expired"}, {1, 72, "not valid yet"}};
    fc_issuer *issuer = open_issuer();
    const char *ca = fc_issuer_ca_pem(issuer);
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_key *key = make_key();
        fc_issue issue = web_1();
        fc_buf pem = {0};
        fc_principal principal;
        fc_key_certificate found;
        fc_fail why = {0};
        issue.not_before_unix_s = time(NULL) + cases[i].from_h * HOUR_S;
        issue.not_after_unix_s = time(NULL) + cases[i].to_h * HOUR_S;
        assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
        assert_int_equal(
            fc_key_check(key, "web-1", fc_buf_text(&pem), fc_buf_size(&pem), ca, strlen(ca), &found, &why),
            FC_ERR_DENIED);
        assert_text(why.text, cases[i].sentence);
        fc_buf_fini(&pem);
        fc_key_free(key);
    }
    fc_issuer_close(issuer);
}

/* ---- the issuer ---- */

static void
what_cannot_be_bound_is_not_signed(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "web,OU=db", "web/db",
        "web+CN=x",  "we b",
        "\xc3\xa9",  "-web",
        "a=b",       "\"",
        "\\",        "0123456789012345678901234567890123456789012345678901234567890123"};
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_principal principal = {0};
    fc_buf pem = {0};
    for (size_t i = 0; i < FC_COUNT(hostile); i++) {
        fc_issue issue = web_1();
        fc_fail why = {0};
        issue.scale_set = hostile[i];
        assert_int_equal(sign(issuer, &issue, key, &pem, &principal, &why), FC_ERR_INVALID);
        assert_text(why.text, "scale set");
        issue = web_1();
        issue.region = hostile[i];
        assert_int_equal(sign(issuer, &issue, key, &pem, &principal, &why), FC_ERR_INVALID);
        assert_text(why.text, "region");
        issue = web_1();
        issue.name = hostile[i];
        assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_ERR_INVALID);
        issue = web_1();
        issue.fleet = hostile[i];
        assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_ERR_INVALID);
    }
    fc_issue longest = web_1();
    longest.scale_set = longest.region = hostile[FC_COUNT(hostile) - 1] + 1;
    assert_int_equal(sign(issuer, &longest, key, &pem, &principal, NULL), FC_OK);
    assert_string_equal(principal.scale_set, longest.scale_set);
    fc_buf_fini(&pem);
    fc_issue unbound = web_1();
    unbound.scale_set = unbound.region = "";
    assert_int_equal(sign(issuer, &unbound, key, &pem, &principal, NULL), FC_OK);
    assert_string_equal(principal.scale_set, "");
    assert_string_equal(principal.region, "");
    fc_buf_fini(&pem);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
a_request_of_another_name_is_neither_looked_at_nor_signed(void **state)
{
    (void)state;
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf csr = {0}, pem = {0};
    fc_principal principal;
    uint8_t digest[32];
    char text[65], own[65];
    assert_int_equal(fc_key_csr(key, "web-1", &csr, NULL), FC_OK);
    assert_int_equal(fc_issuer_look(fc_buf_text(&csr), fc_buf_size(&csr), "web-1", digest, NULL), FC_OK);
    fc_hex_text(digest, sizeof digest, text);
    assert_int_equal(fc_key_digest_text(key, own, NULL), FC_OK);
    assert_string_equal(text, own);
    assert_int_equal(fc_issuer_look(fc_buf_text(&csr), fc_buf_size(&csr), "web-2", digest, NULL),
                     FC_ERR_INVALID);
    issue.name = "web-2";
    assert_int_equal(
        fc_issuer_sign(issuer, &issue, fc_buf_text(&csr), fc_buf_size(&csr), &pem, &principal, NULL),
        FC_ERR_INVALID);
    assert_int_equal(fc_buf_size(&pem), 0);
    assert_int_equal(fc_key_csr(key, "web/1", &pem, NULL), FC_ERR_INVALID);
    fc_buf_fini(&pem);
    fc_buf_fini(&csr);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
no_certificate_outlives_its_ca(void **state)
{
    (void)state;
    assert_int_equal(fc_pki_init(path("short"), "prod", 1, NULL), FC_OK);
    assert_int_equal(run("cp short/ca.crt short/ca.key ."), 0);
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0};
    fc_principal principal;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    assert_in_range(principal.not_after.ns / FC_NS_PER_S, time(NULL) + 23 * HOUR_S, time(NULL) + 24 * HOUR_S);
    fc_buf_fini(&pem);
    issue.not_before_unix_s = issue.not_after_unix_s;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_ERR_RANGE);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
of_two_cas_the_one_with_the_key_signs(void **state)
{
    (void)state;
    assert_int_equal(run("cat other/ca.crt pki/ca.crt > ca.crt"), 0);
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0};
    fc_principal principal;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    write_file("web-1.crt", &pem, 0644);
    assert_int_equal(run("openssl verify -x509_strict -CAfile pki/ca.crt web-1.crt"), 0);
    assert_int_not_equal(run("openssl verify -x509_strict -CAfile other/ca.crt web-1.crt"), 0);
    const char *all = fc_issuer_ca_pem(issuer);
    const char *second = strstr(all + 1, "-----BEGIN");
    assert_non_null(second);
    assert_null(strstr(second + 1, "-----BEGIN"));
    fc_buf_fini(&pem);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
an_issuer_without_the_right_key_does_not_open(void **state)
{
    (void)state;
    fc_issuer *issuer = NULL;
    fc_fail why = {0};
    assert_int_equal(fc_issuer_open(path("ca.crt"), path("other/ca.key"), &issuer, &why), FC_ERR_INVALID);
    assert_text(why.text, "other/ca.key");
    assert_int_equal(run("chmod 0644 ca.key"), 0);
    assert_int_equal(fc_issuer_open(path("ca.crt"), path("ca.key"), &issuer, &why), FC_ERR_DENIED);
    assert_int_equal(fc_issuer_open(path("none.crt"), path("other/ca.key"), &issuer, &why), FC_ERR_NOT_FOUND);
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "web-1"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, NULL), FC_OK);
    assert_int_equal(fc_issuer_open(path("node-web-1.crt"), path("node-web-1.key"), &issuer, &why),
                     FC_ERR_INVALID);
    assert_text(why.text, "no CA's");
    assert_null(issuer);
}

static void
a_revocation_list_of_the_issuer_is_one_for_openssl(void **state)
{
    (void)state;
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0}, crl = {0};
    fc_principal principal;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    write_file("web-1.crt", &pem, 0644);
    fc_crl_entry entry = {.serial_size = strlen(principal.serial) / 2, .revoked_unix_s = time(NULL)};
    assert_int_equal(fc_hex_parse(principal.serial, entry.serial, entry.serial_size), FC_OK);
    fc_crl_spec spec = {.this_update_unix_s = time(NULL),
                        .next_update_unix_s = time(NULL) + HOUR_S,
                        .number = 7,
                        .entries = &entry,
                        .count = 1};
    assert_int_equal(fc_issuer_crl(issuer, &spec, &crl, NULL), FC_OK);
    write_file("crl.pem", &crl, 0644);
    assert_int_equal(run("openssl crl -in crl.pem -CAfile ca.crt -noout"), 0);
    assert_text(output, "verify OK");
    assert_int_not_equal(run("openssl verify -crl_check -CAfile ca.crt -CRLfile crl.pem web-1.crt"), 0);
    assert_text(output, "certificate revoked");
    fc_buf_fini(&crl);
    fc_buf_fini(&pem);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

/* ---- what a certificate binds ---- */

/* Has openssl sign a node's certificate with this configuration of the subject. */
static fc_err
read_subject(const char *subject_lines, fc_principal *ret_principal, fc_fail *why)
{
    fc_buf pem = {0};
    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    assert_int_equal(
        run("printf '[req]\nprompt=no\nutf8=yes\nstring_mask=utf8only\ndistinguished_name=dn\n[dn]\n"
            "CN=web-1\n%s\n[ext]\nsubjectAltName=URI:spiffe://prod/node/web-1\n"
            "extendedKeyUsage=clientAuth\n' > subject.cnf && "
            "openssl ecparam -name prime256v1 -genkey -noout -out k.pem && "
            "openssl req -new -config subject.cnf -key k.pem -out k.csr && "
            "openssl x509 -req -in k.csr -CA ca.crt -CAkey ca.key -set_serial 99 -extfile subject.cnf "
            "-extensions ext -days 1 -out k.crt",
            subject_lines),
        0);
    assert_int_equal(fc_file_read(AT_FDCWD, path("k.crt"), 65536, &pem, NULL), FC_OK);
    (void)fc_buf_text(&pem);
    assert_int_equal(mbedtls_x509_crt_parse(&crt, fc_buf_bytes(&pem), fc_buf_size(&pem) + 1), 0);
    fc_err err = fc_identity_check(&crt, FC_TLS_CLIENT, ret_principal, why);
    mbedtls_x509_crt_free(&crt);
    fc_buf_fini(&pem);
    return err;
}

static void
a_subject_binds_to_names_and_to_one_of_each(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        fc_err err;
        const char *scale_set, *region;
    } cases[] = {
        {"", FC_OK, "", ""},
        {"OU=web\nL=eu", FC_OK, "web", "eu"},
        {"L=eu\nOU=web\nC=DE", FC_OK, "web", "eu"},
        {"OU=web", FC_OK, "web", ""},
        {"L=eu", FC_OK, "", "eu"},
        {"OU=web\n+L=eu", FC_OK, "web", "eu"}, /* one relative name of two attributes */
        {"0.OU=web\n1.OU=db\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"0.OU=web\n1.OU=web\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"0.OU=web\n+1.OU=db\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=web\n0.L=eu\n1.L=us", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=web/db\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=../web\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=Platform Team\nL=eu", FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=w\xc3\xa9"
         "b\nL=eu",
         FC_ERR_UNAUTHENTICATED, NULL, NULL},
        {"OU=web\nL=0123456789012345678901234567890123456789012345678901234567890123", FC_ERR_UNAUTHENTICATED,
         NULL, NULL},
        /* As they were before nodes could be bound. */
        {"OU=node\nO=prod", FC_OK, "", ""},
        {"OU=node\nO=test", FC_OK, "node", ""},
        {"OU=node\nL=eu\nO=prod", FC_OK, "node", "eu"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_principal principal = {0};
        fc_fail why = {0};
        fc_err err = read_subject(cases[i].lines, &principal, &why);
        if (err != cases[i].err)
            fail_msg("case %zu (%s): %s", i, cases[i].lines, why.text);
        if (err == FC_OK) {
            assert_string_equal(principal.scale_set, cases[i].scale_set);
            assert_string_equal(principal.region, cases[i].region);
        } else {
            assert_text(why.text, "node/web-1");
        }
    }
}

/* A string with a NUL inside, of the kinds that hold one: the bytes are put into a certificate of ours. */
static void
a_name_with_a_nul_byte_binds_to_nothing(void **state)
{
    (void)state;
    static const char text[] = "0123456789";
    fc_issuer *issuer = open_issuer();
    fc_key *key = make_key();
    fc_issue issue = web_1();
    fc_buf pem = {0};
    fc_principal principal;
    issue.scale_set = text;
    assert_int_equal(sign(issuer, &issue, key, &pem, &principal, NULL), FC_OK);
    write_file("k.crt", &pem, 0644);
    fc_buf_fini(&pem);
    assert_int_equal(run("openssl x509 -in k.crt -outform DER -out k.der"), 0);
    assert_int_equal(fc_file_read(AT_FDCWD, path("k.der"), 65536, &pem, NULL), FC_OK);
    uint8_t *at = memmem(pem.data + pem.start, fc_buf_size(&pem), text, strlen(text));
    assert_non_null(at);
    for (size_t i = 0; i < strlen(text); i++) {
        mbedtls_x509_crt crt;
        mbedtls_x509_crt_init(&crt);
        at[i] = '\0';
        assert_int_equal(mbedtls_x509_crt_parse_der(&crt, fc_buf_bytes(&pem), fc_buf_size(&pem)), 0);
        assert_int_equal(fc_identity_check(&crt, FC_TLS_CLIENT, &principal, NULL), FC_ERR_UNAUTHENTICATED);
        at[i] = (uint8_t)text[i];
        mbedtls_x509_crt_free(&crt);
    }
    fc_buf_fini(&pem);
    fc_key_free(key);
    fc_issuer_close(issuer);
}

static void
a_pki_binds_nodes_and_nobody_else(void **state)
{
    (void)state;
    char fleet[FC_NAME_MAX + 1];
    fc_pki_entry *entries = NULL;
    size_t count = 0;
    fc_fail why = {0};
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "web-1", .scale_set = "web", .region = "eu"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, NULL), FC_OK);
    assert_int_equal(run("openssl x509 -in node-web-1.crt -noout -subject -nameopt RFC2253"), 0);
    assert_string_equal(output, "subject=L=eu,OU=web,CN=web-1\n");
    request = (fc_pki_request){.role = FC_ROLE_NODE, .name = "web-2"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, NULL), FC_OK);
    assert_int_equal(fc_pki_list(path("pki"), fleet, &entries, &count, NULL), FC_OK);
    assert_int_equal(count, 2);
    assert_string_equal(entries[0].principal.scale_set, "web");
    assert_string_equal(entries[0].principal.region, "eu");
    assert_string_equal(entries[1].principal.scale_set, "");
    free(entries);

    static const fc_role others[] = {FC_ROLE_OPERATOR, FC_ROLE_COORDINATOR};
    for (size_t i = 0; i < FC_COUNT(others); i++) {
        request = (fc_pki_request){.role = others[i], .name = "x", .scale_set = "web"};
        assert_int_equal(fc_pki_issue(path("pki"), &request, dir, &why), FC_ERR_INVALID);
        assert_text(why.text, "only a node");
    }
    request = (fc_pki_request){.role = FC_ROLE_ANONYMOUS, .name = "x"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, &why), FC_ERR_INVALID);
    request = (fc_pki_request){.role = FC_ROLE_NODE, .name = "x", .scale_set = "web,O=x"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, &why), FC_ERR_INVALID);
    request =
        (fc_pki_request){.role = FC_ROLE_NODE,
                         .name = "x",
                         .scale_set = "0123456789012345678901234567890123456789012345678901234567890123"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, &why), FC_ERR_INVALID);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, set_up_cas, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_machine_gets_a_certificate_that_openssl_accepts),
        EACH(a_key_and_its_certificate_live_in_one_file),
        EACH(a_certificate_of_another_key_name_or_ca_is_not_taken),
        EACH(a_certificate_past_or_before_its_time_is_not_taken),
        EACH(what_cannot_be_bound_is_not_signed),
        EACH(a_request_of_another_name_is_neither_looked_at_nor_signed),
        EACH(no_certificate_outlives_its_ca),
        EACH(of_two_cas_the_one_with_the_key_signs),
        EACH(an_issuer_without_the_right_key_does_not_open),
        EACH(a_revocation_list_of_the_issuer_is_one_for_openssl),
        EACH(a_subject_binds_to_names_and_to_one_of_each),
        EACH(a_name_with_a_nul_byte_binds_to_nothing),
        EACH(a_pki_binds_nodes_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
