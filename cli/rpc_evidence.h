/* rpc_evidence.h: CaptureService/ListEvidence as domain types: what a comparison of a live fleet needs.
 *
 * Profiles and contexts are handed on packed, as the instances made them: who unpacks them trusts nothing.
 */
#ifndef CLI_RPC_EVIDENCE_H
#define CLI_RPC_EVIDENCE_H

#include "cli/session.h"
#include "common/model/definition.h"
#include "common/model/status.h"

typedef struct cli_bytes {
    const uint8_t *data; /* borrowed */
    size_t size;         /* 0 = there is none */
} cli_bytes;

/* Of one instance. */
typedef struct cli_evidence {
    fc_status status;
    fc_labels labels;
    char zone[FC_NAME_MAX + 1];
    int64_t clock_offset_ns,
        clock_bound_ns; /* of the instance against the coordinator; bound 0 = not known */
    cli_bytes profile, context_start, context_stop;
    uint64_t revision; /* of the profile; 0 = none yet */
} cli_evidence;

/* Each instance of the capture, in the coordinator's order: everything is lent for the call. After a lost
 * connection an instance may come again, and then the later one counts. FC_ERR_NOT_FOUND: no such capture. */
FC_MUST_USE fc_err
cli_rpc_evidence(cli_session *session, const char *name, uint32_t timeout_ms,
                 void (*each)(const cli_evidence *evidence, void *user), void *user, fc_fail *fail);

#endif
