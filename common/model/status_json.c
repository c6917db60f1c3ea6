/* Status as JSON: docs/json.md lists the names. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/model/status.h"

#include <ctype.h>
#include <stdio.h>

/* What the reference service would call it. */
static const char *const reference_states[] = {
    [FC_STATE_NONE] = "Unknown",    [FC_STATE_PENDING] = "NotStarted", [FC_STATE_PROVISIONING] = "NotStarted",
    [FC_STATE_RUNNING] = "Running", [FC_STATE_STOPPING] = "Running",   [FC_STATE_STOPPED] = "Stopped",
    [FC_STATE_FAILED] = "Error",    [FC_STATE_UNKNOWN] = "Unknown",
};

const char *
fc_state_reference_name(fc_state state)
{
    return reference_states[(size_t)state < FC_COUNT(reference_states) ? (size_t)state : FC_STATE_NONE];
}

/* Its packetCaptureError of a reason; NULL where a stop is no error. */
static const char *const reference_errors[] = {
    [FC_STOP_DISK_FLOOR] = "LocalFileFailed",   [FC_STOP_DISK_FULL] = "LocalFileFailed",
    [FC_STOP_LEASE_EXPIRED] = "AgentStopped",   [FC_STOP_INTERFACE_GONE] = "CaptureFailed",
    [FC_STOP_NODE_SHUTDOWN] = "AgentStopped",   [FC_STOP_NODE_RESTARTED] = "AgentStopped",
    [FC_STOP_HELPER_DIED] = "CaptureFailed",    [FC_STOP_WRITE_ERROR] = "LocalFileFailed",
    [FC_STOP_POLICY_REFUSED] = "CaptureFailed", [FC_STOP_FILTER_REFUSED] = "CaptureFailed",
    [FC_STOP_INTERNAL] = "InternalError",       [FC_STOP_INSTANCE_REMOVED] = "AgentStopped",
};

static void
set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

/* "written_packets" -> "writtenPackets" */
static const char *
camel(const char *name, char text[64])
{
    char *to = text;
    for (const char *at = name; *at != '\0' && to < text + 63; at++)
        *to++ = *at == '_' && at[1] != '\0' ? (char)toupper((unsigned char)*++at) : *at;
    *to = '\0';
    return text;
}

json_t *
fc_counters_to_json(const fc_counters *counters)
{
    json_t *object = json_object();
    char key[64];
#define X(name, unit, in_sum, text)                                                                          \
    json_object_set_new(object, camel(#name, key), fc_json_number(counters->name));
    FC_STATUS_COUNTERS(X)
#undef X
    json_object_set_new(object, "unaccountedPackets", json_integer(fc_counters_unaccounted(counters)));
    return object;
}

json_t *
fc_segment_to_json(const fc_segment *segment)
{
    json_t *object = json_object();
    json_object_set_new(object, "sequence", fc_json_number(segment->sequence));
    fc_json_set_text(object, "path", segment->path);
    json_object_set_new(object, "sizeInBytes", fc_json_number(segment->size_bytes));
    if (segment->hashed) {
        char hex[FC_HEX_SIZE(sizeof segment->sha256)];
        fc_hex_text(segment->sha256, sizeof segment->sha256, hex);
        fc_json_set_text(object, "sha256", hex);
    }
    json_object_set_new(object, "packets", fc_json_number(segment->packets));
    fc_json_set(object, "firstPacketTime", fc_json_time(segment->first_packet));
    fc_json_set(object, "lastPacketTime", fc_json_time(segment->last_packet));
    set_bool(object, "sealed", segment->sealed);
    set_bool(object, "repaired", segment->repaired);
    set_bool(object, "removed", segment->removed);
    return object;
}

static json_t *
segments_to_json(const fc_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->segment_count; i++)
        json_array_append_new(list, fc_segment_to_json(&status->segments[i]));
    return list;
}

static json_t *
gaps_to_json(const fc_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->gap_count; i++) {
        json_t *gap = json_object();
        fc_json_set(gap, "from", fc_json_time(status->gaps[i].from));
        fc_json_set(gap, "to", fc_json_time(status->gaps[i].to));
        json_array_append_new(list, gap);
    }
    return list;
}

static json_t *
reference_error(const fc_status *status)
{
    json_t *list = json_array();
    size_t reason = (size_t)status->stop_reason;
    const char *error = reason < FC_COUNT(reference_errors) ? reference_errors[reason] : NULL;
    if (error == NULL && status->state == FC_STATE_FAILED)
        error = "CaptureFailed";
    if (error != NULL)
        json_array_append_new(list, json_string(error));
    return list;
}

json_t *
fc_status_to_json(const fc_status *status)
{
    json_t *object = json_object();
    fc_json_set_text(object, "captureUid", status->capture_uid);
    fc_json_set_text(object, "captureName", status->capture_name);
    fc_json_set_text(object, "instanceId", status->instance_id);
    fc_json_set_text(object, "instanceName", status->instance_name);
    fc_json_set_text(object, "region", status->region);
    fc_json_set_text(object, "scaleSet", status->scale_set);
    fc_json_set_text(object, "state", fc_state_name(status->state));
    fc_json_set_text(object, "packetCaptureStatus", fc_state_reference_name(status->state));
    json_object_set_new(object, "packetCaptureError", reference_error(status));
    fc_json_set_text(object, "stopReason", fc_stop_reason_name(status->stop_reason));
    fc_json_set_text(object, "stopReasonText", fc_stop_reason_text(status->stop_reason));
    fc_json_set_text(object, "error", status->error);
    set_bool(object, "armed", status->armed);
    set_bool(object, "connected", status->connected);
    fc_json_set(object, "captureStartTime", fc_json_time(status->start));
    fc_json_set(object, "captureStopTime", fc_json_time(status->stop));
    fc_json_set(object, "firstPacketTime", fc_json_time(status->first_packet));
    fc_json_set(object, "lastPacketTime", fc_json_time(status->last_packet));
    json_object_set_new(object, "counters", fc_counters_to_json(&status->counters));
    json_object_set_new(object, "segments", segments_to_json(status));
    json_object_set_new(object, "gaps", gaps_to_json(status));
    fc_json_set_text(object, "compiledFilter", status->compiled_filter);
    fc_json_set_text(object, "directory", status->directory);
    json_object_set_new(object, "ringBytes", fc_json_number(status->ring_bytes));
    json_object_set_new(object, "generation", fc_json_number(status->generation));
    json_object_set_new(object, "revision", fc_json_number(status->revision));
    return object;
}
