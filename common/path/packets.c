#include "common/path/packets.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/hash.h"
#include "common/path/path.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 1024, LINK_RAW = 101 };

void
fc_path_capture_init(fc_path_capture *capture, uint64_t seed, size_t packets_max)
{
    *capture = (fc_path_capture){
        .seed = seed, .packets_max = packets_max, .bucket_count = BUCKETS_MIN, .coarse = true};
    capture->buckets = fc_alloc_array(BUCKETS_MIN, sizeof *capture->buckets);
    memset(capture->buckets, 0xff, BUCKETS_MIN * sizeof *capture->buckets);
}

void
fc_path_capture_fini(fc_path_capture *capture)
{
    for (size_t i = 0; i < capture->file_count; i++)
        free(capture->files[i].name);
    free(capture->files);
    free(capture->packets);
    free(capture->order);
    free(capture->streams);
    free(capture->buckets);
    free(capture->spans);
    free(capture->counters);
    free(capture->filter);
    fc_path_fragments_fini(&capture->fragments);
    *capture = (fc_path_capture){0};
}

/* ---- streams ---- */

static uint64_t
stream_hash(const fc_path_capture *capture, const fc_path_stream *stream)
{
    uint64_t words[5] = {0};
    memcpy(&words[0], stream->source.bytes, 16);
    memcpy(&words[2], stream->destination.bytes, 16);
    words[4] = (uint64_t)stream->protocol << 40 | (uint64_t)stream->source.family << 32 |
               (uint64_t)stream->source_port << 16 | stream->destination_port;
    uint64_t hash = capture->seed;
    for (size_t i = 0; i < FC_COUNT(words); i++)
        hash = fc_path_mix(hash, words[i]);
    return hash;
}

static bool
same_stream(const fc_path_stream *a, const fc_path_stream *b)
{
    return a->protocol == b->protocol && a->source_port == b->source_port &&
           a->destination_port == b->destination_port && fc_address_compare(&a->source, &b->source) == 0 &&
           fc_address_compare(&a->destination, &b->destination) == 0;
}

uint32_t
fc_path_stream_find(const fc_path_capture *capture, const fc_path_stream *like)
{
    uint32_t at = capture->buckets[stream_hash(capture, like) % capture->bucket_count];
    while (at != FC_PATH_NONE && !same_stream(&capture->streams[at], like))
        at = capture->streams[at].next;
    return at;
}

static void
grow_buckets(fc_path_capture *capture)
{
    capture->bucket_count *= 2;
    free(capture->buckets);
    capture->buckets = fc_alloc_array(capture->bucket_count, sizeof *capture->buckets);
    memset(capture->buckets, 0xff, capture->bucket_count * sizeof *capture->buckets);
    for (size_t i = 0; i < capture->stream_count; i++) {
        uint32_t *head =
            &capture->buckets[stream_hash(capture, &capture->streams[i]) % capture->bucket_count];
        capture->streams[i].next = *head;
        *head = (uint32_t)i;
    }
}

static uint32_t
stream_of(fc_path_capture *capture, const fc_path_stream *like)
{
    uint32_t found = fc_path_stream_find(capture, like);
    if (found != FC_PATH_NONE)
        return found;
    if (capture->stream_count == capture->bucket_count)
        grow_buckets(capture);
    if (capture->stream_count == capture->stream_capacity) {
        capture->stream_capacity = capture->stream_capacity == 0 ? 64 : 2 * capture->stream_capacity;
        capture->streams =
            fc_grow_array(capture->streams, capture->stream_capacity, sizeof *capture->streams);
    }
    uint32_t index = (uint32_t)capture->stream_count++;
    uint32_t *head = &capture->buckets[stream_hash(capture, like) % capture->bucket_count];
    fc_path_stream *stream = &capture->streams[index];
    *stream = *like;
    stream->way = FC_PATH_WAY_UNKNOWN;
    stream->reverse = stream->pair = FC_PATH_NONE;
    stream->next = *head;
    *head = index;
    return index;
}

/* ---- one packet ---- */

static bool
is_echo(const fc_packet *packet)
{
    uint8_t type = packet->transport[0];
    return packet->protocol == FC_IP_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;
}

static void
describe_tcp(const fc_packet *packet, fc_path_packet *record, uint16_t *ret_mss)
{
    fc_tcp_options options = {0};
    fc_packet_tcp_options(packet, &options);
    record->sequence = packet->sequence;
    record->acknowledgement = packet->acknowledgement;
    record->tcp_flags = packet->tcp_flags;
    if (options.has_timestamps) {
        record->key = options.timestamp;
        record->marks |= FC_PATH_HAS_TIMESTAMP;
    }
    bool syn = (packet->tcp_flags & FC_TCP_SYN) != 0;
    *ret_mss = syn ? options.mss : 0;
    if (packet->payload_bytes > 0) {
        record->hash = fc_path_hash(packet->sequence + syn, packet->payload, packet->payload_captured);
        return;
    }
    uint32_t header = packet->transport_bytes;
    uint32_t there = header < packet->transport_captured ? header : packet->transport_captured;
    record->hash = fc_path_mix(packet->window, fc_path_hash(0, packet->transport + 20, there - 20));
}

/* Payload and key of what is no TCP; of ICMP what is behind the 8 bytes whose checksum and id a translator
 * rewrites. */
static void
describe_datagram(const fc_packet *packet, fc_path_packet *record)
{
    const uint8_t *payload = packet->payload;
    record->length = packet->payload_bytes;
    record->captured = packet->payload_captured;
    bool icmp = packet->protocol == FC_IP_ICMP || packet->protocol == FC_IP_ICMPV6;
    if (icmp && packet->transport_captured >= 8) {
        payload = packet->transport + 8;
        record->length = packet->transport_bytes - 8;
        record->captured = packet->transport_captured - 8;
        record->tcp_flags = packet->transport[0];
        record->sequence = is_echo(packet) ? fc_read_be16(packet->transport + 6) : 0;
    }
    uint32_t wanted = record->length < FC_PATH_KEY_BYTES ? record->length : FC_PATH_KEY_BYTES;
    if (record->captured < wanted)
        record->marks |= FC_PATH_SHORT;
    uint64_t key = fc_path_hash(0, payload, record->captured < wanted ? record->captured : wanted);
    record->key = (uint32_t)(fc_path_mix(key, record->length) >> 32);
    record->hash = fc_path_hash(0, payload, record->captured);
}

/* False when the headers do not say enough. */
static bool
describe(const fc_packet *packet, fc_path_packet *record, fc_path_stream *stream, uint16_t *ret_mss)
{
    bool icmp = packet->protocol == FC_IP_ICMP || packet->protocol == FC_IP_ICMPV6;
    bool ports = packet->protocol == FC_IP_TCP || packet->protocol == FC_IP_UDP;
    if (packet->cut || (packet->protocol == FC_IP_TCP && !packet->has_tcp) || (ports && !packet->has_ports) ||
        (icmp && packet->transport_captured < 8))
        return false;
    *stream = (fc_path_stream){.protocol = packet->protocol,
                               .source = fc_packet_source(packet),
                               .destination = fc_packet_destination(packet),
                               .source_port = packet->source_port,
                               .destination_port = packet->destination_port};
    if (icmp) {
        bool echo = is_echo(packet);
        stream->source_port = echo ? fc_read_be16(packet->transport + 4) : packet->transport[0];
        stream->destination_port = echo ? stream->source_port : packet->transport[1];
    }
    *ret_mss = 0;
    if (packet->protocol == FC_IP_TCP) {
        record->length = packet->payload_bytes;
        record->captured = packet->payload_captured;
        describe_tcp(packet, record, ret_mss);
    } else {
        describe_datagram(packet, record);
    }
    return true;
}

/* The fields of the IP header that routers change: packet.h gives the addresses, which stand at a fixed place
 * in it. */
static void
describe_ip(const fc_packet *packet, fc_path_packet *record)
{
    const uint8_t *source = packet->source;
    record->ip_id = packet->family == 4 ? (uint16_t)packet->id : 0;
    record->ttl = packet->family == 4 ? source[-4] : source[-1];
    record->tos = (uint8_t)(packet->family == 4 ? source[-11] : source[-8] << 4 | source[-7] >> 4);
}

static fc_err
check_limits(const fc_path_capture *capture, fc_fail *fail)
{
    if (capture->count >= capture->packets_max)
        return fc_fail_set(
            fail, FC_ERR_LIMIT,
            "more than %zu packets at one end: cut the captures to the time in question (editcap -A, -B)",
            capture->packets_max);
    if (capture->stream_count >= FC_PATH_FLOWS_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT,
                           "more than %d flows at one end: cut the captures to the conversations in question",
                           FC_PATH_FLOWS_MAX);
    return FC_OK;
}

static fc_err
append(fc_path_capture *capture, const fc_path_packet *record, const fc_path_stream *like, uint8_t direction,
       uint16_t mss, fc_fail *fail)
{
    fc_err err = check_limits(capture, fail);
    if (err != FC_OK)
        return err;
    if (capture->count == capture->capacity) {
        capture->capacity = capture->capacity == 0 ? 4096 : 2 * capture->capacity;
        if (capture->capacity > capture->packets_max)
            capture->capacity = capture->packets_max;
        capture->packets = fc_grow_array(capture->packets, capture->capacity, sizeof *capture->packets);
    }
    fc_path_packet *packet = &capture->packets[capture->count++];
    *packet = *record;
    packet->stream = stream_of(capture, like);
    fc_path_stream *stream = &capture->streams[packet->stream];
    stream->count++;
    stream->inbound += direction == FC_DIRECTION_INBOUND;
    stream->outbound += direction == FC_DIRECTION_OUTBOUND;
    if (mss != 0 && stream->mss == 0)
        stream->mss = mss;
    return FC_OK;
}

/* The joined datagram as a packet of its own: an IP header, and what is kept of its beginning, taken apart
 * like any other. */
static bool
describe_joined(const fc_path_datagram *datagram, fc_path_packet *record, fc_path_stream *stream,
                uint16_t *ret_mss)
{
    uint8_t frame[40 + FC_PATH_FRAGMENT_HEADER_MAX] = {0};
    uint32_t header = datagram->source.family == 4 ? 20 : 40, total = header + datagram->total;
    size_t bytes = datagram->source.family == 4 ? 4 : 16;
    if (header == 20) { /* a total length of 0: as long as the frame */
        frame[0] = 0x45;
        frame[9] = datagram->protocol;
    } else {
        frame[0] = 0x60;
        frame[6] = datagram->protocol;
    }
    memcpy(frame + (header == 20 ? 12 : 8), datagram->source.bytes, bytes);
    memcpy(frame + (header == 20 ? 16 : 24), datagram->destination.bytes, bytes);
    memcpy(frame + header, datagram->head, datagram->head_size);
    fc_packet packet;
    fc_packet_parse(LINK_RAW, frame, header + datagram->head_size, total, &packet);
    if (packet.kind != FC_PACKET_IP || !describe(&packet, record, stream, ret_mss))
        return false;
    bool tcp = datagram->protocol == FC_IP_TCP;
    uint32_t behind = tcp ? datagram->total - record->length
                      : datagram->protocol == FC_IP_UDP || record->length != datagram->total ? 8
                                                                                             : 0;
    if (behind > datagram->head_size || behind > datagram->total)
        return false;
    int64_t position =
        tcp ? (int64_t)(uint32_t)(record->sequence + ((record->tcp_flags & FC_TCP_SYN) != 0)) : 0;
    if (record->length > 0)
        record->hash = fc_path_hash_shift(datagram->hash - fc_path_hash(0, datagram->head, behind),
                                          position - (int64_t)behind);
    record->captured = datagram->captured == datagram->total ? record->length : 0;
    record->marks |= FC_PATH_JOINED;
    return true;
}

fc_err
fc_path_capture_frame(fc_path_capture *capture, const fc_frame *frame, fc_fail *fail)
{
    fc_packet packet;
    fc_path_stream stream;
    uint16_t mss = 0;
    capture->frames++;
    capture->frame_in_file++;
    if (frame->unix_ns <= 0 || frame->unix_ns > INT64_MAX / 4) {
        capture->unreadable++;
        return FC_OK;
    }
    fc_path_file_row *file = &capture->files[capture->file_count - 1];
    file->first_ns = file->first_ns == 0 || frame->unix_ns < file->first_ns ? frame->unix_ns : file->first_ns;
    file->last_ns = frame->unix_ns > file->last_ns ? frame->unix_ns : file->last_ns;
    capture->coarse = capture->coarse && frame->unix_ns % 1000 == 0;
    fc_packet_parse(frame->link_type, frame->data, frame->captured_bytes, frame->original_bytes, &packet);
    if (packet.kind != FC_PACKET_IP || packet.cut) {
        capture->unreadable++;
        capture->cut_headers += packet.cut || (packet.kind == FC_PACKET_UNDECODED &&
                                               frame->captured_bytes < frame->original_bytes);
        return FC_OK;
    }
    fc_path_packet record = {
        .unix_ns = frame->unix_ns,
        .frame = (uint32_t)capture->frame_in_file,
        .file = (uint16_t)(capture->file_count - 1),
        .interface =
            frame->interface < FC_PATH_INTERFACES_MAX ? (uint8_t)frame->interface : FC_PATH_INTERFACES_MAX};
    describe_ip(&packet, &record);
    if (packet.fragment) {
        const fc_path_datagram *whole;
        if (!fc_path_fragments_add(&capture->fragments, &packet, frame->unix_ns, record.frame, &whole))
            return FC_OK;
        record.unix_ns = whole->unix_ns;
        record.frame = whole->frame;
        if (!describe_joined(whole, &record, &stream, &mss)) {
            capture->unreadable++;
            return FC_OK;
        }
    } else if (!describe(&packet, &record, &stream, &mss)) {
        capture->unreadable++;
        return FC_OK;
    }
    uint8_t direction =
        frame->direction != FC_DIRECTION_UNKNOWN ? (uint8_t)frame->direction : packet.direction;
    return append(capture, &record, &stream, direction, mss, fail);
}
