/* groups.c: instances that behave alike, in one line: "web-[1-47]: same". */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <stdlib.h>
#include <string.h>

char *
fc_instances_fold(const fc_compare_instance *instances, const size_t *which, size_t count)
{
    const char **names = fc_alloc_array(count + 1, sizeof(const char *));
    for (size_t i = 0; i < count; i++)
        names[i] = instances[which[i]].name;
    char *text = fc_names_fold(names, count);
    free(names);
    return text;
}

/* What an instance has: its standing, and the short of its findings. */
typedef struct described {
    fc_standing standing;
    size_t instance;
    char *summary; /* owned */
} described;

static bool
singles_out(const fc_finding *finding)
{
    return finding->severity > FC_SEVERITY_INFO && !finding->shared &&
           finding->category != FC_CATEGORY_CAPTURE;
}

static void
describe(const fc_comparer *comparer, const fc_comparison *comparison, described *all)
{
    fc_buf *texts = fc_alloc_array(comparer->count, sizeof *texts);
    for (size_t f = 0; f < comparison->finding_count; f++) {
        const fc_finding *finding = &comparison->findings[f];
        if (!singles_out(finding))
            continue;
        for (size_t k = 0; k < finding->instance_count; k++) {
            fc_buf *text = &texts[finding->instances[k]];
            fc_buf_printf(text, "%s%s", fc_buf_size(text) > 0 ? ", " : "", finding->id);
        }
    }
    for (size_t i = 0; i < comparer->count; i++) {
        const fc_instance_features *features = &comparer->features[i];
        fc_standing standing = fc_cohort_leaves_out(comparer, i)                  ? FC_STANDING_NOT_COMPARED
                               : !features->has_profile && !features->has_context ? FC_STANDING_ABSENT
                               : features->distrust != 0                          ? FC_STANDING_UNTRUSTED
                               : fc_buf_size(&texts[i]) > 0                       ? FC_STANDING_OUTLIER
                                                                                  : FC_STANDING_SAME;
        bool distrusted = standing == FC_STANDING_UNTRUSTED || standing == FC_STANDING_ABSENT;
        all[i] = (described){standing, i,
                             distrusted                        ? fc_strdup(features->distrust_text)
                             : standing == FC_STANDING_OUTLIER ? fc_buf_take_text(&texts[i])
                                                               : fc_strdup(fc_standing_name(standing))};
        fc_buf_fini(&texts[i]);
    }
    free(texts);
}

static int
compare_described(const void *a, const void *b)
{
    static const int order[] = {[FC_STANDING_OUTLIER] = 0,
                                [FC_STANDING_UNTRUSTED] = 1,
                                [FC_STANDING_ABSENT] = 2,
                                [FC_STANDING_SAME] = 3,
                                [FC_STANDING_NOT_COMPARED] = 4};
    const described *x = a, *y = b;
    if (x->standing != y->standing)
        return order[x->standing] < order[y->standing] ? -1 : 1;
    int summary = strcmp(x->summary, y->summary);
    return summary != 0 ? summary : x->instance < y->instance ? -1 : 1;
}

void
fc_groups_make(const fc_comparer *comparer, fc_comparison *comparison)
{
    described *all = fc_alloc_array(comparer->count, sizeof *all);
    describe(comparer, comparison, all);
    qsort(all, comparer->count, sizeof *all, compare_described);
    comparison->standings = fc_alloc_array(comparer->count, sizeof *comparison->standings);
    comparison->groups = fc_alloc_array(comparer->count, sizeof *comparison->groups);
    for (size_t first = 0, end; first < comparer->count; first = end) {
        fc_compare_group *group = &comparison->groups[comparison->group_count++];
        for (end = first; end < comparer->count && all[end].standing == all[first].standing &&
                          strcmp(all[end].summary, all[first].summary) == 0;
             end++)
            comparison->standings[all[end].instance] = all[end].standing;
        *group = (fc_compare_group){.standing = all[first].standing,
                                    .instances = fc_alloc_array(end - first, sizeof *group->instances),
                                    .instance_count = end - first,
                                    .summary = fc_strdup(all[first].summary)};
        for (size_t i = first; i < end; i++)
            group->instances[i - first] = all[i].instance;
        group->names = fc_instances_fold(comparer->instances, group->instances, group->instance_count);
    }
    for (size_t i = 0; i < comparer->count; i++)
        free(all[i].summary);
    free(all);
}
