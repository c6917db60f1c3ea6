/* Who may join the fleet: every attack on enrolment that we know of, on a clock that we move. */
#include "test_coordinator_enrolment_fixture.h"

/* ---- enrolling ---- */

static void
a_machine_with_a_token_gets_a_certificate_that_says_what_the_token_says(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    assert_string_equal(enrolled.scale_set, "web");
    assert_string_equal(enrolled.region, "eu");
    assert_int_equal(co_enrolment_write_crl(f.co, NULL), FC_OK);
    if (judge(&enrolled.certificate_pem) != 0)
        fail_msg("%s", output);
    assert_int_equal(
        run("openssl x509 -in leaf.pem -noout -subject -dates -ext subjectAltName,extendedKeyUsage"), 0);
    assert_non_null(strstr(output, "CN = web-1"));
    assert_non_null(strstr(output, "OU = web"));
    assert_non_null(strstr(output, "L = eu"));
    assert_non_null(strstr(output, "URI:spiffe://prod/node/web-1"));
    assert_non_null(strstr(output, "TLS Web Client Authentication"));
    assert_null(strstr(output, "Server"));
    assert_int_equal(audited("token-create", "ok"), 1);
    assert_int_equal(audited("enrol-issued", "ok"), 1);
    fixture_now_ns += (int64_t)(LIFE_H + 1) * HOUR_MS * FC_NS_PER_MS;
    assert_int_not_equal(judge(&enrolled.certificate_pem), 0);
    assert_non_null(strstr(output, "certificate has expired"));
    co_enrolled_fini(&enrolled);
    scrap(&m);
}

static void
the_same_request_again_is_the_same_enrolment(void **state)
{
    (void)state;
    fc_token token = plain_token(2);
    machine m = machine_named("web-1"), other = machine_named("web-1"), renamed = machine_named("web-2");
    co_enrolled first = enrol(&token, "web-1", &m);
    for (int i = 0; i < 5; i++) {
        co_enrolled again = enrol(&token, "web-1", &m);
        assert_int_equal(fc_buf_size(&again.certificate_pem), fc_buf_size(&first.certificate_pem));
        assert_memory_equal(fc_buf_bytes(&again.certificate_pem), fc_buf_bytes(&first.certificate_pem),
                            fc_buf_size(&first.certificate_pem));
        co_enrolled_fini(&again);
    }
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(f.co->counters.enrolments_repeated, 5);
    assert_non_null(strstr(refused(&token, "web-1", &other, FC_ERR_EXISTS), "remove it first"));
    assert_int_equal(uses_of(&token), 1);
    co_enrolled second = enrol(&token, "web-2", &renamed);
    assert_int_equal(uses_of(&token), 2);
    co_enrolled_fini(&first), co_enrolled_fini(&second);
    scrap(&m), scrap(&other), scrap(&renamed);
}

static void
a_token_lets_in_as_many_as_it_says(void **state)
{
    (void)state;
    fc_token token = plain_token(2);
    for (int i = 0; i < 4; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i);
        machine m = machine_named(id);
        co_enrolled enrolled;
        fc_fail fail = {0};
        fc_err err = ask(&token, id, &m, &enrolled, &fail);
        assert_int_equal(err, i < 2 ? FC_OK : FC_ERR_DENIED);
        if (err == FC_OK)
            co_enrolled_fini(&enrolled);
        else
            assert_non_null(strstr(fail.text, "used up: 2 of 2"));
        scrap(&m);
    }
    assert_int_equal(uses_of(&token), 2);
    assert_int_equal(f.co->counters.enrol_refused_used, 2);
    assert_int_equal(audited("enrol", "PERMISSION_DENIED"), 2);
}

static void
an_expired_token_lets_nobody_in_but_those_who_were_in_may_repeat(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), late = machine_named("web-2");
    char text[FC_TIME_TEXT_SIZE];
    char *expired = fc_sprintf("expired at %s;",
                               fc_wall_text((fc_wall){co_wall(f.co).ns + HOUR_MS * FC_NS_PER_MS}, text));
    co_enrolled first = enrol(&token, "web-1", &m);
    fixture_run_ms(&f, HOUR_MS);
    assert_non_null(strstr(refused(&token, "web-2", &late, FC_ERR_DENIED), expired));
    free(expired);
    assert_int_equal(f.co->counters.enrol_refused_expired, 1);
    co_enrolled again = enrol(&token, "web-1", &m);
    assert_memory_equal(fc_buf_bytes(&again.certificate_pem), fc_buf_bytes(&first.certificate_pem),
                        fc_buf_size(&first.certificate_pem));
    fixture_run_ms(&f, (int64_t)LIFE_H * HOUR_MS);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "expired"));
    co_enrolled_fini(&first), co_enrolled_fini(&again);
    scrap(&m), scrap(&late);
}

static void
a_token_is_for_its_scale_set_and_region_only(void **state)
{
    (void)state;
    static const struct {
        const char *scale_set, *region;
        fc_err want;
    } said[] = {
        {"db", "", FC_ERR_DENIED},    {"", "us", FC_ERR_DENIED},    {"db", "us", FC_ERR_DENIED},
        {"web", "us", FC_ERR_DENIED}, {"Web", "eu", FC_ERR_DENIED}, {"web/../db", "eu", FC_ERR_INVALID},
        {"web", "eu", FC_OK},
    };
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    for (size_t i = 0; i < FC_COUNT(said); i++) {
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        request.scale_set = said[i].scale_set;
        request.region = said[i].region;
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, NULL), said[i].want);
        if (said[i].want == FC_OK)
            co_enrolled_fini(&enrolled);
    }
    assert_int_equal(f.co->counters.enrol_refused_place, 5);
    assert_int_equal(f.co->counters.enrol_refused_form, 1);
    scrap(&m);
}

static void
who_guesses_a_token_learns_nothing(void **state)
{
    (void)state;
    fc_token token = plain_token(10), unknown = token, wrong = token;
    machine m = machine_named("web-1");
    char sentence[256];
    unknown.id[3] = unknown.id[3] == '0' ? '1' : '0';
    wrong.secret[31] ^= 1;
    (void)snprintf(sentence, sizeof sentence, "%s", refused(&unknown, "web-1", &m, FC_ERR_DENIED));
    assert_string_equal(refused(&wrong, "web-1", &m, FC_ERR_DENIED), sentence);
    for (size_t size = 0; size <= 64; size++) {
        uint8_t bytes[64] = {0};
        memcpy(bytes, token.secret, sizeof token.secret);
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        fc_fail fail = {0};
        request.secret = bytes;
        request.secret_size = size;
        if (size == sizeof token.secret)
            continue;
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, &fail), FC_ERR_DENIED);
        assert_string_equal(fail.text, sentence);
    }
    static const char *const ids[] = {"", "0", "0123456789abcdef0", "' OR 1=1 --     ", "%s%s%s%s%s%s%s%s"};
    for (size_t i = 0; i < FC_COUNT(ids); i++) {
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        fc_fail fail = {0};
        request.token_id = ids[i];
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, &fail), FC_ERR_DENIED);
        assert_string_equal(fail.text, sentence);
    }
    assert_int_equal(f.co->counters.enrol_refused_token, 2 + 64 + FC_COUNT(ids));
    assert_int_equal(uses_of(&token), 0);
    scrap(&m);
}

static void
a_revoked_token_is_over(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    co_token_row row;
    fc_fail fail = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(co_token_revoke(f.co, "operator/bob", token.id, &row, &fail), FC_OK);
        assert_true(row.revoked);
    }
    assert_int_equal(audited("token-revoke", "ok"), 1);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "revoked"));
    token.secret[0] ^= 1; /* who does not know the secret is not told that there was such a token */
    assert_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "revoked"));
    assert_int_equal(co_token_revoke(f.co, "operator/bob", "0123456789abcdef", &row, &fail),
                     FC_ERR_NOT_FOUND);
    assert_int_equal(co_token_revoke(f.co, "operator/bob", "fct1.secret", &row, &fail), FC_ERR_NOT_FOUND);
    assert_null(strstr(fail.text, "secret"));
    scrap(&m);
}

#define NEW_KEY "openssl req -new -nodes -keyout k -newkey "
#define P256    "ec -pkeyopt ec_paramgen_curve:P-256 "

static void
a_signing_request_that_wants_more_than_its_name_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *command, *reason;
    } requests[] = {
        {"another name", NEW_KEY P256 "-subj /CN=web-2", "subject"},
        {"a unit of its own", NEW_KEY P256 "-subj /CN=web-1/OU=db", "subject"},
        {"an alternative name",
         NEW_KEY P256 "-subj /CN=web-1 -addext subjectAltName=URI:spiffe://prod/operator/root", "extensions"},
        {"a CA", NEW_KEY P256 "-subj /CN=web-1 -addext basicConstraints=CA:TRUE", "extensions"},
        {"P-384", NEW_KEY "ec -pkeyopt ec_paramgen_curve:P-384 -subj /CN=web-1", "P-256"},
        {"RSA", NEW_KEY "rsa:2048 -subj /CN=web-1", "P-256"},
        {"nothing", "echo", "not a signing request"},
    };
    fc_token token = plain_token(10);
    for (size_t i = 0; i < FC_COUNT(requests); i++) {
        char *command = fc_sprintf("{ %s; } 2>/dev/null", requests[i].command);
        machine m = {.csr = output};
        assert_int_equal(run(command), 0);
        const char *why = refused(&token, "web-1", &m, FC_ERR_INVALID);
        if (strstr(why, requests[i].reason) == NULL)
            fail_msg("%s: %s", requests[i].what, why);
        free(command);
    }
    assert_int_equal(f.co->counters.enrol_refused_csr, FC_COUNT(requests));
    assert_int_equal(uses_of(&token), 0);
    assert_int_equal(f.co->enrolment.counts.enrolments, 0);
}

static void
look_for_controls(const co_audit_row *row, void *found)
{
    for (const char *c = row->detail; *c != '\0'; c++)
        *(bool *)found |= (unsigned char)*c < ' ';
}

static void
what_strangers_say_cannot_steer_the_terminal_of_who_reads_the_log(void **state)
{
    (void)state;
    bool found = false;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    (void)refused(&token, "web\033[2J\r\n1", &m, FC_ERR_INVALID);
    assert_int_equal(audited("enrol", "INVALID_ARGUMENT"), 1);
    assert_int_equal(co_store_each_audit(f.co->store, 10000, look_for_controls, &found, NULL), FC_OK);
    assert_false(found);
    scrap(&m);
}

static void
a_name_of_any_shape_is_survived(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      ".",
                                      "../web-1",
                                      "web 1",
                                      "-web",
                                      "web\n1",
                                      "0123456789012345678901234567890123456789012345678901234567890123"};
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    for (size_t i = 0; i < FC_COUNT(ids); i++)
        assert_non_null(strstr(refused(&token, ids[i], &m, FC_ERR_INVALID), "not a name"));
    char *large = fc_alloc(FC_CSR_PEM_MAX + 2);
    memset(large, 'A', FC_CSR_PEM_MAX + 1);
    machine giant = {.csr = large};
    assert_non_null(strstr(refused(&token, "web-1", &giant, FC_ERR_INVALID), "too long"));
    assert_int_equal(f.co->counters.enrol_refused_form, FC_COUNT(ids) + 1);
    free(large);
    scrap(&m);
}

/* ---- whose id it is ---- */

static void
a_living_instance_cannot_be_taken_over(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), thief = machine_named("web-1"), other = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    assert_non_null(
        strstr(refused(&token, "web-1", &thief, FC_ERR_EXISTS), "fleetcap instance remove web-1"));
    /* One that has its certificate from elsewhere, and has only been seen. */
    fake_link link = {0};
    co_instance *instance = fixture_join(&f, "web-2", "eu", &link);
    fc_principal seen = {.role = FC_ROLE_NODE, .name = "web-2", .serial = "0a0b0c"};
    seen.not_after.ns = co_wall(f.co).ns + 10 * FC_NS_PER_S;
    assert_non_null(strstr(refused(&token, "web-2", &other, FC_ERR_EXISTS), "'web-2' is connected"));
    co_enrolment_seen(f.co, instance, &seen);
    fixture_leave(&f, &link);
    (void)refused(&token, "web-2", &other, FC_ERR_EXISTS);
    assert_int_equal(f.co->counters.enrol_refused_taken, 3);
    assert_int_equal(uses_of(&token), 1);
    fixture_run_ms(&f, 11000);
    co_enrolled second = enrol(&token, "web-2", &other);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&second);
    scrap(&m), scrap(&thief), scrap(&other);
}

static void
one_that_has_ended_can_be_taken_over_from_its_own_place_only(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), heir = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fixture_run_ms(&f, (int64_t)(LIFE_H + 2) * HOUR_MS); /* long enough for its row to be gone */
    fc_token db = token_of("db", "eu", 1, HOUR_MS, false), us = token_of("web", "us", 1, HOUR_MS, false);
    assert_non_null(strstr(refused(&db, "web-1", &heir, FC_ERR_EXISTS), "scale set 'web'"));
    assert_non_null(strstr(refused(&us, "web-1", &heir, FC_ERR_EXISTS), "region 'eu'"));
    fc_token same = plain_token(1);
    co_enrolled taken = enrol(&same, "web-1", &heir);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&taken);
    scrap(&m), scrap(&heir);
}

/* ---- approval ---- */

static void
every_state_knows_every_event(void **state)
{
    (void)state;
    unsigned issues = 0, refusals = 0;
    for (int from = 0; from < CO_ENROLMENT_STATES; from++)
        for (int event = 0; event < CO_ENROLMENT_EVENTS; event++) {
            co_enrolment_step step = co_enrolment_next((co_enrolment_state)from, (co_enrolment_event)event);
            bool machine_asks = event <= CO_ENROLMENT_ASK_GATED;
            issues += step.effect == CO_ENROLMENT_ISSUE;
            refusals += step.effect == CO_ENROLMENT_REFUSE;
            /* A refusal and a repetition change nothing; only a machine is given a certificate, only an
             * operator decides. */
            if (step.effect == CO_ENROLMENT_REFUSE || step.effect == CO_ENROLMENT_KEEP ||
                step.effect == CO_ENROLMENT_REPEAT)
                assert_int_equal(step.to, from);
            assert_int_equal(step.effect == CO_ENROLMENT_ISSUE,
                             step.to == CO_ENROLMENT_ISSUED && (int)step.to != from);
            if (step.effect == CO_ENROLMENT_RECORD)
                assert_false(machine_asks);
            if (step.effect == CO_ENROLMENT_ISSUE || step.effect == CO_ENROLMENT_WAIT)
                assert_true(machine_asks);
        }
    assert_int_equal(issues, 3);
    assert_int_equal(refusals, 6);
    /* Nobody with a gated token gets a certificate past the operator. */
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_NONE, CO_ENROLMENT_ASK_GATED).effect, CO_ENROLMENT_WAIT);
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_PENDING, CO_ENROLMENT_ASK).effect, CO_ENROLMENT_WAIT);
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_DENIED, CO_ENROLMENT_ASK).effect, CO_ENROLMENT_REFUSE);
}

static void
an_operator_approves_and_the_machine_gets_it_when_it_asks_again(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 2, HOUR_MS, true);
    machine m = machine_named("web-1");
    co_enrolled enrolled;
    fc_fail fail = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(&token, "web-1", &m, &enrolled, &fail), FC_OK);
        assert_true(enrolled.pending);
        assert_in_range(enrolled.retry_after_ms, CO_ENROL_RETRY_MIN_MS, CO_ENROL_RETRY_MAX_MS);
        co_enrolled_fini(&enrolled);
    }
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(audited("enrol-asked", "ok"), 1);
    assert_int_equal(decide("web-2", true, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(decide("../web-1", true, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(decide("web-1", true, &fail), FC_OK);
    assert_int_equal(decide(enrolled.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(audited("enrol-approved", "ok"), 1);
    /* Nobody decides faster than a token may end: what was asked for in time is given. */
    fixture_run_ms(&f, 2 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.waiting, 1);
    co_enrolled done = enrol(&token, "web-1", &m);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(decide(enrolled.enrolment_id, false, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "remove the instance"));
    co_enrolled_fini(&done);
    scrap(&m);
}

static void
an_operator_denies_and_that_is_that(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), other = machine_named("web-1");
    co_enrolled first, second;
    fc_fail fail = {0};
    assert_int_equal(ask(&token, "web-1", &m, &first, &fail), FC_OK);
    assert_int_equal(ask(&token, "web-1", &other, &second, &fail), FC_OK);
    assert_int_equal(decide("web-1", true, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "compare the keys"));
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(decide(first.enrolment_id, false, &fail),
                     FC_OK); /* not fetched yet: one may think again */
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_ERR_STATE);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "denied"));
    assert_int_equal(decide("web-1", true, &fail), FC_OK); /* one waits now */
    co_enrolled done = enrol(&token, "web-1", &other);
    assert_int_equal(audited("enrol-denied", "ok"), 1);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    co_enrolled_fini(&done);
    scrap(&m), scrap(&other);
}

static void
who_waits_with_a_token_that_is_revoked_waits_no_longer(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 5, HOUR_MS, true), other = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), second = machine_named("web-2");
    co_enrolled pending;
    co_enrolment_row enrolment;
    co_token_row row;
    fc_fail fail = {0};
    assert_int_equal(ask(&token, "web-1", &m, &pending, &fail), FC_OK);
    assert_int_equal(decide("web-1", true, &fail), FC_OK);
    assert_int_equal(ask(&other, "web-2", &second, &pending, &fail), FC_OK);
    assert_int_equal(f.co->enrolment.counts.waiting, 2);
    assert_int_equal(co_token_revoke(f.co, "operator/bob", token.id, &row, &fail), FC_OK);
    assert_int_equal(f.co->enrolment.counts.waiting, 1);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "revoked"));
    assert_int_equal(co_store_next_enrolment(f.co->store, 0, true, "web-1", &enrolment, &fail), FC_OK);
    assert_int_equal(enrolment.state, CO_ENROLMENT_DENIED);
    assert_string_equal(enrolment.decided_by, "operator/bob");
    assert_int_equal(decide("web-2", true, &fail), FC_OK);
    scrap(&m), scrap(&second);
}

static void
of_two_who_wait_with_one_id_only_one_gets_it(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), other = machine_named("web-1");
    co_enrolled first, second;
    fc_fail fail = {0};
    assert_int_equal(ask(&token, "web-1", &m, &first, &fail), FC_OK);
    assert_int_equal(ask(&token, "web-1", &other, &second, &fail), FC_OK);
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(decide(second.enrolment_id, true, &fail), FC_OK);
    co_enrolled done = enrol(&token, "web-1", &other);
    (void)refused(&token, "web-1", &m, FC_ERR_EXISTS);
    co_enrolled_fini(&done);
    scrap(&m), scrap(&other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_machine_with_a_token_gets_a_certificate_that_says_what_the_token_says),
        TEST(the_same_request_again_is_the_same_enrolment),
        TEST(a_token_lets_in_as_many_as_it_says),
        TEST(an_expired_token_lets_nobody_in_but_those_who_were_in_may_repeat),
        TEST(a_token_is_for_its_scale_set_and_region_only),
        TEST(who_guesses_a_token_learns_nothing),
        TEST(a_revoked_token_is_over),
        TEST(a_signing_request_that_wants_more_than_its_name_is_refused),
        TEST(a_name_of_any_shape_is_survived),
        TEST(what_strangers_say_cannot_steer_the_terminal_of_who_reads_the_log),
        TEST(a_living_instance_cannot_be_taken_over),
        TEST(one_that_has_ended_can_be_taken_over_from_its_own_place_only),
        TEST(every_state_knows_every_event),
        TEST(an_operator_approves_and_the_machine_gets_it_when_it_asks_again),
        TEST(an_operator_denies_and_that_is_that),
        TEST(who_waits_with_a_token_that_is_revoked_waits_no_longer),
        TEST(of_two_who_wait_with_one_id_only_one_gets_it),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
