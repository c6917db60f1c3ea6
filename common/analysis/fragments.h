/* fragments.h: fragments of one datagram belong together (RFC 791, 8200): only the first one has ports, and
 * all must come.
 *
 * Nothing is put together: the first fragment names the conversation of the later ones, and the bytes are
 * counted until they are as many as the last fragment says. Bounded: FC_FRAGMENTS_MAX datagrams at a time;
 * the oldest is judged early beyond that.
 */
#ifndef FC_ANALYSIS_FRAGMENTS_H
#define FC_ANALYSIS_FRAGMENTS_H

#include "common/analysis/conversations.h"
#include "common/analysis/packet.h"

enum { FC_FRAGMENTS_MAX = 256 };
/* Receivers wait for 30 s (Linux's ipfrag_time); what is not there after 3 s never comes. */
#define FC_FRAGMENTS_TIMEOUT_NS (3 * 1000000000LL)

typedef struct fc_datagram {
    fc_flow_key key; /* of the ends, without ports; ordered from source to destination */
    uint32_t id;
    uint32_t bytes, total; /* seen; total is 0 until the last fragment has come */
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
