/* Whom a comparison leaves out, and sentences about one of something. */
#include "compare_fleet.h"

#include "common/profile/agree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- healthy, suspect, and the others ---- */

static void
fleet_of_two_and_others(fleet *all, size_t count)
{
    fleet_init(all, count, 11, 1);
    all->instances[0].cohort = FC_COHORT_SUSPECT;
    all->instances[1].cohort = FC_COHORT_HEALTHY;
}

static void
who_is_in_neither_cohort_is_not_compared(void **state)
{
    (void)state;
    fleet all;
    fleet_of_two_and_others(&all, 5);
    fleet_trouble(all.instances[3].profile, FC_TROUBLE_DNS_SERVFAIL, 20, 17, "10.0.9.2", 53, "a.example A");
    all.instances[4].problem = "FAILED: filter refused";
    fc_comparison *comparison = fleet_compare(&all);
    assert_int_equal(comparison->standings[0], FC_STANDING_SAME);
    assert_int_equal(comparison->standings[1], FC_STANDING_SAME);
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(comparison->standings[i], FC_STANDING_NOT_COMPARED);
    assert_string_equal(comparison->verdict, "No difference worth naming between 2 instances.");
    assert_int_equal(comparison->group_count, 2);
    assert_string_equal(comparison->groups[0].summary, "same");
    assert_string_equal(comparison->groups[1].names, "web-[3-5]");
    assert_string_equal(comparison->groups[1].summary, "not compared");
    assert_string_equal(comparison->caveats[comparison->caveat_count - 1],
                        "web-[3-5] were not compared: neither healthy nor suspect by what was named");
    for (size_t f = 0; f < comparison->finding_count; f++)
        for (size_t i = 0; i < comparison->findings[f].instance_count; i++)
            assert_true(comparison->findings[f].instances[i] < 2);
    for (size_t m = 0; m < comparison->metric_count; m++)
        assert_true(fabs(comparison->metrics[m].deviations[3]) <= 0);
    json_t *json = fc_comparison_to_json(comparison);
    const json_t *third = json_array_get(json_object_get(json, "instances"), 2);
    assert_string_equal(json_string_value(json_object_get(third, "standing")), "not compared");
    json_decref(json);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
with_one_cohort_named_the_others_are_the_other_one(void **state)
{
    (void)state;
    static const fc_cohort named[] = {FC_COHORT_SUSPECT, FC_COHORT_HEALTHY};
    for (size_t i = 0; i < 2; i++) {
        fleet all;
        fleet_init(&all, 4, 11, 1);
        all.instances[0].cohort = named[i];
        fc_comparison *comparison = fleet_compare(&all);
        assert_int_equal(comparison->group_count, 1);
        assert_int_equal(comparison->groups[0].standing, FC_STANDING_SAME);
        assert_int_equal(comparison->caveat_count, 0);
        fc_comparison_free(comparison);
        fleet_fini(&all);
    }
}

static void
what_one_that_is_left_out_lacks_is_no_caveat(void **state)
{
    (void)state;
    fleet all;
    fleet_of_two_and_others(&all, 3);
    all.instances[2].profile->counters[FC_COUNTER_CONVERSATIONS_EVICTED] = 9;
    all.instances[2].profile->subject.end_ns += 3600LL * 1000000000;
    fc_comparison *comparison = fleet_compare(&all);
    assert_int_equal(comparison->caveat_count, 1);
    assert_string_equal(comparison->caveats[0],
                        "web-3 was not compared: neither healthy nor suspect by what was named");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

static void
packets_from_the_future_are_a_caveat(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 3, 11, 1);
    all.instances[1].profile->counters[FC_COUNTER_PACKETS_AHEAD] = 2;
    fc_comparison *comparison = fleet_compare(&all);
    assert_int_equal(comparison->caveat_count, 1);
    assert_string_equal(
        comparison->caveats[0],
        "on 1 of 3 instances packets had times far ahead of those around them, which cannot be right");
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

/* ---- numbers of one ---- */

static void
sentences_agree_with_their_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t count, of;
        const char *words, *said;
    } cases[] = {
        {1, 1, "DNS questions were answered with SERVFAIL", "DNS question was answered with SERVFAIL"},
        {1, 9, "DNS questions were answered with SERVFAIL", "DNS questions was answered with SERVFAIL"},
        {2, 2, "DNS questions were answered with SERVFAIL", "DNS questions were answered with SERVFAIL"},
        {1, 1, "TCP connections got no answer to their SYN", "TCP connection got no answer to its SYN"},
        {0, 1, "TLS handshakes fell silent", "TLS handshake fell silent"},
        {1, 1, "TCP connections stall: what packets were lost",
         "TCP connection stalls: what packets were lost"},
        {1, 1, "fragmented datagrams never became whole", "fragmented datagram never became whole"},
        {1, 1, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fc_buf text = {0};
        fc_agree agree = fc_agree_with(cases[i].count, cases[i].of);
        fc_agree_put(&agree, &text, cases[i].words, strlen(cases[i].words));
        assert_string_equal(fc_buf_text(&text), cases[i].said);
        fc_buf_fini(&text);
    }
}

static void
every_trouble_of_one_has_a_noun_in_the_singular(void **state)
{
    (void)state;
    for (size_t id = 0; id < FC_TROUBLE_COUNT; id++) {
        const char *sentence = fc_trouble_names[id].sentence;
        fc_buf text = {0};
        fc_agree agree = fc_agree_with(1, 1);
        fc_agree_put(&agree, &text, sentence, strlen(sentence));
        if (agree.noun)
            fail_msg("\"1 of 1 %s\"", sentence);
        assert_null(strstr(fc_buf_text(&text), " were "));
        fc_buf_fini(&text);
    }
}

static void
a_finding_about_one_of_one_says_so(void **state)
{
    (void)state;
    fc_profile *profile = fc_profile_new();
    fc_comparison *comparison = NULL;
    profile->counters[FC_COUNTER_PACKETS_OUT] = 1;
    profile->counters[FC_COUNTER_TCP_OPENED_OUT] = 1;
    fc_exemplar shown = {.at_ns = FLEET_START_NS, .protocol = 6, .remote_port = 443, .frame = 1};
    fc_profile_trouble(profile, FC_TROUBLE_TCP_REFUSED, &shown);
    const fc_compare_instance alone = {.name = "web-1", .profile = profile};
    assert_int_equal(fc_compare(&alone, 1, &comparison, NULL), FC_OK);
    assert_non_null(strstr(comparison->verdict, "1 of 1 TCP connection"));
    assert_null(strstr(comparison->verdict, "TCP connections"));
    assert_non_null(strstr(comparison->verdict, " is refused"));
    fc_comparison_free(comparison);
    fc_profile_free(profile);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_in_neither_cohort_is_not_compared),
        cmocka_unit_test(with_one_cohort_named_the_others_are_the_other_one),
        cmocka_unit_test(what_one_that_is_left_out_lacks_is_no_caveat),
        cmocka_unit_test(packets_from_the_future_are_a_caveat),
        cmocka_unit_test(sentences_agree_with_their_numbers),
        cmocka_unit_test(every_trouble_of_one_has_a_noun_in_the_singular),
        cmocka_unit_test(a_finding_about_one_of_one_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
