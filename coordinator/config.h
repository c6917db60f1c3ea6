/* config.h: what the coordinator's configuration file says. */
#ifndef CO_CONFIG_H
#define CO_CONFIG_H

#include "common/base/config.h"
#include "common/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct co_config {
    char *listen; /* owned, as all texts here */
    char *state_dir;
    char *ca;
    char *certificate;
    char *key;
    char *crl;    /* NULL = no revocation list */
    char *ca_key; /* NULL = enrolment is off */
    char *name;   /* NULL = the certificate's */
    char *log_level;
    uint64_t certificate_life_ms;
    uint64_t lease_ms;
    uint64_t heartbeat_ms;
    uint64_t report_interval_ms;
    uint64_t arm_timeout_ms;
    uint64_t silent_after_ms;
    uint64_t max_running_per_region;
    uint64_t max_running_per_instance;
    uint64_t max_instances;
} co_config;

/* Every key, for the parser and for the manual page. */
extern const fc_config_key co_config_keys[];
extern const size_t co_config_key_count;

/* Defaults, then the tree. The caller finishes *ret in every case. */
FC_MUST_USE fc_err
co_config_from_tree(const json_t *tree, co_config *ret, fc_fail *fail);
/* The same from a YAML file. The sentence names file, key and reason. */
FC_MUST_USE fc_err
co_config_load(const char *path, co_config *ret, fc_fail *fail);
void
co_config_fini(co_config *config);

#endif
