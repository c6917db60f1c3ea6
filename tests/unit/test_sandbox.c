/* The common list of the sandbox: what a library may do behind a program's back, and what nobody may. */
#include "common/base/mem.h"
#include "common/base/sandbox.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How a child ends that does `what` inside: its exit status, or 128 and the signal. */
static int
inside(void (*what)(void))
{
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || fc_sandbox_enter(NULL, 0, NULL, 0, NULL) != FC_OK)
            _exit(100);
        what();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
compare_bytes(const void *left, const void *right)
{
    return memcmp(left, right, 256);
}

static void
sort_much(void)
{
    uint8_t(*rows)[256] = fc_alloc_array(4096, sizeof *rows);
    for (unsigned i = 0; i < 4096; i++)
        rows[i][0] = (uint8_t)(i * 7);
    qsort(rows, 4096, sizeof *rows, compare_bytes);
    free(rows);
}

static void
take_and_give_memory(void)
{
    for (size_t size = 16; size < 64u << 20; size *= 3) {
        uint8_t *bytes = fc_alloc(size);
        bytes[size - 1] = 1;
        bytes = fc_grow_array(bytes, 2 * size, 1);
        free(bytes);
    }
}

static void
open_a_socket(void)
{
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void
run_a_program(void)
{
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void
fork_again(void)
{
    (void)!fork();
}

static pid_t parent;

static void
signal_the_parent(void)
{
    (void)!syscall(SYS_tgkill, parent, parent, 0);
}

static void
what_libraries_do_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(inside(sort_much), 0);
    assert_int_equal(inside(take_and_give_memory), 0);
    assert_int_equal(inside(abort), 128 + SIGABRT);
}

static void
what_nobody_needs_kills(void **state)
{
    (void)state;
    parent = getpid();
    assert_int_equal(inside(signal_the_parent), 128 + SIGSYS);
    assert_int_equal(inside(open_a_socket), 128 + SIGSYS);
    assert_int_equal(inside(run_a_program), 128 + SIGSYS);
    assert_int_equal(inside(fork_again), 128 + SIGSYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libraries_do_is_allowed),
        cmocka_unit_test(what_nobody_needs_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
