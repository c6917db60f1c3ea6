/* Single conversations and questions, as workers told them: JSON in, tables out. */
#include "cli/analyze_view.h"

#include "cli/prose.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *
text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "-";
}

/* "10.0.0.5:443", "[2001:db8::1]:53". Owned. */
static char *
endpoint_of(const json_t *end)
{
    const char *address = json_string_value(json_object_get(end, "address"));
    const json_t *port = json_object_get(end, "port");
    if (address == NULL)
        return fc_strdup("-");
    if (!json_is_integer(port))
        return fc_strdup(address);
    return fc_sprintf(strchr(address, ':') != NULL ? "[%s]:%lld" : "%s:%lld", address,
                      (long long)json_integer_value(port));
}

static void
duration_cell(cli_table *table, size_t column, const json_t *ns)
{
    char shown[CLI_DURATION_TEXT];
    if (json_is_integer(ns) && json_integer_value(ns) >= 0)
        cli_table_cell(table, column, "%s", cli_duration_text((uint64_t)json_integer_value(ns), shown));
    else
        cli_table_cell(table, column, "-");
}

static long long
count_of(const json_t *row, const char *direction, const char *key)
{
    return (long long)json_integer_value(json_object_get(json_object_get(row, direction), key));
}

/* "reset by remote", "alert unknown_ca": the short of how it went. Owned. */
static char *
outcome_of(const json_t *row)
{
    const json_t *tcp = json_object_get(row, "tcp"), *tls = json_object_get(row, "tls");
    const json_t *alert = json_object_get(tls, "alert");
    fc_buf text = {0};
    fc_buf_printf(&text, "%s", json_is_object(tcp) ? text_of(tcp, "outcome") : "");
    if (json_is_object(tcp) && json_is_string(json_object_get(tcp, "resetBy")))
        fc_buf_printf(&text, " by %s", text_of(tcp, "resetBy"));
    if (json_is_object(tls))
        fc_buf_printf(&text, ", tls %s", text_of(tls, "stage"));
    if (json_is_object(alert))
        fc_buf_printf(&text, ", alert %s by %s", text_of(alert, "description"), text_of(alert, "by"));
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

/* "a.pcapng", "a.pcapng +2" where it goes on into the second file after that. Owned. */
static char *
files_of(const json_t *row)
{
    json_int_t more = json_integer_value(json_object_get(row, "moreFiles"));
    const char *first = text_of(row, "file");
    return more > 0 ? fc_sprintf("%s +%" JSON_INTEGER_FORMAT, first, more) : fc_strdup(first);
}

/* Is there more than one file in all of them? Else it goes without saying. */
static bool
are_of_several_files(const json_t *rows)
{
    const char *first = text_of(json_array_get(rows, 0), "file");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_integer_value(json_object_get(row, "moreFiles")) > 0 ||
            strcmp(text_of(row, "file"), first) != 0)
            return true;
    }
    return false;
}

static void
put_conversations(const cli_out *out, const json_t *rows, fc_buf *text)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 4},    {"FRAME", CLI_RIGHT, 3},   {"PROTOCOL", 0, 0},
        {"LOCAL", 0, 0},       {"REMOTE", 0, 0},          {"IN", CLI_RIGHT, 0},
        {"OUT", CLI_RIGHT, 0}, {"AGAIN", CLI_RIGHT, 2},   {"HANDSHAKE", CLI_RIGHT, 1},
        {"OUTCOME", 0, 0},     {"FILE", CLI_WHEN_SET, 5},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    const bool several = are_of_several_files(rows);
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char *local = endpoint_of(json_object_get(row, "local")),
             *remote = endpoint_of(json_object_get(row, "remote"));
        char *outcome = outcome_of(row), *files = several ? files_of(row) : fc_strdup("-");
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", text_of(row, "instance"));
        cli_table_cell(table, 1, "%lld", (long long)json_integer_value(json_object_get(row, "firstFrame")));
        cli_table_cell(table, 2, "%s", text_of(row, "protocol"));
        cli_table_cell(table, 3, "%s", local);
        cli_table_cell(table, 4, "%s", remote);
        cli_table_cell(table, 5, "%lld", count_of(row, "in", "packets"));
        cli_table_cell(table, 6, "%lld", count_of(row, "out", "packets"));
        cli_table_cell(table, 7, "%lld",
                       count_of(row, "in", "retransmitted") + count_of(row, "out", "retransmitted"));
        duration_cell(table, 8, json_object_get(json_object_get(row, "tcp"), "handshakeNs"));
        cli_table_cell(table, 9, "%s", outcome);
        cli_table_cell(table, 10, "%s", files);
        free(files);
        free(outcome);
        free(remote);
        free(local);
    }
    cli_table_text(table, out->width, out->color, text, NULL);
    cli_table_free(table);
}

static void
put_questions(const cli_out *out, const json_t *rows, fc_buf *text)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 3}, {"FRAME", CLI_RIGHT, 2}, {"SERVER", 0, 0},          {"NAME", 0, 0},
        {"TYPE", 0, 0},     {"ASKED", CLI_RIGHT, 1}, {"LATENCY", CLI_RIGHT, 0}, {"ANSWER", 0, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char *server = endpoint_of(json_object_get(row, "server"));
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", text_of(row, "instance"));
        cli_table_cell(table, 1, "%lld", (long long)json_integer_value(json_object_get(row, "frame")));
        cli_table_cell(table, 2, "%s", server);
        cli_table_cell(table, 3, "%s", text_of(row, "name"));
        cli_table_cell(table, 4, "%s", text_of(row, "type"));
        cli_table_cell(table, 5, "%lld", (long long)json_integer_value(json_object_get(row, "askedCount")));
        duration_cell(table, 6, json_object_get(row, "latencyNs"));
        cli_table_cell(table, 7, "%s",
                       json_is_true(json_object_get(row, "open")) ? "open" : text_of(row, "rcode"));
        free(server);
    }
    cli_table_text(table, out->width, out->color, text, NULL);
    cli_table_free(table);
}

void
cli_analyze_rows(const cli_out *out, const json_t *conversations, const json_t *dns, fc_buf *text)
{
    if (conversations != NULL) {
        fc_buf_printf(text, "\n");
        put_conversations(out, conversations, text);
    }
    if (dns != NULL) {
        fc_buf_printf(text, "\n");
        put_questions(out, dns, text);
    }
}

void
cli_analyze_notes(const cli_out *out, const fc_strings *notes, fc_buf *text)
{
    if (notes->count > 0)
        fc_buf_printf(text, "\n");
    for (size_t i = 0; i < notes->count; i++)
        cli_prose(text, out, 0, 2, "yellow", "Note: %s", notes->items[i]);
}
