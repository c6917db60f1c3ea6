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

static uint64_t random_state;

/* xorshift64* (Vigna 2016). */
static uint64_t
next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

/* FC_TEST_SEED takes a printed seed back. */
static void
seed(void)
{
    const char *given = getenv("FC_TEST_SEED");
    random_state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1;
    print_message("seed %" PRIu64 "\n", random_state);
}

static int
compare_values(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

/* From nanoseconds to an hour, all magnitudes alike. */
static uint64_t
random_duration(void)
{
    uint64_t power = next_random() % 42;
    return next_random() & ((2ULL << power) - 1);
}

static void
sketch_quantiles_are_off_by_at_most_one_part_in_128(void **state)
{
    (void)state;
    seed();
    enum { COUNT = 20000 };
    uint64_t *values = fc_alloc_array(COUNT, sizeof *values);
    fc_sketch *sketch = FC_NEW(fc_sketch);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = random_duration();
        fc_sketch_add(sketch, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare_values);
    static const double parts[] = {0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
    for (size_t i = 0; i < FC_COUNT(parts); i++) {
        uint64_t exact = values[(size_t)ceil(parts[i] * COUNT) - 1];
        uint64_t told = fc_sketch_quantile(sketch, parts[i]);
        uint64_t off = told > exact ? told - exact : exact - told;
        assert_true(off * 128 <= exact);
    }
    assert_int_equal(fc_sketch_quantile(sketch, 0), values[0]);
    assert_int_equal(fc_sketch_quantile(sketch, 1), values[COUNT - 1]);
    assert_int_equal(sketch->count, COUNT);
    free(values);
    free(sketch);
}

static void
sketch_buckets_are_in_order_and_hold_their_middle(void **state)
{
    (void)state;
    size_t last = 0;
    for (uint64_t value = 0; value < FC_SKETCH_VALUE_MAX; value += 1 + value / 300) {
        size_t bucket = fc_sketch_bucket(value);
        assert_true(bucket >= last && bucket <= last + 1 && bucket < FC_SKETCH_BUCKETS);
        assert_int_equal(fc_sketch_bucket(fc_sketch_middle(bucket)), bucket);
        last = bucket;
    }
    assert_int_equal(fc_sketch_bucket(UINT64_MAX), fc_sketch_bucket(FC_SKETCH_VALUE_MAX));
    assert_true(fc_sketch_bucket(UINT64_MAX) < FC_SKETCH_BUCKETS);
}

static void
merged_sketches_are_the_sketch_of_all(void **state)
{
    (void)state;
    seed();
    fc_sketch *whole = FC_NEW(fc_sketch), *parts = fc_alloc_array(3, sizeof *parts);
    fc_sketch *merged = FC_NEW(fc_sketch);
    for (size_t i = 0; i < 3000; i++) {
        uint64_t value = random_duration();
        fc_sketch_add(whole, value);
        fc_sketch_add(&parts[next_random() % 3], value);
    }
    for (size_t i = 0; i < 3; i++)
        fc_sketch_merge(merged, &parts[i]);
    assert_memory_equal(merged, whole, sizeof *whole);
    free(whole);
    free(parts);
    free(merged);
}

static void
empty_sketch_has_zero_for_everything(void **state)
{
    (void)state;
    fc_sketch *sketch = FC_NEW(fc_sketch), *other = FC_NEW(fc_sketch);
    assert_int_equal(fc_sketch_quantile(sketch, 0.5), 0);
    assert_int_equal(fc_sketch_mean(sketch), 0);
    fc_sketch_merge(sketch, other);
    assert_int_equal(sketch->count, 0);
    free(sketch);
    free(other);
}

static void
add_key(fc_table *table, unsigned key, uint64_t count)
{
    char text[16];
    (void)snprintf(text, sizeof text, "key-%u", key);
    fc_table_values values = {.count = count, .bytes = 10 * count};
    fc_table_add(table, text, &values);
}

static void
table_is_exact_while_there_are_fewer_keys_than_places(void **state)
{
    (void)state;
    seed();
    fc_table *table = FC_NEW(fc_table);
    fc_table_init(table, 20);
    uint64_t counts[20] = {0};
    for (size_t i = 0; i < 5000; i++) {
        unsigned key = (unsigned)(next_random() % 20);
        counts[key]++;
        add_key(table, key, 1);
    }
    assert_int_equal(table->evicted, 0);
    for (unsigned key = 0; key < 20; key++) {
        char text[16];
        (void)snprintf(text, sizeof text, "key-%u", key);
        const fc_table_entry *entry = fc_table_find(table, text);
        assert_non_null(entry);
        assert_int_equal(entry->sum.count, counts[key]);
        assert_int_equal(entry->sum.bytes, 10 * counts[key]);
        assert_int_equal(entry->error, 0);
    }
    fc_table_sort(table);
    for (size_t i = 1; i < table->count; i++)
        assert_true(table->entries[i - 1].sum.count >= table->entries[i].sum.count);
    free(table);
}

/* The guarantees of space-saving: true count within [count - error, count], error at most total / capacity,
 * every key with more than total / capacity is there. */
static void
check_bounds(const fc_table *table, const uint64_t *counts, unsigned keys, uint64_t total)
{
    for (unsigned key = 0; key < keys; key++) {
        char text[16];
        (void)snprintf(text, sizeof text, "key-%u", key);
        const fc_table_entry *entry = fc_table_find(table, text);
        if (entry == NULL) {
            assert_true(counts[key] * table->capacity <= total);
            continue;
        }
        assert_true(entry->sum.count >= counts[key]);
        assert_true(entry->sum.count - entry->error <= counts[key]);
        assert_true(entry->error * table->capacity <= total);
    }
}

static void
full_table_keeps_frequent_keys_within_its_bound_and_so_does_a_merged_one(void **state)
{
    (void)state;
    seed();
    enum { KEYS = 400, COUNT = 20000 };
    fc_table *tables = fc_alloc_array(2, sizeof *tables);
    uint64_t counts[2][KEYS] = {{0}}, all[KEYS], totals[2] = {0};
    fc_table_init(&tables[0], 32);
    fc_table_init(&tables[1], 32);
    for (size_t i = 0; i < COUNT; i++) {
        size_t t = next_random() % 2;
        /* The lower a key, the more frequent. */
        unsigned key = (unsigned)(next_random() % (1 + next_random() % KEYS));
        counts[t][key]++;
        totals[t]++;
        add_key(&tables[t], key, 1);
    }
    check_bounds(&tables[0], counts[0], KEYS, totals[0]);
    check_bounds(&tables[1], counts[1], KEYS, totals[1]);
    assert_true(tables[0].evicted > 0);
    for (size_t i = 0; i < KEYS; i++)
        all[i] = counts[0][i] + counts[1][i];
    fc_table_merge(&tables[0], &tables[1]);
    check_bounds(&tables[0], all, KEYS, COUNT);
    free(tables);
}

static void
table_does_not_depend_on_when_it_was_sorted(void **state)
{
    (void)state;
    seed();
    fc_table *left = FC_NEW(fc_table), *right = FC_NEW(fc_table);
    fc_table_init(left, 8);
    fc_table_init(right, 8);
    for (size_t i = 0; i < 2000; i++) {
        unsigned key = (unsigned)(next_random() % 40);
        add_key(left, key, 1);
        add_key(right, key, 1);
        if (next_random() % 10 == 0)
            fc_table_sort(right);
    }
    fc_table_sort(left);
    fc_table_sort(right);
    assert_memory_equal(left, right, sizeof *left);
    free(left);
    free(right);
}

static void
table_keys_are_made_printable_and_cut_between_characters(void **state)
{
    (void)state;
    fc_table *table = FC_NEW(fc_table);
    fc_table_init(table, 4);
    fc_table_values once = {.count = 1};
    fc_table_add(table, "a\x1b[31m\xff\xc3\xa9\xe2\x80\xae", &once);
    assert_string_equal(table->entries[0].key, "a?[31m?\xc3\xa9?");
    char wide[301];
    for (size_t i = 0; i < 300; i += 3)
        memcpy(wide + i, "\xe2\x82\xac", 3);
    wide[300] = '\0';
    fc_table_add(table, wide, &once);
    assert_int_equal(strlen(table->entries[1].key), 111);
    assert_true(fc_clean_check(table->entries[1].key, FC_TABLE_KEY_MAX + 1));
    free(table);
}

static void
series_double_their_width_when_time_does_not_fit(void **state)
{
    (void)state;
    fc_series *series = FC_NEW(fc_series);
    for (int64_t second = 0; second < 1000; second++)
        fc_series_add(series, FC_SERIES_PACKETS_IN, START + second * SECOND, 3);
    assert_int_equal(series->width_s, 8);
    assert_int_equal(series->start_s % 8, 0);
    assert_true(series->start_s * SECOND <= START);
    uint64_t sum = 0;
    for (size_t i = 0; i < series->bucket_count; i++) {
        sum += series->rows[FC_SERIES_PACKETS_IN][i];
        assert_true(series->rows[FC_SERIES_PACKETS_IN][i] <= 24);
    }
    assert_int_equal(sum, 3000);
    free(series);
}

static void
series_grow_to_the_left(void **state)
{
    (void)state;
    fc_series *series = FC_NEW(fc_series);
    fc_series_add(series, FC_SERIES_DNS_FAILED, START, 1);
    fc_series_add(series, FC_SERIES_DNS_FAILED, START - 5 * SECOND, 2);
    assert_int_equal(series->start_s, START / SECOND - 5);
    assert_int_equal(series->bucket_count, 6);
    assert_int_equal(series->rows[FC_SERIES_DNS_FAILED][0], 2);
    assert_int_equal(series->rows[FC_SERIES_DNS_FAILED][5], 1);
    free(series);
}

static void
series_are_the_same_in_any_order_and_merged(void **state)
{
    (void)state;
    seed();
    for (size_t round = 0; round < 30; round++) {
        int64_t times[60];
        uint64_t span = 1 + next_random() % (uint64_t)(round < 20 ? 2000 : 100000000);
        fc_series *forward = FC_NEW(fc_series), *backward = FC_NEW(fc_series), *part = FC_NEW(fc_series);
        fc_series *merged = FC_NEW(fc_series);
        for (size_t i = 0; i < FC_COUNT(times); i++)
            times[i] = START + (int64_t)(next_random() % span) * SECOND;
        for (size_t i = 0; i < FC_COUNT(times); i++) {
            fc_series_add(forward, FC_SERIES_BYTES_IN, times[i], i);
            size_t from_end = FC_COUNT(times) - 1 - i;
            fc_series_add(backward, FC_SERIES_BYTES_IN, times[from_end], from_end);
            fc_series_add(i % 3 == 0 ? merged : part, FC_SERIES_BYTES_IN, times[i], i);
        }
        fc_series_merge(merged, part);
        assert_memory_equal(forward, backward, sizeof *forward);
        assert_memory_equal(forward, merged, sizeof *forward);
        free(forward);
        free(backward);
        free(part);
        free(merged);
    }
}

static void
series_take_any_time_at_all(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MAX, 0, START, -1};
    fc_series *series = FC_NEW(fc_series);
    for (size_t i = 0; i < FC_COUNT(times); i++)
        fc_series_add(series, FC_SERIES_PACKETS_OUT, times[i], 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < series->bucket_count; i++)
        sum += series->rows[FC_SERIES_PACKETS_OUT][i];
    assert_int_equal(sum, FC_COUNT(times));
    assert_true(series->bucket_count <= FC_SERIES_BUCKETS);
    free(series);
}

static void
addresses_are_read_and_written(void **state)
{
    (void)state;
    char text[FC_ADDRESS_TEXT];
    fc_address address;
    assert_true(fc_address_parse("2001:DB8:0:0:0:0:0:1", &address));
    assert_string_equal(fc_address_text(&address, text), "2001:db8::1");
    assert_true(fc_address_parse("10.0.0.5", &address));
    assert_string_equal(fc_address_text(&address, text), "10.0.0.5");
    assert_false(fc_address_parse("10.0.0.256", &address));
    assert_false(fc_address_parse("", &address));
    assert_string_equal(fc_address_text(&(fc_address){0}, text), "-");
    assert_true(fc_address_parse("ff02::1", &address) && fc_address_is_multicast(&address));
    assert_true(fc_address_parse("255.255.255.255", &address) && fc_address_is_multicast(&address));
    assert_true(fc_address_parse("127.3.2.1", &address) && fc_address_is_loopback(&address));
    assert_true(fc_address_parse("::1", &address) && fc_address_is_loopback(&address));
    assert_true(fc_address_parse("::2", &address) && !fc_address_is_loopback(&address));
}

/* The first three: github.com/corelight/community-id-spec; the others: tshark 4.0. */
static void
community_id_is_what_the_specification_says(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        const char *a, *b;
        uint16_t a_port, b_port;
        const char *id;
        bool one_way;
    } rows[] = {
        {6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", false},
        {17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", false},
        {1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", true},
        {1, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", true},
        {1, "192.168.0.1", "192.168.0.89", 11, 0, "1:5ppgsucJbrpJCp1T8kvBKS94Ib0=", true},
        {1, "192.168.0.9", "192.168.0.1", 13, 0, "1:k6mVBcJbaygI4VzwQC6q1fToXVI=", true},
        {58, "2001:db8::2", "2001:db8::1", 128, 0, "1:YDcnf7YthUKAbDNo6Cs3rX4jq4w=", true},
        {58, "fe80::2", "ff02::1:ff00:1", 135, 0, "1:nmpdLchy5d7nEmu021Sgg4Qxwko=", true},
        {6, "2001:db8::2", "2001:db8::1", 40000, 443, "1:jn1M/64iWT+nYqxpE1jYHo+15rE=", false},
        {6, "127.0.0.1", "127.0.0.1", 40000, 443, "1:zKwXEDULx4mp1OHTCIvxDrfCuwo=", false},
        {47, "10.0.0.2", "10.0.0.1", 0, 0, "1:+KlEHDT0vJgzs/eNmzHq0aSpRYw=", false},
    };
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        fc_address a, b;
        char id[FC_COMMUNITY_ID_SIZE];
        assert_true(fc_address_parse(rows[i].a, &a) && fc_address_parse(rows[i].b, &b));
        fc_community_id(rows[i].protocol, &a, rows[i].a_port, &b, rows[i].b_port, id);
        assert_string_equal(id, rows[i].id);
        if (rows[i].one_way)
            continue;
        fc_community_id(rows[i].protocol, &b, rows[i].b_port, &a, rows[i].a_port, id);
        assert_string_equal(id, rows[i].id);
    }
}

static void
endpoints_are_shown_with_protocol_and_port(void **state)
{
    (void)state;
    char text[FC_ENDPOINT_TEXT];
    fc_address v4, v6;
    assert_true(fc_address_parse("10.0.0.5", &v4) && fc_address_parse("2001:db8::1", &v6));
    assert_string_equal(fc_endpoint_text(0, &v4, 443, text), "10.0.0.5:443");
    assert_string_equal(fc_endpoint_text(6, &v4, 443, text), "tcp 10.0.0.5:443");
    assert_string_equal(fc_endpoint_text(17, &v6, 53, text), "udp [2001:db8::1]:53");
    assert_string_equal(fc_endpoint_text(58, &v6, 0, text), "icmp6 2001:db8::1");
    assert_string_equal(fc_endpoint_text(47, &v4, 0, text), "ip47 10.0.0.5");
    assert_true(fc_address_parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", &v6));
    (void)fc_endpoint_text(254, &v6, 65535, text);
    assert_string_equal(text + strlen(text) - 7, "]:65535");
}

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
assert_filter(const fc_exemplar *of, const char *expected)
{
    fc_buf out = {0};
    fc_exemplar_display_filter(of, &out);
    assert_string_equal(fc_buf_text(&out), expected);
    fc_buf_fini(&out);
}

static void
display_filters_show_the_conversation(void **state)
{
    (void)state;
    fc_exemplar one = exemplar(START, "");
    assert_filter(&one, "ip.addr == 10.0.0.2 && ip.addr == 10.0.0.5 && tcp.port == 40000 && tcp.port == 443");
    one.protocol = 1;
    assert_filter(&one, "ip.addr == 10.0.0.2 && ip.addr == 10.0.0.5 && icmp");
    one.protocol = 0;
    assert_filter(&one, "arp.dst.proto_ipv4 == 10.0.0.5 || arp.src.proto_ipv4 == 10.0.0.5");
    one.local.family = one.remote.family = 0;
    assert_filter(&one, "frame.number == 7");
    one.frame = 0;
    assert_filter(&one, "");
}

static void
trouble_keeps_the_first_exemplars_in_order_of_time(void **state)
{
    (void)state;
    fc_profile *profile = fc_profile_new();
    for (int64_t i = 39; i >= 0; i--) {
        fc_exemplar one =
            exemplar(START + (i ^ 5) * SECOND, i % 2 == 0 ? "alert unknown_ca" : "alert bad_certificate");
        fc_profile_trouble(profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, &one);
    }
    const fc_trouble *trouble = &profile->troubles[FC_TROUBLE_TLS_ALERT_BY_LOCAL];
    assert_int_equal(trouble->count, 40);
    assert_int_equal(trouble->exemplar_count, FC_EXEMPLARS_MAX);
    for (int64_t i = 0; i < FC_EXEMPLARS_MAX; i++)
        assert_int_equal(trouble->exemplars[i].at_ns, START + i * SECOND);
    assert_int_equal(trouble->first_ns, START);
    assert_int_equal(trouble->last_ns, START + 39 * SECOND);
    assert_int_equal(fc_table_find(&trouble->details, "alert unknown_ca")->sum.count, 20);
    assert_int_equal(fc_table_find(&trouble->peers, "tcp 10.0.0.5:443")->sum.count, 40);
    fc_profile_free(profile);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sketch_quantiles_are_off_by_at_most_one_part_in_128),
        cmocka_unit_test(sketch_buckets_are_in_order_and_hold_their_middle),
        cmocka_unit_test(merged_sketches_are_the_sketch_of_all),
        cmocka_unit_test(empty_sketch_has_zero_for_everything),
        cmocka_unit_test(table_is_exact_while_there_are_fewer_keys_than_places),
        cmocka_unit_test(full_table_keeps_frequent_keys_within_its_bound_and_so_does_a_merged_one),
        cmocka_unit_test(table_does_not_depend_on_when_it_was_sorted),
        cmocka_unit_test(table_keys_are_made_printable_and_cut_between_characters),
        cmocka_unit_test(series_double_their_width_when_time_does_not_fit),
        cmocka_unit_test(series_grow_to_the_left),
        cmocka_unit_test(series_are_the_same_in_any_order_and_merged),
        cmocka_unit_test(series_take_any_time_at_all),
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(community_id_is_what_the_specification_says),
        cmocka_unit_test(endpoints_are_shown_with_protocol_and_port),
        cmocka_unit_test(display_filters_show_the_conversation),
        cmocka_unit_test(trouble_keeps_the_first_exemplars_in_order_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
