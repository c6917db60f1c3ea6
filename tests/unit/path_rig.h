/* path_rig.h: two captures that were never made: packets are sent, and arrive or do not, on two clocks that
 * differ. */
#ifndef TESTS_UNIT_PATH_RIG_H
#define TESTS_UNIT_PATH_RIG_H

#include "common/path/path.h"

#define RIG_START_NS (INT64_C(1764000000) * 1000000000)
#define RIG_US(n)    ((int64_t)(n)*1000)
#define RIG_MS(n)    ((int64_t)(n)*1000000)

/* One packet, as one end shows it. Fields that are 0 have the usual value. */
typedef struct rig_packet {
    uint8_t protocol; /* 6, 17, 1 */
    bool v6;
    bool from_b; /* source and destination change places */
    uint8_t source,
        destination; /* last byte of the address of A (10.0.0.x, default 1) and of B (10.0.1.x, default 2) */
    uint16_t source_port, destination_port; /* of A (default 40000) and B (default 443) */
    uint32_t sequence, acknowledgement, timestamp;
    uint8_t tcp_flags; /* default ACK */
    uint16_t mss;
    uint16_t id;
    uint8_t ttl, tos;
    uint32_t length;   /* of payload */
    uint32_t content;  /* UDP and ICMP: what the payload is; TCP: bytes are those of the sequence space, plus
                          this */
    uint32_t captured; /* bytes of the frame that are kept; 0 = all */
    bool echo_reply;
    uint16_t fragment;       /* offset in bytes of the IP payload; with fragment_bytes */
    uint16_t fragment_bytes; /* 0 = not a fragment */
    bool more;
} rig_packet;

typedef struct rig {
    fc_path *path;
    fc_path_result *result;
    int64_t offset_ns; /* of B against A at RIG_START_NS */
    double skew_ppm;
    bool flags;         /* the captures know which way a packet goes */
    bool inbound;       /* every frame comes in, wherever it is from */
    uint32_t interface; /* of the frames that come next */
    uint16_t link_type;
    uint64_t frames[2];
} rig;

/* B's clock, when it is at_ns since RIG_START_NS on A's. */
int64_t
rig_b_time(const rig *r, int64_t at_ns);
/* Both captures begin; ours: fleetcap-capture made them. */
void
rig_begin(rig *r, bool ours, const fc_path_options *options);
void
rig_interface(rig *r, fc_path_end end, const char *filter);
void
rig_section(rig *r, fc_path_end end, bool ours);
void
rig_statistics(rig *r, fc_path_end end, uint64_t os_dropped, int64_t from_ns, int64_t to_ns);
/* Both captures tell their drops, and that they were there from half a second before the start until end_ms.
 */
void
rig_end_captures(rig *r, uint64_t dropped_at_b, int64_t end_ms);
/* One end shows the packet; at_ns since RIG_START_NS on A's clock. */
void
rig_show(rig *r, fc_path_end end, int64_t at_ns, const rig_packet *packet);
/* Both ends show it, the receiver delay_ns later. */
void
rig_cross(rig *r, int64_t at_ns, int64_t delay_ns, const rig_packet *packet);
const fc_path_result *
rig_judge(rig *r);
void
rig_end(rig *r);

#endif
