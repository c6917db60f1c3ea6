/* methods.h: every method of fleetcap.v1 as data: who may call it, and how it streams.
 *
 * protobuf-c's service descriptors give names and types; what they lack (streaming, roles) stands here. A
 * method that is not in this table does not exist for a peer.
 */
#ifndef FC_RPC_METHODS_H
#define FC_RPC_METHODS_H

#include "common/base/principal.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* STRICT: an order. A request that has a field we do not know (of a newer peer) is refused: understood by
 * half, it would do something else than was meant. Everywhere else such fields are ignored. */
enum {
    FC_RPC_UNARY = 0,
    FC_RPC_SERVER_STREAM = 1,
    FC_RPC_CLIENT_STREAM = 2,
    FC_RPC_BULK = 4,
    FC_RPC_STRICT = 8
};

/* `roles`: who may call it. NodeService is called by a coordinator. */
// clang-format off
/*    id                      service              method                  kind                              roles */
#define FC_METHODS(X)                                                                                              \
    X(CREATE_CAPTURE,         capture_service,     "CreateCapture",        FC_RPC_STRICT,                    OPERATOR)    \
    X(GET_CAPTURE,            capture_service,     "GetCapture",           FC_RPC_UNARY,                     OPERATOR)    \
    X(LIST_CAPTURES,          capture_service,     "ListCaptures",         FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(LIST_INSTANCE_CAPTURES, capture_service,     "ListInstanceCaptures", FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(WATCH_CAPTURE,          capture_service,     "WatchCapture",         FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(STOP_CAPTURES,          capture_service,     "StopCaptures",         FC_RPC_SERVER_STREAM | FC_RPC_STRICT, OPERATOR)\
    X(DELETE_CAPTURE,         capture_service,     "DeleteCapture",        FC_RPC_STRICT,                    OPERATOR)    \
    X(LIST_FILES,             capture_service,     "ListFiles",            FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(READ_FILE,              capture_service,     "ReadFile",             FC_RPC_SERVER_STREAM | FC_RPC_BULK, OPERATOR)  \
    X(LIST_EVIDENCE,          capture_service,     "ListEvidence",         FC_RPC_SERVER_STREAM | FC_RPC_BULK, OPERATOR)  \
    X(GET_FLEET,              fleet_service,       "GetFleet",             FC_RPC_UNARY,                     OPERATOR)    \
    X(LIST_INSTANCES,         fleet_service,       "ListInstances",        FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(GET_INSTANCE,           fleet_service,       "GetInstance",          FC_RPC_UNARY,                     OPERATOR)    \
    X(HELLO,                  coordinator_service, "Hello",                FC_RPC_UNARY,                     NODE)        \
    X(REPORT,                 coordinator_service, "Report",               FC_RPC_UNARY,                     NODE)        \
    X(HEARTBEAT,              coordinator_service, "Heartbeat",            FC_RPC_UNARY,                     NODE)        \
    X(REPORT_EVIDENCE,        coordinator_service, "ReportEvidence",       FC_RPC_UNARY,                     NODE)        \
    X(ENROL,                  enrol_service,       "Enrol",                FC_RPC_UNARY,                     ANONYMOUS)   \
    X(RENEW,                  enrol_service,       "Renew",                FC_RPC_UNARY,                     NODE)        \
    X(CREATE_TOKEN,           admission_service,   "CreateToken",          FC_RPC_STRICT,                    OPERATOR)    \
    X(LIST_TOKENS,            admission_service,   "ListTokens",           FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(REVOKE_TOKEN,           admission_service,   "RevokeToken",          FC_RPC_STRICT,                    OPERATOR)    \
    X(LIST_ENROLMENTS,        admission_service,   "ListEnrolments",       FC_RPC_SERVER_STREAM,             OPERATOR)    \
    X(DECIDE_ENROLMENT,       admission_service,   "DecideEnrolment",      FC_RPC_STRICT,                    OPERATOR)    \
    X(REMOVE_INSTANCE,        admission_service,   "RemoveInstance",       FC_RPC_STRICT,                    OPERATOR)    \
    X(SET_DESIRED,            node_service,        "SetDesired",           FC_RPC_UNARY,                     COORDINATOR) \
    X(READ_SEGMENT,           node_service,        "ReadSegment",          FC_RPC_SERVER_STREAM | FC_RPC_BULK, COORDINATOR)
// clang-format on

typedef enum fc_method_id {
#define X(id, service, name, kind, role) FC_METHOD_##id,
    FC_METHODS(X)
#undef X
        FC_METHOD_COUNT
} fc_method_id;

typedef struct fc_rpc_method {
    fc_method_id id;
    char path[96]; /* "/fleetcap.v1.CaptureService/CreateCapture" */
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
    unsigned kind;  /* FC_RPC_* */
    unsigned roles; /* fc_role bits */
} fc_rpc_method;

const fc_rpc_method *
fc_rpc_method_get(fc_method_id id);
/* NULL when there is no such method. */
const fc_rpc_method *
fc_rpc_method_find(const char *path);

#endif
