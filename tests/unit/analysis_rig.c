#include "analysis_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ETHER = 14, IPV4 = 20, IPV6 = 40, TCP = 20, SYN_OPTIONS = 4 };

static void
on_conversation(void *user, const fc_conversation_summary *summary)
{
    packet_rig *rig = user;
    assert_true(rig->told_count < RIG_TOLD_MAX);
    rig->told[rig->told_count++] = *summary;
}

static void
on_dns(void *user, const fc_dns_transaction *transaction)
{
    packet_rig *rig = user;
    assert_true(rig->dns_count < RIG_TOLD_MAX);
    rig->dns[rig->dns_count++] = *transaction;
}

void
rig_init(packet_rig *rig, size_t conversations_max)
{
    static const fc_analysis_observer observer = {on_conversation, on_dns};
    *rig = (packet_rig){.now_ns = RIG_START_NS, .flagged = true};
    const fc_analyzer_options options = {
        .conversations_max = conversations_max, .observer = &observer, .observer_user = rig};
    rig->analyzer = fc_analyzer_new(&options);
    rig->profile = fc_profile_new();
    fc_analyzer_file(rig->analyzer, "rig.pcapng");
}

void
rig_fini(packet_rig *rig)
{
    fc_analyzer_free(rig->analyzer);
    fc_profile_free(rig->profile);
}

void
rig_after(packet_rig *rig, int64_t ns)
{
    rig->now_ns += ns;
}

void
rig_put_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void
rig_put_be32(uint8_t *at, uint32_t value)
{
    rig_put_be16(at, value >> 16);
    rig_put_be16(at + 2, value & 0xffff);
}

void
rig_frame(packet_rig *rig, uint16_t link_type, fc_direction direction, const uint8_t *data, uint32_t size)
{
    uint32_t captured = rig->snaplen != 0 && rig->snaplen < size ? rig->snaplen : size;
    uint8_t *exact = test_malloc(captured > 0 ? captured : 1); /* so that a read past the end is seen */
    memcpy(exact, data, captured);
    const fc_block block = {
        .kind = FC_BLOCK_FRAME,
        .frame = {.unix_ns = rig->now_ns,
                  .data = exact,
                  .captured_bytes = captured,
                  .original_bytes = size,
                  .interface = rig->interface,
                  .link_type = link_type,
                  .direction = rig->flagged ? direction : FC_DIRECTION_UNKNOWN},
    };
    fc_analyzer_block(rig->analyzer, &block);
    test_free(exact);
}

size_t
rig_put_ipv4(uint8_t *out, bool from_local, uint8_t protocol, uint16_t fragment, const uint8_t *data,
             uint32_t size)
{
    memset(out, 0, IPV4);
    out[0] = 0x45;
    rig_put_be16(out + 2, IPV4 + size);
    rig_put_be16(out + 4, 7);
    rig_put_be16(out + 6, fragment);
    out[8] = 64;
    out[9] = protocol;
    rig_put_be32(out + 12, from_local ? 0x0a000001 : 0x0a000002);
    rig_put_be32(out + 16, from_local ? 0x0a000002 : 0x0a000001);
    memcpy(out + IPV4, data, size);
    return IPV4 + size;
}

static size_t
put_ipv6(uint8_t *out, bool from_local, uint8_t protocol, const uint8_t *data, uint32_t size)
{
    memset(out, 0, IPV6);
    out[0] = 0x60;
    rig_put_be16(out + 4, size);
    out[6] = protocol;
    out[7] = 64;
    out[8] = out[24] = 0xfd;
    out[23] = from_local ? 1 : 2;
    out[39] = from_local ? 2 : 1;
    memcpy(out + IPV6, data, size);
    return IPV6 + size;
}

void
rig_ip(packet_rig *rig, bool out, uint8_t protocol, const uint8_t *data, uint32_t size)
{
    static uint8_t frame[RIG_FRAME_MAX];
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    memcpy(frame, macs, sizeof macs);
    rig_put_be16(frame + 12, rig->v6 ? 0x86dd : 0x0800);
    size_t made = rig->v6 ? put_ipv6(frame + ETHER, out, protocol, data, size)
                          : rig_put_ipv4(frame + ETHER, out, protocol, 0, data, size);
    rig_frame(rig, 1, out ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND, frame, (uint32_t)(ETHER + made));
}

void
rig_udp(packet_rig *rig, bool out, uint16_t local_port, uint16_t remote_port, const void *payload,
        uint32_t size)
{
    uint8_t datagram[2048] = {0};
    assert_true(size <= sizeof datagram - 8);
    rig_put_be16(datagram, out ? local_port : remote_port);
    rig_put_be16(datagram + 2, out ? remote_port : local_port);
    rig_put_be16(datagram + 4, 8 + size);
    if (payload != NULL)
        memcpy(datagram + 8, payload, size);
    rig_ip(rig, out, FC_IP_UDP, datagram, 8 + size);
}

void
rig_tcp(packet_rig *rig, rig_segment segment)
{
    static uint8_t data[RIG_FRAME_MAX - 100];
    uint32_t header = TCP + ((segment.flags & FC_TCP_SYN) != 0 ? SYN_OPTIONS : 0);
    uint16_t local = segment.local_port != 0 ? segment.local_port : 40000;
    /* Initial sequence numbers near the wrap: it comes soon. */
    uint32_t local_base = 0xffffff00u, remote_base = 0x7fffff00u;
    assert_true(header + segment.length <= sizeof data);
    memset(data, 0, header + segment.length);
    rig_put_be16(data, segment.out ? local : 443);
    rig_put_be16(data + 2, segment.out ? 443 : local);
    rig_put_be32(data + 4, (segment.out ? local_base : remote_base) + segment.sequence);
    if ((segment.flags & FC_TCP_ACK) != 0)
        rig_put_be32(data + 8, (segment.out ? remote_base : local_base) + segment.ack);
    data[12] = (uint8_t)(header / 4 << 4);
    data[13] = segment.flags;
    rig_put_be16(data + 14, segment.zero_window ? 0 : segment.window != 0 ? segment.window : 64000);
    if (header > TCP) {
        data[20] = 2;
        data[21] = 4;
        rig_put_be16(data + 22, 1460);
    }
    if (segment.payload != NULL)
        memcpy(data + header, segment.payload, segment.length);
    rig_ip(rig, segment.out, FC_IP_TCP, data, header + segment.length);
}

void
rig_handshake(packet_rig *rig)
{
    rig_tcp(rig, (rig_segment){.out = true, .flags = FC_TCP_SYN});
    rig_after(rig, 10 * RIG_MS);
    rig_tcp(rig, (rig_segment){.flags = FC_TCP_SYN | FC_TCP_ACK, .ack = 1});
    rig_after(rig, RIG_MS);
    rig_tcp(rig, (rig_segment){.out = true, .flags = FC_TCP_ACK, .sequence = 1, .ack = 1});
}

void
rig_judge(packet_rig *rig)
{
    fc_analyzer_profile(rig->analyzer, rig->profile);
    fc_analyzer_finish(rig->analyzer);
}
