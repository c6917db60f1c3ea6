/* Bytes from a peer, admitted or not, to a connection that serves every method: the first byte says how they
 * are cut, and who we are. Whatever comes, the connection ends in order and no call outlives it. */
#include "../scenario/rpc_rig.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
answer(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    (void)service;
    /* Any output type: an empty message of it, and a few more where it streams. */
    const fc_rpc_method *method = fc_rpc_call_method(call);
    ProtobufCMessage *reply = protobuf_c_message_unpack(method->output, NULL, 0, NULL);
    for (int i = 0; i < ((method->kind & FC_RPC_SERVER_STREAM) != 0 ? 3 : 1); i++)
        (void)fc_rpc_call_send(call, reply);
    protobuf_c_message_free_unpacked(reply, NULL);
    if (method->id % 3 != 0)
        fc_rpc_call_finish(call, &fc_rpc_ok);
}

/* The peer answers our calls with what the input says. */
static void
call_back(rig_end *end)
{
    static const fc_method_id methods[] = {FC_METHOD_SET_DESIRED, FC_METHOD_READ_SEGMENT,
                                           FC_METHOD_GET_FLEET};
    for (size_t i = 0; i < FC_COUNT(methods) && end->conn->state == FC_RPC_CONN_OPEN; i++) {
        ProtobufCMessage *request =
            protobuf_c_message_unpack(fc_rpc_method_get(methods[i])->input, NULL, 0, NULL);
        (void)fc_rpc_call_new(end->conn, methods[i], request, 100, NULL, NULL);
        protobuf_c_message_free_unpacked(request, NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fc_rpc_handler handlers[FC_METHOD_COUNT];
    static const fc_role roles[] = {FC_ROLE_NODE, FC_ROLE_OPERATOR, FC_ROLE_COORDINATOR, FC_ROLE_ANONYMOUS};
    if (size == 0)
        return 0;
    for (size_t i = 0; i < FC_METHOD_COUNT; i++)
        handlers[i] = (fc_rpc_handler){.method = (fc_method_id)i, .request = answer};
    const fc_rpc_service service = {.handlers = handlers, .handler_count = FC_METHOD_COUNT};
    uint8_t how = data[0];
    size_t chunk = (how & 0x0f) == 0 ? SIZE_MAX : (size_t)1 << (how & 0x0f);
    bool dialled = (how & 0x10) != 0;
    rig r;
    rig_init(&r, &(rig_options){.listener_services = dialled ? NULL : &service,
                                .dialler_services = dialled ? &service : NULL,
                                .dialler_role = roles[how >> 6],
                                .dialler_raw = !dialled,
                                .listener_raw = dialled});
    rig_end *ours = dialled ? &r.dialler : &r.listener;
    bool called = false;
    rig_say_bytes(ours->other, data + 1, size - 1);
    for (;;) {
        bool moved = rig_hand(ours, chunk);
        moved = rig_carry(ours, chunk) || moved;
        moved = rig_run(&r) || moved;
        if (!called && ours->opened > 0 && ours->conn != NULL) {
            called = true;
            call_back(ours);
        }
        if (!moved)
            break;
    }
    rig_pass_ms(&r, 200);
    rig_fini(&r);
    return 0;
}
