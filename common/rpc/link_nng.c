#include "common/rpc/link_nng.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/rpc/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* When an NNG TLS stream loses its transport while we have no operation under way, nobody is told, and what
 * we start afterwards never completes (NNG 1.5.2: the TCP stream below is closed and swallows it). So for a
 * while after each start we look whether the transport still stands. An idle connection is not looked at.
 *
 * And NNG takes a dial for done before TCP's handshake is: epoll reports a socket that does not connect yet
 * as hung up, and without an error that passes for success (1.5.2). Until a peer is seen there is nothing to
 * lose: a SYN may have to be sent again. */
enum {
    WATCH_MS = 150,
    WATCH_RISING_MS = 20, /* until a peer is seen */
    WATCH_QUIET = 4, /* looks without a new operation, after which the transport was alive at the start */
};

typedef struct link_nng {
    fc_rpc_link link;
    fc_loop *loop; /* borrowed */
    bool (*identify)(nng_stream *stream, fc_principal *ret_peer);
    nng_stream *stream;   /* owned */
    nng_aio *receive_aio; /* owned */
    nng_aio *send_aio;    /* owned */
    fc_task receive_task; /* posted by the callbacks */
    fc_task send_task;
    bool receiving; /* the loop's: from the start until its task has run */
    bool sending;
    bool closed;
    const uint8_t *left; /* of the send under way, borrowed from the connection */
    size_t left_size;
    fc_timer watch;
    bool watching;
    bool up;        /* there was a peer: an accepted stream's, or TCP's handshake is over */
    bool seen_shut; /* by the last look since a receive began; the second such ends the connection */
    unsigned quiet; /* looks since the last start */
} link_nng;

static link_nng *
of(fc_rpc_link *link)
{
    return FC_CONTAINER(link, link_nng, link);
}

/* ---- NNG's threads ---- */

static void
receive_done(void *arg)
{
    link_nng *nng = arg;
    fc_loop_post(nng->loop, &nng->receive_task);
}

static void
send_done(void *arg)
{
    link_nng *nng = arg;
    fc_loop_post(nng->loop, &nng->send_task);
}

/* ---- the loop ---- */

static void
settle_check(link_nng *nng)
{
    if (nng->closed && !nng->receiving && !nng->sending)
        fc_rpc_conn_settled(nng->link.conn);
}

static void
watch_arm(link_nng *nng)
{
    nng->watching = true;
    fc_loop_timer_after_ms(nng->loop, &nng->watch, nng->up ? WATCH_MS : WATCH_RISING_MS);
}

static void
watch_start(link_nng *nng)
{
    nng->quiet = 0;
    if (!nng->watching)
        watch_arm(nng);
}

static void
watch_stop(link_nng *nng)
{
    nng->watching = false;
    fc_loop_timer_clear(nng->loop, &nng->watch);
}

static void
start_send(link_nng *nng)
{
    nng_iov iov = {.iov_buf = (void *)(uintptr_t)nng->left, .iov_len = nng->left_size};
    (void)nng_aio_set_iov(nng->send_aio, 1, &iov);
    nng->sending = true;
    nng_stream_send(nng->stream, nng->send_aio);
    watch_start(nng);
}

static void
lost(link_nng *nng, int rc)
{
    bool refused = rc == NNG_EPEERAUTH || rc == NNG_ECRYPTO;
    bool reached = nng->up || refused;
    fc_rpc_conn_lost(nng->link.conn, refused ? FC_CODE_UNAUTHENTICATED : FC_CODE_UNAVAILABLE,
                     reached ? fc_rpc_link_nng_text(rc) : "refused, not reachable, or closed at once");
}

/* A socket that does not connect yet has no peer, nor has one that NNG has shut down or that was reset. */
static bool
has_peer(const link_nng *nng)
{
    nng_sockaddr peer;
    return nng_stream_get_addr(nng->stream, NNG_OPT_REMADDR, &peer) == 0;
}

static void
watch_fire(fc_timer *timer)
{
    link_nng *nng = FC_CONTAINER(timer, link_nng, watch);
    bool was_shut = nng->seen_shut;
    nng->watching = false;
    bool peer = has_peer(nng);
    if (!nng->up) {
        nng->up = peer;
        watch_start(nng);
        return;
    }
    nng->seen_shut = !peer;
    nng->quiet++;
    if (was_shut && nng->seen_shut)
        lost(nng, NNG_ECLOSED);
    else if (nng->seen_shut || nng->quiet < WATCH_QUIET)
        watch_arm(nng);
}

static void
receive_run(fc_task *task)
{
    link_nng *nng = FC_CONTAINER(task, link_nng, receive_task);
    int rc = nng_aio_result(nng->receive_aio);
    nng->receiving = false;
    if (nng->closed) {
        settle_check(nng);
        return;
    }
    if (rc != 0) {
        lost(nng, rc);
        return;
    }
    nng->up = true;
    fc_rpc_conn_received(nng->link.conn, nng_aio_count(nng->receive_aio));
}

static void
send_run(fc_task *task)
{
    link_nng *nng = FC_CONTAINER(task, link_nng, send_task);
    int rc = nng_aio_result(nng->send_aio);
    nng->sending = false;
    if (nng->closed) {
        settle_check(nng);
        return;
    }
    if (rc != 0) {
        lost(nng, rc);
        return;
    }
    size_t count = nng_aio_count(nng->send_aio);
    assert(count <= nng->left_size);
    nng->left += count;
    nng->left_size -= count;
    if (nng->left_size > 0)
        start_send(nng);
    else
        fc_rpc_conn_sent(nng->link.conn);
}

static void
link_receive(fc_rpc_link *link, uint8_t *space, size_t size)
{
    link_nng *nng = of(link);
    nng_iov iov = {.iov_buf = space, .iov_len = size};
    (void)nng_aio_set_iov(nng->receive_aio, 1, &iov);
    nng->receiving = true;
    nng->seen_shut = false; /* as long as receives complete there may be more to have */
    nng_stream_recv(nng->stream, nng->receive_aio);
    watch_start(nng);
}

static void
link_send(fc_rpc_link *link, const uint8_t *bytes, size_t size)
{
    link_nng *nng = of(link);
    nng->left = bytes;
    nng->left_size = size;
    start_send(nng);
}

static bool
link_identify(fc_rpc_link *link, fc_principal *ret_peer)
{
    link_nng *nng = of(link);
    return nng->identify != NULL && nng->identify(nng->stream, ret_peer);
}

static void
link_close(fc_rpc_link *link)
{
    link_nng *nng = of(link);
    nng->closed = true;
    watch_stop(nng);
    nng_stream_close(nng->stream); /* completes both operations, with an error */
    settle_check(nng);
}

static void
link_settle(fc_rpc_link *link)
{
    link_nng *nng = of(link);
    assert(nng->closed);
    nng_aio_stop(nng->receive_aio);
    nng_aio_stop(nng->send_aio);
    fc_loop_withdraw(nng->loop, &nng->receive_task);
    fc_loop_withdraw(nng->loop, &nng->send_task);
    nng->receiving = nng->sending = false;
}

/* Both operations are over; freeing an aio waits for the last instructions of its callback. */
static void
link_free(fc_rpc_link *link)
{
    link_nng *nng = of(link);
    nng_aio_free(nng->receive_aio);
    nng_aio_free(nng->send_aio);
    nng_stream_free(nng->stream);
    free(nng);
}

static const fc_rpc_link_ops link_ops = {
    .receive = link_receive,
    .send = link_send,
    .identify = link_identify,
    .close = link_close,
    .settle = link_settle,
    .free = link_free,
};

fc_rpc_link *
fc_rpc_link_nng_new(const fc_rpc_endpoint *endpoint, nng_stream *stream, bool dialled)
{
    link_nng *nng = FC_NEW(link_nng);
    nng->link.ops = &link_ops;
    nng->loop = endpoint->options.loop;
    nng->identify = endpoint->options.identify;
    nng->stream = stream;
    nng->up = !dialled || has_peer(nng);
    nng->receive_task.run = receive_run;
    nng->send_task.run = send_run;
    nng->watch.fire = watch_fire;
    if (nng_aio_alloc(&nng->receive_aio, receive_done, nng) != 0 ||
        nng_aio_alloc(&nng->send_aio, send_done, nng) != 0) {
        (void)fputs("fleetcap: out of memory\n", stderr);
        abort();
    }
    return &nng->link;
}

/* ---- texts ---- */

void
fc_rpc_link_nng_address(nng_stream *stream, char *ret_text, size_t size)
{
    nng_sockaddr address;
    char host[INET6_ADDRSTRLEN];
    ret_text[0] = '\0';
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &address) != 0)
        return;
    if (address.s_family == NNG_AF_INET &&
        inet_ntop(AF_INET, &address.s_in.sa_addr, host, sizeof host) != NULL)
        (void)snprintf(ret_text, size, "%s:%u", host, ntohs(address.s_in.sa_port));
    else if (address.s_family == NNG_AF_INET6 &&
             inet_ntop(AF_INET6, address.s_in6.sa_addr, host, sizeof host) != NULL)
        (void)snprintf(ret_text, size, "[%s]:%u", host, ntohs(address.s_in6.sa_port));
}

const char *
fc_rpc_link_nng_text(int nng_errno)
{
    static const struct {
        int nng_errno;
        const char *text;
    } texts[] = {
        {NNG_ECONNREFUSED, "connection refused"},
        {NNG_ETIMEDOUT, "timed out"},
        {NNG_EUNREACHABLE, "no route to it"},
        {NNG_EADDRINVAL, "the name is not known"},
        {NNG_ENOENT, "the name is not known"},
        {NNG_EAGAIN, "no name server answers"},
        {NNG_ECLOSED, "closed by the peer"},
        {NNG_ECONNSHUT, "closed by the peer"},
        {NNG_ECONNRESET, "reset by the peer"},
        {NNG_ECONNABORTED, "aborted"},
        {NNG_ECANCELED, "closed by the peer"},
        {NNG_EPEERAUTH, "a certificate was refused, ours or the peer's"},
        {NNG_ECRYPTO, "the TLS handshake failed"},
        {NNG_EADDRINUSE, "the address is in use"},
        {NNG_ENOFILES, "too many open files"},
        {NNG_EPERM, "permission denied"},
    };
    for (size_t i = 0; i < FC_COUNT(texts); i++)
        if (texts[i].nng_errno == nng_errno)
            return texts[i].text;
    return nng_strerror(nng_errno);
}

fc_err
fc_rpc_link_nng_url(const char *address, bool tls, bool any_port, char **ret_url, fc_fail *fail)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (colon == NULL || colon == address)
        return fc_fail_set(fail, FC_ERR_INVALID, "address \"%.128s\" is not HOST:PORT", address);
    if (fc_u64_parse(colon + 1, UINT16_MAX, &port) != FC_OK || (port == 0 && !any_port))
        return fc_fail_set(fail, FC_ERR_INVALID, "address \"%.128s\": \"%.16s\" is no port", address,
                           colon + 1);
    size_t host = (size_t)(colon - address);
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    const char *allowed = bracketed ? "0123456789abcdefABCDEF:.[]"
                                    : "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-";
    if (strspn(address, allowed) < host || host > 253)
        return fc_fail_set(fail, FC_ERR_INVALID, "address \"%.128s\": the part before the port is no host",
                           address);
    *ret_url = fc_sprintf("%s://%s", tls ? "tls+tcp" : "tcp", address);
    return FC_OK;
}
