#include "common/compare/compare.h"

#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <stdlib.h>

static const char *const severity_names[] = {"info", "note", "warning", "error"};
static const char *const confidence_names[] = {"low", "medium", "high"};
static const char *const category_names[] = {"dns", "tcp", "tls", "ip", "traffic", "context", "capture"};
static const char *const standing_names[] = {"same", "outlier", "untrusted", "absent", "not compared"};

const char *
fc_severity_name(fc_severity severity)
{
    return (size_t)severity < FC_COUNT(severity_names) ? severity_names[severity] : "info";
}

const char *
fc_confidence_name(fc_confidence confidence)
{
    return (size_t)confidence < FC_COUNT(confidence_names) ? confidence_names[confidence] : "low";
}

const char *
fc_category_name(fc_category category)
{
    return (size_t)category < FC_COUNT(category_names) ? category_names[category] : "capture";
}

const char *
fc_standing_name(fc_standing standing)
{
    return (size_t)standing < FC_COUNT(standing_names) ? standing_names[standing] : "absent";
}

/* ---- instances in ---- */

fc_comparer *
fc_comparer_new(void)
{
    fc_comparer *comparer = FC_NEW(fc_comparer);
    comparer->pool = fc_pool_new();
    return comparer;
}

static void
instances_free(fc_compare_instance *instances, fc_instance_features *features, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)instances[i].name);
        free((char *)(uintptr_t)instances[i].region);
        free((char *)(uintptr_t)instances[i].problem);
        fc_features_fini(&features[i]);
    }
    free(instances);
    free(features);
}

void
fc_comparer_free(fc_comparer *comparer)
{
    if (comparer == NULL)
        return;
    instances_free(comparer->instances, comparer->features, comparer->count);
    for (size_t i = 0; i < comparer->suspicion_count; i++)
        fc_suspicion_fini(&comparer->suspicions[i]);
    free(comparer->suspicions);
    free(comparer->judged);
    free(comparer->norm);
    free(comparer->norms);
    free(comparer->votes);
    free(comparer->voters);
    fc_pool_free(comparer->pool);
    free(comparer);
}

void
fc_comparer_add(fc_comparer *comparer, const fc_compare_instance *instance)
{
    if (comparer->count == comparer->capacity) {
        comparer->capacity = comparer->capacity > 0 ? 2 * comparer->capacity : 8;
        comparer->instances =
            fc_grow_array(comparer->instances, comparer->capacity, sizeof *comparer->instances);
        comparer->features =
            fc_grow_array(comparer->features, comparer->capacity, sizeof *comparer->features);
    }
    fc_compare_instance *own = &comparer->instances[comparer->count];
    *own = *instance;
    own->name =
        instance->name != NULL ? fc_strdup(instance->name) : fc_sprintf("instance %zu", comparer->count + 1);
    own->region = fc_strdup(instance->region != NULL ? instance->region : "");
    own->problem = fc_strdup(instance->problem);
    fc_features_take(&comparer->features[comparer->count], instance, comparer->pool);
    own->profile = NULL;
    own->context_start = own->context_stop = NULL;
    comparer->count++;
}

/* ---- the comparison out ---- */

static void
judge(fc_comparer *comparer)
{
    fc_cohort_decide(comparer);
    if (comparer->mode == FC_MODE_ALONE) {
        fc_judge_alone(comparer);
    } else {
        fc_judge_rates(comparer);
        fc_judge_latency(comparer);
        fc_judge_traffic(comparer);
        fc_judge_sets(comparer);
        fc_judge_shared(comparer);
    }
    if (comparer->voter_count > 0)
        fc_judge_context(comparer);
    fc_judge_capture(comparer);
    fc_causes_fold(comparer);
}

fc_err
fc_comparer_finish(fc_comparer *comparer, fc_comparison **ret_comparison, fc_fail *fail)
{
    if (comparer->count == 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "there is no instance to compare");
    fc_comparison *comparison = FC_NEW(fc_comparison);
    judge(comparer);
    comparison->cohorts_given = comparer->cohorts_given;
    fc_findings_make(comparer, comparison);
    fc_metrics_make(comparer, comparison);
    fc_groups_make(comparer, comparison);
    fc_caveats_make(comparer, comparison);
    fc_verdict_make(comparer, comparison);
    comparison->instances = comparer->instances;
    comparison->features = comparer->features;
    comparison->instance_count = comparer->count;
    comparison->pool = comparer->pool;
    comparer->instances = NULL;
    comparer->features = NULL;
    comparer->pool = NULL;
    comparer->count = comparer->capacity = 0;
    *ret_comparison = comparison;
    return FC_OK;
}

fc_err
fc_compare(const fc_compare_instance *instances, size_t count, fc_comparison **ret_comparison, fc_fail *fail)
{
    fc_comparer *comparer = fc_comparer_new();
    for (size_t i = 0; i < count; i++)
        fc_comparer_add(comparer, &instances[i]);
    fc_err err = fc_comparer_finish(comparer, ret_comparison, fail);
    fc_comparer_free(comparer);
    return err;
}

static void
texts_free(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

static void
finding_fini(fc_finding *finding)
{
    free(finding->instances);
    free(finding->title);
    free(finding->explanation);
    texts_free(finding->caveats, finding->caveat_count);
    for (size_t i = 0; i < finding->evidence_count; i++) {
        free(finding->evidence[i].display_filter);
        free(finding->evidence[i].what);
    }
    free(finding->evidence);
}

void
fc_comparison_free(fc_comparison *comparison)
{
    if (comparison == NULL)
        return;
    free(comparison->verdict);
    for (size_t i = 0; i < comparison->finding_count; i++)
        finding_fini(&comparison->findings[i]);
    free(comparison->findings);
    for (size_t i = 0; i < comparison->metric_count; i++) {
        free(comparison->metrics[i].values);
        free(comparison->metrics[i].deviations);
    }
    free(comparison->metrics);
    for (size_t i = 0; i < comparison->group_count; i++) {
        free(comparison->groups[i].names);
        free(comparison->groups[i].instances);
        free(comparison->groups[i].summary);
    }
    free(comparison->groups);
    free(comparison->standings);
    texts_free(comparison->caveats, comparison->caveat_count);
    instances_free((fc_compare_instance *)(uintptr_t)comparison->instances,
                   (fc_instance_features *)(uintptr_t)comparison->features, comparison->instance_count);
    fc_pool_free(comparison->pool);
    free(comparison);
}
