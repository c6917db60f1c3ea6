/* Whose capture it is, where nothing says so. */
#include "common/analysis/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { LINKTYPE_RAW_IP = 101, SIZE = 28 };

/* A datagram from 10.0.0.`from` to 10.0.0.`to`; false when no more are needed. */
static bool
see(fc_guess *guess, uint8_t from, uint8_t to, fc_direction direction)
{
    uint8_t data[SIZE] = {0x45, 0, 0,    SIZE, 0, 1, 0,  0, 64, 17, 0, 0, 10,
                          0,    0, from, 10,   0, 0, to, 0, 1,  0,  2, 0, 8};
    if (to == 255)
        memset(data + 16, 255, 4);
    const fc_frame frame = {.data = data,
                            .captured_bytes = SIZE,
                            .original_bytes = SIZE,
                            .link_type = LINKTYPE_RAW_IP,
                            .direction = direction};
    return fc_guess_frame(guess, &frame);
}

static void
the_end_of_every_packet_is_local(void **state)
{
    (void)state;
    fc_guess guess = {0};
    fc_address local;
    for (uint8_t peer = 2; peer < 60; peer++) {
        assert_true(see(&guess, 1, peer, FC_DIRECTION_UNKNOWN));
        assert_true(see(&guess, peer, 1, FC_DIRECTION_UNKNOWN));
        assert_true(see(&guess, peer, 255, FC_DIRECTION_UNKNOWN)); /* what goes to all says nothing */
    }
    assert_true(fc_guess_local(&guess, 4, &local));
    assert_int_equal(local.bytes[3], 1);
    assert_false(fc_guess_local(&guess, 6, &local));
}

static void
two_hosts_alone_give_none(void **state)
{
    (void)state;
    fc_guess guess = {0};
    fc_address local;
    for (int i = 0; i < 100; i++)
        (void)see(&guess, 1, 2, FC_DIRECTION_UNKNOWN);
    assert_false(fc_guess_local(&guess, 4, &local));
}

static void
a_mirror_port_gives_none(void **state)
{
    (void)state;
    fc_guess guess = {0};
    fc_address local;
    for (uint8_t i = 0; i < 100; i++)
        (void)see(&guess, (uint8_t)(1 + i % 3), (uint8_t)(1 + (i + 1) % 3), FC_DIRECTION_UNKNOWN);
    assert_false(fc_guess_local(&guess, 4, &local));
}

static void
a_capture_that_says_so_itself_needs_none(void **state)
{
    (void)state;
    fc_guess guess = {0};
    fc_address local;
    for (uint8_t peer = 2; peer < 60; peer++)
        (void)see(&guess, 1, peer, FC_DIRECTION_UNKNOWN);
    assert_false(see(&guess, 1, 2, FC_DIRECTION_OUTBOUND));
    assert_false(fc_guess_local(&guess, 4, &local));
}

static void
a_few_packets_tell_nothing_and_many_are_enough(void **state)
{
    (void)state;
    fc_guess guess = {0};
    fc_address local;
    for (uint8_t peer = 2; peer < 6; peer++)
        (void)see(&guess, 1, peer, FC_DIRECTION_UNKNOWN);
    assert_false(fc_guess_local(&guess, 4, &local));
    int more = 0;
    while (see(&guess, 1, (uint8_t)(2 + more % 200), FC_DIRECTION_UNKNOWN))
        more++;
    assert_int_equal(more, FC_GUESS_FRAMES - 5);
    assert_true(fc_guess_local(&guess, 4, &local));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_every_packet_is_local),
        cmocka_unit_test(two_hosts_alone_give_none),
        cmocka_unit_test(a_mirror_port_gives_none),
        cmocka_unit_test(a_capture_that_says_so_itself_needs_none),
        cmocka_unit_test(a_few_packets_tell_nothing_and_many_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
