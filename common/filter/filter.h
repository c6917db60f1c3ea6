/* filter.h: five-tuple filters, as people write them, to BPF.
 *
 * Used unchanged by the CLI, the coordinator and the node, so that all three refuse the same things with the
 * same sentence. Fields within a filter are ANDed, filters ORed. *Local* and *remote* are relative to the
 * instance and match both directions of the conversation: an inbound packet's destination is local, an
 * outbound packet's source is.
 *
 * Value grammar: value ::= item { (";" | ",") item } [ ";" ]; item ::= single | low "-" high | cidr. White
 * space around items is ignored. Empty or absent = any. "*" and every text that cannot mean what it says is
 * refused.
 */
#ifndef FC_FILTER_FILTER_H
#define FC_FILTER_FILTER_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct bpf_program;

typedef enum fc_protocol {
    FC_PROTOCOL_ANY = 1,
    FC_PROTOCOL_TCP = 2,
    FC_PROTOCOL_UDP = 3,
    FC_PROTOCOL_ICMP = 4, /* ICMP and ICMPv6 */
} fc_protocol;

const char *
fc_protocol_name(fc_protocol protocol); /* "TCP", "Any" */
FC_MUST_USE fc_err
fc_protocol_parse(const char *text, fc_protocol *ret_protocol); /* case does not matter */

enum {
    FC_FILTER_COUNT_MAX = 32,
    FC_FILTER_ITEMS_MAX = 64,  /* items of one field */
    FC_FILTER_TEXT_MAX = 1024, /* characters of one field, and of the raw expression */
    FC_FILTER_EXPRESSION_MAX = 65536,
};

typedef struct fc_filter {
    fc_protocol protocol;
    char *local_address; /* owned; NULL = any */
    char *local_port;
    char *remote_address;
    char *remote_port;
} fc_filter;

void
fc_filter_fini(fc_filter *filter);
/* Pure. fail->field is "filters[INDEX].remotePort" and the sentence names field, value and reason. */
FC_MUST_USE fc_err
fc_filter_check(const fc_filter *filter, size_t index, fc_fail *fail);

/* A peer of our own (the coordinator) whose conversation is left out of every capture. */
typedef struct fc_endpoint {
    char address[46]; /* numeric IPv4 or IPv6 */
    uint16_t port;
} fc_endpoint;

/* Appends the pcap-filter(7) expression for: (any of filters) and (raw) and not (own traffic). Empty text =
 * everything. Checks all of it first, and that it compiles. */
FC_MUST_USE fc_err
fc_filter_expression(const fc_filter *filters, size_t count, const char *raw, const fc_endpoint *own,
                     size_t own_count, fc_buf *ret_text, fc_fail *fail);

/* Compiles for Ethernet (DLT_EN10MB) or another link type; pcap_freecode(*ret_program) by the caller.
 * snaplen_bytes is what the program returns for a packet that matches. The kernel's limit is 4096
 * instructions (BPF_MAXINSNS). */
FC_MUST_USE fc_err
fc_filter_compile(const char *expression, int link_type, uint32_t snaplen_bytes,
                  struct bpf_program *ret_program, fc_fail *fail);

#endif
