/* sketch.h: a distribution of durations in bounded memory.
 *
 * An HDR histogram (G. Tene, hdrhistogram.org): values below 64 have a bucket each, above that every power of
 * two has 64 buckets, so that a quantile is off by at most 1/128 of its value. Integer arithmetic only: the
 * same packets give the same sketch on every machine, and merging is adding. {0} is an empty sketch. Values
 * past FC_SKETCH_VALUE_MAX (about 73 minutes in ns) count there.
 */
#ifndef FC_PROFILE_SKETCH_H
#define FC_PROFILE_SKETCH_H

#include <stddef.h>
#include <stdint.h>

enum { FC_SKETCH_SUB = 64, FC_SKETCH_BUCKETS = 38 * FC_SKETCH_SUB };
#define FC_SKETCH_VALUE_MAX ((1ULL << 42) - 1)

typedef struct fc_sketch {
    uint64_t count, sum, min, max;       /* min and max exact; 0 while empty */
    uint32_t buckets[FC_SKETCH_BUCKETS]; /* saturating */
} fc_sketch;

void
fc_sketch_add(fc_sketch *sketch, uint64_t value);
void
fc_sketch_merge(fc_sketch *sketch, const fc_sketch *more);
/* The value below which a part `q` (0 to 1) of the values lies; 0 when empty. Never outside [min, max]. */
uint64_t
fc_sketch_quantile(const fc_sketch *sketch, double q);
uint64_t
fc_sketch_mean(const fc_sketch *sketch);
/* Pure: bucket of a value, and the middle of a bucket. */
size_t
fc_sketch_bucket(uint64_t value);
uint64_t
fc_sketch_middle(size_t bucket);

#endif
