/* node_rig.h: what a node in this process and the coordinator that is played to it have in common. */
#ifndef FC_TESTS_NODE_RIG_H
#define FC_TESTS_NODE_RIG_H

#include "common/base/principal.h"
#include "common/model/definition.h"

struct nng_stream;

/* fc_rpc_options.identify, for plain streams: the node is web-1 of fleet test, the coordinator main. */
bool
is_node(struct nng_stream *stream, fc_principal *ret_peer);
bool
is_coordinator(struct nng_stream *stream, fc_principal *ret_peer);
/* nd_node_options.interfaces: a machine with eth0. */
fc_err
one_interface(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail);

#endif
