/* context.h: the network configuration of this instance, right now.
 *
 * Read from the kernel over netlink (rtnetlink(7), sock_diag(7), nf_tables), ethtool's ioctl, and files below
 * /etc and /proc; no program is run. No privilege is needed but for the firewall's rules (CAP_NET_ADMIN,
 * which the node does not have when it runs as it should): what cannot be read is named in
 * fc_context.unreadable. Blocks for some milliseconds; nothing in it waits for a network.
 */
#ifndef ND_CONTEXT_H
#define ND_CONTEXT_H

#include "common/base/err.h"
#include "common/profile/context.h"

/* *ret_context is sorted, owned by the caller (fc_context_fini). Fails only when not even a netlink socket
 * can be had. */
FC_MUST_USE fc_err
nd_context_read(fc_context *ret_context, fc_fail *fail);

#endif
