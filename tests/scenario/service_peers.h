/* service_peers.h: a node and an operator in this process, for the coordinator of service_rig.h. */
#ifndef FC_TESTS_SERVICE_PEERS_H
#define FC_TESTS_SERVICE_PEERS_H

#include "service_rig.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

/* cmocka's setup and teardown: the coordinator that they meet. */
int
peers_set_up(void **state);
int
peers_tear_down(void **state);

/* ---- a node ---- */

enum { FILE_BYTES = 24 << 20, CHUNK_BYTES = 256 << 10 };

typedef struct test_node {
    fc_rpc_client *client;
    uint64_t generation;
    unsigned told;               /* SetDesired calls */
    Fcpb__DesiredState *desired; /* owned: the last */
    unsigned chunks_sent;
    uint64_t file_offset;
    bool read_over;
    fc_code read_ended;
} test_node;

/* What is at this offset of the file that it has. */
uint8_t
file_byte(uint64_t offset);
/* Connects it, without a word; node_leaves frees what it has. */
void
node_dials(test_node *n, const char *id);
/* Says Hello with these versions and features. *ret_hello, when wanted, is owned by the caller. */
fc_err
hello_with(test_node *n, const char *id, const fc_protocol_build *build, Fcpb__HelloResponse **ret_hello,
           fc_fail *fail);
/* The same with one version and no features. */
fc_err
hello_as(test_node *n, const char *id, uint32_t version, fc_fail *fail);
/* Connects, says Hello, and has been told what is desired. */
void
node_joins(test_node *n, const char *id);
void
node_leaves(test_node *n);
/* Reports one capture; with_file: it has a sealed segment of FILE_BYTES. */
fc_err
node_reports(test_node *n, const char *uid, fc_state state, uint64_t revision, bool with_file, fc_fail *fail);
/* So many instances of scale set web that were here once. */
void
join_thousands(size_t count);

/* ---- an operator ---- */

/* Of the capture named job: on all of scale set web. */
extern const char job_json[];

fc_rpc_client *
operator_dials(void);
/* *ret_answer, when wanted, is owned by the caller. */
fc_err
create_job(fc_rpc_client *client, const char *json, Fcpb__CreateCaptureResponse **ret_answer, fc_fail *fail);
const char *
job_uid(void);

#endif
