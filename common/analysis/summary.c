#include "common/analysis/summary.h"

const char *
fc_tcp_outcome_name(fc_tcp_outcome outcome)
{
    static const char *const names[] = {
        [FC_TCP_UNKNOWN] = "unknown",         [FC_TCP_NO_ANSWER] = "noAnswer",
        [FC_TCP_REFUSED] = "refused",         [FC_TCP_HANDSHAKE] = "handshake",
        [FC_TCP_ESTABLISHED] = "established", [FC_TCP_CLOSED] = "closed",
        [FC_TCP_HALF_CLOSED] = "halfClosed",  [FC_TCP_RESET] = "reset",
        [FC_TCP_HALF_OPEN] = "halfOpen",
    };
    return (unsigned)outcome <= FC_TCP_HALF_OPEN ? names[outcome] : "unknown";
}

const char *
fc_tcp_phase_name(fc_tcp_phase phase)
{
    static const char *const names[] = {
        [FC_PHASE_NONE] = "none", [FC_PHASE_HANDSHAKE] = "handshake", [FC_PHASE_IDLE] = "idle",
        [FC_PHASE_TLS] = "tls",   [FC_PHASE_DATA] = "data",           [FC_PHASE_CLOSING] = "closing",
    };
    return (unsigned)phase <= FC_PHASE_CLOSING ? names[phase] : "none";
}
