/* summary.h: what one conversation told, all protocols, as a plain value. */
#ifndef FC_ANALYSIS_SUMMARY_H
#define FC_ANALYSIS_SUMMARY_H

#include "common/analysis/tls.h"
#include "common/profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum fc_side { FC_SIDE_NONE, FC_SIDE_LOCAL, FC_SIDE_REMOTE } fc_side;

/* How a TCP conversation ended, or where it stood. */
typedef enum fc_tcp_outcome {
    FC_TCP_UNKNOWN,   /* not seen from its beginning, still going on */
    FC_TCP_NO_ANSWER, /* SYN, nothing */
    FC_TCP_REFUSED,   /* SYN, RST */
    FC_TCP_HANDSHAKE, /* SYN-ACK seen, third packet not */
    FC_TCP_ESTABLISHED,
    FC_TCP_CLOSED,      /* FIN from both sides */
    FC_TCP_HALF_CLOSED, /* FIN from one */
    FC_TCP_RESET,       /* RST after the handshake; reset_by */
    FC_TCP_HALF_OPEN,   /* data sent again and again into silence */
} fc_tcp_outcome;

/* When a RST came. */
typedef enum fc_tcp_phase {
    FC_PHASE_NONE,
    FC_PHASE_HANDSHAKE, /* before the connection was established */
    FC_PHASE_IDLE,      /* established, no data yet */
    FC_PHASE_TLS,       /* inside a TLS handshake; tls.stage says where */
    FC_PHASE_DATA,
    FC_PHASE_CLOSING, /* after a FIN */
} fc_tcp_phase;

typedef struct fc_flow_counts {
    uint64_t packets, bytes, data_packets, data_bytes;
    uint64_t retransmitted, retransmitted_bytes, out_of_order, zero_window, duplicate_acks, unseen_bytes;
} fc_flow_counts;

typedef struct fc_conversation_summary {
    uint8_t protocol;
    bool oriented; /* false: which side is local is not known; `local` is then the initiator or the lower
                      address */
    fc_address local, remote;
    uint16_t local_port, remote_port; /* for ICMP: type and code, as Community ID wants them */
    char community_id[FC_COMMUNITY_ID_SIZE];
    fc_side initiator;
    int64_t first_ns, last_ns;
    uint32_t file, last_file; /* of the first and of the latest packet */
    uint64_t first_frame;
    fc_flow_counts in, out; /* from remote to local, and back */
    /* TCP */
    fc_tcp_outcome outcome;
    uint32_t syn_count;       /* of the initiator */
    int64_t handshake_ns;     /* SYN (the last one before it) -> SYN-ACK; -1 = not seen */
    int64_t handshake_ack_ns; /* SYN-ACK -> ACK; -1 */
    fc_side reset_by;
    fc_tcp_phase reset_phase;
    uint64_t reset_frame;
    uint32_t rtt_count;
    int64_t rtt_min_ns, rtt_max_ns, rtt_sum_ns;
    bool black_hole, has_tls;
    fc_side tls_client; /* with has_tls: who sent the ClientHello */
    fc_tls_summary tls;
    /* ICMP errors about it that came in; icmp_frame is of the first error, one that this instance sent too */
    uint32_t icmp_unreachable, icmp_prohibited, icmp_too_big, icmp_time_exceeded;
    uint32_t icmp_mtu; /* smallest next-hop MTU that was named; 0 = none */
    uint64_t icmp_frame;
} fc_conversation_summary;

const char *
fc_tcp_outcome_name(fc_tcp_outcome outcome); /* "noAnswer" */
const char *
fc_tcp_phase_name(fc_tcp_phase phase); /* "handshake" */

#endif
