/* coordinator.h: the coordinator's state: one loop, one store, one registry, one table of captures.
 *
 * All of it belongs to the loop's thread. It knows no connection and no message: nodes are reached through
 * co_link_ops, and the rpc_*.c files call in. Operations (create, stop, delete) are in operations.h.
 */
#ifndef CO_COORDINATOR_H
#define CO_COORDINATOR_H

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "coordinator/captures.h"
#include "coordinator/config.h"
#include "coordinator/counters.h"
#include "coordinator/enrolment.h"
#include "coordinator/evidence.h"
#include "coordinator/persist.h"
#include "coordinator/reconcile.h"
#include "coordinator/refused.h"
#include "coordinator/registry.h"
#include "coordinator/store.h"

struct co {
    fc_loop *loop;               /* borrowed */
    const co_config *config;     /* borrowed */
    co_store *store;             /* borrowed */
    const co_link_ops *link_ops; /* borrowed */
    char fleet[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    uint64_t epoch; /* which start this is: the upper half of every generation */
    co_registry registry;
    co_captures captures;
    co_reconcile reconcile;
    co_persist persist;
    co_evidence_queue evidence;
    co_enrolment enrolment;
    co_refused refused;
    co_counters counters;
};

/* Loads the state from the store and takes it up again. Borrows everything for its life. */
FC_MUST_USE fc_err
co_open(fc_loop *loop, const co_config *config, co_store *store, const co_link_ops *link_ops,
        struct co **ret_co, fc_fail *fail);
/* Every link has left, every watch and operation has ended. Writes what waits. */
void
co_close(struct co *co);

static inline fc_wall
co_wall(const struct co *co)
{
    return fc_clock_wall(fc_loop_clock(co->loop));
}

#endif
