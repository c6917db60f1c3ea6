/* AdmissionService: what operators decide about tokens, enrolments and members. */
#include "common/base/mem.h"
#include "coordinator/service.h"

#include "fleetcap/v1/enrol_service.pb-c.h"

#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages: they borrow from the rows ---- */

static Fcpb__Token
token_message(co_token_row *row)
{
    Fcpb__Token message = FCPB__TOKEN__INIT;
    message.id = row->id;
    message.scale_set = row->scale_set;
    message.region = row->region;
    message.uses = row->uses;
    message.used = row->used;
    message.created_unix_ns = row->created_unix_ns;
    message.expires_unix_ns = row->expires_unix_ns;
    message.created_by = row->created_by;
    message.approval = row->approval;
    message.revoked = row->revoked;
    return message;
}

static Fcpb__Enrolment
enrolment_message(co_enrolment_row *row, char key_text[FC_HEX_SIZE(CO_KEY_SIZE)])
{
    Fcpb__Enrolment message = FCPB__ENROLMENT__INIT;
    fc_hex_text(row->key_sha256, sizeof row->key_sha256, key_text);
    message.id = row->id;
    message.state = (Fcpb__EnrolmentState)row->state;
    message.token_id = row->token;
    message.instance_id = row->instance;
    message.name = row->name;
    message.scale_set = row->scale_set;
    message.region = row->region;
    message.address = row->address;
    message.key_sha256 = key_text;
    message.requested_unix_ns = row->requested_unix_ns;
    message.decided_by = row->decided_by;
    message.decided_unix_ns = row->decided_unix_ns;
    message.certificate_expires_unix_ns = row->expires_unix_ns;
    return message;
}

/* ---- lists: row by row, as fast as the reader takes them ---- */

typedef struct listing {
    co_service *service; /* borrowed */
    fc_rpc_call *call;   /* borrowed */
    fc_err (*next)(struct listing *l, fc_fail *fail);
    int64_t seq; /* of the last one sent */
    bool all;
} listing;

static fc_err
next_token(listing *l, fc_fail *fail)
{
    struct co *co = l->service->co;
    co_token_row row;
    fc_err err = co_store_next_token(co->store, l->seq, l->all, co_wall(co).ns, &row, fail);
    if (err != FC_OK)
        return err;
    Fcpb__Token message = token_message(&row);
    l->seq = row.seq;
    (void)fc_rpc_call_send(l->call, &message.base);
    return FC_OK;
}

static fc_err
next_enrolment(listing *l, fc_fail *fail)
{
    co_enrolment_row row;
    char key_text[FC_HEX_SIZE(CO_KEY_SIZE)];
    fc_err err = co_store_next_enrolment(l->service->co->store, l->seq, l->all, "", &row, fail);
    if (err != FC_OK)
        return err;
    Fcpb__Enrolment message = enrolment_message(&row, key_text);
    l->seq = row.seq;
    (void)fc_rpc_call_send(l->call, &message.base);
    return FC_OK;
}

static void
pump(fc_rpc_call *call)
{
    listing *l = fc_rpc_call_user(call);
    fc_fail fail = {0};
    while (fc_rpc_call_writable(call)) {
        fc_err err = l->next(l, &fail);
        if (err == FC_OK)
            continue;
        if (err == FC_ERR_NOT_FOUND)
            fc_rpc_call_finish(call, &fc_rpc_ok);
        else
            fc_rpc_call_fail(call, &fail);
        return;
    }
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    free(fc_rpc_call_user(call));
}

static const fc_rpc_call_ops listing_ops = {.on_writable = pump, .on_closed = on_closed};

static void
list(co_service *service, fc_rpc_call *call, bool all, fc_err (*next)(listing *l, fc_fail *fail))
{
    fc_fail fail = {0};
    if (co_enrolment_check_on(service->co, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    listing *l = FC_NEW(listing);
    *l = (listing){.service = service, .call = call, .next = next, .all = all};
    fc_rpc_call_set(call, &listing_ops, l);
    pump(call);
}

static void
on_list_tokens(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    list(user, call, ((const Fcpb__ListTokensRequest *)message)->all, next_token);
}

static void
on_list_enrolments(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    list(user, call, ((const Fcpb__ListEnrolmentsRequest *)message)->all, next_enrolment);
}

/* ---- tokens ---- */

static void
on_create_token(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__CreateTokenRequest *request = (const Fcpb__CreateTokenRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE], text[FC_TOKEN_TEXT_SIZE];
    uint8_t pin[FC_TOKEN_PIN_SIZE] = {0};
    co_token_row row;
    fc_fail fail = {0};
    co_token_request create = {
        .principal = co_caller(call, who),
        .request_id = request->request_id,
        .scale_set = request->scale_set,
        .region = request->region,
        .uses = request->uses,
        .ttl_ms = request->ttl_ms,
        .approval = request->approval,
        .pin = pin,
    };
    fc_err err = co_request_id_check(request->request_id, &fail);
    if (err == FC_OK && service->tls != NULL)
        err = fc_tls_pin(service->tls, pin, &fail);
    if (err == FC_OK)
        err = co_token_create(service->co, &create, &row, text, &fail);
    if (err != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    Fcpb__Token token = token_message(&row);
    Fcpb__CreatedToken answer = FCPB__CREATED_TOKEN__INIT;
    answer.token = &token;
    answer.text = text;
    fc_rpc_call_reply(call, &answer.base);
    mbedtls_platform_zeroize(text, sizeof text);
}

static void
on_revoke_token(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__RevokeTokenRequest *request = (const Fcpb__RevokeTokenRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    co_token_row row;
    fc_fail fail = {0};
    if (co_token_revoke(service->co, co_caller(call, who), request->id, &row, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    Fcpb__Token answer = token_message(&row);
    fc_rpc_call_reply(call, &answer.base);
}

/* ---- enrolments, instances ---- */

static void
on_decide_enrolment(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__DecideEnrolmentRequest *request = (const Fcpb__DecideEnrolmentRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE], key_text[FC_HEX_SIZE(CO_KEY_SIZE)];
    co_enrolment_row row;
    fc_fail fail = {0};
    if (co_enrolment_decide(service->co, co_caller(call, who), request->id, request->approve, &row, &fail) !=
        FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    Fcpb__Enrolment answer = enrolment_message(&row, key_text);
    fc_rpc_call_reply(call, &answer.base);
}

static void
on_remove_instance(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__RemoveInstanceRequest *request = (const Fcpb__RemoveInstanceRequest *)message;
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    co_removal removal = {co_caller(call, who), request->request_id, request->instance, request->force};
    co_removed removed;
    fc_fail fail = {0};
    fc_err err = co_request_id_check(request->request_id, &fail);
    if (err == FC_OK)
        err = co_instance_remove(service->co, &removal, &removed, &fail);
    if (err != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    Fcpb__RemovedInstance answer = FCPB__REMOVED_INSTANCE__INIT;
    answer.id = removed.id;
    answer.certificates_revoked = removed.certificates_revoked;
    answer.was_connected = removed.was_connected;
    answer.captures_ended = removed.captures_ended;
    answer.done_before = removed.done_before;
    fc_rpc_call_reply(call, &answer.base);
}

const fc_rpc_handler co_admission_handlers[] = {
    {.method = FC_METHOD_CREATE_TOKEN, .request = on_create_token},
    {.method = FC_METHOD_LIST_TOKENS, .request = on_list_tokens},
    {.method = FC_METHOD_REVOKE_TOKEN, .request = on_revoke_token},
    {.method = FC_METHOD_LIST_ENROLMENTS, .request = on_list_enrolments},
    {.method = FC_METHOD_DECIDE_ENROLMENT, .request = on_decide_enrolment},
    {.method = FC_METHOD_REMOVE_INSTANCE, .request = on_remove_instance},
};
const size_t co_admission_handler_count = FC_COUNT(co_admission_handlers);
