#include "cli/download.h"

#include "cli/progress.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECONNECT_MS = 60000,
    RETURN_MS = 60000, /* how long an instance that went away meanwhile is waited for: a node's longest
                          back-off is 15 s */
    AGAIN_MS = 1000,
    STEP_MS = 200,
    PROGRESS_MS = 200,
};

/* ---- the plan ---- */

static bool
name_taken(const cli_download *download, const char *name)
{
    for (size_t i = 0; i < download->count; i++)
        if (download->fetches[i].local != NULL && strcmp(download->fetches[i].local, name) == 0)
            return true;
    return false;
}

static int
compare_files(const void *left, const void *right)
{
    const cli_file *a = *(const cli_file *const *)left, *b = *(const cli_file *const *)right;
    int by_id = strcmp(a->instance_id, b->instance_id);
    if (by_id != 0)
        return by_id;
    return a->segment.sequence < b->segment.sequence ? -1 : a->segment.sequence > b->segment.sequence;
}

/* The name that the instance gave it, unless that is no name, or another instance has one like it: then that
 * with the instance's id before it. The same list gives the same names, so that a later run finds what is
 * there. */
static void
choose_name(cli_download *download, cli_fetch *fetch)
{
    const char *name = cli_local_name(fetch->file->segment.path);
    char *longer = name != NULL ? fc_sprintf("%s.%s", fetch->file->instance_id, name) : NULL;
    if (name != NULL && !name_taken(download, name))
        fetch->local = fc_strdup(name);
    else if (longer != NULL && cli_local_name_check(longer) && !name_taken(download, longer))
        fetch->local = fc_strdup(longer);
    else {
        fetch->state = CLI_FETCH_FAILED;
        (void)fc_fail_set(&fetch->why, FC_ERR_DENIED, "%s calls a file \"%.80s\", which is refused as a name",
                          fetch->file->instance_name, fetch->file->segment.path);
    }
    free(longer);
}

void
cli_download_plan(const cli_files *files, cli_download *download)
{
    const cli_file **sorted = fc_alloc_array(files->count, sizeof(const cli_file *));
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].segment.sealed && !files->items[i].segment.removed)
            sorted[count++] = &files->items[i];
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, compare_files);
    download->fetches = fc_alloc_array(count, sizeof *download->fetches);
    for (size_t i = 0; i < count; i++) {
        cli_fetch *fetch = &download->fetches[i];
        *fetch = (cli_fetch){.file = sorted[i], .landing = {.fd = -1}, .download = download};
        choose_name(download, fetch);
        download->count++;
    }
    free(sorted);
}

void
cli_download_fini(cli_download *download)
{
    for (size_t i = 0; i < download->count; i++) {
        cli_landing_close(&download->fetches[i].landing);
        free(download->fetches[i].local);
    }
    free(download->fetches);
    download->fetches = NULL;
    download->count = 0;
}

/* ---- one file ---- */

static void
end_fetch(cli_fetch *fetch, cli_fetch_state state)
{
    if (fetch->state == CLI_FETCH_RUNNING)
        fetch->download->running--;
    fetch->state = state;
    cli_landing_close(&fetch->landing);
}

static fc_loop *
loop_of(const cli_fetch *fetch)
{
    return cli_session_loop(fetch->download->run->session);
}

static void
done(cli_fetch *fetch)
{
    fetch->verified = fetch->file->segment.hashed;
    if (!fetch->verified)
        (void)fc_fail_set(&fetch->why, FC_ERR_CORRUPT, "%s has not told the SHA-256 of %s yet",
                          fetch->file->instance_name, fetch->local);
    end_fetch(fetch, CLI_FETCH_DONE);
}

static bool
on_data(uint64_t offset, const void *bytes, size_t size, void *user)
{
    cli_fetch *fetch = user;
    const fc_segment *segment = &fetch->file->segment;
    fetch->last_data = fc_loop_now(loop_of(fetch));
    fetch->lost_since.ns = 0;
    if (offset != fetch->landing.size || size > segment->size_bytes - fetch->landing.size) {
        (void)fc_fail_set(&fetch->why, FC_ERR_PROTOCOL, "%s sent other bytes of %s than were asked for",
                          fetch->file->instance_name, fetch->local);
        return false;
    }
    fetch->download->fetched_bytes += size;
    return cli_landing_write(&fetch->landing, bytes, size, &fetch->why) == FC_OK;
}

static void
start_reading(cli_fetch *fetch);

/* All bytes are there. A file that was gone on with may have begun as another: then once more from the start.
 */
static void
verify(cli_fetch *fetch)
{
    uint8_t sha256[32];
    fc_err err = cli_landing_finish(&fetch->landing, &fetch->file->segment, sha256, &fetch->why);
    if (err == FC_OK) {
        done(fetch);
        return;
    }
    if (err == FC_ERR_CORRUPT) {
        bool again = fetch->landing.resumed;
        err = cli_landing_restart(&fetch->landing, &fetch->why);
        if (again && err == FC_OK && cli_session_conn(fetch->download->run->session) != NULL) {
            start_reading(fetch);
            return;
        }
    }
    end_fetch(fetch, CLI_FETCH_FAILED);
}

static void
on_end(const fc_fail *how, void *user)
{
    cli_fetch *fetch = user;
    fetch->read = NULL;
    if (how->err == FC_OK) {
        verify(fetch);
        return;
    }
    fc_mono now = fc_loop_now(loop_of(fetch));
    if (how->err == FC_ERR_UNAVAILABLE && fetch->lost_since.ns == 0)
        fetch->lost_since = now;
    if (how->err == FC_ERR_UNAVAILABLE && now.ns - fetch->lost_since.ns < RETURN_MS * FC_NS_PER_MS) {
        /* Lost on the way: what is there stays, and is gone on with. */
        fetch->again = fc_mono_after_ms(now, AGAIN_MS);
        end_fetch(fetch, CLI_FETCH_WAITING);
        return;
    }
    if (fetch->why.err == FC_OK)
        (void)fc_fail_set(&fetch->why, how->err, "%s", how->text);
    end_fetch(fetch, CLI_FETCH_FAILED);
}

static const cli_read_ops read_ops = {.on_data = on_data, .on_end = on_end};

static void
start_reading(cli_fetch *fetch)
{
    cli_download *download = fetch->download;
    memset(&fetch->why, 0, sizeof fetch->why);
    fetch->last_data = fc_loop_now(loop_of(fetch));
    fetch->read = cli_rpc_read(download->run->session, download->capture_name, fetch->file,
                               fetch->landing.size, &read_ops, fetch);
}

static void
begin(cli_fetch *fetch)
{
    cli_download *download = fetch->download;
    fetch->state = CLI_FETCH_RUNNING;
    download->running++;
    if (cli_landing_open(download->dir_fd, fetch->local, &fetch->file->segment, &fetch->landing,
                         &fetch->why) != FC_OK)
        end_fetch(fetch, CLI_FETCH_FAILED);
    else if (fetch->landing.complete)
        done(fetch);
    else if (fetch->landing.size == fetch->file->segment.size_bytes)
        verify(fetch);
    else if (!fetch->file->online) {
        (void)fc_fail_set(&fetch->why, FC_ERR_UNAVAILABLE, "%s is offline", fetch->file->instance_name);
        end_fetch(fetch, CLI_FETCH_FAILED);
    } else
        start_reading(fetch);
}

/* ---- all of them ---- */

static bool
start_more(cli_download *download)
{
    bool waiting = false;
    fc_mono now = fc_loop_now(cli_session_loop(download->run->session));
    for (size_t i = 0; i < download->count; i++) {
        if (download->fetches[i].state != CLI_FETCH_WAITING)
            continue;
        if (download->fetches[i].again.ns <= now.ns && download->running < download->parallel &&
            cli_session_conn(download->run->session) != NULL)
            begin(&download->fetches[i]);
        waiting = waiting || download->fetches[i].state == CLI_FETCH_WAITING;
    }
    return waiting || download->running > 0;
}

static void
cancel_stalled(cli_download *download, bool all)
{
    int64_t now = fc_loop_now(cli_session_loop(download->run->session)).ns;
    for (size_t i = 0; i < download->count; i++) {
        cli_fetch *fetch = &download->fetches[i];
        if (fetch->read == NULL)
            continue;
        bool stalled = now - fetch->last_data.ns > (int64_t)download->stall_ms * FC_NS_PER_MS;
        if (stalled && fetch->why.err == FC_OK)
            (void)fc_fail_set(&fetch->why, FC_ERR_TIMEOUT, "%s sent nothing of %s for %.0f s",
                              fetch->file->instance_name, fetch->local, download->stall_ms / 1000.0);
        if (stalled || all)
            cli_read_cancel(fetch->read);
    }
}

static void
show_progress(const cli_download *download, fc_mono started)
{
    size_t ended = 0;
    uint64_t present = 0, wanted = 0;
    for (size_t i = 0; i < download->count; i++) {
        const cli_fetch *fetch = &download->fetches[i];
        ended += fetch->state == CLI_FETCH_DONE || fetch->state == CLI_FETCH_FAILED;
        wanted += fetch->file->segment.size_bytes;
        present += fetch->state == CLI_FETCH_DONE ? fetch->file->segment.size_bytes : fetch->landing.size;
    }
    char have[FC_SIZE_TEXT], all[FC_SIZE_TEXT], rate[FC_SIZE_TEXT];
    double seconds =
        (double)(fc_loop_now(cli_session_loop(download->run->session)).ns - started.ns) / FC_NS_PER_S;
    cli_progress(&download->run->out, "%s: %zu of %zu files, %s of %s, %s/s", download->capture_name, ended,
                 download->count, fc_size_text(present, have), fc_size_text(wanted, all),
                 fc_size_text(seconds > 0 ? (uint64_t)((double)download->fetched_bytes / seconds) : 0, rate));
}

fc_err
cli_download_run(cli_download *download, fc_fail *fail)
{
    cli_session *session = download->run->session;
    fc_loop *loop = cli_session_loop(session);
    fc_mono started = fc_loop_now(loop), shown = {0};
    fc_err err = FC_OK;
    bool stopping = false;
    while (stopping ? download->running > 0 : start_more(download)) {
        if (!stopping && cli_session_interrupted(session)) {
            err = fc_fail_set(fail, FC_ERR_CANCELLED, "interrupted");
            stopping = true;
        }
        if (!stopping && cli_session_conn(session) == NULL && download->running == 0) {
            err = cli_session_reconnect(session, fc_mono_after_ms(fc_loop_now(loop), RECONNECT_MS), fail);
            stopping = err != FC_OK;
            continue;
        }
        cancel_stalled(download, stopping);
        if (fc_loop_now(loop).ns - shown.ns > PROGRESS_MS * FC_NS_PER_MS) {
            shown = fc_loop_now(loop);
            show_progress(download, started);
        }
        fc_loop_step(loop, STEP_MS);
    }
    cli_progress_clear();
    return err;
}
