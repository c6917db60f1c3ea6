/* evidence.h: what a comparison is made from: per instance a profile, contexts, a state and a clock.
 *
 * From files (evidence_files.c: captures are taken apart by workers, saved profiles are read) or from a
 * capture on the fleet (evidence_fleet.c). Profiles stay packed, some ten KiB each, until one is looked at.
 */
#ifndef CLI_EVIDENCE_H
#define CLI_EVIDENCE_H

#include "cli/worker.h"
#include "common/compare/compare.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_run;

/* What a file with a saved profile begins with; the packed message follows. */
#define CLI_PROFILE_MAGIC "FCPROF1\n"
enum { CLI_PROFILE_MAGIC_SIZE = 8 };

typedef struct cli_evidence_item {
    char *name;       /* owned; one of its kind in the evidence */
    char *id;         /* owned; the instance's; "" = not known */
    char *region;     /* owned; "" = not known */
    char *source;     /* owned; the first file or directory it came from; "" = the fleet */
    char *capture;    /* owned; the capture's name; "" = not known */
    fc_labels labels; /* of the instance, from the fleet */
    fc_cohort cohort;
    fc_buf profile, context_start, context_stop; /* owned; packed; empty = none */
    bool last_profile_due; /* its capture has just stopped: its last profile may still be on its way */
    char *problem;         /* owned; why its capture is not what was asked for; NULL = none */
    int64_t clock_offset_ns, clock_bound_ns; /* bound 0 = not known */
} cli_evidence_item;

typedef struct cli_evidence_file {
    size_t item;         /* index */
    char *name;          /* owned */
    uint64_t size_bytes; /* 0 = not known */
    char *sha256;        /* owned; hexadecimal; NULL = not known */
} cli_evidence_file;

typedef struct cli_evidence_set {
    cli_evidence_item *items; /* owned */
    size_t count, capacity;
    cli_evidence_file *files; /* owned */
    size_t file_count, file_capacity;
    json_t *conversations, *dns; /* owned; NULL = not wished for */
    fc_strings notes;    /* what a reader of the result must know: files cut off, a capture that still runs */
    bool with_labels;    /* from the fleet: selectors make sense */
    size_t failed_count; /* files or groups of files that could not be read to their end */
    fc_fail failed;      /* the first of them */
    char *capture_name, *capture_uid, *definition, *filter; /* owned; of the fleet's capture; NULL = files */
    int64_t created_ns;
} cli_evidence_set;
void
cli_evidence_fini(cli_evidence_set *evidence);

/* paths: files, - for standard input, directories (all captures and saved profiles below them). The files of
 * one instance capture become one item. FC_ERR_NOT_FOUND when there is nothing at all; files that cannot be
 * read are counted, and the rest goes on; when none could be read, the first one's error. */
FC_MUST_USE fc_err
cli_evidence_files(const fc_strings *paths, const cli_worker_wish *wish, cli_evidence_set *ret,
                   fc_fail *fail);
/* A capture of the fleet that run is connected to. */
FC_MUST_USE fc_err
cli_evidence_fleet(struct cli_run *run, const char *capture, cli_evidence_set *ret, fc_fail *fail);

/* What `capture download` wrote beside the files: states, clocks and hashes of the capture. Instances that
 * left no file become items without a profile. FC_ERR_CORRUPT when it is no manifest; nothing is changed
 * then. */
FC_MUST_USE fc_err
cli_evidence_manifest(cli_evidence_set *evidence, const char *path, fc_fail *fail);
/* Why an instance capture is not what was asked for; NULL when it is. Owned by the caller. */
char *
cli_evidence_problem(const fc_status *status);

/* Room for one more item or file, zeroed but for empty texts. Borrowed until the next one. */
cli_evidence_item *
cli_evidence_add(cli_evidence_set *evidence);
cli_evidence_file *
cli_evidence_add_file(cli_evidence_set *evidence, size_t item, const char *name);
/* Sorts by name, numbers by their value, and makes names that are there twice different. */
void
cli_evidence_settle(cli_evidence_set *evidence);
/* The profile of an item; NULL when it has none. Owned by the caller. */
fc_profile *
cli_evidence_profile(const cli_evidence_item *item);
/* Puts every item that --healthy and --suspect choose into its cohort: names, folded lists (web-[1-3,7]),
 * patterns with * and ?, or a label selector. FC_ERR_NOT_FOUND when a value chooses nobody, FC_ERR_INVALID
 * when somebody would be both. */
FC_MUST_USE fc_err
cli_evidence_cohorts(cli_evidence_set *evidence, const fc_strings *healthy, const fc_strings *suspect,
                     fc_fail *fail);
/* All items side by side. Owned by the caller. */
FC_MUST_USE fc_err
cli_evidence_compare(const cli_evidence_set *evidence, fc_comparison **ret_comparison, fc_fail *fail);
/* After a result was printed: FC_ERR_PARTIAL, naming the first, when some files could not be read. */
FC_MUST_USE fc_err
cli_evidence_verdict(const cli_evidence_set *evidence, fc_fail *fail);

#endif
