/* rings.h: the rings of one capture, one for each interface: what is asked of all of them together. */
#ifndef CAP_RINGS_H
#define CAP_RINGS_H

#include "node/capture/ring.h"

#include <stddef.h>

typedef struct cap_rings {
    cap_ring items[CAP_INTERFACES_MAX];
    size_t count;       /* opened */
    bool stalled;       /* every buffer waits for the disk */
    uint64_t processed; /* of all, at the last look */
} cap_rings;

/* Opens one for each interface of the spec, as cap_ring_open does. */
FC_MUST_USE fc_err
cap_rings_open(cap_rings *rings, const cap_spec *spec, fc_stop_reason *ret_reason, fc_fail *fail);
FC_MUST_USE fc_err
cap_rings_attach(cap_rings *rings, fc_fail *fail);
/* Reads the kernel's counters: what it dropped since the last time is the writer's doing when stalled. */
void
cap_rings_poll(cap_rings *rings);
/* Every buffer waits for the disk, or does no longer: polls in between. */
void
cap_rings_set_stalled(cap_rings *rings, bool stalled);
/* True when packets were handed over since the last look. */
bool
cap_rings_look(cap_rings *rings);

uint64_t
cap_rings_granted_bytes(const cap_rings *rings);
/* Of the smallest, which decides how long all may wait. */
uint64_t
cap_rings_smallest_bytes(const cap_rings *rings);
/* By the last poll, as cap_ring_waiting. */
uint64_t
cap_rings_waiting(const cap_rings *rings);
void
cap_rings_counts(const cap_rings *rings, cap_kernel_counts *ret_sum);

#endif
