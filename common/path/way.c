#include "common/path/way.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/hash.h"
#include "common/path/path.h"

#include <stdlib.h>

enum {
    SAMPLES_MAX = 512,
    SURE_TIMES = 9, /* so many times as many say this as say the other */
    TTL_FALLS_MAX = 64,
};

/* What one end of a flow says by its direction flags: 9 of 10 agree. */
static uint8_t
way_by_flags(const fc_path_stream *stream, fc_path_end end)
{
    uint64_t all = (uint64_t)stream->inbound + stream->outbound;
    if (all == 0 || (stream->inbound * 10ull < all * 9 && stream->outbound * 10ull < all * 9))
        return FC_PATH_WAY_UNKNOWN;
    bool sends = stream->outbound > stream->inbound;
    return sends == (end == FC_PATH_A) ? FC_PATH_A_TO_B : FC_PATH_B_TO_A;
}

/* ---- by the times of the same packets ---- */

typedef struct sample {
    uint64_t key;
    int64_t unix_ns;
} sample;

static int
compare_samples(const void *left, const void *right)
{
    const sample *a = left, *b = right;
    return a->key < b->key ? -1 : a->key > b->key;
}

static size_t
samples_max(const fc_path_stream *stream)
{
    return stream->count < SAMPLES_MAX ? stream->count : SAMPLES_MAX;
}

static size_t
take_samples(const fc_path_capture *capture, const fc_path_stream *stream, sample samples[SAMPLES_MAX])
{
    size_t count = 0, kept = 0;
    for (uint32_t i = 0; i < stream->count && count < SAMPLES_MAX; i++) {
        const fc_path_packet *packet = fc_path_packet_of(capture, stream, i);
        if ((packet->marks & (FC_PATH_REPEATED | FC_PATH_SHORT)) != 0)
            continue;
        uint64_t key =
            fc_path_mix(fc_path_mix(packet->sequence, packet->key), packet->tcp_flags & (uint8_t)~FC_TCP_PSH);
        key = fc_path_mix(key, packet->acknowledgement);
        if (stream->protocol != FC_IP_TCP || packet->length == 0)
            key = fc_path_mix(key, packet->hash);
        samples[count++] = (sample){key, packet->unix_ns};
    }
    qsort(samples, count, sizeof *samples, compare_samples);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && samples[next].key == samples[i].key; next++)
            ;
        if (next == i + 1)
            samples[kept++] = samples[i];
    }
    return kept;
}

/* When A had a packet, and by how much later B's clock had it. */
typedef struct shift {
    int64_t at_ns, by_ns;
} shift;

static int
compare_shifts(const void *left, const void *right)
{
    const shift *a = left, *b = right;
    return a->at_ns < b->at_ns ? -1 : a->at_ns > b->at_ns;
}

/* The shifts of packets of the stream that are the same at both ends for certain, in order of time. */
static size_t
shifts_of(const fc_path_capture ends[2], const fc_path_stream *a, shift shifts[SAMPLES_MAX])
{
    sample *samples[2];
    size_t counts[2], count = 0;
    const fc_path_stream *streams[2] = {a, &ends[1].streams[a->pair]};
    for (int end = 0; end < 2; end++) {
        samples[end] = fc_alloc_array(samples_max(streams[end]), sizeof *samples[end]);
        counts[end] = take_samples(&ends[end], streams[end], samples[end]);
    }
    for (size_t i = 0, j = 0; i < counts[0] && j < counts[1];) {
        if (samples[0][i].key == samples[1][j].key) {
            shifts[count++] = (shift){samples[0][i].unix_ns, samples[1][j].unix_ns - samples[0][i].unix_ns};
            i++;
            j++;
        } else if (samples[0][i].key < samples[1][j].key) {
            i++;
        } else {
            j++;
        }
    }
    qsort(shifts, count, sizeof *shifts, compare_shifts);
    free(samples[0]);
    free(samples[1]);
    return count;
}

/* Each packet there against the packet back that is nearest in time, so that clocks may drift meanwhile. */
static uint8_t
way_by_shifts(const shift *there, size_t there_count, const shift *back, size_t back_count)
{
    size_t more = 0, less = 0;
    for (size_t i = 0, j = 0; i < there_count && back_count > 0; i++) {
        while (j + 1 < back_count && back[j + 1].at_ns <= there[i].at_ns)
            j++;
        size_t near = j + 1 < back_count && llabs(back[j + 1].at_ns - there[i].at_ns) <
                                                llabs(there[i].at_ns - back[j].at_ns)
                          ? j + 1
                          : j;
        more += there[i].by_ns > back[near].by_ns;
        less += there[i].by_ns < back[near].by_ns;
    }
    if (more > SURE_TIMES * less)
        return FC_PATH_A_TO_B;
    return less > SURE_TIMES * more ? FC_PATH_B_TO_A : FC_PATH_WAY_UNKNOWN;
}

static uint8_t
way_by_times(const fc_path_capture ends[2], const fc_path_stream *a)
{
    const fc_path_stream *back = a->reverse != FC_PATH_NONE ? &ends[0].streams[a->reverse] : NULL;
    if (back == NULL || back->pair == FC_PATH_NONE)
        return FC_PATH_WAY_UNKNOWN;
    shift *shifts[2] = {fc_alloc_array(samples_max(a), sizeof **shifts),
                        fc_alloc_array(samples_max(back), sizeof **shifts)};
    size_t there_count = shifts_of(ends, a, shifts[0]), back_count = shifts_of(ends, back, shifts[1]);
    uint8_t way = way_by_shifts(shifts[0], there_count, shifts[1], back_count);
    free(shifts[0]);
    free(shifts[1]);
    return way;
}

static uint8_t
way_by_ttl(const fc_path_capture ends[2], const fc_path_stream *a)
{
    const fc_path_stream *b = &ends[1].streams[a->pair];
    int at_a = fc_path_packet_of(&ends[0], a, 0)->ttl, at_b = fc_path_packet_of(&ends[1], b, 0)->ttl;
    if (at_a == at_b || abs(at_a - at_b) > TTL_FALLS_MAX)
        return FC_PATH_WAY_UNKNOWN;
    return at_a > at_b ? FC_PATH_A_TO_B : FC_PATH_B_TO_A;
}

static uint8_t
way_of_pair(const fc_path_capture ends[2], fc_path_stream *a)
{
    uint8_t by_a = way_by_flags(a, FC_PATH_A), by_b = way_by_flags(&ends[1].streams[a->pair], FC_PATH_B);
    if (by_a != FC_PATH_WAY_UNKNOWN && by_b != FC_PATH_WAY_UNKNOWN) {
        a->passes = by_a != by_b;
        return a->passes ? FC_PATH_WAY_UNKNOWN : by_a;
    }
    uint8_t way = by_a != FC_PATH_WAY_UNKNOWN ? by_a : by_b;
    if (way == FC_PATH_WAY_UNKNOWN)
        way = way_by_times(ends, a);
    return way != FC_PATH_WAY_UNKNOWN ? way : way_by_ttl(ends, a);
}

static void
set_way(fc_path_capture ends[2], fc_path_stream *a, uint8_t way)
{
    a->way = ends[1].streams[a->pair].way = way;
    if (a->reverse == FC_PATH_NONE || way == FC_PATH_WAY_UNKNOWN)
        return;
    fc_path_stream *back = &ends[0].streams[a->reverse];
    if (back->pair != FC_PATH_NONE && back->way == FC_PATH_WAY_UNKNOWN)
        back->way = ends[1].streams[back->pair].way = way ^ 1;
}

/* ---- by addresses ---- */

/* An address, and a bit for each end at which it lives. */
typedef struct resident {
    fc_address address;
    uint8_t ends;
} resident;

typedef struct residents {
    resident *items; /* owned; sorted */
    size_t count;
} residents;

static int
compare_residents(const void *left, const void *right)
{
    const resident *a = left, *b = right;
    return fc_address_compare(&a->address, &b->address);
}

/* The addresses of the two ends as one of them sees them. */
static residents
residents_seen(const fc_path_capture *capture)
{
    residents all = {.items = fc_alloc_array(2 * capture->stream_count + 1, sizeof(resident))};
    size_t count = 0;
    for (size_t i = 0; i < capture->stream_count; i++) {
        const fc_path_stream *stream = &capture->streams[i];
        if (stream->pair == FC_PATH_NONE || stream->way == FC_PATH_WAY_UNKNOWN)
            continue;
        all.items[count++] = (resident){stream->source, (uint8_t)(stream->way == FC_PATH_A_TO_B ? 1 : 2)};
        all.items[count++] =
            (resident){stream->destination, (uint8_t)(stream->way == FC_PATH_A_TO_B ? 2 : 1)};
    }
    qsort(all.items, count, sizeof *all.items, compare_residents);
    for (size_t i = 0; i < count; i++) {
        if (all.count > 0 && compare_residents(&all.items[all.count - 1], &all.items[i]) == 0)
            all.items[all.count - 1].ends |= all.items[i].ends;
        else
            all.items[all.count++] = all.items[i];
    }
    return all;
}

static uint8_t
way_by_addresses(const residents *all, const fc_path_stream *stream)
{
    resident from = {.address = stream->source}, to = {.address = stream->destination};
    const resident *source = bsearch(&from, all->items, all->count, sizeof from, compare_residents);
    const resident *destination = bsearch(&to, all->items, all->count, sizeof to, compare_residents);
    if (source == NULL || destination == NULL || source->ends == 3 || destination->ends == 3 ||
        source->ends == destination->ends)
        return FC_PATH_WAY_UNKNOWN;
    return source->ends == 1 ? FC_PATH_A_TO_B : FC_PATH_B_TO_A;
}

/* Streams of one end, or of both, of which only the addresses can tell. */
static void
settle(fc_path_capture ends[2], fc_path_end end, const residents *all)
{
    for (size_t i = 0; i < ends[end].stream_count; i++) {
        fc_path_stream *stream = &ends[end].streams[i];
        uint8_t way = way_by_addresses(all, stream);
        if (stream->pair == FC_PATH_NONE) {
            uint8_t flags = way_by_flags(stream, end);
            stream->leads = way != FC_PATH_WAY_UNKNOWN && (flags == FC_PATH_WAY_UNKNOWN || flags == way);
            stream->way = flags != FC_PATH_WAY_UNKNOWN ? flags : way;
        } else if (end == FC_PATH_A && stream->way == FC_PATH_WAY_UNKNOWN && !stream->passes) {
            set_way(ends, stream, way);
        }
    }
}

void
fc_path_ways(fc_path_capture ends[2])
{
    for (size_t i = 0; i < ends[0].stream_count; i++) {
        fc_path_stream *a = &ends[0].streams[i];
        if (a->pair != FC_PATH_NONE && a->way == FC_PATH_WAY_UNKNOWN)
            set_way(ends, a, way_of_pair(ends, a));
    }
    for (int end = 0; end < 2; end++) {
        residents all = residents_seen(&ends[end]);
        settle(ends, (fc_path_end)end, &all);
        free(all.items);
    }
}
