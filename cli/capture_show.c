/* fleetcap capture list and show */
#include "cli/capture_view.h"
#include "cli/capture_wait.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000 };

static int
compare_captures(const void *left, const void *right)
{
    const cli_capture *a = left, *b = right;
    if (a->created.ns != b->created.ns)
        return a->created.ns > b->created.ns ? -1 : 1;
    return strcmp(a->name, b->name);
}

static cli_table *
captures_table(const cli_captures *captures, bool exact)
{
    static const cli_column columns[] = {
        {"NAME", 0, 0},
        {"STATE", 0, 0},
        {"INSTANCES", CLI_RIGHT, 0},
        {"REGIONS", CLI_RIGHT, 3},
        {"PACKETS", CLI_RIGHT, 0},
        {"BYTES", CLI_RIGHT, 1},
        {"DROPS", CLI_TABLE_ONLY, 0},
        {"CREATED", 0, 2},
        {"ENDS", CLI_WHEN_SET, 4},
        {"BY", CLI_WHEN_SET, 5},
        {"DROPPED KERNEL", CLI_TSV_ONLY, 0},
        {"DROPPED WRITER", CLI_TSV_ONLY, 0},
        {"INTERFACE DROPPED", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < captures->count; i++) {
        const cli_capture *capture = &captures->items[i];
        char time[FC_TIME_TEXT_SIZE], size[FC_SIZE_TEXT];
        char *drops = cli_drops_text(&capture->totals);
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", capture->name);
        cli_table_cell(table, 1, "%s", fc_state_name(capture->state));
        cli_table_color(table, 1, cli_state_color(capture->state));
        cli_table_cell(table, 2, "%" PRIu32, capture->instance_count);
        cli_table_cell(table, 3, "%" PRIu32, capture->region_count);
        cli_table_cell(table, 4, "%" PRIu64, capture->totals.written_packets);
        if (exact)
            cli_table_cell(table, 5, "%" PRIu64, capture->totals.written_bytes);
        else
            cli_table_cell(table, 5, "%s", fc_size_text(capture->totals.written_bytes, size));
        cli_table_cell(table, 6, "%s", drops);
        cli_table_cell(table, 7, "%s", fc_wall_text(capture->created, time));
        cli_table_cell(table, 8, "%s", fc_wall_text(capture->window_end, time));
        cli_table_cell(table, 9, "%s", capture->created_by);
        cli_table_cell(table, 10, "%" PRIu64, capture->totals.dropped_kernel);
        cli_table_cell(table, 11, "%" PRIu64, capture->totals.dropped_writer);
        cli_table_cell(table, 12, "%" PRIu64, capture->totals.interface_dropped);
        free(drops);
    }
    return table;
}

fc_err
cli_capture_list(cli_run *run, fc_fail *fail)
{
    cli_captures captures = {0};
    uint32_t timeout_ms = 0;
    bool active = cli_args_has(&run->args, CLI_ACTIVE);
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_list(run->session, active, timeout_ms, &captures, fail);
    if (err != FC_OK)
        goto out;
    if (captures.count > 1)
        qsort(captures.items, captures.count, sizeof *captures.items, compare_captures);
    if (run->out.format == CLI_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < captures.count; i++)
            json_array_append_new(list, cli_capture_json(&captures.items[i]));
        cli_out_json(list, false);
    } else {
        cli_out_table(&run->out, captures_table(&captures, run->out.format == CLI_TSV));
        if (captures.count == 0)
            cli_note(&run->out, "there is no %scapture in fleet %s", active ? "running " : "",
                     cli_session_fleet(run->session));
    }
out:
    cli_captures_fini(&captures);
    return err;
}

static void
print_whole(const cli_run *run, const cli_capture *capture, const cli_statuses *statuses,
            const cli_instances *instances)
{
    fc_buf text = {0};
    if (run->out.format == CLI_JSON) {
        cli_out_json(cli_capture_whole_json(capture, statuses, instances), false);
        return;
    }
    if (run->out.format == CLI_TABLE) {
        cli_capture_header(capture, &text);
        fc_buf_printf(&text, "\n");
        cli_out_write(&text);
    }
    cli_out_table(&run->out, cli_statuses_table(statuses, instances, run->out.format == CLI_TSV));
    if (run->out.format == CLI_TABLE) {
        cli_statuses_remarks(statuses, &text);
        cli_out_write(&text);
    }
    fc_buf_fini(&text);
}

fc_err
cli_capture_show(cli_run *run, fc_fail *fail)
{
    const char *name = NULL;
    uint32_t timeout_ms = 0;
    cli_capture capture = {0};
    cli_statuses statuses = {0};
    cli_instances instances = {0};
    fc_err err = cli_name_of(&run->args, &name, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_get(run->session, name, timeout_ms, &capture, fail);
    if (err == FC_OK)
        err = cli_rpc_statuses(run->session, name, timeout_ms, &statuses, fail);
    if (err != FC_OK)
        goto out;
    /* The clocks are the registry's; a capture can be shown without them. */
    if (capture.has_definition) {
        fc_fail ignored = {0};
        (void)!cli_rpc_instances(run->session, &capture.definition.target, timeout_ms, &instances, &ignored);
    }
    cli_statuses_sort(&statuses);
    print_whole(run, &capture, &statuses, &instances);
out:
    cli_capture_fini(&capture);
    cli_statuses_fini(&statuses);
    cli_instances_fini(&instances);
    return err;
}
