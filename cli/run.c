#include "cli/run.h"

#include "cli/context.h"
#include "cli/session.h"
#include "common/base/mem.h"

#include <stdlib.h>

/* How long connecting may take when --timeout says nothing. */
enum { CONNECT_TIMEOUT_MS = 10000 };

fc_err
cli_run_timeout(const cli_run *run, uint32_t otherwise_ms, uint32_t *ret_ms, fc_fail *fail)
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
cli_run_connect(cli_run *run, fc_fail *fail)
{
    char *path = cli_config_path();
    cli_config config = {0};
    cli_context context = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_run_timeout(run, CONNECT_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_config_load(path, &config, fail);
    if (err == FC_OK)
        err = cli_context_resolve(&config, &run->args, getenv, &context, fail);
    if (err == FC_OK)
        err = cli_context_check(&context, fail);
    if (err == FC_OK)
        err = cli_session_open(&context, timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
                               &run->session, fail);
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
