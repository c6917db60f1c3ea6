/* record.h: domain objects as the bytes that the store keeps: the packed messages of fleetcap.v1. */
#ifndef CO_RECORD_H
#define CO_RECORD_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/model/definition.h"
#include "common/model/status.h"
#include "coordinator/store.h"

/* Each appends to *out. */
void
co_record_pack_definition(const fc_definition *definition, fc_buf *out);
void
co_record_pack_status(const fc_status *status, fc_buf *out); /* without segments */
void
co_record_pack_segment(const fc_segment *segment, fc_buf *out);
void
co_record_pack_labels(const fc_labels *labels, fc_buf *out);

/* FC_ERR_CORRUPT when the bytes are not what was packed. *ret is finished by the caller on FC_OK only. */
FC_MUST_USE fc_err
co_record_unpack_definition(co_blob blob, fc_definition *ret, fc_fail *fail);
FC_MUST_USE fc_err
co_record_unpack_status(co_blob blob, fc_status *ret, fc_fail *fail);
FC_MUST_USE fc_err
co_record_unpack_segment(co_blob blob, fc_segment *ret, fc_fail *fail);
FC_MUST_USE fc_err
co_record_unpack_labels(co_blob blob, fc_labels *ret, fc_fail *fail);

#endif
