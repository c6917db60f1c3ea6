/* series.h: series of many instances laid over one axis of time. */
#ifndef CLI_REPORT_SERIES_H
#define CLI_REPORT_SERIES_H

#include "cli/report/view.h"

#include <stdbool.h>

enum { CLI_REPORT_BUCKETS_MAX = 120 };

typedef struct cli_report_axis {
    int64_t start_s, width_s; /* Unix seconds; width_s 0: there are no series */
    size_t bucket_count;      /* at most CLI_REPORT_BUCKETS_MAX */
} cli_report_axis;

/* What is drawn: rows added and divided. */
typedef struct cli_report_chart {
    const char *title, *unit;
    int add[2];    /* fc_series_id; -1 = none */
    int divide;    /* fc_series_id of how many there were: a mean; -1: a rate per second */
    double factor; /* what the result is multiplied with */
} cli_report_chart;

extern const cli_report_chart cli_report_chart_list[];
extern const size_t cli_report_chart_count;

/* An axis for the healthy and the shown: their common window, or else everything they saw. */
void
cli_report_axis_init(cli_report_axis *axis, const cli_report_view *view);
/* One instance's values on the axis: NAN where it has none. ret_values: CLI_REPORT_BUCKETS_MAX. Returns
 * whether any is above 0. */
bool
cli_report_values(const cli_report_axis *axis, const cli_report_chart *chart,
                  const fc_instance_features *features, double *ret_values);

#endif
