/* refusal.h: a coordinator that does not let us in: when to come again, and what of it is news for the log.
 *
 * Pure: codes, sentences and random numbers come from the caller.
 */
#ifndef ND_REFUSAL_H
#define ND_REFUSAL_H

#include "common/base/err.h"
#include "common/rpc/rpc.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ND_REFUSAL_RETRY_MS = 5000, /* after a refused Hello, and as much again at random */
    ND_REFUSAL_SKEW_MS = 30000, /* the same when the versions do not fit */
    /* The most that lies between two attempts of one who is not wanted, by its certificate or at Hello: a
     * coordinator whose revocation list or clock was wrong has its fleet back after that. */
    ND_REFUSAL_MAX_MS = FC_RPC_REFUSED_MAX_MS,
};

/* {0} is at peace. */
typedef struct nd_refusal {
    unsigned count;                                    /* in a row that we were not allowed in */
    char said[sizeof((fc_rpc_status *)NULL)->message]; /* why there is no connection; "" = nobody asked yet */
} nd_refusal;

/* Why there is no connection: true when that is another reason than the last one. */
bool
nd_refusal_is_news(nd_refusal *refusal, const char *why);
/* Hello was refused with this: how long to wait. Not at once: what refuses us now will refuse us in a second
 * too. Where the versions do not fit (FAILED_PRECONDITION), later: one of the two is being upgraded, and when
 * it is the coordinator, this connection ends by that. Where we are not allowed (PERMISSION_DENIED,
 * UNAUTHENTICATED), twice as long each time. */
int64_t
nd_refusal_wait_ms(nd_refusal *refusal, fc_code code, uint32_t random);

#endif
