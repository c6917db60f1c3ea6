#include "common/base/config.h"

#include "common/base/mem.h"
#include "common/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
field(void *config, const fc_config_key *key)
{
    return (char *)config + key->offset;
}

#define BOUND_TEXT (FC_SIZE_TEXT > FC_DURATION_TEXT ? FC_SIZE_TEXT : FC_DURATION_TEXT)

/* A bound as it is written in a file. */
static const char *
bound_text(const fc_config_key *key, uint64_t value, char text[BOUND_TEXT])
{
    if (key->kind == FC_CONFIG_DURATION)
        return fc_duration_text(value, text);
    if (key->kind == FC_CONFIG_SIZE)
        return fc_size_text(value, text);
    (void)snprintf(text, BOUND_TEXT, "%" PRIu64, value);
    return text;
}

static fc_err
put_number(const fc_config_key *key, const char *text, void *config, fc_fail *fail)
{
    uint64_t value = 0;
    fc_err err = key->kind == FC_CONFIG_SIZE       ? fc_size_parse(text, &value)
                 : key->kind == FC_CONFIG_DURATION ? fc_duration_parse(text, &value)
                                                   : fc_u64_parse(text, UINT64_MAX, &value);
    if (err != FC_OK)
        return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: '%s' is not a %s", key->name, text,
                             key->kind == FC_CONFIG_SIZE       ? "size (100MiB)"
                             : key->kind == FC_CONFIG_DURATION ? "duration (15s)"
                                                               : "number");
    if (value < key->min || (key->max > 0 && value > key->max)) {
        char min[BOUND_TEXT], max[BOUND_TEXT];
        bool capped = key->max > 0;
        return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: '%s' is not %s %s%s%s", key->name, text,
                             capped ? "between" : "at least", bound_text(key, key->min, min),
                             capped ? " and " : "", capped ? bound_text(key, key->max, max) : "");
    }
    memcpy(field(config, key), &value, sizeof value);
    return FC_OK;
}

static fc_err
put_text(const fc_config_key *key, const char *text, void *config, fc_fail *fail)
{
    bool yes = strcmp(text, "true") == 0;
    switch (key->kind) {
    case FC_CONFIG_NAME:
        if (!fc_name_check(text))
            return fc_fail_field(fail, FC_ERR_INVALID, key->name,
                                 "%s: '%s' is not a name (letters, digits, '.', '_', '-'; at most 63)",
                                 key->name, text);
        /* fall through */
    case FC_CONFIG_STRING: {
        char **slot = field(config, key);
        free(*slot);
        *slot = fc_strdup(text);
        return FC_OK;
    }
    case FC_CONFIG_BOOL:
        if (!yes && strcmp(text, "false") != 0)
            return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: '%s' is neither true nor false",
                                 key->name, text);
        memcpy(field(config, key), &yes, sizeof yes);
        return FC_OK;
    case FC_CONFIG_U64:
    case FC_CONFIG_SIZE:
    case FC_CONFIG_DURATION:
        return put_number(key, text, config, fail);
    case FC_CONFIG_TREE:
        break;
    }
    return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: a list or map is wanted", key->name);
}

static fc_err
put_value(const fc_config_key *key, json_t *value, void *config, fc_fail *fail)
{
    if (key->kind == FC_CONFIG_TREE) {
        if (!json_is_object(value) && !json_is_array(value))
            return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: a list or map is wanted", key->name);
        *(json_t **)field(config, key) = json_incref(value);
        return FC_OK;
    }
    if (json_is_object(value) || json_is_array(value))
        return fc_fail_field(fail, FC_ERR_INVALID, key->name, "%s: one value is wanted, not a list or map",
                             key->name);
    if (json_is_string(value))
        return put_text(key, json_string_value(value), config, fail);
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    fc_err err = put_text(key, text, config, fail);
    free(text);
    return err;
}

static const fc_config_key *
find(const fc_config_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

fc_err
fc_config_fill(const fc_config_key *keys, size_t count, const json_t *tree, void *config, fc_fail *fail)
{
    fc_err err = FC_OK;
    for (size_t i = 0; i < count && err == FC_OK; i++)
        if (keys[i].default_text != NULL)
            err = put_text(&keys[i], keys[i].default_text, config, fail);
    if (tree != NULL && !json_is_object(tree) && !json_is_null(tree))
        return fc_fail_set(fail, FC_ERR_INVALID, "the configuration is not a map of keys and values");
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)tree, name, value) {
        const fc_config_key *key = find(keys, count, name);
        if (err != FC_OK)
            break;
        err = key != NULL ? put_value(key, value, config, fail)
                          : fc_fail_field(fail, FC_ERR_INVALID, name, "unknown key '%s'", name);
    }
    for (size_t i = 0; i < count && err == FC_OK; i++)
        if (keys[i].required && json_object_get(tree, keys[i].name) == NULL)
            err = fc_fail_field(fail, FC_ERR_INVALID, keys[i].name, "%s is missing", keys[i].name);
    return err;
}

void
fc_config_fini(const fc_config_key *keys, size_t count, void *config)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].kind == FC_CONFIG_STRING || keys[i].kind == FC_CONFIG_NAME) {
            char **slot = field(config, &keys[i]);
            free(*slot);
            *slot = NULL;
        } else if (keys[i].kind == FC_CONFIG_TREE) {
            json_t **slot = field(config, &keys[i]);
            json_decref(*slot);
            *slot = NULL;
        }
    }
}
