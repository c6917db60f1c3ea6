/* shape.h: what a text of a peer must look like before anything is made of it; and texts to and from
 * protobuf.
 *
 * Within fc_model only. protobuf-c does not check that a string is UTF-8, and nothing it carries is fit for a
 * terminal.
 */
#ifndef FC_MODEL_SHAPE_H
#define FC_MODEL_SHAPE_H

#include "common/base/err.h"
#include "common/model/definition.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at text (RFC 3629: no overlong forms, no surrogates); 0 when it is none.
 */
size_t
fc_utf8_length(const char *text);
/* UTF-8 without control characters (C0, DEL, C1), at most max bytes. */
bool
fc_text_check(const char *text, size_t max);
/* Copies at most size - 1 bytes; what is not fit for a terminal becomes '?'. A cut never splits a character.
 */
void
fc_text_clean(const char *text, char *ret_text, size_t size);
/* What a peer wrote, fit for a sentence. Returns shown. */
#define FC_QUOTED_TEXT 72
const char *
fc_quoted(const char *text, char shown[FC_QUOTED_TEXT]);
/* FC_ERR_INVALID of a field: "field: why", 'field "value": why'. */
fc_err
fc_refuse(fc_fail *fail, const char *field, const char *why);
fc_err
fc_refuse_text(fc_fail *fail, const char *field, const char *value, const char *why);

/* From a message's string ("" or NULL = absent) to an owned text or NULL. Refuses what has more than max
 * bytes or is not fc_text_check. */
FC_MUST_USE fc_err
fc_text_from_pb(const char *text, size_t max, const char *field, char **ret_text, fc_fail *fail);
FC_MUST_USE fc_err
fc_strings_from_pb(char *const *items, size_t count, size_t count_max, size_t max, const char *field,
                   fc_strings *ret, fc_fail *fail);
/* An owned copy as protobuf-c wants it: the shared empty string for NULL and "". */
char *
fc_text_to_pb(const char *text);
char **
fc_strings_to_pb(const fc_strings *strings);

#endif
