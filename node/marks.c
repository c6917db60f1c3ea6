/* marks.c: what of an instance capture the coordinator has seen, and what not. Declared in
 * instance_capture.h. */
#include "node/instance_capture.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

void
nd_instance_capture_changed(nd_instance_capture *capture, bool urgent)
{
    /* From the wall clock, so that a restarted node goes on above what it last said without having to store
     * it. */
    uint64_t floor_ms = (uint64_t)(fc_clock_wall(fc_loop_clock(capture->env->loop)).ns / FC_NS_PER_MS);
    uint64_t next = capture->status.revision + 1;
    capture->status.revision = next > floor_ms ? next : floor_ms;
    capture->mark.revision = capture->status.revision;
    capture->env->changed(capture->env, capture, urgent);
}

void
nd_instance_capture_put_segment(nd_instance_capture *capture, const fc_segment *segment)
{
    fc_status *status = &capture->status;
    size_t before = status->segment_count;
    fc_status_put_segment(status, segment);
    size_t at = status->segment_count - 1;
    while (at > 0 && status->segments[at].sequence > segment->sequence)
        at--;
    if (status->segment_count > before) {
        capture->segment_marks =
            fc_grow_array(capture->segment_marks, status->segment_count, sizeof capture->segment_marks[0]);
        memmove(&capture->segment_marks[at + 1], &capture->segment_marks[at],
                (before - at) * sizeof capture->segment_marks[0]);
        memset(&capture->segment_marks[at], 0, sizeof capture->segment_marks[0]);
    }
    /* The revision that the next change brings, or a later one. */
    capture->segment_marks[at].revision = status->revision + 1;
    if (segment->sequence >= capture->next_sequence)
        capture->next_sequence = segment->sequence + 1;
}

void
nd_instance_capture_remark(nd_instance_capture *capture)
{
    size_t count = capture->status.segment_count;
    free(capture->segment_marks);
    capture->segment_marks = fc_alloc_array(count, sizeof capture->segment_marks[0]);
    for (size_t i = 0; i < count; i++) {
        capture->segment_marks[i].revision = capture->status.revision + 1;
        if (capture->status.segments[i].sequence >= capture->next_sequence)
            capture->next_sequence = capture->status.segments[i].sequence + 1;
    }
}

void
nd_instance_capture_prune(nd_instance_capture *capture)
{
    fc_status *status = &capture->status;
    size_t removed = 0, kept = 0;
    for (size_t i = 0; i < status->segment_count; i++)
        removed += status->segments[i].removed;
    for (size_t i = 0; i < status->segment_count; i++) {
        const nd_mark *mark = &capture->segment_marks[i];
        if (status->segments[i].removed &&
            (mark->acked >= mark->revision || removed > ND_SEGMENTS_REMOVED_MAX)) {
            removed--;
            continue;
        }
        status->segments[kept] = status->segments[i];
        capture->segment_marks[kept++] = *mark;
    }
    status->segment_count = kept;
}
