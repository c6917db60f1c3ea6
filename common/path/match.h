/* match.h: which packets of a flow, as the sending end shows it, are which at the receiving end.
 *
 * TCP by the bytes of the sequence space, so that a super-segment and the segments that it was cut into are
 * the same; every sending of a byte counts for itself. Everything else, and TCP without bytes, by what is in
 * it, and by order. Where several fit, the timestamp option and the IP identification choose, then time.
 * Linear in the packets but for sorting; pieces of TCP are bounded, what has more is not examined. */
#ifndef FC_PATH_MATCH_H
#define FC_PATH_MATCH_H

#include "common/path/clock.h"
#include "common/path/packets.h"

/* Kinds of packets that a capture filter may tell apart. */
enum {
    FC_PATH_CLASS_DATA,
    FC_PATH_CLASS_BARE,
    FC_PATH_CLASS_SYN,
    FC_PATH_CLASS_END,
    FC_PATH_CLASS_JOINED,
    FC_PATH_CLASSES
};

enum {
    FC_PATH_MISSING_ACKNOWLEDGED =
        1 << 0,                      /* what the receiver later said that it has; its capture shows no copy */
    FC_PATH_MISSING_PROVEN = 1 << 1, /* the receiver said that it had not arrived when it was overdue */
    FC_PATH_MISSING_UNCLEAR = 1 << 2,
    FC_PATH_MISSING_SHORT = 1 << 3,
};

/* A packet, or some of its bytes, that the receiving end does not show. */
typedef struct fc_path_missing {
    uint32_t packet; /* index into the sender's packets */
    uint32_t bytes;
    uint8_t marks;
    uint8_t class;
} fc_path_missing;

typedef struct fc_path_match {
    const fc_path_capture *sender, *receiver; /* borrowed */
    fc_path_way way;
    fc_path_clocks *clocks; /* borrowed */
    bool learning;          /* only tells the clocks of packets that are the same for certain */
    fc_path_flow *flow;     /* borrowed; gets the counts */
    uint64_t arrived_by_class[FC_PATH_CLASSES];
    uint64_t rewritten;       /* datagrams that changed on the way, or cannot be told from such */
    fc_path_missing *missing; /* owned; grows */
    size_t missing_count, missing_capacity;
    int64_t *delays; /* owned; grows */
    size_t delay_count, delay_capacity;
    int64_t worst_bound_ns;
    bool relative;
} fc_path_match;

void
fc_path_match_fini(fc_path_match *match);
/* All of one flow: its stream at the sender, and at the receiver. */
void
fc_path_match_stream(fc_path_match *match, const fc_path_stream *sent, const fc_path_stream *arrived);

/* ---- between the parts ---- */

/* A packet and by what it is recognized; equal keys in order of time. */
typedef struct fc_path_keyed {
    uint64_t key;
    uint32_t packet;
} fc_path_keyed;

void
fc_path_match_tcp(fc_path_match *match, const fc_path_stream *sent, const fc_path_stream *arrived);
/* Sorts both lists. bare: of TCP without bytes, else whole datagrams. */
void
fc_path_match_keyed(fc_path_match *match, fc_path_keyed *sent, size_t sent_count, fc_path_keyed *arrived,
                    size_t arrived_count, bool bare);
/* Copies of the same thing, each list in order of time: partner[i] becomes the index of what arrived of
 * sent[i], or FC_PATH_NONE. */
void
fc_path_match_copies(const fc_path_match *match, const uint32_t *sent, size_t sent_count,
                     const uint32_t *arrived, size_t arrived_count, bool timestamps, uint32_t *partner);
/* The two are the same for certain: the clocks, delays and header fields learn of it. */
void
fc_path_match_certain(fc_path_match *match, const fc_path_packet *sent, const fc_path_packet *arrived);
void
fc_path_match_arrived(fc_path_match *match, const fc_path_packet *sent);
void
fc_path_match_missing(fc_path_match *match, uint32_t packet, uint32_t bytes, uint8_t marks);
/* Did it arrive, if it came from the sender, within what the sender's capture covers? */
bool
fc_path_match_sender_covers(const fc_path_match *match, int64_t arrived_ns);
uint8_t
fc_path_class_of(const fc_path_packet *packet, bool tcp);

#endif
