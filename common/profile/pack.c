/* pack.c: fc_profile -> Fcpb__Profile, in at most FC_PROFILE_PACKED_MAX bytes.
 *
 * Everything is laid out first; while it is too big, steps of a fixed order take something away: exemplars
 * from the kinds that have most, tails of tables, resolution of the series, exemplars altogether, resolution
 * of the sketches. Only the first two happen with traffic that was not made for it.
 */
#include "common/base/mem.h"
#include "common/profile/clean.h"
#include "common/profile/profile.h"
#include "fleetcap/v1/profile.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* What PROFILE_TRIMMED takes at most, and what the numbers of evicted keys grow by. */
    TRIMMED_ROOM = 16 + 4 * FC_TABLE_COUNT,
    LISTS = FC_TABLE_COUNT + 3 * FC_TROUBLE_COUNT,
};

/* A repeated field whose tail can be cut off. */
typedef struct tail {
    size_t *count;            /* borrowed from the message */
    ProtobufCMessage **items; /* borrowed from the message */
    uint64_t *evicted;        /* borrowed from the message; NULL = it does not tell of its own */
    bool exemplars;
} tail;

/* The message and everything that it points to. On the heap, zeroed; the strings are borrowed from the
 * profile, or in texts. */
typedef struct packing {
    Fcpb__Profile message;
    Fcpb__ProfileSubject subject;
    char capture_uid[FC_UID_LENGTH + 1], names[5][FC_NAME_MAX + 1];
    char interface_texts[FC_PROFILE_INTERFACES_MAX][16],
        address_texts[FC_PROFILE_ADDRESSES_MAX][FC_ADDRESS_TEXT];
    char filter[FC_PROFILE_FILTER_MAX + 1];
    char *interfaces[FC_PROFILE_INTERFACES_MAX], *addresses[FC_PROFILE_ADDRESSES_MAX];
    Fcpb__CounterValue counters[FC_COUNTER_COUNT], *counter_list[FC_COUNTER_COUNT];
    Fcpb__SketchValue sketches[FC_SKETCH_COUNT], *sketch_list[FC_SKETCH_COUNT];
    uint64_t bucket_counts[FC_SKETCH_COUNT][FC_SKETCH_BUCKETS];
    uint32_t bucket_deltas[FC_SKETCH_COUNT][FC_SKETCH_BUCKETS];
    unsigned coarse[FC_SKETCH_COUNT]; /* bits of the bucket index that were given up */
    Fcpb__SeriesValue series;
    fc_series series_copy;
    Fcpb__SeriesRow rows[FC_SERIES_COUNT], *row_list[FC_SERIES_COUNT];
    Fcpb__TableValue tables[FC_TABLE_COUNT], *table_list[FC_TABLE_COUNT];
    Fcpb__TroubleValue troubles[FC_TROUBLE_COUNT], *trouble_list[FC_TROUBLE_COUNT];
    Fcpb__TableEntry
        entries[FC_TABLE_COUNT * FC_TABLE_CAPACITY_MAX + 2 * FC_TROUBLE_COUNT * FC_TABLE_CAPACITY_MAX];
    Fcpb__TableEntry
        *entry_list[FC_TABLE_COUNT * FC_TABLE_CAPACITY_MAX + 2 * FC_TROUBLE_COUNT * FC_TABLE_CAPACITY_MAX];
    size_t entry_count;
    Fcpb__Exemplar exemplars[FC_TROUBLE_COUNT * FC_EXEMPLARS_MAX];
    Fcpb__Exemplar *exemplar_list[FC_TROUBLE_COUNT * FC_EXEMPLARS_MAX];
    size_t exemplar_count;
    tail tails[LISTS];
    size_t tail_count;
    uint64_t trimmed;
} packing;

static char *
put_name(char to[FC_NAME_MAX + 1], const char *from)
{
    (void)fc_clean_text(to, FC_NAME_MAX + 1, from);
    return to;
}

static void
put_subject(packing *p, const fc_profile_subject *from)
{
    Fcpb__ProfileSubject *to = &p->subject;
    fcpb__profile_subject__init(to);
    p->message.subject = to;
    (void)fc_clean_text(p->capture_uid, sizeof p->capture_uid, from->capture_uid);
    to->capture_uid = p->capture_uid;
    to->capture_name = put_name(p->names[0], from->capture_name);
    to->instance_id = put_name(p->names[1], from->instance_id);
    to->instance_name = put_name(p->names[2], from->instance_name);
    to->scale_set = put_name(p->names[3], from->scale_set);
    to->region = put_name(p->names[4], from->region);
    to->n_interfaces = from->interface_count;
    to->interfaces = p->interfaces;
    for (size_t i = 0; i < from->interface_count; i++) {
        (void)fc_clean_text(p->interface_texts[i], sizeof p->interface_texts[i], from->interfaces[i]);
        p->interfaces[i] = p->interface_texts[i];
    }
    to->n_files = from->file_count;
    to->files = from->files;
    (void)fc_clean_text(p->filter, sizeof p->filter, from->filter != NULL ? from->filter : "");
    to->filter = p->filter;
    to->snaplen_bytes = from->snaplen_bytes;
    to->n_local_addresses = from->local_address_count;
    to->local_addresses = p->addresses;
    for (size_t i = 0; i < from->local_address_count; i++) {
        (void)fc_address_text(&from->local_addresses[i], p->address_texts[i]);
        p->addresses[i] = p->address_texts[i];
    }
    to->start_unix_ns = fc_clean_time(from->start_ns);
    to->end_unix_ns = fc_clean_time(from->end_ns);
    to->first_packet_unix_ns = fc_clean_time(from->first_packet_ns);
    to->last_packet_unix_ns = fc_clean_time(from->last_packet_ns);
}

static void
put_counters(packing *p, const fc_profile *profile, uint64_t trimmed)
{
    p->message.counters = p->counter_list;
    p->message.n_counters = 0;
    for (uint32_t id = 0; id < FC_COUNTER_COUNT; id++) {
        uint64_t value = profile->counters[id];
        if (id == FC_COUNTER_PROFILE_TRIMMED)
            value = fc_sum(value, trimmed);
        if (value == 0)
            continue;
        Fcpb__CounterValue *counter = &p->counters[p->message.n_counters];
        fcpb__counter_value__init(counter);
        counter->id = id;
        counter->value = value;
        p->counter_list[p->message.n_counters++] = counter;
    }
}

/* The buckets of a sketch, 2^coarse neighbours taken together under the lowest's index. */
static void
put_buckets(packing *p, size_t id, const fc_sketch *from, Fcpb__SketchValue *to)
{
    uint32_t last = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < FC_SKETCH_BUCKETS; i++) {
        uint32_t index = i >> p->coarse[id] << p->coarse[id];
        if (from->buckets[i] == 0)
            continue;
        if (count > 0 && index == last) {
            uint64_t sum = p->bucket_counts[id][count - 1] + from->buckets[i];
            p->bucket_counts[id][count - 1] = sum < UINT32_MAX ? sum : UINT32_MAX;
            continue;
        }
        p->bucket_deltas[id][count] = index - last;
        p->bucket_counts[id][count++] = from->buckets[i];
        last = index;
    }
    to->n_bucket_deltas = to->n_bucket_counts = count;
    to->bucket_deltas = p->bucket_deltas[id];
    to->bucket_counts = p->bucket_counts[id];
}

static void
put_sketches(packing *p, const fc_profile *profile)
{
    p->message.sketches = p->sketch_list;
    for (uint32_t id = 0; id < FC_SKETCH_COUNT; id++) {
        const fc_sketch *from = &profile->sketches[id];
        if (from->count == 0)
            continue;
        Fcpb__SketchValue *to = &p->sketches[id];
        fcpb__sketch_value__init(to);
        to->id = id;
        to->count = from->count;
        to->sum = from->sum;
        to->min = from->min;
        to->max = from->max;
        put_buckets(p, id, from, to);
        p->sketch_list[p->message.n_sketches++] = to;
    }
}

static void
put_series(packing *p)
{
    fc_series *from = &p->series_copy;
    p->message.series = NULL;
    if (from->width_s == 0)
        return;
    fcpb__series_value__init(&p->series);
    p->message.series = &p->series;
    p->series.start_unix_s = from->start_s;
    p->series.width_s = from->width_s;
    p->series.bucket_count = from->bucket_count;
    p->series.rows = p->row_list;
    for (uint32_t id = 0; id < FC_SERIES_COUNT; id++) {
        size_t count = from->bucket_count;
        while (count > 0 && from->rows[id][count - 1] == 0)
            count--;
        if (count == 0)
            continue;
        Fcpb__SeriesRow *row = &p->rows[p->series.n_rows];
        fcpb__series_row__init(row);
        row->id = id;
        row->n_values = count;
        row->values = from->rows[id];
        p->row_list[p->series.n_rows++] = row;
    }
}

static void
add_tail(packing *p, size_t *count, ProtobufCMessage **items, uint64_t *evicted, bool exemplars)
{
    p->tails[p->tail_count++] = (tail){count, items, evicted, exemplars};
}

static void
put_entries(packing *p, fc_table *from, uint64_t *evicted, size_t *ret_count, Fcpb__TableEntry ***ret_entries)
{
    fc_table_sort(from);
    *ret_entries = &p->entry_list[p->entry_count];
    *ret_count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        fc_table_entry *entry = &from->entries[i];
        Fcpb__TableEntry *to = &p->entries[p->entry_count];
        fcpb__table_entry__init(to);
        to->key = entry->key;
        to->count = entry->sum.count;
        to->error = entry->error;
        to->packets = entry->sum.packets;
        to->bytes = entry->sum.bytes;
        to->failed = entry->sum.failed;
        to->latency_count = entry->sum.latency_count;
        to->latency_sum_ns = entry->sum.latency_sum_ns;
        to->latency_max_ns = entry->sum.latency_max_ns;
        to->first_unix_ns = entry->sum.first_ns;
        to->last_unix_ns = entry->sum.last_ns;
        p->entry_list[p->entry_count++] = to;
    }
    add_tail(p, ret_count, (ProtobufCMessage **)(void *)*ret_entries, evicted, false);
}

static void
put_tables(packing *p, fc_profile *profile)
{
    p->message.tables = p->table_list;
    for (uint32_t id = 0; id < FC_TABLE_COUNT; id++) {
        fc_table *from = &profile->tables[id];
        if (from->count == 0)
            continue;
        Fcpb__TableValue *to = &p->tables[id];
        fcpb__table_value__init(to);
        to->id = id;
        to->evicted = from->evicted;
        put_entries(p, from, &to->evicted, &to->n_entries, &to->entries);
        p->table_list[p->message.n_tables++] = to;
    }
}

static ProtobufCBinaryData
put_address(fc_address *address)
{
    size_t size = address->family == 4 ? 4 : address->family == 6 ? 16 : 0;
    return (ProtobufCBinaryData){size, address->bytes};
}

static void
put_exemplars(packing *p, fc_trouble *from, size_t file_count, Fcpb__TroubleValue *to)
{
    to->exemplars = &p->exemplar_list[p->exemplar_count];
    to->n_exemplars = from->exemplar_count;
    for (size_t i = 0; i < from->exemplar_count; i++) {
        fc_exemplar *exemplar = &from->exemplars[i];
        Fcpb__Exemplar *out = &p->exemplars[p->exemplar_count];
        fcpb__exemplar__init(out);
        out->at_unix_ns = exemplar->at_ns;
        out->file = exemplar->file < file_count ? exemplar->file : FC_EXEMPLAR_NO_FILE;
        out->frame = exemplar->frame;
        out->protocol = exemplar->protocol;
        out->local_address = put_address(&exemplar->local);
        out->remote_address = put_address(&exemplar->remote);
        out->local_port = exemplar->local_port;
        out->remote_port = exemplar->remote_port;
        out->community_id = exemplar->community_id;
        out->detail = exemplar->detail;
        out->value = exemplar->value;
        p->exemplar_list[p->exemplar_count++] = out;
    }
    add_tail(p, &to->n_exemplars, (ProtobufCMessage **)(void *)to->exemplars, NULL, true);
}

static void
put_troubles(packing *p, fc_profile *profile)
{
    p->message.troubles = p->trouble_list;
    for (uint32_t id = 0; id < FC_TROUBLE_COUNT; id++) {
        fc_trouble *from = &profile->troubles[id];
        if (from->count == 0)
            continue;
        Fcpb__TroubleValue *to = &p->troubles[id];
        fcpb__trouble_value__init(to);
        to->id = id;
        to->count = from->count;
        to->first_unix_ns = from->first_ns;
        to->last_unix_ns = from->last_ns;
        put_entries(p, &from->details, NULL, &to->n_details, &to->details);
        put_entries(p, &from->peers, NULL, &to->n_peers, &to->peers);
        put_exemplars(p, from, profile->subject.file_count, to);
        p->trouble_list[p->message.n_troubles++] = to;
    }
}

static size_t
varint_size(size_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* Cuts off the ends of the longest lists of a sort until `over` bytes are gone or none has more than `floor`.
 * Returns what is still over. What is cut off was of one tag byte, a length, and itself: what shrinks around
 * it is not even counted. */
static size_t
cut_tails(packing *p, bool exemplars, size_t floor, size_t over)
{
    while (over > 0) {
        tail *longest = NULL;
        for (size_t i = 0; i < p->tail_count; i++) {
            tail *at = &p->tails[i];
            if (at->exemplars == exemplars && *at->count > (longest != NULL ? *longest->count : floor))
                longest = at;
        }
        if (longest == NULL)
            break;
        size_t size = protobuf_c_message_get_packed_size(longest->items[--*longest->count]);
        size += 1 + varint_size(size);
        over -= size < over ? size : over;
        p->trimmed++;
        if (longest->evicted != NULL) /* for who reads it, a key that is not there may have been */
            *longest->evicted = fc_sum(*longest->evicted, 1);
    }
    return over;
}

/* Series of at most `buckets`. */
static void
halve_series(packing *p, uint32_t buckets)
{
    while (p->series_copy.bucket_count > buckets) {
        fc_series wide = {.width_s = p->series_copy.width_s * 2};
        wide.start_s = p->series_copy.start_s & ~((int64_t)wide.width_s - 1);
        wide.bucket_count = 1;
        fc_series_merge(&wide, &p->series_copy);
        p->series_copy = wide;
    }
    put_series(p);
}

/* Half the resolution for the sketch that has the most buckets. */
static void
coarsen_sketch(packing *p, const fc_profile *profile)
{
    Fcpb__SketchValue *longest = NULL;
    for (size_t i = 0; i < p->message.n_sketches; i++)
        if (longest == NULL || p->sketch_list[i]->n_bucket_counts > longest->n_bucket_counts)
            longest = p->sketch_list[i];
    if (longest == NULL)
        return;
    p->coarse[longest->id]++;
    put_buckets(p, longest->id, &profile->sketches[longest->id], longest);
    p->trimmed++;
}

static size_t
size_over(const packing *p)
{
    size_t size = fcpb__profile__get_packed_size(&p->message) + TRIMMED_ROOM;
    return size > FC_PROFILE_PACKED_MAX ? size - FC_PROFILE_PACKED_MAX : 0;
}

static void
fit(packing *p, const fc_profile *profile)
{
    static const struct {
        bool exemplars;
        size_t floor;
    } cuts[] = {{true, 6}, {false, 24}, {true, 3}, {false, 8}, {true, 1}, {false, 4}};
    size_t over = size_over(p);
    for (size_t i = 0; i < FC_COUNT(cuts) && over > 0; i++)
        over = cut_tails(p, cuts[i].exemplars, cuts[i].floor, over);
    for (uint32_t buckets = FC_SERIES_BUCKETS / 2; over > 0 && buckets >= 30; buckets /= 2) {
        halve_series(p, buckets);
        over = size_over(p);
    }
    over = cut_tails(p, true, 0, over);
    over = cut_tails(p, false, 1, over);
    while (over > 0) {
        coarsen_sketch(p, profile);
        over = size_over(p);
    }
}

void
fc_profile_pack(fc_profile *profile, fc_buf *out)
{
    packing *p = FC_NEW(packing);
    fcpb__profile__init(&p->message);
    p->message.version = FC_PROFILE_VERSION;
    p->series_copy = profile->series;
    put_subject(p, &profile->subject);
    put_counters(p, profile, 0);
    put_sketches(p, profile);
    put_series(p);
    put_tables(p, profile);
    put_troubles(p, profile);
    if (fcpb__profile__get_packed_size(&p->message) > FC_PROFILE_PACKED_MAX) {
        fit(p, profile);
        put_counters(p, profile, p->trimmed);
    }
    size_t size = fcpb__profile__get_packed_size(&p->message);
    (void)fcpb__profile__pack(&p->message, fc_buf_reserve(out, size));
    fc_buf_commit(out, size);
    free(p);
}
