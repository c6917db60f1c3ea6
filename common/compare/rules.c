/* The rules as data. Floors come from fleets of equal instances in network namespaces on a busy machine:
 * below them lies what such a fleet does by itself.
 *
 * Titles are templates for sentence.c: {I} the instances, {s} the s of a verb in the singular, {has} {is}
 * {its} as the number wants, {x} {n} the counts, {to} {with} {from} the remote end with that word before it,
 * {by} who, {detail} in parentheses, {peers} how the others fare, {value} {usual} a number and the peers',
 * {key} what it is about, {hits} how often.
 */
#include "common/compare/rules.h"
#include "common/compare/internal.h"

// clang-format off

#define DISTORTED FC_RULE_DISTORTED
#define SHARED FC_RULE_SHARED
#define DEEP FC_RULE_DEEP
#define RARE FC_RULE_RARE

/*  id                       category effect flags  title */
#define TROUBLE_RULES(X) \
    X(TCP_NO_ANSWER,          TCP,     0.02, DISTORTED | SHARED,  "{I} get{s} no answer to {x} of {n} TCP connections{to} (SYN unanswered){peers}") \
    X(TCP_REFUSED,            TCP,     0.02, SHARED,  "{I}: {x} of {n} TCP connections{to} are refused (RST in answer to the SYN){peers}") \
    X(TCP_SYN_RETRIED,        TCP,     0.05, DISTORTED, "{I} need{s} more than one SYN for {x} of {n} TCP connections{to}{peers}") \
    X(TCP_RESET_BY_REMOTE,    TCP,     0.10, 0, "{I}: {x} of {n} TCP connections{with} are reset (RST) by the other side{detail}{peers}") \
    X(TCP_RESET_BY_LOCAL,     TCP,     0.10, 0, "{I} reset{s} (RST) {x} of {n} TCP connections{with}{detail}{peers}") \
    X(TCP_RETRANSMITS,        TCP,     0.15, DISTORTED, "{I} {has} to send again (retransmissions) on {x} of {n} TCP connections{with}{peers}") \
    X(TCP_LOSS_IN,            TCP,     0.15, DISTORTED, "{I}: the other side has to send again (retransmissions) on {x} of {n} TCP connections{with}{peers}") \
    X(TCP_REORDERED,          TCP,     0.15, DISTORTED, "{I}: {x} of {n} TCP connections{with} have segments out of order (reordering){peers}") \
    X(TCP_ZERO_WINDOW_LOCAL,  TCP,     0.02, SHARED | DEEP,  "{I} {does} not read: {x} of {n} TCP connections{with} stall at its zero window{peers}") \
    X(TCP_ZERO_WINDOW_REMOTE, TCP,     0.02, SHARED | DEEP,  "{I}: {x} of {n} TCP connections{with} stall because the other side does not read (zero window){peers}") \
    X(TCP_HALF_OPEN,          TCP,     0.02, DISTORTED | SHARED | DEEP | RARE,  "{I}: {x} of {n} TCP connections{with} are half-open: the other side fell silent while data was sent again and again{peers}") \
    X(TCP_BLACK_HOLE,         TCP,     0.02, DISTORTED | SHARED | DEEP | RARE,  "{I} lose{s} only large segments on {x} of {n} TCP connections{with}: an MTU black hole (no ICMP says so){peers}") \
    X(TCP_REFUSED_LOCAL,      TCP,     0.05, 0, "{I} refuse{s} {x} of {n} TCP connections that others begin{from}{peers}") \
    X(TCP_NO_ANSWER_LOCAL,    TCP,     0.05, DISTORTED, "{I} {does} not answer {x} of {n} TCP connections that others begin{from}{peers}") \
    X(DNS_UNANSWERED,         DNS,     0.02, DISTORTED | SHARED,  "{I} get{s} no answer to {x} of {n} DNS questions{to}{peers}") \
    X(DNS_RETRIED,            DNS,     0.05, DISTORTED, "{I} {has} to ask {x} of {n} DNS questions{to} again{peers}") \
    X(DNS_SERVFAIL,           DNS,     0.02, SHARED,  "{I}: {x} of {n} DNS questions{to} are answered with SERVFAIL{detail}{peers}") \
    X(DNS_NXDOMAIN,           DNS,     0.15, 0, "{I}: {x} of {n} DNS questions{to} are answered with NXDOMAIN (no such name){detail}{peers}") \
    X(DNS_REFUSED,            DNS,     0.02, SHARED,  "{I}: {x} of {n} DNS questions{to} are answered with REFUSED{detail}{peers}") \
    X(DNS_OTHER_ERROR,        DNS,     0.02, SHARED,  "{I}: {x} of {n} DNS questions{to} are answered with an error{detail}{peers}") \
    X(DNS_TRUNCATED,          DNS,     0.10, 0, "{I}: {x} of {n} DNS answers{from} are truncated (TC) and asked for again over TCP{detail}{peers}") \
    X(DNS_SLOW,               DNS,     0.02, SHARED,  "{I} wait{s} more than a second for the answer to {x} of {n} DNS questions{to} (slow resolver){peers}") \
    X(TLS_ALERT_BY_REMOTE,    TLS,     0.02, SHARED,  "{I}: {x} of {n} TLS handshakes{with} are ended by an alert of the other side{alert}{peers}") \
    X(TLS_ALERT_BY_LOCAL,     TLS,     0.02, SHARED,  "{I} end{s} {x} of {n} TLS handshakes{with} with an alert of its own{alert}{peers}") \
    X(TLS_RESET_BY_REMOTE,    TLS,     0.02, SHARED,  "{I}: {x} of {n} TLS handshakes{with} are reset (RST) by the other side{detail}{peers}") \
    X(TLS_RESET_BY_LOCAL,     TLS,     0.05, SHARED,  "{I} reset{s} (RST) {x} of {n} TLS handshakes{with}{detail}{peers}") \
    X(TLS_CLOSED_BY_REMOTE,   TLS,     0.05, SHARED,  "{I}: {x} of {n} TLS handshakes{with} are closed (FIN) by the other side{detail}{peers}") \
    X(TLS_CLOSED_BY_LOCAL,    TLS,     0.05, SHARED,  "{I} close{s} (FIN) {x} of {n} TLS handshakes{with}{detail}{peers}") \
    X(TLS_SILENT,             TLS,     0.05, DISTORTED | SHARED,  "{I}: {x} of {n} TLS handshakes{with} fall silent{detail}{peers}") \
    X(UDP_NO_ANSWER,          TRAFFIC, 0.10, DISTORTED, "{I} get{s} no answer to {x} of {n} UDP conversations{to}{peers}") \
    X(ICMP_UNREACHABLE,       IP,      0.02, SHARED | DEEP | RARE,  "{I}: {x} of {n} conversations{with} are answered with ICMP unreachable{detail}{peers}") \
    X(ICMP_PROHIBITED,        IP,      0.02, SHARED | DEEP | RARE,  "{I}: {x} of {n} conversations{with} are answered with ICMP administratively prohibited (a firewall rejects them){peers}") \
    X(ICMP_TOO_BIG,           IP,      0.02, DEEP | RARE, "{I}: {x} of {n} conversations{with} are told by ICMP that packets are too big (fragmentation needed: a smaller MTU on the path){peers}") \
    X(ICMP_TIME_EXCEEDED,     IP,      0.02, SHARED | DEEP | RARE,  "{I}: {x} of {n} conversations{with} are answered with ICMP time exceeded (a routing loop, or too many hops){peers}") \
    X(ICMP_SENT,              IP,      0.20, 0, "{I} answer{s} {x} of {n} conversations{with} with an ICMP error{detail}{peers}") \
    X(ECHO_UNANSWERED,        IP,      0.10, DISTORTED, "{I} get{s} no reply to {x} of {n} ICMP echo requests (ping){to}{peers}") \
    X(NEIGHBOUR_UNANSWERED,   IP,      0.10, DISTORTED | DEEP, "{I} get{s} no answer to {x} of {n} ARP or neighbour requests{for}{peers}") \
    X(FRAGMENTS_LOST,         IP,      0.05, DISTORTED, "{I}: {x} of {n} fragmented datagrams never become whole{peers}")

const fc_trouble_rule fc_trouble_rules[FC_TROUBLE_COUNT] = {
#define X(id, category, effect, flags, title) [FC_TROUBLE_##id] = {FC_CATEGORY_##category, effect, flags, title},
    TROUBLE_RULES(X)
#undef X
};

#define C(id) FC_COUNTER_##id
#define NO_COUNTER FC_COUNTER_COUNT

const fc_rate_rule fc_rate_rules[] = {
    {"lossOut", FC_CATEGORY_TCP, FC_SEVERITY_ERROR, C(TCP_RETRANSMITTED_OUT), C(TCP_OPENED_OUT), C(TCP_DATA_PACKETS_OUT),
     FC_TROUBLE_TCP_RETRANSMITS, 0.004, 5, 10,
     "{I} lose{s} about {value} of what {it} send{s} ({x} of {n} TCP segments sent again, retransmissions); {usual}"},
    {"lossIn", FC_CATEGORY_TCP, FC_SEVERITY_ERROR, C(TCP_RETRANSMITTED_IN), C(TCP_OPENED_IN), C(TCP_DATA_PACKETS_IN),
     FC_TROUBLE_TCP_LOSS_IN, 0.004, 5, 10,
     "{I}: about {value} of what is sent to {it2} has to be sent again by the other side ({x} of {n} TCP segments, packet loss, "
     "retransmissions); {usual}"},
    {"reorderingIn", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, C(TCP_OUT_OF_ORDER_IN), NO_COUNTER, C(TCP_DATA_PACKETS_IN),
     FC_TROUBLE_TCP_REORDERED, 0.005, 5, 3,
     "{I} get{s} {value} of its TCP segments out of order (reordering: {x} of {n}); {usual}"},
    {"reorderingOut", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, C(TCP_OUT_OF_ORDER_OUT), NO_COUNTER, C(TCP_DATA_PACKETS_OUT),
     FC_TROUBLE_TCP_REORDERED, 0.005, 5, 3,
     "{I}: {value} of the TCP segments that {it} send{s} go out of order (reordering: {x} of {n}); {usual}"},
};
const size_t fc_rate_rule_count = sizeof fc_rate_rules / sizeof fc_rate_rules[0];

#define NO FC_COMPARE_NONE

const fc_latency_rule fc_latency_rules[] = {
    {"tcpHandshakeSlow", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, FC_SKETCH_TCP_HANDSHAKE, 2, 1, false, FC_TABLE_SERVICES,
     FC_SERIES_HANDSHAKE_NS, FC_SERIES_HANDSHAKES,
     "{I}: TCP handshakes{to} take {value} (median; latency of the path is added); {usual}"},
    {"tcpHandshakeInSlow", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, FC_SKETCH_TCP_HANDSHAKE_IN, 2, 1, true, NO, NO, NO,
     "{I}: clients take {value} to finish a TCP handshake (median; latency towards the clients is added); {usual}"},
    {"tcpRttLong", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, FC_SKETCH_TCP_RTT, 2, 10, true, NO, NO, NO,
     "{I}: the round trip of TCP segments takes {value} (median RTT; latency is added); {usual}"},
    {"tcpFirstByteSlow", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, FC_SKETCH_TCP_FIRST_BYTE, 20, 1, false, NO, NO, NO,
     "{I} wait{s} {value} for the first byte of an answer (median; the servers are slow to answer); {usual}"},
    {"tcpServiceSlow", FC_CATEGORY_TCP, FC_SEVERITY_WARNING, FC_SKETCH_TCP_SERVICE, 20, 1, false, NO, NO, NO,
     "{I} {is} slow to answer its own clients: the first byte takes {value} (median service time); {usual}"},
    {"dnsLatency", FC_CATEGORY_DNS, FC_SEVERITY_WARNING, FC_SKETCH_DNS_LATENCY, 5, 2, false, FC_TABLE_RESOLVERS,
     FC_SERIES_DNS_LATENCY_NS, FC_SERIES_DNS_ANSWERED,
     "{I}: DNS answers{from} take {value} (median; slow resolver); {usual}"},
    {"tlsHandshakeSlow", FC_CATEGORY_TLS, FC_SEVERITY_WARNING, FC_SKETCH_TLS_HANDSHAKE, 20, 1, false, NO, NO, NO,
     "{I}: TLS handshakes take {value} (median; slow); {usual}"},
    {"udpResponseSlow", FC_CATEGORY_TRAFFIC, FC_SEVERITY_NOTE, FC_SKETCH_UDP_RESPONSE, 50, 1, true, NO, NO, NO,
     "{I}: UDP answers take {value} (median; slow); {usual}"},
    {"neighbourSlow", FC_CATEGORY_IP, FC_SEVERITY_NOTE, FC_SKETCH_NEIGHBOUR_LATENCY, 20, 1, false, NO, NO, NO,
     "{I}: ARP or neighbour discovery takes {value} (median; slow); {usual}"},
    {"echoSlow", FC_CATEGORY_IP, FC_SEVERITY_WARNING, FC_SKETCH_ECHO_LATENCY, 2, 1, true, NO, NO, NO,
     "{I}: ICMP echo replies take {value} (median; latency is added); {usual}"},
};
const size_t fc_latency_rule_count = sizeof fc_latency_rules / sizeof fc_latency_rules[0];

const fc_traffic_rule fc_traffic_rules[] = {
    {"trafficPackets", {C(PACKETS_IN), C(PACKETS_OUT), C(PACKETS_UNORIENTED)}, 500, "packets/s", "packets"},
    {"trafficBytes", {C(BYTES_IN), C(BYTES_OUT), C(BYTES_UNORIENTED)}, 500000, "B/s", "bytes"},
    {"trafficConversations", {C(CONVERSATIONS), NO_COUNTER, NO_COUNTER}, 100, "conversations/s", "conversations"},
    {"trafficDns", {C(DNS_QUERIES), NO_COUNTER, NO_COUNTER}, 100, "questions/s", "DNS questions"},
};
const size_t fc_traffic_rule_count = sizeof fc_traffic_rules / sizeof fc_traffic_rules[0];

const fc_set_rule fc_set_rules[FC_TABLE_COUNT] = {
    [FC_TABLE_RESOLVERS] = {"resolverOnlyHere", "resolverNotHere", FC_CATEGORY_DNS, FC_SEVERITY_WARNING, FC_SEVERITY_NOTE,
        "{I} ask{s} the resolver {key}, which nobody else asks ({hits} questions)",
        "{I} {is} the only one that does not ask the resolver {key}"},
    [FC_TABLE_SERVICES] = {"serviceOnlyHere", "serviceNotHere", FC_CATEGORY_TRAFFIC, FC_SEVERITY_WARNING, FC_SEVERITY_NOTE,
        "{I} talk{s} to {key}, which nobody else talks to ({hits} conversations)",
        "{I} {is} the only one that does not talk to {key}"},
    [FC_TABLE_LISTENERS] = {"listenerOnlyHere", "listenerNotHere", FC_CATEGORY_TRAFFIC, FC_SEVERITY_NOTE, FC_SEVERITY_NOTE,
        "{I} serve{s} {key}, which nobody else serves ({hits} conversations)",
        "{I} {is} the only one that does not serve {key}"},
    [FC_TABLE_PEERS] = {"peerOnlyHere", "peerNotHere", FC_CATEGORY_TRAFFIC, FC_SEVERITY_INFO, FC_SEVERITY_INFO,
        "{I} exchange{s} packets with {key}, with which nobody else does ({hits} conversations)",
        "{I} {is} the only one without packets to or from {key}"},
    [FC_TABLE_DNS_NAMES] = {"dnsNameOnlyHere", "dnsNameNotHere", FC_CATEGORY_DNS, FC_SEVERITY_NOTE, FC_SEVERITY_INFO,
        "{I} ask{s} for names under {key}, for which nobody else asks ({hits} questions)",
        "{I} {is} the only one that does not ask for names under {key}"},
    [FC_TABLE_DNS_QUESTIONS] = {"dnsQuestionOnlyHere", "dnsQuestionNotHere", FC_CATEGORY_DNS, FC_SEVERITY_INFO, FC_SEVERITY_INFO,
        "{I} ask{s} for {key}, for which nobody else asks ({hits} questions)",
        "{I} {is} the only one that does not ask for {key}"},
    [FC_TABLE_TLS_SERVERS] = {"tlsServerOnlyHere", "tlsServerNotHere", FC_CATEGORY_TLS, FC_SEVERITY_NOTE, FC_SEVERITY_NOTE,
        "{I} begin{s} TLS with {key}, with which nobody else does ({hits} handshakes)",
        "{I} {is} the only one that does not begin TLS with {key}"},
    [FC_TABLE_TLS_CHOICES] = {"tlsChoiceOnlyHere", "tlsChoiceNotHere", FC_CATEGORY_TLS, FC_SEVERITY_NOTE, FC_SEVERITY_INFO,
        "{I} agree{s} on {key}, which nobody else uses ({hits} handshakes)",
        "{I} {is} the only one that never agrees on {key}"},
    [FC_TABLE_ALPN] = {"alpnOnlyHere", "alpnNotHere", FC_CATEGORY_TLS, FC_SEVERITY_NOTE, FC_SEVERITY_INFO,
        "{I} speak{s} {key} (ALPN), which nobody else speaks ({hits} handshakes)",
        "{I} {is} the only one that never speaks {key} (ALPN)"},
};

#define W FC_SEVERITY_WARNING
#define N FC_SEVERITY_NOTE

const fc_fact_rule fc_fact_rules[FC_SECTION_COUNT] = {
    /*                             id                        while it ran                    severity elements absence phrase */
    [FC_SECTION_RESOLVER]       = {"context.resolver",       "context.resolverChanged",       W, false, true,  "resolver setting"},
    [FC_SECTION_ADDRESS]        = {"context.address",        "context.addressChanged",        N, true,  false, "address of"},
    [FC_SECTION_LINK]           = {"context.link",           "context.linkChanged",           W, false, false, "link"},
    [FC_SECTION_LINK_COUNTER]   = {"context.linkCounter",    "context.linkCounterChanged",    W, false, false, "link counter"},
    [FC_SECTION_ROUTE]          = {"context.route",          "context.routeChanged",          W, false, true,  "route"},
    [FC_SECTION_RULE]           = {"context.rule",           "context.ruleChanged",           W, false, true,  "routing rule"},
    [FC_SECTION_NEIGHBOUR]      = {"context.neighbour",      "context.neighbourChanged",      N, false, false, "neighbour"},
    [FC_SECTION_FIREWALL]       = {"context.firewall",       "context.firewallChanged",       W, true,  true,  "firewall rule in"},
    [FC_SECTION_FIREWALL_COUNTER] = {"context.firewallCounter", "context.firewallCounterChanged", N, false, false, "firewall counter"},
    [FC_SECTION_LISTENER]       = {"context.listener",       "context.listenerChanged",       N, true,  true,  "listening socket"},
    [FC_SECTION_SYSCTL]         = {"context.sysctl",         "context.sysctlChanged",         W, false, false, "kernel setting"},
    [FC_SECTION_SOCKET_COUNTER] = {"context.socketCounter",  "context.socketCounterChanged",  N, false, false, "kernel counter"},
    [FC_SECTION_CLOCK]          = {"context.clock",          "context.clockChanged",          N, false, false, "clock"},
    [FC_SECTION_HOST]           = {"context.host",           "context.hostChanged",           N, false, true,  "hosts entry"},
};
