/* fleetcap path: two ends, one conversation. */
#include "cli/path_files.h"
#include "cli/path_view.h"
#include "cli/run.h"
#include "cli/worker_path.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "web-1" of "captures/web-1.pcapng.zst". Owned. */
static char *
name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strchr(name, '.');
    size_t length = dot != NULL && dot > name ? (size_t)(dot - name) : strlen(name);
    return fc_strndup(name, length);
}

/* A directory of our own for what is fetched and not kept. */
static fc_err
make_directory(char **ret_directory, fc_fail *fail)
{
    const char *place = getenv("TMPDIR");
    char *directory = fc_sprintf("%s/fleetcap-path.XXXXXX", place != NULL && *place != '\0' ? place : "/tmp");
    if (mkdtemp(directory) == NULL) {
        fc_err err = fc_fail_errno(fail, errno, "cannot make the directory %.150s", directory);
        free(directory);
        return err;
    }
    *ret_directory = directory;
    return FC_OK;
}

/* Plain files in it, and the directory. Frees its name; NULL is legal. */
static void
remove_directory(char *directory)
{
    DIR *dir = directory != NULL ? opendir(directory) : NULL;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL) {
        (void)closedir(dir);
        (void)rmdir(directory);
    }
    free(directory);
}

/* One operand: a directory, or the name of a capture on the fleet. */
static fc_err
find_instances(cli_run *run, const char *what, cli_path_job *job, char **temporary, fc_fail *fail)
{
    const char *const instances[2] = {cli_args_text(&run->args, CLI_FROM), cli_args_text(&run->args, CLI_TO)};
    const char *directory = cli_args_text(&run->args, CLI_KEEP_DIR);
    struct stat status;
    bool there = stat(what, &status) == 0;
    if (there && !S_ISDIR(status.st_mode))
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "\"%.150s\" is one file: path needs that of the other end, too", what);
    if (instances[0] == NULL || instances[1] == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s is missing: which instance of \"%.80s\" is the %s end",
                           instances[0] == NULL ? "--from" : "--to", what,
                           instances[0] == NULL ? "near" : "far");
    if (strcmp(instances[0], instances[1]) == 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "--from and --to are both \"%.80s\"", instances[0]);
    if (there)
        return cli_path_from_directory(what, instances, job, fail);
    if (!fc_name_check(what))
        return fc_fail_set(fail, FC_ERR_NOT_FOUND,
                           "%.150s: there is no such directory, and it is no name of a capture", what);
    fc_err err = FC_OK;
    if (directory == NULL)
        err = make_directory(temporary, fail);
    else if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        err = fc_fail_errno(fail, errno, "cannot make the directory %.150s", directory);
    if (err == FC_OK)
        err =
            cli_path_from_fleet(run, what, instances, directory != NULL ? directory : *temporary, job, fail);
    return err;
}

static fc_err
find_files(cli_run *run, cli_path_job *job, char **temporary, fc_fail *fail)
{
    const fc_strings *operands = &run->args.operands;
    if (operands->count == 1)
        return find_instances(run, operands->items[0], job, temporary, fail);
    if (cli_args_has(&run->args, CLI_FROM) || cli_args_has(&run->args, CLI_TO) ||
        cli_args_has(&run->args, CLI_KEEP_DIR))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "--from, --to and --dir are for a capture; with two files the first one is the near end");
    for (int end = 0; end < 2; end++) {
        fc_strings_add(&job->files[end], operands->items[end]);
        job->names[end] = name_of(operands->items[end]);
    }
    return FC_OK;
}

static void
print_text(const cli_run *run, const json_t *result, const fc_strings *notes)
{
    bool everything = cli_args_has(&run->args, CLI_EVERYTHING);
    fc_buf text = {0};
    if (run->out.format == CLI_TSV) {
        cli_out_table(&run->out, cli_path_table(result, everything, true));
        cli_aside(&run->out, notes);
        return;
    }
    cli_path_head(&run->out, result, cli_args_has(&run->args, CLI_LOSSLESS), &text);
    cli_out_write(&text);
    cli_table *table = cli_path_table(result, everything, false);
    if (cli_table_rows(table) > 0)
        cli_out_table(&run->out, table);
    else
        cli_table_free(table);
    cli_path_tail(&run->out, result, everything, notes, &text);
    cli_out_write(&text);
    fc_buf_fini(&text);
}

fc_err
cli_path(cli_run *run, fc_fail *fail)
{
    cli_path_job job = {.lossless = cli_args_has(&run->args, CLI_LOSSLESS)};
    fc_strings notes = {0};
    json_t *result = NULL;
    char *temporary = NULL; /* owned: a directory */
    fc_err err = find_files(run, &job, &temporary, fail);
    if (err == FC_OK)
        err = cli_worker_path(&job, &result, &notes, fail);
    if (err != FC_OK)
        goto out;
    if (run->out.format == CLI_JSON) {
        json_object_set_new(result, "notes", fc_json_texts(notes.items, notes.count));
        cli_out_json(json_incref(result), false);
    } else {
        print_text(run, result, &notes);
    }
out:
    json_decref(result);
    fc_strings_fini(&notes);
    cli_path_job_fini(&job);
    remove_directory(temporary);
    return err;
}
