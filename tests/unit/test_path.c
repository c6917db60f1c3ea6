/* Which packets left one end and did not reach the other: TCP. */
#include "path_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MSS = 1000, SEGMENTS = 100, LOST = 40 };

/* Segment i of a steady flow from A to B, a millisecond apart; every one is acknowledged. */
static rig_packet
segment(uint32_t i)
{
    return (rig_packet){.protocol = 6,
                        .sequence = 5000 + i * MSS,
                        .acknowledgement = 777,
                        .timestamp = 100000 + i,
                        .id = (uint16_t)(1000 + i),
                        .length = MSS};
}

static rig_packet
acknowledgement(uint32_t i)
{
    return (rig_packet){.protocol = 6,
                        .from_b = true,
                        .sequence = 777,
                        .acknowledgement = 5000 + (i + 1) * MSS,
                        .timestamp = 900000 + i,
                        .id = (uint16_t)(3000 + i)};
}

static void
cross_segment(rig *r, uint32_t i)
{
    rig_packet there = segment(i), back = acknowledgement(i);
    rig_cross(r, RIG_MS(i), RIG_US(100), &there);
    rig_cross(r, RIG_MS(i) + RIG_US(120), RIG_US(90), &back);
}

/* All but segment LOST cross; the rest of the story is the test's. */
static void
cross_all_but_one(rig *r)
{
    for (uint32_t i = 0; i < SEGMENTS; i++)
        if (i != LOST)
            cross_segment(r, i);
}

static void
end_captures(rig *r, uint64_t dropped_at_b)
{
    rig_statistics(r, FC_PATH_A, 0, -RIG_MS(500), RIG_MS(2000));
    rig_statistics(r, FC_PATH_B, dropped_at_b, -RIG_MS(500), RIG_MS(2000));
}

static const fc_path_flow *
only_flow(const fc_path_result *result, fc_path_way way)
{
    assert_int_equal(result->count, 1);
    return &result->conversations[0].flows[way];
}

static void
what_arrives_is_delivered(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        cross_segment(&r, i);
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
    const fc_path_flow *flow = only_flow(rig_judge(&r), FC_PATH_A_TO_B);
    assert_int_equal(flow->verdict, FC_PATH_ALTERED);
    assert_int_equal(flow->altered, 1);
    assert_int_equal(flow->arrived, SEGMENTS);
    rig_end(&r);
}

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
    end_captures(&r, 3);
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
    end_captures(&r, 3);
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
    end_captures(&r, 0);
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
        end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
    end_captures(&r, 0);
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
        cmocka_unit_test(what_a_drop_of_the_capture_may_explain_is_never_lost),
        cmocka_unit_test(what_the_receiver_still_asks_for_is_lost_even_when_its_capture_drops),
        cmocka_unit_test(a_file_that_says_nothing_of_drops_proves_no_loss),
        cmocka_unit_test(what_was_acknowledged_and_not_sent_again_arrived),
        cmocka_unit_test(what_may_arrive_outside_the_receivers_window_is_not_lost),
        cmocka_unit_test(a_missing_segment_file_is_no_loss),
        cmocka_unit_test(what_was_sent_while_a_capture_was_restarted_is_no_loss),
        cmocka_unit_test(headers_that_the_snap_length_cut_prove_nothing_and_payload_is_not_needed),
        cmocka_unit_test(a_filter_that_shows_none_of_a_kind_may_exclude_it),
        cmocka_unit_test(lost_acknowledgements_count_as_what_they_are),
        cmocka_unit_test(the_sequence_space_may_wrap_and_a_port_be_used_again),
        cmocka_unit_test(a_packet_on_two_interfaces_was_sent_once),
        cmocka_unit_test(slow_packets_make_it_delayed),
        cmocka_unit_test(an_end_may_hold_only_so_many_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
