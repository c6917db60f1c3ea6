#include "common/rpc/known.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

/* How many messages the field holds; the first is at *ret_first. Our types do not nest in themselves. */
static size_t
messages_in(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
            ProtobufCMessage *const **ret_first)
{
    const char *base = (const char *)message;
    const char *at = base + field->offset;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *ret_first = *(ProtobufCMessage *const *const *)(const void *)at;
        return *(const size_t *)(const void *)(base + field->quantifier_offset);
    }
    bool chosen = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                  *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    *ret_first = (ProtobufCMessage *const *)(const void *)at;
    return chosen && **ret_first != NULL ? 1 : 0;
}

fc_err
fc_rpc_known_check(const ProtobufCMessage *message, fc_fail *fail)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (message->n_unknown_fields > 0)
        return fc_fail_set(fail, FC_ERR_UNSUPPORTED,
                           "fleetcap " FC_VERSION ", which was asked, does not know field %" PRIu32
                           " of %s: upgrade it",
                           message->unknown_fields[0].tag, type->short_name);
    for (unsigned f = 0; f < type->n_fields; f++) {
        ProtobufCMessage *const *inner = NULL;
        size_t count = messages_in(message, &type->fields[f], &inner);
        for (size_t i = 0; i < count; i++) {
            fc_err err = fc_rpc_known_check(inner[i], fail);
            if (err != FC_OK)
                return err;
        }
    }
    return FC_OK;
}
