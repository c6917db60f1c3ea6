/* names.h: the vocabulary of profiles and contexts as data: counters, sketches, series, tables, troubles,
 * sections.
 *
 * The wire ids are the positions in these lists: append only, never re-order. From them come the enums, the
 * JSON names, docs/profile.md and the rows of a comparison.
 */
#ifndef FC_PROFILE_NAMES_H
#define FC_PROFILE_NAMES_H

// clang-format off

/*    id                     JSON name                 unit        sentence */
#define FC_COUNTERS(X) \
    X(PACKETS_IN,            "packetsIn",              "packets",  "packets that came in") \
    X(PACKETS_OUT,           "packetsOut",             "packets",  "packets that went out") \
    X(PACKETS_UNORIENTED,    "packetsUnoriented",      "packets",  "packets whose direction is not known") \
    X(BYTES_IN,              "bytesIn",                "bytes",    "bytes that came in, as they were on the wire") \
    X(BYTES_OUT,             "bytesOut",               "bytes",    "bytes that went out, as they were on the wire") \
    X(BYTES_UNORIENTED,      "bytesUnoriented",        "bytes",    "bytes whose direction is not known") \
    X(PACKETS_TRUNCATED,     "packetsTruncated",       "packets",  "packets of which only the snap length was kept") \
    X(PACKETS_UNDECODED,     "packetsUndecoded",       "packets",  "packets that are not what their headers say, or of a link type that is not known") \
    X(PACKETS_NOT_IP,        "packetsNotIp",           "packets",  "packets of other protocols than IP and ARP") \
    X(PACKETS_VLAN,          "packetsVlan",            "packets",  "packets with a VLAN tag") \
    X(IPV4_PACKETS,          "ipv4Packets",            "packets",  "IPv4 packets") \
    X(IPV6_PACKETS,          "ipv6Packets",            "packets",  "IPv6 packets") \
    X(IP_FRAGMENTS,          "ipFragments",            "packets",  "IP fragments") \
    X(TCP_PACKETS,           "tcpPackets",             "packets",  "TCP segments") \
    X(UDP_PACKETS,           "udpPackets",             "packets",  "UDP datagrams") \
    X(ICMP_PACKETS,          "icmpPackets",            "packets",  "ICMP and ICMPv6 packets") \
    X(ARP_PACKETS,           "arpPackets",             "packets",  "ARP packets") \
    X(OTHER_IP_PACKETS,      "otherIpPackets",         "packets",  "IP packets of other protocols") \
    X(CONVERSATIONS,         "conversations",          "conversations", "conversations (five-tuples in a time)") \
    X(CONVERSATIONS_EVICTED, "conversationsEvicted",   "conversations", "conversations that were summed up early, to keep memory bounded") \
    X(TCP_CONVERSATIONS,     "tcpConversations",       "conversations", "TCP conversations") \
    X(TCP_OPENED_OUT,        "tcpOpenedOut",           "connections", "TCP connections that this instance began") \
    X(TCP_OPENED_IN,         "tcpOpenedIn",            "connections", "TCP connections that others began") \
    X(TCP_ESTABLISHED,       "tcpEstablished",         "connections", "TCP handshakes that were completed") \
    X(TCP_CLOSED,            "tcpClosed",              "connections", "TCP connections closed by FIN from both sides") \
    X(TCP_DATA_PACKETS_IN,   "tcpDataPacketsIn",       "packets",  "TCP segments with data that came in") \
    X(TCP_DATA_PACKETS_OUT,  "tcpDataPacketsOut",      "packets",  "TCP segments with data that went out") \
    X(TCP_DATA_BYTES_IN,     "tcpDataBytesIn",         "bytes",    "TCP payload that came in") \
    X(TCP_DATA_BYTES_OUT,    "tcpDataBytesOut",        "bytes",    "TCP payload that went out") \
    X(TCP_SYN_RETRANSMITTED, "tcpSynRetransmitted",    "packets",  "SYNs that were sent again") \
    X(TCP_RETRANSMITTED_IN,  "tcpRetransmittedIn",     "packets",  "TCP segments that came in again") \
    X(TCP_RETRANSMITTED_OUT, "tcpRetransmittedOut",    "packets",  "TCP segments that went out again") \
    X(TCP_RETRANSMITTED_BYTES_IN,  "tcpRetransmittedBytesIn",  "bytes", "TCP payload that came in again") \
    X(TCP_RETRANSMITTED_BYTES_OUT, "tcpRetransmittedBytesOut", "bytes", "TCP payload that went out again") \
    X(TCP_OUT_OF_ORDER_IN,   "tcpOutOfOrderIn",        "packets",  "TCP segments that came in late, behind later ones") \
    X(TCP_OUT_OF_ORDER_OUT,  "tcpOutOfOrderOut",       "packets",  "TCP segments that went out behind later ones") \
    X(TCP_ZERO_WINDOW_IN,    "tcpZeroWindowIn",        "packets",  "segments by which the other side said that its window is closed") \
    X(TCP_ZERO_WINDOW_OUT,   "tcpZeroWindowOut",       "packets",  "segments by which this instance said that its window is closed") \
    X(TCP_DUPLICATE_ACKS_IN, "tcpDuplicateAcksIn",     "packets",  "duplicate acknowledgements that came in") \
    X(TCP_DUPLICATE_ACKS_OUT,"tcpDuplicateAcksOut",    "packets",  "duplicate acknowledgements that went out") \
    X(TCP_UNSEEN_BYTES,      "tcpUnseenBytes",         "bytes",    "bytes acknowledged but never seen: the capture missed them") \
    X(DNS_QUERIES,           "dnsQueries",             "questions","questions asked by this instance, retries not counted") \
    X(DNS_ANSWERED,          "dnsAnswered",            "questions","of those, the ones that got an answer of any kind") \
    X(DNS_SERVED,            "dnsServed",              "questions","questions that others asked this instance") \
    X(DNS_RETRIES,           "dnsRetries",             "questions","times that a question was asked again") \
    X(DNS_OVER_TCP,          "dnsOverTcp",             "questions","questions asked over TCP") \
    X(DNS_OPEN,              "dnsOpen",                "questions","questions still open when the capture ended") \
    X(TLS_HELLOS,            "tlsHellos",              "handshakes", "TLS handshakes that a ClientHello began") \
    X(TLS_COMPLETED,         "tlsCompleted",           "handshakes", "TLS handshakes that reached application data") \
    X(TLS_OPEN,              "tlsOpen",                "handshakes", "TLS handshakes under way when the capture ended") \
    X(UDP_CONVERSATIONS,     "udpConversations",       "conversations", "UDP conversations but DNS") \
    X(NEIGHBOUR_REQUESTS,    "neighbourRequests",      "requests", "ARP requests and neighbour solicitations that went out, repeats not counted") \
    X(ECHO_REQUESTS,         "echoRequests",           "requests", "ICMP echo requests that went out") \
    X(ECHO_REPLIES,          "echoReplies",            "replies",  "of those, the ones that were answered") \
    X(CAPTURE_MATCHED,       "captureMatched",         "packets",  "packets that matched the filter, by the kernel's count; 0 = not known") \
    X(CAPTURE_DROPPED,       "captureDropped",         "packets",  "packets that matched but are not in the file") \
    X(CAPTURE_INTERFACE_DROPPED, "captureInterfaceDropped", "packets", "packets that the interface dropped before the filter") \
    X(CAPTURE_UNPROFILED,    "captureUnprofiled",      "packets",  "packets in the file that are not in the profile, because it fell behind") \
    X(PROFILE_TRIMMED,       "profileTrimmed",         "entries",  "exemplars and table entries left out to stay within the profile's bound") \
    X(PACKETS_AHEAD,         "packetsAhead",           "packets",  "packets whose time was more than an hour ahead of the one before and of the one after: they count at the time before")

/* Log-linear histograms of durations: relative error at most 1/128. */
#define FC_SKETCHES(X) \
    X(TCP_HANDSHAKE,         "tcpHandshake",           "ns",       "from SYN to SYN-ACK, connections that this instance began") \
    X(TCP_HANDSHAKE_IN,      "tcpHandshakeIn",         "ns",       "from SYN-ACK to the client's ACK, connections that others began") \
    X(TCP_RTT,               "tcpRtt",                 "ns",       "from a segment that went out to its acknowledgement") \
    X(TCP_FIRST_BYTE,        "tcpFirstByte",           "ns",       "from a request's last segment to the answer's first, connections that this instance began") \
    X(TCP_SERVICE,           "tcpService",             "ns",       "the same for connections that others began: how fast this instance answers") \
    X(TCP_DURATION,          "tcpDuration",            "ns",       "from SYN to the last packet of a closed connection") \
    X(DNS_LATENCY,           "dnsLatency",             "ns",       "from the first time a question was asked to its answer") \
    X(TLS_HANDSHAKE,         "tlsHandshake",           "ns",       "from ClientHello to the first application data") \
    X(UDP_RESPONSE,          "udpResponse",            "ns",       "from a datagram that went out to the next that came back, but DNS") \
    X(NEIGHBOUR_LATENCY,     "neighbourLatency",       "ns",       "from an ARP request or a solicitation to its answer") \
    X(ECHO_LATENCY,          "echoLatency",            "ns",       "from an ICMP echo request to its reply")

/* Sums per bucket of time. */
#define FC_SERIES_ROWS(X) \
    X(PACKETS_IN,            "packetsIn",              "packets",  "packets in") \
    X(PACKETS_OUT,           "packetsOut",             "packets",  "packets out") \
    X(BYTES_IN,              "bytesIn",                "bytes",    "bytes in") \
    X(BYTES_OUT,             "bytesOut",               "bytes",    "bytes out") \
    X(TCP_OPENED,            "tcpOpened",              "connections", "TCP connections begun") \
    X(TCP_FAILED,            "tcpFailed",              "connections", "TCP connections without answer, refused or reset") \
    X(TCP_RETRANSMITTED,     "tcpRetransmitted",       "packets",  "TCP segments seen again, either way") \
    X(HANDSHAKES,            "handshakes",             "connections", "TCP handshakes completed by this instance as client") \
    X(HANDSHAKE_NS,          "handshakeNs",            "ns",       "sum of their SYN to SYN-ACK times") \
    X(DNS_QUERIES,           "dnsQueries",             "questions","DNS questions asked") \
    X(DNS_FAILED,            "dnsFailed",              "questions","DNS questions without answer or with an error") \
    X(DNS_ANSWERED,          "dnsAnswered",            "questions","DNS questions answered") \
    X(DNS_LATENCY_NS,        "dnsLatencyNs",           "ns",       "sum of their answer times") \
    X(TLS_FAILED,            "tlsFailed",              "handshakes", "TLS handshakes that failed") \
    X(ICMP_ERRORS,           "icmpErrors",             "packets",  "ICMP errors that came in")

/* The most frequent keys (space-saving: every key that makes up more than 1/64 of the counts is there). */
#define FC_TABLES(X) \
    X(RESOLVERS,             "resolvers",              "questions","DNS servers that this instance asks") \
    X(SERVICES,              "services",               "conversations", "remote services: protocol, address, port") \
    X(LISTENERS,             "listeners",              "conversations", "local services that others use: protocol and port") \
    X(PEERS,                 "peers",                  "conversations", "remote addresses") \
    X(DNS_NAMES,             "dnsNames",               "questions","suffixes of the names asked for: the last two labels") \
    X(DNS_QUESTIONS,         "dnsQuestions",           "questions","names asked for, with their type") \
    X(TLS_SERVERS,           "tlsServers",             "handshakes", "names in the server name indication of TLS clients here, or else the address") \
    X(TLS_CHOICES,           "tlsChoices",             "handshakes", "TLS version and cipher suite that were chosen") \
    X(ALPN,                  "alpn",                   "handshakes", "application protocols that were chosen")

/* What goes wrong, and out of how many (a counter). The sentence follows "N of M". severity: 1 note, 2 warning, 3 error.
 *    id                     JSON name                 per                    severity  sentence */
#define FC_TROUBLES(X) \
    X(TCP_NO_ANSWER,         "tcpNoAnswer",            TCP_OPENED_OUT,        3, "TCP connections got no answer to their SYN") \
    X(TCP_REFUSED,           "tcpRefused",             TCP_OPENED_OUT,        3, "TCP connections were refused (RST in answer to the SYN)") \
    X(TCP_SYN_RETRIED,       "tcpSynRetried",          TCP_OPENED_OUT,        2, "TCP connections needed more than one SYN") \
    X(TCP_RESET_BY_REMOTE,   "tcpResetByRemote",       TCP_CONVERSATIONS,     3, "TCP connections were reset by the other side") \
    X(TCP_RESET_BY_LOCAL,    "tcpResetByLocal",        TCP_CONVERSATIONS,     2, "TCP connections were reset by this instance") \
    X(TCP_RETRANSMITS,       "tcpRetransmits",         TCP_CONVERSATIONS,     2, "TCP connections on which this instance had to send again") \
    X(TCP_LOSS_IN,           "tcpLossIn",              TCP_CONVERSATIONS,     2, "TCP connections on which the other side had to send again") \
    X(TCP_REORDERED,         "tcpReordered",           TCP_CONVERSATIONS,     2, "TCP connections with segments out of order") \
    X(TCP_ZERO_WINDOW_LOCAL, "tcpZeroWindowLocal",     TCP_CONVERSATIONS,     3, "TCP connections stalled because this instance does not read (zero window)") \
    X(TCP_ZERO_WINDOW_REMOTE,"tcpZeroWindowRemote",    TCP_CONVERSATIONS,     2, "TCP connections stalled because the other side does not read (zero window)") \
    X(TCP_HALF_OPEN,         "tcpHalfOpen",            TCP_CONVERSATIONS,     3, "TCP connections whose other side fell silent while data was sent again and again") \
    X(TCP_BLACK_HOLE,        "tcpBlackHole",           TCP_CONVERSATIONS,     3, "TCP connections on which only large segments are lost (MTU black hole)") \
    X(TCP_REFUSED_LOCAL,     "tcpRefusedLocal",        TCP_OPENED_IN,         2, "TCP connections that others began were refused by this instance") \
    X(TCP_NO_ANSWER_LOCAL,   "tcpNoAnswerLocal",       TCP_OPENED_IN,         3, "TCP connections that others began got no answer from this instance") \
    X(DNS_UNANSWERED,        "dnsUnanswered",          DNS_QUERIES,           3, "DNS questions got no answer") \
    X(DNS_RETRIED,           "dnsRetried",             DNS_QUERIES,           2, "DNS questions had to be asked again") \
    X(DNS_SERVFAIL,          "dnsServfail",            DNS_QUERIES,           3, "DNS questions were answered with SERVFAIL") \
    X(DNS_NXDOMAIN,          "dnsNxdomain",            DNS_QUERIES,           1, "DNS questions were answered with NXDOMAIN") \
    X(DNS_REFUSED,           "dnsRefused",             DNS_QUERIES,           3, "DNS questions were answered with REFUSED") \
    X(DNS_OTHER_ERROR,       "dnsOtherError",          DNS_QUERIES,           3, "DNS questions were answered with another error") \
    X(DNS_TRUNCATED,         "dnsTruncated",           DNS_QUERIES,           1, "DNS answers were cut off (TC) and asked for again over TCP") \
    X(DNS_SLOW,              "dnsSlow",                DNS_QUERIES,           2, "DNS questions were answered after more than a second") \
    X(TLS_ALERT_BY_REMOTE,   "tlsAlertByRemote",       TLS_HELLOS,            3, "TLS handshakes were ended by an alert of the other side") \
    X(TLS_ALERT_BY_LOCAL,    "tlsAlertByLocal",        TLS_HELLOS,            3, "TLS handshakes were ended by an alert of this instance") \
    X(TLS_RESET_BY_REMOTE,   "tlsResetByRemote",       TLS_HELLOS,            3, "TLS handshakes were reset by the other side") \
    X(TLS_RESET_BY_LOCAL,    "tlsResetByLocal",        TLS_HELLOS,            2, "TLS handshakes were reset by this instance") \
    X(TLS_CLOSED_BY_REMOTE,  "tlsClosedByRemote",      TLS_HELLOS,            3, "TLS handshakes were closed by the other side") \
    X(TLS_CLOSED_BY_LOCAL,   "tlsClosedByLocal",       TLS_HELLOS,            2, "TLS handshakes were closed by this instance") \
    X(TLS_SILENT,            "tlsSilent",              TLS_HELLOS,            3, "TLS handshakes fell silent") \
    X(UDP_NO_ANSWER,         "udpNoAnswer",            UDP_CONVERSATIONS,     2, "UDP conversations that this instance began got no answer") \
    X(ICMP_UNREACHABLE,      "icmpUnreachable",        CONVERSATIONS,         3, "conversations were answered with ICMP unreachable") \
    X(ICMP_PROHIBITED,       "icmpProhibited",         CONVERSATIONS,         3, "conversations were answered with ICMP administratively prohibited") \
    X(ICMP_TOO_BIG,          "icmpTooBig",             CONVERSATIONS,         2, "conversations were answered with ICMP fragmentation needed or packet too big") \
    X(ICMP_TIME_EXCEEDED,    "icmpTimeExceeded",       CONVERSATIONS,         3, "conversations were answered with ICMP time exceeded") \
    X(ICMP_SENT,             "icmpSent",               CONVERSATIONS,         1, "conversations that this instance answered with an ICMP error") \
    X(ECHO_UNANSWERED,       "echoUnanswered",         ECHO_REQUESTS,         2, "ICMP echo requests got no reply") \
    X(NEIGHBOUR_UNANSWERED,  "neighbourUnanswered",    NEIGHBOUR_REQUESTS,    3, "neighbours did not answer ARP or neighbour discovery") \
    X(FRAGMENTS_LOST,        "fragmentsLost",          IP_FRAGMENTS,          2, "fragmented datagrams never became whole")

/* How the facts of a section are compared.
 *    VALUE     each key has one value, that peers share
 *    SET       keys that peers share; the value belongs to it
 *    COUNTER   numbers that only grow; what matters is the growth from start to stop
 *    OWN       naturally an instance's own (its addresses): shown, not compared
 *    id                     JSON name                 compare   sentence */
#define FC_SECTIONS(X) \
    X(RESOLVER,              "resolver",               VALUE,    "DNS servers, search list and options, in order") \
    X(ADDRESS,               "address",                OWN,      "addresses: interface, prefix length, scope") \
    X(LINK,                  "link",                   VALUE,    "links: state, MTU, queue length, speed, offloads") \
    X(LINK_COUNTER,          "linkCounter",            COUNTER,  "links: errors and drops") \
    X(ROUTE,                 "route",                  SET,      "routes") \
    X(RULE,                  "rule",                   SET,      "routing policy rules") \
    X(NEIGHBOUR,             "neighbour",              OWN,      "neighbours and their state") \
    X(FIREWALL,              "firewall",               SET,      "firewall rules, without their counters") \
    X(FIREWALL_COUNTER,      "firewallCounter",        COUNTER,  "packets that firewall rules matched") \
    X(LISTENER,              "listener",               SET,      "listening sockets") \
    X(SYSCTL,                "sysctl",                 VALUE,    "kernel settings that change how TCP and IP behave") \
    X(SOCKET_COUNTER,        "socketCounter",          COUNTER,  "the kernel's own TCP, UDP and IP counters") \
    X(CLOCK,                 "clock",                  VALUE,    "clock source and synchronisation") \
    X(HOST,                  "host",                   VALUE,    "hosts file entries and name service order")

// clang-format on

typedef enum fc_counter {
#define X(id, name, unit, sentence) FC_COUNTER_##id,
    FC_COUNTERS(X)
#undef X
        FC_COUNTER_COUNT
} fc_counter;

typedef enum fc_sketch_id {
#define X(id, name, unit, sentence) FC_SKETCH_##id,
    FC_SKETCHES(X)
#undef X
        FC_SKETCH_COUNT
} fc_sketch_id;

typedef enum fc_series_id {
#define X(id, name, unit, sentence) FC_SERIES_##id,
    FC_SERIES_ROWS(X)
#undef X
        FC_SERIES_COUNT
} fc_series_id;

typedef enum fc_table_id {
#define X(id, name, unit, sentence) FC_TABLE_##id,
    FC_TABLES(X)
#undef X
        FC_TABLE_COUNT
} fc_table_id;

typedef enum fc_trouble_id {
#define X(id, name, per, severity, sentence) FC_TROUBLE_##id,
    FC_TROUBLES(X)
#undef X
        FC_TROUBLE_COUNT
} fc_trouble_id;

typedef enum fc_section {
#define X(id, name, compare, sentence) FC_SECTION_##id,
    FC_SECTIONS(X)
#undef X
        FC_SECTION_COUNT
} fc_section;

typedef enum fc_section_compare {
    FC_COMPARE_VALUE,
    FC_COMPARE_SET,
    FC_COMPARE_COUNTER,
    FC_COMPARE_OWN,
} fc_section_compare;

/* A row of the lists above. */
typedef struct fc_profile_name {
    const char *name, *unit, *sentence;
} fc_profile_name;
typedef struct fc_trouble_name {
    const char *name, *sentence;
    fc_counter per;
    int severity;
} fc_trouble_name;
typedef struct fc_section_name {
    const char *name, *sentence;
    fc_section_compare compare;
} fc_section_name;

extern const fc_profile_name fc_counter_names[FC_COUNTER_COUNT];
extern const fc_profile_name fc_sketch_names[FC_SKETCH_COUNT];
extern const fc_profile_name fc_series_names[FC_SERIES_COUNT];
extern const fc_profile_name fc_table_names[FC_TABLE_COUNT];
extern const fc_trouble_name fc_trouble_names[FC_TROUBLE_COUNT];
extern const fc_section_name fc_section_names[FC_SECTION_COUNT];

#endif
