/* session.h: which packets belong to the capture, and where every other one went. Pure: no clock, no I/O.
 *
 * Every packet that passed the filter in the kernel ends in exactly one counter:
 *     matched = written + dropped_kernel + dropped_writer + dropped_before_start + dropped_after_stop.
 * The verdict on a packet is by its own timestamp, so that what is in the ring at the start or the stop is
 * judged as it was seen, not as it was read.
 */
#ifndef CAP_SESSION_H
#define CAP_SESSION_H

#include "common/model/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What happens to a packet; the names of the counters. */
typedef enum cap_verdict { CAP_KEEP, CAP_BEFORE_START, CAP_AFTER_STOP } cap_verdict;

typedef struct cap_session {
    int64_t start_ns;                  /* INT64_MAX until the start is known */
    int64_t end_ns;                    /* the first instant that no longer belongs to it; INT64_MAX = open */
    uint64_t packets_left, bytes_left; /* until a limit; UINT64_MAX = none */
    uint64_t kept_packets, kept_bytes; /* given to the writer */
    uint64_t before_start, after_stop;
    fc_stop_reason limit; /* the limit that was reached, or none */
} cap_session;

void
cap_session_init(cap_session *session, uint64_t packet_limit, uint64_t session_bytes);
/* From this instant on packets are kept; window_end_ns 0 = open. */
void
cap_session_start(cap_session *session, int64_t start_ns, int64_t window_end_ns);
/* Packets from this instant on are not kept. The earliest end holds. */
void
cap_session_end(cap_session *session, int64_t end_ns);
/* The slow half of the verdict, for a packet that a limit may refuse. */
cap_verdict
cap_session_refuse(cap_session *session, int64_t unix_ns);
/* The limit that has nothing left ends the capture: no packet is kept any more. */
void
cap_session_reached(cap_session *session);

/* Judges one packet and counts it. Runs once a packet. */
static inline cap_verdict
cap_session_judge(cap_session *session, int64_t unix_ns, uint32_t captured_bytes)
{
    if (__builtin_expect(unix_ns < session->start_ns || unix_ns >= session->end_ns ||
                             session->packets_left == 0 || captured_bytes > session->bytes_left,
                         0))
        return cap_session_refuse(session, unix_ns);
    session->kept_packets++;
    session->kept_bytes += captured_bytes;
    session->packets_left--;
    session->bytes_left -= captured_bytes;
    if (__builtin_expect(session->packets_left == 0 || session->bytes_left == 0, 0))
        cap_session_reached(session);
    return CAP_KEEP;
}

/* What the writer did with what it was given. */
typedef struct cap_outcome {
    uint64_t written_packets, written_bytes; /* in the file */
    uint64_t lost_packets;                   /* the disk refused */
    uint64_t file_bytes;
    int64_t first_ns, last_ns; /* of the packets in the file; 0 = none yet */
} cap_outcome;

/* What the kernel says of all interfaces, as 64-bit sums since the baseline. */
typedef struct cap_kernel_counts {
    uint64_t matched;           /* ps_recv: passed the filter, dropped or not */
    uint64_t dropped;           /* ps_drop while buffers were free: the ring was full */
    uint64_t dropped_stalled;   /* ps_drop while every buffer waited for the disk */
    uint64_t interface_dropped; /* before the filter */
} cap_kernel_counts;

/* The counters as they are reported. While packets are under way the sum is short of matched by those. */
void
cap_session_counters(const cap_session *session, const cap_kernel_counts *kernel, const cap_outcome *outcome,
                     fc_counters *ret_counters);

#endif
