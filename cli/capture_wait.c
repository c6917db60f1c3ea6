#include "cli/capture_wait.h"

#include "cli/progress.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { EVENT_INTERVAL_MS = 200, NAMES_SHOWN = 3 };

bool
cli_goal_reached(cli_goal goal, const cli_statuses *statuses, size_t instance_count)
{
    if (statuses->count < instance_count)
        return false;
    cli_tally tally = cli_tally_of(statuses);
    if (goal == CLI_GOAL_RUNNING)
        return tally.waiting == 0;
    return tally.stopped + tally.failed == tally.total;
}

fc_err
cli_name_of(const cli_args *args, const char **ret_name, fc_fail *fail)
{
    const char *operand = args->operands.count > 0 ? args->operands.items[0] : NULL;
    const char *option = cli_args_text(args, CLI_NAME);
    if (operand != NULL && option != NULL && strcmp(operand, option) != 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "\"%s\" and --name \"%s\" are two captures: give one name",
                           operand, option);
    const char *name = operand != NULL ? operand : option;
    if (name == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s needs a capture's name: fleetcap %s NAME",
                           args->command->path, args->command->path);
    if (!fc_name_check(name))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "\"%.80s\" cannot be a capture's name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or "
            "digit",
            name);
    *ret_name = name;
    return FC_OK;
}

fc_err
cli_goes_on(const char *name, fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_CANCELLED,
                       "interrupted, but capture %s goes on: stop it with fleetcap capture stop %s", name,
                       name);
}

/* The names of the instances that `is` picks, as a text. Owned. */
static char *
names_where(const cli_statuses *statuses, bool (*is)(const fc_status *status))
{
    char **names = fc_alloc_array(statuses->count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < statuses->count; i++)
        if (is(&statuses->items[i]))
            names[count++] = statuses->items[i].instance_name;
    char *text = cli_names_text(names, count, NAMES_SHOWN);
    free(names);
    return text;
}

static bool
is_failed(const fc_status *status)
{
    return status->state == FC_STATE_FAILED;
}

static bool
is_not_started(const fc_status *status)
{
    return status->connected &&
           (status->state == FC_STATE_PENDING || status->state == FC_STATE_PROVISIONING ||
            status->state == FC_STATE_UNKNOWN || status->state == FC_STATE_NONE);
}

static bool
is_not_finished(const fc_status *status)
{
    return !fc_state_final(status->state);
}

fc_err
cli_failed_instances(const char *name, const cli_statuses *statuses, fc_fail *fail)
{
    cli_tally tally = cli_tally_of(statuses);
    if (tally.failed == 0)
        return FC_OK;
    const char *error = NULL;
    for (size_t i = 0; i < statuses->count && error == NULL; i++)
        if (is_failed(&statuses->items[i]))
            error = statuses->items[i].error != NULL ? statuses->items[i].error
                                                     : fc_stop_reason_text(statuses->items[i].stop_reason);
    char *names = names_where(statuses, is_failed);
    fc_err err = fc_fail_set(fail, FC_ERR_PARTIAL, "capture %s failed on %zu of %zu instances (%s): %s", name,
                             tally.failed, tally.total, names, error);
    free(names);
    return err;
}

typedef struct following {
    cli_run *run;
    cli_goal goal;
    cli_capture *capture;
    cli_statuses *statuses;
    bool reached;
} following;

static bool
follow(cli_capture *capture, const fc_status *changed, size_t count, void *user)
{
    following *f = user;
    for (size_t i = 0; i < count; i++)
        cli_statuses_put(f->statuses, &changed[i]);
    cli_capture_fini(f->capture);
    *f->capture = *capture;
    memset(capture, 0, sizeof *capture);
    cli_tally tally = cli_tally_of(f->statuses);
    char *text = cli_tally_text(&tally);
    cli_progress(&f->run->out, "%s: %s", f->capture->name, text);
    free(text);
    f->reached = cli_goal_reached(f->goal, f->statuses, f->capture->instance_count);
    return !f->reached;
}

fc_err
cli_wait_for(cli_run *run, const char *name, cli_goal goal, uint32_t timeout_ms, cli_capture *ret_capture,
             cli_statuses *ret_statuses, fc_fail *fail)
{
    following f = {.run = run, .goal = goal, .capture = ret_capture, .statuses = ret_statuses};
    cli_watcher watcher = {follow, &f};
    fc_err err = cli_rpc_watch(run->session, name, EVENT_INTERVAL_MS, timeout_ms, &watcher, fail);
    cli_progress_clear();
    if (err == FC_OK || f.reached)
        return FC_OK;
    if (err == FC_ERR_CANCELLED)
        return cli_goes_on(name, fail);
    if (err != FC_ERR_TIMEOUT)
        return err;
    bool running = goal == CLI_GOAL_RUNNING;
    cli_statuses_sort(ret_statuses);
    char *names = names_where(ret_statuses, running ? is_not_started : is_not_finished);
    err = fc_fail_set(fail, FC_ERR_TIMEOUT, "timed out after %.1f s: capture %s has not %s on %s",
                      timeout_ms / 1000.0, name, running ? "started" : "finished", names);
    free(names);
    return err;
}

/* ---- capture wait ---- */

fc_err
cli_capture_wait(cli_run *run, fc_fail *fail)
{
    const char *name = NULL, *wanted = cli_args_text(&run->args, CLI_FOR);
    cli_goal goal = wanted != NULL && strcmp(wanted, "running") == 0 ? CLI_GOAL_RUNNING : CLI_GOAL_STOPPED;
    cli_capture capture = {0};
    cli_statuses statuses = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_name_of(&run->args, &name, fail);
    if (err == FC_OK && wanted != NULL && strcmp(wanted, "running") != 0 && strcmp(wanted, "stopped") != 0)
        err = fc_fail_set(fail, FC_ERR_INVALID, "--for \"%s\" is not running or stopped", wanted);
    if (err == FC_OK)
        err = cli_run_connect(run, 0, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_wait_for(run, name, goal, timeout_ms, &capture, &statuses, fail);
    if (err != FC_OK)
        goto out;
    cli_statuses_sort(&statuses);
    if (run->out.format == CLI_JSON)
        cli_out_json(cli_capture_whole_json(&capture, &statuses, NULL), false);
    else if (run->out.format == CLI_TSV)
        cli_out_table(&run->out, cli_statuses_table(&statuses, NULL, true));
    else {
        cli_tally tally = cli_tally_of(&statuses);
        char *text = cli_tally_text(&tally);
        fc_buf said = {0};
        fc_buf_printf(&said, "Capture %s: %s.\n", name, text);
        cli_out_write(&said);
        fc_buf_fini(&said);
        free(text);
    }
    err = cli_failed_instances(name, &statuses, fail);
out:
    cli_capture_fini(&capture);
    cli_statuses_fini(&statuses);
    return err;
}
