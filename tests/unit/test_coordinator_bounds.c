/* What is kept, and what is logged, does not grow for ever. */
#include "test_coordinator_enrolment_fixture.h"

#include "common/base/log.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- pruning ---- */

static void
add_tokens(unsigned from, unsigned count, int64_t expires_unix_ns)
{
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    for (unsigned i = from; i < from + count; i++) {
        co_token_row row = {
            .scale_set = "web", .region = "eu", .uses = 1, .expires_unix_ns = expires_unix_ns};
        (void)snprintf(row.id, sizeof row.id, "%016x", i);
        assert_int_equal(co_store_add_token(f.store, &row, NULL), FC_OK);
    }
    assert_int_equal(co_store_commit(f.store, NULL), FC_OK);
}

static void
add_certificates(unsigned count, int64_t not_after_unix_ns)
{
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    for (unsigned i = 0; i < count; i++) {
        co_certificate_row row = {.instance = "web-1", .not_after_unix_ns = not_after_unix_ns};
        (void)snprintf(row.serial, sizeof row.serial, "%08x", i);
        assert_int_equal(co_store_add_certificate(f.store, &row, NULL), FC_OK);
    }
    assert_int_equal(co_store_commit(f.store, NULL), FC_OK);
}

static co_enrolment_counts
counted(void)
{
    co_enrolment_counts counts;
    assert_int_equal(co_store_count_enrolment(f.store, &counts, NULL), FC_OK);
    return counts;
}

static void
what_is_over_goes_when_the_coordinator_starts_a_part_at_a_time(void **state)
{
    (void)state;
    enum { OLD = 2 * CO_ENROLMENT_PRUNE_ROWS + 10, FRESH = 3 };
    int64_t now = co_wall(f.co).ns;
    int64_t month_ago = now - INT64_C(30) * 24 * HOUR_MS * FC_NS_PER_MS;
    add_tokens(0, OLD, month_ago);
    add_tokens(OLD, FRESH, now);
    add_certificates(7, month_ago);
    assert_int_equal(counted().tokens, OLD + FRESH);
    fixture_kill(&f, &fake_link_ops);
    assert_int_equal(counted().tokens, OLD + FRESH - CO_ENROLMENT_PRUNE_ROWS);
    assert_int_equal(counted().certificates, 0);
    assert_int_equal(f.co->enrolment.counts.tokens, OLD + FRESH - CO_ENROLMENT_PRUNE_ROWS);
    fixture_run_ms(&f, CO_ENROLMENT_TICK_MS);
    assert_int_equal(counted().tokens, OLD + FRESH - 2 * CO_ENROLMENT_PRUNE_ROWS);
    fixture_run_ms(&f, CO_ENROLMENT_TICK_MS);
    assert_int_equal(counted().tokens, FRESH);
    assert_int_equal(f.co->enrolment.counts.tokens, FRESH);
    assert_false(f.co->enrolment.prune_due);
}

static void
of_removed_instances_the_newest_are_remembered(void **state)
{
    (void)state;
    enum { KEPT = 4, ROWS = 3 };
    bool more = false, removed = false;
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    for (int i = 0; i < KEPT + ROWS + 1; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i);
        assert_int_equal(co_store_add_removed(f.store, id, "operator/alice", i + 1, NULL), FC_OK);
    }
    assert_int_equal(co_store_commit(f.store, NULL), FC_OK);
    const co_enrolment_age age = {.removed_max = KEPT, .rows_max = ROWS};
    assert_int_equal(co_store_prune_enrolment(f.store, &age, &more, NULL), FC_OK);
    assert_true(more);
    assert_int_equal(counted().removed, KEPT + 1);
    assert_int_equal(co_store_prune_enrolment(f.store, &age, &more, NULL), FC_OK);
    assert_false(more);
    assert_int_equal(counted().removed, KEPT);
    for (int i = 0; i < KEPT + ROWS + 1; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i);
        assert_int_equal(co_store_was_removed(f.store, id, &removed, NULL), FC_OK);
        assert_int_equal(removed, i > ROWS);
    }
}

static void
request_ids_go_after_a_week_also_those_of_a_coordinator_that_starts_often(void **state)
{
    (void)state;
    enum { WEEK_MS = 7 * 24 * HOUR_MS };
    char object[CO_REQUEST_OBJECT_SIZE];
    int64_t now = co_wall(f.co).ns;
    co_request_row old = {"operator/alice", "old", "CreateToken", "x", now - (WEEK_MS + 1) * FC_NS_PER_MS};
    co_request_row young = {"operator/alice", "young", "CreateToken", "x",
                            now - (WEEK_MS - HOUR_MS) * FC_NS_PER_MS};
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    assert_int_equal(co_store_add_request(f.store, &old, NULL), FC_OK);
    assert_int_equal(co_store_add_request(f.store, &young, NULL), FC_OK);
    assert_int_equal(co_store_commit(f.store, NULL), FC_OK);
    fixture_kill(&f, &fake_link_ops);
    fixture_run_ms(&f, 1500);
    assert_int_equal(co_persist_find_request(f.co, "operator/alice", "old", "CreateToken", object, NULL),
                     FC_ERR_NOT_FOUND);
    assert_int_equal(co_persist_find_request(f.co, "operator/alice", "young", "CreateToken", object, NULL),
                     FC_OK);
}

/* ---- the log ---- */

/* How many lines with `word` are logged while `act` runs. */
static unsigned
lines_logged(const char *word, void (*act)(void))
{
    char name[] = "/tmp/fc-log-XXXXXX", line[1200];
    int fd = mkstemp(name), kept = dup(STDERR_FILENO);
    assert_true(fd >= 0 && kept >= 0);
    (void)unlink(name);
    fc_log_open("test", FC_LOG_WARNING);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    act();
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    fc_log_open("test", (fc_log_level)0);
    (void)close(kept);
    unsigned count = 0;
    FILE *file = fdopen(fd, "r");
    assert_non_null(file);
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, word) != NULL;
    (void)fclose(file);
    return count;
}

enum { CROWD = 500 };

static void
be_refused(void)
{
    static const fc_principal peer = {.role = FC_ROLE_NODE, .name = "web-1", .serial = "00"};
    fc_principal next;
    fc_buf pem = {0};
    for (int i = 0; i < CROWD; i++)
        assert_int_not_equal(co_enrolment_renew(f.co, &peer, "10.0.0.7:1", "none", 4, &pem, &next, NULL),
                             FC_OK);
    fc_buf_fini(&pem);
}

static void
be_refused_once(void)
{
    fixture_run_ms(&f, CO_REFUSED_EVERY_MS);
    co_refused_log(f.co, CO_REFUSED_RENEWAL, "renewal of web-1 refused: once");
}

static void
enrol_and_be_refused(void)
{
    const co_enrol request = {.principal = "anonymous/anonymous",
                              .address = "10.0.0.7:1",
                              .token_id = "x",
                              .instance_id = "web-1",
                              .name = "",
                              .scale_set = "",
                              .region = "",
                              .csr_pem = ""};
    co_enrolled enrolled;
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, NULL), FC_ERR_DENIED);
}

static void
wait_a_while(void)
{
    fixture_run_ms(&f, CO_REFUSED_BURST * CO_REFUSED_EVERY_MS + 1500);
}

static void
a_crowd_that_is_refused_does_not_fill_the_log_and_is_told_as_a_number(void **state)
{
    (void)state;
    char number[64];
    assert_int_equal(lines_logged("renewal of web-1", be_refused), CO_REFUSED_BURST);
    assert_int_equal(f.co->counters.log_left_out, CROWD - CO_REFUSED_BURST);
    assert_int_equal(f.co->counters.renewals_refused, CROWD);
    /* Each kind has room of its own. */
    assert_int_equal(lines_logged("enrolment of web-1", enrol_and_be_refused), CO_REFUSED_BURST);
    /* The next line says how many there were before it; */
    (void)snprintf(number, sizeof number, "%d more renewals were refused", CROWD - CO_REFUSED_BURST);
    assert_int_equal(lines_logged(number, be_refused_once), 1);
    /* when none comes, it is said all the same, once. */
    (void)snprintf(number, sizeof number, "%d more enrolments were refused", CROWD - CO_REFUSED_BURST);
    assert_int_equal(lines_logged(number, wait_a_while), 1);
    assert_int_equal(lines_logged("more", wait_a_while), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_over_goes_when_the_coordinator_starts_a_part_at_a_time),
        TEST(of_removed_instances_the_newest_are_remembered),
        TEST(request_ids_go_after_a_week_also_those_of_a_coordinator_that_starts_often),
        TEST(a_crowd_that_is_refused_does_not_fill_the_log_and_is_told_as_a_number),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
