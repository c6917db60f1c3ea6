#include "cli/run.h"

#include "cli/context.h"
#include "cli/session.h"
#include "common/base/mem.h"

#include <stdlib.h>

/* How long connecting may take when --timeout says nothing. */
enum { CONNECT_TIMEOUT_MS = 10000 };

/* The --timeout of this run; otherwise_ms when it was not given. */
static fc_err
timeout_of(const cli_run *run, uint32_t otherwise_ms, uint32_t *ret_ms, fc_fail *fail)
{
    uint64_t ms = otherwise_ms;
    fc_err err = cli_args_duration(&run->args, CLI_TIMEOUT, &ms, fail);
    if (err != FC_OK)
        return err;
    if (cli_args_has(&run->args, CLI_TIMEOUT) && (ms == 0 || ms > INT32_MAX))
        return fc_fail_set(fail, FC_ERR_INVALID, "--timeout \"%s\" is not a time between 1ms and 24 days",
                           cli_args_text(&run->args, CLI_TIMEOUT));
    *ret_ms = (uint32_t)ms;
    return FC_OK;
}

fc_err
cli_run_connect(cli_run *run, uint32_t otherwise_ms, uint32_t *ret_timeout_ms, fc_fail *fail)
{
    char *path = cli_config_path();
    cli_config config = {0};
    cli_context context = {0};
    uint32_t timeout_ms = 0, call_timeout_ms = 0;
    fc_err err = timeout_of(run, otherwise_ms, &call_timeout_ms, fail);
    if (err == FC_OK)
        err = timeout_of(run, CONNECT_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_config_load(path, &config, fail);
    if (err == FC_OK)
        err = cli_context_resolve(&config, &run->args, getenv, &context, fail);
    if (err == FC_OK)
        err = cli_context_check(&context, fail);
    if (err == FC_OK)
        err = cli_session_open(&context, timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
                               &run->session, fail);
    if (err == FC_OK)
        *ret_timeout_ms = call_timeout_ms;
    cli_context_fini(&context);
    cli_config_fini(&config);
    free(path);
    return err;
}

char *
cli_run_place(const cli_run *run)
{
    return fc_sprintf("%s, fleet %s", cli_session_context(run->session), cli_session_fleet(run->session));
}

void
cli_run_set_place(const cli_run *run, json_t *tree)
{
    json_object_set_new(tree, "context", json_string(cli_session_context(run->session)));
    json_object_set_new(tree, "fleet", json_string(cli_session_fleet(run->session)));
}

fc_err
cli_run_check_can_ask(const cli_run *run, const char *doing, const char *name, fc_fail *fail)
{
    if (cli_args_has(&run->args, CLI_YES) || cli_can_ask())
        return FC_OK;
    return fc_fail_set(fail, FC_ERR_INVALID, "%s %s needs --yes, because there is no terminal to ask on",
                       doing, name);
}
