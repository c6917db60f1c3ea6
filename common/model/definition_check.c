/* What a definition may say. The same code judges in the CLI, the coordinator and the node. */
#include "common/base/mem.h"
#include "common/model/definition.h"
#include "common/model/limits.h"
#include "common/model/selector.h"
#include "common/model/shape.h"

#include "fleetcap/v1/types.pb-c.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 9999-12-31T23:59:59Z: the last second that RFC 3339 can write. */
#define DATE_MAX_S 253402300799

static fc_err
refuse_number(fc_fail *fail, const char *field, uint64_t value, const char *why)
{
    return fc_fail_field(fail, FC_ERR_INVALID, field, "%s \"%" PRIu64 "\": %s", field, value, why);
}

/* How large it is on its way. Takes the message. */
static size_t
packed_size(ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    protobuf_c_message_free_unpacked(message, NULL);
    return size;
}

static const char name_grammar[] =
    "a name has 1 to 63 of A-Z a-z 0-9 . _ - and starts with a letter or digit";

static fc_err
names_check(const fc_strings *names, size_t count_max, const char *list, fc_fail *fail)
{
    if (names->count > count_max) {
        char why[64];
        (void)snprintf(why, sizeof why, "are too many; the limit is %zu", count_max);
        return refuse_number(fail, list, names->count, why);
    }
    for (size_t i = 0; i < names->count; i++) {
        if (!fc_name_check(names->items[i])) {
            char field[64];
            (void)snprintf(field, sizeof field, "%s[%zu]", list, i);
            return fc_refuse_text(fail, field, names->items[i], name_grammar);
        }
    }
    return FC_OK;
}

static int
compare_texts(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

/* A name that is both included and excluded; NULL when there is none. */
static const char *
in_both(const fc_strings *include, const fc_strings *exclude)
{
    if (include->count == 0 || exclude->count == 0)
        return NULL;
    const char **sorted = fc_alloc_array(include->count, sizeof *sorted);
    memcpy(sorted, include->items, include->count * sizeof *sorted);
    qsort(sorted, include->count, sizeof *sorted, compare_texts);
    const char *found = NULL;
    for (size_t i = 0; i < exclude->count && found == NULL; i++)
        if (bsearch(&exclude->items[i], sorted, include->count, sizeof *sorted, compare_texts) != NULL)
            found = exclude->items[i];
    free(sorted);
    return found;
}

static fc_err
target_check(const fc_target *target, fc_fail *fail)
{
    if (target->scale_set != NULL && !fc_name_check(target->scale_set))
        return fc_refuse_text(fail, "target.scaleSet", target->scale_set, name_grammar);
    fc_err err = names_check(&target->regions, FC_REGIONS_MAX, "target.regions", fail);
    if (err == FC_OK)
        err = names_check(&target->zones, FC_REGIONS_MAX, "target.zones", fail);
    if (err == FC_OK)
        err = names_check(&target->include, FC_TARGET_NAMES_MAX, "target.include", fail);
    if (err == FC_OK) {
        size_t left =
            target->include.count < FC_TARGET_NAMES_MAX ? FC_TARGET_NAMES_MAX - target->include.count : 0;
        err = names_check(&target->exclude, left, "target.exclude", fail);
    }
    if (err != FC_OK)
        return err;
    const char *both = in_both(&target->include, &target->exclude);
    if (both != NULL)
        return fc_refuse_text(fail, "target.exclude", both, "is included as well");
    if (target->selector == NULL)
        return FC_OK;
    fc_selector *selector;
    err = fc_selector_parse(target->selector, &selector, fail);
    if (err == FC_OK)
        fc_selector_free(selector);
    return err;
}

static fc_err
text_check(const char *text, size_t max, const char *field, fc_fail *fail)
{
    if (text == NULL || fc_text_check(text, max))
        return FC_OK;
    char why[96];
    (void)snprintf(why, sizeof why, "must be UTF-8 without control characters, at most %zu bytes", max);
    return fc_refuse_text(fail, field, text, why);
}

static fc_err
governance_check(const fc_governance *governance, fc_fail *fail)
{
    fc_err err = text_check(governance->reason, FC_REASON_MAX, "governance.reason", fail);
    if (err == FC_OK)
        err = text_check(governance->owner, FC_OWNER_MAX, "governance.owner", fail);
    if (err == FC_OK)
        err = text_check(governance->incident_id, FC_INCIDENT_ID_MAX, "governance.incidentId", fail);
    if (err != FC_OK)
        return err;
    if (governance->delete_after_unix_s < 0 || governance->delete_after_unix_s > DATE_MAX_S)
        return fc_fail_field(fail, FC_ERR_INVALID, "governance.deleteAfter",
                             "governance.deleteAfter \"%" PRId64 "\": is not a time between 1970 and 9999",
                             governance->delete_after_unix_s);
    if (governance->tags.count > FC_TAGS_MAX)
        return refuse_number(fail, "governance.tags", governance->tags.count,
                             "are too many; the limit is 32");
    for (size_t i = 0; i < governance->tags.count; i++) {
        const fc_label *tag = &governance->tags.items[i];
        if (!fc_name_check(tag->key))
            return fc_refuse_text(fail, "governance.tags", tag->key, name_grammar);
        err = text_check(tag->value, FC_TAG_VALUE_MAX, "governance.tags", fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

/* dev_valid_name() of the kernel: 1 to 15 characters, no '/', ':', white space, not "." or "..". */
static bool
is_interface_name(const char *name)
{
    size_t length = strnlen(name, FC_INTERFACE_NAME_MAX + 1);
    if (length == 0 || length > FC_INTERFACE_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/' || name[i] == ':')
            return false;
    return true;
}

static fc_err
interfaces_check(const fc_strings *interfaces, fc_fail *fail)
{
    if (interfaces->count > FC_INTERFACES_MAX)
        return refuse_number(fail, "interfaces", interfaces->count, "are too many; the limit is 8");
    for (size_t i = 0; i < interfaces->count; i++) {
        const char *name = interfaces->items[i];
        char field[64];
        (void)snprintf(field, sizeof field, "interfaces[%zu]", i);
        if (!is_interface_name(name))
            return fc_refuse_text(fail, field, name,
                                  "is no interface name (1 to 15 characters, no '/', ':' or space)");
        if (strcmp(name, "any") == 0 && interfaces->count > 1)
            return fc_refuse_text(fail, field, name, "stands for all interfaces, so it stands alone");
        const fc_strings before = {interfaces->items, i};
        if (fc_strings_have(&before, name))
            return fc_refuse_text(fail, field, name, "is given twice");
    }
    return FC_OK;
}

static fc_err
ring_check(const fc_spec *spec, fc_fail *fail)
{
    if (spec->ring_files == 0 && spec->ring_file_bytes == 0)
        return FC_OK;
    if (spec->ring_files == 0 || spec->ring_files > FC_RING_FILES_MAX)
        return refuse_number(fail, "captureSettings.fileCount", spec->ring_files, "must be 1 to 10000");
    if (spec->ring_file_bytes < FC_RING_FILE_BYTES_MIN || spec->ring_file_bytes > FC_RING_FILE_BYTES_MAX)
        return refuse_number(fail, "captureSettings.fileSizeInBytes", spec->ring_file_bytes,
                             "must be 1048576 (1 MiB) to 4294967296 (4 GiB)");
    return FC_OK;
}

static fc_err
limits_check(const fc_spec *spec, fc_fail *fail)
{
    if (spec->time_limit_s < 1 || spec->time_limit_s > FC_TIME_LIMIT_MAX_S)
        return refuse_number(fail, "timeLimitInSeconds", spec->time_limit_s, "must be 1 to 604800 (7 days)");
    /* JSON numbers are signed here. */
    if (spec->session_bytes > INT64_MAX)
        return refuse_number(fail, "totalBytesPerSession", spec->session_bytes, "is too large");
    if (spec->packet_limit > INT64_MAX)
        return refuse_number(fail, "packetLimit", spec->packet_limit, "is too large");
    return FC_OK;
}

fc_err
fc_spec_check(const fc_spec *spec, fc_fail *fail)
{
    fc_err err = limits_check(spec, fail);
    if (err == FC_OK)
        err = ring_check(spec, fail);
    if (err == FC_OK)
        err = interfaces_check(&spec->interfaces, fail);
    if (err != FC_OK)
        return err;
    size_t size = packed_size(&fc_spec_to_pb(spec)->base);
    if (size > FC_SPEC_PACKED_MAX)
        return fc_fail_field(
            fail, FC_ERR_INVALID, "filters",
            "filters and interfaces: take %zu bytes on their way to a node and the limit is %d; "
            "use fewer or shorter filters",
            size, FC_SPEC_PACKED_MAX);
    fc_buf expression = {0};
    err =
        fc_filter_expression(spec->filters, spec->filter_count, spec->raw_filter, NULL, 0, &expression, fail);
    fc_buf_fini(&expression);
    return err;
}

fc_err
fc_definition_check(const fc_definition *definition, fc_fail *fail)
{
    if (definition->name == NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, "name", "name: a capture needs a name");
    if (!fc_name_check(definition->name))
        return fc_refuse_text(fail, "name", definition->name, name_grammar);
    fc_err err = target_check(&definition->target, fail);
    if (err == FC_OK)
        err = governance_check(&definition->governance, fail);
    if (err == FC_OK)
        err = fc_spec_check(&definition->spec, fail);
    if (err != FC_OK)
        return err;
    size_t size = packed_size(&fc_definition_to_pb(definition)->base);
    if (size > FC_DEFINITION_PACKED_MAX)
        return fc_fail_field(
            fail, FC_ERR_INVALID, "target.include",
            "target.include and target.exclude: the definition takes %zu bytes and the limit is %d; "
            "use a selector",
            size, FC_DEFINITION_PACKED_MAX);
    return FC_OK;
}
