#include "cli/report/view.h"

#include "cli/report/html.h"
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
    return c->standings[instance] == FC_STANDING_SAME &&
           (!c->cohorts_given || c->instances[instance].cohort == FC_COHORT_HEALTHY);
}

size_t
cli_report_worst(const cli_report_view *view, const fc_compare_group *group)
{
    size_t worst = view->comparison->finding_count;
    for (size_t i = 0; i < group->instance_count; i++)
        if (view->worst[group->instances[i]] < worst)
            worst = view->worst[group->instances[i]];
    return worst;
}

static void
find_worst(cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    view->worst = fc_alloc_array(c->instance_count + 1, sizeof *view->worst);
    for (size_t i = 0; i < c->instance_count; i++)
        view->worst[i] = c->finding_count;
    for (size_t f = c->finding_count; f-- > 0;)
        for (size_t i = 0; i < c->findings[f].instance_count; i++)
            view->worst[c->findings[f].instances[i]] = f;
}

/* Those of a standing stay together; among them the one with the worst finding comes first. */
static void
order_groups(cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    view->groups = fc_alloc_array(c->group_count + 1, sizeof *view->groups);
    for (size_t g = 0; g < c->group_count; g++) {
        size_t at = g, worst = cli_report_worst(view, &c->groups[g]);
        for (; at > 0; at--) {
            const fc_compare_group *before = &c->groups[view->groups[at - 1]];
            if (before->standing != c->groups[g].standing || cli_report_worst(view, before) <= worst)
                break;
            view->groups[at] = view->groups[at - 1];
        }
        view->groups[at] = g;
    }
}

static void
add_shown(cli_report_view *view, size_t instance, size_t alike)
{
    view->conspicuous_count++;
    if (view->shown_count == CLI_REPORT_SHOWN_MAX)
        return;
    view->shown[view->shown_count] = instance;
    view->shown_alike[view->shown_count++] = alike;
}

/* One of every group of outliers; then the suspects that are not outliers. What is not trusted is left out:
 * its series have holes. */
static void
pick_shown(cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    for (size_t g = 0; g < c->group_count; g++) {
        const fc_compare_group *group = &c->groups[view->groups[g]];
        size_t at = 0;
        while (at < group->instance_count && !c->features[group->instances[at]].has_profile)
            at++;
        if (group->standing == FC_STANDING_OUTLIER && at < group->instance_count)
            add_shown(view, group->instances[at], group->instance_count);
    }
    for (size_t i = 0; i < c->instance_count; i++)
        if (c->instances[i].cohort == FC_COHORT_SUSPECT && c->standings[i] == FC_STANDING_SAME &&
            c->features[i].has_profile)
            add_shown(view, i, 1);
}

void
cli_report_view_init(cli_report_view *view, const cli_report *report)
{
    const fc_comparison *c = report->comparison;
    *view = (cli_report_view){.report = report, .comparison = c};
    view->healthy = fc_alloc_array(c->instance_count + 1, sizeof *view->healthy);
    for (size_t i = 0; i < c->instance_count; i++)
        if (is_healthy(c, i))
            view->healthy[view->healthy_count++] = i;
    find_worst(view);
    order_groups(view);
    pick_shown(view);
}

void
cli_report_view_fini(cli_report_view *view)
{
    free(view->healthy);
    free(view->worst);
    free(view->groups);
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

const char *
cli_report_standing_class(fc_standing standing)
{
    return standing == FC_STANDING_NOT_COMPARED ? "left-out" : fc_standing_name(standing);
}

void
cli_report_standing(fc_buf *out, fc_standing standing)
{
    static const char *const symbols[] = {
        [FC_STANDING_SAME] = "✓",   [FC_STANDING_OUTLIER] = "✖",      [FC_STANDING_UNTRUSTED] = "?",
        [FC_STANDING_ABSENT] = "○", [FC_STANDING_NOT_COMPARED] = "–",
    };
    cli_html(out, "<span class=\"badge %s\"><span aria-hidden=\"true\">%s</span> %s</span>",
             cli_report_standing_class(standing), symbols[standing], fc_standing_name(standing));
}
