/* refused.h: what the log says of peers that are refused, and how often.
 *
 * A peer that is refused comes back, and a thousand of them come at once: the log gets CO_REFUSED_BURST lines
 * of a kind, then one every CO_REFUSED_EVERY_MS. What was left out is counted, and the next line of the kind
 * says how many there were; when none comes, the sweep does. Each refusal has its own counter besides.
 */
#ifndef CO_REFUSED_H
#define CO_REFUSED_H

#include "common/base/rate.h"

struct co;

enum {
    CO_REFUSED_BURST = 30,
    CO_REFUSED_EVERY_MS = 2000,
};

/*    kind         what they are called in the log */
#define CO_REFUSED_KINDS(X)                                                                                  \
    X(HELLO, "Hellos")                                                                                       \
    X(FOREIGN, "connections of other fleets")                                                                \
    X(ENROLMENT, "enrolments")                                                                               \
    X(RENEWAL, "renewals")                                                                                   \
    X(REPORT, "reports")                                                                                     \
    X(EVIDENCE, "profiles and contexts")                                                                     \
    X(DESIRED, "desired states")

typedef enum co_refused_kind {
#define X(kind, name) CO_REFUSED_##kind,
    CO_REFUSED_KINDS(X)
#undef X
        CO_REFUSED_KIND_COUNT
} co_refused_kind;

typedef struct co_refused {
    fc_rate rates[CO_REFUSED_KIND_COUNT];
} co_refused;

/* One line, a warning; or it is only counted. */
void
co_refused_log(struct co *co, co_refused_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says how many were left out of each kind of which none has come for a while. */
void
co_refused_sweep(struct co *co);

#endif
