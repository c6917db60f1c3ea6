/* Which packets left one end and did not reach the other: TCP. */
#include "path_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
what_arrives_is_delivered(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        cross_segment(&r, i);
    rig_end_captures(&r, 0, 2000);
    const fc_path_result *result = rig_judge(&r);
    for (int way = 0; way < 2; way++) {
        const fc_path_flow *flow = only_flow(result, (fc_path_way)way);
        assert_int_equal(flow->verdict, FC_PATH_DELIVERED);
        assert_int_equal(flow->sent, SEGMENTS);
        assert_int_equal(flow->arrived, SEGMENTS);
        assert_int_equal(flow->unknown_origin, 0);
    }
    assert_int_equal(only_flow(result, FC_PATH_A_TO_B)->source.bytes[2], 0);
    assert_int_equal(only_flow(result, FC_PATH_A_TO_B)->compared, SEGMENTS);
    assert_string_equal(result->sides[0].name, "web-1");
    rig_end(&r);
}

static void
a_lost_segment_is_lost_once_and_its_second_sending_arrives(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet lost = segment(LOST), again = lost;
    again.timestamp += 7;
    again.id += 200;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &lost);
    uint64_t frame = r.frames[0];
    rig_cross(&r, RIG_MS(LOST + 7), RIG_US(100), &again);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_LOST);
    assert_int_equal(flow->sent, SEGMENTS + 1);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_bytes, MSS);
    assert_int_equal(flow->arrived, SEGMENTS);
    assert_int_equal(flow->lost_first_count, 1);
    assert_int_equal(flow->lost_first[0].frame, frame);
    assert_int_equal(flow->lost_first[0].sequence, lost.sequence);
    char *sentence = fc_path_result_sentence(r.result);
    assert_non_null(strstr(sentence, "the network lost 1 of 101 packets from web-1"));
    free(sentence);
    rig_end(&r);
}

static void
without_timestamps_the_later_copy_is_the_one_that_arrived(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet lost = segment(LOST), again = lost;
    lost.timestamp = again.timestamp = 0;
    lost.id = again.id = 0;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &lost);
    uint64_t frame = r.frames[0];
    rig_cross(&r, RIG_MS(LOST + 30), RIG_US(100), &again);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_first[0].frame, frame);
    rig_end(&r);
}

static void
a_super_segment_is_the_segments_it_was_cut_into(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    cross_segment(&r, 0);
    rig_packet super = segment(1);
    super.length = 45 * MSS;
    rig_show(&r, FC_PATH_A, RIG_MS(1), &super);
    for (uint32_t i = 1; i <= 45; i++) {
        rig_packet part = segment(i);
        part.timestamp = super.timestamp;
        rig_show(&r, FC_PATH_B, RIG_MS(1) + RIG_US(100 + i), &part);
    }
    cross_segment(&r, 60);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->sent, 3);
    assert_int_equal(flow->arrived, 3);
    assert_int_equal(flow->compared, 3);
    assert_int_equal(flow->altered, 0);
    assert_int_equal(flow->unknown_origin, 0);
    rig_end(&r);
}

static void
a_part_of_a_super_segment_is_lost_by_its_bytes(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    cross_segment(&r, 0);
    rig_packet super = segment(1), again = segment(3);
    super.length = 10 * MSS;
    again.timestamp = super.timestamp + 50;
    rig_show(&r, FC_PATH_A, RIG_MS(1), &super);
    for (uint32_t i = 1; i <= 10; i++) {
        rig_packet part = segment(i);
        part.timestamp = super.timestamp;
        if (i != 3)
            rig_show(&r, FC_PATH_B, RIG_MS(1) + RIG_US(100 + i), &part);
    }
    rig_cross(&r, RIG_MS(50), RIG_US(100), &again);
    cross_segment(&r, 60);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_bytes, MSS);
    assert_int_equal(flow->arrived, 3);
    rig_end(&r);
}

static void
segments_that_the_receiver_joined_all_arrived(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    cross_segment(&r, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        rig_packet part = segment(i);
        part.timestamp = segment(1).timestamp;
        rig_show(&r, FC_PATH_A, RIG_MS(1) + RIG_US(i), &part);
    }
    rig_packet joined = segment(1);
    joined.length = 10 * MSS;
    rig_show(&r, FC_PATH_B, RIG_MS(1) + RIG_US(200), &joined);
    cross_segment(&r, 60);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->sent, 12);
    assert_int_equal(flow->arrived, 12);
    assert_int_equal(flow->lost + flow->altered + flow->not_provable, 0);
    rig_end(&r);
}

static void
what_overtakes_is_counted_and_not_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet late = segment(LOST);
    rig_cross(&r, RIG_MS(LOST), RIG_MS(3), &late);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->arrived, SEGMENTS);
    assert_int_equal(flow->reordered, 1);
    rig_end(&r);
}

static void
other_bytes_are_altered(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet sent = segment(LOST), arrived = sent;
    arrived.content = 1;
    rig_show(&r, FC_PATH_A, RIG_MS(LOST), &sent);
    rig_show(&r, FC_PATH_B, RIG_MS(LOST) + RIG_US(100), &arrived);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_ALTERED);
    assert_int_equal(flow->altered, 1);
    assert_int_equal(flow->arrived, SEGMENTS);
    rig_end(&r);
}

static void
lost_acknowledgements_count_as_what_they_are(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_packet there = segment(LOST), back = acknowledgement(LOST);
    rig_cross(&r, RIG_MS(LOST), RIG_US(100), &there);
    rig_show(&r, FC_PATH_B, RIG_MS(LOST) + RIG_US(120), &back);
    cross_all_but_one(&r);
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_B_TO_A);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_acknowledgements, 1);
    assert_int_equal(flow->lost_bytes, 0);
    rig_end(&r);
}

static void
the_sequence_space_may_wrap_and_a_port_be_used_again(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    uint32_t isns[] = {0xffffff00u, 0x7fffff00u, 0xffff0000u};
    int64_t at = 0;
    for (size_t k = 0; k < 3; k++) {
        rig_packet syn = {
            .protocol = 6, .sequence = isns[k], .tcp_flags = 2, .timestamp = 1 + (uint32_t)k * 1000};
        rig_packet answer = {
            .protocol = 6, .from_b = true, .sequence = 9, .acknowledgement = isns[k] + 1, .tcp_flags = 0x12};
        answer.timestamp = 50 + (uint32_t)k;
        if (k == 1) /* the first SYN is lost */
            rig_show(&r, FC_PATH_A, at, &syn);
        syn.timestamp += 10;
        rig_cross(&r, at += RIG_MS(10), RIG_US(100), &syn);
        rig_cross(&r, at += RIG_MS(1), RIG_US(90), &answer);
        for (uint32_t i = 0; i < 20; i++) {
            rig_packet data = {.protocol = 6, .sequence = isns[k] + 1 + i * MSS, .length = MSS};
            data.timestamp = syn.timestamp + 1 + i;
            data.acknowledgement = 10;
            at += RIG_MS(1);
            if (k == 2 && i == 7)
                rig_show(&r, FC_PATH_A, at, &data);
            else
                rig_cross(&r, at, RIG_US(100), &data);
        }
    }
    rig_end_captures(&r, 0, 2000);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 2);
    assert_int_equal(flow->arrived, 3 + 60 - 1);
    assert_int_equal(flow->altered, 0);
    assert_int_equal(flow->unknown_origin, 0);
    rig_end(&r);
}

static void
a_packet_on_two_interfaces_was_sent_once(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    rig_interface(&r, FC_PATH_A, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        cross_segment(&r, i);
        rig_packet twice = segment(i);
        r.interface = 1;
        rig_show(&r, FC_PATH_A, RIG_MS(i) + RIG_US(3), &twice);
        r.interface = 0;
    }
    rig_end_captures(&r, 0, 2000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(only_flow(result, FC_PATH_A_TO_B)->sent, SEGMENTS);
    assert_int_equal(only_flow(result, FC_PATH_A_TO_B)->verdict, FC_PATH_DELIVERED);
    assert_int_equal(result->sides[0].repeated, SEGMENTS);
    rig_end(&r);
}

static void
slow_packets_make_it_delayed(void **state)
{
    (void)state;
    rig r = {.offset_ns = RIG_MS(77)};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        rig_packet there = segment(i), back = acknowledgement(i);
        rig_cross(&r, RIG_MS(i), i % 10 == 0 ? RIG_MS(80) : RIG_US(100), &there);
        rig_cross(&r, RIG_MS(i) + RIG_US(120), RIG_US(90), &back);
    }
    rig_end_captures(&r, 0, 2000);
    const fc_path_result *result = rig_judge(&r);
    const fc_path_flow *flow = only_flow(result, FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_DELAYED);
    assert_false(flow->delay.relative);
    assert_true(llabs(flow->delay.p50_ns - RIG_US(100)) <= flow->delay.bound_ns);
    assert_true(llabs(flow->delay.max_ns - RIG_MS(80)) <= flow->delay.bound_ns);
    assert_true(flow->delay.bound_ns <= RIG_US(200));
    rig_end(&r);
}

static void
an_end_may_hold_only_so_many_packets(void **state)
{
    (void)state;
    const fc_path_options few = {.packets_max = 10};
    rig r = {0};
    rig_begin(&r, true, &few);
    for (uint32_t i = 0; i < 5; i++)
        cross_segment(&r, i);
    fc_fail fail = {0};
    const uint8_t frame[] = {0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 0, 0, 28, 0, 0, 0,
                             0, 9, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1,    0, 2, 0,  8, 0, 0};
    fc_block block = {.kind = FC_BLOCK_FRAME};
    block.frame = (fc_frame){.unix_ns = RIG_START_NS,
                             .data = frame,
                             .captured_bytes = sizeof frame,
                             .original_bytes = sizeof frame,
                             .link_type = 1};
    assert_int_equal(fc_path_block(r.path, FC_PATH_A, &block, &fail), FC_ERR_LIMIT);
    assert_non_null(strstr(fail.text, "more than 10 packets"));
    (void)rig_judge(&r);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_arrives_is_delivered),
        cmocka_unit_test(a_lost_segment_is_lost_once_and_its_second_sending_arrives),
        cmocka_unit_test(without_timestamps_the_later_copy_is_the_one_that_arrived),
        cmocka_unit_test(a_super_segment_is_the_segments_it_was_cut_into),
        cmocka_unit_test(a_part_of_a_super_segment_is_lost_by_its_bytes),
        cmocka_unit_test(segments_that_the_receiver_joined_all_arrived),
        cmocka_unit_test(what_overtakes_is_counted_and_not_lost),
        cmocka_unit_test(other_bytes_are_altered),
        cmocka_unit_test(lost_acknowledgements_count_as_what_they_are),
        cmocka_unit_test(the_sequence_space_may_wrap_and_a_port_be_used_again),
        cmocka_unit_test(a_packet_on_two_interfaces_was_sent_once),
        cmocka_unit_test(slow_packets_make_it_delayed),
        cmocka_unit_test(an_end_may_hold_only_so_many_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
