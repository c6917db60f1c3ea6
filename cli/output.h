/* output.h: where output goes and what it looks like: results on standard output, everything else on standard
 * error.
 *
 * Texts are built in buffers by functions that do no I/O, and written here. Words that came from a peer pass
 * cli_safe_text before they reach a terminal.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/json.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct cli_args;

typedef enum cli_format { CLI_TABLE, CLI_JSON, CLI_TSV } cli_format;

typedef struct cli_out {
    cli_format format;
    bool color; /* on standard output */
    bool quiet;
    bool out_is_tty;
    bool err_is_tty;
    size_t width;  /* columns of the terminal; 0 = unlimited (not a terminal) */
    size_t height; /* lines of the terminal; 0 = not a terminal */
} cli_out;

struct cli_table;

/* Reads -o, -q, --color, NO_COLOR, TERM and the terminal's size. */
FC_MUST_USE fc_err
cli_out_init(cli_out *out, const struct cli_args *args, fc_fail *fail);
/* Writes and empties the buffer. Failures show up in cli_out_finish. */
void
cli_out_write(fc_buf *text);
/* Pretty-printed; `compact` puts it on one line. Takes the reference. */
void
cli_out_json(json_t *tree, bool compact);
/* As table or TSV, whichever the format says; frees it. Names columns that did not fit in a note. */
void
cli_out_table(const cli_out *out, struct cli_table *table);
/* The text of a line for a person on standard error, made safe. NULL when nobody reads it: that is no
 * terminal, or quiet was asked for. Owned. */
char *
cli_note_text(const cli_out *out, const char *format, va_list list) __attribute__((format(printf, 2, 0)));
/* Writes such a line, if somebody reads it. */
void
cli_note(const cli_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a result must not be read without, where its format has no room for it (-o tsv): lines on standard
 * error, whether or not that is a terminal; not when quiet. */
void
cli_aside(const cli_out *out, const fc_strings *notes);
/* Flushes standard output: FC_ERR_IO when something could not be written. */
FC_MUST_USE fc_err
cli_out_finish(fc_fail *fail);
/* Asks on the terminal. False also for "no", end of file and Ctrl-C. */
bool
cli_confirm(const char *question);
/* Both ends are a terminal: it makes sense to ask. */
bool
cli_can_ask(void);

/* ---- pure text ---- */

/* A copy without control characters (C0, DEL, C1): each becomes '?'. Owned by the caller; NULL gives "". */
char *
cli_safe_text(const char *text);
/* Appends "label        value", the value made safe. */
void
cli_line(fc_buf *text, const char *label, const char *value);
/* "1 instance", "3 instances". Owned. */
char *
cli_count_text(uint64_t count, const char *noun);
/* Adds to a list of counts: "12 kernel, 3 writer"; nothing for 0. */
void
cli_count_add(fc_buf *text, uint64_t count, const char *what);
/* The text of a buffer, which is empty then; `otherwise` when nothing is in it. Owned. */
char *
cli_text_take(fc_buf *text, const char *otherwise);
/* Losses by cause: "12 kernel, 3 writer, 1 interface"; "0" when there are none. Owned. */
char *
cli_drops_text(const fc_counters *counters);
/* Not losses of the window: "3 before start, 2 after stop"; "0". Owned. */
char *
cli_not_written_text(const fc_counters *counters);
/* "104857600 (100.0 MiB)", "no limit" for 0 when zero_text is given. Owned. */
char *
cli_bytes_text(uint64_t bytes, const char *zero_text);
/* 5400 -> "5400 s (1h30m)". Owned. */
char *
cli_seconds_text(uint64_t seconds);
/* "+1.234 ms ± 0.200 ms"; "-" when bound is 0 (not measured). Owned. */
char *
cli_clock_text(int64_t offset_ns, int64_t bound_ns);
const char *
cli_state_color(fc_state state);

#endif
