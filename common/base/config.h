/* config.h: a program's configuration: a table of keys, filled from a YAML file.
 *
 * Unknown keys, wrong types and values out of range are refused with the key, the value and the reason.
 */
#ifndef FC_BASE_CONFIG_H
#define FC_BASE_CONFIG_H

#include "common/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_config_kind {
    FC_CONFIG_STRING,   /* char *: owned, free(3) it; default_text may be NULL */
    FC_CONFIG_NAME,     /* char *: owned, must satisfy fc_name_check */
    FC_CONFIG_U64,      /* uint64_t */
    FC_CONFIG_SIZE,     /* uint64_t bytes, "100MiB" */
    FC_CONFIG_DURATION, /* uint64_t milliseconds, "15s" */
    FC_CONFIG_BOOL,     /* bool */
    FC_CONFIG_TREE,     /* json_t *: owned reference, NULL when absent; for lists and maps */
} fc_config_kind;

typedef struct fc_config_key {
    const char *name;
    fc_config_kind kind;
    size_t offset;            /* of the field in the program's struct */
    const char *default_text; /* parsed like a value of the file */
    uint64_t min, max;        /* for numbers; max 0 = no limit */
    bool required;
    const char *help;
} fc_config_key;

/* Fills *config (zeroed by the caller) with defaults and then with tree (may be NULL = defaults only). */
FC_MUST_USE fc_err
fc_config_fill(const fc_config_key *keys, size_t count, const json_t *tree, void *config, fc_fail *fail);
void
fc_config_fini(const fc_config_key *keys, size_t count, void *config);

#endif
