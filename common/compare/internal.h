/* internal.h: what the parts of a comparison share.
 *
 * Life: _add -> features.c fills one instance; _finish -> cohort.c (who is judged, who is the norm) ->
 * rates.c, latency.c, traffic.c, sets.c, context.c, shared.c put suspicions -> causes.c folds symptoms under
 * their causes -> finding.c makes the findings of what is left -> verdict.c, groups.c, metric.c.
 */
#ifndef FC_COMPARE_INTERNAL_H
#define FC_COMPARE_INTERNAL_H

#include "common/base/buf.h"
#include "common/compare/compare.h"
#include "common/compare/pool.h"
#include "common/compare/robust.h"

typedef enum fc_compare_mode {
    FC_MODE_ALONE,  /* nobody to compare with: its own troubles */
    FC_MODE_PAIR,   /* two: differences; who has the trouble is the faulty one */
    FC_MODE_FLEET,  /* everyone against all others */
    FC_MODE_COHORTS /* the suspects against the healthy */
} fc_compare_mode;

typedef enum fc_suspicion_kind {
    FC_SUSPICION_TROUBLE,  /* index: fc_trouble_id */
    FC_SUSPICION_RATE,     /* index: row of fc_rate_rules */
    FC_SUSPICION_LATENCY,  /* index: row of fc_latency_rules */
    FC_SUSPICION_TRAFFIC,  /* index: row of fc_traffic_rules */
    FC_SUSPICION_SILENT,   /* index: fc_silent */
    FC_SUSPICION_SET_ONLY, /* index: fc_table_id */
    FC_SUSPICION_SET_MISSING,
    FC_SUSPICION_FACT,    /* index: fc_section */
    FC_SUSPICION_CHANGED, /* index: fc_section */
    FC_SUSPICION_GROWTH,  /* index: fc_section */
    FC_SUSPICION_DISTRUST,
} fc_suspicion_kind;

enum { FC_COMPARE_NONE = -1 };

/* No packets at all but the network's own; or packets that nobody answers. */
typedef enum fc_silent { FC_SILENT_MUTE, FC_SILENT_UNANSWERED } fc_silent;

/* One rule's word on one instance. */
typedef struct fc_suspicion {
    fc_suspicion_kind kind;
    int index;
    const char *id; /* static */
    size_t instance;
    fc_category category;
    fc_severity severity;
    fc_confidence confidence;
    bool deep;     /* needs no proof of its own where it explains something proven */
    bool shared;   /* of the whole fleet, not of an outlier */
    uint64_t x, n; /* events, out of how many */
    uint64_t peer_x, peer_n;
    size_t peer_count; /* instances it was compared with */
    double value, median, spread;
    const char *unit; /* static */
    double surprise;  /* -log10 of the probability of chance, or what stands for it */
    int64_t since_ns;
    char *subject;    /* owned; what it is about, as shown: a key, an alert; "" = nothing in particular */
    char *usual;      /* owned; what the peers have instead; NULL = nothing to say */
    const char *peer; /* borrowed from the features: the remote end that most of it is about; NULL = none
                         stands out */
    uint64_t peer_hits, peer_total; /* of x and n, those with that remote end; total 0 = not known */
    const char *detail;             /* borrowed from the features; NULL = none stands out */
    const char *names_under; /* borrowed from the features: the suffix of names that only this instance asks
                                for; NULL = none */
    bool peer_is_own;        /* none of its peers goes to that remote end */
    const fc_table_entry *entry; /* borrowed from the features; sets */
    size_t cause;                /* index of the suspicion that explains it; SIZE_MAX = none */
    size_t first_symptom, next_symptom,
        symptom_count; /* those it explains; next: of its own cause; SIZE_MAX = end */
    char *because;     /* owned; a fact of the context that goes with it; NULL = none */
} fc_suspicion;

struct fc_comparer {
    fc_compare_instance *instances; /* owned, with their texts */
    fc_instance_features *features; /* owned */
    size_t count, capacity;
    fc_pool *pool; /* owned */
    fc_compare_mode mode;
    bool cohorts_given, both_given; /* some are named; healthy ones and suspects are */
    bool *judged, *norm;            /* owned; per instance: looked at; part of what is normal */
    size_t *norms;                  /* owned; the indices of the norm */
    size_t norm_count;
    size_t judged_count;
    bool *votes;    /* owned; per instance: its context counts as normal, whatever its capture */
    size_t *voters; /* owned; their indices */
    size_t voter_count;
    fc_suspicion *suspicions; /* owned */
    size_t suspicion_count, suspicion_capacity;
};

/* ---- features.c, facts.c ---- */
void
fc_features_take(fc_instance_features *features, const fc_compare_instance *instance, fc_pool *pool);
void
fc_features_fini(fc_instance_features *features);
void
fc_features_take_facts(fc_instance_features *features, const fc_compare_instance *instance, fc_pool *pool);
const fc_table_entry *
fc_features_find(const fc_feature_table *table, const char *key);
double
fc_features_quantile_ms(const fc_feature_sketch *sketch, fc_quantile quantile);
/* "tcp 10.0.0.5:443", "[2001:db8::1]:53", "10.0.0.2": what of it is there. False without an address. port 0 =
 * none. */
bool
fc_endpoint_parse(const char *text, fc_address *ret_address, uint16_t *ret_port);

/* ---- cohort.c ---- */
void
fc_cohort_decide(fc_comparer *comparer);
/* Healthy ones and suspects were named, and it is neither: nothing is said of it. */
static inline bool
fc_cohort_leaves_out(const fc_comparer *comparer, size_t instance)
{
    return comparer->both_given && comparer->instances[instance].cohort == FC_COHORT_NONE;
}
/* May this instance's counts be used? distorted: counts that lost packets distort. */
bool
fc_cohort_trusts(const fc_comparer *comparer, size_t instance, bool distorted);
fc_confidence
fc_cohort_confidence(const fc_comparer *comparer, size_t instance, double surprise, uint64_t samples,
                     size_t peers);

/* The numbers of the norm, one metric: values[k] belongs to instance norms[k]; NAN = it has none. */
typedef struct fc_peer_values {
    const fc_comparer *comparer; /* borrowed */
    double *values, *scratch;    /* owned */
    fc_spread all;
} fc_peer_values;
void
fc_peer_values_init(fc_peer_values *peers, const fc_comparer *comparer,
                    double (*get)(const fc_comparer *, size_t, const void *), const void *what);
void
fc_peer_values_fini(fc_peer_values *peers);
/* Over the norm without that instance. */
void
fc_peer_values_without(fc_peer_values *peers, size_t instance, fc_spread *ret_spread);

/* ---- the rules: each adds its suspicions ---- */
void
fc_judge_capture(fc_comparer *comparer);
void
fc_judge_rates(fc_comparer *comparer);
void
fc_judge_latency(fc_comparer *comparer);
void
fc_judge_traffic(fc_comparer *comparer);
void
fc_judge_sets(fc_comparer *comparer);
void
fc_judge_context(fc_comparer *comparer);
/* One instance alone; and troubles that all have. */
void
fc_judge_alone(fc_comparer *comparer);
void
fc_judge_shared(fc_comparer *comparer);

/* A new one, zeroed but for id, kind, index, instance, cause and numbers that are none. Valid until the next
 * one is added. */
fc_suspicion *
fc_suspicion_add(fc_comparer *comparer, fc_suspicion_kind kind, int index, const char *id, size_t instance);
void
fc_suspicion_fini(fc_suspicion *suspicion);
/* Fills in whom and what a trouble is about: the remote end and the detail that most of it has. */
void
fc_suspicion_focus(const fc_comparer *comparer, fc_suspicion *suspicion, const fc_feature_trouble *trouble);

/* ---- time.c ---- */
int64_t
fc_since_trouble(const fc_instance_features *features, const fc_feature_trouble *trouble);
/* When the mean of row `sum` over row `count` (FC_COMPARE_NONE: per bucket) stepped up for good; 0 = it did
 * not. */
int64_t
fc_since_step(const fc_instance_features *features, int sum, int count);

/* ---- what comes of it ---- */
void
fc_causes_fold(fc_comparer *comparer);
/* The sentence of suspicions that are one finding. Owned by the caller. */
char *
fc_sentence_title(const fc_comparer *comparer, const fc_suspicion *const *parts, size_t count);
char *
fc_sentence_explanation(const fc_comparer *comparer, const fc_suspicion *const *parts, size_t count);
/* "1,234", "0.02", "12". */
void
fc_sentence_count(fc_buf *out, uint64_t value);
void
fc_sentence_number(fc_buf *out, double value);
void
fc_findings_make(fc_comparer *comparer, fc_comparison *comparison);
void
fc_evidence_add(const fc_comparer *comparer, fc_finding *finding, const fc_suspicion *suspicion);
void
fc_metrics_make(fc_comparer *comparer, fc_comparison *comparison);
void
fc_groups_make(const fc_comparer *comparer, fc_comparison *comparison);
void
fc_caveats_make(const fc_comparer *comparer, fc_comparison *comparison);
void
fc_verdict_make(const fc_comparer *comparer, fc_comparison *comparison);
/* Folded names of some instances. Owned by the caller. */
char *
fc_instances_fold(const fc_compare_instance *instances, const size_t *which, size_t count);

#endif
