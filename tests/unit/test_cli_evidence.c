/* Evidence: who is meant by --healthy and --suspect, names that are there twice, files of every kind; and
 * prose. */
#include "cli/evidence.h"
#include "cli/prose.h"
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"
#include "common/profile/profile.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
write_bytes(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* A segment as fleetcap-capture writes it (comment) or a file of another program (NULL), of `packets` packets
 * that are no IP. */
static void
write_capture(const char *path, const char *comment, unsigned packets, int64_t first_ns)
{
    static const uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    fc_buf out = {0};
    fc_pcapng_put_section(&out, &(fc_pcapng_section){.comment = comment});
    fc_pcapng_put_interface(&out, &(fc_pcapng_interface){.name = "eth0", .link_type = 1, .comment = comment});
    for (unsigned i = 0; i < packets; i++) {
        uint8_t *at = fc_buf_reserve(&out, fc_pcapng_packet_size(sizeof frame));
        fc_buf_commit(&out, fc_pcapng_put_packet(at, 0, first_ns + i, frame, sizeof frame, sizeof frame,
                                                 FC_DIRECTION_INBOUND));
    }
    write_bytes(path, fc_buf_bytes(&out), fc_buf_size(&out));
    fc_buf_fini(&out);
}

static fc_err
gather(const char *const *paths, size_t count, cli_evidence_set *ret, fc_fail *fail)
{
    fc_strings list = {0};
    const cli_worker_wish wish = {0};
    for (size_t i = 0; i < count; i++)
        fc_strings_add(&list, paths[i]);
    memset(ret, 0, sizeof *ret);
    memset(fail, 0, sizeof *fail);
    fc_err err = cli_evidence_files(&list, &wish, ret, fail);
    fc_strings_fini(&list);
    return err;
}

static uint64_t
packets_of(const cli_evidence_item *item)
{
    fc_profile *profile = cli_evidence_profile(item);
    assert_non_null(profile);
    uint64_t packets = profile->counters[FC_COUNTER_PACKETS_IN];
    fc_profile_free(profile);
    return packets;
}

/* ---- files ---- */

static const char *const first_identity = "fleetcap capture dns-1 (00112233445566778899aabbccddeeff), "
                                          "instance web-1 (node-1), scale set web, region eu";
static const char *const second_identity = "fleetcap capture dns-1 (00112233445566778899aabbccddeeff), "
                                           "instance web-2 (node-2), scale set web, region us";

static void
segments_of_one_instance_become_one_item_in_their_order(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    write_capture("b.pcapng", first_identity, 3, 1764000000000000000);
    write_capture("a.pcapng", first_identity, 4, 1764000009000000000);
    write_capture("c.pcapng", second_identity, 5, 1764000000000000000);
    write_capture("other.pcapng", NULL, 6, 1764000000000000000);
    const char *paths[] = {"."};
    assert_int_equal(gather(paths, 1, &evidence, &fail), FC_OK);
    assert_int_equal(evidence.count, 3);
    assert_string_equal(evidence.items[0].name, "other");
    assert_string_equal(evidence.items[1].name, "web-1");
    assert_string_equal(evidence.items[1].id, "node-1");
    assert_string_equal(evidence.items[1].region, "eu");
    assert_string_equal(evidence.items[2].name, "web-2");
    assert_int_equal(packets_of(&evidence.items[0]), 6);
    assert_int_equal(packets_of(&evidence.items[1]), 7);
    assert_int_equal(packets_of(&evidence.items[2]), 5);
    fc_profile *profile = cli_evidence_profile(&evidence.items[1]);
    assert_int_equal(profile->subject.file_count, 2);
    assert_string_equal(profile->subject.files[0], "b.pcapng");
    assert_string_equal(profile->subject.files[1], "a.pcapng");
    fc_profile_free(profile);
    assert_int_equal(evidence.file_count, 4);
    assert_true(evidence.files[0].size_bytes > 0);
    cli_evidence_fini(&evidence);
}

static void
an_instance_may_have_more_files_than_the_soft_limit_of_open_ones(void **state)
{
    (void)state;
    enum { FILES = 100 };
    cli_evidence_set evidence;
    fc_fail fail;
    struct rlimit limit;
    for (unsigned i = 0; i < FILES; i++) {
        char *path = fc_sprintf("%u.pcapng", i);
        write_capture(path, first_identity, 2, 1764000000000000000 + i);
        free(path);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_max > 2 * FILES); /* else there is nothing to raise */
    const struct rlimit tight = {FILES / 2, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const char *paths[] = {"."};
    assert_int_equal(gather(paths, 1, &evidence, &fail), FC_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(evidence.failed_count, 0);
    assert_int_equal(evidence.count, 1);
    assert_int_equal(packets_of(&evidence.items[0]), 2 * FILES);
    cli_evidence_fini(&evidence);
}

static void
a_file_that_cannot_be_read_does_not_cost_the_others(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    write_capture("good.pcapng", NULL, 3, 1764000000000000000);
    write_bytes("bad.pcap", "nothing that is a capture", 25);
    const char *paths[] = {"bad.pcap", "good.pcapng"};
    assert_int_equal(gather(paths, 2, &evidence, &fail), FC_OK);
    assert_int_equal(evidence.count, 1);
    assert_int_equal(evidence.failed_count, 1);
    assert_int_equal(cli_evidence_verdict(&evidence, &fail), FC_ERR_PARTIAL);
    assert_non_null(strstr(fail.text, "bad.pcap"));
    cli_evidence_fini(&evidence);
    assert_int_equal(gather(paths, 1, &evidence, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "bad.pcap"));
    cli_evidence_fini(&evidence);
    assert_int_equal(gather((const char *[]){"none"}, 1, &evidence, &fail), FC_ERR_NOT_FOUND);
    cli_evidence_fini(&evidence);
}

static void
a_saved_profile_is_evidence_and_a_broken_one_is_not(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    fc_buf file = {0};
    fc_profile *profile = fc_profile_new();
    (void)strcpy(profile->subject.instance_name, "db-1");
    profile->counters[FC_COUNTER_PACKETS_IN] = 77;
    fc_buf_append(&file, CLI_PROFILE_MAGIC, CLI_PROFILE_MAGIC_SIZE);
    fc_profile_pack(profile, &file);
    fc_profile_free(profile);
    write_bytes("db-1.fcprofile", fc_buf_bytes(&file), fc_buf_size(&file));
    write_bytes("cut.fcprofile", fc_buf_bytes(&file), fc_buf_size(&file) - 1);
    fc_buf_fini(&file);
    assert_int_equal(gather((const char *[]){"."}, 1, &evidence, &fail), FC_OK);
    assert_int_equal(evidence.count, 1);
    assert_string_equal(evidence.items[0].name, "db-1");
    assert_int_equal(packets_of(&evidence.items[0]), 77);
    assert_int_equal(evidence.failed_count, 1);
    assert_non_null(strstr(evidence.failed.text, "cut.fcprofile"));
    cli_evidence_fini(&evidence);
}

static void
a_file_that_was_cut_is_noted(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    write_capture("whole.pcapng", NULL, 9, 1764000000000000000);
    struct stat status;
    assert_int_equal(stat("whole.pcapng", &status), 0);
    assert_int_equal(truncate("whole.pcapng", status.st_size - 10), 0);
    assert_int_equal(gather((const char *[]){"whole.pcapng"}, 1, &evidence, &fail), FC_OK);
    assert_int_equal(packets_of(&evidence.items[0]), 8);
    assert_int_equal(evidence.notes.count, 1);
    assert_non_null(strstr(evidence.notes.items[0], "whole.pcapng"));
    cli_evidence_fini(&evidence);
}

static const char *const manifest = "{\"manifestVersion\": 1, \"capture\": {\"name\": \"dns-1\", \"uid\": "
                                    "\"00112233445566778899aabbccddeeff\","
                                    " \"compiledFilter\": \"udp\", \"definition\": {}, \"instances\": ["
                                    "{\"instanceId\": \"node-1\", \"instanceName\": \"web-1\", \"state\": "
                                    "\"STOPPED\", \"stopReason\": \"TIME_LIMIT\","
                                    " \"clockOffsetNs\": -5, \"clockBoundNs\": 70},"
                                    "{\"instanceId\": \"node-2\", \"instanceName\": \"web-2\", \"state\": "
                                    "\"STOPPED\", \"stopReason\": \"DISK_FULL\"},"
                                    "{\"instanceId\": \"node-3\", \"instanceName\": \"web-3\", \"state\": "
                                    "\"FAILED\", \"error\": \"no such interface\"},"
                                    "{\"instanceId\": \"../etc\"}, 5]}, \"files\": [5, {\"file\": "
                                    "\"a.pcapng\", \"sizeInBytes\": %lld, \"verified\": true,"
                                    " \"sha256\": \"%064d\"}]}";

static void
a_manifest_beside_the_files_is_heeded(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    struct stat status;
    write_capture("a.pcapng", first_identity, 3, 1764000000000000000);
    write_capture("b.pcapng", second_identity, 3, 1764000000000000000);
    assert_int_equal(stat("a.pcapng", &status), 0);
    char *text = fc_sprintf(manifest, (long long)status.st_size, 7);
    write_bytes("manifest.json", text, strlen(text));
    free(text);
    assert_int_equal(gather((const char *[]){"."}, 1, &evidence, &fail), FC_OK);
    assert_int_equal(evidence.count, 3);
    assert_string_equal(evidence.capture_name, "dns-1");
    assert_string_equal(evidence.filter, "udp");
    assert_null(evidence.items[0].problem);
    assert_int_equal(evidence.items[0].clock_offset_ns, -5);
    assert_int_equal(evidence.items[0].clock_bound_ns, 70);
    assert_string_equal(evidence.items[1].problem, "STOPPED: disk full");
    assert_string_equal(evidence.items[2].name, "web-3");
    assert_string_equal(evidence.items[2].problem, "FAILED: no such interface");
    assert_null(cli_evidence_profile(&evidence.items[2]));
    assert_int_equal(evidence.file_count, 2);
    assert_string_equal(evidence.files[0].sha256,
                        "0000000000000000000000000000000000000000000000000000000000000007");
    assert_null(evidence.files[1].sha256);
    cli_evidence_fini(&evidence);
    write_bytes("manifest.json", "[{}]", 4);
    assert_int_equal(gather((const char *[]){"."}, 1, &evidence, &fail), FC_OK);
    assert_int_equal(evidence.count, 2);
    assert_non_null(strstr(evidence.notes.items[0], "manifest.json"));
    cli_evidence_fini(&evidence);
}

static void
a_damaged_capture_is_not_trusted(void **state)
{
    (void)state;
    cli_evidence_set evidence;
    fc_fail fail;
    write_capture("lies.pcapng", NULL, 9, 1764000000000000000);
    int fd = open("lies.pcapng", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "\6\0\0\0\7\0\0\0", 8), 8);
    close(fd);
    assert_int_equal(gather((const char *[]){"lies.pcapng"}, 1, &evidence, &fail), FC_OK);
    assert_int_equal(packets_of(&evidence.items[0]), 9);
    assert_non_null(strstr(evidence.items[0].problem, "lies.pcapng: byte"));
    assert_int_equal(evidence.failed_count, 1);
    cli_evidence_fini(&evidence);
}

/* ---- names ---- */

static void
put_item(cli_evidence_set *evidence, const char *name, const char *source, const char *capture)
{
    cli_evidence_item *item = cli_evidence_add(evidence);
    free(item->name);
    free(item->source);
    free(item->capture);
    item->name = fc_strdup(name);
    item->source = fc_strdup(source);
    item->capture = fc_strdup(capture);
}

static void
names_that_are_there_twice_are_made_different(void **state)
{
    (void)state;
    cli_evidence_set evidence = {0};
    put_item(&evidence, "web-10", "x/a", "");
    put_item(&evidence, "web-2", "x/b", "");
    put_item(&evidence, "db", "before/db.pcap", "");
    put_item(&evidence, "db", "after/db.pcap", "");
    put_item(&evidence, "app", "p", "morning");
    put_item(&evidence, "app", "q", "evening");
    put_item(&evidence, "lb", "l.pcap", "");
    put_item(&evidence, "lb", "m.pcap", "");
    cli_evidence_add_file(&evidence, 0, "of web-10");
    cli_evidence_settle(&evidence);
    static const char *const names[] = {"app (morning)", "app (evening)", "before/db", "after/db",
                                        "lb#1",          "lb#2",          "web-2",     "web-10"};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        assert_string_equal(evidence.items[i].name, names[i]);
    assert_int_equal(evidence.files[0].item, 7);
    cli_evidence_fini(&evidence);
}

/* ---- cohorts ---- */

/* The cohorts of web-1 to web-12 and db, as letters: h, s, or -. */
static fc_err
cohorts(const char *healthy, const char *suspect, bool labels, char ret_letters[14], fc_fail *fail)
{
    cli_evidence_set evidence = {.with_labels = labels};
    fc_strings healthy_list = {0}, suspect_list = {0};
    memset(fail, 0, sizeof *fail);
    for (unsigned i = 1; i <= 12; i++) {
        char *name = fc_sprintf("web-%u", i);
        put_item(&evidence, name, "", "");
        fc_labels_set(&evidence.items[i - 1].labels, "role", i > 10 ? "canary" : "web");
        free(name);
    }
    put_item(&evidence, "db", "", "");
    if (healthy != NULL)
        fc_strings_add(&healthy_list, healthy);
    if (suspect != NULL)
        fc_strings_add(&suspect_list, suspect);
    fc_err err = cli_evidence_cohorts(&evidence, &healthy_list, &suspect_list, fail);
    for (size_t i = 0; i < evidence.count; i++)
        ret_letters[i] = "-hs"[evidence.items[i].cohort];
    ret_letters[evidence.count] = '\0';
    fc_strings_fini(&healthy_list);
    fc_strings_fini(&suspect_list);
    cli_evidence_fini(&evidence);
    return err;
}

static void
cohorts_are_names_folded_names_patterns_and_labels(void **state)
{
    (void)state;
    static const struct {
        const char *healthy, *suspect, *letters;
    } cases[] = {
        {NULL, NULL, "-------------"},
        {NULL, "web-4", "---s---------"},
        {"web-[1-3],db", "web-4", "hhhs--------h"},
        {"web-[1-2,5,11-12]", NULL, "hh--h-----hh-"},
        {"web-?", "db", "hhhhhhhhh---s"},
        {"web-*", NULL, "hhhhhhhhhhhh-"},
        {"role=web", "role=canary", "hhhhhhhhhhss-"},
        {NULL, "role notin (web),role", "----------ss-"},
    };
    char letters[14];
    fc_fail fail;
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        assert_int_equal(cohorts(cases[i].healthy, cases[i].suspect, true, letters, &fail), FC_OK);
        assert_string_equal(letters, cases[i].letters);
    }
}

static void
cohorts_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *healthy, *suspect;
        bool labels;
        fc_err err;
        const char *words;
    } cases[] = {
        {NULL, "web-99", true, FC_ERR_NOT_FOUND, "web-99"},
        {"web-[13-20]", NULL, true, FC_ERR_NOT_FOUND, "web-[1-12]"},
        {"web-[3-1]", NULL, true, FC_ERR_NOT_FOUND, "web-[3-1]"},
        {"web-[1;2]", NULL, true, FC_ERR_NOT_FOUND, "web-[1;2]"},
        {"web-[", NULL, true, FC_ERR_NOT_FOUND, "web-["},
        {"web-[99999999999999999999]", NULL, true, FC_ERR_NOT_FOUND, "--healthy"},
        {"web-[1-5]", "web-5", true, FC_ERR_INVALID, "web-5"},
        {",,", NULL, true, FC_ERR_INVALID, "empty"},
        {"role=web", NULL, false, FC_ERR_INVALID, "labels"},
        {"role=nobody", NULL, true, FC_ERR_NOT_FOUND, "role=nobody"},
        {"role in (web", NULL, true, FC_ERR_INVALID, "--healthy"},
    };
    char letters[14];
    fc_fail fail;
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        assert_int_equal(cohorts(cases[i].healthy, cases[i].suspect, cases[i].labels, letters, &fail),
                         cases[i].err);
        assert_non_null(strstr(fail.text, cases[i].words));
    }
}

/* ---- prose ---- */

static void
prose_is_wrapped_coloured_and_safe(void **state)
{
    (void)state;
    fc_buf text = {0};
    cli_out out = {.width = 40, .color = true};
    cli_prose(&text, &out, 2, 4, "red", "%s", "one two three four five six seven eight nine\033[2J ten");
    assert_string_equal(fc_buf_text(&text),
                        "  \033[31mone two three four five six seven\n    eight nine?[2J ten\033[0m\n");
    fc_buf_clear(&text);
    out = (cli_out){0};
    cli_prose(&text, &out, 0, 4, "red", "%s",
              "one two three four five six seven eight nine ten eleven twelve");
    cli_prose_labelled(&text, &out, 2, "label", 8, "value");
    cli_prose_line(&text, &out, 1, NULL, "a\tb");
    assert_string_equal(
        fc_buf_text(&text),
        "one two three four five six seven eight nine ten eleven twelve\n  label   value\n a?b\n");
    fc_buf_fini(&text);
}

static void
quantities_read_well(void **state)
{
    (void)state;
    char text[CLI_MOMENT_TEXT];
    assert_string_equal(cli_duration_text(0, text), "0 ns");
    assert_string_equal(cli_duration_text(850, text), "850 ns");
    assert_string_equal(cli_duration_text(45230, text), "45.2 µs");
    assert_string_equal(cli_duration_text(1234567, text), "1.23 ms");
    assert_string_equal(cli_duration_text(123456789, text), "123 ms");
    assert_string_equal(cli_duration_text(5000000000, text), "5.00 s");
    assert_string_equal(cli_share_text(0, 0, text), "-");
    assert_string_equal(cli_share_text(20, 20, text), "100 %");
    assert_string_equal(cli_share_text(1, 5000, text), "0.02 %");
    assert_string_equal(cli_moment_text(0, 0, text), "-");
    assert_string_equal(cli_moment_text(1764000000123456789, 0, text), "2025-11-24 16:00:00.123");
    assert_string_equal(cli_moment_text(1764000000123456789, 1764000001000000000, text), "16:00:00.123");
    assert_string_equal(cli_moment_text(1764000000123456789, 1763000000000000000, text),
                        "2025-11-24 16:00:00.123");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments_of_one_instance_become_one_item_in_their_order,
                                        temp_dir_enter, temp_dir_leave),
        cmocka_unit_test_setup_teardown(an_instance_may_have_more_files_than_the_soft_limit_of_open_ones,
                                        temp_dir_enter, temp_dir_leave),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_does_not_cost_the_others, temp_dir_enter,
                                        temp_dir_leave),
        cmocka_unit_test_setup_teardown(a_saved_profile_is_evidence_and_a_broken_one_is_not, temp_dir_enter,
                                        temp_dir_leave),
        cmocka_unit_test_setup_teardown(a_file_that_was_cut_is_noted, temp_dir_enter, temp_dir_leave),
        cmocka_unit_test_setup_teardown(a_manifest_beside_the_files_is_heeded, temp_dir_enter,
                                        temp_dir_leave),
        cmocka_unit_test_setup_teardown(a_damaged_capture_is_not_trusted, temp_dir_enter, temp_dir_leave),
        cmocka_unit_test(names_that_are_there_twice_are_made_different),
        cmocka_unit_test(cohorts_are_names_folded_names_patterns_and_labels),
        cmocka_unit_test(cohorts_that_cannot_be_are_refused),
        cmocka_unit_test(prose_is_wrapped_coloured_and_safe),
        cmocka_unit_test(quantities_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
