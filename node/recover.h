/* recover.h: the files of a capture whose helper is gone: every .part is cut to its last whole block and
 * sealed. */
#ifndef ND_RECOVER_H
#define ND_RECOVER_H

#include "node/storage.h"

#include <stdbool.h>

/* The kind of a directory entry. Pure. */
typedef struct nd_segment_name {
    uint32_t sequence;
    bool part; /* still has its .part */
} nd_segment_name;
/* "web-1_02_45_37_0003.pcapng" and the same with ".part"; false for every other name. */
bool
nd_segment_name_parse(const char *name, nd_segment_name *ret_name);

/* dir_fd: the capture's directory, locked by the caller. `known`: sealed segments in there are not read
 * again. Any thread. *ret_recovery is always good to be finished. */
void
nd_recover_directory(int dir_fd, const char *directory, const fc_status *known, nd_recovery *ret_recovery);

#endif
