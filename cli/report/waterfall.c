/* waterfall.c: how long it takes from a name to the first byte of an answer, stage after stage:
 * healthy and suspect.
 *
 * Each stage is the median (or the 95th percentile) of its own distribution; they are put end to end as if
 * one connection had them all.
 */
#include "cli/report/html.h"
#include "cli/report/view.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 4, ROWS_MAX = CLI_REPORT_SHOWN_MAX + 1, WIDTH = 720, LABEL = 150, LINE = 46, TOP = 8 };

static const struct {
    fc_sketch_id sketch;
    const char *title;
} stages[STAGES] = {
    {FC_SKETCH_DNS_LATENCY, "DNS lookup"},
    {FC_SKETCH_TCP_HANDSHAKE, "TCP handshake"},
    {FC_SKETCH_TLS_HANDSHAKE, "TLS handshake"},
    {FC_SKETCH_TCP_FIRST_BYTE, "first byte"},
};

/* One line of the picture: ns, NAN = never seen. */
typedef struct row {
    const char *name;
    bool healthy;
    double median[STAGES], high[STAGES];
} row;

static double
stage_of(const fc_instance_features *features, fc_sketch_id sketch, fc_quantile quantile)
{
    const fc_feature_sketch *from = &features->sketches[sketch];
    return from->count > 0 ? (double)from->quantiles[quantile] : NAN;
}

/* The healthy ones together: the median of theirs. */
static double
healthy_stage(const cli_report_view *view, fc_sketch_id sketch, fc_quantile quantile, double *values)
{
    for (size_t i = 0; i < view->healthy_count; i++)
        values[i] = stage_of(&view->comparison->features[view->healthy[i]], sketch, quantile);
    return cli_report_quantile(values, view->healthy_count, 0.5);
}

static size_t
collect(const cli_report_view *view, row *rows)
{
    const fc_comparison *c = view->comparison;
    size_t count = 0;
    if (view->healthy_count > 0) {
        double *values = fc_alloc_array(view->healthy_count, sizeof *values);
        row *to = &rows[count++];
        *to = (row){.name = "healthy", .healthy = true};
        for (size_t s = 0; s < STAGES; s++) {
            to->median[s] = healthy_stage(view, stages[s].sketch, FC_QUANTILE_50, values);
            to->high[s] = healthy_stage(view, stages[s].sketch, FC_QUANTILE_95, values);
        }
        free(values);
    }
    for (size_t i = 0; i < view->shown_count; i++) {
        const fc_instance_features *features = &c->features[view->shown[i]];
        row *to = &rows[count++];
        *to = (row){.name = c->instances[view->shown[i]].name};
        for (size_t s = 0; s < STAGES; s++) {
            to->median[s] = stage_of(features, stages[s].sketch, FC_QUANTILE_50);
            to->high[s] = stage_of(features, stages[s].sketch, FC_QUANTILE_95);
        }
    }
    return count;
}

static double
total(const double *values)
{
    double sum = 0;
    for (size_t s = 0; s < STAGES; s++)
        sum += isnan(values[s]) ? 0 : values[s];
    return sum;
}

static void
draw_bar(fc_buf *out, const double *values, double scale, int y, int height, const char *class)
{
    double x = LABEL;
    char text[CLI_REPORT_TEXT];
    for (size_t s = 0; s < STAGES; s++) {
        if (isnan(values[s]))
            continue;
        double width = values[s] * scale;
        cli_html(out,
                 "<rect class=\"stage-%zu %s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>%s: "
                 "%s</title></rect>",
                 s + 1, class, x, y, width > 1 ? width : 1, height, stages[s].title,
                 cli_report_duration(values[s], text));
        if (width >= 14 && height >= 14)
            cli_html(out, "<text class=\"mark\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%zu</text>",
                     x + width / 2, y + height - 5, s + 1);
        x += width;
    }
}

static void
draw(fc_buf *out, const row *rows, size_t count, double longest)
{
    double scale = (WIDTH - LABEL - 90) / longest;
    char text[CLI_REPORT_TEXT];
    cli_html(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Stages of a connection, drawn\">"
        "<svg class=\"waterfall\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Stages of a connection, "
        "healthy and suspect; the numbers are in the table below\">\n",
        WIDTH, TOP + (int)count * LINE);
    for (size_t i = 0; i < count; i++) {
        int y = TOP + (int)i * LINE;
        cli_html(out, "<text class=\"name\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", LABEL - 10, y + 17);
        /* A name may be longer than the place for it. */
        char *cut = strlen(rows[i].name) > 20 ? fc_sprintf("%.19s…", rows[i].name) : fc_strdup(rows[i].name);
        cli_html(out, "%s</text>", cut);
        free(cut);
        draw_bar(out, rows[i].median, scale, y + 2, 20, "median");
        draw_bar(out, rows[i].high, scale, y + 25, 8, "high");
        cli_html(out, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", LABEL + total(rows[i].median) * scale + 6,
                 y + 17, cli_report_duration(total(rows[i].median), text));
    }
    cli_html(out, "</svg></div>\n");
}

static void
table(fc_buf *out, const row *rows, size_t count)
{
    char one[CLI_REPORT_TEXT], other[CLI_REPORT_TEXT];
    cli_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Stages of a "
                  "connection\"><table>\n<thead><tr><th scope=\"col\">Median (95th percentile)</th>");
    for (size_t s = 0; s < STAGES; s++)
        cli_html(out, "<th scope=\"col\" class=\"n\">%s</th>", stages[s].title);
    cli_html(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        cli_html(out, "<tr><th scope=\"row\">%s</th>", rows[i].name);
        for (size_t s = 0; s < STAGES; s++) {
            if (isnan(rows[i].median[s]))
                cli_html(out, "<td class=\"n\">–</td>");
            else
                cli_html(out, "<td class=\"n\">%s <span class=\"muted\">(%s)</span></td>",
                         cli_report_duration(rows[i].median[s], one),
                         cli_report_duration(rows[i].high[s], other));
        }
        cli_html(out, "</tr>\n");
    }
    cli_html(out, "</tbody></table></div>\n");
}

void
cli_report_waterfall(fc_buf *out, const cli_report_view *view)
{
    row rows[ROWS_MAX];
    size_t count = collect(view, rows);
    double longest = 0;
    for (size_t i = 0; i < count; i++) {
        longest = fmax(longest, total(rows[i].median));
        longest = fmax(longest, total(rows[i].high));
    }
    if (count == 0 || !(longest > 0))
        return;
    cli_html(
        out,
        "<section aria-labelledby=\"waterfall\">\n<h2 id=\"waterfall\">From a name to the first byte</h2>\n"
        "<p class=\"key\">");
    for (size_t s = 0; s < STAGES; s++)
        cli_html(out, "<span class=\"swatch stage-%zu\">%zu</span> %s ", s + 1, s + 1, stages[s].title);
    cli_html(out, "— thick: median, thin: 95th percentile of each stage, end to end.</p>\n");
    draw(out, rows, count, longest);
    table(out, rows, count);
    cli_html(out, "</section>\n");
}
