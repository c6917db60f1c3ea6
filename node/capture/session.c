#include "node/capture/session.h"

void
cap_session_init(cap_session *session, uint64_t packet_limit, uint64_t session_bytes)
{
    *session = (cap_session){
        .start_ns = INT64_MAX,
        .end_ns = INT64_MAX,
        .packets_left = packet_limit,
        .bytes_left = session_bytes,
    };
}

void
cap_session_start(cap_session *session, int64_t start_ns, int64_t window_end_ns)
{
    session->start_ns = start_ns;
    if (window_end_ns != 0)
        cap_session_end(session, window_end_ns);
}

void
cap_session_end(cap_session *session, int64_t end_ns)
{
    if (end_ns < session->end_ns)
        session->end_ns = end_ns;
}

void
cap_session_reached(cap_session *session)
{
    if (session->limit == FC_STOP_NONE)
        session->limit = session->packets_left == 0 ? FC_STOP_PACKET_COUNT : FC_STOP_SESSION_BYTES;
    session->end_ns = INT64_MIN;
}

cap_verdict
cap_session_refuse(cap_session *session, int64_t unix_ns)
{
    if (unix_ns < session->start_ns) {
        session->before_start++;
        return CAP_BEFORE_START;
    }
    if (unix_ns < session->end_ns)
        cap_session_reached(session);
    session->after_stop++;
    return CAP_AFTER_STOP;
}

void
cap_session_counters(const cap_session *session, const cap_kernel_counts *kernel, const cap_outcome *outcome,
                     fc_counters *ret_counters)
{
    *ret_counters = (fc_counters){
        .matched_packets = kernel->matched,
        .written_packets = outcome->written_packets,
        .written_bytes = outcome->written_bytes,
        .dropped_kernel = kernel->dropped,
        .dropped_writer = kernel->dropped_stalled + outcome->lost_packets,
        .dropped_before_start = session->before_start,
        .dropped_after_stop = session->after_stop,
        .interface_dropped = kernel->interface_dropped,
        .file_bytes = outcome->file_bytes,
    };
}
