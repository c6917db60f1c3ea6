#include "node/capture/event.h"

#include <fleetcap/v1/helper.pb-c.h>

static void
put_counters(const fc_counters *counters, Fcpb__Counters *message)
{
    fcpb__counters__init(message);
#define X(name, unit, in_sum, text) message->name = counters->name;
    FC_STATUS_COUNTERS(X)
#undef X
}

static void
put_segment(const cap_segment *segment, Fcpb__Segment *message)
{
    fcpb__segment__init(message);
    message->sequence = segment->sequence;
    message->path = (char *)(uintptr_t)segment->name;
    message->size_bytes = segment->size_bytes;
    message->packets = segment->packets;
    message->first_packet_unix_ns = segment->first_ns;
    message->last_packet_unix_ns = segment->last_ns;
    message->sealed = segment->sealed;
    message->removed = segment->removed;
}

/* The progress message refers to the two others, which live as long as it does. */
static void
put_progress(const cap_progress *progress, Fcpb__HelperProgress *message, Fcpb__Counters *counters,
             Fcpb__Segment *current)
{
    fcpb__helper_progress__init(message);
    put_counters(&progress->counters, counters);
    put_segment(&progress->current, current);
    message->counters = counters;
    message->first_packet_unix_ns = progress->first_packet.ns;
    message->last_packet_unix_ns = progress->last_packet.ns;
    message->current = current;
}

static void
send_event(cap_channel *channel, const Fcpb__HelperEvent *event)
{
    cap_channel_send(channel, &event->base);
}

void
cap_event_armed(cap_channel *channel, const cap_spec *spec, uint64_t ring_bytes)
{
    char *names[CAP_INTERFACES_MAX];
    for (size_t i = 0; i < spec->interface_count; i++)
        names[i] = (char *)(uintptr_t)spec->interfaces[i];
    Fcpb__HelperArmed armed = FCPB__HELPER_ARMED__INIT;
    armed.ring_bytes = ring_bytes;
    armed.interfaces = names;
    armed.n_interfaces = spec->interface_count;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_ARMED;
    event.armed = &armed;
    send_event(channel, &event);
}

void
cap_event_started(cap_channel *channel, int64_t start_unix_ns)
{
    Fcpb__HelperStarted started = FCPB__HELPER_STARTED__INIT;
    started.start_unix_ns = start_unix_ns;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_STARTED;
    event.started = &started;
    send_event(channel, &event);
}

void
cap_event_progress(cap_channel *channel, const cap_progress *progress)
{
    Fcpb__HelperProgress message;
    Fcpb__Counters counters;
    Fcpb__Segment current;
    put_progress(progress, &message, &counters, &current);
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_PROGRESS;
    event.progress = &message;
    send_event(channel, &event);
}

void
cap_event_segment(cap_channel *channel, const cap_segment *segment)
{
    Fcpb__Segment inner;
    put_segment(segment, &inner);
    Fcpb__HelperSegment message = FCPB__HELPER_SEGMENT__INIT;
    message.segment = &inner;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_SEGMENT;
    event.segment = &message;
    send_event(channel, &event);
}

void
cap_event_profile(cap_channel *channel, const fc_buf *packed, uint64_t revision)
{
    Fcpb__HelperProfile message = FCPB__HELPER_PROFILE__INIT;
    message.profile =
        (ProtobufCBinaryData){.len = fc_buf_size(packed), .data = (uint8_t *)(uintptr_t)fc_buf_bytes(packed)};
    message.revision = revision;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_PROFILE;
    event.profile = &message;
    send_event(channel, &event);
}

void
cap_event_stopped(cap_channel *channel, fc_stop_reason reason, const char *error, const cap_progress *final,
                  int64_t stop_unix_ns)
{
    Fcpb__HelperProgress progress;
    Fcpb__Counters counters;
    Fcpb__Segment current;
    put_progress(final, &progress, &counters, &current);
    Fcpb__HelperStopped message = FCPB__HELPER_STOPPED__INIT;
    message.reason = (Fcpb__StopReason)reason;
    message.error = (char *)(uintptr_t)error;
    message.final = &progress;
    message.stop_unix_ns = stop_unix_ns;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_STOPPED;
    event.stopped = &message;
    send_event(channel, &event);
}

void
cap_event_failed(cap_channel *channel, fc_stop_reason reason, const char *error)
{
    Fcpb__HelperFailed message = FCPB__HELPER_FAILED__INIT;
    message.reason = (Fcpb__StopReason)reason;
    message.error = (char *)(uintptr_t)error;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_FAILED;
    event.failed = &message;
    send_event(channel, &event);
}
