/* What comes otherwise than expected: times far ahead, pieces of datagrams twice, conversations over several
 * files. */
#include "analysis_rig.h"

#include "common/analysis/leap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ACK = FC_TCP_ACK, MORE = 0x2000, PIECE = 24 };

static uint64_t
counter(const packet_rig *rig, fc_counter id)
{
    return rig->profile->counters[id];
}

/* ---- times far ahead ---- */

/* Of the conversation with that port of the instance; NULL when it was told in none or several parts. */
static const fc_conversation_summary *
told_once(const packet_rig *rig, uint16_t port)
{
    const fc_conversation_summary *found = NULL;
    for (size_t i = 0; i < rig->told_count; i++)
        if (rig->told[i].local_port == port) {
            if (found != NULL)
                return NULL;
            found = &rig->told[i];
        }
    return found;
}

static void
at(packet_rig *rig, int64_t ns, uint16_t port)
{
    rig->now_ns = RIG_START_NS + ns;
    rig_udp(rig, true, port, 4000, "x", 1);
}

static void
one_packet_from_the_future_ends_nothing_and_is_counted(void **state)
{
    (void)state;
    const int64_t century = 100LL * 365 * 86400 * RIG_S;
    for (unsigned place = 0; place < 3; place++) {
        packet_rig rig;
        rig_init(&rig, 0);
        for (unsigned i = 0; i < 3; i++) {
            if (i == place)
                at(&rig, century, 6000);
            at(&rig, i * 60 * RIG_S, 5000);
        }
        rig_judge(&rig);
        assert_non_null(told_once(&rig, 5000));
        assert_int_equal(told_once(&rig, 5000)->out.packets, 3);
        assert_int_equal(told_once(&rig, 6000)->last_ns,
                         RIG_START_NS + (place == 0 ? 0 : (place - 1) * 60 * RIG_S));
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_AHEAD), 1);
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_OUT), 4);
        assert_int_equal(rig.profile->subject.first_packet_ns, RIG_START_NS);
        assert_int_equal(rig.profile->subject.last_packet_ns, RIG_START_NS + 120 * RIG_S);
        rig_fini(&rig);
    }
}

static void
several_of_them_that_disagree_are_all_counted(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    at(&rig, 0, 5000);
    at(&rig, 1000000 * RIG_S, 6000);
    at(&rig, 500000 * RIG_S, 6001);
    at(&rig, RIG_S, 5000);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_AHEAD), 2);
    assert_int_equal(told_once(&rig, 5000)->out.packets, 2);
    assert_int_equal(rig.profile->subject.last_packet_ns, RIG_START_NS + RIG_S);
    rig_fini(&rig);
}

static void
a_pause_is_a_pause_and_ends_what_was_silent(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    at(&rig, 0, 5000);
    at(&rig, 7200 * RIG_S, 5000);
    at(&rig, 7201 * RIG_S, 5000);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_AHEAD), 0);
    assert_int_equal(rig.told_count, 2);
    assert_int_equal(rig.told[0].out.packets, 1);
    assert_int_equal(rig.told[1].out.packets, 2);
    assert_int_equal(rig.told[1].first_ns, RIG_START_NS + 7200 * RIG_S);
    assert_int_equal(rig.told[1].first_frame, 2);
    rig_fini(&rig);
}

static void
the_last_packet_may_be_some_hours_late_but_not_years(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ns;
        bool end_named, wrong;
    } cases[] = {
        {20 * 3600 * RIG_S, false, false},
        {48 * 3600 * RIG_S, false, true},
        {48 * 3600 * RIG_S, true, false}, /* the capture says that it was still going on */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        packet_rig rig;
        rig_init(&rig, 0);
        at(&rig, 0, 5000);
        at(&rig, cases[i].after_ns, 6000);
        fc_capture_interface of = {.name = "eth0"};
        const fc_block end = {
            .kind = FC_BLOCK_STATISTICS,
            .interface = &of,
            .statistics = {.start_ns = RIG_START_NS, .end_ns = RIG_START_NS + cases[i].after_ns}};
        if (cases[i].end_named)
            fc_analyzer_block(rig.analyzer, &end);
        rig_judge(&rig);
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_AHEAD), cases[i].wrong);
        assert_int_equal(rig.profile->subject.last_packet_ns,
                         RIG_START_NS + (cases[i].wrong ? 0 : cases[i].after_ns));
        rig_fini(&rig);
    }
}

static void
a_snapshot_has_the_packet_that_waits(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    at(&rig, 0, 5000);
    at(&rig, 7200 * RIG_S, 5000);
    fc_analyzer_profile(rig.analyzer, rig.profile);
    assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_OUT), 2);
    at(&rig, 7201 * RIG_S, 5000);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_OUT), 3);
    assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_AHEAD), 0);
    rig_fini(&rig);
}

static void
a_packet_that_waits_stays_in_its_file(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    at(&rig, 0, 5000);
    at(&rig, 7200 * RIG_S, 6000);
    fc_analyzer_file(rig.analyzer, "second.pcapng");
    at(&rig, 7201 * RIG_S, 7000);
    rig_judge(&rig);
    assert_int_equal(told_once(&rig, 6000)->file, 0);
    assert_int_equal(told_once(&rig, 6000)->first_frame, 2);
    assert_int_equal(told_once(&rig, 7000)->file, 1);
    assert_int_equal(told_once(&rig, 7000)->first_frame, 1);
    rig_fini(&rig);
}

/* ---- several files ---- */

static void
a_conversation_over_several_files_names_the_first_and_the_last(void **state)
{
    (void)state;
    static const char *const files[] = {"one.pcapng", "two.pcapng", "three.pcapng"};
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fc_analyzer_file(rig.analyzer, files[i]);
        rig_tcp(&rig,
                (rig_segment){.out = true, .flags = ACK, .sequence = 1 + (uint32_t)i, .ack = 1, .length = 1});
    }
    rig_judge(&rig);
    json_t *json = fc_conversation_summary_to_json(&rig.told[0]);
    assert_int_equal(json_integer_value(json_object_get(json, "file")), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "lastFile")), 3);
    json_decref(json);
    rig_fini(&rig);
}

/* ---- fragments ---- */

/* A piece of 24 bytes at `offset` of datagram `id`, to the instance. */
static void
piece(packet_rig *rig, uint16_t id, unsigned offset, bool more)
{
    uint8_t data[PIECE] = {5000 >> 8, 5000 & 255, 4000 >> 8, 4000 & 255, 0, 72}, frame[64];
    size_t size =
        rig_put_ipv4(frame, false, FC_IP_UDP, (uint16_t)((more ? MORE : 0) | offset / 8), data, PIECE);
    rig_put_be16(frame + 4, id);
    rig_frame(rig, 101, FC_DIRECTION_INBOUND, frame, (uint32_t)size);
}

static uint64_t
lost(packet_rig *rig)
{
    rig_after(rig, 5 * RIG_S);
    rig_udp(rig, true, 9, 9, "x", 1);
    rig_judge(rig);
    return rig->profile->troubles[FC_TROUBLE_FRAGMENTS_LOST].count;
}

static void
a_piece_that_comes_twice_does_not_stand_for_one_that_is_lost(void **state)
{
    (void)state;
    static const struct {
        unsigned offsets[4];
        uint64_t lost;
    } cases[] = {
        {{0, 0, 48, 48}, 1},  /* the middle is missing */
        {{0, 16, 48, 48}, 1}, /* overlapping: 40 to 48 are missing */
        {{0, 16, 32, 48}, 0}, /* overlapping, all there */
        {{48, 0, 24, 24}, 0}, /* in any order */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        packet_rig rig;
        rig_init(&rig, 0);
        for (size_t k = 0; k < 4; k++)
            piece(&rig, 7, cases[i].offsets[k], cases[i].offsets[k] != 48);
        assert_int_equal(lost(&rig), cases[i].lost);
        rig_fini(&rig);
    }
}

static void
pieces_of_two_interfaces_are_no_second_datagram(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    for (unsigned offset = 0; offset < 72; offset += PIECE)
        for (unsigned again = 0; again < 2; again++)
            piece(&rig, 7, offset, offset != 48);
    assert_int_equal(lost(&rig), 0);
    assert_int_equal(counter(&rig, FC_COUNTER_IP_FRAGMENTS), 6);
    rig_fini(&rig);
}

static void
an_id_that_comes_round_again_is_another_datagram(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    for (unsigned offset = 0; offset < 72; offset += PIECE)
        piece(&rig, 7, offset, offset != 48);
    rig_after(&rig, RIG_S);
    piece(&rig, 7, 0, true);
    assert_int_equal(lost(&rig), 1);
    rig_fini(&rig);
}

static void
a_datagram_in_more_pieces_than_are_remembered_is_whole_when_all_came(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    enum { PIECES = 100 };
    for (unsigned first = 0; first < 2; first++)
        for (unsigned i = first; i < PIECES; i += 2)
            piece(&rig, 7, i * PIECE, i + 1 < PIECES);
    assert_int_equal(lost(&rig), 0);
    rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_packet_from_the_future_ends_nothing_and_is_counted),
        cmocka_unit_test(several_of_them_that_disagree_are_all_counted),
        cmocka_unit_test(a_pause_is_a_pause_and_ends_what_was_silent),
        cmocka_unit_test(the_last_packet_may_be_some_hours_late_but_not_years),
        cmocka_unit_test(a_snapshot_has_the_packet_that_waits),
        cmocka_unit_test(a_packet_that_waits_stays_in_its_file),
        cmocka_unit_test(a_conversation_over_several_files_names_the_first_and_the_last),
        cmocka_unit_test(a_piece_that_comes_twice_does_not_stand_for_one_that_is_lost),
        cmocka_unit_test(pieces_of_two_interfaces_are_no_second_datagram),
        cmocka_unit_test(an_id_that_comes_round_again_is_another_datagram),
        cmocka_unit_test(a_datagram_in_more_pieces_than_are_remembered_is_whole_when_all_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
