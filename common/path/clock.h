/* clock.h: what B's clock shows against A's, from packets that were seen at both ends.
 *
 * No packet arrives before it was sent: each packet from A to B bounds the difference of the clocks from
 * above, each packet from B to A from below. For clocks that run evenly the difference is a line between the
 * lower convex hull of the former and the upper hull of the latter (Moon, Skelly, Towsley 1999; Paxson 1998):
 * half their distance is the bound of the offset, the steepest and the flattest line that still fits between
 * them bound the skew. Nothing is assumed of the delays but that they are not negative.
 *
 * Bounded: the least and the greatest of each of up to FC_PATH_CLOCK_BINS_MAX stretches of time are kept, for
 * each direction. */
#ifndef FC_PATH_CLOCK_H
#define FC_PATH_CLOCK_H

#include "common/path/path.h"

enum { FC_PATH_CLOCK_BINS_MIN = 64, FC_PATH_CLOCK_BINS_MAX = 1 << 15, FC_PATH_CLOCK_HULL_FOR_SKEW = 1024 };

/* Beyond the delays that were seen, a packet may take this much longer before it counts as lost. */
#define FC_PATH_LATE_NS INT64_C(50000000)

typedef struct fc_path_point {
    int64_t at_ns;    /* on A's clock */
    int64_t shift_ns; /* arrival on the receiver's clock minus departure on the sender's */
} fc_path_point;

typedef struct fc_path_hull {
    fc_path_point *least;    /* owned; bins, then the hull's corners in order */
    fc_path_point *greatest; /* owned; bins; at_ns 0 = empty */
    size_t count;            /* corners, after fit */
    uint64_t samples;
    int64_t spread_ns; /* by how much a shift was above the hull, at most; after fit */
} fc_path_hull;

typedef struct fc_path_clocks {
    int64_t first_ns, last_ns; /* of A */
    int64_t resolution_ns;     /* of the coarser timestamps */
    size_t bin_count;
    fc_path_hull hulls[2]; /* by fc_path_way */
    fc_path_clock clock;   /* after fit */
} fc_path_clocks;

/* packets: how many there are at most; for how fine the stretches of time are. */
void
fc_path_clocks_init(fc_path_clocks *clocks, int64_t first_ns, int64_t last_ns, int64_t resolution_ns,
                    size_t packets);
void
fc_path_clocks_fini(fc_path_clocks *clocks);
void
fc_path_clocks_add(fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns, int64_t arrived_ns);
void
fc_path_clocks_fit(fc_path_clocks *clocks);
/* When a packet arrives, on the receiver's clock, at the earliest and at the latest that was seen. False:
 * nothing relates the clocks. */
bool
fc_path_clocks_expect(const fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns,
                      int64_t *ret_earliest_ns, int64_t *ret_latest_ns);
/* How long it took. *ret_bound_ns: the true delay is within +- this; -1: relative to the least delay of this
 * way. */
int64_t
fc_path_clocks_delay(const fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns, int64_t arrived_ns,
                     int64_t *ret_bound_ns);

#endif
