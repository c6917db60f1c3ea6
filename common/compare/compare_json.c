/* compare_json.c: a comparison as JSON; the keys are listed in docs/compare.md. */
#include "common/base/mem.h"
#include "common/compare/compare.h"

#include <math.h>

static json_t *
number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Texts may come from packets: what is not UTF-8 is left out rather than making the whole invalid. */
static json_t *
text(const char *value)
{
    json_t *string = value != NULL ? json_string(value) : NULL;
    return string != NULL ? string : json_null();
}

static json_t *
moment(int64_t ns)
{
    char buffer[FC_TIME_TEXT_SIZE];
    return ns > 0 ? json_string(fc_wall_text((fc_wall){ns}, buffer)) : json_null();
}

static json_t *
name_of(const fc_comparison *comparison, size_t instance)
{
    json_t *name = json_string(comparison->instances[instance].name);
    return name != NULL ? name : json_string("?");
}

static json_t *
names_of(const fc_comparison *comparison, const size_t *which, size_t count)
{
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(names, name_of(comparison, which[i]));
    return names;
}

static json_t *
texts(char *const *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(array, text(values[i]));
    return array;
}

static json_t *
evidence_json(const fc_comparison *comparison, const fc_evidence_pointer *pointer)
{
    json_t *object = json_object();
    const char *community = pointer->exemplar != NULL && *pointer->exemplar->community_id != '\0'
                                ? pointer->exemplar->community_id
                                : NULL;
    (void)json_object_set_new(object, "instance", name_of(comparison, pointer->instance));
    (void)json_object_set_new(object, "file", text(pointer->file));
    (void)json_object_set_new(object, "frame",
                              pointer->frame > 0 ? json_integer((json_int_t)pointer->frame) : json_null());
    (void)json_object_set_new(object, "displayFilter", text(pointer->display_filter));
    (void)json_object_set_new(object, "what", text(pointer->what));
    (void)json_object_set_new(object, "communityId", text(community));
    (void)json_object_set_new(object, "at", moment(pointer->exemplar != NULL ? pointer->exemplar->at_ns : 0));
    return object;
}

static json_t *
finding_json(const fc_comparison *comparison, const fc_finding *finding)
{
    json_t *object = json_object(), *evidence = json_array();
    for (size_t i = 0; i < finding->evidence_count; i++)
        (void)json_array_append_new(evidence, evidence_json(comparison, &finding->evidence[i]));
    (void)json_object_set_new(object, "id", text(finding->id));
    (void)json_object_set_new(object, "category", text(fc_category_name(finding->category)));
    (void)json_object_set_new(object, "severity", text(fc_severity_name(finding->severity)));
    (void)json_object_set_new(object, "confidence", text(fc_confidence_name(finding->confidence)));
    (void)json_object_set_new(object, "score", number(finding->score));
    (void)json_object_set_new(object, "shared", json_boolean(finding->shared));
    (void)json_object_set_new(object, "instances",
                              names_of(comparison, finding->instances, finding->instance_count));
    (void)json_object_set_new(object, "title", text(finding->title));
    (void)json_object_set_new(object, "explanation", text(finding->explanation));
    (void)json_object_set_new(object, "value", number(finding->value));
    (void)json_object_set_new(object, "peerMedian", number(finding->peer_median));
    (void)json_object_set_new(object, "peerSpread", number(finding->peer_spread));
    (void)json_object_set_new(object, "unit", text(finding->unit));
    (void)json_object_set_new(object, "since", moment(finding->since_ns));
    (void)json_object_set_new(object, "caveats", texts(finding->caveats, finding->caveat_count));
    (void)json_object_set_new(object, "evidence", evidence);
    return object;
}

static json_t *
metric_json(const fc_comparison *comparison, const fc_metric_row *row)
{
    json_t *object = json_object(), *values = json_array(), *deviations = json_array();
    for (size_t i = 0; i < comparison->instance_count; i++) {
        (void)json_array_append_new(values, number(row->values[i]));
        (void)json_array_append_new(deviations, number(row->deviations[i]));
    }
    (void)json_object_set_new(object, "id", text(row->id));
    (void)json_object_set_new(object, "title", text(row->title));
    (void)json_object_set_new(object, "unit", text(row->unit));
    (void)json_object_set_new(object, "category", text(fc_category_name(row->category)));
    (void)json_object_set_new(object, "median", number(row->median));
    (void)json_object_set_new(object, "spread", number(row->spread));
    (void)json_object_set_new(object, "values", values);
    (void)json_object_set_new(object, "deviations", deviations);
    return object;
}

static json_t *
group_json(const fc_comparison *comparison, const fc_compare_group *group)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "standing", text(fc_standing_name(group->standing)));
    (void)json_object_set_new(object, "names", text(group->names));
    (void)json_object_set_new(object, "summary", text(group->summary));
    (void)json_object_set_new(object, "instances",
                              names_of(comparison, group->instances, group->instance_count));
    return object;
}

static json_t *
instance_json(const fc_comparison *comparison, size_t i)
{
    static const char *const cohorts[] = {"none", "healthy", "suspect"};
    const fc_compare_instance *instance = &comparison->instances[i];
    const fc_instance_features *features = &comparison->features[i];
    size_t cohort = (size_t)instance->cohort < FC_COUNT(cohorts) ? (size_t)instance->cohort : 0;
    json_t *object = json_object();
    (void)json_object_set_new(object, "name", name_of(comparison, i));
    (void)json_object_set_new(object, "region", text(*instance->region != '\0' ? instance->region : NULL));
    (void)json_object_set_new(object, "cohort", text(cohorts[cohort]));
    (void)json_object_set_new(object, "standing", text(fc_standing_name(comparison->standings[i])));
    (void)json_object_set_new(object, "problem", text(features->distrust_text));
    (void)json_object_set_new(object, "start", moment(features->subject.start_ns));
    (void)json_object_set_new(object, "end", moment(features->subject.end_ns));
    (void)json_object_set_new(object, "clockOffsetNs", json_integer(instance->clock_offset_ns));
    (void)json_object_set_new(object, "clockBoundNs",
                              instance->clock_bound_ns > 0 ? json_integer(instance->clock_bound_ns)
                                                           : json_null());
    return object;
}

json_t *
fc_comparison_to_json(const fc_comparison *comparison)
{
    json_t *object = json_object(), *instances = json_array(), *findings = json_array(),
           *metrics = json_array(), *groups = json_array();
    for (size_t i = 0; i < comparison->instance_count; i++)
        (void)json_array_append_new(instances, instance_json(comparison, i));
    for (size_t i = 0; i < comparison->finding_count; i++)
        (void)json_array_append_new(findings, finding_json(comparison, &comparison->findings[i]));
    for (size_t i = 0; i < comparison->metric_count; i++)
        (void)json_array_append_new(metrics, metric_json(comparison, &comparison->metrics[i]));
    for (size_t i = 0; i < comparison->group_count; i++)
        (void)json_array_append_new(groups, group_json(comparison, &comparison->groups[i]));
    (void)json_object_set_new(object, "verdict", text(comparison->verdict));
    (void)json_object_set_new(object, "severity", text(fc_severity_name(comparison->severity)));
    (void)json_object_set_new(object, "cohortsGiven", json_boolean(comparison->cohorts_given));
    (void)json_object_set_new(object, "windowStart", moment(comparison->window_start_ns));
    (void)json_object_set_new(object, "windowEnd", moment(comparison->window_end_ns));
    (void)json_object_set_new(object, "caveats", texts(comparison->caveats, comparison->caveat_count));
    (void)json_object_set_new(object, "groups", groups);
    (void)json_object_set_new(object, "findings", findings);
    (void)json_object_set_new(object, "findingsLeftOut",
                              json_integer((json_int_t)comparison->findings_left_out));
    (void)json_object_set_new(object, "instances", instances);
    (void)json_object_set_new(object, "metrics", metrics);
    return object;
}
