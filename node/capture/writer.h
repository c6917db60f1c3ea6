/* writer.h: the thread that writes, and the buffers that go to it and come back.
 *
 * The ring thread fills a buffer and puts it; the writer writes it with one write(2), and rotates, seals and
 * watches the disk's floor. The ring thread never waits: when no buffer is free it leaves the packets in the
 * ring. The pool is taken before the start. Each buffer has one owner at a time: the ring thread, the queue,
 * the writer, the profiler (profiler.h), or the pool. What waits for the profiler is the ring thread's as
 * soon as nothing else is free.
 */
#ifndef CAP_WRITER_H
#define CAP_WRITER_H

#include "node/capture/segment.h"
#include "node/capture/session.h"

#include <pthread.h>

enum {
    CAP_BUFFER_BYTES = 1 << 20, /* a buffer is written when it holds this much */
    CAP_BUFFER_COUNT_MIN = 16,
    CAP_BUFFER_COUNT_MAX = 64,
    CAP_REPORTS_MAX = 64, /* segments sealed or removed that the ring thread has not told the node yet */
};

typedef struct cap_buffer {
    struct cap_buffer *next;
    cap_span span; /* span.data == data once it is put */
    uint8_t *data; /* owned; CAP_BUFFER_BYTES and room for the largest packet */
    /* For the profiler, set by the writer. */
    cap_track track;
    uint8_t *trailer; /* owned: the statistics that ended each segment that this buffer ended */
    size_t trailer_size;
    uint64_t skipped_before; /* packets in files that were not profiled, before the first of this one */
} cap_buffer;

typedef struct cap_profiler cap_profiler;

/* What the ring thread wants to know of the writer. */
typedef struct cap_writer_status {
    cap_outcome outcome;
    cap_segment current;
    fc_stop_reason reason; /* why the capture cannot go on, or none */
    char error[FC_ERROR_TEXT];
} cap_writer_status;

typedef struct cap_writer cap_writer;

/* Takes the buffers and opens the first segment. No thread yet. */
FC_MUST_USE fc_err
cap_writer_new(int dir_fd, const cap_spec *spec, const fc_buf *header, cap_writer **ret_writer,
               fc_fail *fail);
/* Who gets the buffers that were written: borrowed, NULL = nobody. Before the start. */
void
cap_writer_set_profiler(cap_writer *writer, cap_profiler *profiler);
FC_MUST_USE fc_err
cap_writer_start(cap_writer *writer, fc_fail *fail);
/* Not while the thread runs. */
void
cap_writer_free(cap_writer *writer);
/* Readable when there is something new in the status, a report, or a buffer after there was none. */
int
cap_writer_event_fd(const cap_writer *writer);
void
cap_writer_clear_event(cap_writer *writer);

/* A free buffer, now the caller's, or NULL: then the event comes when there is one. */
cap_buffer *
cap_writer_take(cap_writer *writer);
/* Back to the pool, from any thread. */
void
cap_writer_give_back(cap_writer *writer, cap_buffer *buffer);
/* To the end of the queue. */
void
cap_writer_put(cap_writer *writer, cap_buffer *buffer);
/* The statistics that the next seal writes. */
void
cap_writer_set_statistics(cap_writer *writer, const fc_pcapng_statistics *statistics, size_t count);
void
cap_writer_get_status(cap_writer *writer, cap_writer_status *ret_status);
/* The next segment that was sealed or removed; false when there is none. */
bool
cap_writer_take_report(cap_writer *writer, cap_segment *ret_segment);
/* No more will be put. The thread ends when all is written; the event comes then. */
void
cap_writer_finish(cap_writer *writer);
/* True when the thread has ended; reports must be taken until then. */
bool
cap_writer_join(cap_writer *writer);
/* After the thread: seals the segment, or takes it away because the capture never started. */
void
cap_writer_seal(cap_writer *writer, bool discard);
/* The statistics blocks with which that ended the file. Borrowed. */
const fc_buf *
cap_writer_trailer(const cap_writer *writer);
size_t
cap_writer_buffer_count(const cap_writer *writer);

#endif
