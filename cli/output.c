#include "cli/output.h"

#include "cli/command.h"
#include "cli/table.h"
#include "common/base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static fc_err
color_wanted(const cli_args *args, bool is_tty, bool *ret_color, fc_fail *fail)
{
    const char *text = cli_args_text(args, CLI_COLOR);
    if (text == NULL || strcmp(text, "auto") == 0) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        *ret_color =
            is_tty && (no_color == NULL || *no_color == '\0') && term != NULL && strcmp(term, "dumb") != 0;
    } else if (strcmp(text, "always") == 0 || strcmp(text, "never") == 0)
        *ret_color = *text == 'a';
    else
        return fc_fail_set(fail, FC_ERR_INVALID, "--color \"%s\" is not auto, always or never", text);
    return FC_OK;
}

fc_err
cli_out_init(cli_out *out, const cli_args *args, fc_fail *fail)
{
    static const char *const names[] = {[CLI_TABLE] = "table", [CLI_JSON] = "json", [CLI_TSV] = "tsv"};
    out->out_is_tty = isatty(STDOUT_FILENO) != 0;
    out->err_is_tty = isatty(STDERR_FILENO) != 0;
    out->quiet = cli_args_has(args, CLI_QUIET);
    struct winsize size;
    if (out->out_is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        out->width = size.ws_col;
        out->height = size.ws_row;
    }
    fc_err err = color_wanted(args, out->out_is_tty, &out->color, fail);
    if (err != FC_OK)
        return err;
    const char *text = cli_args_text(args, CLI_OUTPUT);
    if (text == NULL)
        return FC_OK;
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            out->format = (cli_format)i;
            return FC_OK;
        }
    return fc_fail_set(fail, FC_ERR_INVALID, "--output \"%s\" is not table, json or tsv", text);
}

static int write_errno; /* of the first output that could not be written; 0 = all was */

static void
flush_output(void)
{
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && write_errno == 0)
        write_errno = errno;
}

void
cli_out_write(fc_buf *text)
{
    if (fc_buf_size(text) > 0)
        (void)fwrite(fc_buf_bytes(text), 1, fc_buf_size(text), stdout);
    flush_output();
    fc_buf_clear(text);
}

void
cli_out_json(json_t *tree, bool compact)
{
    (void)json_dumpf(tree, stdout, compact ? JSON_COMPACT : JSON_INDENT(2));
    (void)fputc('\n', stdout);
    flush_output();
    json_decref(tree);
}

void
cli_out_table(const cli_out *out, cli_table *table)
{
    fc_buf text = {0}, hidden = {0};
    if (out->format == CLI_TSV)
        cli_table_tsv(table, &text);
    else
        cli_table_text(table, out->width, out->color, &text, &hidden);
    cli_out_write(&text);
    if (fc_buf_size(&hidden) > 0)
        cli_note(out, "(no room for %s: -o tsv has all)", fc_buf_text(&hidden));
    fc_buf_fini(&text);
    fc_buf_fini(&hidden);
    cli_table_free(table);
}

char *
cli_note_text(const cli_out *out, const char *format, va_list list)
{
    char *text = NULL;
    if (out->quiet || !out->err_is_tty || vasprintf(&text, format, list) < 0)
        return NULL;
    char *safe = cli_safe_text(text);
    free(text);
    return safe;
}

void
cli_note(const cli_out *out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *text = cli_note_text(out, format, list);
    va_end(list);
    if (text != NULL)
        (void)fprintf(stderr, "%s\n", text);
    free(text);
}

void
cli_aside(const cli_out *out, const fc_strings *notes)
{
    for (size_t i = 0; i < notes->count && !out->quiet; i++) {
        char *safe = cli_safe_text(notes->items[i]);
        (void)fprintf(stderr, "Note: %s\n", safe);
        free(safe);
    }
}

fc_err
cli_out_finish(fc_fail *fail)
{
    flush_output();
    /* A reader that has seen enough, like head(1), is no failure. */
    if (write_errno == 0 || write_errno == EPIPE)
        return FC_OK;
    return fc_fail_errno(fail, write_errno, "cannot write the output");
}

bool
cli_can_ask(void)
{
    return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0;
}

bool
cli_confirm(const char *question)
{
    char *safe = cli_safe_text(question);
    (void)fprintf(stderr, "%s [y/N] ", safe);
    free(safe);
    char answer[16] = "";
    if (fgets(answer, sizeof answer, stdin) == NULL) {
        (void)fputc('\n', stderr);
        return false;
    }
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

/* ---- pure text ---- */

char *
cli_safe_text(const char *text)
{
    char *copy = fc_strdup(text != NULL ? text : "");
    for (unsigned char *at = (unsigned char *)copy; *at != '\0'; at++) {
        /* C1 controls are U+0080 to U+009F: 0xc2 and 0x80 to 0x9f in UTF-8. */
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
        else if (*at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            at[0] = at[1] = '?';
    }
    return copy;
}

void
cli_line(fc_buf *text, const char *label, const char *value)
{
    char *safe = cli_safe_text(value);
    fc_buf_printf(text, "%-12s %s\n", label, safe);
    free(safe);
}

char *
cli_count_text(uint64_t count, const char *noun)
{
    return fc_sprintf("%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
}

void
cli_count_add(fc_buf *text, uint64_t count, const char *what)
{
    if (count > 0)
        fc_buf_printf(text, "%s%llu %s", fc_buf_size(text) > 0 ? ", " : "", (unsigned long long)count, what);
}

char *
cli_text_take(fc_buf *text, const char *otherwise)
{
    if (fc_buf_size(text) == 0)
        fc_buf_printf(text, "%s", otherwise);
    char *owned = fc_buf_take_text(text);
    fc_buf_fini(text);
    return owned;
}

char *
cli_drops_text(const fc_counters *counters)
{
    fc_buf text = {0};
    cli_count_add(&text, counters->dropped_kernel, "kernel");
    cli_count_add(&text, counters->dropped_writer, "writer");
    cli_count_add(&text, counters->interface_dropped, "interface");
    return cli_text_take(&text, "0");
}

char *
cli_not_written_text(const fc_counters *counters)
{
    fc_buf text = {0};
    cli_count_add(&text, counters->dropped_before_start, "before start");
    cli_count_add(&text, counters->dropped_after_stop, "after stop");
    return cli_text_take(&text, "0");
}

char *
cli_bytes_text(uint64_t bytes, const char *zero_text)
{
    char size[FC_SIZE_TEXT];
    if (bytes == 0 && zero_text != NULL)
        return fc_strdup(zero_text);
    if (bytes < 1024)
        return fc_sprintf("%llu bytes", (unsigned long long)bytes);
    return fc_sprintf("%llu bytes (%s)", (unsigned long long)bytes, fc_size_text(bytes, size));
}

char *
cli_seconds_text(uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    if (seconds < 60)
        return fc_sprintf("%llu s", (unsigned long long)seconds);
    fc_buf text = {0};
    fc_buf_printf(&text, "%llu s (", (unsigned long long)seconds);
    for (size_t i = 0; i < FC_COUNT(units); i++) {
        if (seconds >= units[i].seconds)
            fc_buf_printf(&text, "%llu%c", (unsigned long long)(seconds / units[i].seconds), units[i].letter);
        seconds %= units[i].seconds;
    }
    fc_buf_printf(&text, ")");
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

char *
cli_clock_text(int64_t offset_ns, int64_t bound_ns)
{
    if (bound_ns <= 0)
        return fc_strdup("-");
    return fc_sprintf("%+.3f ms ± %.3f ms", (double)offset_ns / FC_NS_PER_MS,
                      (double)bound_ns / FC_NS_PER_MS);
}

const char *
cli_state_color(fc_state state)
{
    switch (state) {
    case FC_STATE_RUNNING:
        return "green";
    case FC_STATE_FAILED:
        return "red";
    case FC_STATE_PENDING:
    case FC_STATE_UNKNOWN:
    case FC_STATE_STOPPING:
    case FC_STATE_PROVISIONING:
        return "yellow";
    case FC_STATE_STOPPED:
    case FC_STATE_NONE:
        break;
    }
    return NULL;
}
