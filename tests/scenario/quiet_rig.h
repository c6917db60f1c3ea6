/* quiet_rig.h: a connection on which nothing is under way from this end: the Pings that follow its opening
 * are answered, and no frame waits for another to be sent. A goodbye said at either end then crosses nothing.
 */
#ifndef FC_TESTS_QUIET_RIG_H
#define FC_TESTS_QUIET_RIG_H

#include "common/rpc/conn.h"

#include <stdbool.h>

static inline bool
is_quiet(const fc_rpc_conn *conn)
{
    return conn->quick_pings == 0 && conn->exchange.origin.ns == 0 && fc_buf_size(&conn->out) == 0 &&
           fc_buf_size(&conn->sending) == 0;
}

/* Visits a server's connections: the bool at `user` becomes false when one is not quiet. */
static inline void
see_quiet(fc_rpc_conn *conn, void *user)
{
    if (!is_quiet(conn))
        *(bool *)user = false;
}

static inline bool
server_is_quiet(fc_rpc_server *server)
{
    bool quiet = true;
    fc_rpc_server_each(server, see_quiet, &quiet);
    return quiet;
}

#endif
