#include "common/analysis/tcp.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define FAST_RETRANSMISSION_NS                                                                               \
    (20 * 1000000LL)                    /* how soon after the second duplicate acknowledgement it comes */
#define ECHO_NS       (100 * 1000000LL) /* less than the least retransmission timeout, Linux's TCP_RTO_MIN */
#define REORDERING_NS (3 * 1000000LL)   /* how late a segment may come, while no round trip is known */
#define ANSWER_MAX_NS (3600 * 1000000000LL)

/* One segment on its way through the rules. */
typedef struct segment {
    uint32_t start, end; /* of its data; SYN and FIN take one more */
    uint32_t length;     /* of data */
    uint32_t ack;
    uint16_t window;
    uint8_t flags;
    bool keep_alive, probe;
    int64_t unix_ns;
} segment;

static inline bool
before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

void
fc_tcp_init(fc_tcp *tcp)
{
    tcp->handshake_ns = tcp->handshake_ack_ns = -1;
    tcp->reset_side = FC_SIDE_UNKNOWN;
}

bool
fc_tcp_begins_anew(const fc_tcp *tcp, unsigned side, const fc_packet *packet)
{
    const fc_tcp_side *self = &tcp->sides[side];
    if ((packet->tcp_flags & (FC_TCP_SYN | FC_TCP_ACK | FC_TCP_RST)) != FC_TCP_SYN)
        return false;
    return self->seen && (!self->syn || self->first != packet->sequence);
}

bool
fc_tcp_is_echo(fc_tcp *tcp, unsigned side, const fc_packet *packet, uint16_t interface, int64_t unix_ns)
{
    fc_tcp_side *self = &tcp->sides[side];
    uint32_t end = packet->sequence + packet->payload_bytes + ((packet->tcp_flags & FC_TCP_SYN) != 0) +
                   ((packet->tcp_flags & FC_TCP_FIN) != 0);
    bool acknowledges = (packet->tcp_flags & FC_TCP_ACK) != 0 &&
                        (!self->has_ack || before(self->ack, packet->acknowledgement));
    bool resets = (packet->tcp_flags & FC_TCP_RST) != 0 && tcp->reset_side == FC_SIDE_UNKNOWN;
    if (!self->seen || !self->has_next || before(self->next, end) || acknowledges || resets ||
        unix_ns - self->last_ns >= ECHO_NS) {
        self->interface = interface;
        return false;
    }
    return true;
}

/* ---- what was never seen ---- */

static void
add_gap(fc_tcp_side *self, uint32_t start, uint32_t end)
{
    if (self->gap_count < FC_TCP_GAPS_MAX) {
        self->gaps[self->gap_count++] = (__typeof__(self->gaps[0])){start, end};
    } else { /* not counted as missed: rather too little than a loss that was none */
        self->unlisted = true;
        self->unlisted_to = end;
    }
}

static void
drop_gap(fc_tcp_side *self, unsigned index)
{
    for (unsigned i = index; i + 1 < self->gap_count; i++)
        self->gaps[i] = self->gaps[i + 1];
    self->gap_count--;
}

/* Late data fills what was missing. */
static void
fill_gaps(fc_tcp_side *self, uint32_t start, uint32_t end)
{
    for (unsigned i = 0; i < self->gap_count;) {
        __typeof__(self->gaps[0]) *gap = &self->gaps[i];
        if (!before(gap->start, end) || !before(start, gap->end)) {
            i++;
        } else if (!before(gap->start, start) && !before(end, gap->end)) {
            drop_gap(self, i);
        } else if (!before(gap->start, start)) {
            gap->start = end;
            i++;
        } else {
            gap->end =
                start; /* what is behind `end` counts as seen when it splits a gap and there is no room */
            i++;
        }
    }
}

/* The other side has these bytes, and we have not: the capture missed them. */
static void
acknowledge_unseen(fc_tcp_side *other, uint32_t ack)
{
    while (other->gap_count > 0 && before(other->gaps[0].start, ack)) {
        uint32_t end = before(ack, other->gaps[0].end) ? ack : other->gaps[0].end;
        other->unseen_bytes += end - other->gaps[0].start;
        other->gaps[0].start = end;
        if (end == ack && before(end, other->gaps[0].end))
            return;
        drop_gap(other, 0);
    }
    uint32_t known = other->missed && before(other->next, other->missed_to) ? other->missed_to : other->next;
    int32_t beyond = fc_tcp_distance(known, ack);
    if (beyond <= 0 || beyond > FC_TCP_WINDOW_MAX)
        return;
    if (!other->fin || beyond > 1)
        other->unseen_bytes += (uint32_t)beyond;
    other->missed = true;
    other->missed_to = ack;
}

/* Data that comes behind its own acknowledgement (two rings, two queues) was seen after all. */
static void
see_after_all(fc_tcp_side *self, const segment *s)
{
    uint32_t start = before(s->start, self->next) ? self->next : s->start;
    uint32_t end = before(s->end, self->missed_to) ? s->end : self->missed_to;
    if (before(start, end)) {
        uint32_t bytes = end - start;
        self->unseen_bytes -= bytes < self->unseen_bytes ? bytes : self->unseen_bytes;
    }
    if (!before(s->end, self->missed_to))
        self->missed = false;
}

/* ---- the rules ---- */

/* An acknowledgement that says nothing new, without data. */
static inline bool
repeats(const fc_tcp_side *self, const segment *s)
{
    return s->length == 0 && s->window == self->window && self->has_next && s->start == self->next &&
           self->has_ack && s->ack == self->ack && (s->flags & (FC_TCP_SYN | FC_TCP_FIN | FC_TCP_RST)) == 0;
}

static void
look_at_window(fc_tcp_side *self, const fc_tcp_side *other, const segment *s)
{
    if (UNLIKELY(s->window == 0)) {
        self->zero_window++;
        if (self->zero_ns == 0)
            self->zero_ns = s->unix_ns;
    } else if (UNLIKELY(self->zero_ns != 0)) {
        if (s->unix_ns - self->zero_ns > self->stall_ns)
            self->stalled_ns = self->zero_ns, self->stall_ns = s->unix_ns - self->zero_ns;
        self->zero_ns = 0;
    }
    if (s->window != 0 && repeats(self, s) && !other->kept_alive) {
        self->duplicate_acks++;
        if (self->duplicates < UINT8_MAX)
            self->duplicates++;
    }
}

/* All of it was seen before. */
static bool
is_seen(const fc_tcp_side *self, const segment *s)
{
    if (before(s->start, self->first) || (self->unlisted && before(s->start, self->unlisted_to)))
        return false;
    for (unsigned i = 0; i < self->gap_count; i++)
        if (before(self->gaps[i].start, s->end) && before(s->start, self->gaps[i].end))
            return false;
    return true;
}

typedef enum verdict { NEW, OUT_OF_ORDER, AGAIN } verdict;

/* A segment that brings nothing beyond what was seen: late, or sent again? */
static verdict
classify(const fc_tcp *tcp, const fc_tcp_side *self, const fc_tcp_side *other, const segment *s)
{
    if (!self->has_next || s->keep_alive)
        return NEW;
    if (s->length > 0 && other->has_ack && other->ack != 0 && !before(other->ack, s->start + s->length))
        return AGAIN; /* the other side has it already */
    if (!before(s->start, self->next) || (s->length > 1 && self->next - 1 == s->start))
        return NEW;
    if (other->duplicates >= 2 && other->ack == s->start &&
        s->unix_ns - other->ack_ns < FAST_RETRANSMISSION_NS)
        return AGAIN;
    int64_t late_ns = tcp->first_round_ns != 0 ? tcp->first_round_ns : REORDERING_NS;
    if (s->unix_ns - self->next_ns < late_ns && self->next != s->end && !is_seen(self, s))
        return OUT_OF_ORDER;
    return AGAIN;
}

static void
count_again(fc_tcp_side *self, const segment *s, uint32_t size)
{
    self->retransmitted++;
    if (self->first_again_ns == 0 && (s->flags & FC_TCP_SYN) == 0)
        self->first_again_ns = s->unix_ns;
    self->retransmitted_bytes += s->length;
    if (self->again_count > 0 && self->again_start == s->start) {
        if (self->again_count < UINT8_MAX)
            self->again_count++;
    } else {
        self->again_start = s->start;
        self->again_count = 1;
    }
    self->again_size = size;
    if (self->unanswered == 0)
        self->again_ns = s->unix_ns;
    if (self->unanswered < UINT8_MAX)
        self->unanswered++;
    /* Karn: an acknowledgement could now be of either transmission. */
    if (self->sample_ns != 0 && before(s->start, self->sample_end))
        self->sample_ns = 0;
}

/* The other side's acknowledgement ends what waited for it. */
static void
take_ack(fc_tcp *tcp, fc_tcp_side *other, const segment *s, fc_tcp_news *news)
{
    if (other->sample_ns != 0 && !before(s->ack, other->sample_end)) {
        int64_t rtt = s->unix_ns - other->sample_ns;
        other->sample_ns = 0;
        if (other->sample_size > other->acked_size)
            other->acked_size = other->sample_size;
        if (rtt >= 0 && rtt < ANSWER_MAX_NS && tcp->rtt_sum_ns < INT64_MAX - ANSWER_MAX_NS) {
            news->rtt_ns = rtt;
            tcp->rtt_min_ns = tcp->rtt_count == 0 || rtt < tcp->rtt_min_ns ? rtt : tcp->rtt_min_ns;
            tcp->rtt_max_ns = rtt > tcp->rtt_max_ns ? rtt : tcp->rtt_max_ns;
            tcp->rtt_sum_ns += rtt;
            tcp->rtt_count++;
        }
    }
    if (UNLIKELY(other->unlisted) && !before(s->ack, other->unlisted_to))
        other->unlisted = false;
    if (UNLIKELY(other->again_count > 0) && before(other->again_start, s->ack)) {
        if (!before(s->ack, other->again_start + other->again_size) && other->again_size > other->acked_size)
            other->acked_size = other->again_size;
        other->again_count = 0;
    }
    if (UNLIKELY(other->gap_count > 0 || before(other->next, s->ack)) && other->has_next)
        acknowledge_unseen(other, s->ack);
}

/* Size of a segment on the wire: what the offload will cut a super-segment into. */
static uint32_t
wire_size(uint32_t length, const fc_tcp_side *receiver)
{
    return receiver->mss != 0 && length > receiver->mss ? receiver->mss : length;
}

static void
advance(fc_tcp_side *self, const fc_tcp_side *other, const segment *s)
{
    if (self->has_next && before(self->next, s->start) && (s->flags & FC_TCP_RST) == 0)
        add_gap(self, self->next, s->start);
    if (UNLIKELY(self->missed))
        see_after_all(self, s);
    if (self->sample_ns == 0 && s->length > 0) {
        self->sample_ns = s->unix_ns;
        self->sample_end = s->end;
        self->sample_size = wire_size(s->length, other);
    }
    self->next = s->end;
    self->next_ns = s->unix_ns;
    self->has_next = true;
}

/* Sequence space that the segment takes: late, again, or new. */
static void
look_at_sequence(fc_tcp *tcp, fc_tcp_side *self, const fc_tcp_side *other, const segment *s,
                 fc_tcp_news *news)
{
    bool takes = s->length > 0 || (s->flags & (FC_TCP_SYN | FC_TCP_FIN)) != 0;
    if (takes) {
        verdict is = classify(tcp, self, other, s);
        if (UNLIKELY(is == AGAIN)) {
            count_again(self, s, wire_size(s->length, other));
            news->retransmitted = true;
        } else if (UNLIKELY(is == OUT_OF_ORDER)) {
            self->out_of_order++;
        }
        if (UNLIKELY(self->gap_count > 0))
            fill_gaps(self, s->start, s->end);
    }
    if (s->length > 0) {
        self->data_packets++;
        self->data_bytes += s->length;
    }
    if (!self->has_next || before(self->next, s->end)) {
        if (!s->probe && (s->flags & FC_TCP_RST) == 0) {
            news->new_data = s->length > 0;
            advance(self, other, s);
        }
    }
}

/* ---- life of the connection ---- */

static void
look_at_syn(fc_conversation *conversation, fc_tcp *tcp, unsigned side, const fc_packet *packet,
            int64_t unix_ns)
{
    fc_tcp_side *self = &tcp->sides[side];
    fc_tcp_options options;
    fc_packet_tcp_options(packet, &options);
    self->mss = options.mss;
    self->syn = true;
    if ((packet->tcp_flags & FC_TCP_ACK) == 0) {
        if (tcp->syn_count == 0) {
            conversation->initiator = side & 1u;
            tcp->syn_first_ns = unix_ns;
        }
        if (conversation->initiator == side) {
            if (tcp->syn_count < UINT16_MAX)
                tcp->syn_count++;
            if (!tcp->syn_ack)
                tcp->syn_ns = unix_ns;
            tcp->syn_last_ns = unix_ns;
        }
        return;
    }
    if (conversation->initiator == FC_SIDE_UNKNOWN)
        conversation->initiator = (uint8_t)(1 - side);
    tcp->syn_ack_last_ns = unix_ns;
    if (!tcp->syn_ack) {
        tcp->syn_ack = true;
        tcp->syn_ack_ns = unix_ns;
        if (tcp->syn_ns != 0 && unix_ns >= tcp->syn_ns)
            tcp->handshake_ns = unix_ns - tcp->syn_ns;
    }
}

static void
look_at_ack(const fc_conversation *conversation, fc_tcp *tcp, unsigned side, int64_t unix_ns)
{
    if (tcp->first_round_ns == 0 && tcp->syn_last_ns != 0 && unix_ns > tcp->syn_last_ns)
        tcp->first_round_ns = unix_ns - tcp->syn_last_ns;
    if (tcp->established || !tcp->syn_ack || conversation->initiator != side)
        return;
    tcp->established = true;
    if (unix_ns >= tcp->syn_ack_last_ns)
        tcp->handshake_ack_ns = unix_ns - tcp->syn_ack_last_ns;
}

static fc_tcp_phase
phase(const fc_tcp *tcp, const fc_conversation *conversation)
{
    if (tcp->fin_count > 0)
        return FC_PHASE_CLOSING;
    if (conversation->initiator != FC_SIDE_UNKNOWN && !tcp->established)
        return FC_PHASE_HANDSHAKE;
    return tcp->has_data ? FC_PHASE_DATA : FC_PHASE_IDLE;
}

static void
look_at_end(const fc_conversation *conversation, fc_tcp *tcp, unsigned side, const fc_packet *packet,
            int64_t unix_ns, uint64_t frame, uint8_t file)
{
    fc_tcp_side *self = &tcp->sides[side];
    if ((packet->tcp_flags & FC_TCP_FIN) != 0 && !self->fin) {
        self->fin = true;
        tcp->fin_count++;
    }
    if ((packet->tcp_flags & FC_TCP_RST) != 0 && tcp->reset_side == FC_SIDE_UNKNOWN) {
        tcp->reset_side = side & 1u;
        tcp->reset_phase = (uint8_t)phase(tcp, conversation);
        tcp->reset_frame = frame;
        tcp->reset_file = file;
        tcp->reset_ns = unix_ns;
    }
}

/* Who waits for whom: from the last new data of one side to the first of the other. */
static void
look_at_turn(fc_conversation *conversation, unsigned side, int64_t unix_ns, fc_tcp_news *news)
{
    if (conversation->turn_side == 1 - side) {
        int64_t took = unix_ns - conversation->turn_ns;
        if (took >= 0 && took < ANSWER_MAX_NS)
            news->turn_ns = took;
    }
    conversation->turn_side = side & 1u;
    conversation->turn_ns = unix_ns;
}

void
fc_tcp_segment(fc_conversation *conversation, fc_tcp *tcp, unsigned side, const fc_packet *packet,
               int64_t unix_ns, uint64_t frame, uint8_t file, fc_tcp_news *ret_news)
{
    fc_tcp_side *self = &tcp->sides[side], *other = &tcp->sides[1 - side];
    const uint8_t flags = packet->tcp_flags;
    segment s = {
        .start = packet->sequence,
        .length = packet->payload_bytes,
        .ack = packet->acknowledgement,
        .window = packet->window,
        .flags = flags,
        .unix_ns = unix_ns,
    };
    s.end = s.start + s.length + ((flags & FC_TCP_SYN) != 0) + ((flags & FC_TCP_FIN) != 0);
    *ret_news = (fc_tcp_news){.rtt_ns = -1, .turn_ns = -1};
    if (UNLIKELY(!self->seen)) {
        self->seen = true;
        self->first = s.start;
    }
    if (UNLIKELY((flags & FC_TCP_SYN) != 0))
        look_at_syn(conversation, tcp, side, packet, unix_ns);
    else if (LIKELY((flags & FC_TCP_ACK) != 0) && UNLIKELY(!tcp->established || tcp->first_round_ns == 0) &&
             (flags & FC_TCP_RST) == 0)
        look_at_ack(conversation, tcp, side, unix_ns);
    bool plain = (flags & (FC_TCP_SYN | FC_TCP_FIN | FC_TCP_RST)) == 0;
    s.probe = s.length == 1 && self->has_next && s.start == self->next && other->seen && other->window == 0;
    s.keep_alive = plain && s.length <= 1 && self->has_next && s.start == self->next - 1;
    if (plain && !s.probe)
        look_at_window(self, other, &s);
    if (s.ack != self->ack || !self->has_ack)
        self->duplicates = 0;
    if (LIKELY((flags & FC_TCP_ACK) != 0) && other->seen)
        take_ack(tcp, other, &s, ret_news);
    other->unanswered = 0;
    look_at_sequence(tcp, self, other, &s, ret_news);
    if (ret_news->new_data) {
        tcp->has_data = true;
        look_at_turn(conversation, side, unix_ns, ret_news);
    }
    self->window = s.window;
    self->kept_alive = s.keep_alive;
    self->probed = s.probe;
    self->last_ns = unix_ns;
    if ((flags & FC_TCP_ACK) != 0) {
        self->ack = s.ack;
        self->ack_ns = unix_ns;
        self->has_ack = true;
    }
    if (UNLIKELY((flags & (FC_TCP_FIN | FC_TCP_RST)) != 0)) {
        look_at_end(conversation, tcp, side, packet, unix_ns, frame, file);
        ret_news->finished = tcp->fin_count == 2 || tcp->reset_side != FC_SIDE_UNKNOWN;
    }
}

void
fc_tcp_fragment(fc_tcp *tcp, unsigned side, uint32_t end)
{
    fc_tcp_side *self = &tcp->sides[side];
    int32_t more = fc_tcp_distance(self->next, end);
    if (self->has_next && more > 0 && more < 1 << 16)
        self->next = end;
}
