/* ICMP, ARP and neighbour discovery: errors go to the conversation that they quote, requests wait for their
 * answers. */
#include "common/analysis/state.h"

enum {
    ARP_SIZE = 28, /* RFC 826, Ethernet and IPv4 */
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
};

/* Where neither the capture nor the link header says the direction: by the addresses that are known. */
static void
take_direction(const fc_analyzer *analyzer, fc_sighting *sighting, const fc_address *source,
               const fc_address *destination)
{
    if (sighting->direction != FC_DIRECTION_UNKNOWN)
        return;
    if (fc_subject_is_local(analyzer, source))
        sighting->direction = FC_DIRECTION_OUTBOUND;
    else if (fc_subject_is_local(analyzer, destination))
        sighting->direction = FC_DIRECTION_INBOUND;
}

/* ---- neighbours ---- */

/* Puts a request where it waits for its answer; kind, target, asker, token and from_local are the caller's.
 */
static void
asked(fc_analyzer *analyzer, const fc_sighting *sighting, fc_pending_request request)
{
    request.asked_ns = sighting->unix_ns;
    request.asked_count = 1;
    request.file = fc_record_file(analyzer->file);
    request.frame = sighting->number;
    fc_pending_asked(analyzer->pending, &request);
}

static void
neighbour_asked(fc_analyzer *analyzer, const fc_sighting *sighting, const fc_address *asker,
                const fc_address *target)
{
    bool from_local = sighting->direction == FC_DIRECTION_OUTBOUND;
    asked(analyzer, sighting,
          (fc_pending_request){
              .kind = FC_PENDING_NEIGHBOUR, .target = *target, .asker = *asker, .from_local = from_local});
}

void
fc_control_arp(fc_analyzer *analyzer, fc_sighting *sighting)
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};
    const fc_packet *packet = &sighting->packet;
    const uint8_t *at = packet->transport;
    if (packet->transport_captured < ARP_SIZE || memcmp(at, ethernet_ipv4, sizeof ethernet_ipv4) != 0)
        return;
    fc_address sender = {.family = 4}, target = {.family = 4};
    memcpy(sender.bytes, at + 14, 4);
    memcpy(target.bytes, at + 24, 4);
    uint16_t operation = fc_read_be16(at + 6);
    take_direction(analyzer, sighting, &sender, &target);
    /* An announcement or a probe for a conflict wants no answer (RFC 5227). */
    if (operation == ARP_REQUEST && !fc_address_is_unspecified(&sender) &&
        fc_address_compare(&sender, &target) != 0)
        neighbour_asked(analyzer, sighting, &sender, &target);
    else if (operation == ARP_REPLY)
        fc_pending_answered(analyzer->pending, FC_PENDING_NEIGHBOUR, &sender, 0, sighting->unix_ns);
}

/* ---- echo ---- */

/* The ends of an echo as a conversation: types as ports, the request's at who asks. */
static void
echo(fc_analyzer *analyzer, fc_sighting *sighting, const fc_icmp_message *message)
{
    const fc_packet *packet = &sighting->packet;
    bool request = message->kind == FC_ICMP_ECHO_REQUEST;
    uint16_t ask = packet->family == 4 ? 8 : 128, answer = packet->family == 4 ? 0 : 129;
    fc_address source = fc_packet_source(packet), destination = fc_packet_destination(packet);
    uint32_t token = (uint32_t)message->id << 16 | message->sequence;
    unsigned side;
    fc_conversation *conversation = fc_traffic_conversation(
        analyzer, sighting, packet->protocol, request ? ask : answer, request ? answer : ask, &side);
    fc_traffic_count(analyzer, conversation, side, sighting);
    conversation->data_bytes[side] += packet->payload_bytes;
    if (sighting->direction == FC_DIRECTION_UNKNOWN && conversation->oriented)
        sighting->direction = conversation->local_side == side ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND;
    if (request && !conversation->to_many)
        asked(analyzer, sighting,
              (fc_pending_request){.kind = FC_PENDING_ECHO,
                                   .target = destination,
                                   .asker = source,
                                   .token = token,
                                   .from_local = conversation->local_side == side});
    else if (!request)
        fc_pending_answered(analyzer->pending, FC_PENDING_ECHO, &source, token, sighting->unix_ns);
}

/* ---- errors ---- */

static fc_conversation *
quoted(const fc_analyzer *analyzer, const fc_icmp_message *message, unsigned *ret_side)
{
    fc_flow_key key;
    uint16_t from = message->source_port, to = message->destination_port;
    if (message->protocol == FC_IP_ICMP)
        from = 8, to = 0;
    else if (message->protocol == FC_IP_ICMPV6)
        from = 128, to = 129;
    else if (message->protocol != FC_IP_TCP && message->protocol != FC_IP_UDP)
        from = to = 0;
    *ret_side = fc_flow_key_make(&key, message->protocol, message->source.family, message->source.bytes, from,
                                 message->destination.bytes, to);
    return fc_conversations_find(&analyzer->conversations, &key);
}

/* Did this instance send the error? Else it came here (or passed by). */
static bool
is_sent(const fc_analyzer *analyzer, const fc_sighting *sighting, const fc_conversation *conversation,
        unsigned side)
{
    if (sighting->direction != FC_DIRECTION_UNKNOWN)
        return sighting->direction == FC_DIRECTION_OUTBOUND;
    if (conversation != NULL)
        return conversation->local_side != side; /* it goes to who sent the quoted packet */
    fc_address source = fc_packet_source(&sighting->packet);
    return fc_subject_is_local(analyzer, &source);
}

static void
error(fc_analyzer *analyzer, fc_sighting *sighting, const fc_icmp_message *message, fc_error_kind kind)
{
    unsigned side;
    fc_conversation *conversation = quoted(analyzer, message, &side);
    bool sent = is_sent(analyzer, sighting, conversation, side);
    if (sighting->direction == FC_DIRECTION_UNKNOWN && conversation != NULL && conversation->oriented)
        sighting->direction = sent ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND;
    if (!sent)
        fc_series_add(&analyzer->profile->series, FC_SERIES_ICMP_ERRORS, sighting->unix_ns, 1);
    if (conversation != NULL && conversation->errors == 0)
        conversation->errors = fc_error_table_take(&analyzer->errors);
    if (conversation == NULL || conversation->errors == 0) {
        fc_record_error(analyzer->profile, kind, message, sent, sighting->unix_ns, analyzer->file,
                        sighting->number);
        return;
    }
    fc_errors_add(&analyzer->errors.places[conversation->errors], sent ? FC_ERROR_SENT : kind, message,
                  sighting->unix_ns, analyzer->file, sighting->number);
    if (kind == FC_ERROR_TOO_BIG && conversation->key.protocol == FC_IP_TCP)
        conversation->tcp->too_big = true;
}

void
fc_control_icmp(fc_analyzer *analyzer, fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    fc_icmp_message message;
    fc_error_kind kind;
    if (packet->cut ||
        fc_icmp_parse(packet->family, packet->transport, packet->transport_captured, &message) != FC_OK)
        return;
    fc_address source = fc_packet_source(packet), destination = fc_packet_destination(packet);
    take_direction(analyzer, sighting, &source, &destination);
    if (message.kind == FC_ICMP_ECHO_REQUEST || message.kind == FC_ICMP_ECHO_REPLY)
        echo(analyzer, sighting, &message);
    else if (message.kind == FC_ICMP_NEIGHBOUR_SOLICITATION && !fc_address_is_unspecified(&source))
        neighbour_asked(analyzer, sighting, &source, &message.target);
    else if (message.kind == FC_ICMP_NEIGHBOUR_ADVERTISEMENT)
        fc_pending_answered(analyzer->pending, FC_PENDING_NEIGHBOUR, &message.target, 0, sighting->unix_ns);
    else if (message.has_original && fc_error_kind_of(&message, &kind))
        error(analyzer, sighting, &message, kind);
}
