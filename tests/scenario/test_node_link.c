/* The node's connection to a coordinator: what it is told and reports, and what it makes of refusals. */
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "link_rig.h"
#include "node/service.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG_BYTES = 3 * 1024 * 1024 + 17 };

static void
a_capture_is_run_and_stopped_over_the_wire(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_PROVISIONING);
    push(w, 2, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, w->state == FCPB__STATE__STATE_RUNNING);
    push(w, 3, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
    assert_int_equal(w->reason, FCPB__STOP_REASON__STOP_REASON_STOP_REQUESTED);
    push(w, 4, FCPB__DESIRED_ACTION__DESIRED_ACTION_PURGE, 0);
    UNTIL(w, nd_node_capture_count(w->node) == 0);
}

static void
counters_come_at_most_once_an_interval_and_heartbeats_go_on(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, w->state == FCPB__STATE__STATE_RUNNING);
    size_t before = w->reports;
    int64_t from = now_ns();
    size_t beats = w->heartbeats;
    UNTIL(w, w->reports >= before + 6); /* the helper speaks fifty times a second */
    assert_in_range(w->reports - before, 6, (now_ns() - from) / FC_NS_PER_MS / INTERVAL_MS + 2);
    UNTIL(w, w->heartbeats > beats);
}

static void
after_a_lost_connection_everything_is_told_again(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    push(w, 7, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, w->state == FCPB__STATE__STATE_RUNNING);
    push(w, 8, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    w->state = FCPB__STATE__STATE_UNSPECIFIED;
    UNTIL(w, w->hellos == 2);
    assert_int_equal(w->hello_generation, 8);
    assert_int_equal(w->hello_captures, 1);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
}

static void
a_report_that_was_not_taken_is_sent_again(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    w->refuse_reports = true;
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    for (int i = 0; i < 40; i++)
        fc_loop_step(w->loop, 5);
    assert_int_equal(w->reports, 0);
    w->refuse_reports = false;
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
}

static void
a_refused_hello_is_not_hammered(void **state)
{
    world *w = *state;
    w->refuse_hello = true;
    UNTIL(w, w->hellos == 1);
    go_on(w, 1000);
    assert_int_equal(w->hellos, 1);
    assert_false(nd_link_ready(w->link));
}

static void
a_desired_state_that_makes_no_sense_is_refused_and_changes_nothing(void **state)
{
    world *w = *state;
    Fcpb__DesiredCapture one = FCPB__DESIRED_CAPTURE__INIT, *list[] = {&one};
    Fcpb__DesiredState desired = FCPB__DESIRED_STATE__INIT;
    UNTIL(w, nd_link_ready(w->link));
    one.capture_uid = "../../etc/passwd";
    one.capture_name = "x";
    one.action = FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN;
    desired.generation = 9;
    desired.captures = list;
    desired.n_captures = 1;
    call(w, FC_METHOD_SET_DESIRED, &desired.base);
    assert_int_equal(w->status.code, FC_CODE_INVALID_ARGUMENT);
    assert_int_equal(nd_node_generation(w->node), 0);
    assert_int_equal(nd_node_capture_count(w->node), 0);
}

static void
read_from(world *w, uint32_t sequence, uint64_t offset)
{
    Fcpb__ReadSegmentRequest request = FCPB__READ_SEGMENT_REQUEST__INIT;
    request.capture_uid = (char *)(uintptr_t)UID;
    request.sequence = sequence;
    request.offset = offset;
    fc_buf_clear(&w->read);
    w->next_offset = offset;
    call(w, FC_METHOD_READ_SEGMENT, &request.base);
}

static void
a_sealed_segment_is_read_from_any_offset(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, w->state == FCPB__STATE__STATE_RUNNING);
    UNTIL(w, nd_node_find(w->node, UID)->status.segment_count > 0);
    read_from(w, 1, 0);
    assert_int_equal(w->status.code, FC_CODE_FAILED_PRECONDITION);
    push(w, 2, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
    /* The played helper writes nothing: a file with known bytes takes the place of its segment. */
    const nd_instance_capture *capture = nd_node_find(w->node, UID);
    char *path = fc_sprintf("%s/%s", w->root, capture->status.segments[0].path);
    uint8_t *bytes = fc_alloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal(fc_file_write_all(fd, bytes, BIG_BYTES), FC_OK);
    close(fd);
    static const uint64_t offsets[] = {0, 1, ND_CHUNK_BYTES, BIG_BYTES - 1, BIG_BYTES};
    for (size_t i = 0; i < FC_COUNT(offsets); i++) {
        read_from(w, 1, offsets[i]);
        assert_int_equal(w->status.code, FC_CODE_OK);
        assert_int_equal(fc_buf_size(&w->read), BIG_BYTES - offsets[i]);
        if (fc_buf_size(&w->read) > 0)
            assert_memory_equal(fc_buf_bytes(&w->read), bytes + offsets[i], BIG_BYTES - offsets[i]);
    }
    read_from(w, 1, BIG_BYTES + 1);
    assert_int_equal(w->status.code, FC_CODE_OUT_OF_RANGE);
    read_from(w, 2, 0);
    assert_int_equal(w->status.code, FC_CODE_NOT_FOUND);
    free(bytes);
    free(path);
}

static void
a_shutdown_is_reported_before_the_end(void **state)
{
    world *w = *state;
    size_t done = 0;
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, w->state == FCPB__STATE__STATE_RUNNING);
    nd_node_shutdown(w->node, count_done, &done);
    UNTIL(w, done == 1);
    nd_link_flush(w->link, 2 * PATIENCE_MS, count_done, &done);
    UNTIL(w, done == 2);
    assert_int_equal(w->state, FCPB__STATE__STATE_STOPPED);
    assert_int_equal(w->reason, FCPB__STOP_REASON__STOP_REASON_NODE_SHUTDOWN);
}

static void
versions_and_features_are_told_in_hello(void **state)
{
    world *w = *state;
    UNTIL(w, nd_link_ready(w->link));
    assert_int_equal(w->hello_min, FC_PROTOCOL_VERSION_MIN);
    assert_int_equal(w->hello_max, FC_PROTOCOL_VERSION);
    assert_int_equal(w->hello_features, FC_FEATURE_COUNT);
    /* This coordinator says nothing of features: it is taken for one that is as old as that. */
    assert_true(nd_link_can(w->link, FC_FEATURE_EVIDENCE));
    assert_false(nd_link_can(w->link, FC_FEATURE_RENEWAL));
    w->features = "renewal";
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    UNTIL(w, !nd_link_ready(w->link));
    assert_false(nd_link_can(w->link, FC_FEATURE_EVIDENCE));
    UNTIL(w, nd_link_ready(w->link));
    assert_true(nd_link_can(w->link, FC_FEATURE_RENEWAL));
    assert_false(nd_link_can(w->link, FC_FEATURE_EVIDENCE));
}

static void
a_version_that_was_never_offered_is_not_spoken(void **state)
{
    world *w = *state;
    w->speaks = 2;
    UNTIL(w, w->hellos == 1);
    go_on(w, 1000);
    assert_int_equal(w->hellos, 1);
    assert_false(nd_link_ready(w->link));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_capture_is_run_and_stopped_over_the_wire),
        IN_WORLD(counters_come_at_most_once_an_interval_and_heartbeats_go_on),
        IN_WORLD(after_a_lost_connection_everything_is_told_again),
        IN_WORLD(a_report_that_was_not_taken_is_sent_again),
        IN_WORLD(a_refused_hello_is_not_hammered),
        IN_WORLD(a_desired_state_that_makes_no_sense_is_refused_and_changes_nothing),
        IN_WORLD(a_sealed_segment_is_read_from_any_offset),
        IN_WORLD(a_shutdown_is_reported_before_the_end),
        IN_WORLD(versions_and_features_are_told_in_hello),
        IN_WORLD(a_version_that_was_never_offered_is_not_spoken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
