/* profiler.h: the thread that makes the profile of what was written, while it is captured.
 *
 * Buffers come from the writer when their blocks are in the files, with the places where they went, and go
 * back to the pool from here. Profiling is the least of this process's duties: it runs at a lower priority,
 * at most a third of the pool waits for it, and what waits is given back unprofiled (and counted) as soon as
 * the ring thread finds nothing else free. So it never holds up the writer and never costs a packet.
 *
 * The analyzer sees what is in the files, in their order: section and interfaces, packets, statistics. So the
 * last profile is the one that `fleetcap analyze` makes of the files, as long as nothing was left out.
 */
#ifndef CAP_PROFILER_H
#define CAP_PROFILER_H

#include "node/capture/writer.h"

enum {
    CAP_PROFILE_INTERVAL_MS = 3000, /* between two profiles, when packets came */
    CAP_PROFILE_SHARE = 3,          /* this part of the pool may wait */
    CAP_PROFILE_LAST_MS = 5000,     /* after the stop; what a starved machine leaves then is not profiled */
    CAP_PROFILE_NICE = 10,
};

/* Everything is allocated here but what packing a profile takes. header: section and interfaces, as in each
 * segment; copied. spec and writer, to which the buffers go back: borrowed. */
FC_MUST_USE fc_err
cap_profiler_new(const cap_spec *spec, const fc_buf *header, cap_writer *writer, cap_profiler **ret_profiler,
                 fc_fail *fail);
/* Returns when the thread runs at its lower priority: what it needs for that is not allowed later. */
FC_MUST_USE fc_err
cap_profiler_start(cap_profiler *profiler, fc_fail *fail);
/* Not while the thread runs, or the writer may put. */
void
cap_profiler_free(cap_profiler *profiler);
/* Readable when there is a profile to take, or the thread has ended. */
int
cap_profiler_event_fd(const cap_profiler *profiler);
void
cap_profiler_clear_event(cap_profiler *profiler);

/* From the writer thread: takes a buffer that was written. False: it falls behind, the packets are counted as
 * not profiled, and the buffer stays the caller's. */
bool
cap_profiler_put(cap_profiler *profiler, cap_buffer *buffer);
/* From the ring thread: everything that waits, as a list; the packets are counted as not profiled. */
cap_buffer *
cap_profiler_reclaim(cap_profiler *profiler);
/* Packets in the files that are not in the profile. */
uint64_t
cap_profiler_skipped(cap_profiler *profiler);

/* The newest profile, packed, with its number (from 1); false when it was taken before. Swaps *buf. */
bool
cap_profiler_take(cap_profiler *profiler, fc_buf *buf, uint64_t *ret_revision);
/* The capture has ended: no more will be put, `trailer` (copied) are the statistics that ended its last file.
 * One more profile is made, then the thread ends. */
void
cap_profiler_finish(cap_profiler *profiler, const fc_buf *trailer);
/* What still waits is not profiled any more. */
void
cap_profiler_hurry(cap_profiler *profiler);
/* True when the thread has ended, or was never started. */
bool
cap_profiler_join(cap_profiler *profiler);
/* Writes a last profile that there is nobody to tell of into the directory: a node that has died finds it
 * when it is back. Only with system calls that the sandbox allows. Nothing to write: nothing happens. */
void
cap_profiler_leave(int dir_fd, const fc_buf *profile);

#endif
