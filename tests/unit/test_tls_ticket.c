/* Sessions that are resumed: whom a ticket lets in, and the keys that tickets are sealed with. */
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "common/tls/tickets.h"
#include "common/tls/tls.h"
#include "tls_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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

/* Is welcome once while it lasts, which is long enough for a slow machine too; the session is kept. */
static int64_t
welcome_once(server *s)
{
    for (int64_t life_s = 2;; life_s *= 2) {
        assert_true(life_s <= 128);
        int64_t end_s = (int64_t)time(NULL) + life_s;
        issue("pki", FC_ROLE_NODE, "web-1", 0, end_s);
        if (openssl_client(s, "-cert node-web-1.crt -key node-web-1.key -sess_out session") == 0)
            return end_s;
    }
}

static void
a_certificate_that_expires_cannot_be_resumed(void **state)
{
    (void)state;
    server s = {.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    server_start(&s);
    int64_t end_s = welcome_once(&s);
    assert_true(s.identified);
    uint64_t refused = counters(s.tls).refused_certificate;
    while (time(NULL) <= end_s)
        sleep(1);
    (void)openssl_client(&s, "-cert node-web-1.crt -key node-web-1.key -sess_in session");
    assert_refused(&s);
    assert_int_equal(counters(s.tls).handshakes_resumed, 0);
    assert_int_equal(counters(s.tls).refused_certificate, refused + 1);
    server_stop(&s);
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
        TEST(a_client_that_returns_resumes_and_is_still_known),
        TEST(tickets_outlive_a_restart_of_the_server),
        TEST(without_its_ticket_keys_a_server_does_a_full_handshake),
        TEST(a_ticket_is_worth_nothing_under_another_ca),
        TEST(a_revoked_node_cannot_resume),
        TEST(a_client_does_not_resume_with_a_revoked_coordinator),
        TEST(a_certificate_that_expires_cannot_be_resumed),
        TEST(a_ticket_opens_only_unchanged_and_in_its_context),
        TEST(keys_rotate_daily_and_open_for_a_week),
        TEST(a_ticket_key_file_that_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
