/* The grammars and containers of common/base. */
#include "common/base/config.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/base/principal.h"
#include "common/base/text.h"
#include "common/base/yaml.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
sizes_follow_their_suffix(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fc_err err;
        uint64_t bytes;
    } cases[] = {
        {"0", FC_OK, 0},
        {"100", FC_OK, 100},
        {"100MB", FC_OK, 100000000},
        {"100 MiB", FC_OK, 104857600},
        {"1gib", FC_OK, 1073741824},
        {"", FC_ERR_INVALID, 0},
        {"-1", FC_ERR_INVALID, 0},
        {"12x", FC_ERR_INVALID, 0},
        {"1.5GB", FC_ERR_INVALID, 0},
        {"18446744073709551615", FC_OK, UINT64_MAX},
        {"18446744073709551616", FC_ERR_RANGE, 0},
        {"99999999999TiB", FC_ERR_RANGE, 0},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        uint64_t bytes = 0;
        assert_int_equal(fc_size_parse(cases[i].text, &bytes), cases[i].err);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void
names_never_leave_their_directory(void **state)
{
    (void)state;
    assert_true(fc_name_check("web-1"));
    assert_true(fc_name_check("a"));
    static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "a b", "-x", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_false(fc_name_check(bad[i]));
    char longest[FC_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(fc_name_check(longest));
    longest[FC_NAME_MAX] = '\0';
    assert_true(fc_name_check(longest));
}

static void
principals_are_parsed_strictly(void **state)
{
    (void)state;
    fc_principal p = {0};
    assert_int_equal(fc_principal_parse("spiffe://acme/node/web-1", &p), FC_OK);
    assert_int_equal(p.role, FC_ROLE_NODE);
    assert_string_equal(p.fleet, "acme");
    assert_string_equal(p.name, "web-1");
    static const char *const bad[] = {
        "spiffe://acme/node/",     "spiffe://acme/node",       "spiffe:///node/x",
        "http://acme/node/x",      "spiffe://acme/root/x",     "spiffe://acme/node/x/y",
        "spiffe://acme/node/../x", "spiffe://acme/node/x?y=z",
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(fc_principal_parse(bad[i], &p), FC_ERR_INVALID);
}

static void
yaml_and_json_give_the_same_tree(void **state)
{
    (void)state;
    static const char yaml[] = "name: dns\nlimit: 5\nwide: true\nport: \"53\"\nlist: [a, b]\n";
    static const char json[] =
        "{\"name\":\"dns\",\"limit\":5,\"wide\":true,\"port\":\"53\",\"list\":[\"a\",\"b\"]}";
    json_t *a = NULL, *b = NULL;
    assert_int_equal(fc_yaml_parse(yaml, strlen(yaml), &a, NULL), FC_OK);
    assert_int_equal(fc_yaml_parse(json, strlen(json), &b, NULL), FC_OK);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void
durations_are_told_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0s"},      {200, "200ms"},  {1500, "1500ms"}, {15000, "15s"},     {90000, "90s"},
                 {300000, "5m"}, {7200000, "2h"}, {86400000, "1d"}, {7776000000, "90d"}};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        char text[FC_DURATION_TEXT];
        uint64_t ms;
        assert_string_equal(fc_duration_text(cases[i].ms, text), cases[i].text);
        assert_int_equal(fc_duration_parse(text, &ms), FC_OK);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void
yaml_that_multiplies_itself_is_refused(void **state)
{
    (void)state;
    fc_buf text = {0};
    fc_buf_printf(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++)
        fc_buf_printf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    json_t *tree = NULL;
    fc_fail fail = {0};
    assert_int_equal(fc_yaml_parse(fc_buf_text(&text), fc_buf_size(&text), &tree, &fail), FC_ERR_INVALID);
    assert_null(tree);
    assert_non_null(strstr(fail.text, "too many values"));
    fc_buf_fini(&text);
}

typedef struct settings {
    char *listen;
    uint64_t lease_ms, life_ms, ring_bytes, count;
    bool strict;
} settings;
static const fc_config_key keys[] = {
    {.name = "listen", .kind = FC_CONFIG_STRING, .offset = offsetof(settings, listen), .required = true},
    {.name = "lease",
     .kind = FC_CONFIG_DURATION,
     .offset = offsetof(settings, lease_ms),
     .default_text = "5m",
     .min = 1000},
    {.name = "life",
     .kind = FC_CONFIG_DURATION,
     .offset = offsetof(settings, life_ms),
     .default_text = "72h",
     .min = 10000,
     .max = 7776000000},
    {.name = "ring",
     .kind = FC_CONFIG_SIZE,
     .offset = offsetof(settings, ring_bytes),
     .default_text = "64MiB",
     .min = 1 << 20,
     .max = 4ull << 30},
    {.name = "count",
     .kind = FC_CONFIG_U64,
     .offset = offsetof(settings, count),
     .default_text = "8",
     .min = 1,
     .max = 64},
    {.name = "strict", .kind = FC_CONFIG_BOOL, .offset = offsetof(settings, strict), .default_text = "false"},
};

static fc_err
configure(const char *text, settings *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    assert_int_equal(fc_yaml_parse(text, strlen(text), &tree, NULL), FC_OK);
    memset(ret, 0, sizeof *ret);
    fc_err err = fc_config_fill(keys, FC_COUNT(keys), tree, ret, fail);
    json_decref(tree);
    return err;
}

static void
times_are_exact_to_the_nanosecond(void **state)
{
    (void)state;
    char text[FC_TIME_TEXT_SIZE];
    const fc_wall wall = {1763693137123456789};
    assert_string_equal(fc_wall_exact_text(wall, text), "2025-11-21T02:45:37.123456789Z");
    assert_string_equal(fc_wall_text(wall, text), "2025-11-21T02:45:37.123Z");
    assert_string_equal(fc_wall_exact_text((fc_wall){INT64_MAX}, text), "2262-04-11T23:47:16.854775807Z");
    assert_string_equal(fc_wall_exact_text((fc_wall){0}, text), "-");
    assert_string_equal(fc_wall_exact_text((fc_wall){-1}, text), "-");
    assert_string_equal(fc_wall_text((fc_wall){-1}, text), "1969-12-31T23:59:59.999Z");
}

static void
json_holds_no_more_than_is_known(void **state)
{
    (void)state;
    char *const items[] = {(char *)"a", (char *)"\xff"};
    json_t *object = json_object();
    fc_json_set_text(object, "empty", "");
    fc_json_set_text(object, "none", NULL);
    fc_json_set_text(object, "noUtf8", "\xff");
    fc_json_set(object, "noTime", fc_json_time((fc_wall){0}));
    assert_int_equal(json_object_size(object), 0);
    fc_json_set(object, "time", fc_json_time((fc_wall){1}));
    fc_json_set(object, "number", fc_json_number(UINT64_MAX));
    fc_json_set(object, "texts", fc_json_texts(items, FC_COUNT(items)));
    fc_json_set_text(object, "text", "ä");
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"number\":9223372036854775807,\"text\":\"ä\",\"texts\":[\"a\",null],"
                              "\"time\":\"1970-01-01T00:00:00.000000001Z\"}");
    free(text);
    json_decref(object);
}

static void
configuration_names_the_key_it_refuses(void **state)
{
    (void)state;
    settings s;
    fc_fail fail = {0};
    assert_int_equal(configure("listen: 0.0.0.0:7443\nstrict: true\n", &s, &fail), FC_OK);
    assert_string_equal(s.listen, "0.0.0.0:7443");
    assert_int_equal(s.lease_ms, 300000);
    assert_true(s.strict);
    fc_config_fini(keys, FC_COUNT(keys), &s);
    static const char *const bad[] = {"lease: 5m", "listen: x\nlease: soon", "listen: x\nlease: 1ms",
                                      "listen: x\ncolour: red", "listen: [x]"};
    static const char *const named[] = {"listen", "lease", "lease", "colour", "listen"};
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        assert_int_not_equal(configure(bad[i], &s, &fail), FC_OK);
        assert_string_equal(fail.field, named[i]);
        fc_config_fini(keys, FC_COUNT(keys), &s);
    }
}

static void
configuration_names_its_bounds_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"listen: x\nlease: 10ms", "lease: '10ms' is not at least 1s"},
        {"listen: x\nlife: 91d", "life: '91d' is not between 10s and 90d"},
        {"listen: x\nring: 1", "ring: '1' is not between 1.0 MiB and 4.0 GiB"},
        {"listen: x\ncount: 65", "count: '65' is not between 1 and 64"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        settings s;
        fc_fail fail = {0};
        assert_int_equal(configure(cases[i].text, &s, &fail), FC_ERR_INVALID);
        assert_string_equal(fail.text, cases[i].said);
        fc_config_fini(keys, FC_COUNT(keys), &s);
    }
}

static void
paths_cannot_leave_the_directory(void **state)
{
    (void)state;
    char dir[TEMP_DIR_BYTES];
    temp_dir_make(dir);
    int dir_fd = open(dir, O_DIRECTORY | O_RDONLY);
    int fd = -1;
    assert_int_equal(fc_file_make_dirs(dir_fd, "a/b", &fd), FC_OK);
    close(fd);
    assert_int_equal(symlinkat("/etc", dir_fd, "link"), 0);
    assert_int_equal(fc_file_open_beneath(dir_fd, "../etc/passwd", O_RDONLY, 0, &fd), FC_ERR_DENIED);
    assert_int_equal(fc_file_open_beneath(dir_fd, "a/../../x", O_RDONLY, 0, &fd), FC_ERR_DENIED);
    assert_int_equal(fc_file_open_beneath(dir_fd, "link/passwd", O_RDONLY, 0, &fd), FC_ERR_DENIED);
    assert_int_equal(fc_file_write_atomic(dir_fd, "f", "abc", 3, 0600, NULL), FC_OK);
    fc_fail fail = {0};
    assert_int_equal(fc_file_write_atomic(dir_fd, "none/f", "abc", 3, 0600, &fail), FC_ERR_NOT_FOUND);
    char *said = fc_sprintf("cannot create %s/none/f.tmp: No such file or directory", dir);
    assert_string_equal(fail.text, said);
    free(said);
    fc_buf text = {0};
    assert_int_equal(fc_file_read(dir_fd, "f", 2, &text, NULL), FC_ERR_LIMIT);
    fc_buf_clear(&text);
    assert_int_equal(fc_file_read(dir_fd, "f", 3, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "abc");
    fc_buf_fini(&text);
    close(dir_fd);
    (void)temp_dir_remove(dir);
}

static int64_t fake_ns;
static fc_mono
fake_mono(const fc_clock *clock)
{
    (void)clock;
    return (fc_mono){fake_ns};
}
static fc_wall
fake_wall(const fc_clock *clock)
{
    (void)clock;
    return (fc_wall){fake_ns};
}

enum { TIMERS = 200 };
static int64_t fired[TIMERS];
static size_t fired_count;
static void
note_fired(fc_timer *timer)
{
    fired[fired_count++] = timer->due.ns;
}

static void
timers_fire_in_order_on_a_fake_clock(void **state)
{
    (void)state;
    static const fc_clock clock = {fake_mono, fake_wall};
    fake_ns = 0;
    fc_loop *loop = NULL;
    assert_int_equal(fc_loop_new(&clock, &loop), FC_OK);
    static fc_timer timers[TIMERS];
    for (int i = 0; i < TIMERS; i++) {
        timers[i].fire = note_fired;
        fc_loop_timer_set(loop, &timers[i], (fc_mono){(i * 7919) % 1009});
    }
    for (int i = 0; i < TIMERS; i += 3)
        fc_loop_timer_clear(loop, &timers[i]);
    fc_mono due;
    while (fc_loop_next_due(loop, &due)) {
        fake_ns = due.ns;
        assert_true(fc_loop_run_due(loop));
    }
    assert_int_equal(fired_count, TIMERS - (TIMERS + 2) / 3);
    for (size_t i = 1; i < fired_count; i++)
        assert_true(fired[i - 1] <= fired[i]);
    fc_loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_follow_their_suffix),
        cmocka_unit_test(names_never_leave_their_directory),
        cmocka_unit_test(principals_are_parsed_strictly),
        cmocka_unit_test(yaml_and_json_give_the_same_tree),
        cmocka_unit_test(yaml_that_multiplies_itself_is_refused),
        cmocka_unit_test(durations_are_told_as_they_are_written),
        cmocka_unit_test(times_are_exact_to_the_nanosecond),
        cmocka_unit_test(json_holds_no_more_than_is_known),
        cmocka_unit_test(configuration_names_the_key_it_refuses),
        cmocka_unit_test(configuration_names_its_bounds_with_their_units),
        cmocka_unit_test(paths_cannot_leave_the_directory),
        cmocka_unit_test(timers_fire_in_order_on_a_fake_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
