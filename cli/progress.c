#include "cli/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool shown; /* a line is on the terminal */

void
cli_progress(const cli_out *out, const char *format, ...)
{
    if (out->quiet || !out->err_is_tty)
        return;
    char *text = NULL;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0)
        return;
    char *safe = cli_safe_text(text);
    struct winsize size;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    /* Return to the line's start, write, erase the rest (ECMA-48, EL). */
    (void)fprintf(stderr, "\r%.*s\033[K", width, safe);
    (void)fflush(stderr);
    shown = true;
    free(safe);
    free(text);
}

void
cli_progress_clear(void)
{
    if (!shown)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    shown = false;
}
