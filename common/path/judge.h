/* judge.h: of everything that is missing at the receiving end: did the network lose it, or can that not be
 * said, and why. */
#ifndef FC_PATH_JUDGE_H
#define FC_PATH_JUDGE_H

#include "common/path/match.h"

/* One flow at work. */
typedef struct fc_path_job {
    fc_path_match match;
    const fc_path_stream *sent, *arrived; /* borrowed; NULL = that end does not show it */
    fc_path_flow *flow;                   /* borrowed */
    bool undecided;                       /* which end sends it is not known */
} fc_path_job;

/* What is known of the receiving captures, by end. */
typedef struct fc_path_trust {
    const fc_path_side *sides; /* borrowed; both */
    bool lossless;
    uint64_t misses[2]; /* packets that certainly arrived, and that this end's capture does not show */
} fc_path_trust;

/* Adds to trust->misses. */
void
fc_path_judge_misses(const fc_path_job *job, fc_path_trust *trust);
/* Sets lost, not_provable, reasons, examples and the verdict of the job's flow. */
void
fc_path_judge_flow(fc_path_job *job, const fc_path_trust *trust);
/* From the counts and the delay. */
void
fc_path_judge_verdict(fc_path_flow *flow);

#endif
