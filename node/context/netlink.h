/* netlink.h: dumps over a netlink socket, with libmnl. */
#ifndef ND_CONTEXT_NETLINK_H
#define ND_CONTEXT_NETLINK_H

#include "common/base/err.h"

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

enum { ND_NETLINK_MESSAGES_MAX = 1 << 16 }; /* of one dump: a router with a full table is not waited for */

typedef struct nd_netlink {
    struct mnl_socket *socket; /* owned; NULL = none */
    int bus;
    unsigned port;
    uint32_t sequence;
} nd_netlink;

FC_MUST_USE fc_err
nd_netlink_open(nd_netlink *netlink, int bus, fc_fail *fail);
void
nd_netlink_close(nd_netlink *netlink);
/* Sends the request (its sequence is set here) and hands every message of the answer to `each` until that
 * returns other than MNL_CB_OK. Also after a failure the next dump can be asked for. FC_ERR_DENIED,
 * FC_ERR_IO. */
FC_MUST_USE fc_err
nd_netlink_dump(nd_netlink *netlink, struct nlmsghdr *request, mnl_cb_t each, void *user);

/* Attributes of one message by type, those past `max` left out. Borrowed from the message. */
void
nd_netlink_attributes(const struct nlmsghdr *message, size_t header_size,
                      const struct nlattr **ret_attributes, uint16_t max);
/* The same for the attributes in memory, as those inside of another attribute are. */
void
nd_netlink_inner(const void *data, size_t size, const struct nlattr **ret_attributes, uint16_t max);
/* The text, number or address in an attribute of the right size; NULL, the other value or "" when it is not
 * there. */
const char *
nd_netlink_text(const struct nlattr *attribute);
uint32_t
nd_netlink_u32(const struct nlattr *attribute, uint32_t otherwise);
const char *
nd_netlink_address(const struct nlattr *attribute, int family, char *text, size_t size);

#endif
