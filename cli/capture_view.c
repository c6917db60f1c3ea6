#include "cli/capture_view.h"

#include "cli/output.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- tallies ---- */

cli_tally
cli_tally_of(const cli_statuses *statuses)
{
    cli_tally tally = {.total = statuses->count};
    for (size_t i = 0; i < statuses->count; i++) {
        const fc_status *status = &statuses->items[i];
        if (status->state == FC_STATE_FAILED)
            tally.failed++;
        else if (status->state == FC_STATE_STOPPED)
            tally.stopped++;
        else if (!status->connected)
            tally.offline++;
        else if (status->state == FC_STATE_RUNNING || status->state == FC_STATE_STOPPING)
            tally.running++;
        else
            tally.waiting++;
    }
    return tally;
}

char *
cli_tally_text(const cli_tally *tally)
{
    fc_buf text = {0};
    cli_count_add(&text, tally->running, "running");
    cli_count_add(&text, tally->stopped, "stopped");
    cli_count_add(&text, tally->waiting, "starting");
    cli_count_add(&text, tally->offline, "offline");
    cli_count_add(&text, tally->failed, "failed");
    return cli_text_take(&text, "no instance");
}

char *
cli_states_text(const cli_capture *capture)
{
    fc_buf text = {0};
    for (int state = FC_STATE_NONE + 1; state < CLI_STATE_COUNT; state++)
        cli_count_add(&text, capture->states[state], fc_state_name((fc_state)state));
    return cli_text_take(&text, "no instance");
}

char *
cli_names_text(char *const *names, size_t name_count, size_t most)
{
    fc_buf text = {0};
    for (size_t i = 0; i < name_count && i < most; i++)
        fc_buf_printf(&text, "%s%s", i == 0 ? "" : i + 1 == name_count ? " and " : ", ", names[i]);
    if (name_count > most)
        fc_buf_printf(&text, " and %zu more", name_count - most);
    return cli_text_take(&text, "none");
}

/* ---- the header ---- */

/* Takes the value. */
static void
line(fc_buf *text, const char *label, char *value)
{
    cli_line(text, label, value);
    free(value);
}

static void
add_names(fc_buf *text, const char *what, const fc_strings *list)
{
    if (list->count == 0)
        return;
    char *names = cli_names_text(list->items, list->count, 8);
    fc_buf_printf(text, "%s%s %s", fc_buf_size(text) > 0 ? "; " : "", what, names);
    free(names);
}

static char *
target_text(const fc_target *target)
{
    fc_buf text = {0};
    if (target->scale_set != NULL)
        fc_buf_printf(&text, "scale set %s", target->scale_set);
    add_names(&text, "region", &target->regions);
    add_names(&text, "zone", &target->zones);
    add_names(&text, "only", &target->include);
    add_names(&text, "not", &target->exclude);
    if (target->selector != NULL)
        fc_buf_printf(&text, "%slabels %s", fc_buf_size(&text) > 0 ? "; " : "", target->selector);
    return cli_text_take(&text, "the whole fleet");
}

void
cli_limits_text(const fc_definition *definition, const char *compiled_filter, fc_buf *text)
{
    const fc_spec *spec = &definition->spec;
    if (compiled_filter != NULL)
        line(text, "filter",
             fc_strdup(*compiled_filter != '\0'    ? compiled_filter
                       : spec->include_own_traffic ? "none: every packet"
                                                   : "none: every packet but fleetcap's own"));
    char *packet = cli_bytes_text(spec->bytes_per_packet, "all");
    line(text, "per packet", packet);
    line(text, "per session", cli_bytes_text(spec->session_bytes, "no byte limit"));
    line(text, "time limit", cli_seconds_text(spec->time_limit_s));
    if (spec->packet_limit > 0)
        line(text, "packets", fc_sprintf("at most %" PRIu64 " per instance", spec->packet_limit));
    if (spec->ring_files > 0) {
        char *size = cli_bytes_text(spec->ring_file_bytes, NULL);
        line(text, "ring", fc_sprintf("%" PRIu32 " files of %s", spec->ring_files, size));
        free(size);
    }
    if (spec->interfaces.count > 0)
        line(text, "interfaces", cli_names_text(spec->interfaces.items, spec->interfaces.count, 8));
    if (spec->include_own_traffic)
        line(text, "own traffic", fc_strdup("captured as well"));
}

static void
governance_lines(const fc_governance *governance, fc_buf *text)
{
    char time[FC_TIME_TEXT_SIZE];
    if (governance->reason != NULL)
        line(text, "reason", fc_strdup(governance->reason));
    if (governance->owner != NULL)
        line(text, "owner", fc_strdup(governance->owner));
    if (governance->incident_id != NULL)
        line(text, "incident", fc_strdup(governance->incident_id));
    if (governance->delete_after_unix_s > 0 && governance->delete_after_unix_s < INT64_MAX / FC_NS_PER_S)
        line(text, "delete after",
             fc_strdup(fc_wall_text((fc_wall){governance->delete_after_unix_s * FC_NS_PER_S}, time)));
    fc_buf tags = {0};
    for (size_t i = 0; i < governance->tags.count; i++)
        fc_buf_printf(&tags, "%s%s=%s", i > 0 ? ", " : "", governance->tags.items[i].key,
                      governance->tags.items[i].value);
    if (fc_buf_size(&tags) > 0)
        line(text, "tags", fc_strdup(fc_buf_text(&tags)));
    fc_buf_fini(&tags);
}

static char *
totals_text(const fc_counters *totals)
{
    char size[FC_SIZE_TEXT];
    char *drops = cli_drops_text(totals), *rest = cli_not_written_text(totals);
    char *text = fc_sprintf("%" PRIu64 " packets, %s; dropped: %s; not written: %s", totals->written_packets,
                            fc_size_text(totals->written_bytes, size), drops, rest);
    free(drops);
    free(rest);
    return text;
}

void
cli_capture_header(const cli_capture *capture, fc_buf *text)
{
    char from[FC_TIME_TEXT_SIZE], to[FC_TIME_TEXT_SIZE];
    line(text, "capture", fc_strdup(capture->name));
    char *states = cli_states_text(capture);
    line(text, "state",
         fc_sprintf("%s (%s)%s", fc_state_name(capture->state), states,
                    capture->stop_requested ? ", stop requested" : ""));
    free(states);
    char *instances = cli_count_text(capture->instance_count, "instance");
    char *regions = cli_count_text(capture->region_count, "region");
    char *target = capture->has_definition ? target_text(&capture->definition.target) : fc_strdup("-");
    line(text, "targets", fc_sprintf("%s in %s: %s", instances, regions, target));
    free(instances);
    free(regions);
    free(target);
    if (capture->has_definition)
        cli_limits_text(&capture->definition, capture->compiled_filter, text);
    if (capture->start.ns != 0)
        line(text, "window",
             fc_sprintf("%s to %s", fc_wall_text(capture->start, from),
                        fc_wall_text(capture->window_end, to)));
    line(text, "totals", totals_text(&capture->totals));
    line(text, "created",
         fc_sprintf("%s%s%s", fc_wall_text(capture->created, from),
                    *capture->created_by != '\0' ? " by " : "", capture->created_by));
    if (capture->has_definition)
        governance_lines(&capture->definition.governance, text);
}

/* ---- instances ---- */

enum {
    C_INSTANCE,
    C_REGION,
    C_STATE,
    C_REASON,
    C_PACKETS,
    C_BYTES,
    C_DROPS,
    C_LAST,
    C_CLOCK,
    C_FIRST,
    C_NOT_WRITTEN,
    C_START,
    C_STOP,
    C_FILE,
    C_MATCHED,
    C_KERNEL,
    C_WRITER,
    C_INTERFACE,
    C_BEFORE,
    C_AFTER,
    C_UNACCOUNTED,
    C_OFFSET,
    C_BOUND,
    C_CONNECTED,
    C_ERROR,
};

// clang-format off
#define STATUS_COLUMNS                                                   \
    [C_REGION] = {"REGION", 0, 3},                                       \
    [C_STATE] = {"STATE", 0, 0},                                         \
    [C_REASON] = {"STOP REASON", CLI_WHEN_SET, 1},                       \
    [C_PACKETS] = {"PACKETS", CLI_RIGHT, 0},                             \
    [C_BYTES] = {"BYTES", CLI_RIGHT, 4},                                 \
    [C_DROPS] = {"DROPS", CLI_TABLE_ONLY, 0},                            \
    [C_LAST] = {"LAST PACKET", CLI_WHEN_SET, 2},                         \
    [C_CLOCK] = {"CLOCK", CLI_TABLE_ONLY | CLI_WHEN_SET, 5},             \
    [C_FIRST] = {"FIRST PACKET", CLI_WHEN_SET, 7},                       \
    [C_NOT_WRITTEN] = {"NOT WRITTEN", CLI_TABLE_ONLY | CLI_WHEN_SET, 6}, \
    [C_START] = {"START", CLI_WHEN_SET, 8},                              \
    [C_STOP] = {"STOP", CLI_WHEN_SET, 9},                                \
    [C_FILE] = {"FILE", CLI_WHEN_SET, 10},                               \
    [C_MATCHED] = {"MATCHED", CLI_TSV_ONLY, 0},                          \
    [C_KERNEL] = {"DROPPED KERNEL", CLI_TSV_ONLY, 0},                    \
    [C_WRITER] = {"DROPPED WRITER", CLI_TSV_ONLY, 0},                    \
    [C_INTERFACE] = {"INTERFACE DROPPED", CLI_TSV_ONLY, 0},              \
    [C_BEFORE] = {"DROPPED BEFORE START", CLI_TSV_ONLY, 0},              \
    [C_AFTER] = {"DROPPED AFTER STOP", CLI_TSV_ONLY, 0},                 \
    [C_UNACCOUNTED] = {"UNACCOUNTED", CLI_TSV_ONLY, 0},                  \
    [C_OFFSET] = {"CLOCK OFFSET NS", CLI_TSV_ONLY, 0},                   \
    [C_BOUND] = {"CLOCK BOUND NS", CLI_TSV_ONLY, 0},                     \
    [C_CONNECTED] = {"CONNECTED", CLI_TSV_ONLY, 0},                      \
    [C_ERROR] = {"ERROR", CLI_TSV_ONLY, 0},
static const cli_column instance_columns[] = {[C_INSTANCE] = {"INSTANCE", 0, 0}, STATUS_COLUMNS};
static const cli_column capture_columns[] = {[C_INSTANCE] = {"CAPTURE", 0, 0}, STATUS_COLUMNS};
// clang-format on

static void
set_owned(cli_table *table, size_t column, char *text)
{
    cli_table_cell(table, column, "%s", text);
    free(text);
}

static void
counter_cells(cli_table *table, const fc_counters *counters, bool exact)
{
    char size[FC_SIZE_TEXT];
    const struct {
        size_t column;
        uint64_t value;
    } cells[] = {
        {C_PACKETS, counters->written_packets},     {C_MATCHED, counters->matched_packets},
        {C_KERNEL, counters->dropped_kernel},       {C_WRITER, counters->dropped_writer},
        {C_INTERFACE, counters->interface_dropped}, {C_BEFORE, counters->dropped_before_start},
        {C_AFTER, counters->dropped_after_stop},
    };
    for (size_t i = 0; i < FC_COUNT(cells); i++)
        cli_table_cell(table, cells[i].column, "%" PRIu64, cells[i].value);
    cli_table_cell(table, C_UNACCOUNTED, "%" PRId64, fc_counters_unaccounted(counters));
    if (exact)
        cli_table_cell(table, C_BYTES, "%" PRIu64, counters->written_bytes);
    else
        cli_table_cell(table, C_BYTES, "%s", fc_size_text(counters->written_bytes, size));
    set_owned(table, C_DROPS, cli_drops_text(counters));
    if (counters->dropped_kernel + counters->dropped_writer > 0)
        cli_table_color(table, C_DROPS, "red");
    set_owned(table, C_NOT_WRITTEN, cli_not_written_text(counters));
}

static void
file_cell(cli_table *table, const fc_status *status)
{
    const fc_segment *newest =
        status->segment_count > 0 ? &status->segments[status->segment_count - 1] : NULL;
    const char *name = newest != NULL ? strrchr(newest->path, '/') : NULL;
    if (newest == NULL)
        cli_table_cell(table, C_FILE, "-");
    else if (status->directory != NULL && name != NULL)
        cli_table_cell(table, C_FILE, "%s%s", status->directory, name);
    else
        cli_table_cell(table, C_FILE, "%s", newest->path);
}

static void
status_row(cli_table *table, const fc_status *status, const cli_instance *instance, bool exact)
{
    const char *reason = fc_stop_reason_name(status->stop_reason);
    bool away = !status->connected && !fc_state_final(status->state);
    char time[FC_TIME_TEXT_SIZE];
    cli_table_row(table);
    cli_table_cell(table, C_REGION, "%s", *status->region != '\0' ? status->region : "-");
    cli_table_cell(table, C_STATE, "%s%s", fc_state_name(status->state), away && !exact ? " (offline)" : "");
    cli_table_color(table, C_STATE, cli_state_color(status->state));
    cli_table_cell(table, C_REASON, "%s", *reason != '\0' ? reason : "-");
    counter_cells(table, &status->counters, exact);
    cli_table_cell(table, C_LAST, "%s", fc_wall_text(status->last_packet, time));
    cli_table_cell(table, C_FIRST, "%s", fc_wall_text(status->first_packet, time));
    cli_table_cell(table, C_START, "%s", fc_wall_text(status->start, time));
    cli_table_cell(table, C_STOP, "%s", fc_wall_text(status->stop, time));
    set_owned(table, C_CLOCK,
              instance != NULL ? cli_clock_text(instance->clock_offset_ns, instance->clock_bound_ns)
                               : fc_strdup("-"));
    if (instance != NULL && instance->clock_bound_ns > 0) {
        cli_table_cell(table, C_OFFSET, "%" PRId64, instance->clock_offset_ns);
        cli_table_cell(table, C_BOUND, "%" PRId64, instance->clock_bound_ns);
    }
    file_cell(table, status);
    cli_table_cell(table, C_CONNECTED, "%s", status->connected ? "true" : "false");
    cli_table_cell(table, C_ERROR, "%s", status->error != NULL ? status->error : "");
}

cli_table *
cli_statuses_table(const cli_statuses *statuses, const cli_instances *instances, bool exact)
{
    cli_table *table = cli_table_new(instance_columns, FC_COUNT(instance_columns));
    for (size_t i = 0; i < statuses->count; i++) {
        const fc_status *status = &statuses->items[i];
        status_row(table, status,
                   instances != NULL ? cli_instances_find(instances, status->instance_id) : NULL, exact);
        cli_table_cell(table, C_INSTANCE, "%s", status->instance_name);
    }
    return table;
}

cli_table *
cli_instance_captures_table(const cli_statuses *captures, bool exact)
{
    cli_table *table = cli_table_new(capture_columns, FC_COUNT(capture_columns));
    for (size_t i = 0; i < captures->count; i++) {
        status_row(table, &captures->items[i], NULL, exact);
        cli_table_cell(table, C_INSTANCE, "%s", captures->items[i].capture_name);
    }
    return table;
}

char *
cli_status_text(const fc_status *status)
{
    char time[FC_TIME_TEXT_SIZE], size[FC_SIZE_TEXT];
    /* A stop that was asked for explains itself. */
    bool plain = status->stop_reason == FC_STOP_NONE || status->stop_reason == FC_STOP_STOP_REQUESTED;
    char *drops = cli_drops_text(&status->counters);
    char *text =
        fc_sprintf("%s %s%s%" PRIu64 " packets, %s, dropped %s, last %s", fc_state_name(status->state),
                   plain ? "" : fc_stop_reason_name(status->stop_reason), plain ? "" : ", ",
                   status->counters.written_packets, fc_size_text(status->counters.written_bytes, size),
                   drops, fc_wall_text(status->last_packet, time));
    free(drops);
    return text;
}

void
cli_statuses_remarks(const cli_statuses *statuses, fc_buf *text)
{
    for (size_t i = 0; i < statuses->count; i++) {
        const fc_status *status = &statuses->items[i];
        char from[FC_TIME_TEXT_SIZE], to[FC_TIME_TEXT_SIZE];
        if (status->error != NULL) {
            char *safe = cli_safe_text(status->error);
            fc_buf_printf(text, "%s: %s\n", status->instance_name, safe);
            free(safe);
        }
        for (size_t gap = 0; gap < status->gap_count; gap++)
            fc_buf_printf(text, "%s: nothing was watched from %s to %s\n", status->instance_name,
                          fc_wall_text(status->gaps[gap].from, from), fc_wall_text(status->gaps[gap].to, to));
        int64_t unaccounted = fc_counters_unaccounted(&status->counters);
        if (fc_state_final(status->state) && unaccounted != 0)
            fc_buf_printf(text, "%s: %" PRId64 " packets are not accounted for\n", status->instance_name,
                          unaccounted);
    }
}

json_t *
cli_status_json(const fc_status *status, const cli_instances *instances)
{
    json_t *tree = fc_status_to_json(status);
    json_object_set_new(tree, "instance", json_string(status->instance_name));
    const cli_instance *instance =
        instances != NULL ? cli_instances_find(instances, status->instance_id) : NULL;
    if (instance != NULL && instance->clock_bound_ns > 0) {
        json_object_set_new(tree, "clockOffsetNs", json_integer(instance->clock_offset_ns));
        json_object_set_new(tree, "clockBoundNs", json_integer(instance->clock_bound_ns));
    }
    return tree;
}

json_t *
cli_capture_whole_json(const cli_capture *capture, const cli_statuses *statuses,
                       const cli_instances *instances)
{
    json_t *tree = cli_capture_json(capture), *list = json_array();
    for (size_t i = 0; i < statuses->count; i++)
        json_array_append_new(list, cli_status_json(&statuses->items[i], instances));
    json_object_set_new(tree, "instances", list);
    return tree;
}
