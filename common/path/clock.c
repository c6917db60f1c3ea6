#include "common/path/clock.h"

#include "common/base/mem.h"

#include <math.h>
#include <stdlib.h>

/* With packets in one direction only, the other one may take this long. */
#define OTHER_WAY_NS INT64_C(1000000000)
/* Oscillators of computers: within 200 ppm of each other. For stretches of time without packets in both
 * directions. */
#define SKEW_ASSUMED 200e-6

void
fc_path_clocks_init(fc_path_clocks *clocks, int64_t first_ns, int64_t last_ns, int64_t resolution_ns,
                    size_t packets)
{
    size_t bins = packets < FC_PATH_CLOCK_BINS_MIN   ? FC_PATH_CLOCK_BINS_MIN
                  : packets > FC_PATH_CLOCK_BINS_MAX ? FC_PATH_CLOCK_BINS_MAX
                                                     : packets;
    *clocks = (fc_path_clocks){
        .first_ns = first_ns, .last_ns = last_ns, .resolution_ns = resolution_ns, .bin_count = bins};
    for (int way = 0; way < 2; way++) {
        clocks->hulls[way].least = fc_alloc_array(bins, sizeof(fc_path_point));
        clocks->hulls[way].greatest = fc_alloc_array(bins, sizeof(fc_path_point));
    }
}

void
fc_path_clocks_fini(fc_path_clocks *clocks)
{
    for (int way = 0; way < 2; way++) {
        free(clocks->hulls[way].least);
        free(clocks->hulls[way].greatest);
    }
    *clocks = (fc_path_clocks){0};
}

void
fc_path_clocks_add(fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns, int64_t arrived_ns)
{
    fc_path_point point = {way == FC_PATH_A_TO_B ? sent_ns : arrived_ns, arrived_ns - sent_ns};
    fc_path_hull *hull = &clocks->hulls[way];
    double place =
        (double)(point.at_ns - clocks->first_ns) / ((double)(clocks->last_ns - clocks->first_ns) + 1);
    if (place < 0 || place >= 1)
        return;
    size_t bin = (size_t)(place * (double)clocks->bin_count);
    hull->samples++;
    if (hull->least[bin].at_ns == 0 || point.shift_ns < hull->least[bin].shift_ns)
        hull->least[bin] = point;
    if (hull->greatest[bin].at_ns == 0 || point.shift_ns > hull->greatest[bin].shift_ns)
        hull->greatest[bin] = point;
}

/* The line through two points, at a time. */
static double
line_at(fc_path_point a, fc_path_point b, int64_t at_ns)
{
    if (a.at_ns == b.at_ns)
        return (double)(a.shift_ns < b.shift_ns ? a.shift_ns : b.shift_ns);
    return (double)a.shift_ns +
           (double)(b.shift_ns - a.shift_ns) * ((double)(at_ns - a.at_ns) / (double)(b.at_ns - a.at_ns));
}

/* The lower convex hull of points in order of time (Andrew's monotone chain), in place. */
static void
make_hull(fc_path_hull *hull, size_t bin_count)
{
    fc_path_point *points = hull->least;
    size_t count = 0;
    for (size_t i = 0; i < bin_count; i++) {
        if (points[i].at_ns == 0)
            continue;
        fc_path_point next = points[i];
        while (count >= 2 && (double)points[count - 1].shift_ns >=
                                 line_at(points[count - 2], next, points[count - 1].at_ns))
            count--;
        points[count++] = next;
    }
    hull->count = count;
}

/* Of the least shift at a time; before the first and behind the last corner it goes on with `slope`. */
static double
hull_at(const fc_path_hull *hull, int64_t at_ns, double slope)
{
    const fc_path_point *points = hull->least;
    size_t low = 0, high = hull->count - 1;
    if (at_ns <= points[0].at_ns)
        return (double)points[0].shift_ns + slope * (double)(at_ns - points[0].at_ns);
    if (at_ns >= points[high].at_ns)
        return (double)points[high].shift_ns + slope * (double)(at_ns - points[high].at_ns);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (points[middle].at_ns <= at_ns)
            low = middle;
        else
            high = middle;
    }
    return line_at(points[low], points[high], at_ns);
}

/* d(B - A)/dt as it shows in the shifts of a way. */
static double
slope_of(const fc_path_clocks *clocks, fc_path_way way)
{
    double skew = clocks->clock.skew_ppm * 1e-6;
    return way == FC_PATH_A_TO_B ? skew : -skew;
}

static void
measure_spread(fc_path_clocks *clocks, fc_path_way way)
{
    fc_path_hull *hull = &clocks->hulls[way];
    for (size_t i = 0; hull->count > 0 && i < clocks->bin_count; i++) {
        if (hull->greatest[i].at_ns == 0)
            continue;
        double above = (double)hull->greatest[i].shift_ns -
                       hull_at(hull, hull->greatest[i].at_ns, slope_of(clocks, way));
        if (above > (double)hull->spread_ns)
            hull->spread_ns = (int64_t)above;
    }
}

/* The flattest and the steepest line between the hulls. Corners that are skipped only make the range wider.
 */
static void
bound_skew(fc_path_clocks *clocks)
{
    const fc_path_hull *there = &clocks->hulls[0], *back = &clocks->hulls[1];
    size_t there_step = there->count / FC_PATH_CLOCK_HULL_FOR_SKEW + 1,
           back_step = back->count / FC_PATH_CLOCK_HULL_FOR_SKEW + 1;
    double least = -INFINITY, most = INFINITY;
    for (size_t i = 0; i < there->count; i += there_step)
        for (size_t j = 0; j < back->count; j += back_step) {
            double apart = (double)(there->least[i].at_ns - back->least[j].at_ns);
            double room =
                (double)(there->least[i].shift_ns + back->least[j].shift_ns) + (double)clocks->resolution_ns;
            if (apart > 0)
                most = fmin(most, room / apart);
            else if (apart < 0)
                least = fmax(least, room / apart);
        }
    clocks->clock.skew_bound_ppm = -1;
    if (isfinite(least) && isfinite(most) && least <= most) {
        clocks->clock.skew_ppm = (least + most) / 2 * 1e6;
        clocks->clock.skew_bound_ppm = (most - least) / 2 * 1e6;
    } else if (isfinite(least) && isfinite(most)) {
        clocks->clock.linear = false;
    }
}

/* The least distance of the hulls where both have packets; negative when no line fits between them. */
static bool
hulls_apart(const fc_path_clocks *clocks, int64_t from_ns, int64_t to_ns)
{
    for (int way = 0; way < 2; way++) {
        const fc_path_hull *hull = &clocks->hulls[way];
        for (size_t i = 0; i < hull->count; i++) {
            int64_t at_ns = hull->least[i].at_ns;
            if (at_ns < from_ns || at_ns > to_ns)
                continue;
            if (hull_at(&clocks->hulls[0], at_ns, 0) + hull_at(&clocks->hulls[1], at_ns, 0) <
                -(double)clocks->resolution_ns)
                return false;
        }
    }
    return true;
}

void
fc_path_clocks_fit(fc_path_clocks *clocks)
{
    fc_path_hull *there = &clocks->hulls[0], *back = &clocks->hulls[1];
    make_hull(there, clocks->bin_count);
    make_hull(back, clocks->bin_count);
    fc_path_clock *clock = &clocks->clock;
    *clock =
        (fc_path_clock){.linear = true, .skew_bound_ppm = -1, .samples = {there->samples, back->samples}};
    if (there->count > 0 && back->count > 0) {
        int64_t from = there->least[0].at_ns, to = there->least[there->count - 1].at_ns;
        from = back->least[0].at_ns > from ? back->least[0].at_ns : from;
        to = back->least[back->count - 1].at_ns < to ? back->least[back->count - 1].at_ns : to;
        double guess = from > to ? SKEW_ASSUMED * (double)(from - to) : 0;
        clock->at_ns = from + (to - from) / 2;
        double up = hull_at(there, clock->at_ns, 0), down = -hull_at(back, clock->at_ns, 0);
        clock->linear = hulls_apart(clocks, from, to);
        bound_skew(clocks);
        clock->known = clock->linear;
        clock->offset_ns = (int64_t)llround((up + down) / 2);
        clock->round_trip_ns = (int64_t)llround(up - down);
        clock->bound_ns = (int64_t)ceil(fabs(up - down) / 2 + guess) + clocks->resolution_ns;
    }
    measure_spread(clocks, FC_PATH_A_TO_B);
    measure_spread(clocks, FC_PATH_B_TO_A);
}

bool
fc_path_clocks_expect(const fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns,
                      int64_t *ret_earliest_ns, int64_t *ret_latest_ns)
{
    const fc_path_hull *hull = &clocks->hulls[way], *other = &clocks->hulls[way ^ 1];
    const fc_path_hull *used = hull->count > 0 ? hull : other;
    if (used->count == 0)
        return false;
    /* The hull's times are A's: B's departures are first put on A's clock, as far as that matters to a line.
     */
    int64_t at_ns = way == FC_PATH_A_TO_B ? sent_ns
                    : hull->count > 0     ? sent_ns + hull->least[0].shift_ns
                                          : sent_ns - other->least[0].shift_ns;
    double shift = hull->count > 0 ? hull_at(hull, at_ns, slope_of(clocks, way))
                                   : -hull_at(other, at_ns, slope_of(clocks, way ^ 1));
    *ret_earliest_ns = sent_ns + (int64_t)shift;
    *ret_latest_ns = *ret_earliest_ns + used->spread_ns + (hull->count > 0 ? 0 : OTHER_WAY_NS);
    return true;
}

int64_t
fc_path_clocks_delay(const fc_path_clocks *clocks, fc_path_way way, int64_t sent_ns, int64_t arrived_ns,
                     int64_t *ret_bound_ns)
{
    int64_t at_ns = way == FC_PATH_A_TO_B ? sent_ns : arrived_ns;
    double own = hull_at(&clocks->hulls[way], at_ns, slope_of(clocks, way));
    double shift = (double)(arrived_ns - sent_ns);
    if (!clocks->clock.known) {
        *ret_bound_ns = -1;
        return (int64_t)(shift - own);
    }
    /* The true shift of the clocks is in the middle of the hulls, give or take half their distance there; it
     * is also on the line, give or take what the line may be off. The narrower one holds. */
    double other = hull_at(&clocks->hulls[way ^ 1], at_ns, slope_of(clocks, way ^ 1));
    double sign = way == FC_PATH_A_TO_B ? 1 : -1;
    double delay = shift - (own - other) / 2, bound = fabs(own + other) / 2 + (double)clocks->resolution_ns;
    const fc_path_clock *clock = &clocks->clock;
    double apart = (double)(at_ns - clock->at_ns);
    double line_bound = (double)clock->bound_ns + fabs(apart) * clock->skew_bound_ppm * 1e-6;
    if (clock->skew_bound_ppm >= 0 && line_bound < bound) {
        bound = line_bound;
        delay = shift - sign * ((double)clock->offset_ns + clock->skew_ppm * 1e-6 * apart);
    }
    *ret_bound_ns = (int64_t)ceil(bound);
    return (int64_t)llround(delay);
}
