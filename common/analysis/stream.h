/* stream.h: the bytes of a TCP conversation in order, for the parser that wants them: TLS, or DNS over TCP.
 *
 * What comes in order goes to the parser from the packet itself. A segment that comes early is copied and
 * waits: at most FC_STREAM_HELD segments and FC_STREAM_HELD_BYTES a direction, and a bound for all
 * conversations together; beyond that, or when the other side acknowledges what was never seen, the missing
 * bytes are told to the parser as a gap. Bytes beyond the snap length are a gap too.
 */
#ifndef FC_ANALYSIS_STREAM_H
#define FC_ANALYSIS_STREAM_H

#include "common/analysis/dns.h"
#include "common/analysis/packet.h"
#include "common/analysis/slab.h"
#include "common/analysis/tls.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FC_STREAM_HELD = 16,
    FC_STREAM_HELD_BYTES = 64 << 10,
    FC_STREAMS_HELD_BYTES = 8 << 20, /* of all conversations */
};

typedef enum fc_stream_kind { FC_STREAM_TLS, FC_STREAM_DNS } fc_stream_kind;

typedef struct fc_stream_held {
    uint32_t start, captured, bytes;
    uint8_t file; /* where it was seen, with frame */
    int64_t unix_ns;
    uint64_t frame;
    uint8_t *data; /* owned */
} fc_stream_held;

typedef struct fc_stream_side {
    uint32_t next; /* the sequence number that the parser waits for */
    uint32_t held_bytes;
    uint8_t held_count;
    bool synced; /* next is known */
    bool ended;
    fc_stream_held *held; /* owned; FC_STREAM_HELD places, ascending; NULL until needed */
} fc_stream_side;

typedef struct fc_stream {
    uint8_t kind;        /* fc_stream_kind */
    uint8_t client_side; /* which side of the conversation began */
    bool done;           /* the parser wants no more bytes */
    uint8_t alert_file;  /* with TLS: of alert_frame */
    fc_stream_side sides[2];
    union {
        fc_dns_stream dns[2];
        _Alignas(16) uint8_t tls[1]; /* fc_tls_size() bytes: places are made for that */
    };
} fc_stream;

/* Bytes that come in order, of the stream's conversation: DNS messages are told through this. The segment is
 * the one that a message ends in. */
typedef void
fc_stream_message(void *user, unsigned side, const fc_stream_held *segment, const uint8_t *data, size_t size);

typedef struct fc_streams {
    fc_slab slabs[2]; /* by fc_stream_kind */
    size_t held_bytes;
    fc_stream_message *message;
    void *user;
} fc_streams;

void
fc_streams_init(fc_streams *streams, uint32_t max, fc_stream_message *message, void *user);
void
fc_streams_fini(fc_streams *streams);
/* NULL when there are as many as there may be. */
fc_stream *
fc_stream_take(fc_streams *streams, fc_stream_kind kind, unsigned client_side);
void
fc_stream_give(fc_streams *streams, fc_stream *stream); /* NULL is legal */

/* Where the bytes of a side begin. */
void
fc_stream_begin(fc_stream *stream, unsigned side, uint32_t sequence);
/* A segment with data, or with the end (FIN, RST) of the side. */
void
fc_stream_segment(fc_streams *streams, fc_stream *stream, unsigned side, const fc_packet *packet,
                  int64_t unix_ns, uint8_t file, uint64_t frame);
/* The other side has everything before `ack`. */
void
fc_stream_acknowledged(fc_streams *streams, fc_stream *stream, unsigned side, uint32_t ack);
/* With FC_STREAM_TLS. silent: the conversation has fallen silent. */
void
fc_stream_tls(const fc_stream *stream, bool silent, unsigned silent_side, fc_tls_summary *ret_summary);

#endif
