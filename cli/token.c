/* fleetcap token create, list and revoke */
#include "cli/token.h"
#include "cli/capture_view.h"
#include "cli/rpc_fleet.h"
#include "cli/run.h"
#include "cli/table.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 30000, USES_DEFAULT = 1 };
#define TTL_DEFAULT_MS (3600ULL * 1000)

/* ---- what a token is now ---- */

const char *
cli_token_state(const cli_token *token, fc_wall now)
{
    if (token->revoked)
        return "revoked";
    if (token->expires.ns <= now.ns)
        return "expired";
    return token->used >= token->uses ? "used up" : "valid";
}

static json_t *
token_json(const cli_token *token)
{
    json_t *tree = json_object();
    json_object_set_new(tree, "id", json_string(token->id));
    json_object_set_new(tree, "scaleSet", json_string(token->scale_set));
    json_object_set_new(tree, "region", json_string(token->region));
    json_object_set_new(tree, "uses", json_integer(token->uses));
    json_object_set_new(tree, "used", json_integer(token->used));
    json_object_set_new(tree, "state", json_string(cli_token_state(token, fc_clock_wall(&fc_clock_system))));
    json_object_set_new(tree, "approval", json_boolean(token->approval));
    fc_json_set(tree, "createdTime", fc_json_time(token->created));
    fc_json_set(tree, "createdBy", fc_json_text(token->created_by));
    fc_json_set(tree, "expires", fc_json_time(token->expires));
    return tree;
}

/* ---- create ---- */

static fc_err
bound_name(const cli_args *args, cli_option_id id, const char *what, const char **ret_name, fc_fail *fail)
{
    const char *name = cli_args_text(args, id);
    if (name == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "token create needs --%s: a token lets instances into one scale set in one region",
                           cli_options[id].name);
    if (!fc_name_check(name))
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "--%s \"%.80s\" cannot be %s: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
            cli_options[id].name, name, what);
    *ret_name = name;
    return FC_OK;
}

fc_err
cli_token_wish_from_args(const cli_args *args, cli_token_wish *ret, fc_fail *fail)
{
    uint64_t uses = USES_DEFAULT, ttl_ms = TTL_DEFAULT_MS;
    cli_token_wish wish = {.approval = cli_args_has(args, CLI_APPROVAL)};
    fc_err err = bound_name(args, CLI_BIND_SCALE_SET, "a scale set", &wish.scale_set, fail);
    if (err == FC_OK)
        err = bound_name(args, CLI_BIND_REGION, "a region", &wish.region, fail);
    if (err == FC_OK)
        err = cli_args_number(args, CLI_USES, 1, CLI_TOKEN_USES_MAX, &uses, fail);
    if (err == FC_OK)
        err = cli_args_duration(args, CLI_TTL, &ttl_ms, fail);
    if (err != FC_OK)
        return err;
    if (ttl_ms < CLI_TOKEN_TTL_MIN_MS || ttl_ms > CLI_TOKEN_TTL_MAX_MS)
        return fc_fail_set(fail, FC_ERR_INVALID, "--%s \"%s\" is not a time between 1s and 30d",
                           cli_options[CLI_TTL].name, cli_args_text(args, CLI_TTL));
    wish.uses = (uint32_t)uses;
    wish.ttl_ms = ttl_ms;
    *ret = wish;
    return FC_OK;
}

static void
note_created(const cli_run *run, const cli_token *token)
{
    const cli_out *out = &run->out;
    char time[FC_TIME_TEXT_SIZE];
    char *place = cli_run_place(run), *uses = cli_count_text(token->uses, "instance");
    cli_note(out, "Token %s lets %s into scale set %s in region %s until %s%s.", token->id, uses,
             token->scale_set, token->region, fc_wall_text(token->expires, time),
             token->approval ? "; each waits for fleetcap enrolment approve" : "");
    cli_note(out, "%-12s %s", "context", place);
    cli_note(out, "It is shown this once. On the instance, as root; then paste it, and Ctrl-D:");
    cli_note(out, "fleetcap-node enroll --coordinator %s --token-file - && systemctl start fleetcap-node",
             cli_session_coordinator(run->session));
    free(place);
    free(uses);
}

char *
cli_token_place_note(const fc_strings *known, const char *what, const char *name)
{
    enum { NAMES_SHOWN = 10 };
    if (known->count == 0 || fc_strings_have(known, name))
        return NULL;
    char *names = cli_names_text(known->items, known->count, NAMES_SHOWN);
    char *note = fc_sprintf("no instance of %s '%s' is known yet; known: %s", what, name, names);
    free(names);
    return note;
}

static void
note_place(const cli_run *run, const fc_strings *known, const char *what, const char *name)
{
    char *note = cli_token_place_note(known, what, name);
    if (note != NULL)
        cli_note(&run->out, "%s", note);
    free(note);
}

/* With a misspelt scale set instances would join one of that name. It may be a new one as well: only a note,
 * and none when the fleet cannot be asked. */
static void
note_unknown_place(const cli_run *run, const cli_token_wish *wish)
{
    enum { ASK_TIMEOUT_MS = 5000 };
    cli_fleet fleet = {0};
    fc_fail unused = {0};
    if (!run->out.quiet && run->out.err_is_tty &&
        cli_rpc_fleet(run->session, ASK_TIMEOUT_MS, &fleet, &unused) == FC_OK) {
        note_place(run, &fleet.scale_sets, "scale set", wish->scale_set);
        note_place(run, &fleet.regions, "region", wish->region);
    }
    cli_fleet_fini(&fleet);
}

static void
print_created(const cli_run *run, const cli_token *token, const char *text)
{
    static const cli_column columns[] = {{"TOKEN", 0, 0},   {"ID", 0, 0},   {"SCALE SET", 0, 0},
                                         {"REGION", 0, 0},  {"USES", 0, 0}, {"EXPIRES", 0, 0},
                                         {"APPROVAL", 0, 0}};
    if (run->out.format == CLI_JSON) {
        json_t *tree = json_object(), *rest = token_json(token);
        json_object_set_new(tree, "token", json_string(text));
        json_object_update(tree, rest);
        json_decref(rest);
        cli_run_set_place(run, tree);
        cli_out_json(tree, false);
    } else if (run->out.format == CLI_TSV) {
        char time[FC_TIME_TEXT_SIZE];
        cli_table *table = cli_table_new(columns, FC_COUNT(columns));
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", text);
        cli_table_cell(table, 1, "%s", token->id);
        cli_table_cell(table, 2, "%s", token->scale_set);
        cli_table_cell(table, 3, "%s", token->region);
        cli_table_cell(table, 4, "%" PRIu32, token->uses);
        cli_table_cell(table, 5, "%s", fc_wall_text(token->expires, time));
        cli_table_cell(table, 6, "%s", token->approval ? "yes" : "no");
        cli_out_table(&run->out, table);
    } else {
        /* The token alone, so that `$(…)` takes it. */
        fc_buf line = {0};
        fc_buf_printf(&line, "%s\n", text);
        cli_out_write(&line);
        fc_buf_fini(&line);
        note_created(run, token);
    }
}

fc_err
cli_token_create(cli_run *run, fc_fail *fail)
{
    cli_token_wish wish = {0};
    cli_token token = {0};
    char text[FC_TOKEN_TEXT_SIZE] = "";
    uint32_t timeout_ms = 0;
    fc_err err = cli_token_wish_from_args(&run->args, &wish, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        note_unknown_place(run, &wish);
    if (err == FC_OK)
        err = cli_rpc_token_create(run->session, &wish, timeout_ms, &token, text, fail);
    if (err == FC_OK)
        print_created(run, &token, text);
    explicit_bzero(text, sizeof text);
    cli_token_fini(&token);
    return err;
}

/* ---- list ---- */

static int
compare_tokens(const void *left, const void *right)
{
    const cli_token *a = left, *b = right;
    if (a->created.ns != b->created.ns)
        return a->created.ns > b->created.ns ? -1 : 1;
    return strcmp(a->id, b->id);
}

static cli_table *
tokens_table(const cli_tokens *tokens)
{
    static const cli_column columns[] = {
        {"ID", 0, 0},           {"STATE", 0, 0},        {"SCALE SET", 0, 0}, {"REGION", 0, 0},
        {"USED", CLI_RIGHT, 0}, {"USES", CLI_RIGHT, 0}, {"EXPIRES", 0, 1},   {"APPROVAL", 0, 2},
        {"CREATED BY", 0, 3},   {"CREATED", 0, 4},
    };
    fc_wall now = fc_clock_wall(&fc_clock_system);
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < tokens->count; i++) {
        const cli_token *token = &tokens->items[i];
        const char *state = cli_token_state(token, now);
        char time[FC_TIME_TEXT_SIZE];
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", token->id);
        cli_table_cell(table, 1, "%s", state);
        cli_table_color(table, 1, token->revoked ? "red" : strcmp(state, "valid") == 0 ? NULL : "yellow");
        cli_table_cell(table, 2, "%s", token->scale_set);
        cli_table_cell(table, 3, "%s", token->region);
        cli_table_cell(table, 4, "%" PRIu32, token->used);
        cli_table_cell(table, 5, "%" PRIu32, token->uses);
        cli_table_cell(table, 6, "%s", fc_wall_text(token->expires, time));
        cli_table_cell(table, 7, "%s", token->approval ? "yes" : "no");
        cli_table_cell(table, 8, "%s", token->created_by);
        cli_table_cell(table, 9, "%s", fc_wall_text(token->created, time));
    }
    return table;
}

fc_err
cli_token_list(cli_run *run, fc_fail *fail)
{
    bool all = cli_args_has(&run->args, CLI_ALL_PAST);
    cli_tokens tokens = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_tokens(run->session, all, timeout_ms, &tokens, fail);
    if (err != FC_OK)
        goto out;
    if (tokens.count > 1)
        qsort(tokens.items, tokens.count, sizeof *tokens.items, compare_tokens);
    if (run->out.format == CLI_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < tokens.count; i++)
            json_array_append_new(list, token_json(&tokens.items[i]));
        cli_out_json(list, false);
    } else {
        cli_out_table(&run->out, tokens_table(&tokens));
        if (tokens.count == 0)
            cli_note(&run->out, "fleet %s has no %stoken", cli_session_fleet(run->session),
                     all ? "" : "valid ");
    }
out:
    cli_tokens_fini(&tokens);
    return err;
}

/* ---- revoke ---- */

static void
print_revoked(const cli_run *run, const cli_token *token)
{
    if (run->out.format == CLI_JSON) {
        json_t *tree = token_json(token);
        cli_run_set_place(run, tree);
        cli_out_json(tree, false);
    } else if (run->out.format == CLI_TSV)
        cli_out_table(&run->out, tokens_table(&(cli_tokens){.items = (cli_token *)token, .count = 1}));
    else {
        char *place = cli_run_place(run);
        fc_buf text = {0};
        fc_buf_printf(
            &text, "Revoked token %s of scale set %s in region %s: used %" PRIu32 " times of %" PRIu32 ".\n",
            token->id, token->scale_set, token->region, token->used, token->uses);
        fc_buf_printf(&text,
                      "Instances that are in already stay: fleetcap instance remove takes them out.\n");
        cli_line(&text, "context", place);
        cli_out_write(&text);
        fc_buf_fini(&text);
        free(place);
    }
}

/* The sentence does not repeat the text, which may be (most of) a secret. */
fc_err
cli_token_id(const char *text, char ret_id[FC_TOKEN_ID_LENGTH + 1], fc_fail *fail)
{
    uint8_t bytes[FC_TOKEN_ID_LENGTH / 2];
    fc_token token = {0};
    fc_fail unused = {0};
    if (fc_hex_parse(text, bytes, sizeof bytes) == FC_OK)
        (void)strcpy(ret_id, text);
    else if (fc_token_parse(text, &token, &unused) == FC_OK)
        (void)strcpy(ret_id, token.id);
    else
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "that is neither a token nor a token's id, which has %d hexadecimal digits (see fleetcap "
            "token list --all)",
            FC_TOKEN_ID_LENGTH);
    fc_token_wipe(&token);
    return FC_OK;
}

fc_err
cli_token_revoke(cli_run *run, fc_fail *fail)
{
    char id[FC_TOKEN_ID_LENGTH + 1];
    cli_token token = {0};
    uint32_t timeout_ms = 0;
    fc_err err = cli_token_id(run->args.operands.items[0], id, fail);
    if (err != FC_OK)
        return err;
    err = cli_run_connect(run, ANSWER_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_token_revoke(run->session, id, timeout_ms, &token, fail);
    if (err == FC_OK)
        print_revoked(run, &token);
    cli_token_fini(&token);
    return err;
}
