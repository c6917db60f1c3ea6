/* path_tcp.h: a steady TCP flow from A to B, for path_rig.h: a segment each millisecond, each acknowledged.
 */
#ifndef TESTS_UNIT_PATH_TCP_H
#define TESTS_UNIT_PATH_TCP_H

#include "path_rig.h"

enum { MSS = 1000, SEGMENTS = 100, LOST = 40 };

/* Segment i of it, and what B answers. */
rig_packet
segment(uint32_t i);
rig_packet
acknowledgement(uint32_t i);
/* Both cross. */
void
cross_segment(rig *r, uint32_t i);
/* All but segment LOST cross; the rest of the story is the test's. */
void
cross_all_but_one(rig *r);
/* One way of the only conversation. */
const fc_path_flow *
only_flow(const fc_path_result *result, fc_path_way way);

#endif
