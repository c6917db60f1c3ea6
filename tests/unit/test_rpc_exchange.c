/* The peer's clock from Ping and Pong. */
#include "common/base/mem.h"
#include "common/rpc/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct hands {
    fc_clock clock;
    int64_t mono_ns;
} hands;

static fc_mono
hands_mono(const fc_clock *clock)
{
    return (fc_mono){((const hands *)(const void *)clock)->mono_ns};
}

static fc_wall
hands_wall(const fc_clock *clock)
{
    return (fc_wall){((const hands *)(const void *)clock)->mono_ns + 1000 * FC_NS_PER_S};
}

static void
the_shortest_of_the_last_eight_round_trips_tells_the_offset(void **state)
{
    (void)state;
    /* The peer is 5 s ahead; `there` and `back` are the path's two ways, `held` what it took the peer to
     * answer. */
    static const struct {
        int64_t there, held, back;
    } trips[] = {{30, 1, 10}, {4, 2, 6}, {50, 0, 1}, {90, 9, 90},
                 {10, 0, 10}, {8, 1, 8}, {70, 1, 7}, {9, 9, 9}};
    hands h = {{hands_mono, hands_wall}, 1000};
    fc_rpc_exchange exchange = {0};
    assert_int_equal(fc_rpc_exchange_best(&exchange).bound_ns, 0);
    for (size_t i = 0; i < FC_COUNT(trips); i++) {
        int64_t origin = fc_rpc_exchange_start(&exchange, &h.clock);
        int64_t received = origin + trips[i].there + 5 * FC_NS_PER_S;
        h.mono_ns += trips[i].there + trips[i].held + trips[i].back;
        assert_true(fc_rpc_exchange_finish(&exchange, &h.clock, origin, received, received + trips[i].held));
    }
    fc_rpc_clock clock = fc_rpc_exchange_best(&exchange);
    assert_int_equal(clock.round_trip_ns, 10);
    assert_int_equal(clock.offset_ns, 5 * FC_NS_PER_S - 1);
    assert_true(clock.bound_ns >= 5);
    /* Eight worse ones later it is forgotten. */
    for (int i = 0; i < FC_RPC_EXCHANGES; i++) {
        int64_t origin = fc_rpc_exchange_start(&exchange, &h.clock);
        h.mono_ns += 100;
        assert_true(fc_rpc_exchange_finish(&exchange, &h.clock, origin, origin + 50, origin + 50));
    }
    assert_int_equal(fc_rpc_exchange_best(&exchange).round_trip_ns, 100);
}

static void
pongs_that_cannot_be_true_are_not_believed(void **state)
{
    (void)state;
    hands h = {{hands_mono, hands_wall}, 1000};
    fc_rpc_exchange exchange = {0};
    assert_false(fc_rpc_exchange_finish(&exchange, &h.clock, 0, 0, 0)); /* no Ping was sent */
    static const struct {
        int64_t receive, transmit;
    } cases[] = {{INT64_MIN, INT64_MAX},     {INT64_MAX, INT64_MIN},    {10, 9}, {0, 1000},
                 {INT64_MIN, INT64_MIN + 1}, {INT64_MAX - 1, INT64_MAX}};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        int64_t origin = fc_rpc_exchange_start(&exchange, &h.clock);
        h.mono_ns += 100;
        assert_false(fc_rpc_exchange_finish(&exchange, &h.clock, origin + 1, origin, origin));
        (void)fc_rpc_exchange_finish(&exchange, &h.clock, origin, cases[i].receive, cases[i].transmit);
        assert_false(fc_rpc_exchange_finish(&exchange, &h.clock, origin, origin, origin)); /* twice */
    }
    assert_true(exchange.taken <= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shortest_of_the_last_eight_round_trips_tells_the_offset),
        cmocka_unit_test(pongs_that_cannot_be_true_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
