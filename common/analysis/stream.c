#include "common/analysis/stream.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_ARRAY = FC_STREAM_HELD * sizeof(fc_stream_held) };
enum { GAP_MAX = 1 << 30 }; /* RFC 7323, section 2.3: no window is larger */

void
fc_streams_init(fc_streams *streams, uint32_t max, fc_stream_message *message, void *user)
{
    *streams = (fc_streams){.message = message, .user = user};
    fc_slab_init(&streams->slabs[FC_STREAM_TLS], offsetof(fc_stream, tls) + fc_tls_size(), max);
    fc_slab_init(&streams->slabs[FC_STREAM_DNS], sizeof(fc_stream), max);
}

void
fc_streams_fini(fc_streams *streams)
{
    fc_slab_fini(&streams->slabs[FC_STREAM_TLS]);
    fc_slab_fini(&streams->slabs[FC_STREAM_DNS]);
}

fc_stream *
fc_stream_take(fc_streams *streams, fc_stream_kind kind, unsigned client_side)
{
    fc_stream *stream = fc_slab_take(&streams->slabs[kind]);
    if (stream == NULL)
        return NULL;
    stream->kind = (uint8_t)kind;
    stream->client_side = (uint8_t)client_side;
    if (kind == FC_STREAM_TLS)
        fc_tls_init((fc_tls_reader *)(void *)stream->tls);
    return stream;
}

static void
drop_first(fc_streams *streams, fc_stream_side *self)
{
    self->held_bytes -= self->held[0].captured;
    streams->held_bytes -= self->held[0].captured;
    free(self->held[0].data);
    self->held_count--;
    if (self->held_count == 0) {
        free(self->held);
        self->held = NULL;
        streams->held_bytes -= HELD_ARRAY;
        return;
    }
    memmove(self->held, self->held + 1, self->held_count * sizeof *self->held);
}

static void
drop_held(fc_streams *streams, fc_stream_side *self)
{
    while (self->held_count > 0)
        drop_first(streams, self);
}

void
fc_stream_give(fc_streams *streams, fc_stream *stream)
{
    if (stream == NULL)
        return;
    drop_held(streams, &stream->sides[0]);
    drop_held(streams, &stream->sides[1]);
    fc_slab_give(&streams->slabs[stream->kind], stream);
}

void
fc_stream_begin(fc_stream *stream, unsigned side, uint32_t sequence)
{
    stream->sides[side].synced = true;
    stream->sides[side].next = sequence;
}

/* ---- to the parser ---- */

typedef struct message_sink {
    fc_streams *streams;
    unsigned side;
    const fc_stream_held *segment;
} message_sink;

static void
pass_message(void *user, const uint8_t *data, size_t size)
{
    const message_sink *sink = user;
    sink->streams->message(sink->streams->user, sink->side, sink->segment, data, size);
}

static fc_tls_role
role_of(const fc_stream *stream, unsigned side)
{
    return side == stream->client_side ? FC_TLS_ROLE_CLIENT : FC_TLS_ROLE_SERVER;
}

/* Bytes of the segment. */
static void
push(fc_streams *streams, fc_stream *stream, unsigned side, const fc_stream_held *segment,
     const uint8_t *data, size_t size)
{
    if (stream->kind == FC_STREAM_TLS) {
        fc_tls_reader *tls = (fc_tls_reader *)(void *)stream->tls;
        if (fc_tls_push(tls, role_of(stream, side), segment->unix_ns, segment->frame, data, size))
            stream->alert_file = segment->file;
        return;
    }
    message_sink sink = {streams, side, segment};
    fc_dns_stream_push(&stream->dns[side], data, size, pass_message, &sink);
}

/* Bytes that are missing in the segment, or before it. */
static void
gap(fc_streams *streams, fc_stream *stream, unsigned side, const fc_stream_held *segment, size_t bytes)
{
    if (stream->kind == FC_STREAM_TLS) {
        fc_tls_gap((fc_tls_reader *)(void *)stream->tls, role_of(stream, side), bytes);
        return;
    }
    message_sink sink = {streams, side, segment};
    fc_dns_stream_gap(&stream->dns[side], bytes, pass_message, &sink);
}

/* What begins at or before `next`: the part that is new goes to the parser. */
static void
deliver(fc_streams *streams, fc_stream *stream, unsigned side, const fc_stream_held *segment)
{
    fc_stream_side *self = &stream->sides[side];
    uint32_t known = self->next - segment->start;
    if (known >= segment->bytes)
        return;
    if (known < segment->captured)
        push(streams, stream, side, segment, segment->data + known, segment->captured - known);
    uint32_t cut_from = known > segment->captured ? known : segment->captured;
    if (cut_from < segment->bytes)
        gap(streams, stream, side, segment, segment->bytes - cut_from);
    self->next = segment->start + segment->bytes;
}

static void
deliver_held(fc_streams *streams, fc_stream *stream, unsigned side)
{
    fc_stream_side *self = &stream->sides[side];
    while (self->held_count > 0 && (int32_t)(self->held[0].start - self->next) <= 0) {
        deliver(streams, stream, side, &self->held[0]);
        drop_first(streams, self);
    }
}

/* ---- early segments ---- */

/* Goes on without the bytes before the first segment that waits. */
static void
give_up_waiting(fc_streams *streams, fc_stream *stream, unsigned side)
{
    fc_stream_side *self = &stream->sides[side];
    const fc_stream_held *first = &self->held[0];
    gap(streams, stream, side, first, first->start - self->next);
    self->next = first->start;
    deliver_held(streams, stream, side);
}

static void
hold(fc_streams *streams, fc_stream_side *self, const fc_stream_held *segment)
{
    unsigned at = self->held_count;
    while (at > 0 && (int32_t)(segment->start - self->held[at - 1].start) < 0)
        at--;
    if (at > 0 && self->held[at - 1].start == segment->start && self->held[at - 1].bytes >= segment->bytes)
        return; /* the same again */
    if (self->held == NULL) {
        self->held = fc_alloc_array(FC_STREAM_HELD, sizeof *self->held);
        streams->held_bytes += HELD_ARRAY;
    }
    memmove(self->held + at + 1, self->held + at, (self->held_count - at) * sizeof *self->held);
    self->held[at] = *segment;
    self->held[at].data = fc_alloc(segment->captured);
    memcpy(self->held[at].data, segment->data, segment->captured);
    self->held_count++;
    self->held_bytes += segment->captured;
    streams->held_bytes += segment->captured;
}

static bool
has_room(const fc_streams *streams, const fc_stream_side *self, uint32_t bytes)
{
    return self->held_count < FC_STREAM_HELD && self->held_bytes + bytes <= FC_STREAM_HELD_BYTES &&
           streams->held_bytes + bytes + HELD_ARRAY <= FC_STREAMS_HELD_BYTES;
}

static void
data_segment(fc_streams *streams, fc_stream *stream, unsigned side, const fc_stream_held *segment)
{
    fc_stream_side *self = &stream->sides[side];
    int32_t early = (int32_t)(segment->start - self->next);
    if (early > GAP_MAX || early < -GAP_MAX)
        return;
    while (early > 0 && self->held_count > 0 && !has_room(streams, self, segment->captured)) {
        give_up_waiting(streams, stream, side);
        early = (int32_t)(segment->start - self->next);
    }
    if (early > 0 && has_room(streams, self, segment->captured)) {
        hold(streams, self, segment);
        return;
    }
    if (early > 0) {
        gap(streams, stream, side, segment, (uint32_t)early);
        self->next = segment->start;
    }
    deliver(streams, stream, side, segment);
    deliver_held(streams, stream, side);
}

void
fc_stream_segment(fc_streams *streams, fc_stream *stream, unsigned side, const fc_packet *packet,
                  int64_t unix_ns, uint8_t file, uint64_t frame)
{
    fc_stream_side *self = &stream->sides[side];
    if (!stream->done && packet->payload_bytes > 0) {
        uint32_t start = packet->sequence + ((packet->tcp_flags & FC_TCP_SYN) != 0);
        if (!self->synced)
            fc_stream_begin(stream, side, start);
        /* The parser reads from the packet: nothing is copied here. */
        const fc_stream_held segment = {
            .start = start,
            .captured = packet->payload_captured,
            .bytes = packet->payload_bytes,
            .unix_ns = unix_ns,
            .frame = frame,
            .file = file,
            .data = (uint8_t *)(uintptr_t)packet->payload,
        };
        data_segment(streams, stream, side, &segment);
    }
    if (stream->kind != FC_STREAM_TLS)
        return;
    fc_tls_reader *tls = (fc_tls_reader *)(void *)stream->tls;
    if ((packet->tcp_flags & (FC_TCP_FIN | FC_TCP_RST)) != 0 && !self->ended) {
        self->ended = true;
        fc_tls_ended(tls, (packet->tcp_flags & FC_TCP_RST) != 0 ? FC_TLS_END_RST : FC_TLS_END_FIN,
                     role_of(stream, side));
    }
    if (!stream->done && fc_tls_is_done(tls)) {
        stream->done = true;
        drop_held(streams, &stream->sides[0]);
        drop_held(streams, &stream->sides[1]);
    }
}

void
fc_stream_acknowledged(fc_streams *streams, fc_stream *stream, unsigned side, uint32_t ack)
{
    fc_stream_side *self = &stream->sides[side];
    while (self->held_count > 0 && (int32_t)(ack - self->held[0].start) >= 0)
        give_up_waiting(streams, stream, side);
}

void
fc_stream_tls(const fc_stream *stream, bool silent, unsigned silent_side, fc_tls_summary *ret_summary)
{
    if (!silent) {
        fc_tls_get((const fc_tls_reader *)(const void *)stream->tls, ret_summary);
        return;
    }
    /* A parser is a plain value: its copy is told of the silence. */
    size_t size = fc_tls_size();
    fc_tls_reader *copy = fc_alloc(size);
    memcpy(copy, stream->tls, size);
    fc_tls_ended(copy, FC_TLS_END_SILENCE, role_of(stream, silent_side));
    fc_tls_get(copy, ret_summary);
    free(copy);
}
