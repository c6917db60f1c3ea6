/* reconcile.h: desired set against observed set: what is to be done. Pure, level-triggered.
 *
 * The same desired state may come any number of times; once it is reached, nothing is to be done.
 */
#ifndef ND_RECONCILE_H
#define ND_RECONCILE_H

#include "node/desired.h"
#include "node/state.h"

/* One capture that this node knows. */
typedef struct nd_observed {
    const char *uid; /* borrowed */
    nd_state state;
    bool go_known;      /* the start instant has been told already */
    nd_action disposal; /* FORGET or PURGE under way; NONE otherwise */
} nd_observed;

typedef enum nd_step_kind {
    ND_STEP_ADMIT,   /* new here: check it and arm */
    ND_STEP_GO,      /* its start instant is known now */
    ND_STEP_STOP,    /* with `reason` */
    ND_STEP_RECORD,  /* unknown here and not to be run: remember that it is STOPPED, and why */
    ND_STEP_DISPOSE, /* forget or purge (`disposal`), after it has stopped */
    ND_STEP_KEEP,    /* a disposal is called off */
} nd_step_kind;

typedef struct nd_step {
    nd_step_kind kind;
    const char *uid; /* borrowed from whichever set has it */
    fc_stop_reason reason;
    nd_action disposal;
    nd_desired_capture *want; /* borrowed from desired; NULL when it is not in there */
} nd_step;

/* *ret_steps is owned by the caller (free(3)); a capture can have two (stop, then dispose). */
void
nd_reconcile(const nd_desired *desired, const nd_observed *observed, size_t observed_count, fc_wall now,
             nd_step **ret_steps, size_t *ret_count);

#endif
