/* The profiler behind the writer: what it sees, where it says that it was, what it leaves out. */
#include "common/analysis/analyzer.h"
#include "common/base/mem.h"
#include "node/capture/profiler.h"
#include "tests/temp_dir.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAME_BYTES = 54, BLOCK_BYTES = 32 + 56 + 12, TRIES_MS = 60000 };

typedef struct fixture {
    char dir[TEMP_DIR_BYTES];
    int dir_fd;
    cap_spec spec;
    fc_buf header;
    cap_writer *writer;
    cap_profiler *profiler;
    uint64_t sent;
} fixture;

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
    cap_profiler_free(f->profiler);
    cap_writer_free(f->writer);
    fc_buf_fini(&f->header);
    close(f->dir_fd);
    int status = temp_dir_remove(f->dir);
    free(f);
    return status;
}

static void
begin(fixture *f)
{
    fc_fail fail = {0};
    if (cap_writer_new(f->dir_fd, &f->spec, &f->header, &f->writer, &fail) != FC_OK ||
        cap_profiler_new(&f->spec, &f->header, f->writer, &f->profiler, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    cap_writer_set_profiler(f->writer, f->profiler);
    const fc_pcapng_statistics statistics = {.at = {2}, .start = {1}, .end = {2}, .received = 1};
    cap_writer_set_statistics(f->writer, &statistics, 1);
    assert_int_equal(cap_writer_start(f->writer, &fail), FC_OK);
}

/* A TCP segment between 10.0.0.1 (here) and 10.0.0.2, without data. */
static void
put_frame(cap_buffer *buffer, int64_t unix_ns, uint16_t port, bool outbound, uint8_t flags)
{
    uint8_t frame[FRAME_BYTES] = {[12] = 8, [14] = 0x45, [17] = 40, [22] = 64, [23] = 6};
    memcpy(frame + 26, outbound ? "\x0a\0\0\1\x0a\0\0\2" : "\x0a\0\0\2\x0a\0\0\1", 8);
    uint16_t here = htons(port), there = htons(443);
    memcpy(frame + 34, outbound ? &here : &there, 2);
    memcpy(frame + 36, outbound ? &there : &here, 2);
    frame[45] = outbound ? 0 : 1; /* acknowledges the SYN */
    frame[46] = 5 << 4;
    frame[47] = flags;
    buffer->span.size +=
        fc_pcapng_put_packet(buffer->data + buffer->span.size, 0, unix_ns, frame, sizeof frame, sizeof frame,
                             outbound ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND);
    buffer->span.packets++;
    buffer->span.bytes += sizeof frame;
    buffer->span.last_ns = unix_ns;
    if (buffer->span.first_ns == 0)
        buffer->span.first_ns = unix_ns;
}

/* A buffer of connections that are refused, two packets each, from local port `first` on; waits until it is
 * written. */
static void
send_refused(fixture *f, uint16_t first, uint16_t count)
{
    cap_buffer *buffer = cap_writer_take(f->writer);
    assert_non_null(buffer);
    for (uint16_t i = 0; i < count; i++) {
        int64_t at = 1000000000 + (first + i) * 1000;
        put_frame(buffer, at, (uint16_t)(first + i), true, 0x02);
        put_frame(buffer, at + 500, (uint16_t)(first + i), false, 0x14);
    }
    f->sent += buffer->span.packets;
    cap_writer_put(f->writer, buffer);
    cap_writer_status status = {0};
    for (int i = 0; i < TRIES_MS && status.outcome.written_packets < f->sent; i++) {
        cap_writer_get_status(f->writer, &status);
        (void)usleep(1000);
    }
    assert_int_equal(status.outcome.written_packets, f->sent);
}

/* The buffer that was sent is given back, as when the ring thread finds nothing else; it is handed on a
 * moment after it is written. */
static void
reclaim(fixture *f)
{
    size_t count = 0;
    for (int i = 0; i < TRIES_MS && count == 0; i++) {
        for (cap_buffer *buffer = cap_profiler_reclaim(f->profiler), *next; buffer != NULL; buffer = next) {
            next = buffer->next;
            cap_writer_give_back(f->writer, buffer);
            count++;
        }
        (void)usleep(1000);
    }
    assert_int_equal(count, 1);
}

/* Waits for the profile that has so many packets. */
static void
catch_up(fixture *f, uint64_t packets)
{
    uint64_t profiled = 0, revision = 0;
    for (int i = 0; i < TRIES_MS && profiled < packets; i++) {
        struct pollfd poller = {.fd = cap_profiler_event_fd(f->profiler), .events = POLLIN};
        fc_buf bytes = {0};
        (void)poll(&poller, 1, 1000);
        cap_profiler_clear_event(f->profiler);
        if (cap_profiler_take(f->profiler, &bytes, &revision)) {
            fc_profile *profile = NULL;
            assert_int_equal(fc_profile_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &profile, NULL),
                             FC_OK);
            profiled = profile->counters[FC_COUNTER_TCP_PACKETS];
            fc_profile_free(profile);
        }
        fc_buf_fini(&bytes);
    }
    assert_int_equal(profiled, packets);
}

static fc_profile *
end(fixture *f)
{
    fc_fail fail = {0};
    fc_buf bytes = {0};
    uint64_t revision = 0;
    fc_profile *profile = NULL;
    cap_writer_finish(f->writer);
    while (!cap_writer_join(f->writer))
        (void)usleep(1000);
    cap_writer_seal(f->writer, false);
    cap_profiler_finish(f->profiler, cap_writer_trailer(f->writer));
    while (!cap_profiler_join(f->profiler)) {
        struct pollfd poller = {.fd = cap_profiler_event_fd(f->profiler), .events = POLLIN};
        (void)poll(&poller, 1, 1000);
        cap_profiler_clear_event(f->profiler);
    }
    assert_true(cap_profiler_take(f->profiler, &bytes, &revision));
    assert_true(revision >= 1);
    if (fc_profile_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &profile, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    assert_false(cap_profiler_take(f->profiler, &bytes, &revision));
    fc_buf_fini(&bytes);
    return profile;
}

static void
start_profiler(fixture *f)
{
    fc_fail fail = {0};
    if (cap_profiler_start(f->profiler, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

static const fc_exemplar *
exemplar_of(const fc_profile *profile, uint16_t port)
{
    const fc_trouble *trouble = &profile->troubles[FC_TROUBLE_TCP_REFUSED];
    for (size_t i = 0; i < trouble->exemplar_count; i++)
        if (trouble->exemplars[i].local_port == port)
            return &trouble->exemplars[i];
    return NULL;
}

/* The frame of an exemplar is one of its connection's two. */
static void
expect_frame(const fc_profile *profile, uint16_t port, const char *file, uint64_t syn_frame)
{
    const fc_exemplar *exemplar = exemplar_of(profile, port);
    assert_non_null(exemplar);
    assert_in_range(exemplar->file, 0, profile->subject.file_count - 1);
    assert_string_equal(profile->subject.files[exemplar->file], file);
    assert_in_range(exemplar->frame, syn_frame, syn_frame + 1);
}

/* What the files themselves say, from one sequence to another. */
static fc_profile *
of_files(const fixture *f, uint32_t first, uint32_t last)
{
    fc_analyzer *analyzer = fc_analyzer_new(NULL);
    fc_profile *profile = fc_profile_new();
    for (uint32_t sequence = first; sequence <= last; sequence++) {
        char name[CAP_SEGMENT_NAME];
        fc_input *input = NULL;
        cap_segment_name(&f->spec, sequence, name);
        int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fc_input_open(fd, name, &input, NULL), FC_OK);
        assert_int_equal(fc_analyzer_input(analyzer, input, name, NULL), FC_OK);
        fc_input_free(input);
    }
    fc_analyzer_profile(analyzer, profile);
    fc_analyzer_free(analyzer);
    return profile;
}

static void
what_is_written_is_profiled(void **state)
{
    fixture *f = *state;
    begin(f);
    start_profiler(f);
    send_refused(f, 1000, 5);
    send_refused(f, 1005, 5);
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], 20);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 0);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_MATCHED], 1);
    assert_int_equal(profile->troubles[FC_TROUBLE_TCP_REFUSED].count, 10);
    expect_frame(profile, 1000, "web-1_02_45_37_0001.pcapng", 1);
    expect_frame(profile, 1007, "web-1_02_45_37_0001.pcapng", 15);
    fc_profile_free(profile);
}

static void
frames_are_numbered_in_the_file_where_they_are(void **state)
{
    fixture *f = *state;
    f->spec.segment_count = 100;
    f->spec.segment_bytes = fc_buf_size(&f->header) + 10 * BLOCK_BYTES + 200;
    begin(f);
    start_profiler(f);
    send_refused(f, 1000, 12); /* 24 packets: some 10 a file */
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], 24);
    assert_in_range(profile->subject.file_count, 3, 5);
    fc_profile *same = of_files(f, 1, (uint32_t)profile->subject.file_count);
    json_t *live = fc_profile_to_json(profile), *file = fc_profile_to_json(same);
    assert_true(json_equal(live, file));
    json_decref(live);
    json_decref(file);
    fc_profile_free(same);
    fc_profile_free(profile);
}

static void
what_was_given_back_is_counted_and_moves_the_frames_on(void **state)
{
    fixture *f = *state;
    begin(f);
    send_refused(f, 1000, 5);
    reclaim(f);
    send_refused(f, 2000, 5);
    start_profiler(f);
    assert_int_equal(cap_profiler_skipped(f->profiler), 10);
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], 10);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 10);
    assert_null(exemplar_of(profile, 1000));
    expect_frame(profile, 2000, "web-1_02_45_37_0001.pcapng", 11);
    fc_profile_free(profile);
}

static void
a_gap_over_several_files_ends_at_the_right_frame(void **state)
{
    fixture *f = *state;
    f->spec.segment_count = 100;
    f->spec.segment_bytes = fc_buf_size(&f->header) + 10 * BLOCK_BYTES + 200; /* some 10 packets */
    begin(f);
    for (uint16_t i = 0; i < 17; i++) {
        send_refused(f, (uint16_t)(2000 + i), 1);
        reclaim(f);
    }
    send_refused(f, 3000, 1);
    cap_writer_status status;
    cap_writer_get_status(f->writer, &status);
    start_profiler(f);
    fc_profile *profile = end(f), *all = of_files(f, 1, status.current.sequence);
    assert_true(status.current.sequence >= 3);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], 2);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 34);
    const fc_exemplar *live = exemplar_of(profile, 3000), *file = exemplar_of(all, 3000);
    assert_non_null(live);
    assert_non_null(file);
    assert_int_equal(live->frame, file->frame);
    assert_string_equal(profile->subject.files[live->file], all->subject.files[file->file]);
    fc_profile_free(profile);
    fc_profile_free(all);
}

static void
it_falls_behind_at_a_third_of_the_pool_and_catches_up_first(void **state)
{
    fixture *f = *state;
    begin(f);
    size_t share = cap_writer_buffer_count(f->writer) / CAP_PROFILE_SHARE;
    for (size_t i = 0; i < share + 3; i++)
        send_refused(f, (uint16_t)(1000 + 10 * i), 5);
    for (int i = 0; i < TRIES_MS && cap_profiler_skipped(f->profiler) < 3 * 10; i++)
        (void)usleep(1000);
    assert_int_equal(cap_profiler_skipped(f->profiler), 3 * 10);
    start_profiler(f);
    catch_up(f, share * 10);
    send_refused(f, 3000, 5);
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], (share + 1) * 10);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 30);
    const fc_trouble *trouble = &profile->troubles[FC_TROUBLE_TCP_REFUSED];
    assert_int_equal(trouble->count, (share + 1) * 5);
    fc_profile_free(profile);
}

/* One of those that are written is handed on only a moment later. */
static cap_buffer *
take_soon(fixture *f)
{
    cap_buffer *buffer = NULL;
    for (int i = 0; i < TRIES_MS && (buffer = cap_writer_take(f->writer)) == NULL; i++)
        (void)usleep(1000);
    assert_non_null(buffer);
    return buffer;
}

static void
the_ring_thread_takes_what_waits_when_nothing_else_is_free(void **state)
{
    fixture *f = *state;
    begin(f);
    for (uint16_t i = 0; i < 3; i++)
        send_refused(f, (uint16_t)(1000 + 10 * i), 5);
    size_t count = cap_writer_buffer_count(f->writer);
    cap_buffer *taken[CAP_BUFFER_COUNT_MAX];
    for (size_t i = 0; i < count; i++)
        taken[i] = take_soon(f);
    assert_null(cap_writer_take(f->writer));
    assert_int_equal(cap_profiler_skipped(f->profiler), 30);
    for (size_t i = 0; i < count; i++)
        cap_writer_give_back(f->writer, taken[i]);
    start_profiler(f);
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_TCP_PACKETS], 0);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 30);
    fc_profile_free(profile);
}

static void
in_a_hurry_what_waits_is_left_out(void **state)
{
    fixture *f = *state;
    begin(f);
    send_refused(f, 1000, 5);
    send_refused(f, 2000, 5);
    cap_profiler_hurry(f->profiler);
    start_profiler(f);
    fc_profile *profile = end(f);
    assert_int_equal(profile->counters[FC_COUNTER_CAPTURE_UNPROFILED], 20);
    assert_int_equal(cap_profiler_skipped(f->profiler), 20);
    fc_profile_free(profile);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_profiled),
        TEST(frames_are_numbered_in_the_file_where_they_are),
        TEST(what_was_given_back_is_counted_and_moves_the_frames_on),
        TEST(a_gap_over_several_files_ends_at_the_right_frame),
        TEST(it_falls_behind_at_a_third_of_the_pool_and_catches_up_first),
        TEST(the_ring_thread_takes_what_waits_when_nothing_else_is_free),
        TEST(in_a_hurry_what_waits_is_left_out),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
