/* fleetcap-capture when something goes wrong: what it has seen is kept or counted, and the reason is told. */
#include "capture_check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
drops_of_a_small_ring_are_all_accounted_for(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.ring_bytes = 2 << 20});
    rig_helper_run(&helper, 0);
    assert_int_equal(helper.ring_bytes, 2 << 20);
    kill(helper.pid, SIGSTOP); /* a process that gets no time */
    rig_send(&net, 50000, 100, 0);
    kill(helper.pid, SIGCONT);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 50000);
    assert_true(helper.counters.dropped_kernel > 10000);
    assert_true(helper.counters.written_packets > 1000);
    rig_helper_fini(&helper);
}

static void
a_full_disk_keeps_what_was_written(void **state)
{
    (void)state;
    char disk[128];
    rig_helper helper;
    (void)snprintf(disk, sizeof disk, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && mount -t tmpfs -o size=1m none %s", disk, disk), 0);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.flush_interval_ms = 50});
    rig_helper_run(&helper, 0);
    rig_send(&net, 20000, 100, 20000);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_DISK_FULL);
    assert_true(strstr(helper.error, "No space left") != NULL);
    assert_int_equal(in_files, helper.counters.written_packets);
    assert_true(helper.counters.written_packets > 4000);
    assert_true(helper.counters.dropped_writer > 0);
    assert_int_equal(rig_number("tshark -r %s/%s 2>/dev/null | wc -l", disk, helper.segments[0].path),
                     in_files);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

/* A file system of its own in a file, as an ordinary disk: writes go past the page cache. */
static void
make_disk(char disk[128], unsigned mib)
{
    (void)snprintf(disk, 128, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && truncate -s %um %s/image && mkfs.ext4 -q -m 0 %s/image && "
                               "mount -o loop %s/image %s && rm -rf %s/lost+found",
                               disk, mib, net.dir, net.dir, net.dir, disk, disk),
                     0);
}

static void
a_full_ordinary_disk_keeps_what_was_written(void **state)
{
    (void)state;
    char disk[128];
    rig_helper helper;
    make_disk(disk, 16);
    rig_helper_start(&helper, &net, disk, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 120000, 100, 0);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_DISK_FULL);
    assert_int_equal(in_files, helper.counters.written_packets);
    assert_true(helper.counters.written_bytes > 5 << 20);
    assert_true(helper.counters.dropped_writer > 0);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

static void
a_disk_that_hangs_costs_packets_under_its_own_name(void **state)
{
    (void)state;
    const bool never = false;
    unsigned sent = 200000;
    char disk[128];
    rig_helper helper;
    make_disk(disk, 64);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.ring_bytes = 2 << 20, .flush_interval_ms = 60000});
    rig_helper_run(&helper, 0);
    assert_int_equal(rig_shell("fsfreeze -f %s", disk), 0);
    /* 38 MB of blocks, where 16 MiB of buffers and the ring are. What finds the ring full before the buffers
     * are so is dropped by the kernel, where the helper is slow: then more comes. */
    rig_send(&net, sent, 100, 0);
    (void)rig_helper_wait(&helper, &never, 1200);
    for (; helper.counters.dropped_writer <= 10000 && sent < 3000000; sent += 50000) {
        rig_send(&net, 50000, 100, 0);
        (void)rig_helper_wait(&helper, &never, 1200); /* it tells every half second */
    }
    assert_int_equal(rig_shell("fsfreeze -u %s", disk), 0);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.counters.matched_packets, sent);
    assert_int_equal(in_files, helper.counters.written_packets);
    assert_true(helper.counters.dropped_writer > 10000);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

static void
the_disk_floor_ends_it_before_the_disk_is_full(void **state)
{
    (void)state;
    char disk[128];
    rig_helper helper;
    (void)snprintf(disk, sizeof disk, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && mount -t tmpfs -o size=8m none %s", disk, disk), 0);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.flush_interval_ms = 50, .disk_floor_bytes = 7 << 20});
    rig_helper_run(&helper, 0);
    rig_send(&net, 10000, 100, 0);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_DISK_FLOOR);
    /* It may look while they still come. */
    assert_true(in_files > 5000);
    assert_int_equal(in_files, helper.counters.written_packets);
    assert_int_equal(helper.counters.dropped_writer + helper.counters.dropped_kernel, 0);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

static void
after_kill_9_the_segment_is_repaired_and_holds_what_was_flushed(void **state)
{
    (void)state;
    rig_helper helper;
    char path[512];
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.flush_interval_ms = 50});
    rig_helper_run(&helper, 0);
    rig_send(&net, 30000, 100, 0);
    rig_check_until(&helper, rig_has_written, 30000);
    kill(helper.pid, SIGKILL);
    rig_helper_wait_end(&helper, 1000);
    (void)snprintf(path, sizeof path, "%s/web-1_02_45_37_0001.pcapng.part", net.dir);
    assert_int_equal(rig_shell("printf 'half a block' >> %s", path), 0);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    fc_pcapng_summary summary = {0};
    assert_int_equal(fc_pcapng_repair(fd, &summary, NULL), FC_OK);
    assert_int_equal(summary.packets, 30000);
    assert_int_equal(summary.cut_bytes, strlen("half a block"));
    assert_int_equal(rig_number("capinfos -Mrc '%s' | sed -n 's/.*packets: *//p'", path), 30000);
    close(fd);
    rig_helper_fini(&helper);
}

static void
a_vanished_interface_ends_it_with_everything_seen(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    assert_int_equal(rig_shell("ip -n %s link del cap0", net.near), 0);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_INTERFACE_GONE);
    assert_int_equal(in_files, 1000);
    assert_true(strstr(helper.error, "cap0") != NULL);
    rig_helper_fini(&helper);
}

static void
an_interface_that_goes_down_and_up_again_is_still_captured(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 100, 100, 0);
    assert_int_equal(
        rig_shell(
            "until_is() { for i in $(seq 600); do ip -n $1 link show $2 | grep -q \"state $3\" && return; "
            "sleep 0.1; done; return 1; }\n"
            "set -e; ip -n %s link set cap0 down; until_is %s gen0 .*DOWN; sleep 0.7; "
            "ip -n %s link set cap0 up; until_is %s cap0 UP; until_is %s gen0 UP; "
            "ip -n %s neigh replace 10.77.0.1 lladdr 02:00:00:00:77:01 dev gen0",
            net.near, net.far, net.near, net.near, net.far, net.far),
        0);
    rig_send(&net, 100, 100, 0);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.written_packets, 200);
    rig_helper_fini(&helper);
}

static void
a_node_that_dies_leaves_a_sealed_file(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    close(helper.channel);
    helper.channel = -1;
    rig_helper_wait_end(&helper, RIG_END_TIMEOUT_MS);
    assert_int_equal(helper.exit_status, 0);
    assert_int_equal(
        rig_number("capinfos -Mrc %s/web-1_02_45_37_0001.pcapng | sed -n 's/.*packets: *//p'", net.dir),
        1000);
    rig_helper_fini(&helper);
}

/* By which its node knows that it does not hang. */
static void
without_a_packet_it_says_that_it_lives(void **state)
{
    (void)state;
    const bool never = false;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = "udp port 9"});
    rig_helper_run(&helper, 0);
    for (int word = 0; word < 100 && helper.progress_count < 3; word++) /* the third after 10 s */
        (void)rig_helper_wait(&helper, &never, 300);
    assert_true(helper.progress_count >= 3);
    assert_int_equal(helper.counters.matched_packets, 0);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    (void)rig_check_end(&helper);
    rig_helper_fini(&helper);
}

static void
stopped_before_the_start_it_leaves_nothing(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    assert_true(rig_helper_wait(&helper, &helper.armed, 60000));
    rig_send(&net, 10, 100, 0);
    rig_helper_command_stop(&helper, FC_STOP_LEASE_EXPIRED);
    (void)rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_LEASE_EXPIRED);
    assert_int_equal(helper.counters.dropped_before_start, 10);
    assert_int_equal(rig_number("ls %s | wc -l", net.dir), 0);
    rig_helper_fini(&helper);
}

static void
what_cannot_be_captured_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        rig_spec spec;
        fc_stop_reason reason;
        const char *sentence;
    } cases[] = {
        {{.interface = "eth9"}, FC_STOP_INTERFACE_GONE, "interface eth9 does not exist"},
        {{.interface = "any"}, FC_STOP_INTERFACE_GONE, "interface any does not exist"},
        {{.interface = "../x"}, FC_STOP_INTERNAL, "'../x' is not the name of an interface"},
        {{.filter = "udp prot 53"}, FC_STOP_FILTER_REFUSED, "'udp prot 53' does not compile"},
        {{.prefix = "../web"}, FC_STOP_INTERNAL, "'../web' is not a file name"},
        {{.packet_limit = 10, .written_packets = 10}, FC_STOP_PACKET_COUNT, "all of the 10 packets"},
        {{.ring_files = 3}, FC_STOP_INTERNAL, "a ring of 3 files of 0 bytes"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        rig_helper helper;
        rig_helper_start(&helper, &net, NULL, &cases[i].spec);
        rig_helper_wait_end(&helper, RIG_END_TIMEOUT_MS);
        assert_true(helper.failed);
        assert_int_equal(helper.reason, cases[i].reason);
        if (strstr(helper.error, cases[i].sentence) == NULL)
            fail_msg("'%s' does not say '%s'", helper.error, cases[i].sentence);
        assert_true(WIFEXITED(helper.exit_status) && WEXITSTATUS(helper.exit_status) != 0);
        assert_int_equal(rig_number("ls %s | wc -l", net.dir), 0);
        rig_helper_fini(&helper);
    }
}

int
main(void)
{
    if (geteuid() != 0) {
        (void)printf("SKIP: network namespaces need root\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        RIG_TEST(drops_of_a_small_ring_are_all_accounted_for),
        RIG_TEST(a_full_disk_keeps_what_was_written),
        RIG_TEST(a_full_ordinary_disk_keeps_what_was_written),
        RIG_TEST(a_disk_that_hangs_costs_packets_under_its_own_name),
        RIG_TEST(the_disk_floor_ends_it_before_the_disk_is_full),
        RIG_TEST(after_kill_9_the_segment_is_repaired_and_holds_what_was_flushed),
        RIG_TEST(a_vanished_interface_ends_it_with_everything_seen),
        RIG_TEST(an_interface_that_goes_down_and_up_again_is_still_captured),
        RIG_TEST(a_node_that_dies_leaves_a_sealed_file),
        RIG_TEST(without_a_packet_it_says_that_it_lives),
        RIG_TEST(stopped_before_the_start_it_leaves_nothing),
        RIG_TEST(what_cannot_be_captured_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
