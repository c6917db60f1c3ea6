/* sets.c: who has a key and who has not: "only web-4 asks 10.99.0.53".
 *
 * A fleet whose instances share their keys (its tables are coherent) makes a single stray key remarkable; in
 * a fleet where everyone has keys of its own (clients, shards) only what chance cannot explain is.
 */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Keys that are shared by at least this part of the norm are the fleet's; the part of the uses that they make
 * up. */
#define SHARED_PART   0.8
#define COHERENT_PART 0.9
/* A stray key below these is shown as info: a look-up, a single probe. */
enum { STRAY_HITS = 3, STRAY_PACKETS = 20 };
/* Of one kind, at most so many findings an instance; the rest is counted. */
enum { KEYS_MAX = 5 };
#define CHANCE 1e-5

typedef struct set_key {
    UT_hash_handle hh;
    const char *key; /* borrowed from the features */
    size_t users;    /* of the norm */
    uint64_t hits;   /* of the norm */
} set_key;

typedef struct fleet_set {
    fc_table_id table;
    set_key *keys;  /* owned */
    uint64_t total; /* hits of the norm */
    bool coherent;
    bool *has_own;          /* owned; per instance of the norm: it has keys that no other of the norm has */
    size_t own_count;       /* how many have */
    const set_key **common; /* owned; keys that all of the norm have, or all but one */
    size_t common_count;
} fleet_set;

static uint64_t
table_total(const fc_feature_table *table)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < table->count; i++)
        sum = __builtin_add_overflow(sum, table->entries[i].sum.count, &sum) ? UINT64_MAX / 2 : sum;
    return sum;
}

static void
find_own_keys(fleet_set *set, const fc_comparer *comparer)
{
    set->has_own = fc_alloc_array(comparer->count, sizeof *set->has_own);
    for (size_t k = 0; k < comparer->norm_count; k++) {
        size_t instance = comparer->norms[k];
        const fc_feature_table *entries = &comparer->features[instance].tables[set->table];
        for (size_t i = 0; i < entries->count && !set->has_own[instance]; i++) {
            set_key *found;
            HASH_FIND_STR(set->keys, entries->entries[i].key, found);
            set->has_own[instance] = found != NULL && found->users == 1;
        }
        set->own_count += set->has_own[instance];
    }
}

static void
set_init(fleet_set *set, const fc_comparer *comparer, fc_table_id table)
{
    double shared = 0, several = 0;
    set_key *found, *next;
    *set = (fleet_set){.table = table};
    for (size_t k = 0; k < comparer->norm_count; k++) {
        const fc_feature_table *entries = &comparer->features[comparer->norms[k]].tables[table];
        for (size_t i = 0; i < entries->count; i++) {
            const fc_table_entry *entry = &entries->entries[i];
            HASH_FIND_STR(set->keys, entry->key, found);
            if (found == NULL) {
                found = FC_NEW(set_key);
                found->key = entry->key;
                HASH_ADD_KEYPTR(hh, set->keys, found->key, strlen(found->key), found);
            }
            found->users++;
            found->hits = __builtin_add_overflow(found->hits, entry->sum.count, &found->hits) ? UINT64_MAX / 2
                                                                                              : found->hits;
        }
        uint64_t total = table_total(entries);
        set->total = __builtin_add_overflow(set->total, total, &set->total) ? UINT64_MAX / 2 : set->total;
    }
    set->common = fc_alloc_array(HASH_COUNT(set->keys) + 1, sizeof(const set_key *));
    HASH_ITER (hh, set->keys, found, next) {
        if (found->users + 1 >= comparer->norm_count)
            set->common[set->common_count++] = found;
        /* One instance's own keys may be the very fault: they do not speak about the fleet. */
        if (found->users > 1)
            several += (double)found->hits;
        if (found->users > 1 && (double)found->users >= SHARED_PART * (double)comparer->norm_count)
            shared += (double)found->hits;
    }
    find_own_keys(set, comparer);
    set->coherent = comparer->norm_count >= 3 && several > 0 && shared >= COHERENT_PART * several;
}

static void
set_fini(fleet_set *set)
{
    set_key *found, *next;
    HASH_ITER (hh, set->keys, found, next) {
        HASH_DEL(set->keys, found);
        free(found);
    }
    free(set->has_own);
    free(set->common);
}

/* Addresses that say nothing about whom an instance talks to: groups, broadcasts, its own. */
static bool
is_meaningless(const fc_comparer *comparer, size_t instance, const char *key)
{
    fc_address address;
    uint16_t port;
    if (!fc_endpoint_parse(key, &address, &port))
        return false;
    bool link_local = address.family == 6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    if (fc_address_is_multicast(&address) || fc_address_is_loopback(&address) || link_local)
        return true;
    const fc_profile_subject *subject = &comparer->features[instance].subject;
    for (size_t i = 0; i < subject->local_address_count && i < FC_PROFILE_ADDRESSES_MAX; i++)
        if (fc_address_compare(&subject->local_addresses[i], &address) == 0)
            return true;
    return false;
}

static fc_suspicion *
suspect(fc_comparer *comparer, fc_suspicion_kind kind, const fleet_set *set, size_t instance, const char *key,
        fc_severity severity, double surprise)
{
    const fc_set_rule *rule = &fc_set_rules[set->table];
    bool only = kind == FC_SUSPICION_SET_ONLY;
    fc_suspicion *suspicion =
        fc_suspicion_add(comparer, kind, (int)set->table, only ? rule->only_id : rule->missing_id, instance);
    free(suspicion->subject);
    suspicion->subject = fc_strdup(key);
    suspicion->category = rule->category;
    suspicion->severity = severity;
    suspicion->surprise = surprise;
    suspicion->unit = fc_table_names[set->table].unit;
    suspicion->peer_count = comparer->norm_count - comparer->norm[instance];
    return suspicion;
}

static void
judge_only(fc_comparer *comparer, const fleet_set *set, size_t instance)
{
    const fc_set_rule *rule = &fc_set_rules[set->table];
    const fc_instance_features *features = &comparer->features[instance];
    const fc_feature_table *own = &features->tables[set->table];
    size_t peers = comparer->norm_count - comparer->norm[instance], found_count = 0;
    double total = (double)table_total(own), part = total / fmax(total + (double)set->total, 1);
    if (peers == 0 || own->count == 0)
        return;
    bool usual = (set->own_count - set->has_own[instance]) * 5 > peers; /* a fifth of the peers have such */
    for (size_t i = 0; i < own->count && found_count < KEYS_MAX; i++) {
        const fc_table_entry *entry = &own->entries[i];
        set_key *found;
        HASH_FIND_STR(set->keys, entry->key, found);
        if ((found != NULL && found->users > comparer->norm[instance]) || *entry->key == '\0' ||
            is_meaningless(comparer, instance, entry->key))
            continue;
        /* All uses of the key fell on this instance: by chance? (one key among as many as there are) */
        double chance = pow(part, (double)entry->sum.count - 1) * (double)comparer->count;
        bool proven = chance < CHANCE && !usual;
        bool stray = set->coherent && !usual && peers >= 2;
        fc_severity severity = rule->only;
        if (usual && !proven)
            continue; /* everyone has such keys */
        if (!(proven || stray) || (entry->sum.count < STRAY_HITS && entry->sum.packets < STRAY_PACKETS))
            severity = FC_SEVERITY_INFO;
        if (set->total == 0 && severity > FC_SEVERITY_NOTE)
            severity = FC_SEVERITY_NOTE;
        fc_suspicion *suspicion = suspect(comparer, FC_SUSPICION_SET_ONLY, set, instance, entry->key,
                                          severity, fmin(12, fmax(3, -log10(fmax(chance, 1e-12)))));
        suspicion->x = suspicion->n = entry->sum.count;
        suspicion->value = (double)entry->sum.count;
        suspicion->median = 0;
        suspicion->entry = entry;
        suspicion->peer = entry->key;
        suspicion->confidence =
            fc_cohort_confidence(comparer, instance, suspicion->surprise, entry->sum.count, peers);
        fc_feature_trouble when = {.first_ns = entry->sum.first_ns};
        suspicion->since_ns = fc_since_trouble(features, &when);
        found_count++;
    }
}

static void
judge_missing(fc_comparer *comparer, const fleet_set *set, size_t instance)
{
    const fc_set_rule *rule = &fc_set_rules[set->table];
    const fc_feature_table *own = &comparer->features[instance].tables[set->table];
    size_t peers = comparer->norm_count - comparer->norm[instance], found_count = 0;
    uint64_t total = table_total(own);
    set_key *found, *next;
    if (peers < 2 || own->evicted > 0)
        return;
    HASH_ITER (hh, set->keys, found, next) {
        if (found_count == KEYS_MAX)
            break;
        if (found->users < peers || fc_features_find(own, found->key) != NULL ||
            is_meaningless(comparer, instance, found->key))
            continue;
        double chance = total > 0 ? fc_robust_none(total, found->hits, set->total) : 1;
        bool proven = chance < CHANCE && found->hits >= 3 * peers;
        /* Nothing of the kind at all where all peers have much: that it does nothing is the finding, not each
         * key. */
        fc_severity severity = proven ? rule->missing : FC_SEVERITY_INFO;
        fc_suspicion *suspicion = suspect(comparer, FC_SUSPICION_SET_MISSING, set, instance, found->key,
                                          severity, fmin(9, -log10(fmax(chance, 1e-12))));
        suspicion->value = 0;
        suspicion->median = (double)found->hits / (double)found->users;
        suspicion->peer = found->key;
        suspicion->confidence = fc_cohort_confidence(comparer, instance, suspicion->surprise, total, peers);
        found_count++;
    }
}

void
fc_judge_sets(fc_comparer *comparer)
{
    for (int table = 0; table < FC_TABLE_COUNT; table++) {
        fleet_set set;
        set_init(&set, comparer, (fc_table_id)table);
        for (size_t i = 0; i < comparer->count; i++) {
            if (comparer->judged[i] && fc_cohort_trusts(comparer, i, false))
                judge_only(comparer, &set, i);
            if (comparer->judged[i] && fc_cohort_trusts(comparer, i, true))
                judge_missing(comparer, &set, i);
        }
        set_fini(&set);
    }
}
