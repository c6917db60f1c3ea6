/* The context's files, parsed. */
#include "common/profile/context.h"
#include "node/context/readers.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resolver_file_becomes_servers_in_order_search_and_options),
        cmocka_unit_test(a_hosts_file_becomes_names_without_every_machines_own),
        cmocka_unit_test(kernel_counters_are_pairs_of_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
