#include "common/compare/robust.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Scale of the MAD that makes it comparable with a standard deviation (P. Rousseeuw, C. Croux: Alternatives
 * to the Median Absolute Deviation, 1993). */
#define MAD_SCALE 1.4826
/* Terms of a tail that are added at most; beyond the mean they fall at least geometrically, so the rest does
 * not matter. */
enum { TAIL_TERMS_MAX = 20000 };

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median_of_sorted(const double *values, size_t count)
{
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void
fc_spread_measure(double *values, size_t count, fc_spread *ret_spread)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            values[kept++] = values[i];
    *ret_spread = (fc_spread){kept, NAN, NAN, NAN, NAN};
    if (kept == 0)
        return;
    qsort(values, kept, sizeof *values, compare_doubles);
    ret_spread->median = median_of_sorted(values, kept);
    ret_spread->min = values[0];
    ret_spread->max = values[kept - 1];
    for (size_t i = 0; i < kept; i++)
        values[i] = fabs(values[i] - ret_spread->median);
    qsort(values, kept, sizeof *values, compare_doubles);
    ret_spread->mad = MAD_SCALE * median_of_sorted(values, kept);
}

void
fc_spread_without(const double *values, size_t count, size_t without, double *scratch, fc_spread *ret_spread)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i != without)
            scratch[kept++] = values[i];
    fc_spread_measure(scratch, kept, ret_spread);
}

static double
log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double
fc_robust_more(uint64_t x, uint64_t n, uint64_t peer_x, uint64_t peer_n)
{
    double hits = (double)x + (double)peer_x, trials = (double)n + (double)peer_n, k = (double)x,
           own = (double)n;
    if (x > n || peer_x > peer_n || trials <= 0 || k * trials <= hits * own)
        return 1;
    /* The hypergeometric distribution: P(k) = C(hits, k) C(trials - hits, own - k) / C(trials, own), and the
     * terms after it by ratio. */
    double term = exp(log_choose(hits, k) + log_choose(trials - hits, own - k) - log_choose(trials, own));
    double sum = 0;
    for (int i = 0; i < TAIL_TERMS_MAX && term > 0; i++) {
        sum += term;
        if (term < sum * 1e-12)
            break;
        term *= (hits - k) / (k + 1) * (own - k) / (trials - hits - own + k + 1);
        k += 1;
    }
    return sum < 1 ? sum : 1;
}

double
fc_robust_none(uint64_t n, uint64_t peer_x, uint64_t peer_n)
{
    if (peer_n == 0 || peer_x > peer_n)
        return 1;
    /* With the peers' share taken one event lower, so that a single event of theirs proves nothing. */
    double share = peer_x > 0 ? ((double)peer_x - 1) / (double)peer_n : 0;
    return share >= 1 ? 0 : exp((double)n * log1p(-share));
}
