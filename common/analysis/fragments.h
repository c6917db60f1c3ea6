/* fragments.h: fragments of one datagram belong together (RFC 791, 8200): only the first one has ports, and
 * all must come.
 *
 * Nothing is put together: the first fragment names the conversation of the later ones, and the bytes are
 * counted until they are as many as the last fragment says, each once, however often it comes. Bounded:
 * FC_FRAGMENTS_MAX datagrams at a time; the oldest is judged early beyond that. Of a datagram that comes in
 * more than FC_FRAGMENT_PARTS pieces that do not touch, later ones may count twice.
 */
#ifndef FC_ANALYSIS_FRAGMENTS_H
#define FC_ANALYSIS_FRAGMENTS_H

#include "common/analysis/conversations.h"
#include "common/analysis/packet.h"

enum {
    FC_FRAGMENTS_MAX = 256,
    FC_FRAGMENT_PARTS = 24, /* 65,535 bytes in pieces of 1,480, every second one missing, are 23 */
    FC_FRAGMENTS_WHOLE_MAX =
        8, /* datagrams that are whole, kept for pieces that come twice (two interfaces) */
};
/* Receivers wait for 30 s (Linux's ipfrag_time); what is not there after 3 s never comes. */
#define FC_FRAGMENTS_TIMEOUT_NS (3 * 1000000000LL)
/* A piece that a second interface shows comes at once; a sender's ids come round again after some 65,536
 * datagrams. */
#define FC_FRAGMENTS_AGAIN_NS (100 * 1000000LL)

/* Bytes of the IP payload, from `start` up to `end`. */
typedef struct fc_fragment_part {
    uint32_t start, end;
} fc_fragment_part;

typedef struct fc_datagram {
    fc_flow_key key; /* of the ends, without ports; ordered from source to destination */
    uint32_t id;
    uint32_t bytes, total; /* seen, each once; total is 0 until the last fragment has come */
    uint32_t part_count;
    fc_fragment_part parts[FC_FRAGMENT_PARTS]; /* seen; they do not touch */
    int64_t first_ns;
    uint8_t file;
    bool used;
    bool has_ports;
    uint8_t protocol; /* of the first fragment */
    uint16_t source_port, destination_port;
    uint32_t sequence; /* of TCP: where byte 0 of the IP payload lies in sequence space */
    uint64_t frame;
} fc_datagram;

typedef struct fc_fragments {
    fc_datagram places[FC_FRAGMENTS_MAX];
    uint32_t count;
    fc_datagram whole[FC_FRAGMENTS_WHOLE_MAX]; /* `used`: the latest ones */
    uint32_t whole_next;
    void (*lost)(void *user, const fc_datagram *datagram);
    void *user;
} fc_fragments;

/* A fragment (packet->fragment). The datagram that it belongs to, borrowed until the next call. */
const fc_datagram *
fc_fragments_seen(fc_fragments *fragments, const fc_packet *packet, int64_t unix_ns, uint8_t file,
                  uint64_t frame);
void
fc_fragments_expire(fc_fragments *fragments, int64_t unix_ns);
/* Every datagram that has waited for its fragments for too long by this time. */
void
fc_fragments_each_lost(const fc_fragments *fragments, int64_t unix_ns,
                       void (*each)(void *user, const fc_datagram *datagram), void *user);
fc_address
fc_datagram_source(const fc_datagram *datagram);
fc_address
fc_datagram_destination(const fc_datagram *datagram);

#endif
