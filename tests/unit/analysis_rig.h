/* analysis_rig.h: packets made by hand for an analyzer, and what it said of them.
 *
 * The instance is 10.0.0.1 (fd00::1), its peer 10.0.0.2 (fd00::2). Time stands still until it is moved. */
#ifndef FC_TESTS_ANALYSIS_RIG_H
#define FC_TESTS_ANALYSIS_RIG_H

#include "common/analysis/analyzer.h"
#include "common/analysis/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIG_TOLD_MAX = 64, RIG_FRAME_MAX = 70000 };
#define RIG_START_NS 1764000000000000000LL
#define RIG_MS       1000000LL
#define RIG_S        1000000000LL

typedef struct packet_rig {
    fc_analyzer *analyzer; /* owned */
    fc_profile *profile;   /* owned; rig_judge fills it */
    int64_t now_ns;
    uint32_t snaplen; /* 0 = whole packets */
    bool flagged;     /* packets say their direction */
    bool v6;
    uint32_t interface;
    fc_conversation_summary told[RIG_TOLD_MAX]; /* by the observer */
    size_t told_count;
    fc_dns_transaction dns[RIG_TOLD_MAX];
    size_t dns_count;
} packet_rig;

/* conversations_max: 0 = the default. */
void
rig_init(packet_rig *rig, size_t conversations_max);
void
rig_fini(packet_rig *rig);
void
rig_after(packet_rig *rig, int64_t ns);
/* A frame as it is. */
void
rig_frame(packet_rig *rig, uint16_t link_type, fc_direction direction, const uint8_t *data, uint32_t size);
/* Ethernet and IP around a transport packet, from the instance (out) or to it. */
void
rig_ip(packet_rig *rig, bool out, uint8_t protocol, const uint8_t *data, uint32_t size);
/* UDP between the instance's port and the peer's. */
void
rig_udp(packet_rig *rig, bool out, uint16_t local_port, uint16_t remote_port, const void *payload,
        uint32_t size);

/* One TCP connection, from the instance's port 40000 to the peer's port 443; sequence numbers count from 0.
 */
typedef struct rig_segment {
    bool out;
    uint8_t flags;
    uint32_t sequence, ack, length;
    uint32_t window; /* 0 = 64000 */
    bool zero_window;
    const void *payload; /* NULL = zeros */
    uint16_t local_port; /* 0 = 40000 */
} rig_segment;
void
rig_tcp(packet_rig *rig, rig_segment segment);
/* SYN, SYN-ACK after 10 ms, ACK after 1 ms; then both sides are at 1. */
void
rig_handshake(packet_rig *rig);

/* Fills profile with a snapshot, and `told` and `dns` with what is still open. The analyzer is only good for
 * rig_fini after. */
void
rig_judge(packet_rig *rig);

size_t
rig_put_ipv4(uint8_t *out, bool from_local, uint8_t protocol, uint16_t fragment, const uint8_t *data,
             uint32_t size);
void
rig_put_be16(uint8_t *at, unsigned value);
void
rig_put_be32(uint8_t *at, uint32_t value);

#endif
