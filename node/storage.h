/* storage.h: what survives this process: captures' specs, journals and files.
 *
 * journal.c keeps them in directories below captures_dir; fake_storage.c in memory, for scenarios and the
 * fan-out bench. `directory` is always relative: "<yyyy>/<mm>/<dd>/<capture>-<first 8 of uid>".
 */
#ifndef ND_STORAGE_H
#define ND_STORAGE_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/model/status.h"
#include "node/desired.h"
#include "node/evidence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ND_DIRECTORY_SIZE = 96 };

/* A file of a capture as it was found after its helper was gone. */
typedef struct nd_found {
    fc_segment segment;      /* path relative to captures_dir; sealed; `repaired` when it was open */
    uint64_t captured_bytes; /* of its packets; 0 for a sealed file that was known and not read again */
    fc_wall modified;
} nd_found;

/* What a recovery brings. */
typedef struct nd_recovery {
    nd_found *found; /* owned; by sequence */
    size_t count;
    uint64_t cut_bytes;
    fc_fail fail; /* err FC_OK when all went well; what could be saved is in `found` in any case */
} nd_recovery;
void
nd_recovery_fini(nd_recovery *recovery);

typedef struct nd_storage_ops {
    /* Makes the directory, writes spec.pb; also to write spec.pb anew. */
    fc_err (*put_spec)(nd_storage *storage, const char *directory, const nd_desired_capture *want,
                       fc_fail *fail);
    fc_err (*save)(nd_storage *storage, const char *directory, const fc_status *status, fc_fail *fail);
    /* One file of evidence, replaced atomically (taken away when empty); and read back (appended):
     * FC_ERR_NOT_FOUND, FC_ERR_LIMIT. */
    fc_err (*save_evidence)(nd_storage *storage, const char *directory, nd_evidence_kind kind,
                            const fc_buf *packed, fc_fail *fail);
    fc_err (*load_evidence)(nd_storage *storage, const char *directory, nd_evidence_kind kind,
                            fc_buf *ret_packed, fc_fail *fail);
    /* Drops spec, journal and evidence; with purge also the files and the directory. */
    void (*forget)(nd_storage *storage, const char *directory, bool purge);
    /* Every capture that has a spec; `visit` takes *want, and *status (zero without a journal). */
    fc_err (*scan)(nd_storage *storage,
                   void (*visit)(const char *directory, nd_desired_capture *want, fc_status *status,
                                 void *user),
                   void *user, fc_fail *fail);
    /* Opens the directory with the lock that says "a helper works here": held by every duplicate of *ret_fd,
     * so by the helper for its life. FC_ERR_AGAIN while an earlier helper has it. */
    fc_err (*open_directory)(nd_storage *storage, const char *directory, int *ret_fd, fc_fail *fail);
    /* Repairs and lists; `known` tells which files need not be read again. Blocks; for start-up. FC_ERR_AGAIN
     * while a helper works there. */
    fc_err (*recover_now)(nd_storage *storage, const char *directory, const fc_status *known,
                          nd_recovery *ret_recovery, fc_fail *fail);
    /* The same on a worker; `recovered` comes from the loop with uid, unless the storage is freed first. */
    void (*recover)(nd_storage *storage, const char *directory, const fc_status *known);
    /* SHA-256 of a sealed segment, on a worker; `hashed` comes from the loop. */
    void (*hash)(nd_storage *storage, const char *uid, const fc_segment *segment);
    fc_err (*open_segment)(nd_storage *storage, const char *path, int *ret_fd, fc_fail *fail);
    uint64_t (*free_bytes)(nd_storage *storage);
    /* When everybody's lease ends; kept so that a restart does not renew it. 0 = not known. */
    void (*lease_put)(nd_storage *storage, fc_wall end);
    fc_wall (*lease_get)(nd_storage *storage);
} nd_storage_ops;

/* Answers of the worker; set by the node before it uses the storage. */
typedef struct nd_storage_events {
    void (*recovered)(void *user, const char *uid, const nd_recovery *recovery);
    void (*hashed)(void *user, const char *uid, uint32_t sequence, uint64_t size_bytes,
                   const uint8_t sha256[32],
                   const fc_fail *fail); /* fail->err FC_OK: size and hash are good */
} nd_storage_events;

/* The first member of each storage. */
struct nd_storage {
    const nd_storage_ops *ops;
    const nd_storage_events *events; /* borrowed; NULL = nobody listens any more */
    void *user;                      /* borrowed */
};

/* Pure: the directory of a capture, dated by its creation. */
void
nd_storage_directory(const char *name, const char *uid, fc_wall created,
                     char ret_directory[ND_DIRECTORY_SIZE]);
/* Pure: "<instance>_<hh>_<mm>_<ss>". */
#define ND_PREFIX_SIZE 80
void
nd_storage_prefix(const char *instance, fc_wall created, char ret_prefix[ND_PREFIX_SIZE]);

#endif
