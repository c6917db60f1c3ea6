/* What the coordinator keeps: whom it admits, what comes back from the file, and a file that is wrong. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "common/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- admission, store ---- */

static void
admit_retires_the_longest_away_when_full(void **state)
{
    (void)state;
    fixture f;
    fake_link links[3] = {0};
    fixture_open(&f, "max_instances: 2\n", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "eu", &links[1]);
    fc_labels none = {0};
    co_facts facts = {"web-3", "web-3", "web", "eu", "", "", "", "", &none};
    co_instance *instance = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_registry_admit(f.co, &facts, &instance, &fail), FC_ERR_LIMIT);
    assert_int_equal(f.co->counters.hellos_full, 1);
    fixture_leave(&f, &links[0]);
    fixture_run_ms(&f, 2000);
    assert_int_equal(co_registry_admit(f.co, &facts, &instance, &fail), FC_OK);
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(f.co->counters.instances_retired, 1);
    fixture_close(&f);
}

static void
facts_that_are_no_names_are_refused(void **state)
{
    (void)state;
    fc_labels none = {0};
    const co_facts good = {"web-1", "web-1", "web", "eu", "eu-1a", "1.0", "", "", &none};
    assert_int_equal(co_facts_check(&good, NULL), FC_OK);
    co_facts bad[] = {good, good, good, good, good};
    bad[0].id = "";
    bad[1].name = "../etc";
    bad[2].scale_set = "a b";
    bad[3].region = "\xc3\xa4";
    bad[4].version = "a version that is a good deal longer than thirty-one";
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(co_facts_check(&bad[i], NULL), FC_ERR_INVALID);
}

static void
everything_comes_back_from_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-store-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fixture f;
    fake_link links[2] = {0};
    fixture_open(&f, "", path, &fake_link_ops);
    co_instance *web = fixture_join(&f, "web-1", "eu", &links[0]);
    (void)fixture_join(&f, "web-2", "us", &links[1]);
    fc_labels_set(&web->labels, "role", "web");
    co_persist_instance(f.co, web);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    int64_t created = job->created.ns;
    uint64_t generation = web->generation;
    (void)fixture_report(&f, &job->parts[0], FC_STATE_PROVISIONING, 1);
    (void)fixture_report(&f, &job->parts[1], FC_STATE_PROVISIONING, 1);
    int64_t start = job->start.ns;
    assert_true(start > 0);
    (void)fixture_report(&f, &job->parts[1], FC_STATE_STOPPED, 9);
    fixture_run_ms(&f, 2000);
    fixture_close(&f);
    fixture_open(&f, "", path, &fake_link_ops);
    assert_int_equal(f.co->registry.count, 2);
    web = co_registry_find(&f.co->registry, "web-1");
    assert_string_equal(fc_labels_find(&web->labels, "role"), "web");
    assert_true(web->generation > generation);
    job = co_capture_find(&f.co->captures, "job");
    assert_int_equal(job->start.ns, start);
    assert_int_equal(job->created.ns, created);
    assert_string_equal(job->created_by, "operator/alice");
    assert_int_equal(job->region_count, 2);
    assert_int_equal(job->unfinished, 1);
    assert_int_equal(job->counts[FC_STATE_STOPPED], 1);
    fixture_check_folds(&f);
    fixture_close(&f);
    unlink(path);
    char *side = fc_sprintf("%s-wal", path);
    unlink(side);
    free(side);
    side = fc_sprintf("%s-shm", path);
    unlink(side);
    free(side);
}

static void
refusals_are_recorded_but_do_not_flood_the_audit_log(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    (void)fixture_capture(&f, fixture_all_of("job"));
    for (int i = 0; i < 2000; i++)
        co_persist_refusal(f.co, "node/x", "hello", "-", FC_ERR_DENIED, "not you");
    assert_int_equal(f.co->counters.audit_dropped, 2000 - CO_REFUSALS_PER_MINUTE);
    assert_string_equal(fixture_last_audit(&f, NULL), "node/x hello - PERMISSION_DENIED");
    fixture_run_ms(&f, 60000);
    co_persist_refusal(f.co, "node/y", "hello", "-", FC_ERR_DENIED, "nor you");
    assert_string_equal(fixture_last_audit(&f, NULL), "node/y hello - PERMISSION_DENIED");
    fixture_close(&f);
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-store-XXXXXX";
    int fd = mkstemp(path);
    char noise[4096];
    memset(noise, 'x', sizeof noise);
    assert_int_equal(write(fd, noise, sizeof noise), (ssize_t)sizeof noise);
    close(fd);
    co_store *store = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_store_open(path, &store, &fail), FC_ERR_CORRUPT);
    assert_int_equal(co_store_open("/nowhere/at/all.db", &store, &fail), FC_ERR_IO);
    assert_non_null(strstr(fail.text, "/nowhere/at/all.db"));
    unlink(path);
}

static void
a_full_store_loses_nothing_that_waits(void **state)
{
    (void)state;
    fixture f;
    fake_link link = {0};
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    (void)fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, fixture_all_of("job"));
    fixture_run_ms(&f, 2000);
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK);
    (void)fixture_report(&f, &job->parts[0], FC_STATE_STOPPED, 5);
    co_created created = {0};
    assert_int_not_equal(fixture_create(&f, "", fixture_all_of("other"), &created, NULL), FC_OK);
    assert_int_equal(f.co->captures.count, 1);
    fixture_run_ms(&f, 100);
    assert_true(f.co->counters.store_failures > 0);
    co_store_rollback(f.store);
    fixture_run_ms(&f, 2000);
    fixture_kill(&f, &fake_link_ops);
    assert_int_equal(co_capture_find(&f.co->captures, "job")->state, FC_STATE_STOPPED);
    fixture_close(&f);
}

static void
configuration_is_checked_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{}", "ca"},
        {"{ca: a, certificate: b, key: c, lease: 1s, heartbeat: 2s}", "heartbeat"},
        {"{ca: a, certificate: b, key: c, log_level: loud}", "log_level"},
        {"{ca: a, certificate: b, key: c, max_running_per_instance: 9}", "max_running_per_instance"},
        {"{ca: a, certificate: b, key: c, listne: d}", "listne"},
        {"{ca: a, certificate: b, key: c, listen: everywhere}", "listen"},
        {"{ca: a, certificate: b, key: c, listen: \"0.0.0.0:70000\"}", "listen"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        json_t *tree = NULL;
        co_config config = {0};
        fc_fail fail = {0};
        assert_int_equal(fc_yaml_parse(cases[i].text, strlen(cases[i].text), &tree, NULL), FC_OK);
        assert_int_not_equal(co_config_from_tree(tree, &config, &fail), FC_OK);
        assert_string_equal(fail.field, cases[i].field);
        co_config_fini(&config);
        json_decref(tree);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admit_retires_the_longest_away_when_full),
        cmocka_unit_test(facts_that_are_no_names_are_refused),
        cmocka_unit_test(everything_comes_back_from_the_file),
        cmocka_unit_test(refusals_are_recorded_but_do_not_flood_the_audit_log),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
        cmocka_unit_test(a_full_store_loses_nothing_that_waits),
        cmocka_unit_test(configuration_is_checked_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
