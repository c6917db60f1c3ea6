/* Evidence from a capture on the fleet: the profiles and contexts that its instances reported. */
#include "cli/evidence.h"

#include "cli/rpc_capture.h"
#include "cli/rpc_evidence.h"
#include "cli/run.h"
#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ANSWER_TIMEOUT_MS = 60000,
    /* How long the last profiles of a capture that has just stopped are waited for: a starved instance takes
     * five seconds for its own (CAP_PROFILE_LAST_MS), and some for its report. */
    LAST_PROFILE_MS = 8000,
    LAST_PROFILE_AGAIN_MS = 100,
    JUST_STOPPED_MS = 15000, /* by our clock: the instances' may differ a little */
};

typedef struct gathering {
    cli_evidence_set *evidence;
    size_t running; /* instances that have not finished */
} gathering;

static cli_evidence_item *
item_of(cli_evidence_set *evidence, const char *id)
{
    for (size_t i = 0; i < evidence->count; i++)
        if (strcmp(evidence->items[i].id, id) == 0)
            return &evidence->items[i];
    return cli_evidence_add(evidence);
}

static void
keep(char **text, const char *value)
{
    free(*text);
    *text = fc_strdup(value);
}

/* What is too long for its kind is none. */
static void
keep_bytes(fc_buf *to, cli_bytes from, size_t limit)
{
    fc_buf_clear(to);
    if (from.size <= limit)
        fc_buf_append(to, from.data, from.size);
}

static bool
has_just_stopped(const fc_status *status)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ns = now.tv_sec * FC_NS_PER_S + now.tv_nsec - status->stop.ns;
    return status->state == FC_STATE_STOPPED && status->stop.ns > 0 &&
           age_ns < JUST_STOPPED_MS * FC_NS_PER_MS && age_ns > -JUST_STOPPED_MS * FC_NS_PER_MS;
}

static void
take_instance(const cli_evidence *from, void *user)
{
    gathering *into = user;
    const fc_status *status = &from->status;
    cli_evidence_item *item = item_of(into->evidence, status->instance_id);
    keep(&item->id, status->instance_id);
    keep(&item->name, *status->instance_name != '\0' ? status->instance_name : status->instance_id);
    keep(&item->region, status->region);
    keep(&item->capture, status->capture_name);
    free(item->problem);
    item->problem = cli_evidence_problem(status);
    item->last_profile_due = has_just_stopped(status);
    item->clock_offset_ns = from->clock_offset_ns;
    item->clock_bound_ns = from->clock_bound_ns;
    fc_labels_fini(&item->labels);
    for (size_t i = 0; i < from->labels.count; i++)
        fc_labels_set(&item->labels, from->labels.items[i].key, from->labels.items[i].value);
    keep_bytes(&item->profile, from->profile, FC_PROFILE_PACKED_MAX);
    keep_bytes(&item->context_start, from->context_start, FC_CONTEXT_PACKED_MAX);
    keep_bytes(&item->context_stop, from->context_stop, FC_CONTEXT_PACKED_MAX);
    into->running += status->state == FC_STATE_RUNNING || status->state == FC_STATE_STOPPING;
}

/* A profile that cannot be read is none, and its instance says so. Returns how many last ones are still to
 * come: those know when the capture ended. */
static size_t
check_profiles(cli_evidence_set *evidence)
{
    size_t due = 0;
    for (size_t i = 0; i < evidence->count; i++) {
        cli_evidence_item *item = &evidence->items[i];
        fc_profile *profile = NULL;
        fc_fail why = {0};
        const uint8_t *data = fc_buf_bytes(&item->profile);
        size_t size = fc_buf_size(&item->profile);
        if (size > 0 && fc_profile_unpack(data, size, &profile, &why) != FC_OK) {
            fc_buf_clear(&item->profile);
            if (item->problem == NULL)
                item->problem = fc_sprintf("its profile cannot be read: %s", why.text);
        }
        due += item->last_profile_due && (profile == NULL || profile->subject.end_ns == 0);
        fc_profile_free(profile);
    }
    return due;
}

static fc_err
gather(struct cli_run *run, const char *capture_name, uint32_t timeout_ms, gathering *into, fc_fail *fail)
{
    fc_loop *loop = cli_session_loop(run->session);
    fc_mono due = fc_mono_after_ms(fc_loop_now(loop), LAST_PROFILE_MS);
    for (;;) {
        into->running = 0;
        fc_err err = cli_rpc_evidence(run->session, capture_name, timeout_ms, take_instance, into, fail);
        if (err != FC_OK || check_profiles(into->evidence) == 0 || fc_loop_now(loop).ns >= due.ns)
            return err;
        fc_mono again = fc_mono_after_ms(fc_loop_now(loop), LAST_PROFILE_AGAIN_MS);
        while (fc_loop_now(loop).ns < again.ns && !cli_session_interrupted(run->session))
            fc_loop_step(loop, LAST_PROFILE_AGAIN_MS);
    }
}

static void
keep_capture(cli_evidence_set *evidence, const cli_capture *capture)
{
    evidence->capture_name = fc_strdup(capture->name);
    evidence->capture_uid = fc_strdup(capture->uid);
    evidence->created_ns = capture->created.ns;
    evidence->filter = capture->compiled_filter != NULL && *capture->compiled_filter != '\0'
                           ? fc_strdup(capture->compiled_filter)
                           : NULL;
    if (!capture->has_definition)
        return;
    json_t *tree = fc_definition_to_json(&capture->definition);
    char *text = json_dumps(tree, JSON_INDENT(2));
    evidence->definition = fc_strdup(text);
    free(text);
    json_decref(tree);
}

/* Hashes and sizes are the report's provenance; it can be made without them. */
static void
add_files(cli_evidence_set *evidence, cli_session *session, uint32_t timeout_ms)
{
    cli_files files = {0};
    fc_fail ignored = {0};
    fc_err err = cli_rpc_files(session, evidence->capture_name, timeout_ms, &files, &ignored);
    for (size_t i = 0; err == FC_OK && i < files.count; i++) {
        const fc_segment *segment = &files.items[i].segment;
        const char *slash = strrchr(segment->path, '/');
        for (size_t j = 0; j < evidence->count; j++) {
            if (strcmp(evidence->items[j].id, files.items[i].instance_id) != 0)
                continue;
            cli_evidence_file *file =
                cli_evidence_add_file(evidence, j, slash != NULL ? slash + 1 : segment->path);
            file->size_bytes = segment->size_bytes;
            if (segment->hashed) {
                file->sha256 = fc_alloc(FC_HEX_SIZE(32));
                fc_hex_text(segment->sha256, 32, file->sha256);
            }
            break;
        }
    }
    cli_files_fini(&files);
}

fc_err
cli_evidence_fleet(struct cli_run *run, const char *capture_name, cli_evidence_set *ret, fc_fail *fail)
{
    uint32_t timeout_ms = 0;
    cli_capture capture = {0};
    gathering into = {.evidence = ret};
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_get(run->session, capture_name, timeout_ms, &capture, fail);
    if (err == FC_OK)
        err = gather(run, capture_name, timeout_ms, &into, fail);
    if (err == FC_OK && ret->count == 0)
        err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "capture %s has no instances to compare", capture_name);
    if (err != FC_OK)
        goto out;
    keep_capture(ret, &capture);
    add_files(ret, run->session, timeout_ms);
    ret->with_labels = true;
    cli_evidence_settle(ret);
    if (into.running > 0) {
        char *note =
            fc_sprintf("capture %s still runs on %zu of %zu instance%s: this is what there is so far",
                       capture_name, into.running, ret->count, ret->count == 1 ? "" : "s");
        fc_strings_add(&ret->notes, note);
        free(note);
    }
out:
    cli_capture_fini(&capture);
    return err;
}
