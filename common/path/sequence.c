#include "common/path/sequence.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"

#include <stdlib.h>

enum { ANCHOR_TRIES = 16 };

/* Where the walk over a stream stands: the position of a sequence number, and those near it. */
typedef struct walk {
    int64_t position;
    uint32_t sequence;
} walk;

/* An initial sequence number and the position of its SYN. */
typedef struct epoch {
    uint32_t isn;
    int64_t position;
} epoch;

static uint32_t
room_of(const fc_path_packet *packet)
{
    return packet->length + ((packet->tcp_flags & FC_TCP_SYN) != 0) + ((packet->tcp_flags & FC_TCP_FIN) != 0);
}

static int64_t
step(walk *at, uint32_t sequence)
{
    at->position += (int32_t)(sequence - at->sequence);
    at->sequence = sequence;
    return at->position;
}

static int
compare_epochs(const void *left, const void *right)
{
    const epoch *a = left, *b = right;
    return a->isn < b->isn ? -1 : a->isn > b->isn;
}

/* The SYNs among segments, by number. */
static epoch *
epochs_of(const fc_path_capture *capture, const fc_path_segments *segments, size_t *ret_count)
{
    epoch *epochs = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; segments != NULL && i < segments->count; i++) {
        const fc_path_packet *packet = &capture->packets[segments->items[i].packet];
        if ((packet->tcp_flags & FC_TCP_SYN) == 0)
            continue;
        if (count == capacity) {
            capacity = capacity == 0 ? 4 : 2 * capacity;
            epochs = fc_grow_array(epochs, capacity, sizeof *epochs);
        }
        epochs[count++] = (epoch){packet->sequence, segments->items[i].start};
    }
    if (count > 1)
        qsort(epochs, count, sizeof *epochs, compare_epochs);
    *ret_count = count;
    return epochs;
}

/* Stands the receiver's walk where the sender had the same segment: long captures go round the sequence
 * space. */
static bool
anchor(const fc_path_packet *packet, const fc_path_capture *like_capture, const fc_path_segments *like,
       walk *ret_walk)
{
    for (size_t i = 0; i < like->count; i++) {
        const fc_path_packet *same = &like_capture->packets[like->items[i].packet];
        if (same->sequence != packet->sequence || same->key != packet->key)
            continue;
        *ret_walk = (walk){like->items[i].start, same->sequence};
        return true;
    }
    return false;
}

/* Where a stream stands while its packets are gone through. */
typedef struct reading {
    walk at, syn;        /* syn: the SYN that began this epoch */
    bool has_syn, begun; /* begun: its place is certain */
    int64_t next_epoch, epoch_step;
    size_t tries;
} reading;

/* A SYN begins an epoch, where the sender has it, or else one of its own; the same one again does not. */
static void
read_syn(reading *r, const fc_path_packet *packet, const epoch *epochs, size_t epoch_count)
{
    const epoch wanted = {.isn = packet->sequence};
    const epoch *known =
        epoch_count > 0 ? bsearch(&wanted, epochs, epoch_count, sizeof wanted, compare_epochs) : NULL;
    if (known != NULL) {
        r->at = (walk){known->position, packet->sequence};
    } else if (r->has_syn && r->syn.sequence == packet->sequence) {
        r->at = r->syn;
    } else {
        r->at = (walk){r->next_epoch, packet->sequence};
        r->next_epoch += r->epoch_step;
    }
    r->syn = r->at;
    r->has_syn = r->begun = true;
}

static void
read_first(reading *r, const fc_path_packet *packet, const fc_path_capture *like_capture,
           const fc_path_segments *like)
{
    if (like != NULL) {
        r->begun = r->tries++ < ANCHOR_TRIES && anchor(packet, like_capture, like, &r->at);
        return;
    }
    r->at = (walk){r->next_epoch, packet->sequence};
    r->next_epoch += r->epoch_step;
    r->begun = true;
}

fc_path_segments
fc_path_segments_of(const fc_path_capture *capture, const fc_path_stream *stream, uint8_t skip,
                    const fc_path_capture *like_capture, const fc_path_segments *like)
{
    fc_path_segments segments = {.items = fc_alloc_array(stream->count + 1, sizeof *segments.items)};
    size_t epoch_count;
    epoch *epochs = epochs_of(like_capture, like, &epoch_count);
    reading r = {.epoch_step = FC_PATH_EPOCH};
    if (like != NULL &&
        like->count > 0) { /* until something better is known; what only the receiver has stands by itself */
        r.at = (walk){like->items[0].start, like_capture->packets[like->items[0].packet].sequence};
        r.next_epoch = r.epoch_step = -FC_PATH_EPOCH;
    }
    for (uint32_t i = 0; i < stream->count; i++) {
        uint32_t index = capture->order[stream->first + i];
        const fc_path_packet *packet = &capture->packets[index];
        uint32_t room = room_of(packet);
        if ((packet->marks & skip) != 0 || room == 0)
            continue;
        if ((packet->tcp_flags & FC_TCP_SYN) != 0)
            read_syn(&r, packet, epochs, epoch_count);
        else if (!r.begun)
            read_first(&r, packet, like_capture, like);
        int64_t start = step(&r.at, packet->sequence);
        segments.items[segments.count++] =
            (fc_path_segment){.start = start, .end = start + room, .packet = index, .origin = FC_PATH_NONE};
    }
    free(epochs);
    return segments;
}

static int
compare_acks(const void *left, const void *right)
{
    const fc_path_ack *a = left, *b = right;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return a->unix_ns < b->unix_ns ? -1 : a->unix_ns > b->unix_ns;
}

fc_path_acks
fc_path_acks_of(const fc_path_capture *capture, const fc_path_stream *back, const fc_path_segments *segments)
{
    fc_path_acks acks = {.items = fc_alloc_array(back->count + 1, sizeof *acks.items)};
    size_t seen = 0;
    for (uint32_t i = 0; i < back->count && segments->count > 0; i++) {
        const fc_path_packet *packet = fc_path_packet_of(capture, back, i);
        if ((packet->tcp_flags & FC_TCP_ACK) == 0)
            continue;
        while (seen + 1 < segments->count &&
               capture->packets[segments->items[seen + 1].packet].unix_ns <= packet->unix_ns)
            seen++;
        const fc_path_segment *near = &segments->items[seen];
        int32_t ahead = (int32_t)(packet->acknowledgement - capture->packets[near->packet].sequence);
        acks.items[acks.count++] = (fc_path_ack){near->start + ahead, packet->unix_ns};
    }
    qsort(acks.items, acks.count, sizeof *acks.items, compare_acks);
    return acks;
}

/* The first one at or behind a position. */
static size_t
lower_bound(const fc_path_acks *acks, int64_t position)
{
    size_t low = 0, high = acks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (acks->items[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
fc_path_acks_cover(const fc_path_acks *acks, int64_t end)
{
    size_t at = lower_bound(acks, end);
    return at < acks->count && acks->items[at].position - end < FC_PATH_EPOCH / 2;
}

int64_t
fc_path_acks_latest(const fc_path_acks *acks, int64_t position)
{
    size_t behind = lower_bound(acks, position + 1);
    return behind > 0 && acks->items[behind - 1].position == position ? acks->items[behind - 1].unix_ns : 0;
}
