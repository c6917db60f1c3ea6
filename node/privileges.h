/* privileges.h: what each of the node's two processes may do.
 *
 * The daemon talks to the network and holds no capability. The monitor holds CAP_NET_RAW, also in its ambient
 * set, so that the helper that it executes has it under NoNewPrivileges too.
 */
#ifndef ND_PRIVILEGES_H
#define ND_PRIVILEGES_H

#include "common/base/err.h"

/* The daemon: no capability, no new ones, and `user` (NULL = as now). captures_dir is made (0750) and given
 * to `user` first, while that is still possible. */
FC_MUST_USE fc_err
nd_privileges_drop(const char *user, const char *captures_dir, fc_fail *fail);
/* The monitor: CAP_NET_RAW alone. Without it (not root, no capability) it goes on: opening the ring then
 * fails and says so in the capture's status. */
FC_MUST_USE fc_err
nd_privileges_keep_raw(const char *user, fc_fail *fail);
/* A command of root's that writes into somebody's directory: becomes its owner, for good and without a
 * capability, so that nothing which that owner may have put there is followed with root's rights. Nothing to
 * do unless we are root. */
FC_MUST_USE fc_err
nd_privileges_become_owner(int dir_fd, fc_fail *fail);

#endif
