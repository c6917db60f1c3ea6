#include "common/analysis/state.h"

static void
icmp_part(const fc_errors *errors, fc_conversation_summary *summary)
{
    summary->icmp_unreachable = errors->kinds[FC_ERROR_UNREACHABLE].count;
    summary->icmp_prohibited = errors->kinds[FC_ERROR_PROHIBITED].count;
    summary->icmp_too_big = errors->kinds[FC_ERROR_TOO_BIG].count;
    summary->icmp_time_exceeded = errors->kinds[FC_ERROR_TIME_EXCEEDED].count;
    summary->icmp_mtu = errors->mtu;
    int64_t first_ns = INT64_MAX;
    for (unsigned kind = 0; kind < FC_ERROR_COUNT; kind++) {
        if (errors->kinds[kind].count > 0 && errors->kinds[kind].unix_ns < first_ns) {
            first_ns = errors->kinds[kind].unix_ns;
            summary->icmp_frame = errors->kinds[kind].frame;
        }
    }
}

static void
tls_part(const fc_conversation *conversation, int64_t unix_ns, fc_told *told)
{
    const fc_tcp *tcp = conversation->tcp;
    const fc_stream *stream = tcp->stream;
    fc_conversation_summary *summary = &told->summary;
    if (stream == NULL || stream->kind != FC_STREAM_TLS)
        return;
    bool silent = unix_ns - conversation->last_ns >= FC_SILENCE_NS && tcp->fin_count == 0 &&
                  tcp->reset_side == FC_SIDE_UNKNOWN;
    /* Who spoke last waits for the other. */
    unsigned silent_side =
        conversation->turn_side == FC_SIDE_UNKNOWN ? 1u - stream->client_side : 1u - conversation->turn_side;
    fc_stream_tls(stream, silent, silent_side, &summary->tls);
    summary->has_tls = summary->tls.stage != FC_TLS_NONE;
    told->alert_file = fc_record_file(stream->alert_file);
    summary->tls_client = stream->client_side == conversation->local_side ? FC_SIDE_LOCAL : FC_SIDE_REMOTE;
    bool early = summary->tls.end == FC_TLS_END_RST || summary->tls.end == FC_TLS_END_ALERT;
    if (early && (summary->reset_phase == FC_PHASE_DATA || summary->reset_phase == FC_PHASE_IDLE))
        summary->reset_phase = FC_PHASE_TLS;
}

static void
datagram_part(const fc_conversation *conversation, fc_conversation_summary *summary)
{
    for (unsigned side = 0; side < 2; side++) {
        fc_flow_counts *counts = side == conversation->local_side ? &summary->out : &summary->in;
        counts->packets = counts->data_packets = conversation->packets[side];
        counts->bytes = conversation->bytes[side];
        counts->data_bytes = conversation->data_bytes[side];
    }
}

void
fc_told_make(const fc_analyzer *analyzer, const fc_conversation *conversation, int64_t unix_ns,
             fc_told *ret_told)
{
    const unsigned local = conversation->local_side, initiator = conversation->initiator;
    *ret_told = (fc_told){
        .summary =
            {
                .protocol = conversation->key.protocol,
                .oriented = conversation->oriented,
                .local = fc_conversation_address(conversation, local),
                .remote = fc_conversation_address(conversation, 1 - local),
                .local_port = fc_conversation_port(conversation, local),
                .remote_port = fc_conversation_port(conversation, 1 - local),
                .initiator = initiator == FC_SIDE_UNKNOWN ? FC_SIDE_NONE
                             : initiator == local         ? FC_SIDE_LOCAL
                                                          : FC_SIDE_REMOTE,
                .first_ns = conversation->first_ns,
                .last_ns = conversation->last_ns,
                .file = fc_record_file(conversation->file),
                .last_file = fc_record_file(conversation->last_file),
                .first_frame = conversation->first_frame,
                .handshake_ns = -1,
                .handshake_ack_ns = -1,
            },
        .errors = conversation->errors != 0 ? &analyzer->errors.places[conversation->errors] : NULL,
        .is_dns = conversation->is_dns,
        .to_many = conversation->to_many,
        .judged_ns = unix_ns,
    };
    if (conversation->key.protocol == FC_IP_TCP) {
        fc_tcp_judge(conversation, unix_ns, &ret_told->summary, &ret_told->tcp);
        ret_told->reset_file = fc_record_file(conversation->tcp->reset_file);
        ret_told->reset_ns = conversation->tcp->reset_ns;
        tls_part(conversation, unix_ns, ret_told);
    } else {
        datagram_part(conversation, &ret_told->summary);
    }
    if (ret_told->errors != NULL)
        icmp_part(ret_told->errors, &ret_told->summary);
}
