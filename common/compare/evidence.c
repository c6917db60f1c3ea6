/* evidence.c: where to look: files, frames, display filters. */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <stdlib.h>
#include <string.h>

enum { EVIDENCE_MAX = 3 };

static fc_evidence_pointer *
add_pointer(fc_finding *finding, size_t instance)
{
    if (finding->evidence_count == EVIDENCE_MAX)
        return NULL;
    if (finding->evidence == NULL)
        finding->evidence = fc_alloc_array(EVIDENCE_MAX, sizeof *finding->evidence);
    fc_evidence_pointer *pointer = &finding->evidence[finding->evidence_count++];
    *pointer = (fc_evidence_pointer){.instance = instance};
    return pointer;
}

static char *
take_text(fc_buf *buf)
{
    char *text = fc_buf_size(buf) > 0 ? fc_buf_take_text(buf) : NULL;
    fc_buf_fini(buf);
    return text;
}

static char *
describe(const fc_exemplar *exemplar)
{
    fc_buf out = {0};
    char text[FC_ENDPOINT_TEXT];
    if (exemplar->remote.family != 0)
        fc_buf_printf(&out, "%s",
                      fc_endpoint_text(exemplar->protocol, &exemplar->remote, exemplar->remote_port, text));
    if (*exemplar->detail != '\0')
        fc_buf_printf(&out, "%s%s", fc_buf_size(&out) > 0 ? ", " : "", exemplar->detail);
    return take_text(&out);
}

static void
add_exemplar(const fc_comparer *comparer, fc_finding *finding, size_t instance, const fc_exemplar *exemplar)
{
    const fc_profile_subject *subject = &comparer->features[instance].subject;
    fc_evidence_pointer *pointer = add_pointer(finding, instance);
    if (pointer == NULL)
        return;
    fc_buf filter = {0};
    fc_exemplar_display_filter(exemplar, &filter);
    pointer->file = exemplar->file < subject->file_count ? subject->files[exemplar->file] : NULL;
    pointer->frame = exemplar->frame;
    pointer->display_filter = take_text(&filter);
    pointer->what = describe(exemplar);
    pointer->exemplar = exemplar;
}

/* A filter for a key of a table: "tcp 10.0.0.5:443" -> "ip.addr == 10.0.0.5 && tcp.port == 443". NULL without
 * an address. */
static char *
key_filter(int table, const char *key)
{
    fc_buf out = {0};
    fc_address address;
    uint16_t port;
    char text[FC_ADDRESS_TEXT];
    const char *protocol = strncmp(key, "tcp ", 4) == 0 ? "tcp" : strncmp(key, "udp ", 4) == 0 ? "udp" : NULL;
    if (fc_endpoint_parse(key, &address, &port)) {
        fc_buf_printf(&out, "%s%s.addr == %s", table == FC_TABLE_RESOLVERS ? "dns && " : "",
                      address.family == 6 ? "ipv6" : "ip", fc_address_text(&address, text));
        if (port != 0 && protocol != NULL)
            fc_buf_printf(&out, " && %s.port == %u", protocol, port);
    } else if (strpbrk(key, "\"\\") == NULL) {
        if (table == FC_TABLE_DNS_NAMES || table == FC_TABLE_DNS_QUESTIONS)
            fc_buf_printf(&out, "dns.qry.name contains \"%.*s\"", (int)strcspn(key, " "), key);
        else if (table == FC_TABLE_TLS_SERVERS)
            fc_buf_printf(&out, "tls.handshake.extensions_server_name == \"%s\"", key);
        else if (table == FC_TABLE_TLS_CHOICES)
            fc_buf_printf(&out, "tls.handshake.type == 2");
        else if (table == FC_TABLE_ALPN)
            fc_buf_printf(&out, "tls.handshake.extensions_alpn_str == \"%s\"", key);
    }
    return take_text(&out);
}

static const char *
only_file(const fc_comparer *comparer, size_t instance)
{
    const fc_profile_subject *subject = &comparer->features[instance].subject;
    return subject->file_count > 0 ? subject->files[0] : NULL;
}

static void
add_key(const fc_comparer *comparer, fc_finding *finding, size_t instance, int table, const char *key)
{
    fc_evidence_pointer *pointer = add_pointer(finding, instance);
    if (pointer == NULL)
        return;
    pointer->file = only_file(comparer, instance);
    pointer->display_filter = key_filter(table, key);
    pointer->what = fc_strdup(key);
}

static bool
is_about(const fc_suspicion *suspicion, const fc_exemplar *exemplar)
{
    fc_address address;
    uint16_t port;
    return suspicion->peer == NULL || !fc_endpoint_parse(suspicion->peer, &address, &port) ||
           fc_address_compare(&address, &exemplar->remote) == 0;
}

void
fc_evidence_add(const fc_comparer *comparer, fc_finding *finding, const fc_suspicion *suspicion)
{
    const fc_instance_features *features = &comparer->features[suspicion->instance];
    const fc_feature_trouble *trouble = NULL;
    if (suspicion->kind == FC_SUSPICION_TROUBLE)
        trouble = &features->troubles[suspicion->index];
    else if (suspicion->kind == FC_SUSPICION_RATE)
        trouble = &features->troubles[fc_rate_rules[suspicion->index].trouble];
    for (size_t i = 0; trouble != NULL && i < trouble->exemplar_count; i++)
        if (is_about(suspicion, &trouble->exemplars[i]))
            add_exemplar(comparer, finding, suspicion->instance, &trouble->exemplars[i]);
    if (suspicion->kind == FC_SUSPICION_SET_ONLY)
        add_key(comparer, finding, suspicion->instance, suspicion->index, suspicion->subject);
    if (suspicion->kind == FC_SUSPICION_LATENCY && suspicion->peer != NULL)
        add_key(comparer, finding, suspicion->instance, fc_latency_rules[suspicion->index].table,
                suspicion->peer);
}
