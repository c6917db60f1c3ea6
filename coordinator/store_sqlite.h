/* store_sqlite.h: what the files of the SQLite store share: the handle, statements, values in and out. */
#ifndef CO_STORE_SQLITE_H
#define CO_STORE_SQLITE_H

#include "coordinator/store.h"

#include <sqlite3.h>

struct co_store {
    sqlite3 *db;
    sqlite3_stmt **statements; /* owned: of store_sqlite.c */
    sqlite3_stmt **enrolment;  /* owned: of store_enrolment.c */
};

/* Brings the database to the shape that this program knows. FC_ERR_STATE when it is a newer program's. */
FC_MUST_USE fc_err
co_store_migrate(co_store *store, fc_fail *fail);
/* The step that makes the tables of enrolment. */
extern const char co_store_enrolment_tables[];
FC_MUST_USE fc_err
co_store_enrolment_prepare(co_store *store, fc_fail *fail);
void
co_store_enrolment_finalize(co_store *store);

/* *ret_statements is owned by the caller (co_sqlite_finalize). */
FC_MUST_USE fc_err
co_sqlite_prepare(co_store *store, const char *const *texts, size_t count, sqlite3_stmt ***ret_statements,
                  fc_fail *fail);
void
co_sqlite_finalize(sqlite3_stmt **statements, size_t count);
/* For statements that have neither parameters nor rows. */
FC_MUST_USE fc_err
co_sqlite_run(co_store *store, const char *sql, const char *doing, fc_fail *fail);
/* The last error as a sentence: "the database cannot <doing>: …". */
fc_err
co_sqlite_failed(co_store *store, const char *doing, fc_fail *fail);
/* Runs a statement whose rows do not matter, and makes it ready for the next time. */
FC_MUST_USE fc_err
co_sqlite_step(co_store *store, sqlite3_stmt *statement, const char *doing, fc_fail *fail);
/* FC_OK when there is a row, else FC_ERR_NOT_FOUND; co_sqlite_reset after it has been read. */
FC_MUST_USE fc_err
co_sqlite_row(co_store *store, sqlite3_stmt *statement, fc_fail *fail);
void
co_sqlite_reset(sqlite3_stmt *statement);

void
co_sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text);
void
co_sqlite_bind_blob(sqlite3_stmt *statement, int at, co_blob blob);
const char *
co_sqlite_text(sqlite3_stmt *statement, int column);
co_blob
co_sqlite_blob(sqlite3_stmt *statement, int column);

#endif
