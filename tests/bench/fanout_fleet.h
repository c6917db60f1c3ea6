/* fanout_fleet.h: what bench-fanout needs around it: a fleet's credentials in a directory that goes away
 * again, and the real coordinator as a child.
 */
#ifndef BENCH_FANOUT_FLEET_H
#define BENCH_FANOUT_FLEET_H

#include "common/base/err.h"
#include "common/base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct bench_fleet {
    char directory[128];
    char address[32]; /* 127.0.0.1:PORT */
    char program[PATH_MAX];
    char ca[192], operator_certificate[192], operator_key[192];
    pid_t pid; /* 0 = not running */
} bench_fleet;

/* Credentials for everybody, the coordinator's configuration; raises the limit of open files. */
FC_MUST_USE fc_err
bench_fleet_make(bench_fleet *fleet, size_t instances, fc_fail *fail);
/* Ends the coordinator and removes the directory (unless it is to be kept). */
void
bench_fleet_remove(bench_fleet *fleet, bool keep);
/* Starts the coordinator and returns without waiting for it. */
FC_MUST_USE fc_err
bench_fleet_start(bench_fleet *fleet, fc_fail *fail);
void
bench_fleet_kill(bench_fleet *fleet); /* SIGKILL, and waits */
uint64_t
bench_fleet_rss_kib(const bench_fleet *fleet);

void
bench_fleet_node_name(size_t index, char ret_name[FC_NAME_MAX + 1]);
void
bench_fleet_node_files(const bench_fleet *fleet, size_t index, char ret_certificate[PATH_MAX],
                       char ret_key[PATH_MAX]);

#endif
