#include "node/capture/sandbox.h"

#include "common/base/mem.h"
#include "common/base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <linux/sockios.h>
#include <stdint.h>
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
        return fc_fail_errno(fail, errno, "cannot become user %u", (unsigned)status.st_uid);
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
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
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

/* System calls without a condition, beside those that every program of ours needs. The last lines are what
 * glibc's threads need. */
static const int plain[] = {
    SCMP_SYS(write),       SCMP_SYS(pread64),     SCMP_SYS(pwrite64),        SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),   SCMP_SYS(ftruncate),   SCMP_SYS(fallocate),       SCMP_SYS(sync_file_range),
    SCMP_SYS(fstatfs),     SCMP_SYS(recvfrom),    SCMP_SYS(sendto),          SCMP_SYS(getsockname),
    SCMP_SYS(poll),        SCMP_SYS(ppoll),       SCMP_SYS(gettimeofday),    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(uname),       SCMP_SYS(sigaltstack), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
};

/* clang sees that libseccomp's own macros leave a field out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
fc_err
cap_sandbox_enter(int dir_fd, fc_fail *fail)
{
    const scmp_datum_t dir = (scmp_datum_t)dir_fd;
    const uint32_t allow = SCMP_ACT_ALLOW;
    const fc_sandbox_rule rules[] = {
        // clang-format off
        {allow, SCMP_SYS(openat2), 1, {SCMP_A0_32(SCMP_CMP_EQ, dir)}},
        {allow, SCMP_SYS(unlinkat), 1, {SCMP_A0_32(SCMP_CMP_EQ, dir)}},
        {allow, SCMP_SYS(renameat), 2, {SCMP_A0_32(SCMP_CMP_EQ, dir), SCMP_A2_32(SCMP_CMP_EQ, dir)}},
        {allow, SCMP_SYS(renameat2), 2, {SCMP_A0_32(SCMP_CMP_EQ, dir), SCMP_A2_32(SCMP_CMP_EQ, dir)}},
        {allow, SCMP_SYS(getsockopt), 2, {SCMP_A1_32(SCMP_CMP_EQ, SOL_PACKET), SCMP_A2_32(SCMP_CMP_EQ, PACKET_STATISTICS)}},
        {allow, SCMP_SYS(getsockopt), 2, {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2_32(SCMP_CMP_EQ, SO_ERROR)}},
        {allow, SCMP_SYS(setsockopt), 2, {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2_32(SCMP_CMP_EQ, SO_ATTACH_FILTER)}},
        {allow, SCMP_SYS(ioctl), 1, {SCMP_A1_32(SCMP_CMP_EQ, SIOCGIFFLAGS)}},
        // clang-format on
    };
    return fc_sandbox_enter(plain, FC_COUNT(plain), rules, FC_COUNT(rules), fail);
}
#pragma GCC diagnostic pop
