#include "node/capture/sandbox.h"

#include "common/base/mem.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A root that owns nothing here becomes the owner of the directory: without capabilities it could not write
 * there, and files would be root's. */
static fc_err
become_owner(int dir_fd, fc_fail *fail)
{
    struct stat status;
    if (fstat(dir_fd, &status) != 0)
        return fc_fail_errno(fail, errno, "cannot examine the segment directory");
    if (geteuid() != 0 || status.st_uid == 0)
        return FC_OK;
    if (setgroups(0, NULL) != 0 || setresgid(status.st_gid, status.st_gid, status.st_gid) != 0 ||
        setresuid(status.st_uid, status.st_uid, status.st_uid) != 0)
        return fc_fail_errno(fail, errno, "cannot become user %u", (unsigned) status.st_uid);
    return FC_OK;
}

/* Landlock (landlock(7)): only what happens below dir_fd. A kernel without it has the rest of the sandbox. */
static fc_err
confine_files(int dir_fd, fc_fail *fail)
{
    const uint64_t inside = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                            LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE;
    const struct landlock_ruleset_attr handled = {
        .handled_access_fs = inside | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                             LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
    };
    const struct landlock_path_beneath_attr below = {.allowed_access = inside, .parent_fd = dir_fd};
    int rules = (int) syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return FC_OK;
    fc_err err = FC_OK;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        err = fc_fail_errno(fail, errno, "cannot confine the process to the segment directory");
    close(rules);
    return err;
}

fc_err
cap_sandbox_drop(int dir_fd, fc_fail *fail)
{
    const struct rlimit no_core = {0, 0}; /* a core file would hold packets */
    fc_err err = become_owner(dir_fd, fail);
    if (err != FC_OK)
        return err;
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
        return fc_fail_errno(fail, errno, "cannot give up the capabilities");
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
        return fc_fail_set(fail, FC_ERR_DENIED, "a capability is left after all were given up");
    return confine_files(dir_fd, fail);
}

/* System calls without a condition. The last lines are what glibc's threads, allocator and abort(3) need. */
static const int plain[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(getsockname),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_nanosleep),
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
    SCMP_SYS(sigaltstack),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(uname),
    SCMP_SYS(getrandom),
#ifdef CAP_SANITIZED
    SCMP_SYS(readlink),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(prctl),
    SCMP_SYS(openat),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(nanosleep),
    SCMP_SYS(mprotect),
    SCMP_SYS(mmap),
#endif
};

/* System calls with a condition on one argument. clang sees that libseccomp's own macros leave a field out.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static int
add_conditional(scmp_filter_ctx filter, int dir_fd)
{
    const scmp_datum_t dir = (scmp_datum_t) dir_fd;
    const struct {
        int call;
        unsigned count;
        struct scmp_arg_cmp args[2];
    } rules[] = {
        {SCMP_SYS(openat2), 1, {SCMP_A0_32(SCMP_CMP_EQ, dir)}},
        {SCMP_SYS(unlinkat), 1, {SCMP_A0_32(SCMP_CMP_EQ, dir)}},
        {SCMP_SYS(renameat), 2, {SCMP_A0_32(SCMP_CMP_EQ, dir), SCMP_A2_32(SCMP_CMP_EQ, dir)}},
        {SCMP_SYS(renameat2), 2, {SCMP_A0_32(SCMP_CMP_EQ, dir), SCMP_A2_32(SCMP_CMP_EQ, dir)}},
        {SCMP_SYS(getsockopt),
         2,
         {SCMP_A1_32(SCMP_CMP_EQ, SOL_PACKET), SCMP_A2_32(SCMP_CMP_EQ, PACKET_STATISTICS)}},
        {SCMP_SYS(getsockopt), 2, {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2_32(SCMP_CMP_EQ, SO_ERROR)}},
        {SCMP_SYS(setsockopt),
         2,
         {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2_32(SCMP_CMP_EQ, SO_ATTACH_FILTER)}},
        {SCMP_SYS(ioctl), 1, {SCMP_A1_32(SCMP_CMP_EQ, SIOCGIFFLAGS)}},
        {SCMP_SYS(mmap), 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        {SCMP_SYS(mprotect), 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        /* fstat(2) of newer glibc: no path, so no file but an open one. */
        {SCMP_SYS(newfstatat), 1, {SCMP_A3_32(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
    };
    int failed = 0;
    for (size_t i = 0; i < FC_COUNT(rules) && failed == 0; i++)
        failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].count, rules[i].args);
    return failed;
}
#pragma GCC diagnostic pop

fc_err
cap_sandbox_enter(int dir_fd, fc_fail *fail)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make a system call filter");
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < FC_COUNT(plain) && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
    if (failed == 0)
        failed = add_conditional(filter, dir_fd);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 ? FC_OK : fc_fail_errno(fail, -failed, "cannot enter the system call filter");
}
