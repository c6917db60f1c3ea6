/* latency.c: durations, judged by their median; and by their slowest quarter or tenth, when only a part of
 * them is slow. */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <math.h>
#include <string.h>

enum { SAMPLES_MIN = 5 };
/* Where a median is far: so many of the quantiles from it downwards are tested. */
enum { MIDDLE_LOOKS = 3 };
#define SPREADS 3.0
#define RATIO   1.5
/* A slow part must be far out: now and then one slow answer is what a busy machine does by itself. */
#define TAIL_RATIO  5.0
#define TAIL_FLOORS 10.0
#define TAIL_PEERS  2.0 /* times the slowest peer */
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

/* One sketch of all instances. */
typedef struct sketch_judge {
    const fc_latency_rule *rule;
    fc_peer_values peers[FC_QUANTILE_COUNT];
    uint64_t samples; /* of the norm */
    double tests;
} sketch_judge;

static const fc_quantile own_tails[] = {FC_QUANTILE_75, FC_QUANTILE_90};
static const fc_quantile peer_tails[] = {FC_QUANTILE_99, FC_QUANTILE_95};

static double
peers_quantile(sketch_judge *judge, size_t instance, fc_quantile quantile)
{
    fc_spread peers;
    fc_peer_values_without(&judge->peers[quantile], instance, &peers);
    return peers.median;
}

static uint64_t
peers_samples(const fc_comparer *comparer, const sketch_judge *judge, size_t instance)
{
    uint64_t own = comparer->features[instance].sketches[judge->rule->sketch].count;
    return judge->samples - (comparer->norm[instance] && own < judge->samples ? own : 0);
}

/* The part of the peers' samples that is above value: on straight lines between the medians of their
 * quantiles; a hundredth when it is beyond the last. */
static double
peers_above(sketch_judge *judge, size_t instance, double value)
{
    double below = 0, above = 0;
    int q = 0;
    for (; q < FC_QUANTILE_COUNT; q++) {
        above = peers_quantile(judge, instance, (fc_quantile)q);
        if (above > value)
            break;
        below = above;
    }
    if (q == 0)
        return 1;
    double part = fc_quantile_part((fc_quantile)(q - 1));
    if (q < FC_QUANTILE_COUNT)
        part += (fc_quantile_part((fc_quantile)q) - part) * (value - below) / (above - below);
    return 1 - part;
}

static double
peers_longest(const fc_comparer *comparer, const fc_latency_rule *rule, size_t instance)
{
    uint64_t longest = 0;
    for (size_t k = 0; k < comparer->norm_count; k++) {
        const fc_feature_sketch *sketch = &comparer->features[comparer->norms[k]].sketches[rule->sketch];
        if (comparer->norms[k] != instance && sketch->count > 0 && sketch->max > longest)
            longest = sketch->max;
    }
    return (double)longest / 1e6;
}

/* How likely is it in any of the tests that part of own_n and peers_part of peer_n are alike? Counted at
 * their worst; samples that come together are one. */
static double
chance_of(const sketch_judge *judge, double part, uint64_t own_n, double peers_part, uint64_t peer_n)
{
    /* Counts come from profiles that others wrote; beyond this a double does not hold them. */
    const uint64_t most = 1ULL << 53;
    uint64_t own = (own_n < most ? own_n : most) / judge->rule->together;
    uint64_t peers = (peer_n < most ? peer_n : most) / judge->rule->together;
    double late = floor(part * (double)own), peers_late = ceil(peers_part * (double)peers);
    return fc_robust_more((uint64_t)late, own, (uint64_t)peers_late, peers) * judge->tests;
}

/* Few and wide samples have any median: half, three quarters or nearly all of those here must be longer than
 * some time, and of the peers' fewer by more than chance. Of too few to prove anything three quarters must be
 * longer than the longest of the peers. */
static bool
is_chance(const fc_comparer *comparer, sketch_judge *judge, size_t instance)
{
    const fc_feature_sketch *own = &comparer->features[instance].sketches[judge->rule->sketch];
    uint64_t peer_n = peers_samples(comparer, judge, instance);
    for (int q = FC_QUANTILE_50; q > FC_QUANTILE_50 - MIDDLE_LOOKS; q--) {
        double value = fc_features_quantile_ms(own, (fc_quantile)q);
        double part = 1 - fc_quantile_part((fc_quantile)q);
        double peers_part = peers_above(judge, instance, value);
        if (MIDDLE_LOOKS * chance_of(judge, part, own->count, peers_part, peer_n) < FC_RULES_ALPHA)
            return false;
    }
    return fc_features_quantile_ms(own, FC_QUANTILE_25) <= peers_longest(comparer, judge->rule, instance);
}

static bool
judge_middle(fc_comparer *comparer, sketch_judge *judge, size_t instance)
{
    const fc_latency_rule *rule = judge->rule;
    fc_spread peers;
    double value = quantile_of(comparer, instance, &(measured){rule->sketch, FC_QUANTILE_50, SAMPLES_MIN});
    fc_peer_values_without(&judge->peers[FC_QUANTILE_50], instance, &peers);
    double spread = spread_of(&peers, rule->floor_ms);
    if (peers.count == 0 || !(value - peers.median >= fmax(rule->floor_ms, SPREADS * spread)) ||
        value < RATIO * peers.median || !lower_quarter_agrees(comparer, instance, rule, peers.median) ||
        is_chance(comparer, judge, instance))
        return false;
    suspect(comparer, instance, rule, rule->severity, value, &peers, spread);
    return true;
}

/* A part q of the samples here is beyond what a part r of the peers' is: can that be chance? Counted at their
 * worst. */
static bool
judge_tail(fc_comparer *comparer, sketch_judge *judge, size_t instance, size_t q, size_t r)
{
    const fc_latency_rule *rule = judge->rule;
    uint64_t own_n = comparer->features[instance].sketches[rule->sketch].count;
    uint64_t peer_n = peers_samples(comparer, judge, instance);
    fc_spread peers;
    double value = quantile_of(comparer, instance, &(measured){rule->sketch, own_tails[q], SAMPLES_MIN});
    fc_peer_values_without(&judge->peers[peer_tails[r]], instance, &peers);
    double spread = spread_of(&peers, rule->floor_ms);
    if (peers.count < 2 || !(value - peers.median >= fmax(TAIL_FLOORS * rule->floor_ms, SPREADS * spread)) ||
        value < TAIL_RATIO * peers.median || value < TAIL_PEERS * peers.max)
        return false;
    if (chance_of(judge, 1 - fc_quantile_part(own_tails[q]), own_n, 1 - fc_quantile_part(peer_tails[r]),
                  peer_n) >= FC_RULES_ALPHA)
        return false;
    /* A quarter is no accident any more. */
    suspect(comparer, instance, rule, own_tails[q] == FC_QUANTILE_75 ? rule->severity : FC_SEVERITY_NOTE,
            value, &peers, spread);
    comparer->suspicions[comparer->suspicion_count - 1].detail =
        own_tails[q] == FC_QUANTILE_75 ? "the slowest quarter" : "the slowest tenth";
    return true;
}

static void
judge_sketch(fc_comparer *comparer, sketch_judge *judge)
{
    for (size_t i = 0; i < comparer->count; i++) {
        bool found =
            !comparer->judged[i] || !fc_cohort_trusts(comparer, i, false) || judge_middle(comparer, judge, i);
        for (size_t k = 0; k < 4 && !found; k++)
            found = judge_tail(comparer, judge, i, k / 2, k % 2);
    }
}

static void
judge_rule(fc_comparer *comparer, const fc_latency_rule *rule)
{
    sketch_judge judge = {.rule = rule,
                          .tests = (double)fc_latency_rule_count * (double)comparer->judged_count};
    for (int q = 0; q < FC_QUANTILE_COUNT; q++)
        fc_peer_values_init(&judge.peers[q], comparer, quantile_of,
                            &(measured){rule->sketch, (fc_quantile)q, SAMPLES_MIN});
    for (size_t k = 0; k < comparer->norm_count; k++) {
        uint64_t count = comparer->features[comparer->norms[k]].sketches[rule->sketch].count;
        judge.samples =
            __builtin_add_overflow(judge.samples, count, &judge.samples) ? UINT64_MAX / 2 : judge.samples;
    }
    judge_sketch(comparer, &judge);
    for (int q = 0; q < FC_QUANTILE_COUNT; q++)
        fc_peer_values_fini(&judge.peers[q]);
}

void
fc_judge_latency(fc_comparer *comparer)
{
    for (size_t i = 0; i < fc_latency_rule_count; i++)
        judge_rule(comparer, &fc_latency_rules[i]);
}
