/* path_view.h: the result of `fleetcap path` for people: the verdict, the clocks, conversations worst first,
 * what was lost. Pure. */
#ifndef CLI_PATH_VIEW_H
#define CLI_PATH_VIEW_H

#include "cli/output.h"
#include "cli/table.h"
#include "common/model/definition.h"

/* result: docs/path.md. everything: also conversations of which there is nothing to say. Owned by the caller.
 */
cli_table *
cli_path_table(const json_t *result, bool everything, bool exact);
/* What stands above the table, and below it. lossless: the files were taken to be complete. Appended. */
void
cli_path_head(const cli_out *out, const json_t *result, bool lossless, fc_buf *text);
void
cli_path_tail(const cli_out *out, const json_t *result, bool everything, const fc_strings *notes,
              fc_buf *text);

#endif
