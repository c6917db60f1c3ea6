/* renewal_plan.h: when a certificate is to be renewed. Pure: times and random numbers come from the caller.
 *
 * Life of a certificate: waits -> due, at a random point when between 30 % and 10 % of its life is left, so
 * that a fleet enrolled at once does not come back at once -> renewed, and a new plan begins; or failed, and
 * due again after a back-off, until the end -> ended, once; then only an enrolment helps. One that became due
 * while there was no coordinator is put off once more when there is one: so did all the others.
 */
#ifndef ND_RENEWAL_PLAN_H
#define ND_RENEWAL_PLAN_H

#include "common/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ND_RENEWAL_EARLIEST_PERCENT = 30, /* of the life that is left */
    ND_RENEWAL_LATEST_PERCENT = 10,
    ND_RENEWAL_RETRY_FIRST_MS = 5000,
    ND_RENEWAL_RETRY_MAX_MS = 15 * 60 * 1000,
    ND_RENEWAL_RETRIES = 8, /* at least so many fit into what is left, down to one a second */
    ND_RENEWAL_FLOOR_MS = 1000,
    ND_RENEWAL_SPREAD_MAX_MS = 10 * 60 * 1000, /* over which those spread that a coordinator finds due */
};

typedef enum nd_renewal_state { ND_RENEWAL_WAITS, ND_RENEWAL_DUE, ND_RENEWAL_ENDED } nd_renewal_state;

typedef struct nd_renewal_plan {
    fc_wall end;       /* of the certificate */
    fc_wall due;       /* the next attempt */
    unsigned failures; /* in a row */
} nd_renewal_plan;

/* A certificate that we have as of `now`. One whose point is past is due at once, but never less than a
 * second after `now`: whatever a coordinator issues, it is not asked in a loop. */
nd_renewal_plan
nd_renewal_plan_make(fc_wall not_before, fc_wall not_after, fc_wall now, uint64_t random);
/* An attempt failed: when is the next? Half of the wait is random. */
void
nd_renewal_plan_failed(nd_renewal_plan *plan, fc_wall now, uint64_t random);
/* It is due, and the coordinator is back: due again at a random point within what is left of the life,
 * divided by ND_RENEWAL_RETRIES, and within ND_RENEWAL_SPREAD_MAX_MS. So most of what is left is left for
 * attempts. */
void
nd_renewal_plan_spread(nd_renewal_plan *plan, fc_wall now, uint64_t random);
nd_renewal_state
nd_renewal_plan_state(const nd_renewal_plan *plan, fc_wall now);
/* For how long nothing changes by itself, at least 1 ms and at most `max_ms` (wall clocks are set, and
 * machines sleep).
 */
int64_t
nd_renewal_plan_wait_ms(const nd_renewal_plan *plan, fc_wall now, int64_t max_ms);

#endif
