/* table.h: the most frequent keys of a stream in bounded memory.
 *
 * Space-saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data
 * Streams, 2005): a new key in a full table takes the place of the least frequent one and inherits its count
 * as `error`. With at most `capacity` keys in the stream everything is exact. Ties give way in a fixed order,
 * so the same stream gives the same table.
 */
#ifndef FC_PROFILE_TABLE_H
#define FC_PROFILE_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { FC_TABLE_KEY_MAX = 111, FC_TABLE_CAPACITY_MAX = 64 };

/* What one more occurrence of a key brings; entries hold the sums (max of latency_max, span of first and
 * last). */
typedef struct fc_table_values {
    uint64_t count, packets, bytes, failed;
    uint64_t latency_count, latency_sum_ns, latency_max_ns;
    int64_t first_ns, last_ns; /* 0 = none */
} fc_table_values;

typedef struct fc_table_entry {
    char key[FC_TABLE_KEY_MAX + 1]; /* printable UTF-8; longer ones are cut */
    uint64_t error;
    fc_table_values sum;
} fc_table_entry;

/* Zeroed plus a capacity is an empty table. */
typedef struct fc_table {
    uint16_t capacity; /* at most FC_TABLE_CAPACITY_MAX */
    uint16_t count;
    uint64_t evicted;
    uint32_t hashes[FC_TABLE_CAPACITY_MAX]; /* of the entries' keys: kept by these functions */
    fc_table_entry entries[FC_TABLE_CAPACITY_MAX];
} fc_table;

void
fc_table_init(fc_table *table, uint16_t capacity);
void
fc_table_add(fc_table *table, const char *key, const fc_table_values *values);
void
fc_table_merge(fc_table *table, const fc_table *more);
/* NULL when the key is not there. */
const fc_table_entry *
fc_table_find(const fc_table *table, const char *key);
/* Sorts by count, descending, then by key: before it is packed or shown. */
void
fc_table_sort(fc_table *table);

#endif
