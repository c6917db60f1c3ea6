/* Blocks of pcapng in both byte orders: times, interfaces, statistics, sections, and lengths that lie. */
#include "common/base/mem.h"
#include "tests/unit/test_pcapng_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
times_of_every_resolution_become_nanoseconds(void **state)
{
    (void)state;
    static const struct {
        int resolution;
        int64_t offset_s;
        uint64_t ticks;
        int64_t unix_ns;
    } times[] = {
        {-1, 0, 1764000000123456, 1764000000123456000},
        {9, 0, 1764000000123456789, 1764000000123456789},
        {3, 0, 1764000000123, 1764000000123000000},
        {0, 0, 1764000000, 1764000000000000000},
        {12, 0, 1764000000123456, 1764000000123},
        {19, 0, 20000000000, 2},
        {127, 0, UINT64_MAX, 0},
        {0x80 | 10, 0, 1536, 1500000000},
        {0x80 | 32, 0, 1ULL << 32 | 1ULL << 31, 1500000000},
        {0xff, 0, UINT64_MAX, 0},
        {6, 1764000000, 5, 1764000000000005000},
        {9, -2, 3000000000, 1000000000},
        {9, 0, UINT64_MAX, INT64_MAX},
        {0, 0, UINT64_MAX, INT64_MAX},
        {6, INT64_MAX, 1, INT64_MAX},
        {6, INT64_MIN, 1, INT64_MIN},
    };
    for (unsigned i = 0; i < 2 * FC_COUNT(times); i++) {
        ink to = {.big = i & 1};
        put_section(&to, NULL);
        put_interface(&to, 1, times[i / 2].resolution, times[i / 2].offset_s);
        put_packet(&to, 0, times[i / 2].ticks);
        fc_input *input = opened_ink(&to);
        expect(input, FC_INPUT_SECTION);
        expect(input, FC_INPUT_INTERFACE);
        expect_packet(input, times[i / 2].unix_ns);
        expect(input, FC_INPUT_END);
        fc_input_free(input);
    }
}

static void
an_interface_is_read_with_all_that_it_says(void **state)
{
    (void)state;
    for (unsigned big = 0; big < 2; big++) {
        ink to = {.big = big != 0};
        put_section(&to, "fleetcap capture dns");
        size_t at = block_begin(&to, FC_PCAPNG_IDB);
        put16(&to, 113);
        put16(&to, 0);
        put32(&to, 200);
        put_option(&to, 1, "ours", 4);
        put_option(&to, 2, "eth0", 4);
        put_option(&to, 3, "web-1 eth0", 10);
        for (uint8_t i = 0; i < FC_CAPTURE_ADDRESSES_MAX + 3; i++)
            put_option(&to, 4, (uint8_t[8]){10, 0, 0, i, 255, 255, 255, 0}, 8);
        put_option(&to, 5, (uint8_t[17]){0x20, 1, 0xd, 0xb8, [15] = 7, [16] = 64}, 17);
        put_option(&to, 6, (uint8_t[6]){2, 0, 0, 0, 0, 9}, 6);
        put_option(&to, 9, &(uint8_t){9}, 1);
        put_option(&to, 11, "\0udp port 53", 12);
        put_option(&to, 0, "", 0);
        block_end(&to, at);
        fc_input *input = opened_ink(&to);
        assert_string_equal(expect(input, FC_INPUT_SECTION)->comment, "fleetcap capture dns");
        const fc_capture_interface *interface = expect(input, FC_INPUT_INTERFACE)->interface;
        assert_int_equal(interface->link_type, 113);
        assert_int_equal(interface->snaplen_bytes, 200);
        assert_string_equal(interface->comment, "ours");
        assert_string_equal(interface->name, "eth0");
        assert_string_equal(interface->description, "web-1 eth0");
        assert_string_equal(interface->filter, "udp port 53");
        assert_int_equal(interface->ipv4_count, FC_CAPTURE_ADDRESSES_MAX);
        assert_int_equal(interface->ipv4[3][3], 3);
        assert_int_equal(interface->ipv6_count, 1);
        assert_int_equal(interface->ipv6[0][15], 7);
        assert_true(interface->has_mac);
        assert_int_equal(interface->mac[5], 9);
        assert_int_equal(interface->ticks_per_second, 1000000000);
        fc_input_free(input);
    }
}

static void
statistics_are_read_in_the_clock_of_their_interface(void **state)
{
    (void)state;
    for (unsigned big = 0; big < 2; big++) {
        ink to = {.big = big != 0};
        put_section(&to, NULL);
        put_interface(&to, 1, -1, 0);
        for (uint32_t interface = 0; interface < 2; interface++) { /* the second was not described: skipped */
            size_t at = block_begin(&to, FC_PCAPNG_ISB);
            put32(&to, interface);
            put64(&to, 0);
            for (uint16_t code = 2; code <= 3; code++) {
                put16(&to, code);
                put16(&to, 8);
                put32(&to, 0);
                put32(&to, code * 1000000u);
            }
            put16(&to, 4);
            put16(&to, 8);
            put64(&to, (1ULL << 32) + 7);
            put16(&to, 7);
            put16(&to, 8);
            put64(&to, 3);
            block_end(&to, at);
        }
        fc_input *input = opened_ink(&to);
        expect(input, FC_INPUT_SECTION);
        expect(input, FC_INPUT_INTERFACE);
        const fc_capture_statistics *told = &expect(input, FC_INPUT_STATISTICS)->statistics;
        assert_true(told->start_ns == 2000000000 && told->end_ns == 3000000000);
        assert_true(told->has_received && told->received == (1ULL << 32) + 7);
        assert_true(told->has_os_dropped && told->os_dropped == 3);
        assert_false(told->has_delivered || told->has_interface_dropped || told->has_filter_accepted);
        expect(input, FC_INPUT_END);
        fc_input_free(input);
    }
}

/* What our own writer makes: padding between the blocks, directions, then a second section of the other byte
 * order. */
static void
sections_follow_each_other_and_unknown_blocks_are_skipped(void **state)
{
    (void)state;
    ink to = {0};
    fc_pcapng_put_section(&to.out, &(fc_pcapng_section){.comment = "one"});
    fc_pcapng_put_interface(&to.out, &(fc_pcapng_interface){.name = "a", .link_type = 1, .filter = "ip"});
    fc_pcapng_put_interface(&to.out, &(fc_pcapng_interface){.name = "b", .link_type = 101});
    fc_pcapng_put_padding(fc_buf_reserve(&to.out, 40), 40);
    fc_buf_commit(&to.out, 40);
    uint8_t *at = fc_buf_reserve(&to.out, 64);
    fc_buf_commit(&to.out, fc_pcapng_put_packet(at, 1, first_ns, packet_bytes, PACKET_BYTES, 99,
                                                FC_DIRECTION_OUTBOUND | 0x50000));
    to.big = true;
    put_section(&to, NULL);
    put_interface(&to, 113, 9, 0);
    put_packet(&to, 0, (uint64_t)first_ns);
    size_t old = block_begin(&to, 2); /* the obsolete packet block, with its flags: inbound */
    put16(&to, 0);
    put16(&to, 0);
    put32(&to, (uint32_t)((uint64_t)first_ns >> 32));
    put32(&to, (uint32_t)first_ns);
    put32(&to, PACKET_BYTES);
    put32(&to, 99);
    put_bytes(&to, packet_bytes, PACKET_BYTES);
    put_option(&to, 2, (uint8_t[4]){0, 0, 0, 1}, 4);
    block_end(&to, old);
    size_t simple = block_begin(&to, 3);
    put32(&to, 5);
    put_bytes(&to, packet_bytes, PACKET_BYTES);
    block_end(&to, simple);
    fc_input *input = opened_ink(&to);
    assert_string_equal(expect(input, FC_INPUT_SECTION)->comment, "one");
    assert_string_equal(expect(input, FC_INPUT_INTERFACE)->interface->filter, "ip");
    assert_int_equal(expect(input, FC_INPUT_INTERFACE)->interface->index, 1);
    const fc_block *block = expect(input, FC_INPUT_FRAME);
    assert_int_equal(block->frame.direction, FC_DIRECTION_OUTBOUND);
    assert_int_equal(block->frame.link_type, 101);
    assert_string_equal(block->interface->name, "b");
    assert_null(expect(input, FC_INPUT_SECTION)->comment);
    assert_int_equal(expect(input, FC_INPUT_INTERFACE)->interface->link_type, 113);
    expect_packet(input, first_ns);
    block = expect(input, FC_INPUT_FRAME);
    assert_int_equal(block->frame.direction, FC_DIRECTION_INBOUND);
    block = expect(input, FC_INPUT_FRAME);
    assert_int_equal(block->frame.captured_bytes, 5);
    assert_true(block->frame.unix_ns == 0);
    expect(input, FC_INPUT_END);
    assert_int_equal(fc_input_frames(input), 4);
    assert_false(fc_input_was_cut(input));
    fc_input_free(input);
}

static void
a_block_of_the_greatest_size_is_read_and_a_larger_one_refused(void **state)
{
    (void)state;
    for (unsigned larger = 0; larger < 2; larger++) {
        ink to = {0};
        put_section(&to, NULL);
        size_t at = block_begin(&to, 0x0bad);
        size_t size = FC_PCAPNG_BLOCK_MAX - 12 + 4 * larger;
        memset(fc_buf_reserve(&to.out, size), 7, size);
        fc_buf_commit(&to.out, size);
        block_end(&to, at);
        put_interface(&to, 1, 9, 0);
        fc_input *input = opened_ink(&to);
        fc_fail fail = {0};
        assert_int_equal(drain(input, &fail), larger ? FC_ERR_CORRUPT : FC_OK);
        fc_input_free(input);
    }
}

/* Each of them behind one whole packet, which counts. */
static void
lies_are_corrupt_and_name_the_byte(void **state)
{
    (void)state;
    static const struct {
        uint32_t words[16];
        size_t count;
    } lies[] = {
        // clang-format off
        {{6, 36, 0, 0, 0, 500, 5, 0, 36}, 9},              /* longer than its block */
        {{6, 36, 0, 0, 0, 0xfffffffd, 5, 0, 36}, 9},       /* and when rounded up, 0 */
        {{6, 36, 1, 0, 0, 4, 5, 0, 36}, 9},                /* an interface that is not there */
        {{6, 40, 0, 0, 0, 0, 0, 2 | 9u << 16, 0, 40}, 10}, /* an option longer than its block */
        {{6, 36, 0, 0, 0, 4, 5, 0, 40}, 9},                /* two lengths */
        {{6, 13, 0, 0, 0, 4, 5, 0, 13}, 9},
        {{6, 8, 0, 0}, 4},
        {{6, 12, 12}, 3},
        {{6, 0xfffffff0, 0, 0}, 4},
        {{1, 16, 1, 16}, 4},
        {{5, 16, 0, 16}, 4},
        {{FC_PCAPNG_SHB, 28, 0x12345678, 1, 0, 0, 28}, 7},
        {{FC_PCAPNG_SHB, 28, 0x1A2B3C4D, 2, 0, 0, 28}, 7},
        // clang-format on
    };
    for (size_t i = 0; i < FC_COUNT(lies); i++) {
        ink to = {0};
        put_many(&to, 1);
        char words[32];
        snprintf(words, sizeof words, "byte %zu", fc_buf_size(&to.out));
        for (size_t j = 0; j < lies[i].count; j++)
            put32(&to, lies[i].words[j]);
        fc_input *input = opened_ink(&to);
        fc_fail fail = {0};
        assert_int_equal(drain(input, &fail), FC_ERR_CORRUPT);
        assert_non_null(strstr(fail.text, "test.pcap"));
        assert_non_null(strstr(fail.text, words));
        assert_int_equal(fc_input_frames(input), 1);
        expect(input, FC_INPUT_END);
        fc_input_free(input);
    }
}

static void
the_texts_of_a_section_are_bounded(void **state)
{
    (void)state;
    ink to = {0};
    char *text = fc_alloc(65532);
    memset(text, 'x', 65532);
    put_section(&to, NULL);
    for (unsigned i = 0; i < 100; i++) {
        size_t at = block_begin(&to, FC_PCAPNG_IDB);
        put32(&to, 1);
        put32(&to, 0);
        put_option(&to, 3, text, 65532);
        block_end(&to, at);
    }
    fc_input *input = opened_ink(&to);
    expect(input, FC_INPUT_SECTION);
    unsigned kept = 0;
    for (unsigned i = 0; i < 100; i++)
        kept += expect(input, FC_INPUT_INTERFACE)->interface->description != NULL;
    assert_int_equal(kept, (4 << 20) / 65532);
    fc_input_free(input);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_every_resolution_become_nanoseconds),
        cmocka_unit_test(an_interface_is_read_with_all_that_it_says),
        cmocka_unit_test(statistics_are_read_in_the_clock_of_their_interface),
        cmocka_unit_test(sections_follow_each_other_and_unknown_blocks_are_skipped),
        cmocka_unit_test(a_block_of_the_greatest_size_is_read_and_a_larger_one_refused),
        cmocka_unit_test(lies_are_corrupt_and_name_the_byte),
        cmocka_unit_test(the_texts_of_a_section_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
