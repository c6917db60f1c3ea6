/* fleetcap capture stop and delete */
#include "cli/capture_view.h"
#include "cli/capture_wait.h"
#include "cli/definition.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STOP_WAIT_MS = 10000, DELETE_TIMEOUT_MS = 30000, NAMES_SHOWN = 5 };

/* ---- stop ---- */

typedef struct stopping {
    cli_run *run;
    cli_statuses statuses; /* one per instance capture */
    bool *acknowledged;    /* owned; beside statuses.items */
    bool many;             /* more than one capture may be stopped: lines name it */
} stopping;

static void
print_ack(const stopping *s, const cli_stop_ack *ack)
{
    const fc_status *status = ack->status;
    char *said = cli_status_text(status);
    char *who = s->many ? fc_sprintf("%s %s", ack->capture_name, status->instance_name)
                        : fc_strdup(status->instance_name);
    fc_buf text = {0};
    if (ack->acknowledged)
        fc_buf_printf(&text, "%-8s %s\n", who, said);
    else
        fc_buf_printf(&text, "%-8s %s\n", who,
                      status->connected ? "has not answered: it stops as soon as it can"
                                        : "is offline: it stops when it returns");
    cli_out_write(&text);
    fc_buf_fini(&text);
    free(who);
    free(said);
}

static void
on_ack(const cli_stop_ack *ack, void *user)
{
    stopping *s = user;
    size_t before = s->statuses.count;
    cli_statuses_put(&s->statuses, ack->status);
    if (s->statuses.count > before) {
        s->acknowledged = fc_grow_array(s->acknowledged, s->statuses.count, sizeof *s->acknowledged);
        s->acknowledged[before] = false;
    }
    for (size_t i = 0; i < s->statuses.count; i++)
        if (strcmp(s->statuses.items[i].instance_id, ack->status->instance_id) == 0 &&
            strcmp(s->statuses.items[i].capture_uid, ack->status->capture_uid) == 0)
            s->acknowledged[i] = s->acknowledged[i] || ack->acknowledged;
    if (s->run->out.format == CLI_TABLE && !cli_args_has(&s->run->args, CLI_NO_WAIT))
        print_ack(s, ack);
}

static size_t
answered(const stopping *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->statuses.count; i++)
        count += s->acknowledged[i];
    return count;
}

static size_t
regions_of(const cli_statuses *statuses)
{
    fc_strings regions = {0};
    for (size_t i = 0; i < statuses->count; i++)
        fc_strings_add_new(&regions, statuses->items[i].region);
    size_t count = regions.count;
    fc_strings_fini(&regions);
    return count;
}

static json_t *
stop_json(const stopping *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->statuses.count; i++) {
        json_t *status = cli_status_json(&s->statuses.items[i], NULL);
        json_object_set_new(status, "acknowledged", json_boolean(s->acknowledged[i]));
        json_array_append_new(list, status);
    }
    return json_pack("{s:s,s:s,s:I,s:I,s:o}", "context", cli_session_context(s->run->session), "fleet",
                     cli_session_fleet(s->run->session), "instanceCount", (json_int_t)s->statuses.count,
                     "acknowledgedCount", (json_int_t)answered(s), "instances", list);
}

static void
print_stop(const stopping *s)
{
    const cli_out *out = &s->run->out;
    if (out->format == CLI_JSON)
        cli_out_json(stop_json(s), false);
    else if (out->format == CLI_TSV)
        cli_out_table(out, cli_statuses_table(&s->statuses, NULL, true));
    else {
        char *place = cli_run_place(s->run);
        char *instances = cli_count_text(s->statuses.count, "instance capture");
        char *regions = cli_count_text(regions_of(&s->statuses), "region");
        fc_buf text = {0};
        if (s->statuses.count == 0)
            fc_buf_printf(&text, "Nothing to stop: no capture runs there.\n");
        else if (cli_args_has(&s->run->args, CLI_NO_WAIT))
            fc_buf_printf(&text, "Told %s in %s to stop.\n", instances, regions);
        else
            fc_buf_printf(&text, "%zu of %s in %s acknowledged the stop.\n", answered(s), instances, regions);
        cli_line(&text, "context", place);
        cli_out_write(&text);
        fc_buf_fini(&text);
        free(place);
        free(instances);
        free(regions);
    }
}

static fc_err
missing_acks(const stopping *s, fc_fail *fail)
{
    size_t total = s->statuses.count, missing = total - answered(s);
    if (missing == 0 || cli_args_has(&s->run->args, CLI_NO_WAIT))
        return FC_OK;
    char **names = fc_alloc_array(missing, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < total; i++)
        if (!s->acknowledged[i])
            names[count++] = s->statuses.items[i].instance_name;
    char *text = cli_names_text(names, count, NAMES_SHOWN);
    fc_err err = fc_fail_set(fail, missing == total ? FC_ERR_TIMEOUT : FC_ERR_PARTIAL,
                             "%zu of %zu instance captures did not acknowledge the stop in time: %s", missing,
                             total, text);
    free(text);
    free(names);
    return err;
}

static fc_err
stop_choice(const cli_args *args, cli_stop_choice *ret, fc_fail *fail)
{
    for (size_t i = 0; i < args->operands.count; i++)
        fc_strings_add(&ret->names, args->operands.items[i]);
    cli_args_list(args, CLI_NAME, &ret->names);
    cli_args_list(args, CLI_REGION, &ret->regions);
    cli_args_list(args, CLI_INSTANCE, &ret->instances);
    ret->scale_set = cli_args_text(args, CLI_SCALE_SET);
    ret->selector = cli_args_text(args, CLI_SELECTOR);
    ret->all = cli_args_has(args, CLI_ALL);
    for (size_t i = 0; i < ret->names.count; i++)
        if (!fc_name_check(ret->names.items[i]))
            return fc_fail_set(fail, FC_ERR_INVALID, "\"%.80s\" cannot be a capture's name",
                               ret->names.items[i]);
    fc_target target = {.scale_set = (char *)ret->scale_set,
                        .selector = (char *)ret->selector,
                        .regions = ret->regions,
                        .include = ret->instances};
    fc_err err = cli_target_check(&target, fail);
    if (err != FC_OK)
        return err;
    if (ret->all && ret->names.count > 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "--all and the capture %s exclude each other",
                           ret->names.items[0]);
    if (ret->names.count > 0 || ret->all)
        return FC_OK;
    if (ret->regions.count == 0 && ret->instances.count == 0 && ret->scale_set == NULL &&
        ret->selector == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "capture stop needs to know what: a capture's NAME, --all, --scale-set, --region, "
                           "--selector or --instance");
    /* Without a name the choice of instances is the choice: every capture on them. */
    ret->all = true;
    return FC_OK;
}

static bool
is_everything(const cli_stop_choice *choice)
{
    return choice->regions.count == 0 && choice->instances.count == 0 && choice->scale_set == NULL &&
           choice->selector == NULL;
}

fc_err
cli_capture_stop(cli_run *run, fc_fail *fail)
{
    cli_stop_choice choice = {0};
    stopping s = {.run = run};
    uint32_t wait_ms = 0;
    fc_err err = stop_choice(&run->args, &choice, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, STOP_WAIT_MS, &wait_ms, fail);
    if (err != FC_OK)
        goto out;
    if (cli_args_has(&run->args, CLI_NO_WAIT))
        wait_ms = 0;
    s.many = choice.names.count != 1;
    err = cli_rpc_stop(run->session, &choice, wait_ms, on_ack, &s, fail);
    /* An idle fleet is what "stop everything" wants. */
    if (err == FC_ERR_NOT_FOUND && cli_args_has(&run->args, CLI_ALL) && is_everything(&choice))
        err = FC_OK;
    if (err == FC_ERR_CANCELLED)
        err = fc_fail_set(fail, err,
                          "interrupted, but the stop was sent: fleetcap capture list shows what still runs");
    if (err != FC_OK)
        goto out;
    print_stop(&s);
    err = missing_acks(&s, fail);
out:
    cli_statuses_fini(&s.statuses);
    free(s.acknowledged);
    fc_strings_fini(&choice.names);
    fc_strings_fini(&choice.regions);
    fc_strings_fini(&choice.instances);
    return err;
}

/* ---- delete ---- */

static fc_err
confirm_delete(const cli_run *run, const cli_capture *capture, fc_fail *fail)
{
    if (cli_args_has(&run->args, CLI_YES))
        return FC_OK;
    char *instances = cli_count_text(capture->instance_count, "instance");
    char *regions = cli_count_text(capture->region_count, "region");
    char *place = cli_run_place(run);
    char *question = fc_sprintf(
        "Delete capture %s on %s in %s (context %s)? Its files on the instances are %s.", capture->name,
        instances, regions, place, cli_args_has(&run->args, CLI_DELETE_FILES) ? "DELETED too" : "kept");
    bool yes = cli_confirm(question);
    free(question);
    free(instances);
    free(regions);
    free(place);
    return yes ? FC_OK : fc_fail_set(fail, FC_ERR_CANCELLED, "capture %s was not deleted", capture->name);
}

static json_t *
deleted_json(const cli_run *run, const cli_capture *capture, const cli_deleted *deleted)
{
    json_t *tree = json_object();
    json_object_set_new(tree, "name", json_string(capture->name));
    cli_run_set_place(run, tree);
    json_object_set_new(tree, "instanceCount", json_integer(deleted->instance_count));
    json_object_set_new(tree, "regionCount", json_integer(capture->region_count));
    json_object_set_new(tree, "filesKept", json_integer(deleted->files_kept));
    json_object_set_new(tree, "filesDeleted", json_integer(deleted->files_deleted));
    json_object_set_new(tree, "unreachable",
                        fc_json_texts(deleted->unreachable.items, deleted->unreachable.count));
    json_object_set_new(tree, "doneBefore", json_boolean(deleted->done_before));
    return tree;
}

static void
print_deleted(const cli_run *run, const cli_capture *capture, const cli_deleted *deleted)
{
    fc_buf text = {0};
    if (run->out.format == CLI_JSON) {
        cli_out_json(deleted_json(run, capture, deleted), false);
        return;
    }
    if (run->out.format == CLI_TSV)
        fc_buf_printf(
            &text, "name\tinstances\tfiles_kept\tfiles_deleted\n%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\n",
            capture->name, deleted->instance_count, deleted->files_kept, deleted->files_deleted);
    else {
        char *place = cli_run_place(run);
        char *instances = cli_count_text(deleted->instance_count, "instance");
        char *regions = cli_count_text(capture->region_count, "region");
        char *kept = cli_count_text(deleted->files_kept, "file");
        if (deleted->done_before)
            fc_buf_printf(&text,
                          "Deleted capture %s. The first answer was lost, and with it the count of files.\n",
                          capture->name);
        else
            fc_buf_printf(&text, "Deleted capture %s on %s in %s: %s kept, %" PRIu32 " deleted.\n",
                          capture->name, instances, regions, kept, deleted->files_deleted);
        free(kept);
        cli_line(&text, "context", place);
        free(place);
        free(instances);
        free(regions);
    }
    cli_out_write(&text);
    fc_buf_fini(&text);
}

fc_err
cli_capture_delete(cli_run *run, fc_fail *fail)
{
    const char *name = NULL;
    uint32_t timeout_ms = 0;
    cli_capture capture = {0};
    cli_deleted deleted = {0};
    fc_err err = cli_name_of(&run->args, &name, fail);
    if (err == FC_OK)
        err = cli_run_check_can_ask(run, "deleting", name, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, DELETE_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_get(run->session, name, timeout_ms, &capture, fail);
    if (err == FC_OK)
        err = confirm_delete(run, &capture, fail);
    if (err == FC_OK)
        err = cli_rpc_delete(run->session, name, cli_args_has(&run->args, CLI_DELETE_FILES),
                             cli_args_has(&run->args, CLI_STOP), timeout_ms, &deleted, fail);
    if (err != FC_OK)
        goto out;
    print_deleted(run, &capture, &deleted);
    if (deleted.unreachable.count > 0) {
        char *names = cli_names_text(deleted.unreachable.items, deleted.unreachable.count, NAMES_SHOWN);
        err =
            fc_fail_set(fail, FC_ERR_PARTIAL, "%s could not be reached: told again when they return", names);
        free(names);
    }
out:
    fc_strings_fini(&deleted.unreachable);
    cli_capture_fini(&capture);
    return err;
}
