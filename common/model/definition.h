/* definition.h: the capture definition: what to capture, where, for how long, why. Immutable once created.
 *
 * JSON and YAML use the reference service's names (bytesToCapturePerPacket, totalBytesPerSession,
 * timeLimitInSeconds, filters[].localIPAddress …), matched without regard to case; see docs/definition.md.
 * One validation for CLI, coordinator and node: fc_definition_check.
 */
#ifndef FC_MODEL_DEFINITION_H
#define FC_MODEL_DEFINITION_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/filter/filter.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Fcpb__Definition Fcpb__Definition;
typedef struct Fcpb__Target Fcpb__Target;
typedef struct Fcpb__CaptureSpec Fcpb__CaptureSpec;

enum {
    FC_TIME_LIMIT_DEFAULT_S = 18000,
    FC_TIME_LIMIT_MAX_S = 604800,
    FC_SPEC_PACKED_MAX = 4096, /* bytes: a node's whole desired state fits one frame */
    FC_DEFINITION_PACKED_MAX = 60000,
    FC_TARGET_NAMES_MAX = 2000, /* include + exclude */
    FC_INTERFACES_MAX = 8,
    FC_RING_FILES_MAX = 10000,
};
#define FC_SESSION_BYTES_DEFAULT (1ull << 30)
#define FC_RING_FILE_BYTES_MAX   (4ull << 30)
#define FC_RING_FILE_BYTES_MIN   (1ull << 20)

typedef struct fc_strings {
    char **items; /* owned array of owned strings */
    size_t count;
} fc_strings;
void
fc_strings_add(fc_strings *strings, const char *text);
void
fc_strings_fini(fc_strings *strings);
bool
fc_strings_have(const fc_strings *strings, const char *text);
/* Adds it unless it is there; true when it was not. */
bool
fc_strings_add_new(fc_strings *strings, const char *text);

typedef struct fc_label {
    char *key, *value; /* owned */
} fc_label;
typedef struct fc_labels {
    fc_label *items; /* owned */
    size_t count;
} fc_labels;
void
fc_labels_set(fc_labels *labels, const char *key, const char *value);
const char *
fc_labels_find(const fc_labels *labels, const char *key); /* NULL when absent; borrowed */
void
fc_labels_fini(fc_labels *labels);

typedef struct fc_target {
    char *scale_set; /* owned, as all texts here; NULL = any */
    fc_strings regions, zones, include, exclude;
    char *selector;
} fc_target;

typedef struct fc_spec {
    fc_filter *filters; /* owned array */
    size_t filter_count;
    char *raw_filter;
    uint32_t bytes_per_packet; /* 0 = all */
    uint64_t session_bytes;    /* 0 = no limit; captured bytes of written packets */
    uint32_t time_limit_s;
    uint64_t packet_limit; /* 0 = no limit */
    uint32_t ring_files;   /* 0 = one file that does not rotate */
    uint64_t ring_file_bytes;
    fc_strings interfaces;
    bool include_own_traffic;
} fc_spec;

typedef struct fc_governance {
    char *reason, *owner, *incident_id;
    int64_t delete_after_unix_s; /* 0 = not set */
    fc_labels tags;
} fc_governance;

typedef struct fc_definition {
    char *name;
    fc_target target;
    fc_spec spec;
    fc_governance governance;
} fc_definition;

/* Zeroed and with the defaults above. */
void
fc_definition_init(fc_definition *definition);
void
fc_definition_fini(fc_definition *definition);
void
fc_target_fini(fc_target *target);
void
fc_spec_fini(fc_spec *spec);

/* Pure and complete: names, limits, filters (they compile too), selector. The sentence names field, value and
 * reason. */
FC_MUST_USE fc_err
fc_definition_check(const fc_definition *definition, fc_fail *fail);
FC_MUST_USE fc_err
fc_spec_check(const fc_spec *spec, fc_fail *fail);

/* `ret` is initialised by the callee and finished by the caller on FC_OK only. Unknown keys are refused. */
FC_MUST_USE fc_err
fc_definition_from_json(const json_t *tree, fc_definition *ret, fc_fail *fail);
json_t *
fc_definition_to_json(const fc_definition *definition); /* new reference */
/* For JSON text given with --filters: a list of filter objects. Appends to spec. */
FC_MUST_USE fc_err
fc_filters_from_json(const json_t *list, fc_spec *spec, fc_fail *fail);

/* Message <-> domain. from_pb copies and checks shape (lengths, counts), not meaning: call
 * fc_definition_check after. */
FC_MUST_USE fc_err
fc_definition_from_pb(const Fcpb__Definition *message, fc_definition *ret, fc_fail *fail);
FC_MUST_USE fc_err
fc_target_from_pb(const Fcpb__Target *message, fc_target *ret, fc_fail *fail);
FC_MUST_USE fc_err
fc_spec_from_pb(const Fcpb__CaptureSpec *message, fc_spec *ret, fc_fail *fail);
/* New message, to be freed with protobuf_c_message_free_unpacked(&m->base, NULL). */
Fcpb__Definition *
fc_definition_to_pb(const fc_definition *definition);
Fcpb__Target *
fc_target_to_pb(const fc_target *target);
Fcpb__CaptureSpec *
fc_spec_to_pb(const fc_spec *spec);

#endif
