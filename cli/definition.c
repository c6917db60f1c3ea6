#include "cli/definition.h"

#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "common/model/json_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RING_TIME_LIMIT_DEFAULT_S = 86400 };

/* ---- filters ---- */

static fc_err
filter_item(json_t *filter, const char *item, const char *text, fc_fail *fail)
{
    size_t length = strcspn(item, "=");
    char *key = fc_strndup(item, length);
    const char *known;
    json_t *value;
    fc_err err = FC_OK;
    json_object_foreach (filter, known, value) {
        if (strcasecmp(known, key) == 0)
            err = fc_fail_set(fail, FC_ERR_INVALID,
                              "--filter \"%s\": %s is given twice; join its values with ;", text, key);
    }
    if (err == FC_OK && json_object_set_new(filter, key, json_string(item + length + 1)) != 0)
        err = fc_fail_set(fail, FC_ERR_INVALID, "--filter \"%s\" is not UTF-8", text);
    free(key);
    return err;
}

fc_err
cli_filter_parse(const char *text, fc_spec *spec, fc_fail *fail)
{
    char *copy = fc_strdup(text);
    json_t *list = json_array(), *filter = json_object();
    fc_err err = FC_OK;
    char *at = copy;
    while (*at != '\0' && err == FC_OK) {
        /* The item reaches to the comma before the next "key=", or to the end. */
        char *end = at + strcspn(at, ",");
        while (*end == ',' && end[1] != '\0' && end[1 + strcspn(end + 1, ",=")] != '=')
            end += 1 + strcspn(end + 1, ",");
        bool last = *end == '\0';
        *end = '\0';
        at += strspn(at, " ");
        if (strchr(at, '=') == NULL)
            err = fc_fail_set(fail, FC_ERR_INVALID,
                              "--filter \"%s\": \"%s\" is not KEY=VALUE, as in protocol=TCP,remotePort=443",
                              text, at);
        else
            err = filter_item(filter, at, text, fail);
        at = last ? end : end + 1;
    }
    if (err == FC_OK && json_object_size(filter) == 0)
        err = fc_fail_set(fail, FC_ERR_INVALID,
                          "--filter is empty: write KEY=VALUE, as in protocol=TCP,remotePort=443");
    (void)json_array_append(list, filter);
    if (err == FC_OK)
        err = fc_filters_from_json(list, spec, fail);
    json_decref(filter);
    json_decref(list);
    free(copy);
    return err;
}

/* JSON in the option itself, or in a file after "@". */
static fc_err
filters_json(const char *text, fc_spec *spec, fc_fail *fail)
{
    json_t *list = NULL;
    fc_fail why = {0};
    fc_err err =
        text[0] == '@' ? fc_yaml_load(text + 1, &list, &why) : fc_yaml_parse(text, strlen(text), &list, &why);
    if (err != FC_OK && text[0] == '@')
        return fc_fail_set(fail, err, "--filters %s cannot be read: %s", text, why.text);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "--filters is not JSON: %s", why.text);
    if (!json_is_array(list))
        err = fc_fail_set(fail, FC_ERR_INVALID,
                          "--filters is not a JSON list: write [{\"protocol\": \"TCP\"}]");
    else
        err = fc_filters_from_json(list, spec, fail);
    json_decref(list);
    return err;
}

/* The options' filters replace the file's as a whole: half of one list and half of another would surprise. */
static fc_err
filters_from_args(const cli_args *args, fc_spec *spec, fc_fail *fail)
{
    if (cli_args_has(args, CLI_FILTER) || cli_args_has(args, CLI_FILTERS)) {
        for (size_t i = 0; i < spec->filter_count; i++)
            fc_filter_fini(&spec->filters[i]);
        spec->filter_count = 0;
    }
    fc_err err = FC_OK;
    const char *json = cli_args_text(args, CLI_FILTERS);
    if (json != NULL)
        err = filters_json(json, spec, fail);
    for (size_t i = 0; i < args->given[CLI_FILTER].count && err == FC_OK; i++)
        err = cli_filter_parse(args->given[CLI_FILTER].items[i], spec, fail);
    return err;
}

/* ---- limits ---- */

static fc_err
packet_bytes(const cli_args *args, fc_spec *spec, fc_fail *fail)
{
    uint64_t bytes = spec->bytes_per_packet, other = UINT64_MAX;
    fc_err err = cli_args_size(args, CLI_CAPTURE_SIZE, &bytes, fail);
    if (err == FC_OK)
        err = cli_args_size(args, CLI_BYTES_PER_PACKET, &other, fail);
    if (err != FC_OK)
        return err;
    if (cli_args_has(args, CLI_CAPTURE_SIZE) && other != UINT64_MAX && other != bytes)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--capture-size and --bytes-per-packet are the same, but %llu and %llu differ",
                           (unsigned long long)bytes, (unsigned long long)other);
    if (other != UINT64_MAX)
        bytes = other;
    if (bytes > UINT32_MAX)
        return fc_fail_set(
            fail, FC_ERR_INVALID, "--capture-size \"%s\" is more than 4294967295 bytes per packet",
            cli_args_text(args, other != UINT64_MAX ? CLI_BYTES_PER_PACKET : CLI_CAPTURE_SIZE));
    spec->bytes_per_packet = (uint32_t)bytes;
    return FC_OK;
}

static fc_err
time_limit(const cli_args *args, fc_spec *spec, fc_fail *fail)
{
    if (!cli_args_has(args, CLI_TIME_LIMIT))
        return FC_OK;
    uint64_t ms = 0;
    fc_err err = cli_args_duration(args, CLI_TIME_LIMIT, &ms, fail);
    if (err != FC_OK)
        return err;
    const char *text = cli_args_text(args, CLI_TIME_LIMIT);
    if (ms % 1000 != 0 || ms / 1000 > FC_TIME_LIMIT_MAX_S)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--time-limit \"%s\" is not a whole number of seconds up to %d (7d)", text,
                           FC_TIME_LIMIT_MAX_S);
    spec->time_limit_s = (uint32_t)(ms / 1000);
    return FC_OK;
}

static fc_err
ring(const cli_args *args, fc_spec *spec, fc_fail *fail)
{
    const char *text = cli_args_text(args, CLI_RING);
    if (text == NULL)
        return FC_OK;
    size_t length = strcspn(text, ":");
    char *count = fc_strndup(text, length);
    uint64_t files = 0, bytes = 0;
    fc_err err = fc_u64_parse(count, FC_RING_FILES_MAX, &files);
    free(count);
    if (err != FC_OK || text[length] != ':' || fc_size_parse(text + length + 1, &bytes) != FC_OK)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--ring \"%s\" is not FILES:SIZE, with 1 to %d files, as in 10:100MiB", text,
                           FC_RING_FILES_MAX);
    spec->ring_files = (uint32_t)files;
    spec->ring_file_bytes = bytes;
    /* A ring goes on: without limits of its own it gets those that a definition with captureSettings has. */
    if (!cli_args_has(args, CLI_FILE) && !cli_args_has(args, CLI_CAPTURE_LIMIT))
        spec->session_bytes = 0;
    if (!cli_args_has(args, CLI_FILE) && !cli_args_has(args, CLI_TIME_LIMIT))
        spec->time_limit_s = RING_TIME_LIMIT_DEFAULT_S;
    return FC_OK;
}

static fc_err
limits_from_args(const cli_args *args, fc_spec *spec, fc_fail *fail)
{
    fc_err err = packet_bytes(args, spec, fail);
    if (err == FC_OK)
        err = cli_args_size(args, CLI_CAPTURE_LIMIT, &spec->session_bytes, fail);
    if (err == FC_OK)
        err = time_limit(args, spec, fail);
    if (err == FC_OK)
        err = cli_args_number(args, CLI_PACKET_LIMIT, 0, INT64_MAX, &spec->packet_limit, fail);
    if (err == FC_OK)
        err = ring(args, spec, fail);
    return err;
}

/* ---- the rest ---- */

static void
replace_text(const cli_args *args, cli_option_id id, char **text)
{
    if (!cli_args_has(args, id))
        return;
    free(*text);
    const char *given = cli_args_text(args, id);
    *text = *given != '\0' ? fc_strdup(given) : NULL;
}

static void
replace_list(const cli_args *args, cli_option_id id, fc_strings *list)
{
    if (!cli_args_has(args, id))
        return;
    fc_strings_fini(list);
    memset(list, 0, sizeof *list);
    cli_args_list(args, id, list);
}

void
cli_target_from_args(const cli_args *args, fc_target *target)
{
    replace_text(args, CLI_SCALE_SET, &target->scale_set);
    replace_text(args, CLI_SELECTOR, &target->selector);
    replace_list(args, CLI_REGION, &target->regions);
    replace_list(args, CLI_ZONE, &target->zones);
    replace_list(args, CLI_INCLUDE, &target->include);
    replace_list(args, CLI_EXCLUDE, &target->exclude);
}

fc_err
cli_target_check(const fc_target *target, fc_fail *fail)
{
    fc_definition definition;
    fc_definition_init(&definition);
    definition.name = fc_strdup("target");
    definition.target = *target;
    fc_err err = fc_definition_check(&definition, fail);
    memset(&definition.target, 0, sizeof definition.target);
    fc_definition_fini(&definition);
    return err;
}

static fc_err
delete_after(const cli_args *args, fc_wall now, fc_governance *governance, fc_fail *fail)
{
    const char *text = cli_args_text(args, CLI_DELETE_AFTER);
    if (text == NULL)
        return FC_OK;
    uint64_t ms = 0;
    if (fc_date_parse(text, &governance->delete_after_unix_s) == FC_OK)
        return FC_OK;
    if (fc_duration_parse(text, &ms) != FC_OK || ms > (uint64_t)INT64_MAX / FC_NS_PER_MS / 2)
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "--delete-after \"%s\" is neither a date like 2026-12-31 nor a time from now like 30d", text);
    governance->delete_after_unix_s = now.ns / FC_NS_PER_S + (int64_t)(ms / 1000);
    return FC_OK;
}

static fc_err
governance_from_args(const cli_args *args, fc_wall now, fc_governance *governance, fc_fail *fail)
{
    replace_text(args, CLI_REASON, &governance->reason);
    replace_text(args, CLI_OWNER, &governance->owner);
    replace_text(args, CLI_INCIDENT, &governance->incident_id);
    for (size_t i = 0; i < args->given[CLI_TAG].count; i++) {
        const char *text = args->given[CLI_TAG].items[i];
        size_t length = strcspn(text, "=");
        if (length == 0 || text[length] != '=')
            return fc_fail_set(fail, FC_ERR_INVALID, "--tag \"%s\" is not KEY=VALUE", text);
        char *key = fc_strndup(text, length);
        fc_labels_set(&governance->tags, key, text + length + 1);
        free(key);
    }
    return delete_after(args, now, governance, fail);
}

static fc_err
load_file(const char *path, fc_definition *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_fail why = {0};
    fc_err err = fc_yaml_load(path, &tree, &why);
    if (err == FC_OK)
        err = fc_definition_from_json(tree, ret, &why);
    json_decref(tree);
    if (err == FC_OK)
        return FC_OK;
    const char *shown = strcmp(path, "-") == 0 ? "standard input" : path;
    if (strstr(why.text, path) != NULL && why.field[0] == '\0')
        return fc_fail_copy(fail, &why);
    return fc_fail_set(fail, err, "%s: %s", shown, why.text);
}

static fc_err
name_from_args(const cli_args *args, fc_definition *definition, fc_fail *fail)
{
    const char *operand = args->operands.count > 0 ? args->operands.items[0] : NULL;
    const char *option = cli_args_text(args, CLI_NAME);
    if (operand != NULL && option != NULL && strcmp(operand, option) != 0)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "the capture is called \"%s\" and --name \"%s\": give one name", operand, option);
    const char *name = operand != NULL ? operand : option;
    if (name != NULL) {
        free(definition->name);
        definition->name = fc_strdup(name);
    }
    if (definition->name == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "the capture needs a name: fleetcap capture create NAME");
    return FC_OK;
}

fc_err
cli_definition_from_args(const cli_args *args, fc_wall now, fc_definition *ret, fc_fail *fail)
{
    fc_definition definition;
    const char *path = cli_args_text(args, CLI_FILE);
    if (path != NULL) {
        fc_err err = load_file(path, &definition, fail);
        if (err != FC_OK)
            return err;
    } else
        fc_definition_init(&definition);
    fc_err err = name_from_args(args, &definition, fail);
    cli_target_from_args(args, &definition.target);
    if (err == FC_OK)
        err = filters_from_args(args, &definition.spec, fail);
    replace_text(args, CLI_RAW_FILTER, &definition.spec.raw_filter);
    replace_list(args, CLI_INTERFACE, &definition.spec.interfaces);
    if (cli_args_has(args, CLI_INCLUDE_OWN_TRAFFIC))
        definition.spec.include_own_traffic = true;
    if (err == FC_OK)
        err = limits_from_args(args, &definition.spec, fail);
    if (err == FC_OK)
        err = governance_from_args(args, now, &definition.governance, fail);
    if (err == FC_OK)
        err = fc_definition_check(&definition, fail);
    if (err == FC_OK)
        *ret = definition;
    else
        fc_definition_fini(&definition);
    return err;
}
