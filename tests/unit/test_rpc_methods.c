/* Every method by every role, and what the table must say of each. */
#include "../scenario/rpc_rig.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/enrol_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const fc_role roles[] = {FC_ROLE_NODE, FC_ROLE_OPERATOR, FC_ROLE_COORDINATOR, FC_ROLE_ANONYMOUS};

/* Written out once more: a change of the table must be meant. */
static const struct {
    const char *path;
    unsigned roles;
    bool streams;
    bool bulk;
} expected[] = {
    {"/fleetcap.v1.CaptureService/CreateCapture", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.CaptureService/GetCapture", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.CaptureService/ListCaptures", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.CaptureService/ListInstanceCaptures", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.CaptureService/WatchCapture", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.CaptureService/StopCaptures", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.CaptureService/DeleteCapture", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.CaptureService/ListFiles", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.CaptureService/ReadFile", FC_ROLE_OPERATOR, true, true},
    {"/fleetcap.v1.CaptureService/ListEvidence", FC_ROLE_OPERATOR, true, true},
    {"/fleetcap.v1.FleetService/GetFleet", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.FleetService/ListInstances", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.FleetService/GetInstance", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.CoordinatorService/Hello", FC_ROLE_NODE, false, false},
    {"/fleetcap.v1.CoordinatorService/Report", FC_ROLE_NODE, false, false},
    {"/fleetcap.v1.CoordinatorService/Heartbeat", FC_ROLE_NODE, false, false},
    {"/fleetcap.v1.CoordinatorService/ReportEvidence", FC_ROLE_NODE, false, false},
    {"/fleetcap.v1.EnrolService/Enrol", FC_ROLE_ANONYMOUS, false, false},
    {"/fleetcap.v1.EnrolService/Renew", FC_ROLE_NODE, false, false},
    {"/fleetcap.v1.AdmissionService/CreateToken", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.AdmissionService/ListTokens", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.AdmissionService/RevokeToken", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.AdmissionService/ListEnrolments", FC_ROLE_OPERATOR, true, false},
    {"/fleetcap.v1.AdmissionService/DecideEnrolment", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.AdmissionService/RemoveInstance", FC_ROLE_OPERATOR, false, false},
    {"/fleetcap.v1.NodeService/SetDesired", FC_ROLE_COORDINATOR, false, false},
    {"/fleetcap.v1.NodeService/ReadSegment", FC_ROLE_COORDINATOR, true, true},
};

static void
the_table_says_what_was_agreed(void **state)
{
    (void)state;
    assert_int_equal(FC_COUNT(expected), FC_METHOD_COUNT);
    for (size_t i = 0; i < FC_COUNT(expected); i++) {
        const fc_rpc_method *method = fc_rpc_method_find(expected[i].path);
        assert_non_null(method);
        assert_ptr_equal(method, fc_rpc_method_get(method->id));
        assert_string_equal(method->path, expected[i].path);
        assert_int_equal(method->roles, expected[i].roles);
        assert_int_equal((method->kind & FC_RPC_SERVER_STREAM) != 0, expected[i].streams);
        assert_int_equal((method->kind & FC_RPC_BULK) != 0, expected[i].bulk);
        assert_non_null(method->input);
        assert_non_null(method->output);
    }
    assert_ptr_equal(fc_rpc_method_get(FC_METHOD_GET_FLEET)->output, &fcpb__fleet__descriptor);
}

/* Every service of the protocol has all its methods in the table. */
static void
no_method_of_the_protocol_is_missing(void **state)
{
    (void)state;
    static const ProtobufCServiceDescriptor *const services[] = {
        &fcpb__capture_service__descriptor,     &fcpb__fleet_service__descriptor,
        &fcpb__coordinator_service__descriptor, &fcpb__node_service__descriptor,
        &fcpb__enrol_service__descriptor,       &fcpb__admission_service__descriptor};
    size_t count = 0;
    for (size_t i = 0; i < FC_COUNT(services); i++) {
        for (unsigned j = 0; j < services[i]->n_methods; j++, count++) {
            char path[128];
            (void)snprintf(path, sizeof path, "/%s/%s", services[i]->name, services[i]->methods[j].name);
            assert_non_null(fc_rpc_method_find(path));
        }
    }
    assert_int_equal(count, FC_METHOD_COUNT);
}

static void
what_is_not_in_the_table_is_not_found(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "",
        "/",
        "fleetcap.v1.FleetService/GetFleet",
        "/fleetcap.v1.FleetService/GetFlee",
        "/fleetcap.v1.FleetService/GetFleet/",
        "/fleetcap.v1.FleetService/getfleet",
        "/fleetcap.v2.FleetService/GetFleet",
        "/zzz",
    };
    for (size_t i = 0; i < FC_COUNT(unknown); i++)
        assert_null(fc_rpc_method_find(unknown[i]));
}

static unsigned served;

static void
serve(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    served++;
    const fc_rpc_status status = fc_rpc_status_make(FC_CODE_ABORTED, "was served");
    fc_rpc_call_finish(call, &status);
}

static fc_rpc_handler all[FC_METHOD_COUNT];

static void
serve_all(void)
{
    for (size_t i = 0; i < FC_METHOD_COUNT; i++)
        all[i] = (fc_rpc_handler){.method = (fc_method_id)i, .request = serve};
}

/* Calls `path` as the dialler of a fresh connection; returns the status that comes back. */
static fc_code
call_as(fc_role role, const fc_rpc_service *service, const char *path, char ret_message[384],
        uint64_t *ret_denied)
{
    rig r;
    rig_init(&r, &(rig_options){.listener_services = service, .dialler_role = role, .dialler_raw = true});
    rig_say_ping(&r.dialler);
    rig_say_request(&r.dialler, 1, path, 0, FC_RPC_WINDOW_BYTES);
    rig_say_payload(&r.dialler, 1, "", 0, true);
    rig_settle(&r);
    Fcpb__Frame *frame = rig_hear(&r.dialler);
    assert_non_null(frame);
    assert_int_equal(frame->stream_id, 1);
    assert_int_equal(frame->body_case, FCPB__FRAME__BODY_STATUS);
    fc_code code = (fc_code)frame->status->code;
    (void)snprintf(ret_message, 384, "%s", frame->status->message);
    fcpb__frame__free_unpacked(frame, NULL);
    assert_null(rig_hear(&r.dialler));
    assert_int_equal(r.listener.closings, 0); /* a refusal does not cost the connection */
    *ret_denied = r.listener.endpoint.counters.calls_denied;
    rig_fini(&r);
    return code;
}

static void
every_method_is_refused_to_every_role_but_its_own(void **state)
{
    (void)state;
    serve_all();
    const fc_rpc_service service = {.handlers = all, .handler_count = FC_METHOD_COUNT};
    for (size_t i = 0; i < FC_COUNT(expected); i++) {
        for (size_t j = 0; j < FC_COUNT(roles); j++) {
            char message[384], sentence[384];
            uint64_t denied;
            served = 0;
            fc_code code = call_as(roles[j], &service, expected[i].path, message, &denied);
            if ((expected[i].roles & roles[j]) != 0) {
                assert_int_equal(code, FC_CODE_ABORTED);
                assert_int_equal(served, 1);
                assert_int_equal(denied, 0);
            } else {
                assert_int_equal(code, FC_CODE_PERMISSION_DENIED);
                assert_int_equal(served, 0);
                assert_int_equal(denied, 1);
                (void)snprintf(sentence, sizeof sentence, "%s/dialler may not call %s",
                               fc_role_name(roles[j]), expected[i].path);
                assert_string_equal(message, sentence);
            }
        }
    }
}

static void
what_is_not_served_here_is_unimplemented_and_what_is_denied_stays_denied(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(expected); i++) {
        for (size_t j = 0; j < FC_COUNT(roles); j++) {
            char message[384];
            uint64_t denied;
            fc_code code = call_as(roles[j], NULL, expected[i].path, message, &denied);
            assert_int_equal(code, (expected[i].roles & roles[j]) != 0 ? FC_CODE_UNIMPLEMENTED
                                                                       : FC_CODE_PERMISSION_DENIED);
        }
    }
}

static void
an_unknown_method_is_unimplemented_and_its_name_is_cleaned(void **state)
{
    (void)state;
    char message[384];
    uint64_t denied;
    assert_int_equal(call_as(FC_ROLE_OPERATOR, NULL, "/no.Such/\x1b[2J", message, &denied),
                     FC_CODE_UNIMPLEMENTED);
    assert_string_equal(message, "there is no method /no.Such/?[2J");
}

/* A node, which dialled, is called by its coordinator, and by nobody else. */
static void
the_dialling_side_checks_as_well(void **state)
{
    (void)state;
    static const struct {
        fc_role role;
        fc_code code;
    } cases[] = {{FC_ROLE_COORDINATOR, FC_CODE_ABORTED},
                 {FC_ROLE_NODE, FC_CODE_PERMISSION_DENIED},
                 {FC_ROLE_OPERATOR, FC_CODE_PERMISSION_DENIED}};
    serve_all();
    const fc_rpc_service service = {.handlers = all, .handler_count = FC_METHOD_COUNT};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        rig r;
        rig_init(&r, &(rig_options){.dialler_services = &service, .listener_raw = true});
        r.dialler.peer.role = cases[i].role;
        rig_say_ping(&r.listener);
        rig_say_request(&r.listener, 2, "/fleetcap.v1.NodeService/SetDesired", 0, FC_RPC_WINDOW_BYTES);
        rig_say_payload(&r.listener, 2, "", 0, true);
        rig_settle(&r);
        Fcpb__Frame *frame = rig_hear(&r.listener);
        assert_int_equal(frame->body_case, FCPB__FRAME__BODY_STATUS);
        assert_int_equal(frame->status->code, cases[i].code);
        fcpb__frame__free_unpacked(frame, NULL);
        rig_fini(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_says_what_was_agreed),
        cmocka_unit_test(no_method_of_the_protocol_is_missing),
        cmocka_unit_test(what_is_not_in_the_table_is_not_found),
        cmocka_unit_test(every_method_is_refused_to_every_role_but_its_own),
        cmocka_unit_test(what_is_not_served_here_is_unimplemented_and_what_is_denied_stays_denied),
        cmocka_unit_test(an_unknown_method_is_unimplemented_and_its_name_is_cleaned),
        cmocka_unit_test(the_dialling_side_checks_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
