/* fleetcap fleet show, version */
#include "cli/capture_view.h"
#include "cli/completion.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000 };

static json_t *
fleet_json(const cli_fleet *fleet)
{
    json_t *counters = json_object();
    for (size_t i = 0; i < fleet->counter_count; i++)
        json_object_set_new(counters, fleet->counters[i].name,
                            json_integer((json_int_t)fleet->counters[i].value));
    json_t *tree = json_object();
    fc_json_set(tree, "fleet", fc_json_text(fleet->fleet_id));
    fc_json_set(tree, "coordinator", fc_json_text(fleet->coordinator));
    fc_json_set(tree, "version", fc_json_text(fleet->version));
    json_object_set_new(tree, "instanceCount", json_integer(fleet->instance_count));
    json_object_set_new(tree, "onlineCount", json_integer(fleet->online_count));
    json_object_set_new(tree, "regions", fc_json_texts(fleet->regions.items, fleet->regions.count));
    json_object_set_new(tree, "scaleSets", fc_json_texts(fleet->scale_sets.items, fleet->scale_sets.count));
    json_object_set_new(tree, "counters", counters);
    return tree;
}

static void
print_header(const cli_fleet *fleet)
{
    char *regions = cli_names_text(fleet->regions.items, fleet->regions.count, 16);
    char *scale_sets = cli_names_text(fleet->scale_sets.items, fleet->scale_sets.count, 16);
    char *coordinator = fc_sprintf("%s, version %s", fleet->coordinator, fleet->version);
    char *instances =
        fc_sprintf("%" PRIu32 ", %" PRIu32 " of them online", fleet->instance_count, fleet->online_count);
    fc_buf text = {0};
    cli_line(&text, "fleet", fleet->fleet_id);
    cli_line(&text, "coordinator", coordinator);
    cli_line(&text, "instances", instances);
    cli_line(&text, "regions", regions);
    cli_line(&text, "scale sets", scale_sets);
    fc_buf_printf(&text, "\n");
    cli_out_write(&text);
    fc_buf_fini(&text);
    free(coordinator);
    free(instances);
    free(regions);
    free(scale_sets);
}

static cli_table *
counters_table(const cli_fleet *fleet, bool all)
{
    static const cli_column columns[] = {
        {"COUNTER", 0, 0}, {"VALUE", CLI_RIGHT, 0}, {"MEANING", CLI_TRUNCATE, 0}};
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < fleet->counter_count; i++) {
        if (fleet->counters[i].value == 0 && !all)
            continue;
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", fleet->counters[i].name);
        cli_table_cell(table, 1, "%" PRIu64, fleet->counters[i].value);
        cli_table_cell(table, 2, "%s", fleet->counters[i].help);
    }
    return table;
}

fc_err
cli_fleet_show(cli_run *run, fc_fail *fail)
{
    cli_fleet fleet = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_fleet(run->session, timeout_ms, &fleet, fail);
    if (err != FC_OK)
        goto out;
    if (run->out.format == CLI_JSON)
        cli_out_json(fleet_json(&fleet), false);
    else {
        if (run->out.format == CLI_TABLE)
            print_header(&fleet);
        cli_out_table(&run->out, counters_table(&fleet, run->out.format == CLI_TSV));
    }
out:
    cli_fleet_fini(&fleet);
    return err;
}

fc_err
cli_completion(cli_run *run, fc_fail *fail)
{
    const char *shell = run->args.operands.items[0];
    fc_buf text = {0};
    if (strcmp(shell, "bash") == 0)
        cli_completion_bash(&text);
    else if (strcmp(shell, "zsh") == 0)
        cli_completion_zsh(&text);
    else
        return fc_fail_set(fail, FC_ERR_INVALID, "there is no completion for '%.32s': bash or zsh", shell);
    cli_out_write(&text);
    fc_buf_fini(&text);
    return FC_OK;
}

fc_err
cli_version(cli_run *run, fc_fail *fail)
{
    (void)fail;
    fc_buf text = {0};
    if (run->out.format == CLI_JSON)
        cli_out_json(json_pack("{s:s}", "version", FC_VERSION), false);
    else if (run->out.format == CLI_TSV)
        fc_buf_printf(&text, "version\n" FC_VERSION "\n");
    else
        fc_buf_printf(&text, "fleetcap " FC_VERSION "\n");
    cli_out_write(&text);
    fc_buf_fini(&text);
    return FC_OK;
}
