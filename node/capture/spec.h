/* spec.h: what this process has to do: a HelperSpec, checked and copied into terms of our own.
 *
 * The node daemon is trusted to mean well, not to be whole: nothing it says is used before it is checked
 * here.
 */
#ifndef CAP_SPEC_H
#define CAP_SPEC_H

#include "common/base/err.h"
#include "common/base/text.h"
#include "common/model/status.h"

#include <net/if.h>
#include <stdint.h>

typedef struct Fcpb__HelperSpec Fcpb__HelperSpec;

enum {
    CAP_INTERFACES_MAX = 64,
    CAP_RING_FILES_MAX = 10000,
    CAP_PREFIX_MAX = 100,     /* "<instance>_<hh>_<mm>_<ss>"; the file name adds "_NNNN.pcapng.part" */
    CAP_SNAPLEN_MAX = 262144, /* MAXIMUM_SNAPLEN of libpcap 1.10 */
    CAP_RING_DEFAULT_BYTES = 64 << 20,
    CAP_RING_MIN_BYTES = 2 << 20, /* of one interface; libpcap's own default */
    CAP_RING_MAX_BYTES = 1 << 30,
    CAP_FLUSH_DEFAULT_MS = 1000,
    CAP_FLUSH_MIN_MS = 50,
    CAP_FLUSH_MAX_MS = 60000,
    CAP_TEXT_MAX = 256, /* of the names that only go into comments */
};

typedef struct cap_spec {
    char capture_uid[FC_UID_LENGTH + 1];
    char capture_name[FC_NAME_MAX + 1];
    char instance_id[FC_NAME_MAX + 1];
    char instance_name[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char zone[FC_NAME_MAX + 1];
    char incident_id[CAP_TEXT_MAX + 1];
    char file_prefix[CAP_PREFIX_MAX + 1];
    char *filter; /* owned; "" = everything */
    uint32_t snaplen_bytes;
    uint64_t ring_bytes;                  /* of all interfaces together */
    uint64_t session_bytes, packet_limit; /* what is left of them; UINT64_MAX = no limit */
    uint64_t disk_floor_bytes;
    uint64_t segment_bytes; /* 0 = one file that does not rotate */
    uint32_t segment_count; /* 0 = segments are never removed */
    uint32_t first_sequence;
    uint32_t flush_interval_ms;
    uint32_t time_limit_s;      /* 0 = none */
    int64_t window_end_unix_ns; /* 0 = none */
    char interfaces[CAP_INTERFACES_MAX][IFNAMSIZ];
    size_t interface_count;
} cap_spec;

/* Checks everything that can be checked without opening an interface. *ret_reason says why on failure:
 * FC_STOP_INTERNAL for nonsense, or the limit that was already used up by an earlier process. */
FC_MUST_USE fc_err
cap_spec_from_pb(const Fcpb__HelperSpec *message, cap_spec *ret_spec, fc_stop_reason *ret_reason,
                 fc_fail *fail);
void
cap_spec_fini(cap_spec *spec);
/* Bytes of ring that one interface gets. */
uint64_t
cap_spec_ring_share(const cap_spec *spec);

#endif
