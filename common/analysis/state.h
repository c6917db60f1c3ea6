/* state.h: what an analyzer holds; for its own files. */
#ifndef FC_ANALYSIS_STATE_H
#define FC_ANALYSIS_STATE_H

#include "common/analysis/analyzer.h"
#include "common/analysis/conversations.h"
#include "common/analysis/dns.h"
#include "common/analysis/errors.h"
#include "common/analysis/familiar.h"
#include "common/analysis/fragments.h"
#include "common/analysis/leap.h"
#include "common/analysis/packet.h"
#include "common/analysis/pending.h"
#include "common/analysis/record.h"
#include "common/analysis/slab.h"
#include "common/analysis/stream.h"
#include "common/analysis/tcp.h"

enum { FC_ANALYZER_LIVES_MAX = 64, FC_ANALYZER_NAME_SIZE = 64 };

/* The statistics of one interface in one life of the capture program: they only grow, so that the largest are
 * the last. */
typedef struct fc_capture_life {
    char name[FC_ANALYZER_NAME_SIZE];
    uint32_t index;
    int64_t start_ns;
    uint64_t matched, dropped, interface_dropped;
} fc_capture_life;

/* Packets and bytes of the second that is going on, by fc_direction: they go into the series when it is over.
 */
typedef struct fc_second {
    int64_t start_ns, end_ns;
    uint64_t packets[3], bytes[3];
} fc_second;

/* A packet on its way. */
typedef struct fc_sighting {
    const fc_frame *frame;
    fc_packet packet;
    int64_t unix_ns;
    uint64_t number; /* of the frame in its file */
    uint8_t direction;
    uint16_t interface; /* tells interfaces of one capture apart */
} fc_sighting;

struct fc_analyzer {
    fc_profile *profile; /* owned: all that is over */
    fc_second second;
    fc_conversation *last; /* weak: cleared when it ends; packets come in trains */
    fc_familiar familiar;
    bool long_way;     /* every packet; fc_analyzer_options */
    int64_t latest_ns; /* of all packets */
    int64_t tick_ns;   /* when time must be looked at next */
    fc_leap leap;
    uint64_t frame; /* of this file, from 1 */
    uint8_t file;
    fc_conversations conversations;
    fc_slab tcp;
    fc_streams streams;
    fc_conversation *streaming; /* weak: whose bytes the parser gets, during the call */
    fc_error_table errors;
    fc_fragments fragments;
    fc_dns *dns;         /* owned */
    fc_pending *pending; /* owned */
    fc_analysis_observer observer;
    void *observer_user;
    char *file_name;     /* owned: the first file's, the instance's name where nobody says a better one */
    int64_t told_end_ns; /* by the statistics; 0 = not told */
    fc_capture_life lives[FC_ANALYZER_LIVES_MAX];
    size_t life_count;
};

/* ---- subject.c: whose capture it is, and how honest ---- */

void
fc_subject_section(fc_analyzer *analyzer, const char *comment);
void
fc_subject_interface(fc_analyzer *analyzer, const fc_capture_interface *interface);
void
fc_subject_statistics(fc_analyzer *analyzer, const fc_capture_interface *interface,
                      const fc_capture_statistics *statistics);
/* What is only known at the end, into a snapshot. */
void
fc_subject_finish(const fc_analyzer *analyzer, fc_profile *profile);
bool
fc_subject_is_local(const fc_analyzer *analyzer, const fc_address *address);

/* ---- ends.c: who is local, who began ---- */

/* Sets the ends of a conversation by its first packet, and learns local addresses. */
void
fc_ends_settle(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side,
               const fc_sighting *sighting);

/* ---- traffic.c: packets into conversations ---- */

void
fc_traffic_ip(fc_analyzer *analyzer, fc_sighting *sighting);
/* The short way for a datagram of a conversation that is known by its looks; the sighting needs no packet.
 * False: nothing has been done. */
bool
fc_traffic_familiar(fc_analyzer *analyzer, fc_sighting *sighting);
/* Bytes that the streams have put in order: DNS over TCP. */
void
fc_traffic_message(void *user, unsigned side, const fc_stream_held *segment, const uint8_t *data,
                   size_t size);
/* Finds or begins. Returns the side that is the source. */
fc_conversation *
fc_traffic_conversation(fc_analyzer *analyzer, const fc_sighting *sighting, uint8_t protocol,
                        uint16_t source_port, uint16_t destination_port, unsigned *ret_side);
static inline void
fc_traffic_count(fc_analyzer *analyzer, fc_conversation *conversation, unsigned side,
                 const fc_sighting *sighting)
{
    fc_conversations_touch(&analyzer->conversations, conversation, sighting->unix_ns);
    conversation->last_file = analyzer->file;
    conversation->packets[side]++;
    conversation->bytes[side] += sighting->frame->original_bytes;
}

/* ---- control.c: ICMP, ARP, neighbour discovery ---- */

void
fc_control_icmp(fc_analyzer *analyzer, fc_sighting *sighting);
void
fc_control_arp(fc_analyzer *analyzer, fc_sighting *sighting);

/* ---- told.c: a conversation, judged ---- */

void
fc_told_make(const fc_analyzer *analyzer, const fc_conversation *conversation, int64_t unix_ns,
             fc_told *ret_told);

#endif
