/* provenance.c: what all this is drawn from: the capture, what was lost where, whose clock says what,
 * the files. */
#include "cli/report/html.h"
#include "cli/report/view.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_OPEN = 20 };

static void
fact(fc_buf *out, const char *title, const char *text)
{
    if (text != NULL && text[0] != '\0')
        cli_html(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", title, text);
}

/* The filter that all profiles name; NULL when they differ or name none. */
static const char *
common_filter(const fc_comparison *c)
{
    const char *found = NULL;
    for (size_t i = 0; i < c->instance_count; i++) {
        const char *filter = c->features[i].subject.filter;
        if (filter == NULL)
            continue;
        if (found != NULL && strcmp(found, filter) != 0)
            return NULL;
        found = filter;
    }
    return found;
}

static void
put_capture(fc_buf *out, const cli_report_view *view)
{
    const cli_report *report = view->report;
    const char *filter = report->filter != NULL ? report->filter : common_filter(view->comparison);
    cli_html(out, "<dl class=\"facts\">\n");
    fact(out, "capture", report->capture_name);
    fact(out, "uid", report->capture_uid);
    if (report->created_ns > 0) {
        cli_html(out, "<div><dt>created</dt><dd>");
        cli_html_time(out, report->created_ns);
        cli_html(out, "</dd></div>\n");
    }
    if (filter != NULL && filter[0] != '\0')
        cli_html(out, "<div><dt>filter</dt><dd><code>%s</code></dd></div>\n", filter);
    if (report->command != NULL)
        cli_html(out, "<div><dt>command</dt><dd><code>%s</code></dd></div>\n", report->command);
    cli_html(out, "<div><dt>made</dt><dd>");
    cli_html_time(out, report->generated_ns);
    cli_html(out, " by fleetcap %s</dd></div>\n</dl>\n", FC_VERSION);
    if (report->definition != NULL)
        cli_html(out, "<details><summary>Definition</summary>\n<pre>%s</pre></details>\n",
                 report->definition);
}

static void
put_counter(fc_buf *out, const fc_instance_features *features, fc_counter counter)
{
    char text[CLI_REPORT_TEXT];
    cli_html(out, "<td class=\"n\">%s</td>", cli_report_count(features->counters[counter], text));
}

static void
put_clock(fc_buf *out, const fc_compare_instance *instance)
{
    char offset[CLI_REPORT_TEXT], bound[CLI_REPORT_TEXT];
    if (instance->clock_bound_ns <= 0) {
        cli_html(out, "<td class=\"n\">not known</td>");
        return;
    }
    int64_t ns = instance->clock_offset_ns;
    cli_html(out, "<td class=\"n\">%s%s ± %s</td>",
             ns < 0   ? "−"
             : ns > 0 ? "+"
                      : "",
             ns == 0 ? "0" : cli_report_duration(fabs((double)ns), offset),
             cli_report_duration((double)instance->clock_bound_ns, bound));
}

/* From when to when; the day of the end only when it is another. */
static void
put_window(fc_buf *out, const fc_profile_subject *subject)
{
    int64_t from = subject->start_ns > 0 ? subject->start_ns : subject->first_packet_ns;
    int64_t to = subject->end_ns > 0 ? subject->end_ns : subject->last_packet_ns;
    char start[CLI_REPORT_TEXT], end[CLI_REPORT_TEXT];
    (void)cli_report_time(from, start);
    (void)cli_report_time(to, end);
    bool same_day = from > 0 && to > 0 && strncmp(start, end, 10) == 0;
    cli_html(out, "<td class=\"window\">%s<br>%s</td>", start, same_day ? end + 11 : end);
}

static void
put_instance(fc_buf *out, const fc_comparison *c, size_t index)
{
    const fc_compare_instance *instance = &c->instances[index];
    const fc_instance_features *features = &c->features[index];
    const fc_profile_subject *subject = &features->subject;
    char text[CLI_REPORT_TEXT];
    cli_html(out, "<tr><th scope=\"row\">%s</th><td>", instance->name);
    cli_report_standing(out, c->standings[index]);
    if (instance->problem != NULL)
        cli_html(out, " %s", instance->problem);
    if (features->distrust_text != NULL &&
        (instance->problem == NULL || strcmp(features->distrust_text, instance->problem) != 0))
        cli_html(out, " %s", features->distrust_text);
    cli_html(out, "</td>");
    if (features->has_profile) {
        uint64_t packets = features->counters[FC_COUNTER_PACKETS_IN] +
                           features->counters[FC_COUNTER_PACKETS_OUT] +
                           features->counters[FC_COUNTER_PACKETS_UNORIENTED];
        cli_html(out, "<td class=\"n\">%s</td>", cli_report_count(packets, text));
        put_counter(out, features, FC_COUNTER_CAPTURE_MATCHED);
        put_counter(out, features, FC_COUNTER_CAPTURE_DROPPED);
        put_counter(out, features, FC_COUNTER_CAPTURE_INTERFACE_DROPPED);
        put_counter(out, features, FC_COUNTER_CAPTURE_UNPROFILED);
        put_counter(out, features, FC_COUNTER_TCP_UNSEEN_BYTES);
        cli_html(out, "<td class=\"n\">%s</td>",
                 subject->snaplen_bytes == 0 ? "whole" : cli_report_count(subject->snaplen_bytes, text));
    } else {
        cli_html(out,
                 "<td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td>"
                 "<td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td>");
    }
    put_window(out, subject);
    put_clock(out, instance);
    cli_html(out, "</tr>\n");
}

static void
put_instances(fc_buf *out, const fc_comparison *c, const size_t *order, size_t from, size_t to)
{
    static const char *const heads[] = {
        "packets",
        "matched",
        "dropped by the capture",
        "dropped by the interface",
        "not profiled",
        "TCP bytes acknowledged but never seen",
        "snap length",
    };
    cli_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"What each capture saw and "
                  "lost\"><table>\n"
                  "<thead><tr><th scope=\"col\">Instance</th><th scope=\"col\">Standing</th>");
    for (size_t i = 0; i < FC_COUNT(heads); i++)
        cli_html(out, "<th scope=\"col\" class=\"n\">%s</th>", heads[i]);
    cli_html(out, "<th scope=\"col\">window</th><th scope=\"col\" class=\"n\">clock "
                  "offset</th></tr></thead>\n<tbody>\n");
    for (size_t i = from; i < to; i++)
        put_instance(out, c, order[i]);
    cli_html(out, "</tbody></table></div>\n");
}

/* Those that say something first: not trusted, absent, outliers, the others. Owned by the caller. */
static size_t *
order_instances(const fc_comparison *c)
{
    static const fc_standing standings[] = {FC_STANDING_UNTRUSTED, FC_STANDING_ABSENT, FC_STANDING_OUTLIER,
                                            FC_STANDING_SAME, FC_STANDING_NOT_COMPARED};
    size_t *order = fc_alloc_array(c->instance_count + 1, sizeof *order);
    size_t count = 0;
    for (size_t s = 0; s < FC_COUNT(standings); s++)
        for (size_t i = 0; i < c->instance_count; i++)
            if (c->standings[i] == standings[s])
                order[count++] = i;
    return order;
}

static void
put_file_rows(fc_buf *out, const cli_report *report, size_t from, size_t to)
{
    cli_html(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Capture "
        "files\"><table>\n<thead><tr><th scope=\"col\">File</th>"
        "<th scope=\"col\">Instance</th><th scope=\"col\" class=\"n\">Size</th><th scope=\"col\">SHA-256</th>"
        "</tr></thead>\n<tbody>\n");
    for (size_t i = from; i < to; i++) {
        const cli_report_file *file = &report->files[i];
        char size[FC_SIZE_TEXT];
        const char *name = file->instance < report->comparison->instance_count
                               ? report->comparison->instances[file->instance].name
                               : "–";
        cli_html(out, "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"n\">%s</td><td>", file->name, name,
                 file->size_bytes > 0 ? fc_size_text(file->size_bytes, size) : "–");
        if (file->sha256 != NULL)
            cli_html(out, "<code class=\"hash\">%s</code>", file->sha256);
        else
            cli_html(out, "not known");
        cli_html(out, "</td></tr>\n");
    }
    cli_html(out, "</tbody></table></div>\n");
}

static void
put_files(fc_buf *out, const cli_report *report)
{
    if (report->file_count == 0)
        return;
    size_t most = report->file_count < CLI_REPORT_ROWS_MAX ? report->file_count : CLI_REPORT_ROWS_MAX;
    size_t open = most < FILES_OPEN ? most : FILES_OPEN;
    cli_html(out, "<h3>Files</h3>\n");
    put_file_rows(out, report, 0, open);
    if (most > open) {
        cli_html_fold(out, most - open, "more files");
        put_file_rows(out, report, open, most);
        cli_html_fold_end(out);
    }
    if (report->file_count > most)
        cli_html_left_out(out, report->file_count - most, "files more are not listed");
}

void
cli_report_provenance(fc_buf *out, const cli_report_view *view)
{
    const fc_comparison *c = view->comparison;
    size_t most = c->instance_count < CLI_REPORT_ROWS_MAX ? c->instance_count : CLI_REPORT_ROWS_MAX;
    size_t open = most < CLI_REPORT_ROWS_OPEN ? most : CLI_REPORT_ROWS_OPEN;
    size_t *order = order_instances(c);
    cli_html(out, "<section aria-labelledby=\"provenance\">\n<h2 id=\"provenance\">Provenance</h2>\n");
    put_capture(out, view);
    cli_html(out, "<h3>What was seen, and what was lost</h3>\n");
    put_instances(out, c, order, 0, open);
    if (most > open) {
        cli_html_fold(out, most - open, "more instances");
        put_instances(out, c, order, open, most);
        cli_html_fold_end(out);
    }
    if (c->instance_count > most)
        cli_html_left_out(out, c->instance_count - most, "more are in the JSON output");
    put_files(out, view->report);
    cli_html(out, "</section>\n");
    free(order);
}
