/* known.h: does a message say more than we understand?
 *
 * What a newer peer adds to a message is ignored where that does no harm. Where it does, where an order that
 * is understood by half captures, stops or removes something else than was meant, it is refused.
 */
#ifndef FC_RPC_KNOWN_H
#define FC_RPC_KNOWN_H

#include "common/base/err.h"

#include <protobuf-c/protobuf-c.h>

/* Pure. FC_ERR_UNSUPPORTED when the message, or one inside it, has a field that this build does not know; the
 * sentence names the message's type and the field's number. */
FC_MUST_USE fc_err
fc_rpc_known_check(const ProtobufCMessage *message, fc_fail *fail);

#endif
