/* Tokens: made, revoked. */
#include "common/base/log.h"
#include "coordinator/coordinator.h"
#include "coordinator/enrolment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char method[] = "CreateToken";

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

static fc_err
check(struct co *co, const co_token_request *request, fc_fail *fail)
{
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

typedef struct creating {
    const co_token_request *request;
    const co_token_row *row;
} creating;

static fc_err
write_created(struct co *co, void *user, fc_fail *fail)
{
    const creating *c = user;
    const co_token_row *row = c->row;
    char detail[256], when[FC_TIME_TEXT_SIZE];
    (void)snprintf(detail, sizeof detail, "scale set %s, region %s, %" PRIu32 " uses, until %s%s",
                   row->scale_set, row->region, row->uses,
                   fc_wall_text((fc_wall){row->expires_unix_ns}, when),
                   row->approval ? ", with approval" : "");
    fc_err err = co_store_add_token(co->store, row, fail);
    if (err == FC_OK)
        err = co_persist_write_request(co, row->created_by, c->request->request_id, method, row->id, fail);
    return err == FC_OK
               ? co_persist_write_audit(co, row->created_by, "token-create", row->id, "ok", detail, fail)
               : err;
}

/* That of a token which a request may ask for again: made of its id, and nobody else can make it. Our id is
 * random, so no two have the same. */
static fc_err
derive_secret(struct co *co, fc_token *token, fc_fail *fail)
{
    _Static_assert(sizeof token->secret == FC_ISSUER_DERIVED_SIZE, "a secret is what is derived");
    return fc_issuer_derive(co->enrolment.issuer, "fleetcap enrolment token", token->id, token->secret, fail);
}

static bool
same_wish(const co_token_request *request, const co_token_row *row)
{
    return strcmp(request->scale_set, row->scale_set) == 0 && strcmp(request->region, row->region) == 0 &&
           request->uses == row->uses && request->approval == row->approval &&
           (int64_t)request->ttl_ms * FC_NS_PER_MS == row->expires_unix_ns - row->created_unix_ns;
}

/* The answer to a request that was carried out before. */
static fc_err
repeat(struct co *co, const co_token_request *request, const char *id, co_token_row *ret_token,
       char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail)
{
    co_token_row row;
    fc_token token = {0};
    uint8_t digest[32];
    fc_err err = co_store_get_token(co->store, id, &row, fail);
    if (err == FC_ERR_NOT_FOUND)
        return fc_fail_set(fail, FC_ERR_EXISTS, "request '%s' made token %s, which is over and forgotten",
                           request->request_id, id);
    if (err != FC_OK)
        return err;
    if (!same_wish(request, &row))
        return fc_fail_set(fail, FC_ERR_EXISTS, "request id '%s' was used for token %s, which is another",
                           request->request_id, id);
    if (row.revoked || row.expires_unix_ns <= co_wall(co).ns)
        return fc_fail_set(fail, FC_ERR_EXISTS,
                           "request '%s' made token %s, which has been revoked or has expired",
                           request->request_id, id);
    COPY(token.id, row.id);
    memcpy(token.pin, request->pin, sizeof token.pin);
    err = derive_secret(co, &token, fail);
    fc_token_digest(&token, digest);
    if (err == FC_OK && fc_token_digest_compare(digest, row.secret_sha256) != 0)
        err = fc_fail_set(
            fail, FC_ERR_EXISTS,
            "request '%s' made token %s, which cannot be told again, because the CA's key has changed "
            "since: revoke it (fleetcap token revoke %s) and make another",
            request->request_id, id, id);
    if (err == FC_OK) {
        fc_token_text(&token, ret_text);
        *ret_token = row;
    }
    fc_token_wipe(&token);
    return err;
}

static fc_err
carry_out(struct co *co, const co_token_request *request, co_token_row *ret_token,
          char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail)
{
    int64_t now = co_wall(co).ns;
    fc_token token;
    co_token_row row = {
        .uses = request->uses,
        .created_unix_ns = now,
        .expires_unix_ns = now + (int64_t)request->ttl_ms * FC_NS_PER_MS,
        .approval = request->approval,
    };
    creating c = {request, &row};
    fc_token_make(request->pin, &token);
    fc_err err = request->request_id[0] != '\0' ? derive_secret(co, &token, fail) : FC_OK;
    COPY(row.id, token.id);
    fc_token_digest(&token, row.secret_sha256);
    COPY(row.scale_set, request->scale_set);
    COPY(row.region, request->region);
    COPY(row.created_by, request->principal);
    if (err == FC_OK)
        err = co_persist_flush(co, write_created, &c, fail);
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

fc_err
co_token_create(struct co *co, const co_token_request *request, co_token_row *ret_token,
                char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail)
{
    fc_fail why = {0};
    char id[CO_REQUEST_OBJECT_SIZE];
    fc_err err = co_enrolment_check_on(co, &why);
    if (err == FC_OK)
        err = co_persist_find_request(co, request->principal, request->request_id, method, id, &why);
    if (err == FC_OK)
        err = repeat(co, request, id, ret_token, ret_text, &why);
    else if (err == FC_ERR_NOT_FOUND) {
        err = check(co, request, &why);
        if (err == FC_OK)
            return carry_out(co, request, ret_token, ret_text, fail);
    }
    if (err == FC_OK)
        return FC_OK;
    co_persist_refusal(co, request->principal, "token-create", "-", err, why.text);
    return fc_fail_copy(fail, &why);
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
