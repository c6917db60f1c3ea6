/* The definition to and from protobuf: shape only, meaning is fc_definition_check's. */
#include "common/base/mem.h"
#include "common/model/definition.h"
#include "common/model/limits.h"
#include "common/model/shape.h"

#include "fleetcap/v1/types.pb-c.h"

#include <stdlib.h>

_Static_assert((int)FC_PROTOCOL_ICMP == (int)FCPB__PROTOCOL__PROTOCOL_ICMP,
               "fc_protocol is fleetcap.v1.Protocol");

/* ---- from ---- */

static fc_err
filter_from_pb(const Fcpb__Filter *message, fc_filter *ret, fc_fail *fail)
{
    /* The reference service takes "Any" when no protocol is given. Numbers are checked by fc_filter_check. */
    ret->protocol = message->protocol == FCPB__PROTOCOL__PROTOCOL_UNSPECIFIED
                        ? FC_PROTOCOL_ANY
                        : (fc_protocol)message->protocol;
    fc_err err = fc_text_from_pb(message->local_address, FC_FILTER_TEXT_MAX, "localIPAddress",
                                 &ret->local_address, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->local_port, FC_FILTER_TEXT_MAX, "localPort", &ret->local_port, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->remote_address, FC_FILTER_TEXT_MAX, "remoteIPAddress",
                              &ret->remote_address, fail);
    if (err == FC_OK)
        err =
            fc_text_from_pb(message->remote_port, FC_FILTER_TEXT_MAX, "remotePort", &ret->remote_port, fail);
    return err;
}

static fc_err
filters_from_pb(const Fcpb__CaptureSpec *message, fc_spec *ret, fc_fail *fail)
{
    if (message->n_filters > FC_FILTER_COUNT_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, "filters", "filters: there are %zu and the limit is %d",
                             message->n_filters, FC_FILTER_COUNT_MAX);
    if (message->n_filters == 0)
        return FC_OK;
    ret->filters = fc_alloc_array(message->n_filters, sizeof(fc_filter));
    ret->filter_count = message->n_filters;
    for (size_t i = 0; i < ret->filter_count; i++) {
        fc_err err = filter_from_pb(message->filters[i], &ret->filters[i], fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

/* On failure *ret is half made; the caller finishes it. */
static fc_err
spec_read(const Fcpb__CaptureSpec *message, fc_spec *ret, fc_fail *fail)
{
    if (message->storage != FCPB__STORAGE_KIND__STORAGE_KIND_UNSPECIFIED &&
        message->storage != FCPB__STORAGE_KIND__STORAGE_KIND_FILE)
        return fc_fail_field(fail, FC_ERR_INVALID, "storageLocation", "storageLocation: kind %d is not known",
                             (int)message->storage);
    fc_err err = filters_from_pb(message, ret, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->raw_filter, FC_FILTER_TEXT_MAX, "rawFilter", &ret->raw_filter, fail);
    if (err == FC_OK)
        err = fc_strings_from_pb(message->interfaces, message->n_interfaces, FC_INTERFACES_MAX,
                                 FC_INTERFACE_NAME_MAX, "interfaces", &ret->interfaces, fail);
    ret->bytes_per_packet = message->bytes_per_packet;
    ret->session_bytes = message->session_bytes;
    ret->time_limit_s = message->time_limit_s;
    ret->packet_limit = message->packet_limit;
    ret->include_own_traffic = message->include_own_traffic;
    if (message->ring != NULL) {
        ret->ring_files = message->ring->file_count;
        ret->ring_file_bytes = message->ring->file_size_bytes;
    }
    return err;
}

fc_err
fc_spec_from_pb(const Fcpb__CaptureSpec *message, fc_spec *ret, fc_fail *fail)
{
    fc_spec spec = {0};
    fc_err err = spec_read(message, &spec, fail);
    if (err == FC_OK)
        *ret = spec;
    else
        fc_spec_fini(&spec);
    return err;
}

fc_err
fc_target_from_pb(const Fcpb__Target *message, fc_target *ret, fc_fail *fail)
{
    const size_t names = FC_TARGET_NAMES_MAX;
    fc_target target = {0};
    fc_err err = fc_text_from_pb(message->scale_set, FC_NAME_MAX, "target.scaleSet", &target.scale_set, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->selector, FC_SELECTOR_TEXT_MAX, "target.selector", &target.selector,
                              fail);
    if (err == FC_OK)
        err = fc_strings_from_pb(message->regions, message->n_regions, FC_REGIONS_MAX, FC_NAME_MAX,
                                 "target.regions", &target.regions, fail);
    if (err == FC_OK)
        err = fc_strings_from_pb(message->zones, message->n_zones, FC_REGIONS_MAX, FC_NAME_MAX,
                                 "target.zones", &target.zones, fail);
    if (err == FC_OK)
        err = fc_strings_from_pb(message->include, message->n_include, names, FC_NAME_MAX, "target.include",
                                 &target.include, fail);
    if (err == FC_OK)
        err = fc_strings_from_pb(message->exclude, message->n_exclude, names, FC_NAME_MAX, "target.exclude",
                                 &target.exclude, fail);
    if (err == FC_OK)
        *ret = target;
    else
        fc_target_fini(&target);
    return err;
}

static fc_err
tags_from_pb(const Fcpb__Governance *message, fc_labels *ret, fc_fail *fail)
{
    static const char field[] = "governance.tags";
    if (message->n_tags > FC_TAGS_MAX)
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: there are %zu and the limit is %d", field,
                             message->n_tags, FC_TAGS_MAX);
    for (size_t i = 0; i < message->n_tags; i++) {
        const Fcpb__Label *tag = message->tags[i];
        if (!fc_name_check(tag->key) || !fc_text_check(tag->value, FC_TAG_VALUE_MAX))
            return fc_fail_field(
                fail, FC_ERR_INVALID, field,
                "%s: a tag has a name as its key and a text of at most %d bytes as its value", field,
                FC_TAG_VALUE_MAX);
        if (fc_labels_find(ret, tag->key) != NULL)
            return fc_fail_field(fail, FC_ERR_INVALID, field, "%s: \"%s\" is given twice", field, tag->key);
        fc_labels_set(ret, tag->key, tag->value);
    }
    return FC_OK;
}

static fc_err
governance_from_pb(const Fcpb__Governance *message, fc_governance *ret, fc_fail *fail)
{
    ret->delete_after_unix_s = message->delete_after_unix_s;
    fc_err err = fc_text_from_pb(message->reason, FC_REASON_MAX, "governance.reason", &ret->reason, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->owner, FC_OWNER_MAX, "governance.owner", &ret->owner, fail);
    if (err == FC_OK)
        err = fc_text_from_pb(message->incident_id, FC_INCIDENT_ID_MAX, "governance.incidentId",
                              &ret->incident_id, fail);
    return err == FC_OK ? tags_from_pb(message, &ret->tags, fail) : err;
}

fc_err
fc_definition_from_pb(const Fcpb__Definition *message, fc_definition *ret, fc_fail *fail)
{
    fc_definition definition = {0};
    fc_err err = FC_OK;
    if (message->spec == NULL)
        err =
            fc_fail_field(fail, FC_ERR_INVALID, "spec", "spec: the definition does not say what to capture");
    if (err == FC_OK)
        err = fc_text_from_pb(message->name, FC_NAME_MAX, "name", &definition.name, fail);
    if (err == FC_OK)
        err = spec_read(message->spec, &definition.spec, fail);
    if (err == FC_OK && message->target != NULL)
        err = fc_target_from_pb(message->target, &definition.target, fail);
    if (err == FC_OK && message->governance != NULL)
        err = governance_from_pb(message->governance, &definition.governance, fail);
    if (err == FC_OK)
        *ret = definition;
    else
        fc_definition_fini(&definition);
    return err;
}

/* ---- to ---- */

static Fcpb__Filter *
filter_to_pb(const fc_filter *filter)
{
    Fcpb__Filter *message = FC_NEW(Fcpb__Filter);
    fcpb__filter__init(message);
    message->protocol = (Fcpb__Protocol)filter->protocol;
    message->local_address = fc_text_to_pb(filter->local_address);
    message->local_port = fc_text_to_pb(filter->local_port);
    message->remote_address = fc_text_to_pb(filter->remote_address);
    message->remote_port = fc_text_to_pb(filter->remote_port);
    return message;
}

Fcpb__CaptureSpec *
fc_spec_to_pb(const fc_spec *spec)
{
    Fcpb__CaptureSpec *message = FC_NEW(Fcpb__CaptureSpec);
    fcpb__capture_spec__init(message);
    if (spec->filter_count > 0)
        message->filters = fc_alloc_array(spec->filter_count, sizeof(Fcpb__Filter *));
    for (size_t i = 0; i < spec->filter_count; i++)
        message->filters[message->n_filters++] = filter_to_pb(&spec->filters[i]);
    message->raw_filter = fc_text_to_pb(spec->raw_filter);
    message->bytes_per_packet = spec->bytes_per_packet;
    message->session_bytes = spec->session_bytes;
    message->time_limit_s = spec->time_limit_s;
    message->packet_limit = spec->packet_limit;
    message->interfaces = fc_strings_to_pb(&spec->interfaces);
    message->n_interfaces = spec->interfaces.count;
    message->include_own_traffic = spec->include_own_traffic;
    message->storage = FCPB__STORAGE_KIND__STORAGE_KIND_FILE;
    if (spec->ring_files > 0 || spec->ring_file_bytes > 0) {
        message->ring = FC_NEW(Fcpb__Ring);
        fcpb__ring__init(message->ring);
        message->ring->file_count = spec->ring_files;
        message->ring->file_size_bytes = spec->ring_file_bytes;
    }
    return message;
}

Fcpb__Target *
fc_target_to_pb(const fc_target *target)
{
    Fcpb__Target *message = FC_NEW(Fcpb__Target);
    fcpb__target__init(message);
    message->scale_set = fc_text_to_pb(target->scale_set);
    message->selector = fc_text_to_pb(target->selector);
    message->regions = fc_strings_to_pb(&target->regions);
    message->n_regions = target->regions.count;
    message->zones = fc_strings_to_pb(&target->zones);
    message->n_zones = target->zones.count;
    message->include = fc_strings_to_pb(&target->include);
    message->n_include = target->include.count;
    message->exclude = fc_strings_to_pb(&target->exclude);
    message->n_exclude = target->exclude.count;
    return message;
}

static Fcpb__Governance *
governance_to_pb(const fc_governance *governance)
{
    Fcpb__Governance *message = FC_NEW(Fcpb__Governance);
    fcpb__governance__init(message);
    message->reason = fc_text_to_pb(governance->reason);
    message->owner = fc_text_to_pb(governance->owner);
    message->incident_id = fc_text_to_pb(governance->incident_id);
    message->delete_after_unix_s = governance->delete_after_unix_s;
    if (governance->tags.count > 0)
        message->tags = fc_alloc_array(governance->tags.count, sizeof(Fcpb__Label *));
    for (size_t i = 0; i < governance->tags.count; i++) {
        Fcpb__Label *tag = FC_NEW(Fcpb__Label);
        fcpb__label__init(tag);
        tag->key = fc_text_to_pb(governance->tags.items[i].key);
        tag->value = fc_text_to_pb(governance->tags.items[i].value);
        message->tags[message->n_tags++] = tag;
    }
    return message;
}

Fcpb__Definition *
fc_definition_to_pb(const fc_definition *definition)
{
    Fcpb__Definition *message = FC_NEW(Fcpb__Definition);
    fcpb__definition__init(message);
    message->name = fc_text_to_pb(definition->name);
    message->target = fc_target_to_pb(&definition->target);
    message->spec = fc_spec_to_pb(&definition->spec);
    message->governance = governance_to_pb(&definition->governance);
    return message;
}
