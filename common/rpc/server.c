#include "common/rpc/rpc.h"

#include "common/base/mem.h"
#include "common/rpc/conn.h"
#include "common/rpc/guests.h"
#include "common/rpc/link_nng.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACCEPTS = 16,          /* under way at once: the kernel's queue of 128 must not overflow in a burst */
    ACCEPT_PAUSE_MS = 100, /* after a failure (no descriptors left): it passes when others close */
};

typedef struct accept_slot {
    struct fc_rpc_server *server; /* borrowed */
    nng_aio *aio;                 /* owned */
    fc_task task;
    bool busy;
} accept_slot;

struct fc_rpc_server {
    fc_rpc_endpoint endpoint;
    nng_stream_listener *listener; /* owned */
    accept_slot slots[ACCEPTS];
    fc_timer pause;
    struct fc_rpc_conn_list
        pending; /* not yet admitted, the longest waiting first; borrowed from endpoint.conns */
    struct fc_rpc_conn_list open;
    uint32_t pending_count;
    fc_rpc_guests guests; /* open too, but not in that list */
    uint32_t open_count;  /* with the guests */
};

static fc_rpc_server *
of(fc_rpc_endpoint *endpoint)
{
    return FC_CONTAINER(endpoint, fc_rpc_server, endpoint);
}

/* ---- connections ---- */

static bool
may_open(fc_rpc_endpoint *endpoint, const fc_rpc_conn *conn, const char **ret_reason)
{
    if (!fc_rpc_guest_is(conn) || fc_rpc_guests_room(&of(endpoint)->guests))
        return true;
    *ret_reason = "too many machines want a certificate just now: try again in a moment";
    return false;
}

static void
opened(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn)
{
    fc_rpc_server *server = of(endpoint);
    TAILQ_REMOVE(&server->pending, conn, in_owner);
    server->pending_count--;
    server->open_count++;
    endpoint->counters.connections_admitted++;
    if (fc_rpc_guest_is(conn)) {
        endpoint->counters.admitted_anonymous++;
        fc_rpc_guests_add(&server->guests, conn);
    } else {
        TAILQ_INSERT_TAIL(&server->open, conn, in_owner);
    }
}

static void
closing(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn)
{
    fc_rpc_server *server = of(endpoint);
    if (conn->was_open && fc_rpc_guest_is(conn)) {
        fc_rpc_guests_remove(&server->guests, conn);
        server->open_count--;
    } else if (conn->was_open) {
        TAILQ_REMOVE(&server->open, conn, in_owner);
        server->open_count--;
    } else {
        TAILQ_REMOVE(&server->pending, conn, in_owner);
        server->pending_count--;
    }
}

static const fc_rpc_owner_ops owner_ops = {.may_open = may_open, .opened = opened, .closing = closing};

/* Room for one more stranger: the one that has kept us waiting longest goes. */
static void
make_room(fc_rpc_server *server)
{
    if (server->pending_count < server->endpoint.options.pending_max)
        return;
    server->endpoint.counters.refused_pending++;
    fc_rpc_conn_close(TAILQ_FIRST(&server->pending), FC_CODE_RESOURCE_EXHAUSTED,
                      "too many connections wait for admission");
}

static void
take_stream(fc_rpc_server *server, nng_stream *stream)
{
    fc_rpc_endpoint *endpoint = &server->endpoint;
    endpoint->counters.connections_accepted++;
    if (server->pending_count + server->open_count >= endpoint->options.connections_max) {
        endpoint->counters.refused_full++;
        nng_stream_free(stream);
        return;
    }
    make_room(server);
    char address[FC_RPC_ADDRESS_SIZE];
    fc_rpc_link_nng_address(stream, address, sizeof address);
    fc_rpc_conn *conn =
        fc_rpc_conn_new(endpoint, fc_rpc_link_nng_new(endpoint, stream, false), false, address);
    TAILQ_INSERT_TAIL(&server->pending, conn, in_owner);
    server->pending_count++;
}

/* ---- accepting ---- */

static void
accept_start(accept_slot *slot)
{
    slot->busy = true;
    nng_stream_listener_accept(slot->server->listener, slot->aio);
}

/* NNG's thread. */
static void
accept_done(void *arg)
{
    accept_slot *slot = arg;
    fc_loop_post(slot->server->endpoint.options.loop, &slot->task);
}

static void
accept_run(fc_task *task)
{
    accept_slot *slot = FC_CONTAINER(task, accept_slot, task);
    fc_rpc_server *server = slot->server;
    int rc = nng_aio_result(slot->aio);
    slot->busy = false;
    if (rc == 0) {
        nng_stream *stream = nng_aio_get_output(slot->aio, 0);
        accept_start(slot);
        take_stream(server, stream);
    } else if (server->pause.slot == 0) {
        fc_loop_timer_after_ms(server->endpoint.options.loop, &server->pause, ACCEPT_PAUSE_MS);
    }
}

static void
accept_again(fc_timer *timer)
{
    fc_rpc_server *server = FC_CONTAINER(timer, fc_rpc_server, pause);
    for (size_t i = 0; i < ACCEPTS; i++)
        if (!server->slots[i].busy)
            accept_start(&server->slots[i]);
}

/* ---- life ---- */

static void
server_destroy(fc_rpc_server *server, const char *reason)
{
    fc_loop *loop = server->endpoint.options.loop;
    if (server->listener != NULL)
        nng_stream_listener_close(server->listener);
    for (size_t i = 0; i < ACCEPTS; i++) {
        accept_slot *slot = &server->slots[i];
        if (slot->aio == NULL)
            continue;
        nng_aio_stop(slot->aio);
        fc_loop_withdraw(loop, &slot->task);
        /* A connection that was accepted just then has nobody to take it. */
        if (slot->busy && nng_aio_result(slot->aio) == 0)
            nng_stream_free(nng_aio_get_output(slot->aio, 0));
        nng_aio_free(slot->aio);
    }
    fc_loop_timer_clear(loop, &server->pause);
    fc_rpc_endpoint_fini(&server->endpoint, reason);
    fc_rpc_guests_fini(&server->guests);
    if (server->listener != NULL)
        nng_stream_listener_free(server->listener);
    free(server);
}

static fc_err
listen_at(fc_rpc_server *server, const char *address, fc_fail *fail)
{
    char *url = NULL;
    struct nng_tls_config *tls = server->endpoint.options.tls;
    fc_err err = fc_rpc_link_nng_url(address, tls != NULL, true, &url, fail);
    if (err != FC_OK)
        return err;
    int rc = nng_stream_listener_alloc(&server->listener, url);
    if (rc == 0 && tls != NULL)
        rc = nng_stream_listener_set_ptr(server->listener, NNG_OPT_TLS_CONFIG, tls);
    if (rc == 0)
        rc = nng_stream_listener_set_bool(server->listener, NNG_OPT_TCP_NODELAY, true);
    if (rc == 0)
        rc = nng_stream_listener_listen(server->listener);
    /* NNG has one error for a name that is not known and for an address of another machine. */
    if (rc != 0)
        err = fc_fail_set(fail, FC_ERR_UNAVAILABLE, "cannot listen on %s: %s", address,
                          rc == NNG_EADDRINVAL ? "that is no address of this machine"
                                               : fc_rpc_link_nng_text(rc));
    free(url);
    return err;
}

fc_err
fc_rpc_server_new(const fc_rpc_options *options, const char *address, fc_rpc_server **ret_server,
                  fc_fail *fail)
{
    fc_rpc_server *server = FC_NEW(fc_rpc_server);
    fc_rpc_endpoint_init(&server->endpoint, options, &owner_ops);
    TAILQ_INIT(&server->pending);
    TAILQ_INIT(&server->open);
    fc_rpc_guests_init(&server->guests, &server->endpoint);
    server->pause.fire = accept_again;
    fc_err err = listen_at(server, address, fail);
    for (size_t i = 0; i < ACCEPTS && err == FC_OK; i++) {
        accept_slot *slot = &server->slots[i];
        slot->server = server;
        slot->task.run = accept_run;
        int rc = nng_aio_alloc(&slot->aio, accept_done, slot);
        if (rc != 0)
            err = fc_fail_set(fail, FC_ERR_INTERNAL, "cannot accept on %s: %s", address, nng_strerror(rc));
        else
            accept_start(slot);
    }
    if (err != FC_OK) {
        server_destroy(server, "never started");
        return err;
    }
    *ret_server = server;
    return FC_OK;
}

uint16_t
fc_rpc_server_port(const fc_rpc_server *server)
{
    int port = 0;
    (void)nng_stream_listener_get_int(server->listener, NNG_OPT_TCP_BOUND_PORT, &port);
    return (uint16_t)port;
}

void
fc_rpc_server_free(fc_rpc_server *server)
{
    if (server != NULL)
        server_destroy(server, "the server is shutting down");
}

void
fc_rpc_server_each(fc_rpc_server *server, void (*visit)(fc_rpc_conn *conn, void *user), void *user)
{
    fc_rpc_conn *next;
    for (fc_rpc_conn *conn = TAILQ_FIRST(&server->open); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, in_owner); /* visit may close this one */
        visit(conn, user);
    }
}

const fc_rpc_counters *
fc_rpc_server_counters(const fc_rpc_server *server)
{
    return &server->endpoint.counters;
}
