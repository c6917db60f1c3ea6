/* context.h: the network configuration of an instance at a moment, as facts: section, key, value.
 *
 * Written by node/context, compared by common/compare by the mode of each section (names.h). Bounded: at most
 * FC_CONTEXT_FACTS_MAX facts and FC_CONTEXT_PACKED_MAX bytes packed; what has no room is counted. Facts are
 * kept sorted by section, key and value, each once.
 */
#ifndef FC_PROFILE_CONTEXT_H
#define FC_PROFILE_CONTEXT_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/profile/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_CONTEXT_VERSION = 1,
    FC_CONTEXT_FACTS_MAX = 1024,
    FC_CONTEXT_PACKED_MAX = 48 << 10,
    FC_CONTEXT_KEY_MAX = 127,
    FC_CONTEXT_VALUE_MAX = 255,
    FC_CONTEXT_UNREADABLE_MAX = 16,
};

typedef struct fc_context_fact {
    fc_section section;
    char *key, *value; /* owned */
} fc_context_fact;

/* {0} is empty. */
typedef struct fc_context {
    fc_wall at;
    fc_context_fact *facts; /* owned */
    size_t fact_count, capacity;
    size_t packed_bytes; /* about what the facts take */
    char **unreadable;   /* owned, each owned: "firewall: permission denied" */
    size_t unreadable_count;
    uint32_t left_out;
    bool sorted;
} fc_context;

void
fc_context_fini(fc_context *context);
/* Copies key and value (cut to their limits, control characters replaced). */
void
fc_context_add(fc_context *context, fc_section section, const char *key, const char *value);
void
fc_context_addf(fc_context *context, fc_section section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void
fc_context_add_unreadable(fc_context *context, fc_section section, const char *why);
/* Sorts, and drops what is there twice. Before find and pack. */
void
fc_context_sort(fc_context *context);
/* The first value under that key, NULL when there is none. The context must be sorted. */
const char *
fc_context_find(const fc_context *context, fc_section section, const char *key);
/* Appends the packed message; sorts first. */
void
fc_context_pack(fc_context *context, fc_buf *out);
FC_MUST_USE fc_err
fc_context_unpack(const uint8_t *data, size_t size, fc_context *ret_context, fc_fail *fail);
json_t *
fc_context_to_json(
    const fc_context *context); /* new reference: {"at", "facts": {section: {key: value or [values]}}, …} */

#endif
