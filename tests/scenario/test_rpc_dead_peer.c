/* A server that dies in the middle of a long answer: its client knows at once, not when the keep-alive does.
 */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"
#include "loop_rig.h"
#include "pki_rig.h"

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

enum { TRIES = 20, NOTICED_MS = FC_RPC_KEEPALIVE_MS / 2, CHUNK = 60000 };

static char directory[TEMP_DIR_BYTES];

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

    fc_rpc_server *server = NULL;
    fc_fail fail;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_set_up(NULL) != 0)
        return 1;
    const fc_rpc_options options = {.loop = loop,
                                    .tls =
                                        fc_tls_config(pki_credentials(pki, FC_TLS_SERVER, "coordinator-co")),
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
a_dead_server_is_noticed_long_before_the_keep_alive_would(void **state)
{
    (void)state;
    fc_tls *tls = pki_credentials(directory, FC_TLS_CLIENT, "operator-olga");
    for (unsigned i = 0; i < TRIES; i++) {

        fc_rpc_client *client = NULL;
        fc_fail fail;
        uint16_t port = 0;
        char address[32];
        victim v = {.chunks_left = 10 + i * 3, .pause_us = i % 4 * 2000};
        v.pid = start_server(&port);
        assert_int_equal(loop_set_up(NULL), 0);
        const fc_rpc_options options = {.loop = loop, .tls = fc_tls_config(tls), .identify = fc_tls_identify};
        const fc_rpc_backoff backoff = {.first_ms = 10, .max_ms = 50, .once = true};
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
        assert_int_equal(fc_rpc_client_new(&options, address, &backoff, &client, &fail), FC_OK);
        Fcpb__ReadFileRequest request = FCPB__READ_FILE_REQUEST__INIT;
        fc_err err = fc_rpc_stream(client, FC_METHOD_READ_FILE, &request.base, 2 * FC_RPC_KEEPALIVE_MS,
                                   take_chunk, &v, &fail);
        int64_t took_ms = (fc_clock_mono(&fc_clock_system).ns - v.died_ns) / FC_NS_PER_MS;
        print_message("try %2u: %lld ms: %s\n", i, (long long)took_ms, fail.text);
        assert_int_equal(err, FC_ERR_UNAVAILABLE);
        assert_true(v.died_ns > 0);
        assert_in_range(took_ms, 0, NOTICED_MS);
        fc_rpc_client_free(client);
        (void)loop_tear_down(NULL);
    }
    fc_tls_free(tls);
}

static int
make_fleet(void **state)
{
    (void)state;
    pki_make(directory);
    pki_issue(directory, FC_ROLE_COORDINATOR, "co");
    pki_issue(directory, FC_ROLE_OPERATOR, "olga");
    return 0;
}

static int
remove_fleet(void **state)
{
    (void)state;
    return temp_dir_remove(directory);
}

int
main(int count, char **arguments)
{
    if (count > 1)
        return serve(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_server_is_noticed_long_before_the_keep_alive_would)};
    return cmocka_run_group_tests(tests, make_fleet, remove_fleet);
}
