/* bench-capture: what a captured packet costs, against tcpdump and dumpcap, and what its profile costs.
 *
 *     bench-capture [--packets N] [--size BYTES] [--rounds N] [--dir DIRECTORY] [--many] [--json]
 *
 * On a veth pair in namespaces of its own, trafgen sends the same packets for each program in turn, several
 * rounds; all have a ring of 64 MiB and the filter "udp" and write a file. CPU is user and system time of the
 * whole process (wait4), from start to sealed file; the medians are compared. --many:
 * the packets are of 16,384 conversations in random order, instead of one.
 */
#include "tests/system/capture_rig.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_MAX = 31, RING_MIB = 64, SETTLE_US = 700000 };

typedef struct cost_result {
    double user_s, system_s;
    uint64_t packets, dropped, unprofiled, file_bytes;
    int64_t unaccounted;
    double rate; /* packets per second as sent */
} cost_result;

typedef struct cost_bench {
    rig_net net;
    unsigned packets, size, rounds;
    bool many;
    bool json;
    const char *dir;
} cost_bench;

typedef struct cost_tool {
    const char *name;
    void (*run)(const cost_bench *bench, cost_result *ret_result);
    cost_result results[ROUNDS_MAX];
} cost_tool;

static double
cpu_of(const cost_result *result)
{
    return result->user_s + result->system_s;
}

static void
take_usage(const struct rusage *usage, cost_result *result)
{
    result->user_s = (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6;
    result->system_s = (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
}

/* trafgen's configuration: one UDP packet of the wanted size; of many conversations, the source port changes.
 */
static void
write_packet(const cost_bench *bench)
{
    unsigned ip_bytes = bench->size - 14, udp_bytes = ip_bytes - 20;
    char path[256];
    const char *port = bench->many ? "dinc(64, 127), drnd(1)" : "c16(4000)";
    (void)snprintf(path, sizeof path, "%s/packet.cfg", bench->net.dir);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    (void)fprintf(file,
                  "{ 0x02, 0x00, 0x00, 0x00, 0x77, 0x01, 0x02, 0x00, 0x00, 0x00, 0x77, 0x02, 0x08, 0x00,\n"
                  "  0x45, 0x00, c16(%u), c16(1), 0x00, 0x00, 0x40, 0x11, csumip(14, 33),\n"
                  "  10, 77, 0, 2, 10, 77, 0, 1, %s, c16(9), c16(%u), 0x00, 0x00, fill(0x42, %u) }\n",
                  ip_bytes, port, udp_bytes, udp_bytes - 8);
    (void)fclose(file);
}

/* Sends all; returns packets per second. */
static double
generate(const cost_bench *bench)
{
    double begin = rig_now();
    if (rig_shell("ip netns exec %s trafgen --dev gen0 --conf %s/packet.cfg --num %u --cpus 1 --qdisc-path "
                  ">/dev/null 2>&1",
                  bench->net.far, bench->net.dir, bench->packets) != 0) {
        (void)fprintf(stderr, "bench-capture: trafgen failed (is netsniff-ng installed?)\n");
        exit(1);
    }
    return bench->packets / (rig_now() - begin);
}

static pid_t
spawn(const cost_bench *bench, const char *command)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *line = NULL;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* an interrupted bench leaves nothing running */
        if (asprintf(&line, "exec ip netns exec %s %s >%s/tool.log 2>&1", bench->net.near, command,
                     bench->net.dir) > 0)
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static uint64_t
size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* A program that runs until SIGINT. What it dropped is what was sent and is not in its file. */
static void
run_tool(const cost_bench *bench, const char *command, cost_result *result)
{
    char path[256];
    struct rusage usage;
    int status;
    (void)snprintf(path, sizeof path, "%s/capture", bench->dir);
    pid_t pid = spawn(bench, command);
    while (rig_number("ip netns exec %s cat /proc/net/packet | wc -l", bench->net.near) < 2)
        (void)usleep(20000);
    (void)usleep(SETTLE_US);
    result->rate = generate(bench);
    (void)usleep(SETTLE_US);
    (void)kill(pid, SIGINT);
    if (wait4(pid, &status, 0, &usage) != pid || status != 0)
        (void)fprintf(stderr, "bench-capture: status %d of: %s\n", status, command);
    take_usage(&usage, result);
    result->file_bytes = size_of(path);
    result->packets = (uint64_t)rig_number("capinfos -Mrc %s 2>/dev/null | sed -n 's/.*packets: *//p'", path);
    result->dropped = result->packets < bench->packets ? bench->packets - result->packets : 0;
    (void)unlink(path);
    (void)rig_shell("sync -f %s", bench->dir);
}

static void
run_tcpdump(const cost_bench *bench, cost_result *ret_result)
{
    char command[512];
    (void)snprintf(command, sizeof command, "tcpdump -n -Z root -i cap0 -B %d -w %s/capture udp",
                   RING_MIB * 1024, bench->dir);
    run_tool(bench, command, ret_result);
}

static void
run_dumpcap(const cost_bench *bench, cost_result *ret_result)
{
    char command[512];
    (void)snprintf(command, sizeof command, "dumpcap -q -i cap0 -B %d -f udp -w %s/capture", RING_MIB,
                   bench->dir);
    run_tool(bench, command, ret_result);
}

static void
run_helper(const cost_bench *bench, bool profile, cost_result *ret_result)
{
    rig_helper helper;
    char path[512];
    const rig_spec spec = {.filter = "udp", .ring_bytes = RING_MIB << 20, .no_profile = !profile};
    rig_helper_start(&helper, &bench->net, bench->dir, &spec);
    rig_helper_run(&helper, 0);
    (void)usleep(SETTLE_US);
    ret_result->rate = generate(bench);
    (void)usleep(SETTLE_US);
    rig_helper_command_stop(&helper, FC_STOP_STOP_REQUESTED);
    rig_helper_wait_end(&helper, 60000);
    take_usage(&helper.usage, ret_result);
    const fc_counters *counters = &helper.counters;
    ret_result->dropped = counters->matched_packets - counters->written_packets;
    ret_result->packets = counters->written_packets;
    ret_result->unprofiled = counters->unprofiled_packets;
    ret_result->file_bytes = counters->file_bytes;
    ret_result->unaccounted = (int64_t)counters->matched_packets;
#define X(name, unit, in_sum, text) ret_result->unaccounted -= in_sum ? (int64_t)counters->name : 0;
    FC_STATUS_COUNTERS(X)
#undef X
    for (size_t i = 0; i < helper.segment_count; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", bench->dir, helper.segments[i].path);
        (void)unlink(path);
    }
    rig_helper_fini(&helper);
    (void)rig_shell("sync -f %s", bench->dir);
}

static void
run_fleetcap(const cost_bench *bench, cost_result *ret_result)
{
    run_helper(bench, false, ret_result);
}

static void
run_profiled(const cost_bench *bench, cost_result *ret_result)
{
    run_helper(bench, true, ret_result);
}

static int
compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double
median(const cost_bench *bench, const cost_tool *tool, double (*value)(const cost_result *))
{
    double values[ROUNDS_MAX];
    for (unsigned i = 0; i < bench->rounds; i++)
        values[i] = value(&tool->results[i]);
    qsort(values, bench->rounds, sizeof values[0], compare_doubles);
    return values[bench->rounds / 2];
}

static double
rate_of(const cost_result *result)
{
    return result->rate;
}

static uint64_t
worst_unprofiled(const cost_bench *bench, const cost_tool *tool)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < bench->rounds; i++)
        if (tool->results[i].unprofiled > most)
            most = tool->results[i].unprofiled;
    return most;
}

static uint64_t
worst_dropped(const cost_bench *bench, const cost_tool *tool)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < bench->rounds; i++)
        if (tool->results[i].dropped > most)
            most = tool->results[i].dropped;
    return most;
}

/* In the order of the table in main. */
enum { TCPDUMP, DUMPCAP, FLEETCAP, PROFILED, TOOL_COUNT };

static void
print_table(const cost_bench *bench, const cost_tool tools[TOOL_COUNT])
{
    (void)printf("%u packets of %u bytes, %u rounds, ring %d MiB, filter udp, %s\n\n", bench->packets,
                 bench->size, bench->rounds, RING_MIB,
                 bench->many ? "many conversations" : "one conversation");
    (void)printf("%-18s %8s %8s %8s %10s %10s %10s %9s\n", "", "CPU s", "user", "system", "packets",
                 "dropped", "unprofiled", "MB");
    for (size_t i = 0; i < TOOL_COUNT; i++)
        for (unsigned round = 0; round < bench->rounds; round++) {
            const cost_result *result = &tools[i].results[round];
            (void)printf("%-18s %8.3f %8.3f %8.3f %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %9.1f\n",
                         tools[i].name, cpu_of(result), result->user_s, result->system_s, result->packets,
                         result->dropped, result->unprofiled, (double)result->file_bytes / 1e6);
        }
    double ours = median(bench, &tools[FLEETCAP], cpu_of);
    (void)printf("\nmedian CPU: without a profile %.3f s", ours);
    for (size_t i = TCPDUMP; i <= DUMPCAP; i++)
        (void)printf(", %s %.3f s (ratio %.2f)", tools[i].name, median(bench, &tools[i], cpu_of),
                     ours / median(bench, &tools[i], cpu_of));
    double profiled = median(bench, &tools[PROFILED], cpu_of);
    (void)printf(", with a profile %.3f s (ratio %.2f)", profiled, profiled / ours);
    (void)printf("; %.0f packets/s\n", median(bench, &tools[FLEETCAP], rate_of));
}

static void
print_json(const cost_bench *bench, const cost_tool tools[TOOL_COUNT])
{
    double tcpdump = median(bench, &tools[TCPDUMP], cpu_of), dumpcap = median(bench, &tools[DUMPCAP], cpu_of);
    double ours = median(bench, &tools[FLEETCAP], cpu_of), profiled = median(bench, &tools[PROFILED], cpu_of);
    int64_t unaccounted = 0;
    for (unsigned i = 0; i < bench->rounds; i++)
        unaccounted +=
            llabs(tools[FLEETCAP].results[i].unaccounted) + llabs(tools[PROFILED].results[i].unaccounted);
    (void)printf("{\"packets\": %u, \"packet_bytes\": %u, \"rounds\": %u, \"packets_per_second\": %.0f, "
                 "\"cpu_s\": %.3f, \"tcpdump_cpu_s\": %.3f, \"dumpcap_cpu_s\": %.3f, "
                 "\"profiled_cpu_s\": %.3f, \"cpu_ratio_tcpdump\": %.3f, \"cpu_ratio_dumpcap\": %.3f, "
                 "\"cpu_ratio_profile\": %.3f, \"dropped\": %" PRIu64 ", \"tcpdump_dropped\": %" PRIu64
                 ", \"dumpcap_dropped\": %" PRIu64 ", \"profiled_dropped\": %" PRIu64
                 ", \"unprofiled\": %" PRIu64 ", \"unaccounted\": %" PRId64 "}\n",
                 bench->packets, bench->size, bench->rounds, median(bench, &tools[FLEETCAP], rate_of), ours,
                 tcpdump, dumpcap, profiled, ours / tcpdump, ours / dumpcap, profiled / ours,
                 worst_dropped(bench, &tools[FLEETCAP]), worst_dropped(bench, &tools[TCPDUMP]),
                 worst_dropped(bench, &tools[DUMPCAP]), worst_dropped(bench, &tools[PROFILED]),
                 worst_unprofiled(bench, &tools[PROFILED]), unaccounted);
}

static unsigned
number(const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        (void)fprintf(stderr, "bench-capture: '%s' is not a number from %u to %u\n", text, least, most);
        exit(2);
    }
    return (unsigned)value;
}

static void
parse_options(cost_bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        {"packets", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 's'},
        {"rounds", required_argument, NULL, 'r'},
        {"dir", required_argument, NULL, 'd'},
        {"many", no_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'p')
            bench->packets = number(optarg, 1000, 100000000);
        else if (option == 's')
            bench->size = number(optarg, 60, 1514);
        else if (option == 'r')
            bench->rounds = number(optarg, 1, ROUNDS_MAX);
        else if (option == 'm')
            bench->many = true;
        else if (option == 'd')
            bench->dir = optarg;
        else if (option == 'j')
            bench->json = true;
        else
            exit(2);
    }
}

static cost_bench the_bench = {.packets = 3000000, .size = 128, .rounds = 5};

static void
clean_up(void)
{
    if (the_bench.net.dir[0] != '\0')
        rig_close(&the_bench.net);
}

static void
on_signal(int number_of_signal)
{
    (void)number_of_signal;
    exit(130); /* through clean_up; the bench is lost anyway */
}

int
main(int argc, char **argv)
{
    static cost_tool tools[TOOL_COUNT] = {
        [TCPDUMP] = {.name = "tcpdump", .run = run_tcpdump},
        [DUMPCAP] = {.name = "dumpcap", .run = run_dumpcap},
        [FLEETCAP] = {.name = "without a profile", .run = run_fleetcap},
        [PROFILED] = {.name = "fleetcap-capture", .run = run_profiled},
    };
    parse_options(&the_bench, argc, argv);
    if (geteuid() != 0) {
        (void)fprintf(stderr, "bench-capture: network namespaces need root\n");
        return 1;
    }
    (void)atexit(clean_up);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    rig_open(&the_bench.net, the_bench.dir);
    the_bench.dir = the_bench.net.dir;
    write_packet(&the_bench);
    for (unsigned round = 0; round < the_bench.rounds; round++)
        for (size_t i = 0; i < TOOL_COUNT; i++)
            tools[i].run(&the_bench, &tools[i].results[round]);
    if (the_bench.json)
        print_json(&the_bench, tools);
    else
        print_table(&the_bench, tools);
    return 0;
}
