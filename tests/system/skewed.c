/* skewed.c: in front of the library's protocol_here.o, this makes a program of another release. */
#include "common/model/protocol.h"

static const char *const announced[] = {"evidence", "renewal", "teleport", NULL};

const fc_protocol_build fc_protocol_here = {
    .version_min = SKEW_MIN, .version = SKEW_MAX, .features = announced};
