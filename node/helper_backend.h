/* helper_backend.h: the backend that runs fleetcap-capture, through the monitor (backend.h). */
#ifndef ND_HELPER_BACKEND_H
#define ND_HELPER_BACKEND_H

#include "common/base/loop.h"
#include "node/backend.h"

#include <stdbool.h>

enum {
    ND_HELPER_EVENT_MAX =
        64 * 1024, /* bytes of one HelperEvent; longer is a helper gone mad, and is killed */
    ND_HELPER_COMMAND_MAX = 128 * 1024, /* a spec with the longest filter expression */
    ND_HELPER_REAP_MS = 5000,           /* from the channel's end to the word of how the process ended */
};

/* Takes monitor_fd (nd_monitor_fork). `lost` comes from the loop when the monitor has died: no helper can be
 * started any more. */
FC_MUST_USE fc_err
nd_helper_backend_new(fc_loop *loop, int monitor_fd, void (*lost)(void *user), void *user,
                      nd_backend **ret_backend, fc_fail *fail);
/* Lets every helper go, and waits at most timeout_ms until they have sealed and exited; blocks, so only when
 * the loop has ended. False: one still runs. Their runs are still to be released. */
bool
nd_helper_backend_let_go(nd_backend *backend, int64_t timeout_ms);
/* After all its runs have been released. The monitor exits with it. */
void
nd_helper_backend_free(nd_backend *backend);

#endif
