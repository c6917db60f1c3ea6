#include "rpc_loopback.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

fc_loop *lo_loop;

/* Plain streams have no certificates: the tests say who is who. */
fc_role lo_client_role = FC_ROLE_OPERATOR;

bool
lo_identify_client(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = lo_client_role, .fleet = "test", .name = "peer"};
    return lo_client_role != FC_ROLE_NONE;
}

bool
lo_identify_server(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "test", .name = "co"};
    return true;
}

/* ---- what the server serves ---- */

static void
get_fleet(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    Fcpb__Fleet fleet = FCPB__FLEET__INIT;
    fleet.fleet_id = (char *)"test";
    fc_rpc_call_reply(call, &fleet.base);
}

/* As many instances as the selector says, all at once: more than a window, so they queue. */
static void
list_instances(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    const Fcpb__ListInstancesRequest *wanted = (const void *)request;
    static char padding[1000];
    memset(padding, 'x', sizeof padding - 1);
    for (long i = 0, count = strtol(wanted->target->selector, NULL, 10); i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "%ld", i);
        Fcpb__Instance instance = FCPB__INSTANCE__INIT;
        instance.id = id;
        instance.version = padding;
        (void)fc_rpc_call_send(call, &instance.base);
    }
    fc_rpc_call_finish(call, &fc_rpc_ok);
}

static void
get_capture(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    const Fcpb__GetCaptureRequest *wanted = (const void *)request;
    if (strcmp(wanted->name, "never") == 0)
        return; /* until the deadline */
    fc_fail fail;
    (void)fc_fail_field(&fail, FC_ERR_NOT_FOUND, "name", "no capture is named %s", wanted->name);
    fc_rpc_call_fail(call, &fail);
}

static const fc_rpc_handler handlers[] = {
    {.method = FC_METHOD_GET_FLEET, .request = get_fleet},
    {.method = FC_METHOD_LIST_INSTANCES, .request = list_instances},
    {.method = FC_METHOD_GET_CAPTURE, .request = get_capture},
};
static const fc_rpc_service services[] = {{.handlers = handlers, .handler_count = FC_COUNT(handlers)}};

/* ---- what is told ---- */

static void
hear_open(fc_rpc_conn *conn, void *user)
{
    lo_heard *h = user;
    h->opened++;
    h->conn = conn;
}

static void
hear_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)conn;
    lo_heard *h = user;
    h->closed++;
    h->why = *why;
    h->conn = NULL;
}

static void
hear_failure(const fc_fail *why, uint64_t retry_ms, void *user)
{
    lo_heard *h = user;
    h->failed++;
    h->failure = *why;
    h->retry_ms = retry_ms;
}

const fc_rpc_conn_ops lo_hear = {
    .on_open = hear_open, .on_close = hear_close, .on_connect_failed = hear_failure};

/* ---- the two sides ---- */

fc_rpc_server *
lo_serve(lo_heard *h, const char *address, fc_rpc_options options)
{
    options.loop = lo_loop;
    options.identify = lo_identify_client;
    options.services = services;
    options.service_count = 1;
    options.ops = &lo_hear;
    options.user = h;
    fc_rpc_server *server = NULL;
    fc_fail fail;
    fc_err err = fc_rpc_server_new(&options, address, &server, &fail);
    if (err != FC_OK)
        fail_msg("%s", fail.text);
    return server;
}

fc_rpc_client *
lo_connect(lo_heard *h, uint16_t port, bool once)
{
    const fc_rpc_options options = {
        .loop = lo_loop, .identify = lo_identify_server, .ops = &lo_hear, .user = h};
    const fc_rpc_backoff backoff = {.first_ms = 20, .max_ms = 100, .once = once};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    fc_rpc_client *client = NULL;
    fc_fail fail;
    fc_err err = fc_rpc_client_new(&options, address, &backoff, &client, &fail);
    if (err != FC_OK)
        fail_msg("%s", fail.text);
    return client;
}

static void
on_quiet(fc_timer *timer)
{
    timer->fire = NULL;
}

bool
lo_quiet_ms(int64_t ms)
{
    fc_timer timer = {.fire = on_quiet};
    fc_loop_timer_after_ms(lo_loop, &timer, ms);
    while (timer.fire != NULL)
        fc_loop_step(lo_loop, -1);
    return true;
}

int
lo_set_up(void **state)
{
    (void)state;
    lo_client_role = FC_ROLE_OPERATOR;
    return fc_loop_new(&fc_clock_system, &lo_loop) == FC_OK ? 0 : -1;
}

int
lo_tear_down(void **state)
{
    (void)state;
    fc_loop_free(lo_loop);
    return 0;
}

fc_err
lo_ask(fc_rpc_client *client, fc_fail *fail)
{
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(client, FC_METHOD_GET_FLEET, &request.base, PATIENCE_MS, &reply, fail);
    if (err == FC_OK) {
        assert_string_equal(((Fcpb__Fleet *)(void *)reply)->fleet_id, "test");
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    return err;
}
