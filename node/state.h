/* state.h: the life of an instance capture, as data.
 *
 *   PENDING -> PROVISIONING -> ARMED -> RUNNING -> STOPPING -> STOPPED
 * and from anywhere to FAILED; a helper that dies leads through RECOVERING, in which its last file is cut to
 * the last whole block. STOPPED and FAILED are for ever. The table is pure: it says what follows,
 * instance_capture.c does it.
 */
#ifndef ND_STATE_H
#define ND_STATE_H

#include "common/model/status.h"

#include <stdbool.h>

#define ND_STATES(X)                                                                                         \
    X(PENDING, PENDING)           /* known, not accepted yet */                                              \
    X(PROVISIONING, PROVISIONING) /* the helper opens its ring */                                            \
    X(ARMED, PROVISIONING)        /* the ring is open; waits for the start, or for its instant */            \
    X(RUNNING, RUNNING)                                                                                      \
    X(STOPPING, STOPPING)   /* the helper was told, and seals */                                             \
    X(RECOVERING, STOPPING) /* the helper is gone; its files are being repaired */                           \
    X(STOPPED, STOPPED)                                                                                      \
    X(FAILED, FAILED)
typedef enum nd_state {
#define X(name, reported) ND_STATE_##name,
    ND_STATES(X)
#undef X
        ND_STATE_COUNT
} nd_state;

#define ND_EVENTS(X)                                                                                         \
    X(ADMIT)  /* policy, filter and disk allow it */                                                         \
    X(REFUSE) /* one of them does not, or no helper could be started */                                      \
    X(GO)     /* the start instant is known */                                                               \
    X(STOP)   /* for any reason: asked, lease, window, shutdown */                                           \
    X(HELPER_ARMED)                                                                                          \
    X(HELPER_STARTED)                                                                                        \
    X(HELPER_PROGRESS)                                                                                       \
    X(HELPER_SEGMENT)                                                                                        \
    X(HELPER_STOPPED) /* sealed everything, says why it stopped */                                           \
    X(HELPER_FAILED)  /* could not go on */                                                                  \
    X(HELPER_DIED)    /* the channel ended without a word */                                                 \
    X(RECOVERED)      /* the dead helper's files are in order */                                             \
    X(TIMEOUT)        /* the helper did not arm, start or stop in time */
typedef enum nd_event {
#define X(name) ND_EVENT_##name,
    ND_EVENTS(X)
#undef X
        ND_EVENT_COUNT
} nd_event;

/* What a transition entails, in the order in which it is done: what the network waits for comes before the
 * disk. */
typedef enum nd_effect {
    ND_EFFECT_RELEASE = 1 << 0, /* let go of the helper: it has said its last word */
    ND_EFFECT_FINISH = 1 << 1,  /* the end: stop time, no timer, disposal */
    ND_EFFECT_SEND_GO = 1 << 2, /* when the instant is known */
    ND_EFFECT_SEND_STOP = 1 << 3,
    ND_EFFECT_KILL = 1 << 4,
    ND_EFFECT_REPORT = 1 << 5,       /* at once */
    ND_EFFECT_REPORT_LATER = 1 << 6, /* with the counters */
    ND_EFFECT_SAVE_SPEC = 1 << 7,    /* the window is known now */
    ND_EFFECT_SAVE = 1 << 8,         /* the journal, durably */
    ND_EFFECT_START = 1 << 9,        /* the helper */
    ND_EFFECT_RECOVER = 1 << 10,
} nd_effect;

typedef struct nd_transition {
    nd_state to;
    unsigned effects; /* nd_effect bits */
    bool known;       /* false: this event means nothing in this state, which stays */
} nd_transition;

nd_transition
nd_state_next(nd_state from, nd_event event);
const char *
nd_state_name(nd_state state);
const char *
nd_event_name(nd_event event);
fc_state
nd_state_reported(nd_state state);
static inline bool
nd_state_final(nd_state state)
{
    return state == ND_STATE_STOPPED || state == ND_STATE_FAILED;
}

#endif
