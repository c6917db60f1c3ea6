/* fleetcap pki init|issue|revoke|show: the fleet's certificates, in a directory of this machine. */
#include "common/tls/pki.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/table.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_MAX = 36500 };

static const char *
directory_of(const cli_run *run)
{
    const char *given = cli_args_text(&run->args, CLI_PKI_DIR);
    return given != NULL && *given != '\0' ? given : "pki";
}

/* What was done, for a person or as JSON. Takes `tree`. */
static void
report(const cli_run *run, json_t *tree, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
report(const cli_run *run, json_t *tree, const char *format, ...)
{
    if (run->out.format == CLI_JSON) {
        cli_out_json(tree, false);
        return;
    }
    json_decref(tree);
    char *text = NULL;
    va_list list;
    va_start(list, format);
    if (vasprintf(&text, format, list) >= 0 && !run->out.quiet) {
        fc_buf line = {0};
        fc_buf_printf(&line, "%s\n", text);
        cli_out_write(&line);
        fc_buf_fini(&line);
    }
    va_end(list);
    free(text);
}

fc_err
cli_pki_init(cli_run *run, fc_fail *fail)
{
    const char *fleet = cli_args_text(&run->args, CLI_FLEET), *directory = directory_of(run);
    uint64_t days = FC_PKI_CA_DAYS;
    if (fleet == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "pki init needs the fleet's name: fleetcap pki init --fleet NAME");
    if (!fc_name_check(fleet))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "--fleet \"%.80s\" cannot be a fleet's name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a "
            "letter or digit",
            fleet);
    fc_err err = cli_args_number(&run->args, CLI_DAYS, 1, DAYS_MAX, &days, fail);
    if (err == FC_OK)
        err = fc_pki_init(directory, fleet, (uint32_t)days, fail);
    if (err == FC_OK)
        report(run, json_pack("{s:s,s:s}", "fleet", fleet, "directory", directory),
               "Made the certificate authority of fleet %s in %s: keep %s/ca.key safe.", fleet, directory,
               directory);
    return err;
}

/* What binds a node's certificate; nothing else can be bound. */
static fc_err
bound_name(const cli_args *args, cli_option_id id, fc_role role, const char **ret_name, fc_fail *fail)
{
    const char *name = cli_args_text(args, id);
    if (name == NULL)
        return FC_OK;
    if (role != FC_ROLE_NODE)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--%s \"%.80s\" binds a node's certificate, not one of role %s",
                           cli_options[id].name, name, fc_role_name(role));
    if (!fc_name_check(name))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "--%s \"%.80s\" cannot be bound: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
            cli_options[id].name, name);
    *ret_name = name;
    return FC_OK;
}

fc_err
cli_pki_issue(cli_run *run, fc_fail *fail)
{
    const char *role = run->args.operands.items[0], *name = run->args.operands.items[1];
    const char *directory = directory_of(run), *out = cli_args_text(&run->args, CLI_OUT);
    uint64_t days = FC_PKI_LEAF_DAYS;
    fc_strings dns = {0};
    fc_pki_request request = {.role = fc_role_parse(role), .name = name};
    if (request.role == FC_ROLE_NONE)
        return fc_fail_set(fail, FC_ERR_INVALID, "\"%.80s\" is not a role: node, operator or coordinator",
                           role);
    if (!fc_name_check(name))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "\"%.80s\" cannot be a name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit", name);
    fc_err err = cli_args_number(&run->args, CLI_DAYS, 1, DAYS_MAX, &days, fail);
    if (err == FC_OK)
        err = bound_name(&run->args, CLI_BIND_SCALE_SET, request.role, &request.scale_set, fail);
    if (err == FC_OK)
        err = bound_name(&run->args, CLI_BIND_REGION, request.role, &request.region, fail);
    if (err != FC_OK)
        return err;
    if (cli_args_has(&run->args, CLI_DNS) && request.role != FC_ROLE_COORDINATOR)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--dns \"%.80s\" is where a coordinator is reached; nobody dials one of role %s",
                           cli_args_text(&run->args, CLI_DNS), fc_role_name(request.role));
    cli_args_list(&run->args, CLI_DNS, &dns);
    request.dns_names = (const char *const *)dns.items;
    request.dns_name_count = dns.count;
    if (cli_args_has(&run->args, CLI_DAYS))
        request.not_after_unix_s = fc_clock_wall(&fc_clock_system).ns / FC_NS_PER_S + (int64_t)days * 86400;
    err = fc_pki_issue(directory, &request, out, fail);
    if (err == FC_OK) {
        char *certificate = fc_sprintf("%s/%s-%s.crt", out != NULL ? out : directory, role, name);
        char *key = fc_sprintf("%s/%s-%s.key", out != NULL ? out : directory, role, name);
        report(run,
               json_pack("{s:s,s:s,s:s,s:s}", "role", role, "name", name, "certificate", certificate, "key",
                         key),
               "Issued %s/%s: %s and its key %s.", role, name, certificate, key);
        free(certificate);
        free(key);
    }
    fc_strings_fini(&dns);
    return err;
}

fc_err
cli_pki_revoke(cli_run *run, fc_fail *fail)
{
    const char *target = run->args.operands.items[0], *directory = directory_of(run);
    uint32_t count = 0;
    fc_err err = fc_pki_revoke(directory, target, &count, fail);
    if (err != FC_OK)
        return err;
    char *certificates = cli_count_text(count, "certificate");
    report(run, json_pack("{s:s,s:I}", "target", target, "revoked", (json_int_t)count),
           "Revoked %s of %s: copy %s/crl.pem to the coordinator.", certificates, target, directory);
    free(certificates);
    return FC_OK;
}

static json_t *
entry_json(const fc_pki_entry *entry)
{
    json_t *tree = json_object();
    json_object_set_new(tree, "role", json_string(fc_role_name(entry->principal.role)));
    json_object_set_new(tree, "name", json_string(entry->principal.name));
    json_object_set_new(tree, "serial", json_string(entry->principal.serial));
    fc_json_set(tree, "notBefore", fc_json_time(entry->not_before));
    fc_json_set(tree, "notAfter", fc_json_time(entry->principal.not_after));
    json_object_set_new(tree, "revoked", json_boolean(entry->revoked));
    fc_json_set(tree, "revokedTime", fc_json_time(entry->revoked_at));
    return tree;
}

static cli_table *
entries_table(const fc_pki_entry *entries, size_t count)
{
    static const cli_column columns[] = {
        {"PRINCIPAL", 0, 0}, {"STATE", 0, 0}, {"NOT AFTER", 0, 0}, {"NOT BEFORE", 0, 2}, {"SERIAL", 0, 1},
    };
    fc_wall now = fc_clock_wall(&fc_clock_system);
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < count; i++) {
        const fc_pki_entry *entry = &entries[i];
        char principal[FC_PRINCIPAL_TEXT_SIZE], time[FC_TIME_TEXT_SIZE];
        bool expired = entry->principal.not_after.ns < now.ns;
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", fc_principal_text(&entry->principal, principal));
        cli_table_cell(table, 1, "%s", entry->revoked ? "revoked" : expired ? "expired" : "valid");
        cli_table_color(table, 1, entry->revoked ? "red" : expired ? "yellow" : NULL);
        cli_table_cell(table, 2, "%s", fc_wall_text(entry->principal.not_after, time));
        cli_table_cell(table, 3, "%s", fc_wall_text(entry->not_before, time));
        cli_table_cell(table, 4, "%s", entry->principal.serial);
    }
    return table;
}

fc_err
cli_pki_show(cli_run *run, fc_fail *fail)
{
    char fleet[FC_NAME_MAX + 1] = "";
    fc_pki_entry *entries = NULL;
    size_t count = 0;
    fc_err err = fc_pki_list(directory_of(run), fleet, &entries, &count, fail);
    if (err != FC_OK)
        return err;
    if (run->out.format == CLI_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, entry_json(&entries[i]));
        cli_out_json(json_pack("{s:s,s:o}", "fleet", fleet, "certificates", list), false);
    } else {
        if (run->out.format == CLI_TABLE) {
            fc_buf text = {0};
            cli_line(&text, "fleet", fleet);
            fc_buf_printf(&text, "\n");
            cli_out_write(&text);
            fc_buf_fini(&text);
        }
        cli_out_table(&run->out, entries_table(entries, count));
    }
    free(entries);
    return FC_OK;
}
