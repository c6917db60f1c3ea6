/* manifest.h: manifest.json beside downloaded files: what they are, where they came from, what was lost.
 * Pure. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/capture_view.h"

typedef struct cli_manifest_file {
    const cli_file *file; /* borrowed */
    const char *local;    /* borrowed; NULL = it has none */
    bool fetched;         /* it is there, complete */
    bool verified;        /* and its SHA-256 is what the instance told */
    const char *problem;  /* borrowed; why it is not fetched or not verified; NULL = none */
} cli_manifest_file;

typedef struct cli_manifest {
    const char *fleet;
    fc_wall now;
    const cli_capture *capture;
    const cli_statuses *statuses;
    const cli_instances *instances; /* for clocks; may be NULL */
    const cli_manifest_file *files;
    size_t file_count;
} cli_manifest;

/* New reference. "complete" is true when every file was fetched and verified and every instance has finished.
 */
json_t *
cli_manifest_json(const cli_manifest *manifest);

#endif
