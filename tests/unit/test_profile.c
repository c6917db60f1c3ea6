/* Profiles and contexts: sketches, tables and series keep their bounds; what is packed is small, and comes
 * back. */
#include "common/base/mem.h"
#include "common/profile/clean.h"
#include "common/profile/context.h"
#include "common/profile/profile.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1763690400) * SECOND)

static fc_exemplar
exemplar(int64_t at_ns, const char *detail)
{
    fc_exemplar made = {
        .at_ns = at_ns, .frame = 7, .protocol = 6, .local_port = 40000, .remote_port = 443, .value = 9};
    assert_true(fc_address_parse("10.0.0.2", &made.local) && fc_address_parse("10.0.0.5", &made.remote));
    fc_community_id(6, &made.local, made.local_port, &made.remote, made.remote_port, made.community_id);
    (void)snprintf(made.detail, sizeof made.detail, "%s", detail);
    return made;
}

static void
fill_subject(fc_profile_subject *subject)
{
    (void)snprintf(subject->capture_uid, sizeof subject->capture_uid, "0123456789abcdef0123456789abcdef");
    (void)snprintf(subject->capture_name, sizeof subject->capture_name, "dns");
    (void)snprintf(subject->instance_id, sizeof subject->instance_id, "i-1");
    (void)snprintf(subject->instance_name, sizeof subject->instance_name, "web-1");
    (void)snprintf(subject->interfaces[0], sizeof subject->interfaces[0], "eth0");
    subject->interface_count = 1;
    subject->filter = fc_strdup("udp and port 53");
    subject->snaplen_bytes = 256;
    subject->start_ns = subject->first_packet_ns = START;
    subject->end_ns = subject->last_packet_ns = START + 60 * SECOND;
}

/* A profile like those of real traffic; part selects every third, or all (3). */
static fc_profile *
ordinary(size_t part)
{
    fc_profile *profile = fc_profile_new();
    fill_subject(&profile->subject);
    fc_address local;
    assert_true(fc_address_parse("10.0.0.2", &local));
    fc_profile_add_local_address(profile, &local);
    uint32_t file = fc_profile_file(profile, "web-1_10_00_00_0001.pcapng");
    for (size_t i = 0; i < 3000; i++) {
        if (part != 3 && i % 3 != part)
            continue;
        int64_t at = START + (int64_t)i * 20000000;
        char name[32];
        (void)snprintf(name, sizeof name, "host-%zu.example.org", i % 40);
        fc_table_values values = {.count = 1,
                                  .packets = 2,
                                  .latency_count = 1,
                                  .latency_sum_ns = 1000 * i,
                                  .first_ns = at,
                                  .last_ns = at};
        fc_table_add(&profile->tables[FC_TABLE_DNS_QUESTIONS], name, &values);
        fc_sketch_add(&profile->sketches[FC_SKETCH_DNS_LATENCY], 100000 + 7919 * i);
        fc_series_add(&profile->series, FC_SERIES_DNS_QUERIES, at, 1);
        profile->counters[FC_COUNTER_DNS_QUERIES]++;
        fc_exemplar one = exemplar(at, name);
        one.file = file;
        if (i % 50 == 0)
            fc_profile_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, &one);
    }
    return profile;
}

static void
assert_same_json(const fc_profile *a, const fc_profile *b)
{
    json_t *left = fc_profile_to_json(a), *right = fc_profile_to_json(b);
    assert_true(json_equal(left, right));
    json_decref(left);
    json_decref(right);
}

/* Packs, checks the bound, unpacks, packs again: the same bytes. Returns what was unpacked. */
static fc_profile *
round_trip(fc_profile *profile)
{
    fc_buf first = {0}, second = {0};
    fc_fail fail = {0};
    fc_profile *again = NULL;
    fc_profile_pack(profile, &first);
    assert_true(fc_buf_size(&first) <= FC_PROFILE_PACKED_MAX);
    assert_int_equal(fc_profile_unpack(fc_buf_bytes(&first), fc_buf_size(&first), &again, &fail), FC_OK);
    fc_profile_pack(again, &second);
    assert_int_equal(fc_buf_size(&first), fc_buf_size(&second));
    assert_memory_equal(fc_buf_bytes(&first), fc_buf_bytes(&second), fc_buf_size(&first));
    fc_buf_fini(&first);
    fc_buf_fini(&second);
    return again;
}

static void
packed_profile_comes_back_whole(void **state)
{
    (void)state;
    fc_profile *profile = ordinary(3), *again = round_trip(profile);
    assert_same_json(profile, again);
    assert_int_equal(again->counters[FC_COUNTER_PROFILE_TRIMMED], 0);
    fc_profile *empty = fc_profile_new(), *empty_again = round_trip(empty);
    assert_same_json(empty, empty_again);
    fc_profile_free(profile);
    fc_profile_free(again);
    fc_profile_free(empty);
    fc_profile_free(empty_again);
}

static void
copies_and_merged_parts_are_the_whole(void **state)
{
    (void)state;
    fc_profile *whole = ordinary(3), *merged = fc_profile_new(), *copy = fc_profile_new();
    for (size_t part = 0; part < 3; part++) {
        fc_profile *one = ordinary(part);
        fc_profile_merge(merged, one);
        fc_profile_free(one);
    }
    fc_table_sort(&whole->tables[FC_TABLE_DNS_QUESTIONS]);
    /* Space-saving in twelve places for forty names is not the same in parts; everything else is. */
    fc_table_init(&whole->troubles[FC_TROUBLE_DNS_UNANSWERED].details, FC_TROUBLE_DETAILS_MAX);
    fc_table_init(&merged->troubles[FC_TROUBLE_DNS_UNANSWERED].details, FC_TROUBLE_DETAILS_MAX);
    assert_same_json(whole, merged);
    fc_profile_copy(copy, whole);
    fc_profile_copy(copy, merged);
    assert_same_json(whole, copy);
    fc_profile_clear(copy);
    assert_int_equal(copy->tables[0].capacity, FC_TABLE_CAPACITY_MAX);
    assert_null(copy->subject.files);
    fc_profile_free(whole);
    fc_profile_free(merged);
    fc_profile_free(copy);
}

static void
merged_exemplars_point_to_their_own_files(void **state)
{
    (void)state;
    fc_profile *first = fc_profile_new(), *second = fc_profile_new();
    assert_int_equal(fc_profile_file(first, "a.pcapng"), 0);
    assert_int_equal(fc_profile_file(second, "b.pcapng"), 0);
    fc_exemplar one = exemplar(START, "");
    fc_profile_trouble(first, FC_TROUBLE_TCP_REFUSED, &one);
    one.at_ns += SECOND;
    fc_profile_trouble(second, FC_TROUBLE_TCP_REFUSED, &one);
    fc_profile_merge(first, second);
    const fc_trouble *trouble = &first->troubles[FC_TROUBLE_TCP_REFUSED];
    assert_int_equal(trouble->exemplar_count, 2);
    assert_string_equal(first->subject.files[trouble->exemplars[0].file], "a.pcapng");
    assert_string_equal(first->subject.files[trouble->exemplars[1].file], "b.pcapng");
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%u", i);
        uint32_t index = fc_profile_file(first, name);
        assert_true(index == i + 2 || index == FC_EXEMPLAR_NO_FILE);
    }
    assert_int_equal(first->subject.file_count, FC_PROFILE_FILES_MAX);
    fc_profile_free(first);
    fc_profile_free(second);
}

/* Everything as full as it can be, every number as long. */
static fc_profile *
overflowing(bool sketches_too)
{
    fc_profile *profile = fc_profile_new();
    fill_subject(&profile->subject);
    for (size_t i = 0; i < FC_COUNTER_COUNT; i++)
        profile->counters[i] = UINT64_MAX - i;
    for (size_t i = 0; i < FC_PROFILE_FILES_MAX; i++) {
        char name[FC_PROFILE_FILE_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%0*zu", FC_PROFILE_FILE_NAME_MAX, i);
        (void)fc_profile_file(profile, name);
    }
    for (size_t i = 0; i < FC_SKETCH_COUNT; i++)
        for (size_t b = 0; b < (sketches_too ? FC_SKETCH_BUCKETS : 0); b++)
            for (size_t n = 0; n < 2; n++)
                fc_sketch_add(&profile->sketches[i], fc_sketch_middle(b));
    for (size_t i = 0; sketches_too && i < FC_SKETCH_COUNT; i++)
        for (size_t b = 0; b < FC_SKETCH_BUCKETS; b++)
            if (profile->sketches[i].buckets[b] > 0)
                profile->sketches[i].buckets[b] = UINT32_MAX, profile->sketches[i].count = UINT64_MAX;
    for (size_t row = 0; row < FC_SERIES_COUNT; row++)
        for (int64_t second = 0; second < FC_SERIES_BUCKETS; second++)
            fc_series_add(&profile->series, (fc_series_id)row, START + second * SECOND, UINT64_MAX / 3);
    for (size_t i = 0; i < 200; i++) {
        char key[FC_TABLE_KEY_MAX + 1];
        (void)snprintf(key, sizeof key, "%0*zu", FC_TABLE_KEY_MAX, i);
        fc_table_values values = {.count = UINT64_MAX / 1000,
                                  .packets = UINT64_MAX / 2,
                                  .bytes = UINT64_MAX / 2,
                                  .failed = UINT64_MAX / 2,
                                  .latency_count = UINT64_MAX / 2,
                                  .latency_sum_ns = UINT64_MAX / 2,
                                  .latency_max_ns = UINT64_MAX / 2,
                                  .first_ns = START,
                                  .last_ns = START};
        for (size_t t = 0; t < FC_TABLE_COUNT; t++)
            fc_table_add(&profile->tables[t], key, &values);
        for (size_t t = 0; t < FC_TROUBLE_COUNT; t++) {
            fc_exemplar one = exemplar(START + (int64_t)i * SECOND, key);
            one.value = one.frame = UINT64_MAX;
            one.remote_port = (uint16_t)(i + 1);
            fc_profile_trouble(profile, (fc_trouble_id)t, &one);
        }
    }
    return profile;
}

static void
packed_profile_never_exceeds_its_bound(void **state)
{
    (void)state;
    for (int sketches_too = 0; sketches_too < 2; sketches_too++) {
        fc_profile *profile = overflowing(sketches_too == 1);
        profile->counters[FC_COUNTER_PROFILE_TRIMMED] = 5;
        fc_profile *again = round_trip(profile);
        assert_true(again->counters[FC_COUNTER_PROFILE_TRIMMED] > 5);
        assert_int_equal(profile->counters[FC_COUNTER_PROFILE_TRIMMED], 5);
        assert_int_equal(again->troubles[0].count, 200);
        assert_int_equal(again->subject.file_count, FC_PROFILE_FILES_MAX);
        for (size_t t = 0; t < FC_TABLE_COUNT; t++) {
            const fc_table *before = &profile->tables[t], *after = &again->tables[t];
            assert_true(after->count > 0);
            assert_int_equal(after->evicted + after->count, before->evicted + before->count);
        }
        fc_profile_free(profile);
        fc_profile_free(again);
    }
}

static void
profile_trims_exemplars_before_anything_else(void **state)
{
    (void)state;
    fc_profile *profile = ordinary(3);
    for (size_t t = 0; t < FC_TROUBLE_COUNT; t++)
        for (size_t i = 0; i < FC_EXEMPLARS_MAX; i++) {
            fc_exemplar one =
                exemplar(START + (int64_t)i * SECOND, "a detail that is forty characters long.");
            fc_profile_trouble(profile, (fc_trouble_id)t, &one);
        }
    fc_profile *again = round_trip(profile);
    assert_true(again->counters[FC_COUNTER_PROFILE_TRIMMED] > 0);
    for (size_t t = 0; t < FC_TROUBLE_COUNT; t++)
        assert_in_range(again->troubles[t].exemplar_count, 6, FC_EXEMPLARS_MAX);
    assert_int_equal(again->tables[FC_TABLE_DNS_QUESTIONS].count, 40);
    assert_int_equal(again->series.width_s, profile->series.width_s);
    assert_memory_equal(again->sketches, profile->sketches, sizeof profile->sketches);
    fc_profile_free(profile);
    fc_profile_free(again);
}

static void
names_that_cannot_be_printed_do_not_keep_a_profile_from_being_read(void **state)
{
    (void)state;
    fc_profile *profile = fc_profile_new();
    (void)snprintf(profile->subject.instance_name, sizeof profile->subject.instance_name, "a\n\xff");
    profile->subject.filter = fc_alloc(10000);
    memset(profile->subject.filter, 'f', 9999);
    profile->subject.start_ns = INT64_MIN;
    profile->subject.end_ns = INT64_MAX;
    fc_profile *again = round_trip(profile);
    assert_string_equal(again->subject.instance_name, "a??");
    assert_int_equal(strlen(again->subject.filter), FC_PROFILE_FILTER_MAX);
    assert_int_equal(again->subject.start_ns, 0);
    fc_profile_free(profile);
    fc_profile_free(again);
}

static void
broken_profiles_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},                                          /* no version */
        {"\x08\x01\x12", 3},                              /* cut off */
        {"\x08\x01\x1a\x02\x08\x01\x1a\x02\x08\x01", 10}, /* a counter twice */
        {"\x08\x01\x12\x03\x0a\x01\x1b", 7},              /* an escape in the capture's uid */
        {"\x08\x01\x22\x04\x08\x00\x10\x05", 8},          /* a sketch without buckets */
        {"\x08\x01\x22\x0c\x10\x01\x18\x05\x28\x05\x32\x01\x7f\x3a\x01\x02",
         16},                                    /* two in the buckets, one in the count */
        {"\x08\x01\x2a\x04\x10\x03\x18\x01", 8}, /* buckets of three seconds */
        {"\x08\x01\x3a\x02\x08\x00", 6},         /* a trouble that never happened */
        {"\x08\x01\x12\x0b\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15}, /* a window from before 1970 */
    };
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        fc_profile *profile = NULL;
        fc_fail fail = {0};
        assert_int_equal(fc_profile_unpack((const uint8_t *)rows[i].bytes, rows[i].size, &profile, &fail),
                         FC_ERR_CORRUPT);
        assert_null(profile);
        assert_true(strlen(fail.text) > 0);
    }
    fc_profile *profile = NULL;
    uint8_t *big = fc_alloc(FC_PROFILE_PACKED_MAX + 1);
    assert_int_equal(fc_profile_unpack(big, FC_PROFILE_PACKED_MAX + 1, &profile, NULL), FC_ERR_CORRUPT);
    free(big);
}

static void
ids_of_a_newer_version_are_left_out(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x08, 0x02, 0x1a, 0x05, 0x08, 0xff, 0x7f,
                                    0x10, 0x01, 0x3a, 0x03, 0x08, 0xff, 0x7f};
    fc_profile *profile = NULL, *empty = fc_profile_new();
    assert_int_equal(fc_profile_unpack(bytes, sizeof bytes, &profile, NULL), FC_OK);
    assert_same_json(profile, empty);
    fc_profile_free(profile);
    fc_profile_free(empty);
}

static void
context_comes_back_sorted_and_without_doubles(void **state)
{
    (void)state;
    fc_context context = {.at = {START}}, again;
    fc_buf bytes = {0}, second = {0};
    fc_context_add(&context, FC_SECTION_ROUTE, "default", "via 10.0.0.1 dev eth0");
    fc_context_addf(&context, FC_SECTION_LINK, "eth0.mtu", "%d", 1500);
    fc_context_add(&context, FC_SECTION_RESOLVER, "nameserver", "10.0.0.53\x07");
    fc_context_add(&context, FC_SECTION_ROUTE, "default", "via 10.0.0.1 dev eth0");
    fc_context_add(&context, FC_SECTION_ROUTE, "default", "via 10.0.0.9 dev eth1");
    fc_context_add_unreadable(&context, FC_SECTION_FIREWALL, "permission denied");
    fc_context_pack(&context, &bytes);
    assert_int_equal(context.fact_count, 4);
    assert_int_equal(fc_context_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &again, NULL), FC_OK);
    assert_string_equal(fc_context_find(&again, FC_SECTION_RESOLVER, "nameserver"), "10.0.0.53?");
    assert_string_equal(fc_context_find(&again, FC_SECTION_LINK, "eth0.mtu"), "1500");
    assert_string_equal(fc_context_find(&again, FC_SECTION_ROUTE, "default"), "via 10.0.0.1 dev eth0");
    assert_null(fc_context_find(&again, FC_SECTION_ROUTE, "nowhere"));
    assert_string_equal(again.unreadable[0], "firewall: permission denied");
    assert_int_equal(again.at.ns, START);
    fc_context_pack(&again, &second);
    assert_int_equal(fc_buf_size(&bytes), fc_buf_size(&second));
    assert_memory_equal(fc_buf_bytes(&bytes), fc_buf_bytes(&second), fc_buf_size(&bytes));
    json_t *json = fc_context_to_json(&again);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(json_object_get(json, "facts"), "route"), "default")),
        2);
    json_decref(json);
    fc_context_fini(&context);
    fc_context_fini(&again);
    fc_buf_fini(&bytes);
    fc_buf_fini(&second);
}

static void
context_stays_within_its_bounds_and_counts_what_is_left_out(void **state)
{
    (void)state;
    char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (int wide = 0; wide < 2; wide++) {
        fc_context context = {.at = {START}}, again;
        fc_buf bytes = {0};
        for (unsigned i = 0; i < 3000; i++)
            fc_context_addf(&context, FC_SECTION_HOST, wide ? longest : "k", "%u %s", i, wide ? longest : "");
        for (unsigned i = 0; i < 40; i++)
            fc_context_add_unreadable(&context, FC_SECTION_HOST, longest);
        fc_context_pack(&context, &bytes);
        assert_true(fc_buf_size(&bytes) <= FC_CONTEXT_PACKED_MAX);
        assert_int_equal(context.fact_count + context.left_out, 3000 + 24);
        assert_int_equal(context.unreadable_count, FC_CONTEXT_UNREADABLE_MAX);
        assert_int_equal(fc_context_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &again, NULL), FC_OK);
        assert_int_equal(again.fact_count, context.fact_count);
        assert_int_equal(again.left_out, context.left_out);
        fc_context_fini(&context);
        fc_context_fini(&again);
        fc_buf_fini(&bytes);
    }
}

static void
broken_contexts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},
        {"\x08\x01\x1a", 3},
        {"\x08\x01\x1a\x03\x12\x01\x0a", 7},                          /* a line break in a key */
        {"\x08\x01\x22\x01\x9b", 5},                                  /* not UTF-8 */
        {"\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13}, /* before 1970 */
    };
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        fc_context context = {0};
        fc_fail fail = {0};
        assert_int_equal(fc_context_unpack((const uint8_t *)rows[i].bytes, rows[i].size, &context, &fail),
                         FC_ERR_CORRUPT);
        assert_int_equal(context.fact_count, 0);
    }
}

static char *
read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fc_buf text = {0};
    for (size_t got; (got = fread(fc_buf_reserve(&text, 65536), 1, 65536, file)) > 0;)
        fc_buf_commit(&text, got);
    (void)fclose(file);
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

static void
assert_documented(const char *text, const char *name, const char *sentence)
{
    char *cell = fc_sprintf("| `%s` |", name);
    const char *row = strstr(text, cell);
    if (row == NULL)
        fail_msg("docs/profile.md has no row for %s", name);
    const char *end = strchr(row, '\n');
    char *line = fc_strndup(row, end != NULL ? (size_t)(end - row) : strlen(row));
    if (strstr(line, sentence) == NULL)
        fail_msg("docs/profile.md says something else of %s", name);
    free(line);
    free(cell);
}

static void
every_name_is_documented_with_its_sentence(void **state)
{
    (void)state;
    char *text = read_text(FC_SOURCE_DIR "/docs/profile.md");
    for (size_t i = 0; i < FC_COUNTER_COUNT; i++)
        assert_documented(text, fc_counter_names[i].name, fc_counter_names[i].sentence);
    for (size_t i = 0; i < FC_SKETCH_COUNT; i++)
        assert_documented(text, fc_sketch_names[i].name, fc_sketch_names[i].sentence);
    for (size_t i = 0; i < FC_TABLE_COUNT; i++)
        assert_documented(text, fc_table_names[i].name, fc_table_names[i].sentence);
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++)
        assert_documented(text, fc_trouble_names[i].name, fc_trouble_names[i].sentence);
    for (size_t i = 0; i < FC_SECTION_COUNT; i++)
        assert_documented(text, fc_section_names[i].name, fc_section_names[i].sentence);
    const char *series = strstr(text, "\n## Series\n");
    assert_non_null(series);
    for (size_t i = 0; i < FC_SERIES_COUNT; i++)
        assert_documented(series, fc_series_names[i].name, fc_series_names[i].sentence);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_profile_comes_back_whole),
        cmocka_unit_test(copies_and_merged_parts_are_the_whole),
        cmocka_unit_test(merged_exemplars_point_to_their_own_files),
        cmocka_unit_test(packed_profile_never_exceeds_its_bound),
        cmocka_unit_test(profile_trims_exemplars_before_anything_else),
        cmocka_unit_test(names_that_cannot_be_printed_do_not_keep_a_profile_from_being_read),
        cmocka_unit_test(broken_profiles_are_refused),
        cmocka_unit_test(ids_of_a_newer_version_are_left_out),
        cmocka_unit_test(context_comes_back_sorted_and_without_doubles),
        cmocka_unit_test(context_stays_within_its_bounds_and_counts_what_is_left_out),
        cmocka_unit_test(broken_contexts_are_refused),
        cmocka_unit_test(every_name_is_documented_with_its_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
