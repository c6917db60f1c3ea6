/* service_rig.h: the coordinator's services over plain streams on the loopback; the peers are in this
 * process. */
#ifndef FC_TESTS_SERVICE_RIG_H
#define FC_TESTS_SERVICE_RIG_H

#include "../unit/test_coordinator_fixture.h"
#include "coordinator/service.h"
#include "loop_rig.h"

extern co_config config;
extern struct co *co;
extern fc_rpc_server *server;

/* Serves all services of a coordinator of fleet acme with this configuration (YAML) and a store in memory. */
void
service_open(const char *yaml);
void
service_close(void);

/* Connects as `peer`: plain streams have no certificates, the server takes it from us. The client serves
 * `services`, `count` of them. */
fc_rpc_client *
service_connect(const fc_principal *peer, const fc_rpc_service *services, size_t count);
/* The same, and waits until both sides are admitted. */
fc_rpc_client *
service_dial(const fc_principal *peer, const fc_rpc_service *services, size_t count);
/* The same as somebody of fleet acme. */
fc_rpc_client *
service_dial_as(fc_role role, const char *name, const fc_rpc_service *services, size_t count);

#endif
