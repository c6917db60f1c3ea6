#include "common/base/sandbox.h"

#include "common/base/mem.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What every program of ours needs. */
static const int common_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(futex),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(getrandom),
    SCMP_SYS(sysinfo), /* qsort(3) asks how much memory there is before it sorts more than 1 KiB */
    SCMP_SYS(getpid),  /* abort(3), and the next */
    SCMP_SYS(gettid),
#ifdef FC_SANDBOX_SANITIZED
    SCMP_SYS(write),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rseq), /* ThreadSanitizer begins a thread after fork(2) */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(prctl),
    SCMP_SYS(readlink),
    SCMP_SYS(openat),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
#endif
};

/* clang sees that libseccomp's own macros leave a field out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const fc_sandbox_rule common_rules[] = {
#ifndef FC_SANDBOX_SANITIZED
    {SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
#endif
    /* fstat(2) of newer glibc. The filter cannot see that the path is empty: whether a file is there, and its
     * size, can be learned; nothing can be opened. */
    {SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, {SCMP_A3_32(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
};

/* abort(3): a signal to itself, and to no other process. */
static int
add_own_signals(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0_32(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}
#pragma GCC diagnostic pop

static int
add_calls(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return failed;
}

static int
add_rules(scmp_filter_ctx filter, const fc_sandbox_rule *rules, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed =
            seccomp_rule_add_array(filter, rules[i].action, rules[i].call, rules[i].count, rules[i].args);
    return failed;
}

fc_err
fc_sandbox_enter(const int *calls, size_t call_count, const fc_sandbox_rule *rules, size_t rule_count,
                 fc_fail *fail)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make a system call filter");
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (failed == 0)
        failed = add_calls(filter, common_calls, FC_COUNT(common_calls));
    if (failed == 0)
        failed = add_calls(filter, calls, call_count);
    if (failed == 0)
        failed = add_rules(filter, common_rules, FC_COUNT(common_rules));
    if (failed == 0)
        failed = add_own_signals(filter);
    if (failed == 0)
        failed = add_rules(filter, rules, rule_count);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 ? FC_OK : fc_fail_errno(fail, -failed, "cannot enter the system call filter");
}
