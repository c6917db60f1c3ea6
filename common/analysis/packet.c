#include "common/analysis/packet.h"

#include <string.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_RAW_12 = 12,
    LINK_RAW_14 = 14,
    LINK_RAW = 101,
    LINK_LOOP = 108,
    LINK_COOKED = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_COOKED_2 = 276,
};

enum {
    ETHER_IPV4 = 0x0800,
    ETHER_ARP = 0x0806,
    ETHER_VLAN = 0x8100,
    ETHER_IPV6 = 0x86dd,
    ETHER_QINQ = 0x88a8,
    ETHER_QINQ_OLD = 0x9100,
    ETHER_NONE = 0,           /* the first nibble says what it is */
    ETHER_UNDECODED = 0xffff, /* reserved by IANA: never in a frame that is to be understood */
};

enum { VLAN_TAGS_MAX = 8, EXTENSION_HEADERS_MAX = 16 };

/* Where the parser stands: `at` is `captured` bytes of memory and `wire` bytes of the frame. */
typedef struct cursor {
    const uint8_t *at;
    uint32_t captured, wire;
} cursor;

static inline void
skip(cursor *c, uint32_t bytes)
{
    c->at += bytes;
    c->captured -= bytes;
    c->wire -= bytes;
}

/* ---- link layer ---- */

/* linux/if_packet.h: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 from us. */
static void
cooked_type(uint16_t type, fc_packet *packet)
{
    packet->to_many = type == 1 || type == 2;
    if (type == 4)
        packet->direction = FC_DIRECTION_OUTBOUND;
    else if (type < 4)
        packet->direction = FC_DIRECTION_INBOUND;
}

/* The address family before a packet of BSD's loopback: host order of the writer's machine, or network order
 * (LOOP). */
static uint16_t
loopback_type(const uint8_t *at)
{
    uint32_t family = at[0] != 0 || at[1] != 0 ? (uint32_t)at[0] | (uint32_t)at[1] << 8 : fc_read_be32(at);
    switch (family) {
    case 2:
        return ETHER_IPV4;
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return ETHER_IPV6;
    default:
        return ETHER_UNDECODED;
    }
}

/* The Ethertype of what follows the link header. */
static uint16_t
link_header(uint16_t link_type, cursor *c, fc_packet *packet)
{
    uint16_t type = ETHER_UNDECODED;
    switch (link_type) {
    case LINK_RAW:
    case LINK_RAW_12:
    case LINK_RAW_14:
    case LINK_IPV4:
    case LINK_IPV6:
        return ETHER_NONE;
    case LINK_COOKED:
        if (c->captured < 16)
            return ETHER_UNDECODED;
        cooked_type(fc_read_be16(c->at), packet);
        type = fc_read_be16(c->at + 14);
        skip(c, 16);
        return type;
    case LINK_COOKED_2:
        if (c->captured < 20)
            return ETHER_UNDECODED;
        packet->interface = fc_read_be32(c->at + 4);
        cooked_type(c->at[10], packet);
        type = fc_read_be16(c->at);
        skip(c, 20);
        return type;
    case LINK_NULL:
    case LINK_LOOP:
        if (c->captured < 4)
            return ETHER_UNDECODED;
        type = loopback_type(c->at);
        skip(c, 4);
        return type;
    default:
        return ETHER_UNDECODED;
    }
}

static uint16_t
vlan_tags(uint16_t type, cursor *c, fc_packet *packet)
{
    while (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD) {
        if (c->captured < 4 || packet->vlan_count == VLAN_TAGS_MAX)
            return ETHER_UNDECODED;
        type = fc_read_be16(c->at + 2);
        packet->vlan_count++;
        skip(c, 4);
    }
    return type;
}

/* ---- transport layer ---- */

static inline void
tcp_header(cursor c, fc_packet *packet)
{
    if (UNLIKELY(c.captured < 20)) {
        packet->cut = c.wire >= 20;
        if (!packet->cut && !packet->fragment)
            packet->kind = FC_PACKET_UNDECODED;
        return;
    }
    uint32_t header = (uint32_t)(c.at[12] >> 4) * 4;
    if (UNLIKELY(header < 20 || header > c.wire)) {
        packet->kind = FC_PACKET_UNDECODED;
        return;
    }
    packet->has_tcp = true;
    packet->sequence = fc_read_be32(c.at + 4);
    packet->acknowledgement = fc_read_be32(c.at + 8);
    packet->tcp_flags = c.at[13];
    packet->window = fc_read_be16(c.at + 14);
    packet->payload_bytes = c.wire - header;
    packet->payload = c.at + (header < c.captured ? header : c.captured);
    packet->payload_captured = header < c.captured ? c.captured - header : 0;
}

static inline void
udp_header(cursor c, fc_packet *packet)
{
    if (UNLIKELY(c.captured < 8)) {
        packet->cut = c.wire >= 8;
        if (!packet->cut && !packet->fragment)
            packet->kind = FC_PACKET_UNDECODED;
        return;
    }
    uint32_t length = fc_read_be16(c.at + 4);
    if (length == 0 || (packet->fragment &&
                        length > c.wire)) /* RFC 2675: a jumbo datagram; or the rest is in other fragments */
        length = c.wire;
    if (UNLIKELY(length < 8 || length > c.wire)) {
        packet->kind = FC_PACKET_UNDECODED;
        return;
    }
    packet->payload = c.at + 8;
    packet->payload_bytes = length - 8;
    packet->payload_captured = c.captured - 8 < length - 8 ? c.captured - 8 : length - 8;
}

static inline void
transport(cursor c, fc_packet *packet)
{
    packet->transport = c.at;
    packet->transport_captured = c.captured;
    packet->transport_bytes = c.wire;
    packet->payload = c.at;
    packet->payload_captured = c.captured;
    packet->payload_bytes = c.wire;
    if (packet->fragment_offset != 0 || (packet->protocol != FC_IP_TCP && packet->protocol != FC_IP_UDP))
        return;
    packet->payload_captured = packet->payload_bytes = 0;
    if (UNLIKELY(c.captured < 4)) {
        packet->cut = true;
        return;
    }
    packet->has_ports = true;
    packet->source_port = fc_read_be16(c.at);
    packet->destination_port = fc_read_be16(c.at + 2);
    if (packet->protocol == FC_IP_TCP)
        tcp_header(c, packet);
    else
        udp_header(c, packet);
}

/* ---- network layer ---- */

/* Ends the cursor where the IP packet ends: what follows is padding of the link. False when the packet claims
 * more than there was. */
static inline bool
limit(cursor *c, uint32_t bytes)
{
    if (UNLIKELY(bytes > c->wire))
        return false;
    c->wire = bytes;
    if (c->captured > bytes)
        c->captured = bytes;
    return true;
}

static inline void
ipv4(cursor c, fc_packet *packet)
{
    if (UNLIKELY(c.captured < 20))
        return;
    uint32_t header = (uint32_t)(c.at[0] & 15) * 4, total = fc_read_be16(c.at + 2);
    if (total == 0) /* a super-segment beyond 64 KiB, before the offload has cut it */
        total = c.wire;
    if (UNLIKELY(c.at[0] >> 4 != 4 || header < 20 || total < header || !limit(&c, total)))
        return;
    uint32_t fragment = fc_read_be16(c.at + 6);
    packet->kind = FC_PACKET_IP;
    packet->family = 4;
    packet->protocol = c.at[9];
    packet->id = fc_read_be16(c.at + 4);
    packet->source = c.at + 12;
    packet->destination = c.at + 16;
    packet->more_fragments = (fragment & 0x2000) != 0;
    packet->fragment_offset = (uint16_t)((fragment & 0x1fff) * 8);
    packet->fragment = (fragment & 0x3fff) != 0;
    if (UNLIKELY(c.captured < header)) {
        packet->cut = true;
        return;
    }
    skip(&c, header);
    transport(c, packet);
}

/* Walks the extension headers. False when they are not whole. */
static bool
extension_headers(cursor *c, fc_packet *packet)
{
    for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
        uint32_t size;
        switch (packet->protocol) {
        case 0:   /* hop-by-hop options */
        case 43:  /* routing */
        case 60:  /* destination options */
        case 135: /* mobility */
        case 51:  /* authentication: in units of 4 bytes, minus 2 */
        case 44:  /* fragment */
            break;
        default:
            return true;
        }
        if (c->captured < 8)
            return false;
        size = packet->protocol == 44   ? 8
               : packet->protocol == 51 ? ((uint32_t)c->at[1] + 2) * 4
                                        : ((uint32_t)c->at[1] + 1) * 8;
        if (packet->protocol == 44) {
            uint32_t fragment = fc_read_be16(c->at + 2);
            packet->fragment_offset = (uint16_t)(fragment & 0xfff8);
            packet->more_fragments = (fragment & 1) != 0;
            packet->fragment = packet->fragment_offset != 0 || packet->more_fragments;
            packet->id = fc_read_be32(c->at + 4);
        }
        if (size > c->captured)
            return false;
        packet->protocol = c->at[0];
        skip(c, size);
        if (packet->fragment_offset != 0)
            return true;
    }
    return false;
}

static inline void
ipv6(cursor c, fc_packet *packet)
{
    if (UNLIKELY(c.captured < 40))
        return;
    uint32_t length = fc_read_be16(c.at + 4);
    if (length == 0) /* RFC 2675 jumbogram, or a super-segment */
        length = c.wire - 40;
    if (UNLIKELY(c.at[0] >> 4 != 6 || !limit(&c, 40 + length)))
        return;
    packet->kind = FC_PACKET_IP;
    packet->family = 6;
    packet->protocol = c.at[6];
    packet->source = c.at + 8;
    packet->destination = c.at + 24;
    skip(&c, 40);
    if (UNLIKELY(!extension_headers(&c, packet))) {
        packet->cut = c.captured < c.wire;
        if (!packet->cut)
            packet->kind = FC_PACKET_UNDECODED;
        return;
    }
    transport(c, packet);
}

static void
network(uint16_t type, cursor c, fc_packet *packet)
{
    if (type == ETHER_NONE && c.captured > 0)
        type = c.at[0] >> 4 == 4 ? ETHER_IPV4 : c.at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_UNDECODED;
    switch (type) {
    case ETHER_IPV4:
        ipv4(c, packet);
        break;
    case ETHER_IPV6:
        ipv6(c, packet);
        break;
    case ETHER_ARP:
        packet->kind = FC_PACKET_ARP;
        packet->transport = c.at;
        packet->transport_captured = c.captured;
        packet->transport_bytes = c.wire;
        break;
    case ETHER_NONE:
    case ETHER_UNDECODED:
        break;
    default:
        packet->kind = FC_PACKET_NOT_IP;
        break;
    }
}

void
fc_packet_parse(uint16_t link_type, const uint8_t *data, uint32_t captured_bytes, uint32_t original_bytes,
                fc_packet *ret_packet)
{
    *ret_packet = (fc_packet){0};
    cursor c = {data, captured_bytes, original_bytes > captured_bytes ? original_bytes : captured_bytes};
    if (LIKELY(link_type == LINK_ETHERNET)) {
        if (UNLIKELY(captured_bytes < 14))
            return;
        uint16_t type = fc_read_be16(data + 12);
        ret_packet->to_many = (data[0] & 1) != 0;
        skip(&c, 14);
        if (LIKELY(type == ETHER_IPV4)) {
            ipv4(c, ret_packet);
            return;
        }
        network(vlan_tags(type, &c, ret_packet), c, ret_packet);
        return;
    }
    uint16_t type = link_header(link_type, &c, ret_packet);
    network(vlan_tags(type, &c, ret_packet), c, ret_packet);
}

/* ---- what readers ask ---- */

static fc_address
address_of(uint8_t family, const uint8_t *bytes)
{
    fc_address address = {.family = family};
    if (family != 0)
        memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
    return address;
}

fc_address
fc_packet_source(const fc_packet *packet)
{
    return address_of(packet->family, packet->source);
}

fc_address
fc_packet_destination(const fc_packet *packet)
{
    return address_of(packet->family, packet->destination);
}

static void
tcp_option(uint8_t kind, const uint8_t *value, size_t size, fc_tcp_options *options)
{
    if (kind == 2 && size == 2) {
        options->mss = fc_read_be16(value);
    } else if (kind == 3 && size == 1) {
        options->has_window_shift = true;
        options->window_shift = value[0] > 14 ? 14 : value[0]; /* RFC 7323, section 2.3 */
    } else if (kind == 4 && size == 0) {
        options->sack_permitted = true;
    } else if (kind == 5 && size % 8 == 0) {
        for (size_t i = 0; i < size / 8 && options->sack_count < 4; i++, options->sack_count++) {
            options->sack[options->sack_count].start = fc_read_be32(value + 8 * i);
            options->sack[options->sack_count].end = fc_read_be32(value + 8 * i + 4);
        }
    } else if (kind == 8 && size == 8) {
        options->has_timestamps = true;
        options->timestamp = fc_read_be32(value);
        options->timestamp_echo = fc_read_be32(value + 4);
    }
}

void
fc_packet_tcp_options(const fc_packet *packet, fc_tcp_options *ret_options)
{
    *ret_options = (fc_tcp_options){0};
    if (!packet->has_tcp)
        return;
    const uint8_t *at = packet->transport + 20, *end = packet->payload;
    while (at < end && *at != 0) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        tcp_option(at[0], at + 2, (size_t)at[1] - 2, ret_options);
        at += at[1];
    }
}
