#include "path_rig.h"

#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ETHERNET = 14, IP = 20, LINK_ETHERNET = 1 };

static void
put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

int64_t
rig_b_time(const rig *r, int64_t at_ns)
{
    return RIG_START_NS + at_ns + r->offset_ns + (int64_t)((double)at_ns * r->skew_ppm * 1e-6);
}

static void
block_of(rig *r, fc_path_end end, const fc_block *block)
{
    fc_fail fail = {0};
    assert_int_equal(fc_path_block(r->path, end, block, &fail), FC_OK);
}

void
rig_section(rig *r, fc_path_end end, bool ours)
{
    const fc_block section = {.kind = FC_BLOCK_SECTION,
                              .comment = !ours ? NULL
                                         : end == FC_PATH_A
                                             ? "fleetcap capture test (0), instance web-1 (1)"
                                             : "fleetcap capture test (0), instance web-3 (3)"};
    block_of(r, end, &section);
}

void
rig_interface(rig *r, fc_path_end end, const char *filter)
{
    char *owned = fc_strdup(filter);
    const fc_capture_interface interface = {.link_type = LINK_ETHERNET, .name = "eth0", .filter = owned};
    const fc_block block = {.kind = FC_BLOCK_INTERFACE, .interface = &interface};
    block_of(r, end, &block);
    free(owned);
}

void
rig_statistics(rig *r, fc_path_end end, uint64_t os_dropped, int64_t from_ns, int64_t to_ns)
{
    const fc_capture_interface interface = {.link_type = LINK_ETHERNET, .name = "eth0"};
    fc_block block = {.kind = FC_BLOCK_STATISTICS, .interface = &interface};
    block.statistics = (fc_capture_statistics){.os_dropped = os_dropped, .has_os_dropped = true};
    if (to_ns != 0) {
        block.statistics.start_ns = end == FC_PATH_A ? RIG_START_NS + from_ns : rig_b_time(r, from_ns);
        block.statistics.end_ns = end == FC_PATH_A ? RIG_START_NS + to_ns : rig_b_time(r, to_ns);
    }
    block_of(r, end, &block);
}

void
rig_end_captures(rig *r, uint64_t dropped_at_b, int64_t end_ms)
{
    rig_statistics(r, FC_PATH_A, 0, -RIG_MS(500), RIG_MS(end_ms));
    rig_statistics(r, FC_PATH_B, dropped_at_b, -RIG_MS(500), RIG_MS(end_ms));
}

void
rig_begin(rig *r, bool ours, const fc_path_options *options)
{
    fc_fail fail = {0};
    r->path = fc_path_new(options);
    for (int end = 0; end < 2; end++) {
        assert_int_equal(fc_path_file(r->path, (fc_path_end)end, end == 0 ? "a.pcapng" : "b.pcapng", &fail),
                         FC_OK);
        rig_section(r, (fc_path_end)end, ours);
        rig_interface(r, (fc_path_end)end, NULL);
    }
}

static uint8_t
byte_at(uint32_t position)
{
    return (uint8_t)((position * 2654435761u) >> 24);
}

static uint32_t
put_tcp(uint8_t *at, const rig_packet *packet)
{
    uint32_t header = 20, first = packet->sequence + ((packet->tcp_flags & 2) != 0);
    put32(at + 4, packet->sequence);
    put32(at + 8, packet->acknowledgement);
    at[13] = packet->tcp_flags != 0 ? packet->tcp_flags : 0x10;
    put16(at + 14, 1000);
    if (packet->mss != 0) {
        memcpy(at + header, (const uint8_t[]){2, 4}, 2);
        put16(at + header + 2, packet->mss);
        header += 4;
    }
    if (packet->timestamp != 0) {
        memcpy(at + header, (const uint8_t[]){1, 1, 8, 10}, 4);
        put32(at + header + 4, packet->timestamp);
        header += 12;
    }
    at[12] = (uint8_t)(header / 4 << 4);
    for (uint32_t i = 0; i < packet->length; i++)
        at[header + i] = (uint8_t)(byte_at(first + i) + packet->content);
    return header + packet->length;
}

static uint32_t
put_datagram(uint8_t *at, const rig_packet *packet)
{
    if (packet->protocol == 17) {
        put16(at + 4, 8 + packet->length);
    } else {
        at[0] = packet->echo_reply ? 0 : 8;
        put16(at + 4, packet->source_port);
        put16(at + 6, packet->sequence);
    }
    for (uint32_t i = 0; i < packet->length; i++)
        at[8 + i] = byte_at(packet->content * 65537 + i);
    return 8 + packet->length;
}

static void
put_ipv4(uint8_t *ip, const rig_packet *packet)
{
    const uint8_t a[4] = {10, 0, 0, packet->source != 0 ? packet->source : 1};
    const uint8_t b[4] = {10, 0, 1, packet->destination != 0 ? packet->destination : 2};
    ip[0] = 0x45;
    ip[1] = packet->tos;
    put16(ip + 4, packet->id);
    ip[8] = packet->ttl != 0 ? packet->ttl : 64;
    ip[9] = packet->protocol;
    memcpy(ip + 12, packet->from_b ? b : a, 4);
    memcpy(ip + 16, packet->from_b ? a : b, 4);
}

/* fd00::a:SOURCE and fd00::b:DESTINATION. */
static void
put_ipv6(uint8_t *ip, const rig_packet *packet)
{
    const uint8_t a[2] = {0xa, packet->source}, b[2] = {0xb, packet->destination};
    ip[0] = (uint8_t)(0x60 | packet->tos >> 4);
    ip[1] = (uint8_t)(packet->tos << 4);
    ip[6] = packet->protocol;
    ip[7] = packet->ttl != 0 ? packet->ttl : 64;
    ip[8] = ip[24] = 0xfd;
    memcpy(ip + 22, packet->from_b ? b : a, 2);
    memcpy(ip + 38, packet->from_b ? a : b, 2);
}

void
rig_show(rig *r, fc_path_end end, int64_t at_ns, const rig_packet *packet)
{
    const uint32_t header = packet->v6 ? 40 : IP;
    uint8_t *bytes = fc_alloc(ETHERNET + 40 + 60 + packet->length + 8), *ip = bytes + ETHERNET,
            *transport = ip + header;
    uint16_t a_port = packet->source_port != 0 ? packet->source_port : 40000;
    uint16_t b_port = packet->destination_port != 0 ? packet->destination_port : 443;
    put16(bytes + 12, packet->v6 ? 0x86dd : 0x0800);
    (packet->v6 ? put_ipv6 : put_ipv4)(ip, packet);
    uint32_t size = packet->protocol == 6 ? put_tcp(transport, packet) : put_datagram(transport, packet);
    if (packet->protocol != 1) {
        put16(transport, packet->from_b ? b_port : a_port);
        put16(transport + 2, packet->from_b ? a_port : b_port);
    }
    if (packet->fragment_bytes != 0) {
        size = packet->fragment_bytes;
        memmove(transport, transport + packet->fragment, size);
        put16(ip + 6, (uint32_t)packet->fragment / 8 | (packet->more ? 0x2000u : 0));
    }
    if (packet->v6)
        put16(ip + 4, size > 0xffff ? 0 : size);
    else
        put16(ip + 2, IP + size > 0xffff ? 0 : IP + size);
    fc_block block = {.kind = FC_BLOCK_FRAME};
    block.frame = (fc_frame){.unix_ns = end == FC_PATH_A ? RIG_START_NS + at_ns : rig_b_time(r, at_ns),
                             .data = bytes,
                             .captured_bytes = ETHERNET + header + size,
                             .original_bytes = ETHERNET + header + size,
                             .interface = r->interface,
                             .link_type = r->link_type != 0 ? r->link_type : LINK_ETHERNET};
    if (packet->captured != 0 && packet->captured < block.frame.captured_bytes)
        block.frame.captured_bytes = packet->captured;
    if (r->inbound)
        block.frame.direction = FC_DIRECTION_INBOUND;
    else if (r->flags)
        block.frame.direction =
            packet->from_b == (end == FC_PATH_B) ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND;
    /* Exactly what was captured, so that a read beyond it is seen. */
    uint8_t *exact = fc_alloc(block.frame.captured_bytes);
    memcpy(exact, bytes, block.frame.captured_bytes);
    block.frame.data = exact;
    block_of(r, end, &block);
    r->frames[end]++;
    free(exact);
    free(bytes);
}

void
rig_cross(rig *r, int64_t at_ns, int64_t delay_ns, const rig_packet *packet)
{
    fc_path_end sender = packet->from_b ? FC_PATH_B : FC_PATH_A;
    rig_show(r, sender, at_ns, packet);
    rig_show(r, (fc_path_end)(sender ^ 1), at_ns + delay_ns, packet);
}

const fc_path_result *
rig_judge(rig *r)
{
    r->result = fc_path_judge(r->path);
    return r->result;
}

void
rig_end(rig *r)
{
    fc_path_result_free(r->result);
    fc_path_free(r->path);
}
