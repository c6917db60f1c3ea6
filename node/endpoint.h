/* endpoint.h: the coordinator's numeric addresses, so that captures leave out our own conversation with it.
 */
#ifndef ND_ENDPOINT_H
#define ND_ENDPOINT_H

#include "common/filter/filter.h"

#include <stdbool.h>
#include <stddef.h>

enum { ND_ENDPOINTS_MAX = 16 };

/* Splits "host:port" or "[v6]:port". *ret_host is owned by the caller. */
FC_MUST_USE fc_err
nd_endpoint_split(const char *address, char **ret_host, uint16_t *ret_port, fc_fail *fail);
/* All addresses of the host; with numeric_only only what needs no look-up. May block for as long as the
 * resolver takes. */
FC_MUST_USE fc_err
nd_endpoint_resolve(const char *host, uint16_t port, bool numeric_only,
                    fc_endpoint ret_endpoints[ND_ENDPOINTS_MAX], size_t *ret_count, fc_fail *fail);
/* Adds those that are not in there yet; the oldest make room. */
void
nd_endpoint_merge(fc_endpoint endpoints[ND_ENDPOINTS_MAX], size_t *count, const fc_endpoint *more,
                  size_t more_count);

#endif
