/* path.h: two ends, one conversation: which packets left A and reached B, and which left B and reached A.
 *
 * Two captures in, a verdict per conversation and direction out: delivered, lost between the ends, altered,
 * delayed, or *not provable* and why. What a capture itself may have missed (drops, filter, snap length,
 * window, clock) is never called a loss of the network.
 *
 * frames -> packets.c (56 bytes each, docs/path.md) -> pair.c (which flow of A is which of B, also through
 * NAT; who sends) -> match.c (TCP by the bytes of the sequence space, the rest by payload and order) ->
 * clock.c (offset and skew with their bounds) -> judge.c. One thread, no clock, no I/O. Any input is legal;
 * what does not fit the limits is refused with a sentence or counted.
 */
#ifndef FC_PATH_PATH_H
#define FC_PATH_PATH_H

#include "common/base/err.h"
#include "common/pcapng/input.h"
#include "common/profile/address.h"
#include "common/profile/profile.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_PATH_PACKETS_MAX = 3000000, /* of each side: 60 bytes each, 180 MB */
    FC_PATH_FILES_MAX = 4096,      /* of each side */
    FC_PATH_FLOWS_MAX = 500000,    /* directions of conversations, of each side: some 1 KB each */
    FC_PATH_LISTED_MAX = 10000,    /* conversations in the JSON, the worst ones */
    FC_PATH_EXAMPLES_MAX = 8,      /* lost packets that are named, of each direction of a conversation */
};

typedef enum fc_path_end { FC_PATH_A, FC_PATH_B } fc_path_end;
/* Index of everything that has two directions. */
typedef enum fc_path_way { FC_PATH_A_TO_B, FC_PATH_B_TO_A } fc_path_way;

typedef struct fc_path_options {
    const char *name[2]; /* of an end whose files do not say; borrowed for the call; NULL = "A" and "B" */
    size_t packets_max;  /* of each side; 0 = FC_PATH_PACKETS_MAX */
    bool lossless; /* where a file does not say how much its capture dropped, the operator says: nothing */
} fc_path_options;

/* The verdict on one direction of one conversation; the worst first. */
#define FC_PATH_VERDICTS(X)                                                                                  \
    X(LOST, "lost", "packets left one end and did not reach the other")                                      \
    X(ALTERED, "altered", "payload arrived with other bytes")                                                \
    X(DELAYED, "delayed", "all that can be examined arrived, some of it late")                               \
    X(NOT_PROVABLE, "notProvable",                                                                           \
      "something is missing at the other end, but it cannot be said that the network lost it")               \
    X(DELIVERED, "delivered", "all that can be examined arrived")                                            \
    X(NOTHING, "nothing", "nothing was sent that can be examined")

typedef enum fc_path_verdict {
#define X(name, text, meaning) FC_PATH_##name,
    FC_PATH_VERDICTS(X)
#undef X
        FC_PATH_VERDICT_COUNT
} fc_path_verdict;

/* Why it cannot be said of a missing packet that the network lost it. */
#define FC_PATH_REASONS(X)                                                                                   \
    X(DROPS, "drops", "the receiving capture dropped packets")                                               \
    X(DROPS_UNKNOWN, "dropsUnknown", "the receiving capture does not say whether it dropped packets")        \
    X(ACKNOWLEDGED, "acknowledged", "it was acknowledged: it arrived, and the receiving capture missed it")  \
    X(CAPTURE_MISSES, "captureMisses", "the receiving capture missed other packets that certainly arrived")  \
    X(FILTER, "filter", "the receiving capture shows no packet of this kind: its filter may exclude them")   \
    X(WINDOW, "window", "it may have arrived outside the time that the receiving capture covers")            \
    X(SNAP_LENGTH, "snapLength", "too few bytes were captured to recognize it")                              \
    X(NOT_SEEN, "notSeen",                                                                                   \
      "the conversation was not seen at the other end at all: this may not be its path")                     \
    X(DIRECTION, "direction", "it is not known which end sends")                                             \
    X(CLOCK, "clock", "nothing relates the two clocks")                                                      \
    X(MULTICAST, "multicast", "it is for a group: not every receiver is on this path")                       \
    X(UNCLEAR, "unclear", "something else arrived about then that may be it in another shape")

typedef enum fc_path_reason {
#define X(name, text, meaning) FC_PATH_REASON_##name,
    FC_PATH_REASONS(X)
#undef X
        FC_PATH_REASON_COUNT
} fc_path_reason;

/* A conversation counts as delayed when the slowest twentieth of its packets took this much longer than its
 * fastest. */
#define FC_PATH_DELAYED_NS (20 * FC_NS_PER_MS)

const char *
fc_path_verdict_name(fc_path_verdict verdict);
const char *
fc_path_reason_name(fc_path_reason reason);
const char *
fc_path_reason_text(fc_path_reason reason);

typedef struct fc_path fc_path;
fc_path *
fc_path_new(const fc_path_options *options); /* NULL = defaults */
void
fc_path_free(fc_path *path);
/* What follows at this end is from this file (base name); files of one end come in the order of time.
 * FC_ERR_LIMIT past FC_PATH_FILES_MAX. */
FC_MUST_USE fc_err
fc_path_file(fc_path *path, fc_path_end end, const char *name, fc_fail *fail);
/* One block of the file. FC_ERR_LIMIT when the end has more packets than packets_max. */
FC_MUST_USE fc_err
fc_path_block(fc_path *path, fc_path_end end, const fc_block *block, fc_fail *fail);
/* A whole file: _file and every _block of it. FC_ERR_CORRUPT: what came before counts. */
FC_MUST_USE fc_err
fc_path_input(fc_path *path, fc_path_end end, fc_input *input, const char *name, fc_fail *fail);

/* ---- the result: plain values ---- */

typedef struct fc_path_side {
    char *name;   /* owned */
    char **files; /* owned; base names, in order */
    size_t file_count;
    uint64_t frames, packets;    /* all; those that could be examined */
    uint64_t unreadable;         /* frames without IP, or cut inside the headers */
    uint64_t repeated;           /* seen again on another interface */
    uint64_t fragments_unjoined; /* of datagrams of which not every piece is there */
    int64_t first_ns, last_ns;   /* what the capture covers */
    bool drops_known;
    uint64_t os_dropped, interface_dropped;
    char *filter;           /* owned; NULL = none, or not known */
    bool filter_known;      /* NULL is none then */
    uint32_t snaplen_bytes; /* 0 = no limit */
} fc_path_side;

/* The clock of B against that of A: B = A + offset_ns + skew_ppm * (t - at_ns). */
typedef struct fc_path_clock {
    bool known;        /* packets in both directions relate the clocks */
    bool linear;       /* false: no constant offset and skew explain the packets: a clock was stepped */
    int64_t at_ns;     /* on A's clock */
    int64_t offset_ns; /* at at_ns */
    int64_t bound_ns;  /* the true offset at at_ns is within +- this: half the least round trip (RFC 5905) */
    double skew_ppm;
    double skew_bound_ppm; /* the true skew is within +- this, for clocks that run evenly */
    uint64_t samples[2];   /* packets matched without ambiguity, by direction */
    int64_t round_trip_ns; /* the least delays of both directions, together */
} fc_path_clock;

typedef struct fc_path_example {
    uint32_t file; /* index into the sending side's files */
    uint64_t frame;
    int64_t unix_ns;   /* on the sender's clock */
    uint32_t sequence; /* TCP, raw; ICMP echo */
    uint32_t bytes;    /* of payload that did not arrive */
} fc_path_example;

typedef struct fc_path_delay {
    uint64_t count;
    bool relative; /* the clocks are not related: above the least delay of this direction */
    int64_t min_ns, p50_ns, p95_ns, max_ns, bound_ns;
} fc_path_delay;

/* One direction of a conversation. sent = arrived + lost + not_provable + not_examined. */
typedef struct fc_path_flow {
    bool seen; /* at the sending end */
    bool is_tcp;
    fc_path_verdict verdict;
    fc_path_reason reason;          /* with NOT_PROVABLE: the most frequent one */
    fc_address source, destination; /* as the sending end sees them */
    uint16_t source_port, destination_port;
    fc_address far_source, far_destination; /* as the receiving end does; family 0 = not seen there */
    uint16_t far_source_port, far_destination_port;
    uint64_t sent, sent_bytes; /* frames, and their payload */
    uint64_t arrived, lost, lost_bytes, not_provable, not_examined;
    uint64_t lost_acknowledgements;         /* of lost: without payload */
    uint64_t reasons[FC_PATH_REASON_COUNT]; /* not_provable by reason */
    uint64_t altered;                       /* of arrived; frames of the sender */
    uint64_t compared;                      /* of arrived: all bytes are there at both ends */
    uint64_t unknown_origin;        /* frames at the receiver that the sender's capture does not show */
    uint64_t reordered;             /* frames that arrived behind one that was sent later */
    uint8_t hops;                   /* by which the TTL fell; 0 = none or not known */
    uint16_t mss_sent, mss_arrived; /* of the SYN; 0 = not seen */
    uint8_t tos_sent,
        tos_arrived; /* DSCP and ECN of the first packets that differ; equal = nothing changed */
    uint64_t tos_changed;
    fc_path_delay delay;
    fc_path_example *lost_first; /* owned; at most FC_PATH_EXAMPLES_MAX, in order; NULL = none */
    size_t lost_first_count;
} fc_path_flow;

typedef struct fc_path_conversation {
    uint8_t protocol;
    bool translated; /* addresses or ports differ between the ends */
    bool elsewhere; /* seen at one end and not known to lead to the other, or received by both: listed last */
    char community_id[2][FC_COMMUNITY_ID_SIZE]; /* by end; "" = not seen there */
    int64_t first_ns;      /* on the clock of the end where it was seen first, A's if at both */
    fc_path_flow flows[2]; /* by fc_path_way */
} fc_path_conversation;

typedef struct fc_path_result {
    fc_path_side sides[2];
    fc_path_clock clock;
    fc_path_conversation *conversations; /* owned; worst first */
    size_t count;
    uint64_t
        elsewhere; /* conversations that are, so far as is known, not between the two: not in the totals */
    fc_path_flow totals[2]; /* counts and verdict; delays over all */
} fc_path_result;

/* Judges. The path can only be freed after. New; never NULL. */
fc_path_result *
fc_path_judge(fc_path *path);
void
fc_path_result_free(fc_path_result *result);
/* The verdict in one sentence. Owned by the caller. */
char *
fc_path_result_sentence(const fc_path_result *result);
/* A Wireshark display filter for one direction at its sending end. Owned by the caller. */
char *
fc_path_flow_filter(const fc_path_conversation *conversation, const fc_path_flow *flow);
json_t *
fc_path_result_to_json(const fc_path_result *result); /* new reference; docs/path.md */

#endif
