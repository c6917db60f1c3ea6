#include "cli/report/series.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <math.h>
#include <string.h>

// clang-format off
#define S(id) FC_SERIES_##id
const cli_report_chart cli_report_chart_list[] = {
    {"Packets",                       "packets/s",     {S(PACKETS_IN), S(PACKETS_OUT)},  -1,              1},
    {"DNS questions that failed",     "questions/s",   {S(DNS_FAILED), -1},              -1,              1},
    {"DNS latency, mean",             "ms",            {S(DNS_LATENCY_NS), -1},          S(DNS_ANSWERED), 1e-6},
    {"TCP connections that failed",   "connections/s", {S(TCP_FAILED), -1},              -1,              1},
    {"TCP segments sent again",       "packets/s",     {S(TCP_RETRANSMITTED), -1},       -1,              1},
    {"TCP handshake, mean",           "ms",            {S(HANDSHAKE_NS), -1},            S(HANDSHAKES),   1e-6},
    {"TLS handshakes that failed",    "handshakes/s",  {S(TLS_FAILED), -1},              -1,              1},
    {"ICMP errors that came in",      "packets/s",     {S(ICMP_ERRORS), -1},             -1,              1},
};
// clang-format on
const size_t cli_report_chart_count = FC_COUNT(cli_report_chart_list);

/* Widens [*start, *end) and *width so that an instance's series fits. */
static void
cover(const fc_instance_features *features, int64_t *start, int64_t *end, int64_t *width)
{
    const fc_feature_series *series = &features->series;
    if (series->width_s == 0 || series->bucket_count == 0)
        return;
    int64_t last = series->start_s + (int64_t)series->bucket_count * series->width_s;
    if (*width == 0 || series->start_s < *start)
        *start = series->start_s;
    if (*width == 0 || last > *end)
        *end = last;
    if (series->width_s > *width)
        *width = series->width_s;
}

void
cli_report_axis_init(cli_report_axis *axis, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    int64_t start = 0, end = 0, width = 0;
    for (size_t i = 0; i < view->healthy_count; i++)
        cover(&c->features[view->healthy[i]], &start, &end, &width);
    for (size_t i = 0; i < view->shown_count; i++)
        cover(&c->features[view->shown[i]], &start, &end, &width);
    *axis = (cli_report_axis){0};
    if (width == 0)
        return;
    if (c->window_start_ns > 0 && c->window_end_ns > c->window_start_ns) {
        start = c->window_start_ns / FC_NS_PER_S;
        end = c->window_end_ns / FC_NS_PER_S + 1;
    }
    /* Widths are powers of two, and so is what they are rounded to. */
    while ((end - (start & ~(width - 1)) + width - 1) / width > CLI_REPORT_BUCKETS_MAX)
        width *= 2;
    axis->start_s = start & ~(width - 1);
    axis->width_s = width;
    axis->bucket_count = (size_t)((end - axis->start_s + width - 1) / width);
}

static void
add_row(const cli_report_axis *axis, const fc_feature_series *series, int row, double *sums)
{
    if (row < 0 || series->rows[row] == NULL)
        return;
    for (uint32_t i = 0; i < series->bucket_count; i++) {
        int64_t second = series->start_s + (int64_t)i * series->width_s - axis->start_s;
        if (second >= 0 && second / axis->width_s < (int64_t)axis->bucket_count)
            sums[second / axis->width_s] += (double)series->rows[row][i];
    }
}

/* Was the instance watched in any part of the bucket? Not known counts as yes. */
static bool
watched(const cli_report_axis *axis, const fc_profile_subject *subject, size_t bucket)
{
    int64_t from_s = axis->start_s + (int64_t)bucket * axis->width_s;
    if (subject->start_ns > 0 && subject->start_ns / FC_NS_PER_S >= from_s + axis->width_s)
        return false;
    return subject->end_ns <= 0 || subject->end_ns / FC_NS_PER_S >= from_s;
}

bool
cli_report_values(const cli_report_axis *axis, const cli_report_chart *chart,
                  const fc_instance_features *features, double *ret_values)
{
    double sums[CLI_REPORT_BUCKETS_MAX] = {0}, counts[CLI_REPORT_BUCKETS_MAX] = {0};
    bool any = false;
    for (size_t i = 0; i < FC_COUNT(chart->add); i++)
        add_row(axis, &features->series, chart->add[i], sums);
    add_row(axis, &features->series, chart->divide, counts);
    for (size_t i = 0; i < axis->bucket_count; i++) {
        double by = chart->divide >= 0 ? counts[i] : (double)axis->width_s;
        bool there = features->has_profile && by > 0 && watched(axis, &features->subject, i);
        ret_values[i] = there ? sums[i] * chart->factor / by : NAN;
        any = any || (there && sums[i] > 0);
    }
    return any;
}
