#include "common/path/pair.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/hash.h"
#include "common/path/path.h"
#include "common/path/way.h"

#include <stdlib.h>

enum {
    PRINTS_MAX = 4, /* packets of a stream, from its beginning, that are looked at */
    WEIGHT_ENOUGH = 2,
    PAYLOAD_TELLING = 12, /* bytes from which on a payload is taken to be of one conversation only */
};

/* What a translator leaves as it was of one packet. */
typedef struct print {
    uint64_t value;
    uint32_t stream;
    uint32_t weight;
} print;

typedef struct vote {
    uint32_t streams[2];
    uint32_t weight;
} vote;

/* Weight 0: the packet tells nothing. */
static print
print_of(const fc_path_packet *packet, uint8_t protocol)
{
    bool timestamp = (packet->marks & FC_PATH_HAS_TIMESTAMP) != 0;
    uint64_t value = fc_path_mix(protocol, packet->sequence);
    print made = {.stream = packet->stream};
    if (protocol != FC_IP_TCP) {
        value = fc_path_mix(fc_path_mix(value, packet->key), packet->tcp_flags);
        made.weight = (packet->marks & FC_PATH_SHORT) != 0 ? 0 : packet->length >= PAYLOAD_TELLING ? 2 : 1;
    } else if ((packet->tcp_flags & FC_TCP_SYN) != 0) {
        value = fc_path_mix(fc_path_mix(value, packet->acknowledgement),
                            packet->tcp_flags & (FC_TCP_SYN | FC_TCP_ACK));
        value = fc_path_mix(value, timestamp ? packet->key : 0);
        made.weight = timestamp || packet->acknowledgement != 0 ? 2 : 1;
    } else if (packet->length > 0) {
        value =
            fc_path_mix(fc_path_mix(value, packet->acknowledgement), timestamp ? packet->key : packet->hash);
        made.weight = timestamp ? 2 : 1;
    }
    made.value = value;
    return made;
}

static int
compare_prints(const void *left, const void *right)
{
    const print *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->stream < b->stream ? -1 : a->stream > b->stream;
}

/* The prints of all streams without a pair; those of more than one stream are left out. Returns their number.
 */
static size_t
collect_prints(const fc_path_capture *capture, print **ret_prints)
{
    size_t count = 0, kept = 0, capacity = 0;
    for (size_t i = 0; i < capture->stream_count; i++)
        if (capture->streams[i].pair == FC_PATH_NONE)
            capacity += capture->streams[i].count < PRINTS_MAX ? capture->streams[i].count : PRINTS_MAX;
    print *prints = fc_alloc_array(capacity > 0 ? capacity : 1, sizeof *prints);
    for (size_t i = 0; i < capture->stream_count; i++) {
        const fc_path_stream *stream = &capture->streams[i];
        for (uint32_t j = 0; stream->pair == FC_PATH_NONE && j < stream->count && j < PRINTS_MAX; j++) {
            prints[count] = print_of(fc_path_packet_of(capture, stream, j), stream->protocol);
            count += prints[count].weight > 0;
        }
    }
    qsort(prints, count, sizeof *prints, compare_prints);
    for (size_t i = 0, next; i < count; i = next) {
        bool several = false;
        for (next = i + 1; next < count && prints[next].value == prints[i].value; next++)
            several = several || prints[next].stream != prints[i].stream;
        if (!several)
            prints[kept++] = prints[i];
    }
    *ret_prints = prints;
    return kept;
}

static int
compare_votes(const void *left, const void *right)
{
    const vote *a = left, *b = right;
    for (int end = 0; end < 2; end++)
        if (a->streams[end] != b->streams[end])
            return a->streams[end] < b->streams[end] ? -1 : 1;
    return 0;
}

static int
compare_weights(const void *left, const void *right)
{
    const vote *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return compare_votes(left, right);
}

static size_t
count_votes(print *prints[2], const size_t counts[2], vote *votes)
{
    size_t count = 0, kept = 0;
    for (size_t a = 0, b = 0; a < counts[0] && b < counts[1];) {
        if (prints[0][a].value == prints[1][b].value) {
            votes[count++] = (vote){{prints[0][a].stream, prints[1][b].stream}, prints[0][a].weight};
            a++;
            b++;
        } else if (prints[0][a].value < prints[1][b].value) {
            a++;
        } else {
            b++;
        }
    }
    qsort(votes, count, sizeof *votes, compare_votes);
    for (size_t i = 0, next; i < count; i = next) {
        vote sum = votes[i];
        for (next = i + 1; next < count && compare_votes(&votes[next], &votes[i]) == 0; next++)
            sum.weight += votes[next].weight;
        votes[kept++] = sum;
    }
    qsort(votes, kept, sizeof *votes, compare_weights);
    return kept;
}

static void
join(fc_path_capture ends[2], uint32_t a, uint32_t b)
{
    if (a == FC_PATH_NONE || b == FC_PATH_NONE || ends[0].streams[a].pair != FC_PATH_NONE ||
        ends[1].streams[b].pair != FC_PATH_NONE || ends[0].streams[a].protocol != ends[1].streams[b].protocol)
        return;
    ends[0].streams[a].pair = b;
    ends[1].streams[b].pair = a;
}

static void
pair_translated(fc_path_capture ends[2])
{
    print *prints[2];
    size_t counts[2];
    for (int end = 0; end < 2; end++)
        counts[end] = collect_prints(&ends[end], &prints[end]);
    size_t least = counts[0] < counts[1] ? counts[0] : counts[1];
    vote *votes = fc_alloc_array(least > 0 ? least : 1, sizeof *votes);
    size_t count = count_votes(prints, counts, votes);
    for (size_t i = 0; i < count; i++) {
        if (votes[i].weight < WEIGHT_ENOUGH)
            continue;
        uint32_t a = votes[i].streams[0], b = votes[i].streams[1];
        join(ends, a, b);
        if (ends[0].streams[a].pair == b)
            join(ends, ends[0].streams[a].reverse, ends[1].streams[b].reverse);
    }
    free(votes);
    free(prints[0]);
    free(prints[1]);
}

void
fc_path_pair(fc_path_capture ends[2])
{
    for (size_t i = 0; i < ends[0].stream_count; i++)
        join(ends, (uint32_t)i, fc_path_stream_find(&ends[1], &ends[0].streams[i]));
    pair_translated(ends);
    fc_path_ways(ends);
}
