/* path.h: two ends, one conversation: which packets left A and reached B.
 *
 * Two captures in, a verdict per conversation and direction out: delivered, lost between A and B, altered, delayed, or *not provable*
 * and why. What the capture itself may have missed (drops, filter, snap length, window, clock) is never called a loss of the network.
 */
#ifndef FC_PATH_PATH_H
#define FC_PATH_PATH_H

#include "common/base/err.h"
#include "common/pcapng/input.h"

#include <jansson.h>

typedef struct fc_path_result fc_path_result;

void fc_path_result_free(fc_path_result *result);
json_t *fc_path_result_to_json(const fc_path_result *result); /* new reference; docs/path.md */

#endif
