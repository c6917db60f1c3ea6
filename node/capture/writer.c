#include "node/capture/writer.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "node/capture/profiler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    LARGEST_PACKET = CAP_SNAPLEN_MAX + 64, /* as a block */
    BUFFER_CAPACITY = CAP_BUFFER_BYTES + LARGEST_PACKET + CAP_SEGMENT_PADDING,
    BUFFER_STRIDE = (BUFFER_CAPACITY + CAP_SEGMENT_PAGE - 1) / CAP_SEGMENT_PAGE * CAP_SEGMENT_PAGE,
    LAGGING =
        CAP_BUFFER_COUNT_MIN / 2, /* buffers in the queue at which the page cache has to take the peak */
};

struct cap_writer {
    const cap_spec *spec;  /* borrowed */
    int dir_fd;            /* borrowed */
    cap_segments segments; /* the writer thread's */
    int event_fd;          /* owned */
    pthread_t thread;
    bool started;
    uint8_t *memory; /* owned: all buffers */
    cap_buffer buffers[CAP_BUFFER_COUNT_MAX];
    size_t buffer_count;
    uint8_t *trailers;      /* owned: of all buffers */
    cap_profiler *profiler; /* borrowed; NULL = none */

    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t wake;  /* the queue has something, or finish, or a report was taken */
    cap_buffer *free, *first, **last;
    unsigned queued; /* from first to last */
    bool sleeping, starved, finish, finished;
    cap_writer_status status;
    fc_pcapng_statistics statistics[CAP_INTERFACES_MAX];
    size_t statistics_count;
    cap_segment reports[CAP_REPORTS_MAX];
    size_t report_first, report_count;
};

static void
notify(cap_writer *writer)
{
    static const uint64_t one = 1;
    ssize_t written = write(writer->event_fd, &one, sizeof one);
    (void)written; /* a counter that is full says the same */
}

/* From the segments, on the writer thread. Waits while the ring thread has not taken earlier reports. */
static void
report(void *user, const cap_segment *segment)
{
    cap_writer *writer = user;
    pthread_mutex_lock(&writer->lock);
    while (writer->report_count == CAP_REPORTS_MAX)
        pthread_cond_wait(&writer->wake, &writer->lock);
    writer->reports[(writer->report_first + writer->report_count++) % CAP_REPORTS_MAX] = *segment;
    pthread_mutex_unlock(&writer->lock);
    notify(writer);
}

static fc_err
make_buffers(cap_writer *writer, fc_fail *fail)
{
    uint64_t count = writer->spec->ring_bytes / CAP_BUFFER_BYTES;
    if (count < CAP_BUFFER_COUNT_MIN)
        count = CAP_BUFFER_COUNT_MIN;
    writer->buffer_count = count > CAP_BUFFER_COUNT_MAX ? CAP_BUFFER_COUNT_MAX : (size_t)count;
    writer->memory = mmap(NULL, BUFFER_STRIDE * writer->buffer_count, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (writer->memory == MAP_FAILED) {
        writer->memory = NULL;
        return fc_fail_errno(fail, errno, "no memory for %zu buffers", writer->buffer_count);
    }
    for (size_t i = writer->buffer_count; i > 0; i--) {
        cap_buffer *buffer = &writer->buffers[i - 1];
        buffer->data = writer->memory + (i - 1) * BUFFER_STRIDE;
        buffer->next = writer->free;
        writer->free = buffer;
    }
    return FC_OK;
}

fc_err
cap_writer_new(int dir_fd, const cap_spec *spec, const fc_buf *header, cap_writer **ret_writer, fc_fail *fail)
{
    cap_writer *writer = FC_NEW(cap_writer);
    writer->spec = spec;
    writer->dir_fd = dir_fd;
    writer->last = &writer->first;
    writer->segments.fd = -1;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    fc_err err = FC_OK;
    writer->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (writer->event_fd < 0)
        err = fc_fail_errno(fail, errno, "cannot make an event descriptor");
    if (err == FC_OK)
        err = make_buffers(writer, fail);
    if (err == FC_OK)
        err = cap_segments_open(&writer->segments, dir_fd, spec, header, report, writer, fail);
    if (err != FC_OK) {
        cap_writer_free(writer);
        return err;
    }
    writer->trailers = fc_alloc_array(writer->buffer_count, writer->segments.trailer_max);
    for (size_t i = 0; i < writer->buffer_count; i++)
        writer->buffers[i].trailer = writer->trailers + i * writer->segments.trailer_max;
    writer->status.current = writer->segments.current;
    writer->status.outcome.file_bytes = writer->segments.total_bytes;
    *ret_writer = writer;
    return FC_OK;
}

void
cap_writer_free(cap_writer *writer)
{
    if (writer == NULL)
        return;
    cap_segments_fini(&writer->segments);
    if (writer->memory != NULL)
        munmap(writer->memory, BUFFER_STRIDE * writer->buffer_count);
    free(writer->trailers);
    if (writer->event_fd >= 0)
        close(writer->event_fd);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

/* The first failure is the one that is told. */
static void
fail_with(cap_writer *writer, fc_stop_reason reason, const char *text)
{
    if (writer->status.reason != FC_STOP_NONE)
        return;
    writer->status.reason = reason;
    (void)snprintf(writer->status.error, sizeof writer->status.error, "%s", text);
}

static fc_stop_reason
reason_of(fc_err err)
{
    return err == FC_ERR_NO_SPACE ? FC_STOP_DISK_FULL : FC_STOP_WRITE_ERROR;
}

/* Publishes what came of a buffer (kept of put) or of a seal. */
static void
publish(cap_writer *writer, const cap_span *put, const cap_span *kept, fc_err err, const fc_fail *fail)
{
    pthread_mutex_lock(&writer->lock);
    cap_outcome *outcome = &writer->status.outcome;
    if (kept->packets > 0) {
        if (outcome->written_packets == 0 || kept->first_ns < outcome->first_ns)
            outcome->first_ns = kept->first_ns;
        if (kept->last_ns > outcome->last_ns)
            outcome->last_ns = kept->last_ns;
    }
    outcome->written_packets += kept->packets;
    outcome->written_bytes += kept->bytes;
    outcome->lost_packets += put->packets - kept->packets;
    outcome->file_bytes = writer->segments.total_bytes;
    writer->status.current = writer->segments.current;
    if (err != FC_OK && err != FC_ERR_STATE) {
        fail_with(writer, reason_of(err), fail->text);
        notify(writer);
    }
    pthread_mutex_unlock(&writer->lock);
}

static void
write_buffer(cap_writer *writer, cap_buffer *buffer)
{
    fc_pcapng_statistics statistics[CAP_INTERFACES_MAX];
    pthread_mutex_lock(&writer->lock);
    size_t count = writer->statistics_count;
    memcpy(statistics, writer->statistics, count * sizeof statistics[0]);
    bool lagging = writer->queued >= LAGGING;
    pthread_mutex_unlock(&writer->lock);
    cap_segments_set_trailer(&writer->segments, statistics, count);
    buffer->track.count = 0;
    buffer->track.untold = 0;
    writer->segments.track = &buffer->track;
    cap_span kept = buffer->span;
    fc_fail fail = {0};
    fc_err err = FC_OK;
    if (lagging || !cap_segments_append_direct(&writer->segments, buffer->data, buffer->span))
        err = cap_segments_append(&writer->segments, buffer->span, &kept, &fail);
    writer->segments.track = NULL;
    publish(writer, &buffer->span, &kept, err, &fail);
}

/* The buffer is somebody else's after this. */
static void
hand_on(cap_writer *writer, cap_buffer *buffer)
{
    const fc_buf *trailer = &writer->segments.trailer;
    if (writer->profiler == NULL) {
        cap_writer_give_back(writer, buffer);
        return;
    }
    buffer->trailer_size = fc_buf_size(trailer);
    if (buffer->trailer_size > 0)
        memcpy(buffer->trailer, fc_buf_bytes(trailer), buffer->trailer_size);
    if (!cap_profiler_put(writer->profiler, buffer))
        cap_writer_give_back(writer, buffer);
}

static void
watch_floor(cap_writer *writer)
{
    uint64_t floor = writer->spec->disk_floor_bytes, left;
    if (floor == 0 || fc_file_free_bytes(writer->dir_fd, &left) != FC_OK || left >= floor)
        return;
    char have[FC_SIZE_TEXT], want[FC_SIZE_TEXT], text[FC_ERROR_TEXT];
    (void)snprintf(text, sizeof text, "%s left on the disk, the floor is %s", fc_size_text(left, have),
                   fc_size_text(floor, want));
    pthread_mutex_lock(&writer->lock);
    fail_with(writer, FC_STOP_DISK_FLOOR, text);
    pthread_mutex_unlock(&writer->lock);
    notify(writer);
}

/* Waits for a buffer until `due`. NULL at that time, or when there will be none any more (*ret_done). */
static cap_buffer *
next_buffer(cap_writer *writer, fc_mono due, bool *ret_done)
{
    struct timespec until = {.tv_sec = due.ns / FC_NS_PER_S, .tv_nsec = due.ns % FC_NS_PER_S};
    pthread_mutex_lock(&writer->lock);
    int waited = 0;
    while (writer->first == NULL && !writer->finish && waited == 0) {
        writer->sleeping = true;
        waited = pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
        writer->sleeping = false;
    }
    cap_buffer *buffer = writer->first;
    if (buffer != NULL) {
        writer->first = buffer->next;
        writer->queued--;
        if (writer->first == NULL)
            writer->last = &writer->first;
    }
    *ret_done = buffer == NULL && writer->finish;
    pthread_mutex_unlock(&writer->lock);
    return buffer;
}

void
cap_writer_give_back(cap_writer *writer, cap_buffer *buffer)
{
    pthread_mutex_lock(&writer->lock);
    buffer->next = writer->free;
    writer->free = buffer;
    bool starved = writer->starved;
    writer->starved = false;
    pthread_mutex_unlock(&writer->lock);
    if (starved)
        notify(writer);
}

static void *
run(void *arg)
{
    cap_writer *writer = arg;
    fc_mono due = fc_mono_after_ms(fc_clock_mono(&fc_clock_system), TICK_MS);
    for (bool done = false; !done;) {
        cap_buffer *buffer = next_buffer(writer, due, &done);
        if (buffer != NULL) {
            write_buffer(writer, buffer);
            hand_on(writer, buffer);
        }
        fc_mono now = fc_clock_mono(&fc_clock_system);
        if (now.ns >= due.ns) {
            watch_floor(writer);
            due = fc_mono_after_ms(now, TICK_MS);
        }
    }
    pthread_mutex_lock(&writer->lock);
    writer->finished = true;
    pthread_mutex_unlock(&writer->lock);
    notify(writer);
    return NULL;
}

void
cap_writer_set_profiler(cap_writer *writer, cap_profiler *profiler)
{
    writer->profiler = profiler;
}

fc_err
cap_writer_start(cap_writer *writer, fc_fail *fail)
{
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    if (failed != 0)
        return fc_fail_errno(fail, failed, "cannot start the writer thread");
    writer->started = true;
    return FC_OK;
}

int
cap_writer_event_fd(const cap_writer *writer)
{
    return writer->event_fd;
}

void
cap_writer_clear_event(cap_writer *writer)
{
    uint64_t count;
    ssize_t got = read(writer->event_fd, &count, sizeof count);
    (void)got; /* nothing to read is what was wanted */
}

cap_buffer *
cap_writer_take(cap_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->free == NULL && writer->profiler != NULL)
        writer->free = cap_profiler_reclaim(writer->profiler);
    cap_buffer *buffer = writer->free;
    if (buffer != NULL)
        writer->free = buffer->next;
    writer->starved = buffer == NULL;
    pthread_mutex_unlock(&writer->lock);
    if (buffer != NULL)
        buffer->span = (cap_span){.data = buffer->data};
    return buffer;
}

void
cap_writer_put(cap_writer *writer, cap_buffer *buffer)
{
    buffer->next = NULL;
    pthread_mutex_lock(&writer->lock);
    *writer->last = buffer;
    writer->last = &buffer->next;
    writer->queued++;
    bool sleeping = writer->sleeping;
    pthread_mutex_unlock(&writer->lock);
    if (sleeping)
        pthread_cond_signal(&writer->wake);
}

void
cap_writer_set_statistics(cap_writer *writer, const fc_pcapng_statistics *statistics, size_t count)
{
    pthread_mutex_lock(&writer->lock);
    memcpy(writer->statistics, statistics, count * sizeof statistics[0]);
    writer->statistics_count = count;
    pthread_mutex_unlock(&writer->lock);
}

void
cap_writer_get_status(cap_writer *writer, cap_writer_status *ret_status)
{
    pthread_mutex_lock(&writer->lock);
    *ret_status = writer->status;
    pthread_mutex_unlock(&writer->lock);
}

bool
cap_writer_take_report(cap_writer *writer, cap_segment *ret_segment)
{
    pthread_mutex_lock(&writer->lock);
    bool have = writer->report_count > 0;
    if (have) {
        *ret_segment = writer->reports[writer->report_first];
        writer->report_first = (writer->report_first + 1) % CAP_REPORTS_MAX;
        writer->report_count--;
    }
    pthread_mutex_unlock(&writer->lock);
    if (have)
        pthread_cond_signal(&writer->wake);
    return have;
}

void
cap_writer_finish(cap_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->finish = true;
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_signal(&writer->wake);
}

bool
cap_writer_join(cap_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool finished = writer->finished;
    pthread_mutex_unlock(&writer->lock);
    if (finished && writer->started) {
        pthread_join(writer->thread, NULL);
        writer->started = false;
    }
    return finished;
}

void
cap_writer_seal(cap_writer *writer, bool discard)
{
    static const cap_span nothing;
    fc_fail fail = {0};
    fc_err err = FC_OK;
    if (discard) {
        cap_segments_discard(&writer->segments);
    } else {
        cap_segments_set_trailer(&writer->segments, writer->statistics, writer->statistics_count);
        err = cap_segments_seal(&writer->segments, &fail);
    }
    publish(writer, &nothing, &nothing, err, &fail);
}

const fc_buf *
cap_writer_trailer(const cap_writer *writer)
{
    return &writer->segments.trailer;
}

size_t
cap_writer_buffer_count(const cap_writer *writer)
{
    return writer->buffer_count;
}
