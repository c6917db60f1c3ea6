/* What the RPC layer costs on this machine: round trips, a push to a whole fleet, memory of an idle
 * connection.
 *
 *     bench-rpc [CONNECTIONS]
 *
 * The server is one process, the nodes are another. Over plain TCP, then over mutual TLS. Best of five for
 * each figure, as other load only adds.
 */
#include "common/base/mem.h"
#include "common/rpc/conn.h"
#include "common/rpc/rpc.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"
#include "tests/temp_dir.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5, SERIAL_CALLS = 5000, PIPELINE = 64, PIPELINED_CALLS = 50000 };

static fc_loop *loop;

static void
must(fc_err err, const fc_fail *fail)
{
    if (err == FC_OK)
        return;
    (void)fprintf(stderr, "%s\n", fail->text);
    exit(1);
}

static double
now_ms(void)
{
    return (double)fc_loop_now(loop).ns / 1e6;
}

static bool
identify_node(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_NODE, .fleet = "bench", .name = "web-1"};
    return true;
}

static bool
identify_coordinator(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "bench", .name = "co"};
    return true;
}

static fc_tls *
credentials(const char *pki, fc_tls_mode mode, const char *leaf)
{
    char ca[256], certificate[256], key[256];
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", pki);
    (void)snprintf(certificate, sizeof certificate, "%s/%s.crt", pki, leaf);
    (void)snprintf(key, sizeof key, "%s/%s.key", pki, leaf);
    const fc_tls_files files = {.ca = ca, .certificate = certificate, .key = key};
    fc_tls *tls = NULL;
    fc_fail fail;
    must(fc_tls_new(mode, &files, &tls, &fail), &fail);
    return tls;
}

/* ---- the nodes' process ---- */

static void
set_desired(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    Fcpb__DesiredAck ack = FCPB__DESIRED_ACK__INIT;
    ack.generation = ((const Fcpb__DesiredState *)(const void *)request)->generation;
    fc_rpc_call_reply(call, &ack.base);
}

static void
run_nodes(uint16_t port, unsigned count, const char *pki)
{
    static const fc_rpc_handler handlers[] = {{.method = FC_METHOD_SET_DESIRED, .request = set_desired}};
    static const fc_rpc_service service = {.handlers = handlers, .handler_count = 1};
    fc_fail fail;
    fc_tls *tls = pki != NULL ? credentials(pki, FC_TLS_CLIENT, "node-web-1") : NULL;
    if (fc_loop_new(&fc_clock_system, &loop) != FC_OK)
        exit(1);
    const fc_rpc_options options = {.loop = loop,
                                    .tls = tls != NULL ? fc_tls_config(tls) : NULL,
                                    .identify = tls != NULL ? fc_tls_identify : identify_coordinator,
                                    .services = &service,
                                    .service_count = 1,
                                    .admission_ms = 60000};
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    for (unsigned i = 0; i < count; i++) {
        fc_rpc_client *client;
        must(fc_rpc_client_new(&options, address, NULL, &client, &fail), &fail);
    }
    fc_loop_run(loop);
}

/* ---- the server's process ---- */

typedef struct tally {
    fc_rpc_conn **conns; /* owned array */
    unsigned conn_count;
    unsigned answered;
    unsigned wanted;
    unsigned started;
} tally;

static tally t;

static void
on_open(fc_rpc_conn *conn, void *user)
{
    (void)user;
    t.conns[t.conn_count++] = conn;
}

static void
on_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    (void)why;
    (void)user;
    for (unsigned i = 0; i < t.conn_count; i++)
        if (t.conns[i] == conn)
            t.conns[i] = t.conns[--t.conn_count];
}

static const fc_rpc_conn_ops conn_ops = {.on_open = on_open, .on_close = on_close};

static void
start_one(fc_rpc_conn *conn);

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    if (status->code != FC_CODE_OK) {
        (void)fprintf(stderr, "%s: %s\n", fc_code_name(status->code), status->message);
        exit(1);
    }
    t.answered++;
    if (t.started < t.wanted)
        start_one(fc_rpc_call_conn(call));
}

static const fc_rpc_call_ops call_ops = {.on_closed = on_closed};

static void
start_one(fc_rpc_conn *conn)
{
    Fcpb__DesiredState state = FCPB__DESIRED_STATE__INIT;
    state.generation = ++t.started;
    state.lease_ms = 300000;
    (void)fc_rpc_call_new(conn, FC_METHOD_SET_DESIRED, &state.base, 10000, &call_ops, NULL);
}

/* `wanted` calls, `at_once` of them open at any time, spread over `over` connections. In milliseconds. */
static double
measure(unsigned wanted, unsigned at_once, unsigned over)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        t.answered = t.started = 0;
        t.wanted = wanted;
        double start = now_ms();
        for (unsigned i = 0; i < at_once; i++)
            start_one(t.conns[i % over]);
        while (t.answered < wanted)
            fc_loop_step(loop, -1);
        double took = now_ms() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Resident and heap bytes of this process. */
static void
memory(size_t *ret_resident, size_t *ret_heap)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        exit(1);
    (void)fclose(file);
    *ret_resident = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
    struct mallinfo2 info = mallinfo2();
    *ret_heap = info.uordblks + info.hblkhd;
}

static size_t
own_bytes(const fc_rpc_conn *conn)
{
    return malloc_usable_size((void *)(uintptr_t)conn) + malloc_usable_size(conn->link) +
           conn->in.in.capacity + conn->out.capacity + conn->sending.capacity;
}

static void
wait_ms(int64_t ms)
{
    double until = now_ms() + (double)ms;
    while (now_ms() < until)
        fc_loop_step(loop, 10);
}

static void
bench(unsigned count, const char *pki)
{
    fc_fail fail;
    fc_tls *tls = pki != NULL ? credentials(pki, FC_TLS_SERVER, "coordinator-co") : NULL;
    t = (tally){.conns = fc_alloc_array(count, sizeof(fc_rpc_conn *))};
    if (fc_loop_new(&fc_clock_system, &loop) != FC_OK)
        exit(1);
    const fc_rpc_options options = {.loop = loop,
                                    .tls = tls != NULL ? fc_tls_config(tls) : NULL,
                                    .identify = tls != NULL ? fc_tls_identify : identify_node,
                                    .ops = &conn_ops,
                                    .pending_max = 20000,
                                    .admission_ms = 60000};
    fc_rpc_server *server;
    must(fc_rpc_server_new(&options, "127.0.0.1:0", &server, &fail), &fail);
    size_t resident_before, heap_before, resident, heap;
    memory(&resident_before, &heap_before);
    double start = now_ms();
    char self[32], port[16], nodes[16];
    (void)snprintf(self, sizeof self, "/proc/self/exe");
    (void)snprintf(port, sizeof port, "%u", fc_rpc_server_port(server));
    (void)snprintf(nodes, sizeof nodes, "%u", count);
    pid_t child = fork(); /* a fresh process: NNG's threads do not survive a fork */
    if (child == 0) {
        (void)execl(self, "bench-rpc", "--nodes", port, nodes, pki, (char *)NULL);
        _exit(1);
    }
    while (t.conn_count < count)
        fc_loop_step(loop, -1);
    (void)printf("%s, %u connections\n", pki != NULL ? "mutual TLS" : "plain TCP", count);
    (void)printf("  all open after                %8.0f ms\n", now_ms() - start);
    wait_ms(1000);
    memory(&resident, &heap);
    (void)printf("  idle connection, our own      %8zu bytes\n", own_bytes(t.conns[0]));
    (void)printf("  with NNG and TLS, heap        %8zu bytes\n", (heap - heap_before) / count);
    (void)printf("  with NNG and TLS, resident    %8zu bytes\n", (resident - resident_before) / count);
    (void)printf("  serial round trips            %8.0f /s\n",
                 SERIAL_CALLS * 1e3 / measure(SERIAL_CALLS, 1, 1));
    (void)printf("  %d at once, one connection    %8.0f /s\n", PIPELINE,
                 PIPELINED_CALLS * 1e3 / measure(PIPELINED_CALLS, PIPELINE, 1));
    (void)printf("  push to all, all answered     %8.1f ms\n", measure(count, count, count));
    (void)fflush(stdout);
    fc_rpc_server_free(server);
    (void)kill(child, SIGTERM);
    (void)waitpid(child, NULL, 0);
    fc_loop_free(loop);
    fc_tls_free(tls);
    free(t.conns);
}

static void
make_fleet(char pki[TEMP_DIR_BYTES])
{
    fc_fail fail;
    static const char *const names[] = {"127.0.0.1"};
    const fc_pki_request leaves[] = {
        {.role = FC_ROLE_COORDINATOR, .name = "co", .dns_names = names, .dns_name_count = 1},
        {.role = FC_ROLE_NODE, .name = "web-1"},
    };
    temp_dir_make(pki);
    must(fc_pki_init(pki, "bench", 1, &fail), &fail);
    for (size_t i = 0; i < FC_COUNT(leaves); i++)
        must(fc_pki_issue(pki, &leaves[i], NULL, &fail), &fail);
}

int
main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (argc >= 4 && strcmp(argv[1], "--nodes") == 0) {
        run_nodes((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]), argc > 4 ? argv[4] : NULL);
        return 0;
    }
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
    char pki[TEMP_DIR_BYTES];
    fc_tls_tune_memory();
    make_fleet(pki);
    bench(count, NULL);
    bench(count, pki);
    return temp_dir_remove(pki);
}
