/* capture_rig.h: two network namespaces joined by a veth pair, and fleetcap-capture started in one of them,
 * as the node's monitor would start it. For the system tests of capture and for bench-capture.
 */
#ifndef TESTS_SYSTEM_CAPTURE_RIG_H
#define TESTS_SYSTEM_CAPTURE_RIG_H

#include "common/base/buf.h"
#include "common/model/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { RIG_SEGMENTS_MAX = 512 };

typedef struct rig_net {
    char near[32],
        far[32];  /* namespaces: of the capture (10.77.0.1 on "cap0") and of the peer (10.77.0.2 on "gen0") */
    char dir[64]; /* a directory of its own */
} rig_net;

/* Makes both. `medium`: where the directory is made, NULL = $TMPDIR or /tmp. */
void
rig_open(rig_net *rig, const char *medium);
/* Removes them, and the directory with what is in it. */
void
rig_close(rig_net *rig);
/* Runs a shell command; returns its exit status. */
int
rig_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The first number that a shell command prints. */
long long
rig_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Sends `count` UDP packets of payload bytes from the far to the near end, port 9000, at most `per_second` (0
 * = as fast as they go). Returns when all are sent. */
void
rig_send(const rig_net *rig, unsigned count, unsigned payload_bytes, unsigned per_second);
/* The same from the near end to the far one. */
void
rig_send_out(const rig_net *rig, unsigned count, unsigned payload_bytes, unsigned per_second);
/* One Ethernet frame as it is, from the far end to the near one. */
void
rig_send_frame(const rig_net *rig, const uint8_t *frame, size_t size);
/* Makes a tun interface in the near namespace, of an ARPHRD_ type, with 10.79.0.1/24. */
void
rig_make_tun(const rig_net *rig, const char *name, int link_type);
/* `count` IP packets (UDP from 10.79.0.2, port 9000) come in from the tun interface. */
void
rig_send_tun(const rig_net *rig, const char *name, unsigned count);
double
rig_now(void); /* seconds, monotonic */

/* What the helper is told; zero fields have its defaults. */
typedef struct rig_spec {
    const char *interface, *filter, *prefix; /* NULL: "cap0", "udp port 9000", "web-1_02_45_37" */
    uint32_t snaplen_bytes, time_limit_s, ring_files, first_sequence, flush_interval_ms;
    uint64_t session_bytes, packet_limit, ring_file_bytes, ring_bytes, disk_floor_bytes, written_packets;
    bool stream;       /* a stream socket instead of seqpacket */
    bool unprivileged; /* as user 65534 with CAP_NET_RAW alone */
    bool no_profile;   /* without the profile thread */
    const char *second_interface;
} rig_spec;

/* One running helper, and everything that it has said. */
typedef struct rig_helper {
    pid_t pid;
    int channel;
    const char *dir;
    bool armed, started, stopped, failed;
    uint64_t ring_bytes;
    int64_t start_ns, stop_ns;
    fc_stop_reason reason;
    char error[FC_ERROR_TEXT];
    fc_counters counters; /* the latest */
    int64_t first_ns, last_ns;
    unsigned progress_count;
    fc_segment *segments; /* owned: sealed, in order */
    size_t segment_count, removed_count;
    fc_buf profile; /* the newest, packed */
    uint64_t profile_revision;
    bool profile_after_end; /* one came after the last word: never */
    int exit_status;        /* as of wait(2) */
    struct rusage usage;    /* of the process, when it has ended */
} rig_helper;

/* Starts the helper that is beside this program (../bin from tests, or its own directory), and sends the
 * specification. dir: NULL = the rig's. */
void
rig_helper_start(rig_helper *helper, const rig_net *rig, const char *dir, const rig_spec *spec);
/* Reads events until the condition or the time; false = the time. */
bool
rig_helper_wait(rig_helper *helper, const bool *flag, int timeout_ms);
/* Waits for armed, starts it (delay_ms from now) and waits for started. */
void
rig_helper_run(rig_helper *helper, int delay_ms);
void
rig_helper_command_start(rig_helper *helper, int64_t start_unix_ns, int64_t window_end_unix_ns);
void
rig_helper_command_stop(rig_helper *helper, fc_stop_reason reason);
/* Waits for the process's end. */
void
rig_helper_wait_end(rig_helper *helper, int timeout_ms);
void
rig_helper_fini(rig_helper *helper);

#endif
