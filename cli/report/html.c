#include "cli/report/html.h"

#include "common/base/clock.h"
#include "common/profile/agree.h"
#include "common/profile/clean.h"
#include "common/profile/profile.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *
entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void
cli_html_text(fc_buf *out, const char *text)
{
    for (const char *at = text != NULL ? text : ""; *at != '\0';) {
        const char *escaped = entity(*at);
        size_t length = *at == '\n' || *at == '\t' ? 1 : fc_clean_character(at);
        if (escaped != NULL)
            fc_buf_append(out, escaped, strlen(escaped));
        else if (length == 0)
            fc_buf_append(out, "?", 1);
        else
            fc_buf_append(out, at, length);
        at += length > 0 ? length : 1;
    }
}

/* One conversion of the format, which begins at `at` behind its "%". Returns what follows. */
static const char *
convert(fc_buf *out, const char *at, va_list *args)
{
    switch (*at) {
    case '%':
        fc_buf_append(out, "%", 1);
        break;
    case 's':
        cli_html_text(out, va_arg(*args, const char *));
        break;
    case 'u':
        fc_buf_printf(out, "%u", va_arg(*args, unsigned));
        break;
    case 'd':
        fc_buf_printf(out, "%d", va_arg(*args, int));
        break;
    case 'z':
        fc_buf_printf(out, "%zu", va_arg(*args, size_t));
        return at + 2;
    default:
        assert(strncmp(at, ".1f", 3) == 0);
        fc_buf_printf(out, "%.1f", va_arg(*args, double));
        return at + 3;
    }
    return at + 1;
}

void
cli_html(fc_buf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *at = format; *at != '\0';) {
        size_t plain = strcspn(at, "%");
        fc_buf_append(out, at, plain);
        at += plain;
        if (*at == '%')
            at = convert(out, at + 1, &args);
    }
    va_end(args);
}

const char *
cli_report_count(uint64_t value, char text[CLI_REPORT_TEXT])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

const char *
cli_report_number(double value, char text[CLI_REPORT_TEXT])
{
    double size = fabs(value);
    if (isnan(value))
        (void)snprintf(text, CLI_REPORT_TEXT, "–");
    else if (isinf(value))
        (void)snprintf(text, CLI_REPORT_TEXT, value > 0 ? "∞" : "−∞");
    else if (size >= 1e15)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.2g", value);
    else if (size >= 1e9)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.1f G", value / 1e9);
    else if (size >= 1e6)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.1f M", value / 1e6);
    else if (size >= 1e5)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.0f k", value / 1e3);
    else if (size >= 1000 && value > 0)
        return cli_report_count((uint64_t)llround(value), text);
    else if (size >= 100 || value == trunc(value))
        (void)snprintf(text, CLI_REPORT_TEXT, "%.0f", value);
    else if (size >= 10)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.1f", value);
    else if (size >= 0.01)
        (void)snprintf(text, CLI_REPORT_TEXT, "%.2f", value);
    else
        (void)snprintf(text, CLI_REPORT_TEXT, "%.1g", value);
    return text;
}

const char *
cli_report_quantity(double value, const char *unit, char text[CLI_REPORT_TEXT])
{
    (void)cli_report_number(value, text);
    size_t used = strlen(text);
    if (!isnan(value) && unit != NULL && unit[0] != '\0')
        (void)snprintf(text + used, CLI_REPORT_TEXT - used, " %.20s", unit);
    return text;
}

const char *
cli_report_time(int64_t unix_ns, char text[CLI_REPORT_TEXT])
{
    char full[FC_TIME_TEXT_SIZE];
    (void)fc_wall_exact_text((fc_wall){unix_ns}, full);
    if (full[0] == '-')
        (void)snprintf(text, CLI_REPORT_TEXT, "–");
    else
        (void)snprintf(text, CLI_REPORT_TEXT, "%.10s %.12s UTC", full, full + 11);
    return text;
}

const char *
cli_report_clock(int64_t unix_s, char text[CLI_REPORT_TEXT])
{
    time_t seconds = (time_t)unix_s;
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL || strftime(text, CLI_REPORT_TEXT, "%H:%M:%S", &parts) == 0)
        text[0] = '\0';
    return text;
}

const char *
cli_report_duration(double ns, char text[CLI_REPORT_TEXT])
{
    if (!(ns > 0))
        return cli_report_number(NAN, text);
    if (ns < 1e6)
        return cli_report_quantity(ns / 1e3, "µs", text);
    if (ns < 1e9)
        return cli_report_quantity(ns / 1e6, "ms", text);
    return cli_report_quantity(ns / 1e9, "s", text);
}

void
cli_html_fold(fc_buf *out, size_t count, const char *what)
{
    cli_html(out, "<details><summary>");
    fc_agree_count(out, count, what);
    cli_html(out, "</summary>\n");
}

void
cli_html_fold_end(fc_buf *out)
{
    cli_html(out, "</details>\n");
}

void
cli_html_left_out(fc_buf *out, size_t count, const char *what)
{
    cli_html(out, "<p class=\"muted\">");
    fc_agree_count(out, count, what);
    cli_html(out, ".</p>\n");
}

void
cli_html_time(fc_buf *out, int64_t unix_ns)
{
    char full[FC_TIME_TEXT_SIZE], text[CLI_REPORT_TEXT];
    if (unix_ns <= 0)
        cli_html(out, "–");
    else
        cli_html(out, "<time datetime=\"%s\">%s</time>", fc_wall_exact_text((fc_wall){unix_ns}, full),
                 cli_report_time(unix_ns, text));
}
