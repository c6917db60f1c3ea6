/* worker.h: one thread for what takes long and decides nothing: hashing and repairing files.
 *
 * Jobs run one after the other on the thread; their `done` runs on the loop. Single producer: the loop's
 * thread.
 */
#ifndef ND_WORKER_H
#define ND_WORKER_H

#include "common/base/err.h"
#include "common/base/loop.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct nd_worker nd_worker;

/* The first member of each kind of job, which is one allocation. */
typedef struct nd_job {
    struct nd_job *next; /* the worker's */
    void (*work)(struct nd_job *job,
                 const atomic_bool *giving_up); /* on the thread; looks at giving_up now and then */
    void (*done)(struct nd_job *job);           /* on the loop */
    void (*drop)(struct nd_job *job);           /* frees it; after done, or instead of it */
} nd_job;

FC_MUST_USE fc_err
nd_worker_new(fc_loop *loop, nd_worker **ret_worker, fc_fail *fail);
/* Waits for the job at hand, which is told to give up; drops the others. */
void
nd_worker_free(nd_worker *worker);
void
nd_worker_submit(nd_worker *worker, nd_job *job); /* takes job */

#endif
