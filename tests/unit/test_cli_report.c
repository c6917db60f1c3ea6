/* The report page: whole, self-contained, small, and nothing that a peer or a packet says gets out of its
 * text. */
#include "cli/report/html.h"
#include "cli/report/report.h"
#include "cli/report/view.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <math.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1763690400) * SECOND)
#define EVIL   "<script>alert(1)</script>\"'&\x1b[31m\xff<img src=x onerror=alert(2)>"

enum { METRICS = 30, SERIES_SECONDS = 60, FACTS = 20 };

/* A comparison made by hand: every tenth instance is an outlier, the third is not trusted, the fourth absent.
 */
typedef struct fleet {
    size_t count;
    fc_compare_instance *instances;
    fc_instance_features *features;
    char (*names)[FC_NAME_MAX + 1];
    size_t *indices; /* 0, 1, 2 … */
    fc_standing *standings;
    fc_metric_row metrics[METRICS];
    fc_finding *findings;
    fc_evidence_pointer *evidence;
    fc_compare_group *groups;
    fc_exemplar exemplar;
    cli_report_file *files;
    fc_comparison comparison;
    uint64_t rows[3][FC_SERIES_BUCKETS]; /* of the healthy, of outliers, zeros */
    fc_feature_fact facts[2][FACTS];
    char *text; /* put wherever a peer's text stands */
    char *one_text[1];
} fleet;

static void
fill_features(fleet *f, size_t i)
{
    fc_instance_features *features = &f->features[i];
    bool odd = f->standings[i] == FC_STANDING_OUTLIER;
    features->has_profile = f->standings[i] != FC_STANDING_ABSENT;
    features->has_context = features->has_profile;
    features->subject.filter = f->text;
    features->subject.start_ns = START;
    features->subject.end_ns = START + SERIES_SECONDS * SECOND;
    features->counters[FC_COUNTER_PACKETS_IN] = 1000 + i;
    features->series.start_s = START / SECOND;
    features->series.width_s = 1;
    features->series.bucket_count = features->has_profile ? SERIES_SECONDS : 0;
    for (size_t row = 0; row < FC_SERIES_COUNT; row++)
        features->series.rows[row] = f->rows[odd ? 1 : row % 2 == 0 ? 0 : 2];
    for (size_t s = 0; s < FC_SKETCH_COUNT && features->has_profile; s++) {
        features->sketches[s].count = 100;
        for (size_t q = 0; q < FC_QUANTILE_COUNT; q++)
            features->sketches[s].quantiles[q] = (odd ? 9000000 : 1000000) * (q + 1) * (s + 1);
    }
    features->facts = f->facts[odd ? 1 : 0];
    features->fact_count = FACTS;
    features->distrust_text = f->standings[i] == FC_STANDING_UNTRUSTED ? f->text : NULL;
}

static void
fill_instances(fleet *f)
{
    for (size_t i = 0; i < f->count; i++) {
        (void)snprintf(f->names[i], sizeof f->names[i], "web-%zu", i + 1);
        f->indices[i] = i;
        f->standings[i] = i % 10 == 0   ? FC_STANDING_OUTLIER
                          : i % 10 == 2 ? FC_STANDING_UNTRUSTED
                          : i % 10 == 3 ? FC_STANDING_ABSENT
                                        : FC_STANDING_SAME;
        f->instances[i] = (fc_compare_instance){
            .name = f->names[i], .region = "", .clock_offset_ns = -1500000, .clock_bound_ns = 300000};
        fill_features(f, i);
        f->files[i] = (cli_report_file){i, "web_10_00_00_0001.pcapng", 123456,
                                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
    }
}

static void
fill_metrics(fleet *f)
{
    for (size_t m = 0; m < METRICS; m++) {
        fc_metric_row *row = &f->metrics[m];
        *row =
            (fc_metric_row){"dnsLatency", "DNS latency, median", "ms", FC_CATEGORY_DNS, 1.5, 0.2, NULL, NULL};
        row->values = fc_alloc_array(f->count, sizeof(double));
        row->deviations = fc_alloc_array(f->count, sizeof(double));
        for (size_t i = 0; i < f->count; i++) {
            row->values[i] = f->standings[i] == FC_STANDING_ABSENT ? NAN : 1234.567 * (double)(m + 1);
            row->deviations[i] = f->standings[i] == FC_STANDING_OUTLIER ? 14.5 - (double)m : 0;
        }
    }
}

/* A finding and a group of its own for every outlier, one group for all others of a kind. */
static void
fill_findings(fleet *f)
{
    fc_comparison *c = &f->comparison;
    for (size_t i = 0; i < f->count; i++) {
        if (f->standings[i] != FC_STANDING_OUTLIER)
            continue;
        f->evidence[i] =
            (fc_evidence_pointer){i, "web_10_00_00_0001.pcapng", 4711, f->text, f->text, &f->exemplar};
        f->findings[c->finding_count++] = (fc_finding){.id = "dnsUnanswered",
                                                       .severity = FC_SEVERITY_ERROR,
                                                       .confidence = FC_CONFIDENCE_HIGH,
                                                       .instances = &f->indices[i],
                                                       .instance_count = 1,
                                                       .title = f->text,
                                                       .explanation = f->text,
                                                       .value = 20,
                                                       .peer_median = 0,
                                                       .peer_spread = NAN,
                                                       .unit = "%",
                                                       .since_ns = START + 20 * SECOND,
                                                       .caveats = f->one_text,
                                                       .caveat_count = 1,
                                                       .evidence = &f->evidence[i],
                                                       .evidence_count = 1};
    }
    for (size_t i = 0; i < f->count; i++)
        f->groups[c->group_count++] =
            (fc_compare_group){f->standings[i], f->names[i], &f->indices[i], 1, f->text};
}

static fleet *
fleet_new(size_t count, const char *text)
{
    fleet *f = FC_NEW(fleet);
    f->count = count;
    f->text = fc_strdup(text);
    f->one_text[0] = f->text;
    f->instances = fc_alloc_array(count, sizeof *f->instances);
    f->features = fc_alloc_array(count, sizeof *f->features);
    f->names = fc_alloc_array(count, sizeof *f->names);
    f->indices = fc_alloc_array(count, sizeof *f->indices);
    f->standings = fc_alloc_array(count, sizeof *f->standings);
    f->findings = fc_alloc_array(count, sizeof *f->findings);
    f->evidence = fc_alloc_array(count, sizeof *f->evidence);
    f->groups = fc_alloc_array(count, sizeof *f->groups);
    f->files = fc_alloc_array(count, sizeof *f->files);
    (void)snprintf(f->exemplar.community_id, sizeof f->exemplar.community_id,
                   "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    f->exemplar.at_ns = START + SECOND;
    for (size_t i = 0; i < SERIES_SECONDS; i++) {
        f->rows[0][i] = 20 + i % 7;
        f->rows[1][i] = i < 20 ? 20 : 90;
    }
    for (size_t i = 0; i < FACTS; i++) {
        f->facts[0][i] = (fc_feature_fact){FC_SECTION_SYSCTL, "k", "1", "1", "k", "1", "1"};
        f->facts[1][i] = (fc_feature_fact){FC_SECTION_SYSCTL, "k", f->text, f->text, "k", f->text, f->text};
    }
    fill_instances(f);
    fill_metrics(f);
    f->comparison = (fc_comparison){.instances = f->instances,
                                    .features = f->features,
                                    .instance_count = count,
                                    .verdict = f->text,
                                    .severity = FC_SEVERITY_ERROR,
                                    .findings = f->findings,
                                    .metrics = f->metrics,
                                    .metric_count = METRICS,
                                    .groups = f->groups,
                                    .standings = f->standings,
                                    .window_start_ns = START,
                                    .window_end_ns = START + SERIES_SECONDS * SECOND,
                                    .caveats = f->one_text,
                                    .caveat_count = 1};
    fill_findings(f);
    return f;
}

static void
fleet_free(fleet *f)
{
    for (size_t m = 0; m < METRICS; m++) {
        free(f->metrics[m].values);
        free(f->metrics[m].deviations);
    }
    free(f->instances);
    free(f->features);
    free(f->names);
    free(f->indices);
    free(f->standings);
    free(f->findings);
    free(f->evidence);
    free(f->groups);
    free(f->files);
    free(f->text);
    free(f);
}

static char *
write_page(const fleet *f, size_t *ret_size)
{
    fc_buf page = {0};
    const cli_report report = {.comparison = &f->comparison,
                               .capture_name = f->text,
                               .capture_uid = "0123",
                               .definition = f->text,
                               .filter = f->text,
                               .command = f->text,
                               .created_ns = START,
                               .generated_ns = START,
                               .files = f->files,
                               .file_count = f->count};
    cli_report_make(&page, &report);
    *ret_size = fc_buf_size(&page);
    char *text = fc_buf_take_text(&page);
    fc_buf_fini(&page);
    return text;
}

/* Every element that is opened is closed, in the order that nesting asks for. */
static void
assert_balanced(const char *page)
{
    static const char *const empty[] = {"meta",     "br",      "rect", "line", "circle",
                                        "polyline", "polygon", "use",  "input"};
    char open[64][24];
    size_t depth = 0;
    for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at + 1, '<')) {
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing;
        size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (at[1] == '!')
            continue;
        assert_true(length > 0 && length < sizeof open[0]);
        bool is_empty = false;
        for (size_t i = 0; i < FC_COUNT(empty); i++)
            is_empty = is_empty || (strlen(empty[i]) == length && strncmp(empty[i], name, length) == 0);
        if (is_empty)
            continue;
        if (closing) {
            assert_true(depth > 0);
            depth--;
            if (strncmp(open[depth], name, length) != 0 || open[depth][length] != '\0')
                fail_msg("<%s> is closed by %.20s", open[depth], name);
            continue;
        }
        assert_true(depth < FC_COUNT(open));
        (void)snprintf(open[depth++], sizeof open[0], "%.*s", (int)length, name);
        /* What stands in script and style is no markup. */
        if (strcmp(open[depth - 1], "script") == 0 || strcmp(open[depth - 1], "style") == 0)
            at = strstr(at, open[depth - 1][1] == 'c' ? "</script" : "</style") - 1;
    }
    assert_int_equal(depth, 0);
}

static size_t
occurrences(const char *page, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(page, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void
page_is_whole_and_says_what_was_found(void **state)
{
    (void)state;
    fleet *f = fleet_new(12, "web-1 gets no answer to 20 of 20 DNS questions");
    size_t size;
    char *page = write_page(f, &size);
    assert_balanced(page);
    static const char *const parts[] = {
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "<h1 id=\"verdict\">web-1 gets no answer",
        "<h2 id=\"groups\">",
        "<h2 id=\"findings\">",
        "<h2 id=\"time\">",
        "<h2 id=\"waterfall\">",
        "<h2 id=\"matrix\">",
        "<h2 id=\"context\">",
        "<h2 id=\"provenance\">",
        "frame 4,711",
        "class=\"copy\"",
        "prefers-color-scheme",
        "@media print",
        "−1.50 ms ± 300 µs",
        "14.5 spreads above",
        "role=\"img\" aria-label=",
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "e3b0c442",
        "scope=\"col\"",
        "2025-11-21 02:00:20.000 UTC",
    };
    for (size_t i = 0; i < FC_COUNT(parts); i++)
        if (strstr(page, parts[i]) == NULL)
            fail_msg("the page lacks %s", parts[i]);
    assert_int_equal(occurrences(page, "<h1"), 1);
    assert_int_equal(occurrences(page, "<svg class=\"waterfall\""), 1);
    free(page);
    fleet_free(f);
}

static void
page_loads_nothing(void **state)
{
    (void)state;
    fleet *f = fleet_new(12, "text");
    size_t size;
    char *page = write_page(f, &size);
    static const char *const loads[] = {" src=", "url(",    "@import", "http://", "https://",
                                        "<link", "<iframe", "fetch(",  "XMLHttp", "import("};
    for (size_t i = 0; i < FC_COUNT(loads); i++)
        if (strstr(page, loads[i]) != NULL)
            fail_msg("the page has %s", loads[i]);
    assert_int_equal(occurrences(page, " href=\""), occurrences(page, " href=\"#"));
    assert_non_null(strstr(page, "default-src 'none'"));
    free(page);
    fleet_free(f);
}

static void
texts_of_peers_stay_texts(void **state)
{
    (void)state;
    fleet *f = fleet_new(24, EVIL);
    (void)snprintf(f->names[0], sizeof f->names[0], "%s", "<b onmouseover=alert(3)>\"'");
    f->files[0].name = EVIL;
    f->files[0].sha256 = EVIL;
    f->instances[2].problem = EVIL;
    f->metrics[0].title = f->metrics[0].unit = EVIL;
    f->findings[0].id = f->findings[0].unit = EVIL;
    f->evidence[0].file = EVIL;
    size_t size;
    char *page = write_page(f, &size);
    assert_balanced(page);
    assert_int_equal(occurrences(page, "<script"), 1);
    assert_int_equal(occurrences(page, "<img"), 0);
    assert_int_equal(occurrences(page, "<b onmouse"), 0);
    assert_null(memchr(page, 0x1b, size));
    assert_null(memchr(page, 0xff, size));
    assert_true(occurrences(page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;?[31m?&lt;img") > 10);
    free(page);
    fleet_free(f);
}

static void
thousand_instances_fit_into_five_mebibytes(void **state)
{
    (void)state;
    char text[301];
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fleet *f = fleet_new(1000, text);
    size_t size;
    char *page = write_page(f, &size);
    print_message("1,000 instances: %zu bytes\n", size);
    assert_true(size <= CLI_REPORT_SIZE_MAX);
    assert_balanced(page);
    assert_non_null(strstr(page, "940 more groups"));
    assert_non_null(strstr(page, "80 more findings"));
    free(page);
    fleet_free(f);
}

static void
instances_that_are_alike_are_one_row(void **state)
{
    (void)state;
    fleet *f = fleet_new(47, "same");
    for (size_t i = 0; i < f->count; i++)
        f->standings[i] = FC_STANDING_SAME;
    f->groups[0] = (fc_compare_group){FC_STANDING_SAME, f->names[0], f->indices, f->count, f->text};
    f->comparison.group_count = 1;
    f->comparison.finding_count = 0;
    f->comparison.severity = FC_SEVERITY_INFO;
    size_t size;
    char *page = write_page(f, &size);
    assert_balanced(page);
    assert_non_null(strstr(page, "<tr class=\"same\"><th scope=\"row\">web-[1-47]</th>"));
    assert_non_null(strstr(page, "Each of the 47 instances"));
    assert_non_null(strstr(page, "Nothing differs that is worth naming"));
    assert_non_null(strstr(page, "aria-label=\"healthy instances, Packets"));
    assert_null(strstr(page, "class=\"line\""));
    free(page);
    fleet_free(f);
}

static void
findings_that_are_only_information_are_folded(void **state)
{
    (void)state;
    fleet *f = fleet_new(30, "text");
    f->findings[1].severity = f->findings[2].severity = FC_SEVERITY_INFO;
    f->findings[2].explanation = "of little weight";
    size_t size;
    char *page = write_page(f, &size);
    assert_balanced(page);
    char *folded = strstr(page, "<details><summary>2 more findings");
    assert_non_null(folded);
    assert_true(strstr(page, "of little weight") > folded);
    assert_true(strstr(page, "id=\"finding-1\"") < folded);
    free(page);
    fleet_free(f);
}

static void
one_instance_without_anything_has_a_page(void **state)
{
    (void)state;
    fleet *f = fleet_new(1, "nothing came");
    f->standings[0] = FC_STANDING_ABSENT;
    f->features[0] = (fc_instance_features){0};
    f->instances[0].clock_bound_ns = 0;
    f->comparison.metric_count = f->comparison.finding_count = 0;
    f->comparison.window_start_ns = f->comparison.window_end_ns = 0;
    fc_buf page = {0};
    const cli_report report = {.comparison = &f->comparison};
    cli_report_make(&page, &report);
    assert_balanced(fc_buf_text(&page));
    assert_non_null(strstr(fc_buf_text(&page), "nothing came"));
    fc_buf_fini(&page);
    fleet_free(f);
}

static void
who_was_not_compared_is_told_apart_from_who_is_the_same(void **state)
{
    (void)state;
    fleet *f = fleet_new(12, "x");
    size_t size;
    f->standings[5] = f->groups[5].standing = FC_STANDING_NOT_COMPARED;
    char *page = write_page(f, &size);
    assert_balanced(page);
    assert_non_null(strstr(page, "<dt>not compared</dt><dd>1</dd>"));
    assert_non_null(strstr(page, "badge left-out\"><span aria-hidden=\"true\">–</span> not compared<"));
    assert_non_null(strstr(page, "<tr class=\"left-out\">"));
    free(page);
    fleet_free(f);
}

static void
numbers_are_short(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},           {0.0004, "0.0004"}, {0.123, "0.12"},   {1, "1"},          {4.56, "4.56"},
        {12.34, "12.3"},    {123.4, "123"},     {1234.5, "1,235"}, {99999, "99,999"}, {123456, "123 k"},
        {2500000, "2.5 M"}, {-3.5, "-3.50"},    {7.2e9, "7.2 G"},  {NAN, "–"},
    };
    char text[CLI_REPORT_TEXT];
    for (size_t i = 0; i < FC_COUNT(rows); i++)
        assert_string_equal(cli_report_number(rows[i].value, text), rows[i].text);
    assert_string_equal(cli_report_duration(1500, text), "1.50 µs");
    assert_string_equal(cli_report_duration(2500000000, text), "2.50 s");
    assert_string_equal(cli_report_count(18446744073709551615u, text), "18,446,744,073,709,551,615");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_whole_and_says_what_was_found),
        cmocka_unit_test(page_loads_nothing),
        cmocka_unit_test(texts_of_peers_stay_texts),
        cmocka_unit_test(thousand_instances_fit_into_five_mebibytes),
        cmocka_unit_test(instances_that_are_alike_are_one_row),
        cmocka_unit_test(findings_that_are_only_information_are_folded),
        cmocka_unit_test(one_instance_without_anything_has_a_page),
        cmocka_unit_test(who_was_not_compared_is_told_apart_from_who_is_the_same),
        cmocka_unit_test(numbers_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
