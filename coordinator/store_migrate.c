/* The database's shape, and how an older one becomes it. */
#include "coordinator/store_sqlite.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each step brings the database from version i to i + 1 (PRAGMA user_version). Released steps are never
 * edited. */
static const char *const migrations[] = {
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('epoch', 0);"
    "CREATE TABLE instance ("
    "  id TEXT PRIMARY KEY, name TEXT NOT NULL, scale_set TEXT NOT NULL, region TEXT NOT NULL, zone TEXT NOT "
    "NULL,"
    "  version TEXT NOT NULL, boot_id TEXT NOT NULL, address TEXT NOT NULL, labels BLOB NOT NULL,"
    "  last_seen_unix_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE capture ("
    "  uid TEXT PRIMARY KEY, name TEXT NOT NULL, definition BLOB NOT NULL, compiled_filter TEXT NOT NULL,"
    "  created_by TEXT NOT NULL, created_unix_ns INTEGER NOT NULL, start_unix_ns INTEGER NOT NULL,"
    "  window_end_unix_ns INTEGER NOT NULL, lead_ms INTEGER NOT NULL, stop_requested INTEGER NOT NULL,"
    "  deleted INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX capture_name ON capture (name) WHERE deleted = 0;"
    "CREATE TABLE instance_capture ("
    "  capture TEXT NOT NULL REFERENCES capture (uid) ON DELETE CASCADE,"
    "  instance TEXT NOT NULL REFERENCES instance (id),"
    "  action INTEGER NOT NULL, stop_reason INTEGER NOT NULL, state INTEGER NOT NULL, revision INTEGER NOT "
    "NULL,"
    "  forgotten INTEGER NOT NULL, status BLOB NOT NULL,"
    "  PRIMARY KEY (capture, instance)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX instance_capture_instance ON instance_capture (instance);"
    "CREATE TABLE segment ("
    "  capture TEXT NOT NULL, instance TEXT NOT NULL, sequence INTEGER NOT NULL, segment BLOB NOT NULL,"
    "  PRIMARY KEY (capture, instance, sequence),"
    "  FOREIGN KEY (capture, instance) REFERENCES instance_capture (capture, instance) ON DELETE CASCADE)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE audit ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, at_unix_ns INTEGER NOT NULL, principal TEXT NOT NULL,"
    "  action TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"
    "CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); "
    "END;"
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); "
    "END;"
    "CREATE TABLE request ("
    "  principal TEXT NOT NULL, id TEXT NOT NULL, method TEXT NOT NULL, capture TEXT NOT NULL,"
    "  at_unix_ns INTEGER NOT NULL, PRIMARY KEY (principal, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX request_at ON request (at_unix_ns);",
    /* With row ids: rows are large. */
    "CREATE TABLE evidence ("
    "  capture TEXT NOT NULL, instance TEXT NOT NULL, kind INTEGER NOT NULL, revision INTEGER NOT NULL,"
    "  data BLOB NOT NULL, UNIQUE (capture, instance, kind),"
    "  FOREIGN KEY (capture, instance) REFERENCES instance_capture (capture, instance) ON DELETE CASCADE)"
    "  STRICT;",
    co_store_enrolment_tables,
};

static fc_err
read_version(co_store *store, int *ret_version, fc_fail *fail)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        fc_err err = co_sqlite_failed(store, "be read", fail);
        sqlite3_finalize(statement);
        return err;
    }
    *ret_version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return FC_OK;
}

/* ---- the copy from before ---- */

/* Makes what was written outlive a power loss. */
static fc_err
sync_path(const char *path, int flags, fc_fail *fail)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fc_fail_errno(fail, errno, "cannot open %s", path);
    fc_err err = fsync(fd) == 0 ? FC_OK : fc_fail_errno(fail, errno, "cannot write %s", path);
    (void)close(fd);
    return err;
}

static fc_err
sync_directory_of(const char *path, fc_fail *fail)
{
    char *directory = fc_strdup(path), *stroke = strrchr(directory, '/');
    if (stroke != NULL)
        stroke[stroke == directory] = '\0';
    fc_err err = sync_path(stroke != NULL ? directory : ".", O_RDONLY | O_DIRECTORY, fail);
    free(directory);
    return err;
}

/* VACUUM INTO does not sync what it writes (sqlite.org/lang_vacuum.html), and takes no name that is in use:
 * written beside, synced, then renamed. */
static fc_err
write_copy(co_store *store, const char *path, const char *copy, fc_fail *fail)
{
    char *part = fc_sprintf("%s.part", copy);
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", part);
    fc_err err =
        unlink(part) == 0 || errno == ENOENT ? FC_OK : fc_fail_errno(fail, errno, "cannot remove %s", part);
    if (err == FC_OK)
        err = co_sqlite_run(store, sql, "be copied before it is upgraded", fail);
    if (err == FC_OK)
        err = sync_path(part, O_RDONLY, fail);
    if (err == FC_OK && rename(part, copy) != 0)
        err = fc_fail_errno(fail, errno, "cannot rename %s", part);
    if (err == FC_OK)
        err = sync_directory_of(path, fail);
    if (err != FC_OK)
        (void)unlink(part);
    sqlite3_free(sql);
    free(part);
    return err;
}

/* A program from before cannot open what comes out of the migration: it goes back with this copy. One is
 * kept, that of the last upgrade. */
static fc_err
keep_copy(co_store *store, fc_fail *fail)
{
    const char *path = sqlite3_db_filename(store->db, "main");
    if (path == NULL || path[0] == '\0')
        return FC_OK; /* in memory */
    char *copy = fc_sprintf("%s" CO_STORE_COPY_SUFFIX, path);
    fc_err err = write_copy(store, path, copy, fail);
    free(copy);
    return err;
}

static fc_err
migrate_one(co_store *store, int version, fc_fail *fail)
{
    char done[64];
    (void)snprintf(done, sizeof done, "PRAGMA user_version = %d; COMMIT", version + 1);
    fc_err err = co_sqlite_run(store, "BEGIN EXCLUSIVE", "be migrated", fail);
    if (err == FC_OK)
        err = co_sqlite_run(store, migrations[version], "be migrated", fail);
    return err == FC_OK ? co_sqlite_run(store, done, "be migrated", fail) : err;
}

fc_err
co_store_migrate(co_store *store, fc_fail *fail)
{
    int version = 0;
    fc_err err = read_version(store, &version, fail);
    if (err == FC_OK && (version < 0 || version > (int)FC_COUNT(migrations)))
        err = fc_fail_set(fail, FC_ERR_STATE,
                          "the database has version %d, this program knows up to %zu: it is that of a newer "
                          "fleetcap-coordinator (see Upgrade in install.md for the way back)",
                          version, FC_COUNT(migrations));
    if (err == FC_OK && version > 0 && version < (int)FC_COUNT(migrations))
        err = keep_copy(store, fail);
    for (; err == FC_OK && version < (int)FC_COUNT(migrations); version++)
        err = migrate_one(store, version, fail);
    return err;
}
