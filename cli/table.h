/* table.h: rows for people (libsmartcols) or for programs (tab-separated).
 *
 * On a terminal that is too narrow, columns are left out by rank, the highest first, and cli_table_text names
 * them; columns of rank 0 always stay. Tab-separated output always has every column.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "common/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    CLI_RIGHT = 1,
    CLI_TRUNCATE = 2,
    CLI_TABLE_ONLY = 4,
    CLI_TSV_ONLY = 8,
    CLI_WHEN_SET = 16, /* in a table, left out when it is "-", "0" or nothing in every row */
};

typedef struct cli_column {
    const char *name; /* "LAST PACKET"; in TSV "last_packet" */
    unsigned flags;
    unsigned rank; /* 0 = never left out */
} cli_column;

typedef struct cli_table cli_table;

/* Borrows columns for its life. */
cli_table *
cli_table_new(const cli_column *columns, size_t count);
void
cli_table_free(cli_table *table);
void
cli_table_row(cli_table *table);
/* Sets a cell of the last row. Control characters of the text become '?'. */
void
cli_table_cell(cli_table *table, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Colour of a cell of the last row: a libsmartcols colour name; NULL = none. */
void
cli_table_color(cli_table *table, size_t column, const char *color);
size_t
cli_table_rows(const cli_table *table);

/* width 0 = unlimited. hidden may be NULL; gets "FILE, FIRST PACKET" appended. */
void
cli_table_text(const cli_table *table, size_t width, bool color, fc_buf *text, fc_buf *hidden);
void
cli_table_tsv(const cli_table *table, fc_buf *text);

#endif
