#include "node/state.h"

#include "common/base/mem.h"

#define RELEASE      ND_EFFECT_RELEASE
#define FINISH       ND_EFFECT_FINISH
#define SAVE         ND_EFFECT_SAVE
#define SAVE_SPEC    ND_EFFECT_SAVE_SPEC
#define REPORT       ND_EFFECT_REPORT
#define REPORT_LATER ND_EFFECT_REPORT_LATER
#define SEND_GO      ND_EFFECT_SEND_GO
#define SEND_STOP    ND_EFFECT_SEND_STOP
#define KILL         ND_EFFECT_KILL
#define START        ND_EFFECT_START
#define RECOVER      ND_EFFECT_RECOVER
#define NONE         0u

#define ND(from, event, to, effects) [ND_STATE_##from][ND_EVENT_##event] = {ND_STATE_##to, effects, true},

// clang-format off
static const nd_transition table[ND_STATE_COUNT][ND_EVENT_COUNT] = {
/*     from          event             to            effects */
    ND(PENDING,      ADMIT,            PROVISIONING, SAVE | REPORT_LATER | START)
    ND(PENDING,      REFUSE,           FAILED,       FINISH | SAVE | REPORT)
    ND(PENDING,      GO,               PENDING,      SAVE_SPEC)
    ND(PENDING,      STOP,             STOPPED,      FINISH | SAVE | REPORT)

    ND(PROVISIONING, REFUSE,           FAILED,       FINISH | SAVE | REPORT)
    ND(PROVISIONING, GO,               PROVISIONING, SAVE_SPEC)
    ND(PROVISIONING, STOP,             STOPPING,     SAVE | REPORT | SEND_STOP)
    ND(PROVISIONING, HELPER_ARMED,     ARMED,        REPORT | SEND_GO)
    ND(PROVISIONING, HELPER_STOPPED,   STOPPED,      RELEASE | FINISH | SAVE | REPORT)
    ND(PROVISIONING, HELPER_FAILED,    FAILED,       RELEASE | FINISH | SAVE | REPORT)
    ND(PROVISIONING, HELPER_DIED,      RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(PROVISIONING, TIMEOUT,          STOPPING,     REPORT | KILL)

    ND(ARMED,        GO,               ARMED,        SEND_GO | SAVE_SPEC)
    ND(ARMED,        STOP,             STOPPING,     SAVE | REPORT | SEND_STOP)
    ND(ARMED,        HELPER_STARTED,   RUNNING,      SAVE | REPORT)
    ND(ARMED,        HELPER_PROGRESS,  ARMED,        REPORT_LATER)
    ND(ARMED,        HELPER_SEGMENT,   ARMED,        SAVE | REPORT_LATER)
    ND(ARMED,        HELPER_STOPPED,   STOPPED,      RELEASE | FINISH | SAVE | REPORT)
    ND(ARMED,        HELPER_FAILED,    RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(ARMED,        HELPER_DIED,      RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(ARMED,        TIMEOUT,          STOPPING,     REPORT | KILL)

    ND(RUNNING,      STOP,             STOPPING,     SAVE | REPORT | SEND_STOP)
    ND(RUNNING,      HELPER_PROGRESS,  RUNNING,      REPORT_LATER)
    ND(RUNNING,      HELPER_SEGMENT,   RUNNING,      SAVE | REPORT_LATER)
    ND(RUNNING,      HELPER_STOPPED,   STOPPED,      RELEASE | FINISH | SAVE | REPORT)
    ND(RUNNING,      HELPER_FAILED,    RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(RUNNING,      HELPER_DIED,      RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)

    ND(STOPPING,     STOP,             STOPPING,     NONE)
    ND(STOPPING,     HELPER_ARMED,     STOPPING,     NONE)
    ND(STOPPING,     HELPER_STARTED,   STOPPING,     REPORT_LATER)
    ND(STOPPING,     HELPER_PROGRESS,  STOPPING,     REPORT_LATER)
    ND(STOPPING,     HELPER_SEGMENT,   STOPPING,     SAVE | REPORT_LATER)
    ND(STOPPING,     HELPER_STOPPED,   STOPPED,      RELEASE | FINISH | SAVE | REPORT)
    ND(STOPPING,     HELPER_FAILED,    RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(STOPPING,     HELPER_DIED,      RECOVERING,   RELEASE | SAVE | REPORT | RECOVER)
    ND(STOPPING,     TIMEOUT,          STOPPING,     KILL)

    ND(RECOVERING,   STOP,             RECOVERING,   NONE)
    ND(RECOVERING,   GO,               RECOVERING,   NONE)
    ND(RECOVERING,   RECOVERED,        FAILED,       FINISH | SAVE | REPORT)

    ND(STOPPED,      STOP,             STOPPED,      NONE)
    ND(FAILED,       STOP,             FAILED,       NONE)
};
// clang-format on

static const struct {
    const char *name;
    fc_state reported;
} states[] = {
#define X(name, reported) [ND_STATE_##name] = {#name, FC_STATE_##reported},
    ND_STATES(X)
#undef X
};

static const char *const events[] = {
#define X(name) [ND_EVENT_##name] = #name,
    ND_EVENTS(X)
#undef X
};

nd_transition
nd_state_next(nd_state from, nd_event event)
{
    nd_transition next = {.to = from, .effects = 0, .known = false};
    if ((unsigned)from < ND_STATE_COUNT && (unsigned)event < ND_EVENT_COUNT && table[from][event].known)
        next = table[from][event];
    return next;
}

const char *
nd_state_name(nd_state state)
{
    return (size_t)state < FC_COUNT(states) ? states[state].name : "?";
}

const char *
nd_event_name(nd_event event)
{
    return (size_t)event < FC_COUNT(events) ? events[event] : "?";
}

fc_state
nd_state_reported(nd_state state)
{
    return (size_t)state < FC_COUNT(states) ? states[state].reported : FC_STATE_UNKNOWN;
}
