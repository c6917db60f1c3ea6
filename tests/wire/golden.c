#include "golden.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/rpc/methods.h"

#include "fleetcap/v1/frame.pb-c.h"
#include "fleetcap/v1/helper.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"
#include "fleetcap/v1/profile.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef ProtobufCMessageDescriptor message_type;
typedef ProtobufCFieldDescriptor field_type;

enum { DEPTH_MAX = 12, REPEATED = 2, BYTES = 32 };

/* What no method names. */
static const message_type *const others[] = {
    &fcpb__frame__descriptor,            /* the connection itself */
    &fcpb__helper_command__descriptor,   /* to a helper of another age */
    &fcpb__helper_event__descriptor,     /* from it */
    &fcpb__desired_capture__descriptor,  /* a node's spec.pb */
    &fcpb__instance_capture__descriptor, /* a node's journal, the coordinator's store */
    &fcpb__definition__descriptor,       /* the store: a capture */
    &fcpb__segment__descriptor,          /* the store: a file */
    &fcpb__profile__descriptor,          /* evidence, on both */
    &fcpb__context__descriptor,
};

/* ---- reading descriptors ---- */

static const message_type *
message_of(const field_type *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
}

static bool
is_arm(const field_type *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static const char *
type_name(const field_type *field)
{
    static const char *const names[] = {
        [PROTOBUF_C_TYPE_INT32] = "int32",       [PROTOBUF_C_TYPE_SINT32] = "sint32",
        [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
        [PROTOBUF_C_TYPE_SINT64] = "sint64",     [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
        [PROTOBUF_C_TYPE_UINT32] = "uint32",     [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
        [PROTOBUF_C_TYPE_UINT64] = "uint64",     [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
        [PROTOBUF_C_TYPE_FLOAT] = "float",       [PROTOBUF_C_TYPE_DOUBLE] = "double",
        [PROTOBUF_C_TYPE_BOOL] = "bool",         [PROTOBUF_C_TYPE_STRING] = "string",
        [PROTOBUF_C_TYPE_BYTES] = "bytes",
    };
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return message_of(field)->short_name;
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name;
    return names[field->type];
}

static void
field_line(const message_type *type, const field_type *field, char ret_line[GOLDEN_LINE_SIZE])
{
    (void)snprintf(ret_line, GOLDEN_LINE_SIZE, "%s %" PRIu32 " %s %s%s%s", type->short_name, field->id,
                   field->name, field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "",
                   type_name(field), is_arm(field) ? " oneof" : "");
}

static void
value_line(const ProtobufCEnumDescriptor *type, const ProtobufCEnumValue *value,
           char ret_line[GOLDEN_LINE_SIZE])
{
    (void)snprintf(ret_line, GOLDEN_LINE_SIZE, "%s = %d %s", type->short_name, value->value, value->name);
}

/* ---- the listing ---- */

static bool
add_line(fc_strings *lines, const char *line)
{
    if (fc_strings_have(lines, line))
        return false;
    fc_strings_add(lines, line);
    return true;
}

static void
list_message(const message_type *type, fc_strings *lines, int depth)
{
    assert(depth < DEPTH_MAX);
    char line[GOLDEN_LINE_SIZE];
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        field_line(type, field, line);
        if (!add_line(lines, line))
            return; /* listed before */
        if (message_of(field) != NULL)
            list_message(message_of(field), lines, depth + 1);
        if (field->type != PROTOBUF_C_TYPE_ENUM)
            continue;
        const ProtobufCEnumDescriptor *values = field->descriptor;
        for (unsigned v = 0; v < values->n_values; v++) {
            value_line(values, &values->values[v], line);
            (void)add_line(lines, line);
        }
    }
}

static int
by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void
golden_list(fc_strings *ret_lines)
{
    char line[GOLDEN_LINE_SIZE];
    for (size_t i = 0; i < FC_COUNT(others); i++)
        list_message(others[i], ret_lines, 0);
    for (int id = 0; id < FC_METHOD_COUNT; id++) {
        const fc_rpc_method *method = fc_rpc_method_get((fc_method_id)id);
        list_message(method->input, ret_lines, 0);
        list_message(method->output, ret_lines, 0);
        (void)snprintf(line, sizeof line, "%s %s %s%s", method->path, method->input->short_name,
                       (method->kind & FC_RPC_SERVER_STREAM) != 0 ? "stream " : "",
                       method->output->short_name);
        (void)add_line(ret_lines, line);
    }
    qsort(ret_lines->items, ret_lines->count, sizeof ret_lines->items[0], by_text);
}

/* ---- cases ---- */

typedef struct case_list {
    golden_case *cases; /* may be NULL */
    size_t count, max;
    const message_type *seen[2 * FC_METHOD_COUNT + FC_COUNT(others)];
    size_t seen_count;
} case_list;

static void
add_case(case_list *list, const message_type *type, const field_type *arm)
{
    if (list->cases != NULL && list->count < list->max)
        list->cases[list->count] = (golden_case){type, arm};
    list->count++;
}

static void
add_type(case_list *list, const message_type *type)
{
    bool arms = false;
    for (size_t i = 0; i < list->seen_count; i++)
        if (list->seen[i] == type)
            return;
    list->seen[list->seen_count++] = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (!is_arm(&type->fields[i]))
            continue;
        add_case(list, type, &type->fields[i]);
        arms = true;
    }
    if (!arms)
        add_case(list, type, NULL);
}

size_t
golden_cases(golden_case *cases, size_t max)
{
    case_list list = {.cases = cases, .max = max};
    for (size_t i = 0; i < FC_COUNT(others); i++)
        add_type(&list, others[i]);
    for (int id = 0; id < FC_METHOD_COUNT; id++) {
        add_type(&list, fc_rpc_method_get((fc_method_id)id)->input);
        add_type(&list, fc_rpc_method_get((fc_method_id)id)->output);
    }
    return list.count;
}

void
golden_name(const golden_case *which, char ret_name[GOLDEN_NAME_SIZE])
{
    (void)snprintf(ret_name, GOLDEN_NAME_SIZE, "%s%s%s", which->type->short_name,
                   which->arm != NULL ? "." : "", which->arm != NULL ? which->arm->name : "");
}

/* ---- making ---- */

/* FNV-1a (draft-eastlake-fnv, section 2) of message, field and index. */
static uint32_t
seed_of(const message_type *type, const field_type *field, size_t index)
{
    char text[GOLDEN_LINE_SIZE];
    uint32_t hash = 2166136261u;
    int length = snprintf(text, sizeof text, "%s.%s.%zu", type->short_name, field->name, index);
    for (int i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash | 1;
}

static int
enum_value(const field_type *field, uint32_t seed, const fc_strings *lines)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    char line[GOLDEN_LINE_SIZE];
    int values[64];
    size_t count = 0;
    for (unsigned v = 0; v < type->n_values && count < FC_COUNT(values); v++) {
        value_line(type, &type->values[v], line);
        if (type->values[v].value != 0 && fc_strings_have(lines, line))
            values[count++] = type->values[v].value;
    }
    return count > 0 ? values[seed % count] : 0;
}

size_t
golden_number_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 0;
    default:
        return 4;
    }
}

static size_t
size_of(const field_type *field)
{
    size_t size = golden_number_size(field);
    if (size != 0)
        return size;
    return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static ProtobufCMessage *
make(const message_type *type, const field_type *arm, const fc_strings *lines, int depth);

static void
make_value(const message_type *type, const field_type *field, size_t index, const fc_strings *lines,
           int depth, void *at)
{
    uint32_t seed = seed_of(type, field, index);
    uint64_t wide = (uint64_t)seed << 32 | (uint32_t)~seed;
    ProtobufCBinaryData bytes = {0};
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)at = fc_sprintf("%s.%s %zu", type->short_name, field->name, index);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        bytes = (ProtobufCBinaryData){BYTES, fc_alloc(BYTES)};
        for (size_t i = 0; i < BYTES; i++)
            bytes.data[i] = (uint8_t)(seed >> i % 24);
        *(ProtobufCBinaryData *)at = bytes;
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = make(message_of(field), NULL, lines, depth + 1);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = 1;
        return;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)at = enum_value(field, seed, lines);
        return;
    default:
        assert(field->type != PROTOBUF_C_TYPE_FLOAT && field->type != PROTOBUF_C_TYPE_DOUBLE);
        if (size_of(field) == sizeof wide)
            memcpy(at, &wide, sizeof wide);
        else
            memcpy(at, &seed, sizeof seed);
    }
}

static void
make_field(ProtobufCMessage *message, const field_type *field, const fc_strings *lines, int depth)
{
    const message_type *type = message->descriptor;
    char *base = (char *)message;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        make_value(type, field, 0, lines, depth, base + field->offset);
        return;
    }
    size_t size = size_of(field);
    char *items = fc_alloc_array(REPEATED, size);
    for (size_t i = 0; i < REPEATED; i++)
        make_value(type, field, i, lines, depth, items + i * size);
    *(size_t *)(void *)(base + field->quantifier_offset) = REPEATED;
    *(void **)(void *)(base + field->offset) = items;
}

/* Without an arm named, the first one listed. */
static ProtobufCMessage *
make(const message_type *type, const field_type *arm, const fc_strings *lines, int depth)
{
    assert(depth < DEPTH_MAX);
    ProtobufCMessage *message = fc_alloc(type->sizeof_message);
    type->message_init(message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        char line[GOLDEN_LINE_SIZE];
        field_line(type, field, line);
        if (!fc_strings_have(lines, line))
            continue;
        if (is_arm(field)) {
            if (arm == NULL)
                arm = field;
            if (arm != field)
                continue;
            *(uint32_t *)(void *)((char *)message + field->quantifier_offset) = field->id;
        }
        make_field(message, field, lines, depth);
    }
    return message;
}

ProtobufCMessage *
golden_make(const golden_case *which, const fc_strings *lines)
{
    return make(which->type, which->arm, lines, 0);
}

void
golden_pack(const ProtobufCMessage *message, fc_buf *ret_bytes)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    fc_buf_commit(ret_bytes, protobuf_c_message_pack(message, fc_buf_reserve(ret_bytes, size + 1)));
}
