/* What a comparison and a profile look like on a terminal. */
#include "cli/analyze_view.h"
#include "cli/compare_view.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INSTANCES = 5, QUESTIONS = 40 };
static const int64_t start_ns = 1764000000000000000;

/* An instance that asked a resolver; `silent` of the questions got no answer. */
static fc_profile *
profile_of(const char *name, const char *resolver, unsigned silent)
{
    fc_profile *profile = fc_profile_new();
    (void)strcpy(profile->subject.instance_name, name);
    (void)strcpy(profile->subject.region, "eu");
    profile->subject.start_ns = start_ns;
    profile->subject.end_ns = start_ns + 60000000000;
    profile->subject.first_packet_ns = start_ns + 1000;
    profile->subject.last_packet_ns = profile->subject.end_ns - 1000;
    profile->counters[FC_COUNTER_PACKETS_IN] = QUESTIONS - silent;
    profile->counters[FC_COUNTER_PACKETS_OUT] = QUESTIONS;
    profile->counters[FC_COUNTER_BYTES_OUT] = 4000;
    profile->counters[FC_COUNTER_DNS_QUERIES] = QUESTIONS;
    profile->counters[FC_COUNTER_DNS_ANSWERED] = QUESTIONS - silent;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        const fc_table_values one = {
            .count = 1, .failed = i < silent, .first_ns = start_ns, .last_ns = start_ns};
        fc_table_add(&profile->tables[FC_TABLE_RESOLVERS], resolver, &one);
        if (i >= silent)
            fc_sketch_add(&profile->sketches[FC_SKETCH_DNS_LATENCY], 400000 + i);
    }
    fc_exemplar shown = {.at_ns = start_ns + 5000000000, .protocol = 17, .remote_port = 53, .frame = 12};
    shown.file = fc_profile_file(profile, "web.pcapng");
    (void)strcpy(shown.detail, "\033[31mhost.corp.example A");
    assert_true(fc_address_parse("10.0.0.14", &shown.local) && fc_address_parse(resolver, &shown.remote));
    for (unsigned i = 0; i < silent; i++)
        fc_profile_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, &shown);
    return profile;
}

static fc_comparison *
compared(unsigned silent)
{
    fc_comparer *comparer = fc_comparer_new();
    fc_comparison *comparison = NULL;
    for (unsigned i = 1; i <= INSTANCES; i++) {
        char *name = fc_sprintf("web-%u", i);
        fc_profile *profile =
            profile_of(name, i == 4 && silent > 0 ? "10.9.9.9" : "10.0.0.2", i == 4 ? silent : 0);
        fc_comparer_add(comparer, &(fc_compare_instance){.name = name, .region = "eu", .profile = profile});
        fc_profile_free(profile);
        free(name);
    }
    assert_int_equal(fc_comparer_finish(comparer, &comparison, NULL), FC_OK);
    fc_comparer_free(comparer);
    return comparison;
}

/* Columns of the longest line that may be wrapped: display filters are kept whole, to be copied. */
static size_t
widest(const char *text)
{
    size_t widest = 0;
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n"), columns = 0;
        char *copy = fc_strndup(line, length);
        for (size_t i = 0; i < length; i++)
            columns += ((unsigned char)copy[i] & 0xc0) != 0x80;
        if (strstr(copy, "==") == NULL && columns > widest)
            widest = columns;
        free(copy);
    }
    return widest;
}

static void
the_verdict_is_the_first_line_and_80_columns_are_enough(void **state)
{
    (void)state;
    fc_comparison *comparison = compared(QUESTIONS);
    const cli_out wide = {0}, narrow = {.width = 80};
    fc_buf text = {0};
    cli_compare_text(&wide, comparison, true, &text);
    assert_int_equal(strncmp(fc_buf_text(&text), comparison->verdict, strlen(comparison->verdict)), 0);
    assert_non_null(strstr(comparison->verdict, "web-4"));
    assert_non_null(strstr(comparison->verdict, "10.9.9.9"));
    assert_non_null(strstr(fc_buf_text(&text), "web.pcapng, frame 12"));
    assert_non_null(strstr(fc_buf_text(&text), "ip.addr == 10.9.9.9"));
    assert_non_null(strstr(fc_buf_text(&text), "web-[1-3,5]: same"));
    assert_null(strchr(fc_buf_text(&text), '\033'));
    fc_buf_clear(&text);
    cli_compare_text(&narrow, comparison, true, &text);
    assert_true(widest(fc_buf_text(&text)) <= 80);
    fc_buf_fini(&text);
    fc_comparison_free(comparison);
}

static void
what_is_only_information_is_shown_when_asked_for(void **state)
{
    (void)state;
    fc_comparison *comparison = compared(0);
    const cli_out out = {0};
    fc_buf brief = {0}, whole = {0};
    cli_compare_text(&out, comparison, false, &brief);
    cli_compare_text(&out, comparison, true, &whole);
    assert_int_equal(comparison->severity, FC_SEVERITY_INFO);
    assert_null(strstr(fc_buf_text(&brief), "CONFIDENCE"));
    assert_null(strstr(fc_buf_text(&brief), "METRIC"));
    assert_non_null(strstr(fc_buf_text(&whole), "METRIC"));
    assert_non_null(strstr(fc_buf_text(&brief), "web-[1-5]: same"));
    fc_buf_fini(&brief);
    fc_buf_fini(&whole);
    fc_comparison_free(comparison);
}

static void
tab_separated_findings_have_a_column_for_everything(void **state)
{
    (void)state;
    fc_comparison *comparison = compared(QUESTIONS);
    fc_buf text = {0};
    cli_table *table = cli_compare_table(comparison, false, true);
    cli_table_tsv(table, &text);
    assert_int_equal(
        strncmp(fc_buf_text(&text), "#\tinstance\twhat\tvalue\tpeers\tsince\tconfidence\tseverity\t", 50), 0);
    assert_non_null(strstr(fc_buf_text(&text), "\n1\tweb-4\tdnsUnanswered\t100\t0\t"));
    assert_non_null(strstr(fc_buf_text(&text), "\tweb.pcapng\t12\t"));
    cli_table_free(table);
    fc_buf_fini(&text);
    fc_comparison_free(comparison);
}

static void
a_profile_of_one_packet_is_told_in_the_singular(void **state)
{
    (void)state;
    fc_profile *profile = fc_profile_new();
    fc_exemplar shown = {.at_ns = start_ns, .protocol = 17, .remote_port = 53, .frame = 1};
    (void)strcpy(profile->subject.instance_name, "web-1");
    static const fc_counter ones[] = {FC_COUNTER_PACKETS_OUT, FC_COUNTER_DNS_QUERIES,
                                      FC_COUNTER_CAPTURE_DROPPED, FC_COUNTER_TCP_CONVERSATIONS,
                                      FC_COUNTER_PACKETS_AHEAD};
    for (size_t i = 0; i < FC_COUNT(ones); i++)
        profile->counters[ones[i]] = 1;
    fc_profile_trouble(profile, FC_TROUBLE_DNS_SERVFAIL, &shown);
    static const char *const said[] = {
        " 1 packet, 0 B",
        " 1 packet matched but is not in the file",
        " 1 packet claimed a time far ahead of the others",
        " 1 conversation\n",
        " 1 question, 0 answered",
        "1 of 1 DNS question was answered with SERVFAIL",
    };
    fc_buf text = {0};
    const cli_out out = {0};
    cli_analyze_profile(&out, profile, &text);
    for (size_t i = 0; i < FC_COUNT(said); i++)
        if (strstr(fc_buf_text(&text), said[i]) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", said[i], fc_buf_text(&text));
    fc_buf_fini(&text);
    fc_profile_free(profile);
}

static void
a_profile_fits_80_columns_with_its_troubles_and_nothing_a_packet_says_moves_the_cursor(void **state)
{
    (void)state;
    fc_profile *profile = profile_of("web-4", "10.9.9.9", 10);
    profile->counters[FC_COUNTER_DNS_RETRIES] = 14; /* some of the ten questions were asked three times */
    fc_buf text = {0};
    const cli_out out = {.width = 80, .color = false};
    cli_analyze_profile(&out, profile, &text);
    assert_true(widest(fc_buf_text(&text)) <= 80);
    assert_null(strchr(fc_buf_text(&text), '\033'));
    assert_non_null(strstr(fc_buf_text(&text), "web-4 (eu), web.pcapng\n"));
    assert_non_null(strstr(fc_buf_text(&text), "  resolvers     10.9.9.9 (40, 10 failed)\n"));
    assert_non_null(strstr(fc_buf_text(&text), "40 questions, 30 answered, 14 retries\n"));
    assert_non_null(strstr(fc_buf_text(&text), "  10 of 40 DNS questions got no answer"));
    assert_non_null(strstr(fc_buf_text(&text), "    web.pcapng, frame 12\n"));
    assert_non_null(strstr(fc_buf_text(&text), "  dnsLatency    30 "));
    fc_buf_fini(&text);
    fc_profile_free(profile);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_of_one_packet_is_told_in_the_singular),
        cmocka_unit_test(the_verdict_is_the_first_line_and_80_columns_are_enough),
        cmocka_unit_test(what_is_only_information_is_shown_when_asked_for),
        cmocka_unit_test(tab_separated_findings_have_a_column_for_everything),
        cmocka_unit_test(
            a_profile_fits_80_columns_with_its_troubles_and_nothing_a_packet_says_moves_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
