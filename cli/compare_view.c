#include "cli/compare_view.h"

#include "cli/prose.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVIDENCE_SHOWN = 2, METRICS_SHOWN = 40 };

static bool
is_shown(const fc_finding *finding, bool everything)
{
    return everything || finding->severity > FC_SEVERITY_INFO;
}

/* "web-[1-3]": whom a finding is about. Owned. */
static char *
whom(const fc_comparison *comparison, const fc_finding *finding)
{
    const char **names = fc_alloc_array(finding->instance_count + 1, sizeof *names);
    for (size_t i = 0; i < finding->instance_count; i++)
        names[i] = comparison->instances[finding->instances[i]].name;
    char *text = fc_names_fold(names, finding->instance_count);
    free(names);
    return text;
}

/* "12.3 ms", "100 %"; "-" for no number. */
static const char *
number_text(double value, const char *unit, char text[CLI_MOMENT_TEXT])
{
    double size = fabs(value);
    if (isnan(value))
        return "-";
    (void)snprintf(text, CLI_MOMENT_TEXT, "%.*f%s%s",
                   size >= 100 || size == floor(size) ? 0
                   : size >= 10                       ? 1
                                                      : 2,
                   value, *unit != '\0' ? " " : "", unit);
    return text;
}

cli_table *
cli_compare_table(const fc_comparison *comparison, bool everything, bool exact)
{
    static const cli_column columns[] = {
        {"#", CLI_RIGHT, 0},
        {"INSTANCE", 0, 0},
        {"WHAT", 0, 0},
        {"VALUE", CLI_RIGHT, 0},
        {"PEERS", CLI_RIGHT, 0},
        {"SINCE", CLI_WHEN_SET, 2},
        {"CONFIDENCE", 0, 1},
        {"SEVERITY", 0, 3},
        {"SCORE", CLI_TSV_ONLY, 0},
        {"UNIT", CLI_TSV_ONLY, 0},
        {"TITLE", CLI_TSV_ONLY, 0},
        {"FILE", CLI_TSV_ONLY, 0},
        {"FRAME", CLI_TSV_ONLY, 0},
        {"DISPLAY FILTER", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < comparison->finding_count; i++) {
        const fc_finding *finding = &comparison->findings[i];
        const fc_evidence_pointer *first = finding->evidence_count > 0 ? &finding->evidence[0] : NULL;
        const char *unit = finding->unit != NULL && !exact ? finding->unit : "";
        char shown[CLI_MOMENT_TEXT], *names = whom(comparison, finding);
        if (is_shown(finding, everything)) {
            cli_table_row(table);
            cli_table_cell(table, 0, "%zu", i + 1);
            cli_table_cell(table, 1, "%s", names);
            cli_table_color(table, 1, cli_severity_color(finding->severity));
            cli_table_cell(table, 2, "%s", finding->id);
            cli_table_cell(table, 3, "%s", number_text(finding->value, unit, shown));
            cli_table_cell(table, 4, "%s", number_text(finding->peer_median, unit, shown));
            cli_table_cell(table, 5, "%s",
                           cli_moment_text(finding->since_ns, exact ? 0 : finding->since_ns, shown));
            cli_table_cell(table, 6, "%s", fc_confidence_name(finding->confidence));
            cli_table_cell(table, 7, "%s", fc_severity_name(finding->severity));
            cli_table_cell(table, 8, "%g", finding->score);
            cli_table_cell(table, 9, "%s", finding->unit != NULL ? finding->unit : "");
            cli_table_cell(table, 10, "%s", finding->title);
            cli_table_cell(table, 11, "%s", first != NULL && first->file != NULL ? first->file : "-");
            cli_table_cell(table, 12, "%llu", first != NULL ? (unsigned long long)first->frame : 0);
            cli_table_cell(table, 13, "%s",
                           first != NULL && first->display_filter != NULL ? first->display_filter : "-");
        }
        free(names);
    }
    return table;
}

static void
put_evidence(fc_buf *text, const cli_out *out, const fc_comparison *comparison, const fc_finding *finding)
{
    for (size_t i = 0; i < finding->evidence_count && i < EVIDENCE_SHOWN; i++) {
        const fc_evidence_pointer *at = &finding->evidence[i];
        const char *name = comparison->instances[at->instance].name;
        char *place = cli_place_text(at->file, at->frame);
        cli_prose(text, out, 3, 5, NULL, "look at %s%s%s%s%s", name, *place != '\0' ? ", " : "", place,
                  at->what != NULL ? ": " : "", at->what != NULL ? at->what : "");
        if (at->display_filter != NULL)
            cli_prose_line(text, out, 5, "cyan", at->display_filter);
        free(place);
    }
    if (finding->evidence_count > EVIDENCE_SHOWN)
        cli_prose(text, out, 3, 5, "gray", "(%zu more in -o json)", finding->evidence_count - EVIDENCE_SHOWN);
}

static void
put_finding(fc_buf *text, const cli_out *out, const fc_comparison *comparison, size_t index)
{
    const fc_finding *finding = &comparison->findings[index];
    fc_buf_printf(text, "\n");
    cli_prose(text, out, 0, 3, cli_severity_color(finding->severity), "%zu. %s", index + 1, finding->title);
    if (finding->explanation != NULL)
        cli_prose(text, out, 3, 3, NULL, "%s", finding->explanation);
    for (size_t i = 0; i < finding->caveat_count; i++)
        cli_prose(text, out, 3, 5, "gray", "but: %s", finding->caveats[i]);
    put_evidence(text, out, comparison, finding);
}

static void
put_groups(fc_buf *text, const cli_out *out, const fc_comparison *comparison)
{
    static const char *const colors[] = {[FC_STANDING_SAME] = NULL,
                                         [FC_STANDING_OUTLIER] = "red",
                                         [FC_STANDING_UNTRUSTED] = "yellow",
                                         [FC_STANDING_ABSENT] = "gray",
                                         [FC_STANDING_NOT_COMPARED] = "gray"};
    if (comparison->group_count == 0)
        return;
    fc_buf_printf(text, "\n");
    cli_prose(text, out, 0, 2, "bold", "Instances");
    for (size_t i = 0; i < comparison->group_count; i++) {
        const fc_compare_group *group = &comparison->groups[i];
        const char *standing = fc_standing_name(group->standing);
        bool says_more = group->summary != NULL && strcmp(group->summary, standing) != 0;
        cli_prose(text, out, 2, 4, colors[group->standing], "%s: %s%s%s", group->names, standing,
                  says_more ? ": " : "", says_more ? group->summary : "");
    }
}

/* Who is furthest from the others in a metric. SIZE_MAX when nobody has a number. */
static size_t
furthest(const fc_comparison *comparison, const fc_metric_row *row)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < comparison->instance_count; i++)
        if (!isnan(row->values[i]) &&
            (found == SIZE_MAX || fabs(row->deviations[i]) > fabs(row->deviations[found])))
            found = i;
    return found;
}

static void
put_metrics(fc_buf *text, const cli_out *out, const fc_comparison *comparison)
{
    static const cli_column columns[] = {
        {"METRIC", 0, 0},   {"MEDIAN", CLI_RIGHT, 0}, {"SPREAD", CLI_RIGHT, 2},
        {"FURTHEST", 0, 0}, {"VALUE", CLI_RIGHT, 0},  {"SPREADS", CLI_RIGHT, 1},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < comparison->metric_count && i < METRICS_SHOWN; i++) {
        const fc_metric_row *row = &comparison->metrics[i];
        size_t who = furthest(comparison, row);
        char shown[CLI_MOMENT_TEXT];
        if (who == SIZE_MAX)
            continue;
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", row->title);
        cli_table_cell(table, 1, "%s", number_text(row->median, row->unit, shown));
        cli_table_cell(table, 2, "%s", number_text(row->spread, row->unit, shown));
        cli_table_cell(table, 3, "%s", comparison->instances[who].name);
        cli_table_cell(table, 4, "%s", number_text(row->values[who], row->unit, shown));
        cli_table_cell(table, 5, "%+.1f", row->deviations[who]);
    }
    fc_buf_printf(text, "\n");
    cli_table_text(table, out->width, out->color, text, NULL);
    cli_table_free(table);
}

void
cli_compare_text(const cli_out *out, const fc_comparison *comparison, bool everything, fc_buf *text)
{
    const char *color = comparison->severity == FC_SEVERITY_ERROR     ? "bold red"
                        : comparison->severity == FC_SEVERITY_WARNING ? "bold yellow"
                                                                      : "bold";
    cli_prose(text, out, 0, 0, color, "%s", comparison->verdict);
    cli_table *table = cli_compare_table(comparison, everything, false);
    if (cli_table_rows(table) > 0) {
        fc_buf_printf(text, "\n");
        cli_table_text(table, out->width, out->color, text, NULL);
    }
    cli_table_free(table);
    for (size_t i = 0; i < comparison->finding_count; i++)
        if (is_shown(&comparison->findings[i], everything))
            put_finding(text, out, comparison, i);
    put_groups(text, out, comparison);
    if (everything)
        put_metrics(text, out, comparison);
    if (comparison->caveat_count > 0)
        fc_buf_printf(text, "\n");
    for (size_t i = 0; i < comparison->caveat_count; i++)
        cli_prose(text, out, 0, 2, "gray", "Caveat: %s", comparison->caveats[i]);
}
