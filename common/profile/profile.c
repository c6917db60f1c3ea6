#include "common/profile/profile.h"

#include "common/base/mem.h"
#include "common/profile/clean.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
init_tables(fc_profile *profile)
{
    for (size_t i = 0; i < FC_TABLE_COUNT; i++)
        profile->tables[i].capacity = FC_TABLE_CAPACITY_MAX;
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++) {
        profile->troubles[i].details.capacity = FC_TROUBLE_DETAILS_MAX;
        profile->troubles[i].peers.capacity = FC_TROUBLE_DETAILS_MAX;
    }
}

static void
free_owned(fc_profile *profile)
{
    for (size_t i = 0; i < profile->subject.file_count; i++)
        free(profile->subject.files[i]);
    free(profile->subject.files);
    free(profile->subject.filter);
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++)
        free(profile->troubles[i].exemplars);
}

fc_profile *
fc_profile_new(void)
{
    fc_profile *profile = FC_NEW(fc_profile);
    init_tables(profile);
    return profile;
}

void
fc_profile_free(fc_profile *profile)
{
    if (profile == NULL)
        return;
    free_owned(profile);
    free(profile);
}

void
fc_profile_clear(fc_profile *profile)
{
    free_owned(profile);
    memset(profile, 0, sizeof *profile);
    init_tables(profile);
}

static fc_exemplar *
new_exemplars(void)
{
    return fc_alloc_array(FC_EXEMPLARS_MAX, sizeof(fc_exemplar));
}

void
fc_profile_copy(fc_profile *to, const fc_profile *from)
{
    if (to == from)
        return;
    free_owned(to);
    memcpy(to, from, sizeof *to);
    to->subject.filter = fc_strdup(from->subject.filter);
    to->subject.files = NULL;
    if (from->subject.file_count > 0) {
        to->subject.files = fc_alloc_array(FC_PROFILE_FILES_MAX, sizeof(char *));
        for (size_t i = 0; i < from->subject.file_count; i++)
            to->subject.files[i] = fc_strdup(from->subject.files[i]);
    }
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++) {
        fc_trouble *trouble = &to->troubles[i];
        trouble->exemplars = NULL;
        if (trouble->exemplar_count == 0)
            continue;
        trouble->exemplars = new_exemplars();
        memcpy(trouble->exemplars, from->troubles[i].exemplars,
               trouble->exemplar_count * sizeof *trouble->exemplars);
    }
}

uint32_t
fc_profile_file(fc_profile *profile, const char *name)
{
    fc_profile_subject *subject = &profile->subject;
    char clean[FC_PROFILE_FILE_NAME_MAX + 1];
    (void)fc_clean_text(clean, sizeof clean, name);
    for (size_t i = 0; i < subject->file_count; i++)
        if (strcmp(subject->files[i], clean) == 0)
            return (uint32_t)i;
    if (subject->file_count == FC_PROFILE_FILES_MAX)
        return FC_EXEMPLAR_NO_FILE;
    if (subject->files == NULL)
        subject->files = fc_alloc_array(FC_PROFILE_FILES_MAX, sizeof(char *));
    subject->files[subject->file_count] = fc_strdup(clean);
    return (uint32_t)subject->file_count++;
}

void
fc_profile_add_local_address(fc_profile *profile, const fc_address *address)
{
    fc_profile_subject *subject = &profile->subject;
    for (size_t i = 0; i < subject->local_address_count; i++)
        if (fc_address_compare(&subject->local_addresses[i], address) == 0)
            return;
    if (subject->local_address_count < FC_PROFILE_ADDRESSES_MAX && address->family != 0)
        subject->local_addresses[subject->local_address_count++] = *address;
}

/* Keeps the earliest, in order of time; of the same time, those that came first. */
static void
keep_exemplar(fc_trouble *trouble, const fc_exemplar *exemplar)
{
    if (trouble->exemplars == NULL)
        trouble->exemplars = new_exemplars();
    size_t at = trouble->exemplar_count;
    while (at > 0 && trouble->exemplars[at - 1].at_ns > exemplar->at_ns)
        at--;
    if (at == FC_EXEMPLARS_MAX)
        return;
    if (trouble->exemplar_count < FC_EXEMPLARS_MAX)
        trouble->exemplar_count++;
    memmove(&trouble->exemplars[at + 1], &trouble->exemplars[at],
            (trouble->exemplar_count - at - 1) * sizeof *exemplar);
    trouble->exemplars[at] = *exemplar;
}

void
fc_profile_trouble(fc_profile *profile, fc_trouble_id id, const fc_exemplar *exemplar)
{
    fc_trouble *trouble = &profile->troubles[id];
    fc_exemplar kept = *exemplar;
    kept.at_ns = fc_clean_time(exemplar->at_ns);
    (void)fc_clean_text(kept.detail, sizeof kept.detail, exemplar->detail);
    trouble->count = fc_sum(trouble->count, 1);
    trouble->first_ns = fc_earlier(trouble->first_ns, kept.at_ns);
    trouble->last_ns = fc_later(trouble->last_ns, kept.at_ns);
    fc_table_values once = {.count = 1, .first_ns = kept.at_ns, .last_ns = kept.at_ns};
    if (kept.detail[0] != '\0')
        fc_table_add(&trouble->details, kept.detail, &once);
    if (kept.remote.family != 0) {
        char peer[FC_ENDPOINT_TEXT];
        fc_table_add(&trouble->peers, fc_endpoint_text(kept.protocol, &kept.remote, kept.remote_port, peer),
                     &once);
    }
    keep_exemplar(trouble, &kept);
}

static void
merge_text(char *to, const char *from, size_t size)
{
    if (to[0] == '\0')
        (void)snprintf(to, size, "%s", from);
}

static void
merge_interfaces(fc_profile_subject *to, const fc_profile_subject *from)
{
    for (size_t i = 0; i < from->interface_count; i++) {
        size_t at = 0;
        while (at < to->interface_count && strcmp(to->interfaces[at], from->interfaces[i]) != 0)
            at++;
        if (at == to->interface_count && at < FC_PROFILE_INTERFACES_MAX)
            memcpy(to->interfaces[to->interface_count++], from->interfaces[i], sizeof to->interfaces[0]);
    }
}

static void
merge_subject(fc_profile *profile, const fc_profile *more)
{
    fc_profile_subject *to = &profile->subject;
    const fc_profile_subject *from = &more->subject;
    merge_text(to->capture_uid, from->capture_uid, sizeof to->capture_uid);
    merge_text(to->capture_name, from->capture_name, sizeof to->capture_name);
    merge_text(to->instance_id, from->instance_id, sizeof to->instance_id);
    merge_text(to->instance_name, from->instance_name, sizeof to->instance_name);
    merge_text(to->scale_set, from->scale_set, sizeof to->scale_set);
    merge_text(to->region, from->region, sizeof to->region);
    merge_interfaces(to, from);
    if (to->filter == NULL)
        to->filter = fc_strdup(from->filter);
    /* The shorter is what can be relied upon; 0 is whole packets. */
    if (from->snaplen_bytes != 0 && (to->snaplen_bytes == 0 || from->snaplen_bytes < to->snaplen_bytes))
        to->snaplen_bytes = from->snaplen_bytes;
    for (size_t i = 0; i < from->local_address_count; i++)
        fc_profile_add_local_address(profile, &from->local_addresses[i]);
    to->start_ns = fc_earlier(to->start_ns, from->start_ns);
    to->end_ns = fc_later(to->end_ns, from->end_ns);
    to->first_packet_ns = fc_earlier(to->first_packet_ns, from->first_packet_ns);
    to->last_packet_ns = fc_later(to->last_packet_ns, from->last_packet_ns);
}

static void
merge_trouble(fc_trouble *to, const fc_trouble *from, const uint32_t *files)
{
    to->count = fc_sum(to->count, from->count);
    to->first_ns = fc_earlier(to->first_ns, from->first_ns);
    to->last_ns = fc_later(to->last_ns, from->last_ns);
    fc_table_merge(&to->details, &from->details);
    fc_table_merge(&to->peers, &from->peers);
    for (size_t i = 0; i < from->exemplar_count; i++) {
        fc_exemplar exemplar = from->exemplars[i];
        exemplar.file = exemplar.file < FC_PROFILE_FILES_MAX ? files[exemplar.file] : FC_EXEMPLAR_NO_FILE;
        keep_exemplar(to, &exemplar);
    }
}

void
fc_profile_merge(fc_profile *profile, const fc_profile *more)
{
    uint32_t files[FC_PROFILE_FILES_MAX];
    for (size_t i = 0; i < FC_PROFILE_FILES_MAX; i++)
        files[i] = i < more->subject.file_count ? fc_profile_file(profile, more->subject.files[i])
                                                : FC_EXEMPLAR_NO_FILE;
    merge_subject(profile, more);
    for (size_t i = 0; i < FC_COUNTER_COUNT; i++)
        profile->counters[i] = fc_sum(profile->counters[i], more->counters[i]);
    for (size_t i = 0; i < FC_SKETCH_COUNT; i++)
        fc_sketch_merge(&profile->sketches[i], &more->sketches[i]);
    fc_series_merge(&profile->series, &more->series);
    for (size_t i = 0; i < FC_TABLE_COUNT; i++)
        fc_table_merge(&profile->tables[i], &more->tables[i]);
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++)
        merge_trouble(&profile->troubles[i], &more->troubles[i], files);
}

/* Names of the protocols that an endpoint is shown with. */
static const char *
protocol_name(uint8_t protocol, char text[8])
{
    static const struct {
        uint8_t protocol;
        const char *name;
    } names[] = {
        {IPPROTO_TCP, "tcp"},   {IPPROTO_UDP, "udp"},      {IPPROTO_ICMP, "icmp"},
        {IPPROTO_SCTP, "sctp"}, {IPPROTO_ICMPV6, "icmp6"},
    };
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (names[i].protocol == protocol)
            return names[i].name;
    (void)snprintf(text, 8, "ip%u", protocol);
    return text;
}

const char *
fc_endpoint_text(uint8_t protocol, const fc_address *address, uint16_t port, char text[FC_ENDPOINT_TEXT])
{
    /* A name, a blank, brackets, an address and a port fit: 8 + 1 + 2 + 45 + 6. */
    char ip[FC_ADDRESS_TEXT], other[8], *at = text;
    bool brackets = address->family == 6 && port != 0;
    if (protocol != 0)
        at = stpcpy(stpcpy(at, protocol_name(protocol, other)), " ");
    if (brackets)
        *at++ = '[';
    at = stpcpy(at, fc_address_text(address, ip));
    if (brackets)
        *at++ = ']';
    *at = '\0';
    if (port != 0)
        (void)snprintf(at, (size_t)(text + FC_ENDPOINT_TEXT - at), ":%u", port);
    return text;
}

static void
filter_term(fc_buf *out, const char *format, const char *value)
{
    if (fc_buf_size(out) > 0)
        fc_buf_append(out, " && ", 4);
    fc_buf_printf(out, format, value);
}

/* Neighbours have no conversation: what was asked for, and its answer. */
static void
neighbour_filter(const fc_address *address, fc_buf *out)
{
    char text[FC_ADDRESS_TEXT];
    (void)fc_address_text(address, text);
    if (address->family == 4)
        fc_buf_printf(out, "arp.dst.proto_ipv4 == %s || arp.src.proto_ipv4 == %s", text, text);
    else
        fc_buf_printf(out, "icmpv6.nd.ns.target_address == %s || icmpv6.nd.na.target_address == %s", text,
                      text);
}

void
fc_exemplar_display_filter(const fc_exemplar *exemplar, fc_buf *out)
{
    const fc_address *ends[] = {&exemplar->local, &exemplar->remote};
    const uint16_t ports[] = {exemplar->local_port, exemplar->remote_port};
    fc_buf made = {0};
    if (exemplar->protocol == 0 && exemplar->remote.family != 0) {
        neighbour_filter(&exemplar->remote, out);
        return;
    }
    for (size_t i = 0; i < FC_COUNT(ends); i++) {
        char text[FC_ADDRESS_TEXT];
        if (ends[i]->family != 0)
            filter_term(&made, ends[i]->family == 4 ? "ip.addr == %s" : "ipv6.addr == %s",
                        fc_address_text(ends[i], text));
    }
    const char *port_term = exemplar->protocol == IPPROTO_TCP    ? "tcp.port == %s"
                            : exemplar->protocol == IPPROTO_UDP  ? "udp.port == %s"
                            : exemplar->protocol == IPPROTO_SCTP ? "sctp.port == %s"
                                                                 : NULL;
    for (size_t i = 0; i < FC_COUNT(ports) && port_term != NULL; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%u", ports[i]);
        if (ports[i] != 0)
            filter_term(&made, port_term, text);
    }
    if (exemplar->protocol == IPPROTO_ICMP || exemplar->protocol == IPPROTO_ICMPV6)
        filter_term(&made, "%s", exemplar->protocol == IPPROTO_ICMP ? "icmp" : "icmpv6");
    if (fc_buf_size(&made) == 0 && exemplar->frame != 0) {
        char text[24];
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)exemplar->frame);
        filter_term(&made, "frame.number == %s", text);
    }
    if (fc_buf_size(&made) > 0)
        fc_buf_append(out, fc_buf_bytes(&made), fc_buf_size(&made));
    fc_buf_fini(&made);
}
