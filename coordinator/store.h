/* store.h: what has to outlive the coordinator: instances, captures, instance captures, segments, evidence,
 * audit, request ids.
 *
 * Rows are plain texts, numbers and bytes: the store knows no domain type and no protobuf, so that another
 * database can stand behind the same functions. One thread. Writes happen within co_store_begin …
 * co_store_commit; a commit that returned FC_OK survives kill -9 and power loss.
 */
#ifndef CO_STORE_H
#define CO_STORE_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct co_store co_store;

/* Beside a database that was migrated: how it was before, for a program that is older. */
#define CO_STORE_COPY_SUFFIX ".before-upgrade"

/* path: a file, made when missing and migrated when old, of which a copy is kept first (path with
 * CO_STORE_COPY_SUFFIX, instead of an earlier one; without room for it nothing is migrated); ":memory:" for
 * tests. FC_ERR_STATE when the file was written by a newer version, FC_ERR_CORRUPT when it is no such
 * database. */
FC_MUST_USE fc_err
co_store_open(const char *path, co_store **ret_store, fc_fail *fail);
void
co_store_close(co_store *store);

FC_MUST_USE fc_err
co_store_begin(co_store *store, fc_fail *fail);
FC_MUST_USE fc_err
co_store_commit(co_store *store, fc_fail *fail); /* on failure the transaction is rolled back */
void
co_store_rollback(co_store *store);

/* Bytes borrowed for the call (put) or for the visit (load). */
typedef struct co_blob {
    const void *data;
    size_t size;
} co_blob;

typedef struct co_instance_row {
    const char *id, *name, *scale_set, *region, *zone, *version, *boot_id, *address;
    co_blob labels;
    int64_t last_seen_unix_ns;
    bool removed; /* from the fleet: kept for the captures that name it */
} co_instance_row;

typedef struct co_capture_row {
    const char *uid, *name;
    co_blob definition;
    const char *compiled_filter;
    const char *created_by;
    int64_t created_unix_ns;
    int64_t start_unix_ns;
    int64_t window_end_unix_ns;
    uint32_t lead_ms;
    bool stop_requested;
    bool deleted; /* rows are kept until every instance has forgotten it */
} co_capture_row;

typedef struct co_part_row {
    const char *capture_uid, *instance_id;
    int action;
    int stop_reason;
    int state;
    uint64_t revision;
    int forgotten;  /* 1 = acknowledged, 2 = and gone */
    co_blob status; /* without segments */
} co_part_row;

typedef struct co_segment_row {
    const char *capture_uid, *instance_id;
    uint32_t sequence;
    co_blob segment;
} co_segment_row;

typedef struct co_evidence_row {
    const char *capture_uid, *instance_id;
    int kind;
    uint64_t revision;
    co_blob data;
} co_evidence_row;

typedef struct co_audit_row {
    int64_t at_unix_ns;
    const char *principal, *action, *object, *outcome, *detail;
} co_audit_row;

enum { CO_REQUEST_OBJECT_SIZE = 132 }; /* two names with a stroke between them, and room */

typedef struct co_request_row {
    const char *principal, *request_id, *method;
    const char *object; /* what the request made or touched: a capture's uid, a token's id, … */
    int64_t at_unix_ns;
} co_request_row;

FC_MUST_USE fc_err
co_store_put_instance(co_store *store, const co_instance_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_remove_instance(co_store *store, const char *id, fc_fail *fail);
FC_MUST_USE fc_err
co_store_put_capture(co_store *store, const co_capture_row *row, fc_fail *fail);
/* With its instance captures, segments and evidence. */
FC_MUST_USE fc_err
co_store_remove_capture(co_store *store, const char *uid, fc_fail *fail);
FC_MUST_USE fc_err
co_store_put_part(co_store *store, const co_part_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_put_segment(co_store *store, const co_segment_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_remove_segment(co_store *store, const char *capture_uid, const char *instance_id, uint32_t sequence,
                        fc_fail *fail);
FC_MUST_USE fc_err
co_store_put_evidence(co_store *store, const co_evidence_row *row, fc_fail *fail);
/* Append-only: the database refuses to change or remove what is there. */
FC_MUST_USE fc_err
co_store_add_audit(co_store *store, const co_audit_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_add_request(co_store *store, const co_request_row *row, fc_fail *fail);
/* Removes request ids from before `unix_ns`. */
FC_MUST_USE fc_err
co_store_prune_requests(co_store *store, int64_t unix_ns, fc_fail *fail);

/* What an earlier request with this id made; FC_ERR_NOT_FOUND when there was none. */
FC_MUST_USE fc_err
co_store_find_request(co_store *store, const char *principal, const char *request_id,
                      char ret_object[CO_REQUEST_OBJECT_SIZE], char ret_method[64], fc_fail *fail);
/* Appends the bytes (out NULL = only the revision is wanted); FC_ERR_NOT_FOUND. Not part of a load: there may
 * be gigabytes of it. */
FC_MUST_USE fc_err
co_store_get_evidence(co_store *store, const char *capture_uid, const char *instance_id, int kind,
                      fc_buf *out, uint64_t *ret_revision, fc_fail *fail);
/* Adds one to the number of starts and returns it: generations of different lives never meet. */
FC_MUST_USE fc_err
co_store_next_epoch(co_store *store, uint64_t *ret_epoch, fc_fail *fail);

/* Everything, in the order instances, captures, parts, segments; a visit that fails ends it. */
typedef struct co_store_visitor {
    fc_err (*instance)(const co_instance_row *row, void *user, fc_fail *fail);
    fc_err (*capture)(const co_capture_row *row, size_t part_count, void *user, fc_fail *fail);
    fc_err (*part)(const co_part_row *row, void *user, fc_fail *fail);
    fc_err (*segment)(const co_segment_row *row, void *user, fc_fail *fail);
    void *user;
} co_store_visitor;
FC_MUST_USE fc_err
co_store_load(co_store *store, const co_store_visitor *visitor, fc_fail *fail);
/* Newest first, at most `limit`. */
FC_MUST_USE fc_err
co_store_each_audit(co_store *store, uint32_t limit, void (*visit)(const co_audit_row *row, void *user),
                    void *user, fc_fail *fail);

#endif
