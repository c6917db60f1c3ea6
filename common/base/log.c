#include "common/base/log.h"

#include "common/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *log_program = "fleetcap";
static fc_log_level log_level = FC_LOG_INFO;
static int log_to_journal;

static const struct {
    const char *name;
    fc_log_level level;
} names[] = {
    {"error", FC_LOG_ERROR}, {"warning", FC_LOG_WARNING}, {"notice", FC_LOG_NOTICE},
    {"info", FC_LOG_INFO},   {"debug", FC_LOG_DEBUG},
};

static const char *
level_name(fc_log_level level)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].level == level)
            return names[i].name;
    return "?";
}

int
fc_log_level_parse(const char *text)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(names[i].name, text) == 0)
            return (int)names[i].level;
    return -1;
}

void
fc_log_open(const char *program, fc_log_level level)
{
    log_program = program;
    log_level = level;
    log_to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void
fc_log(fc_log_level level, const char *format, ...)
{
    if (level > log_level)
        return;
    char line[1024];
    char when[FC_TIME_TEXT_SIZE];
    int used = log_to_journal ? snprintf(line, sizeof line, "<%d>", (int)level)
                              : snprintf(line, sizeof line,
                                         "%s %s %s: ", fc_wall_text(fc_clock_wall(&fc_clock_system), when),
                                         log_program, level_name(level));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    /* A peer's text must not be able to forge a second line. */
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    size_t length = strlen(line);
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}
