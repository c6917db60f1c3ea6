/* The sandbox of a worker: descriptors, limits, no new privileges, a list of system calls. */
#include "cli/worker_wire.h"

#include "common/base/mem.h"
#include "common/base/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a job takes is far below: the analyzer's bound, and 128 MiB of zstd's window. */
enum { MEMORY_MAX_MIB = 2048 };

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
#ifdef FC_SANDBOX_SANITIZED
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

rlim_t
cli_worker_cpu_s(const int *fds, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (fds[i] < 0)
            continue;
        if (fstat(fds[i], &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > UINT64_MAX / 2 - bytes)
            return RLIM_INFINITY;
        bytes += (uint64_t)st.st_size;
    }
    return CLI_WORKER_CPU_FIRST_S + bytes / CLI_WORKER_CPU_BYTES_PER_S;
}

/* A child that turns in circles over a file would never end, and its parent waits for it. */
static fc_err
set_deadline(const int *fds, size_t count, fc_fail *fail)
{
    struct rlimit limit;
    rlim_t most_s = cli_worker_cpu_s(fds, count);
    if (getrlimit(RLIMIT_CPU, &limit) != 0)
        return fc_fail_errno(fail, errno, "cannot ask for a limit");
    if (most_s == RLIM_INFINITY || limit.rlim_cur <= most_s)
        return FC_OK;
    limit.rlim_cur = most_s; /* SIGXCPU; the parent says that */
    if (setrlimit(RLIMIT_CPU, &limit) != 0)
        return fc_fail_errno(fail, errno, "cannot set a limit");
    return FC_OK;
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
#ifndef FC_SANDBOX_SANITIZED
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

/* clang sees that libseccomp's own macros leave a field out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static fc_err
enter_filter(int out, fc_fail *fail)
{
    static const int calls[] = {SCMP_SYS(fadvise64)};
    const scmp_datum_t pipe = (scmp_datum_t)out;
    /* What a library wants to say on standard error is lost, and costs nobody's life. */
    const fc_sandbox_rule rules[] = {
        {SCMP_ACT_ALLOW, SCMP_SYS(write), 1, {SCMP_A0_32(SCMP_CMP_EQ, pipe)}},
        {SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), 1, {SCMP_A0_32(SCMP_CMP_NE, pipe)}},
    };
#ifdef FC_SANDBOX_SANITIZED
    const size_t rule_count = 0; /* they may write anyway */
#else
    const size_t rule_count = FC_COUNT(rules);
#endif
    return fc_sandbox_enter(calls, FC_COUNT(calls), rules, rule_count, fail);
}
#pragma GCC diagnostic pop

fc_err
cli_worker_sandbox(const int *fds, size_t count, int out, fc_fail *fail)
{
    fc_err err = close_others(fds, count, out, fail);
    if (err == FC_OK)
        err = set_deadline(fds, count, fail);
    if (err == FC_OK)
        err = set_limits(fail);
    return err == FC_OK ? enter_filter(out, fail) : err;
}
