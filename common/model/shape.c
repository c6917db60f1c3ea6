#include "common/model/shape.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool
continues(const char *text, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (((unsigned char)text[from + i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t
fc_utf8_length(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    if (first == '\0')
        return 0;
    if (first < 0x80)
        return 1;
    unsigned char second = (unsigned char)text[1];
    /* Table 3-7 of the Unicode standard: what may follow which first byte. */
    if (first >= 0xc2 && first <= 0xdf)
        return continues(text, 1, 1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        bool good = (first != 0xe0 || second >= 0xa0) && (first != 0xed || second <= 0x9f);
        return good && continues(text, 1, 1) && continues(text, 2, 1) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        bool good = (first != 0xf0 || second >= 0x90) && (first != 0xf4 || second <= 0x8f);
        return good && continues(text, 1, 1) && continues(text, 2, 1) && continues(text, 3, 1) ? 4 : 0;
    }
    return 0;
}

/* The length of the printable character at text; 0 for a control character and for what is not UTF-8. */
static size_t
printable_length(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = fc_utf8_length(text);
    bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0);
    return control ? 0 : length;
}

bool
fc_text_check(const char *text, size_t max)
{
    size_t used = 0;
    while (text[used] != '\0') {
        size_t length = printable_length(text + used);
        if (length == 0 || used + length > max)
            return false;
        used += length;
    }
    return true;
}

void
fc_text_clean(const char *text, char *ret_text, size_t size)
{
    size_t used = 0;
    while (*text != '\0') {
        size_t length = printable_length(text);
        size_t step = length > 0 ? length : 1;
        if (used + step >= size)
            break;
        if (length > 0)
            memcpy(ret_text + used, text, length);
        else
            ret_text[used] = '?';
        used += step;
        text += step;
    }
    ret_text[used] = '\0';
}

const char *
fc_quoted(const char *text, char shown[FC_QUOTED_TEXT])
{
    fc_text_clean(text, shown, FC_QUOTED_TEXT - 3);
    if (strnlen(text, FC_QUOTED_TEXT) > strlen(shown))
        strcat(shown, "...");
    return shown;
}

fc_err
fc_refuse(fc_fail *fail, const char *field, const char *why)
{
    return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: %s", field, why);
}

fc_err
fc_refuse_text(fc_fail *fail, const char *field, const char *value, const char *why)
{
    char shown[FC_QUOTED_TEXT];
    return fc_fail_field(fail, FC_ERR_INVALID, field, "%s \"%s\": %s", field, fc_quoted(value, shown), why);
}

fc_err
fc_text_from_pb(const char *text, size_t max, const char *field, char **ret_text, fc_fail *fail)
{
    if (text == NULL || *text == '\0')
        return FC_OK;
    if (strnlen(text, max + 1) > max)
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: has more than %zu bytes", field, max);
    if (!fc_text_check(text, max))
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: is not UTF-8 or has control characters",
                             field);
    *ret_text = fc_strdup(text);
    return FC_OK;
}

fc_err
fc_strings_from_pb(char *const *items, size_t count, size_t count_max, size_t max, const char *field,
                   fc_strings *ret, fc_fail *fail)
{
    if (count > count_max)
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: has %zu items and the limit is %zu", field,
                             count, count_max);
    if (count == 0)
        return FC_OK;
    fc_strings strings = {.items = fc_alloc_array(count, sizeof(char *))};
    for (; strings.count < count; strings.count++) {
        char *text = NULL;
        fc_err err = fc_text_from_pb(items[strings.count], max, field, &text, fail);
        if (err == FC_OK && text == NULL)
            err = fc_fail_field(fail, FC_ERR_INVALID, field, "%s: has an empty item", field);
        if (err != FC_OK) {
            fc_strings_fini(&strings);
            return err;
        }
        strings.items[strings.count] = text;
    }
    *ret = strings;
    return FC_OK;
}

char *
fc_text_to_pb(const char *text)
{
    return text == NULL || *text == '\0' ? (char *)protobuf_c_empty_string : fc_strdup(text);
}

char **
fc_strings_to_pb(const fc_strings *strings)
{
    if (strings->count == 0)
        return NULL;
    char **items = fc_alloc_array(strings->count, sizeof(char *));
    for (size_t i = 0; i < strings->count; i++)
        items[i] = fc_text_to_pb(strings->items[i]);
    return items;
}
