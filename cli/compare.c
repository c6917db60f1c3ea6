/* fleetcap compare: profiles side by side, from the fleet or from files. */
#include "cli/analyze_view.h"
#include "cli/compare_view.h"
#include "cli/evidence.h"
#include "cli/replace.h"
#include "cli/report/report.h"
#include "cli/run.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Is every operand on disk (or standard input)? Else one operand is the name of a capture. */
static fc_err
are_files(const fc_strings *operands, bool *ret_files, fc_fail *fail)
{
    for (size_t i = 0; i < operands->count; i++) {
        const char *operand = operands->items[i];
        struct stat status;
        bool there = strcmp(operand, "-") == 0 || stat(operand, &status) == 0;
        if (!there && operands->count == 1 && errno == ENOENT && fc_name_check(operand)) {
            *ret_files = false;
            return FC_OK;
        }
        if (!there && operands->count > 1 && errno == ENOENT)
            return fc_fail_set(
                fail, FC_ERR_NOT_FOUND,
                "%.150s: there is no such file, and captures of the fleet are compared one at a time",
                operand);
        if (!there)
            return fc_fail_errno(fail, errno, "%.150s", operand);
    }
    *ret_files = true;
    return FC_OK;
}

static fc_err
read_fail_on(const cli_args *args, fc_severity *ret_severity, fc_fail *fail)
{
    static const fc_severity choices[] = {FC_SEVERITY_WARNING, FC_SEVERITY_ERROR};
    const char *text = cli_args_text(args, CLI_FAIL_ON);
    for (size_t i = 0; text != NULL && i < FC_COUNT(choices); i++)
        if (strcmp(text, fc_severity_name(choices[i])) == 0) {
            *ret_severity = choices[i];
            return FC_OK;
        }
    return text == NULL
               ? FC_OK
               : fc_fail_set(fail, FC_ERR_INVALID, "--fail-on \"%.40s\" is not warning or error", text);
}

static fc_err
gather(cli_run *run, cli_evidence_set *evidence, fc_fail *fail)
{
    bool files = false;
    const fc_strings *operands = &run->args.operands;
    const cli_worker_wish wish = {0};
    fc_err err = are_files(operands, &files, fail);
    if (err == FC_OK)
        err = files ? cli_evidence_files(operands, &wish, evidence, fail)
                    : cli_evidence_fleet(run, operands->items[0], evidence, fail);
    /* No coordinator is known: most likely a file was meant. */
    if (err == FC_ERR_INVALID && !files && run->session == NULL) {
        fc_fail why = *fail;
        err = fc_fail_set(fail, FC_ERR_NOT_FOUND,
                          "%.60s: there is no such file; and for a capture of the fleet: %.180s",
                          operands->items[0], why.text);
    }
    if (err == FC_OK)
        err = cli_evidence_cohorts(evidence, &run->args.given[CLI_HEALTHY], &run->args.given[CLI_SUSPECT],
                                   fail);
    return err;
}

/* The command line again, as far as it matters to the result. Owned. */
static char *
command_text(const cli_args *args)
{
    fc_buf text = {0};
    fc_buf_printf(&text, "fleetcap compare");
    for (size_t i = 0; i < args->operands.count; i++)
        fc_buf_printf(&text, " %s", args->operands.items[i]);
    static const cli_option_id cohorts[] = {CLI_HEALTHY, CLI_SUSPECT};
    for (size_t c = 0; c < FC_COUNT(cohorts); c++)
        for (size_t i = 0; i < args->given[cohorts[c]].count; i++)
            fc_buf_printf(&text, " --%s %s", cli_options[cohorts[c]].name, args->given[cohorts[c]].items[i]);
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

static fc_err
write_report(const cli_args *args, const cli_evidence_set *evidence, const fc_comparison *comparison,
             const char *path, fc_fail *fail)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    char *command = command_text(args);
    cli_report_file *files = fc_alloc_array(evidence->file_count + 1, sizeof *files);
    for (size_t i = 0; i < evidence->file_count; i++) {
        const cli_evidence_file *file = &evidence->files[i];
        files[i] = (cli_report_file){file->item, file->name, file->size_bytes, file->sha256};
    }
    const cli_report report = {
        .comparison = comparison,
        .capture_name = evidence->capture_name,
        .capture_uid = evidence->capture_uid,
        .definition = evidence->definition,
        .filter = evidence->filter,
        .command = command,
        .created_ns = evidence->created_ns,
        .generated_ns = now.tv_sec * FC_NS_PER_S + now.tv_nsec,
        .files = files,
        .file_count = evidence->file_count,
    };
    fc_buf page = {0};
    cli_report_make(&page, &report);
    fc_err err = cli_replace_file("--html", path, &page, fail);
    fc_buf_fini(&page);
    free(files);
    free(command);
    return err;
}

static void
print_comparison(const cli_run *run, const cli_evidence_set *evidence, const fc_comparison *comparison,
                 const char *page)
{
    const bool everything = cli_args_has(&run->args, CLI_EVERYTHING);
    fc_buf text = {0};
    if (run->out.format == CLI_JSON) {
        json_t *tree = fc_comparison_to_json(comparison);
        json_object_set_new(tree, "notes", fc_json_texts(evidence->notes.items, evidence->notes.count));
        cli_out_json(tree, false);
        return;
    }
    if (run->out.format == CLI_TSV) {
        const fc_strings caveats = {.items = comparison->caveats, .count = comparison->caveat_count};
        cli_out_table(&run->out, cli_compare_table(comparison, everything, true));
        cli_aside(&run->out, &caveats);
        cli_aside(&run->out, &evidence->notes);
        return;
    }
    cli_compare_text(&run->out, comparison, everything, &text);
    cli_analyze_notes(&run->out, &evidence->notes, &text);
    if (page != NULL)
        fc_buf_printf(&text, "\nReport: %s\n", page);
    cli_out_write(&text);
    fc_buf_fini(&text);
}

fc_err
cli_compare(cli_run *run, fc_fail *fail)
{
    cli_evidence_set evidence = {0};
    fc_comparison *comparison = NULL;
    fc_severity fail_on = FC_SEVERITY_INFO;
    const char *page = cli_args_text(&run->args, CLI_HTML);
    fc_err err = read_fail_on(&run->args, &fail_on, fail);
    if (err == FC_OK)
        err = gather(run, &evidence, fail);
    if (err == FC_OK)
        err = cli_evidence_compare(&evidence, &comparison, fail);
    if (err != FC_OK)
        goto out;
    /* A page that cannot be written does not cost the answer. */
    if (page != NULL)
        err = write_report(&run->args, &evidence, comparison, page, fail);
    print_comparison(run, &evidence, comparison, err == FC_OK ? page : NULL);
    if (err == FC_OK)
        err = cli_evidence_verdict(&evidence, fail);
    if (err == FC_OK && fail_on != FC_SEVERITY_INFO && comparison->severity >= fail_on)
        err = fc_fail_set(fail, FC_ERR_RANGE, "there is a finding of severity %s, and --fail-on says %s",
                          fc_severity_name(comparison->severity), fc_severity_name(fail_on));
out:
    fc_comparison_free(comparison);
    cli_evidence_fini(&evidence);
    return err;
}
