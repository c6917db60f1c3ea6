/* json_reader.h: JSON objects into structs, by tables of {name, kind, offset}.
 *
 * Keys are matched without regard to case, null is absent, an unknown key is refused by name with the nearest
 * known one. Within fc_model only. A struct that was being filled when a read failed is finished by the
 * caller.
 */
#ifndef FC_MODEL_JSON_READER_H
#define FC_MODEL_JSON_READER_H

#include "common/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_json_kind {
    FC_JSON_TEXT,    /* char *: owned; at most max bytes; "" stays NULL */
    FC_JSON_VALUE,   /* the same, and a whole number is taken as its digits */
    FC_JSON_STRINGS, /* fc_strings: a list of texts of at most max bytes each */
    FC_JSON_NUMBER,  /* uint64_t: whole, at most max */
    FC_JSON_SIZE,    /* uint64_t: bytes, or "100MiB" */
    FC_JSON_SECONDS, /* uint64_t: seconds, or "5h" */
    FC_JSON_BOOL,    /* bool */
    FC_JSON_DATE,    /* int64_t: RFC 3339 date or date-time, seconds since 1970 */
    FC_JSON_OBJECT,  /* keys of a sub-object, with the same base */
    FC_JSON_CUSTOM,  /* read() */
} fc_json_kind;

typedef struct fc_json_table fc_json_table;

typedef struct fc_json_key {
    const char *name;
    fc_json_kind kind;
    size_t offset; /* of the field in the struct at base */
    uint64_t max;
    const fc_json_table *table; /* for OBJECT */
    fc_err (*read)(const json_t *value, const char *path, void *base, fc_fail *fail);
} fc_json_key;

struct fc_json_table {
    const fc_json_key *keys; /* at most 64 */
    size_t count;
};

enum { FC_JSON_PATH = 64 };

/* `path` says where the object stands, for the sentence: "" for the document, "captureSettings",
 * "filters[2]". */
FC_MUST_USE fc_err
fc_json_read(const json_t *object, const fc_json_table *table, const char *path, void *base, fc_fail *fail);
/* One text value, as FC_JSON_TEXT. */
FC_MUST_USE fc_err
fc_json_read_text(const json_t *value, const char *path, uint64_t max, char **ret_text, fc_fail *fail);

/* RFC 3339, section 5.6: full-date (its first second, UTC) or date-time, from 1970 on. */
FC_MUST_USE fc_err
fc_date_parse(const char *text, int64_t *ret_unix_s);

#endif
