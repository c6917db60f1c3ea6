/* run.h: one run of the program: what was typed, where output goes, the connection; and every command's
 * handler.
 *
 * A handler returns FC_OK, or an error with its one sentence in *fail; main prints that sentence and exits
 * with the error's exit status. FC_ERR_PARTIAL is "some instances did, some did not".
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/command.h"
#include "cli/output.h"

struct cli_session;

typedef struct cli_run {
    cli_args args;
    cli_out out;
    struct cli_session *session; /* owned; NULL until cli_run_connect */
} cli_run;

/* Resolves the context, connects and waits for admission. *ret_timeout_ms: how long the calls to come may
 * take, which is --timeout, and otherwise_ms when it was not given. */
FC_MUST_USE fc_err
cli_run_connect(cli_run *run, uint32_t otherwise_ms, uint32_t *ret_timeout_ms, fc_fail *fail);
/* "prod, fleet acme": the context, which every changing command names. Owned by the caller. */
char *
cli_run_place(const cli_run *run);
/* The same in JSON: "context" and "fleet". */
void
cli_run_set_place(const cli_run *run, json_t *tree);
/* For what is asked about first: FC_ERR_INVALID when there is neither --yes nor a terminal. doing:
 * "deleting". */
FC_MUST_USE fc_err
cli_run_check_can_ask(const cli_run *run, const char *doing, const char *name, fc_fail *fail);

// clang-format off
fc_err cli_analyze(cli_run *run, fc_fail *fail);
fc_err cli_compare(cli_run *run, fc_fail *fail);
fc_err cli_path(cli_run *run, fc_fail *fail);
fc_err cli_capture_create(cli_run *run, fc_fail *fail);
fc_err cli_capture_list(cli_run *run, fc_fail *fail);
fc_err cli_capture_show(cli_run *run, fc_fail *fail);
fc_err cli_capture_stop(cli_run *run, fc_fail *fail);
fc_err cli_capture_delete(cli_run *run, fc_fail *fail);
fc_err cli_capture_wait(cli_run *run, fc_fail *fail);
fc_err cli_capture_watch(cli_run *run, fc_fail *fail);
fc_err cli_capture_files(cli_run *run, fc_fail *fail);
fc_err cli_capture_download(cli_run *run, fc_fail *fail);
fc_err cli_capture_profile(cli_run *run, fc_fail *fail);
fc_err cli_instance_list(cli_run *run, fc_fail *fail);
fc_err cli_instance_show(cli_run *run, fc_fail *fail);
fc_err cli_instance_remove(cli_run *run, fc_fail *fail);
fc_err cli_token_create(cli_run *run, fc_fail *fail);
fc_err cli_token_list(cli_run *run, fc_fail *fail);
fc_err cli_token_revoke(cli_run *run, fc_fail *fail);
fc_err cli_enrolment_list(cli_run *run, fc_fail *fail);
fc_err cli_enrolment_approve(cli_run *run, fc_fail *fail);
fc_err cli_enrolment_deny(cli_run *run, fc_fail *fail);
fc_err cli_fleet_show(cli_run *run, fc_fail *fail);
fc_err cli_pki_init(cli_run *run, fc_fail *fail);
fc_err cli_pki_issue(cli_run *run, fc_fail *fail);
fc_err cli_pki_revoke(cli_run *run, fc_fail *fail);
fc_err cli_pki_show(cli_run *run, fc_fail *fail);
fc_err cli_context_list(cli_run *run, fc_fail *fail);
fc_err cli_context_use(cli_run *run, fc_fail *fail);
fc_err cli_context_show(cli_run *run, fc_fail *fail);
fc_err cli_context_set(cli_run *run, fc_fail *fail);
fc_err cli_completion(cli_run *run, fc_fail *fail);
fc_err cli_version(cli_run *run, fc_fail *fail);
// clang-format on

#endif
