/* ring.h: the kernel's ring of one interface, through libpcap, with counters that add up.
 *
 * pcap_setfilter is not used: it has packets that were in the ring before it filtered again in user land,
 * where `inbound` and `outbound` do not work, and its counters include what came before the filter
 * (libpcap 1.10.3, pcap-linux.c). Instead:
 *     open    activate, attach a program that rejects everything, read what is in the ring and forget it,
 *             take the counters as the baseline
 *     attach  the compiled filter, in one step
 *     detach  the rejecting program again; what is in the ring then is all there will be
 * so that from attach on: matched = processed + dropped + what still waits in the ring.
 */
#ifndef CAP_RING_H
#define CAP_RING_H

#include "common/base/err.h"
#include "node/capture/direction.h"
#include "node/capture/session.h"
#include "node/capture/spec.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

enum { CAP_RETIRE_MS = 100 }; /* the kernel hands a block over that is not full after this time */

typedef struct cap_ring {
    pcap_t *pcap;   /* owned */
    int fd;         /* borrowed from pcap */
    uint32_t index; /* of the interface in the file */
    char name[IFNAMSIZ];
    int link_type;
    bool cooked; /* libpcap makes the link header (DLT_LINUX_SLL) */
    uint64_t granted_bytes;
    uint64_t speed_bps; /* 0 = not known */
    cap_direction direction;
    struct bpf_program filter; /* owned: compiled before anything is dropped */
    int missed_fd, fifo_fd;    /* owned; the interface's own drop counters in sysfs, -1 = none */
    uint64_t missed_base;
    uint64_t processed;                   /* packets that the kernel handed over since the baseline */
    uint64_t kept;                        /* given to the writer */
    uint32_t last_received, last_dropped; /* 32-bit counters of libpcap at the last poll */
    cap_kernel_counts counts;
    pcap_handler handler; /* who gets the packets: the program's, with `user` */
    u_char *user;
} cap_ring;

/* Opens the interface and compiles the filter for it. *ret_reason tells a refused filter from the rest. */
FC_MUST_USE fc_err
cap_ring_open(cap_ring *ring, const cap_spec *spec, uint32_t index, fc_stop_reason *ret_reason,
              fc_fail *fail);
void
cap_ring_close(cap_ring *ring);
FC_MUST_USE fc_err
cap_ring_attach(cap_ring *ring, fc_fail *fail);
FC_MUST_USE fc_err
cap_ring_detach(cap_ring *ring, fc_fail *fail);
/* Hands at most `limit` packets to the handler; *ret_more when there may be more at once. FC_ERR_UNAVAILABLE
 * when the interface is gone. The handler counts `processed`. */
FC_MUST_USE fc_err
cap_ring_dispatch(cap_ring *ring, int limit, bool *ret_more, fc_fail *fail);
/* Adds what the kernel's counters have grown by. At least once in 2^32 packets; `stalled`: every buffer
 * waited for the disk since the last poll. */
void
cap_ring_poll(cap_ring *ring, bool stalled);
/* Packets that the kernel has put into the ring and that were not handed over yet, by the last poll. */
uint64_t
cap_ring_waiting(const cap_ring *ring);

#endif
