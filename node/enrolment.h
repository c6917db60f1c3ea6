/* enrolment.h: asks a coordinator for a certificate, with a token and a key, until there is one or it is
 * final.
 *
 * Each attempt is a connection of its own: dial -> handshake (the coordinator is the one whose CA the token
 * names, or nobody) -> Enrol -> issued: checked against our key, over; pending: asked again when an operator
 * may have decided; refused: over; unreachable: tried again after a jittered back-off, until the time is
 * over.
 */
#ifndef ND_ENROLMENT_H
#define ND_ENROLMENT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/tls/key.h"
#include "common/tls/token.h"

#include <stdint.h>

enum {
    ND_ENROLMENT_ATTEMPT_MS = 15000, /* one attempt: name, TCP, handshake, answer */
    ND_ENROLMENT_LAST_MS = 3000,     /* one that begins at the end of the time gets so much */
    ND_ENROLMENT_BACKOFF_FIRST_MS = 500,
    ND_ENROLMENT_BACKOFF_MAX_MS = 15000,
    ND_ENROLMENT_PENDING_MIN_MS = 500, /* whatever the coordinator proposes */
    ND_ENROLMENT_PENDING_MAX_MS = 60000,
};

typedef struct nd_enrolment {
    const char *coordinator; /* "host:port"; borrowed, as all here */
    const fc_token *token;
    fc_key *key;
    const char *id, *name;
    const char *scale_set, *region; /* what the machine believes; "" = it does not know */
    uint64_t wait_ms;               /* for an approval, and for a coordinator that is away; 0 = one attempt */
    void (*tell)(const char *sentence); /* what is waited for, when that changes */
} nd_enrolment;

typedef struct nd_enrolled {
    fc_key_certificate certificate;
    char scale_set[FC_NAME_MAX + 1], region[FC_NAME_MAX + 1];
    fc_buf certificate_pem, ca_pem; /* owned */
} nd_enrolled;

/* FC_ERR_UNAVAILABLE, FC_ERR_TIMEOUT: not reached or not approved in time, and asking again later is the same
 * enrolment; everything else is final. The sentence says what to do. The caller finishes *ret in every case.
 */
FC_MUST_USE fc_err
nd_enrolment_run(const nd_enrolment *enrolment, nd_enrolled *ret, fc_fail *fail);
void
nd_enrolled_fini(nd_enrolled *enrolled);

#endif
