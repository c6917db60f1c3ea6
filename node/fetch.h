/* fetch.h: one HTTP GET of a small answer, from a server beside this machine. */
#ifndef ND_FETCH_H
#define ND_FETCH_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Appends the body of a 200 answer of at most `limit` bytes. Plain HTTP only, without proxy, redirect or
 * credentials; header: one line, "Name: value". Blocks for at most wait_ms. FC_ERR_UNAVAILABLE with the
 * reason. */
FC_MUST_USE fc_err
nd_fetch(const char *url, const char *header, uint32_t wait_ms, size_t limit, fc_buf *ret_body,
         fc_fail *fail);

#endif
