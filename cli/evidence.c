#include "cli/evidence.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void
item_fini(cli_evidence_item *item)
{
    free(item->name);
    free(item->id);
    free(item->region);
    free(item->source);
    free(item->capture);
    free(item->problem);
    fc_labels_fini(&item->labels);
    fc_buf_fini(&item->profile);
    fc_buf_fini(&item->context_start);
    fc_buf_fini(&item->context_stop);
}

void
cli_evidence_fini(cli_evidence_set *evidence)
{
    for (size_t i = 0; i < evidence->count; i++)
        item_fini(&evidence->items[i]);
    for (size_t i = 0; i < evidence->file_count; i++) {
        free(evidence->files[i].name);
        free(evidence->files[i].sha256);
    }
    free(evidence->items);
    free(evidence->files);
    json_decref(evidence->conversations);
    json_decref(evidence->dns);
    fc_strings_fini(&evidence->notes);
    free(evidence->capture_name);
    free(evidence->capture_uid);
    free(evidence->definition);
    free(evidence->filter);
    memset(evidence, 0, sizeof *evidence);
}

cli_evidence_item *
cli_evidence_add(cli_evidence_set *evidence)
{
    evidence->items =
        fc_grow_room(evidence->items, evidence->count, &evidence->capacity, sizeof *evidence->items);
    cli_evidence_item *item = &evidence->items[evidence->count++];
    *item = (cli_evidence_item){.name = fc_strdup(""),
                                .id = fc_strdup(""),
                                .region = fc_strdup(""),
                                .source = fc_strdup(""),
                                .capture = fc_strdup("")};
    return item;
}

cli_evidence_file *
cli_evidence_add_file(cli_evidence_set *evidence, size_t item, const char *name)
{
    evidence->files = fc_grow_room(evidence->files, evidence->file_count, &evidence->file_capacity,
                                   sizeof *evidence->files);
    cli_evidence_file *file = &evidence->files[evidence->file_count++];
    *file = (cli_evidence_file){.item = item, .name = fc_strdup(name)};
    return file;
}

fc_profile *
cli_evidence_profile(const cli_evidence_item *item)
{
    fc_profile *profile = NULL;
    fc_fail ignored = {0};
    /* What is kept here was checked when it came; an empty one is no profile. */
    if (fc_buf_size(&item->profile) == 0 ||
        fc_profile_unpack(fc_buf_bytes(&item->profile), fc_buf_size(&item->profile), &profile, &ignored) !=
            FC_OK)
        return NULL;
    return profile;
}

/* ---- what a state says ---- */

/* An end that leaves the capture less than it was meant to be. */
static bool
ended_badly(fc_stop_reason reason)
{
    static const fc_stop_reason bad[] = {
        FC_STOP_DISK_FLOOR,     FC_STOP_DISK_FULL,     FC_STOP_LEASE_EXPIRED,
        FC_STOP_INTERFACE_GONE, FC_STOP_NODE_SHUTDOWN, FC_STOP_HELPER_DIED,
        FC_STOP_WRITE_ERROR,    FC_STOP_INTERNAL,      FC_STOP_NODE_RESTARTED,
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        if (reason == bad[i])
            return true;
    return false;
}

char *
cli_evidence_problem(const fc_status *status)
{
    const char *state = fc_state_name(status->state), *reason = fc_stop_reason_text(status->stop_reason);
    switch (status->state) {
    case FC_STATE_FAILED:
        return fc_sprintf("%s: %s", state, status->error != NULL ? status->error : reason);
    case FC_STATE_UNKNOWN:
        return fc_sprintf("%s: the instance has not been heard of", state);
    case FC_STATE_NONE:
    case FC_STATE_PENDING:
    case FC_STATE_PROVISIONING:
        return fc_sprintf("%s: its capture has not started", state);
    case FC_STATE_STOPPED:
        return ended_badly(status->stop_reason) ? fc_sprintf("%s: %s", state, reason) : NULL;
    case FC_STATE_RUNNING:
    case FC_STATE_STOPPING:
        break;
    }
    return NULL;
}

/* ---- names ---- */

typedef struct place {
    cli_evidence_item item;
    size_t was;
} place;

static int
compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    int by_name = strverscmp(a->item.name, b->item.name);
    if (by_name != 0)
        return by_name;
    return a->was < b->was ? -1 : a->was > b->was;
}

static void
sort_items(cli_evidence_set *evidence)
{
    place *places = fc_alloc_array(evidence->count, sizeof *places);
    size_t *now = fc_alloc_array(evidence->count, sizeof *now);
    for (size_t i = 0; i < evidence->count; i++)
        places[i] = (place){evidence->items[i], i};
    qsort(places, evidence->count, sizeof *places, compare_places);
    for (size_t i = 0; i < evidence->count; i++) {
        evidence->items[i] = places[i].item;
        now[places[i].was] = i;
    }
    for (size_t i = 0; i < evidence->file_count; i++)
        evidence->files[i].item = now[evidence->files[i].item];
    free(now);
    free(places);
}

/* The directory that a path lies in: "before" of a/before/web-4.pcap; NULL when it says none. Owned. */
static char *
parent_of(const char *path)
{
    const char *end = strrchr(path, '/');
    if (end == NULL || end == path)
        return NULL;
    const char *begin = end;
    while (begin > path && begin[-1] != '/')
        begin--;
    return fc_strndup(begin, (size_t)(end - begin));
}

typedef char *(*qualifier)(const cli_evidence_item *item);

static char *
by_capture(const cli_evidence_item *item)
{
    return *item->capture != '\0' ? fc_sprintf("%s (%s)", item->name, item->capture) : NULL;
}

static char *
by_directory(const cli_evidence_item *item)
{
    char *parent = parent_of(item->source),
         *name = parent != NULL ? fc_sprintf("%s/%s", parent, item->name) : NULL;
    free(parent);
    return name;
}

/* Gives the items [from, to), which have one name, the names that `name` makes, if those are all different.
 */
static bool
rename_by(cli_evidence_set *evidence, size_t from, size_t to, qualifier name)
{
    char **names = fc_alloc_array(to - from, sizeof *names);
    bool fit = true;
    for (size_t i = 0; i < to - from; i++) {
        names[i] = name(&evidence->items[from + i]);
        fit = fit && names[i] != NULL;
        for (size_t j = 0; j < i && fit; j++)
            fit = strcmp(names[i], names[j]) != 0;
    }
    for (size_t i = 0; i < to - from; i++) {
        if (fit) {
            free(evidence->items[from + i].name);
            evidence->items[from + i].name = names[i];
        } else {
            free(names[i]);
        }
    }
    free(names);
    return fit;
}

static void
rename_by_number(cli_evidence_set *evidence, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char *name = fc_sprintf("%s#%zu", evidence->items[i].name, i - from + 1);
        free(evidence->items[i].name);
        evidence->items[i].name = name;
    }
}

void
cli_evidence_settle(cli_evidence_set *evidence)
{
    if (evidence->count < 2)
        return;
    sort_items(evidence);
    for (size_t from = 0, to; from < evidence->count; from = to) {
        char *name = fc_strdup(evidence->items[from].name);
        for (to = from + 1; to < evidence->count && strcmp(evidence->items[to].name, name) == 0;)
            to++;
        if (to - from > 1 && !rename_by(evidence, from, to, by_capture) &&
            !rename_by(evidence, from, to, by_directory))
            rename_by_number(evidence, from, to);
        free(name);
    }
}

/* ---- the comparison ---- */

static bool
unpack_context(const fc_buf *packed, fc_context *ret_context)
{
    fc_fail ignored = {0};
    return fc_buf_size(packed) > 0 &&
           fc_context_unpack(fc_buf_bytes(packed), fc_buf_size(packed), ret_context, &ignored) == FC_OK;
}

static void
add_to(fc_comparer *comparer, const cli_evidence_item *item)
{
    fc_context start = {0}, stop = {0};
    bool has_start = unpack_context(&item->context_start, &start);
    bool has_stop = unpack_context(&item->context_stop, &stop);
    fc_profile *profile = cli_evidence_profile(item);
    const fc_compare_instance instance = {
        .name = item->name,
        .region = item->region,
        .cohort = item->cohort,
        .profile = profile,
        .context_start = has_start ? &start : NULL,
        .context_stop = has_stop ? &stop : NULL,
        .problem = item->problem,
        .clock_offset_ns = item->clock_offset_ns,
        .clock_bound_ns = item->clock_bound_ns,
    };
    fc_comparer_add(comparer, &instance);
    fc_context_fini(&start);
    fc_context_fini(&stop);
    fc_profile_free(profile);
}

fc_err
cli_evidence_compare(const cli_evidence_set *evidence, fc_comparison **ret_comparison, fc_fail *fail)
{
    fc_comparer *comparer = fc_comparer_new();
    for (size_t i = 0; i < evidence->count; i++)
        add_to(comparer, &evidence->items[i]);
    fc_err err = fc_comparer_finish(comparer, ret_comparison, fail);
    fc_comparer_free(comparer);
    return err;
}

fc_err
cli_evidence_verdict(const cli_evidence_set *evidence, fc_fail *fail)
{
    if (evidence->failed_count == 0)
        return FC_OK;
    if (evidence->failed_count == 1)
        return fc_fail_set(fail, FC_ERR_PARTIAL, "%s", evidence->failed.text);
    return fc_fail_set(fail, FC_ERR_PARTIAL, "%.180s, and %zu more file%s", evidence->failed.text,
                       evidence->failed_count - 1, evidence->failed_count == 2 ? "" : "s");
}
