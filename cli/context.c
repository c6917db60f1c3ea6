#include "cli/context.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// clang-format off
const cli_value_source cli_value_sources[CLI_VALUE_COUNT] = {
    [CLI_VALUE_COORDINATOR] = {"coordinator", CLI_COORDINATOR, "FLEETCAP_COORDINATOR", false},
    [CLI_VALUE_CA] = {"ca", CLI_CA, "FLEETCAP_CA", true},
    [CLI_VALUE_CERTIFICATE] = {"certificate", CLI_CERT, "FLEETCAP_CERT", true},
    [CLI_VALUE_KEY] = {"key", CLI_KEY, "FLEETCAP_KEY", true},
    [CLI_VALUE_SERVER_NAME] = {"server_name", CLI_SERVER_NAME, "FLEETCAP_SERVER_NAME", false},
    [CLI_VALUE_FLEET] = {"fleet", CLI_OPTION_NONE, NULL, false},
};
// clang-format on

char *
cli_config_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    /* XDG Base Directory Specification: a relative path is ignored. */
    if (base != NULL && base[0] == '/')
        return fc_sprintf("%s/fleetcap/config.yaml", base);
    return fc_sprintf("%s/.config/fleetcap/config.yaml", home != NULL ? home : "");
}

fc_err
cli_config_load(const char *path, cli_config *ret_config, fc_fail *fail)
{
    json_t *tree = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        tree = json_object();
    else {
        fc_fail why = {0};
        fc_err err = fc_yaml_load(path, &tree, &why);
        if (err != FC_OK)
            return strstr(why.text, path) != NULL
                       ? fc_fail_copy(fail, &why)
                       : fc_fail_set(fail, err, "the configuration %s cannot be read: %s", path, why.text);
    }
    if (json_is_null(tree)) { /* an empty file */
        json_decref(tree);
        tree = json_object();
    }
    cli_config config = {.path = fc_strdup(path), .tree = tree};
    fc_err err = cli_config_check(&config, fail);
    if (err != FC_OK)
        cli_config_fini(&config);
    else
        *ret_config = config;
    return err;
}

static bool
value_known(const char *key)
{
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++)
        if (strcmp(cli_value_sources[i].key, key) == 0)
            return true;
    return false;
}

static fc_err
check_context(const cli_config *config, const char *name, const json_t *context, fc_fail *fail)
{
    if (!fc_name_check(name))
        return fc_fail_set(fail, FC_ERR_INVALID, "%s: \"%s\" cannot be a context's name", config->path, name);
    if (!json_is_object(context))
        return fc_fail_set(fail, FC_ERR_INVALID, "%s: contexts.%s is not a map", config->path, name);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)context, key, value) {
        if (!value_known(key))
            return fc_fail_set(fail, FC_ERR_INVALID, "%s: contexts.%s has the unknown key \"%s\"",
                               config->path, name, key);
        if (!json_is_string(value))
            return fc_fail_set(fail, FC_ERR_INVALID, "%s: contexts.%s.%s is not a text", config->path, name,
                               key);
    }
    return FC_OK;
}

fc_err
cli_config_check(const cli_config *config, fc_fail *fail)
{
    if (!json_is_object(config->tree))
        return fc_fail_set(fail, FC_ERR_INVALID, "%s is not a map with current and contexts", config->path);
    const char *key;
    json_t *value;
    json_object_foreach (config->tree, key, value) {
        if (strcmp(key, "current") == 0) {
            if (!json_is_string(value))
                return fc_fail_set(fail, FC_ERR_INVALID, "%s: current is not a context's name", config->path);
        } else if (strcmp(key, "contexts") != 0)
            return fc_fail_set(fail, FC_ERR_INVALID, "%s has the unknown key \"%s\"", config->path, key);
        else if (!json_is_object(value) && !json_is_null(value))
            return fc_fail_set(fail, FC_ERR_INVALID, "%s: contexts is not a map", config->path);
    }
    const char *name;
    json_object_foreach (json_object_get(config->tree, "contexts"), name, value) {
        fc_err err = check_context(config, name, value, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

/* A JSON string is a double-quoted YAML scalar (YAML 1.2, section 7.3.1). */
static void
append_scalar(fc_buf *text, const json_t *value)
{
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    fc_buf_printf(text, "%s", quoted != NULL ? quoted : "\"\"");
    free(quoted);
}

void
cli_config_text(const cli_config *config, fc_buf *text)
{
    const json_t *current = json_object_get(config->tree, "current");
    if (current != NULL) {
        fc_buf_printf(text, "current: ");
        append_scalar(text, current);
        fc_buf_printf(text, "\n");
    }
    const char *name, *key;
    json_t *context, *value;
    bool first = true;
    json_object_foreach (json_object_get(config->tree, "contexts"), name, context) {
        fc_buf_printf(text, "%s  \"%s\":%s\n", first ? "contexts:\n" : "", name,
                      json_object_size(context) == 0 ? " {}" : "");
        json_object_foreach (context, key, value) {
            fc_buf_printf(text, "    %s: ", key);
            append_scalar(text, value);
            fc_buf_printf(text, "\n");
        }
        first = false;
    }
}

fc_err
cli_config_save(const cli_config *config, fc_fail *fail)
{
    const char *slash = strrchr(config->path, '/');
    char *directory = fc_strndup(config->path, (size_t)(slash - config->path));
    int dir_fd = -1;
    fc_buf text = {0};
    /* mkdir -p, private: each part in turn, those that exist are fine. */
    for (char *at = directory + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(directory, 0700);
        *at = '/';
    }
    (void)mkdir(directory, 0700);
    dir_fd = open(directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    fc_err err = FC_OK;
    if (dir_fd < 0) {
        err = fc_fail_errno(fail, errno, "cannot open the configuration directory %s", directory);
        goto out;
    }
    cli_config_text(config, &text);
    err = fc_file_write_atomic(dir_fd, slash + 1, fc_buf_bytes(&text), fc_buf_size(&text), 0600, fail);
out:
    if (dir_fd >= 0)
        close(dir_fd);
    fc_buf_fini(&text);
    free(directory);
    return err;
}

void
cli_config_fini(cli_config *config)
{
    free(config->path);
    json_decref(config->tree);
    memset(config, 0, sizeof *config);
}

/* ---- resolving ---- */

static const char *
set_text(const char *text)
{
    return text != NULL && *text != '\0' ? text : NULL;
}

static fc_err
no_such_context(const cli_config *config, const char *name, fc_fail *fail)
{
    const json_t *contexts = json_object_get(config->tree, "contexts");
    if (json_object_size(contexts) == 0)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no context \"%s\": %s has none", name,
                           config->path);
    fc_buf names = {0};
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)contexts, key, value)
        fc_buf_printf(&names, "%s%s", fc_buf_size(&names) > 0 ? ", " : "", key);
    fc_err err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "there is no context \"%s\": %s has %s", name,
                             config->path, fc_buf_text(&names));
    fc_buf_fini(&names);
    return err;
}

/* A relative path of the file counts from the file's directory. */
static char *
file_value(const cli_config *config, const cli_value_source *source, const char *text)
{
    const char *slash = strrchr(config->path, '/');
    if (!source->is_path || text[0] == '/' || slash == NULL)
        return fc_strdup(text);
    return fc_sprintf("%.*s/%s", (int)(slash - config->path), config->path, text);
}

fc_err
cli_context_resolve(const cli_config *config, const cli_args *args, char *(*lookup)(const char *name),
                    cli_context *ret, fc_fail *fail)
{
    const char *name = set_text(cli_args_text(args, CLI_CONTEXT));
    bool named_here = name != NULL;
    if (name == NULL)
        name = set_text(lookup("FLEETCAP_CONTEXT"));
    if (name == NULL)
        name = set_text(json_string_value(json_object_get(config->tree, "current")));
    const json_t *chosen =
        name != NULL ? json_object_get(json_object_get(config->tree, "contexts"), name) : NULL;
    if (name != NULL && chosen == NULL)
        return no_such_context(config, name, fail);
    memset(ret, 0, sizeof *ret);
    ret->name = fc_strdup(name);
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++) {
        const cli_value_source *source = &cli_value_sources[i];
        const char *text =
            source->option != CLI_OPTION_NONE ? set_text(cli_args_text(args, source->option)) : NULL;
        ret->from[i] = "option";
        if (text == NULL && source->environment != NULL && !named_here) {
            text = set_text(lookup(source->environment));
            ret->from[i] = "environment";
        }
        if (text != NULL) {
            ret->values[i] = fc_strdup(text);
            continue;
        }
        text = set_text(json_string_value(json_object_get(chosen, source->key)));
        ret->from[i] = text != NULL ? "file" : NULL;
        if (text != NULL)
            ret->values[i] = file_value(config, source, text);
    }
    return FC_OK;
}

fc_err
cli_context_check(const cli_context *context, fc_fail *fail)
{
    static const struct {
        cli_value value;
        const char *what;
    } needed[] = {
        {CLI_VALUE_COORDINATOR, "coordinator"},
        {CLI_VALUE_CA, "CA certificate"},
        {CLI_VALUE_CERTIFICATE, "certificate of yours"},
        {CLI_VALUE_KEY, "private key"},
    };
    for (size_t i = 0; i < FC_COUNT(needed); i++) {
        const cli_value_source *source = &cli_value_sources[needed[i].value];
        if (context->values[needed[i].value] != NULL)
            continue;
        const char *option = cli_options[source->option].name,
                   *argument = cli_options[source->option].argument;
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "no %s is configured: use --%s %s, set %s, or run fleetcap context set %s --%s %s",
                           needed[i].what, option, argument, source->environment,
                           context->name != NULL ? context->name : "NAME", option, argument);
    }
    return FC_OK;
}

const char *
cli_context_label(const cli_context *context)
{
    if (context->name != NULL)
        return context->name;
    const char *from = context->from[CLI_VALUE_COORDINATOR];
    return from != NULL && strcmp(from, "environment") == 0 ? "(environment)" : "(options)";
}

char *
cli_context_server_name(const cli_context *context)
{
    if (context->values[CLI_VALUE_SERVER_NAME] != NULL)
        return fc_strdup(context->values[CLI_VALUE_SERVER_NAME]);
    const char *address = context->values[CLI_VALUE_COORDINATOR];
    if (address[0] == '[') /* [fd00::1]:7443 */
        return fc_strndup(address + 1, strcspn(address + 1, "]"));
    const char *colon = strrchr(address, ':');
    return colon != NULL ? fc_strndup(address, (size_t)(colon - address)) : fc_strdup(address);
}

void
cli_context_fini(cli_context *context)
{
    free(context->name);
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++)
        free(context->values[i]);
    memset(context, 0, sizeof *context);
}
