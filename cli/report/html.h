/* html.h: markup with every text escaped, and the numbers and times of a report.
 *
 * Texts come from packets, peers and files: nothing reaches the page but through cli_html and cli_html_text.
 */
#ifndef CLI_REPORT_HTML_H
#define CLI_REPORT_HTML_H

#include "common/base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Appends markup. %s is escaped; %zu, %u, %d and %.1f are numbers; "%%" is "%". No others. */
void
cli_html(fc_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends a text, escaped. Control characters, what is not UTF-8 and marks that turn the direction of writing
 * become "?"; line feeds and tabs stay. NULL is nothing. */
void
cli_html_text(fc_buf *out, const char *text);

#define CLI_REPORT_TEXT 48
/* "0.42", "12.3", "4,200", "1.3 M": three digits are enough for a comparison; "–" for NAN. Returns text. */
const char *
cli_report_number(double value, char text[CLI_REPORT_TEXT]);
/* The same with its unit: "12.3 ms", "4.1 %". */
const char *
cli_report_quantity(double value, const char *unit, char text[CLI_REPORT_TEXT]);
/* "4,200" */
const char *
cli_report_count(uint64_t value, char text[CLI_REPORT_TEXT]);
/* "2026-11-21 06:04:12.123 UTC"; "–" for 0. */
const char *
cli_report_time(int64_t unix_ns, char text[CLI_REPORT_TEXT]);
/* "06:04:12" */
const char *
cli_report_clock(int64_t unix_s, char text[CLI_REPORT_TEXT]);
/* "1.5 ms" from nanoseconds, in the unit that suits; "–" for 0 and NAN. */
const char *
cli_report_duration(double ns, char text[CLI_REPORT_TEXT]);
/* What follows is folded up, under "12 more groups" (fc_agree_count), until cli_html_fold_end. */
void
cli_html_fold(fc_buf *out, size_t count, const char *what);
void
cli_html_fold_end(fc_buf *out);
/* A line of what is not there: "12 more are in the JSON output". */
void
cli_html_left_out(fc_buf *out, size_t count, const char *what);
/* <time datetime="…">2026-11-21 06:04:12.123 UTC</time>, or "–". */
void
cli_html_time(fc_buf *out, int64_t unix_ns);

#endif
