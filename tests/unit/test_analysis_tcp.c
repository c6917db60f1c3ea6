/* What segments tell of a TCP conversation. */
#include "analysis_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SYN = FC_TCP_SYN, ACK = FC_TCP_ACK, FIN = FC_TCP_FIN, RST = FC_TCP_RST };

static void
send(packet_rig *rig, uint8_t flags, uint32_t sequence, uint32_t ack, uint32_t length)
{
    rig_tcp(rig,
            (rig_segment){.out = true, .flags = flags, .sequence = sequence, .ack = ack, .length = length});
}

static void
receive(packet_rig *rig, uint8_t flags, uint32_t sequence, uint32_t ack, uint32_t length)
{
    rig_tcp(rig, (rig_segment){.flags = flags, .sequence = sequence, .ack = ack, .length = length});
}

static uint64_t
trouble(const packet_rig *rig, fc_trouble_id id)
{
    return rig->profile->troubles[id].count;
}

static void
a_handshake_is_timed_from_the_last_syn(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    send(&rig, SYN, 0, 0, 0);
    rig_after(&rig, RIG_S);
    rig_handshake(&rig);
    rig_judge(&rig);
    assert_int_equal(rig.told_count, 1);
    const fc_conversation_summary *told = &rig.told[0];
    assert_int_equal(told->outcome, FC_TCP_ESTABLISHED);
    assert_int_equal(told->syn_count, 2);
    assert_int_equal(told->handshake_ns, 10 * RIG_MS);
    assert_int_equal(told->handshake_ack_ns, RIG_MS);
    assert_int_equal(told->initiator, FC_SIDE_LOCAL);
    assert_true(told->oriented);
    assert_int_equal(told->out.retransmitted, 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_SYN_RETRIED), 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_RETRANSMITS), 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_TCP_SYN_RETRANSMITTED], 1);
    assert_int_equal(rig.profile->sketches[FC_SKETCH_TCP_HANDSHAKE].max, 10 * RIG_MS);
    rig_fini(&rig);
}

static void
a_young_unanswered_syn_is_open_an_old_one_is_a_trouble(void **state)
{
    (void)state;
    for (int64_t age = 2; age <= 4; age += 2) {
        packet_rig rig;
        rig_init(&rig, 0);
        send(&rig, SYN, 0, 0, 0);
        rig_after(&rig, age * RIG_S);
        rig_udp(&rig, true, 9, 10, "x", 1);
        rig_judge(&rig);
        assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_NO_ANSWER), age > 3);
        assert_int_equal(rig.profile->counters[FC_COUNTER_TCP_OPENED_OUT], 1);
        assert_int_equal(rig.profile->counters[FC_COUNTER_TCP_ESTABLISHED], 0);
        rig_fini(&rig);
    }
}

static void
a_rst_in_answer_to_the_syn_is_a_refusal(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    send(&rig, SYN, 0, 0, 0);
    rig_after(&rig, RIG_MS);
    receive(&rig, RST | ACK, 0, 1, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].outcome, FC_TCP_REFUSED);
    assert_int_equal(rig.told[0].reset_by, FC_SIDE_REMOTE);
    assert_int_equal(rig.told[0].reset_phase, FC_PHASE_HANDSHAKE);
    assert_int_equal(rig.told[0].reset_frame, 2);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_REFUSED), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_TCP_REFUSED].exemplars[0].frame, 2);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_RESET_BY_REMOTE), 0);
    rig_fini(&rig);
}

static void
a_reset_names_its_side_and_phase(void **state)
{
    (void)state;
    static const struct {
        bool data, fin, by_local;
        fc_tcp_phase phase;
        fc_trouble_id trouble;
        unsigned count;
    } cases[] = {
        {false, false, false, FC_PHASE_IDLE, FC_TROUBLE_TCP_RESET_BY_REMOTE, 1},
        {true, false, false, FC_PHASE_DATA, FC_TROUBLE_TCP_RESET_BY_REMOTE, 1},
        {true, false, true, FC_PHASE_DATA, FC_TROUBLE_TCP_RESET_BY_LOCAL, 1},
        {true, true, true, FC_PHASE_CLOSING, FC_TROUBLE_TCP_RESET_BY_LOCAL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        packet_rig rig;
        rig_init(&rig, 0);
        rig_handshake(&rig);
        if (cases[i].data)
            send(&rig, ACK, 1, 1, 10);
        if (cases[i].fin)
            receive(&rig, FIN | ACK, 1, 11, 0);
        rig_tcp(&rig, (rig_segment){
                          .out = cases[i].by_local, .flags = RST, .sequence = cases[i].by_local ? 11 : 1});
        rig_judge(&rig);
        assert_int_equal(rig.told[0].outcome, FC_TCP_RESET);
        assert_int_equal(rig.told[0].reset_by, cases[i].by_local ? FC_SIDE_LOCAL : FC_SIDE_REMOTE);
        assert_int_equal(rig.told[0].reset_phase, cases[i].phase);
        assert_int_equal(trouble(&rig, cases[i].trouble), cases[i].count);
        rig_fini(&rig);
    }
}

static void
data_sent_again_is_a_retransmission_and_no_sample(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 100);
    rig_after(&rig, 300 * RIG_MS);
    send(&rig, ACK, 1, 1, 100);
    rig_after(&rig, 5 * RIG_MS);
    receive(&rig, ACK, 1, 101, 0);
    rig_after(&rig, RIG_MS);
    send(&rig, ACK, 101, 1, 50);
    rig_after(&rig, 7 * RIG_MS);
    receive(&rig, ACK, 1, 151, 0);
    rig_judge(&rig);
    const fc_conversation_summary *told = &rig.told[0];
    assert_int_equal(told->out.retransmitted, 1);
    assert_int_equal(told->out.retransmitted_bytes, 100);
    assert_int_equal(told->out.data_packets, 3);
    assert_int_equal(told->rtt_count, 1);
    assert_int_equal(told->rtt_min_ns, 7 * RIG_MS);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_RETRANSMITS), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_TCP_RETRANSMITS].first_ns, RIG_START_NS + 311 * RIG_MS);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_LOSS_IN), 0);
    rig_fini(&rig);
}

static void
late_segments_are_out_of_order_not_sent_again(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    receive(&rig, ACK, 1001, 1, 1000);
    rig_after(&rig, RIG_MS);
    receive(&rig, ACK, 1, 1, 1000); /* within the first round trip of 11 ms */
    send(&rig, ACK, 1, 2001, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].in.out_of_order, 1);
    assert_int_equal(rig.told[0].in.retransmitted, 0);
    assert_int_equal(rig.told[0].in.unseen_bytes, 0);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_REORDERED), 1);
    rig_fini(&rig);
}

static void
keep_alives_and_probes_are_not_sent_again(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 100);
    receive(&rig, ACK, 1, 101, 0);
    rig_after(&rig, 30 * RIG_S);
    send(&rig, ACK, 100, 1, 0);
    receive(&rig, ACK, 1, 101, 0);
    rig_after(&rig, RIG_S);
    rig_tcp(&rig, (rig_segment){.flags = ACK, .sequence = 1, .ack = 101, .zero_window = true});
    rig_after(&rig, RIG_S);
    send(&rig, ACK, 101, 1, 1);
    rig_tcp(&rig, (rig_segment){.flags = ACK, .sequence = 1, .ack = 101, .zero_window = true});
    rig_after(&rig, RIG_S);
    send(&rig, ACK, 101, 1, 100);
    receive(&rig, ACK, 1, 201, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].out.retransmitted, 0);
    assert_int_equal(rig.told[0].in.duplicate_acks, 0);
    assert_int_equal(rig.told[0].in.zero_window, 2);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_ZERO_WINDOW_REMOTE), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_TCP_ZERO_WINDOW_REMOTE].exemplars[0].value, 2 * RIG_S);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_ZERO_WINDOW_LOCAL), 0);
    rig_fini(&rig);
}

static void
acknowledged_but_never_seen_is_the_captures_loss(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    receive(&rig, ACK, 1, 1, 1000);
    receive(&rig, ACK, 2001, 1, 1000); /* 1001 to 2000 were not seen */
    send(&rig, ACK, 1, 3001, 0);
    send(&rig, ACK, 1, 3501, 0); /* nor were 500 after that */
    rig_judge(&rig);
    assert_int_equal(rig.told[0].in.unseen_bytes, 1500);
    assert_int_equal(rig.told[0].out.unseen_bytes, 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_TCP_UNSEEN_BYTES], 1500);
    rig_fini(&rig);
}

static void
data_behind_its_acknowledgement_was_seen(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    receive(&rig, ACK, 1, 1, 1000);
    send(&rig, ACK, 1, 2001, 0);
    receive(&rig, ACK, 1001, 1, 1000);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].in.unseen_bytes, 0);
    rig_fini(&rig);
}

static void
super_segments_are_normal(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 60000);
    receive(&rig, ACK, 1, 30001, 0);
    receive(&rig, ACK, 1, 60001, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].out.data_bytes, 60000);
    assert_int_equal(rig.told[0].out.retransmitted, 0);
    assert_int_equal(rig.told[0].out.unseen_bytes, 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_PACKETS_UNDECODED], 0);
    rig_fini(&rig);
}

static void
a_short_snap_length_changes_no_number(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig.snaplen = 54;
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 1000);
    receive(&rig, ACK, 1, 1001, 0);
    send(&rig, FIN | ACK, 1001, 1, 0);
    receive(&rig, FIN | ACK, 1, 1002, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].outcome, FC_TCP_CLOSED);
    assert_int_equal(rig.told[0].out.data_bytes, 1000);
    assert_int_equal(rig.told[0].out.unseen_bytes, 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_PACKETS_UNDECODED], 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_PACKETS_TRUNCATED], 3);
    rig_fini(&rig);
}

static void
silence_while_data_is_sent_again_is_half_open(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 100);
    receive(&rig, ACK, 1, 101, 0);
    send(&rig, ACK, 101, 1, 100);
    for (int i = 0; i < 4; i++) {
        rig_after(&rig, RIG_S);
        send(&rig, ACK, 101, 1, 100);
    }
    rig_judge(&rig);
    assert_int_equal(rig.told[0].outcome, FC_TCP_HALF_OPEN);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_HALF_OPEN), 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_BLACK_HOLE), 0);
    rig_fini(&rig);
}

static void
only_large_segments_lost_is_a_black_hole(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 100);
    receive(&rig, ACK, 1, 101, 0);
    send(&rig, ACK, 101, 1, 2920); /* two segments of 1,460, before the offload */
    for (int i = 0; i < 3; i++) {
        rig_after(&rig, RIG_S);
        send(&rig, ACK, 101, 1, 1460);
    }
    rig_judge(&rig);
    assert_true(rig.told[0].black_hole);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_BLACK_HOLE), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_TCP_BLACK_HOLE].exemplars[0].value, 1460);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_HALF_OPEN), 0);
    rig_fini(&rig);
}

static void
large_segments_that_came_through_before_are_no_black_hole(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 1460);
    receive(&rig, ACK, 1, 1461, 0);
    send(&rig, ACK, 1461, 1, 1460);
    for (int i = 0; i < 4; i++) {
        rig_after(&rig, RIG_S);
        send(&rig, ACK, 1461, 1, 1460);
    }
    rig_judge(&rig);
    assert_false(rig.told[0].black_hole);
    assert_int_equal(rig.told[0].outcome, FC_TCP_HALF_OPEN);
    rig_fini(&rig);
}

static void
a_new_syn_begins_a_new_conversation(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, FIN | ACK, 1, 1, 0);
    receive(&rig, FIN | ACK, 1, 2, 0);
    rig_after(&rig, RIG_S);
    send(&rig, SYN, 5000, 0, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told_count, 2);
    assert_int_equal(rig.told[0].outcome, FC_TCP_CLOSED);
    assert_int_equal(rig.told[1].outcome, FC_TCP_NO_ANSWER);
    assert_int_equal(rig.told[1].first_frame, 6);
    assert_int_equal(rig.profile->counters[FC_COUNTER_TCP_CONVERSATIONS], 2);
    assert_int_equal(rig.profile->counters[FC_COUNTER_CONVERSATIONS_EVICTED], 0);
    rig_fini(&rig);
}

static void
what_two_interfaces_saw_is_one_conversation(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    for (uint32_t interface = 0; interface < 2; interface++) { /* a ring at a time, as they are drained */
        rig.interface = interface;
        rig.now_ns = RIG_START_NS + interface * 1000;
        rig_handshake(&rig);
        send(&rig, ACK, 1, 1, 1000);
        send(&rig, ACK, 1001, 1, 1000);
        rig_after(&rig, RIG_MS);
        receive(&rig, ACK, 1, 2001, 0);
    }
    rig.interface = 0;
    rig_after(&rig, 300 * RIG_MS);
    send(&rig, ACK, 1001, 1, 1000); /* this one is sent again */
    receive(&rig, FC_TCP_RST, 1, 0, 0);
    rig_judge(&rig);
    assert_int_equal(rig.told_count, 1);
    assert_int_equal(rig.told[0].syn_count, 1);
    assert_int_equal(rig.told[0].out.packets, 5);
    assert_int_equal(rig.told[0].out.data_bytes, 3000);
    assert_int_equal(rig.told[0].out.retransmitted, 1);
    assert_int_equal(rig.told[0].in.duplicate_acks, 0);
    assert_int_equal(rig.profile->counters[FC_COUNTER_PACKETS_OUT], 9);
    rig_fini(&rig);
}

static void
answers_are_timed_from_the_request(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    send(&rig, ACK, 1, 1, 100);
    receive(&rig, ACK, 1, 101, 0);
    rig_after(&rig, 20 * RIG_MS);
    send(&rig, ACK, 101, 1, 100);
    rig_after(&rig, 40 * RIG_MS);
    receive(&rig, ACK, 1, 201, 1000);
    receive(&rig, ACK, 1001, 201, 1000);
    rig_judge(&rig);
    const fc_sketch *first_byte = &rig.profile->sketches[FC_SKETCH_TCP_FIRST_BYTE];
    assert_int_equal(first_byte->count, 1);
    assert_int_equal(first_byte->max, 40 * RIG_MS);
    assert_int_equal(rig.profile->sketches[FC_SKETCH_TCP_SERVICE].count, 0);
    rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_is_timed_from_the_last_syn),
        cmocka_unit_test(a_young_unanswered_syn_is_open_an_old_one_is_a_trouble),
        cmocka_unit_test(a_rst_in_answer_to_the_syn_is_a_refusal),
        cmocka_unit_test(a_reset_names_its_side_and_phase),
        cmocka_unit_test(data_sent_again_is_a_retransmission_and_no_sample),
        cmocka_unit_test(late_segments_are_out_of_order_not_sent_again),
        cmocka_unit_test(keep_alives_and_probes_are_not_sent_again),
        cmocka_unit_test(acknowledged_but_never_seen_is_the_captures_loss),
        cmocka_unit_test(data_behind_its_acknowledgement_was_seen),
        cmocka_unit_test(super_segments_are_normal),
        cmocka_unit_test(a_short_snap_length_changes_no_number),
        cmocka_unit_test(silence_while_data_is_sent_again_is_half_open),
        cmocka_unit_test(only_large_segments_lost_is_a_black_hole),
        cmocka_unit_test(large_segments_that_came_through_before_are_no_black_hole),
        cmocka_unit_test(a_new_syn_begins_a_new_conversation),
        cmocka_unit_test(what_two_interfaces_saw_is_one_conversation),
        cmocka_unit_test(answers_are_timed_from_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
