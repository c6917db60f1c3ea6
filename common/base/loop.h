/* loop.h: one thread that decides: mailbox, timers, file descriptors, signals.
 *
 * Callbacks of NNG and other threads only fc_loop_post a task; everything else in this header belongs to the
 * loop's own thread. Tasks, timers and watches are caller's storage and must be quiet before it is freed
 * (a posted task has run or been withdrawn, a timer is clear, a watch is removed).
 * With a fake clock (scenarios) drive it with fc_loop_run_due and fc_loop_next_due; it never sleeps then.
 */
#ifndef FC_BASE_LOOP_H
#define FC_BASE_LOOP_H

#include "common/base/clock.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fc_loop fc_loop;

typedef struct fc_task {
    struct fc_task *next; /* the mailbox's while queued */
    void (*run)(struct fc_task *task);
    bool queued; /* the mailbox's; under its lock */
} fc_task;

typedef struct fc_timer {
    void (*fire)(struct fc_timer *timer);
    fc_mono due;
    size_t slot; /* place in the loop's heap plus one; 0 = not set */
} fc_timer;

typedef struct fc_watch {
    int fd; /* borrowed */
    void (*ready)(struct fc_watch *watch, uint32_t epoll_events);
    bool watched;
} fc_watch;

/* Borrows clock for its life. */
FC_MUST_USE fc_err
fc_loop_new(const fc_clock *clock, fc_loop **ret_loop);
void
fc_loop_free(fc_loop *loop);
const fc_clock *
fc_loop_clock(const fc_loop *loop);
fc_mono
fc_loop_now(const fc_loop *loop); /* monotonic, read afresh */

/* Runs until fc_loop_stop. */
void
fc_loop_run(fc_loop *loop);
void
fc_loop_stop(fc_loop *loop);
/* One round: waits at most max_wait_ms (-1 = for ever) for something to do, and does it. */
void
fc_loop_step(fc_loop *loop, int max_wait_ms);
/* Runs posted tasks and due timers, without waiting. True when anything ran. */
bool
fc_loop_run_due(fc_loop *loop);
/* When the next timer is due; false when there is none. */
bool
fc_loop_next_due(const fc_loop *loop, fc_mono *ret_due);

/* Any thread. A task that is already queued stays queued once. */
void
fc_loop_post(fc_loop *loop, fc_task *task);
/* Takes a task back out of the mailbox if it is there (loop thread only). */
void
fc_loop_withdraw(fc_loop *loop, fc_task *task);

/* (Re)arms; a timer that is set already moves. */
void
fc_loop_timer_set(fc_loop *loop, fc_timer *timer, fc_mono due);
void
fc_loop_timer_after_ms(fc_loop *loop, fc_timer *timer, int64_t ms);
void
fc_loop_timer_clear(fc_loop *loop, fc_timer *timer);

FC_MUST_USE fc_err
fc_loop_watch(fc_loop *loop, fc_watch *watch, uint32_t epoll_events);
void
fc_loop_watch_change(fc_loop *loop, fc_watch *watch, uint32_t epoll_events);
void
fc_loop_unwatch(fc_loop *loop, fc_watch *watch);

#endif
