#include "cli/manifest.h"

#include "cli/output.h"

#include <string.h>

enum { MANIFEST_VERSION = 1 };

static json_t *
file_json(const cli_manifest_file *entry)
{
    json_t *tree = fc_segment_to_json(&entry->file->segment);
    json_object_set_new(tree, "instance", json_string(entry->file->instance_name));
    json_object_set_new(tree, "instanceId", json_string(entry->file->instance_id));
    fc_json_set(tree, "path", fc_json_text(entry->file->path));
    if (entry->local != NULL && entry->fetched)
        json_object_set_new(tree, "file", json_string(entry->local));
    json_object_set_new(tree, "verified", json_boolean(entry->verified));
    if (entry->problem != NULL)
        fc_json_set(tree, "problem", fc_json_text(entry->problem));
    return tree;
}

json_t *
cli_manifest_json(const cli_manifest *manifest)
{
    json_t *tree = json_object(), *files = json_array(), *missing = json_array();
    bool complete = true;
    for (size_t i = 0; i < manifest->file_count; i++) {
        const cli_manifest_file *entry = &manifest->files[i];
        complete = complete && entry->fetched && entry->verified;
        json_array_append_new(entry->fetched ? files : missing, file_json(entry));
    }
    for (size_t i = 0; i < manifest->statuses->count; i++)
        complete = complete && fc_state_final(manifest->statuses->items[i].state);
    json_object_set_new(tree, "manifestVersion", json_integer(MANIFEST_VERSION));
    fc_json_set(tree, "createdTime", fc_json_time(manifest->now));
    fc_json_set(tree, "fleet", fc_json_text(manifest->fleet));
    json_object_set_new(tree, "complete", json_boolean(complete));
    json_object_set_new(tree, "capture",
                        cli_capture_whole_json(manifest->capture, manifest->statuses, manifest->instances));
    json_object_set_new(tree, "files", files);
    json_object_set_new(tree, "missing", missing);
    return tree;
}
