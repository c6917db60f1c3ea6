/* compare_view.h: what a comparison looks like on a terminal: the verdict, the findings, where to look, who
 * is alike. Pure: no I/O. */
#ifndef CLI_COMPARE_VIEW_H
#define CLI_COMPARE_VIEW_H

#include "cli/output.h"
#include "cli/table.h"
#include "common/compare/compare.h"

/* everything: also findings that are only information, and the metrics. Appended. */
void
cli_compare_text(const cli_out *out, const fc_comparison *comparison, bool everything, fc_buf *text);
/* A row per finding, the worst first. */
cli_table *
cli_compare_table(const fc_comparison *comparison, bool everything, bool exact);

#endif
