#include "node/capture/run.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/capture/channel.h"
#include "node/capture/event.h"
#include "node/capture/intake.h"
#include "node/capture/preamble.h"
#include "node/capture/profiler.h"
#include "node/capture/rings.h"
#include "node/capture/sandbox.h"

#include <errno.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SPEC_TIMEOUT_MS = 10000,
    TICK_MS = 500,          /* counters, progress; far below 2^32 packets */
    DISPATCH_MAX = 1 << 15, /* packets between two looks at the channel */
    QUIET_POLL_MS = 10,     /* while the last blocks retire */
    DRAIN_STUCK_MS = 1000,  /* without progress; ten times the time in which a block retires */
    DRAIN_MAX_MS = 10000,
    LAST_WORDS_MS = 5000,         /* for the node to take the last events */
    BATCH_BYTES_PER_MS = 4 << 20, /* a ring of this much for each millisecond is not full at 4 GB/s */
    BATCH_MAX_MS = 20,            /* measured: 5 ms cost a fifth more, 50 ms no less */
};

typedef enum phase { ARMED, RUNNING, DRAINING } phase;

typedef struct cap_runner {
    cap_spec spec;
    cap_channel channel;
    int dir_fd; /* borrowed */
    cap_rings rings;
    cap_tap taps[CAP_INTERFACES_MAX];
    cap_intake intake;
    cap_writer *writer;     /* owned */
    cap_profiler *profiler; /* owned; NULL = none */
    bool profile;           /* make one */
    fc_buf profile_bytes;
    phase phase;
    int batch_ms; /* how long packets may gather in the ring while it is busy */
    bool start_known, began;
    int64_t start_ns, window_end_ns;
    fc_mono time_limit, tick, flush; /* when each is due */
    fc_mono drain_stuck, drain_end;
    fc_stop_reason reason;
    char error[FC_ERROR_TEXT];
    int64_t stop_ns;
    cap_progress told; /* the last progress that the node got */
    fc_mono heartbeat; /* when it gets one although nothing has changed */
} cap_runner;

static fc_mono
mono_now(void)
{
    return fc_clock_mono(&fc_clock_system);
}

static int64_t
wall_now_ns(void)
{
    return fc_clock_wall(&fc_clock_system).ns;
}

/* ---- arming ---- */

static fc_err
open_rings(cap_runner *run, fc_stop_reason *ret_reason, fc_fail *fail)
{
    fc_err err = cap_rings_open(&run->rings, &run->spec, ret_reason, fail);
    for (size_t i = 0; i < run->rings.count; i++) {
        cap_ring *ring = &run->rings.items[i];
        run->taps[i] = (cap_tap){ring, &run->intake};
        ring->handler = cap_intake_packet;
        ring->user = (u_char *)(void *)&run->taps[i];
    }
    return err;
}

/* The writer, and the profiler behind it. */
static fc_err
open_writer(cap_runner *run, fc_stop_reason *ret_reason, fc_fail *fail)
{
    fc_buf header = {0};
    cap_preamble_put(&header, &run->spec, run->rings.items);
    fc_err err = cap_writer_new(run->dir_fd, &run->spec, &header, &run->writer, fail);
    *ret_reason = err == FC_ERR_NO_SPACE ? FC_STOP_DISK_FULL : FC_STOP_WRITE_ERROR;
    run->intake.writer = run->writer;
    if (err == FC_OK && run->profile) {
        *ret_reason = FC_STOP_INTERNAL;
        err = cap_profiler_new(&run->spec, &header, run->writer, &run->profiler, fail);
        cap_writer_set_profiler(run->writer, run->profiler);
    }
    fc_buf_fini(&header);
    return err;
}

/* Everything that needs a privilege, then nothing that does. */
static fc_err
arm(cap_runner *run, fc_stop_reason *ret_reason, fc_fail *fail)
{
    cap_session_init(&run->intake.session, run->spec.packet_limit, run->spec.session_bytes);
    fc_err err = open_rings(run, ret_reason, fail);
    if (err != FC_OK)
        return err;
    *ret_reason = FC_STOP_INTERNAL;
    if ((err = cap_sandbox_drop(run->dir_fd, fail)) != FC_OK ||
        (err = open_writer(run, ret_reason, fail)) != FC_OK)
        return err;
    *ret_reason = FC_STOP_INTERNAL;
    /* The threads begin before the list of system calls holds, so that it holds for them, too. */
    if ((run->profiler != NULL && (err = cap_profiler_start(run->profiler, fail)) != FC_OK) ||
        (err = cap_writer_start(run->writer, fail)) != FC_OK)
        return err;
    if ((err = cap_sandbox_enter(run->dir_fd, fail)) != FC_OK)
        return err;
    *ret_reason = FC_STOP_INTERFACE_GONE;
    return cap_rings_attach(&run->rings, fail);
}

/* The smallest ring decides how long all may wait. */
static int
batch_ms(const cap_runner *run)
{
    uint64_t ms = cap_rings_smallest_bytes(&run->rings) / BATCH_BYTES_PER_MS;
    return (int)(ms < BATCH_MAX_MS ? ms : BATCH_MAX_MS);
}

/* ---- what is reported ---- */

static void
set_statistics(cap_runner *run)
{
    fc_pcapng_statistics statistics[CAP_INTERFACES_MAX];
    fc_wall now = {wall_now_ns()};
    int64_t end_ns = run->stop_ns != 0 ? run->stop_ns : now.ns;
    if (run->window_end_ns != 0 && run->window_end_ns < end_ns)
        end_ns = run->window_end_ns;
    if (!run->start_known)
        return; /* there is no packet, and no time to speak of */
    for (size_t i = 0; i < run->rings.count; i++) {
        const cap_ring *ring = &run->rings.items[i];
        statistics[i] = (fc_pcapng_statistics){
            .interface = ring->index,
            .at = now,
            .start = {run->start_ns},
            .end = {end_ns},
            .received = ring->counts.matched,
            .interface_dropped = ring->counts.interface_dropped,
            .filter_accepted = ring->counts.matched,
            .os_dropped = ring->counts.dropped + ring->counts.dropped_stalled,
            .delivered = ring->kept,
        };
    }
    cap_writer_set_statistics(run->writer, statistics, run->rings.count);
}

static void
fill_progress(const cap_runner *run, const cap_writer_status *status, cap_progress *ret_progress)
{
    cap_kernel_counts kernel;
    cap_rings_counts(&run->rings, &kernel);
    memset(ret_progress, 0, sizeof *ret_progress); /* with its padding: it is compared as bytes */
    cap_session_counters(&run->intake.session, &kernel, &status->outcome, &ret_progress->counters);
    if (run->profiler != NULL)
        ret_progress->counters.unprofiled_packets = cap_profiler_skipped(run->profiler);
    ret_progress->first_packet.ns = status->outcome.first_ns;
    ret_progress->last_packet.ns = status->outcome.last_ns;
    ret_progress->current = status->current;
}

static void
report_segments(cap_runner *run)
{
    cap_segment segment;
    while (cap_writer_take_report(run->writer, &segment))
        cap_event_segment(&run->channel, &segment);
}

static void
report_progress(cap_runner *run)
{
    cap_writer_status status;
    cap_progress progress;
    cap_writer_get_status(run->writer, &status);
    fill_progress(run, &status, &progress);
    fc_mono now = mono_now();
    if (memcmp(&progress.counters, &run->told.counters, sizeof progress.counters) == 0 &&
        now.ns < run->heartbeat.ns)
        return;
    cap_event_progress(&run->channel, &progress);
    run->told = progress;
    run->heartbeat = fc_mono_after_ms(now, CAP_HEARTBEAT_MS);
}

/* The newest profile, when the node has taken what it was told before: an older one is worth nothing. */
static void
report_profile(cap_runner *run, bool last)
{
    uint64_t revision;
    if (run->profiler == NULL)
        return;
    cap_profiler_clear_event(run->profiler);
    if ((last || fc_buf_size(&run->channel.out) == 0) &&
        cap_profiler_take(run->profiler, &run->profile_bytes, &revision))
        cap_event_profile(&run->channel, &run->profile_bytes, revision);
}

/* ---- start and stop ---- */

static void
stop(cap_runner *run, fc_stop_reason reason, const char *error)
{
    if (run->phase == DRAINING)
        return;
    fc_fail fail = {0};
    int64_t now_ns = wall_now_ns();
    cap_session *session = &run->intake.session;
    run->reason = reason;
    (void)snprintf(run->error, sizeof run->error, "%s", error);
    cap_session_end(session, now_ns);
    run->stop_ns = session->end_ns > run->start_ns ? session->end_ns : now_ns;
    for (size_t i = 0; i < run->rings.count; i++)
        if (cap_ring_detach(&run->rings.items[i], &fail) != FC_OK)
            fc_log(FC_LOG_WARNING, "%s", fail.text);
    run->phase = DRAINING;
    run->drain_stuck = fc_mono_after_ms(mono_now(), DRAIN_STUCK_MS);
    run->drain_end = fc_mono_after_ms(mono_now(), DRAIN_MAX_MS);
}

static void
take_start(cap_runner *run, const Fcpb__HelperStart *start)
{
    if (run->start_known || run->phase != ARMED)
        return;
    int64_t now_ns = wall_now_ns();
    int64_t limit_ns = (int64_t)run->spec.time_limit_s * FC_NS_PER_S;
    run->start_known = true;
    run->start_ns = start->start_unix_ns > now_ns ? start->start_unix_ns : now_ns;
    run->window_end_ns =
        start->window_end_unix_ns != 0 ? start->window_end_unix_ns : run->spec.window_end_unix_ns;
    if (limit_ns != 0 && (run->window_end_ns == 0 || run->start_ns + limit_ns < run->window_end_ns))
        run->window_end_ns = run->start_ns + limit_ns;
    if (run->window_end_ns != 0 && run->window_end_ns <= now_ns) {
        stop(run, FC_STOP_WINDOW_CLOSED, "the window had ended before the start");
        return;
    }
    if (run->window_end_ns != 0) /* holds even if somebody turns the wall clock back */
        run->time_limit = (fc_mono){mono_now().ns + (run->window_end_ns - now_ns)};
    cap_session_start(&run->intake.session, run->start_ns, run->window_end_ns);
}

static void
begin_if_due(cap_runner *run)
{
    if (run->phase != ARMED || !run->start_known || wall_now_ns() < run->start_ns)
        return;
    run->phase = RUNNING;
    run->began = true;
    cap_event_started(&run->channel, run->start_ns);
}

/* The node says why; one that says nothing has asked for it. */
static fc_stop_reason
stop_reason(const Fcpb__HelperStop *command)
{
    int reason = (int)command->reason;
    return reason > FC_STOP_NONE && reason <= FC_STOP_INTERNAL ? (fc_stop_reason)reason
                                                               : FC_STOP_STOP_REQUESTED;
}

static void
take_commands(cap_runner *run)
{
    cap_channel_read(&run->channel);
    for (Fcpb__HelperCommand *command; (command = cap_channel_take_command(&run->channel)) != NULL;) {
        if (command->body_case == FCPB__HELPER_COMMAND__BODY_START)
            take_start(run, command->start);
        else if (command->body_case == FCPB__HELPER_COMMAND__BODY_STOP)
            stop(run, stop_reason(command->stop), "");
        else
            stop(run, FC_STOP_INTERNAL, "the node sent a second specification");
        fcpb__helper_command__free_unpacked(command, NULL);
    }
    if (run->channel.closed)
        stop(run, FC_STOP_NODE_SHUTDOWN, "the node daemon went away");
}

static void
watch_writer(cap_runner *run)
{
    cap_writer_status status;
    cap_writer_clear_event(run->writer);
    report_segments(run);
    cap_writer_get_status(run->writer, &status);
    if (status.reason != FC_STOP_NONE)
        stop(run, status.reason, status.error);
}

static void
watch_limits(cap_runner *run)
{
    int64_t window_end_ns = run->spec.window_end_unix_ns;
    if (run->phase == ARMED && !run->start_known && window_end_ns != 0 && wall_now_ns() >= window_end_ns)
        stop(run, FC_STOP_WINDOW_CLOSED, "the window ended before a start was told");
    if (run->intake.session.limit != FC_STOP_NONE)
        stop(run, run->intake.session.limit, "");
    if (run->window_end_ns != 0 &&
        (wall_now_ns() >= run->window_end_ns || mono_now().ns >= run->time_limit.ns))
        stop(run, FC_STOP_TIME_LIMIT, "");
}

/* ---- the loop ---- */

/* Drains all rings once round. True when there is more to do at once. */
static bool
drain(cap_runner *run)
{
    bool any_more = false;
    for (size_t i = 0; i < run->rings.count; i++) {
        bool more = false;
        fc_fail fail = {0};
        cap_rings_set_stalled(&run->rings, !cap_intake_refill(&run->intake));
        if (run->rings.stalled)
            return false;
        if (cap_ring_dispatch(&run->rings.items[i], DISPATCH_MAX, &more, &fail) != FC_OK)
            stop(run, FC_STOP_INTERFACE_GONE, fail.text);
        any_more = any_more || more;
    }
    return any_more;
}

static void
tick(cap_runner *run, fc_mono now)
{
    if (now.ns >= run->flush.ns) {
        cap_intake_flush(&run->intake, false);
        run->flush = fc_mono_after_ms(now, run->spec.flush_interval_ms);
    }
    if (now.ns < run->tick.ns)
        return;
    run->tick = fc_mono_after_ms(now, TICK_MS);
    cap_rings_poll(&run->rings);
    set_statistics(run);
    if (run->phase == RUNNING) {
        report_progress(run);
        report_profile(run, false);
    }
}

static int
earliest_ms(const cap_runner *run, fc_mono now)
{
    fc_mono due = run->tick.ns < run->flush.ns ? run->tick : run->flush;
    if (run->phase == RUNNING && run->window_end_ns != 0 && run->time_limit.ns < due.ns)
        due = run->time_limit;
    if (run->phase == ARMED && run->start_known) {
        fc_mono start = {now.ns + (run->start_ns - wall_now_ns())};
        due = start.ns < due.ns ? start : due;
    }
    return (int)fc_mono_until_ms(now, due);
}

/* Waits for whatever comes next. A busy ring is left alone for a while, so that many blocks are read at one
 * wake-up. */
static void
wait(cap_runner *run, bool more, bool busy)
{
    struct pollfd pollers[2 + CAP_INTERFACES_MAX] = {
        {.fd = run->channel.closed ? -1 : run->channel.fd, .events = POLLIN},
        {.fd = cap_writer_event_fd(run->writer), .events = POLLIN},
    };
    nfds_t count = 2;
    int timeout = earliest_ms(run, mono_now());
    if (fc_buf_size(&run->channel.out) > 0)
        pollers[0].events |= POLLOUT;
    if (run->phase == DRAINING && timeout > QUIET_POLL_MS)
        timeout = QUIET_POLL_MS;
    bool gather = busy && run->batch_ms > 0;
    if (gather && timeout > run->batch_ms)
        timeout = run->batch_ms;
    if (!gather && !run->rings.stalled)
        for (size_t i = 0; i < run->rings.count; i++)
            pollers[count++] = (struct pollfd){.fd = run->rings.items[i].fd, .events = POLLIN};
    (void)poll(pollers, count, more ? 0 : timeout);
}

/* True when the rings are empty by the kernel's own count, or when they do not become so: what is left in
 * them then is counted as what it is. */
static bool
drained(cap_runner *run, bool busy)
{
    cap_rings_poll(&run->rings);
    uint64_t left = cap_rings_waiting(&run->rings);
    if (left == 0)
        return true;
    fc_mono now = mono_now();
    if (busy)
        run->drain_stuck = fc_mono_after_ms(now, DRAIN_STUCK_MS);
    if (now.ns < run->drain_stuck.ns && now.ns < run->drain_end.ns)
        return false;
    fc_log(FC_LOG_WARNING, "%llu packets stay in the ring", (unsigned long long)left);
    if (run->rings.stalled) {
        run->rings.items[0].counts.dropped_stalled += left;
    } else {
        run->intake.session.after_stop += left;
    }
    return true;
}

static void
loop(cap_runner *run)
{
    for (;;) {
        take_commands(run);
        watch_writer(run);
        begin_if_due(run);
        bool more = drain(run);
        bool busy = cap_rings_look(&run->rings);
        watch_limits(run);
        tick(run, mono_now());
        if (run->phase == DRAINING && !more && drained(run, busy))
            return;
        wait(run, more, busy);
    }
}

/* ---- the end ---- */

static void
wait_for_writer(cap_runner *run)
{
    cap_intake_flush(&run->intake, true);
    cap_writer_finish(run->writer);
    while (!cap_writer_join(run->writer)) {
        struct pollfd poller = {.fd = cap_writer_event_fd(run->writer), .events = POLLIN};
        (void)poll(&poller, 1, TICK_MS);
        cap_writer_clear_event(run->writer);
        report_segments(run);
        report_progress(run); /* a slow disk is no silence */
    }
    report_segments(run);
}

/* The last profile comes before the last word; but that does not wait for ever. */
static void
wait_for_profiler(cap_runner *run)
{
    cap_profiler *profiler = run->profiler;
    fc_mono due = fc_mono_after_ms(mono_now(), CAP_PROFILE_LAST_MS);
    cap_profiler_finish(profiler, cap_writer_trailer(run->writer));
    while (!cap_profiler_join(profiler)) {
        struct pollfd poller = {.fd = cap_profiler_event_fd(profiler), .events = POLLIN};
        int64_t left = fc_mono_until_ms(mono_now(), due);
        if (left == 0)
            cap_profiler_hurry(profiler);
        (void)poll(&poller, 1, left > 0 ? (int)left : TICK_MS);
        cap_profiler_clear_event(profiler);
    }
    report_profile(run, true);
}

static void
finish(cap_runner *run)
{
    cap_writer_status status;
    cap_progress final;
    bool discard = !run->began && run->intake.session.kept_packets == 0;
    wait_for_writer(run);
    set_statistics(run);
    cap_writer_seal(run->writer, discard);
    report_segments(run);
    if (run->profiler != NULL && !discard)
        wait_for_profiler(run);
    cap_writer_get_status(run->writer, &status);
    if (*run->error == '\0')
        memcpy(run->error, status.error, sizeof run->error);
    fill_progress(run, &status, &final);
    cap_event_stopped(&run->channel, run->reason, run->error, &final, run->stop_ns);
    cap_channel_flush(&run->channel, LAST_WORDS_MS);
    if (run->channel.closed)
        cap_profiler_leave(run->dir_fd, &run->profile_bytes);
}

static fc_err
receive_spec(cap_runner *run, fc_stop_reason *ret_reason, fc_fail *fail)
{
    *ret_reason = FC_STOP_INTERNAL;
    Fcpb__HelperCommand *command = cap_channel_wait_command(&run->channel, SPEC_TIMEOUT_MS);
    if (command == NULL)
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "no specification came on the channel");
    fc_err err = command->body_case == FCPB__HELPER_COMMAND__BODY_SPEC
                     ? cap_spec_from_pb(command->spec, &run->spec, ret_reason, fail)
                     : fc_fail_set(fail, FC_ERR_PROTOCOL, "the first command is not a specification");
    fcpb__helper_command__free_unpacked(command, NULL);
    return err;
}

static fc_exit
give_up(cap_runner *run, fc_stop_reason reason, const fc_fail *fail)
{
    fc_log(FC_LOG_ERROR, "%s", fail->text);
    if (run->writer != NULL)
        cap_writer_seal(run->writer, true);
    cap_event_failed(&run->channel, reason, fail->text);
    cap_channel_flush(&run->channel, LAST_WORDS_MS);
    return fc_err_exit(fail->err);
}

fc_exit
cap_run(int channel_fd, int dir_fd, bool profile)
{
    static cap_runner run; /* large, and one to a process */
    fc_fail fail = {0};
    fc_stop_reason reason;
    run.dir_fd = dir_fd;
    run.profile = profile;
    cap_channel_init(&run.channel, channel_fd);
    fc_err err = receive_spec(&run, &reason, &fail);
    if (err == FC_OK)
        err = arm(&run, &reason, &fail);
    if (err != FC_OK)
        return give_up(&run, reason, &fail);
    run.batch_ms = batch_ms(&run);
    run.tick = fc_mono_after_ms(mono_now(), TICK_MS);
    run.flush = fc_mono_after_ms(mono_now(), run.spec.flush_interval_ms);
    cap_event_armed(&run.channel, &run.spec, cap_rings_granted_bytes(&run.rings));
    loop(&run);
    finish(&run);
    return FC_EXIT_OK;
}
