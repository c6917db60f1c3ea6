#include "tls_rig.h"

#include "common/base/mem.h"
#include "common/tls/pki.h"

#include <nng/supplemental/tls/tls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a fleet's files ---- */

char dir[TEMP_DIR_BYTES];
char output[65536];

int
run(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return temp_dir_run(dir, command, output, sizeof output);
}

void
assert_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

const char *
path(const char *name)
{
    static char paths[8][160];
    static unsigned int next;
    char *at = paths[next++ % 8];
    (void)snprintf(at, sizeof paths[0], "%s/%s", dir, name);
    return at;
}

void
issue(const char *pki, fc_role role, const char *name, int64_t not_before, int64_t not_after)
{
    fc_fail fail = {0};
    fc_pki_request request = {
        .role = role, .name = name, .not_before_unix_s = not_before, .not_after_unix_s = not_after};
    if (fc_pki_issue(path(pki), &request, dir, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

void
revoke_one(const char *target)
{
    uint32_t count = 0;
    assert_int_equal(fc_pki_revoke(path("pki"), target, &count, NULL), FC_OK);
    assert_int_equal(count, 1);
}

int
set_up(void **state)
{
    (void)state;
    temp_dir_make(dir);
    if (fc_pki_init(path("pki"), "prod", 0, NULL) != FC_OK)
        return -1;
    issue("pki", FC_ROLE_COORDINATOR, "c1", 0, 0);
    issue("pki", FC_ROLE_NODE, "web-1", 0, 0);
    return run("cp pki/ca.crt ca.crt");
}

int
tear_down(void **state)
{
    (void)state;
    return temp_dir_remove(dir);
}

fc_err
new_tls(fc_tls_mode mode, const char *who, fc_tls **ret_tls, fc_fail *fail)
{
    char *certificate = fc_sprintf("%s/%s.crt", dir, who);
    char *key = fc_sprintf("%s/%s.key", dir, who);
    fc_tls_files files = {
        .ca = path("ca.crt"),
        .certificate = certificate,
        .key = key,
        .crl = path("pki/crl.pem"),
        .ticket_keys = mode == FC_TLS_SERVER ? path("tickets") : NULL,
    };
    fc_err err = fc_tls_new(mode, &files, ret_tls, fail);
    free(certificate);
    free(key);
    return err;
}

fc_tls *
make_tls(fc_tls_mode mode, const char *who)
{
    fc_fail fail = {0};
    fc_tls *tls = NULL;
    if (new_tls(mode, who, &tls, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    return tls;
}

/* ---- two ends ---- */

int
transfer(nng_stream *stream, bool send, void *bytes, size_t size, size_t *ret_count)
{
    nng_aio *aio;
    nng_iov iov = {.iov_buf = bytes, .iov_len = size};
    assert_int_equal(nng_aio_alloc(&aio, NULL, NULL), 0);
    nng_aio_set_timeout(aio, PATIENCE_MS);
    nng_aio_set_iov(aio, 1, &iov);
    if (send)
        nng_stream_send(stream, aio);
    else
        nng_stream_recv(stream, aio);
    nng_aio_wait(aio);
    int status = nng_aio_result(aio);
    if (ret_count != NULL)
        *ret_count = nng_aio_count(aio);
    nng_aio_free(aio);
    return status;
}

void
server_start(server *s)
{
    int port = 0;
    assert_int_equal(nng_stream_listener_alloc(&s->listener, "tls+tcp://127.0.0.1:0"), 0);
    assert_int_equal(nng_stream_listener_set_ptr(s->listener, NNG_OPT_TLS_CONFIG, fc_tls_config(s->tls)), 0);
    assert_int_equal(nng_stream_listener_listen(s->listener), 0);
    assert_int_equal(nng_stream_listener_get_int(s->listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
    s->port = port;
}

void
server_drop(server *s)
{
    if (s->stream != NULL) {
        nng_stream_close(s->stream);
        nng_stream_free(s->stream);
    }
    s->stream = NULL;
}

void
server_stop(server *s)
{
    server_drop(s);
    nng_stream_listener_close(s->listener);
    nng_stream_listener_free(s->listener);
    fc_tls_free(s->tls);
}

static void *
serve(void *context)
{
    server *s = context;
    nng_aio *aio;
    char byte;
    s->status = nng_aio_alloc(&aio, NULL, NULL);
    nng_aio_set_timeout(aio, PATIENCE_MS);
    nng_stream_listener_accept(s->listener, aio);
    s->accepts = true;
    nng_aio_wait(aio);
    s->status = nng_aio_result(aio);
    if (s->status == 0) {
        s->stream = nng_aio_get_output(aio, 0);
        s->status = transfer(s->stream, false, &byte, 1, NULL);
    }
    if (s->status == 0) {
        s->identified = fc_tls_identify(s->stream, &s->peer);
        s->status = transfer(s->stream, true, &byte, 1, NULL);
    }
    if (s->hang_up && s->stream != NULL)
        nng_stream_close(s->stream);
    nng_aio_free(aio);
    return NULL;
}

/* Takes one connection, on a thread of its own: receives a byte, asks who it is, sends the byte back. */
void
serve_one(server *s)
{
    server_drop(s);
    s->status = -1;
    s->accepts = false;
    s->identified = false;
    memset(&s->peer, 0, sizeof s->peer);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void
served(server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

nng_stream *
dial(fc_tls *tls, int port)
{
    char url[64];
    nng_aio *aio;
    nng_stream_dialer *dialer;
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%d", port);
    assert_int_equal(nng_stream_dialer_alloc(&dialer, url), 0);
    assert_int_equal(nng_stream_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, fc_tls_config(tls)), 0);
    assert_int_equal(nng_aio_alloc(&aio, NULL, NULL), 0);
    nng_aio_set_timeout(aio, PATIENCE_MS);
    nng_stream_dialer_dial(dialer, aio);
    nng_aio_wait(aio);
    assert_int_equal(nng_aio_result(aio), 0);
    nng_stream *stream = nng_aio_get_output(aio, 0);
    nng_aio_free(aio);
    nng_stream_dialer_free(dialer);
    return stream;
}

/* A byte there and back; *ret_peer is who answered. */
int
client_talk(nng_stream *stream, fc_principal *ret_peer)
{
    char byte = 'x';
    int status = transfer(stream, true, &byte, 1, NULL);
    if (status == 0)
        status = transfer(stream, false, &byte, 1, NULL);
    if (status == 0)
        assert_true(fc_tls_identify(stream, ret_peer));
    return status;
}

int
client_once(fc_tls *tls, server *s, fc_principal *ret_peer)
{
    serve_one(s);
    nng_stream *stream = dial(tls, s->port);
    int status = client_talk(stream, ret_peer);
    served(s);
    nng_stream_close(stream);
    nng_stream_free(stream);
    return status;
}

/* The client has heard why, and hung up. */
void
assert_refused(const server *s)
{
    assert_int_equal(s->status, NNG_ECONNSHUT);
    assert_false(s->identified);
}

fc_tls_counters
counters(const fc_tls *tls)
{
    fc_tls_counters all;
    fc_tls_counters_get(tls, &all);
    return all;
}

const char *
last_failure(const fc_tls *tls)
{
    static fc_fail fail;
    (void)fc_tls_last_failure(tls, &fail);
    return fail.text;
}

void
pair_start(pair *p)
{
    *p = (pair){.server.tls = make_tls(FC_TLS_SERVER, "coordinator-c1")};
    p->client = make_tls(FC_TLS_CLIENT, "node-web-1");
    server_start(&p->server);
}

void
pair_stop(pair *p)
{
    fc_tls_free(p->client);
    server_stop(&p->server);
}

int
openssl_client(server *s, const char *options)
{
    s->hang_up = true;
    serve_one(s);
    int status =
        run("printf x | timeout 60 openssl s_client -connect 127.0.0.1:%d %s -CAfile ca.crt -ign_eof "
            "-ignore_unexpected_eof "
            "-verify_return_error %s",
            s->port, strstr(options, "-tls1_") == NULL ? "-tls1_2" : "", options);
    served(s);
    return status;
}

int
openssl_serve(const char *options)
{
    /* What the last one said goes first: the shell truncates in the background, when it comes to it. */
    assert_int_equal(run("rm -f s_server.log; "
                         "timeout 60 openssl s_server -accept 127.0.0.1:0 -tls1_2 %s > s_server.log 2>&1 & "
                         "echo $! > s_server.pid; "
                         "for i in $(seq 400); do "
                         "grep -sq '^ACCEPT .*:[0-9]' s_server.log && break; sleep 0.05; done; "
                         "sed -n 's/^ACCEPT .*:\\([0-9]*\\).*/\\1/p' s_server.log",
                         options),
                     0);
    int port = atoi(output);
    assert_in_range(port, 1, 65535);
    return port;
}

void
openssl_serve_end(void)
{
    assert_int_equal(run("kill $(cat s_server.pid)"), 0);
}

int
meet_impostor(const char *who, fc_tls *client)
{
    char *options = fc_sprintf("-www -cert %s.crt -key %s.key -CAfile ca.crt -Verify 1", who, who);
    nng_stream *stream = dial(client, openssl_serve(options));
    free(options);
    char byte = 'x';
    int status = transfer(stream, true, &byte, 1, NULL);
    nng_stream_free(stream);
    openssl_serve_end();
    return status;
}
