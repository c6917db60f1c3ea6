/* The context's files, parsed; and dumps. */
#include "common/profile/context.h"
#include "node/context/readers.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void
a_resolver_file_becomes_servers_in_order_search_and_options(void **state)
{
    (void)state;
    fc_context c = {0};
    nd_context_parse_resolver(
        "# made by hand\nnameserver 10.0.0.2\n  nameserver\t10.0.0.3 # second\n;nameserver 9.9.9.9\n"
        "search a.example b.example\noptions ndots:5 timeout:1\nnameserver\n",
        "", &c);
    fc_context_sort(&c);
    assert_int_equal(c.fact_count, 4);
    assert_string_equal(fc_context_find(&c, FC_SECTION_RESOLVER, "nameserver 1"), "10.0.0.2");
    assert_string_equal(fc_context_find(&c, FC_SECTION_RESOLVER, "nameserver 2"), "10.0.0.3");
    assert_string_equal(fc_context_find(&c, FC_SECTION_RESOLVER, "search"), "a.example b.example");
    assert_string_equal(fc_context_find(&c, FC_SECTION_RESOLVER, "options"), "ndots:5 timeout:1");
    fc_context_fini(&c);
}

static void
a_hosts_file_becomes_names_without_every_machines_own(void **state)
{
    (void)state;
    fc_context c = {0};
    nd_context_parse_hosts("127.0.0.1 localhost\n127.0.1.1 web-1\n::1 ip6-localhost\nff02::1 ip6-allnodes\n"
                           "10.1.2.3 db.example db # the old one\n",
                           &c);
    fc_context_sort(&c);
    assert_int_equal(c.fact_count, 2);
    assert_string_equal(fc_context_find(&c, FC_SECTION_HOST, "db.example"), "10.1.2.3");
    assert_string_equal(fc_context_find(&c, FC_SECTION_HOST, "db"), "10.1.2.3");
    fc_context_fini(&c);
}

static void
kernel_counters_are_pairs_of_lines(void **state)
{
    (void)state;
    fc_context c = {0};
    nd_context_parse_counters(
        "Tcp: RtoAlgorithm OutSegs RetransSegs\nTcp: 1 500 7\nUdp: NoPorts InErrors\nUdp: 3\n"
        "Ip: InDiscards\nTcp: 9\nodd",
        &c);
    fc_context_sort(&c);
    assert_int_equal(c.fact_count, 3);
    assert_string_equal(fc_context_find(&c, FC_SECTION_SOCKET_COUNTER, "Tcp.OutSegs"), "500");
    assert_string_equal(fc_context_find(&c, FC_SECTION_SOCKET_COUNTER, "Tcp.RetransSegs"), "7");
    assert_string_equal(fc_context_find(&c, FC_SECTION_SOCKET_COUNTER, "Udp.NoPorts"), "3");
    fc_context_fini(&c);
}

static int
give_up(const struct nlmsghdr *message, void *user)
{
    (void)message;
    (void)user;
    errno = EINTR;
    return MNL_CB_ERROR;
}

static int
count_message(const struct nlmsghdr *message, void *user)
{
    (void)message;
    ++*(unsigned *)user;
    return MNL_CB_OK;
}

static fc_err
dump_links(nd_netlink *route, mnl_cb_t each, void *user)
{
    uint8_t buffer[256];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = RTM_GETLINK;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof *link);
    link->ifi_family = AF_UNSPEC;
    return nd_netlink_dump(route, request, each, user);
}

static void
a_dump_that_breaks_off_does_not_spoil_the_next(void **state)
{
    (void)state;
    nd_netlink route;
    unsigned links = 0;
    assert_int_equal(nd_netlink_open(&route, NETLINK_ROUTE, NULL), FC_OK);
    assert_int_not_equal(dump_links(&route, give_up, NULL), FC_OK);
    assert_int_equal(dump_links(&route, count_message, &links), FC_OK);
    assert_true(links > 0);
    nd_netlink_close(&route);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resolver_file_becomes_servers_in_order_search_and_options),
        cmocka_unit_test(a_hosts_file_becomes_names_without_every_machines_own),
        cmocka_unit_test(kernel_counters_are_pairs_of_lines),
        cmocka_unit_test(a_dump_that_breaks_off_does_not_spoil_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
