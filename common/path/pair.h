/* pair.h: which flow of A is which flow of B, and which end sends it.
 *
 * The same addresses and ports; else what no translator of addresses changes (RFC 3022): the initial sequence
 * number and timestamp of a SYN, and the payload of first datagrams, where it is the only one like it at both
 * ends. */
#ifndef FC_PATH_PAIR_H
#define FC_PATH_PAIR_H

#include "common/path/packets.h"

/* Sets pair, way and leads of every stream of both ends. */
void
fc_path_pair(fc_path_capture ends[2]);

#endif
