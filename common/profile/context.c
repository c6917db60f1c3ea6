#include "common/profile/context.h"

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/profile/clean.h"
#include "common/profile/profile.h"
#include "fleetcap/v1/profile.pb-c.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FACT_OVERHEAD = 12, /* tags and lengths of a fact, at most */
    /* What is kept free for version, time, the number left out, and what was unreadable. */
    RESERVE = 64 + FC_CONTEXT_UNREADABLE_MAX * (FC_CONTEXT_VALUE_MAX + 4),
};

void
fc_context_fini(fc_context *context)
{
    for (size_t i = 0; i < context->fact_count; i++) {
        free(context->facts[i].key);
        free(context->facts[i].value);
    }
    free(context->facts);
    for (size_t i = 0; i < context->unreadable_count; i++)
        free(context->unreadable[i]);
    free(context->unreadable);
    memset(context, 0, sizeof *context);
}

static void
leave_out(fc_context *context)
{
    context->left_out += context->left_out != UINT32_MAX;
}

void
fc_context_add(fc_context *context, fc_section section, const char *key, const char *value)
{
    char clean_key[FC_CONTEXT_KEY_MAX + 1], clean_value[FC_CONTEXT_VALUE_MAX + 1];
    size_t size = fc_clean_text(clean_key, sizeof clean_key, key) + FACT_OVERHEAD;
    size += fc_clean_text(clean_value, sizeof clean_value, value);
    if (context->fact_count == FC_CONTEXT_FACTS_MAX ||
        context->packed_bytes + size > FC_CONTEXT_PACKED_MAX - RESERVE) {
        leave_out(context);
        return;
    }
    if (context->fact_count == context->capacity) {
        context->capacity = context->capacity > 0 ? 2 * context->capacity : 64;
        context->facts = fc_grow_array(context->facts, context->capacity, sizeof *context->facts);
    }
    context->facts[context->fact_count++] =
        (fc_context_fact){section, fc_strdup(clean_key), fc_strdup(clean_value)};
    context->packed_bytes += size;
    context->sorted = false;
}

void
fc_context_addf(fc_context *context, fc_section section, const char *key, const char *format, ...)
{
    char value[4 * FC_CONTEXT_VALUE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    fc_context_add(context, section, key, value);
}

static void
keep_unreadable(fc_context *context, const char *text)
{
    if (context->unreadable_count == FC_CONTEXT_UNREADABLE_MAX) {
        leave_out(context);
        return;
    }
    if (context->unreadable == NULL)
        context->unreadable = fc_alloc_array(FC_CONTEXT_UNREADABLE_MAX, sizeof *context->unreadable);
    char clean[FC_CONTEXT_VALUE_MAX + 1];
    (void)fc_clean_text(clean, sizeof clean, text);
    context->unreadable[context->unreadable_count++] = fc_strdup(clean);
}

void
fc_context_add_unreadable(fc_context *context, fc_section section, const char *why)
{
    char text[4 * FC_CONTEXT_VALUE_MAX];
    (void)snprintf(text, sizeof text, "%s: %s", fc_section_names[section].name, why);
    keep_unreadable(context, text);
}

static int
compare_keys(const fc_context_fact *a, fc_section section, const char *key)
{
    return a->section != section ? (a->section < section ? -1 : 1) : strcmp(a->key, key);
}

static int
compare_facts(const void *a_, const void *b_)
{
    const fc_context_fact *a = a_, *b = b_;
    int order = compare_keys(a, b->section, b->key);
    return order != 0 ? order : strcmp(a->value, b->value);
}

/* In order, each once? What was packed is: it need not be sorted again. */
static bool
is_sorted(const fc_context *context)
{
    for (size_t i = 1; i < context->fact_count; i++)
        if (compare_facts(&context->facts[i - 1], &context->facts[i]) >= 0)
            return false;
    return true;
}

void
fc_context_sort(fc_context *context)
{
    if (context->sorted || is_sorted(context)) {
        context->sorted = true;
        return;
    }
    qsort(context->facts, context->fact_count, sizeof *context->facts, compare_facts);
    size_t kept = 1;
    for (size_t i = 1; i < context->fact_count; i++) {
        fc_context_fact *fact = &context->facts[i];
        if (compare_facts(&context->facts[kept - 1], fact) != 0) {
            context->facts[kept++] = *fact;
            continue;
        }
        context->packed_bytes -= strlen(fact->key) + strlen(fact->value) + FACT_OVERHEAD;
        free(fact->key);
        free(fact->value);
    }
    context->fact_count = kept;
    context->sorted = true;
}

const char *
fc_context_find(const fc_context *context, fc_section section, const char *key)
{
    size_t low = 0, high = context->fact_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(&context->facts[middle], section, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < context->fact_count && compare_keys(&context->facts[low], section, key) == 0
               ? context->facts[low].value
               : NULL;
}

void
fc_context_pack(fc_context *context, fc_buf *out)
{
    fc_context_sort(context);
    Fcpb__Context message = FCPB__CONTEXT__INIT;
    Fcpb__ContextFact *facts = fc_alloc_array(context->fact_count + 1, sizeof *facts);
    Fcpb__ContextFact **list = fc_alloc_array(context->fact_count + 1, sizeof *list);
    for (size_t i = 0; i < context->fact_count; i++) {
        fcpb__context_fact__init(&facts[i]);
        facts[i].section = (uint32_t)context->facts[i].section;
        facts[i].key = context->facts[i].key;
        facts[i].value = context->facts[i].value;
        list[i] = &facts[i];
    }
    message.version = FC_CONTEXT_VERSION;
    message.at_unix_ns = fc_clean_time(context->at.ns);
    message.n_facts = context->fact_count;
    message.facts = list;
    message.n_unreadable = context->unreadable_count;
    message.unreadable = context->unreadable;
    message.left_out = context->left_out;
    size_t size = fcpb__context__get_packed_size(&message);
    (void)fcpb__context__pack(&message, fc_buf_reserve(out, size));
    fc_buf_commit(out, size);
    free(list);
    free(facts);
}

static fc_err
corrupt(fc_fail *fail, const char *what)
{
    return fc_fail_set(fail, FC_ERR_CORRUPT, "context: %s", what);
}

static fc_err
take(fc_context *context, const Fcpb__Context *message, fc_fail *fail)
{
    if (message->version == 0)
        return corrupt(fail, "it has no version");
    if (message->n_facts > FC_CONTEXT_FACTS_MAX || message->n_unreadable > FC_CONTEXT_UNREADABLE_MAX)
        return corrupt(fail, "it has too many facts");
    if (message->at_unix_ns < 0 || message->at_unix_ns > FC_PROFILE_TIME_MAX)
        return corrupt(fail, "its time cannot be");
    context->at.ns = message->at_unix_ns;
    context->left_out = message->left_out;
    for (size_t i = 0; i < message->n_facts; i++) {
        const Fcpb__ContextFact *fact = message->facts[i];
        if (!fc_clean_check(fact->key, FC_CONTEXT_KEY_MAX + 1) ||
            !fc_clean_check(fact->value, FC_CONTEXT_VALUE_MAX + 1))
            return corrupt(fail, "a fact is not printable or too long");
        if (fact->section < FC_SECTION_COUNT)
            fc_context_add(context, (fc_section)fact->section, fact->key, fact->value);
    }
    for (size_t i = 0; i < message->n_unreadable; i++) {
        if (!fc_clean_check(message->unreadable[i], FC_CONTEXT_VALUE_MAX + 1))
            return corrupt(fail, "a reason is not printable or too long");
        keep_unreadable(context, message->unreadable[i]);
    }
    fc_context_sort(context);
    return FC_OK;
}

fc_err
fc_context_unpack(const uint8_t *data, size_t size, fc_context *ret_context, fc_fail *fail)
{
    if (size > FC_CONTEXT_PACKED_MAX)
        return corrupt(fail, "it is longer than a context can be");
    Fcpb__Context *message = fcpb__context__unpack(NULL, size, data);
    if (message == NULL)
        return corrupt(fail, "it is not a message");
    fc_context context = {0};
    fc_err err = take(&context, message, fail);
    fcpb__context__free_unpacked(message, NULL);
    if (err != FC_OK)
        fc_context_fini(&context);
    else
        *ret_context = context;
    return err;
}

/* One value under a key as a string, several as a list. */
static void
add_fact(json_t *section, const fc_context_fact *fact)
{
    json_t *there = json_object_get(section, fact->key);
    if (there == NULL) {
        (void)json_object_set_new(section, fact->key, json_string(fact->value));
        return;
    }
    if (!json_is_array(there)) {
        json_t *list = json_array();
        (void)json_array_append(list, there);
        (void)json_object_set_new(section, fact->key, list);
        there = list;
    }
    (void)json_array_append_new(there, json_string(fact->value));
}

json_t *
fc_context_to_json(const fc_context *context)
{
    json_t *json = json_object(), *facts = json_object(), *unreadable = json_array();
    (void)json_object_set_new(json, "at", fc_json_time(context->at));
    for (size_t i = 0; i < context->fact_count; i++) {
        const char *name = fc_section_names[context->facts[i].section].name;
        json_t *section = json_object_get(facts, name);
        if (section == NULL) {
            section = json_object();
            (void)json_object_set_new(facts, name, section);
        }
        add_fact(section, &context->facts[i]);
    }
    for (size_t i = 0; i < context->unreadable_count; i++)
        (void)json_array_append_new(unreadable, json_string(context->unreadable[i]));
    (void)json_object_set_new(json, "facts", facts);
    (void)json_object_set_new(json, "unreadable", unreadable);
    (void)json_object_set_new(json, "leftOut", json_integer(context->left_out));
    return json;
}
