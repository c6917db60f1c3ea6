/* fake_storage.h: a storage in memory, for scenarios and the fan-out bench. It outlives its node, as a disk
 * does. */
#ifndef ND_FAKE_STORAGE_H
#define ND_FAKE_STORAGE_H

#include "node/storage.h"

nd_storage *
nd_fake_storage_new(fc_loop *loop);
void
nd_fake_storage_free(nd_storage *storage);
/* Whether a helper works for this capture: its directory is locked then. */
void
nd_fake_storage_set_busy(nd_storage *storage, bool (*busy)(void *user, const char *uid), void *user);
void
nd_fake_storage_set_free_bytes(nd_storage *storage, uint64_t bytes);
/* Captures with a spec, and directories whose files were deleted. */
size_t
nd_fake_storage_count(const nd_storage *storage);
uint64_t
nd_fake_storage_purged(const nd_storage *storage);

#endif
