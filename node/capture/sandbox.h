/* sandbox.h: the two steps by which this process gives everything away once its rings are open.
 *
 * cap_sandbox_drop: no capability, no way to regain one, not root where the directory is another user's, and
 * (Landlock, where the kernel has it) no file outside the segment directory. Before the other two threads are
 * made.
 *
 * cap_sandbox_enter: a list of system calls, of all three threads: no socket, no exec, files only by the
 * directory's descriptor. What is not on it kills the process.
 */
#ifndef CAP_SANDBOX_H
#define CAP_SANDBOX_H

#include "common/base/err.h"

FC_MUST_USE fc_err
cap_sandbox_drop(int dir_fd, fc_fail *fail);
FC_MUST_USE fc_err
cap_sandbox_enter(int dir_fd, fc_fail *fail);

#endif
