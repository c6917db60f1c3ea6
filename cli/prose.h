/* prose.h: paragraphs for people: wrapped to the terminal, coloured where it may be, made safe. Pure: no I/O.
 */
#ifndef CLI_PROSE_H
#define CLI_PROSE_H

#include "cli/output.h"
#include "common/compare/compare.h"

/* Appends a paragraph that begins in column `first` and goes on in column `rest`, wrapped at the terminal's
 * width (not at all when there is none), and a newline. color: a libsmartcols colour name or "bold"; NULL =
 * none. Words that came from a peer are made safe. */
void
cli_prose(fc_buf *text, const cli_out *out, size_t first, size_t rest, const char *color, const char *format,
          ...) __attribute__((format(printf, 6, 7)));
/* "  label       text": the same behind a label of `width` columns. */
void
cli_prose_labelled(fc_buf *text, const cli_out *out, size_t indent, const char *label, size_t width,
                   const char *value);
/* Appends a line that is not wrapped, so that it can be copied whole. */
void
cli_prose_line(fc_buf *text, const cli_out *out, size_t indent, const char *color, const char *line);
/* red for errors, yellow for warnings, NULL for less. */
const char *
cli_severity_color(fc_severity severity);

#define CLI_DURATION_TEXT 24
/* "850 ns", "45.2 µs", "12.3 ms", "1.20 s". Returns text. */
const char *
cli_duration_text(uint64_t ns, char text[CLI_DURATION_TEXT]);
#define CLI_MOMENT_TEXT 32
/* "12:03:04.123" on the day of `day_ns`, else with its date; UTC; "-" for 0. Returns text. */
const char *
cli_moment_text(int64_t unix_ns, int64_t day_ns, char text[CLI_MOMENT_TEXT]);
/* "12.3 %", "0.02 %", "100 %"; "-" of nothing. Returns text. */
const char *
cli_share_text(uint64_t part, uint64_t whole, char text[CLI_MOMENT_TEXT]);
/* "web-4_12_00.pcapng, frame 12": where to look; "" without a file. Owned. */
char *
cli_place_text(const char *file, uint64_t frame);

#endif
