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
    va_list list;
    va_start(list, format);
    char *text = cli_note_text(out, format, list);
    va_end(list);
    if (text == NULL)
        return;
    struct winsize size;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    /* Return to the line's start, write, erase the rest (ECMA-48, EL). */
    (void)fprintf(stderr, "\r%.*s\033[K", width, text);
    (void)fflush(stderr);
    shown = true;
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
