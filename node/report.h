/* report.h: what the coordinator has not seen yet, as Reports that fit a frame. One is under way at a time;
 * and the same of evidence, beside it.
 *
 * A Report repeats the head of each changed capture and the segments of it that have changed since the last
 * acknowledged Report; what does not fit follows in the next one, under a higher revision.
 */
#ifndef ND_REPORT_H
#define ND_REPORT_H

#include "node/node.h"

#include <stdbool.h>

typedef struct Fcpb__HelloRequest Fcpb__HelloRequest;
typedef struct Fcpb__ReportRequest Fcpb__ReportRequest;
typedef struct Fcpb__ReportEvidenceRequest Fcpb__ReportEvidenceRequest;

enum {
    ND_REPORT_BYTES_MAX = 56 * 1024, /* of FC_RPC_FRAME_MAX, with room for the frame's own */
    ND_REPORT_SEGMENTS_MAX = 96,     /* of one capture in one Report: at most about 36 KiB */
    ND_REPORT_PROFILE_MS = 3000,     /* between two profiles of a capture that runs */
};

/* Hello, with the digest of what this node has. Freed by the caller with protobuf_c_message_free_unpacked. */
Fcpb__HelloRequest *
nd_report_hello(const nd_node *node);
/* NULL when all was told. The caller frees it in the same way, and says later whether it arrived. */
Fcpb__ReportRequest *
nd_report_next(nd_node *node);
bool
nd_report_pending(const nd_node *node);
void
nd_report_acked(nd_node *node);
void
nd_report_lost(nd_node *node);
/* A new connection: everything is to be told again, but evidence that was acknowledged after its capture's
 * end: that is stored. */
void
nd_report_all(nd_node *node);

/* One item of evidence, the longest untold first; NULL when there is none now. Freed and answered for as a
 * Report. */
Fcpb__ReportEvidenceRequest *
nd_report_evidence_next(nd_node *node, fc_mono now);
bool
nd_report_evidence_pending(const nd_node *node);
void
nd_report_evidence_acked(nd_node *node);
void
nd_report_evidence_lost(nd_node *node);

#endif
