/* Listening sockets (sock_diag(7)): TCP that listens, UDP that is bound and not connected. */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

static const struct {
    uint8_t protocol;
    const char *name;
    uint32_t states; /* 1 << state; an unconnected UDP socket is TCP_CLOSE */
} kinds[] = {{IPPROTO_TCP, "tcp", 1u << TCP_LISTEN}, {IPPROTO_UDP, "udp", 1u << TCP_CLOSE}};

typedef struct listener_reader {
    fc_context *context;
    const char *protocol;
} listener_reader;

static int
add_listener(const struct nlmsghdr *message, void *user)
{
    const listener_reader *reader = user;
    char address[INET6_ADDRSTRLEN], key[FC_CONTEXT_KEY_MAX + 1];
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg))
        return MNL_CB_OK;
    const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
    bool v6 = socket->idiag_family == AF_INET6;
    uint16_t port = ntohs(socket->id.idiag_sport);
    if (port == 0 ||
        inet_ntop(v6 ? AF_INET6 : AF_INET, socket->id.idiag_src, address, sizeof address) == NULL)
        return MNL_CB_OK;
    (void)snprintf(key, sizeof key, v6 ? "%s [%s]:%u" : "%s %s:%u", reader->protocol, address, port);
    fc_context_addf(reader->context, FC_SECTION_LISTENER, key, "uid %u", socket->idiag_uid);
    return MNL_CB_OK;
}

static fc_err
read_kind(nd_netlink *diag, size_t kind, uint8_t family, fc_context *context)
{
    uint8_t buffer[256];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    struct inet_diag_req_v2 *wanted = mnl_nlmsg_put_extra_header(request, sizeof *wanted);
    wanted->sdiag_family = family;
    wanted->sdiag_protocol = kinds[kind].protocol;
    wanted->idiag_states = kinds[kind].states;
    listener_reader reader = {context, kinds[kind].name};
    return nd_netlink_dump(diag, request, add_listener, &reader);
}

void
nd_context_read_listeners(fc_context *context)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    nd_netlink diag;
    fc_err err = nd_netlink_open(&diag, NETLINK_SOCK_DIAG, NULL);
    for (size_t kind = 0; kind < FC_COUNT(kinds) && err == FC_OK; kind++)
        for (size_t i = 0; i < FC_COUNT(families) && err == FC_OK; i++)
            err = read_kind(&diag, kind, families[i], context);
    if (err != FC_OK)
        fc_context_add_unreadable(context, FC_SECTION_LISTENER, fc_err_text(err));
    nd_netlink_close(&diag);
}
