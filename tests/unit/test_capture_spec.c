/* What the helper believes of the node, and the channel between them. */
#include "common/base/mem.h"
#include "node/capture/channel.h"
#include "node/capture/event.h"
#include "node/capture/spec.h"

#include <fleetcap/v1/helper.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char *interfaces[CAP_INTERFACES_MAX + 1];

/* A specification that is right; each test breaks one thing. */
static void
fill_spec(Fcpb__HelperSpec *message, Fcpb__CaptureSpec *limits)
{
    static char eth0[] = "eth0", uid[] = "0123456789abcdef0123456789abcdef", name[] = "dns",
                prefix[] = "web-1_02_45_37";
    fcpb__helper_spec__init(message);
    fcpb__capture_spec__init(limits);
    for (size_t i = 0; i < FC_COUNT(interfaces); i++)
        interfaces[i] = eth0;
    message->capture_uid = uid;
    message->capture_name = message->instance_id = message->instance_name = name;
    message->file_prefix = prefix;
    message->spec = limits;
    message->interfaces = interfaces;
    message->n_interfaces = 1;
}

static void
defaults_and_bounds_of_sizes(void **state)
{
    (void)state;
    Fcpb__HelperSpec message;
    Fcpb__CaptureSpec limits;
    cap_spec spec;
    fc_stop_reason reason;
    fill_spec(&message, &limits);
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, NULL), FC_OK);
    assert_int_equal(spec.snaplen_bytes, CAP_SNAPLEN_MAX);
    assert_int_equal(spec.ring_bytes, 64 << 20);
    assert_int_equal(spec.first_sequence, 1);
    assert_int_equal(spec.flush_interval_ms, 1000);
    assert_true(spec.session_bytes == UINT64_MAX && spec.packet_limit == UINT64_MAX);
    cap_spec_fini(&spec);
    limits.bytes_per_packet = UINT32_MAX;
    message.ring_bytes = UINT64_MAX;
    message.flush_interval_ms = 1;
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, NULL), FC_OK);
    assert_int_equal(spec.snaplen_bytes, CAP_SNAPLEN_MAX);
    assert_int_equal(spec.ring_bytes, CAP_RING_MAX_BYTES);
    assert_int_equal(spec.flush_interval_ms, CAP_FLUSH_MIN_MS);
    cap_spec_fini(&spec);
}

static void
limits_hold_over_a_resumed_capture(void **state)
{
    (void)state;
    Fcpb__HelperSpec message;
    Fcpb__CaptureSpec limits;
    cap_spec spec;
    fc_stop_reason reason;
    fc_fail fail = {0};
    fill_spec(&message, &limits);
    limits.session_bytes = 1000;
    limits.packet_limit = 10;
    message.written_bytes = 400;
    message.written_packets = 9;
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, NULL), FC_OK);
    assert_int_equal(spec.session_bytes, 600);
    assert_int_equal(spec.packet_limit, 1);
    cap_spec_fini(&spec);
    message.written_bytes = 1000;
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, &fail), FC_ERR_LIMIT);
    assert_int_equal(reason, FC_STOP_SESSION_BYTES);
    message.written_bytes = 0;
    message.written_packets = 11;
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, &fail), FC_ERR_LIMIT);
    assert_int_equal(reason, FC_STOP_PACKET_COUNT);
}

static void
what_cannot_be_is_refused_with_its_value(void **state)
{
    (void)state;
    enum { LONG = 300 };
    char long_text[LONG + 1];
    memset(long_text, 'a', LONG);
    long_text[LONG] = '\0';
    Fcpb__Ring none = FCPB__RING__INIT, many = FCPB__RING__INIT;
    many.file_count = CAP_RING_FILES_MAX + 1;
    many.file_size_bytes = 1000;
    for (unsigned wrong = 0; wrong < 16; wrong++) {
        Fcpb__HelperSpec message;
        Fcpb__CaptureSpec limits;
        cap_spec spec;
        fc_stop_reason reason;
        fc_fail fail = {0};
        fill_spec(&message, &limits);
        char *const broken[] = {
            [0] = (char *)(uintptr_t) "..",    [1] = (char *)(uintptr_t) "a/b",
            [2] = (char *)(uintptr_t) "",      [3] = long_text,
            [4] = (char *)(uintptr_t) "0123",  [5] = (char *)(uintptr_t) "../web",
            [6] = (char *)(uintptr_t) "web/1", [7] = long_text,
            [8] = (char *)(uintptr_t) "",      [9] = long_text,
            [10] = (char *)(uintptr_t) "a b",  [11] = (char *)(uintptr_t) "eth0",
        };
        if (wrong <= 3)
            message.instance_name = broken[wrong];
        else if (wrong == 4)
            message.capture_uid = broken[wrong];
        else if (wrong <= 7)
            message.file_prefix = broken[wrong];
        else if (wrong <= 10)
            interfaces[0] = broken[wrong];
        else if (wrong == 11)
            message.n_interfaces = 2; /* the same twice */
        else if (wrong == 12)
            message.n_interfaces = 0;
        else if (wrong == 13)
            message.n_interfaces = CAP_INTERFACES_MAX + 1;
        else if (wrong == 14)
            limits.ring = &none;
        else
            limits.ring = &many;
        assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, &fail), FC_ERR_INVALID);
        assert_int_equal(reason, FC_STOP_INTERNAL);
        assert_true(strlen(fail.text) > 10);
        assert_true(strlen(fail.field) > 3);
    }
    Fcpb__HelperSpec message = FCPB__HELPER_SPEC__INIT;
    cap_spec spec;
    fc_stop_reason reason;
    assert_int_equal(cap_spec_from_pb(&message, &spec, &reason, NULL), FC_ERR_INVALID);
}

/* ---- the channel ---- */

static size_t
pack_stop(uint8_t *to, Fcpb__StopReason reason)
{
    Fcpb__HelperStop stop = FCPB__HELPER_STOP__INIT;
    stop.reason = reason;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_STOP;
    command.stop = &stop;
    size_t size = fcpb__helper_command__pack(&command, to + 4);
    to[0] = to[1] = to[2] = 0;
    to[3] = (uint8_t)size;
    return size + 4;
}

static void
expect_stop(cap_channel *channel, Fcpb__StopReason reason)
{
    Fcpb__HelperCommand *command = cap_channel_take_command(channel);
    assert_non_null(command);
    assert_int_equal(command->body_case, FCPB__HELPER_COMMAND__BODY_STOP);
    assert_int_equal(command->stop->reason, reason);
    fcpb__helper_command__free_unpacked(command, NULL);
}

static void
commands_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    int pair[2];
    uint8_t bytes[64];
    cap_channel channel;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cap_channel_init(&channel, pair[0]);
    size_t size = pack_stop(bytes, FCPB__STOP_REASON__STOP_REASON_TIME_LIMIT);
    size += pack_stop(bytes + size, FCPB__STOP_REASON__STOP_REASON_DISK_FLOOR);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(send(pair[1], bytes + i, 1, 0), 1);
        cap_channel_read(&channel);
        if (i + 1 == size / 2)
            expect_stop(&channel, FCPB__STOP_REASON__STOP_REASON_TIME_LIMIT);
        else if (i + 1 < size)
            assert_null(cap_channel_take_command(&channel));
    }
    expect_stop(&channel, FCPB__STOP_REASON__STOP_REASON_DISK_FLOOR);
    close(pair[1]);
    assert_null(cap_channel_wait_command(&channel, 1000));
    assert_true(channel.closed);
    cap_channel_fini(&channel);
    close(pair[0]);
}

static void
what_is_no_command_closes_the_channel(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t size;
    } cases[] = {
        {{0, 1, 0, 1}, 4}, /* longer than a command may be */
        {{0xff, 0xff, 0xff, 0xff}, 4},
        {{0, 0, 0, 2, 0xff, 0xff}, 6}, /* not protobuf */
        {{0, 0, 0, 0}, 4},             /* no body */
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        int pair[2];
        cap_channel channel;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        cap_channel_init(&channel, pair[0]);
        assert_int_equal(send(pair[1], cases[i].bytes, cases[i].size, 0), (ssize_t)cases[i].size);
        cap_channel_read(&channel);
        assert_null(cap_channel_take_command(&channel));
        assert_true(channel.closed);
        cap_channel_fini(&channel);
        close(pair[0]);
        close(pair[1]);
    }
}

static void
a_node_that_does_not_read_blocks_nobody(void **state)
{
    (void)state;
    int pair[2];
    cap_channel channel;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cap_channel_init(&channel, pair[0]);
    const cap_segment segment = {.sequence = 7, .name = "web-1_02_45_37_0007.pcapng", .sealed = true};
    unsigned sent = 0;
    for (; !channel.closed && sent < 1000000; sent++)
        cap_event_segment(&channel, &segment);
    assert_true(sent > 1000);
    assert_true(channel.closed); /* at the limit, and not by growing for ever */
    cap_channel_fini(&channel);
    close(pair[0]);
    close(pair[1]);
}

static void
events_that_waited_arrive_whole_and_in_order(void **state)
{
    (void)state;
    enum { EVENTS = 5000 };
    int pair[2];
    cap_channel channel;
    fc_buf got = {0};
    uint32_t next = 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cap_channel_init(&channel, pair[0]);
    for (uint32_t sequence = 1; next <= EVENTS;) {
        if (sequence <= EVENTS) {
            const cap_segment segment = {
                .sequence = sequence++, .name = "web-1_02_45_37.pcapng", .sealed = true};
            cap_event_segment(&channel, &segment);
        } else {
            (void)cap_channel_send_more(&channel);
        }
        if (sequence < EVENTS && sequence % 700 != 0)
            continue;
        ssize_t read = recv(pair[1], fc_buf_reserve(&got, 1 << 16), 1 << 16, MSG_DONTWAIT);
        fc_buf_commit(&got, read > 0 ? (size_t)read : 0);
        while (fc_buf_size(&got) >= 4) {
            const uint8_t *at = fc_buf_bytes(&got);
            size_t size = (size_t)at[2] << 8 | at[3];
            if (fc_buf_size(&got) < 4 + size)
                break;
            Fcpb__HelperEvent *event = fcpb__helper_event__unpack(NULL, size, at + 4);
            assert_non_null(event);
            assert_int_equal(event->segment->segment->sequence, next++);
            fcpb__helper_event__free_unpacked(event, NULL);
            fc_buf_consume(&got, 4 + size);
        }
    }
    assert_false(channel.closed);
    fc_buf_fini(&got);
    cap_channel_fini(&channel);
    close(pair[0]);
    close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_bounds_of_sizes),
        cmocka_unit_test(limits_hold_over_a_resumed_capture),
        cmocka_unit_test(what_cannot_be_is_refused_with_its_value),
        cmocka_unit_test(commands_come_whole_however_they_are_cut),
        cmocka_unit_test(what_is_no_command_closes_the_channel),
        cmocka_unit_test(a_node_that_does_not_read_blocks_nobody),
        cmocka_unit_test(events_that_waited_arrive_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
