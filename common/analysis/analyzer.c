#include "common/analysis/state.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <stdlib.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define TIME_MAX ((int64_t)1 << 62) /* differences of times never overflow */

/* ---- what is over ---- */

static void
conversation_ended(void *user, fc_conversation *conversation, fc_conversation_end why)
{
    fc_analyzer *analyzer = user;
    fc_told told;
    fc_told_make(analyzer, conversation, analyzer->latest_ns, &told);
    fc_record_conversation(analyzer->profile, &told);
    analyzer->profile->counters[FC_COUNTER_CONVERSATIONS_EVICTED] += why == FC_END_EVICTED;
    if (analyzer->observer.conversation != NULL) {
        fc_conversation_summary *summary = &told.summary;
        fc_community_id(summary->protocol, &summary->local, summary->local_port, &summary->remote,
                        summary->remote_port, summary->community_id);
        analyzer->observer.conversation(analyzer->observer_user, summary);
    }
    if (conversation->key.protocol == FC_IP_TCP) {
        fc_stream_give(&analyzer->streams, conversation->tcp->stream);
        fc_slab_give(&analyzer->tcp, conversation->tcp);
    }
    fc_error_table_give(&analyzer->errors, conversation->errors);
    if (analyzer->last == conversation)
        analyzer->last = NULL;
    if (conversation->key.protocol == FC_IP_UDP)
        fc_familiar_forget(&analyzer->familiar, conversation);
}

static void
dns_done(void *user, const fc_dns_transaction *transaction)
{
    fc_analyzer *analyzer = user;
    fc_record_dns(analyzer->profile, transaction);
    if (analyzer->observer.dns != NULL)
        analyzer->observer.dns(analyzer->observer_user, transaction);
}

static void
pending_done(void *user, const fc_pending_request *request)
{
    fc_analyzer *analyzer = user;
    fc_record_pending(analyzer->profile, request);
}

static bool
is_to_local(const fc_analyzer *analyzer, const fc_datagram *datagram)
{
    fc_address source = fc_datagram_source(datagram);
    return !fc_subject_is_local(analyzer, &source);
}

static void
fragments_lost(void *user, const fc_datagram *datagram)
{
    fc_analyzer *analyzer = user;
    fc_record_fragments_lost(analyzer->profile, datagram, is_to_local(analyzer, datagram));
}

/* ---- life ---- */

fc_analyzer *
fc_analyzer_new(const fc_analyzer_options *options)
{
    static const fc_analyzer_options defaults;
    if (options == NULL)
        options = &defaults;
    size_t max = options->conversations_max != 0 ? options->conversations_max : FC_CONVERSATIONS_DEFAULT;
    fc_analyzer *analyzer = FC_NEW(fc_analyzer);
    analyzer->profile = fc_profile_new();
    analyzer->file = FC_CONVERSATION_NO_FILE;
    fc_conversations_init(&analyzer->conversations, max, conversation_ended, analyzer);
    uint32_t places = analyzer->conversations.places_max;
    fc_slab_init(&analyzer->tcp, sizeof(fc_tcp), places);
    fc_streams_init(&analyzer->streams, places, fc_traffic_message, analyzer);
    analyzer->fragments.lost = fragments_lost;
    analyzer->fragments.user = analyzer;
    analyzer->dns = fc_dns_new(dns_done, analyzer);
    analyzer->pending = fc_pending_new(pending_done, analyzer);
    if (options->observer != NULL)
        analyzer->observer = *options->observer;
    analyzer->observer_user = options->observer_user;
    analyzer->long_way = options->long_way;
    return analyzer;
}

static void
free_stream(void *user, const fc_conversation *conversation)
{
    fc_analyzer *analyzer = user;
    if (conversation->key.protocol == FC_IP_TCP)
        fc_stream_give(&analyzer->streams, conversation->tcp->stream);
}

void
fc_analyzer_free(fc_analyzer *analyzer)
{
    if (analyzer == NULL)
        return;
    fc_conversations_each(&analyzer->conversations, free_stream, analyzer);
    fc_conversations_fini(&analyzer->conversations);
    fc_slab_fini(&analyzer->tcp);
    fc_streams_fini(&analyzer->streams);
    fc_error_table_fini(&analyzer->errors);
    fc_leap_fini(&analyzer->leap);
    fc_dns_free(analyzer->dns);
    fc_pending_free(analyzer->pending);
    fc_profile_free(analyzer->profile);
    free(analyzer->file_name);
    free(analyzer);
}

void
fc_analyzer_file(fc_analyzer *analyzer, const char *name)
{
    const char *slash = strrchr(name, '/');
    uint32_t file = fc_profile_file(analyzer->profile, slash != NULL ? slash + 1 : name);
    analyzer->file = file < FC_PROFILE_FILES_MAX ? (uint8_t)file : FC_CONVERSATION_NO_FILE;
    analyzer->frame = 0;
    if (analyzer->file_name == NULL)
        analyzer->file_name = fc_strdup(name);
}

void
fc_analyzer_missed(fc_analyzer *analyzer, uint64_t packets)
{
    analyzer->profile->counters[FC_COUNTER_CAPTURE_UNPROFILED] += packets;
    analyzer->frame += packets;
}

void
fc_analyzer_local_address(fc_analyzer *analyzer, const fc_address *address)
{
    fc_profile_add_local_address(analyzer->profile, address);
}

/* ---- time ---- */

static void
put_second(const fc_second *second, fc_profile *profile)
{
    static const struct {
        fc_direction direction;
        fc_series_id packets, bytes;
    } rows[] = {
        {FC_DIRECTION_INBOUND, FC_SERIES_PACKETS_IN, FC_SERIES_BYTES_IN},
        {FC_DIRECTION_OUTBOUND, FC_SERIES_PACKETS_OUT, FC_SERIES_BYTES_OUT},
    };
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        if (second->packets[rows[i].direction] == 0)
            continue;
        fc_series_add(&profile->series, rows[i].packets, second->start_ns,
                      second->packets[rows[i].direction]);
        fc_series_add(&profile->series, rows[i].bytes, second->start_ns, second->bytes[rows[i].direction]);
    }
}

/* Another second than that of the packet before; when it is a new one, what has become too old is judged. */
static void
turn_second(fc_analyzer *analyzer, int64_t unix_ns)
{
    put_second(&analyzer->second, analyzer->profile);
    int64_t start = unix_ns / FC_NS_PER_S * FC_NS_PER_S;
    analyzer->second = (fc_second){.start_ns = start, .end_ns = start + FC_NS_PER_S};
    if (unix_ns < analyzer->tick_ns)
        return;
    analyzer->tick_ns = start + FC_NS_PER_S;
    analyzer->latest_ns = unix_ns;
    fc_dns_expire(analyzer->dns, unix_ns);
    fc_pending_expire(analyzer->pending, unix_ns);
    fc_fragments_expire(&analyzer->fragments, unix_ns);
    fc_conversations_expire(&analyzer->conversations, unix_ns);
}

static void
note_time(fc_profile_subject *subject, int64_t unix_ns)
{
    if (subject->first_packet_ns == 0 || unix_ns < subject->first_packet_ns)
        subject->first_packet_ns = unix_ns;
}

/* ---- packets ---- */

static inline void
count(fc_analyzer *analyzer, const fc_sighting *sighting)
{
    static const struct {
        uint8_t packets, bytes;
    } counters[3] = {
        [FC_DIRECTION_UNKNOWN] = {FC_COUNTER_PACKETS_UNORIENTED, FC_COUNTER_BYTES_UNORIENTED},
        [FC_DIRECTION_INBOUND] = {FC_COUNTER_PACKETS_IN, FC_COUNTER_BYTES_IN},
        [FC_DIRECTION_OUTBOUND] = {FC_COUNTER_PACKETS_OUT, FC_COUNTER_BYTES_OUT},
    };
    uint64_t *values = analyzer->profile->counters, bytes = sighting->frame->original_bytes;
    unsigned direction = sighting->direction;
    values[counters[direction].packets]++;
    values[counters[direction].bytes] += bytes;
    analyzer->second.packets[direction]++;
    analyzer->second.bytes[direction] += bytes;
}

__attribute__((always_inline)) static inline void
take_frame(fc_analyzer *analyzer, const fc_frame *seen, int64_t unix_ns, uint64_t number)
{
    uint64_t *counters = analyzer->profile->counters;
    fc_sighting sighting; /* the parser clears the packet in it: to clear it all twice costs a twentieth */
    sighting.frame = seen;
    sighting.unix_ns = unix_ns;
    sighting.number = number;
    if (unix_ns > analyzer->latest_ns)
        analyzer->latest_ns = unix_ns;
    if (UNLIKELY(unix_ns < analyzer->profile->subject.first_packet_ns ||
                 analyzer->profile->subject.first_packet_ns == 0))
        note_time(&analyzer->profile->subject, unix_ns);
    sighting.direction =
        seen->direction <= FC_DIRECTION_OUTBOUND ? (uint8_t)seen->direction : FC_DIRECTION_UNKNOWN;
    counters[FC_COUNTER_PACKETS_TRUNCATED] += seen->captured_bytes < seen->original_bytes;
    if (fc_traffic_familiar(analyzer, &sighting)) {
        count(analyzer, &sighting);
        return;
    }
    fc_packet_parse(seen->link_type, seen->data, seen->captured_bytes, seen->original_bytes,
                    &sighting.packet);
    sighting.interface =
        (uint16_t)(sighting.packet.interface != 0 ? sighting.packet.interface : seen->interface);
    if (UNLIKELY(sighting.direction == FC_DIRECTION_UNKNOWN))
        sighting.direction = sighting.packet.direction;
    counters[FC_COUNTER_PACKETS_VLAN] += sighting.packet.vlan_count > 0;
    if (LIKELY(sighting.packet.kind == FC_PACKET_IP)) {
        fc_traffic_ip(analyzer, &sighting);
    } else if (sighting.packet.kind == FC_PACKET_ARP) {
        counters[FC_COUNTER_ARP_PACKETS]++;
        fc_control_arp(analyzer, &sighting);
    } else {
        counters[sighting.packet.kind == FC_PACKET_NOT_IP ? FC_COUNTER_PACKETS_NOT_IP
                                                          : FC_COUNTER_PACKETS_UNDECODED]++;
    }
    count(analyzer, &sighting);
}

/* The packet that was held, at the time that was decided. */
static void
take_held(fc_analyzer *analyzer, bool right, int64_t unix_ns)
{
    uint8_t file = analyzer->file;
    analyzer->leap.held = false;
    analyzer->profile->counters[FC_COUNTER_PACKETS_AHEAD] += !right;
    analyzer->file = analyzer->leap.file;
    turn_second(analyzer, unix_ns);
    take_frame(analyzer, &analyzer->leap.frame, unix_ns, analyzer->leap.number);
    analyzer->file = file;
}

/* Nobody knows yet what comes after it. */
static void
take_last_held(fc_analyzer *analyzer)
{
    int64_t unix_ns;
    if (!analyzer->leap.held)
        return;
    bool right = fc_leap_decide_last(&analyzer->leap, analyzer->latest_ns, analyzer->profile->subject.end_ns,
                                     &unix_ns);
    take_held(analyzer, right, unix_ns);
}

/* A packet of another second than the one before. False: it is held. While one is, no second goes on, so that
 * the next packet comes here. */
__attribute__((noinline)) static bool
may_turn(fc_analyzer *analyzer, const fc_frame *seen, int64_t unix_ns, uint64_t number)
{
    if (analyzer->leap.held) {
        int64_t held_ns;
        bool right = fc_leap_decide(&analyzer->leap, analyzer->latest_ns, unix_ns, &held_ns);
        take_held(analyzer, right, held_ns);
    }
    if (unix_ns - analyzer->latest_ns <= FC_LEAP_NS) {
        turn_second(analyzer, unix_ns);
        return true;
    }
    put_second(&analyzer->second, analyzer->profile);
    analyzer->second = (fc_second){0};
    fc_leap_hold(&analyzer->leap, seen, unix_ns, analyzer->file, number);
    return false;
}

static void
frame(fc_analyzer *analyzer, const fc_frame *seen)
{
    int64_t unix_ns = seen->unix_ns < 0 ? 0 : seen->unix_ns > TIME_MAX ? TIME_MAX : seen->unix_ns;
    uint64_t number = ++analyzer->frame;
    if (UNLIKELY(unix_ns >= analyzer->second.end_ns || unix_ns < analyzer->second.start_ns) &&
        !may_turn(analyzer, seen, unix_ns, number))
        return;
    take_frame(analyzer, seen, unix_ns, number);
}

void
fc_analyzer_block(fc_analyzer *analyzer, const fc_block *block)
{
    switch (block->kind) {
    case FC_BLOCK_FRAME:
        frame(analyzer, &block->frame);
        break;
    case FC_BLOCK_SECTION:
        fc_subject_section(analyzer, block->comment);
        break;
    case FC_BLOCK_INTERFACE:
        fc_subject_interface(analyzer, block->interface);
        break;
    case FC_BLOCK_STATISTICS:
        fc_subject_statistics(analyzer, block->interface, &block->statistics);
        break;
    case FC_BLOCK_MORE:
    case FC_BLOCK_OTHER:
    case FC_BLOCK_CORRUPT:
        break;
    }
}

fc_err
fc_analyzer_input(fc_analyzer *analyzer, fc_input *input, const char *name, fc_fail *fail)
{
    fc_analyzer_file(analyzer, name);
    for (;;) {
        fc_input_event event;
        const fc_block *block;
        fc_err err = fc_input_next(input, &event, &block, fail);
        if (err != FC_OK)
            return err;
        if (event == FC_INPUT_END)
            return FC_OK;
        fc_analyzer_block(analyzer, block);
    }
}

/* ---- snapshots ---- */

typedef struct snapshot {
    const fc_analyzer *analyzer;
    fc_profile *profile;
    int64_t unix_ns;
} snapshot;

static void
judge_conversation(void *user, const fc_conversation *conversation)
{
    const snapshot *to = user;
    fc_told told;
    fc_told_make(to->analyzer, conversation, to->unix_ns, &told);
    fc_record_conversation(to->profile, &told);
}

static void
judge_dns(void *user, const fc_dns_transaction *transaction)
{
    const snapshot *to = user;
    fc_record_dns(to->profile, transaction);
}

static void
judge_pending(void *user, const fc_pending_request *request)
{
    const snapshot *to = user;
    fc_record_pending(to->profile, request);
}

static void
judge_fragments(void *user, const fc_datagram *datagram)
{
    const snapshot *to = user;
    fc_record_fragments_lost(to->profile, datagram, is_to_local(to->analyzer, datagram));
}

/* As at the latest packet, or the end that the statistics named. */
static int64_t
judgement_day(const fc_analyzer *analyzer)
{
    int64_t end_ns = analyzer->profile->subject.end_ns;
    if (end_ns > TIME_MAX)
        end_ns = TIME_MAX;
    return end_ns > analyzer->latest_ns ? end_ns : analyzer->latest_ns;
}

void
fc_analyzer_profile(fc_analyzer *analyzer, fc_profile *ret_profile)
{
    take_last_held(analyzer);
    snapshot to = {analyzer, ret_profile, judgement_day(analyzer)};
    fc_profile_copy(ret_profile, analyzer->profile);
    put_second(&analyzer->second, ret_profile);
    ret_profile->subject.last_packet_ns = analyzer->latest_ns;
    fc_conversations_each(&analyzer->conversations, judge_conversation, &to);
    fc_dns_each_open(analyzer->dns, to.unix_ns, judge_dns, &to);
    fc_pending_each_open(analyzer->pending, to.unix_ns, judge_pending, &to);
    fc_fragments_each_lost(&analyzer->fragments, to.unix_ns, judge_fragments, &to);
    fc_subject_finish(analyzer, ret_profile);
}

static void
tell_conversation(void *user, const fc_conversation *conversation)
{
    const snapshot *to = user;
    fc_told told;
    fc_told_make(to->analyzer, conversation, to->unix_ns, &told);
    fc_conversation_summary *summary = &told.summary;
    fc_community_id(summary->protocol, &summary->local, summary->local_port, &summary->remote,
                    summary->remote_port, summary->community_id);
    to->analyzer->observer.conversation(to->analyzer->observer_user, summary);
}

void
fc_analyzer_finish(fc_analyzer *analyzer)
{
    take_last_held(analyzer);
    snapshot to = {analyzer, NULL, judgement_day(analyzer)};
    if (analyzer->observer.conversation != NULL)
        fc_conversations_each(&analyzer->conversations, tell_conversation, &to);
    if (analyzer->observer.dns != NULL)
        fc_dns_each_open(analyzer->dns, to.unix_ns, analyzer->observer.dns, analyzer->observer_user);
}
