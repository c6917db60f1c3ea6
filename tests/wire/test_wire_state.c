/* What older programs left on the disk is taken up by today's: a coordinator's database and a node's captures
 * directory, as real programs of tests/wire/golden/<release>/state* left them when they were killed
 * (golden_state.sh): capture "finished" with 5 packets on web-1 and 3 on web-2, stopped; capture "going",
 * with 7 packets on web-1 when that died, and web-2 away. */
#include "../scenario/loop_rig.h"
#include "../scenario/node_rig.h"
#include "../unit/test_coordinator_fixture.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/profile/profile.h"
#include "node/fake_backend.h"
#include "node/journal.h"
#include "node/node.h"
#include "node/report.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, SAID_BYTES = 51 };

static char root[TEMP_DIR_BYTES]; /* a directory for each test */

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(root);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    return temp_dir_remove(root);
}

/* Every state of every release. */
static void
each_state(void (*visit)(const char *directory))
{
    glob_t found;
    assert_int_equal(glob(GOLDEN_DIR "/*/state*", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 2);
    for (size_t i = 0; i < found.gl_pathc; i++)
        visit(found.gl_pathv[i]);
    globfree(&found);
}

/* ---- the coordinator's database ---- */

static char *
make_database(const char *directory)
{
    char *from = fc_sprintf("%s/coordinator.sql", directory);
    static unsigned made;
    char *path = fc_sprintf("%s/%u.db", root, ++made);
    fc_buf sql = {0};
    sqlite3 *db = NULL;
    assert_int_equal(fc_file_read(AT_FDCWD, from, FILE_MAX, &sql, NULL), FC_OK);
    fc_buf_append(&sql, "", 1);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, (const char *)fc_buf_bytes(&sql), NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    fc_buf_fini(&sql);
    free(from);
    return path;
}

static const co_part *
part_of(struct co *co, const char *capture_name, const char *instance_id)
{
    const co_capture *capture = co_capture_find(&co->captures, capture_name);
    assert_non_null(capture);
    assert_int_equal(capture->part_count, 2);
    for (size_t i = 0; i < capture->part_count; i++)
        if (strcmp(capture->parts[i].instance->id, instance_id) == 0)
            return &capture->parts[i];
    fail_msg("%s has no part on %s", capture_name, instance_id);
    return NULL;
}

static void
check_finished(struct co *co)
{
    const co_capture *capture = co_capture_find(&co->captures, "finished");
    assert_non_null(capture);
    const fc_definition *definition = &capture->definition;
    assert_int_equal(capture->state, FC_STATE_STOPPED);
    assert_true(capture->stop_requested);
    assert_string_equal(capture->created_by, "operator/admin");
    assert_int_equal(capture->totals.written_packets, 5 + 3);
    assert_int_equal(definition->spec.filter_count, 2);
    assert_string_equal(definition->spec.filters[1].local_port, "8000-8010");
    assert_int_equal(definition->spec.ring_files, 3);
    assert_int_equal(definition->spec.packet_limit, 1000);
    assert_string_equal(definition->governance.incident_id, "INC-7");
    assert_string_equal(fc_labels_find(&definition->governance.tags, "team"), "net");
    const co_part *part = part_of(co, "finished", "web-1");
    assert_int_equal(part->status.stop_reason, FC_STOP_STOP_REQUESTED);
    assert_int_equal(part->status.counters.written_packets, 5);
    assert_int_equal(part->status.counters.written_bytes, 5 * SAID_BYTES);
    assert_int_equal(part->status.segment_count, 1);
    assert_true(part->status.segments[0].hashed);
    assert_int_equal(part->status.segments[0].packets, 5);
}

static void
check_going(struct co *co)
{
    const co_capture *capture = co_capture_find(&co->captures, "going");
    const co_part *part = part_of(co, "going", "web-1");
    assert_int_equal(part->status.state, FC_STATE_RUNNING);
    assert_int_equal(part->status.counters.written_packets, 7);
    assert_int_equal(part_of(co, "going", "web-2")->status.state, FC_STATE_PENDING);
    assert_int_equal(capture->window_end.ns - capture->start.ns, 600 * FC_NS_PER_S);
}

static void
count_audit(const co_audit_row *row, void *user)
{
    assert_true(strchr(row->principal, '/') != NULL);
    (*(size_t *)user)++;
}

/* Profile and contexts of who had them: 1 = there is a profile. */
static size_t
check_evidence(struct co *co)
{
    const co_part *part = part_of(co, "finished", "web-1");
    fc_buf packed = {0};
    uint64_t revision = 0;
    fc_profile *profile = NULL;
    fc_err err = co_store_get_evidence(co->store, part->capture->uid, "web-1", CO_EVIDENCE_PROFILE, &packed,
                                       &revision, NULL);
    if (err == FC_OK) {
        assert_int_equal(fc_profile_unpack(fc_buf_bytes(&packed), fc_buf_size(&packed), &profile, NULL),
                         FC_OK);
        assert_int_equal(profile->counters[FC_COUNTER_PACKETS_OUT], 5);
        fc_profile_free(profile);
    }
    fc_buf_fini(&packed);
    return err == FC_OK;
}

static size_t databases, profiles;

static void
take_up_database(const char *directory)
{
    fixture f;
    size_t audited = 0;
    char *path = make_database(directory);
    fixture_open(&f, "state_dir: /nonexistent\n", path, &fake_link_ops);
    assert_int_equal(f.co->registry.count, 2);
    const co_instance *instance = co_registry_find(&f.co->registry, "web-2");
    assert_string_equal(instance->zone, "eu-2");
    assert_string_equal(fc_labels_find(&instance->labels, "env"), "test");
    check_finished(f.co);
    check_going(f.co);
    assert_int_equal(co_store_each_audit(f.store, 100, count_audit, &audited, NULL), FC_OK);
    assert_true(audited >= 3);
    profiles += check_evidence(f.co);
    /* And it is worked with. */
    fc_fail fail = {0};
    static const char taken[] = "{name: going, target: {include: [web-1]}, timeLimitInSeconds: 60}";
    static const char fresh[] = "{name: fresh, target: {scaleSet: web}, timeLimitInSeconds: 60}";
    co_created created = {0};
    assert_int_equal(fixture_create(&f, "r1", taken, &created, &fail), FC_ERR_EXISTS);
    assert_int_equal(fixture_capture(&f, fresh)->part_count, 2);
    fixture_close(&f);
    free(path);
    databases++;
}

/* Every table, index and trigger as it was written. */
static char *
shape_of(const char *path)
{
    static const char query[] =
        "SELECT group_concat(name || ': ' || sql, char(10)) FROM (SELECT name, sql FROM"
        " sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name)";
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *shape = fc_strdup((const char *)sqlite3_column_text(statement, 0));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return shape;
}

static char *
shape_after_open(const char *path)
{
    co_store *store = NULL;
    fc_fail fail = {0};
    if (co_store_open(path, &store, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    co_store_close(store);
    return shape_of(path);
}

static void
compare_shape(const char *directory)
{
    char *path = make_database(directory), *fresh_path = fc_sprintf("%s/fresh.db", root);
    char *older = shape_after_open(path), *fresh = shape_after_open(fresh_path);
    assert_true(strlen(fresh) > 1000);
    assert_string_equal(older, fresh);
    free(older);
    free(fresh);
    free(path);
    free(fresh_path);
}

/* No step of the way is ever edited: an older database would never get what was put there. */
static void
a_database_that_was_migrated_has_the_shape_of_a_new_one(void **state)
{
    (void)state;
    each_state(compare_shape);
}

static void
an_older_coordinator_s_database_is_taken_up(void **state)
{
    (void)state;
    databases = profiles = 0;
    each_state(take_up_database);
    assert_true(databases >= 2);
    assert_true(profiles >= 1);
}

static void
a_database_of_a_later_release_is_left_alone(void **state)
{
    (void)state;
    char *path = fc_sprintf("%s/newer.db", root);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=1000", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    co_store *store = NULL;
    fc_fail fail = {0};
    assert_int_equal(co_store_open(path, &store, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "1000"));
    free(path);
}

/* ---- the node's captures directory ---- */

static const char *copy_from;

static int
copy_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    char *to = fc_sprintf("%s/captures%s", root, path + strlen(copy_from));
    if (type == FTW_D) {
        assert_int_equal(mkdir(to, 0750), 0);
    } else {
        fc_buf bytes = {0};
        assert_int_equal(fc_file_read(AT_FDCWD, path, FILE_MAX, &bytes, NULL), FC_OK);
        int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        assert_true(fd >= 0);
        assert_int_equal(fc_file_write_all(fd, fc_buf_bytes(&bytes), fc_buf_size(&bytes)), FC_OK);
        close(fd);
        fc_buf_fini(&bytes);
    }
    free(to);
    return 0;
}

/* A clock that is always later than the captures' windows. */
static fc_wall
in_2035(const fc_clock *clock)
{
    (void)clock;
    return (fc_wall){2051222400 * FC_NS_PER_S};
}

static fc_mono
as_ever(const fc_clock *clock)
{
    (void)clock;
    return fc_clock_mono(&fc_clock_system);
}

static const fc_clock late_clock = {as_ever, in_2035};

static const nd_instance_capture *
capture_named(const nd_node *node, const char *name)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++)
        if (strcmp(nd_node_capture(node, i)->want.name, name) == 0)
            return nd_node_capture(node, i);
    fail_msg("the node does not know %s", name);
    return NULL;
}

static void
until_all_is_over(fc_loop *the_loop, const nd_node *node)
{
    const nd_instance_capture *going = capture_named(node, "going");
    RUN_LOOP_UNTIL(the_loop, fc_state_final(going->status.state) && going->status.segments[0].hashed);
}

static size_t
check_captures(const nd_node *node)
{
    const nd_instance_capture *finished = capture_named(node, "finished"),
                              *going = capture_named(node, "going");
    assert_int_equal(finished->status.state, FC_STATE_STOPPED);
    assert_int_equal(finished->status.stop_reason, FC_STOP_STOP_REQUESTED);
    assert_int_equal(finished->status.counters.written_packets, 5);
    assert_int_equal(finished->want.spec.filter_count, 2);
    assert_string_equal(finished->want.incident_id, "INC-7");
    /* It died with its file open: that is repaired and sealed; its time has been over for long. */
    assert_int_equal(going->status.state, FC_STATE_STOPPED);
    assert_int_equal(going->status.stop_reason, FC_STOP_TIME_LIMIT);
    assert_int_equal(going->status.counters.written_packets, 7);
    assert_int_equal(going->status.segment_count, 1);
    assert_true(going->status.segments[0].sealed && going->status.segments[0].repaired);
    const fc_buf *packed = &finished->evidence.items[ND_EVIDENCE_PROFILE].packed;
    if (fc_buf_size(packed) == 0)
        return 0;
    fc_profile *profile = NULL;
    assert_int_equal(fc_profile_unpack(fc_buf_bytes(packed), fc_buf_size(packed), &profile, NULL), FC_OK);
    assert_int_equal(profile->counters[FC_COUNTER_PACKETS_OUT], 5);
    fc_profile_free(profile);
    return 1;
}

static void
take_up_captures(const char *directory)
{
    static const nd_fake_options helpers = {.arm_ms = 5, .stop_ms = 5, .drain_ms = 5};
    fc_loop *the_loop = NULL;
    nd_storage *storage = NULL;
    fc_fail fail = {0};
    fc_labels labels = {0};
    nd_policy policy = {.captures_max = 8};
    nd_identity identity = {.id = "web-1", .name = "web-1", .scale_set = "web", .region = "eu", .zone = ""};
    identity.labels = &labels;
    char *from = fc_sprintf("%s/node", directory), *captures = fc_sprintf("%s/captures", root);
    copy_from = from;
    assert_int_equal(nftw(from, copy_one, 16, FTW_PHYS), 0);
    assert_int_equal(fc_loop_new(&late_clock, &the_loop), FC_OK);
    nd_backend *backend = nd_fake_backend_new(the_loop, &helpers);
    assert_int_equal(nd_journal_open(the_loop, captures, &storage, &fail), FC_OK);
    nd_node_options options = {.loop = the_loop,
                               .backend = backend,
                               .storage = storage,
                               .identity = &identity,
                               .policy = &policy,
                               .captures_dir = captures,
                               .ring_bytes = 1 << 20,
                               .interfaces = one_interface};
    nd_node *node = nd_node_new(&options);
    assert_int_equal(nd_node_start(node, &fail), FC_OK);
    assert_int_equal(nd_node_capture_count(node), 2);
    until_all_is_over(the_loop, node);
    profiles += check_captures(node);
    nd_node_free(node);
    nd_journal_close(storage);
    nd_fake_backend_free(backend);
    fc_loop_free(the_loop);
    assert_int_equal(temp_dir_remove(captures), 0);
    free(captures);
    free(from);
}

static void
an_older_node_s_captures_are_taken_up(void **state)
{
    (void)state;
    profiles = 0;
    each_state(take_up_captures);
    assert_true(profiles >= 1);
}

int
main(void)
{
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_older_coordinator_s_database_is_taken_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_database_that_was_migrated_has_the_shape_of_a_new_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_database_of_a_later_release_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_node_s_captures_are_taken_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
