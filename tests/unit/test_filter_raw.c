/* Raw expressions: what they may say, that they stay in their parentheses, and that no name is ever looked
 * up. */
#include "common/base/mem.h"
#include "common/filter/filter.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* libpcap's ways to look a name up come here instead: each call is one too many. */
static int lookup_count;

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    /* libpcap reads IPv6 addresses in this way too; for those nobody is asked. */
    uint8_t address[16];
    if (node == NULL || (inet_pton(AF_INET, node, address) != 1 && inet_pton(AF_INET6, node, address) != 1)) {
        lookup_count++;
        return EAI_NONAME;
    }
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, ret);
}

struct netent *
getnetbyname(const char *name)
{
    (void)name;
    lookup_count++;
    return NULL;
}

struct protoent *
getprotobyname(const char *name)
{
    (void)name;
    lookup_count++;
    return NULL;
}

/* fc_filter_expression of a raw expression with TCP, or with no filter; NULL when it is refused. */
static const char *
expression_of(bool tcp, const char *raw, fc_buf *text)
{
    const fc_filter filter = {.protocol = FC_PROTOCOL_TCP};
    fc_buf_clear(text);
    fc_fail fail = {0};
    if (fc_filter_expression(&filter, tcp, raw, NULL, 0, text, &fail) != FC_OK) {
        print_error("%s: %s\n", fail.field, fail.text);
        return NULL;
    }
    return fc_buf_text(text);
}

static void
raw_expressions_are_anded_in_parentheses(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_string_equal(expression_of(true, "port 80 or\n\tport 443", &text),
                        "tcp and (port 80 or  port 443)");
    assert_string_equal(expression_of(false, "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", &text),
                        "(tcp[tcpflags] & (tcp-syn|tcp-fin) != 0)");
    assert_string_equal(expression_of(false, "  ", &text), "");
    static const char *const good[] = {
        "host 10.0.0.1",
        "net 10.0.0.0/8",
        "net 10.0.0.0 mask 255.0.0.0",
        "src net 2001:db8::/32",
        "ip6 host ::1",
        "portrange 80-85",
        "ether host 00:11:22:33:44:5f",
        "ip proto 6",
        "ether proto 0x88cc",
        "icmp[icmptype] == icmp-echo",
        "icmp6[icmp6type] = icmp6-echo",
        "ip[2:2] > 576",
        "ether[0] & 1 = 0 and ip[16] >= 224",
        "less 64 || greater 1500",
        "ip[0] & 0xf != 5",
        "not (arp or stp)",
        "inbound and tcp",
        "len - 14 > 100",
        "ip multicast",
        "ether broadcast",
        "!tcp && udp",
        "ip6[6] == 17",
        "host 10.0.0.1 or 10.0.0.2",
    };
    for (size_t i = 0; i < FC_COUNT(good); i++)
        if (expression_of(false, good[i], &text) == NULL)
            fail_msg("%s", good[i]);
    assert_int_equal(lookup_count, 0);
    fc_buf_fini(&text);
}

static void
raw_expressions_cannot_leave_their_parentheses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "tcp) or (udp", "tcp)",    "(tcp", ")(", "",          "tcp or",  "ip[0",
        "ip]0[",        "tcp)or(", "(",    "()", "tcp # udp", "tcp;udp",
    };
    fc_filter filter = {.protocol = FC_PROTOCOL_UDP};
    fc_buf text = {0};
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        if (*bad[i] == '\0')
            continue;
        fc_fail fail = {0};
        if (fc_filter_expression(&filter, 1, bad[i], NULL, 0, &text, &fail) != FC_ERR_INVALID)
            fail_msg("%s", bad[i]);
        assert_string_equal(fail.field, "rawFilter");
    }
    assert_int_equal(fc_buf_size(&text), 0);
    fc_buf_fini(&text);
}

static void
raw_expressions_never_look_a_name_up(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "host example.com",
        "host web",
        "port http",
        "TCP",
        "Host 10.0.0.1",
        "net lab",
        "ip proto \\tcp",
        "proto foo",
        "host a-b",
        "gateway gw",
        "ether host station",
        "tcp.port",
        "host tcp-",
        "host in.addr",
        "host 1.2.3",
        "host 10.1",
        "net 10.1",
        "ip proto tcpx",
        "host deadbeef",
        "host 0x",
        "host 1.2.3.4.5",
        "port 80-http",
        "host _a",
        "host a_b",
        "host xn--a",
        "host\xc3\xa4",
        "host 10.0.0.1%eth0",
        "vlan 100",
        "protochain 6",
        "decnet host $x",
        "host ::zz",
        "host 00-11-22-33-44-55",
        "host ff",
        "host e",
        "ether host 1:2:3:4:5:6:7",
        "host 1e5",
        "host 08",
        "port 0800",
        "link[a]",
        "ip[a:2] = 1",
        "ip[2:b] = 1",
        "host:web",
    };
    fc_buf text = {0};
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        fc_fail fail = {0};
        if (fc_filter_expression(NULL, 0, bad[i], NULL, 0, &text, &fail) != FC_ERR_INVALID)
            fail_msg("%s", bad[i]);
        assert_string_equal(fail.field, "rawFilter");
        assert_non_null(strchr(fail.text, ':'));
    }
    assert_int_equal(lookup_count, 0);
    fc_buf_fini(&text);
}

// clang-format off
static const char *const table_words[] = {
    "aarp", "ah", "arp", "atalk", "broadcast", "carp", "clnp", "csnp", "decnet", "es-is", "esis", "esp",
    "icmp", "icmp-echo", "icmp-echoreply", "icmp-ireq", "icmp-ireqreply", "icmp-maskreply",
    "icmp-maskreq", "icmp-paramprob", "icmp-redirect", "icmp-routeradvert", "icmp-routersolicit",
    "icmp-sourcequench", "icmp-timxceed", "icmp-tstamp", "icmp-tstampreply", "icmp-unreach", "icmp6",
    "icmp6-destinationunreach", "icmp6-echo", "icmp6-echoreply", "icmp6-multicastlistenerdone",
    "icmp6-multicastlistenerquery", "icmp6-multicastlistenerreportv1", "icmp6-neighboradvert",
    "icmp6-neighborsolicit", "icmp6-packettoobig", "icmp6-parameterproblem", "icmp6-redirect",
    "icmp6-routeradvert", "icmp6-routersolicit", "icmp6-timeexceeded", "icmp6code", "icmp6type",
    "icmpcode", "icmptype", "igmp", "igrp", "iih", "inbound", "ip6", "ipx", "is-is", "isis", "iso",
    "l1", "l2", "lat", "len", "length", "link", "lsp", "moprc", "mopdl", "multicast", "netbeui",
    "outbound", "pim", "psnp", "rarp", "sca", "sctp", "snp", "stp", "tcp", "tcp-ack", "tcp-cwr",
    "tcp-ece", "tcp-fin", "tcp-push", "tcp-rst", "tcp-syn", "tcp-urg", "tcpflags", "udp", "vrrp",
    "ether", "ip", "dst", "src", "greater", "less", "host", "net", "port", "portrange", "proto", "mask",
    "and", "or", "not",
};
// clang-format on

/* Where a name may stand, libpcap takes what is no keyword of its own for a name: so this finds words that
 * our table has and libpcap has not. */
static void
every_word_of_the_table_is_a_keyword_of_libpcap(void **state)
{
    (void)state;
    fc_buf text = {0};
    for (size_t i = 0; i < FC_COUNT(table_words); i++) {
        static const char *const places[] = {"host ", "port ", "ip proto ", "ether host ", "net ", ""};
        for (size_t j = 0; j < FC_COUNT(places); j++) {
            char raw[128];
            (void)snprintf(raw, sizeof raw, "%s%s", places[j], table_words[i]);
            fc_fail fail = {0};
            if (fc_filter_expression(NULL, 0, raw, NULL, 0, &text, &fail) != FC_OK &&
                strstr(fail.text, "not a word of") != NULL)
                fail_msg("%s", raw);
            if (lookup_count > 0)
                fail_msg("%s asks for a name", raw);
        }
    }
    fc_buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_expressions_are_anded_in_parentheses),
        cmocka_unit_test(raw_expressions_cannot_leave_their_parentheses),
        cmocka_unit_test(raw_expressions_never_look_a_name_up),
        cmocka_unit_test(every_word_of_the_table_is_a_keyword_of_libpcap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
