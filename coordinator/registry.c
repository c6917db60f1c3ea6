#include "coordinator/registry.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- by name ---- */

static void
name_add(co_registry *registry, co_instance *instance)
{
    co_name *name = NULL;
    HASH_FIND_STR(registry->by_name, instance->name, name);
    if (name == NULL) {
        name = FC_NEW(co_name);
        memcpy(name->name, instance->name, sizeof name->name);
        HASH_ADD_STR(registry->by_name, name, name);
    }
    instance->next_same_name = name->first;
    name->first = instance;
}

static void
name_remove(co_registry *registry, co_instance *instance)
{
    co_name *name = NULL;
    HASH_FIND_STR(registry->by_name, instance->name, name);
    co_instance **at = &name->first;
    while (*at != instance)
        at = &(*at)->next_same_name;
    *at = instance->next_same_name;
    if (name->first == NULL) {
        HASH_DEL(registry->by_name, name);
        free(name);
    }
}

/* ---- life ---- */

static void
instance_free(co_registry *registry, co_instance *instance)
{
    if (instance->removed) {
        HASH_DEL(registry->removed, instance);
    } else {
        name_remove(registry, instance);
        HASH_DEL(registry->by_id, instance);
        registry->count--;
    }
    fc_labels_fini(&instance->labels);
    free(instance);
}

void
co_registry_fini(co_registry *registry)
{
    while (registry->by_id != NULL)
        instance_free(registry, registry->by_id);
    while (registry->removed != NULL)
        instance_free(registry, registry->removed);
}

static fc_err
check_name(const char *what, const char *text, bool required, fc_fail *fail)
{
    if (text[0] == '\0' && !required)
        return FC_OK;
    if (!fc_name_check(text))
        return fc_fail_field(fail, FC_ERR_INVALID, what, "%s '%.80s' is not a name", what, text);
    return FC_OK;
}

static fc_err
check_text(const char *what, const char *text, size_t max, fc_fail *fail)
{
    if (strnlen(text, max + 1) > max)
        return fc_fail_field(fail, FC_ERR_INVALID, what, "%s is longer than %zu characters", what, max);
    return FC_OK;
}

static fc_err
check_labels(const fc_labels *labels, fc_fail *fail)
{
    if (labels->count > CO_LABELS_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "labels", "%zu labels are more than %d", labels->count,
                             CO_LABELS_MAX);
    for (size_t i = 0; i < labels->count; i++) {
        fc_err err = check_text("label key", labels->items[i].key, CO_LABEL_VALUE_MAX, fail);
        if (err == FC_OK)
            err = check_text("label value", labels->items[i].value, CO_LABEL_VALUE_MAX, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

fc_err
co_facts_check(const co_facts *facts, fc_fail *fail)
{
    const struct {
        const char *what, *text;
        bool required;
    } names[] = {
        {"instance id", facts->id, true},       {"instance name", facts->name, true},
        {"scale set", facts->scale_set, false}, {"region", facts->region, false},
        {"zone", facts->zone, false},           {"boot id", facts->boot_id, false},
    };
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        fc_err err = check_name(names[i].what, names[i].text, names[i].required, fail);
        if (err != FC_OK)
            return err;
    }
    fc_err err = check_text("version", facts->version, CO_VERSION_MAX, fail);
    if (err == FC_OK)
        err = check_text("address", facts->address, CO_ADDRESS_MAX, fail);
    return err == FC_OK ? check_labels(facts->labels, fail) : err;
}

/* The one that was last seen longest ago and that nothing refers to. */
static co_instance *
find_idle(const co_registry *registry)
{
    co_instance *oldest = NULL;
    for (co_instance *i = registry->by_id; i != NULL && registry->cursors == 0; i = i->hh.next)
        if (i->link == NULL && i->references == 0 && !i->dirty && !i->queued &&
            (oldest == NULL || i->last_seen.ns < oldest->last_seen.ns))
            oldest = i;
    return oldest;
}

static fc_err
make_room(struct co *co, fc_fail *fail)
{
    if (co->registry.count < co->config->max_instances)
        return FC_OK;
    co_instance *idle = find_idle(&co->registry);
    if (idle == NULL || co_persist_remove_instance(co, idle, NULL) != FC_OK) {
        co->counters.hellos_full++;
        return fc_fail_set(fail, FC_ERR_LIMIT, "the registry is full: %zu instances (max_instances)",
                           co->registry.count);
    }
    fc_log(FC_LOG_NOTICE, "instance %s retired to make room for another", idle->id);
    co->counters.instances_retired++;
    instance_free(&co->registry, idle);
    return FC_OK;
}

static void
copy_labels(fc_labels *to, const fc_labels *from)
{
    fc_labels_fini(to);
    *to = (fc_labels){0};
    for (size_t i = 0; i < from->count; i++)
        fc_labels_set(to, from->items[i].key, from->items[i].value);
}

#define COPY(to, from) (void)snprintf(to, sizeof(to), "%s", from)

void
co_registry_remove(struct co *co, co_instance *instance)
{
    co_registry *registry = &co->registry;
    name_remove(registry, instance);
    HASH_DEL(registry->by_id, instance);
    registry->count--;
    instance->removed = true;
    HASH_ADD_STR(registry->removed, id, instance);
}

static void
take_back(co_registry *registry, co_instance *instance)
{
    HASH_DEL(registry->removed, instance);
    instance->removed = false;
    HASH_ADD_STR(registry->by_id, id, instance);
    registry->count++;
    name_add(registry, instance);
}

static co_instance *
find_or_make(struct co *co, const co_facts *facts)
{
    co_instance *instance = co_registry_find_any(&co->registry, facts->id);
    if (instance != NULL && instance->removed)
        take_back(&co->registry, instance);
    if (instance != NULL && strcmp(instance->name, facts->name) == 0)
        return instance;
    if (instance != NULL) {
        name_remove(&co->registry, instance);
    } else {
        instance = FC_NEW(co_instance);
        COPY(instance->id, facts->id);
        instance->generation = co->epoch << 32;
        HASH_ADD_STR(co->registry.by_id, id, instance);
        co->registry.count++;
    }
    COPY(instance->name, facts->name);
    name_add(&co->registry, instance);
    return instance;
}

fc_err
co_registry_restore(struct co *co, const co_facts *facts, co_instance **ret_instance, fc_fail *fail)
{
    fc_err err = co_facts_check(facts, fail);
    if (err != FC_OK)
        return err;
    co_instance *instance = find_or_make(co, facts);
    COPY(instance->scale_set, facts->scale_set);
    COPY(instance->region, facts->region);
    COPY(instance->zone, facts->zone);
    COPY(instance->boot_id, facts->boot_id);
    COPY(instance->version, facts->version);
    COPY(instance->address, facts->address);
    copy_labels(&instance->labels, facts->labels);
    *ret_instance = instance;
    return FC_OK;
}

fc_err
co_registry_admit(struct co *co, const co_facts *facts, co_instance **ret_instance, fc_fail *fail)
{
    fc_err err = co_facts_check(facts, fail);
    if (err == FC_OK && co_registry_find(&co->registry, facts->id) == NULL)
        err = make_room(co, fail);
    return err == FC_OK ? co_registry_restore(co, facts, ret_instance, fail) : err;
}

/* ---- presence ---- */

static void
fold_parts(struct co *co, co_instance *instance)
{
    for (co_part *part = instance->parts; part != NULL; part = part->next)
        co_part_fold(co, part);
}

void
co_registry_heard(struct co *co, co_instance *instance)
{
    instance->heard = fc_loop_now(co->loop);
    instance->last_seen = co_wall(co);
    if (!instance->silent)
        return;
    instance->silent = false;
    fold_parts(co, instance);
}

void
co_registry_join(struct co *co, co_instance *instance, void *link)
{
    if (instance->link != NULL && instance->link != link) {
        void *old = instance->link;
        fc_log(FC_LOG_NOTICE, "instance %s connected again: the older connection is closed", instance->id);
        co->counters.connections_replaced++;
        co_registry_leave(co, instance, old);
        co->link_ops->close(old, "a newer connection of the same instance came");
    }
    if (instance->link == NULL)
        co->registry.online++;
    instance->link = link;
    instance->silent = false;
    instance->pushing = false;
    instance->acked = 0;
    co_registry_heard(co, instance);
    co_persist_instance(co, instance);
    fold_parts(co, instance);
}

void
co_registry_leave(struct co *co, co_instance *instance, const void *link)
{
    if (instance->link != link || link == NULL)
        return;
    instance->link = NULL;
    instance->silent = false;
    instance->pushing = false;
    co->registry.online--;
    co_persist_instance(co, instance);
    co_reconcile_left(co, instance);
    fold_parts(co, instance);
}

static void
sweep_removed(struct co *co)
{
    enum { PER_SWEEP = 64 }; /* each is a transaction */
    co_instance *instance, *next;
    int count = 0;
    HASH_ITER (hh, co->registry.removed, instance, next) {
        if (instance->references > 0 || instance->dirty || instance->queued || co->registry.cursors > 0)
            continue;
        if (count++ == PER_SWEEP || co_persist_remove_instance(co, instance, NULL) != FC_OK)
            return;
        instance_free(&co->registry, instance);
    }
}

void
co_registry_sweep(struct co *co)
{
    sweep_removed(co);
    fc_mono now = fc_loop_now(co->loop);
    int64_t limit_ns = (int64_t)co->config->silent_after_ms * FC_NS_PER_MS;
    for (co_instance *i = co->registry.by_id; i != NULL; i = i->hh.next) {
        if (i->link == NULL || i->silent || now.ns - i->heard.ns < limit_ns)
            continue;
        i->silent = true;
        co->counters.instances_silent++;
        fc_log(FC_LOG_WARNING, "instance %s is connected but has been silent for %lld s", i->id,
               (long long)(limit_ns / FC_NS_PER_S));
        fold_parts(co, i);
    }
}

/* ---- looking up ---- */

co_instance *
co_registry_find(const co_registry *registry, const char *id)
{
    co_instance *instance = NULL;
    HASH_FIND_STR(registry->by_id, id, instance);
    return instance;
}

co_instance *
co_registry_find_any(const co_registry *registry, const char *id)
{
    co_instance *instance = co_registry_find(registry, id);
    if (instance == NULL)
        HASH_FIND_STR(registry->removed, id, instance);
    return instance;
}

fc_err
co_registry_find_named(const co_registry *registry, const char *id_or_name, co_instance **ret_instance,
                       fc_fail *fail)
{
    co_instance *instance = co_registry_find(registry, id_or_name);
    if (instance == NULL) {
        co_name *name = NULL;
        HASH_FIND_STR(registry->by_name, id_or_name, name);
        if (name == NULL)
            return fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no instance '%.80s'", id_or_name);
        if (name->first->next_same_name != NULL)
            return fc_fail_set(fail, FC_ERR_INVALID,
                               "the name '%s' is not unique: %s and %s have it; give the id", name->name,
                               name->first->id, name->first->next_same_name->id);
        instance = name->first;
    }
    *ret_instance = instance;
    return FC_OK;
}

bool
co_instance_reachable(const co_instance *instance)
{
    return instance->link != NULL && !instance->silent;
}

fc_instance_facts
co_instance_facts(const co_instance *instance)
{
    return (fc_instance_facts){
        .id = instance->id,
        .name = instance->name,
        .scale_set = instance->scale_set,
        .region = instance->region,
        .zone = instance->zone,
        .labels = &instance->labels,
    };
}

void
co_registry_distinct(const co_registry *registry, co_field field, fc_strings *ret_values)
{
    for (const co_instance *i = registry->by_id; i != NULL; i = i->hh.next) {
        const char *value = field == CO_FIELD_REGION ? i->region : i->scale_set;
        if (value[0] != '\0')
            fc_strings_add_new(ret_values, value);
    }
}
