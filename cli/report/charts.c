/* charts.c: small multiples: what the conspicuous instances did over time, the band of the healthy
 * ones behind.
 *
 * All charts have one axis of time, and all charts of one kind one scale, so that what is above another is.
 * The band goes from the 10th to the 90th percentile of the healthy instances in each bucket; it is drawn
 * once and referred to.
 */
#include "cli/report/html.h"
#include "cli/report/series.h"
#include "cli/report/view.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 280, HEIGHT = 104, LEFT = 4, RIGHT = 276, TOP = 16, BOTTOM = 84, CHARTS_MAX = 16 };

/* One kind of chart with what the healthy ones did. */
typedef struct kind {
    const cli_report_chart *chart;
    double low[CLI_REPORT_BUCKETS_MAX], middle[CLI_REPORT_BUCKETS_MAX], high[CLI_REPORT_BUCKETS_MAX];
    double shown[CLI_REPORT_SHOWN_MAX][CLI_REPORT_BUCKETS_MAX];
    double top; /* of the scale */
    bool any, band;
} kind;

static double
x_of(const cli_report_axis *axis, double bucket)
{
    return LEFT + (RIGHT - LEFT) * bucket / (double)axis->bucket_count;
}

static double
y_of(const kind *k, double value)
{
    return BOTTOM - (BOTTOM - TOP) * value / k->top;
}

/* The smallest of 1, 2, 5 times a power of ten that is not below. */
static double
round_up(double value)
{
    if (!(value > 0))
        return 1;
    double power = pow(10, floor(log10(value)));
    static const double steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < FC_COUNT(steps); i++)
        if (value <= steps[i] * power * (1 + 1e-9))
            return steps[i] * power;
    return 10 * power;
}

static void
raise_top(double *top, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]) && values[i] > *top)
            *top = values[i];
}

/* The percentiles of the healthy ones, bucket by bucket. columns: healthy_count rows of
 * CLI_REPORT_BUCKETS_MAX. */
static void
make_band(kind *k, const cli_report_axis *axis, const cli_report_view *view, const double *columns)
{
    double *values = fc_alloc_array(view->healthy_count + 1, sizeof *values);
    for (size_t b = 0; b < axis->bucket_count; b++) {
        size_t count = 0;
        for (size_t i = 0; i < view->healthy_count; i++)
            if (!isnan(columns[i * CLI_REPORT_BUCKETS_MAX + b]))
                values[count++] = columns[i * CLI_REPORT_BUCKETS_MAX + b];
        k->low[b] = cli_report_quantile(values, count, 0.1);
        k->middle[b] = cli_report_quantile(values, count, 0.5);
        k->high[b] = cli_report_quantile(values, count, 0.9);
        k->band = k->band || count > 0;
    }
    free(values);
}

static void
make_kind(kind *k, const cli_report_chart *chart, const cli_report_axis *axis, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    double *columns = fc_alloc_array((view->healthy_count + 1) * CLI_REPORT_BUCKETS_MAX, sizeof *columns);
    k->chart = chart;
    for (size_t i = 0; i < view->healthy_count; i++)
        if (cli_report_values(axis, chart, &c->features[view->healthy[i]],
                              columns + i * CLI_REPORT_BUCKETS_MAX))
            k->any = true;
    for (size_t i = 0; i < view->shown_count; i++)
        if (cli_report_values(axis, chart, &c->features[view->shown[i]], k->shown[i]))
            k->any = true;
    make_band(k, axis, view, columns);
    free(columns);
    raise_top(&k->top, k->high, axis->bucket_count);
    for (size_t i = 0; i < view->shown_count; i++)
        raise_top(&k->top, k->shown[i], axis->bucket_count);
    k->top = round_up(k->top);
}

/* Runs of numbers as lines; a number alone is a dot. */
static void
draw_line(fc_buf *out, const kind *k, const cli_report_axis *axis, const double *values, const char *class)
{
    for (size_t i = 0; i < axis->bucket_count; i++) {
        if (isnan(values[i]))
            continue;
        size_t end = i + 1;
        while (end < axis->bucket_count && !isnan(values[end]))
            end++;
        if (end == i + 1) {
            cli_html(out, "<circle class=\"%s dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>", class,
                     x_of(axis, (double)i + 0.5), y_of(k, values[i]));
            continue;
        }
        cli_html(out, "<polyline class=\"%s\" points=\"", class);
        for (; i < end; i++)
            cli_html(out, "%.1f,%.1f ", x_of(axis, (double)i + 0.5), y_of(k, values[i]));
        cli_html(out, "\"/>");
    }
}

/* The band as one shape for every run of buckets that have one. */
static void
draw_band(fc_buf *out, const kind *k, const cli_report_axis *axis)
{
    for (size_t i = 0; i < axis->bucket_count;) {
        if (isnan(k->low[i])) {
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < axis->bucket_count && !isnan(k->low[end]))
            end++;
        cli_html(out, "<polygon class=\"band\" points=\"");
        for (size_t b = i; b < end; b++)
            cli_html(out, "%.1f,%.1f ", x_of(axis, (double)b + (end == i + 1 ? 0.1 : 0.5)),
                     y_of(k, k->high[b]));
        for (size_t b = end; b > i; b--)
            cli_html(out, "%.1f,%.1f ", x_of(axis, (double)b - (end == i + 1 ? 0.1 : 0.5)),
                     y_of(k, k->low[b - 1]));
        cli_html(out, "\"/>");
        i = end;
    }
}

/* What every chart of a kind has behind its line. */
static void
draw_definition(fc_buf *out, const kind *k, const cli_report_axis *axis, size_t index)
{
    char text[CLI_REPORT_TEXT];
    cli_html(out, "<g id=\"band-%zu\">", index);
    for (int i = 0; i <= 2; i++) {
        double x = LEFT + (RIGHT - LEFT) * i / 2.0;
        int64_t at = axis->start_s + (int64_t)axis->bucket_count * axis->width_s * i / 2;
        static const char *const anchors[] = {"start", "middle", "end"};
        cli_html(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x, x, TOP,
                 BOTTOM);
        cli_html(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", x, HEIGHT - 6, anchors[i],
                 cli_report_clock(at, text));
    }
    cli_html(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, RIGHT, BOTTOM,
             BOTTOM);
    cli_html(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, RIGHT, TOP, TOP);
    cli_html(out, "<text x=\"%d\" y=\"%d\">%s</text>", LEFT, TOP - 5,
             cli_report_quantity(k->top, k->chart->unit, text));
    draw_band(out, k, axis);
    draw_line(out, k, axis, k->middle, "median");
    cli_html(out, "</g>\n");
}

/* When the worst dated finding about an instance began: 0 = not known. */
static int64_t
since_of(const fc_comparison *c, size_t instance)
{
    for (size_t f = 0; f < c->finding_count; f++)
        for (size_t i = 0; i < c->findings[f].instance_count; i++)
            if (c->findings[f].instances[i] == instance && c->findings[f].since_ns > 0 &&
                c->findings[f].severity >= FC_SEVERITY_NOTE)
                return c->findings[f].since_ns;
    return 0;
}

static void
draw_since(fc_buf *out, const cli_report_axis *axis, int64_t since_ns)
{
    double bucket = ((double)since_ns / 1e9 - (double)axis->start_s) / (double)axis->width_s;
    if (since_ns <= 0 || bucket < 0 || bucket > (double)axis->bucket_count)
        return;
    double x = x_of(axis, bucket);
    cli_html(out,
             "<line class=\"since\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"><title>since</title></line>",
             x, x, TOP, BOTTOM);
}

/* "peak 12; healthy median 0.4 ms" */
static char *
describe(const kind *k, const cli_report_axis *axis, const double *values)
{
    double copy[CLI_REPORT_BUCKETS_MAX], peak = NAN;
    char one[CLI_REPORT_TEXT], other[CLI_REPORT_TEXT];
    for (size_t i = 0; i < axis->bucket_count; i++)
        if (!isnan(values[i]) && !(peak >= values[i]))
            peak = values[i];
    memcpy(copy, k->middle, axis->bucket_count * sizeof *copy);
    double usual = cli_report_quantile(copy, axis->bucket_count, 0.5);
    if (isnan(usual))
        return fc_sprintf("peak %s", cli_report_quantity(peak, k->chart->unit, one));
    return fc_sprintf("peak %s; healthy median %s", cli_report_number(peak, one),
                      cli_report_quantity(usual, k->chart->unit, other));
}

/* values: of the instance `name`; NULL: of nobody, the healthy ones alone. */
static void
draw_chart(fc_buf *out, const cli_report_axis *axis, const kind *k, size_t index, const char *name,
           const double *values, int64_t since_ns)
{
    char *text = describe(k, axis, values != NULL ? values : k->high);
    cli_html(out, "<figure><figcaption>%s<small>%s</small></figcaption>\n", k->chart->title, text);
    cli_html(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s, %s: %s\">", WIDTH, HEIGHT, name,
             k->chart->title, text);
    cli_html(out, "<use href=\"#band-%zu\"/>", index);
    draw_since(out, axis, since_ns);
    if (values != NULL)
        draw_line(out, k, axis, values, "line");
    cli_html(out, "</svg></figure>\n");
    free(text);
}

static void
draw_one(fc_buf *out, const cli_report_view *view, const cli_report_axis *axis, const kind *kinds,
         size_t shown)
{
    const fc_comparison *c = view->comparison;
    const char *name = c->instances[view->shown[shown]].name;
    int64_t since_ns = since_of(c, view->shown[shown]);
    cli_html(out, "<h3>%s", name);
    if (view->shown_alike[shown] > 1)
        cli_html(out, " <small>one of %zu that are alike</small>", view->shown_alike[shown]);
    cli_html(out, "</h3>\n");
    if (since_ns > 0) {
        cli_html(out, "<p class=\"muted\">Since ");
        cli_html_time(out, since_ns);
        cli_html(out, " (dashed line)</p>\n");
    }
    cli_html(out, "<div class=\"charts\">\n");
    for (size_t i = 0; i < cli_report_chart_count; i++)
        if (kinds[i].any)
            draw_chart(out, axis, &kinds[i], i, name, kinds[i].shown[shown], since_ns);
    cli_html(out, "</div>\n");
}

/* Nobody stands out: what everyone did. */
static void
draw_healthy(fc_buf *out, const cli_report_axis *axis, const kind *kinds)
{
    cli_html(out, "<div class=\"charts\">\n");
    for (size_t i = 0; i < cli_report_chart_count; i++)
        if (kinds[i].any)
            draw_chart(out, axis, &kinds[i], i, "healthy instances", NULL, 0);
    cli_html(out, "</div>\n");
}

static void
draw_instances(fc_buf *out, const cli_report_view *view, const cli_report_axis *axis, const kind *kinds)
{
    cli_html(out, "<svg class=\"definitions\" width=\"0\" height=\"0\" aria-hidden=\"true\" "
                  "focusable=\"false\"><defs>\n");
    for (size_t i = 0; i < cli_report_chart_count; i++)
        if (kinds[i].any)
            draw_definition(out, &kinds[i], axis, i);
    cli_html(out, "</defs></svg>\n");
    for (size_t s = 0; s < view->shown_count; s++)
        draw_one(out, view, axis, kinds, s);
    if (view->shown_count == 0)
        draw_healthy(out, axis, kinds);
}

static void
put_key(fc_buf *out, const cli_report_view *view)
{
    cli_html(out, "<section aria-labelledby=\"time\">\n<h2 id=\"time\">Over time</h2>\n<p class=\"key\">");
    if (view->shown_count > 0)
        cli_html(out, "<span class=\"swatch line\"></span> the instance ");
    if (view->healthy_count > 0)
        cli_html(out,
                 "<span class=\"swatch band\"></span> healthy instances, 10th to 90th percentile of %zu "
                 "<span class=\"swatch median\"></span> their median. ",
                 view->healthy_count);
    cli_html(out, "All charts have the same axis of time (UTC), those of one kind the same scale.</p>\n");
}

void
cli_report_charts(fc_buf *out, const cli_report_view *view)
{
    cli_report_axis axis;
    cli_report_axis_init(&axis, view);
    if (axis.width_s == 0)
        return;
    kind *kinds = fc_alloc_array(cli_report_chart_count, sizeof *kinds);
    bool any = false;
    for (size_t i = 0; i < cli_report_chart_count; i++) {
        make_kind(&kinds[i], &cli_report_chart_list[i], &axis, view);
        any = any || kinds[i].any;
    }
    if (any) {
        put_key(out, view);
        draw_instances(out, view, &axis, kinds);
        if (view->conspicuous_count > view->shown_count)
            cli_html_left_out(out, view->conspicuous_count - view->shown_count,
                              "more stand out; these are the worst");
        cli_html(out, "</section>\n");
    }
    free(kinds);
}
