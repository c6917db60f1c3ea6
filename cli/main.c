/* fleetcap: the operator's command. Options, dispatch, one sentence for what went wrong. */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/session.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void
print_help(const cli_args *args)
{
    fc_buf page = {0};
    cli_help_page(args, &page);
    cli_out_write(&page);
    fc_buf_fini(&page);
}

static fc_err
dispatch(cli_run *run, fc_fail *fail)
{
    if (run->args.help) {
        print_help(&run->args);
        return FC_OK;
    }
    fc_err err = cli_out_init(&run->out, &run->args, fail);
    return err == FC_OK ? run->args.command->run(run, fail) : err;
}

int
main(int argc, char **argv)
{
    cli_run run = {0};
    fc_fail fail = {0};
    /* For the width of what is printed; numbers and sorting stay those of the C locale. */
    (void)setlocale(LC_CTYPE, "");
    (void)signal(SIGPIPE, SIG_IGN);
    fc_err err =
        cli_args_parse((const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &run.args, &fail);
    if (err == FC_OK)
        err = dispatch(&run, &fail);
    if (err == FC_OK)
        err = cli_out_finish(&fail);
    cli_progress_clear();
    if (err != FC_OK) {
        char *safe = cli_safe_text(fail.text[0] != '\0' ? fail.text : fc_err_text(err));
        (void)fprintf(stderr, "fleetcap: %s\n", safe);
        free(safe);
    }
    cli_session_close(run.session);
    cli_args_fini(&run.args);
    return (int)fc_err_exit(err);
}
