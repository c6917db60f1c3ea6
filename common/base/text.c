#include "common/base/text.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

bool
fc_name_check(const char *text)
{
    size_t length = strnlen(text, FC_NAME_MAX + 1);
    if (length == 0 || length > FC_NAME_MAX || !isalnum((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || (!isalnum(c) && c != '.' && c != '_' && c != '-'))
            return false;
    }
    return true;
}

bool
fc_uid_check(const char *text)
{
    return strnlen(text, FC_UID_LENGTH + 1) == FC_UID_LENGTH &&
           strspn(text, "0123456789abcdef") == FC_UID_LENGTH;
}

void
fc_uid_make(char ret_uid[FC_UID_LENGTH + 1])
{
    uint8_t bits[FC_UID_LENGTH / 2];
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        abort();
    fc_hex_text(bits, sizeof bits, ret_uid);
}

/* Reads digits; *ret_rest is what follows them. */
static fc_err
digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return FC_ERR_RANGE;
    if (at == text)
        return FC_ERR_INVALID;
    *ret_value = value;
    *ret_rest = at;
    return FC_OK;
}

fc_err
fc_u64_parse(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    const char *rest;
    fc_err err = digits(text, &value, &rest);
    if (err != FC_OK)
        return err;
    if (*rest != '\0')
        return FC_ERR_INVALID;
    if (value > max)
        return FC_ERR_RANGE;
    *ret_value = value;
    return FC_OK;
}

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

static fc_err
with_unit(const char *text, const unit *units, size_t count, uint64_t *ret_value)
{
    uint64_t value;
    const char *rest;
    fc_err err = digits(text, &value, &rest);
    if (err != FC_OK)
        return err;
    while (*rest == ' ')
        rest++;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(rest, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(value, units[i].factor, &value))
            return FC_ERR_RANGE;
        *ret_value = value;
        return FC_OK;
    }
    return FC_ERR_INVALID;
}

fc_err
fc_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const unit units[] = {
        {"", 1},
        {"B", 1},
        {"kB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"KiB", 1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
        {"TiB", 1ull << 40},
    };
    return with_unit(text, units, FC_COUNT(units), ret_bytes);
}

fc_err
fc_duration_parse(const char *text, uint64_t *ret_ms)
{
    static const unit units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    return with_unit(text, units, FC_COUNT(units), ret_ms);
}

const char *
fc_duration_text(uint64_t ms, char text[FC_DURATION_TEXT])
{
    static const unit units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms == 0 ? i + 2 < FC_COUNT(units) : ms % units[i].factor != 0)
        i++;
    (void)snprintf(text, FC_DURATION_TEXT, "%" PRIu64 "%s", ms / units[i].factor, units[i].name);
    return text;
}

const char *
fc_size_text(uint64_t bytes, char text[FC_SIZE_TEXT])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t i = 0;
    for (; value >= 1024 && i + 1 < FC_COUNT(names); i++)
        value /= 1024;
    (void)snprintf(text, FC_SIZE_TEXT, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
    return text;
}

void
fc_hex_text(const uint8_t *bytes, size_t size, char *ret_text)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = hex[bytes[i] >> 4];
        ret_text[2 * i + 1] = hex[bytes[i] & 15];
    }
    ret_text[2 * size] = '\0';
}

fc_err
fc_hex_parse(const char *text, uint8_t *ret_bytes, size_t size)
{
    if (strlen(text) != 2 * size || strspn(text, "0123456789abcdefABCDEF") != 2 * size)
        return FC_ERR_INVALID;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        ret_bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return FC_OK;
}
