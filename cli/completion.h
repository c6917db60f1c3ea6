/* completion.h: completion scripts for shells, made from the tables of command.h. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "cli/command.h"
#include "common/base/buf.h"

/* For bash(1) and zsh(1). Appended to *text. */
void
cli_completion_bash(fc_buf *text);
void
cli_completion_zsh(fc_buf *text);

#endif
