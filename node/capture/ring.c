#include "node/capture/ring.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUIET_TIMEOUT_MS = 2000, PROGRAM_MAX = BPF_MAXINSNS };

static fc_err
attach_program(cap_ring *ring, const struct sock_filter *code, size_t length, fc_fail *fail)
{
    struct sock_fprog program = {.len = (unsigned short)length,
                                 .filter = (struct sock_filter *)(uintptr_t)code};
    if (setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        return fc_fail_errno(fail, errno, "cannot attach a filter of %zu instructions to %s", length,
                             ring->name);
    return FC_OK;
}

fc_err
cap_ring_detach(cap_ring *ring, fc_fail *fail)
{
    static const struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
    return attach_program(ring, &reject, 1, fail);
}

fc_err
cap_ring_attach(cap_ring *ring, fc_fail *fail)
{
    return attach_program(ring, (const struct sock_filter *)(const void *)ring->filter.bf_insns,
                          ring->filter.bf_len, fail);
}

/* On the loopback interface the kernel shows every packet twice, and libpcap leaves out the outgoing one
 * after the ring, where it has been counted. So the program refuses it in the kernel. */
static fc_err
refuse_outgoing(struct bpf_program *program, fc_fail *fail)
{
    static const struct bpf_insn prefix[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, (bpf_u_int32)(SKF_AD_OFF + SKF_AD_PKTTYPE)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PACKET_OUTGOING},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    size_t extra = FC_COUNT(prefix);
    struct bpf_insn *code = realloc(program->bf_insns, (program->bf_len + extra) * sizeof *code);
    if (code == NULL)
        return fc_fail_set(fail, FC_ERR_LIMIT, "no memory for it");
    memmove(code + extra, code, program->bf_len * sizeof *code);
    memcpy(code, prefix, sizeof prefix);
    program->bf_insns = code;
    program->bf_len += (u_int)extra;
    return FC_OK;
}

/* In cooked mode libpcap puts a header of 16 bytes before each packet, in the ring, where the kernel's filter
 * has not seen it: what the program reads of the header has to come from the kernel's own knowledge, the rest
 * from 16 bytes earlier (fix_offset() in libpcap's pcap-linux.c). */
static fc_err
shift_cooked(struct bpf_program *program, fc_fail *fail)
{
    enum { HEADER = 16, PACKET_TYPE = 0, PROTOCOL = 14 };
    for (u_int i = 0; i < program->bf_len; i++) {
        struct bpf_insn *code = &program->bf_insns[i];
        bool load = BPF_CLASS(code->code) == BPF_LD || BPF_CLASS(code->code) == BPF_LDX;
        bool of_packet = BPF_MODE(code->code) == BPF_ABS || BPF_MODE(code->code) == BPF_IND ||
                         BPF_MODE(code->code) == BPF_MSH;
        if (!load || !of_packet || (int32_t)code->k < 0) /* negative: not of the packet already */
            continue;
        if (code->k >= HEADER)
            code->k -= HEADER;
        else if (code->k == PROTOCOL && BPF_MODE(code->code) == BPF_ABS)
            code->k = (bpf_u_int32)(SKF_AD_OFF + SKF_AD_PROTOCOL);
        else if (code->k == PACKET_TYPE && BPF_MODE(code->code) == BPF_ABS)
            code->k = (bpf_u_int32)(SKF_AD_OFF + SKF_AD_PKTTYPE);
        else
            return fc_fail_set(fail, FC_ERR_UNSUPPORTED,
                               "it reads byte %u of a link header that the kernel has not", code->k);
    }
    return FC_OK;
}

/* Compiled with the live handle, so that the code fits this link (VLAN tags live outside the packet there).
 */
static fc_err
compile(cap_ring *ring, const char *expression, fc_fail *fail)
{
    fc_fail why = {0};
    fc_err err = FC_OK;
    if (pcap_compile(ring->pcap, &ring->filter, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
        err = fc_fail_set(&why, FC_ERR_INVALID, "%.100s", pcap_geterr(ring->pcap));
    if (err == FC_OK && ring->cooked)
        err = shift_cooked(&ring->filter, &why);
    if (err == FC_OK && strcmp(ring->name, "lo") == 0)
        err = refuse_outgoing(&ring->filter, &why);
    if (err == FC_OK && ring->filter.bf_len > PROGRAM_MAX)
        err = fc_fail_set(&why, FC_ERR_LIMIT, "%u instructions; the kernel takes %d", ring->filter.bf_len,
                          PROGRAM_MAX);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "the filter '%.100s' does not compile for %s: %.100s", expression,
                           ring->name, why.text);
    return FC_OK;
}

static fc_err
read_link_type(cap_ring *ring, fc_fail *fail)
{
    int socket_type = 0;
    socklen_t size = sizeof socket_type;
    if (getsockopt(ring->fd, SOL_SOCKET, SO_TYPE, &socket_type, &size) != 0)
        return fc_fail_errno(fail, errno, "cannot examine the socket of %s", ring->name);
    ring->link_type = pcap_datalink(ring->pcap);
    ring->cooked = socket_type == SOCK_DGRAM;
    ring->direction.link_type = ring->link_type;
    if (ring->cooked && ring->link_type != DLT_LINUX_SLL)
        return fc_fail_set(fail, FC_ERR_UNSUPPORTED,
                           "interface %s has link type %s without a header: not supported", ring->name,
                           pcap_datalink_val_to_name(ring->link_type));
    return FC_OK;
}

/* What was granted is the size of the socket's mapping: libpcap asks for less when memory is short, silently.
 */
static uint64_t
mapped_bytes(int fd)
{
    struct stat status;
    uint64_t sum = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return 0;
    char line[512];
    if (fstat(fd, &status) == 0)
        while (fgets(line, sizeof line, maps) != NULL) {
            uint64_t from, to, inode;
            if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &from, &to, &inode) == 3 &&
                inode == status.st_ino && strstr(line, "socket:") != NULL)
                sum += to - from;
        }
    (void)fclose(maps);
    return sum;
}

static void
read_mac(cap_ring *ring)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, ring->name, sizeof request.ifr_name);
    if (ioctl(ring->fd, SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return;
    memcpy(ring->direction.mac, request.ifr_hwaddr.sa_data, sizeof ring->direction.mac);
    ring->direction.has_mac = true;
}

static int
open_sysfs(const cap_ring *ring, const char *file)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/%s", ring->name, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A number in a file of sysfs that stays open; 0 when there is none (speed is -1, or fails, on a link that is
 * down). */
static uint64_t
read_number(int fd)
{
    char text[32];
    ssize_t got = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    long long value = strtoll(text, NULL, 10);
    return value > 0 ? (uint64_t)value : 0;
}

static uint64_t
read_number_once(const cap_ring *ring, const char *file)
{
    int fd = open_sysfs(ring, file);
    uint64_t value = read_number(fd);
    if (fd >= 0)
        close(fd);
    return value;
}

/* The counters stay open, because after the sandbox nothing can be opened. A /sys of another network
 * namespace (it is not always mounted anew) would show a namesake: the interface's index tells. */
static void
open_interface_counters(cap_ring *ring)
{
    ring->missed_fd = ring->fifo_fd = -1;
    if (read_number_once(ring, "ifindex") != if_nametoindex(ring->name))
        return;
    ring->speed_bps = read_number_once(ring, "speed") * 1000000;
    ring->missed_fd = open_sysfs(ring, "statistics/rx_missed_errors");
    ring->fifo_fd = open_sysfs(ring, "statistics/rx_fifo_errors");
    ring->missed_base = read_number(ring->missed_fd) + read_number(ring->fifo_fd);
}

static fc_err
activate(cap_ring *ring, const cap_spec *spec, fc_fail *fail)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    /* libpcap knows names that are no interface of the kernel ("any", "nflog"): those have no ring. */
    if (if_nametoindex(ring->name) == 0)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "interface %s does not exist", ring->name);
    ring->pcap = pcap_create(ring->name, text);
    if (ring->pcap == NULL)
        return fc_fail_set(fail, FC_ERR_IO, "cannot open interface %s: %.180s", ring->name, text);
    /* Never immediate mode: it would take TPACKET_V3 away. */
    int failed = pcap_set_snaplen(ring->pcap, (int)spec->snaplen_bytes) != 0 ||
                 pcap_set_promisc(ring->pcap, 0) != 0 || pcap_set_timeout(ring->pcap, CAP_RETIRE_MS) != 0 ||
                 pcap_set_buffer_size(ring->pcap, (int)cap_spec_ring_share(spec)) != 0 ||
                 pcap_set_tstamp_precision(ring->pcap, PCAP_TSTAMP_PRECISION_NANO) != 0;
    int status = failed ? PCAP_ERROR : pcap_activate(ring->pcap);
    if (status < 0) {
        fc_err err = status == PCAP_ERROR_PERM_DENIED      ? FC_ERR_DENIED
                     : status == PCAP_ERROR_NO_SUCH_DEVICE ? FC_ERR_NOT_FOUND
                                                           : FC_ERR_IO;
        const char *more = pcap_geterr(ring->pcap);
        return fc_fail_set(fail, err, "cannot capture on interface %s: %s%s%.120s", ring->name,
                           pcap_statustostr(status), *more != '\0' ? ": " : "", more);
    }
    if (pcap_setnonblock(ring->pcap, 1, text) != 0)
        return fc_fail_set(fail, FC_ERR_IO, "cannot capture on interface %s: %.180s", ring->name, text);
    ring->fd = pcap_get_selectable_fd(ring->pcap);
    return FC_OK;
}

static void
forget(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    (void)header;
    (void)data;
    ((cap_ring *)(void *)user)->processed++;
}

/* Reads and forgets what came between the activation and the rejecting program, until the kernel's count says
 * that the ring is empty; then everything counts from zero. */
static fc_err
take_baseline(cap_ring *ring, fc_fail *fail)
{
    fc_mono due = fc_mono_after_ms(fc_clock_mono(&fc_clock_system), QUIET_TIMEOUT_MS);
    ring->handler = forget;
    ring->user = (u_char *)(void *)ring;
    for (;;) {
        bool more = true;
        while (more) {
            fc_err err = cap_ring_dispatch(ring, 1 << 16, &more, fail);
            if (err != FC_OK)
                return err;
        }
        cap_ring_poll(ring, false);
        if (cap_ring_waiting(ring) == 0)
            break;
        if (fc_mono_until_ms(fc_clock_mono(&fc_clock_system), due) == 0)
            return fc_fail_set(fail, FC_ERR_TIMEOUT, "the ring of interface %s does not become quiet",
                               ring->name);
        struct pollfd poller = {.fd = ring->fd, .events = POLLIN};
        (void)poll(&poller, 1, 10);
    }
    ring->processed = 0;
    ring->counts = (cap_kernel_counts){0};
    return FC_OK;
}

fc_err
cap_ring_open(cap_ring *ring, const cap_spec *spec, uint32_t index, fc_stop_reason *ret_reason, fc_fail *fail)
{
    *ring = (cap_ring){.index = index, .fd = -1, .missed_fd = -1, .fifo_fd = -1};
    memcpy(ring->name, spec->interfaces[index], sizeof ring->name);
    *ret_reason = FC_STOP_INTERFACE_GONE;
    fc_err err = activate(ring, spec, fail);
    if (err == FC_OK)
        err = cap_ring_detach(ring, fail);
    if (err == FC_OK)
        err = read_link_type(ring, fail);
    if (err == FC_OK) {
        *ret_reason = FC_STOP_FILTER_REFUSED;
        err = compile(ring, spec->filter, fail);
    }
    if (err == FC_OK) {
        *ret_reason = FC_STOP_INTERFACE_GONE;
        read_mac(ring);
        open_interface_counters(ring);
        ring->granted_bytes = mapped_bytes(ring->fd);
        err = take_baseline(ring, fail);
    }
    if (err != FC_OK)
        cap_ring_close(ring);
    return err;
}

void
cap_ring_close(cap_ring *ring)
{
    pcap_freecode(&ring->filter);
    if (ring->missed_fd >= 0)
        close(ring->missed_fd);
    if (ring->fifo_fd >= 0)
        close(ring->fifo_fd);
    if (ring->pcap != NULL)
        pcap_close(ring->pcap);
    *ring = (cap_ring){.fd = -1, .missed_fd = -1, .fifo_fd = -1};
}

fc_err
cap_ring_dispatch(cap_ring *ring, int limit, bool *ret_more, fc_fail *fail)
{
    int got = pcap_dispatch(ring->pcap, limit, ring->handler, ring->user);
    if (got == PCAP_ERROR)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "interface %s: %.180s", ring->name,
                           pcap_geterr(ring->pcap));
    *ret_more = got == PCAP_ERROR_BREAK || got >= limit;
    return FC_OK;
}

void
cap_ring_poll(cap_ring *ring, bool stalled)
{
    struct pcap_stat stat;
    if (pcap_stats(ring->pcap, &stat) != 0)
        return;
    uint32_t received = stat.ps_recv - ring->last_received; /* modulo 2^32, as the counters are */
    uint32_t dropped = stat.ps_drop - ring->last_dropped;
    ring->last_received = stat.ps_recv;
    ring->last_dropped = stat.ps_drop;
    ring->counts.matched += received;
    if (stalled)
        ring->counts.dropped_stalled += dropped;
    else
        ring->counts.dropped += dropped;
    uint64_t missed = read_number(ring->missed_fd) + read_number(ring->fifo_fd);
    if (missed >= ring->missed_base)
        ring->counts.interface_dropped = missed - ring->missed_base;
}

uint64_t
cap_ring_waiting(const cap_ring *ring)
{
    uint64_t arrived = ring->counts.matched - ring->counts.dropped - ring->counts.dropped_stalled;
    return arrived > ring->processed ? arrived - ring->processed : 0;
}
