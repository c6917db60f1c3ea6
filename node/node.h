/* node.h: everything of one instance on one loop: its captures, their lease, what is to be reported.
 *
 * No globals: a thousand of them live in one process in tests/bench. It speaks the domain's types; link.c
 * carries them to and from a coordinator. Life: new -> start (restores what the disk has) -> desired … ->
 * shutdown -> free.
 */
#ifndef ND_NODE_H
#define ND_NODE_H

#include "node/instance_capture.h"

enum { ND_LEASE_DEFAULT_MS = 300000 };

typedef struct nd_node nd_node;

typedef struct nd_node_options {
    fc_loop *loop; /* all borrowed */
    nd_backend *backend;
    nd_storage *storage;
    const nd_identity *identity; /* may still change its boot_id before the first report */
    const nd_policy *policy;
    const char *captures_dir;
    uint64_t ring_bytes;
    fc_err (*context)(fc_context *ret_context, fc_fail *fail); /* NULL = contexts are not read */
    fc_err (*interfaces)(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names,
                         fc_fail *fail);
} nd_node_options;

nd_node *
nd_node_new(const nd_node_options *options);
/* As a death: helpers are let go, nothing is stopped or saved. Shut down first where that is not meant. */
void
nd_node_free(nd_node *node);

/* Restores the captures that the storage has. */
FC_MUST_USE fc_err
nd_node_start(nd_node *node, fc_fail *fail);
/* Reconciles with the full desired set, and renews the lease. Takes specs out of *desired. FC_ERR_UNAVAILABLE
 * when it is shutting down. */
FC_MUST_USE fc_err
nd_node_apply(nd_node *node, nd_desired *desired, fc_fail *fail);
void
nd_node_renew_lease(nd_node *node, uint32_t lease_ms); /* 0 = as long as the last one */
/* Stops everything with NODE_SHUTDOWN; `done` comes from the loop when all is sealed, once. */
void
nd_node_shutdown(nd_node *node, void (*done)(void *user), void *user);

/* Who wants to know of changes, and who knows the coordinator's endpoints (both the link). NULL = nobody. */
void
nd_node_set_link(nd_node *node, void (*changed)(void *link, bool urgent),
                 size_t (*own)(void *link, fc_endpoint *ret_endpoints, size_t max), void *link);
/* Whether reports can get through; without, forgotten captures go at once. */
void
nd_node_set_connected(nd_node *node, bool connected);

uint64_t
nd_node_generation(const nd_node *node);
const nd_identity *
nd_node_identity(const nd_node *node);
nd_storage *
nd_node_storage(const nd_node *node);
fc_loop *
nd_node_loop(const nd_node *node);
size_t
nd_node_capture_count(const nd_node *node);
nd_instance_capture *
nd_node_capture(const nd_node *node, size_t index); /* borrowed */
nd_instance_capture *
nd_node_find(const nd_node *node, const char *uid); /* NULL = unknown */
/* Lets forgotten captures go that have been reported; runs later, on the loop. */
void
nd_node_sweep_later(nd_node *node);

#endif
