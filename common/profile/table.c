#include "common/profile/table.h"

#include "common/base/mem.h"
#include "common/profile/clean.h"

#include <stdlib.h>
#include <string.h>

void
fc_table_init(fc_table *table, uint16_t capacity)
{
    memset(table, 0, sizeof *table);
    table->capacity = capacity < FC_TABLE_CAPACITY_MAX ? capacity : FC_TABLE_CAPACITY_MAX;
}

/* FNV-1a (Fowler, Noll, Vo). A key made to collide costs a comparison, no more. */
static uint32_t
hash_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *at = (const unsigned char *)key; *at != 0; at++)
        hash = (hash ^ *at) * 16777619u;
    return hash;
}

static fc_table_entry *
find(fc_table *table, const char *key, uint32_t hash)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->hashes[i] == hash && strcmp(table->entries[i].key, key) == 0)
            return &table->entries[i];
    return NULL;
}

/* Which of two entries of the same count gives way: by nothing else than the keys, so that neither the order
 * in the table nor how often it was sorted matters. */
static bool
goes_before(const fc_table *table, size_t a, size_t b)
{
    if (table->hashes[a] != table->hashes[b])
        return table->hashes[a] > table->hashes[b];
    return strcmp(table->entries[a].key, table->entries[b].key) > 0;
}

/* The entry that gives way: one of the least count. */
static size_t
least(const fc_table *table)
{
    size_t found = 0;
    uint64_t lowest = table->entries[0].sum.count;
    for (size_t i = 1; i < table->count; i++) {
        uint64_t count = table->entries[i].sum.count;
        if (count < lowest || (count == lowest && goes_before(table, i, found))) {
            found = i;
            lowest = count;
        }
    }
    return found;
}

static void
add_values(fc_table_values *sum, const fc_table_values *values)
{
    sum->count = fc_sum(sum->count, values->count);
    sum->packets = fc_sum(sum->packets, values->packets);
    sum->bytes = fc_sum(sum->bytes, values->bytes);
    sum->failed = fc_sum(sum->failed, values->failed);
    sum->latency_count = fc_sum(sum->latency_count, values->latency_count);
    sum->latency_sum_ns = fc_sum(sum->latency_sum_ns, values->latency_sum_ns);
    if (values->latency_max_ns > sum->latency_max_ns)
        sum->latency_max_ns = values->latency_max_ns;
    sum->first_ns = fc_earlier(sum->first_ns, fc_clean_time(values->first_ns));
    sum->last_ns = fc_later(sum->last_ns, fc_clean_time(values->last_ns));
}

/* A place for a new key; in a full table that of the least frequent one, with its count as the error. */
static fc_table_entry *
place(fc_table *table, const char *key, uint32_t hash)
{
    uint64_t inherited = 0;
    size_t at = table->count;
    if (table->count < table->capacity) {
        table->count++;
    } else {
        at = least(table);
        inherited = table->entries[at].sum.count;
        table->evicted++;
    }
    fc_table_entry *entry = &table->entries[at];
    memset(entry, 0, sizeof *entry);
    memcpy(entry->key, key, strlen(key) + 1);
    entry->error = inherited;
    entry->sum.count = inherited;
    table->hashes[at] = hash;
    return entry;
}

void
fc_table_add(fc_table *table, const char *key, const fc_table_values *values)
{
    if (table->capacity == 0)
        return;
    char clean[FC_TABLE_KEY_MAX + 1];
    (void)fc_clean_text(clean, sizeof clean, key);
    uint32_t hash = hash_of(clean);
    fc_table_entry *entry = find(table, clean, hash);
    if (entry == NULL)
        entry = place(table, clean, hash);
    add_values(&entry->sum, values);
}

const fc_table_entry *
fc_table_find(const fc_table *table, const char *key)
{
    uint32_t hash = hash_of(key);
    for (size_t i = 0; i < table->count; i++)
        if (table->hashes[i] == hash && strcmp(table->entries[i].key, key) == 0)
            return &table->entries[i];
    return NULL;
}

static int
compare_entries(const void *a_, const void *b_)
{
    const fc_table_entry *a = a_, *b = b_;
    if (a->sum.count != b->sum.count)
        return a->sum.count > b->sum.count ? -1 : 1;
    return strcmp(a->key, b->key);
}

static void
rehash(fc_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        table->hashes[i] = hash_of(table->entries[i].key);
}

void
fc_table_sort(fc_table *table)
{
    bool sorted = true;
    for (size_t i = 1; i < table->count && sorted; i++)
        sorted = compare_entries(&table->entries[i - 1], &table->entries[i]) <= 0;
    if (sorted)
        return;
    qsort(table->entries, table->count, sizeof table->entries[0], compare_entries);
    rehash(table);
}

/* What a key that is not in the table may have had at most. */
static uint64_t
unseen(const fc_table *table)
{
    return table->evicted == 0 || table->count == 0 ? 0 : table->entries[least(table)].sum.count;
}

/* Agarwal, Cormode, Huang, Phillips, Wei, Yi: Mergeable Summaries, 2013: a key that one side lacks may have
 * had there what the side's least frequent one has; both go into one list, of which the most frequent stay.
 */
void
fc_table_merge(fc_table *table, const fc_table *more)
{
    uint64_t here = unseen(table), there = unseen(more);
    fc_table_entry *all = fc_alloc_array((size_t)table->count + more->count + 1, sizeof *all);
    size_t count = 0;
    for (; count < table->count; count++) {
        all[count] = table->entries[count];
        const fc_table_entry *other = fc_table_find(more, all[count].key);
        if (other != NULL)
            add_values(&all[count].sum, &other->sum);
        else
            all[count].sum.count = fc_sum(all[count].sum.count, there);
        all[count].error = fc_sum(all[count].error, other != NULL ? other->error : there);
    }
    for (size_t i = 0; i < more->count; i++) {
        if (fc_table_find(table, more->entries[i].key) != NULL)
            continue;
        all[count] = more->entries[i];
        all[count].sum.count = fc_sum(all[count].sum.count, here);
        all[count].error = fc_sum(all[count].error, here);
        count++;
    }
    qsort(all, count, sizeof *all, compare_entries);
    size_t kept = count < table->capacity ? count : table->capacity;
    memcpy(table->entries, all, kept * sizeof *all);
    table->count = (uint16_t)kept;
    table->evicted = fc_sum(table->evicted, fc_sum(more->evicted, count - kept));
    rehash(table);
    free(all);
}
