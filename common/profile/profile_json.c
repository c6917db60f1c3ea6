#include "common/base/json.h"
#include "common/profile/profile.h"

static void
set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static void
set_text(json_t *object, const char *key, const char *text)
{
    set(object, key, text == NULL || text[0] == '\0' ? json_null() : json_string(text));
}

static json_t *
subject_json(const fc_profile_subject *subject)
{
    json_t *json = json_object();
    set_text(json, "captureUid", subject->capture_uid);
    set_text(json, "captureName", subject->capture_name);
    set_text(json, "instanceId", subject->instance_id);
    set_text(json, "instanceName", subject->instance_name);
    set_text(json, "scaleSet", subject->scale_set);
    set_text(json, "region", subject->region);
    json_t *interfaces = json_array(), *files = json_array(), *addresses = json_array();
    for (size_t i = 0; i < subject->interface_count; i++)
        (void)json_array_append_new(interfaces, json_string(subject->interfaces[i]));
    for (size_t i = 0; i < subject->file_count; i++)
        (void)json_array_append_new(files, json_string(subject->files[i]));
    for (size_t i = 0; i < subject->local_address_count; i++) {
        char text[FC_ADDRESS_TEXT];
        (void)json_array_append_new(addresses,
                                    json_string(fc_address_text(&subject->local_addresses[i], text)));
    }
    set(json, "interfaces", interfaces);
    set(json, "files", files);
    set_text(json, "filter", subject->filter);
    set(json, "snaplenBytes", json_integer(subject->snaplen_bytes));
    set(json, "localAddresses", addresses);
    set(json, "start", fc_json_time((fc_wall){subject->start_ns}));
    set(json, "end", fc_json_time((fc_wall){subject->end_ns}));
    set(json, "firstPacket", fc_json_time((fc_wall){subject->first_packet_ns}));
    set(json, "lastPacket", fc_json_time((fc_wall){subject->last_packet_ns}));
    return json;
}

static json_t *
counters_json(const fc_profile *profile)
{
    json_t *json = json_object();
    for (size_t i = 0; i < FC_COUNTER_COUNT; i++)
        set(json, fc_counter_names[i].name, fc_json_number(profile->counters[i]));
    return json;
}

static json_t *
sketches_json(const fc_profile *profile)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};
    json_t *json = json_object();
    for (size_t i = 0; i < FC_SKETCH_COUNT; i++) {
        const fc_sketch *sketch = &profile->sketches[i];
        if (sketch->count == 0)
            continue;
        json_t *one = json_object();
        set(one, "unit", json_string(fc_sketch_names[i].unit));
        set(one, "count", fc_json_number(sketch->count));
        set(one, "sum", fc_json_number(sketch->sum));
        set(one, "min", fc_json_number(sketch->min));
        set(one, "max", fc_json_number(sketch->max));
        set(one, "mean", fc_json_number(fc_sketch_mean(sketch)));
        for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++)
            set(one, quantiles[q].name, fc_json_number(fc_sketch_quantile(sketch, quantiles[q].q)));
        set(json, fc_sketch_names[i].name, one);
    }
    return json;
}

static json_t *
series_json(const fc_series *series)
{
    if (series->width_s == 0)
        return json_null();
    json_t *json = json_object(), *rows = json_object();
    set(json, "start", fc_json_time((fc_wall){series->start_s * FC_NS_PER_S}));
    set(json, "widthSeconds", json_integer(series->width_s));
    set(json, "bucketCount", json_integer(series->bucket_count));
    for (size_t row = 0; row < FC_SERIES_COUNT; row++) {
        json_t *values = json_array();
        uint64_t any = 0;
        for (uint32_t i = 0; i < series->bucket_count; i++) {
            any |= series->rows[row][i];
            (void)json_array_append_new(values, fc_json_number(series->rows[row][i]));
        }
        if (any != 0)
            set(rows, fc_series_names[row].name, values);
        else
            json_decref(values);
    }
    set(json, "rows", rows);
    return json;
}

static json_t *
entries_json(const fc_table *from)
{
    json_t *json = json_array();
    for (size_t i = 0; i < from->count; i++) {
        const fc_table_entry *entry = &from->entries[i];
        const fc_table_values *sum = &entry->sum;
        json_t *one = json_object();
        set(one, "key", json_string(entry->key));
        set(one, "count", fc_json_number(sum->count));
        set(one, "error", fc_json_number(entry->error));
        set(one, "packets", fc_json_number(sum->packets));
        set(one, "bytes", fc_json_number(sum->bytes));
        set(one, "failed", fc_json_number(sum->failed));
        set(one, "latencyCount", fc_json_number(sum->latency_count));
        set(one, "latencySumNs", fc_json_number(sum->latency_sum_ns));
        set(one, "latencyMaxNs", fc_json_number(sum->latency_max_ns));
        set(one, "first", fc_json_time((fc_wall){sum->first_ns}));
        set(one, "last", fc_json_time((fc_wall){sum->last_ns}));
        (void)json_array_append_new(json, one);
    }
    return json;
}

static json_t *
tables_json(const fc_profile *profile)
{
    json_t *json = json_object();
    for (size_t i = 0; i < FC_TABLE_COUNT; i++) {
        if (profile->tables[i].count == 0)
            continue;
        json_t *one = json_object();
        set(one, "unit", json_string(fc_table_names[i].unit));
        set(one, "evicted", fc_json_number(profile->tables[i].evicted));
        set(one, "entries", entries_json(&profile->tables[i]));
        set(json, fc_table_names[i].name, one);
    }
    return json;
}

static json_t *
endpoint_json(const fc_address *address, uint16_t port)
{
    if (address->family == 0)
        return json_null();
    char text[FC_ADDRESS_TEXT];
    json_t *json = json_object();
    set(json, "address", json_string(fc_address_text(address, text)));
    set(json, "port", json_integer(port));
    return json;
}

static json_t *
exemplar_json(const fc_exemplar *exemplar, const fc_profile_subject *subject)
{
    json_t *json = json_object();
    fc_buf filter = {0};
    fc_exemplar_display_filter(exemplar, &filter);
    set(json, "at", fc_json_time((fc_wall){exemplar->at_ns}));
    set_text(json, "file", exemplar->file < subject->file_count ? subject->files[exemplar->file] : NULL);
    set(json, "frame", exemplar->frame == 0 ? json_null() : fc_json_number(exemplar->frame));
    set(json, "protocol", json_integer(exemplar->protocol));
    set(json, "local", endpoint_json(&exemplar->local, exemplar->local_port));
    set(json, "remote", endpoint_json(&exemplar->remote, exemplar->remote_port));
    set_text(json, "communityId", exemplar->community_id);
    set_text(json, "detail", exemplar->detail);
    set(json, "value", fc_json_number(exemplar->value));
    set_text(json, "displayFilter", fc_buf_text(&filter));
    fc_buf_fini(&filter);
    return json;
}

static json_t *
troubles_json(const fc_profile *profile)
{
    json_t *json = json_object();
    for (size_t i = 0; i < FC_TROUBLE_COUNT; i++) {
        const fc_trouble *trouble = &profile->troubles[i];
        const fc_trouble_name *name = &fc_trouble_names[i];
        if (trouble->count == 0)
            continue;
        json_t *one = json_object(), *exemplars = json_array();
        set(one, "count", fc_json_number(trouble->count));
        set(one, "of", fc_json_number(profile->counters[name->per]));
        set(one, "per", json_string(fc_counter_names[name->per].name));
        set(one, "severity", json_integer(name->severity));
        set(one, "first", fc_json_time((fc_wall){trouble->first_ns}));
        set(one, "last", fc_json_time((fc_wall){trouble->last_ns}));
        set(one, "details", entries_json(&trouble->details));
        set(one, "peers", entries_json(&trouble->peers));
        for (size_t e = 0; e < trouble->exemplar_count; e++)
            (void)json_array_append_new(exemplars, exemplar_json(&trouble->exemplars[e], &profile->subject));
        set(one, "exemplars", exemplars);
        set(json, name->name, one);
    }
    return json;
}

json_t *
fc_profile_to_json(const fc_profile *profile)
{
    json_t *json = json_object();
    set(json, "version", json_integer(FC_PROFILE_VERSION));
    set(json, "subject", subject_json(&profile->subject));
    set(json, "counters", counters_json(profile));
    set(json, "sketches", sketches_json(profile));
    set(json, "series", series_json(&profile->series));
    set(json, "tables", tables_json(profile));
    set(json, "troubles", troubles_json(profile));
    return json;
}
