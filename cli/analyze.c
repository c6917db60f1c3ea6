/* fleetcap analyze: what captures hold, without a fleet. */
#include "cli/analyze_view.h"
#include "cli/evidence.h"
#include "cli/replace.h"
#include "cli/run.h"

enum { ADDRESSES_MAX = 64 };

static fc_err
read_local(const cli_args *args, fc_address *addresses, size_t *ret_count, fc_fail *fail)
{
    fc_strings list = {0};
    fc_err err = FC_OK;
    size_t count = 0;
    cli_args_list(args, CLI_LOCAL, &list);
    for (size_t i = 0; i < list.count && err == FC_OK; i++)
        if (count == ADDRESSES_MAX)
            err = fc_fail_set(fail, FC_ERR_INVALID, "--local: more than %d addresses", ADDRESSES_MAX);
        else if (!fc_address_parse(list.items[i], &addresses[count++]))
            err = fc_fail_set(fail, FC_ERR_INVALID, "--local \"%.80s\" is not an IP address", list.items[i]);
    fc_strings_fini(&list);
    *ret_count = count;
    return err;
}

static fc_err
save_profile(const cli_evidence_set *evidence, const char *path, fc_fail *fail)
{
    if (evidence->count != 1)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--save-profile: these files are of %zu instances, and a profile is of one",
                           evidence->count);
    fc_buf whole = {0};
    const fc_buf *packed = &evidence->items[0].profile;
    fc_buf_append(&whole, CLI_PROFILE_MAGIC, CLI_PROFILE_MAGIC_SIZE);
    fc_buf_append(&whole, fc_buf_bytes(packed), fc_buf_size(packed));
    fc_err err = cli_replace_file("--save-profile", path, &whole, fail);
    fc_buf_fini(&whole);
    return err;
}

static void
print_json(const cli_evidence_set *evidence)
{
    json_t *tree = json_object(), *profiles = json_array();
    for (size_t i = 0; i < evidence->count; i++) {
        fc_profile *profile = cli_evidence_profile(&evidence->items[i]);
        if (profile != NULL)
            json_array_append_new(profiles, fc_profile_to_json(profile));
        fc_profile_free(profile);
    }
    json_object_set_new(tree, "profiles", profiles);
    if (evidence->conversations != NULL)
        json_object_set(tree, "conversations", evidence->conversations);
    if (evidence->dns != NULL)
        json_object_set(tree, "dns", evidence->dns);
    json_object_set_new(tree, "notes", fc_json_texts(evidence->notes.items, evidence->notes.count));
    cli_out_json(tree, false);
}

static void
print_text(const cli_out *out, const cli_evidence_set *evidence)
{
    fc_buf text = {0};
    cli_table *table = out->format == CLI_TSV ? cli_analyze_table() : NULL;
    for (size_t i = 0; i < evidence->count; i++) {
        fc_profile *profile = cli_evidence_profile(&evidence->items[i]);
        if (profile == NULL)
            continue;
        if (table != NULL) {
            cli_analyze_row(table, profile);
        } else {
            if (i > 0)
                fc_buf_printf(&text, "\n");
            cli_analyze_profile(out, profile, &text);
        }
        fc_profile_free(profile);
        cli_out_write(&text);
    }
    if (table != NULL)
        cli_out_table(out, table);
    fc_buf_fini(&text);
}

static void
print_rest(const cli_out *out, const cli_evidence_set *evidence)
{
    fc_buf text = {0};
    cli_analyze_rows(out, evidence->conversations, evidence->dns, &text);
    cli_analyze_notes(out, &evidence->notes, &text);
    cli_out_write(&text);
    fc_buf_fini(&text);
}

fc_err
cli_analyze(cli_run *run, fc_fail *fail)
{
    fc_address local[ADDRESSES_MAX];
    cli_evidence_set evidence = {0};
    const char *save = cli_args_text(&run->args, CLI_SAVE_PROFILE);
    cli_worker_wish wish = {.conversations = cli_args_has(&run->args, CLI_CONVERSATIONS),
                            .dns = cli_args_has(&run->args, CLI_QUESTIONS),
                            .local = local};
    fc_err err = read_local(&run->args, local, &wish.local_count, fail);
    if (err == FC_OK)
        err = cli_evidence_files(&run->args.operands, &wish, &evidence, fail);
    if (err == FC_OK && save != NULL)
        err = save_profile(&evidence, save, fail);
    if (err == FC_OK && run->out.format == CLI_JSON)
        print_json(&evidence);
    else if (err == FC_OK) {
        print_text(&run->out, &evidence);
        if (run->out.format == CLI_TABLE)
            print_rest(&run->out, &evidence);
        else
            cli_aside(&run->out, &evidence.notes);
    }
    if (err == FC_OK)
        err = cli_evidence_verdict(&evidence, fail);
    cli_evidence_fini(&evidence);
    return err;
}
