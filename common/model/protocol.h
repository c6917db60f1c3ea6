/* protocol.h: which protocol versions this build speaks, what it can do beyond them, how two builds agree.
 *
 * Pure. A version is a promise about frames, calls and the meaning of fields; it changes when an older
 * program would misunderstand a newer one. What can merely be there or not is a feature: a name that each
 * side tells the other in Hello. Names that we do not know are ignored. Rules: docs/protocol.md.
 */
#ifndef FC_MODEL_PROTOCOL_H
#define FC_MODEL_PROTOCOL_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_PROTOCOL_VERSION = 1,     /* the newest that we speak */
    FC_PROTOCOL_VERSION_MIN = 1, /* the oldest */
    FC_FEATURES_MAX = 64,        /* names of a peer that are looked at; more are left out, and counted */
    FC_FEATURE_NAME_MAX = 31,
};

/*    id        name        since  silent  what a peer that announces it does
 * since: the protocol version that has it. silent: a peer that announces nothing at all (built before the
 * list was) is taken to have it. Released rows are never removed or renamed. */
// clang-format off
#define FC_FEATURES(X)                                                                                       \
    X(EVIDENCE, "evidence", 1, true,  "reports, or takes, profiles and contexts of captures (ReportEvidence)")    \
    X(RENEWAL,  "renewal",  1, false, "renews, or issues, certificates of instances (EnrolService/Renew)")
// clang-format on

typedef enum fc_feature {
#define X(id, name, since, silent, text) FC_FEATURE_##id,
    FC_FEATURES(X)
#undef X
        FC_FEATURE_COUNT
} fc_feature;

typedef struct fc_feature_row {
    const char *name;
    uint32_t since;
    bool silent;
    const char *text;
} fc_feature_row;

const fc_feature_row *
fc_feature_get(fc_feature feature);

/* What this build is. An object of its own in the library, so that a test can link another in front of it:
 * that is then a program of an older or newer release. */
typedef struct fc_protocol_build {
    uint32_t version_min, version;
    const char *const *features; /* what it announces; NULL-terminated */
} fc_protocol_build;
extern const fc_protocol_build fc_protocol_here;

/* What is known of a peer, for as long as its connection lives. {0} = nothing yet. */
typedef struct fc_protocol_peer {
    uint32_t version;  /* the one that is spoken */
    uint32_t features; /* a bit for each fc_feature */
    uint32_t unknown;  /* names that were ignored: not ours, too long, or beyond FC_FEATURES_MAX */
} fc_protocol_peer;

/* The coordinator's decision: the newest version that both speak. peer_min 0 = peer_max (a node that does not
 * say). FC_ERR_STATE and a sentence that names both ranges and the side to upgrade; FC_ERR_INVALID for a
 * range that is none. */
FC_MUST_USE fc_err
fc_protocol_agree(uint32_t peer_min, uint32_t peer_max, uint32_t *ret_version, fc_fail *fail);
/* The node's check of what a coordinator chose. FC_ERR_STATE: we never offered that one. */
FC_MUST_USE fc_err
fc_protocol_accept(uint32_t chosen, fc_fail *fail);

/* Takes down what a peer announces: at most FC_FEATURES_MAX names are looked at. A feature that came later
 * than the version spoken counts all the same: it was announced. */
void
fc_protocol_meet(uint32_t version, char *const *names, size_t count, fc_protocol_peer *ret_peer);
bool
fc_protocol_can(const fc_protocol_peer *peer, fc_feature feature);
/* What we announce; the texts are borrowed. Returns how many. */
size_t
fc_protocol_announce(char *ret_names[FC_FEATURES_MAX]);

#endif
