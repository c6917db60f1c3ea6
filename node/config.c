#include "node/config.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "node/endpoint.h"
#include "node/identity.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LABELS_MAX = 64, LABEL_VALUE_MAX = 255, CAPTURES_MAX = 64 };

// clang-format off
#define AT(field) .offset = offsetof(nd_config, field)
const fc_config_key nd_config_keys[] = {
    {.name = "state_dir", .kind = FC_CONFIG_STRING, AT(state_dir),
     .help = "absolute path of the directory that `fleetcap-node enroll` writes: certificate and key, which the daemon "
             "renews, the fleet's CA, and who this instance is"},
    {.name = "coordinator", .kind = FC_CONFIG_STRING, AT(coordinator),
     .help = "host:port of the coordinator; needed, unless state_dir has it"},
    {.name = "server_name", .kind = FC_CONFIG_STRING, AT(server_name),
     .help = "DNS name in the coordinator's certificate, when it is not the host"},
    {.name = "ca", .kind = FC_CONFIG_STRING, AT(ca),
     .help = "PEM file of the fleet's CA; that of state_dir when not set, as the next two"},
    {.name = "certificate", .kind = FC_CONFIG_STRING, AT(certificate),
     .help = "PEM file of this instance's certificate; its name is the instance's id"},
    {.name = "key", .kind = FC_CONFIG_STRING, AT(key), .help = "PEM file of its key; may be the same file"},
    {.name = "crl", .kind = FC_CONFIG_STRING, AT(crl), .help = "PEM file of the revocation list"},
    {.name = "name", .kind = FC_CONFIG_NAME, AT(name), .help = "shown to operators; else the host's name"},
    {.name = "scale_set", .kind = FC_CONFIG_NAME, AT(scale_set),
     .help = "the scale set of this instance, where its certificate does not say; else 'default'"},
    {.name = "region", .kind = FC_CONFIG_NAME, AT(region), .help = "its region, likewise"},
    {.name = "zone", .kind = FC_CONFIG_NAME, AT(zone), .help = "its zone"},
    {.name = "labels", .kind = FC_CONFIG_TREE, AT(labels_tree), .help = "a map of labels for selectors"},
    {.name = "captures_dir", .kind = FC_CONFIG_STRING, AT(captures_dir), .default_text = "/var/captures",
     .help = "absolute path of the directory for captures"},
    {.name = "helper", .kind = FC_CONFIG_STRING, AT(helper),
     .help = "absolute path of fleetcap-capture; else beside this program or in ../libexec/fleetcap"},
    {.name = "user", .kind = FC_CONFIG_STRING, AT(user), .help = "the user to become after the start"},
    {.name = "ring_bytes", .kind = FC_CONFIG_SIZE, AT(ring_bytes), .default_text = "64MiB", .min = 1 << 20,
     .max = 1ull << 32, .help = "kernel ring of each capture"},
    {.name = "disk_floor", .kind = FC_CONFIG_SIZE, AT(disk_floor), .default_text = "256MiB",
     .help = "free disk space that captures must leave"},
    {.name = "max_session_bytes", .kind = FC_CONFIG_SIZE, AT(max_session_bytes),
     .help = "the most bytes that a capture may ask for; 0 = any"},
    {.name = "max_time_limit", .kind = FC_CONFIG_DURATION, AT(max_time_limit_ms),
     .help = "the longest time that a capture may ask for; 0 = any"},
    {.name = "max_bytes_per_packet", .kind = FC_CONFIG_U64, AT(max_bytes_per_packet),
     .help = "the most bytes of each packet that a capture may ask for; 0 = any"},
    {.name = "interfaces", .kind = FC_CONFIG_TREE, AT(interfaces_tree),
     .help = "a list of the interfaces that may be captured on; all otherwise"},
    {.name = "max_captures", .kind = FC_CONFIG_U64, AT(max_captures), .default_text = "8", .min = 1,
     .max = CAPTURES_MAX, .help = "captures that may be active at once"},
    {.name = "log_level", .kind = FC_CONFIG_STRING, AT(log_level), .default_text = "info",
     .help = "error, warning, notice, info or debug"},
};
const size_t nd_config_key_count = FC_COUNT(nd_config_keys);
#undef AT
// clang-format on

static fc_err
read_labels(nd_config *config, fc_fail *fail)
{
    const char *key;
    json_t *value;
    if (config->labels_tree != NULL && !json_is_object(config->labels_tree))
        return fc_fail_field(fail, FC_ERR_INVALID, "labels", "labels: a map is wanted");
    if (json_object_size(config->labels_tree) > LABELS_MAX)
        return fc_fail_field(fail, FC_ERR_LIMIT, "labels", "labels: %zu of them, the limit is %d",
                             json_object_size(config->labels_tree), LABELS_MAX);
    json_object_foreach (config->labels_tree, key, value) {
        if (!fc_name_check(key))
            return fc_fail_field(fail, FC_ERR_INVALID, "labels", "labels: '%.80s' is not a name", key);
        if (json_is_object(value) || json_is_array(value) || json_is_null(value))
            return fc_fail_field(fail, FC_ERR_INVALID, "labels", "labels: %s: a text is wanted", key);
        char *text =
            json_is_string(value) ? fc_strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);
        bool fits = text != NULL && strlen(text) <= LABEL_VALUE_MAX;
        if (fits)
            fc_labels_set(&config->labels, key, text);
        free(text);
        if (!fits)
            return fc_fail_field(fail, FC_ERR_INVALID, "labels", "labels: %s: longer than %d characters", key,
                                 LABEL_VALUE_MAX);
    }
    return FC_OK;
}

static fc_err
read_interfaces(nd_config *config, fc_fail *fail)
{
    size_t index;
    json_t *value;
    if (config->interfaces_tree != NULL && !json_is_array(config->interfaces_tree))
        return fc_fail_field(fail, FC_ERR_INVALID, "interfaces", "interfaces: a list is wanted");
    if (config->interfaces_tree != NULL && json_array_size(config->interfaces_tree) == 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "interfaces",
                             "interfaces: the list is empty; to allow all of them leave the key out");
    json_array_foreach (config->interfaces_tree, index, value) {
        const char *name = json_string_value(value);
        if (name == NULL || *name == '\0' || strlen(name) > 15 || strpbrk(name, "/ ") != NULL)
            return fc_fail_field(fail, FC_ERR_INVALID, "interfaces",
                                 "interfaces: item %zu, '%.40s', is no interface's name", index + 1,
                                 name != NULL ? name : "no text");
        fc_strings_add(&config->policy.interfaces, name);
    }
    return FC_OK;
}

static fc_err
find_name(nd_config *config, fc_fail *fail)
{
    char host[HOST_NAME_MAX + 1] = "";
    if (config->name != NULL)
        return FC_OK;
    if (gethostname(host, sizeof host - 1) != 0)
        return fc_fail_errno(fail, errno, "name is not set, and the host has none");
    if (!fc_name_check(host))
        return fc_fail_field(fail, FC_ERR_INVALID, "name",
                             "name is not set, and the host's, '%.80s', is no name for an instance", host);
    config->name = fc_strdup(host);
    return FC_OK;
}

static fc_err
find_helper(nd_config *config, fc_fail *fail)
{
    char own[PATH_MAX];
    if (config->helper != NULL)
        return *config->helper == '/'
                   ? FC_OK
                   : fc_fail_field(fail, FC_ERR_INVALID, "helper", "helper: '%.100s' is not an absolute path",
                                   config->helper);
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return fc_fail_errno(fail, errno, "helper is not set, and this program's own path is not known");
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    config->helper = fc_sprintf("%s/fleetcap-capture", own);
    if (access(config->helper, F_OK) != 0) { /* where it is installed; beside us is where it is built */
        free(config->helper);
        config->helper = fc_sprintf("%s/../libexec/fleetcap/fleetcap-capture", own);
    }
    return FC_OK;
}

/* ---- state_dir ---- */

static fc_err
check_state_dir(const nd_config *config, fc_fail *fail)
{
    const char *path = config->state_dir;
    if (path == NULL || (*path == '/' && strstr(path, "/../") == NULL))
        return FC_OK;
    return fc_fail_field(fail, FC_ERR_INVALID, "state_dir", "state_dir: '%.100s' is not an absolute path",
                         path);
}

static fc_err
find_credential(const nd_config *config, char **path, const char *name, const char *file, fc_fail *fail)
{
    if (*path != NULL)
        return FC_OK;
    if (config->state_dir == NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, name,
                             "%s is missing (or state_dir, the directory that `fleetcap-node enroll` writes)",
                             name);
    *path = nd_identity_path(config->state_dir, file);
    return FC_OK;
}

static fc_err
find_credentials(nd_config *config, fc_fail *fail)
{
    fc_err err = check_state_dir(config, fail);
    if (err == FC_OK && config->coordinator == NULL)
        err = fc_fail_field(fail, FC_ERR_INVALID, "coordinator", "coordinator is missing%s",
                            config->state_dir != NULL ? ": enrol this machine first (fleetcap-node enroll)"
                                                      : "");
    if (err == FC_OK)
        err = find_credential(config, &config->ca, "ca", ND_IDENTITY_CA, fail);
    if (err == FC_OK)
        err = find_credential(config, &config->certificate, "certificate", ND_IDENTITY_NODE, fail);
    if (err == FC_OK)
        err = find_credential(config, &config->key, "key", ND_IDENTITY_NODE, fail);
    return err;
}

/* What identity.yaml says goes into the tree where the file is silent; labels one by one. */
static void
put_beneath(json_t *tree, const json_t *identity)
{
    for (size_t i = 0; nd_identity_keys[i] != NULL; i++) {
        const char *key = nd_identity_keys[i], *label;
        json_t *above = json_object_get(tree, key), *below = json_object_get(identity, key), *value;
        if (above == NULL && below != NULL)
            (void)json_object_set(tree, key, below);
        else if (json_is_object(above) && json_is_object(below))
            json_object_foreach (below, label, value) {
                if (json_object_get(above, label) == NULL)
                    (void)json_object_set(above, label, value);
            }
    }
}

static fc_err
add_identity(json_t *tree, fc_fail *fail)
{
    const char *state_dir = json_string_value(json_object_get(tree, "state_dir"));
    json_t *identity = NULL;
    int dir_fd = -1;
    if (state_dir == NULL)
        return FC_OK; /* or no text: which is for the table to say */
    fc_err err = nd_identity_open(state_dir, &dir_fd, fail);
    if (err == FC_OK) {
        err = nd_identity_read(dir_fd, &identity, fail);
        close(dir_fd);
    }
    if (err == FC_OK)
        put_beneath(tree, identity);
    json_decref(identity);
    return err == FC_ERR_NOT_FOUND ? FC_OK : err; /* what then is missing says so itself */
}

/* ---- the whole ---- */

static fc_err
check(nd_config *config, fc_fail *fail)
{
    char *host = NULL;
    uint16_t port = 0;
    if (fc_log_level_parse(config->log_level) < 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "log_level",
                             "log_level: '%s' is none of error, warning, notice, info, debug",
                             config->log_level);
    if (*config->captures_dir != '/' || strstr(config->captures_dir, "/../") != NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, "captures_dir",
                             "captures_dir: '%.100s' is not an absolute path", config->captures_dir);
    fc_err err = nd_endpoint_split(config->coordinator, &host, &port, fail);
    if (err == FC_OK && config->server_name == NULL)
        config->server_name = fc_strdup(host);
    free(host);
    return err;
}

fc_err
nd_config_from_tree(const json_t *tree, nd_config *ret, fc_fail *fail)
{
    fc_err (*const steps[])(nd_config *, fc_fail *) = {find_credentials, check,     read_labels,
                                                       read_interfaces,  find_name, find_helper};
    fc_err err = fc_config_fill(nd_config_keys, nd_config_key_count, tree, ret, fail);
    for (size_t i = 0; i < FC_COUNT(steps) && err == FC_OK; i++)
        err = steps[i](ret, fail);
    if (err != FC_OK)
        return err;
    if (ret->scale_set == NULL)
        ret->scale_set = fc_strdup("default");
    if (ret->region == NULL)
        ret->region = fc_strdup("default");
    if (ret->zone == NULL)
        ret->zone = fc_strdup("");
    ret->policy.session_bytes_max = ret->max_session_bytes;
    ret->policy.time_limit_max_ms = ret->max_time_limit_ms;
    ret->policy.bytes_per_packet_max = ret->max_bytes_per_packet;
    ret->policy.disk_floor_bytes = ret->disk_floor;
    ret->policy.captures_max = (uint32_t)ret->max_captures;
    return FC_OK;
}

static fc_err
fill_before(json_t *tree, nd_config *ret, fc_fail *fail)
{
    fc_err err = fc_config_fill(nd_config_keys, nd_config_key_count, tree, ret, fail);
    if (err == FC_OK)
        err = check_state_dir(ret, fail);
    return err == FC_OK ? read_labels(ret, fail) : err;
}

static fc_err
fill(json_t *tree, nd_config *ret, fc_fail *fail)
{
    fc_err err = add_identity(tree, fail);
    return err == FC_OK ? nd_config_from_tree(tree, ret, fail) : err;
}

static fc_err
load_with(const char *path, fc_err (*with)(json_t *, nd_config *, fc_fail *), nd_config *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    fc_fail why = {0};
    fc_err err = fc_yaml_load(path, &tree, &why);
    if (err == FC_OK) {
        err = with(tree, ret, &why);
        if (err != FC_OK)
            fc_fail_set(fail, err, "%s: %s", path, why.text);
    } else {
        fc_fail_copy(fail, &why);
    }
    json_decref(tree);
    return err;
}

fc_err
nd_config_load(const char *path, nd_config *ret, fc_fail *fail)
{
    return load_with(path, fill, ret, fail);
}

fc_err
nd_config_load_before(const char *path, bool may_be_missing, nd_config *ret, fc_fail *fail)
{
    if (may_be_missing && access(path, F_OK) != 0 && errno == ENOENT)
        return fill_before(NULL, ret, fail);
    return load_with(path, fill_before, ret, fail);
}

void
nd_config_fini(nd_config *config)
{
    fc_config_fini(nd_config_keys, nd_config_key_count, config);
    fc_labels_fini(&config->labels);
    nd_policy_fini(&config->policy);
}
