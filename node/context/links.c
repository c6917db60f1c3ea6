/* Links (rtnetlink(7), RTM_GETLINK) and their offloads and speed (ethtool's ioctl, linux/ethtool.h). */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Booleans that a driver says of itself; getting them needs no privilege (net/ethtool/ioctl.c). */
static const struct {
    uint32_t command;
    const char *name;
} offloads[] = {
    {ETHTOOL_GTSO, "tso"},
    {ETHTOOL_GGSO, "gso"},
    {ETHTOOL_GGRO, "gro"},
    {ETHTOOL_GTXCSUM, "tx-checksum"},
    {ETHTOOL_GRXCSUM, "rx-checksum"},
    {ETHTOOL_GSG, "scatter-gather"},
};

/* What a healthy link does not count. */
static const struct {
    const char *name;
    size_t offset;
} link_counters[] = {
    {"rx_errors", offsetof(struct rtnl_link_stats64, rx_errors)},
    {"tx_errors", offsetof(struct rtnl_link_stats64, tx_errors)},
    {"rx_dropped", offsetof(struct rtnl_link_stats64, rx_dropped)},
    {"tx_dropped", offsetof(struct rtnl_link_stats64, tx_dropped)},
    {"collisions", offsetof(struct rtnl_link_stats64, collisions)},
    {"rx_over_errors", offsetof(struct rtnl_link_stats64, rx_over_errors)},
    {"rx_crc_errors", offsetof(struct rtnl_link_stats64, rx_crc_errors)},
    {"rx_missed_errors", offsetof(struct rtnl_link_stats64, rx_missed_errors)},
    {"tx_carrier_errors", offsetof(struct rtnl_link_stats64, tx_carrier_errors)},
};

static const char *const operational_states[] = {"unknown", "not present", "down", "lower layer down",
                                                 "testing", "dormant",     "up"};

typedef struct link_reader {
    fc_context *context;
    int socket; /* for ethtool; -1 = none */
} link_reader;

static bool
ethtool(int fd, const char *name, void *data)
{
    struct ifreq request = {0};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    request.ifr_data = data;
    return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static void
add_offloads(const link_reader *reader, const char *name)
{
    char key[FC_CONTEXT_KEY_MAX + 1];
    for (size_t i = 0; i < FC_COUNT(offloads); i++) {
        struct ethtool_value value = {.cmd = offloads[i].command};
        if (!ethtool(reader->socket, name, &value))
            continue;
        (void)snprintf(key, sizeof key, "%s %s", name, offloads[i].name);
        fc_context_add(reader->context, FC_SECTION_LINK, key, value.data != 0 ? "on" : "off");
    }
}

static void
add_speed(const link_reader *reader, const char *name)
{
    char key[FC_CONTEXT_KEY_MAX + 1];
    union {
        struct ethtool_link_settings head;
        uint32_t words[sizeof(struct ethtool_link_settings) / sizeof(uint32_t) + 3 * INT8_MAX];
    } answer = {.head = {.cmd = ETHTOOL_GLINKSETTINGS}};
    const struct ethtool_link_settings *settings = &answer.head;
    /* The first answer says only how long the three masks behind the settings are, as a negative number
     * (linux/ethtool.h). */
    if (!ethtool(reader->socket, name, &answer) || settings->link_mode_masks_nwords >= 0)
        return;
    answer.head = (struct ethtool_link_settings){
        .cmd = ETHTOOL_GLINKSETTINGS, .link_mode_masks_nwords = (int8_t)-settings->link_mode_masks_nwords};
    if (!ethtool(reader->socket, name, &answer) || settings->speed == 0 ||
        settings->speed == (uint32_t)SPEED_UNKNOWN)
        return;
    (void)snprintf(key, sizeof key, "%s speed", name);
    fc_context_addf(reader->context, FC_SECTION_LINK, key, "%u Mb/s", settings->speed);
    if (settings->duplex == DUPLEX_UNKNOWN)
        return;
    (void)snprintf(key, sizeof key, "%s duplex", name);
    fc_context_add(reader->context, FC_SECTION_LINK, key, settings->duplex == DUPLEX_FULL ? "full" : "half");
}

static void
add_counters(fc_context *context, const char *name, const struct nlattr *attribute)
{
    char key[FC_CONTEXT_KEY_MAX + 1];
    if (attribute == NULL)
        return;
    for (size_t i = 0; i < FC_COUNT(link_counters); i++) {
        uint64_t value;
        if (mnl_attr_get_payload_len(attribute) < link_counters[i].offset + sizeof value)
            continue;
        memcpy(&value, (const uint8_t *)mnl_attr_get_payload(attribute) + link_counters[i].offset,
               sizeof value);
        (void)snprintf(key, sizeof key, "%s %s", name, link_counters[i].name);
        fc_context_addf(context, FC_SECTION_LINK_COUNTER, key, "%llu", (unsigned long long)value);
    }
}

static void
add_text(fc_context *context, const char *name, const char *what, const char *value)
{
    char key[FC_CONTEXT_KEY_MAX + 1];
    (void)snprintf(key, sizeof key, "%s %s", name, what);
    fc_context_add(context, FC_SECTION_LINK, key, value);
}

static void
add_number(fc_context *context, const char *name, const char *what, const struct nlattr *attribute)
{
    char text[16];
    if (attribute == NULL)
        return;
    (void)snprintf(text, sizeof text, "%u", nd_netlink_u32(attribute, 0));
    add_text(context, name, what, text);
}

static const char *
link_kind(const struct nlattr *info)
{
    const struct nlattr *inner[IFLA_INFO_KIND + 1];
    if (info == NULL)
        return NULL;
    nd_netlink_inner(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info), inner, IFLA_INFO_KIND);
    return nd_netlink_text(inner[IFLA_INFO_KIND]);
}

static int
add_link(const struct nlmsghdr *message, void *user)
{
    const link_reader *reader = user;
    const struct nlattr *attributes[IFLA_MAX + 1];
    nd_netlink_attributes(message, sizeof(struct ifinfomsg), attributes, IFLA_MAX);
    const char *name = nd_netlink_text(attributes[IFLA_IFNAME]);
    if (name == NULL)
        return MNL_CB_OK;
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
    if ((link->ifi_flags & IFF_LOOPBACK) != 0) {
        add_number(reader->context, name, "mtu", attributes[IFLA_MTU]);
        return MNL_CB_OK;
    }
    uint8_t state = attributes[IFLA_OPERSTATE] != NULL ? mnl_attr_get_u8(attributes[IFLA_OPERSTATE]) : 0;
    add_text(reader->context, name, "state",
             state < FC_COUNT(operational_states) ? operational_states[state] : "unknown");
    add_text(reader->context, name, "administrative", (link->ifi_flags & IFF_UP) != 0 ? "up" : "down");
    add_number(reader->context, name, "mtu", attributes[IFLA_MTU]);
    add_number(reader->context, name, "txqueuelen", attributes[IFLA_TXQLEN]);
    const char *qdisc = nd_netlink_text(attributes[IFLA_QDISC]), *kind = link_kind(attributes[IFLA_LINKINFO]);
    if (qdisc != NULL)
        add_text(reader->context, name, "qdisc", qdisc);
    if (kind != NULL)
        add_text(reader->context, name, "kind", kind);
    add_counters(reader->context, name, attributes[IFLA_STATS64]);
    if (reader->socket >= 0) {
        add_speed(reader, name);
        add_offloads(reader, name);
    }
    return MNL_CB_OK;
}

void
nd_context_read_links(nd_netlink *route, fc_context *context)
{
    uint8_t buffer[256];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = RTM_GETLINK;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof *link);
    link->ifi_family = AF_UNSPEC;
    link_reader reader = {context, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    fc_err err = nd_netlink_dump(route, request, add_link, &reader);
    if (err != FC_OK)
        fc_context_add_unreadable(context, FC_SECTION_LINK, fc_err_text(err));
    if (reader.socket >= 0)
        (void)close(reader.socket);
}
