#include "node/desired.h"

#include "common/base/mem.h"
#include "common/rpc/known.h"

#include <fleetcap/v1/node_service.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const action_names[] = {
    [ND_ACTION_NONE] = "none",     [ND_ACTION_RUN] = "RUN",     [ND_ACTION_STOP] = "STOP",
    [ND_ACTION_FORGET] = "FORGET", [ND_ACTION_PURGE] = "PURGE",
};

const char *
nd_action_name(nd_action action)
{
    return (size_t)action < FC_COUNT(action_names) ? action_names[action] : "none";
}

void
nd_desired_capture_fini(nd_desired_capture *capture)
{
    if (capture->has_spec)
        fc_spec_fini(&capture->spec);
    memset(capture, 0, sizeof *capture);
}

void
nd_desired_capture_take(nd_desired_capture *to, nd_desired_capture *from)
{
    *to = *from;
    memset(&from->spec, 0, sizeof from->spec);
    from->has_spec = false;
}

void
nd_desired_fini(nd_desired *desired)
{
    for (size_t i = 0; i < desired->count; i++)
        nd_desired_capture_fini(&desired->captures[i]);
    free(desired->captures);
    memset(desired, 0, sizeof *desired);
}

nd_desired_capture *
nd_desired_find(const nd_desired *desired, const char *uid)
{
    for (size_t i = 0; i < desired->count; i++)
        if (strcmp(desired->captures[i].uid, uid) == 0)
            return &desired->captures[i];
    return NULL;
}

static fc_err
read_identity(const Fcpb__DesiredCapture *message, nd_desired_capture *ret, fc_fail *fail)
{
    if (!fc_uid_check(message->capture_uid))
        return fc_fail_field(fail, FC_ERR_INVALID, "capture_uid", "'%.40s' is not a capture uid",
                             message->capture_uid);
    if (!fc_name_check(message->capture_name))
        return fc_fail_field(fail, FC_ERR_INVALID, "capture_name", "'%.80s' is not a name",
                             message->capture_name);
    if (message->action < FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN ||
        message->action > FCPB__DESIRED_ACTION__DESIRED_ACTION_PURGE)
        return fc_fail_field(fail, FC_ERR_INVALID, "action",
                             "capture %s: %d is not an action this node knows", message->capture_name,
                             (int)message->action);
    if (message->start_unix_ns < 0 || message->window_end_unix_ns < 0 || message->created_unix_ns < 0)
        return fc_fail_field(fail, FC_ERR_RANGE, "start_unix_ns", "capture %s: a time before 1970",
                             message->capture_name);
    memcpy(ret->uid, message->capture_uid, sizeof ret->uid);
    memcpy(ret->name, message->capture_name, strlen(message->capture_name) + 1);
    return FC_OK;
}

static fc_err
read_capture(const Fcpb__DesiredCapture *message, nd_desired_capture *ret, fc_fail *fail)
{
    nd_desired_capture made = {0};
    fc_err err = read_identity(message, &made, fail);
    if (err != FC_OK)
        return err;
    made.action = (nd_action)message->action;
    made.created.ns = message->created_unix_ns;
    made.start.ns = message->start_unix_ns;
    made.window_end.ns = message->window_end_unix_ns;
    /* A reason from a newer coordinator is still a stop. */
    made.stop_reason = *fc_stop_reason_name((fc_stop_reason)message->stop_reason) != '\0'
                           ? (fc_stop_reason)message->stop_reason
                           : FC_STOP_STOP_REQUESTED;
    if (strlen(message->incident_id) <= ND_INCIDENT_ID_MAX)
        memcpy(made.incident_id, message->incident_id, strlen(message->incident_id) + 1);
    if (message->spec != NULL && fc_rpc_known_check(&message->spec->base, &made.spec_fail) == FC_OK)
        made.has_spec = fc_spec_from_pb(message->spec, &made.spec, &made.spec_fail) == FC_OK;
    if (!made.has_spec) {
        memset(&made.spec, 0, sizeof made.spec);
        if (message->spec == NULL)
            fc_fail_field(&made.spec_fail, FC_ERR_INVALID, "spec", "the coordinator sent no spec");
    }
    *ret = made;
    return FC_OK;
}

fc_err
nd_desired_from_pb(const Fcpb__DesiredState *message, nd_desired *ret, fc_fail *fail)
{
    if (message->n_captures > ND_DESIRED_CAPTURES_MAX)
        return fc_fail_field(fail, FC_ERR_LIMIT, "captures", "%zu captures, the limit is %d",
                             message->n_captures, ND_DESIRED_CAPTURES_MAX);
    nd_desired made = {.generation = message->generation, .lease_ms = message->lease_ms};
    made.captures = fc_alloc_array(message->n_captures, sizeof made.captures[0]);
    fc_err err = FC_OK;
    for (size_t i = 0; i < message->n_captures && err == FC_OK; i++) {
        nd_desired_capture *capture = &made.captures[made.count];
        err = read_capture(message->captures[i], capture, fail);
        if (err != FC_OK)
            break;
        if (nd_desired_find(&made, capture->uid) != NULL)
            err =
                fc_fail_field(fail, FC_ERR_INVALID, "captures", "capture uid %s stands twice", capture->uid);
        made.count++;
    }
    if (err != FC_OK)
        nd_desired_fini(&made);
    else
        *ret = made;
    return err;
}

void
nd_desired_capture_pack(const nd_desired_capture *capture, fc_buf *ret_bytes)
{
    Fcpb__DesiredCapture message = FCPB__DESIRED_CAPTURE__INIT;
    message.capture_uid = (char *)capture->uid;
    message.capture_name = (char *)capture->name;
    message.action = (Fcpb__DesiredAction)capture->action;
    message.spec = capture->has_spec ? fc_spec_to_pb(&capture->spec) : NULL;
    message.created_unix_ns = capture->created.ns;
    message.start_unix_ns = capture->start.ns;
    message.window_end_unix_ns = capture->window_end.ns;
    message.stop_reason = (Fcpb__StopReason)capture->stop_reason;
    message.incident_id = (char *)capture->incident_id;
    size_t size = fcpb__desired_capture__get_packed_size(&message);
    fc_buf_commit(ret_bytes, fcpb__desired_capture__pack(&message, fc_buf_reserve(ret_bytes, size)));
    if (message.spec != NULL)
        protobuf_c_message_free_unpacked(&message.spec->base, NULL);
}

fc_err
nd_desired_capture_unpack(const uint8_t *bytes, size_t size, nd_desired_capture *ret, fc_fail *fail)
{
    Fcpb__DesiredCapture *message = fcpb__desired_capture__unpack(NULL, size, bytes);
    if (message == NULL)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "not a DesiredCapture");
    fc_err err = read_capture(message, ret, fail);
    fcpb__desired_capture__free_unpacked(message, NULL);
    return err;
}
