#include "coordinator/rpc_message.h"

#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENT_OVERHEAD = 8, /* tag and length of a sub-message */
};

void
co_message_free(ProtobufCMessage *message)
{
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

char *
co_message_text(const char *text)
{
    return text == NULL || text[0] == '\0' ? (char *)protobuf_c_empty_string : fc_strdup(text);
}

static void
clear_text(char **text)
{
    if (*text != protobuf_c_empty_string)
        free(*text);
    *text = (char *)protobuf_c_empty_string;
}

/* ---- capture ---- */

static void
put_states(const co_capture *capture, Fcpb__Capture *message)
{
    message->states = fc_alloc_array(CO_STATE_COUNT, sizeof message->states[0]);
    for (int state = FC_STATE_PENDING; state <= FC_STATE_UNKNOWN; state++) {
        if (capture->counts[state] == 0)
            continue;
        Fcpb__StateCount *count = FC_NEW(Fcpb__StateCount);
        fcpb__state_count__init(count);
        count->state = (Fcpb__State)state;
        count->count = capture->counts[state];
        message->states[message->n_states++] = count;
    }
}

/* A definition alone is shorter than a frame (FC_DEFINITION_PACKED_MAX); the filter can be rebuilt from it.
 */
static void
fit_capture(Fcpb__Capture *message)
{
    if (fcpb__capture__get_packed_size(message) > CO_MESSAGE_BUDGET)
        clear_text(&message->compiled_filter);
    if (fcpb__capture__get_packed_size(message) > CO_MESSAGE_BUDGET && message->definition != NULL) {
        co_message_free(&message->definition->base);
        message->definition = NULL;
    }
}

Fcpb__Capture *
co_message_capture(const co_capture *capture, bool with_definition)
{
    Fcpb__Capture *message = FC_NEW(Fcpb__Capture);
    fcpb__capture__init(message);
    message->uid = co_message_text(capture->uid);
    message->name = co_message_text(capture->definition.name);
    message->definition = with_definition ? fc_definition_to_pb(&capture->definition) : NULL;
    message->state = (Fcpb__State)capture->state;
    put_states(capture, message);
    message->instance_count = (uint32_t)capture->part_count;
    message->region_count = (uint32_t)capture->region_count;
    message->created_unix_ns = capture->created.ns;
    message->start_unix_ns = capture->start.ns;
    message->window_end_unix_ns = capture->window_end.ns;
    message->totals = FC_NEW(Fcpb__Counters);
    fc_counters_to_pb(&capture->totals, message->totals);
    message->created_by = co_message_text(capture->created_by);
    message->stop_requested = capture->stop_requested;
    message->compiled_filter = co_message_text(with_definition ? capture->compiled_filter : NULL);
    message->lead_time_ms = capture->lead_ms;
    fit_capture(message);
    return message;
}

/* ---- instance capture ---- */

static void
drop_segments(Fcpb__InstanceCapture *message)
{
    for (size_t i = 0; i < message->n_segments; i++)
        co_message_free(&message->segments[i]->base);
    free(message->segments);
    message->segments = NULL;
    message->n_segments = 0;
}

static void
fit_part(Fcpb__InstanceCapture *message)
{
    if (fcpb__instance_capture__get_packed_size(message) > CO_MESSAGE_BUDGET)
        clear_text(&message->compiled_filter);
    if (fcpb__instance_capture__get_packed_size(message) > CO_MESSAGE_BUDGET)
        drop_segments(message);
}

Fcpb__InstanceCapture *
co_message_part(const co_part *part, size_t segments_max)
{
    fc_status shown = part->status; /* borrows everything */
    shown.state = part->shown;
    shown.connected = part->instance->link != NULL;
    (void)snprintf(shown.instance_name, sizeof shown.instance_name, "%s", part->instance->name);
    if (shown.segment_count > segments_max) {
        shown.segments += shown.segment_count - segments_max;
        shown.segment_count = segments_max;
    }
    Fcpb__InstanceCapture *message = fc_status_to_pb(&shown);
    fit_part(message);
    return message;
}

/* ---- instance ---- */

Fcpb__Label **
co_message_labels(const fc_labels *labels, size_t *ret_count)
{
    Fcpb__Label **list = fc_alloc_array(labels->count + 1, sizeof list[0]);
    for (size_t i = 0; i < labels->count; i++) {
        list[i] = FC_NEW(Fcpb__Label);
        fcpb__label__init(list[i]);
        list[i]->key = co_message_text(labels->items[i].key);
        list[i]->value = co_message_text(labels->items[i].value);
    }
    *ret_count = labels->count;
    return list;
}

/* The newest captures, as many as fit. */
static void
put_captures(const co_instance *instance, Fcpb__Instance *message)
{
    size_t used = fcpb__instance__get_packed_size(message);
    message->captures = fc_alloc_array(instance->part_count + 1, sizeof message->captures[0]);
    for (const co_part *part = instance->parts; part != NULL; part = part->next) {
        if (part->capture->deleted)
            continue;
        Fcpb__InstanceCapture *capture = co_message_part(part, 1);
        clear_text(&capture->compiled_filter);
        used += fcpb__instance_capture__get_packed_size(capture) + EVENT_OVERHEAD;
        if (used > CO_MESSAGE_BUDGET) {
            co_message_free(&capture->base);
            return;
        }
        message->captures[message->n_captures++] = capture;
    }
}

Fcpb__Instance *
co_message_instance(const co_instance *instance, const struct co *co, bool with_captures)
{
    Fcpb__Instance *message = FC_NEW(Fcpb__Instance);
    fcpb__instance__init(message);
    message->id = co_message_text(instance->id);
    message->name = co_message_text(instance->name);
    message->scale_set = co_message_text(instance->scale_set);
    message->region = co_message_text(instance->region);
    message->zone = co_message_text(instance->zone);
    message->labels = co_message_labels(&instance->labels, &message->n_labels);
    message->online = co_instance_reachable(instance);
    message->last_seen_unix_ns = instance->last_seen.ns;
    message->version = co_message_text(instance->version);
    message->address = co_message_text(instance->address);
    message->boot_id = co_message_text(instance->boot_id);
    if (instance->link != NULL) {
        co_link_clock clock = co->link_ops->clock(instance->link);
        message->clock_offset_ns = clock.offset_ns;
        message->clock_bound_ns = clock.bound_ns;
        message->round_trip_ns = clock.round_trip_ns;
    }
    if (with_captures)
        put_captures(instance, message);
    return message;
}

/* ---- created ---- */

static Fcpb__ResolvedInstance *
resolved(const co_instance *instance)
{
    Fcpb__ResolvedInstance *message = FC_NEW(Fcpb__ResolvedInstance);
    fcpb__resolved_instance__init(message);
    message->id = co_message_text(instance->id);
    message->name = co_message_text(instance->name);
    message->region = co_message_text(instance->region);
    message->online = co_instance_reachable(instance);
    return message;
}

static void
put_warnings(const co_created *created, size_t listed, Fcpb__CreateCaptureResponse *message)
{
    message->warnings = fc_alloc_array(created->warnings.count + 2, sizeof message->warnings[0]);
    for (size_t i = 0; i < created->warnings.count; i++)
        message->warnings[message->n_warnings++] = fc_strdup(created->warnings.items[i]);
    if (listed < created->instance_count)
        message->warnings[message->n_warnings++] =
            fc_sprintf("%zu of %zu instances are listed here; instance list with the same target shows all",
                       listed, created->instance_count);
}

static Fcpb__Capture *
imagined(const co_created *created, const fc_definition *definition)
{
    Fcpb__Capture *message = FC_NEW(Fcpb__Capture);
    fcpb__capture__init(message);
    message->name = co_message_text(definition->name);
    message->definition = fc_definition_to_pb(definition);
    message->compiled_filter = co_message_text(created->compiled_filter);
    message->instance_count = (uint32_t)created->instance_count;
    message->region_count = (uint32_t)created->region_count;
    fit_capture(message);
    return message;
}

Fcpb__CreateCaptureResponse *
co_message_created(const co_created *created, const fc_definition *definition)
{
    enum { WARNINGS_ROOM = 2048, INSTANCES_ROOM = 24 * 1024 };
    Fcpb__CreateCaptureResponse *message = FC_NEW(Fcpb__CreateCaptureResponse);
    fcpb__create_capture_response__init(message);
    Fcpb__Capture *capture =
        created->capture != NULL ? co_message_capture(created->capture, true) : imagined(created, definition);
    /* The asker has the definition; which instances it meant is news. */
    if (fcpb__capture__get_packed_size(capture) + INSTANCES_ROOM > CO_MESSAGE_BUDGET)
        clear_text(&capture->compiled_filter);
    if (fcpb__capture__get_packed_size(capture) + INSTANCES_ROOM > CO_MESSAGE_BUDGET) {
        co_message_free(&capture->definition->base);
        capture->definition = NULL;
    }
    message->capture = capture;
    size_t used = fcpb__capture__get_packed_size(capture) + WARNINGS_ROOM;
    message->instances = fc_alloc_array(created->instance_count + 1, sizeof message->instances[0]);
    for (size_t i = 0; i < created->instance_count; i++) {
        Fcpb__ResolvedInstance *instance = resolved(created->instances[i]);
        used += fcpb__resolved_instance__get_packed_size(instance) + EVENT_OVERHEAD;
        if (used > CO_MESSAGE_BUDGET) {
            co_message_free(&instance->base);
            break;
        }
        message->instances[message->n_instances++] = instance;
    }
    put_warnings(created, message->n_instances, message);
    return message;
}
