/* What may be said how often. */
#include "common/base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BURST = 3, EVERY_MS = 100 };

static bool
pass(fc_rate *rate, int64_t at_ms)
{
    return fc_rate_pass(rate, BURST, EVERY_MS, fc_mono_after_ms((fc_mono){0}, at_ms));
}

static bool
is_full(const fc_rate *rate, int64_t at_ms)
{
    return fc_rate_is_full(rate, fc_mono_after_ms((fc_mono){0}, at_ms));
}

static void
a_burst_passes_then_one_at_a_time_and_the_rest_is_counted(void **state)
{
    (void)state;
    fc_rate rate = {0};
    for (int i = 0; i < BURST; i++)
        assert_true(pass(&rate, 1000));
    assert_false(pass(&rate, 1000));
    assert_false(pass(&rate, 1099));
    assert_int_equal(fc_rate_take_held_back(&rate), 2);
    assert_int_equal(fc_rate_take_held_back(&rate), 0);
    assert_true(pass(&rate, 1100));
    assert_false(pass(&rate, 1100));
    unsigned passed = 0; /* in a second of asking every millisecond */
    for (int64_t at_ms = 1101; at_ms <= 2100; at_ms++)
        passed += pass(&rate, at_ms);
    assert_int_equal(passed, 1000 / EVERY_MS);
    assert_int_equal(fc_rate_take_held_back(&rate), 1 + 1000 - 1000 / EVERY_MS);
}

static void
after_a_pause_it_is_full_again_and_never_fuller(void **state)
{
    (void)state;
    fc_rate rate = {0};
    assert_true(is_full(&rate, 0));
    assert_true(pass(&rate, 0));
    assert_false(is_full(&rate, EVERY_MS - 1));
    assert_true(is_full(&rate, EVERY_MS));
    for (int i = 0; i < BURST; i++)
        assert_true(pass(&rate, 1000000));
    assert_false(pass(&rate, 1000000));
    assert_false(is_full(&rate, 1000000 + BURST * EVERY_MS - 1));
    assert_true(is_full(&rate, 1000000 + BURST * EVERY_MS));
}

static void
a_burst_of_one_is_one_at_a_time(void **state)
{
    (void)state;
    fc_rate rate = {0};
    assert_true(fc_rate_pass(&rate, 1, EVERY_MS, (fc_mono){0}));
    assert_false(fc_rate_pass(&rate, 1, EVERY_MS, (fc_mono){EVERY_MS * FC_NS_PER_MS - 1}));
    assert_true(fc_rate_pass(&rate, 1, EVERY_MS, (fc_mono){EVERY_MS * FC_NS_PER_MS}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_then_one_at_a_time_and_the_rest_is_counted),
        cmocka_unit_test(after_a_pause_it_is_full_again_and_never_fuller),
        cmocka_unit_test(a_burst_of_one_is_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
