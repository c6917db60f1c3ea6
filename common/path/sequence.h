/* sequence.h: a TCP flow as ranges of positions that do not wrap: connection after connection, on both ends
 * the same.
 *
 * A SYN with a new initial sequence number (RFC 9293, 3.4) begins a new epoch, EPOCH apart from the one
 * before. */
#ifndef FC_PATH_SEQUENCE_H
#define FC_PATH_SEQUENCE_H

#include "common/path/packets.h"

#define FC_PATH_EPOCH (INT64_C(1) << 36)

/* A segment that takes room in the sequence space. */
typedef struct fc_path_segment {
    int64_t start, end; /* positions */
    uint32_t packet;
    uint32_t first_cut, cuts; /* the intervals that it spans; set by match_tcp.c */
    uint32_t matched;         /* of them: seen at the other end */
    uint32_t missing_bytes;
    uint32_t origin; /* at the receiver: the segment of the sender that its first interval is of */
    uint64_t sum;    /* of the hashes of the other end's segments within it */
    uint32_t summed; /* payload bytes of these */
    uint8_t marks;   /* of what is missing: FC_PATH_MISSING_… */
    bool comparable, altered;
} fc_path_segment;

typedef struct fc_path_segments {
    fc_path_segment *items; /* owned */
    size_t count;
} fc_path_segments;

/* What the receiver of a flow acknowledged: positions of the flow, and when. */
typedef struct fc_path_ack {
    int64_t position;
    int64_t unix_ns;
} fc_path_ack;

typedef struct fc_path_acks {
    fc_path_ack *items; /* owned; by position, then time */
    size_t count;
} fc_path_acks;

/* The segments of a stream in order of time; packets with one of the marks `skip` are left out. `like`: the
 * sender's, for the receiver's stream to stand at the same positions; NULL for the sender itself. */
fc_path_segments
fc_path_segments_of(const fc_path_capture *capture, const fc_path_stream *stream, uint8_t skip,
                    const fc_path_capture *like_capture, const fc_path_segments *like);
/* The acknowledgements in `back` of the flow whose segments, at the same end, these are. */
fc_path_acks
fc_path_acks_of(const fc_path_capture *capture, const fc_path_stream *back, const fc_path_segments *segments);
/* Some acknowledgement says that everything before `end` arrived. */
bool
fc_path_acks_cover(const fc_path_acks *acks, int64_t end);
/* The latest time at which an acknowledgement named exactly this position; 0 = none. */
int64_t
fc_path_acks_latest(const fc_path_acks *acks, int64_t position);

#endif
