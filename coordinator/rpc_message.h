/* rpc_message.h: from our objects to messages, each within one frame.
 *
 * New messages, to be freed with protobuf_c_message_free_unpacked. What does not fit is left out, the least
 * needed first.
 */
#ifndef CO_RPC_MESSAGE_H
#define CO_RPC_MESSAGE_H

#include "common/rpc/rpc.h"
#include "coordinator/captures.h"
#include "coordinator/operations.h"
#include "coordinator/reconcile.h"
#include "coordinator/registry.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"

enum {
    CO_MESSAGE_BUDGET = FC_RPC_MESSAGE_MAX - 512,
    CO_PART_SEGMENTS_MAX = 64, /* of an instance capture in a list; ListFiles has all */
};

void
co_message_free(ProtobufCMessage *message);
char *
co_message_text(const char *text); /* an owned copy as protobuf-c wants it */

/* *ret_count of them. */
Fcpb__Label **
co_message_labels(const fc_labels *labels, size_t *ret_count);
Fcpb__Capture *
co_message_capture(const co_capture *capture, bool with_definition);
/* With the last segments_max segments. */
Fcpb__InstanceCapture *
co_message_part(const co_part *part, size_t segments_max);
Fcpb__Instance *
co_message_instance(const co_instance *instance, const struct co *co, bool with_captures);
/* Of a capture that was made, or (dry run) of one that would be. */
Fcpb__CreateCaptureResponse *
co_message_created(const co_created *created, const fc_definition *definition);

#endif
