#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * FC_NS_PER_S + ts.tv_nsec;
}

static fc_mono
system_mono(const fc_clock *clock)
{
    (void)clock;
    return (fc_mono){read_clock(CLOCK_MONOTONIC)};
}

static fc_wall
system_wall(const fc_clock *clock)
{
    (void)clock;
    return (fc_wall){read_clock(CLOCK_REALTIME)};
}

const fc_clock fc_clock_system = {system_mono, system_wall};

int64_t
fc_mono_until_ms(fc_mono now, fc_mono due)
{
    return due.ns <= now.ns ? 0 : (due.ns - now.ns + FC_NS_PER_MS - 1) / FC_NS_PER_MS;
}

/* rest: what is behind the point, of so many digits. */
static const char *
time_text(int64_t unix_s, int rest, int digits, char text[FC_TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)unix_s;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(text, FC_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        (void)snprintf(text, FC_TIME_TEXT_SIZE, "-");
    else
        (void)snprintf(text + 19, FC_TIME_TEXT_SIZE - 19, ".%0*dZ", digits, rest);
    return text;
}

const char *
fc_wall_text(fc_wall wall, char text[FC_TIME_TEXT_SIZE])
{
    if (wall.ns == 0) {
        (void)snprintf(text, FC_TIME_TEXT_SIZE, "-");
        return text;
    }
    int64_t seconds = wall.ns / FC_NS_PER_S;
    int64_t rest = wall.ns % FC_NS_PER_S;
    if (rest < 0) {
        rest += FC_NS_PER_S;
        seconds--;
    }
    return time_text(seconds, (int)(rest / FC_NS_PER_MS), 3, text);
}

const char *
fc_wall_exact_text(fc_wall wall, char text[FC_TIME_TEXT_SIZE])
{
    if (wall.ns > 0)
        return time_text(wall.ns / FC_NS_PER_S, (int)(wall.ns % FC_NS_PER_S), 9, text);
    (void)snprintf(text, FC_TIME_TEXT_SIZE, "-");
    return text;
}
