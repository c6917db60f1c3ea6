#include "test_coordinator_enrolment_fixture.h"

#include "common/tls/pki.h"
#include "tests/temp_dir.h"

fixture f;
char output[16384];

static fc_issuer *issuer;
static char dir[TEMP_DIR_BYTES];

/* ---- openssl ---- */

int
run(const char *command)
{
    return temp_dir_run(dir, command, output, sizeof output);
}

void
save(const char *name, const void *bytes, size_t size)
{
    char *path = fc_sprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(path);
}

int
judge(const fc_buf *pem)
{
    save("leaf.pem", fc_buf_bytes(pem), fc_buf_size(pem));
    char *command =
        fc_sprintf("openssl verify -attime %lld -CAfile ca.crt -CRLfile state/crl.pem -crl_check leaf.pem",
                   (long long)(co_wall(f.co).ns / FC_NS_PER_S));
    int status = run(command);
    free(command);
    return status;
}

/* ---- set up ---- */

void
switch_on(void)
{
    (void)snprintf(f.co->fleet, sizeof f.co->fleet, "prod");
    f.co->enrolment.issuer = issuer;
}

int
set_up(void **state)
{
    (void)state;
    fc_fail fail = {0};
    temp_dir_make(dir);
    fixture_now_ns = 0;
    if (fc_pki_init(dir, "prod", 0, &fail) != FC_OK || run("mkdir state") != 0)
        fail_msg("%s: %s", dir, fail.text);
    char *settings = fc_sprintf("state_dir: %s/state\nca_key: %s/ca.key\n", dir, dir);
    char *database = fc_sprintf("%s/state/fleetcap.db", dir);
    char *ca = fc_sprintf("%s/ca.crt", dir), *key = fc_sprintf("%s/ca.key", dir);
    fixture_open(&f, settings, database, &fake_link_ops);
    if (fc_issuer_open(ca, key, &issuer, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    switch_on();
    free(settings), free(database), free(ca), free(key);
    return 0;
}

int
tear_down(void **state)
{
    (void)state;
    fixture_close(&f);
    fc_issuer_close(issuer);
    issuer = NULL;
    return temp_dir_remove(dir);
}

/* ---- machines and tokens ---- */

machine
machine_named(const char *id)
{
    machine m = {0};
    fc_buf pem = {0};
    assert_int_equal(fc_key_new(&m.key, NULL), FC_OK);
    assert_int_equal(fc_key_csr(m.key, id, &pem, NULL), FC_OK);
    m.csr = fc_buf_take_text(&pem);
    fc_buf_fini(&pem);
    return m;
}

void
scrap(machine *m)
{
    fc_key_free(m->key);
    free(m->csr);
    *m = (machine){0};
}

fc_token
token_of(const char *scale_set, const char *region, uint32_t uses, uint64_t ttl_ms, bool approval)
{
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {1, 2, 3};
    co_token_request request = {"operator/alice", "", scale_set, region, uses, ttl_ms, approval, pin};
    co_token_row row;
    char text[FC_TOKEN_TEXT_SIZE];
    fc_token token;
    fc_fail fail = {0};
    if (co_token_create(f.co, &request, &row, text, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    assert_int_equal(fc_token_parse(text, &token, &fail), FC_OK);
    assert_string_equal(token.id, row.id);
    return token;
}

fc_token
plain_token(uint32_t uses)
{
    return token_of("web", "eu", uses, HOUR_MS, false);
}

co_enrol
request_of(const fc_token *token, const char *id, const char *csr)
{
    return (co_enrol){
        .principal = "anonymous/anonymous",
        .address = "10.0.0.7:4242",
        .token_id = token->id,
        .secret = token->secret,
        .secret_size = sizeof token->secret,
        .instance_id = id,
        .name = "",
        .scale_set = "",
        .region = "",
        .csr_pem = csr,
        .csr_size = strlen(csr),
    };
}

fc_err
ask(const fc_token *token, const char *id, const machine *m, co_enrolled *ret, fc_fail *fail)
{
    co_enrol request = request_of(token, id, m->csr);
    *ret = (co_enrolled){0};
    return co_enrol_instance(f.co, &request, ret, fail);
}

co_enrolled
enrol(const fc_token *token, const char *id, const machine *m)
{
    co_enrolled enrolled;
    fc_fail fail = {0};
    if (ask(token, id, m, &enrolled, &fail) != FC_OK)
        fail_msg("%s: %s", id, fail.text);
    assert_false(enrolled.pending);
    return enrolled;
}

const char *
refused(const fc_token *token, const char *id, const machine *m, fc_err want)
{
    static fc_fail fail;
    co_enrolled enrolled;
    fail = (fc_fail){0};
    fc_err err = ask(token, id, m, &enrolled, &fail);
    if (err != want)
        fail_msg("%s: error %d, %s", id, (int)err, fail.text);
    return fail.text;
}

uint32_t
uses_of(const fc_token *token)
{
    co_token_row row;
    assert_int_equal(co_store_get_token(f.co->store, token->id, &row, NULL), FC_OK);
    return row.used;
}

typedef struct audit_count {
    const char *action, *outcome;
    unsigned count;
} audit_count;

static void
count_audit(const co_audit_row *row, void *user)
{
    audit_count *c = user;
    c->count += strcmp(row->action, c->action) == 0 && strcmp(row->outcome, c->outcome) == 0;
}

unsigned
audited(const char *action, const char *outcome)
{
    audit_count c = {action, outcome, 0};
    assert_int_equal(co_persist_flush(f.co, NULL, NULL, NULL), FC_OK);
    assert_int_equal(co_store_each_audit(f.co->store, 10000, count_audit, &c, NULL), FC_OK);
    return c.count;
}

void
principal_of(const fc_buf *pem, const char *id, fc_principal *ret)
{
    char *at;
    save("leaf.pem", fc_buf_bytes(pem), fc_buf_size(pem));
    assert_int_equal(run("openssl x509 -in leaf.pem -noout -serial | cut -d= -f2 | tr A-F a-f"), 0);
    *ret = (fc_principal){.role = FC_ROLE_NODE, .fleet = "prod", .scale_set = "web", .region = "eu"};
    if ((at = strchr(output, '\n')) != NULL)
        *at = '\0';
    (void)snprintf(ret->serial, sizeof ret->serial, "%.40s", output);
    (void)snprintf(ret->name, sizeof ret->name, "%s", id);
    ret->not_after.ns = co_wall(f.co).ns + (int64_t)LIFE_H * HOUR_MS * FC_NS_PER_MS;
}

fc_err
remove_instance(const char *id, bool force, co_removed *ret, fc_fail *fail)
{
    co_removal removal = {"operator/alice", "", id, force};
    return co_instance_remove(f.co, &removal, ret, fail);
}

fc_err
decide(const char *id, bool approve, fc_fail *fail)
{
    co_enrolment_row row;
    return co_enrolment_decide(f.co, "operator/alice", id, approve, &row, fail);
}

fc_err
renew(const fc_principal *peer, const machine *m, fc_buf *pem, fc_principal *next, fc_fail *fail)
{
    return co_enrolment_renew(f.co, peer, "10.0.0.7:4243", m->csr, strlen(m->csr), pem, next, fail);
}
