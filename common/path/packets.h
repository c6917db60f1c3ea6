/* packets.h: what one end captured, as records: 56 bytes of each packet, by directed flow and time.
 *
 * add blocks -> seal (sorted, repeats marked, fragments given up) -> read only, but for `pair`, `way` and the
 * marks. */
#ifndef FC_PATH_PACKETS_H
#define FC_PATH_PACKETS_H

#include "common/base/err.h"
#include "common/base/text.h"
#include "common/path/fragments.h"
#include "common/pcapng/blocks.h"
#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FC_PATH_NONE UINT32_MAX

enum {
    FC_PATH_KEY_BYTES = 64, /* of a datagram's payload, by which it is recognized */
    FC_PATH_INTERFACES_MAX = 255,
};

enum {
    FC_PATH_HAS_TIMESTAMP = 1 << 0, /* key is the TCP timestamp */
    FC_PATH_SHORT = 1 << 1,    /* fewer than min(length, FC_PATH_KEY_BYTES) payload bytes were captured */
    FC_PATH_REPEATED = 1 << 2, /* the same packet on another interface: not examined */
    FC_PATH_ASIDE = 1 << 3,    /* the flow shows on several interfaces, and this is not the busiest */
    FC_PATH_JOINED = 1 << 4,   /* of fragments */
};

typedef struct fc_path_packet {
    int64_t unix_ns;
    uint64_t hash; /* of what was captured of the payload, by position; of a bare acknowledgement: of window
                      and options */
    uint32_t frame;
    uint32_t stream;
    uint32_t sequence; /* TCP; of ICMP echo */
    uint32_t acknowledgement;
    uint32_t length; /* payload bytes */
    uint32_t captured;
    uint32_t key; /* TCP: timestamp; else a hash of the first payload bytes */
    uint16_t file;
    uint16_t ip_id;
    uint8_t ttl, tos;
    uint8_t tcp_flags;
    uint8_t interface;
    uint8_t marks; /* FC_PATH_HAS_TIMESTAMP … */
} fc_path_packet;

/* One direction of a conversation at one end. */
typedef struct fc_path_stream {
    uint8_t protocol;
    uint8_t way; /* fc_path_way; FC_PATH_WAY_UNKNOWN */
    fc_address source, destination;
    uint16_t source_port, destination_port; /* of ICMP echo: both are the id; of other ICMP: type and code */
    uint32_t first, count;                  /* in order */
    uint32_t reverse, pair; /* streams: back, here; the same at the other end; or FC_PATH_NONE */
    uint32_t inbound, outbound;
    uint32_t next; /* of the hash chain */
    uint16_t mss;  /* of its SYN; 0 = none seen */
    bool leads;    /* not seen at the other end, although its addresses are of the two ends */
    bool passes;   /* both ends receive it, or both send it: it is of neither */
} fc_path_stream;

enum { FC_PATH_WAY_UNKNOWN = 2 };

typedef struct fc_path_span {
    int64_t start_ns, end_ns;
} fc_path_span;

typedef struct fc_path_file_row {
    char *name;                /* owned */
    int64_t first_ns, last_ns; /* frames; 0 = none */
    int64_t start_ns, end_ns;  /* as its statistics say; 0 = not said */
} fc_path_file_row;

/* The counters of one interface in one run of a capture: they only grow, from file to file. */
typedef struct fc_path_counters_row {
    char name[64];
    int64_t start_ns;
    uint64_t os_dropped, interface_dropped;
} fc_path_counters_row;

typedef struct fc_path_capture {
    uint64_t seed;
    size_t packets_max;
    fc_path_packet *packets; /* owned */
    size_t count, capacity;
    uint32_t *order;         /* owned; indices of packets: stream by stream, each by time; after seal */
    fc_path_stream *streams; /* owned */
    size_t stream_count, stream_capacity;
    uint32_t *buckets; /* owned; heads of the hash chains */
    size_t bucket_count;
    fc_path_fragments fragments;
    fc_path_file_row *files; /* owned */
    size_t file_count;
    fc_path_span *spans; /* owned; what is covered, in order; after seal */
    size_t span_count;
    fc_path_counters_row *counters; /* owned */
    size_t counters_count;
    bool
        section_is_ours; /* fleetcap-capture wrote it: it always says what filter and what drops there were */
    bool section_has_frames, section_says_drops;
    bool drops_pending; /* a section of ours did not say: a later one will, for both */
    bool drops_unknown;
    char instance[FC_NAME_MAX + 1]; /* as our section's comment says; "" = not known */
    bool foreign;                   /* a section of another program: no filter option says nothing */
    char *filter;                   /* owned; of the interfaces, when all have the same */
    bool has_interface, filter_differs;
    bool coarse; /* every timestamp is a whole microsecond */
    uint32_t snaplen_bytes;
    uint64_t frames, unreadable, cut_headers, repeated, frame_in_file;
} fc_path_capture;

void
fc_path_capture_init(fc_path_capture *capture, uint64_t seed, size_t packets_max);
void
fc_path_capture_fini(fc_path_capture *capture);
FC_MUST_USE fc_err
fc_path_capture_file(fc_path_capture *capture, const char *name, fc_fail *fail);
FC_MUST_USE fc_err
fc_path_capture_block(fc_path_capture *capture, const fc_block *block, fc_fail *fail);
FC_MUST_USE fc_err
fc_path_capture_frame(fc_path_capture *capture, const fc_frame *frame, fc_fail *fail);
void
fc_path_capture_seal(fc_path_capture *capture);

/* The i-th packet of a stream, in time; after seal. */
static inline fc_path_packet *
fc_path_packet_of(const fc_path_capture *capture, const fc_path_stream *stream, uint32_t i)
{
    return &capture->packets[capture->order[stream->first + i]];
}

/* FC_PATH_NONE when there is none. */
uint32_t
fc_path_stream_find(const fc_path_capture *capture, const fc_path_stream *like);
/* Every drop that is known; false when some section says nothing of drops. */
bool
fc_path_capture_drops(const fc_path_capture *capture, uint64_t *ret_os, uint64_t *ret_interface);
/* True when [from, to] lies in one stretch that the capture covers. */
bool
fc_path_capture_covers(const fc_path_capture *capture, int64_t from_ns, int64_t to_ns);

#endif
