/* series.h: sums per bucket of time. Buckets begin as seconds of the wall clock; when the time does not fit,
 * they double in width (2 s, 4 s …, always aligned to multiples of the width), so that series of different
 * instances can be laid over each other.
 */
#ifndef FC_PROFILE_SERIES_H
#define FC_PROFILE_SERIES_H

#include "common/profile/names.h"

#include <stdint.h>

enum { FC_SERIES_BUCKETS = 240 };

/* {0} is empty. */
typedef struct fc_series {
    int64_t start_s;  /* Unix seconds, a multiple of width_s */
    uint32_t width_s; /* 0 while empty */
    uint32_t bucket_count;
    uint64_t rows[FC_SERIES_COUNT][FC_SERIES_BUCKETS];
} fc_series;

/* Earlier times than the first bucket are possible (packets out of order, merges): the series grows to the
 * left. */
void
fc_series_add(fc_series *series, fc_series_id row, int64_t unix_ns, uint64_t value);
void
fc_series_merge(fc_series *series, const fc_series *more);
/* The bucket of a time, made if need be: for callers that add many values of one second. */
uint32_t
fc_series_bucket(fc_series *series, int64_t unix_ns);

#endif
