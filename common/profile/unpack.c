/* unpack.c: Fcpb__Profile -> fc_profile. The bytes come from a peer or a file: nothing in them is believed.
 *
 * Ids that this version does not know are left out, so that a newer node can be compared by an older
 * coordinator. Everything else that cannot be is FC_ERR_CORRUPT. What the size of the message bounds (60 KiB)
 * is what protobuf-c allocates: about 6 MiB at worst.
 */
#include "common/base/mem.h"
#include "common/profile/clean.h"
#include "common/profile/profile.h"
#include "fleetcap/v1/profile.pb-c.h"

#include <stdlib.h>
#include <string.h>

static fc_err
corrupt(fc_fail *fail, const char *what)
{
    return fc_fail_set(fail, FC_ERR_CORRUPT, "profile: %s", what);
}

static bool
time_valid(int64_t ns)
{
    return ns >= 0 && ns <= FC_PROFILE_TIME_MAX;
}

/* Marks an id as seen: false when it was there before. */
static bool
first_time(bool *seen, uint32_t id)
{
    bool first = !seen[id];
    seen[id] = true;
    return first;
}

static bool
take_text(char *to, size_t size, const char *from)
{
    if (!fc_clean_check(from, size))
        return false;
    memcpy(to, from, strlen(from) + 1);
    return true;
}

static fc_err
take_lists(fc_profile *profile, const Fcpb__ProfileSubject *from, fc_fail *fail)
{
    fc_profile_subject *to = &profile->subject;
    if (from->n_interfaces > FC_PROFILE_INTERFACES_MAX || from->n_files > FC_PROFILE_FILES_MAX ||
        from->n_local_addresses > FC_PROFILE_ADDRESSES_MAX)
        return corrupt(fail, "too many interfaces, files or addresses");
    for (size_t i = 0; i < from->n_interfaces; i++)
        if (!take_text(to->interfaces[to->interface_count++], sizeof to->interfaces[0], from->interfaces[i]))
            return corrupt(fail, "an interface's name is not printable or too long");
    for (size_t i = 0; i < from->n_files; i++)
        if (!fc_clean_check(from->files[i], FC_PROFILE_FILE_NAME_MAX + 1) ||
            fc_profile_file(profile, from->files[i]) != i)
            return corrupt(fail, "a file's name is not printable, too long or there twice");
    for (size_t i = 0; i < from->n_local_addresses; i++) {
        fc_address address;
        if (!fc_address_parse(from->local_addresses[i], &address))
            return corrupt(fail, "a local address is none");
        fc_profile_add_local_address(profile, &address);
    }
    return FC_OK;
}

static fc_err
take_subject(fc_profile *profile, const Fcpb__ProfileSubject *from, fc_fail *fail)
{
    fc_profile_subject *to = &profile->subject;
    if (!take_text(to->capture_uid, sizeof to->capture_uid, from->capture_uid) ||
        !take_text(to->capture_name, sizeof to->capture_name, from->capture_name) ||
        !take_text(to->instance_id, sizeof to->instance_id, from->instance_id) ||
        !take_text(to->instance_name, sizeof to->instance_name, from->instance_name) ||
        !take_text(to->scale_set, sizeof to->scale_set, from->scale_set) ||
        !take_text(to->region, sizeof to->region, from->region) ||
        !fc_clean_check(from->filter, FC_PROFILE_FILTER_MAX + 1))
        return corrupt(fail, "a name is not printable or too long");
    if (from->filter[0] != '\0')
        to->filter = fc_strdup(from->filter);
    to->snaplen_bytes = from->snaplen_bytes;
    to->start_ns = from->start_unix_ns;
    to->end_ns = from->end_unix_ns;
    to->first_packet_ns = from->first_packet_unix_ns;
    to->last_packet_ns = from->last_packet_unix_ns;
    if (!time_valid(to->start_ns) || !time_valid(to->end_ns) || !time_valid(to->first_packet_ns) ||
        !time_valid(to->last_packet_ns))
        return corrupt(fail, "a time cannot be");
    return take_lists(profile, from, fail);
}

static fc_err
take_counters(fc_profile *profile, const Fcpb__Profile *message, fc_fail *fail)
{
    bool seen[FC_COUNTER_COUNT] = {false};
    for (size_t i = 0; i < message->n_counters; i++) {
        const Fcpb__CounterValue *from = message->counters[i];
        if (from->id >= FC_COUNTER_COUNT)
            continue;
        if (!first_time(seen, from->id))
            return corrupt(fail, "a counter is there twice");
        profile->counters[from->id] = from->value;
    }
    return FC_OK;
}

static fc_err
take_sketch(fc_sketch *to, const Fcpb__SketchValue *from, fc_fail *fail)
{
    if (from->n_bucket_counts != from->n_bucket_deltas || from->n_bucket_counts > FC_SKETCH_BUCKETS ||
        from->n_bucket_counts == 0)
        return corrupt(fail, "a sketch has no buckets, too many, or not a count for each");
    uint64_t index = 0, total = 0;
    for (size_t i = 0; i < from->n_bucket_counts; i++) {
        index += from->bucket_deltas[i];
        if (index >= FC_SKETCH_BUCKETS || (i > 0 && from->bucket_deltas[i] == 0))
            return corrupt(fail, "a sketch's bucket is out of range or out of order");
        if (from->bucket_counts[i] == 0 || from->bucket_counts[i] > UINT32_MAX)
            return corrupt(fail, "a sketch's bucket has no count, or too high a one");
        to->buckets[index] = (uint32_t)from->bucket_counts[i];
        total += from->bucket_counts[i];
    }
    if (from->count < total || from->min > from->max || from->sum < from->max)
        return corrupt(fail, "a sketch's count, sum, minimum and maximum do not go together");
    to->count = from->count;
    to->sum = from->sum;
    to->min = from->min;
    to->max = from->max;
    return FC_OK;
}

static fc_err
take_sketches(fc_profile *profile, const Fcpb__Profile *message, fc_fail *fail)
{
    bool seen[FC_SKETCH_COUNT] = {false};
    for (size_t i = 0; i < message->n_sketches; i++) {
        const Fcpb__SketchValue *from = message->sketches[i];
        if (from->id >= FC_SKETCH_COUNT)
            continue;
        if (!first_time(seen, from->id))
            return corrupt(fail, "a sketch is there twice");
        fc_err err = take_sketch(&profile->sketches[from->id], from, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

static fc_err
take_series(fc_series *to, const Fcpb__SeriesValue *from, fc_fail *fail)
{
    if (from->width_s == 0 || from->width_s > 1u << 30 || (from->width_s & (from->width_s - 1)) != 0 ||
        from->bucket_count == 0 || from->bucket_count > FC_SERIES_BUCKETS)
        return corrupt(fail, "the width or the number of the series' buckets cannot be");
    if (from->start_unix_s < 0 || from->start_unix_s > FC_PROFILE_TIME_MAX / 1000000000 ||
        from->start_unix_s % from->width_s != 0)
        return corrupt(fail, "the series' start cannot be");
    to->start_s = from->start_unix_s;
    to->width_s = from->width_s;
    to->bucket_count = from->bucket_count;
    bool seen[FC_SERIES_COUNT] = {false};
    for (size_t i = 0; i < from->n_rows; i++) {
        const Fcpb__SeriesRow *row = from->rows[i];
        if (row->id >= FC_SERIES_COUNT)
            continue;
        if (!first_time(seen, row->id) || row->n_values > from->bucket_count)
            return corrupt(fail, "a row of the series is there twice or too long");
        if (row->n_values > 0)
            memcpy(to->rows[row->id], row->values, row->n_values * sizeof *row->values);
    }
    return FC_OK;
}

static fc_err
take_entries(fc_table *to, size_t count, Fcpb__TableEntry **entries, fc_fail *fail)
{
    if (count > to->capacity)
        return corrupt(fail, "a table has too many entries");
    for (size_t i = 0; i < count; i++) {
        const Fcpb__TableEntry *from = entries[i];
        if (!fc_clean_check(from->key, FC_TABLE_KEY_MAX + 1))
            return corrupt(fail, "a table's key is not printable or too long");
        if (from->error > from->count || !time_valid(from->first_unix_ns) || !time_valid(from->last_unix_ns))
            return corrupt(fail, "a table's entry has an error or a time that cannot be");
        fc_table_values values = {
            .count = from->count,
            .packets = from->packets,
            .bytes = from->bytes,
            .failed = from->failed,
            .latency_count = from->latency_count,
            .latency_sum_ns = from->latency_sum_ns,
            .latency_max_ns = from->latency_max_ns,
            .first_ns = from->first_unix_ns,
            .last_ns = from->last_unix_ns,
        };
        fc_table_add(to, from->key, &values);
        if (to->count != i + 1)
            return corrupt(fail, "a table has a key twice");
        to->entries[i].error = from->error;
    }
    fc_table_sort(to);
    return FC_OK;
}

static fc_err
take_tables(fc_profile *profile, const Fcpb__Profile *message, fc_fail *fail)
{
    bool seen[FC_TABLE_COUNT] = {false};
    for (size_t i = 0; i < message->n_tables; i++) {
        const Fcpb__TableValue *from = message->tables[i];
        if (from->id >= FC_TABLE_COUNT)
            continue;
        if (!first_time(seen, from->id))
            return corrupt(fail, "a table is there twice");
        profile->tables[from->id].evicted = from->evicted;
        fc_err err = take_entries(&profile->tables[from->id], from->n_entries, from->entries, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

static bool
take_address(fc_address *to, const ProtobufCBinaryData *from)
{
    if (from->len != 0 && from->len != 4 && from->len != 16)
        return false;
    to->family = from->len == 0 ? 0 : from->len == 4 ? 4 : 6;
    if (from->len > 0)
        memcpy(to->bytes, from->data, from->len);
    return true;
}

static fc_err
take_exemplar(fc_exemplar *to, const Fcpb__Exemplar *from, size_t file_count, fc_fail *fail)
{
    if (!time_valid(from->at_unix_ns) || (from->file >= file_count && from->file != FC_EXEMPLAR_NO_FILE))
        return corrupt(fail, "an exemplar has a time or a file that cannot be");
    if (from->protocol > UINT8_MAX || from->local_port > UINT16_MAX || from->remote_port > UINT16_MAX ||
        !take_address(&to->local, &from->local_address) || !take_address(&to->remote, &from->remote_address))
        return corrupt(fail, "an exemplar has a protocol, a port or an address that cannot be");
    if (!take_text(to->community_id, sizeof to->community_id, from->community_id) ||
        !take_text(to->detail, sizeof to->detail, from->detail))
        return corrupt(fail, "an exemplar has a text that is not printable or too long");
    to->at_ns = from->at_unix_ns;
    to->file = from->file;
    to->frame = from->frame;
    to->protocol = (uint8_t)from->protocol;
    to->local_port = (uint16_t)from->local_port;
    to->remote_port = (uint16_t)from->remote_port;
    to->value = from->value;
    return FC_OK;
}

static fc_err
take_trouble(fc_trouble *to, const Fcpb__TroubleValue *from, size_t file_count, fc_fail *fail)
{
    if (from->count == 0 || !time_valid(from->first_unix_ns) || !time_valid(from->last_unix_ns))
        return corrupt(fail, "a trouble has no count, or a time that cannot be");
    if (from->n_exemplars > FC_EXEMPLARS_MAX)
        return corrupt(fail, "a trouble has too many exemplars");
    to->count = from->count;
    to->first_ns = from->first_unix_ns;
    to->last_ns = from->last_unix_ns;
    fc_err err = take_entries(&to->details, from->n_details, from->details, fail);
    if (err == FC_OK)
        err = take_entries(&to->peers, from->n_peers, from->peers, fail);
    if (err != FC_OK || from->n_exemplars == 0)
        return err;
    to->exemplars = fc_alloc_array(FC_EXEMPLARS_MAX, sizeof *to->exemplars);
    for (size_t i = 0; i < from->n_exemplars; i++) {
        err = take_exemplar(&to->exemplars[i], from->exemplars[i], file_count, fail);
        if (err != FC_OK)
            return err;
        if (i > 0 && to->exemplars[i].at_ns < to->exemplars[i - 1].at_ns)
            return corrupt(fail, "exemplars are not in order of time");
        to->exemplar_count++;
    }
    return FC_OK;
}

static fc_err
take_troubles(fc_profile *profile, const Fcpb__Profile *message, fc_fail *fail)
{
    bool seen[FC_TROUBLE_COUNT] = {false};
    for (size_t i = 0; i < message->n_troubles; i++) {
        const Fcpb__TroubleValue *from = message->troubles[i];
        if (from->id >= FC_TROUBLE_COUNT)
            continue;
        if (!first_time(seen, from->id))
            return corrupt(fail, "a trouble is there twice");
        fc_err err = take_trouble(&profile->troubles[from->id], from, profile->subject.file_count, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

fc_err
fc_profile_unpack(const uint8_t *data, size_t size, fc_profile **ret_profile, fc_fail *fail)
{
    if (size > FC_PROFILE_PACKED_MAX)
        return corrupt(fail, "it is longer than a profile can be");
    Fcpb__Profile *message = fcpb__profile__unpack(NULL, size, data);
    if (message == NULL)
        return corrupt(fail, "it is not a message");
    fc_profile *profile = fc_profile_new();
    fc_err err = message->version == 0 ? corrupt(fail, "it has no version") : FC_OK;
    if (err == FC_OK && message->subject != NULL)
        err = take_subject(profile, message->subject, fail);
    if (err == FC_OK)
        err = take_counters(profile, message, fail);
    if (err == FC_OK)
        err = take_sketches(profile, message, fail);
    if (err == FC_OK && message->series != NULL)
        err = take_series(&profile->series, message->series, fail);
    if (err == FC_OK)
        err = take_tables(profile, message, fail);
    if (err == FC_OK)
        err = take_troubles(profile, message, fail);
    fcpb__profile__free_unpacked(message, NULL);
    if (err != FC_OK) {
        fc_profile_free(profile);
        return err;
    }
    *ret_profile = profile;
    return FC_OK;
}
