/* record.h: what was told, into the profile: counters, sketches, tables, series, troubles with their
 * exemplars.
 *
 * Everything here happens once a conversation or a question, not once a packet.
 */
#ifndef FC_ANALYSIS_RECORD_H
#define FC_ANALYSIS_RECORD_H

#include "common/analysis/dns.h"
#include "common/analysis/errors.h"
#include "common/analysis/fragments.h"
#include "common/analysis/pending.h"
#include "common/analysis/summary.h"
#include "common/analysis/tcp.h"

/* One conversation, judged. */
typedef struct fc_told {
    fc_conversation_summary summary; /* community_id is empty */
    fc_tcp_verdict tcp;              /* with TCP */
    uint32_t reset_file, alert_file;
    int64_t reset_ns;
    const fc_errors *errors; /* borrowed; NULL = none */
    bool is_dns, to_many;
    int64_t judged_ns; /* as at */
} fc_told;

void
fc_record_conversation(fc_profile *profile, const fc_told *told);
void
fc_record_dns(fc_profile *profile, const fc_dns_transaction *transaction);
void
fc_record_pending(fc_profile *profile, const fc_pending_request *request);
/* A datagram whose fragments did not all come. local: its destination is this instance. */
void
fc_record_fragments_lost(fc_profile *profile, const fc_datagram *datagram, bool local);
/* An ICMP error about a conversation that is not known. */
void
fc_record_error(fc_profile *profile, fc_error_kind kind, const fc_icmp_message *message, bool sent,
                int64_t unix_ns, uint8_t file, uint64_t frame);
void
fc_record_errors(fc_profile *profile, const fc_told *told);
void
fc_record_tls(fc_profile *profile, const fc_told *told);

/* The exemplar that all troubles of a conversation begin with. */
fc_exemplar
fc_record_exemplar(const fc_conversation_summary *summary);
/* Counts the trouble; the Community ID is computed only if the exemplar is kept. detail may be NULL. */
void
fc_record_trouble(fc_profile *profile, fc_trouble_id id, fc_exemplar *exemplar, const char *detail,
                  uint64_t value);

/* Of the analyzer's indexes, 0xff = none, to those of a profile. */
static inline uint32_t
fc_record_file(uint8_t file)
{
    return file == FC_CONVERSATION_NO_FILE ? FC_EXEMPLAR_NO_FILE : file;
}

#endif
