#include "service_peers.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
peers_set_up(void **state)
{
    (void)state;
    service_open("{ca: a, certificate: b, key: c, arm_timeout: 200ms}");
    return 0;
}

int
peers_tear_down(void **state)
{
    (void)state;
    service_close();
    return 0;
}

/* ---- a node ---- */

uint8_t
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

void
node_dials(test_node *n, const char *id)
{
    static fc_rpc_service node_service[1];
    *n = (test_node){0};
    node_service[0] = (fc_rpc_service){node_handlers, FC_COUNT(node_handlers), n};
    n->client = service_dial_as(FC_ROLE_NODE, id, node_service, 1);
}

fc_err
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
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_HELLO, &request.base, PATIENCE_MS, &reply, fail);
    if (err == FC_OK && ret_hello != NULL)
        *ret_hello = (Fcpb__HelloResponse *)reply;
    else if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    return err;
}

fc_err
hello_as(test_node *n, const char *id, uint32_t version, fc_fail *fail)
{
    const fc_protocol_build build = {.version = version};
    return hello_with(n, id, &build, NULL, fail);
}

void
node_joins(test_node *n, const char *id)
{
    fc_fail fail = {0};
    node_dials(n, id);
    must(hello_as(n, id, 1, &fail), &fail);
    RUN_UNTIL(n->told > 0);
}

void
node_leaves(test_node *n)
{
    fc_rpc_client_free(n->client);
    if (n->desired != NULL)
        fcpb__desired_state__free_unpacked(n->desired, NULL);
    *n = (test_node){0};
}

fc_err
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
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_REPORT, &request.base, PATIENCE_MS, &reply, fail);
    if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    protobuf_c_message_free_unpacked(&one->base, NULL);
    fc_status_fini(&status);
    return err;
}

void
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

/* ---- an operator ---- */

const char job_json[] = "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 60}";

fc_rpc_client *
operator_dials(void)
{
    return service_dial_as(FC_ROLE_OPERATOR, "alice", NULL, 0);
}

fc_err
create_job(fc_rpc_client *client, const char *json, Fcpb__CreateCaptureResponse **ret_answer, fc_fail *fail)
{
    fc_definition definition = fixture_definition(json);
    Fcpb__CreateCaptureRequest request = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    request.definition = fc_definition_to_pb(&definition);
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, FC_METHOD_CREATE_CAPTURE, &request.base, PATIENCE_MS, &reply, fail);
    protobuf_c_message_free_unpacked(&request.definition->base, NULL);
    fc_definition_fini(&definition);
    if (err == FC_OK && ret_answer != NULL)
        *ret_answer = (Fcpb__CreateCaptureResponse *)reply;
    else if (reply != NULL)
        protobuf_c_message_free_unpacked(reply, NULL);
    return err;
}

const char *
job_uid(void)
{
    return co_capture_find(&co->captures, "job")->uid;
}
