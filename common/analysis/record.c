#include "common/analysis/record.h"

#include <stdio.h>
#include <string.h>

fc_exemplar
fc_record_exemplar(const fc_conversation_summary *summary)
{
    return (fc_exemplar){
        .at_ns = summary->first_ns,
        .file = summary->file,
        .frame = summary->first_frame,
        .protocol = summary->protocol,
        .local = summary->local,
        .remote = summary->remote,
        .local_port = summary->local_port,
        .remote_port = summary->remote_port,
    };
}

void
fc_record_trouble(fc_profile *profile, fc_trouble_id id, fc_exemplar *exemplar, const char *detail,
                  uint64_t value)
{
    const fc_trouble *trouble = &profile->troubles[id];
    bool kept = trouble->exemplar_count < FC_EXEMPLARS_MAX ||
                exemplar->at_ns < trouble->exemplars[FC_EXEMPLARS_MAX - 1].at_ns;
    if (kept && exemplar->community_id[0] == '\0' && exemplar->protocol != 0 && exemplar->local.family != 0)
        fc_community_id(exemplar->protocol, &exemplar->local, exemplar->local_port, &exemplar->remote,
                        exemplar->remote_port, exemplar->community_id);
    (void)snprintf(exemplar->detail, sizeof exemplar->detail, "%s", detail != NULL ? detail : "");
    exemplar->value = value;
    fc_profile_trouble(profile, id, exemplar);
}

/* ---- TCP ---- */

static bool
has_failed(const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    if (summary->protocol == FC_IP_TCP)
        return (summary->outcome == FC_TCP_NO_ANSWER && !told->tcp.open) ||
               summary->outcome == FC_TCP_REFUSED ||
               (summary->outcome == FC_TCP_RESET && summary->reset_phase != FC_PHASE_CLOSING) ||
               summary->outcome == FC_TCP_HALF_OPEN;
    return summary->protocol == FC_IP_UDP && summary->initiator == FC_SIDE_LOCAL && !told->to_many &&
           summary->in.packets == 0 && told->judged_ns - summary->first_ns >= FC_SILENCE_NS;
}

static void
tcp_counters(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_flow_counts *in = &summary->in, *out = &summary->out;
    uint64_t *counters = profile->counters;
    bool begun = told->tcp.begun;
    counters[FC_COUNTER_TCP_CONVERSATIONS]++;
    counters[FC_COUNTER_TCP_OPENED_OUT] += begun && summary->initiator == FC_SIDE_LOCAL;
    counters[FC_COUNTER_TCP_OPENED_IN] += begun && summary->initiator == FC_SIDE_REMOTE;
    counters[FC_COUNTER_TCP_ESTABLISHED] += told->tcp.established;
    counters[FC_COUNTER_TCP_CLOSED] += summary->outcome == FC_TCP_CLOSED;
    counters[FC_COUNTER_TCP_DATA_PACKETS_IN] += in->data_packets;
    counters[FC_COUNTER_TCP_DATA_PACKETS_OUT] += out->data_packets;
    counters[FC_COUNTER_TCP_DATA_BYTES_IN] += in->data_bytes;
    counters[FC_COUNTER_TCP_DATA_BYTES_OUT] += out->data_bytes;
    counters[FC_COUNTER_TCP_SYN_RETRANSMITTED] += told->tcp.syn_retransmitted;
    counters[FC_COUNTER_TCP_RETRANSMITTED_IN] += in->retransmitted;
    counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += out->retransmitted;
    counters[FC_COUNTER_TCP_RETRANSMITTED_BYTES_IN] += in->retransmitted_bytes;
    counters[FC_COUNTER_TCP_RETRANSMITTED_BYTES_OUT] += out->retransmitted_bytes;
    counters[FC_COUNTER_TCP_OUT_OF_ORDER_IN] += in->out_of_order;
    counters[FC_COUNTER_TCP_OUT_OF_ORDER_OUT] += out->out_of_order;
    counters[FC_COUNTER_TCP_ZERO_WINDOW_IN] += in->zero_window;
    counters[FC_COUNTER_TCP_ZERO_WINDOW_OUT] += out->zero_window;
    counters[FC_COUNTER_TCP_DUPLICATE_ACKS_IN] += in->duplicate_acks;
    counters[FC_COUNTER_TCP_DUPLICATE_ACKS_OUT] += out->duplicate_acks;
    counters[FC_COUNTER_TCP_UNSEEN_BYTES] += in->unseen_bytes + out->unseen_bytes;
    if (begun)
        fc_series_add(&profile->series, FC_SERIES_TCP_OPENED, summary->first_ns, 1);
}

static void
tcp_times(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    if (summary->initiator == FC_SIDE_LOCAL && summary->handshake_ns >= 0) {
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_HANDSHAKE], (uint64_t)summary->handshake_ns);
        fc_series_add(&profile->series, FC_SERIES_HANDSHAKES, summary->first_ns, 1);
        fc_series_add(&profile->series, FC_SERIES_HANDSHAKE_NS, summary->first_ns,
                      (uint64_t)summary->handshake_ns);
    }
    if (summary->initiator == FC_SIDE_REMOTE && summary->handshake_ack_ns >= 0)
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_HANDSHAKE_IN], (uint64_t)summary->handshake_ack_ns);
    if (summary->outcome == FC_TCP_CLOSED && summary->syn_count > 0)
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_DURATION],
                      (uint64_t)(summary->last_ns - summary->first_ns));
}

static void
opening_troubles(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    bool local = summary->initiator == FC_SIDE_LOCAL;
    fc_exemplar exemplar = fc_record_exemplar(summary);
    if (summary->outcome == FC_TCP_NO_ANSWER && !told->tcp.open && told->errors == NULL)
        fc_record_trouble(profile, local ? FC_TROUBLE_TCP_NO_ANSWER : FC_TROUBLE_TCP_NO_ANSWER_LOCAL,
                          &exemplar, NULL, summary->syn_count);
    if (summary->outcome == FC_TCP_REFUSED) {
        exemplar.frame = summary->reset_frame;
        exemplar.file = told->reset_file;
        fc_record_trouble(profile, local ? FC_TROUBLE_TCP_REFUSED : FC_TROUBLE_TCP_REFUSED_LOCAL, &exemplar,
                          NULL, summary->syn_count);
    }
    if (local && summary->syn_count > 1 && summary->outcome != FC_TCP_NO_ANSWER) {
        exemplar = fc_record_exemplar(summary);
        fc_record_trouble(profile, FC_TROUBLE_TCP_SYN_RETRIED, &exemplar, NULL, summary->syn_count);
    }
}

static const char *
phase_text(const fc_conversation_summary *summary)
{
    static const char *const texts[] = {
        [FC_PHASE_NONE] = "",
        [FC_PHASE_HANDSHAKE] = "in the TCP handshake",
        [FC_PHASE_IDLE] = "before any data",
        [FC_PHASE_TLS] = "in the TLS handshake",
        [FC_PHASE_DATA] = "while data flowed",
        [FC_PHASE_CLOSING] = "while closing",
    };
    return texts[summary->reset_phase];
}

/* One trouble of the conversation, that began at `at_ns` (0 = with the conversation). */
static void
trouble_at(fc_profile *profile, fc_trouble_id id, const fc_conversation_summary *summary, int64_t at_ns,
           uint64_t value)
{
    fc_exemplar exemplar = fc_record_exemplar(summary);
    if (at_ns != 0)
        exemplar.at_ns = at_ns;
    fc_record_trouble(profile, id, &exemplar, NULL, value);
}

static void
loss_troubles(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_tcp_verdict *tcp = &told->tcp;
    uint64_t out_again = summary->out.retransmitted, in_again = summary->in.retransmitted;
    uint64_t late = summary->in.out_of_order + summary->out.out_of_order;
    uint64_t *opener = summary->initiator == FC_SIDE_LOCAL ? &out_again : &in_again;
    *opener -= tcp->syn_retransmitted < *opener ? tcp->syn_retransmitted : *opener;
    if (out_again > 0)
        trouble_at(profile, FC_TROUBLE_TCP_RETRANSMITS, summary, tcp->local_again_ns, out_again);
    if (in_again > 0)
        trouble_at(profile, FC_TROUBLE_TCP_LOSS_IN, summary, tcp->remote_again_ns, in_again);
    if (late > 0)
        trouble_at(profile, FC_TROUBLE_TCP_REORDERED, summary, 0, late);
    if (summary->black_hole)
        trouble_at(profile, FC_TROUBLE_TCP_BLACK_HOLE, summary, tcp->local_again_ns, tcp->black_hole_size);
    else if (summary->outcome == FC_TCP_HALF_OPEN && tcp->silent == FC_SIDE_REMOTE)
        trouble_at(profile, FC_TROUBLE_TCP_HALF_OPEN, summary, tcp->silent_ns, out_again);
}

static void
tcp_troubles(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_tcp_verdict *tcp = &told->tcp;
    loss_troubles(profile, told);
    if (tcp->local_stall_ns >= FC_TCP_STALL_NS)
        trouble_at(profile, FC_TROUBLE_TCP_ZERO_WINDOW_LOCAL, summary, tcp->local_stalled_ns,
                   (uint64_t)tcp->local_stall_ns);
    if (tcp->remote_stall_ns >= FC_TCP_STALL_NS)
        trouble_at(profile, FC_TROUBLE_TCP_ZERO_WINDOW_REMOTE, summary, tcp->remote_stalled_ns,
                   (uint64_t)tcp->remote_stall_ns);
    /* Within a TLS handshake it is TLS's trouble; while closing it is how many programs close. */
    if (summary->outcome == FC_TCP_RESET && summary->reset_phase != FC_PHASE_CLOSING &&
        summary->reset_phase != FC_PHASE_TLS) {
        fc_exemplar exemplar = fc_record_exemplar(summary);
        exemplar.at_ns = told->reset_ns;
        exemplar.frame = summary->reset_frame;
        exemplar.file = told->reset_file;
        fc_record_trouble(profile,
                          summary->reset_by == FC_SIDE_LOCAL ? FC_TROUBLE_TCP_RESET_BY_LOCAL
                                                             : FC_TROUBLE_TCP_RESET_BY_REMOTE,
                          &exemplar, phase_text(summary), 0);
    }
}

/* ---- ICMP errors ---- */

static const fc_trouble_id error_troubles[FC_ERROR_COUNT] = {
    [FC_ERROR_UNREACHABLE] = FC_TROUBLE_ICMP_UNREACHABLE,
    [FC_ERROR_PROHIBITED] = FC_TROUBLE_ICMP_PROHIBITED,
    [FC_ERROR_TOO_BIG] = FC_TROUBLE_ICMP_TOO_BIG,
    [FC_ERROR_TIME_EXCEEDED] = FC_TROUBLE_ICMP_TIME_EXCEEDED,
    [FC_ERROR_SENT] = FC_TROUBLE_ICMP_SENT,
};

void
fc_record_errors(fc_profile *profile, const fc_told *told)
{
    for (unsigned kind = 0; kind < FC_ERROR_COUNT && told->errors != NULL; kind++) {
        const fc_error_seen *seen = &told->errors->kinds[kind];
        if (seen->count == 0)
            continue;
        fc_exemplar exemplar = fc_record_exemplar(&told->summary);
        exemplar.at_ns = seen->unix_ns;
        exemplar.file = fc_record_file(seen->file);
        exemplar.frame = seen->frame;
        fc_record_trouble(profile, error_troubles[kind], &exemplar,
                          fc_icmp_text(told->summary.local.family, seen->type, seen->code),
                          kind == FC_ERROR_TOO_BIG ? told->errors->mtu : seen->count);
    }
}

void
fc_record_error(fc_profile *profile, fc_error_kind kind, const fc_icmp_message *message, bool sent,
                int64_t unix_ns, uint8_t file, uint64_t frame)
{
    fc_exemplar exemplar = {
        .at_ns = unix_ns,
        .file = fc_record_file(file),
        .frame = frame,
        .protocol = message->protocol,
        .local = sent ? message->destination : message->source,
        .remote = sent ? message->source : message->destination,
        .local_port = sent ? message->destination_port : message->source_port,
        .remote_port = sent ? message->source_port : message->destination_port,
    };
    fc_record_trouble(profile, error_troubles[sent ? FC_ERROR_SENT : kind], &exemplar,
                      fc_icmp_text(message->source.family, message->type, message->code),
                      kind == FC_ERROR_TOO_BIG ? message->mtu : 1);
}

/* ---- any conversation ---- */

/* Who began; where that was not seen, the end with the smaller port, if it is no ephemeral one (Linux's begin
 * at 32768), is the service. */
static fc_side
opener(const fc_conversation_summary *summary)
{
    enum { EPHEMERAL = 32768 };
    uint16_t local = summary->local_port, remote = summary->remote_port;
    if (summary->initiator != FC_SIDE_NONE || local == remote || (local >= EPHEMERAL && remote >= EPHEMERAL))
        return summary->initiator;
    return remote < local ? FC_SIDE_LOCAL : FC_SIDE_REMOTE;
}

static void
tables(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    char key[FC_ENDPOINT_TEXT];
    fc_table_values values = {
        .count = 1,
        .packets = summary->in.packets + summary->out.packets,
        .bytes = summary->in.bytes + summary->out.bytes,
        .failed = has_failed(told),
        .first_ns = summary->first_ns,
        .last_ns = summary->last_ns,
    };
    if (summary->initiator == FC_SIDE_LOCAL && summary->handshake_ns >= 0) {
        values.latency_count = 1;
        values.latency_sum_ns = values.latency_max_ns = (uint64_t)summary->handshake_ns;
    }
    if (!told->to_many)
        fc_table_add(&profile->tables[FC_TABLE_PEERS], fc_address_text(&summary->remote, key), &values);
    if (told->is_dns || told->to_many || (summary->protocol != FC_IP_TCP && summary->protocol != FC_IP_UDP))
        return;
    if (opener(summary) == FC_SIDE_LOCAL) {
        fc_table_add(&profile->tables[FC_TABLE_SERVICES],
                     fc_endpoint_text(summary->protocol, &summary->remote, summary->remote_port, key),
                     &values);
    } else if (opener(summary) == FC_SIDE_REMOTE && summary->out.packets > 0 &&
               summary->outcome != FC_TCP_REFUSED) {
        (void)snprintf(key, sizeof key, "%s %u", summary->protocol == FC_IP_TCP ? "tcp" : "udp",
                       summary->local_port);
        fc_table_add(&profile->tables[FC_TABLE_LISTENERS], key, &values);
    }
}

static void
datagrams(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    if (told->is_dns)
        return;
    profile->counters[FC_COUNTER_UDP_CONVERSATIONS]++;
    if (!has_failed(told) || told->errors != NULL) /* an ICMP error is an answer of its own */
        return;
    fc_exemplar exemplar = fc_record_exemplar(summary);
    fc_record_trouble(profile, FC_TROUBLE_UDP_NO_ANSWER, &exemplar, NULL, summary->out.packets);
}

void
fc_record_conversation(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    profile->counters[FC_COUNTER_CONVERSATIONS]++;
    if (summary->protocol == FC_IP_TCP) {
        tcp_counters(profile, told);
        tcp_times(profile, told);
        opening_troubles(profile, told);
        tcp_troubles(profile, told);
        fc_record_tls(profile, told);
        if (has_failed(told))
            fc_series_add(&profile->series, FC_SERIES_TCP_FAILED,
                          told->reset_ns != 0 ? told->reset_ns : summary->first_ns, 1);
    } else if (summary->protocol == FC_IP_UDP) {
        datagrams(profile, told);
    }
    fc_record_errors(profile, told);
    tables(profile, told);
}
