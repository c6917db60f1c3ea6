#include "coordinator/config.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/yaml.h"

#include <inttypes.h>
#include <string.h>

enum {
    HOUR_MS = 3600 * 1000,
    DAY_MS = 24 * HOUR_MS,
    /* A node's whole desired state has to fit one frame of 64 KiB with specifications of 4 KiB each. */
    RUNNING_PER_INSTANCE_MAX = 8,
};

// clang-format off
#define AT(field) .offset = offsetof(co_config, field)
const fc_config_key co_config_keys[] = {
    {.name = "listen", .kind = FC_CONFIG_STRING, AT(listen), .default_text = "0.0.0.0:7443",
     .help = "address and port for nodes and operators"},
    {.name = "state_dir", .kind = FC_CONFIG_STRING, AT(state_dir), .default_text = "/var/lib/fleetcap",
     .help = "directory of the database and the session ticket keys"},
    {.name = "ca", .kind = FC_CONFIG_STRING, AT(ca), .required = true, .help = "PEM file of the fleet's CA"},
    {.name = "certificate", .kind = FC_CONFIG_STRING, AT(certificate), .required = true,
     .help = "PEM file of the coordinator's certificate"},
    {.name = "key", .kind = FC_CONFIG_STRING, AT(key), .required = true, .help = "PEM file of its key"},
    {.name = "crl", .kind = FC_CONFIG_STRING, AT(crl), .help = "PEM file of the revocation list"},
    {.name = "ca_key", .kind = FC_CONFIG_STRING, AT(ca_key),
     .help = "PEM file of the CA's key: turns enrolment on, nodes are given certificates by it"},
    {.name = "certificate_life", .kind = FC_CONFIG_DURATION, AT(certificate_life_ms), .default_text = "72h",
     .min = 10 * 1000, .max = 90 * (uint64_t)DAY_MS,
     .help = "how long a node's certificate lives; nodes renew theirs before"},
    {.name = "name", .kind = FC_CONFIG_NAME, AT(name), .help = "the name shown to operators"},
    {.name = "log_level", .kind = FC_CONFIG_STRING, AT(log_level), .default_text = "info",
     .help = "error, warning, notice, info or debug"},
    {.name = "lease", .kind = FC_CONFIG_DURATION, AT(lease_ms), .default_text = "5m",
     .min = 1000, .max = DAY_MS,
     .help = "a node that is not renewed for so long stops its captures"},
    {.name = "heartbeat", .kind = FC_CONFIG_DURATION, AT(heartbeat_ms), .default_text = "15s", .min = 100,
     .max = HOUR_MS, .help = "how often a node renews the lease"},
    {.name = "report_interval", .kind = FC_CONFIG_DURATION, AT(report_interval_ms), .default_text = "1s",
     .min = 50, .max = HOUR_MS, .help = "how often a node reports counters"},
    {.name = "arm_timeout", .kind = FC_CONFIG_DURATION, AT(arm_timeout_ms), .default_text = "2s", .min = 50,
     .max = HOUR_MS, .help = "how long a start waits for instances to arm"},
    {.name = "silent_after", .kind = FC_CONFIG_DURATION, AT(silent_after_ms), .default_text = "45s",
     .min = 200, .max = DAY_MS, .help = "an instance not heard of for so long is shown as UNKNOWN"},
    {.name = "max_running_per_region", .kind = FC_CONFIG_U64, AT(max_running_per_region),
     .default_text = "10",
     .min = 1, .max = 1000, .help = "captures that may run in one region at once"},
    {.name = "max_running_per_instance", .kind = FC_CONFIG_U64, AT(max_running_per_instance),
     .default_text = "8",
     .min = 1, .max = RUNNING_PER_INSTANCE_MAX, .help = "captures that may run on one instance at once"},
    {.name = "max_instances", .kind = FC_CONFIG_U64, AT(max_instances), .default_text = "20000", .min = 1,
     .max = 1000000, .help = "instances that the registry admits"},
};
const size_t co_config_key_count = FC_COUNT(co_config_keys);
#undef AT
// clang-format on

static fc_err
check_listen(const char *listen, fc_fail *fail)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;
    if (colon == NULL || colon == listen || fc_u64_parse(colon + 1, UINT16_MAX, &port) != FC_OK)
        return fc_fail_field(fail, FC_ERR_INVALID, "listen", "listen: '%s' is not ADDRESS:PORT", listen);
    return FC_OK;
}

fc_err
co_config_from_tree(const json_t *tree, co_config *ret, fc_fail *fail)
{
    fc_err err = fc_config_fill(co_config_keys, co_config_key_count, tree, ret, fail);
    if (err != FC_OK)
        return err;
    if (fc_log_level_parse(ret->log_level) < 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "log_level",
                             "log_level: '%s' is none of error, warning, notice, info, debug",
                             ret->log_level);
    if (ret->heartbeat_ms >= ret->lease_ms) {
        char heartbeat[FC_DURATION_TEXT], lease[FC_DURATION_TEXT];
        return fc_fail_field(
            fail, FC_ERR_INVALID, "heartbeat", "heartbeat: %s is not shorter than the lease of %s",
            fc_duration_text(ret->heartbeat_ms, heartbeat), fc_duration_text(ret->lease_ms, lease));
    }
    return check_listen(ret->listen, fail);
}

fc_err
co_config_load(const char *path, co_config *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_fail why = {0};
    fc_err err = fc_yaml_load(path, &tree, fail);
    if (err != FC_OK)
        return err;
    err = co_config_from_tree(tree, ret, &why);
    if (err != FC_OK)
        err = fc_fail_set(fail, err, "%s: %s", path, why.text);
    json_decref(tree);
    return err;
}

void
co_config_fini(co_config *config)
{
    fc_config_fini(co_config_keys, co_config_key_count, config);
}
