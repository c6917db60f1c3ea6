#include "node/helper_backend.h"

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/helper_wire.h"
#include "node/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct helper_backend helper_backend;

typedef struct helper_run {
    nd_run run;              /* first */
    helper_backend *backend; /* borrowed */
    struct helper_run *next; /* the backend's list */
    fc_watch watch;          /* our end of the channel; fd -1 once it ended */
    fc_buf in, out;
    pid_t pid; /* 0 = not known yet */
    int pidfd; /* owned; -1 = none */
    bool exited, kill_asked, refused, final;
    int wait_status, refused_errno;
    fc_timer reap_timer; /* armed when the channel has ended */
    fc_fail broken;      /* what the helper did against the protocol */
    bool in_event;       /* an op of its owner is running: a release frees it only afterwards */
    bool released;
} helper_run;

struct helper_backend {
    nd_backend backend; /* first */
    fc_loop *loop;      /* borrowed */
    fc_watch monitor;
    helper_run *runs; /* owned */
    /* Spawns that the monitor has not answered, in order; NULL where the run was released meanwhile. */
    helper_run **spawning; /* owned array of borrowed runs */
    size_t spawning_count;
    void (*lost)(void *user);
    void *lost_user; /* borrowed */
};

static void
channel_close(helper_run *run)
{
    if (run->watch.fd < 0)
        return;
    fc_loop_unwatch(run->backend->loop, &run->watch);
    close(run->watch.fd);
    run->watch.fd = -1;
}

static void
run_free(helper_run *run)
{
    helper_backend *backend = run->backend;
    for (helper_run **at = &backend->runs; *at != NULL; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    for (size_t i = 0; i < backend->spawning_count; i++)
        if (backend->spawning[i] == run)
            backend->spawning[i] = NULL;
    fc_loop_timer_clear(backend->loop, &run->reap_timer);
    channel_close(run);
    if (run->pidfd >= 0)
        close(run->pidfd);
    fc_buf_fini(&run->in);
    fc_buf_fini(&run->out);
    free(run);
}

static void
run_release(nd_run *base)
{
    helper_run *run = FC_CONTAINER(base, helper_run, run);
    run->released = true;
    if (!run->in_event)
        run_free(run);
}

static void
run_kill(nd_run *base)
{
    helper_run *run = FC_CONTAINER(base, helper_run, run);
    run->kill_asked = true;
    if (run->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0u);
}

/* The process is gone, or never was: its owner hears of it, once. */
static void
tell_died(helper_run *run)
{
    char how[256];
    if (run->broken.err != FC_OK)
        (void)snprintf(how, sizeof how, "broke the protocol: %.200s", run->broken.text);
    else if (run->refused)
        (void)snprintf(how, sizeof how, "could not be started: %s", strerror(run->refused_errno));
    else if (run->exited && WIFSIGNALED(run->wait_status))
        (void)snprintf(how, sizeof how, "was killed by signal %d (%s)", WTERMSIG(run->wait_status),
                       strsignal(WTERMSIG(run->wait_status)));
    else if (run->exited && WEXITSTATUS(run->wait_status) == 127)
        (void)snprintf(how, sizeof how, "could not be executed");
    else if (run->exited)
        (void)snprintf(how, sizeof how, "exited with status %d without a word",
                       WEXITSTATUS(run->wait_status));
    else
        (void)snprintf(how, sizeof how, "closed its channel without a word");
    fc_loop_timer_clear(run->backend->loop, &run->reap_timer);
    run->final = true;
    run->run.ops->died(run->run.user, how); /* releases it */
}

static void
reap_fire(fc_timer *timer)
{
    tell_died(FC_CONTAINER(timer, helper_run, reap_timer));
}

/* The channel has ended without a last word. Who still lives after this is killed; then comes how it ended.
 */
static void
channel_ended(helper_run *run)
{
    channel_close(run);
    if (run->exited || run->refused) {
        tell_died(run);
        return;
    }
    run_kill(&run->run);
    fc_loop_timer_after_ms(run->backend->loop, &run->reap_timer, ND_HELPER_REAP_MS);
}

static void
channel_write(helper_run *run)
{
    while (run->watch.fd >= 0 && fc_buf_size(&run->out) > 0) {
        ssize_t sent =
            send(run->watch.fd, fc_buf_bytes(&run->out), fc_buf_size(&run->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            fc_buf_clear(&run->out); /* its end follows on the reading side */
        if (sent <= 0)
            break;
        fc_buf_consume(&run->out, (size_t)sent);
    }
    if (run->watch.fd >= 0)
        fc_loop_watch_change(run->backend->loop, &run->watch,
                             EPOLLIN | (fc_buf_size(&run->out) > 0 ? (uint32_t)EPOLLOUT : 0u));
}

/* One read's worth; false when the run is gone. */
static bool
channel_read(helper_run *run)
{
    ssize_t got = recv(run->watch.fd, fc_buf_reserve(&run->in, 16384), 16384, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    bool ended = got <= 0;
    if (got > 0)
        fc_buf_commit(&run->in, (size_t)got);
    run->in_event = true;
    for (bool taken = true; taken && !run->released && !ended;) {
        bool final = false;
        if (nd_helper_take_event(&run->in, run->run.ops, run->run.user, &taken, &final, &run->broken) !=
            FC_OK) {
            if (run->broken.err == FC_OK)
                fc_fail_set(&run->broken, FC_ERR_PROTOCOL, "an event that cannot be");
            ended = true;
        }
    }
    run->in_event = false;
    if (run->released) {
        run_free(run);
        return false;
    }
    if (ended)
        channel_ended(run);
    return !ended;
}

static void
channel_ready(fc_watch *watch, uint32_t events)
{
    helper_run *run = FC_CONTAINER(watch, helper_run, watch);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !channel_read(run))
        return;
    if ((events & EPOLLOUT) != 0)
        channel_write(run);
}

/* ---- the monitor ---- */

static fc_err
ask_monitor(const helper_backend *backend, int channel_fd, int dir_fd, fc_fail *fail)
{
    char byte = ND_MONITOR_SPAWN;
    int fds[2] = {channel_fd, dir_fd};
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    if (backend->monitor.fd < 0)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "the process that starts capture helpers is gone");
    if (sendmsg(backend->monitor.fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return fc_fail_errno(fail, errno, "cannot ask for a capture helper");
    return FC_OK;
}

static void
monitor_answer(helper_backend *backend, const nd_monitor_message *message, int pidfd)
{
    if (backend->spawning_count == 0) {
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    helper_run *run = backend->spawning[0];
    memmove(backend->spawning, backend->spawning + 1,
            --backend->spawning_count * sizeof backend->spawning[0]);
    if (run == NULL) {
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    if (message->kind == ND_MONITOR_REFUSED) {
        run->refused = true;
        run->refused_errno = message->value;
        channel_ended(run);
        return;
    }
    run->pid = message->pid;
    run->pidfd = pidfd;
    if (run->kill_asked)
        run_kill(&run->run);
}

static void
monitor_exited(helper_backend *backend, const nd_monitor_message *message)
{
    for (helper_run *run = backend->runs; run != NULL; run = run->next) {
        if (run->pid != message->pid || run->exited)
            continue;
        run->exited = true;
        run->wait_status = message->value;
        /* Its last words may still be in the channel: only its end is the end. */
        if (run->watch.fd < 0)
            tell_died(run);
        return;
    }
}

static void
monitor_lost(helper_backend *backend)
{
    fc_loop_unwatch(backend->loop, &backend->monitor);
    close(backend->monitor.fd);
    backend->monitor.fd = -1;
    fc_log(FC_LOG_ERROR, "the process that starts capture helpers is gone");
    if (backend->lost != NULL)
        backend->lost(backend->lost_user);
}

static void
monitor_ready(fc_watch *watch, uint32_t events)
{
    helper_backend *backend = FC_CONTAINER(watch, helper_backend, monitor);
    nd_monitor_message message = {0};
    struct iovec iov = {&message, sizeof message};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    (void)events;
    ssize_t got = recvmsg(watch->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got != (ssize_t)sizeof message) {
        monitor_lost(backend);
        return;
    }
    int pidfd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&pidfd, CMSG_DATA(c), sizeof pidfd);
    if (message.kind == ND_MONITOR_EXITED)
        monitor_exited(backend, &message);
    else
        monitor_answer(backend, &message, pidfd);
}

/* ---- runs ---- */

static fc_err
start(nd_backend *base, const nd_run_spec *spec, const nd_run_ops *ops, void *user, nd_run **ret_run,
      fc_fail *fail)
{
    helper_backend *backend = FC_CONTAINER(base, helper_backend, backend);
    int pair[2] = {-1, -1};
    fc_buf out = {0};
    fc_err err = nd_helper_put_spec(&out, spec, fail);
    if (err == FC_OK && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        err = fc_fail_errno(fail, errno, "cannot make a helper's channel");
    if (err == FC_OK)
        err = ask_monitor(backend, pair[1], spec->dir_fd, fail);
    if (pair[1] >= 0)
        close(pair[1]);
    close(spec->dir_fd);
    if (err != FC_OK) {
        if (pair[0] >= 0)
            close(pair[0]);
        fc_buf_fini(&out);
        return err;
    }
    helper_run *run = FC_NEW(helper_run);
    run->run = (nd_run){base->ops, ops, user};
    run->backend = backend;
    run->watch = (fc_watch){.fd = pair[0], .ready = channel_ready};
    run->out = out;
    run->pidfd = -1;
    run->reap_timer.fire = reap_fire;
    run->next = backend->runs;
    backend->runs = run;
    backend->spawning =
        fc_grow_array(backend->spawning, backend->spawning_count + 1, sizeof backend->spawning[0]);
    backend->spawning[backend->spawning_count++] = run;
    err = fc_loop_watch(backend->loop, &run->watch, EPOLLIN);
    if (err != FC_OK) {
        run_free(run);
        return fc_fail_set(fail, err, "cannot watch a helper's channel");
    }
    channel_write(run);
    *ret_run = &run->run;
    return FC_OK;
}

static void
run_go(nd_run *base, fc_wall begin, fc_wall window_end)
{
    helper_run *run = FC_CONTAINER(base, helper_run, run);
    nd_helper_put_start(&run->out, begin, window_end);
    channel_write(run);
}

static void
run_stop(nd_run *base, fc_stop_reason reason)
{
    helper_run *run = FC_CONTAINER(base, helper_run, run);
    nd_helper_put_stop(&run->out, reason);
    channel_write(run);
}

static const nd_backend_ops helper_ops = {start, run_go, run_stop, run_kill, run_release};

fc_err
nd_helper_backend_new(fc_loop *loop, int monitor_fd, void (*lost)(void *user), void *user,
                      nd_backend **ret_backend, fc_fail *fail)
{
    helper_backend *backend = FC_NEW(helper_backend);
    backend->backend.ops = &helper_ops;
    backend->loop = loop;
    backend->monitor = (fc_watch){.fd = monitor_fd, .ready = monitor_ready};
    backend->lost = lost;
    backend->lost_user = user;
    fc_err err = fc_loop_watch(loop, &backend->monitor, EPOLLIN);
    if (err != FC_OK) {
        free(backend);
        return fc_fail_set(fail, err, "cannot watch the monitor's channel");
    }
    *ret_backend = &backend->backend;
    return FC_OK;
}

bool
nd_helper_backend_let_go(nd_backend *base, int64_t timeout_ms)
{
    helper_backend *backend = FC_CONTAINER(base, helper_backend, backend);
    const fc_clock *clock = fc_loop_clock(backend->loop);
    fc_mono due = fc_mono_after_ms(fc_clock_mono(clock), timeout_ms);
    bool all_gone = true;
    for (helper_run *run = backend->runs; run != NULL; run = run->next)
        channel_close(run);
    for (const helper_run *run = backend->runs; run != NULL; run = run->next) {
        struct pollfd process = {.fd = run->pidfd, .events = POLLIN};
        int status = run->pidfd < 0 || run->exited ? 1 : 0;
        while (status == 0 || (status < 0 && errno == EINTR)) {
            int64_t left_ms = fc_mono_until_ms(fc_clock_mono(clock), due);
            if (left_ms <= 0)
                break;
            status = poll(&process, 1, (int)left_ms);
        }
        all_gone = all_gone && status > 0;
    }
    return all_gone;
}

void
nd_helper_backend_free(nd_backend *base)
{
    if (base == NULL)
        return;
    helper_backend *backend = FC_CONTAINER(base, helper_backend, backend);
    while (backend->runs != NULL)
        run_free(backend->runs);
    if (backend->monitor.fd >= 0) {
        fc_loop_unwatch(backend->loop, &backend->monitor);
        close(backend->monitor.fd);
    }
    free(backend->spawning);
    free(backend);
}
