/* Status as JSON: docs/json.md lists the names. */
#include "common/base/mem.h"
#include "common/model/status.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

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
set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        json_object_set_new(object, key, json_string(text));
}

/* JSON numbers are signed here; nothing counts that far. */
static void
set_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

static void
set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

/* RFC 3339 in UTC with all nine digits; left out when not set. */
static void
set_time(json_t *object, const char *key, fc_wall wall)
{
    time_t seconds = (time_t)(wall.ns / FC_NS_PER_S);
    struct tm tm;
    char date[32], text[48];
    if (wall.ns <= 0 || gmtime_r(&seconds, &tm) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return;
    (void)snprintf(text, sizeof text, "%s.%09dZ", date, (int)(wall.ns % FC_NS_PER_S));
    json_object_set_new(object, key, json_string(text));
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
#define X(name, unit, in_sum, text) set_number(object, camel(#name, key), counters->name);
    FC_STATUS_COUNTERS(X)
#undef X
    json_object_set_new(object, "unaccountedPackets", json_integer(fc_counters_unaccounted(counters)));
    return object;
}

json_t *
fc_segment_to_json(const fc_segment *segment)
{
    json_t *object = json_object();
    set_number(object, "sequence", segment->sequence);
    set_text(object, "path", segment->path);
    set_number(object, "sizeInBytes", segment->size_bytes);
    if (segment->hashed) {
        char hex[FC_HEX_SIZE(sizeof segment->sha256)];
        fc_hex_text(segment->sha256, sizeof segment->sha256, hex);
        set_text(object, "sha256", hex);
    }
    set_number(object, "packets", segment->packets);
    set_time(object, "firstPacketTime", segment->first_packet);
    set_time(object, "lastPacketTime", segment->last_packet);
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
        set_time(gap, "from", status->gaps[i].from);
        set_time(gap, "to", status->gaps[i].to);
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
    set_text(object, "captureUid", status->capture_uid);
    set_text(object, "captureName", status->capture_name);
    set_text(object, "instanceId", status->instance_id);
    set_text(object, "instanceName", status->instance_name);
    set_text(object, "region", status->region);
    set_text(object, "scaleSet", status->scale_set);
    set_text(object, "state", fc_state_name(status->state));
    set_text(object, "packetCaptureStatus", fc_state_reference_name(status->state));
    json_object_set_new(object, "packetCaptureError", reference_error(status));
    set_text(object, "stopReason", fc_stop_reason_name(status->stop_reason));
    set_text(object, "stopReasonText", fc_stop_reason_text(status->stop_reason));
    set_text(object, "error", status->error);
    set_bool(object, "armed", status->armed);
    set_bool(object, "connected", status->connected);
    set_time(object, "captureStartTime", status->start);
    set_time(object, "captureStopTime", status->stop);
    set_time(object, "firstPacketTime", status->first_packet);
    set_time(object, "lastPacketTime", status->last_packet);
    json_object_set_new(object, "counters", fc_counters_to_json(&status->counters));
    json_object_set_new(object, "segments", segments_to_json(status));
    json_object_set_new(object, "gaps", gaps_to_json(status));
    set_text(object, "compiledFilter", status->compiled_filter);
    set_text(object, "directory", status->directory);
    set_number(object, "ringBytes", status->ring_bytes);
    set_number(object, "generation", status->generation);
    set_number(object, "revision", status->revision);
    return object;
}
