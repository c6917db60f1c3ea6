#include "common/profile/agree.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

typedef struct form {
    const char *many, *one;
} form;

// clang-format off
static const form nouns[] = {
    {"packets", "packet"},         {"segments", "segment"},       {"bytes", "byte"},           {"datagrams", "datagram"},
    {"connections", "connection"}, {"conversations", "conversation"}, {"handshakes", "handshake"}, {"questions", "question"},
    {"answers", "answer"},         {"requests", "request"},       {"neighbours", "neighbour"}, {"instances", "instance"},
    {"files", "file"},             {"groups", "group"},           {"findings", "finding"},     {"metrics", "metric"},
    {"differences", "difference"}, {"values", "value"},
};
static const form verbs[] = {
    {"were", "was"},   {"are", "is"},       {"have", "has"},   {"fall", "falls"},
    {"stall", "stalls"}, {"become", "becomes"}, {"stand", "stands"}, {"their", "its"},
};
// clang-format on

fc_agree
fc_agree_with(uint64_t count, uint64_t of)
{
    return (fc_agree){.noun = of == 1, .verb = count == 1};
}

static const char *
one_of(const form *forms, size_t count, const char *word, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(forms[i].many) == size && memcmp(forms[i].many, word, size) == 0)
            return forms[i].one;
    return NULL;
}

void
fc_agree_put(fc_agree *agree, fc_buf *out, const char *text, size_t size)
{
    for (size_t at = 0, end; at < size; at = end) {
        const char *one = NULL;
        for (end = at; end < size && isalpha((unsigned char)text[end]);)
            end++;
        if (agree->noun && (one = one_of(nouns, sizeof nouns / sizeof nouns[0], text + at, end - at)) != NULL)
            agree->noun = false;
        else if (agree->verb &&
                 (one = one_of(verbs, sizeof verbs / sizeof verbs[0], text + at, end - at)) != NULL)
            agree->verb = false;
        if (end == at)
            end++;
        if (one != NULL)
            fc_buf_append(out, one, strlen(one));
        else
            fc_buf_append(out, text + at, end - at);
    }
}

void
fc_agree_count(fc_buf *out, uint64_t count, const char *words)
{
    fc_agree agree = fc_agree_with(count, count);
    fc_buf_printf(out, "%" PRIu64 " ", count);
    fc_agree_put(&agree, out, words, strlen(words));
}
