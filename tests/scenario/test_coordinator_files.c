/* Files pass through the coordinator: whole, no faster than they are read, and not into its memory. */
#include "service_peers.h"

#include <string.h>

/* ---- reading ---- */

typedef struct reader {
    fc_rpc_call *call;
    uint64_t offset;
    bool wrong, over;
    fc_rpc_status status;
} reader;

static void
on_chunk(fc_rpc_call *call, const ProtobufCMessage *message)
{
    reader *r = fc_rpc_call_user(call);
    const Fcpb__FileChunk *chunk = (const Fcpb__FileChunk *)message;
    r->wrong = r->wrong || chunk->offset != r->offset;
    for (size_t i = 0; i < chunk->data.len && !r->wrong; i++)
        r->wrong = chunk->data.data[i] != file_byte(r->offset + i);
    r->offset += chunk->data.len;
}

static void
on_reader_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    reader *r = fc_rpc_call_user(call);
    r->over = true;
    r->status = *status;
}

static const fc_rpc_call_ops reader_ops = {.on_message = on_chunk, .on_closed = on_reader_closed};

static void
read_file(fc_rpc_client *client, reader *r, uint64_t offset)
{
    Fcpb__ReadFileRequest request = FCPB__READ_FILE_REQUEST__INIT;
    request.capture_name = (char *)"job";
    request.instance_id = (char *)"web-1";
    request.sequence = 1;
    request.offset = offset;
    *r = (reader){.offset = offset};
    r->call =
        fc_rpc_call_new(fc_rpc_client_conn(client), FC_METHOD_READ_FILE, &request.base, 0, &reader_ops, r);
}

static void
job_with_a_file(test_node *n, fc_rpc_client *alice)
{
    fc_fail fail = {0};
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    must(node_reports(n, job_uid(), FC_STATE_STOPPED, 1, true, &fail), &fail);
}

static bool
check_location(const ProtobufCMessage *message, void *user)
{
    const Fcpb__FileLocation *location = (const Fcpb__FileLocation *)message;
    assert_string_equal(location->path, "/var/captures/2026/11/21/job-1/web-1_0001.pcapng");
    assert_int_equal(location->segment->sequence, 1);
    ++*(unsigned *)user;
    return true;
}

/* ---- tests ---- */

static void
a_file_is_passed_on_whole_and_from_any_offset(void **state)
{
    (void)state;
    test_node n;
    reader r;
    fc_fail fail = {0};
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    job_with_a_file(&n, alice);
    unsigned files = 0;
    Fcpb__GetCaptureRequest list = FCPB__GET_CAPTURE_REQUEST__INIT;
    list.name = (char *)"job";
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_LIST_FILES, &list.base, PATIENCE_MS, check_location, &files, &fail),
        FC_OK);
    assert_int_equal(files, 1);
    read_file(alice, &r, 0);
    RUN_UNTIL(r.over);
    assert_int_equal(r.status.code, FC_CODE_OK);
    assert_int_equal(r.offset, FILE_BYTES);
    assert_false(r.wrong);
    read_file(alice, &r, FILE_BYTES - CHUNK_BYTES);
    RUN_UNTIL(r.over);
    assert_int_equal(n.chunks_sent, 1);
    assert_false(r.wrong);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

static void
a_slow_reader_holds_up_the_node_and_not_our_memory(void **state)
{
    (void)state;
    test_node n;
    reader r;
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    job_with_a_file(&n, alice);
    read_file(alice, &r, 0);
    fc_rpc_call_hold(r.call, true);
    RUN_UNTIL(n.chunks_sent >= 4);
    for (int i = 0; i < 100; i++)
        fc_loop_step(loop, 10);
    /* Two windows of 1 MiB on the way, and what each side may overdraw. */
    assert_true(n.chunks_sent <= 16);
    assert_false(r.over);
    fc_rpc_call_hold(r.call, false);
    RUN_UNTIL(r.over);
    assert_int_equal(r.offset, FILE_BYTES);
    assert_false(r.wrong);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

static void
a_reader_that_leaves_ends_the_node_s_reading(void **state)
{
    (void)state;
    test_node n;
    reader r;
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    job_with_a_file(&n, alice);
    read_file(alice, &r, 0);
    fc_rpc_call_hold(r.call, true);
    RUN_UNTIL(r.offset > 0);
    fc_rpc_client_free(alice);
    RUN_UNTIL(n.read_over);
    assert_true(n.file_offset < FILE_BYTES);
    assert_int_equal(n.read_ended, FC_CODE_CANCELLED);
    node_leaves(&n);
}

static void
a_node_that_goes_in_the_middle_is_named(void **state)
{
    (void)state;
    test_node n;
    reader r;
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    job_with_a_file(&n, alice);
    read_file(alice, &r, 0);
    fc_rpc_call_hold(r.call, true);
    RUN_UNTIL(r.offset > 0);
    node_leaves(&n);
    fc_rpc_call_hold(r.call, false); /* the end comes behind what the coordinator had for us */
    RUN_UNTIL(r.over);
    assert_int_equal(r.status.code, FC_CODE_UNAVAILABLE);
    assert_string_equal(r.status.instance, "web-1");
    read_file(alice, &r, 0);
    RUN_UNTIL(r.over);
    assert_int_equal(r.status.code, FC_CODE_UNAVAILABLE);
    assert_non_null(strstr(r.status.message, "web-1"));
    fc_rpc_client_free(alice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_passed_on_whole_and_from_any_offset),
        TEST(a_slow_reader_holds_up_the_node_and_not_our_memory),
        TEST(a_reader_that_leaves_ends_the_node_s_reading),
        TEST(a_node_that_goes_in_the_middle_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
