/* fleetcap instance remove */
#include "cli/rpc_admission.h"
#include "cli/rpc_fleet.h"
#include "cli/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000 };

static size_t
captures_going_on(const cli_statuses *statuses)
{
    size_t count = 0;
    for (size_t i = 0; i < statuses->count; i++)
        count += !fc_state_final(statuses->items[i].state);
    return count;
}

/* What the operator is about to do, in one sentence. Owned. */
static char *
question_text(const cli_run *run, const char *name, const cli_instance *instance)
{
    char *place = cli_run_place(run), *question = NULL;
    if (instance == NULL) {
        question = fc_sprintf(
            "Remove %s (context %s), which has never connected? Its certificates are revoked.", name, place);
    } else {
        size_t going_on = captures_going_on(&instance->captures);
        char *captures = cli_count_text(going_on, "capture");
        question = fc_sprintf(
            "Remove instance %s of scale set %s in region %s, which is %s (context %s)? Its "
            "certificates are revoked%s%s%s; files that it captured stay on it.",
            instance->name, instance->scale_set, instance->region, instance->online ? "online" : "offline",
            place, going_on > 0 ? ", " : "", going_on > 0 ? captures : "", going_on > 0 ? " on it end" : "");
        free(captures);
    }
    free(place);
    return question;
}

static fc_err
confirm_remove(const cli_run *run, const char *name, uint32_t timeout_ms, fc_fail *fail)
{
    cli_instance instance = {0};
    if (cli_args_has(&run->args, CLI_YES))
        return FC_OK;
    fc_err err = cli_rpc_instance(run->session, name, timeout_ms, &instance, fail);
    /* One that has enrolled, but never come, is not listed; the removal itself knows it, or says so. */
    if (err != FC_OK && err != FC_ERR_NOT_FOUND)
        return err;
    char *question = question_text(run, name, err == FC_OK ? &instance : NULL);
    bool yes = cli_confirm(question);
    free(question);
    cli_instance_fini(&instance);
    return yes ? FC_OK : fc_fail_set(fail, FC_ERR_CANCELLED, "instance %s was not removed", name);
}

static void
print_removed(const cli_run *run, const char *name, const cli_removed *removed)
{
    fc_buf text = {0};
    if (run->out.format == CLI_JSON) {
        json_t *tree = json_object();
        json_object_set_new(tree, "id", json_string(removed->id));
        cli_run_set_place(run, tree);
        json_object_set_new(tree, "certificatesRevoked", json_integer(removed->certificates_revoked));
        json_object_set_new(tree, "wasConnected", json_boolean(removed->was_connected));
        json_object_set_new(tree, "capturesEnded", json_integer(removed->captures_ended));
        json_object_set_new(tree, "doneBefore", json_boolean(removed->done_before));
        cli_out_json(tree, false);
        return;
    }
    if (run->out.format == CLI_TSV)
        fc_buf_printf(&text,
                      "id\tcertificates_revoked\twas_connected\tcaptures_ended\n%s\t%" PRIu32 "\t%s\t%" PRIu32
                      "\n",
                      removed->id, removed->certificates_revoked, removed->was_connected ? "yes" : "no",
                      removed->captures_ended);
    else {
        char *place = cli_run_place(run);
        char *certificates = cli_count_text(removed->certificates_revoked, "certificate");
        char *captures = cli_count_text(removed->captures_ended, "capture");
        if (removed->done_before)
            fc_buf_printf(
                &text,
                "Removed instance %s. The first answer was lost; what was revoked and ended is in the "
                "coordinator's audit log.\n",
                name);
        else
            fc_buf_printf(&text, "Removed instance %s: %s revoked, %s, %s ended.\n", name, certificates,
                          removed->was_connected ? "its connection closed" : "it was not connected",
                          captures);
        cli_line(&text, "id", removed->id);
        cli_line(&text, "context", place);
        free(place);
        free(certificates);
        free(captures);
    }
    cli_out_write(&text);
    fc_buf_fini(&text);
}

fc_err
cli_instance_remove(cli_run *run, fc_fail *fail)
{
    const char *name = run->args.operands.items[0];
    cli_removed removed = {0};
    uint32_t timeout_ms = 0;
    if (!fc_name_check(name))
        return fc_fail_set(fail, FC_ERR_INVALID, "\"%.80s\" cannot be an instance's id or name", name);
    fc_err err = cli_run_check_can_ask(run, "removing", name, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = confirm_remove(run, name, timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_instance_remove(run->session, name, cli_args_has(&run->args, CLI_FORCE), timeout_ms,
                                      &removed, fail);
    if (err == FC_OK)
        print_removed(run, name, &removed);
    return err;
}
