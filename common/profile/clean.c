#include "common/profile/clean.h"

/* Length of the UTF-8 character at text (Unicode 15, table 3-7) and its code; 0 when there is none. */
static size_t
character(const unsigned char *text, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (length == 0)
        return 0;
    uint32_t code = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return length;
}

static bool
printable(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return false;
    if (code == 0xad || code == 0x61c || code == 0xfeff || (code & 0xfffe) == 0xfffe)
        return false;
    return !((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
             (code >= 0x2060 && code <= 0x206f) || (code >= 0xfdd0 && code <= 0xfdef) ||
             (code >= 0xfff0 && code <= 0xfffb) || code >= 0xe0000);
}

size_t
fc_clean_character(const char *text)
{
    uint32_t code = 0;
    size_t length = character((const unsigned char *)text, &code);
    return length > 0 && printable(code) ? length : 0;
}

size_t
fc_clean_text(char *to, size_t size, const char *from)
{
    const unsigned char *at = (const unsigned char *)from;
    size_t used = 0;
    while (*at != 0 && used + 1 < size) {
        if (*at >= 0x20 && *at < 0x7f) {
            to[used++] = (char)*at++;
            continue;
        }
        uint32_t code = 0;
        size_t length = character(at, &code);
        if (length == 0 || !printable(code)) {
            to[used++] = '?';
            at += length == 0 ? 1 : length;
            continue;
        }
        if (used + length >= size)
            break;
        for (size_t i = 0; i < length; i++)
            to[used++] = (char)*at++;
    }
    to[used] = '\0';
    return used;
}

bool
fc_clean_check(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != 0) {
        uint32_t code = 0;
        if (*at >= 0x20 && *at < 0x7f) {
            at++;
            used++;
            continue;
        }
        size_t length = character(at, &code);
        if (length == 0 || !printable(code))
            return false;
        at += length;
        used += length;
    }
    return used < size;
}
