/* config.h: what the node daemon's configuration file says. */
#ifndef ND_CONFIG_H
#define ND_CONFIG_H

#include "common/base/config.h"
#include "common/base/err.h"
#include "common/model/definition.h"
#include "node/policy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nd_config {
    char *state_dir; /* owned, as all texts here; NULL = credentials are somebody else's to renew */
    char *coordinator;
    char *server_name;               /* NULL = the coordinator's host */
    char *ca, *certificate, *key;    /* those of state_dir when not set */
    char *crl;                       /* NULL = none */
    char *name;                      /* NULL = the host's */
    char *scale_set, *region, *zone; /* the certificate's go before the first two, where it has them */
    char *captures_dir;
    char *helper; /* NULL = fleetcap-capture beside this program */
    char *user;   /* NULL = stay who we are */
    char *log_level;
    json_t *labels_tree, *interfaces_tree; /* owned; read into the following */
    fc_labels labels;
    uint64_t ring_bytes;
    uint64_t disk_floor, max_session_bytes, max_time_limit_ms, max_bytes_per_packet, max_captures;
    nd_policy policy;
} nd_config;

/* Every key, for the parser and for the manual page. */
extern const fc_config_key nd_config_keys[];
extern const size_t nd_config_key_count;

/* Defaults, then the tree; fills in what depends on this machine. The caller finishes *ret in every case. */
FC_MUST_USE fc_err
nd_config_from_tree(const json_t *tree, nd_config *ret, fc_fail *fail);
/* The same from a YAML file, with what state_dir's identity.yaml says beneath it. The sentence names file,
 * key and reason. */
FC_MUST_USE fc_err
nd_config_load(const char *path, nd_config *ret, fc_fail *fail);
/* For an enrolment: a file that needs neither a coordinator nor credentials yet; names that it does not set
 * stay NULL. Without the file, when it may be missing, nothing is set. */
FC_MUST_USE fc_err
nd_config_load_before(const char *path, bool may_be_missing, nd_config *ret, fc_fail *fail);
void
nd_config_fini(nd_config *config);

#endif
