/* The context of a network namespace that this test makes: `ip`, `nft`, `ethtool` and the files say what must
 * be found. */
#include "common/base/mem.h"
#include "node/context.h"

#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* A namespace of our own, gone with the process: nothing to clean up. */
static int
set_up(void **state)
{
    (void)state;
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    run("ip link set lo up");
    run("ip link add eth0 type veth peer name far0");
    run("ip link set eth0 mtu 1400 up && ip link set far0 up");
    run("ip address add 10.77.0.2/24 dev eth0");
    run("ip route add default via 10.77.0.1 metric 50");
    run("ip route add 10.78.0.0/16 via 10.77.0.1 mtu 1200");
    run("ip route add blackhole 10.79.0.0/16");
    run("ip route add 10.80.0.0/16 dev eth0 table 120");
    run("ip rule add from 10.77.0.2 table 120 priority 1000");
    run("ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent");
    run("ethtool -K eth0 tso off >/dev/null");
    run("nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };"
        " add rule inet t in udp dport 54 accept; delete rule inet t in handle 2;"
        " add rule inet t in udp dport 53 counter drop; add rule inet t in udp dport 55 drop'");
    run("for i in $(seq 600); do ip link show eth0 | grep -q 'state UP' && exit 0; sleep 0.1; done; exit 1");
    run("f=$(mktemp) && printf 'nameserver 10.77.0.53\\n' >$f && chmod 644 $f && mount --bind $f "
        "/etc/resolv.conf && rm $f");
    return 0;
}

static fc_context
context_read(void)
{
    fc_context context;
    fc_fail fail = {0};
    if (nd_context_read(&context, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    return context;
}

static void
the_kernel_is_read_as_it_was_configured(void **state)
{
    (void)state;
    static const struct {
        fc_section section;
        const char *key, *value;
    } expected[] = {
        {FC_SECTION_LINK, "eth0 mtu", "1400"},
        {FC_SECTION_LINK, "eth0 administrative", "up"},
        {FC_SECTION_LINK, "eth0 state", "up"},
        {FC_SECTION_LINK, "eth0 kind", "veth"},
        {FC_SECTION_LINK, "eth0 tso", "off"},
        {FC_SECTION_LINK, "far0 tso", "on"},
        {FC_SECTION_LINK_COUNTER, "eth0 rx_errors", "0"},
        {FC_SECTION_ADDRESS, "eth0", "10.77.0.2/24 scope global"},
        {FC_SECTION_ROUTE, "default", "unicast via 10.77.0.1 dev eth0 metric 50"},
        {FC_SECTION_ROUTE, "10.78.0.0/16", "unicast via 10.77.0.1 dev eth0 mtu 1200"},
        {FC_SECTION_ROUTE, "10.79.0.0/16", "blackhole"},
        {FC_SECTION_ROUTE, "10.80.0.0/16", "unicast dev eth0 table 120"},
        {FC_SECTION_RULE, "1000", "from 10.77.0.2/32 lookup 120"},
        {FC_SECTION_NEIGHBOUR, "10.77.0.1 eth0", "02:00:00:00:00:01 permanent"},
        {FC_SECTION_RESOLVER, "nameserver 1", "10.77.0.53"},
        {FC_SECTION_SYSCTL, "net.ipv4.conf.eth0.rp_filter", NULL},
        {FC_SECTION_SYSCTL, "net.ipv4.tcp_sack", NULL},
        {FC_SECTION_SOCKET_COUNTER, "Tcp.RetransSegs", "0"},
        {FC_SECTION_CLOCK, "synchronised", NULL},
    };
    fc_context context = context_read();
    for (size_t i = 0; i < FC_COUNT(expected); i++) {
        const char *value = fc_context_find(&context, expected[i].section, expected[i].key);
        if (value == NULL)
            fail_msg("there is no %s", expected[i].key);
        if (expected[i].value != NULL)
            assert_string_equal(value, expected[i].value);
    }
    fc_context_fini(&context);
}

static void
firewall_rules_are_facts_and_their_counters_others(void **state)
{
    (void)state;
    fc_context context = context_read();
    size_t rules = 0, counters = 0;
    for (size_t i = 0; i < context.fact_count; i++) {
        if (context.facts[i].section == FC_SECTION_FIREWALL) {
            rules++;
            assert_string_equal(context.facts[i].key, rules == 1 ? "inet t in 1" : "inet t in 2");
            assert_null(strstr(context.facts[i].value, "pkts"));
        }
        if (context.facts[i].section == FC_SECTION_FIREWALL_COUNTER) {
            counters++;
            assert_string_equal(context.facts[i].value, "0");
        }
    }
    assert_int_equal(rules, 2);
    assert_int_equal(counters, 1);
    fc_context_fini(&context);
}

static void
who_listens_is_there_and_who_is_connected_is_not(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(4711)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0),
        udp = socket(AF_INET, SOCK_DGRAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    address.sin_port = htons(4712);
    assert_int_equal(bind(udp, (struct sockaddr *)&address, sizeof address), 0);
    fc_context context = context_read();
    size_t listeners = 0;
    for (size_t i = 0; i < context.fact_count; i++)
        listeners += context.facts[i].section == FC_SECTION_LISTENER;
    assert_int_equal(listeners, 2);
    assert_string_equal(fc_context_find(&context, FC_SECTION_LISTENER, "tcp 127.0.0.1:4711"), "uid 0");
    assert_string_equal(fc_context_find(&context, FC_SECTION_LISTENER, "udp 127.0.0.1:4712"), "uid 0");
    fc_context_fini(&context);
    (void)close(listener);
    (void)close(client);
    (void)close(udp);
}

/* The bound holds on a machine with thousands of routes, and what was left out is counted. */
static void
a_large_routing_table_stays_within_the_bound(void **state)
{
    (void)state;
    run("for i in $(seq 0 11); do for j in $(seq 0 254); do echo route add 10.1$i.$j.0/24 via 10.77.0.1; "
        "done; done | ip -batch -");
    fc_context context = context_read();
    fc_buf packed = {0};
    fc_context_pack(&context, &packed);
    assert_true(fc_buf_size(&packed) <= FC_CONTEXT_PACKED_MAX);
    assert_true(context.left_out > 2000);
    assert_non_null(fc_context_find(&context, FC_SECTION_LINK, "eth0 mtu"));
    assert_non_null(fc_context_find(&context, FC_SECTION_RESOLVER, "nameserver 1"));
    assert_non_null(fc_context_find(&context, FC_SECTION_SYSCTL, "net.ipv4.tcp_sack"));
    fc_buf_fini(&packed);
    fc_context_fini(&context);
}

/* Last: the process has no capability after. */
static void
without_the_privilege_the_firewall_is_said_to_be_unreadable(void **state)
{
    (void)state;
    assert_int_equal(setgid(65534), 0);
    assert_int_equal(setuid(65534), 0);
    fc_context context = context_read();
    assert_int_equal(context.unreadable_count, 1);
    assert_non_null(strstr(context.unreadable[0], "CAP_NET_ADMIN"));
    assert_non_null(fc_context_find(&context, FC_SECTION_LINK, "eth0 tso"));
    assert_non_null(fc_context_find(&context, FC_SECTION_ROUTE, "default"));
    fc_context_fini(&context);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_is_read_as_it_was_configured),
        cmocka_unit_test(firewall_rules_are_facts_and_their_counters_others),
        cmocka_unit_test(who_listens_is_there_and_who_is_connected_is_not),
        cmocka_unit_test(a_large_routing_table_stays_within_the_bound),
        cmocka_unit_test(without_the_privilege_the_firewall_is_said_to_be_unreadable),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
