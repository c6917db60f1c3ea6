/* A server that dies in the middle of a long answer: its client knows at once, not when the keep-alive does.
 */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/pki.h"
#include "common/tls/tls.h"

#include "fleetcap/v1/capture_service.pb-c.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRIES = 20, NOTICED_MS = 1000, CHUNK = 60000 };

static char directory[] = "/tmp/fleetcap-dead-XXXXXX";

static fc_tls *
credentials(const char *pki, fc_tls_mode mode, const char *leaf)
{
    char ca[128], certificate[128], key[128], crl[128];
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", pki);
    (void)snprintf(certificate, sizeof certificate, "%s/%s.crt", pki, leaf);
    (void)snprintf(key, sizeof key, "%s/%s.key", pki, leaf);
    (void)snprintf(crl, sizeof crl, "%s/crl.pem", pki);
    const fc_tls_files files = {
        .ca = ca, .certificate = certificate, .key = key, .crl = crl, .server_name = "localhost"};
    fc_tls *tls = NULL;
    fc_fail fail;
    if (fc_tls_new(mode, &files, &tls, &fail) != FC_OK) {
        (void)fprintf(stderr, "%s\n", fail.text);
        abort();
    }
    return tls;
}

/* ---- the server: this program once more, because NNG does not live through a fork ---- */

static void
send_chunks(fc_rpc_call *call)
{
    static uint8_t bytes[CHUNK];
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    chunk.data.data = bytes;
    chunk.data.len = sizeof bytes;
    while (fc_rpc_call_writable(call))
        (void)fc_rpc_call_send(call, &chunk.base);
}

static void
read_file(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    static const fc_rpc_call_ops ops = {.on_writable = send_chunks};
    fc_rpc_call_set(call, &ops, NULL);
    send_chunks(call);
}

/* Until it is killed. */
static int
serve(const char *pki)
{
    static const fc_rpc_handler handlers[] = {{.method = FC_METHOD_READ_FILE, .request = read_file}};
    static const fc_rpc_service services[] = {{.handlers = handlers, .handler_count = FC_COUNT(handlers)}};
    fc_loop *loop = NULL;
    fc_rpc_server *server = NULL;
    fc_fail fail;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fc_loop_new(&fc_clock_system, &loop) != FC_OK)
        return 1;
    const fc_rpc_options options = {.loop = loop,
                                    .tls = fc_tls_config(credentials(pki, FC_TLS_SERVER, "coordinator-co")),
                                    .identify = fc_tls_identify,
                                    .services = services,
                                    .service_count = 1};
    if (fc_rpc_server_new(&options, "127.0.0.1:0", &server, &fail) != FC_OK)
        return 1;
    uint16_t port = fc_rpc_server_port(server);
    if (write(STDOUT_FILENO, &port, sizeof port) != (ssize_t)sizeof port)
        return 1;
    for (;;)
        fc_loop_step(loop, -1);
}

static pid_t
start_server(uint16_t *ret_port)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl("/proc/self/exe", "test_rpc_dead_peer", directory, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    ssize_t got;
    do
        got = read(ends[0], ret_port, sizeof *ret_port);
    while (got < 0 && errno == EINTR);
    assert_int_equal(got, sizeof *ret_port);
    (void)close(ends[0]);
    return pid;
}

/* ---- the client ---- */

typedef struct victim {
    pid_t pid;
    unsigned chunks_left; /* until it dies */
    unsigned pause_us;    /* how long the client is busy with a chunk: meanwhile it does not receive */
    int64_t died_ns;
} victim;

static bool
take_chunk(const ProtobufCMessage *message, void *user)
{
    victim *v = user;
    assert_int_equal(((const Fcpb__FileChunk *)(const void *)message)->data.len, CHUNK);
    if (v->chunks_left > 0 && --v->chunks_left == 0) {
        assert_int_equal(kill(v->pid, SIGKILL), 0);
        assert_int_equal(waitpid(v->pid, NULL, 0), v->pid);
        v->died_ns = fc_clock_mono(&fc_clock_system).ns;
    }
    (void)usleep(v->pause_us);
    return true;
}

static void
a_dead_server_is_noticed_within_a_second(void **state)
{
    (void)state;
    fc_tls *tls = credentials(directory, FC_TLS_CLIENT, "operator-olga");
    for (unsigned i = 0; i < TRIES; i++) {
        fc_loop *loop = NULL;
        fc_rpc_client *client = NULL;
        fc_fail fail;
        uint16_t port = 0;
        char address[32];
        victim v = {.chunks_left = 10 + i * 3, .pause_us = i % 4 * 2000};
        v.pid = start_server(&port);
        assert_int_equal(fc_loop_new(&fc_clock_system, &loop), FC_OK);
        const fc_rpc_options options = {.loop = loop, .tls = fc_tls_config(tls), .identify = fc_tls_identify};
        const fc_rpc_backoff backoff = {.first_ms = 10, .max_ms = 50, .once = true};
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
        assert_int_equal(fc_rpc_client_new(&options, address, &backoff, &client, &fail), FC_OK);
        Fcpb__ReadFileRequest request = FCPB__READ_FILE_REQUEST__INIT;
        fc_err err = fc_rpc_stream(client, FC_METHOD_READ_FILE, &request.base, 10000, take_chunk, &v, &fail);
        int64_t took_ms = (fc_clock_mono(&fc_clock_system).ns - v.died_ns) / FC_NS_PER_MS;
        print_message("try %2u: %lld ms: %s\n", i, (long long)took_ms, fail.text);
        assert_int_equal(err, FC_ERR_UNAVAILABLE);
        assert_true(v.died_ns > 0);
        assert_in_range(took_ms, 0, NOTICED_MS);
        fc_rpc_client_free(client);
        fc_loop_free(loop);
    }
    fc_tls_free(tls);
}

static void
issue(fc_role role, const char *name)
{
    static const char *const localhost[] = {"localhost", "127.0.0.1"};
    const fc_pki_request request = {.role = role, .name = name, .dns_names = localhost, .dns_name_count = 2};
    fc_fail fail;
    assert_int_equal(fc_pki_issue(directory, &request, NULL, &fail), FC_OK);
}

static int
make_fleet(void **state)
{
    (void)state;
    fc_fail fail;
    if (mkdtemp(directory) == NULL || fc_pki_init(directory, "test", 30, &fail) != FC_OK)
        return -1;
    issue(FC_ROLE_COORDINATOR, "co");
    issue(FC_ROLE_OPERATOR, "olga");
    return 0;
}

static int
remove_fleet(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int
main(int count, char **arguments)
{
    if (count > 1)
        return serve(arguments[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_dead_server_is_noticed_within_a_second)};
    return cmocka_run_group_tests(tests, make_fleet, remove_fleet);
}
