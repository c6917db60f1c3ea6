/* traffic.c: how much there is: an instance that is silent, or that carries much more or less than its peers.
 */
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <math.h>

/* Busy peers: at least so many packets came in. Silent: at most so many, and at most this part of theirs. */
enum { BUSY_PACKETS = 20, SILENT_PACKETS = 2 };
#define SILENT_PART 0.02
/* Volumes are compared as logarithms: three times as much, and beyond the peers' own spread. */
#define RATIO   3.0
#define SPREADS 5.0
#define PEERS_ALIKE                                                                                          \
    2.0 /* the peers' largest is at most so many times their smallest, else volumes say nothing */

/* What programs send and get: neighbour discovery and the like go on while nothing works. */
static double
packets_of_programs(const fc_comparer *comparer, size_t instance, const void *what)
{
    (void)what;
    const fc_instance_features *features = &comparer->features[instance];
    return features->has_profile ? (double)features->counters[FC_COUNTER_TCP_PACKETS] +
                                       (double)features->counters[FC_COUNTER_UDP_PACKETS]
                                 : NAN;
}

static double
packets_in(const fc_comparer *comparer, size_t instance, const void *what)
{
    (void)what;
    const fc_instance_features *features = &comparer->features[instance];
    return features->has_profile && features->counters[FC_COUNTER_PACKETS_UNORIENTED] == 0
               ? (double)features->counters[FC_COUNTER_PACKETS_IN]
               : NAN;
}

static double
volume(const fc_instance_features *features, const fc_traffic_rule *rule)
{
    double sum = 0;
    for (size_t i = 0; i < 3 && rule->counters[i] != FC_COUNTER_COUNT; i++)
        sum += (double)features->counters[rule->counters[i]];
    return sum;
}

static double
log_rate(const fc_comparer *comparer, size_t instance, const void *what)
{
    const fc_instance_features *features = &comparer->features[instance];
    double sum = volume(features, what);
    return features->has_profile && features->seconds > 0 && sum > 0 ? log(sum / features->seconds) : NAN;
}

static bool
is_silent(double packets, const fc_spread *peers)
{
    return peers->count > 0 && peers->median >= BUSY_PACKETS &&
           packets <= fmax(SILENT_PACKETS, SILENT_PART * peers->median);
}

static void
judge_silence(fc_comparer *comparer)
{
    fc_peer_values all, in;
    fc_spread peers;
    fc_peer_values_init(&all, comparer, packets_of_programs, NULL);
    fc_peer_values_init(&in, comparer, packets_in, NULL);
    for (size_t i = 0; i < comparer->count; i++) {
        if (!comparer->judged[i] || !fc_cohort_trusts(comparer, i, true))
            continue;
        fc_silent kind = FC_SILENT_MUTE;
        double packets = packets_of_programs(comparer, i, NULL);
        fc_peer_values_without(&all, i, &peers);
        if (!is_silent(packets, &peers)) {
            kind = FC_SILENT_UNANSWERED;
            packets = packets_in(comparer, i, NULL);
            fc_peer_values_without(&in, i, &peers);
            if (!is_silent(packets, &peers))
                continue;
        }
        fc_suspicion *suspicion = fc_suspicion_add(comparer, FC_SUSPICION_SILENT, (int)kind, "silent", i);
        suspicion->category = FC_CATEGORY_TRAFFIC;
        suspicion->severity = FC_SEVERITY_ERROR;
        suspicion->x = (uint64_t)packets;
        suspicion->n = comparer->features[i].counters[FC_COUNTER_PACKETS_OUT];
        suspicion->value = packets;
        suspicion->median = peers.median;
        suspicion->spread = peers.mad;
        suspicion->unit = "packets";
        suspicion->peer_count = peers.count;
        suspicion->surprise = 12;
        suspicion->confidence = fc_cohort_confidence(comparer, i, 12, (uint64_t)peers.median, peers.count);
    }
    fc_peer_values_fini(&all);
    fc_peer_values_fini(&in);
}

static void
judge_volume(fc_comparer *comparer, const fc_traffic_rule *rule)
{
    fc_peer_values values;
    fc_spread peers;
    fc_peer_values_init(&values, comparer, log_rate, rule);
    for (size_t i = 0; i < comparer->count; i++) {
        double value = log_rate(comparer, i, rule);
        if (!comparer->judged[i] || !isfinite(value) || !fc_cohort_trusts(comparer, i, true))
            continue;
        fc_peer_values_without(&values, i, &peers);
        double far = fabs(value - peers.median), sum = volume(&comparer->features[i], rule);
        double theirs = exp(peers.median) * comparer->features[i].seconds;
        if (peers.count < 2 || !(far > log(RATIO)) || far < SPREADS * peers.mad ||
            peers.max - peers.min > log(PEERS_ALIKE) || fmax(sum, theirs) < rule->floor)
            continue;
        fc_suspicion *suspicion =
            fc_suspicion_add(comparer, FC_SUSPICION_TRAFFIC, (int)(rule - fc_traffic_rules), rule->id, i);
        suspicion->category = FC_CATEGORY_TRAFFIC;
        suspicion->severity = FC_SEVERITY_NOTE;
        suspicion->value = exp(value);
        suspicion->median = exp(peers.median);
        suspicion->spread = exp(peers.median) * peers.mad;
        suspicion->unit = rule->unit;
        suspicion->peer_count = peers.count;
        suspicion->surprise = fmin(far / log(RATIO) * 3, 9);
        suspicion->confidence = fc_cohort_confidence(comparer, i, 3, (uint64_t)sum, peers.count);
    }
    fc_peer_values_fini(&values);
}

void
fc_judge_traffic(fc_comparer *comparer)
{
    judge_silence(comparer);
    for (size_t i = 0; i < fc_traffic_rule_count; i++)
        judge_volume(comparer, &fc_traffic_rules[i]);
}
