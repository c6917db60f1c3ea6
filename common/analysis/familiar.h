/* familiar.h: UDP datagrams that look like one that was just seen: same Ethernet, same IPv4 addresses, same
 * ports.
 *
 * Most of what a busy interface carries. Such a packet needs no parser and no search: a slot of a small table
 * says which conversation it is of. What is found here is what fc_packet_parse and fc_conversations_find
 * would have found; anything out of the ordinary (options, fragments, tags, lengths that do not fit) is not
 * found and goes the long way. DNS is never here: its payload counts.
 */
#ifndef FC_ANALYSIS_FAMILIAR_H
#define FC_ANALYSIS_FAMILIAR_H

#include "common/analysis/conversations.h"
#include "common/analysis/packet.h"

enum {
    FC_FAMILIAR_SLOTS = 256,
    FC_FAMILIAR_LINK = 1, /* LINKTYPE_ETHERNET */
    FC_FAMILIAR_IP = 14,  /* where the IPv4 header of an untagged Ethernet frame is */
    FC_FAMILIAR_UDP = 34, /* and the UDP header behind one without options */
};

typedef struct fc_familiar_slot {
    uint64_t addresses;            /* source and destination as in the header */
    uint32_t ports;                /* likewise */
    uint32_t side;                 /* the source's */
    fc_conversation *conversation; /* weak: cleared by fc_familiar_forget; NULL = free */
} fc_familiar_slot;

typedef struct fc_familiar {
    fc_familiar_slot slots[FC_FAMILIAR_SLOTS];
} fc_familiar;

static inline fc_familiar_slot *
fc_familiar_slot_of(fc_familiar *familiar, uint64_t addresses, uint32_t ports)
{
    uint64_t mixed =
        (addresses ^ (uint64_t)ports << 16) * 0x9e3779b97f4a7c15u; /* Fibonacci hashing (Knuth 6.4) */
    return &familiar->slots[mixed >> 56];
}
_Static_assert(FC_FAMILIAR_SLOTS == 256, "the hash has 8 bits");

/* NULL: take the long way. Otherwise the slot, and how long the datagram's payload is. */
static inline const fc_familiar_slot *
fc_familiar_find(fc_familiar *familiar, const fc_frame *frame, uint32_t *ret_payload_bytes)
{
    const uint8_t *ip = frame->data + FC_FAMILIAR_IP, *udp = frame->data + FC_FAMILIAR_UDP;
    if (frame->link_type != FC_FAMILIAR_LINK || frame->captured_bytes < FC_FAMILIAR_UDP + 8)
        return NULL;
    if (frame->data[12] != 0x08 || frame->data[13] != 0 || ip[0] != 0x45 || ip[9] != FC_IP_UDP ||
        (fc_read_be16(ip + 6) & 0x3fff) != 0)
        return NULL;
    uint32_t total = fc_read_be16(ip + 2), length = fc_read_be16(udp + 4);
    if (length < 8 || total < 20 + length || total + FC_FAMILIAR_IP > frame->original_bytes)
        return NULL;
    uint64_t addresses;
    uint32_t ports;
    memcpy(&addresses, ip + 12, sizeof addresses);
    memcpy(&ports, udp, sizeof ports);
    const fc_familiar_slot *slot = fc_familiar_slot_of(familiar, addresses, ports);
    if (slot->conversation == NULL || slot->addresses != addresses || slot->ports != ports)
        return NULL;
    *ret_payload_bytes = length - 8;
    return slot;
}

/* A packet that went the long way: the next one like it need not. */
static inline void
fc_familiar_keep(fc_familiar *familiar, const fc_frame *frame, const fc_packet *packet,
                 fc_conversation *conversation, unsigned side)
{
    if (frame->link_type != FC_FAMILIAR_LINK || packet->family != 4 || packet->fragment ||
        packet->transport != frame->data + FC_FAMILIAR_UDP)
        return;
    uint64_t addresses;
    uint32_t ports;
    memcpy(&addresses, packet->source, sizeof addresses);
    memcpy(&ports, packet->transport, sizeof ports);
    *fc_familiar_slot_of(familiar, addresses, ports) =
        (fc_familiar_slot){addresses, ports, side, conversation};
}

/* The conversation is about to end. */
void
fc_familiar_forget(fc_familiar *familiar, const fc_conversation *conversation);

#endif
