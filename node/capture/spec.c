#include "node/capture/spec.h"

#include "common/base/mem.h"

#include <fleetcap/v1/helper.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* 1 to CAP_PREFIX_MAX of A-Z a-z 0-9 . _ -, the first a letter or digit: as fc_name_check, but longer. */
static bool
prefix_check(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= CAP_PREFIX_MAX && text[0] != '.' && text[0] != '-' && text[0] != '_' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

/* What the kernel accepts as a name (dev_valid_name), without white space and control characters. */
static bool
interface_check(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] == '/' || name[i] == ':' || name[i] == 0x7f)
            return false;
    return true;
}

static fc_err
take_name(const char *field, const char *text, bool required, char ret_name[FC_NAME_MAX + 1], fc_fail *fail)
{
    if (*text == '\0' && !required) {
        ret_name[0] = '\0';
        return FC_OK;
    }
    if (!fc_name_check(text))
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s '%.80s' is not a name", field, text);
    memcpy(ret_name, text, strlen(text) + 1);
    return FC_OK;
}

static fc_err
take_identity(const Fcpb__HelperSpec *message, cap_spec *spec, fc_fail *fail)
{
    const struct {
        const char *field, *text;
        bool required;
        char *to;
    } names[] = {
        {"capture_name", message->capture_name, true, spec->capture_name},
        {"instance_id", message->instance_id, true, spec->instance_id},
        {"instance_name", message->instance_name, true, spec->instance_name},
        {"scale_set", message->scale_set, false, spec->scale_set},
        {"region", message->region, false, spec->region},
        {"zone", message->zone, false, spec->zone},
    };
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        fc_err err = take_name(names[i].field, names[i].text, names[i].required, names[i].to, fail);
        if (err != FC_OK)
            return err;
    }
    if (!fc_uid_check(message->capture_uid))
        return fc_fail_field(fail, FC_ERR_INVALID, "capture_uid",
                             "capture uid '%.80s' is not 32 hexadecimal digits", message->capture_uid);
    memcpy(spec->capture_uid, message->capture_uid, sizeof spec->capture_uid);
    if (strlen(message->incident_id) > CAP_TEXT_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "incident_id",
                             "the incident id is longer than %d characters", CAP_TEXT_MAX);
    memcpy(spec->incident_id, message->incident_id, strlen(message->incident_id) + 1);
    if (!prefix_check(message->file_prefix))
        return fc_fail_field(fail, FC_ERR_INVALID, "file_prefix", "file prefix '%.120s' is not a file name",
                             message->file_prefix);
    memcpy(spec->file_prefix, message->file_prefix, strlen(message->file_prefix) + 1);
    return FC_OK;
}

static fc_err
take_interfaces(const Fcpb__HelperSpec *message, cap_spec *spec, fc_fail *fail)
{
    if (message->n_interfaces == 0 || message->n_interfaces > CAP_INTERFACES_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "interfaces", "%zu interfaces: from 1 to %d are possible",
                             message->n_interfaces, CAP_INTERFACES_MAX);
    for (size_t i = 0; i < message->n_interfaces; i++) {
        const char *name = message->interfaces[i];
        if (!interface_check(name))
            return fc_fail_field(fail, FC_ERR_INVALID, "interfaces",
                                 "'%.40s' is not the name of an interface", name);
        for (size_t other = 0; other < i; other++)
            if (strcmp(spec->interfaces[other], name) == 0)
                return fc_fail_field(fail, FC_ERR_INVALID, "interfaces", "interface %s is named twice", name);
        memcpy(spec->interfaces[i], name, strlen(name) + 1);
    }
    spec->interface_count = message->n_interfaces;
    return FC_OK;
}

/* Limits hold over a resumed capture: what earlier processes wrote is taken off. */
static fc_err
take_limits(const Fcpb__HelperSpec *message, cap_spec *spec, fc_stop_reason *ret_reason, fc_fail *fail)
{
    const Fcpb__CaptureSpec *limits = message->spec;
    spec->session_bytes = spec->packet_limit = UINT64_MAX;
    if (limits->session_bytes != 0) {
        *ret_reason = FC_STOP_SESSION_BYTES;
        if (message->written_bytes >= limits->session_bytes)
            return fc_fail_set(fail, FC_ERR_LIMIT,
                               "all of the %" PRIu64 " bytes per session were written before",
                               limits->session_bytes);
        spec->session_bytes = limits->session_bytes - message->written_bytes;
    }
    if (limits->packet_limit != 0) {
        *ret_reason = FC_STOP_PACKET_COUNT;
        if (message->written_packets >= limits->packet_limit)
            return fc_fail_set(fail, FC_ERR_LIMIT, "all of the %" PRIu64 " packets were written before",
                               limits->packet_limit);
        spec->packet_limit = limits->packet_limit - message->written_packets;
    }
    *ret_reason = FC_STOP_INTERNAL;
    if (limits->ring != NULL) {
        spec->segment_count = limits->ring->file_count;
        spec->segment_bytes = limits->ring->file_size_bytes;
        if (spec->segment_count == 0 || spec->segment_count > CAP_RING_FILES_MAX || spec->segment_bytes == 0)
            return fc_fail_field(fail, FC_ERR_INVALID, "ring",
                                 "a ring of %" PRIu32 " files of %" PRIu64 " bytes", spec->segment_count,
                                 spec->segment_bytes);
    }
    spec->time_limit_s = limits->time_limit_s;
    spec->window_end_unix_ns = message->window_end_unix_ns;
    spec->disk_floor_bytes = message->disk_floor_bytes;
    return FC_OK;
}

static uint64_t
clamp(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

static void
take_sizes(const Fcpb__HelperSpec *message, cap_spec *spec)
{
    uint32_t snaplen = message->spec->bytes_per_packet;
    spec->snaplen_bytes = snaplen == 0 || snaplen > CAP_SNAPLEN_MAX ? CAP_SNAPLEN_MAX : snaplen;
    uint64_t ring = message->ring_bytes == 0 ? CAP_RING_DEFAULT_BYTES : message->ring_bytes;
    spec->ring_bytes = clamp(ring, CAP_RING_MIN_BYTES, CAP_RING_MAX_BYTES);
    uint32_t flush = message->flush_interval_ms == 0 ? CAP_FLUSH_DEFAULT_MS : message->flush_interval_ms;
    spec->flush_interval_ms = (uint32_t)clamp(flush, CAP_FLUSH_MIN_MS, CAP_FLUSH_MAX_MS);
    spec->first_sequence = message->first_sequence == 0 ? 1 : message->first_sequence;
}

fc_err
cap_spec_from_pb(const Fcpb__HelperSpec *message, cap_spec *ret_spec, fc_stop_reason *ret_reason,
                 fc_fail *fail)
{
    cap_spec spec = {0};
    *ret_reason = FC_STOP_INTERNAL;
    if (message->spec == NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, "spec", "the capture's specification is missing");
    fc_err err = take_identity(message, &spec, fail);
    if (err == FC_OK)
        err = take_interfaces(message, &spec, fail);
    if (err == FC_OK)
        err = take_limits(message, &spec, ret_reason, fail);
    if (err != FC_OK)
        return err;
    take_sizes(message, &spec);
    spec.filter = fc_strdup(message->filter);
    *ret_spec = spec;
    return FC_OK;
}

void
cap_spec_fini(cap_spec *spec)
{
    free(spec->filter);
    spec->filter = NULL;
}

uint64_t
cap_spec_ring_share(const cap_spec *spec)
{
    return clamp(spec->ring_bytes / spec->interface_count, CAP_RING_MIN_BYTES, CAP_RING_MAX_BYTES);
}
