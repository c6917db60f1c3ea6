/* The coordinator's evidence: what is taken, kept, stored in batches, and given back after a restart. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "common/profile/context.h"
#include "common/profile/profile.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INSTANCES = 40 };

static fixture f;
static fake_link links[INSTANCES];
static co_capture *capture;
static co_evidence_wait no_wait;

static void
pack_profile(uint64_t packets, fc_buf *out)
{
    fc_profile *profile = fc_profile_new();
    profile->counters[FC_COUNTER_PACKETS_IN] = packets;
    (void)snprintf(profile->subject.instance_name, sizeof profile->subject.instance_name, "web-1");
    fc_profile_pack(profile, out);
    fc_profile_free(profile);
}

static int
set_up(void **state)
{
    (void)state;
    fixture_open(&f, "", ":memory:", &fake_link_ops);
    memset(links, 0, sizeof links);
    for (int i = 0; i < INSTANCES; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i + 1);
        (void)fixture_join(&f, id, "eu", &links[i]);
    }
    capture = fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 600}");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* The store gives parts back in another order. */
static co_part *
part_of(size_t i)
{
    char id[16];
    (void)snprintf(id, sizeof id, "web-%zu", i + 1);
    co_part *part = co_part_of(capture, co_registry_find(&f.co->registry, id));
    assert_non_null(part);
    return part;
}

static fc_err
put(size_t part, co_evidence_kind kind, uint64_t revision, uint64_t packets, co_evidence_wait *wait,
    bool *ret_stored)
{
    fc_buf bytes = {0};
    if (kind == CO_EVIDENCE_PROFILE) {
        pack_profile(packets, &bytes);
    } else {
        fc_context context = {0};
        fc_context_addf(&context, FC_SECTION_RESOLVER, "nameserver", "10.0.0.%d", (int)packets);
        fc_context_pack(&context, &bytes);
        fc_context_fini(&context);
    }
    fc_fail fail = {0};
    fc_err err = co_evidence_put(f.co, part_of(part), kind, revision, fc_buf_bytes(&bytes),
                                 fc_buf_size(&bytes), wait, ret_stored, &fail);
    fc_buf_fini(&bytes);
    return err;
}

/* packetsIn of what is known; 0 = there is none. */
static uint64_t
get(size_t part, uint64_t *ret_revision)
{
    fc_buf bytes = {0};
    fc_fail fail = {0};
    uint64_t packets = 0;
    assert_int_equal(co_evidence_get(f.co, part_of(part), CO_EVIDENCE_PROFILE, &bytes, ret_revision, &fail),
                     FC_OK);
    if (fc_buf_size(&bytes) > 0) {
        fc_profile *profile = NULL;
        assert_int_equal(fc_profile_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &profile, NULL), FC_OK);
        packets = profile->counters[FC_COUNTER_PACKETS_IN];
        fc_profile_free(profile);
    }
    fc_buf_fini(&bytes);
    return packets;
}

static void
restart(void)
{
    memset(links, 0, sizeof links);
    fixture_kill(&f, &fake_link_ops);
    capture = co_capture_find(&f.co->captures, "job");
    assert_non_null(capture);
}

static void
the_newest_profile_counts_wherever_it_lies(void **state)
{
    (void)state;
    uint64_t revision = 7;
    bool stored;
    assert_int_equal(get(0, &revision), 0);
    assert_int_equal(revision, 0);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 5, 50, &no_wait, &stored), FC_OK);
    assert_true(stored); /* of a capture that runs: nobody waits for the disk */
    assert_int_equal(get(0, &revision), 50);
    assert_int_equal(revision, 5);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 4, 40, &no_wait, &stored), FC_OK);
    assert_int_equal(get(0, &revision), 50);
    assert_int_equal(f.co->counters.evidence_stale, 1);
    fixture_run_ms(&f, CO_EVIDENCE_LAZY_MS + 100);
    assert_int_equal(f.co->counters.evidence_unstored_bytes, 0);
    assert_int_equal(get(0, &revision), 50);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 5, 55, &no_wait, &stored), FC_OK);
    assert_int_equal(get(0, &revision), 50);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 6, 60, &no_wait, &stored), FC_OK);
    assert_int_equal(get(0, &revision), 60);
    assert_int_equal(get(1, &revision), 0);
}

static void
what_is_stored_survives_a_restart_and_older_ones_stay_older(void **state)
{
    (void)state;
    uint64_t revision;
    bool stored;
    assert_int_equal(put(3, CO_EVIDENCE_PROFILE, 1000, 33, &no_wait, &stored), FC_OK);
    assert_int_equal(put(3, CO_EVIDENCE_CONTEXT_START, 1000, 1, &no_wait, &stored), FC_OK);
    fixture_run_ms(&f, CO_EVIDENCE_LAZY_MS + 100);
    restart();
    assert_int_equal(get(3, &revision), 33);
    assert_int_equal(revision, 1000);
    assert_int_equal(put(3, CO_EVIDENCE_PROFILE, 999, 1, &no_wait, &stored), FC_OK);
    assert_int_equal(get(3, &revision), 33);
    assert_int_equal(put(3, CO_EVIDENCE_PROFILE, 1001, 34, &no_wait, &stored), FC_OK);
    assert_int_equal(get(3, &revision), 34);
    fc_buf bytes = {0};
    assert_int_equal(co_evidence_get(f.co, part_of(3), CO_EVIDENCE_CONTEXT_START, &bytes, &revision, NULL),
                     FC_OK);
    fc_context context = {0};
    assert_int_equal(fc_context_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &context, NULL), FC_OK);
    fc_context_sort(&context);
    assert_string_equal(fc_context_find(&context, FC_SECTION_RESOLVER, "nameserver"), "10.0.0.1");
    fc_context_fini(&context);
    fc_buf_fini(&bytes);
}

typedef struct answered {
    co_evidence_wait wait;
    fc_err err;
    unsigned times;
} answered;

static void
on_answer(co_evidence_wait *wait, fc_err err, const fc_fail *fail)
{
    answered *a = (answered *)wait;
    (void)fail;
    a->err = err;
    a->times++;
}

static void
the_last_profile_is_answered_for_when_it_is_stored(void **state)
{
    (void)state;
    uint64_t revision;
    bool stored = true;
    answered a = {.wait.done = on_answer};
    fixture_report(&f, part_of(0), FC_STATE_STOPPED, 9);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 1, 77, &a.wait, &stored), FC_OK);
    assert_false(stored);
    assert_int_equal(a.times, 0);
    fixture_run_ms(&f, CO_EVIDENCE_URGENT_MS + 1);
    assert_int_equal(a.times, 1);
    assert_int_equal(a.err, FC_OK);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 1, 77, &a.wait, &stored), FC_OK); /* its answer was lost */
    assert_true(stored);
    restart();
    assert_int_equal(get(0, &revision), 77);
}

static void
everyone_who_waits_for_a_part_is_answered_for_what_is_stored_and_not_before(void **state)
{
    (void)state;
    uint64_t revision;
    bool stored = true;
    answered first = {.wait.done = on_answer}, second = first, gone = first, again = first;
    fixture_report(&f, part_of(0), FC_STATE_STOPPED, 9);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 1, 77, &first.wait, &stored), FC_OK);
    assert_int_equal(put(0, CO_EVIDENCE_CONTEXT_STOP, 1, 1, &second.wait, &stored), FC_OK);
    assert_false(stored);
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 2, 78, &gone.wait, &stored), FC_OK);
    co_evidence_unwait(&gone.wait);
    /* The same once more, over another connection: it is not stored by having been said before. */
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 2, 78, &again.wait, &stored), FC_OK);
    assert_false(stored);
    assert_int_equal(first.times + second.times + again.times, 0);
    fixture_run_ms(&f, CO_EVIDENCE_URGENT_MS + 1);
    const answered *const waited[] = {&first, &second, &again};
    for (size_t i = 0; i < FC_COUNT(waited); i++) {
        assert_int_equal(waited[i]->times, 1);
        assert_int_equal(waited[i]->err, FC_OK);
    }
    assert_int_equal(gone.times, 0);
    restart();
    assert_int_equal(get(0, &revision), 78);
    assert_int_equal(revision, 2);
}

static void
who_waits_is_told_that_the_store_refuses_and_it_is_tried_again(void **state)
{
    (void)state;
    uint64_t revision;
    bool stored = true;
    answered a = {.wait.done = on_answer}, gone = {.wait.done = on_answer};
    fixture_report(&f, part_of(0), FC_STATE_STOPPED, 9);
    fixture_report(&f, part_of(1), FC_STATE_STOPPED, 9);
    fixture_run_ms(&f, 2000);
    assert_int_equal(co_store_begin(f.store, NULL), FC_OK); /* no transaction can begin now */
    assert_int_equal(put(0, CO_EVIDENCE_PROFILE, 1, 77, &a.wait, &stored), FC_OK);
    assert_int_equal(put(1, CO_EVIDENCE_PROFILE, 1, 78, &gone.wait, &stored), FC_OK);
    co_evidence_unwait(&gone.wait);
    fixture_run_ms(&f, 1000);
    assert_int_equal(a.times, 1);
    assert_int_not_equal(a.err, FC_OK);
    assert_int_equal(gone.times, 0);
    assert_true(f.co->counters.evidence_unstored_bytes > 0);
    co_store_rollback(f.store);
    fixture_run_ms(&f, 2 * CO_EVIDENCE_LAZY_MS);
    assert_int_equal(f.co->counters.evidence_unstored_bytes, 0);
    restart();
    assert_int_equal(get(0, &revision), 77);
    assert_int_equal(get(1, &revision), 78);
}

static void
what_is_no_evidence_is_refused_and_counted(void **state)
{
    (void)state;
    static uint8_t bytes[CO_EVIDENCE_BYTES_MAX + 1];
    bool stored;
    fc_fail fail = {0};
    co_part *part = part_of(0);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(co_evidence_put(f.co, part, CO_EVIDENCE_PROFILE, 1, bytes, 0, &no_wait, &stored, &fail),
                     FC_ERR_LIMIT);
    assert_int_equal(
        co_evidence_put(f.co, part, CO_EVIDENCE_PROFILE, 1, bytes, sizeof bytes, &no_wait, &stored, &fail),
        FC_ERR_LIMIT);
    assert_int_equal(
        co_evidence_put(f.co, part, CO_EVIDENCE_PROFILE, 1, bytes, 100, &no_wait, &stored, &fail),
        FC_ERR_INVALID);
    assert_int_equal(
        co_evidence_put(f.co, part, CO_EVIDENCE_CONTEXT_STOP, 1, bytes, 100, &no_wait, &stored, &fail),
        FC_ERR_INVALID);
    static const uint8_t cut[] = {0x08, 0x01, 0x12, 0x05, 'a'}, no_version[] = {0x12, 0x01, 'a'},
                         group[] = {0x08, 0x01, 0x0b}, endless[] = {0x08, 0x81};
    const struct {
        const uint8_t *data;
        size_t size;
    } bad[] = {
        {cut, sizeof cut}, {no_version, sizeof no_version}, {group, sizeof group}, {endless, sizeof endless}};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(co_evidence_put(f.co, part, CO_EVIDENCE_PROFILE, 1, bad[i].data, bad[i].size,
                                         &no_wait, &stored, &fail),
                         FC_ERR_INVALID);
    assert_int_equal(f.co->counters.evidence_invalid, 4 + FC_COUNT(bad));
    assert_int_equal(f.co->counters.evidence_unstored_bytes, 0);
}

static void
evidence_goes_with_its_capture(void **state)
{
    (void)state;
    uint64_t revision = 0;
    bool stored;
    char uid[FC_UID_LENGTH + 1];
    memcpy(uid, capture->uid, sizeof uid);
    for (size_t i = 0; i < capture->part_count; i++) {
        fixture_report(&f, part_of(i), FC_STATE_STOPPED, 9);
        assert_int_equal(put(i, CO_EVIDENCE_PROFILE, 1, i + 1, NULL, &stored), FC_OK);
    }
    fixture_run_ms(&f, 1000);
    assert_int_equal(co_store_get_evidence(f.store, uid, "web-1", CO_EVIDENCE_PROFILE, NULL, &revision, NULL),
                     FC_OK);
    assert_int_equal(put(1, CO_EVIDENCE_PROFILE, 2, 5, NULL, &stored), FC_OK); /* not stored yet */
    co_capture_delete(f.co, capture);
    for (size_t i = INSTANCES; i-- > 0;)
        co_part_gone(f.co, &capture->parts[i]);
    assert_null(co_capture_find_uid(&f.co->captures, uid));
    fixture_run_ms(&f, 2 * CO_EVIDENCE_LAZY_MS);
    assert_int_equal(co_store_get_evidence(f.store, uid, "web-1", CO_EVIDENCE_PROFILE, NULL, &revision, NULL),
                     FC_ERR_NOT_FOUND);
    assert_int_equal(f.co->counters.evidence_unstored_bytes, 0);
    assert_null(f.co->evidence.first);
}

static void
a_fleet_s_profiles_are_stored_in_batches(void **state)
{
    (void)state;
    bool stored;
    fc_buf bytes = {0};
    fc_profile *profile = fc_profile_new(); /* about as large as it gets */
    (void)snprintf(profile->subject.instance_name, sizeof profile->subject.instance_name, "web-1");
    for (int table = 0; table < FC_TABLE_COUNT; table++)
        for (int i = 0; i < 64; i++) {
            char key[FC_TABLE_KEY_MAX + 1];
            (void)snprintf(key, sizeof key, "%0100d", i);
            fc_table_add(&profile->tables[table], key, &(fc_table_values){.count = 1});
        }
    fc_profile_pack(profile, &bytes);
    fc_profile_free(profile);
    assert_true(fc_buf_size(&bytes) <= CO_EVIDENCE_BYTES_MAX);
    uint64_t before = f.co->counters.store_commits;
    for (uint64_t round = 1; round <= 3; round++)
        for (size_t i = 0; i < INSTANCES; i++)
            assert_int_equal(co_evidence_put(f.co, &capture->parts[i], CO_EVIDENCE_PROFILE, round,
                                             fc_buf_bytes(&bytes), fc_buf_size(&bytes), NULL, &stored, NULL),
                             FC_OK);
    assert_int_equal(f.co->counters.evidence_unstored_bytes, INSTANCES * fc_buf_size(&bytes));
    fixture_run_ms(&f, CO_EVIDENCE_LAZY_MS + 1000);
    assert_int_equal(f.co->counters.evidence_unstored_bytes, 0);
    uint64_t batches =
        (INSTANCES * fc_buf_size(&bytes) + CO_EVIDENCE_BATCH_BYTES - 1) / CO_EVIDENCE_BATCH_BYTES;
    assert_in_range(f.co->counters.store_commits - before, batches, batches + 2);
    fc_buf_fini(&bytes);
}

static void
a_database_from_before_there_was_evidence_is_migrated(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-evidence.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    co_store *store = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_store_open(path, &store, &fail), FC_OK);
    co_store_close(store);
    sqlite3 *db = NULL; /* as it was: the same without what came later */
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE evidence; DROP TABLE token; DROP TABLE enrolment;"
                                  "DROP TABLE certificate; DROP TABLE removed;"
                                  "ALTER TABLE instance DROP COLUMN removed;"
                                  "DELETE FROM meta WHERE key = 'crl'; PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    uint64_t revision = 0;
    assert_int_equal(co_store_open(path, &store, &fail), FC_OK);
    assert_int_equal(co_store_get_evidence(store, "x", "web-1", CO_EVIDENCE_PROFILE, NULL, &revision, &fail),
                     FC_ERR_NOT_FOUND);
    co_store_close(store);
    static const char *const ends[] = {"", "-wal", "-shm", CO_STORE_COPY_SUFFIX};
    for (size_t i = 0; i < FC_COUNT(ends); i++) {
        char file[64];
        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_newest_profile_counts_wherever_it_lies),
        TEST(what_is_stored_survives_a_restart_and_older_ones_stay_older),
        TEST(the_last_profile_is_answered_for_when_it_is_stored),
        TEST(everyone_who_waits_for_a_part_is_answered_for_what_is_stored_and_not_before),
        TEST(who_waits_is_told_that_the_store_refuses_and_it_is_tried_again),
        TEST(what_is_no_evidence_is_refused_and_counted),
        TEST(evidence_goes_with_its_capture),
        TEST(a_fleet_s_profiles_are_stored_in_batches),
        TEST(a_database_from_before_there_was_evidence_is_migrated),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
