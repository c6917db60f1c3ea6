/* view.h: what all sections of a report share: who is healthy, who is shown singly, and the sections.
 */
#ifndef CLI_REPORT_VIEW_H
#define CLI_REPORT_VIEW_H

#include "cli/report/report.h"
#include "common/base/buf.h"

/* How much is shown; what is beyond is counted on the page. With these, 1,000 instances stay well below
 * CLI_REPORT_SIZE_MAX. */
enum {
    CLI_REPORT_SHOWN_MAX = 8,   /* instances with charts of their own */
    CLI_REPORT_ROWS_OPEN = 60,  /* rows of a table before it folds */
    CLI_REPORT_ROWS_MAX = 1000, /* rows of a table at all */
    CLI_REPORT_FINDINGS_OPEN = 20,
    CLI_REPORT_FINDINGS_MAX = 100,
    CLI_REPORT_EVIDENCE_MAX = 8,  /* per finding */
    CLI_REPORT_METRICS_OPEN = 12, /* columns of the matrix before it folds */
    CLI_REPORT_NAMES_MAX = 160,   /* bytes of a list of instances */
};

typedef struct cli_report_view {
    const cli_report *report;        /* borrowed */
    const fc_comparison *comparison; /* borrowed from report */
    size_t *worst;   /* owned; per instance the worst finding about it, or the number of findings */
    size_t *healthy; /* owned; indices of those that the others are held against */
    size_t healthy_count;
    size_t *groups;                     /* owned; the comparison's groups, the worst first */
    size_t shown[CLI_REPORT_SHOWN_MAX]; /* instances with charts: the worst first, one for those alike */
    size_t shown_alike[CLI_REPORT_SHOWN_MAX]; /* how many are like it, itself among them */
    size_t shown_count;
    size_t conspicuous_count; /* how many would have been shown */
} cli_report_view;

void
cli_report_view_init(cli_report_view *view, const cli_report *report);
void
cli_report_view_fini(cli_report_view *view);
/* "web-[1-3]"; owned by the caller. Long lists end in "… (1,000 instances)". */
char *
cli_report_names(const fc_comparison *comparison, const size_t *instances, size_t count);
/* Index of the worst finding about an instance of the group; the number of findings when there is none. */
size_t
cli_report_worst(const cli_report_view *view, const fc_compare_group *group);
/* The median of numbers, which are sorted by it; those that are NAN are left out. NAN without any. q: 0.5 is
 * the median. */
double
cli_report_quantile(double *values, size_t count, double q);

/* The symbol and the word of a severity or standing, as a badge. */
void
cli_report_severity(fc_buf *out, fc_severity severity);
void
cli_report_standing(fc_buf *out, fc_standing standing);
/* Its class in the style sheet. */
const char *
cli_report_standing_class(fc_standing standing);

/* The sections, each with its heading; nothing when there is nothing to show. */
void
cli_report_verdict(fc_buf *out, const cli_report_view *view);
void
cli_report_groups(fc_buf *out, const cli_report_view *view);
void
cli_report_findings(fc_buf *out, const cli_report_view *view);
void
cli_report_charts(fc_buf *out, const cli_report_view *view);
void
cli_report_waterfall(fc_buf *out, const cli_report_view *view);
void
cli_report_matrix(fc_buf *out, const cli_report_view *view);
void
cli_report_context(fc_buf *out, const cli_report_view *view);
void
cli_report_provenance(fc_buf *out, const cli_report_view *view);

#endif
