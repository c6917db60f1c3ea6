#include "common/model/selector.h"

#include "common/base/mem.h"
#include "common/model/limits.h"
#include "common/model/shape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum op { OP_EXISTS, OP_ABSENT, OP_IN, OP_NOT_IN } op;

typedef struct requirement {
    char *key; /* owned */
    op op;
    fc_strings values; /* for IN and NOT_IN: at least one, "" among them for `k=` */
} requirement;

struct fc_selector {
    requirement *items; /* owned; ANDed */
    size_t count;
};

enum { KEY_MAX = 253 + 1 + FC_NAME_MAX }; /* prefix/name, as Kubernetes has it */

typedef struct parser {
    const char *text, *at;
    fc_fail *fail;
} parser;

/* Character 1 is the first. */
static fc_err
refuse_at(const parser *p, const char *at, const char *why)
{
    char shown[FC_QUOTED_TEXT];
    return fc_fail_field(p->fail, FC_ERR_INVALID, "target.selector",
                         "target.selector \"%s\": at character %zu: %s", fc_quoted(p->text, shown),
                         (size_t)(at - p->text) + 1, why);
}

static void
skip_space(parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool
is_word_character(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("._-/", c) != NULL);
}

static size_t
word_length(const char *at)
{
    size_t length = 0;
    while (is_word_character(at[length]))
        length++;
    return length;
}

static bool
word_is(const char *word, size_t length, const char *expected)
{
    return strlen(expected) == length && memcmp(word, expected, length) == 0;
}

/* Letters or digits at both ends; a prefix and one slash only where `slashed`. */
static bool
word_check(const char *word, size_t length, size_t max, bool slashed)
{
    const char *slash = memchr(word, '/', length);
    if (length > max ||
        (slash != NULL && (!slashed || memchr(slash + 1, '/', length - (size_t)(slash + 1 - word)))))
        return false;
    return length > 0 && isalnum((unsigned char)word[0]) && isalnum((unsigned char)word[length - 1]);
}

static fc_err
take_key(parser *p, char **ret_key)
{
    skip_space(p);
    size_t length = word_length(p->at);
    if (length == 0)
        return refuse_at(p, p->at,
                         *p->at == '\0' ? "a label key is missing" : "a label key is expected here");
    if (!word_check(p->at, length, KEY_MAX, true))
        return refuse_at(p, p->at, "this is no label key");
    *ret_key = fc_strndup(p->at, length);
    p->at += length;
    return FC_OK;
}

/* `may_be_empty`: kubectl reads "k=" as the empty value. */
static fc_err
take_value(parser *p, bool may_be_empty, fc_strings *values)
{
    skip_space(p);
    size_t length = word_length(p->at);
    if (length == 0 && !may_be_empty)
        return refuse_at(p, p->at, "a label value is expected here");
    if (length > 0 && !word_check(p->at, length, FC_NAME_MAX, false))
        return refuse_at(p, p->at, "this is no label value (at most 63 of A-Z a-z 0-9 . _ -)");
    values->items = fc_grow_array(values->items, values->count + 1, sizeof(char *));
    values->items[values->count++] = fc_strndup(p->at, length);
    p->at += length;
    return FC_OK;
}

static fc_err
take_list(parser *p, fc_strings *values)
{
    skip_space(p);
    if (*p->at != '(')
        return refuse_at(p, p->at, "\"(\" is expected here");
    do {
        p->at++;
        fc_err err = take_value(p, false, values);
        if (err != FC_OK)
            return err;
        skip_space(p);
    } while (*p->at == ',');
    if (*p->at != ')')
        return refuse_at(p, p->at, "\",\" or \")\" is expected here");
    p->at++;
    return FC_OK;
}

/* The operators of one character or two, longest first. */
static const struct {
    const char *text;
    op op;
} operators[] = {{"==", OP_IN}, {"!=", OP_NOT_IN}, {"=", OP_IN}};

static fc_err
take_operation(parser *p, requirement *r)
{
    skip_space(p);
    for (size_t i = 0; i < FC_COUNT(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(p->at, operators[i].text, length) != 0)
            continue;
        r->op = operators[i].op;
        p->at += length;
        return take_value(p, true, &r->values);
    }
    size_t length = word_length(p->at);
    if (length == 0) {
        r->op = OP_EXISTS;
        return FC_OK;
    }
    if (!word_is(p->at, length, "in") && !word_is(p->at, length, "notin"))
        return refuse_at(p, p->at, "\"=\", \"!=\", \"in\", \"notin\" or \",\" is expected here");
    r->op = length == 2 ? OP_IN : OP_NOT_IN;
    p->at += length;
    return take_list(p, &r->values);
}

static fc_err
take_requirement(parser *p, requirement *r)
{
    skip_space(p);
    if (*p->at == '!') {
        p->at++;
        r->op = OP_ABSENT;
        return take_key(p, &r->key);
    }
    fc_err err = take_key(p, &r->key);
    return err == FC_OK ? take_operation(p, r) : err;
}

static fc_err
take_selector(parser *p, fc_selector *selector)
{
    skip_space(p);
    if (*p->at == '\0')
        return FC_OK;
    for (;;) {
        selector->items = fc_grow_array(selector->items, selector->count + 1, sizeof(requirement));
        requirement *r = &selector->items[selector->count++];
        *r = (requirement){0};
        fc_err err = take_requirement(p, r);
        if (err != FC_OK)
            return err;
        skip_space(p);
        if (*p->at == '\0')
            return FC_OK;
        if (*p->at != ',')
            return refuse_at(p, p->at, "\",\" is expected here");
        p->at++;
    }
}

fc_err
fc_selector_parse(const char *text, fc_selector **ret_selector, fc_fail *fail)
{
    parser p = {.text = text, .at = text, .fail = fail};
    if (strnlen(text, FC_SELECTOR_TEXT_MAX + 1) > FC_SELECTOR_TEXT_MAX)
        return refuse_at(&p, text + FC_SELECTOR_TEXT_MAX, "a selector has at most 1024 characters");
    fc_selector *selector = FC_NEW(fc_selector);
    fc_err err = take_selector(&p, selector);
    if (err == FC_OK)
        *ret_selector = selector;
    else
        fc_selector_free(selector);
    return err;
}

void
fc_selector_free(fc_selector *selector)
{
    if (selector == NULL)
        return;
    for (size_t i = 0; i < selector->count; i++) {
        free(selector->items[i].key);
        fc_strings_fini(&selector->items[i].values);
    }
    free(selector->items);
    free(selector);
}

/* As kubectl: != and notin also hold where the label is absent. */
static bool
requirement_match(const requirement *r, const fc_labels *labels)
{
    const char *value = labels != NULL ? fc_labels_find(labels, r->key) : NULL;
    switch (r->op) {
    case OP_EXISTS:
        return value != NULL;
    case OP_ABSENT:
        return value == NULL;
    case OP_IN:
        return value != NULL && fc_strings_have(&r->values, value);
    case OP_NOT_IN:
        return value == NULL || !fc_strings_have(&r->values, value);
    }
    return false;
}

bool
fc_selector_match(const fc_selector *selector, const fc_labels *labels)
{
    for (size_t i = 0; i < selector->count; i++)
        if (!requirement_match(&selector->items[i], labels))
            return false;
    return true;
}
