/* run.h: the life of an instance capture in this process.
 *
 *     spec -> rings open -> privileges gone -> ARMED -> RUNNING -> DRAINING -> sealed, stopped
 *
 * This thread is the ring thread: it drains the rings, talks to the node, watches the limits, and decides. It
 * blocks in poll(2) and nowhere else until everything is drained.
 */
#ifndef CAP_RUN_H
#define CAP_RUN_H

#include "common/base/err.h"

/* From the first command to the last event. The exit status for the process. */
fc_exit cap_run(int channel_fd, int dir_fd);

#endif
