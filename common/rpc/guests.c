#include "common/rpc/guests.h"

#include "common/base/mem.h"

static fc_loop *
loop_of(const fc_rpc_guests *guests)
{
    return guests->endpoint->options.loop;
}

bool
fc_rpc_guest_is(const fc_rpc_conn *conn)
{
    return conn->identified && conn->peer.role == FC_ROLE_ANONYMOUS;
}

static int64_t
age_ms(const fc_rpc_guests *guests, const fc_rpc_conn *conn)
{
    return (fc_loop_now(loop_of(guests)).ns - conn->opened.ns) / FC_NS_PER_MS;
}

static void
arm(fc_rpc_guests *guests)
{
    const fc_rpc_conn *oldest = TAILQ_FIRST(&guests->conns);
    if (oldest != NULL)
        fc_loop_timer_set(loop_of(guests), &guests->timer,
                          fc_mono_after_ms(oldest->opened, guests->endpoint->options.anonymous_ms));
}

static void
expire(fc_timer *timer)
{
    fc_rpc_guests *guests = FC_CONTAINER(timer, fc_rpc_guests, timer);
    fc_rpc_conn *oldest;
    while ((oldest = TAILQ_FIRST(&guests->conns)) != NULL &&
           age_ms(guests, oldest) >= guests->endpoint->options.anonymous_ms) {
        guests->endpoint->counters.expired_anonymous++;
        fc_rpc_conn_close(oldest, FC_CODE_DEADLINE_EXCEEDED,
                          "the time of a connection without a certificate is over");
    }
    arm(guests);
}

void
fc_rpc_guests_init(fc_rpc_guests *guests, fc_rpc_endpoint *endpoint)
{
    *guests = (fc_rpc_guests){.endpoint = endpoint, .timer.fire = expire};
    TAILQ_INIT(&guests->conns);
}

void
fc_rpc_guests_fini(fc_rpc_guests *guests)
{
    fc_loop_timer_clear(loop_of(guests), &guests->timer);
}

bool
fc_rpc_guests_room(fc_rpc_guests *guests)
{
    if (guests->count < guests->endpoint->options.anonymous_max)
        return true;
    guests->endpoint->counters.refused_anonymous++;
    fc_rpc_conn *oldest = TAILQ_FIRST(&guests->conns);
    if (age_ms(guests, oldest) < FC_RPC_GUEST_GRACE_MS)
        return false;
    fc_rpc_conn_close(oldest, FC_CODE_RESOURCE_EXHAUSTED, "too many connections without a certificate");
    return true;
}

void
fc_rpc_guests_add(fc_rpc_guests *guests, fc_rpc_conn *conn)
{
    conn->opened = fc_loop_now(loop_of(guests));
    TAILQ_INSERT_TAIL(&guests->conns, conn, in_owner);
    guests->count++;
    if (guests->count == 1)
        arm(guests);
}

void
fc_rpc_guests_remove(fc_rpc_guests *guests, fc_rpc_conn *conn)
{
    TAILQ_REMOVE(&guests->conns, conn, in_owner);
    guests->count--;
    if (guests->count == 0)
        fc_loop_timer_clear(loop_of(guests), &guests->timer);
}
