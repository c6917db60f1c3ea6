/* Contexts side by side: what is naturally an instance's own is no difference, what is otherwise than at all
 * peers is. */
#include "compare_fleet.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 5, ODD = 2 };

/* A fact of both snapshots. */
static void
set(fleet *all, size_t instance, fc_section section, const char *key, const char *value)
{
    fleet_set_fact(&all->instances[instance].start, section, key, value);
    fleet_set_fact(&all->instances[instance].stop, section, key, value);
}

static void
compare(fleet *all, const char *verdict, fc_severity severity)
{
    fc_comparison *comparison = fleet_compare(all);
    if (strstr(comparison->verdict, verdict) == NULL)
        fail_msg("\"%s\" is not in: %s", verdict, comparison->verdict);
    assert_int_equal(comparison->severity, severity);
    fc_comparison_free(comparison);
    fleet_fini(all);
}

static void
begin(fleet *all)
{
    fleet_init(all, COUNT, 77, 1);
    fleet_add_contexts(all);
}

/* Each in a network of its own, behind that network's first address; the odd one behind another. */
static void
put_networks(fleet *all, unsigned odd_gateway)
{
    char text[96], key[64];
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "10.40.%u.%u/24 scope global", i, 20 + i);
        set(all, i, FC_SECTION_ADDRESS, "eth1", text);
        (void)snprintf(key, sizeof key, "10.40.%u.0/24", i);
        (void)snprintf(text, sizeof text, "unicast dev eth1 src 10.40.%u.%u", i, 20 + i);
        set(all, i, FC_SECTION_ROUTE, key, text);
        (void)snprintf(text, sizeof text, "unicast via 10.40.%u.%u dev eth1", i, i == ODD ? odd_gateway : 1);
        set(all, i, FC_SECTION_ROUTE, "172.30.0.0/16", text);
        (void)snprintf(key, sizeof key, "tcp 10.40.%u.%u:9100", i, 20 + i);
        set(all, i, FC_SECTION_LISTENER, key, "uid 0");
    }
}

static void
own_addresses_networks_and_gateways_are_no_difference(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    put_networks(&all, 1);
    compare(&all, "No difference worth naming", FC_SEVERITY_INFO);
}

static void
another_gateway_in_an_own_network_is_one(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    put_networks(&all, 254);
    compare(&all, "web-3: the route 172.30.0.0/16 is unicast via 10.40.2.254 dev eth1", FC_SEVERITY_WARNING);
}

static void
a_route_that_is_missing_is_told(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++)
        if (i != ODD)
            set(&all, i, FC_SECTION_ROUTE, "172.30.0.0/16", "unicast via 10.0.0.1 dev eth0");
    compare(&all, "web-3: the route 172.30.0.0/16 is absent; its 4 peers: unicast via 10.0.0.1 dev eth0",
            FC_SEVERITY_WARNING);
}

static void
a_section_that_could_not_be_read_is_not_empty(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++)
        if (i != ODD)
            set(&all, i, FC_SECTION_FIREWALL, "inet filter output 3", "[ tcp dport 25 drop ]");
    fc_context_add_unreadable(&all.instances[ODD].start, FC_SECTION_FIREWALL, "permission denied");
    fc_context_add_unreadable(&all.instances[ODD].stop, FC_SECTION_FIREWALL, "permission denied");
    compare(&all, "No difference worth naming", FC_SEVERITY_INFO);
}

static void
a_firewall_rule_that_is_missing_is_told(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++)
        if (i != ODD)
            set(&all, i, FC_SECTION_FIREWALL, "inet filter output 3", "[ tcp dport 25 drop ]");
    compare(&all, "web-3 lacks the firewall rule in inet filter output: [ tcp dport 25 drop ]",
            FC_SEVERITY_WARNING);
}

static void
the_handles_of_firewall_rules_are_no_difference(void **state)
{
    (void)state;
    fleet all;
    char key[64];
    begin(&all);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "inet filter output %u", 7 + 3 * i);
        set(&all, i, FC_SECTION_FIREWALL, key, "[ tcp dport 25 drop ]");
    }
    compare(&all, "No difference worth naming", FC_SEVERITY_INFO);
}

static void
a_route_that_changed_while_the_capture_ran_is_a_note(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++)
        set(&all, i, FC_SECTION_ROUTE, "172.30.0.0/16", "unicast via 10.0.0.1 dev eth0");
    fleet_set_fact(&all.instances[ODD].start, FC_SECTION_ROUTE, "172.30.0.0/16",
                   "unicast via 10.0.0.9 dev eth0");
    compare(&all,
            "web-3: the route 172.30.0.0/16: unicast via 10.0.0.9 dev eth0 -> unicast via 10.0.0.1 dev eth0 "
            "changed",
            FC_SEVERITY_NOTE);
}

static void
errors_of_a_link_that_grew_are_a_note(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++)
        set(&all, i, FC_SECTION_LINK_COUNTER, "eth0 rx_crc_errors", "7");
    fleet_set_fact(&all.instances[ODD].stop, FC_SECTION_LINK_COUNTER, "eth0 rx_crc_errors", "52");
    compare(&all, "web-3: the link counter eth0 rx_crc_errors grew by 45", FC_SEVERITY_NOTE);
}

static void
what_the_size_of_the_machine_decides_is_no_difference(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++) {
        set(&all, i, FC_SECTION_SYSCTL, "net.netfilter.nf_conntrack_max", i == ODD ? "65536" : "262144");
        set(&all, i, FC_SECTION_LINK, "eth0 speed", i == ODD ? "25000 Mb/s" : "10000 Mb/s");
    }
    compare(&all, "No difference worth naming", FC_SEVERITY_INFO);
}

static void
a_setting_in_which_all_differ_is_no_difference(void **state)
{
    (void)state;
    fleet all;
    char value[16];
    begin(&all);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(value, sizeof value, "%u", 1400 + i);
        set(&all, i, FC_SECTION_LINK, "tun0 mtu", value);
    }
    compare(&all, "No difference worth naming", FC_SEVERITY_INFO);
}

static void
a_context_without_a_profile_is_compared_all_the_same(void **state)
{
    (void)state;
    fleet all;
    begin(&all);
    for (size_t i = 0; i < COUNT; i++) {
        fc_profile_free(all.instances[i].profile);
        all.instances[i].profile = NULL;
    }
    set(&all, ODD, FC_SECTION_LINK, "eth0 mtu", "9000");
    fc_comparison *comparison = fleet_compare(&all);
    assert_non_null(strstr(comparison->verdict, "web-3: the link eth0 mtu is 9000; its 4 peers: 1500"));
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(comparison->standings[i], FC_STANDING_UNTRUSTED);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_addresses_networks_and_gateways_are_no_difference),
        cmocka_unit_test(another_gateway_in_an_own_network_is_one),
        cmocka_unit_test(a_route_that_is_missing_is_told),
        cmocka_unit_test(a_section_that_could_not_be_read_is_not_empty),
        cmocka_unit_test(a_firewall_rule_that_is_missing_is_told),
        cmocka_unit_test(the_handles_of_firewall_rules_are_no_difference),
        cmocka_unit_test(a_route_that_changed_while_the_capture_ran_is_a_note),
        cmocka_unit_test(errors_of_a_link_that_grew_are_a_note),
        cmocka_unit_test(what_the_size_of_the_machine_decides_is_no_difference),
        cmocka_unit_test(a_setting_in_which_all_differ_is_no_difference),
        cmocka_unit_test(a_context_without_a_profile_is_compared_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
