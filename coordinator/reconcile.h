/* reconcile.h: from what operators want to what every instance is told, again and again until it is so.
 *
 * Each instance has a desired state: a generation and the captures it should know. A change bumps the
 * generation (co_reconcile_touch) and queues a push; at most one is on its way per connection; every
 * reconnect pushes again.
 *
 * Start: arm all, wait for those that are online (at most arm_timeout), decide one instant, tell it to each
 * on its clock.
 */
#ifndef CO_RECONCILE_H
#define CO_RECONCILE_H

#include "common/base/loop.h"
#include "coordinator/captures.h"
#include "coordinator/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct co;

enum {
    CO_LEAD_MIN_MS = 200,
    CO_LEAD_SLACK_MS = 100,
    CO_LEAD_MAX_MS = 5000, /* one instance behind a dead slow path does not hold up the fleet */
    /* A part that nobody started is given up so long after its window. */
    CO_WINDOW_GRACE_MS = 3000,
};

/* The peer's clock against ours. */
typedef struct co_link_clock {
    int64_t offset_ns; /* peer minus us */
    int64_t bound_ns;  /* 0 = not measured */
    int64_t round_trip_ns;
} co_link_clock;

/* The connection to a node as the state modules see it; the scenarios have their own. */
typedef struct co_link_ops {
    /* Sends instance->generation and its desired captures. The answer comes later through co_reconcile_acked
     * or co_reconcile_push_failed, never from within. */
    void (*push)(void *link, co_instance *instance);
    co_link_clock (*clock)(const void *link);
    void (*close)(void *link, const char *reason);
} co_link_ops;

typedef struct co_reconcile {
    co_instance *push_first; /* borrowed: queue through next_push */
    co_instance **push_last;
    fc_task push_task;
    fc_timer sweep_timer;
    uint64_t sweeps;
} co_reconcile;

void
co_reconcile_init(struct co *co);
void
co_reconcile_fini(struct co *co);

/* Takes up again what was under way when the last coordinator ended. */
void
co_reconcile_resume(struct co *co);

/* The instance's desired state changed. */
void
co_reconcile_touch(struct co *co, co_instance *instance);
void
co_reconcile_acked(struct co *co, co_instance *instance, uint64_t generation);
void
co_reconcile_push_failed(struct co *co, co_instance *instance);
/* The node says that it has applied this generation (Hello, Report and Heartbeat carry it). */
void
co_reconcile_applied(struct co *co, co_instance *instance, uint64_t generation);

/* A capture was created: arm. */
void
co_reconcile_begin(struct co *co, co_capture *capture);
/* The part is armed, final, or its instance is away: the start no longer waits for it. */
void
co_reconcile_armed(struct co *co, co_part *part);

/* What an instance says at Hello that it holds: call `digest` for each capture, then `joined`, which pushes.
 */
void
co_reconcile_hello(struct co *co, co_instance *instance, uint64_t generation);
void
co_reconcile_digest(struct co *co, co_instance *instance, const char *capture_uid);
void
co_reconcile_joined(struct co *co, co_instance *instance);
/* The instance's connection is gone. */
void
co_reconcile_left(struct co *co, co_instance *instance);

/* What the instance is to be told of a part. */
typedef struct co_desired {
    co_action action;
    bool with_spec; /* RUN only: what is over needs none */
    fc_stop_reason stop_reason;
    int64_t start_unix_ns; /* the instance's clock; 0 = arm and wait */
    int64_t window_end_unix_ns;
} co_desired;
/* False when the part is over and the instance does not know it: it is left out. Else it counts as told from
 * here on. */
bool
co_reconcile_tell(co_part *part, const co_link_clock *clock, co_desired *ret_desired);

#endif
