/* The capture definition: read, refused, written, carried. */
#include "common/base/mem.h"
#include "definition_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
every_key_is_read(void **state)
{
    (void)state;
    fc_definition d = definition_of(everything);
    assert_string_equal(d.name, "dns-timeouts");
    assert_string_equal(d.target.scale_set, "web");
    assert_true(fc_strings_have(&d.target.regions, "us-east") && d.target.regions.count == 2);
    assert_true(fc_strings_have(&d.target.zones, "1") && fc_strings_have(&d.target.include, "i-77"));
    assert_true(fc_strings_have(&d.target.exclude, "web-9"));
    assert_string_equal(d.target.selector, "role=web,env!=test");
    assert_int_equal(d.spec.bytes_per_packet, 256);
    assert_int_equal(d.spec.session_bytes, 500 << 20);
    assert_int_equal(d.spec.time_limit_s, 900);
    assert_int_equal(d.spec.packet_limit, 100000);
    assert_int_equal(d.spec.filter_count, 2);
    assert_int_equal(d.spec.filters[0].protocol, FC_PROTOCOL_UDP);
    assert_string_equal(d.spec.filters[0].remote_port, "53");
    assert_null(d.spec.filters[0].local_port);
    assert_string_equal(d.spec.filters[1].remote_address, "10.0.0.0/24;10.0.8.1-10.0.8.9");
    assert_string_equal(d.spec.filters[1].local_port, "1024-65535");
    assert_string_equal(d.spec.raw_filter, "greater 100 and not multicast ");
    assert_int_equal(d.spec.interfaces.count, 2);
    assert_true(d.spec.include_own_traffic);
    assert_int_equal(d.spec.ring_files, 5);
    assert_int_equal(d.spec.ring_file_bytes, 10 << 20);
    assert_string_equal(d.governance.incident_id, "INC-4711");
    assert_int_equal(d.governance.delete_after_unix_s, 1798736400);
    assert_string_equal(fc_labels_find(&d.governance.tags, "team"), "net");
    assert_string_equal(fc_labels_find(&d.governance.tags, "ticket"), "");
    fc_fail fail = {0};
    if (fc_definition_check(&d, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    fc_definition_fini(&d);
}

static void
the_shortest_definition_has_the_defaults(void **state)
{
    (void)state;
    fc_definition d = definition_of("name: all\ntarget: null\nfilters: null\ncontinuousCapture: null\n");
    assert_int_equal(d.spec.session_bytes, FC_SESSION_BYTES_DEFAULT);
    assert_int_equal(d.spec.time_limit_s, FC_TIME_LIMIT_DEFAULT_S);
    assert_int_equal(d.spec.bytes_per_packet, 0);
    assert_int_equal(d.spec.ring_files, 0);
    assert_int_equal(d.spec.filter_count, 0);
    assert_null(d.target.scale_set);
    assert_int_equal(fc_definition_check(&d, NULL), FC_OK);
    fc_definition_fini(&d);
}

static void
definitions_of_the_reference_service_are_read(void **state)
{
    (void)state;
    fc_definition d = definition_of(
        "{\"name\": \"pc1\", \"properties\": {\"target\": \"/subscriptions/1/resourceGroups/rg/providers/"
        "Microsoft.Compute/virtualMachineScaleSets/web\", \"targetType\": \"AzureVMSS\", \"scope\": "
        "{\"include\": [\"0\"],"
        "\"exclude\": []}, \"bytesToCapturePerPacket\": 0, \"totalBytesPerSession\": 1073741824, "
        "\"timeLimitInSeconds\": 18000, \"storageLocation\": {\"storageId\": \"\", \"localPath\": "
        "\"/var/captures/a.cap\"}, \"filters\": [{\"protocol\": \"TCP\", \"localIpAddress\": \"10.0.0.3\", "
        "\"LOCALPORT\": \"80;443;\", \"remoteIPAddress\": \"\", \"remotePort\": \"\"}]}}");
    assert_string_equal(d.name, "pc1");
    assert_string_equal(d.target.scale_set, "web");
    assert_true(fc_strings_have(&d.target.include, "0"));
    assert_string_equal(d.spec.filters[0].local_address, "10.0.0.3");
    assert_string_equal(d.spec.filters[0].local_port, "80;443;");
    assert_null(d.spec.filters[0].remote_address);
    assert_int_equal(fc_definition_check(&d, NULL), FC_OK);
    fc_definition_fini(&d);
    d = definition_of("{name: one, target: web-3, targetType: azurevm}");
    assert_null(d.target.scale_set);
    assert_true(fc_strings_have(&d.target.include, "web-3"));
    fc_definition_fini(&d);
}

static void
a_ring_has_its_own_defaults(void **state)
{
    (void)state;
    fc_definition d = definition_of("{name: a, continuousCapture: true}");
    assert_int_equal(d.spec.ring_files, 10);
    assert_int_equal(d.spec.ring_file_bytes, 104857600);
    assert_int_equal(d.spec.time_limit_s, 86400);
    assert_int_equal(d.spec.session_bytes, 0);
    fc_definition_fini(&d);
    d = definition_of(
        "{name: a, captureSettings: {fileCount: 3}, timeLimitInSeconds: 60, totalBytesPerSession: 5}");
    assert_int_equal(d.spec.ring_files, 3);
    assert_int_equal(d.spec.time_limit_s, 60);
    assert_int_equal(d.spec.session_bytes, 5);
    fc_definition_fini(&d);
    d = definition_of("{name: a, continuousCapture: false, captureSettings: {}}");
    assert_int_equal(d.spec.ring_files, 0);
    fc_definition_fini(&d);
}

typedef struct refusal {
    const char *text, *field, *says;
} refusal;

static void
what_is_not_a_definition_is_refused_when_it_is_read(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"[]", "definition", "must be an object"},
        {"name: [a]", "name", "must be a text"},
        {"{name: a, Name: b}", "name", "given twice"},
        {"{name: a, properties: {name: b}}", "properties.name", "given twice"},
        {"{name: a, totalBytesPersesion: 5}", "totalBytesPersesion",
         "did you mean \"totalBytesPerSession\"?"},
        {"{name: a, timelimit: 5}", "timelimit", "unknown key \"timelimit\" in the definition"},
        {"{name: a, capturesettings: {filecounts: 5}}", "filecounts",
         "in captureSettings; did you mean \"fileCount\"?"},
        {"{name: a, filters: {}}", "filters", "must be a list"},
        {"{name: a, filters: [{remoteport: 80, remotePorts: 81}]}", "remotePorts",
         "in filters[0]; did you mean \"remotePort\"?"},
        {"{name: a, filters: [{protocol: GRE}]}", "filters[0].protocol",
         "\"GRE\": must be TCP, UDP, ICMP or Any"},
        {"{name: a, filters: [{protocol: 6}]}", "filters[0].protocol", "must be TCP"},
        {"{name: a, filters: [{}, {localPort: [80]}]}", "filters[1].localPort", "text or a whole number"},
        {"{name: a, filters: [{}, {localPort: 80.5}]}", "filters[1].localPort", "text or a whole number"},
        {"{name: a, bytesToCapturePerPacket: 4294967296}", "bytesToCapturePerPacket",
         "\"4294967296\": is at most 4294967295"},
        {"{name: a, bytesToCapturePerPacket: -1}", "bytesToCapturePerPacket",
         "\"-1\": must be a number of bytes"},
        {"{name: a, totalBytesPerSession: 1.5}", "totalBytesPerSession",
         "\"1.5\": must be a number of bytes"},
        {"{name: a, totalBytesPerSession: lots}", "totalBytesPerSession",
         "\"lots\": must be a number of bytes"},
        {"{name: a, totalBytesPerSession: true}", "totalBytesPerSession", "must be a number of bytes"},
        {"{name: a, timeLimitInSeconds: 604801}", "timeLimitInSeconds", "is at most 604800"},
        {"{name: a, timeLimitInSeconds: 1500ms}", "timeLimitInSeconds", "whole number of seconds"},
        {"{name: a, packetLimit: 1kB}", "packetLimit", "must be a whole number"},
        {"{name: a, includeOwnTraffic: 'yes'}", "includeOwnTraffic", "must be true or false"},
        {"{name: a, continuousCapture: 1}", "continuousCapture", "must be true or false"},
        {"{name: a, continuousCapture: false, captureSettings: {fileCount: 2}}", "captureSettings",
         "is false"},
        {"{name: a, captureSettings: {fileCount: 0}}", "captureSettings", "0 has no meaning"},
        {"{name: a, captureSettings: {fileCount: 10001}}", "captureSettings.fileCount", "at most 10000"},
        {"{name: a, captureSettings: {sessionTimeLimitInSeconds: 9}, timeLimitInSeconds: 8}",
         "captureSettings.sessionTimeLimitInSeconds", "contradicts timeLimitInSeconds 8"},
        {"{name: a, storageLocation: {storageId: /sub/x}}", "storageLocation.storageId",
         "no evidence store yet"},
        {"{name: a, storageLocation: {storagePath: 'https://x'}}", "storageLocation.storagePath",
         "no evidence store"},
        {"{name: a, storageLocation: {filePath: /etc/passwd}}", "storageLocation.filePath",
         "under /var/captures"},
        {"{name: a, storageLocation: {filePath: /var/captures/../x}}", "storageLocation.filePath", "under"},
        {"{name: a, storageLocation: {filePath: /var/capturesx}}", "storageLocation.filePath", "under"},
        {"{name: a, storageLocation: file}", "storageLocation", "must be an object"},
        {"{name: a, target: 5}", "target", "must be an object"},
        {"{name: a, target: {regions: eu}}", "target.regions", "must be a list"},
        {"{name: a, target: {regions: [eu, 5]}}", "target.regions[1]", "must be a text"},
        {"{name: a, target: {regions: ['']}}", "target.regions[0]", "is empty"},
        {"{name: a, target: {include: [b]}, scope: {include: [c]}}", "scope.include", "twice"},
        {"{name: a, target: web, targetType: AKS}", "targetType", "\"AKS\": must be AzureVMSS"},
        {"{name: a, interfaces: [eth0, enp0s31f6longest]}", "interfaces[1]", "more than 15 bytes"},
        {"{name: a, governance: {deleteAfter: tomorrow}}", "governance.deleteAfter",
         "\"tomorrow\": must be a date"},
        {"{name: a, governance: {deleteAfter: 2026-02-29}}", "governance.deleteAfter", "must be a date"},
        {"{name: a, governance: {deleteAfter: 5}}", "governance.deleteAfter", "must be a date"},
        {"{name: a, governance: {tags: [x]}}", "governance.tags", "must be an object"},
        {"{name: a, governance: {tags: {x: 5}}}", "governance.tags.x", "must be a text"},
        {"{name: a, governance: {reason: \"a\\nb\"}}", "governance.reason", "control characters"},
        {"{name: a, governance: {reason: \"a\\0b\"}}", "governance.reason", "control characters"},
        {"{name: a, rawFilter: \"tcp\\0or udp\"}", "rawFilter", "control characters"},
        {"{name: a, rawFilter: [tcp]}", "rawFilter", "must be a text"},
        {"{\"name\": \"a\", \"a long key that is nothing like any other, with \\u001b[31m colours\": 1}",
         "a long key that is nothing like any other, with ?[31m colours", "unknown key"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_definition d;
        fc_fail fail = {0};
        fc_err err = read_yaml(cases[i].text, &d, &fail);
        if (err == FC_OK)
            fail_msg("%s was read", cases[i].text);
        if (strstr(fail.text, cases[i].says) == NULL || strncmp(fail.field, cases[i].field, 60) != 0)
            fail_msg("%s\nfield %s: %s", cases[i].text, fail.field, fail.text);
    }
}

static void
what_cannot_be_meant_is_refused_when_it_is_checked(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"{filters: []}", "name", "needs a name"},
        {"{name: a/b}", "name", "name \"a/b\": a name has"},
        {"{name: a, target: {scaleSet: we b}}", "target.scaleSet", "\"we b\": a name has"},
        {"{name: a, target: {regions: [eu, ../x]}}", "target.regions[1]", "\"../x\": a name has"},
        {"{name: a, target: {zones: ['-']}}", "target.zones[0]", "a name has"},
        {"{name: a, target: {include: [x, y], exclude: [z, y]}}", "target.exclude",
         "\"y\": is included as well"},
        {"{name: a, target: {selector: role in}}", "target.selector", "at character 8"},
        {"{name: a, timeLimitInSeconds: 0}", "timeLimitInSeconds", "\"0\": must be 1 to 604800"},
        {"{name: a, captureSettings: {fileSizeInBytes: 1000}}", "captureSettings.fileSizeInBytes",
         "\"1000\": must be 1048576"},
        {"{name: a, interfaces: [any, eth0]}", "interfaces[0]", "stands alone"},
        {"{name: a, interfaces: [eth0, eth1, eth0]}", "interfaces[2]", "given twice"},
        {"{name: a, interfaces: ['eth0/1']}", "interfaces[0]", "is no interface name"},
        {"{name: a, interfaces: ['..']}", "interfaces[0]", "is no interface name"},
        {"{name: a, interfaces: [a,b,c,d,e,f,g,h,i]}", "interfaces", "the limit is 8"},
        {"{name: a, filters: [{}, {remotePort: 70000}]}", "filters[1].remotePort",
         "\"70000\": a port is at most"},
        {"{name: a, filters: [{remoteIPAddress: 1.1.1.1-255.255.255}]}", "filters[0].remoteIPAddress",
         "\"255.255.255\": an IPv4 address has four octets"},
        {"{name: a, rawFilter: host example.com}", "rawFilter", "names are not looked up"},
        {"{name: a, rawFilter: tcp and udp}", "rawFilter", "can never match"},
        {"{name: a, filters: [{protocol: UDP}], rawFilter: tcp}", "filters", "can never match"},
        {"{name: a, governance: {tags: {'a b': c}}}", "governance.tags", "a name has"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_definition d = definition_of(cases[i].text);
        fc_fail fail = {0};
        if (fc_definition_check(&d, &fail) != FC_ERR_INVALID)
            fail_msg("%s was taken", cases[i].text);
        if (strstr(fail.text, cases[i].says) == NULL || strcmp(fail.field, cases[i].field) != 0)
            fail_msg("%s\nfield %s: %s", cases[i].text, fail.field, fail.text);
        fc_definition_fini(&d);
    }
}

static void
what_is_too_large_to_travel_is_refused(void **state)
{
    (void)state;
    fc_definition d = definition_of("name: a");
    char ports[900] = "";
    for (int i = 0; i < 60; i++)
        (void)snprintf(ports + strlen(ports), 16, "%d-%d;", 10000 + 4 * i, 10001 + 4 * i);
    d.spec.filters = fc_alloc_array(8, sizeof(fc_filter));
    for (; d.spec.filter_count < 8; d.spec.filter_count++)
        d.spec.filters[d.spec.filter_count] =
            (fc_filter){.protocol = FC_PROTOCOL_TCP, .local_port = fc_strdup(ports)};
    fc_fail fail = {0};
    assert_int_equal(fc_definition_check(&d, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters");
    assert_non_null(strstr(fail.text, "the limit is 4096"));
    fc_definition_fini(&d);
    d = definition_of("name: a");
    for (int i = 0; i < FC_TARGET_NAMES_MAX; i++) {
        char name[FC_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "web-with-a-rather-long-name-%08d", i);
        fc_strings_add(&d.target.include, name);
    }
    assert_int_equal(fc_definition_check(&d, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "the limit is 60000"));
    fc_strings_add(&d.target.exclude, "x");
    assert_int_equal(fc_definition_check(&d, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "target.exclude");
    fc_definition_fini(&d);
}

static void
json_round_trips(const char *text)
{
    fc_definition d = definition_of(text), back;
    json_t *first = fc_definition_to_json(&d);
    fc_fail fail = {0};
    if (fc_definition_from_json(first, &back, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    json_t *second = fc_definition_to_json(&back);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    fc_definition_fini(&d);
    fc_definition_fini(&back);
}

static const char *const samples[] = {
    everything,
    "name: all",
    "{}",
    "{name: b, filters: [{}, {protocol: ICMP, localIPAddress: '::1'}], totalBytesPerSession: 0}",
    "{name: c, continuousCapture: true}",
    "{name: d, interfaces: [any], governance: {deleteAfter: 2027-01-01}}",
};

static void
definitions_survive_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(samples); i++)
        json_round_trips(samples[i]);
}

static void
a_list_of_filters_is_appended_whole_or_not_at_all(void **state)
{
    (void)state;
    fc_definition d = definition_of("{name: a, filters: [{protocol: UDP}]}");
    json_t *list =
        json_loads("[{\"remotePort\": \"80\"}, {\"localPort\": 22, \"protocol\": \"tcp\"}]", 0, NULL);
    assert_int_equal(fc_filters_from_json(list, &d.spec, NULL), FC_OK);
    assert_int_equal(d.spec.filter_count, 3);
    assert_string_equal(d.spec.filters[2].local_port, "22");
    json_decref(list);
    list = json_loads("[{\"remotePort\": \"81\"}, {\"port\": 22}]", 0, NULL);
    fc_fail fail = {0};
    assert_int_equal(fc_filters_from_json(list, &d.spec, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "in filters[4]"));
    assert_int_equal(d.spec.filter_count, 3);
    json_decref(list);
    list = json_array();
    for (int i = 0; i < FC_FILTER_COUNT_MAX; i++)
        json_array_append_new(list, json_object());
    assert_int_equal(fc_filters_from_json(list, &d.spec, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "there are 35 and the limit is 32"));
    json_decref(list);
    fc_definition_fini(&d);
}

static void
dates_are_those_of_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_s; /* 0 = refused */
    } cases[] = {
        {"2026-12-31", 1798675200},
        {"2028-02-29", 1835395200},
        {"2026-12-31T18:00:00Z", 1798740000},
        {"2026-12-31t18:00:00.123456z", 1798740000},
        {"2026-12-31T18:00:00+01:00", 1798736400},
        {"2026-12-31 18:00:00-00:30", 1798741800},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"1970-01-01", 0},
        {"1969-12-31", 0},
        {"2026-13-01", 0},
        {"2026-00-01", 0},
        {"2026-04-31", 0},
        {"2026-12-31T24:00:00Z", 0},
        {"2026-12-31T18:60:00Z", 0},
        {"2026-12-31T18:00:60Z", 0},
        {"2026-12-31T18:00Z", 0},
        {"2026-12-31T18:00:00", 0},
        {"2026-12-31T18:00:00.Z", 0},
        {"2026-12-31T18:00:00+1:00", 0},
        {"2026-12-31T18:00:00+24:00", 0},
        {"2026-12-31x", 0},
        {"26-12-31", 0},
        {"2026-1-1", 0},
        {"2026-12-31Z", 0},
        {"2026-12-31T18:00:00Zx", 0},
        {" 2026-12-31", 0},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{name: a, governance: {deleteAfter: '%s'}}", cases[i].text);
        fc_definition d;
        fc_fail fail = {0};
        fc_err err = read_yaml(text, &d, &fail);
        if ((err == FC_OK) != (cases[i].unix_s != 0))
            fail_msg("%s", cases[i].text);
        if (err != FC_OK)
            continue;
        assert_int_equal(d.governance.delete_after_unix_s, cases[i].unix_s);
        fc_definition_fini(&d);
    }
}

static void
labels_are_set_once_per_key(void **state)
{
    (void)state;
    fc_labels labels = {0};
    fc_labels_set(&labels, "a", "1");
    fc_labels_set(&labels, "b", "2");
    fc_labels_set(&labels, "a", "3");
    fc_labels_set(&labels, "b", fc_labels_find(&labels, "b"));
    assert_int_equal(labels.count, 2);
    assert_string_equal(fc_labels_find(&labels, "a"), "3");
    assert_string_equal(fc_labels_find(&labels, "b"), "2");
    assert_null(fc_labels_find(&labels, "c"));
    fc_labels_fini(&labels);
    fc_labels_fini(&labels);
}

static void
what_was_never_filled_can_be_finished(void **state)
{
    (void)state;
    fc_definition d;
    fc_definition_init(&d);
    fc_definition_fini(&d);
    fc_definition_fini(&d);
    fc_spec_fini(&d.spec);
    assert_null(d.name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(the_shortest_definition_has_the_defaults),
        cmocka_unit_test(definitions_of_the_reference_service_are_read),
        cmocka_unit_test(a_ring_has_its_own_defaults),
        cmocka_unit_test(what_is_not_a_definition_is_refused_when_it_is_read),
        cmocka_unit_test(what_cannot_be_meant_is_refused_when_it_is_checked),
        cmocka_unit_test(what_is_too_large_to_travel_is_refused),
        cmocka_unit_test(definitions_survive_json),
        cmocka_unit_test(a_list_of_filters_is_appended_whole_or_not_at_all),
        cmocka_unit_test(dates_are_those_of_rfc_3339),
        cmocka_unit_test(labels_are_set_once_per_key),
        cmocka_unit_test(what_was_never_filled_can_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
