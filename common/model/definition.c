#include "common/model/definition.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

void
fc_strings_add(fc_strings *strings, const char *text)
{
    strings->items = fc_grow_array(strings->items, strings->count + 1, sizeof(char *));
    strings->items[strings->count++] = fc_strdup(text);
}

void
fc_strings_fini(fc_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (fc_strings){0};
}

bool
fc_strings_have(const fc_strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (strcmp(strings->items[i], text) == 0)
            return true;
    return false;
}

bool
fc_strings_add_new(fc_strings *strings, const char *text)
{
    if (fc_strings_have(strings, text))
        return false;
    fc_strings_add(strings, text);
    return true;
}

static fc_label *
find_label(const fc_labels *labels, const char *key)
{
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->items[i].key, key) == 0)
            return &labels->items[i];
    return NULL;
}

void
fc_labels_set(fc_labels *labels, const char *key, const char *value)
{
    fc_label *label = find_label(labels, key);
    if (label == NULL) {
        labels->items = fc_grow_array(labels->items, labels->count + 1, sizeof(fc_label));
        labels->items[labels->count++] = (fc_label){fc_strdup(key), fc_strdup(value)};
        return;
    }
    char *copy = fc_strdup(value); /* first: value may be the old one */
    free(label->value);
    label->value = copy;
}

const char *
fc_labels_find(const fc_labels *labels, const char *key)
{
    const fc_label *label = find_label(labels, key);
    return label != NULL ? label->value : NULL;
}

void
fc_labels_fini(fc_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        free(labels->items[i].key);
        free(labels->items[i].value);
    }
    free(labels->items);
    *labels = (fc_labels){0};
}

void
fc_definition_init(fc_definition *definition)
{
    *definition = (fc_definition){
        .spec = {.session_bytes = FC_SESSION_BYTES_DEFAULT, .time_limit_s = FC_TIME_LIMIT_DEFAULT_S},
    };
}

void
fc_spec_fini(fc_spec *spec)
{
    for (size_t i = 0; i < spec->filter_count; i++)
        fc_filter_fini(&spec->filters[i]);
    free(spec->filters);
    free(spec->raw_filter);
    fc_strings_fini(&spec->interfaces);
    *spec = (fc_spec){0};
}

void
fc_target_fini(fc_target *target)
{
    free(target->scale_set);
    free(target->selector);
    fc_strings_fini(&target->regions);
    fc_strings_fini(&target->zones);
    fc_strings_fini(&target->include);
    fc_strings_fini(&target->exclude);
    *target = (fc_target){0};
}

static void
governance_fini(fc_governance *governance)
{
    free(governance->reason);
    free(governance->owner);
    free(governance->incident_id);
    fc_labels_fini(&governance->tags);
    *governance = (fc_governance){0};
}

void
fc_definition_fini(fc_definition *definition)
{
    free(definition->name);
    definition->name = NULL;
    fc_target_fini(&definition->target);
    fc_spec_fini(&definition->spec);
    governance_fini(&definition->governance);
}
