/* worker.h: capture files are taken apart by processes that can do nothing else.
 *
 * A capture is a stranger's bytes. Each job (the files of one instance) is read by a forked child that has
 * the open files, a pipe, and nothing more: no network, no file system, no exec (worker_sandbox.c). It sends
 * back messages (worker_wire.h), and what it says is checked like any other peer's word. A child that dies
 * costs its job, not the command. At most as many at once as there are processors.
 */
#ifndef CLI_WORKER_H
#define CLI_WORKER_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/model/definition.h"
#include "common/profile/address.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one look at a file's beginning tells. */
typedef struct cli_probe {
    bool known;       /* false: not looked at, or no capture, which shows again when it is analysed */
    char *identity;   /* owned; the comment that fleetcap-capture writes; NULL = another program's file */
    int64_t first_ns; /* of its first packet; INT64_MAX = it has none */
} cli_probe;

typedef struct cli_worker_file {
    char *path;             /* owned; as it was named, for opening and for sentences */
    char *name;             /* owned; its last part; "stdin" for - */
    bool may_be_read_twice; /* not a pipe */
    cli_probe probe;
} cli_worker_file;
void
cli_worker_file_fini(cli_worker_file *file);

/* What to do with the files of a job beside the profile. */
typedef struct cli_worker_wish {
    bool conversations, dns;
    const fc_address *local; /* borrowed: addresses that are local whatever the files say */
    size_t local_count;
} cli_worker_wish;

typedef struct cli_worker_job {
    cli_worker_file *files; /* owned, in their order */
    size_t file_count;
    /* What came of it. */
    fc_buf profile;              /* owned; packed, checked; empty = there is none */
    json_t *conversations, *dns; /* owned; arrays; NULL when not wished for */
    fc_strings notes;            /* files that were cut off */
    fc_fail fail; /* the first file that could not be read (to its end), or the child that died; err FC_OK =
                     none */
} cli_worker_job;
void
cli_worker_job_fini(cli_worker_job *job);

/* Fills in the probe of every file that may be read twice. */
FC_MUST_USE fc_err
cli_workers_probe(cli_worker_file *files, size_t count, fc_fail *fail);
/* Runs all jobs to their ends. FC_OK also when a job failed: it says so. */
FC_MUST_USE fc_err
cli_workers_run(cli_worker_job *jobs, size_t count, const cli_worker_wish *wish, fc_fail *fail);

#endif
