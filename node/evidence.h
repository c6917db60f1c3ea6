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
#include "common/profile/profile.h"

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
/* Files that are not told: the sum of the helpers before the last one, and what a helper left behind that had
 * nobody to tell any more (FC_PROFILE_LAST_FILE). */
#define ND_EVIDENCE_BEHIND(X)                                                                                \
    X(EARLIER, "profile-earlier.pb")                                                                         \
    X(LAST, FC_PROFILE_LAST_FILE)
typedef enum nd_evidence_kind {
#define X(name, file) ND_EVIDENCE_##name,
    ND_EVIDENCE(X) ND_EVIDENCE_COUNT,
    ND_EVIDENCE_AT_COUNT = ND_EVIDENCE_COUNT - 1, /* the next goes on from here */
    ND_EVIDENCE_BEHIND(X) ND_EVIDENCE_FILES
#undef X
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
    bool earlier_unsaved, last_read;
} nd_evidence;

void
nd_evidence_fini(nd_evidence *evidence);
const char *
nd_evidence_file(nd_evidence_kind kind);
/* Copies; what is there already is no news. */
void
nd_evidence_put(nd_evidence *evidence, nd_evidence_kind kind, const void *bytes, size_t size, fc_wall now);
/* Another helper begins; those before it have written so many packets. */
void
nd_evidence_next_run(nd_evidence *evidence, uint64_t written_packets, fc_wall now);
/* So many packets are in the files: those that no profile speaks of count as not profiled. */
void
nd_evidence_account(nd_evidence *evidence, uint64_t written_packets, fc_wall now);
/* The newest profile of the helper that runs: replaces its last one, on top of the earlier helpers'.
 * FC_ERR_LIMIT, FC_ERR_CORRUPT: it is left out. */
FC_MUST_USE fc_err
nd_evidence_put_profile(nd_evidence *evidence, const void *bytes, size_t size, fc_wall now, fc_fail *fail);
/* Writes what is new, in an order in which no packet counts twice, wherever it ends. */
FC_MUST_USE fc_err
nd_evidence_save(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_fail *fail);
/* After a restart: all of it is to be told again. */
void
nd_evidence_load(nd_evidence *evidence, nd_storage *storage, const char *directory, fc_wall now);

#endif
