/* context.c: how differently the instances are configured: facts that most share and some do not. */
#include "cli/report/html.h"
#include "cli/report/view.h"
#include "common/base/mem.h"
#include "common/profile/agree.h"

#include <stdlib.h>
#include <string.h>

enum { DIFFERENCES_OPEN = 40, DIFFERENCES_MAX = 200, VARIANTS_MAX = 6 };

/* One fact of one instance. Texts borrowed from the comparison. */
typedef struct item {
    fc_section section;
    const char *key, *value;
    size_t instance;
} item;

static int
compare_keys(const item *a, const item *b)
{
    return a->section != b->section ? (a->section < b->section ? -1 : 1) : strcmp(a->key, b->key);
}

static int
compare_items(const void *a_, const void *b_)
{
    const item *a = a_, *b = b_;
    int order = compare_keys(a, b);
    if (order == 0)
        order = strcmp(a->value, b->value);
    return order != 0 ? order : a->instance < b->instance ? -1 : a->instance > b->instance;
}

/* A value that some instances have under a key. */
typedef struct variant {
    const char *value; /* NULL: they do not have the key */
    size_t *instances; /* owned */
    size_t count;
} variant;

static int
compare_variants(const void *a_, const void *b_)
{
    const variant *a = a_, *b = b_;
    return a->count != b->count ? (a->count > b->count ? -1 : 1) : 0;
}

/* Everything that can be compared of everyone's facts, sorted. Owned by the caller. */
static item *
collect(const fc_comparison *c, size_t *ret_count)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < c->instance_count; i++)
        most += c->features[i].fact_count;
    item *items = fc_alloc_array(most + 1, sizeof *items);
    for (size_t i = 0; i < c->instance_count; i++)
        for (size_t f = 0; f < c->features[i].fact_count; f++) {
            const fc_feature_fact *fact = &c->features[i].facts[f];
            fc_section_compare compare = fc_section_names[fact->section].compare;
            const char *value = fact->plain_stop != NULL ? fact->plain_stop : fact->plain_start;
            if ((compare == FC_COMPARE_VALUE || compare == FC_COMPARE_SET) && value != NULL)
                items[count++] = (item){fact->section, fact->plain_key, value, i};
        }
    if (count > 0)
        qsort(items, count, sizeof *items, compare_items);
    *ret_count = count;
    return items;
}

/* Instances with a context in which that section could be read, but without the key. */
static variant
without(const fc_comparison *c, const item *items, size_t count)
{
    bool *has = fc_alloc_array(c->instance_count + 1, sizeof *has);
    variant made = {.instances = fc_alloc_array(c->instance_count + 1, sizeof(size_t))};
    for (size_t i = 0; i < count; i++)
        has[items[i].instance] = true;
    for (size_t i = 0; i < c->instance_count; i++)
        if (!has[i] && c->features[i].has_context &&
            (c->features[i].unreadable & 1u << items[0].section) == 0)
            made.instances[made.count++] = i;
    free(has);
    return made;
}

/* The values of one key, the most frequent first. ret_variants: room for count + 1. */
static size_t
make_variants(const fc_comparison *c, const item *items, size_t count, variant *ret_variants)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(items[i].value, items[i - 1].value) != 0)
            ret_variants[made++] =
                (variant){.value = items[i].value, .instances = fc_alloc_array(count - i, sizeof(size_t))};
        variant *at = &ret_variants[made - 1];
        if (at->count == 0 || at->instances[at->count - 1] != items[i].instance)
            at->instances[at->count++] = items[i].instance;
    }
    ret_variants[made++] = without(c, items, count);
    if (ret_variants[made - 1].count == 0)
        free(ret_variants[--made].instances);
    qsort(ret_variants, made, sizeof *ret_variants, compare_variants);
    return made;
}

static void
put_value(fc_buf *out, const variant *from)
{
    if (from->value == NULL)
        cli_html(out, "<i>not there</i>");
    else
        cli_html(out, "<code>%s</code>", from->value);
}

static void
put_difference(fc_buf *out, const fc_comparison *c, const item *key, const variant *variants, size_t count)
{
    char number[CLI_REPORT_TEXT];
    cli_html(out, "<tr><td>%s</td><th scope=\"row\">%s</th><td>", fc_section_names[key->section].name,
             key->key);
    put_value(out, &variants[0]);
    cli_html(out, " <span class=\"muted\">on %s</span></td><td><ul>",
             cli_report_count(variants[0].count, number));
    for (size_t i = 1; i < count && i <= VARIANTS_MAX; i++) {
        char *names = cli_report_names(c, variants[i].instances, variants[i].count);
        cli_html(out, "<li>");
        put_value(out, &variants[i]);
        cli_html(out, " on <b>%s</b></li>", names);
        free(names);
    }
    if (count > VARIANTS_MAX + 1) {
        cli_html(out, "<li class=\"muted\">");
        fc_agree_count(out, count - VARIANTS_MAX - 1, "other values");
        cli_html(out, "</li>");
    }
    cli_html(out, "</ul></td></tr>\n");
}

static void
put_head(fc_buf *out)
{
    cli_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Differences of "
                  "configuration\"><table>\n<thead>"
                  "<tr><th scope=\"col\">Of</th><th scope=\"col\" class=\"what\">What</th><th "
                  "scope=\"col\">Most have</th>"
                  "<th scope=\"col\">Others</th></tr></thead>\n<tbody>\n");
}

/* Rows of what differs. Returns how many there are, of which at most DIFFERENCES_MAX were written. */
static size_t
put_differences(fc_buf *out, const fc_comparison *c, const item *items, size_t count)
{
    size_t differences = 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && compare_keys(&items[i], &items[end]) == 0;)
            end++;
        variant *variants = fc_alloc_array(end - i + 1, sizeof *variants);
        size_t made = make_variants(c, items + i, end - i, variants);
        if (made > 1 && differences++ < DIFFERENCES_MAX) {
            if (differences == DIFFERENCES_OPEN + 1) {
                cli_html(out, "</tbody></table></div>\n<details><summary>More differences</summary>\n");
                put_head(out);
            }
            put_difference(out, c, &items[i], variants, made);
        }
        for (size_t v = 0; v < made; v++)
            free(variants[v].instances);
        free(variants);
    }
    return differences;
}

void
cli_report_context(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    size_t count = 0, contexts = 0;
    for (size_t i = 0; i < c->instance_count; i++)
        contexts += c->features[i].has_context;
    if (contexts < 2)
        return;
    item *items = collect(c, &count);
    fc_buf rows = {0};
    size_t differences = put_differences(&rows, c, items, count);
    cli_html(out,
             "<section aria-labelledby=\"context\">\n<h2 id=\"context\">Configuration that differs</h2>\n");
    if (differences == 0) {
        cli_html(out,
                 "<p>None: resolvers, routes, links, rules and settings of %zu instances are the same.</p>\n",
                 contexts);
    } else {
        put_head(out);
        fc_buf_append(out, fc_buf_bytes(&rows), fc_buf_size(&rows));
        cli_html(out, "</tbody></table></div>\n");
        if (differences > DIFFERENCES_OPEN)
            cli_html(out, "</details>\n");
        if (differences > DIFFERENCES_MAX)
            cli_html_left_out(out, differences - DIFFERENCES_MAX, "more differences are not shown");
    }
    cli_html(out, "</section>\n");
    fc_buf_fini(&rows);
    free(items);
}
