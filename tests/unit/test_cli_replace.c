/* A file that a user names is replaced whole, or stays as it was. */
#include "cli/replace.h"
#include "common/base/mem.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static fc_err
put(const char *path, const char *text, fc_fail *fail)
{
    fc_buf bytes = {0};
    fc_buf_append(&bytes, text, strlen(text));
    memset(fail, 0, sizeof *fail);
    fc_err err = cli_replace_file("--html", path, &bytes, fail);
    fc_buf_fini(&bytes);
    return err;
}

static void
assert_has(const char *path, const char *text)
{
    char found[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, found, sizeof found - 1), (ssize_t)strlen(text));
    assert_string_equal(found, text);
    close(fd);
}

static mode_t
mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode;
}

static void
a_new_file_has_what_the_umask_leaves_and_an_old_one_keeps_its_permissions(void **state)
{
    (void)state;
    fc_fail fail;
    mode_t mask = umask(027);
    assert_int_equal(put("page.html", "first", &fail), FC_OK);
    assert_int_equal(mode_of("page.html"), S_IFREG | 0640);
    assert_int_equal(chmod("page.html", 0604), 0);
    assert_int_equal(put("./page.html", "second", &fail), FC_OK);
    assert_int_equal(mode_of("page.html"), S_IFREG | 0604);
    assert_has("page.html", "second");
    assert_int_equal(access("page.html.tmp", F_OK), -1);
    (void)umask(mask);
}

static void
a_failure_leaves_the_old_file_whole_and_says_so(void **state)
{
    (void)state;
    fc_fail fail;
    struct rlimit before;
    assert_int_equal(put("page.html", "the old page", &fail), FC_OK);
    /* The disk takes no more than four bytes of it. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    const struct rlimit four = {4, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &four), 0);
    fc_err err = put("page.html", "the new page", &fail);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_not_equal(err, FC_OK);
    assert_has("page.html", "the old page");
    assert_non_null(strstr(fail.text, "--html page.html: "));
    assert_non_null(strstr(fail.text, "the old one stays as it was"));
    assert_int_equal(access("page.html.tmp", F_OK), -1);
    /* Nothing can be made beside it. */
    assert_int_equal(mkdir("page.html.tmp", 0700), 0);
    assert_int_not_equal(put("page.html", "the new page", &fail), FC_OK);
    assert_has("page.html", "the old page");
}

static void
what_cannot_be_written_is_named(void **state)
{
    (void)state;
    fc_fail fail;
    assert_int_equal(put("no/where.html", "x", &fail), FC_ERR_NOT_FOUND);
    assert_non_null(strstr(fail.text, "--html no/where.html: "));
    assert_null(strstr(fail.text, "the old one"));
    assert_int_equal(put("/dev/full", "x", &fail), FC_ERR_NO_SPACE);
    assert_int_equal(mkdir("directory", 0700), 0);
    assert_int_not_equal(put("directory", "x", &fail), FC_OK);
}

static void
a_link_stays_a_link_and_a_pipe_a_pipe(void **state)
{
    (void)state;
    fc_fail fail;
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    assert_int_equal(put("elsewhere/page.html", "first", &fail), FC_OK);
    assert_int_equal(symlink("elsewhere/page.html", "link.html"), 0);
    assert_int_equal(put("link.html", "second", &fail), FC_OK);
    assert_true(S_ISLNK(mode_of("link.html")));
    assert_has("elsewhere/page.html", "second");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    int fd = open("pipe", O_RDWR | O_CLOEXEC);
    char found[8] = "";
    assert_true(fd >= 0);
    assert_int_equal(put("pipe", "third", &fail), FC_OK);
    assert_int_equal(read(fd, found, sizeof found - 1), 5);
    assert_string_equal(found, "third");
    close(fd);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, temp_dir_enter, temp_dir_leave)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_new_file_has_what_the_umask_leaves_and_an_old_one_keeps_its_permissions),
        IN_DIRECTORY(a_failure_leaves_the_old_file_whole_and_says_so),
        IN_DIRECTORY(what_cannot_be_written_is_named),
        IN_DIRECTORY(a_link_stays_a_link_and_a_pipe_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
