/* The definition to and from JSON, in the reference service's names; docs/definition.md lists them. */
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/model/definition.h"
#include "common/model/json_reader.h"
#include "common/model/limits.h"
#include "common/model/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ABSENT UINT64_MAX

enum { RING_FILES_DEFAULT = 10, RING_FILE_BYTES_DEFAULT = 104857600, RING_TIME_LIMIT_DEFAULT_S = 86400 };

/* A definition as it is written: some fields decide together what the definition is. */
typedef struct draft {
    fc_definition definition;
    uint64_t bytes_per_packet, session_bytes, time_limit_s, packet_limit; /* ABSENT when not given */
    uint64_t ring_files, ring_file_bytes, ring_time_limit_s;
    bool single_file, ring; /* continuousCapture: false, true; neither when not given */
    bool ring_settings;
    char *target_name, *target_type; /* owned: the reference's target and targetType */
} draft;

/* ---- filters ---- */

static fc_err
read_protocol(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    fc_filter *filter = base;
    const char *text = json_string_value(value);
    char shown[FC_QUOTED_TEXT];
    if (text == NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, path, "%s: must be TCP, UDP, ICMP or Any", path);
    if (*text != '\0' && fc_protocol_parse(text, &filter->protocol) != FC_OK)
        return fc_fail_field(fail, FC_ERR_INVALID, path, "%s \"%s\": must be TCP, UDP, ICMP or Any", path,
                             fc_quoted(text, shown));
    return FC_OK;
}

#define FILTER_FIELD(name, field)                                                                            \
    {                                                                                                        \
        name, FC_JSON_VALUE, offsetof(fc_filter, field), FC_FILTER_TEXT_MAX, NULL, NULL                      \
    }

static const fc_json_key filter_keys[] = {
    {"protocol", FC_JSON_CUSTOM, 0, 0, NULL, read_protocol},
    FILTER_FIELD("localIPAddress", local_address),
    FILTER_FIELD("localPort", local_port),
    FILTER_FIELD("remoteIPAddress", remote_address),
    FILTER_FIELD("remotePort", remote_port),
};
static const fc_json_table filter_table = {filter_keys, FC_COUNT(filter_keys)};

static fc_err
read_filters(const json_t *list, fc_spec *ret, fc_fail *fail)
{
    if (!json_is_array(list))
        return fc_fail_field(fail, FC_ERR_INVALID, "filters", "filters: must be a list of objects");
    size_t count = json_array_size(list);
    if (count > FC_FILTER_COUNT_MAX - ret->filter_count)
        return fc_fail_field(fail, FC_ERR_INVALID, "filters", "filters: there are %zu and the limit is %d",
                             ret->filter_count + count, FC_FILTER_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        char path[FC_JSON_PATH];
        (void)snprintf(path, sizeof path, "filters[%zu]", ret->filter_count);
        ret->filters = fc_grow_array(ret->filters, ret->filter_count + 1, sizeof(fc_filter));
        fc_filter *filter = &ret->filters[ret->filter_count++];
        *filter = (fc_filter){.protocol = FC_PROTOCOL_ANY};
        fc_err err = fc_json_read(json_array_get(list, i), &filter_table, path, filter, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

fc_err
fc_filters_from_json(const json_t *list, fc_spec *spec, fc_fail *fail)
{
    size_t before = spec->filter_count;
    fc_err err = read_filters(list, spec, fail);
    while (err != FC_OK && spec->filter_count > before)
        fc_filter_fini(&spec->filters[--spec->filter_count]);
    return err;
}

static fc_err
read_filter_list(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    (void)path;
    draft *d = base;
    return read_filters(value, &d->definition.spec, fail);
}

/* Long expressions are written on several lines, which mean nothing: one line from here on. */
static fc_err
read_raw(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    draft *d = base;
    if (!json_is_string(value))
        return fc_fail_field(fail, FC_ERR_INVALID, path, "%s: must be a text", path);
    size_t length = json_string_length(value);
    char *line = fc_alloc(length + 1);
    memcpy(line, json_string_value(value), length);
    for (size_t i = 0; i < length; i++)
        if (line[i] == '\n' || line[i] == '\r' || line[i] == '\t')
            line[i] = ' ';
    json_t *joined = json_stringn(line, length);
    fc_err err = fc_json_read_text(joined, path, FC_FILTER_TEXT_MAX, &d->definition.spec.raw_filter, fail);
    json_decref(joined);
    free(line);
    return err;
}

/* ---- storage ---- */

static fc_err
read_path(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    static const char root[] = "/var/captures";
    (void)base;
    char *text = NULL;
    fc_err err = fc_json_read_text(value, path, 1024, &text, fail);
    if (err != FC_OK || text == NULL)
        return err;
    const char *rest = strncmp(text, root, sizeof root - 1) == 0 ? text + sizeof root - 1 : NULL;
    char shown[FC_QUOTED_TEXT];
    if (rest == NULL || (*rest != '\0' && *rest != '/') || strstr(rest, "..") != NULL)
        err = fc_fail_field(fail, FC_ERR_INVALID, path, "%s \"%s\": files lie under %s on each instance",
                            path, fc_quoted(text, shown), root);
    free(text);
    return err;
}

static fc_err
read_store(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    (void)base;
    if (json_is_string(value) && json_string_length(value) == 0)
        return FC_OK;
    return fc_fail_field(
        fail, FC_ERR_UNSUPPORTED, path,
        "%s: this version keeps captures as files on the instances; it has no evidence store yet", path);
}

static const fc_json_key storage_keys[] = {
    {"filePath", FC_JSON_CUSTOM, 0, 0, NULL, read_path},
    {"localPath", FC_JSON_CUSTOM, 0, 0, NULL, read_path},
    {"storageId", FC_JSON_CUSTOM, 0, 0, NULL, read_store},
    {"storagePath", FC_JSON_CUSTOM, 0, 0, NULL, read_store},
};
static const fc_json_table storage_table = {storage_keys, FC_COUNT(storage_keys)};

/* ---- target ---- */

#define NAMES(name, field)                                                                                   \
    {                                                                                                        \
        name, FC_JSON_STRINGS, offsetof(draft, definition.target.field), FC_NAME_MAX, NULL, NULL             \
    }

static const fc_json_key target_keys[] = {
    {"scaleSet", FC_JSON_TEXT, offsetof(draft, definition.target.scale_set), FC_NAME_MAX, NULL, NULL},
    NAMES("regions", regions),
    NAMES("zones", zones),
    NAMES("include", include),
    NAMES("exclude", exclude),
    {"selector", FC_JSON_TEXT, offsetof(draft, definition.target.selector), FC_SELECTOR_TEXT_MAX, NULL, NULL},
};
static const fc_json_table target_table = {target_keys, FC_COUNT(target_keys)};

static const fc_json_key scope_keys[] = {
    NAMES("include", include),
    NAMES("exclude", exclude),
};
static const fc_json_table scope_table = {scope_keys, FC_COUNT(scope_keys)};

/* Ours is an object; the reference's is the text of a resource id, whose last part is a name. */
static fc_err
read_target(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    draft *d = base;
    if (!json_is_string(value))
        return fc_json_read(value, &target_table, path, base, fail);
    return fc_json_read_text(value, path, 1024, &d->target_name, fail);
}

static fc_err
settle_target(draft *d, fc_fail *fail)
{
    fc_target *target = &d->definition.target;
    char shown[FC_QUOTED_TEXT];
    const char *type = d->target_type != NULL ? d->target_type : "AzureVMSS";
    bool machine = strcasecmp(type, "AzureVM") == 0;
    if (!machine && strcasecmp(type, "AzureVMSS") != 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "targetType",
                             "targetType \"%s\": must be AzureVMSS (a scale set) or AzureVM (one instance)",
                             fc_quoted(type, shown));
    if (d->target_name == NULL)
        return FC_OK;
    const char *slash = strrchr(d->target_name, '/');
    const char *name = slash != NULL ? slash + 1 : d->target_name;
    if (machine)
        fc_strings_add(&target->include, name);
    else
        target->scale_set = fc_strdup(name);
    return FC_OK;
}

/* ---- governance ---- */

static fc_err
read_tags(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    draft *d = base;
    if (!json_is_object(value))
        return fc_fail_field(fail, FC_ERR_INVALID, path, "%s: must be an object of texts", path);
    const char *key;
    json_t *item;
    json_object_foreach ((json_t *)value, key, item) {
        char at[FC_JSON_PATH], shown[FC_QUOTED_TEXT];
        char *text = NULL;
        (void)snprintf(at, sizeof at, "%s.%.40s", path, fc_quoted(key, shown));
        fc_err err = fc_json_read_text(item, at, FC_TAG_VALUE_MAX, &text, fail);
        if (err != FC_OK)
            return err;
        fc_labels_set(&d->definition.governance.tags, key, text != NULL ? text : "");
        free(text);
    }
    return FC_OK;
}

#define GOVERNANCE(name, field, max)                                                                         \
    {                                                                                                        \
        name, FC_JSON_TEXT, offsetof(draft, definition.governance.field), max, NULL, NULL                    \
    }

static const fc_json_key governance_keys[] = {
    GOVERNANCE("reason", reason, FC_REASON_MAX),
    GOVERNANCE("owner", owner, FC_OWNER_MAX),
    GOVERNANCE("incidentId", incident_id, FC_INCIDENT_ID_MAX),
    {"deleteAfter", FC_JSON_DATE, offsetof(draft, definition.governance.delete_after_unix_s), 0, NULL, NULL},
    {"tags", FC_JSON_CUSTOM, 0, 0, NULL, read_tags},
};
static const fc_json_table governance_table = {governance_keys, FC_COUNT(governance_keys)};

/* ---- the whole ---- */

static const fc_json_key settings_keys[] = {
    {"fileCount", FC_JSON_NUMBER, offsetof(draft, ring_files), FC_RING_FILES_MAX, NULL, NULL},
    {"fileSizeInBytes", FC_JSON_SIZE, offsetof(draft, ring_file_bytes), FC_RING_FILE_BYTES_MAX, NULL, NULL},
    {"sessionTimeLimitInSeconds", FC_JSON_SECONDS, offsetof(draft, ring_time_limit_s), FC_TIME_LIMIT_MAX_S,
     NULL, NULL},
};
static const fc_json_table settings_table = {settings_keys, FC_COUNT(settings_keys)};

static fc_err
read_continuous(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    draft *d = base;
    if (!json_is_boolean(value))
        return fc_fail_field(fail, FC_ERR_INVALID, path, "%s: must be true or false", path);
    d->ring = json_is_true(value);
    d->single_file = !d->ring;
    return FC_OK;
}

static fc_err
read_settings(const json_t *value, const char *path, void *base, fc_fail *fail)
{
    draft *d = base;
    d->ring_settings = json_object_size(value) > 0;
    return fc_json_read(value, &settings_table, path, base, fail);
}

static const fc_json_key definition_keys[] = {
    {"name", FC_JSON_TEXT, offsetof(draft, definition.name), FC_NAME_MAX, NULL, NULL},
    {"target", FC_JSON_CUSTOM, 0, 0, NULL, read_target},
    {"targetType", FC_JSON_TEXT, offsetof(draft, target_type), 64, NULL, NULL},
    {"scope", FC_JSON_OBJECT, 0, 0, &scope_table, NULL},
    {"bytesToCapturePerPacket", FC_JSON_SIZE, offsetof(draft, bytes_per_packet), UINT32_MAX, NULL, NULL},
    {"totalBytesPerSession", FC_JSON_SIZE, offsetof(draft, session_bytes), INT64_MAX, NULL, NULL},
    {"timeLimitInSeconds", FC_JSON_SECONDS, offsetof(draft, time_limit_s), FC_TIME_LIMIT_MAX_S, NULL, NULL},
    {"packetLimit", FC_JSON_NUMBER, offsetof(draft, packet_limit), INT64_MAX, NULL, NULL},
    {"filters", FC_JSON_CUSTOM, 0, 0, NULL, read_filter_list},
    {"rawFilter", FC_JSON_CUSTOM, 0, 0, NULL, read_raw},
    {"interfaces", FC_JSON_STRINGS, offsetof(draft, definition.spec.interfaces), FC_INTERFACE_NAME_MAX, NULL,
     NULL},
    {"includeOwnTraffic", FC_JSON_BOOL, offsetof(draft, definition.spec.include_own_traffic), 0, NULL, NULL},
    {"continuousCapture", FC_JSON_CUSTOM, 0, 0, NULL, read_continuous},
    {"captureSettings", FC_JSON_CUSTOM, 0, 0, NULL, read_settings},
    {"storageLocation", FC_JSON_OBJECT, 0, 0, &storage_table, NULL},
    {"governance", FC_JSON_OBJECT, 0, 0, &governance_table, NULL},
};
static const fc_json_table definition_table = {definition_keys, FC_COUNT(definition_keys)};

/* The reference's REST body. */
static const fc_json_key wrapper_keys[] = {
    {"name", FC_JSON_TEXT, offsetof(draft, definition.name), FC_NAME_MAX, NULL, NULL},
    {"properties", FC_JSON_OBJECT, 0, 0, &definition_table, NULL},
};
static const fc_json_table wrapper_table = {wrapper_keys, FC_COUNT(wrapper_keys)};

static uint64_t
given_or(uint64_t given, uint64_t otherwise)
{
    return given != ABSENT ? given : otherwise;
}

static fc_err
settle_ring(draft *d, fc_fail *fail)
{
    fc_spec *spec = &d->definition.spec;
    if (d->ring_files == 0 || d->ring_file_bytes == 0 || d->ring_time_limit_s == 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "captureSettings",
                             "captureSettings: 0 has no meaning here; leave the key out for its default");
    if (d->time_limit_s != ABSENT && d->ring_time_limit_s != ABSENT &&
        d->time_limit_s != d->ring_time_limit_s)
        return fc_fail_field(
            fail, FC_ERR_INVALID, "captureSettings.sessionTimeLimitInSeconds",
            "captureSettings.sessionTimeLimitInSeconds \"%llu\": contradicts timeLimitInSeconds %llu",
            (unsigned long long)d->ring_time_limit_s, (unsigned long long)d->time_limit_s);
    spec->ring_files = (uint32_t)given_or(d->ring_files, RING_FILES_DEFAULT);
    spec->ring_file_bytes = given_or(d->ring_file_bytes, RING_FILE_BYTES_DEFAULT);
    spec->time_limit_s =
        (uint32_t)given_or(given_or(d->ring_time_limit_s, d->time_limit_s), RING_TIME_LIMIT_DEFAULT_S);
    /* A ring that ended at the default's 1 GiB would not be continuous: only what is asked for limits it. */
    spec->session_bytes = given_or(d->session_bytes, 0);
    return FC_OK;
}

static fc_err
settle(draft *d, fc_fail *fail)
{
    fc_spec *spec = &d->definition.spec;
    fc_err err = settle_target(d, fail);
    if (err != FC_OK)
        return err;
    spec->bytes_per_packet = (uint32_t)given_or(d->bytes_per_packet, 0);
    spec->packet_limit = given_or(d->packet_limit, 0);
    spec->session_bytes = given_or(d->session_bytes, FC_SESSION_BYTES_DEFAULT);
    spec->time_limit_s = (uint32_t)given_or(d->time_limit_s, FC_TIME_LIMIT_DEFAULT_S);
    if (d->ring || (d->ring_settings && !d->single_file))
        return settle_ring(d, fail);
    if (d->ring_settings)
        return fc_fail_field(fail, FC_ERR_INVALID, "captureSettings",
                             "captureSettings: describe a ring of files, and continuousCapture is false");
    return FC_OK;
}

static bool
is_wrapped(const json_t *tree)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)tree, name, value) {
        if (strcasecmp(name, "properties") == 0)
            return true;
    }
    return false;
}

fc_err
fc_definition_from_json(const json_t *tree, fc_definition *ret, fc_fail *fail)
{
    draft d = {.bytes_per_packet = ABSENT,
               .session_bytes = ABSENT,
               .time_limit_s = ABSENT,
               .packet_limit = ABSENT,
               .ring_files = ABSENT,
               .ring_file_bytes = ABSENT,
               .ring_time_limit_s = ABSENT};
    fc_definition_init(&d.definition);
    fc_err err = fc_json_read(tree, is_wrapped(tree) ? &wrapper_table : &definition_table, "", &d, fail);
    if (err == FC_OK)
        err = settle(&d, fail);
    if (err == FC_OK)
        *ret = d.definition;
    else
        fc_definition_fini(&d.definition);
    free(d.target_name);
    free(d.target_type);
    return err;
}

/* ---- to JSON ---- */

static void
set_strings(json_t *object, const char *key, const fc_strings *strings)
{
    if (strings->count == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    json_object_set_new(object, key, list);
}

/* Leaves an empty object out. */
static void
set_object(json_t *object, const char *key, json_t *value)
{
    if (json_object_size(value) > 0)
        json_object_set(object, key, value);
    json_decref(value);
}

static json_t *
target_to_json(const fc_target *target)
{
    json_t *object = json_object();
    fc_json_set_text(object, "scaleSet", target->scale_set);
    set_strings(object, "regions", &target->regions);
    set_strings(object, "zones", &target->zones);
    set_strings(object, "include", &target->include);
    set_strings(object, "exclude", &target->exclude);
    fc_json_set_text(object, "selector", target->selector);
    return object;
}

static json_t *
filters_to_json(const fc_spec *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < spec->filter_count; i++) {
        const fc_filter *filter = &spec->filters[i];
        json_t *object = json_object();
        fc_json_set_text(object, "protocol", fc_protocol_name(filter->protocol));
        fc_json_set_text(object, "localIPAddress", filter->local_address);
        fc_json_set_text(object, "localPort", filter->local_port);
        fc_json_set_text(object, "remoteIPAddress", filter->remote_address);
        fc_json_set_text(object, "remotePort", filter->remote_port);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *
governance_to_json(const fc_governance *governance)
{
    json_t *object = json_object();
    fc_json_set_text(object, "reason", governance->reason);
    fc_json_set_text(object, "owner", governance->owner);
    fc_json_set_text(object, "incidentId", governance->incident_id);
    struct tm tm;
    time_t seconds = (time_t)governance->delete_after_unix_s;
    char text[FC_TIME_TEXT_SIZE];
    if (seconds > 0 && gmtime_r(&seconds, &tm) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        fc_json_set_text(object, "deleteAfter", text);
    json_t *tags = json_object();
    for (size_t i = 0; i < governance->tags.count; i++)
        json_object_set_new(tags, governance->tags.items[i].key,
                            json_string(governance->tags.items[i].value));
    set_object(object, "tags", tags);
    return object;
}

static void
ring_to_json(const fc_spec *spec, json_t *object)
{
    bool ring = spec->ring_files > 0;
    json_object_set_new(object, "continuousCapture", json_boolean(ring));
    if (!ring)
        return;
    json_t *settings = json_object();
    json_object_set_new(settings, "fileCount", fc_json_number(spec->ring_files));
    json_object_set_new(settings, "fileSizeInBytes", fc_json_number(spec->ring_file_bytes));
    json_object_set_new(settings, "sessionTimeLimitInSeconds", fc_json_number(spec->time_limit_s));
    json_object_set_new(object, "captureSettings", settings);
}

json_t *
fc_definition_to_json(const fc_definition *definition)
{
    const fc_spec *spec = &definition->spec;
    json_t *object = json_object();
    fc_json_set_text(object, "name", definition->name);
    set_object(object, "target", target_to_json(&definition->target));
    json_object_set_new(object, "bytesToCapturePerPacket", fc_json_number(spec->bytes_per_packet));
    json_object_set_new(object, "totalBytesPerSession", fc_json_number(spec->session_bytes));
    json_object_set_new(object, "timeLimitInSeconds", fc_json_number(spec->time_limit_s));
    json_object_set_new(object, "packetLimit", fc_json_number(spec->packet_limit));
    json_object_set_new(object, "filters", filters_to_json(spec));
    fc_json_set_text(object, "rawFilter", spec->raw_filter);
    set_strings(object, "interfaces", &spec->interfaces);
    json_object_set_new(object, "includeOwnTraffic", json_boolean(spec->include_own_traffic));
    ring_to_json(spec, object);
    set_object(object, "governance", governance_to_json(&definition->governance));
    return object;
}
