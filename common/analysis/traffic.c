/* Packets into conversations: the path that every packet takes. */
#include "common/analysis/state.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { PORT_DNS = 53 };

static fc_conversation *
begin(fc_analyzer *analyzer, const fc_flow_key *key, unsigned side, const fc_sighting *sighting)
{
    fc_conversation_list list = key->protocol == FC_IP_TCP ? FC_LIST_TCP : FC_LIST_DATAGRAM;
    fc_conversation *conversation =
        fc_conversations_add(&analyzer->conversations, key, list, sighting->unix_ns);
    fc_ends_settle(analyzer, conversation, side, sighting);
    if (key->protocol == FC_IP_TCP) {
        /* There are as many places as conversations. */
        conversation->tcp = fc_slab_take(&analyzer->tcp);
        fc_tcp_init(conversation->tcp);
    }
    return conversation;
}

fc_conversation *
fc_traffic_conversation(fc_analyzer *analyzer, const fc_sighting *sighting, uint8_t protocol,
                        uint16_t source_port, uint16_t destination_port, unsigned *ret_side)
{
    const fc_packet *packet = &sighting->packet;
    fc_flow_key key;
    unsigned side = fc_flow_key_make(&key, protocol, packet->family, packet->source, source_port,
                                     packet->destination, destination_port);
    *ret_side = side;
    fc_conversation *conversation = analyzer->last;
    if (conversation != NULL && fc_flow_key_equal(&conversation->key, &key))
        return conversation;
    conversation = fc_conversations_find(&analyzer->conversations, &key);
    if (UNLIKELY(conversation == NULL))
        conversation = begin(analyzer, &key, side, sighting);
    analyzer->last = conversation;
    return conversation;
}

/* ---- UDP ---- */

static void
dns_datagram(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side, const fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    fc_dns_message message;
    if (packet->payload_captured == 0 ||
        fc_dns_parse(packet->payload, packet->payload_captured, &message) != FC_OK)
        return;
    const fc_dns_sighting seen = {
        .source = fc_packet_source(packet),
        .destination = fc_packet_destination(packet),
        .source_port = packet->source_port,
        .destination_port = packet->destination_port,
        .protocol = FC_IP_UDP,
        .from_local = conversation->local_side == side,
        .unix_ns = sighting->unix_ns,
        .file = fc_record_file(analyzer->file),
        .frame = sighting->number,
    };
    fc_dns_message_seen(analyzer->dns, &message, &seen);
    if (message.is_response && conversation->list != FC_LIST_FINISHED) /* the port is used once */
        fc_conversations_move(&analyzer->conversations, conversation, FC_LIST_FINISHED);
}

/* Of any protocol but DNS: how long an answer took. */
static inline void
turn(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side, const fc_sighting *sighting)
{
    if (side == conversation->initiator) {
        if (conversation->turn_side != side) {
            conversation->turn_side = side & 1u;
            conversation->turn_ns = sighting->unix_ns;
        }
    } else if (conversation->turn_side == conversation->initiator) {
        conversation->turn_side = side & 1u;
        if (conversation->initiator == conversation->local_side && !conversation->to_many &&
            sighting->unix_ns >= conversation->turn_ns)
            fc_sketch_add(&analyzer->profile->sketches[FC_SKETCH_UDP_RESPONSE],
                          (uint64_t)(sighting->unix_ns - conversation->turn_ns));
    }
}

static inline void
udp(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side, const fc_sighting *sighting)
{
    conversation->data_bytes[side] += sighting->packet.payload_bytes;
    if (UNLIKELY(conversation->is_dns)) {
        dns_datagram(analyzer, conversation, side, sighting);
        return;
    }
    turn(analyzer, conversation, side, sighting);
    fc_familiar_keep(&analyzer->familiar, sighting->frame, &sighting->packet, conversation, side);
}

/* ---- TCP ---- */

void
fc_traffic_message(void *user, unsigned side, const fc_stream_held *segment, const uint8_t *data, size_t size)
{
    fc_analyzer *analyzer = user;
    const fc_conversation *conversation = analyzer->streaming;
    fc_dns_message message;
    if (fc_dns_parse(data, size, &message) != FC_OK)
        return;
    const fc_dns_sighting seen = {
        .source = fc_conversation_address(conversation, side),
        .destination = fc_conversation_address(conversation, 1 - side),
        .source_port = fc_conversation_port(conversation, side),
        .destination_port = fc_conversation_port(conversation, 1 - side),
        .protocol = FC_IP_TCP,
        .from_local = conversation->local_side == side,
        .unix_ns = segment->unix_ns,
        .file = fc_record_file(segment->file),
        .frame = segment->frame,
    };
    fc_dns_message_seen(analyzer->dns, &message, &seen);
}

/* The client's first bytes tell whether a parser wants the rest. */
static void
decide_stream(fc_analyzer *analyzer, fc_conversation *conversation, fc_tcp *tcp, unsigned side,
              const fc_packet *packet)
{
    const fc_tcp_side *self = &tcp->sides[side];
    uint32_t start = packet->sequence + ((packet->tcp_flags & FC_TCP_SYN) != 0);
    fc_stream_kind kind = conversation->is_dns ? FC_STREAM_DNS : FC_STREAM_TLS;
    unsigned client = conversation->initiator != FC_SIDE_UNKNOWN ? conversation->initiator : side;
    if (kind == FC_STREAM_TLS) {
        if (side != client || (self->syn && start != self->first + 1))
            return; /* these are not the client's first bytes */
        tcp->stream_decided = true;
        if (!fc_tls_looks_like(packet->payload, packet->payload_captured))
            return;
    }
    tcp->stream_decided = true;
    tcp->stream = fc_stream_take(&analyzer->streams, kind, client);
    for (unsigned i = 0; i < 2 && tcp->stream != NULL; i++)
        if (tcp->sides[i].syn)
            fc_stream_begin(tcp->stream, i, tcp->sides[i].first + 1);
}

static void
feed_stream(fc_analyzer *analyzer, fc_conversation *conversation, fc_tcp *tcp, unsigned side,
            const fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    analyzer->streaming = conversation;
    if ((packet->tcp_flags & FC_TCP_ACK) != 0 && !tcp->stream->done)
        fc_stream_acknowledged(&analyzer->streams, tcp->stream, 1 - side, packet->acknowledgement);
    if (packet->payload_bytes > 0 || (packet->tcp_flags & (FC_TCP_FIN | FC_TCP_RST)) != 0)
        fc_stream_segment(&analyzer->streams, tcp->stream, side, packet, sighting->unix_ns, analyzer->file,
                          sighting->number);
    analyzer->streaming = NULL;
}

static void
tell_news(fc_analyzer *analyzer, const fc_conversation *conversation, unsigned side, int64_t unix_ns,
          const fc_tcp_news *news)
{
    fc_profile *profile = analyzer->profile;
    bool from_local = conversation->local_side == side;
    if (news->rtt_ns >= 0 && !from_local)
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_RTT], (uint64_t)news->rtt_ns);
    if (news->turn_ns >= 0 && conversation->initiator == 1 - side)
        fc_sketch_add(&profile->sketches[from_local ? FC_SKETCH_TCP_SERVICE : FC_SKETCH_TCP_FIRST_BYTE],
                      (uint64_t)news->turn_ns);
    if (news->retransmitted)
        fc_series_add(&profile->series, FC_SERIES_TCP_RETRANSMITTED, unix_ns, 1);
}

static inline void
tcp(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side, const fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    fc_tcp *state = conversation->tcp;
    fc_tcp_news news;
    fc_tcp_segment(conversation, state, side, packet, sighting->unix_ns, sighting->number, analyzer->file,
                   &news);
    if (news.rtt_ns >= 0 || news.turn_ns >= 0 || news.retransmitted)
        tell_news(analyzer, conversation, side, sighting->unix_ns, &news);
    if (UNLIKELY(!state->stream_decided) && packet->payload_bytes > 0)
        decide_stream(analyzer, conversation, state, side, packet);
    if (UNLIKELY(state->stream != NULL))
        feed_stream(analyzer, conversation, state, side, sighting);
    if (UNLIKELY(news.finished) && conversation->list != FC_LIST_FINISHED)
        fc_conversations_move(&analyzer->conversations, conversation, FC_LIST_FINISHED);
}

/* ---- IP ---- */

/* The first fragment lends the later ones its ports. */
static void
fragment(fc_analyzer *analyzer, fc_sighting *sighting)
{
    fc_packet *packet = &sighting->packet;
    analyzer->profile->counters[FC_COUNTER_IP_FRAGMENTS]++;
    const fc_datagram *datagram =
        fc_fragments_seen(&analyzer->fragments, packet, sighting->unix_ns, analyzer->file, sighting->number);
    if (packet->fragment_offset == 0 || !datagram->has_ports)
        return;
    unsigned side;
    fc_conversation *conversation = fc_traffic_conversation(
        analyzer, sighting, datagram->protocol, datagram->source_port, datagram->destination_port, &side);
    fc_traffic_count(analyzer, conversation, side, sighting);
    if (conversation->key.protocol == FC_IP_TCP)
        fc_tcp_fragment(conversation->tcp, side,
                        datagram->sequence + packet->fragment_offset + packet->transport_bytes);
    else
        conversation->data_bytes[side] += packet->payload_bytes;
}

static inline void
count_protocol(uint64_t *counters, const fc_packet *packet)
{
    counters[packet->family == 4 ? FC_COUNTER_IPV4_PACKETS : FC_COUNTER_IPV6_PACKETS]++;
    if (packet->fragment_offset != 0)
        return;
    switch (packet->protocol) {
    case FC_IP_TCP:
        counters[FC_COUNTER_TCP_PACKETS]++;
        break;
    case FC_IP_UDP:
        counters[FC_COUNTER_UDP_PACKETS]++;
        break;
    case FC_IP_ICMP:
    case FC_IP_ICMPV6:
        counters[FC_COUNTER_ICMP_PACKETS]++;
        break;
    default:
        counters[FC_COUNTER_OTHER_IP_PACKETS]++;
        break;
    }
}

/* By the conversation, where neither the capture nor the link header says it. */
static inline void
take_direction(const fc_conversation *conversation, unsigned side, fc_sighting *sighting)
{
    if (UNLIKELY(sighting->direction == FC_DIRECTION_UNKNOWN) && conversation->oriented)
        sighting->direction = conversation->local_side == side ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND;
}

void
fc_traffic_ip(fc_analyzer *analyzer, fc_sighting *sighting)
{
    const fc_packet *packet = &sighting->packet;
    count_protocol(analyzer->profile->counters, packet);
    if (UNLIKELY(packet->fragment)) {
        fragment(analyzer, sighting);
        if (packet->fragment_offset != 0)
            return;
    }
    bool is_icmp = packet->protocol == FC_IP_ICMP || packet->protocol == FC_IP_ICMPV6;
    if (UNLIKELY(is_icmp)) {
        fc_control_icmp(analyzer, sighting);
        return;
    }
    bool has_ports = packet->protocol == FC_IP_TCP || packet->protocol == FC_IP_UDP;
    if (UNLIKELY(has_ports && !packet->has_ports))
        return; /* the snap length took them */
    unsigned side;
    fc_conversation *conversation = fc_traffic_conversation(
        analyzer, sighting, packet->protocol, packet->source_port, packet->destination_port, &side);
    if (UNLIKELY(packet->has_tcp && (packet->tcp_flags & FC_TCP_SYN) != 0) &&
        fc_tcp_begins_anew(conversation->tcp, side, packet)) {
        fc_conversations_remove(&analyzer->conversations, conversation, FC_END_REPLACED);
        conversation = fc_traffic_conversation(analyzer, sighting, packet->protocol, packet->source_port,
                                               packet->destination_port, &side);
    }
    take_direction(conversation, side, sighting);
    if (packet->has_tcp && UNLIKELY(conversation->tcp->sides[side].interface != sighting->interface) &&
        fc_tcp_is_echo(conversation->tcp, side, packet, sighting->interface, sighting->unix_ns))
        return;
    fc_traffic_count(analyzer, conversation, side, sighting);
    if (packet->has_tcp)
        tcp(analyzer, conversation, side, sighting);
    else if (packet->protocol == FC_IP_UDP)
        udp(analyzer, conversation, side, sighting);
    else if (packet->protocol != FC_IP_TCP)
        conversation->data_bytes[side] += packet->payload_bytes;
    if (UNLIKELY(conversation->packets[side] == UINT32_MAX))
        fc_conversations_remove(&analyzer->conversations, conversation, FC_END_EVICTED);
}

bool
fc_traffic_familiar(fc_analyzer *analyzer, fc_sighting *sighting)
{
    uint32_t payload_bytes;
    const fc_familiar_slot *slot = fc_familiar_find(&analyzer->familiar, sighting->frame, &payload_bytes);
    if (slot == NULL || UNLIKELY(analyzer->long_way))
        return false;
    fc_conversation *conversation = slot->conversation;
    unsigned side = slot->side & 1u;
    analyzer->profile->counters[FC_COUNTER_IPV4_PACKETS]++;
    analyzer->profile->counters[FC_COUNTER_UDP_PACKETS]++;
    take_direction(conversation, side, sighting);
    fc_traffic_count(analyzer, conversation, side, sighting);
    conversation->data_bytes[side] += payload_bytes;
    turn(analyzer, conversation, side, sighting);
    if (UNLIKELY(conversation->packets[side] == UINT32_MAX))
        fc_conversations_remove(&analyzer->conversations, conversation, FC_END_EVICTED);
    return true;
}
