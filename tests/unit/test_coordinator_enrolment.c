/* Who may join the fleet: every attack on enrolment that we know of, on a clock that we move. openssl(1)
 * makes the hostile requests and judges what comes out. */
#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "common/tls/csr.h"
#include "common/tls/key.h"
#include "common/tls/pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { HOUR_MS = 3600 * 1000, LIFE_H = 72 };

static fixture f;
static fc_issuer *issuer;
static char dir[64];
static char output[16384]; /* of the last command */

/* ---- openssl ---- */

/* Runs a shell command in the test's directory. */
static int
run(const char *command)
{
    char *line = fc_sprintf("cd %s && { %s; } 2>&1", dir, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    free(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
save(const char *name, const void *bytes, size_t size)
{
    char *path = fc_sprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(path);
}

/* What openssl thinks of a certificate at the time of our clock, with our revocation list; 0 = good. */
static int
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

static void
switch_on(void)
{
    (void)snprintf(f.co->fleet, sizeof f.co->fleet, "prod");
    f.co->enrolment.issuer = issuer;
}

static int
set_up(void **state)
{
    (void)state;
    fc_fail fail = {0};
    strcpy(dir, "/tmp/fc-enrolment-XXXXXX");
    fixture_now_ns = 0;
    if (mkdtemp(dir) == NULL || fc_pki_init(dir, "prod", 0, &fail) != FC_OK || run("mkdir state") != 0)
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

static int
tear_down(void **state)
{
    (void)state;
    fixture_close(&f);
    fc_issuer_close(issuer);
    issuer = NULL;
    return run("rm -rf \"$PWD\"");
}

/* ---- machines and tokens ---- */

typedef struct machine {
    fc_key *key;
    char *csr;
} machine;

static machine
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

static void
scrap(machine *m)
{
    fc_key_free(m->key);
    free(m->csr);
    *m = (machine){0};
}

static fc_token
token_of(const char *scale_set, const char *region, uint32_t uses, uint64_t ttl_ms, bool approval)
{
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {1, 2, 3};
    co_token_request request = {"operator/alice", scale_set, region, uses, ttl_ms, approval, pin};
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

static fc_token
plain_token(uint32_t uses)
{
    return token_of("web", "eu", uses, HOUR_MS, false);
}

static co_enrol
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

static fc_err
ask(const fc_token *token, const char *id, const machine *m, co_enrolled *ret, fc_fail *fail)
{
    co_enrol request = request_of(token, id, m->csr);
    *ret = (co_enrolled){0};
    return co_enrol_instance(f.co, &request, ret, fail);
}

/* It must work, at once; the caller finishes what comes back. */
static co_enrolled
enrol(const fc_token *token, const char *id, const machine *m)
{
    co_enrolled enrolled;
    fc_fail fail = {0};
    if (ask(token, id, m, &enrolled, &fail) != FC_OK)
        fail_msg("%s: %s", id, fail.text);
    assert_false(enrolled.pending);
    return enrolled;
}

/* It must not. Returns the sentence. */
static const char *
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

static uint32_t
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

static unsigned
audited(const char *action, const char *outcome)
{
    audit_count c = {action, outcome, 0};
    assert_int_equal(co_persist_flush(f.co, NULL, NULL, NULL), FC_OK);
    assert_int_equal(co_store_each_audit(f.co->store, 10000, count_audit, &c, NULL), FC_OK);
    return c.count;
}

/* The serial number of a certificate as openssl reads it, in lower case. */
static void
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

static fc_err
remove_instance(const char *id, bool force, co_removed *ret, fc_fail *fail)
{
    co_removal removal = {"operator/alice", id, force};
    return co_instance_remove(f.co, &removal, ret, fail);
}

/* ---- enrolling ---- */

static void
a_machine_with_a_token_gets_a_certificate_that_says_what_the_token_says(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    assert_string_equal(enrolled.scale_set, "web");
    assert_string_equal(enrolled.region, "eu");
    assert_int_equal(co_enrolment_write_crl(f.co, NULL), FC_OK);
    if (judge(&enrolled.certificate_pem) != 0)
        fail_msg("%s", output);
    assert_int_equal(
        run("openssl x509 -in leaf.pem -noout -subject -dates -ext subjectAltName,extendedKeyUsage"), 0);
    assert_non_null(strstr(output, "CN = web-1"));
    assert_non_null(strstr(output, "OU = web"));
    assert_non_null(strstr(output, "L = eu"));
    assert_non_null(strstr(output, "URI:spiffe://prod/node/web-1"));
    assert_non_null(strstr(output, "TLS Web Client Authentication"));
    assert_null(strstr(output, "Server"));
    assert_int_equal(audited("token-create", "ok"), 1);
    assert_int_equal(audited("enrol-issued", "ok"), 1);
    fixture_now_ns += (int64_t)(LIFE_H + 1) * HOUR_MS * FC_NS_PER_MS;
    assert_int_not_equal(judge(&enrolled.certificate_pem), 0);
    assert_non_null(strstr(output, "certificate has expired"));
    co_enrolled_fini(&enrolled);
    scrap(&m);
}

static void
the_same_request_again_is_the_same_enrolment(void **state)
{
    (void)state;
    fc_token token = plain_token(2);
    machine m = machine_named("web-1"), other = machine_named("web-1"), renamed = machine_named("web-2");
    co_enrolled first = enrol(&token, "web-1", &m);
    for (int i = 0; i < 5; i++) {
        co_enrolled again = enrol(&token, "web-1", &m);
        assert_int_equal(fc_buf_size(&again.certificate_pem), fc_buf_size(&first.certificate_pem));
        assert_memory_equal(fc_buf_bytes(&again.certificate_pem), fc_buf_bytes(&first.certificate_pem),
                            fc_buf_size(&first.certificate_pem));
        co_enrolled_fini(&again);
    }
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(f.co->counters.enrolments_repeated, 5);
    assert_non_null(strstr(refused(&token, "web-1", &other, FC_ERR_EXISTS), "remove it first"));
    assert_int_equal(uses_of(&token), 1);
    co_enrolled second = enrol(&token, "web-2", &renamed);
    assert_int_equal(uses_of(&token), 2);
    co_enrolled_fini(&first), co_enrolled_fini(&second);
    scrap(&m), scrap(&other), scrap(&renamed);
}

static void
a_token_lets_in_as_many_as_it_says(void **state)
{
    (void)state;
    fc_token token = plain_token(2);
    for (int i = 0; i < 4; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "web-%d", i);
        machine m = machine_named(id);
        co_enrolled enrolled;
        fc_fail fail = {0};
        fc_err err = ask(&token, id, &m, &enrolled, &fail);
        assert_int_equal(err, i < 2 ? FC_OK : FC_ERR_DENIED);
        if (err == FC_OK)
            co_enrolled_fini(&enrolled);
        else
            assert_non_null(strstr(fail.text, "used up: 2 of 2"));
        scrap(&m);
    }
    assert_int_equal(uses_of(&token), 2);
    assert_int_equal(f.co->counters.enrol_refused_used, 2);
    assert_int_equal(audited("enrol", "PERMISSION_DENIED"), 2);
}

static void
an_expired_token_lets_nobody_in_but_those_who_were_in_may_repeat(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), late = machine_named("web-2");
    co_enrolled first = enrol(&token, "web-1", &m);
    fixture_run_ms(&f, HOUR_MS);
    assert_non_null(strstr(refused(&token, "web-2", &late, FC_ERR_DENIED), "expired at 2027-"));
    assert_int_equal(f.co->counters.enrol_refused_expired, 1);
    co_enrolled again = enrol(&token, "web-1", &m);
    assert_memory_equal(fc_buf_bytes(&again.certificate_pem), fc_buf_bytes(&first.certificate_pem),
                        fc_buf_size(&first.certificate_pem));
    fixture_run_ms(&f, (int64_t)LIFE_H * HOUR_MS);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "expired"));
    co_enrolled_fini(&first), co_enrolled_fini(&again);
    scrap(&m), scrap(&late);
}

static void
a_token_is_for_its_scale_set_and_region_only(void **state)
{
    (void)state;
    static const struct {
        const char *scale_set, *region;
        fc_err want;
    } said[] = {
        {"db", "", FC_ERR_DENIED},    {"", "us", FC_ERR_DENIED},    {"db", "us", FC_ERR_DENIED},
        {"web", "us", FC_ERR_DENIED}, {"Web", "eu", FC_ERR_DENIED}, {"web/../db", "eu", FC_ERR_INVALID},
        {"web", "eu", FC_OK},
    };
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    for (size_t i = 0; i < FC_COUNT(said); i++) {
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        request.scale_set = said[i].scale_set;
        request.region = said[i].region;
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, NULL), said[i].want);
        if (said[i].want == FC_OK)
            co_enrolled_fini(&enrolled);
    }
    assert_int_equal(f.co->counters.enrol_refused_place, 5);
    assert_int_equal(f.co->counters.enrol_refused_form, 1);
    scrap(&m);
}

static void
who_guesses_a_token_learns_nothing(void **state)
{
    (void)state;
    fc_token token = plain_token(10), unknown = token, wrong = token;
    machine m = machine_named("web-1");
    char sentence[256];
    unknown.id[3] = unknown.id[3] == '0' ? '1' : '0';
    wrong.secret[31] ^= 1;
    (void)snprintf(sentence, sizeof sentence, "%s", refused(&unknown, "web-1", &m, FC_ERR_DENIED));
    assert_string_equal(refused(&wrong, "web-1", &m, FC_ERR_DENIED), sentence);
    for (size_t size = 0; size <= 64; size++) {
        uint8_t bytes[64] = {0};
        memcpy(bytes, token.secret, sizeof token.secret);
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        fc_fail fail = {0};
        request.secret = bytes;
        request.secret_size = size;
        if (size == sizeof token.secret)
            continue;
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, &fail), FC_ERR_DENIED);
        assert_string_equal(fail.text, sentence);
    }
    static const char *const ids[] = {"", "0", "0123456789abcdef0", "' OR 1=1 --     ", "%s%s%s%s%s%s%s%s"};
    for (size_t i = 0; i < FC_COUNT(ids); i++) {
        co_enrol request = request_of(&token, "web-1", m.csr);
        co_enrolled enrolled;
        fc_fail fail = {0};
        request.token_id = ids[i];
        assert_int_equal(co_enrol_instance(f.co, &request, &enrolled, &fail), FC_ERR_DENIED);
        assert_string_equal(fail.text, sentence);
    }
    assert_int_equal(f.co->counters.enrol_refused_token, 2 + 64 + FC_COUNT(ids));
    assert_int_equal(uses_of(&token), 0);
    scrap(&m);
}

static void
a_revoked_token_is_over(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    co_token_row row;
    fc_fail fail = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(co_token_revoke(f.co, "operator/bob", token.id, &row, &fail), FC_OK);
        assert_true(row.revoked);
    }
    assert_int_equal(audited("token-revoke", "ok"), 1);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "revoked"));
    token.secret[0] ^= 1; /* who does not know the secret is not told that there was such a token */
    assert_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "revoked"));
    assert_int_equal(co_token_revoke(f.co, "operator/bob", "0123456789abcdef", &row, &fail),
                     FC_ERR_NOT_FOUND);
    assert_int_equal(co_token_revoke(f.co, "operator/bob", "fct1.secret", &row, &fail), FC_ERR_NOT_FOUND);
    assert_null(strstr(fail.text, "secret"));
    scrap(&m);
}

#define NEW_KEY "openssl req -new -nodes -keyout k -newkey "
#define P256    "ec -pkeyopt ec_paramgen_curve:P-256 "

static void
a_signing_request_that_wants_more_than_its_name_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *command, *reason;
    } requests[] = {
        {"another name", NEW_KEY P256 "-subj /CN=web-2", "subject"},
        {"a unit of its own", NEW_KEY P256 "-subj /CN=web-1/OU=db", "subject"},
        {"an alternative name",
         NEW_KEY P256 "-subj /CN=web-1 -addext subjectAltName=URI:spiffe://prod/operator/root", "extensions"},
        {"a CA", NEW_KEY P256 "-subj /CN=web-1 -addext basicConstraints=CA:TRUE", "extensions"},
        {"P-384", NEW_KEY "ec -pkeyopt ec_paramgen_curve:P-384 -subj /CN=web-1", "P-256"},
        {"RSA", NEW_KEY "rsa:2048 -subj /CN=web-1", "P-256"},
        {"nothing", "echo", "not a signing request"},
    };
    fc_token token = plain_token(10);
    for (size_t i = 0; i < FC_COUNT(requests); i++) {
        char *command = fc_sprintf("{ %s; } 2>/dev/null", requests[i].command);
        machine m = {.csr = output};
        assert_int_equal(run(command), 0);
        const char *why = refused(&token, "web-1", &m, FC_ERR_INVALID);
        if (strstr(why, requests[i].reason) == NULL)
            fail_msg("%s: %s", requests[i].what, why);
        free(command);
    }
    assert_int_equal(f.co->counters.enrol_refused_csr, FC_COUNT(requests));
    assert_int_equal(uses_of(&token), 0);
    assert_int_equal(f.co->enrolment.counts.enrolments, 0);
}

static void
a_name_of_any_shape_is_survived(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      ".",
                                      "../web-1",
                                      "web 1",
                                      "-web",
                                      "web\n1",
                                      "0123456789012345678901234567890123456789012345678901234567890123"};
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    for (size_t i = 0; i < FC_COUNT(ids); i++)
        assert_non_null(strstr(refused(&token, ids[i], &m, FC_ERR_INVALID), "not a name"));
    char *large = fc_alloc(FC_CSR_PEM_MAX + 2);
    memset(large, 'A', FC_CSR_PEM_MAX + 1);
    machine giant = {.csr = large};
    assert_non_null(strstr(refused(&token, "web-1", &giant, FC_ERR_INVALID), "too long"));
    assert_int_equal(f.co->counters.enrol_refused_form, FC_COUNT(ids) + 1);
    free(large);
    scrap(&m);
}

/* ---- whose id it is ---- */

static void
a_living_instance_cannot_be_taken_over(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), thief = machine_named("web-1"), other = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    assert_non_null(
        strstr(refused(&token, "web-1", &thief, FC_ERR_EXISTS), "fleetcap instance remove web-1"));
    /* One that has its certificate from elsewhere, and has only been seen. */
    fake_link link = {0};
    co_instance *instance = fixture_join(&f, "web-2", "eu", &link);
    fc_principal seen = {.role = FC_ROLE_NODE, .name = "web-2", .serial = "0a0b0c"};
    seen.not_after.ns = co_wall(f.co).ns + 10 * FC_NS_PER_S;
    co_enrolment_seen(f.co, instance, &seen);
    fixture_leave(&f, &link);
    (void)refused(&token, "web-2", &other, FC_ERR_EXISTS);
    assert_int_equal(f.co->counters.enrol_refused_taken, 2);
    assert_int_equal(uses_of(&token), 1);
    fixture_run_ms(&f, 11000);
    co_enrolled second = enrol(&token, "web-2", &other);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&second);
    scrap(&m), scrap(&thief), scrap(&other);
}

static void
one_that_has_ended_can_be_taken_over_from_its_own_place_only(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), heir = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fixture_run_ms(&f, (int64_t)(LIFE_H + 2) * HOUR_MS); /* long enough for its row to be gone */
    fc_token db = token_of("db", "eu", 1, HOUR_MS, false), us = token_of("web", "us", 1, HOUR_MS, false);
    assert_non_null(strstr(refused(&db, "web-1", &heir, FC_ERR_EXISTS), "scale set 'web'"));
    assert_non_null(strstr(refused(&us, "web-1", &heir, FC_ERR_EXISTS), "region 'eu'"));
    fc_token same = plain_token(1);
    co_enrolled taken = enrol(&same, "web-1", &heir);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&taken);
    scrap(&m), scrap(&heir);
}

/* ---- approval ---- */

static void
every_state_knows_every_event(void **state)
{
    (void)state;
    unsigned issues = 0, refusals = 0;
    for (int from = 0; from < CO_ENROLMENT_STATES; from++)
        for (int event = 0; event < CO_ENROLMENT_EVENTS; event++) {
            co_enrolment_step step = co_enrolment_next((co_enrolment_state)from, (co_enrolment_event)event);
            bool machine_asks = event <= CO_ENROLMENT_ASK_GATED;
            issues += step.effect == CO_ENROLMENT_ISSUE;
            refusals += step.effect == CO_ENROLMENT_REFUSE;
            /* A refusal and a repetition change nothing; only a machine is given a certificate, only an
             * operator decides. */
            if (step.effect == CO_ENROLMENT_REFUSE || step.effect == CO_ENROLMENT_KEEP ||
                step.effect == CO_ENROLMENT_REPEAT)
                assert_int_equal(step.to, from);
            assert_int_equal(step.effect == CO_ENROLMENT_ISSUE,
                             step.to == CO_ENROLMENT_ISSUED && (int)step.to != from);
            if (step.effect == CO_ENROLMENT_RECORD)
                assert_false(machine_asks);
            if (step.effect == CO_ENROLMENT_ISSUE || step.effect == CO_ENROLMENT_WAIT)
                assert_true(machine_asks);
        }
    assert_int_equal(issues, 3);
    assert_int_equal(refusals, 6);
    /* Nobody with a gated token gets a certificate past the operator. */
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_NONE, CO_ENROLMENT_ASK_GATED).effect, CO_ENROLMENT_WAIT);
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_PENDING, CO_ENROLMENT_ASK).effect, CO_ENROLMENT_WAIT);
    assert_int_equal(co_enrolment_next(CO_ENROLMENT_DENIED, CO_ENROLMENT_ASK).effect, CO_ENROLMENT_REFUSE);
}

static fc_err
decide(const char *id, bool approve, fc_fail *fail)
{
    co_enrolment_row row;
    return co_enrolment_decide(f.co, "operator/alice", id, approve, &row, fail);
}

static void
an_operator_approves_and_the_machine_gets_it_when_it_asks_again(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 2, HOUR_MS, true);
    machine m = machine_named("web-1");
    co_enrolled enrolled;
    fc_fail fail = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(&token, "web-1", &m, &enrolled, &fail), FC_OK);
        assert_true(enrolled.pending);
        assert_in_range(enrolled.retry_after_ms, CO_ENROL_RETRY_MIN_MS, CO_ENROL_RETRY_MAX_MS);
        co_enrolled_fini(&enrolled);
    }
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(audited("enrol-asked", "ok"), 1);
    assert_int_equal(decide("web-2", true, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(decide("../web-1", true, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(decide("web-1", true, &fail), FC_OK);
    assert_int_equal(decide(enrolled.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(audited("enrol-approved", "ok"), 1);
    /* Nobody decides faster than a token may end: what was asked for in time is given. */
    fixture_run_ms(&f, 2 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.waiting, 1);
    co_enrolled done = enrol(&token, "web-1", &m);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    assert_int_equal(uses_of(&token), 1);
    assert_int_equal(decide(enrolled.enrolment_id, false, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "remove the instance"));
    co_enrolled_fini(&done);
    scrap(&m);
}

static void
an_operator_denies_and_that_is_that(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), other = machine_named("web-1");
    co_enrolled first, second;
    fc_fail fail = {0};
    assert_int_equal(ask(&token, "web-1", &m, &first, &fail), FC_OK);
    assert_int_equal(ask(&token, "web-1", &other, &second, &fail), FC_OK);
    assert_int_equal(decide("web-1", true, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "compare the keys"));
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(decide(first.enrolment_id, false, &fail),
                     FC_OK); /* not fetched yet: one may think again */
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_ERR_STATE);
    assert_non_null(strstr(refused(&token, "web-1", &m, FC_ERR_DENIED), "denied"));
    assert_int_equal(decide("web-1", true, &fail), FC_OK); /* one waits now */
    co_enrolled done = enrol(&token, "web-1", &other);
    assert_int_equal(audited("enrol-denied", "ok"), 1);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    co_enrolled_fini(&done);
    scrap(&m), scrap(&other);
}

static void
of_two_who_wait_with_one_id_only_one_gets_it(void **state)
{
    (void)state;
    fc_token token = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), other = machine_named("web-1");
    co_enrolled first, second;
    fc_fail fail = {0};
    assert_int_equal(ask(&token, "web-1", &m, &first, &fail), FC_OK);
    assert_int_equal(ask(&token, "web-1", &other, &second, &fail), FC_OK);
    assert_int_equal(decide(first.enrolment_id, true, &fail), FC_OK);
    assert_int_equal(decide(second.enrolment_id, true, &fail), FC_OK);
    co_enrolled done = enrol(&token, "web-1", &other);
    (void)refused(&token, "web-1", &m, FC_ERR_EXISTS);
    co_enrolled_fini(&done);
    scrap(&m), scrap(&other);
}

/* ---- renewal ---- */

static fc_err
renew(const fc_principal *peer, const machine *m, fc_buf *pem, fc_principal *next, fc_fail *fail)
{
    return co_enrolment_renew(f.co, peer, "10.0.0.7:4243", m->csr, strlen(m->csr), pem, next, fail);
}

static void
a_renewal_keeps_who_one_is(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), next_key = machine_named("web-1"), renamed = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next;
    fc_buf pem = {0};
    fc_fail fail = {0};
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    fixture_run_ms(&f, 60 * HOUR_MS);
    assert_int_equal(renew(&peer, &renamed, &pem, &next, &fail), FC_ERR_INVALID);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_OK);
    assert_string_equal(next.name, "web-1");
    assert_string_equal(next.scale_set, "web");
    assert_string_equal(next.region, "eu");
    assert_string_not_equal(next.serial, peer.serial);
    assert_int_equal(next.not_after.ns / FC_NS_PER_S, co_wall(f.co).ns / FC_NS_PER_S + LIFE_H * 3600);
    assert_int_equal(co_enrolment_write_crl(f.co, NULL), FC_OK);
    if (judge(&pem) != 0)
        fail_msg("%s", output);
    assert_int_equal(audited("renew", "ok"), 1);
    assert_int_equal(f.co->counters.renewals_refused, 1);
    fixture_run_ms(&f, 13 * HOUR_MS);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail),
                     FC_ERR_DENIED); /* the first one has ended */
    fc_buf_fini(&pem);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&next_key), scrap(&renamed);
}

static void
a_node_that_renews_for_ever_is_stopped(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1"), next_key = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next;
    fc_buf pem = {0};
    fc_fail fail = {0};
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    for (int i = 1; i < CO_CERTIFICATES_PER_INSTANCE_MAX; i++) {
        co_certificate_row row = {.not_after_unix_ns = peer.not_after.ns};
        (void)snprintf(row.serial, sizeof row.serial, "%08x", i);
        (void)snprintf(row.instance, sizeof row.instance, "web-1");
        assert_int_equal(co_store_add_certificate(f.co->store, &row, NULL), FC_OK);
    }
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_ERR_LIMIT);
    assert_non_null(strstr(fail.text, "512"));
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&next_key);
}

/* ---- removal ---- */

static void
who_is_removed_does_not_come_back_by_itself(void **state)
{
    (void)state;
    fc_token token = plain_token(10);
    machine m = machine_named("web-1"), next_key = machine_named("web-1"), anew = machine_named("web-1");
    co_enrolled enrolled = enrol(&token, "web-1", &m);
    fc_principal peer, next, stranger, fresh;
    fc_buf pem = {0};
    fc_fail fail = {0};
    co_removed removed;
    principal_of(&enrolled.certificate_pem, "web-1", &peer);
    assert_int_equal(renew(&peer, &next_key, &pem, &next, &fail), FC_OK);
    fake_link link = {0};
    fixture_join(&f, "web-1", "eu", &link);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_OK);
    assert_string_equal(removed.id, "web-1");
    assert_int_equal(removed.certificates_revoked, 2);
    assert_true(removed.was_connected);
    assert_true(link.closed);
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(f.co->registry.online, 0);
    /* By openssl's word: both are revoked. */
    assert_int_not_equal(judge(&enrolled.certificate_pem), 0);
    assert_non_null(strstr(output, "certificate revoked"));
    assert_int_not_equal(judge(&pem), 0);
    assert_non_null(strstr(output, "certificate revoked"));
    /* By ours too, and so is one that nobody here has ever seen. */
    stranger = peer;
    (void)snprintf(stranger.serial, sizeof stranger.serial, "99");
    assert_int_equal(co_enrolment_check_peer(f.co, &peer, &fail), FC_ERR_DENIED);
    assert_int_equal(co_enrolment_check_peer(f.co, &next, &fail), FC_ERR_DENIED);
    assert_int_equal(co_enrolment_check_peer(f.co, &stranger, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "was removed from the fleet: enrol it anew"));
    assert_int_equal(renew(&next, &anew, &pem, &next, &fail), FC_ERR_DENIED);
    /* Its key is no good any more, another one's certificate is. */
    (void)refused(&token, "web-1", &m, FC_ERR_DENIED);
    co_enrolled again = enrol(&token, "web-1", &anew);
    assert_int_equal(judge(&again.certificate_pem), 0);
    principal_of(&again.certificate_pem, "web-1", &fresh);
    assert_int_equal(co_enrolment_check_peer(f.co, &fresh, &fail), FC_OK);
    assert_int_equal(co_enrolment_check_peer(f.co, &stranger, &fail), FC_ERR_DENIED);
    assert_int_equal(audited("instance-remove", "ok"), 1);
    fc_buf_fini(&pem);
    co_enrolled_fini(&enrolled), co_enrolled_fini(&again);
    scrap(&m), scrap(&next_key), scrap(&anew);
}

static void
one_that_never_connected_is_removed_by_its_id(void **state)
{
    (void)state;
    fc_token token = plain_token(10), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), waiting = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m), pending;
    fc_fail fail = {0};
    co_removed removed;
    assert_int_equal(ask(&gated, "web-2", &waiting, &pending, &fail), FC_OK);
    assert_int_equal(remove_instance("web-3", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(remove_instance("no name", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_OK);
    assert_int_equal(removed.certificates_revoked, 1);
    assert_false(removed.was_connected);
    assert_int_equal(remove_instance("web-2", false, &removed, &fail), FC_OK);
    assert_int_equal(removed.certificates_revoked, 0);
    (void)refused(&gated, "web-2", &waiting, FC_ERR_DENIED);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_ERR_NOT_FOUND);
    assert_int_equal(f.co->counters.removals_refused, 3);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&waiting);
}

static void
captures_that_run_hold_a_removal_up_unless_it_is_forced(void **state)
{
    (void)state;
    fake_link one = {0}, two = {0};
    fc_fail fail = {0};
    co_removed removed;
    fixture_join(&f, "web-1", "eu", &one);
    fixture_join(&f, "web-2", "eu", &two);
    co_capture *job = fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 3600}");
    fixture_ack(&f, &one), fixture_ack(&f, &two);
    for (size_t i = 0; i < 2; i++)
        fixture_report(&f, &job->parts[i], FC_STATE_RUNNING, 2);
    assert_int_equal(remove_instance("web-1", false, &removed, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "1 captures that are not over"));
    assert_non_null(co_registry_find(&f.co->registry, "web-1"));
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_OK);
    assert_int_equal(removed.captures_ended, 1);
    fixture_check_folds(&f);
    const co_part *part = strcmp(job->parts[0].instance->id, "web-1") == 0 ? &job->parts[0] : &job->parts[1];
    assert_int_equal(part->status.state, FC_STATE_FAILED);
    assert_int_equal(part->status.stop_reason, FC_STOP_INSTANCE_REMOVED);
    assert_non_null(strstr(part->status.error, "removed from the fleet by operator/alice"));
    assert_int_equal(job->state, FC_STATE_RUNNING); /* on the other */
    assert_int_equal(f.co->registry.count, 1);
    /* Killed before what was left to write was written. */
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_null(co_registry_find(&f.co->registry, "web-1"));
    assert_non_null(co_registry_find_any(&f.co->registry, "web-1"));
    job = co_capture_find(&f.co->captures, "job");
    part = strcmp(job->parts[0].instance->id, "web-1") == 0 ? &job->parts[0] : &job->parts[1];
    assert_int_equal(part->status.state, FC_STATE_FAILED);
    assert_int_equal(part->status.stop_reason, FC_STOP_INSTANCE_REMOVED);
    assert_true(part->gone);
    fixture_check_folds(&f);
    /* It stays as long as the capture names it. */
    fixture_run_ms(&f, 5000);
    assert_non_null(co_registry_find_any(&f.co->registry, "web-1"));
    co_capture_delete(f.co, job);
    for (size_t i = 0; i < 2; i++)
        co_part_want(f.co, &job->parts[i], CO_ACTION_FORGET, FC_STOP_CAPTURE_DELETED);
    co_part_gone(f.co, part == &job->parts[0] ? &job->parts[1] : &job->parts[0]);
    fixture_run_ms(&f, 5000);
    assert_null(co_registry_find_any(&f.co->registry, "web-1"));
    assert_int_equal(f.co->captures.count, 0);
}

static void
a_removed_one_that_enrols_anew_is_the_same_instance_again(void **state)
{
    (void)state;
    fake_link link = {0}, again = {0};
    fc_fail fail = {0};
    co_removed removed;
    co_instance *instance = fixture_join(&f, "web-1", "eu", &link);
    co_capture *job = fixture_capture(&f, "{name: job, target: {scaleSet: web}, timeLimitInSeconds: 3600}");
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_OK);
    assert_int_equal(job->parts[0].status.state, FC_STATE_STOPPED); /* nothing had begun there */
    assert_ptr_equal(fixture_join(&f, "web-1", "eu", &again), instance);
    assert_false(instance->removed);
    assert_int_equal(f.co->registry.count, 1);
    assert_int_equal(instance->part_count, 0);
    fixture_run_ms(&f, 3000);
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_non_null(co_registry_find(&f.co->registry, "web-1"));
    fixture_check_folds(&f);
}

/* ---- keeping ---- */

static void
a_restart_forgets_nothing(void **state)
{
    (void)state;
    fc_token token = plain_token(3), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), gone = machine_named("web-2"), waiting = machine_named("web-3");
    co_enrolled before = enrol(&token, "web-1", &m), out = enrol(&token, "web-2", &gone), pending;
    fc_fail fail = {0};
    co_removed removed;
    uint64_t number;
    assert_int_equal(ask(&gated, "web-3", &waiting, &pending, &fail), FC_OK);
    assert_int_equal(remove_instance("web-2", false, &removed, &fail), FC_OK);
    co_enrolment_counts counts = f.co->enrolment.counts;
    assert_int_equal(co_store_next_crl(f.co->store, &number, NULL), FC_OK);
    fixture_kill(&f, &fake_link_ops);
    switch_on();
    assert_memory_equal(&f.co->enrolment.counts, &counts, sizeof counts);
    assert_int_equal(uses_of(&token), 2);
    co_enrolled after = enrol(&token, "web-1", &m);
    assert_memory_equal(fc_buf_bytes(&after.certificate_pem), fc_buf_bytes(&before.certificate_pem),
                        fc_buf_size(&before.certificate_pem));
    assert_int_equal(decide("web-3", true, &fail), FC_OK);
    co_enrolled approved = enrol(&gated, "web-3", &waiting);
    assert_int_equal(co_enrolment_write_crl(f.co, &fail), FC_OK);
    assert_int_not_equal(judge(&out.certificate_pem), 0);
    char *want = fc_sprintf("%" PRIX64, number + 1);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -crlnumber"), 0);
    assert_non_null(strstr(output, want));
    free(want);
    co_enrolled_fini(&before), co_enrolled_fini(&out), co_enrolled_fini(&after), co_enrolled_fini(&approved);
    scrap(&m), scrap(&gone), scrap(&waiting);
}

static void
what_is_over_goes_after_a_while_and_lists_are_written_before_they_end(void **state)
{
    (void)state;
    fc_token token = plain_token(10), gated = token_of("web", "eu", 5, HOUR_MS, true);
    machine m = machine_named("web-1"), waiting = machine_named("web-2");
    co_enrolled enrolled = enrol(&token, "web-1", &m), pending;
    fc_fail fail = {0};
    assert_int_equal(ask(&gated, "web-2", &waiting, &pending, &fail), FC_OK);
    fixture_run_ms(&f, 6000);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -nextupdate"), 0);
    char first[64];
    (void)snprintf(first, sizeof first, "%.60s", output);
    fixture_run_ms(&f, (int64_t)(LIFE_H + 2) * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.certificates, 0);
    assert_int_equal(f.co->enrolment.counts.enrolments, 2);
    fixture_run_ms(&f, (int64_t)8 * 24 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.enrolments, 1);
    assert_int_equal(f.co->enrolment.counts.tokens, 0);
    assert_int_equal(run("openssl crl -in state/crl.pem -noout -nextupdate"), 0);
    assert_string_not_equal(first, output);
    fixture_run_ms(&f, (int64_t)30 * 24 * HOUR_MS);
    assert_int_equal(f.co->enrolment.counts.enrolments, 0);
    assert_int_equal(f.co->enrolment.counts.waiting, 0);
    co_enrolled_fini(&enrolled);
    scrap(&m), scrap(&waiting);
}

static void
numbers_are_bounded_and_each_refusal_is_counted(void **state)
{
    (void)state;
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {0};
    fc_token token = plain_token(10);
    machine m = machine_named("web-1");
    co_token_row row;
    char text[FC_TOKEN_TEXT_SIZE];
    const co_token_request bad[] = {
        {"operator/alice", "", "eu", 1, HOUR_MS, false, pin},
        {"operator/alice", "web", "e u", 1, HOUR_MS, false, pin},
        {"operator/alice", "web", "eu", 0, HOUR_MS, false, pin},
        {"operator/alice", "web", "eu", CO_TOKEN_USES_MAX + 1, HOUR_MS, false, pin},
        {"operator/alice", "web", "eu", 1, 999, false, pin},
        {"operator/alice", "web", "eu", 1, CO_TOKEN_TTL_MAX_MS + 1, false, pin},
        {"operator/alice", "web", "eu", 1, UINT64_MAX, false, pin},
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(co_token_create(f.co, &bad[i], &row, text, NULL), FC_ERR_INVALID);
    assert_int_equal(audited("token-create", "INVALID_ARGUMENT"), FC_COUNT(bad));
    const co_token_request good = {"operator/alice", "web", "eu", 1, HOUR_MS, false, pin};
    f.co->enrolment.counts.tokens = CO_TOKENS_MAX;
    assert_int_equal(co_token_create(f.co, &good, &row, text, NULL), FC_ERR_LIMIT);
    f.co->enrolment.counts.enrolments = CO_ENROLMENTS_MAX;
    (void)refused(&token, "web-1", &m, FC_ERR_LIMIT);
    f.co->enrolment.counts.enrolments = 0;
    f.co->enrolment.counts.certificates = CO_CERTIFICATES_MAX;
    (void)refused(&token, "web-1", &m, FC_ERR_LIMIT);
    f.co->enrolment.counts.certificates = 0;
    assert_int_equal(f.co->counters.tokens_full, 1);
    assert_int_equal(f.co->counters.enrol_refused_full, 2);
    assert_int_equal(uses_of(&token), 0);
    /* A stranger does not fill the audit log. */
    fc_token unknown = token;
    unknown.secret[0] ^= 1;
    for (int i = 0; i < CO_REFUSALS_PER_MINUTE + 10; i++)
        (void)refused(&unknown, "web-1", &m, FC_ERR_DENIED);
    assert_true(f.co->counters.audit_dropped >= 10);
    scrap(&m);
}

static void
without_the_key_of_the_ca_enrolment_is_off(void **state)
{
    (void)state;
    fc_token token = plain_token(1);
    machine m = machine_named("web-1");
    fc_principal peer = {.role = FC_ROLE_NODE, .name = "web-1", .serial = "01"}, next;
    fc_fail fail = {0};
    fc_buf pem = {0};
    co_removed removed;
    co_token_row row;
    f.co->enrolment.issuer = NULL;
    assert_string_equal(refused(&token, "web-1", &m, FC_ERR_STATE),
                        "this coordinator has no ca_key: enrolment is off");
    assert_int_equal(renew(&peer, &m, &pem, &next, &fail), FC_ERR_STATE);
    assert_int_equal(decide("web-1", true, &fail), FC_ERR_STATE);
    assert_int_equal(remove_instance("web-1", true, &removed, &fail), FC_ERR_STATE);
    assert_int_equal(co_token_revoke(f.co, "operator/alice", token.id, &row, &fail), FC_ERR_STATE);
    scrap(&m);
}

static void
two_hundred_enrol_at_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    fc_token token = plain_token(COUNT);
    machine machines[COUNT];
    struct timespec from, to;
    char id[16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(id, sizeof id, "web-%d", i);
        machines[i] = machine_named(id);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(id, sizeof id, "web-%d", i);
        co_enrolled enrolled = enrol(&token, id, &machines[i]);
        co_enrolled_fini(&enrolled);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("%d enrolments in %.0f ms\n", COUNT,
                  (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
    assert_int_equal(uses_of(&token), COUNT);
    assert_int_equal(f.co->enrolment.counts.certificates, COUNT);
    machine late = machine_named("web-late");
    (void)refused(&token, "web-late", &late, FC_ERR_DENIED);
    scrap(&late);
    for (int i = 0; i < COUNT; i++)
        scrap(&machines[i]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_machine_with_a_token_gets_a_certificate_that_says_what_the_token_says),
        TEST(the_same_request_again_is_the_same_enrolment),
        TEST(a_token_lets_in_as_many_as_it_says),
        TEST(an_expired_token_lets_nobody_in_but_those_who_were_in_may_repeat),
        TEST(a_token_is_for_its_scale_set_and_region_only),
        TEST(who_guesses_a_token_learns_nothing),
        TEST(a_revoked_token_is_over),
        TEST(a_signing_request_that_wants_more_than_its_name_is_refused),
        TEST(a_name_of_any_shape_is_survived),
        TEST(a_living_instance_cannot_be_taken_over),
        TEST(one_that_has_ended_can_be_taken_over_from_its_own_place_only),
        TEST(every_state_knows_every_event),
        TEST(an_operator_approves_and_the_machine_gets_it_when_it_asks_again),
        TEST(an_operator_denies_and_that_is_that),
        TEST(of_two_who_wait_with_one_id_only_one_gets_it),
        TEST(a_renewal_keeps_who_one_is),
        TEST(a_node_that_renews_for_ever_is_stopped),
        TEST(who_is_removed_does_not_come_back_by_itself),
        TEST(one_that_never_connected_is_removed_by_its_id),
        TEST(captures_that_run_hold_a_removal_up_unless_it_is_forced),
        TEST(a_removed_one_that_enrols_anew_is_the_same_instance_again),
        TEST(a_restart_forgets_nothing),
        TEST(what_is_over_goes_after_a_while_and_lists_are_written_before_they_end),
        TEST(numbers_are_bounded_and_each_refusal_is_counted),
        TEST(without_the_key_of_the_ca_enrolment_is_off),
        TEST(two_hundred_enrol_at_once),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
