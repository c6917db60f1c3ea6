/* capture_view.h: what a capture looks like: header, one line per instance, JSON. Pure: no I/O. */
#ifndef CLI_CAPTURE_VIEW_H
#define CLI_CAPTURE_VIEW_H

#include "cli/rpc_fleet.h"
#include "cli/table.h"

/* Instances of a capture by how far they are. */
typedef struct cli_tally {
    size_t total, running, stopped, failed;
    size_t offline; /* neither finished nor connected */
    size_t waiting; /* connected, and not running yet */
} cli_tally;
cli_tally
cli_tally_of(const cli_statuses *statuses);
/* "38 running, 1 failed, 1 offline". Owned. */
char *
cli_tally_text(const cli_tally *tally);
/* "38 RUNNING, 2 PENDING". Owned. */
char *
cli_states_text(const cli_capture *capture);

/* The lines above the instances. Appended. */
void
cli_capture_header(const cli_capture *capture, fc_buf *text);
/* Filter and limits, as they will be used. Appended. */
void
cli_limits_text(const fc_definition *definition, const char *compiled_filter, fc_buf *text);
/* A row per instance, in the order of `statuses`. instances may be NULL: no clocks then. */
cli_table *
cli_statuses_table(const cli_statuses *statuses, const cli_instances *instances, bool exact);
/* The same for one instance: a row per capture. */
cli_table *
cli_instance_captures_table(const cli_statuses *captures, bool exact);
/* "STOPPED 500 packets, 25.8 KiB, dropped 0, last 2026-…": one instance capture on a line of its own. Owned.
 */
char *
cli_status_text(const fc_status *status);
/* What does not fit a table: a line for each instance that has an error, a gap or packets not accounted for.
 */
void
cli_statuses_remarks(const cli_statuses *statuses, fc_buf *text);
/* A status as it is printed: fc_status_to_json and "instance" (its name), and the clock when known. */
json_t *
cli_status_json(const fc_status *status, const cli_instances *instances);
/* cli_capture_json and "instances". */
json_t *
cli_capture_whole_json(const cli_capture *capture, const cli_statuses *statuses,
                       const cli_instances *instances);
/* "web-1, web-2, web-3 and 14 more": at most `most` names; fits a sentence. Owned. */
char *
cli_names_text(char *const *names, size_t count, size_t most);

#endif
