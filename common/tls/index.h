/* index.h: index.json of a PKI directory: which fleet, and every certificate that was issued. */
#ifndef FC_TLS_INDEX_H
#define FC_TLS_INDEX_H

#include "common/base/err.h"
#include "common/tls/pki.h"

#include <stdint.h>

typedef struct fc_index {
    char fleet[FC_NAME_MAX + 1];
    uint64_t crl_number;   /* of the last list written */
    fc_pki_entry *entries; /* owned; oldest first */
    size_t count;
} fc_index;

FC_MUST_USE fc_err
fc_index_load(int dir_fd, fc_index *ret_index, fc_fail *fail);
FC_MUST_USE fc_err
fc_index_save(int dir_fd, const fc_index *index, fc_fail *fail);
void
fc_index_add(fc_index *index, const fc_pki_entry *entry);
void
fc_index_fini(fc_index *index);

#endif
