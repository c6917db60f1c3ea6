#include "common/path/judge.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What a filter may ask for that a conversation's other packets do not show: lengths, bytes of the headers.
 */
static const char *const filter_words_of_some_packets[] = {"less", "greater", "len", "[", "tcpflags"};
/* And what means something else at the other end. */
static const char *const filter_words_of_one_end[] = {"inbound", "outbound", "ifname",
                                                      "on ",     "ether",    "vlan"};

static bool
has_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

/* Can the receiver's filter not have excluded a packet that the sender shows? */
static bool
filter_lets_pass(const fc_path_job *job, const fc_path_trust *trust)
{
    const fc_path_side *sender = &trust->sides[job->match.way == FC_PATH_A_TO_B ? 0 : 1];
    const fc_path_side *receiver = &trust->sides[job->match.way == FC_PATH_A_TO_B ? 1 : 0];
    if (!receiver->filter_known)
        return false;
    if (receiver->filter == NULL)
        return true;
    const fc_path_flow *flow = job->flow;
    bool translated = fc_address_compare(&flow->source, &flow->far_source) != 0 ||
                      flow->source_port != flow->far_source_port ||
                      fc_address_compare(&flow->destination, &flow->far_destination) != 0 ||
                      flow->destination_port != flow->far_destination_port;
    return !translated && sender->filter_known && sender->filter != NULL &&
           strcmp(sender->filter, receiver->filter) == 0 &&
           !has_word(receiver->filter, filter_words_of_one_end, FC_COUNT(filter_words_of_one_end));
}

static bool
filter_splits_conversations(const fc_path_side *receiver)
{
    return receiver->filter != NULL &&
           has_word(receiver->filter, filter_words_of_some_packets, FC_COUNT(filter_words_of_some_packets));
}

static const fc_path_side *
receiver_of(const fc_path_job *job, const fc_path_trust *trust)
{
    return &trust->sides[job->match.way == FC_PATH_A_TO_B ? FC_PATH_B : FC_PATH_A];
}

/* Would it have arrived within what the receiver's capture covers, however late? FC_PATH_REASON_COUNT: yes.
 */
static fc_path_reason
window_reason(const fc_path_job *job, const fc_path_packet *packet)
{
    int64_t earliest, latest;
    if (!fc_path_clocks_expect(job->match.clocks, job->match.way, packet->unix_ns, &earliest, &latest))
        return FC_PATH_REASON_CLOCK;
    bool covered = fc_path_capture_covers(job->match.receiver, earliest, latest + FC_PATH_LATE_NS);
    return covered ? FC_PATH_REASON_COUNT : FC_PATH_REASON_WINDOW;
}

/* Why it cannot be said of this one that it was lost; FC_PATH_REASON_COUNT: it was. */
static fc_path_reason
reason_of(const fc_path_job *job, const fc_path_missing *missing, const fc_path_trust *trust)
{
    const fc_path_match *match = &job->match;
    const fc_path_side *receiver = receiver_of(job, trust);
    if (fc_address_is_multicast(&job->sent->destination))
        return FC_PATH_REASON_MULTICAST;
    if (job->undecided)
        return FC_PATH_REASON_DIRECTION;
    fc_path_reason window = window_reason(job, &match->sender->packets[missing->packet]);
    if (window != FC_PATH_REASON_COUNT)
        return window;
    if ((missing->marks & FC_PATH_MISSING_ACKNOWLEDGED) != 0)
        return FC_PATH_REASON_ACKNOWLEDGED;
    if ((missing->marks & FC_PATH_MISSING_PROVEN) != 0)
        return FC_PATH_REASON_COUNT;
    if (receiver->os_dropped > 0 || receiver->interface_dropped > 0)
        return FC_PATH_REASON_DROPS;
    if (!receiver->drops_known && !trust->lossless)
        return FC_PATH_REASON_DROPS_UNKNOWN;
    if (trust->misses[match->way == FC_PATH_A_TO_B ? FC_PATH_B : FC_PATH_A] > 0)
        return FC_PATH_REASON_CAPTURE_MISSES;
    if ((missing->marks & FC_PATH_MISSING_SHORT) != 0 || match->receiver->cut_headers > 0)
        return FC_PATH_REASON_SNAP_LENGTH;
    if (!filter_lets_pass(job, trust) &&
        (match->arrived_by_class[missing->class] == 0 || filter_splits_conversations(receiver)))
        return FC_PATH_REASON_FILTER;
    if ((missing->marks & FC_PATH_MISSING_UNCLEAR) != 0)
        return FC_PATH_REASON_UNCLEAR;
    return FC_PATH_REASON_COUNT;
}

void
fc_path_judge_misses(const fc_path_job *job, fc_path_trust *trust)
{
    for (size_t i = 0; i < job->match.missing_count; i++) {
        const fc_path_missing *missing = &job->match.missing[i];
        if ((missing->marks & FC_PATH_MISSING_ACKNOWLEDGED) != 0 &&
            window_reason(job, &job->match.sender->packets[missing->packet]) == FC_PATH_REASON_COUNT)
            trust->misses[job->match.way == FC_PATH_A_TO_B ? FC_PATH_B : FC_PATH_A]++;
    }
}

static void
note_lost(fc_path_job *job, const fc_path_missing *missing)
{
    const fc_path_packet *packet = &job->match.sender->packets[missing->packet];
    fc_path_flow *flow = job->flow;
    flow->lost++;
    flow->lost_bytes += missing->bytes;
    flow->lost_acknowledgements += missing->class == FC_PATH_CLASS_BARE;
    if (flow->lost_first == NULL)
        flow->lost_first = fc_alloc_array(FC_PATH_EXAMPLES_MAX, sizeof *flow->lost_first);
    if (flow->lost_first_count < FC_PATH_EXAMPLES_MAX)
        flow->lost_first[flow->lost_first_count++] = (fc_path_example){.file = packet->file,
                                                                       .frame = packet->frame,
                                                                       .unix_ns = packet->unix_ns,
                                                                       .sequence = packet->sequence,
                                                                       .bytes = missing->bytes};
}

static int
by_packet(const void *left, const void *right)
{
    const fc_path_missing *a = left, *b = right;
    return a->packet < b->packet ? -1 : a->packet > b->packet;
}

void
fc_path_judge_verdict(fc_path_flow *flow)
{
    const fc_path_delay *delay = &flow->delay;
    flow->reason = FC_PATH_REASON_COUNT;
    if (flow->not_provable > 0)
        for (size_t i = 0; i < FC_PATH_REASON_COUNT; i++)
            if (flow->reason == FC_PATH_REASON_COUNT || flow->reasons[i] > flow->reasons[flow->reason])
                flow->reason = (fc_path_reason)i;
    if (flow->lost > 0)
        flow->verdict = FC_PATH_LOST;
    else if (flow->altered > 0)
        flow->verdict = FC_PATH_ALTERED;
    else if (delay->count > 0 && delay->p95_ns - delay->min_ns > FC_PATH_DELAYED_NS)
        flow->verdict = FC_PATH_DELAYED;
    else if (flow->not_provable > 0)
        flow->verdict = FC_PATH_NOT_PROVABLE;
    else
        flow->verdict = flow->arrived > 0 ? FC_PATH_DELIVERED : FC_PATH_NOTHING;
}

void
fc_path_judge_flow(fc_path_job *job, const fc_path_trust *trust)
{
    fc_path_match *match = &job->match;
    if (match->missing_count > 1)
        qsort(match->missing, match->missing_count, sizeof *match->missing, by_packet);
    for (size_t i = 0; i < match->missing_count; i++) {
        fc_path_reason reason = reason_of(job, &match->missing[i], trust);
        if (reason == FC_PATH_REASON_COUNT) {
            note_lost(job, &match->missing[i]);
        } else {
            job->flow->not_provable++;
            job->flow->reasons[reason]++;
        }
    }
    fc_path_judge_verdict(job->flow);
}
