/* rate.h: how often something may be said: a token bucket, which counts what it holds back.
 *
 * Pure. {0} is a full bucket. The bucket is kept as one instant, the one at which it is full again (the
 * generic cell rate algorithm of ITU-T I.371, its virtual scheduling form).
 */
#ifndef FC_BASE_RATE_H
#define FC_BASE_RATE_H

#include "common/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fc_rate {
    fc_mono full;       /* when the bucket is full again */
    uint64_t held_back; /* since the last one that passed, or since it was told */
} fc_rate;

/* May one more pass? `burst` (at least 1) at once, then one every `every_ms`. One that may not is counted. */
bool
fc_rate_pass(fc_rate *rate, uint32_t burst, int64_t every_ms, fc_mono now);
/* How many were held back since it was last asked. */
uint64_t
fc_rate_take_held_back(fc_rate *rate);
/* Nothing passed or was held back for so long that the bucket is full. */
bool
fc_rate_is_full(const fc_rate *rate, fc_mono now);

#endif
