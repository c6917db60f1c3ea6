#include "cli/path_files.h"

#include "cli/download.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_MS = 30000, STALL_MS = 60000, PARALLEL = 8, MANIFEST_MAX = 64 << 20 };

/* A file of one end, and its place among the others. */
typedef struct found {
    char *path; /* owned */
    uint64_t sequence;
    int end;
} found;

typedef struct list {
    found *items; /* owned */
    size_t count;
} list;

static void
add(list *files, int end, uint64_t sequence, const char *directory, const char *name)
{
    files->items = fc_grow_array(files->items, files->count + 1, sizeof *files->items);
    files->items[files->count++] = (found){fc_sprintf("%s/%s", directory, name), sequence, end};
}

static int
compare_found(const void *left, const void *right)
{
    const found *a = left, *b = right;
    if (a->end != b->end)
        return a->end - b->end;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return strcmp(a->path, b->path);
}

/* In order, into the job. Empties the list. */
static fc_err
settle(list *files, const char *where, const char *const instances[2], cli_path_job *job, fc_fail *fail)
{
    if (files->count > 1)
        qsort(files->items, files->count, sizeof *files->items, compare_found);
    for (size_t i = 0; i < files->count; i++) {
        fc_strings_add(&job->files[files->items[i].end], files->items[i].path);
        free(files->items[i].path);
    }
    free(files->items);
    *files = (list){0};
    for (int end = 0; end < 2; end++) {
        if (job->files[end].count == 0)
            return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%.100s has no file of instance \"%.80s\"", where,
                               instances[end]);
        free(job->names[end]);
        job->names[end] = fc_strdup(instances[end]);
    }
    return FC_OK;
}

/* ---- a directory ---- */

/* False when there is no manifest to go by. */
static bool
by_manifest(int dir_fd, const char *directory, const char *const instances[2], list *files)
{
    fc_buf text = {0};
    fc_fail ignored = {0};
    json_t *manifest = NULL;
    if (fc_file_read(dir_fd, "manifest.json", MANIFEST_MAX, &text, &ignored) == FC_OK)
        manifest = json_loadb((const char *)fc_buf_bytes(&text), fc_buf_size(&text), 0, NULL);
    fc_buf_fini(&text);
    const json_t *entries = json_object_get(manifest, "files"), *entry;
    size_t i;
    json_array_foreach (entries, i, entry) {
        const char *file = json_string_value(json_object_get(entry, "file"));
        const char *name = json_string_value(json_object_get(entry, "instance"));
        const char *id = json_string_value(json_object_get(entry, "instanceId"));
        json_int_t sequence = json_integer_value(json_object_get(entry, "sequence"));
        for (int end = 0; end < 2 && file != NULL && cli_local_name_check(file); end++)
            if ((name != NULL && strcmp(name, instances[end]) == 0) ||
                (id != NULL && strcmp(id, instances[end]) == 0))
                add(files, end, sequence > 0 ? (uint64_t)sequence : 0, directory, file);
    }
    bool there = json_is_array(entries);
    json_decref(manifest);
    return there;
}

/* "web-1_02_45_37_3.pcapng" of web-1: true, and 3. */
static bool
is_segment_of(const char *name, const char *instance, uint64_t *ret_sequence)
{
    size_t length = strlen(instance);
    unsigned hour, minute, second, sequence;
    int end = 0;
    if (strncmp(name, instance, length) != 0 ||
        sscanf(name + length, "_%2u_%2u_%2u_%9u.pcapng%n", &hour, &minute, &second, &sequence, &end) != 4 ||
        end == 0)
        return false;
    *ret_sequence = sequence;
    return name[length + (size_t)end] == '\0' || strcmp(name + length + end, ".zst") == 0;
}

fc_err
cli_path_from_directory(const char *directory, const char *const instances[2], cli_path_job *job,
                        fc_fail *fail)
{
    list files = {0};
    uint64_t sequence;
    DIR *dir = opendir(directory);
    if (dir == NULL)
        return fc_fail_errno(fail, errno, "%.150s", directory);
    if (!by_manifest(dirfd(dir), directory, instances, &files))
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
            for (int end = 0; end < 2; end++)
                if (is_segment_of(entry->d_name, instances[end], &sequence))
                    add(&files, end, sequence, directory, entry->d_name);
    (void)closedir(dir);
    return settle(&files, directory, instances, job, fail);
}

/* ---- the fleet ---- */

/* Leaves only the files of the two instances in the list. */
static void
keep_instances(cli_files *files, const char *const instances[2])
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        const cli_file *file = &files->items[i];
        bool wanted = false;
        for (int end = 0; end < 2; end++)
            wanted = wanted || strcmp(file->instance_id, instances[end]) == 0 ||
                     strcmp(file->instance_name, instances[end]) == 0;
        if (wanted)
            files->items[kept++] = *file;
        else
            free(files->items[i].path);
    }
    files->count = kept;
}

static fc_err
list_fetched(const cli_download *download, const char *directory, const char *const instances[2], list *files,
             fc_fail *fail)
{
    for (size_t i = 0; i < download->count; i++) {
        const cli_fetch *fetch = &download->fetches[i];
        if (fetch->state != CLI_FETCH_DONE)
            return fc_fail_set(fail, fetch->why.err != FC_OK ? fetch->why.err : FC_ERR_PARTIAL, "%s",
                               fetch->why.err != FC_OK ? fetch->why.text : "a file was not fetched");
        for (int end = 0; end < 2; end++)
            if (strcmp(fetch->file->instance_id, instances[end]) == 0 ||
                strcmp(fetch->file->instance_name, instances[end]) == 0)
                add(files, end, fetch->file->segment.sequence, directory, fetch->local);
    }
    return FC_OK;
}

fc_err
cli_path_from_fleet(cli_run *run, const char *capture, const char *const instances[2], const char *directory,
                    cli_path_job *job, fc_fail *fail)
{
    cli_files remote = {0};
    list files = {0};
    uint32_t timeout_ms = 0;
    cli_download download = {
        .run = run, .capture_name = capture, .dir_fd = -1, .parallel = PARALLEL, .stall_ms = STALL_MS};
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_files(run->session, capture, timeout_ms, &remote, fail);
    if (err != FC_OK)
        goto out;
    keep_instances(&remote, instances);
    download.dir_fd = open(directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (download.dir_fd < 0) {
        err = fc_fail_errno(fail, errno, "%.150s", directory);
        goto out;
    }
    cli_download_plan(&remote, &download);
    err = cli_download_run(&download, fail);
    if (err == FC_OK)
        err = list_fetched(&download, directory, instances, &files, fail);
    char *where = fc_sprintf("capture %s", capture);
    fc_err settled = settle(&files, where, instances, job, err == FC_OK ? fail : NULL);
    err = err == FC_OK ? settled : err;
    free(where);
out:
    cli_download_fini(&download);
    cli_files_fini(&remote);
    if (download.dir_fd >= 0)
        close(download.dir_fd);
    return err;
}
