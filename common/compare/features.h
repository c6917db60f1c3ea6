/* features.h: what a comparison keeps of one instance: its profile without the empty space, its context's
 * facts.
 *
 * A profile in memory is about 1 MiB; this is 5 to 100 KiB, so that a thousand instances lie side by side.
 * Everything is owned by the comparison (facts: by its pool of texts) and lives as long as that.
 */
#ifndef FC_COMPARE_FEATURES_H
#define FC_COMPARE_FEATURES_H

#include "common/profile/context.h"
#include "common/profile/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_FEATURE_EXEMPLARS_MAX = 8 };

/* The quantiles that are kept of every sketch. */
typedef enum fc_quantile {
    FC_QUANTILE_05,
    FC_QUANTILE_25,
    FC_QUANTILE_50,
    FC_QUANTILE_75,
    FC_QUANTILE_90,
    FC_QUANTILE_95,
    FC_QUANTILE_99,
    FC_QUANTILE_COUNT
} fc_quantile;

typedef struct fc_feature_sketch {
    uint64_t count, sum, min, max;         /* as in fc_sketch: ns */
    uint64_t quantiles[FC_QUANTILE_COUNT]; /* 0 while empty */
} fc_feature_sketch;

/* The entries that are in use, sorted as fc_table_sort does. */
typedef struct fc_feature_table {
    fc_table_entry *entries; /* owned */
    size_t count;
    uint64_t evicted;
} fc_feature_table;

typedef struct fc_feature_trouble {
    uint64_t count;
    int64_t first_ns, last_ns;
    fc_feature_table details, peers;
    fc_exemplar *exemplars; /* owned; the first FC_FEATURE_EXEMPLARS_MAX */
    size_t exemplar_count;
} fc_feature_trouble;

/* As fc_series, with rows as long as they are. */
typedef struct fc_feature_series {
    int64_t start_s;
    uint32_t width_s, bucket_count;
    uint64_t *rows[FC_SERIES_COUNT]; /* owned, in one block; NULL = all zero */
} fc_feature_series;

/* One fact of the context: what it was at the start (NULL = not there) and at the stop; several values under
 * one key are joined with " | ". The plain_ texts have the instance's own addresses, networks and name taken
 * out, so that peers can be compared. All borrowed from the comparison's pool, where equal texts are one:
 * pointers compare. */
typedef struct fc_feature_fact {
    fc_section section;
    const char *key, *start, *stop;
    const char *plain_key, *plain_start, *plain_stop;
} fc_feature_fact;

/* Why numbers of an instance are not to be trusted: bits. */
typedef enum fc_distrust {
    FC_DISTRUST_NO_PROFILE = 1, /* none came, or nothing at all is in it and its capture failed */
    FC_DISTRUST_PROBLEM = 2,    /* the capture is not what was asked for */
    FC_DISTRUST_DROPS = 4,      /* more than 1 % of the packets are not in the file */
    FC_DISTRUST_UNSEEN = 8,     /* more than 1 % of the TCP payload was acknowledged but not seen */
    FC_DISTRUST_BEHIND = 16,    /* profiling fell behind */
} fc_distrust;

typedef struct fc_instance_features {
    bool has_profile, has_context;
    fc_profile_subject subject; /* its files and filter owned */
    uint64_t counters[FC_COUNTER_COUNT];
    fc_feature_sketch sketches[FC_SKETCH_COUNT];
    fc_feature_series series;
    fc_feature_table tables[FC_TABLE_COUNT];
    fc_feature_trouble troubles[FC_TROUBLE_COUNT];
    fc_feature_fact *facts; /* owned; sorted by section and key */
    size_t fact_count;
    uint32_t unreadable;                       /* bit 1 << section: not everything of it is known */
    int64_t context_start_ns, context_stop_ns; /* when the snapshots were taken; 0 = none */
    unsigned distrust;                         /* fc_distrust bits */
    char *distrust_text;                       /* owned; "12 % of the packets were dropped"; NULL = trusted */
    double seconds; /* of the window, at least what the packets span; 0 = not known */
} fc_instance_features;

/* 0.5 for FC_QUANTILE_50. */
double
fc_quantile_part(fc_quantile quantile);

#endif
