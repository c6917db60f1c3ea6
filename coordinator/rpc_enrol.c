/* EnrolService: how a machine gets its certificate, and its next one. */
#include "common/base/mem.h"
#include "coordinator/service.h"

#include "fleetcap/v1/enrol_service.pb-c.h"

#include <string.h>

static ProtobufCBinaryData
bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static void
answer_issued(const co_service *service, fc_rpc_call *call, const fc_buf *pem, const char *scale_set,
              const char *region)
{
    Fcpb__IssuedCertificate issued = FCPB__ISSUED_CERTIFICATE__INIT;
    Fcpb__EnrolResponse answer = FCPB__ENROL_RESPONSE__INIT;
    issued.certificate_pem = (ProtobufCBinaryData){fc_buf_size(pem), (uint8_t *)(uintptr_t)fc_buf_bytes(pem)};
    issued.ca_pem = bytes_of(fc_issuer_ca_pem(service->co->enrolment.issuer));
    issued.fleet_id = service->co->fleet;
    issued.scale_set = (char *)(uintptr_t)scale_set;
    issued.region = (char *)(uintptr_t)region;
    answer.result_case = FCPB__ENROL_RESPONSE__RESULT_ISSUED;
    answer.issued = &issued;
    fc_rpc_call_reply(call, &answer.base);
}

static void
answer_pending(fc_rpc_call *call, co_enrolled *enrolled)
{
    Fcpb__PendingEnrolment pending = FCPB__PENDING_ENROLMENT__INIT;
    Fcpb__EnrolResponse answer = FCPB__ENROL_RESPONSE__INIT;
    pending.enrolment_id = enrolled->enrolment_id;
    pending.retry_after_ms = enrolled->retry_after_ms;
    answer.result_case = FCPB__ENROL_RESPONSE__RESULT_PENDING;
    answer.pending = &pending;
    fc_rpc_call_reply(call, &answer.base);
}

static void
on_enrol(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__EnrolRequest *request = (const Fcpb__EnrolRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    co_enrol enrol = {
        .principal = co_caller(call, who),
        .address = fc_rpc_conn_address(fc_rpc_call_conn(call)),
        .token_id = request->token_id,
        .secret = request->token_secret.data,
        .secret_size = request->token_secret.len,
        .instance_id = request->instance_id,
        .name = request->name,
        .scale_set = request->scale_set,
        .region = request->region,
        .csr_pem = (const char *)request->csr_pem.data,
        .csr_size = request->csr_pem.len,
    };
    co_enrolled enrolled;
    fc_fail fail = {0};
    if (co_enrol_instance(service->co, &enrol, &enrolled, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    if (enrolled.pending)
        answer_pending(call, &enrolled);
    else
        answer_issued(service, call, &enrolled.certificate_pem, enrolled.scale_set, enrolled.region);
    co_enrolled_fini(&enrolled);
}

static void
on_renew(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__RenewRequest *request = (const Fcpb__RenewRequest *)message;
    co_service *service = user;
    fc_rpc_conn *conn = fc_rpc_call_conn(call);
    const fc_principal *peer = fc_rpc_conn_peer(conn);
    fc_principal next;
    fc_buf pem = {0};
    fc_fail fail = {0};
    if (co_enrolment_renew(service->co, peer, fc_rpc_conn_address(conn), (const char *)request->csr_pem.data,
                           request->csr_pem.len, &pem, &next, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    fc_rpc_conn_set_peer(conn, &next);
    answer_issued(service, call, &pem, next.scale_set, next.region);
    fc_buf_fini(&pem);
}

const fc_rpc_handler co_enrol_handlers[] = {
    {.method = FC_METHOD_ENROL, .request = on_enrol},
    {.method = FC_METHOD_RENEW, .request = on_renew},
};
const size_t co_enrol_handler_count = FC_COUNT(co_enrol_handlers);
