/* analyze_view.h: what a profile looks like for a person. Pure: no I/O. */
#ifndef CLI_ANALYZE_VIEW_H
#define CLI_ANALYZE_VIEW_H

#include "cli/output.h"
#include "cli/table.h"
#include "common/model/definition.h"
#include "common/profile/profile.h"

/* Everything of one profile that fits a screen: what was captured, how fast things were, whom it talked to,
 * and what went wrong, worst first. Sorts the profile's tables. Appended. */
void
cli_analyze_profile(const cli_out *out, fc_profile *profile, fc_buf *text);

/* A row per profile. */
cli_table *
cli_analyze_table(void);
void
cli_analyze_row(cli_table *table, const fc_profile *profile);

/* Conversations and questions as tables; NULL = not asked for. Appended. */
void
cli_analyze_rows(const cli_out *out, const json_t *conversations, const json_t *dns, fc_buf *text);
/* What must be known beside the result: files that were cut off, a capture that still runs. Appended. */
void
cli_analyze_notes(const cli_out *out, const fc_strings *notes, fc_buf *text);

#endif
