/* Captures of any kind as input: pcap and pcapng, from files and pipes, compressed, cut off, refused. */
#include "common/base/mem.h"
#include "tests/unit/test_pcapng_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

static void
pcap_of_every_magic_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool big = i & 1, nanoseconds = i & 2;
        ink to = {.big = big};
        put_pcap_header(&to, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 1);
        put_pcap_packet(&to, FIRST_S, nanoseconds ? 123456789 : 123456);
        fc_input *input = opened_ink(&to);
        expect(input, FC_INPUT_SECTION);
        const fc_block *block = expect(input, FC_INPUT_INTERFACE);
        assert_int_equal(block->interface->link_type, 1);
        assert_int_equal(block->interface->snaplen_bytes, 96);
        assert_int_equal(block->interface->ticks_per_second, nanoseconds ? 1000000000 : 1000000);
        expect_packet(input, nanoseconds ? first_ns : first_ns - 789);
        expect(input, FC_INPUT_END);
        expect(input, FC_INPUT_END);
        assert_false(fc_input_was_cut(input));
        assert_int_equal(fc_input_frames(input), 1);
        fc_input_free(input);
    }
}

static void
raw_ip_by_its_other_numbers_is_raw_ip(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {12, 14, 101, 0xf4000000 | 101};
    for (size_t i = 0; i < FC_COUNT(numbers); i++) {
        ink to = {0};
        put_pcap_header(&to, 0xa1b2c3d4, numbers[i]);
        fc_input *input = opened_ink(&to);
        expect(input, FC_INPUT_SECTION);
        assert_int_equal(expect(input, FC_INPUT_INTERFACE)->interface->link_type, 101);
        fc_input_free(input);
    }
}

static void
a_file_larger_than_the_buffer_is_read_to_its_end(void **state)
{
    (void)state;
    ink to = {0};
    put_many(&to, 100000);
    fc_input *input = opened_ink(&to);
    expect_many(input, 100000);
    assert_false(fc_input_was_cut(input));
    fc_input_free(input);
}

static void
a_pipe_is_read_like_a_file(void **state)
{
    (void)state;
    ink to = {0};
    put_many(&to, 1000);
    fc_input *input = opened(pipe_of(fc_buf_bytes(&to.out), fc_buf_size(&to.out)));
    fc_buf_fini(&to.out);
    expect_many(input, 1000);
    fc_input_free(input);
}

/* Compresses what the ink has written, as `frames` frames of zstd behind each other. */
static void
compress(ink *to, unsigned frames, fc_buf *ret_out)
{
    size_t size = fc_buf_size(&to->out), part = size / frames + 1;
    for (size_t at = 0; at < size; at += part) {
        size_t length = size - at < part ? size - at : part, bound = ZSTD_compressBound(length);
        size_t got =
            ZSTD_compress(fc_buf_reserve(ret_out, bound), bound, fc_buf_bytes(&to->out) + at, length, 3);
        assert_false(ZSTD_isError(got));
        fc_buf_commit(ret_out, got);
    }
    fc_buf_fini(&to->out);
}

static void
compressed_files_are_read_frame_after_frame(void **state)
{
    (void)state;
    for (unsigned frames = 1; frames < 5; frames++) {
        ink to = {0};
        fc_buf out = {0};
        put_many(&to, 60000);
        fc_buf_append(&out, "\x51\x2a\x4d\x18\3\0\0\0abc",
                      frames > 2 ? 11 : 0); /* a skippable frame, as pzstd writes */
        compress(&to, frames, &out);
        fc_input *input = opened(file_of(fc_buf_bytes(&out), fc_buf_size(&out)));
        expect_many(input, 60000);
        assert_false(fc_input_was_cut(input));
        fc_input_free(input);
        fc_buf_fini(&out);
    }
}

static void
a_compressed_pcap_is_read(void **state)
{
    (void)state;
    ink to = {0};
    fc_buf out = {0};
    put_pcap_header(&to, 0xa1b23c4d, 1);
    put_pcap_packet(&to, FIRST_S, 123456789);
    compress(&to, 1, &out);
    fc_input *input = opened(pipe_of(fc_buf_bytes(&out), fc_buf_size(&out)));
    expect(input, FC_INPUT_SECTION);
    expect(input, FC_INPUT_INTERFACE);
    expect_packet(input, first_ns);
    expect(input, FC_INPUT_END);
    fc_input_free(input);
    fc_buf_fini(&out);
}

static void
a_compressed_file_that_was_cut_says_so_and_a_broken_one_is_corrupt(void **state)
{
    (void)state;
    ink to = {0};
    fc_buf out = {0};
    put_many(&to, 60000);
    compress(&to, 4, &out);
    size_t size = fc_buf_size(&out);
    fc_input *input = opened(file_of(fc_buf_bytes(&out), size / 2));
    fc_fail fail = {0};
    assert_int_equal(drain(input, &fail), FC_OK);
    assert_true(fc_input_was_cut(input));
    assert_true(fc_input_frames(input) > 15000 && fc_input_frames(input) < 45000);
    fc_input_free(input);
    memset(out.data + out.start + size / 2, 0xff, 64);
    input = opened(file_of(fc_buf_bytes(&out), size));
    assert_int_equal(drain(input, &fail), FC_ERR_CORRUPT);
    assert_non_null(strstr(fail.text, "decompress"));
    expect(input, FC_INPUT_END);
    assert_true(fc_input_frames(input) > 10000);
    fc_input_free(input);
    fc_buf_fini(&out);
}

static void
a_window_larger_than_128_mib_is_refused(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0x01, 0x00, 0x00}; /* window: 2^28 */
    fc_input *input = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_input_open(file_of(frame, sizeof frame), "wide.zst", &input, &fail), FC_ERR_CORRUPT);
    assert_non_null(strstr(fail.text, "wide.zst"));
}

static void
what_is_cut_at_any_byte_ends_at_its_last_whole_packet(void **state)
{
    (void)state;
    for (unsigned pcap = 0; pcap < 2; pcap++) {
        ink to = {0};
        size_t ends[4], smallest;
        if (pcap)
            put_pcap_header(&to, 0xa1b23c4d, 1);
        else
            put_many(&to, 0);
        smallest = pcap ? fc_buf_size(&to.out) : 28;
        for (unsigned i = 0; i < 4; i++) {
            if (pcap)
                put_pcap_packet(&to, FIRST_S, i);
            else
                put_packet(&to, 0, (uint64_t)first_ns);
            ends[i] = fc_buf_size(&to.out);
        }
        for (size_t size = smallest; size <= ends[3]; size++) {
            fc_input *input = opened(pipe_of(fc_buf_bytes(&to.out), size));
            fc_fail fail = {0};
            uint64_t whole = 0;
            bool at_border = size == smallest;
            for (unsigned i = 0; i < 4; i++) {
                whole += size >= ends[i];
                at_border = at_border || size == ends[i];
            }
            assert_int_equal(drain(input, &fail), FC_OK);
            assert_int_equal(fc_input_frames(input), whole);
            if (size != smallest && (pcap || size > ends[0] - 40))
                assert_int_equal(fc_input_was_cut(input), !at_border);
            fc_input_free(input);
        }
        fc_buf_fini(&to.out);
    }
}

static void
zeros_at_the_end_are_a_cut_not_a_lie(void **state)
{
    (void)state;
    for (unsigned pcap = 0; pcap < 2; pcap++) {
        ink to = {0};
        if (pcap)
            put_pcap_header(&to, 0xa1b23c4d, 1);
        else
            put_many(&to, 0);
        for (unsigned i = 0; i < 1000; i++)
            put32(&to, 0);
        fc_input *input = opened_ink(&to);
        fc_fail fail = {0};
        assert_int_equal(drain(input, &fail), FC_OK);
        assert_true(fc_input_was_cut(input));
        fc_input_free(input);
    }
}

static void
a_look_at_the_beginning_costs_nothing_of_it(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        ink to = {0};
        fc_buf out = {0};
        unsigned count = kind < 4 ? 500 : 60000;
        if (kind < 2) {
            put_pcap_header(&to, 0xa1b23c4d, 1);
            for (unsigned i = 0; i < count; i++)
                put_pcap_packet(&to, FIRST_S, 123456789 + i);
        } else {
            put_many(&to, count);
        }
        if (kind % 2 == 1)
            compress(&to, 3, &out);
        else
            out = to.out;
        fc_input *input = opened(kind < 4 ? pipe_of(fc_buf_bytes(&out), fc_buf_size(&out))
                                          : file_of(fc_buf_bytes(&out), fc_buf_size(&out)));
        fc_fail fail = {0};
        fc_input_look(input);
        if (kind % 3 == 0)
            assert_int_equal(drain(input, &fail), FC_OK);
        else
            for (unsigned i = 0; i < 400; i++)
                (void)expect(input, i == 0 ? FC_INPUT_SECTION : i == 1 ? FC_INPUT_INTERFACE : FC_INPUT_FRAME);
        assert_true(fc_input_looked_bytes(input) > 300 * 20);
        fc_input_rewind(input);
        expect_many(input, count);
        assert_false(fc_input_was_cut(input));
        fc_input_free(input);
        fc_buf_fini(&out);
    }
}

static void
what_a_look_found_broken_is_broken_again(void **state)
{
    (void)state;
    ink to = {0};
    fc_buf out = {0};
    put_many(&to, 60000);
    compress(&to, 4, &out);
    size_t size = fc_buf_size(&out);
    for (unsigned cut = 0; cut < 2; cut++) {
        if (!cut)
            memset(out.data + out.start + size / 2, 0xff, 64);
        fc_input *input = opened(file_of(fc_buf_bytes(&out), cut ? size / 4 : size));
        fc_fail first = {0}, again = {0};
        fc_input_look(input);
        fc_err err = drain(input, &first);
        uint64_t frames = fc_input_frames(input);
        assert_int_equal(err, cut ? FC_OK : FC_ERR_CORRUPT);
        fc_input_rewind(input);
        assert_int_equal(drain(input, &again), err);
        assert_string_equal(again.text, first.text);
        assert_int_equal(fc_input_frames(input), frames);
        assert_int_equal(fc_input_was_cut(input), cut);
        fc_input_free(input);
    }
    fc_buf_fini(&out);
}

static void
what_is_no_capture_is_refused_with_its_name_and_why(void **state)
{
    (void)state;
    expect_refused(file_of("", 0), "is empty");
    expect_refused(file_of("\xd4\xc3", 2), "2 bytes are not a capture");
    expect_refused(file_of("#!/bin/sh\necho hello world\n", 27), "begins with 23 21 2f 62");
    expect_refused(file_of("\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25), "gzip");
    expect_refused(file_of("\x34\xcd\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25), "modified");
    expect_refused(file_of("\xd4\xc3\xb2\xa1\2\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25), "version 2.2");
    expect_refused(file_of("\x0a\x0d\x0d\x0a\x1c\0\0\0\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0", 25),
                   "0a 0d 0d 0a");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcap_of_every_magic_is_read),
        cmocka_unit_test(raw_ip_by_its_other_numbers_is_raw_ip),
        cmocka_unit_test(a_file_larger_than_the_buffer_is_read_to_its_end),
        cmocka_unit_test(a_pipe_is_read_like_a_file),
        cmocka_unit_test(compressed_files_are_read_frame_after_frame),
        cmocka_unit_test(a_compressed_pcap_is_read),
        cmocka_unit_test(a_compressed_file_that_was_cut_says_so_and_a_broken_one_is_corrupt),
        cmocka_unit_test(a_window_larger_than_128_mib_is_refused),
        cmocka_unit_test(what_is_cut_at_any_byte_ends_at_its_last_whole_packet),
        cmocka_unit_test(zeros_at_the_end_are_a_cut_not_a_lie),
        cmocka_unit_test(a_look_at_the_beginning_costs_nothing_of_it),
        cmocka_unit_test(what_a_look_found_broken_is_broken_again),
        cmocka_unit_test(what_is_no_capture_is_refused_with_its_name_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
