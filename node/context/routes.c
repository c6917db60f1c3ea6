/* Addresses, routes, policy rules and neighbours (rtnetlink(7)). */
#include "node/context/readers.h"

#include "common/base/buf.h"
#include "common/base/mem.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

static const char *
link_name(uint32_t index, char name[IF_NAMESIZE + 16])
{
    if (index == 0 || if_indextoname(index, name) == NULL)
        (void)snprintf(name, IF_NAMESIZE + 16, "if%u", index);
    return name;
}

static const char *
table_name(uint32_t table, char text[16])
{
    static const struct {
        uint32_t id;
        const char *name;
    } names[] = {{RT_TABLE_DEFAULT, "default"}, {RT_TABLE_MAIN, "main"}, {RT_TABLE_LOCAL, "local"}};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (names[i].id == table)
            return names[i].name;
    (void)snprintf(text, 16, "%u", table);
    return text;
}

/* Sends a dump request for every family at once. */
static void
dump(nd_netlink *route, uint16_t type, mnl_cb_t each, fc_section section, fc_context *context)
{
    uint8_t buffer[256];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    struct rtmsg *header =
        mnl_nlmsg_put_extra_header(request, sizeof *header); /* the largest of the headers */
    header->rtm_family = AF_UNSPEC;
    fc_err err = nd_netlink_dump(route, request, each, context);
    if (err != FC_OK)
        fc_context_add_unreadable(context, section, fc_err_text(err));
}

/* ---- addresses ---- */

static const char *
scope_name(uint8_t scope)
{
    return scope == RT_SCOPE_UNIVERSE ? "global"
           : scope == RT_SCOPE_LINK   ? "link"
           : scope == RT_SCOPE_HOST   ? "host"
                                      : "other";
}

static int
add_address(const struct nlmsghdr *message, void *user)
{
    const struct nlattr *attributes[IFA_MAX + 1];
    char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE + 16];
    nd_netlink_attributes(message, sizeof(struct ifaddrmsg), attributes, IFA_MAX);
    const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
    const struct nlattr *own =
        attributes[IFA_LOCAL] != NULL ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (*nd_netlink_address(own, address->ifa_family, text, sizeof text) == '\0')
        return MNL_CB_OK;
    uint32_t flags = nd_netlink_u32(attributes[IFA_FLAGS], address->ifa_flags);
    fc_context_addf(user, FC_SECTION_ADDRESS, link_name(address->ifa_index, name), "%s/%u scope %s%s%s%s",
                    text, address->ifa_prefixlen, scope_name(address->ifa_scope),
                    (flags & IFA_F_TENTATIVE) != 0 ? " tentative" : "",
                    (flags & IFA_F_DEPRECATED) != 0 ? " deprecated" : "",
                    (flags & IFA_F_DADFAILED) != 0 ? " dadfailed" : "");
    return MNL_CB_OK;
}

void
nd_context_read_addresses(nd_netlink *route, fc_context *context)
{
    dump(route, RTM_GETADDR, add_address, FC_SECTION_ADDRESS, context);
}

/* ---- routes ---- */

static const char *const route_types[] = {"unspecified", "unicast",   "local",     "broadcast",
                                          "anycast",     "multicast", "blackhole", "unreachable",
                                          "prohibit",    "throw",     "nat"};

static void
put_next_hop(fc_buf *out, const struct nlattr *gateway, const struct nlattr *via, int family, uint32_t index)
{
    char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE + 16];
    if (*nd_netlink_address(gateway, family, text, sizeof text) != '\0')
        fc_buf_printf(out, " via %s", text);
    else if (via != NULL && mnl_attr_get_payload_len(via) >= sizeof(struct rtvia) + 16 &&
             inet_ntop(AF_INET6, (const uint8_t *)mnl_attr_get_payload(via) + sizeof(struct rtvia), text,
                       sizeof text) != NULL)
        fc_buf_printf(out, " via %s", text);
    if (index != 0)
        fc_buf_printf(out, " dev %s", link_name(index, name));
}

static void
put_hops(fc_buf *out, const struct nlattr *multipath, int family)
{
    size_t left = mnl_attr_get_payload_len(multipath);
    const uint8_t *data = mnl_attr_get_payload(multipath);
    while (left >= sizeof(struct rtnexthop)) {
        const struct rtnexthop *hop = (const void *)data;
        size_t size = RTNH_ALIGN(hop->rtnh_len);
        if (hop->rtnh_len < sizeof *hop || size > left)
            return;
        const struct nlattr *inner[RTA_GATEWAY + 1];
        nd_netlink_inner(data + sizeof *hop, hop->rtnh_len - sizeof *hop, inner, RTA_GATEWAY);
        fc_buf_printf(out, " nexthop");
        put_next_hop(out, inner[RTA_GATEWAY], NULL, family, (uint32_t)hop->rtnh_ifindex);
        data += size;
        left -= size;
    }
}

/* What a route sets for the connections over it (RTAX_*). */
static void
put_metrics(fc_buf *out, const struct nlattr *metrics)
{
    static const struct {
        uint16_t type;
        const char *name;
    } shown[] = {{RTAX_MTU, "mtu"},          {RTAX_ADVMSS, "advmss"},     {RTAX_WINDOW, "window"},
                 {RTAX_RTT, "rtt"},          {RTAX_INITCWND, "initcwnd"}, {RTAX_RTO_MIN, "rto_min"},
                 {RTAX_QUICKACK, "quickack"}};
    const struct nlattr *inner[RTAX_MAX + 1];
    nd_netlink_inner(mnl_attr_get_payload(metrics), mnl_attr_get_payload_len(metrics), inner, RTAX_MAX);
    for (size_t i = 0; i < FC_COUNT(shown); i++)
        if (inner[shown[i].type] != NULL)
            fc_buf_printf(out, " %s %u", shown[i].name, nd_netlink_u32(inner[shown[i].type], 0));
}

static int
add_route(const struct nlmsghdr *message, void *user)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    char text[INET6_ADDRSTRLEN], key[FC_CONTEXT_KEY_MAX + 1], table_text[16];
    nd_netlink_attributes(message, sizeof(struct rtmsg), attributes, RTA_MAX);
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    uint32_t table = nd_netlink_u32(attributes[RTA_TABLE], route->rtm_table);
    if (table == RT_TABLE_LOCAL || (route->rtm_flags & RTM_F_CLONED) != 0)
        return MNL_CB_OK; /* the kernel makes these out of the addresses; and cached exceptions */
    if (*nd_netlink_address(attributes[RTA_DST], route->rtm_family, text, sizeof text) != '\0')
        (void)snprintf(key, sizeof key, "%s/%u", text, route->rtm_dst_len);
    else
        (void)snprintf(key, sizeof key, "%s", route->rtm_family == AF_INET6 ? "default (IPv6)" : "default");
    fc_buf out = {0};
    fc_buf_printf(&out, "%s",
                  route->rtm_type < FC_COUNT(route_types) ? route_types[route->rtm_type] : "other");
    put_next_hop(&out, attributes[RTA_GATEWAY], attributes[RTA_VIA], route->rtm_family,
                 nd_netlink_u32(attributes[RTA_OIF], 0));
    if (attributes[RTA_MULTIPATH] != NULL)
        put_hops(&out, attributes[RTA_MULTIPATH], route->rtm_family);
    if (*nd_netlink_address(attributes[RTA_PREFSRC], route->rtm_family, text, sizeof text) != '\0')
        fc_buf_printf(&out, " src %s", text);
    if (attributes[RTA_PRIORITY] != NULL)
        fc_buf_printf(&out, " metric %u", nd_netlink_u32(attributes[RTA_PRIORITY], 0));
    if (attributes[RTA_METRICS] != NULL)
        put_metrics(&out, attributes[RTA_METRICS]);
    if (table != RT_TABLE_MAIN)
        fc_buf_printf(&out, " table %s", table_name(table, table_text));
    fc_context_add(user, FC_SECTION_ROUTE, key, fc_buf_text(&out));
    fc_buf_fini(&out);
    return MNL_CB_OK;
}

void
nd_context_read_routes(nd_netlink *route, fc_context *context)
{
    dump(route, RTM_GETROUTE, add_route, FC_SECTION_ROUTE, context);
}

/* ---- policy rules ---- */

static void
put_prefix(fc_buf *out, const char *word, const struct nlattr *attribute, int family, uint8_t length)
{
    char text[INET6_ADDRSTRLEN];
    if (*nd_netlink_address(attribute, family, text, sizeof text) != '\0')
        fc_buf_printf(out, "%s %s/%u ", word, text, length);
}

static int
add_rule(const struct nlmsghdr *message, void *user)
{
    const struct nlattr *attributes[FRA_MAX + 1];
    char key[32], table_text[16];
    nd_netlink_attributes(message, sizeof(struct fib_rule_hdr), attributes, FRA_MAX);
    const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(message);
    if (rule->family != AF_INET && rule->family != AF_INET6)
        return MNL_CB_OK;
    (void)snprintf(key, sizeof key, "%u%s", nd_netlink_u32(attributes[FRA_PRIORITY], 0),
                   rule->family == AF_INET6 ? " (IPv6)" : "");
    fc_buf out = {0};
    put_prefix(&out, "from", attributes[FRA_SRC], rule->family, rule->src_len);
    put_prefix(&out, "to", attributes[FRA_DST], rule->family, rule->dst_len);
    const char *in = nd_netlink_text(attributes[FRA_IIFNAME]), *to = nd_netlink_text(attributes[FRA_OIFNAME]);
    if (in != NULL)
        fc_buf_printf(&out, "iif %s ", in);
    if (to != NULL)
        fc_buf_printf(&out, "oif %s ", to);
    if (attributes[FRA_FWMARK] != NULL)
        fc_buf_printf(&out, "fwmark 0x%x ", nd_netlink_u32(attributes[FRA_FWMARK], 0));
    if (rule->action == FR_ACT_TO_TBL)
        fc_buf_printf(&out, "lookup %s",
                      table_name(nd_netlink_u32(attributes[FRA_TABLE], rule->table), table_text));
    else
        fc_buf_printf(&out, "action %u", rule->action);
    fc_context_add(user, FC_SECTION_RULE, key, fc_buf_text(&out));
    fc_buf_fini(&out);
    return MNL_CB_OK;
}

void
nd_context_read_rules(nd_netlink *route, fc_context *context)
{
    dump(route, RTM_GETRULE, add_rule, FC_SECTION_RULE, context);
}

/* ---- neighbours ---- */

static const char *
neighbour_state(uint16_t state)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } names[] = {{NUD_PERMANENT, "permanent"},   {NUD_NOARP, "noarp"},  {NUD_REACHABLE, "reachable"},
                 {NUD_STALE, "stale"},           {NUD_DELAY, "delay"},  {NUD_PROBE, "probe"},
                 {NUD_INCOMPLETE, "incomplete"}, {NUD_FAILED, "failed"}};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if ((state & names[i].bit) != 0)
            return names[i].name;
    return "none";
}

static int
add_neighbour(const struct nlmsghdr *message, void *user)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE + 16], key[FC_CONTEXT_KEY_MAX + 1], mac[24] = "none";
    nd_netlink_attributes(message, sizeof(struct ndmsg), attributes, NDA_MAX);
    const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);
    if ((neighbour->ndm_state & NUD_NOARP) != 0 ||
        *nd_netlink_address(attributes[NDA_DST], neighbour->ndm_family, text, sizeof text) == '\0')
        return MNL_CB_OK;
    const struct nlattr *hardware = attributes[NDA_LLADDR];
    if (hardware != NULL && mnl_attr_get_payload_len(hardware) == 6) {
        const uint8_t *b = mnl_attr_get_payload(hardware);
        (void)snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    }
    (void)snprintf(key, sizeof key, "%s %s", text, link_name((uint32_t)neighbour->ndm_ifindex, name));
    fc_context_addf(user, FC_SECTION_NEIGHBOUR, key, "%s %s", mac, neighbour_state(neighbour->ndm_state));
    return MNL_CB_OK;
}

void
nd_context_read_neighbours(nd_netlink *route, fc_context *context)
{
    dump(route, RTM_GETNEIGH, add_neighbour, FC_SECTION_NEIGHBOUR, context);
}
