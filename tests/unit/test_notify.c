/* What the service manager hears: this test listens in its place. */
#include "common/base/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int manager = -1;

/* A clock that stands still until the test moves its hands. */
static int64_t hands_ns = FC_NS_PER_S;

static fc_mono
mono_now(const fc_clock *clock)
{
    (void)clock;
    return (fc_mono){hands_ns};
}

static fc_wall
wall_now(const fc_clock *clock)
{
    (void)clock;
    return (fc_wall){hands_ns};
}

static const fc_clock hands = {mono_now, wall_now};

static int
set_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "fleetcap-test-%d", (int)getpid());
    char name[sizeof address.sun_path + 1], pid[16];
    (void)snprintf(name, sizeof name, "@%s", address.sun_path + 1);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "20000", 1), 0);
    return setenv("WATCHDOG_PID", pid, 1);
}

static int
tear_down(void **state)
{
    (void)state;
    return close(manager);
}

static void
hears(const char *text)
{
    char heard[256] = "";
    ssize_t size = recv(manager, heard, sizeof heard - 1, 0);
    assert_true(size > 0);
    assert_string_equal(heard, text);
}

static void
ready_alive_reloading_and_ending_are_heard(void **state)
{
    (void)state;
    fc_loop *loop;
    fc_notify notify;
    assert_int_equal(fc_loop_new(&hands, &loop), FC_OK);
    fc_notify_start(&notify, loop);
    hears("READY=1");
    for (int i = 0; i < 2; i++) {
        hands_ns += 10 * FC_NS_PER_MS; /* half the watchdog's time */
        assert_true(fc_loop_run_due(loop));
        hears("WATCHDOG=1");
    }
    assert_false(fc_loop_run_due(loop));
    fc_notify_status("3 of 4 instances online");
    hears("STATUS=3 of 4 instances online");
    fc_notify_reloading();
    hears("RELOADING=1");
    fc_notify_reloaded();
    hears("READY=1");
    fc_notify_ending();
    hears("STOPPING=1");
    fc_notify_stop(&notify);
    fc_loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ready_alive_reloading_and_ending_are_heard)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
