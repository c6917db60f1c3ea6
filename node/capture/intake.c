#include "node/capture/intake.h"

#include "common/base/clock.h"
#include "common/pcapng/pcapng.h"

bool
cap_intake_refill(cap_intake *intake)
{
    if (intake->buffer == NULL)
        intake->buffer = cap_writer_take(intake->writer);
    return intake->buffer != NULL;
}

void
cap_intake_flush(cap_intake *intake, bool last)
{
    cap_buffer *full = intake->buffer;
    if (full == NULL || full->span.size == 0)
        return;
    cap_buffer *next = cap_writer_take(intake->writer);
    if (next == NULL && !last)
        return;
    cap_writer_put(intake->writer, full);
    intake->buffer = next;
}

void
cap_intake_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    const cap_tap *tap = (const cap_tap *)(const void *)user;
    cap_ring *ring = tap->ring;
    cap_intake *intake = tap->intake;
    int64_t unix_ns =
        (int64_t)header->ts.tv_sec * FC_NS_PER_S + header->ts.tv_usec; /* nanoseconds, as asked for */
    ring->processed++;
    if (cap_session_judge(&intake->session, unix_ns, header->caplen) != CAP_KEEP)
        return;
    ring->kept++;
    cap_span *span = &intake->buffer->span;
    uint32_t flags = cap_direction_of(&ring->direction, header, data);
    span->size += fc_pcapng_put_packet(intake->buffer->data + span->size, ring->index, unix_ns, data,
                                       header->caplen, header->len, flags);
    span->bytes += header->caplen;
    if (span->packets++ == 0)
        span->first_ns = span->last_ns = unix_ns;
    if (unix_ns > span->last_ns)
        span->last_ns = unix_ns;
    if (__builtin_expect(unix_ns < span->first_ns, 0))
        span->first_ns = unix_ns;
    if (__builtin_expect(span->size >= CAP_BUFFER_BYTES, 0)) {
        cap_writer_put(intake->writer, intake->buffer);
        intake->buffer = cap_writer_take(intake->writer);
        if (intake->buffer == NULL)
            pcap_breakloop(ring->pcap);
    }
}
