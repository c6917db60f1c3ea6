#include "common/rpc/client.h"

#include "common/base/mem.h"
#include "common/rpc/conn.h"
#include "common/rpc/link_nng.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MAX_MS = 15000,
    DIAL_MS = 10000, /* the name, and TCP unless NNG is done with it early; all else has the admission time */
    STEADY_MS = 5000,  /* a connection that lived shorter does not reset the back-off */
    ATTEMPTS_MAX = 16, /* doublings; keeps the shift small */
};

struct fc_rpc_client {
    fc_rpc_endpoint endpoint;
    nng_stream_dialer *dialer; /* owned */
    nng_aio *aio;              /* owned */
    fc_task dialled;           /* posted by NNG's callback */
    bool dialling;
    fc_timer retry;
    fc_rpc_backoff backoff;
    unsigned attempts; /* failed in a row, but for: */
    unsigned refusals; /* of our certificate, since a connection that lasted */
    bool refused;      /* the last attempt */
    fc_mono opened_at;
    fc_rpc_conn *conn; /* weak: cleared by `closing`; not yet open, or open */
    bool over;         /* `once`, and it has failed or ended */
    fc_fail failure;   /* why the last attempt failed */
    char *address;     /* owned */
};

static fc_rpc_client *
of(fc_rpc_endpoint *endpoint)
{
    return FC_CONTAINER(endpoint, fc_rpc_client, endpoint);
}

/* ---- dialling ---- */

static void
dial(fc_rpc_client *client)
{
    client->dialling = true;
    nng_stream_dialer_dial(client->dialer, client->aio);
}

static void
on_retry(fc_timer *timer)
{
    dial(FC_CONTAINER(timer, fc_rpc_client, retry));
}

/* Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): a fleet that lost its
 * coordinator must not come back in step. */
static uint64_t
next_delay_ms(fc_rpc_client *client)
{
    unsigned *failures = client->refused ? &client->refusals : &client->attempts;
    uint64_t ceiling = (uint64_t)client->backoff.first_ms << *failures;
    uint64_t max_ms = client->refused ? client->backoff.refused_max_ms : client->backoff.max_ms;
    if (ceiling > max_ms)
        ceiling = max_ms;
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)fc_loop_now(client->endpoint.options.loop).ns;
    if (*failures < ATTEMPTS_MAX)
        ++*failures;
    return 1 + number % ceiling;
}

/* Tries again later, or never. Returns in how many milliseconds, 0 for never. */
static uint64_t
schedule(fc_rpc_client *client)
{
    if (client->backoff.once) {
        client->over = true;
        return 0;
    }
    uint64_t delay_ms = next_delay_ms(client);
    fc_loop_timer_after_ms(client->endpoint.options.loop, &client->retry, (int64_t)delay_ms);
    return delay_ms;
}

static void
failed(fc_rpc_client *client)
{
    const fc_rpc_options *options = &client->endpoint.options;
    uint64_t delay_ms = schedule(client);
    if (options->ops != NULL && options->ops->on_connect_failed != NULL)
        options->ops->on_connect_failed(&client->failure, delay_ms, options->user);
}

/* NNG's thread. */
static void
dial_done(void *arg)
{
    fc_rpc_client *client = arg;
    fc_loop_post(client->endpoint.options.loop, &client->dialled);
}

static void
dial_run(fc_task *task)
{
    fc_rpc_client *client = FC_CONTAINER(task, fc_rpc_client, dialled);
    int rc = nng_aio_result(client->aio);
    client->dialling = false;
    client->refused = false;
    if (rc != 0) {
        (void)fc_fail_set(&client->failure, FC_ERR_UNAVAILABLE, "cannot reach %.128s: %s", client->address,
                          fc_rpc_link_nng_text(rc));
        failed(client);
        return;
    }
    fc_rpc_link *link = fc_rpc_link_nng_new(&client->endpoint, nng_aio_get_output(client->aio, 0), true);
    client->conn = fc_rpc_conn_new(&client->endpoint, link, true, client->address);
}

/* ---- connections ---- */

static void
opened(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn)
{
    (void)conn;
    of(endpoint)->opened_at = fc_loop_now(endpoint->options.loop);
}

static void
closing(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn)
{
    (void)conn;
    of(endpoint)->conn = NULL;
}

/* Why it never opened. What the handshake knows says it best; a server that has no room closes without a
 * word. */
static void
explain(fc_rpc_client *client, const fc_rpc_status *why)
{
    const fc_rpc_options *options = &client->endpoint.options;
    fc_fail more;
    client->refused = why->code == FC_CODE_UNAUTHENTICATED && options->refused != NULL &&
                      options->refused(options->explain_tls);
    if (why->code == FC_CODE_UNAUTHENTICATED && options->explain != NULL &&
        options->explain(options->explain_tls, &more) != FC_OK) {
        (void)fc_fail_set(&client->failure, FC_ERR_UNAVAILABLE, "no connection to %.60s: %.170s",
                          client->address, more.text);
        return;
    }
    bool silent = why->code == FC_CODE_UNAVAILABLE && strncmp(why->message, "closed", 6) == 0;
    (void)fc_fail_set(&client->failure, FC_ERR_UNAVAILABLE, "no connection to %.80s: %.120s%s",
                      client->address, why->message,
                      silent ? " (our certificate refused, or too many connections)" : "");
}

static void
closed(fc_rpc_endpoint *endpoint, fc_rpc_conn *conn, const fc_rpc_status *why)
{
    fc_rpc_client *client = of(endpoint);
    if (client->dialer == NULL) /* being freed */
        return;
    if (!conn->was_open) {
        explain(client, why);
        failed(client);
        return;
    }
    (void)fc_fail_set(&client->failure, FC_ERR_UNAVAILABLE, "the connection to %.80s was lost: %.140s",
                      client->address, why->message);
    fc_mono now = fc_loop_now(endpoint->options.loop);
    if (now.ns - client->opened_at.ns >= STEADY_MS * FC_NS_PER_MS)
        client->attempts = client->refusals = 0;
    (void)schedule(client);
}

static const fc_rpc_owner_ops owner_ops = {.opened = opened, .closing = closing, .closed = closed};

/* ---- life ---- */

static fc_err
make_dialer(fc_rpc_client *client, fc_fail *fail)
{
    char *url = NULL;
    struct nng_tls_config *tls = client->endpoint.options.tls;
    fc_err err = fc_rpc_link_nng_url(client->address, tls != NULL, false, &url, fail);
    if (err != FC_OK)
        return err;
    int rc = nng_stream_dialer_alloc(&client->dialer, url);
    if (rc == 0 && tls != NULL)
        rc = nng_stream_dialer_set_ptr(client->dialer, NNG_OPT_TLS_CONFIG, tls);
    if (rc == 0)
        rc = nng_stream_dialer_set_bool(client->dialer, NNG_OPT_TCP_NODELAY, true);
    if (rc == 0)
        rc = nng_aio_alloc(&client->aio, dial_done, client);
    if (rc != 0)
        err = fc_fail_set(fail, FC_ERR_UNAVAILABLE, "cannot reach %s: %s", client->address,
                          fc_rpc_link_nng_text(rc));
    else
        nng_aio_set_timeout(client->aio, DIAL_MS);
    free(url);
    return err;
}

static void
take_backoff(fc_rpc_client *client, const fc_rpc_backoff *backoff)
{
    fc_rpc_backoff asked = backoff != NULL ? *backoff : (fc_rpc_backoff){0};
    client->backoff.first_ms = asked.first_ms > 0 ? asked.first_ms : BACKOFF_FIRST_MS;
    client->backoff.max_ms = asked.max_ms > 0 ? asked.max_ms : BACKOFF_MAX_MS;
    client->backoff.refused_max_ms = asked.refused_max_ms > 0 ? asked.refused_max_ms : FC_RPC_REFUSED_MAX_MS;
}

fc_err
fc_rpc_client_new(const fc_rpc_options *options, const char *address, const fc_rpc_backoff *backoff,
                  fc_rpc_client **ret_client, fc_fail *fail)
{
    fc_rpc_client *client = FC_NEW(fc_rpc_client);
    fc_rpc_endpoint_init(&client->endpoint, options, &owner_ops);
    client->address = fc_strdup(address);
    client->dialled.run = dial_run;
    client->retry.fire = on_retry;
    client->backoff.once = backoff != NULL && backoff->once;
    take_backoff(client, backoff);
    fc_err err = make_dialer(client, fail);
    if (err != FC_OK) {
        fc_rpc_client_free(client);
        return err;
    }
    dial(client);
    *ret_client = client;
    return FC_OK;
}

void
fc_rpc_client_free(fc_rpc_client *client)
{
    if (client == NULL)
        return;
    fc_loop *loop = client->endpoint.options.loop;
    nng_stream_dialer *dialer = client->dialer;
    client->dialer = NULL;
    fc_loop_timer_clear(loop, &client->retry);
    if (dialer != NULL)
        nng_stream_dialer_close(dialer);
    if (client->aio != NULL) {
        nng_aio_stop(client->aio);
        fc_loop_withdraw(loop, &client->dialled);
        if (client->dialling && nng_aio_result(client->aio) == 0)
            nng_stream_free(nng_aio_get_output(client->aio, 0));
        nng_aio_free(client->aio);
    }
    fc_rpc_endpoint_fini(&client->endpoint, "the client is done");
    if (dialer != NULL)
        nng_stream_dialer_free(dialer);
    free(client->address);
    free(client);
}

void
fc_rpc_client_set_backoff(fc_rpc_client *client, const fc_rpc_backoff *backoff)
{
    take_backoff(client, backoff);
    client->attempts = client->refusals = 0;
    if (client->retry.slot != 0)
        (void)schedule(client);
}

void
fc_rpc_client_retry(fc_rpc_client *client)
{
    client->attempts = client->refusals = 0;
    if (client->retry.slot != 0)
        fc_loop_timer_after_ms(client->endpoint.options.loop, &client->retry, 0);
}

fc_rpc_conn *
fc_rpc_client_conn(const fc_rpc_client *client)
{
    return client->conn != NULL && client->conn->state == FC_RPC_CONN_OPEN ? client->conn : NULL;
}

const char *
fc_rpc_client_address(const fc_rpc_client *client)
{
    return client->address;
}

bool
fc_rpc_client_over(const fc_rpc_client *client, fc_fail *ret_why)
{
    if (client->over)
        *ret_why = client->failure;
    return client->over;
}

fc_loop *
fc_rpc_client_loop(const fc_rpc_client *client)
{
    return client->endpoint.options.loop;
}
