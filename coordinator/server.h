/* server.h: the running coordinator: credentials, store, listener, signals.
 *
 * Opened by main from a configuration; tests that want the whole program on a port of its own use it too.
 */
#ifndef CO_SERVER_H
#define CO_SERVER_H

#include "common/base/err.h"
#include "common/base/loop.h"
#include "coordinator/config.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct co_server co_server;

/* Takes the state directory's lock, loads the credentials and the store, listens. Borrows loop and config. */
FC_MUST_USE fc_err
co_server_open(fc_loop *loop, const co_config *config, co_server **ret_server, fc_fail *fail);
/* Everything that can be wrong with the configuration, without listening or changing anything. */
FC_MUST_USE fc_err
co_server_check(const co_config *config, fc_fail *fail);
/* Closes every connection and writes what waits. */
void
co_server_close(co_server *server);
uint16_t
co_server_port(const co_server *server);
/* Reads the credentials again and closes the connections of peers that are no longer welcome. */
void
co_server_reload(co_server *server);

#endif
