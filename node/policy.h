/* policy.h: what this node lets anybody ask of it, coordinator included.
 *
 * A capture that asks for more ends FAILED with POLICY_REFUSED and a sentence that names both numbers.
 */
#ifndef ND_POLICY_H
#define ND_POLICY_H

#include "common/base/err.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <stdint.h>

typedef struct nd_policy {
    uint64_t session_bytes_max; /* 0 = no limit of the node's own, as in all these */
    uint64_t time_limit_max_ms;
    uint64_t bytes_per_packet_max;
    uint64_t disk_floor_bytes; /* free space that a capture must leave */
    uint32_t captures_max;     /* at once */
    fc_strings interfaces;     /* owned; empty = all */
} nd_policy;

typedef struct nd_policy_facts {
    uint64_t free_bytes;      /* under the captures directory */
    uint32_t captures_active; /* others, not yet finished */
} nd_policy_facts;

void
nd_policy_fini(nd_policy *policy);
/* Pure. FC_ERR_DENIED with *ret_reason POLICY_REFUSED or DISK_FLOOR when the node does not do it. */
FC_MUST_USE fc_err
nd_policy_check(const nd_policy *policy, const fc_spec *spec, const nd_policy_facts *facts,
                fc_stop_reason *ret_reason, fc_fail *fail);

#endif
