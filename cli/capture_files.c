/* fleetcap capture files and download */
#include "cli/capture_wait.h"
#include "cli/download.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_TIMEOUT_MS = 30000,
    STALL_MS = 60000,
    HASH_WAIT_MS = 30000,
    HASH_AGAIN_MS = 500,
    PARALLEL_DEFAULT = 8,
    PARALLEL_MAX = 64,
    NAMES_SHOWN = 5,
};

/* Everything that both commands ask for. */
typedef struct evidence {
    const char *name; /* borrowed */
    uint32_t timeout_ms;
    fc_strings include;
    cli_capture capture;
    cli_statuses statuses;
    cli_files files;
} evidence;

static void
evidence_fini(evidence *e)
{
    fc_strings_fini(&e->include);
    cli_capture_fini(&e->capture);
    cli_statuses_fini(&e->statuses);
    cli_files_fini(&e->files);
}

static bool
chosen(const fc_strings *include, const char *id, const char *name)
{
    return include->count == 0 || fc_strings_have(include, id) || fc_strings_have(include, name);
}

static fc_err
check_include(const evidence *e, fc_fail *fail)
{
    for (size_t i = 0; i < e->include.count; i++) {
        bool known = false;
        for (size_t j = 0; j < e->statuses.count && !known; j++)
            known = strcmp(e->statuses.items[j].instance_id, e->include.items[i]) == 0 ||
                    strcmp(e->statuses.items[j].instance_name, e->include.items[i]) == 0;
        if (!known)
            return fc_fail_set(fail, FC_ERR_NOT_FOUND, "capture %s has no instance \"%.80s\"", e->name,
                               e->include.items[i]);
    }
    return FC_OK;
}

static fc_err
list_files(cli_run *run, evidence *e, fc_fail *fail)
{
    cli_files_fini(&e->files);
    fc_err err = cli_rpc_files(run->session, e->name, e->timeout_ms, &e->files, fail);
    size_t kept = 0;
    for (size_t i = 0; i < e->files.count; i++) {
        cli_file *file = &e->files.items[i];
        if (!file->segment.removed && chosen(&e->include, file->instance_id, file->instance_name))
            e->files.items[kept++] = *file;
        else
            free(file->path);
    }
    e->files.count = kept;
    return err;
}

static fc_err
gather_evidence(cli_run *run, evidence *e, fc_fail *fail)
{
    fc_err err = cli_name_of(&run->args, &e->name, fail);
    cli_args_list(&run->args, CLI_INCLUDE, &e->include);
    if (err == FC_OK)
        err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &e->timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_get(run->session, e->name, e->timeout_ms, &e->capture, fail);
    if (err == FC_OK)
        err = cli_rpc_statuses(run->session, e->name, e->timeout_ms, &e->statuses, fail);
    if (err == FC_OK)
        err = check_include(e, fail);
    size_t kept = 0;
    for (size_t i = 0; i < e->statuses.count; i++) {
        fc_status *status = &e->statuses.items[i];
        if (chosen(&e->include, status->instance_id, status->instance_name))
            e->statuses.items[kept++] = *status;
        else
            fc_status_fini(status);
    }
    e->statuses.count = kept;
    return err == FC_OK ? list_files(run, e, fail) : err;
}

/* ---- files ---- */

static const fc_status *
status_of(const cli_statuses *statuses, const char *instance_id)
{
    for (size_t i = 0; i < statuses->count; i++)
        if (strcmp(statuses->items[i].instance_id, instance_id) == 0)
            return &statuses->items[i];
    return NULL;
}

static const char *
file_state(const fc_segment *segment)
{
    return !segment->sealed ? "writing" : segment->repaired ? "repaired" : "finished";
}

static cli_table *
files_table(const evidence *e, bool exact)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 0},
        {"SEQUENCE", CLI_RIGHT, 5},
        {"STATE", 0, 3},
        {"SIZE", CLI_RIGHT, 0},
        {"PACKETS", CLI_RIGHT, 0},
        {"DROPS", CLI_TABLE_ONLY, 2},
        {"FIRST PACKET", CLI_WHEN_SET, 7},
        {"LAST PACKET", CLI_WHEN_SET, 6},
        {"SHA256", CLI_WHEN_SET, 8},
        {"PATH", 0, 0},
        {"DROPPED KERNEL", CLI_TSV_ONLY, 0},
        {"DROPPED WRITER", CLI_TSV_ONLY, 0},
        {"INTERFACE DROPPED", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < e->files.count; i++) {
        const cli_file *file = &e->files.items[i];
        const fc_segment *segment = &file->segment;
        const fc_status *status = status_of(&e->statuses, file->instance_id);
        fc_counters none = {0};
        const fc_counters *counters = status != NULL ? &status->counters : &none;
        char size[FC_SIZE_TEXT], time[FC_TIME_TEXT_SIZE], hex[FC_HEX_SIZE(32)];
        char *drops = cli_drops_text(counters);
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", file->instance_name);
        cli_table_cell(table, 1, "%" PRIu32, segment->sequence);
        cli_table_cell(table, 2, "%s%s", file_state(segment), file->online || exact ? "" : " (offline)");
        if (exact)
            cli_table_cell(table, 3, "%" PRIu64, segment->size_bytes);
        else
            cli_table_cell(table, 3, "%s", fc_size_text(segment->size_bytes, size));
        cli_table_cell(table, 4, "%" PRIu64, segment->packets);
        cli_table_cell(table, 5, "%s", drops);
        cli_table_cell(table, 6, "%s", fc_wall_text(segment->first_packet, time));
        cli_table_cell(table, 7, "%s", fc_wall_text(segment->last_packet, time));
        fc_hex_text(segment->sha256, 32, hex);
        cli_table_cell(table, 8, "%s", segment->hashed ? hex : "-");
        cli_table_cell(table, 9, "%s", file->path);
        cli_table_cell(table, 10, "%" PRIu64, counters->dropped_kernel);
        cli_table_cell(table, 11, "%" PRIu64, counters->dropped_writer);
        cli_table_cell(table, 12, "%" PRIu64, counters->interface_dropped);
        free(drops);
    }
    return table;
}

static json_t *
files_json(const evidence *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->files.count; i++) {
        const cli_file *file = &e->files.items[i];
        const fc_status *status = status_of(&e->statuses, file->instance_id);
        json_t *tree = fc_segment_to_json(&file->segment);
        json_object_set_new(tree, "captureName", json_string(e->name));
        json_object_set_new(tree, "instance", json_string(file->instance_name));
        json_object_set_new(tree, "instanceId", json_string(file->instance_id));
        fc_json_set(tree, "path", fc_json_text(file->path));
        json_object_set_new(tree, "online", json_boolean(file->online));
        fc_json_set(tree, "instanceCounters",
                    status != NULL ? fc_counters_to_json(&status->counters) : json_null());
        json_array_append_new(list, tree);
    }
    return list;
}

fc_err
cli_capture_files(cli_run *run, fc_fail *fail)
{
    evidence e = {0};
    fc_err err = gather_evidence(run, &e, fail);
    if (err != FC_OK)
        goto out;
    if (run->out.format == CLI_JSON)
        cli_out_json(files_json(&e), false);
    else
        cli_out_table(&run->out, files_table(&e, run->out.format == CLI_TSV));
    if (e.files.count == 0)
        cli_note(&run->out, "capture %s has no files yet", e.name);
out:
    evidence_fini(&e);
    return err;
}

/* ---- download ---- */

/* mkdir -p, and the directory itself. */
static fc_err
open_directory(const char *path, int *ret_fd, fc_fail *fail)
{
    char *copy = fc_strdup(path);
    for (char *at = copy + 1; *copy != '\0' && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(copy, 0777);
        *at = '/';
    }
    (void)mkdir(copy, 0777);
    int fd = open(copy, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    free(copy);
    if (fd < 0) { /* whatever the cause: "not found" is for what a fleet lacks */
        (void)fc_fail_errno(fail, errno, "cannot make the directory %s", path);
        return FC_ERR_IO;
    }
    *ret_fd = fd;
    return FC_OK;
}

static size_t
unhashed(const cli_files *files)
{
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++)
        count += files->items[i].segment.sealed && !files->items[i].segment.hashed && files->items[i].online;
    return count;
}

/* Instances hash a file after they have sealed it: shortly after a stop some hashes are still to come. */
static fc_err
await_hashes(cli_run *run, evidence *e, fc_fail *fail)
{
    fc_loop *loop = cli_session_loop(run->session);
    fc_mono due = fc_mono_after_ms(fc_loop_now(loop), HASH_WAIT_MS);
    fc_err err = FC_OK;
    while (err == FC_OK && unhashed(&e->files) > 0 && fc_loop_now(loop).ns < due.ns) {
        cli_progress(&run->out, "%s: %zu files are still being hashed on their instances", e->name,
                     unhashed(&e->files));
        fc_mono again = fc_mono_after_ms(fc_loop_now(loop), HASH_AGAIN_MS);
        while (fc_loop_now(loop).ns < again.ns && !cli_session_interrupted(run->session))
            fc_loop_step(loop, HASH_AGAIN_MS);
        err = list_files(run, e, fail);
    }
    cli_progress_clear();
    return err;
}

static fc_err
write_manifest(const cli_run *run, const evidence *e, const cli_download *download,
               const cli_instances *instances, fc_fail *fail)
{
    cli_manifest_file *files = fc_alloc_array(download->count, sizeof *files);
    for (size_t i = 0; i < download->count; i++) {
        const cli_fetch *fetch = &download->fetches[i];
        files[i] = (cli_manifest_file){.file = fetch->file,
                                       .local = fetch->local,
                                       .fetched = fetch->state == CLI_FETCH_DONE,
                                       .verified = fetch->verified,
                                       .problem = fetch->why.err != FC_OK ? fetch->why.text : NULL};
    }
    cli_manifest manifest = {.fleet = cli_session_fleet(run->session),
                             .now = fc_clock_wall(&fc_clock_system),
                             .capture = &e->capture,
                             .statuses = &e->statuses,
                             .instances = instances,
                             .files = files,
                             .file_count = download->count};
    json_t *tree = cli_manifest_json(&manifest);
    char *text = json_dumps(tree, JSON_INDENT(2));
    char *lines = fc_sprintf("%s\n", text != NULL ? text : "");
    fc_err err = fc_file_write_atomic(download->dir_fd, "manifest.json", lines, strlen(lines), 0640, fail);
    if (run->out.format == CLI_JSON && err == FC_OK)
        cli_out_json(json_incref(tree), false);
    free(lines);
    free(text);
    free(files);
    json_decref(tree);
    return err;
}

static void
print_download(const cli_run *run, const evidence *e, const cli_download *download, const char *directory)
{
    size_t fetched = 0, writing = 0;
    uint64_t bytes = 0;
    char size[FC_SIZE_TEXT];
    fc_buf text = {0};
    for (size_t i = 0; i < download->count; i++) {
        fetched += download->fetches[i].state == CLI_FETCH_DONE;
        bytes +=
            download->fetches[i].state == CLI_FETCH_DONE ? download->fetches[i].file->segment.size_bytes : 0;
    }
    for (size_t i = 0; i < e->files.count; i++)
        writing += !e->files.items[i].segment.sealed;
    if (run->out.format == CLI_TSV) {
        fc_buf_printf(&text, "instance\tsequence\tfile\tsize\tverified\tproblem\n");
        for (size_t i = 0; i < download->count; i++) {
            const cli_fetch *fetch = &download->fetches[i];
            char *problem = cli_safe_text(fetch->why.err != FC_OK ? fetch->why.text : "");
            fc_buf_printf(&text, "%s\t%" PRIu32 "\t%s\t%" PRIu64 "\t%s\t%s\n", fetch->file->instance_name,
                          fetch->file->segment.sequence, fetch->state == CLI_FETCH_DONE ? fetch->local : "",
                          fetch->file->segment.size_bytes, fetch->verified ? "true" : "false", problem);
            free(problem);
        }
    } else if (run->out.format == CLI_TABLE) {
        char *files = cli_count_text(download->count, "file");
        if (download->count == 0)
            fc_buf_printf(&text, "Capture %s has no finished file: only manifest.json is in %s.\n", e->name,
                          directory);
        else
            fc_buf_printf(&text, "%zu of %s (%s) of capture %s in %s, with manifest.json.\n", fetched, files,
                          fc_size_text(bytes, size), e->name, directory);
        free(files);
        if (writing > 0) {
            files = cli_count_text(writing, "file");
            fc_buf_printf(&text, "%s %s still being written and left out: stop the capture to get %s.\n",
                          files, writing == 1 ? "is" : "are", writing == 1 ? "it" : "them");
            free(files);
        }
    }
    cli_out_write(&text);
    fc_buf_fini(&text);
}

static fc_err
missing_files(const evidence *e, const cli_download *download, fc_fail *fail)
{
    fc_strings instances = {0};
    size_t missing = 0;
    const char *why = NULL;
    for (size_t i = 0; i < download->count; i++) {
        const cli_fetch *fetch = &download->fetches[i];
        if (fetch->state == CLI_FETCH_DONE && fetch->verified)
            continue;
        missing++;
        why = why == NULL && fetch->why.err != FC_OK ? fetch->why.text : why;
        fc_strings_add_new(&instances, fetch->file->instance_name);
    }
    fc_err err = FC_OK;
    if (missing > 0) {
        char *names = cli_names_text(instances.items, instances.count, NAMES_SHOWN);
        err = fc_fail_set(fail, FC_ERR_PARTIAL,
                          "%zu of %zu files of capture %s are missing or not verified (%s): %s", missing,
                          download->count, e->name, names, why != NULL ? why : "not fetched");
        free(names);
    }
    fc_strings_fini(&instances);
    return err;
}

static fc_err
download_all(cli_run *run, evidence *e, const char *directory, unsigned parallel, fc_fail *fail)
{
    cli_instances instances = {0};
    fc_fail ignored = {0};
    uint64_t stall_ms = STALL_MS;
    cli_download download = {.run = run, .capture_name = e->name, .dir_fd = -1, .parallel = parallel};
    fc_err err = cli_args_duration(&run->args, CLI_TIMEOUT, &stall_ms, fail);
    download.stall_ms = (uint32_t)stall_ms;
    if (err == FC_OK)
        err = await_hashes(run, e, fail);
    if (err == FC_OK)
        err = open_directory(directory, &download.dir_fd, fail);
    if (err != FC_OK)
        goto out;
    cli_download_plan(&e->files, &download);
    err = cli_download_run(&download, fail);
    if (err == FC_ERR_CANCELLED)
        goto out;
    if (e->capture.has_definition && err == FC_OK)
        (void)!cli_rpc_instances(run->session, &e->capture.definition.target, e->timeout_ms, &instances,
                                 &ignored);
    /* Also after a failure: what is there is evidence, and the manifest says what is missing. */
    fc_fail manifest_fail = {0};
    fc_err written = write_manifest(run, e, &download, &instances, &manifest_fail);
    print_download(run, e, &download, directory);
    if (err == FC_OK)
        err = written == FC_OK ? missing_files(e, &download, fail) : fc_fail_copy(fail, &manifest_fail);
out:
    cli_download_fini(&download);
    cli_instances_fini(&instances);
    if (download.dir_fd >= 0)
        close(download.dir_fd);
    return err;
}

fc_err
cli_capture_download(cli_run *run, fc_fail *fail)
{
    evidence e = {0};
    uint64_t parallel = PARALLEL_DEFAULT;
    const char *directory = cli_args_text(&run->args, CLI_DOWNLOAD_DIR);
    fc_err err = cli_args_number(&run->args, CLI_PARALLEL, 1, PARALLEL_MAX, &parallel, fail);
    if (err == FC_OK && directory != NULL && *directory == '\0')
        err = fc_fail_set(fail, FC_ERR_INVALID, "--dir is empty");
    if (err == FC_OK)
        err = gather_evidence(run, &e, fail);
    if (err == FC_OK)
        err = download_all(run, &e, directory != NULL ? directory : e.name, (unsigned)parallel, fail);
    if (err == FC_ERR_CANCELLED)
        err = fc_fail_set(
            fail, err,
            "interrupted, but capture %s goes on if it runs: stop it with fleetcap capture stop %s, and "
            "the same download goes on where this one ended",
            e.name, e.name);
    evidence_fini(&e);
    return err;
}
