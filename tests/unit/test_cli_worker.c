/* How long a process that reads captures may take. */
#include "cli/worker_wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
file_of(off_t bytes)
{
    int fd = memfd_create("capture", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    return fd;
}

static void
larger_files_may_take_longer_and_pipes_as_long_as_they_last(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int fds[] = {file_of(0), -1, file_of(10 * CLI_WORKER_CPU_BYTES_PER_S), file_of((off_t)1 << 40),
                       ends[0]};
    assert_int_equal(cli_worker_cpu_s(fds, 0), CLI_WORKER_CPU_FIRST_S);
    assert_int_equal(cli_worker_cpu_s(fds, 2), CLI_WORKER_CPU_FIRST_S);
    assert_int_equal(cli_worker_cpu_s(fds, 3), CLI_WORKER_CPU_FIRST_S + 10);
    assert_int_equal(cli_worker_cpu_s(fds, 4), CLI_WORKER_CPU_FIRST_S + 10 + (4 << 20));
    assert_true(cli_worker_cpu_s(fds, 5) == RLIM_INFINITY);
    for (size_t i = 0; i < 5; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    close(ends[1]);
}

__attribute__((noreturn)) static void
turn_in_circles(const int *fds, int out)
{
    fc_fail fail = {0};
    if (cli_worker_sandbox(fds, 1, out, &fail) != FC_OK || write(out, "!", 1) != 1)
        _exit(1);
    for (volatile unsigned turns = 0;; turns++)
        continue;
}

static void
a_worker_that_turns_in_circles_is_killed(void **state)
{
    (void)state;
    int ends[2], status = 0;
    char said;
    struct rlimit limit;
    const int fds[] = {file_of(10 * CLI_WORKER_CPU_BYTES_PER_S)};
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        turn_in_circles(fds, ends[1]);
    assert_true(pid > 0);
    assert_int_equal(read(ends[0], &said, 1), 1);
    assert_int_equal(prlimit(pid, RLIMIT_CPU, NULL, &limit), 0);
    assert_int_equal(limit.rlim_cur, CLI_WORKER_CPU_FIRST_S + 10);
    limit.rlim_cur = 1; /* a minute is too long for a test */
    assert_int_equal(prlimit(pid, RLIMIT_CPU, &limit, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGXCPU);
    close(fds[0]);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_files_may_take_longer_and_pipes_as_long_as_they_last),
        cmocka_unit_test(a_worker_that_turns_in_circles_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
