#include "common/path/path.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"
#include "common/path/judge.h"
#include "common/path/pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct fc_path {
    fc_path_capture ends[2];
    char *names[2]; /* owned */
    bool lossless;
};

/* All that is at work while it is judged. */
typedef struct work {
    fc_path *path; /* borrowed */
    fc_path_result *result;
    fc_path_clocks clocks;
    fc_path_job *jobs; /* owned; two of each conversation: job 2 i + way is flow `way` of conversation i */
    fc_path_trust trust;
    int64_t *delays[2]; /* owned; of all flows of a way */
    size_t delay_counts[2], delay_capacities[2];
} work;

/* A name that is no text (UTF-8) is made one. Owned. */
static char *
safe_name(const char *name)
{
    char *copy = fc_strdup(name);
    json_t *text = json_string(copy);
    for (char *at = copy; text == NULL && *at != '\0'; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    json_decref(text);
    return copy;
}

fc_path *
fc_path_new(const fc_path_options *options)
{
    static const fc_path_options defaults = {0};
    static const char *const names[] = {"A", "B"};
    if (options == NULL)
        options = &defaults;
    fc_path *path = FC_NEW(fc_path);
    uint64_t seed = 0; /* of the hash tables: without it they still work */
    (void)!getrandom(&seed, sizeof seed, GRND_NONBLOCK);
    size_t packets_max = options->packets_max != 0 ? options->packets_max : FC_PATH_PACKETS_MAX;
    for (int end = 0; end < 2; end++) {
        fc_path_capture_init(&path->ends[end], seed, packets_max);
        path->names[end] = safe_name(options->name[end] != NULL ? options->name[end] : names[end]);
    }
    path->lossless = options->lossless;
    return path;
}

void
fc_path_free(fc_path *path)
{
    if (path == NULL)
        return;
    for (int end = 0; end < 2; end++) {
        fc_path_capture_fini(&path->ends[end]);
        free(path->names[end]);
    }
    free(path);
}

fc_err
fc_path_file(fc_path *path, fc_path_end end, const char *name, fc_fail *fail)
{
    if (path->ends[end].file_count >= FC_PATH_FILES_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "more than %d files of %s", FC_PATH_FILES_MAX,
                           path->names[end]);
    return fc_path_capture_file(&path->ends[end], name, fail);
}

fc_err
fc_path_block(fc_path *path, fc_path_end end, const fc_block *block, fc_fail *fail)
{
    return fc_path_capture_block(&path->ends[end], block, fail);
}

fc_err
fc_path_input(fc_path *path, fc_path_end end, fc_input *input, const char *name, fc_fail *fail)
{
    fc_err err = fc_path_file(path, end, name, fail);
    fc_input_event event = FC_INPUT_FRAME;
    while (err == FC_OK) {
        const fc_block *block;
        err = fc_input_next(input, &event, &block, fail);
        if (err != FC_OK || event == FC_INPUT_END)
            break;
        err = fc_path_block(path, end, block, fail);
    }
    return err;
}

/* ---- one direction of a conversation ---- */

static void
describe_flow(fc_path_job *job)
{
    fc_path_flow *flow = job->flow;
    const fc_path_stream *near = job->sent != NULL ? job->sent : job->arrived;
    flow->seen = job->sent != NULL;
    flow->is_tcp = near->protocol == FC_IP_TCP;
    flow->source = near->source;
    flow->destination = near->destination;
    flow->source_port = near->source_port;
    flow->destination_port = near->destination_port;
    if (job->sent != NULL)
        flow->mss_sent = job->sent->mss;
    if (job->arrived == NULL)
        return;
    flow->far_source = job->arrived->source;
    flow->far_destination = job->arrived->destination;
    flow->far_source_port = job->arrived->source_port;
    flow->far_destination_port = job->arrived->destination_port;
    flow->mss_arrived = job->arrived->mss;
}

/* What was sent; of what the other end does not show at all, everything is missing. */
static void
count_sent(fc_path_job *job)
{
    fc_path_match *match = &job->match;
    for (uint32_t i = 0; job->sent != NULL && i < job->sent->count; i++) {
        const fc_path_packet *packet = fc_path_packet_of(match->sender, job->sent, i);
        if ((packet->marks & FC_PATH_REPEATED) != 0)
            continue;
        job->flow->sent++;
        job->flow->sent_bytes += packet->length;
        if ((packet->marks & FC_PATH_ASIDE) != 0) {
            job->flow->not_examined++;
        } else if (job->arrived == NULL && !job->sent->leads) {
            job->flow->not_provable++;
            job->flow->reasons[FC_PATH_REASON_NOT_SEEN]++;
        } else if (job->arrived == NULL) {
            fc_path_match_missing(match, match->sender->order[job->sent->first + i], packet->length, 0);
        }
    }
    for (uint32_t i = 0; job->sent == NULL && i < job->arrived->count; i++)
        job->flow->unknown_origin +=
            (fc_path_packet_of(match->receiver, job->arrived, i)->marks & FC_PATH_REPEATED) == 0;
}

static int
compare_ns(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static void
sum_up_delay(int64_t *delays, size_t count, bool relative, int64_t bound_ns, fc_path_delay *ret)
{
    if (count == 0)
        return;
    qsort(delays, count, sizeof *delays, compare_ns);
    *ret = (fc_path_delay){.count = count,
                           .relative = relative,
                           .min_ns = delays[0],
                           .p50_ns = delays[(count - 1) / 2],
                           .p95_ns = delays[(count - 1) * 95 / 100],
                           .max_ns = delays[count - 1],
                           .bound_ns = relative ? 0 : bound_ns};
}

static void
keep_delays(work *w, const fc_path_match *match)
{
    fc_path_way way = match->way;
    size_t wanted = w->delay_counts[way] + match->delay_count;
    if (wanted > w->delay_capacities[way]) {
        w->delay_capacities[way] =
            wanted > 2 * w->delay_capacities[way] ? wanted : 2 * w->delay_capacities[way];
        w->delays[way] = fc_grow_array(w->delays[way], w->delay_capacities[way], sizeof *w->delays[way]);
    }
    if (match->delay_count > 0)
        memcpy(w->delays[way] + w->delay_counts[way], match->delays,
               match->delay_count * sizeof *match->delays);
    w->delay_counts[way] = wanted;
    fc_path_delay *total = &w->result->totals[way].delay;
    total->relative = total->relative || match->relative;
    total->bound_ns = match->worst_bound_ns > total->bound_ns ? match->worst_bound_ns : total->bound_ns;
}

/* Received by both ends, or sent by both: nothing of it went from one to the other. */
static bool
passes_by(const work *w, const fc_path_job *job)
{
    const fc_path_capture *a = &w->path->ends[0];
    const fc_path_stream *stream = job->match.way == FC_PATH_A_TO_B ? job->sent : job->arrived;
    return job->undecided && stream >= a->streams && stream < a->streams + a->stream_count && stream->passes;
}

static void
run_job(work *w, fc_path_job *job)
{
    if (job->flow == NULL)
        return;
    describe_flow(job);
    count_sent(job);
    if (passes_by(w, job))
        job->flow->not_examined = job->flow->sent;
    else if (job->sent != NULL && job->arrived != NULL)
        fc_path_match_stream(&job->match, job->sent, job->arrived);
    if (!job->undecided) {
        keep_delays(w, &job->match);
        sum_up_delay(job->match.delays, job->match.delay_count, job->match.relative,
                     job->match.worst_bound_ns, &job->flow->delay);
        fc_path_judge_misses(job, &w->trust);
    }
    free(job->match.delays);
    job->match.delays = NULL;
}

/* ---- conversations ---- */

/* Puts a flow, as one or both ends show it, into the conversation. */
static void
add_flow(work *w, size_t index, uint32_t a, uint32_t b)
{
    fc_path_capture *ends = w->path->ends;
    const fc_path_stream *streams[2] = {a != FC_PATH_NONE ? &ends[0].streams[a] : NULL,
                                        b != FC_PATH_NONE ? &ends[1].streams[b] : NULL};
    if (streams[0] == NULL && streams[1] == NULL)
        return;
    uint8_t way = streams[0] != NULL ? streams[0]->way : streams[1]->way;
    bool undecided = way == FC_PATH_WAY_UNKNOWN;
    if (undecided)
        way = streams[0] != NULL ? FC_PATH_A_TO_B : FC_PATH_B_TO_A;
    if (w->jobs[2 * index + way].flow != NULL)
        way ^= 1;
    fc_path_job *job = &w->jobs[2 * index + way];
    fc_path_conversation *conversation = &w->result->conversations[index];
    job->flow = &conversation->flows[way];
    job->sent = streams[way == FC_PATH_A_TO_B ? 0 : 1];
    job->arrived = streams[way == FC_PATH_A_TO_B ? 1 : 0];
    job->undecided = undecided && job->sent != NULL && job->arrived != NULL;
    job->match = (fc_path_match){.sender = &ends[way == FC_PATH_A_TO_B ? 0 : 1],
                                 .receiver = &ends[way == FC_PATH_A_TO_B ? 1 : 0],
                                 .way = (fc_path_way)way,
                                 .clocks = &w->clocks,
                                 .flow = job->flow};
    for (int end = 0; end < 2; end++) {
        const fc_path_stream *stream = streams[end];
        if (stream == NULL)
            continue;
        int64_t first_ns = fc_path_packet_of(&ends[end], stream, 0)->unix_ns;
        if (conversation->first_ns == 0 || (end == 0 && first_ns < conversation->first_ns))
            conversation->first_ns = first_ns;
        conversation->protocol = stream->protocol;
        fc_community_id(stream->protocol, &stream->source, stream->source_port, &stream->destination,
                        stream->destination_port, conversation->community_id[end]);
    }
    if (a != FC_PATH_NONE && b != FC_PATH_NONE)
        conversation->translated =
            conversation->translated || fc_address_compare(&streams[0]->source, &streams[1]->source) != 0 ||
            fc_address_compare(&streams[0]->destination, &streams[1]->destination) != 0 ||
            streams[0]->source_port != streams[1]->source_port ||
            streams[0]->destination_port != streams[1]->destination_port;
}

/* The stream of B that goes back beside the pair of `a`, when A shows nothing of it. */
static uint32_t
back_at_b(const fc_path_capture ends[2], uint32_t a)
{
    uint32_t pair = ends[0].streams[a].pair;
    uint32_t back = pair != FC_PATH_NONE ? ends[1].streams[pair].reverse : FC_PATH_NONE;
    return back != FC_PATH_NONE && ends[1].streams[back].pair == FC_PATH_NONE ? back : FC_PATH_NONE;
}

static void
list_conversations(work *w)
{
    fc_path_capture *ends = w->path->ends;
    size_t most = ends[0].stream_count + ends[1].stream_count;
    bool *used = fc_alloc_array(ends[1].stream_count + 1, sizeof *used);
    w->result->conversations = fc_alloc_array(most + 1, sizeof *w->result->conversations);
    w->jobs = fc_alloc_array(2 * most + 2, sizeof *w->jobs);
    for (uint32_t a = 0; a < ends[0].stream_count; a++) {
        uint32_t back = ends[0].streams[a].reverse, only_b = back_at_b(ends, a);
        if (back != FC_PATH_NONE && back < a)
            continue;
        size_t index = w->result->count++;
        add_flow(w, index, a, ends[0].streams[a].pair);
        if (back != FC_PATH_NONE)
            add_flow(w, index, back, ends[0].streams[back].pair);
        else if (only_b != FC_PATH_NONE) {
            add_flow(w, index, FC_PATH_NONE, only_b);
            used[only_b] = true;
        }
    }
    for (uint32_t b = 0; b < ends[1].stream_count; b++) {
        uint32_t back = ends[1].streams[b].reverse;
        if (used[b] || ends[1].streams[b].pair != FC_PATH_NONE)
            continue;
        size_t index = w->result->count++;
        used[b] = true;
        add_flow(w, index, FC_PATH_NONE, b);
        if (back != FC_PATH_NONE && !used[back] && ends[1].streams[back].pair == FC_PATH_NONE) {
            used[back] = true;
            add_flow(w, index, FC_PATH_NONE, back);
        }
    }
    free(used);
}

/* ---- the whole ---- */

static void
learn_clocks(work *w)
{
    fc_path_capture *ends = w->path->ends;
    int64_t first = 0, last = 0;
    for (size_t i = 0; i < ends[0].file_count; i++) {
        first = first == 0 || (ends[0].files[i].first_ns != 0 && ends[0].files[i].first_ns < first)
                    ? ends[0].files[i].first_ns
                    : first;
        last = ends[0].files[i].last_ns > last ? ends[0].files[i].last_ns : last;
    }
    fc_path_clocks_init(&w->clocks, first, last, ends[0].coarse || ends[1].coarse ? FC_NS_PER_US : 1,
                        ends[0].count);
    for (size_t i = 0; i < ends[0].stream_count; i++) {
        const fc_path_stream *a = &ends[0].streams[i];
        if (a->pair == FC_PATH_NONE || a->way == FC_PATH_WAY_UNKNOWN)
            continue;
        const fc_path_stream *b = &ends[1].streams[a->pair];
        bool there = a->way == FC_PATH_A_TO_B;
        fc_path_flow flow = {.is_tcp = a->protocol == FC_IP_TCP};
        fc_path_match match = {.sender = &ends[there ? 0 : 1],
                               .receiver = &ends[there ? 1 : 0],
                               .way = (fc_path_way)a->way,
                               .clocks = &w->clocks,
                               .learning = true,
                               .flow = &flow};
        fc_path_match_stream(&match, there ? a : b, there ? b : a);
        fc_path_match_fini(&match);
    }
    fc_path_clocks_fit(&w->clocks);
    w->result->clock = w->clocks.clock;
}

static void
describe_side(fc_path *path, fc_path_end end, fc_path_side *side)
{
    fc_path_capture *capture = &path->ends[end];
    /* The same instance twice: then by what the files are called. */
    bool same = strcmp(path->ends[0].instance, path->ends[1].instance) == 0;
    side->name = fc_strdup(capture->instance[0] != '\0' && !same ? capture->instance : path->names[end]);
    side->files = fc_alloc_array(capture->file_count + 1, sizeof *side->files);
    for (; side->file_count < capture->file_count; side->file_count++)
        side->files[side->file_count] = fc_strdup(capture->files[side->file_count].name);
    side->frames = capture->frames;
    side->packets = capture->count;
    side->unreadable = capture->unreadable;
    side->repeated = capture->repeated;
    side->fragments_unjoined = capture->fragments.unjoined;
    if (capture->span_count > 0) {
        side->first_ns = capture->spans[0].start_ns;
        side->last_ns = capture->spans[capture->span_count - 1].end_ns;
    }
    side->drops_known = fc_path_capture_drops(capture, &side->os_dropped, &side->interface_dropped);
    side->filter_known = !capture->filter_differs && (!capture->foreign || capture->filter != NULL);
    side->filter = capture->filter_differs ? NULL : fc_strdup(capture->filter);
    side->snaplen_bytes = capture->snaplen_bytes;
}

/* Adds the counts of a flow to those of its way. */
static void
add_to_total(fc_path_flow *total, const fc_path_flow *flow)
{
    static const size_t counts[] = {
        offsetof(fc_path_flow, sent),
        offsetof(fc_path_flow, sent_bytes),
        offsetof(fc_path_flow, arrived),
        offsetof(fc_path_flow, lost),
        offsetof(fc_path_flow, lost_bytes),
        offsetof(fc_path_flow, not_provable),
        offsetof(fc_path_flow, not_examined),
        offsetof(fc_path_flow, altered),
        offsetof(fc_path_flow, compared),
        offsetof(fc_path_flow, unknown_origin),
        offsetof(fc_path_flow, reordered),
        offsetof(fc_path_flow, tos_changed),
        offsetof(fc_path_flow, lost_acknowledgements),
    };
    for (size_t i = 0; i < FC_COUNT(counts); i++)
        *(uint64_t *)(void *)((char *)total + counts[i]) +=
            *(const uint64_t *)(const void *)((const char *)flow + counts[i]);
    for (size_t i = 0; i < FC_PATH_REASON_COUNT; i++)
        total->reasons[i] += flow->reasons[i];
    total->seen = total->seen || flow->seen;
}

static int
worse_first(const void *left, const void *right)
{
    const fc_path_conversation *a = left, *b = right;
    fc_path_verdict worst[2] = {FC_PATH_VERDICT_COUNT, FC_PATH_VERDICT_COUNT};
    uint64_t counts[2][3] = {{0}};
    const fc_path_conversation *both[2] = {a, b};
    for (int i = 0; i < 2; i++)
        for (int way = 0; way < 2; way++) {
            const fc_path_flow *flow = &both[i]->flows[way];
            worst[i] = flow->verdict < worst[i] ? flow->verdict : worst[i];
            counts[i][0] += flow->lost;
            counts[i][1] += flow->not_provable + flow->altered;
            counts[i][2] += flow->sent;
        }
    if (a->elsewhere != b->elsewhere)
        return a->elsewhere ? 1 : -1;
    if (worst[0] != worst[1])
        return worst[0] < worst[1] ? -1 : 1;
    for (int i = 0; i < 3; i++)
        if (counts[0][i] != counts[1][i])
            return counts[0][i] > counts[1][i] ? -1 : 1;
    return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

static void
judge_jobs(work *w)
{
    fc_path_result *result = w->result;
    for (size_t i = 0; i < 2 * result->count; i++)
        run_job(w, &w->jobs[i]);
    for (size_t i = 0; i < result->count; i++) {
        bool counts = false;
        for (int way = 0; way < 2; way++) {
            fc_path_job *job = &w->jobs[2 * i + (size_t)way];
            counts =
                counts ||
                (job->sent != NULL && !passes_by(w, job) && (job->arrived != NULL || job->sent->leads)) ||
                (job->arrived != NULL && job->arrived->leads);
            if (job->flow != NULL)
                fc_path_judge_flow(job, &w->trust);
            else
                result->conversations[i].flows[way].verdict = FC_PATH_NOTHING;
            fc_path_match_fini(&job->match);
        }
        result->conversations[i].elsewhere = !counts;
        result->elsewhere += !counts;
        for (int way = 0; counts && way < 2; way++)
            add_to_total(&result->totals[way], &result->conversations[i].flows[way]);
    }
    for (int way = 0; way < 2; way++) {
        fc_path_delay *total = &result->totals[way].delay;
        sum_up_delay(w->delays[way], w->delay_counts[way], total->relative, total->bound_ns, total);
        fc_path_judge_verdict(&result->totals[way]);
        free(w->delays[way]);
    }
}

fc_path_result *
fc_path_judge(fc_path *path)
{
    work w = {.path = path, .result = FC_NEW(fc_path_result)};
    for (int end = 0; end < 2; end++) {
        fc_path_capture_seal(&path->ends[end]);
        describe_side(path, (fc_path_end)end, &w.result->sides[end]);
    }
    w.trust = (fc_path_trust){.sides = w.result->sides, .lossless = path->lossless};
    fc_path_pair(path->ends);
    learn_clocks(&w);
    list_conversations(&w);
    judge_jobs(&w);
    if (w.result->count > 1)
        qsort(w.result->conversations, w.result->count, sizeof *w.result->conversations, worse_first);
    free(w.jobs);
    fc_path_clocks_fini(&w.clocks);
    return w.result;
}
