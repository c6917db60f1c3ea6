#include "cli/rpc_fleet.h"

#include "cli/answers.h"
#include "common/base/mem.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/types.pb-c.h"

#include <stdlib.h>
#include <string.h>

void
cli_instance_fini(cli_instance *instance)
{
    fc_labels_fini(&instance->labels);
    free(instance->version);
    free(instance->address);
    free(instance->boot_id);
    cli_statuses_fini(&instance->captures);
    memset(instance, 0, sizeof *instance);
}

void
cli_instances_fini(cli_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++)
        cli_instance_fini(&instances->items[i]);
    free(instances->items);
    memset(instances, 0, sizeof *instances);
}

const cli_instance *
cli_instances_find(const cli_instances *instances, const char *id)
{
    for (size_t i = 0; i < instances->count; i++)
        if (strcmp(instances->items[i].id, id) == 0)
            return &instances->items[i];
    return NULL;
}

void
cli_fleet_fini(cli_fleet *fleet)
{
    free(fleet->coordinator);
    free(fleet->version);
    fc_strings_fini(&fleet->regions);
    fc_strings_fini(&fleet->scale_sets);
    for (size_t i = 0; i < fleet->counter_count; i++) {
        free(fleet->counters[i].name);
        free(fleet->counters[i].help);
    }
    free(fleet->counters);
    memset(fleet, 0, sizeof *fleet);
}

/* ---- from messages ---- */

static fc_err
instance_from_pb(const Fcpb__Instance *message, cli_instance *ret, fc_fail *fail)
{
    const cli_word words[] = {
        {message->id, "an instance id", false, ret->id},
        {message->name, "an instance", false, ret->name},
        {message->scale_set, "a scale set", true, ret->scale_set},
        {message->region, "a region", true, ret->region},
        {message->zone, "a zone", true, ret->zone},
    };
    fc_err err = cli_answers_names(words, FC_COUNT(words), fail);
    for (size_t i = 0; i < message->n_labels; i++)
        fc_labels_set(&ret->labels, message->labels[i]->key, message->labels[i]->value);
    ret->online = message->online;
    ret->last_seen.ns = message->last_seen_unix_ns;
    ret->version = fc_strdup(message->version);
    ret->address = fc_strdup(message->address);
    ret->boot_id = fc_strdup(message->boot_id);
    ret->clock_offset_ns = message->clock_offset_ns;
    ret->clock_bound_ns = message->clock_bound_ns;
    ret->round_trip_ns = message->round_trip_ns;
    for (size_t i = 0; i < message->n_captures && err == FC_OK; i++) {
        fc_status status = {0};
        err = fc_status_from_pb(message->captures[i], &status, fail);
        if (err == FC_OK)
            cli_statuses_put(&ret->captures, &status);
        fc_status_fini(&status);
    }
    return err;
}

static bool
take_instance(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_instances *list = answers->into;
    cli_instance instance = {0};
    answers->err = instance_from_pb((const Fcpb__Instance *)answer, &instance, &answers->fail);
    if (answers->err != FC_OK) {
        cli_instance_fini(&instance);
        return false;
    }
    list->items = fc_grow_room(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = instance;
    return true;
}

fc_err
cli_rpc_instances(cli_session *session, const fc_target *target, uint32_t timeout_ms, cli_instances *ret,
                  fc_fail *fail)
{
    Fcpb__ListInstancesRequest message = FCPB__LIST_INSTANCES_REQUEST__INIT;
    message.target = fc_target_to_pb(target);
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_LIST_INSTANCES,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_instance};
    fc_err err = cli_answers_gather(session, request, &answers, fail);
    protobuf_c_message_free_unpacked(&message.target->base, NULL);
    return err;
}

fc_err
cli_rpc_instance(cli_session *session, const char *instance, uint32_t timeout_ms, cli_instance *ret,
                 fc_fail *fail)
{
    Fcpb__GetInstanceRequest message = FCPB__GET_INSTANCE_REQUEST__INIT;
    message.instance = (char *)instance;
    cli_instances list = {0};
    cli_answers answers = {.into = &list};
    cli_request request = {.method = FC_METHOD_GET_INSTANCE,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_instance};
    fc_err err = cli_answers_gather(session, request, &answers, fail);
    if (err == FC_OK && list.count != 1)
        err = fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator answered with %zu instances for one",
                          list.count);
    if (err == FC_OK) {
        *ret = list.items[0];
        list.count = 0;
    }
    cli_instances_fini(&list);
    return err;
}

static bool
take_fleet(const ProtobufCMessage *answer, void *user)
{
    cli_answers *answers = user;
    cli_fleet *fleet = answers->into;
    const Fcpb__Fleet *message = (const Fcpb__Fleet *)answer;
    const cli_word id = {message->fleet_id, "a fleet", true, fleet->fleet_id};
    cli_fleet_fini(fleet);
    answers->err = cli_answers_names(&id, 1, &answers->fail);
    fleet->coordinator = fc_strdup(message->coordinator);
    fleet->version = fc_strdup(message->version);
    fleet->instance_count = message->instance_count;
    fleet->online_count = message->online_count;
    for (size_t i = 0; i < message->n_regions; i++)
        fc_strings_add(&fleet->regions, message->regions[i]);
    for (size_t i = 0; i < message->n_scale_sets; i++)
        fc_strings_add(&fleet->scale_sets, message->scale_sets[i]);
    fleet->counters = fc_alloc_array(message->n_counters, sizeof *fleet->counters);
    for (size_t i = 0; i < message->n_counters; i++) {
        const Fcpb__Counter *from = message->counters[i];
        fleet->counters[fleet->counter_count++] =
            (cli_counter){fc_strdup(from->name), fc_strdup(from->help), from->value};
    }
    return true;
}

fc_err
cli_rpc_fleet(cli_session *session, uint32_t timeout_ms, cli_fleet *ret, fc_fail *fail)
{
    Fcpb__GetFleetRequest message = FCPB__GET_FLEET_REQUEST__INIT;
    cli_answers answers = {.into = ret};
    cli_request request = {.method = FC_METHOD_GET_FLEET,
                           .message = &message.base,
                           .timeout_ms = timeout_ms,
                           .each = take_fleet};
    return cli_answers_gather(session, request, &answers, fail);
}
