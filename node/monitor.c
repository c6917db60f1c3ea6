#include "node/monitor.h"

#include "common/base/log.h"
#include "node/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, DIRECTORY_FD = 4 };

static void
tell(int fd, nd_monitor_kind kind, pid_t pid, int value, int pass_fd)
{
    nd_monitor_message message = {(uint32_t)kind, (int32_t)pid, (int32_t)value};
    struct iovec iov = {&message, sizeof message};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (pass_fd >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &pass_fd, sizeof pass_fd);
    }
    while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

/* In the child: two descriptors to their places, nothing else open, no environment of ours. */
static void
become_helper(const char *helper, const int fds[2])
{
    static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    char *const arguments[] = {(char *)(uintptr_t)helper, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* First out of the way of 3 and 4, then there; dup2 clears close-on-exec. */
    int channel = fcntl(fds[0], F_DUPFD_CLOEXEC, 10);
    int directory = fcntl(fds[1], F_DUPFD_CLOEXEC, 10);
    if (channel < 0 || directory < 0 || dup2(channel, CHANNEL_FD) < 0 || dup2(directory, DIRECTORY_FD) < 0)
        _exit(127);
    (void)syscall(SYS_close_range, (unsigned)DIRECTORY_FD + 1, ~0u, 0u);
    execve(helper, arguments, environment);
    _exit(127);
}

static void
spawn(int fd, const char *helper, const int fds[2])
{
    pid_t pid = fork();
    if (pid == 0)
        become_helper(helper, fds);
    if (pid < 0) {
        tell(fd, ND_MONITOR_REFUSED, 0, errno, -1);
        return;
    }
    /* Not reaped before this thread says so: the pid is the child's. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0u);
    tell(fd, ND_MONITOR_SPAWNED, pid, 0, pidfd);
    if (pidfd >= 0)
        close(pidfd);
}

/* False when the node is gone. */
static bool
take_request(int fd, const char *helper)
{
    char byte = 0;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    int fds[8];
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && count < 8; i++)
            memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    if (got == 1 && byte == ND_MONITOR_SPAWN && count == 2)
        spawn(fd, helper, fds);
    else if (got > 0)
        tell(fd, ND_MONITOR_REFUSED, 0, EINVAL, -1);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return got > 0;
}

static void
reap(int fd, int signal_fd)
{
    struct signalfd_siginfo info;
    ssize_t ignored = read(signal_fd, &info, sizeof info);
    (void)ignored;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        tell(fd, ND_MONITOR_EXITED, pid, status, -1);
}

static void
run(int fd, const char *helper)
{
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    int signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    (void)prctl(PR_SET_NAME, "fleetcap-mon");
    for (bool there = signal_fd >= 0; there;) {
        struct pollfd polls[] = {{.fd = fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if ((polls[1].revents & POLLIN) != 0)
            reap(fd, signal_fd);
        if ((polls[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            there = take_request(fd, helper);
    }
}

fc_err
nd_monitor_fork(const char *helper, const char *user, int *ret_fd, pid_t *ret_pid, fc_fail *fail)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fc_fail_errno(fail, errno, "cannot make the monitor's channel");
    pid_t pid = fork();
    if (pid < 0) {
        fc_err err = fc_fail_errno(fail, errno, "cannot start the monitor");
        close(pair[0]);
        close(pair[1]);
        return err;
    }
    if (pid == 0) {
        close(pair[0]);
        fc_fail why = {0};
        if (nd_privileges_keep_raw(user, &why) != FC_OK) {
            fc_log(FC_LOG_ERROR, "monitor: %s", why.text);
            _exit(1);
        }
        run(pair[1], helper);
        _exit(0);
    }
    close(pair[1]);
    *ret_fd = pair[0];
    *ret_pid = pid;
    return FC_OK;
}
