/* Real TLS over loopback: our engine against itself, and against openssl(1). */
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "common/tls/tickets.h"
#include "common/tls/tls.h"
#include "tls_rig.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* ---- resumption ---- */

static void
a_client_that_returns_resumes_and_is_still_known(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
        assert_true(p.server.identified);
        assert_string_equal(p.server.peer.name, "web-1");
        assert_string_equal(p.server.peer.serial, fc_tls_own(p.client)->serial);
        assert_string_equal(p.peer.name, "c1");
    }
    assert_int_equal(counters(p.server.tls).handshakes_full, 1);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 3);
    assert_int_equal(counters(p.client).handshakes_resumed, 3);
    pair_stop(&p);
}

static void
tickets_outlive_a_restart_of_the_server(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    server_stop(&p.server);
    p.server = (server){.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_string_equal(p.server.peer.name, "web-1");
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 1);
    assert_int_equal(counters(p.server.tls).handshakes_full, 0);
    struct stat st;
    assert_int_equal(stat(path("tickets"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    pair_stop(&p);
}

static void
without_its_ticket_keys_a_server_does_a_full_handshake(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    server_stop(&p.server);
    assert_int_equal(run("rm tickets"), 0);
    p.server = (server){.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(counters(p.server.tls).handshakes_full, 1);
    /* And the new ticket is worth something. */
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 1);
    pair_stop(&p);
}

static void
a_ticket_is_worth_nothing_under_another_ca(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    assert_int_equal(run("cat other/ca.crt >> ca.crt"), 0);
    assert_int_equal(fc_tls_reload(p.server.tls, NULL), FC_OK);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(counters(p.server.tls).handshakes_full, 2);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 0);
    pair_stop(&p);
}

/* ---- revocation ---- */

static void
a_revoked_node_is_refused_and_hears_why(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    revoke_one("node/web-1");
    assert_int_equal(fc_tls_reload(p.server.tls, NULL), FC_OK);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_refused(&p.server);
    assert_false(p.server.identified);
    assert_int_equal(counters(p.server.tls).refused_revoked, 1);
    assert_int_equal(counters(p.server.tls).refused_certificate, 0);
    assert_text(last_failure(p.server.tls), "node/web-1 is revoked");
    assert_text(last_failure(p.client), "certificate revoked");
    pair_stop(&p);
}

static void
a_revoked_node_cannot_resume(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    revoke_one("node/web-1");
    assert_int_equal(fc_tls_reload(p.server.tls, NULL), FC_OK);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 0);
    assert_int_equal(counters(p.server.tls).refused_revoked, 1);
    pair_stop(&p);
}

static void
a_client_does_not_resume_with_a_revoked_coordinator(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    revoke_one("coordinator/c1");
    assert_int_equal(fc_tls_reload(p.client, NULL), FC_OK);
    assert_int_not_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(counters(p.client).refused_revoked, 1);
    assert_text(last_failure(p.client), "coordinator/c1 is revoked");
    pair_stop(&p);
}

static void
a_connected_peer_that_is_revoked_shows(void **state)
{
    (void)state;
    fc_fail fail = {0};
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(fc_tls_check(p.server.tls, &p.server.peer, &fail), FC_OK);
    revoke_one(p.server.peer.serial);
    bool changed = false;
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, NULL), FC_OK);
    assert_true(changed);
    assert_int_equal(fc_tls_check(p.server.tls, &p.server.peer, &fail), FC_ERR_DENIED);
    assert_text(fail.text, "node/web-1 is revoked");
    p.server.peer.serial[0] ^= 1;
    p.server.peer.not_after.ns = 1;
    assert_int_equal(fc_tls_check(p.server.tls, &p.server.peer, &fail), FC_ERR_UNAUTHENTICATED);
    assert_text(fail.text, "expired at 1970-01-01");
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
a_certificate_that_expires_cannot_be_resumed(void **state)
{
    (void)state;
    issue("pki", FC_ROLE_NODE, "web-1", 0, (int64_t)time(NULL) + 2);
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    assert_int_equal(openssl_client(&s, "-cert node-web-1.crt -key node-web-1.key -sess_out session"), 0);
    assert_true(s.identified);
    sleep(3);
    (void)openssl_client(&s, "-cert node-web-1.crt -key node-web-1.key -sess_in session");
    assert_refused(&s);
    assert_int_equal(counters(s.tls).handshakes_resumed, 0);
    assert_int_equal(counters(s.tls).refused_certificate, 1);
    server_stop(&s);
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
        {"-no_tls1_2 -tls1_1 -cipher ALL@SECLEVEL=0", NULL},
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

/* ---- reload ---- */

static void
reload_takes_up_a_new_certificate_and_keeps_connections(void **state)
{
    (void)state;
    char byte = 'x';
    bool changed = true;
    pair p;
    pair_start(&p);
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, NULL), FC_OK);
    assert_false(changed);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    fc_principal before = p.peer;
    nng_stream *kept = p.server.stream;
    p.server.stream = NULL;

    issue("pki", FC_ROLE_COORDINATOR, "c1", 0, 0);
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, NULL), FC_OK);
    assert_true(changed);
    assert_int_equal(fc_tls_reload(p.client, NULL), FC_OK);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_string_not_equal(p.peer.serial, before.serial);
    assert_string_equal(p.peer.serial, fc_tls_own(p.server.tls)->serial);

    assert_int_equal(transfer(stream, true, &byte, 1, NULL), 0);
    assert_int_equal(transfer(kept, false, &byte, 1, NULL), 0);
    fc_principal still;
    assert_true(fc_tls_identify(stream, &still));
    assert_string_equal(still.serial, before.serial);
    nng_stream_free(stream);
    nng_stream_free(kept);
    pair_stop(&p);
}

static void
a_node_with_a_new_certificate_shows_it_at_once(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    issue("pki", FC_ROLE_NODE, "web-1", 0, 0);
    assert_int_equal(fc_tls_reload(p.client, NULL), FC_OK);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_string_equal(p.server.peer.serial, fc_tls_own(p.client)->serial);
    assert_int_equal(counters(p.server.tls).handshakes_full, 2);
    pair_stop(&p);
}

static void
a_reload_that_fails_leaves_the_old_credentials(void **state)
{
    (void)state;
    fc_fail fail = {0};
    pair p;
    pair_start(&p);
    assert_int_equal(run("echo nonsense > coordinator-c1.crt"), 0);
    assert_int_equal(fc_tls_reload(p.server.tls, &fail), FC_ERR_CORRUPT);
    assert_text(fail.text, "coordinator-c1.crt is not a PEM certificate");
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(run("rm pki/crl.pem"), 0);
    bool changed = false;
    assert_int_not_equal(fc_tls_reload_if_changed(p.server.tls, &changed, &fail), FC_OK);
    pair_stop(&p);
}

/* ---- files ---- */

static void
files_that_are_wrong_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *damage;
        fc_err err;
        const char *why;
    } cases[] = {
        {"chmod 644 node-web-1.key", FC_ERR_DENIED, "node-web-1.key has mode 0644"},
        {"chmod 640 node-web-1.key", FC_ERR_DENIED, "node-web-1.key has mode 0640"},
        {"rm node-web-1.key", FC_ERR_NOT_FOUND, "node-web-1.key"},
        {"rm node-web-1.crt", FC_ERR_NOT_FOUND, "node-web-1.crt"},
        {"rm ca.crt", FC_ERR_NOT_FOUND, "ca.crt"},
        {"rm pki/crl.pem", FC_ERR_NOT_FOUND, "crl.pem"},
        {": > ca.crt", FC_ERR_CORRUPT, "ca.crt is not a PEM certificate"},
        {"cp coordinator-c1.key node-web-1.key", FC_ERR_INVALID,
         "node-web-1.key is not the key of the certificate"},
        {"cp ca.crt node-web-1.key; chmod 600 node-web-1.key", FC_ERR_CORRUPT,
         "is not an unencrypted PEM private key"},
        {"cp ca.crt pki/crl.pem", FC_ERR_CORRUPT, "crl.pem is not a PEM revocation list"},
        {"head -c 2000000 /dev/zero > ca.crt", FC_ERR_LIMIT, "ca.crt is larger than"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_fail fail = {0};
        fc_tls *tls = NULL;
        assert_int_equal(run("rm -rf good && mkdir good && cp -a *.* pki good"), 0);
        assert_int_equal(run("%s", cases[i].damage), 0);
        assert_int_equal(new_tls(FC_TLS_CLIENT, "node-web-1", &tls, &fail), cases[i].err);
        assert_text(fail.text, cases[i].why);
        assert_int_equal(run("cp -a good/. ."), 0);
    }
}

static void
a_revocation_list_of_another_ca_is_refused(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    /* Of the same name, so that nothing but the signature tells. */
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    assert_int_equal(run("cp other/crl.pem pki/crl.pem"), 0);
    assert_int_equal(new_tls(FC_TLS_CLIENT, "node-web-1", &tls, &fail), FC_ERR_UNAUTHENTICATED);
    assert_text(fail.text, "crl.pem is not signed by the CA");
}

/* ---- bytes ---- */

static void *
send_all(void *context)
{
    nng_stream *stream = context;
    uint8_t *bytes = fc_alloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    /* Other lengths each time, also after a send that was taken in part. */
    for (size_t done = 0, turn = 0; done < 1 << 20; turn++) {
        size_t sent = 0;
        size_t offered = 1 + turn * 7919 % 30000;
        if (offered > (1 << 20) - done)
            offered = (1 << 20) - done;
        if (transfer(stream, true, bytes + done, offered, &sent) != 0)
            break;
        done += sent;
    }
    free(bytes);
    return NULL;
}

static void
a_mebibyte_arrives_whole_both_ways_at_once(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    nng_stream *ends[2] = {stream, p.server.stream};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, ends[i]), 0);
    size_t done[2] = {0};
    while (done[0] < 1 << 20 || done[1] < 1 << 20)
        for (int i = 0; i < 2; i++) {
            uint8_t part[5000];
            size_t got = 0;
            if (done[i] == 1 << 20)
                continue;
            assert_int_equal(transfer(ends[i], false, part, sizeof part, &got), 0);
            for (size_t k = 0; k < got; k++, done[i]++)
                if (part[k] != (uint8_t)(done[i] * 7 + (done[i] >> 8)))
                    fail_msg("byte %zu is wrong", done[i]);
        }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    nng_stream_free(stream);
    pair_stop(&p);
}

static void
close_tells_the_peer(void **state)
{
    (void)state;
    char byte;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    server_drop(&p.server);
    assert_int_equal(transfer(stream, false, &byte, 1, NULL), NNG_ECONNSHUT);
    nng_stream_free(stream);
    pair_stop(&p);
}

static void *
receive_end(void *context)
{
    server *s = context;
    char byte;
    s->status = transfer(s->stream, false, &byte, 1, NULL);
    return NULL;
}

static void
shutdown_loses_nothing_that_was_sent(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    pair p;
    pair_start(&p);
    uint8_t *bytes = fc_alloc(SIZE);
    for (int round = 0; round < 10; round++) {
        serve_one(&p.server);
        nng_stream *stream = dial(p.client, p.server.port);
        assert_false(fc_tls_shutdown(stream));
        assert_int_equal(client_talk(stream, &p.peer), 0);
        served(&p.server);
        for (size_t done = 0, sent = 0; done < SIZE; done += sent)
            assert_int_equal(transfer(p.server.stream, true, bytes + done, SIZE - done, &sent), 0);
        assert_true(fc_tls_shutdown(p.server.stream));
        assert_int_equal(transfer(p.server.stream, true, bytes, 1, NULL), NNG_ECLOSED);

        assert_int_equal(pthread_create(&p.server.thread, NULL, receive_end, &p.server), 0);
        size_t got = 0;
        size_t total = 0;
        int status;
        while ((status = transfer(stream, false, bytes, SIZE, &got)) == 0)
            total += got;
        assert_int_equal(status, NNG_ECONNSHUT);
        assert_int_equal(total, SIZE);
        nng_stream_close(stream);
        nng_stream_free(stream);
        served(&p.server);
        assert_int_equal(p.server.status, NNG_ECONNSHUT);
    }
    free(bytes);
    pair_stop(&p);
}

static int
raw_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
what_is_not_tls_fails_and_hurts_nobody(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff",
                                        "\x16\x03\x03\x00\x01\x01", "\x80\x2e\x01\x03\x01"};
    pair p;
    pair_start(&p);
    for (size_t i = 0; i < FC_COUNT(lines); i++) {
        serve_one(&p.server);
        int fd = raw_connect(p.server.port);
        uint8_t noise[4096];
        memset(noise, 0xa5, sizeof noise);
        memcpy(noise, lines[i], strlen(lines[i]));
        assert_true(write(fd, noise, sizeof noise) > 0);
        (void)shutdown(fd, SHUT_WR);
        served(&p.server);
        close(fd);
        assert_int_not_equal(p.server.status, 0);
        assert_int_equal(counters(p.server.tls).handshakes_failed, i + 1);
    }
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    pair_stop(&p);
}

static void
one_that_connects_and_is_silent_holds_up_nobody(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    int fd = raw_connect(p.server.port);
    usleep(50000);
    server waiting = {.tls = p.server.tls, .listener = p.server.listener, .port = p.server.port};
    assert_int_equal(client_once(p.client, &waiting, &p.peer), 0);
    server_drop(&waiting);
    close(fd);
    served(&p.server);
    assert_int_not_equal(p.server.status, 0);
    server_drop(&p.server);
    pair_stop(&p);
}

/* ---- threads ---- */

enum { STORM_CLIENTS = 6, STORM_EACH = 10 };

static atomic_int storm_left;
static atomic_int storm_failed;
static int storm_port;

static void *
storm_client(void *context)
{
    fc_tls *tls = context;
    for (int i = 0; i < STORM_EACH; i++) {
        fc_principal peer;
        nng_stream *stream = dial(tls, storm_port);
        char byte = 'x';
        if (transfer(stream, true, &byte, 1, NULL) != 0 || transfer(stream, false, &byte, 1, NULL) != 0 ||
            !fc_tls_identify(stream, &peer) || strcmp(peer.name, "c1") != 0)
            storm_failed++;
        nng_stream_close(stream);
        nng_stream_free(stream);
    }
    storm_left--;
    return NULL;
}

static void
many_handshakes_and_reloads_at_once_agree(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    storm_port = p.server.port;
    storm_left = STORM_CLIENTS;
    storm_failed = 0;
    pthread_t clients[STORM_CLIENTS];
    /* Half of them share a client, so that sessions are kept and used concurrently. */
    fc_tls *other = make_tls(FC_TLS_CLIENT, "node-web-1");
    for (int i = 0; i < STORM_CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, storm_client, i % 2 == 0 ? p.client : other), 0);
    server servers[2] = {p.server, p.server};
    nng_stream *streams[STORM_CLIENTS * STORM_EACH];
    size_t stream_count = 0;
    for (int i = 0; i < STORM_CLIENTS * STORM_EACH / 2; i++) {
        for (int k = 0; k < 2; k++)
            serve_one(&servers[k]);
        if (i % 4 == 0) {
            assert_int_equal(fc_tls_reload(p.server.tls, NULL), FC_OK);
            assert_int_equal(fc_tls_reload(other, NULL), FC_OK);
        }
        /* Kept until the clients are done: closing discards an answer that is not with the kernel yet. */
        for (int k = 0; k < 2; k++) {
            served(&servers[k]);
            streams[stream_count++] = servers[k].stream;
            servers[k].stream = NULL;
        }
    }
    for (int i = 0; i < STORM_CLIENTS; i++)
        assert_int_equal(pthread_join(clients[i], NULL), 0);
    for (size_t i = 0; i < stream_count; i++)
        nng_stream_free(streams[i]);
    assert_int_equal(storm_failed, 0);
    assert_int_equal(counters(p.server.tls).handshakes_full + counters(p.server.tls).handshakes_resumed,
                     STORM_CLIENTS * STORM_EACH);
    assert_true(counters(p.server.tls).handshakes_resumed > 0);
    fc_tls_free(other);
    pair_stop(&p);
}

/* ---- tickets by themselves ---- */

static const uint8_t context_a[32] = {1};
static const uint8_t context_b[32] = {2};

static void
a_ticket_opens_only_unchanged_and_in_its_context(void **state)
{
    (void)state;
    fc_tickets *tickets = NULL;
    uint8_t plain[100];
    uint8_t ticket[200];
    uint8_t opened[200];
    size_t size = 0;
    size_t opened_size = 0;
    memset(plain, 7, sizeof plain);
    assert_int_equal(fc_tickets_new(NULL, &tickets, NULL), FC_OK);
    assert_int_equal(fc_tickets_seal(tickets, context_a, plain, 100, ticket, 135, &size), FC_ERR_LIMIT);
    assert_int_equal(fc_tickets_seal(tickets, context_a, plain, 100, ticket, 136, &size), FC_OK);
    assert_int_equal(size, 136);
    assert_int_equal(fc_tickets_open(tickets, context_a, ticket, size, opened, &opened_size), FC_OK);
    assert_int_equal(opened_size, 100);
    assert_memory_equal(opened, plain, 100);
    assert_int_equal(fc_tickets_open(tickets, context_b, ticket, size, opened, &opened_size), FC_ERR_CORRUPT);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_not_equal(fc_tickets_open(tickets, context_a, ticket, cut, opened, &opened_size), FC_OK);
    for (size_t i = 0; i < size; i++) {
        ticket[i] ^= 1;
        assert_int_not_equal(fc_tickets_open(tickets, context_a, ticket, size, opened, &opened_size), FC_OK);
        ticket[i] ^= 1;
    }
    fc_tickets_free(tickets);
}

/* Seals under a key that was made `age_s` ago and has been in a file since; what does opening say now? */
static fc_err
open_after(int64_t age_s)
{
    fc_tickets *tickets = NULL;
    uint8_t plain[4] = "abc";
    uint8_t ticket[64];
    uint8_t opened[64];
    size_t size = 0;
    assert_int_equal(run("rm -f keys"), 0);
    assert_int_equal(fc_tickets_new(path("keys"), &tickets, NULL), FC_OK);
    assert_int_equal(fc_tickets_seal(tickets, context_a, plain, 4, ticket, sizeof ticket, &size), FC_OK);
    fc_tickets_free(tickets);
    assert_int_equal(
        run("awk 'NR > 1 { $1 -= %lld } { print }' keys > aged && cat aged > keys", (long long)age_s), 0);
    assert_int_equal(fc_tickets_new(path("keys"), &tickets, NULL), FC_OK);
    fc_err err = fc_tickets_open(tickets, context_a, ticket, size, opened, &size);
    fc_tickets_free(tickets);
    return err;
}

static void
keys_rotate_daily_and_open_for_a_week(void **state)
{
    (void)state;
    static const int64_t day_s = 86400;
    assert_int_equal(open_after(0), FC_OK);
    assert_int_equal(run("wc -l < keys"), 0);
    assert_string_equal(output, "2\n");
    assert_int_equal(open_after(day_s), FC_OK);
    assert_int_equal(run("wc -l < keys"), 0);
    assert_string_equal(output, "3\n");
    assert_int_equal(open_after(8 * day_s - 100), FC_OK);
    assert_int_equal(open_after(8 * day_s), FC_ERR_NOT_FOUND);
    assert_int_equal(run("wc -l < keys"), 0);
    assert_string_equal(output, "2\n");
    /* The clock was set back: the key of the future still opens, but a new one seals. */
    assert_int_equal(open_after(-10 * day_s), FC_OK);
    assert_int_equal(run("wc -l < keys"), 0);
    assert_string_equal(output, "3\n");
}

static void
a_ticket_key_file_that_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *make;
        fc_err err;
        const char *why;
    } cases[] = {
        {"cp ca.crt keys; chmod 600 keys", FC_ERR_CORRUPT, "keys is not a file of session ticket keys"},
        {": > keys; chmod 600 keys", FC_ERR_CORRUPT, "keys is not a file of session ticket keys"},
        {"printf 'fleetcap session ticket keys 1\\n1 2 3\\n' > keys; chmod 600 keys", FC_ERR_CORRUPT,
         "not a session"},
        {"printf 'fleetcap session ticket keys 1\\n' > keys; chmod 644 keys", FC_ERR_DENIED,
         "keys has mode 0644"},
        {"rm -f keys; mkdir keys; chmod 700 keys", FC_ERR_IO, "keys"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_fail fail = {0};
        fc_tickets *tickets = NULL;
        assert_int_equal(run("%s", cases[i].make), 0);
        assert_int_equal(fc_tickets_new(path("keys"), &tickets, &fail), cases[i].err);
        assert_text(fail.text, cases[i].why);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handshake_tells_each_side_who_the_other_is),
        TEST(nobody_is_identified_before_the_handshake),
        TEST(a_client_that_returns_resumes_and_is_still_known),
        TEST(tickets_outlive_a_restart_of_the_server),
        TEST(without_its_ticket_keys_a_server_does_a_full_handshake),
        TEST(a_ticket_is_worth_nothing_under_another_ca),
        TEST(a_revoked_node_is_refused_and_hears_why),
        TEST(a_revoked_node_cannot_resume),
        TEST(a_client_does_not_resume_with_a_revoked_coordinator),
        TEST(a_connected_peer_that_is_revoked_shows),
        TEST(an_expired_node_is_refused),
        TEST(an_expired_coordinator_is_refused),
        TEST(a_certificate_that_expires_cannot_be_resumed),
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
        TEST(reload_takes_up_a_new_certificate_and_keeps_connections),
        TEST(a_node_with_a_new_certificate_shows_it_at_once),
        TEST(a_reload_that_fails_leaves_the_old_credentials),
        TEST(files_that_are_wrong_are_named),
        TEST(a_revocation_list_of_another_ca_is_refused),
        TEST(a_mebibyte_arrives_whole_both_ways_at_once),
        TEST(close_tells_the_peer),
        TEST(shutdown_loses_nothing_that_was_sent),
        TEST(what_is_not_tls_fails_and_hurts_nobody),
        TEST(one_that_connects_and_is_silent_holds_up_nobody),
        TEST(many_handshakes_and_reloads_at_once_agree),
        TEST(a_ticket_opens_only_unchanged_and_in_its_context),
        TEST(keys_rotate_daily_and_open_for_a_week),
        TEST(a_ticket_key_file_that_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
