/* golden_newer.c: walking made messages: comparing two, and turning one into a later release's. */
#include "golden.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum { NEW_TAG = 2000, NEW_VALUE = 9000, NEW_FIELDS = 4 };

/* Where a field's values are, and how many: none for an arm that is not chosen. */
typedef struct values {
    char *at;
    size_t count;
} values;

static values
values_of(const ProtobufCMessage *message, const field_type *field)
{
    char *base = (char *)(uintptr_t)message;
    char *at = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return (values){*(void **)(void *)at, *(size_t *)(void *)(base + field->quantifier_offset)};
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(uint32_t *)(void *)(base + field->quantifier_offset) != field->id)
        return (values){0};
    return (values){at, 1};
}

static ProtobufCMessage *
inner(values all, size_t index)
{
    return ((ProtobufCMessage **)(void *)all.at)[index];
}

static const char *
text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* ---- comparing ---- */

static bool
same_bytes(const ProtobufCBinaryData *left, const ProtobufCBinaryData *right)
{
    return left->len == right->len && (left->len == 0 || memcmp(left->data, right->data, left->len) == 0);
}

static const char *
value_difference(const field_type *field, values left, values right, size_t i)
{
    size_t size = golden_number_size(field);
    bool same;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (inner(left, i) == NULL || inner(right, i) == NULL)
            return inner(left, i) == inner(right, i) ? NULL : field->name;
        return golden_difference(inner(left, i), inner(right, i));
    }
    if (field->type == PROTOBUF_C_TYPE_STRING)
        same = strcmp(text_of(((char **)(void *)left.at)[i]), text_of(((char **)(void *)right.at)[i])) == 0;
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        same = same_bytes((ProtobufCBinaryData *)(void *)left.at + i,
                          (ProtobufCBinaryData *)(void *)right.at + i);
    else
        same = memcmp(left.at + i * size, right.at + i * size, size) == 0;
    return same ? NULL : field->name;
}

const char *
golden_difference(const ProtobufCMessage *left, const ProtobufCMessage *right)
{
    for (unsigned f = 0; f < left->descriptor->n_fields; f++) {
        const field_type *field = &left->descriptor->fields[f];
        values l = values_of(left, field), r = values_of(right, field);
        if (l.count != r.count)
            return field->name;
        for (size_t i = 0; i < l.count; i++) {
            const char *name = value_difference(field, l, r, i);
            if (name != NULL)
                return name;
        }
    }
    return NULL;
}

/* ---- a later release ---- */

/* The packed values of a varint, a fixed64, a text of three bytes (with its length) and a fixed32. */
static const struct {
    ProtobufCWireType wire;
    size_t size;
    uint8_t data[8];
} additions[NEW_FIELDS] = {
    {PROTOBUF_C_WIRE_TYPE_VARINT, 2, {0xac, 0x02}},
    {PROTOBUF_C_WIRE_TYPE_64BIT, 8, {1, 2, 3, 4, 5, 6, 7, 8}},
    {PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, 4, {3, 'n', 'e', 'w'}},
    {PROTOBUF_C_WIRE_TYPE_32BIT, 4, {1, 2, 3, 4}},
};

static void
add_here(ProtobufCMessage *message)
{
    ProtobufCMessageUnknownField *fields = fc_alloc_array(NEW_FIELDS, sizeof *fields);
    for (unsigned i = 0; i < NEW_FIELDS; i++) {
        fields[i] = (ProtobufCMessageUnknownField){
            .tag = NEW_TAG + i, .wire_type = additions[i].wire, .len = additions[i].size};
        fields[i].data = fc_alloc(additions[i].size);
        memcpy(fields[i].data, additions[i].data, additions[i].size);
    }
    message->unknown_fields = fields;
    message->n_unknown_fields = NEW_FIELDS;
}

size_t
golden_add_fields(ProtobufCMessage *message)
{
    size_t count = 1;
    add_here(message);
    for (unsigned f = 0; f < message->descriptor->n_fields; f++) {
        const field_type *field = &message->descriptor->fields[f];
        values all = values_of(message, field);
        for (size_t i = 0; i < all.count && field->type == PROTOBUF_C_TYPE_MESSAGE; i++)
            if (inner(all, i) != NULL)
                count += golden_add_fields(inner(all, i));
    }
    return count;
}

bool
golden_drop_first_addition(ProtobufCMessage *message)
{
    if (message->n_unknown_fields > 0) {
        for (unsigned i = 0; i < message->n_unknown_fields; i++)
            free(message->unknown_fields[i].data);
        free(message->unknown_fields);
        message->unknown_fields = NULL;
        message->n_unknown_fields = 0;
        return true;
    }
    for (unsigned f = 0; f < message->descriptor->n_fields; f++) {
        const field_type *field = &message->descriptor->fields[f];
        values all = values_of(message, field);
        for (size_t i = 0; i < all.count && field->type == PROTOBUF_C_TYPE_MESSAGE; i++)
            if (inner(all, i) != NULL && golden_drop_first_addition(inner(all, i)))
                return true;
    }
    return false;
}

size_t
golden_new_values(ProtobufCMessage *message)
{
    size_t count = 0;
    for (unsigned f = 0; f < message->descriptor->n_fields; f++) {
        const field_type *field = &message->descriptor->fields[f];
        values all = values_of(message, field);
        for (size_t i = 0; i < all.count; i++) {
            if (field->type == PROTOBUF_C_TYPE_MESSAGE && inner(all, i) != NULL)
                count += golden_new_values(inner(all, i));
            if (field->type != PROTOBUF_C_TYPE_ENUM)
                continue;
            ((int *)(void *)all.at)[i] = NEW_VALUE;
            count++;
        }
    }
    return count;
}
