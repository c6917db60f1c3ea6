#include "coordinator/watch.h"

#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <utlist.h>

static void
arm(co_watch *watch, bool at_once)
{
    if (watch->blocked || (watch->armed && !at_once))
        return;
    fc_mono now = fc_loop_now(watch->co->loop);
    fc_mono due = fc_mono_after_ms(watch->last, watch->interval_ms);
    fc_loop_timer_set(watch->co->loop, &watch->timer, at_once || due.ns < now.ns ? now : due);
    watch->armed = true;
}

static void
on_timer(fc_timer *timer)
{
    co_watch *watch = FC_CONTAINER(timer, co_watch, timer);
    watch->armed = false;
    watch->capture->watches_idle = true;
    watch->last = fc_loop_now(watch->co->loop);
    watch->deliver(watch); /* may end it */
}

fc_err
co_watch_start(struct co *co, co_watch *watch, co_capture *capture, uint32_t interval_ms, fc_fail *fail)
{
    if (capture->watch_count >= CO_WATCHES_MAX) {
        co->counters.watches_refused++;
        return fc_fail_set(fail, FC_ERR_LIMIT, "capture '%s' is watched by %u already",
                           capture->definition.name, capture->watch_count);
    }
    if (interval_ms == 0)
        interval_ms = CO_WATCH_INTERVAL_MS;
    if (interval_ms < CO_WATCH_INTERVAL_MIN_MS)
        interval_ms = CO_WATCH_INTERVAL_MIN_MS;
    if (interval_ms > CO_WATCH_INTERVAL_MAX_MS)
        interval_ms = CO_WATCH_INTERVAL_MAX_MS;
    co_capture_hold(capture);
    watch->co = co;
    watch->capture = capture;
    watch->seen = 0;
    watch->interval_ms = interval_ms;
    watch->timer.fire = on_timer;
    DL_APPEND(capture->watches, watch);
    capture->watch_count++;
    arm(watch, true);
    return FC_OK;
}

void
co_watch_stop(co_watch *watch)
{
    co_capture *capture = watch->capture;
    if (capture == NULL)
        return;
    fc_loop_timer_clear(watch->co->loop, &watch->timer);
    DL_DELETE(capture->watches, watch);
    capture->watch_count--;
    watch->capture = NULL;
    co_capture_release(watch->co, capture);
}

void
co_watch_unblock(co_watch *watch)
{
    if (watch->capture == NULL || !watch->blocked)
        return;
    watch->blocked = false;
    arm(watch, true);
}

co_part *
co_watch_first(const co_watch *watch)
{
    co_part *first = NULL;
    for (co_part *part = watch->capture->newest; part != NULL && part->change > watch->seen;
         part = part->older)
        first = part;
    return first;
}

void
co_watch_changed(co_capture *capture, bool turning_point)
{
    if (!turning_point && !capture->watches_idle)
        return;
    co_watch *watch;
    DL_FOREACH (capture->watches, watch)
        arm(watch, turning_point);
    capture->watches_idle = false;
}
