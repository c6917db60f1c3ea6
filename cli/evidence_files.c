/* Evidence from files: captures go through the workers, saved profiles are read here. */
#include "cli/evidence.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 16384, DIRECTORIES_OPEN = 16 };

/* What is looked at in a directory, by how names end; a file that is named itself may be called anything. */
static const char *const endings[] = {
    ".pcapng", ".pcap", ".cap", ".pcapng.zst", ".pcap.zst", ".cap.zst", ".fcprofile",
};

typedef struct found {
    cli_worker_file *items; /* owned */
    size_t count, capacity;
    fc_strings manifests; /* of directories */
} found;

static void
add_found(found *to, const char *path, bool may_be_read_twice)
{
    to->items = fc_grow_room(to->items, to->count, &to->capacity, sizeof *to->items);
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    to->items[to->count++] = (cli_worker_file){.path = fc_strdup(path),
                                               .name = fc_strdup(strcmp(path, "-") == 0 ? "stdin" : name),
                                               .may_be_read_twice = may_be_read_twice};
}

static void
found_fini(found *files)
{
    for (size_t i = 0; i < files->count; i++)
        cli_worker_file_fini(&files->items[i]);
    free(files->items);
    fc_strings_fini(&files->manifests);
}

/* ---- directories ---- */

/* nftw(3) has no user pointer. */
static found *walking;

static bool
looks_like_evidence(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < FC_COUNT(endings); i++) {
        size_t end = strlen(endings[i]);
        if (length > end && strcmp(path + length - end, endings[i]) == 0)
            return true;
    }
    return false;
}

static int
visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    if (kind != FTW_F || !S_ISREG(status->st_mode))
        return 0;
    if (walking->count == FILES_MAX || walking->manifests.count == FILES_MAX)
        return 1;
    if (strcmp(path + where->base, "manifest.json") == 0)
        fc_strings_add(&walking->manifests, path);
    else if (looks_like_evidence(path))
        add_found(walking, path, true);
    return 0;
}

static int
compare_paths(const void *left, const void *right)
{
    return strverscmp(((const cli_worker_file *)left)->path, ((const cli_worker_file *)right)->path);
}

static fc_err
find_below(const char *directory, found *files, fc_fail *fail)
{
    size_t before = files->count;
    walking = files;
    int how = nftw(directory, visit, DIRECTORIES_OPEN, FTW_PHYS);
    if (how < 0)
        return fc_fail_errno(fail, errno, "%.150s", directory);
    if (how > 0)
        return fc_fail_set(fail, FC_ERR_LIMIT, "%.150s: more than %d captures", directory, FILES_MAX);
    if (files->count == before)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%.150s: there is no capture in this directory",
                           directory);
    qsort(files->items + before, files->count - before, sizeof *files->items, compare_paths);
    return FC_OK;
}

static fc_err
find_files(const fc_strings *paths, found *files, fc_fail *fail)
{
    fc_err err = FC_OK;
    for (size_t i = 0; i < paths->count && err == FC_OK; i++) {
        const char *path = paths->items[i];
        struct stat status;
        if (strcmp(path, "-") == 0)
            add_found(files, path, false);
        else if (stat(path, &status) != 0)
            err = fc_fail_errno(fail, errno, "%.150s", path);
        else if (S_ISDIR(status.st_mode))
            err = find_below(path, files, fail);
        else
            add_found(files, path, S_ISREG(status.st_mode));
    }
    return err;
}

/* ---- saved profiles ---- */

static void
note_failure(cli_evidence_set *evidence, const fc_fail *fail)
{
    if (evidence->failed_count++ == 0)
        evidence->failed = *fail;
}

static void
keep(char **text, const char *value)
{
    free(*text);
    *text = fc_strdup(value);
}

/* An item for a profile that was checked. data: packed. */
static void
add_profile(cli_evidence_set *evidence, const fc_profile *profile, const uint8_t *data, size_t size,
            const cli_worker_file *first)
{
    cli_evidence_item *item = cli_evidence_add(evidence);
    const fc_profile_subject *subject = &profile->subject;
    keep(&item->name, *subject->instance_name != '\0' ? subject->instance_name : first->name);
    keep(&item->id, subject->instance_id);
    keep(&item->region, subject->region);
    keep(&item->capture, subject->capture_name);
    keep(&item->source, first->path);
    fc_buf_append(&item->profile, data, size);
}

/* True when the file was one, good or bad. */
static bool
take_saved_profile(cli_evidence_set *evidence, const cli_worker_file *file)
{
    enum { SIZE_MAX_BYTES = CLI_PROFILE_MAGIC_SIZE + FC_PROFILE_PACKED_MAX };
    fc_fail fail = {0};
    uint8_t *data = fc_alloc(SIZE_MAX_BYTES + 1);
    ssize_t got = 0;
    bool is_profile = false;
    int fd = file->may_be_read_twice ? open(file->path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0)
        got = pread(fd, data, SIZE_MAX_BYTES + 1, 0);
    if (got >= CLI_PROFILE_MAGIC_SIZE && memcmp(data, CLI_PROFILE_MAGIC, CLI_PROFILE_MAGIC_SIZE) == 0) {
        fc_profile *profile = NULL;
        size_t size = (size_t)got - CLI_PROFILE_MAGIC_SIZE;
        fc_err err = size > FC_PROFILE_PACKED_MAX
                         ? fc_fail_set(&fail, FC_ERR_CORRUPT, "it is too long")
                         : fc_profile_unpack(data + CLI_PROFILE_MAGIC_SIZE, size, &profile, &fail);
        if (err == FC_OK) {
            add_profile(evidence, profile, data + CLI_PROFILE_MAGIC_SIZE, size, file);
        } else {
            fc_fail named = {0};
            (void)fc_fail_set(&named, err, "%.120s: not a saved profile that can be read: %.100s", file->path,
                              fail.text);
            note_failure(evidence, &named);
        }
        fc_profile_free(profile);
        is_profile = true;
    }
    if (fd >= 0)
        close(fd);
    free(data);
    return is_profile;
}

/* Leaves the captures in *files. */
static void
take_saved_profiles(cli_evidence_set *evidence, found *files)
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        if (take_saved_profile(evidence, &files->items[i]))
            cli_worker_file_fini(&files->items[i]);
        else
            files->items[kept++] = files->items[i];
    }
    files->count = kept;
}

/* ---- captures ---- */

/* Files of one instance capture side by side, in the order of their first packets. */
static int
compare_files(const void *left, const void *right)
{
    const cli_worker_file *a = left, *b = right;
    bool known = a->probe.identity != NULL && b->probe.identity != NULL;
    int by_identity = known ? strcmp(a->probe.identity, b->probe.identity)
                            : (b->probe.identity != NULL) - (a->probe.identity != NULL);
    if (by_identity != 0)
        return by_identity;
    if (known && a->probe.first_ns != b->probe.first_ns)
        return a->probe.first_ns < b->probe.first_ns ? -1 : 1;
    return strverscmp(a->path, b->path);
}

static bool
same_instance(const cli_worker_file *a, const cli_worker_file *b)
{
    return a->probe.identity != NULL && b->probe.identity != NULL &&
           strcmp(a->probe.identity, b->probe.identity) == 0;
}

/* Makes a job of every group; the files move into them. */
static cli_worker_job *
make_jobs(found *files, size_t *ret_count)
{
    cli_worker_job *jobs = fc_alloc_array(files->count, sizeof *jobs);
    size_t count = 0;
    qsort(files->items, files->count, sizeof *files->items, compare_files);
    for (size_t from = 0, to; from < files->count; from = to) {
        for (to = from + 1; to < files->count && same_instance(&files->items[from], &files->items[to]);)
            to++;
        cli_worker_job *job = &jobs[count++];
        job->file_count = to - from;
        job->files = fc_alloc_array(to - from, sizeof *job->files);
        memcpy(job->files, &files->items[from], (to - from) * sizeof *job->files);
    }
    files->count = 0;
    *ret_count = count;
    return jobs;
}

static void
take_rows(json_t **into, json_t *rows)
{
    if (rows == NULL)
        return;
    if (*into == NULL)
        *into = json_array();
    json_array_extend(*into, rows);
}

static void
take_job(cli_evidence_set *evidence, cli_worker_job *job)
{
    fc_profile *profile = NULL;
    fc_fail ignored = {0};
    if (job->fail.err != FC_OK)
        note_failure(evidence, &job->fail);
    for (size_t i = 0; i < job->notes.count; i++)
        fc_strings_add(&evidence->notes, job->notes.items[i]);
    take_rows(&evidence->conversations, job->conversations);
    take_rows(&evidence->dns, job->dns);
    const uint8_t *data = fc_buf_bytes(&job->profile);
    if (fc_buf_size(&job->profile) == 0 ||
        fc_profile_unpack(data, fc_buf_size(&job->profile), &profile, &ignored) != FC_OK)
        return;
    add_profile(evidence, profile, data, fc_buf_size(&job->profile), &job->files[0]);
    fc_profile_free(profile);
    if (job->fail.err != FC_OK)
        evidence->items[evidence->count - 1].problem = fc_strdup(job->fail.text);
    for (size_t i = 0; i < job->file_count; i++) {
        struct stat status;
        cli_evidence_file *file = cli_evidence_add_file(evidence, evidence->count - 1, job->files[i].name);
        if (job->files[i].may_be_read_twice && stat(job->files[i].path, &status) == 0)
            file->size_bytes = (uint64_t)status.st_size;
    }
}

static fc_err
take_captures(cli_evidence_set *evidence, found *files, const cli_worker_wish *wish, fc_fail *fail)
{
    if (files->count == 0)
        return FC_OK;
    /* One file is one group, whatever is in it. */
    fc_err err = files->count > 1 ? cli_workers_probe(files->items, files->count, fail) : FC_OK;
    if (err != FC_OK)
        return err;
    size_t count;
    cli_worker_job *jobs = make_jobs(files, &count);
    err = cli_workers_run(jobs, count, wish, fail);
    for (size_t i = 0; i < count; i++) {
        if (err == FC_OK)
            take_job(evidence, &jobs[i]);
        cli_worker_job_fini(&jobs[i]);
    }
    free(jobs);
    return err;
}

fc_err
cli_evidence_files(const fc_strings *paths, const cli_worker_wish *wish, cli_evidence_set *ret, fc_fail *fail)
{
    found files = {0};
    fc_err err = find_files(paths, &files, fail);
    if (err == FC_OK) {
        take_saved_profiles(ret, &files);
        err = take_captures(ret, &files, wish, fail);
    }
    if (err == FC_OK && ret->count == 0)
        err = fc_fail_copy(fail, &ret->failed);
    for (size_t i = 0; err == FC_OK && i < files.manifests.count; i++) {
        fc_fail why = {0};
        if (cli_evidence_manifest(ret, files.manifests.items[i], &why) != FC_OK)
            fc_strings_add(&ret->notes, why.text);
    }
    if (wish->conversations && ret->conversations == NULL)
        ret->conversations = json_array();
    if (wish->dns && ret->dns == NULL)
        ret->dns = json_array();
    cli_evidence_settle(ret);
    found_fini(&files);
    return err;
}
