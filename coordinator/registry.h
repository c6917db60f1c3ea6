/* registry.h: the instances that we have admitted, and whether they are alive.
 *
 * Life of an instance: hello -> admitted -> online <-> silent or away -> retired. Admission is by
 * certificate: the id is the principal's name. Names are for people: two instances may share one, and then
 * only the id is unambiguous. Single-threaded: every call happens on the coordinator's loop.
 */
#ifndef CO_REGISTRY_H
#define CO_REGISTRY_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/model/definition.h"
#include "common/model/selector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct co;
struct co_part;

enum {
    CO_LABELS_MAX = 64,
    CO_LABEL_VALUE_MAX = 255,
    CO_VERSION_MAX = 31,
    CO_ADDRESS_MAX = 63,
};

typedef struct co_instance {
    char id[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1]; /* "" = none, as with region and zone */
    char region[FC_NAME_MAX + 1];
    char zone[FC_NAME_MAX + 1];
    char boot_id[FC_NAME_MAX + 1];
    char version[CO_VERSION_MAX + 1];
    char address[CO_ADDRESS_MAX + 1];
    fc_labels labels;
    fc_wall last_seen;
    fc_mono heard; /* when it last said anything, on our monotonic clock */
    void *link;    /* weak: cleared by co_registry_leave; NULL = away. See co_link_ops */
    bool removed;  /* from the fleet: in registry->removed, not in by_id */
    bool silent;   /* connected, and not heard of for silent_after */

    uint64_t generation;   /* of its desired state; grows over restarts too */
    uint64_t acked;        /* highest generation acknowledged on this connection */
    bool pushing;          /* one SetDesired is on its way */
    bool queued;           /* waits for the push task */
    struct co_part *parts; /* newest first; borrowed from their captures */
    uint32_t part_count;   /* of those */
    uint32_t unfinished;   /* parts that are not final */
    uint32_t references; /* parts that name it, forgotten ones too: it is not retired before they are gone */

    bool dirty;                                 /* waits for the store */
    struct co_instance *next_dirty, *next_push; /* borrowed */
    struct co_instance *next_same_name;         /* borrowed */
    UT_hash_handle hh;
} co_instance;

typedef struct co_name {
    char name[FC_NAME_MAX + 1];
    co_instance *first; /* borrowed */
    UT_hash_handle hh;
} co_name;

typedef struct co_registry {
    co_instance *by_id;   /* owned; in order of admission */
    co_instance *removed; /* owned: no longer of the fleet; kept until no capture names them */
    co_name *by_name;     /* owned */
    size_t count;
    size_t online;
    uint32_t cursors; /* lists under way that hold instances: none is retired meanwhile */
} co_registry;

/* What a node says of itself; borrowed for the call. */
typedef struct co_facts {
    const char *id, *name, *scale_set, *region, *zone, *version, *boot_id, *address;
    const fc_labels *labels;
} co_facts;

void
co_registry_fini(co_registry *registry);
/* Pure. FC_ERR_INVALID names the fact that is no name. */
FC_MUST_USE fc_err
co_facts_check(const co_facts *facts, fc_fail *fail);
/* Admits the instance or takes over its new facts. FC_ERR_LIMIT when the registry is full of instances that
 * have captures or are online. *ret_instance stays owned by the registry. */
FC_MUST_USE fc_err
co_registry_admit(struct co *co, const co_facts *facts, co_instance **ret_instance, fc_fail *fail);

/* The same from the store: there is room for what was admitted before. */
FC_MUST_USE fc_err
co_registry_restore(struct co *co, const co_facts *facts, co_instance **ret_instance, fc_fail *fail);

/* The instance is connected through `link`; an older link is closed (the newest wins). */
void
co_registry_join(struct co *co, co_instance *instance, void *link);
/* `link` is gone. Nothing happens when a newer one took its place. */
void
co_registry_leave(struct co *co, co_instance *instance, const void *link);
void
co_registry_heard(struct co *co, co_instance *instance);
/* It is no longer of the fleet: nothing finds it from now on but co_registry_find_any. It has left, and has
 * no parts. When it is admitted again it is the same object. Freed once nothing refers to it. */
void
co_registry_remove(struct co *co, co_instance *instance);
/* Marks who has fallen silent, and frees removed ones that nothing refers to any more. Once a second or so.
 */
void
co_registry_sweep(struct co *co);

co_instance *
co_registry_find(const co_registry *registry, const char *id); /* NULL when unknown */
co_instance *
co_registry_find_any(const co_registry *registry, const char *id); /* removed ones too */
/* By id, else by name. FC_ERR_NOT_FOUND, or FC_ERR_INVALID when several have the name. */
FC_MUST_USE fc_err
co_registry_find_named(const co_registry *registry, const char *id_or_name, co_instance **ret_instance,
                       fc_fail *fail);
bool
co_instance_reachable(const co_instance *instance); /* connected and not silent */
fc_instance_facts
co_instance_facts(const co_instance *instance); /* borrowed from it */
/* Adds each distinct non-empty text of the field: which regions, which scale sets there are. */
typedef enum co_field { CO_FIELD_REGION, CO_FIELD_SCALE_SET } co_field;
void
co_registry_distinct(const co_registry *registry, co_field field, fc_strings *ret_values);

#endif
