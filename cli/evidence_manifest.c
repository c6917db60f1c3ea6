/* The manifest of a download, as evidence: it may have come with the files from anywhere, so nothing in it is
 * taken on trust. */
#include "cli/evidence.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_MAX = 32 << 20, INSTANCES_MAX = 16384, SHA256_HEX = 64 };

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static fc_err
load(const char *path, json_t **ret_tree, fc_fail *fail)
{
    fc_buf bytes = {0};
    json_t *tree = NULL;
    fc_err err = fc_file_read(AT_FDCWD, path, MANIFEST_MAX, &bytes, fail);
    if (err == FC_OK) {
        tree = json_loadb((const char *)fc_buf_bytes(&bytes), fc_buf_size(&bytes), 0, NULL);
        const json_t *capture = json_object_get(tree, "capture");
        if (json_integer_value(json_object_get(tree, "manifestVersion")) != 1 ||
            !fc_name_check(text_of(capture, "name")))
            err = fc_fail_set(fail, FC_ERR_CORRUPT, "%.150s is not a manifest of a download", path);
    }
    fc_buf_fini(&bytes);
    if (err == FC_OK)
        *ret_tree = tree;
    else
        json_decref(tree);
    return err;
}

/* State, reason and error, as far as a comparison looks at them. *ret_status borrows from the row. */
static void
read_status(const json_t *row, fc_status *ret_status)
{
    const char *reason = text_of(row, "stopReason");
    *ret_status = (fc_status){.error = (char *)json_string_value(json_object_get(row, "error"))};
    if (fc_state_parse(text_of(row, "state"), &ret_status->state) != FC_OK)
        ret_status->state = FC_STATE_UNKNOWN;
    for (int i = FC_STOP_NONE; i <= FC_STOP_INTERNAL; i++)
        if (*reason != '\0' && strcmp(fc_stop_reason_name((fc_stop_reason)i), reason) == 0)
            ret_status->stop_reason = (fc_stop_reason)i;
}

static cli_evidence_item *
item_of(cli_evidence_set *evidence, const char *id, const char *capture)
{
    for (size_t i = 0; i < evidence->count; i++)
        if (strcmp(evidence->items[i].id, id) == 0 && strcmp(evidence->items[i].capture, capture) == 0)
            return &evidence->items[i];
    return NULL;
}

static void
keep(char **text, const char *value)
{
    free(*text);
    *text = fc_strdup(value);
}

static void
take_instance(cli_evidence_set *evidence, const json_t *row, const char *capture, const char *path)
{
    const char *id = text_of(row, "instanceId"), *name = text_of(row, "instanceName");
    fc_status status;
    if (!fc_name_check(id))
        return;
    read_status(row, &status);
    cli_evidence_item *item = item_of(evidence, id, capture);
    if (item == NULL) {
        item = cli_evidence_add(evidence);
        keep(&item->id, id);
        keep(&item->name, fc_name_check(name) ? name : id);
        keep(&item->region, fc_name_check(text_of(row, "region")) ? text_of(row, "region") : "");
        keep(&item->capture, capture);
        keep(&item->source, path);
    }
    if (item->problem == NULL)
        item->problem = cli_evidence_problem(&status);
    item->clock_offset_ns = json_integer_value(json_object_get(row, "clockOffsetNs"));
    item->clock_bound_ns = json_integer_value(json_object_get(row, "clockBoundNs"));
}

/* The hash that the download verified belongs to the file of that name and size. */
static void
take_file(cli_evidence_set *evidence, const json_t *row)
{
    const char *name = text_of(row, "file"), *sha256 = text_of(row, "sha256");
    const json_int_t size = json_integer_value(json_object_get(row, "sizeInBytes"));
    if (!json_is_true(json_object_get(row, "verified")) || strlen(sha256) != SHA256_HEX ||
        strspn(sha256, "0123456789abcdef") != SHA256_HEX)
        return;
    for (size_t i = 0; i < evidence->file_count; i++) {
        cli_evidence_file *file = &evidence->files[i];
        if (file->sha256 == NULL && strcmp(file->name, name) == 0 && size > 0 &&
            file->size_bytes == (uint64_t)size)
            file->sha256 = fc_strdup(sha256);
    }
}

/* Of the first manifest: two captures are not one. */
static void
take_capture(cli_evidence_set *evidence, const json_t *capture)
{
    const json_t *definition = json_object_get(capture, "definition");
    if (evidence->capture_name != NULL)
        return;
    evidence->capture_name = fc_strdup(text_of(capture, "name"));
    if (fc_uid_check(text_of(capture, "uid")))
        evidence->capture_uid = fc_strdup(text_of(capture, "uid"));
    if (*text_of(capture, "compiledFilter") != '\0')
        evidence->filter = fc_strdup(text_of(capture, "compiledFilter"));
    if (json_is_object(definition)) {
        char *text = json_dumps(definition, JSON_INDENT(2));
        evidence->definition = fc_strdup(text);
        free(text);
    }
}

fc_err
cli_evidence_manifest(cli_evidence_set *evidence, const char *path, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_err err = load(path, &tree, fail);
    if (err != FC_OK)
        return err;
    const json_t *capture = json_object_get(tree, "capture"), *rows = json_object_get(capture, "instances");
    size_t i;
    json_t *row;
    take_capture(evidence, capture);
    json_array_foreach (rows, i, row) {
        if (i < INSTANCES_MAX)
            take_instance(evidence, row, text_of(capture, "name"), path);
    }
    json_array_foreach (json_object_get(tree, "files"), i, row) {
        take_file(evidence, row);
    }
    json_decref(tree);
    return FC_OK;
}
