#include "service_rig.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"

#include <stdio.h>
#include <string.h>

co_config config;
struct co *co;
fc_rpc_server *server;

static co_store *store;
static co_service service;
static fc_principal next_peer; /* who comes next */

static bool
identify_peer(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = next_peer;
    return true;
}

static bool
identify_coordinator(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "acme", .name = "main"};
    return true;
}

void
service_open(const char *yaml)
{
    static fc_rpc_service services[5];
    json_t *tree = NULL;
    fc_fail fail = {0};
    fc_log_open("test", (fc_log_level)0);
    memset(&config, 0, sizeof config);
    must(fc_yaml_parse(yaml, strlen(yaml), &tree, &fail), &fail);
    must(co_config_from_tree(tree, &config, &fail), &fail);
    json_decref(tree);
    assert_int_equal(loop_set_up(NULL), 0);
    must(co_store_open(":memory:", &store, &fail), &fail);
    must(co_open(loop, &config, store, &co_rpc_link_ops, &co, &fail), &fail);
    (void)snprintf(co->fleet, sizeof co->fleet, "acme");
    service = (co_service){.co = co};
    services[0] = (fc_rpc_service){co_node_handlers, co_node_handler_count, &service};
    services[1] = (fc_rpc_service){co_capture_handlers, co_capture_handler_count, &service};
    services[2] = (fc_rpc_service){co_fleet_handlers, co_fleet_handler_count, &service};
    services[3] = (fc_rpc_service){co_enrol_handlers, co_enrol_handler_count, &service};
    services[4] = (fc_rpc_service){co_admission_handlers, co_admission_handler_count, &service};
    fc_rpc_options options = {.loop = loop,
                              .identify = identify_peer,
                              .services = services,
                              .service_count = FC_COUNT(services),
                              .ops = &co_conn_ops,
                              .user = &service};
    must(fc_rpc_server_new(&options, "127.0.0.1:0", &server, &fail), &fail);
    service.server = server;
}

void
service_close(void)
{
    fc_rpc_server_free(server);
    co_close(co);
    co_store_close(store);
    (void)loop_tear_down(NULL);
    co_config_fini(&config);
}

fc_rpc_client *
service_connect(const fc_principal *peer, const fc_rpc_service *services, size_t count)
{
    char address[32];
    fc_rpc_client *client = NULL;
    fc_fail fail = {0};
    fc_rpc_options options = {
        .loop = loop, .identify = identify_coordinator, .services = services, .service_count = count};
    fc_rpc_backoff backoff = {.once = true};
    next_peer = *peer;
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", fc_rpc_server_port(server));
    must(fc_rpc_client_new(&options, address, &backoff, &client, &fail), &fail);
    return client;
}

fc_rpc_client *
service_dial(const fc_principal *peer, const fc_rpc_service *services, size_t count)
{
    uint64_t admitted = fc_rpc_server_counters(server)->connections_admitted;
    fc_rpc_client *client = service_connect(peer, services, count);
    RUN_UNTIL(fc_rpc_client_conn(client) != NULL &&
              fc_rpc_server_counters(server)->connections_admitted > admitted);
    return client;
}

fc_rpc_client *
service_dial_as(fc_role role, const char *name, const fc_rpc_service *services, size_t count)
{
    fc_principal peer = {.role = role, .fleet = "acme"};
    (void)snprintf(peer.name, sizeof peer.name, "%s", name);
    return service_dial(&peer, services, count);
}
