/* fleetcap-capture as it is, on a veth pair of its own: what was sent, what is in the files by other tools'
 * word, and what the counters say must agree to the packet. */
#include "capture_rig.h"
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

enum { END_TIMEOUT_MS = 20000 };

static rig_net net;

static int
set_up(void **state)
{
    (void) state;
    rig_open(&net, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    rig_close(&net);
    return 0;
}

static int64_t
unaccounted(const fc_counters *counters)
{
    int64_t left = (int64_t) counters->matched_packets;
#define X(name, unit, in_sum, text) left -= in_sum ? (int64_t) counters->name : 0;
    FC_COUNTERS(X)
#undef X
    return left;
}

static void
print_counters(const rig_helper *helper)
{
    print_message("reason %d %s;", helper->reason, helper->error);
#define X(name, unit, in_sum, text)                                                                          \
    print_message(" %s %llu", #name, (unsigned long long) helper->counters.name);
    FC_COUNTERS(X)
#undef X
    print_message("\n");
}

/* Every end of a capture: the process ended well, nothing is unaccounted for, and each sealed segment is what
 * it says by capinfos. Returns the packets that are in files. */
static uint64_t
check_end(rig_helper *helper)
{
    rig_helper_wait_end(helper, END_TIMEOUT_MS);
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
        (void) snprintf(path, sizeof path, "%s/%s", helper->dir, segment->path);
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

static void
stop_and_check(rig_helper *helper)
{
    rig_helper_command_stop(helper, FC_STOP_STOP_REQUESTED);
    uint64_t in_files = check_end(helper);
    assert_int_equal(helper->reason, FC_STOP_STOP_REQUESTED);
    assert_int_equal(in_files, helper->counters.written_packets);
}

static void
every_packet_is_in_the_file_and_other_tools_agree(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 20000, 100, 0);
    rig_send_out(&net, 500, 60, 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 20500);
    assert_int_equal(helper.counters.written_packets, 20500);
    assert_int_equal(helper.counters.written_bytes, 20000 * 142 + 500 * 102);
    assert_int_equal(helper.ring_bytes, 64 << 20);
    assert_int_equal(helper.segment_count, 1);
    assert_int_equal(helper.counters.file_bytes, helper.segments[0].size_bytes);
    assert_string_equal(helper.segments[0].path, "web-1_02_45_37_0001.pcapng");
    const char *file = helper.segments[0].path;
    assert_int_equal(rig_number("tshark -r %s/%s -Y 'udp.length == 108' 2>/dev/null | wc -l", net.dir, file),
                     20000);
    assert_int_equal(rig_number("tcpdump -nr %s/%s 2>/dev/null | wc -l", net.dir, file), 20500);
    assert_int_equal(
        rig_shell("tshark -r %s/%s -c 1 -T fields -e frame.interface_name -e frame.interface_description | "
                  "grep -qx $'cap0\\tweb-1 (scale set web, region eu) cap0' 2>/dev/null",
                  net.dir, file) == 0 ||
            rig_shell("tshark -r %s/%s -c 1 -T fields -e frame.interface_description 2>/dev/null | "
                      "grep -qxF 'web-1 (scale set web, region eu) cap0'",
                      net.dir, file) == 0,
        1);
    assert_int_equal(rig_shell("capinfos %s/%s | grep -q 'Filter string = udp port 9000'", net.dir, file), 0);
    assert_int_equal(rig_shell("capinfos %s/%s | grep -q 'INC-42'", net.dir, file), 0);
    rig_helper_fini(&helper);
}

/* Counts packets by the low two bits of their flags, in the first segment. */
static void
count_directions(const rig_helper *helper, unsigned ret_counts[4])
{
    char path[512];
    (void) snprintf(path, sizeof path, "%s/%s", net.dir, helper->segments[0].path);
    int fd = open(path, O_RDONLY);
    fc_pcapng_reader *reader = NULL;
    fc_pcapng_packet packet;
    assert_int_equal(fc_pcapng_reader_new(fd, &reader, NULL), FC_OK);
    memset(ret_counts, 0, 4 * sizeof ret_counts[0]);
    while (fc_pcapng_reader_next(reader, &packet, NULL) == FC_OK)
        ret_counts[packet.flags & 3]++;
    fc_pcapng_reader_free(reader);
    close(fd);
}

static void
the_direction_of_every_packet_is_known(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.stream = true});
    rig_helper_run(&helper, 0);
    rig_send(&net, 300, 100, 0);
    rig_send_out(&net, 200, 100, 0);
    stop_and_check(&helper);
    unsigned counts[4];
    count_directions(&helper, counts);
    assert_int_equal(counts[FC_DIRECTION_INBOUND], 300);
    assert_int_equal(counts[FC_DIRECTION_OUTBOUND], 200);
    assert_int_equal(
        rig_number("tshark -r %s/%s -Y 'frame.packet_flags_direction == 2 && ip.src == 10.77.0.1' "
                   "2>/dev/null | wc -l",
                   net.dir, helper.segments[0].path),
        200);
    assert_int_equal(
        rig_number("tshark -r %s/%s -Y 'frame.packet_flags_reception_type == 1' 2>/dev/null | wc -l", net.dir,
                   helper.segments[0].path),
        300);
    rig_helper_fini(&helper);
}

static void
directions_hold_with_vlan_tags(void **state)
{
    (void) state;
    /* 802.1Q, VLAN 7, then two tags (802.1ad); the kernel takes the outer one out of the packet, libpcap puts
     * it back. */
    static const uint8_t one[60] = {2,    0, 0,    0, 0x77, 1, 2,    0,    0,   0,
                                    0x77, 2, 0x81, 0, 0,    7, 0x08, 0x00, 0x45};
    static const uint8_t two[60] = {2,    0,    0, 0, 0x77, 1, 2, 0, 0,    0,    0x77, 2,
                                    0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 0x08, 0x00, 0x45};
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = "vlan"});
    rig_helper_run(&helper, 0);
    rig_send_frame(&net, one, sizeof one);
    rig_send_frame(&net, two, sizeof two);
    rig_send(&net, 10, 100, 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.written_packets, 2);
    assert_int_equal(
        rig_number("tshark -r %s/%s -Y 'vlan.id == 7 && frame.packet_flags_direction == 1' 2>/dev/null | "
                   "wc -l",
                   net.dir, helper.segments[0].path),
        2);
    rig_helper_fini(&helper);
}

static void
loopback_packets_come_once(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.interface = "lo", .filter = "icmp"});
    rig_helper_run(&helper, 0);
    assert_int_equal(rig_shell("ip netns exec %s ping -q -c 4 -i 0.1 127.0.0.1 >/dev/null", net.near), 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 8);
    assert_int_equal(helper.counters.written_packets, 8);
    rig_helper_fini(&helper);
}

/* ARPHRD_NONE has no link header; for ARPHRD_PPP libpcap makes one that the kernel's filter does not see. */
static void
tunnels_are_filtered_and_have_directions(void **state)
{
    (void) state;
    enum { PPP = 512, NONE = 0xFFFE };
    static const int types[] = {NONE, PPP};
    for (size_t i = 0; i < FC_COUNT(types); i++) {
        rig_helper helper;
        unsigned counts[4];
        char name[8], prefix[8];
        (void) snprintf(name, sizeof name, "tun%zu", i);
        (void) snprintf(prefix, sizeof prefix, "t%zu", i);
        rig_make_tun(&net, name, types[i]);
        rig_helper_start(&helper, &net, NULL,
                         &(rig_spec){.interface = name, .prefix = prefix, .filter = "udp dst port 9000"});
        rig_helper_run(&helper, 0);
        rig_send_tun(&net, name, 50);
        (void) rig_shell("ip netns exec %s ping -q -c 2 -i 0.1 -W 1 10.79.0.9 >/dev/null", net.near);
        stop_and_check(&helper);
        assert_int_equal(helper.counters.written_packets, 50);
        count_directions(&helper, counts);
        assert_int_equal(counts[FC_DIRECTION_INBOUND], 50);
        assert_int_equal(
            rig_number("tshark -r %s/%s -Y 'udp.dstport == 9000 && ip.src == 10.79.0.2' 2>/dev/null | wc -l",
                       net.dir, helper.segments[0].path),
            50);
        assert_int_equal(rig_shell("ip -n %s link del %s", net.near, name), 0);
        rig_helper_fini(&helper);
    }
}

static void
the_direction_can_be_filtered_by(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = "outbound and udp"});
    rig_helper_run(&helper, 0);
    rig_send(&net, 300, 100, 0);
    rig_send_out(&net, 200, 100, 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 200);
    assert_int_equal(helper.counters.written_packets, 200);
    rig_helper_fini(&helper);
}

static void
two_interfaces_share_a_file_and_the_limits(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.second_interface = "lo", .filter = "icmp or udp", .packet_limit = 1006});
    rig_helper_run(&helper, 0);
    assert_int_equal(helper.ring_bytes, 64 << 20);
    assert_int_equal(rig_shell("ip netns exec %s ping -q -c 3 -i 0.1 127.0.0.1 >/dev/null", net.near), 0);
    (void) usleep(300000);
    rig_send(&net, 5000, 100, 0);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_PACKET_COUNT);
    assert_int_equal(in_files, 1006);
    assert_int_equal(
        rig_number("tshark -r %s/%s -Y 'frame.interface_name == \"lo\" && icmp' 2>/dev/null | wc -l", net.dir,
                   helper.segments[0].path),
        6);
    rig_helper_fini(&helper);
}

static void
with_one_capability_and_no_root_it_captures(void **state)
{
    (void) state;
    rig_helper helper;
    assert_int_equal(rig_shell("chown 65534:65534 %s", net.dir), 0);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.unprivileged = true, .stream = true});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.written_packets, 1000);
    rig_helper_fini(&helper);
}

static void
packets_before_the_start_instant_are_counted_not_written(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    assert_true(rig_helper_wait(&helper, &helper.armed, 10000));
    rig_send(&net, 1000, 100, 0);
    int64_t start_ns = fc_clock_wall(&fc_clock_system).ns + 300 * FC_NS_PER_MS;
    rig_helper_command_start(&helper, start_ns, 0);
    rig_send(&net, 6000, 100, 10000);
    assert_true(rig_helper_wait(&helper, &helper.started, 1000));
    assert_true(helper.start_ns == start_ns);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 7000);
    assert_true(helper.counters.dropped_before_start > 1000);
    assert_true(helper.counters.written_packets > 1000);
    assert_true(helper.first_ns >= start_ns);
    assert_true(helper.first_ns < start_ns + 50 * FC_NS_PER_MS);
    rig_helper_fini(&helper);
}

static void
the_packet_limit_is_exact(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.packet_limit = 1500, .written_packets = 500});
    rig_helper_run(&helper, 0);
    rig_send(&net, 5000, 100, 0);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_PACKET_COUNT);
    assert_int_equal(in_files, 1000);
    assert_int_equal(helper.counters.written_packets, 1000);
    assert_int_equal(helper.counters.matched_packets, 1000 + helper.counters.dropped_after_stop);
    rig_helper_fini(&helper);
}

static void
session_bytes_are_never_exceeded(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.session_bytes = 100000, .snaplen_bytes = 96});
    rig_helper_run(&helper, 0);
    rig_send(&net, 5000, 1000, 0);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_SESSION_BYTES);
    assert_int_equal(in_files, 100000 / 96);
    assert_int_equal(helper.counters.written_bytes, 100000 / 96 * 96);
    rig_helper_fini(&helper);
}

static void
the_time_limit_ends_it(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.time_limit_s = 1});
    rig_helper_run(&helper, 0);
    rig_send(&net, 3000, 100, 2000);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_TIME_LIMIT);
    assert_true(helper.stop_ns - helper.start_ns == FC_NS_PER_S);
    assert_true(helper.last_ns < helper.stop_ns);
    assert_true(in_files > 1500 && in_files < 2500);
    rig_helper_fini(&helper);
}

static void
the_ring_of_files_keeps_the_last(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.ring_files = 3, .ring_file_bytes = 200000, .first_sequence = 5});
    rig_helper_run(&helper, 0);
    rig_send(&net, 10000, 100, 0);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    (void) check_end(&helper);
    assert_int_equal(helper.counters.written_packets, 10000);
    assert_int_equal(rig_number("find %s -name '*.pcapng' | wc -l", net.dir), 3);
    assert_true(helper.segment_count > 8);
    assert_int_equal(helper.removed_count, helper.segment_count - 3);
    assert_int_equal(helper.segments[0].sequence, 5);
    uint64_t packets = 0;
    for (size_t i = 0; i < helper.segment_count; i++) {
        assert_int_equal(helper.segments[i].sequence, 5 + i);
        assert_true(helper.segments[i].size_bytes <= 200000);
        packets += helper.segments[i].packets;
    }
    assert_int_equal(packets, 10000);
    assert_int_equal(rig_number("cat %s/*.pcapng | wc -c", net.dir), helper.counters.file_bytes);
    rig_helper_fini(&helper);
}

static void
drops_of_a_small_ring_are_all_accounted_for(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.ring_bytes = 2 << 20});
    rig_helper_run(&helper, 0);
    assert_int_equal(helper.ring_bytes, 2 << 20);
    kill(helper.pid, SIGSTOP); /* a process that gets no time */
    rig_send(&net, 50000, 100, 0);
    kill(helper.pid, SIGCONT);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 50000);
    assert_true(helper.counters.dropped_kernel > 10000);
    assert_true(helper.counters.written_packets > 1000);
    rig_helper_fini(&helper);
}

static void
a_full_disk_keeps_what_was_written(void **state)
{
    (void) state;
    char disk[128];
    rig_helper helper;
    (void) snprintf(disk, sizeof disk, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && mount -t tmpfs -o size=1m none %s", disk, disk), 0);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.flush_interval_ms = 50});
    rig_helper_run(&helper, 0);
    rig_send(&net, 20000, 100, 20000);
    uint64_t in_files = check_end(&helper);
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
    (void) snprintf(disk, 128, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && truncate -s %um %s/image && mkfs.ext4 -q -m 0 %s/image && "
                               "mount -o loop %s/image %s && rm -rf %s/lost+found",
                               disk, mib, net.dir, net.dir, net.dir, disk, disk),
                     0);
}

static void
a_full_ordinary_disk_keeps_what_was_written(void **state)
{
    (void) state;
    char disk[128];
    rig_helper helper;
    make_disk(disk, 16);
    rig_helper_start(&helper, &net, disk, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 120000, 100, 0);
    uint64_t in_files = check_end(&helper);
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
    (void) state;
    char disk[128];
    rig_helper helper;
    make_disk(disk, 64);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.ring_bytes = 2 << 20, .flush_interval_ms = 60000});
    rig_helper_run(&helper, 0);
    assert_int_equal(rig_shell("fsfreeze -f %s", disk), 0);
    rig_send(&net, 200000, 100, 0); /* 38 MB of blocks, where 16 MiB of buffers and the ring are */
    (void) usleep(1200000);
    assert_int_equal(rig_shell("fsfreeze -u %s", disk), 0);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.counters.matched_packets, 200000);
    assert_int_equal(in_files, helper.counters.written_packets);
    assert_true(helper.counters.dropped_writer > 10000);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

static void
the_disk_floor_ends_it_before_the_disk_is_full(void **state)
{
    (void) state;
    char disk[128];
    rig_helper helper;
    (void) snprintf(disk, sizeof disk, "%s/disk", net.dir);
    assert_int_equal(rig_shell("mkdir %s && mount -t tmpfs -o size=8m none %s", disk, disk), 0);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.flush_interval_ms = 50, .disk_floor_bytes = 7 << 20});
    rig_helper_run(&helper, 0);
    rig_send(&net, 10000, 100, 0);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_DISK_FLOOR);
    assert_int_equal(in_files, 10000);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

static void
after_kill_9_the_segment_is_repaired_and_holds_what_was_flushed(void **state)
{
    (void) state;
    rig_helper helper;
    char path[512];
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.flush_interval_ms = 50});
    rig_helper_run(&helper, 0);
    rig_send(&net, 30000, 100, 0);
    bool never = false;
    (void) rig_helper_wait(&helper, &never, 1200);
    assert_int_equal(helper.counters.written_packets, 30000);
    kill(helper.pid, SIGKILL);
    rig_helper_wait_end(&helper, 1000);
    (void) snprintf(path, sizeof path, "%s/web-1_02_45_37_0001.pcapng.part", net.dir);
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
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    assert_int_equal(rig_shell("ip -n %s link del cap0", net.near), 0);
    uint64_t in_files = check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_INTERFACE_GONE);
    assert_int_equal(in_files, 1000);
    assert_true(strstr(helper.error, "cap0") != NULL);
    rig_helper_fini(&helper);
}

static void
an_interface_that_goes_down_and_up_again_is_still_captured(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 100, 100, 0);
    assert_int_equal(
        rig_shell("ip -n %s link set cap0 down; sleep 0.7; ip -n %s link set cap0 up; "
                  "ip -n %s neigh replace 10.77.0.1 lladdr 02:00:00:00:77:01 dev gen0; sleep 0.3",
                  net.near, net.near, net.far),
        0);
    rig_send(&net, 100, 100, 0);
    stop_and_check(&helper);
    assert_int_equal(helper.counters.written_packets, 200);
    rig_helper_fini(&helper);
}

static void
a_node_that_dies_leaves_a_sealed_file(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    close(helper.channel);
    helper.channel = -1;
    rig_helper_wait_end(&helper, END_TIMEOUT_MS);
    assert_int_equal(helper.exit_status, 0);
    assert_int_equal(
        rig_number("capinfos -Mrc %s/web-1_02_45_37_0001.pcapng | sed -n 's/.*packets: *//p'", net.dir),
        1000);
    rig_helper_fini(&helper);
}

static void
stopped_before_the_start_it_leaves_nothing(void **state)
{
    (void) state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    assert_true(rig_helper_wait(&helper, &helper.armed, 10000));
    rig_send(&net, 10, 100, 0);
    rig_helper_command_stop(&helper, FC_STOP_LEASE_EXPIRED);
    (void) check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_LEASE_EXPIRED);
    assert_int_equal(helper.counters.dropped_before_start, 10);
    assert_int_equal(rig_number("ls %s | wc -l", net.dir), 0);
    rig_helper_fini(&helper);
}

static void
what_cannot_be_captured_is_refused_with_a_sentence(void **state)
{
    (void) state;
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
        rig_helper_wait_end(&helper, END_TIMEOUT_MS);
        assert_true(helper.failed);
        assert_int_equal(helper.reason, cases[i].reason);
        if (strstr(helper.error, cases[i].sentence) == NULL)
            fail_msg("'%s' does not say '%s'", helper.error, cases[i].sentence);
        assert_true(WIFEXITED(helper.exit_status) && WEXITSTATUS(helper.exit_status) != 0);
        assert_int_equal(rig_number("ls %s | wc -l", net.dir), 0);
        rig_helper_fini(&helper);
    }
}

static void
armed_it_has_no_privilege_left(void **state)
{
    (void) state;
    rig_helper helper;
    assert_int_equal(rig_shell("chown 65534:65534 %s", net.dir), 0);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    for (unsigned thread = 0; thread < 2; thread++) {
        char task[64];
        (void) snprintf(task, sizeof task, "$(ls -d /proc/%d/task/* | sed -n %up)", (int) helper.pid,
                        thread + 1);
        assert_int_equal(rig_shell("grep -q '^CapPrm:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^CapEff:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^CapAmb:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^NoNewPrivs:\t1$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^Seccomp:\t2$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^Uid:\t65534\t65534\t65534\t65534$' %s/status", task), 0);
    }
    rig_send(&net, 100, 100, 0);
    stop_and_check(&helper);
    assert_int_equal(rig_number("stat -c %%u %s/%s", net.dir, helper.segments[0].path), 65534);
    rig_helper_fini(&helper);
}

int
main(void)
{
    if (geteuid() != 0) {
        (void) printf("SKIP: network namespaces need root\n");
        return 77;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_packet_is_in_the_file_and_other_tools_agree),
        TEST(the_direction_of_every_packet_is_known),
        TEST(directions_hold_with_vlan_tags),
        TEST(loopback_packets_come_once),
        TEST(tunnels_are_filtered_and_have_directions),
        TEST(the_direction_can_be_filtered_by),
        TEST(two_interfaces_share_a_file_and_the_limits),
        TEST(with_one_capability_and_no_root_it_captures),
        TEST(packets_before_the_start_instant_are_counted_not_written),
        TEST(the_packet_limit_is_exact),
        TEST(session_bytes_are_never_exceeded),
        TEST(the_time_limit_ends_it),
        TEST(the_ring_of_files_keeps_the_last),
        TEST(drops_of_a_small_ring_are_all_accounted_for),
        TEST(a_full_disk_keeps_what_was_written),
        TEST(a_full_ordinary_disk_keeps_what_was_written),
        TEST(a_disk_that_hangs_costs_packets_under_its_own_name),
        TEST(the_disk_floor_ends_it_before_the_disk_is_full),
        TEST(after_kill_9_the_segment_is_repaired_and_holds_what_was_flushed),
        TEST(a_vanished_interface_ends_it_with_everything_seen),
        TEST(an_interface_that_goes_down_and_up_again_is_still_captured),
        TEST(a_node_that_dies_leaves_a_sealed_file),
        TEST(stopped_before_the_start_it_leaves_nothing),
        TEST(what_cannot_be_captured_is_refused_with_a_sentence),
        TEST(armed_it_has_no_privilege_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
