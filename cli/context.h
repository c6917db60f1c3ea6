/* context.h: how to reach which fleet: the configuration file, the environment and the options, in one place.
 *
 * config.yaml:   current: NAME
 *                contexts: {NAME: {coordinator, ca, certificate, key, server_name, fleet}}
 * Which context: --context, then FLEETCAP_CONTEXT, then current. Each value of it can be replaced by its
 * option, then by its environment variable; but a context that was named with --context is not bent by the
 * environment. Relative paths in the file are relative to the file's directory.
 */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "cli/command.h"
#include "common/base/buf.h"
#include "common/base/err.h"

#include <jansson.h>
#include <stddef.h>

typedef enum cli_value {
    CLI_VALUE_COORDINATOR,
    CLI_VALUE_CA,
    CLI_VALUE_CERTIFICATE,
    CLI_VALUE_KEY,
    CLI_VALUE_SERVER_NAME,
    CLI_VALUE_FLEET,
    CLI_VALUE_COUNT
} cli_value;

/* One row per value of a context. */
typedef struct cli_value_source {
    const char *key;         /* in the file */
    cli_option_id option;    /* CLI_OPTION_NONE = no option replaces it */
    const char *environment; /* NULL = no variable replaces it */
    bool is_path;
} cli_value_source;
extern const cli_value_source cli_value_sources[CLI_VALUE_COUNT];

/* The configuration file. {0} is legal for cli_config_fini. */
typedef struct cli_config {
    char *path;   /* owned */
    json_t *tree; /* owned; an empty object when there is no file */
} cli_config;

typedef struct cli_context {
    char *name; /* owned; NULL = none chosen, everything comes from options and environment */
    char *values[CLI_VALUE_COUNT];     /* owned; NULL = not set */
    const char *from[CLI_VALUE_COUNT]; /* "option", "environment" or "file"; literals */
} cli_context;

/* $XDG_CONFIG_HOME/fleetcap/config.yaml, else ~/.config/…. Owned by the caller. */
char *
cli_config_path(void);
/* Reads and checks the file at path (copied). A missing file is an empty configuration. */
FC_MUST_USE fc_err
cli_config_load(const char *path, cli_config *ret_config, fc_fail *fail);
/* Checks keys and types; the sentence names the file and the key. Pure. */
FC_MUST_USE fc_err
cli_config_check(const cli_config *config, fc_fail *fail);
/* Replaces the file, making its directory when needed. */
FC_MUST_USE fc_err
cli_config_save(const cli_config *config, fc_fail *fail);
/* The file's text. Appended to *text. */
void
cli_config_text(const cli_config *config, fc_buf *text);
void
cli_config_fini(cli_config *config);

/* Resolves. lookup: getenv(3), or a test's. `ret` is filled only on FC_OK; finish it with cli_context_fini.
 */
FC_MUST_USE fc_err
cli_context_resolve(const cli_config *config, const cli_args *args, char *(*lookup)(const char *name),
                    cli_context *ret, fc_fail *fail);
/* Everything needed to connect is there; the sentence tells how to set what is missing. */
FC_MUST_USE fc_err
cli_context_check(const cli_context *context, fc_fail *fail);
/* The words to show after "context": its name, or where the values come from. Borrowed. */
const char *
cli_context_label(const cli_context *context);
/* The name that the coordinator's certificate must carry: as configured, else the host of its address.
 * Owned by the caller. */
char *
cli_context_server_name(const cli_context *context);
void
cli_context_fini(cli_context *context);

#endif
