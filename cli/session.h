/* session.h: one connection to the coordinator, and calls on it, run to their end.
 *
 * The session owns the loop. Ctrl-C (and SIGTERM) cancels the running call, which then returns
 * FC_ERR_CANCELLED. When a connection that was open breaks, a call is made again on a new one, with the same
 * request, until its time is over; the request id in it makes that harmless.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/context.h"
#include "common/base/loop.h"
#include "common/rpc/rpc.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_session cli_session;

/* Takes over *context (emptied). Connects; FC_ERR_UNAVAILABLE names the address, FC_ERR_DENIED another fleet.
 */
FC_MUST_USE fc_err
cli_session_open(cli_context *context, uint32_t timeout_ms, cli_session **ret_session, fc_fail *fail);
void
cli_session_close(cli_session *session); /* NULL is legal */

const char *
cli_session_context(const cli_session *session); /* its label; borrowed */
const char *
cli_session_coordinator(const cli_session *session); /* HOST:PORT; borrowed */
const char *
cli_session_fleet(const cli_session *session); /* from the certificate; borrowed */
/* 32 hexadecimal digits, the same for the session's whole life: the request id. Borrowed. */
const char *
cli_session_request_id(const cli_session *session);
fc_loop *
cli_session_loop(cli_session *session);
/* NULL while there is none. */
fc_rpc_conn *
cli_session_conn(cli_session *session);
/* Ctrl-C was pressed since the session was opened. */
bool
cli_session_interrupted(const cli_session *session);
/* Connects again after the connection was lost; by due at the latest. */
FC_MUST_USE fc_err
cli_session_reconnect(cli_session *session, fc_mono due, fc_fail *fail);

typedef struct cli_request {
    fc_method_id method;
    const ProtobufCMessage *message; /* borrowed */
    uint32_t timeout_ms;             /* for all attempts together; 0 = no limit */
    /* Each answer; return false to end the call early (which then is FC_OK). */
    bool (*each)(const ProtobufCMessage *answer, void *user);
    void *user;
    bool repeatable; /* may be made again even after answers have come: they only replace what is known */
} cli_request;
FC_MUST_USE fc_err
cli_session_call(cli_session *session, const cli_request *request, fc_fail *fail);

#endif
