/* compare.h: profiles side by side: what does the suspect do that its peers do not?
 *
 * Pure: profiles, contexts and statuses in, findings out; no I/O, no clock. features.c takes from every
 * instance what is needed, so that no profile stays in memory; rules.c says what is looked at (as a table),
 * cohort.c who is compared with whom, robust.c how far is far, finding.c puts the sentence together,
 * verdict.c picks the first line. Rules and floors: docs/compare.md.
 */
#ifndef FC_COMPARE_COMPARE_H
#define FC_COMPARE_COMPARE_H

#include "common/base/err.h"
#include "common/compare/features.h"
#include "common/profile/context.h"
#include "common/profile/profile.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_cohort { FC_COHORT_NONE, FC_COHORT_HEALTHY, FC_COHORT_SUSPECT } fc_cohort;

/* One instance as it is given to a comparison. Everything is borrowed for the call that takes it, no longer.
 * In fc_comparison.instances the same struct with texts of its own, and without profile and contexts (NULL):
 * what was taken from them is in `features`. */
typedef struct fc_compare_instance {
    const char *name, *region; /* region: "" = not known */
    fc_cohort cohort;
    const fc_profile *profile;                      /* NULL = none came */
    const fc_context *context_start, *context_stop; /* NULL = none */
    /* why its capture is not what was asked for ("FAILED: filter refused"); NULL = none */
    const char *problem;
    int64_t clock_offset_ns, clock_bound_ns; /* bound 0 = not known */
} fc_compare_instance;

typedef enum fc_severity {
    FC_SEVERITY_INFO,
    FC_SEVERITY_NOTE,
    FC_SEVERITY_WARNING,
    FC_SEVERITY_ERROR
} fc_severity;
typedef enum fc_confidence { FC_CONFIDENCE_LOW, FC_CONFIDENCE_MEDIUM, FC_CONFIDENCE_HIGH } fc_confidence;
typedef enum fc_category {
    FC_CATEGORY_DNS,
    FC_CATEGORY_TCP,
    FC_CATEGORY_TLS,
    FC_CATEGORY_IP,
    FC_CATEGORY_TRAFFIC,
    FC_CATEGORY_CONTEXT,
    FC_CATEGORY_CAPTURE
} fc_category;

/* Where to look. */
typedef struct fc_evidence_pointer {
    size_t instance;             /* index */
    const char *file;            /* borrowed from the features; NULL = none */
    uint64_t frame;              /* 0 = none */
    char *display_filter;        /* owned; Wireshark's; NULL = none */
    char *what;                  /* owned; "tcp 10.0.0.5:443, alert unknown_ca" */
    const fc_exemplar *exemplar; /* borrowed from the features; NULL = none */
} fc_evidence_pointer;

typedef struct fc_finding {
    const char *id; /* stable: the rule's name, "dnsUnanswered", "context.route" */
    fc_category category;
    fc_severity severity;
    fc_confidence confidence;
    double score;      /* the ranking: higher is worse */
    bool shared;       /* the fleet has it, not an outlier */
    size_t *instances; /* owned: indices of the instances that it is about */
    size_t instance_count;
    char *title; /* owned; one sentence: "web-4 gets no answer to 20 of 20 DNS questions to 10.99.0.53; its 3
                    peers get all" */
    char *explanation; /* owned; what it means and what to look at next; NULL = nothing to add */
    double value, peer_median,
        peer_spread;  /* of the first instance and of its peers, in `unit`; NAN where it is no number */
    const char *unit; /* "ms", "%", "packets" …; "" = none */
    int64_t since_ns; /* when it began, on the instance's clock; 0 = not known or all the time */
    char **caveats;   /* owned, each owned */
    size_t caveat_count;
    fc_evidence_pointer *evidence; /* owned */
    size_t evidence_count;
} fc_finding;

/* A number per instance: a row of the fleet matrix. */
typedef struct fc_metric_row {
    const char *id, *title, *unit;
    fc_category category;
    double median, spread; /* over the healthy ones; NAN when nobody has the number */
    double *values;        /* owned; instance_count; NAN = no number */
    double *deviations;    /* owned; in spreads from the median, signed; 0 = none */
} fc_metric_row;

typedef enum fc_standing {
    FC_STANDING_SAME,
    FC_STANDING_OUTLIER,
    FC_STANDING_UNTRUSTED,
    FC_STANDING_ABSENT,
    FC_STANDING_NOT_COMPARED, /* healthy ones and suspects were named, and it is neither */
} fc_standing;

/* Instances that behave alike, folded: "web-[1-47]". */
typedef struct fc_compare_group {
    fc_standing standing;
    char *names;       /* owned */
    size_t *instances; /* owned */
    size_t instance_count;
    char *summary; /* owned; "same", or the short of its findings, or why it is not trusted */
} fc_compare_group;

typedef struct fc_comparison {
    const fc_compare_instance *instances; /* owned; profile and contexts are NULL here */
    /* owned; instance_count: series, quantiles, tables, exemplars, facts of each */
    const fc_instance_features *features;
    size_t instance_count;
    char *verdict;        /* owned; the first line */
    fc_severity severity; /* of the verdict: INFO = no difference worth naming */
    bool cohorts_given;
    fc_finding *findings; /* owned; worst first */
    size_t finding_count;
    size_t findings_left_out; /* the mildest, beyond what is kept */
    fc_metric_row *metrics;   /* owned; the most deviating first */
    size_t metric_count;
    fc_compare_group *groups; /* owned; outliers, untrusted, absent, same, not compared */
    size_t group_count;
    fc_standing *standings;                 /* owned; instance_count */
    int64_t window_start_ns, window_end_ns; /* common to all */
    char **caveats;                         /* owned, each owned: of the comparison as a whole */
    size_t caveat_count;
    struct fc_pool *pool; /* owned; the texts of the facts */
} fc_comparison;

/* Many instances, one at a time: add takes what it needs (some ten KiB), so that profile and contexts can be
 * freed after it. finish judges them, in the order in which they were added; the comparer is only good for
 * _free after. FC_ERR_INVALID: no instance. */
typedef struct fc_comparer fc_comparer;
fc_comparer *
fc_comparer_new(void);
void
fc_comparer_free(fc_comparer *comparer);
void
fc_comparer_add(fc_comparer *comparer, const fc_compare_instance *instance);
FC_MUST_USE fc_err
fc_comparer_finish(fc_comparer *comparer, fc_comparison **ret_comparison, fc_fail *fail);

/* The same for instances that are all at hand. With one: its own troubles, and said so. */
FC_MUST_USE fc_err
fc_compare(const fc_compare_instance *instances, size_t count, fc_comparison **ret_comparison, fc_fail *fail);
void
fc_comparison_free(fc_comparison *comparison);
json_t *
fc_comparison_to_json(const fc_comparison *comparison); /* new reference; docs/compare.md */

/* "web-[1-3,7]" from names, sorted by their numbers; names without a number at the end stand alone. Owned by
 * the caller. */
char *
fc_names_fold(const char *const *names, size_t count);

const char *
fc_severity_name(fc_severity severity); /* "info", "note", "warning", "error" */
const char *
fc_confidence_name(fc_confidence confidence); /* "low" … */
const char *
fc_category_name(fc_category category); /* "dns" … */
const char *
fc_standing_name(fc_standing standing); /* "same", "not compared" … */

#endif
