#include "common/rpc/exchange.h"

int64_t
fc_rpc_exchange_start(fc_rpc_exchange *exchange, const fc_clock *clock)
{
    exchange->origin = fc_clock_wall(clock);
    exchange->origin_mono = fc_clock_mono(clock);
    return exchange->origin.ns;
}

bool
fc_rpc_exchange_finish(fc_rpc_exchange *exchange, const fc_clock *clock, int64_t origin_unix_ns,
                       int64_t receive_unix_ns, int64_t transmit_unix_ns)
{
    if (exchange->origin.ns == 0 || origin_unix_ns != exchange->origin.ns)
        return false;
    int64_t elapsed = fc_clock_mono(clock).ns - exchange->origin_mono.ns;
    exchange->origin.ns = 0;
    int64_t held, there, back, sum;
    if (__builtin_sub_overflow(transmit_unix_ns, receive_unix_ns, &held) || held < 0 || held > elapsed)
        return false;
    int64_t arrival = origin_unix_ns + elapsed;
    if (__builtin_sub_overflow(receive_unix_ns, origin_unix_ns, &there) ||
        __builtin_sub_overflow(transmit_unix_ns, arrival, &back) || __builtin_add_overflow(there, back, &sum))
        return false;
    size_t at = (size_t)(exchange->taken++ % FC_RPC_EXCHANGES);
    exchange->samples[at].offset_ns = sum / 2;
    exchange->samples[at].round_trip_ns = elapsed - held;
    return true;
}

fc_rpc_clock
fc_rpc_exchange_best(const fc_rpc_exchange *exchange)
{
    fc_rpc_clock best = {0};
    uint64_t count = exchange->taken < FC_RPC_EXCHANGES ? exchange->taken : FC_RPC_EXCHANGES;
    for (uint64_t i = 0; i < count; i++) {
        int64_t round_trip = exchange->samples[i].round_trip_ns;
        if (i > 0 && round_trip >= best.round_trip_ns)
            continue;
        best.offset_ns = exchange->samples[i].offset_ns;
        best.round_trip_ns = round_trip;
        /* Never 0, which would read as "not measured". */
        best.bound_ns = round_trip / 2 + 1;
    }
    return best;
}
