#include "node_rig.h"

bool
is_node(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_NODE, .fleet = "test", .name = "web-1"};
    return true;
}

bool
is_coordinator(struct nng_stream *stream, fc_principal *ret_peer)
{
    (void)stream;
    *ret_peer = (fc_principal){.role = FC_ROLE_COORDINATOR, .fleet = "test", .name = "main"};
    return true;
}

fc_err
one_interface(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail)
{
    (void)asked;
    (void)allowed;
    (void)fail;
    fc_strings_add(ret_names, "eth0");
    return FC_OK;
}
