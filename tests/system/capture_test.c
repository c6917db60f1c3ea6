/* fleetcap-capture as it is, on a veth pair of its own: what was sent, what is in the files by other tools'
 * word, and what the counters say must agree to the packet. */
#include "capture_check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
every_packet_is_in_the_file_and_other_tools_agree(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    rig_send(&net, 20000, 100, 0);
    rig_send_out(&net, 500, 60, 0);
    rig_stop_and_check(&helper);
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
    (void)snprintf(path, sizeof path, "%s/%s", net.dir, helper->segments[0].path);
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
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.stream = true});
    rig_helper_run(&helper, 0);
    rig_send(&net, 300, 100, 0);
    rig_send_out(&net, 200, 100, 0);
    rig_stop_and_check(&helper);
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
    (void)state;
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
    rig_stop_and_check(&helper);
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
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.interface = "lo", .filter = "icmp"});
    rig_helper_run(&helper, 0);
    assert_int_equal(rig_shell("ip netns exec %s ping -q -c 4 -i 0.1 127.0.0.1 >/dev/null", net.near), 0);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 8);
    assert_int_equal(helper.counters.written_packets, 8);
    rig_helper_fini(&helper);
}

/* ARPHRD_NONE has no link header; for ARPHRD_PPP libpcap makes one that the kernel's filter does not see. */
static void
tunnels_are_filtered_and_have_directions(void **state)
{
    (void)state;
    enum { PPP = 512, NONE = 0xFFFE };
    static const int types[] = {NONE, PPP};
    for (size_t i = 0; i < FC_COUNT(types); i++) {
        rig_helper helper;
        unsigned counts[4];
        char name[8], prefix[8];
        (void)snprintf(name, sizeof name, "tun%zu", i);
        (void)snprintf(prefix, sizeof prefix, "t%zu", i);
        rig_make_tun(&net, name, types[i]);
        rig_helper_start(&helper, &net, NULL,
                         &(rig_spec){.interface = name, .prefix = prefix, .filter = "udp dst port 9000"});
        rig_helper_run(&helper, 0);
        rig_send_tun(&net, name, 50);
        (void)rig_shell("ip netns exec %s ping -q -c 2 -i 0.1 -W 1 10.79.0.9 >/dev/null", net.near);
        rig_stop_and_check(&helper);
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
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = "outbound and udp"});
    rig_helper_run(&helper, 0);
    rig_send(&net, 300, 100, 0);
    rig_send_out(&net, 200, 100, 0);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 200);
    assert_int_equal(helper.counters.written_packets, 200);
    rig_helper_fini(&helper);
}

static void
two_interfaces_share_a_file_and_the_limits(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.second_interface = "lo", .filter = "icmp or udp", .packet_limit = 1006});
    rig_helper_run(&helper, 0);
    assert_int_equal(helper.ring_bytes, 64 << 20);
    assert_int_equal(rig_shell("ip netns exec %s ping -q -c 3 -i 0.1 127.0.0.1 >/dev/null", net.near), 0);
    rig_check_until(&helper, rig_has_written, 6);
    rig_send(&net, 5000, 100, 0);
    uint64_t in_files = rig_check_end(&helper);
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
    (void)state;
    rig_helper helper;
    assert_int_equal(rig_shell("chown 65534:65534 %s", net.dir), 0);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.unprivileged = true, .stream = true});
    rig_helper_run(&helper, 0);
    rig_send(&net, 1000, 100, 0);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.written_packets, 1000);
    rig_helper_fini(&helper);
}

/* Another helper, which captures all that comes: by its files one knows when what came. */
static void
start_judge(rig_helper *judge, char dir[128])
{
    (void)snprintf(dir, 128, "%s/judge", net.dir);
    assert_int_equal(rig_shell("mkdir %s", dir), 0);
    rig_helper_start(judge, &net, dir, &(rig_spec){.prefix = "judge"});
    rig_helper_run(judge, 0);
}

/* Of what came from one instant to another, all is in the files and nothing else. The two have a clock
 * reading each for a packet, so the first and the last may be of one side for the one and of the other for
 * the other. */
static void
check_between(const rig_helper *judge, int64_t from_ns, int64_t to_ns, uint64_t in_files)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", judge->dir, judge->segments[0].path);
    int fd = open(path, O_RDONLY);
    fc_pcapng_reader *reader = NULL;
    fc_pcapng_packet packet;
    uint64_t count = 0;
    assert_int_equal(fc_pcapng_reader_new(fd, &reader, NULL), FC_OK);
    while (fc_pcapng_reader_next(reader, &packet, NULL) == FC_OK)
        count += packet.unix_ns >= from_ns && packet.unix_ns < to_ns;
    fc_pcapng_reader_free(reader);
    close(fd);
    assert_in_range(in_files + 2, count, count + 4);
}

static void
packets_before_the_start_instant_are_counted_not_written(void **state)
{
    (void)state;
    char dir[128];
    rig_helper helper, judge;
    start_judge(&judge, dir);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    assert_true(rig_helper_wait(&helper, &helper.armed, 60000));
    rig_send(&net, 1000, 100, 0);
    int64_t start_ns = fc_clock_wall(&fc_clock_system).ns + 1500 * FC_NS_PER_MS;
    rig_helper_command_start(&helper, start_ns, 0);
    rig_send(&net, 20000, 100, 10000);
    assert_true(rig_helper_wait(&helper, &helper.started, 60000));
    assert_true(helper.start_ns == start_ns);
    rig_stop_and_check(&judge);
    rig_stop_and_check(&helper);
    assert_int_equal(helper.counters.matched_packets, 21000);
    assert_true(helper.counters.dropped_before_start > 1000);
    assert_true(helper.counters.written_packets > 1000);
    assert_true(helper.first_ns >= start_ns);
    check_between(&judge, start_ns, INT64_MAX, helper.counters.written_packets);
    rig_helper_fini(&helper);
    rig_helper_fini(&judge);
}

static void
the_packet_limit_is_exact(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.packet_limit = 1500, .written_packets = 500});
    rig_helper_run(&helper, 0);
    rig_send(&net, 5000, 100, 0);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_PACKET_COUNT);
    assert_int_equal(in_files, 1000);
    assert_int_equal(helper.counters.written_packets, 1000);
    assert_int_equal(helper.counters.matched_packets, 1000 + helper.counters.dropped_after_stop);
    rig_helper_fini(&helper);
}

static void
session_bytes_are_never_exceeded(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.session_bytes = 100000, .snaplen_bytes = 96});
    rig_helper_run(&helper, 0);
    rig_send(&net, 5000, 1000, 0);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_SESSION_BYTES);
    assert_int_equal(in_files, 100000 / 96);
    assert_int_equal(helper.counters.written_bytes, 100000 / 96 * 96);
    rig_helper_fini(&helper);
}

static void
the_time_limit_ends_it(void **state)
{
    (void)state;
    char dir[128];
    rig_helper helper, judge;
    start_judge(&judge, dir);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.time_limit_s = 2});
    rig_helper_run(&helper, 0);
    rig_send(&net, 8000, 100, 2000);
    rig_stop_and_check(&judge);
    uint64_t in_files = rig_check_end(&helper);
    assert_int_equal(helper.reason, FC_STOP_TIME_LIMIT);
    assert_true(helper.stop_ns - helper.start_ns == 2 * FC_NS_PER_S);
    assert_true(helper.last_ns < helper.stop_ns);
    assert_true(in_files > 500 && in_files < 5000);
    check_between(&judge, helper.start_ns, helper.stop_ns, in_files);
    rig_helper_fini(&helper);
    rig_helper_fini(&judge);
}

static void
the_ring_of_files_keeps_the_last(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.ring_files = 3, .ring_file_bytes = 200000, .first_sequence = 5});
    rig_helper_run(&helper, 0);
    rig_send(&net, 10000, 100, 0);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    (void)rig_check_end(&helper);
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
armed_it_has_no_privilege_left(void **state)
{
    (void)state;
    rig_helper helper;
    assert_int_equal(rig_shell("chown 65534:65534 %s", net.dir), 0);
    rig_helper_start(&helper, &net, NULL, &(rig_spec){0});
    rig_helper_run(&helper, 0);
    for (unsigned thread = 0; thread < 2; thread++) {
        char task[64];
        (void)snprintf(task, sizeof task, "$(ls -d /proc/%d/task/* | sed -n %up)", (int)helper.pid,
                       thread + 1);
        assert_int_equal(rig_shell("grep -q '^CapPrm:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^CapEff:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^CapAmb:\t0000000000000000$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^NoNewPrivs:\t1$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^Seccomp:\t2$' %s/status", task), 0);
        assert_int_equal(rig_shell("grep -q '^Uid:\t65534\t65534\t65534\t65534$' %s/status", task), 0);
    }
    rig_send(&net, 100, 100, 0);
    rig_stop_and_check(&helper);
    assert_int_equal(rig_number("stat -c %%u %s/%s", net.dir, helper.segments[0].path), 65534);
    rig_helper_fini(&helper);
}

int
main(void)
{
    if (geteuid() != 0) {
        (void)printf("SKIP: network namespaces need root\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_packet_is_in_the_file_and_other_tools_agree),
        RIG_TEST(the_direction_of_every_packet_is_known),
        RIG_TEST(directions_hold_with_vlan_tags),
        RIG_TEST(loopback_packets_come_once),
        RIG_TEST(tunnels_are_filtered_and_have_directions),
        RIG_TEST(the_direction_can_be_filtered_by),
        RIG_TEST(two_interfaces_share_a_file_and_the_limits),
        RIG_TEST(with_one_capability_and_no_root_it_captures),
        RIG_TEST(packets_before_the_start_instant_are_counted_not_written),
        RIG_TEST(the_packet_limit_is_exact),
        RIG_TEST(session_bytes_are_never_exceeded),
        RIG_TEST(the_time_limit_ends_it),
        RIG_TEST(the_ring_of_files_keeps_the_last),
        RIG_TEST(armed_it_has_no_privilege_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
