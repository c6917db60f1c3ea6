/* DNS, TLS, neighbours, echoes and fragments into the profile. */
#include "common/analysis/record.h"

#include <stdio.h>
#include <string.h>

#define DNS_SLOW_NS (1000000000LL)

/* ---- DNS ---- */

static fc_exemplar
dns_exemplar(const fc_dns_transaction *transaction)
{
    bool client = transaction->client_is_local;
    return (fc_exemplar){
        .at_ns = transaction->asked_ns,
        .file = transaction->file,
        .frame = transaction->frame,
        .protocol = transaction->protocol,
        .local = client ? transaction->client : transaction->server,
        .remote = client ? transaction->server : transaction->client,
        .local_port = client ? transaction->client_port : transaction->server_port,
        .remote_port = client ? transaction->server_port : transaction->client_port,
    };
}

static fc_trouble_id
rcode_trouble(uint8_t rcode)
{
    switch (rcode) {
    case 2:
        return FC_TROUBLE_DNS_SERVFAIL;
    case 3:
        return FC_TROUBLE_DNS_NXDOMAIN;
    case 5:
        return FC_TROUBLE_DNS_REFUSED;
    default:
        return FC_TROUBLE_DNS_OTHER_ERROR;
    }
}

static void
dns_troubles(fc_profile *profile, const fc_dns_transaction *transaction)
{
    char detail[FC_EXEMPLAR_DETAIL_MAX + 1], type[16];
    fc_exemplar exemplar = dns_exemplar(transaction);
    (void)snprintf(detail, sizeof detail, "%.80s %s", transaction->name,
                   fc_dns_type_name(transaction->type, type));
    bool answered = transaction->answered_ns != 0;
    uint64_t latency = answered ? (uint64_t)(transaction->answered_ns - transaction->asked_ns) : 0;
    if (!answered && !transaction->open)
        fc_record_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, &exemplar, detail, transaction->asked_count);
    if (transaction->asked_count > 1)
        fc_record_trouble(profile, FC_TROUBLE_DNS_RETRIED, &exemplar, detail, transaction->asked_count);
    if (!answered)
        return;
    if (latency > DNS_SLOW_NS)
        fc_record_trouble(profile, FC_TROUBLE_DNS_SLOW, &exemplar, detail, latency);
    exemplar.file = transaction->answer_file;
    exemplar.frame = transaction->answer_frame;
    if (transaction->rcode != 0)
        fc_record_trouble(profile, rcode_trouble(transaction->rcode), &exemplar, detail, transaction->rcode);
    if (transaction->truncated)
        fc_record_trouble(profile, FC_TROUBLE_DNS_TRUNCATED, &exemplar, detail, 0);
}

static void
dns_tables(fc_profile *profile, const fc_dns_transaction *transaction, uint64_t latency)
{
    char key[FC_TABLE_KEY_MAX + 1], type[16], address[FC_ADDRESS_TEXT];
    bool answered = transaction->answered_ns != 0;
    const fc_table_values values = {
        .count = 1,
        .failed = (!answered && !transaction->open) ||
                  (answered && transaction->rcode != 0 && transaction->rcode != 3),
        .latency_count = answered,
        .latency_sum_ns = latency,
        .latency_max_ns = latency,
        .first_ns = transaction->asked_ns,
        .last_ns = transaction->last_asked_ns,
    };
    (void)fc_address_text(&transaction->server, address);
    if (transaction->server_port != 53)
        (void)snprintf(key, sizeof key, "%s port %u", address, transaction->server_port);
    else
        (void)snprintf(key, sizeof key, "%s", address);
    fc_table_add(&profile->tables[FC_TABLE_RESOLVERS], key, &values);
    fc_table_add(&profile->tables[FC_TABLE_DNS_NAMES], fc_dns_suffix(transaction->name), &values);
    (void)snprintf(key, sizeof key, "%.90s %s", transaction->name, fc_dns_type_name(transaction->type, type));
    fc_table_add(&profile->tables[FC_TABLE_DNS_QUESTIONS], key, &values);
}

void
fc_record_dns(fc_profile *profile, const fc_dns_transaction *transaction)
{
    uint64_t *counters = profile->counters;
    if (!transaction->client_is_local) {
        counters[FC_COUNTER_DNS_SERVED]++;
        return;
    }
    bool answered = transaction->answered_ns != 0;
    int64_t took = transaction->answered_ns - transaction->asked_ns;
    uint64_t latency = answered && took > 0 ? (uint64_t)took : 0;
    counters[FC_COUNTER_DNS_QUERIES]++;
    counters[FC_COUNTER_DNS_ANSWERED] += answered;
    counters[FC_COUNTER_DNS_RETRIES] += transaction->asked_count - 1;
    counters[FC_COUNTER_DNS_OVER_TCP] += transaction->protocol == FC_IP_TCP;
    counters[FC_COUNTER_DNS_OPEN] += transaction->open;
    fc_series_add(&profile->series, FC_SERIES_DNS_QUERIES, transaction->asked_ns, 1);
    if ((!answered && !transaction->open) || (answered && transaction->rcode != 0 && transaction->rcode != 3))
        fc_series_add(&profile->series, FC_SERIES_DNS_FAILED, transaction->asked_ns, 1);
    if (answered) {
        fc_sketch_add(&profile->sketches[FC_SKETCH_DNS_LATENCY], latency);
        fc_series_add(&profile->series, FC_SERIES_DNS_ANSWERED, transaction->asked_ns, 1);
        fc_series_add(&profile->series, FC_SERIES_DNS_LATENCY_NS, transaction->asked_ns, latency);
    }
    dns_tables(profile, transaction, latency);
    dns_troubles(profile, transaction);
}

/* ---- TLS ---- */

static void
tls_tables(fc_profile *profile, const fc_told *told, fc_table_values values)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_tls_summary *tls = &summary->tls;
    char key[FC_TABLE_KEY_MAX + 1], version[16], suite[48];
    if (summary->initiator == FC_SIDE_LOCAL && tls->server_name[0] != '\0')
        fc_table_add(&profile->tables[FC_TABLE_TLS_SERVERS], tls->server_name, &values);
    else if (summary->initiator == FC_SIDE_LOCAL)
        fc_table_add(&profile->tables[FC_TABLE_TLS_SERVERS],
                     fc_endpoint_text(0, &summary->remote, summary->remote_port, key), &values);
    if (tls->version != 0) {
        (void)snprintf(key, sizeof key, "%s %s", fc_tls_version_name(tls->version, version),
                       fc_tls_suite_name(tls->suite, suite));
        fc_table_add(&profile->tables[FC_TABLE_TLS_CHOICES], key, &values);
    }
    if (tls->alpn[0] != '\0')
        fc_table_add(&profile->tables[FC_TABLE_ALPN], tls->alpn, &values);
}

static void
tls_trouble(fc_profile *profile, const fc_told *told, bool by_local)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_tls_summary *tls = &summary->tls;
    fc_exemplar exemplar = fc_record_exemplar(summary);
    char detail[FC_EXEMPLAR_DETAIL_MAX + 1], alert[32];
    const char *stage = fc_tls_stage_name(tls->stage);
    (void)snprintf(detail, sizeof detail, "after %s", stage);
    switch (tls->end) {
    case FC_TLS_END_ALERT:
        (void)snprintf(detail, sizeof detail, "%s after %s",
                       tls->encrypted_alert ? "an encrypted alert"
                                            : fc_tls_alert_name(tls->alert_description, alert),
                       stage);
        exemplar.file = told->alert_file;
        exemplar.frame = tls->alert_frame;
        fc_record_trouble(profile, by_local ? FC_TROUBLE_TLS_ALERT_BY_LOCAL : FC_TROUBLE_TLS_ALERT_BY_REMOTE,
                          &exemplar, detail, tls->alert_description);
        break;
    case FC_TLS_END_RST:
        exemplar.frame = summary->reset_frame;
        exemplar.file = told->reset_file;
        fc_record_trouble(profile, by_local ? FC_TROUBLE_TLS_RESET_BY_LOCAL : FC_TROUBLE_TLS_RESET_BY_REMOTE,
                          &exemplar, detail, 0);
        break;
    case FC_TLS_END_FIN:
        fc_record_trouble(profile,
                          by_local ? FC_TROUBLE_TLS_CLOSED_BY_LOCAL : FC_TROUBLE_TLS_CLOSED_BY_REMOTE,
                          &exemplar, detail, 0);
        break;
    case FC_TLS_END_SILENCE:
        fc_record_trouble(profile, FC_TROUBLE_TLS_SILENT, &exemplar, detail, 0);
        break;
    case FC_TLS_END_NONE:
        break;
    }
}

void
fc_record_tls(fc_profile *profile, const fc_told *told)
{
    const fc_conversation_summary *summary = &told->summary;
    const fc_tls_summary *tls = &summary->tls;
    if (!summary->has_tls || tls->stage == FC_TLS_NONE)
        return;
    bool failed = tls->end != FC_TLS_END_NONE, complete = tls->stage == FC_TLS_DATA;
    int64_t took = tls->hello_ns != 0 && tls->data_ns != 0 ? tls->data_ns - tls->hello_ns : -1;
    profile->counters[FC_COUNTER_TLS_HELLOS]++;
    profile->counters[FC_COUNTER_TLS_COMPLETED] += complete;
    profile->counters[FC_COUNTER_TLS_OPEN] += !complete && !failed && !tls->over;
    fc_table_values values = {
        .count = 1,
        .packets = summary->in.packets + summary->out.packets,
        .bytes = summary->in.bytes + summary->out.bytes,
        .failed = failed,
        .first_ns = summary->first_ns,
        .last_ns = summary->last_ns,
    };
    if (took >= 0) {
        fc_sketch_add(&profile->sketches[FC_SKETCH_TLS_HANDSHAKE], (uint64_t)took);
        values.latency_count = 1;
        values.latency_sum_ns = values.latency_max_ns = (uint64_t)took;
    }
    tls_tables(profile, told, values);
    if (!failed)
        return;
    fc_series_add(&profile->series, FC_SERIES_TLS_FAILED, summary->last_ns, 1);
    bool by_client = tls->end_role == FC_TLS_ROLE_CLIENT;
    tls_trouble(profile, told, by_client == (summary->tls_client == FC_SIDE_LOCAL));
}

/* ---- what waits for an answer ---- */

static void
pending_trouble(fc_profile *profile, const fc_pending_request *request)
{
    bool echo = request->kind == FC_PENDING_ECHO;
    char text[FC_ADDRESS_TEXT];
    fc_exemplar exemplar = {
        .at_ns = request->asked_ns,
        .file = request->file,
        .frame = request->frame,
        .protocol = !echo                         ? 0
                    : request->target.family == 6 ? FC_IP_ICMPV6
                                                  : FC_IP_ICMP,
        .local = request->asker,
        .remote = request->target,
    };
    if (echo) /* as Community ID wants it: type and code */
        exemplar.local_port = request->target.family == 6 ? 128 : 8;
    fc_record_trouble(profile, echo ? FC_TROUBLE_ECHO_UNANSWERED : FC_TROUBLE_NEIGHBOUR_UNANSWERED, &exemplar,
                      echo ? NULL : fc_address_text(&request->target, text), request->asked_count);
}

void
fc_record_pending(fc_profile *profile, const fc_pending_request *request)
{
    if (!request->from_local)
        return;
    bool echo = request->kind == FC_PENDING_ECHO, answered = request->answered_ns != 0;
    profile->counters[echo ? FC_COUNTER_ECHO_REQUESTS : FC_COUNTER_NEIGHBOUR_REQUESTS]++;
    if (answered) {
        int64_t took = request->answered_ns - request->asked_ns;
        profile->counters[FC_COUNTER_ECHO_REPLIES] += echo;
        fc_sketch_add(&profile->sketches[echo ? FC_SKETCH_ECHO_LATENCY : FC_SKETCH_NEIGHBOUR_LATENCY],
                      took > 0 ? (uint64_t)took : 0);
    } else if (!request->open) {
        pending_trouble(profile, request);
    }
}

void
fc_record_fragments_lost(fc_profile *profile, const fc_datagram *datagram, bool local)
{
    fc_address source = fc_datagram_source(datagram), destination = fc_datagram_destination(datagram);
    fc_exemplar exemplar = {
        .at_ns = datagram->first_ns,
        .file = fc_record_file(datagram->file),
        .frame = datagram->frame,
        .protocol = datagram->has_ports ? datagram->protocol : 0,
        .local = local ? destination : source,
        .remote = local ? source : destination,
        .local_port = local ? datagram->destination_port : datagram->source_port,
        .remote_port = local ? datagram->source_port : datagram->destination_port,
    };
    fc_record_trouble(profile, FC_TROUBLE_FRAGMENTS_LOST, &exemplar, local ? "came in" : "went out",
                      datagram->bytes);
}
