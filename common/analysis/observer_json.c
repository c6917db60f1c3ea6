#include "common/analysis/observer.h"

#include "common/analysis/packet.h"
#include "common/base/json.h"

#include <stdio.h>

static json_t *
number_or_null(bool is_known, int64_t value)
{
    return is_known ? json_integer(value) : json_null();
}

static json_t *
end(const fc_address *address, uint16_t port)
{
    char text[FC_ADDRESS_TEXT];
    return json_pack("{s:s, s:i}", "address", fc_address_text(address, text), "port", (int)port);
}

static json_t *
name_or_null(const char *text)
{
    return text[0] != '\0' ? fc_json_text(text) : json_null();
}

static const char *
protocol_name(uint8_t protocol, char text[8])
{
    switch (protocol) {
    case FC_IP_TCP:
        return "tcp";
    case FC_IP_UDP:
        return "udp";
    case FC_IP_ICMP:
        return "icmp";
    case FC_IP_ICMPV6:
        return "icmp6";
    default:
        (void)snprintf(text, 8, "ip%u", protocol);
        return text;
    }
}

static const char *
side_name(fc_side side)
{
    return side == FC_SIDE_LOCAL ? "local" : side == FC_SIDE_REMOTE ? "remote" : "none";
}

static json_t *
side_or_null(fc_side side)
{
    return side == FC_SIDE_NONE ? json_null() : json_string(side_name(side));
}

static json_t *
flow(const fc_flow_counts *counts)
{
    json_t *object = json_object();
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {
        {"packets", counts->packets},
        {"bytes", counts->bytes},
        {"dataPackets", counts->data_packets},
        {"dataBytes", counts->data_bytes},
        {"retransmitted", counts->retransmitted},
        {"retransmittedBytes", counts->retransmitted_bytes},
        {"outOfOrder", counts->out_of_order},
        {"zeroWindow", counts->zero_window},
        {"duplicateAcks", counts->duplicate_acks},
        {"unseenBytes", counts->unseen_bytes},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_object_set_new(object, members[i].name, fc_json_number(members[i].value));
    return object;
}

static json_t *
tcp(const fc_conversation_summary *summary)
{
    bool sampled = summary->rtt_count > 0, reset = summary->reset_by != FC_SIDE_NONE;
    json_t *rtt = json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)summary->rtt_count, "minNs",
                            number_or_null(sampled, summary->rtt_min_ns), "meanNs",
                            number_or_null(sampled, sampled ? summary->rtt_sum_ns / summary->rtt_count : 0),
                            "maxNs", number_or_null(sampled, summary->rtt_max_ns));
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "outcome",
                     fc_tcp_outcome_name(summary->outcome), "synCount", (json_int_t)summary->syn_count,
                     "handshakeNs", number_or_null(summary->handshake_ns >= 0, summary->handshake_ns),
                     "handshakeAckNs",
                     number_or_null(summary->handshake_ack_ns >= 0, summary->handshake_ack_ns), "resetBy",
                     side_or_null(summary->reset_by), "resetPhase",
                     reset ? json_string(fc_tcp_phase_name(summary->reset_phase)) : json_null(), "resetFrame",
                     reset ? fc_json_number(summary->reset_frame) : json_null(), "rtt", rtt, "blackHole",
                     summary->black_hole);
}

/* The side that has this role in the TLS connection. */
static const char *
role_side(const fc_conversation_summary *summary, unsigned role)
{
    bool is_client = role == FC_TLS_ROLE_CLIENT;
    return is_client == (summary->tls_client == FC_SIDE_LOCAL) ? "local" : "remote";
}

static json_t *
alert(const fc_conversation_summary *summary)
{
    const fc_tls_summary *from = &summary->tls;
    char text[32];
    if (!from->has_alert)
        return json_null();
    bool known = !from->encrypted_alert;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b}", "by", role_side(summary, from->alert_role), "level",
                     number_or_null(known, from->alert_level), "description",
                     known ? json_string(fc_tls_alert_name(from->alert_description, text)) : json_null(),
                     "number", number_or_null(known, from->alert_description), "frame",
                     fc_json_number(from->alert_frame), "encrypted", from->encrypted_alert);
}

static json_t *
tls(const fc_conversation_summary *summary)
{
    const fc_tls_summary *from = &summary->tls;
    char client[16], version[16], suite[48];
    bool chosen = from->version != 0, ended = from->end != FC_TLS_END_NONE,
         timed = from->hello_ns != 0 && from->data_ns != 0;
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:s, s:o, s:o, s:o}", "stage",
        fc_tls_stage_name(from->stage), "clientVersion",
        from->client_version != 0 ? json_string(fc_tls_version_name(from->client_version, client))
                                  : json_null(),
        "version", chosen ? json_string(fc_tls_version_name(from->version, version)) : json_null(), "suite",
        from->suite != 0 ? json_string(fc_tls_suite_name(from->suite, suite)) : json_null(), "serverName",
        name_or_null(from->server_name), "alpn", name_or_null(from->alpn), "resumed", from->resumed,
        "certificateRequested", from->certificate_requested, "end", fc_tls_end_name(from->end), "endBy",
        ended ? json_string(role_side(summary, from->end_role)) : json_null(), "alert", alert(summary),
        "handshakeNs", number_or_null(timed, from->data_ns - from->hello_ns));
}

static json_t *
icmp(const fc_conversation_summary *summary)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "unreachable", (json_int_t)summary->icmp_unreachable,
                     "prohibited", (json_int_t)summary->icmp_prohibited, "tooBig",
                     (json_int_t)summary->icmp_too_big, "timeExceeded",
                     (json_int_t)summary->icmp_time_exceeded, "mtu",
                     number_or_null(summary->icmp_mtu != 0, summary->icmp_mtu), "frame",
                     fc_json_number(summary->icmp_frame));
}

static json_t *
file_index(uint32_t file)
{
    return file == FC_EXEMPLAR_NO_FILE ? json_null() : json_integer(file);
}

json_t *
fc_conversation_summary_to_json(const fc_conversation_summary *summary)
{
    char protocol[8];
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:o, s:b, s:s, s:s, s:o, s:o, s:o, s:o}", "file",
        file_index(summary->file), "lastFile", file_index(summary->last_file), "firstFrame",
        fc_json_number(summary->first_frame), "protocol", protocol_name(summary->protocol, protocol), "local",
        end(&summary->local, summary->local_port), "remote", end(&summary->remote, summary->remote_port),
        "oriented", summary->oriented, "communityId", summary->community_id, "initiator",
        side_name(summary->initiator), "firstPacket", fc_json_time((fc_wall){summary->first_ns}),
        "lastPacket", fc_json_time((fc_wall){summary->last_ns}), "in", flow(&summary->in), "out",
        flow(&summary->out));
    if (summary->protocol == FC_IP_TCP)
        json_object_set_new(object, "tcp", tcp(summary));
    if (summary->has_tls)
        json_object_set_new(object, "tls", tls(summary));
    if (summary->icmp_frame != 0)
        json_object_set_new(object, "icmp", icmp(summary));
    return object;
}

json_t *
fc_dns_transaction_to_json(const fc_dns_transaction *transaction)
{
    char protocol[8], type[16], rcode[16];
    bool answered = transaction->answered_ns != 0;
    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:b, s:o, s:s, s:o, s:o, s:I, s:o, s:b, s:b}", "file",
                     file_index(transaction->file), "frame", fc_json_number(transaction->frame),
                     "answerFrame", answered ? fc_json_number(transaction->answer_frame) : json_null(),
                     "protocol", protocol_name(transaction->protocol, protocol), "client",
                     end(&transaction->client, transaction->client_port), "server",
                     end(&transaction->server, transaction->server_port), "clientIsLocal",
                     transaction->client_is_local, "name", name_or_null(transaction->name), "type",
                     fc_dns_type_name(transaction->type, type), "asked",
                     fc_json_time((fc_wall){transaction->asked_ns}), "latencyNs",
                     number_or_null(answered, transaction->answered_ns - transaction->asked_ns), "askedCount",
                     (json_int_t)transaction->asked_count, "rcode",
                     answered ? json_string(fc_dns_rcode_name(transaction->rcode, rcode)) : json_null(),
                     "truncated", transaction->truncated, "open", transaction->open);
}
