/* capture_wait.h: following a capture until every instance has reached a goal. */
#ifndef CLI_CAPTURE_WAIT_H
#define CLI_CAPTURE_WAIT_H

#include "cli/capture_view.h"
#include "cli/run.h"

typedef enum cli_goal {
    CLI_GOAL_RUNNING, /* every instance that is connected has started, finished or failed */
    CLI_GOAL_STOPPED, /* every instance has finished or failed */
} cli_goal;

/* Pure. instance_count: how many there should be; fewer statuses than that and nothing is reached. */
bool
cli_goal_reached(cli_goal goal, const cli_statuses *statuses, size_t instance_count);
/* Follows the capture with progress. FC_ERR_TIMEOUT says who is not there yet; timeout_ms 0 = no limit.
 * *ret_capture and *ret_statuses hold the last that was heard, also after a failure; finished by the caller.
 */
FC_MUST_USE fc_err
cli_wait_for(cli_run *run, const char *name, cli_goal goal, uint32_t timeout_ms, cli_capture *ret_capture,
             cli_statuses *ret_statuses, fc_fail *fail);
/* FC_ERR_PARTIAL with a sentence that names the failed instances; FC_OK when there are none. */
FC_MUST_USE fc_err
cli_failed_instances(const char *name, const cli_statuses *statuses, fc_fail *fail);
/* The sentence for Ctrl-C: the capture goes on, and how to stop it. */
fc_err
cli_goes_on(const char *name, fc_fail *fail);
/* The capture's name from the operand or --name. Borrowed. */
FC_MUST_USE fc_err
cli_name_of(const cli_args *args, const char **ret_name, fc_fail *fail);

#endif
