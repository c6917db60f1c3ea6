/* The node's backend and monitor with real processes: this program itself plays the helper when the monitor
 * runs it. The capture's name says how it behaves. */
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "loop_rig.h"
#include "node/helper_backend.h"
#include "node/monitor.h"
#include "tests/temp_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char SELF[] = "/proc/self/exe";

/* ---- the played helper ---- */

static void
say(const Fcpb__HelperEvent *event)
{
    uint8_t bytes[1024];
    uint32_t length = htonl((uint32_t)fcpb__helper_event__get_packed_size(event));
    memcpy(bytes, &length, sizeof length);
    size_t size = fcpb__helper_event__pack(event, bytes + sizeof length);
    if (fc_file_write_all(3, bytes, sizeof length + size) != FC_OK)
        _exit(9);
}

static void
say_armed(void)
{
    Fcpb__HelperArmed armed = FCPB__HELPER_ARMED__INIT;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    armed.ring_bytes = 4096;
    event.body_case = FCPB__HELPER_EVENT__BODY_ARMED;
    event.armed = &armed;
    say(&event);
}

static void
say_started(int64_t start)
{
    Fcpb__HelperStarted started = FCPB__HELPER_STARTED__INIT;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    started.start_unix_ns = start;
    event.body_case = FCPB__HELPER_EVENT__BODY_STARTED;
    event.started = &started;
    say(&event);
}

static void
say_stopped(Fcpb__StopReason reason)
{
    Fcpb__HelperStopped stopped = FCPB__HELPER_STOPPED__INIT;
    Fcpb__HelperEvent event = FCPB__HELPER_EVENT__INIT;
    stopped.reason = reason;
    event.body_case = FCPB__HELPER_EVENT__BODY_STOPPED;
    event.stopped = &stopped;
    say(&event);
}

static bool
read_exactly(void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(3, (uint8_t *)bytes + at, size - at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static Fcpb__HelperCommand *
next_command(void)
{
    uint32_t length;
    if (!read_exactly(&length, sizeof length))
        _exit(0); /* the node is gone: a real helper seals now */
    length = ntohl(length);
    uint8_t *bytes = fc_alloc(length);
    if (!read_exactly(bytes, length))
        _exit(0);
    Fcpb__HelperCommand *command = fcpb__helper_command__unpack(NULL, length, bytes);
    free(bytes);
    return command;
}

static void
behave(const char *how)
{
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff};
    if (strcmp(how, "dies") == 0)
        raise(SIGKILL);
    if (strcmp(how, "leaves") == 0)
        _exit(7);
    if (strcmp(how, "raves") == 0 && fc_file_write_all(3, huge, sizeof huge) != FC_OK)
        _exit(9);
    if (strcmp(how, "hangs") == 0 || strcmp(how, "raves") == 0)
        pause();
    if (strcmp(how, "looks") == 0) {
        /* Nothing but the channel, the directory and the standard three is open; no environment of the
         * node's. */
        bool clean = fcntl(5, F_GETFD) < 0 && fcntl(6, F_GETFD) < 0 && getenv("ND_SECRET") == NULL &&
                     openat(4, "seen", O_CREAT | O_WRONLY, 0600) >= 0;
        _exit(clean ? 42 : 43);
    }
}

static void
play_helper(void)
{
    for (;;) {
        Fcpb__HelperCommand *command = next_command();
        switch (command->body_case) {
        case FCPB__HELPER_COMMAND__BODY_SPEC:
            behave(command->spec->capture_name);
            say_armed();
            break;
        case FCPB__HELPER_COMMAND__BODY_START:
            say_started(command->start->start_unix_ns);
            break;
        case FCPB__HELPER_COMMAND__BODY_STOP:
            say_stopped(command->stop->reason);
            _exit(0);
        default:
            _exit(8);
        }
        fcpb__helper_command__free_unpacked(command, NULL);
    }
}

/* ---- the node's side ---- */

typedef struct world {
    fc_loop *loop;
    nd_backend *backend;
    pid_t monitor;
    char directory[TEMP_DIR_BYTES];
    nd_run *run;
    size_t profile_bytes, armed, started, stopped, died;
    fc_stop_reason reason;
    char how[256];
    bool lost;
} world;

static void
on_armed(void *user, uint64_t ring_bytes)
{
    world *w = user;
    assert_int_equal(ring_bytes, 4096);
    w->armed++;
}

static void
on_started(void *user, fc_wall start)
{
    world *w = user;
    assert_int_equal(start.ns, 77);
    w->started++;
}

static void
on_progress(void *user, const nd_progress *progress)
{
    (void)user;
    (void)progress;
}

static void
on_segment(void *user, const fc_segment *segment)
{
    (void)user;
    (void)segment;
}

static void
let_go(world *w)
{
    w->run->backend->release(w->run);
    w->run = NULL;
}

static void
on_stopped(void *user, fc_stop_reason reason, const char *error, const nd_progress *final, fc_wall stop)
{
    world *w = user;
    (void)error;
    (void) final;
    (void)stop;
    w->stopped++;
    w->reason = reason;
    let_go(w);
}

static void
on_failed(void *user, fc_stop_reason reason, const char *error)
{
    (void)user;
    (void)reason;
    (void)error;
    fail_msg("no played helper fails");
}

static void
on_died(void *user, const char *how)
{
    world *w = user;
    w->died++;
    (void)snprintf(w->how, sizeof w->how, "%s", how);
    let_go(w);
}

static void
on_profile(void *user, const void *bytes, size_t size)
{
    (void)bytes;
    ((world *)user)->profile_bytes = size;
}

static const nd_run_ops ops = {on_armed,   on_started, on_progress, on_segment,
                               on_stopped, on_failed,  on_died,     on_profile};

static void
on_lost(void *user)
{
    ((world *)user)->lost = true;
}

static void
world_init(world *w, const char *helper)
{
    fc_fail fail = {0};
    int monitor_fd = -1;
    memset(w, 0, sizeof *w);
    temp_dir_make(w->directory);
    assert_int_equal(setenv("ND_SECRET", "1", 1), 0);
    assert_int_equal(nd_monitor_fork(helper, NULL, &monitor_fd, &w->monitor, &fail), FC_OK);
    assert_int_equal(fc_loop_new(&fc_clock_system, &w->loop), FC_OK);
    assert_int_equal(nd_helper_backend_new(w->loop, monitor_fd, on_lost, w, &w->backend, &fail), FC_OK);
}

static void
world_fini(world *w)
{
    char path[96];
    nd_helper_backend_free(w->backend);
    fc_loop_free(w->loop);
    /* The monitor goes with its socket. */
    int status = 0;
    assert_int_equal(waitpid(w->monitor, &status, 0), w->monitor);
    (void)snprintf(path, sizeof path, "%s/seen", w->directory);
    (void)unlink(path);
    assert_int_equal(rmdir(w->directory), 0);
}

static void
start(world *w, const char *how, int *ret_lock_fd)
{
    static const fc_spec spec;
    static const fc_strings interfaces;
    fc_fail fail = {0};
    int dir_fd = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(dir_fd, LOCK_EX | LOCK_NB), 0);
    *ret_lock_fd = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    nd_run_spec what = {.capture_uid = "u",
                        .capture_name = how,
                        .instance_id = "i",
                        .instance_name = "i",
                        .scale_set = "s",
                        .region = "r",
                        .zone = "",
                        .incident_id = "",
                        .spec = &spec,
                        .filter = "",
                        .interfaces = &interfaces,
                        .file_prefix = "p",
                        .dir_fd = dir_fd};
    assert_int_equal(w->backend->ops->start(w->backend, &what, &ops, w, &w->run, &fail), FC_OK);
}

#define UNTIL(w, condition) RUN_LOOP_UNTIL((w)->loop, condition)

static void
a_helper_arms_starts_and_stops(void **state)
{
    (void)state;
    world w;
    int lock_fd = -1;
    world_init(&w, SELF);
    start(&w, "works", &lock_fd);
    UNTIL(&w, w.armed == 1);
    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), -1); /* the helper holds its directory */
    w.run->backend->go(w.run, (fc_wall){77}, (fc_wall){99});
    UNTIL(&w, w.started == 1);
    w.run->backend->stop(w.run, FC_STOP_LEASE_EXPIRED);
    UNTIL(&w, w.stopped == 1);
    assert_int_equal(w.reason, FC_STOP_LEASE_EXPIRED);
    for (int i = 0; i < 3000 && flock(lock_fd, LOCK_EX | LOCK_NB) != 0; i++)
        (void)usleep(10000);
    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
    close(lock_fd);
    world_fini(&w);
}

static void
the_node_learns_how_a_helper_ended(void **state)
{
    (void)state;
    static const struct {
        const char *helper, *behaviour, *how;
    } cases[] = {
        {SELF, "dies", "signal 9"},
        {SELF, "leaves", "status 7"},
        {SELF, "raves", "broke the protocol"},
        {SELF, "looks", "status 42"},
        {"/nowhere/fleetcap-capture", "works", "could not be executed"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        world w;
        int lock_fd = -1;
        world_init(&w, cases[i].helper);
        start(&w, cases[i].behaviour, &lock_fd);
        UNTIL(&w, w.died == 1);
        if (strstr(w.how, cases[i].how) == NULL)
            fail_msg("%s: %s", cases[i].behaviour, w.how);
        assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0); /* it is gone, not only silent */
        close(lock_fd);
        world_fini(&w);
    }
}

static void
a_helper_that_hangs_can_be_killed(void **state)
{
    (void)state;
    world w;
    int lock_fd = -1;
    world_init(&w, SELF);
    start(&w, "hangs", &lock_fd);
    w.run->backend->kill(w.run); /* before its pid is known, too */
    UNTIL(&w, w.died == 1);
    assert_non_null(strstr(w.how, "signal 9"));
    close(lock_fd);
    world_fini(&w);
}

static void
many_helpers_do_not_get_mixed_up(void **state)
{
    (void)state;
    world w[8];
    int lock_fds[FC_COUNT(w)];
    world_init(&w[0], SELF);
    for (size_t i = 1; i < FC_COUNT(w); i++) {
        w[i] = w[0];
        temp_dir_make(w[i].directory);
    }
    for (size_t i = 0; i < FC_COUNT(w); i++)
        start(&w[i], i % 2 == 0 ? "works" : "leaves", &lock_fds[i]);
    for (size_t i = 0; i < FC_COUNT(w); i++)
        UNTIL(&w[i], i % 2 == 0 ? w[i].armed == 1 : w[i].died == 1);
    for (size_t i = 0; i < FC_COUNT(w); i += 2)
        w[i].run->backend->stop(w[i].run, FC_STOP_STOP_REQUESTED);
    for (size_t i = 0; i < FC_COUNT(w); i++) {
        UNTIL(&w[i], i % 2 == 0 ? w[i].stopped == 1 : w[i].died == 1);
        close(lock_fds[i]);
        if (i > 0)
            assert_int_equal(rmdir(w[i].directory), 0);
    }
    world_fini(&w[0]);
}

static void
without_a_monitor_nothing_starts_and_the_node_knows(void **state)
{
    (void)state;
    world w;
    int lock_fd = -1;
    world_init(&w, SELF);
    start(&w, "works", &lock_fd);
    UNTIL(&w, w.armed == 1);
    assert_int_equal(kill(w.monitor, SIGKILL), 0);
    UNTIL(&w, w.lost);
    /* The helper that runs goes on, and can be stopped. */
    w.run->backend->stop(w.run, FC_STOP_STOP_REQUESTED);
    UNTIL(&w, w.stopped == 1);
    close(lock_fd);
    world_fini(&w);
}

int
main(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], SELF) == 0)
        play_helper();
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_helper_arms_starts_and_stops),
        cmocka_unit_test(the_node_learns_how_a_helper_ended),
        cmocka_unit_test(a_helper_that_hangs_can_be_killed),
        cmocka_unit_test(many_helpers_do_not_get_mixed_up),
        cmocka_unit_test(without_a_monitor_nothing_starts_and_the_node_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
