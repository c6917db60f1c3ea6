/* observer.h: what the analyzer tells of every single conversation and question, for listings and for the
 * tests against tshark. */
#ifndef FC_ANALYSIS_OBSERVER_H
#define FC_ANALYSIS_OBSERVER_H

#include "common/analysis/dns.h"
#include "common/analysis/summary.h"

#include <jansson.h>

typedef struct fc_analysis_observer {
    void (*conversation)(void *user, const fc_conversation_summary *summary);
    void (*dns)(void *user, const fc_dns_transaction *transaction);
} fc_analysis_observer;

/* New references; docs/json.md. `file` is the index into the profile's files (or null): who knows the
 * instance and the names puts them there. */
json_t *
fc_conversation_summary_to_json(const fc_conversation_summary *summary);
json_t *
fc_dns_transaction_to_json(const fc_dns_transaction *transaction);

#endif
