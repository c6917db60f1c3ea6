/* evidence.h: what of an instance capture goes to the coordinator beside its state: the profile of its
 * traffic, and the network context of this instance at its start and at its stop.
 *
 * Kept packed, as it travels; written beside the capture, so that a restarted node still has it. A capture
 * that goes on after a restart has several helpers: each begins a profile of its own, and what is kept is the
 * sum.
 */
#ifndef ND_EVIDENCE_H
#define ND_EVIDENCE_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nd_storage nd_storage;

/* What of something the coordinator has seen. Revisions grow; sent: in the call under way, 0 = not in it. */
typedef struct nd_mark {
    uint64_t revision, sent, acked;
} nd_mark;

/* With the names of their files. */
#define ND_EVIDENCE(X)                                                                                       \
    X(PROFILE, "profile.pb")                                                                                 \
    X(CONTEXT_START, "context-start.pb")                                                                     \
    X(CONTEXT_STOP, "context-stop.pb")
typedef enum nd_evidence_kind {
#define X(name, file) ND_EVIDENCE_##name,
    ND_EVIDENCE(X)
#undef X
        ND_EVIDENCE_COUNT
} nd_evidence_kind;

enum { ND_EVIDENCE_BYTES_MAX = 60 << 10 }; /* of one: fits a frame */

typedef struct nd_evidence_item {
    fc_buf packed; /* owned; empty = none yet */
    nd_mark mark;
    fc_mono told; /* when it was sent last */
    bool unsaved;
    bool kept; /* acknowledged after the capture's end: the coordinator has stored it */
} nd_evidence_item;

/* {0} is none. */
typedef struct nd_evidence {
    nd_evidence_item items[ND_EVIDENCE_COUNT];
    fc_buf earlier; /* owned: the profile of the helpers before this one; empty = it is the first */
} nd_evidence;

void
nd_evidence_fini(nd_evidence *evidence);
const char *
nd_evidence_file(nd_evidence_kind kind);
/* Copies; what is there already is no news. */
void
nd_evidence_put(nd_evidence *evidence, nd_evidence_kind kind, const void *bytes, size_t size, fc_wall now);
/* Another helper begins. */
void
nd_evidence_next_run(nd_evidence *evidence);
/* The newest profile of the helper that runs: replaces its last one, on top of the earlier helpers'.
 * FC_ERR_LIMIT, FC_ERR_CORRUPT: it is left out. */
FC_MUST_USE fc_err
nd_evidence_put_profile(nd_evidence *evidence, const void *bytes, size_t size, fc_wall now, fc_fail *fail);
/* Writes what is new. */
FC_MUST_USE fc_err
nd_evidence_save(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_fail *fail);
/* After a restart: all of it is to be told again. */
void
nd_evidence_load(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_wall now);

#endif
