/* frame.h: a captured frame, and what is known of the interface it was captured on: the words of every reader
 * of captures. */
#ifndef FC_PCAPNG_FRAME_H
#define FC_PCAPNG_FRAME_H

#include "common/pcapng/pcapng.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fc_frame {
    int64_t unix_ns;
    const uint8_t *data;                     /* borrowed from the reader until its next call */
    uint32_t captured_bytes, original_bytes; /* the latter never below the former */
    uint32_t interface;                      /* index within the section */
    uint16_t link_type;                      /* LINKTYPE_*, tcpdump.org/linktypes.html */
    uint16_t flags;                          /* low 16 bits of epb_flags; 0 in pcap files */
    fc_direction direction;
} fc_frame;

/* A merged capture has an interface description per instance and interface. */
enum { FC_CAPTURE_INTERFACES_MAX = 4096, FC_CAPTURE_ADDRESSES_MAX = 16 };

typedef struct fc_capture_interface {
    uint32_t index;
    uint16_t link_type;
    uint32_t snaplen_bytes; /* 0 = no limit */
    char name[64];
    char *description, *filter, *comment; /* owned by the reader; NULL = none */
    uint8_t mac[6];
    bool has_mac;
    uint8_t ipv4[FC_CAPTURE_ADDRESSES_MAX][4]; /* if_IPv4addr */
    uint8_t ipv6[FC_CAPTURE_ADDRESSES_MAX][16];
    uint32_t ipv4_count, ipv6_count;
    uint64_t ticks_per_second; /* of its timestamps */
    int64_t offset_s;          /* if_tsoffset */
} fc_capture_interface;

typedef struct fc_capture_statistics {
    uint32_t interface;
    int64_t start_ns, end_ns; /* 0 = not said */
    uint64_t received, interface_dropped, filter_accepted, os_dropped, delivered;
    bool has_received, has_interface_dropped, has_filter_accepted, has_os_dropped, has_delivered;
} fc_capture_statistics;

#endif
