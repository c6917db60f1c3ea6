/* exchange.h: the peer's clock against ours, from Ping and Pong (the on-wire protocol of RFC 5905, section
 * 8).
 *
 * Of the last eight exchanges the one with the shortest round trip counts: what queues add to a round trip is
 * what makes an offset wrong.
 */
#ifndef FC_RPC_EXCHANGE_H
#define FC_RPC_EXCHANGE_H

#include "common/base/clock.h"
#include "common/rpc/rpc.h"

enum { FC_RPC_EXCHANGES = 8 };

typedef struct fc_rpc_exchange {
    struct {
        int64_t offset_ns;
        int64_t round_trip_ns;
    } samples[FC_RPC_EXCHANGES];
    uint64_t taken;      /* samples ever */
    fc_wall origin;      /* of the Ping under way; 0 = none */
    fc_mono origin_mono; /* so that a step of our clock does not pass for a long round trip */
} fc_rpc_exchange;

/* A Ping goes out now. Returns its origin timestamp. */
int64_t
fc_rpc_exchange_start(fc_rpc_exchange *exchange, const fc_clock *clock);
/* A Pong came. False when it answers no Ping of ours or cannot be true; then it changes nothing. */
bool
fc_rpc_exchange_finish(fc_rpc_exchange *exchange, const fc_clock *clock, int64_t origin_unix_ns,
                       int64_t receive_unix_ns, int64_t transmit_unix_ns);
fc_rpc_clock
fc_rpc_exchange_best(const fc_rpc_exchange *exchange);

#endif
