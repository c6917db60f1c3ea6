/* cohort.c: who is compared with whom, and whose numbers may be used. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* With more instances than this, leaving one out does not move a median: the spread of all is used for each,
 * and the work stays linear. */
enum { LEAVE_ONE_OUT_MAX = 64 };

/* Counts that lost packets distort are not used of an instance that lost some. Its other numbers count, but
 * not as the norm. */
bool
fc_cohort_trusts(const fc_comparer *comparer, size_t instance, bool distorted)
{
    const fc_instance_features *features = &comparer->features[instance];
    unsigned lossy = FC_DISTRUST_DROPS | FC_DISTRUST_UNSEEN | FC_DISTRUST_BEHIND | FC_DISTRUST_PROBLEM;
    return features->has_profile && (!distorted || (features->distrust & lossy) == 0);
}

void
fc_cohort_decide(fc_comparer *comparer)
{
    size_t usable = 0, healthy = 0, suspects = 0;
    comparer->judged = fc_alloc_array(comparer->count, sizeof *comparer->judged);
    comparer->norm = fc_alloc_array(comparer->count, sizeof *comparer->norm);
    comparer->norms = fc_alloc_array(comparer->count, sizeof *comparer->norms);
    comparer->votes = fc_alloc_array(comparer->count, sizeof *comparer->votes);
    comparer->voters = fc_alloc_array(comparer->count, sizeof *comparer->voters);
    for (size_t i = 0; i < comparer->count; i++) {
        usable += comparer->features[i].has_profile || comparer->features[i].has_context;
        healthy += comparer->instances[i].cohort == FC_COHORT_HEALTHY;
        suspects += comparer->instances[i].cohort == FC_COHORT_SUSPECT;
    }
    comparer->cohorts_given = healthy + suspects > 0;
    comparer->both_given = healthy > 0 && suspects > 0;
    for (size_t i = 0; i < comparer->count; i++) {
        fc_cohort cohort = comparer->instances[i].cohort;
        bool is_healthy = cohort == FC_COHORT_HEALTHY || (healthy == 0 && cohort != FC_COHORT_SUSPECT);
        bool is_suspect = cohort == FC_COHORT_SUSPECT || (suspects == 0 && cohort != FC_COHORT_HEALTHY);
        comparer->judged[i] = !comparer->cohorts_given || is_suspect;
        comparer->norm[i] = (!comparer->cohorts_given || is_healthy) && comparer->features[i].distrust == 0;
        comparer->judged_count += comparer->judged[i];
        comparer->votes[i] = (!comparer->cohorts_given || is_healthy) && comparer->features[i].has_context;
        if (comparer->norm[i])
            comparer->norms[comparer->norm_count++] = i;
        if (comparer->votes[i])
            comparer->voters[comparer->voter_count++] = i;
    }
    if (comparer->norm_count == 0 || usable < 2)
        comparer->mode = FC_MODE_ALONE;
    else if (comparer->cohorts_given)
        comparer->mode = FC_MODE_COHORTS;
    else if (usable >= 3)
        comparer->mode = FC_MODE_FLEET;
    else
        comparer->mode = FC_MODE_PAIR;
}

fc_confidence
fc_cohort_confidence(const fc_comparer *comparer, size_t instance, double surprise, uint64_t samples,
                     size_t peers)
{
    if (comparer->features[instance].distrust != 0 || peers < 2 || samples < 5)
        return FC_CONFIDENCE_LOW;
    return surprise >= 9 && peers >= 3 && samples >= 10 ? FC_CONFIDENCE_HIGH : FC_CONFIDENCE_MEDIUM;
}

void
fc_peer_values_init(fc_peer_values *peers, const fc_comparer *comparer,
                    double (*get)(const fc_comparer *, size_t, const void *), const void *what)
{
    size_t count = comparer->norm_count;
    *peers = (fc_peer_values){.comparer = comparer,
                              .values = fc_alloc_array(count + 1, sizeof(double)),
                              .scratch = fc_alloc_array(count + 1, sizeof(double))};
    for (size_t k = 0; k < count; k++)
        peers->values[k] = get(comparer, comparer->norms[k], what);
    fc_spread_without(peers->values, count, SIZE_MAX, peers->scratch, &peers->all);
}

void
fc_peer_values_fini(fc_peer_values *peers)
{
    free(peers->values);
    free(peers->scratch);
    *peers = (fc_peer_values){0};
}

void
fc_peer_values_without(fc_peer_values *peers, size_t instance, fc_spread *ret_spread)
{
    const fc_comparer *comparer = peers->comparer;
    if (!comparer->norm[instance] || comparer->norm_count > LEAVE_ONE_OUT_MAX) {
        *ret_spread = peers->all;
        return;
    }
    size_t own = 0;
    while (own < comparer->norm_count && comparer->norms[own] != instance)
        own++;
    fc_spread_without(peers->values, comparer->norm_count, own, peers->scratch, ret_spread);
}
