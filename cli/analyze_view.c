#include "cli/analyze_view.h"

#include "cli/prose.h"
#include "common/base/mem.h"
#include "common/profile/agree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 14, TOP_ENTRIES = 5, DETAILS = 3 };

/* Sorted the worst first. */
typedef struct ranked {
    fc_trouble_id id;
    int severity;
    double share;
    uint64_t count;
} ranked;

static uint64_t
packets_of(const fc_profile *profile)
{
    const uint64_t *counters = profile->counters;
    return counters[FC_COUNTER_PACKETS_IN] + counters[FC_COUNTER_PACKETS_OUT] +
           counters[FC_COUNTER_PACKETS_UNORIENTED];
}

static uint64_t
bytes_of(const fc_profile *profile)
{
    const uint64_t *counters = profile->counters;
    return counters[FC_COUNTER_BYTES_IN] + counters[FC_COUNTER_BYTES_OUT] +
           counters[FC_COUNTER_BYTES_UNORIENTED];
}

static uint64_t
drops_of(const fc_profile *profile)
{
    return profile->counters[FC_COUNTER_CAPTURE_DROPPED] +
           profile->counters[FC_COUNTER_CAPTURE_INTERFACE_DROPPED];
}

/* "label        value", wrapped behind the label. Takes the value. */
static void
put_line(fc_buf *text, const cli_out *out, const char *label, char *value)
{
    cli_prose_labelled(text, out, 2, label, LABEL, value);
    free(value);
}

/* ---- what was captured ---- */

static void
put_heading(fc_buf *text, const cli_out *out, const fc_profile *profile)
{
    const fc_profile_subject *subject = &profile->subject;
    fc_buf where = {0};
    if (*subject->region != '\0')
        fc_buf_printf(&where, " (%s)", subject->region);
    if (*subject->capture_name != '\0')
        fc_buf_printf(&where, ", capture %s", subject->capture_name);
    if (subject->file_count == 1 && strcmp(subject->files[0], subject->instance_name) != 0)
        fc_buf_printf(&where, ", %s", subject->files[0]);
    else if (subject->file_count > 1)
        fc_buf_printf(&where, ", %zu files from %s on", subject->file_count, subject->files[0]);
    cli_prose(text, out, 0, 2, "bold", "%s%s", subject->instance_name, fc_buf_text(&where));
    fc_buf_fini(&where);
}

static char *
window_text(const fc_profile_subject *subject)
{
    int64_t from = subject->start_ns != 0 ? subject->start_ns : subject->first_packet_ns;
    int64_t to = subject->end_ns != 0 ? subject->end_ns : subject->last_packet_ns;
    char first[CLI_MOMENT_TEXT], last[CLI_MOMENT_TEXT], length[CLI_DURATION_TEXT];
    if (from == 0)
        return fc_strdup("no packets");
    return fc_sprintf("%s to %s UTC (%s)", cli_moment_text(from, 0, first), cli_moment_text(to, from, last),
                      cli_duration_text(to > from ? (uint64_t)(to - from) : 0, length));
}

static char *
packets_text(const fc_profile *profile)
{
    const uint64_t *counters = profile->counters;
    char size[FC_SIZE_TEXT];
    fc_buf text = {0};
    fc_agree_count(&text, packets_of(profile), "packets, ");
    fc_buf_printf(&text, "%s", fc_size_text(bytes_of(profile), size));
    if (counters[FC_COUNTER_PACKETS_IN] + counters[FC_COUNTER_PACKETS_OUT] > 0)
        fc_buf_printf(&text, "; %" PRIu64 " in, %" PRIu64 " out", counters[FC_COUNTER_PACKETS_IN],
                      counters[FC_COUNTER_PACKETS_OUT]);
    if (counters[FC_COUNTER_PACKETS_UNORIENTED] > 0)
        fc_buf_printf(&text, "; direction not known of %" PRIu64, counters[FC_COUNTER_PACKETS_UNORIENTED]);
    if (counters[FC_COUNTER_PACKETS_TRUNCATED] > 0 && profile->subject.snaplen_bytes > 0)
        fc_buf_printf(&text, "; only %" PRIu32 " bytes kept of %" PRIu64, profile->subject.snaplen_bytes,
                      counters[FC_COUNTER_PACKETS_TRUNCATED]);
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

/* What the capture itself missed, and what it says of it; NULL when there is nothing to say. */
static char *
missed_text(const fc_profile *profile)
{
    static const struct {
        fc_counter counter;
        const char *text;
    } causes[] = {
        {FC_COUNTER_CAPTURE_DROPPED, "packets matched but are not in the file"},
        {FC_COUNTER_CAPTURE_INTERFACE_DROPPED, "packets were dropped by the interface"},
        {FC_COUNTER_CAPTURE_UNPROFILED, "packets are in the file but not in the profile"},
        {FC_COUNTER_TCP_UNSEEN_BYTES, "bytes were acknowledged but never seen"},
        {FC_COUNTER_PACKETS_UNDECODED, "packets could not be taken apart"},
        {FC_COUNTER_CONVERSATIONS_EVICTED, "conversations were summed up early"},
        {FC_COUNTER_PACKETS_AHEAD,
         "packets claimed a time far ahead of the others, and count at the time before"},
    };
    fc_buf text = {0};
    for (size_t i = 0; i < FC_COUNT(causes); i++)
        if (profile->counters[causes[i].counter] > 0) {
            fc_buf_printf(&text, "%s", fc_buf_size(&text) > 0 ? "; " : "");
            fc_agree_count(&text, profile->counters[causes[i].counter], causes[i].text);
        }
    char *owned = fc_buf_size(&text) > 0 ? fc_buf_take_text(&text) : NULL;
    fc_buf_fini(&text);
    return owned;
}

/* ---- how fast ---- */

static void
put_latencies(fc_buf *text, const cli_out *out, const fc_profile *profile)
{
    static const cli_column columns[] = {
        {"  LATENCY", 0, 0},   {"COUNT", CLI_RIGHT, 0}, {"P50", CLI_RIGHT, 0},
        {"P95", CLI_RIGHT, 0}, {"MAX", CLI_RIGHT, 0},   {"  WHAT", 0, 1},
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t id = 0; id < FC_SKETCH_COUNT; id++) {
        const fc_sketch *sketch = &profile->sketches[id];
        char shown[CLI_DURATION_TEXT];
        if (sketch->count == 0)
            continue;
        cli_table_row(table);
        cli_table_cell(table, 0, "  %s", fc_sketch_names[id].name);
        cli_table_cell(table, 1, "%" PRIu64, sketch->count);
        cli_table_cell(table, 2, "%s", cli_duration_text(fc_sketch_quantile(sketch, 0.5), shown));
        cli_table_cell(table, 3, "%s", cli_duration_text(fc_sketch_quantile(sketch, 0.95), shown));
        cli_table_cell(table, 4, "%s", cli_duration_text(sketch->max, shown));
        cli_table_cell(table, 5, "  %s", fc_sketch_names[id].sentence);
    }
    if (cli_table_rows(table) > 0) {
        fc_buf_printf(text, "\n");
        cli_table_text(table, out->width, out->color, text, NULL);
    }
    cli_table_free(table);
}

/* ---- how much, and with whom ---- */

/* The first `always` of them also when they are 0: that none was answered has to be seen. */
static char *
counts_text(const fc_profile *profile, const fc_counter *counters, const char *const *words, size_t count,
            size_t always)
{
    fc_buf text = {0};
    for (size_t i = 0; i < count; i++)
        if (i < always || profile->counters[counters[i]] > 0) {
            fc_buf_printf(&text, "%s", i > 0 ? ", " : "");
            fc_agree_count(&text, profile->counters[counters[i]], words[i]);
        }
    char *owned = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return owned;
}

static void
put_protocols(fc_buf *text, const cli_out *out, const fc_profile *profile)
{
    static const struct {
        const char *label;
        size_t always;
        fc_counter counters[5];
        const char *words[5];
    } lines[] = {
        {"tcp",
         1,
         {FC_COUNTER_TCP_CONVERSATIONS, FC_COUNTER_TCP_OPENED_OUT, FC_COUNTER_TCP_OPENED_IN,
          FC_COUNTER_TCP_ESTABLISHED, FC_COUNTER_TCP_RETRANSMITTED_OUT},
         {"conversations", "begun here", "begun by others", "established", "segments sent again"}},
        {"dns",
         2,
         {FC_COUNTER_DNS_QUERIES, FC_COUNTER_DNS_ANSWERED, FC_COUNTER_DNS_RETRIES, FC_COUNTER_DNS_OVER_TCP,
          FC_COUNTER_DNS_SERVED},
         {"questions", "answered", "retries", "over TCP", "asked of this instance"}},
        {"tls",
         2,
         {FC_COUNTER_TLS_HELLOS, FC_COUNTER_TLS_COMPLETED, FC_COUNTER_TLS_OPEN, FC_COUNTER_TLS_OPEN,
          FC_COUNTER_TLS_OPEN},
         {"handshakes", "completed", "under way", "", ""}},
        {"udp",
         1,
         {FC_COUNTER_UDP_CONVERSATIONS, FC_COUNTER_UDP_CONVERSATIONS, FC_COUNTER_UDP_CONVERSATIONS,
          FC_COUNTER_UDP_CONVERSATIONS, FC_COUNTER_UDP_CONVERSATIONS},
         {"conversations but DNS", "", "", "", ""}},
    };
    for (size_t i = 0; i < FC_COUNT(lines); i++) {
        size_t count = 0;
        while (count < FC_COUNT(lines[i].words) && *lines[i].words[count] != '\0')
            count++;
        if (profile->counters[lines[i].counters[0]] > 0)
            put_line(text, out, lines[i].label,
                     counts_text(profile, lines[i].counters, lines[i].words, count, lines[i].always));
    }
}

static void
put_table(fc_buf *text, const cli_out *out, const char *label, fc_table *table)
{
    if (table->count == 0)
        return;
    fc_buf list = {0};
    fc_table_sort(table);
    for (size_t i = 0; i < table->count && i < TOP_ENTRIES; i++) {
        const fc_table_entry *entry = &table->entries[i];
        fc_buf_printf(&list, "%s%s (%" PRIu64, i > 0 ? ", " : "", entry->key, entry->sum.count);
        if (entry->sum.failed > 0)
            fc_buf_printf(&list, ", %" PRIu64 " failed", entry->sum.failed);
        fc_buf_printf(&list, ")");
    }
    if (table->count > TOP_ENTRIES)
        fc_buf_printf(&list, " and %d more", table->count - TOP_ENTRIES);
    put_line(text, out, label, fc_buf_take_text(&list));
    fc_buf_fini(&list);
}

/* ---- what went wrong ---- */

static int
compare_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->severity != b->severity)
        return b->severity - a->severity;
    if (a->share < b->share || a->share > b->share)
        return a->share < b->share ? 1 : -1;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : (int)a->id - (int)b->id;
}

static size_t
rank_troubles(const fc_profile *profile, ranked *ret_list)
{
    size_t count = 0;
    for (size_t id = 0; id < FC_TROUBLE_COUNT; id++) {
        const fc_trouble *trouble = &profile->troubles[id];
        uint64_t whole = profile->counters[fc_trouble_names[id].per];
        if (trouble->count == 0)
            continue;
        ret_list[count++] = (ranked){.id = (fc_trouble_id)id,
                                     .severity = fc_trouble_names[id].severity,
                                     .share = whole > 0 ? (double)trouble->count / (double)whole : 1,
                                     .count = trouble->count};
    }
    qsort(ret_list, count, sizeof *ret_list, compare_ranked);
    return count;
}

/* "alert unknown_ca (12), alert bad_certificate (1)": the most frequent, when they say anything. */
static void
put_details(fc_buf *text, fc_table *details, const char *before)
{
    fc_table_sort(details);
    for (size_t i = 0; i < details->count && i < DETAILS; i++)
        if (*details->entries[i].key != '\0')
            fc_buf_printf(text, "%s%s (%" PRIu64 ")", i == 0 ? before : ", ", details->entries[i].key,
                          details->entries[i].sum.count);
}

static void
put_trouble(fc_buf *text, const cli_out *out, fc_profile *profile, fc_trouble_id id)
{
    const fc_trouble_name *name = &fc_trouble_names[id];
    fc_trouble *trouble = &profile->troubles[id];
    char since[CLI_MOMENT_TEXT];
    fc_buf about = {0}, sentence = {0};
    fc_agree agree = fc_agree_with(trouble->count, profile->counters[name->per]);
    int64_t day =
        profile->subject.start_ns != 0 ? profile->subject.start_ns : profile->subject.first_packet_ns;
    put_details(&about, &trouble->peers, ": ");
    put_details(&about, &trouble->details, "; ");
    const char *color = name->severity >= 3 ? "red" : name->severity == 2 ? "yellow" : NULL;
    fc_agree_put(&agree, &sentence, name->sentence, strlen(name->sentence));
    cli_prose(text, out, 2, 4, color, "%" PRIu64 " of %" PRIu64 " %s%s, since %s", trouble->count,
              profile->counters[name->per], fc_buf_text(&sentence), fc_buf_text(&about),
              cli_moment_text(trouble->first_ns, day, since));
    fc_buf_fini(&sentence);
    fc_buf_fini(&about);
    if (trouble->exemplar_count == 0)
        return;
    const fc_exemplar *shown = &trouble->exemplars[0];
    char *place = shown->file < profile->subject.file_count
                      ? cli_place_text(profile->subject.files[shown->file], shown->frame)
                      : fc_strdup("");
    fc_buf filter = {0};
    fc_exemplar_display_filter(shown, &filter);
    if (*place != '\0')
        cli_prose(text, out, 4, 6, NULL, "%s", place);
    if (fc_buf_size(&filter) > 0)
        cli_prose_line(text, out, 4, "cyan", fc_buf_text(&filter));
    fc_buf_fini(&filter);
    free(place);
}

static void
put_troubles(fc_buf *text, const cli_out *out, fc_profile *profile)
{
    ranked list[FC_TROUBLE_COUNT];
    size_t count = rank_troubles(profile, list);
    fc_buf_printf(text, "\n");
    cli_prose(text, out, 2, 2, count > 0 ? "bold" : NULL, "%s",
              count > 0 ? "Troubles, the worst first" : "No trouble of any kind that is looked for.");
    for (size_t i = 0; i < count; i++)
        put_trouble(text, out, profile, list[i].id);
}

void
cli_analyze_profile(const cli_out *out, fc_profile *profile, fc_buf *text)
{
    put_heading(text, out, profile);
    put_line(text, out, "window", window_text(&profile->subject));
    put_line(text, out, "captured", packets_text(profile));
    char *missed = missed_text(profile);
    put_line(text, out, "missed", missed != NULL ? missed : fc_strdup("nothing that is known of"));
    if (profile->subject.filter != NULL)
        put_line(text, out, "filter", fc_strdup(profile->subject.filter));
    put_protocols(text, out, profile);
    put_table(text, out, "resolvers", &profile->tables[FC_TABLE_RESOLVERS]);
    put_table(text, out, "services", &profile->tables[FC_TABLE_SERVICES]);
    put_table(text, out, "listeners", &profile->tables[FC_TABLE_LISTENERS]);
    put_table(text, out, "names", &profile->tables[FC_TABLE_DNS_NAMES]);
    put_table(text, out, "tls servers", &profile->tables[FC_TABLE_TLS_SERVERS]);
    put_latencies(text, out, profile);
    put_troubles(text, out, profile);
}

/* ---- one row ---- */

cli_table *
cli_analyze_table(void)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 0},
        {"PACKETS", CLI_RIGHT, 0},
        {"BYTES", CLI_RIGHT, 0},
        {"CONVERSATIONS", CLI_RIGHT, 1},
        {"TCP OPENED", CLI_RIGHT, 2},
        {"DNS QUERIES", CLI_RIGHT, 2},
        {"TLS HELLOS", CLI_RIGHT, 2},
        {"TROUBLES", CLI_RIGHT, 0},
        {"WORST", 0, 0},
        {"MISSED", CLI_RIGHT, 1},
    };
    return cli_table_new(columns, FC_COUNT(columns));
}

void
cli_analyze_row(cli_table *table, const fc_profile *profile)
{
    ranked list[FC_TROUBLE_COUNT];
    size_t count = rank_troubles(profile, list);
    const uint64_t *counters = profile->counters;
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", profile->subject.instance_name);
    cli_table_cell(table, 1, "%" PRIu64, packets_of(profile));
    cli_table_cell(table, 2, "%" PRIu64, bytes_of(profile));
    cli_table_cell(table, 3, "%" PRIu64, counters[FC_COUNTER_CONVERSATIONS]);
    cli_table_cell(table, 4, "%" PRIu64,
                   counters[FC_COUNTER_TCP_OPENED_OUT] + counters[FC_COUNTER_TCP_OPENED_IN]);
    cli_table_cell(table, 5, "%" PRIu64, counters[FC_COUNTER_DNS_QUERIES]);
    cli_table_cell(table, 6, "%" PRIu64, counters[FC_COUNTER_TLS_HELLOS]);
    cli_table_cell(table, 7, "%zu", count);
    cli_table_cell(table, 8, "%s", count > 0 ? fc_trouble_names[list[0].id].name : "-");
    cli_table_cell(table, 9, "%" PRIu64, drops_of(profile));
}
