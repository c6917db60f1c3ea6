/* robust.h: how far is far: median and MAD, and exact tests for counts. Pure arithmetic; nothing here knows
 * what a packet is. */
#ifndef FC_COMPARE_ROBUST_H
#define FC_COMPARE_ROBUST_H

#include <stddef.h>
#include <stdint.h>

/* All NAN while count is 0. */
typedef struct fc_spread {
    size_t count;
    double median;
    double mad; /* median absolute deviation times 1.4826: of a normal distribution that is its standard
                   deviation */
    double min, max;
} fc_spread;

/* Sorts values. NANs are left out. */
void
fc_spread_measure(double *values, size_t count, fc_spread *ret_spread);
/* The same without values[without] (SIZE_MAX: nothing is left out), leaving values as they are. scratch: room
 * for count numbers. */
void
fc_spread_without(const double *values, size_t count, size_t without, double *scratch, fc_spread *ret_spread);

/* Fisher's exact test, one-sided: how likely are x or more of the x + peer_x events among these n trials
 * rather than the peers' peer_n, if all were alike? 1 when x is not more than its share. */
double
fc_robust_more(uint64_t x, uint64_t n, uint64_t peer_x, uint64_t peer_n);
/* How likely is it to see none of a thing in n trials of which the peers have peer_x in peer_n? */
double
fc_robust_none(uint64_t n, uint64_t peer_x, uint64_t peer_n);

#endif
