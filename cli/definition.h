/* definition.h: the options of `capture create` to a definition. Reads files, sends nothing. */
#ifndef CLI_DEFINITION_H
#define CLI_DEFINITION_H

#include "cli/command.h"
#include "common/base/clock.h"
#include "common/model/definition.h"

/* From --file, then the options over it, then checked completely. `ret` is finished by the caller on FC_OK
 * only. now: what --delete-after 30d counts from. */
FC_MUST_USE fc_err
cli_definition_from_args(const cli_args *args, fc_wall now, fc_definition *ret, fc_fail *fail);
/* "protocol=TCP,remotePort=443;8443,remoteIPAddress=10.0.0.0/8", appended to the spec. A comma that no "key="
 * follows belongs to the value before it: "remotePort=80,443". */
FC_MUST_USE fc_err
cli_filter_parse(const char *text, fc_spec *spec, fc_fail *fail);
/* The target options, replacing what is in *target. */
void
cli_target_from_args(const cli_args *args, fc_target *target);
/* As it would be checked in a definition. */
FC_MUST_USE fc_err
cli_target_check(const fc_target *target, fc_fail *fail);

#endif
