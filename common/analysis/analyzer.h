/* analyzer.h: packets in, one profile out.
 *
 * frame -> packet.c (headers) -> traffic.c and conversations.c (five-tuple, ends.c: which end is ours) ->
 * tcp.c, stream.c (bytes in order for dns.c and tls.c), control.c (icmp.c, ARP) -> told.c (the end of a
 * conversation, judged) -> record.c (into the profile). The same code runs in fleetcap-capture and in
 * `fleetcap analyze`, over the same blocks, and decides by the packets' timestamps alone, so that both give
 * the same profile. One thread; memory is bounded by the options (docs/profile.md); no clock, no I/O.
 */
#ifndef FC_ANALYSIS_ANALYZER_H
#define FC_ANALYSIS_ANALYZER_H

#include "common/analysis/observer.h"
#include "common/base/err.h"
#include "common/pcapng/blocks.h"
#include "common/pcapng/input.h"
#include "common/profile/profile.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct fc_analyzer_options {
    size_t conversations_max; /* 0 = FC_CONVERSATIONS_DEFAULT; the least recently seen are summed up early
                                 beyond it */
    const fc_analysis_observer *observer; /* borrowed; NULL = nobody looks */
    void *observer_user;
    bool long_way; /* take no short cut: for tests, which compare */
} fc_analyzer_options;

/* Live and files must agree: the same default for both. Bytes per conversation: docs/profile.md. */
enum { FC_CONVERSATIONS_DEFAULT = 1 << 15 };

typedef struct fc_analyzer fc_analyzer;
fc_analyzer *
fc_analyzer_new(const fc_analyzer_options *options); /* NULL = defaults */
void
fc_analyzer_free(fc_analyzer *analyzer);

/* What follows is from this file (base name): frames count from 1 again. */
void
fc_analyzer_file(fc_analyzer *analyzer, const char *name);
/* One block of a capture: section, interface, frame, statistics. Identity (capture, instance) is read from
 * the comments and descriptions that fleetcap-capture writes; a file of another program stands for an
 * instance with the file's name. */
void
fc_analyzer_block(fc_analyzer *analyzer, const fc_block *block);
/* Packets that are the next ones of the file but will not come here. */
void
fc_analyzer_missed(fc_analyzer *analyzer, uint64_t packets);
/* Addresses that are local whatever the direction flags say. */
void
fc_analyzer_local_address(fc_analyzer *analyzer, const fc_address *address);
/* A whole file through the analyzer. FC_ERR_CORRUPT: what came before counts. */
FC_MUST_USE fc_err
fc_analyzer_input(fc_analyzer *analyzer, fc_input *input, const char *name, fc_fail *fail);

/* The profile as if the capture ended here: every open conversation is judged by what was seen of it until
 * the latest packet (or the end that the statistics named). Does not change the analyzer: live profiles are
 * snapshots. (But for one thing: a packet that is far ahead of all before, and waits for the next one to bear
 * it out, no longer waits; leap.h.) */
void
fc_analyzer_profile(fc_analyzer *analyzer, fc_profile *ret_profile);
/* Tells the observer of everything that is still open; the analyzer is only good for _free after. */
void
fc_analyzer_finish(fc_analyzer *analyzer);

#endif
