/* shared.c: troubles without an outlier: those that the whole fleet has, those of an instance that nobody can
 * be compared with, and captures that are not to be trusted.
 */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <stdlib.h>

/* The fleet has a trouble when this part of its instances has it at this rate. */
#define INSTANCES_PART 0.8
#define RATE_MIN       0.2
#define RATE_SEVERE    0.5
/* Alone: fewer events at a lower rate are information. */
enum { EVENTS_MIN = 3 };
#define ALONE_RATE_MIN 0.05

typedef struct trouble_rate {
    uint64_t x, n;
    double rate;
} trouble_rate;

static trouble_rate
rate_of(const fc_instance_features *features, int trouble)
{
    uint64_t x = features->troubles[trouble].count, n = features->counters[fc_trouble_names[trouble].per];
    n = n > x ? n : x;
    return (trouble_rate){x, n, n > 0 ? (double)x / (double)n : 0};
}

static fc_suspicion *
suspect(fc_comparer *comparer, int trouble, size_t instance, trouble_rate rate)
{
    const fc_instance_features *features = &comparer->features[instance];
    fc_suspicion *suspicion =
        fc_suspicion_add(comparer, FC_SUSPICION_TROUBLE, trouble, fc_trouble_names[trouble].name, instance);
    suspicion->category = fc_trouble_rules[trouble].category;
    suspicion->x = rate.x;
    suspicion->n = rate.n;
    suspicion->value = 100 * rate.rate;
    suspicion->unit = "%";
    suspicion->since_ns = fc_since_trouble(features, &features->troubles[trouble]);
    fc_suspicion_focus(comparer, suspicion, &features->troubles[trouble]);
    return suspicion;
}

static bool
has_outlier(const fc_comparer *comparer, int trouble)
{
    for (size_t i = 0; i < comparer->suspicion_count; i++)
        if (comparer->suspicions[i].kind == FC_SUSPICION_TROUBLE && comparer->suspicions[i].index == trouble)
            return true;
    return false;
}

static void
judge_shared_trouble(fc_comparer *comparer, int trouble)
{
    size_t able = 0, having = 0, severe = 0;
    for (size_t i = 0; i < comparer->count; i++) {
        trouble_rate rate = rate_of(&comparer->features[i], trouble);
        if (fc_cohort_leaves_out(comparer, i))
            continue;
        able += comparer->features[i].distrust == 0;
        having += comparer->features[i].distrust == 0 && rate.x >= EVENTS_MIN && rate.rate >= RATE_MIN;
        severe += comparer->features[i].distrust == 0 && rate.x >= EVENTS_MIN && rate.rate >= RATE_SEVERE;
    }
    if (having < 2 || (double)having < INSTANCES_PART * (double)able || has_outlier(comparer, trouble))
        return;
    bool most = (double)severe >= INSTANCES_PART * (double)able;
    for (size_t i = 0; i < comparer->count; i++) {
        trouble_rate rate = rate_of(&comparer->features[i], trouble);
        if (comparer->features[i].distrust != 0 || rate.x < EVENTS_MIN || rate.rate < RATE_MIN ||
            fc_cohort_leaves_out(comparer, i))
            continue;
        fc_suspicion *suspicion = suspect(comparer, trouble, i, rate);
        suspicion->shared = true;
        suspicion->peer_count = able - having;
        suspicion->surprise = 1;
        suspicion->severity = (fc_trouble_rules[trouble].flags & FC_RULE_SHARED) == 0 ? FC_SEVERITY_INFO
                              : most                                                  ? FC_SEVERITY_WARNING
                                                                                      : FC_SEVERITY_NOTE;
        suspicion->confidence = FC_CONFIDENCE_MEDIUM;
    }
}

void
fc_judge_shared(fc_comparer *comparer)
{
    for (int trouble = 0; trouble < FC_TROUBLE_COUNT; trouble++)
        judge_shared_trouble(comparer, trouble);
}

void
fc_judge_alone(fc_comparer *comparer)
{
    for (size_t i = 0; i < comparer->count; i++)
        for (int trouble = 0; trouble < FC_TROUBLE_COUNT; trouble++) {
            trouble_rate rate = rate_of(&comparer->features[i], trouble);
            if (rate.x == 0 || fc_cohort_leaves_out(comparer, i))
                continue;
            bool matters = rate.rate >= ALONE_RATE_MIN && (rate.x >= EVENTS_MIN || rate.x == rate.n);
            fc_suspicion *suspicion = suspect(comparer, trouble, i, rate);
            suspicion->severity =
                matters ? (fc_severity)fc_trouble_names[trouble].severity : FC_SEVERITY_INFO;
            suspicion->confidence = FC_CONFIDENCE_LOW;
            suspicion->surprise = 10 * rate.rate;
        }
}

void
fc_judge_capture(fc_comparer *comparer)
{
    for (size_t i = 0; i < comparer->count; i++) {
        const fc_instance_features *features = &comparer->features[i];
        if (features->distrust == 0 || fc_cohort_leaves_out(comparer, i))
            continue;
        bool absent = !features->has_profile;
        fc_suspicion *suspicion =
            fc_suspicion_add(comparer, FC_SUSPICION_DISTRUST, 0, absent ? "noProfile" : "untrusted", i);
        free(suspicion->subject);
        suspicion->subject = fc_strdup(features->distrust_text);
        suspicion->category = FC_CATEGORY_CAPTURE;
        suspicion->severity = FC_SEVERITY_NOTE;
        suspicion->confidence = FC_CONFIDENCE_HIGH;
    }
}
