/* fleetcap capture create */
#include "cli/capture_view.h"
#include "cli/capture_wait.h"
#include "cli/definition.h"
#include "cli/run.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* How long create waits for its answer, and then for the instances, unless --timeout says otherwise. */
enum { CREATE_TIMEOUT_MS = 30000 };

static void
warnings(const cli_created *created, fc_buf *text)
{
    for (size_t i = 0; i < created->warnings.count; i++) {
        char *safe = cli_safe_text(created->warnings.items[i]);
        fc_buf_printf(text, "warning: %s\n", safe);
        free(safe);
    }
}

static json_t *
created_json(const cli_run *run, const cli_created *created)
{
    json_t *tree = cli_capture_json(&created->capture);
    cli_run_set_place(run, tree);
    json_object_set_new(tree, "warnings", fc_json_texts(created->warnings.items, created->warnings.count));
    return tree;
}

/* ---- --dry-run ---- */

static cli_table *
resolved_table(const cli_created *created)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 0}, {"ID", 0, 0}, {"REGION", 0, 0}, {"ONLINE", 0, 0}};
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < created->instance_count; i++) {
        const cli_resolved *instance = &created->instances[i];
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", instance->name);
        cli_table_cell(table, 1, "%s", instance->id);
        cli_table_cell(table, 2, "%s", *instance->region != '\0' ? instance->region : "-");
        cli_table_cell(table, 3, "%s", instance->online ? "yes" : "no");
        cli_table_color(table, 3, instance->online ? NULL : "yellow");
    }
    return table;
}

static size_t
regions_of(const cli_created *created)
{
    fc_strings regions = {0};
    for (size_t i = 0; i < created->instance_count; i++)
        fc_strings_add_new(&regions, created->instances[i].region);
    size_t count = regions.count;
    fc_strings_fini(&regions);
    return count;
}

static void
show_dry_run(const cli_run *run, const fc_definition *definition, const cli_created *created)
{
    size_t online = 0;
    for (size_t i = 0; i < created->instance_count; i++)
        online += created->instances[i].online;
    if (run->out.format == CLI_JSON) {
        json_t *tree = created_json(run, created), *list = json_array();
        for (size_t i = 0; i < created->instance_count; i++) {
            const cli_resolved *instance = &created->instances[i];
            json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b}", "id", instance->id, "instance",
                                                  instance->name, "region", instance->region, "online",
                                                  instance->online));
        }
        json_object_set_new(tree, "instances", list);
        json_object_set_new(tree, "dryRun", json_true());
        cli_out_json(tree, false);
        return;
    }
    fc_buf text = {0};
    if (run->out.format == CLI_TABLE) {
        char *instances = cli_count_text(created->instance_count, "instance");
        char *regions = cli_count_text(regions_of(created), "region");
        char *place = cli_run_place(run);
        fc_buf_printf(&text, "Capture %s would run on %s in %s, %zu of them online.\n", definition->name,
                      instances, regions, online);
        cli_line(&text, "context", place);
        warnings(created, &text);
        cli_limits_text(definition, created->capture.compiled_filter, &text);
        fc_buf_printf(&text, "\n");
        cli_out_write(&text);
        free(instances);
        free(regions);
        free(place);
    }
    cli_out_table(&run->out, resolved_table(created));
    fc_buf_fini(&text);
}

/* ---- the real thing ---- */

/* What has become of it: said once, after waiting (or at once with --no-wait: then statuses is NULL). */
static void
show_created(const cli_run *run, const cli_created *created, const cli_statuses *statuses)
{
    const cli_capture *capture = &created->capture;
    char *instances = cli_count_text(capture->instance_count, "instance");
    char *regions = cli_count_text(capture->region_count, "region");
    char *place = cli_run_place(run);
    fc_buf text = {0};
    if (statuses == NULL)
        fc_buf_printf(&text, "Capture %s is accepted for %s in %s.\n", capture->name, instances, regions);
    else {
        cli_tally tally = cli_tally_of(statuses);
        char *states = cli_tally_text(&tally);
        fc_buf_printf(&text, "Capture %s on %s in %s: %s.\n", capture->name, instances, regions, states);
        free(states);
    }
    cli_line(&text, "context", place);
    warnings(created, &text);
    if (capture->has_definition)
        cli_limits_text(&capture->definition, capture->compiled_filter, &text);
    cli_out_write(&text);
    fc_buf_fini(&text);
    free(instances);
    free(regions);
    free(place);
}

/* Only those that a person has to look at. */
static void
show_troubled(const cli_run *run, const cli_statuses *statuses)
{
    cli_statuses troubled = {0};
    fc_buf text = {0};
    for (size_t i = 0; i < statuses->count; i++)
        if (statuses->items[i].state != FC_STATE_RUNNING && statuses->items[i].state != FC_STATE_STOPPED)
            cli_statuses_put(&troubled, &statuses->items[i]);
    if (troubled.count > 0) {
        fc_buf_printf(&text, "\n");
        cli_out_write(&text);
        cli_out_table(&run->out, cli_statuses_table(&troubled, NULL, false));
        cli_statuses_remarks(&troubled, &text);
        cli_out_write(&text);
    }
    fc_buf_fini(&text);
    cli_statuses_fini(&troubled);
}

static fc_err
await_start(cli_run *run, const cli_created *created, uint32_t timeout_ms, fc_fail *fail)
{
    cli_capture capture = {0};
    cli_statuses statuses = {0};
    const char *name = created->capture.name;
    fc_err err = cli_wait_for(run, name, CLI_GOAL_RUNNING, timeout_ms, &capture, &statuses, fail);
    /* A time that is over does not undo what was done: that is shown as well. */
    if (err != FC_OK && (err != FC_ERR_TIMEOUT || statuses.count == 0))
        goto out;
    cli_statuses_sort(&statuses);
    if (run->out.format == CLI_JSON) {
        json_t *tree = cli_capture_whole_json(&capture, &statuses, NULL);
        json_t *more = created_json(run, created);
        (void)json_object_update_missing(tree, more);
        json_decref(more);
        cli_out_json(tree, false);
    } else if (run->out.format == CLI_TSV)
        cli_out_table(&run->out, cli_statuses_table(&statuses, NULL, true));
    else {
        show_created(run, created, &statuses);
        show_troubled(run, &statuses);
    }
    if (err == FC_OK)
        err = cli_failed_instances(name, &statuses, fail);
out:
    cli_capture_fini(&capture);
    cli_statuses_fini(&statuses);
    return err;
}

static fc_err
create(cli_run *run, const fc_definition *definition, uint32_t timeout_ms, fc_fail *fail)
{
    bool dry_run = cli_args_has(&run->args, CLI_DRY_RUN);
    cli_created created = {0};
    fc_err err = cli_rpc_create(run->session, definition, dry_run, timeout_ms, &created, fail);
    if (err == FC_ERR_CANCELLED)
        err = fc_fail_set(
            fail, err,
            "interrupted before the coordinator answered: fleetcap capture show %s tells whether it runs",
            definition->name);
    if (err != FC_OK)
        goto out;
    if (dry_run)
        show_dry_run(run, definition, &created);
    else if (!cli_args_has(&run->args, CLI_NO_WAIT))
        err = await_start(run, &created, timeout_ms, fail);
    else if (run->out.format == CLI_JSON)
        cli_out_json(created_json(run, &created), false);
    else if (run->out.format == CLI_TSV)
        cli_out_table(&run->out, resolved_table(&created));
    else
        show_created(run, &created, NULL);
    if (err == FC_OK && !dry_run)
        cli_note(&run->out, "watch it with: fleetcap capture watch %s", definition->name);
out:
    cli_created_fini(&created);
    return err;
}

fc_err
cli_capture_create(cli_run *run, fc_fail *fail)
{
    fc_definition definition;
    uint32_t timeout_ms = 0;
    fc_err err = cli_definition_from_args(&run->args, fc_clock_wall(&fc_clock_system), &definition, fail);
    if (err != FC_OK)
        return err;
    err = cli_run_connect(run, CREATE_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = create(run, &definition, timeout_ms, fail);
    fc_definition_fini(&definition);
    return err;
}
