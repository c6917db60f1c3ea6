/* status.h: state, stop reason, counters, segments: what an instance says of its part of a capture. */
#ifndef FC_MODEL_STATUS_H
#define FC_MODEL_STATUS_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Fcpb__InstanceCapture Fcpb__InstanceCapture;
typedef struct Fcpb__Counters Fcpb__Counters;
typedef struct Fcpb__Segment Fcpb__Segment;

/* Numbers are those of fleetcap.v1.State. order: how far from finished, for folding (the lowest wins). */
#define FC_STATES(X)                                                                                         \
    X(PENDING, 1, "PENDING", 2)                                                                              \
    X(PROVISIONING, 2, "PROVISIONING", 1)                                                                    \
    X(RUNNING, 3, "RUNNING", 0)                                                                              \
    X(STOPPING, 4, "STOPPING", 3)                                                                            \
    X(STOPPED, 5, "STOPPED", 6)                                                                              \
    X(FAILED, 6, "FAILED", 5)                                                                                \
    X(UNKNOWN, 7, "UNKNOWN", 4)
typedef enum fc_state {
    FC_STATE_NONE = 0,
#define X(name, number, text, order) FC_STATE_##name = number,
    FC_STATES(X)
#undef X
} fc_state;
const char *
fc_state_name(fc_state state);
const char *
fc_state_reference_name(fc_state state); /* the reference service's packetCaptureStatus: "Running" */
FC_MUST_USE fc_err
fc_state_parse(const char *text, fc_state *ret_state);
static inline bool
fc_state_final(fc_state state)
{
    return state == FC_STATE_STOPPED || state == FC_STATE_FAILED;
}

/* Numbers are those of fleetcap.v1.StopReason. */
#define FC_STOP_REASONS(X)                                                                                   \
    X(TIME_LIMIT, 1, "time limit reached")                                                                   \
    X(SESSION_BYTES, 2, "bytes per session reached")                                                         \
    X(PACKET_COUNT, 3, "packet limit reached")                                                               \
    X(STOP_REQUESTED, 4, "stop requested")                                                                   \
    X(DISK_FLOOR, 5, "free disk space under the floor")                                                      \
    X(DISK_FULL, 6, "disk full")                                                                             \
    X(LEASE_EXPIRED, 7, "lease expired: nobody renewed it")                                                  \
    X(INTERFACE_GONE, 8, "interface gone")                                                                   \
    X(NODE_SHUTDOWN, 9, "node shut down")                                                                    \
    X(NODE_RESTARTED, 10, "node restarted and the capture could not go on")                                  \
    X(HELPER_DIED, 11, "capture helper died")                                                                \
    X(WRITE_ERROR, 12, "write error")                                                                        \
    X(POLICY_REFUSED, 13, "refused by the node's policy")                                                    \
    X(FILTER_REFUSED, 14, "filter refused")                                                                  \
    X(CAPTURE_DELETED, 15, "capture deleted")                                                                \
    X(WINDOW_CLOSED, 16, "the capture's window had ended")                                                   \
    X(INTERNAL, 17, "internal error")                                                                        \
    X(INSTANCE_REMOVED, 18, "instance removed from the fleet")
typedef enum fc_stop_reason {
    FC_STOP_NONE = 0,
#define X(name, number, text) FC_STOP_##name = number,
    FC_STOP_REASONS(X)
#undef X
} fc_stop_reason;
const char *
fc_stop_reason_name(fc_stop_reason reason); /* "TIME_LIMIT"; "" for none */
const char *
fc_stop_reason_text(fc_stop_reason reason); /* the sentence */

/* The one table of packet counters: name, unit, sentence. in_sum: matched = sum of those with 1. */
#define FC_STATUS_COUNTERS(X)                                                                                \
    X(matched_packets, "packets", 0, "passed the filter in the kernel")                                      \
    X(written_packets, "packets", 1, "written to the file")                                                  \
    X(written_bytes, "bytes", 0, "captured bytes of the written packets")                                    \
    X(dropped_kernel, "packets", 1, "dropped by the kernel: the ring was full")                              \
    X(dropped_writer, "packets", 1, "dropped: all buffers were full, or the disk refused")                   \
    X(dropped_before_start, "packets", 1, "not written: came before the start instant")                      \
    X(dropped_after_stop, "packets", 1, "not written: in the ring when a limit or a stop ended the capture") \
    X(interface_dropped, "packets", 0, "dropped by the interface before the filter saw them")                \
    X(file_bytes, "bytes", 0, "bytes of all segments")                                                       \
    X(unprofiled_packets, "packets", 0, "written, but not in the profile: it fell behind")
typedef struct fc_counters {
#define X(name, unit, in_sum, text) uint64_t name;
    FC_STATUS_COUNTERS(X)
#undef X
} fc_counters;
/* What the sum leaves unexplained: matched minus everything accounted for. 0 in an exact capture. */
int64_t
fc_counters_unaccounted(const fc_counters *counters);
void
fc_counters_add(fc_counters *sum, const fc_counters *more);

typedef struct fc_segment {
    uint32_t sequence; /* from 1 */
    char path[256];    /* relative to the node's captures directory */
    uint64_t size_bytes;
    uint8_t sha256[32];
    bool hashed;
    uint64_t packets;
    fc_wall first_packet, last_packet;
    bool sealed, repaired, removed;
} fc_segment;

typedef struct fc_gap {
    fc_wall from, to;
} fc_gap;

enum { FC_GAPS_MAX = 64, FC_ERROR_TEXT = 256 };

/* An instance capture as it is reported, stored and shown. {0} is legal. */
typedef struct fc_status {
    char capture_uid[FC_UID_LENGTH + 1];
    char capture_name[FC_NAME_MAX + 1];
    char instance_id[FC_NAME_MAX + 1];
    char instance_name[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    fc_state state;
    fc_stop_reason stop_reason;
    bool armed, connected;
    fc_counters counters;
    fc_wall start, stop, first_packet, last_packet;
    uint64_t generation, revision, ring_bytes;
    fc_gap *gaps; /* owned */
    size_t gap_count;
    fc_segment *segments; /* owned, by sequence */
    size_t segment_count;
    char *compiled_filter; /* owned; NULL = not known */
    char *directory;       /* owned; absolute, on the instance */
    char *error;           /* owned; one sentence, NULL = none */
} fc_status;

void
fc_status_fini(fc_status *status);
/* Deep copy over *to (which is finished first). */
void
fc_status_copy(fc_status *to, const fc_status *from);
/* Adds or replaces by sequence. */
void
fc_status_put_segment(fc_status *status, const fc_segment *segment);

/* from_pb checks everything a node could lie about: names, uids, relative paths without "..", enums, counts.
 */
FC_MUST_USE fc_err
fc_status_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail);
/* New message, freed with protobuf_c_message_free_unpacked. */
Fcpb__InstanceCapture *
fc_status_to_pb(const fc_status *status);
void
fc_counters_to_pb(const fc_counters *counters, Fcpb__Counters *ret_message); /* initialised by the callee */
void
fc_counters_from_pb(const Fcpb__Counters *message, fc_counters *ret); /* NULL message = zero */
void
fc_segment_to_pb(const fc_segment *segment, Fcpb__Segment *ret_message); /* borrows path and hash */
FC_MUST_USE fc_err
fc_segment_from_pb(const Fcpb__Segment *message, fc_segment *ret, fc_fail *fail);
json_t *
fc_status_to_json(const fc_status *status); /* new reference; the names of docs/json.md */
json_t *
fc_counters_to_json(const fc_counters *counters); /* its "counters" */
json_t *
fc_segment_to_json(const fc_segment *segment); /* one of its "segments" */
/* A relative path of names: no "..", no empty part, no leading '/'. */
bool
fc_segment_path_check(const char *path);

#endif
