/* time.c: since when. */
#include "common/base/clock.h"
#include "common/compare/internal.h"

#include <math.h>

/* A beginning this close to the first packet is no beginning: it was there before. */
#define GRACE_NS   (3 * FC_NS_PER_S)
#define GRACE_PART 0.1
/* A step: at least so many buckets with numbers on either side, and at least so much more after than before.
 */
enum { STEP_BUCKETS_MIN = 3 };
#define STEP_RATIO 3.0

static int64_t
beginning(const fc_instance_features *features)
{
    const fc_profile_subject *subject = &features->subject;
    return subject->first_packet_ns > 0 ? subject->first_packet_ns : subject->start_ns;
}

static bool
is_late(const fc_instance_features *features, int64_t at_ns)
{
    int64_t start = beginning(features);
    if (start <= 0 || at_ns <= start)
        return false;
    double after = (double)(at_ns - start);
    return after > (double)GRACE_NS && after > GRACE_PART * features->seconds * (double)FC_NS_PER_S;
}

int64_t
fc_since_trouble(const fc_instance_features *features, const fc_feature_trouble *trouble)
{
    return is_late(features, trouble->first_ns) ? trouble->first_ns : 0;
}

static double
bucket_value(const fc_feature_series *series, int sum, int count, uint32_t bucket)
{
    double value = series->rows[sum] != NULL ? (double)series->rows[sum][bucket] : 0;
    if (count == FC_COMPARE_NONE)
        return value;
    uint64_t of = series->rows[count] != NULL ? series->rows[count][bucket] : 0;
    return of > 0 ? value / (double)of : NAN;
}

/* The split with the greatest difference of means before and after, weighed by how much lies on either side
 * (the statistic of a change in mean: E. Page, A Test for a Change in a Parameter Occurring at an Unknown
 * Point, 1955). */
int64_t
fc_since_step(const fc_instance_features *features, int sum, int count)
{
    const fc_feature_series *series = &features->series;
    double total = 0, left = 0, best = 0, ratio = 0;
    uint32_t all = 0, seen = 0, at = 0;
    for (uint32_t i = 0; i < series->bucket_count; i++) {
        double value = bucket_value(series, sum, count, i);
        if (isfinite(value)) {
            total += value;
            all++;
        }
    }
    for (uint32_t i = 0; i < series->bucket_count; i++) {
        double value = bucket_value(series, sum, count, i);
        if (!isfinite(value))
            continue;
        if (seen >= STEP_BUCKETS_MIN && all - seen >= STEP_BUCKETS_MIN) {
            double before = left / seen, after = (total - left) / (all - seen);
            double gain = (after - before) * sqrt((double)seen * (all - seen));
            if (gain > best) {
                best = gain;
                at = i;
                ratio = before > 0 ? after / before : INFINITY;
            }
        }
        left += value;
        seen++;
    }
    int64_t step = (series->start_s + (int64_t)at * series->width_s) * FC_NS_PER_S;
    return ratio >= STEP_RATIO && is_late(features, step) ? step : 0;
}
