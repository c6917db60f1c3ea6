/* Which packets left one end and did not reach the other: datagrams, translation, direction, clocks. */
#include "path_rig.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 200, LOST = 70 };

static rig_packet
question(uint32_t i)
{
    return (rig_packet){
        .protocol = 17, .destination_port = 53, .length = 60, .content = 1000 + i, .id = (uint16_t)(1 + i)};
}

static rig_packet
answer(uint32_t i)
{
    return (rig_packet){.protocol = 17,
                        .destination_port = 53,
                        .from_b = true,
                        .length = 200,
                        .content = 5000 + i,
                        .id = (uint16_t)(9000 + i)};
}

static void
cross_pair(rig *r, uint32_t i)
{
    rig_packet there = question(i), back = answer(i);
    rig_cross(r, RIG_MS(10 * i), RIG_US(500), &there);
    rig_cross(r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
}

static const fc_path_flow *
flow_of(const fc_path_result *result, size_t conversation, fc_path_way way)
{
    assert_true(conversation < result->count);
    return &result->conversations[conversation].flows[way];
}

static void
a_lost_datagram_is_lost(void **state)
{
    (void)state;
    rig r = {.offset_ns = RIG_MS(5)};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i != LOST)
            cross_pair(&r, i);
    rig_packet lost = question(LOST);
    rig_show(&r, FC_PATH_A, RIG_MS(10 * LOST), &lost);
    rig_end_captures(&r, 0, 9000);
    const fc_path_flow *flow = flow_of(rig_judge(&r), 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_bytes, 60);
    assert_int_equal(flow->arrived, COUNT - 1);
    assert_int_equal(flow->lost_first[0].unix_ns, RIG_START_NS + RIG_MS(10 * LOST));
    assert_int_equal(r.result->totals[FC_PATH_B_TO_A].lost, 0);
    rig_end(&r);
}

static void
of_equal_datagrams_the_right_number_is_lost(void **state)
{
    (void)state;
    rig r = {.flags = true};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = question(0), back = answer(i);
        there.id = 0;
        if (i % 20 == 7)
            rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        else
            rig_cross(&r, RIG_MS(10 * i), RIG_US(500), &there);
        rig_cross(&r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_flow *flow = flow_of(rig_judge(&r), 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, COUNT / 20);
    assert_int_equal(flow->lost_first[0].unix_ns, RIG_START_NS + RIG_MS(70));
    rig_end(&r);
}

static void
an_altered_datagram_is_found_by_its_identification(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i != LOST)
            cross_pair(&r, i);
    rig_packet sent = question(LOST), arrived = sent;
    arrived.content = 77;
    rig_show(&r, FC_PATH_A, RIG_MS(10 * LOST), &sent);
    rig_show(&r, FC_PATH_B, RIG_MS(10 * LOST) + RIG_US(500), &arrived);
    rig_end_captures(&r, 0, 9000);
    const fc_path_flow *flow = flow_of(rig_judge(&r), 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->altered, 1);
    assert_int_equal(flow->lost, 0);
    assert_int_equal(flow->arrived, COUNT);
    rig_end(&r);
}

/* One datagram of 3,000 bytes leaves A, two of 1,500 arrive: an offload cut it. The one that was lost
 * elsewhere stays lost. */
static void
what_may_have_been_cut_by_an_offload_is_not_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i != LOST && i != 20)
            cross_pair(&r, i);
    rig_packet lost = question(20), whole = question(LOST);
    whole.length = 3000;
    rig_show(&r, FC_PATH_A, RIG_MS(200), &lost);
    rig_show(&r, FC_PATH_A, RIG_MS(10 * LOST), &whole);
    for (uint32_t i = 0; i < 2; i++) {
        rig_packet part = question(LOST);
        part.length = 1500;
        part.id = 0;
        part.content += 10000 + i;
        rig_show(&r, FC_PATH_B, RIG_MS(10 * LOST) + RIG_US(500), &part);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_flow *flow = flow_of(rig_judge(&r), 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_first[0].unix_ns, RIG_START_NS + RIG_MS(200));
    assert_int_equal(flow->reasons[FC_PATH_REASON_UNCLEAR], 1);
    rig_end(&r);
}

static void
fragments_are_the_datagram_that_they_make(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = question(i), back = answer(i);
        there.length = 2400;
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        rig_packet first = there, second = there;
        first.fragment_bytes = 1480;
        first.more = true;
        second.fragment = 1480;
        second.fragment_bytes = 2408 - 1480;
        rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(520), &second); /* the last one first */
        if (i != LOST)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(530), &first);
        rig_cross(&r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    const fc_path_flow *flow = flow_of(result, 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->arrived, COUNT - 1);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->compared, COUNT - 1);
    assert_int_equal(flow->altered, 0);
    assert_int_equal(result->sides[1].fragments_unjoined, 1);
    rig_end(&r);
}

static void
an_echo_that_was_lost_is_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet request = {.protocol = 1,
                              .source_port = 321,
                              .sequence = i,
                              .length = 56,
                              .content = 3,
                              .id = (uint16_t)(i + 1)};
        rig_packet reply = request;
        reply.from_b = reply.echo_reply = true;
        reply.id = 0;
        if (i == LOST) {
            rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &request);
            continue;
        }
        rig_cross(&r, RIG_MS(10 * i), RIG_US(500), &request);
        if (i == LOST + 1)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(510), &reply);
        else
            rig_cross(&r, RIG_MS(10 * i) + RIG_US(510), RIG_US(500), &reply);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(flow_of(result, 0, FC_PATH_A_TO_B)->lost, 1);
    assert_int_equal(flow_of(result, 0, FC_PATH_B_TO_A)->lost, 1);
    assert_int_equal(result->count, 1);
    rig_end(&r);
}

/* Through a translator of the source: other address and port at B. */
static void
cross_translated(rig *r, int64_t at_ns, int64_t delay_ns, const rig_packet *packet)
{
    rig_packet outside = *packet;
    outside.source = 9;
    outside.source_port = (uint16_t)(packet->source_port + 1111);
    outside.ttl = 60;
    rig_show(r, packet->from_b ? FC_PATH_B : FC_PATH_A, at_ns, packet->from_b ? &outside : packet);
    rig_show(r, packet->from_b ? FC_PATH_A : FC_PATH_B, at_ns + delay_ns, packet->from_b ? packet : &outside);
}

static void
a_translated_connection_is_found_by_its_syn(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint16_t k = 0; k < 3; k++) {
        uint32_t isn = 1000000u * (k + 1u);
        rig_packet syn = {.protocol = 6,
                          .source_port = (uint16_t)(30000 + k),
                          .sequence = isn,
                          .tcp_flags = 2,
                          .timestamp = 50u + k};
        syn.mss = 1460;
        rig_packet accept = {
            .protocol = 6, .from_b = true, .source_port = syn.source_port, .sequence = 7, .tcp_flags = 0x12};
        accept.acknowledgement = isn + 1;
        accept.timestamp = 90u + k;
        cross_translated(&r, RIG_MS(k), RIG_US(400), &syn);
        cross_translated(&r, RIG_MS(k) + RIG_US(500), RIG_US(300), &accept);
        for (uint32_t i = 0; i < 20; i++) {
            rig_packet data = {
                .protocol = 6, .source_port = syn.source_port, .sequence = isn + 1 + 100 * i, .length = 100};
            data.acknowledgement = 8;
            data.timestamp = 100 + i;
            if (k == 1 && i == 4)
                rig_show(&r, FC_PATH_A, RIG_MS(10 * (i + 1)), &data);
            else
                cross_translated(&r, RIG_MS(10 * (i + 1)), RIG_US(400), &data);
        }
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->count, 3);
    for (size_t i = 0; i < 3; i++) {
        const fc_path_flow *flow = flow_of(result, i, FC_PATH_A_TO_B);
        assert_true(result->conversations[i].translated);
        assert_int_equal(flow->far_source.bytes[3], 9);
        assert_int_equal(flow->far_source_port, flow->source_port + 1111);
        assert_int_equal(flow->lost, i == 0 ? 1 : 0);
        assert_int_equal(flow->hops, 4);
        assert_int_equal(flow_of(result, i, FC_PATH_B_TO_A)->arrived, 1);
    }
    rig_end(&r);
}

static void
translated_datagrams_are_found_by_their_payload(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = question(i), back = answer(i);
        there.source_port = back.source_port = 20000;
        if (i == LOST)
            rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        else
            cross_translated(&r, RIG_MS(10 * i), RIG_US(500), &there);
        cross_translated(&r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->count, 1);
    assert_true(result->conversations[0].translated);
    assert_int_equal(flow_of(result, 0, FC_PATH_A_TO_B)->lost, 1);
    rig_end(&r);
}

static void
what_routers_change_is_told(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet sent = question(i), arrived = sent, back = answer(i);
        sent.tos = 0xb8;
        arrived.ttl = 61;
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &sent);
        rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(500), &arrived);
        rig_cross(&r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
    }
    rig_packet syn = {.protocol = 6, .tcp_flags = 2, .mss = 1460, .timestamp = 9, .sequence = 4},
               clamped = syn;
    clamped.mss = 1360;
    rig_show(&r, FC_PATH_A, RIG_MS(1), &syn);
    rig_show(&r, FC_PATH_B, RIG_MS(1) + RIG_US(500), &clamped);
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->count, 2);
    bool udp_first = result->conversations[0].protocol == 17;
    const fc_path_flow *udp = flow_of(result, udp_first ? 0 : 1, FC_PATH_A_TO_B);
    const fc_path_flow *tcp = flow_of(result, udp_first ? 1 : 0, FC_PATH_A_TO_B);
    assert_int_equal(udp->hops, 3);
    assert_int_equal(udp->tos_changed, COUNT);
    assert_int_equal(udp->tos_sent, 0xb8);
    assert_int_equal(udp->tos_arrived, 0);
    assert_int_equal(tcp->mss_sent, 1460);
    assert_int_equal(tcp->mss_arrived, 1360);
    assert_int_equal(tcp->arrived, 1);
    rig_end(&r);
}

static void
a_group_may_have_receivers_elsewhere(void **state)
{
    (void)state;
    rig r = {.flags = true};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        cross_pair(&r, i);
    fc_fail fail = {0};
    const uint8_t frame[] = {0, 0, 0,  0, 0, 0,  0, 0, 0, 0,   0, 0, 8,   0, 0x45, 0, 0, 28, 0, 0, 0,
                             0, 9, 17, 0, 0, 10, 0, 0, 1, 224, 0, 0, 251, 0, 1,    0, 2, 0,  8, 0, 0};
    fc_block block = {.kind = FC_BLOCK_FRAME};
    block.frame = (fc_frame){.unix_ns = RIG_START_NS + RIG_MS(50),
                             .data = frame,
                             .captured_bytes = sizeof frame,
                             .original_bytes = sizeof frame,
                             .link_type = 1,
                             .direction = FC_DIRECTION_OUTBOUND};
    assert_int_equal(fc_path_block(r.path, FC_PATH_A, &block, &fail), FC_OK);
    block.frame.unix_ns += RIG_MS(300);
    assert_int_equal(fc_path_block(r.path, FC_PATH_A, &block, &fail), FC_OK);
    block.frame.direction = FC_DIRECTION_INBOUND;
    block.frame.unix_ns += RIG_MS(1);
    assert_int_equal(fc_path_block(r.path, FC_PATH_B, &block, &fail), FC_OK);
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->totals[0].lost, 0);
    assert_int_equal(result->totals[0].reasons[FC_PATH_REASON_MULTICAST], 1);
    rig_end(&r);
}

static void
a_conversation_that_never_arrives_is_lost_only_if_it_leads_there(void **state)
{
    (void)state;
    rig r = {.flags = true};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        cross_pair(&r, i);
    for (uint32_t i = 0; i < 3; i++) {
        rig_packet blocked = {
            .protocol = 6, .destination_port = 8080, .tcp_flags = 2, .sequence = 5, .timestamp = 1 + i};
        rig_packet elsewhere = blocked;
        elsewhere.destination = 77;
        rig_show(&r, FC_PATH_A, RIG_MS(100 * (i + 1)), &blocked);
        rig_show(&r, FC_PATH_A, RIG_MS(100 * (i + 1)), &elsewhere);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->count, 3);
    const fc_path_flow *blocked = flow_of(result, 0, FC_PATH_A_TO_B);
    assert_int_equal(blocked->destination_port, 8080);
    assert_int_equal(blocked->destination.bytes[3], 2);
    assert_int_equal(blocked->lost, 3);
    assert_int_equal(flow_of(result, 2, FC_PATH_A_TO_B)->reasons[FC_PATH_REASON_NOT_SEEN], 3);
    assert_int_equal(result->elsewhere, 1);
    assert_int_equal(result->totals[0].lost, 3);
    rig_end(&r);
}

static void
what_both_ends_receive_is_not_between_them(void **state)
{
    (void)state;
    rig r = {.flags = true};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        cross_pair(&r, i);
        rig_packet stranger = question(5000 + i);
        stranger.source = 50;
        stranger.destination = 60;
        stranger.from_b = true; /* inbound at A; the same again at B */
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &stranger);
        r.flags = false;
        r.inbound = true;
        if (i != LOST)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) - RIG_US(30), &stranger);
        r.inbound = false;
        r.flags = true;
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->elsewhere, 1);
    assert_int_equal(result->totals[0].lost + result->totals[1].lost, 0);
    assert_int_equal(result->totals[0].sent, COUNT);
    assert_true(result->clock.known);
    rig_end(&r);
}

static void
ipv6_is_no_exception(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = {.v6 = true,
                            .protocol = 6,
                            .sequence = 100 + 500 * i,
                            .length = 500,
                            .timestamp = 5 + i,
                            .ttl = 64};
        rig_packet arrived = there, back = there;
        arrived.ttl = 62;
        arrived.tos = 3; /* a router saw congestion */
        back.from_b = true;
        back.length = 0;
        back.sequence = 7;
        back.acknowledgement = 100; /* of nothing */
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        if (i != LOST)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(300), &arrived);
        rig_cross(&r, RIG_MS(10 * i) + RIG_MS(1), RIG_US(700), &back);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_flow *flow = flow_of(rig_judge(&r), 0, FC_PATH_A_TO_B);
    assert_int_equal(flow->source.family, 6);
    assert_int_equal(flow->lost, 1);
    assert_int_equal(flow->lost_bytes, 500);
    assert_int_equal(flow->compared, COUNT - 1);
    assert_int_equal(flow->altered, 0);
    assert_int_equal(flow->hops, 2);
    assert_int_equal(flow->tos_changed, COUNT - 1);
    assert_int_equal(flow->tos_arrived, 3);
    rig_end(&r);
}

static void
with_one_way_only_and_no_flags_nothing_is_lost(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = question(i);
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        if (i != LOST)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(500), &there);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->totals[0].lost, 0);
    assert_int_equal(result->totals[0].reasons[FC_PATH_REASON_DIRECTION], 1);
    rig_end(&r);
}

static void
one_way_with_flags_has_relative_delays_and_no_offset(void **state)
{
    (void)state;
    rig r = {.flags = true, .offset_ns = -RIG_MS(40)};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_packet there = question(i);
        rig_show(&r, FC_PATH_A, RIG_MS(10 * i), &there);
        if (i != LOST)
            rig_show(&r, FC_PATH_B, RIG_MS(10 * i) + RIG_US(500 + i % 7), &there);
    }
    rig_end_captures(&r, 0, 9000);
    const fc_path_result *result = rig_judge(&r);
    assert_int_equal(result->totals[0].lost, 1);
    assert_false(result->clock.known);
    assert_true(flow_of(result, 0, FC_PATH_A_TO_B)->delay.relative);
    assert_true(flow_of(result, 0, FC_PATH_A_TO_B)->delay.max_ns <= RIG_US(7));
    rig_end(&r);
}

/* Delays of 200 to 600 us there and 300 to 900 back, for 200 s. */
static void
offset_and_skew_are_found_within_their_bounds(void **state)
{
    (void)state;
    const struct {
        int64_t offset_ns;
        double skew_ppm;
    } clocks[] = {{0, 0}, {-3214000, 4.1}, {RIG_MS(86400000), -80}, {12345, 150}};
    for (size_t k = 0; k < sizeof clocks / sizeof clocks[0]; k++) {
        rig r = {.offset_ns = clocks[k].offset_ns, .skew_ppm = clocks[k].skew_ppm};
        rig_begin(&r, true, NULL);
        uint32_t dice = 12345;
        for (uint32_t i = 0; i < 2000; i++) {
            dice = dice * 1664525 + 1013904223;
            rig_packet there = question(i), back = answer(i);
            rig_cross(&r, RIG_MS(100 * (int64_t)i), RIG_US(200 + dice % 400), &there);
            rig_cross(&r, RIG_MS(100 * (int64_t)i + 1), RIG_US(300 + (dice >> 10) % 600), &back);
        }
        const fc_path_clock *clock = &rig_judge(&r)->clock;
        assert_true(clock->known && clock->linear);
        double since = (double)(clock->at_ns - RIG_START_NS);
        double truth = (double)clocks[k].offset_ns + since * clocks[k].skew_ppm * 1e-6;
        assert_true(llabs((int64_t)(truth - (double)clock->offset_ns)) <= clock->bound_ns);
        assert_true(clock->bound_ns < RIG_US(260));
        double off = clock->skew_ppm - clocks[k].skew_ppm;
        assert_true((off < 0 ? -off : off) <= clock->skew_bound_ppm);
        assert_true(clock->skew_bound_ppm < 5);
        rig_end(&r);
    }
}

static void
a_stepped_clock_is_not_a_line(void **state)
{
    (void)state;
    rig r = {0};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        r.offset_ns = i == COUNT / 2 ? RIG_MS(30) : r.offset_ns;
        cross_pair(&r, i);
    }
    rig_packet lost = question(900);
    rig_show(&r, FC_PATH_A, RIG_MS(300), &lost);
    const fc_path_result *result = rig_judge(&r);
    assert_false(result->clock.linear);
    assert_false(result->clock.known);
    char *sentence = fc_path_result_sentence(result);
    assert_non_null(strstr(sentence, "stepped"));
    free(sentence);
    rig_end(&r);
}

static void
the_json_says_what_the_result_says(void **state)
{
    (void)state;
    rig r = {.offset_ns = RIG_MS(5)};
    rig_begin(&r, true, NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i != LOST)
            cross_pair(&r, i);
    rig_packet lost = question(LOST);
    rig_show(&r, FC_PATH_A, RIG_MS(10 * LOST), &lost);
    rig_end_captures(&r, 0, 9000);
    json_t *tree = fc_path_result_to_json(rig_judge(&r));
    const json_t *conversation = json_array_get(json_object_get(tree, "conversations"), 0);
    const json_t *flow = json_object_get(conversation, "aToB");
    const json_t *first = json_array_get(json_object_get(flow, "lostFirst"), 0);
    assert_string_equal(json_string_value(json_object_get(conversation, "protocol")), "udp");
    assert_string_equal(json_string_value(json_object_get(flow, "verdict")), "lost");
    assert_string_equal(
        json_string_value(json_object_get(flow, "displayFilter")),
        "ip.src == 10.0.0.1 && ip.dst == 10.0.1.2 && udp.srcport == 40000 && udp.dstport == 53");
    assert_string_equal(json_string_value(json_object_get(first, "file")), "a.pcapng");
    assert_int_equal(json_integer_value(json_object_get(first, "frame")), r.frames[0]);
    assert_true(json_is_true(json_object_get(json_object_get(tree, "clock"), "known")));
    json_decref(tree);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_datagram_is_lost),
        cmocka_unit_test(of_equal_datagrams_the_right_number_is_lost),
        cmocka_unit_test(an_altered_datagram_is_found_by_its_identification),
        cmocka_unit_test(what_may_have_been_cut_by_an_offload_is_not_lost),
        cmocka_unit_test(fragments_are_the_datagram_that_they_make),
        cmocka_unit_test(an_echo_that_was_lost_is_lost),
        cmocka_unit_test(a_translated_connection_is_found_by_its_syn),
        cmocka_unit_test(translated_datagrams_are_found_by_their_payload),
        cmocka_unit_test(what_routers_change_is_told),
        cmocka_unit_test(a_group_may_have_receivers_elsewhere),
        cmocka_unit_test(a_conversation_that_never_arrives_is_lost_only_if_it_leads_there),
        cmocka_unit_test(what_both_ends_receive_is_not_between_them),
        cmocka_unit_test(ipv6_is_no_exception),
        cmocka_unit_test(with_one_way_only_and_no_flags_nothing_is_lost),
        cmocka_unit_test(one_way_with_flags_has_relative_delays_and_no_offset),
        cmocka_unit_test(offset_and_skew_are_found_within_their_bounds),
        cmocka_unit_test(a_stepped_clock_is_not_a_line),
        cmocka_unit_test(the_json_says_what_the_result_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
