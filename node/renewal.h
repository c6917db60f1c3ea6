/* renewal.h: keeps this instance's certificate alive.
 *
 * When renewal_plan.h says so: a new key in memory, Renew on the node's own connection, the answer checked
 * (fc_key_check: ours, of a CA of the fleet, for a client), ca.crt written if it changed, node.pem replaced
 * by one rename, `renewed` called. Whatever ends the process meanwhile, node.pem is the old or the new key
 * with its certificate, and both are good: the old one is not revoked by being renewed. A coordinator that
 * does not announce renewal is not asked: that is logged once, and looked at again with the next connection.
 */
#ifndef ND_RENEWAL_H
#define ND_RENEWAL_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/loop.h"
#include "node/link.h"

#include <stdint.h>

enum {
    ND_RENEWAL_CALL_MS = 20000, /* for the coordinator's answer */
    ND_RENEWAL_LOOK_MS = 60000, /* the wall clock is looked at so often: it may be set, and machines sleep */
    ND_RENEWAL_READY_MS = 500,  /* while it is due and there is no connection, or none that renews */
};

typedef struct nd_renewal nd_renewal;

typedef struct nd_renewal_options {
    fc_loop *loop; /* borrowed, as all here */
    nd_link *link;
    const char *state_dir;
    void (*renewed)(void *user); /* node.pem is a new one: read it */
    void *user;
} nd_renewal_options;

/* Reads node.pem. The sentence says what is wrong with it. */
FC_MUST_USE fc_err
nd_renewal_new(const nd_renewal_options *options, nd_renewal **ret_renewal, fc_fail *fail);
/* After the link's end: no call of ours is under way then. */
void
nd_renewal_free(nd_renewal *renewal);
/* Does not wait for its point in time: asks for another one as soon as there is a connection. NULL: nothing.
 */
void
nd_renewal_hasten(nd_renewal *renewal);
/* node.pem may be another one (enrolled again): plans anew if it is. */
void
nd_renewal_look(nd_renewal *renewal);

/* For tests and the status line. */
typedef struct nd_renewal_status {
    fc_wall end, due;
    uint64_t renewed, failed, spread; /* since the start; spread: put off when the coordinator was back */
} nd_renewal_status;
nd_renewal_status
nd_renewal_get_status(const nd_renewal *renewal);

#endif
