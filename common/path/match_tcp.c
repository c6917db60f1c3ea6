/* match.h: TCP, by the bytes of the sequence space.
 *
 * Every border of a segment, at either end, cuts the space; between two cuts all bytes share their fate: the
 * list of the sender's segments that carried them, and the list of the receiver's. */
#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/hash.h"
#include "common/path/match.h"
#include "common/path/sequence.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECES_PER_PACKET = 16, /* on average over a flow; a super-segment has 45, and few like it */
    PIECES_FREE = 4096,
    TIMESTAMP_SAMPLES = 64,
};

/* For each interval, which segments of one end span it, in order of time. */
typedef struct lists {
    uint32_t *first;    /* owned; of interval i: members[first[i]] to members[first[i + 1]] */
    uint32_t *segments; /* owned; indices of segments */
    uint32_t *packets;  /* owned; their packets */
} lists;

typedef struct tcp_flow {
    fc_path_match *match;
    fc_path_segments sent, arrived;
    int64_t *cuts; /* owned */
    size_t cut_count;
    lists sent_lists, arrived_lists;
    fc_path_acks acks[2]; /* of the receiver, as the sender's end and as its own end show them */
    bool timestamps;      /* come through unchanged */
} tcp_flow;

static int
compare_cuts(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static void
make_cuts(tcp_flow *flow)
{
    const fc_path_segments *both[2] = {&flow->sent, &flow->arrived};
    size_t count = 0, kept = 0;
    flow->cuts = fc_alloc_array(2 * (flow->sent.count + flow->arrived.count) + 1, sizeof *flow->cuts);
    for (int end = 0; end < 2; end++)
        for (size_t i = 0; i < both[end]->count; i++) {
            flow->cuts[count++] = both[end]->items[i].start;
            flow->cuts[count++] = both[end]->items[i].end;
        }
    qsort(flow->cuts, count, sizeof *flow->cuts, compare_cuts);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || flow->cuts[kept - 1] != flow->cuts[i])
            flow->cuts[kept++] = flow->cuts[i];
    flow->cut_count = kept;
}

static uint32_t
cut_at(const tcp_flow *flow, int64_t position)
{
    const int64_t *found = bsearch(&position, flow->cuts, flow->cut_count, sizeof position, compare_cuts);
    return (uint32_t)(found - flow->cuts);
}

/* Which intervals each segment spans. False when that is too many pieces to go through. */
static bool
place(const tcp_flow *flow, fc_path_segments *segments, uint64_t *pieces)
{
    uint64_t limit = PIECES_FREE + (uint64_t)PIECES_PER_PACKET * (flow->sent.count + flow->arrived.count);
    for (size_t i = 0; i < segments->count; i++) {
        fc_path_segment *segment = &segments->items[i];
        segment->first_cut = cut_at(flow, segment->start);
        segment->cuts = cut_at(flow, segment->end) - segment->first_cut;
        *pieces += segment->cuts;
    }
    return *pieces <= limit;
}

static void
make_lists(const tcp_flow *flow, const fc_path_segments *segments, lists *ret)
{
    uint32_t *next = fc_alloc_array(flow->cut_count + 2, sizeof *next);
    for (size_t i = 0; i < segments->count; i++)
        for (uint32_t j = 0; j < segments->items[i].cuts; j++)
            next[segments->items[i].first_cut + j + 2]++;
    for (size_t i = 2; i < flow->cut_count + 2; i++)
        next[i] += next[i - 1];
    uint32_t total = next[flow->cut_count + 1];
    ret->segments = fc_alloc_array(total + 1, sizeof *ret->segments);
    ret->packets = fc_alloc_array(total + 1, sizeof *ret->packets);
    for (size_t i = 0; i < segments->count; i++)
        for (uint32_t j = 0; j < segments->items[i].cuts; j++) {
            uint32_t at = next[segments->items[i].first_cut + j + 1]++;
            ret->segments[at] = (uint32_t)i;
            ret->packets[at] = segments->items[i].packet;
        }
    ret->first = next; /* each entry has moved to the end of its list: to the beginning of the next one */
}

static void
lists_fini(lists *l)
{
    free(l->first);
    free(l->segments);
    free(l->packets);
}

/* ---- payload ---- */

static bool
is_within(const fc_path_segment *inner, const fc_path_segment *outer)
{
    return inner->start >= outer->start && inner->end <= outer->end;
}

static bool
is_whole(const fc_path_packet *packet)
{
    return packet->captured == packet->length;
}

/* Both are there in full, or cut at the same byte. */
static bool
can_compare(const fc_path_segment *a, const fc_path_packet *a_packet, const fc_path_segment *b,
            const fc_path_packet *b_packet)
{
    if (is_whole(a_packet) && is_whole(b_packet))
        return true;
    return a->start == b->start && a->end == b->end && a_packet->captured == b_packet->captured &&
           a_packet->captured > 0;
}

/* The interval is the first of a segment that lies within the one at the other end: it adds to what that one
 * is compared with. */
static void
add_up(tcp_flow *flow, fc_path_segment *sent, fc_path_segment *arrived, uint32_t cut)
{
    const fc_path_packet *s = &flow->match->sender->packets[sent->packet];
    const fc_path_packet *r = &flow->match->receiver->packets[arrived->packet];
    if (!can_compare(sent, s, arrived, r))
        return;
    if (arrived->first_cut == cut && is_within(arrived, sent)) {
        sent->sum += r->length > 0 ? r->hash : 0;
        sent->summed += r->length;
    }
    if (sent->first_cut == cut && is_within(sent, arrived)) {
        arrived->sum += s->length > 0 ? s->hash : 0;
        arrived->summed += s->length;
    }
}

static void
compare_payload(const fc_path_capture *capture, fc_path_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        fc_path_segment *segment = &segments->items[i];
        const fc_path_packet *packet = &capture->packets[segment->packet];
        segment->comparable =
            packet->length > 0 && segment->matched == segment->cuts && segment->summed == packet->length;
        segment->altered = segment->comparable && segment->sum != packet->hash;
    }
}

/* ---- the intervals ---- */

static void
note_missing(tcp_flow *flow, fc_path_segment *segment, uint32_t cut, size_t arrived_count)
{
    int64_t start = flow->cuts[cut], end = flow->cuts[cut + 1];
    const fc_path_packet *packet = &flow->match->sender->packets[segment->packet];
    int64_t earliest, latest;
    bool first = segment->missing_bytes == 0 && segment->marks == 0;
    uint8_t marks = 0;
    if (arrived_count == 0 &&
        (fc_path_acks_cover(&flow->acks[0], end) || fc_path_acks_cover(&flow->acks[1], end)))
        marks |= FC_PATH_MISSING_ACKNOWLEDGED;
    if (fc_path_clocks_expect(flow->match->clocks, flow->match->way, packet->unix_ns, &earliest, &latest) &&
        fc_path_acks_latest(&flow->acks[1], start) > latest + FC_PATH_LATE_NS)
        marks |= FC_PATH_MISSING_PROVEN;
    /* Proven by any of its bytes; acknowledged only when all that is missing is. */
    uint8_t proven = (segment->marks | marks) & FC_PATH_MISSING_PROVEN;
    segment->marks = (uint8_t)((first ? marks : segment->marks & marks) | proven);
    int64_t payload_start = segment->start + ((packet->tcp_flags & FC_TCP_SYN) != 0),
            payload_end = payload_start + packet->length;
    start = start < payload_start ? payload_start : start;
    end = end > payload_end ? payload_end : end;
    segment->missing_bytes += end > start ? (uint32_t)(end - start) : 0;
}

static void
judge_interval(tcp_flow *flow, uint32_t cut, uint32_t *partner)
{
    const lists *s = &flow->sent_lists, *r = &flow->arrived_lists;
    size_t sent_count = s->first[cut + 1] - s->first[cut], arrived_count = r->first[cut + 1] - r->first[cut];
    const uint32_t *sent = s->segments + s->first[cut], *arrived = r->segments + r->first[cut];
    bool certain = sent_count == 1 && arrived_count == 1;
    if (sent_count == 0 || (flow->match->learning && !certain))
        return;
    fc_path_match_copies(flow->match, s->packets + s->first[cut], sent_count, r->packets + r->first[cut],
                         arrived_count, flow->timestamps, partner);
    for (size_t i = 0; i < sent_count; i++) {
        fc_path_segment *segment = &flow->sent.items[sent[i]];
        if (partner[i] == FC_PATH_NONE) {
            if (!flow->match->learning)
                note_missing(flow, segment, cut, arrived_count);
            continue;
        }
        fc_path_segment *other = &flow->arrived.items[arrived[partner[i]]];
        segment->matched++;
        other->matched++;
        if (other->origin == FC_PATH_NONE)
            other->origin = sent[i];
        add_up(flow, segment, other, cut);
        /* Where both begin: what was joined later may have been stamped with the time of its first part. */
        if (certain && segment->start == other->start && segment->first_cut == cut)
            fc_path_match_certain(flow->match, &flow->match->sender->packets[segment->packet],
                                  &flow->match->receiver->packets[other->packet]);
    }
}

static void
judge_intervals(tcp_flow *flow)
{
    size_t most = 0;
    for (size_t i = 0; i + 1 < flow->cut_count; i++) {
        size_t count = flow->sent_lists.first[i + 1] - flow->sent_lists.first[i];
        most = count > most ? count : most;
    }
    uint32_t *partner = fc_alloc_array(most + 1, sizeof *partner);
    for (size_t i = 0; i + 1 < flow->cut_count; i++)
        judge_interval(flow, (uint32_t)i, partner);
    free(partner);
}

/* ---- the segments ---- */

static void
count_sent(tcp_flow *flow)
{
    fc_path_match *match = flow->match;
    for (size_t i = 0; i < flow->sent.count; i++) {
        const fc_path_segment *segment = &flow->sent.items[i];
        if (segment->matched < segment->cuts) {
            fc_path_match_missing(match, segment->packet, segment->missing_bytes, segment->marks);
            continue;
        }
        fc_path_match_arrived(match, &match->sender->packets[segment->packet]);
        match->flow->compared += segment->comparable;
        match->flow->altered += segment->altered;
    }
}

static void
count_arrived(tcp_flow *flow)
{
    fc_path_match *match = flow->match;
    int64_t latest_sent = 0;
    for (size_t i = 0; i < flow->arrived.count; i++) {
        const fc_path_segment *segment = &flow->arrived.items[i];
        if (segment->origin == FC_PATH_NONE) {
            match->flow->unknown_origin +=
                fc_path_match_sender_covers(match, match->receiver->packets[segment->packet].unix_ns);
            continue;
        }
        fc_path_segment *origin = &flow->sent.items[segment->origin];
        /* Of several segments that were joined, any may be the one that changed: the first one stands for
         * them. */
        if (!origin->comparable && segment->comparable && origin->matched == origin->cuts) {
            match->flow->compared++;
            match->flow->altered += segment->altered;
        }
        int64_t sent_ns = match->sender->packets[origin->packet].unix_ns;
        match->flow->reordered += sent_ns < latest_sent;
        latest_sent = sent_ns > latest_sent ? sent_ns : latest_sent;
    }
}

/* Do timestamps come through? By the first segments that begin alike at both ends. */
static bool
timestamps_hold(const fc_path_match *match, const fc_path_segments *sent, const fc_path_segments *arrived)
{
    unsigned same = 0, other = 0;
    for (size_t i = 0, j = 0; i < sent->count && j < arrived->count && same + other < TIMESTAMP_SAMPLES;) {
        if (sent->items[i].start == arrived->items[j].start) {
            const fc_path_packet *s = &match->sender->packets[sent->items[i++].packet];
            const fc_path_packet *r = &match->receiver->packets[arrived->items[j++].packet];
            if ((s->marks & r->marks & FC_PATH_HAS_TIMESTAMP) != 0)
                s->key == r->key ? same++ : other++;
        } else if (sent->items[i].start < arrived->items[j].start) {
            i++;
        } else {
            j++;
        }
    }
    return same > other;
}

/* ---- without bytes ---- */

static size_t
list_bare(const fc_path_capture *capture, const fc_path_stream *stream, uint8_t skip, fc_path_keyed *list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < stream->count; i++) {
        uint32_t index = capture->order[stream->first + i];
        const fc_path_packet *packet = &capture->packets[index];
        if ((packet->marks & skip) != 0 || packet->length > 0 ||
            (packet->tcp_flags & (FC_TCP_SYN | FC_TCP_FIN)) != 0)
            continue;
        uint64_t key = fc_path_mix(fc_path_mix(packet->hash, packet->sequence), packet->acknowledgement);
        list[count++] = (fc_path_keyed){fc_path_mix(fc_path_mix(key, packet->key), packet->tcp_flags), index};
    }
    return count;
}

static void
match_bare(fc_path_match *match, const fc_path_stream *sent, const fc_path_stream *arrived)
{
    fc_path_keyed *bare[2] = {fc_alloc_array(sent->count + 1, sizeof(fc_path_keyed)),
                              fc_alloc_array(arrived->count + 1, sizeof(fc_path_keyed))};
    size_t sent_count = list_bare(match->sender, sent, FC_PATH_REPEATED | FC_PATH_ASIDE, bare[0]);
    size_t arrived_count = list_bare(match->receiver, arrived, FC_PATH_REPEATED, bare[1]);
    fc_path_match_keyed(match, bare[0], sent_count, bare[1], arrived_count, true);
    free(bare[0]);
    free(bare[1]);
}

static void
judge_flow(tcp_flow *flow)
{
    make_lists(flow, &flow->sent, &flow->sent_lists);
    make_lists(flow, &flow->arrived, &flow->arrived_lists);
    judge_intervals(flow);
    if (!flow->match->learning) {
        compare_payload(flow->match->sender, &flow->sent);
        compare_payload(flow->match->receiver, &flow->arrived);
        count_sent(flow);
        count_arrived(flow);
    }
    lists_fini(&flow->sent_lists);
    lists_fini(&flow->arrived_lists);
}

void
fc_path_match_tcp(fc_path_match *match, const fc_path_stream *sent, const fc_path_stream *arrived)
{
    tcp_flow flow = {.match = match};
    uint64_t pieces = 0;
    flow.sent = fc_path_segments_of(match->sender, sent, FC_PATH_REPEATED | FC_PATH_ASIDE, NULL, NULL);
    flow.arrived = fc_path_segments_of(match->receiver, arrived, FC_PATH_REPEATED, match->sender, &flow.sent);
    flow.timestamps = timestamps_hold(match, &flow.sent, &flow.arrived);
    if (!match->learning && sent->reverse != FC_PATH_NONE)
        flow.acks[0] = fc_path_acks_of(match->sender, &match->sender->streams[sent->reverse], &flow.sent);
    if (!match->learning && arrived->reverse != FC_PATH_NONE)
        flow.acks[1] =
            fc_path_acks_of(match->receiver, &match->receiver->streams[arrived->reverse], &flow.arrived);
    make_cuts(&flow);
    if (place(&flow, &flow.sent, &pieces) && place(&flow, &flow.arrived, &pieces))
        judge_flow(&flow);
    else if (!match->learning)
        match->flow->not_examined += flow.sent.count;
    match_bare(match, sent, arrived);
    free(flow.sent.items);
    free(flow.arrived.items);
    free(flow.acks[0].items);
    free(flow.acks[1].items);
    free(flow.cuts);
}
