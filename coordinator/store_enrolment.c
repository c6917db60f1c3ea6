#include "coordinator/store_enrolment.h"

#include "common/base/mem.h"
#include "coordinator/store_sqlite.h"

#include <stdio.h>
#include <string.h>

/* Enrolment states as numbers: 1 and 2 wait, 3 is issued, 4 is denied (co_enrolment_state). */
const char co_store_enrolment_tables[] =
    "ALTER TABLE instance ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;"
    "INSERT INTO meta VALUES ('crl', 0);"
    "CREATE TABLE token ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, secret_sha256 BLOB NOT NULL,"
    "  scale_set TEXT NOT NULL, region TEXT NOT NULL, uses INTEGER NOT NULL,"
    "  used INTEGER NOT NULL CHECK (used <= uses), created_unix_ns INTEGER NOT NULL,"
    "  expires_unix_ns INTEGER NOT NULL, created_by TEXT NOT NULL, approval INTEGER NOT NULL,"
    "  revoked INTEGER NOT NULL) STRICT;"
    "CREATE INDEX token_expires ON token (expires_unix_ns);"
    "CREATE TABLE enrolment ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, token TEXT "
    "NOT NULL,"
    "  instance TEXT NOT NULL, name TEXT NOT NULL, scale_set TEXT NOT NULL, region TEXT NOT NULL,"
    "  address TEXT NOT NULL, key_sha256 BLOB NOT NULL, serial TEXT NOT NULL, requested_unix_ns INTEGER NOT "
    "NULL,"
    "  decided_unix_ns INTEGER NOT NULL, expires_unix_ns INTEGER NOT NULL, decided_by TEXT NOT NULL,"
    "  pem BLOB NOT NULL, UNIQUE (token, instance, key_sha256)) STRICT;"
    "CREATE INDEX enrolment_instance ON enrolment (instance);"
    "CREATE INDEX enrolment_waiting ON enrolment (seq) WHERE state < 3;"
    "CREATE TABLE certificate ("
    "  serial TEXT PRIMARY KEY, instance TEXT NOT NULL, scale_set TEXT NOT NULL, region TEXT NOT NULL,"
    "  key_sha256 BLOB NOT NULL, issued_unix_ns INTEGER NOT NULL, not_after_unix_ns INTEGER NOT NULL,"
    "  revoked_unix_ns INTEGER NOT NULL, enrolment TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX certificate_instance ON certificate (instance);"
    "CREATE INDEX certificate_end ON certificate (not_after_unix_ns);"
    "CREATE INDEX certificate_revoked ON certificate (serial) WHERE revoked_unix_ns > 0;"
    "CREATE TABLE removed ("
    "  instance TEXT PRIMARY KEY, removed_by TEXT NOT NULL, at_unix_ns INTEGER NOT NULL) STRICT, WITHOUT "
    "ROWID;"
    "CREATE INDEX removed_at ON removed (at_unix_ns);";

// clang-format off
#define STATEMENTS(X)                                                                                                 \
    X(ADD_TOKEN, "INSERT INTO token (id, secret_sha256, scale_set, region, uses, used, created_unix_ns,"              \
      " expires_unix_ns, created_by, approval, revoked) VALUES (?,?,?,?,?,?,?,?,?,?,?)")                              \
    X(GET_TOKEN, "SELECT * FROM token WHERE id = ?")                                                                  \
    X(USE_TOKEN, "UPDATE token SET used = used + 1 WHERE id = ?")                                                     \
    X(REVOKE_TOKEN, "UPDATE token SET revoked = 1 WHERE id = ?")                                                      \
    X(NEXT_TOKEN, "SELECT * FROM token WHERE seq > ?1 AND (?2 OR (revoked = 0 AND used < uses AND"                    \
      " expires_unix_ns > ?3)) ORDER BY seq LIMIT 1")                                                                 \
    X(PUT_ENROLMENT, "INSERT INTO enrolment (id, state, token, instance, name, scale_set, region, address,"           \
      " key_sha256, serial, requested_unix_ns, decided_unix_ns, expires_unix_ns, decided_by, pem)"                    \
      " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (token, instance, key_sha256) DO UPDATE SET"               \
      " id = excluded.id, state = excluded.state, name = excluded.name, scale_set = excluded.scale_set,"              \
      " region = excluded.region, address = excluded.address, serial = excluded.serial,"                              \
      " requested_unix_ns = excluded.requested_unix_ns, decided_unix_ns = excluded.decided_unix_ns,"                  \
      " expires_unix_ns = excluded.expires_unix_ns, decided_by = excluded.decided_by, pem = excluded.pem")            \
    X(FIND_ENROLMENT, "SELECT * FROM enrolment WHERE token = ? AND instance = ? AND key_sha256 = ?")                  \
    X(GET_ENROLMENT, "SELECT * FROM enrolment WHERE id = ?")                                                          \
    X(GET_PEM, "SELECT pem FROM enrolment WHERE id = ?")                                                              \
    X(NEXT_ENROLMENT, "SELECT * FROM enrolment WHERE seq > ? ORDER BY seq LIMIT 1")                                   \
    X(NEXT_WAITING, "SELECT * FROM enrolment WHERE seq > ? AND state < 3 ORDER BY seq LIMIT 1")                       \
    X(NEXT_OF_INSTANCE, "SELECT * FROM enrolment WHERE instance = ?1 AND seq > ?2 AND (?3 OR state < 3)"              \
      " ORDER BY seq LIMIT 1")                                                                                        \
    X(DENY_WAITING, "UPDATE enrolment SET state = 4, decided_by = ?, decided_unix_ns = ? WHERE instance = ? AND"      \
      " state < 3")                                                                                                   \
    X(DENY_OF_TOKEN, "UPDATE enrolment SET state = 4, decided_by = ?, decided_unix_ns = ? WHERE token = ? AND"        \
      " state < 3")                                                                                                   \
    X(DROP_ISSUED, "DELETE FROM enrolment WHERE instance = ? AND state = 3")                                          \
    X(ADD_CERTIFICATE, "INSERT OR IGNORE INTO certificate VALUES (?,?,?,?,?,?,?,?,?)")                                \
    X(GET_CERTIFICATE, "SELECT * FROM certificate WHERE serial = ?")                                                  \
    X(LOOK_CERTIFICATES,                                                                                              \
      "SELECT count(*) FILTER (WHERE revoked_unix_ns = 0 AND not_after_unix_ns > ?2),"                                \
      " max(not_after_unix_ns) FILTER (WHERE revoked_unix_ns = 0 AND not_after_unix_ns > ?2 AND key_sha256 <> ?3),"   \
      " count(*) FILTER (WHERE revoked_unix_ns > 0 AND key_sha256 = ?3)"                                              \
      " FROM certificate WHERE instance = ?1")                                                                        \
    X(LAST_PLACE,                                                                                                     \
      "SELECT scale_set, region, not_after_unix_ns AS ends FROM certificate"                                          \
      " WHERE instance = ?1 AND revoked_unix_ns = 0"                                                                  \
      " UNION ALL SELECT scale_set, region, expires_unix_ns FROM enrolment WHERE instance = ?1 AND state = 3"         \
      " ORDER BY ends DESC LIMIT 1")                                                                                  \
    X(REVOKE_CERTIFICATES, "UPDATE certificate SET revoked_unix_ns = ?1 WHERE instance = ?2 AND revoked_unix_ns = 0"  \
      " AND not_after_unix_ns > ?1")                                                                                  \
    X(EACH_REVOKED, "SELECT serial, revoked_unix_ns FROM certificate WHERE revoked_unix_ns > 0 AND"                   \
      " not_after_unix_ns > ? ORDER BY revoked_unix_ns DESC")                                                             \
    X(NEXT_CRL, "UPDATE meta SET value = value + 1 WHERE key = 'crl' RETURNING value")                                \
    X(ADD_REMOVED, "INSERT OR REPLACE INTO removed VALUES (?,?,?)")                                                   \
    X(WAS_REMOVED, "SELECT 1 FROM removed WHERE instance = ?")                                                        \
    X(COUNTS, "SELECT (SELECT count(*) FROM token), (SELECT count(*) FROM enrolment),"                                \
      " (SELECT count(*) FROM enrolment WHERE state < 3), (SELECT count(*) FROM certificate),"                        \
      " (SELECT count(*) FROM removed)")                                                                              \
    X(PRUNE_TOKENS, "DELETE FROM token WHERE seq IN (SELECT seq FROM token WHERE expires_unix_ns < ?1 LIMIT ?2)")     \
    X(PRUNE_ENROLMENTS, "DELETE FROM enrolment WHERE seq IN (SELECT seq FROM enrolment WHERE"                         \
      " (state = 3 AND expires_unix_ns < ?1) OR (state = 4 AND decided_unix_ns < ?1) LIMIT ?2)")                      \
    X(PRUNE_WAITING, "DELETE FROM enrolment WHERE seq IN (SELECT seq FROM enrolment WHERE state < 3 AND"              \
      " requested_unix_ns < ?1 LIMIT ?2)")                                                                            \
    X(PRUNE_CERTIFICATES, "DELETE FROM certificate WHERE serial IN (SELECT serial FROM certificate WHERE"             \
      " not_after_unix_ns < ?1 LIMIT ?2)")                                                                            \
    X(PRUNE_REMOVED, "DELETE FROM removed WHERE instance IN (SELECT instance FROM removed WHERE at_unix_ns < ?1"      \
      " LIMIT ?2) OR instance IN (SELECT instance FROM removed ORDER BY at_unix_ns DESC LIMIT ?2 OFFSET ?3)")
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
co_store_enrolment_prepare(co_store *store, fc_fail *fail)
{
    return co_sqlite_prepare(store, texts, SQL_COUNT, &store->enrolment, fail);
}

void
co_store_enrolment_finalize(co_store *store)
{
    co_sqlite_finalize(store->enrolment, SQL_COUNT);
    store->enrolment = NULL;
}

static sqlite3_stmt *
statement(co_store *store, int which)
{
    return store->enrolment[which];
}

#define COPY(to, s, column) (void)snprintf(to, sizeof(to), "%s", co_sqlite_text(s, column))

static void
copy_digest(uint8_t to[32], sqlite3_stmt *s, int column)
{
    co_blob blob = co_sqlite_blob(s, column);
    memset(to, 0, 32);
    if (blob.size == 32)
        memcpy(to, blob.data, 32);
}

static co_blob
digest_blob(const uint8_t digest[32])
{
    return (co_blob){digest, 32};
}

/* ---- tokens ---- */

fc_err
co_store_add_token(co_store *store, const co_token_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_ADD_TOKEN);
    co_sqlite_bind_text(s, 1, row->id);
    co_sqlite_bind_blob(s, 2, digest_blob(row->secret_sha256));
    co_sqlite_bind_text(s, 3, row->scale_set);
    co_sqlite_bind_text(s, 4, row->region);
    (void)sqlite3_bind_int64(s, 5, row->uses);
    (void)sqlite3_bind_int64(s, 6, row->used);
    (void)sqlite3_bind_int64(s, 7, row->created_unix_ns);
    (void)sqlite3_bind_int64(s, 8, row->expires_unix_ns);
    co_sqlite_bind_text(s, 9, row->created_by);
    (void)sqlite3_bind_int(s, 10, row->approval);
    (void)sqlite3_bind_int(s, 11, row->revoked);
    return co_sqlite_step(store, s, "store a token", fail);
}

static fc_err
read_token(co_store *store, sqlite3_stmt *s, co_token_row *ret, fc_fail *fail)
{
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        *ret = (co_token_row){
            .seq = sqlite3_column_int64(s, 0),
            .uses = (uint32_t)sqlite3_column_int64(s, 5),
            .used = (uint32_t)sqlite3_column_int64(s, 6),
            .created_unix_ns = sqlite3_column_int64(s, 7),
            .expires_unix_ns = sqlite3_column_int64(s, 8),
            .approval = sqlite3_column_int(s, 10) != 0,
            .revoked = sqlite3_column_int(s, 11) != 0,
        };
        COPY(ret->id, s, 1);
        copy_digest(ret->secret_sha256, s, 2);
        COPY(ret->scale_set, s, 3);
        COPY(ret->region, s, 4);
        COPY(ret->created_by, s, 9);
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_get_token(co_store *store, const char *id, co_token_row *ret, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_GET_TOKEN);
    co_sqlite_bind_text(s, 1, id);
    return read_token(store, s, ret, fail);
}

fc_err
co_store_use_token(co_store *store, const char *id, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_USE_TOKEN);
    co_sqlite_bind_text(s, 1, id);
    return co_sqlite_step(store, s, "count the use of a token", fail);
}

/* By whom and when, and what of; in this order in both statements. */
static fc_err
deny(co_store *store, int which, const char *who, int64_t now_unix_ns, const char *of, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, which);
    co_sqlite_bind_text(s, 1, who);
    (void)sqlite3_bind_int64(s, 2, now_unix_ns);
    co_sqlite_bind_text(s, 3, of);
    return co_sqlite_step(store, s, "deny enrolments", fail);
}

fc_err
co_store_revoke_token(co_store *store, const char *id, const char *who, int64_t now_unix_ns, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_REVOKE_TOKEN);
    co_sqlite_bind_text(s, 1, id);
    fc_err err = co_sqlite_step(store, s, "revoke a token", fail);
    return err == FC_OK ? deny(store, SQL_DENY_OF_TOKEN, who, now_unix_ns, id, fail) : err;
}

fc_err
co_store_next_token(co_store *store, int64_t seq, bool all, int64_t now_unix_ns, co_token_row *ret,
                    fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_NEXT_TOKEN);
    (void)sqlite3_bind_int64(s, 1, seq);
    (void)sqlite3_bind_int(s, 2, all);
    (void)sqlite3_bind_int64(s, 3, now_unix_ns);
    return read_token(store, s, ret, fail);
}

/* ---- enrolments ---- */

fc_err
co_store_put_enrolment(co_store *store, const co_enrolment_row *row, co_blob pem, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_PUT_ENROLMENT);
    co_sqlite_bind_text(s, 1, row->id);
    (void)sqlite3_bind_int(s, 2, row->state);
    co_sqlite_bind_text(s, 3, row->token);
    co_sqlite_bind_text(s, 4, row->instance);
    co_sqlite_bind_text(s, 5, row->name);
    co_sqlite_bind_text(s, 6, row->scale_set);
    co_sqlite_bind_text(s, 7, row->region);
    co_sqlite_bind_text(s, 8, row->address);
    co_sqlite_bind_blob(s, 9, digest_blob(row->key_sha256));
    co_sqlite_bind_text(s, 10, row->serial);
    (void)sqlite3_bind_int64(s, 11, row->requested_unix_ns);
    (void)sqlite3_bind_int64(s, 12, row->decided_unix_ns);
    (void)sqlite3_bind_int64(s, 13, row->expires_unix_ns);
    co_sqlite_bind_text(s, 14, row->decided_by);
    co_sqlite_bind_blob(s, 15, pem);
    return co_sqlite_step(store, s, "store an enrolment", fail);
}

static fc_err
read_enrolment(co_store *store, sqlite3_stmt *s, co_enrolment_row *ret, fc_fail *fail)
{
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        *ret = (co_enrolment_row){
            .seq = sqlite3_column_int64(s, 0),
            .state = sqlite3_column_int(s, 2),
            .requested_unix_ns = sqlite3_column_int64(s, 11),
            .decided_unix_ns = sqlite3_column_int64(s, 12),
            .expires_unix_ns = sqlite3_column_int64(s, 13),
        };
        COPY(ret->id, s, 1);
        COPY(ret->token, s, 3);
        COPY(ret->instance, s, 4);
        COPY(ret->name, s, 5);
        COPY(ret->scale_set, s, 6);
        COPY(ret->region, s, 7);
        COPY(ret->address, s, 8);
        copy_digest(ret->key_sha256, s, 9);
        COPY(ret->serial, s, 10);
        COPY(ret->decided_by, s, 14);
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_find_enrolment(co_store *store, const char *token, const char *instance,
                        const uint8_t key_sha256[CO_KEY_SIZE], co_enrolment_row *ret, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_FIND_ENROLMENT);
    co_sqlite_bind_text(s, 1, token);
    co_sqlite_bind_text(s, 2, instance);
    co_sqlite_bind_blob(s, 3, digest_blob(key_sha256));
    return read_enrolment(store, s, ret, fail);
}

fc_err
co_store_get_enrolment(co_store *store, const char *id, co_enrolment_row *ret, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_GET_ENROLMENT);
    co_sqlite_bind_text(s, 1, id);
    return read_enrolment(store, s, ret, fail);
}

fc_err
co_store_get_enrolment_pem(co_store *store, const char *id, fc_buf *out, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_GET_PEM);
    co_sqlite_bind_text(s, 1, id);
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        co_blob pem = co_sqlite_blob(s, 0);
        fc_buf_append(out, pem.data, pem.size);
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_next_enrolment(co_store *store, int64_t seq, bool all, const char *instance, co_enrolment_row *ret,
                        fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, instance[0] != '\0' ? SQL_NEXT_OF_INSTANCE
                                       : all               ? SQL_NEXT_ENROLMENT
                                                           : SQL_NEXT_WAITING);
    int at = 1;
    if (instance[0] != '\0')
        co_sqlite_bind_text(s, at++, instance);
    (void)sqlite3_bind_int64(s, at++, seq);
    if (instance[0] != '\0')
        (void)sqlite3_bind_int(s, at, all);
    return read_enrolment(store, s, ret, fail);
}

fc_err
co_store_end_enrolments(co_store *store, const char *instance, const char *who, int64_t now_unix_ns,
                        fc_fail *fail)
{
    fc_err err = deny(store, SQL_DENY_WAITING, who, now_unix_ns, instance, fail);
    if (err != FC_OK)
        return err;
    sqlite3_stmt *s = statement(store, SQL_DROP_ISSUED);
    co_sqlite_bind_text(s, 1, instance);
    return co_sqlite_step(store, s, "remove enrolments", fail);
}

/* ---- certificates ---- */

fc_err
co_store_add_certificate(co_store *store, const co_certificate_row *row, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_ADD_CERTIFICATE);
    co_sqlite_bind_text(s, 1, row->serial);
    co_sqlite_bind_text(s, 2, row->instance);
    co_sqlite_bind_text(s, 3, row->scale_set);
    co_sqlite_bind_text(s, 4, row->region);
    co_sqlite_bind_blob(s, 5, digest_blob(row->key_sha256));
    (void)sqlite3_bind_int64(s, 6, row->issued_unix_ns);
    (void)sqlite3_bind_int64(s, 7, row->not_after_unix_ns);
    (void)sqlite3_bind_int64(s, 8, row->revoked_unix_ns);
    co_sqlite_bind_text(s, 9, row->enrolment);
    return co_sqlite_step(store, s, "store a certificate", fail);
}

fc_err
co_store_get_certificate(co_store *store, const char *serial, co_certificate_row *ret, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_GET_CERTIFICATE);
    co_sqlite_bind_text(s, 1, serial);
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        *ret = (co_certificate_row){
            .issued_unix_ns = sqlite3_column_int64(s, 5),
            .not_after_unix_ns = sqlite3_column_int64(s, 6),
            .revoked_unix_ns = sqlite3_column_int64(s, 7),
        };
        COPY(ret->serial, s, 0);
        COPY(ret->instance, s, 1);
        COPY(ret->scale_set, s, 2);
        COPY(ret->region, s, 3);
        copy_digest(ret->key_sha256, s, 4);
        COPY(ret->enrolment, s, 8);
    }
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_look_certificates(co_store *store, const char *instance, const uint8_t key_sha256[CO_KEY_SIZE],
                           int64_t now_unix_ns, co_certificates *ret, fc_fail *fail)
{
    co_certificates found = {0};
    sqlite3_stmt *s = statement(store, SQL_LOOK_CERTIFICATES);
    co_sqlite_bind_text(s, 1, instance);
    (void)sqlite3_bind_int64(s, 2, now_unix_ns);
    co_sqlite_bind_blob(s, 3, digest_blob(key_sha256));
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        found.valid = (uint32_t)sqlite3_column_int64(s, 0);
        found.other_not_after_ns = sqlite3_column_int64(s, 1);
        found.key_revoked = sqlite3_column_int64(s, 2) > 0;
    }
    co_sqlite_reset(s);
    if (err != FC_OK)
        return err;
    s = statement(store, SQL_LAST_PLACE);
    co_sqlite_bind_text(s, 1, instance);
    err = co_sqlite_row(store, s, fail);
    found.known = err == FC_OK;
    if (found.known) {
        COPY(found.scale_set, s, 0);
        COPY(found.region, s, 1);
    }
    co_sqlite_reset(s);
    if (err == FC_OK || err == FC_ERR_NOT_FOUND)
        *ret = found;
    return err == FC_ERR_NOT_FOUND ? FC_OK : err;
}

fc_err
co_store_revoke_certificates(co_store *store, const char *instance, int64_t now_unix_ns, uint32_t *ret_count,
                             fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_REVOKE_CERTIFICATES);
    (void)sqlite3_bind_int64(s, 1, now_unix_ns);
    co_sqlite_bind_text(s, 2, instance);
    fc_err err = co_sqlite_step(store, s, "revoke certificates", fail);
    if (err == FC_OK)
        *ret_count = (uint32_t)sqlite3_changes(store->db);
    return err;
}

fc_err
co_store_each_revoked(co_store *store, int64_t unix_ns,
                      void (*visit)(const char *serial, int64_t revoked_unix_ns, void *user), void *user,
                      fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_EACH_REVOKED);
    (void)sqlite3_bind_int64(s, 1, unix_ns);
    fc_err err;
    while ((err = co_sqlite_row(store, s, fail)) == FC_OK)
        visit(co_sqlite_text(s, 0), sqlite3_column_int64(s, 1), user);
    co_sqlite_reset(s);
    return err == FC_ERR_NOT_FOUND ? FC_OK : err;
}

fc_err
co_store_next_crl(co_store *store, uint64_t *ret_number, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_NEXT_CRL);
    uint64_t number = 0;
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK) {
        number = (uint64_t)sqlite3_column_int64(s, 0);
        /* The change is done when the statement has no more rows. */
        err = co_sqlite_row(store, s, fail);
    }
    co_sqlite_reset(s);
    if (err != FC_ERR_NOT_FOUND)
        return err != FC_OK ? err : FC_ERR_CORRUPT;
    *ret_number = number;
    return FC_OK;
}

/* ---- removed instances ---- */

fc_err
co_store_add_removed(co_store *store, const char *instance, const char *who, int64_t now_unix_ns,
                     fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_ADD_REMOVED);
    co_sqlite_bind_text(s, 1, instance);
    co_sqlite_bind_text(s, 2, who);
    (void)sqlite3_bind_int64(s, 3, now_unix_ns);
    return co_sqlite_step(store, s, "store a removal", fail);
}

fc_err
co_store_was_removed(co_store *store, const char *instance, bool *ret_removed, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_WAS_REMOVED);
    co_sqlite_bind_text(s, 1, instance);
    fc_err err = co_sqlite_row(store, s, fail);
    co_sqlite_reset(s);
    if (err != FC_OK && err != FC_ERR_NOT_FOUND)
        return err;
    *ret_removed = err == FC_OK;
    return FC_OK;
}

/* ---- bounds ---- */

fc_err
co_store_count_enrolment(co_store *store, co_enrolment_counts *ret, fc_fail *fail)
{
    sqlite3_stmt *s = statement(store, SQL_COUNTS);
    fc_err err = co_sqlite_row(store, s, fail);
    if (err == FC_OK)
        *ret = (co_enrolment_counts){
            .tokens = (uint64_t)sqlite3_column_int64(s, 0),
            .enrolments = (uint64_t)sqlite3_column_int64(s, 1),
            .waiting = (uint64_t)sqlite3_column_int64(s, 2),
            .certificates = (uint64_t)sqlite3_column_int64(s, 3),
            .removed = (uint64_t)sqlite3_column_int64(s, 4),
        };
    co_sqlite_reset(s);
    return err;
}

fc_err
co_store_prune_enrolment(co_store *store, const co_enrolment_age *age, bool *ret_more, fc_fail *fail)
{
    const struct {
        int statement;
        int64_t before_unix_ns;
    } tables[] = {
        {SQL_PRUNE_TOKENS, age->tokens_unix_ns},   {SQL_PRUNE_ENROLMENTS, age->enrolments_unix_ns},
        {SQL_PRUNE_WAITING, age->waiting_unix_ns}, {SQL_PRUNE_CERTIFICATES, age->certificates_unix_ns},
        {SQL_PRUNE_REMOVED, age->removed_unix_ns},
    };
    bool more = false;
    for (size_t i = 0; i < FC_COUNT(tables); i++) {
        sqlite3_stmt *s = statement(store, tables[i].statement);
        (void)sqlite3_bind_int64(s, 1, tables[i].before_unix_ns);
        (void)sqlite3_bind_int64(s, 2, age->rows_max);
        if (tables[i].statement == SQL_PRUNE_REMOVED)
            (void)sqlite3_bind_int64(s, 3, (sqlite3_int64)age->removed_max);
        fc_err err = co_sqlite_step(store, s, "remove what is over", fail);
        if (err != FC_OK)
            return err;
        more = more || sqlite3_changes(store->db) >= (int64_t)age->rows_max;
    }
    *ret_more = more;
    return FC_OK;
}
