#include "node/helper_wire.h"

#include "common/base/mem.h"
#include "node/helper_backend.h"

#include <arpa/inet.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <string.h>

static void
put(fc_buf *out, const Fcpb__HelperCommand *command)
{
    size_t size = fcpb__helper_command__get_packed_size(command);
    uint32_t length = htonl((uint32_t)size);
    fc_buf_append(out, &length, sizeof length);
    fc_buf_commit(out, fcpb__helper_command__pack(command, fc_buf_reserve(out, size)));
}

fc_err
nd_helper_put_spec(fc_buf *out, const nd_run_spec *spec, fc_fail *fail)
{
    Fcpb__HelperSpec message = FCPB__HELPER_SPEC__INIT;
    message.capture_uid = (char *)(uintptr_t)spec->capture_uid;
    message.capture_name = (char *)(uintptr_t)spec->capture_name;
    message.instance_id = (char *)(uintptr_t)spec->instance_id;
    message.instance_name = (char *)(uintptr_t)spec->instance_name;
    message.scale_set = (char *)(uintptr_t)spec->scale_set;
    message.region = (char *)(uintptr_t)spec->region;
    message.zone = (char *)(uintptr_t)spec->zone;
    message.incident_id = (char *)(uintptr_t)spec->incident_id;
    message.filter = (char *)(uintptr_t)spec->filter;
    message.file_prefix = (char *)(uintptr_t)spec->file_prefix;
    message.ring_bytes = spec->ring_bytes;
    message.first_sequence = spec->first_sequence;
    message.written_packets = spec->written_packets;
    message.written_bytes = spec->written_bytes;
    message.disk_floor_bytes = spec->disk_floor_bytes;
    message.interfaces = spec->interfaces->items;
    message.n_interfaces = spec->interfaces->count;
    message.window_end_unix_ns = spec->window_end.ns;
    message.flush_interval_ms = 1000;
    message.spec = fc_spec_to_pb(spec->spec);
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_SPEC;
    command.spec = &message;
    size_t size = fcpb__helper_command__get_packed_size(&command);
    fc_err err = size <= ND_HELPER_COMMAND_MAX
                     ? FC_OK
                     : fc_fail_set(fail, FC_ERR_LIMIT, "the capture's spec has %zu bytes, the limit is %d",
                                   size, ND_HELPER_COMMAND_MAX);
    if (err == FC_OK)
        put(out, &command);
    protobuf_c_message_free_unpacked(&message.spec->base, NULL);
    return err;
}

void
nd_helper_put_start(fc_buf *out, fc_wall start, fc_wall window_end)
{
    Fcpb__HelperStart message = FCPB__HELPER_START__INIT;
    message.start_unix_ns = start.ns;
    message.window_end_unix_ns = window_end.ns;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_START;
    command.start = &message;
    put(out, &command);
}

void
nd_helper_put_stop(fc_buf *out, fc_stop_reason reason)
{
    Fcpb__HelperStop message = FCPB__HELPER_STOP__INIT;
    message.reason = (Fcpb__StopReason)reason;
    Fcpb__HelperCommand command = FCPB__HELPER_COMMAND__INIT;
    command.body_case = FCPB__HELPER_COMMAND__BODY_STOP;
    command.stop = &message;
    put(out, &command);
}

static fc_stop_reason
reason_of(Fcpb__StopReason reason)
{
    return *fc_stop_reason_name((fc_stop_reason)reason) != '\0' ? (fc_stop_reason)reason : FC_STOP_NONE;
}

static fc_err
read_progress(const Fcpb__HelperProgress *message, nd_progress *ret, fc_fail *fail)
{
    memset(ret, 0, sizeof *ret);
    fc_counters_from_pb(message->counters, &ret->counters);
    ret->first_packet.ns = message->first_packet_unix_ns;
    ret->last_packet.ns = message->last_packet_unix_ns;
    if (message->current == NULL || message->current->sequence == 0)
        return FC_OK;
    ret->has_current = true;
    return fc_segment_from_pb(message->current, &ret->current, fail);
}

static fc_err
deliver_stopped(const Fcpb__HelperStopped *message, const nd_run_ops *ops, void *user, fc_fail *fail)
{
    nd_progress progress;
    fc_err err = message->final != NULL ? read_progress(message->final, &progress, fail) : FC_OK;
    if (err == FC_OK)
        ops->stopped(user, reason_of(message->reason), message->error,
                     message->final != NULL ? &progress : NULL, (fc_wall){message->stop_unix_ns});
    return err;
}

static fc_err
deliver(const Fcpb__HelperEvent *event, const nd_run_ops *ops, void *user, bool *ret_final, fc_fail *fail)
{
    nd_progress progress;
    fc_segment segment = {0};
    fc_err err = FC_OK;
    switch (event->body_case) {
    case FCPB__HELPER_EVENT__BODY_ARMED:
        ops->armed(user, event->armed->ring_bytes);
        return FC_OK;
    case FCPB__HELPER_EVENT__BODY_STARTED:
        ops->started(user, (fc_wall){event->started->start_unix_ns});
        return FC_OK;
    case FCPB__HELPER_EVENT__BODY_PROGRESS:
        err = read_progress(event->progress, &progress, fail);
        if (err == FC_OK)
            ops->progress(user, &progress);
        return err;
    case FCPB__HELPER_EVENT__BODY_SEGMENT:
        if (event->segment->segment == NULL)
            return fc_fail_set(fail, FC_ERR_PROTOCOL, "a segment event without a segment");
        err = fc_segment_from_pb(event->segment->segment, &segment, fail);
        if (err == FC_OK)
            ops->segment(user, &segment);
        return err;
    case FCPB__HELPER_EVENT__BODY_STOPPED:
        err = deliver_stopped(event->stopped, ops, user, fail);
        *ret_final = err == FC_OK;
        return err;
    case FCPB__HELPER_EVENT__BODY_FAILED:
        *ret_final = true;
        ops->failed(user, reason_of(event->failed->reason), event->failed->error);
        return FC_OK;
    case FCPB__HELPER_EVENT__BODY_PROFILE:
        ops->profile(user, event->profile->profile.data, event->profile->profile.len);
        return FC_OK;
    default:
        return FC_OK; /* of a newer helper */
    }
}

fc_err
nd_helper_take_event(fc_buf *in, const nd_run_ops *ops, void *user, bool *ret_taken, bool *ret_final,
                     fc_fail *fail)
{
    uint32_t length;
    *ret_taken = *ret_final = false;
    if (fc_buf_size(in) < sizeof length)
        return FC_OK;
    memcpy(&length, fc_buf_bytes(in), sizeof length);
    length = ntohl(length);
    if (length > ND_HELPER_EVENT_MAX)
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "an event of %u bytes, the limit is %d", length,
                           ND_HELPER_EVENT_MAX);
    if (fc_buf_size(in) < sizeof length + length)
        return FC_OK;
    Fcpb__HelperEvent *event = fcpb__helper_event__unpack(NULL, length, fc_buf_bytes(in) + sizeof length);
    fc_buf_consume(in, sizeof length + length);
    if (event == NULL)
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "%u bytes that are no event", length);
    *ret_taken = true;
    fc_err err = deliver(event, ops, user, ret_final, fail);
    fcpb__helper_event__free_unpacked(event, NULL);
    return err == FC_OK ? FC_OK : FC_ERR_PROTOCOL;
}
