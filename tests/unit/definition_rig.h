/* definition_rig.h: capture definitions as an operator writes them. */
#ifndef TESTS_UNIT_DEFINITION_RIG_H
#define TESTS_UNIT_DEFINITION_RIG_H

#include "common/model/definition.h"

/* YAML in which every key stands. */
extern const char everything[];

fc_err
read_yaml(const char *text, fc_definition *ret, fc_fail *fail);
/* Reads what must be good. */
fc_definition
definition_of(const char *text);

#endif
