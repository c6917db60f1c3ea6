/* fleetcap instance list and show */
#include "cli/capture_view.h"
#include "cli/definition.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000 };

static char *
labels_text(const fc_labels *labels)
{
    fc_buf text = {0};
    for (size_t i = 0; i < labels->count; i++)
        fc_buf_printf(&text, "%s%s=%s", i > 0 ? "," : "", labels->items[i].key, labels->items[i].value);
    return cli_text_take(&text, "-");
}

static json_t *
instance_json(const cli_instance *instance)
{
    json_t *labels = json_object(), *tree = json_object();
    for (size_t i = 0; i < instance->labels.count; i++)
        json_object_set_new(labels, instance->labels.items[i].key,
                            fc_json_text(instance->labels.items[i].value));
    bool measured = instance->clock_bound_ns > 0;
    json_object_set_new(tree, "name", json_string(instance->name));
    json_object_set_new(tree, "id", json_string(instance->id));
    json_object_set_new(tree, "scaleSet", json_string(instance->scale_set));
    json_object_set_new(tree, "region", json_string(instance->region));
    json_object_set_new(tree, "zone", json_string(instance->zone));
    json_object_set_new(tree, "labels", labels);
    json_object_set_new(tree, "online", json_boolean(instance->online));
    fc_json_set(tree, "lastSeenTime", fc_json_time(instance->last_seen));
    fc_json_set(tree, "version", fc_json_text(instance->version));
    fc_json_set(tree, "address", fc_json_text(instance->address));
    fc_json_set(tree, "bootId", fc_json_text(instance->boot_id));
    json_object_set_new(tree, "clockOffsetNs",
                        measured ? json_integer(instance->clock_offset_ns) : json_null());
    json_object_set_new(tree, "clockBoundNs",
                        measured ? json_integer(instance->clock_bound_ns) : json_null());
    fc_json_set(tree, "roundTripNs", measured ? json_integer(instance->round_trip_ns) : json_null());
    return tree;
}

static int
compare_instances(const void *left, const void *right)
{
    const cli_instance *a = left, *b = right;
    if (a->online != b->online)
        return a->online ? 1 : -1;
    int by_name = strverscmp(a->name, b->name);
    return by_name != 0 ? by_name : strcmp(a->id, b->id);
}

static const char *
or_dash(const char *text)
{
    return *text != '\0' ? text : "-";
}

static cli_table *
instances_table(const cli_instances *instances)
{
    static const cli_column columns[] = {
        {"NAME", 0, 0},
        {"ID", 0, 6},
        {"SCALE SET", CLI_WHEN_SET, 1},
        {"REGION", 0, 0},
        {"ZONE", CLI_WHEN_SET, 5},
        {"ONLINE", 0, 0},
        {"LAST SEEN", 0, 2},
        {"CLOCK", CLI_TABLE_ONLY | CLI_WHEN_SET, 4},
        {"ADDRESS", 0, 3},
        {"VERSION", 0, 7},
        {"LABELS", CLI_WHEN_SET, 8},
        {"CLOCK OFFSET NS", CLI_TSV_ONLY, 0},
        {"CLOCK BOUND NS", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < instances->count; i++) {
        const cli_instance *instance = &instances->items[i];
        char time[FC_TIME_TEXT_SIZE];
        char *labels = labels_text(&instance->labels);
        char *clock = cli_clock_text(instance->clock_offset_ns, instance->clock_bound_ns);
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", instance->name);
        cli_table_cell(table, 1, "%s", instance->id);
        cli_table_cell(table, 2, "%s", or_dash(instance->scale_set));
        cli_table_cell(table, 3, "%s", or_dash(instance->region));
        cli_table_cell(table, 4, "%s", or_dash(instance->zone));
        cli_table_cell(table, 5, "%s", instance->online ? "yes" : "no");
        cli_table_color(table, 5, instance->online ? NULL : "red");
        cli_table_cell(table, 6, "%s", fc_wall_text(instance->last_seen, time));
        cli_table_cell(table, 7, "%s", clock);
        cli_table_cell(table, 8, "%s", or_dash(instance->address));
        cli_table_cell(table, 9, "%s", or_dash(instance->version));
        cli_table_cell(table, 10, "%s", labels);
        if (instance->clock_bound_ns > 0) {
            cli_table_cell(table, 11, "%" PRId64, instance->clock_offset_ns);
            cli_table_cell(table, 12, "%" PRId64, instance->clock_bound_ns);
        }
        free(labels);
        free(clock);
    }
    return table;
}

fc_err
cli_instance_list(cli_run *run, fc_fail *fail)
{
    fc_target target = {0};
    cli_instances instances = {0};
    uint32_t timeout_ms = 0;
    cli_target_from_args(&run->args, &target);
    fc_err err = cli_target_check(&target, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_instances(run->session, &target, timeout_ms, &instances, fail);
    if (err != FC_OK)
        goto out;
    if (instances.count > 1)
        qsort(instances.items, instances.count, sizeof *instances.items, compare_instances);
    if (run->out.format == CLI_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < instances.count; i++)
            json_array_append_new(list, instance_json(&instances.items[i]));
        cli_out_json(list, false);
    } else {
        cli_out_table(&run->out, instances_table(&instances));
        if (instances.count == 0)
            cli_note(&run->out, "no instance of fleet %s is chosen by that", cli_session_fleet(run->session));
    }
out:
    fc_target_fini(&target);
    cli_instances_fini(&instances);
    return err;
}

static void
print_instance(const cli_run *run, cli_instance *instance)
{
    char time[FC_TIME_TEXT_SIZE];
    char *labels = labels_text(&instance->labels);
    char *clock = cli_clock_text(instance->clock_offset_ns, instance->clock_bound_ns);
    fc_buf text = {0};
    const struct {
        const char *label, *value;
    } lines[] = {
        {"instance", instance->name},
        {"id", instance->id},
        {"scale set", or_dash(instance->scale_set)},
        {"region", or_dash(instance->region)},
        {"zone", or_dash(instance->zone)},
        {"labels", labels},
        {"online", instance->online ? "yes" : "no"},
        {"last seen", fc_wall_text(instance->last_seen, time)},
        {"address", or_dash(instance->address)},
        {"clock", clock},
        {"version", or_dash(instance->version)},
        {"boot id", or_dash(instance->boot_id)},
    };
    for (size_t i = 0; i < FC_COUNT(lines); i++)
        cli_line(&text, lines[i].label, lines[i].value);
    fc_buf_printf(&text, "\n");
    cli_out_write(&text);
    fc_buf_fini(&text);
    free(labels);
    free(clock);
    cli_out_table(&run->out, cli_instance_captures_table(&instance->captures, false));
}

fc_err
cli_instance_show(cli_run *run, fc_fail *fail)
{
    const char *name = run->args.operands.items[0];
    cli_instance instance = {0};
    uint32_t timeout_ms = 0;
    fc_err err = FC_OK;
    if (!fc_name_check(name))
        return fc_fail_set(fail, FC_ERR_INVALID, "\"%.80s\" cannot be an instance's id or name", name);
    err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_instance(run->session, name, timeout_ms, &instance, fail);
    if (err != FC_OK)
        return err;
    cli_statuses_sort(&instance.captures);
    if (run->out.format == CLI_JSON) {
        json_t *tree = instance_json(&instance), *list = json_array();
        for (size_t i = 0; i < instance.captures.count; i++)
            json_array_append_new(list, cli_status_json(&instance.captures.items[i], NULL));
        json_object_set_new(tree, "captures", list);
        cli_out_json(tree, false);
    } else if (run->out.format == CLI_TSV)
        cli_out_table(&run->out, cli_instance_captures_table(&instance.captures, true));
    else
        print_instance(run, &instance);
    cli_instance_fini(&instance);
    return FC_OK;
}
