/* What may change while a fleet runs: the revocation list, certificates, and files that are wrong. */
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "tls_rig.h"

#include <nng/nng.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_revoked_node_is_refused_and_hears_why),
        TEST(a_connected_peer_that_is_revoked_shows),
        TEST(reload_takes_up_a_new_certificate_and_keeps_connections),
        TEST(a_node_with_a_new_certificate_shows_it_at_once),
        TEST(a_reload_that_fails_leaves_the_old_credentials),
        TEST(files_that_are_wrong_are_named),
        TEST(a_revocation_list_of_another_ca_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
