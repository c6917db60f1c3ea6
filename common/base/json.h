/* json.h: texts, numbers and times as all our JSON has them (docs/json.md). What is not known is null, or
 * left out.
 */
#ifndef FC_BASE_JSON_H
#define FC_BASE_JSON_H

#include "common/base/clock.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* JSON has no unsigned 64-bit integers that all readers keep: what is beyond the signed ones is shown as
 * their end. */
json_t *
fc_json_number(uint64_t value);
/* null for NULL, and for what is no UTF-8: names come from peers and files. */
json_t *
fc_json_text(const char *text);
json_t *
fc_json_texts(char *const *items, size_t count);
/* RFC 3339 in UTC with nine digits; null for a time that is not set. */
json_t *
fc_json_time(fc_wall wall);

/* Sets a key, unless the value is null. Takes the value. */
void
fc_json_set(json_t *object, const char *key, json_t *value);
/* Sets a key, unless the text is NULL, empty or no UTF-8. */
void
fc_json_set_text(json_t *object, const char *key, const char *text);

#endif
