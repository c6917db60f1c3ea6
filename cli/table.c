#include "cli/table.h"

#include "cli/output.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

typedef struct cell {
    char *text;        /* owned; NULL = empty */
    const char *color; /* borrowed literal */
} cell;

struct cli_table {
    const cli_column *columns; /* borrowed from the caller's constant */
    size_t column_count;
    cell *cells; /* owned; row after row */
    size_t row_count;
    size_t row_capacity;
};

cli_table *
cli_table_new(const cli_column *columns, size_t count)
{
    cli_table *table = FC_NEW(cli_table);
    table->columns = columns;
    table->column_count = count;
    return table;
}

void
cli_table_free(cli_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->row_count * table->column_count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void
cli_table_row(cli_table *table)
{
    table->cells = fc_grow_room(table->cells, table->row_count, &table->row_capacity,
                                table->column_count * sizeof(cell));
    memset(&table->cells[table->row_count * table->column_count], 0, table->column_count * sizeof(cell));
    table->row_count++;
}

static cell *
cell_at(const cli_table *table, size_t row, size_t column)
{
    return &table->cells[row * table->column_count + column];
}

void
cli_table_cell(cli_table *table, size_t column, const char *format, ...)
{
    cell *at = cell_at(table, table->row_count - 1, column);
    char *text = NULL;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&text, format, list);
    va_end(list);
    free(at->text);
    at->text = length >= 0 ? cli_safe_text(text) : NULL;
    free(text);
}

void
cli_table_color(cli_table *table, size_t column, const char *color)
{
    cell_at(table, table->row_count - 1, column)->color = color;
}

size_t
cli_table_rows(const cli_table *table)
{
    return table->row_count;
}

/* Columns of the terminal that a text takes; its bytes when it is not valid in this locale. */
static size_t
text_width(const char *text)
{
    wchar_t wide[512];
    size_t count = mbstowcs(wide, text, FC_COUNT(wide));
    if (count == (size_t)-1 || count == FC_COUNT(wide))
        return strlen(text);
    int width = wcswidth(wide, count);
    return width >= 0 ? (size_t)width : strlen(text);
}

static size_t
natural_width(const cli_table *table, size_t column)
{
    size_t width = strlen(table->columns[column].name);
    for (size_t row = 0; row < table->row_count; row++) {
        const char *text = cell_at(table, row, column)->text;
        size_t own = text != NULL ? text_width(text) : 0;
        width = own > width ? own : width;
    }
    return width;
}

static bool
says_something(const cli_table *table, size_t column)
{
    for (size_t row = 0; row < table->row_count; row++) {
        const char *text = cell_at(table, row, column)->text;
        if (text != NULL && *text != '\0' && strcmp(text, "-") != 0 && strcmp(text, "0") != 0)
            return true;
    }
    return false;
}

/* Is it part of a table at all, be there room for it or not? */
static bool
in_table(const cli_table *table, size_t column)
{
    unsigned flags = table->columns[column].flags;
    return (flags & CLI_TSV_ONLY) == 0 && ((flags & CLI_WHEN_SET) == 0 || says_something(table, column));
}

/* Leaves out the column of the highest rank until the rest fits. */
static void
choose_columns(const cli_table *table, size_t width, bool *shown)
{
    size_t total = 0;
    size_t *widths = fc_alloc_array(table->column_count, sizeof *widths);
    for (size_t i = 0; i < table->column_count; i++) {
        shown[i] = in_table(table, i);
        widths[i] = natural_width(table, i) + 1;
        total += shown[i] ? widths[i] : 0;
    }
    while (width > 0 && total > width + 1) {
        size_t worst = table->column_count;
        for (size_t i = 0; i < table->column_count; i++)
            if (shown[i] && table->columns[i].rank > 0 &&
                (worst == table->column_count || table->columns[i].rank >= table->columns[worst].rank))
                worst = i;
        if (worst == table->column_count)
            break;
        shown[worst] = false;
        total -= widths[worst];
    }
    free(widths);
}

static void
fill_smartcols(const cli_table *table, const bool *shown, struct libscols_table *scols)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (!shown[i])
            continue;
        unsigned flags = table->columns[i].flags;
        int scols_flags = ((flags & CLI_RIGHT) != 0 ? SCOLS_FL_RIGHT : 0) |
                          ((flags & CLI_TRUNCATE) != 0 ? SCOLS_FL_TRUNC : 0);
        (void)scols_table_new_column(scols, table->columns[i].name, 0, scols_flags);
    }
    for (size_t row = 0; row < table->row_count; row++) {
        struct libscols_line *line = scols_table_new_line(scols, NULL);
        size_t at = 0;
        for (size_t i = 0; i < table->column_count; i++) {
            if (!shown[i])
                continue;
            const cell *from = cell_at(table, row, i);
            (void)scols_line_set_data(line, at, from->text != NULL ? from->text : "");
            if (from->color != NULL)
                (void)scols_cell_set_color(scols_line_get_cell(line, at), from->color);
            at++;
        }
    }
}

/* libsmartcols pads the last column; a line that ends in blanks wraps badly and copies badly. */
static void
append_trimmed(fc_buf *text, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n"), kept = length;
        while (kept > 0 && lines[kept - 1] == ' ')
            kept--;
        fc_buf_append(text, lines, kept);
        fc_buf_append(text, "\n", 1);
        lines += length + (lines[length] == '\n');
    }
}

void
cli_table_text(const cli_table *table, size_t width, bool color, fc_buf *text, fc_buf *hidden)
{
    bool *shown = fc_alloc_array(table->column_count, sizeof *shown);
    choose_columns(table, width, shown);
    for (size_t i = 0; hidden != NULL && i < table->column_count; i++)
        if (!shown[i] && in_table(table, i))
            fc_buf_printf(hidden, "%s%s", fc_buf_size(hidden) > 0 ? ", " : "", table->columns[i].name);
    struct libscols_table *scols = scols_new_table();
    fill_smartcols(table, shown, scols);
    (void)scols_table_enable_colors(scols, color);
    (void)scols_table_set_termforce(scols, width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (width > 0)
        (void)scols_table_set_termwidth(scols, width);
    char *lines = NULL;
    if (table->row_count == 0) {
        for (size_t i = 0; i < table->column_count; i++)
            if (shown[i])
                fc_buf_printf(text, "%s%s", i > 0 ? " " : "", table->columns[i].name);
        fc_buf_printf(text, "\n");
    } else if (scols_print_table_to_string(scols, &lines) == 0 && lines != NULL) {
        append_trimmed(text, lines);
    }
    free(lines);
    scols_unref_table(scols);
    free(shown);
}

void
cli_table_tsv(const cli_table *table, fc_buf *text)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        if ((table->columns[i].flags & CLI_TABLE_ONLY) != 0)
            continue;
        fc_buf_printf(text, "%s", first ? "" : "\t");
        for (const char *at = table->columns[i].name; *at != '\0'; at++)
            fc_buf_printf(text, "%c", *at == ' ' ? '_' : tolower((unsigned char)*at));
        first = false;
    }
    fc_buf_printf(text, "\n");
    for (size_t row = 0; row < table->row_count; row++) {
        first = true;
        for (size_t i = 0; i < table->column_count; i++) {
            if ((table->columns[i].flags & CLI_TABLE_ONLY) != 0)
                continue;
            const char *value = cell_at(table, row, i)->text;
            fc_buf_printf(text, "%s%s", first ? "" : "\t", value != NULL ? value : "");
            first = false;
        }
        fc_buf_printf(text, "\n");
    }
}
