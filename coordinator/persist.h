/* persist.h: between the objects in memory and the rows of the store; what waits is written in batches.
 *
 * Reports are folded in memory and written lazily, within a second. Those that must not be lost (final
 * states, sealed segments) are urgent: the batch is written within URGENT_MS, and their reporters are
 * answered after it, so that a thousand stops cost a few commits.
 */
#ifndef CO_PERSIST_H
#define CO_PERSIST_H

#include "common/base/err.h"
#include "common/base/loop.h"
#include "coordinator/captures.h"
#include "coordinator/registry.h"
#include "coordinator/store.h"

#include <stdbool.h>

struct co;

enum {
    CO_FLUSH_URGENT_MS = 20,
    CO_FLUSH_LAZY_MS = 1000,
    CO_REFUSALS_PER_MINUTE = 600,
    CO_STRANGERS_PER_MINUTE = 60,
};

/* Told when everything marked before it is durable, or that it could not be stored. */
typedef struct co_flush_wait {
    void (*done)(struct co_flush_wait *wait, fc_err err, const fc_fail *fail);
    struct co_flush_wait *next, *prev;
    bool waiting;
} co_flush_wait;

typedef struct co_audit_entry co_audit_entry;

typedef struct co_persist {
    co_instance *instances; /* borrowed: dirty ones */
    co_capture *captures;
    co_part *parts;
    co_flush_wait *waits;
    co_audit_entry *audit; /* owned: records that wait */
    uint32_t refusals;     /* recorded in this minute */
    uint32_t strangers;    /* likewise, of peers without a certificate */
    fc_mono refusals_since;
    fc_timer timer;
} co_persist;

void
co_persist_init(struct co *co);
/* Writes what waits, as far as it can be. */
void
co_persist_fini(struct co *co);
/* Fills registry and captures from the store. */
FC_MUST_USE fc_err
co_persist_load(struct co *co, fc_fail *fail);

void
co_persist_instance(struct co *co, co_instance *instance);
void
co_persist_capture(struct co *co, co_capture *capture);
void
co_persist_part(struct co *co, co_part *part);
/* The part's segment of that sequence changed or is gone. */
void
co_persist_segment(struct co *co, co_part *part, uint32_t sequence);
/* An audit record of something done that changed nothing in the store (a download). */
void
co_persist_audit(struct co *co, const char *principal, const char *action, const char *object,
                 const char *outcome, const char *detail);
/* The same of an attempt that was refused. A peer that is refused again and again must not fill the disk:
 * past CO_REFUSALS_PER_MINUTE they are only counted; those of strangers, who need nothing to come by, past
 * CO_STRANGERS_PER_MINUTE, and they take no one else's room. */
void
co_persist_refusal(struct co *co, const char *principal, const char *action, const char *object, fc_err err,
                   const char *detail);
/* What an earlier request of `principal` with this id made, when it was of the same method. FC_ERR_NOT_FOUND
 * when there was none, or the id is ""; FC_ERR_EXISTS when it was of another method. Ids are kept for a week.
 */
FC_MUST_USE fc_err
co_persist_find_request(struct co *co, const char *principal, const char *request_id, const char *method,
                        char ret_object[CO_REQUEST_OBJECT_SIZE], fc_fail *fail);
void
co_persist_wait(struct co *co, co_flush_wait *wait);
void
co_persist_unwait(struct co *co, co_flush_wait *wait);

/* Ends a transaction: commits it when all went well so far, else undoes it; counts either. Returns how it
 * ended. */
FC_MUST_USE fc_err
co_persist_end(struct co *co, fc_err so_far, fc_fail *fail);
/* Writes everything that waits, in one transaction with what `more` adds (may be NULL). On failure nothing is
 * written and all of it waits on. */
FC_MUST_USE fc_err
co_persist_flush(struct co *co, fc_err (*more)(struct co *co, void *user, fc_fail *fail), void *user,
                 fc_fail *fail);

/* For `more`: within the transaction. */
FC_MUST_USE fc_err
co_persist_write_audit(struct co *co, const char *principal, const char *action, const char *object,
                       const char *outcome, const char *detail, fc_fail *fail);
FC_MUST_USE fc_err
co_persist_write_request(struct co *co, const char *principal, const char *request_id, const char *method,
                         const char *object, fc_fail *fail); /* id "": nothing is written */
FC_MUST_USE fc_err
co_persist_write_instance(struct co *co, const co_instance *instance, fc_fail *fail);
FC_MUST_USE fc_err
co_persist_write_capture(struct co *co, const co_capture *capture, fc_fail *fail); /* all of it */

/* The capture and all its parts leave the store. */
FC_MUST_USE fc_err
co_persist_remove_capture(struct co *co, co_capture *capture, fc_fail *fail);
FC_MUST_USE fc_err
co_persist_remove_instance(struct co *co, co_instance *instance, fc_fail *fail);

#endif
