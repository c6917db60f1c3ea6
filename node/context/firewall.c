/* The rules of nf_tables (iptables' too, where iptables is the nft one), with libnftnl. The kernel gives them
 * only to a process with CAP_NET_ADMIN (net/netfilter/nfnetlink.c). */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *
family_name(uint32_t family)
{
    static const struct {
        uint32_t id;
        const char *name;
    } names[] = {{NFPROTO_INET, "inet"}, {NFPROTO_IPV4, "ip"},       {NFPROTO_IPV6, "ip6"},
                 {NFPROTO_ARP, "arp"},   {NFPROTO_BRIDGE, "bridge"}, {NFPROTO_NETDEV, "netdev"}};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (names[i].id == family)
            return names[i].name;
    return "other";
}

/* How many packets the rule's counters have seen. */
static int
take_counter(struct nftnl_expr *expression, void *user)
{
    uint64_t *packets = user;
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    if (name != NULL && strcmp(name, "counter") == 0)
        *packets += nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
    return 0;
}

/* The rule's text says nothing of where its counters stand: it is compared. */
static void
cut_counters(char *text)
{
    for (char *counter = text, *end; (counter = strstr(counter, "[ counter pkts ")) != NULL;) {
        counter += strlen("[ counter ");
        if ((end = strchr(counter, ']')) != NULL)
            memmove(counter, end, strlen(end) + 1);
    }
}

/* A rule is known by its place in its chain: its handle tells how often somebody has changed the rules of
 * this machine. */
typedef struct rule_reader {
    fc_context *context;
    char chain[FC_CONTEXT_KEY_MAX + 1]; /* "inet filter input": of the rule before */
    unsigned place;                     /* in it, from 1 */
} rule_reader;

static void
add_rule(rule_reader *reader, const struct nftnl_rule *rule)
{
    char text[2048], chain[FC_CONTEXT_KEY_MAX + 1], key[FC_CONTEXT_KEY_MAX + 16];
    uint64_t packets = UINT64_MAX;
    (void)snprintf(chain, sizeof chain, "%s %s %s", family_name(nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY)),
                   nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
    reader->place = strcmp(chain, reader->chain) == 0 ? reader->place + 1 : 1;
    memcpy(reader->chain, chain, sizeof chain);
    (void)snprintf(key, sizeof key, "%s %u", chain, reader->place);
    if (nftnl_rule_snprintf(text, sizeof text, rule, NFTNL_OUTPUT_DEFAULT, 0) < 0)
        return;
    const char *body = strchr(text, '[');
    if (body == NULL)
        return;
    memmove(text, body, strlen(body) + 1);
    if (strstr(text, "[ counter pkts ") != NULL) {
        packets = 0;
        (void)nftnl_expr_foreach((struct nftnl_rule *)(uintptr_t)rule, take_counter, &packets);
        cut_counters(text);
    }
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
    fc_context_add(reader->context, FC_SECTION_FIREWALL, key, text);
    if (packets != UINT64_MAX)
        fc_context_addf(reader->context, FC_SECTION_FIREWALL_COUNTER, key, "%llu",
                        (unsigned long long)packets);
}

static int
take_rule(const struct nlmsghdr *message, void *user)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    if (rule != NULL && nftnl_rule_nlmsg_parse(message, rule) == 0 &&
        nftnl_rule_is_set(rule, NFTNL_RULE_TABLE) && nftnl_rule_is_set(rule, NFTNL_RULE_CHAIN))
        add_rule(user, rule);
    if (rule != NULL)
        nftnl_rule_free(rule);
    return MNL_CB_OK;
}

void
nd_context_read_firewall(fc_context *context)
{
    char buffer[256];
    nd_netlink netfilter;
    rule_reader reader = {.context = context};
    fc_err err = nd_netlink_open(&netfilter, NETLINK_NETFILTER, NULL);
    if (err == FC_OK) {
        struct nlmsghdr *request =
            nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETRULE, NFPROTO_UNSPEC, NLM_F_DUMP, (uint32_t)time(NULL));
        err = nd_netlink_dump(&netfilter, request, take_rule, &reader);
    }
    if (err != FC_OK)
        fc_context_add_unreadable(
            context, FC_SECTION_FIREWALL,
            err == FC_ERR_DENIED ? "only a process with CAP_NET_ADMIN may read the rules" : fc_err_text(err));
    nd_netlink_close(&netfilter);
}
