/* Writing, reading and repairing pcapng. */
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t packet_bytes[5] = {1, 2, 3, 4, 5};

static int
file_of(const void *bytes, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void
put_packet(fc_buf *out, uint32_t interface, int64_t unix_ns, uint32_t flags)
{
    uint8_t *at = fc_buf_reserve(out, fc_pcapng_packet_size(sizeof packet_bytes));
    fc_buf_commit(out,
                  fc_pcapng_put_packet(at, interface, unix_ns, packet_bytes, sizeof packet_bytes, 99, flags));
}

/* A section, two interfaces, three packets, statistics: as a segment of a capture looks. */
static void
put_small_file(fc_buf *out)
{
    const fc_pcapng_section section = {.application = "fleetcap"};
    const fc_pcapng_interface first = {.name = "eth0", .filter = "udp", .link_type = 1, .snaplen_bytes = 96};
    const fc_pcapng_interface second = {.name = "tun0", .link_type = 101};
    const fc_pcapng_statistics statistics = {.interface = 1, .at = {9}, .received = 3};
    fc_pcapng_put_section(out, &section);
    fc_pcapng_put_interface(out, &first);
    fc_pcapng_put_interface(out, &second);
    put_packet(out, 0, 1764000000123456789, FC_DIRECTION_INBOUND);
    put_packet(out, 1, 1764000000123456790, FC_DIRECTION_OUTBOUND);
    put_packet(out, 0, 1764000000123456780, FC_DIRECTION_UNKNOWN);
    fc_pcapng_put_statistics(out, &statistics);
}

static void
blocks_have_the_golden_bytes(void **state)
{
    (void)state;
    static const uint8_t golden[] = {
        /* section header: no length, os "L", application "fc" */
        0x0a, 0x0d, 0x0d, 0x0a, 0x30, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 3, 0, 1, 0, 'L', 0, 0, 0, 4, 0, 2, 0, 'f', 'c', 0, 0, 0, 0, 0, 0, 0x30, 0, 0,
        0,
        /* interface: Ethernet, 96 bytes; name, MAC, speed, nanoseconds, filter "ip" with its leading 0 */
        1, 0, 0, 0, 0x50, 0, 0, 0, 1, 0, 0, 0, 96, 0, 0, 0, 2, 0, 2, 0, 'l', 'o', 0, 0, 6, 0, 6, 0, 2, 0, 0,
        0, 0, 7, 0, 0, 8, 0, 8, 0, 0, 0xca, 0x9a, 0x3b, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 11, 0, 3, 0, 0,
        'i', 'p', 0, 1, 0, 1, 0, 'c', 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0,
        /* packet: high word of the time first; 5 bytes of 99, padded; flags */
        6, 0, 0, 0, 0x34, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 99, 0, 0, 0, 1, 2, 3, 4, 5,
        0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x34, 0, 0, 0,
        /* statistics: start, end, received, dropped by the interface, accepted, dropped by the system,
           delivered */
        5, 0, 0, 0, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3,
        0, 8, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0,
        0, 6, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 8, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0x70, 0, 0, 0};
    fc_buf out = {0};
    fc_pcapng_put_section(&out, &(fc_pcapng_section){.os = "L", .application = "fc"});
    fc_pcapng_put_interface(&out, &(fc_pcapng_interface){.name = "lo",
                                                         .filter = "ip",
                                                         .comment = "c",
                                                         .link_type = 1,
                                                         .snaplen_bytes = 96,
                                                         .mac = {2, 0, 0, 0, 0, 7},
                                                         .has_mac = true,
                                                         .speed_bps = 1000000000});
    put_packet(&out, 0, (1LL << 32) + 2, FC_DIRECTION_OUTBOUND);
    fc_pcapng_put_statistics(&out, &(fc_pcapng_statistics){.at = {3},
                                                           .start = {(1LL << 32) + 1},
                                                           .end = {2},
                                                           .received = 10,
                                                           .interface_dropped = 1,
                                                           .filter_accepted = 10,
                                                           .os_dropped = 2,
                                                           .delivered = 8});
    assert_int_equal(fc_buf_size(&out), sizeof golden);
    assert_memory_equal(fc_buf_bytes(&out), golden, sizeof golden);
    fc_buf_fini(&out);
}

static void
what_is_written_is_read_back(void **state)
{
    (void)state;
    fc_buf out = {0};
    put_small_file(&out);
    int fd = file_of(fc_buf_bytes(&out), fc_buf_size(&out));
    fc_pcapng_reader *reader = NULL;
    fc_pcapng_packet packet;
    assert_int_equal(fc_pcapng_reader_new(fd, &reader, NULL), FC_OK);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, NULL), FC_OK);
    assert_int_equal(packet.interface, 0);
    assert_int_equal(packet.link_type, 1);
    assert_true(packet.unix_ns == 1764000000123456789);
    assert_int_equal(packet.captured_bytes, 5);
    assert_int_equal(packet.original_bytes, 99);
    assert_int_equal(packet.flags, FC_DIRECTION_INBOUND);
    assert_memory_equal(packet.data, packet_bytes, 5);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, NULL), FC_OK);
    assert_int_equal(packet.link_type, 101);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, NULL), FC_OK);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, NULL), FC_ERR_NOT_FOUND);
    assert_int_equal(fc_pcapng_reader_good_offset(reader), fc_buf_size(&out));
    fc_pcapng_reader_free(reader);
    close(fd);
    fc_buf_fini(&out);
}

static void
the_other_byte_order_and_other_resolutions_are_read(void **state)
{
    (void)state;
    /* Big-endian; units of 2^-10 s, 100 s later than they say; then a default one (microseconds). */
    static const uint8_t file[] = {
        0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0, 0, 0, 28, 0, 0, 0, 1, 0, 0, 0, 40, 0, 101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0x8a, 0,
        0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 20, 0, 1, 0, 0, 0, 0,
        0, 2, 0, 0, 0, 20, 0, 0, 0, 6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 1, 0, 0, 0,
        9, 7, 0, 0, 0, 0, 0, 0, 36,
        /* the obsolete packet block, of interface 1 */
        0, 0, 0, 2, 0, 0, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 32, 0,
        0, 0, 3, 0, 0, 0, 20, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 20};
    int fd = file_of(file, sizeof file);
    fc_pcapng_reader *reader = NULL;
    fc_pcapng_packet packet;
    fc_fail fail = {0};
    assert_int_equal(fc_pcapng_reader_new(fd, &reader, &fail), FC_OK);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, &fail), FC_OK);
    assert_true(packet.unix_ns == 101500000000);
    assert_int_equal(packet.link_type, 101);
    assert_int_equal(packet.data[0], 7);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, &fail), FC_OK);
    assert_true(packet.unix_ns == 5000);
    assert_int_equal(packet.interface, 1);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, &fail), FC_OK);
    assert_int_equal(packet.captured_bytes, 2);
    assert_int_equal(packet.data[1], 2);
    assert_int_equal(fc_pcapng_reader_next(reader, &packet, &fail), FC_ERR_NOT_FOUND);
    fc_pcapng_reader_free(reader);
    close(fd);
}

/* Offset in the small file, and the 32-bit word that is put there. */
static void
lengths_that_lie_are_refused(void **state)
{
    (void)state;
    fc_buf out = {0};
    put_small_file(&out);
    uint32_t first_packet = 0;
    for (size_t at = 0; first_packet == 0; at += 4)
        if (memcmp(fc_buf_bytes(&out) + at, "\6\0\0\0\64\0\0\0\0\0\0\0", 12) == 0)
            first_packet = (uint32_t)at;
    const struct {
        uint32_t at, value;
    } lies[] = {
        {first_packet + 4, 0},
        {first_packet + 4, 8},
        {first_packet + 4, 53},
        {first_packet + 4, 56},
        {first_packet + 4, 0x01000004},
        {first_packet + 4, UINT32_MAX},
        {first_packet + 4, 0xfffffffc},
        {first_packet + 8, 2},
        {first_packet + 20, 6000},
        {first_packet + 20, 0xfffffffd},
        {first_packet + 20, UINT32_MAX},
        {first_packet + 36, 2u | 9u << 16},
        {first_packet + 36, 2u | 0xffffu << 16},
    };
    for (size_t i = 0; i < FC_COUNT(lies); i++) {
        uint8_t *copy = fc_alloc(fc_buf_size(&out));
        memcpy(copy, fc_buf_bytes(&out), fc_buf_size(&out));
        memcpy(copy + lies[i].at, &lies[i].value, 4);
        int fd = file_of(copy, fc_buf_size(&out));
        fc_pcapng_reader *reader = NULL;
        fc_pcapng_packet packet;
        fc_fail fail = {0};
        assert_int_equal(fc_pcapng_reader_new(fd, &reader, &fail), FC_OK);
        assert_int_equal(fc_pcapng_reader_next(reader, &packet, &fail), FC_ERR_CORRUPT);
        assert_int_equal(fc_pcapng_reader_good_offset(reader), first_packet);
        assert_true(strlen(fail.text) > 0);
        fc_pcapng_reader_free(reader);
        close(fd);
        free(copy);
    }
    fc_buf_fini(&out);
}

/* The whole blocks of the first `size` bytes, by their own lengths. */
static size_t
whole_blocks(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    for (uint32_t length; at + 8 <= size; at += length) {
        memcpy(&length, bytes + at + 4, 4);
        if (at + length > size)
            break;
    }
    return at;
}

static void
repair_cuts_to_the_last_whole_block_at_every_byte(void **state)
{
    (void)state;
    fc_buf out = {0};
    put_small_file(&out);
    const uint8_t *bytes = fc_buf_bytes(&out);
    uint32_t section, interface;
    memcpy(&section, bytes + 4, 4);
    memcpy(&interface, bytes + section + 4, 4);
    for (size_t size = 0; size <= fc_buf_size(&out); size++) {
        int fd = file_of(bytes, size);
        fc_pcapng_summary summary = {0};
        fc_fail fail = {0};
        fc_err err = fc_pcapng_repair(fd, &summary, &fail);
        off_t left = lseek(fd, 0, SEEK_END);
        if (size < section + interface) {
            assert_int_equal(err, FC_ERR_CORRUPT);
            assert_int_equal(left, size);
        } else {
            assert_int_equal(err, FC_OK);
            assert_int_equal(left, whole_blocks(bytes, size));
            assert_int_equal(summary.good_bytes, left);
            assert_int_equal(summary.cut_bytes, size - (size_t)left);
        }
        close(fd);
    }
    fc_buf_fini(&out);
}

static void
repair_counts_what_is_left(void **state)
{
    (void)state;
    fc_buf out = {0};
    put_small_file(&out);
    fc_buf_append(&out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* what a power failure leaves on ext4 */
    int fd = file_of(fc_buf_bytes(&out), fc_buf_size(&out));
    fc_pcapng_summary summary = {0};
    assert_int_equal(fc_pcapng_repair(fd, &summary, NULL), FC_OK);
    assert_int_equal(summary.packets, 3);
    assert_int_equal(summary.captured_bytes, 15);
    assert_int_equal(summary.cut_bytes, 16);
    assert_true(summary.first_packet.ns == 1764000000123456780);
    assert_true(summary.last_packet.ns == 1764000000123456790);
    close(fd);
    fc_buf_fini(&out);
}

static void
a_text_too_long_for_an_option_is_cut_at_a_character(void **state)
{
    (void)state;
    char *text = fc_alloc(70001);
    for (size_t i = 0; i < 70000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    fc_buf out = {0};
    fc_pcapng_put_section(&out, &(fc_pcapng_section){.comment = text});
    fc_pcapng_put_interface(&out, &(fc_pcapng_interface){.filter = text, .link_type = 1});
    int fd = file_of(fc_buf_bytes(&out), fc_buf_size(&out));
    assert_int_equal(fc_buf_bytes(&out)[26] | fc_buf_bytes(&out)[27] << 8, 65534);
    fc_pcapng_summary summary = {0};
    assert_int_equal(fc_pcapng_repair(fd, &summary, NULL), FC_OK);
    assert_int_equal(summary.good_bytes, fc_buf_size(&out));
    close(fd);
    fc_buf_fini(&out);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_have_the_golden_bytes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_other_byte_order_and_other_resolutions_are_read),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(repair_cuts_to_the_last_whole_block_at_every_byte),
        cmocka_unit_test(repair_counts_what_is_left),
        cmocka_unit_test(a_text_too_long_for_an_option_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
