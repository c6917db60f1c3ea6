/* The coordinator's services over real streams on the loopback: a node and an operator in this process. */
#include "service_peers.h"

#include "coordinator/rpc_message.h"

#include <stdio.h>
#include <string.h>

/* ---- who is there ---- */

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
    assert_int_equal(fc_rpc_unary(alice, FC_METHOD_CREATE_CAPTURE, &request.base, PATIENCE_MS, &reply, &fail),
                     FC_ERR_UNSUPPORTED);
    assert_string_equal(fail.text, "fleetcap " FC_VERSION
                                   ", which was asked, does not know field 11 of CaptureSpec: upgrade it");
    assert_int_equal(co->counters.captures_created, 0);
    assert_int_equal(fc_rpc_server_counters(server)->calls_newer, 1);
    assert_int_equal(co->persist.refusals, 1); /* and it is in the audit log */
    spec->unknown_fields = NULL;
    spec->n_unknown_fields = 0;
    protobuf_c_message_free_unpacked(&request.definition->base, NULL);
    question.name = (char *)"job";
    question.base.unknown_fields = &unknown;
    question.base.n_unknown_fields = 1;
    assert_int_equal(fc_rpc_unary(alice, FC_METHOD_GET_CAPTURE, &question.base, PATIENCE_MS, &reply, &fail),
                     FC_ERR_NOT_FOUND);
    fc_rpc_client_free(alice);
}

static void
a_peer_of_another_fleet_is_cut_off(void **state)
{
    (void)state;
    fc_principal mallory = {.role = FC_ROLE_OPERATOR, .fleet = "other", .name = "mallory"};
    fc_rpc_client *client = service_connect(&mallory, NULL, 0);
    RUN_UNTIL(co->counters.connections_foreign == 1);
    RUN_UNTIL(fc_rpc_client_conn(client) == NULL);
    fc_rpc_client_free(client);
}

/* ---- a capture ---- */

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
        fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, PATIENCE_MS, count_ack, counts, &fail),
        FC_OK);
    assert_int_equal(counts[1], 1);
    RUN_UNTIL(n.desired->captures[0]->action == FCPB__DESIRED_ACTION__DESIRED_ACTION_STOP);
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
        fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, PATIENCE_MS, count_ack, counts, &fail),
        FC_OK);
    assert_int_equal(counts[0], 1);
    fc_rpc_client_free(alice);
    node_leaves(&n);
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
    must(create_job(alice, job_json, &created, &fail), &fail);
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
        fc_rpc_stream(alice, FC_METHOD_LIST_INSTANCES, &all.base, PATIENCE_MS, count_message, &count, &fail),
        FC_OK);
    assert_int_equal(count, COUNT);
    Fcpb__GetCaptureRequest get = FCPB__GET_CAPTURE_REQUEST__INIT;
    get.name = (char *)"job";
    count = 0;
    assert_int_equal(fc_rpc_stream(alice, FC_METHOD_LIST_INSTANCE_CAPTURES, &get.base, PATIENCE_MS,
                                   count_message, &count, &fail),
                     FC_OK);
    assert_int_equal(count, COUNT);
    unsigned acks[2] = {0};
    Fcpb__StopCapturesRequest stop = FCPB__STOP_CAPTURES_REQUEST__INIT;
    stop.all = true;
    stop.wait_ms = 10000;
    assert_int_equal(
        fc_rpc_stream(alice, FC_METHOD_STOP_CAPTURES, &stop.base, PATIENCE_MS, count_ack, acks, &fail),
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_is_who_its_certificate_says),
        TEST(a_node_of_the_next_release_is_spoken_to_in_our_version),
        TEST(a_node_that_is_too_new_is_refused_and_leaves_no_trace_but_the_audit_record),
        TEST(an_order_with_a_field_that_we_do_not_know_is_refused_and_a_question_is_not),
        TEST(a_peer_of_another_fleet_is_cut_off),
        TEST(a_capture_is_created_watched_and_stopped),
        TEST(five_thousand_instances_fit_in_frames),
        TEST(a_report_that_lies_is_refused_and_the_rest_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
