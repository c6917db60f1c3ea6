/* errors.h: what ICMP said about conversations. Bounded: FC_ERRORS_MAX conversations at a time; an error
 * about one more is recorded at once, instead of with its conversation. */
#ifndef FC_ANALYSIS_ERRORS_H
#define FC_ANALYSIS_ERRORS_H

#include "common/analysis/icmp.h"

#include <stdbool.h>
#include <stdint.h>

enum { FC_ERRORS_MAX = 4096 };

typedef enum fc_error_kind {
    FC_ERROR_UNREACHABLE,
    FC_ERROR_PROHIBITED,
    FC_ERROR_TOO_BIG,
    FC_ERROR_TIME_EXCEEDED,
    FC_ERROR_SENT, /* of any of these kinds, by this instance */
    FC_ERROR_COUNT
} fc_error_kind;

typedef struct fc_error_seen {
    uint32_t count;
    uint8_t type, code, file; /* of the first */
    uint64_t frame;
    int64_t unix_ns;
} fc_error_seen;

typedef struct fc_errors {
    fc_error_seen kinds[FC_ERROR_COUNT];
    uint32_t mtu; /* the smallest that was named; 0 = none */
    uint32_t next_free;
} fc_errors;

typedef struct fc_error_table {
    fc_errors *places; /* owned; places[0] is not used; NULL until the first error */
    uint32_t used, free;
} fc_error_table;

void
fc_error_table_fini(fc_error_table *table);
/* Index of a zeroed place, or 0 when there is none. */
uint16_t
fc_error_table_take(fc_error_table *table);
void
fc_error_table_give(fc_error_table *table, uint32_t index); /* 0 is legal */

/* False when the message is no error about a conversation. */
bool
fc_error_kind_of(const fc_icmp_message *message, fc_error_kind *ret_kind);
void
fc_errors_add(fc_errors *errors, fc_error_kind kind, const fc_icmp_message *message, int64_t unix_ns,
              uint8_t file, uint64_t frame);

#endif
