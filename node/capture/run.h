/* run.h: the life of an instance capture in this process.
 *
 *     spec -> rings open -> privileges gone -> ARMED -> RUNNING -> DRAINING -> sealed, stopped
 *
 * This thread is the ring thread: it drains the rings, talks to the node, watches the limits, and decides. It
 * blocks in poll(2) and nowhere else until everything is drained. Beside it there are the writer's thread and
 * the profiler's.
 */
#ifndef CAP_RUN_H
#define CAP_RUN_H

#include "common/base/err.h"

#include <stdbool.h>

/* While it runs the node hears of it at least so often, packets or not (ND_SILENCE_MS is the other side). */
enum { CAP_HEARTBEAT_MS = 5000 };

/* From the first command to the last event. profile: with the profile thread; off only to measure its cost.
 * The exit status for the process. */
fc_exit
cap_run(int channel_fd, int dir_fd, bool profile);

#endif
