/* leap.h: one packet alone does not move the clock far.
 *
 * The analyzer's time is that of the packets, and it judges what has been silent for too long. A damaged file
 * has packets that claim to be years ahead; so has a capture whose clock was wrong for a moment. Such a
 * packet waits here, one at a time, until the next one says which it was: a pause in the traffic (that one is
 * as late) or a wrong time (that one is where the clock was).
 */
#ifndef FC_ANALYSIS_LEAP_H
#define FC_ANALYSIS_LEAP_H

#include "common/base/buf.h"
#include "common/pcapng/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* So far a packet may move the clock alone. The longest silence that anything is judged by (FC_IDLE_TCP_NS):
 * what a wrong time below it can end early is the short-lived. */
#define FC_LEAP_NS (3600 * 1000000000LL)
/* So far the last packet of all may, which no other bears out. */
#define FC_LEAP_LAST_NS (24 * FC_LEAP_NS)

typedef struct fc_leap {
    fc_frame frame;  /* its data is in `bytes` */
    fc_buf bytes;    /* owned */
    uint64_t number; /* of the frame in its file */
    uint8_t file;
    bool held;
} fc_leap;

/* Copies the frame. There must be none. */
void
fc_leap_hold(fc_leap *leap, const fc_frame *frame, int64_t unix_ns, uint8_t file, uint64_t number);
/* The time of the one that is held, by the clock before it (0: there is none) and the time of the packet
 * after it. False: its own time was wrong. */
bool
fc_leap_decide(const fc_leap *leap, int64_t clock_ns, int64_t next_ns, int64_t *ret_unix_ns);
/* The same when none comes after it; end_ns: when the capture says that it ended, 0 = it does not. */
bool
fc_leap_decide_last(const fc_leap *leap, int64_t clock_ns, int64_t end_ns, int64_t *ret_unix_ns);
void
fc_leap_fini(fc_leap *leap);

#endif
