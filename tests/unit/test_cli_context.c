/* Which fleet a command talks to. */
#include "cli/context.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "tests/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const *environment; /* name, value, …, NULL */

static char *
lookup(const char *name)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i += 2)
        if (strcmp(environment[i], name) == 0)
            return (char *)environment[i + 1];
    return NULL;
}

static const char two[] =
    "current: prod\n"
    "contexts:\n"
    "  prod: {coordinator: \"prod:7443\", ca: ca.crt, certificate: /abs/me.crt, key: me.key, fleet: acme}\n"
    "  lab: {coordinator: \"[fd00::1]:7443\"}\n";

static fc_err
config_from(const char *text, cli_config *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    assert_int_equal(fc_yaml_parse(text, strlen(text), &tree, NULL), FC_OK);
    *ret = (cli_config){fc_strdup("/etc/here/config.yaml"), tree};
    return cli_config_check(ret, fail);
}

static fc_err
resolve(const char *text, const cli_args *args, cli_context *ret, fc_fail *fail)
{
    cli_config config = {0};
    assert_int_equal(config_from(text, &config, fail), FC_OK);
    fc_err err = cli_context_resolve(&config, args, lookup, ret, fail);
    cli_config_fini(&config);
    return err;
}

static void
options_beat_the_environment_and_that_beats_the_file(void **state)
{
    (void)state;
    cli_args args = {0};
    cli_context context = {0};
    fc_fail fail = {0};
    environment = NULL;
    assert_int_equal(resolve(two, &args, &context, &fail), FC_OK);
    assert_string_equal(context.name, "prod");
    assert_string_equal(context.values[CLI_VALUE_COORDINATOR], "prod:7443");
    assert_string_equal(context.values[CLI_VALUE_CA], "/etc/here/ca.crt");
    assert_string_equal(context.values[CLI_VALUE_CERTIFICATE], "/abs/me.crt");
    assert_string_equal(context.values[CLI_VALUE_FLEET], "acme");
    assert_int_equal(cli_context_check(&context, &fail), FC_OK);
    cli_context_fini(&context);

    static const char *const set[] = {"FLEETCAP_CONTEXT", "lab", "FLEETCAP_CA", "env.crt",
                                      "FLEETCAP_KEY",     "",    NULL};
    environment = set;
    assert_int_equal(resolve(two, &args, &context, &fail), FC_OK);
    assert_string_equal(context.name, "lab");
    assert_string_equal(context.values[CLI_VALUE_CA], "env.crt");
    assert_null(context.values[CLI_VALUE_KEY]);
    cli_context_fini(&context);

    fc_strings_add(&args.given[CLI_CONTEXT], "prod");
    fc_strings_add(&args.given[CLI_COORDINATOR], "other:1");
    assert_int_equal(resolve(two, &args, &context, &fail), FC_OK);
    assert_string_equal(context.name, "prod");
    assert_string_equal(context.values[CLI_VALUE_COORDINATOR], "other:1");
    assert_string_equal(context.values[CLI_VALUE_CA], "/etc/here/ca.crt");
    cli_context_fini(&context);
    cli_args_fini(&args);
}

static void
what_is_missing_is_named_with_the_way_to_set_it(void **state)
{
    (void)state;
    cli_args args = {0};
    cli_context context = {0};
    fc_fail fail = {0};
    environment = NULL;
    assert_int_equal(resolve("{}", &args, &context, &fail), FC_OK);
    assert_int_equal(cli_context_check(&context, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "no coordinator is configured"));
    assert_non_null(strstr(fail.text, "FLEETCAP_COORDINATOR"));
    assert_non_null(strstr(fail.text, "fleetcap context set"));
    cli_context_fini(&context);

    fc_strings_add(&args.given[CLI_CONTEXT], "nowhere");
    assert_int_equal(resolve(two, &args, &context, &fail), FC_ERR_NOT_FOUND);
    assert_non_null(strstr(fail.text, "\"nowhere\""));
    assert_non_null(strstr(fail.text, "prod, lab"));
    cli_args_fini(&args);
}

static void
the_file_is_checked_and_the_key_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "is not a map"},
        {"colour: red", "unknown key \"colour\""},
        {"current: 3", "current"},
        {"contexts: [a]", "contexts is not a map"},
        {"contexts: {prod: x}", "contexts.prod is not a map"},
        {"contexts: {prod: {adress: x}}", "unknown key \"adress\""},
        {"contexts: {prod: {ca: 3}}", "contexts.prod.ca is not a text"},
        {"contexts: {\"a b\": {}}", "\"a b\""},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        cli_config config = {0};
        fc_fail fail = {0};
        assert_int_equal(config_from(cases[i].text, &config, &fail), FC_ERR_INVALID);
        assert_non_null(strstr(fail.text, cases[i].says));
        cli_config_fini(&config);
    }
}

static void
what_is_saved_is_read_back(void **state)
{
    (void)state;
    char dir[TEMP_DIR_BYTES];
    temp_dir_make(dir);
    cli_config config = {0}, again = {0};
    fc_fail fail = {0};
    assert_int_equal(config_from(two, &config, &fail), FC_OK);
    free(config.path);
    config.path = fc_sprintf("%s/a/b/config.yaml", dir);
    json_object_set_new(json_object_get(json_object_get(config.tree, "contexts"), "lab"), "key",
                        json_string("a \"quoted\": # text\n"));
    assert_int_equal(cli_config_load(config.path, &again, &fail), FC_OK);
    assert_int_equal(json_object_size(again.tree), 0);
    cli_config_fini(&again);
    assert_int_equal(cli_config_save(&config, &fail), FC_OK);
    assert_int_equal(cli_config_load(config.path, &again, &fail), FC_OK);
    assert_true(json_equal(config.tree, again.tree));
    unlink(config.path);
    cli_config_fini(&again);
    cli_config_fini(&config);
    static const char *const made[] = {"a/b", "a", ""};
    for (size_t i = 0; i < FC_COUNT(made); i++) {
        char *path = fc_sprintf("%s/%s", dir, made[i]);
        assert_int_equal(rmdir(path), 0);
        free(path);
    }
}

static void
the_server_name_is_the_host_of_the_address(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"coordinator.example:7443", "coordinator.example"},
                                           {"10.0.0.1:7443", "10.0.0.1"},
                                           {"[fd00::1]:7443", "fd00::1"}};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        cli_context context = {.values = {[CLI_VALUE_COORDINATOR] = fc_strdup(cases[i][0])}};
        char *name = cli_context_server_name(&context);
        assert_string_equal(name, cases[i][1]);
        free(name);
        cli_context_fini(&context);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_beat_the_environment_and_that_beats_the_file),
        cmocka_unit_test(what_is_missing_is_named_with_the_way_to_set_it),
        cmocka_unit_test(the_file_is_checked_and_the_key_named),
        cmocka_unit_test(what_is_saved_is_read_back),
        cmocka_unit_test(the_server_name_is_the_host_of_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
