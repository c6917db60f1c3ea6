/* watch.h: who wants to see a capture change, and when they are told.
 *
 * Changes are numbered per capture and a part remembers its last number, so a watch needs one number to know
 * what it has not shown yet: a thousand changes between two deliveries cost one. A delivery comes at most
 * once per interval, but a turning point (state changed, all running, all finished) comes at once.
 */
#ifndef CO_WATCH_H
#define CO_WATCH_H

#include "common/base/loop.h"
#include "coordinator/captures.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CO_WATCH_INTERVAL_MS = 200,
    CO_WATCH_INTERVAL_MIN_MS = 20,
    CO_WATCH_INTERVAL_MAX_MS = 60000,
    CO_WATCHES_MAX = 64, /* of one capture */
};

typedef struct co_watch {
    struct co *co;       /* borrowed */
    co_capture *capture; /* held */
    uint64_t seen;       /* change number up to which everything was delivered */
    uint32_t interval_ms;
    fc_mono last; /* when the last delivery was */
    bool blocked; /* the reader does not keep up: nothing is delivered until co_watch_unblock */
    bool armed;   /* the timer is set */
    fc_timer timer;
    /* Delivers all that is newer than `seen` (co_watch_first, ->newer), or part of it and sets blocked. */
    void (*deliver)(struct co_watch *watch);
    struct co_watch *next, *prev;
} co_watch;

/* Caller's storage with `deliver` set. The first delivery comes from the loop. FC_ERR_LIMIT when there are
 * too many. */
FC_MUST_USE fc_err
co_watch_start(struct co *co, co_watch *watch, co_capture *capture, uint32_t interval_ms, fc_fail *fail);
/* Idempotent. */
void
co_watch_stop(co_watch *watch);
void
co_watch_unblock(co_watch *watch);
/* The oldest change that the watch has not seen; NULL when there is none. Then ->newer. */
co_part *
co_watch_first(const co_watch *watch);

/* The capture changed: called by captures.c. */
void
co_watch_changed(co_capture *capture, bool turning_point);

#endif
