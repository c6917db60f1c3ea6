/* direction.h: which way a packet went, and to whom, as epb_flags (draft-ietf-opsawg-pcapng, section 4.3.1).
 *
 * libpcap does not say for Ethernet, but the kernel does: each packet of a TPACKET_V3 ring is preceded by its
 * tpacket3_hdr and a sockaddr_ll with the packet type (Documentation/networking/packet_mmap.rst). How far
 * before the packet they lie depends on the length of the link header, so a candidate is believed only when
 * all that it says of the packet agrees with what libpcap says.
 */
#ifndef CAP_DIRECTION_H
#define CAP_DIRECTION_H

#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    CAP_FLAGS_INBOUND = 1,
    CAP_FLAGS_OUTBOUND = 2,
    CAP_FLAGS_UNICAST = 1 << 2,
    CAP_FLAGS_MULTICAST = 2 << 2,
    CAP_FLAGS_BROADCAST = 3 << 2,
    CAP_FLAGS_PROMISCUOUS = 4 << 2,
    CAP_SLOT_ADDRESS = 48, /* TPACKET_ALIGN(sizeof(struct tpacket3_hdr)): where the sockaddr_ll is */
    CAP_PACKET_TYPE = CAP_SLOT_ADDRESS + offsetof(struct sockaddr_ll, sll_pkttype),
    CAP_VLAN_TAG_SIZE = 4, /* libpcap reserves them, and puts back there the tag that the kernel took out */
};

typedef struct cap_direction {
    uint16_t mac_offset; /* of the last packet from its tpacket3_hdr; 0 = none was found yet */
    int link_type;
    bool has_mac;
    uint8_t mac[6]; /* the interface's own, for packets whose header is not found */
} cap_direction;

/* Tries every place where the header can be. Returns the flags, 0 when the direction cannot be told. */
uint32_t
cap_direction_search(cap_direction *direction, const struct pcap_pkthdr *header, const uint8_t *data);
/* By sll_pkttype; what is not one of the five says nothing of the direction. */
extern const uint8_t cap_direction_flags[8];

/* True when the header at data - offset is this packet's. `tag` is 4 where libpcap has put a VLAN tag back.
 */
static inline bool
cap_direction_agrees(const struct pcap_pkthdr *header, const uint8_t *data, uint32_t offset, uint32_t tag)
{
    struct tpacket3_hdr slot;
    memcpy(&slot, data - offset, sizeof slot);
    return slot.tp_mac == offset + tag && slot.tp_sec == (uint32_t)header->ts.tv_sec &&
           slot.tp_nsec == (uint32_t)header->ts.tv_usec && slot.tp_len + tag == header->len;
}

static inline uint32_t
cap_direction_of(cap_direction *direction, const struct pcap_pkthdr *header, const uint8_t *data)
{
    uint32_t offset = direction->mac_offset;
    if (__builtin_expect(offset == 0 || !cap_direction_agrees(header, data, offset, 0), 0))
        return cap_direction_search(direction, header, data);
    return cap_direction_flags[data[CAP_PACKET_TYPE - (ptrdiff_t)offset] & 7];
}

#endif
