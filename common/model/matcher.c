/* A target made ready: its selector parsed, its names sorted. */
#include "common/base/mem.h"
#include "common/model/selector.h"

#include <stdlib.h>
#include <string.h>

/* A name of a list; `order` is its place there. */
typedef struct entry {
    const char *name; /* borrowed from the target */
    size_t order;
    bool matched;
} entry;

typedef struct names {
    entry *entries; /* owned; sorted by name, each once */
    size_t count;
} names;

struct fc_matcher {
    const fc_target *target; /* borrowed from the caller of fc_matcher_new */
    fc_selector *selector;   /* owned; NULL = any */
    names include, exclude;
};

static int
compare_entries(const void *a, const void *b)
{
    const entry *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : left->order < right->order ? -1 : 1;
}

static int
compare_name(const void *key, const void *element)
{
    const entry *e = element;
    return strcmp(key, e->name);
}

static void
names_init(names *n, const fc_strings *strings)
{
    if (strings->count == 0)
        return;
    n->entries = fc_alloc_array(strings->count, sizeof(entry));
    for (size_t i = 0; i < strings->count; i++)
        n->entries[i] = (entry){.name = strings->items[i], .order = i};
    qsort(n->entries, strings->count, sizeof(entry), compare_entries);
    for (size_t i = 0; i < strings->count; i++)
        if (n->count == 0 || strcmp(n->entries[n->count - 1].name, n->entries[i].name) != 0)
            n->entries[n->count++] = n->entries[i];
}

static entry *
names_find(const names *n, const char *name)
{
    return n->count == 0 || name == NULL ? NULL
                                         : bsearch(name, n->entries, n->count, sizeof(entry), compare_name);
}

/* Both are marked: a list may hold the id and the name of the same instance. */
static bool
names_mark(const names *n, const fc_instance_facts *instance)
{
    entry *by_id = names_find(n, instance->id);
    entry *by_name = names_find(n, instance->name);
    if (by_id != NULL)
        by_id->matched = true;
    if (by_name != NULL)
        by_name->matched = true;
    return by_id != NULL || by_name != NULL;
}

static const entry *
first_unmatched(const names *n)
{
    const entry *first = NULL;
    for (size_t i = 0; i < n->count; i++)
        if (!n->entries[i].matched && (first == NULL || n->entries[i].order < first->order))
            first = &n->entries[i];
    return first;
}

fc_err
fc_matcher_new(const fc_target *target, fc_matcher **ret_matcher, fc_fail *fail)
{
    fc_selector *selector = NULL;
    if (target->selector != NULL) {
        fc_err err = fc_selector_parse(target->selector, &selector, fail);
        if (err != FC_OK)
            return err;
    }
    fc_matcher *matcher = FC_NEW(fc_matcher);
    matcher->target = target;
    matcher->selector = selector;
    names_init(&matcher->include, &target->include);
    names_init(&matcher->exclude, &target->exclude);
    *ret_matcher = matcher;
    return FC_OK;
}

void
fc_matcher_free(fc_matcher *matcher)
{
    if (matcher == NULL)
        return;
    fc_selector_free(matcher->selector);
    free(matcher->include.entries);
    free(matcher->exclude.entries);
    free(matcher);
}

/* No wish, or the wish is met. */
static bool
same(const char *wanted, const char *is)
{
    return wanted == NULL || *wanted == '\0' || (is != NULL && strcmp(wanted, is) == 0);
}

static bool
among(const fc_strings *wanted, const char *is)
{
    return wanted->count == 0 || (is != NULL && fc_strings_have(wanted, is));
}

bool
fc_matcher_match(fc_matcher *matcher, const fc_instance_facts *instance)
{
    /* An excluded name has done its work when the instance exists; an included one only when it is chosen. */
    bool excluded = names_mark(&matcher->exclude, instance);
    const fc_target *target = matcher->target;
    if (excluded || !same(target->scale_set, instance->scale_set) ||
        !among(&target->regions, instance->region) || !among(&target->zones, instance->zone))
        return false;
    if (matcher->selector != NULL && !fc_selector_match(matcher->selector, instance->labels))
        return false;
    return matcher->include.count == 0 || names_mark(&matcher->include, instance);
}

const char *
fc_matcher_unmatched(const fc_matcher *matcher)
{
    const entry *e = first_unmatched(&matcher->include);
    if (e == NULL)
        e = first_unmatched(&matcher->exclude);
    return e != NULL ? e->name : NULL;
}
