/* findings.c: the verdict, who stands out, and why. */
#include "cli/report/html.h"
#include "cli/report/view.h"
#include "common/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
caveat_list(fc_buf *out, char *const *caveats, size_t count)
{
    if (count == 0)
        return;
    cli_html(out, "<ul class=\"caveats\">\n");
    for (size_t i = 0; i < count; i++)
        cli_html(out, "<li>%s</li>\n", caveats[i]);
    cli_html(out, "</ul>\n");
}

static size_t
count_standing(const fc_comparison *c, fc_standing standing)
{
    size_t count = 0;
    for (size_t i = 0; i < c->instance_count; i++)
        count += c->standings[i] == standing;
    return count;
}

static void
tally(fc_buf *out, const char *what, size_t count)
{
    char text[CLI_REPORT_TEXT];
    cli_html(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", what, cli_report_count(count, text));
}

void
cli_report_verdict(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    cli_html(out, "<section class=\"verdict %s\" aria-labelledby=\"verdict\">\n",
             fc_severity_name(c->severity));
    cli_report_severity(out, c->severity);
    cli_html(out, "<h1 id=\"verdict\">%s</h1>\n<dl class=\"tally\">\n", c->verdict);
    tally(out, "instances", c->instance_count);
    tally(out, "outliers", count_standing(c, FC_STANDING_OUTLIER));
    tally(out, "not trusted", count_standing(c, FC_STANDING_UNTRUSTED));
    tally(out, "absent", count_standing(c, FC_STANDING_ABSENT));
    if (count_standing(c, FC_STANDING_NOT_COMPARED) > 0)
        tally(out, "not compared", count_standing(c, FC_STANDING_NOT_COMPARED));
    tally(out, "findings", c->finding_count);
    cli_html(out, "</dl>\n");
    if (c->window_end_ns > c->window_start_ns && c->window_start_ns > 0) {
        char text[CLI_REPORT_TEXT];
        cli_html(out, "<p class=\"muted\">Window common to all: ");
        cli_html_time(out, c->window_start_ns);
        cli_html(out, " to ");
        cli_html_time(out, c->window_end_ns);
        cli_html(out, " (%s)</p>\n",
                 cli_report_duration((double)(c->window_end_ns - c->window_start_ns), text));
    }
    if (c->caveat_count > 0)
        cli_html(out, "<h2 class=\"small\">To keep in mind</h2>\n");
    caveat_list(out, c->caveats, c->caveat_count);
    cli_html(out, "</section>\n");
}

static void
group_row(fc_buf *out, const cli_report_view *view, const fc_compare_group *group)
{
    const fc_comparison *c = view->comparison;
    char number[CLI_REPORT_TEXT];
    char *names = cli_report_names(c, group->instances, group->instance_count);
    size_t index = cli_report_worst(view, group);
    cli_html(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td>", names,
             cli_report_count(group->instance_count, number));
    cli_report_standing(out, group->standing);
    cli_html(out, "</td><td>");
    if (group->standing == FC_STANDING_OUTLIER && index < CLI_REPORT_FINDINGS_MAX)
        cli_html(out, "<a href=\"#finding-%zu\">%s</a><br><small>%s</small>", index + 1,
                 c->findings[index].title, group->summary);
    else
        cli_html(out, "%s", group->summary);
    cli_html(out, "</td></tr>\n");
    free(names);
}

static void
group_rows(fc_buf *out, const cli_report_view *view, size_t from, size_t to)
{
    cli_html(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Who stands out\"><table>\n"
        "<thead><tr><th scope=\"col\">Instances</th><th scope=\"col\" class=\"n\">How many</th>"
        "<th scope=\"col\">Standing</th><th scope=\"col\" class=\"what\">What</th></tr></thead>\n<tbody>\n");
    for (size_t i = from; i < to; i++)
        group_row(out, view, &view->comparison->groups[view->groups[i]]);
    cli_html(out, "</tbody></table></div>\n");
}

void
cli_report_groups(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    if (c->group_count == 0)
        return;
    size_t open = c->group_count < CLI_REPORT_ROWS_OPEN ? c->group_count : CLI_REPORT_ROWS_OPEN;
    size_t most = c->group_count < CLI_REPORT_ROWS_MAX ? c->group_count : CLI_REPORT_ROWS_MAX;
    cli_html(out, "<section aria-labelledby=\"groups\">\n<h2 id=\"groups\">Who stands out</h2>\n");
    group_rows(out, view, 0, open);
    if (most > open) {
        cli_html_fold(out, most - open, "more groups");
        group_rows(out, view, open, most);
        cli_html_fold_end(out);
    }
    if (c->group_count > most)
        cli_html_left_out(out, c->group_count - most, "groups more are in the JSON output");
    cli_html(out, "</section>\n");
}

static void
evidence_table(fc_buf *out, const fc_comparison *c, const fc_finding *finding)
{
    if (finding->evidence_count == 0)
        return;
    size_t most =
        finding->evidence_count < CLI_REPORT_EVIDENCE_MAX ? finding->evidence_count : CLI_REPORT_EVIDENCE_MAX;
    cli_html(out, "<h4>Evidence</h4>\n<ul class=\"evidence\">\n");
    for (size_t i = 0; i < most; i++) {
        const fc_evidence_pointer *evidence = &finding->evidence[i];
        char number[CLI_REPORT_TEXT];
        cli_html(out, "<li><span class=\"what\">%s</span>", evidence->what);
        cli_html(out, "<span class=\"where\"><b>%s</b>", c->instances[evidence->instance].name);
        if (evidence->file != NULL)
            cli_html(out, " · %s", evidence->file);
        if (evidence->frame != 0)
            cli_html(out, " · frame %s", cli_report_count(evidence->frame, number));
        if (evidence->exemplar != NULL && evidence->exemplar->at_ns > 0) {
            cli_html(out, " · ");
            cli_html_time(out, evidence->exemplar->at_ns);
        }
        if (evidence->exemplar != NULL && evidence->exemplar->community_id[0] != '\0')
            cli_html(out, " · <span title=\"Community ID\">%s</span>", evidence->exemplar->community_id);
        cli_html(out, "</span>");
        if (evidence->display_filter != NULL)
            cli_html(out, "<code class=\"copy\">%s</code>", evidence->display_filter);
        cli_html(out, "</li>\n");
    }
    cli_html(out, "</ul>\n");
    if (finding->evidence_count > most)
        cli_html(out, "<p class=\"muted\">%zu more in the JSON output.</p>\n",
                 finding->evidence_count - most);
}

/* "began 3.2 s into the window" */
static void
since(fc_buf *out, const fc_comparison *c, const fc_finding *finding)
{
    char text[CLI_REPORT_TEXT];
    if (finding->since_ns <= 0)
        return;
    cli_html(out, "<div><dt>since</dt><dd>");
    cli_html_time(out, finding->since_ns);
    if (c->window_start_ns > 0 && finding->since_ns > c->window_start_ns)
        cli_html(out, " (%s into the window)",
                 cli_report_duration((double)(finding->since_ns - c->window_start_ns), text));
    cli_html(out, "</dd></div>\n");
}

static void
numbers(fc_buf *out, const fc_finding *finding)
{
    char text[CLI_REPORT_TEXT];
    if (isnan(finding->value))
        return;
    cli_html(out, "<div><dt>here</dt><dd>%s</dd></div>\n",
             cli_report_quantity(finding->value, finding->unit, text));
    if (isnan(finding->peer_median))
        return;
    cli_html(out, "<div><dt>peers</dt><dd>%s",
             cli_report_quantity(finding->peer_median, finding->unit, text));
    if (!isnan(finding->peer_spread) && finding->peer_spread > 0)
        cli_html(out, " ± %s", cli_report_number(finding->peer_spread, text));
    cli_html(out, "</dd></div>\n");
}

static void
one_finding(fc_buf *out, const fc_comparison *c, size_t index)
{
    const fc_finding *finding = &c->findings[index];
    char *names = cli_report_names(c, finding->instances, finding->instance_count);
    cli_html(out, "<article class=\"finding %s\" id=\"finding-%zu\" aria-labelledby=\"title-%zu\">\n",
             fc_severity_name(finding->severity), index + 1, index + 1);
    cli_html(out, "<p class=\"tags\"><span class=\"index\">%zu</span> ", index + 1);
    cli_report_severity(out, finding->severity);
    cli_html(out,
             " <span class=\"tag\">%s</span> <span class=\"tag\">%s confidence</span>"
             " <span class=\"tag id\">%s</span></p>\n",
             fc_category_name(finding->category), fc_confidence_name(finding->confidence), finding->id);
    cli_html(out, "<h3 id=\"title-%zu\">%s</h3>\n", index + 1, finding->title);
    if (finding->explanation != NULL)
        cli_html(out, "<p>%s</p>\n", finding->explanation);
    cli_html(out, "<dl class=\"facts\">\n<div><dt>on</dt><dd>%s</dd></div>\n", names);
    since(out, c, finding);
    numbers(out, finding);
    cli_html(out, "</dl>\n");
    caveat_list(out, finding->caveats, finding->caveat_count);
    evidence_table(out, c, finding);
    cli_html(out, "</article>\n");
    free(names);
}

/* Is the finding shown at once? The first ones that are more than information. */
static bool
is_open(const fc_comparison *c, size_t index, size_t shown)
{
    return c->findings[index].severity >= FC_SEVERITY_NOTE && shown < CLI_REPORT_FINDINGS_OPEN;
}

void
cli_report_findings(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    size_t most = c->finding_count < CLI_REPORT_FINDINGS_MAX ? c->finding_count : CLI_REPORT_FINDINGS_MAX;
    size_t shown = 0;
    fc_buf folded = {0};
    cli_html(out, "<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n");
    for (size_t i = 0; i < most; i++) {
        bool open = is_open(c, i, shown);
        shown += open;
        one_finding(open ? out : &folded, c, i);
    }
    if (shown == 0)
        cli_html(out, "<p>Nothing differs that is worth naming.</p>\n");
    if (most > shown) {
        cli_html_fold(out, most - shown, "more findings, ranked lower");
        fc_buf_append(out, fc_buf_bytes(&folded), fc_buf_size(&folded));
        cli_html_fold_end(out);
    }
    if (c->finding_count > most)
        cli_html_left_out(out, c->finding_count - most, "more are in the JSON output");
    cli_html(out, "</section>\n");
    fc_buf_fini(&folded);
}
