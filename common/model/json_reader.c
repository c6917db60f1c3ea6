#include "common/model/json_reader.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/definition.h"
#include "common/model/shape.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- did you mean ---- */

enum { SUGGEST_LENGTH = 40, SUGGEST_DISTANCE = 3 };

/* Levenshtein's distance without regard to case (Wagner and Fischer 1974, one row); both at most
 * SUGGEST_LENGTH. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[SUGGEST_LENGTH + 1];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t changed =
                diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < shorter ? changed : shorter;
        }
    }
    return row[width];
}

static const char *
nearest(const char *name, const fc_json_table *table)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_DISTANCE + 1;
    if (strnlen(name, SUGGEST_LENGTH + 1) > SUGGEST_LENGTH)
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        size_t edits = distance(name, table->keys[i].name);
        if (edits < best_distance && 2 * edits < strlen(table->keys[i].name)) {
            best = table->keys[i].name;
            best_distance = edits;
        }
    }
    return best;
}

static fc_err
refuse_key(fc_fail *fail, const char *path, const char *name, const fc_json_table *table)
{
    char shown[FC_QUOTED_TEXT];
    const char *in = *path != '\0' ? path : "the definition";
    const char *meant = nearest(name, table);
    fc_quoted(name, shown);
    if (meant != NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, shown, "unknown key \"%s\" in %s; did you mean \"%s\"?",
                             shown, in, meant);
    return fc_fail_field(fail, FC_ERR_INVALID, shown, "unknown key \"%s\" in %s", shown, in);
}

/* ---- values ---- */

fc_err
fc_json_read_text(const json_t *value, const char *path, uint64_t max, char **ret_text, fc_fail *fail)
{
    if (!json_is_string(value))
        return fc_refuse(fail, path, "must be a text");
    const char *text = json_string_value(value);
    if (json_string_length(value) > max) {
        char why[64];
        (void)snprintf(why, sizeof why, "has more than %llu bytes", (unsigned long long)max);
        return fc_refuse_text(fail, path, text, why);
    }
    if (strlen(text) != json_string_length(value) || !fc_text_check(text, max))
        return fc_refuse_text(fail, path, text, "has control characters");
    if (*ret_text != NULL)
        return fc_refuse_text(fail, path, text, "is given twice");
    *ret_text = *text != '\0' ? fc_strdup(text) : NULL;
    return FC_OK;
}

static fc_err
read_value(const json_t *value, const char *path, uint64_t max, char **ret_text, fc_fail *fail)
{
    if (!json_is_integer(value))
        return json_is_string(value) ? fc_json_read_text(value, path, max, ret_text, fail)
                                     : fc_refuse(fail, path, "must be a text or a whole number");
    *ret_text = fc_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return FC_OK;
}

static fc_err
read_strings(const json_t *value, const char *path, uint64_t max, fc_strings *ret, fc_fail *fail)
{
    if (!json_is_array(value))
        return fc_refuse(fail, path, "must be a list of texts");
    if (ret->count > 0)
        return fc_refuse(fail, path, "is given twice (in target and in scope)");
    for (size_t i = 0; i < json_array_size(value); i++) {
        char at[FC_JSON_PATH + 24];
        char *text = NULL;
        (void)snprintf(at, sizeof at, "%s[%zu]", path, i);
        fc_err err = fc_json_read_text(json_array_get(value, i), at, max, &text, fail);
        if (err != FC_OK)
            return err;
        if (text == NULL)
            return fc_refuse(fail, at, "is empty");
        ret->items = fc_grow_array(ret->items, ret->count + 1, sizeof(char *));
        ret->items[ret->count++] = text;
    }
    return FC_OK;
}

static fc_err
bytes_parse(const char *text, uint64_t *ret_value)
{
    return fc_size_parse(text, ret_value);
}

static fc_err
seconds_parse(const char *text, uint64_t *ret_value)
{
    uint64_t ms;
    fc_err err = fc_duration_parse(text, &ms);
    if (err != FC_OK)
        return err;
    if (ms % 1000 != 0)
        return FC_ERR_INVALID;
    *ret_value = ms / 1000;
    return FC_OK;
}

static fc_err
digits_parse(const char *text, uint64_t *ret_value)
{
    return fc_u64_parse(text, UINT64_MAX, ret_value);
}

/* How a number may also be written, as a text. */
static const struct {
    fc_err (*parse)(const char *text, uint64_t *ret_value);
    const char *wanted;
} numbers[] = {
    [FC_JSON_NUMBER] = {digits_parse, "must be a whole number, 0 or more"},
    [FC_JSON_SIZE] = {bytes_parse, "must be a number of bytes, or a size such as \"100MiB\""},
    [FC_JSON_SECONDS] = {seconds_parse, "must be a whole number of seconds, or a duration such as \"5h\""},
};

static fc_err
read_number(const json_t *value, const fc_json_key *key, const char *path, uint64_t *ret, fc_fail *fail)
{
    uint64_t number = 0;
    char shown[32] = "";
    const char *text = shown;
    fc_err err = FC_ERR_INVALID;
    if (json_is_integer(value)) {
        (void)snprintf(shown, sizeof shown, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        err = json_integer_value(value) >= 0 ? FC_OK : FC_ERR_INVALID;
        number = (uint64_t)json_integer_value(value);
    } else if (json_is_real(value)) {
        (void)snprintf(shown, sizeof shown, "%g", json_real_value(value));
    } else if (json_is_string(value)) {
        text = json_string_value(value);
        err = numbers[key->kind].parse(text, &number);
    }
    if (err == FC_ERR_INVALID)
        return *text != '\0' ? fc_refuse_text(fail, path, text, numbers[key->kind].wanted)
                             : fc_refuse(fail, path, numbers[key->kind].wanted);
    if (err == FC_ERR_RANGE || number > key->max) {
        char why[64];
        (void)snprintf(why, sizeof why, "is at most %llu", (unsigned long long)key->max);
        return fc_refuse_text(fail, path, text, why);
    }
    *ret = number;
    return FC_OK;
}

static fc_err
read_date(const json_t *value, const char *path, int64_t *ret, fc_fail *fail)
{
    if (!json_is_string(value))
        return fc_refuse(fail, path, "must be a date such as \"2026-12-31\" or \"2026-12-31T18:00:00Z\"");
    if (fc_date_parse(json_string_value(value), ret) != FC_OK)
        return fc_refuse_text(fail, path, json_string_value(value),
                              "must be a date such as \"2026-12-31\" or \"2026-12-31T18:00:00Z\"");
    return FC_OK;
}

static fc_err
read_key(const json_t *value, const fc_json_key *key, const char *path, void *base, fc_fail *fail)
{
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case FC_JSON_TEXT:
        return fc_json_read_text(value, path, key->max, field, fail);
    case FC_JSON_VALUE:
        return read_value(value, path, key->max, field, fail);
    case FC_JSON_STRINGS:
        return read_strings(value, path, key->max, field, fail);
    case FC_JSON_NUMBER:
    case FC_JSON_SIZE:
    case FC_JSON_SECONDS:
        return read_number(value, key, path, field, fail);
    case FC_JSON_BOOL:
        if (!json_is_boolean(value))
            return fc_refuse(fail, path, "must be true or false");
        *(bool *)field = json_is_true(value);
        return FC_OK;
    case FC_JSON_DATE:
        return read_date(value, path, field, fail);
    case FC_JSON_OBJECT:
        return fc_json_read(value, key->table, path, base, fail);
    case FC_JSON_CUSTOM:
        return key->read(value, path, base, fail);
    }
    return FC_ERR_INTERNAL;
}

static const fc_json_key *
find_key(const fc_json_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcasecmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    return NULL;
}

fc_err
fc_json_read(const json_t *object, const fc_json_table *table, const char *path, void *base, fc_fail *fail)
{
    if (!json_is_object(object))
        return fc_refuse(fail, *path != '\0' ? path : "definition", "must be an object");
    uint64_t seen = 0;
    const char *name;
    json_t *value;
    /* The iterator takes no const; it changes nothing. */
    json_object_foreach ((json_t *)object, name, value) {
        const fc_json_key *key = find_key(table, name);
        if (key == NULL)
            return refuse_key(fail, path, name, table);
        char at[FC_JSON_PATH];
        (void)snprintf(at, sizeof at, "%s%s%s", path, *path != '\0' ? "." : "", key->name);
        uint64_t bit = UINT64_C(1) << (key - table->keys);
        if ((seen & bit) != 0)
            return fc_refuse(fail, at, "is given twice");
        seen |= bit;
        if (json_is_null(value))
            continue;
        fc_err err = read_key(value, key, at, base, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}
