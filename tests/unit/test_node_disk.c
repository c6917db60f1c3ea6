/* The node's journal, recovery and reports of hostile helpers: on a real directory, without a network. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"
#include "node/hash.h"
#include "node/helper_wire.h"
#include "node/journal.h"
#include "node/recover.h"
#include "tests/temp_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char NAME[] = "checkout";
static const char UID[] = "0123456789abcdef0123456789abcdef";
static const char DIRECTORY[] = "2026/11/21/checkout-01234567";

typedef struct disk {
    char root[TEMP_DIR_BYTES];
    fc_loop *loop;
    nd_storage *storage;
    nd_desired_capture want;
} disk;

static int
set_up(void **state)
{
    disk *d = fc_alloc(sizeof *d);
    fc_fail fail = {0};
    temp_dir_make(d->root);
    assert_int_equal(fc_loop_new(&fc_clock_system, &d->loop), FC_OK);
    assert_int_equal(nd_journal_open(d->loop, d->root, &d->storage, &fail), FC_OK);
    d->want.action = ND_ACTION_RUN;
    d->want.created.ns = 1795229137LL * FC_NS_PER_S;
    d->want.has_spec = true;
    d->want.spec.time_limit_s = 60;
    memcpy(d->want.uid, UID, sizeof UID);
    memcpy(d->want.name, NAME, sizeof NAME);
    *state = d;
    return 0;
}

static int
tear_down(void **state)
{
    disk *d = *state;
    nd_journal_close(d->storage);
    fc_loop_free(d->loop);
    nd_desired_capture_fini(&d->want);
    (void)temp_dir_remove(d->root);
    free(d);
    return 0;
}

static void
put_spec(disk *d)
{
    fc_fail fail = {0};
    if (d->storage->ops->put_spec(d->storage, DIRECTORY, &d->want, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

static char *
path_of(const disk *d, const char *name)
{
    return fc_sprintf("%s/%s/%s", d->root, DIRECTORY, name);
}

static bool
there(const disk *d, const char *name)
{
    struct stat st;
    char *path = path_of(d, name);
    bool is = stat(path, &st) == 0;
    free(path);
    return is;
}

/* A file of `packets` packets of 60 bytes, and `tail` bytes of the next block. */
static void
write_segment(const disk *d, const char *name, size_t packets, size_t tail)
{
    static const uint8_t data[60];
    uint8_t block[256];
    fc_buf out = {0};
    fc_pcapng_put_section(&out, &(fc_pcapng_section){.application = "test"});
    fc_pcapng_put_interface(&out,
                            &(fc_pcapng_interface){.name = "eth0", .link_type = 1, .snaplen_bytes = 262144});
    for (size_t i = 0; i <= packets; i++) {
        size_t size = fc_pcapng_put_packet(block, 0, 1000 + (int64_t)i, data, sizeof data, sizeof data, 0);
        fc_buf_append(&out, block, i < packets ? size : tail);
    }
    char *path = path_of(d, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(fc_file_write_all(fd, fc_buf_bytes(&out), fc_buf_size(&out)), FC_OK);
    close(fd);
    free(path);
    fc_buf_fini(&out);
}

typedef struct scanned {
    size_t count;
    nd_desired_capture want;
    fc_status status;
} scanned;

static void
visit(const char *directory, nd_desired_capture *want, fc_status *status, void *user)
{
    scanned *s = user;
    assert_string_equal(directory, DIRECTORY);
    s->count++;
    nd_desired_capture_take(&s->want, want);
    s->status = *status;
    memset(status, 0, sizeof *status);
}

static void
scan(disk *d, scanned *ret)
{
    fc_fail fail = {0};
    memset(ret, 0, sizeof *ret);
    assert_int_equal(d->storage->ops->scan(d->storage, visit, ret, &fail), FC_OK);
}

static void
scanned_fini(scanned *s)
{
    nd_desired_capture_fini(&s->want);
    fc_status_fini(&s->status);
}

/* ---- journal.c ---- */

static void
a_capture_is_found_again_with_its_journal(void **state)
{
    disk *d = *state;
    scanned found;
    fc_fail fail = {0};
    fc_status status = {.state = FC_STATE_RUNNING, .start = {5}, .counters = {.written_packets = 7}};
    fc_segment segment = {.sequence = 3, .path = "2026/11/21/checkout-01234567/web-1_02_45_37_0003.pcapng"};
    memcpy(status.capture_uid, UID, sizeof UID);
    memcpy(status.capture_name, NAME, sizeof NAME);
    fc_status_put_segment(&status, &segment);
    put_spec(d);
    scan(d, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.status.capture_uid[0], '\0'); /* no journal yet */
    scanned_fini(&found);
    assert_int_equal(d->storage->ops->save(d->storage, DIRECTORY, &status, &fail), FC_OK);
    scan(d, &found);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.want.name, NAME);
    assert_int_equal(found.want.spec.time_limit_s, 60);
    assert_int_equal(found.status.state, FC_STATE_RUNNING);
    assert_int_equal(found.status.counters.written_packets, 7);
    assert_int_equal(found.status.segment_count, 1);
    scanned_fini(&found);
    fc_status_fini(&status);
}

static void
a_spoilt_journal_or_a_foreign_spec_stops_nobody(void **state)
{
    disk *d = *state;
    scanned found;
    put_spec(d);
    char *path = path_of(d, "journal");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("\xff\xff\xff\xff not a message", file);
    (void)fclose(file);
    free(path);
    scan(d, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.status.capture_uid[0], '\0');
    scanned_fini(&found);
    /* A spec that was moved to another capture's directory is not believed. */
    char *from = fc_sprintf("%s/%s", d->root, DIRECTORY),
         *to = fc_sprintf("%s/2026/11/21/other-01234567", d->root);
    assert_int_equal(rename(from, to), 0);
    scan(d, &found);
    assert_int_equal(found.count, 0);
    scanned_fini(&found);
    free(from);
    free(to);
}

static void
forgetting_keeps_the_files_and_purging_does_not(void **state)
{
    disk *d = *state;
    struct stat st;
    put_spec(d);
    write_segment(d, "web-1_02_45_37_0001.pcapng", 1, 0);
    d->storage->ops->forget(d->storage, DIRECTORY, false);
    assert_false(there(d, "spec.pb"));
    assert_true(there(d, "web-1_02_45_37_0001.pcapng"));
    put_spec(d);
    d->storage->ops->forget(d->storage, DIRECTORY, true);
    assert_false(there(d, "web-1_02_45_37_0001.pcapng"));
    char *year = fc_sprintf("%s/2026", d->root);
    assert_int_equal(stat(year, &st), -1);
    free(year);
}

static void
evidence_lies_beside_the_journal_until_it_is_forgotten(void **state)
{
    disk *d = *state;
    nd_storage *storage = d->storage;
    fc_buf packed = {0}, read = {0};
    fc_fail fail = {0};
    put_spec(d);
    assert_int_equal(storage->ops->load_evidence(storage, DIRECTORY, ND_EVIDENCE_PROFILE, &read, &fail),
                     FC_ERR_NOT_FOUND);
    fc_buf_append(&packed, "a profile", 9);
    for (int kind = 0; kind < ND_EVIDENCE_FILES; kind++)
        assert_int_equal(
            storage->ops->save_evidence(storage, DIRECTORY, (nd_evidence_kind)kind, &packed, &fail), FC_OK);
    assert_true(there(d, "profile.pb") && there(d, "context-start.pb") && there(d, "context-stop.pb"));
    assert_int_equal(storage->ops->load_evidence(storage, DIRECTORY, ND_EVIDENCE_PROFILE, &read, &fail),
                     FC_OK);
    assert_string_equal(fc_buf_text(&read), "a profile");
    fc_buf_clear(&packed); /* nothing takes it away */
    assert_int_equal(storage->ops->save_evidence(storage, DIRECTORY, ND_EVIDENCE_LAST, &packed, &fail),
                     FC_OK);
    assert_false(there(d, FC_PROFILE_LAST_FILE));
    memset(fc_buf_reserve(&packed, ND_EVIDENCE_BYTES_MAX + 1), 'x', ND_EVIDENCE_BYTES_MAX + 1);
    fc_buf_commit(&packed, ND_EVIDENCE_BYTES_MAX + 1);
    assert_int_equal(storage->ops->save_evidence(storage, DIRECTORY, ND_EVIDENCE_PROFILE, &packed, &fail),
                     FC_OK);
    fc_buf_clear(&read);
    assert_int_equal(storage->ops->load_evidence(storage, DIRECTORY, ND_EVIDENCE_PROFILE, &read, &fail),
                     FC_ERR_LIMIT); /* nobody of ours wrote that */
    storage->ops->forget(storage, DIRECTORY, false);
    assert_false(there(d, "profile.pb") || there(d, "context-start.pb") || there(d, "context-stop.pb") ||
                 there(d, "profile-earlier.pb"));
    fc_buf_fini(&packed);
    fc_buf_fini(&read);
}

static void
the_lease_is_remembered(void **state)
{
    disk *d = *state;
    assert_int_equal(d->storage->ops->lease_get(d->storage).ns, 0);
    d->storage->ops->lease_put(d->storage, (fc_wall){1795229137LL * FC_NS_PER_S + 5});
    assert_int_equal(d->storage->ops->lease_get(d->storage).ns, 1795229137LL * FC_NS_PER_S + 5);
}

static void
segments_open_only_below_the_captures_directory(void **state)
{
    disk *d = *state;
    fc_fail fail = {0};
    int fd = -1;
    put_spec(d);
    write_segment(d, "web-1_02_45_37_0001.pcapng", 1, 0);
    char *target = path_of(d, "link_0002.pcapng");
    assert_int_equal(symlink("/etc/passwd", target), 0);
    free(target);
    static const char *const bad[] = {"../../etc/passwd", "/etc/passwd", "2026/../../etc/passwd",
                                      "2026/11/21/checkout-01234567/link_0002.pcapng",
                                      "2026/11/21/checkout-01234567/none.pcapng"};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_not_equal(d->storage->ops->open_segment(d->storage, bad[i], &fd, &fail), FC_OK);
    assert_int_equal(d->storage->ops->open_segment(
                         d->storage, "2026/11/21/checkout-01234567/web-1_02_45_37_0001.pcapng", &fd, &fail),
                     FC_OK);
    close(fd);
}

/* ---- recover.c ---- */

static void
what_a_dead_helper_left_is_cut_named_and_counted(void **state)
{
    disk *d = *state;
    fc_status known = {0};
    nd_recovery recovery = {0};
    fc_fail fail = {0};
    fc_segment sealed = {.sequence = 1, .packets = 99, .sealed = true, .hashed = true};
    (void)snprintf(sealed.path, sizeof sealed.path, "%s/web-1_02_45_37_0001.pcapng", DIRECTORY);
    fc_status_put_segment(&known, &sealed);
    put_spec(d);
    write_segment(d, "web-1_02_45_37_0001.pcapng", 2, 0);
    write_segment(d, "web-1_02_45_37_0002.pcapng", 3, 0);
    write_segment(d, "web-1_02_45_37_0003.pcapng.part", 4, 11);
    char *empty = path_of(d, "web-1_02_45_37_0004.pcapng.part");
    close(open(empty, O_WRONLY | O_CREAT, 0640));
    free(empty);
    assert_int_equal(d->storage->ops->recover_now(d->storage, DIRECTORY, &known, &recovery, &fail), FC_OK);
    assert_int_equal(recovery.fail.err, FC_OK);
    assert_int_equal(recovery.count, 3);
    assert_int_equal(recovery.found[0].segment.packets, 99); /* known, not read again */
    assert_int_equal(recovery.found[1].segment.packets, 3);
    assert_false(recovery.found[1].segment.repaired);
    assert_int_equal(recovery.found[2].segment.sequence, 3);
    assert_int_equal(recovery.found[2].segment.packets, 4);
    assert_int_equal(recovery.found[2].captured_bytes, 240);
    assert_true(recovery.found[2].segment.repaired && recovery.found[2].segment.sealed);
    assert_int_equal(recovery.cut_bytes, 11);
    assert_true(there(d, "web-1_02_45_37_0003.pcapng"));
    assert_false(there(d, "web-1_02_45_37_0003.pcapng.part"));
    assert_false(there(d, "web-1_02_45_37_0004.pcapng.part"));
    nd_recovery_fini(&recovery);
    fc_status_fini(&known);
}

static void
nobody_repairs_where_a_helper_still_works(void **state)
{
    disk *d = *state;
    fc_status known = {0};
    nd_recovery recovery = {0};
    fc_fail fail = {0};
    int helper = -1, second = -1;
    put_spec(d);
    assert_int_equal(d->storage->ops->open_directory(d->storage, DIRECTORY, &helper, &fail), FC_OK);
    int passed_on = dup(helper); /* as to a helper: the lock is the open file's, not the descriptor's */
    close(helper);
    assert_int_equal(d->storage->ops->open_directory(d->storage, DIRECTORY, &second, &fail), FC_ERR_AGAIN);
    assert_int_equal(d->storage->ops->recover_now(d->storage, DIRECTORY, &known, &recovery, &fail),
                     FC_ERR_AGAIN);
    close(passed_on);
    assert_int_equal(d->storage->ops->recover_now(d->storage, DIRECTORY, &known, &recovery, &fail), FC_OK);
    nd_recovery_fini(&recovery);
}

/* ---- the worker ---- */

typedef struct answers {
    size_t hashed, recovered, failed;
    uint8_t sha256[32];
} answers;

static void
on_recovered(void *user, const char *uid, const nd_recovery *recovery)
{
    assert_string_equal(uid, UID);
    ((answers *)user)->recovered += recovery->count;
}

static void
on_hashed(void *user, const char *uid, uint32_t sequence, uint64_t size_bytes, const uint8_t sha256[32],
          const fc_fail *fail)
{
    answers *a = user;
    assert_string_equal(uid, UID);
    assert_int_equal(sequence, 1);
    if (fail->err != FC_OK) {
        a->failed++;
        return;
    }
    assert_int_equal(size_bytes, 3);
    memcpy(a->sha256, sha256, 32);
    a->hashed++;
}

static void
hashes_and_repairs_come_from_the_worker(void **state)
{
    disk *d = *state;
    answers got = {0};
    fc_status known = {0};
    static const nd_storage_events events = {on_recovered, on_hashed};
    d->storage->events = &events;
    d->storage->user = &got;
    memcpy(known.capture_uid, UID, sizeof UID);
    put_spec(d);
    char *path = path_of(d, "abc_0001.pcapng");
    FILE *file = fopen(path, "w");
    (void)fputs("abc", file);
    (void)fclose(file);
    free(path);
    fc_segment segment = {.sequence = 1, .sealed = true};
    (void)snprintf(segment.path, sizeof segment.path, "%s/abc_0001.pcapng", DIRECTORY);
    d->storage->ops->hash(d->storage, UID, &segment);
    (void)snprintf(segment.path, sizeof segment.path, "%s/gone_0001.pcapng", DIRECTORY);
    d->storage->ops->hash(d->storage, UID, &segment);
    for (int i = 0; i < 6000 && got.hashed + got.failed < 2; i++)
        fc_loop_step(d->loop, 10);
    assert_int_equal(got.hashed, 1);
    assert_int_equal(got.failed, 1);
    char hex[FC_HEX_SIZE(32)];
    fc_hex_text(got.sha256, 32, hex);
    /* FIPS 180-2, B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    write_segment(d, "web-1_02_45_37_0002.pcapng.part", 2, 5);
    d->storage->ops->recover(d->storage, DIRECTORY, &known);
    for (int i = 0; i < 6000 && got.recovered == 0; i++)
        fc_loop_step(d->loop, 10);
    assert_int_equal(got.recovered, 1);
    assert_true(there(d, "abc_0001.pcapng")); /* no capture file, and nobody's to delete */
}

/* ---- helper_wire.c ---- */

typedef struct heard {
    size_t armed, started, progress, segments, stopped, failed, profile_bytes;
} heard;

static void
on_armed(void *user, uint64_t ring_bytes)
{
    (void)ring_bytes;
    ((heard *)user)->armed++;
}

static void
on_started(void *user, fc_wall start)
{
    (void)start;
    ((heard *)user)->started++;
}

static void
on_progress(void *user, const nd_progress *progress)
{
    (void)progress;
    ((heard *)user)->progress++;
}

static void
on_segment(void *user, const fc_segment *segment)
{
    assert_true(segment->sequence > 0);
    ((heard *)user)->segments++;
}

static void
on_stopped(void *user, fc_stop_reason reason, const char *error, const nd_progress *final, fc_wall stop)
{
    (void)reason;
    (void)error;
    (void) final;
    (void)stop;
    ((heard *)user)->stopped++;
}

static void
on_failed(void *user, fc_stop_reason reason, const char *error)
{
    (void)reason;
    (void)error;
    ((heard *)user)->failed++;
}

static void
on_profile(void *user, const void *bytes, size_t size)
{
    assert_true(size == 0 || bytes != NULL);
    ((heard *)user)->profile_bytes = size;
}

static const nd_run_ops heard_ops = {on_armed,   on_started, on_progress, on_segment,
                                     on_stopped, on_failed,  NULL,        on_profile};

static void
put_event(fc_buf *out, const Fcpb__HelperEvent *event)
{
    size_t size = fcpb__helper_event__get_packed_size(event);
    uint32_t length = htonl((uint32_t)size);
    fc_buf_append(out, &length, sizeof length);
    fc_buf_commit(out, fcpb__helper_event__pack(event, fc_buf_reserve(out, size)));
}

static void
events_are_taken_one_by_one_however_they_arrive(void **state)
{
    (void)state;
    fc_buf all = {0}, in = {0};
    heard got = {0};
    fc_fail fail = {0};
    Fcpb__HelperArmed armed = FCPB__HELPER_ARMED__INIT;
    Fcpb__HelperStopped stopped = FCPB__HELPER_STOPPED__INIT;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    event.body_case = FCPB__HELPER_EVENT__BODY_ARMED;
    event.armed = &armed;
    armed.ring_bytes = 1 << 20;
    put_event(&all, &event);
    event.body_case = FCPB__HELPER_EVENT__BODY_STOPPED;
    event.stopped = &stopped;
    put_event(&all, &event);
    bool taken = false, final = false;
    for (size_t i = 0; i < fc_buf_size(&all); i++) {
        fc_buf_append(&in, fc_buf_bytes(&all) + i, 1);
        assert_int_equal(nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail), FC_OK);
    }
    assert_int_equal(got.armed, 1);
    assert_int_equal(got.stopped, 1);
    assert_true(final);
    fc_buf_fini(&all);
    fc_buf_fini(&in);
}

static void
a_helper_that_lies_is_found_out(void **state)
{
    (void)state;
    fc_buf in = {0};
    heard got = {0};
    fc_fail fail = {0};
    bool taken, final;
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff}, garbage[] = {0, 0, 0, 3, 0xff, 0xff, 0xff};
    fc_buf_append(&in, huge, sizeof huge);
    assert_int_equal(nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail), FC_ERR_PROTOCOL);
    fc_buf_clear(&in);
    fc_buf_append(&in, garbage, sizeof garbage);
    assert_int_equal(nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail), FC_ERR_PROTOCOL);
    fc_buf_clear(&in);
    Fcpb__Segment segment = FCPB__SEGMENT__INIT;
    Fcpb__HelperSegment said = FCPB__HELPER_SEGMENT__INIT;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    segment.sequence = 1;
    segment.path = "../../../etc/passwd";
    said.segment = &segment;
    event.body_case = FCPB__HELPER_EVENT__BODY_SEGMENT;
    event.segment = &said;
    put_event(&in, &event);
    assert_int_equal(nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail), FC_ERR_PROTOCOL);
    said.segment = NULL;
    put_event(&in, &event);
    assert_int_equal(nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail), FC_ERR_PROTOCOL);
    assert_int_equal(got.segments, 0);
    fc_buf_fini(&in);
}

static void
no_bytes_of_a_helper_bring_the_node_down(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252ull;
    for (int round = 0; round < 20000; round++) {
        fc_buf in = {0};
        heard got = {0};
        fc_fail fail = {0};
        bool taken = true, final;
        size_t size = random % 200;
        uint32_t length = htonl((uint32_t)(size > 4 ? size - 4 : 0));
        fc_buf_append(&in, &length, sizeof length);
        for (size_t i = 0; i < size; i++) {
            random ^= random << 13; /* xorshift64 (Marsaglia, 2003) */
            random ^= random >> 7;
            random ^= random << 17;
            uint8_t byte = (uint8_t)(random % 5 == 0 ? random >> 8 : random % 16);
            fc_buf_append(&in, &byte, 1);
        }
        while (taken && nd_helper_take_event(&in, &heard_ops, &got, &taken, &final, &fail) == FC_OK)
            continue;
        fc_buf_fini(&in);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_capture_is_found_again_with_its_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_spoilt_journal_or_a_foreign_spec_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_keeps_the_files_and_purging_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(evidence_lies_beside_the_journal_until_it_is_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_lease_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_open_only_below_the_captures_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_dead_helper_left_is_cut_named_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_repairs_where_a_helper_still_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hashes_and_repairs_come_from_the_worker, set_up, tear_down),
        cmocka_unit_test(events_are_taken_one_by_one_however_they_arrive),
        cmocka_unit_test(a_helper_that_lies_is_found_out),
        cmocka_unit_test(no_bytes_of_a_helper_bring_the_node_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
