/* fragments.h: joins the fragments of IP datagrams (RFC 791, 8200) into one record, without keeping their
 * bytes.
 *
 * The hash of a datagram is the sum of its fragments' hashes, in whatever order they come (hash.h). Bounded:
 * FC_PATH_FRAGMENTS_MAX open datagrams; one that needs the place of another gives that one up, which is
 * counted. */
#ifndef FC_PATH_FRAGMENTS_H
#define FC_PATH_FRAGMENTS_H

#include "common/analysis/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_PATH_FRAGMENTS_MAX = 4096, FC_PATH_FRAGMENT_HEADER_MAX = 128 };

typedef struct fc_path_datagram {
    bool open, has_first;
    uint8_t protocol;
    fc_address source, destination;
    uint32_t id;
    int64_t unix_ns; /* of the first fragment that came */
    uint32_t frame;  /* the same */
    uint32_t total;  /* bytes; 0 = the last fragment has not come */
    uint32_t seen;   /* bytes that came */
    uint32_t captured;
    uint64_t hash;                             /* by position in the IP payload */
    uint8_t head[FC_PATH_FRAGMENT_HEADER_MAX]; /* the beginning of the first fragment */
    uint32_t head_size;
} fc_path_datagram;

typedef struct fc_path_fragments {
    fc_path_datagram *open; /* owned; NULL until a fragment comes */
    uint64_t unjoined;
} fc_path_fragments;

void
fc_path_fragments_fini(fc_path_fragments *fragments);
/* True when this fragment completes a datagram, which is lent until the next call. */
bool
fc_path_fragments_add(fc_path_fragments *fragments, const fc_packet *packet, int64_t unix_ns, uint32_t frame,
                      const fc_path_datagram **ret_whole);
/* Gives up all that is open. */
void
fc_path_fragments_end(fc_path_fragments *fragments);

#endif
