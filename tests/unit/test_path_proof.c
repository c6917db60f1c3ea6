/* What captures prove of a loss when they dropped packets, were cut, filtered or begun anew: TCP. */
#include "path_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
what_a_drop_of_the_capture_may_explain_is_never_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet lost = segment(LOST), again = lost;
    again.timestamp += 7;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &lost);
    rig_cross(&r, RIG_MS(LOST + 7), RIG_US(100), &again);
    cross_all_but_one(&r);
    rig_end_captures(&r, 3, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_NOT_PROVABLE);
    assert_int_equal(flow->reason, FC_PATH_REASON_DROPS);
    assert_int_equal(flow->lost, 0);
    assert_int_equal(flow->not_provable, 1);
    rig_end(&r);
}

/* 80 ms after it was due B still asks for it: it had not arrived, whatever the capture dropped. */
static void
what_the_receiver_still_asks_for_is_lost_even_when_its_capture_drops(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < LOST; i++)
        cross_segment(&r, i);
    rig_packet lost = segment(LOST), asks = acknowledgement(LOST - 1), again = lost;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &lost);
    asks.timestamp += 80;
    rig_cross(&r, RIG_MS(LOST + 80), RIG_US(90), &asks);
    again.timestamp += 200;
    rig_cross(&r, RIG_MS(LOST + 200), RIG_US(100), &again);
    rig_end_captures(&r, 3, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_LOST);
    assert_int_equal(flow->lost, 1);
    rig_end(&r);
}

static void
a_file_that_says_nothing_of_drops_proves_no_loss(void **state)
{
    (void)state;
    for (int lossless = 0; lossless < 2; lossless++) {
        rig r = {0};
        const fc_path_options options = {.lossless = lossless != 0};
        rig_begin(&r, false, &options);
        rig_packet lost = segment(LOST), again = lost;
        again.timestamp += 7;
        rig_show(&r, FC_PATH_A, RIG_MS(LOST), &lost);
        rig_cross(&r, RIG_MS(LOST + 7), RIG_US(100), &again);
        cross_all_but_one(&r);
        const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
        assert_int_equal(flow->lost, lossless);
        assert_int_equal(flow->reasons[FC_PATH_REASON_DROPS_UNKNOWN], 1 - lossless);
        rig_end(&r);
    }
}

static void
what_was_acknowledged_and_not_sent_again_arrived(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet missed = segment(LOST), back = acknowledgement(LOST);
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &missed);
    rig_cross(&r, RIG_MS(LOST) + RIG_US(120), RIG_US(90), &back);
    rig_packet twice = segment(LOST + 20);
    twice.timestamp += 30;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST + 50), &twice);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 0);
    assert_int_equal(flow->reasons[FC_PATH_REASON_ACKNOWLEDGED], 1);
    /* And such a capture cannot prove other losses. */
    assert_int_equal(flow->reasons[FC_PATH_REASON_CAPTURE_MISSES], 1);
    rig_end(&r);
}

static void
what_may_arrive_outside_the_receivers_window_is_not_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        cross_segment(&r, i);
    for (uint32_t i = SEGMENTS; i < SEGMENTS + 20; i++) {
        rig_packet late = segment(i);
        rig_show(&r, FC_PATH_A, RIG_MS(i), &late);
    }
    rig_statistics(&r, FC_PATH_A, 0, 0, RIG_MS(2000));
    rig_statistics(&r, FC_PATH_B, 0, 0, RIG_MS(SEGMENTS));
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_NOT_PROVABLE);
    assert_int_equal(flow->reason, FC_PATH_REASON_WINDOW);
    assert_int_equal(flow->not_provable, 20);
    rig_end(&r);
}

static void
a_missing_segment_file_is_no_loss(void **state)
{
    (void)state;
    fc_fail fail = {0};
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        rig_packet there = segment(i), back = acknowledgement(i);
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        rig_cross(&r, RIG_MS(10 * i) + RIG_US(120), RIG_US(90), &back);
        if (i < 30 || i >= 60)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(100), &there);
        if (i == 60) {
            assert_int_equal(fc_path_file(r.path, FC_PATH_B, "c.pcapng", &fail), FC_OK);
            rig_section(&r, FC_PATH_B, true);
        }
    }
    rig_statistics(&r, FC_PATH_A, 0, -RIG_MS(500), RIG_MS(2000));
    rig_statistics(&r, FC_PATH_B, 0, -RIG_MS(500), RIG_MS(2000));
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 0);
    rig_end(&r);
}

static void
what_was_sent_while_a_capture_was_restarted_is_no_loss(void **state)
{
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        fc_fail fail = {0};
        rig r = {0};
        rig_begin(&r, true, NULL);
        for (uint32_t i = 0; i < SEGMENTS; i++) {
            rig_packet there = {.protocol = 17, .length = 100, .content = i, .id = (uint16_t)(i + 1)};
            rig_packet back = {
                .protocol = 17, .from_b = true, .length = 90, .content = i, .id = (uint16_t)(i + 9000)};
            if (i == 0 || i == 60) {
                const char *name = i == 0 ? "web_0001.pcapng" : "web_0002.pcapng";
                assert_int_equal(fc_path_file(r.path, FC_PATH_B, name, &fail), FC_OK);
                rig_section(&r, FC_PATH_B, true);
            }
            rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
            if (i == 29)
                rig_statistics(&r, FC_PATH_B, 0, -RIG_MS(500), RIG_MS(295));
            if (i >= 30 && i < 60)
                continue;
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(100), &there);
            rig_cross(&r, RIG_MS(10 * i) + RIG_US(200), RIG_US(90), &back);
        }
        rig_statistics(&r, FC_PATH_A, 0, -RIG_MS(500), RIG_MS(2000));
        rig_statistics(&r, FC_PATH_B, 0, restarted ? RIG_MS(595) : -RIG_MS(500), RIG_MS(2000));
        const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
        assert_int_equal(flow->lost, restarted ? 0 : 30);
        assert_int_equal(flow->reasons[FC_PATH_REASON_WINDOW], restarted ? 30 : 0);
        rig_end(&r);
    }
}

static void
headers_that_the_snap_length_cut_prove_nothing_and_payload_is_not_needed(void **state)
{
    (void)state;
    for (uint32_t kept = 40; kept <= 80; kept += 40) {
        rig r = {0};
        rig_begin(&r, true, NULL);
        for (uint32_t i = 0; i < SEGMENTS; i++) {
            rig_packet there = segment(i), back = acknowledgement(i);
            rig_show(&r, FC_PATH_A, RIG_MS(i), &there);
            there.captured = i == 5 ? kept : 0;
            if (i != LOST)
                rig_show(&r, FC_PATH_B, RIG_MS(i) + RIG_US(100), &there);
            if (i < LOST)
                rig_cross(&r, RIG_MS(i) + RIG_US(120), RIG_US(90), &back);
        }
        rig_end_captures(&r, 0, 2000);
        const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
        assert_int_equal(flow->lost, kept == 80 ? 1 : 0);
        rig_end(&r);
    }
}

static void
a_filter_that_shows_none_of_a_kind_may_exclude_it(void **state)
{
    (void)state;
    const fc_path_options lossless = {.lossless = true};
    rig r = {0};
    rig_begin(&r, false, &lossless);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        rig_packet there = segment(i), bare = there, back = acknowledgement(i);
        back.acknowledgement = 5000;
        bare.length = 0;
        bare.timestamp += 1;
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        rig_cross(&r, RIG_MS(10 * i) + RIG_US(300), RIG_US(100), &bare);
        rig_cross(&r, RIG_MS(10 * i) + RIG_US(420), RIG_US(90), &back);
    }
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 0);
    assert_int_equal(flow->arrived, SEGMENTS);
    assert_int_equal(flow->reason, FC_PATH_REASON_FILTER);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_drop_of_the_capture_may_explain_is_never_lost),
        cmocka_unit_test(what_the_receiver_still_asks_for_is_lost_even_when_its_capture_drops),
        cmocka_unit_test(a_file_that_says_nothing_of_drops_proves_no_loss),
        cmocka_unit_test(what_was_acknowledged_and_not_sent_again_arrived),
        cmocka_unit_test(what_may_arrive_outside_the_receivers_window_is_not_lost),
        cmocka_unit_test(a_missing_segment_file_is_no_loss),
        cmocka_unit_test(what_was_sent_while_a_capture_was_restarted_is_no_loss),
        cmocka_unit_test(headers_that_the_snap_length_cut_prove_nothing_and_payload_is_not_needed),
        cmocka_unit_test(a_filter_that_shows_none_of_a_kind_may_exclude_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
