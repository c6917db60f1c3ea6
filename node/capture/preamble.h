/* preamble.h: the section header and interface blocks that begin every segment: which instance saw these
 * packets, for which capture. Identity is in each interface's description and comment, because merging tools
 * keep those. */
#ifndef CAP_PREAMBLE_H
#define CAP_PREAMBLE_H

#include "common/base/buf.h"
#include "node/capture/ring.h"
#include "node/capture/spec.h"

/* Appends to out. rings: one for each interface of the spec. */
void
cap_preamble_put(fc_buf *out, const cap_spec *spec, const cap_ring *rings);

#endif
