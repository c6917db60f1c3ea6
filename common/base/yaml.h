/* yaml.h: a YAML or JSON document as a jansson tree (JSON is YAML's subset for our purposes).
 *
 * One document, no aliases, no tags; depth and size are bounded. Plain scalars follow YAML 1.2's core schema:
 * true/false/null, integers, decimals; everything else, and everything quoted, is a string.
 */
#ifndef FC_BASE_YAML_H
#define FC_BASE_YAML_H

#include "common/base/err.h"

#include <jansson.h>

enum { FC_YAML_SIZE_MAX = 1 << 20, FC_YAML_DEPTH_MAX = 16, FC_YAML_NODES_MAX = 100000 };

/* *ret_tree is a new reference. The sentence names line and column. */
FC_MUST_USE fc_err
fc_yaml_parse(const char *text, size_t size, json_t **ret_tree, fc_fail *fail);
/* Reads and parses a file ("-" = standard input). */
FC_MUST_USE fc_err
fc_yaml_load(const char *path, json_t **ret_tree, fc_fail *fail);

#endif
