/* A coordinator that does not let a node in: waits, and what is news. */
#include "node/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
who_is_not_allowed_waits_twice_as_long_each_time_up_to_the_limit(void **state)
{
    (void)state;
    nd_refusal shortest = {0}, longest = {0};
    int64_t half_ms = ND_REFUSAL_RETRY_MS;
    for (int i = 0; i < 1000; i++) { /* as many as come in days */
        assert_int_equal(nd_refusal_wait_ms(&shortest, FC_CODE_PERMISSION_DENIED, 0), half_ms);
        int64_t most_ms = nd_refusal_wait_ms(&longest, FC_CODE_UNAUTHENTICATED, (uint32_t)half_ms - 1);
        assert_int_equal(most_ms, 2 * half_ms - 1);
        half_ms = 2 * half_ms < ND_REFUSAL_MAX_MS / 2 ? 2 * half_ms : ND_REFUSAL_MAX_MS / 2;
    }
    assert_int_equal(half_ms, ND_REFUSAL_MAX_MS / 2);
    shortest = (nd_refusal){0}; /* let in */
    assert_int_equal(nd_refusal_wait_ms(&shortest, FC_CODE_PERMISSION_DENIED, 0), ND_REFUSAL_RETRY_MS);
}

static void
who_may_come_in_later_does_not_wait_longer_and_longer(void **state)
{
    (void)state;
    nd_refusal refusal = {0};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(nd_refusal_wait_ms(&refusal, FC_CODE_RESOURCE_EXHAUSTED, 0), ND_REFUSAL_RETRY_MS);
        assert_int_equal(nd_refusal_wait_ms(&refusal, FC_CODE_FAILED_PRECONDITION, 0), ND_REFUSAL_SKEW_MS);
    }
}

static void
a_reason_is_news_when_it_is_another_one(void **state)
{
    (void)state;
    nd_refusal refusal = {0};
    char longest[sizeof((fc_rpc_status *)NULL)->message];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_true(nd_refusal_is_news(&refusal, "certificate revoked"));
    assert_false(nd_refusal_is_news(&refusal, "certificate revoked"));
    assert_true(nd_refusal_is_news(&refusal, "connection refused"));
    assert_true(nd_refusal_is_news(&refusal, "certificate revoked"));
    assert_true(nd_refusal_is_news(&refusal, longest));
    assert_false(nd_refusal_is_news(&refusal, longest));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_allowed_waits_twice_as_long_each_time_up_to_the_limit),
        cmocka_unit_test(who_may_come_in_later_does_not_wait_longer_and_longer),
        cmocka_unit_test(a_reason_is_news_when_it_is_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
