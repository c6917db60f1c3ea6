#include "common/base/rate.h"

bool
fc_rate_pass(fc_rate *rate, uint32_t burst, int64_t every_ms, fc_mono now)
{
    fc_mono full = rate->full.ns > now.ns ? rate->full : now;
    if (full.ns - now.ns > (int64_t)(burst - 1) * every_ms * FC_NS_PER_MS) {
        rate->held_back++;
        return false;
    }
    rate->full = fc_mono_after_ms(full, every_ms);
    return true;
}

uint64_t
fc_rate_take_held_back(fc_rate *rate)
{
    uint64_t count = rate->held_back;
    rate->held_back = 0;
    return count;
}

bool
fc_rate_is_full(const fc_rate *rate, fc_mono now)
{
    return rate->full.ns <= now.ns;
}
