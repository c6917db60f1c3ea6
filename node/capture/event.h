/* event.h: what the node daemon is told, in the order in which it happens:
 * armed, started, then progress, segments and profiles, then stopped. Or failed. */
#ifndef CAP_EVENT_H
#define CAP_EVENT_H

#include "node/capture/channel.h"
#include "node/capture/spec.h"
#include "node/capture/writer.h"

typedef struct cap_progress {
    fc_counters counters;
    fc_wall first_packet, last_packet;
    cap_segment current;
} cap_progress;

void
cap_event_armed(cap_channel *channel, const cap_spec *spec, uint64_t ring_bytes);
void
cap_event_started(cap_channel *channel, int64_t start_unix_ns);
void
cap_event_progress(cap_channel *channel, const cap_progress *progress);
void
cap_event_segment(cap_channel *channel, const cap_segment *segment);
void
cap_event_profile(cap_channel *channel, const fc_buf *packed, uint64_t revision);
/* error: "" = none. */
void
cap_event_stopped(cap_channel *channel, fc_stop_reason reason, const char *error, const cap_progress *final,
                  int64_t stop_unix_ns);
void
cap_event_failed(cap_channel *channel, fc_stop_reason reason, const char *error);

#endif
