/* The selector grammar, and which instances a target means. */
#include "common/base/mem.h"
#include "common/model/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static fc_labels
web_prod(void)
{
    fc_labels labels = {0};
    fc_labels_set(&labels, "role", "web");
    fc_labels_set(&labels, "env", "prod");
    fc_labels_set(&labels, "team.example.com/tier", "a");
    fc_labels_set(&labels, "empty", "");
    return labels;
}

static void
selectors_choose_as_kubectl_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {
        {"", true},
        {"   ", true},
        {"role=web", true},
        {"role==web", true},
        {" role = web , env != test ", true},
        {"role=db", false},
        {"role!=db", true},
        {"role!=web", false},
        {"absent!=x", true},
        {"absent=x", false},
        {"env in (prod,test)", true},
        {"env in(prod)", true},
        {"env in ( test , prod )", true},
        {"env in (test)", false},
        {"env notin (test)", true},
        {"env notin (prod, test)", false},
        {"absent notin (a)", true},
        {"absent in (a)", false},
        {"role", true},
        {"absent", false},
        {"!role", false},
        {"! absent", true},
        {"team.example.com/tier in (a,b),role", true},
        {"empty=", true},
        {"empty", true},
        {"role=", false},
        {"empty=,role=web", true},
        {"in", false},
        {"in in (a)", false},
        {"notin!=in", true},
        {"role=web,role=db", false},
    };
    fc_labels labels = web_prod();
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_selector *selector = NULL;
        fc_fail fail = {0};
        if (fc_selector_parse(cases[i].text, &selector, &fail) != FC_OK)
            fail_msg("%s: %s", cases[i].text, fail.text);
        if (fc_selector_match(selector, &labels) != cases[i].matches)
            fail_msg("%s: should%s match", cases[i].text, cases[i].matches ? "" : " not");
        fc_selector_free(selector);
    }
    fc_labels_fini(&labels);
}

static void
refusals_say_at_which_character(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned character;
    } cases[] = {
        {"role=web,", 10},
        {",role", 1},
        {"role web", 6},
        {"role=web env=x", 10},
        {"env in prod", 8},
        {"env in (prod", 13},
        {"env in ()", 9},
        {"env in (a,,b)", 11},
        {"env in (a b)", 11},
        {"env within (a)", 5},
        {"!", 2},
        {"!!role", 2},
        {"role!", 5},
        {"role=>x", 6},
        {"=x", 1},
        {"a>1", 2},
        {"-a=b", 1},
        {"a=b/c", 3},
        {"a/b/c=d", 1},
        {"a=-b", 3},
        {"a=b)", 4},
        {"(a)", 1},
        {"a=\xc3\xa4", 3},
        {"a=b;c=d", 4},
        {"role=web\n\x01", 10},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_selector *selector = NULL;
        fc_fail fail = {0};
        char expected[48];
        (void)snprintf(expected, sizeof expected, "at character %u: ", cases[i].character);
        assert_int_equal(fc_selector_parse(cases[i].text, &selector, &fail), FC_ERR_INVALID);
        assert_null(selector);
        assert_string_equal(fail.field, "target.selector");
        if (strstr(fail.text, expected) == NULL)
            fail_msg("%s: %s", cases[i].text, fail.text);
    }
}

static void
long_selectors_keys_and_values_are_refused(void **state)
{
    (void)state;
    char text[1100];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fc_selector *selector = NULL;
    assert_int_equal(fc_selector_parse(text, &selector, NULL), FC_ERR_INVALID);
    text[400] = '\0';
    assert_int_equal(fc_selector_parse(text, &selector, NULL), FC_ERR_INVALID);
    text[1] = '=';
    text[2 + FC_NAME_MAX + 1] = '\0';
    assert_int_equal(fc_selector_parse(text, &selector, NULL), FC_ERR_INVALID);
    text[2 + FC_NAME_MAX] = '\0';
    assert_int_equal(fc_selector_parse(text, &selector, NULL), FC_OK);
    fc_selector_free(selector);
    fc_selector_free(NULL);
}

static fc_strings
strings_of(const char *const *items, size_t count)
{
    fc_strings strings = {0};
    for (size_t i = 0; i < count; i++)
        fc_strings_add(&strings, items[i]);
    return strings;
}

#define STRINGS(...)                                                                                         \
    strings_of((const char *const[]){__VA_ARGS__},                                                           \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void
target_clear(fc_target *target)
{
    fc_strings_fini(&target->regions);
    fc_strings_fini(&target->zones);
    fc_strings_fini(&target->include);
    fc_strings_fini(&target->exclude);
}

static bool
chosen(const fc_target *target, const fc_instance_facts *instance)
{
    fc_matcher *matcher = NULL;
    assert_int_equal(fc_matcher_new(target, &matcher, NULL), FC_OK);
    bool matches = fc_matcher_match(matcher, instance);
    fc_matcher_free(matcher);
    return matches;
}

static void
a_target_is_the_and_of_what_it_says(void **state)
{
    (void)state;
    fc_labels labels = web_prod();
    const fc_instance_facts web1 = {"i-1", "web-1", "web", "eu-west", "z1", &labels};
    const fc_instance_facts bare = {"i-2", NULL, NULL, NULL, NULL, NULL};
    fc_target target = {0};
    assert_true(chosen(&target, &web1));
    assert_true(chosen(&target, &bare));
    target.scale_set = (char *)"web";
    assert_true(chosen(&target, &web1));
    assert_false(chosen(&target, &bare));
    target.regions = STRINGS("us-east", "eu-west");
    target.zones = STRINGS("z1");
    target.selector = (char *)"role=web,env!=test";
    assert_true(chosen(&target, &web1));
    fc_instance_facts other = web1;
    other.zone = "z2";
    assert_false(chosen(&target, &other));
    other = web1;
    other.region = "eu-north";
    assert_false(chosen(&target, &other));
    other = web1;
    other.labels = NULL;
    assert_false(chosen(&target, &other));
    target_clear(&target);
    fc_labels_fini(&labels);
}

static void
names_are_ids_or_names_and_exclude_wins(void **state)
{
    (void)state;
    const fc_instance_facts one = {"i-1", "web-1", "web", NULL, NULL, NULL};
    const fc_instance_facts two = {"i-2", "web-2", "web", NULL, NULL, NULL};
    const fc_instance_facts three = {"i-3", "web-3", "web", NULL, NULL, NULL};
    fc_target target = {.include = STRINGS("i-1", "web-2", "web-2")};
    assert_true(chosen(&target, &one));
    assert_true(chosen(&target, &two));
    assert_false(chosen(&target, &three));
    fc_strings_add(&target.exclude, "i-2");
    assert_true(chosen(&target, &one));
    assert_false(chosen(&target, &two));
    fc_strings_fini(&target.include);
    assert_true(chosen(&target, &three));
    assert_false(chosen(&target, &two));
    target_clear(&target);
}

static void
names_that_nothing_matched_are_told_in_order(void **state)
{
    (void)state;
    const fc_instance_facts one = {"i-1", "web-1", "web", NULL, NULL, NULL};
    const fc_instance_facts two = {"i-2", "db-2", "db", NULL, NULL, NULL};
    fc_target target = {.scale_set = (char *)"web",
                        .include = STRINGS("web-1", "zeta", "db-2", "web-1"),
                        .exclude = STRINGS("gone", "db-2")};
    fc_matcher *matcher = NULL;
    assert_int_equal(fc_matcher_new(&target, &matcher, NULL), FC_OK);
    assert_string_equal(fc_matcher_unmatched(matcher), "web-1");
    assert_true(fc_matcher_match(matcher, &one));
    assert_string_equal(fc_matcher_unmatched(matcher), "zeta");
    assert_false(fc_matcher_match(matcher, &two));
    const fc_instance_facts zeta = {"zeta", "web-9", "web", NULL, NULL, NULL};
    assert_true(fc_matcher_match(matcher, &zeta));
    assert_string_equal(fc_matcher_unmatched(matcher), "db-2"); /* it exists, but is in another scale set */
    fc_matcher_free(matcher);
    fc_strings_fini(&target.include);
    assert_int_equal(fc_matcher_new(&target, &matcher, NULL), FC_OK);
    (void)fc_matcher_match(matcher, &two);
    assert_string_equal(fc_matcher_unmatched(matcher), "gone");
    const fc_instance_facts gone = {"i-7", "gone", "web", NULL, NULL, NULL};
    assert_false(fc_matcher_match(matcher, &gone));
    assert_null(fc_matcher_unmatched(matcher));
    fc_matcher_free(matcher);
    fc_matcher_free(NULL);
    target_clear(&target);
}

static void
a_bad_selector_makes_no_matcher(void **state)
{
    (void)state;
    const fc_target target = {.selector = (char *)"role in"};
    fc_matcher *matcher = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_matcher_new(&target, &matcher, &fail), FC_ERR_INVALID);
    assert_null(matcher);
    assert_non_null(strstr(fail.text, "at character 8"));
}

static void
two_thousand_names_are_found_among_ten_thousand_instances(void **state)
{
    (void)state;
    fc_target target = {0};
    for (int i = 0; i < FC_TARGET_NAMES_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "web-%d", 5 * i);
        fc_strings_add(&target.include, name);
    }
    fc_matcher *matcher = NULL;
    assert_int_equal(fc_matcher_new(&target, &matcher, NULL), FC_OK);
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    unsigned matches = 0;
    for (int i = 0; i < 10000; i++) {
        char id[32], name[32];
        (void)snprintf(id, sizeof id, "i-%d", i);
        (void)snprintf(name, sizeof name, "web-%d", i);
        const fc_instance_facts instance = {id, name, "web", "eu", "1", NULL};
        matches += fc_matcher_match(matcher, &instance);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("10,000 instances in %ld us\n",
                  (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
    assert_int_equal(matches, FC_TARGET_NAMES_MAX);
    assert_null(fc_matcher_unmatched(matcher));
    fc_matcher_free(matcher);
    target_clear(&target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_choose_as_kubectl_does),
        cmocka_unit_test(refusals_say_at_which_character),
        cmocka_unit_test(long_selectors_keys_and_values_are_refused),
        cmocka_unit_test(a_target_is_the_and_of_what_it_says),
        cmocka_unit_test(names_are_ids_or_names_and_exclude_wins),
        cmocka_unit_test(names_that_nothing_matched_are_told_in_order),
        cmocka_unit_test(a_bad_selector_makes_no_matcher),
        cmocka_unit_test(two_thousand_names_are_found_among_ten_thousand_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
