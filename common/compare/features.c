#include "common/compare/features.h"

#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Dropped packets below this many, and unseen bytes below that, are not held against a capture: the first
 * packets of a connection under way at the start look the same. */
enum { DROPS_MIN = 5, UNSEEN_BYTES_MIN = 20000 };
#define DROPS_SHARE 0.01

static const double quantile_parts[FC_QUANTILE_COUNT] = {0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};

double
fc_quantile_part(fc_quantile quantile)
{
    return quantile_parts[quantile];
}

/* ---- pieces of a profile ---- */

static void
take_subject(fc_profile_subject *to, const fc_profile_subject *from)
{
    *to = *from;
    to->files = fc_alloc_array(from->file_count + 1, sizeof *to->files);
    for (size_t i = 0; i < from->file_count; i++)
        to->files[i] = fc_strdup(from->files[i]);
    to->filter = fc_strdup(from->filter);
}

/* All quantiles in one walk over the buckets. */
static void
take_sketch(fc_feature_sketch *to, const fc_sketch *from)
{
    *to = (fc_feature_sketch){.count = from->count, .sum = from->sum, .min = from->min, .max = from->max};
    if (from->count == 0)
        return;
    uint64_t total = 0, seen = 0;
    size_t last = fc_sketch_bucket(from->max), bucket = fc_sketch_bucket(from->min);
    for (size_t i = bucket; i <= last; i++)
        total += from->buckets[i];
    for (int q = 0; q < FC_QUANTILE_COUNT; q++) {
        uint64_t wanted = (uint64_t)ceil(quantile_parts[q] * (double)total);
        for (; bucket <= last && seen + from->buckets[bucket] < wanted; bucket++)
            seen += from->buckets[bucket];
        uint64_t value = bucket <= last ? fc_sketch_middle(bucket) : from->max;
        to->quantiles[q] = value < from->min ? from->min : value > from->max ? from->max : value;
    }
}

static void
take_table(fc_feature_table *to, const fc_table *from)
{
    size_t count = from->count <= FC_TABLE_CAPACITY_MAX ? from->count : FC_TABLE_CAPACITY_MAX;
    to->evicted = from->evicted;
    to->count = count;
    if (count == 0)
        return;
    to->entries = fc_alloc_array(count, sizeof *to->entries);
    memcpy(to->entries, from->entries, count * sizeof *to->entries);
}

static int
compare_entries(const void *a, const void *b)
{
    const fc_table_entry *x = a, *y = b;
    if (x->sum.count != y->sum.count)
        return x->sum.count < y->sum.count ? 1 : -1;
    return strcmp(x->key, y->key);
}

static void
take_sorted_table(fc_feature_table *to, const fc_table *from)
{
    take_table(to, from);
    if (to->count > 1)
        qsort(to->entries, to->count, sizeof *to->entries, compare_entries);
}

static void
take_trouble(fc_feature_trouble *to, const fc_trouble *from)
{
    to->count = from->count;
    to->first_ns = from->first_ns;
    to->last_ns = from->last_ns;
    if (from->count == 0)
        return;
    take_sorted_table(&to->details, &from->details);
    take_sorted_table(&to->peers, &from->peers);
    size_t count =
        from->exemplar_count < FC_FEATURE_EXEMPLARS_MAX ? from->exemplar_count : FC_FEATURE_EXEMPLARS_MAX;
    if (count == 0)
        return;
    to->exemplars = fc_alloc_array(count, sizeof *to->exemplars);
    to->exemplar_count = count;
    memcpy(to->exemplars, from->exemplars, count * sizeof *to->exemplars);
}

static void
take_series(fc_feature_series *to, const fc_series *from)
{
    size_t count = from->bucket_count <= FC_SERIES_BUCKETS ? from->bucket_count : FC_SERIES_BUCKETS, used = 0;
    bool in_use[FC_SERIES_COUNT] = {false};
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        for (size_t i = 0; i < count && !in_use[row]; i++)
            in_use[row] = from->rows[row][i] != 0;
        used += in_use[row];
    }
    if (from->width_s == 0 || used == 0)
        return;
    to->start_s = from->start_s;
    to->width_s = from->width_s;
    to->bucket_count = (uint32_t)count;
    uint64_t *block = fc_alloc_array(used * count, sizeof *block);
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        if (!in_use[row])
            continue;
        memcpy(block, from->rows[row], count * sizeof *block);
        to->rows[row] = block;
        block += count;
    }
}

static double
window_seconds(const fc_profile_subject *subject)
{
    int64_t window = subject->start_ns > 0 && subject->end_ns > subject->start_ns
                         ? subject->end_ns - subject->start_ns
                         : 0;
    int64_t span = subject->first_packet_ns > 0 && subject->last_packet_ns > subject->first_packet_ns
                       ? subject->last_packet_ns - subject->first_packet_ns
                       : 0;
    return (double)(window > span ? window : span) / (double)FC_NS_PER_S;
}

/* ---- is it to be trusted? ---- */

static double
share(uint64_t part, uint64_t rest)
{
    return part == 0 ? 0 : (double)part / ((double)part + (double)rest);
}

static void
judge_trust(fc_instance_features *features, const char *problem)
{
    const uint64_t *counters = features->counters;
    uint64_t kept = counters[FC_COUNTER_PACKETS_IN] + counters[FC_COUNTER_PACKETS_OUT] +
                    counters[FC_COUNTER_PACKETS_UNORIENTED];
    /* What the interface dropped before the filter may be of any traffic: verdict.c makes a caveat of it. */
    uint64_t dropped = counters[FC_COUNTER_CAPTURE_DROPPED];
    uint64_t payload = counters[FC_COUNTER_TCP_DATA_BYTES_IN] + counters[FC_COUNTER_TCP_DATA_BYTES_OUT];
    double drops = share(dropped, kept), unseen = share(counters[FC_COUNTER_TCP_UNSEEN_BYTES], payload);
    double behind = share(counters[FC_COUNTER_CAPTURE_UNPROFILED], kept);
    fc_buf text = {0};
    if (problem != NULL && *problem != '\0') {
        features->distrust |= FC_DISTRUST_PROBLEM;
        fc_buf_printf(&text, "%s", problem);
    }
    if (!features->has_profile) {
        features->distrust |= FC_DISTRUST_NO_PROFILE;
        if (fc_buf_size(&text) == 0)
            fc_buf_printf(&text, "no profile came");
    }
    if (dropped >= DROPS_MIN && drops > DROPS_SHARE) {
        features->distrust |= FC_DISTRUST_DROPS;
        fc_buf_printf(&text, "%s%.3g %% of the packets were dropped", fc_buf_size(&text) > 0 ? "; " : "",
                      100 * drops);
    }
    if (counters[FC_COUNTER_TCP_UNSEEN_BYTES] >= UNSEEN_BYTES_MIN && unseen > DROPS_SHARE) {
        features->distrust |= FC_DISTRUST_UNSEEN;
        fc_buf_printf(&text, "%s%.3g %% of the TCP payload was acknowledged but never seen",
                      fc_buf_size(&text) > 0 ? "; " : "", 100 * unseen);
    }
    if (counters[FC_COUNTER_CAPTURE_UNPROFILED] >= DROPS_MIN && behind > DROPS_SHARE) {
        features->distrust |= FC_DISTRUST_BEHIND;
        fc_buf_printf(&text, "%sthe profile fell behind and lacks %.3g %% of the packets",
                      fc_buf_size(&text) > 0 ? "; " : "", 100 * behind);
    }
    if (features->distrust != 0)
        features->distrust_text = fc_buf_take_text(&text);
    fc_buf_fini(&text);
}

/* ---- the whole ---- */

static void
take_profile(fc_instance_features *features, const fc_profile *profile)
{
    features->has_profile = true;
    take_subject(&features->subject, &profile->subject);
    memcpy(features->counters, profile->counters, sizeof features->counters);
    for (size_t i = 0; i < FC_SKETCH_COUNT; i++)
        take_sketch(&features->sketches[i], &profile->sketches[i]);
    for (size_t i = 0; i < FC_TABLE_COUNT; i++)
        take_sorted_table(&features->tables[i], &profile->tables[i]);
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++)
        take_trouble(&features->troubles[i], &profile->troubles[i]);
    take_series(&features->series, &profile->series);
    features->seconds = window_seconds(&features->subject);
}

void
fc_features_take(fc_instance_features *features, const fc_compare_instance *instance, fc_pool *pool)
{
    *features = (fc_instance_features){0};
    if (instance->profile != NULL)
        take_profile(features, instance->profile);
    fc_features_take_facts(features, instance, pool);
    judge_trust(features, instance->problem);
}

void
fc_features_fini(fc_instance_features *features)
{
    for (size_t i = 0; i < features->subject.file_count; i++)
        free(features->subject.files[i]);
    free(features->subject.files);
    free(features->subject.filter);
    for (size_t i = 0; i < FC_TABLE_COUNT; i++)
        free(features->tables[i].entries);
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++) {
        free(features->troubles[i].details.entries);
        free(features->troubles[i].peers.entries);
        free(features->troubles[i].exemplars);
    }
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        if (features->series.rows[row] == NULL)
            continue;
        free(features->series.rows[row]); /* the first row in use is where the block begins */
        break;
    }
    free(features->facts);
    free(features->distrust_text);
    *features = (fc_instance_features){0};
}

const fc_table_entry *
fc_features_find(const fc_feature_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->entries[i].key, key) == 0)
            return &table->entries[i];
    return NULL;
}

double
fc_features_quantile_ms(const fc_feature_sketch *sketch, fc_quantile quantile)
{
    return sketch->count > 0 ? (double)sketch->quantiles[quantile] / (double)FC_NS_PER_MS : NAN;
}

bool
fc_endpoint_parse(const char *text, fc_address *ret_address, uint16_t *ret_port)
{
    char host[FC_ADDRESS_TEXT];
    const char *apart = strstr(text, " port "), *blank = apart != NULL ? NULL : strrchr(text, ' ');
    const char *start = blank != NULL ? blank + 1 : text;
    const char *end = apart != NULL ? apart : start + strlen(start), *port = apart != NULL ? apart + 6 : NULL;
    if (apart != NULL) {
        /* "10.0.0.2 port 5353" */
    } else if (*start == '[') {
        start++;
        end = strchr(start, ']');
        if (end == NULL)
            return false;
        port = end[1] == ':' ? end + 2 : NULL;
    } else if (strchr(start, ':') != NULL && strchr(start, ':') == strrchr(start, ':')) {
        end = strchr(start, ':');
        port = end + 1;
    }
    size_t length = (size_t)(end - start);
    if (length == 0 || length >= sizeof host)
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    if (!fc_address_parse(host, ret_address))
        return false;
    long number = port != NULL ? strtol(port, NULL, 10) : 0;
    *ret_port = number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
    return true;
}
