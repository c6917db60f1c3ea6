/* FleetService: what operators ask about instances. */
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"
#include "coordinator/target.h"

#include <stdlib.h>
#include <string.h>

/* ---- GetFleet ---- */

static void
add_counter(Fcpb__Fleet *fleet, const char *prefix, const char *name, uint64_t value, const char *help)
{
    Fcpb__Counter *counter = FC_NEW(Fcpb__Counter);
    fcpb__counter__init(counter);
    counter->name = fc_sprintf("%s_%s", prefix, name);
    counter->value = value;
    counter->help = co_message_text(help);
    fleet->counters = fc_grow_array(fleet->counters, fleet->n_counters + 1, sizeof fleet->counters[0]);
    fleet->counters[fleet->n_counters++] = counter;
}

static void
add_counters(const co_service *service, Fcpb__Fleet *fleet)
{
#define X(name, help) add_counter(fleet, "coordinator", #name, service->co->counters.name, help);
    CO_COUNTERS(X)
#undef X
    if (service->server != NULL) {
        const fc_rpc_counters *rpc = fc_rpc_server_counters(service->server);
#define X(name, help) add_counter(fleet, "rpc", #name, rpc->name, help);
        FC_RPC_COUNTERS(X)
#undef X
    }
    if (service->tls != NULL) {
        fc_tls_counters tls;
        fc_tls_counters_get(service->tls, &tls);
#define X(name, help) add_counter(fleet, "tls", #name, tls.name, help);
        FC_TLS_COUNTERS(X)
#undef X
    }
}

/* The distinct texts of a field, as many as a message holds beside the counters. */
static void
put_distinct(const co_registry *registry, co_field field, char ***ret_items, size_t *ret_count)
{
    enum { LISTED_MAX = 256 };
    fc_strings values = {0};
    co_registry_distinct(registry, field, &values);
    size_t count = values.count < LISTED_MAX ? values.count : LISTED_MAX;
    char **items = fc_alloc_array(count + 1, sizeof items[0]);
    for (size_t i = 0; i < count; i++)
        items[i] = fc_strdup(values.items[i]);
    fc_strings_fini(&values);
    *ret_items = items;
    *ret_count = count;
}

static void
on_get_fleet(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    (void)message;
    const co_service *service = user;
    const co_registry *registry = &service->co->registry;
    Fcpb__Fleet *fleet = FC_NEW(Fcpb__Fleet);
    fcpb__fleet__init(fleet);
    fleet->fleet_id = co_message_text(service->co->fleet);
    fleet->coordinator = co_message_text(service->co->name);
    fleet->version = co_message_text(FC_VERSION);
    fleet->instance_count = (uint32_t)registry->count;
    for (const co_instance *i = registry->by_id; i != NULL; i = i->hh.next)
        fleet->online_count += co_instance_reachable(i);
    put_distinct(registry, CO_FIELD_REGION, &fleet->regions, &fleet->n_regions);
    put_distinct(registry, CO_FIELD_SCALE_SET, &fleet->scale_sets, &fleet->n_scale_sets);
    add_counters(service, fleet);
    fc_rpc_call_reply(call, &fleet->base);
    co_message_free(&fleet->base);
}

/* ---- ListInstances ---- */

static bool
next_instance(co_stream *stream)
{
    if (stream->at >= stream->count)
        return false;
    Fcpb__Instance *message =
        co_message_instance(stream->instances[stream->at++], stream->service->co, false);
    (void)fc_rpc_call_send(stream->call, &message->base);
    co_message_free(&message->base);
    return true;
}

static void
all_instances(const co_registry *registry, co_instance ***ret_instances, size_t *ret_count)
{
    co_instance **all = fc_alloc_array(registry->count + 1, sizeof all[0]);
    size_t count = 0;
    for (co_instance *i = registry->by_id; i != NULL; i = i->hh.next)
        all[count++] = i;
    *ret_instances = all;
    *ret_count = count;
}

static fc_err
target_instances(struct co *co, const Fcpb__Target *message, co_instance ***ret_instances, size_t *ret_count,
                 fc_fail *fail)
{
    fc_target target;
    fc_err err = fc_target_from_pb(message, &target, fail);
    if (err != FC_OK)
        return err;
    err = co_target_resolve(co, &target, ret_instances, ret_count, fail);
    fc_target_fini(&target);
    return err;
}

static void
on_list_instances(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ListInstancesRequest *request = (const Fcpb__ListInstancesRequest *)message;
    co_service *service = user;
    co_instance **instances = NULL;
    size_t count = 0;
    fc_fail fail = {0};
    if (request->target == NULL) {
        all_instances(&service->co->registry, &instances, &count);
    } else if (target_instances(service->co, request->target, &instances, &count, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    co_stream *stream = co_stream_new(service, call, next_instance);
    stream->instances = instances;
    stream->count = count;
    service->co->registry.cursors++;
    co_stream_start(stream);
}

/* ---- GetInstance ---- */

static void
on_get_instance(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__GetInstanceRequest *request = (const Fcpb__GetInstanceRequest *)message;
    co_service *service = user;
    co_instance *instance = NULL;
    fc_fail fail = {0};
    if (co_registry_find_named(&service->co->registry, request->instance, &instance, &fail) != FC_OK) {
        fc_rpc_call_fail(call, &fail);
        return;
    }
    Fcpb__Instance *answer = co_message_instance(instance, service->co, true);
    fc_rpc_call_reply(call, &answer->base);
    co_message_free(&answer->base);
}

const fc_rpc_handler co_fleet_handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = on_get_fleet},
    {.method = FC_METHOD_LIST_INSTANCES, .request = on_list_instances},
    {.method = FC_METHOD_GET_INSTANCE, .request = on_get_instance},
};
const size_t co_fleet_handler_count = FC_COUNT(co_fleet_handlers);
