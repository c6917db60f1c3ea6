#include "cli/rpc_admission.h"

#include "cli/answers.h"
#include "common/base/mem.h"
#include "fleetcap/v1/enrol_service.pb-c.h"

#include <stdlib.h>
#include <string.h>

void
cli_token_fini(cli_token *token)
{
    free(token->created_by);
    memset(token, 0, sizeof *token);
}

void
cli_tokens_fini(cli_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        cli_token_fini(&tokens->items[i]);
    free(tokens->items);
    memset(tokens, 0, sizeof *tokens);
}

void
cli_enrolment_fini(cli_enrolment *enrolment)
{
    free(enrolment->id);
    free(enrolment->token_id);
    free(enrolment->address);
    free(enrolment->key_sha256);
    free(enrolment->decided_by);
    memset(enrolment, 0, sizeof *enrolment);
}

void
cli_enrolments_fini(cli_enrolments *enrolments)
{
    for (size_t i = 0; i < enrolments->count; i++)
        cli_enrolment_fini(&enrolments->items[i]);
    free(enrolments->items);
    memset(enrolments, 0, sizeof *enrolments);
}

const char *
cli_enrolment_state_name(cli_enrolment_state state)
{
    static const char *const names[CLI_ENROLMENT_STATE_COUNT] = {
        [CLI_ENROLMENT_UNKNOWN] = "UNKNOWN",   [CLI_ENROLMENT_PENDING] = "PENDING",
        [CLI_ENROLMENT_APPROVED] = "APPROVED", [CLI_ENROLMENT_ISSUED] = "ISSUED",
        [CLI_ENROLMENT_DENIED] = "DENIED",
    };
    return names[state];
}

/* ---- from messages ---- */

static fc_err
token_from_pb(const Fcpb__Token *message, cli_token *ret, fc_fail *fail)
{
    const cli_word words[] = {
        {message->scale_set, "a scale set", false, ret->scale_set},
        {message->region, "a region", false, ret->region},
    };
    uint8_t id[FC_TOKEN_ID_LENGTH / 2];
    if (fc_hex_parse(message->id, id, sizeof id) != FC_OK)
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator sent a token with the id \"%.80s\"",
                           message->id);
    fc_err err = cli_answers_names(words, FC_COUNT(words), fail);
    if (err != FC_OK)
        return err;
    (void)strcpy(ret->id, message->id);
    ret->uses = message->uses;
    ret->used = message->used;
    ret->created.ns = message->created_unix_ns;
    ret->expires.ns = message->expires_unix_ns;
    ret->created_by = fc_strdup(message->created_by);
    ret->approval = message->approval;
    ret->revoked = message->revoked;
    return FC_OK;
}

static fc_err
enrolment_from_pb(const Fcpb__Enrolment *message, cli_enrolment *ret, fc_fail *fail)
{
    const cli_word words[] = {
        {message->instance_id, "an instance id", false, ret->instance_id},
        {message->name, "an instance", true, ret->name},
        {message->scale_set, "a scale set", false, ret->scale_set},
        {message->region, "a region", false, ret->region},
    };
    fc_err err = cli_answers_names(words, FC_COUNT(words), fail);
    if (err != FC_OK)
        return err;
    ret->id = fc_strdup(message->id);
    ret->token_id = fc_strdup(message->token_id);
    int state = (int)message->state;
    ret->state =
        state > 0 && state < CLI_ENROLMENT_STATE_COUNT ? (cli_enrolment_state)state : CLI_ENROLMENT_UNKNOWN;
    ret->address = fc_strdup(message->address);
    ret->key_sha256 = fc_strdup(message->key_sha256);
    ret->decided_by = fc_strdup(message->decided_by);
    ret->requested.ns = message->requested_unix_ns;
    ret->decided.ns = message->decided_unix_ns;
    ret->certificate_expires.ns = message->certificate_expires_unix_ns;
    return FC_OK;
}

/* ---- calls ---- */

/* An order with a request id. A coordinator of the release before does not know that field, and has refused
 * the whole order for it (docs/protocol.md): then without. */
static fc_err
order(cli_session *session, cli_request request, char **request_id, cli_answers *answers, fc_fail *fail)
{
    fc_err err = cli_answers_gather_one(session, request, answers, fail);
    if (err != FC_ERR_UNSUPPORTED)
        return err;
    *request_id = (char *)"";
    return cli_answers_gather_one(session, request, answers, fail);
}

/* A created token, and its text. */
typedef struct created {
    cli_token *token;
    char *text; /* FC_TOKEN_TEXT_SIZE */
} created;

static bool
take_created(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    const created *to = answers->into;
    const Fcpb__CreatedToken *message = (const Fcpb__CreatedToken *)answer;
    if (answers->count++ > 0)
        return false;
    fc_token token;
    answers->err = message->token == NULL
                       ? fc_fail_set(&answers->fail, FC_ERR_PROTOCOL, "the coordinator sent no token")
                       : token_from_pb(message->token, to->token, &answers->fail);
    if (answers->err == FC_OK)
        answers->err = fc_token_parse(message->text, &token, &answers->fail);
    if (answers->err != FC_OK)
        return false;
    /* As we write it, whatever white space came with it. */
    fc_token_text(&token, to->text);
    fc_token_wipe(&token);
    return true;
}

fc_err
cli_rpc_token_create(cli_session *session, const cli_token_wish *wish, uint32_t timeout_ms,
                     cli_token *ret_token, char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail)
{
    Fcpb__CreateTokenRequest message = FCPB__CREATE_TOKEN_REQUEST__INIT;
    message.scale_set = (char *)wish->scale_set;
    message.region = (char *)wish->region;
    message.uses = wish->uses;
    message.ttl_ms = wish->ttl_ms;
    message.approval = wish->approval;
    message.request_id = (char *)cli_session_request_id(session);
    created to = {ret_token, ret_text};
    cli_answers answers = {.into = &to};
    cli_request request = {.method = FC_METHOD_CREATE_TOKEN,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_created};
    return order(session, request, &message.request_id, &answers, fail);
}

static bool
take_listed_token(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_tokens *list = answers->into;
    cli_token token = {0};
    answers->err = token_from_pb((const Fcpb__Token *)answer, &token, &answers->fail);
    if (answers->err != FC_OK) {
        cli_token_fini(&token);
        return false;
    }
    list->items = fc_grow_room(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = token;
    return true;
}

fc_err
cli_rpc_tokens(cli_session *session, bool all, uint32_t timeout_ms, cli_tokens *ret, fc_fail *fail)
{
    Fcpb__ListTokensRequest message = FCPB__LIST_TOKENS_REQUEST__INIT;
    message.all = all;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_TOKENS,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_listed_token};
    return cli_answers_gather(session, request, &answers, fail);
}

static bool
take_token(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    if (answers->count++ == 0)
        answers->err = token_from_pb((const Fcpb__Token *)answer, answers->into, &answers->fail);
    return answers->err == FC_OK;
}

fc_err
cli_rpc_token_revoke(cli_session *session, const char *id, uint32_t timeout_ms, cli_token *ret_token,
                     fc_fail *fail)
{
    Fcpb__RevokeTokenRequest message = FCPB__REVOKE_TOKEN_REQUEST__INIT;
    message.id = (char *)id;
    cli_answers answers = {.into = ret_token};
    cli_request request = {.method = FC_METHOD_REVOKE_TOKEN,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_token};
    return cli_answers_gather_one(session, request, &answers, fail);
}

static bool
take_listed_enrolment(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_enrolments *list = answers->into;
    cli_enrolment enrolment = {0};
    answers->err = enrolment_from_pb((const Fcpb__Enrolment *)answer, &enrolment, &answers->fail);
    if (answers->err != FC_OK) {
        cli_enrolment_fini(&enrolment);
        return false;
    }
    list->items = fc_grow_room(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = enrolment;
    return true;
}

fc_err
cli_rpc_enrolments(cli_session *session, bool all, uint32_t timeout_ms, cli_enrolments *ret, fc_fail *fail)
{
    Fcpb__ListEnrolmentsRequest message = FCPB__LIST_ENROLMENTS_REQUEST__INIT;
    message.all = all;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_ENROLMENTS,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_listed_enrolment};
    return cli_answers_gather(session, request, &answers, fail);
}

static bool
take_enrolment(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    if (answers->count++ == 0)
        answers->err = enrolment_from_pb((const Fcpb__Enrolment *)answer, answers->into, &answers->fail);
    return answers->err == FC_OK;
}

fc_err
cli_rpc_enrolment_decide(cli_session *session, const char *id, bool approve, uint32_t timeout_ms,
                         cli_enrolment *ret_enrolment, fc_fail *fail)
{
    Fcpb__DecideEnrolmentRequest message = FCPB__DECIDE_ENROLMENT_REQUEST__INIT;
    message.id = (char *)id;
    message.approve = approve;
    cli_answers answers = {.into = ret_enrolment};
    cli_request request = {.method = FC_METHOD_DECIDE_ENROLMENT,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_enrolment};
    return cli_answers_gather_one(session, request, &answers, fail);
}

static bool
take_removed(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_removed *removed = answers->into;
    const Fcpb__RemovedInstance *message = (const Fcpb__RemovedInstance *)answer;
    const cli_word words[] = {{message->id, "an instance id", false, removed->id}};
    if (answers->count++ > 0)
        return false;
    removed->certificates_revoked = message->certificates_revoked;
    removed->captures_ended = message->captures_ended;
    removed->was_connected = message->was_connected;
    removed->done_before = message->done_before;
    answers->err = cli_answers_names(words, FC_COUNT(words), &answers->fail);
    return answers->err == FC_OK;
}

fc_err
cli_rpc_instance_remove(cli_session *session, const char *instance, bool force, uint32_t timeout_ms,
                        cli_removed *ret_removed, fc_fail *fail)
{
    Fcpb__RemoveInstanceRequest message = FCPB__REMOVE_INSTANCE_REQUEST__INIT;
    message.instance = (char *)instance;
    message.force = force;
    message.request_id = (char *)cli_session_request_id(session);
    cli_answers answers = {.into = ret_removed};
    cli_request request = {.method = FC_METHOD_REMOVE_INSTANCE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_removed};
    return order(session, request, &message.request_id, &answers, fail);
}
