/* packets.h: the blocks of a file, and what is known of the capture when all files were read. */
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/path/packets.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files of one run of a capture follow each other without a gap when their names say so, or when this is all
 * that lies between. */
#define FILES_APART_NS INT64_C(1000000)
/* The same packet on two interfaces of a machine: at most so far apart. */
#define REPEAT_NS INT64_C(50000000)
enum { REPEAT_WINDOW = 16, COUNTERS_MAX = 256, SEQUENCE_DIGITS_MAX = 9 };

static void
end_section(fc_path_capture *capture)
{
    if (!capture->section_has_frames)
        return;
    if (capture->section_says_drops)
        capture->drops_pending = capture->drops_pending && !capture->section_is_ours;
    else if (capture->section_is_ours)
        capture->drops_pending = true;
    else
        capture->drops_unknown = true;
    capture->section_has_frames = false;
}

static void
begin_section(fc_path_capture *capture, const char *comment)
{
    static const char ours[] = "fleetcap capture "; /* node/capture/preamble.c */
    end_section(capture);
    capture->section_is_ours = comment != NULL && strncmp(comment, ours, sizeof ours - 1) == 0;
    capture->section_says_drops = false;
    const char *instance = capture->section_is_ours ? strstr(comment, "), instance ") : NULL;
    if (instance == NULL || capture->instance[0] != '\0')
        return;
    instance += strlen("), instance ");
    char *name = fc_strndup(instance, strcspn(instance, " (,"));
    if (fc_name_check(name))
        memcpy(capture->instance, name, strlen(name) + 1);
    free(name);
}

fc_err
fc_path_capture_file(fc_path_capture *capture, const char *name, fc_fail *fail)
{
    if (capture->file_count == UINT16_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "more than %d files at one end", UINT16_MAX);
    begin_section(capture, NULL);
    capture->files = fc_grow_array(capture->files, capture->file_count + 1, sizeof *capture->files);
    capture->files[capture->file_count++] = (fc_path_file_row){.name = fc_strdup(name)};
    capture->frame_in_file = 0;
    return FC_OK;
}

static void
note_interface(fc_path_capture *capture, const fc_capture_interface *interface)
{
    uint32_t snaplen = interface->snaplen_bytes;
    if (snaplen != 0 && (capture->snaplen_bytes == 0 || snaplen < capture->snaplen_bytes))
        capture->snaplen_bytes = snaplen;
    capture->foreign = capture->foreign || !capture->section_is_ours;
    const char *filter = interface->filter;
    if (filter != NULL && *filter == '\0')
        filter = NULL;
    if (!capture->has_interface)
        capture->filter = fc_strdup(filter);
    else if ((filter == NULL) != (capture->filter == NULL) ||
             (filter != NULL && strcmp(filter, capture->filter) != 0))
        capture->filter_differs = true;
    capture->has_interface = true;
}

static void
note_statistics(fc_path_capture *capture, const fc_block *block)
{
    const fc_capture_statistics *statistics = &block->statistics;
    const char *name = block->interface != NULL ? block->interface->name : "";
    fc_path_file_row *file = &capture->files[capture->file_count - 1];
    if (statistics->start_ns > 0 && (file->start_ns == 0 || statistics->start_ns < file->start_ns))
        file->start_ns = statistics->start_ns;
    if (statistics->end_ns > file->end_ns)
        file->end_ns = statistics->end_ns;
    /* dumpcap puts what its ring dropped into isb_ifdrop, and has no isb_osdrop. */
    capture->section_says_drops =
        capture->section_says_drops || statistics->has_os_dropped || statistics->has_interface_dropped;
    fc_path_counters_row *row = NULL;
    for (size_t i = 0; i < capture->counters_count && row == NULL; i++)
        if (capture->counters[i].start_ns == statistics->start_ns &&
            strcmp(capture->counters[i].name, name) == 0)
            row = &capture->counters[i];
    if (row == NULL) {
        if (capture->counters_count == COUNTERS_MAX) {
            capture->drops_unknown = true;
            return;
        }
        capture->counters =
            fc_grow_array(capture->counters, capture->counters_count + 1, sizeof *capture->counters);
        row = &capture->counters[capture->counters_count++];
        *row = (fc_path_counters_row){.start_ns = statistics->start_ns};
        memcpy(row->name, name, strnlen(name, sizeof row->name - 1));
    }
    if (statistics->has_os_dropped && statistics->os_dropped > row->os_dropped)
        row->os_dropped = statistics->os_dropped;
    if (statistics->has_interface_dropped && statistics->interface_dropped > row->interface_dropped)
        row->interface_dropped = statistics->interface_dropped;
}

fc_err
fc_path_capture_block(fc_path_capture *capture, const fc_block *block, fc_fail *fail)
{
    if (capture->file_count == 0) {
        fc_err err = fc_path_capture_file(capture, "", fail);
        if (err != FC_OK)
            return err;
    }
    switch (block->kind) {
    case FC_BLOCK_SECTION:
        begin_section(capture, block->comment);
        break;
    case FC_BLOCK_INTERFACE:
        if (block->interface != NULL)
            note_interface(capture, block->interface);
        break;
    case FC_BLOCK_STATISTICS:
        note_statistics(capture, block);
        break;
    case FC_BLOCK_FRAME:
        capture->section_has_frames = true;
        return fc_path_capture_frame(capture, &block->frame, fail);
    case FC_BLOCK_MORE:
    case FC_BLOCK_OTHER:
    case FC_BLOCK_CORRUPT:
        break;
    }
    return FC_OK;
}

bool
fc_path_capture_drops(const fc_path_capture *capture, uint64_t *ret_os, uint64_t *ret_interface)
{
    *ret_os = *ret_interface = 0;
    for (size_t i = 0; i < capture->counters_count; i++) {
        if (__builtin_add_overflow(*ret_os, capture->counters[i].os_dropped, ret_os))
            *ret_os = UINT64_MAX;
        if (__builtin_add_overflow(*ret_interface, capture->counters[i].interface_dropped, ret_interface))
            *ret_interface = UINT64_MAX;
    }
    return !capture->drops_unknown && !capture->drops_pending;
}

/* ---- what is covered ---- */

/* The number at the end of "web-1_02_45_37_3.pcapng": 3. -1 when there is none. */
static long
sequence_of(const char *name)
{
    const char *dot = strchr(name, '.');
    const char *end = dot != NULL ? dot : name + strlen(name), *at = end;
    while (at > name && isdigit((unsigned char)at[-1]) && end - at < SEQUENCE_DIGITS_MAX)
        at--;
    return at < end && at > name && at[-1] == '_' ? strtol(at, NULL, 10) : -1;
}

/* Names go on counting when a capture goes on after its node was restarted, and nobody watched meanwhile:
 * what began at another time is another run. A file without statistics was not ended by its run. */
static bool
follows(const fc_path_file_row *before, const fc_path_file_row *file, int64_t gap_ns)
{
    long first = sequence_of(before->name), second = sequence_of(file->name);
    return gap_ns <= FILES_APART_NS ||
           (first >= 0 && second == first + 1 && before->start_ns > 0 && before->start_ns == file->start_ns);
}

/* Each file covers the time from its first to its last frame; the first and the last one what their
 * statistics say beyond that. Files that follow each other cover what is between them too. */
static void
make_spans(fc_path_capture *capture)
{
    capture->spans = fc_alloc_array(capture->file_count, sizeof *capture->spans);
    const fc_path_file_row *before = NULL;
    for (size_t i = 0; i < capture->file_count; i++) {
        const fc_path_file_row *file = &capture->files[i];
        if (file->first_ns == 0 && file->start_ns == 0)
            continue;
        fc_path_span span = {file->first_ns, file->last_ns};
        if (file->start_ns > 0 && before == NULL && (span.start_ns == 0 || file->start_ns < span.start_ns))
            span.start_ns = file->start_ns;
        if (file->end_ns > span.end_ns)
            span.end_ns = file->end_ns;
        fc_path_span *last = capture->span_count > 0 ? &capture->spans[capture->span_count - 1] : NULL;
        if (last != NULL && follows(before, file, span.start_ns - last->end_ns)) {
            last->end_ns = span.end_ns > last->end_ns ? span.end_ns : last->end_ns;
            last->start_ns = span.start_ns < last->start_ns ? span.start_ns : last->start_ns;
        } else {
            capture->spans[capture->span_count++] = span;
        }
        before = file;
    }
}

bool
fc_path_capture_covers(const fc_path_capture *capture, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < capture->span_count; i++)
        if (capture->spans[i].start_ns <= from_ns && to_ns <= capture->spans[i].end_ns)
            return true;
    return false;
}

/* ---- sorting ---- */

static int
by_time(const void *left, const void *right, void *user)
{
    const fc_path_packet *packets = user;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    if (packets[a].unix_ns != packets[b].unix_ns)
        return packets[a].unix_ns < packets[b].unix_ns ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void
sort_by_stream_and_time(fc_path_capture *capture)
{
    capture->order = fc_alloc_array(capture->count > 0 ? capture->count : 1, sizeof *capture->order);
    uint32_t next = 0;
    for (size_t i = 0; i < capture->stream_count; i++) {
        capture->streams[i].first = next;
        next += capture->streams[i].count;
        capture->streams[i].count = 0;
    }
    for (size_t i = 0; i < capture->count; i++) {
        fc_path_stream *stream = &capture->streams[capture->packets[i].stream];
        capture->order[stream->first + stream->count++] = (uint32_t)i;
    }
    for (size_t i = 0; i < capture->stream_count; i++) {
        const fc_path_stream *stream = &capture->streams[i];
        bool sorted = true;
        for (uint32_t j = 1; j < stream->count && sorted; j++)
            sorted = fc_path_packet_of(capture, stream, j - 1)->unix_ns <=
                     fc_path_packet_of(capture, stream, j)->unix_ns;
        if (!sorted)
            qsort_r(capture->order + stream->first, stream->count, sizeof *capture->order, by_time,
                    capture->packets);
    }
}

static bool
is_repeat(const fc_path_packet *packet, const fc_path_packet *before)
{
    return packet->interface != before->interface && packet->unix_ns - before->unix_ns <= REPEAT_NS &&
           packet->hash == before->hash && packet->sequence == before->sequence &&
           packet->acknowledgement == before->acknowledgement && packet->length == before->length &&
           packet->key == before->key && packet->ip_id == before->ip_id &&
           packet->tcp_flags == before->tcp_flags;
}

/* On a machine that captures on all its interfaces a packet may show on two: it was sent once. */
static void
mark_repeats(fc_path_capture *capture, const fc_path_stream *stream)
{
    uint32_t left[FC_PATH_INTERFACES_MAX + 1] = {0};
    unsigned busiest = 0, used = 0;
    for (uint32_t i = 0; i < stream->count; i++) {
        fc_path_packet *packet = fc_path_packet_of(capture, stream, i);
        for (uint32_t back = 1; back <= REPEAT_WINDOW && back <= i; back++) {
            const fc_path_packet *before = fc_path_packet_of(capture, stream, i - back);
            if ((before->marks & FC_PATH_REPEATED) == 0 && is_repeat(packet, before)) {
                packet->marks |= FC_PATH_REPEATED;
                capture->repeated++;
                break;
            }
        }
        if ((packet->marks & FC_PATH_REPEATED) == 0)
            left[packet->interface]++;
    }
    for (unsigned i = 0; i <= FC_PATH_INTERFACES_MAX; i++) {
        used += left[i] > 0;
        busiest = left[i] > left[busiest] ? i : busiest;
    }
    for (uint32_t i = 0; used > 1 && i < stream->count; i++) {
        fc_path_packet *packet = fc_path_packet_of(capture, stream, i);
        if (packet->interface != busiest)
            packet->marks |= FC_PATH_ASIDE;
    }
}

static void
find_reverses(fc_path_capture *capture)
{
    for (size_t i = 0; i < capture->stream_count; i++) {
        const fc_path_stream *stream = &capture->streams[i];
        fc_path_stream back = *stream;
        back.source = stream->destination;
        back.destination = stream->source;
        back.source_port = stream->destination_port;
        back.destination_port = stream->source_port;
        uint32_t found = fc_path_stream_find(capture, &back);
        capture->streams[i].reverse = found != i ? found : FC_PATH_NONE;
    }
}

void
fc_path_capture_seal(fc_path_capture *capture)
{
    end_section(capture);
    fc_path_fragments_end(&capture->fragments);
    make_spans(capture);
    sort_by_stream_and_time(capture);
    find_reverses(capture);
    bool many = false;
    for (size_t i = 1; i < capture->count && !many; i++)
        many = capture->packets[i].interface != capture->packets[0].interface;
    for (size_t i = 0; many && i < capture->stream_count; i++)
        mark_repeats(capture, &capture->streams[i]);
}
