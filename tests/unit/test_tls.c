/* Real TLS over loopback, our engine against itself and against openssl(1): who gets in, and how. */
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "tls_rig.h"

#include <nng/nng.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* ---- who is there ---- */

static void
a_handshake_tells_each_side_who_the_other_is(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(p.server.status, 0);
    assert_true(p.server.identified);
    assert_int_equal(p.server.peer.role, FC_ROLE_NODE);
    assert_string_equal(p.server.peer.name, "web-1");
    assert_string_equal(p.server.peer.fleet, "prod");
    assert_string_equal(p.server.peer.serial, fc_tls_own(p.client)->serial);
    assert_true(p.server.peer.not_after.ns == fc_tls_own(p.client)->not_after.ns);
    assert_int_equal(p.peer.role, FC_ROLE_COORDINATOR);
    assert_string_equal(p.peer.name, "c1");
    assert_string_equal(p.peer.serial, fc_tls_own(p.server.tls)->serial);
    assert_int_equal(counters(p.server.tls).handshakes_full, 1);
    assert_int_equal(counters(p.client).handshakes_full, 1);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 0);
    pair_stop(&p);
}

static void
nobody_is_identified_before_the_handshake(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_false(fc_tls_identify(stream, &p.peer));
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    nng_stream_free(stream);
    pair_stop(&p);
}

/* ---- who is refused ---- */

static void
an_expired_node_is_refused(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    issue("pki", FC_ROLE_NODE, "web-1", now - 7200, now - 3600);
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_int_equal(counters(p.server.tls).refused_certificate, 1);
    assert_text(last_failure(p.server.tls), "node/web-1 expired at 20");
    assert_text(last_failure(p.client), "certificate expired");
    pair_stop(&p);
}

static void
an_expired_coordinator_is_refused(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    issue("pki", FC_ROLE_COORDINATOR, "c1", now - 7200, now - 3600);
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_int_equal(counters(p.client).refused_certificate, 1);
    assert_text(last_failure(p.client), "coordinator/c1 expired at 20");
    assert_int_equal(counters(p.server.tls).handshakes_failed, 1);
    pair_stop(&p);
}

static void
a_client_of_another_ca_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    issue("other", FC_ROLE_NODE, "web-9", 0, 0);
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_not_equal(openssl_client(&s, "-cert node-web-9.crt -key node-web-9.key"), 0);
    assert_text(output, "alert unknown ca");
    assert_refused(&s);
    assert_int_equal(counters(s.tls).refused_certificate, 1);
    assert_text(last_failure(s.tls), "node/web-9 is not from our CA");
    server_stop(&s);
}

static void
a_server_of_another_ca_is_refused(void **state)
{
    (void)state;
    fc_fail fail = {0};
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    issue("other", FC_ROLE_COORDINATOR, "c9", 0, 0);
    fc_tls_files files = {
        .ca = path("ca.crt"), .certificate = path("coordinator-c9.crt"), .key = path("coordinator-c9.key")};
    pair p = {.client = make_tls(FC_TLS_CLIENT, "node-web-1")};
    if (fc_tls_new(FC_TLS_SERVER, &files, &p.server.tls, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_text(last_failure(p.client), "coordinator/c9 is not from our CA");
    pair_stop(&p);
}

static void
a_client_without_a_certificate_is_refused(void **state)
{
    (void)state;
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_not_equal(openssl_client(&s, ""), 0);
    assert_text(output, "alert handshake failure");
    assert_refused(&s);
    assert_int_equal(counters(s.tls).refused_certificate, 1);
    assert_text(last_failure(s.tls), "no certificate");
    server_stop(&s);
}

static void
a_node_may_not_play_coordinator(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    assert_int_equal(new_tls(FC_TLS_SERVER, "node-web-1", &tls, &fail), FC_ERR_UNAUTHENTICATED);
    assert_text(fail.text, "node/web-1 may not be the server");

    fc_tls *client = make_tls(FC_TLS_CLIENT, "node-web-1");
    assert_int_equal(meet_impostor("node-web-1", client), NNG_EPEERAUTH);
    assert_int_equal(counters(client).refused_certificate, 1);
    assert_text(last_failure(client), "the certificate of node/web-1 is not for coordinator.prod");
    fc_tls_free(client);
}

static void
a_node_with_the_right_name_is_still_no_coordinator(void **state)
{
    (void)state;
    /* A node named like the service would pass the check of the server's name. */
    issue("pki", FC_ROLE_NODE, "coordinator.prod", 0, 0);
    fc_tls *client = make_tls(FC_TLS_CLIENT, "node-web-1");
    assert_int_equal(meet_impostor("node-coordinator.prod", client), NNG_EPEERAUTH);
    assert_int_equal(counters(client).refused_certificate, 1);
    assert_text(last_failure(client), "node/coordinator.prod may not be the server");
    fc_tls_free(client);
}

static void
a_coordinator_may_not_be_a_client(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    assert_int_equal(new_tls(FC_TLS_CLIENT, "coordinator-c1", &tls, &fail), FC_ERR_UNAUTHENTICATED);
    assert_text(fail.text, "coordinator/c1 may not be the client");
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_not_equal(openssl_client(&s, "-cert coordinator-c1.crt -key coordinator-c1.key"), 0);
    assert_text(output, "alert unsupported certificate");
    assert_refused(&s);
    assert_int_equal(counters(s.tls).refused_certificate, 1);
    server_stop(&s);
}

static void
a_node_of_another_fleet_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fc_pki_init(path("other"), "lab", 0, NULL), FC_OK);
    issue("other", FC_ROLE_NODE, "web-9", 0, 0);
    assert_int_equal(run("cat other/ca.crt >> ca.crt"), 0);
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_not_equal(openssl_client(&s, "-cert node-web-9.crt -key node-web-9.key"), 0);
    assert_refused(&s);
    assert_text(last_failure(s.tls), "node/web-9 is of fleet lab, not of ours, prod");
    server_stop(&s);
}

static void
a_coordinator_of_another_fleet_is_refused(void **state)
{
    (void)state;
    fc_fail fail = {0};
    assert_int_equal(fc_pki_init(path("other"), "lab", 0, NULL), FC_OK);
    const char *name = "coordinator.prod";
    fc_pki_request request = {
        .role = FC_ROLE_COORDINATOR, .name = "c9", .dns_names = &name, .dns_name_count = 1};
    assert_int_equal(fc_pki_issue(path("other"), &request, dir, &fail), FC_OK);
    assert_int_equal(run("cat other/ca.crt >> ca.crt"), 0);
    pair p = {.client = make_tls(FC_TLS_CLIENT, "node-web-1"),
              .server.tls = make_tls(FC_TLS_SERVER, "coordinator-c9")};
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_text(last_failure(p.client), "coordinator/c9 is of fleet lab");
    pair_stop(&p);
}

static void
a_coordinator_under_another_name_is_refused(void **state)
{
    (void)state;
    fc_tls_files files = {.ca = path("ca.crt"),
                          .certificate = path("node-web-1.crt"),
                          .key = path("node-web-1.key"),
                          .server_name = "fleet.example.com"};
    pair p = {.server.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    assert_int_equal(fc_tls_new(FC_TLS_CLIENT, &files, &p.client, NULL), FC_OK);
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_text(last_failure(p.client), "coordinator/c1 is not for fleet.example.com");
    pair_stop(&p);
}

static void
who_dials_an_address_expects_the_service_name(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    for (size_t i = 0; i < FC_COUNT(addresses); i++) {
        fc_principal peer;
        fc_tls *client = NULL;
        fc_tls_files files = {.ca = path("ca.crt"),
                              .certificate = path("node-web-1.crt"),
                              .key = path("node-web-1.key"),
                              .server_name = addresses[i]};
        assert_int_equal(fc_tls_new(FC_TLS_CLIENT, &files, &client, NULL), FC_OK);
        assert_int_equal(client_once(client, &s, &peer), 0);
        fc_tls_free(client);
    }
    server_stop(&s);
}

/* Certificates of our CA that fc_pki_issue would not make. */
static void
make_odd(const char *name, const char *extensions)
{
    assert_int_equal(
        run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -subj /CN=%s "
            "-out %s.csr && printf '%s' > %s.ext && openssl x509 -req -in %s.csr -CA pki/ca.crt -CAkey "
            "pki/ca.key -CAcreateserial -days 9 -extfile %s.ext -out %s.crt",
            name, name, name, extensions, name, name, name, name),
        0);
}

static void
certificates_that_name_nobody_or_two_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *extensions;
        const char *why;
    } odd[] = {
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=DNS:web-1\\n", "no spiffe URI"},
        {"extendedKeyUsage=clientAuth\\n", "no spiffe URI"},
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=URI:https://prod/node/web-1\\n", "no spiffe URI"},
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=URI:spiffe://prod/node/a,URI:spiffe://prod/node/b\\n",
         "more than one spiffe URI"},
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=URI:spiffe://prod/node/a/b\\n", "not of a fleet"},
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=URI:spiffe://prod/king/a\\n", "not of a fleet"},
        {"extendedKeyUsage=clientAuth\\nsubjectAltName=URI:spiffe://prod/coordinator/c2\\n",
         "may not be the client"},
        {"extendedKeyUsage=serverAuth\\nsubjectAltName=URI:spiffe://prod/node/a\\n", "clientAuth"},
        {"extendedKeyUsage=clientAuth,serverAuth\\nsubjectAltName=URI:spiffe://prod/node/a\\n", "clientAuth"},
        {"extendedKeyUsage=anyExtendedKeyUsage\\nsubjectAltName=URI:spiffe://prod/node/a\\n", "clientAuth"},
        {"subjectAltName=URI:spiffe://prod/node/a\\n", "clientAuth"},
        {"basicConstraints=CA:TRUE\\nextendedKeyUsage=clientAuth\\nsubjectAltName=URI:spiffe://prod/node/"
         "a\\n",
         "is a CA"},
    };
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    for (size_t i = 0; i < FC_COUNT(odd); i++) {
        make_odd("odd", odd[i].extensions);
        (void)openssl_client(&s, "-cert odd.crt -key odd.key");
        assert_refused(&s);
        assert_text(last_failure(s.tls), odd[i].why);
        assert_int_equal(counters(s.tls).refused_certificate, i + 1);
    }
    assert_int_equal(counters(s.tls).handshakes_full, 0);
    server_stop(&s);
}

/* ---- what is negotiated ---- */

static void
p256_and_aes_gcm_are_negotiated_and_nothing_else(void **state)
{
    (void)state;
    static const char me[] = "-cert node-web-1.crt -key node-web-1.key";
    static const struct {
        const char *options;
        const char *expect; /* NULL = no handshake */
    } cases[] = {
        {"", "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"", "Server Temp Key: ECDH, prime256v1, 256 bits"},
        {"", "Verify return code: 0 (ok)"},
        {"-cipher ECDHE-ECDSA-AES256-GCM-SHA384", "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"-cipher ECDHE-ECDSA-CHACHA20-POLY1305", NULL},
        {"-cipher ECDHE-ECDSA-AES128-SHA256", NULL},
        {"-groups P-384", NULL},
        {"-groups X25519", NULL},
        {"-tls1_1 -cipher ALL@SECLEVEL=0", NULL},
    };
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        char *options = fc_sprintf("%s %s", me, cases[i].options);
        int status = openssl_client(&s, options);
        free(options);
        if (cases[i].expect != NULL) {
            assert_int_equal(s.status, 0);
            if (status != 0)
                fail_msg("openssl %s: %s", cases[i].options, output);
            assert_text(output, cases[i].expect);
        } else {
            assert_int_not_equal(status, 0);
            assert_int_not_equal(s.status, 0);
            assert_int_not_equal(s.status, NNG_ETIMEDOUT); /* it has come */
        }
    }
    server_stop(&s);
}

static void
another_curve_is_refused(void **state)
{
    (void)state;
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_equal(
        run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout odd.key -subj /CN=a "
            "-out odd.csr && printf 'extendedKeyUsage=clientAuth\\nsubjectAltName="
            "URI:spiffe://prod/node/a\\n' > odd.ext && openssl x509 -req -in odd.csr -CA pki/ca.crt -CAkey "
            "pki/ca.key -CAcreateserial -days 9 -extfile odd.ext -out odd.crt"),
        0);
    assert_int_not_equal(openssl_client(&s, "-cert odd.crt -key odd.key"), 0);
    assert_int_not_equal(s.status, 0);
    fc_tls_files files = {.ca = path("ca.crt"), .certificate = path("odd.crt"), .key = path("odd.key")};
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    assert_int_equal(fc_tls_new(FC_TLS_CLIENT, &files, &tls, &fail), FC_ERR_UNSUPPORTED);
    assert_text(fail.text, "odd.key is not a key on the curve P-256");
    server_stop(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handshake_tells_each_side_who_the_other_is),
        TEST(nobody_is_identified_before_the_handshake),
        TEST(an_expired_node_is_refused),
        TEST(an_expired_coordinator_is_refused),
        TEST(a_client_of_another_ca_is_refused),
        TEST(a_server_of_another_ca_is_refused),
        TEST(a_client_without_a_certificate_is_refused),
        TEST(a_node_may_not_play_coordinator),
        TEST(a_node_with_the_right_name_is_still_no_coordinator),
        TEST(a_coordinator_may_not_be_a_client),
        TEST(a_node_of_another_fleet_is_refused),
        TEST(a_coordinator_of_another_fleet_is_refused),
        TEST(a_coordinator_under_another_name_is_refused),
        TEST(who_dials_an_address_expects_the_service_name),
        TEST(certificates_that_name_nobody_or_two_are_refused),
        TEST(p256_and_aes_gcm_are_negotiated_and_nothing_else),
        TEST(another_curve_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
