#include "capture_rig.h"

#include "common/base/mem.h"

#include <arpa/inet.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
    (void)fprintf(stderr, "capture_rig: %s: %s\n", what, strerror(errno));
    exit(1);
}

static char *
format_text(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        die("no memory");
    return text;
}

int
rig_shell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *command = format_text(format, args);
    va_end(args);
    int status = system(command);
    if (status != 0 && getenv("RIG_VERBOSE") != NULL)
        (void)fprintf(stderr, "status %d of: %s\n", status, command);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

long long
rig_number(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *command = format_text(format, args);
    va_end(args);
    char line[256] = "";
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        die(command);
    if (fgets(line, sizeof line, pipe) == NULL)
        line[0] = '\0';
    (void)pclose(pipe);
    free(command);
    return strtoll(line, NULL, 10);
}

double
rig_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
rig_open(rig_net *rig, const char *medium)
{
    static unsigned serial;
    unsigned id = (unsigned)getpid() * 8u + serial++ % 8u;
    (void)snprintf(rig->near, sizeof rig->near, "fccap%ua", id);
    (void)snprintf(rig->far, sizeof rig->far, "fccap%ub", id);
    if (medium == NULL)
        medium = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    (void)snprintf(rig->dir, sizeof rig->dir, "%.40s/fccap.XXXXXX", medium);
    if (mkdtemp(rig->dir) == NULL)
        die(rig->dir);
    const char *a = rig->near, *b = rig->far;
    /* Without IPv6 nobody but the test speaks on the link; without segmentation offload packets stay as sent.
     */
    if (rig_shell("set -e; ip netns add %s; ip netns add %s\n"
                  "for n in %s %s; do ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
                  "net.ipv6.conf.default.disable_ipv6=1; ip -n $n link set lo up; done\n"
                  "ip -n %s link add cap0 type veth peer name gen0 netns %s\n"
                  "ip -n %s link set cap0 address 02:00:00:00:77:01; ip -n %s link set gen0 address "
                  "02:00:00:00:77:02\n"
                  "ip -n %s addr add 10.77.0.1/24 dev cap0; ip -n %s addr add 10.77.0.2/24 dev gen0\n"
                  "ip -n %s link set cap0 up; ip -n %s link set gen0 up\n"
                  "ip -n %s neigh add 10.77.0.2 lladdr 02:00:00:00:77:02 dev cap0\n"
                  "ip -n %s neigh add 10.77.0.1 lladdr 02:00:00:00:77:01 dev gen0\n",
                  a, b, a, b, a, b, a, b, a, b, a, b, a, b) != 0) {
        rig_close(rig);
        die("cannot make the network namespaces");
    }
}

void
rig_close(rig_net *rig)
{
    (void)rig_shell("ip netns del %s 2>/dev/null; ip netns del %s 2>/dev/null; umount -l '%s/disk' "
                    "2>/dev/null; rm -rf '%s'",
                    rig->near, rig->far, rig->dir, rig->dir);
}

static void
enter(const char *namespace)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        die(path);
    close(fd);
}

static void
send_packets(const char *to, unsigned count, unsigned payload_bytes, unsigned per_second)
{
    static uint8_t payload[65536];
    enum { BATCH = 32 };
    struct iovec part = {payload, payload_bytes};
    struct mmsghdr messages[BATCH];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9000)};
    const int tell = 1; /* of a packet that the link has no room for (ENOBUFS): it is sent again */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_RECVERR, &tell, sizeof tell) != 0 ||
        inet_pton(AF_INET, to, &address.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0)
        die("cannot send");
    memset(messages, 0, sizeof messages);
    for (unsigned i = 0; i < BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &part;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    double begin = rig_now();
    for (unsigned sent = 0; sent < count;) {
        unsigned batch = count - sent < BATCH ? count - sent : BATCH;
        if (per_second != 0) {
            batch = 1;
            double ahead = (double)sent / per_second - (rig_now() - begin);
            if (ahead > 0)
                (void)usleep((useconds_t)(ahead * 1e6));
        }
        int done = sendmmsg(fd, messages, batch, 0);
        if (done > 0)
            sent += (unsigned)done;
        else if (errno != ECONNREFUSED && errno != ENOBUFS && errno != EAGAIN)
            die("cannot send");
    }
    close(fd);
}

static void
send_in(const char *namespace, const char *to, unsigned count, unsigned payload_bytes, unsigned per_second)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        enter(namespace);
        send_packets(to, count, payload_bytes, per_second);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("the sender failed");
}

void
rig_send(const rig_net *rig, unsigned count, unsigned payload_bytes, unsigned per_second)
{
    send_in(rig->far, "10.77.0.1", count, payload_bytes, per_second);
}

void
rig_send_out(const rig_net *rig, unsigned count, unsigned payload_bytes, unsigned per_second)
{
    send_in(rig->near, "10.77.0.2", count, payload_bytes, per_second);
}

void
rig_send_frame(const rig_net *rig, const uint8_t *frame, size_t size)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        enter(rig->far);
        struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("gen0")};
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        ssize_t sent = sendto(fd, frame, size, 0, (const struct sockaddr *)(const void *)&to, sizeof to);
        _exit(sent == (ssize_t)size ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("cannot send a frame");
}

static int
open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        die("/dev/net/tun");
    return fd;
}

void
rig_make_tun(const rig_net *rig, const char *name, int link_type)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        enter(rig->near);
        int fd = open_tun(name);
        _exit(ioctl(fd, TUNSETLINK, link_type) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0 ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 ||
        rig_shell("ip -n %s addr add 10.79.0.1/24 dev %s && ip -n %s link set %s up", rig->near, name,
                  rig->near, name) != 0)
        die("cannot make a tun interface");
}

void
rig_send_tun(const rig_net *rig, const char *name, unsigned count)
{
    /* IPv4, UDP 10.79.0.2:4000 -> 10.79.0.1:9000, 4 bytes; without checksums */
    static const uint8_t packet[32] = {0x45, 0,  0, 32, 0,    0,    0,    0,    64, 17, 0, 0, 10, 79, 0, 2,
                                       10,   79, 0, 1,  0x0f, 0xa0, 0x23, 0x28, 0,  12, 0, 0, 1,  2,  3, 4};
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        enter(rig->near);
        int fd = open_tun(name);
        for (unsigned i = 0; i < count; i++)
            if (write(fd, packet, sizeof packet) != (ssize_t)sizeof packet)
                _exit(1);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("cannot send from a tun interface");
}

/* ---- the helper ---- */

/* bin/fleetcap-capture of the build tree that this program is in. */
static void
helper_path(char *ret_path, size_t size)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        die("/proc/self/exe");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(ret_path, size, "%s/fleetcap-capture", self);
    if (access(ret_path, X_OK) != 0)
        (void)snprintf(ret_path, size, "%s/../bin/fleetcap-capture", self);
    if (access(ret_path, X_OK) != 0)
        die("fleetcap-capture is not built");
}

static void
send_command(rig_helper *helper, const Fcpb__HelperCommand *command)
{
    uint8_t message[65536];
    size_t size = fcpb__helper_command__get_packed_size(command);
    if (size > sizeof message - 4)
        die("a command too long");
    for (unsigned i = 0; i < 4; i++)
        message[i] = (uint8_t)(size >> (24 - 8 * i));
    (void)fcpb__helper_command__pack(command, message + 4);
    if (send(helper->channel, message, size + 4, MSG_NOSIGNAL) != (ssize_t)(size + 4))
        (void)fprintf(stderr, "capture_rig: the helper does not take a command: %s\n", strerror(errno));
}

static void
send_spec(rig_helper *helper, const rig_spec *spec)
{
    char *interfaces[2] = {(char *)(uintptr_t)(spec->interface != NULL ? spec->interface : "cap0"),
                           (char *)(uintptr_t)spec->second_interface};
    Fcpb__CaptureSpec limits = FCPB__CAPTURE_SPEC__INIT;
    limits.bytes_per_packet = spec->snaplen_bytes;
    limits.session_bytes = spec->session_bytes;
    limits.packet_limit = spec->packet_limit;
    limits.time_limit_s = spec->time_limit_s;
    Fcpb__Ring ring = FCPB__RING__INIT;
    ring.file_count = spec->ring_files;
    ring.file_size_bytes = spec->ring_file_bytes;
    if (spec->ring_files != 0 || spec->ring_file_bytes != 0)
        limits.ring = &ring;
    Fcpb__HelperSpec message = FCPB__HELPER_SPEC__INIT;
    message.capture_uid = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef";
    message.capture_name = (char *)(uintptr_t) "dns-timeouts";
    message.instance_id = (char *)(uintptr_t) "i-0001";
    message.instance_name = (char *)(uintptr_t) "web-1";
    message.scale_set = (char *)(uintptr_t) "web";
    message.region = (char *)(uintptr_t) "eu";
    message.incident_id = (char *)(uintptr_t) "INC-42";
    message.spec = &limits;
    message.filter = (char *)(uintptr_t)(spec->filter != NULL ? spec->filter : "udp port 9000");
    message.file_prefix = (char *)(uintptr_t)(spec->prefix != NULL ? spec->prefix : "web-1_02_45_37");
    message.ring_bytes = spec->ring_bytes;
    message.first_sequence = spec->first_sequence;
    message.flush_interval_ms = spec->flush_interval_ms;
    message.disk_floor_bytes = spec->disk_floor_bytes;
    message.written_packets = spec->written_packets;
    message.interfaces = interfaces;
    message.n_interfaces = spec->second_interface != NULL ? 2 : 1;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_SPEC;
    command.spec = &message;
    send_command(helper, &command);
}

/* As the node's monitor does: the capability passes through execve(2) in the ambient set. */
static void
become_unprivileged(void)
{
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, CAP_NET_RAW, -1) !=
            0 ||
        capng_change_id(65534, 65534, CAPNG_DROP_SUPP_GRP) != 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        die("cannot become an unprivileged user");
}

static void
exec_helper(const rig_net *rig, const char *dir, int channel, const rig_spec *spec)
{
    char path[4200];
    helper_path(path, sizeof path);
    int helper = open(path, O_RDONLY | O_CLOEXEC); /* the build tree may be closed to other users */
    enter(rig->near);
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    int high_channel = fcntl(channel, F_DUPFD, 10), high_dir = fcntl(dir_fd, F_DUPFD, 10);
    int high_helper = fcntl(helper, F_DUPFD_CLOEXEC, 10);
    if (high_helper < 0 || high_channel < 0 || high_dir < 0 || dup2(high_channel, 3) != 3 ||
        dup2(high_dir, 4) != 4)
        die(dir);
    close(high_channel);
    close(high_dir);
    if (spec->unprivileged)
        become_unprivileged();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *const arguments[] = {path, spec->no_profile ? "--no-profile" : NULL, NULL};
    (void)fexecve(high_helper, arguments, environ);
    die(path);
}

void
rig_helper_start(rig_helper *helper, const rig_net *rig, const char *dir, const rig_spec *spec)
{
    int pair[2];
    *helper = (rig_helper){.dir = dir != NULL ? dir : rig->dir};
    if (socketpair(AF_UNIX, (spec->stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    helper->pid = fork();
    if (helper->pid < 0)
        die("fork");
    if (helper->pid == 0)
        exec_helper(rig, helper->dir, pair[1], spec);
    close(pair[1]);
    helper->channel = pair[0];
    send_spec(helper, spec);
}

static void
take_counters(rig_helper *helper, const Fcpb__HelperProgress *progress)
{
    if (progress == NULL || progress->counters == NULL)
        return;
#define X(name, unit, in_sum, text) helper->counters.name = progress->counters->name;
    FC_STATUS_COUNTERS(X)
#undef X
    helper->first_ns = progress->first_packet_unix_ns;
    helper->last_ns = progress->last_packet_unix_ns;
}

static void
take_segment(rig_helper *helper, const Fcpb__Segment *message)
{
    if (message->removed) {
        helper->removed_count++;
        return;
    }
    helper->segments = fc_grow_array(helper->segments, helper->segment_count + 1, sizeof *helper->segments);
    fc_segment *segment = &helper->segments[helper->segment_count++];
    *segment = (fc_segment){.sequence = message->sequence,
                            .size_bytes = message->size_bytes,
                            .packets = message->packets,
                            .first_packet = {message->first_packet_unix_ns},
                            .last_packet = {message->last_packet_unix_ns},
                            .sealed = message->sealed};
    (void)snprintf(segment->path, sizeof segment->path, "%s", message->path);
}

static void
take_event(rig_helper *helper, const Fcpb__HelperEvent *event)
{
    switch (event->body_case) {
    case FCPB__HELPER_EVENT__BODY_ARMED:
        helper->armed = true;
        helper->ring_bytes = event->armed->ring_bytes;
        break;
    case FCPB__HELPER_EVENT__BODY_STARTED:
        helper->started = true;
        helper->start_ns = event->started->start_unix_ns;
        break;
    case FCPB__HELPER_EVENT__BODY_PROGRESS:
        helper->progress_count++;
        take_counters(helper, event->progress);
        break;
    case FCPB__HELPER_EVENT__BODY_SEGMENT:
        take_segment(helper, event->segment->segment);
        break;
    case FCPB__HELPER_EVENT__BODY_STOPPED:
        helper->stopped = true;
        helper->reason = (fc_stop_reason)event->stopped->reason;
        helper->stop_ns = event->stopped->stop_unix_ns;
        (void)snprintf(helper->error, sizeof helper->error, "%s", event->stopped->error);
        take_counters(helper, event->stopped->final);
        break;
    case FCPB__HELPER_EVENT__BODY_FAILED:
        helper->failed = true;
        helper->reason = (fc_stop_reason)event->failed->reason;
        (void)snprintf(helper->error, sizeof helper->error, "%s", event->failed->error);
        break;
    case FCPB__HELPER_EVENT__BODY_PROFILE:
        fc_buf_clear(&helper->profile);
        fc_buf_append(&helper->profile, event->profile->profile.data, event->profile->profile.len);
        helper->profile_revision = event->profile->revision;
        helper->profile_after_end = helper->profile_after_end || helper->stopped;
        break;
    default:
        die("an event without a body");
    }
}

static bool
read_exactly(int fd, uint8_t *bytes, size_t size, bool whole)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = recv(fd, bytes + done, size - done, whole ? MSG_WAITALL : 0);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* One event; false at the end of the channel. A seqpacket record holds the length and the message together.
 */
static bool
read_event(rig_helper *helper)
{
    static uint8_t bytes[1 << 20];
    int type = 0;
    socklen_t type_size = sizeof type;
    size_t size;
    if (getsockopt(helper->channel, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
        die("getsockopt");
    if (type == SOCK_SEQPACKET) {
        ssize_t got = recv(helper->channel, bytes, sizeof bytes, 0);
        if (got < 4)
            return false;
        size = (size_t)got - 4;
    } else {
        if (!read_exactly(helper->channel, bytes, 4, true))
            return false;
        size = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
        if (size > sizeof bytes - 4 || !read_exactly(helper->channel, bytes + 4, size, true))
            return false;
    }
    Fcpb__HelperEvent *event = fcpb__helper_event__unpack(NULL, size, bytes + 4);
    if (event == NULL)
        die("an event that is no event");
    take_event(helper, event);
    fcpb__helper_event__free_unpacked(event, NULL);
    return true;
}

bool
rig_helper_wait(rig_helper *helper, const bool *flag, int timeout_ms)
{
    double due = rig_now() + timeout_ms / 1e3;
    while (!*flag) {
        struct pollfd poller = {.fd = helper->channel, .events = POLLIN};
        double left = due - rig_now();
        if (left <= 0 || poll(&poller, 1, (int)(left * 1e3) + 1) <= 0 || !read_event(helper))
            return *flag;
    }
    return true;
}

void
rig_helper_command_start(rig_helper *helper, int64_t start_unix_ns, int64_t window_end_unix_ns)
{
    Fcpb__HelperStart start = FCPB__HELPER_START__INIT;
    start.start_unix_ns = start_unix_ns;
    start.window_end_unix_ns = window_end_unix_ns;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_START;
    command.start = &start;
    send_command(helper, &command);
}

void
rig_helper_command_stop(rig_helper *helper, fc_stop_reason reason)
{
    Fcpb__HelperStop stop = FCPB__HELPER_STOP__INIT;
    stop.reason = (Fcpb__StopReason)reason;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_STOP;
    command.stop = &stop;
    send_command(helper, &command);
}

void
rig_helper_run(rig_helper *helper, int delay_ms)
{
    if (!rig_helper_wait(helper, &helper->armed, 60000)) {
        (void)fprintf(stderr, "capture_rig: the helper does not arm: %s\n", helper->error);
        return;
    }
    int64_t start_ns = fc_clock_wall(&fc_clock_system).ns + delay_ms * FC_NS_PER_MS;
    rig_helper_command_start(helper, delay_ms == 0 ? 0 : start_ns, 0);
    if (!rig_helper_wait(helper, &helper->started, 60000 + delay_ms))
        (void)fprintf(stderr, "capture_rig: the helper does not start: %s\n", helper->error);
}

void
rig_helper_wait_end(rig_helper *helper, int timeout_ms)
{
    bool never = false;
    if (helper->channel >= 0)
        (void)rig_helper_wait(helper, &never, timeout_ms); /* the end of the channel comes first */
    if (helper->pid > 0 && wait4(helper->pid, &helper->exit_status, 0, &helper->usage) != helper->pid)
        die("wait4");
    helper->pid = 0;
}

void
rig_helper_fini(rig_helper *helper)
{
    if (helper->pid > 0) {
        (void)kill(helper->pid, SIGKILL);
        (void)waitpid(helper->pid, NULL, 0);
    }
    if (helper->channel >= 0)
        close(helper->channel);
    free(helper->segments);
    fc_buf_fini(&helper->profile);
    *helper = (rig_helper){.channel = -1};
}
