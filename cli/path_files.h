/* path_files.h: which files of a capture are of which end: in a directory, or on the fleet. */
#ifndef CLI_PATH_FILES_H
#define CLI_PATH_FILES_H

#include "cli/run.h"
#include "cli/worker_path.h"

/* The files of two instances in a directory, as `capture download` leaves them: by manifest.json where there
 * is one, else by their names. FC_ERR_NOT_FOUND names the instance that has none. */
FC_MUST_USE fc_err
cli_path_from_directory(const char *directory, const char *const instances[2], cli_path_job *job,
                        fc_fail *fail);
/* Fetches the two instances' finished files of a capture into the directory, which exists; what is there
 * already is not fetched again. */
FC_MUST_USE fc_err
cli_path_from_fleet(cli_run *run, const char *capture, const char *const instances[2], const char *directory,
                    cli_path_job *job, fc_fail *fail);

#endif
