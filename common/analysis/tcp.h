/* tcp.h: what the segments of one TCP conversation tell, per direction, as they come.
 *
 * Retransmissions, segments out of order, duplicate acknowledgements, keep-alives, zero windows and their
 * probes are told apart by the rules that Wireshark documents for its TCP analysis (Wireshark User's Guide,
 * section 7.5), so that both count the same; SYNs and FINs that are sent again are retransmissions. One
 * exception: what was seen before is sent again, never out of order, however soon it comes. Round trips: one
 * sample per direction at a time, none of retransmitted data (Karn's rule, RFC 6298 section 3). Bytes that
 * the other side acknowledged but that were never seen were missed by the capture. Sequence numbers are
 * compared by RFC 1982; an acknowledgement more than FC_TCP_WINDOW_MAX ahead is not believed.
 *
 * Sources: RFC 9293, 5681, 6298, 7323.
 */
#ifndef FC_ANALYSIS_TCP_H
#define FC_ANALYSIS_TCP_H

#include "common/analysis/conversations.h"
#include "common/analysis/packet.h"
#include "common/analysis/summary.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FC_TCP_GAPS_MAX = 3,
    FC_TCP_WINDOW_MAX = 1 << 30, /* RFC 7323, section 2.3 */
};

/* What one end sent. */
typedef struct fc_tcp_side {
    uint32_t next;      /* the highest sequence number seen, and one */
    uint32_t first;     /* its initial sequence number; of the first segment seen, where the SYN was not */
    uint32_t ack;       /* the acknowledgement in its last segment */
    uint32_t missed_to; /* acknowledged by the other side without being seen, up to here */
    int64_t next_ns;    /* when `next` was reached */
    int64_t ack_ns;     /* of its last segment with an acknowledgement */
    int64_t last_ns;    /* of its last segment */
    int64_t sample_ns;  /* of the segment whose acknowledgement is waited for; 0 = none */
    uint32_t sample_end, sample_size;
    int64_t zero_ns;              /* since when its window is closed; 0 = it is open */
    int64_t stall_ns, stalled_ns; /* the longest that it was, and since when */
    int64_t first_again_ns;       /* of the first transmission again but of the SYN; 0 = none */
    int64_t again_ns;             /* of the first one that the other side has not reacted to */
    uint64_t data_bytes, retransmitted_bytes, unseen_bytes;
    uint32_t data_packets, retransmitted, out_of_order, zero_window, duplicate_acks;
    uint32_t again_start, again_size; /* what it sent again last */
    uint32_t acked_size;              /* the largest segment that got through at once */
    struct {
        uint32_t start, end;
    } gaps[FC_TCP_GAPS_MAX]; /* never seen so far, ascending */
    uint16_t window, mss;
    uint16_t interface;   /* where it was seen to get on */
    uint32_t unlisted_to; /* the end of the last gap for which there was no room */
    uint8_t gap_count;
    uint8_t duplicates;  /* of its acknowledgement in a row */
    uint8_t again_count; /* how often again_start was sent again */
    uint8_t unanswered;  /* transmissions again since the other side was last heard */
    bool seen, has_next, has_ack, missed, syn, fin, kept_alive, probed, unlisted;
} fc_tcp_side;

typedef struct fc_tcp {
    fc_tcp_side sides[2];
    int64_t syn_ns; /* of the initiator's last SYN before the answer */
    int64_t syn_first_ns, syn_last_ns;
    int64_t syn_ack_ns, syn_ack_last_ns;
    int64_t handshake_ns, handshake_ack_ns; /* -1 = not seen */
    int64_t first_round_ns;                 /* SYN to the first ACK; 0 = not known */
    uint64_t reset_frame;
    int64_t reset_ns;
    int64_t rtt_min_ns, rtt_max_ns, rtt_sum_ns;
    uint32_t rtt_count;
    uint16_t syn_count;
    uint8_t reset_file;
    uint8_t reset_side;                           /* FC_SIDE_UNKNOWN = none */
    uint8_t reset_phase;                          /* fc_tcp_phase */
    uint8_t fin_count;                            /* sides that have sent one */
    bool syn_ack, established, has_data, too_big; /* too_big: ICMP said so of what a side sent */
    struct fc_stream *stream; /* weak: in the analyzer's slab; NULL = no parser wants its bytes */
    bool stream_decided;
} fc_tcp;

/* What a segment told at once. */
typedef struct fc_tcp_news {
    int64_t rtt_ns;  /* a round trip of the *other* side's data; -1 = none */
    int64_t turn_ns; /* from the other side's last new data to this answer; -1 = none */
    bool retransmitted, new_data;
    bool finished; /* nothing more is expected of this conversation */
} fc_tcp_news;

void
fc_tcp_init(fc_tcp *tcp);
/* True when this segment cannot belong to the conversation so far: a SYN that begins another connection on
 * the same ports. */
bool
fc_tcp_begins_anew(const fc_tcp *tcp, unsigned side, const fc_packet *packet);
/* True when this segment was seen already, on another interface of the capture (a VLAN and the link below it,
 * a bridge and its port): it brings nothing new, soon after what it repeats. When it does bring something,
 * the side has moved to that interface. */
bool
fc_tcp_is_echo(fc_tcp *tcp, unsigned side, const fc_packet *packet, uint16_t interface, int64_t unix_ns);
/* A segment (has_tcp) of a conversation, sent by `side`. */
void
fc_tcp_segment(fc_conversation *conversation, fc_tcp *tcp, unsigned side, const fc_packet *packet,
               int64_t unix_ns, uint64_t frame, uint8_t file, fc_tcp_news *ret_news);
/* A later fragment of a segment: its bytes follow what was seen, without more to tell. */
void
fc_tcp_fragment(fc_tcp *tcp, unsigned side, uint32_t end);

static inline int32_t
fc_tcp_distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

/* What the end of a conversation makes of it, beside the numbers. */
typedef struct fc_tcp_verdict {
    bool open;        /* too young to be called unanswered */
    bool begun;       /* its handshake was seen, or a part of it */
    bool established; /* all of it */
    fc_side silent;   /* with FC_TCP_HALF_OPEN: who does not answer */
    uint32_t syn_retransmitted;
    uint32_t black_hole_size; /* bytes of the segments that do not get through; 0 = no black hole */
    int64_t local_stall_ns, remote_stall_ns;     /* the longest time that this end's window was closed */
    int64_t local_stalled_ns, remote_stalled_ns; /* since when */
    int64_t local_again_ns, remote_again_ns;     /* when this end first sent data again; 0 = never */
    int64_t silent_ns;                           /* since when */
} fc_tcp_verdict;

#define FC_SILENCE_NS   (3 * 1000000000LL)
#define FC_TCP_STALL_NS (200 * 1000000LL) /* the least that a persist timer waits, Linux's TCP_RTO_MIN */

/* Judges the conversation as at this time; fills the TCP part of *summary (sides, outcome, reset, RTT) but
 * TLS. Changes nothing. */
void
fc_tcp_judge(const fc_conversation *conversation, int64_t unix_ns, fc_conversation_summary *summary,
             fc_tcp_verdict *ret_verdict);

#endif
