#include "cli/path_view.h"

#include "cli/prose.h"
#include "common/base/mem.h"
#include "common/profile/agree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOSSES_SHOWN = 3, CONVERSATIONS_SHOWN = 20, ENDPOINT_TEXT = 80 };

static const char *const ways[] = {"aToB", "bToA"};
static const char *const ends[] = {"a", "b"};

static uint64_t
count_of(const json_t *tree, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(tree, key));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *
text_of(const json_t *tree, const char *key)
{
    const char *text = json_string_value(json_object_get(tree, key));
    return text != NULL ? text : "-";
}

static const char *
end_name(const json_t *result, int end)
{
    return text_of(json_object_get(result, ends[end]), "name");
}

/* "10.0.0.1:443", "[fe80::1]:443" */
static void
put_endpoint(const json_t *flow, const char *key, char text[ENDPOINT_TEXT])
{
    const json_t *endpoint = json_object_get(flow, key);
    const char *address = text_of(endpoint, "address");
    bool v6 = strchr(address, ':') != NULL;
    (void)snprintf(text, ENDPOINT_TEXT, "%s%.45s%s:%" PRIu64, v6 ? "[" : "", address, v6 ? "]" : "",
                   count_of(endpoint, "port"));
}

static const char *
verdict_color(const char *verdict)
{
    if (strcmp(verdict, "lost") == 0 || strcmp(verdict, "altered") == 0)
        return "red";
    return strcmp(verdict, "delayed") == 0 || strcmp(verdict, "notProvable") == 0 ? "yellow" : NULL;
}

static void
put_delay(cli_table *table, size_t column, const json_t *delay, const char *key, bool exact)
{
    char text[CLI_DURATION_TEXT];
    json_int_t ns = json_integer_value(json_object_get(delay, key));
    if (json_is_null(delay) || delay == NULL)
        cli_table_cell(table, column, "-");
    else if (exact)
        cli_table_cell(table, column, "%" JSON_INTEGER_FORMAT, ns);
    else
        cli_table_cell(table, column, "%s%s%s", json_is_true(json_object_get(delay, "relative")) ? "+" : "",
                       ns < 0 ? "-" : "", cli_duration_text((uint64_t)(ns < 0 ? -ns : ns), text));
}

/* The reason that most of what is not provable has. */
static const char *
main_reason(const json_t *flow)
{
    json_t *reasons = json_object_get(flow, "reasons"), *value;
    const char *key, *best = "";
    json_int_t most = 0;
    json_object_foreach (reasons, key, value)
        if (json_integer_value(value) > most) {
            most = json_integer_value(value);
            best = key;
        }
    return best;
}

static void
add_row(cli_table *table, const json_t *result, const json_t *conversation, int way, bool exact)
{
    const json_t *flow = json_object_get(conversation, ways[way]), *delay = json_object_get(flow, "delay");
    const char *verdict = text_of(flow, "verdict");
    char source[ENDPOINT_TEXT], destination[ENDPOINT_TEXT], share[CLI_MOMENT_TEXT];
    put_endpoint(flow, "source", source);
    put_endpoint(flow, "destination", destination);
    uint64_t lost = count_of(flow, "lost"), examined = lost + count_of(flow, "arrived");
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", verdict);
    cli_table_color(table, 0, verdict_color(verdict));
    cli_table_cell(table, 1, "%s", text_of(conversation, "protocol"));
    cli_table_cell(table, 2, "%s", end_name(result, way));
    cli_table_cell(table, 3, "%s", source);
    cli_table_cell(table, 4, "%s", destination);
    cli_table_cell(table, 5, "%" PRIu64, count_of(flow, "sent"));
    cli_table_cell(table, 6, "%" PRIu64, lost);
    cli_table_cell(table, 7, "%s", lost > 0 ? cli_share_text(lost, examined, share) : "-");
    cli_table_cell(table, 8, "%" PRIu64, count_of(flow, "altered"));
    cli_table_cell(table, 9, "%" PRIu64, count_of(flow, "notProvable"));
    cli_table_cell(table, 10, "%s", main_reason(flow));
    put_delay(table, 11, delay, "p50Ns", exact);
    put_delay(table, 12, delay, "p95Ns", exact);
    put_delay(table, 13, delay, "maxNs", exact);
    put_delay(table, 14, delay, "boundNs", exact);
    cli_table_cell(table, 15, "%" PRIu64, count_of(flow, "hops"));
    cli_table_cell(table, 16, "%s", json_is_true(json_object_get(conversation, "translated")) ? "yes" : "-");
    cli_table_cell(table, 17, "%" PRIu64, count_of(flow, "lostBytes"));
}

cli_table *
cli_path_table(const json_t *result, bool everything, bool exact)
{
    static const cli_column columns[] = {
        {"VERDICT", 0, 0},
        {"PROTOCOL", 0, 4},
        {"FROM", 0, 6},
        {"SOURCE", 0, 0},
        {"DESTINATION", 0, 0},
        {"SENT", CLI_RIGHT, 1},
        {"LOST", CLI_RIGHT, 0},
        {"SHARE", CLI_RIGHT | CLI_WHEN_SET, 2},
        {"ALTERED", CLI_RIGHT | CLI_WHEN_SET, 3},
        {"NOT PROVABLE", CLI_RIGHT | CLI_WHEN_SET, 5},
        {"WHY", CLI_WHEN_SET, 7},
        {"P50", CLI_RIGHT | CLI_WHEN_SET, 8},
        {"P95", CLI_RIGHT | CLI_WHEN_SET, 9},
        {"MAX", CLI_RIGHT | CLI_WHEN_SET, 11},
        {"BOUND", CLI_RIGHT | CLI_WHEN_SET, 10},
        {"HOPS", CLI_RIGHT | CLI_WHEN_SET, 12},
        {"TRANSLATED", CLI_WHEN_SET, 13},
        {"LOST BYTES", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    const json_t *conversations = json_object_get(result, "conversations");
    for (size_t i = 0; i < json_array_size(conversations); i++) {
        const json_t *conversation = json_array_get(conversations, i);
        if (!everything && (json_is_true(json_object_get(conversation, "elsewhere")) ||
                            (!exact && i == CONVERSATIONS_SHOWN)))
            break; /* they are the last ones */
        for (int way = 0; way < 2; way++)
            if (json_is_object(json_object_get(conversation, ways[way])))
                add_row(table, result, conversation, way, exact);
    }
    return table;
}

void
cli_path_head(const cli_out *out, const json_t *result, bool lossless, fc_buf *text)
{
    const json_t *totals = json_object_get(result, "totals");
    const char *color = "green";
    for (int way = 0; way < 2; way++) {
        const char *own = verdict_color(text_of(json_object_get(totals, ways[way]), "verdict"));
        if (own != NULL && strcmp(color, "red") != 0)
            color = own;
    }
    cli_prose(text, out, 0, 0, color, "%s.", text_of(result, "verdict"));
    for (int end = 0; end < 2; end++) {
        const json_t *side = json_object_get(result, ends[end]);
        uint64_t dropped = count_of(side, "droppedKernel") + count_of(side, "interfaceDropped");
        if (dropped > 0) {
            char *packets = cli_count_text(dropped, "packet");
            cli_prose(text, out, 0, 2, "yellow",
                      "The capture of %s dropped %s: nothing of %s is called lost.", end_name(result, end),
                      packets, dropped == 1 ? "it" : "them");
            free(packets);
        } else if (!json_is_true(json_object_get(side, "dropsKnown")))
            cli_prose(text, out, 0, 2, "yellow",
                      lossless
                          ? "The files of %s do not say whether packets were dropped: by --lossless they "
                            "are taken to be complete."
                          : "The files of %s do not say whether packets were dropped: with --lossless "
                            "they are taken to be complete.",
                      end_name(result, end));
    }
    fc_buf_printf(text, "\n");
}

static void
put_losses(const cli_out *out, const json_t *result, const json_t *flow, int way, fc_buf *text)
{
    const json_t *lost = json_object_get(flow, "lostFirst");
    if (json_array_size(lost) == 0)
        return;
    fc_buf frames = {0};
    for (size_t i = 0; i < json_array_size(lost); i++) {
        const json_t *example = json_array_get(lost, i);
        char *place = cli_place_text(text_of(example, "file"), count_of(example, "frame"));
        if (i == 0)
            fc_buf_printf(&frames, "%s", place);
        else
            fc_buf_printf(&frames, ", %" PRIu64, count_of(example, "frame"));
        free(place);
    }
    if (count_of(flow, "lost") > json_array_size(lost))
        fc_buf_printf(&frames, " …");
    cli_prose(text, out, 0, 2, NULL, "Lost from %s to %s: %s", end_name(result, way),
              end_name(result, way ^ 1), fc_buf_text(&frames));
    cli_prose_line(text, out, 2, NULL, text_of(flow, "displayFilter"));
    fc_buf_fini(&frames);
}

void
cli_path_tail(const cli_out *out, const json_t *result, bool everything, const fc_strings *notes,
              fc_buf *text)
{
    const json_t *conversations = json_object_get(result, "conversations");
    size_t shown = 0, count = json_array_size(conversations);
    fc_buf losses = {0};
    for (size_t i = 0; i < count && shown < LOSSES_SHOWN; i++)
        for (int way = 0; way < 2; way++) {
            const json_t *flow = json_object_get(json_array_get(conversations, i), ways[way]);
            put_losses(out, result, flow, way, &losses);
            shown += count_of(flow, "lost") > 0;
        }
    if (fc_buf_size(&losses) > 0)
        fc_buf_printf(text, "\n%s", fc_buf_text(&losses));
    fc_buf_fini(&losses);
    uint64_t one_end = count_of(result, "elsewhere"), all = count_of(result, "conversationCount");
    if (!everything && all - one_end > CONVERSATIONS_SHOWN) {
        fc_buf more = {0};
        fc_agree_count(&more, all - one_end - CONVERSATIONS_SHOWN,
                       "conversations more are not worse than these");
        cli_prose(text, out, 0, 2, NULL, "%s: --all lists %s.", fc_buf_text(&more),
                  all - one_end - CONVERSATIONS_SHOWN == 1 ? "it" : "them");
        fc_buf_fini(&more);
    }
    if (one_end > 0) {
        char *what = cli_count_text(one_end, "conversation");
        cli_prose(text, out, 0, 2, NULL,
                  "%s %s not between the two (seen at one end only, or received by both): --all lists %s.",
                  what, one_end == 1 ? "was" : "were", one_end == 1 ? "it" : "them");
        free(what);
    }
    for (size_t i = 0; i < notes->count; i++)
        cli_prose(text, out, 0, 2, "yellow", "%s", notes->items[i]);
}
