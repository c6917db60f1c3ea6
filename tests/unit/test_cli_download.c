/* Downloaded files: names from hostile peers, resuming, verifying, the manifest. */
#include "cli/download.h"
#include "cli/manifest.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "web-1_02_45_37_0001.pcapng"

/* SHA-256 of "abc" (FIPS 180-2, appendix B.1). */
static const char abc_hash[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

typedef struct place {
    char path[TEMP_DIR_BYTES];
    int fd;
} place;

static int
make_place(void **state)
{
    place *p = FC_NEW(place);
    temp_dir_make(p->path);
    p->fd = open(p->path, O_DIRECTORY | O_RDONLY);
    *state = p;
    return 0;
}

static int
remove_place(void **state)
{
    place *p = *state;
    static const char *const names[] = {NAME, NAME ".part", "target"};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (unlinkat(p->fd, names[i], 0) != 0)
            (void)unlinkat(p->fd, names[i], AT_REMOVEDIR);
    close(p->fd);
    int status = rmdir(p->path); /* nothing else is left there */
    free(p);
    return status;
}

static fc_segment
abc_segment(void)
{
    fc_segment segment = {.sequence = 1, .size_bytes = 3, .sealed = true, .hashed = true};
    assert_int_equal(fc_hex_parse(abc_hash, segment.sha256, 32), FC_OK);
    return segment;
}

static void
put(const place *p, const char *name, const char *text)
{
    assert_int_equal(fc_file_write_atomic(p->fd, name, text, strlen(text), 0600, NULL), FC_OK);
}

static void
has(const place *p, const char *name, const char *text)
{
    fc_buf got = {0};
    assert_int_equal(fc_file_read(p->fd, name, 100, &got, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&got), text);
    fc_buf_fini(&got);
}

static bool
there(const place *p, const char *name)
{
    return faccessat(p->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
only_plain_pcapng_names_are_used(void **state)
{
    (void)state;
    assert_true(cli_local_name_check(NAME));
    assert_string_equal(cli_local_name("2026/11/21/dns-01b4c177/" NAME), NAME);
    static const char *const bad[] = {
        "",           ".pcapng",         "..pcapng",  "x.pcap",        "../x.pcapng",
        "a/b.pcapng", "-x.pcapng",       "x.pcapng/", "manifest.json", "x y.pcapng",
        "x\n.pcapng", "\xc3\xa4.pcapng", "~.pcapng",  "x.pcapng.part", "x\\y.pcapng",
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_false(cli_local_name_check(bad[i]));
    char longest[CLI_LOCAL_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest);
    (void)strcpy(longest + CLI_LOCAL_NAME_MAX + 1 - 7, ".pcapng");
    assert_false(cli_local_name_check(longest));
    assert_true(cli_local_name_check(longest + 1));
    assert_null(cli_local_name("a/.."));
    assert_null(cli_local_name("a/"));
}

static void
add_file(cli_files *files, const char *id, uint32_t sequence, const char *path)
{
    files->items = fc_grow_array(files->items, files->count + 1, sizeof *files->items);
    cli_file *file = &files->items[files->count++];
    memset(file, 0, sizeof *file);
    (void)strcpy(file->instance_id, id);
    (void)strcpy(file->instance_name, id);
    (void)strcpy(file->segment.path, path);
    file->segment.sequence = sequence;
    file->segment.sealed = true;
    file->online = true;
}

static void
no_instance_takes_the_file_name_of_another(void **state)
{
    (void)state;
    cli_files files = {0};
    add_file(&files, "web-2", 1, "d/same.pcapng");
    add_file(&files, "web-1", 1, "d/same.pcapng");
    add_file(&files, "web-2", 2, "d/same.pcapng");
    add_file(&files, "web-3", 1, "d/..");
    add_file(&files, "web-4", 1, "d/open.pcapng");
    files.items[4].segment.sealed = false;
    cli_download download = {0};
    cli_download_plan(&files, &download);
    assert_int_equal(download.count, 4);
    assert_string_equal(download.fetches[0].local, "same.pcapng");
    assert_string_equal(download.fetches[0].file->instance_id, "web-1");
    assert_string_equal(download.fetches[1].local, "web-2.same.pcapng");
    assert_null(download.fetches[2].local);
    assert_int_equal(download.fetches[2].state, CLI_FETCH_FAILED);
    assert_int_equal(download.fetches[3].state, CLI_FETCH_FAILED);
    assert_non_null(strstr(download.fetches[3].why.text, "d/.."));
    cli_download_fini(&download);
    cli_files_fini(&files);
}

static void
a_file_is_written_verified_and_renamed(void **state)
{
    const place *p = *state;
    fc_segment segment = abc_segment();
    cli_landing landing;
    uint8_t sha256[32];
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_OK);
    assert_int_equal(landing.size, 0);
    assert_int_equal(cli_landing_write(&landing, "a", 1, NULL), FC_OK);
    assert_int_equal(cli_landing_write(&landing, "bc", 2, NULL), FC_OK);
    assert_false(there(p, NAME));
    assert_int_equal(cli_landing_finish(&landing, &segment, sha256, NULL), FC_OK);
    assert_memory_equal(sha256, segment.sha256, 32);
    cli_landing_close(&landing);
    has(p, NAME, "abc");
    assert_false(there(p, NAME ".part"));
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_OK);
    assert_true(landing.complete);
    cli_landing_close(&landing);
}

static void
a_part_is_gone_on_with_and_so_is_a_file_cut_short(void **state)
{
    const place *p = *state;
    static const char *const names[] = {NAME ".part", NAME};
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        fc_segment segment = abc_segment();
        cli_landing landing;
        uint8_t sha256[32];
        (void)unlinkat(p->fd, NAME, 0);
        put(p, names[i], "ab");
        assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_OK);
        assert_true(landing.resumed);
        assert_int_equal(landing.size, 2);
        assert_int_equal(cli_landing_write(&landing, "c", 1, NULL), FC_OK);
        assert_int_equal(cli_landing_finish(&landing, &segment, sha256, NULL), FC_OK);
        cli_landing_close(&landing);
        has(p, NAME, "abc");
    }
}

static void
bytes_that_are_not_the_instances_are_refused(void **state)
{
    const place *p = *state;
    fc_segment segment = abc_segment();
    fc_fail fail = {0};
    cli_landing landing;
    uint8_t sha256[32];
    put(p, NAME ".part", "xx");
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_OK);
    assert_int_equal(cli_landing_finish(&landing, &segment, sha256, &fail), FC_ERR_CORRUPT);
    assert_int_equal(cli_landing_restart(&landing, NULL), FC_OK);
    assert_int_equal(cli_landing_write(&landing, "xbc", 3, NULL), FC_OK);
    assert_int_equal(cli_landing_finish(&landing, &segment, sha256, &fail), FC_ERR_CORRUPT);
    assert_non_null(strstr(fail.text, NAME));
    assert_int_equal(cli_landing_restart(&landing, NULL), FC_OK);
    assert_int_equal(cli_landing_write(&landing, "abc", 3, NULL), FC_OK);
    assert_int_equal(cli_landing_finish(&landing, &segment, sha256, &fail), FC_OK);
    cli_landing_close(&landing);
    has(p, NAME, "abc");
}

static void
nothing_is_written_through_a_symbolic_link(void **state)
{
    const place *p = *state;
    fc_segment segment = abc_segment();
    fc_fail fail = {0};
    cli_landing landing;
    uint8_t sha256[32];
    put(p, "target", "mine");
    assert_int_equal(symlinkat("target", p->fd, NAME ".part"), 0);
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "symbolic link"));
    assert_int_equal(unlinkat(p->fd, NAME ".part", 0), 0);
    assert_int_equal(symlinkat("target", p->fd, NAME), 0);
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, &fail), FC_OK);
    assert_int_equal(cli_landing_write(&landing, "abc", 3, NULL), FC_OK);
    assert_int_equal(cli_landing_finish(&landing, &segment, sha256, NULL), FC_OK);
    cli_landing_close(&landing);
    has(p, "target", "mine");
    has(p, NAME, "abc");
    assert_int_equal(cli_landing_open(p->fd, "../x.pcapng", &segment, &landing, &fail), FC_ERR_DENIED);
}

static void
a_directory_or_a_pipe_in_the_way_is_refused(void **state)
{
    const place *p = *state;
    fc_segment segment = abc_segment();
    cli_landing landing;
    assert_int_equal(mkdirat(p->fd, NAME, 0700), 0);
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_ERR_EXISTS);
    assert_int_equal(unlinkat(p->fd, NAME, AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(p->fd, NAME ".part", 0600), 0);
    assert_int_equal(cli_landing_open(p->fd, NAME, &segment, &landing, NULL), FC_ERR_EXISTS);
}

static void
the_manifest_says_what_is_there_and_what_is_missing(void **state)
{
    (void)state;
    cli_files files = {0};
    add_file(&files, "web-1", 1, "d/" NAME);
    add_file(&files, "web-2", 1, "d/web-2.pcapng");
    for (size_t i = 0; i < files.count; i++)
        files.items[i].path = fc_strdup("/var/captures/x");
    files.items[0].segment.hashed = true;
    cli_capture capture = {0};
    (void)strcpy(capture.name, "dns");
    fc_status status = {.state = FC_STATE_STOPPED, .instance_id = "web-1", .instance_name = "web-1"};
    cli_statuses statuses = {.items = &status, .count = 1};
    cli_manifest_file entries[] = {
        {&files.items[0], NAME, true, true, NULL},
        {&files.items[1], "web-2.pcapng", true, true, NULL},
    };
    cli_manifest manifest = {"acme",  {1500000000000000000}, &capture, &statuses, NULL,
                             entries, FC_COUNT(entries)};
    json_t *tree = cli_manifest_json(&manifest);
    assert_true(json_is_true(json_object_get(tree, "complete")));
    assert_int_equal(json_array_size(json_object_get(tree, "files")), 2);
    const json_t *first = json_array_get(json_object_get(tree, "files"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "file")), NAME);
    assert_string_equal(json_string_value(json_object_get(first, "path")), "/var/captures/x");
    assert_int_equal(json_string_length(json_object_get(first, "sha256")), 64);
    json_decref(tree);

    entries[1] = (cli_manifest_file){&files.items[1], NULL, false, false, "web-2 is offline"};
    tree = cli_manifest_json(&manifest);
    assert_true(json_is_false(json_object_get(tree, "complete")));
    assert_int_equal(json_array_size(json_object_get(tree, "files")), 1);
    const json_t *missing = json_array_get(json_object_get(tree, "missing"), 0);
    assert_string_equal(json_string_value(json_object_get(missing, "problem")), "web-2 is offline");
    assert_null(json_object_get(missing, "file"));
    json_decref(tree);

    entries[1] = entries[0];
    status.state = FC_STATE_RUNNING;
    tree = cli_manifest_json(&manifest);
    assert_true(json_is_false(json_object_get(tree, "complete")));
    json_decref(tree);
    cli_files_fini(&files);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_pcapng_names_are_used),
        cmocka_unit_test(no_instance_takes_the_file_name_of_another),
        WITH_PLACE(a_file_is_written_verified_and_renamed),
        WITH_PLACE(a_part_is_gone_on_with_and_so_is_a_file_cut_short),
        WITH_PLACE(bytes_that_are_not_the_instances_are_refused),
        WITH_PLACE(nothing_is_written_through_a_symbolic_link),
        WITH_PLACE(a_directory_or_a_pipe_in_the_way_is_refused),
        cmocka_unit_test(the_manifest_says_what_is_there_and_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
