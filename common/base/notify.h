/* notify.h: tells the service manager how we are (sd_notify(3)): ready, reading the configuration again,
 * ending, and still alive.
 *
 * Without a service manager, or built without libsystemd, all of it does nothing. */
#ifndef FC_BASE_NOTIFY_H
#define FC_BASE_NOTIFY_H

#include "common/base/loop.h"

#include <stdint.h>

typedef struct fc_notify {
    fc_loop *loop; /* borrowed */
    fc_timer timer;
    int64_t interval_ms; /* half of what the watchdog allows; 0 = there is none */
} fc_notify;

/* From now on the loop itself says that it is alive: a loop that hangs is restarted by the watchdog. Says
 * "ready". */
void
fc_notify_start(fc_notify *notify, fc_loop *loop);
/* One line for `systemctl status`. */
void
fc_notify_status(const char *text);
void
fc_notify_reloading(void);
void
fc_notify_reloaded(void);
/* Says "ending"; the loop's aliveness is still reported, so that an end that hangs is noticed too. Before the
 * loop is freed: _stop. */
void
fc_notify_ending(void);
void
fc_notify_stop(fc_notify *notify);

#endif
