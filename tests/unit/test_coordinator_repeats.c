/* A request whose answer was lost comes again: it is done once, and the answer says so. */
#include "test_coordinator_enrolment_fixture.h"

#include "common/tls/pki.h"

/* ---- tokens ---- */

static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {1, 2, 3};

typedef struct made {
    co_token_row row;
    char text[FC_TOKEN_TEXT_SIZE];
} made;

static fc_err
make(const char *principal, const char *request_id, uint32_t uses, made *ret, fc_fail *fail)
{
    co_token_request request = {.principal = principal,
                                .request_id = request_id,
                                .scale_set = "web",
                                .region = "eu",
                                .uses = uses,
                                .ttl_ms = HOUR_MS,
                                .pin = pin};
    *fail = (fc_fail){0};
    return co_token_create(f.co, &request, &ret->row, ret->text, fail);
}

static void
restart(void)
{
    fixture_kill(&f, &fake_link_ops);
    switch_on();
}

static uint64_t
token_count(void)
{
    co_enrolment_counts counts;
    assert_int_equal(co_store_count_enrolment(f.co->store, &counts, NULL), FC_OK);
    return counts.tokens;
}

static void
the_same_request_makes_one_token_and_tells_it_again(void **state)
{
    (void)state;
    made first, again, other;
    fc_fail fail;
    assert_int_equal(make("operator/alice", "r1", 2, &first, &fail), FC_OK);
    assert_int_equal(make("operator/alice", "r1", 2, &again, &fail), FC_OK);
    assert_string_equal(again.text, first.text);
    assert_string_equal(again.row.id, first.row.id);
    restart();
    fixture_run_ms(&f, 60000);
    assert_int_equal(make("operator/alice", "r1", 2, &again, &fail), FC_OK);
    assert_string_equal(again.text, first.text);
    assert_int_equal(token_count(), 1);
    assert_int_equal(audited("token-create", "ok"), 1);
    /* Others' ids, other ids and none at all are other tokens. */
    assert_int_equal(make("operator/bob", "r1", 2, &other, &fail), FC_OK);
    assert_string_not_equal(other.text, first.text);
    assert_int_equal(make("operator/alice", "r2", 2, &other, &fail), FC_OK);
    assert_string_not_equal(other.text, first.text);
    assert_int_equal(make("operator/alice", "", 2, &other, &fail), FC_OK);
    assert_int_equal(make("operator/alice", "", 2, &again, &fail), FC_OK);
    assert_string_not_equal(again.text, other.text);
    assert_int_equal(token_count(), 5);
}

static void
a_token_told_again_lets_in_and_its_uses_are_counted_once(void **state)
{
    (void)state;
    made first, again;
    fc_token token;
    fc_fail fail;
    machine m = machine_named("web-1"), second = machine_named("web-2");
    assert_int_equal(make("operator/alice", "r1", 1, &first, &fail), FC_OK);
    assert_int_equal(fc_token_parse(first.text, &token, &fail), FC_OK);
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    assert_int_equal(make("operator/alice", "r1", 1, &again, &fail), FC_OK);
    assert_int_equal(fc_token_parse(again.text, &token, &fail), FC_OK);
    assert_int_equal(again.row.used, 1);
    (void)refused(&token, "web-2", &second, FC_ERR_DENIED); /* it was used up */
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&second);
}

static void
a_request_id_that_meant_something_else_is_a_conflict(void **state)
{
    (void)state;
    made first, again;
    fc_fail fail;
    co_token_row row;
    co_removed removed;
    assert_int_equal(make("operator/alice", "r1", 2, &first, &fail), FC_OK);
    assert_int_equal(make("operator/alice", "r1", 3, &again, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, first.row.id));
    co_removal removal = {"operator/alice", "r1", "web-1", false};
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "CreateToken"));
    assert_int_equal(co_token_revoke(f.co, "operator/alice", first.row.id, &row, &fail), FC_OK);
    assert_int_equal(make("operator/alice", "r1", 2, &again, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "revoked"));
    assert_int_equal(make("operator/alice", "r2", 2, &first, &fail), FC_OK);
    fixture_run_ms(&f, HOUR_MS);
    assert_int_equal(make("operator/alice", "r2", 2, &again, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "expired"));
    assert_int_equal(token_count(), 2);
    assert_int_equal(audited("token-create", "ALREADY_EXISTS"), 3);
}

static void
with_another_key_of_the_ca_the_token_cannot_be_told_again_and_that_is_said(void **state)
{
    (void)state;
    made first, again;
    fc_fail fail;
    fc_issuer *next = NULL, *before = f.co->enrolment.issuer;
    assert_int_equal(make("operator/alice", "r1", 2, &first, &fail), FC_OK);
    assert_int_equal(run("mkdir next && pwd | tr -d '\n'"), 0);
    char *directory = fc_sprintf("%s/next", output);
    char *ca = fc_sprintf("%s/ca.crt", directory), *key = fc_sprintf("%s/ca.key", directory);
    assert_int_equal(fc_pki_init(directory, "prod", 0, &fail), FC_OK);
    assert_int_equal(fc_issuer_open(ca, key, &next, &fail), FC_OK);
    f.co->enrolment.issuer = next;
    assert_int_equal(make("operator/alice", "r1", 2, &again, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "the CA's key has changed"));
    assert_int_equal(token_count(), 1);
    f.co->enrolment.issuer = before;
    fc_issuer_close(next);
    free(directory), free(ca), free(key);
}

/* ---- removals ---- */

static void
a_removal_is_done_once_and_says_so(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), anew = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    co_removal removal = {"operator/alice", "r1", "web-1", false};
    co_removed removed;
    fc_fail fail = {0};
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_OK);
    assert_false(removed.done_before);
    assert_int_equal(removed.certificates_revoked, 1);
    restart();
    co_enrolled back = enrol(&token, "web-1", &anew); /* a new one, which is not meant */
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_OK);
    assert_true(removed.done_before);
    assert_string_equal(removed.id, "web-1");
    assert_int_equal(removed.certificates_revoked, 0);
    assert_int_equal(co_enrolment_write_crl(f.co, NULL), FC_OK);
    assert_int_equal(judge(&back.certificate_pem), 0);
    assert_int_equal(audited("instance-remove", "ok"), 1);
    removal.instance = "web-2";
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "web-1"));
    /* Without an id, or with another, it is another removal. */
    removal = (co_removal){"operator/alice", "r2", "web-1", false};
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_OK);
    assert_false(removed.done_before);
    assert_int_equal(
        co_instance_remove(f.co, &(co_removal){"operator/alice", "", "web-1", false}, &removed, &fail),
        FC_ERR_NOT_FOUND);
    co_enrolled_fini(&enrolled);
    co_enrolled_fini(&back);
    scrap(&m), scrap(&anew);
}

static void
a_removal_by_name_is_found_again_by_that_name(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fake_link link = {0};
    co_instance *instance = fixture_join(&f, "web-1", "eu", &link);
    char *name = fc_strdup(instance->name);
    co_removal removal = {"operator/alice", "r1", name, false};
    co_removed removed;
    fc_fail fail = {0};
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_OK);
    assert_true(removed.was_connected);
    assert_int_equal(co_instance_remove(f.co, &removal, &removed, &fail), FC_OK);
    assert_true(removed.done_before);
    assert_string_equal(removed.id, "web-1");
    free(name);
    co_enrolled_fini(&enrolled);
    scrap(&m);
}

/* ---- deletions ---- */

typedef struct deletion {
    co_delete operation;
    fc_err err;
    co_deleted result; /* without the names */
    size_t unreachable;
    bool done;
} deletion;

static void
note_deleted(co_delete *operation, fc_err err, const fc_fail *fail, const co_deleted *result)
{
    deletion *d = FC_CONTAINER(operation, deletion, operation);
    (void)fail;
    d->err = err;
    d->result = *result;
    d->unreachable = result->unreachable.count;
    d->done = true;
}

static fc_err
erase(deletion *d, const char *name, fc_fail *fail)
{
    *d = (deletion){.operation = {.principal = "operator/alice",
                                  .request_id = "r1",
                                  .name = name,
                                  .stop_first = true,
                                  .done = note_deleted}};
    *fail = (fc_fail){0};
    fc_err err = co_delete_start(f.co, &d->operation, fail);
    if (err != FC_OK)
        return err;
    fixture_run_ms(&f, CO_DELETE_STOP_MS + CO_DELETE_ACK_MS + 1000);
    assert_true(d->done);
    return d->err;
}

static void
a_deletion_is_done_once_and_says_so(void **state)
{
    (void)state;
    deletion d;
    fc_fail fail;
    fake_link link = {0};
    fixture_join(&f, "web-1", "eu", &link);
    fixture_ack(&f, &link);
    (void)fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 600}");
    fixture_run_ms(&f, 1);
    fixture_ack(&f, &link);
    assert_int_equal(erase(&d, "job", &fail), FC_OK);
    assert_false(d.result.done_before);
    assert_int_equal(d.result.instance_count, 1);
    assert_int_equal(d.unreachable, 1); /* it has not acknowledged */
    uint64_t deletes = f.co->counters.deletes;
    assert_int_equal(erase(&d, "job", &fail), FC_OK);
    assert_true(d.result.done_before);
    assert_int_equal(d.unreachable, 1); /* nor has it now */
    /* Another of that name is not meant. */
    (void)fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 600}");
    assert_int_equal(erase(&d, "job", &fail), FC_OK);
    assert_true(d.result.done_before);
    assert_non_null(co_capture_find(&f.co->captures, "job"));
    assert_int_equal(erase(&d, "other", &fail), FC_ERR_EXISTS);
    assert_non_null(strstr(fail.text, "job"));
    assert_int_equal(f.co->counters.deletes, deletes);
    assert_int_equal(audited("delete", "ok"), 1);
    fixture_leave(&f, &link);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_same_request_makes_one_token_and_tells_it_again),
        TEST(a_token_told_again_lets_in_and_its_uses_are_counted_once),
        TEST(a_request_id_that_meant_something_else_is_a_conflict),
        TEST(with_another_key_of_the_ca_the_token_cannot_be_told_again_and_that_is_said),
        TEST(a_removal_is_done_once_and_says_so),
        TEST(a_removal_by_name_is_found_again_by_that_name),
        TEST(a_deletion_is_done_once_and_says_so),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
