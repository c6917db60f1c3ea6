#include "common/profile/sketch.h"

#include "common/profile/clean.h"

enum { SUB_BITS = 6 };

size_t
fc_sketch_bucket(uint64_t value)
{
    if (value < FC_SKETCH_SUB)
        return (size_t)value;
    if (value > FC_SKETCH_VALUE_MAX)
        value = FC_SKETCH_VALUE_MAX;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    return (size_t)(power - SUB_BITS) * FC_SKETCH_SUB + (size_t)(value >> (power - SUB_BITS));
}

uint64_t
fc_sketch_middle(size_t bucket)
{
    if (bucket < 2 * FC_SKETCH_SUB)
        return bucket;
    unsigned shift = (unsigned)(bucket / FC_SKETCH_SUB) - 1;
    uint64_t low = (uint64_t)(FC_SKETCH_SUB + bucket % FC_SKETCH_SUB) << shift;
    return low + (1ULL << shift) / 2;
}

void
fc_sketch_add(fc_sketch *sketch, uint64_t value)
{
    if (sketch->count == 0 || value < sketch->min)
        sketch->min = value;
    if (value > sketch->max)
        sketch->max = value;
    sketch->count++;
    sketch->sum = fc_sum(sketch->sum, value);
    uint32_t *bucket = &sketch->buckets[fc_sketch_bucket(value)];
    *bucket += *bucket != UINT32_MAX;
}

void
fc_sketch_merge(fc_sketch *sketch, const fc_sketch *more)
{
    if (more->count == 0)
        return;
    if (sketch->count == 0 || more->min < sketch->min)
        sketch->min = more->min;
    if (more->max > sketch->max)
        sketch->max = more->max;
    sketch->count = fc_sum(sketch->count, more->count);
    sketch->sum = fc_sum(sketch->sum, more->sum);
    for (size_t i = 0; i < FC_SKETCH_BUCKETS; i++) {
        uint32_t *bucket = &sketch->buckets[i];
        if (__builtin_add_overflow(*bucket, more->buckets[i], bucket))
            *bucket = UINT32_MAX;
    }
}

static uint64_t
within(const fc_sketch *sketch, uint64_t value)
{
    return value < sketch->min ? sketch->min : value > sketch->max ? sketch->max : value;
}

uint64_t
fc_sketch_quantile(const fc_sketch *sketch, double q)
{
    /* Of what is in the buckets: count can be more, they saturate. */
    uint64_t total = 0;
    for (size_t i = 0; i < FC_SKETCH_BUCKETS; i++)
        total += sketch->buckets[i];
    if (total == 0 || !(q > 0))
        return sketch->min;
    if (q >= 1)
        return sketch->max;
    /* The nearest rank: the smallest value such that at least q of all are not above it. */
    double exact = q * (double)total;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact;
    uint64_t seen = 0;
    for (size_t i = 0; i < FC_SKETCH_BUCKETS; i++) {
        seen += sketch->buckets[i];
        if (seen >= rank)
            return within(sketch, fc_sketch_middle(i));
    }
    return sketch->max;
}

uint64_t
fc_sketch_mean(const fc_sketch *sketch)
{
    return sketch->count == 0 ? 0 : within(sketch, sketch->sum / sketch->count);
}
