#include "definition_rig.h"

#include "common/base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

fc_err
read_yaml(const char *text, fc_definition *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_err err = fc_yaml_parse(text, strlen(text), &tree, fail);
    if (err == FC_OK)
        err = fc_definition_from_json(tree, ret, fail);
    json_decref(tree);
    return err;
}

fc_definition
definition_of(const char *text)
{
    fc_definition definition;
    fc_fail fail = {0};
    if (read_yaml(text, &definition, &fail) != FC_OK)
        fail_msg("%s\n%s", text, fail.text);
    return definition;
}

const char everything[] =
    "name: dns-timeouts\n"
    "target:\n"
    "  scaleSet: web\n"
    "  regions: [eu-west, us-east]\n"
    "  zones: ['1', z2]\n"
    "  include: [web-1, i-77]\n"
    "  exclude: [web-9]\n"
    "  selector: role=web,env!=test\n"
    "bytesToCapturePerPacket: 256\n"
    "totalBytesPerSession: 500MiB\n"
    "timeLimitInSeconds: 15m\n"
    "packetLimit: 100000\n"
    "filters:\n"
    "  - {protocol: udp, remotePort: 53}\n"
    "  - {remoteIPAddress: 10.0.0.0/24;10.0.8.1-10.0.8.9, remotePort: '443;8080-8090', protocol: TCP,\n"
    "     localIPAddress: '10.1.2.3', localPort: 1024-65535}\n"
    "rawFilter: |\n"
    "  greater 100\n"
    "  and not multicast\n"
    "interfaces: [eth0, eth1]\n"
    "includeOwnTraffic: true\n"
    "continuousCapture: true\n"
    "captureSettings: {fileCount: 5, fileSizeInBytes: 10MiB, sessionTimeLimitInSeconds: 900}\n"
    "storageLocation: {filePath: /var/captures/x.cap}\n"
    "governance:\n"
    "  reason: resolver timeouts since 02:40 \xe2\x80\x93 urgent\n"
    "  owner: ana@example.com\n"
    "  incidentId: INC-4711\n"
    "  deleteAfter: 2026-12-31T18:00:00+01:00\n"
    "  tags: {team: net, ticket: ''}\n";
