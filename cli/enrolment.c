/* fleetcap enrolment list, approve and deny */
#include "cli/rpc_admission.h"
#include "cli/run.h"
#include "cli/table.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000, KEY_SHOWN = 24 };

static const char *
or_dash(const char *text)
{
    return *text != '\0' ? text : "-";
}

static json_t *
enrolment_json(const cli_enrolment *enrolment)
{
    json_t *tree = json_object();
    fc_json_set(tree, "id", fc_json_text(enrolment->id));
    json_object_set_new(tree, "state", json_string(cli_enrolment_state_name(enrolment->state)));
    json_object_set_new(tree, "instanceId", json_string(enrolment->instance_id));
    json_object_set_new(tree, "name", json_string(enrolment->name));
    json_object_set_new(tree, "scaleSet", json_string(enrolment->scale_set));
    json_object_set_new(tree, "region", json_string(enrolment->region));
    const struct {
        const char *key, *text;
    } texts[] = {{"tokenId", enrolment->token_id},
                 {"address", enrolment->address},
                 {"keySha256", enrolment->key_sha256},
                 {"decidedBy", enrolment->decided_by}};
    for (size_t i = 0; i < FC_COUNT(texts); i++)
        if (*texts[i].text != '\0')
            fc_json_set(tree, texts[i].key, fc_json_text(texts[i].text));
    fc_json_set(tree, "requestedTime", fc_json_time(enrolment->requested));
    fc_json_set(tree, "decidedTime", fc_json_time(enrolment->decided));
    fc_json_set(tree, "certificateExpires", fc_json_time(enrolment->certificate_expires));
    return tree;
}

static const char *
state_color(cli_enrolment_state state)
{
    return state == CLI_ENROLMENT_PENDING ? "yellow" : state == CLI_ENROLMENT_DENIED ? "red" : NULL;
}

static cli_table *
enrolments_table(const cli_enrolments *enrolments)
{
    static const cli_column columns[] = {
        {"ID", 0, 2},
        {"STATE", 0, 0},
        {"INSTANCE", 0, 0},
        {"NAME", 0, 8},
        {"SCALE SET", 0, 3},
        {"REGION", 0, 4},
        {"ADDRESS", 0, 5},
        {"REQUESTED", 0, 6},
        {"TOKEN", 0, 10},
        {"DECIDED BY", CLI_WHEN_SET, 7},
        {"DECIDED", CLI_WHEN_SET, 11},
        {"CERTIFICATE EXPIRES", CLI_WHEN_SET, 9},
        {"KEY", CLI_TABLE_ONLY, 1}, /* what is to be compared: 96 bits are enough for people */
        {"KEY SHA256", CLI_TSV_ONLY, 0},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < enrolments->count; i++) {
        const cli_enrolment *enrolment = &enrolments->items[i];
        char time[FC_TIME_TEXT_SIZE];
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", enrolment->id);
        cli_table_cell(table, 1, "%s", cli_enrolment_state_name(enrolment->state));
        cli_table_color(table, 1, state_color(enrolment->state));
        cli_table_cell(table, 2, "%s", enrolment->instance_id);
        cli_table_cell(table, 3, "%s", or_dash(enrolment->name));
        cli_table_cell(table, 4, "%s", enrolment->scale_set);
        cli_table_cell(table, 5, "%s", enrolment->region);
        cli_table_cell(table, 6, "%s", or_dash(enrolment->address));
        cli_table_cell(table, 7, "%s", fc_wall_text(enrolment->requested, time));
        cli_table_cell(table, 8, "%s", or_dash(enrolment->token_id));
        cli_table_cell(table, 9, "%s", or_dash(enrolment->decided_by));
        cli_table_cell(table, 10, "%s", fc_wall_text(enrolment->decided, time));
        cli_table_cell(table, 11, "%s", fc_wall_text(enrolment->certificate_expires, time));
        cli_table_cell(table, 12, "%.*s", KEY_SHOWN, or_dash(enrolment->key_sha256));
        cli_table_cell(table, 13, "%s", or_dash(enrolment->key_sha256));
    }
    return table;
}

/* ---- list ---- */

/* Those that wait come first, the oldest of them at the top; of the others the newest. */
static int
compare_enrolments(const void *left, const void *right)
{
    const cli_enrolment *a = left, *b = right;
    bool a_waits = a->state == CLI_ENROLMENT_PENDING, b_waits = b->state == CLI_ENROLMENT_PENDING;
    if (a_waits != b_waits)
        return a_waits ? -1 : 1;
    if (a->requested.ns != b->requested.ns)
        return (a->requested.ns < b->requested.ns) == a_waits ? -1 : 1;
    return strcmp(a->id, b->id);
}

fc_err
cli_enrolment_list(cli_run *run, fc_fail *fail)
{
    bool all = cli_args_has(&run->args, CLI_ALL_PAST);
    cli_enrolments enrolments = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_enrolments(run->session, all, timeout_ms, &enrolments, fail);
    if (err != FC_OK)
        goto out;
    if (enrolments.count > 1)
        qsort(enrolments.items, enrolments.count, sizeof *enrolments.items, compare_enrolments);
    if (run->out.format == CLI_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < enrolments.count; i++)
            json_array_append_new(list, enrolment_json(&enrolments.items[i]));
        cli_out_json(list, false);
    } else {
        cli_out_table(&run->out, enrolments_table(&enrolments));
        if (enrolments.count == 0)
            cli_note(&run->out,
                     all ? "nothing has been enrolled in fleet %s" : "no enrolment waits in fleet %s",
                     cli_session_fleet(run->session));
    }
out:
    cli_enrolments_fini(&enrolments);
    return err;
}

/* ---- approve, deny ---- */

static void
print_decided(const cli_run *run, const cli_enrolment *enrolment, bool approve)
{
    if (run->out.format == CLI_JSON) {
        json_t *tree = enrolment_json(enrolment);
        cli_run_set_place(run, tree);
        cli_out_json(tree, false);
        return;
    }
    if (run->out.format == CLI_TSV) {
        cli_enrolments one = {.items = (cli_enrolment *)enrolment, .count = 1};
        cli_out_table(&run->out, enrolments_table(&one));
        return;
    }
    char *place = cli_run_place(run);
    fc_buf text = {0};
    char *id = cli_safe_text(enrolment->id);
    fc_buf_printf(&text, "%s enrolment %s: %s for scale set %s in region %s.\n",
                  approve ? "Approved" : "Denied", id, enrolment->instance_id, enrolment->scale_set,
                  enrolment->region);
    if (approve)
        fc_buf_printf(&text, "It gets its certificate when it asks again, in a few seconds.\n");
    cli_line(&text, "address", or_dash(enrolment->address));
    cli_line(&text, "key sha256", or_dash(enrolment->key_sha256));
    cli_line(&text, "context", place);
    cli_out_write(&text);
    fc_buf_fini(&text);
    free(place);
    free(id);
}

static fc_err
decide(cli_run *run, bool approve, fc_fail *fail)
{
    const char *id = run->args.operands.items[0];
    cli_enrolment enrolment = {0};
    uint32_t timeout_ms = 0;
    if (!fc_name_check(id))
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "\"%.80s\" cannot be the id of an enrolment or of an instance", id);
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_enrolment_decide(run->session, id, approve, timeout_ms, &enrolment, fail);
    if (err == FC_OK)
        print_decided(run, &enrolment, approve);
    cli_enrolment_fini(&enrolment);
    return err;
}

fc_err
cli_enrolment_approve(cli_run *run, fc_fail *fail)
{
    return decide(run, true, fail);
}

fc_err
cli_enrolment_deny(cli_run *run, fc_fail *fail)
{
    return decide(run, false, fail);
}
