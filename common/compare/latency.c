/* latency.c: durations, judged by their median; and by their slowest tenth where there are many. */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <math.h>
#include <string.h>

enum { SAMPLES_MIN = 5, TAIL_SAMPLES_MIN = 100 };
#define SPREADS 3.0
#define RATIO   1.5
/* The tail alone is a note, and only when it is far out: one slow answer in twenty is what a busy machine
 * does by itself. */
#define TAIL_RATIO  5.0
#define TAIL_FLOORS 10.0
/* A median is known to about this part of itself at best. */
#define RELATIVE_FLOOR 0.1

typedef struct measured {
    fc_sketch_id sketch;
    fc_quantile quantile;
    uint64_t samples_min;
} measured;

static double
quantile_of(const fc_comparer *comparer, size_t instance, const void *what)
{
    const measured *measure = what;
    const fc_feature_sketch *sketch = &comparer->features[instance].sketches[measure->sketch];
    return sketch->count >= measure->samples_min ? fc_features_quantile_ms(sketch, measure->quantile) : NAN;
}

static double
spread_of(const fc_spread *peers, double floor)
{
    double spread = fmax(peers->mad, RELATIVE_FLOOR * peers->median);
    return fmax(spread, floor / SPREADS);
}

/* The key of a table that is slower here than at the peers: the mean is what tables have. NULL when no single
 * one is. */
static const fc_table_entry *
slow_key(const fc_comparer *comparer, size_t instance, int table, double floor_ms)
{
    const fc_feature_table *own = &comparer->features[instance].tables[table];
    const fc_table_entry *slowest = NULL;
    double worst = 0;
    size_t slow = 0;
    for (size_t i = 0; i < own->count; i++) {
        const fc_table_entry *entry = &own->entries[i];
        if (entry->sum.latency_count < 3)
            continue;
        double mean = (double)entry->sum.latency_sum_ns / (double)entry->sum.latency_count / 1e6, peers = 0;
        size_t known = 0;
        for (size_t k = 0; k < comparer->norm_count && known < 16; k++) {
            const fc_table_entry *theirs =
                comparer->norms[k] != instance
                    ? fc_features_find(&comparer->features[comparer->norms[k]].tables[table], entry->key)
                    : NULL;
            if (theirs == NULL || theirs->sum.latency_count == 0)
                continue;
            peers += (double)theirs->sum.latency_sum_ns / (double)theirs->sum.latency_count / 1e6;
            known++;
        }
        double excess = mean - (known > 0 ? peers / (double)known : 0);
        slow += excess >= floor_ms;
        if (excess >= floor_ms && excess > worst) {
            worst = excess;
            slowest = entry;
        }
    }
    return slow == 1 || (slow > 1 && table == FC_TABLE_RESOLVERS) ? slowest : NULL;
}

static void
suspect(fc_comparer *comparer, size_t instance, const fc_latency_rule *rule, fc_severity severity,
        double value, const fc_spread *peers, double spread)
{
    const fc_instance_features *features = &comparer->features[instance];
    fc_suspicion *suspicion =
        fc_suspicion_add(comparer, FC_SUSPICION_LATENCY, (int)(rule - fc_latency_rules), rule->id, instance);
    suspicion->category = rule->category;
    suspicion->severity = severity;
    suspicion->n = features->sketches[rule->sketch].count;
    suspicion->peer_count = peers->count;
    suspicion->value = value;
    suspicion->median = peers->median;
    suspicion->spread = spread;
    suspicion->unit = "ms";
    suspicion->surprise = fmin((value - peers->median) / spread, 30);
    suspicion->confidence =
        fc_cohort_confidence(comparer, instance, suspicion->surprise, suspicion->n, suspicion->peer_count);
    if (rule->series_sum != FC_COMPARE_NONE)
        suspicion->since_ns = fc_since_step(features, rule->series_sum, rule->series_count);
    if (rule->table == FC_COMPARE_NONE)
        return;
    const fc_table_entry *entry = slow_key(comparer, instance, rule->table, rule->floor_ms);
    suspicion->entry = entry;
    suspicion->peer = entry != NULL ? entry->key : NULL;
}

static bool
lower_quarter_agrees(const fc_comparer *comparer, size_t instance, const fc_latency_rule *rule, double median)
{
    if (!rule->lower_quarter)
        return true;
    double quarter =
        fc_features_quantile_ms(&comparer->features[instance].sketches[rule->sketch], FC_QUANTILE_25);
    return quarter - median >= rule->floor_ms && quarter >= RATIO * median;
}

static void
judge_rule(fc_comparer *comparer, const fc_latency_rule *rule)
{
    measured middle = {rule->sketch, FC_QUANTILE_50, SAMPLES_MIN},
             tail = {rule->sketch, FC_QUANTILE_95, TAIL_SAMPLES_MIN};
    measured tenth = {rule->sketch, FC_QUANTILE_90, TAIL_SAMPLES_MIN};
    fc_peer_values middles, tails;
    fc_spread peers;
    fc_peer_values_init(&middles, comparer, quantile_of, &middle);
    fc_peer_values_init(&tails, comparer, quantile_of, &tail);
    for (size_t i = 0; i < comparer->count; i++) {
        if (!comparer->judged[i] || !fc_cohort_trusts(comparer, i, false))
            continue;
        double value = quantile_of(comparer, i, &middle), late = quantile_of(comparer, i, &tenth);
        fc_peer_values_without(&middles, i, &peers);
        double spread = spread_of(&peers, rule->floor_ms);
        if (peers.count > 0 && value - peers.median >= fmax(rule->floor_ms, SPREADS * spread) &&
            value >= RATIO * peers.median && lower_quarter_agrees(comparer, i, rule, peers.median)) {
            suspect(comparer, i, rule, rule->severity, value, &peers, spread);
            continue;
        }
        fc_peer_values_without(&tails, i, &peers);
        spread = spread_of(&peers, rule->floor_ms);
        if (peers.count >= 2 && late - peers.median >= fmax(TAIL_FLOORS * rule->floor_ms, SPREADS * spread) &&
            late >= TAIL_RATIO * peers.median && late >= 2 * peers.max) {
            suspect(comparer, i, rule, FC_SEVERITY_NOTE, late, &peers, spread);
            comparer->suspicions[comparer->suspicion_count - 1].detail = "90 %";
        }
    }
    fc_peer_values_fini(&middles);
    fc_peer_values_fini(&tails);
}

void
fc_judge_latency(fc_comparer *comparer)
{
    for (size_t i = 0; i < fc_latency_rule_count; i++)
        judge_rule(comparer, &fc_latency_rules[i]);
}
