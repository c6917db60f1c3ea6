/* What the end of a TCP conversation, or of the capture, makes of it. */
#include "common/analysis/tcp.h"

enum {
    HALF_OPEN_TIMES = 3,  /* sent again into silence */
    BLACK_HOLE_TIMES = 2, /* a large segment sent again */
    LARGE_SEGMENT =
        500, /* no path is narrower than 576 bytes (RFC 791: what every host takes), headers off */
};

static bool
is_half_open(const fc_tcp *tcp, unsigned side, int64_t unix_ns)
{
    const fc_tcp_side *self = &tcp->sides[side], *other = &tcp->sides[1 - side];
    return tcp->reset_side == FC_SIDE_UNKNOWN && other->seen && self->unanswered >= HALF_OPEN_TIMES &&
           unix_ns - other->last_ns >= FC_SILENCE_NS;
}

/* Only what is large is lost: smaller ones came through, the SYN at least. */
static bool
is_black_hole(const fc_tcp *tcp, unsigned side)
{
    const fc_tcp_side *self = &tcp->sides[side], *other = &tcp->sides[1 - side];
    if (!tcp->established || tcp->reset_side != FC_SIDE_UNKNOWN || !other->seen ||
        self->again_count < BLACK_HOLE_TIMES || self->again_size < LARGE_SEGMENT)
        return false;
    return self->acked_size < self->again_size || tcp->too_big;
}

static void
flow(const fc_conversation *conversation, const fc_tcp *tcp, unsigned side, fc_flow_counts *ret_counts)
{
    const fc_tcp_side *self = &tcp->sides[side];
    *ret_counts = (fc_flow_counts){
        .packets = conversation->packets[side],
        .bytes = conversation->bytes[side],
        .data_packets = self->data_packets,
        .data_bytes = self->data_bytes,
        .retransmitted = self->retransmitted,
        .retransmitted_bytes = self->retransmitted_bytes,
        .out_of_order = self->out_of_order,
        .zero_window = self->zero_window,
        .duplicate_acks = self->duplicate_acks,
        .unseen_bytes = self->unseen_bytes,
    };
}

static fc_side
side_name(const fc_conversation *conversation, unsigned side)
{
    return side == FC_SIDE_UNKNOWN            ? FC_SIDE_NONE
           : side == conversation->local_side ? FC_SIDE_LOCAL
                                              : FC_SIDE_REMOTE;
}

static fc_tcp_outcome
outcome(const fc_conversation *conversation, const fc_tcp *tcp, bool half_open)
{
    bool from_start = tcp->syn_count > 0 || tcp->syn_ack;
    if (tcp->reset_side != FC_SIDE_UNKNOWN) {
        if (tcp->syn_count > 0 && !tcp->syn_ack && tcp->reset_side != conversation->initiator)
            return FC_TCP_REFUSED;
        return tcp->fin_count == 2 ? FC_TCP_CLOSED : FC_TCP_RESET;
    }
    if (tcp->fin_count == 2)
        return FC_TCP_CLOSED;
    if (from_start && !tcp->established)
        return tcp->syn_ack ? FC_TCP_HANDSHAKE : FC_TCP_NO_ANSWER;
    if (half_open)
        return FC_TCP_HALF_OPEN;
    if (tcp->fin_count == 1)
        return FC_TCP_HALF_CLOSED;
    return from_start ? FC_TCP_ESTABLISHED : FC_TCP_UNKNOWN;
}

/* How long a side kept its window closed, and since when. What is closed to the end is a stall only while
 * somebody waits. */
static int64_t
stall(const fc_tcp *tcp, unsigned side, int64_t unix_ns, int64_t *ret_since_ns)
{
    const fc_tcp_side *self = &tcp->sides[side];
    bool waits = self->zero_ns != 0 && tcp->reset_side == FC_SIDE_UNKNOWN && tcp->fin_count < 2;
    bool still = waits && unix_ns - self->zero_ns > self->stall_ns;
    *ret_since_ns = still ? self->zero_ns : self->stalled_ns;
    return still ? unix_ns - self->zero_ns : self->stall_ns;
}

static void
numbers(const fc_tcp *tcp, fc_conversation_summary *summary)
{
    summary->syn_count = tcp->syn_count;
    summary->handshake_ns = tcp->handshake_ns;
    summary->handshake_ack_ns = tcp->handshake_ack_ns;
    summary->reset_phase = (fc_tcp_phase)tcp->reset_phase;
    summary->reset_frame = tcp->reset_frame;
    summary->rtt_count = tcp->rtt_count;
    summary->rtt_min_ns = tcp->rtt_min_ns;
    summary->rtt_max_ns = tcp->rtt_max_ns;
    summary->rtt_sum_ns = tcp->rtt_sum_ns;
}

void
fc_tcp_judge(const fc_conversation *conversation, int64_t unix_ns, fc_conversation_summary *summary,
             fc_tcp_verdict *ret_verdict)
{
    const fc_tcp *tcp = conversation->tcp;
    const unsigned local = conversation->local_side, remote = 1u - local;
    *ret_verdict = (fc_tcp_verdict){
        .begun = tcp->syn_count > 0 || tcp->syn_ack,
        .established = tcp->established,
        .syn_retransmitted = tcp->syn_count > 1 ? tcp->syn_count - 1u : 0,
        .local_again_ns = tcp->sides[local].first_again_ns,
        .remote_again_ns = tcp->sides[remote].first_again_ns,
    };
    ret_verdict->local_stall_ns = stall(tcp, local, unix_ns, &ret_verdict->local_stalled_ns);
    ret_verdict->remote_stall_ns = stall(tcp, remote, unix_ns, &ret_verdict->remote_stalled_ns);
    flow(conversation, tcp, remote, &summary->in);
    flow(conversation, tcp, local, &summary->out);
    numbers(tcp, summary);
    for (unsigned side = 0; side < 2; side++) {
        if (is_half_open(tcp, side, unix_ns)) {
            ret_verdict->silent = side_name(conversation, 1 - side);
            ret_verdict->silent_ns = tcp->sides[side].again_ns;
        }
    }
    summary->outcome = outcome(conversation, tcp, ret_verdict->silent != FC_SIDE_NONE);
    summary->reset_by = side_name(conversation, tcp->reset_side);
    ret_verdict->open = summary->outcome == FC_TCP_NO_ANSWER && unix_ns - tcp->syn_first_ns < FC_SILENCE_NS;
    for (unsigned side = 0; side < 2; side++)
        if (is_black_hole(tcp, side) && (side == local || !conversation->oriented))
            ret_verdict->black_hole_size = tcp->sides[side].again_size;
    summary->black_hole = ret_verdict->black_hole_size != 0;
}
