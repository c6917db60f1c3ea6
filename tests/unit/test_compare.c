/* Fleets without a fault, pairs, cohorts, captures not to be trusted, folding, hostile input. */
#include "compare_fleet.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EQUAL_SEEDS = 200 };

static const fc_finding *
worst(const fc_comparison *comparison)
{
    return comparison->finding_count > 0 ? &comparison->findings[0] : NULL;
}

static void
assert_says(const fc_comparison *comparison, const char *words)
{
    if (strstr(comparison->verdict, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, comparison->verdict);
}

/* ---- equal fleets ---- */

static void
equal_fleets_are_quiet(const char *what, size_t count, unsigned scale, bool with_contexts)
{
    uint64_t loud = 0;
    for (uint64_t seed = 1000; seed < 1000 + EQUAL_SEEDS; seed++) {
        fleet equal;
        fleet_init(&equal, count, seed, scale);
        if (with_contexts)
            fleet_add_contexts(&equal);
        fc_comparison *comparison = fleet_compare(&equal);
        for (size_t i = 0; i < comparison->finding_count; i++)
            if (comparison->findings[i].severity > FC_SEVERITY_INFO) {
                print_message("%s, seed %llu: %s\n", what, (unsigned long long)seed,
                              comparison->findings[i].title);
                loud++;
            }
        assert_says(comparison, "No difference worth naming between");
        fc_comparison_free(comparison);
        fleet_fini(&equal);
    }
    print_message("%s: %d seeds from 1000, %llu findings above info\n", what, EQUAL_SEEDS,
                  (unsigned long long)loud);
    assert_int_equal(loud, 0);
}

static void
six_equal_instances_give_no_finding_above_info(void **state)
{
    (void)state;
    equal_fleets_are_quiet("six", 6, 1, true);
}

static void
three_equal_instances_give_no_finding_above_info(void **state)
{
    (void)state;
    equal_fleets_are_quiet("three", 3, 1, true);
}

static void
busy_equal_instances_give_no_finding_above_info(void **state)
{
    (void)state;
    equal_fleets_are_quiet("busy", 4, 4, false);
}

/* ---- one, two, cohorts ---- */

static void
one_instance_tells_its_own_troubles(void **state)
{
    (void)state;
    fleet one;
    fleet_init(&one, 1, 7, 1);
    fleet_trouble(one.instances[0].profile, FC_TROUBLE_DNS_SERVFAIL, 12, 17, "10.0.9.2", 53, "a.example A");
    fc_comparison *comparison = fleet_compare(&one);
    assert_says(comparison, "web-1");
    assert_says(comparison, "SERVFAIL");
    assert_int_equal(comparison->severity, FC_SEVERITY_ERROR);
    fc_comparison_free(comparison);
    fleet_fini(&one);
}

static void
one_instance_without_troubles_says_that_nobody_is_there_to_compare_with(void **state)
{
    (void)state;
    fleet one = {0};
    fleet_init(&one, 1, 7, 1);
    fc_profile_clear(one.instances[0].profile);
    fc_comparison *comparison = fleet_compare(&one);
    assert_says(comparison, "nobody to compare it with");
    assert_int_equal(comparison->severity, FC_SEVERITY_INFO);
    fc_comparison_free(comparison);
    fleet_fini(&one);
}

static void
of_two_the_one_with_the_trouble_is_named(void **state)
{
    (void)state;
    fleet two;
    fleet_init(&two, 2, 8, 1);
    fleet_trouble(two.instances[1].profile, FC_TROUBLE_TLS_ALERT_BY_REMOTE, 12, 6, "10.0.9.5", 443,
                  "unknown_ca after certificate");
    fc_comparison *comparison = fleet_compare(&two);
    assert_says(comparison, "web-2");
    assert_says(comparison, "unknown_ca");
    assert_int_equal(worst(comparison)->confidence, FC_CONFIDENCE_LOW);
    assert_true(worst(comparison)->caveat_count > 0);
    assert_int_equal(comparison->standings[0], FC_STANDING_SAME);
    fc_comparison_free(comparison);
    fleet_fini(&two);
}

static void
two_equal_instances_give_no_finding_above_note(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        fleet two;
        fleet_init(&two, 2, seed, 1);
        fleet_add_contexts(&two);
        fc_comparison *comparison = fleet_compare(&two);
        if (comparison->severity != FC_SEVERITY_INFO)
            print_message("seed %llu: %s\n", (unsigned long long)seed, comparison->verdict);
        assert_int_equal(comparison->severity, FC_SEVERITY_INFO);
        fc_comparison_free(comparison);
        fleet_fini(&two);
    }
}

static void
what_two_have_otherwise_is_told_once_and_the_same_each_time(void **state)
{
    (void)state;
    char *before = NULL;
    for (int round = 0; round < 4; round++) {
        fleet two;
        fleet_init(&two, 2, 8, 1);
        fleet_add_contexts(&two);
        fleet_set_fact(&two.instances[0].start, FC_SECTION_LINK, "eth0 mtu", "1400");
        fleet_set_fact(&two.instances[0].stop, FC_SECTION_LINK, "eth0 mtu", "1400");
        fc_comparison *comparison = fleet_compare(&two);
        assert_says(comparison, "web-2: the link eth0 mtu is 1500; its peer: 1400");
        assert_int_equal(comparison->severity, FC_SEVERITY_NOTE);
        json_t *json = fc_comparison_to_json(comparison);
        char *text = json_dumps(json, 0);
        if (before != NULL)
            assert_string_equal(text, before);
        free(before);
        before = text;
        json_decref(json);
        fc_comparison_free(comparison);
        fleet_fini(&two);
    }
    free(before);
}

static void
routes_that_everyone_has_of_its_own_are_no_difference(void **state)
{
    (void)state;
    fleet all;
    char key[32];
    fleet_init(&all, 6, 31, 1);
    fleet_add_contexts(&all);
    for (size_t i = 0; i < 6; i++) {
        (void)snprintf(key, sizeof key, "172.20.%zu.0/24", i);
        fleet_set_fact(&all.instances[i].start, FC_SECTION_ROUTE, key, "unicast dev br0");
        fleet_set_fact(&all.instances[i].stop, FC_SECTION_ROUTE, key, "unicast dev br0");
    }
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "No difference worth naming between 6 instances");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
the_healthy_define_what_is_normal(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 9, 1);
    /* Four of six are faulty: without cohorts the two healthy ones would be the odd ones. */
    for (size_t i = 0; i < 4; i++) {
        fleet_trouble(all.instances[i].profile, FC_TROUBLE_DNS_SERVFAIL, 12, 17, "10.0.9.2", 53,
                      "a.example A");
        all.instances[i].cohort = FC_COHORT_SUSPECT;
    }
    all.instances[4].cohort = all.instances[5].cohort = FC_COHORT_HEALTHY;
    fc_comparison *comparison = fleet_compare(&all);
    assert_true(comparison->cohorts_given);
    assert_says(comparison, "web-[1-4]");
    assert_says(comparison, "SERVFAIL");
    assert_int_equal(worst(comparison)->instance_count, 4);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(comparison->standings[i], i < 4 ? FC_STANDING_OUTLIER : FC_STANDING_SAME);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
suspects_alone_are_compared_with_all_others(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 5, 10, 1);
    fleet_trouble(all.instances[0].profile, FC_TROUBLE_TCP_REFUSED, 14, 6, "10.0.9.6", 5432, NULL);
    fleet_trouble(all.instances[2].profile, FC_TROUBLE_DNS_SERVFAIL, 14, 17, "10.0.9.2", 53, NULL);
    all.instances[2].cohort = FC_COHORT_SUSPECT;
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-3");
    assert_says(comparison, "SERVFAIL");
    assert_int_equal(comparison->standings[0], FC_STANDING_SAME);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
a_trouble_of_the_whole_fleet_is_told_as_such(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 11, 1);
    for (size_t i = 0; i < 6; i++)
        fleet_trouble(all.instances[i].profile, FC_TROUBLE_DNS_SERVFAIL, 20, 17, "10.0.9.2", 53,
                      "a.example A");
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "No difference worth naming between 6 instances, but all 6 instances");
    assert_says(comparison, "SERVFAIL");
    assert_true(worst(comparison)->shared);
    assert_int_equal(comparison->severity, FC_SEVERITY_NOTE);
    assert_int_equal(comparison->group_count, 1);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
a_mere_note_on_one_does_not_hide_what_the_whole_fleet_has(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 11, 1);
    for (size_t i = 0; i < 6; i++)
        fleet_trouble(all.instances[i].profile, FC_TROUBLE_DNS_SERVFAIL, 200, 17, "10.0.9.2", 53,
                      "a.example A");
    fleet_dns(all.instances[3].profile, "10.0.9.2", "elsewhere.example", 60, 300, false);
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-4");
    assert_says(comparison, "; and all 6 instances");
    assert_int_equal(comparison->severity, FC_SEVERITY_WARNING);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
two_instances_with_one_fault_are_one_finding(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 8, 12, 1);
    for (size_t i = 0; i < 8; i += 5)
        fleet_trouble(all.instances[i].profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, 10, 6, "10.0.9.5", 443,
                      "certificate_expired after certificate");
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-[1,6] end 20 of");
    assert_says(comparison, "certificate_expired");
    assert_int_equal(comparison->group_count, 2);
    assert_string_equal(comparison->groups[0].names, "web-[1,6]");
    assert_int_equal(comparison->groups[0].standing, FC_STANDING_OUTLIER);
    assert_string_equal(comparison->groups[1].names, "web-[2-5,7,8]");
    assert_string_equal(comparison->groups[1].summary, "same");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
two_different_faults_are_both_in_the_verdict(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 13, 1);
    fleet_trouble(all.instances[1].profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, 10, 6, "10.0.9.5", 443,
                  "unknown_ca after certificate");
    fleet_trouble(all.instances[4].profile, FC_TROUBLE_DNS_SERVFAIL, 14, 17, "10.0.9.2", 53, NULL);
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-2");
    assert_says(comparison, "web-5");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

/* ---- trust ---- */

static void
an_instance_that_lost_packets_is_not_called_an_outlier(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 14, 1);
    fc_profile *profile = all.instances[2].profile;
    uint64_t kept = profile->counters[FC_COUNTER_PACKETS_IN] + profile->counters[FC_COUNTER_PACKETS_OUT];
    profile->counters[FC_COUNTER_CAPTURE_DROPPED] = kept * 12 / 88;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] += 90;
    fleet_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, 15, 17, "10.0.9.2", 53, NULL);
    fc_comparison *comparison = fleet_compare(&all);
    assert_int_equal(comparison->standings[2], FC_STANDING_UNTRUSTED);
    assert_says(comparison, "No difference worth naming between 5 instances");
    assert_says(comparison, "web-3: capture not trustworthy: 12 % of the packets were dropped");
    for (size_t i = 0; i < comparison->finding_count; i++)
        assert_true(comparison->findings[i].severity <= FC_SEVERITY_NOTE);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
a_failed_capture_is_absent_and_the_others_are_compared(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 15, 1);
    fc_profile_free(all.instances[5].profile);
    all.instances[5].profile = NULL;
    all.instances[5].problem = "FAILED: filter refused";
    fleet_trouble(all.instances[0].profile, FC_TROUBLE_DNS_SERVFAIL, 14, 17, "10.0.9.2", 53, NULL);
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-1");
    assert_int_equal(comparison->standings[5], FC_STANDING_ABSENT);
    assert_int_equal(comparison->standings[0], FC_STANDING_OUTLIER);
    bool told = false;
    for (size_t i = 0; i < comparison->group_count; i++)
        told = told || strcmp(comparison->groups[i].summary, "FAILED: filter refused") == 0;
    assert_true(told);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
without_any_profile_nothing_is_said(void **state)
{
    (void)state;
    const fc_compare_instance instances[] = {{.name = "a"}, {.name = "b", .problem = "PENDING: offline"}};
    fc_comparison *comparison;
    assert_int_equal(fc_compare(instances, 2, &comparison, NULL), FC_OK);
    assert_says(comparison, "Nothing can be said");
    assert_int_equal(comparison->standings[0], FC_STANDING_ABSENT);
    fc_comparison_free(comparison);
    fc_fail fail = {0};
    assert_int_equal(fc_compare(instances, 0, &comparison, &fail), FC_ERR_INVALID);
}

/* ---- when, and where to look ---- */

static void
a_trouble_that_began_later_says_since_when(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 16, 1);
    fc_profile *profile = all.instances[3].profile;
    fleet_trouble(profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, 10, 6, "10.0.9.5", 443,
                  "unknown_ca after certificate");
    profile->troubles[FC_TROUBLE_TLS_ALERT_BY_LOCAL].first_ns = FLEET_START_NS + 12 * 1000000000LL;
    fc_comparison *comparison = fleet_compare(&all);
    assert_int_equal(worst(comparison)->since_ns, FLEET_START_NS + 12 * 1000000000LL);
    assert_int_equal(worst(comparison)->evidence_count, 3);
    const fc_evidence_pointer *pointer = &worst(comparison)->evidence[0];
    assert_string_equal(pointer->file, "web_00_00_00_1.pcapng");
    assert_true(pointer->frame > 0);
    assert_non_null(strstr(pointer->display_filter, "10.0.9.5"));
    assert_non_null(strstr(pointer->what, "unknown_ca"));
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
latency_that_stepped_up_says_since_when(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 17, 1);
    fc_profile *profile = all.instances[3].profile;
    memset(&profile->sketches[FC_SKETCH_DNS_LATENCY], 0, sizeof(fc_sketch));
    memset(&profile->series, 0, sizeof profile->series);
    for (int64_t s = 0; s < FLEET_SECONDS; s++) {
        uint64_t ns = s < 10 ? 1000000 : 250000000;
        int64_t at = FLEET_START_NS + s * 1000000000LL;
        fc_series_add(&profile->series, FC_SERIES_DNS_ANSWERED, at, 1);
        fc_series_add(&profile->series, FC_SERIES_DNS_LATENCY_NS, at, ns);
        fc_sketch_add(&profile->sketches[FC_SKETCH_DNS_LATENCY], ns);
    }
    fc_comparison *comparison = fleet_compare(&all);
    assert_string_equal(worst(comparison)->id, "dnsLatency");
    assert_int_equal(worst(comparison)->since_ns, FLEET_START_NS + 10 * 1000000000LL);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

/* ---- names ---- */

static void
assert_folds(const char *names, const char *folded)
{
    const char *list[32];
    size_t count = 0;
    char *copy = strdup(names), *rest = NULL;
    for (char *name = strtok_r(copy, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        list[count++] = name;
    char *text = fc_names_fold(list, count);
    assert_string_equal(text, folded);
    free(text);
    free(copy);
}

static void
names_fold_by_their_numbers(void **state)
{
    (void)state;
    assert_folds("web-3 web-1 web-2 web-7", "web-[1-3,7]");
    assert_folds("web-1", "web-1");
    assert_folds("web-9 web-10 web-11", "web-[9-11]");
    assert_folds("web-1 web-2", "web-[1,2]");
    assert_folds("db api", "api, db");
    assert_folds("web-08 web-09 web-10", "web-[08-10]");
    assert_folds("web-1 db-1 web-2 db", "db, db-1, web-[1,2]");
    assert_folds("12345678901234567890 7", "12345678901234567890, 7");
    assert_folds("", "");
}

/* ---- hostile ---- */

static void
profiles_full_of_nonsense_are_survived(void **state)
{
    (void)state;
    uint64_t random = 99;
    for (int round = 0; round < 20; round++) {
        fleet all;
        fleet_init(&all, 4, (uint64_t)round, 1);
        for (size_t i = 0; i < all.count; i++) {
            fc_profile *profile = all.instances[i].profile;
            for (size_t c = 0; c < FC_COUNTER_COUNT; c++)
                profile->counters[c] = fleet_below(&random, 3) == 0 ? UINT64_MAX : fleet_random(&random);
            for (size_t t = 0; t < FC_TROUBLE_COUNT; t++)
                profile->troubles[t].count =
                    fleet_below(&random, 2) == 0 ? UINT64_MAX - 3 : fleet_random(&random);
            for (size_t s = 0; s < FC_SKETCH_COUNT; s++) {
                profile->sketches[s].count = UINT64_MAX;
                profile->sketches[s].min = 5;
                profile->sketches[s].max = FC_SKETCH_VALUE_MAX;
                profile->sketches[s].buckets[fleet_below(&random, FC_SKETCH_BUCKETS)] = UINT32_MAX;
            }
            for (size_t t = 0; t < FC_TABLE_COUNT; t++)
                for (size_t e = 0; e < profile->tables[t].count; e++)
                    profile->tables[t].entries[e].sum.count = UINT64_MAX - e;
            profile->subject.start_ns = INT64_MAX / 2;
            profile->subject.end_ns = -5;
        }
        fc_comparison *comparison = fleet_compare(&all);
        json_t *json = fc_comparison_to_json(comparison);
        char *text = json_dumps(json, 0);
        assert_non_null(text);
        free(text);
        json_decref(json);
        fc_comparison_free(comparison);
        fleet_fini(&all);
    }
}

static void
empty_profiles_are_equal(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 3, 1, 1);
    for (size_t i = 0; i < 3; i++)
        fc_profile_clear(all.instances[i].profile);
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "No difference worth naming between 3 instances");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
one_of_a_thousand_is_found(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 300, 20, 1);
    fleet_trouble(all.instances[217].profile, FC_TROUBLE_DNS_UNANSWERED, 15, 17, "10.0.9.2", 53, NULL);
    fc_comparison *comparison = fleet_compare(&all);
    assert_says(comparison, "web-218");
    assert_int_equal(comparison->group_count, 2);
    assert_string_equal(comparison->groups[1].names, "web-[1-217,219-300]");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_equal_instances_give_no_finding_above_info),
        cmocka_unit_test(three_equal_instances_give_no_finding_above_info),
        cmocka_unit_test(busy_equal_instances_give_no_finding_above_info),
        cmocka_unit_test(one_instance_tells_its_own_troubles),
        cmocka_unit_test(one_instance_without_troubles_says_that_nobody_is_there_to_compare_with),
        cmocka_unit_test(of_two_the_one_with_the_trouble_is_named),
        cmocka_unit_test(two_equal_instances_give_no_finding_above_note),
        cmocka_unit_test(what_two_have_otherwise_is_told_once_and_the_same_each_time),
        cmocka_unit_test(routes_that_everyone_has_of_its_own_are_no_difference),
        cmocka_unit_test(the_healthy_define_what_is_normal),
        cmocka_unit_test(suspects_alone_are_compared_with_all_others),
        cmocka_unit_test(a_trouble_of_the_whole_fleet_is_told_as_such),
        cmocka_unit_test(a_mere_note_on_one_does_not_hide_what_the_whole_fleet_has),
        cmocka_unit_test(two_instances_with_one_fault_are_one_finding),
        cmocka_unit_test(two_different_faults_are_both_in_the_verdict),
        cmocka_unit_test(an_instance_that_lost_packets_is_not_called_an_outlier),
        cmocka_unit_test(a_failed_capture_is_absent_and_the_others_are_compared),
        cmocka_unit_test(without_any_profile_nothing_is_said),
        cmocka_unit_test(a_trouble_that_began_later_says_since_when),
        cmocka_unit_test(latency_that_stepped_up_says_since_when),
        cmocka_unit_test(names_fold_by_their_numbers),
        cmocka_unit_test(profiles_full_of_nonsense_are_survived),
        cmocka_unit_test(empty_profiles_are_equal),
        cmocka_unit_test(one_of_a_thousand_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
