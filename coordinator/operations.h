/* operations.h: what operators do to captures: create, stop, delete. Audited, durable before they are
 * answered.
 *
 * Every attempt leaves an audit record, in the transaction of what it changes, or on its own when it is
 * refused.
 */
#ifndef CO_OPERATIONS_H
#define CO_OPERATIONS_H

#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/model/definition.h"
#include "coordinator/captures.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co;

enum {
    CO_REQUEST_ID_MAX = 128,
    CO_DELETE_STOP_MS = 10000, /* how long delete waits for instances to stop */
    CO_DELETE_ACK_MS = 5000,   /* and then to acknowledge that they forgot */
};

/* ---- create ---- */

typedef struct co_create {
    const char *principal;     /* "operator/alice" */
    const char *request_id;    /* "" = not repeatable */
    fc_definition *definition; /* taken on success unless dry_run */
    bool dry_run;
} co_create;

typedef struct co_created {
    co_capture *capture;     /* borrowed; NULL in a dry run */
    co_instance **instances; /* owned array; items borrowed */
    size_t instance_count;
    char *compiled_filter; /* owned */
    fc_strings warnings;
    size_t region_count;
    bool repeated; /* an earlier request with this id had made it */
} co_created;

/* *ret is finished by the caller on FC_OK. */
FC_MUST_USE fc_err
co_create_capture(struct co *co, const co_create *request, co_created *ret, fc_fail *fail);
void
co_created_fini(co_created *created);

/* ---- stop ---- */

typedef struct co_stop {
    const char *principal;
    const char *request_id;
    fc_strings names; /* borrowed, as everything here */
    bool all;
    fc_target target; /* which instances of the captures; empty = all */
} co_stop;

/* Sets every matching instance capture that is not over to STOP. *ret_parts: those that match, over or not;
 * owned array, the captures are held by *ret_captures (owned array; release each). */
typedef struct co_stopped {
    co_part **parts;
    size_t part_count;
    co_capture **captures;
    size_t capture_count;
} co_stopped;
FC_MUST_USE fc_err
co_stop_captures(struct co *co, const co_stop *request, co_stopped *ret, fc_fail *fail);
void
co_stopped_fini(struct co *co, co_stopped *stopped);

/* ---- delete ---- */

typedef struct co_deleted {
    uint32_t instance_count, files_kept, files_deleted;
    fc_strings unreachable; /* names of instances that have not acknowledged */
    bool done_before;       /* an earlier request with this id did it: the files are not counted again */
} co_deleted;

typedef struct co_delete {
    const char *principal; /* borrowed for the start */
    const char *request_id;
    const char *name;
    bool delete_files, stop_first;
    /* Once, from the loop; *result is borrowed. */
    void (*done)(struct co_delete *operation, fc_err err, const fc_fail *fail, const co_deleted *result);

    struct co *co;       /* from here on the operation's own */
    co_capture *capture; /* held */
    co_wait *waits;      /* owned: one for each part */
    size_t pending;
    bool forgetting; /* else it waits for the stop */
    char who[FC_PRINCIPAL_TEXT_SIZE];
    char request[CO_REQUEST_ID_MAX + 1];
    fc_timer timer;
    uint32_t *files; /* owned: of each part, when it began */
    bool repeated;   /* an earlier request with this id did it: */
    char uid[FC_UID_LENGTH + 1];
} co_delete;

/* Caller's storage with the request and `done` filled in. On FC_OK `done` comes later, unless
 * co_delete_abandon. */
FC_MUST_USE fc_err
co_delete_start(struct co *co, co_delete *operation, fc_fail *fail);
/* Nobody waits for the answer any more; what has begun goes on. */
void
co_delete_abandon(co_delete *operation);

#endif
