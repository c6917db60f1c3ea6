/* daemon.h: the node as a process: signals, credentials that change on the disk, the orderly end. */
#ifndef ND_DAEMON_H
#define ND_DAEMON_H

#include "node/config.h"

#include <sys/types.h>

enum {
    ND_TLS_CHECK_MS = 30000, /* how often the credential files are looked at */
    ND_FLUSH_MS = 2000,      /* for the last reports, after SIGTERM */
    ND_LET_GO_MS = 20000,    /* for helpers to seal, after SIGUSR2; below the watchdog's time */
};

/* Runs until SIGTERM or SIGINT; takes monitor_fd. SIGHUP reads the credentials again, SIGUSR1 renews the
 * certificate now. SIGUSR2 ends it without ending a capture: helpers seal, and the next start resumes them.
 */
FC_MUST_USE fc_err
nd_daemon_run(const nd_config *config, int monitor_fd, fc_fail *fail);
/* Reads what the daemon would read and says what is wrong with it: credentials, state_dir, the helper, the
 * directory for captures. */
FC_MUST_USE fc_err
nd_daemon_check(const nd_config *config, fc_fail *fail);

#endif
