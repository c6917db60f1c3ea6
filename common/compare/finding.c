/* finding.c: suspicions of one thing on several instances are one finding; worst first, and not without
 * bound. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* More are not read by anybody; the mildest give way, and are counted in a caveat. */
enum { FINDINGS_MAX = 250, CAVEATS_MAX = 8 };
/* Score: the severity before all, then how sure, how much it explains, how many instances. */
#define SCORE_SEVERITY 100.0
#define SCORE_SYMPTOM  6.0

typedef struct gathered {
    UT_hash_handle hh;
    char *key;                  /* owned */
    const fc_suspicion **parts; /* owned */
    size_t count, capacity;
    double score;
    fc_severity severity;
} gathered;

static void
gather_part(gathered *group, const fc_suspicion *suspicion)
{
    if (group->count == group->capacity) {
        group->capacity = group->capacity > 0 ? 2 * group->capacity : 4;
        group->parts = fc_grow_array(group->parts, group->capacity, sizeof(const fc_suspicion *));
    }
    group->parts[group->count++] = suspicion;
    if (suspicion->severity > group->severity)
        group->severity = suspicion->severity;
}

static char *
group_key(const fc_suspicion *suspicion)
{
    bool more = suspicion->kind == FC_SUSPICION_TRAFFIC && suspicion->value > suspicion->median;
    bool plain =
        suspicion->kind == FC_SUSPICION_RATE || suspicion->kind == FC_SUSPICION_GROWTH || suspicion->shared;
    return fc_sprintf("%s\n%s\n%s\n%s%d%d%d", suspicion->id, suspicion->subject,
                      suspicion->peer != NULL && !plain ? suspicion->peer : "",
                      suspicion->because != NULL ? suspicion->because : "", suspicion->shared, more,
                      suspicion->severity == FC_SEVERITY_INFO);
}

static double
score_of(const gathered *group)
{
    double surprise = 0, symptoms = 0;
    for (size_t i = 0; i < group->count; i++) {
        surprise = fmax(surprise, group->parts[i]->surprise);
        symptoms = fmax(symptoms, (double)group->parts[i]->symptom_count);
    }
    double score =
        SCORE_SEVERITY * (double)group->severity + fmin(surprise, 30) + SCORE_SYMPTOM * fmin(symptoms, 8);
    if (group->parts[0]->shared || group->parts[0]->kind == FC_SUSPICION_DISTRUST)
        score -= SCORE_SEVERITY / 2;
    return score + fmin((double)group->count, 10) / 10;
}

static int
compare_groups(const void *a, const void *b)
{
    const gathered *x = *(const gathered *const *)a, *y = *(const gathered *const *)b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return strcmp(x->key, y->key);
}

static int
compare_parts(const void *a, const void *b)
{
    const fc_suspicion *x = *(const fc_suspicion *const *)a, *y = *(const fc_suspicion *const *)b;
    return x->instance < y->instance ? -1 : x->instance > y->instance;
}

/* ---- caveats ---- */

static void
add_caveat(fc_finding *finding, char *text)
{
    for (size_t i = 0; i < finding->caveat_count; i++)
        if (strcmp(finding->caveats[i], text) == 0 || finding->caveat_count == CAVEATS_MAX) {
            free(text);
            return;
        }
    finding->caveats = fc_grow_array(finding->caveats, finding->caveat_count + 1, sizeof *finding->caveats);
    finding->caveats[finding->caveat_count++] = text;
}

static void
add_caveats(const fc_comparer *comparer, fc_finding *finding, const gathered *group)
{
    const fc_suspicion *first = group->parts[0];
    for (size_t i = 0; i < group->count && finding->caveat_count < CAVEATS_MAX; i++) {
        size_t instance = group->parts[i]->instance;
        const fc_instance_features *features = &comparer->features[instance];
        if (features->distrust_text != NULL && first->kind != FC_SUSPICION_DISTRUST)
            add_caveat(finding, fc_sprintf("%s: capture not trustworthy: %s",
                                           comparer->instances[instance].name, features->distrust_text));
        if (group->parts[i]->since_ns != 0 && comparer->instances[instance].clock_bound_ns > FC_NS_PER_S)
            add_caveat(
                finding,
                fc_sprintf("%s: its clock is known to %.1f s only", comparer->instances[instance].name,
                           (double)comparer->instances[instance].clock_bound_ns / (double)FC_NS_PER_S));
    }
    if (first->kind == FC_SUSPICION_DISTRUST || first->shared)
        return;
    if (first->peer_count == 1)
        add_caveat(finding,
                   fc_strdup("there is one peer only: which of the two is the normal one is not known"));
    bool counted = first->kind == FC_SUSPICION_TROUBLE || first->kind == FC_SUSPICION_RATE ||
                   first->kind == FC_SUSPICION_LATENCY;
    if (counted && first->n > 0 && first->n < 10)
        add_caveat(finding, fc_sprintf("few samples: %llu", (unsigned long long)first->n));
}

/* ---- from group to finding ---- */

static void
fill_finding(const fc_comparer *comparer, fc_finding *finding, gathered *group)
{
    const fc_suspicion *first;
    qsort(group->parts, group->count, sizeof(const fc_suspicion *), compare_parts);
    first = group->parts[0];
    *finding = (fc_finding){.id = first->id,
                            .category = first->category,
                            .severity = group->severity,
                            .confidence = first->confidence,
                            .score = group->score,
                            .value = first->value,
                            .peer_median = first->median,
                            .peer_spread = first->spread,
                            .unit = first->unit,
                            .shared = first->shared};
    finding->instances = fc_alloc_array(group->count, sizeof *finding->instances);
    for (size_t i = 0; i < group->count; i++) {
        const fc_suspicion *part = group->parts[i];
        if (finding->instance_count == 0 || finding->instances[finding->instance_count - 1] != part->instance)
            finding->instances[finding->instance_count++] = part->instance;
        if (part->since_ns != 0 && (finding->since_ns == 0 || part->since_ns < finding->since_ns))
            finding->since_ns = part->since_ns;
        if (part->confidence > finding->confidence)
            finding->confidence = part->confidence;
    }
    finding->title = fc_sentence_title(comparer, group->parts, group->count);
    finding->explanation = fc_sentence_explanation(comparer, group->parts, group->count);
    add_caveats(comparer, finding, group);
    for (size_t i = 0; i < group->count; i++)
        fc_evidence_add(comparer, finding, group->parts[i]);
}

/* What an instance says whose capture is not to be trusted is told, but calls nobody an outlier. */
static void
soften_untrusted(fc_comparer *comparer)
{
    for (size_t i = 0; i < comparer->suspicion_count; i++) {
        fc_suspicion *suspicion = &comparer->suspicions[i];
        if (comparer->features[suspicion->instance].distrust != 0 &&
            suspicion->category != FC_CATEGORY_CONTEXT && suspicion->severity > FC_SEVERITY_NOTE)
            suspicion->severity = FC_SEVERITY_NOTE;
    }
}

void
fc_findings_make(fc_comparer *comparer, fc_comparison *comparison)
{
    gathered *groups = NULL, *group, *next;
    size_t count = 0;
    soften_untrusted(comparer);
    for (size_t i = 0; i < comparer->suspicion_count; i++) {
        char *key = group_key(&comparer->suspicions[i]);
        HASH_FIND_STR(groups, key, group);
        if (group == NULL) {
            group = FC_NEW(gathered);
            group->key = key;
            HASH_ADD_KEYPTR(hh, groups, group->key, strlen(group->key), group);
        } else {
            free(key);
        }
        gather_part(group, &comparer->suspicions[i]);
    }
    gathered **sorted = fc_alloc_array(HASH_COUNT(groups) + 1, sizeof(gathered *));
    HASH_ITER (hh, groups, group, next) {
        group->score = score_of(group);
        sorted[count++] = group;
    }
    qsort(sorted, count, sizeof(gathered *), compare_groups);
    comparison->finding_count = count < FINDINGS_MAX ? count : FINDINGS_MAX;
    comparison->findings = fc_alloc_array(comparison->finding_count + 1, sizeof *comparison->findings);
    for (size_t i = 0; i < comparison->finding_count; i++)
        fill_finding(comparer, &comparison->findings[i], sorted[i]);
    comparison->findings_left_out = count - comparison->finding_count;
    free(sorted);
    HASH_ITER (hh, groups, group, next) {
        HASH_DEL(groups, group);
        free(group->key);
        free(group->parts);
        free(group);
    }
}
