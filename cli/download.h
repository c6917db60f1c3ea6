/* download.h: all files of a capture, several at once, over one connection. */
#ifndef CLI_DOWNLOAD_H
#define CLI_DOWNLOAD_H

#include "cli/landing.h"
#include "cli/rpc_capture.h"
#include "cli/run.h"

typedef enum cli_fetch_state {
    CLI_FETCH_WAITING,
    CLI_FETCH_RUNNING,
    CLI_FETCH_DONE,
    CLI_FETCH_FAILED
} cli_fetch_state;

struct cli_download;

/* One file of the plan. */
typedef struct cli_fetch {
    const cli_file *file; /* borrowed from the list that the plan was made of */
    char *local;          /* owned: its name in the download directory; NULL when it was refused */
    cli_fetch_state state;
    bool verified;
    fc_fail why; /* with FAILED, or when not verified */
    cli_landing landing;
    cli_read *read; /* weak: cleared when it ends */
    fc_mono last_data;
    fc_mono lost_since; /* its instance or the coordinator went away: since when; 0 = they are there */
    fc_mono again;      /* WAITING: not before this */
    struct cli_download *download; /* borrowed */
} cli_fetch;

typedef struct cli_download {
    cli_run *run;             /* borrowed */
    const char *capture_name; /* borrowed */
    int dir_fd;               /* borrowed */
    unsigned parallel;
    uint32_t stall_ms;  /* a file without a byte for so long is given up */
    cli_fetch *fetches; /* owned */
    size_t count;
    unsigned running;
    uint64_t fetched_bytes; /* over the network */
} cli_download;

/* The finished files among `files`, each under a name of its own. Pure. */
void
cli_download_plan(const cli_files *files, cli_download *download);
/* Fetches them. FC_ERR_CANCELLED after Ctrl-C; a file's own trouble is in its `why`. */
FC_MUST_USE fc_err
cli_download_run(cli_download *download, fc_fail *fail);
void
cli_download_fini(cli_download *download);

#endif
