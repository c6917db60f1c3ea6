/* What `token create` and `token revoke` make of their line. */
#include "cli/token.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 32 };

/* The wish borrows from *args, which the caller finishes. */
static fc_err
wish_of(const char *line, cli_args *args, cli_token_wish *ret, fc_fail *fail)
{
    char *copy = fc_strdup(line), *rest = copy;
    const char *words[WORDS_MAX];
    size_t count = 0;
    memset(args, 0, sizeof *args);
    memset(fail, 0, sizeof *fail);
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < WORDS_MAX;)
        words[count++] = word;
    assert_int_equal(cli_args_parse(words, count, args, fail), FC_OK);
    free(copy);
    return cli_token_wish_from_args(args, ret, fail);
}

static void
a_token_is_for_one_instance_and_one_hour_unless_told_otherwise(void **state)
{
    (void)state;
    cli_args args;
    cli_token_wish wish;
    fc_fail fail;
    assert_int_equal(wish_of("token create --scale-set web --region eu", &args, &wish, &fail), FC_OK);
    assert_string_equal(wish.scale_set, "web");
    assert_string_equal(wish.region, "eu");
    assert_int_equal(wish.uses, 1);
    assert_int_equal(wish.ttl_ms, 3600000);
    assert_false(wish.approval);
    cli_args_fini(&args);
    assert_int_equal(wish_of("token create --scale-set web --region eu --uses 10000 --ttl 30d --approval",
                             &args, &wish, &fail),
                     FC_OK);
    assert_int_equal(wish.uses, 10000);
    assert_int_equal(wish.ttl_ms, 30ull * 86400 * 1000);
    assert_true(wish.approval);
    cli_args_fini(&args);
}

static void
a_wish_out_of_range_is_refused_with_option_value_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says[3];
    } cases[] = {
        {"token create --region eu", {"--scale-set", "one scale set", ""}},
        {"token create --scale-set web", {"--region", "one region", ""}},
        {"token create --scale-set web --region eu,us", {"--region", "eu,us", "1 to 63"}},
        {"token create --scale-set ../web --region eu", {"--scale-set", "../web", "1 to 63"}},
        {"token create --scale-set= --region eu", {"--scale-set", "\"\"", "1 to 63"}},
        {"token create --scale-set web --region eu --uses 0", {"--uses", "\"0\"", "1 to 10000"}},
        {"token create --scale-set web --region eu --uses 10001", {"--uses", "10001", "1 to 10000"}},
        {"token create --scale-set web --region eu --uses many", {"--uses", "many", "1 to 10000"}},
        {"token create --scale-set web --region eu --uses=-1", {"--uses", "-1", "1 to 10000"}},
        {"token create --scale-set web --region eu --ttl soon", {"--ttl", "soon", "not a time"}},
        {"token create --scale-set web --region eu --ttl 0", {"--ttl", "\"0\"", "between 1s and 30d"}},
        {"token create --scale-set web --region eu --ttl 999ms", {"--ttl", "999ms", "between 1s and 30d"}},
        {"token create --scale-set web --region eu --ttl 31d", {"--ttl", "31d", "between 1s and 30d"}},
        {"token create --scale-set web --region eu --ttl 99999999999999999999s",
         {"--ttl", "9999", "not a time"}},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        cli_args args;
        cli_token_wish wish;
        fc_fail fail;
        assert_int_equal(wish_of(cases[i].line, &args, &wish, &fail), FC_ERR_INVALID);
        for (size_t j = 0; j < FC_COUNT(cases[i].says); j++)
            if (strstr(fail.text, cases[i].says[j]) == NULL)
                fail_msg("\"%s\" says \"%s\", without \"%s\"", cases[i].line, fail.text, cases[i].says[j]);
        cli_args_fini(&args);
    }
}

static void
a_tokens_state_is_the_first_reason_why_it_is_of_no_use(void **state)
{
    (void)state;
    const fc_wall now = {1700000000 * FC_NS_PER_S}, later = {now.ns + 1}, before = {now.ns - 1};
    assert_string_equal(cli_token_state(&(cli_token){.uses = 2, .used = 1, .expires = later}, now), "valid");
    assert_string_equal(cli_token_state(&(cli_token){.uses = 2, .used = 2, .expires = later}, now),
                        "used up");
    assert_string_equal(cli_token_state(&(cli_token){.uses = 2, .used = 2, .expires = before}, now),
                        "expired");
    assert_string_equal(cli_token_state(&(cli_token){.uses = 2, .used = 1, .expires = now}, now), "expired");
    assert_string_equal(cli_token_state(&(cli_token){.uses = 2, .revoked = true, .expires = before}, now),
                        "revoked");
}

static void
revoking_takes_an_id_or_the_whole_token_and_repeats_neither(void **state)
{
    (void)state;
    static const uint8_t pin[FC_TOKEN_PIN_SIZE] = {1, 2, 3};
    char text[FC_TOKEN_TEXT_SIZE], id[FC_TOKEN_ID_LENGTH + 1] = "";
    fc_fail fail = {0};
    fc_token token;
    assert_int_equal(cli_token_id("5f1d0c2a9b7e4836", id, &fail), FC_OK);
    assert_string_equal(id, "5f1d0c2a9b7e4836");
    fc_token_make(pin, &token);
    fc_token_text(&token, text);
    assert_int_equal(cli_token_id(text, id, &fail), FC_OK);
    assert_string_equal(id, token.id);
    /* A token that was cut while it was copied is still a secret. */
    text[60] = '\0';
    assert_int_equal(cli_token_id(text, id, &fail), FC_ERR_INVALID);
    assert_null(strstr(fail.text, "fct1"));
    static const char *const bad[] = {"", "5f1d0c2a9b7e483", "5f1d0c2a9b7e48366", "5f1d0c2a9b7e483g", "web"};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(cli_token_id(bad[i], id, &fail), FC_ERR_INVALID);
}

static void
a_place_that_no_instance_has_is_noted_with_those_that_are_known(void **state)
{
    (void)state;
    char *names[] = {(char *)"app", (char *)"web"};
    const fc_strings known = {.items = names, .count = FC_COUNT(names)}, none = {0};
    char *note = cli_token_place_note(&known, "scale set", "wbe");
    assert_string_equal(note, "no instance of scale set 'wbe' is known yet; known: app and web");
    free(note);
    assert_null(cli_token_place_note(&known, "scale set", "web"));
    assert_null(cli_token_place_note(&none, "region", "eu")); /* the first instance of a fleet */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_for_one_instance_and_one_hour_unless_told_otherwise),
        cmocka_unit_test(a_wish_out_of_range_is_refused_with_option_value_and_reason),
        cmocka_unit_test(a_tokens_state_is_the_first_reason_why_it_is_of_no_use),
        cmocka_unit_test(revoking_takes_an_id_or_the_whole_token_and_repeats_neither),
        cmocka_unit_test(a_place_that_no_instance_has_is_noted_with_those_that_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
