/* rules.h: what is looked at and how far is far, as tables. docs/compare.md lists the same. */
#ifndef FC_COMPARE_RULES_H
#define FC_COMPARE_RULES_H

#include "common/compare/compare.h"

/* Chance that equal instances give a finding by any of the count rules, in one comparison: shared among all
 * tests made. */
#define FC_RULES_ALPHA 0.01
/* The same for one test of a RARE trouble that no peer has: it gives a note. */
#define FC_RULES_ALPHA_RARE 0.01
/* Counts: fewer events than this say nothing (or two, when that was all). */
enum { FC_RULES_EVENTS_MIN = 3 };

typedef enum fc_rule_flags {
    FC_RULE_DISTORTED = 1, /* packets that the capture lost look like it */
    FC_RULE_SHARED = 2,    /* worth a finding when all have it */
    FC_RULE_DEEP = 4,      /* where it explains a proven trouble, it needs no proof of its own */
    FC_RULE_RARE = 8, /* healthy instances have none at all: a few prove something, when no peer has any */
} fc_rule_flags;

/* A trouble's rate against its peers'. Row by fc_trouble_id. */
typedef struct fc_trouble_rule {
    fc_category category;
    double effect;     /* at least so much above the peers' median: a part of 1 */
    unsigned flags;    /* fc_rule_flags */
    const char *title; /* template, sentence.c */
} fc_trouble_rule;
extern const fc_trouble_rule fc_trouble_rules[FC_TROUBLE_COUNT];

/* One counter as a part of others. */
typedef struct fc_rate_rule {
    const char *id;
    fc_category category;
    fc_severity severity;
    fc_counter hits, less,
        total;             /* less: SYNs of these connections are taken off; FC_COUNTER_COUNT = nothing */
    fc_trouble_id trouble; /* whose exemplars show it */
    double effect;
    uint64_t events_min;
    uint64_t per_connection; /* events of one connection come together: more of them prove no more */
    const char *title;
} fc_rate_rule;
extern const fc_rate_rule fc_rate_rules[];
extern const size_t fc_rate_rule_count;

typedef struct fc_latency_rule {
    const char *id;
    fc_category category;
    fc_severity severity;
    fc_sketch_id sketch;
    double floor_ms;
    uint64_t together;  /* so many samples come at once and prove no more than one */
    bool lower_quarter; /* the 25 % quantile must be beyond as well: mixtures move the median by themselves */
    int table;          /* whose keys have such times; FC_COMPARE_NONE */
    int series_sum, series_count; /* fc_series_id; FC_COMPARE_NONE */
    const char *title;
} fc_latency_rule;
extern const fc_latency_rule fc_latency_rules[];
extern const size_t fc_latency_rule_count;

/* Sums per second. */
typedef struct fc_traffic_rule {
    const char *id;
    fc_counter counters[3]; /* FC_COUNTER_COUNT = no more */
    double floor;           /* the larger side's sum must be at least this */
    const char *unit, *what;
} fc_traffic_rule;
extern const fc_traffic_rule fc_traffic_rules[];
extern const size_t fc_traffic_rule_count;

/* Who has a key and who has not. Row by fc_table_id. */
typedef struct fc_set_rule {
    const char *only_id, *missing_id;
    fc_category category;
    fc_severity only, missing; /* at most; INFO = shown only with --all */
    const char *only_title, *missing_title;
} fc_set_rule;
extern const fc_set_rule fc_set_rules[FC_TABLE_COUNT];

/* Facts of the context. Row by fc_section. */
typedef struct fc_fact_rule {
    const char *id, *changed_id;
    fc_severity severity;
    bool elements;      /* key and value together are an element of a set */
    bool absence;       /* that a key is missing says something */
    const char *phrase; /* before the key: "route" */
} fc_fact_rule;
extern const fc_fact_rule fc_fact_rules[FC_SECTION_COUNT];

#endif
