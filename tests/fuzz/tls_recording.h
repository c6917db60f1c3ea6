/* tls_recording.h: both sides of a TLS connection in a file, for the unit test and the fuzz target.
 *
 * A recording is a sequence of pieces: one byte of kind, two of length, big-endian, and as many bytes where
 * the kind has bytes. corpus/tls holds what openssl and Go said to each other.
 */
#ifndef TLS_RECORDING_H
#define TLS_RECORDING_H

#include "common/analysis/tls.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TLS_PIECE_CLIENT, /* bytes of the client */
    TLS_PIECE_SERVER,
    TLS_PIECE_CLIENT_GAP, /* as many bytes are missing */
    TLS_PIECE_SERVER_GAP,
    TLS_PIECE_CLIENT_RST,
    TLS_PIECE_SERVER_RST,
    TLS_PIECE_CLIENT_FIN,
    TLS_PIECE_SERVER_FIN,
    TLS_PIECE_SILENCE, /* of the server */
    TLS_PIECE_KINDS,
};

/* Plays a recording from the beginning, bytes in chunks of at most `chunk` (0 = whole); of each piece only
 * `snap` bytes are seen (0 = all), the rest is a gap. The n-th piece, from 1, is frame n at n ms. True when
 * there was a gap. */
bool
tls_recording_play(fc_tls_reader *tls, const uint8_t *data, size_t size, size_t chunk, size_t snap);

/* The conclusions in one line; text holds 512 bytes. */
void
tls_recording_text(const fc_tls_reader *tls, char *text);

#endif
