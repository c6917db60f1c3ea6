#include "node/fake_backend.h"

#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAKE_RING_BYTES = 64 << 20,
    FAKE_PACKET_BYTES = 100,
    FAKE_BLOCK_BYTES = 144,
    FAKE_HEARTBEAT_MS = 5000, /* as the real one: also when there is nothing to say */
};

typedef struct fake_backend fake_backend;

typedef enum phase { ARMING, ARMED, WAITING, RUNNING, STOPPING, DYING, DRAINING, DONE } phase;

typedef struct fake_run {
    nd_run run;            /* first */
    fake_backend *backend; /* borrowed */
    struct fake_run *next;
    phase phase;
    bool hangs, started;
    char uid[FC_UID_LENGTH + 1];
    char prefix[80];
    uint32_t sequence;
    uint32_t segment_packets;
    nd_progress progress;
    fc_wall start, window_end;
    fc_stop_reason reason;
    fc_timer timer;
} fake_run;

struct fake_backend {
    nd_backend backend; /* first */
    fc_loop *loop;      /* borrowed */
    nd_fake_options options;
    fake_run *runs; /* owned */
    bool refuse;
    size_t most_at_once;
    uint64_t started;
};

static fc_wall
now(const fake_run *run)
{
    return fc_clock_wall(fc_loop_clock(run->backend->loop));
}

static void
after(fake_run *run, int64_t ms)
{
    fc_loop_timer_after_ms(run->backend->loop, &run->timer, ms);
}

static void
run_free(fake_run *run)
{
    for (fake_run **at = &run->backend->runs; *at != NULL; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    fc_loop_timer_clear(run->backend->loop, &run->timer);
    free(run);
}

static void
current_segment(fake_run *run, bool sealed)
{
    nd_progress *p = &run->progress;
    p->has_current = true;
    memset(&p->current, 0, sizeof p->current);
    p->current.sequence = run->sequence;
    (void)snprintf(p->current.path, sizeof p->current.path, "%s_%04u.pcapng", run->prefix, run->sequence);
    p->current.packets = run->segment_packets;
    p->current.size_bytes = 256 + (uint64_t)run->segment_packets * FAKE_BLOCK_BYTES;
    p->current.first_packet = p->first_packet;
    p->current.last_packet = p->last_packet;
    p->current.sealed = sealed;
}

static void
capture_some(fake_run *run)
{
    nd_progress *p = &run->progress;
    uint64_t packets = run->backend->options.packets_per_progress;
    p->counters.matched_packets += packets;
    p->counters.written_packets += packets;
    p->counters.written_bytes += packets * FAKE_PACKET_BYTES;
    p->counters.file_bytes += packets * FAKE_BLOCK_BYTES;
    run->segment_packets += (uint32_t)packets;
    if (packets > 0) {
        p->last_packet = now(run);
        if (p->first_packet.ns == 0)
            p->first_packet = p->last_packet;
    }
    current_segment(run, false);
}

static void
say_profile(const fake_run *run)
{
    if (!run->backend->options.profiles)
        return;
    fc_buf packed = {0};
    fc_profile *profile = fc_profile_new();
    profile->counters[FC_COUNTER_PACKETS_IN] = run->progress.counters.written_packets;
    (void)snprintf(profile->subject.instance_name, sizeof profile->subject.instance_name, "web-1");
    fc_profile_pack(profile, &packed);
    run->run.ops->profile(run->run.user, fc_buf_bytes(&packed), fc_buf_size(&packed));
    fc_profile_free(profile);
    fc_buf_fini(&packed);
}

/* Each of these may release the run, which frees one that is DONE: nothing touches that after the op. */
static void
seal(fake_run *run)
{
    current_segment(run, true);
    fc_segment sealed = run->progress.current;
    run->sequence++;
    run->segment_packets = 0;
    current_segment(run, false);
    run->progress.has_current = false;
    run->run.ops->segment(run->run.user, &sealed);
}

static void
say_stopped(fake_run *run)
{
    if (run->started && run->phase != DONE)
        seal(run);
    if (run->started)
        say_profile(run);
    run->phase = DONE;
    run->progress.has_current = false;
    run->run.ops->stopped(run->run.user, run->reason, NULL, &run->progress, now(run));
}

/* Until its next word. */
static int64_t
word_ms(const nd_fake_options *options)
{
    return options->progress_ms > 0 ? options->progress_ms : FAKE_HEARTBEAT_MS;
}

static void
tick(fake_run *run)
{
    const nd_fake_options *options = &run->backend->options;
    if (run->window_end.ns != 0 && now(run).ns >= run->window_end.ns) {
        run->reason = FC_STOP_TIME_LIMIT;
        say_stopped(run);
        return;
    }
    int64_t left_ms = (run->window_end.ns - now(run).ns + FC_NS_PER_MS - 1) / FC_NS_PER_MS;
    after(run, word_ms(options) < left_ms ? word_ms(options) : left_ms);
    if (options->progress_ms == 0) {
        run->run.ops->progress(run->run.user, &run->progress);
        return;
    }
    capture_some(run);
    say_profile(run);
    nd_progress progress = run->progress;
    if (options->rotate_packets > 0 && run->segment_packets >= options->rotate_packets)
        seal(run);
    /* A real one's two threads speak: what one has seen may be told after the other has sealed the file. */
    if (run->run.ops != NULL)
        run->run.ops->progress(run->run.user, &progress);
}

/* A window that ends before the first word is seen in time. */
static int64_t
first_ms(const fake_run *run)
{
    const nd_fake_options *options = &run->backend->options;
    int64_t window_ms = (run->window_end.ns - run->start.ns) / FC_NS_PER_MS;
    return options->progress_ms > 0 || window_ms > FAKE_HEARTBEAT_MS ? word_ms(options) : window_ms;
}

static void
fire(fc_timer *timer)
{
    fake_run *run = FC_CONTAINER(timer, fake_run, timer);
    if (run->hangs && run->phase != DYING && run->phase != DRAINING)
        return;
    switch (run->phase) {
    case ARMING:
        run->phase = ARMED;
        run->run.ops->armed(run->run.user, FAKE_RING_BYTES);
        break;
    case WAITING:
        run->phase = RUNNING;
        run->started = true;
        run->start = now(run);
        current_segment(run, false);
        after(run, first_ms(run));
        run->run.ops->started(run->run.user, run->start);
        break;
    case RUNNING:
        tick(run);
        break;
    case STOPPING:
        say_stopped(run);
        break;
    case DYING:
        run->phase = DONE;
        run->run.ops->died(run->run.user, "was killed by signal 9 (Killed)");
        break;
    case DRAINING:
        run_free(run);
        break;
    case ARMED:
    case DONE:
        break;
    }
}

static fc_err
start(nd_backend *base, const nd_run_spec *spec, const nd_run_ops *ops, void *user, nd_run **ret_run,
      fc_fail *fail)
{
    fake_backend *backend = FC_CONTAINER(base, fake_backend, backend);
    if (backend->refuse)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "the process that starts capture helpers is gone");
    fake_run *run = FC_NEW(fake_run);
    run->run = (nd_run){base->ops, ops, user};
    run->backend = backend;
    run->timer.fire = fire;
    run->sequence = spec->first_sequence;
    run->window_end = spec->window_end;
    (void)snprintf(run->uid, sizeof run->uid, "%s", spec->capture_uid);
    (void)snprintf(run->prefix, sizeof run->prefix, "%s", spec->file_prefix);
    run->next = backend->runs;
    backend->runs = run;
    backend->started++;
    size_t working = nd_fake_working(base, run->uid);
    if (working > backend->most_at_once)
        backend->most_at_once = working;
    after(run, backend->options.arm_ms);
    *ret_run = &run->run;
    return FC_OK;
}

static void
run_go(nd_run *base, fc_wall begin, fc_wall window_end)
{
    fake_run *run = FC_CONTAINER(base, fake_run, run);
    if (run->phase != ARMED)
        return;
    run->phase = WAITING;
    run->window_end = window_end;
    int64_t ns = begin.ns - now(run).ns;
    after(run, ns > 0 ? (ns + FC_NS_PER_MS - 1) / FC_NS_PER_MS : 0);
}

static void
run_stop(nd_run *base, fc_stop_reason reason)
{
    fake_run *run = FC_CONTAINER(base, fake_run, run);
    if (run->phase >= STOPPING)
        return;
    run->phase = STOPPING;
    run->reason = reason;
    after(run, run->backend->options.stop_ms);
}

static void
run_kill(nd_run *base)
{
    fake_run *run = FC_CONTAINER(base, fake_run, run);
    if (run->phase >= DYING)
        return;
    run->phase = DYING;
    after(run, 1);
}

static void
run_release(nd_run *base)
{
    fake_run *run = FC_CONTAINER(base, fake_run, run);
    /* A helper that has said its last word is gone; one that has not seals by itself. */
    run->run.ops = NULL;
    if (run->phase == DONE) {
        run_free(run);
        return;
    }
    run->phase = DRAINING;
    after(run, run->backend->options.drain_ms);
}

static const nd_backend_ops fake_ops = {start, run_go, run_stop, run_kill, run_release};

nd_backend *
nd_fake_backend_new(fc_loop *loop, const nd_fake_options *options)
{
    fake_backend *backend = FC_NEW(fake_backend);
    backend->backend.ops = &fake_ops;
    backend->loop = loop;
    backend->options = *options;
    return &backend->backend;
}

void
nd_fake_backend_free(nd_backend *base)
{
    if (base == NULL)
        return;
    fake_backend *backend = FC_CONTAINER(base, fake_backend, backend);
    while (backend->runs != NULL)
        run_free(backend->runs);
    free(backend);
}

nd_fake_options *
nd_fake_backend_options(nd_backend *base)
{
    return &FC_CONTAINER(base, fake_backend, backend)->options;
}

size_t
nd_fake_working(const nd_backend *base, const char *uid)
{
    const fake_backend *backend = FC_CONTAINER(base, const fake_backend, backend);
    size_t working = 0;
    for (const fake_run *run = backend->runs; run != NULL; run = run->next)
        working += run->phase != DONE && (uid == NULL || strcmp(run->uid, uid) == 0);
    return working;
}

size_t
nd_fake_most_at_once(const nd_backend *base)
{
    return FC_CONTAINER(base, const fake_backend, backend)->most_at_once;
}

uint64_t
nd_fake_started(const nd_backend *base)
{
    return FC_CONTAINER(base, const fake_backend, backend)->started;
}

static fake_run *
nth(fake_backend *backend, size_t index)
{
    size_t count = 0;
    for (fake_run *run = backend->runs; run != NULL; run = run->next)
        count += run->phase < DYING;
    if (count == 0)
        return NULL;
    index %= count;
    for (fake_run *run = backend->runs; run != NULL; run = run->next)
        if (run->phase < DYING && index-- == 0)
            return run;
    return NULL;
}

bool
nd_fake_backend_hit(nd_backend *base, size_t index, nd_fake_mishap mishap)
{
    fake_run *run = nth(FC_CONTAINER(base, fake_backend, backend), index);
    if (run == NULL)
        return false;
    switch (mishap) {
    case ND_FAKE_DIE:
        run->phase = DYING;
        after(run, 0);
        break;
    case ND_FAKE_FAIL:
        run->phase = DONE;
        run->run.ops->failed(run->run.user, FC_STOP_WRITE_ERROR, "cannot write: Input/output error");
        break;
    case ND_FAKE_END:
        run->reason = FC_STOP_SESSION_BYTES;
        say_stopped(run);
        break;
    case ND_FAKE_HANG:
        run->hangs = true;
        break;
    case ND_FAKE_WAKE:
        run->hangs = false;
        after(run, 0);
        break;
    }
    return true;
}

void
nd_fake_backend_refuse(nd_backend *base, bool refuse)
{
    FC_CONTAINER(base, fake_backend, backend)->refuse = refuse;
}
