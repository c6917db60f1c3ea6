#include "coordinator/store_sqlite.h"

#include "common/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#define STATEMENTS(X)                                                                                       \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                             \
    X(COMMIT, "COMMIT")                                                                                     \
    X(ROLLBACK, "ROLLBACK")                                                                                 \
    X(PUT_INSTANCE, "INSERT INTO instance VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"    \
      " name = excluded.name, scale_set = excluded.scale_set, region = excluded.region, zone ="             \
      " excluded.zone,"                                                                                     \
      " version = excluded.version, boot_id = excluded.boot_id, address = excluded.address,"                \
      " labels = excluded.labels, last_seen_unix_ns = excluded.last_seen_unix_ns,"                          \
      " removed = excluded.removed")                                                                        \
    X(REMOVE_INSTANCE, "DELETE FROM instance WHERE id = ?")                                                 \
    X(PUT_CAPTURE, "INSERT INTO capture VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uid) DO UPDATE SET"     \
      " start_unix_ns = excluded.start_unix_ns, window_end_unix_ns = excluded.window_end_unix_ns,"          \
      " lead_ms = excluded.lead_ms, stop_requested = excluded.stop_requested, deleted = excluded.deleted")  \
    X(REMOVE_CAPTURE, "DELETE FROM capture WHERE uid = ?")                                                  \
    X(PUT_PART,                                                                                             \
      "INSERT INTO instance_capture VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (capture, instance) DO UPDATE SET" \
      " action = excluded.action, stop_reason = excluded.stop_reason, state = excluded.state,"              \
      " revision = excluded.revision, forgotten = excluded.forgotten, status = excluded.status")            \
    X(PUT_SEGMENT, "INSERT OR REPLACE INTO segment VALUES (?,?,?,?)")                                       \
    X(REMOVE_SEGMENT, "DELETE FROM segment WHERE capture = ? AND instance = ? AND sequence = ?")            \
    X(PUT_EVIDENCE,                                                                                         \
      "INSERT INTO evidence VALUES (?,?,?,?,?) ON CONFLICT (capture, instance, kind) DO UPDATE SET"         \
      " revision = excluded.revision, data = excluded.data")                                                \
    X(GET_REVISION, "SELECT revision FROM evidence WHERE capture = ? AND instance = ? AND kind = ?")        \
    X(GET_EVIDENCE, "SELECT revision, data FROM evidence WHERE capture = ? AND instance = ? AND kind = ?")  \
    X(ADD_AUDIT,                                                                                            \
      "INSERT INTO audit (at_unix_ns, principal, action, object, outcome, detail) VALUES (?,?,?,?,?,?)")    \
    X(ADD_REQUEST, "INSERT OR IGNORE INTO request VALUES (?,?,?,?,?)")                                      \
    X(PRUNE_REQUESTS, "DELETE FROM request WHERE at_unix_ns < ?")                                           \
    X(FIND_REQUEST, "SELECT capture, method FROM request WHERE principal = ? AND id = ?")                   \
    X(NEXT_EPOCH, "UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value")                  \
    X(EACH_INSTANCE, "SELECT * FROM instance ORDER BY id")                                                  \
    X(EACH_CAPTURE,                                                                                         \
      "SELECT c.*, (SELECT count(*) FROM instance_capture i WHERE i.capture = c.uid) FROM capture c"        \
      " ORDER BY created_unix_ns, uid")                                                                     \
    X(EACH_PART, "SELECT * FROM instance_capture ORDER BY capture, instance")                               \
    X(EACH_SEGMENT, "SELECT * FROM segment ORDER BY capture, instance, sequence")                           \
    X(EACH_AUDIT, "SELECT at_unix_ns, principal, action, object, outcome, detail FROM audit"                \
      " ORDER BY seq DESC LIMIT ?")
// clang-format on

enum {
#define X(name, sql) SQL_##name,
    STATEMENTS(X)
#undef X
        SQL_COUNT
};

static const char *const texts[] = {
#define X(name, sql) sql,
    STATEMENTS(X)
#undef X
};

fc_err
co_sqlite_failed(co_store *store, const char *doing, fc_fail *fail)
{
    int rc = sqlite3_extended_errcode(store->db);
    const char *text = sqlite3_errmsg(store->db);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return fc_fail_set(fail, FC_ERR_NO_SPACE, "the database cannot %s: %s", doing, text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return fc_fail_set(fail, FC_ERR_CORRUPT, "the database cannot %s: %s", doing, text);
    case SQLITE_CONSTRAINT:
        return fc_fail_set(fail, FC_ERR_EXISTS, "the database cannot %s: %s", doing, text);
    case SQLITE_BUSY:
        return fc_fail_set(fail, FC_ERR_STATE, "the database cannot %s: another process has it open", doing);
    default:
        return fc_fail_set(fail, FC_ERR_IO, "the database cannot %s: %s", doing, text);
    }
}

fc_err
co_sqlite_run(co_store *store, const char *sql, const char *doing, fc_fail *fail)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? FC_OK
                                                                       : co_sqlite_failed(store, doing, fail);
}

fc_err
co_store_open(const char *path, co_store **ret_store, fc_fail *fail)
{
    /* synchronous FULL: with WAL one fsync per commit, and a commit survives power loss. busy_timeout:
     * somebody may read the audit log with sqlite3(1) meanwhile. */
    static const char pragmas[] =
        "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        "PRAGMA temp_store = MEMORY;";
    co_store *store = FC_NEW(co_store);
    fc_fail why = {0};
    fc_err err = FC_OK;
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        err = co_sqlite_failed(store, "be opened", &why);
    if (err == FC_OK)
        err = co_sqlite_run(store, pragmas, "be opened", &why);
    if (err == FC_OK)
        err = co_store_migrate(store, &why);
    if (err == FC_OK)
        err = co_sqlite_prepare(store, texts, SQL_COUNT, &store->statements, &why);
    if (err == FC_OK)
        err = co_store_enrolment_prepare(store, &why);
    if (err != FC_OK) {
        co_store_close(store);
        return fc_fail_set(fail, err, "%s: %s", path, why.text);
    }
    *ret_store = store;
    return FC_OK;
}

void
co_store_close(co_store *store)
{
    if (store == NULL)
        return;
    co_store_enrolment_finalize(store);
    co_sqlite_finalize(store->statements, SQL_COUNT);
    sqlite3_close(store->db);
    free(store);
}

/* ---- statements ---- */

fc_err
co_sqlite_prepare(co_store *store, const char *const *sql, size_t count, sqlite3_stmt ***ret_statements,
                  fc_fail *fail)
{
    sqlite3_stmt **statements = fc_alloc_array(count, sizeof statements[0]);
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL) ==
            SQLITE_OK)
            continue;
        fc_err err = co_sqlite_failed(store, "prepare a statement", fail);
        co_sqlite_finalize(statements, count);
        return err;
    }
    *ret_statements = statements;
    return FC_OK;
}

void
co_sqlite_finalize(sqlite3_stmt **statements, size_t count)
{
    for (size_t i = 0; statements != NULL && i < count; i++)
        sqlite3_finalize(statements[i]);
    free(statements);
}

void
co_sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text != NULL ? text : "", -1, SQLITE_STATIC);
}

void
co_sqlite_bind_blob(sqlite3_stmt *statement, int at, co_blob blob)
{
    (void)sqlite3_bind_blob64(statement, at, blob.data != NULL ? blob.data : "", blob.size, SQLITE_STATIC);
}

fc_err
co_sqlite_step(co_store *store, sqlite3_stmt *statement, const char *doing, fc_fail *fail)
{
    int rc = sqlite3_step(statement);
    fc_err err = rc == SQLITE_DONE || rc == SQLITE_ROW ? FC_OK : co_sqlite_failed(store, doing, fail);
    co_sqlite_reset(statement);
    return err;
}

void
co_sqlite_reset(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

fc_err
co_sqlite_row(co_store *store, sqlite3_stmt *statement, fc_fail *fail)
{
    int rc = sqlite3_step(statement);
    return rc == SQLITE_ROW    ? FC_OK
           : rc == SQLITE_DONE ? FC_ERR_NOT_FOUND
                               : co_sqlite_failed(store, "be read", fail);
}

fc_err
co_store_begin(co_store *store, fc_fail *fail)
{
    return co_sqlite_step(store, store->statements[SQL_BEGIN], "begin", fail);
}

fc_err
co_store_commit(co_store *store, fc_fail *fail)
{
    fc_err err = co_sqlite_step(store, store->statements[SQL_COMMIT], "commit", fail);
    if (err != FC_OK)
        co_store_rollback(store);
    return err;
}

void
co_store_rollback(co_store *store)
{
    if (sqlite3_get_autocommit(store->db) != 0)
        return;
    (void)sqlite3_step(store->statements[SQL_ROLLBACK]);
    co_sqlite_reset(store->statements[SQL_ROLLBACK]);
}

fc_err
co_store_put_instance(co_store *store, const co_instance_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PUT_INSTANCE];
    co_sqlite_bind_text(s, 1, row->id);
    co_sqlite_bind_text(s, 2, row->name);
    co_sqlite_bind_text(s, 3, row->scale_set);
    co_sqlite_bind_text(s, 4, row->region);
    co_sqlite_bind_text(s, 5, row->zone);
    co_sqlite_bind_text(s, 6, row->version);
    co_sqlite_bind_text(s, 7, row->boot_id);
    co_sqlite_bind_text(s, 8, row->address);
    co_sqlite_bind_blob(s, 9, row->labels);
    (void)sqlite3_bind_int64(s, 10, row->last_seen_unix_ns);
    (void)sqlite3_bind_int(s, 11, row->removed);
    return co_sqlite_step(store, s, "store an instance", fail);
}

fc_err
co_store_remove_instance(co_store *store, const char *id, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_REMOVE_INSTANCE];
    co_sqlite_bind_text(s, 1, id);
    return co_sqlite_step(store, s, "remove an instance", fail);
}

fc_err
co_store_put_capture(co_store *store, const co_capture_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PUT_CAPTURE];
    co_sqlite_bind_text(s, 1, row->uid);
    co_sqlite_bind_text(s, 2, row->name);
    co_sqlite_bind_blob(s, 3, row->definition);
    co_sqlite_bind_text(s, 4, row->compiled_filter);
    co_sqlite_bind_text(s, 5, row->created_by);
    (void)sqlite3_bind_int64(s, 6, row->created_unix_ns);
    (void)sqlite3_bind_int64(s, 7, row->start_unix_ns);
    (void)sqlite3_bind_int64(s, 8, row->window_end_unix_ns);
    (void)sqlite3_bind_int64(s, 9, row->lead_ms);
    (void)sqlite3_bind_int(s, 10, row->stop_requested);
    (void)sqlite3_bind_int(s, 11, row->deleted);
    return co_sqlite_step(store, s, "store a capture", fail);
}

fc_err
co_store_remove_capture(co_store *store, const char *uid, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_REMOVE_CAPTURE];
    co_sqlite_bind_text(s, 1, uid);
    return co_sqlite_step(store, s, "remove a capture", fail);
}

fc_err
co_store_put_part(co_store *store, const co_part_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PUT_PART];
    co_sqlite_bind_text(s, 1, row->capture_uid);
    co_sqlite_bind_text(s, 2, row->instance_id);
    (void)sqlite3_bind_int(s, 3, row->action);
    (void)sqlite3_bind_int(s, 4, row->stop_reason);
    (void)sqlite3_bind_int(s, 5, row->state);
    (void)sqlite3_bind_int64(s, 6, (sqlite3_int64)row->revision);
    (void)sqlite3_bind_int(s, 7, row->forgotten);
    co_sqlite_bind_blob(s, 8, row->status);
    return co_sqlite_step(store, s, "store an instance capture", fail);
}

fc_err
co_store_put_segment(co_store *store, const co_segment_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PUT_SEGMENT];
    co_sqlite_bind_text(s, 1, row->capture_uid);
    co_sqlite_bind_text(s, 2, row->instance_id);
    (void)sqlite3_bind_int64(s, 3, row->sequence);
    co_sqlite_bind_blob(s, 4, row->segment);
    return co_sqlite_step(store, s, "store a segment", fail);
}

fc_err
co_store_remove_segment(co_store *store, const char *capture_uid, const char *instance_id, uint32_t sequence,
                        fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_REMOVE_SEGMENT];
    co_sqlite_bind_text(s, 1, capture_uid);
    co_sqlite_bind_text(s, 2, instance_id);
    (void)sqlite3_bind_int64(s, 3, sequence);
    return co_sqlite_step(store, s, "remove a segment", fail);
}

fc_err
co_store_put_evidence(co_store *store, const co_evidence_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PUT_EVIDENCE];
    co_sqlite_bind_text(s, 1, row->capture_uid);
    co_sqlite_bind_text(s, 2, row->instance_id);
    (void)sqlite3_bind_int(s, 3, row->kind);
    (void)sqlite3_bind_int64(s, 4, (sqlite3_int64)row->revision);
    co_sqlite_bind_blob(s, 5, row->data);
    return co_sqlite_step(store, s, "store evidence", fail);
}

fc_err
co_store_add_audit(co_store *store, const co_audit_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_ADD_AUDIT];
    (void)sqlite3_bind_int64(s, 1, row->at_unix_ns);
    co_sqlite_bind_text(s, 2, row->principal);
    co_sqlite_bind_text(s, 3, row->action);
    co_sqlite_bind_text(s, 4, row->object);
    co_sqlite_bind_text(s, 5, row->outcome);
    co_sqlite_bind_text(s, 6, row->detail);
    return co_sqlite_step(store, s, "store an audit record", fail);
}

fc_err
co_store_add_request(co_store *store, const co_request_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_ADD_REQUEST];
    co_sqlite_bind_text(s, 1, row->principal);
    co_sqlite_bind_text(s, 2, row->request_id);
    co_sqlite_bind_text(s, 3, row->method);
    co_sqlite_bind_text(s, 4, row->object);
    (void)sqlite3_bind_int64(s, 5, row->at_unix_ns);
    return co_sqlite_step(store, s, "store a request id", fail);
}

fc_err
co_store_prune_requests(co_store *store, int64_t unix_ns, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_PRUNE_REQUESTS];
    (void)sqlite3_bind_int64(s, 1, unix_ns);
    return co_sqlite_step(store, s, "remove old request ids", fail);
}

/* ---- reading ---- */

const char *
co_sqlite_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text != NULL ? (const char *)text : "";
}

co_blob
co_sqlite_blob(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return (co_blob){data, (size_t)sqlite3_column_bytes(statement, column)};
}

fc_err
co_store_find_request(co_store *store, const char *principal, const char *request_id,
                      char ret_object[CO_REQUEST_OBJECT_SIZE], char ret_method[64], fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_FIND_REQUEST];
    co_sqlite_bind_text(s, 1, principal);
    co_sqlite_bind_text(s, 2, request_id);
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        (void)snprintf(ret_object, CO_REQUEST_OBJECT_SIZE, "%s", co_sqlite_text(s, 0));
        (void)snprintf(ret_method, 64, "%s", co_sqlite_text(s, 1));
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_get_evidence(co_store *store, const char *capture_uid, const char *instance_id, int kind,
                      fc_buf *out, uint64_t *ret_revision, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[out != NULL ? SQL_GET_EVIDENCE : SQL_GET_REVISION];
    co_sqlite_bind_text(s, 1, capture_uid);
    co_sqlite_bind_text(s, 2, instance_id);
    (void)sqlite3_bind_int(s, 3, kind);
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        *ret_revision = (uint64_t)sqlite3_column_int64(s, 0);
        co_blob data = out != NULL ? co_sqlite_blob(s, 1) : (co_blob){0};
        if (out != NULL)
            fc_buf_append(out, data.data, data.size);
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_next_epoch(co_store *store, uint64_t *ret_epoch, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_NEXT_EPOCH];
    uint64_t epoch = 0;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        epoch = (uint64_t)sqlite3_column_int64(s, 0);
        rc = sqlite3_step(s);
    }
    fc_err err = rc == SQLITE_DONE ? FC_OK : co_sqlite_failed(store, "count its starts", fail);
    (void)sqlite3_reset(s);
    if (err == FC_OK)
        *ret_epoch = epoch;
    return err;
}

static fc_err
visit_instance(sqlite3_stmt *s, const co_store_visitor *visitor, fc_fail *fail)
{
    co_instance_row row = {
        .id = co_sqlite_text(s, 0),
        .name = co_sqlite_text(s, 1),
        .scale_set = co_sqlite_text(s, 2),
        .region = co_sqlite_text(s, 3),
        .zone = co_sqlite_text(s, 4),
        .version = co_sqlite_text(s, 5),
        .boot_id = co_sqlite_text(s, 6),
        .address = co_sqlite_text(s, 7),
        .labels = co_sqlite_blob(s, 8),
        .last_seen_unix_ns = sqlite3_column_int64(s, 9),
        .removed = sqlite3_column_int(s, 10) != 0,
    };
    return visitor->instance(&row, visitor->user, fail);
}

static fc_err
visit_capture(sqlite3_stmt *s, const co_store_visitor *visitor, fc_fail *fail)
{
    co_capture_row row = {
        .uid = co_sqlite_text(s, 0),
        .name = co_sqlite_text(s, 1),
        .definition = co_sqlite_blob(s, 2),
        .compiled_filter = co_sqlite_text(s, 3),
        .created_by = co_sqlite_text(s, 4),
        .created_unix_ns = sqlite3_column_int64(s, 5),
        .start_unix_ns = sqlite3_column_int64(s, 6),
        .window_end_unix_ns = sqlite3_column_int64(s, 7),
        .lead_ms = (uint32_t)sqlite3_column_int64(s, 8),
        .stop_requested = sqlite3_column_int(s, 9) != 0,
        .deleted = sqlite3_column_int(s, 10) != 0,
    };
    return visitor->capture(&row, (size_t)sqlite3_column_int64(s, 11), visitor->user, fail);
}

static fc_err
visit_part(sqlite3_stmt *s, const co_store_visitor *visitor, fc_fail *fail)
{
    co_part_row row = {
        .capture_uid = co_sqlite_text(s, 0),
        .instance_id = co_sqlite_text(s, 1),
        .action = sqlite3_column_int(s, 2),
        .stop_reason = sqlite3_column_int(s, 3),
        .state = sqlite3_column_int(s, 4),
        .revision = (uint64_t)sqlite3_column_int64(s, 5),
        .forgotten = sqlite3_column_int(s, 6),
        .status = co_sqlite_blob(s, 7),
    };
    return visitor->part(&row, visitor->user, fail);
}

static fc_err
visit_segment(sqlite3_stmt *s, const co_store_visitor *visitor, fc_fail *fail)
{
    co_segment_row row = {
        .capture_uid = co_sqlite_text(s, 0),
        .instance_id = co_sqlite_text(s, 1),
        .sequence = (uint32_t)sqlite3_column_int64(s, 2),
        .segment = co_sqlite_blob(s, 3),
    };
    return visitor->segment(&row, visitor->user, fail);
}

fc_err
co_store_load(co_store *store, const co_store_visitor *visitor, fc_fail *fail)
{
    static const struct {
        int statement;
        fc_err (*visit)(sqlite3_stmt *s, const co_store_visitor *visitor, fc_fail *fail);
    } tables[] = {
        {SQL_EACH_INSTANCE, visit_instance},
        {SQL_EACH_CAPTURE, visit_capture},
        {SQL_EACH_PART, visit_part},
        {SQL_EACH_SEGMENT, visit_segment},
    };
    fc_err err = FC_OK;
    for (size_t i = 0; i < FC_COUNT(tables) && err == FC_OK; i++) {
        sqlite3_stmt *s = store->statements[tables[i].statement];
        int rc;
        while (err == FC_OK && (rc = sqlite3_step(s)) != SQLITE_DONE)
            err = rc == SQLITE_ROW ? tables[i].visit(s, visitor, fail)
                                   : co_sqlite_failed(store, "be read", fail);
        (void)sqlite3_reset(s);
    }
    return err;
}

fc_err
co_store_each_audit(co_store *store, uint32_t limit, void (*visit)(const co_audit_row *row, void *user),
                    void *user, fc_fail *fail)
{
    sqlite3_stmt *s = store->statements[SQL_EACH_AUDIT];
    (void)sqlite3_bind_int64(s, 1, limit);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        co_audit_row row = {
            .at_unix_ns = sqlite3_column_int64(s, 0),
            .principal = co_sqlite_text(s, 1),
            .action = co_sqlite_text(s, 2),
            .object = co_sqlite_text(s, 3),
            .outcome = co_sqlite_text(s, 4),
            .detail = co_sqlite_text(s, 5),
        };
        visit(&row, user);
    }
    fc_err err = rc == SQLITE_DONE ? FC_OK : co_sqlite_failed(store, "be read", fail);
    (void)sqlite3_reset(s);
    return err;
}
