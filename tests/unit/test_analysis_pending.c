/* Requests that wait for their answer. */
#include "common/analysis/pending.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEN_MAX = 4096 };

typedef struct fixture {
    fc_pending *pending;
    fc_pending_request seen[SEEN_MAX];
    size_t count;
} fixture;

static void
note(void *user, const fc_pending_request *request)
{
    fixture *f = user;
    assert_true(f->count < SEEN_MAX);
    f->seen[f->count++] = *request;
}

static int
setup(void **state)
{
    fixture *f = FC_NEW(fixture);
    f->pending = fc_pending_new(note, f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture *f = *state;
    fc_pending_free(f->pending);
    free(f);
    return 0;
}

static fc_address
address(uint8_t last)
{
    return (fc_address){.family = 4, .bytes = {10, 0, 0, last}};
}

static void
ask(fixture *f, fc_pending_kind kind, uint8_t target, uint8_t asker, uint32_t token, int64_t ms)
{
    const fc_pending_request request = {.kind = kind,
                                        .target = address(target),
                                        .asker = address(asker),
                                        .token = token,
                                        .from_local = asker == 1,
                                        .asked_ns = ms * FC_NS_PER_MS,
                                        .file = 2,
                                        .frame = (uint64_t)ms};
    fc_pending_asked(f->pending, &request);
}

static void
answer(fixture *f, fc_pending_kind kind, uint8_t target, uint32_t token, int64_t ms)
{
    const fc_address from = address(target);
    fc_pending_answered(f->pending, kind, &from, token, ms * FC_NS_PER_MS);
}

static void
an_answer_ends_its_request(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_ECHO, 9, 1, 77, 1000);
    answer(f, FC_PENDING_ECHO, 9, 77, 1003);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].answered_ns - f->seen[0].asked_ns, 3 * FC_NS_PER_MS);
    assert_int_equal(f->seen[0].asked_count, 1);
    assert_int_equal(f->seen[0].frame, 1000);
    assert_int_equal(f->seen[0].file, 2);
    assert_true(f->seen[0].from_local);
    assert_false(f->seen[0].open);
    answer(f, FC_PENDING_ECHO, 9, 77, 1004);
    assert_int_equal(f->count, 1);
}

static void
an_answer_to_something_else_is_none(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_ECHO, 9, 1, 77, 1000);
    answer(f, FC_PENDING_ECHO, 9, 78, 1001);
    answer(f, FC_PENDING_ECHO, 8, 77, 1001);
    answer(f, FC_PENDING_NEIGHBOUR, 9, 77, 1001);
    assert_int_equal(f->count, 0);
}

static void
repeats_belong_to_the_first_request(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 1000);
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 2000);
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 3000);
    fc_pending_expire(f->pending, 3999 * FC_NS_PER_MS);
    assert_int_equal(f->count, 0);
    fc_pending_expire(f->pending, 4000 * FC_NS_PER_MS);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].asked_count, 3);
    assert_int_equal(f->seen[0].answered_ns, 0);
}

static void
two_askers_are_two_requests_with_one_answer(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_NEIGHBOUR, 9, 5, 0, 1000);
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 1500);
    answer(f, FC_PENDING_NEIGHBOUR, 9, 0, 1501);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[0].asker.bytes[3], 1);
    assert_int_equal(f->seen[0].answered_ns - f->seen[0].asked_ns, FC_NS_PER_MS);
    assert_false(f->seen[1].from_local);
}

static void
a_late_answer_is_none_and_the_next_request_is_new(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 1000);
    answer(f, FC_PENDING_NEIGHBOUR, 9, 0, 4000);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].answered_ns, 0);
    ask(f, FC_PENDING_NEIGHBOUR, 9, 1, 0, 4001);
    answer(f, FC_PENDING_NEIGHBOUR, 9, 0, 4002);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[1].asked_count, 1);
    assert_int_not_equal(f->seen[1].answered_ns, 0);
}

typedef struct open_count {
    size_t unanswered, open;
} open_count;

static void
count_open(void *user, const fc_pending_request *request)
{
    open_count *counts = user;
    counts->unanswered += !request->open;
    counts->open += request->open;
}

static void
looking_at_what_is_open_changes_nothing(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_ECHO, 9, 1, 1, 1000);
    ask(f, FC_PENDING_ECHO, 9, 1, 2, 3000);
    for (int i = 0; i < 2; i++) {
        open_count counts = {0};
        fc_pending_each_open(f->pending, 4500 * FC_NS_PER_MS, count_open, &counts);
        assert_int_equal(counts.unanswered, 1);
        assert_int_equal(counts.open, 1);
    }
    assert_int_equal(f->count, 0);
}

static void
more_than_the_limit_judges_the_oldest(void **state)
{
    fixture *f = *state;
    for (uint32_t i = 0; i < FC_PENDING_MAX + 5; i++)
        ask(f, FC_PENDING_ECHO, 9, 1, i, 1000);
    assert_int_equal(f->count, 5);
    assert_int_equal(f->seen[4].token, 4);
    answer(f, FC_PENDING_ECHO, 9, FC_PENDING_MAX + 4, 1001);
    assert_int_equal(f->count, 6);
    fc_pending_expire(f->pending, INT64_MAX);
    assert_int_equal(f->count, FC_PENDING_MAX + 5);
}

static void
clocks_that_jump_do_no_harm(void **state)
{
    fixture *f = *state;
    ask(f, FC_PENDING_ECHO, 9, 1, 1, 5000);
    answer(f, FC_PENDING_ECHO, 9, 1, 4000);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].answered_ns, f->seen[0].asked_ns);
    ask(f, FC_PENDING_ECHO, 9, 1, 1, INT64_MAX / FC_NS_PER_MS);
    ask(f, FC_PENDING_ECHO, 9, 1, 2, INT64_MIN / FC_NS_PER_MS);
    fc_pending_expire(f->pending, INT64_MAX);
    open_count counts = {0};
    fc_pending_each_open(f->pending, INT64_MAX, count_open, &counts);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.unanswered, 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(an_answer_ends_its_request),
        WITH_FIXTURE(an_answer_to_something_else_is_none),
        WITH_FIXTURE(repeats_belong_to_the_first_request),
        WITH_FIXTURE(two_askers_are_two_requests_with_one_answer),
        WITH_FIXTURE(a_late_answer_is_none_and_the_next_request_is_new),
        WITH_FIXTURE(looking_at_what_is_open_changes_nothing),
        WITH_FIXTURE(more_than_the_limit_judges_the_oldest),
        WITH_FIXTURE(clocks_that_jump_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
