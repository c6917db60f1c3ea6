/* Enrolment tokens, and signing requests: ours as openssl(1) sees them, and openssl's as hostile ones. */
#include "common/base/mem.h"
#include "common/tls/csr.h"
#include "common/tls/pki.h"
#include "common/tls/token.h"
#include "common/tls/x509.h"
#include "tests/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char dir[TEMP_DIR_BYTES];

/* Runs a shell command in the test's directory; what it says, but not on stderr, is in `output`. */
static char output[16384];

static int
run(const char *command)
{
    char *quiet = fc_sprintf("{ %s; } 2>/dev/null", command);
    int status = temp_dir_run(dir, quiet, output, sizeof output);
    free(quiet);
    return status;
}

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(dir);
    return fc_pki_init(dir, "prod", 0, NULL) == FC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    return temp_dir_remove(dir);
}

static fc_err
check(const char *pem, const char *name, fc_fail *why)
{
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    fc_err err = fc_csr_check(pem, strlen(pem), name, &csr, why);
    mbedtls_x509_csr_free(&csr);
    return err;
}

/* ---- signing requests ---- */

static void
our_request_is_one_for_openssl_and_for_us(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_buf pem = {0};
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    assert_int_equal(fc_x509_key_make(&key, &fail), FC_OK);
    assert_int_equal(fc_csr_make(&key, "web-1", &pem, &fail), FC_OK);
    assert_int_equal(check(fc_buf_text(&pem), "web-1", &fail), FC_OK);
    char *command = fc_sprintf("printf '%%s' '%s' | openssl req -verify -noout -subject", fc_buf_text(&pem));
    assert_int_equal(run(command), 0);
    assert_non_null(strstr(output, "CN = web-1"));
    free(command);
    fc_buf_fini(&pem);
    mbedtls_pk_free(&key);
}

/* What a node, or somebody with its token, might try. */
static const struct {
    const char *what, *command, *reason; /* reason NULL: it is fine */
} requests[] = {
    {"plain", "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1",
     NULL},
    {"another name",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-2",
     "subject"},
    {"a name more",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj "
     "/CN=web-1/OU=operator",
     "subject"},
    {"two names",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1/CN=web-2",
     "subject"},
    {"an alternative name",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1 "
     "-addext subjectAltName=URI:spiffe://prod/operator/root",
     "extensions"},
    {"a CA",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1 -addext "
     "basicConstraints=CA:TRUE",
     "extensions"},
    {"RSA", "openssl req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=web-1", "P-256"},
    {"P-384", "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k -subj /CN=web-1",
     "P-256"},
    {"Ed25519", "openssl req -new -newkey ed25519 -nodes -keyout k -subj /CN=web-1", "not a signing request"},
    {"SHA-1",
     "openssl req -new -sha1 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1",
     "SHA-256"},
    {"a stranger's signature",
     "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=web-1 -outform "
     "DER -out a.der && "
     "s=$(stat -c %s a.der) && printf 'overwritten' | dd of=a.der bs=1 seek=$((s - 12)) conv=notrunc "
     "status=none && "
     "openssl req -inform DER -in a.der -outform PEM",
     "signed with its own key"},
    {"rubbish", "echo rubbish", "not a signing request"},
};

static void
a_request_that_wants_more_than_a_name_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(requests); i++) {
        fc_fail why = {0};
        assert_int_equal(run(requests[i].command), 0);
        fc_err err = check(output, "web-1", &why);
        if (requests[i].reason == NULL && err != FC_OK)
            fail_msg("%s: %s", requests[i].what, why.text);
        if (requests[i].reason != NULL &&
            (err != FC_ERR_INVALID || strstr(why.text, requests[i].reason) == NULL))
            fail_msg("%s: error %d, %s", requests[i].what, (int)err, why.text);
    }
}

static void
a_request_of_any_size_is_survived(void **state)
{
    (void)state;
    fc_fail why = {0};
    char *large = fc_alloc(FC_CSR_PEM_MAX + 2);
    memset(large, 'A', FC_CSR_PEM_MAX + 1);
    assert_int_equal(check(large, "web-1", &why), FC_ERR_LIMIT);
    assert_int_equal(check("", "web-1", &why), FC_ERR_INVALID);
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    assert_int_equal(fc_csr_check(NULL, 0, "web-1", &csr, &why),
                     FC_ERR_INVALID); /* as a message without it says it */
    mbedtls_x509_csr_free(&csr);
    free(large);
}

/* ---- tokens ---- */

static fc_token
token_make(void)
{
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = "a pin is a hash of thirty-two";
    fc_token token;
    fc_token_make(pin, &token);
    return token;
}

static void
a_token_comes_back_from_its_text(void **state)
{
    (void)state;
    char text[FC_TOKEN_TEXT_SIZE], *padded;
    fc_token token = token_make(), back;
    fc_token_text(&token, text);
    assert_int_equal(strlen(text), FC_TOKEN_TEXT_SIZE - 1);
    padded = fc_sprintf("  %s\n", text);
    assert_int_equal(fc_token_parse(padded, &back, NULL), FC_OK);
    assert_memory_equal(&token, &back, sizeof token);
    free(padded);
}

static void
two_tokens_share_the_pin_and_nothing_else(void **state)
{
    (void)state;
    uint8_t digests[2][32];
    fc_token a = token_make(), b = token_make();
    assert_string_not_equal(a.id, b.id);
    fc_token_digest(&a, digests[0]);
    fc_token_digest(&b, digests[1]);
    assert_int_equal(fc_token_digest_compare(digests[0], digests[0]), 0);
    assert_int_not_equal(fc_token_digest_compare(digests[0], digests[1]), 0);
    assert_memory_equal(a.pin, b.pin, sizeof a.pin);
}

static void
what_is_no_token_is_refused_without_repeating_it(void **state)
{
    (void)state;
    char text[FC_TOKEN_TEXT_SIZE];
    fc_token token = token_make(), back;
    for (size_t i = 0; i < FC_TOKEN_TEXT_SIZE - 1; i++) {
        fc_fail why = {0};
        fc_token_text(&token, text);
        text[i] = '!';
        assert_int_equal(fc_token_parse(text, &back, &why), FC_ERR_INVALID);
        assert_null(strstr(why.text, "!"));
        fc_token_text(&token, text);
        text[i] = '\0';
        assert_int_equal(fc_token_parse(text, &back, &why), FC_ERR_INVALID);
        char *length = fc_sprintf("109 characters on one line; here are %zu)", i);
        assert_non_null(strstr(why.text, length));
        free(length);
    }
    assert_int_equal(fc_token_parse("", &back, NULL), FC_ERR_INVALID);
    fc_token_text(&token, text);
    char *twice = fc_sprintf("%s %s", text, text);
    assert_int_equal(fc_token_parse(twice, &back, NULL), FC_ERR_INVALID);
    free(twice);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_request_is_one_for_openssl_and_for_us),
        cmocka_unit_test(a_request_that_wants_more_than_a_name_is_refused),
        cmocka_unit_test(a_request_of_any_size_is_survived),
        cmocka_unit_test(a_token_comes_back_from_its_text),
        cmocka_unit_test(two_tokens_share_the_pin_and_nothing_else),
        cmocka_unit_test(what_is_no_token_is_refused_without_repeating_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
