#include "node/capture/direction.h"

/* tpacket_rcv() in net/packet/af_packet.c: the network header goes to TPACKET_ALIGN(tp_hdrlen + max(maclen,
 * 16)) plus tp_reserve, the link header maclen bytes before it. */
#define ALIGNED(size)      (((size) + 15) / 16 * 16)
#define MAC_OFFSET(maclen) (ALIGNED(68 + ((maclen) < 16 ? 16 : (maclen))) + CAP_VLAN_TAG_SIZE - (maclen))

_Static_assert(sizeof(struct tpacket3_hdr) == CAP_SLOT_ADDRESS && sizeof(struct sockaddr_ll) == 20,
               "the layout of a ring's slot is part of the kernel's interface");

static const uint16_t mac_offsets[] = {
    MAC_OFFSET(14), /* Ethernet */
    MAC_OFFSET(18), /* Ethernet with a VLAN tag in the packet */
    MAC_OFFSET(22), /* two of them */
    MAC_OFFSET(0),  /* no link header: tun */
};

const uint8_t cap_direction_flags[8] = {
    [PACKET_HOST] = CAP_FLAGS_INBOUND | CAP_FLAGS_UNICAST,
    [PACKET_BROADCAST] = CAP_FLAGS_INBOUND | CAP_FLAGS_BROADCAST,
    [PACKET_MULTICAST] = CAP_FLAGS_INBOUND | CAP_FLAGS_MULTICAST,
    [PACKET_OTHERHOST] = CAP_FLAGS_INBOUND | CAP_FLAGS_PROMISCUOUS,
    [PACKET_OUTGOING] = CAP_FLAGS_OUTBOUND,
};

/* Without the kernel's word: what carries our own source address went out. */
static uint32_t
guess(const cap_direction *direction, const struct pcap_pkthdr *header, const uint8_t *data)
{
    if (direction->link_type != DLT_EN10MB || !direction->has_mac || header->caplen < 12)
        return 0;
    return memcmp(data + 6, direction->mac, 6) == 0 ? CAP_FLAGS_OUTBOUND : CAP_FLAGS_INBOUND;
}

uint32_t
cap_direction_search(cap_direction *direction, const struct pcap_pkthdr *header, const uint8_t *data)
{
    if (direction->link_type == DLT_LINUX_SLL) /* the header that libpcap made begins with the packet type */
        return header->caplen >= 2 && data[0] == 0 ? cap_direction_flags[data[1] & 7] : 0;
    for (size_t i = 0; i < sizeof mac_offsets / sizeof mac_offsets[0]; i++) {
        for (uint32_t tag = 0; tag <= CAP_VLAN_TAG_SIZE; tag += CAP_VLAN_TAG_SIZE) {
            uint32_t offset = mac_offsets[i] - tag;
            if (!cap_direction_agrees(header, data, offset, tag))
                continue;
            if (tag == 0)
                direction->mac_offset = (uint16_t)offset;
            return cap_direction_flags[data[CAP_PACKET_TYPE - (ptrdiff_t)offset] & 7];
        }
    }
    return guess(direction, header, data);
}
