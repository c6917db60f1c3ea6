/* clock.h: time, monotonic and wall, as distinct types; and the one interface it comes through.
 *
 * Programs use fc_clock_system; scenarios use their own struct fc_clock whose hands they move.
 */
#ifndef FC_BASE_CLOCK_H
#define FC_BASE_CLOCK_H

#include <stdint.h>

typedef struct fc_mono {
    int64_t ns; /* since an arbitrary start; for durations and timers */
} fc_mono;

typedef struct fc_wall {
    int64_t ns; /* since 1970-01-01 UTC; 0 = not set */
} fc_wall;

typedef struct fc_clock {
    fc_mono (*mono_now)(const struct fc_clock *clock);
    fc_wall (*wall_now)(const struct fc_clock *clock);
} fc_clock;

#define FC_NS_PER_US 1000LL
#define FC_NS_PER_MS 1000000LL
#define FC_NS_PER_S  1000000000LL

extern const fc_clock fc_clock_system;

static inline fc_mono
fc_clock_mono(const fc_clock *clock)
{
    return clock->mono_now(clock);
}

static inline fc_wall
fc_clock_wall(const fc_clock *clock)
{
    return clock->wall_now(clock);
}

static inline fc_mono
fc_mono_after_ms(fc_mono from, int64_t ms)
{
    return (fc_mono){from.ns + ms * FC_NS_PER_MS};
}

/* Milliseconds from now until due, rounded up; 0 when past. */
int64_t
fc_mono_until_ms(fc_mono now, fc_mono due);

#define FC_TIME_TEXT_SIZE 32
/* "2026-11-21T02:45:37.123Z" (RFC 3339, UTC) into text; "-" for 0. Returns text. */
const char *
fc_wall_text(fc_wall wall, char text[FC_TIME_TEXT_SIZE]);
/* The same with nine digits; "-" for what is before 1970, too. */
const char *
fc_wall_exact_text(fc_wall wall, char text[FC_TIME_TEXT_SIZE]);

#endif
