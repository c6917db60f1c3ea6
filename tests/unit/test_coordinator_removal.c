/* Renewal, removal, and what is kept: members of the fleet, on a clock that we move. */
#include "test_coordinator_enrolment_fixture.h"

#include <inttypes.h>
#include <time.h>

/* ---- renewal ---- */

static void
a_renewal_keeps_who_one_is(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), next_key = machine_named("web-1"), renamed = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next;
    fc_buf pem = {0};
    fc_fail fail = {0};
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    fixture_run_ms(&f, 60 * HOUR_MS);
    assert_int_equal(renew(&peer, &renamed, &pem, &next, &fail), FC_ERR_INVALID);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_OK);
    assert_string_equal(next.name, "web-1");
    assert_string_equal(next.scale_set, "web");
    assert_string_equal(next.region, "eu");
    assert_string_not_equal(next.serial, peer.serial);
    assert_int_equal(next.not_after.ns / FC_NS_PER_S, co_wall(f.co).ns / FC_NS_PER_S + LIFE_H * 3600);
    assert_int_equal(co_enrolment_write_crl(f.co, NULL), FC_OK);
    if (judge(&pem) != 0)
        fail_msg("%s", output);
    assert_int_equal(audited("renew", "ok"), 1);
    assert_int_equal(f.co->counters.renewals_refused, 1);
    fixture_run_ms(&f, 13 * HOUR_MS);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail),
                     FC_ERR_DENIED); /* the first one has ended */
    fc_buf_fini(&pem);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&next_key), scrap(&renamed);
}

static void
a_node_that_renews_for_ever_is_stopped(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), next_key = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next;
    fc_buf pem = {0};
    fc_fail fail = {0};
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    for (int i = 1; i < CO_CERTIFICATES_PER_INSTANCE_MAX; i++) {
        co_certificate_row row = {.not_after_unix_ns = peer.not_after.ns};
        (void)snprintf(row.serial, sizeof row.serial, "%08x", i);
        (void)snprintf(row.instance, sizeof row.instance, "web-1");
        assert_int_equal(co_store_add_certificate(f.co->store, &row, NULL), FC_OK);
    }
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_ERR_LIMIT);
    assert_non_null(strstr(fail.text, "512"));
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&next_key);
}

/* ---- removal ---- */

static void
who_is_removed_does_not_come_back_by_itself(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), next_key = machine_named("web-1"), anew = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next, stranger, fresh;
    fc_buf pem = {0};
    fc_fail fail = {0};
    co_removed removed;
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_OK);
    fake_link link = {0};
    fixture_join(&f, "web-1", "eu", &link);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_OK);
    assert_string_equal(removed.id, "web-1");
    assert_int_equal(removed.certificates_revoked, 2);
    assert_true(removed.was_connected);
    assert_true(link.closed);
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(f.co->registry.online, 0);
    /* By openssl's word: both are revoked. */
    assert_int_not_equal(judge(&enrolled.certificate_pem), 0);
    assert_non_null(strstr(output, "certificate revoked"));
    assert_int_not_equal(judge(&pem), 0);
    assert_non_null(strstr(output, "certificate revoked"));
    /* By ours too, and so is one that nobody here has ever seen. */
    stranger = peer;
    (void)snprintf(stranger.serial, sizeof stranger.serial, "99");
    assert_int_equal(co_enrolment_check_peer(f.co, &peer, &fail), FC_ERR_DENIED);
    assert_int_equal(co_enrolment_check_peer(f.co, &next, &fail), FC_ERR_DENIED);
    assert_int_equal(co_enrolment_check_peer(f.co, &stranger, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "was removed from the fleet: enrol it anew"));
    assert_int_equal(renew(&next, &anew, &pem, &next, &fail), FC_ERR_DENIED);
    /* Its key is no good any more, another one's certificate is. */
    (void)refused(&token, "web-1", &m, FC_ERR_DENIED);
    co_enrolled again = enrol(&token, "web-1", &anew);
    assert_int_equal(judge(&again.certificate_pem), 0);
    principal_of(&again.certificate_pem, "web-1", &fresh);
    assert_int_equal(co_enrolment_check_peer(f.co, &fresh, &fail), FC_OK);
    assert_int_equal(co_enrolment_check_peer(f.co, &stranger, &fail), FC_ERR_DENIED);
    assert_int_equal(audited("instance-remove", "ok"), 1);
    fc_buf_fini(&pem);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&again);
    scrap(&m), scrap(&next_key), scrap(&anew);
}

static void
one_that_never_connected_is_removed_by_its_id(void **state)
{
    (void)state;
    fc_token token = plain_token(10), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), waiting = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m), pending;
    fc_fail fail = {0};
    co_removed removed;
    assert_int_equal(ask(&gated, "web-2", &waiting, &pending, &fail), FC_OK);
    assert_int_equal(remove_instance("web-3", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(remove_instance("no name", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_OK);
    assert_int_equal(removed.certificates_revoked, 1);
    assert_false(removed.was_connected);
    assert_int_equal(remove_instance("web-2", false, &removed, &fail), FC_OK);
    assert_int_equal(removed.certificates_revoked, 0);
    (void)refused(&gated, "web-2", &waiting, FC_ERR_DENIED);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(f.co->counters.removals_refused, 3);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&waiting);
}

static void
an_id_means_that_instance_and_not_another_one_s_name(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_labels none = {0};
    co_facts facts = {"web-2", "web-1", "web", "eu", "", "", "", "", &none}; /* calls itself like it */
    co_instance *other = NULL;
    fc_fail fail = {0};
    co_removed removed;
    assert_int_equal(co_registry_admit(f.co, &facts, &other, &fail), FC_OK);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_OK);
    assert_string_equal(removed.id, "web-1");
    assert_int_equal(removed.certificates_revoked, 1);
    assert_ptr_equal(co_registry_find(&f.co->registry, "web-2"), other);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail),
                     FC_OK); /* a name now, and nothing else */
    assert_string_equal(removed.id, "web-2");
    co_enrolled_fini(&enrolled);
    scrap(&m);
}

static void
captures_that_run_hold_a_removal_up_unless_it_is_forced(void **state)
{
    (void)state;
    fake_link one = {0}, two = {0};
    fc_fail fail = {0};
    co_removed removed;
    fixture_join(&f, "web-1", "eu", &one);
    fixture_join(&f, "web-2", "eu", &two);
    co_capture *job = fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 3600}");
    fixture_ack(&f, &one), fixture_ack(&f, &two);
    for (size_t i = 0; i < 2; i++)
        fixture_report(&f, &job->parts[i], FC_STATE_RUNNING, 2);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "has captures that are not over (1)"));
    assert_non_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_OK);
    assert_int_equal(removed.captures_ended, 1);
    assert_int_equal(one.told_count, 0); /* its last desired state: nothing */
    assert_true(one.closed);
    fixture_check_folds(&f);
    const co_part *part = strcmp(job->parts[0].instance->id, "web-1") == 0 ? &job->parts[0] : &job->parts[1];
    assert_int_equal(part->status.state, FC_STATE_FAILED);
    assert_int_equal(part->status.stop_reason, FC_STOP_INSTANCE_REMOVED);
    assert_non_null(strstr(part->status.error, "removed from the fleet by operator/alice"));
    assert_int_equal(job->state, FC_STATE_RUNNING); /* on the other */
    assert_int_equal(f.co->registry.count, 1);
    /* Killed before what was left to write was written. */
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_non_null(co_registry_find_any(&f.co->registry, "web-1"));
    job = co_capture_find(&f.co->captures, "job");
    part = strcmp(job->parts[0].instance->id, "web-1") == 0 ? &job->parts[0] : &job->parts[1];
    assert_int_equal(part->status.state, FC_STATE_FAILED);
    assert_int_equal(part->status.stop_reason, FC_STOP_INSTANCE_REMOVED);
    assert_true(part->gone);
    fixture_check_folds(&f);
    /* It stays as long as the capture names it. */
    fixture_run_ms(&f, 5000);
    assert_non_null(co_registry_find_any(&f.co->registry, "web-1"));
    co_capture_delete(f.co, job);
    for (size_t i = 0; i < 2; i++)
        co_part_want(f.co, &job->parts[i], CO_ACTION_FORGET, FC_STOP_CAPTURE_DELETED);
    co_part_gone(f.co, part == &job->parts[0] ? &job->parts[1] : &job->parts[0]);
    fixture_run_ms(&f, 5000);
    assert_null(co_registry_find_any(&f.co->registry, "web-1"));
    assert_int_equal(f.co->captures.count, 0);
}

static void
a_removed_one_that_enrols_anew_is_the_same_instance_again(void **state)
{
    (void)state;
    fake_link link = {0}, again = {0};
    fc_fail fail = {0};
    co_removed removed;
    co_instance *instance = fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 3600}");
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_OK);
    assert_int_equal(job->parts[0].status.state, FC_STATE_STOPPED); /* nothing had begun there */
    assert_ptr_equal(fixture_join(&f, "web-1", "eu", &again), instance);
    assert_false(instance->removed);
    assert_int_equal(f.co->registry.count, 1);
    assert_int_equal(instance->part_count, 0);
    fixture_run_ms(&f, 3000);
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_non_null(co_registry_find(&f.co->registry, "web-1"));
    fixture_check_folds(&f);
}

/* ---- keeping ---- */

static void
a_restart_forgets_nothing(void **state)
{
    (void)state;
    fc_token token = plain_token(3), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), gone = machine_named("web-2"), waiting = machine_named("web-3");
    co_enrolled before = enrol(&token, "web-1", &m), out = enrol(&token, "web-2", &gone), pending;
    fc_fail fail = {0};
    co_removed removed;
    uint64_t number;
    assert_int_equal(ask(&gated, "web-3", &waiting, &pending, &fail), FC_OK);
    assert_int_equal(remove_instance("web-2", false, &removed, &fail), FC_OK);
    co_enrolment_counts counts = f.co->enrolment.counts;
    assert_int_equal(co_store_next_crl(f.co->store, &number, NULL), FC_OK);
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_memory_equal(&f.co->enrolment.counts, &counts, sizeof counts);
    assert_int_equal(uses_of(&token), 2);
    co_enrolled after = enrol(&token, "web-1", &m);
    assert_memory_equal(fc_buf_bytes(&after.certificate_pem), fc_buf_bytes(&before.certificate_pem),
                        fc_buf_size(&before.certificate_pem));
    assert_int_equal(decide("web-3", true, &fail), FC_OK);
    co_enrolled approved = enrol(&gated, "web-3", &waiting);
    assert_int_equal(co_enrolment_write_crl(f.co, &fail), FC_OK);
    assert_int_not_equal(judge(&out.certificate_pem), 0);
    char *want = fc_sprintf("%" PRIX64, number + 1);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -crlnumber"), 0);
    assert_non_null(strstr(output, want));
    free(want);
    co_enrolled_fini(&before), co_enrolled_fini(&out), co_enrolled_fini(&after), co_enrolled_fini(&approved);
    scrap(&m), scrap(&gone), scrap(&waiting);
}

static void
what_is_over_goes_after_a_while_and_lists_are_written_before_they_end(void **state)
{
    (void)state;
    fc_token token = plain_token(10), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), waiting = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m), pending;
    fc_fail fail = {0};
    assert_int_equal(ask(&gated, "web-2", &waiting, &pending, &fail), FC_OK);
    fixture_run_ms(&f, 6000);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -nextupdate"), 0);
    char first[64];
    (void)snprintf(first, sizeof first, "%.60s", output);
    fixture_run_ms(&f, (int64_t)(LIFE_H + 2) * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.certificates, 0);
    assert_int_equal(f.co->enrolment.counts.enrolments, 2);
    fixture_run_ms(&f, (int64_t)8 * 24 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.enrolments, 1);
    assert_int_equal(f.co->enrolment.counts.tokens, 0);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -nextupdate"), 0);
    assert_string_not_equal(first, output);
    fixture_run_ms(&f, (int64_t)30 * 24 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.enrolments, 0);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&waiting);
}

static void
numbers_are_bounded_and_each_refusal_is_counted(void **state)
{
    (void)state;
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {0};
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    co_token_row row;
    char text[FC_TOKEN_TEXT_SIZE];
    const co_token_request bad[] = {
        {"operator/alice", "", "", "eu", 1, HOUR_MS, false, pin},
        {"operator/alice", "", "web", "e u", 1, HOUR_MS, false, pin},
        {"operator/alice", "", "web", "eu", 0, HOUR_MS, false, pin},
        {"operator/alice", "", "web", "eu", CO_TOKEN_USES_MAX + 1, HOUR_MS, false, pin},
        {"operator/alice", "", "web", "eu", 1, 999, false, pin},
        {"operator/alice", "", "web", "eu", 1, CO_TOKEN_TTL_MAX_MS + 1, false, pin},
        {"operator/alice", "", "web", "eu", 1, UINT64_MAX, false, pin},
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(co_token_create(f.co, &bad[i], &row, text, NULL), FC_ERR_INVALID);
    assert_int_equal(audited("token-create", "INVALID_ARGUMENT"), FC_COUNT(bad));
    const co_token_request good = {"operator/alice", "", "web", "eu", 1, HOUR_MS, false, pin};
    f.co->enrolment.counts.tokens = CO_TOKENS_MAX;
    assert_int_equal(co_token_create(f.co, &good, &row, text, NULL), FC_ERR_LIMIT);
    f.co->enrolment.counts.enrolments = CO_ENROLMENTS_MAX;
    (void)refused(&token, "web-1", &m, FC_ERR_LIMIT);
    f.co->enrolment.counts.enrolments = 0;
    f.co->enrolment.counts.certificates = CO_CERTIFICATES_MAX;
    (void)refused(&token, "web-1", &m, FC_ERR_LIMIT);
    f.co->enrolment.counts.certificates = 0;
    assert_int_equal(f.co->counters.tokens_full, 1);
    assert_int_equal(f.co->counters.enrol_refused_full, 2);
    assert_int_equal(uses_of(&token), 0);
    /* A stranger does not fill the audit log. */
    fc_token unknown = token;
    unknown.secret[0] ^= 1;
    unsigned before = audited("enrol", "PERMISSION_DENIED");
    fixture_run_ms(&f, 60000);
    for (int i = 0; i < CO_STRANGERS_PER_MINUTE + 10; i++)
        (void)refused(&unknown, "web-1", &m, FC_ERR_DENIED);
    assert_int_equal(f.co->counters.audit_dropped, 10);
    assert_int_equal(audited("enrol", "PERMISSION_DENIED"), before + CO_STRANGERS_PER_MINUTE);
    f.co->enrolment.counts.tokens = CO_TOKENS_MAX; /* and takes nobody's place in it */
    assert_int_equal(co_token_create(f.co, &good, &row, text, NULL), FC_ERR_LIMIT);
    assert_int_equal(audited("token-create", "RESOURCE_EXHAUSTED"), 2);
    scrap(&m);
}

static void
without_the_key_of_the_ca_enrolment_is_off(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    fc_principal peer = {.role = FC_ROLE_NODE, .name = "web-1", .serial = "01"}, next;
    fc_fail fail = {0};
    fc_buf pem = {0};
    co_removed removed;
    co_token_row row;
    f.co->enrolment.issuer = NULL;
    assert_string_equal(refused(&token, "web-1", &m, FC_ERR_STATE),
                        "this coordinator has no ca_key: enrolment is off");
    assert_int_equal(renew(&peer, &m, &pem, &next, &fail), FC_ERR_STATE);
    assert_int_equal(decide("web-1", true, &fail), FC_ERR_STATE);
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_ERR_STATE);
    assert_int_equal(co_token_revoke(f.co, "operator/alice", token.id, &row, &fail), FC_ERR_STATE);
    scrap(&m);
}

static double
ms_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e3 + (double)(to->tv_nsec - from->tv_nsec) / 1e6;
}

static void
two_hundred_enrol_at_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    fc_token token = plain_token(COUNT);
    machine machines[COUNT];
    struct timespec from, to, cpu_from, cpu_to;
    char id[16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(id, sizeof id, "web-%d", i);
        machines[i] = machine_named(id);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_from);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(id, sizeof id, "web-%d", i);
        co_enrolled enrolled = enrol(&token, id, &machines[i]);
        co_enrolled_fini(&enrolled);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_to);
    print_message("%d enrolments in %.0f ms, %.0f ms of them computing\n", COUNT, ms_between(&from, &to),
                  ms_between(&cpu_from, &cpu_to));
    assert_int_equal(uses_of(&token), COUNT);
    assert_int_equal(f.co->enrolment.counts.certificates, COUNT);
    machine late = machine_named("web-late");
    (void)refused(&token, "web-late", &late, FC_ERR_DENIED);
    scrap(&late);
    for (int i = 0; i < COUNT; i++)
        scrap(&machines[i]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_renewal_keeps_who_one_is),
        TEST(a_node_that_renews_for_ever_is_stopped),
        TEST(who_is_removed_does_not_come_back_by_itself),
        TEST(one_that_never_connected_is_removed_by_its_id),
        TEST(an_id_means_that_instance_and_not_another_one_s_name),
        TEST(captures_that_run_hold_a_removal_up_unless_it_is_forced),
        TEST(a_removed_one_that_enrols_anew_is_the_same_instance_again),
        TEST(a_restart_forgets_nothing),
        TEST(what_is_over_goes_after_a_while_and_lists_are_written_before_they_end),
        TEST(numbers_are_bounded_and_each_refusal_is_counted),
        TEST(without_the_key_of_the_ca_enrolment_is_off),
        TEST(two_hundred_enrol_at_once),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
