#include "node/reconcile.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct plan {
    nd_step *steps; /* owned until handed over */
    size_t count;
} plan;

static void
add(plan *p, nd_step step)
{
    p->steps[p->count++] = step;
}

static bool
window_closed(const nd_desired_capture *want, fc_wall now)
{
    return want->start.ns != 0 && want->window_end.ns != 0 && now.ns >= want->window_end.ns;
}

static void
dispose(plan *p, const nd_observed *have, nd_desired_capture *want, nd_action disposal)
{
    /* Once files are to go, they go. */
    if (have->disposal == ND_ACTION_PURGE || have->disposal == disposal)
        return;
    if (!nd_state_final(have->state))
        add(p, (nd_step){ND_STEP_STOP, have->uid, FC_STOP_CAPTURE_DELETED, ND_ACTION_NONE, want});
    add(p, (nd_step){ND_STEP_DISPOSE, have->uid, FC_STOP_CAPTURE_DELETED, disposal, want});
}

static void
known(plan *p, const nd_observed *have, nd_desired_capture *want, fc_wall now)
{
    if (want == NULL || want->action == ND_ACTION_FORGET || want->action == ND_ACTION_PURGE) {
        dispose(p, have, want, want == NULL ? ND_ACTION_FORGET : want->action);
        return;
    }
    if (have->disposal == ND_ACTION_FORGET)
        add(p, (nd_step){ND_STEP_KEEP, have->uid, FC_STOP_NONE, ND_ACTION_NONE, want});
    if (nd_state_final(have->state) || have->state == ND_STATE_STOPPING || have->state == ND_STATE_RECOVERING)
        return;
    if (want->action == ND_ACTION_STOP)
        add(p, (nd_step){ND_STEP_STOP, have->uid, want->stop_reason, ND_ACTION_NONE, want});
    else if (want->start.ns != 0 && !have->go_known)
        add(p, window_closed(want, now)
                   ? (nd_step){ND_STEP_STOP, have->uid, FC_STOP_WINDOW_CLOSED, ND_ACTION_NONE, want}
                   : (nd_step){ND_STEP_GO, have->uid, FC_STOP_NONE, ND_ACTION_NONE, want});
}

static void
unknown(plan *p, nd_desired_capture *want, fc_wall now)
{
    if (want->action == ND_ACTION_STOP)
        add(p, (nd_step){ND_STEP_RECORD, want->uid, want->stop_reason, ND_ACTION_NONE, want});
    else if (want->action == ND_ACTION_RUN && window_closed(want, now))
        add(p, (nd_step){ND_STEP_RECORD, want->uid, FC_STOP_WINDOW_CLOSED, ND_ACTION_NONE, want});
    else if (want->action == ND_ACTION_RUN)
        add(p, (nd_step){ND_STEP_ADMIT, want->uid, FC_STOP_NONE, ND_ACTION_NONE, want});
}

static const nd_observed *
find(const nd_observed *observed, size_t count, const char *uid)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(observed[i].uid, uid) == 0)
            return &observed[i];
    return NULL;
}

void
nd_reconcile(const nd_desired *desired, const nd_observed *observed, size_t observed_count, fc_wall now,
             nd_step **ret_steps, size_t *ret_count)
{
    plan p = {.steps = fc_alloc_array(2 * observed_count + desired->count, sizeof(nd_step))};
    /* What must end comes first: it makes room under the node's limits. */
    for (size_t i = 0; i < observed_count; i++)
        known(&p, &observed[i], nd_desired_find(desired, observed[i].uid), now);
    for (size_t i = 0; i < desired->count; i++)
        if (find(observed, observed_count, desired->captures[i].uid) == NULL)
            unknown(&p, &desired->captures[i], now);
    *ret_steps = p.steps;
    *ret_count = p.count;
}
