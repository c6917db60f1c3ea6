#include "tests/unit/test_pcapng_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

const uint8_t packet_bytes[PACKET_BYTES] = {1, 2, 3, 4, 5};
const int64_t first_ns = FIRST_S * 1000000000LL + 123456789;

int
file_of(const void *bytes, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

int
pipe_of(const void *bytes, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(size < 65536);
    assert_int_equal(write(ends[1], bytes, size), (ssize_t)size);
    close(ends[1]);
    return ends[0];
}

/* ---- writing what a test needs, in either byte order ---- */

void
put16(ink *to, uint16_t value)
{
    value = to->big ? __builtin_bswap16(value) : value;
    fc_buf_append(&to->out, &value, sizeof value);
}

void
put32(ink *to, uint32_t value)
{
    value = to->big ? __builtin_bswap32(value) : value;
    fc_buf_append(&to->out, &value, sizeof value);
}

void
put64(ink *to, uint64_t value)
{
    value = to->big ? __builtin_bswap64(value) : value;
    fc_buf_append(&to->out, &value, sizeof value);
}

void
put_bytes(ink *to, const void *bytes, size_t size)
{
    fc_buf_append(&to->out, bytes, size);
    fc_buf_append(&to->out, "\0\0\0", (4 - size % 4) % 4);
}

void
put_option(ink *to, uint16_t code, const void *value, size_t size)
{
    put16(to, code);
    put16(to, (uint16_t)size);
    put_bytes(to, value, size);
}

size_t
block_begin(ink *to, uint32_t type)
{
    size_t at = fc_buf_size(&to->out);
    put32(to, type);
    put32(to, 0);
    return at;
}

void
block_end(ink *to, size_t at)
{
    uint32_t size = (uint32_t)(fc_buf_size(&to->out) - at + 4);
    put32(to, size);
    memcpy(to->out.data + to->out.start + at + 4, to->out.data + to->out.end - 4, 4);
}

void
put_section(ink *to, const char *comment)
{
    size_t at = block_begin(to, FC_PCAPNG_SHB);
    put32(to, 0x1A2B3C4D);
    put16(to, 1);
    put16(to, 0);
    put64(to, UINT64_MAX);
    if (comment != NULL)
        put_option(to, 1, comment, strlen(comment));
    block_end(to, at);
}

void
put_interface(ink *to, uint16_t link_type, int resolution, int64_t offset_s)
{
    size_t at = block_begin(to, FC_PCAPNG_IDB);
    put16(to, link_type);
    put16(to, 0);
    put32(to, 0);
    if (resolution >= 0)
        put_option(to, 9, &(uint8_t){(uint8_t)resolution}, 1);
    if (offset_s != 0) {
        put16(to, 14);
        put16(to, 8);
        put64(to, (uint64_t)offset_s);
    }
    block_end(to, at);
}

void
put_packet(ink *to, uint32_t interface, uint64_t ticks)
{
    size_t at = block_begin(to, FC_PCAPNG_EPB);
    put32(to, interface);
    put32(to, (uint32_t)(ticks >> 32));
    put32(to, (uint32_t)ticks);
    put32(to, PACKET_BYTES);
    put32(to, 99);
    put_bytes(to, packet_bytes, PACKET_BYTES);
    block_end(to, at);
}

void
put_pcap_header(ink *to, uint32_t magic, uint32_t link)
{
    put32(to, magic);
    put16(to, 2);
    put16(to, 4);
    put64(to, 0);
    put32(to, 96);
    put32(to, link);
}

void
put_pcap_packet(ink *to, uint32_t s, uint32_t part)
{
    put32(to, s);
    put32(to, part);
    put32(to, PACKET_BYTES);
    put32(to, 99);
    fc_buf_append(&to->out, packet_bytes, PACKET_BYTES);
}

/* ---- reading ---- */

fc_input *
opened(int fd)
{
    fc_input *input = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_input_open(fd, "test.pcap", &input, &fail), FC_OK);
    return input;
}

fc_input *
opened_ink(ink *from)
{
    int fd = file_of(fc_buf_bytes(&from->out), fc_buf_size(&from->out));
    fc_buf_fini(&from->out);
    return opened(fd);
}

const fc_block *
expect(fc_input *input, fc_input_event wanted)
{
    fc_input_event event;
    const fc_block *block = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_input_next(input, &event, &block, &fail), FC_OK);
    assert_int_equal(event, wanted);
    return block;
}

void
expect_packet(fc_input *input, int64_t unix_ns)
{
    const fc_block *block = expect(input, FC_INPUT_FRAME);
    assert_true(block->frame.unix_ns == unix_ns);
    assert_int_equal(block->frame.captured_bytes, PACKET_BYTES);
    assert_int_equal(block->frame.original_bytes, 99);
    assert_memory_equal(block->frame.data, packet_bytes, PACKET_BYTES);
}

fc_err
drain(fc_input *input, fc_fail *fail)
{
    fc_input_event event = FC_INPUT_SECTION;
    const fc_block *block;
    fc_err err = FC_OK;
    while (err == FC_OK && event != FC_INPUT_END)
        err = fc_input_next(input, &event, &block, fail);
    return err;
}

void
expect_refused(int fd, const char *words)
{
    fc_input *input = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_input_open(fd, "odd.cap", &input, &fail), FC_ERR_INVALID);
    assert_null(input);
    assert_non_null(strstr(fail.text, "odd.cap"));
    assert_non_null(strstr(fail.text, words));
}

void
put_many(ink *to, unsigned count)
{
    put_section(to, NULL);
    put_interface(to, 1, 9, 0);
    for (unsigned i = 0; i < count; i++)
        put_packet(to, 0, (uint64_t)first_ns + i);
}

void
expect_many(fc_input *input, unsigned count)
{
    expect(input, FC_INPUT_SECTION);
    expect(input, FC_INPUT_INTERFACE);
    for (unsigned i = 0; i < count; i++)
        expect_packet(input, first_ns + i);
    expect(input, FC_INPUT_END);
    assert_int_equal(fc_input_frames(input), count);
}
