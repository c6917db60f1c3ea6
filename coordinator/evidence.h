/* evidence.h: profiles and contexts of instance captures, for comparisons.
 *
 * Kept as bytes, as the instances sent them; nothing here looks into them further than to see that they are
 * such messages (whoever compares them trusts none of it). What has come is in memory until it is stored, in
 * batches of its own, so that a fleet's profiles never hold up a state: evidence of a capture that runs is
 * written after some seconds (a newer profile takes its place until then), that of one that is over at once,
 * and then answered for. Once stored only its number stays in memory.
 */
#ifndef CO_EVIDENCE_H
#define CO_EVIDENCE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co;
struct co_part;

/* Numbers are those in the database: never re-used. */
typedef enum co_evidence_kind {
    CO_EVIDENCE_PROFILE = 0,
    CO_EVIDENCE_CONTEXT_START = 1,
    CO_EVIDENCE_CONTEXT_STOP = 2,
    CO_EVIDENCE_KINDS = 3,
} co_evidence_kind;

enum {
    CO_EVIDENCE_BYTES_MAX = 60 << 10,    /* of one item: it came in one frame */
    CO_EVIDENCE_LAZY_MS = 10000,         /* of a capture that runs */
    CO_EVIDENCE_URGENT_MS = 50,          /* of one that is over */
    CO_EVIDENCE_BATCH_BYTES = 2 << 20,   /* in one transaction: some milliseconds */
    CO_EVIDENCE_PAUSE_MS = 20,           /* for everything else, between two */
    CO_EVIDENCE_UNSTORED_MAX = 64 << 20, /* in memory; beyond it, it is written at once */
};

/* Told when what was put with it is stored, or could not be. */
typedef struct co_evidence_wait {
    void (*done)(struct co_evidence_wait *wait, fc_err err, const fc_fail *fail);
    struct co_evidence *evidence; /* borrowed; NULL = does not wait */
    struct co_evidence_wait *next, *prev;
} co_evidence_wait;

/* What is known of one instance capture's evidence. */
typedef struct co_evidence {
    struct co_part *part;                  /* borrowed: its owner */
    uint64_t revisions[CO_EVIDENCE_KINDS]; /* 0 = there is none */
    fc_buf unstored[CO_EVIDENCE_KINDS];    /* owned; empty = the store has it */
    co_evidence_wait *waits;               /* borrowed: one for each report that is not answered yet */
    bool queued, urgent;
    fc_mono due;
    struct co_evidence *next, *prev; /* those with something unstored, the most urgent first */
} co_evidence;

typedef struct co_evidence_queue {
    co_evidence *first; /* borrowed */
    fc_timer timer;
} co_evidence_queue;

void
co_evidence_init(struct co *co);
/* Writes what waits, as far as it can be. */
void
co_evidence_fini(struct co *co);

/* Takes over what an instance said of its part; an item that is not newer than what is known is dropped.
 * `wait` (NULL = nobody) is told when it is stored, never from within; *ret_stored: there is nothing to wait
 * for. FC_ERR_INVALID for bytes that are no such message, FC_ERR_LIMIT. */
FC_MUST_USE fc_err
co_evidence_put(struct co *co, struct co_part *part, co_evidence_kind kind, uint64_t revision,
                const void *bytes, size_t size, co_evidence_wait *wait, bool *ret_stored, fc_fail *fail);
void
co_evidence_unwait(co_evidence_wait *wait);
/* Appends the newest bytes; nothing when there are none. */
FC_MUST_USE fc_err
co_evidence_get(struct co *co, const struct co_part *part, co_evidence_kind kind, fc_buf *out,
                uint64_t *ret_revision, fc_fail *fail);
/* The part goes: so does what was not stored. */
void
co_evidence_free(struct co *co, struct co_part *part);

#endif
