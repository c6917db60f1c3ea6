/* matrix.c: the fleet at a glance: instances x metrics, the more unusual the stronger; those that are
 * alike are one row.
 *
 * How unusual is told by colour, by arrows, and in words (title): never by colour alone.
 */
#include "cli/report/html.h"
#include "cli/report/view.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* From which deviation on, in spreads of the healthy ones, a cell is marked. */
static const struct {
    double from;
    const char *up, *down, *up_class, *down_class;
} levels[] = {
    {12, "▲▲▲", "▼▼▼", "up3", "down3"},
    {6, "▲▲", "▼▼", "up2", "down2"},
    {3, "▲", "▼", "up1", "down1"},
};

/* A number to sort by, so that the script need not read texts. */
static void
sort_key(fc_buf *out, double value)
{
    char text[CLI_REPORT_TEXT];
    if (!isfinite(value))
        return;
    (void)snprintf(text, sizeof text, "%.6g", value);
    cli_html(out, " data-v=\"%s\"", text);
}

static void
cell(fc_buf *out, const fc_metric_row *metric, double value, double deviation)
{
    char number[CLI_REPORT_TEXT], by[CLI_REPORT_TEXT], median[CLI_REPORT_TEXT];
    const char *mark = "", *class = NULL;
    for (size_t i = FC_COUNT(levels); i-- > 0;) {
        if (!(fabs(deviation) >= levels[i].from))
            continue;
        mark = deviation > 0 ? levels[i].up : levels[i].down;
        class = deviation > 0 ? levels[i].up_class : levels[i].down_class;
    }
    cli_html(out, "<td");
    sort_key(out, value);
    if (class != NULL)
        cli_html(out, " class=\"%s\" title=\"%s spreads %s the median of %s\"", class,
                 cli_report_number(fabs(deviation), by), deviation > 0 ? "above" : "below",
                 cli_report_number(metric->median, median));
    cli_html(out, ">%s", cli_report_number(value, number));
    if (class != NULL)
        cli_html(out, " <span class=\"arrow\">%s</span>", mark);
    cli_html(out, "</td>");
}

/* One row for instances that are alike: their medians. values: room for count. */
static void
put_row(fc_buf *out, const fc_comparison *c, const size_t *instances, size_t count, size_t from, size_t to,
        double *values)
{
    char *names = cli_report_names(c, instances, count);
    fc_standing standing = c->standings[instances[0]];
    cli_html(out, "<tr class=\"%s\"><th scope=\"row\">%s</th>", cli_report_standing_class(standing), names);
    for (size_t m = from; m < to; m++) {
        const fc_metric_row *metric = &c->metrics[m];
        for (size_t i = 0; i < count; i++)
            values[i] = metric->values[instances[i]];
        double value = cli_report_quantile(values, count, 0.5);
        for (size_t i = 0; i < count; i++)
            values[i] = metric->deviations[instances[i]];
        cell(out, metric, value, cli_report_quantile(values, count, 0.5));
    }
    cli_html(out, "</tr>\n");
    free(names);
}

static void
put_head(fc_buf *out, const fc_comparison *c, size_t from, size_t to, const char *label)
{
    cli_html(out,
             "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table "
             "class=\"matrix\">\n<thead>"
             "<tr><th scope=\"col\">Instances</th>",
             label);
    for (size_t m = from; m < to; m++) {
        cli_html(out, "<th scope=\"col\">%s", c->metrics[m].title);
        if (c->metrics[m].unit[0] != '\0')
            cli_html(out, " <small>%s</small>", c->metrics[m].unit);
        cli_html(out, "</th>");
    }
    cli_html(out, "</tr></thead>\n");
}

static void
put_median(fc_buf *out, const fc_comparison *c, size_t from, size_t to)
{
    char number[CLI_REPORT_TEXT];
    cli_html(out, "<tfoot><tr><th scope=\"row\">healthy median ± spread</th>");
    for (size_t m = from; m < to; m++) {
        cli_html(out, "<td>%s", cli_report_number(c->metrics[m].median, number));
        if (c->metrics[m].spread > 0)
            cli_html(out, " ± %s", cli_report_number(c->metrics[m].spread, number));
        cli_html(out, "</td>");
    }
    cli_html(out, "</tr></tfoot>\n</table></div>\n");
}

/* The groups from `first` to `last`, one row each. */
static void
groups_table(fc_buf *out, const cli_report_view *view, size_t first, size_t last, size_t from, size_t to,
             double *values)
{
    const fc_comparison *c = view->comparison;
    put_head(out, c, from, to, "Metrics of groups of instances");
    cli_html(out, "<tbody>\n");
    for (size_t g = first; g < last; g++)
        if (c->groups[view->groups[g]].instance_count > 0)
            put_row(out, c, c->groups[view->groups[g]].instances, c->groups[view->groups[g]].instance_count,
                    from, to, values);
    cli_html(out, "</tbody>\n");
    put_median(out, c, from, to);
}

static void
each_table(fc_buf *out, const fc_comparison *c, size_t to, double *values)
{
    size_t most = c->instance_count < CLI_REPORT_ROWS_MAX ? c->instance_count : CLI_REPORT_ROWS_MAX;
    cli_html(out, "<details><summary>Each of the %zu instances</summary>\n", c->instance_count);
    put_head(out, c, 0, to, "Metrics of each instance");
    cli_html(out, "<tbody>\n");
    for (size_t i = 0; i < most; i++)
        put_row(out, c, &i, 1, 0, to, values);
    cli_html(out, "</tbody>\n");
    put_median(out, c, 0, to);
    if (c->instance_count > most)
        cli_html_left_out(out, c->instance_count - most, "more are in the JSON output");
    cli_html(out, "</details>\n");
}

void
cli_report_matrix(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    if (c->metric_count == 0 || c->group_count == 0)
        return;
    double *values = fc_alloc_array(c->instance_count + 1, sizeof *values);
    size_t metrics = c->metric_count < CLI_REPORT_METRICS_OPEN ? c->metric_count : CLI_REPORT_METRICS_OPEN;
    size_t open = c->group_count < CLI_REPORT_ROWS_OPEN ? c->group_count : CLI_REPORT_ROWS_OPEN;
    size_t most = c->group_count < CLI_REPORT_ROWS_MAX ? c->group_count : CLI_REPORT_ROWS_MAX;
    cli_html(
        out,
        "<section aria-labelledby=\"matrix\">\n<h2 id=\"matrix\">The fleet</h2>\n<p class=\"key\">"
        "Instances that behave alike are one row, with their medians. Unusual against the healthy ones: "
        "<span class=\"swatch up1\">▲</span> 3 spreads and more, <span class=\"swatch up2\">▲▲</span> 6, "
        "<span class=\"swatch up3\">▲▲▲</span> 12; <span class=\"swatch down1\">▼</span> below.</p>\n");
    groups_table(out, view, 0, open, 0, metrics, values);
    if (most > open) {
        cli_html_fold(out, most - open, "more groups");
        groups_table(out, view, open, most, 0, metrics, values);
        cli_html_fold_end(out);
    }
    if (c->group_count < c->instance_count && c->instance_count > 1)
        each_table(out, c, metrics, values);
    if (c->metric_count > metrics) {
        cli_html_fold(out, c->metric_count - metrics, "more metrics, less unusual");
        for (size_t from = metrics; from < c->metric_count; from += CLI_REPORT_METRICS_OPEN) {
            size_t to = from + CLI_REPORT_METRICS_OPEN;
            groups_table(out, view, 0, open, from, to < c->metric_count ? to : c->metric_count, values);
        }
        cli_html_fold_end(out);
    }
    cli_html(out, "</section>\n");
    free(values);
}
