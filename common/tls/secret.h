/* secret.h: files that only their owner may read, and buffers that are wiped. */
#ifndef FC_TLS_SECRET_H
#define FC_TLS_SECRET_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stddef.h>

/* Reads a whole file of at most `limit` bytes. FC_ERR_DENIED when group or others have any access to it. */
FC_MUST_USE fc_err
fc_secret_read(const char *path, size_t limit, fc_buf *ret_buf, fc_fail *fail);
/* Wipes and frees. */
void
fc_secret_fini(fc_buf *buf);

#endif
