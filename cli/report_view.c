#include "cli/report_view.h"

#include "cli/report_html.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_healthy(const fc_comparison *c, size_t instance)
{
    if (!c->features[instance].has_profile)
        return false;
    if (c->cohorts_given)
        return c->instances[instance].cohort == FC_COHORT_HEALTHY &&
               c->standings[instance] != FC_STANDING_UNTRUSTED;
    return c->standings[instance] == FC_STANDING_SAME;
}

static void
add_shown(cli_report_view *view, bool *taken, size_t instance)
{
    if (taken[instance] || !view->comparison->features[instance].has_profile)
        return;
    taken[instance] = true;
    view->conspicuous_count++;
    if (view->shown_count < CLI_REPORT_SHOWN_MAX)
        view->shown[view->shown_count++] = instance;
}

void
cli_report_view_init(cli_report_view *view, const cli_report *report)
{
    const fc_comparison *c = report->comparison;
    *view = (cli_report_view){.report = report, .comparison = c};
    view->healthy = fc_alloc_array(c->instance_count + 1, sizeof *view->healthy);
    bool *taken = fc_alloc_array(c->instance_count + 1, sizeof *taken);
    for (size_t i = 0; i < c->instance_count; i++) {
        taken[i] = is_healthy(c, i);
        if (taken[i])
            view->healthy[view->healthy_count++] = i;
    }
    for (size_t f = 0; f < c->finding_count; f++) {
        const fc_finding *finding = &c->findings[f];
        for (size_t i = 0; finding->severity >= FC_SEVERITY_NOTE && i < finding->instance_count; i++)
            add_shown(view, taken, finding->instances[i]);
    }
    for (size_t i = 0; i < c->instance_count; i++)
        if (c->standings[i] == FC_STANDING_OUTLIER || c->instances[i].cohort == FC_COHORT_SUSPECT)
            add_shown(view, taken, i);
    free(taken);
}

void
cli_report_view_fini(cli_report_view *view)
{
    free(view->healthy);
    *view = (cli_report_view){0};
}

char *
cli_report_names(const fc_comparison *comparison, const size_t *instances, size_t count)
{
    const char **names = fc_alloc_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = comparison->instances[instances[i]].name;
    char *folded = fc_names_fold(names, count);
    free(names);
    if (strlen(folded) <= CLI_REPORT_NAMES_MAX)
        return folded;
    /* Cut between names. */
    size_t end = CLI_REPORT_NAMES_MAX;
    while (end > 0 && folded[end] != ',')
        end--;
    char number[CLI_REPORT_TEXT];
    char *cut = fc_sprintf("%.*s … (%s instances)", (int)(end > 0 ? end : CLI_REPORT_NAMES_MAX), folded,
                           cli_report_count(count, number));
    free(folded);
    return cut;
}

static int
compare_numbers(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

double
cli_report_quantile(double *values, size_t count, double q)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            values[kept++] = values[i];
    if (kept == 0)
        return NAN;
    qsort(values, kept, sizeof *values, compare_numbers);
    double at = q * (double)(kept - 1);
    size_t low = (size_t)at;
    size_t high = low + 1 < kept ? low + 1 : low;
    return values[low] + (at - (double)low) * (values[high] - values[low]);
}

void
cli_report_severity(fc_buf *out, fc_severity severity)
{
    static const char *const symbols[] = {
        [FC_SEVERITY_INFO] = "✓",
        [FC_SEVERITY_NOTE] = "●",
        [FC_SEVERITY_WARNING] = "▲",
        [FC_SEVERITY_ERROR] = "✖",
    };
    const char *name = fc_severity_name(severity);
    cli_html(out, "<span class=\"badge %s\"><span aria-hidden=\"true\">%s</span> %s</span>", name,
             symbols[severity], name);
}

void
cli_report_standing(fc_buf *out, fc_standing standing)
{
    static const char *const symbols[] = {
        [FC_STANDING_SAME] = "✓",
        [FC_STANDING_OUTLIER] = "✖",
        [FC_STANDING_UNTRUSTED] = "?",
        [FC_STANDING_ABSENT] = "○",
    };
    const char *name = fc_standing_name(standing);
    cli_html(out, "<span class=\"badge %s\"><span aria-hidden=\"true\">%s</span> %s</span>", name,
             symbols[standing], name);
}
