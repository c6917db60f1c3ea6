/* link_rig.h: a node with a real disk and played helpers, and a coordinator that is played to it: real calls
 * over the loopback, without TLS. */
#ifndef FC_TESTS_LINK_RIG_H
#define FC_TESTS_LINK_RIG_H

#include "loop_rig.h"
#include "node/link.h"
#include "tests/temp_dir.h"

#include <fleetcap/v1/node_service.pb-c.h>

enum { INTERVAL_MS = 100 }; /* between reports, as the coordinator wants it */

extern const char UID[]; /* of the capture */

typedef struct world {
    fc_loop *loop;
    char root[TEMP_DIR_BYTES];

    fc_rpc_server *server;
    fc_rpc_service service;
    fc_rpc_conn *node_conn; /* weak: cleared by its close */
    size_t hellos, reports, heartbeats, closes, evidence, evidence_refused;
    fc_err refuse_evidence; /* with this */
    bool refuse_hello, refuse_reports;
    uint32_t speaks;      /* the version that it chooses */
    const char *features; /* the one that it announces; NULL = it is from before the list */
    uint32_t hello_min, hello_max;
    size_t hello_features;
    Fcpb__State state;
    Fcpb__StopReason reason;
    uint64_t revision, hello_generation;
    size_t hello_captures;

    nd_identity identity;
    fc_labels labels;
    nd_policy policy;
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node;
    nd_link *link;

    /* of one call of the coordinator's */
    bool over;
    fc_rpc_status status;
    uint64_t generation;
    fc_buf read;
    uint64_t next_offset;
} world;

/* cmocka's setup and teardown; *state is the world. */
int
set_up(void **state);
int
tear_down(void **state);

#define UNTIL(w, condition) RUN_LOOP_UNTIL((w)->loop, condition)

/* Nothing is waited for: so long the world goes on. */
void
go_on(world *w, int64_t ms);
/* A call of the coordinator's; what came back is in the world. */
void
call(world *w, fc_method_id method, const ProtobufCMessage *request);
/* SetDesired with the one capture, which the node must take. start: Unix ns; 0 = arm only. */
void
push(world *w, uint64_t generation, Fcpb__DesiredAction action, int64_t start);
int64_t
now_ns(void);
/* The capture has run, left a profile, and is stopped. */
void
run_and_stop(world *w);
/* A `done` of the node's: counts in a size_t. */
void
count_done(void *user);

#endif
