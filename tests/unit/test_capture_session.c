/* Which packets belong to a capture, and that every other one is counted where it went. */
#include "common/base/mem.h"
#include "node/capture/direction.h"
#include "node/capture/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
nothing_is_kept_before_a_start_is_known(void **state)
{
    (void)state;
    cap_session session;
    cap_session_init(&session, UINT64_MAX, UINT64_MAX);
    assert_int_equal(cap_session_judge(&session, 5, 100), CAP_BEFORE_START);
    cap_session_end(&session, 3);
    assert_int_equal(cap_session_judge(&session, 5, 100), CAP_BEFORE_START);
    assert_int_equal(session.before_start, 2);
    assert_int_equal(session.kept_packets, 0);
}

static void
the_window_holds_its_first_instant_and_not_its_last(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        cap_verdict verdict;
    } cases[] = {
        {99, CAP_BEFORE_START}, {100, CAP_KEEP}, {199, CAP_KEEP}, {200, CAP_AFTER_STOP}, {150, CAP_KEEP}};
    cap_session session;
    cap_session_init(&session, UINT64_MAX, UINT64_MAX);
    cap_session_start(&session, 100, 200);
    for (size_t i = 0; i < FC_COUNT(cases); i++)
        assert_int_equal(cap_session_judge(&session, cases[i].at, 60), cases[i].verdict);
    assert_int_equal(session.before_start, 1);
    assert_int_equal(session.after_stop, 1);
    assert_int_equal(session.kept_bytes, 180);
    assert_int_equal(session.limit, FC_STOP_NONE);
}

static void
the_earliest_end_holds(void **state)
{
    (void)state;
    cap_session session;
    cap_session_init(&session, UINT64_MAX, UINT64_MAX);
    cap_session_start(&session, 100, 200);
    cap_session_end(&session, 150);
    cap_session_end(&session, 300);
    assert_int_equal(cap_session_judge(&session, 149, 60), CAP_KEEP);
    assert_int_equal(cap_session_judge(&session, 150, 60), CAP_AFTER_STOP);
}

static void
the_last_packet_of_the_limit_ends_it(void **state)
{
    (void)state;
    cap_session session;
    cap_session_init(&session, 2, UINT64_MAX);
    cap_session_start(&session, 100, 0);
    assert_int_equal(cap_session_judge(&session, 101, 60), CAP_KEEP);
    assert_int_equal(session.limit, FC_STOP_NONE);
    assert_int_equal(cap_session_judge(&session, 102, 60), CAP_KEEP);
    assert_int_equal(session.limit, FC_STOP_PACKET_COUNT);
    assert_int_equal(cap_session_judge(&session, 101, 60), CAP_AFTER_STOP);
    assert_int_equal(session.after_stop, 1);
}

static void
a_packet_that_would_pass_the_bytes_is_not_kept(void **state)
{
    (void)state;
    cap_session session;
    cap_session_init(&session, UINT64_MAX, 150);
    cap_session_start(&session, 100, 0);
    assert_int_equal(cap_session_judge(&session, 101, 100), CAP_KEEP);
    assert_int_equal(cap_session_judge(&session, 102, 51), CAP_AFTER_STOP);
    assert_int_equal(session.limit, FC_STOP_SESSION_BYTES);
    assert_int_equal(cap_session_judge(&session, 103, 1), CAP_AFTER_STOP); /* or the file would have a hole */
    assert_int_equal(session.kept_bytes, 100);
    cap_session_init(&session, UINT64_MAX, 150);
    cap_session_start(&session, 100, 0);
    assert_int_equal(cap_session_judge(&session, 101, 150), CAP_KEEP);
    assert_int_equal(session.limit, FC_STOP_SESSION_BYTES);
}

/* Random packets, ends and losses: the sum must come out. */
static void
the_sum_is_exact_whatever_happens(void **state)
{
    (void)state;
    unsigned seed = 20261121;
    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 500; round++) {
        cap_session session;
        cap_kernel_counts kernel = {.dropped = (uint64_t)rand() % 50,
                                    .dropped_stalled = (uint64_t)rand() % 50};
        cap_session_init(&session, 1 + (uint64_t)rand() % 300, 1 + (uint64_t)rand() % 30000);
        unsigned start_at = (unsigned)rand() % 200, stop_at = (unsigned)rand() % 600, count = 500;
        for (unsigned i = 0; i < count; i++) {
            if (i == start_at)
                cap_session_start(&session, 1000 + rand() % 300, rand() % 2 * (1500 + rand() % 300));
            if (i == stop_at)
                cap_session_end(&session, 1000 + (int64_t)i);
            (void)cap_session_judge(&session, 1000 + (int64_t)i - rand() % 3, (uint32_t)rand() % 200);
        }
        kernel.matched = count + kernel.dropped + kernel.dropped_stalled;
        uint64_t lost = session.kept_packets > 0 ? (uint64_t)rand() % session.kept_packets : 0;
        const cap_outcome outcome = {.written_packets = session.kept_packets - lost, .lost_packets = lost};
        fc_counters counters;
        cap_session_counters(&session, &kernel, &outcome, &counters);
        assert_int_equal(counters.matched_packets,
                         counters.written_packets + counters.dropped_kernel + counters.dropped_writer +
                             counters.dropped_before_start + counters.dropped_after_stop);
    }
}

/* A ring's slot by hand: header, address, link header 86 bytes from its start, as the kernel lays it out. */
static void
a_slot_that_does_not_agree_is_not_believed(void **state)
{
    (void)state;
    static uint8_t memory[512];
    uint8_t *slot = memory + 128, *data = slot + 86;
    struct tpacket3_hdr head = {.tp_sec = 7, .tp_nsec = 8, .tp_len = 60, .tp_snaplen = 60, .tp_mac = 86};
    struct sockaddr_ll from = {.sll_pkttype = PACKET_OUTGOING};
    const struct pcap_pkthdr header = {.ts = {7, 8}, .caplen = 60, .len = 60};
    cap_direction direction = {.link_type = DLT_EN10MB, .has_mac = true, .mac = {2, 0, 0, 0, 0, 1}};
    memcpy(slot, &head, sizeof head);
    memcpy(slot + CAP_SLOT_ADDRESS, &from, sizeof from);
    assert_int_equal(cap_direction_of(&direction, &header, data), CAP_FLAGS_OUTBOUND);
    assert_int_equal(direction.mac_offset, 86);
    from.sll_pkttype = PACKET_BROADCAST;
    memcpy(slot + CAP_SLOT_ADDRESS, &from, sizeof from);
    assert_int_equal(cap_direction_of(&direction, &header, data), CAP_FLAGS_INBOUND | CAP_FLAGS_BROADCAST);
    head.tp_nsec = 9; /* another packet's: the source address has to do */
    memcpy(slot, &head, sizeof head);
    assert_int_equal(cap_direction_of(&direction, &header, data), CAP_FLAGS_INBOUND);
    memcpy(data + 6, direction.mac, 6);
    assert_int_equal(cap_direction_of(&direction, &header, data), CAP_FLAGS_OUTBOUND);
    direction.has_mac = false;
    assert_int_equal(cap_direction_of(&direction, &header, data), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_before_a_start_is_known),
        cmocka_unit_test(the_window_holds_its_first_instant_and_not_its_last),
        cmocka_unit_test(the_earliest_end_holds),
        cmocka_unit_test(the_last_packet_of_the_limit_ends_it),
        cmocka_unit_test(a_packet_that_would_pass_the_bytes_is_not_kept),
        cmocka_unit_test(the_sum_is_exact_whatever_happens),
        cmocka_unit_test(a_slot_that_does_not_agree_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
