/* The profile that fleetcap-capture makes while it captures is the one that its files give, field for field.
 */
#include "capture_check.h"
#include "common/analysis/analyzer.h"
#include "common/base/mem.h"

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
start_talk(void)
{
    assert_int_equal(
        rig_shell("ip netns exec %s %s/tests/system/talk.py server 10.77.0.1 & echo $! >%s/server.pid",
                  net.near, FC_SOURCE_DIR, net.dir),
        0);
    assert_int_equal(
        rig_shell("for i in $(seq 600); do ip netns exec %s ss -Hltn 'sport = :8080' | grep -q . && exit 0; "
                  "sleep 0.1; done; exit 1",
                  net.near),
        0);
}

static void
client_talks(double seconds)
{
    assert_int_equal(rig_shell("ip netns exec %s %s/tests/system/talk.py client 10.77.0.1 %.1f", net.far,
                               FC_SOURCE_DIR, seconds),
                     0);
}

static void
end_talk(void)
{
    (void)rig_shell("kill $(cat %s/server.pid)", net.dir);
}

static json_t *
live_profile(const rig_helper *helper)
{
    fc_profile *profile = NULL;
    fc_fail fail = {0};
    if (fc_profile_unpack(fc_buf_bytes(&helper->profile), fc_buf_size(&helper->profile), &profile, &fail) !=
        FC_OK)
        fail_msg("%s", fail.text);
    json_t *tree = fc_profile_to_json(profile);
    fc_profile_free(profile);
    return tree;
}

/* As `fleetcap analyze` makes it, and packed and unpacked once as that was. */
static json_t *
file_profile(const rig_helper *helper)
{
    fc_analyzer *analyzer = fc_analyzer_new(NULL);
    fc_profile *profile = fc_profile_new(), *unpacked = NULL;
    fc_buf packed = {0};
    fc_fail fail = {0};
    for (size_t i = 0; i < helper->segment_count; i++) {
        char path[512];
        fc_input *input = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", helper->dir, helper->segments[i].path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fc_input_open(fd, helper->segments[i].path, &input, &fail), FC_OK);
        assert_int_equal(fc_analyzer_input(analyzer, input, helper->segments[i].path, &fail), FC_OK);
        fc_input_free(input);
    }
    fc_analyzer_profile(analyzer, profile);
    fc_profile_pack(profile, &packed);
    assert_int_equal(fc_profile_unpack(fc_buf_bytes(&packed), fc_buf_size(&packed), &unpacked, &fail), FC_OK);
    json_t *tree = fc_profile_to_json(unpacked);
    fc_profile_free(unpacked);
    fc_profile_free(profile);
    fc_analyzer_free(analyzer);
    fc_buf_fini(&packed);
    return tree;
}

/* The live one equals that of the files; returns it. */
static json_t *
check_profile(const rig_helper *helper)
{
    assert_false(helper->profile_after_end);
    assert_int_equal(helper->counters.unprofiled_packets, 0);
    json_t *live = live_profile(helper), *file = file_profile(helper);
    if (!json_equal(live, file)) {
        assert_int_equal(json_dump_file(live, "live.json", JSON_INDENT(1) | JSON_SORT_KEYS), 0);
        assert_int_equal(json_dump_file(file, "file.json", JSON_INDENT(1) | JSON_SORT_KEYS), 0);
        (void)rig_shell("diff live.json file.json | head -50; rm -f live.json file.json");
        fail_msg("the live profile is not the file's");
    }
    json_decref(file);
    return live;
}

static uint64_t
counter_of(json_t *profile, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(json_object_get(profile, "counters"), name));
}

static bool
told(const rig_helper *helper, const char *counter, uint64_t wanted)
{
    if (helper->profile_revision == 0)
        return false;
    json_t *profile = live_profile(helper);
    bool enough = counter_of(profile, counter) >= wanted;
    json_decref(profile);
    return enough;
}

static bool
has_told_conversations(const rig_helper *helper, uint64_t wanted)
{
    return told(helper, "tcpConversations", wanted);
}

static bool
has_told_packets_in(const rig_helper *helper, uint64_t wanted)
{
    return told(helper, "packetsIn", wanted);
}

static void
the_live_profile_is_that_of_the_file(void **state)
{
    (void)state;
    rig_helper helper;
    start_talk();
    double begin = rig_now();
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = ""});
    rig_helper_run(&helper, 0);
    client_talks(5);
    rig_check_until(&helper, has_told_conversations, 6);
    assert_in_range(helper.profile_revision, 1, (rig_now() - begin) / 3); /* one in three seconds */
    json_t *meanwhile = live_profile(&helper);
    assert_true(counter_of(meanwhile, "captureMatched") > 0);
    json_decref(meanwhile);
    rig_stop_and_check(&helper);
    end_talk();
    json_t *profile = check_profile(&helper);
    assert_int_equal(counter_of(profile, "captureMatched"), helper.counters.matched_packets);
    assert_int_equal(counter_of(profile, "packetsIn") + counter_of(profile, "packetsOut"),
                     helper.counters.written_packets);
    assert_true(counter_of(profile, "dnsServed") + counter_of(profile, "dnsQueries") > 5);
    json_decref(profile);
    rig_helper_fini(&helper);
}

static void
the_same_over_several_files(void **state)
{
    (void)state;
    rig_helper helper;
    start_talk();
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.filter = "", .ring_files = 100, .ring_file_bytes = 300000});
    rig_helper_run(&helper, 0);
    client_talks(3);
    rig_send(&net, 20000, 100, 0);                        /* one buffer with many files */
    rig_check_until(&helper, has_told_packets_in, 20000); /* once stopped, a slow machine has 5 s for them */
    rig_stop_and_check(&helper);
    end_talk();
    assert_true(helper.segment_count > 5);
    assert_int_equal(helper.removed_count, 0);
    json_decref(check_profile(&helper));
    rig_helper_fini(&helper);
}

static void
the_same_with_a_snap_length_and_two_interfaces(void **state)
{
    (void)state;
    rig_helper helper;
    start_talk();
    rig_helper_start(&helper, &net, NULL,
                     &(rig_spec){.filter = "", .snaplen_bytes = 60, .second_interface = "lo"});
    rig_helper_run(&helper, 0);
    client_talks(2);
    assert_int_equal(rig_shell("ip netns exec %s ping -q -c 3 -i 0.1 127.0.0.1 >/dev/null", net.near), 0);
    rig_stop_and_check(&helper);
    end_talk();
    json_t *profile = check_profile(&helper);
    assert_true(counter_of(profile, "packetsTruncated") > 0);
    json_decref(profile);
    rig_helper_fini(&helper);
}

static void
the_packets_of_removed_files_stay_in_the_profile(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.ring_files = 2, .ring_file_bytes = 1 << 20});
    rig_helper_run(&helper, 0);
    rig_send(&net, 30000, 100, 0);
    rig_check_until(&helper, has_told_packets_in, 30000);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    (void)rig_check_end(&helper);
    assert_true(helper.removed_count > 0);
    json_t *profile = live_profile(&helper);
    assert_int_equal(counter_of(profile, "packetsIn"), 30000);
    json_decref(profile);
    rig_helper_fini(&helper);
}

static void
a_capture_without_packets_has_a_profile_of_nothing(void **state)
{
    (void)state;
    rig_helper helper;
    rig_helper_start(&helper, &net, NULL, &(rig_spec){.filter = "udp port 1", .stream = true});
    rig_helper_run(&helper, 0);
    rig_stop_and_check(&helper);
    json_decref(check_profile(&helper));
    rig_helper_fini(&helper);
}

static void
a_starved_profile_counts_what_it_missed_and_nothing_is_lost(void **state)
{
    (void)state;
    char disk[128];
    rig_helper helper;
    (void)snprintf(disk, sizeof disk, "%s/disk", net.dir); /* in memory: that is not too slow for it */
    assert_int_equal(rig_shell("mkdir %s && mount -t tmpfs -o size=256m none %s", disk, disk), 0);
    rig_helper_start(&helper, &net, disk, &(rig_spec){.snaplen_bytes = 200});
    rig_helper_run(&helper, 0);
    /* The profile thread is the helper's only one with a nice value: beside others that never rest it hardly
     * runs. Those that capture run before them, and before whatever else the machine is busy with. */
    assert_int_equal(rig_shell("for t in /proc/%d/task/*; do awk '$19 > 0 {print $1}' $t/stat; done | "
                               "xargs -r chrt -i -p 0 >/dev/null",
                               (int)helper.pid),
                     0);
    assert_int_equal(rig_shell("for t in /proc/%d/task/*; do awk '$19 == 0 {print $1}' $t/stat; done | "
                               "xargs renice -n -15 -p >/dev/null",
                               (int)helper.pid),
                     0);
    assert_int_equal(
        rig_shell("for i in $(seq $(nproc)); do timeout 60 sh -c 'while :; do :; done' & echo $!; done "
                  ">%s/restless",
                  net.dir),
        0);
    rig_send(&net, 300000, 1000, 60000); /* a rate that a sanitizer keeps up with */
    (void)rig_shell("kill $(cat %s/restless)", net.dir);
    rig_stop_and_check(&helper);
    json_t *profile = live_profile(&helper);
    assert_int_equal(helper.counters.dropped_kernel + helper.counters.dropped_writer, 0);
    assert_int_equal(counter_of(profile, "packetsIn") + counter_of(profile, "captureUnprofiled"),
                     helper.counters.written_packets);
    assert_int_equal(counter_of(profile, "captureUnprofiled"), helper.counters.unprofiled_packets);
    json_decref(profile);
    assert_int_equal(rig_shell("umount %s", disk), 0);
    rig_helper_fini(&helper);
}

int
main(void)
{
    if (geteuid() != 0 || rig_shell("python3 -c ''") != 0) {
        print_message("SKIP: network namespaces need root, and the talk needs python3\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_live_profile_is_that_of_the_file),
        RIG_TEST(the_same_over_several_files),
        RIG_TEST(the_same_with_a_snap_length_and_two_interfaces),
        RIG_TEST(the_packets_of_removed_files_stay_in_the_profile),
        RIG_TEST(a_capture_without_packets_has_a_profile_of_nothing),
        RIG_TEST(a_starved_profile_counts_what_it_missed_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
