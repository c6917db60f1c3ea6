#include "cli/prose.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Narrower than this, a terminal's own wrapping is better than ours. */
enum { WIDTH_MIN = 40 };

static const char *
color_begin(const cli_out *out, const char *color)
{
    static const struct {
        const char *name, *code;
    } codes[] = {
        {"bold", "\033[1m"},  {"red", "\033[31m"},  {"green", "\033[32m"},      {"yellow", "\033[33m"},
        {"cyan", "\033[36m"}, {"gray", "\033[90m"}, {"bold red", "\033[1;31m"}, {"bold yellow", "\033[1;33m"},
    };
    for (size_t i = 0; out->color && color != NULL && i < FC_COUNT(codes); i++)
        if (strcmp(codes[i].name, color) == 0)
            return codes[i].code;
    return "";
}

static const char *
color_end(const char *begin)
{
    return *begin != '\0' ? "\033[0m" : "";
}

/* Bytes that continue a UTF-8 character take no column. */
static size_t
columns(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static void
put_words(fc_buf *text, const char *words, size_t width, size_t first, size_t rest)
{
    size_t at = first;
    bool fresh = true;
    while (*words != '\0') {
        size_t length = strcspn(words, " "), wide = columns(words, length);
        if (!fresh && width > 0 && at + 1 + wide > width) {
            fc_buf_printf(text, "\n%*s", (int)rest, "");
            at = rest;
            fresh = true;
        }
        fc_buf_printf(text, "%s%.*s", fresh ? "" : " ", (int)length, words);
        at += wide + !fresh;
        fresh = false;
        words += length;
        words += strspn(words, " ");
    }
}

void
cli_prose(fc_buf *text, const cli_out *out, size_t first, size_t rest, const char *color, const char *format,
          ...)
{
    char *raw = NULL;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&raw, format, list);
    va_end(list);
    if (length < 0)
        return;
    char *safe = cli_safe_text(raw);
    const char *begin = color_begin(out, color);
    fc_buf_printf(text, "%*s%s", (int)first, "", begin);
    put_words(text, safe, out->width >= WIDTH_MIN ? out->width : 0, first, rest);
    fc_buf_printf(text, "%s\n", color_end(begin));
    free(safe);
    free(raw);
}

void
cli_prose_labelled(fc_buf *text, const cli_out *out, size_t indent, const char *label, size_t width,
                   const char *value)
{
    char *safe = cli_safe_text(value);
    fc_buf_printf(text, "%*s%-*s", (int)indent, "", (int)width, label);
    put_words(text, safe, out->width >= WIDTH_MIN ? out->width : 0, indent + width, indent + width);
    fc_buf_printf(text, "\n");
    free(safe);
}

void
cli_prose_line(fc_buf *text, const cli_out *out, size_t indent, const char *color, const char *line)
{
    char *safe = cli_safe_text(line);
    const char *begin = color_begin(out, color);
    fc_buf_printf(text, "%*s%s%s%s\n", (int)indent, "", begin, safe, color_end(begin));
    free(safe);
}

const char *
cli_severity_color(fc_severity severity)
{
    switch (severity) {
    case FC_SEVERITY_ERROR:
        return "red";
    case FC_SEVERITY_WARNING:
        return "yellow";
    case FC_SEVERITY_NOTE:
    case FC_SEVERITY_INFO:
        break;
    }
    return NULL;
}

const char *
cli_duration_text(uint64_t ns, char text[CLI_DURATION_TEXT])
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "µs"}};
    for (size_t i = 0; i < FC_COUNT(units); i++)
        if (ns >= units[i].ns) {
            double value = (double)ns / (double)units[i].ns;
            (void)snprintf(text, CLI_DURATION_TEXT, "%.*f %s",
                           value < 10    ? 2
                           : value < 100 ? 1
                                         : 0,
                           value, units[i].unit);
            return text;
        }
    (void)snprintf(text, CLI_DURATION_TEXT, "%" PRIu64 " ns", ns);
    return text;
}

const char *
cli_moment_text(int64_t unix_ns, int64_t day_ns, char text[CLI_MOMENT_TEXT])
{
    time_t seconds = (time_t)(unix_ns / FC_NS_PER_S), day = (time_t)(day_ns / FC_NS_PER_S);
    struct tm at, of_day;
    char shown[24] = "";
    const bool same = unix_ns > 0 && day_ns > 0 && gmtime_r(&day, &of_day) != NULL &&
                      gmtime_r(&seconds, &at) != NULL && at.tm_yday == of_day.tm_yday &&
                      at.tm_year == of_day.tm_year;
    if (unix_ns <= 0 || gmtime_r(&seconds, &at) == NULL ||
        strftime(shown, sizeof shown, same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &at) == 0)
        (void)snprintf(text, CLI_MOMENT_TEXT, "-");
    else
        (void)snprintf(text, CLI_MOMENT_TEXT, "%s.%03d", shown, (int)(unix_ns % FC_NS_PER_S / FC_NS_PER_MS));
    return text;
}

const char *
cli_share_text(uint64_t part, uint64_t whole, char text[CLI_MOMENT_TEXT])
{
    double share = whole > 0 ? 100.0 * (double)part / (double)whole : 0;
    if (whole == 0)
        (void)snprintf(text, CLI_MOMENT_TEXT, "-");
    else
        (void)snprintf(text, CLI_MOMENT_TEXT, "%.*f %%",
                       share >= 10 || part == 0 ? 0
                       : share >= 1             ? 1
                                                : 2,
                       share);
    return text;
}

char *
cli_place_text(const char *file, uint64_t frame)
{
    if (file == NULL)
        return fc_strdup("");
    return frame > 0 ? fc_sprintf("%s, frame %" PRIu64, file, frame) : fc_strdup(file);
}
