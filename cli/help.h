/* help.h: help pages, made from the tables of command.h. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"
#include "common/base/buf.h"

/* The page for args: one command's, one group's, or the overview. Appended to *text. */
void
cli_help_page(const cli_args *args, fc_buf *text);

#endif
