/* Segments: names, rotation at a block's edge, writes past the page cache, sealing. */
#include "common/base/mem.h"
#include "node/capture/segment.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PACKET_BYTES = 100, BLOCK_BYTES = 32 + 100 + 12, REPORTS_MAX = 64 };

typedef struct fixture {
    char dir[TEMP_DIR_BYTES];
    int dir_fd;
    cap_spec spec;
    cap_segments segments;
    cap_segment reports[REPORTS_MAX];
    size_t report_count;
    fc_buf header;
} fixture;

static void
take_report(void *user, const cap_segment *segment)
{
    fixture *f = user;
    assert_true(f->report_count < REPORTS_MAX);
    f->reports[f->report_count++] = *segment;
}

static int
set_up(void **state)
{
    fixture *f = FC_NEW(fixture);
    temp_dir_make(f->dir);
    if ((f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    f->spec = (cap_spec){.file_prefix = "web-1_02_45_37", .first_sequence = 1, .interface_count = 1};
    fc_pcapng_put_section(&f->header, &(fc_pcapng_section){.application = "test"});
    fc_pcapng_put_interface(&f->header, &(fc_pcapng_interface){.name = "eth0", .link_type = 1});
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    cap_segments_fini(&f->segments);
    fc_buf_fini(&f->header);
    close(f->dir_fd);
    int status = temp_dir_remove(f->dir);
    free(f);
    return status;
}

static void
open_segments(fixture *f)
{
    fc_fail fail = {0};
    if (cap_segments_open(&f->segments, f->dir_fd, &f->spec, &f->header, take_report, f, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    cap_segments_set_trailer(&f->segments, &(fc_pcapng_statistics){.at = {1}, .start = {1}, .end = {2}}, 1);
}

/* `count` packets from time `first` on, at a page's edge, with room for padding. Freed with munmap. */
static cap_span
make_packets(unsigned count, int64_t first, uint8_t **ret_memory)
{
    static const uint8_t packet[PACKET_BYTES];
    size_t size = (size_t)count * BLOCK_BYTES;
    uint8_t *memory =
        mmap(NULL, size + CAP_SEGMENT_PADDING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(fc_pcapng_put_packet(memory + (size_t)i * BLOCK_BYTES, 0, first + i, packet,
                                              PACKET_BYTES, PACKET_BYTES, FC_DIRECTION_INBOUND),
                         BLOCK_BYTES);
    *ret_memory = memory;
    return cap_span_measure(memory, size, SIZE_MAX);
}

static fc_pcapng_summary
summary_of(const fixture *f, const char *name)
{
    fc_pcapng_summary summary = {0};
    int fd = openat(f->dir_fd, name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fc_pcapng_repair(fd, &summary, NULL), FC_OK);
    assert_int_equal(summary.cut_bytes, 0);
    close(fd);
    return summary;
}

static void
a_span_is_measured_at_block_edges(void **state)
{
    (void)state;
    uint8_t *memory;
    cap_span all = make_packets(10, 50, &memory);
    assert_int_equal(all.packets, 10);
    assert_int_equal(all.bytes, 10 * PACKET_BYTES);
    assert_true(all.first_ns == 50 && all.last_ns == 59);
    for (size_t limit = 0; limit <= all.size; limit++) {
        cap_span part = cap_span_measure(memory, all.size, limit);
        assert_int_equal(part.packets, limit / BLOCK_BYTES);
        assert_int_equal(part.size, limit / BLOCK_BYTES * BLOCK_BYTES);
    }
    munmap(memory, all.size + CAP_SEGMENT_PADDING);
}

static void
a_segment_is_a_part_until_it_is_sealed(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span blocks = make_packets(10, 50, &memory), kept;
    open_segments(f);
    assert_int_equal(faccessat(f->dir_fd, "web-1_02_45_37_0001.pcapng.part", F_OK, 0), 0);
    assert_int_equal(cap_segments_append(&f->segments, blocks, &kept, NULL), FC_OK);
    assert_int_equal(kept.packets, 10);
    assert_int_equal(summary_of(f, "web-1_02_45_37_0001.pcapng.part").packets, 10);
    assert_int_equal(cap_segments_seal(&f->segments, NULL), FC_OK);
    assert_int_equal(f->report_count, 1);
    assert_true(f->reports[0].sealed);
    assert_string_equal(f->reports[0].name, "web-1_02_45_37_0001.pcapng");
    assert_true(f->reports[0].first_ns == 50 && f->reports[0].last_ns == 59);
    assert_int_equal(summary_of(f, f->reports[0].name).good_bytes, f->reports[0].size_bytes);
    assert_int_not_equal(faccessat(f->dir_fd, "web-1_02_45_37_0001.pcapng.part", F_OK, 0), 0);
    munmap(memory, blocks.size + CAP_SEGMENT_PADDING);
}

static void
one_buffer_may_fill_many_segments(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span blocks = make_packets(200, 1000, &memory), kept;
    f->spec.segment_count = 3;
    f->spec.segment_bytes = 4096;
    open_segments(f);
    assert_false(cap_segments_append_direct(&f->segments, memory, blocks));
    assert_int_equal(cap_segments_append(&f->segments, blocks, &kept, NULL), FC_OK);
    assert_int_equal(kept.packets, 200);
    assert_int_equal(cap_segments_seal(&f->segments, NULL), FC_OK);
    uint64_t packets = 0, size = 0;
    uint32_t sealed = 0, removed = 0;
    for (size_t i = 0; i < f->report_count; i++) {
        const cap_segment *segment = &f->reports[i];
        if (segment->removed) {
            assert_int_equal(segment->sequence, ++removed);
            continue;
        }
        assert_int_equal(segment->sequence, ++sealed);
        assert_true(segment->size_bytes <= 4096);
        packets += segment->packets;
    }
    assert_int_equal(packets, 200);
    assert_int_equal(removed, sealed - 3);
    for (size_t i = 0; i < f->report_count; i++)
        if (!f->reports[i].removed && f->reports[i].sequence > removed)
            size += summary_of(f, f->reports[i].name).good_bytes;
    assert_int_equal(size, f->segments.total_bytes);
    munmap(memory, blocks.size + CAP_SEGMENT_PADDING);
}

static void
it_is_told_where_blocks_went(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span blocks = make_packets(200, 1000, &memory), kept;
    static cap_track track;
    f->spec.segment_count = 100;
    f->spec.segment_bytes = 4096;
    open_segments(f);
    f->segments.track = &track;
    assert_int_equal(cap_segments_append(&f->segments, blocks, &kept, NULL), FC_OK);
    uint64_t packets = 0;
    for (size_t i = 0; i < track.count; i++) {
        const cap_piece *piece = &track.pieces[i];
        assert_int_equal(piece->sequence, i + 1);
        assert_int_equal(piece->first_frame, 1);
        assert_ptr_equal(piece->data, memory + packets * BLOCK_BYTES);
        assert_int_equal(piece->size, piece->packets * BLOCK_BYTES);
        packets += piece->packets;
    }
    assert_int_equal(packets, 200);
    const cap_segment current = f->segments.current;
    assert_int_equal(
        cap_segments_append(&f->segments, cap_span_measure(memory, blocks.size, BLOCK_BYTES), &kept, NULL),
        FC_OK);
    const cap_piece *last = &track.pieces[track.count - 1];
    assert_int_equal(last->first_frame, last->sequence == current.sequence ? current.packets + 1 : 1);
    munmap(memory, blocks.size + CAP_SEGMENT_PADDING);
}

static void
what_there_is_no_room_to_tell_is_counted(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span blocks = make_packets(CAP_PIECES_MAX + 10, 1000, &memory), kept;
    static cap_track track;
    f->spec.segment_count = 100;
    f->spec.segment_bytes = 10; /* a packet each */
    open_segments(f);
    f->segments.track = &track;
    assert_int_equal(cap_segments_append(&f->segments, blocks, &kept, NULL), FC_OK);
    assert_int_equal(track.count, CAP_PIECES_MAX);
    assert_int_equal(track.untold, 10);
    munmap(memory, blocks.size + CAP_SEGMENT_PADDING);
}

static void
a_packet_larger_than_a_segment_has_one_of_its_own(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span blocks = make_packets(3, 1000, &memory), kept;
    f->spec.segment_count = 5;
    f->spec.segment_bytes = 10;
    open_segments(f);
    assert_int_equal(cap_segments_append(&f->segments, blocks, &kept, NULL), FC_OK);
    assert_int_equal(cap_segments_seal(&f->segments, NULL), FC_OK);
    assert_int_equal(f->report_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->reports[i].packets, 1);
    munmap(memory, blocks.size + CAP_SEGMENT_PADDING);
}

static void
large_and_small_writes_mix(void **state)
{
    fixture *f = *state;
    uint8_t *memory;
    cap_span many = make_packets(5000, 1000, &memory), kept;
    open_segments(f);
    for (unsigned round = 0; round < 3; round++) {
        cap_span few = cap_span_measure(memory, many.size, (7 + round) * BLOCK_BYTES);
        if (!cap_segments_append_direct(&f->segments, memory, many)) /* a file system without O_DIRECT */
            assert_int_equal(cap_segments_append(&f->segments, many, &kept, NULL), FC_OK);
        assert_false(cap_segments_append_direct(&f->segments, memory, few));
        assert_int_equal(cap_segments_append(&f->segments, few, &kept, NULL), FC_OK);
        assert_int_equal(summary_of(f, "web-1_02_45_37_0001.pcapng.part").good_bytes,
                         f->segments.current.size_bytes);
    }
    assert_int_equal(cap_segments_seal(&f->segments, NULL), FC_OK);
    fc_pcapng_summary summary = summary_of(f, f->reports[0].name);
    assert_int_equal(summary.packets, 3 * 5000 + 7 + 8 + 9);
    assert_int_equal(summary.packets, f->reports[0].packets);
    assert_int_equal(summary.captured_bytes, summary.packets * PACKET_BYTES);
    munmap(memory, many.size + CAP_SEGMENT_PADDING);
}

static void
evidence_is_never_overwritten(void **state)
{
    fixture *f = *state;
    fc_fail fail = {0};
    int fd = openat(f->dir_fd, "web-1_02_45_37_0001.pcapng", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "evidence", 8), 8);
    close(fd);
    open_segments(f);
    assert_int_equal(cap_segments_seal(&f->segments, &fail), FC_ERR_EXISTS);
    struct stat status;
    assert_int_equal(fstatat(f->dir_fd, "web-1_02_45_37_0001.pcapng", &status, 0), 0);
    assert_int_equal(status.st_size, 8);
    assert_int_equal(f->report_count, 0);
    cap_segments_fini(&f->segments);
    assert_int_equal(cap_segments_open(&f->segments, f->dir_fd, &f->spec, &f->header, take_report, f, &fail),
                     FC_ERR_EXISTS);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_span_is_measured_at_block_edges), TEST(a_segment_is_a_part_until_it_is_sealed),
        TEST(it_is_told_where_blocks_went),      TEST(what_there_is_no_room_to_tell_is_counted),
        TEST(one_buffer_may_fill_many_segments), TEST(a_packet_larger_than_a_segment_has_one_of_its_own),
        TEST(large_and_small_writes_mix),        TEST(evidence_is_never_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
