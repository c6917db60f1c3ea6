/* desired.h: what the coordinator wants of this instance: one generation of the full set of captures.
 *
 * The domain's side of NodeService/SetDesired and of a capture directory's spec.pb. A message with a bad uid,
 * name or action is refused whole; a spec that this node cannot read fails its own capture only
 * (`spec_fail`).
 */
#ifndef ND_DESIRED_H
#define ND_DESIRED_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Fcpb__DesiredCapture Fcpb__DesiredCapture;
typedef struct Fcpb__DesiredState Fcpb__DesiredState;

enum { ND_DESIRED_CAPTURES_MAX = 1024, ND_INCIDENT_ID_MAX = 127 };

/* Numbers are those of fleetcap.v1.DesiredAction. */
typedef enum nd_action {
    ND_ACTION_NONE = 0,
    ND_ACTION_RUN = 1,
    ND_ACTION_STOP = 2,
    ND_ACTION_FORGET = 3,
    ND_ACTION_PURGE = 4,
} nd_action;
const char *
nd_action_name(nd_action action); /* "RUN" */

typedef struct nd_desired_capture {
    char uid[FC_UID_LENGTH + 1];
    char name[FC_NAME_MAX + 1];
    nd_action action;
    bool has_spec;
    fc_spec spec;      /* owned; zero without has_spec */
    fc_fail spec_fail; /* why the spec could not be read; err FC_OK when it could */
    fc_wall created;
    fc_wall start;      /* 0 = arm and wait */
    fc_wall window_end; /* 0 with start 0 */
    fc_stop_reason stop_reason;
    char incident_id[ND_INCIDENT_ID_MAX + 1];
} nd_desired_capture;

typedef struct nd_desired {
    uint64_t generation;
    uint32_t lease_ms;            /* 0 = as before */
    nd_desired_capture *captures; /* owned */
    size_t count;
} nd_desired;

void
nd_desired_capture_fini(nd_desired_capture *capture);
/* Everything of *from, including the spec, goes to *to; *from is left without its spec. */
void
nd_desired_capture_take(nd_desired_capture *to, nd_desired_capture *from);
void
nd_desired_fini(nd_desired *desired);
/* NULL when it is not in the set. Borrowed. */
nd_desired_capture *
nd_desired_find(const nd_desired *desired, const char *uid);

/* *ret is written on FC_OK only, and finished by the caller then. */
FC_MUST_USE fc_err
nd_desired_from_pb(const Fcpb__DesiredState *message, nd_desired *ret, fc_fail *fail);
/* The bytes of spec.pb, appended; and back. */
void
nd_desired_capture_pack(const nd_desired_capture *capture, fc_buf *ret_bytes);
FC_MUST_USE fc_err
nd_desired_capture_unpack(const uint8_t *bytes, size_t size, nd_desired_capture *ret, fc_fail *fail);

#endif
