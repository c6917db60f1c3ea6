/* monitor.h: the process that may start capture helpers.
 *
 * Forked before anything else happens. It keeps CAP_NET_RAW and nothing more, opens no socket, reads nothing
 * but one byte and two descriptors a time, and executes one program, whose path is fixed when it is forked.
 * Over a SOCK_SEQPACKET pair it takes ND_MONITOR_SPAWN with {channel, directory} and answers, in order,
 * SPAWNED (with a pidfd) or REFUSED; EXITED comes for each child that ended. It exits when the node's end
 * closes; helpers see their channel end by themselves.
 */
#ifndef ND_MONITOR_H
#define ND_MONITOR_H

#include "common/base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum { ND_MONITOR_SPAWN = 'S' };

typedef enum nd_monitor_kind {
    ND_MONITOR_SPAWNED = 1,
    ND_MONITOR_REFUSED = 2, /* value: errno */
    ND_MONITOR_EXITED = 3,  /* value: wait status (wait(2)) */
} nd_monitor_kind;

typedef struct nd_monitor_message {
    uint32_t kind;
    int32_t pid;
    int32_t value;
} nd_monitor_message;

/* The node's end; *ret_pid is the monitor's. user: whom monitor and helpers run as; NULL = as now. Call it
 * while the process has one thread and no sockets. */
FC_MUST_USE fc_err
nd_monitor_fork(const char *helper, const char *user, int *ret_fd, pid_t *ret_pid, fc_fail *fail);

#endif
