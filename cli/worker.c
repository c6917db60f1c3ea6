#include "cli/worker.h"

#include "cli/output.h"
#include "cli/worker_wire.h"
#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16, PROBES_AT_ONCE = 256 };

/* A child, as its parent sees it. */
typedef struct worker {
    pid_t pid;
    int in; /* -1 = none */
    cli_wire_reader said;
} worker;

void
cli_worker_file_fini(cli_worker_file *file)
{
    free(file->path);
    free(file->name);
    free(file->probe.identity);
    memset(file, 0, sizeof *file);
}

void
cli_worker_job_fini(cli_worker_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
        cli_worker_file_fini(&job->files[i]);
    free(job->files);
    fc_buf_fini(&job->profile);
    json_decref(job->conversations);
    json_decref(job->dns);
    fc_strings_fini(&job->notes);
    memset(job, 0, sizeof *job);
}

/* False when nothing more comes, or nothing more is wanted. */
static bool
listen_to(worker *from)
{
    static uint8_t bytes[READ_SIZE];
    ssize_t got = read(from->in, bytes, sizeof bytes);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    return got > 0 && cli_wire_take(&from->said, bytes, (size_t)got) == FC_OK;
}

/* ---- life of the children ---- */

static void
end_worker(worker *at)
{
    int status = 0;
    close(at->in);
    at->in = -1;
    if (!at->said.done)
        (void)kill(at->pid, SIGKILL);
    while (waitpid(at->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (at->said.fail.err == FC_OK && !at->said.done && WIFSIGNALED(status))
        (void)fc_fail_set(&at->said.fail, FC_ERR_INTERNAL,
                          "%.150s: the process that read it was killed by signal %d (%s)",
                          at->said.files[0].path, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (at->said.fail.err == FC_OK && !at->said.done)
        (void)fc_fail_set(&at->said.fail, FC_ERR_INTERNAL,
                          "%.150s: the process that read it ended before its time", at->said.files[0].path);
    if (at->said.job != NULL && at->said.fail.err != FC_OK) {
        if (at->said.job->fail.err == FC_OK)
            at->said.job->fail = at->said.fail;
        fc_buf_clear(&at->said.job->profile); /* a child that ends badly is not believed */
    }
    fc_buf_fini(&at->said.unread);
}

/* Opens a file for a child; - is standard input. -1, and the reason in *fail. */
static int
open_file(const cli_worker_file *file, fc_fail *fail)
{
    int fd = strcmp(file->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                          : open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        (void)fc_fail_errno(fail, errno, "%.150s", file->path);
    return fd;
}

/* Starts the child of at->said.files. at->in is -1 when no file of them could be opened. */
static fc_err
start_worker(worker *at, const cli_worker_wish *wish, fc_fail *fail)
{
    int ends[2] = {-1, -1};
    int *fds = fc_alloc_array(at->said.file_count, sizeof *fds);
    size_t opened = 0;
    fc_err err = FC_OK;
    for (size_t i = 0; i < at->said.file_count; i++) {
        fc_fail why = {0};
        bool wanted = at->said.job != NULL || at->said.files[i].may_be_read_twice;
        fds[i] = wanted ? open_file(&at->said.files[i], &why) : -1;
        opened += fds[i] >= 0;
        if (at->said.job != NULL && why.err != FC_OK && at->said.job->fail.err == FC_OK)
            at->said.job->fail = why;
    }
    at->in = -1;
    if (opened == 0)
        goto out;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        err = fc_fail_errno(fail, errno, "cannot make a pipe");
        goto out;
    }
    at->pid = fork();
    if (at->pid == 0) {
        if (at->said.job != NULL)
            cli_worker_analyze(at->said.job, fds, wish, ends[1]);
        cli_worker_probe(at->said.files, fds, at->said.file_count, ends[1]);
    }
    if (at->pid < 0)
        err = fc_fail_errno(fail, errno, "cannot start a process to read %.150s", at->said.files[0].path);
    else
        at->in = ends[0];
out:
    for (size_t i = 0; i < at->said.file_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (ends[1] >= 0)
        close(ends[1]);
    if (at->in < 0 && ends[0] >= 0)
        close(ends[0]);
    free(fds);
    return err;
}

/* What a child may not do any more for itself: random seeds and time zones come from files. */
static void
warm_up(void)
{
    json_object_seed(0);
    tzset();
}

static size_t
processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (size_t)count;
}

/* A job's files are all open when its child begins, and a ring may have left thousands. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* else the file that cannot be opened says so */
}

/* Keeps `limit` children busy until every one of `workers` is at its end. */
static fc_err
run_all(worker *workers, size_t count, size_t limit, const cli_worker_wish *wish, fc_fail *fail)
{
    struct pollfd *polls = fc_alloc_array(limit, sizeof *polls);
    worker **running = fc_alloc_array(limit, sizeof *running);
    size_t next = 0, alive = 0;
    fc_err err = FC_OK;
    warm_up();
    raise_descriptor_limit();
    while (alive > 0 || (next < count && err == FC_OK)) {
        while (alive < limit && next < count && err == FC_OK) {
            err = start_worker(&workers[next], wish, fail);
            if (workers[next].in >= 0)
                running[alive++] = &workers[next];
            next++;
        }
        for (size_t i = 0; i < alive; i++)
            polls[i] = (struct pollfd){.fd = running[i]->in, .events = POLLIN};
        if (alive > 0 && poll(polls, (nfds_t)alive, -1) < 0)
            continue;
        for (size_t i = alive; i-- > 0;) {
            if (polls[i].revents == 0 || listen_to(running[i]))
                continue;
            end_worker(running[i]);
            running[i] = running[--alive];
            polls[i] = polls[alive];
        }
    }
    free(running);
    free(polls);
    return err;
}

fc_err
cli_workers_probe(cli_worker_file *files, size_t count, fc_fail *fail)
{
    size_t worker_count = (count + PROBES_AT_ONCE - 1) / PROBES_AT_ONCE;
    worker *workers = fc_alloc_array(worker_count, sizeof *workers);
    for (size_t i = 0; i < worker_count; i++) {
        workers[i].said.files = files + i * PROBES_AT_ONCE;
        workers[i].said.file_count = i + 1 < worker_count ? PROBES_AT_ONCE : count - i * PROBES_AT_ONCE;
    }
    fc_err err = run_all(workers, worker_count, processors(), NULL, fail);
    free(workers);
    return err;
}

/* The file's name instead of its number. Returns the number; -1 = a file that is not known. */
static json_int_t
name_file(json_t *row, const char *key, const fc_profile_subject *subject)
{
    const json_t *file = json_object_get(row, key);
    json_int_t index = json_is_integer(file) ? json_integer_value(file) : -1;
    bool known = index >= 0 && (uint64_t)index < subject->file_count;
    json_object_set_new(row, key, known ? fc_json_text(subject->files[index]) : json_null());
    return known ? index : -1;
}

static void
name_row(json_t *row, const fc_profile_subject *subject)
{
    json_int_t first = name_file(row, "file", subject);
    if (json_object_get(row, "lastFile") != NULL) {
        json_int_t last = name_file(row, "lastFile", subject);
        json_object_set_new(row, "moreFiles",
                            first >= 0 && last >= first ? json_integer(last - first) : json_null());
    }
    json_object_set_new(row, "instance", fc_json_text(subject->instance_name));
}

/* Every row says whose it is, and the file's name instead of its number; the profile knows. */
static void
name_rows(cli_worker_job *job)
{
    fc_profile *profile = NULL;
    fc_fail ignored = {0};
    json_t *const lists[] = {job->conversations, job->dns};
    if (fc_buf_size(&job->profile) == 0 ||
        (json_array_size(lists[0]) == 0 && json_array_size(lists[1]) == 0) ||
        fc_profile_unpack(fc_buf_bytes(&job->profile), fc_buf_size(&job->profile), &profile, &ignored) !=
            FC_OK)
        return;
    for (size_t i = 0; i < FC_COUNT(lists); i++)
        for (size_t row = 0; row < json_array_size(lists[i]); row++)
            name_row(json_array_get(lists[i], row), &profile->subject);
    fc_profile_free(profile);
}

fc_err
cli_workers_run(cli_worker_job *jobs, size_t count, const cli_worker_wish *wish, fc_fail *fail)
{
    worker *workers = fc_alloc_array(count, sizeof *workers);
    for (size_t i = 0; i < count; i++) {
        workers[i].said =
            (cli_wire_reader){.job = &jobs[i], .files = jobs[i].files, .file_count = jobs[i].file_count};
        jobs[i].conversations = wish->conversations ? json_array() : NULL;
        jobs[i].dns = wish->dns ? json_array() : NULL;
    }
    fc_err err = run_all(workers, count, processors(), wish, fail);
    for (size_t i = 0; i < count; i++)
        name_rows(&jobs[i]);
    free(workers);
    return err;
}
