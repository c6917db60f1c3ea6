/* segment.h: the files of a capture: begun as PREFIX_NNNN.pcapng.part, whole up to the last block at any
 * moment, sealed with statistics, made durable and renamed to PREFIX_NNNN.pcapng.
 *
 * Only the writer thread is here after the start, and it may block. Blocks that come in are never cut in two:
 * where a segment is full, or the disk, is decided at a block's edge. Nothing is allocated after
 * cap_segments_open.
 */
#ifndef CAP_SEGMENT_H
#define CAP_SEGMENT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/pcapng/pcapng.h"
#include "node/capture/spec.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CAP_SEGMENT_NAME = 136,
    CAP_SEGMENT_ROOM = 1 << 12,
    CAP_SEGMENT_PAGE = 4096,                    /* what O_DIRECT is aligned to: no device wants more */
    CAP_SEGMENT_PADDING = 2 * CAP_SEGMENT_PAGE, /* more than a padding block ever takes */
};

/* Whole Enhanced Packet Blocks in memory, and what they hold. */
typedef struct cap_span {
    const uint8_t *data; /* borrowed */
    size_t size;
    uint64_t packets, bytes;   /* captured bytes, without the blocks' own */
    int64_t first_ns, last_ns; /* of the earliest and the latest packet; 0 when there is none */
} cap_span;

/* The longest run of whole blocks at the start of data that takes at most `limit` bytes. */
cap_span
cap_span_measure(const uint8_t *data, size_t size, size_t limit);

/* Where a run of blocks went. */
typedef struct cap_piece {
    const uint8_t *data; /* borrowed: as the blocks that were appended */
    size_t size;
    uint64_t packets;
    uint64_t first_frame; /* number of the first packet in its file, from 1 */
    uint32_t sequence;    /* of the segment */
} cap_piece;

enum { CAP_PIECES_MAX = 32 };

/* Where the blocks of one buffer went, in order. */
typedef struct cap_track {
    cap_piece pieces[CAP_PIECES_MAX];
    size_t count;
    uint64_t untold; /* packets that are in files too, behind the last piece that there was room for */
} cap_track;

/* What became of a segment, for the node. */
typedef struct cap_segment {
    uint32_t sequence;
    char name[CAP_SEGMENT_NAME];
    uint64_t size_bytes, packets;
    int64_t first_ns, last_ns;
    bool sealed, removed;
} cap_segment;

typedef void (*cap_segment_report)(void *user, const cap_segment *segment);

/* Pure: the name of a sealed segment. */
void
cap_segment_name(const cap_spec *spec, uint32_t sequence, char ret_name[CAP_SEGMENT_NAME]);

typedef struct cap_segments {
    int dir_fd;           /* borrowed */
    const cap_spec *spec; /* borrowed */
    int fd;               /* of the open segment, -1 = none */
    int direct_fd;        /* the same with O_DIRECT, -1 = not possible */
    cap_segment current;
    fc_buf header;  /* owned: section header and interfaces, the same in every segment */
    fc_buf trailer; /* owned: the statistics blocks that the next seal appends */
    size_t trailer_max;
    uint64_t total_bytes;      /* of all segments that this process wrote and that are still there */
    uint64_t *sizes;           /* owned: of the last spec->segment_count segments, by sequence modulo that */
    bool failed;               /* the open segment takes no more packets */
    cap_track *track;          /* borrowed: is told where blocks go; NULL = nobody wants to know */
    cap_segment_report report; /* of segments sealed and removed */
    void *user;
} cap_segments;

/* Opens the first segment. header: section header and interface blocks, copied. */
FC_MUST_USE fc_err
cap_segments_open(cap_segments *segments, int dir_fd, const cap_spec *spec, const fc_buf *header,
                  cap_segment_report report, void *user, fc_fail *fail);
void
cap_segments_fini(cap_segments *segments);
/* Appends blocks, in several segments where the ring says so. On failure *ret_kept (set in any case) is what
 * is in the files all the same; the segment ends with a whole block and takes no more. FC_ERR_NO_SPACE when
 * the disk is full. */
FC_MUST_USE fc_err
cap_segments_append(cap_segments *segments, cap_span blocks, cap_span *ret_kept, fc_fail *fail);
/* The same past the page cache, if the blocks are many, all fit into this segment, and the file system can.
 * data: the blocks' memory, at a page's edge, with CAP_SEGMENT_PADDING bytes behind them that are
 * overwritten. False when nothing was appended: then cap_segments_append has to. */
bool
cap_segments_append_direct(cap_segments *segments, uint8_t *data, cap_span blocks);
/* What the next seal appends: count statistics blocks. */
void
cap_segments_set_trailer(cap_segments *segments, const fc_pcapng_statistics *statistics, size_t count);
/* Statistics, fsync, rename, fsync of the directory; the segment is reported. Without an open segment
 * nothing. */
FC_MUST_USE fc_err
cap_segments_seal(cap_segments *segments, fc_fail *fail);
/* Takes the open segment away: the capture never started. */
void
cap_segments_discard(cap_segments *segments);

#endif
