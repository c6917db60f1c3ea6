#include "common/base/notify.h"

#include "common/base/mem.h"

#ifdef FC_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
/* What sd-daemon.h would give, when nobody listens. */
static int
sd_notify(int unset_environment, const char *state)
{
    (void)unset_environment;
    (void)state;
    return 0;
}

static int
sd_notifyf(int unset_environment, const char *format, ...)
{
    (void)unset_environment;
    (void)format;
    return 0;
}

static int
sd_watchdog_enabled(int unset_environment, uint64_t *usec)
{
    (void)unset_environment;
    *usec = 0;
    return 0;
}
#endif

static void
alive(fc_timer *timer)
{
    fc_notify *notify = FC_CONTAINER(timer, fc_notify, timer);
    (void)sd_notify(0, "WATCHDOG=1");
    fc_loop_timer_after_ms(notify->loop, timer, notify->interval_ms);
}

void
fc_notify_start(fc_notify *notify, fc_loop *loop)
{
    uint64_t usec = 0;
    *notify = (fc_notify){.loop = loop, .timer.fire = alive};
    if (sd_watchdog_enabled(0, &usec) > 0)
        notify->interval_ms = (int64_t)(usec / 2000);
    if (notify->interval_ms > 0)
        fc_loop_timer_after_ms(loop, &notify->timer, notify->interval_ms);
    (void)sd_notify(0, "READY=1");
}

void
fc_notify_status(const char *text)
{
    (void)sd_notifyf(0, "STATUS=%s", text);
}

void
fc_notify_reloading(void)
{
    (void)sd_notify(0, "RELOADING=1");
}

void
fc_notify_reloaded(void)
{
    (void)sd_notify(0, "READY=1");
}

void
fc_notify_ending(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void
fc_notify_stop(fc_notify *notify)
{
    if (notify->loop != NULL)
        fc_loop_timer_clear(notify->loop, &notify->timer);
}
