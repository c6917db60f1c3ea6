#include "node/capture/profiler.h"

#include "common/analysis/analyzer.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct cap_profiler {
    const cap_spec *spec; /* borrowed */
    cap_writer *writer;   /* borrowed */
    int event_fd;         /* owned */
    pthread_t thread;
    bool created;
    size_t share; /* buffers that may wait */

    /* The thread's. */
    fc_analyzer *analyzer; /* owned, as all here */
    fc_blocks *blocks;
    fc_profile *profile;
    fc_buf header, packed;
    fc_buf statistics;     /* the newest that are known; fed before each profile */
    uint32_t sequence;     /* of the file that the analyzer is in; 0 = none yet */
    uint64_t next_frame;   /* in that file */
    uint64_t skipped_told; /* of `skipped`, what the analyzer knows */
    bool news;             /* since the last profile */

    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t wake;  /* the queue has something, or finish; or the thread has begun */
    cap_buffer *first, **last;
    size_t queued;
    uint64_t skipped;
    bool begun, sleeping, behind, finish, hurry, finished;
    fc_buf trailer, newest;
    uint64_t revision, taken;
};

static void
notify(cap_profiler *profiler)
{
    static const uint64_t one = 1;
    ssize_t written = write(profiler->event_fd, &one, sizeof one);
    (void)written; /* a counter that is full says the same */
}

/* ---- life ---- */

fc_err
cap_profiler_new(const cap_spec *spec, const fc_buf *header, cap_writer *writer, cap_profiler **ret_profiler,
                 fc_fail *fail)
{
    int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd < 0)
        return fc_fail_errno(fail, errno, "cannot make an event descriptor");
    cap_profiler *profiler = FC_NEW(cap_profiler);
    profiler->spec = spec;
    profiler->writer = writer;
    profiler->event_fd = event_fd;
    profiler->share = cap_writer_buffer_count(writer) / CAP_PROFILE_SHARE;
    profiler->last = &profiler->first;
    profiler->analyzer = fc_analyzer_new(NULL);
    profiler->blocks = fc_blocks_new();
    profiler->profile = fc_profile_new();
    fc_buf_append(&profiler->header, fc_buf_bytes(header), fc_buf_size(header));
    (void)fc_buf_reserve(&profiler->packed, FC_PROFILE_PACKED_MAX);
    (void)fc_buf_reserve(&profiler->statistics, CAP_SEGMENT_ROOM);
    (void)fc_buf_reserve(&profiler->newest, FC_PROFILE_PACKED_MAX);
    pthread_mutex_init(&profiler->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&profiler->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_profiler = profiler;
    return FC_OK;
}

void
cap_profiler_free(cap_profiler *profiler)
{
    if (profiler == NULL)
        return;
    for (cap_buffer *buffer = profiler->first, *next; buffer != NULL; buffer = next) {
        next = buffer->next;
        cap_writer_give_back(profiler->writer, buffer);
    }
    fc_analyzer_free(profiler->analyzer);
    fc_blocks_free(profiler->blocks);
    fc_profile_free(profiler->profile);
    fc_buf_fini(&profiler->header);
    fc_buf_fini(&profiler->packed);
    fc_buf_fini(&profiler->statistics);
    fc_buf_fini(&profiler->trailer);
    fc_buf_fini(&profiler->newest);
    close(profiler->event_fd);
    pthread_cond_destroy(&profiler->wake);
    pthread_mutex_destroy(&profiler->lock);
    free(profiler);
}

int
cap_profiler_event_fd(const cap_profiler *profiler)
{
    return profiler->event_fd;
}

void
cap_profiler_clear_event(cap_profiler *profiler)
{
    uint64_t count;
    ssize_t got = read(profiler->event_fd, &count, sizeof count);
    (void)got; /* nothing to read is what was wanted */
}

/* ---- what the other threads do ---- */

/* Packets in the files of which the analyzer hears nothing. Under the lock. */
static void
skip(cap_profiler *profiler, const cap_buffer *buffer)
{
    for (size_t i = 0; i < buffer->track.count; i++)
        profiler->skipped += buffer->track.pieces[i].packets;
}

/* When nothing waits any more, what comes is taken again. Under the lock. */
static void
catch_up(cap_profiler *profiler)
{
    profiler->behind = profiler->behind && profiler->first != NULL;
}

bool
cap_profiler_put(cap_profiler *profiler, cap_buffer *buffer)
{
    buffer->next = NULL;
    pthread_mutex_lock(&profiler->lock);
    /* One long gap tells the analyzer more than many short ones: once behind, it catches up first. */
    profiler->behind = profiler->behind || profiler->queued >= profiler->share;
    bool take = !profiler->behind && buffer->track.count > 0;
    buffer->skipped_before = profiler->skipped;
    profiler->skipped += buffer->track.untold;
    if (take) {
        *profiler->last = buffer;
        profiler->last = &buffer->next;
        profiler->queued++;
    } else {
        skip(profiler, buffer);
    }
    bool wake = take && profiler->sleeping;
    pthread_mutex_unlock(&profiler->lock);
    if (wake)
        pthread_cond_signal(&profiler->wake);
    return take;
}

cap_buffer *
cap_profiler_reclaim(cap_profiler *profiler)
{
    pthread_mutex_lock(&profiler->lock);
    cap_buffer *list = profiler->first;
    for (const cap_buffer *buffer = list; buffer != NULL; buffer = buffer->next)
        skip(profiler, buffer);
    profiler->first = NULL;
    profiler->last = &profiler->first;
    profiler->queued = 0;
    pthread_mutex_unlock(&profiler->lock);
    return list;
}

uint64_t
cap_profiler_skipped(cap_profiler *profiler)
{
    pthread_mutex_lock(&profiler->lock);
    uint64_t skipped = profiler->skipped;
    pthread_mutex_unlock(&profiler->lock);
    return skipped;
}

bool
cap_profiler_take(cap_profiler *profiler, fc_buf *buf, uint64_t *ret_revision)
{
    pthread_mutex_lock(&profiler->lock);
    bool have = profiler->taken != profiler->revision;
    if (have) {
        fc_buf other = *buf;
        *buf = profiler->newest;
        profiler->newest = other;
        *ret_revision = profiler->taken = profiler->revision;
    }
    pthread_mutex_unlock(&profiler->lock);
    return have;
}

void
cap_profiler_finish(cap_profiler *profiler, const fc_buf *trailer)
{
    pthread_mutex_lock(&profiler->lock);
    fc_buf_append(&profiler->trailer, fc_buf_bytes(trailer), fc_buf_size(trailer));
    profiler->finish = true;
    pthread_mutex_unlock(&profiler->lock);
    pthread_cond_signal(&profiler->wake);
}

void
cap_profiler_hurry(cap_profiler *profiler)
{
    pthread_mutex_lock(&profiler->lock);
    profiler->hurry = true;
    pthread_mutex_unlock(&profiler->lock);
}

bool
cap_profiler_join(cap_profiler *profiler)
{
    pthread_mutex_lock(&profiler->lock);
    bool finished = profiler->finished || !profiler->created;
    pthread_mutex_unlock(&profiler->lock);
    if (finished && profiler->created) {
        pthread_join(profiler->thread, NULL);
        profiler->created = false;
    }
    return finished;
}

/* ---- the thread ---- */

/* All blocks in the memory; returns how many packets were among them. */
static uint64_t
feed(cap_profiler *profiler, const uint8_t *data, size_t size)
{
    uint64_t packets = 0;
    fc_block block;
    for (size_t at = 0; at < size; at += block.size) {
        fc_blocks_next(profiler->blocks, data + at, size - at, &block, NULL);
        if (block.kind == FC_BLOCK_MORE || block.kind == FC_BLOCK_CORRUPT)
            break;
        packets += block.kind == FC_BLOCK_FRAME;
        fc_analyzer_block(profiler->analyzer, &block);
    }
    return packets;
}

static void
tell_missed(cap_profiler *profiler, uint64_t packets)
{
    if (packets > 0)
        fc_analyzer_missed(profiler->analyzer, packets);
    profiler->next_frame += packets;
    profiler->skipped_told += packets;
}

/* A file begins where the last one ended, or further on when the end of that one, whole files and the start
 * of this one were skipped. */
static void
begin_file(cap_profiler *profiler, const cap_piece *piece, uint64_t skipped_before, const cap_buffer *buffer)
{
    char name[CAP_SEGMENT_NAME];
    uint64_t told = profiler->skipped_told, here = piece->first_frame - 1;
    uint64_t untold = skipped_before > told ? skipped_before - told : 0;
    if (profiler->sequence != 0) {
        tell_missed(profiler, untold > here ? untold - here : 0);
        (void)feed(profiler, buffer->trailer, buffer->trailer_size);
    }
    cap_segment_name(profiler->spec, piece->sequence, name);
    fc_analyzer_file(profiler->analyzer, name);
    (void)feed(profiler, fc_buf_bytes(&profiler->header), fc_buf_size(&profiler->header));
    profiler->sequence = piece->sequence;
    profiler->next_frame = 1;
}

static void
profile_buffer(cap_profiler *profiler, const cap_buffer *buffer)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < buffer->track.count; i++) {
        const cap_piece *piece = &buffer->track.pieces[i];
        if (piece->sequence != profiler->sequence)
            begin_file(profiler, piece, buffer->skipped_before, buffer);
        if (piece->first_frame > profiler->next_frame)
            tell_missed(profiler, piece->first_frame - profiler->next_frame);
        uint64_t fed = feed(profiler, piece->data, piece->size);
        profiler->next_frame += fed;
        lost += piece->packets - fed;
    }
    profiler->news = true;
    fc_buf_clear(&profiler->statistics);
    fc_buf_append(&profiler->statistics, buffer->trailer, buffer->trailer_size);
    if (lost == 0)
        return;
    pthread_mutex_lock(&profiler->lock);
    profiler->skipped += lost;
    pthread_mutex_unlock(&profiler->lock);
}

static void
make_profile(cap_profiler *profiler)
{
    (void)feed(profiler, fc_buf_bytes(&profiler->statistics), fc_buf_size(&profiler->statistics));
    fc_analyzer_profile(profiler->analyzer, profiler->profile);
    fc_buf_clear(&profiler->packed);
    fc_profile_pack(profiler->profile, &profiler->packed);
    pthread_mutex_lock(&profiler->lock);
    fc_buf other = profiler->newest;
    profiler->newest = profiler->packed;
    profiler->packed = other;
    profiler->revision++;
    catch_up(profiler); /* who has the profile may count on it */
    pthread_mutex_unlock(&profiler->lock);
    profiler->news = false;
    notify(profiler);
}

/* Waits for a buffer until `due`. NULL at that time, or when there will be none any more (*ret_done). */
static cap_buffer *
next_buffer(cap_profiler *profiler, fc_mono due, bool *ret_done)
{
    struct timespec until = {.tv_sec = due.ns / FC_NS_PER_S, .tv_nsec = due.ns % FC_NS_PER_S};
    pthread_mutex_lock(&profiler->lock);
    int waited = 0;
    while ((profiler->first == NULL || profiler->hurry) && !profiler->finish && waited == 0) {
        catch_up(profiler);
        profiler->sleeping = true;
        waited = pthread_cond_timedwait(&profiler->wake, &profiler->lock, &until);
        profiler->sleeping = false;
    }
    cap_buffer *buffer = profiler->hurry ? NULL : profiler->first;
    if (buffer != NULL) {
        profiler->first = buffer->next;
        profiler->queued--;
        if (profiler->first == NULL)
            profiler->last = &profiler->first;
    }
    *ret_done = buffer == NULL && profiler->finish; /* the trailer is there only then */
    pthread_mutex_unlock(&profiler->lock);
    return buffer;
}

/* What was skipped last, and what a hurry leaves. */
static void
end_files(cap_profiler *profiler)
{
    pthread_mutex_lock(&profiler->lock);
    for (const cap_buffer *buffer = profiler->first; buffer != NULL; buffer = buffer->next)
        skip(profiler, buffer);
    uint64_t skipped = profiler->skipped;
    pthread_mutex_unlock(&profiler->lock);
    tell_missed(profiler, skipped > profiler->skipped_told ? skipped - profiler->skipped_told : 0);
    if (profiler->sequence == 0) { /* a capture without packets has a file, too */
        const cap_piece empty = {.sequence = profiler->spec->first_sequence, .first_frame = 1};
        const cap_buffer none = {0};
        begin_file(profiler, &empty, profiler->skipped_told, &none);
    }
    fc_buf_clear(&profiler->statistics);
    (void)feed(profiler, fc_buf_bytes(&profiler->trailer), fc_buf_size(&profiler->trailer));
}

static void *
run(void *arg)
{
    cap_profiler *profiler = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), CAP_PROFILE_NICE); /* on Linux the thread's alone */
    pthread_mutex_lock(&profiler->lock);
    profiler->begun = true;
    pthread_mutex_unlock(&profiler->lock);
    pthread_cond_signal(&profiler->wake);
    fc_mono due = fc_mono_after_ms(fc_clock_mono(&fc_clock_system), CAP_PROFILE_INTERVAL_MS);
    for (bool done = false; !done;) {
        cap_buffer *buffer = next_buffer(profiler, due, &done);
        if (buffer != NULL) {
            profile_buffer(profiler, buffer);
            cap_writer_give_back(profiler->writer, buffer);
        }
        fc_mono now = fc_clock_mono(&fc_clock_system);
        if (now.ns < due.ns || done)
            continue;
        if (profiler->news)
            make_profile(profiler);
        due = fc_mono_after_ms(now, CAP_PROFILE_INTERVAL_MS);
    }
    end_files(profiler);
    make_profile(profiler);
    pthread_mutex_lock(&profiler->lock);
    profiler->finished = true;
    pthread_mutex_unlock(&profiler->lock);
    notify(profiler);
    return NULL;
}

fc_err
cap_profiler_start(cap_profiler *profiler, fc_fail *fail)
{
    int failed = pthread_create(&profiler->thread, NULL, run, profiler);
    if (failed != 0)
        return fc_fail_errno(fail, failed, "cannot start the profile thread");
    profiler->created = true;
    pthread_mutex_lock(&profiler->lock);
    while (!profiler->begun)
        pthread_cond_wait(&profiler->wake, &profiler->lock);
    pthread_mutex_unlock(&profiler->lock);
    return FC_OK;
}

void
cap_profiler_leave(int dir_fd, const fc_buf *profile)
{
    static const char name[] = FC_PROFILE_LAST_FILE, part[] = FC_PROFILE_LAST_FILE ".part";
    int fd = -1;
    if (fc_buf_size(profile) == 0)
        return;
    fc_err err = fc_file_open_beneath(dir_fd, part, O_WRONLY | O_CREAT | O_TRUNC, 0640, &fd);
    if (err == FC_OK)
        err = fc_file_write_all(fd, fc_buf_bytes(profile), fc_buf_size(profile));
    if (err == FC_OK && (fsync(fd) != 0 || renameat(dir_fd, part, dir_fd, name) != 0))
        err = FC_ERR_IO;
    if (err != FC_OK)
        fc_log(FC_LOG_WARNING, "the last profile is lost: %s", fc_err_text(err));
    if (fd >= 0)
        close(fd);
}
