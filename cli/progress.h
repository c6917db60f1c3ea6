/* progress.h: one line on standard error that renews itself; nothing at all when that is no terminal. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/output.h"

/* Replaces the line. Cut to the terminal's width. */
void
cli_progress(const cli_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the line away, so that something else can be written. */
void
cli_progress_clear(void);

#endif
