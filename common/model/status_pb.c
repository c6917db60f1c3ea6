/* Status to and from protobuf. What comes from a node is taken for a lie until it is checked. */
#include "common/base/mem.h"
#include "common/model/definition.h"
#include "common/model/shape.h"
#include "common/model/status.h"

#include "fleetcap/v1/types.pb-c.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)FC_STATE_UNKNOWN == (int)FCPB__STATE__STATE_UNKNOWN, "fc_state is fleetcap.v1.State");
_Static_assert((int)FC_STOP_INTERNAL == (int)FCPB__STOP_REASON__STOP_REASON_INTERNAL,
               "fc_stop_reason is fleetcap.v1.StopReason");

/* ---- from ---- */

static fc_err
name_from_pb(const char *text, const char *field, char ret_name[FC_NAME_MAX + 1], fc_fail *fail)
{
    if (*text == '\0')
        return FC_OK;
    if (!fc_name_check(text))
        return fc_refuse_text(fail, field, text, "is not a name");
    strcpy(ret_name, text);
    return FC_OK;
}

static bool
is_time(int64_t unix_ns)
{
    return unix_ns >= 0;
}

void
fc_counters_from_pb(const Fcpb__Counters *message, fc_counters *ret)
{
    *ret = (fc_counters){0};
    if (message == NULL)
        return;
#define X(name, unit, in_sum, text) ret->name = message->name;
    FC_STATUS_COUNTERS(X)
#undef X
}

fc_err
fc_segment_from_pb(const Fcpb__Segment *message, fc_segment *ret, fc_fail *fail)
{
    if (message->sequence == 0)
        return fc_refuse(fail, "segments.sequence", "starts at 1");
    if (!fc_segment_path_check(message->path))
        return fc_refuse_text(fail, "segments.path", message->path, "is not a relative path of names");
    if (message->sha256.len != 0 && message->sha256.len != sizeof ret->sha256)
        return fc_refuse(fail, "segments.sha256", "has 32 bytes or none");
    if (!is_time(message->first_packet_unix_ns) || !is_time(message->last_packet_unix_ns))
        return fc_refuse(fail, "segments", "has a time before 1970");
    *ret = (fc_segment){
        .sequence = message->sequence,
        .size_bytes = message->size_bytes,
        .hashed = message->sha256.len != 0,
        .packets = message->packets,
        .first_packet = {message->first_packet_unix_ns},
        .last_packet = {message->last_packet_unix_ns},
        .sealed = message->sealed,
        .repaired = message->repaired,
        .removed = message->removed,
    };
    strcpy(ret->path, message->path);
    if (ret->hashed)
        memcpy(ret->sha256, message->sha256.data, sizeof ret->sha256);
    return FC_OK;
}

static fc_err
segments_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    if (message->n_segments > FC_RING_FILES_MAX)
        return fc_refuse(fail, "segments", "are more than 10000");
    if (message->n_segments == 0)
        return FC_OK;
    ret->segments = fc_alloc_array(message->n_segments, sizeof(fc_segment));
    for (size_t i = 0; i < message->n_segments; i++) {
        fc_err err = fc_segment_from_pb(message->segments[i], &ret->segments[i], fail);
        if (err != FC_OK)
            return err;
        if (i > 0 && ret->segments[i].sequence <= ret->segments[i - 1].sequence)
            return fc_refuse(fail, "segments.sequence", "does not grow");
        ret->segment_count++;
    }
    return FC_OK;
}

static fc_err
gaps_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    if (message->n_gaps > FC_GAPS_MAX)
        return fc_refuse(fail, "gaps", "are more than 64");
    if (message->n_gaps == 0)
        return FC_OK;
    ret->gaps = fc_alloc_array(message->n_gaps, sizeof(fc_gap));
    for (size_t i = 0; i < message->n_gaps; i++) {
        const Fcpb__Gap *gap = message->gaps[i];
        if (!is_time(gap->from_unix_ns) || gap->to_unix_ns < gap->from_unix_ns)
            return fc_refuse(fail, "gaps", "one ends before it starts");
        ret->gaps[ret->gap_count++] = (fc_gap){{gap->from_unix_ns}, {gap->to_unix_ns}};
    }
    return FC_OK;
}

/* Free text of a node, made fit to be shown: at most size - 1 bytes. */
static char *
clean_from_pb(const char *text, size_t size)
{
    if (*text == '\0')
        return NULL;
    size_t length = strnlen(text, size - 1);
    char *clean = fc_alloc(length + 1);
    fc_text_clean(text, clean, length + 1);
    return clean;
}

static fc_err
texts_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    if (strnlen(message->compiled_filter, FC_FILTER_EXPRESSION_MAX + 1) > FC_FILTER_EXPRESSION_MAX)
        return fc_refuse(fail, "compiled_filter", "is too long");
    if (*message->directory != '\0' &&
        (*message->directory != '/' || !fc_text_check(message->directory, PATH_MAX - 1) ||
         strstr(message->directory, "/../") != NULL))
        return fc_refuse_text(fail, "directory", message->directory, "is not an absolute path");
    ret->compiled_filter = clean_from_pb(message->compiled_filter, FC_FILTER_EXPRESSION_MAX + 1);
    ret->directory = *message->directory != '\0' ? fc_strdup(message->directory) : NULL;
    ret->error = clean_from_pb(message->error, FC_ERROR_TEXT);
    return FC_OK;
}

static fc_err
names_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    if (!fc_uid_check(message->capture_uid))
        return fc_refuse_text(fail, "capture_uid", message->capture_uid, "is not a uid");
    strcpy(ret->capture_uid, message->capture_uid);
    fc_err err = name_from_pb(message->capture_name, "capture_name", ret->capture_name, fail);
    if (err == FC_OK)
        err = name_from_pb(message->instance_id, "instance_id", ret->instance_id, fail);
    if (err == FC_OK)
        err = name_from_pb(message->instance_name, "instance_name", ret->instance_name, fail);
    if (err == FC_OK)
        err = name_from_pb(message->region, "region", ret->region, fail);
    if (err == FC_OK)
        err = name_from_pb(message->scale_set, "scale_set", ret->scale_set, fail);
    return err;
}

static fc_err
numbers_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    if (message->state < FCPB__STATE__STATE_PENDING || message->state > FCPB__STATE__STATE_UNKNOWN)
        return fc_refuse(fail, "state", "is not a known state");
    if ((int)message->stop_reason < 0)
        return fc_refuse(fail, "stop_reason", "is not a reason");
    if (!is_time(message->start_unix_ns) || !is_time(message->stop_unix_ns) ||
        !is_time(message->first_packet_unix_ns) || !is_time(message->last_packet_unix_ns))
        return fc_refuse(fail, "instance capture", "has a time before 1970");
    ret->state = (fc_state)message->state;
    ret->armed = message->armed;
    ret->connected = message->connected;
    ret->start.ns = message->start_unix_ns;
    ret->stop.ns = message->stop_unix_ns;
    ret->first_packet.ns = message->first_packet_unix_ns;
    ret->last_packet.ns = message->last_packet_unix_ns;
    ret->generation = message->generation;
    ret->revision = message->revision;
    ret->ring_bytes = message->ring_bytes;
    fc_counters_from_pb(message->counters, &ret->counters);
    return FC_OK;
}

/* After the texts. A reason of a newer node is still an end: it is told in words. */
static void
reason_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret)
{
    ret->stop_reason = (fc_stop_reason)message->stop_reason;
    if (message->stop_reason == FCPB__STOP_REASON__STOP_REASON_UNSPECIFIED ||
        *fc_stop_reason_name(ret->stop_reason) != '\0')
        return;
    ret->stop_reason = FC_STOP_INTERNAL;
    if (ret->error == NULL)
        ret->error = fc_sprintf("stopped for a reason (%d) that only a newer fleetcap knows",
                                (int)message->stop_reason);
}

fc_err
fc_status_from_pb(const Fcpb__InstanceCapture *message, fc_status *ret, fc_fail *fail)
{
    fc_status status = {0};
    fc_err err = names_from_pb(message, &status, fail);
    if (err == FC_OK)
        err = numbers_from_pb(message, &status, fail);
    if (err == FC_OK)
        err = gaps_from_pb(message, &status, fail);
    if (err == FC_OK)
        err = segments_from_pb(message, &status, fail);
    if (err == FC_OK)
        err = texts_from_pb(message, &status, fail);
    if (err == FC_OK)
        reason_from_pb(message, &status);
    if (err == FC_OK)
        *ret = status;
    else
        fc_status_fini(&status);
    return err;
}

/* ---- to ---- */

void
fc_counters_to_pb(const fc_counters *counters, Fcpb__Counters *ret_message)
{
    fcpb__counters__init(ret_message);
#define X(name, unit, in_sum, text) ret_message->name = counters->name;
    FC_STATUS_COUNTERS(X)
#undef X
}

void
fc_segment_to_pb(const fc_segment *segment, Fcpb__Segment *ret_message)
{
    fcpb__segment__init(ret_message);
    ret_message->sequence = segment->sequence;
    /* protobuf-c has no const here; packing only reads. */
    ret_message->path = (char *)segment->path;
    ret_message->size_bytes = segment->size_bytes;
    if (segment->hashed)
        ret_message->sha256 = (ProtobufCBinaryData){sizeof segment->sha256, (uint8_t *)segment->sha256};
    ret_message->packets = segment->packets;
    ret_message->first_packet_unix_ns = segment->first_packet.ns;
    ret_message->last_packet_unix_ns = segment->last_packet.ns;
    ret_message->sealed = segment->sealed;
    ret_message->repaired = segment->repaired;
    ret_message->removed = segment->removed;
}

/* One that owns its path and hash. */
static Fcpb__Segment *
owned_segment(const fc_segment *segment)
{
    Fcpb__Segment *message = FC_NEW(Fcpb__Segment);
    fc_segment_to_pb(segment, message);
    message->path = fc_text_to_pb(segment->path);
    if (segment->hashed) {
        message->sha256.data = fc_alloc(sizeof segment->sha256);
        memcpy(message->sha256.data, segment->sha256, sizeof segment->sha256);
    }
    return message;
}

static void
segments_to_pb(const fc_status *status, Fcpb__InstanceCapture *message)
{
    if (status->segment_count == 0)
        return;
    message->segments = fc_alloc_array(status->segment_count, sizeof(Fcpb__Segment *));
    for (size_t i = 0; i < status->segment_count; i++)
        message->segments[message->n_segments++] = owned_segment(&status->segments[i]);
}

static void
gaps_to_pb(const fc_status *status, Fcpb__InstanceCapture *message)
{
    if (status->gap_count == 0)
        return;
    message->gaps = fc_alloc_array(status->gap_count, sizeof(Fcpb__Gap *));
    for (size_t i = 0; i < status->gap_count; i++) {
        Fcpb__Gap *gap = FC_NEW(Fcpb__Gap);
        fcpb__gap__init(gap);
        gap->from_unix_ns = status->gaps[i].from.ns;
        gap->to_unix_ns = status->gaps[i].to.ns;
        message->gaps[message->n_gaps++] = gap;
    }
}

Fcpb__InstanceCapture *
fc_status_to_pb(const fc_status *status)
{
    Fcpb__InstanceCapture *message = FC_NEW(Fcpb__InstanceCapture);
    fcpb__instance_capture__init(message);
    message->capture_uid = fc_text_to_pb(status->capture_uid);
    message->capture_name = fc_text_to_pb(status->capture_name);
    message->instance_id = fc_text_to_pb(status->instance_id);
    message->instance_name = fc_text_to_pb(status->instance_name);
    message->region = fc_text_to_pb(status->region);
    message->scale_set = fc_text_to_pb(status->scale_set);
    message->state = (Fcpb__State)status->state;
    message->stop_reason = (Fcpb__StopReason)status->stop_reason;
    message->error = fc_text_to_pb(status->error);
    message->counters = FC_NEW(Fcpb__Counters);
    fc_counters_to_pb(&status->counters, message->counters);
    segments_to_pb(status, message);
    gaps_to_pb(status, message);
    message->start_unix_ns = status->start.ns;
    message->stop_unix_ns = status->stop.ns;
    message->first_packet_unix_ns = status->first_packet.ns;
    message->last_packet_unix_ns = status->last_packet.ns;
    message->compiled_filter = fc_text_to_pb(status->compiled_filter);
    message->directory = fc_text_to_pb(status->directory);
    message->generation = status->generation;
    message->revision = status->revision;
    message->ring_bytes = status->ring_bytes;
    message->armed = status->armed;
    message->connected = status->connected;
    return message;
}
