/* Bytes over TLS: they arrive whole, an end is told, noise hurts nobody, and many at once agree. */
#include "common/base/mem.h"
#include "common/tls/tls.h"
#include "tests/port_rig.h"
#include "tls_rig.h"

#include <nng/nng.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- bytes ---- */

static void *
send_all(void *context)
{
    nng_stream *stream = context;
    uint8_t *bytes = fc_alloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    /* Other lengths each time, also after a send that was taken in part. */
    for (size_t done = 0, turn = 0; done < 1 << 20; turn++) {
        size_t sent = 0;
        size_t offered = 1 + turn * 7919 % 30000;
        if (offered > (1 << 20) - done)
            offered = (1 << 20) - done;
        if (transfer(stream, true, bytes + done, offered, &sent) != 0)
            break;
        done += sent;
    }
    free(bytes);
    return NULL;
}

static void
a_mebibyte_arrives_whole_both_ways_at_once(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    nng_stream *ends[2] = {stream, p.server.stream};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, ends[i]), 0);
    size_t done[2] = {0};
    while (done[0] < 1 << 20 || done[1] < 1 << 20)
        for (int i = 0; i < 2; i++) {
            uint8_t part[5000];
            size_t got = 0;
            if (done[i] == 1 << 20)
                continue;
            assert_int_equal(transfer(ends[i], false, part, sizeof part, &got), 0);
            for (size_t k = 0; k < got; k++, done[i]++)
                if (part[k] != (uint8_t)(done[i] * 7 + (done[i] >> 8)))
                    fail_msg("byte %zu is wrong", done[i]);
        }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    nng_stream_free(stream);
    pair_stop(&p);
}

static void
close_tells_the_peer(void **state)
{
    (void)state;
    char byte;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    nng_stream *stream = dial(p.client, p.server.port);
    assert_int_equal(client_talk(stream, &p.peer), 0);
    served(&p.server);
    server_drop(&p.server);
    assert_int_equal(transfer(stream, false, &byte, 1, NULL), NNG_ECONNSHUT);
    nng_stream_free(stream);
    pair_stop(&p);
}

static void *
receive_end(void *context)
{
    server *s = context;
    char byte;
    s->status = transfer(s->stream, false, &byte, 1, NULL);
    return NULL;
}

static void
shutdown_loses_nothing_that_was_sent(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    pair p;
    pair_start(&p);
    uint8_t *bytes = fc_alloc(SIZE);
    for (int round = 0; round < 10; round++) {
        serve_one(&p.server);
        nng_stream *stream = dial(p.client, p.server.port);
        assert_false(fc_tls_shutdown(stream));
        assert_int_equal(client_talk(stream, &p.peer), 0);
        served(&p.server);
        for (size_t done = 0, sent = 0; done < SIZE; done += sent)
            assert_int_equal(transfer(p.server.stream, true, bytes + done, SIZE - done, &sent), 0);
        assert_true(fc_tls_shutdown(p.server.stream));
        assert_int_equal(transfer(p.server.stream, true, bytes, 1, NULL), NNG_ECLOSED);

        assert_int_equal(pthread_create(&p.server.thread, NULL, receive_end, &p.server), 0);
        size_t got = 0;
        size_t total = 0;
        int status;
        while ((status = transfer(stream, false, bytes, SIZE, &got)) == 0)
            total += got;
        assert_int_equal(status, NNG_ECONNSHUT);
        assert_int_equal(total, SIZE);
        nng_stream_close(stream);
        nng_stream_free(stream);
        served(&p.server);
        assert_int_equal(p.server.status, NNG_ECONNSHUT);
    }
    free(bytes);
    pair_stop(&p);
}

static void
what_is_not_tls_fails_and_hurts_nobody(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff",
                                        "\x16\x03\x03\x00\x01\x01", "\x80\x2e\x01\x03\x01"};
    pair p;
    pair_start(&p);
    for (size_t i = 0; i < FC_COUNT(lines); i++) {
        serve_one(&p.server);
        int fd = port_connect((uint16_t)p.server.port);
        uint8_t noise[4096];
        memset(noise, 0xa5, sizeof noise);
        memcpy(noise, lines[i], strlen(lines[i]));
        assert_true(write(fd, noise, sizeof noise) > 0);
        (void)shutdown(fd, SHUT_WR);
        served(&p.server);
        close(fd);
        assert_int_not_equal(p.server.status, 0);
        assert_int_equal(counters(p.server.tls).handshakes_failed, i + 1);
    }
    assert_int_equal(client_once(p.client, &p.server, &p.peer), 0);
    pair_stop(&p);
}

static void
one_that_connects_and_is_silent_holds_up_nobody(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    serve_one(&p.server);
    while (!p.server.accepts)
        usleep(1000);
    int fd = port_connect((uint16_t)p.server.port);
    server waiting = {.tls = p.server.tls, .listener = p.server.listener, .port = p.server.port};
    assert_int_equal(client_once(p.client, &waiting, &p.peer), 0);
    server_drop(&waiting);
    close(fd);
    served(&p.server);
    assert_int_not_equal(p.server.status, 0);
    server_drop(&p.server);
    pair_stop(&p);
}

/* ---- threads ---- */

enum { STORM_CLIENTS = 6, STORM_EACH = 10 };

static atomic_int storm_left;
static atomic_int storm_failed;
static int storm_port;

static void *
storm_client(void *context)
{
    fc_tls *tls = context;
    for (int i = 0; i < STORM_EACH; i++) {
        fc_principal peer;
        nng_stream *stream = dial(tls, storm_port);
        char byte = 'x';
        if (transfer(stream, true, &byte, 1, NULL) != 0 || transfer(stream, false, &byte, 1, NULL) != 0 ||
            !fc_tls_identify(stream, &peer) || strcmp(peer.name, "c1") != 0)
            storm_failed++;
        nng_stream_close(stream);
        nng_stream_free(stream);
    }
    storm_left--;
    return NULL;
}

static void
many_handshakes_and_reloads_at_once_agree(void **state)
{
    (void)state;
    pair p;
    pair_start(&p);
    storm_port = p.server.port;
    storm_left = STORM_CLIENTS;
    storm_failed = 0;
    pthread_t clients[STORM_CLIENTS];
    /* Half of them share a client, so that sessions are kept and used concurrently. */
    fc_tls *other = make_tls(FC_TLS_CLIENT, "node-web-1");
    for (int i = 0; i < STORM_CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, storm_client, i % 2 == 0 ? p.client : other), 0);
    server servers[2] = {p.server, p.server};
    nng_stream *streams[STORM_CLIENTS * STORM_EACH];
    size_t stream_count = 0;
    for (int i = 0; i < STORM_CLIENTS * STORM_EACH / 2; i++) {
        for (int k = 0; k < 2; k++)
            serve_one(&servers[k]);
        if (i % 4 == 0) {
            assert_int_equal(fc_tls_reload(p.server.tls, NULL), FC_OK);
            assert_int_equal(fc_tls_reload(other, NULL), FC_OK);
        }
        /* Kept until the clients are done: closing discards an answer that is not with the kernel yet. */
        for (int k = 0; k < 2; k++) {
            served(&servers[k]);
            streams[stream_count++] = servers[k].stream;
            servers[k].stream = NULL;
        }
    }
    for (int i = 0; i < STORM_CLIENTS; i++)
        assert_int_equal(pthread_join(clients[i], NULL), 0);
    for (size_t i = 0; i < stream_count; i++)
        nng_stream_free(streams[i]);
    assert_int_equal(storm_failed, 0);
    assert_int_equal(counters(p.server.tls).handshakes_full + counters(p.server.tls).handshakes_resumed,
                     STORM_CLIENTS * STORM_EACH);
    assert_true(counters(p.server.tls).handshakes_resumed > 0);
    fc_tls_free(other);
    pair_stop(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mebibyte_arrives_whole_both_ways_at_once),
        TEST(close_tells_the_peer),
        TEST(shutdown_loses_nothing_that_was_sent),
        TEST(what_is_not_tls_fails_and_hurts_nobody),
        TEST(one_that_connects_and_is_silent_holds_up_nobody),
        TEST(many_handshakes_and_reloads_at_once_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
