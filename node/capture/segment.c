#include "node/capture/segment.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

enum { DIRECT_MIN = 256 << 10 }; /* below, the page cache costs less than a wait for the disk */

static const char part_suffix[] = ".part";

static void
put_name(const cap_segments *segments, uint32_t sequence, const char *suffix, char ret_name[CAP_SEGMENT_NAME])
{
    (void)snprintf(ret_name, CAP_SEGMENT_NAME, "%s_%04" PRIu32 ".pcapng%s", segments->spec->file_prefix,
                   sequence, suffix);
}

void
cap_segment_name(const cap_spec *spec, uint32_t sequence, char ret_name[CAP_SEGMENT_NAME])
{
    const cap_segments of = {.spec = spec};
    put_name(&of, sequence, "", ret_name);
}

static uint32_t
word_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

cap_span
cap_span_measure(const uint8_t *data, size_t size, size_t limit)
{
    cap_span span = {.data = data};
    size_t end = size < limit ? size : limit;
    while (end - span.size >= 8) {
        const uint8_t *block = data + span.size;
        uint32_t length = word_at(block + 4);
        if (length < 32 || length > end - span.size)
            break;
        int64_t ns = (int64_t)((uint64_t)word_at(block + 12) << 32 | word_at(block + 16));
        if (span.packets == 0 || ns < span.first_ns)
            span.first_ns = ns;
        if (span.packets == 0 || ns > span.last_ns)
            span.last_ns = ns;
        span.packets++;
        span.bytes += word_at(block + 20);
        span.size += length;
    }
    return span;
}

static void
add_span(cap_span *sum, const cap_span *more)
{
    if (more->packets == 0)
        return;
    if (sum->packets == 0 || more->first_ns < sum->first_ns)
        sum->first_ns = more->first_ns;
    if (sum->packets == 0 || more->last_ns > sum->last_ns)
        sum->last_ns = more->last_ns;
    sum->packets += more->packets;
    sum->bytes += more->bytes;
    sum->size += more->size;
}

static void
note_piece(cap_segments *segments, const cap_span *span)
{
    cap_track *track = segments->track;
    if (track == NULL || span->packets == 0)
        return;
    if (track->count == CAP_PIECES_MAX) {
        track->untold += span->packets;
        return;
    }
    track->pieces[track->count++] = (cap_piece){.data = span->data,
                                                .size = span->size,
                                                .packets = span->packets,
                                                .first_frame = segments->current.packets + 1,
                                                .sequence = segments->current.sequence};
}

static void
count_in_segment(cap_segments *segments, const cap_span *span)
{
    cap_segment *current = &segments->current;
    note_piece(segments, span);
    cap_span sum = {.packets = current->packets, .first_ns = current->first_ns, .last_ns = current->last_ns};
    add_span(&sum, span);
    current->packets = sum.packets;
    current->first_ns = sum.first_ns;
    current->last_ns = sum.last_ns;
    current->size_bytes += span->size;
    segments->total_bytes += span->size;
}

/* What a padding block takes to get from this offset to a page's edge. */
static uint32_t
padding_at(uint64_t offset)
{
    uint32_t gap = (uint32_t)(-offset % CAP_SEGMENT_PAGE);
    return gap != 0 && gap < FC_PCAPNG_PADDING_MIN ? gap + CAP_SEGMENT_PAGE : gap;
}

static void
count_padding(cap_segments *segments, uint32_t size)
{
    segments->current.size_bytes += size;
    segments->total_bytes += size;
}

/* Padding behind the last block, so that the next one starts at a page's edge. */
static bool
align_end(cap_segments *segments)
{
    uint8_t block[CAP_SEGMENT_PADDING];
    uint32_t size = padding_at(segments->current.size_bytes);
    if (size == 0)
        return true;
    fc_pcapng_put_padding(block, size);
    if (pwrite(segments->fd, block, size, (off_t)segments->current.size_bytes) != (ssize_t)size)
        return false;
    count_padding(segments, size);
    return true;
}

static void
end_direct(cap_segments *segments)
{
    if (segments->direct_fd >= 0)
        close(segments->direct_fd);
    segments->direct_fd = -1;
}

bool
cap_segments_append_direct(cap_segments *segments, uint8_t *data, cap_span blocks)
{
    uint64_t full = segments->spec->segment_bytes;
    uint64_t used = segments->current.size_bytes + segments->trailer_max + CAP_SEGMENT_PADDING;
    if (segments->direct_fd < 0 || segments->failed || blocks.size < DIRECT_MIN ||
        (full != 0 && used + blocks.size > full) || !align_end(segments))
        return false;
    uint32_t padding = padding_at(blocks.size);
    if (padding > 0)
        fc_pcapng_put_padding(data + blocks.size, padding);
    size_t size = blocks.size + padding;
    if (pwrite(segments->direct_fd, data, size, (off_t)segments->current.size_bytes) != (ssize_t)size) {
        /* Full, or not possible after all: the other way finds out which, over whatever this one left. */
        end_direct(segments);
        return false;
    }
    count_in_segment(segments, &blocks);
    count_padding(segments, padding);
    return true;
}

/* Statistics behind the last whole block, and the end of the file behind them. Does not count them. */
static bool
put_trailer(cap_segments *segments)
{
    off_t at = (off_t)segments->current.size_bytes;
    size_t size = fc_buf_size(&segments->trailer);
    return size > 0 && pwrite(segments->fd, fc_buf_bytes(&segments->trailer), size, at) == (ssize_t)size &&
           ftruncate(segments->fd, at + (off_t)size) == 0;
}

static fc_err
begin(cap_segments *segments, uint32_t sequence, fc_fail *fail)
{
    char name[CAP_SEGMENT_NAME];
    put_name(segments, sequence, part_suffix, name);
    int fd = -1;
    fc_err err = fc_file_open_beneath(segments->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0640, &fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "cannot create %s: %s", name, strerror(errno));
    err = fc_file_write_all(fd, fc_buf_bytes(&segments->header), fc_buf_size(&segments->header));
    if (err != FC_OK) {
        int os_errno = errno;
        close(fd);
        (void)unlinkat(segments->dir_fd, name, 0);
        return fc_fail_errno(fail, os_errno, "cannot write %s", name);
    }
    segments->fd = fd;
    if (fc_file_open_beneath(segments->dir_fd, name, O_WRONLY | O_DIRECT, 0, &segments->direct_fd) != FC_OK)
        segments->direct_fd = -1;
    segments->current = (cap_segment){.sequence = sequence, .size_bytes = fc_buf_size(&segments->header)};
    put_name(segments, sequence, "", segments->current.name);
    segments->total_bytes += segments->current.size_bytes;
    return FC_OK;
}

fc_err
cap_segments_open(cap_segments *segments, int dir_fd, const cap_spec *spec, const fc_buf *header,
                  cap_segment_report report, void *user, fc_fail *fail)
{
    *segments = (cap_segments){
        .dir_fd = dir_fd, .spec = spec, .fd = -1, .direct_fd = -1, .report = report, .user = user};
    fc_buf_append(&segments->header, fc_buf_bytes(header), fc_buf_size(header));
    (void)fc_buf_reserve(&segments->trailer, CAP_SEGMENT_ROOM);
    if (spec->segment_count > 0)
        segments->sizes = fc_alloc_array(spec->segment_count, sizeof *segments->sizes);
    const fc_pcapng_statistics none = {.start = {1}, .end = {1}};
    for (size_t i = 0; i < spec->interface_count; i++)
        fc_pcapng_put_statistics(&segments->trailer, &none);
    segments->trailer_max = fc_buf_size(&segments->trailer);
    fc_buf_clear(&segments->trailer);
    fc_err err = begin(segments, spec->first_sequence, fail);
    if (err != FC_OK)
        cap_segments_fini(segments);
    return err;
}

void
cap_segments_fini(cap_segments *segments)
{
    end_direct(segments);
    if (segments->fd >= 0)
        close(segments->fd);
    segments->fd = -1;
    fc_buf_fini(&segments->header);
    fc_buf_fini(&segments->trailer);
    free(segments->sizes);
    segments->sizes = NULL;
}

void
cap_segments_discard(cap_segments *segments)
{
    char name[CAP_SEGMENT_NAME];
    put_name(segments, segments->current.sequence, part_suffix, name);
    (void)unlinkat(segments->dir_fd, name, 0);
    end_direct(segments);
    close(segments->fd);
    segments->fd = -1;
    segments->total_bytes = 0;
}

void
cap_segments_set_trailer(cap_segments *segments, const fc_pcapng_statistics *statistics, size_t count)
{
    fc_buf_clear(&segments->trailer);
    for (size_t i = 0; i < count; i++)
        fc_pcapng_put_statistics(&segments->trailer, &statistics[i]);
}

/* Takes away what is behind the last whole block. Where even that fails, the reader stops there, and a repair
 * cuts. */
static void
cut(cap_segments *segments)
{
    if (ftruncate(segments->fd, (off_t)segments->current.size_bytes) != 0)
        segments->failed = true;
}

/* The disk refused after `written` bytes of the blocks. Whole blocks stay, and after them room for the
 * statistics, where the disk has already given it: a seal then needs no more. Until then the last statistics
 * known are there. */
static void
keep_whole_blocks(cap_segments *segments, cap_span blocks, size_t written, cap_span *ret_kept)
{
    size_t trailer = fc_buf_size(&segments->trailer);
    cap_span whole = cap_span_measure(blocks.data, blocks.size, written);
    if (whole.size + trailer > written && written > trailer)
        whole = cap_span_measure(blocks.data, blocks.size, written - trailer);
    count_in_segment(segments, &whole);
    add_span(ret_kept, &whole);
    if (!put_trailer(segments))
        cut(segments);
}

static fc_err
write_blocks(cap_segments *segments, cap_span blocks, cap_span *ret_kept, fc_fail *fail)
{
    size_t written = 0;
    while (written < blocks.size) {
        ssize_t got = pwrite(segments->fd, blocks.data + written, blocks.size - written,
                             (off_t)(segments->current.size_bytes + written));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int os_errno = got == 0 ? ENOSPC : errno;
            segments->failed = true;
            keep_whole_blocks(segments, blocks, written, ret_kept);
            return fc_fail_errno(fail, os_errno, "cannot write %s%s", segments->current.name, part_suffix);
        }
        written += (size_t)got;
    }
    count_in_segment(segments, &blocks);
    add_span(ret_kept, &blocks);
    return FC_OK;
}

/* Removes the segment that is one too many after `sequence` was begun; one that an earlier process wrote,
 * too. */
static void
remove_oldest(cap_segments *segments, uint32_t sequence)
{
    uint32_t count = segments->spec->segment_count;
    if (count == 0 || sequence <= count)
        return;
    cap_segment oldest = {.sequence = sequence - count, .sealed = true, .removed = true};
    put_name(segments, oldest.sequence, "", oldest.name);
    if (unlinkat(segments->dir_fd, oldest.name, 0) != 0)
        return;
    oldest.size_bytes = segments->sizes[oldest.sequence % count];
    segments->total_bytes -= oldest.size_bytes;
    segments->report(segments->user, &oldest);
}

static fc_err
rotate(cap_segments *segments, fc_fail *fail)
{
    uint32_t next = segments->current.sequence + 1;
    fc_err err = cap_segments_seal(segments, fail);
    if (err != FC_OK)
        return err;
    remove_oldest(segments, next);
    err = begin(segments, next, fail);
    if (err != FC_OK)
        segments->failed = true;
    return err;
}

fc_err
cap_segments_append(cap_segments *segments, cap_span blocks, cap_span *ret_kept, fc_fail *fail)
{
    uint64_t full = segments->spec->segment_bytes;
    *ret_kept = (cap_span){0};
    if (segments->failed)
        return fc_fail_set(fail, FC_ERR_STATE, "the segment takes no more");
    while (blocks.size > 0) {
        uint64_t used = segments->current.size_bytes + segments->trailer_max;
        cap_span part = blocks;
        if (full != 0 && used + blocks.size > full) {
            part = cap_span_measure(blocks.data, blocks.size, full > used ? (size_t)(full - used) : 0);
            if (part.size == 0 &&
                segments->current.packets == 0) /* a block larger than a segment has its own */
                part = cap_span_measure(blocks.data, blocks.size, word_at(blocks.data + 4));
        }
        if (part.size > 0) {
            fc_err err = write_blocks(segments, part, ret_kept, fail);
            if (err != FC_OK)
                return err;
            if (part.size == blocks.size)
                return FC_OK;
            blocks = cap_span_measure(blocks.data + part.size, blocks.size - part.size, SIZE_MAX);
        }
        fc_err err = rotate(segments, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

/* Never over a file that is there: it is evidence. Not every file system knows the flag. */
static int
rename_new(int dir_fd, const char *from, const char *to)
{
    if (syscall(SYS_renameat2, dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL ? renameat(dir_fd, from, dir_fd, to) : -1;
}

fc_err
cap_segments_seal(cap_segments *segments, fc_fail *fail)
{
    char part[CAP_SEGMENT_NAME];
    cap_segment *current = &segments->current;
    if (segments->fd < 0)
        return FC_OK;
    put_name(segments, current->sequence, part_suffix, part);
    if (put_trailer(segments)) {
        current->size_bytes += fc_buf_size(&segments->trailer);
        segments->total_bytes += fc_buf_size(&segments->trailer);
    } else { /* a full disk: the packets are worth more than their statistics */
        cut(segments);
    }
    fc_err err = FC_OK;
    if (fsync(segments->fd) != 0)
        err = fc_fail_errno(fail, errno, "cannot make %s durable", part);
    end_direct(segments);
    close(segments->fd);
    segments->fd = -1;
    if (rename_new(segments->dir_fd, part, current->name) != 0) {
        segments->failed = true;
        return fc_fail_errno(fail, errno, "cannot rename %s", part);
    }
    (void)fsync(segments->dir_fd);
    if (segments->sizes != NULL)
        segments->sizes[current->sequence % segments->spec->segment_count] = current->size_bytes;
    current->sealed = true;
    segments->report(segments->user, current);
    return err;
}
