/* golden.h: messages made of their descriptors, so that those of a release can be kept and found again.
 *
 * A listing has one line for each field of a message, each value of an enum and each method, with everything
 * that another program depends on: number, name, type. A made message has a value in every field that a
 * listing names, and the value follows from the names alone: what a release wrote down can be made again by
 * any later one.
 */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "common/base/buf.h"
#include "common/model/definition.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

enum { GOLDEN_NAME_SIZE = 96, GOLDEN_LINE_SIZE = 192 };

/* One message that crosses the wire or lies on a disk by itself; one for each arm of its oneof. */
typedef struct golden_case {
    const ProtobufCMessageDescriptor *type;
    const ProtobufCFieldDescriptor *arm; /* NULL = it has no oneof, or none is chosen */
} golden_case;

/* Every case of today. Returns how many; `cases` may be NULL. */
size_t
golden_cases(golden_case *cases, size_t max);
/* "Frame.request": the file is that with ".bin". */
void
golden_name(const golden_case *which, char ret_name[GOLDEN_NAME_SIZE]);
/* The listing of this build, sorted. */
void
golden_list(fc_strings *ret_lines);

/* As of that listing. Free with protobuf_c_message_free_unpacked. */
ProtobufCMessage *
golden_make(const golden_case *which, const fc_strings *lines);
void
golden_pack(const ProtobufCMessage *message, fc_buf *ret_bytes);
/* What a plain number of this field takes in memory; 0 for what is none. */
size_t
golden_number_size(const ProtobufCFieldDescriptor *field);
/* All fields have the same values; what is unknown does not count. The name of the first that differs, or
 * NULL. */
const char *
golden_difference(const ProtobufCMessage *left, const ProtobufCMessage *right);

/* What a later release may do to a message: four more fields, one of each wire type, in it and in all inside
 * it; enum values that nobody knows. Returns how many messages, or enum fields, there were. */
size_t
golden_add_fields(ProtobufCMessage *message);
/* Takes away what that added to the outermost message that still has it; false when none has. */
bool
golden_drop_first_addition(ProtobufCMessage *message);
size_t
golden_new_values(ProtobufCMessage *message);

#endif
