/* What a node finds on its disk: names, and how counters are folded after a crash. */
#include "common/base/mem.h"
#include "node/instance_capture.h"
#include "node/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- names ---- */

static void
a_capture_lies_where_its_creation_says(void **state)
{
    (void)state;
    char directory[ND_DIRECTORY_SIZE], prefix[ND_PREFIX_SIZE];
    fc_wall created = {1795229137LL * FC_NS_PER_S}; /* 2026-11-21T02:45:37Z */
    nd_storage_directory("checkout", "0123456789abcdef0123456789abcdef", created, directory);
    assert_string_equal(directory, "2026/11/21/checkout-01234567");
    nd_storage_prefix("web-1", created, prefix);
    assert_string_equal(prefix, "web-1_02_45_37");
}

static void
segment_names_are_told_from_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t sequence; /* 0 = not one */
        bool part;
    } cases[] = {
        {"web-1_02_45_37_0001.pcapng", 1, false},
        {"web-1_02_45_37_0012.pcapng.part", 12, true},
        {"web-1_02_45_37_12345.pcapng", 12345, false},
        {"web-1_02_45_37_0000.pcapng", 0, false},
        {"web-1_02_45_37_99999999999.pcapng", 0, false},
        {"0001.pcapng", 0, false},
        {".pcapng", 0, false},
        {"journal", 0, false},
        {"x_0001.pcapng.tmp", 0, false},
        {"x_1.pcapng", 0, false},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        nd_segment_name parsed = {0};
        bool is = nd_segment_name_parse(cases[i].name, &parsed);
        if (is != (cases[i].sequence != 0) || parsed.sequence != cases[i].sequence ||
            parsed.part != cases[i].part)
            fail_msg("%s", cases[i].name);
    }
}

/* ---- restore.c ---- */

static void
a_restart_knows_why_it_must_not_go_on(void **state)
{
    (void)state;
    nd_desired_capture want = {
        .has_spec = true, .window_end = {2000}, .spec = {.session_bytes = 100, .packet_limit = 10}};
    fc_status status = {.start = {500}};
    fc_wall now = {1000}, lease = {5000};
    assert_int_equal(nd_restore_reason(&want, &status, now, lease), FC_STOP_NONE);
    assert_int_equal(nd_restore_reason(&want, &status, (fc_wall){2000}, lease), FC_STOP_TIME_LIMIT);
    assert_int_equal(nd_restore_reason(&want, &status, now, (fc_wall){900}), FC_STOP_LEASE_EXPIRED);
    assert_int_equal(nd_restore_reason(&want, &status, now, (fc_wall){0}), FC_STOP_NONE);
    status.counters.written_bytes = 100;
    assert_int_equal(nd_restore_reason(&want, &status, now, lease), FC_STOP_SESSION_BYTES);
    status.counters.written_bytes = 99;
    status.counters.written_packets = 10;
    assert_int_equal(nd_restore_reason(&want, &status, now, lease), FC_STOP_PACKET_COUNT);
    status.stop_reason = FC_STOP_STOP_REQUESTED;
    assert_int_equal(nd_restore_reason(&want, &status, now, lease), FC_STOP_STOP_REQUESTED);
    fc_status never = {0};
    assert_int_equal(nd_restore_reason(&want, &never, (fc_wall){2000}, lease), FC_STOP_WINDOW_CLOSED);
}

static void
files_make_the_counters_right_after_a_crash(void **state)
{
    (void)state;
    fc_status status = {.counters = {.matched_packets = 110,
                                     .written_packets = 100,
                                     .written_bytes = 10000,
                                     .dropped_kernel = 10,
                                     .file_bytes = 15000}};
    fc_segment first = {.sequence = 1, .packets = 60, .size_bytes = 9000, .sealed = true, .hashed = true};
    fc_segment open = {.sequence = 2, .packets = 40, .size_bytes = 6000};
    fc_status_put_segment(&status, &first);
    fc_status_put_segment(&status, &open);
    nd_found found[2] = {
        {.segment = first},
        {.segment = {.sequence = 2,
                     .packets = 50,
                     .size_bytes = 7500,
                     .sealed = true,
                     .repaired = true,
                     .last_packet = {77}},
         .captured_bytes = 5000},
    };
    nd_recovery recovery = {.found = found, .count = 2};
    nd_restore_fold(&status, &recovery);
    assert_int_equal(status.counters.written_packets, 110);
    assert_int_equal(status.counters.written_bytes, 11000);
    assert_int_equal(status.counters.file_bytes, 16500);
    assert_int_equal(status.counters.matched_packets, 120);
    assert_int_equal(fc_counters_unaccounted(&status.counters), 0);
    assert_int_equal(status.last_packet.ns, 77);
    assert_true(status.segments[0].hashed);
    assert_true(status.segments[1].sealed && status.segments[1].repaired);
    /* And a file that is gone is not offered any more. */
    recovery.count = 1;
    nd_restore_fold(&status, &recovery);
    assert_true(status.segments[1].removed);
    fc_status_fini(&status);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_lies_where_its_creation_says),
        cmocka_unit_test(segment_names_are_told_from_others),
        cmocka_unit_test(a_restart_knows_why_it_must_not_go_on),
        cmocka_unit_test(files_make_the_counters_right_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
