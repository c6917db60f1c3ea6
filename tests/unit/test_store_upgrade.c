/* A database of an older coordinator: brought up to date, with a copy of how it was. */
#include "coordinator/store.h"

#include "common/base/mem.h"
#include "tests/temp_dir.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[TEMP_DIR_BYTES], path[80], copy[112], part[128];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(directory);
    (void)snprintf(path, sizeof path, "%s/fleetcap.db", directory);
    (void)snprintf(copy, sizeof copy, "%s" CO_STORE_COPY_SUFFIX, path);
    (void)snprintf(part, sizeof part, "%s.part", copy);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    return temp_dir_remove(directory);
}

static void
run_on(const char *database, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static int
number_of(const char *database, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static fc_err
open_and_close(fc_fail *fail)
{
    co_store *store = NULL;
    *fail = (fc_fail){0};
    fc_err err = co_store_open(path, &store, fail);
    co_store_close(store);
    return err;
}

/* As a program of before there was enrolment left it, with one instance. */
static void
make_older(const char *instance)
{
    char *sql =
        fc_sprintf("DROP TABLE token; DROP TABLE enrolment; DROP TABLE certificate; DROP TABLE removed;"
                   "ALTER TABLE instance DROP COLUMN removed; DELETE FROM meta WHERE key = 'crl';"
                   "INSERT INTO instance VALUES ('%s','','','','','','','',x'',0);"
                   "PRAGMA user_version = 2",
                   instance);
    run_on(path, sql);
    free(sql);
}

static bool
exists(const char *file)
{
    return access(file, F_OK) == 0;
}

static void
a_copy_of_the_older_one_stays_beside_it(void **state)
{
    (void)state;
    fc_fail fail;
    assert_int_equal(open_and_close(&fail), FC_OK);
    assert_false(exists(copy)); /* a new one was nothing before */
    int newest = number_of(path, "PRAGMA user_version");
    make_older("web-1");
    FILE *left = fopen(part, "w"); /* of one that was killed */
    assert_non_null(left);
    (void)fclose(left);
    if (open_and_close(&fail) != FC_OK)
        fail_msg("%s", fail.text);
    assert_false(exists(part));
    assert_int_equal(number_of(path, "PRAGMA user_version"), newest);
    assert_int_equal(number_of(copy, "PRAGMA user_version"), 2);
    assert_int_equal(number_of(copy, "SELECT count(*) FROM instance WHERE id = 'web-1'"), 1);
    assert_int_equal(number_of(copy, "SELECT count(*) FROM sqlite_schema WHERE name = 'token'"), 0);
    /* What is up to date is not copied; the next upgrade's copy takes the place of this one. */
    assert_int_equal(open_and_close(&fail), FC_OK);
    assert_int_equal(number_of(copy, "SELECT count(*) FROM instance"), 1);
    make_older("web-2");
    assert_int_equal(open_and_close(&fail), FC_OK);
    assert_int_equal(number_of(copy, "SELECT count(*) FROM instance"), 2);
    /* And it is the way back. */
    assert_int_equal(rename(copy, path), 0);
    assert_int_equal(open_and_close(&fail), FC_OK);
    assert_int_equal(number_of(path, "SELECT count(*) FROM instance"), 2);
}

static void
without_a_copy_nothing_is_changed(void **state)
{
    (void)state;
    fc_fail fail;
    assert_int_equal(open_and_close(&fail), FC_OK);
    make_older("web-1");
    assert_int_equal(mkdir(copy, 0700), 0); /* no file can take its place */
    assert_int_not_equal(open_and_close(&fail), FC_OK);
    assert_non_null(strstr(fail.text, "before-upgrade"));
    assert_int_equal(number_of(path, "PRAGMA user_version"), 2);
    assert_false(exists(part));
    assert_int_equal(rmdir(copy), 0);
    assert_int_equal(open_and_close(&fail), FC_OK);
}

static void
that_of_a_newer_one_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    fc_fail fail;
    assert_int_equal(open_and_close(&fail), FC_OK);
    run_on(path, "PRAGMA user_version = 99");
    assert_int_equal(open_and_close(&fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "version 99"));
    assert_non_null(strstr(fail.text, "newer"));
    assert_int_equal(number_of(path, "PRAGMA user_version"), 99);
    assert_false(exists(copy));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_of_the_older_one_stays_beside_it),
        TEST(without_a_copy_nothing_is_changed),
        TEST(that_of_a_newer_one_is_refused_and_left_as_it_is),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
