/* rpc_admission.h: AdmissionService as domain types: tokens, enrolments, the removal of an instance. */
#ifndef CLI_RPC_ADMISSION_H
#define CLI_RPC_ADMISSION_H

#include "cli/session.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/tls/token.h"

#include <stdint.h>

/* What a coordinator grants; it has the last word. */
enum { CLI_TOKEN_USES_MAX = 10000, CLI_TOKEN_TTL_MIN_MS = 1000 };
#define CLI_TOKEN_TTL_MAX_MS (30ULL * 86400 * 1000)

typedef struct cli_token {
    char id[FC_TOKEN_ID_LENGTH + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    uint32_t uses, used;
    fc_wall created, expires;
    char *created_by; /* owned */
    bool approval, revoked;
} cli_token;
void
cli_token_fini(cli_token *token);

typedef struct cli_tokens {
    cli_token *items; /* owned */
    size_t count, capacity;
} cli_tokens;
void
cli_tokens_fini(cli_tokens *tokens);

typedef struct cli_token_wish {
    const char *scale_set, *region; /* borrowed */
    uint32_t uses;
    uint64_t ttl_ms;
    bool approval;
} cli_token_wish;
/* ret_text: the token itself, a secret; the caller wipes it. Asked again after a lost connection, it is the
 * same token; of a coordinator that does not know request ids (0.1.0), another: nobody knows the first one's
 * secret, and it expires. */
FC_MUST_USE fc_err
cli_rpc_token_create(cli_session *session, const cli_token_wish *wish, uint32_t timeout_ms,
                     cli_token *ret_token, char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail);
/* all: also those that are of no more use. Appends to *ret, which the caller finishes whatever happens. */
FC_MUST_USE fc_err
cli_rpc_tokens(cli_session *session, bool all, uint32_t timeout_ms, cli_tokens *ret, fc_fail *fail);
FC_MUST_USE fc_err
cli_rpc_token_revoke(cli_session *session, const char *id, uint32_t timeout_ms, cli_token *ret_token,
                     fc_fail *fail);

typedef enum cli_enrolment_state {
    CLI_ENROLMENT_UNKNOWN, /* a newer coordinator's word */
    CLI_ENROLMENT_PENDING,
    CLI_ENROLMENT_APPROVED,
    CLI_ENROLMENT_ISSUED,
    CLI_ENROLMENT_DENIED,
    CLI_ENROLMENT_STATE_COUNT
} cli_enrolment_state;
const char *
cli_enrolment_state_name(cli_enrolment_state state); /* "PENDING" */

typedef struct cli_enrolment {
    char *id, *token_id; /* owned */
    cli_enrolment_state state;
    char instance_id[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char *address, *key_sha256, *decided_by; /* owned */
    fc_wall requested, decided, certificate_expires;
} cli_enrolment;
void
cli_enrolment_fini(cli_enrolment *enrolment);

typedef struct cli_enrolments {
    cli_enrolment *items; /* owned */
    size_t count, capacity;
} cli_enrolments;
void
cli_enrolments_fini(cli_enrolments *enrolments);

/* all: also those that are decided. Appends to *ret, which the caller finishes whatever happens. */
FC_MUST_USE fc_err
cli_rpc_enrolments(cli_session *session, bool all, uint32_t timeout_ms, cli_enrolments *ret, fc_fail *fail);
/* id: the enrolment's, or the instance's that waits. */
FC_MUST_USE fc_err
cli_rpc_enrolment_decide(cli_session *session, const char *id, bool approve, uint32_t timeout_ms,
                         cli_enrolment *ret_enrolment, fc_fail *fail);

typedef struct cli_removed {
    char id[FC_NAME_MAX + 1];
    uint32_t certificates_revoked, captures_ended;
    bool was_connected;
    bool done_before; /* by this very request, whose first answer was lost: nothing is counted again */
} cli_removed;
/* instance: id or name. force: also with captures that are not over. */
FC_MUST_USE fc_err
cli_rpc_instance_remove(cli_session *session, const char *instance, bool force, uint32_t timeout_ms,
                        cli_removed *ret_removed, fc_fail *fail);

#endif
