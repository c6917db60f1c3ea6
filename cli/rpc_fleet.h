/* rpc_fleet.h: FleetService as domain types. */
#ifndef CLI_RPC_FLEET_H
#define CLI_RPC_FLEET_H

#include "cli/rpc_capture.h"

typedef struct cli_instance {
    char id[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char zone[FC_NAME_MAX + 1];
    fc_labels labels;
    bool online;
    fc_wall last_seen;
    char *version, *address, *boot_id; /* owned */
    int64_t clock_offset_ns, clock_bound_ns, round_trip_ns;
    cli_statuses captures; /* only from cli_rpc_instance */
} cli_instance;
void
cli_instance_fini(cli_instance *instance);

typedef struct cli_instances {
    cli_instance *items; /* owned */
    size_t count, capacity;
} cli_instances;
void
cli_instances_fini(cli_instances *instances);
/* NULL when it is not among them. Borrowed. */
const cli_instance *
cli_instances_find(const cli_instances *instances, const char *id);

typedef struct cli_counter {
    char *name, *help; /* owned */
    uint64_t value;
} cli_counter;
typedef struct cli_fleet {
    char fleet_id[FC_NAME_MAX + 1];
    char *coordinator, *version; /* owned */
    uint32_t instance_count, online_count;
    fc_strings regions, scale_sets;
    cli_counter *counters; /* owned */
    size_t counter_count;
} cli_fleet;
void
cli_fleet_fini(cli_fleet *fleet);

FC_MUST_USE fc_err
cli_rpc_fleet(cli_session *session, uint32_t timeout_ms, cli_fleet *ret, fc_fail *fail);
/* Appends to *ret, which the caller finishes whatever happens. */
FC_MUST_USE fc_err
cli_rpc_instances(cli_session *session, const fc_target *target, uint32_t timeout_ms, cli_instances *ret,
                  fc_fail *fail);
/* instance: id or name. */
FC_MUST_USE fc_err
cli_rpc_instance(cli_session *session, const char *instance, uint32_t timeout_ms, cli_instance *ret,
                 fc_fail *fail);

#endif
