/* fleetcap context list|use|show|set */
#include "cli/context.h"
#include "cli/run.h"
#include "cli/table.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fc_err
load(cli_config *ret_config, fc_fail *fail)
{
    char *path = cli_config_path();
    fc_err err = cli_config_load(path, ret_config, fail);
    free(path);
    return err;
}

fc_err
cli_context_list(cli_run *run, fc_fail *fail)
{
    static const cli_column columns[] = {
        {"CURRENT", 0, 0},
        {"NAME", 0, 0},
        {"COORDINATOR", 0, 0},
        {"FLEET", 0, 0},
        {"CERTIFICATE", CLI_TRUNCATE, 1},
    };
    cli_config config = {0};
    fc_err err = load(&config, fail);
    if (err != FC_OK)
        return err;
    const json_t *current = json_object_get(config.tree, "current");
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    json_t *list = json_array();
    const char *name;
    json_t *context;
    json_object_foreach (json_object_get(config.tree, "contexts"), name, context) {
        bool is_current = current != NULL && strcmp(json_string_value(current), name) == 0;
        json_t *row = json_pack("{s:s,s:b}", "name", name, "current", is_current);
        (void)json_object_update(row, context);
        (void)json_array_append_new(list, row);
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", is_current ? "*" : "");
        cli_table_cell(table, 1, "%s", name);
        static const char *const keys[] = {"coordinator", "fleet", "certificate"};
        for (size_t i = 0; i < FC_COUNT(keys); i++) {
            const char *text = json_string_value(json_object_get(context, keys[i]));
            cli_table_cell(table, 2 + i, "%s", text != NULL ? text : "-");
        }
    }
    if (json_array_size(list) == 0)
        cli_note(&run->out, "%s has no context: add one with fleetcap context set NAME", config.path);
    if (run->out.format == CLI_JSON) {
        cli_out_json(list, false);
        cli_table_free(table);
    } else {
        json_decref(list);
        cli_out_table(&run->out, table);
    }
    cli_config_fini(&config);
    return FC_OK;
}

fc_err
cli_context_use(cli_run *run, fc_fail *fail)
{
    const char *name = run->args.operands.items[0];
    cli_config config = {0};
    cli_context context = {0};
    cli_args asked = {0};
    fc_err err = load(&config, fail);
    if (err != FC_OK)
        return err;
    /* Resolving it by name gives the sentence for a context that is not there. */
    fc_strings_add(&asked.given[CLI_CONTEXT], name);
    err = cli_context_resolve(&config, &asked, getenv, &context, fail);
    if (err == FC_OK) {
        json_object_set_new(config.tree, "current", json_string(name));
        err = cli_config_save(&config, fail);
    }
    if (err == FC_OK)
        cli_note(&run->out, "context %s is used from now on", name);
    cli_context_fini(&context);
    cli_args_fini(&asked);
    cli_config_fini(&config);
    return err;
}

fc_err
cli_context_show(cli_run *run, fc_fail *fail)
{
    static const cli_column columns[] = {{"VALUE", 0, 0}, {"FROM", 0, 0}, {"IS", 0, 0}};
    if (run->args.operands.count > 0)
        fc_strings_add(&run->args.given[CLI_CONTEXT], run->args.operands.items[0]);
    cli_config config = {0};
    cli_context context = {0};
    fc_err err = load(&config, fail);
    if (err == FC_OK)
        err = cli_context_resolve(&config, &run->args, getenv, &context, fail);
    if (err != FC_OK)
        goto out;
    json_t *tree = json_object();
    fc_json_set(tree, "name", fc_json_text(context.name));
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    cli_table_row(table);
    cli_table_cell(table, 0, "context");
    cli_table_cell(table, 1, "%s", context.name != NULL ? "" : "-");
    cli_table_cell(table, 2, "%s", context.name != NULL ? context.name : "none");
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++) {
        fc_json_set(tree, cli_value_sources[i].key, fc_json_text(context.values[i]));
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", cli_value_sources[i].key);
        cli_table_cell(table, 1, "%s", context.from[i] != NULL ? context.from[i] : "-");
        cli_table_cell(table, 2, "%s", context.values[i] != NULL ? context.values[i] : "-");
    }
    if (run->out.format == CLI_JSON) {
        cli_out_json(tree, false);
        cli_table_free(table);
    } else {
        json_decref(tree);
        cli_out_table(&run->out, table);
    }
out:
    cli_context_fini(&context);
    cli_config_fini(&config);
    return err;
}

/* What is typed is relative to where it is typed; the file keeps what stays true elsewhere. */
static char *
absolute_path(const char *path)
{
    char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *absolute = here != NULL ? fc_sprintf("%s/%s", here, path) : fc_strdup(path);
    free(here);
    return absolute;
}

static bool
is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    return colon != NULL && colon != text && fc_u64_parse(colon + 1, UINT16_MAX, &port) == FC_OK && port > 0;
}

static fc_err
apply_values(const cli_args *args, json_t *context, fc_fail *fail)
{
    size_t given = 0;
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++) {
        const cli_value_source *source = &cli_value_sources[i];
        cli_option_id option = i == CLI_VALUE_FLEET ? CLI_FLEET : source->option;
        const char *text = cli_args_text(args, option);
        if (text == NULL)
            continue;
        given++;
        if (*text == '\0') {
            (void)json_object_del(context, source->key);
            continue;
        }
        if (i == CLI_VALUE_FLEET && !fc_name_check(text))
            return fc_fail_set(fail, FC_ERR_INVALID, "--fleet \"%s\" is not a fleet's name", text);
        if (i == CLI_VALUE_COORDINATOR && !is_address(text))
            return fc_fail_set(fail, FC_ERR_INVALID, "--coordinator \"%.128s\" is not HOST:PORT", text);
        char *kept = source->is_path ? absolute_path(text) : fc_strdup(text);
        fc_err err = FC_OK;
        if (source->is_path && access(kept, R_OK) != 0)
            err = fc_fail_errno(fail, errno, "cannot read --%s %s", cli_options[option].name, text);
        else if (json_object_set_new(context, source->key, json_string(kept)) != 0)
            err =
                fc_fail_set(fail, FC_ERR_INVALID, "--%s \"%s\" is not UTF-8", cli_options[option].name, text);
        free(kept);
        if (err != FC_OK)
            return err;
    }
    return given > 0
               ? FC_OK
               : fc_fail_set(
                     fail, FC_ERR_INVALID,
                     "nothing to set: give --coordinator, --ca, --cert, --key, --server-name or --fleet");
}

fc_err
cli_context_set(cli_run *run, fc_fail *fail)
{
    const char *name = run->args.operands.items[0];
    if (!fc_name_check(name))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "\"%s\" cannot be a context's name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or "
            "digit",
            name);
    cli_config config = {0};
    fc_err err = load(&config, fail);
    if (err != FC_OK)
        return err;
    json_t *contexts = json_object_get(config.tree, "contexts");
    if (!json_is_object(contexts)) {
        contexts = json_object();
        json_object_set_new(config.tree, "contexts", contexts);
    }
    bool known = json_object_get(contexts, name) != NULL;
    if (!known)
        json_object_set_new(contexts, name, json_object());
    err = apply_values(&run->args, json_object_get(contexts, name), fail);
    if (err == FC_OK && json_object_get(config.tree, "current") == NULL)
        json_object_set_new(config.tree, "current", json_string(name));
    if (err == FC_OK)
        err = cli_config_save(&config, fail);
    if (err == FC_OK)
        cli_note(&run->out, "context %s %s in %s", name, known ? "changed" : "added", config.path);
    cli_config_fini(&config);
    return err;
}
