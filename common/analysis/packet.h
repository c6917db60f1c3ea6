/* packet.h: one frame taken apart: link, IP and transport headers.
 *
 * Pure, no allocation; pointers are into the frame. Everything is checked against what was captured; what the
 * snap length cut off is normal (`cut`), what the headers claim beyond the frame's length on the wire is not
 * (FC_PACKET_UNDECODED). Super-segments of the offloads (total length 0, or more than the MTU) and partial
 * checksums are normal: checksums are not looked at.
 *
 * Sources: RFC 791, 8200 (IP), 4302 (AH), 9293 (TCP), 7323 (its options), 768 (UDP), IEEE 802.1Q, 802.1ad;
 * tcpdump.org/linktypes.html.
 */
#ifndef FC_ANALYSIS_PACKET_H
#define FC_ANALYSIS_PACKET_H

#include "common/pcapng/frame.h"
#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_packet_kind {
    FC_PACKET_UNDECODED, /* not what its headers say, or an unknown link type */
    FC_PACKET_NOT_IP,
    FC_PACKET_ARP, /* transport is the ARP packet */
    FC_PACKET_IP,
} fc_packet_kind;

enum { FC_IP_ICMP = 1, FC_IP_TCP = 6, FC_IP_UDP = 17, FC_IP_ICMPV6 = 58 };

enum {
    FC_TCP_FIN = 0x01,
    FC_TCP_SYN = 0x02,
    FC_TCP_RST = 0x04,
    FC_TCP_PSH = 0x08,
    FC_TCP_ACK = 0x10,
};

typedef struct fc_packet {
    uint8_t kind;     /* fc_packet_kind */
    uint8_t family;   /* 4 or 6 */
    uint8_t protocol; /* of what is in the IP packet, behind the extension headers */
    uint8_t vlan_count;
    uint8_t direction; /* fc_direction by the link header (Linux cooked); else unknown */
    bool to_many;      /* the link header's destination is a group: broadcast or multicast */
    bool fragment;     /* one of several; transport is only there in the first */
    bool more_fragments;
    bool cut; /* the snap length left less than the transport header: no ports or no TCP fields */
    bool has_ports, has_tcp;
    uint8_t tcp_flags;
    uint16_t source_port, destination_port;
    uint16_t window;          /* as it is in the header, not scaled */
    uint16_t fragment_offset; /* bytes */
    uint32_t interface;       /* by the link header (Linux cooked, version 2); 0 = not said */
    uint32_t id;              /* of an IPv4 packet; of a fragmented IPv6 packet */
    uint32_t sequence, acknowledgement;
    const uint8_t *source, *destination;          /* 4 or 16 bytes */
    const uint8_t *transport;                     /* behind the IP headers */
    uint32_t transport_captured, transport_bytes; /* captured; by the IP header */
    const uint8_t *payload;                       /* behind the transport header */
    uint32_t payload_captured, payload_bytes;
} fc_packet;

/* Fills all of *ret_packet. */
void
fc_packet_parse(uint16_t link_type, const uint8_t *data, uint32_t captured_bytes, uint32_t original_bytes,
                fc_packet *ret_packet);

fc_address
fc_packet_source(const fc_packet *packet);
fc_address
fc_packet_destination(const fc_packet *packet);

typedef struct fc_tcp_options {
    uint16_t mss;         /* 0 = not there */
    uint8_t window_shift; /* with has_window_shift */
    bool has_window_shift, sack_permitted, has_timestamps;
    uint32_t timestamp, timestamp_echo;
    uint8_t sack_count; /* blocks of selective acknowledgement */
    struct {
        uint32_t start, end;
    } sack[4];
} fc_tcp_options;

/* The options of a segment (has_tcp), as far as they were captured. */
void
fc_packet_tcp_options(const fc_packet *packet, fc_tcp_options *ret_options);

static inline uint16_t
fc_read_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t
fc_read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
