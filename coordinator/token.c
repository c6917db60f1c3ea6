/* Tokens: made, revoked. */
#include "common/base/log.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

static fc_err
check(struct co *co, const co_token_request *request, fc_fail *fail)
{
    fc_err err = co_enrolment_check_on(co, fail);
    if (err != FC_OK)
        return err;
    if (!fc_name_check(request->scale_set))
        return fc_fail_field(fail, FC_ERR_INVALID, "scale_set", "scale set '%.80s' is not a name",
                             request->scale_set);
    if (!fc_name_check(request->region))
        return fc_fail_field(fail, FC_ERR_INVALID, "region", "region '%.80s' is not a name", request->region);
    if (request->uses < 1 || request->uses > CO_TOKEN_USES_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "uses", "a token has 1 to %d uses, not %" PRIu32,
                             CO_TOKEN_USES_MAX, request->uses);
    if (request->ttl_ms < CO_TOKEN_TTL_MIN_MS || request->ttl_ms > CO_TOKEN_TTL_MAX_MS)
        return fc_fail_field(fail, FC_ERR_INVALID, "ttl_ms",
                             "a token lives 1 s to 30 days, not %" PRIu64 " ms", request->ttl_ms);
    if (co->enrolment.counts.tokens < CO_TOKENS_MAX)
        return FC_OK;
    co->counters.tokens_full++;
    return fc_fail_set(fail, FC_ERR_LIMIT,
                       "%d tokens are kept, no more may be: they go a week after they expire", CO_TOKENS_MAX);
}

static fc_err
write_created(struct co *co, void *user, fc_fail *fail)
{
    const co_token_row *row = user;
    char detail[256], when[FC_TIME_TEXT_SIZE];
    (void)snprintf(detail, sizeof detail, "scale set %s, region %s, %" PRIu32 " uses, until %s%s",
                   row->scale_set, row->region, row->uses,
                   fc_wall_text((fc_wall){row->expires_unix_ns}, when),
                   row->approval ? ", with approval" : "");
    fc_err err = co_store_add_token(co->store, row, fail);
    return err == FC_OK
               ? co_persist_write_audit(co, row->created_by, "token-create", row->id, "ok", detail, fail)
               : err;
}

fc_err
co_token_create(struct co *co, const co_token_request *request, co_token_row *ret_token,
                char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail)
{
    fc_fail why = {0};
    int64_t now = co_wall(co).ns;
    fc_err err = check(co, request, &why);
    if (err != FC_OK) {
        co_persist_refusal(co, request->principal, "token-create", "-", err, why.text);
        return fc_fail_copy(fail, &why);
    }
    fc_token token;
    co_token_row row = {
        .uses = request->uses,
        .created_unix_ns = now,
        .expires_unix_ns = now + (int64_t)request->ttl_ms * FC_NS_PER_MS,
        .approval = request->approval,
    };
    fc_token_make(request->pin, &token);
    COPY(row.id, token.id);
    fc_token_digest(&token, row.secret_sha256);
    COPY(row.scale_set, request->scale_set);
    COPY(row.region, request->region);
    COPY(row.created_by, request->principal);
    err = co_persist_flush(co, write_created, &row, fail);
    if (err == FC_OK) {
        fc_token_text(&token, ret_text);
        *ret_token = row;
        co->enrolment.counts.tokens++;
        co->counters.tokens_created++;
        fc_log(FC_LOG_NOTICE, "token %s for scale set %s in %s created by %s", row.id, row.scale_set,
               row.region, row.created_by);
    }
    fc_token_wipe(&token);
    return err;
}

typedef struct revoking {
    const char *principal;
    const co_token_row *row;
} revoking;

static fc_err
write_revoked(struct co *co, void *user, fc_fail *fail)
{
    const revoking *r = user;
    char detail[64];
    (void)snprintf(detail, sizeof detail, "%" PRIu32 " of %" PRIu32 " uses", r->row->used, r->row->uses);
    fc_err err = co_store_revoke_token(co->store, r->row->id, r->principal, co_wall(co).ns, fail);
    return err == FC_OK
               ? co_persist_write_audit(co, r->principal, "token-revoke", r->row->id, "ok", detail, fail)
               : err;
}

/* Tokens are told apart by what is no secret: the id alone. A whole token given here is not repeated. */
static fc_err
find(struct co *co, const char *id, co_token_row *ret_row, fc_fail *fail)
{
    uint8_t bytes[FC_TOKEN_ID_LENGTH / 2];
    fc_err err = co_enrolment_check_on(co, fail);
    if (err != FC_OK)
        return err;
    if (strlen(id) != FC_TOKEN_ID_LENGTH || fc_hex_parse(id, bytes, sizeof bytes) != FC_OK)
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "id", "this is no token's id (16 hexadecimal digits)");
    err = co_store_get_token(co->store, id, ret_row, fail);
    return err == FC_ERR_NOT_FOUND ? fc_fail_field(fail, err, "id", "there is no token '%s'", id) : err;
}

fc_err
co_token_revoke(struct co *co, const char *principal, const char *id, co_token_row *ret_token, fc_fail *fail)
{
    fc_fail why = {0};
    co_token_row row;
    fc_err err = find(co, id, &row, &why);
    if (err != FC_OK) {
        co_persist_refusal(co, principal, "token-revoke", "-", err, why.text);
        return fc_fail_copy(fail, &why);
    }
    revoking r = {principal, &row};
    if (!row.revoked) {
        err = co_persist_flush(co, write_revoked, &r, fail);
        if (err != FC_OK)
            return err;
        err = co_store_count_enrolment(co->store, &co->enrolment.counts, fail);
        if (err != FC_OK)
            return err;
        row.revoked = true;
        co->counters.tokens_revoked++;
        fc_log(FC_LOG_NOTICE, "token %s revoked by %s", row.id, principal);
    }
    *ret_token = row;
    return FC_OK;
}
