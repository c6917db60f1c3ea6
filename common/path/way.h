/* way.h: which end sends a flow that was seen at both.
 *
 * By the captures' direction flags; else by causality: for packets there and back, what the clocks differ by
 * plus the way there is more than what they differ by minus the way back; else by the TTL, which falls; else
 * by the addresses of flows that are decided. */
#ifndef FC_PATH_WAY_H
#define FC_PATH_WAY_H

#include "common/path/packets.h"

/* Sets way and leads of every stream of both ends; pairs are known. */
void
fc_path_ways(fc_path_capture ends[2]);

#endif
