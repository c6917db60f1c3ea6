/* context.c: differences of the network configuration: what all peers share and one has otherwise; what
 * changed while the capture ran; error counters that grew.
 */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Peers share a value when at least this part of them has it; an instance differs when at most that part of
 * them has its own. */
#define AGREED_PART 0.8
#define OTHERS_PART 0.2
/* Growth of an error counter: at least so much, and so many times the largest of the peers. */
#define GROWTH_MIN   10.0
#define GROWTH_RATIO 5.0
#define GROWTH_MANY  100.0
enum { EPHEMERAL_PORT = 32768 };

/* A key of the fleet and what its instances have there. */
typedef struct fact_key {
    UT_hash_handle hh;
    struct {
        const void *section_key[2]; /* section as a pointer, plain key of the pool */
    } id;
    fc_section section;
    const char *key;               /* shown */
    size_t users, first_user;      /* instances that have it */
    const fc_feature_fact **facts; /* owned; comparer->count; NULL = not there */
} fact_key;

static bool
section_known(const fc_comparer *comparer, size_t instance, fc_section section)
{
    const fc_instance_features *features = &comparer->features[instance];
    return features->has_context && (features->unreadable & 1U << section) == 0;
}

static fact_key *
gather(const fc_comparer *comparer)
{
    fact_key *keys = NULL, *found;
    for (size_t i = 0; i < comparer->count; i++)
        for (size_t f = 0; f < comparer->features[i].fact_count; f++) {
            const fc_feature_fact *fact = &comparer->features[i].facts[f];
            if (fc_section_names[fact->section].compare == FC_COMPARE_OWN)
                continue;
            const void *id[2] = {(const void *)(uintptr_t)(fact->section + 1), fact->plain_key};
            HASH_FIND(hh, keys, id, sizeof id, found);
            if (found == NULL) {
                found = FC_NEW(fact_key);
                found->id.section_key[0] = id[0];
                found->id.section_key[1] = id[1];
                found->section = fact->section;
                found->key = fact->key;
                found->facts = fc_alloc_array(comparer->count, sizeof(const fc_feature_fact *));
                HASH_ADD(hh, keys, id, sizeof found->id, found);
            }
            if (found->facts[i] == NULL && found->users++ == 0)
                found->first_user = i;
            found->facts[i] = fact;
        }
    return keys;
}

static void
keys_free(fact_key *keys)
{
    fact_key *found, *next;
    HASH_ITER (hh, keys, found, next) {
        HASH_DEL(keys, found);
        free(found->facts);
        free(found);
    }
}

/* Per section, how many of the norm have keys there that no other has: their being odd is no oddity. */
typedef struct own_keys {
    bool *has[FC_SECTION_COUNT]; /* owned; per instance */
    size_t count[FC_SECTION_COUNT];
} own_keys;

static void
own_keys_init(own_keys *own, const fc_comparer *comparer, const fact_key *keys)
{
    *own = (own_keys){0};
    for (size_t s = 0; s < FC_SECTION_COUNT; s++)
        own->has[s] = fc_alloc_array(comparer->count, sizeof(bool));
    for (const fact_key *key = keys; key != NULL; key = key->hh.next) {
        if (key->users != 1)
            continue;
        size_t instance = key->first_user;
        own->count[key->section] += comparer->votes[instance] && !own->has[key->section][instance];
        own->has[key->section][instance] = true;
    }
}

static void
own_keys_fini(own_keys *own)
{
    for (size_t s = 0; s < FC_SECTION_COUNT; s++)
        free(own->has[s]);
}

static bool
own_keys_are_usual(const own_keys *own, const fc_comparer *comparer, fc_section section, size_t instance,
                   size_t peers)
{
    size_t others = own->count[section] - (comparer->votes[instance] && own->has[section][instance]);
    return (double)others > OTHERS_PART * (double)peers;
}

/* ---- values ---- */

typedef struct votes {
    const char *plain; /* what most peers have; NULL = nothing at all */
    const char *shown;
    size_t most, voters;
} votes;

static const char *
plain_value(const fc_feature_fact *fact)
{
    return fact == NULL ? NULL : fact->plain_stop != NULL ? fact->plain_stop : fact->plain_start;
}

static const char *
shown_value(const fc_feature_fact *fact)
{
    return fact == NULL ? NULL : fact->stop != NULL ? fact->stop : fact->start;
}

typedef struct vote {
    const char *plain, *shown;
    size_t place; /* among the norm: a tie goes to who comes first */
} vote;

static int
compare_votes(const void *a, const void *b)
{
    const vote *x = a, *y = b;
    int order =
        (x->plain > y->plain) - (x->plain < y->plain); /* equal texts are one: this only groups them */
    return order != 0 ? order : x->place < y->place ? -1 : 1;
}

/* The most frequent value of the norm, each instance one vote. */
static votes
count_votes(const fc_comparer *comparer, const fact_key *key, vote *scratch)
{
    votes result = {0};
    size_t first = 0;
    for (size_t k = 0; k < comparer->voter_count; k++) {
        size_t i = comparer->voters[k];
        scratch[result.voters] = (vote){plain_value(key->facts[i]), shown_value(key->facts[i]), k};
        result.voters += section_known(comparer, i, key->section);
    }
    if (2 * key->users < result.voters) { /* most do not have it at all: no need to sort */
        result.most = result.voters - key->users;
        return result;
    }
    qsort(scratch, result.voters, sizeof *scratch, compare_votes);
    for (size_t i = 0, end; i < result.voters; i = end) {
        for (end = i + 1; end < result.voters && scratch[end].plain == scratch[i].plain;)
            end++;
        if (end - i > result.most || (end - i == result.most && scratch[i].place < first)) {
            result.most = end - i;
            first = scratch[i].place;
            result.plain = scratch[i].plain;
            result.shown = scratch[i].shown;
        }
    }
    return result;
}

static size_t
peers_with(const fc_comparer *comparer, const fact_key *key, size_t instance)
{
    size_t count = 0;
    const char *plain = plain_value(key->facts[instance]), *shown = shown_value(key->facts[instance]);
    for (size_t k = 0; k < comparer->voter_count; k++) {
        size_t i = comparer->voters[k];
        if (i == instance || !section_known(comparer, i, key->section))
            continue;
        count +=
            plain_value(key->facts[i]) == plain || (shown != NULL && shown_value(key->facts[i]) == shown);
    }
    return count;
}

/* What depends on the size of the machine, or on chance, is shown and no more. */
static bool
is_incidental(fc_section section, const char *key)
{
    static const char *const names[] = {
        "udp_mem",     "tcp_mem", "nf_conntrack_max",   "tcp_max_tw_buckets", " speed",
        " txqueuelen", " kind",   "tcp_max_syn_backlog"};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (strstr(key, names[i]) != NULL)
            return true;
    /* "tcp 0.0.0.0:54321: uid 0" */
    const char *end = section == FC_SECTION_LISTENER ? strstr(key, ": uid") : NULL;
    while (end != NULL && end > key && end[-1] != ':')
        end--;
    if (end != NULL)
        return strtol(end, NULL, 10) >= EPHEMERAL_PORT;
    return false;
}

static void
suspect_value(fc_comparer *comparer, const fact_key *key, const own_keys *own, size_t instance,
              const votes *usual, size_t peers)
{
    const fc_fact_rule *rule = &fc_fact_rules[key->section];
    const char *value = shown_value(key->facts[instance]);
    const char *shown_key = key->facts[instance] != NULL ? key->facts[instance]->key : key->key;
    fc_severity severity = rule->severity;
    if (peers < 2 && severity > FC_SEVERITY_NOTE)
        severity = FC_SEVERITY_NOTE;
    bool only_here = value != NULL && usual->plain == NULL;
    if (is_incidental(key->section, shown_key) ||
        (only_here && own_keys_are_usual(own, comparer, key->section, instance, peers)))
        severity = FC_SEVERITY_INFO;
    fc_suspicion *suspicion =
        fc_suspicion_add(comparer, FC_SUSPICION_FACT, (int)key->section, rule->id, instance);
    free(suspicion->subject);
    suspicion->category = FC_CATEGORY_CONTEXT;
    suspicion->severity = severity;
    suspicion->confidence = peers >= 3   ? FC_CONFIDENCE_HIGH
                            : peers == 2 ? FC_CONFIDENCE_MEDIUM
                                         : FC_CONFIDENCE_LOW;
    suspicion->peer_count = peers;
    suspicion->surprise = peers < 9 ? (double)peers : 9;
    if (rule->elements) {
        suspicion->subject = fc_strdup(shown_key);
        suspicion->usual = fc_strdup(value != NULL ? "absent" : "there");
    } else {
        suspicion->subject = fc_sprintf("%s is %s", shown_key, value != NULL ? value : "absent");
        suspicion->usual = fc_strdup(usual->shown != NULL ? usual->shown : "absent");
    }
}

static void
judge_values(fc_comparer *comparer, const fact_key *key, const own_keys *own, vote *scratch)
{
    const fc_fact_rule *rule = &fc_fact_rules[key->section];
    votes usual = count_votes(comparer, key, scratch);
    if (usual.voters == 0 || (double)usual.most < AGREED_PART * (double)usual.voters - 1)
        return;
    for (size_t i = 0; i < comparer->count; i++) {
        if (!comparer->judged[i] || !section_known(comparer, i, key->section) ||
            plain_value(key->facts[i]) == usual.plain)
            continue;
        size_t own_vote = comparer->votes[i] ? 1 : 0, peers = usual.voters - own_vote;
        if (peers == 0 || (double)usual.most < AGREED_PART * (double)peers ||
            (double)peers_with(comparer, key, i) > OTHERS_PART * (double)peers)
            continue;
        bool absent = key->facts[i] == NULL || usual.plain == NULL;
        if (absent && !rule->absence)
            continue;
        suspect_value(comparer, key, own, i, &usual, peers);
    }
}

/* ---- changes while the capture ran ---- */

static bool
has_changed(const fc_feature_fact *fact)
{
    return fact != NULL && fact->plain_start != fact->plain_stop;
}

static void
judge_change(fc_comparer *comparer, const fact_key *key, size_t instance, size_t changed, size_t known)
{
    const fc_feature_fact *fact = key->facts[instance];
    const fc_fact_rule *rule = &fc_fact_rules[key->section];
    if (!has_changed(fact))
        return;
    bool counted = comparer->votes[instance];
    size_t peers = known - (counted && known > 0), others = changed - (counted && changed > 0);
    bool incidental = is_incidental(key->section, fact->key) || key->section == FC_SECTION_LISTENER;
    if (others * 5 > peers)
        return;
    fc_suspicion *suspicion =
        fc_suspicion_add(comparer, FC_SUSPICION_CHANGED, (int)key->section, rule->changed_id, instance);
    free(suspicion->subject);
    suspicion->subject = fc_sprintf("%s: %s -> %s", fact->key, fact->start != NULL ? fact->start : "absent",
                                    fact->stop != NULL ? fact->stop : "absent");
    suspicion->category = FC_CATEGORY_CONTEXT;
    suspicion->severity = incidental || peers == 0 ? FC_SEVERITY_INFO : FC_SEVERITY_NOTE;
    suspicion->confidence = FC_CONFIDENCE_MEDIUM;
    suspicion->peer_count = peers;
    suspicion->surprise = 3;
}

static void
judge_changes(fc_comparer *comparer, const fact_key *key)
{
    size_t changed = 0, known = 0;
    for (size_t k = 0; k < comparer->voter_count; k++) {
        known += section_known(comparer, comparer->voters[k], key->section);
        changed += has_changed(key->facts[comparer->voters[k]]);
    }
    for (size_t i = 0; i < comparer->count; i++)
        if (comparer->judged[i])
            judge_change(comparer, key, i, changed, known);
}

/* ---- counters ---- */

/* Sum of the numbers in "12" or "12 | 3"; NAN when there is none. */
static double
counter_sum(const char *text)
{
    double sum = 0;
    bool any = false;
    for (const char *at = text; at != NULL && *at != '\0';) {
        char *end;
        unsigned long long value = strtoull(at, &end, 10);
        if (end == at)
            break;
        sum += (double)value;
        any = true;
        at = strstr(end, "| ");
        at = at != NULL ? at + 2 : NULL;
    }
    return any ? sum : NAN;
}

static double
growth_of(const fc_comparer *comparer, size_t instance, const void *what)
{
    const fact_key *key = what;
    const fc_feature_fact *fact = key->facts[instance];
    if (fact == NULL ||
        comparer->features[instance].context_stop_ns <= comparer->features[instance].context_start_ns ||
        comparer->features[instance].context_start_ns == 0)
        return NAN;
    double start = fact->start != NULL ? counter_sum(fact->start) : 0;
    return fmax(counter_sum(fact->stop) - start, 0);
}

static void
judge_growth(fc_comparer *comparer, const fact_key *key)
{
    fc_peer_values values;
    fc_spread peers;
    fc_peer_values_init(&values, comparer, growth_of, key);
    for (size_t i = 0; i < comparer->count; i++) {
        double growth = growth_of(comparer, i, key);
        if (!comparer->judged[i] || !(growth >= GROWTH_MIN))
            continue;
        fc_peer_values_without(&values, i, &peers);
        if (peers.count == 0 || growth < GROWTH_RATIO * peers.median ||
            growth < GROWTH_RATIO * (peers.mad + 1) || growth < 2 * peers.max)
            continue;
        /* Interfaces drop what no protocol wants as well: some drops are no fault. */
        bool link = key->section == FC_SECTION_LINK_COUNTER &&
                    (growth >= GROWTH_MANY || strstr(key->key, "drop") == NULL);
        fc_suspicion *suspicion = fc_suspicion_add(comparer, FC_SUSPICION_GROWTH, (int)key->section,
                                                   fc_fact_rules[key->section].id, i);
        free(suspicion->subject);
        suspicion->subject = fc_strdup(key->facts[i]->key);
        suspicion->category = FC_CATEGORY_CONTEXT;
        suspicion->severity = !link || peers.count < 2 ? FC_SEVERITY_INFO : FC_SEVERITY_NOTE;
        suspicion->value = growth;
        suspicion->median = peers.median;
        suspicion->spread = peers.mad;
        suspicion->peer_count = peers.count;
        suspicion->surprise = fmin(growth / (peers.median + 1), 9);
        suspicion->confidence = peers.count >= 3 ? FC_CONFIDENCE_MEDIUM : FC_CONFIDENCE_LOW;
    }
    fc_peer_values_fini(&values);
}

void
fc_judge_context(fc_comparer *comparer)
{
    fact_key *keys = gather(comparer), *key, *next;
    vote *scratch = fc_alloc_array(comparer->voter_count + 1, sizeof *scratch);
    own_keys own;
    own_keys_init(&own, comparer, keys);
    HASH_ITER (hh, keys, key, next) {
        if (fc_section_names[key->section].compare == FC_COMPARE_COUNTER) {
            judge_growth(comparer, key);
            continue;
        }
        judge_values(comparer, key, &own, scratch);
        judge_changes(comparer, key);
    }
    own_keys_fini(&own);
    free(scratch);
    keys_free(keys);
}
