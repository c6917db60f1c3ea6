/* The messages of every release that was: today's code reads them, writes them the same, and reads what a
 * later release may make of them. tests/wire/golden/<release>/: fields.txt (the listing) and a .bin for each
 * case. */
#include "golden.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/rpc/frame.h"
#include "common/rpc/rpc.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CASES_MAX = 256, FILE_MAX = 1 << 20 };

static golden_case cases[CASES_MAX];
static size_t case_count;

typedef struct release {
    char name[64];
    int dir_fd;
    fc_strings lines;
} release;

/* ---- the releases ---- */

static void
read_lines(release *r)
{
    fc_buf bytes = {0};
    fc_fail why = {0};
    if (fc_file_read(r->dir_fd, "fields.txt", FILE_MAX, &bytes, &why) != FC_OK)
        fail_msg("release %s: %s", r->name, why.text);
    fc_buf_append(&bytes, "", 1);
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)fc_buf_bytes(&bytes), "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        fc_strings_add(&r->lines, line);
    fc_buf_fini(&bytes);
}

static void
each_release(void (*visit)(const release *r))
{
    DIR *list = opendir(GOLDEN_DIR);
    size_t count = 0;
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        release r = {0};
        (void)snprintf(r.name, sizeof r.name, "%.63s", entry->d_name);
        r.dir_fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(r.dir_fd >= 0);
        read_lines(&r);
        assert_true(r.lines.count > 100);
        visit(&r);
        fc_strings_fini(&r.lines);
        close(r.dir_fd);
        count++;
    }
    closedir(list);
    assert_true(count >= 1);
}

/* False when that release did not have it. */
static bool
read_case(const release *r, const golden_case *which, fc_buf *ret_bytes)
{
    char name[GOLDEN_NAME_SIZE], file[GOLDEN_NAME_SIZE + 4];
    golden_name(which, name);
    (void)snprintf(file, sizeof file, "%s.bin", name);
    return fc_file_read(r->dir_fd, file, FILE_MAX, ret_bytes, NULL) == FC_OK;
}

static ProtobufCMessage *
unpack(const golden_case *which, const fc_buf *bytes)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(which->type, NULL, fc_buf_size(bytes), fc_buf_bytes(bytes));
    if (message == NULL)
        fail_msg("%s cannot be unpacked", which->type->short_name);
    return message;
}

static void
let_go(ProtobufCMessage *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

static void
assert_same(const release *r, const golden_case *which, const ProtobufCMessage *left,
            const ProtobufCMessage *right)
{
    char name[GOLDEN_NAME_SIZE];
    const char *field = golden_difference(left, right);
    golden_name(which, name);
    if (field != NULL)
        fail_msg("release %s: %s: %s has another value", r->name, name, field);
}

/* ---- sentences ---- */

static void
check_lines(const release *r)
{
    fc_strings today = {0};
    golden_list(&today);
    for (size_t i = 0; i < r->lines.count; i++)
        if (!fc_strings_have(&today, r->lines.items[i]))
            fail_msg(
                "release %s had \"%s\": numbers, names and types are never changed, taken away or used again",
                r->name, r->lines.items[i]);
    fc_strings_fini(&today);
}

static void
no_number_of_a_release_means_something_else_today(void **state)
{
    (void)state;
    each_release(check_lines);
}

static void
check_messages(const release *r)
{
    size_t found = 0;
    for (size_t i = 0; i < case_count; i++) {
        fc_buf bytes = {0}, again = {0}, made_again = {0};
        if (read_case(r, &cases[i], &bytes)) {
            ProtobufCMessage *kept = unpack(&cases[i], &bytes);
            ProtobufCMessage *made = golden_make(&cases[i], &r->lines);
            assert_int_equal(kept->n_unknown_fields, 0);
            assert_same(r, &cases[i], kept, made);
            golden_pack(kept, &again);
            golden_pack(made, &made_again);
            assert_int_equal(fc_buf_size(&again), fc_buf_size(&bytes));
            assert_memory_equal(fc_buf_bytes(&again), fc_buf_bytes(&bytes), fc_buf_size(&bytes));
            assert_int_equal(fc_buf_size(&made_again), fc_buf_size(&bytes));
            assert_memory_equal(fc_buf_bytes(&made_again), fc_buf_bytes(&bytes), fc_buf_size(&bytes));
            let_go(made);
            let_go(kept);
            found++;
        }
        fc_buf_fini(&bytes);
        fc_buf_fini(&again);
        fc_buf_fini(&made_again);
    }
    assert_true(found > 50);
}

static void
messages_of_a_release_are_read_and_written_the_same(void **state)
{
    (void)state;
    each_release(check_messages);
}

/* Every file belongs to a case of today: none was renamed or lost. */
static void
check_files(const release *r)
{
    DIR *list = fdopendir(dup(r->dir_fd));
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".bin") != 0)
            continue;
        bool found = false;
        for (size_t i = 0; i < case_count && !found; i++) {
            char name[GOLDEN_NAME_SIZE];
            golden_name(&cases[i], name);
            found = strlen(name) == length - 4 && strncmp(name, entry->d_name, length - 4) == 0;
        }
        if (!found)
            fail_msg("release %s had %s, and today there is no such message", r->name, entry->d_name);
    }
    closedir(list);
}

static void
no_message_of_a_release_is_gone(void **state)
{
    (void)state;
    each_release(check_files);
}

typedef size_t (*change)(ProtobufCMessage *message);

/* Made by a later release: with fields, or enum values, that we do not know. Nothing else of it is lost. */
static size_t
check_newer(const golden_case *which, const fc_strings *lines, change make_newer)
{
    const release today = {.name = "of tomorrow"};
    fc_buf bytes = {0}, again = {0};
    ProtobufCMessage *newer = golden_make(which, lines);
    size_t changes = make_newer(newer);
    golden_pack(newer, &bytes);
    ProtobufCMessage *read = unpack(which, &bytes);
    assert_int_equal(read->n_unknown_fields, newer->n_unknown_fields);
    assert_same(&today, which, read, newer);
    /* Who passes it on loses nothing either. */
    golden_pack(read, &again);
    assert_int_equal(fc_buf_size(&again), fc_buf_size(&bytes));
    let_go(read);
    let_go(newer);
    fc_buf_fini(&bytes);
    fc_buf_fini(&again);
    return changes;
}

static void
what_a_newer_message_has_beyond_is_no_harm(void **state)
{
    (void)state;
    static const change changes[] = {golden_add_fields, golden_new_values};
    fc_strings today = {0};
    golden_list(&today);
    for (size_t c = 0; c < FC_COUNT(changes); c++) {
        size_t made = 0;
        for (size_t i = 0; i < case_count; i++)
            made += check_newer(&cases[i], &today, changes[c]);
        assert_true(made > 20);
    }
    fc_strings_fini(&today);
}

static void
an_arm_that_we_do_not_know_is_no_arm(void **state)
{
    (void)state;
    static const uint8_t arm[] = {0xfa, 0x7f, 3, 'n', 'e', 'w'}; /* field 2047, of three bytes */
    size_t tried = 0;
    for (size_t i = 0; i < case_count; i++) {
        if (cases[i].arm == NULL)
            continue;
        ProtobufCMessage *read = protobuf_c_message_unpack(cases[i].type, NULL, sizeof arm, arm);
        assert_non_null(read);
        assert_int_equal(*(uint32_t *)(void *)((char *)read + cases[i].arm->quantifier_offset), 0);
        let_go(read);
        tried++;
    }
    assert_true(tried >= 8 + 3 + 7 + 2 + 3);
}

/* The arena of a connection is bounded by what came: honest messages of a later release have to fit. */
static void
a_newer_frame_fits_into_its_arena(void **state)
{
    (void)state;
    fc_strings today = {0};
    size_t frames = 0;
    golden_list(&today);
    for (size_t i = 0; i < case_count; i++) {
        ProtobufCMessage *frame = golden_make(&cases[i], &today);
        fc_rpc_decoder decoder = {0};
        fc_rpc_arena arena;
        Fcpb__Frame *read = NULL;
        if (cases[i].type == &fcpb__frame__descriptor) {
            (void)golden_add_fields(frame);
            fc_rpc_frame_put(&decoder.in, (const Fcpb__Frame *)frame);
            assert_int_equal(fc_rpc_decoder_next(&decoder, FC_RPC_FRAME_MAX, &arena, &read),
                             FC_RPC_DECODE_FRAME);
            assert_null(golden_difference(frame, &read->base));
            fc_rpc_arena_fini(&arena);
            frames++;
        }
        fc_rpc_decoder_fini(&decoder);
        let_go(frame);
    }
    assert_int_equal(frames, 8);
    fc_strings_fini(&today);
}

int
main(void)
{
    case_count = golden_cases(cases, CASES_MAX);
    if (case_count > CASES_MAX)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_number_of_a_release_means_something_else_today),
        cmocka_unit_test(messages_of_a_release_are_read_and_written_the_same),
        cmocka_unit_test(no_message_of_a_release_is_gone),
        cmocka_unit_test(what_a_newer_message_has_beyond_is_no_harm),
        cmocka_unit_test(an_arm_that_we_do_not_know_is_no_arm),
        cmocka_unit_test(a_newer_frame_fits_into_its_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
