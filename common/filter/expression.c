#include "common/filter/filter.h"
#include "common/filter/raw.h"
#include "common/filter/tuple.h"

#include <ctype.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What libpcap 1.10 makes of one test, in instructions before it optimises (measured). */
enum {
    WEIGHT_DIRECTION = 2,
    WEIGHT_PROTOCOL = 12,
    WEIGHT_IPV4 = 5,
    WEIGHT_IPV6 = 12,
    WEIGHT_PORT = 20,
    WEIGHT_PORT_OF_ANY = 56, /* TCP, UDP and SCTP */
    WEIGHT_OWN = 30,
};

/* The expression being written, and its weight: what is too heavy is refused before libpcap gets it. */
typedef struct writing {
    fc_buf *text;
    size_t weight;
} writing;

static void
test(writing *w, const char *before, size_t weight)
{
    fc_buf_append(w->text, before, strlen(before));
    w->weight += weight;
}

static void
write_block(writing *w, const char *side, const fc_ip_block *block)
{
    const char *family = block->bits == 32 ? "ip" : "ip6";
    char address[FC_IP_TEXT];
    fc_ip_text(block->bits, block->network, address);
    if (block->prefix == 0)
        fc_buf_printf(w->text, "%s", family);
    else if (block->prefix == block->bits)
        fc_buf_printf(w->text, "%s %s host %s", family, side, address);
    else
        fc_buf_printf(w->text, "%s %s net %s/%u", family, side, address, block->prefix);
}

/* Puts parentheses around what was written since `start`, for a list that has become longer than one item. */
static void
enclose(writing *w, size_t start)
{
    fc_buf_append(w->text, ")", 1);
    (void)fc_buf_reserve(w->text, 1);
    uint8_t *at = w->text->data + w->text->start + start;
    memmove(at + 1, at, fc_buf_size(w->text) - start);
    *at = '(';
    fc_buf_commit(w->text, 1);
}

/* Items joined with "or", fit to be a term of "and". */
static void
write_addresses(writing *w, const char *side, const fc_ip_ranges *ranges)
{
    size_t start = fc_buf_size(w->text), blocks = 0;
    for (size_t i = 0; i < ranges->count && w->weight <= FC_COMPILE_WEIGHT_MAX; i++) {
        fc_ip_rest rest = {.range = ranges->items[i]};
        for (fc_ip_block block; fc_ip_next_block(&rest, &block) && w->weight <= FC_COMPILE_WEIGHT_MAX;
             blocks++) {
            test(w, blocks > 0 ? " or " : "", block.bits == 32 ? WEIGHT_IPV4 : WEIGHT_IPV6);
            write_block(w, side, &block);
        }
    }
    if (blocks > 1)
        enclose(w, start);
}

/* "tcp ", "udp " or "": without a qualifier libpcap's port is TCP, UDP or SCTP. */
static const char *
port_qualifier(fc_protocol protocol)
{
    return protocol == FC_PROTOCOL_TCP ? "tcp " : protocol == FC_PROTOCOL_UDP ? "udp " : "";
}

static void
write_ports(writing *w, fc_protocol protocol, const char *side, const fc_port_ranges *ranges)
{
    const char *qualifier = port_qualifier(protocol);
    size_t start = fc_buf_size(w->text);
    for (size_t i = 0; i < ranges->count; i++) {
        const fc_port_range *range = &ranges->items[i];
        test(w, i > 0 ? " or " : "", *qualifier != '\0' ? WEIGHT_PORT : WEIGHT_PORT_OF_ANY);
        if (range->low == range->high)
            fc_buf_printf(w->text, "%s%s port %u", qualifier, side, range->low);
        else
            fc_buf_printf(w->text, "%s%s portrange %u-%u", qualifier, side, range->low, range->high);
    }
    if (ranges->count > 1)
        enclose(w, start);
}

/* One direction of the conversation: where `local` stands in a packet, and where `remote`. */
static void
write_direction(writing *w, const fc_tuple *tuple, const char *direction, const char *local,
                const char *remote)
{
    test(w, direction, WEIGHT_DIRECTION);
    if (tuple->local.count > 0) {
        fc_buf_printf(w->text, " and ");
        write_addresses(w, local, &tuple->local);
    }
    if (tuple->remote.count > 0) {
        fc_buf_printf(w->text, " and ");
        write_addresses(w, remote, &tuple->remote);
    }
    if (tuple->local_ports.count > 0) {
        fc_buf_printf(w->text, " and ");
        write_ports(w, tuple->protocol, local, &tuple->local_ports);
    }
    if (tuple->remote_ports.count > 0) {
        fc_buf_printf(w->text, " and ");
        write_ports(w, tuple->protocol, remote, &tuple->remote_ports);
    }
}

static const char *
protocol_term(fc_protocol protocol)
{
    switch (protocol) {
    case FC_PROTOCOL_TCP:
        return "tcp";
    case FC_PROTOCOL_UDP:
        return "udp";
    case FC_PROTOCOL_ICMP:
        return "(icmp or icmp6)";
    default:
        return "";
    }
}

static bool
has_side(const fc_tuple *tuple)
{
    return tuple->local.count + tuple->remote.count + tuple->local_ports.count + tuple->remote_ports.count >
           0;
}

static void
write_tuple(writing *w, const fc_tuple *tuple)
{
    const char *protocol = protocol_term(tuple->protocol);
    bool ports = tuple->local_ports.count + tuple->remote_ports.count > 0;
    if (!has_side(tuple)) {
        test(w, protocol, WEIGHT_PROTOCOL);
        return;
    }
    if (*protocol != '\0' && !ports) { /* ports carry the protocol themselves */
        test(w, protocol, WEIGHT_PROTOCOL);
        fc_buf_printf(w->text, " and ");
    }
    write_direction(w, tuple, "((inbound", "dst", "src");
    write_direction(w, tuple, ") or (outbound", "src", "dst");
    fc_buf_printf(w->text, "))");
}

/* "(a) or (b)", or nothing when one of the filters matches everything. */
static fc_err
write_filters(writing *w, const fc_filter *filters, size_t count, fc_fail *fail)
{
    size_t start = fc_buf_size(w->text);
    bool everything = count == 0;
    const char *before = count > 1 ? "((" : "";
    for (size_t i = 0; i < count; i++, before = ") or (") {
        fc_tuple tuple;
        fc_err err = fc_tuple_parse(&filters[i], i, &tuple, fail);
        if (err != FC_OK)
            return err;
        everything |= tuple.protocol == FC_PROTOCOL_ANY && !has_side(&tuple);
        fc_buf_printf(w->text, "%s", before);
        write_tuple(w, &tuple);
        if (w->weight > FC_COMPILE_WEIGHT_MAX || fc_buf_size(w->text) > FC_FILTER_EXPRESSION_MAX)
            return fc_fail_field(
                fail, FC_ERR_INVALID, "filters",
                "filters: those up to filters[%zu] make too long a program: use fewer items, or whole "
                "networks instead of ranges",
                i);
    }
    fc_buf_printf(w->text, count > 1 ? "))" : "");
    if (everything)
        w->text->end = w->text->start + start;
    return FC_OK;
}

static fc_err
write_own(writing *w, const fc_endpoint *own, size_t own_count, fc_fail *fail)
{
    for (size_t i = 0; i < own_count; i++) {
        unsigned bits;
        fc_u128 address;
        char text[FC_IP_TEXT], shown[FC_SHOWN_TEXT];
        if (memchr(own[i].address, '\0', sizeof own[i].address) == NULL || own[i].port == 0 ||
            fc_ip_parse(own[i].address, &bits, &address) != NULL)
            return fc_fail_set(fail, FC_ERR_INVALID,
                               "own endpoint \"%s\" port %u: needs a numeric address and a port",
                               fc_shown(own[i].address, shown), own[i].port);
        const char *family = bits == 32 ? "ip" : "ip6";
        test(w, fc_buf_size(w->text) > 0 ? " and " : "", WEIGHT_OWN);
        fc_buf_printf(w->text, "not (%s host %s and tcp port %u)", family, fc_ip_text(bits, address, text),
                      own[i].port);
    }
    return FC_OK;
}

static bool
is_blank(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0';
}

static fc_err
compiles(const char *expression, const char *field, const char *subject, fc_fail *fail)
{
    struct bpf_program program;
    fc_fail why = {0};
    fc_err err = fc_filter_compile(expression, DLT_EN10MB, 0, &program, &why);
    if (err == FC_OK)
        pcap_freecode(&program);
    else
        fc_fail_field(fail, err, field, "%s: %s", subject, why.text);
    return err;
}

/* Alone first: "a) or (b" must not get out of the parentheses that are put around it. Goes last, because some
 * words of libpcap change how it reads what follows them. */
static fc_err
write_raw(writing *w, const char *raw, fc_fail *fail)
{
    fc_err err = fc_raw_check(raw, fail);
    if (err == FC_OK)
        err = compiles(raw, "rawFilter", "rawFilter", fail);
    if (err != FC_OK)
        return err;
    fc_buf_printf(w->text, "%s(", fc_buf_size(w->text) > 0 ? " and " : "");
    for (const char *at = raw; *at != '\0'; at++) /* shown, stored and logged as one line */
        fc_buf_append(w->text, isspace((unsigned char)*at) ? " " : at, 1);
    fc_buf_append(w->text, ")", 1);
    return FC_OK;
}

fc_err
fc_filter_expression(const fc_filter *filters, size_t count, const char *raw, const fc_endpoint *own,
                     size_t own_count, fc_buf *ret_text, fc_fail *fail)
{
    if (count > FC_FILTER_COUNT_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "filters", "filters: there are %zu and the limit is %d",
                             count, FC_FILTER_COUNT_MAX);
    fc_buf text = {0};
    writing w = {.text = &text};
    bool has_raw = raw != NULL && !is_blank(raw);
    fc_err err = write_filters(&w, filters, count, fail);
    if (err == FC_OK)
        err = write_own(&w, own, own_count, fail);
    bool only_raw = has_raw && fc_buf_size(&text) == 0;
    if (err == FC_OK && has_raw)
        err = write_raw(&w, raw, fail);
    if (err == FC_OK && !only_raw) /* which write_raw has compiled */
        err = compiles(fc_buf_text(&text), "filters", has_raw ? "filters and rawFilter" : "filters", fail);
    if (err == FC_OK)
        fc_buf_append(ret_text, fc_buf_bytes(&text), fc_buf_size(&text));
    fc_buf_fini(&text);
    return err;
}
