#include "common/profile/series.h"

#include "common/base/clock.h"
#include "common/profile/clean.h"

#include <string.h>

/* Moves the buckets of every row `by` to the right. There is room for it. */
static void
shift(fc_series *series, uint32_t by)
{
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        uint64_t *values = series->rows[row];
        memmove(values + by, values, series->bucket_count * sizeof *values);
        memset(values, 0, by * sizeof *values);
    }
    series->bucket_count += by;
    series->start_s -= (int64_t)by * series->width_s;
}

/* Twice the width; the start stays a multiple of it. */
static void
widen(fc_series *series)
{
    uint32_t odd = (uint32_t)((series->start_s / series->width_s) & 1);
    uint32_t count = (series->bucket_count + odd + 1) / 2;
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        uint64_t *values = series->rows[row], wide[FC_SERIES_BUCKETS] = {0};
        for (uint32_t i = 0; i < series->bucket_count; i++)
            wide[(i + odd) / 2] = fc_sum(wide[(i + odd) / 2], values[i]);
        memcpy(values, wide, sizeof wide);
    }
    series->start_s -= (int64_t)odd * series->width_s;
    series->width_s *= 2;
    series->bucket_count = count;
}

static uint32_t
bucket_at(fc_series *series, int64_t second)
{
    if (series->width_s == 0) {
        series->width_s = 1;
        series->start_s = second;
        series->bucket_count = 1;
        return 0;
    }
    for (;; widen(series)) {
        int bits = __builtin_ctz(series->width_s); /* widths are powers of two */
        int64_t index = (second >> bits) - (series->start_s >> bits);
        if (index >= FC_SERIES_BUCKETS || index < (int64_t)series->bucket_count - FC_SERIES_BUCKETS)
            continue;
        if (index < 0) {
            shift(series, (uint32_t)-index);
            return 0;
        }
        if (index >= series->bucket_count)
            series->bucket_count = (uint32_t)index + 1;
        return (uint32_t)index;
    }
}

uint32_t
fc_series_bucket(fc_series *series, int64_t unix_ns)
{
    return bucket_at(series, fc_clean_time(unix_ns) / FC_NS_PER_S);
}

void
fc_series_add(fc_series *series, fc_series_id row, int64_t unix_ns, uint64_t value)
{
    uint64_t *at = &series->rows[row][fc_series_bucket(series, unix_ns)];
    *at = fc_sum(*at, value);
}

void
fc_series_merge(fc_series *series, const fc_series *more)
{
    if (more->width_s == 0 || more->bucket_count == 0)
        return;
    (void)bucket_at(series, more->start_s);
    while (series->width_s < more->width_s)
        widen(series);
    (void)bucket_at(series, more->start_s + (int64_t)(more->bucket_count - 1) * more->width_s);
    for (uint32_t i = 0; i < more->bucket_count; i++) {
        uint32_t to = bucket_at(series, more->start_s + (int64_t)i * more->width_s);
        for (size_t row = 0; row < FC_SERIES_COUNT; row++)
            series->rows[row][to] = fc_sum(series->rows[row][to], more->rows[row][i]);
    }
}
