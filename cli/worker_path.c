#include "cli/worker_path.h"

#include "cli/worker_wire.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/path/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16, ANSWER_MAX = 256 << 20, NOTES_MAX = 2 * FC_PATH_FILES_MAX };

/* What the child says, one after the other; DONE is the last. */
typedef enum part { PART_RESULT = 1, PART_NOTE, PART_FAIL, PART_DONE } part;

typedef struct part_head {
    uint32_t kind;
    uint32_t err; /* with FAIL */
    uint64_t size;
} part_head;

void
cli_path_job_fini(cli_path_job *job)
{
    for (int end = 0; end < 2; end++) {
        fc_strings_fini(&job->files[end]);
        free(job->names[end]);
    }
    *job = (cli_path_job){0};
}

/* ---- the child ---- */

static void
say(int out, part kind, fc_err err, const char *text)
{
    const part_head head = {kind, err, strlen(text)};
    /* A parent that is gone leaves nothing to say. */
    if (fc_file_write_all(out, &head, sizeof head) != FC_OK ||
        fc_file_write_all(out, text, head.size) != FC_OK)
        _exit(1);
}

/* False when nothing can come of it any more. */
static bool
read_file(fc_path *path, fc_path_end end, const char *name, int fd, int out)
{
    fc_input *input = NULL;
    fc_fail fail = {0};
    const char *slash = strrchr(name, '/');
    fc_err err = fc_input_open(fd, name, &input, &fail);
    if (err == FC_OK)
        err = fc_path_input(path, end, input, slash != NULL ? slash + 1 : name, &fail);
    if (err == FC_OK && fc_input_was_cut(input)) {
        char *note =
            fc_sprintf("%.200s was cut off in the middle of a packet; what is before it counts", name);
        say(out, PART_NOTE, FC_OK, note);
        free(note);
    }
    fc_input_free(input);
    if (err == FC_ERR_CORRUPT)
        say(out, PART_NOTE, FC_OK, fail.text);
    else if (err != FC_OK)
        say(out, PART_FAIL, err, fail.text);
    return err == FC_OK || err == FC_ERR_CORRUPT;
}

__attribute__((noreturn)) static void
work(const cli_path_job *job, const int *fds, int out)
{
    fc_fail fail = {0};
    size_t count = job->files[0].count + job->files[1].count, next = 0;
    if (cli_worker_sandbox(fds, count, out, &fail) != FC_OK) {
        say(out, PART_FAIL, fail.err, fail.text);
        _exit(0);
    }
    const fc_path_options options = {.name = {job->names[0], job->names[1]}, .lossless = job->lossless};
    fc_path *path = fc_path_new(&options);
    for (int end = 0; end < 2; end++)
        for (size_t i = 0; i < job->files[end].count; i++)
            if (!read_file(path, (fc_path_end)end, job->files[end].items[i], fds[next++], out))
                _exit(0);
    fc_path_result *result = fc_path_judge(path);
    fc_path_free(path);
    json_t *tree = fc_path_result_to_json(result);
    char *text = json_dumps(tree, JSON_COMPACT);
    say(out, PART_RESULT, FC_OK, text != NULL ? text : "");
    say(out, PART_DONE, FC_OK, "");
    _exit(0); /* nothing is freed, nobody's atexit runs */
}

/* ---- the parent ---- */

static fc_err
nonsense(fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_PROTOCOL, "the process that read the captures sent what cannot be");
}

static fc_err
take_part(const part_head *head, const char *text, json_t **result, fc_strings *notes, bool *ret_done,
          fc_fail *fail)
{
    switch (head->kind) {
    case PART_RESULT:
        if (*result == NULL)
            *result = json_loadb(text, head->size, 0, NULL);
        return json_is_object(*result) ? FC_OK : nonsense(fail);
    case PART_NOTE: {
        if (notes->count >= NOTES_MAX || head->size > 1024)
            return nonsense(fail);
        char *note = fc_strndup(text, head->size);
        fc_strings_add(notes, note);
        free(note);
        return FC_OK;
    }
    case PART_FAIL:
        if (head->err == FC_OK || head->err > FC_ERR_INTERNAL || head->size > sizeof fail->text)
            return nonsense(fail);
        return fc_fail_set(fail, (fc_err)head->err, "%.*s", (int)head->size, text);
    case PART_DONE:
        *ret_done = true;
        return FC_OK;
    default:
        return nonsense(fail);
    }
}

/* All that the child says until it ends. */
static fc_err
listen_to(int in, json_t **result, fc_strings *notes, bool *ret_done, fc_fail *fail)
{
    fc_buf unread = {0};
    fc_err err = FC_OK;
    uint64_t total = 0;
    while (err == FC_OK) {
        ssize_t got = read(in, fc_buf_reserve(&unread, READ_SIZE), READ_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        fc_buf_commit(&unread, (size_t)got);
        total += (uint64_t)got;
        if (total > ANSWER_MAX)
            err = fc_fail_set(fail, FC_ERR_LIMIT,
                              "too many conversations for one answer: cut the captures to those in question");
        part_head head;
        while (err == FC_OK && fc_buf_size(&unread) >= sizeof head) {
            memcpy(&head, fc_buf_bytes(&unread), sizeof head);
            if (head.size > ANSWER_MAX)
                err = nonsense(fail);
            if (err != FC_OK || fc_buf_size(&unread) - sizeof head < head.size)
                break;
            err = take_part(&head, (const char *)fc_buf_bytes(&unread) + sizeof head, result, notes, ret_done,
                            fail);
            fc_buf_consume(&unread, sizeof head + head.size);
        }
    }
    fc_buf_fini(&unread);
    return err;
}

static fc_err
open_files(const cli_path_job *job, int *fds, size_t *ret_opened, fc_fail *fail)
{
    for (int end = 0; end < 2; end++)
        for (size_t i = 0; i < job->files[end].count; i++) {
            const char *name = job->files[end].items[i];
            int fd = open(name, O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                return fc_fail_errno(fail, errno, "%.150s", name);
            fds[(*ret_opened)++] = fd;
        }
    return FC_OK;
}

/* The child's end, and what became of it. */
static fc_err
reap(pid_t pid, bool done, fc_err err, fc_fail *fail)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (err != FC_OK || done)
        return err;
    return WIFSIGNALED(status)
               ? fc_fail_set(fail, FC_ERR_INTERNAL,
                             "the process that read the captures was killed by signal %d (%s)",
                             WTERMSIG(status), strsignal(WTERMSIG(status)))
               : fc_fail_set(fail, FC_ERR_INTERNAL,
                             "the process that read the captures ended before its time");
}

fc_err
cli_worker_path(const cli_path_job *job, json_t **ret_result, fc_strings *notes, fc_fail *fail)
{
    int ends[2] = {-1, -1};
    size_t opened = 0;
    int *fds = fc_alloc_array(job->files[0].count + job->files[1].count, sizeof *fds);
    json_t *result = NULL;
    bool done = false;
    pid_t pid = -1;
    fc_err err = open_files(job, fds, &opened, fail);
    if (err == FC_OK && pipe2(ends, O_CLOEXEC) != 0)
        err = fc_fail_errno(fail, errno, "cannot make a pipe");
    if (err != FC_OK)
        goto out;
    /* What a child may not do any more for itself: random seeds and time zones come from files. */
    json_object_seed(0);
    tzset();
    pid = fork();
    if (pid == 0)
        work(job, fds, ends[1]);
    if (pid < 0) {
        err = fc_fail_errno(fail, errno, "cannot start a process to read the captures");
        goto out;
    }
    close(ends[1]);
    ends[1] = -1;
    err = listen_to(ends[0], &result, notes, &done, fail);
    close(ends[0]); /* a child that still has something to say ends by that */
    ends[0] = -1;
    err = reap(pid, done && result != NULL, err, fail);
out:
    for (size_t i = 0; i < opened; i++)
        close(fds[i]);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    free(fds);
    if (err == FC_OK)
        *ret_result = result;
    else
        json_decref(result);
    return err;
}
