/* worker_wire.h: what a worker says to its parent: messages of 4 bytes kind, 4 bytes size, and that many
 * bytes, in the machine's byte order; and the life of the child itself. Of worker*.c only. */
#ifndef CLI_WORKER_WIRE_H
#define CLI_WORKER_WIRE_H

#include "cli/worker.h"

#include <sys/resource.h>

enum {
    CLI_WIRE_SIZE_MAX = 1 << 16,  /* of a message */
    CLI_WIRE_TOTAL_MAX = 1 << 30, /* of all messages of a job: who lists more conversations takes a filter */
    CLI_WIRE_IDENTITY_MAX = 1024,
};

typedef enum cli_wire_kind {
    CLI_WIRE_PROBE = 1,    /* cli_wire_probe and the identity */
    CLI_WIRE_PROFILE,      /* packed */
    CLI_WIRE_CONVERSATION, /* JSON */
    CLI_WIRE_DNS,          /* JSON */
    CLI_WIRE_NOTE,         /* a sentence */
    CLI_WIRE_FAIL,         /* 4 bytes fc_err and a sentence */
    CLI_WIRE_DONE,         /* nothing follows; without it the child died */
} cli_wire_kind;

typedef struct cli_wire_probe {
    uint32_t file; /* index */
    int64_t first_ns;
} cli_wire_probe;

/* The parent's ear: what a child says is checked, and put where it belongs. */
typedef struct cli_wire_reader {
    cli_worker_job *job;    /* borrowed; NULL of a probe */
    cli_worker_file *files; /* borrowed */
    size_t file_count;
    fc_buf unread;  /* owned */
    uint64_t total; /* bytes so far */
    bool done;
    fc_fail fail; /* what the child said that cannot be, or of a probe its own failure */
} cli_wire_reader;
/* More of its words, cut anywhere. FC_ERR_PROTOCOL or FC_ERR_CORRUPT: it is not to be listened to any more.
 */
FC_MUST_USE fc_err
cli_wire_take(cli_wire_reader *reader, const void *bytes, size_t size);

enum {
    CLI_WORKER_CPU_FIRST_S = 60,
    CLI_WORKER_CPU_BYTES_PER_S = 256 << 10, /* of the files: so slow that compressed ones and slow machines
                                             * have time enough, and only who turns in circles has not */
};
/* In the child: how many seconds of processor time these files (-1: none) may cost, after which the kernel
 * kills it. RLIM_INFINITY when one is no regular file: nobody knows how long a pipe is. */
rlim_t
cli_worker_cpu_s(const int *fds, size_t count);

/* In the child: only what is needed to read these descriptors and to write to `out`. */
FC_MUST_USE fc_err
cli_worker_sandbox(const int *fds, size_t count, int out, fc_fail *fail);

/* The child's work; fds[i] is files[i] (-1: it could not be opened, and nothing is said of it), taken over.
 * Never return. */
__attribute__((noreturn)) void
cli_worker_probe(const cli_worker_file *files, int *fds, size_t count, int out);
__attribute__((noreturn)) void
cli_worker_analyze(const cli_worker_job *job, int *fds, const cli_worker_wish *wish, int out);

#endif
