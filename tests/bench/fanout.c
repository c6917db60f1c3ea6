/* bench-fanout: one real coordinator, N nodes in this process, each with its own certificate and TLS
 * connection.
 *
 * Measures what an operator waits for: create -> every instance RUNNING as the coordinator sees it, stop ->
 * every instance acknowledged; what a connection costs the coordinator in memory; and how long a fleet takes
 * to come back after the coordinator was killed. Helpers and disks are played (node/fake_*.h): everything
 * else is the real thing. The nodes and the operator share one thread, so that on a small machine the fleet
 * itself is part of the time.
 */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "node/fake_backend.h"
#include "node/fake_storage.h"
#include "node/link.h"
#include "node/node.h"
#include "tests/bench/fanout_fleet.h"

#include <errno.h>
#include <fleetcap/v1/capture_service.pb-c.h>
#include <fleetcap/v1/fleet_service.pb-c.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INSTANCES_DEFAULT = 1000,
    INSTANCES_MAX = 20000,
    CONNECTING_MAX = 128, /* at once, the first time: full handshakes on both sides of one machine */
    CONNECT_MS = 600000,
    STEP_MS = 60000, /* no single step may take longer */
    SETTLE_MS = 1500,
    /* The lead of a start follows from the worst round trip of all. While this machine does both sides of the
     * first handshakes, every round trip is long; after a keep-alive everybody has measured one without. */
    REST_MS = FC_RPC_KEEPALIVE_MS + 1000,
};

typedef struct options {
    size_t instances;
    bool json;
    bool keep;
} options;

typedef struct sim {
    nd_identity identity;
    char id[FC_NAME_MAX + 1];
    fc_tls *tls; /* owned, as all here */
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node;
    nd_link *link;
} sim;

typedef struct bench {
    options chosen;
    bench_fleet fleet;
    fc_loop *loop;
    sim *sims; /* owned */
    size_t made;
    fc_labels labels;
    nd_policy policy;
    fc_tls *operator_tls;
    fc_rpc_client *operator_client;

    uint32_t running; /* of the watched capture, as the coordinator says */
    size_t stopped;
    bool stop_over;
    fc_mono last_event;

    uint32_t lead_ms; /* of the start, as the coordinator decided it; part of all_running_ms */
    double connect_ms, all_running_ms, all_stopped_ms, rss_per_connection_kib, reconnect_ms;
} bench;

static double
since_ms(const bench *b, fc_mono from)
{
    return (double)(fc_loop_now(b->loop).ns - from.ns) / (double)FC_NS_PER_MS;
}

static fc_err
one_interface(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail)
{
    (void)asked;
    (void)allowed;
    (void)fail;
    fc_strings_add(ret_names, "eth0");
    return FC_OK;
}

/* ---- the fleet ---- */

static fc_err
sim_start(bench *b, size_t index, fc_fail *fail)
{
    static const nd_fake_options helper = {
        .arm_ms = 10, .stop_ms = 5, .drain_ms = 10, .progress_ms = 1000, .packets_per_progress = 10};
    sim *s = &b->sims[index];
    char certificate[PATH_MAX], key[PATH_MAX];
    bench_fleet_node_name(index, s->id);
    bench_fleet_node_files(&b->fleet, index, certificate, key);
    fc_tls_files files = {
        .ca = b->fleet.ca, .certificate = certificate, .key = key, .server_name = "127.0.0.1"};
    fc_err err = fc_tls_new(FC_TLS_CLIENT, &files, &s->tls, fail);
    if (err != FC_OK)
        return err;
    s->identity = (nd_identity){.id = s->id,
                                .name = s->id,
                                .scale_set = "bench",
                                .region = index % 2 == 0 ? "eu" : "us",
                                .zone = "",
                                .labels = &b->labels};
    s->backend = nd_fake_backend_new(b->loop, &helper);
    s->storage = nd_fake_storage_new(b->loop);
    nd_node_options node = {.loop = b->loop,
                            .backend = s->backend,
                            .storage = s->storage,
                            .identity = &s->identity,
                            .policy = &b->policy,
                            .captures_dir = "/var/captures",
                            .ring_bytes = 1 << 20,
                            .interfaces = one_interface};
    s->node = nd_node_new(&node);
    nd_link_options link = {
        .loop = b->loop, .node = s->node, .tls = fc_tls_config(s->tls), .coordinator = b->fleet.address};
    err = nd_node_start(s->node, fail);
    return err == FC_OK ? nd_link_new(&link, &s->link, fail) : err;
}

static void
sim_free(sim *s)
{
    nd_link_free(s->link);
    nd_node_free(s->node);
    nd_fake_storage_free(s->storage);
    nd_fake_backend_free(s->backend);
    fc_tls_free(s->tls);
}

static size_t
ready_count(const bench *b)
{
    size_t ready = 0;
    for (size_t i = 0; i < b->made; i++)
        ready += nd_link_ready(b->sims[i].link);
    return ready;
}

static fc_err
late(const bench *b, const char *what, size_t count, fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_TIMEOUT, "%s: only %zu of %zu in time", what, count, b->chosen.instances);
}

static fc_err
connect_all(bench *b, fc_fail *fail)
{
    fc_mono from = fc_loop_now(b->loop);
    size_t ready = 0;
    for (int round = 0; ready < b->chosen.instances; round++) {
        while (b->made < b->chosen.instances && b->made - ready < CONNECTING_MAX) {
            fc_err err = sim_start(b, b->made++, fail);
            if (err != FC_OK) {
                b->made--;
                sim_free(&b->sims[b->made]);
                return err;
            }
        }
        fc_loop_step(b->loop, 20);
        ready = ready_count(b);
        if (since_ms(b, from) > CONNECT_MS)
            return late(b, "connecting", ready, fail);
    }
    b->connect_ms = since_ms(b, from);
    return FC_OK;
}

static void
settle(bench *b, int64_t ms)
{
    fc_mono from = fc_loop_now(b->loop);
    while (since_ms(b, from) < (double)ms)
        fc_loop_step(b->loop, 20);
}

/* ---- the operator ---- */

static fc_err
operator_connect(bench *b, fc_fail *fail)
{
    fc_tls_files files = {.ca = b->fleet.ca,
                          .certificate = b->fleet.operator_certificate,
                          .key = b->fleet.operator_key,
                          .server_name = "127.0.0.1"};
    fc_err err = fc_tls_new(FC_TLS_CLIENT, &files, &b->operator_tls, fail);
    if (err != FC_OK)
        return err;
    fc_rpc_options rpc = {
        .loop = b->loop, .tls = fc_tls_config(b->operator_tls), .identify = fc_tls_identify};
    fc_rpc_backoff backoff = {.first_ms = 50, .max_ms = 200};
    return fc_rpc_client_new(&rpc, b->fleet.address, &backoff, &b->operator_client, fail);
}

static fc_err
online_count(bench *b, uint32_t *ret_count, fc_fail *fail)
{
    Fcpb__GetFleetRequest request = FCPB__GET_FLEET_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    fc_err err = fc_rpc_unary(b->operator_client, FC_METHOD_GET_FLEET, &request.base, STEP_MS, &reply, fail);
    if (err != FC_OK)
        return err;
    *ret_count = ((const Fcpb__Fleet *)reply)->online_count;
    protobuf_c_message_free_unpacked(reply, NULL);
    return FC_OK;
}

static void
watched(fc_rpc_call *call, const ProtobufCMessage *message)
{
    bench *b = fc_rpc_call_user(call);
    const Fcpb__CaptureEvent *event = (const Fcpb__CaptureEvent *)message;
    b->running = 0;
    if (event->capture != NULL)
        b->lead_ms = event->capture->lead_time_ms;
    for (size_t i = 0; event->capture != NULL && i < event->capture->n_states; i++)
        if (event->capture->states[i]->state == FCPB__STATE__STATE_RUNNING)
            b->running = event->capture->states[i]->count;
    b->last_event = fc_loop_now(b->loop);
}

static const fc_rpc_call_ops watch_ops = {.on_message = watched};

static fc_err
create(bench *b, fc_fail *fail)
{
    Fcpb__CreateCaptureRequest request = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    Fcpb__WatchCaptureRequest watch = FCPB__WATCH_CAPTURE_REQUEST__INIT;
    fc_definition definition;
    fc_mono from = fc_loop_now(b->loop);
    ProtobufCMessage *reply = NULL;
    fc_definition_init(&definition);
    definition.name = fc_strdup("bench");
    definition.governance.reason = fc_strdup("bench-fanout");
    definition.governance.owner = fc_strdup("bench");
    request.request_id = "bench-create";
    request.definition = fc_definition_to_pb(&definition);
    fc_err err =
        fc_rpc_unary(b->operator_client, FC_METHOD_CREATE_CAPTURE, &request.base, STEP_MS, &reply, fail);
    protobuf_c_message_free_unpacked(&request.definition->base, NULL);
    fc_definition_fini(&definition);
    if (err != FC_OK)
        return err;
    protobuf_c_message_free_unpacked(reply, NULL);
    watch.name = "bench";
    watch.min_interval_ms = 10;
    fc_rpc_call *call = fc_rpc_call_new(fc_rpc_client_conn(b->operator_client), FC_METHOD_WATCH_CAPTURE,
                                        &watch.base, 0, &watch_ops, b);
    while (b->running < b->chosen.instances && since_ms(b, from) < STEP_MS)
        fc_loop_step(b->loop, 100);
    b->all_running_ms = (double)(b->last_event.ns - from.ns) / (double)FC_NS_PER_MS;
    fc_rpc_call_cancel(call);
    return b->running >= b->chosen.instances ? FC_OK : late(b, "running", b->running, fail);
}

static void
acknowledged(fc_rpc_call *call, const ProtobufCMessage *message)
{
    bench *b = fc_rpc_call_user(call);
    const Fcpb__StopAck *ack = (const Fcpb__StopAck *)message;
    if (!ack->acknowledged || ack->instance == NULL || ack->instance->state != FCPB__STATE__STATE_STOPPED)
        return;
    b->stopped++;
    b->last_event = fc_loop_now(b->loop);
}

static void
stop_over(fc_rpc_call *call, const fc_rpc_status *status)
{
    bench *b = fc_rpc_call_user(call);
    if (status->code != FC_CODE_OK)
        (void)fprintf(stderr, "bench-fanout: StopCaptures: %s\n", status->message);
    b->stop_over = true;
}

static const fc_rpc_call_ops stop_ops = {.on_message = acknowledged, .on_closed = stop_over};

static fc_err
stop(bench *b, fc_fail *fail)
{
    Fcpb__StopCapturesRequest request = FCPB__STOP_CAPTURES_REQUEST__INIT;
    char *names[] = {"bench"};
    fc_mono from = fc_loop_now(b->loop);
    request.request_id = "bench-stop";
    request.names = names;
    request.n_names = 1;
    request.wait_ms = STEP_MS / 2;
    (void)fc_rpc_call_new(fc_rpc_client_conn(b->operator_client), FC_METHOD_STOP_CAPTURES, &request.base,
                          STEP_MS, &stop_ops, b);
    while (!b->stop_over)
        fc_loop_step(b->loop, 100);
    b->all_stopped_ms = (double)(b->last_event.ns - from.ns) / (double)FC_NS_PER_MS;
    return b->stopped >= b->chosen.instances ? FC_OK : late(b, "stopped", b->stopped, fail);
}

/* ---- the story ---- */

static fc_err
reconnect(bench *b, fc_fail *fail)
{
    fc_mono from = fc_loop_now(b->loop);
    bench_fleet_kill(&b->fleet);
    fc_err err = bench_fleet_start(&b->fleet, fail);
    size_t ready = b->chosen.instances;
    /* First they have to notice. */
    while (err == FC_OK && ready == b->chosen.instances && since_ms(b, from) < STEP_MS) {
        fc_loop_step(b->loop, 5);
        ready = ready_count(b);
    }
    while (err == FC_OK && ready < b->chosen.instances && since_ms(b, from) < STEP_MS) {
        fc_loop_step(b->loop, 20);
        ready = ready_count(b);
    }
    b->reconnect_ms = since_ms(b, from);
    if (err == FC_OK && ready < b->chosen.instances)
        err = late(b, "back online", ready, fail);
    uint32_t online = 0;
    if (err == FC_OK)
        err = online_count(b, &online, fail);
    return err == FC_OK && online < b->chosen.instances ? late(b, "online", online, fail) : err;
}

static fc_err
measure(bench *b, fc_fail *fail)
{
    uint32_t online = 0;
    fc_err err = operator_connect(b, fail);
    if (err == FC_OK)
        err = online_count(b, &online, fail);
    if (err != FC_OK)
        return err;
    uint64_t before_kib = bench_fleet_rss_kib(&b->fleet);
    err = connect_all(b, fail);
    if (err != FC_OK)
        return err;
    settle(b, REST_MS);
    uint64_t after_kib = bench_fleet_rss_kib(&b->fleet);
    b->rss_per_connection_kib = (double)(after_kib - before_kib) / (double)b->chosen.instances;
    err = create(b, fail);
    if (err == FC_OK) {
        settle(b, SETTLE_MS);
        err = stop(b, fail);
    }
    if (err == FC_OK) {
        settle(b, SETTLE_MS);
        err = reconnect(b, fail);
    }
    return err;
}

static void
print(const bench *b)
{
    if (b->chosen.json) {
        (void)printf("{\"instances\": %zu, \"all_running_ms\": %.1f, \"all_stopped_ms\": %.1f, "
                     "\"rss_per_connection_kib\": %.1f, \"reconnect_ms\": %.1f, \"lead_ms\": %" PRIu32 "}\n",
                     b->chosen.instances, b->all_running_ms, b->all_stopped_ms, b->rss_per_connection_kib,
                     b->reconnect_ms, b->lead_ms);
        return;
    }
    (void)printf("instances                        %8zu\n", b->chosen.instances);
    (void)printf("connected, the first time        %8.0f ms\n", b->connect_ms);
    (void)printf("create -> all RUNNING            %8.1f ms\n", b->all_running_ms);
    (void)printf("  of it, lead of the start       %8" PRIu32 " ms\n", b->lead_ms);
    (void)printf("stop -> all STOPPED              %8.1f ms\n", b->all_stopped_ms);
    (void)printf("coordinator, per connection      %8.1f KiB\n", b->rss_per_connection_kib);
    (void)printf("killed -> all back online        %8.1f ms\n", b->reconnect_ms);
}

static int
run(bench *b)
{
    fc_fail fail = {0};
    fc_err err = bench_fleet_make(&b->fleet, b->chosen.instances, &fail);
    if (err == FC_OK)
        err = fc_loop_new(&fc_clock_system, &b->loop);
    if (err == FC_OK)
        err = bench_fleet_start(&b->fleet, &fail);
    b->sims = fc_alloc_array(b->chosen.instances, sizeof b->sims[0]);
    b->policy.captures_max = 8;
    if (err == FC_OK)
        err = measure(b, &fail);
    if (err == FC_OK)
        print(b);
    else
        (void)fprintf(stderr, "bench-fanout: %s\n", fail.text);
    for (size_t i = 0; i < b->made; i++)
        sim_free(&b->sims[i]);
    fc_rpc_client_free(b->operator_client);
    fc_tls_free(b->operator_tls);
    fc_loop_free(b->loop);
    free(b->sims);
    bench_fleet_remove(&b->fleet, b->chosen.keep);
    return (int)fc_err_exit(err);
}

static const char usage[] =
    "Usage: bench-fanout [--instances COUNT] [--json] [--keep]\n"
    "\n"
    "  --instances COUNT  how many nodes (default 1000, at most 20000)\n"
    "  --json             print one JSON object\n"
    "  --keep             leave credentials and the coordinator's log where they are\n";

int
main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"instances", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"keep", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bench b = {.chosen.instances = INSTANCES_DEFAULT};
    uint64_t count = INSTANCES_DEFAULT;
    for (int option; (option = getopt_long(argc, argv, "n:jh", longs, NULL)) != -1;) {
        if (option == 'n' && fc_u64_parse(optarg, INSTANCES_MAX, &count) == FC_OK && count > 0)
            continue;
        if (option == 'j')
            b.chosen.json = true;
        else if (option == 'k')
            b.chosen.keep = true;
        else {
            (void)fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? FC_EXIT_OK : FC_EXIT_USAGE;
        }
    }
    b.chosen.instances = (size_t)count;
    fc_log_open("bench-fanout", FC_LOG_ERROR);
    return run(&b);
}
