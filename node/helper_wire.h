/* helper_wire.h: helper.proto on the channel: frames, commands, and events that a helper may have made up. */
#ifndef ND_HELPER_WIRE_H
#define ND_HELPER_WIRE_H

#include "common/base/buf.h"
#include "node/backend.h"

#include <stdbool.h>

typedef struct Fcpb__HelperEvent Fcpb__HelperEvent;

/* Appends one framed command. FC_ERR_LIMIT when the spec does not fit ND_HELPER_COMMAND_MAX. */
FC_MUST_USE fc_err
nd_helper_put_spec(fc_buf *out, const nd_run_spec *spec, fc_fail *fail);
void
nd_helper_put_start(fc_buf *out, fc_wall start, fc_wall window_end);
void
nd_helper_put_stop(fc_buf *out, fc_stop_reason reason);

/* Takes one whole event off `in` and calls the matching run op. *ret_taken false: not whole yet.
 * FC_ERR_PROTOCOL for bytes that are no event, or one that lies. *ret_final: it was stopped or failed, and
 * user may be gone now. */
FC_MUST_USE fc_err
nd_helper_take_event(fc_buf *in, const nd_run_ops *ops, void *user, bool *ret_taken, bool *ret_final,
                     fc_fail *fail);

#endif
