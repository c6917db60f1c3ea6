/* What a node is told of itself: its configuration, interfaces, and where coordinators are. */
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "node/config.h"
#include "node/endpoint.h"
#include "node/interfaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- interfaces.c ---- */

static void
interfaces_are_those_that_are_up_and_addressed(void **state)
{
    (void)state;
    static const nd_interface present[] = {
        {"lo", true, true, true},     {"eth0", true, false, true}, {"eth1", false, false, true},
        {"eth2", true, false, false}, {"wg0", true, false, true},
    };
    fc_strings none = {0}, only = {0}, asked = {0}, got = {0};
    fc_fail fail = {0};
    assert_int_equal(nd_interfaces_choose(present, FC_COUNT(present), &none, &none, &got, &fail), FC_OK);
    assert_int_equal(got.count, 2);
    assert_true(fc_strings_have(&got, "eth0") && fc_strings_have(&got, "wg0"));
    fc_strings_fini(&got);
    fc_strings_add(&only, "wg0");
    assert_int_equal(nd_interfaces_choose(present, FC_COUNT(present), &none, &only, &got, &fail), FC_OK);
    assert_int_equal(got.count, 1);
    fc_strings_fini(&got);
    fc_strings_add(&asked, "lo");
    assert_int_equal(nd_interfaces_choose(present, FC_COUNT(present), &asked, &none, &got, &fail), FC_OK);
    fc_strings_fini(&got);
    fc_strings_add(&asked, "eth9");
    assert_int_equal(nd_interfaces_choose(present, FC_COUNT(present), &asked, &none, &got, &fail),
                     FC_ERR_NOT_FOUND);
    assert_non_null(strstr(fail.text, "eth9"));
    assert_int_equal(nd_interfaces_choose(present, 1, &none, &none, &got, &fail), FC_ERR_NOT_FOUND);
    fc_strings_fini(&asked);
    fc_strings_fini(&only);
}

/* ---- endpoint.c ---- */

static void
addresses_of_coordinators_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host;
        uint16_t port;
    } cases[] = {
        {"coordinator.example:7443", "coordinator.example", 7443},
        {"10.77.0.2:1", "10.77.0.2", 1},
        {"[fd00::1]:7443", "fd00::1", 7443},
        {"fd00::1:7443", NULL, 0},
        {"host", NULL, 0},
        {"host:", NULL, 0},
        {":7443", NULL, 0},
        {"host:0", NULL, 0},
        {"host:65536", NULL, 0},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        char *host = NULL;
        uint16_t port = 0;
        fc_fail fail = {0};
        fc_err err = nd_endpoint_split(cases[i].address, &host, &port, &fail);
        assert_int_equal(err, cases[i].host != NULL ? FC_OK : FC_ERR_INVALID);
        if (cases[i].host != NULL)
            assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
        free(host);
    }
}

static void
own_endpoints_are_kept_once_and_bounded(void **state)
{
    (void)state;
    fc_endpoint list[ND_ENDPOINTS_MAX], one = {.port = 7443};
    size_t count = 0;
    for (int i = 0; i < 3 * ND_ENDPOINTS_MAX; i++) {
        (void)snprintf(one.address, sizeof one.address, "10.0.0.%d", i / 2);
        nd_endpoint_merge(list, &count, &one, 1);
    }
    assert_int_equal(count, ND_ENDPOINTS_MAX);
    assert_string_equal(list[ND_ENDPOINTS_MAX - 1].address, one.address);
}

/* ---- config.c ---- */

static fc_err
load(const char *text, nd_config *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_err err = fc_yaml_parse(text, strlen(text), &tree, fail);
    assert_int_equal(err, FC_OK);
    err = nd_config_from_tree(tree, ret, fail);
    json_decref(tree);
    return err;
}

#define BASE "coordinator: 10.0.0.1:7443\nca: a\ncertificate: b\nkey: c\nname: web-1\n"

static void
a_configuration_has_defaults_and_is_read_whole(void **state)
{
    (void)state;
    nd_config config = {0};
    fc_fail fail = {0};
    assert_int_equal(
        load(BASE "labels: {role: web, tier: 3, on: true}\ninterfaces: [eth0]\nmax_session_bytes: 1GiB\n"
                  "max_time_limit: 5h\nmax_bytes_per_packet: 128\n",
             &config, &fail),
        FC_OK);
    assert_string_equal(config.captures_dir, "/var/captures");
    assert_string_equal(config.server_name, "10.0.0.1");
    assert_string_equal(config.scale_set, "default");
    assert_int_equal(config.ring_bytes, 64 << 20);
    assert_int_equal(config.policy.disk_floor_bytes, 256 << 20);
    assert_int_equal(config.policy.session_bytes_max, 1 << 30);
    assert_int_equal(config.policy.time_limit_max_ms, 18000000);
    assert_int_equal(config.policy.bytes_per_packet_max, 128);
    assert_int_equal(config.policy.captures_max, 8);
    assert_true(fc_strings_have(&config.policy.interfaces, "eth0"));
    assert_string_equal(fc_labels_find(&config.labels, "tier"), "3");
    assert_string_equal(fc_labels_find(&config.labels, "role"), "web");
    assert_non_null(strstr(config.helper, "fleetcap-capture"));
    nd_config_fini(&config);
}

static void
a_wrong_configuration_names_its_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"ca: a\ncertificate: b\nkey: c\n", "coordinator"},
        {BASE "captures_dir: relative\n", "captures_dir"},
        {BASE "helper: relative\n", "helper"},
        {BASE "log_level: loud\n", "log_level"},
        {BASE "max_captures: 0\n", "max_captures"},
        {BASE "labels: [a]\n", "labels"},
        {BASE "labels: {\"a b\": c}\n", "labels"},
        {BASE "interfaces: {a: b}\n", "interfaces"},
        {BASE "interfaces: [\"an/interface\"]\n", "item 1, 'an/interface', is no interface's name"},
        {BASE "interfaces: []\n", "interfaces: the list is empty"},
        {BASE "ring_bytes: 1\n", "ring_bytes"},
        {BASE "surprise: 1\n", "surprise"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        nd_config config = {0};
        fc_fail fail = {0};
        assert_int_not_equal(load(cases[i].text, &config, &fail), FC_OK);
        if (strstr(fail.text, cases[i].named) == NULL)
            fail_msg("'%s' does not name %s", fail.text, cases[i].named);
        nd_config_fini(&config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces_are_those_that_are_up_and_addressed),
        cmocka_unit_test(addresses_of_coordinators_are_split),
        cmocka_unit_test(own_endpoints_are_kept_once_and_bounded),
        cmocka_unit_test(a_configuration_has_defaults_and_is_read_whole),
        cmocka_unit_test(a_wrong_configuration_names_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
