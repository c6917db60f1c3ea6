#include "node/context/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { RECEIVE_BYTES = 1 << 16, RECEIVE_SECONDS = 2 };

fc_err
nd_netlink_open(nd_netlink *netlink, int bus, fc_fail *fail)
{
    const struct timeval patience = {.tv_sec = RECEIVE_SECONDS};
    *netlink = (nd_netlink){.bus = bus, .sequence = (uint32_t)time(NULL)};
    netlink->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (netlink->socket == NULL || mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        fc_err err = fc_fail_errno(fail, errno, "no netlink socket");
        nd_netlink_close(netlink);
        return err;
    }
    (void)setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    netlink->port = mnl_socket_get_portid(netlink->socket);
    return FC_OK;
}

void
nd_netlink_close(nd_netlink *netlink)
{
    if (netlink->socket != NULL)
        (void)mnl_socket_close(netlink->socket);
    netlink->socket = NULL;
}

/* Receives until the dump is over. */
static fc_err
receive(nd_netlink *netlink, mnl_cb_t each, void *user)
{
    uint8_t buffer[RECEIVE_BYTES];
    int more = MNL_CB_OK;
    for (int parts = 0; more > MNL_CB_STOP && parts < ND_NETLINK_MESSAGES_MAX; parts++) {
        ssize_t size = mnl_socket_recvfrom(netlink->socket, buffer, sizeof buffer);
        if (size < 0)
            return fc_err_from_errno(errno);
        more = mnl_cb_run(buffer, (size_t)size, netlink->sequence, netlink->port, each, user);
    }
    if (more < 0)
        return fc_err_from_errno(errno);
    return more == MNL_CB_STOP ? FC_OK : FC_ERR_LIMIT;
}

/* What is left of a dump that was not read to its end (a change in the middle of it ends it: NLM_F_DUMP_INTR)
 * would be taken for the beginning of the next one's answer. */
static void
forget_the_rest(nd_netlink *netlink)
{
    int bus = netlink->bus;
    nd_netlink_close(netlink);
    (void)!nd_netlink_open(netlink, bus, NULL); /* without a socket the next dump fails, and says so */
}

fc_err
nd_netlink_dump(nd_netlink *netlink, struct nlmsghdr *request, mnl_cb_t each, void *user)
{
    fc_err err = FC_OK;
    if (netlink->socket == NULL)
        return FC_ERR_IO;
    request->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
        err = fc_err_from_errno(errno);
    else
        err = receive(netlink, each, user);
    if (err != FC_OK)
        forget_the_rest(netlink);
    return err;
}

typedef struct attribute_list {
    const struct nlattr **attributes;
    uint16_t max;
} attribute_list;

static int
take_attribute(const struct nlattr *attribute, void *user)
{
    const attribute_list *list = user;
    uint16_t type = mnl_attr_get_type(attribute);
    if (type <= list->max)
        list->attributes[type] = attribute;
    return MNL_CB_OK;
}

void
nd_netlink_attributes(const struct nlmsghdr *message, size_t header_size,
                      const struct nlattr **ret_attributes, uint16_t max)
{
    attribute_list list = {ret_attributes, max};
    memset(ret_attributes, 0, (max + 1u) * sizeof *ret_attributes);
    if (mnl_nlmsg_get_payload_len(message) >= header_size)
        (void)mnl_attr_parse(message, (unsigned)header_size, take_attribute, &list);
}

void
nd_netlink_inner(const void *data, size_t size, const struct nlattr **ret_attributes, uint16_t max)
{
    attribute_list list = {ret_attributes, max};
    memset(ret_attributes, 0, (max + 1u) * sizeof *ret_attributes);
    (void)mnl_attr_parse_payload(data, size, take_attribute, &list);
}

const char *
nd_netlink_text(const struct nlattr *attribute)
{
    if (attribute == NULL || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
        return NULL;
    return mnl_attr_get_str(attribute);
}

uint32_t
nd_netlink_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    if (attribute == NULL || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
        return otherwise;
    return mnl_attr_get_u32(attribute);
}

const char *
nd_netlink_address(const struct nlattr *attribute, int family, char *text, size_t size)
{
    size_t needed = family == AF_INET6 ? 16 : 4;
    *text = '\0';
    if (attribute == NULL || (family != AF_INET && family != AF_INET6) ||
        mnl_attr_get_payload_len(attribute) < needed)
        return "";
    if (inet_ntop(family, mnl_attr_get_payload(attribute), text, (socklen_t)size) == NULL)
        *text = '\0';
    return text;
}
