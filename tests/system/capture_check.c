#include "capture_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

rig_net net;

int
rig_set_up(void **state)
{
    (void)state;
    rig_open(&net, NULL);
    return 0;
}

int
rig_tear_down(void **state)
{
    (void)state;
    rig_close(&net);
    return 0;
}

static int64_t
unaccounted(const fc_counters *counters)
{
    int64_t left = (int64_t)counters->matched_packets;
#define X(name, unit, in_sum, text) left -= in_sum ? (int64_t)counters->name : 0;
    FC_STATUS_COUNTERS(X)
#undef X
    return left;
}

static void
print_counters(const rig_helper *helper)
{
    print_message("reason %d %s;", helper->reason, helper->error);
#define X(name, unit, in_sum, text)                                                                          \
    print_message(" %s %llu", #name, (unsigned long long)helper->counters.name);
    FC_STATUS_COUNTERS(X)
#undef X
    print_message("\n");
}

void
rig_check_until(rig_helper *helper, bool (*holds)(const rig_helper *helper, uint64_t wanted), uint64_t wanted)
{
    const bool never = false;
    for (double due = rig_now() + RIG_PATIENCE_S; !holds(helper, wanted);
         (void)rig_helper_wait(helper, &never, 50))
        if (helper->failed || helper->stopped || rig_now() > due) {
            print_counters(helper);
            fail_msg("%llu was not reached", (unsigned long long)wanted);
        }
}

bool
rig_has_written(const rig_helper *helper, uint64_t wanted)
{
    return helper->counters.written_packets >= wanted;
}

uint64_t
rig_check_end(rig_helper *helper)
{
    rig_helper_wait_end(helper, RIG_END_TIMEOUT_MS);
    print_counters(helper);
    assert_true(helper->stopped);
    assert_true(WIFEXITED(helper->exit_status));
    assert_int_equal(WEXITSTATUS(helper->exit_status), 0);
    assert_int_equal(unaccounted(&helper->counters), 0);
    uint64_t packets = 0;
    for (size_t i = 0; i < helper->segment_count; i++) {
        char path[512];
        struct stat status;
        const fc_segment *segment = &helper->segments[i];
        (void)snprintf(path, sizeof path, "%s/%s", helper->dir, segment->path);
        if (stat(path, &status) != 0) /* rotated out */
            continue;
        assert_int_equal(status.st_size, segment->size_bytes);
        assert_int_equal(
            rig_shell("capinfos '%s' >/dev/null 2>'%s.err' && ! test -s '%s.err'; rm -f '%s.err'", path, path,
                      path, path),
            0);
        assert_int_equal(rig_number("capinfos -Mrc '%s' | sed -n 's/.*packets: *//p'", path),
                         segment->packets);
        packets += segment->packets;
    }
    assert_int_equal(rig_number("find '%s' -name '*.part' | wc -l", helper->dir), 0);
    return packets;
}

void
rig_stop_and_check(rig_helper *helper)
{
    rig_helper_command_stop(helper, FC_STOP_STOP_REQUESTED);
    uint64_t in_files = rig_check_end(helper);
    assert_int_equal(helper->reason, FC_STOP_STOP_REQUESTED);
    assert_int_equal(in_files, helper->counters.written_packets);
}
