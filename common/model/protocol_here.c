/* protocol_here.c: what this build is. Nothing else may stand here: see protocol.h. */
#include "common/model/protocol.h"

static const char *const announced[] = {
#define X(id, name, since, silent, text) name,
    FC_FEATURES(X)
#undef X
        NULL};

const fc_protocol_build fc_protocol_here = {
    .version_min = FC_PROTOCOL_VERSION_MIN,
    .version = FC_PROTOCOL_VERSION,
    .features = announced,
};
