/* rpc_loopback.h: a server and clients over real NNG streams on the loopback, without TLS, on one loop.
 *
 * Plain streams have no certificates: the test says who is who.
 */
#ifndef FC_TESTS_RPC_LOOPBACK_H
#define FC_TESTS_RPC_LOOPBACK_H

#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "loop_rig.h"

extern fc_loop *lo_loop;
extern fc_role lo_client_role; /* for whom the server takes its clients; NONE: strangers */

bool
lo_identify_client(struct nng_stream *stream, fc_principal *ret_peer);
bool
lo_identify_server(struct nng_stream *stream, fc_principal *ret_peer);

/* What a server or a client was told. */
typedef struct lo_heard {
    unsigned opened;
    unsigned closed;
    unsigned failed;
    uint64_t retry_ms;
    fc_fail failure;
    fc_rpc_status why;
    fc_rpc_conn *conn;
} lo_heard;
extern const fc_rpc_conn_ops lo_hear; /* with a lo_heard as user */

/* Serves GetFleet (at once), ListInstances (as many as the selector says) and GetCapture (no such, or
 * "never"). */
fc_rpc_server *
lo_serve(lo_heard *h, const char *address, fc_rpc_options options);
fc_rpc_client *
lo_connect(lo_heard *h, uint16_t port, bool once);
/* GetFleet. */
fc_err
lo_ask(fc_rpc_client *client, fc_fail *fail);

/* Runs the loop for so long. True, so that it can stand in a condition. */
bool
lo_quiet_ms(int64_t ms);

#define LO_RUN_UNTIL(condition) RUN_LOOP_UNTIL(lo_loop, condition)

/* cmocka's set-up and tear-down of each test. */
int
lo_set_up(void **state);
int
lo_tear_down(void **state);

#endif
