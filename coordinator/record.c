#include "coordinator/record.h"

#include "fleetcap/v1/types.pb-c.h"

#include "common/base/mem.h"

#include <stdlib.h>

static void
pack(const ProtobufCMessage *message, fc_buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    (void)protobuf_c_message_pack(message, fc_buf_reserve(out, size));
    fc_buf_commit(out, size);
}

static fc_err
corrupt(const char *what, const fc_fail *why, fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_CORRUPT, "the database holds %s that cannot be read%s%s", what,
                       why != NULL ? ": " : "", why != NULL ? why->text : "");
}

void
co_record_pack_definition(const fc_definition *definition, fc_buf *out)
{
    Fcpb__Definition *message = fc_definition_to_pb(definition);
    pack(&message->base, out);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

fc_err
co_record_unpack_definition(co_blob blob, fc_definition *ret, fc_fail *fail)
{
    fc_fail why = {0};
    Fcpb__Definition *message = fcpb__definition__unpack(NULL, blob.size, blob.data);
    if (message == NULL)
        return corrupt("a definition", NULL, fail);
    fc_err err = fc_definition_from_pb(message, ret, &why);
    fcpb__definition__free_unpacked(message, NULL);
    return err == FC_OK ? FC_OK : corrupt("a definition", &why, fail);
}

void
co_record_pack_status(const fc_status *status, fc_buf *out)
{
    fc_status bare = *status; /* borrows everything */
    bare.segments = NULL;
    bare.segment_count = 0;
    Fcpb__InstanceCapture *message = fc_status_to_pb(&bare);
    pack(&message->base, out);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

fc_err
co_record_unpack_status(co_blob blob, fc_status *ret, fc_fail *fail)
{
    fc_fail why = {0};
    Fcpb__InstanceCapture *message = fcpb__instance_capture__unpack(NULL, blob.size, blob.data);
    if (message == NULL)
        return corrupt("an instance capture", NULL, fail);
    fc_err err = fc_status_from_pb(message, ret, &why);
    fcpb__instance_capture__free_unpacked(message, NULL);
    return err == FC_OK ? FC_OK : corrupt("an instance capture", &why, fail);
}

void
co_record_pack_segment(const fc_segment *segment, fc_buf *out)
{
    Fcpb__Segment message;
    fc_segment_to_pb(segment, &message);
    pack(&message.base, out);
}

fc_err
co_record_unpack_segment(co_blob blob, fc_segment *ret, fc_fail *fail)
{
    fc_fail why = {0};
    Fcpb__Segment *message = fcpb__segment__unpack(NULL, blob.size, blob.data);
    if (message == NULL)
        return corrupt("a segment", NULL, fail);
    fc_err err = fc_segment_from_pb(message, ret, &why);
    fcpb__segment__free_unpacked(message, NULL);
    return err == FC_OK ? FC_OK : corrupt("a segment", &why, fail);
}

void
co_record_pack_labels(const fc_labels *labels, fc_buf *out)
{
    Fcpb__Instance message = FCPB__INSTANCE__INIT;
    Fcpb__Label *items = fc_alloc_array(labels->count + 1, sizeof *items);
    Fcpb__Label **pointers = fc_alloc_array(labels->count + 1, sizeof *pointers);
    for (size_t i = 0; i < labels->count; i++) {
        fcpb__label__init(&items[i]);
        items[i].key = labels->items[i].key;
        items[i].value = labels->items[i].value;
        pointers[i] = &items[i];
    }
    message.labels = pointers;
    message.n_labels = labels->count;
    pack(&message.base, out);
    free(pointers);
    free(items);
}

fc_err
co_record_unpack_labels(co_blob blob, fc_labels *ret, fc_fail *fail)
{
    Fcpb__Instance *message = fcpb__instance__unpack(NULL, blob.size, blob.data);
    if (message == NULL)
        return corrupt("labels", NULL, fail);
    for (size_t i = 0; i < message->n_labels; i++)
        fc_labels_set(ret, message->labels[i]->key, message->labels[i]->value);
    fcpb__instance__free_unpacked(message, NULL);
    return FC_OK;
}
