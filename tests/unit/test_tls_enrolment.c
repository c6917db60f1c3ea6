/* Real TLS over loopback with a client that has no certificate yet: what it takes for its coordinator, and
 * what the coordinator takes it for. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/issuer.h"
#include "common/tls/pki.h"
#include "tls_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY_S = 86400 };
static const char no_certificate[] = "-servername " FC_TLS_ENROL_NAME;

static fc_tls *
make_server(const char *who, bool enrolment, const char *own_crl)
{
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    char *certificate = fc_sprintf("%s/%s.crt", dir, who);
    char *key = fc_sprintf("%s/%s.key", dir, who);
    fc_tls_files files = {.ca = path("ca.crt"),
                          .certificate = certificate,
                          .key = key,
                          .crl = path("pki/crl.pem"),
                          .own_crl = own_crl,
                          .enrolment = enrolment};
    if (fc_tls_new(FC_TLS_SERVER, &files, &tls, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    free(certificate);
    free(key);
    return tls;
}

/* Of a CA certificate, as openssl digests it. */
static void
pin_of(const char *ca, uint8_t ret_pin[32])
{
    assert_int_equal(run("openssl x509 -in %s -outform DER | sha256sum | cut -c1-64", ca), 0);
    output[64] = '\0';
    assert_int_equal(fc_hex_parse(output, ret_pin, 32), FC_OK);
}

static fc_tls *
make_enrolee(const char *ca)
{
    uint8_t pin[32];
    fc_tls *tls = NULL;
    pin_of(ca, pin);
    assert_int_equal(fc_tls_new_enrolment(pin, &tls, NULL), FC_OK);
    return tls;
}

/* A coordinator c1 that lets machines enrol, and one of these. */
static void
enrolment_start(pair *p)
{
    *p = (pair){.server.tls = make_server("coordinator-c1", true, NULL)};
    p->client = make_enrolee("ca.crt");
    server_start(&p->server);
}

/* ---- both are who they are ---- */

static void
who_knows_the_pin_meets_the_coordinator_and_is_anonymous(void **state)
{
    (void)state;
    pair p;
    enrolment_start(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
        assert_true(p.server.identified);
        assert_int_equal(p.server.peer.role, FC_ROLE_ANONYMOUS);
        assert_string_equal(p.server.peer.name, "anonymous");
        assert_string_equal(p.server.peer.fleet, "prod");
        assert_string_equal(p.server.peer.serial, "");
        assert_int_equal(fc_tls_check(p.server.tls, &p.server.peer, NULL), FC_OK);
        assert_int_equal(p.peer.role, FC_ROLE_COORDINATOR);
        assert_string_equal(p.peer.name, "c1");
        assert_string_equal(p.peer.fleet, "prod");
    }
    assert_int_equal(counters(p.server.tls).handshakes_anonymous, 3);
    assert_int_equal(counters(p.server.tls).handshakes_full, 0);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 0);
    assert_int_equal(counters(p.client).handshakes_full, 3);
    assert_int_equal(fc_tls_own(p.client)->role, FC_ROLE_NONE);
    bool changed = true;
    assert_int_equal(fc_tls_reload(p.client, NULL), FC_OK);
    assert_int_equal(fc_tls_reload_if_changed(p.client, &changed, NULL), FC_OK);
    assert_false(changed);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    pair_stop(&p);
}

static void
openssl_is_shown_the_ca_and_asked_for_nothing(void **state)
{
    (void)state;
    pair p;
    enrolment_start(&p);
    assert_int_equal(openssl_client(&p.server, "-showcerts -servername " FC_TLS_ENROL_NAME), 0);
    assert_text(output, "No client certificate CA names sent");
    assert_text(output, "Verify return code: 0 (ok)");
    char *second = strstr(strstr(output, "-----BEGIN CERTIFICATE") + 1, "-----BEGIN CERTIFICATE");
    assert_non_null(second);
    assert_null(strstr(second + 1, "-----BEGIN CERTIFICATE"));
    assert_true(p.server.identified);
    assert_int_equal(p.server.peer.role, FC_ROLE_ANONYMOUS);
    /* Others see what they always saw. */
    assert_int_equal(
        openssl_client(&p.server,
                       "-showcerts -servername coordinator.prod -cert node-web-1.crt -key node-web-1.key"),
        0);
    assert_null(strstr(strstr(output, "-----BEGIN CERTIFICATE") + 1, "-----BEGIN CERTIFICATE"));
    assert_text(output, "Acceptable client certificate CA names");
    assert_int_equal(p.server.peer.role, FC_ROLE_NODE);
    pair_stop(&p);
}

static void
the_pin_is_the_digest_of_the_ca_that_issued_us(void **state)
{
    (void)state;
    uint8_t expected[32], pin[32];
    pin_of("ca.crt", expected);
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    assert_int_equal(run("cat other/ca.crt pki/ca.crt > ca.crt"), 0);
    fc_tls *tls = make_server("coordinator-c1", true, NULL);
    assert_int_equal(fc_tls_pin(tls, pin, NULL), FC_OK);
    assert_memory_equal(pin, expected, sizeof pin);
    fc_tls_free(tls);
    /* A list is needed that its CA has signed, so none is given. */
    fc_fail why = {0};
    fc_tls_files files = {.ca = path("other/ca.crt"),
                          .certificate = path("coordinator-c1.crt"),
                          .key = path("coordinator-c1.key")};
    assert_int_equal(fc_tls_new(FC_TLS_SERVER, &files, &tls, NULL), FC_OK);
    assert_int_equal(fc_tls_pin(tls, pin, &why), FC_ERR_STATE);
    assert_text(why.text, "has signed our certificate itself");
    fc_tls_free(tls);
}

/* ---- impostors ---- */

static void
assert_not_our_coordinator(pair *p, const char *sentence)
{
    assert_int_equal(client_once(p->client, &p->server, &p->peer), NNG_EPEERAUTH);
    assert_false(p->server.identified);
    assert_text(last_failure(p->client), sentence);
    assert_int_equal(counters(p->client).refused_certificate, 1);
    assert_int_equal(counters(p->client).handshakes_full, 0);
}

static void
an_impostor_with_another_ca_is_refused(void **state)
{
    (void)state;
    pair p;
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    enrolment_start(&p);
    fc_tls_free(p.client);
    p.client = make_enrolee("other/ca.crt");
    assert_not_our_coordinator(&p, "the coordinator's CA is not the one in the token");
    pair_stop(&p);
}

/* An openssl server that shows the certificate of `who`, the CA of `ca` beside it, and asks for none. */
static void
assert_unmasked(const char *who, const char *ca, const char *sentence)
{
    fc_tls *client = make_enrolee("ca.crt");
    char *options = fc_sprintf("-rev -cert %s.crt -key %s.key -cert_chain %s", who, who, ca);
    nng_stream *stream = dial(client, openssl_serve(options));
    free(options);
    char byte = 'x';
    int status = transfer(stream, true, &byte, 1, NULL);
    nng_stream_free(stream);
    openssl_serve_end();
    if (sentence == NULL) {
        assert_int_equal(status, 0);
    } else {
        assert_int_equal(status, NNG_EPEERAUTH);
        assert_text(last_failure(client), sentence);
        assert_int_equal(counters(client).refused_certificate, 1);
    }
    fc_tls_free(client);
}

static void
an_impostor_with_any_other_certificate_is_refused(void **state)
{
    (void)state;
    int64_t now_unix_s = time(NULL);
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    issue("other", FC_ROLE_COORDINATOR, "c9", 0, 0);
    issue("pki", FC_ROLE_OPERATOR, "ann", 0, 0);
    issue("pki", FC_ROLE_COORDINATOR, "late", now_unix_s - 2 * DAY_S, now_unix_s - DAY_S);
    issue("pki", FC_ROLE_COORDINATOR, "early", now_unix_s + DAY_S, now_unix_s + 2 * DAY_S);
    /* The right one, to know that the others are refused for what they are. */
    assert_unmasked("coordinator-c1", "ca.crt", NULL);
    assert_unmasked("coordinator-c9", "other/ca.crt", "the coordinator's CA is not the one in the token");
    /* It has the CA's certificate, which is no secret. */
    assert_unmasked("coordinator-c9", "ca.crt", "of coordinator/c9 is not from the CA in the token");
    assert_unmasked("node-web-1", "ca.crt", "node/web-1 may not be the server of a connection");
    assert_unmasked("operator-ann", "ca.crt", "operator/ann may not be the server of a connection");
    assert_unmasked("coordinator-late", "ca.crt", "the certificate of coordinator/late expired at");
    assert_unmasked("coordinator-early", "ca.crt", "coordinator/early is not valid yet");
    /* A certificate that is right, but of a CA that is not shown. */
    assert_unmasked("coordinator-c1", "other/ca.crt", "the coordinator's CA is not the one in the token");
}

/* A node's certificate with the coordinator's names in it, signed with the node's own key as if it were a
 * CA's. */
static void
a_leaf_of_the_right_ca_issues_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        run("printf 'subjectAltName=URI:spiffe://prod/coordinator/c9,DNS:coordinator.prod\n"
            "extendedKeyUsage=serverAuth\n' > ext.cnf && "
            "openssl ecparam -name prime256v1 -genkey -noout -out forged.key && chmod 600 forged.key && "
            "openssl req -new -key forged.key -subj /CN=c9 | openssl x509 -req -CA node-web-1.crt "
            "-CAkey node-web-1.key -set_serial 77 -days 1 -extfile ext.cnf -out forged.crt && "
            "cat node-web-1.crt ca.crt > forged.chain"),
        0);
    assert_unmasked("forged", "forged.chain", "of coordinator/c9 is not from the CA in the token");
}

static void
while_a_ca_takes_over_only_the_pin_of_the_issuing_one_will_do(void **state)
{
    (void)state;
    pair p;
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    assert_int_equal(run("cat pki/ca.crt other/ca.crt > ca.crt"), 0);
    enrolment_start(&p);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    fc_tls_free(p.client);
    p.client = make_enrolee("other/ca.crt");
    assert_not_our_coordinator(&p, "of coordinator/c1 is not from the CA in the token");
    pair_stop(&p);
}

static void
more_cas_than_a_handshake_carries_are_refused_at_the_start(void **state)
{
    (void)state;
    assert_int_equal(run("for i in $(seq 40); do cat pki/ca.crt; done > many.crt"), 0);
    fc_tls *tls = NULL;
    fc_fail why = {0};
    fc_tls_files files = {.ca = path("many.crt"),
                          .certificate = path("coordinator-c1.crt"),
                          .key = path("coordinator-c1.key"),
                          .enrolment = true};
    assert_int_equal(fc_tls_new(FC_TLS_SERVER, &files, &tls, &why), FC_ERR_LIMIT);
    assert_text(why.text, "too much to show to machines that enrol");
    files.enrolment = false;
    assert_int_equal(fc_tls_new(FC_TLS_SERVER, &files, &tls, NULL), FC_OK);
    fc_tls_free(tls);
}

/* ---- what the name opens, and what it does not ---- */

static void
without_enrolment_the_name_means_nothing(void **state)
{
    (void)state;
    pair p = {.server.tls = make_server("coordinator-c1", false, NULL)};
    p.client = make_enrolee("ca.crt");
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_false(p.server.identified);
    assert_text(last_failure(p.client), "enrolment is switched off there");
    assert_int_not_equal(openssl_client(&p.server, no_certificate), 0);
    assert_false(p.server.identified);
    assert_int_equal(counters(p.server.tls).refused_certificate, 2);
    char *options = fc_sprintf("%s -cert node-web-1.crt -key node-web-1.key", no_certificate);
    assert_int_equal(openssl_client(&p.server, options), 0);
    assert_true(p.server.identified);
    assert_int_equal(p.server.peer.role, FC_ROLE_NODE);
    assert_string_equal(p.server.peer.name, "web-1");
    assert_int_equal(counters(p.server.tls).handshakes_anonymous, 0);
    free(options);
    pair_stop(&p);
}

static void
whoever_gives_the_name_is_anonymous_whatever_it_has(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-servername " FC_TLS_ENROL_NAME " -cert node-web-1.crt -key node-web-1.key",
        "-servername ENROL.Fleetcap.INVALID -cert node-web-1.crt -key node-web-1.key",
        "-servername " FC_TLS_ENROL_NAME " -cert operator-ann.crt -key operator-ann.key",
    };
    pair p;
    issue("pki", FC_ROLE_OPERATOR, "ann", 0, 0);
    enrolment_start(&p);
    for (size_t i = 0; i < FC_COUNT(options); i++) {
        assert_int_equal(openssl_client(&p.server, options[i]), 0);
        assert_true(p.server.identified);
        assert_int_equal(p.server.peer.role, FC_ROLE_ANONYMOUS);
        assert_string_equal(p.server.peer.serial, "");
    }
    pair_stop(&p);
}

static void
every_other_client_is_asked_for_a_certificate_as_ever(void **state)
{
    (void)state;
    int64_t now_unix_s = time(NULL);
    static const char *const refused[] = {
        "",
        "-noservername",
        "-servername coordinator.prod",
        "-servername enrol.fleetcap.invalid.",
        "-servername enrol.fleetcap.invali",
        "-servername x.enrol.fleetcap.invalid",
        "-servername coordinator.prod -cert node-stranger.crt -key node-stranger.key",
        "-servername coordinator.prod -cert node-late.crt -key node-late.key",
        "-servername coordinator.prod -cert node-gone.crt -key node-gone.key",
        "-servername coordinator.prod -cert coordinator-c1.crt -key coordinator-c1.key",
    };
    pair p;
    assert_int_equal(fc_pki_init(path("other"), "prod", 0, NULL), FC_OK);
    issue("other", FC_ROLE_NODE, "stranger", 0, 0);
    issue("pki", FC_ROLE_NODE, "late", now_unix_s - 2 * DAY_S, now_unix_s - DAY_S);
    issue("pki", FC_ROLE_NODE, "gone", 0, 0);
    revoke_one("node/gone");
    enrolment_start(&p);
    for (size_t i = 0; i < FC_COUNT(refused); i++) {
        if (openssl_client(&p.server, refused[i]) == 0 || p.server.identified)
            fail_msg("let in with: %s", refused[i]);
    }
    fc_tls_counters all = counters(p.server.tls);
    assert_int_equal(all.refused_certificate + all.refused_revoked, FC_COUNT(refused));
    assert_int_equal(all.refused_revoked, 1);
    assert_int_equal(all.handshakes_anonymous, 0);
    pair_stop(&p);
}

/* ---- sessions ---- */

static void
an_anonymous_connection_leaves_no_session_behind(void **state)
{
    (void)state;
    pair p;
    enrolment_start(&p);
    assert_int_equal(openssl_client(&p.server, "-sess_out anonymous.pem -servername " FC_TLS_ENROL_NAME), 0);
    assert_true(p.server.identified);
    assert_null(strstr(output, "TLS session ticket:"));
    assert_int_not_equal(access(path("anonymous.pem"), F_OK), 0);
    assert_int_equal(
        openssl_client(&p.server, "-no_ticket -sess_out anonymous.pem -servername " FC_TLS_ENROL_NAME), 0);
    assert_int_equal(access(path("anonymous.pem"), F_OK), 0);
    /* What openssl kept (a session's number) opens nothing, under either name. */
    assert_int_not_equal(openssl_client(&p.server, "-sess_in anonymous.pem -servername coordinator.prod"), 0);
    assert_false(p.server.identified);
    assert_int_equal(openssl_client(&p.server, "-sess_in anonymous.pem -servername " FC_TLS_ENROL_NAME), 0);
    assert_text(output, "New, TLSv1.2");
    assert_int_equal(p.server.peer.role, FC_ROLE_ANONYMOUS);
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 0);
    pair_stop(&p);
}

static void
a_session_of_somebody_is_not_resumed_to_enrol(void **state)
{
    (void)state;
    pair p;
    enrolment_start(&p);
    assert_int_equal(openssl_client(&p.server, "-sess_out web-1.pem -servername coordinator.prod "
                                               "-cert node-web-1.crt -key node-web-1.key"),
                     0);
    assert_text(output, "TLS session ticket:");
    assert_int_equal(p.server.peer.role, FC_ROLE_NODE);
    assert_int_equal(openssl_client(&p.server, "-sess_in web-1.pem -servername coordinator.prod"), 0);
    assert_text(output, "Reused, TLSv1.2");
    assert_string_equal(p.server.peer.name, "web-1");
    assert_int_not_equal(openssl_client(&p.server, "-sess_in web-1.pem -servername " FC_TLS_ENROL_NAME), 0);
    assert_false(p.server.identified);
    assert_text(last_failure(p.server.tls), "resumes a session");
    assert_int_equal(counters(p.server.tls).handshakes_anonymous, 0);
    /* It is still good for what it was made for. */
    assert_int_equal(openssl_client(&p.server, "-sess_in web-1.pem -servername coordinator.prod"), 0);
    assert_string_equal(p.server.peer.name, "web-1");
    pair_stop(&p);
}

/* ---- credentials of an enrolled machine ---- */

static void
a_bound_node_is_bound_whenever_it_comes(void **state)
{
    (void)state;
    fc_pki_request request = {.role = FC_ROLE_NODE, .name = "web-7", .scale_set = "web", .region = "eu"};
    assert_int_equal(fc_pki_issue(path("pki"), &request, dir, NULL), FC_OK);
    pair p = {.server.tls = make_server("coordinator-c1", true, NULL)};
    p.client = make_tls(FC_TLS_CLIENT, "node-web-7");
    server_start(&p.server);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
        assert_string_equal(p.server.peer.name, "web-7");
        assert_string_equal(p.server.peer.scale_set, "web");
        assert_string_equal(p.server.peer.region, "eu");
    }
    assert_int_equal(counters(p.server.tls).handshakes_resumed, 2);
    pair_stop(&p);
}

static void
a_certificate_and_its_key_may_share_a_file(void **state)
{
    (void)state;
    fc_tls *tls = NULL;
    fc_fail why = {0};
    bool changed = false;
    fc_tls_files files = {.ca = path("ca.crt"), .certificate = path("node.pem"), .key = path("node.pem")};
    assert_int_equal(run("umask 077; cat node-web-1.crt node-web-1.key > node.pem"), 0);
    assert_int_equal(fc_tls_new(FC_TLS_CLIENT, &files, &tls, NULL), FC_OK);
    assert_string_equal(fc_tls_own(tls)->name, "web-1");
    issue("pki", FC_ROLE_NODE, "web-1", 0, 0);
    assert_int_equal(run("umask 077; cat node-web-1.key node-web-1.crt > new.pem && mv new.pem node.pem"), 0);
    assert_int_equal(fc_tls_reload_if_changed(tls, &changed, NULL), FC_OK);
    assert_true(changed);
    fc_tls_free(tls);
    assert_int_equal(run("chmod 0644 node.pem"), 0);
    assert_int_equal(fc_tls_new(FC_TLS_CLIENT, &files, &tls, &why), FC_ERR_DENIED);
    assert_text(why.text, "make it 0600");
}

/* ---- our own revocations ---- */

static void
write_own_crl(const char *serial, uint64_t number)
{
    fc_issuer *issuer = NULL;
    fc_buf pem = {0};
    fc_crl_entry entry = {.revoked_unix_s = time(NULL)};
    fc_crl_spec spec = {.this_update_unix_s = time(NULL),
                        .next_update_unix_s = time(NULL) + DAY_S,
                        .number = number,
                        .entries = &entry,
                        .count = serial != NULL ? 1 : 0};
    if (serial != NULL) {
        entry.serial_size = strlen(serial) / 2;
        assert_int_equal(fc_hex_parse(serial, entry.serial, entry.serial_size), FC_OK);
    }
    assert_int_equal(fc_issuer_open(path("ca.crt"), path("pki/ca.key"), &issuer, NULL), FC_OK);
    assert_int_equal(fc_issuer_crl(issuer, &spec, &pem, NULL), FC_OK);
    assert_int_equal(
        fc_file_write_atomic(AT_FDCWD, path("own.pem"), fc_buf_bytes(&pem), fc_buf_size(&pem), 0644, NULL),
        FC_OK);
    fc_buf_fini(&pem);
    fc_issuer_close(issuer);
}

static void
what_we_revoke_ourselves_counts_beside_the_list_we_are_given(void **state)
{
    (void)state;
    bool changed = false;
    issue("pki", FC_ROLE_NODE, "gone", 0, 0);
    revoke_one("node/gone");
    write_own_crl(NULL, 1);
    fc_tls *gone = make_tls(FC_TLS_CLIENT, "node-gone");
    pair p = {.server.tls = make_server("coordinator-c1", true, path("own.pem"))};
    p.client = make_tls(FC_TLS_CLIENT, "node-web-1");
    server_start(&p.server);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, NULL), FC_OK);
    assert_false(changed);

    write_own_crl(fc_tls_own(p.client)->serial, 2);
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, NULL), FC_OK);
    assert_true(changed);
    assert_int_equal(fc_tls_check(p.server.tls, &p.server.peer, NULL), FC_ERR_DENIED);
    assert_int_equal(client_once(p.client, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_int_equal(client_once(gone, &p.server, &p.peer), NNG_EPEERAUTH);
    assert_int_equal(counters(p.server.tls).refused_revoked, 2);

    fc_fail why = {0};
    assert_int_equal(run("rm own.pem"), 0);
    assert_int_equal(fc_tls_reload_if_changed(p.server.tls, &changed, &why), FC_ERR_NOT_FOUND);
    assert_text(why.text, "own.pem");
    assert_int_equal(fc_tls_check(p.server.tls, fc_tls_own(p.client), NULL), FC_ERR_DENIED);
    fc_tls_free(gone);
    pair_stop(&p);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(who_knows_the_pin_meets_the_coordinator_and_is_anonymous),
        EACH(openssl_is_shown_the_ca_and_asked_for_nothing),
        EACH(the_pin_is_the_digest_of_the_ca_that_issued_us),
        EACH(an_impostor_with_another_ca_is_refused),
        EACH(an_impostor_with_any_other_certificate_is_refused),
        EACH(a_leaf_of_the_right_ca_issues_nothing),
        EACH(while_a_ca_takes_over_only_the_pin_of_the_issuing_one_will_do),
        EACH(more_cas_than_a_handshake_carries_are_refused_at_the_start),
        EACH(without_enrolment_the_name_means_nothing),
        EACH(whoever_gives_the_name_is_anonymous_whatever_it_has),
        EACH(every_other_client_is_asked_for_a_certificate_as_ever),
        EACH(an_anonymous_connection_leaves_no_session_behind),
        EACH(a_session_of_somebody_is_not_resumed_to_enrol),
        EACH(a_bound_node_is_bound_whenever_it_comes),
        EACH(a_certificate_and_its_key_may_share_a_file),
        EACH(what_we_revoke_ourselves_counts_beside_the_list_we_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
