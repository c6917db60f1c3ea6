/* The sandbox of a worker: descriptors, limits, no new privileges, a list of system calls. */
#include "cli/worker_wire.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The sanitizers' run-time needs more than the program does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WORKER_SANITIZED 1
#endif
#endif

enum {
    MEMORY_MAX_MIB = 2048
}; /* what a job takes is far below: the analyzer's bound, 128 MiB of zstd's window */

static int
compare_fds(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return a < b ? -1 : a > b;
}

/* Closes every descriptor but those of the list. */
static fc_err
close_others(const int *fds, size_t count, int out, fc_fail *fail)
{
    int *keep = fc_alloc_array(count + 2, sizeof *keep);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            keep[kept++] = fds[i];
    keep[kept++] = out;
#ifdef WORKER_SANITIZED
    keep[kept++] = STDERR_FILENO; /* for what they have to say */
#endif
    qsort(keep, kept, sizeof *keep, compare_fds);
    unsigned from = 0;
    int failed = 0;
    for (size_t i = 0; i < kept && failed == 0; i++) {
        unsigned fd = (unsigned)keep[i];
        failed = fd > from ? close_range(from, fd - 1, 0) : 0;
        from = fd + 1;
    }
    if (failed == 0)
        failed = close_range(from, ~0u, 0);
    free(keep);
    return failed == 0 ? FC_OK : fc_fail_errno(fail, errno, "cannot close the descriptors");
}

static fc_err
set_limits(fc_fail *fail)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t limit;
    } limits[] = {
        {RLIMIT_CORE, 0}, /* it would hold packets */
        {RLIMIT_FSIZE, 0},
        {RLIMIT_NPROC, 0},
#ifndef WORKER_SANITIZED
        {RLIMIT_AS, (rlim_t)MEMORY_MAX_MIB << 20},
#endif
    };
    for (size_t i = 0; i < FC_COUNT(limits); i++) {
        const struct rlimit both = {limits[i].limit, limits[i].limit};
        if (setrlimit(limits[i].resource, &both) != 0)
            return fc_fail_errno(fail, errno, "cannot set a limit");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return fc_fail_errno(fail, errno, "cannot give up privileges");
    return FC_OK;
}

/* System calls without a condition: reading, memory, the end; the last ones are what glibc's allocator, its
 * qsort(3) and abort(3) need. */
static const int plain[] = {
    SCMP_SYS(read),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(fadvise64),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom),
#ifdef WORKER_SANITIZED
    SCMP_SYS(write),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(prctl),
    SCMP_SYS(readlink),
    SCMP_SYS(openat),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
#endif
};

/* clang sees that libseccomp's own macros leave a field out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static int
add_conditional(scmp_filter_ctx filter, int out)
{
    const scmp_datum_t pipe = (scmp_datum_t)out;
    const struct {
        uint32_t action;
        int call;
        struct scmp_arg_cmp arg;
    } rules[] = {
#ifndef WORKER_SANITIZED
        {SCMP_ACT_ALLOW, SCMP_SYS(write), SCMP_A0_32(SCMP_CMP_EQ, pipe)},
        {SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), SCMP_A0_32(SCMP_CMP_NE, pipe)},
        {SCMP_ACT_ALLOW, SCMP_SYS(mmap), SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_ACT_ALLOW, SCMP_SYS(mprotect), SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
#endif
        /* fstat(2) of newer glibc: no path, so no file but an open one. */
        {SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), SCMP_A3_32(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)},
    };
#ifdef WORKER_SANITIZED
    (void)pipe;
#endif
    int failed = 0;
    for (size_t i = 0; i < FC_COUNT(rules) && failed == 0; i++)
        failed = seccomp_rule_add_array(filter, rules[i].action, rules[i].call, 1, &rules[i].arg);
    return failed;
}
#pragma GCC diagnostic pop

fc_err
cli_worker_sandbox(const int *fds, size_t count, int out, fc_fail *fail)
{
    fc_err err = close_others(fds, count, out, fail);
    if (err == FC_OK)
        err = set_limits(fail);
    if (err != FC_OK)
        return err;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make a system call filter");
    int failed = 0;
    for (size_t i = 0; i < FC_COUNT(plain) && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
    if (failed == 0)
        failed = add_conditional(filter, out);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 ? FC_OK : fc_fail_errno(fail, -failed, "cannot enter the system call filter");
}
