/* Profiles from the nodes to the operator, through the coordinator. */
#include "service_peers.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- telling and listing ---- */

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
    fc_err err = fc_rpc_unary(n->client, FC_METHOD_REPORT_EVIDENCE, &request.base, PATIENCE_MS, &reply, fail);
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

/* ---- tests ---- */

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
    assert_int_equal(
        fc_rpc_unary(n.client, FC_METHOD_REPORT_EVIDENCE, &nothing.base, PATIENCE_MS, &reply, &fail),
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
    RUN_UNTIL(l.instances > 0);
    for (int i = 0; i < 100; i++)
        fc_loop_step(loop, 10);
    assert_true(l.bytes <= 3 * FC_RPC_WINDOW_BULK_BYTES);
    assert_false(l.over);
    fc_rpc_call_hold(call, false);
    RUN_UNTIL(l.over);
    assert_int_equal(l.instances, MANY);
    assert_int_equal(l.bytes, MANY * size);
    free(filter);
    fc_rpc_client_free(alice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_goes_from_the_node_to_the_operator),
        TEST(a_node_speaks_of_its_own_captures_only),
        TEST(a_slow_reader_of_evidence_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
