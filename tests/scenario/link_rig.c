#include "link_rig.h"

#include "common/base/mem.h"
#include "node/fake_backend.h"
#include "node/journal.h"
#include "node/report.h"
#include "node/service.h"
#include "node_rig.h"

#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char UID[] = "0123456789abcdef0123456789abcdef";

/* ---- the played coordinator ---- */

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
    response.report_interval_ms = INTERVAL_MS;
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

int
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
    temp_dir_make(w->root);
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

int
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
    (void)temp_dir_remove(w->root);
    free(w);
    return 0;
}

void
go_on(world *w, int64_t ms)
{
    int64_t from = now_ns();
    while (now_ns() - from < ms * FC_NS_PER_MS)
        fc_loop_step(w->loop, 5);
}

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

void
call(world *w, fc_method_id method, const ProtobufCMessage *request)
{
    w->over = false;
    (void)fc_rpc_call_new(w->node_conn, method, request, PATIENCE_MS, &call_ops, w);
    UNTIL(w, w->over);
}

void
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

int64_t
now_ns(void)
{
    return fc_clock_wall(&fc_clock_system).ns;
}

void
run_and_stop(world *w)
{
    UNTIL(w, nd_link_ready(w->link));
    push(w, 1, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN, now_ns());
    UNTIL(w, nd_report_evidence_pending(w->node));
    push(w, 2, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP, 0);
    UNTIL(w, w->state == FCPB__STATE__STATE_STOPPED);
}

void
count_done(void *user)
{
    (*(size_t *)user)++;
}
