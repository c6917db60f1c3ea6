#include "common/path/match.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/hash.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Of copies that could have arrived, so many of the latest are looked at. */
enum { COPIES_LOOKED_AT = 32 };
/* A packet may arrive this much earlier than the hull says: the hull keeps one packet of a stretch of time.
 */
#define EARLY_NS INT64_C(100000)

void
fc_path_match_fini(fc_path_match *match)
{
    free(match->missing);
    free(match->delays);
    *match = (fc_path_match){0};
}

uint8_t
fc_path_class_of(const fc_path_packet *packet, bool tcp)
{
    if ((packet->marks & FC_PATH_JOINED) != 0)
        return FC_PATH_CLASS_JOINED;
    if (!tcp || packet->length > 0)
        return FC_PATH_CLASS_DATA;
    if ((packet->tcp_flags & FC_TCP_SYN) != 0)
        return FC_PATH_CLASS_SYN;
    return (packet->tcp_flags & (FC_TCP_FIN | FC_TCP_RST)) != 0 ? FC_PATH_CLASS_END : FC_PATH_CLASS_BARE;
}

void
fc_path_match_arrived(fc_path_match *match, const fc_path_packet *sent)
{
    match->flow->arrived++;
    match->arrived_by_class[fc_path_class_of(sent, match->flow->is_tcp)]++;
}

void
fc_path_match_missing(fc_path_match *match, uint32_t packet, uint32_t bytes, uint8_t marks)
{
    if (match->missing_count == match->missing_capacity) {
        match->missing_capacity = match->missing_capacity == 0 ? 64 : 2 * match->missing_capacity;
        match->missing = fc_grow_array(match->missing, match->missing_capacity, sizeof *match->missing);
    }
    match->missing[match->missing_count++] = (fc_path_missing){
        packet, bytes, marks, fc_path_class_of(&match->sender->packets[packet], match->flow->is_tcp)};
}

bool
fc_path_match_sender_covers(const fc_path_match *match, int64_t arrived_ns)
{
    int64_t earliest, latest;
    if (!fc_path_clocks_expect(match->clocks, match->way, arrived_ns, &earliest, &latest))
        return false;
    /* Expected arrivals are later than departures by the same shift as departures are earlier. */
    return fc_path_capture_covers(match->sender, 2 * arrived_ns - latest, 2 * arrived_ns - earliest);
}

static void
note_delay(fc_path_match *match, const fc_path_packet *sent, const fc_path_packet *arrived)
{
    if (match->delay_count == match->delay_capacity) {
        match->delay_capacity = match->delay_capacity == 0 ? 64 : 2 * match->delay_capacity;
        match->delays = fc_grow_array(match->delays, match->delay_capacity, sizeof *match->delays);
    }
    int64_t bound;
    match->delays[match->delay_count++] =
        fc_path_clocks_delay(match->clocks, match->way, sent->unix_ns, arrived->unix_ns, &bound);
    match->relative = bound < 0;
    if (bound > match->worst_bound_ns)
        match->worst_bound_ns = bound;
}

void
fc_path_match_certain(fc_path_match *match, const fc_path_packet *sent, const fc_path_packet *arrived)
{
    if (match->learning) {
        fc_path_clocks_add(match->clocks, match->way, sent->unix_ns, arrived->unix_ns);
        return;
    }
    fc_path_flow *flow = match->flow;
    if (match->clocks->hulls[match->way].count > 0)
        note_delay(match, sent, arrived);
    if (sent->tos != arrived->tos && flow->tos_changed++ == 0) {
        flow->tos_sent = sent->tos;
        flow->tos_arrived = arrived->tos;
    }
    if (sent->ttl > arrived->ttl && flow->hops == 0)
        flow->hops = (uint8_t)(sent->ttl - arrived->ttl);
}

/* ---- copies of one thing ---- */

static bool
could_be(const fc_path_packet *sent, const fc_path_packet *arrived, bool timestamps)
{
    return !timestamps || ((sent->marks & arrived->marks & FC_PATH_HAS_TIMESTAMP) == 0) ||
           sent->key == arrived->key;
}

/* Which of the open copies, the latest on top, arrived: one with the same identification, else the latest.
 * -1: none. */
static ptrdiff_t
pick(const fc_path_match *match, const uint32_t *sent, const uint32_t *open, size_t open_count,
     const fc_path_packet *arrived, bool timestamps)
{
    ptrdiff_t best = -1;
    for (size_t back = 1; back <= open_count && back <= COPIES_LOOKED_AT; back++) {
        const fc_path_packet *packet = &match->sender->packets[sent[open[open_count - back]]];
        if (!could_be(packet, arrived, timestamps))
            continue;
        if (packet->ip_id != 0 && packet->ip_id == arrived->ip_id)
            return (ptrdiff_t)(open_count - back);
        if (best < 0)
            best = (ptrdiff_t)(open_count - back);
    }
    return best;
}

void
fc_path_match_copies(const fc_path_match *match, const uint32_t *sent, size_t sent_count,
                     const uint32_t *arrived, size_t arrived_count, bool timestamps, uint32_t *partner)
{
    memset(partner, 0xff, sent_count * sizeof *partner);
    if (sent_count == 1 && arrived_count == 1) {
        if (could_be(&match->sender->packets[sent[0]], &match->receiver->packets[arrived[0]], timestamps))
            partner[0] = 0;
        return;
    }
    uint32_t *open = fc_alloc_array(sent_count, sizeof *open);
    size_t open_count = 0, next = 0;
    for (size_t i = 0; i < arrived_count; i++) {
        const fc_path_packet *packet = &match->receiver->packets[arrived[i]];
        int64_t earliest, latest;
        for (; next < sent_count; next++) {
            bool known = fc_path_clocks_expect(
                match->clocks, match->way, match->sender->packets[sent[next]].unix_ns, &earliest, &latest);
            if (known ? earliest - EARLY_NS > packet->unix_ns : next > i)
                break;
            open[open_count++] = (uint32_t)next;
        }
        ptrdiff_t chosen = pick(match, sent, open, open_count, packet, timestamps);
        if (chosen < 0)
            continue;
        partner[open[chosen]] = (uint32_t)i;
        memmove(open + chosen, open + chosen + 1, (open_count - (size_t)chosen - 1) * sizeof *open);
        open_count--;
    }
    free(open);
}

/* ---- whole packets, by what is in them ---- */

static int
compare_keyed(const void *left, const void *right, void *user)
{
    const fc_path_packet *packets = user;
    const fc_path_keyed *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (packets[a->packet].unix_ns != packets[b->packet].unix_ns)
        return packets[a->packet].unix_ns < packets[b->packet].unix_ns ? -1 : 1;
    return a->packet < b->packet ? -1 : a->packet > b->packet;
}

typedef struct group {
    uint32_t *sent, *arrived, *partner; /* borrowed scratch */
    size_t sent_count, arrived_count;
} group;

static void
judge_group(fc_path_match *match, const group *g, bool bare, bool *is_taken)
{
    fc_path_match_copies(match, g->sent, g->sent_count, g->arrived, g->arrived_count, false, g->partner);
    bool certain = g->sent_count == 1 && g->arrived_count == 1;
    for (size_t i = 0; i < g->sent_count; i++) {
        const fc_path_packet *packet = &match->sender->packets[g->sent[i]];
        if (g->partner[i] == FC_PATH_NONE) {
            if (!match->learning)
                fc_path_match_missing(match, g->sent[i], bare ? 0 : packet->length,
                                      (packet->marks & FC_PATH_SHORT) != 0 ? FC_PATH_MISSING_SHORT : 0);
            continue;
        }
        is_taken[g->partner[i]] = true;
        const fc_path_packet *other = &match->receiver->packets[g->arrived[g->partner[i]]];
        if (certain)
            fc_path_match_certain(match, packet, other);
        if (match->learning)
            continue;
        fc_path_match_arrived(match, packet);
        match->flow->compared +=
            !bare && packet->captured == packet->length && other->captured == other->length;
    }
}

/* A missing datagram that arrived with other bytes: the same identification and length. NULL: there is none.
 */
static fc_path_missing *
find_altered(fc_path_match *match, const fc_path_packet *arrived)
{
    for (size_t j = match->missing_count; j > 0 && match->missing_count - j < COPIES_LOOKED_AT; j--) {
        fc_path_missing *missing = &match->missing[j - 1];
        const fc_path_packet *sent = &match->sender->packets[missing->packet];
        if (sent->ip_id != 0 && sent->ip_id == arrived->ip_id && sent->length == arrived->length &&
            sent->tcp_flags == arrived->tcp_flags)
            return missing;
    }
    return NULL;
}

static int
compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Could one of these arrivals, in order of time, be the missing packet in another shape? */
static bool
may_be_among(const fc_path_match *match, const fc_path_missing *missing, const int64_t *times, size_t count)
{
    int64_t earliest, latest;
    if (!fc_path_clocks_expect(match->clocks, match->way, match->sender->packets[missing->packet].unix_ns,
                               &earliest, &latest))
        return count > 0;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle] < earliest - EARLY_NS)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && times[low] <= latest + FC_PATH_LATE_NS;
}

/* Datagrams of the receiver that nothing of the sender explains. Those that the sender's capture should show
 * are either changed on the way, or cut and joined by offloads: what is missing about the time of such is not
 * certain. */
static void
judge_rest(fc_path_match *match, const uint32_t *rest, size_t rest_count)
{
    int64_t *strange = fc_alloc_array(rest_count + 1, sizeof *strange);
    size_t strange_count = 0;
    for (size_t i = 0; i < rest_count; i++) {
        const fc_path_packet *packet = &match->receiver->packets[rest[i]];
        if (!fc_path_match_sender_covers(match, packet->unix_ns))
            continue;
        fc_path_missing *missing = find_altered(match, packet);
        if (missing == NULL) {
            match->flow->unknown_origin++;
            strange[strange_count++] = packet->unix_ns;
            continue;
        }
        match->flow->altered++;
        match->flow->compared++;
        fc_path_match_arrived(match, &match->sender->packets[missing->packet]);
        *missing = match->missing[--match->missing_count];
    }
    qsort(strange, strange_count, sizeof *strange, compare_times);
    for (size_t j = 0; strange_count > 0 && j < match->missing_count; j++)
        if (may_be_among(match, &match->missing[j], strange, strange_count))
            match->missing[j].marks |= FC_PATH_MISSING_UNCLEAR;
    free(strange);
}

static size_t
run_length(const fc_path_keyed *list, size_t at, size_t count, uint64_t key, uint32_t *ret_packets)
{
    size_t length = 0;
    for (; at + length < count && list[at + length].key == key; length++)
        ret_packets[length] = list[at + length].packet;
    return length;
}

void
fc_path_match_keyed(fc_path_match *match, fc_path_keyed *sent, size_t sent_count, fc_path_keyed *arrived,
                    size_t arrived_count, bool bare)
{
    uint32_t *scratch = fc_alloc_array(2 * sent_count + 2 * arrived_count + 1, sizeof *scratch);
    bool *is_taken = fc_alloc_array(arrived_count + 1, sizeof *is_taken);
    uint32_t *rest = scratch + 2 * sent_count + arrived_count;
    size_t rest_count = 0, first_missing = match->missing_count;
    uint64_t arrived_before = match->flow->arrived;
    qsort_r(sent, sent_count, sizeof *sent, compare_keyed, match->sender->packets);
    qsort_r(arrived, arrived_count, sizeof *arrived, compare_keyed, match->receiver->packets);
    for (size_t i = 0, j = 0; i < sent_count || j < arrived_count;) {
        uint64_t key = i == sent_count || (j < arrived_count && arrived[j].key < sent[i].key) ? arrived[j].key
                                                                                              : sent[i].key;
        group g = {.sent = scratch, .partner = scratch + sent_count, .arrived = scratch + 2 * sent_count};
        g.sent_count = run_length(sent, i, sent_count, key, g.sent);
        g.arrived_count = run_length(arrived, j, arrived_count, key, g.arrived);
        i += g.sent_count;
        j += g.arrived_count;
        bool several = g.sent_count != 1 || g.arrived_count != 1;
        memset(is_taken, 0, g.arrived_count * sizeof *is_taken);
        if (g.sent_count > 0 && !(match->learning && several))
            judge_group(match, &g, bare, is_taken);
        for (size_t k = 0; k < g.arrived_count; k++)
            if (!is_taken[k])
                rest[rest_count++] = g.arrived[k];
    }
    if (!match->learning && !bare)
        judge_rest(match, rest, rest_count);
    /* Something between the ends rewrites or thins them when most do not come through as they are. */
    if (!match->learning && bare &&
        match->missing_count - first_missing > match->flow->arrived - arrived_before)
        for (size_t k = first_missing; k < match->missing_count; k++)
            match->missing[k].marks |= FC_PATH_MISSING_UNCLEAR;
    free(scratch);
    free(is_taken);
}

/* ---- one stream ---- */

static size_t
list_datagrams(const fc_path_capture *capture, const fc_path_stream *stream, bool whole, uint8_t skip,
               fc_path_keyed *list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < stream->count; i++) {
        uint32_t index = capture->order[stream->first + i];
        const fc_path_packet *packet = &capture->packets[index];
        if ((packet->marks & skip) != 0)
            continue;
        uint64_t key = fc_path_mix(fc_path_mix(packet->key, packet->length), packet->tcp_flags);
        key = fc_path_mix(key, packet->sequence);
        list[count++] = (fc_path_keyed){whole ? fc_path_mix(key, packet->hash) : key, index};
    }
    return count;
}

/* Are all payloads there; is one of them so short that it cannot be recognized? */
static bool
all_whole(const fc_path_capture *capture, const fc_path_stream *stream, bool *ret_short)
{
    bool whole = true;
    *ret_short = false;
    for (uint32_t i = 0; i < stream->count; i++) {
        const fc_path_packet *packet = fc_path_packet_of(capture, stream, i);
        whole = whole && packet->captured == packet->length;
        *ret_short = *ret_short || (packet->marks & FC_PATH_SHORT) != 0;
    }
    return whole;
}

void
fc_path_match_stream(fc_path_match *match, const fc_path_stream *sent, const fc_path_stream *arrived)
{
    if (match->flow->is_tcp) {
        fc_path_match_tcp(match, sent, arrived);
        return;
    }
    bool sent_short, arrived_short;
    bool whole = all_whole(match->sender, sent, &sent_short);
    whole = all_whole(match->receiver, arrived, &arrived_short) && whole;
    fc_path_keyed *lists[2] = {fc_alloc_array(sent->count + 1, sizeof(fc_path_keyed)),
                               fc_alloc_array(arrived->count + 1, sizeof(fc_path_keyed))};
    size_t sent_count =
        list_datagrams(match->sender, sent, whole, FC_PATH_REPEATED | FC_PATH_ASIDE, lists[0]);
    size_t arrived_count = list_datagrams(match->receiver, arrived, whole, FC_PATH_REPEATED, lists[1]);
    fc_path_match_keyed(match, lists[0], sent_count, lists[1], arrived_count, false);
    for (size_t i = 0; arrived_short && i < match->missing_count; i++)
        match->missing[i].marks |= FC_PATH_MISSING_SHORT;
    free(lists[0]);
    free(lists[1]);
}
