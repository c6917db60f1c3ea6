/* guests.h: a server's connections without a certificate (role anonymous): how many, and for how long.
 *
 * Internal to the room. Anybody can open one, so they are few and short. When one more comes than there is
 * room for, the oldest goes if it has had its time to enrol (FC_RPC_GUEST_GRACE_MS: thousands that connect at
 * once must not throw each other out before anyone is served); else the newcomer does, and may come again.
 */
#ifndef FC_RPC_GUESTS_H
#define FC_RPC_GUESTS_H

#include "common/rpc/conn.h"

enum {
    FC_RPC_GUEST_GRACE_MS = 2000,
    FC_RPC_GUEST_STREAMS_MAX = 4,       /* calls of one guest, open at once */
    FC_RPC_GUEST_OUT_HARD = 128 * 1024, /* instead of FC_RPC_OUT_HARD: 256 that do not listen cost 32 MiB */
};

typedef struct fc_rpc_guests {
    fc_rpc_endpoint *endpoint;     /* borrowed */
    struct fc_rpc_conn_list conns; /* the oldest first; borrowed from the endpoint */
    uint32_t count;
    fc_timer timer; /* of the oldest */
} fc_rpc_guests;

void
fc_rpc_guests_init(fc_rpc_guests *guests, fc_rpc_endpoint *endpoint);
void
fc_rpc_guests_fini(fc_rpc_guests *guests);
bool
fc_rpc_guest_is(const fc_rpc_conn *conn);
/* Makes room if it can. False: there is none, and that is counted. */
bool
fc_rpc_guests_room(fc_rpc_guests *guests);
void
fc_rpc_guests_add(fc_rpc_guests *guests, fc_rpc_conn *conn);
void
fc_rpc_guests_remove(fc_rpc_guests *guests, fc_rpc_conn *conn);

#endif
