#include "common/base/json.h"

json_t *
fc_json_number(uint64_t value)
{
    return json_integer(value <= INT64_MAX ? (json_int_t)value : (json_int_t)INT64_MAX);
}

json_t *
fc_json_text(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

json_t *
fc_json_texts(char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, fc_json_text(items[i]));
    return list;
}

json_t *
fc_json_time(fc_wall wall)
{
    char text[FC_TIME_TEXT_SIZE];
    return wall.ns > 0 ? json_string(fc_wall_exact_text(wall, text)) : json_null();
}

void
fc_json_set(json_t *object, const char *key, json_t *value)
{
    if (json_is_null(value))
        json_decref(value);
    else
        json_object_set_new(object, key, value);
}

void
fc_json_set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        fc_json_set(object, key, fc_json_text(text));
}
