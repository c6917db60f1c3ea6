/* worker_path.h: the captures of two ends, taken to one result by a process that can do nothing else
 * (worker.h). */
#ifndef CLI_WORKER_PATH_H
#define CLI_WORKER_PATH_H

#include "common/base/err.h"
#include "common/model/definition.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct cli_path_job {
    fc_strings files[2]; /* paths of each end's files, in order of time */
    char *names[2];      /* owned; of the ends, where the files do not say */
    bool lossless;
} cli_path_job;
void
cli_path_job_fini(cli_path_job *job);

/* ret_result: docs/path.md, owned by the caller; the text of what is not as it should be is appended to
 * *notes. A file that is corrupt counts up to where it is. */
FC_MUST_USE fc_err
cli_worker_path(const cli_path_job *job, json_t **ret_result, fc_strings *notes, fc_fail *fail);

#endif
