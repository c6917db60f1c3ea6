/* intake.h: from the ring to the buffer: what is done once a packet. The ring thread's. */
#ifndef CAP_INTAKE_H
#define CAP_INTAKE_H

#include "node/capture/ring.h"
#include "node/capture/session.h"
#include "node/capture/writer.h"

typedef struct cap_intake {
    cap_session session;
    cap_writer *writer; /* borrowed */
    cap_buffer *buffer; /* owned: being filled; NULL = none is free, and no ring may be dispatched */
} cap_intake;

/* Which ring's packets come; the `user` of its handler. */
typedef struct cap_tap {
    cap_ring *ring;     /* borrowed */
    cap_intake *intake; /* borrowed */
} cap_tap;

/* The handler (pcap_handler). Stops the dispatch when the last buffer went. */
void
cap_intake_packet(u_char *tap, const struct pcap_pkthdr *header, const u_char *data);
/* Gets a buffer if there is none. False when none is free. */
bool
cap_intake_refill(cap_intake *intake);
/* Gives the writer what the buffer holds, if another one is free to go on with (`last`: even if not). */
void
cap_intake_flush(cap_intake *intake, bool last);

#endif
