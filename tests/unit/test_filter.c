/* What the filter grammar takes, what it refuses and with which words, and what it makes of it. */
#include "common/base/mem.h"
#include "common/filter/filter.h"

#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The expression of one filter; NULL when it is refused. */
static const char *
expression_of(fc_filter filter, const char *raw, fc_buf *text)
{
    fc_buf_clear(text);
    fc_fail fail = {0};
    if (fc_filter_expression(&filter, 1, raw, NULL, 0, text, &fail) != FC_OK) {
        print_error("%s: %s\n", fail.field, fail.text);
        return NULL;
    }
    return fc_buf_text(text);
}

#define ANY(...) ((fc_filter){.protocol = FC_PROTOCOL_ANY, __VA_ARGS__})
#define TCP(...) ((fc_filter){.protocol = FC_PROTOCOL_TCP, __VA_ARGS__})

static void
protocols_have_names_in_any_case(void **state)
{
    (void)state;
    fc_protocol protocol = 0;
    assert_int_equal(fc_protocol_parse("tcp", &protocol), FC_OK);
    assert_int_equal(protocol, FC_PROTOCOL_TCP);
    assert_int_equal(fc_protocol_parse("ANY", &protocol), FC_OK);
    assert_string_equal(fc_protocol_name(protocol), "Any");
    assert_int_equal(fc_protocol_parse("ICMP", &protocol), FC_OK);
    assert_int_equal(protocol, FC_PROTOCOL_ICMP);
    assert_int_equal(fc_protocol_parse("GRE", &protocol), FC_ERR_INVALID);
    assert_int_equal(protocol, FC_PROTOCOL_ICMP);
}

static void
addresses_and_ports_match_both_directions_of_a_conversation(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_string_equal(expression_of(TCP(.local_address = "10.0.0.4", .remote_port = "443"), NULL, &text),
                        "((inbound and ip dst host 10.0.0.4 and tcp src port 443) or "
                        "(outbound and ip src host 10.0.0.4 and tcp dst port 443))");
    assert_string_equal(expression_of(ANY(.remote_port = "80-85;443"), NULL, &text),
                        "((inbound and (src portrange 80-85 or src port 443)) or "
                        "(outbound and (dst portrange 80-85 or dst port 443)))");
    fc_buf_fini(&text);
}

static void
what_names_no_side_stays_short(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_string_equal(expression_of(ANY(.local_port = NULL), NULL, &text), "");
    assert_string_equal(expression_of(ANY(.local_port = "", .remote_address = "  "), NULL, &text), "");
    assert_string_equal(expression_of(TCP(.local_port = NULL), NULL, &text), "tcp");
    fc_filter icmp = {.protocol = FC_PROTOCOL_ICMP};
    assert_string_equal(expression_of(icmp, NULL, &text), "(icmp or icmp6)");
    fc_filter pair[2] = {{.protocol = FC_PROTOCOL_TCP}, {.protocol = FC_PROTOCOL_ANY}};
    fc_buf_clear(&text);
    assert_int_equal(fc_filter_expression(pair, 2, NULL, NULL, 0, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "");
    fc_buf_clear(&text);
    assert_int_equal(fc_filter_expression(NULL, 0, NULL, NULL, 0, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "");
    fc_buf_fini(&text);
}

static void
ranges_become_the_fewest_networks(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_non_null(strstr(expression_of(ANY(.remote_address = "10.0.0.0-10.0.0.255"), NULL, &text),
                           "(inbound and ip src net 10.0.0.0/24)"));
    assert_non_null(strstr(expression_of(ANY(.remote_address = "10.0.0.1-10.0.0.4"), NULL, &text),
                           "(ip src host 10.0.0.1 or ip src net 10.0.0.2/31 or ip src host 10.0.0.4)"));
    assert_non_null(strstr(expression_of(ANY(.remote_address = "0.0.0.0-255.255.255.255"), NULL, &text),
                           "(inbound and ip)"));
    assert_non_null(strstr(expression_of(ANY(.remote_address = "::/0;10.0.0.0/8"), NULL, &text),
                           "(ip src net 10.0.0.0/8 or ip6)"));
    assert_non_null(strstr(expression_of(ANY(.remote_address = "::102:304"), NULL, &text),
                           "ip6 src host 0:0:0:0:0:0:102:304"));
    fc_buf_fini(&text);
}

static void
lists_mix_separators_spaces_and_forms(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_non_null(strstr(expression_of(TCP(.remote_port = " 443 ; 80 - 85,8080;"), NULL, &text),
                           "(tcp src portrange 80-85 or tcp src port 443 or tcp src port 8080)"));
    assert_non_null(strstr(
        expression_of(ANY(.local_address = "10.0.0.1 - 10.0.0.2, 2001:DB8::/32 ;10.1.0.0/16"), NULL, &text),
        "(ip dst host 10.0.0.1 or ip dst host 10.0.0.2 or ip dst net 10.1.0.0/16 or ip6 dst net "
        "2001:db8::/32)"));
    fc_buf_fini(&text);
}

static void
overlapping_items_are_one(void **state)
{
    (void)state;
    fc_buf text = {0};
    assert_non_null(strstr(expression_of(TCP(.remote_port = "80-90;85-100;101;65535;65534"), NULL, &text),
                           "(tcp src portrange 80-101 or tcp src portrange 65534-65535)"));
    assert_non_null(
        strstr(expression_of(ANY(.local_address = "10.0.0.128/25,10.0.0.0/25,10.0.0.7"), NULL, &text),
               "ip dst net 10.0.0.0/24"));
    fc_buf_fini(&text);
}

enum { LOCAL_ADDRESS, LOCAL_PORT, REMOTE_ADDRESS, REMOTE_PORT };

static void
what_cannot_mean_what_it_says_is_refused_with_field_value_and_reason(void **state)
{
    (void)state;
    static const char *const names[] = {"localIPAddress", "localPort", "remoteIPAddress", "remotePort"};
    static const struct {
        int field;
        const char *value, *shown, *reason;
    } cases[] = {
        {LOCAL_ADDRESS, "1.1.1.1-255.255.255", "255.255.255", "four octets"},
        {LOCAL_ADDRESS, "10.0.1", "10.0.1", "four octets"},
        {LOCAL_ADDRESS, "10.0.0.256", "10.0.0.256", "0 to 255"},
        {LOCAL_ADDRESS, "10.0.0.1.2", "10.0.0.1.2", "0 to 255"},
        {REMOTE_ADDRESS, "010.1.1.1", "010.1.1.1", "leading zeros"},
        {REMOTE_ADDRESS, "10.1.1.01", "10.1.1.01", "leading zeros"},
        {REMOTE_ADDRESS, "10.0.0.9-10.0.0.1", "10.0.0.9-10.0.0.1", "reversed"},
        {REMOTE_ADDRESS, "2001:db8::2-2001:db8::1", "2001:db8::2-2001:db8::1", "reversed"},
        {REMOTE_ADDRESS, "10.0.0.1-2001:db8::1", "10.0.0.1-2001:db8::1", "mixes IPv4 and IPv6"},
        {REMOTE_ADDRESS, "10.0.0.1/24", "10.0.0.1/24", "the network is 10.0.0.0/24"},
        {REMOTE_ADDRESS, "2001:db8::1/64", "2001:db8::1/64", "the network is 2001:db8::/64"},
        {REMOTE_ADDRESS, "10.0.0.0/33", "10.0.0.0/33", "0 to 32"},
        {REMOTE_ADDRESS, "2001:db8::/129", "2001:db8::/129", "0 to 128"},
        {REMOTE_ADDRESS, "10.0.0.0/", "10.0.0.0/", "0 to 32"},
        {REMOTE_ADDRESS, "10.0.0.0/08", "10.0.0.0/08", "0 to 32"},
        {REMOTE_ADDRESS, "10.0.0.0/24-10.0.1.0/24", "10.0.0.0/24-10.0.1.0/24", "two addresses"},
        {REMOTE_ADDRESS, "*", "*", "leave the field empty"},
        {REMOTE_ADDRESS, "any", "any", "leave the field empty"},
        {REMOTE_ADDRESS, "10.0.0.1;;10.0.0.2", "10.0.0.1;;10.0.0.2", "empty item"},
        {REMOTE_ADDRESS, ";", ";", "empty item"},
        {REMOTE_ADDRESS, "10.0.0.1,", "10.0.0.1,", "empty item"},
        {REMOTE_ADDRESS, "10.0.0.1;;", "10.0.0.1;;", "empty item"},
        {REMOTE_ADDRESS, "fe80::1%eth0", "fe80::1%eth0", "zone id"},
        {REMOTE_ADDRESS, "[::1]:80", "[::1]:80", "without brackets"},
        {REMOTE_ADDRESS, "10.0.0.1:80", "10.0.0.1:80", "port field"},
        {REMOTE_ADDRESS, "::ffff:10.0.0.1", "::ffff:10.0.0.1", "write the IPv4 address"},
        {REMOTE_ADDRESS, "10.0.0.1-", "10.0.0.1-", "first and a last"},
        {REMOTE_ADDRESS, "10.0.0.1-10.0.0.2-10.0.0.3", "10.0.0.2-10.0.0.3", ""},
        {REMOTE_ADDRESS, "web-1.example.com", "web-1.example.com", "not looked up"},
        {REMOTE_ADDRESS, "2001:db8:::1", "2001:db8:::1", "not an IPv6 address"},
        {REMOTE_ADDRESS, "10.0.0.1\n10.0.0.2", "10.0.0.1?10.0.0.2", ""},
        {REMOTE_PORT, "70000", "70000", "at most 65535"},
        {REMOTE_PORT, "99999999999999999999", "99999999999999999999", "at most 65535"},
        {REMOTE_PORT, "0", "0", "leave the field empty"},
        {REMOTE_PORT, "0-1024", "0-1024", "port 0"},
        {REMOTE_PORT, "443-80", "443-80", "reversed"},
        {REMOTE_PORT, "*", "*", "leave the field empty"},
        {REMOTE_PORT, "Any", "Any", "leave the field empty"},
        {REMOTE_PORT, "http", "http", "not looked up"},
        {LOCAL_PORT, "080", "080", "leading zeros"},
        {LOCAL_PORT, "-80", "-80", "first and a last"},
        {LOCAL_PORT, "80-", "80-", "first and a last"},
        {LOCAL_PORT, "80-85-90", "80-85-90", "number"},
        {LOCAL_PORT, "+80", "+80", "number"},
        {LOCAL_PORT, "0x50", "0x50", "number"},
        {LOCAL_PORT, "80 443", "80 443", "number"},
        {LOCAL_PORT, "80;,443", "80;,443", "empty item"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_filter filter = {.protocol = FC_PROTOCOL_TCP};
        char **fields[] = {&filter.local_address, &filter.local_port, &filter.remote_address,
                           &filter.remote_port};
        *fields[cases[i].field] = (char *)cases[i].value;
        char field[64], start[256];
        (void)snprintf(field, sizeof field, "filters[7].%s", names[cases[i].field]);
        (void)snprintf(start, sizeof start, "%s \"%s\": ", field, cases[i].shown);
        fc_fail fail = {0};
        assert_int_equal(fc_filter_check(&filter, 7, &fail), FC_ERR_INVALID);
        assert_string_equal(fail.field, field);
        if (strncmp(fail.text, start, strlen(start)) != 0 || strstr(fail.text, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].value, fail.text);
    }
}

static void
too_many_items_and_too_long_texts_are_refused(void **state)
{
    (void)state;
    char ports[FC_FILTER_TEXT_MAX + 2] = "";
    for (int i = 0; i < FC_FILTER_ITEMS_MAX; i++)
        (void)snprintf(ports + strlen(ports), 16, "%d;", 2 * i + 1);
    fc_filter filter = {.protocol = FC_PROTOCOL_TCP, .local_port = ports};
    fc_fail fail = {0};
    assert_int_equal(fc_filter_check(&filter, 0, &fail), FC_OK);
    strcat(ports, "999");
    assert_int_equal(fc_filter_check(&filter, 0, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "at most 64 items"));
    memset(ports, '1', sizeof ports - 1);
    assert_int_equal(fc_filter_check(&filter, 0, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "at most 1024 characters"));
    static fc_filter many[FC_FILTER_COUNT_MAX + 1];
    for (size_t i = 0; i < FC_COUNT(many); i++)
        many[i].protocol = FC_PROTOCOL_TCP;
    fc_buf text = {0};
    assert_int_equal(fc_filter_expression(many, FC_FILTER_COUNT_MAX, NULL, NULL, 0, &text, &fail), FC_OK);
    assert_int_equal(fc_filter_expression(many, FC_COUNT(many), NULL, NULL, 0, &text, &fail), FC_ERR_INVALID);
    fc_buf_fini(&text);
}

static void
fields_that_are_never_true_together_are_refused(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_filter icmp = {.protocol = FC_PROTOCOL_ICMP, .remote_port = "7"};
    assert_int_equal(fc_filter_check(&icmp, 1, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.text, "filters[1].remotePort \"7\": ICMP has no ports");
    fc_filter families = TCP(.local_address = "10.0.0.1", .remote_address = "2001:db8::/32");
    assert_int_equal(fc_filter_check(&families, 0, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters[0].remoteIPAddress");
    assert_non_null(strstr(fail.text, "no packet has both"));
    families.local_address = "10.0.0.1;::1";
    assert_int_equal(fc_filter_check(&families, 0, &fail), FC_OK);
    fc_filter nothing = {0};
    assert_int_equal(fc_filter_check(&nothing, 0, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters[0].protocol");
}

static void
own_traffic_is_left_out_whatever_else_is_asked(void **state)
{
    (void)state;
    const fc_endpoint own[] = {{"192.0.2.1", 7443}, {"2001:db8::1", 7443}};
    fc_buf text = {0};
    assert_int_equal(fc_filter_expression(NULL, 0, NULL, own, 2, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "not (ip host 192.0.2.1 and tcp port 7443) and "
                                            "not (ip6 host 2001:db8::1 and tcp port 7443)");
    fc_buf_clear(&text);
    fc_filter filters[] = {{.protocol = FC_PROTOCOL_TCP}, {.protocol = FC_PROTOCOL_ICMP}};
    assert_int_equal(fc_filter_expression(filters, 2, "greater 100", own, 1, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "((tcp) or ((icmp or icmp6))) and "
                                            "not (ip host 192.0.2.1 and tcp port 7443) and (greater 100)");
    const fc_endpoint bad[] = {{"example.com", 1}, {"10.0.0.1", 0}};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_equal(fc_filter_expression(NULL, 0, NULL, &bad[i], 1, &text, NULL), FC_ERR_INVALID);
    fc_buf_fini(&text);
}

static void
a_refusal_leaves_the_output_untouched(void **state)
{
    (void)state;
    fc_buf text = {0};
    fc_buf_printf(&text, "before ");
    fc_filter filter = TCP(.remote_port = "http");
    assert_int_equal(fc_filter_expression(&filter, 1, NULL, NULL, 0, &text, NULL), FC_ERR_INVALID);
    assert_string_equal(fc_buf_text(&text), "before ");
    filter.remote_port = NULL;
    assert_int_equal(fc_filter_expression(&filter, 1, NULL, NULL, 0, &text, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&text), "before tcp");
    fc_buf_fini(&text);
}

static void
what_can_never_match_is_refused(void **state)
{
    (void)state;
    fc_fail fail = {0};
    fc_buf text = {0};
    assert_int_equal(fc_filter_expression(NULL, 0, "tcp and udp and arp", NULL, 0, &text, &fail),
                     FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "can never match any packet"));
    fc_filter udp = {.protocol = FC_PROTOCOL_UDP};
    assert_int_equal(fc_filter_expression(&udp, 1, "arp", NULL, 0, &text, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters");
    assert_non_null(strstr(fail.text, "filters and rawFilter"));
    fc_buf_fini(&text);
}

static void
programs_that_the_kernel_would_refuse_are_refused(void **state)
{
    (void)state;
    char addresses[FC_FILTER_TEXT_MAX] = "";
    for (int i = 0; i < 10; i++)
        (void)snprintf(addresses + strlen(addresses), 96,
                       "2001:db8:%x::1-2001:db8:%x:1234:5678:9abc:def0:5677;", 4 * i, 4 * i + 2);
    static fc_filter filters[4];
    for (size_t i = 0; i < FC_COUNT(filters); i++)
        filters[i] = TCP(.remote_address = addresses);
    fc_fail fail = {0};
    fc_buf text = {0};
    assert_int_equal(fc_filter_expression(filters, 4, NULL, NULL, 0, &text, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters");
    assert_non_null(strstr(fail.text, "whole networks instead of ranges"));
    fc_buf_clear(&text);
    for (int i = 0; i < 1000; i++)
        fc_buf_printf(&text, "%sip host 10.%d.%d.1", i > 0 ? " or " : "", i / 100, i % 100);
    struct bpf_program program;
    assert_int_equal(fc_filter_compile(fc_buf_text(&text), DLT_EN10MB, 0, &program, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "instructions"));
    fc_buf_fini(&text);
}

static uint32_t
returned_for_a_match(uint32_t snaplen_bytes)
{
    struct bpf_program program;
    assert_int_equal(fc_filter_compile("", DLT_EN10MB, snaplen_bytes, &program, NULL), FC_OK);
    assert_int_equal(program.bf_len, 1);
    uint32_t returned = program.bf_insns[0].k;
    pcap_freecode(&program);
    return returned;
}

static void
programs_return_the_snap_length(void **state)
{
    (void)state;
    assert_int_equal(returned_for_a_match(96), 96);
    assert_int_equal(returned_for_a_match(0), 262144);
    assert_int_equal(returned_for_a_match(UINT32_MAX), 262144);
}

static void
directions_compile_for_the_link_types_of_linux(void **state)
{
    (void)state;
    static const int link_types[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW};
    fc_buf text = {0};
    const char *expression =
        expression_of(TCP(.local_address = "10.0.0.4;::1", .remote_port = "443"), NULL, &text);
    for (size_t i = 0; i < FC_COUNT(link_types); i++) {
        struct bpf_program program;
        assert_int_equal(fc_filter_compile(expression, link_types[i], 128, &program, NULL), FC_OK);
        assert_in_range(program.bf_len, 10, 100);
        pcap_freecode(&program);
    }
    fc_buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocols_have_names_in_any_case),
        cmocka_unit_test(addresses_and_ports_match_both_directions_of_a_conversation),
        cmocka_unit_test(what_names_no_side_stays_short),
        cmocka_unit_test(ranges_become_the_fewest_networks),
        cmocka_unit_test(lists_mix_separators_spaces_and_forms),
        cmocka_unit_test(overlapping_items_are_one),
        cmocka_unit_test(what_cannot_mean_what_it_says_is_refused_with_field_value_and_reason),
        cmocka_unit_test(too_many_items_and_too_long_texts_are_refused),
        cmocka_unit_test(fields_that_are_never_true_together_are_refused),
        cmocka_unit_test(own_traffic_is_left_out_whatever_else_is_asked),
        cmocka_unit_test(a_refusal_leaves_the_output_untouched),
        cmocka_unit_test(what_can_never_match_is_refused),
        cmocka_unit_test(programs_that_the_kernel_would_refuse_are_refused),
        cmocka_unit_test(programs_return_the_snap_length),
        cmocka_unit_test(directions_compile_for_the_link_types_of_linux),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
