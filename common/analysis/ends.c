#include "common/analysis/state.h"

/* draft-ietf-opsawg-pcapng, section 4.3.1: how the packet was received, bits 2 to 4 of epb_flags. */
enum { RECEIVED_UNICAST = 1, RECEIVED_PROMISCUOUS = 4 };
enum { PORT_DNS = 53 };

static unsigned
received_as(const fc_frame *frame)
{
    return (unsigned)frame->flags >> 2 & 7u;
}

/* What a packet's direction says of the addresses: the source of what goes out is ours, and so is the
 * destination of what was received as unicast. */
static void
learn(fc_analyzer *analyzer, const fc_sighting *sighting, const fc_address *source,
      const fc_address *destination)
{
    const fc_address *own = NULL;
    if (sighting->direction == FC_DIRECTION_OUTBOUND)
        own = source;
    else if (sighting->direction == FC_DIRECTION_INBOUND && !sighting->packet.to_many &&
             (received_as(sighting->frame) == RECEIVED_UNICAST || received_as(sighting->frame) == 0))
        own = destination;
    if (own != NULL && !fc_address_is_multicast(own) && !fc_address_is_unspecified(own))
        fc_profile_add_local_address(analyzer->profile, own);
}

/* Which side is local: by the packet's direction, else by the addresses that are known. False = neither
 * tells. */
static bool
orient(const fc_analyzer *analyzer, unsigned side, const fc_sighting *sighting, const fc_address *source,
       const fc_address *destination, unsigned *ret_local)
{
    bool source_local = fc_subject_is_local(analyzer, source),
         destination_local = fc_subject_is_local(analyzer, destination);
    bool foreign =
        received_as(sighting->frame) == RECEIVED_PROMISCUOUS && !source_local && !destination_local;
    if (sighting->direction == FC_DIRECTION_OUTBOUND && !foreign)
        *ret_local = side;
    else if (sighting->direction == FC_DIRECTION_INBOUND && !foreign)
        *ret_local = 1 - side;
    else if (source_local)
        *ret_local = side;
    else if (destination_local)
        *ret_local = 1 - side;
    else
        return false;
    return true;
}

/* Who began, by the first packet; FC_SIDE_UNKNOWN in the middle of a TCP connection. */
static unsigned
initiator_of(unsigned side, const fc_packet *packet)
{
    if (packet->protocol == FC_IP_TCP) {
        unsigned syn = packet->tcp_flags & (FC_TCP_SYN | FC_TCP_ACK);
        return !packet->has_tcp || (syn & FC_TCP_SYN) == 0 ? FC_SIDE_UNKNOWN
               : syn == FC_TCP_SYN                         ? side
                                                           : 1 - side;
    }
    bool answer = packet->protocol == FC_IP_UDP && packet->source_port == PORT_DNS &&
                  packet->destination_port != PORT_DNS;
    return answer ? 1 - side : side;
}

void
fc_ends_settle(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side,
               const fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    fc_address source = fc_packet_source(packet), destination = fc_packet_destination(packet);
    unsigned local = 0, initiator = initiator_of(side, packet);
    learn(analyzer, sighting, &source, &destination);
    conversation->oriented = orient(analyzer, side, sighting, &source, &destination, &local) & 1u;
    if (!conversation->oriented)
        local = initiator != FC_SIDE_UNKNOWN ? initiator : 0;
    conversation->local_side = local & 1u;
    conversation->initiator = (uint8_t)initiator;
    conversation->to_many =
        (packet->to_many || fc_address_is_multicast(&destination) || fc_address_is_multicast(&source)) & 1u;
    conversation->file = analyzer->file;
    conversation->first_frame = sighting->number;
    if (packet->protocol == FC_IP_TCP || packet->protocol == FC_IP_UDP)
        conversation->is_dns = (packet->source_port == PORT_DNS || packet->destination_port == PORT_DNS) & 1u;
}
