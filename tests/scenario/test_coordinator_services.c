/* The coordinator's services over real streams on the loopback: a node and an operator in this process. */
#include "../unit/test_coordinator_fixture.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fc_loop *loop;
static co_config config;
static co_store *store;
static struct co *co;
static co_service service;
static fc_rpc_server *server;
static fc_principal next_peer; /* plain streams have no certificates: the tests say who comes next */

static bool
identify_peer(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = next_peer;
    return true;
}

static bool
identify_coordinator(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "acme", .name = "main"};
    return true;
}

static void
on_give_up(fc_timer *timer)
{
    (void)timer;
    fail_msg("waited 30 s in vain");
}

#define RUN_UNTIL(condition)                                                                                 \
    do {                                                                                                     \
        fc_timer give_up = {.fire = on_give_up};                                                             \
        fc_loop_timer_after_ms(loop, &give_up, 30000);                                                       \
        while (!(condition))                                                                                 \
            fc_loop_step(loop, 100);                                                                         \
        fc_loop_timer_clear(loop, &give_up);                                                                 \
    } while (0)

/* ---- a node ---- */

typedef struct test_node {
    fc_rpc_client *client;
    uint64_t generation;
    unsigned told;               /* SetDesired calls */
    Fcpb__DesiredState *desired; /* owned: the last */
    unsigned chunks_sent;
    uint64_t file_offset;
    bool read_over;
    fc_code read_ended;
} test_node;

enum { FILE_BYTES = 24 << 20, CHUNK_BYTES = 256 << 10 };

static uint8_t
file_byte(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 12));
}

static void
on_set_desired(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    test_node *n = user;
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = fc_alloc(size + 1);
    (void)protobuf_c_message_pack(message, bytes);
    if (n->desired != NULL)
        fcpb__desired_state__free_unpacked(n->desired, NULL);
    n->desired = fcpb__desired_state__unpack(NULL, size, bytes);
    free(bytes);
    n->told++;
    n->generation = n->desired->generation;
    Fcpb__DesiredAck ack = FCPB__DESIRED_ACK__INIT;
    ack.generation = n->generation;
    fc_rpc_call_reply(call, &ack.base);
}

static void
send_chunks(fc_rpc_call *call)
{
    test_node *n = fc_rpc_call_user(call);
    static uint8_t bytes[CHUNK_BYTES];
    while (n->file_offset < FILE_BYTES && fc_rpc_call_writable(call)) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = file_byte(n->file_offset + i);
        Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
        chunk.offset = n->file_offset;
        chunk.data = (ProtobufCBinaryData){sizeof bytes, bytes};
        (void)fc_rpc_call_send(call, &chunk.base);
        n->file_offset += sizeof bytes;
        n->chunks_sent++;
    }
    if (n->file_offset >= FILE_BYTES && !n->read_over) {
        n->read_over = true;
        fc_rpc_call_finish(call, &fc_rpc_ok);
    }
}

static void
on_read_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    test_node *n = fc_rpc_call_user(call);
    n->read_over = true;
    n->read_ended = status->code;
}

static const fc_rpc_call_ops read_ops = {.on_writable = send_chunks, .on_closed = on_read_closed};

static void
on_read_segment(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    test_node *n = user;
    n->file_offset = ((const Fcpb__ReadSegmentRequest *)message)->offset;
    n->chunks_sent = 0;
    n->read_over = false;
    fc_rpc_call_set(call, &read_ops, n);
    send_chunks(call);
}

static const fc_rpc_handler node_handlers[] = {
    {.method = FC_METHOD_SET_DESIRED, .request = on_set_desired},
    {.method = FC_METHOD_READ_SEGMENT, .request = on_read_segment},
};

/* ---- connecting ---- */

static void
dial(fc_role role, const char *name, const fc_rpc_service *services, size_t count, fc_rpc_client **ret_client)
{
    char address[32];
    fc_rpc_options options = {
        .loop = loop, .identify = identify_coordinator, .services = services, .service_count = count};
    fc_rpc_backoff backoff = {.once = true};
    next_peer = (fc_principal){.role = role, .fleet = "acme"};
    (void)snprintf(next_peer.name, sizeof next_peer.name, "%s", name);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(server));
    uint64_t admitted = fc_rpc_server_counters(server)->connections_admitted;
    assert_int_equal(fc_rpc_client_new(&options, address, &backoff, ret_client, NULL), FC_OK);
    RUN_UNTIL(fc_rpc_client_conn(*ret_client) != NULL &&
              fc_rpc_server_counters(server)->connections_admitted > admitted);
}

static fc_rpc_client *
operator_dials(void)
{
    fc_rpc_client *client = NULL;
    dial(FC_ROLE_OPERATOR, "alice", NULL, 0, &client);
    return client;
}

static void
node_dials(test_node *n, const char *id)
{
    static fc_rpc_service node_service[1];
    *n = (test_node){0};
    node_service[0] = (fc_rpc_service){node_handlers, FC_COUNT(node_handlers), n};
    dial(FC_ROLE_NODE, id, node_service, 1, &n->client);
}

/* Says Hello with these versions and features. *ret_hello, when wanted, is owned by the caller. */
static fc_err
hello_with(test_node *n, const char *id, const fc_protocol_build *build, Fcpb__HelloResponse **ret_hello,
           fc_fail *fail)
{
    Fcpb__Instance instance = FCPB__INSTANCE__INIT;
    instance.id = (char *)(uintptr_t)id;
    instance.name = instance.id;
    instance.scale_set = (char *)"web";
    instance.region = (char *)"eu";
    Fcpb__HelloRequest request = FCPB__HELLO_REQUEST__INIT;
    request.protocol_version = build->version;
    request.protocol_version_min = build->version_min;
    request.features = (char **)(uintptr_t)build->features;
    while (build->features != NULL && build->features[request.n_features] != NULL)
        request.n_features++;
    request.version = (char *)"1.0";
    request.instance = &instance;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_HELLO, &request.base, 5000, &reply, fail);
    if (err == FC_OK && ret_hello != NULL)
        *ret_hello = (Fcpb__HelloResponse *)reply;
    else if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    return err;
}

static fc_err
hello_as(test_node *n, const char *id, uint32_t version, fc_fail *fail)
{
    const fc_protocol_build build = {.version = version};
    return hello_with(n, id, &build, NULL, fail);
}

static void
node_joins(test_node *n, const char *id)
{
    fc_fail fail = {0};
    node_dials(n, id);
    if (hello_as(n, id, 1, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    RUN_UNTIL(n->told > 0);
}

static void
node_leaves(test_node *n)
{
    fc_rpc_client_free(n->client);
    if (n->desired != NULL)
        fcpb__desired_state__free_unpacked(n->desired, NULL);
    *n = (test_node){0};
}

static fc_err
node_reports(test_node *n, const char *uid, fc_state state, uint64_t revision, bool with_file, fc_fail *fail)
{
    fc_status status = {
        .state = state, .revision = revision, .armed = true, .counters = {.written_packets = 7}};
    (void)snprintf(status.capture_uid, sizeof status.capture_uid, "%s", uid);
    (void)snprintf(status.capture_name, sizeof status.capture_name, "job");
    if (state == FC_STATE_STOPPED)
        status.stop_reason = FC_STOP_STOP_REQUESTED;
    if (with_file) {
        fc_segment segment = {.sequence = 1, .size_bytes = FILE_BYTES, .sealed = true};
        (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/job-1/web-1_0001.pcapng");
        fc_status_put_segment(&status, &segment);
        status.directory = fc_strdup("/var/captures/2026/11/21/job-1");
    }
    Fcpb__InstanceCapture *one = fc_status_to_pb(&status);
    Fcpb__ReportRequest request = FCPB__REPORT_REQUEST__INIT;
    request.captures = &one;
    request.n_captures = 1;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_REPORT, &request.base, 5000, &reply, fail);
    if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    protobuf_c_message_free_unpacked(&one->base, NULL);
    fc_status_fini(&status);
    return err;
}

/* ---- an operator ---- */

static fc_err
create_job(fc_rpc_client *client, const char *json, Fcpb__CreateCaptureResponse **ret_answer, fc_fail *fail)
{
    fc_definition definition = fixture_definition(json);
    Fcpb__CreateCaptureRequest request = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    request.definition = fc_definition_to_pb(&definition);
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, FC_METHOD_CREATE_CAPTURE, &request.base, 5000, &reply, fail);
    protobuf_c_message_free_unpacked(&request.definition->base, NULL);
    fc_definition_fini(&definition);
    if (err == FC_OK && ret_answer != NULL)
        *ret_answer = (Fcpb__CreateCaptureResponse *)reply;
    else if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    return err;
}

static const char job_json[] = "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 60}";

static const char *
job_uid(void)
{
    return co_capture_find(&co->captures, "job")->uid;
}

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

/* ---- set up ---- */

static int
set_up(void **state)
{
    (void)state;
    static const char yaml[] = "{ca: a, certificate: b, key: c, arm_timeout: 200ms}";
    static fc_rpc_service services[3];
    json_t *tree = NULL;
    fc_log_open("test", (fc_log_level)0);
    memset(&config, 0, sizeof config);
    assert_int_equal(fc_yaml_parse(yaml, strlen(yaml), &tree, NULL), FC_OK);
    assert_int_equal(co_config_from_tree(tree, &config, NULL), FC_OK);
    json_decref(tree);
    assert_int_equal(fc_loop_new(&fc_clock_system, &loop), FC_OK);
    assert_int_equal(co_store_open(":memory:", &store, NULL), FC_OK);
    assert_int_equal(co_open(loop, &config, store, &co_rpc_link_ops, &co, NULL), FC_OK);
    (void)snprintf(co->fleet, sizeof co->fleet, "acme");
    service = (co_service){.co = co};
    services[0] = (fc_rpc_service){co_node_handlers, co_node_handler_count, &service};
    services[1] = (fc_rpc_service){co_capture_handlers, co_capture_handler_count, &service};
    services[2] = (fc_rpc_service){co_fleet_handlers, co_fleet_handler_count, &service};
    fc_rpc_options options = {.loop = loop,
                              .identify = identify_peer,
                              .services = services,
                              .service_count = 3,
                              .ops = &co_conn_ops,
                              .user = &service};
    assert_int_equal(fc_rpc_server_new(&options, "127.0.0.1:0", &server, NULL), FC_OK);
    service.server = server;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fc_rpc_server_free(server);
    co_close(co);
    co_store_close(store);
    fc_loop_free(loop);
    co_config_fini(&config);
    return 0;
}

/* ---- tests ---- */

static void
a_node_is_who_its_certificate_says(void **state)
{
    (void)state;
    test_node n;
    fc_fail fail = {0};
    node_dials(&n, "web-1");
    assert_int_equal(node_reports(&n, "00112233445566778899aabbccddeeff", FC_STATE_RUNNING, 1, false, &fail),
                     FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "Hello"));
    assert_int_equal(hello_as(&n, "web-2", 1, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "node/web-1"));
    assert_int_equal(hello_as(&n, "web-1", 2, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "protocol version 2"));
    assert_int_equal(co->registry.count, 0);
    assert_int_equal(hello_as(&n, "web-1", 1, &fail), FC_OK);
    assert_int_equal(co->registry.online, 1);
    assert_int_equal(create_job(n.client, job_json, NULL, &fail), FC_ERR_DENIED);
    node_leaves(&n);
    RUN_UNTIL(co->registry.online == 0);
    fc_fail none = {0};
    assert_int_equal(co_persist_flush(co, NULL, NULL, &none), FC_OK);
    assert_int_equal(co->persist.refusals, 3);
}

static void
a_node_of_the_next_release_is_spoken_to_in_our_version(void **state)
{
    (void)state;
    static const char *const names[] = {"teleport", "evidence", "", NULL};
    test_node n;
    fc_fail fail = {0};
    Fcpb__HelloResponse *hello = NULL;
    node_dials(&n, "web-1");
    const fc_protocol_build newer = {.version_min = 1, .version = 2, .features = names};
    assert_int_equal(hello_with(&n, "web-1", &newer, &hello, &fail), FC_OK);
    assert_int_equal(hello->protocol_version, 1);
    assert_int_equal(hello->n_features, FC_FEATURE_COUNT);
    assert_string_equal(hello->features[0], "evidence");
    protobuf_c_message_free_unpacked(&hello->base, NULL);
    const co_instance *instance = co_registry_find(&co->registry, "web-1");
    assert_true(co_link_can(instance->link, FC_FEATURE_EVIDENCE));
    assert_false(co_link_can(instance->link, FC_FEATURE_RENEWAL));
    assert_int_equal(co->counters.features_unknown, 2);
    /* One that is from before the list takes part in what there was before it. */
    assert_int_equal(hello_as(&n, "web-1", 1, &fail), FC_OK);
    assert_true(co_link_can(instance->link, FC_FEATURE_EVIDENCE));
    node_leaves(&n);
    RUN_UNTIL(co->registry.online == 0);
}

static void
a_node_that_is_too_new_is_refused_and_leaves_no_trace_but_the_audit_record(void **state)
{
    (void)state;
    static const char why[] =
        "the node speaks protocol versions 3 to 4, this coordinator 1: upgrade the coordinator";
    test_node n;
    fc_fail fail = {0};
    node_dials(&n, "web-1");
    const fc_protocol_build too_new = {.version_min = 3, .version = 4};
    assert_int_equal(hello_with(&n, "web-1", &too_new, NULL, &fail), FC_ERR_STATE);
    assert_string_equal(fail.text, why);
    const fc_protocol_build upside_down = {.version_min = 2, .version = 1};
    assert_int_equal(hello_with(&n, "web-1", &upside_down, NULL, &fail), FC_ERR_INVALID);
    assert_int_equal(hello_as(&n, "web-1", 0, &fail), FC_ERR_INVALID);
    assert_int_equal(co->registry.count, 0);
    assert_int_equal(co->counters.hellos_version, 3);
    assert_int_equal(co->persist.refusals, 3);
    node_leaves(&n);
}

static void
an_order_with_a_field_that_we_do_not_know_is_refused_and_a_question_is_not(void **state)
{
    (void)state;
    fc_rpc_client *alice = operator_dials();
    fc_definition definition = fixture_definition(job_json);
    Fcpb__CreateCaptureRequest request = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    Fcpb__GetCaptureRequest question = FCPB__GET_CAPTURE_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_fail fail = {0};
    uint8_t one = 1;
    ProtobufCMessageUnknownField unknown = {11, PROTOBUF_C_WIRE_TYPE_VARINT, 1, &one};
    request.definition = fc_definition_to_pb(&definition);
    fc_definition_fini(&definition);
    ProtobufCMessage *spec = &request.definition->spec->base;
    spec->unknown_fields = &unknown;
    spec->n_unknown_fields = 1;
    assert_int_equal(fc_rpc_unary(alice, FC_METHOD_CREATE_CAPTURE, &request.base, 5000, &reply, &fail),
                     FC_ERR_UNSUPPORTED);
    assert_string_equal(fail.text, "fleetcap " FC_VERSION
                                   ", which was asked, does not know field 11 of CaptureSpec: upgrade it");
    assert_int_equal(co->counters.captures_created, 0);
    assert_int_equal(fc_rpc_server_counters(server)->calls_newer, 1);
    spec->unknown_fields = NULL;
    spec->n_unknown_fields = 0;
    protobuf_c_message_free_unpacked(&request.definition->base, NULL);
    question.name = (char *)"job";
    question.base.unknown_fields = &unknown;
    question.base.n_unknown_fields = 1;
    assert_int_equal(fc_rpc_unary(alice, FC_METHOD_GET_CAPTURE, &question.base, 5000, &reply, &fail),
                     FC_ERR_NOT_FOUND);
    fc_rpc_client_free(alice);
}

static void
a_peer_of_another_fleet_is_cut_off(void **state)
{
    (void)state;
    fc_rpc_client *client = NULL;
    char address[32];
    fc_rpc_options options = {.loop = loop, .identify = identify_coordinator};
    fc_rpc_backoff backoff = {.once = true};
    next_peer = (fc_principal){.role = FC_ROLE_OPERATOR, .fleet = "other", .name = "mallory"};
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(server));
    assert_int_equal(fc_rpc_client_new(&options, address, &backoff, &client, NULL), FC_OK);
    RUN_UNTIL(co->counters.connections_foreign == 1);
    RUN_UNTIL(fc_rpc_client_conn(client) == NULL);
    fc_rpc_client_free(client);
}

typedef struct watching {
    unsigned events, parts;
    Fcpb__State state;
    size_t largest;
    bool over;
    fc_rpc_status status;
} watching;

static void
on_event(fc_rpc_call *call, const ProtobufCMessage *message)
{
    watching *w = fc_rpc_call_user(call);
    const Fcpb__CaptureEvent *event = (const Fcpb__CaptureEvent *)message;
    size_t size = protobuf_c_message_get_packed_size(message);
    w->events++;
    w->parts += (unsigned)event->n_changed;
    w->state = event->capture->state;
    w->largest = size > w->largest ? size : w->largest;
}

static void
on_watch_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    watching *w = fc_rpc_call_user(call);
    w->over = true;
    w->status = *status;
}

static const fc_rpc_call_ops watching_ops = {.on_message = on_event, .on_closed = on_watch_closed};

static void
watch_job(fc_rpc_client *client, watching *w)
{
    Fcpb__WatchCaptureRequest request = FCPB__WATCH_CAPTURE_REQUEST__INIT;
    request.name = (char *)"job";
    *w = (watching){0};
    (void)fc_rpc_call_new(fc_rpc_client_conn(client), FC_METHOD_WATCH_CAPTURE, &request.base, 0,
                          &watching_ops, w);
}

static bool
count_ack(const ProtobufCMessage *message, void *user)
{
    const Fcpb__StopAck *ack = (const Fcpb__StopAck *)message;
    unsigned *counts = user;
    counts[ack->acknowledged ? 0 : 1]++;
    return true;
}

static void
a_capture_is_created_watched_and_stopped(void **state)
{
    (void)state;
    test_node n;
    watching w;
    fc_fail fail = {0};
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    Fcpb__CreateCaptureResponse *created = NULL;
    assert_int_equal(create_job(alice, job_json, &created, &fail), FC_OK);
    assert_int_equal(created->n_instances, 1);
    assert_string_equal(created->capture->created_by, "operator/alice");
    protobuf_c_message_free_unpacked(&created->base, NULL);
    watch_job(alice, &w);
    RUN_UNTIL(n.desired->n_captures == 1);
    assert_int_equal(n.desired->captures[0]->action, FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN);
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_PROVISIONING, 1, false, &fail), FC_OK);
    RUN_UNTIL(n.desired->captures[0]->start_unix_ns != 0);
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_RUNNING, 2, false, &fail), FC_OK);
    RUN_UNTIL(w.state == FCPB__STATE__STATE_RUNNING);
    unsigned counts[2] = {0};
    Fcpb__StopCapturesRequest stop = FCPB__STOP_CAPTURES_REQUEST__INIT;
    stop.all = true;
    stop.wait_ms = 50;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, 5000, count_ack, counts, &fail), FC_OK);
    assert_int_equal(counts[1], 1);
    assert_int_equal(n.desired->captures[0]->action, FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP);
    uint64_t commits = co->counters.store_commits;
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_STOPPED, 3, true, &fail), FC_OK);
    assert_true(co->counters.store_commits > commits);
    RUN_UNTIL(w.over);
    assert_int_equal(w.status.code, FC_CODE_OK);
    assert_int_equal(w.state, FCPB__STATE__STATE_STOPPED);
    stop.all = false;
    stop.names = (char *[]){(char *)"job"};
    stop.n_names = 1;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, 5000, count_ack, counts, &fail), FC_OK);
    assert_int_equal(counts[0], 1);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

static void
job_with_a_file(test_node *n, fc_rpc_client *alice)
{
    fc_fail fail = {0};
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    if (node_reports(n, job_uid(), FC_STATE_STOPPED, 1, true, &fail) != FC_OK)
        fail_msg("%s", fail.text);
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
        fc_rpc_stream(alice, FC_METHOD_LIST_FILES, &list.base, 5000, check_location, &files, &fail), FC_OK);
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
    for (int i = 0; i < 100; i++)
        fc_loop_step(loop, 10);
    /* Two windows of 1 MiB on the way, and what each side may overdraw. */
    assert_true(n.chunks_sent >= 4);
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

static void
join_thousands(size_t count)
{
    fc_labels none = {0};
    for (size_t i = 0; i < count; i++) {
        char id[FC_NAME_MAX + 1];
        co_instance *instance;
        (void)snprintf(id, sizeof id, "an-instance-with-a-name-as-clouds-make-%zu", i);
        co_facts facts = {id, id, "web", "eu", "", "", "", "", &none};
        assert_int_equal(co_registry_admit(co, &facts, &instance, NULL), FC_OK);
        co_persist_instance(co, instance);
    }
}

static bool
count_message(const ProtobufCMessage *message, void *user)
{
    assert_true(protobuf_c_message_get_packed_size(message) <= FC_RPC_MESSAGE_MAX);
    ++*(unsigned *)user;
    return true;
}

static void
five_thousand_instances_fit_in_frames(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    watching w;
    fc_fail fail = {0};
    unsigned count = 0;
    join_thousands(COUNT);
    fc_rpc_client *alice = operator_dials();
    Fcpb__CreateCaptureResponse *created = NULL;
    if (create_job(alice, job_json, &created, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    assert_int_equal(created->capture->instance_count, COUNT);
    assert_true(created->n_instances > 100);
    assert_true(created->n_instances < COUNT);
    assert_non_null(strstr(created->warnings[created->n_warnings - 1], "of 5000 instances are listed"));
    protobuf_c_message_free_unpacked(&created->base, NULL);
    watch_job(alice, &w);
    RUN_UNTIL(w.parts >= COUNT);
    assert_true(w.largest <= FC_RPC_MESSAGE_MAX);
    Fcpb__ListInstancesRequest all = FCPB__LIST_INSTANCES_REQUEST__INIT;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_LIST_INSTANCES, &all.base, 20000, count_message, &count, &fail),
        FC_OK);
    assert_int_equal(count, COUNT);
    Fcpb__GetCaptureRequest get = FCPB__GET_CAPTURE_REQUEST__INIT;
    get.name = (char *)"job";
    count = 0;
    assert_int_equal(fc_rpc_stream(alice, FC_METHOD_LIST_INSTANCE_CAPTURES, &get.base, 20000, count_message,
                                   &count, &fail),
                     FC_OK);
    assert_int_equal(count, COUNT);
    unsigned acks[2] = {0};
    Fcpb__StopCapturesRequest stop = FCPB__STOP_CAPTURES_REQUEST__INIT;
    stop.all = true;
    stop.wait_ms = 10000;
    assert_int_equal(fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, 20000, count_ack, acks, &fail),
                     FC_OK);
    assert_int_equal(acks[0], COUNT);
    RUN_UNTIL(w.over);
    fc_rpc_client_free(alice);
}

static void
a_report_that_lies_is_refused_and_the_rest_is_taken(void **state)
{
    (void)state;
    test_node n;
    fc_fail fail = {0};
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_UNKNOWN, 1, false, &fail), FC_ERR_INVALID);
    assert_int_equal(co->counters.reports_invalid, 1);
    assert_int_equal(node_reports(&n, "00112233445566778899aabbccddeeff", FC_STATE_RUNNING, 1, false, &fail),
                     FC_OK);
    assert_int_equal(co->counters.reports_unknown, 1);
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_RUNNING, 1, false, &fail), FC_OK);
    assert_int_equal(co_capture_find(&co->captures, "job")->state, FC_STATE_RUNNING);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

/* ---- evidence ---- */

static fc_err
node_tells_profile(test_node *n, const char *uid, uint64_t revision, uint64_t packets, fc_fail *fail)
{
    Fcpb__CounterValue counter = FCPB__COUNTER_VALUE__INIT, *counters[] = {&counter};
    Fcpb__Profile profile = FCPB__PROFILE__INIT;
    uint8_t bytes[64];
    counter.id = 1;
    counter.value = packets;
    profile.version = 1;
    profile.counters = counters;
    profile.n_counters = 1;
    Fcpb__ReportEvidenceRequest request = FCPB__REPORT_EVIDENCE_REQUEST__INIT;
    request.capture_uid = (char *)(uintptr_t)uid;
    request.revision = revision;
    request.evidence_case = FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE;
    request.profile = (ProtobufCBinaryData){fcpb__profile__pack(&profile, bytes), bytes};
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_REPORT_EVIDENCE, &request.base, 5000, &reply, fail);
    if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    return err;
}

typedef struct listing {
    unsigned instances;
    uint64_t revision, packets;
    size_t bytes;
    bool over;
    fc_rpc_status status;
} listing;

static void
on_evidence(fc_rpc_call *call, const ProtobufCMessage *message)
{
    listing *l = fc_rpc_call_user(call);
    const Fcpb__InstanceEvidence *one = (const Fcpb__InstanceEvidence *)message;
    l->instances++;
    l->bytes += one->evidence->profile.len;
    l->revision = one->evidence->revision;
    assert_string_equal(one->instance->capture_name, "job");
    Fcpb__Profile *profile =
        fcpb__profile__unpack(NULL, one->evidence->profile.len, one->evidence->profile.data);
    assert_non_null(profile);
    l->packets += profile->n_counters > 0 ? profile->counters[0]->value : 0;
    fcpb__profile__free_unpacked(profile, NULL);
}

static void
on_listing_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    listing *l = fc_rpc_call_user(call);
    l->over = true;
    l->status = *status;
}

static const fc_rpc_call_ops listing_ops = {.on_message = on_evidence, .on_closed = on_listing_closed};

static fc_rpc_call *
list_evidence(fc_rpc_client *client, const char *name, listing *l)
{
    Fcpb__ListEvidenceRequest request = FCPB__LIST_EVIDENCE_REQUEST__INIT;
    request.name = (char *)(uintptr_t)name;
    *l = (listing){0};
    return fc_rpc_call_new(fc_rpc_client_conn(client), FC_METHOD_LIST_EVIDENCE, &request.base, 0,
                           &listing_ops, l);
}

static void
a_profile_goes_from_the_node_to_the_operator(void **state)
{
    (void)state;
    test_node n;
    listing l;
    fc_fail fail = {0};
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    RUN_UNTIL(n.desired->n_captures == 1);
    (void)list_evidence(alice, "job", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.instances, 1); /* that has none yet */
    assert_int_equal(l.revision, 0);
    assert_int_equal(node_tells_profile(&n, job_uid(), 3, 30, &fail), FC_OK);
    assert_int_equal(node_tells_profile(&n, job_uid(), 2, 20, &fail), FC_OK);
    (void)list_evidence(alice, "job", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.status.code, FC_CODE_OK);
    assert_int_equal(l.packets, 30);
    assert_int_equal(l.revision, 3);
    assert_int_equal(node_reports(&n, job_uid(), FC_STATE_STOPPED, 9, false, &fail), FC_OK);
    assert_int_equal(node_tells_profile(&n, job_uid(), 4, 40, &fail), FC_OK); /* answered when it is stored */
    assert_int_equal(co->counters.evidence_unstored_bytes, 0);
    (void)list_evidence(alice, "job", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.packets, 40);
    (void)list_evidence(alice, "nothing", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.status.code, FC_CODE_NOT_FOUND);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

static void
a_node_speaks_of_its_own_captures_only(void **state)
{
    (void)state;
    test_node n;
    listing l;
    fc_fail fail = {0};
    node_joins(&n, "web-1");
    fc_rpc_client *alice = operator_dials();
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    RUN_UNTIL(n.desired->n_captures == 1);
    char uid[FC_UID_LENGTH + 1];
    (void)snprintf(uid, sizeof uid, "%s", job_uid());
    node_leaves(&n);
    RUN_UNTIL(co->registry.online == 0);
    node_joins(&n, "web-2"); /* the capture is not this one's */
    assert_int_equal(node_tells_profile(&n, uid, 1, 10, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(node_tells_profile(&n, "../../etc/passwd", 1, 10, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(co->counters.evidence_unknown, 2);
    (void)list_evidence(n.client, "job", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.status.code, FC_CODE_PERMISSION_DENIED);
    Fcpb__ReportEvidenceRequest nothing = FCPB__REPORT_EVIDENCE_REQUEST__INIT;
    nothing.capture_uid = uid;
    ProtobufCMessage *reply = NULL;
    assert_int_equal(fc_rpc_unary(n.client, FC_METHOD_REPORT_EVIDENCE, &nothing.base, 5000, &reply, &fail),
                     FC_ERR_INVALID);
    (void)list_evidence(alice, "job", &l);
    RUN_UNTIL(l.over);
    assert_int_equal(l.packets, 0);
    fc_rpc_client_free(alice);
    node_leaves(&n);
}

/* 300 instances with 60 KiB each: 18 MB that the reader does not take. */
static void
a_slow_reader_of_evidence_costs_no_memory(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static uint8_t bytes[CO_EVIDENCE_BYTES_MAX];
    fc_fail fail = {0};
    listing l;
    join_thousands(MANY);
    fc_rpc_client *alice = operator_dials();
    assert_int_equal(create_job(alice, job_json, NULL, &fail), FC_OK);
    Fcpb__Profile profile = FCPB__PROFILE__INIT;
    Fcpb__ProfileSubject subject = FCPB__PROFILE_SUBJECT__INIT;
    char *filter = fc_alloc(sizeof bytes);
    memset(filter, 'x', sizeof bytes - 64);
    subject.filter = filter;
    profile.version = 1;
    profile.subject = &subject;
    size_t size = fcpb__profile__pack(&profile, bytes);
    co_capture *job = co_capture_find(&co->captures, "job");
    for (size_t i = 0; i < job->part_count; i++) {
        bool stored;
        assert_int_equal(
            co_evidence_put(co, &job->parts[i], CO_EVIDENCE_PROFILE, 1, bytes, size, NULL, &stored, &fail),
            FC_OK);
    }
    fc_rpc_call *call = list_evidence(alice, "job", &l);
    fc_rpc_call_hold(call, true);
    for (int i = 0; i < 100; i++)
        fc_loop_step(loop, 10);
    assert_true(l.instances > 0);
    assert_true(l.bytes <= 3 * FC_RPC_WINDOW_BULK_BYTES);
    assert_false(l.over);
    fc_rpc_call_hold(call, false);
    RUN_UNTIL(l.over);
    assert_int_equal(l.instances, MANY);
    assert_int_equal(l.bytes, MANY * size);
    free(filter);
    fc_rpc_client_free(alice);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_node_is_who_its_certificate_says),
        TEST(a_node_of_the_next_release_is_spoken_to_in_our_version),
        TEST(a_node_that_is_too_new_is_refused_and_leaves_no_trace_but_the_audit_record),
        TEST(an_order_with_a_field_that_we_do_not_know_is_refused_and_a_question_is_not),
        TEST(a_peer_of_another_fleet_is_cut_off),
        TEST(a_capture_is_created_watched_and_stopped),
        TEST(a_file_is_passed_on_whole_and_from_any_offset),
        TEST(a_slow_reader_holds_up_the_node_and_not_our_memory),
        TEST(a_reader_that_leaves_ends_the_node_s_reading),
        TEST(a_node_that_goes_in_the_middle_is_named),
        TEST(five_thousand_instances_fit_in_frames),
        TEST(a_report_that_lies_is_refused_and_the_rest_is_taken),
        TEST(a_profile_goes_from_the_node_to_the_operator),
        TEST(a_node_speaks_of_its_own_captures_only),
        TEST(a_slow_reader_of_evidence_costs_no_memory),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
