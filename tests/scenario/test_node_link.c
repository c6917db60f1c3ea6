/* The node's connection to a coordinator that is played here: real calls over loopback, without TLS, with a
 * real disk. */
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/fake_backend.h"
#include "node/journal.h"
#include "node/link.h"
#include "node/report.h"
#include "node/service.h"

#include <fcntl.h>
#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <fleetcap/v1/node_service.pb-c.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG_BYTES = 3 * 1024 * 1024 + 17 };

static const char UID[] = "0123456789abcdef0123456789abcdef";

typedef struct world {
    fc_loop *loop;
    char root[64];

    fc_rpc_server *server;
    fc_rpc_service service;
    fc_rpc_conn *node_conn; /* weak: cleared by its close */
    size_t hellos, reports, heartbeats, closes, evidence, evidence_refused;
    fc_err refuse_evidence; /* with this */
    bool refuse_hello, refuse_reports;
    uint32_t speaks;      /* the version that it chooses */
    const char *features; /* the one that it announces; NULL = it is from before the list */
    uint32_t hello_min, hello_max;
    size_t hello_features;
    Fcpb__State state;
    Fcpb__StopReason reason;
    uint64_t revision, hello_generation;
    size_t hello_captures;

    nd_identity identity;
    fc_labels labels;
    nd_policy policy;
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node;
    nd_link *link;

    /* of one call of the coordinator's */
    bool over;
    fc_rpc_status status;
    uint64_t generation;
    fc_buf read;
    uint64_t next_offset;
} world;

/* ---- the played coordinator ---- */

static bool
is_node(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_NODE, .fleet = "test", .name = "web-1"};
    return true;
}

static bool
is_coordinator(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "test", .name = "main"};
    return true;
}

static void
hello(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    const Fcpb__HelloRequest *request = (const Fcpb__HelloRequest *)message;
    Fcpb__HelloResponse response = FCPB__HELLO_RESPONSE__INIT;
    w->hellos++;
    assert_string_equal(request->instance->id, "web-1");
    assert_string_equal(request->instance->labels[0]->key, "role");
    w->hello_generation = request->generation;
    w->hello_captures = request->n_captures;
    w->hello_min = request->protocol_version_min;
    w->hello_max = request->protocol_version;
    w->hello_features = request->n_features;
    w->revision = 0;
    if (w->refuse_hello) {
        fc_fail fail = {0};
        (void)fc_fail_set(&fail, FC_ERR_DENIED, "this instance is not welcome");
        fc_rpc_call_fail(call, &fail);
        return;
    }
    char *features[] = {(char *)(uintptr_t)w->features};
    response.protocol_version = w->speaks;
    response.features = features;
    response.n_features = w->features != NULL;
    response.fleet_id = "test";
    response.lease_ms = 60000;
    response.heartbeat_ms = 100;
    response.report_interval_ms = 100;
    fc_rpc_call_reply(call, &response.base);
}

static void
report(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    const Fcpb__ReportRequest *request = (const Fcpb__ReportRequest *)message;
    Fcpb__ReportResponse response = FCPB__REPORT_RESPONSE__INIT;
    if (w->refuse_reports) {
        fc_fail fail = {0};
        (void)fc_fail_set(&fail, FC_ERR_LIMIT, "not now");
        fc_rpc_call_fail(call, &fail);
        return;
    }
    w->reports++;
    for (size_t i = 0; i < request->n_captures; i++) {
        assert_true(request->captures[i]->revision > w->revision);
        w->revision = request->captures[i]->revision;
        w->state = request->captures[i]->state;
        w->reason = request->captures[i]->stop_reason;
    }
    fc_rpc_call_reply(call, &response.base);
}

static void
heartbeat(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    Fcpb__HeartbeatResponse response = FCPB__HEARTBEAT_RESPONSE__INIT;
    (void)message;
    w->heartbeats++;
    response.lease_ms = 60000;
    fc_rpc_call_reply(call, &response.base);
}

static void
report_evidence(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    world *w = service;
    const Fcpb__ReportEvidenceRequest *request = (const Fcpb__ReportEvidenceRequest *)message;
    Fcpb__ReportEvidenceResponse response = FCPB__REPORT_EVIDENCE_RESPONSE__INIT;
    assert_string_equal(request->capture_uid, UID);
    if (w->refuse_evidence != FC_OK) {
        fc_fail fail = {0};
        (void)fc_fail_set(&fail, w->refuse_evidence, "no");
        w->evidence_refused++;
        fc_rpc_call_fail(call, &fail);
        return;
    }
    w->evidence++;
    fc_rpc_call_reply(call, &response.base);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_HELLO, .request = hello},
    {.method = FC_METHOD_REPORT, .request = report},
    {.method = FC_METHOD_HEARTBEAT, .request = heartbeat},
    {.method = FC_METHOD_REPORT_EVIDENCE, .request = report_evidence},
};

static void
on_open(fc_rpc_conn *conn, void *user)
{
    ((world *)user)->node_conn = conn;
}

static void
on_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    world *w = user;
    (void)why;
    if (w->node_conn == conn)
        w->node_conn = NULL;
    w->closes++;
}

static const fc_rpc_conn_ops conn_ops = {.on_open = on_open, .on_close = on_close};

/* ---- the world ---- */

static fc_err
one_interface(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail)
{
    (void)asked;
    (void)allowed;
    (void)fail;
    fc_strings_add(ret_names, "eth0");
    return FC_OK;
}

static int
set_up(void **state)
{
    static const nd_fake_options helpers = {.arm_ms = 5,
                                            .stop_ms = 5,
                                            .drain_ms = 5,
                                            .progress_ms = 20,
                                            .packets_per_progress = 3,
                                            .profiles = true};
    world *w = fc_alloc(sizeof *w);
    fc_fail fail = {0};
    char address[32];
    (void)snprintf(w->root, sizeof w->root, "/tmp/fleetcap-node-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    assert_int_equal(fc_loop_new(&fc_clock_system, &w->loop), FC_OK);
    w->service = (fc_rpc_service){handlers, FC_COUNT(handlers), w};
    fc_rpc_options rpc = {.loop = w->loop,
                          .identify = is_node,
                          .services = &w->service,
                          .service_count = 1,
                          .ops = &conn_ops,
                          .user = w};
    if (fc_rpc_server_new(&rpc, "127.0.0.1:0", &w->server, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    fc_labels_set(&w->labels, "role", "web");
    w->speaks = 1;
    w->identity = (nd_identity){
        .id = "web-1", .name = "web-1", .scale_set = "web", .region = "eu", .zone = "", .labels = &w->labels};
    w->policy.captures_max = 8;
    w->backend = nd_fake_backend_new(w->loop, &helpers);
    assert_int_equal(nd_journal_open(w->loop, w->root, &w->storage, &fail), FC_OK);
    nd_node_options node = {.loop = w->loop,
                            .backend = w->backend,
                            .storage = w->storage,
                            .identity = &w->identity,
                            .policy = &w->policy,
                            .captures_dir = w->root,
                            .ring_bytes = 1 << 20,
                            .interfaces = one_interface};
    w->node = nd_node_new(&node);
    assert_int_equal(nd_node_start(w->node, &fail), FC_OK);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(w->server));
    nd_link_options link = {.loop = w->loop,
                            .node = w->node,
                            .identify = is_coordinator,
                            .coordinator = address,
                            .backoff = {.first_ms = 10, .max_ms = 50}};
    if (nd_link_new(&link, &w->link, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    *state = w;
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int
tear_down(void **state)
{
    world *w = *state;
    nd_link_free(w->link);
    nd_node_free(w->node);
    nd_journal_close(w->storage);
    nd_fake_backend_free(w->backend);
    fc_rpc_server_free(w->server);
    fc_loop_free(w->loop);
    fc_labels_fini(&w->labels);
    fc_buf_fini(&w->read);
    (void)nftw(w->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

#define UNTIL(w, condition)                                                                                  \
    do {                                                                                                     \
        for (int turns = 0; turns < 2000 && !(condition); turns++)                                           \
            fc_loop_step((w)->loop, 5);                                                                      \
        assert_true(condition);                                                                              \
    } while (0)

/* ---- calls of the coordinator ---- */

static void
called(fc_rpc_call *call, const ProtobufCMessage *message)
{
    world *w = fc_rpc_call_user(call);
    if (message->descriptor == &fcpb__desired_ack__descriptor) {
        w->generation = ((const Fcpb__DesiredAck *)message)->generation;
        return;
    }
    const Fcpb__FileChunk *chunk = (const Fcpb__FileChunk *)message;
    assert_true(chunk->data.len <= ND_CHUNK_BYTES);
    assert_int_equal(chunk->offset, w->next_offset);
    fc_buf_append(&w->read, chunk->data.data, chunk->data.len);
    w->next_offset += chunk->data.len;
}

static void
call_over(fc_rpc_call *call, const fc_rpc_status *status)
{
    world *w = fc_rpc_call_user(call);
    w->status = *status;
    w->over = true;
}

static const fc_rpc_call_ops call_ops = {.on_message = called, .on_closed = call_over};

static void
call(world *w, fc_method_id method, const ProtobufCMessage *request)
{
    w->over = false;
    (void)fc_rpc_call_new(w->node_conn, method, request, 10000, &call_ops, w);
    UNTIL(w, w->over);
}

static void
push(world *w, uint64_t generation, Fcpb__DesiredAction action, int64_t start)
{
    Fcpb__CaptureSpec spec = FCPB__CAPTURE_SPEC__INIT;
    Fcpb__DesiredCapture one = FCPB__DESIRED_CAPTURE__INIT, *list[] = {&one};
    Fcpb__DesiredState desired = FCPB__DESIRED_STATE__INIT;
    spec.time_limit_s = 3600;
    spec.storage = FCPB__STORAGE_KIND__STORAGE_KIND_FILE;
    one.capture_uid = (char *)(uintptr_t)UID;
    one.capture_name = "checkout";
    one.action = action;
    one.spec = &spec;
    one.created_unix_ns = 1795229137LL * FC_NS_PER_S;
    one.start_unix_ns = start;
    one.window_end_unix_ns = start > 0 ? start + 3600 * FC_NS_PER_S : 0;
    one.stop_reason = action == FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP
                          ? FCPB__STOP_REASON__STOP_REASON_STOP_REQUESTED
                          : FCPB__STOP_REASON__STOP_REASON_UNSPECIFIED;
    desired.generation = generation;
    desired.lease_ms = 60000;
    desired.captures = list;
    desired.n_captures = 1;
    call(w, FC_METHOD_SET_DESIRED, &desired.base);
    assert_int_equal(w->status.code, FC_CODE_OK);
    assert_int_equal(w->generation, generation);
}

static int64_t
now_ns(void)
{
    return fc_clock_wall(&fc_clock_system).ns;
}

/* ---- sentences ---- */

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
    while (now_ns() - from < 1000 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
    assert_in_range(w->reports - before, 3, 11); /* the helper speaks fifty times a second */
    assert_true(w->heartbeats > beats);
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
    int64_t from = now_ns();
    while (now_ns() - from < 1000 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
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
count_done(void *user)
{
    (*(size_t *)user)++;
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
    nd_link_flush(w->link, 2000, count_done, &done);
    UNTIL(w, done == 2);
    assert_int_equal(w->state, FCPB__STATE__STATE_STOPPED);
    assert_int_equal(w->reason, FCPB__STOP_REASON__STOP_REASON_NODE_SHUTDOWN);
}

static void
run_and_stop(world *w)
{
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, nd_report_evidence_pending(w->node));
    push(w, 2, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
}

static void
the_last_profile_follows_the_end_and_what_is_stored_is_not_told_again(void **state)
{
    world *w = *state;
    run_and_stop(w);
    UNTIL(w, !nd_report_evidence_pending(w->node));
    assert_true(w->evidence >= 1);
    /* What was acknowledged while it ran is told once more, and stored now. */
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    UNTIL(w, w->hellos == 2 && nd_link_ready(w->link));
    UNTIL(w, !nd_report_evidence_pending(w->node));
    size_t before = w->evidence;
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    UNTIL(w, w->hellos == 3);
    int64_t from = now_ns();
    while (now_ns() - from < 1200 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
    assert_int_equal(w->evidence, before);
}

static void
evidence_that_was_not_taken_is_sent_again_and_states_do_not_wait_for_it(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_LIMIT;
    run_and_stop(w);
    UNTIL(w, w->evidence_refused >= 2);
    assert_true(w->evidence_refused < 10); /* not hammered */
    w->refuse_evidence = FC_OK;
    UNTIL(w, w->evidence == 1);
    UNTIL(w, !nd_report_evidence_pending(w->node));
}

static void
evidence_that_nobody_will_ever_take_is_given_up(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_NOT_FOUND;
    run_and_stop(w);
    UNTIL(w, !nd_report_evidence_pending(w->node));
    assert_true(w->evidence_refused >= 1);
}

static void
an_old_coordinator_is_not_asked_again(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_UNSUPPORTED; /* as a method that is not served */
    run_and_stop(w);
    UNTIL(w, w->evidence_refused == 1);
    int64_t from = now_ns();
    while (now_ns() - from < 1500 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
    assert_int_equal(w->evidence_refused, 1);
    assert_true(nd_report_evidence_pending(w->node));
    size_t done = 0;
    from = now_ns();
    nd_link_flush(w->link, 5000, count_done, &done); /* and nobody waits for it */
    UNTIL(w, done == 1);
    assert_true(now_ns() - from < 2000 * FC_NS_PER_MS);
}

static void
a_coordinator_that_does_not_announce_evidence_is_sent_none(void **state)
{
    world *w = *state;
    w->features = "teleport";
    run_and_stop(w);
    int64_t from = now_ns();
    while (now_ns() - from < 1500 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
    assert_int_equal(w->evidence, 0);
    assert_true(nd_report_evidence_pending(w->node));
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
    int64_t from = now_ns();
    while (now_ns() - from < 1000 * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
    assert_int_equal(w->hellos, 1);
    assert_false(nd_link_ready(w->link));
}

int
main(void)
{
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_capture_is_run_and_stopped_over_the_wire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counters_come_at_most_once_an_interval_and_heartbeats_go_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(after_a_lost_connection_everything_is_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_that_was_not_taken_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_hello_is_not_hammered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_desired_state_that_makes_no_sense_is_refused_and_changes_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sealed_segment_is_read_from_any_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shutdown_is_reported_before_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_profile_follows_the_end_and_what_is_stored_is_not_told_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            evidence_that_was_not_taken_is_sent_again_and_states_do_not_wait_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(evidence_that_nobody_will_ever_take_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_coordinator_is_not_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions_and_features_are_told_in_hello, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_coordinator_that_does_not_announce_evidence_is_sent_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_version_that_was_never_offered_is_not_spoken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
