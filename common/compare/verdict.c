/* verdict.c: the first line: instance, cause, evidence in one sentence; and what limits the comparison as a
 * whole. */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/profile/agree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Windows that begin or end this much apart are a caveat. */
#define WINDOW_SLACK_NS (5 * FC_NS_PER_S)

/* More other outliers are counted, not named: it is one sentence. */
enum { NAMED_MAX = 12 };

/* ---- caveats of the whole ---- */

static void
add_caveat(fc_comparison *comparison, char *text)
{
    comparison->caveats =
        fc_grow_array(comparison->caveats, comparison->caveat_count + 1, sizeof *comparison->caveats);
    comparison->caveats[comparison->caveat_count++] = text;
}

/* On one clock: the fleet's, as far as offsets are known. */
static void
window_of(const fc_comparer *comparer, size_t instance, int64_t *ret_start, int64_t *ret_end)
{
    const fc_profile_subject *subject = &comparer->features[instance].subject;
    int64_t offset = comparer->instances[instance].clock_offset_ns;
    int64_t start = subject->start_ns > 0 ? subject->start_ns : subject->first_packet_ns;
    int64_t end = subject->end_ns > 0 ? subject->end_ns : subject->last_packet_ns;
    if (offset > FC_NS_PER_S * 86400 || offset < -FC_NS_PER_S * 86400)
        offset = 0;
    *ret_start = start > 0 ? start - offset : 0;
    *ret_end = end > 0 ? end - offset : 0;
}

static void
put_windows(const fc_comparer *comparer, fc_comparison *comparison)
{
    int64_t first_start = 0, last_start = 0, first_end = 0, last_end = 0;
    for (size_t i = 0; i < comparer->count; i++) {
        int64_t start, end;
        window_of(comparer, i, &start, &end);
        if (!comparer->features[i].has_profile || start <= 0 || end < start ||
            fc_cohort_leaves_out(comparer, i))
            continue;
        first_start = first_start == 0 || start < first_start ? start : first_start;
        last_start = start > last_start ? start : last_start;
        first_end = first_end == 0 || end < first_end ? end : first_end;
        last_end = end > last_end ? end : last_end;
    }
    comparison->window_start_ns = last_start;
    comparison->window_end_ns = first_end > last_start ? first_end : last_start;
    if (last_start - first_start > WINDOW_SLACK_NS || last_end - first_end > WINDOW_SLACK_NS)
        add_caveat(comparison,
                   fc_sprintf("the windows differ: they begin up to %.0f s and end up to %.0f s apart",
                              (double)(last_start - first_start) / (double)FC_NS_PER_S,
                              (double)(last_end - first_end) / (double)FC_NS_PER_S));
}

/* "on 2 of 3 instances ..."; nothing for 0. */
static void
put_count(fc_comparison *comparison, size_t count, size_t of, const char *before, const char *after)
{
    fc_agree agree = fc_agree_with(count, of);
    fc_buf text = {0};
    agree.verb = false; /* it is about something else */
    fc_buf_printf(&text, "%s%zu of %zu", before, count, of);
    fc_agree_put(&agree, &text, after, strlen(after));
    if (count > 0)
        add_caveat(comparison, fc_buf_take_text(&text));
    fc_buf_fini(&text);
}

static void
put_left_out(const fc_comparer *comparer, fc_comparison *comparison)
{
    size_t *which = fc_alloc_array(comparer->count, sizeof *which), count = 0;
    for (size_t i = 0; i < comparer->count; i++)
        if (fc_cohort_leaves_out(comparer, i))
            which[count++] = i;
    if (count > 0) {
        char *names = fc_instances_fold(comparer->instances, which, count);
        add_caveat(comparison, fc_sprintf("%s %s not compared: neither healthy nor suspect by what was named",
                                          names, count == 1 ? "was" : "were"));
        free(names);
    }
    free(which);
}

static void
put_differences(const fc_comparer *comparer, fc_comparison *comparison)
{
    const fc_profile_subject *first = NULL;
    bool filters = false, snaplens = false;
    size_t evicted = 0, offline = 0, interfaces = 0, ahead = 0, compared = 0;
    for (size_t i = 0; i < comparer->count; i++) {
        const fc_instance_features *features = &comparer->features[i];
        const fc_profile_subject *subject = &features->subject;
        if (fc_cohort_leaves_out(comparer, i))
            continue;
        compared++;
        if (!features->has_profile) {
            offline++;
            continue;
        }
        if (first == NULL)
            first = subject;
        filters |= strcmp(first->filter != NULL ? first->filter : "",
                          subject->filter != NULL ? subject->filter : "") != 0;
        snaplens |= first->snaplen_bytes != subject->snaplen_bytes;
        evicted += features->counters[FC_COUNTER_CONVERSATIONS_EVICTED] > 0;
        interfaces += features->counters[FC_COUNTER_CAPTURE_INTERFACE_DROPPED] > 0;
        ahead += features->counters[FC_COUNTER_PACKETS_AHEAD] > 0;
    }
    if (filters)
        add_caveat(comparison,
                   fc_strdup("the filters differ between instances: what one may not see, another shows"));
    if (snaplens)
        add_caveat(
            comparison,
            fc_strdup("the snap lengths differ between instances: names and alerts need the longer one"));
    put_count(comparison, evicted, compared, "on ", " instances conversations were summed up early");
    put_count(comparison, interfaces, compared, "on ",
              " instances an interface dropped packets before the filter saw them");
    put_count(comparison, ahead, compared, "on ",
              " instances packets had times far ahead of those around them, which cannot be right");
    put_count(comparison, offline, compared, "", " instances gave no profile");
}

void
fc_caveats_make(const fc_comparer *comparer, fc_comparison *comparison)
{
    put_windows(comparer, comparison);
    put_differences(comparer, comparison);
    bool differ = comparison->finding_count > 0 && comparison->findings[0].severity > FC_SEVERITY_INFO;
    if (comparer->mode == FC_MODE_PAIR && differ)
        add_caveat(
            comparison,
            fc_strdup(
                "two instances only: that they differ is sure, which of them is the normal one is not"));
    if (comparison->findings_left_out > 0) {
        size_t count = comparison->findings_left_out;
        add_caveat(comparison,
                   fc_sprintf("%zu milder finding%s left out", count, count == 1 ? " was" : "s were"));
    }
    put_left_out(comparer, comparison);
}

/* ---- the verdict ---- */

/* Trusted instances and what does not come from packets go first. */
static bool
is_accusation(const fc_comparer *comparer, const fc_finding *finding)
{
    if (finding->severity == FC_SEVERITY_INFO || finding->shared || finding->category == FC_CATEGORY_CAPTURE)
        return false;
    if (finding->category == FC_CATEGORY_CONTEXT)
        return true;
    for (size_t i = 0; i < finding->instance_count; i++)
        if (comparer->features[finding->instances[i]].distrust == 0)
            return true;
    return false;
}

static bool
mentions(const fc_finding *finding, size_t instance)
{
    for (size_t i = 0; i < finding->instance_count; i++)
        if (finding->instances[i] == instance)
            return true;
    return false;
}

/* Others that stand out and are not in the first finding: by name. */
static void
put_others(fc_buf *out, const fc_comparer *comparer, const fc_comparison *comparison, const fc_finding *first)
{
    size_t *which = fc_alloc_array(comparer->count, sizeof *which), count = 0;
    for (size_t i = 0; i < comparer->count; i++)
        if (comparison->standings[i] == FC_STANDING_OUTLIER && !mentions(first, i))
            which[count++] = i;
    if (count > NAMED_MAX) {
        fc_buf_printf(out, "; %zu more stand out as well", count);
    } else if (count > 0) {
        char *names = fc_instances_fold(comparer->instances, which, count);
        fc_buf_printf(out, "; %s %s out as well", names, count == 1 ? "stands" : "stand");
        free(names);
    }
    free(which);
}

static void
put_untrusted(fc_buf *out, const fc_comparer *comparer)
{
    size_t *which = fc_alloc_array(comparer->count, sizeof *which), count = 0;
    for (size_t i = 0; i < comparer->count; i++)
        if (comparer->features[i].distrust != 0 && !fc_cohort_leaves_out(comparer, i))
            which[count++] = i;
    if (count > 0) {
        char *names = fc_instances_fold(comparer->instances, which, count);
        const char *text = comparer->features[which[0]].distrust_text;
        if (comparer->features[which[0]].has_profile)
            fc_buf_printf(out, "; %s: capture not trustworthy: %s%s", names, text, count > 1 ? " …" : "");
        else
            fc_buf_printf(out, "; %s: nothing to compare: %s%s", names, text, count > 1 ? " …" : "");
        free(names);
    }
    free(which);
}

static void
put_nothing(fc_buf *out, const fc_comparer *comparer)
{
    size_t trusted = 0, last = 0;
    for (size_t i = 0; i < comparer->count; i++)
        if (comparer->features[i].distrust == 0 && !fc_cohort_leaves_out(comparer, i)) {
            trusted++;
            last = i;
        }
    if (trusted == 0)
        fc_buf_printf(out, "Nothing can be said: no instance gave a profile to be trusted");
    else if (comparer->count == 1)
        fc_buf_printf(out, "%s: no trouble worth naming, and nobody to compare it with",
                      comparer->instances[0].name);
    else if (trusted == 1)
        fc_buf_printf(out, "%s: no trouble worth naming; nobody is left to compare it with",
                      comparer->instances[last].name);
    else
        fc_buf_printf(out, "No difference worth naming between %zu instances", trusted);
}

void
fc_verdict_make(const fc_comparer *comparer, fc_comparison *comparison)
{
    const fc_finding *first = NULL, *shared = NULL;
    fc_buf out = {0};
    for (size_t i = 0; i < comparison->finding_count; i++) {
        const fc_finding *finding = &comparison->findings[i];
        if (first == NULL && is_accusation(comparer, finding))
            first = finding;
        if (shared == NULL && finding->shared && finding->severity > FC_SEVERITY_INFO)
            shared = finding;
    }
    comparison->severity = FC_SEVERITY_INFO;
    if (first != NULL) {
        comparison->severity = first->severity;
        fc_buf_printf(&out, "%s", first->title);
        put_others(&out, comparer, comparison, first);
        if (shared != NULL && shared->severity > first->severity) {
            comparison->severity = shared->severity;
            fc_buf_printf(&out, "; and %s", shared->title);
        }
    } else if (shared != NULL) {
        comparison->severity = shared->severity;
        put_nothing(&out, comparer);
        fc_buf_printf(&out, ", but %s", shared->title);
        put_untrusted(&out, comparer);
    } else {
        put_nothing(&out, comparer);
        for (size_t i = 0; i < comparer->count; i++)
            if (comparer->features[i].distrust != 0 && !fc_cohort_leaves_out(comparer, i))
                comparison->severity = FC_SEVERITY_NOTE;
        put_untrusted(&out, comparer);
    }
    fc_buf_printf(&out, ".");
    comparison->verdict = fc_buf_take_text(&out);
    fc_buf_fini(&out);
}
